package cut_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release/cut"
	"seaworthy/store"
	"seaworthy/store/storetest"
)

// machine makes a service with a work folder and clones of its own, that shares
// journal, bucket, registry and forge with others.
func (p *place) machine(t *testing.T, name string, j flow.Journal, registry string) *cut.Service {
	t.Helper()
	o := p.options(j)
	o.Engine.Owner = name
	o.WorkDir, o.Git = filepath.Join(p.dir, name, "work"), git.NewCache(filepath.Join(p.dir, name, "cache"))
	must(t, os.MkdirAll(o.WorkDir, 0o755))
	o.NewID = func(flow string) string { return flow + "-1" } // which the provenance holds
	o.Registry = cut.Registry{Address: func() string { return registry }}
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return supplied(), nil }
	return newService(t, o)
}

// A release that was begun on one machine goes on, after any step, on another one
// that has only the database, the bucket and the registry in common with it. What
// comes out is the same.
func TestResumedOnAnotherMachine(t *testing.T) {
	t.Parallel()
	release := func(t *testing.T, j flow.Journal, stageUntil, cutUntil string) (map[string]string, []string) {
		p := newPlace(t)
		registry := serveRegistry(t, p.dir)
		here := p.machine(t, "here", j, registry)
		run, err := here.Stage(t.Context(), stageRC())
		must(t, err)
		there := here
		if stageUntil != "" {
			if state, err := here.Drive(t.Context(), run.ID, flow.DriveOptions{Until: stageUntil}); err != nil || state != flow.Pending && state != flow.Succeeded {
				t.Fatalf("staging until %s: %s, %v", stageUntil, state, err)
			}
			there = p.machine(t, "there", j, registry)
		}
		if state, err := there.Resume(t.Context(), run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
			t.Fatalf("staging on: %s, %v", state, err)
		}
		run, err = here.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: buildOf(t, there), Actor: "ada"})
		must(t, err)
		there = here
		if cutUntil != "" {
			if state, err := here.Drive(t.Context(), run.ID, flow.DriveOptions{Until: cutUntil}); err != nil || state != flow.Pending && state != flow.Succeeded {
				t.Fatalf("cutting until %s: %s, %v", cutUntil, state, err)
			}
			there = p.machine(t, "there", j, registry)
		}
		if state, err := there.Resume(t.Context(), run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
			t.Fatalf("cutting on: %s, %v", state, err)
		}
		if pages, err := p.forge.Releases(t.Context(), halyard); err != nil || len(pages) != 1 || pages[0].Draft {
			t.Errorf("%d pages, %v", len(pages), err)
		}
		return tree(t, filepath.Join(p.dir, "bucket"), isJournal), acts(t, p.dir, p.forge)
	}
	want, done := release(t, &flow.Memory{}, "", "")
	s := newService(t, newPlace(t).options(&flow.Memory{}))
	same := func(t *testing.T, j flow.Journal, stageUntil, cutUntil string) {
		have, acted := release(t, j, stageUntil, cutUntil)
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("the release differs from one of a single machine:\n%s", diff)
		}
		if diff := cmp.Diff(done, acted); diff != "" {
			t.Errorf("other things were done than once each:\n%s", diff)
		}
	}
	check := func(name, stageUntil, cutUntil string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, &flow.Memory{}, stageUntil, cutUntil)
		})
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) { same(t, db, "sbom", "promote") })
	for i, step := range s.Definitions()[0].Steps() {
		if !testing.Short() || i%4 == 3 {
			check("stage "+step.Name, step.Name, "")
		}
	}
	for i, step := range s.Definitions()[1].Steps() {
		if !step.Approval && (!testing.Short() || i%6 == 3) {
			check("cut "+step.Name, "", step.Name)
		}
	}
}

// The folder is gone between two attempts on the same machine, too: somebody
// made room.
func TestWorkFolderClearedBetweenAttempts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	s := newService(t, o)
	run, err := s.Stage(t.Context(), stageRC())
	must(t, err)
	cleared := false
	o.Engine.Boundary = func(point string) {
		if point == "before act papers" && !cleared {
			cleared = true
			must(t, os.RemoveAll(filepath.Join(p.dir, "work", run.ID)))
		}
	}
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrFailed) {
		t.Fatalf("without its folder: %v", err)
	}
	if state, err := s.Resume(t.Context(), run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Fatalf("resumed: %s, %v", state, err)
	}
}

// Two people start the same release at the same time, on both databases: one of
// them does, and the other is told who, and since when.
func TestOnlyOneOfTwoStarts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := newPlace(t)
		build := ""
		for _, what := range []string{"stage", "cut"} {
			people := []string{"ada", "ben", "cho", "dee"}
			errs, ids := make([]error, len(people)), make([]string, len(people))
			ready := make(chan struct{})
			ended := make(chan int)
			services := make([]*cut.Service, len(people))
			for i, who := range people {
				services[i] = newService(t, p.options(db))
				go func() {
					<-ready
					var run flow.Run
					if what == "stage" {
						r := stageRC()
						r.Actor = who
						run, errs[i] = services[i].Stage(t.Context(), r)
					} else {
						run, errs[i] = services[i].Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: who})
					}
					ids[i] = run.ID
					ended <- i
				}()
			}
			close(ready)
			for range people {
				<-ended
			}
			winner := -1
			for i, err := range errs {
				if err == nil && winner >= 0 {
					t.Fatalf("%s and %s both %s", people[i], people[winner], what)
				}
				if err == nil {
					winner = i
				}
			}
			if winner < 0 {
				t.Fatalf("nobody may %s: %v", what, errs)
			}
			for i, err := range errs {
				if i != winner && (!errors.Is(err, flow.ErrBusy) || !strings.Contains(err.Error(), people[winner]) || !strings.Contains(err.Error(), "2026-05-06 07:08:09")) {
					t.Errorf("%s is told %v, and %s was first", people[i], err, people[winner])
				}
			}
			drive(t, services[winner], ids[winner], flow.Succeeded)
			if what == "stage" {
				result, _, err := services[winner].StageResult(t.Context(), ids[winner])
				must(t, err)
				build = result.BuildVersion
			}
		}
	})
}
