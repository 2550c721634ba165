package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/release/train"
	"seaworthy/release/verify"
)

func (t *teller) signal(ctx context.Context) error {
	tabs, err := t.on.Signal.Tabs(ctx, halyard)
	if err != nil {
		return err
	}
	status := map[string]grid.Status{}
	for _, tab := range tabs {
		status[tab.Job] = tab.Summary.Status
	}
	for name, want := range map[string]grid.Status{"post-unit": grid.Passing, "ci-unit": grid.Passing, "pull-unit": grid.Flaky} {
		if status[name] != want {
			return fmt.Errorf("tab %s is %q, want %s", name, status[name], want)
		}
	}
	if word := status["ci-soundings"]; word == grid.Passing || word == "" {
		return fmt.Errorf("tab ci-soundings is %q, though gauges failed", word)
	}
	t.story.note("%d tabs: post-unit and ci-unit pass, pull-unit is flaky, ci-soundings %s", len(tabs), strings.ToLower(string(status["ci-soundings"])))
	return nil
}

func (t *teller) branch(ctx context.Context) error {
	r, err := t.on.Releases.CreateBranch(ctx, cut.BranchRequest{Repo: halyard, Branch: releaseBranch, Actor: "ada"})
	if err != nil {
		return err
	}
	if err := t.drive(ctx, r.ID); err != nil {
		return err
	}
	tip, err := t.on.Forge.Branch(ctx, halyard, releaseBranch)
	if err != nil {
		return err
	}
	t.story.note("%s at %s", releaseBranch, tip.SHA[:9])
	return nil
}

// drive takes a release run to its end.
func (t *teller) drive(ctx context.Context, id string) error {
	t.story.link("/releases/" + id)
	state, err := t.on.Releases.Drive(ctx, id, flow.DriveOptions{})
	if err != nil {
		return err
	}
	if state != flow.Succeeded {
		return fmt.Errorf("run %s is %s", id, state)
	}
	return nil
}

func (t *teller) stage(ctx context.Context) error {
	r, err := t.on.Releases.Stage(ctx, cut.StageRequest{Repo: halyard, Branch: releaseBranch, Kind: release.Official, Actor: "ada"})
	if err != nil {
		return err
	}
	if err := t.drive(ctx, r.ID); err != nil {
		return err
	}
	plan, known, err := t.on.Releases.StagePlan(ctx, r.ID)
	if err != nil || !known {
		return fmt.Errorf("the stage decided on nothing: %w", errors.Join(err, flow.ErrNoRun))
	}
	if got := plan.Version().String(); got != released {
		return fmt.Errorf("the version is %s, want %s", got, released)
	}
	t.build = plan.BuildVersion
	t.story.note("%s for %d platforms", t.build, len(plan.Project.Build.Platforms))
	return nil
}

func (t *teller) rehearse(ctx context.Context) error {
	r, err := t.on.Releases.Cut(ctx, cut.CutRequest{Repo: halyard, BuildVersion: t.build, Mock: true, Actor: "ada"})
	if err != nil {
		return err
	}
	if err := t.drive(ctx, r.ID); err != nil {
		return err
	}
	// A rehearsal publishes nothing.
	if _, err := t.on.Forge.Release(ctx, halyard, released); !errors.Is(err, forge.ErrNotFound) {
		return fmt.Errorf("the rehearsal left a release page: %v", err)
	}
	t.story.note("every step, and nothing is public")
	return nil
}

func (t *teller) cut(ctx context.Context) error {
	// The release branch has tests of its own to pass.
	err := t.until(ctx, "post-unit does not pass on "+releaseBranch, func(ctx context.Context) (bool, error) {
		all, err := t.on.Runs.Executions(ctx, job.ExecutionFilter{Repo: halyard.String(), Job: "post-unit", States: []job.State{job.Triggered, job.Pending}})
		return len(all) == 0, err
	})
	if err != nil {
		return err
	}
	r, err := t.on.Releases.Cut(ctx, cut.CutRequest{Repo: halyard, BuildVersion: t.build, Actor: "ada"})
	if err != nil {
		return err
	}
	t.story.link("/releases/" + r.ID)
	state, err := t.on.Releases.Drive(ctx, r.ID, flow.DriveOptions{})
	if err != nil {
		return err
	}
	if state != flow.Waiting {
		return fmt.Errorf("the cut should wait for a release manager, and is %s", state)
	}
	verdict, known, err := t.on.Releases.CutVerdict(ctx, r.ID)
	if err != nil || !known || !verdict.Go {
		return fmt.Errorf("the verdict is no GO: %v %w", verdict.Reasons, err)
	}
	if err := t.on.Approve(ctx, r.ID, "release-manager", "ada", "rehearsed and green"); err != nil {
		return err
	}
	if err := t.drive(ctx, r.ID); err != nil {
		return err
	}
	t.story.note("ada approves; tag, page, announcement, then the markers")
	return nil
}

