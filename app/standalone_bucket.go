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
	"gocloud.dev/gcerrors"
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
	a.Bucket = blob.NewBucket(split{private: b, public: public})
	return nil
}

func (a *App) openPrivateBucket(ctx context.Context) (*blob.Bucket, error) {
	if address := a.alone.chosen.Bucket; address != "" {
		return OpenBucket(ctx, address)
	}
	return openFolder(a.dir(bucketDir))
}

// split is one bucket made of two: what everybody may read, and the rest.
type split struct{ private, public *blob.Bucket }

func (s split) of(key string) *blob.Bucket {
	if strings.HasPrefix(key, publicPrefix) {
		return s.public
	}
	return s.private
}

// ErrorCode implements driver.Bucket.
func (s split) ErrorCode(err error) gcerrors.ErrorCode { return gcerrors.Code(err) }

// As implements driver.Bucket.
func (s split) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (s split) ErrorAs(err error, target any) bool { return errors.As(err, target) }

// Attributes implements driver.Bucket.
func (s split) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := s.of(key).Attributes(ctx, key)
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding,
		ContentLanguage: a.ContentLanguage, ContentType: a.ContentType, Metadata: a.Metadata, CreateTime: a.CreateTime, ModTime: a.ModTime,
		Size: a.Size, MD5: a.MD5, ETag: a.ETag, AsFunc: a.As}, nil
}

// ListPaged implements driver.Bucket. A listing lies in one of the two, unless
// it is of everything, which nobody asks a release for.
func (s split) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	token := o.PageToken
	if token == nil {
		token = blob.FirstPageToken
	}
	if strings.HasPrefix(publicPrefix, o.Prefix) && o.Prefix != publicPrefix {
		return nil, fmt.Errorf("listing %q: give a prefix that is all public or all private", o.Prefix)
	}
	size := o.PageSize
	if size == 0 {
		size = 1000
	}
	objects, next, err := s.of(o.Prefix).ListPage(ctx, token, size, &blob.ListOptions{Prefix: o.Prefix, Delimiter: o.Delimiter, BeforeList: o.BeforeList})
	if err != nil {
		return nil, err
	}
	page := &driver.ListPage{NextPageToken: next}
	for _, l := range objects {
		page.Objects = append(page.Objects, &driver.ListObject{Key: l.Key, ModTime: l.ModTime, Size: l.Size, MD5: l.MD5, IsDir: l.IsDir, AsFunc: l.As})
	}
	return page, nil
}

// splitReader is a reader of one of the two.
type splitReader struct{ *blob.Reader }

// Attributes implements driver.Reader.
func (r splitReader) Attributes() *driver.ReaderAttributes {
	return &driver.ReaderAttributes{ContentType: r.ContentType(), ModTime: r.ModTime(), Size: r.Size()}
}

// NewRangeReader implements driver.Bucket.
func (s split) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	r, err := s.of(key).NewRangeReader(ctx, key, offset, length, &blob.ReaderOptions{BeforeRead: o.BeforeRead})
	if err != nil {
		return nil, err
	}
	return splitReader{r}, nil
}

// NewTypedWriter implements driver.Bucket.
func (s split) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	return s.of(key).NewWriter(ctx, key, &blob.WriterOptions{BufferSize: o.BufferSize, MaxConcurrency: o.MaxConcurrency, CacheControl: o.CacheControl,
		ContentDisposition: o.ContentDisposition, ContentEncoding: o.ContentEncoding, ContentLanguage: o.ContentLanguage, ContentType: contentType,
		ContentMD5: o.ContentMD5, Metadata: o.Metadata, BeforeWrite: o.BeforeWrite, IfNotExist: o.IfNotExist})
}

// Copy implements driver.Bucket. From one to the other it is a copy of the bytes,
// which is whole or absent.
func (s split) Copy(ctx context.Context, to, from string, o *driver.CopyOptions) (err error) {
	if s.of(to) == s.of(from) {
		return s.of(to).Copy(ctx, to, from, &blob.CopyOptions{BeforeCopy: o.BeforeCopy})
	}
	r, err := s.of(from).NewReader(ctx, from, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	// A writer whose context ends before Close writes nothing.
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.of(to).NewWriter(wctx, to, &blob.WriterOptions{ContentType: r.ContentType()})
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		cancel()
		return errors.Join(err, w.Close())
	}
	return w.Close()
}

// Delete implements driver.Bucket.
func (s split) Delete(ctx context.Context, key string, _ *driver.DeleteOptions) error {
	return s.of(key).Delete(ctx, key)
}

// SignedURL implements driver.Bucket.
func (s split) SignedURL(ctx context.Context, key string, o *driver.SignedURLOptions) (string, error) {
	return s.of(key).SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: o.Expiry, Method: o.Method, ContentType: o.ContentType,
		EnforceAbsentContentType: o.EnforceAbsentContentType, BeforeSign: o.BeforeSign})
}

// Close implements driver.Bucket; the two are closed by who opened them.
func (s split) Close() error { return nil }
