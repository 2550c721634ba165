package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

const (
	jsonType = "application/json; charset=utf-8"
	// maxBody bounds the JSON of a request. GitHub takes files of up to 100 MB
	// through its contents API; base64 makes that 134.
	maxBody  = 140 << 20
	rateSize = 15000 // what X-RateLimit-Limit says; nothing is ever refused
)

// call is one request being answered.
type call struct {
	f     *Forge
	w     http.ResponseWriter
	r     *http.Request
	q     *hosted.Queries // reads outside a transaction
	user  hosted.Account  // zero: nobody in particular
	repo  hosted.Repo     // of routes below a repository
	right right           // of the user in the repository
	wrote bool
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) path(name string) string { return c.r.PathValue(name) }

func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// number reads a part of the path that is a number; any other text is not
// found.
func (c *call) number(name string) (int64, error) {
	n, err := strconv.ParseInt(c.path(name), 10, 64)
	if err != nil || n <= 0 {
		return 0, notFound()
	}
	return n, nil
}

// git opens the repository of the call.
func (c *call) git() *git.Repository { return c.f.gitRepo(c.repo) }

// view renders rows as the call's answer.
func (c *call) view() *view { return c.f.view(c.q) }

// decode reads a JSON object from the body. An empty body is an empty object.
func (c *call) decode(into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		return badBody(err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	err = json.Unmarshal(body, into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fail(http.StatusUnprocessableEntity, "Invalid request.\n\nFor 'properties/%s', %s is not a %s.", wrongType.Field, wrongType.Value, wrongType.Type)
	case errors.As(err, &wrongType):
		return fail(http.StatusBadRequest, "Body should be a JSON object")
	}
	return fail(http.StatusBadRequest, "Problems parsing JSON")
}

// badBody is the answer to a body that did not arrive whole.
func badBody(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return err
	}
	return fail(http.StatusBadRequest, "The body was cut off: %v", err)
}

// optional is a field of a request that may be absent, null or there.
type optional[T any] struct {
	Set   bool
	Null  bool
	Value T
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *optional[T]) UnmarshalJSON(b []byte) error {
	o.Set = true
	if string(b) == "null" {
		o.Null = true
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// apply puts a value that was given into its place; null gives the zero value.
func (o optional[T]) apply(to *T) bool {
	if o.Set {
		*to = o.Value
	}
	return o.Set
}

// decodeList reads a list: alone, or in an object under a key. GitHub takes
// both in several places.
func decodeList[T any](b []byte, key string) ([]T, error) {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '{' {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(b, &object); err != nil {
			return nil, err
		}
		b = object[key]
	}
	var all []T
	if len(b) == 0 {
		return nil, fmt.Errorf("there is no list of %s", key)
	}
	err := json.Unmarshal(b, &all)
	return all, err
}

// write sends bytes; a caller who has gone away is not worth a word.
func (c *call) write(b []byte) {
	c.wrote = true
	_, err := c.w.Write(b)
	if err != nil {
		c.f.log.Debug("answer not taken", "path", c.r.URL.Path, "error", err)
	}
}

// json answers with a value. A GET carries an entity tag, and is answered with
// 304 when the caller has that already.
func (c *call) json(status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	return c.bytes(status, jsonType, b)
}

func (c *call) bytes(status int, contentType string, b []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	if status == http.StatusOK && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead) {
		sum := sha256.Sum256(append(b, h.Get("Link")...))
		tag := `"` + hex.EncodeToString(sum[:]) + `"`
		h.Set("ETag", "W/"+tag)
		h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
		h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
		if matches(c.r.Header.Get("If-None-Match"), tag) {
			h.Del("Content-Type")
			c.wrote = true
			c.w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	c.wrote = true
	c.w.WriteHeader(status)
	c.write(b)
	return nil
}

// matches reports whether an If-None-Match header names a tag.
func matches(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == tag || t == "*" {
			return true
		}
	}
	return false
}

// empty answers without a body.
func (c *call) empty(status int) error {
	c.wrote = true
	c.w.WriteHeader(status)
	return nil
}

// page reads page and per_page; unreadable or outlandish values are GitHub's
// defaults and bounds.
func (c *call) page() (number, size int) {
	number, err := strconv.Atoi(c.query("page"))
	if err != nil || number < 1 {
		number = 1
	}
	size, err = strconv.Atoi(c.query("per_page"))
	if err != nil || size < 1 {
		size = 30
	}
	return min(number, 1<<20), min(size, 100)
}

func (c *call) sqlPage() hosted.Page {
	n, size := c.page()
	return hosted.Page{Limit: size, Offset: (n - 1) * size}
}

// link says where the other pages of a list of total entries are:
// https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api
func (c *call) link(total int) {
	n, size := c.page()
	last := max(1, (total+size-1)/size)
	var links []string
	add := func(page int, rel string) {
		v := c.r.URL.Query()
		v.Set("page", strconv.Itoa(page))
		u := url.URL{Path: c.r.URL.Path, RawPath: c.r.URL.RawPath, RawQuery: v.Encode()}
		links = append(links, fmt.Sprintf(`<%s%s>; rel="%s"`, c.f.base, u.String(), rel))
	}
	if n > 1 {
		add(min(n-1, last), "prev")
	}
	if n < last {
		add(n+1, "next")
		add(last, "last")
	}
	if n > 1 {
		add(1, "first")
	}
	if len(links) > 0 {
		c.w.Header().Set("Link", strings.Join(links, ", "))
	}
}

// slice returns the page of a list that is in memory, and links the others.
func slice[T any](c *call, all []T) []T {
	n, size := c.page()
	c.link(len(all))
	from := min((n-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}

// list answers with rows, each rendered.
func list[R, W any](c *call, rows []R, one func(R) (W, error)) error {
	out := make([]W, 0, len(rows))
	for _, r := range rows {
		w, err := one(r)
		if err != nil {
			return err
		}
		out = append(out, w)
	}
	return c.json(http.StatusOK, out)
}

// answer answers with one row, rendered.
func answer[W any](c *call, status int, w W, err error) error {
	if err != nil {
		return err
	}
	return c.json(status, w)
}

// rateLimit sets the headers that clients look at; there is no limit.
func (c *call) rateLimit() {
	h := c.w.Header()
	r := c.f.rate()
	h.Set("X-RateLimit-Limit", strconv.Itoa(r.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(r.Remaining))
	h.Set("X-RateLimit-Used", strconv.Itoa(r.Used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(r.Reset, 10))
	h.Set("X-RateLimit-Resource", "core")
}

func (f *Forge) rate() wireRate {
	return wireRate{Limit: rateSize, Remaining: rateSize, Reset: f.now().Add(time.Hour).Unix()}
}
