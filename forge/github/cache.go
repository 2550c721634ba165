package github

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"sync"
)

const (
	// cacheBytes bounds the bodies kept, entryBytes a single one of them.
	cacheBytes = 16 << 20
	entryBytes = 1 << 20
	// entryOverhead is charged for an entry beside its body: key, headers
	// and list links. It bounds the number of small entries.
	entryOverhead = 2 << 10
)

// cacheTransport keeps JSON answers with their ETag and asks for them again
// only if they changed. It never answers without asking, so it is never stale:
// what it saves is the rate limit and the transfer.
type cacheTransport struct {
	next http.RoundTripper

	mu      sync.Mutex
	entries map[cacheKey]*list.Element // of *cacheEntry
	recent  *list.List                 // front: used last
	size    int
	limit   int
}

// cacheKey tells requests apart. The account is always part of it, whatever
// Vary says: one account's answer must never reach another. It is kept as a
// digest, so that no token lies in the cache.
type cacheKey struct {
	url     string
	account [sha256.Size]byte
}

type cacheEntry struct {
	key    cacheKey
	etag   string
	vary   http.Header // the request's values of the headers that Vary names
	header http.Header
	body   []byte
}

func newCacheTransport(next http.RoundTripper) *cacheTransport {
	return &cacheTransport{next: next, entries: map[cacheKey]*list.Element{}, recent: list.New(), limit: cacheBytes}
}

// RoundTrip implements http.RoundTripper.
func (t *cacheTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || req.Header.Get("Range") != "" || req.Header.Get("If-None-Match") != "" {
		return t.next.RoundTrip(req)
	}
	key := cacheKey{req.URL.String(), sha256.Sum256([]byte(req.Header.Get("Authorization")))}
	known := t.lookup(key, req)
	asked := req
	if known != nil {
		asked = req.Clone(req.Context())
		asked.Header.Set("If-None-Match", known.etag)
	}
	resp, err := t.next.RoundTrip(asked)
	if err != nil {
		return nil, err
	}
	if known != nil && resp.StatusCode == http.StatusNotModified {
		discard(resp)
		return known.answer(req, resp.Header), nil
	}
	return t.keep(key, req, resp), nil
}

func (t *cacheTransport) lookup(key cacheKey, req *http.Request) *cacheEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	el := t.entries[key]
	if el == nil {
		return nil
	}
	t.recent.MoveToFront(el)
	e := entryOf(el)
	for name := range e.vary {
		if e.vary.Get(name) != req.Header.Get(name) {
			return nil
		}
	}
	return e
}

// keep stores an answer if it may, and returns it with its body unread.
func (t *cacheTransport) keep(key cacheKey, req *http.Request, resp *http.Response) *http.Response {
	etag := resp.Header.Get("ETag")
	vary, fits := varyOf(req, resp)
	if !fits || etag == "" || resp.StatusCode != http.StatusOK || !isJSON(resp) || resp.ContentLength > entryBytes {
		return resp
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, entryBytes+1))
	if err != nil || len(body) > entryBytes {
		// Too long, or cut off: the reader of the body meets the rest, or
		// the same error.
		resp.Body = &prefixed{Reader: io.MultiReader(bytes.NewReader(body), failing{err}, resp.Body), Closer: resp.Body}
		return resp
	}
	discard(resp)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	t.store(&cacheEntry{key: key, etag: etag, vary: vary, header: resp.Header.Clone(), body: body})
	return resp
}

func (t *cacheTransport) store(e *cacheEntry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if el := t.entries[e.key]; el != nil {
		t.drop(el)
	}
	t.entries[e.key] = t.recent.PushFront(e)
	t.size += e.cost()
	for t.size > t.limit && t.recent.Len() > 1 {
		t.drop(t.recent.Back())
	}
}

// drop needs t.mu.
func (t *cacheTransport) drop(el *list.Element) {
	e := entryOf(el)
	t.recent.Remove(el)
	delete(t.entries, e.key)
	t.size -= e.cost()
}

func entryOf(el *list.Element) *cacheEntry { return el.Value.(*cacheEntry) }

func (e *cacheEntry) cost() int { return len(e.body) + entryOverhead }

// answer is the kept answer, with the newer of the headers (RFC 9111, 3.2).
func (e *cacheEntry) answer(req *http.Request, newer http.Header) *http.Response {
	h := e.header.Clone()
	for name, values := range newer {
		switch name {
		case "Content-Length", "Content-Encoding", "Content-Type", "Transfer-Encoding":
		default:
			h[name] = values
		}
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Request: req,
		Body: io.NopCloser(bytes.NewReader(e.body)), ContentLength: int64(len(e.body)),
	}
}

// varyOf returns the request's values of the headers that the answer depends
// on, and whether they can be known at all.
func varyOf(req *http.Request, resp *http.Response) (http.Header, bool) {
	// Accept chooses between a file and its description, so it counts even
	// where a server forgets to say so.
	vary := http.Header{"Accept": req.Header.Values("Accept")}
	for _, line := range resp.Header.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			switch name {
			case "*":
				return nil, false
			case "", "Authorization": // the key holds it
			default:
				vary[name] = req.Header.Values(name)
			}
		}
	}
	return vary, true
}

func isJSON(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json")
}

// prefixed is a body of which the beginning was read already.
type prefixed struct {
	io.Reader
	io.Closer
}

// failing reports err once what came before it is read, or nothing if nil.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
