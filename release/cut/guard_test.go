package cut_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// cutAfter returns what a real cut of the candidate ends with, at a place that
// mess has changed after it was staged.
func cutAfter(t *testing.T, mess func(p *place, prefix string)) (*place, flow.Timeline, error) {
	t.Helper()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	build := staged(t, s, stageRC())
	mess(p, filepath.Join(p.dir, "bucket", "stage", "harbour", "halyard", build))
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
	must(t, err)
	_, driveErr := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
	status, err := s.Status(t.Context(), run.ID)
	must(t, err)
	return p, status, driveErr
}

// nothingPublic checks that a cut that was stopped left nothing for readers.
func nothingPublic(t *testing.T, p *place) {
	t.Helper()
	if log := p.forge.done(); len(log) != 0 {
		t.Errorf("the forge was asked for %v", log)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "bucket", "release")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a release folder: %v", err)
	}
	if pushes, err := os.ReadFile(filepath.Join(p.dir, "origin.git", "pushes.log")); err == nil {
		t.Errorf("pushed: %s", pushes)
	}
}

func TestDamagedStageIsNotCut(t *testing.T) {
	t.Parallel()
	archive := "halyard_0.1.0-rc.0_linux_amd64.tar.gz"
	for name, test := range map[string]struct {
		mess func(prefix string) error
		want string
	}{
		"tampered file": {func(prefix string) error {
			file := filepath.Join(prefix, archive)
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			content[len(content)/2] ^= 1
			return os.WriteFile(file, content, 0o644)
		}, "tampered with"},
		"truncated file": {func(prefix string) error { return os.Truncate(filepath.Join(prefix, archive), 10) }, "tampered with"},
		"lost file":      {func(prefix string) error { return os.Remove(filepath.Join(prefix, archive)) }, "has lost " + archive},
		"no manifest":    {func(prefix string) error { return os.Remove(filepath.Join(prefix, "manifest.json")) }, "not staged"},
		"bad manifest": {func(prefix string) error {
			return os.WriteFile(filepath.Join(prefix, "manifest.json"), []byte("{"), 0o644)
		}, "reading a manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, err := cutAfter(t, func(_ *place, prefix string) { must(t, test.mess(prefix)) })
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			nothingPublic(t, p)
		})
	}
}

func TestTagIsNeverMoved(t *testing.T) {
	t.Parallel()
	var theirs string
	p, _, err := cutAfter(t, func(p *place, _ string) {
		repo, err := git.Open(t.Context(), p.forge.origin)
		must(t, err)
		theirs, err = repo.Resolve(t.Context(), "refs/heads/main~1")
		must(t, err)
		must(t, repo.UpdateRef(t.Context(), "refs/tags/v0.1.0-rc.0", theirs, git.ZeroSHA))
	})
	if err == nil || !strings.Contains(err.Error(), "a tag is never moved") {
		t.Errorf("got %v", err)
	}
	repo, openErr := git.Open(t.Context(), p.forge.origin)
	must(t, openErr)
	if now, err := repo.Resolve(t.Context(), "refs/tags/v0.1.0-rc.0"); err != nil || now != theirs {
		t.Errorf("the tag is at %s, %v; it was at %s", now, err, theirs)
	}
	nothingPublic(t, p)
}

func TestPublishedFileIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	const name = "halyard_0.1.0-rc.0_linux_amd64.tar.gz"
	p, _, err := cutAfter(t, func(p *place, _ string) {
		must(t, p.bucket.WriteAll(t.Context(), "release/harbour/halyard/v0.1.0-rc.0/"+name, []byte("older"), nil))
	})
	if err == nil || !strings.Contains(err.Error(), "never overwritten") {
		t.Errorf("got %v", err)
	}
	if have, err := p.bucket.ReadAll(t.Context(), "release/harbour/halyard/v0.1.0-rc.0/"+name); err != nil || string(have) != "older" {
		t.Errorf("the file is %q, %v", have, err)
	}
}

func TestWrongAssetsAreReplaced(t *testing.T) {
	t.Parallel()
	const archive = "halyard_0.1.0-rc.0_linux_amd64.tar.gz"
	for name, mess := range map[string]func(p *place){
		"cut off in the middle": func(p *place) { p.forge.cutOff[archive] = 100 },
		"digests kept secret":   func(p *place) { p.forge.silent, p.forge.cutOff[archive] = true, 100 },
		"answer lost":           func(p *place) { p.forge.fail["CreateRelease"] = fmt.Errorf("late: %w", forge.ErrUnavailable) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, status, err := cutAfter(t, func(p *place, _ string) { mess(p) })
			if err != nil {
				t.Fatal(err)
			}
			checkPublished(t, p)
			uploads := slices.DeleteFunc(p.forge.done(), func(act string) bool { return !strings.HasPrefix(act, "upload") && !strings.HasPrefix(act, "create") })
			slices.Sort(uploads)
			if len(uploads) != 12 || len(slices.Compact(uploads)) != 12 {
				t.Errorf("completed %v, want a page and eleven files once each", uploads)
			}
			draft, _ := status.Step("page-draft")
			assets, _ := status.Step("page-assets")
			if len(draft.Attempts)+len(assets.Attempts) != 3 {
				t.Errorf("%d and %d attempts, want one retry", len(draft.Attempts), len(assets.Attempts))
			}
		})
	}
}

