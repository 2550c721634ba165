package cut_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/fileblob"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release/cut"
	"seaworthy/store"
)

// branchChildEnv tells this test binary that it is a process that creates or
// moves a branch, and dies at one point.
const branchChildEnv = "SEAWORTHY_BRANCH_CHILD"

type branchOrders struct {
	Dir  string
	Flow string // "branch" or "ff"
	Die  string // the boundary to die at; empty lives
}

// countedForge is a forge whose branches are logged with what the desk does.
type countedForge struct {
	*fakeForge
	desk *desk
}

func (f countedForge) CreateBranch(ctx context.Context, repo forge.RepoName, name, sha string) error {
	if err := f.fakeForge.CreateBranch(ctx, repo, name, sha); err != nil {
		return err
	}
	return f.desk.change("branch "+name, func(*deskState) {})
}

// branchChild is the process. Everything it works on is on disk.
func branchChild(ctx context.Context, given string) (err error) {
	var o branchOrders
	if err := json.Unmarshal([]byte(given), &o); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Options{URL: "sqlite:" + filepath.Join(o.Dir, "journal.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	bucket, err := fileblob.OpenBucket(filepath.Join(o.Dir, "bucket"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	d := &desk{file: filepath.Join(o.Dir, "desk.json")}
	f := countedForge{newFake(o.Dir), d}
	options := branchOptions(o.Dir, f, f, bucket, db, d)
	options.NewID = func(name string) string { return name + "-1" }
	points, err := os.OpenFile(filepath.Join(o.Dir, "points"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, points.Close()) }()
	options.Engine.Boundary = func(point string) {
		if point == o.Die {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err == nil {
				select {} // the signal is on its way
			}
		}
		if _, err := fmt.Fprintln(points, point); err != nil {
			options.Engine.Owner = "cannot write " + err.Error()
		}
	}
	s, err := cut.New(options)
	if err != nil {
		return err
	}
	return branchOn(ctx, s, o)
}

// branchOn takes up the run that is there, or begins one.
func branchOn(ctx context.Context, s *cut.Service, o branchOrders) error {
	unfinished, err := s.Recover(ctx)
	if err != nil {
		return err
	}
	run := flow.Run{}
	if _, err := s.Status(ctx, o.Flow+"-1"); err == nil && len(unfinished) == 0 {
		return nil // it died with everything done
	}
	switch {
	case len(unfinished) > 0:
		run = unfinished[0]
	case o.Flow == "branch":
		run, err = s.CreateBranch(ctx, cut.BranchRequest{Repo: halyard, Branch: "release-0.1", Actor: "ada"})
	default:
		run, err = s.FastForward(ctx, cut.FastForwardRequest{Repo: halyard, Branch: "release-0.1", Actor: "ada"})
	}
	if err != nil {
		return err
	}
	state, err := s.Drive(ctx, run.ID, flow.DriveOptions{})
	if err == nil && state != flow.Succeeded {
		err = fmt.Errorf("the run is %s", state)
	}
	return err
}

func runBranchChild(t *testing.T, o branchOrders) {
	t.Helper()
	given, err := json.Marshal(o)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), branchChildEnv+"="+string(given))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	switch {
	case o.Die == "" && err != nil:
		t.Fatalf("the process did not end well: %v\n%s", err, out)
	case o.Die != "" && !killed:
		t.Fatalf("the process did not die at %q: %v\n%s", o.Die, err, out)
	}
}

// branchOutcome is all that is left for the world to see, and what was done.
type branchOutcome struct {
	Refs []git.Ref
	Desk deskState
	Acts []string
	Work []string
}

func branchLook(t *testing.T, dir string) branchOutcome {
	t.Helper()
	d := &desk{file: filepath.Join(dir, "desk.json")}
	o := branchOutcome{Desk: d.state(t), Acts: acts(t, dir, newFake(dir))}
	slices.Sort(o.Desk.Log)
	slices.SortFunc(o.Desk.Milestones, func(a, b forge.Milestone) int { return strings.Compare(a.Title, b.Title) })
	repo, err := git.Open(t.Context(), filepath.Join(dir, "origin.git"))
	must(t, err)
	o.Refs, err = repo.Refs(t.Context())
	must(t, err)
	left, err := os.ReadDir(filepath.Join(dir, "work"))
	must(t, err)
	for _, e := range left {
		o.Work = append(o.Work, e.Name())
	}
	return o
}

// copied is a copy of a place.
func copied(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(from)))
	must(t, os.Chmod(filepath.Join(dir, "origin.git", "hooks", "post-receive"), 0o755))
	return dir
}

// TestBranchKilledAnywhereAndResumed kills the process at every point before and
// after every attempt, act and journal entry of creating a branch and of moving
// one by a merge, and between any two things that a step does. Short runs take a
// sample.
func TestBranchKilledAnywhereAndResumed(t *testing.T) {
	t.Parallel()
	fresh := newPlace(t)
	newDesk(t, fresh.dir)
	apart := newPlace(t)
	newDesk(t, apart.dir)
	must(t, apart.forge.CreateBranch(t.Context(), halyard, "release-0.1", tipAt(t, apart.dir, "main")))
	commitOn(t, apart.dir, "main", "README.md", "of main\n")
	commitOn(t, apart.dir, "release-0.1", "README.md", "of the branch\n")

	for name, from := range map[string]string{"branch": fresh.dir, "ff": apart.dir} {
		dir := copied(t, from)
		runBranchChild(t, branchOrders{Dir: dir, Flow: name})
		want := branchLook(t, dir)
		text, err := os.ReadFile(filepath.Join(dir, "points"))
		must(t, err)
		points := strings.Split(strings.TrimSpace(string(text)), "\n")
		if name == "branch" && (len(points) < 40 || len(want.Desk.Log) != 5 || len(want.Acts) != 2) || name == "ff" && (len(points) < 20 || len(want.Acts) != 1) {
			t.Fatalf("an undisturbed %s passes %d points, does %v and %v", name, len(points), want.Desk.Log, want.Acts)
		}
		for i, point := range points {
			if testing.Short() && i%16 != 5 {
				continue
			}
			t.Run(name+" "+point, func(t *testing.T) {
				t.Parallel()
				dir := copied(t, from)
				runBranchChild(t, branchOrders{Dir: dir, Flow: name, Die: point})
				runBranchChild(t, branchOrders{Dir: dir, Flow: name})
				if diff := cmp.Diff(want, branchLook(t, dir)); diff != "" {
					t.Errorf("killed at %q and resumed, it is not as undisturbed:\n%s", point, diff)
				}
			})
		}
	}
}
