package transfer

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// gate lets a bounded number of requests to one registry be under way. The
// bound adapts as TCP's window does: it is halved when the registry says that
// it is too much (429, 503), and grows again with every answer.
type gate struct {
	mu      sync.Mutex
	limit   float64
	most    float64
	flying  int
	until   time.Time // nothing is sent before
	cut     time.Time // when the bound was last halved
	waiting []chan struct{}
}

func newGate(most int) *gate { return &gate{limit: float64(most), most: float64(most)} }

// enter waits for a place, and for the end of a pause the registry asked for.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		pause := time.Until(g.until)
		if pause <= 0 && float64(g.flying) < max(1, g.limit) {
			g.flying++
			g.mu.Unlock()
			return nil
		}
		var woken chan struct{}
		if pause <= 0 {
			woken = make(chan struct{}, 1)
			g.waiting = append(g.waiting, woken)
		}
		g.mu.Unlock()
		if woken == nil {
			if err := wait(ctx, pause); err != nil {
				return err
			}
			continue
		}
		select {
		case <-woken:
		case <-ctx.Done():
			g.abandon(woken)
			return ctx.Err()
		}
	}
}

// abandon takes a waiter off the list; what it was woken for wakes another.
func (g *gate) abandon(woken chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == woken {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return
		}
	}
	g.wake()
}

func (g *gate) wake() {
	for free := int(max(1, g.limit)) - g.flying; free > 0 && len(g.waiting) > 0; free-- {
		g.waiting[0] <- struct{}{}
		g.waiting = g.waiting[1:]
	}
}

// leave gives the place back. The registry was asked at the time sent; tooMuch
// says that it refused because of load, and pause how long it wants peace.
func (g *gate) leave(sent time.Time, tooMuch bool, pause time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying--
	switch {
	case !tooMuch:
		g.limit = min(g.most, g.limit+1/max(1, g.limit))
	case sent.After(g.cut):
		// Refusals of requests that were under way together count once.
		g.limit = max(1, g.limit/2)
		g.cut = time.Now()
	}
	if until := time.Now().Add(pause); tooMuch && until.After(g.until) {
		g.until = until
	}
	g.wake()
}

// wait sleeps unless the context ends first.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// patience says how often and how long a failing request is tried.
type patience struct {
	tries   int           // in all
	first   time.Duration // before the second try; doubled for each further
	longest time.Duration // for one pause, also where the registry asks for more
}

// pause returns how long to wait after a number of failed tries. It varies, so
// that many requests that failed together do not come back together.
func (p patience) pause(failed int) time.Duration {
	d := p.first << min(failed-1, 20)
	if d <= 0 || d > p.longest {
		d = p.longest
	}
	return d/2 + rand.N(d/2+1)
}

// limited is the round tripper of one registry: through its gate, and again
// after a failure that may pass.
type limited struct {
	inner    http.RoundTripper
	gate     *gate
	patience patience
	count    *atomic.Int64 // requests sent
}

// RoundTrip implements http.RoundTripper. A request whose body cannot be had
// again is sent once.
func (l *limited) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	again := req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
	for try := 1; ; try++ {
		attempt := req
		if req.GetBody != nil {
			// Always a fresh body: an outer layer may repeat a request too,
			// with the body it has read already.
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			attempt = req.Clone(ctx)
			attempt.Body = body
		}
		resp, pause, err := l.once(attempt, try)
		if !again || try >= l.patience.tries || ctx.Err() != nil || !passing(resp, err) {
			return resp, err
		}
		if resp != nil {
			// Reading the rest keeps the connection; what it says does not matter.
			_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
			_ = resp.Body.Close()
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// once sends a request and returns how long to wait before another try.
func (l *limited) once(req *http.Request, try int) (*http.Response, time.Duration, error) {
	if err := l.gate.enter(req.Context()); err != nil {
		return nil, 0, err
	}
	sent := time.Now()
	l.count.Add(1)
	resp, err := l.inner.RoundTrip(req)
	pause := l.patience.pause(try)
	tooMuch := false
	if err == nil {
		tooMuch = resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
		if asked, ok := retryAfter(resp.Header.Get("Retry-After"), time.Now()); ok {
			pause = min(asked, l.patience.longest)
		}
	}
	l.gate.leave(sent, tooMuch, pause)
	return resp, pause, err
}

// passing reports a failure that may be gone when tried again.
func passing(resp *http.Response, err error) bool {
	if err != nil {
		return !errors.Is(err, context.Canceled) && !errors.Is(err, errContent)
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}
