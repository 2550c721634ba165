package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// json answers what a function returns as JSON.
func (o GridOptions) json(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := answer(r)
		if err != nil {
			o.fail(w, r, err)
			return
		}
		var body bytes.Buffer
		e := json.NewEncoder(&body)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			o.fail(w, r, err)
			return
		}
		o.send(w, r, "application/json", "no-cache", body.Bytes())
	}
}

// fail answers an error, with its code where it has one.
func (o GridOptions) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := http.StatusInternalServerError
	var no refused
	switch {
	case errors.As(err, &no):
		code = no.code
	case errors.Is(err, fs.ErrNotExist):
		code = http.StatusNotFound
	case r.Context().Err() != nil: // whoever asked has gone
		code = http.StatusRequestTimeout
	default:
		o.Log.Error("the API", "path", r.URL.Path, "error", err)
	}
	text, err := json.Marshal(map[string]string{"error": err.Error()})
	if err != nil { // a text: this cannot be
		text = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	o.write(w, r, append(text, '\n'))
}

// Answers that are shorter are not compressed.
const smallAnswer = 1 << 10

// send answers bytes: nothing if whoever asks has them, compressed if they
// take that.
func (o GridOptions) send(w http.ResponseWriter, r *http.Request, kind, caching string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", caching)
	h.Set("Vary", "Accept-Encoding")
	squeeze := len(body) > smallAnswer && takesGzip(r)
	if squeeze { // a compressed answer is another one
		tag = strings.TrimSuffix(tag, `"`) + `-gzip"`
	}
	h.Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if !squeeze {
		o.write(w, r, body)
		return
	}
	h.Set("Content-Encoding", "gzip")
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(body)
		err = errors.Join(err, z.Close())
	}
	if err != nil {
		o.Log.Debug("sending an answer", "path", r.URL.Path, "error", err)
	}
}

func (o GridOptions) write(w http.ResponseWriter, r *http.Request, body []byte) {
	if _, err := w.Write(body); err != nil {
		o.Log.Debug("sending an answer", "path", r.URL.Path, "error", err)
	}
}

// takesGzip reads Accept-Encoding: gzip counts unless its weight is 0.
func takesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
		}
	}
	return false
}

// matches reads If-None-Match. Tags are compared weakly, as for GET.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || one == tag {
			return true
		}
	}
	return false
}
