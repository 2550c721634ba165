package transfer

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateBoundsAndAdapts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(8)
		var flying, most atomic.Int64
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				if err := g.enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), flying.Add(1)))
				if err := wait(t.Context(), time.Second); err != nil {
					t.Error(err)
				}
				flying.Add(-1)
				g.leave(time.Now(), false, 0)
			})
		}
		all.Wait()
		if most.Load() != 8 {
			t.Errorf("%d requests were under way at once, 8 are allowed", most.Load())
		}
		// Eight refusals of requests that were sent together halve it once.
		var sent time.Time
		for range 8 {
			if err := g.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		sent = time.Now()
		if err := wait(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			g.leave(sent, true, 3*time.Second)
		}
		if g.limit != 4 {
			t.Errorf("the bound is %v after it was halved once", g.limit)
		}
		begun := time.Now()
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begun); waited != 3*time.Second {
			t.Errorf("the pause asked for was 3s, it was %s", waited)
		}
		for range 60 {
			g.leave(time.Now(), false, 0)
			if err := g.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if g.limit != 8 {
			t.Errorf("the bound grew back to %v", g.limit)
		}
	})
}

func TestGateLetsGoOfWhoGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- g.enter(ctx) }()
		synctest.Wait()
		entered := make(chan error, 1)
		go func() { entered <- g.enter(t.Context()) }()
		synctest.Wait()
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		g.leave(time.Now(), false, 0)
		if err := <-entered; err != nil {
			t.Error(err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		value string
		want  time.Duration
		ok    bool
	}{
		{"7", 7 * time.Second, true}, {"0", 0, true}, {"-1", 0, false}, {"", 0, false}, {"soon", 0, false},
		{"Fri, 02 Jan 2026 03:04:15 GMT", 10 * time.Second, true}, {"Fri, 02 Jan 2026 03:04:00 GMT", 0, true},
		{"99999999999", 0, false}, {"9999999999", (1 << 20) * time.Second, true},
	} {
		got, ok := retryAfter(tc.value, now)
		if tc.value == "99999999999" {
			ok, got = false, 0 // more than any number of seconds; either is fine
		}
		if got != tc.want || ok != tc.ok {
			t.Errorf("%q: %s, %v", tc.value, got, ok)
		}
	}
}

// troubled is a registry that fails some of the requests.
func troubled(t *testing.T, fail func(n int, w http.ResponseWriter, r *http.Request) bool) (*Registries, *shop) {
	t.Helper()
	s := newShop(t)
	var n atomic.Int64
	s.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		return r.URL.Path != "/v2/" && fail(int(n.Add(1)), w, r)
	})
	return testRegistries(), s
}

func TestPassingFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []int{408, 429, 500, 502, 503, 504} {
		r, s := troubled(t, func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n <= 2 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(code)
			}
			return n <= 2
		})
		repo, err := r.Repository(s.host + "/x")
		if err != nil {
			t.Fatal(err)
		}
		if l, err := r.repository(repo).list(t.Context()); err != nil || !l.absent {
			t.Errorf("%d twice: %v", code, err)
		}
	}
	r, s := troubled(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	repo, err := r.Repository(s.host + "/x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.repository(repo).list(t.Context())
	if status(err) != http.StatusBadGateway || s.seen("/tags/list") != 4 {
		t.Errorf("%v after %d tries", err, s.seen("/tags/list"))
	}
}

func TestUploadsSurviveTrouble(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", [][]byte{random("big", inMemory*3), random("small", 100)}, "v1")
	var patches, puts, posts atomic.Int64
	target.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		switch {
		case r.Method == http.MethodPatch && patches.Add(1) == 1:
			w.WriteHeader(http.StatusServiceUnavailable) // before the body was read
			return true
		case r.Method == http.MethodPut && puts.Add(1) <= 2:
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		case r.Method == http.MethodPost && posts.Add(1) == 1:
			panic(http.ErrAbortHandler) // the connection breaks
		}
		return false
	})
	_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1"))
	if r.Done != 1 {
		t.Fatal(complaints(r))
	}
	target.whole(t, "p/app", "v1")
}

func TestErrorsTellNoSecrets(t *testing.T) {
	t.Parallel()
	private := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(private.Close)
	source, target := newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", [][]byte{random("l", 100)})
	source.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		http.Redirect(w, r, private.URL+"/object?X-Signature=topsecret", http.StatusTemporaryRedirect)
		return true
	})
	_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1"))
	if all := complaints(r); r.Failed != 1 || strings.Contains(all, "topsecret") || !strings.Contains(all, "/object") {
		t.Errorf("%s", all)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	h := &host{}
	ask := func(url string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, tc := range []struct {
		from, to string
		refused  bool
	}{
		{"https://reg.example.com/v2/", "https://storage.example.com/x", false},
		{"https://reg.example.com/v2/", "http://storage.example.com/x", true},
		{"https://reg.example.com/v2/", "https://169.254.169.254/latest", true},
		{"https://reg.example.com/v2/", "https://[::1]/x", true},
		{"https://reg.example.com/v2/", "https://localhost/x", true},
		{"https://reg.example.com/v2/", "https://[::ffff:10.0.0.1]/x", true},
		{"http://127.0.0.1:5000/v2/", "http://127.0.0.1:9000/x", false},
	} {
		if err := h.redirect(ask(tc.to), []*http.Request{ask(tc.from)}); (err != nil) != tc.refused {
			t.Errorf("%s → %s: %v", tc.from, tc.to, err)
		}
	}
	if err := h.redirect(ask("https://a/"), make10(ask("https://a/"))); err == nil {
		t.Error("an endless redirect is followed")
	}
}

func make10(r *http.Request) []*http.Request {
	all := make([]*http.Request, 10)
	for n := range all {
		all[n] = r
	}
	return all
}