// Somebody pushes to main while the changelog is being pushed.
func TestChangelogOnABranchThatMoves(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	var theirs string
	o.Engine.Boundary = func(point string) {
		// Within the step, after its look, main moves; once it has been
		// pushed to, nothing more.
		if point != "before act changelog" {
			return
		}
		repo, err := git.Open(t.Context(), p.forge.origin)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(p.forge.origin, "hooks", "update"), []byte(racer), 0o755))
		tip, err := repo.Resolve(t.Context(), "refs/heads/main")
		must(t, err)
		theirs, err = repo.CommitTree(t.Context(), git.NewCommit{Tree: tip + "^{tree}", Parents: []string{tip}, Message: "In between\n",
			Author: git.Person{Name: "Ben", Email: "ben@harbour.example", Time: began}})
		must(t, err)
		must(t, os.WriteFile(filepath.Join(p.forge.origin, "racer"), []byte(theirs), 0o644))
	}
	s := newService(t, o)
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Actor: "ada"})
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)
	checkPublished(t, p)
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	commits, err := repo.Log(t.Context(), "refs/heads/main", git.LogOptions{Max: 2})
	must(t, err)
	if len(commits) != 2 || commits[1].SHA != theirs || commits[0].Subject() != "Changelog of v0.1.0-rc.0" {
		t.Errorf("main ends with %+v, want the changelog on top of %s", commits, theirs)
	}
}

// racer is an update hook that lets somebody else's commit in first, once.
const racer = `#!/bin/sh
[ "$1" = refs/heads/main ] && [ -f "$GIT_DIR/racer" ] || exit 0
theirs=$(cat "$GIT_DIR/racer"); rm "$GIT_DIR/racer"
git update-ref refs/heads/main "$theirs"
`

func TestRefusedChangelogStopsBeforeThePageIsPublic(t *testing.T) {
	t.Parallel()
	p, _, err := cutAfter(t, func(p *place, _ string) {
		refuse := "#!/bin/sh\ncase $1 in refs/heads/main) echo protected branch >&2; exit 1;; esac\n"
		must(t, os.WriteFile(filepath.Join(p.forge.origin, "hooks", "update"), []byte(refuse), 0o755))
	})
	if err == nil || !strings.Contains(err.Error(), "pushing the changelog to main") || !strings.Contains(err.Error(), "protected branch") {
		t.Errorf("got %v", err)
	}
	if pages, err := p.forge.Releases(t.Context(), halyard); err != nil || len(pages) > 1 || len(pages) == 1 && !pages[0].Draft {
		t.Errorf("the page is public: %+v, %v", pages, err)
	}
}

func TestMarkersOnlyRise(t *testing.T) {
	t.Parallel()
	p, _, err := cutAfter(t, func(p *place, _ string) {
		for name, value := range map[string]string{"latest": "v0.3.0", "latest-0": "v0.1.0-alpha.0", "latest-0.1": "v0.1.0-rc.0"} {
			must(t, p.bucket.WriteAll(t.Context(), "release/harbour/halyard/"+name+".txt", []byte(value), nil))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"latest": "v0.3.0", "latest-0": "v0.1.0-rc.0", "latest-0.1": "v0.1.0-rc.0"} {
		if have, err := p.bucket.ReadAll(t.Context(), "release/harbour/halyard/"+name+".txt"); err != nil || string(have) != want {
			t.Errorf("%s is %q, %v; want %q", name, have, err, want)
		}
	}
}

func TestNoGo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	blockers := []release.Blocker{{Number: 12, Title: "Rope tears"}}
	o.Gates = func(context.Context, cut.Plan) ([]release.Gate, error) {
		return []release.Gate{release.BlockersGate(blockers)}, nil
	}
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
		c := project()
		c.Rehearse = true
		return c, nil
	}
	s := newService(t, o)
	build := staged(t, s, stageRC())
	request := cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"}
	run, err := s.Cut(t.Context(), request)
	must(t, err)
	state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
	var noGo *cut.NoGoError
	if state != flow.Failed || !errors.As(err, &noGo) || len(noGo.Verdict.Reasons) != 2 {
		t.Fatalf("%s, %v", state, err)
	}
	if want := "NO-GO for v0.1.0-rc.0: blockers: 1 open blocker: #12; rehearsal: v0.1.0-rc.0 has not been rehearsed"; noGo.Error() != want {
		t.Errorf("got  %s\nwant %s", noGo, want)
	}
	nothingPublic(t, p)

	// The rehearsal is told, and goes on.
	request.Mock = true
	mock, err := s.Cut(t.Context(), request)
	must(t, err)
	drive(t, s, mock.ID, flow.Succeeded)
	status, err := s.Status(t.Context(), mock.ID)
	must(t, err)
	if gates, _ := status.Step("gates"); !strings.HasPrefix(gates.Sentence, "would be NO-GO: blockers") {
		t.Errorf("the rehearsal says %q", gates.Sentence)
	}

	// Both causes are mended by now: the same run goes on.
	blockers = nil
	if state, err := s.Resume(t.Context(), run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Fatalf("%s, %v", state, err)
	}
	verdict, known, err := s.CutVerdict(t.Context(), run.ID)
	if err != nil || !known || !verdict.Go || len(verdict.Gates) != 2 {
		t.Errorf("the verdict is %+v, %v, %v", verdict, known, err)
	}
	checkPublished(t, p)
}

