package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/artifact"
)

// OpenBucket opens the bucket of a URL whose keys are below the URL's path. The
// caller closes it.
type OpenBucket func(ctx context.Context, url string) (*blob.Bucket, error)

// checkKey refuses names of files that could lead out of where they belong.
func checkKey(name string) error {
	switch {
	case name == "" || strings.HasPrefix(name, "/") || path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../"):
		return fmt.Errorf("%q cannot be the name of a file: write a path without . and .. and without a slash at its beginning", name)
	case strings.ContainsAny(name, "\\\x00\n\r"):
		return fmt.Errorf("%q cannot be the name of a file: it holds a backslash or a line's end", name)
	}
	return nil
}

// shelfmark tells the states of an object apart without reading it: its size,
// its time and, where the bucket keeps it, its MD5 sum.
func shelfmark(a *blob.Attributes) string {
	return fmt.Sprintf("%d %d %x", a.Size, a.ModTime.UnixNano(), a.MD5)
}

// sumOf reads an object to its end.
func sumOf(ctx context.Context, b *blob.Bucket, key string) (d artifact.Digest, err error) {
	r, err := b.NewReader(ctx, key, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return artifact.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), nil
}

// attributes returns nil where there is no such object.
func attributes(ctx context.Context, b *blob.Bucket, key string) (*blob.Attributes, error) {
	a, err := b.Attributes(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	return a, err
}

// errExists: an object is there that was not when the plan was made.
var errExists = errors.New("somebody else has written it meanwhile")

// sumLabel is under which name an object carries its digest, where the bucket
// keeps such things.
const sumLabel = "digest"

// putObject writes an object of r, of which digest and size are known. The
// object becomes visible when all of it was seen to be right, and then what the
// bucket has is checked. size may be -1. An object that is there is replaced
// only if replace is set.
func putObject(ctx context.Context, b *blob.Bucket, key string, r io.Reader, want artifact.Digest, size int64, contentType string, replace bool) (*blob.Attributes, error) {
	writing, abort := context.WithCancel(ctx)
	defer abort()
	o := &blob.WriterOptions{ContentType: contentType, IfNotExist: !replace, MaxConcurrency: 2}
	if want != "" {
		o.Metadata = map[string]string{sumLabel: string(want)}
	}
	w, err := b.NewWriter(writing, key, o)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	limit := size
	if size < 0 {
		limit = 1<<63 - 2
	}
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(r, limit+1))
	have := artifact.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	switch {
	case err != nil:
	case size >= 0 && n != size:
		err = fmt.Errorf("%w: it has %d bytes, %d are expected", errContent, n, size)
	case want != "" && have != want:
		err = fmt.Errorf("%w: its bytes are %s, %s is expected", errContent, have, want)
	}
	if err != nil {
		abort() // without this, Close would publish what there is
		_ = w.Close()
		return nil, err
	}
	if err := w.Close(); err != nil {
		if gcerrors.Code(err) == gcerrors.FailedPrecondition {
			return nil, errExists
		}
		return nil, err
	}
	stored, err := sumOf(ctx, b, key)
	if err != nil {
		return nil, fmt.Errorf("checking what was written: %w", err)
	}
	if stored != have {
		return nil, fmt.Errorf("%w: the bucket holds %s where %s was written", errContent, stored, have)
	}
	return b.Attributes(ctx, key)
}
