package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"seaworthy/forge"
)

// WebhookOptions say how webhooks are checked, read and kept. All are needed.
type WebhookOptions struct {
	// Secret is what the forge signs with.
	Secret string
	// Verify checks the signature over the body, in constant time.
	Verify func(secret, signature string, body []byte) error
	// Decode reads a payload; kind and delivery come from the headers.
	Decode func(kind, delivery string, body []byte, now time.Time) (forge.Event, error)
	// Ingest stores the event and queues its handling in one transaction. An
	// event that was stored before is not fresh, and not handled again.
	Ingest func(ctx context.Context, e forge.Event) (fresh bool, err error)
	Now    func() time.Time
	Log    *slog.Logger
}

// GitHub sends at most 25 MB.
const maxWebhook = 25 << 20

// A delivery's id becomes a key: a UUID on GitHub and on the embedded forge.
var deliveryID = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)

// Webhooks returns the handler for a forge that speaks GitHub's webhooks.
func Webhooks(o WebhookOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, text := o.receive(w, r)
		if code >= 400 {
			o.Log.Warn("webhook refused", "code", code, "why", text, "delivery", printable(r.Header.Get("X-GitHub-Delivery")))
		}
		http.Error(w, text, code)
	})
}

func (o WebhookOptions) receive(w http.ResponseWriter, r *http.Request) (int, string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, "the payload is larger than 25 MB"
	case err != nil:
		return http.StatusBadRequest, "the payload was cut off"
	}
	if err := o.Verify(o.Secret, r.Header.Get("X-Hub-Signature-256"), body); err != nil {
		return http.StatusUnauthorized, "the signature does not match: check that both sides have the same webhook secret"
	}
	kind, delivery := r.Header.Get("X-GitHub-Event"), r.Header.Get("X-GitHub-Delivery")
	if kind == "" || !deliveryID.MatchString(delivery) {
		return http.StatusBadRequest, "the headers X-GitHub-Event and X-GitHub-Delivery are needed"
	}
	event, err := o.Decode(kind, delivery, body, o.Now())
	if err != nil {
		return http.StatusBadRequest, "the payload cannot be read: " + err.Error()
	}
	fresh, err := o.Ingest(r.Context(), event)
	if err != nil {
		o.Log.Error("storing a webhook", "delivery", delivery, "error", err)
		return http.StatusInternalServerError, "the event could not be stored; send it again"
	}
	if !fresh {
		return http.StatusAccepted, "known already"
	}
	return http.StatusAccepted, "stored"
}

// printable keeps what a stranger sent from forging log lines.
func printable(s string) string {
	if deliveryID.MatchString(s) {
		return s
	}
	return "(malformed)"
}
