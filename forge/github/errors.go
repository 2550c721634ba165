package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// secondaryWait is how long to wait after a secondary limit that does not say:
// "at least one minute" in GitHub's own words.
const secondaryWait = time.Minute

// answer is a refusal by the forge, in a sentence. It unwraps to the library's
// own error.
type answer struct {
	status int
	text   string
	cause  error
}

// Error implements error.
func (a *answer) Error() string { return fmt.Sprintf("the forge answered %d: %s", a.status, a.text) }

// Unwrap returns the library's error.
func (a *answer) Unwrap() error { return a.cause }

// fail says what was being attempted and sorts err into forge's kinds.
func (c *Client) fail(err error, format string, args ...any) error {
	attempted := fmt.Sprintf(format, args...)
	if limited := c.rateLimit(err); limited != nil {
		return fmt.Errorf("%s: %w", attempted, limited)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", attempted, err)
	}
	var refused *github.ErrorResponse
	if errors.As(err, &refused) && refused.Response != nil {
		hint, kind := kindOf(refused)
		a := &answer{status: refused.Response.StatusCode, text: sentence(refused), cause: err}
		return fmt.Errorf("%s: %w: %w%s", attempted, kind, a, hint)
	}
	var otp *github.TwoFactorAuthError
	if errors.As(err, &otp) {
		return fmt.Errorf("%s: %w: the account asks for a one-time password; use a personal access token", attempted, forge.ErrUnauthorized)
	}
	var accepted *github.AcceptedError
	if errors.As(err, &accepted) {
		return fmt.Errorf("%s: %w: %w", attempted, forge.ErrUnavailable, err)
	}
	if errors.Is(err, github.ErrBranchNotProtected) {
		return fmt.Errorf("%s: %w: %w", attempted, forge.ErrNotFound, err)
	}
	if errors.Is(err, github.ErrPathForbidden) {
		return fmt.Errorf("%s: %w: %w", attempted, forge.ErrInvalid, err)
	}
	var unreachable *url.Error
	if errors.As(err, &unreachable) {
		return fmt.Errorf("%s: %w: %w; check the forge's address and that it runs", attempted, forge.ErrUnavailable, withoutQuery(unreachable))
	}
	return fmt.Errorf("%s: %w", attempted, err)
}

// withoutQuery drops what follows the path of an address: where an asset's
// download is redirected to, that is a credential.
func withoutQuery(e *url.Error) error {
	address, _, _ := strings.Cut(e.URL, "?")
	return &url.Error{Op: e.Op, URL: address, Err: e.Err}
}

// rateLimit recognises both of GitHub's limits, and a plain 429.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
func (c *Client) rateLimit(err error) *forge.RateLimitError {
	var primary *github.RateLimitError
	if errors.As(err, &primary) {
		until := primary.Rate.Reset.Time
		if until.IsZero() {
			until = c.now().Add(secondaryWait)
		}
		return &forge.RateLimitError{Until: until.UTC(), Cause: err}
	}
	var secondary *github.AbuseRateLimitError
	if errors.As(err, &secondary) {
		d := secondaryWait
		if secondary.RetryAfter != nil && *secondary.RetryAfter > 0 {
			d = *secondary.RetryAfter
		}
		return &forge.RateLimitError{Until: c.now().Add(d).UTC(), Cause: err}
	}
	var refused *github.ErrorResponse
	if !errors.As(err, &refused) || refused.Response == nil {
		return nil
	}
	d, said := retryAfter(refused.Response.Header, c.now())
	switch {
	case refused.Response.StatusCode == http.StatusTooManyRequests && !said:
		d = secondaryWait
	case refused.Response.StatusCode == http.StatusTooManyRequests:
	case refused.Response.StatusCode == http.StatusForbidden && said:
	default:
		return nil
	}
	return &forge.RateLimitError{Until: c.now().Add(d).UTC(), Cause: err}
}

// kindOf sorts a refusal, and says what a person can do about it.
func kindOf(r *github.ErrorResponse) (hint string, kind error) {
	switch status := r.Response.StatusCode; {
	case status == http.StatusUnauthorized:
		return "; give a token that the forge knows", forge.ErrUnauthorized
	case status == http.StatusForbidden:
		return "; the token's account needs more rights here", forge.ErrForbidden
	case status == http.StatusNotFound, status == http.StatusGone:
		return "", forge.ErrNotFound
	case status == http.StatusMethodNotAllowed, status == http.StatusConflict, status == http.StatusPreconditionFailed:
		return "", forge.ErrConflict
	case status == http.StatusUnprocessableEntity:
		return "", kindOfInvalid(r)
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		return "; try again later", forge.ErrUnavailable
	default:
		return "", forge.ErrInvalid
	}
}

// kindOfInvalid reads a 422, which GitHub also answers for things that are
// there already, are not there, or have moved on. The code says so only
// sometimes; elsewhere the words are all there is.
func kindOfInvalid(r *github.ErrorResponse) error {
	words := strings.ToLower(sentence(r))
	for _, e := range r.Errors {
		if e.Code == "already_exists" {
			return forge.ErrExists
		}
	}
	switch {
	case strings.Contains(words, "already exists"):
		return forge.ErrExists
	case strings.Contains(words, "does not exist"), strings.Contains(words, "no commit found"):
		return forge.ErrNotFound
	case strings.Contains(words, "not a fast forward"):
		return forge.ErrConflict
	default:
		return forge.ErrInvalid
	}
}

// sentence joins GitHub's message with the fields it complains about.
func sentence(r *github.ErrorResponse) string {
	parts := make([]string, 0, len(r.Errors))
	for _, e := range r.Errors {
		if e.Message != "" {
			parts = append(parts, e.Message)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s.%s %s", e.Resource, e.Field, e.Code))
	}
	text := r.Message
	if text == "" {
		text = http.StatusText(r.Response.StatusCode)
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, "; ") + ")"
	}
	return text
}
