package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
)

func TestPullRequestOpened(t *testing.T) {
	t.Parallel()
	p := newPier(t)
	e := pullEvent("d1", "opened", pull(7, sha("7")))
	p.handle(e)
	p.handle(e) // once more, as after a crash
	if diff := cmp.Diff([]string{"unit triggered", "quiet triggered"}, p.states()); diff != "" {
		t.Fatalf("executions (-want +got):\n%s", diff)
	}
	x := p.only("unit")
	want := job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: sha("a"),
		Pulls: []job.Pull{{Number: 7, Author: "ben", SHA: sha("7"), Title: "Add rope", HeadRef: "rope"}}}
	if diff := cmp.Diff(want, x.Refs); diff != "" {
		t.Errorf("refs (-want +got):\n%s", diff)
	}
	if x.Type != job.Presubmit || x.Path != "pr-logs/pull/harbour_halyard/7/unit/"+x.BuildID || x.Cause != "pull request opened" {
		t.Errorf("execution is %+v", x)
	}
	if diff := cmp.Diff([]string{"pending Job triggered. BaseSHA:" + sha("a"), "pending Job triggered. BaseSHA:" + sha("a")}, p.forge.said(sha("7"), "unit")); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	p.drain()
	if diff := cmp.Diff([]string{"unit success", "quiet success"}, p.states()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	if n := len(p.exec.Requests()); n != 2 {
		t.Errorf("%d programs ran, want 2", n)
	}
	if said := p.forge.said(sha("7"), "quiet"); said != nil {
		t.Errorf("a job that skips reports said %q", said)
	}
}

