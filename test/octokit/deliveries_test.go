package octokit_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"seaworthy/forge/github"
)

const secret = "between you and me"

// mailbox takes webhooks and keeps the first payload of each kind and action.
type mailbox struct {
	url      string
	mu       sync.Mutex
	payloads map[string][]byte // "kind action"
	changed  chan struct{}
	faults   []error
}

func openMailbox(t *testing.T) *mailbox {
	t.Helper()
	m := &mailbox{payloads: map[string][]byte{}, changed: make(chan struct{}, 1)}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.url = server.URL + "/hook"
	return m
}

// ServeHTTP takes a delivery.
func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = github.VerifySignature(secret, r.Header.Get("X-Hub-Signature-256"), body)
	}
	var head struct{ Action string }
	if err == nil {
		err = json.Unmarshal(body, &head)
	}
	kind := r.Header.Get("X-GitHub-Event")
	m.mu.Lock()
	for _, name := range []string{"X-Github-Delivery", "X-Github-Hook-Id", "X-Github-Hook-Installation-Target-Id", "X-Github-Hook-Installation-Target-Type"} {
		if r.Header.Get(name) == "" {
			m.faults = append(m.faults, fmt.Errorf("%s %s: the header %s is missing", kind, head.Action, name))
		}
	}
	if agent := r.Header.Get("User-Agent"); len(agent) < 16 || agent[:16] != "GitHub-Hookshot/" {
		m.faults = append(m.faults, fmt.Errorf("%s %s: user agent %q", kind, head.Action, agent))
	}
	if err != nil {
		m.faults = append(m.faults, err)
	} else if m.payloads[kind+" "+head.Action] == nil {
		m.payloads[kind+" "+head.Action] = body
	}
	m.mu.Unlock()
	select {
	case m.changed <- struct{}{}:
	default: // somebody will look already
	}
	w.WriteHeader(http.StatusAccepted)
}

// await waits until all these kinds and actions have arrived, as long as the
// test may take.
func (m *mailbox) await(t *testing.T, wanted []string) map[string][]byte {
	t.Helper()
	for {
		m.mu.Lock()
		var missing []string
		for _, w := range wanted {
			if m.payloads[w] == nil {
				missing = append(missing, w)
			}
		}
		for _, fault := range m.faults {
			t.Error(fault)
		}
		m.faults = nil
		payloads := m.payloads
		m.mu.Unlock()
		if len(missing) == 0 {
			return payloads
		}
		select {
		case <-m.changed:
		case <-t.Context().Done():
			t.Fatalf("these events did not arrive: %q", missing)
		}
	}
}
