package cut_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// branched is a place with release-0.1 where main was, and main one further.
func branched(t *testing.T) (*place, *desk, cut.Options) {
	t.Helper()
	p := newPlace(t)
	d := newDesk(t, p.dir)
	must(t, p.forge.CreateBranch(t.Context(), halyard, "release-0.1", tipAt(t, p.dir, "main")))
	commitOn(t, p.dir, "main", "new", "new\n")
	return p, d, branchOptions(p.dir, p.forge, p.forge, p.bucket, &flow.Memory{}, d)
}

func fastForward(t *testing.T, s *cut.Service, r cut.FastForwardRequest) (flow.Run, error) {
	t.Helper()
	r.Repo, r.Actor = halyard, "ada"
	run, err := s.FastForward(t.Context(), r)
	must(t, err)
	_, err = s.Drive(t.Context(), run.ID, flow.DriveOptions{})
	return run, err
}

func TestFastForward(t *testing.T) {
	t.Parallel()
	p, _, o := branched(t)
	must(t, p.forge.CreateBranch(t.Context(), halyard, "release-0.0", tipAt(t, p.dir, "main")))
	s := newService(t, o)
	before, main := tipAt(t, p.dir, "release-0.1"), tipAt(t, p.dir, "main")

	run, err := fastForward(t, s, cut.FastForwardRequest{Mock: true})
	must(t, err)
	m, known, err := s.Movement(t.Context(), run.ID)
	if err != nil || !known || m.Branch != "release-0.1" || m.From != before || m.To != main || m.Merged || m.Commits != 1 {
		t.Errorf("the newest branch would move by %+v, %v", m, err)
	}
	if tipAt(t, p.dir, "release-0.1") != before {
		t.Error("the rehearsal moved it")
	}
	_, err = fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1"})
	must(t, err)
	if tipAt(t, p.dir, "release-0.1") != main {
		t.Error("it was not moved")
	}
	// There is nothing more to do.
	run, err = fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1"})
	must(t, err)
	if m, _, _ := s.Movement(t.Context(), run.ID); !strings.Contains(m.Done, "holds all of") {
		t.Errorf("moved again: %+v", m)
	}
	events, err := s.History(t.Context(), halyard, 1)
	if err != nil || len(events) != 1 || events[0].Run.Flow != "ff" || events[0].Branch != "release-0.1" {
		t.Errorf("the history names %+v, %v", events, err)
	}
}

func TestFastForwardToRef(t *testing.T) {
	t.Parallel()
	p, _, o := branched(t)
	s := newService(t, o)
	first := tipAt(t, p.dir, "main")
	commitOn(t, p.dir, "main", "newer", "newer\n")
	_, err := fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1", Ref: first})
	must(t, err)
	if tipAt(t, p.dir, "release-0.1") != first {
		t.Error("it was not moved to the commit asked for")
	}
	must(t, p.forge.CreateBranch(t.Context(), halyard, "feature", first))
	stray := commitOn(t, p.dir, "feature", "stray", "x\n")
	if _, err := fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1", Ref: stray}); err == nil || !strings.Contains(err.Error(), "is not on branch main") {
		t.Errorf("a commit that was not merged: %v", err)
	}
}

