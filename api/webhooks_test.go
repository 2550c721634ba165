package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/api"
	"seaworthy/forge"
)

type post struct {
	body      string
	signature string
	kind      string
	delivery  string
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	good := post{body: `{"zen":"calm"}`, signature: "right", kind: "ping", delivery: "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
	with := func(change func(*post)) post { p := good; change(&p); return p }
	cases := []struct {
		name   string
		post   post
		code   int
		says   string
		stored int
	}{
		{"good", good, 202, "stored", 1},
		{"wrong signature", with(func(p *post) { p.signature = "wrong" }), 401, "webhook secret", 0},
		{"no signature", with(func(p *post) { p.signature = "" }), 401, "signature", 0},
		{"no kind", with(func(p *post) { p.kind = "" }), 400, "X-GitHub-Event", 0},
		{"no delivery", with(func(p *post) { p.delivery = "" }), 400, "X-GitHub-Delivery", 0},
		{"a delivery that forges log lines", with(func(p *post) { p.delivery = "12345678\nadmin logged in" }), 400, "X-GitHub-Delivery", 0},
		{"malformed", with(func(p *post) { p.body = "{" }), 400, "cannot be read", 0},
		{"the store is down", with(func(p *post) { p.body = `"down"` }), 500, "send it again", 0},
		{"too large", with(func(p *post) { p.body = strings.Repeat("x", 25<<20+1) }), 413, "25 MB", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stored []forge.Event
			h := handler(&stored)
			answer := send(h, c.post)
			if answer.Code != c.code || !strings.Contains(answer.Body.String(), c.says) {
				t.Errorf("answered %d %q; want %d and %q", answer.Code, answer.Body, c.code, c.says)
			}
			if len(stored) != c.stored {
				t.Errorf("stored %d events, want %d", len(stored), c.stored)
			}
		})
	}
}

func TestRedeliveryIsKnown(t *testing.T) {
	t.Parallel()
	var stored []forge.Event
	h := handler(&stored)
	p := post{body: `{}`, signature: "right", kind: "push", delivery: "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
	first, second := send(h, p), send(h, p)
	got := []string{strings.TrimSpace(first.Body.String()), strings.TrimSpace(second.Body.String())}
	if d := cmp.Diff([]string{"stored", "known already"}, got); d != "" {
		t.Errorf("answers (-want +got):\n%s", d)
	}
	if len(stored) != 1 || stored[0].Kind != forge.EventPush || string(stored[0].Payload) != p.body {
		t.Errorf("stored %+v", stored)
	}
}

func handler(stored *[]forge.Event) http.Handler {
	return api.Webhooks(api.WebhookOptions{
		Secret: "s3cret",
		Verify: func(secret, signature string, _ []byte) error {
			if secret != "s3cret" || signature != "right" {
				return errors.New("no match")
			}
			return nil
		},
		Decode: func(kind, delivery string, body []byte, now time.Time) (forge.Event, error) {
			if len(body) < 2 {
				return forge.Event{}, errors.New("unexpected end of JSON input")
			}
			return forge.Event{Kind: forge.EventKind(kind), Delivery: delivery, Payload: body, ReceivedAt: now}, nil
		},
		Ingest: func(_ context.Context, e forge.Event) (bool, error) {
			if string(e.Payload) == `"down"` {
				return false, errors.New("disk full")
			}
			for _, s := range *stored {
				if s.Delivery == e.Delivery {
					return false, nil
				}
			}
			*stored = append(*stored, e)
			return true, nil
		},
		Now: func() time.Time { return time.Unix(1700000000, 0).UTC() },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

func send(h http.Handler, p post) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/hooks/github", strings.NewReader(p.body))
	r.Header.Set("X-Hub-Signature-256", p.signature)
	r.Header.Set("X-GitHub-Event", p.kind)
	r.Header.Set("X-GitHub-Delivery", p.delivery)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