func TestEventsOfPullRequests(t *testing.T) {
	t.Parallel()
	newHead, draft, closed, labelled, moved := pull(7, sha("9")), pull(7, sha("7")), pull(7, sha("7")), pull(7, sha("7")), pull(7, sha("7"))
	draft.Draft = true
	closed.State = forge.StateClosed
	labelled.Labels = []string{"OK-to-test"}
	moved.Base.Branch = "release-1.0"
	open := pullEvent("d1", "opened", pull(7, sha("7")))
	label := pullEvent("d2", "labeled", labelled)
	label.Label = "ok-to-test"
	other := pullEvent("d2", "labeled", labelled)
	other.Label = "lgtm"
	tests := []struct {
		name      string
		untrusted bool
		events    []forge.Event
		want      []string
	}{
		{"synchronize", false, []forge.Event{open, pullEvent("d2", "synchronize", newHead)},
			[]string{"unit aborted", "quiet aborted", "unit triggered", "quiet triggered"}},
		{"an action that matters to others", false, []forge.Event{open, pullEvent("d2", "assigned", newHead)}, []string{"unit triggered", "quiet triggered"}},
		{"closed", false, []forge.Event{open, pullEvent("d2", "closed", closed)}, []string{"unit aborted", "quiet aborted"}},
		{"reopened", false, []forge.Event{open, pullEvent("d2", "closed", closed), pullEvent("d3", "reopened", pull(7, sha("7")))},
			[]string{"unit aborted", "quiet aborted", "unit triggered", "quiet triggered"}},
		{"draft", false, []forge.Event{pullEvent("d1", "opened", draft)}, nil},
		{"draft made ready", false, []forge.Event{pullEvent("d1", "opened", draft), pullEvent("d2", "ready_for_review", pull(7, sha("7")))},
			[]string{"unit triggered", "quiet triggered"}},
		{"made a draft", false, []forge.Event{open, pullEvent("d2", "converted_to_draft", draft)}, []string{"unit aborted", "quiet aborted"}},
		{"title edited", false, []forge.Event{open, pullEvent("d2", "edited", pull(7, sha("7")))}, []string{"unit triggered", "quiet triggered"}},
		{"base edited", false, []forge.Event{open, pullEvent("d2", "edited", moved)},
			[]string{"unit aborted", "quiet aborted", "unit triggered", "quiet triggered", "release triggered"}},
		{"untrusted author", true, []forge.Event{open}, nil},
		{"untrusted author, labelled", true, []forge.Event{open, label}, []string{"unit triggered", "quiet triggered"}},
		{"untrusted author, another label", true, []forge.Event{open, other}, nil},
		{"untrusted author pushes when labelled", true, []forge.Event{open, label, pullEvent("d3", "synchronize", labelled)},
			[]string{"unit aborted", "quiet aborted", "unit triggered", "quiet triggered"}},
		{"closed before it was looked at", false, []forge.Event{pullEvent("d1", "opened", closed)}, nil},
		{"an event of another kind", false, []forge.Event{{Kind: forge.EventIssueComment, Action: "created", Repo: halyard}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPier(t, func(o *Options) {
				o.Trusted = func(_ context.Context, _ forge.RepoName, login string) (bool, error) { return !tt.untrusted, nil }
			})
			for _, e := range tt.events {
				p.handle(e)
			}
			if diff := cmp.Diff(tt.want, p.states()); diff != "" {
				t.Errorf("executions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventFailsWhenTrustIsUnknown(t *testing.T) {
	t.Parallel()
	down := errors.New("forge is down")
	p := newPier(t, func(o *Options) {
		o.Trusted = func(context.Context, forge.RepoName, string) (bool, error) { return false, down }
	})
	if err := p.HandleEvent(context.Background(), pullEvent("d1", "opened", pull(7, sha("7")))); !errors.Is(err, down) {
		t.Errorf("got %v, want %v", err, down)
	}
}

func TestFilesOfThePullRequest(t *testing.T) {
	t.Parallel()
	p := newPier(t)
	p.forge.files[7] = []string{"main.go", "docs/rope.md"}
	p.handle(pullEvent("d1", "opened", pull(7, sha("7"))))
	if diff := cmp.Diff([]string{"unit triggered", "docs triggered", "quiet triggered"}, p.states()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"pending Job triggered."}, p.forge.said(sha("7"), "docs")); diff != "" {
		t.Errorf("status of an optional job (-want +got):\n%s", diff)
	}
}

func TestPushes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		push  forge.Push
		files []string
		want  []string // "JOB REF COMMIT"
	}{
		{"branch", forge.Push{Ref: "refs/heads/main", Before: sha("1"), After: sha("2")}, []string{"a.go"}, []string{"publish main " + sha("2")}},
		{"files that matter", forge.Push{Ref: "refs/heads/main", Before: sha("1"), After: sha("2")}, []string{"docs/a"},
			[]string{"publish main " + sha("2"), "site main " + sha("2")}},
		{"new branch", forge.Push{Ref: "refs/heads/main", Before: git.ZeroSHA, After: sha("2")}, []string{"docs/a"}, []string{"publish main " + sha("2")}},
		{"branch without jobs", forge.Push{Ref: "refs/heads/topic", Before: sha("1"), After: sha("2")}, []string{"docs/a"}, nil},
		{"annotated tag", forge.Push{Ref: "refs/tags/v1.0.0", Before: git.ZeroSHA, After: sha("e")}, nil, []string{"publish v1.0.0 " + sha("c")}},
		{"deleted branch", forge.Push{Ref: "refs/heads/main", Before: sha("1"), After: git.ZeroSHA}, nil, nil},
		{"neither branch nor tag", forge.Push{Ref: "refs/notes/main", Before: sha("1"), After: sha("2")}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPier(t)
			p.forge.pushed = tt.files
			e := forge.Event{Delivery: "d1", Kind: forge.EventPush, Repo: halyard, Sender: "ada", Push: &tt.push}
			p.handle(e)
			p.handle(e)
			var got []string
			all, err := p.Executions(context.Background(), job.ExecutionFilter{Type: job.Postsubmit})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range slices.Backward(all) {
				got = append(got, x.Job+" "+x.Refs.BaseRef+" "+x.Refs.BaseSHA)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("executions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := []struct {
		name string
		r    Request
		want []string // "TYPE JOB PULL_REFS"
		err  error
	}{
		{"all that run", Request{Pull: 7}, []string{"presubmit unit main:" + sha("a") + ",7:" + sha("7"), "presubmit quiet main:" + sha("a") + ",7:" + sha("7")}, nil},
		{"by name", Request{Pull: 7, Jobs: []string{"manual"}}, []string{"presubmit manual main:" + sha("a") + ",7:" + sha("7")}, nil},
		{"on a base", Request{Pull: 7, Jobs: []string{"unit"}, BaseSHA: sha("d")}, []string{"presubmit unit main:" + sha("d") + ",7:" + sha("7")}, nil},
		{"batch", Request{Pull: 7, Batch: []int{8}, Jobs: []string{"unit"}}, []string{"batch unit main:" + sha("a") + ",7:" + sha("7") + ",8:" + sha("8")}, nil},
		{"postsubmits", Request{Branch: "main"}, []string{"postsubmit publish main:" + sha("a")}, nil},
		{"postsubmit of a tag", Request{Branch: "v1.0.0", Jobs: []string{"publish"}}, []string{"postsubmit publish v1.0.0:" + sha("c")}, nil},
		{"no such job", Request{Pull: 7, Jobs: []string{"unit", "nope"}}, nil, ErrNoJob},
		{"a job of another branch", Request{Pull: 7, Jobs: []string{"release"}}, nil, ErrNoJob},
		{"no such pull request", Request{Pull: 99}, nil, forge.ErrNotFound},
		{"no such branch", Request{Branch: "nope"}, nil, forge.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPier(t)
			tt.r.Repo = halyard
			started, err := p.Start(ctx, tt.r)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			var got []string
			for _, e := range started {
				got = append(got, string(e.Type)+" "+e.Job+" "+e.Refs.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("executions (-want +got):\n%s", diff)
			}
			if said := len(p.forge.statuses); tt.r.Batch != nil && said > 0 {
				t.Errorf("a batch set %d statuses", said)
			}
			if len(p.queue) != len(tt.want) {
				t.Errorf("%d queued, want %d", len(p.queue), len(tt.want))
			}
		})
	}
}

func TestStartTakesTheConfigurationOfTheBase(t *testing.T) {
	t.Parallel()
	var asked []string
	p := newPier(t)
	jobs := p.o.Jobs
	p.o.Jobs = func(ctx context.Context, repo forge.RepoName, sha string) (job.Config, error) {
		asked = append(asked, sha)
		return jobs(ctx, repo, sha)
	}
	if _, err := p.Start(context.Background(), Request{Repo: halyard, Pull: 7}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{sha("a")}, asked); diff != "" {
		t.Errorf("commits asked for (-want +got):\n%s", diff)
	}
}

func TestStartTwice(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	r := Request{Repo: halyard, Pull: 7, Jobs: []string{"unit"}, Key: "comment/1"}
	one, err := p.Start(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	two, err := p.Start(ctx, r)
	if err != nil || two[0].ID != one[0].ID {
		t.Errorf("the same key gave %s and %s (%v)", one[0].ID, two[0].ID, err)
	}
	r.Key = "comment/2"
	if _, err := p.Start(ctx, r); err != nil {
		t.Fatal(err)
	}
	r.Pull = 8 // another pull request is left alone
	r.Key = "comment/3"
	if _, err := p.Start(ctx, r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"unit aborted", "unit triggered", "unit triggered"}, p.states()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	// The one that was replaced says nothing of the commit any more.
	if said := p.forge.said(sha("7"), "unit"); !strings.HasPrefix(said[len(said)-1], "pending") {
		t.Errorf("the last status is %q", said[len(said)-1])
	}
}

func TestStartIsCompletedAfterTheForgeWasDown(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.forge.down(forge.ErrUnavailable)
	r := Request{Repo: halyard, Pull: 7, Key: "k"}
	if _, err := p.Start(ctx, r); !errors.Is(err, forge.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, forge.ErrUnavailable)
	}
	p.forge.down(nil)
	if _, err := p.Start(ctx, r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"unit triggered", "quiet triggered"}, p.states()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	if len(p.queue) != 2 || len(p.forge.said(sha("7"), "unit")) != 1 {
		t.Errorf("%d queued, statuses %q", len(p.queue), p.forge.said(sha("7"), "unit"))
	}
}

func TestRerun(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", failed, ok)
	p.handle(pullEvent("d1", "opened", pull(7, sha("7"))))
	p.drain()
	first := p.only("unit")
	p.forge.branches["main"] = sha("f") // moved meanwhile; the rerun does not care
	again, err := p.Rerun(ctx, first.ID, "ada")
	if err != nil {
		t.Fatal(err)
	}
	p.drain()
	second := p.only("unit")
	if second.ID != again.ID || second.ID == first.ID || second.BuildID <= first.BuildID || second.Cause != "rerun by ada" {
		t.Errorf("rerun is %+v", second)
	}
	if diff := cmp.Diff(first.Refs, second.Refs); diff != "" {
		t.Errorf("refs (-first +second):\n%s", diff)
	}
	want := []string{"pending Job triggered.", "pending Job running.", "failure Job failed.", "pending Job triggered.", "pending Job running.", "success Job succeeded."}
	for i := range want {
		want[i] += " BaseSHA:" + sha("a")
	}
	if diff := cmp.Diff(want, p.forge.said(sha("7"), "unit")); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	// Executing the old one once more, as a queue may, says nothing.
	if err := p.Execute(ctx, first.ID); err != nil {
		t.Fatal(err)
	}
	if got := p.forge.said(sha("7"), "unit"); len(got) != len(want) {
		t.Errorf("an old execution said %q", got[len(want):])
	}
	if _, err := p.Rerun(ctx, "nope", "ada"); err == nil {
		t.Error("an execution that does not exist is rerun")
	}
}

func TestPeriodics(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	periodics, err := p.Periodics(ctx, halyard)
	if err != nil || len(periodics) != 1 || periodics[0].Name != "nightly" {
		t.Fatalf("periodics are %v, %v", periodics, err)
	}
	due := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	one, err := p.StartPeriodic(ctx, halyard, "nightly", due)
	if err != nil {
		t.Fatal(err)
	}
	if one.Type != job.Periodic || one.Path != "logs/nightly/"+one.BuildID || one.Extra[0].BaseRef != "main" || one.Report {
		t.Errorf("execution is %+v", one)
	}
	for name, at := range map[string]time.Time{"the same time": due, "a later time while it goes on": due.AddDate(0, 0, 1)} {
		if two, err := p.StartPeriodic(ctx, halyard, "nightly", at); err != nil || two.ID != one.ID {
			t.Errorf("%s gave %s, %v; want %s", name, two.ID, err, one.ID)
		}
	}
	p.drain()
	if two, err := p.StartPeriodic(ctx, halyard, "nightly", due); err != nil || two.ID != one.ID || two.State != job.Success {
		t.Errorf("the same time after it ended gave %s %s, %v", two.ID, two.State, err)
	}
	if three, err := p.StartPeriodic(ctx, halyard, "nightly", due.AddDate(0, 0, 1)); err != nil || three.ID == one.ID {
		t.Errorf("the next day gave %s, %v", three.ID, err)
	}
	if _, err := p.StartPeriodic(ctx, halyard, "nope", due); !errors.Is(err, ErrNoJob) {
		t.Errorf("got %v, want %v", err, ErrNoJob)
	}
	if len(p.forge.statuses) != 0 {
		t.Errorf("a periodic set %v", p.forge.statuses)
	}
}
