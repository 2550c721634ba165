package github_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
)

// What GitHub's fields become, for the parts that a forge rarely shows at once.
func TestPullRequestFields(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const sides = `"base":{"ref":"main","sha":"b","repo":{"full_name":"harbour/halyard"}}`
	base := forge.Side{Repo: repo, Branch: "main", SHA: "b"}
	for _, c := range []struct {
		name, body string
		want       forge.PullRequest
	}{
		{"open, mergeability not known yet", `{"number":1,"state":"open","mergeable":null,"merge_commit_sha":"test",` + sides + `}`,
			forge.PullRequest{Repo: repo, Number: 1, State: forge.StateOpen, Base: base}},
		{"clean", `{"number":1,"mergeable":true,"draft":true,` + sides + `}`,
			forge.PullRequest{Repo: repo, Number: 1, Mergeability: forge.MergeClean, Draft: true, Base: base}},
		{"in conflict", `{"number":1,"mergeable":false,` + sides + `}`,
			forge.PullRequest{Repo: repo, Number: 1, Mergeability: forge.MergeConflict, Base: base}},
		{"merged, as a single one", `{"number":1,"state":"closed","merged":true,"merged_at":"2026-01-02T03:04:05Z","closed_at":"2026-01-02T04:04:05+01:00","merged_by":{"login":"bot"},"merge_commit_sha":"m",` + sides + `}`,
			forge.PullRequest{Repo: repo, Number: 1, State: forge.StateClosed, Merged: true, MergedAt: at, ClosedAt: at, MergedBy: "bot", MergeSHA: "m", Base: base}},
		{"merged, as in a list", `{"number":1,"state":"closed","merged_at":"2026-01-02T03:04:05Z","merge_commit_sha":"m",` + sides + `}`,
			forge.PullRequest{Repo: repo, Number: 1, State: forge.StateClosed, Merged: true, MergedAt: at, MergeSHA: "m", Base: base}},
		{"closed without merging", `{"number":1,"state":"closed","merged_at":null,"merge_commit_sha":"test",` + sides + `}`,
			forge.PullRequest{Repo: repo, Number: 1, State: forge.StateClosed, Base: base}},
		{"from a fork that is gone", `{"number":1,"head":{"ref":"topic","sha":"h","label":"ann:topic","repo":null,"user":null},"user":null,` + sides + `}`,
			forge.PullRequest{Repo: repo, Number: 1, Head: forge.Side{Branch: "topic", SHA: "h"}, Base: base}},
		{"with people and labels", `{"number":1,"labels":[{"name":"lgtm"},{"name":"approved"}],"assignees":[{"login":"ann"}],"requested_reviewers":[{"login":"cho"}],"milestone":{"title":"v1"},` + sides + `}`,
			forge.PullRequest{Repo: repo, Number: 1, Labels: []string{"lgtm", "approved"}, Assignees: []string{"ann"}, Reviewers: []string{"cho"}, Milestone: "v1", Base: base}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, c.body) })
			got, err := client.PullRequest(t.Context(), repo, 1)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestUserFields(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]forge.User{
		`{"login":"ada","name":"Ada","email":"ada@example.com","type":"User"}`: {Login: "ada", Name: "Ada", Email: "ada@example.com"},
		`{"login":"robot","type":"Bot"}`:                                       {Login: "robot", Bot: true},
		`{"login":"dependabot[bot]"}`:                                          {Login: "dependabot[bot]", Bot: true},
	} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, body) })
		if got, err := client.User(t.Context()); err != nil || got != want {
			t.Errorf("%s became %+v, %v; want %+v", body, got, err, want)
		}
	}
}
