package app_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/store"
)

// deliver posts a webhook as a forge does and returns the code of the answer.
func (p *platform) deliver(kind, delivery, secret, body string) int {
	p.t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.URL()+"/hooks/github", strings.NewReader(body))
	p.must(err)
	r.Header.Set("X-GitHub-Event", kind)
	r.Header.Set("X-GitHub-Delivery", delivery)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer, err := http.DefaultClient.Do(r)
	p.must(err)
	p.must(answer.Body.Close())
	return answer.StatusCode
}

func (p *platform) webhookSecret() string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "secrets", "webhook"))
	p.must(err)
	return string(bytes.TrimSpace(text))
}

func (p *platform) events() []store.LoggedEvent {
	p.t.Helper()
	all, err := p.Store.Events(p.t.Context(), store.EventFilter{})
	p.must(err)
	return all
}

// What strangers send is refused and leaves no trace; what the forge sends
// twice happens once; what nobody knows is kept and passed over.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(sources)
	p.settled()
	before := len(p.events())
	if code := p.deliver("push", "11111111-forged", "guessed", `{}`); code != http.StatusUnauthorized {
		t.Errorf("a forged delivery: %d", code)
	}
	if code := p.deliver("push", "11111111-forged", "", `{}`); code != http.StatusUnauthorized {
		t.Errorf("a delivery signed with nothing: %d", code)
	}
	if after := len(p.events()); after != before {
		t.Fatalf("%d events were stored for strangers", after-before)
	}

	old := p.events()
	var push store.LoggedEvent
	for _, e := range old {
		if e.Kind == forge.EventPush {
			push = e
		}
	}
	for range 2 { // redelivered by hand, and by a forge that did not hear us
		if code := p.deliver("push", push.Delivery, p.webhookSecret(), string(push.Payload)); code != http.StatusAccepted {
			t.Errorf("a delivery that is known: %d", code)
		}
	}
	for _, kind := range []string{"ping", "star", "workflow_job", "something_new"} {
		if code := p.deliver(kind, "22222222-"+strings.ReplaceAll(kind, "_", "-"), p.webhookSecret(), `{"action":"created","repository":{"full_name":"harbour/halyard"}}`); code != http.StatusAccepted {
			t.Errorf("%s: %d", kind, code)
		}
	}
	// A push to a repository that is gone is no work for ever.
	gone := strings.ReplaceAll(string(push.Payload), "halyard", "gone")
	if code := p.deliver("push", "33333333-gone", p.webhookSecret(), gone); code != http.StatusAccepted {
		t.Errorf("a repository that is gone: %d", code)
	}
	// Nor is one of a commit that is.
	lost := strings.ReplaceAll(string(push.Payload), push.Push.After, strings.Repeat("0b", 20))
	if code := p.deliver("push", "44444444-lost", p.webhookSecret(), lost); code != http.StatusAccepted {
		t.Errorf("a commit that is gone: %d", code)
	}
	p.settled()
	if n := len(p.events()); n != before+6 {
		t.Errorf("%d new events, want 6", n-before)
	}
	if all := p.executions(job.ExecutionFilter{}); len(all) != 1 {
		t.Errorf("%d executions, want that of the first push: %+v", len(all), all)
	}
}
