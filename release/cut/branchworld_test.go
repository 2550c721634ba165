package cut_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// desk is what a forge keeps besides git: issues, milestones, pull requests,
// protection. It lives in a file, so that it outlives a process that is killed.
// Each act is logged behind the state it leads to.
type desk struct {
	file string
	// lose makes the named act fail once, after it was done.
	lose string
}

type deskState struct {
	Milestones  []forge.Milestone
	Pulls       []forge.PullRequest
	Issues      []forge.Issue
	Protections map[string]forge.Protection
	Log         []string
}

func (d *desk) load() (s deskState, err error) {
	data, err := os.ReadFile(d.file)
	if errors.Is(err, os.ErrNotExist) {
		return deskState{Protections: map[string]forge.Protection{}}, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

func (d *desk) change(act string, f func(*deskState)) error {
	s, err := d.load()
	if err != nil {
		return err
	}
	f(&s)
	if act != "" {
		s.Log = append(s.Log, act)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file, data, 0o644); err != nil {
		return err
	}
	if d.lose != "" && strings.HasPrefix(act, d.lose) {
		d.lose = ""
		return fmt.Errorf("%s: %w", act, forge.ErrUnavailable)
	}
	return nil
}

func (d *desk) Issue(context.Context, forge.RepoName, int) (forge.Issue, error) {
	return forge.Issue{}, forge.ErrNotFound
}

func (d *desk) Issues(_ context.Context, _ forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error) {
	s, err := d.load()
	return slices.DeleteFunc(s.Issues, func(i forge.Issue) bool { return f.State == "open" && i.State != forge.StateOpen }), err
}

func (d *desk) CreateIssue(_ context.Context, _ forge.RepoName, n forge.NewIssue) (forge.Issue, error) {
	i := forge.Issue{Number: 9, Title: n.Title, State: forge.StateOpen}
	return i, d.change("issue "+n.Title, func(s *deskState) { s.Issues = append(s.Issues, i) })
}

func (d *desk) EditIssue(context.Context, forge.RepoName, int, forge.EditIssue) error {
	return errors.New("nobody edits issues here")
}

func (d *desk) Milestones(context.Context, forge.RepoName, string) ([]forge.Milestone, error) {
	s, err := d.load()
	return s.Milestones, err
}

func (d *desk) CreateMilestone(_ context.Context, _ forge.RepoName, m forge.Milestone) (forge.Milestone, error) {
	return m, d.change("milestone "+m.Title, func(s *deskState) { s.Milestones = append(s.Milestones, m) })
}

func (d *desk) EditMilestone(context.Context, forge.RepoName, forge.Milestone) error {
	return errors.New("nobody edits milestones here")
}

func (d *desk) PullRequests(_ context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error) {
	s, err := d.load()
	return slices.DeleteFunc(s.Pulls, func(p forge.PullRequest) bool {
		return f.Head != repo.Owner+":"+p.Head.Branch || f.Base != p.Base.Branch
	}), err
}

func (d *desk) CreatePullRequest(_ context.Context, _ forge.RepoName, n forge.NewPullRequest) (p forge.PullRequest, err error) {
	p = forge.PullRequest{Number: 1, Title: n.Title, Body: n.Body, HTMLURL: "https://forge.example/1"}
	p.Head.Branch, p.Base.Branch = n.Head, n.Base
	s, err := d.load()
	if err == nil && len(s.Pulls) > 0 {
		return p, fmt.Errorf("a pull request of %s: %w", n.Head, forge.ErrExists)
	}
	return p, d.change("pull "+n.Head, func(s *deskState) { s.Pulls = append(s.Pulls, p) })
}

func (d *desk) Protection(_ context.Context, _ forge.RepoName, branch string) (forge.Protection, error) {
	s, err := d.load()
	if p, ok := s.Protections[branch]; ok || err != nil {
		return p, err
	}
	return forge.Protection{}, forge.ErrNotFound
}

func (d *desk) Protect(_ context.Context, _ forge.RepoName, branch string, p forge.Protection) error {
	return d.change("protect "+branch, func(s *deskState) { s.Protections[branch] = p })
}

func branchProject() cut.Project {
	p := project()
	p.Policy.NoNextAlpha = true
	return p
}

// branchRules of the tests: everything there is.
func branchPlan(commit string, series release.Series) (release.BranchPlan, error) {
	rules := release.BranchRules{Milestone: "v{major}.{minor}", Protection: "copy", Replace: []release.Replacement{
		{File: "README.md", From: "# Halyard", To: "# Halyard {major}.{minor}", Where: "branch"},
		{File: "README.md", From: "# Halyard", To: "# Halyard {major}.{next_minor}", Where: "main"},
	}}
	p, err := release.NewBranchPlan(series, rules, commit, map[string]string{"README.md": "# Halyard\n\n2\n"})
	p.Contexts = map[string]string{"e2e-main": "e2e-0.1", "main-only": ""}
	p.Edit("branch", release.FileEdit{Path: "jobs/release-0.1.yaml", Text: "{}\n", New: true})
	return p, err
}

// branchOptions are those of a service that creates and moves branches.
func branchOptions(dir string, f cut.Forge, pages cut.Pages, b *blob.Bucket, j flow.Journal, d *desk) cut.Options {
	o := serviceOptions(dir, f, pages, b, j)
	o.Tracker, o.Changes, o.Protections = d, d, d
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return branchProject(), nil }
	o.Branching = func(_ context.Context, _ forge.RepoName, commit string, series release.Series) (release.BranchPlan, error) {
		return branchPlan(commit, series)
	}
	return o
}

func newDesk(t *testing.T, dir string) *desk {
	t.Helper()
	d := &desk{file: filepath.Join(dir, "desk.json")}
	must(t, d.change("", func(s *deskState) {
		s.Protections["main"] = forge.Protection{RequiredContexts: []string{"unit", "e2e-main", "main-only"}, PushLogins: []string{"bot"}, EnforceAdmins: true}
	}))
	return d
}

func (d *desk) state(t *testing.T) deskState {
	t.Helper()
	s, err := d.load()
	must(t, err)
	return s
}

// commitOn puts a commit on a branch of the origin, as a person would.
func commitOn(t *testing.T, dir, branch, file, text string) string {
	t.Helper()
	ctx := t.Context()
	repo, err := git.Open(ctx, filepath.Join(dir, "origin.git"))
	must(t, err)
	tip, err := repo.Resolve(ctx, "refs/heads/"+branch)
	must(t, err)
	tree, err := repo.EditTree(ctx, tip, []git.FileEdit{{Path: file, Content: []byte(text)}})
	must(t, err)
	person := git.Person{Name: "Ben", Email: "ben@harbour.example", Time: began.Add(-24 * time.Hour)}
	sha, err := repo.CommitTree(ctx, git.NewCommit{Tree: tree, Parents: []string{tip}, Message: "Change " + file + "\n", Author: person})
	must(t, err)
	must(t, repo.UpdateRef(ctx, "refs/heads/"+branch, sha, tip))
	return sha
}

func tagOn(t *testing.T, dir, name, commit string) {
	t.Helper()
	repo, err := git.Open(t.Context(), filepath.Join(dir, "origin.git"))
	must(t, err)
	person := git.Person{Name: "Ben", Email: "ben@harbour.example", Time: began.Add(-24 * time.Hour)}
	_, err = repo.CreateTag(t.Context(), git.NewTag{Name: name, Commit: commit, Message: name, Tagger: person})
	must(t, err)
}

func show(t *testing.T, dir, rev, file string) string {
	t.Helper()
	repo, err := git.Open(t.Context(), filepath.Join(dir, "origin.git"))
	must(t, err)
	text, err := repo.Show(t.Context(), rev, file)
	must(t, err)
	return string(text)
}

func tipAt(t *testing.T, dir, branch string) string {
	t.Helper()
	repo, err := git.Open(t.Context(), filepath.Join(dir, "origin.git"))
	must(t, err)
	tip, err := repo.Resolve(t.Context(), "refs/heads/"+branch)
	if errors.Is(err, git.ErrNotFound) {
		return ""
	}
	must(t, err)
	return tip
}
