package cut_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release/cut"
)

// stoppedAfter begins a cut of the candidate, and goes on until after a step.
func stoppedAfter(t *testing.T, o cut.Options, step string, mock bool) (*cut.Service, string) {
	t.Helper()
	s := newService(t, o)
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Mock: mock, Actor: "ada"})
	must(t, err)
	if state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: step}); err != nil || state != flow.Pending {
		t.Fatalf("driven to %s it is %s: %v", step, state, err)
	}
	return s, run.ID
}

func said(list []string) string { return strings.Join(list, "\n") }

// Aborted before anything is public nothing is left; afterwards the draft of the
// page goes, and what people may have is named.
func TestAbortOfACut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		until   string
		removed string
		public  []string
		clean   bool
	}{
		"before anything":         {"approve", "", nil, true},
		"before the page":         {"tag", "", []string{"tag v0.1.0-rc.0 and v0.2.0-alpha.0", "branch release-0.1", "files in release/harbour/halyard/v0.1.0-rc.0"}, false},
		"before the page's files": {"page-draft", "the draft of the release page with 0 files", []string{"tag v0.1.0-rc.0"}, false},
		"before it is public":     {"page-verify", "the draft of the release page with 11 files", []string{"tag v0.1.0-rc.0"}, false},
		"before the markers":      {"announce", "", []string{"the changelog of v0.1.0-rc.0", "the release page https://forge.example/harbour/halyard/releases/v0.1.0-rc.0"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s, id := stoppedAfter(t, p.options(&flow.Memory{}), test.until, false)
			undone, err := s.Abort(t.Context(), id, "ben", "not today")
			must(t, err)
			if said(undone.Removed) != test.removed {
				t.Errorf("removed %q, want %q", undone.Removed, test.removed)
			}
			for _, want := range test.public {
				if !strings.Contains(said(undone.Public), want) {
					t.Errorf("public is said to be %q, which lacks %q", undone.Public, want)
				}
			}
			if strings.Contains(said(undone.Public), "markers") {
				t.Errorf("no marker was raised: %q", undone.Public)
			}
			if !strings.Contains(said(undone.Kept), "which can be cut again") {
				t.Errorf("the stage is good: %q", undone.Kept)
			}
			if test.clean {
				nothingPublic(t, p)
			}
			pages, err := p.forge.Releases(t.Context(), halyard)
			must(t, err)
			for _, r := range pages {
				if r.Draft {
					t.Errorf("there still is a draft: %+v", r)
				}
			}
			again, err := s.Abort(t.Context(), id, "ben", "once more")
			must(t, err)
			if len(again.Removed) != 0 || len(again.Public) != len(undone.Public) {
				t.Errorf("aborted again: %+v, and before %+v", again, undone)
			}
			// Another run finishes what this one began.
			run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: buildOf(t, s), Actor: "cho"})
			must(t, err)
			drive(t, s, run.ID, flow.Succeeded)
			checkPublished(t, p)
		})
	}
}

// buildOf is the build version of the one stage there is.
func buildOf(t *testing.T, s *cut.Service) string {
	t.Helper()
	events, err := s.History(t.Context(), halyard, 0)
	must(t, err)
	for _, e := range events {
		if result, known, err := s.StageResult(t.Context(), e.Run.ID); err == nil && known {
			return result.BuildVersion
		}
	}
	t.Fatal("nothing is staged")
	return ""
}

func TestAbortOfARehearsal(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return supplied(), nil }
	address := newRegistry(t)
	o.Registry = cut.Registry{Address: func() string { return address }}
	s, id := stoppedAfter(t, o, "announce", true)
	undone, err := s.Abort(t.Context(), id, "ben", "")
	must(t, err)
	if !strings.Contains(said(undone.Removed), "files in mock/release/") || !strings.Contains(said(undone.Removed), "image ") || len(undone.Public) != 0 {
		t.Errorf("undone: %+v", undone)
	}
	if left := tree(t, filepath.Join(p.dir, "bucket"), func(path string) bool { return !strings.HasPrefix(path, "mock/release") }); len(left) != 0 {
		t.Errorf("the rehearsal left %d files", len(left))
	}
	for image := range imagesIn(t, address) {
		if strings.Contains(image, "/mock") {
			t.Errorf("the rehearsal left %s", image)
		}
	}
	nothingPublic(t, p)
}

// A stage that is cut short leaves nothing; the whole one of an earlier run is
// not taken away by a later one.
func TestAbortOfAStage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	s := newService(t, o)
	partial := func() string {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		o.Engine.Boundary = func(point string) {
			if strings.HasPrefix(point, "in stage: staged SHA512SUMS") {
				stop()
			}
		}
		run, err := s.Stage(t.Context(), stageRC())
		must(t, err)
		if _, err := s.Drive(ctx, run.ID, flow.DriveOptions{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("staging: %v", err)
		}
		o.Engine.Boundary = nil
		return run.ID
	}
	undone, err := s.Abort(t.Context(), partial(), "ben", "")
	must(t, err)
	if !strings.Contains(said(undone.Removed), " files in stage/harbour/halyard/v0.1.0-rc.0+") {
		t.Errorf("undone: %+v", undone)
	}
	if left := tree(t, filepath.Join(p.dir, "bucket"), isJournal); len(left) != 0 {
		t.Errorf("left are %d files", len(left))
	}
	if work, err := os.ReadDir(filepath.Join(p.dir, "work")); err != nil || len(work) != 0 {
		t.Errorf("the work folder holds %v, %v", work, err)
	}
	build := staged(t, s, stageRC())
	run, err := s.Stage(t.Context(), stageRC())
	must(t, err)
	if state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: "build"}); err != nil || state != flow.Pending {
		t.Fatalf("%s, %v", state, err)
	}
	undone, err = s.Abort(t.Context(), run.ID, "ben", "")
	must(t, err)
	if len(undone.Removed) != 0 || !strings.Contains(said(undone.Kept), build) {
		t.Errorf("undone: %+v", undone)
	}
	again, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
	must(t, err)
	drive(t, s, again.ID, flow.Succeeded)
	if _, err := s.Abort(t.Context(), again.ID, "ben", ""); err == nil || !strings.Contains(err.Error(), "is over already") {
		t.Errorf("aborting what is done: %v", err)
	}
}
