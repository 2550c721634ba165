package signal_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// counter is a driver that reads another bucket and counts. What the signal
// has no need of is not there.
type counter struct {
	driver.Bucket
	inner        *blob.Bucket
	lists, reads atomic.Int64
}

// take returns the counts and starts anew.
func (c *counter) take() (lists, reads int64) { return c.lists.Swap(0), c.reads.Swap(0) }

func (c *counter) Close() error                           { return nil }
func (c *counter) As(any) bool                            { return false }
func (c *counter) ErrorAs(error, any) bool                { return false }
func (c *counter) ErrorCode(err error) gcerrors.ErrorCode { return gcerrors.Code(err) }

func (c *counter) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // as a bucket does that is reached over a network
	}
	c.lists.Add(1)
	page := &driver.ListPage{}
	for it := c.inner.List(&blob.ListOptions{Prefix: o.Prefix, Delimiter: o.Delimiter}); ; {
		x, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return page, nil
		}
		if err != nil {
			return nil, err
		}
		page.Objects = append(page.Objects, &driver.ListObject{Key: x.Key, ModTime: x.ModTime, Size: x.Size, IsDir: x.IsDir})
	}
}

func (c *counter) NewRangeReader(ctx context.Context, key string, offset, length int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	c.reads.Add(1)
	r, err := c.inner.NewRangeReader(ctx, key, offset, length, nil)
	if err != nil {
		return nil, err
	}
	return reader{r}, nil
}

// Attributes are asked for where only the name of a file matters.
func (c *counter) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := c.inner.Attributes(ctx, key)
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{ContentType: a.ContentType, Metadata: a.Metadata, ModTime: a.ModTime, Size: a.Size}, nil
}

type reader struct{ *blob.Reader }

func (r reader) As(any) bool { return false }
func (r reader) Attributes() *driver.ReaderAttributes {
	return &driver.ReaderAttributes{ContentType: r.ContentType(), ModTime: r.ModTime(), Size: r.Size()}
}