func TestApprovalsByRole(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
		c := project()
		c.Approvals = []string{"release-manager", "docs"}
		return c, nil
	}
	s := newService(t, o)
	request := cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Mock: true, Actor: "ada"}
	mock, err := s.Cut(t.Context(), request)
	must(t, err)
	drive(t, s, mock.ID, flow.Succeeded) // a rehearsal asks nobody
	request.Mock = false
	run, err := s.Cut(t.Context(), request)
	must(t, err)
	drive(t, s, run.ID, flow.Waiting)
	nothingPublic(t, p)
	if _, err := s.Cut(t.Context(), request); !errors.Is(err, flow.ErrBusy) {
		t.Errorf("a second cut while one waits: %v", err)
	}
	must(t, s.Approve(t.Context(), run.ID, "docs", "dee", "reads well"))
	drive(t, s, run.ID, flow.Waiting)
	if err := s.Approve(t.Context(), run.ID, "cook", "ben", ""); !errors.Is(err, flow.ErrNotWaiting) {
		t.Errorf("approval in a role nobody asked for: %v", err)
	}
	must(t, s.Approve(t.Context(), run.ID, "release-manager", "ada", ""))
	drive(t, s, run.ID, flow.Succeeded)
	checkPublished(t, p)
	status, err := s.Status(t.Context(), run.ID)
	must(t, err)
	if approve, _ := status.Step("approve"); approve.Sentence != "approved by dee as docs, ada as release-manager" {
		t.Errorf("the timeline says %q", approve.Sentence)
	}
}

func TestMockStageIsOnlyRehearsed(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	request := stageRC()
	request.Mock = true
	build := staged(t, s, request)
	for _, mock := range []bool{true, false} {
		run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Mock: mock, Actor: "ada"})
		must(t, err)
		state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
		if mock && state != flow.Succeeded || !mock && !errors.Is(err, cut.ErrNotStaged) {
			t.Errorf("mock %v: %s, %v", mock, state, err)
		}
	}
	nothingPublic(t, p)
	for path := range tree(t, filepath.Join(p.dir, "bucket"), func(string) bool { return false }) {
		if !strings.HasPrefix(path, "mock/") {
			t.Errorf("a mock wrote %s", path)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	good := stageRC()
	for name, test := range map[string]struct {
		change func(r *cut.StageRequest)
		want   string
	}{
		"unknown kind":       {func(r *cut.StageRequest) { r.Kind = "gamma" }, `"gamma" is not a kind of release`},
		"unknown repository": {func(r *cut.StageRequest) { r.Repo.Name = "anchor" }, "looking for harbour/anchor"},
		"bad repository":     {func(r *cut.StageRequest) { r.Repo.Name = "../x" }, "not a repository name"},
		"rules say no":       {func(r *cut.StageRequest) { r.Kind = release.Official }, "cut it with an rc first"},
		"unknown commit":     {func(r *cut.StageRequest) { r.Commit = "v9.9.9" }, "commit v9.9.9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good
			test.change(&r)
			if _, err := s.Plan(t.Context(), r); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the plan: %v, want %q", err, test.want)
			}
		})
	}
	r := good
	r.Kind = release.Official
	_, err := s.Plan(t.Context(), r)
	var refusal *release.Refusal
	if !errors.As(err, &refusal) {
		t.Errorf("%v is not a refusal", err)
	}
}

