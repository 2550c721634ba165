package bucket

import (
	"context"
	"errors"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// Through is the driver of a bucket that lies in others: it finds the one that a
// key is in, and hands everything on to it.
type Through struct {
	// Of finds the bucket that a key is in.
	Of func(key string) *blob.Bucket
}

// ErrorCode implements driver.Bucket.
func (t Through) ErrorCode(err error) gcerrors.ErrorCode { return gcerrors.Code(err) }

// As implements driver.Bucket.
func (t Through) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (t Through) ErrorAs(err error, target any) bool { return errors.As(err, target) }

// Attributes implements driver.Bucket.
func (t Through) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := t.Of(key).Attributes(ctx, key)
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding,
		ContentLanguage: a.ContentLanguage, ContentType: a.ContentType, Metadata: a.Metadata, CreateTime: a.CreateTime, ModTime: a.ModTime,
		Size: a.Size, MD5: a.MD5, ETag: a.ETag, AsFunc: a.As}, nil
}

// ListPaged implements driver.Bucket, in the bucket that the prefix is in.
func (t Through) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	token := o.PageToken
	if token == nil {
		token = blob.FirstPageToken
	}
	size := o.PageSize
	if size == 0 {
		size = 1000
	}
	objects, next, err := t.Of(o.Prefix).ListPage(ctx, token, size, &blob.ListOptions{Prefix: o.Prefix, Delimiter: o.Delimiter, BeforeList: o.BeforeList})
	if err != nil {
		return nil, err
	}
	page := &driver.ListPage{NextPageToken: next}
	for _, l := range objects {
		page.Objects = append(page.Objects, &driver.ListObject{Key: l.Key, ModTime: l.ModTime, Size: l.Size, MD5: l.MD5, IsDir: l.IsDir, AsFunc: l.As})
	}
	return page, nil
}

// reader is a reader of one of the buckets.
type reader struct{ *blob.Reader }

// Attributes implements driver.Reader.
func (r reader) Attributes() *driver.ReaderAttributes {
	return &driver.ReaderAttributes{ContentType: r.ContentType(), ModTime: r.ModTime(), Size: r.Size()}
}

// NewRangeReader implements driver.Bucket.
func (t Through) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	r, err := t.Of(key).NewRangeReader(ctx, key, offset, length, &blob.ReaderOptions{BeforeRead: o.BeforeRead})
	if err != nil {
		return nil, err
	}
	return reader{r}, nil
}

// NewTypedWriter implements driver.Bucket.
func (t Through) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	return t.Of(key).NewWriter(ctx, key, writerOptions(contentType, o))
}

func writerOptions(contentType string, o *driver.WriterOptions) *blob.WriterOptions {
	return &blob.WriterOptions{BufferSize: o.BufferSize, MaxConcurrency: o.MaxConcurrency, CacheControl: o.CacheControl,
		ContentDisposition: o.ContentDisposition, ContentEncoding: o.ContentEncoding, ContentLanguage: o.ContentLanguage, ContentType: contentType,
		ContentMD5: o.ContentMD5, Metadata: o.Metadata, BeforeWrite: o.BeforeWrite, IfNotExist: o.IfNotExist}
}

// Copy implements driver.Bucket, within one of the buckets.
func (t Through) Copy(ctx context.Context, to, from string, o *driver.CopyOptions) error {
	return t.Of(to).Copy(ctx, to, from, &blob.CopyOptions{BeforeCopy: o.BeforeCopy})
}

// Delete implements driver.Bucket.
func (t Through) Delete(ctx context.Context, key string, _ *driver.DeleteOptions) error {
	return t.Of(key).Delete(ctx, key)
}

// SignedURL implements driver.Bucket.
func (t Through) SignedURL(ctx context.Context, key string, o *driver.SignedURLOptions) (string, error) {
	return t.Of(key).SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: o.Expiry, Method: o.Method, ContentType: o.ContentType,
		EnforceAbsentContentType: o.EnforceAbsentContentType, BeforeSign: o.BeforeSign})
}

// Close implements driver.Bucket; the buckets are closed by who opened them.
func (t Through) Close() error { return nil }
