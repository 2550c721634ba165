package octokit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/github"
)

// kind is what GitHub's index of examples has on one kind of event.
type kind struct {
	Name     string
	Examples []json.RawMessage
}

func examples(t *testing.T) []kind {
	t.Helper()
	raw, err := json.Marshal(data(t, examplesFile))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []kind
	if err := json.Unmarshal(raw, &kinds); err != nil {
		t.Fatal(err)
	}
	return kinds
}

// Every example that GitHub gives of a payload can be decoded.
func TestExamplesDecode(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	decoded := 0
	for _, kind := range examples(t) {
		for i, body := range kind.Examples {
			name := fmt.Sprintf("%s example %d", kind.Name, i)
			e, err := github.DecodeEvent(kind.Name, name, body, now)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			decoded++
			compare(t, name, e, body)
		}
	}
	if decoded < 300 {
		t.Errorf("%d examples were decoded; there should be more than 300", decoded)
	}
}

// compare checks a decoded event against the payload read in another way.
func compare(t *testing.T, name string, e forge.Event, body []byte) {
	t.Helper()
	var p struct {
		Action     string
		Repository *struct {
			FullName string `json:"full_name"`
		}
		Sender      *struct{ Login string }
		PullRequest *struct {
			Number int
			Title  string
			Head   struct{ SHA string }
			User   struct{ Login string }
		} `json:"pull_request"`
		Issue   *struct{ Number int }
		Comment *struct{ Body string }
		Review  *struct{ ID int64 }
		Release *struct {
			TagName string `json:"tag_name"`
		}
		Ref     string
		Commits []struct{ ID string }
		SHA     string
		State   string
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	differs := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s is %v; want %v", name, what, got, want)
		}
	}
	differs("action", e.Action, p.Action)
	if p.Repository != nil {
		differs("repository", e.Repo.String(), p.Repository.FullName)
	}
	if p.Sender != nil {
		differs("sender", e.Sender, p.Sender.Login)
	}
	differs("has an issue", e.Issue != nil, p.Issue != nil && (e.Kind == forge.EventIssues || e.Kind == forge.EventIssueComment))
	if e.Issue != nil {
		differs("issue", e.Issue.Number, p.Issue.Number)
	}
	differs("has a pull request", e.PullRequest != nil, p.PullRequest != nil && (e.Kind == forge.EventPullRequest || e.Kind == forge.EventPullRequestReview))
	if e.PullRequest != nil {
		differs("number", e.PullRequest.Number, p.PullRequest.Number)
		differs("title", e.PullRequest.Title, p.PullRequest.Title)
		differs("head", e.PullRequest.Head.SHA, p.PullRequest.Head.SHA)
		differs("author", e.PullRequest.Author, p.PullRequest.User.Login)
	}
	if e.Comment != nil {
		differs("comment", e.Comment.Body, p.Comment.Body)
	}
	if e.Review != nil {
		differs("review", e.Review.ID, p.Review.ID)
	}
	if e.Release != nil {
		differs("tag", e.Release.Tag, p.Release.TagName)
	}
	differs("is a push", e.Push != nil, e.Kind == forge.EventPush)
	if e.Push != nil {
		differs("ref", e.Push.Ref, p.Ref)
		differs("number of commits", len(e.Push.Commits), len(p.Commits))
	}
	if e.Status != nil {
		differs("commit", e.Status.SHA, p.SHA)
		differs("state", string(e.Status.State), p.State)
	}
}

func TestSchemasRefuse(t *testing.T) {
	t.Parallel()
	api := openAPI(t)
	pointer, err := api.responseSchema("GET", "/repos/{owner}/{repo}/labels/{name}", 200)
	if err != nil {
		t.Fatal(err)
	}
	good := `{"id":1,"node_id":"x","url":"https://example.com/","name":"bug","description":null,"color":"ff0000","default":false}`
	if err := api.check(pointer, []byte(good)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{`{}`, `{"id":"one","node_id":"x","url":"https://example.com/","name":"bug","description":null,"color":"ff0000","default":false}`, `[]`, `null`} {
		if api.check(pointer, []byte(bad)) == nil {
			t.Errorf("%s passed as a label", bad)
		}
	}
	if _, err := api.responseSchema("GET", "/repos/{owner}/{repo}", 418); err == nil {
		t.Error("an answer that GitHub does not give has a schema")
	}
	hooks := webhooks(t)
	if err := hooks.check("/definitions/push$event", []byte(`{"ref":"refs/heads/main"}`)); err == nil {
		t.Error("a push without anything else passed")
	}
}
