package cut_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release/cut"
)

func createBranch(t *testing.T, s *cut.Service, r cut.BranchRequest) flow.Run {
	t.Helper()
	r.Repo, r.Actor = halyard, "ada"
	run, err := s.CreateBranch(t.Context(), r)
	must(t, err)
	return run
}

func TestCreateBranchDoesTheWholeList(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	d := newDesk(t, p.dir)
	s := newService(t, branchOptions(p.dir, p.forge, p.forge, p.bucket, &flow.Memory{}, d))
	main := tipAt(t, p.dir, "main")

	// A rehearsal changes nothing.
	run := createBranch(t, s, cut.BranchRequest{Branch: "release-0.1", Mock: true})
	drive(t, s, run.ID, flow.Succeeded)
	if tipAt(t, p.dir, "release-0.1") != "" || tipAt(t, p.dir, "after-release-0.1") != "" || len(d.state(t).Log) > 0 {
		t.Errorf("the rehearsal did %v", d.state(t).Log)
	}

	run = createBranch(t, s, cut.BranchRequest{Branch: "release-0.1"})
	drive(t, s, run.ID, flow.Succeeded)
	if tipAt(t, p.dir, "main") != main {
		t.Error("the default branch was changed without a pull request")
	}
	for rev, want := range map[string]string{"release-0.1": "# Halyard 0.1\n\n2\n", "after-release-0.1": "# Halyard 0.2\n\n2\n"} {
		if got := show(t, p.dir, "refs/heads/"+rev, "README.md"); got != want {
			t.Errorf("%s holds %q, want %q", rev, got, want)
		}
	}
	if show(t, p.dir, "refs/heads/release-0.1", "jobs/release-0.1.yaml") != "{}\n" {
		t.Error("the jobs are not there")
	}
	state := d.state(t)
	want := forge.Protection{RequiredContexts: []string{"unit", "e2e-0.1"}, PushLogins: []string{"bot"}, EnforceAdmins: true}
	if diff := cmp.Diff(want, state.Protections["release-0.1"]); diff != "" {
		t.Errorf("protection:\n%s", diff)
	}
	slices.Sort(state.Log[:3]) // in any order; the proposal comes last
	if diff := cmp.Diff([]string{"milestone v0.1", "milestone v0.2", "protect release-0.1", "pull after-release-0.1"}, state.Log); diff != "" {
		t.Errorf("done at the forge:\n%s", diff)
	}
	if plan, known, err := s.BranchPlan(t.Context(), run.ID); err != nil || !known || plan.Series.Version() != "0.1" {
		t.Errorf("the plan: %+v, %v, %v", plan, known, err)
	}

	// Once more, by another run, when main has gone on: everything is there.
	commitOn(t, p.dir, "main", "later", "x\n")
	again := createBranch(t, s, cut.BranchRequest{Branch: "release-0.1"})
	drive(t, s, again.ID, flow.Succeeded)
	later := d.state(t)
	slices.Sort(later.Log[:3])
	if diff := cmp.Diff(state, later); diff != "" {
		t.Errorf("the second run did something:\n%s", diff)
	}
	if pushes := acts(t, p.dir, p.forge); len(slices.DeleteFunc(pushes, func(a string) bool { return !strings.HasPrefix(a, "push ") })) != 2 {
		t.Errorf("pushed: %v", pushes)
	}
}

// A branch that somebody has committed to is set up on top of that; where they
// changed the same, nothing is forced.
func TestCreateBranchMovedMeanwhile(t *testing.T) {
	t.Parallel()
	for file, works := range map[string]bool{"other": true, "README.md": false} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			d := newDesk(t, p.dir)
			s := newService(t, branchOptions(p.dir, p.forge, p.forge, p.bucket, &flow.Memory{}, d))
			run := createBranch(t, s, cut.BranchRequest{Branch: "release-0.1"})
			if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: "create"}); err != nil {
				t.Fatal(err)
			}
			theirs := commitOn(t, p.dir, "release-0.1", file, "theirs\n")
			state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
			if works {
				if err != nil || show(t, p.dir, "refs/heads/release-0.1", file) != "theirs\n" || !strings.HasPrefix(show(t, p.dir, "refs/heads/release-0.1", "README.md"), "# Halyard 0.1") {
					t.Errorf("%s: %v", state, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "was changed meanwhile") || tipAt(t, p.dir, "release-0.1") != theirs {
				t.Errorf("%s: %v", state, err)
			}
		})
	}
}

// An answer that is lost after the act is no second act.
func TestCreateBranchSurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	for _, act := range []string{"branch", "protect", "milestone v0.1", "milestone v0.2", "pull"} {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			d := newDesk(t, p.dir)
			d.lose = act
			f := countedForge{p.forge, d}
			s := newService(t, branchOptions(p.dir, f, f, p.bucket, &flow.Memory{}, d))
			run := createBranch(t, s, cut.BranchRequest{Branch: "release-0.1"})
			drive(t, s, run.ID, flow.Succeeded)
			if log := d.state(t).Log; len(log) != 5 || d.lose != "" {
				t.Errorf("done: %v", log)
			}
		})
	}
}

func TestCreateBranchLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := branchOptions(p.dir, p.forge, p.forge, p.bucket, &flow.Memory{}, newDesk(t, p.dir))
	s := newService(t, o)
	// The branch of the proposal is somebody's.
	must(t, p.forge.CreateBranch(t.Context(), halyard, "after-release-0.1", tipAt(t, p.dir, "main")))
	run := createBranch(t, s, cut.BranchRequest{Branch: "release-0.1"})
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{}); err == nil || !strings.Contains(err.Error(), "after-release-0.1 is there and holds something else") {
		t.Errorf("got %v", err)
	}
	// A forge that keeps nothing but git, and a branch that is no release branch.
	o.Tracker, o.Changes, o.Protections = nil, nil, nil
	s = newService(t, o)
	for _, branch := range []string{"release-0.2", "feature"} {
		run := createBranch(t, s, cut.BranchRequest{Branch: branch})
		drive(t, s, run.ID, flow.Succeeded)
		if tipAt(t, p.dir, branch) == "" {
			t.Errorf("%s was not created", branch)
		}
	}
	if tipAt(t, p.dir, "feature") != tipAt(t, p.dir, "main") {
		t.Error("a branch that is no release branch was set up as one")
	}
}
