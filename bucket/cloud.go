package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// patience is how long a service may leave an answer, or more of one,
// outstanding, with all attempts that its client makes by itself.
const patience = 2 * time.Minute

var errSlow = errors.New("no answer")

// cloud is the driver of a bucket on a service. It waits for no answer for ever,
// and says of what fails why, in words that tell what to do. What is forbidden
// stays forbidden: Google's driver makes it "not found", and a build that must
// not be read would be taken for one that is not there.
type cloud struct {
	Through
	inner    *blob.Bucket
	service  *service
	address  string // as people know it: s3://bucket
	patience time.Duration
}

func newCloud(inner *blob.Bucket, s *service, address string, wait time.Duration) *cloud {
	c := &cloud{inner: inner, service: s, address: address, patience: wait}
	c.Of = func(string) *blob.Bucket { return inner }
	return c
}

// ErrorCode implements driver.Bucket.
func (c *cloud) ErrorCode(err error) gcerrors.ErrorCode {
	var f *fault
	if errors.As(err, &f) {
		return f.code
	}
	return gcerrors.Code(err)
}

// As implements driver.Bucket.
func (c *cloud) As(target any) bool { return c.inner.As(target) }

// Close implements driver.Bucket: nobody else has the inner one.
func (c *cloud) Close() error { return c.inner.Close() }

// watch is a call that is given up when no answer comes.
type watch struct {
	c      *cloud
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func (c *cloud) watch(ctx context.Context) *watch {
	w := &watch{c: c}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(c.patience, func() { w.cancel(errSlow) })
	return w
}

// end ends the call, and explains its error.
func (w *watch) end(err error) error {
	err = w.explain(err)
	w.timer.Stop()
	w.cancel(nil)
	return err
}

func (w *watch) explain(err error) error {
	if err == nil {
		return nil
	}
	if context.Cause(w.ctx) == errSlow {
		return w.c.slow(err)
	}
	return w.c.explain(err)
}

// slow is the fault of a service that does not answer. If it said that it is
// busy, that is why.
func (c *cloud) slow(err error) error {
	if a := answerOf(err); c.service.means(a) == busy {
		return c.fault(busy, a, err)
	}
	return &fault{code: gcerrors.DeadlineExceeded, cause: errSlow,
		says: fmt.Sprintf("%s has not answered for %v: look whether its address is right and can be reached from here, and try again", c.address, c.patience)}
}

// Attributes implements driver.Bucket.
func (c *cloud) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	w := c.watch(ctx)
	a, err := c.Through.Attributes(w.ctx, key)
	return a, w.end(err)
}

// ListPaged implements driver.Bucket.
func (c *cloud) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	w := c.watch(ctx)
	p, err := c.Through.ListPaged(w.ctx, o)
	return p, w.end(err)
}

// cloudReader is watched until it is closed.
type cloudReader struct {
	driver.Reader
	w *watch
}

// NewRangeReader implements driver.Bucket.
func (c *cloud) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	w := c.watch(ctx)
	r, err := c.Through.NewRangeReader(w.ctx, key, offset, length, o)
	if err != nil {
		return nil, w.end(err)
	}
	w.timer.Stop() // whoever reads may take their time between two reads
	return &cloudReader{r, w}, nil
}

// Read implements driver.Reader.
func (r *cloudReader) Read(p []byte) (int, error) {
	r.w.timer.Reset(r.w.c.patience)
	n, err := r.Reader.Read(p)
	r.w.timer.Stop()
	return n, r.w.explain(err)
}

// atEnd is how much is read of what nobody wants, in bytes: a connection on which
// something is left cannot be used again, and a new one costs as much as three
// requests. Whoever reads XML stops at the last tag.
const atEnd = 4 << 10

// Close implements driver.Reader.
func (r *cloudReader) Close() error {
	r.w.timer.Reset(r.w.c.patience)
	_, _ = io.CopyN(io.Discard, r.Reader, atEnd) // whatever is wrong with it, it was not wanted
	err := r.Reader.Close()
	return r.w.end(err)
}

// cloudWriter explains what it fails with. How long it takes depends on how much
// is written, so nobody gives it up but who writes. It has a pipe of its own: that
// of Azure's driver is gone when the service refuses what it is sent, and closing
// it then ends the program.
type cloudWriter struct {
	pipe *io.PipeWriter
	done chan struct{}
	err  error // once done
}

// NewTypedWriter implements driver.Bucket.
func (c *cloud) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	from, to := io.Pipe()
	w := &cloudWriter{pipe: to, done: make(chan struct{})}
	options := writerOptions(contentType, o)
	if c.service.fragile {
		options.ContentMD5 = nil // with one the driver takes its pipe; the sum was made of what it is held against anyway
	}
	go func() {
		defer close(w.done)
		w.err = c.explain(c.inner.Upload(ctx, key, from, options))
		from.CloseWithError(cmp.Or(w.err, io.ErrClosedPipe)) // nobody reads any more
	}()
	return w, nil
}

// Write implements driver.Writer.
func (w *cloudWriter) Write(p []byte) (int, error) { return w.pipe.Write(p) }

// Close implements driver.Writer.
func (w *cloudWriter) Close() error {
	err := w.pipe.Close()
	<-w.done
	return errors.Join(err, w.err)
}

// Copy implements driver.Bucket. The service copies, which may take as long as
// it takes.
func (c *cloud) Copy(ctx context.Context, to, from string, o *driver.CopyOptions) error {
	return c.explain(c.Through.Copy(ctx, to, from, o))
}

// Delete implements driver.Bucket.
func (c *cloud) Delete(ctx context.Context, key string, o *driver.DeleteOptions) error {
	w := c.watch(ctx)
	return w.end(c.Through.Delete(w.ctx, key, o))
}

// SignedURL implements driver.Bucket.
func (c *cloud) SignedURL(ctx context.Context, key string, o *driver.SignedURLOptions) (string, error) {
	u, err := c.Through.SignedURL(ctx, key, o)
	return u, c.explain(err)
}
