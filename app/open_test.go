package app_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/store"
)

// options open a platform nobody listens to otherwise.
func options(dir string) app.Options { return app.Options{Dir: dir, Addr: "127.0.0.1:0"} }

// refused opens a platform that must not open, and returns what it says.
func refused(t *testing.T, o app.Options) string {
	t.Helper()
	a, err := app.Open(t.Context(), o)
	if err == nil {
		t.Error(a.Close())
		t.Fatal("it was opened")
	}
	return err.Error()
}

func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}

// One process serves a folder; commands on it use that one's forge.
func TestOneServerPerFolder(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	says(t, refused(t, options(p.dir)), "a server runs on", p.URL(), "--dir")

	a, err := app.Attach(t.Context(), options(p.dir))
	p.must(err)
	if a.URL() != p.URL() {
		t.Errorf("a command attached to %s, and the server is at %s", a.URL(), p.URL())
	}
	if _, err := a.Forge.User(t.Context()); err != nil {
		t.Errorf("asking the server's forge: %v", err)
	}
	p.must(a.Close())
	if _, err := p.Forge.User(t.Context()); err != nil {
		t.Errorf("the server after a command has gone: %v", err)
	}

	p.stop()
	a, err = app.Attach(t.Context(), options(p.dir))
	p.must(err)
	defer a.Close()
	if a.URL() == p.URL() {
		t.Error("attached to a server that is gone")
	}
	if _, err := a.Forge.User(t.Context()); err != nil {
		t.Errorf("asking the command's own forge: %v", err)
	}
	// A command has the folder to itself for as long as it takes.
	says(t, refused(t, options(p.dir)), "another seaworthy works on", "does not answer")
}

// What a killed server left in the folder leads nobody astray.
func TestStaleAddress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, text := range []string{`{"url":"http://127.0.0.1:1"}`, `{"url":`, `{}`} {
		write(t, dir, map[string]string{"server.json": text})
		a, err := app.Attach(t.Context(), options(dir))
		if err != nil {
			t.Fatalf("with %s: %v", text, err)
		}
		if _, err := a.Forge.User(t.Context()); err != nil {
			t.Errorf("with %s: %v", text, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		b, err := app.Open(t.Context(), options(dir))
		if err != nil {
			t.Fatalf("with %s: %v", text, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := filepath.Join(t.TempDir(), "state")
	says(t, refused(t, app.Options{Dir: dir, Addr: l.Addr().String()}), "cannot listen on "+l.Addr().String(), "--addr")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a folder is left behind: %v", err)
	}
}

func TestFolderNotWritable(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	write(t, parent, map[string]string{"file": ""})
	says(t, refused(t, options(filepath.Join(parent, "file"))), filepath.Join(parent, "file"), "--dir")
	says(t, refused(t, options(filepath.Join(parent, "file", "state"))), "file/state", "--dir")
	if os.Geteuid() == 0 {
		t.Log("the administrator may write everywhere")
		return
	}
	dir := filepath.Join(parent, "mine")
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	says(t, refused(t, options(dir)), "mine", "--dir")
}

func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, dir)
	p.stop()
	db, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(dir, "seaworthy.db")})
	p.must(err)
	_, err = db.Writer().ExecContext(t.Context(), `INSERT INTO store_migration (version_id, is_applied) VALUES (9999, true)`)
	p.must(err)
	p.must(db.Close())
	says(t, refused(t, options(dir)), "newer seaworthy", "9999")
	if _, err := os.Stat(filepath.Join(dir, "seaworthy.db")); err != nil {
		t.Errorf("the database is gone: %v", err)
	}
}

