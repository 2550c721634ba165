package run

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/fileblob"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/local"
	"seaworthy/job/result"
	"seaworthy/store/storetest"
)

const realJobs = `
presubmits:
  harbour/halyard:
  - name: unit
    always_run: true
    spec:
      containers:
      - image: golang
        command: [sh, -ec]
        args: ['test "$(cat rope.txt)" = hemp; cat main.txt; echo "$PULL_REFS"; echo "<testsuite><testcase name=\"knot\"/></testsuite>" > "$ARTIFACTS/junit.xml"']
`

// TestRoad takes three pull requests from event to result with a real
// repository, real processes, a database and a bucket on disk: one passes, one
// fails and one conflicts with the base.
func TestRoad(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	origin, err := git.Init(ctx, filepath.Join(dir, "halyard.git"), true, "main")
	if err != nil {
		t.Fatal(err)
	}
	first := write(t, origin, "", "refs/heads/main", map[string]string{"main.txt": "old\n", "rope.txt": "jute\n"})
	heads := map[int]string{
		1: write(t, origin, first, "refs/pull/1/head", map[string]string{"rope.txt": "hemp\n"}),
		2: write(t, origin, first, "refs/pull/2/head", map[string]string{"rope.txt": "wire\n"}),
		3: write(t, origin, first, "refs/pull/3/head", map[string]string{"main.txt": "other\n"}),
	}
	tip := write(t, origin, first, "refs/heads/main", map[string]string{"main.txt": "new\n"})

	executor := realExecutor(t, origin.Dir)
	bucket, err := fileblob.OpenBucket(filepath.Join(dir, "bucket"), &fileblob.Options{CreateDir: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bucket.Close() })
	c := config(t, realJobs)
	p := newPier(t)
	p.forge.branches["main"] = tip
	p.bucket = bucket
	p.Service = p.service(func(o *Options) {
		o.Executor, o.Bucket, o.Store, o.Now = executor, bucket, storetest.SQLite(t), time.Now
		o.Jobs = func(context.Context, forge.RepoName, string) (job.Config, error) { return c, nil }
	})
	for n, head := range heads {
		p.handle(pullEvent("delivery-"+head, "opened", pull(n, head)))
	}
	p.drain()

	ends := map[int][2]string{
		1: {"success Job succeeded. BaseSHA:" + tip, "new\nmain:" + tip + ",1:" + heads[1] + "\n\nJob succeeded.\n"},
		2: {"failure Job failed. BaseSHA:" + tip, "\nJob failed.\n"},
		3: {"error Job could not be run: #3 conflicts with main in main.txt: rebase it BaseSHA:" + tip, "#3 conflicts with main in main.txt: rebase it\n"},
	}
	for n, want := range ends {
		said := p.forge.said(heads[n], "unit")
		if diff := cmp.Diff(want[0], said[len(said)-1]); diff != "" {
			t.Errorf("status of #%d (-want +got):\n%s", n, diff)
		}
		all, err := p.Executions(ctx, job.ExecutionFilter{Pull: n})
		if err != nil || len(all) != 1 {
			t.Fatalf("executions of #%d: %v, %v", n, all, err)
		}
		if log := p.read(all[0].Path + "/build-log.txt"); !strings.HasSuffix(log, want[1]) {
			t.Errorf("log of #%d does not end with %q:\n%s", n, want[1], log)
		}
		b, err := result.LoadBuild(ctx, bucket, all[0].Path)
		if err != nil || len(b.Irregular) > 0 {
			t.Errorf("results of #%d: %v, %v", n, b.Irregular, err)
		}
		if tests := len(b.Tests); (n == 1) != (tests == 1) {
			t.Errorf("#%d has %d tests", n, tests)
		}
	}
}

// TestAbortOnARealStore aborts a real program from another process.
func TestAbortOnARealStore(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	executor := realExecutor(t, "")
	c := config(t, "periodics: [{name: endless, interval: 1h, decoration_config: {grace_period: 100ms}, spec: {containers: [{image: busybox, command: [tail, -f, /dev/null]}]}}]")
	changed := make(chan string, 1000)
	p := newPier(t)
	p.Service = p.service(func(o *Options) {
		o.Executor, o.Store, o.Now, o.Lease = executor, storetest.SQLite(t), time.Now, 900*time.Millisecond
		o.Jobs = func(context.Context, forge.RepoName, string) (job.Config, error) { return c, nil }
		o.Notify = func(topic string) { changed <- topic }
	})
	e, err := p.StartPeriodic(ctx, halyard, "endless", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Execute(ctx, e.ID) }()
	for log := ""; !strings.Contains(log, "$ tail"); {
		select {
		case <-changed:
			log = p.log(e.ID)
		case <-time.After(patience):
			t.Fatalf("the program does not start; log %q", log)
		}
	}
	if err := p.service(func(o *Options) { o.Owner, o.LogDir = "pier-2", t.TempDir() }).Abort(ctx, e.ID, "enough"); err != nil {
		t.Fatal(err)
	}
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Execution(ctx, e.ID); err != nil || got.State != job.Aborted || got.Description != "Job aborted: enough." {
		t.Errorf("ended as %+v, %v", got, err)
	}
	if log := p.log(e.ID); !strings.Contains(log, "Aborted: interrupting the program.") {
		t.Errorf("log is %q", log)
	}
}

// realExecutor runs processes; every source comes from remote.
func realExecutor(t *testing.T, remote string) *local.Executor {
	t.Helper()
	x, err := local.New(local.Options{Dir: filepath.Join(t.TempDir(), "work"), Git: git.NewCache(t.TempDir()),
		Remote: func(job.Refs) (string, git.Auth) { return remote, git.Auth{} }})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func write(t *testing.T, r *git.Repository, parent, ref string, files map[string]string) string {
	t.Helper()
	ctx := context.Background()
	var edits []git.FileEdit
	for name, content := range files {
		edits = append(edits, git.FileEdit{Path: name, Content: []byte(content)})
	}
	tree, err := r.EditTree(ctx, parent, edits)
	if err != nil {
		t.Fatal(err)
	}
	c := git.NewCommit{Tree: tree, Message: ref, Author: git.Person{Name: "ada", Email: "ada@example.com", Time: time.Unix(1_700_000_000, 0)}}
	if parent != "" {
		c.Parents = []string{parent}
	}
	sha, err := r.CommitTree(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.UpdateRef(ctx, ref, sha, ""); err != nil {
		t.Fatal(err)
	}
	return sha
}
