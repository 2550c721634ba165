package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// errContent: bytes are not what their digest or size says. Trying again may
// help, but never by sending on what was read.
var errContent = errors.New("content does not match its digest")

// answerError is a registry's refusal.
type answerError struct {
	status int
	codes  []string
	text   []string
}

func (e *answerError) Error() string {
	s := fmt.Sprintf("the registry answers %d %s", e.status, http.StatusText(e.status))
	for i, c := range e.codes {
		s += " " + c
		if i < len(e.text) && e.text[i] != "" && !strings.EqualFold(e.text[i], c) {
			s += " (" + e.text[i] + ")"
		}
	}
	switch e.status {
	case http.StatusUnauthorized:
		s += "; log in first, as docker login does"
	case http.StatusForbidden:
		s += "; the account may not do this"
	}
	return s
}

// status returns the status a registry answered with, 0 if it did not.
func status(err error) int {
	var e *answerError
	if errors.As(err, &e) {
		return e.status
	}
	return 0
}

// missing reports a registry's answer that something is not there.
func missing(err error) bool { return status(err) == http.StatusNotFound }

// answerLimit bounds what is read of an answer that is no content, in bytes.
const answerLimit = 64 << 10

// failed makes an error of an answer that was not wanted, and closes it.
func failed(resp *http.Response) error {
	// A body that cannot be read leaves the status to tell of.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	_ = resp.Body.Close()
	var body struct {
		Errors []transport.Diagnostic `json:"errors"`
	}
	_ = json.Unmarshal(text, &body)
	return refusal(resp.StatusCode, body.Errors)
}

// drained reads an answer without content to its end, so that its connection
// is used again.
func drained(resp *http.Response) error {
	_, err := io.CopyN(io.Discard, resp.Body, answerLimit)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, resp.Body.Close())
}

// stalled ends reading from a peer that sends nothing for a while.
type stalled struct {
	io.ReadCloser
	timer  *time.Timer
	longer time.Duration
	cut    *atomic.Bool
	cancel context.CancelFunc
}

// stallLimit is how long a peer may send nothing of a content it has begun.
const stallLimit = 2 * time.Minute

func watch(body io.ReadCloser, limit time.Duration, cancel context.CancelFunc) *stalled {
	s := &stalled{ReadCloser: body, longer: limit, cut: &atomic.Bool{}, cancel: cancel}
	s.timer = time.AfterFunc(limit, func() {
		s.cut.Store(true)
		cancel()
	})
	return s
}

// Read implements io.Reader.
func (s *stalled) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && s.cut.Load() {
		return n, fmt.Errorf("nothing came for %s", s.longer)
	}
	s.timer.Reset(s.longer)
	return n, err
}

// Close implements io.Closer.
func (s *stalled) Close() error {
	s.timer.Stop()
	err := s.ReadCloser.Close()
	s.cancel()
	return err
}
