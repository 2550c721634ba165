package github_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/github"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   error
		says   string
	}{
		{"not there", 404, `{"message":"Not Found"}`, forge.ErrNotFound, "the forge answered 404: Not Found"},
		{"gone", 410, `{"message":"This issue was deleted"}`, forge.ErrNotFound, "This issue was deleted"},
		{"no token", 401, `{"message":"Bad credentials"}`, forge.ErrUnauthorized, "give a token"},
		{"no right", 403, `{"message":"Resource not accessible by integration"}`, forge.ErrForbidden, "needs more rights"},
		{"not mergeable", 405, `{"message":"Pull Request is not mergeable"}`, forge.ErrConflict, "not mergeable"},
		{"head moved", 409, `{"message":"Head branch was modified. Review and try the merge again."}`, forge.ErrConflict, "Head branch was modified"},
		{"code", 422, `{"message":"Validation Failed","errors":[{"resource":"Label","code":"already_exists","field":"name"}]}`, forge.ErrExists, "Label.name already_exists"},
		{"words", 422, `{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for a:b."}]}`, forge.ErrExists, "A pull request already exists for a:b."},
		{"plain words", 422, `{"message":"Reference already exists"}`, forge.ErrExists, "Reference already exists"},
		{"ref is gone", 422, `{"message":"Reference does not exist"}`, forge.ErrNotFound, "Reference does not exist"},
		{"no such commit", 422, `{"message":"No commit found for SHA: abc"}`, forge.ErrNotFound, "No commit found"},
		{"not a fast forward", 422, `{"message":"Update is not a fast forward"}`, forge.ErrConflict, "fast forward"},
		{"invalid", 422, `{"message":"Validation Failed","errors":[{"resource":"Issue","code":"missing_field","field":"title"}]}`, forge.ErrInvalid, "Issue.title missing_field"},
		{"errors as text", 422, `{"message":"Validation Failed","errors":["Color is too colourful"]}`, forge.ErrInvalid, "Color is too colourful"},
		{"malformed", 400, `{"message":"Problems parsing JSON"}`, forge.ErrInvalid, "Problems parsing JSON"},
		{"ailing", 500, `oh dear`, forge.ErrUnavailable, "the forge answered 500: Internal Server Error"},
		{"away", 503, ``, forge.ErrUnavailable, "try again later"},
		{"not ready", 202, `{}`, forge.ErrUnavailable, "try again later"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, c.status, c.body) })
			_, err := client.Issue(t.Context(), repo, 42)
			if !errors.Is(err, c.want) {
				t.Fatalf("gave %v; want %v", err, c.want)
			}
			for _, want := range []string{"look up issue harbour/halyard#42: ", c.says} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q, without %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	for _, c := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		until  time.Time
	}{
		{"primary", 403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(later.Unix())}, `{"message":"API rate limit exceeded"}`, later},
		{"primary as 429", 429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(later.Unix())}, `{}`, later},
		{"primary without a time", 403, map[string]string{"X-RateLimit-Remaining": "0"}, `{}`, now.Add(time.Minute)},
		{"secondary", 403, map[string]string{"Retry-After": "90"}, `{"documentation_url":"https://docs.github.com/rest#secondary-rate-limits"}`, now.Add(90 * time.Second)},
		{"secondary without a time", 403, nil, `{"documentation_url":"https://docs.github.com/rest#secondary-rate-limits"}`, now.Add(time.Minute)},
		{"forbidden for a while", 403, map[string]string{"Retry-After": "30"}, `{"message":"slow down"}`, now.Add(30 * time.Second)},
		{"too many", 429, nil, `too many`, now.Add(time.Minute)},
		{"too many until a date", 429, map[string]string{"Retry-After": now.Add(5 * time.Minute).Format(http.TimeFormat)}, ``, now.Add(5 * time.Minute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				answer(w, c.status, c.body)
			})
			err := client.SetStatus(t.Context(), repo, "abc", forge.Status{})
			var limited *forge.RateLimitError
			if !errors.As(err, &limited) {
				t.Fatalf("gave %v; want a RateLimitError", err)
			}
			if !limited.Until.Equal(c.until) {
				t.Errorf("until %v; want %v", limited.Until, c.until)
			}
			if !strings.HasPrefix(err.Error(), "set status") {
				t.Errorf("the error %q does not say what was attempted", err)
			}
			if errors.Is(err, forge.ErrForbidden) {
				t.Errorf("%v is a matter of rights, too", err)
			}
		})
	}
}

// A forge that was asked to wait for is not asked again before.
func TestLimitedClientKeepsQuiet(t *testing.T) {
	t.Parallel()
	calls := 0
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
		answer(w, http.StatusForbidden, `{"message":"API rate limit exceeded"}`)
	})
	for range 3 {
		_, err := client.Repo(t.Context(), repo)
		var limited *forge.RateLimitError
		if !errors.As(err, &limited) || time.Until(limited.Until) < 50*time.Minute {
			t.Fatalf("gave %v; want a RateLimitError for an hour", err)
		}
	}
	if calls != 1 {
		t.Errorf("the forge was asked %d times", calls)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	waits := 0
	client, err := github.New(github.Options{BaseURL: "http://" + l.Addr().String() + "/api/v3/", Wait: func(context.Context, time.Duration) error {
		waits++
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Repo(t.Context(), repo)
	if !errors.Is(err, forge.ErrUnavailable) || !strings.Contains(err.Error(), "check the forge's address") {
		t.Errorf("gave %v", err)
	}
	if waits != 3 {
		t.Errorf("paused %d times; want 3", waits)
	}
}

func TestNotAForge(t *testing.T) {
	t.Parallel()
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello</html>") })
	if _, err := client.Repo(t.Context(), repo); err == nil || !strings.Contains(err.Error(), "look up repository harbour/halyard") {
		t.Errorf("gave %v", err)
	}
}
