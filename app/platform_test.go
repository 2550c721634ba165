package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/git"
	"seaworthy/job"
)

var halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}

// configuration tests with programs that take no time.
const configuration = `version: 1
jobs:
  presubmits:
  - name: pull-unit
    context: unit
    always_run: true
    spec: {containers: [{image: none, command: ["test", "!", "-e", "broken"]}]}
  postsubmits:
  - name: post-unit
    spec: {containers: [{image: none, command: ["test", "-e", "OWNERS"]}]}
merge:
  method: squash
  milestone: {main: v0.1}
release:
  gates: {rehearsal: optional}
`

// sources is the repository the tests begin with.
var sources = map[string]string{
	"seaworthy.yaml": configuration,
	"OWNERS":         "approvers: [ada]\nreviewers: [cho]\n",
	"docs/OWNERS":    "approvers: [dee]\nreviewers: [cho]\n",
	"docs/guide.md":  "Belay.\n",
	"README.md":      "halyard\n",
}

// patience bounds every wait; it is long because machines are busy.
const patience = 120 * time.Second

// platform is a whole platform in this process, and people who use it.
type platform struct {
	*app.App
	t      testing.TB
	dir    string
	base   string // where people go; the platform's own address
	as     map[string]*github.Client
	tokens map[string]string
	stop   func()
}

// change alters the options a platform is opened with.
type change func(*app.Options)

// open starts a platform on a folder and stops it when the test ends.
func open(t testing.TB, dir string, changes ...change) *platform {
	t.Helper()
	o := app.Options{Dir: dir, Addr: "127.0.0.1:0", Log: testLog(t)}
	for _, c := range changes {
		c(&o)
	}
	a, err := app.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{App: a, t: t, dir: dir, base: a.URL(), tokens: map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, a.Close()); err != nil {
			t.Errorf("stopping the platform: %v", err)
		}
	}
	t.Cleanup(p.stop)
	return p
}

// testLog shows what went wrong when a test fails.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// people are the accounts of the tests; ada may do everything.
var people = []string{"ada", "ben", "cho", "dee"}

// populate makes people and a repository, pushed with git and served.
func (p *platform) populate(files map[string]string) {
	p.t.Helper()
	p.enlist()
	p.found(halyard, files)
}

func (p *platform) enlist() {
	p.t.Helper()
	for _, login := range people {
		token, err := p.AddUser(p.t.Context(), forge.User{Login: login, Email: login + "@harbour.test"}, login == "ada")
		p.must(err)
		p.tokens[login] = token
	}
	p.befriend()
}

// befriend gives people, whose tokens are known, a client each.
func (p *platform) befriend() {
	p.t.Helper()
	p.as = map[string]*github.Client{}
	for login, token := range p.tokens {
		c, err := github.New(github.Options{BaseURL: p.base + "/api/v3/", UploadURL: p.base + "/api/uploads/", Token: token})
		p.must(err)
		p.as[login] = c
	}
}

// meet makes the people of an earlier platform on the same folder known here.
func (p *platform) meet(earlier *platform) {
	p.t.Helper()
	p.tokens = earlier.tokens
	p.befriend()
}

// found makes a repository, pushes its first commit and has it served.
func (p *platform) found(name forge.RepoName, files map[string]string) string {
	p.t.Helper()
	_, err := p.as["ada"].CreateRepo(p.t.Context(), forge.NewRepo{RepoName: name, DefaultBranch: "main"})
	p.must(err)
	for _, login := range people {
		p.must(p.as["ada"].AddCollaborator(p.t.Context(), name, login, "push"))
	}
	p.must(p.Serve(p.t.Context(), name))
	first, err := p.push(name, "ada", "main", "", "Begin", files)
	p.must(err)
	p.until("main is protected", func() bool {
		b, err := p.Forge.Branch(p.t.Context(), name, "main")
		return err == nil && b.Protected
	})
	return first
}

