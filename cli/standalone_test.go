package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// alone is a clone that commands are called in, each in a process of its own.
type alone struct {
	t        *testing.T
	program  string
	dir, www string
}

func newAlone(t *testing.T) alone {
	t.Helper()
	program, err := exec.LookPath("seaworthy")
	if err != nil {
		t.Fatal(err)
	}
	a := alone{t, program, filepath.Join(t.TempDir(), "clone"), filepath.Join(t.TempDir(), "www")}
	if err := os.Mkdir(a.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module example.org/tidewatch\n\ngo 1.22\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "Begin"}} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = a.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return a
}

func (a alone) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, a.program, args...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "HOME="+a.t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "SEAWORTHY_DATABASE=",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org")
	return cmd
}

// run wants a command to succeed, and returns what it printed.
func (a alone) run(args ...string) string {
	a.t.Helper()
	cmd := a.command(a.t.Context(), args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatalf("seaworthy %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// killed kills a command with the signal that nobody can catch, as soon as a
// step of that title is over, and returns the id of its run.
func (a alone) killed(title string, args ...string) string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := a.command(ctx, args...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	var said []string
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), title) {
			if err := cmd.Process.Kill(); err != nil {
				a.t.Fatal(err)
			}
			break
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		a.t.Fatalf("%q was over before it could be killed: %v\n%s", title, err, strings.Join(said, "\n"))
	}
	return a.newest().ID
}

func (a alone) newest() shownRelease {
	a.t.Helper()
	var all []shownRelease
	if err := json.Unmarshal([]byte(a.run("release", "history", "-o", "json")), &all); err != nil || len(all) == 0 {
		a.t.Fatalf("history: %v, %v", all, err)
	}
	return all[0]
}

// Killed in the middle of the stage and in the middle of the cut, a release goes
// on at once: nobody waits for the dead, and two who resume exclude each other.
func TestStandaloneKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: builds a project")
	}
	a := newAlone(t)
	stage := a.killed("Prepare a workspace", "release", "stage", "--nomock", "--to", "folder:"+a.www)
	if r := a.newest(); r.State.Final() {
		t.Fatalf("the killed stage is %s", r.State)
	}
	second := a.command(t.Context(), "release", "stage", "--nomock")
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), stage) {
		t.Errorf("a second stage: %v\n%s", err, out)
	}
	first, rival := a.command(t.Context(), "release", "resume", stage), a.command(t.Context(), "release", "resume", stage)
	for _, cmd := range []*exec.Cmd{first, rival} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if one, two := first.Wait(), rival.Wait(); one != nil && two != nil {
		t.Errorf("neither resumed: %v, %v", one, two)
	}
	if r := a.newest(); r.State != "succeeded" {
		t.Fatalf("the resumed stage is %s: %s", r.State, r.Sentence)
	}
	var plan struct {
		BuildVersion string `json:"build_version"`
	}
	cmd := a.command(t.Context(), "release", "plan", "-o", "json")
	out, err := cmd.Output() // NO-GO: it was not rehearsed yet
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitVerdict {
		t.Fatalf("plan: %v", err)
	}
	if err := json.Unmarshal(out, &plan); err != nil {
		t.Fatal(err)
	}
	a.run("release", "cut", "--build-version", plan.BuildVersion)
	for i, title := range []string{"Promote the artifacts", "Push the tag", "Publish the page"} {
		if i == 0 {
			a.killed(title, "release", "cut", "--build-version", plan.BuildVersion, "--nomock")
			continue
		}
		a.killed(title, "release", "resume", a.newest().ID)
	}
	a.run("release", "resume", a.newest().ID)
	if r := a.newest(); r.Flow != "cut" || r.State != "succeeded" {
		t.Errorf("the resumed cut is %+v", r)
	}
	a.run("release", "verify", "v0.1.0")
	// What was done was done once.
	if drafts, err := filepath.Glob(filepath.Join(a.dir, ".seaworthy", "folder", "drafts", "*", "*", "*")); err != nil || len(drafts) > 0 {
		t.Errorf("drafts are left: %v, %v", drafts, err)
	}
	if odd, err := filepath.Glob(filepath.Join(a.www, "release", "*", "*", "v0.1.0", ".*")); err != nil || len(odd) > 0 {
		t.Errorf("files are left half-way: %v, %v", odd, err)
	}
}
