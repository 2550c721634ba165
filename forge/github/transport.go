package github

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	attempts  = 4
	firstWait = 500 * time.Millisecond // doubles with every further attempt
	// longestWait is how long a Retry-After may ask for and still be obeyed
	// here; beyond it the caller decides.
	longestWait = 30 * time.Second
	// drainLimit bounds what is read of an answer that is thrown away, so
	// that its connection can be used again.
	drainLimit = 64 << 10
)

// retryTransport repeats reads that met an unreachable or ailing forge.
type retryTransport struct {
	now  func() time.Time
	wait func(ctx context.Context, d time.Duration) error
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *retryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return t.next.RoundTrip(req)
	}
	pause := firstWait
	for attempt := 1; ; attempt++ {
		resp, err := t.next.RoundTrip(req)
		if attempt == attempts || req.Context().Err() != nil || !worthRepeating(resp, err) {
			return resp, err
		}
		d := pause
		if resp != nil {
			asked, ok := retryAfter(resp.Header, t.now())
			if ok && asked > longestWait {
				return resp, nil
			}
			d = max(d, asked)
			discard(resp)
		}
		if err := t.wait(req.Context(), d); err != nil {
			return nil, fmt.Errorf("wait before attempt %d: %w", attempt+1, err)
		}
		pause *= 2
	}
}

func worthRepeating(resp *http.Response, err error) bool {
	if err != nil {
		return true
	}
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads Retry-After in both of its forms: seconds, or a date.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}

// discard reads a little of a body nobody wants, then closes it. Its errors
// change nothing: the answer is already being thrown away.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, drainLimit)
	_ = resp.Body.Close()
}

// wait is the default of Options.Wait.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
