package github_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
	"seaworthy/forge/github"
)

const head = `"repository":{"full_name":"harbour/halyard"},"sender":{"login":"ben"}`

func TestDecodeEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	pull := `"pull_request":{"number":3,"state":"open","title":"T","user":{"login":"ann"},"head":{"ref":"topic","sha":"h","repo":{"full_name":"ann/halyard"}},"base":{"ref":"main","sha":"b","repo":{"full_name":"harbour/halyard"}},"labels":[{"name":"lgtm"}],"mergeable":null,"merge_commit_sha":"test-merge"}`
	wantPull := &forge.PullRequest{
		Repo: repo, Number: 3, State: forge.StateOpen, Title: "T", Author: "ann", Labels: []string{"lgtm"},
		Head: forge.Side{Repo: forge.RepoName{Owner: "ann", Name: "halyard"}, Branch: "topic", SHA: "h"},
		Base: forge.Side{Repo: repo, Branch: "main", SHA: "b"},
	}
	issue := `"issue":{"number":3,"state":"open","user":{"login":"ann"},"pull_request":{"url":"x"}}`
	wantIssue := &forge.Issue{Repo: repo, Number: 3, State: forge.StateOpen, Author: "ann", IsPull: true}
	for _, c := range []struct {
		name, kind, body string
		want             forge.Event
	}{
		{"ping", "ping", `{"zen":"Keep it simple.","hook_id":1,` + head + `}`, forge.Event{Repo: repo, Sender: "ben"}},
		{"an organisation's ping", "ping", `{"sender":{"login":"ben"}}`, forge.Event{Sender: "ben"}},
		{"labeled", "pull_request", `{"action":"labeled","label":{"name":"lgtm"},` + pull + `,` + head + `}`,
			forge.Event{Action: "labeled", Repo: repo, Sender: "ben", Label: "lgtm", PullRequest: wantPull}},
		{"review", "pull_request_review", `{"action":"submitted","review":{"id":9,"state":"changes_requested","commit_id":"h","user":{"login":"ben"},"submitted_at":"2026-01-02T03:04:05Z"},` + pull + `,` + head + `}`,
			forge.Event{Action: "submitted", Repo: repo, Sender: "ben", PullRequest: wantPull,
				Review: &forge.Review{ID: 9, State: forge.ReviewChangesRequested, SHA: "h", Author: "ben", SubmittedAt: at}}},
		{"issue", "issues", `{"action":"opened",` + issue + `,` + head + `}`,
			forge.Event{Action: "opened", Repo: repo, Sender: "ben", Issue: wantIssue}},
		{"comment", "issue_comment", `{"action":"created","comment":{"id":5,"body":"/lgtm","user":{"login":"ben"}},` + issue + `,` + head + `}`,
			forge.Event{Action: "created", Repo: repo, Sender: "ben", Issue: wantIssue, Comment: &forge.Comment{ID: 5, Body: "/lgtm", Author: "ben"}}},
		{"push", "push", `{"ref":"refs/heads/main","before":"b","after":"a","forced":true,"commits":[{"id":"a","message":"M","timestamp":"2026-01-02T04:04:05+01:00","author":{"name":"Ann","email":"ann@example.com","username":"ann"},"committer":{"name":"Ben"}}],` + head + `}`,
			forge.Event{Repo: repo, Sender: "ben", Push: &forge.Push{Ref: "refs/heads/main", Before: "b", After: "a", Forced: true, Commits: []forge.Commit{{
				SHA: "a", Message: "M", AuthorLogin: "ann", Author: forge.Signature{Name: "Ann", Email: "ann@example.com", Time: at}, Committer: forge.Signature{Name: "Ben", Time: at}}}}}},
		{"a push's repository has a shape of its own", "push", `{"ref":"refs/tags/v1","repository":{"full_name":"harbour/halyard","created_at":1700000000,"pushed_at":1700000000,"owner":{"name":"harbour"},"organization":"harbour"}}`,
			forge.Event{Repo: repo, Push: &forge.Push{Ref: "refs/tags/v1"}}},
		{"status", "status", `{"sha":"a","state":"failure","context":"unit","description":"D","target_url":"u","created_at":"2026-01-02T03:04:05Z","branches":[{"name":"main"},{"name":"topic"}],` + head + `}`,
			forge.Event{Repo: repo, Sender: "ben", Status: &forge.CommitStatus{SHA: "a", Branches: []string{"main", "topic"},
				Status: forge.Status{Context: "unit", State: forge.StatusFailure, Description: "D", TargetURL: "u", Creator: "ben", CreatedAt: at}}}},
		{"release", "release", `{"action":"published","release":{"id":4,"tag_name":"v1","draft":false,"published_at":"2026-01-02T03:04:05Z","assets":[{"id":1,"name":"a","size":3,"digest":"sha256:aa"}]},` + head + `}`,
			forge.Event{Action: "published", Repo: repo, Sender: "ben", Release: &forge.Release{ID: 4, Tag: "v1", PublishedAt: at, Assets: []forge.Asset{{ID: 1, Name: "a", Size: 3, Digest: "sha256:aa"}}}}},
		{"branch created", "create", `{"ref":"topic","ref_type":"branch",` + head + `}`, forge.Event{Repo: repo, Sender: "ben"}},
		{"tag deleted", "delete", `{"ref":"v1","ref_type":"tag",` + head + `}`, forge.Event{Repo: repo, Sender: "ben"}},
		{"check run", "check_run", `{"action":"completed","check_run":{"id":1},` + head + `}`, forge.Event{Action: "completed", Repo: repo, Sender: "ben"}},
		{"unknown", "watch", `{"action":"started",` + head + `,"release":"whatever"}`, forge.Event{Action: "started", Repo: repo, Sender: "ben"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			received := now.In(time.FixedZone("", 3600))
			got, err := github.DecodeEvent(c.kind, "d-1", []byte(c.body), received)
			if err != nil {
				t.Fatal(err)
			}
			c.want.Kind, c.want.Delivery, c.want.ReceivedAt, c.want.Payload = forge.EventKind(c.kind), "d-1", now, []byte(c.body)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestDecodeEventRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, kind, body, says string }{
		{"no kind", "", `{` + head + `}`, "X-GitHub-Event"},
		{"not JSON", "push", `payload=%7B%7D`, "invalid character"},
		{"a list", "push", `[]`, "cannot unmarshal"},
		{"cut off", "push", `{"ref":"refs/heads/main"`, "unexpected end"},
		{"no repository", "push", `{"ref":"refs/heads/main"}`, `"repository"`},
		{"no repository for a kind without a body", "create", `{"ref":"v1"}`, `"repository"`},
		{"a repository that leaves its folder", "watch", `{"repository":{"full_name":"../etc"}}`, "full_name"},
		{"no ref", "push", `{` + head + `}`, `"ref"`},
		{"no sha", "status", `{` + head + `}`, `"sha"`},
		{"no pull request", "pull_request", `{` + head + `}`, `"pull_request"`},
		{"no review", "pull_request_review", `{"pull_request":{},` + head + `}`, `"review"`},
		{"no issue", "issues", `{` + head + `}`, `"issue"`},
		{"no comment", "issue_comment", `{"issue":{},` + head + `}`, `"comment"`},
		{"no release", "release", `{` + head + `}`, `"release"`},
		{"a number that is text", "issues", `{"issue":{"number":"three"},` + head + `}`, "cannot unmarshal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := github.DecodeEvent(c.kind, "d-1", []byte(c.body), now)
			if !errors.Is(err, forge.ErrInvalid) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "d-1") {
				t.Errorf("gave %+v, %v; want an invalid event because of %q", e, err, c.says)
			}
		})
	}
}

