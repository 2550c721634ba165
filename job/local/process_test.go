package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/exec"
)

// serverVariable makes the test binary play a server that is killed.
const serverVariable = "SEAWORTHY_TEST_SERVER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverVariable); dir != "" {
		playServer(dir)
		return
	}
	os.Exit(m.Run())
}

// playServer runs a job that prints the ids of its processes and never ends.
func playServer(dir string) {
	x, err := New(Options{Dir: dir, Git: git.NewCache(dir), Remote: func(job.Refs) (string, git.Auth) { return dir, git.Auth{} }})
	if err == nil {
		r := request(`trap '' INT TERM; sh -c 'trap "" INT TERM HUP; echo pid $$$$; exec sleep 120' & echo pid $$$$; wait; sleep 120`, job.Refs{})
		_, err = x.Run(context.Background(), r, stdoutSink{})
	}
	fmt.Println("server ended:", err)
}

type stdoutSink struct{ exec.Sink }

func (stdoutSink) Write(p []byte) (int, error) { return os.Stdout.Write(p) }

// TestKilledServerLeavesNoOrphans kills a server outright and expects the
// program and its child to be gone.
func TestKilledServerLeavesNoOrphans(t *testing.T) {
	t.Parallel()
	server := osexec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverVariable+"="+t.TempDir())
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { _ = server.Process.Kill() })
	defer watchdog.Stop()
	var pids []int
	lines := bufio.NewScanner(out)
	for len(pids) < 2 && lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			pid, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	if len(pids) != 2 {
		t.Fatalf("the server ended early, having started %v", pids)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // it was killed
	deadline, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, pid := range pids {
		for alive(pid) {
			select {
			case <-tick.C:
			case <-deadline.Done():
				t.Fatalf("process %d of %v outlived the server", pid, pids)
			}
		}
	}
}

// TestDaemonIsSwept has a program start a daemon that leaves its process group
// and session, and holds none of its files.
func TestDaemonIsSwept(t *testing.T) {
	t.Parallel()
	r, log := runIt(t, newExecutor(t), request(`setsid sh -c 'echo $$$$ > pid.part; mv pid.part pid; exec sleep 120' >/dev/null 2>&1 &
		while ! test -e pid; do sleep 0.02; done; echo pid $(cat pid)`, job.Refs{}))
	if r.State != job.Success {
		t.Fatalf("ended as %s\n%s", r.State, log)
	}
	_, text, _ := strings.Cut(log, "\npid ")
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if alive(pid) {
		t.Errorf("daemon %d is alive", pid)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// alive reports whether a process is there and no zombie, whom only its
// parent can bury.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func TestSignalledProgram(t *testing.T) {
	t.Parallel()
	r, _ := runIt(t, newExecutor(t), request("kill -SEGV $$$$", job.Refs{}))
	if r.State != job.Failure || r.ExitCode != -1 || r.TimedOut || !strings.Contains(r.Message, "segmentation fault") {
		t.Errorf("ended as %+v", r)
	}
}

func TestNiceness(t *testing.T) {
	t.Parallel()
	r, log := runIt(t, newExecutor(t, func(o *Options) { o.Nice = 7 }), request("sleep 0.2; nice", job.Refs{}))
	if r.State != job.Success || !strings.HasSuffix(log, "\n7\n") {
		t.Errorf("ended as %s\n%s", r.State, log)
	}
}

func TestEnvironmentLayers(t *testing.T) {
	t.Parallel()
	x := newExecutor(t, func(o *Options) {
		o.PassEnv = []string{"GOPROXY", "ABSENT"}
		o.Env = []job.EnvVar{{Name: "GOCACHE", Value: "/cache"}, {Name: "MINE", Value: "server"}}
		o.LookupEnv = func(n string) (string, bool) { return "from-server", n != "ABSENT" }
	})
	work := folder{root: "/w", temp: "/t"}
	got := x.environment([]job.EnvVar{{Name: "MINE", Value: "job"}, {Name: "HOME", Value: "/root"}, {Name: "OUT", Value: "$(ARTIFACTS)/out"}}, work).list()
	slices.Sort(got)
	want := []string{"ARTIFACTS=/w/artifacts", "GOCACHE=/cache", "GOPROXY=from-server", "HOME=/w/home", "LANG=C.UTF-8", "MINE=job",
		"OUT=/w/artifacts/out", "PATH=" + DefaultPath, "TMPDIR=/t"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	lookup := func(n string) (string, bool) { return "<" + n + ">", n == "A" || n == "B" }
	for in, want := range map[string]string{
		"": "", "plain": "plain", "$(A)": "<A>", "x$(A)$(B)y": "x<A><B>y", "$(C)": "$(C)", "$$(A)": "$(A)", "$$$(A)": "$<A>",
		"$A": "$A", "$(A": "$(A", "$": "$", "$$": "$", "a)$(B": "a)$(B", "$()": "$()",
	} {
		if got := expand(in, lookup); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"$(A)", "$$(A)", "$(", "$$$", "a$(B)$(A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		// A text without a $ stays; one whose names are unknown keeps them.
		got := expand(s, func(string) (string, bool) { return "", false })
		if want := strings.ReplaceAll(s, "$$", "$"); strings.Count(s, "$(") == 0 && got != want {
			t.Errorf("expand(%q) = %q, want %q", s, got, want)
		}
		if len(got) > len(s) {
			t.Errorf("expand(%q) = %q grew", s, got)
		}
	})
}

func TestFindProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"bin/tool": 0o755, "src/run.sh": 0o755, "src/notes": 0o644} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	bin, src := filepath.Join(dir, "bin"), filepath.Join(dir, "src")
	for _, tt := range []struct{ name, path, want, err string }{
		{"tool", bin, filepath.Join(bin, "tool"), ""},
		{"tool", "/nowhere:" + bin, filepath.Join(bin, "tool"), ""},
		{"./run.sh", bin, filepath.Join(src, "run.sh"), ""},
		{filepath.Join(bin, "tool"), "", filepath.Join(bin, "tool"), ""},
		{"run.sh", bin + "::.:src", "", "there is no program run.sh"},
		{"./notes", bin, "", "is not an executable file"},
		{"./absent", bin, "", "there is no program"},
		{"../bin", bin, "", "is not an executable file"},
	} {
		got, err := findProgram(tt.name, src, tt.path)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("findProgram(%q, PATH=%q) = %q, %v; want %q, %q", tt.name, tt.path, got, err, tt.want, tt.err)
		}
	}
}

