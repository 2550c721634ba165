package buckettest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy stands before a server. It may be used by many goroutines.
type Proxy struct {
	URL string

	requests, connections, now, most atomic.Int64

	mu    sync.Mutex
	delay time.Duration
	fail  func(http.ResponseWriter, *http.Request) bool
}

// NewProxy starts a proxy before the server at a URL, until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 200
	onward := &httputil.ReverseProxy{
		// What was signed stays as it is, the host too.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, r.In.Host
		},
		Transport: transport,
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		now := p.now.Add(1)
		defer p.now.Add(-1)
		for most := p.most.Load(); now > most && !p.most.CompareAndSwap(most, now); most = p.most.Load() {
		}
		p.mu.Lock()
		delay, fail := p.delay, p.fail
		p.mu.Unlock()
		if delay > 0 {
			after(r.Context(), delay)
		}
		if fail == nil || !fail(w, r) {
			onward.ServeHTTP(w, r)
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.connections.Add(1)
		}
	}
	s.Start()
	p.URL = s.URL
	t.Cleanup(func() {
		s.CloseClientConnections() // of clients that still wait
		s.Close()
		transport.CloseIdleConnections()
	})
	return p
}

func after(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Delay has every request wait from now on, as one does that has far to go.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Fail has a function answer requests in the server's place, where it returns
// true; nil ends that.
func (p *Proxy) Fail(f func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = f
}

// Count is what went through a proxy.
type Count struct {
	Requests, Connections int64
	// AtOnce is how many requests were under way at most.
	AtOnce int64
}

// Take returns what went through since it was called last.
func (p *Proxy) Take() Count {
	return Count{Requests: p.requests.Swap(0), Connections: p.connections.Swap(0), AtOnce: p.most.Swap(0)}
}