// A folder that is served on another port goes on as before: the hook follows,
// and a push leads to a run.
func TestMovedPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, dir)
	p.populate(sources)
	p.settled()
	before, err := p.as["ada"].Hooks(t.Context(), halyard)
	p.must(err)
	p.stop()

	q := open(t, dir)
	q.meet(p)
	pr := q.propose("ben", "good", map[string]string{"knots.txt": "bowline\n"})
	q.until("it is tested", func() bool { return q.status(pr.Head.SHA, "unit").State == forge.StatusSuccess })
	q.settled()
	after, err := q.as["ada"].Hooks(t.Context(), halyard)
	q.must(err)
	if len(before) != 1 || len(after) != 1 || after[0].ID != before[0].ID || after[0].URL != ownHook {
		t.Errorf("hooks before %+v\nand after %+v", before, after)
	}
	mirrors, err := filepath.Glob(filepath.Join(dir, "cache", "git", "*.git"))
	q.must(err)
	if len(mirrors) != 1 {
		t.Errorf("%d mirrors of one repository: %q", len(mirrors), mirrors)
	}
}

func TestCloseTwice(t *testing.T) {
	t.Parallel()
	a, err := app.Open(t.Context(), options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	if _, err := http.Get(a.URL() + "/healthz"); err == nil {
		t.Error("it still answers")
	}
}

// Stopping takes seconds though a job runs, and the next process runs the job
// again.
func TestStopWhileAJobRuns(t *testing.T) {
	t.Parallel()
	dir, gate := t.TempDir(), filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	p := open(t, dir)
	p.populate(map[string]string{"seaworthy.yaml": strings.Replace(configuration, `["test", "!", "-e", "broken"]`, `["cat", "`+gate+`"]`, 1)})
	p.settled()
	pr := p.propose("ben", "good", map[string]string{"knots.txt": "bowline\n"})
	pass(t, gate, func() {
		begun := time.Now()
		p.stop()
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
	q := open(t, dir)
	q.meet(p)
	pass(t, gate, func() {})
	q.until("the job has run again", func() bool { return q.status(pr.Head.SHA, "unit").State == forge.StatusSuccess })
	q.settled()
	good := 0
	for _, e := range q.executions(job.ExecutionFilter{Job: "pull-unit"}) {
		if e.State == job.Success {
			good++
		}
	}
	if good != 1 {
		t.Errorf("the job succeeded %d times", good)
	}
}

// Whatever a platform started has ended when it is closed. Other tests must
// not run meanwhile, so this one is not parallel.
func TestNoLeaks(t *testing.T) {
	before := ours()
	p := open(t, t.TempDir())
	p.populate(sources)
	pr := p.propose("ben", "good", map[string]string{"knots.txt": "bowline\n"})
	p.until("it is tested", func() bool { return p.status(pr.Head.SHA, "unit").State == forge.StatusSuccess })
	p.settled()
	p.stop()
	http.DefaultClient.CloseIdleConnections()
	late := time.Now().Add(10 * time.Second)
	for len(ours()) > len(before) && time.Now().Before(late) {
		runtime.Gosched() // a goroutine that has been told to end takes a moment
	}
	if after := ours(); len(after) > len(before) {
		t.Errorf("%d goroutines are left:\n%s", len(after)-len(before), strings.Join(after, "\n\n"))
	}
}

// ours lists the goroutines that run this project's code, this test aside.
func ours() []string {
	buf := make([]byte, 4<<20)
	var all []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "seaworthy/") && !strings.Contains(stack, "app_test.ours") {
			all = append(all, stack)
		}
	}
	return all
}

// Several may take a repository into care at once: it has one hook in the end,
// and nobody is told of another's.
func TestServeAtOnce(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.enlist()
	_, err := p.as["ada"].CreateRepo(t.Context(), forge.NewRepo{RepoName: halyard, DefaultBranch: "main"})
	p.must(err)
	var g errgroup.Group
	for range 8 {
		g.Go(func() error { return p.Serve(t.Context(), halyard) })
	}
	p.must(g.Wait())
	token, err := p.AdminToken()
	p.must(err)
	admin, err := p.Client(token)
	p.must(err)
	hooks, err := admin.Hooks(t.Context(), halyard)
	p.must(err)
	if len(hooks) != 1 {
		t.Errorf("%d hooks, want one", len(hooks))
	}
}