func TestShellLine(t *testing.T) {
	t.Parallel()
	if got, want := shellLine([]string{"sh", "-c", "it's $1", ""}), `sh -c 'it'\''s $1' ''`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	good := newExecutor(t).opts
	for name, spoil := range map[string]func(*Options){
		"no folder": func(o *Options) { o.Dir = "" }, "no cache": func(o *Options) { o.Git = nil },
		"no remote": func(o *Options) { o.Remote = nil }, "niceness": func(o *Options) { o.Nice = 20 },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestFolderOfAKilledServer finds what an earlier attempt left behind.
func TestFolderOfAKilledServer(t *testing.T) {
	t.Parallel()
	x := newExecutor(t)
	left := filepath.Join(x.opts.Dir, "x1", "artifacts", "junit.xml")
	if err := os.MkdirAll(filepath.Dir(left), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("stale"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, log := runIt(t, x, request(`ls -A "$ARTIFACTS"`, job.Refs{})); r.State != job.Success || strings.Contains(log, "junit.xml\n") {
		t.Errorf("ended as %s\n%s", r.State, log)
	}
}

func TestUnusableWorkFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	x := newExecutor(t, func(o *Options) { o.Dir = filepath.Join(file, "work") })
	if r, err := x.Run(context.Background(), request("true", job.Refs{}), nil); err == nil {
		t.Errorf("ended as %+v, want an error", r)
	}
	bad := request("true", job.Refs{})
	bad.Execution.ID = "../escape"
	if r, err := newExecutor(t).Run(context.Background(), bad, nil); err == nil {
		t.Errorf("id %q ended as %+v, want an error", bad.Execution.ID, r)
	}
}

// TMPDIR is short enough for a socket wherever the state is, and gone afterwards,
// also when a killed server left it.
func TestTemporaryFiles(t *testing.T) {
	t.Parallel()
	x := newExecutor(t)
	r, log := runIt(t, x, request(`pwd; echo dir=$$TMPDIR; touch $$TMPDIR/a; mkdir $$TMPDIR/closed; touch $$TMPDIR/closed/b; chmod 500 $$TMPDIR/closed`, job.Refs{}))
	_, rest, found := strings.Cut(log, "dir=/")
	dir, _, _ := strings.Cut("/"+rest, "\n")
	if r.State != job.Success || !found || filepath.Dir(dir) != filepath.Clean(os.TempDir()) {
		t.Fatalf("ended as %+v\n%s", r, log)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}

	state := t.TempDir()
	killed, err := makeFolder(state, "e1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed.temp, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := makeFolder(state, "e1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed.temp); !errors.Is(err, fs.ErrNotExist) || again.temp == killed.temp {
		t.Errorf("%s of the killed server is left: %v", killed.temp, err)
	}
	// A link that leads elsewhere is not followed.
	elsewhere := t.TempDir()
	if err := errors.Join(os.Remove(again.tmp()), os.Symlink(elsewhere, again.tmp()), again.remove(), os.RemoveAll(again.temp)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(elsewhere); err != nil {
		t.Errorf("what a job's link led to is gone: %v", err)
	}
}
