package github_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/github"
)

func TestReadsAreRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		bad        int // answers before a good one
		status     int
		retryAfter string
		calls      int
		waits      []time.Duration
		want       error
	}{
		{"no need", 0, 0, "", 1, nil, nil},
		{"once", 1, 502, "", 2, []time.Duration{500 * time.Millisecond}, nil},
		{"three times", 3, 503, "", 4, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}, nil},
		{"no more than that", 9, 500, "", 4, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}, forge.ErrUnavailable},
		{"when the forge says", 1, 503, "7", 2, []time.Duration{7 * time.Second}, nil},
		{"not in an hour", 9, 503, "3600", 1, nil, forge.ErrUnavailable},
		{"not what is not there", 9, 404, "", 1, nil, forge.ErrNotFound},
		{"not what the server cannot do", 9, 501, "", 1, nil, forge.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			var waits []time.Duration
			client := serveWaiting(t, func(w http.ResponseWriter, _ *http.Request) {
				if calls++; calls > c.bad {
					answer(w, http.StatusOK, `{"full_name":"harbour/halyard"}`)
					return
				}
				w.Header().Set("Retry-After", c.retryAfter)
				answer(w, c.status, `{"message":"no"}`)
			}, func(_ context.Context, d time.Duration) error {
				waits = append(waits, d)
				return nil
			})
			_, err := client.Repo(t.Context(), repo)
			if !errors.Is(err, c.want) {
				t.Errorf("gave %v; want %v", err, c.want)
			}
			if calls != c.calls || !slices.Equal(waits, c.waits) {
				t.Errorf("asked %d times, pausing %v; want %d and %v", calls, waits, c.calls, c.waits)
			}
		})
	}
}

func TestWritesAreNotRepeated(t *testing.T) {
	t.Parallel()
	calls := 0
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		answer(w, http.StatusBadGateway, `{}`)
	})
	if _, err := client.CreateComment(t.Context(), repo, 1, "hello"); !errors.Is(err, forge.ErrUnavailable) {
		t.Errorf("gave %v", err)
	}
	if calls != 1 {
		t.Errorf("the comment was sent %d times", calls)
	}
}

func TestWaitingCanBeCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	}))
	defer server.Close()
	client, err := github.New(github.Options{BaseURL: server.URL}) // with the real timer
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Repo(ctx, repo); !errors.Is(err, context.Canceled) {
		t.Errorf("gave %v; want that the call was cancelled", err)
	}
}

// etagged serves a document that changes when its ETag does, and counts what it
// sent in full.
type etagged struct {
	etag, body, vary string
	full, checked    int
}

func (e *etagged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", e.etag)
	w.Header().Set("Vary", e.vary)
	w.Header().Set("X-RateLimit-Remaining", fmt.Sprint(100-e.full))
	if e.etag != "" && r.Header.Get("If-None-Match") == e.etag {
		e.checked++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	e.full++
	w.Header().Set("Link", fmt.Sprintf(`<http://%s/?page=1>; rel="last"`, r.Host))
	answer(w, http.StatusOK, e.body)
}

func (e *etagged) expect(t *testing.T, full, checked int) {
	t.Helper()
	if e.full != full || e.checked != checked {
		t.Errorf("answered %d times in full and %d times with 304; want %d and %d", e.full, e.checked, full, checked)
	}
}

func TestUnchangedAnswersAreNotSentAgain(t *testing.T) {
	t.Parallel()
	e := &etagged{etag: `W/"1"`, body: `{"full_name":"harbour/halyard","description":"one"}`, vary: "Accept, Authorization"}
	client := serve(t, e.ServeHTTP)
	describe := func(want string) {
		t.Helper()
		r, err := client.Repo(t.Context(), repo)
		if err != nil || r.Description != want {
			t.Fatalf("gave %+v, %v; want description %q", r, err, want)
		}
	}
	describe("one")
	describe("one")
	describe("one")
	e.expect(t, 1, 2)
	e.etag, e.body = `W/"2"`, `{"full_name":"harbour/halyard","description":"two"}`
	describe("two")
	describe("two")
	e.expect(t, 2, 3)
}

func TestCacheKeepsAccountsApart(t *testing.T) {
	t.Parallel()
	tokens := map[string]string{"Bearer ann": "ann", "Bearer ben": "ben"}
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login := tokens[r.Header.Get("Authorization")]
		w.Header().Set("ETag", `"same"`) // a careless server: one ETag for all, and no Vary
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent++
		answer(w, http.StatusOK, fmt.Sprintf(`{"login":%q}`, login))
	}))
	defer server.Close()
	shared := server.Client()
	for _, login := range []string{"ann", "ben"} {
		client, err := github.New(github.Options{BaseURL: server.URL, Token: login, HTTP: shared})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if u, err := client.User(t.Context()); err != nil || u.Login != login {
				t.Errorf("%s is %q, %v", login, u.Login, err)
			}
		}
	}
	if sent != 2 {
		t.Errorf("sent %d answers in full; want one for each account", sent)
	}
}

func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	large := `{"full_name":"harbour/halyard","description":"` + strings.Repeat("x", 2<<20) + `"}`
	for name, e := range map[string]*etagged{
		"no ETag":            {body: `{}`},
		"varies by anything": {etag: `"1"`, body: `{}`, vary: "*"},
		"too large":          {etag: `"1"`, body: large},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := serve(t, e.ServeHTTP)
			for range 2 {
				r, err := client.Repo(t.Context(), repo)
				if err != nil || e.body == large && len(r.Description) != 2<<20 {
					t.Errorf("gave a description of %d bytes, %v", len(r.Description), err)
				}
			}
			e.expect(t, 2, 0)
		})
	}
}

func TestCacheMinds(t *testing.T) {
	t.Parallel()
	// One address with two representations: a file's description and its bytes.
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if strings.Contains(r.Header.Get("Accept"), "raw") {
			answer(w, http.StatusOK, "raw bytes")
			return
		}
		answer(w, http.StatusOK, `{"encoding":"none"}`)
	})
	for range 3 {
		got, err := client.File(t.Context(), repo, "big", "")
		if err != nil || string(got) != "raw bytes" {
			t.Errorf("gave %q, %v", got, err)
		}
	}
}

// The cache forgets what was used longest ago.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	full := map[string]int{}
	body := `{"content":"` + strings.Repeat("A", 1000<<10) + `","encoding":"base64"}`
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		full[r.URL.Path]++
		answer(w, http.StatusOK, body)
	})
	read := func(i int) {
		t.Helper()
		got, err := client.File(t.Context(), repo, fmt.Sprint(i), "")
		if err != nil || !bytes.Equal(got, make([]byte, 750<<10)) {
			t.Fatalf("file %d has %d bytes, %v", i, len(got), err)
		}
	}
	for i := range 20 {
		read(i)
		read(0)
	}
	for i := range 20 {
		read(i)
	}
	if n := full["/api/v3/repos/harbour/halyard/contents/0"]; n != 1 {
		t.Errorf("what was used all the time was fetched %d times", n)
	}
	if n := full["/api/v3/repos/harbour/halyard/contents/1"]; n != 2 {
		t.Errorf("what was used longest ago was fetched %d times; want it forgotten once", n)
	}
}

func TestCutOffAnswerIsAnError(t *testing.T) {
	t.Parallel()
	calls := 0
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		if _, err := io.WriteString(w, `{"full_name":"har`); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		if r, err := client.Repo(t.Context(), repo); err == nil {
			t.Errorf("half an answer gave %+v", r)
		}
	}
	if calls != 2 {
		t.Errorf("asked %d times; want the broken answer forgotten", calls)
	}
}