// timetable looks at when the release after this one departs.
func (t *teller) timetable(ctx context.Context) error {
	lines, err := t.on.Timetable(ctx, halyard)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(lines, func(l train.Line) bool { return l.Branch == releaseBranch })
	if i < 0 || lines[i].Next.IsZero() {
		return fmt.Errorf("no train departs from %s: %+v", releaseBranch, lines)
	}
	t.story.note("%s departs on %s, once there is something to mend", lines[i].Version, lines[i].Next.Format("Monday 2 January"))
	return nil
}

// verify does what somebody does who was only given the address.
func (t *teller) verify(ctx context.Context) error {
	t.story.link(fmt.Sprintf("/%s/releases/tag/%s", halyard, released))
	if runtime.GOOS == "windows" {
		return errors.New("the archive for this platform cannot be tried on Windows")
	}
	page, err := t.on.Forge.Release(ctx, halyard, released)
	if err != nil {
		return err
	}
	dir := filepath.Join(t.dir, "download")
	if err := makeFolder(dir); err != nil {
		return err
	}
	archive := fmt.Sprintf("halyard_%s_%s_%s.tar.gz", strings.TrimPrefix(released, "v"), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{archive, artifact.SHA256.File()} {
		i := slices.IndexFunc(page.Assets, func(a forge.Asset) bool { return a.Name == name })
		if i < 0 {
			return fmt.Errorf("the release page has no %s", name)
		}
		if err := download(ctx, page.Assets[i].DownloadURL, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := checkSum(dir, archive); err != nil {
		return err
	}
	said, err := unpackAndRun(ctx, dir, archive)
	if err != nil {
		return err
	}
	if want := "halyard " + released; said != want {
		return fmt.Errorf("the program says %q, want %q", said, want)
	}
	marker, err := t.on.Bucket.ReadAll(ctx, path.Join("release", halyard.String(), "stable.txt"))
	if err != nil {
		return fmt.Errorf("reading the marker: %w", err)
	}
	if string(marker) != released {
		return fmt.Errorf("stable.txt says %q, want %s", marker, released)
	}
	checks, err := recheck(ctx, t.on, halyard, released)
	if err != nil {
		return err
	}
	t.story.note("%d checks hold, and it says %q", checks, said)
	return nil
}

// recheck holds everything the release offers together: tag, files, signatures,
// provenance, bill of materials, images, markers. It returns how many checks
// there were.
func recheck(ctx context.Context, on Platform, repo forge.RepoName, tag string) (int, error) {
	r, err := on.Verify(ctx, repo, tag, nil)
	if err != nil {
		return 0, err
	}
	for _, c := range r.Failures() {
		return 0, fmt.Errorf("%s does not hold: %s: %s", tag, c.Name, c.Says)
	}
	passed := 0
	for _, c := range r.Checks {
		if c.State == verify.Passed {
			passed++
		}
	}
	return passed, nil
}

func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	return nil
}

func download(ctx context.Context, url, file string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("downloading: %w", err)
	}
	answer, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		return fmt.Errorf("downloading: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("downloading %s: %s", url, answer.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("downloading %s: %w", url, err)
	}
	_, err = io.Copy(f, answer.Body)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("downloading %s: %w", url, err)
	}
	return nil
}

func checkSum(dir, archive string) error {
	text, err := os.ReadFile(filepath.Join(dir, artifact.SHA256.File()))
	if err != nil {
		return fmt.Errorf("reading the checksums: %w", err)
	}
	sums, err := artifact.ParseChecksums(artifact.SHA256, text)
	if err != nil {
		return err
	}
	sums = slices.DeleteFunc(sums, func(s artifact.Sum) bool { return s.Name != archive })
	f, err := os.Open(filepath.Join(dir, archive))
	if err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	have, err := artifact.Measure(archive, artifact.Archive, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return artifact.VerifyChecksums(artifact.SHA256, sums, []artifact.Artifact{have})
}

func unpackAndRun(ctx context.Context, dir, archive string) (string, error) {
	to := filepath.Join(dir, "unpacked")
	if err := clean(to); err != nil {
		return "", err
	}
	if err := build.Extract(filepath.Join(dir, archive), to, build.Limits{}); err != nil {
		return "", err
	}
	program := filepath.Join(to, strings.TrimSuffix(archive, ".tar.gz"), "halyard")
	out, err := output(ctx, program, "version")
	if err != nil {
		return "", fmt.Errorf("running the program: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// output runs a program that was written a moment ago. Another goroutine that
// starts a process just then lends it, until it execs, the descriptor the
// program was written through, and the kernel calls the file busy.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		out, err := exec.CommandContext(ctx, program, args...).Output()
		if !errors.Is(err, syscall.ETXTBSY) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-again.C:
		}
	}
}