func FuzzDecodeEvent(f *testing.F) {
	kinds := []string{"ping", "push", "create", "pull_request", "pull_request_review", "issues", "issue_comment", "status", "check_run", "release", "watch"}
	for _, kind := range kinds {
		f.Add(kind, []byte(`{"action":"opened","ref":"r","sha":"s","commits":[null,{}],"branches":[null],"pull_request":{"labels":[null],"assignees":[null],"head":{"repo":null}},"issue":{"labels":[null]},"comment":{},"review":{},"release":{"assets":[null]},"label":{},`+head+`}`))
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		before := bytes.Clone(body)
		e, err := github.DecodeEvent(kind, "d", body, now)
		if err != nil {
			if !errors.Is(err, forge.ErrInvalid) || e.Kind != "" {
				t.Fatalf("gave %+v with %v", e, err)
			}
			return
		}
		if !bytes.Equal(e.Payload, before) || string(e.Kind) != kind {
			t.Fatalf("kind %q became %q, payload %q became %q", kind, e.Kind, before, e.Payload)
		}
		if e.Repo != (forge.RepoName{}) && !e.Repo.Valid() {
			t.Fatalf("repository %+v is no name", e.Repo)
		}
		again, err := github.DecodeEvent(kind, "d", e.Payload, now)
		if diff := cmp.Diff(e, again); err != nil || diff != "" {
			t.Fatalf("the stored payload reads differently: %v\n%s", err, diff)
		}
	})
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	// The example of GitHub's documentation of webhook validation.
	const secret, body = "It's a Secret to Everybody", "Hello, World!"
	const good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte(body))
	unkeyed := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	for _, c := range []struct {
		name, secret, header, body, problem string
	}{
		{"right", secret, good, body, ""},
		{"in capitals", secret, "sha256=" + strings.ToUpper(good[7:]), body, ""},
		{"another body", secret, good, body + " ", "same secret"},
		{"another secret", "guess", good, body, "same secret"},
		{"shortened", secret, good[:39], body, "does not match"},
		{"no header", secret, "", body, "missing"},
		{"the old header", secret, "sha1=757107ea", body, "sha256="},
		{"not hexadecimal", secret, "sha256=zz", body, "hexadecimal"},
		{"no secret", "", unkeyed, body, "no secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := github.VerifySignature(c.secret, c.header, []byte(c.body))
			if c.problem == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, forge.ErrUnauthorized) || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("gave %v; want a refusal that says %q", err, c.problem)
			}
			if err != nil && strings.Contains(err.Error(), good[7:]) {
				t.Errorf("the error tells the right signature: %v", err)
			}
		})
	}
}