// push commits files on top of a branch (or of nothing) with git, and pushes
// them to a branch as somebody.
func (p *platform) push(name forge.RepoName, who, branch, base, message string, files map[string]string) (string, error) {
	p.t.Helper()
	ctx, auth := p.t.Context(), git.Auth{User: who, Token: p.tokens[who]}
	repo, err := git.Clone(ctx, p.base+"/"+name.String()+".git", filepath.Join(p.t.TempDir(), "clone.git"), git.CloneOptions{Bare: true, Auth: auth})
	p.must(err)
	parent := ""
	if base != "" {
		parent, err = repo.Resolve(ctx, "refs/heads/"+base)
		p.must(err)
	}
	var edits []git.FileEdit
	for path, text := range files {
		edits = append(edits, git.FileEdit{Path: path, Content: []byte(text)})
	}
	tree, err := repo.EditTree(ctx, parent, edits)
	p.must(err)
	c := git.NewCommit{Tree: tree, Message: message, Author: git.Person{Name: who, Email: who + "@harbour.test", Time: time.Now()}}
	if parent != "" {
		c.Parents = []string{parent}
	}
	sha, err := repo.CommitTree(ctx, c)
	p.must(err)
	return sha, repo.Push(ctx, "origin", git.PushOptions{}, sha+":refs/heads/"+branch)
}

// propose pushes a change and opens a pull request for it.
func (p *platform) propose(who, branch string, files map[string]string) forge.PullRequest {
	p.t.Helper()
	_, err := p.push(halyard, who, branch, "main", "Change "+branch, files)
	p.must(err)
	pr, err := p.as[who].CreatePullRequest(p.t.Context(), halyard, forge.NewPullRequest{
		Title: "Change " + branch, Head: branch, Base: "main", Body: "```release-note\nNONE\n```",
	})
	p.must(err)
	return pr
}

func (p *platform) say(who string, number int, body string) {
	p.t.Helper()
	_, err := p.as[who].CreateComment(p.t.Context(), halyard, number, body)
	p.must(err)
}

// pull looks at a pull request.
func (p *platform) pull(number int) forge.PullRequest {
	p.t.Helper()
	pr, err := p.Forge.PullRequest(p.t.Context(), halyard, number)
	p.must(err)
	return pr
}

// status looks at one context of a commit.
func (p *platform) status(sha, name string) forge.Status {
	p.t.Helper()
	all, err := p.Forge.Statuses(p.t.Context(), halyard, sha)
	p.must(err)
	i := slices.IndexFunc(all, func(s forge.Status) bool { return s.Context == name })
	if i < 0 {
		return forge.Status{}
	}
	return all[i]
}

func (p *platform) executions(f job.ExecutionFilter) []job.Execution {
	p.t.Helper()
	all, err := p.Runs.Executions(p.t.Context(), f)
	p.must(err)
	return all
}

// until waits for a condition, which is asked for whenever the platform
// changes something. The ticker is for what other processes change.
func (p *platform) until(what string, holds func() bool) {
	p.t.Helper()
	changed, stop := p.Hub.Subscribe("*")
	defer stop()
	anyway := time.NewTicker(time.Second)
	defer anyway.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for !holds() {
		select {
		case <-changed:
		case <-anyway.C:
		case <-late.C:
			p.t.Fatalf("in %s it did not come about that %s\n%s", patience, what, p.story())
		}
	}
}

// settled waits until every stored event was handled and nothing runs.
func (p *platform) settled() {
	p.t.Helper()
	p.until("everything is handled", func() bool {
		p.must(p.Idle(p.t.Context()))
		events, err := p.Store.UnhandledEvents(p.t.Context())
		p.must(err)
		return len(events) == 0 && len(p.executions(job.ExecutionFilter{States: []job.State{job.Triggered, job.Pending}})) == 0
	})
}

// story tells what the platform did, for a test that waits in vain.
func (p *platform) story() string {
	var b strings.Builder
	for _, e := range p.executions(job.ExecutionFilter{}) {
		fmt.Fprintf(&b, "%s %s %s %s %q\n", e.BuildID, e.Job, e.State, e.Cause, e.Description)
	}
	events, err := p.Store.UnhandledEvents(p.t.Context())
	fmt.Fprintf(&b, "%d events are not handled (%v)\n", len(events), err)
	runs, err := p.Store.Runs(p.t.Context(), flow.RunFilter{})
	for _, r := range runs {
		line, err := p.Releases.Status(p.t.Context(), r.ID)
		fmt.Fprintf(&b, "%s is %s: %s (%v)\n", r.Flow, r.State, line.Sentence, err)
	}
	fmt.Fprintf(&b, "%d runs (%v)\n", len(runs), err)
	return b.String()
}

func (p *platform) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// write makes files below a folder.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
