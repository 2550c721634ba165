package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/job/run"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// traveller is an existing repository on its way to a release.
type traveller struct {
	teller
	repo   forge.RepoName
	path   string
	branch string
	plan   cut.Plan
}

func (t *traveller) acts() []act {
	return []act{
		{"The repository is imported", "/", t.bring},
		{"Its configuration is read", "/", t.read},
		{"Its jobs run on the tip", "/runs", t.run},
		{"The next version is found", "/releases", t.choose},
		{"The release is staged", "/releases", t.stageIt},
		{"The release is rehearsed", "/releases", t.rehearseIt},
		{"Found GO and cut for real", "/releases", t.cutIt},
		{"A stranger downloads and verifies it", "/releases", t.verifyIt},
	}
}

// administrator is who an imported repository is released by.
const administrator = "admin"

// RepositoryTitles lists the steps of a telling made by TellRepository.
func RepositoryTitles() []string {
	var titles []string
	for _, a := range (&traveller{}).acts() {
		titles = append(titles, a.title)
	}
	return titles
}

// TellRepository returns a telling like Tell: the Git repository at path is
// imported under a name, tested, and taken through a rehearsal and a release
// on the embedded forge. The repository itself is only read.
func TellRepository(name forge.RepoName, path string) func(context.Context, Platform, *Story, string) error {
	return func(ctx context.Context, on Platform, story *Story, dir string) error {
		t := &traveller{teller: teller{on: on, story: story, dir: dir}, repo: name, path: path}
		return story.tell(ctx, travelPatience, t.acts())
	}
}

func (t *traveller) bring(ctx context.Context) error {
	if err := t.on.Import(ctx, t.repo, t.path, ""); err != nil {
		return err
	}
	source, err := git.Open(ctx, t.path)
	if err != nil {
		return err
	}
	refs, err := source.Refs(ctx, "refs/heads", "refs/tags")
	if err != nil {
		return err
	}
	tags := 0
	for _, r := range refs {
		if strings.HasPrefix(r.Name, "refs/tags/") {
			tags++
		}
	}
	t.story.link("/" + t.repo.String())
	t.story.note("%s with %s and %s", t.repo, count(len(refs)-tags, "branch", "branches"), count(tags, "tag", "tags"))
	return nil
}

func (t *traveller) read(ctx context.Context) error {
	facts, err := t.on.Facts(ctx, t.repo)
	if err != nil {
		return err
	}
	from := "from its seaworthy.yaml"
	if facts.Default {
		from = "it has none; these are defaults for a Go module"
	}
	t.story.note("%s, %s (%s)", count(facts.Jobs, "job", "jobs"), count(facts.Mains, "main package", "main packages"), from)
	return nil
}

// run has the postsubmits of the default branch prove the commit that is to be
// released, as a push would have.
func (t *traveller) run(ctx context.Context) error {
	repo, err := t.on.Forge.Repo(ctx, t.repo)
	if err != nil {
		return err
	}
	t.branch = repo.DefaultBranch
	return t.prove(ctx, t.branch)
}

