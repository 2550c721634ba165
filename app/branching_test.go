package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release/cut"
)

// branchable says how a release branch is forked.
const branchable = `version: 1 # the form
jobs:
  presubmits:
  - name: pull-unit
    context: unit
    always_run: true
    spec: {containers: [{image: none, command: ["test", "!", "-e", "broken"]}]}
  - name: pull-e2e-main
    branches: [^main$]
    optional: true
    spec: {containers: [{image: none, command: ["true"]}]}
  postsubmits:
  - name: post-e2e
    branches: [^main$]
    spec: {containers: [{image: none, command: ["true"]}]}
merge:
  milestone: {main: v0.1}
release:
  branches: {require: [cherry-pick-approved], replace: [{file: VERSION, from: "{major}.{minor}", to: "{major}.{next_minor}", where: main}]}
  gates: {rehearsal: optional, green: [post-e2e]}
grid:
  dashboards: [{name: main-blocking, jobs: [post-e2e]}]
`

// A branch is created on the platform's own forge, by its API and by git alone.
func TestBranchIsForked(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(map[string]string{"seaworthy.yaml": branchable, "VERSION": "0.1-dev\n", "OWNERS": "approvers: [ada]\n"})
	p.settled()
	ctx := t.Context()
	asked := forge.Protection{RequiredContexts: []string{"unit", "pull-e2e-main"}, PushLogins: []string{app.BotLogin}, EnforceAdmins: true}
	p.must(p.Forge.Protect(ctx, halyard, "main", asked))

	r, err := p.Releases.CreateBranch(ctx, cut.BranchRequest{Repo: halyard, Branch: "release-0.1", Actor: "ada"})
	p.must(err)
	state, err := p.Releases.Drive(ctx, r.ID, flow.DriveOptions{})
	p.must(err)
	if state != flow.Succeeded {
		t.Fatalf("the run is %s", state)
	}
	have, err := p.Forge.Protection(ctx, halyard, "release-0.1")
	p.must(err)
	want := asked
	want.RequiredContexts = []string{"unit", "pull-e2e-0.1"}
	slices.Sort(have.RequiredContexts)
	slices.Sort(want.RequiredContexts)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("protection:\n%s", diff)
	}
	stones, err := p.Forge.Milestones(ctx, halyard, "open")
	p.must(err)
	var titles []string
	for _, m := range stones {
		titles = append(titles, m.Title)
	}
	slices.Sort(titles)
	if !slices.Equal(titles, []string{"v0.1", "v0.2"}) {
		t.Errorf("milestones: %q", titles)
	}

	// What the branch runs.
	tip, err := p.Forge.Branch(ctx, halyard, "release-0.1")
	p.must(err)
	on, err := p.Project(ctx, halyard, tip.SHA)
	p.must(err)
	var runs []string
	for _, j := range on.Jobs.All() {
		if j.RunsOn("release-0.1") {
			runs = append(runs, j.Context)
		}
	}
	if !slices.Equal(runs, []string{"unit", "pull-e2e-0.1", "post-e2e-0-1"}) || !slices.Equal(on.Release.Gates.Green, []string{"post-e2e-0-1"}) {
		t.Errorf("on the branch run %q, and %q must be green", runs, on.Release.Gates.Green)
	}

	// What main is asked to know.
	pulls, err := p.Forge.PullRequests(ctx, halyard, forge.PullFilter{})
	p.must(err)
	if len(pulls) != 1 || pulls[0].Base.Branch != "main" || !strings.Contains(pulls[0].Body, "release-0.1") {
		t.Fatalf("pull requests: %+v", pulls)
	}
	then, err := p.Project(ctx, halyard, pulls[0].Head.SHA)
	p.must(err)
	if diff := cmp.Diff(map[string]string{"main": "v0.2", "release-0.1": "v0.1"}, then.Merge.Milestone); diff != "" {
		t.Errorf("milestones of merged changes:\n%s", diff)
	}
	if len(then.Grid.Dashboards) != 2 || then.Grid.Dashboards[1].Name != "0.1-blocking" || then.Merge.Branches["release-0.1"].Require[0] != "cherry-pick-approved" {
		t.Errorf("then main has %+v and %+v", then.Grid.Dashboards, then.Merge.Branches)
	}
	file, err := p.Forge.File(ctx, halyard, "VERSION", pulls[0].Head.SHA)
	p.must(err)
	if string(file) != "0.2-dev\n" {
		t.Errorf("VERSION: %q", file)
	}

	// The branch moves on to main. It is protected, but not from the platform.
	_, err = p.push(halyard, "ada", "main", "main", "More\n", map[string]string{"more": "x\n"})
	if err == nil {
		t.Error("main takes a push that is no pull request")
	}
	open := asked
	open.PushLogins, open.EnforceAdmins = []string{app.BotLogin, "ada"}, false
	p.must(p.Forge.Protect(ctx, halyard, "main", open))
	_, err = p.push(halyard, "ada", "main", "main", "More\n", map[string]string{"more": "x\n"})
	p.must(err)
	r, err = p.Releases.FastForward(ctx, cut.FastForwardRequest{Repo: halyard, Actor: "ada"})
	p.must(err)
	state, err = p.Releases.Drive(ctx, r.ID, flow.DriveOptions{})
	p.must(err)
	m, _, err := p.Releases.Movement(ctx, r.ID)
	p.must(err)
	moved, err := p.Forge.Branch(ctx, halyard, "release-0.1")
	p.must(err)
	if state != flow.Succeeded || !m.Merged || m.To != moved.SHA || m.From != tip.SHA {
		t.Errorf("%s, %+v, and the branch is at %s", state, m, moved.SHA)
	}
}
