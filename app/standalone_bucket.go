package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"

	"seaworthy/bucket"
)

// publicPrefix is where everybody finds what was released, in every bucket.
const publicPrefix = "release/"

// openAloneBucket opens the bucket: the one that was asked for, or a folder in
// the state folder. What is released into a folder goes there instead, so that
// nothing private comes to lie beside it.
func (a *App) openAloneBucket(ctx context.Context) error {
	b, err := a.openPrivateBucket(ctx)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, b)
	a.Bucket = b
	if a.alone.to.Kind != ToFolder {
		return nil
	}
	if _, err := os.Stat(a.alone.to.Folder); errors.Is(err, os.ErrNotExist) {
		// A bucket on disk wants its folder. One into which nothing was published
		// goes again; the system refuses where something was.
		a.closers = append(a.closers, closerFunc(func() error {
			_ = os.Remove(a.alone.to.Folder)
			return nil
		}))
	}
	public, err := OpenBucket(ctx, a.alone.to.Folder)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, public)
	a.Bucket = blob.NewBucket(newSplit(b, public))
	return nil
}

func (a *App) openPrivateBucket(ctx context.Context) (*blob.Bucket, error) {
	if address := a.alone.chosen.Bucket; address != "" {
		return OpenBucket(ctx, address)
	}
	return openFolder(a.dir(bucketDir))
}

// split is one bucket made of two: what everybody may read, and the rest.
type split struct {
	bucket.Through
	private, public *blob.Bucket
}

func newSplit(private, public *blob.Bucket) split {
	s := split{private: private, public: public}
	s.Of = func(key string) *blob.Bucket {
		if strings.HasPrefix(key, publicPrefix) {
			return public
		}
		return private
	}
	return s
}

// ListPaged implements driver.Bucket. A listing lies in one of the two, unless
// it is of everything, which nobody asks a release for.
func (s split) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if strings.HasPrefix(publicPrefix, o.Prefix) && o.Prefix != publicPrefix {
		return nil, fmt.Errorf("listing %q: give a prefix that is all public or all private", o.Prefix)
	}
	return s.Through.ListPaged(ctx, o)
}

// Copy implements driver.Bucket. From one to the other it is a copy of the bytes,
// which is whole or absent.
func (s split) Copy(ctx context.Context, to, from string, o *driver.CopyOptions) (err error) {
	if s.Of(to) == s.Of(from) {
		return s.Through.Copy(ctx, to, from, o)
	}
	r, err := s.Of(from).NewReader(ctx, from, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	// A writer whose context ends before Close writes nothing.
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.Of(to).NewWriter(wctx, to, &blob.WriterOptions{ContentType: r.ContentType()})
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		cancel()
		return errors.Join(err, w.Close())
	}
	return w.Close()
}