func (t *traveller) prove(ctx context.Context, branch string) error {
	started, err := t.on.Runs.Start(ctx, run.Request{Repo: t.repo, Branch: branch, Cause: "before the release", Key: "demo " + t.repo.String() + " " + branch})
	if errors.Is(err, run.ErrNoJob) || err == nil && len(started) == 0 {
		t.story.note("%s has no job that runs after a merge", branch)
		return nil
	}
	if err != nil {
		return err
	}
	var bad []string
	err = t.until(ctx, "the jobs do not end", func(ctx context.Context) (bool, error) {
		bad = nil
		for _, e := range started {
			now, err := t.on.Runs.Execution(ctx, e.ID)
			if err != nil {
				return false, err
			}
			if !now.State.Final() {
				return false, nil
			}
			if now.State != job.Success {
				bad = append(bad, fmt.Sprintf("%s is %s%s, see %s/runs/%s", now.Job, now.State, t.failed(ctx, now), t.on.URL(), now.BuildID))
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	t.story.note("%d of %d pass on %s", len(started)-len(bad), len(started), branch)
	if len(bad) > 0 {
		return errors.New(strings.Join(bad, "; "))
	}
	return nil
}

// failed names the first tests that failed in an execution, so that whoever
// reads the terminal alone knows where to look.
func (t *traveller) failed(ctx context.Context, e job.Execution) string {
	build, err := t.on.Runs.Results(ctx, e.ID)
	if err != nil {
		return "" // it ended before it could leave results; its page says why
	}
	var names []string
	for _, test := range build.Tests {
		if test.Status == result.Fail {
			names = append(names, test.Name)
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case len(names) > 3:
		names = append(names[:3], fmt.Sprintf("%d more", len(names)-3))
	}
	return ": " + strings.Join(names, ", ") + " failed"
}

// choose finds the branch that the next official release comes from: the
// default branch where the project releases from there, else its newest
// release branch, which is created for a project that has none.
func (t *traveller) choose(ctx context.Context) error {
	var refused *release.Refusal
	plan, err := t.on.Releases.Plan(ctx, cut.StageRequest{Repo: t.repo, Branch: t.branch, Kind: release.Official})
	if errors.As(err, &refused) {
		if err := t.releaseBranch(ctx); err != nil {
			return err
		}
		plan, err = t.on.Releases.Plan(ctx, cut.StageRequest{Repo: t.repo, Branch: t.branch, Kind: release.Official})
	}
	if err != nil {
		return err
	}
	t.plan = plan
	since := "the first"
	if plan.Previous != "" {
		since = "after " + plan.Previous
	}
	t.story.note("%s from %s, %s", plan.Version(), plan.Branch, since)
	return nil
}

func (t *traveller) releaseBranch(ctx context.Context) error {
	facts, err := t.on.Facts(ctx, t.repo)
	if err != nil {
		return err
	}
	policy := facts.Policy
	branches, err := t.on.Forge.Branches(ctx, t.repo)
	if err != nil {
		return err
	}
	var newest release.Version
	for _, b := range branches {
		if v, ok := policy.ParseBranch(b.Name); ok && v.Compare(newest) >= 0 {
			newest, t.branch = v, b.Name
		}
	}
	if !newest.IsZero() {
		return t.prove(ctx, t.branch)
	}
	t.branch = policy.ReleaseBranch(policy.First)
	r, err := t.on.Releases.CreateBranch(ctx, cut.BranchRequest{Repo: t.repo, Branch: t.branch, Actor: administrator})
	if err != nil {
		return err
	}
	return t.drive(ctx, r.ID)
}

func (t *traveller) stageIt(ctx context.Context) error {
	r, err := t.on.Releases.Stage(ctx, cut.StageRequest{Repo: t.repo, Branch: t.branch, Kind: release.Official, Actor: administrator})
	if err != nil {
		return err
	}
	if err := t.drive(ctx, r.ID); err != nil {
		return err
	}
	staged, known, err := t.on.Releases.StageResult(ctx, r.ID)
	if err != nil || !known {
		return fmt.Errorf("nothing was staged: %w", errors.Join(err, flow.ErrNoRun))
	}
	t.story.note("%s, %d files", staged.BuildVersion, staged.Files)
	t.build = staged.BuildVersion
	return nil
}

// settled waits for runs on the released commit that are still under way, such
// as those of a release branch that was just created: a gate that depends on
// them would rightly say "not yet".
func (t *traveller) settled(ctx context.Context) error {
	return t.until(ctx, "runs on the released commit do not end", func(ctx context.Context) (bool, error) {
		going, err := t.on.Runs.Executions(ctx, job.ExecutionFilter{
			Repo: t.repo.String(), SHA: t.plan.Commit, States: []job.State{job.Triggered, job.Pending}, Limit: 1,
		})
		return len(going) == 0, err
	})
}

func (t *traveller) rehearseIt(ctx context.Context) error {
	if err := t.settled(ctx); err != nil {
		return err
	}
	r, err := t.on.Releases.Cut(ctx, cut.CutRequest{Repo: t.repo, BuildVersion: t.build, Mock: true, Actor: administrator})
	if err != nil {
		return err
	}
	return t.drive(ctx, r.ID)
}

func (t *traveller) cutIt(ctx context.Context) error {
	r, err := t.on.Releases.Cut(ctx, cut.CutRequest{Repo: t.repo, BuildVersion: t.build, Actor: administrator})
	if err != nil {
		return err
	}
	t.story.link("/releases/" + r.ID)
	for _, role := range append([]string{""}, t.plan.Project.Approvals...) {
		if role != "" {
			if err := t.on.Approve(ctx, r.ID, role, administrator, "for the demo"); err != nil {
				return err
			}
		}
		state, err := t.on.Releases.Drive(ctx, r.ID, flow.DriveOptions{})
		if err != nil {
			return err
		}
		if state == flow.Succeeded {
			t.story.note("%s is public", t.plan.Version())
			return nil
		}
	}
	return fmt.Errorf("run %s waits for somebody's approval", r.ID)
}

func (t *traveller) verifyIt(ctx context.Context) error {
	version := t.plan.Version().String()
	t.story.link(fmt.Sprintf("/%s/releases/tag/%s", t.repo, version))
	page, err := t.on.Forge.Release(ctx, t.repo, version)
	if err != nil {
		return err
	}
	dir := filepath.Join(t.dir, "download")
	if err := fetchAll(ctx, page.Assets, dir); err != nil {
		return err
	}
	checked := 0
	for _, a := range page.Assets {
		if !strings.HasSuffix(a.Name, ".tar.gz") && !strings.HasSuffix(a.Name, ".zip") {
			continue
		}
		if err := checkSum(dir, a.Name); err != nil {
			return err
		}
		checked++
	}
	if checked == 0 {
		return errors.New("the release page has no archive")
	}
	said := ""
	mine := runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
	if i := slices.IndexFunc(page.Assets, func(a forge.Asset) bool { return strings.HasSuffix(a.Name, mine) }); i >= 0 {
		if said, err = look(dir, page.Assets[i].Name); err != nil {
			return err
		}
	}
	checks, err := recheck(ctx, t.on, t.repo, version)
	if err != nil {
		return err
	}
	t.story.note("%d checks hold, %s %s%s", checks, count(checked, "archive matches", "archives match"), artifact.SHA256.File(), said)
	return nil
}

func fetchAll(ctx context.Context, assets []forge.Asset, dir string) error {
	if err := makeFolder(dir); err != nil {
		return err
	}
	for _, a := range assets {
		if err := artifact.CheckName(a.Name); err != nil {
			return err
		}
		if err := download(ctx, a.DownloadURL, filepath.Join(dir, a.Name)); err != nil {
			return err
		}
	}
	return nil
}

// look unpacks an archive for this machine and reads what its programs say
// they are. They are not run: nobody knows what they would do.
func look(dir, archive string) (string, error) {
	to := filepath.Join(dir, "unpacked")
	if err := clean(to); err != nil {
		return "", err
	}
	if err := build.Extract(filepath.Join(dir, archive), to, build.Limits{}); err != nil {
		return "", err
	}
	programs, err := filepath.Glob(filepath.Join(to, "*", "*"))
	if err != nil {
		return "", fmt.Errorf("listing %s: %w", to, err)
	}
	for _, p := range programs {
		b, err := build.Inspect(p)
		if errors.Is(err, build.ErrNotProgram) {
			continue
		}
		if err != nil {
			return "", err
		}
		if b.Platform.OS != runtime.GOOS || b.Platform.Arch != runtime.GOARCH {
			return "", fmt.Errorf("%s is for %s", filepath.Base(p), b.Platform)
		}
		return fmt.Sprintf("; %s is for %s", filepath.Base(p), b.Platform), nil
	}
	return "", nil
}
