package app_test

import (
	"strings"
	"testing"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// A library without a program is released as source.
func TestReleaseOfALibrary(t *testing.T) {
	t.Parallel()
	releaseLibrary(t)
}

// releaseLibrary releases one on a platform.
func releaseLibrary(t *testing.T, changes ...change) {
	t.Helper()
	p := open(t, t.TempDir(), changes...)
	p.populate(map[string]string{
		"seaworthy.yaml": configuration, "go.mod": module, "halyard.go": "package halyard\n", "OWNERS": sources["OWNERS"],
	})
	p.settled()
	if err := releaseIt(t.Context(), p.App); err != nil {
		t.Fatal(err)
	}
	pages, err := p.Forge.Releases(t.Context(), halyard)
	p.must(err)
	if len(pages) != 1 || pages[0].Draft {
		t.Fatalf("release pages: %+v", pages)
	}
	var names []string
	for _, a := range pages[0].Assets {
		names = append(names, a.Name)
	}
	all := strings.Join(names, " ")
	if !strings.Contains(all, "src.tar.gz") && !strings.Contains(all, "source") || strings.Contains(all, "linux") {
		t.Errorf("assets: %s", all)
	}
}

// gate is one gate of the verdict over main as it is now.
func (p *platform) gate(name string) release.Gate {
	p.t.Helper()
	plan, err := p.Releases.Plan(p.t.Context(), cut.StageRequest{Repo: halyard, Branch: "main", Kind: release.Alpha})
	p.must(err)
	verdict, err := p.Releases.Verdict(p.t.Context(), plan)
	p.must(err)
	for _, g := range verdict.Gates {
		if g.Name == name {
			return g
		}
	}
	return release.Gate{}
}

// A release waits for the results of its very commit, and for blockers.
func TestGates(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	failing := strings.Replace(configuration, `["test", "-e", "OWNERS"]`, `["test", "-e", "missing"]`, 1)
	p.populate(map[string]string{"seaworthy.yaml": failing, "OWNERS": sources["OWNERS"]})
	p.settled()
	if g := p.gate("checks"); g.State == release.Go || !strings.Contains(g.Why, "post-unit") {
		t.Errorf("with a red postsubmit: %+v", g)
	}
	if g := p.gate("blockers"); g.State != release.Go {
		t.Errorf("without blockers: %+v", g)
	}
	blocker, err := p.as["ada"].CreateIssue(t.Context(), halyard, forge.NewIssue{Title: "It leaks", Labels: []string{"tide/merge-blocker"}})
	p.must(err)
	if g := p.gate("blockers"); g.State == release.Go || !strings.Contains(g.Why, "1") {
		t.Errorf("with a blocker: %+v", g)
	}
	closed := forge.StateClosed
	p.must(p.as["ada"].EditIssue(t.Context(), halyard, blocker.Number, forge.EditIssue{State: &closed}))
	if g := p.gate("blockers"); g.State != release.Go {
		t.Errorf("with the blocker closed: %+v", g)
	}

	// Mended, the new tip is judged by its own results.
	_, err = p.Forge.PutFile(t.Context(), halyard, "missing", "main", "Find it", []byte("here\n"))
	p.must(err)
	p.settled()
	p.until("the gate is green", func() bool { return p.gate("checks").State == release.Go })

	// A repository without jobs has nothing to be judged by.
	_, err = p.Forge.PutFile(t.Context(), halyard, "seaworthy.yaml", "main", "No jobs", []byte("version: 1\n"))
	p.must(err)
	p.settled()
	if g := p.gate("checks"); g.Name != "" {
		t.Errorf("without jobs: %+v", g)
	}
	// More results in a row than there are.
	twice := strings.Replace(configuration, "rehearsal: optional", "rehearsal: optional, runs: 2", 1)
	_, err = p.Forge.PutFile(t.Context(), halyard, "seaworthy.yaml", "main", "Twice", []byte(twice))
	p.must(err)
	p.settled()
	if g := p.gate("checks"); g.State == release.Go || g.Name == "" {
		t.Errorf("with one of two results: %+v", g)
	}
}

// Where releases come from is read from the history.
func TestNumbering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		refs  []string
		trunk bool
	}{
		{"new", nil, false},
		{"finals on the main branch", []string{"refs/tags/v1.0.0", "refs/tags/v1.1.0"}, true},
		{"only pre-releases", []string{"refs/tags/v1.0.0-alpha.1"}, false},
		{"release branches", []string{"refs/tags/v1.0.0", "refs/heads/release-1.0"}, false},
		{"tags of another kind", []string{"refs/tags/1.0.0", "refs/tags/nightly"}, false},
		{"branches of another kind", []string{"refs/tags/v1.0.0", "refs/heads/release-candidate"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := open(t, t.TempDir())
			repo := repository(t, "main", map[string]string{"seaworthy.yaml": configuration})
			for _, ref := range c.refs {
				p.must(repo.UpdateRef(t.Context(), ref, "HEAD", ""))
			}
			p.must(p.Import(t.Context(), halyard, repo.Dir, ""))
			project, err := p.Project(t.Context(), halyard, "")
			p.must(err)
			policy, err := p.Numbering(t.Context(), halyard, project)
			p.must(err)
			if policy.Trunk != c.trunk || policy.Prefix != "v" {
				t.Errorf("policy %+v, want trunk %v", policy, c.trunk)
			}
		})
	}
}

// Only who holds the role approves.
func TestApprove(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	asks := strings.Replace(buildable, "{rehearsal: optional}", "{rehearsal: optional, approvals: [{role: captain, logins: [ada]}]}", 1)
	p.populate(map[string]string{"seaworthy.yaml": asks, "README.md": "halyard\n", "OWNERS": sources["OWNERS"]})
	p.settled()
	if err := releaseIt(t.Context(), p.App); err == nil || !strings.Contains(err.Error(), string(flow.Waiting)) {
		t.Fatalf("a cut that needs approval: %v", err)
	}
	runs, err := p.Store.Runs(t.Context(), flow.RunFilter{Flow: "cut"})
	p.must(err)
	id := runs[0].ID
	if err := p.Approve(t.Context(), id, "captain", "ben", "why not"); err == nil || !strings.Contains(err.Error(), "ada") {
		t.Errorf("ben approves: %v", err)
	}
	p.must(p.Approve(t.Context(), id, "captain", "ADA", "it is good"))
	state, err := p.Releases.Drive(t.Context(), id, flow.DriveOptions{})
	if err != nil || state != flow.Succeeded {
		t.Errorf("after the approval: %s, %v", state, err)
	}
}