// A branch with changes of its own gets a merge, in which they stay.
func TestFastForwardMerges(t *testing.T) {
	t.Parallel()
	p, _, o := branched(t)
	s := newService(t, o)
	commitOn(t, p.dir, "release-0.1", "README.md", "# Halyard 0.1\n\nof the branch\n")
	own := commitOn(t, p.dir, "release-0.1", "own", "own\n")
	main := commitOn(t, p.dir, "main", "README.md", "# Halyard 0.2\n\nof main\n")
	run, err := fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1"})
	must(t, err)
	m, _, err := s.Movement(t.Context(), run.ID)
	must(t, err)
	if !m.Merged || len(m.Kept) != 1 || m.Kept[0] != "README.md" || tipAt(t, p.dir, "release-0.1") != m.To {
		t.Errorf("moved by %+v", m)
	}
	for file, want := range map[string]string{"README.md": "# Halyard 0.1\n\nof the branch\n", "own": "own\n", "new": "new\n"} {
		if got := show(t, p.dir, "refs/heads/release-0.1", file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	repo, err := git.Open(t.Context(), p.dir+"/origin.git")
	must(t, err)
	out, err := repo.Git(t.Context(), "rev-list", "--parents", "-1", m.To)
	must(t, err)
	if got := strings.Fields(out); len(got) != 3 || got[1] != own || got[2] != main {
		t.Errorf("parents: %v", got)
	}

	// A project may want none of that.
	p, _, o = branched(t)
	commitOn(t, p.dir, "release-0.1", "own", "own\n")
	old := o.Project
	o.Project = func(ctx context.Context, r forge.RepoName, c string) (cut.Project, error) {
		project, err := old(ctx, r, c)
		project.FastForward = release.FastForwardOnly
		return project, err
	}
	if _, err := fastForward(t, newService(t, o), cut.FastForwardRequest{Branch: "release-0.1"}); err == nil || !strings.Contains(err.Error(), "allows no merge") {
		t.Errorf("got %v", err)
	}
}

// One side removed what the other changed: that is for a person.
func TestFastForwardLeavesRemovalsToPeople(t *testing.T) {
	t.Parallel()
	p, _, o := branched(t)
	s := newService(t, o)
	repo, err := git.Open(t.Context(), p.dir+"/origin.git")
	must(t, err)
	tip := tipAt(t, p.dir, "release-0.1")
	tree, err := repo.EditTree(t.Context(), tip, []git.FileEdit{{Path: "README.md", Delete: true}})
	must(t, err)
	gone, err := repo.CommitTree(t.Context(), git.NewCommit{Tree: tree, Parents: []string{tip}, Message: "Remove\n", Author: git.Person{Name: "Ben", Email: "b@x", Time: began}})
	must(t, err)
	must(t, repo.UpdateRef(t.Context(), "refs/heads/release-0.1", gone, tip))
	commitOn(t, p.dir, "main", "README.md", "changed\n")
	if _, err := fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1"}); err == nil || !strings.Contains(err.Error(), "merge them by hand") || tipAt(t, p.dir, "release-0.1") != gone {
		t.Errorf("got %v", err)
	}
}

func TestFastForwardIsSafe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(t *testing.T, p *place, d *desk, j *flow.Memory)
		done    string // succeeds without moving anything
		refused string
	}{
		{"released", func(t *testing.T, p *place, _ *desk, _ *flow.Memory) {
			tagOn(t, p.dir, "v0.1.0", tipAt(t, p.dir, "release-0.1"))
		}, "v0.1.0 is released", ""},
		{"the issue is open", func(t *testing.T, _ *place, d *desk, _ *flow.Memory) {
			must(t, d.change("", func(s *deskState) {
				s.Issues = append(s.Issues, forge.Issue{Number: 4, Title: "Cut v0.1.0 release", State: forge.StateOpen})
			}))
		}, `#4 "Cut v0.1.0 release" is open`, ""},
		{"the issue is closed", func(t *testing.T, _ *place, d *desk, _ *flow.Memory) {
			must(t, d.change("", func(s *deskState) {
				s.Issues = append(s.Issues, forge.Issue{Number: 4, Title: "Cut v0.1.0 release", State: forge.StateClosed})
			}))
		}, "", ""},
		{"main has gone on", func(t *testing.T, p *place, _ *desk, _ *flow.Memory) {
			tagOn(t, p.dir, "v0.2.0-alpha.1", tipAt(t, p.dir, "main"))
		}, "", "main has gone on to the next release"},
		{"a tag that is no version", func(t *testing.T, p *place, _ *desk, _ *flow.Memory) {
			tagOn(t, p.dir, "vessel", tipAt(t, p.dir, "main"))
		}, "", ""},
		{"while it is staged", func(t *testing.T, _ *place, _ *desk, j *flow.Memory) {
			running(t, j, "stage", "release-0.1", flow.Running)
		}, "", "stage other of release-0.1 is running"},
		{"while another is staged", func(t *testing.T, _ *place, _ *desk, j *flow.Memory) { running(t, j, "stage", "main", flow.Running) }, "", ""},
		{"a stage that failed", func(t *testing.T, _ *place, _ *desk, j *flow.Memory) {
			running(t, j, "stage", "release-0.1", flow.Failed)
		}, "", ""},
		{"a cut that failed", func(t *testing.T, _ *place, _ *desk, j *flow.Memory) {
			running(t, j, "cut", "release-0.1", flow.Failed)
		}, "", "cut other of release-0.1 is failed"},
		{"a cut that was aborted", func(t *testing.T, _ *place, _ *desk, j *flow.Memory) {
			running(t, j, "cut", "release-0.1", flow.Canceled)
		}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, d, o := branched(t)
			tt.prepare(t, p, d, o.Engine.Journal.(*flow.Memory))
			s := newService(t, o)
			before := tipAt(t, p.dir, "release-0.1")
			run, err := fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1"})
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("got %v, want one that says %q", err, tt.refused)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			moved := tipAt(t, p.dir, "release-0.1") != before
			if want := tt.refused == "" && tt.done == ""; moved != want {
				t.Errorf("moved %v, want %v", moved, want)
			}
			if m, _, _ := s.Movement(t.Context(), run.ID); !strings.Contains(m.Done, tt.done) || tt.done == "" && m.Done != "" {
				t.Errorf("done is %q, want %q", m.Done, tt.done)
			}
		})
	}
}