func TestCommitMustBeOnTheBranch(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	aside, err := repo.CommitTree(t.Context(), git.NewCommit{Tree: "main^{tree}", Message: "Aside\n",
		Author: git.Person{Name: "Eve", Email: "eve@example.com", Time: began}})
	must(t, err)
	must(t, repo.UpdateRef(t.Context(), "refs/heads/aside", aside, ""))
	s := newService(t, p.options(&flow.Memory{}))
	r := stageRC()
	r.Commit = aside
	if _, err := s.Plan(t.Context(), r); err == nil || !strings.Contains(err.Error(), "only what was merged is released") {
		t.Errorf("got %v", err)
	}
}

func TestCreateBranch(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	older, err := repo.Resolve(t.Context(), "main~1")
	must(t, err)
	for i, test := range []struct {
		request cut.BranchRequest
		want    flow.State
		says    string
	}{
		{cut.BranchRequest{Branch: "release-0.1", Commit: older, Mock: true}, flow.Succeeded, "a rehearsal creates no branch"},
		{cut.BranchRequest{Branch: "release-0.1", Commit: older}, flow.Succeeded, "release-0.1 at " + older[:12]},
		{cut.BranchRequest{Branch: "release-0.1", Commit: older}, flow.Succeeded, "was done already"},
		{cut.BranchRequest{Branch: "release-0.1"}, flow.Succeeded, "was done already"},
		{cut.BranchRequest{Branch: "release-0.1", Commit: "main"}, flow.Failed, "does not hold commit"},
		{cut.BranchRequest{Branch: "main"}, flow.Failed, "is the default branch"},
		{cut.BranchRequest{}, flow.Failed, "say which branch"},
	} {
		test.request.Repo, test.request.Actor = halyard, "ada"
		run, err := s.CreateBranch(t.Context(), test.request)
		must(t, err)
		state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
		status, statusErr := s.Status(t.Context(), run.ID)
		must(t, statusErr)
		create, _ := status.Step("create")
		if state != test.want || !strings.Contains(fmt.Sprint(create.Sentence, err), test.says) {
			t.Errorf("%d: %s, %q, %v; want %s, %q", i, state, create.Sentence, err, test.want, test.says)
		}
	}
	if tip, err := repo.Resolve(t.Context(), "refs/heads/release-0.1"); err != nil || tip != older {
		t.Errorf("the branch is at %s, %v", tip, err)
	}
	if log := p.forge.done(); !slices.Equal(log, []string{"branch release-0.1"}) {
		t.Errorf("the forge did %v", log)
	}
}

func TestWrongProgramIsFound(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	must(t, err)
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
		c := project()
		c.Build.Platforms = []artifact.Platform{{OS: "plan9", Arch: "arm"}}
		c.Build.Command = &build.Command{Run: []string{"cp", self, "{out}/halyard"}, Outputs: []string{"halyard"}}
		return c, nil
	}
	s := newService(t, o)
	run, err := s.Stage(t.Context(), stageRC())
	must(t, err)
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{}); err == nil || !strings.Contains(err.Error(), "not for plan9/arm") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "bucket", "stage")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was staged: %v", err)
	}
}

func TestUntilStepHistoryAbort(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	s := newService(t, o)
	run, err := s.Stage(t.Context(), stageRC())
	must(t, err)
	if state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: "version"}); err != nil || state != flow.Pending {
		t.Fatalf("%s, %v", state, err)
	}
	if unfinished, err := s.Recover(t.Context()); err != nil || len(unfinished) != 1 || unfinished[0].ID != run.ID {
		t.Errorf("to be driven on: %v, %v", unfinished, err)
	}
	undone, err := s.Abort(t.Context(), run.ID, "ben", "not today")
	must(t, err)
	if len(undone.Removed)+len(undone.Public)+len(undone.Kept) != 0 {
		t.Errorf("of a run that did nothing: %+v", undone)
	}
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrCanceled) {
		t.Errorf("driving what was aborted: %v", err)
	}
	o.Engine.Now = func() time.Time { return began.Add(time.Minute) }
	build := staged(t, s, stageRC())
	events, err := s.History(t.Context(), halyard, 0)
	must(t, err)
	all := len(s.Definitions()[0].Steps())
	if len(events) != 2 || events[0].Version != "v0.1.0-rc.0" || events[0].Sentence != fmt.Sprintf("succeeded, %d of %d steps done", all, all) ||
		events[1].Sentence != fmt.Sprintf("cancelled by ben: not today (4 of %d steps done)", all) || !strings.HasSuffix(build, events[0].Commit[:12]) {
		t.Errorf("the history is %+v", events)
	}
	if other, err := s.History(t.Context(), forge.RepoName{Owner: "harbour", Name: "other"}, 0); err != nil || len(other) != 0 {
		t.Errorf("another repository has %v, %v", other, err)
	}
	if last, err := s.History(t.Context(), halyard, 1); err != nil || len(last) != 1 {
		t.Errorf("one event: %v, %v", last, err)
	}
}
