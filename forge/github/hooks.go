package github

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// Hooks returns a repository's webhooks, without their secrets.
func (c *Client) Hooks(ctx context.Context, repo forge.RepoName) ([]forge.Hook, error) {
	opts := firstPage()
	out, err := collect(c.gh.Repositories.ListHooksIter(ctx, repo.Owner, repo.Name, &opts), hook)
	if err != nil {
		return nil, c.fail(err, "list webhooks of %s", repo)
	}
	return out, nil
}

// CreateHook subscribes a URL to events, sent as JSON and signed with the
// hook's secret. ErrExists if the URL is subscribed to the same events.
func (c *Client) CreateHook(ctx context.Context, repo forge.RepoName, h forge.Hook) (forge.Hook, error) {
	contentType := "json"
	created, _, err := c.gh.Repositories.CreateHook(ctx, repo.Owner, repo.Name, &github.Hook{
		Config: &github.HookConfig{URL: &h.URL, ContentType: &contentType, Secret: text(h.Secret)},
		Events: h.Events,
		Active: &h.Active,
	})
	if err != nil {
		return forge.Hook{}, c.fail(err, "create a webhook of %s", repo)
	}
	return hook(created), nil
}

// EditHook gives a webhook, found by its ID, another URL, secret, events and
// activity. Deliveries that wait go to the new URL on the embedded forge.
func (c *Client) EditHook(ctx context.Context, repo forge.RepoName, h forge.Hook) error {
	contentType := "json"
	_, _, err := c.gh.Repositories.EditHook(ctx, repo.Owner, repo.Name, h.ID, &github.Hook{
		Config: &github.HookConfig{URL: &h.URL, ContentType: &contentType, Secret: text(h.Secret)},
		Events: h.Events,
		Active: &h.Active,
	})
	if err != nil {
		return c.fail(err, "edit webhook %d of %s", h.ID, repo)
	}
	return nil
}

// DeleteHook ends a subscription.
func (c *Client) DeleteHook(ctx context.Context, repo forge.RepoName, id int64) error {
	if _, err := c.gh.Repositories.DeleteHook(ctx, repo.Owner, repo.Name, id); err != nil {
		return c.fail(err, "delete webhook %d of %s", id, repo)
	}
	return nil
}

// VerifySignature checks a webhook's body against its X-Hub-Signature-256
// header, "sha256=" and the hex HMAC of the body under the hook's secret, in
// constant time. Every failure is ErrUnauthorized. An empty secret never
// verifies: it would sign anything.
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
func VerifySignature(secret, signatureHeader string, body []byte) error {
	if err := verify(secret, signatureHeader, body); err != nil {
		return fmt.Errorf("verify the webhook's signature: %w: %w", forge.ErrUnauthorized, err)
	}
	return nil
}

func verify(secret, header string, body []byte) error {
	if secret == "" {
		return errors.New("no secret is configured; set the one that the hook was created with")
	}
	digits, ok := strings.CutPrefix(header, "sha256=")
	if !ok {
		return errors.New(`the header X-Hub-Signature-256 is missing or does not begin with "sha256="; give the hook a secret`)
	}
	got, err := hex.DecodeString(digits)
	if err != nil {
		return errors.New("the signature is not hexadecimal")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if !hmac.Equal(got, mac.Sum(nil)) {
		return errors.New("it does not match the body; check that both sides have the same secret")
	}
	return nil
}