// running puts a run of the branch into the journal that stands as it is said.
func running(t *testing.T, j *flow.Memory, name, branch string, state flow.State) {
	t.Helper()
	params, err := json.Marshal(map[string]any{"repo": halyard, "branch": branch, "kind": "rc", "actor": "ben"})
	must(t, err)
	must(t, j.CreateRun(t.Context(), flow.Run{ID: "other", Flow: name, Version: 1, Key: "other", Params: params, State: flow.Pending, CreatedAt: began, UpdatedAt: began}))
	l, err := j.Acquire(t.Context(), "other", "ben", began, began.Add(1))
	must(t, err)
	_, err = j.Append(t.Context(), l, flow.Entry{Run: "other", Kind: flow.EntryState, At: began, Message: string(state)})
	must(t, err)
}

// A cut says which branch it is of by its stage.
func TestFastForwardWaitsForCut(t *testing.T) {
	t.Parallel()
	p, _, o := branched(t)
	s := newService(t, o)
	build := staged(t, s, cut.StageRequest{Repo: halyard, Branch: "release-0.1", Kind: release.RC, Actor: "ada"})
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
	must(t, err)
	before := tipAt(t, p.dir, "release-0.1")
	if _, err := fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1"}); err == nil || !strings.Contains(err.Error(), "cut "+run.ID+" of release-0.1 is pending") {
		t.Errorf("before the cut began: %v", err)
	}
	_, err = s.Abort(t.Context(), run.ID, "ada", "not now")
	must(t, err)
	if _, err := fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1"}); err != nil || tipAt(t, p.dir, "release-0.1") == before {
		t.Errorf("after it was aborted: %v", err)
	}
}

// Somebody else moves the branch between plan and push.
func TestFastForwardNeverForces(t *testing.T) {
	t.Parallel()
	p, _, o := branched(t)
	s := newService(t, o)
	run, err := s.FastForward(t.Context(), cut.FastForwardRequest{Repo: halyard, Branch: "release-0.1", Actor: "ada"})
	must(t, err)
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: cut.FastForwardPlanned}); err != nil {
		t.Fatal(err)
	}
	theirs := commitOn(t, p.dir, "release-0.1", "theirs", "x\n")
	state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
	if err == nil || state != flow.Failed || !strings.Contains(err.Error(), "was moved by somebody else") {
		t.Errorf("%s: %v", state, err)
	}
	if tipAt(t, p.dir, "release-0.1") != theirs {
		t.Error("their commit was lost")
	}
	// The key is free again, and a new run takes theirs along.
	_, err = s.Abort(t.Context(), run.ID, "ada", "they were first")
	must(t, err)
	_, err = fastForward(t, s, cut.FastForwardRequest{Branch: "release-0.1"})
	must(t, err)
	if show(t, p.dir, "refs/heads/release-0.1", "theirs") != "x\n" {
		t.Error("their change was lost")
	}
}

func TestFastForwardRefusesNonsense(t *testing.T) {
	t.Parallel()
	_, _, o := branched(t)
	s := newService(t, o)
	for branch, want := range map[string]string{"release-9.9": "there is no branch release-9.9", "main": "no release branch"} {
		if _, err := fastForward(t, s, cut.FastForwardRequest{Branch: branch}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want one that says %q", branch, err, want)
		}
	}
}
