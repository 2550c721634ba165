package run

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/exec"
	"seaworthy/job/exectest"
	"seaworthy/job/result"
)

// patience bounds what waits for something else.
const patience = 30 * time.Second

// start triggers jobs of pull request 7 and returns the first execution.
func (p *pier) start(names ...string) job.Execution {
	p.t.Helper()
	started, err := p.Start(context.Background(), Request{Repo: halyard, Pull: 7, Jobs: names, Key: "start/" + p.now.String()})
	if err != nil {
		p.t.Fatal(err)
	}
	for range started {
		<-p.queue
	}
	return started[0]
}

// background executes in a goroutine, and returns once the program runs.
func (p *pier) background(s *Service, ctx context.Context, id string) <-chan error {
	p.t.Helper()
	started := make(chan string, 10)
	p.exec.Started = started
	done := make(chan error, 1)
	go func() { done <- s.Execute(ctx, id) }()
	select {
	case <-started:
	case err := <-done:
		p.t.Fatalf("ended before its program ran: %v", err)
	case <-time.After(patience):
		p.t.Fatal("the program does not start")
	}
	return done
}

func await(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("the execution does not end")
		return nil
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	base := " BaseSHA:" + sha("a")
	tests := []struct {
		name    string
		outcome exectest.Outcome
		state   job.State
		status  string
		result  string
		logEnd  string
	}{
		{"success", exectest.Outcome{Log: "fine\n"}, job.Success, "success Job succeeded.", "SUCCESS", "fine\n\nJob succeeded.\n"},
		{"failure", failed, job.Failure, "failure Job failed.", "FAILURE", "\nJob failed.\n"},
		{"timeout", exectest.Outcome{Result: exec.Result{State: job.Failure, ExitCode: -1, TimedOut: true, Message: "Timed out after 1h0m0s."}}, job.Failure,
			"failure Job failed: Timed out after 1h0m0s.", "FAILURE", "Timed out after 1h0m0s.\n"},
		{"conflict", exectest.Outcome{Result: exec.Result{State: job.Errored, ExitCode: -1, Message: "#7 conflicts with main in a: rebase it",
			Sources: []exec.Source{{Refs: job.Refs{Org: "harbour", Repo: "halyard"}, Commands: []exec.Command{{Line: "git merge", Error: "exit status 1"}}}}}},
			job.Errored, "error Job could not be run: #7 conflicts with main in a: rebase it", "FAILURE", "rebase it\n"},
		{"broken executor", exectest.Outcome{Err: errors.New("no space left")}, job.Errored, "error Job could not be run: no space left", "FAILURE", "no space left\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPier(t)
			p.exec.Script("unit", tt.outcome)
			id := p.start("unit").ID
			if err := p.Execute(context.Background(), id); err != nil {
				t.Fatal(err)
			}
			e := p.only("unit")
			if e.State != tt.state || !e.FinishedAt.Equal(p.now) || !e.StartedAt.Equal(p.now) {
				t.Errorf("execution is %+v", e)
			}
			said := p.forge.said(sha("7"), "unit")
			if got := said[len(said)-1]; got != tt.status+base {
				t.Errorf("status is %q, want %q", got, tt.status+base)
			}
			var fin result.Finished
			if err := json.Unmarshal([]byte(p.read(e.Path+"/finished.json")), &fin); err != nil {
				t.Fatal(err)
			}
			if fin.Result != tt.result || fin.Passed != (tt.state == job.Success) {
				t.Errorf("finished.json is %+v", fin)
			}
			if log := p.read(e.Path + "/build-log.txt"); !strings.HasSuffix(log, tt.logEnd) {
				t.Errorf("log %q does not end with %q", log, tt.logEnd)
			}
			if left, err := filepath.Glob(filepath.Join(p.o.LogDir, "*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if len(tt.outcome.Result.Sources) > 0 && !strings.Contains(p.read(e.Path+"/clone-records.json"), `"failed":true`) {
				t.Error("clone-records.json does not say that it failed")
			}
		})
	}
}

func TestResultsInTheBucket(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", exectest.Outcome{Log: "x\n", Artifacts: map[string]string{"junit_a.xml": "<testsuite/>", "deep/er.txt": "y", "bad\\name": "z"}})
	if err := p.Execute(ctx, p.start("unit").ID); err != nil {
		t.Fatal(err)
	}
	e := p.only("unit")
	var keys []string
	for it := p.bucket.List(nil); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, strings.ReplaceAll(o.Key, e.BuildID, "ID"))
	}
	want := []string{
		"pr-logs/directory/unit/ID.txt", "pr-logs/directory/unit/latest-build.txt",
		"pr-logs/pull/harbour_halyard/7/unit/ID/artifacts/deep/er.txt", "pr-logs/pull/harbour_halyard/7/unit/ID/artifacts/junit_a.xml",
		"pr-logs/pull/harbour_halyard/7/unit/ID/build-log.txt", "pr-logs/pull/harbour_halyard/7/unit/ID/finished.json",
		"pr-logs/pull/harbour_halyard/7/unit/ID/prowjob.json", "pr-logs/pull/harbour_halyard/7/unit/ID/started.json",
		"pr-logs/pull/harbour_halyard/7/unit/latest-build.txt",
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("bucket (-want +got):\n%s", diff)
	}
}

func TestRequestOfTheExecutor(t *testing.T) {
	t.Parallel()
	p := newPier(t, func(o *Options) {
		o.Secrets = func(e job.Execution) []job.EnvVar {
			return []job.EnvVar{{Name: "TOKEN", Value: "hunter2-" + e.Job}}
		}
	})
	if err := p.Execute(context.Background(), p.start("unit").ID); err != nil {
		t.Fatal(err)
	}
	r := p.exec.Requests()[0]
	if diff := cmp.Diff([]string{"hunter2-unit"}, r.Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	for _, want := range []job.EnvVar{{Name: "PULL_NUMBER", Value: "7"}, {Name: "TOKEN", Value: "hunter2-unit"}, {Name: "BUILD_ID", Value: r.Execution.BuildID}} {
		if !slices.Contains(r.Env, want) {
			t.Errorf("%v is not in the environment %v", want, r.Env)
		}
	}
	if diff := cmp.Diff([]string{"make", "test"}, append(r.Execution.Spec.Command, r.Execution.Spec.Args...)); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
}

// TestForgeDownAtTheEnd has the final status refused: the program is not run
// again, and its result is told when the forge is back.
func TestForgeDownAtTheEnd(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", failed, ok)
	id := p.start("unit").ID
	p.forge.down(forge.ErrUnavailable)
	for range 2 {
		if err := p.Execute(ctx, id); !errors.Is(err, forge.ErrUnavailable) {
			t.Fatalf("got %v, want %v", err, forge.ErrUnavailable)
		}
	}
	if e := p.only("unit"); e.State != job.Pending {
		t.Errorf("recorded as %s before the forge knows", e.State)
	}
	if err := p.Abort(ctx, id, "too late"); err != nil { // only telling is left
		t.Fatal(err)
	}
	p.forge.down(nil)
	if err := p.Execute(ctx, id); err != nil {
		t.Fatal(err)
	}
	if e := p.only("unit"); e.State != job.Failure || len(p.exec.Requests()) != 1 {
		t.Errorf("ended as %s after %d programs, want %s after 1", e.State, len(p.exec.Requests()), job.Failure)
	}
	if said := p.forge.said(sha("7"), "unit"); !strings.HasPrefix(said[len(said)-1], "failure") {
		t.Errorf("statuses are %q", said)
	}
}

func TestStatusTheForgeNeverTakes(t *testing.T) {
	t.Parallel()
	p := newPier(t)
	id := p.start("unit").ID
	p.forge.down(forge.ErrNotFound)
	if err := p.Execute(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if e := p.only("unit"); e.State != job.Success {
		t.Errorf("ended as %s, want %s", e.State, job.Success)
	}
}

// TestBucketDownAtTheEnd runs a program while the bucket takes nothing, then
// restarts with one that does.
func TestBucketDownAtTheEnd(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", failed, ok)
	id := p.start("unit").ID
	broken := memblob.OpenBucket(nil)
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.service(func(o *Options) { o.Bucket = broken }).Execute(ctx, id); err == nil {
		t.Fatal("a bucket that takes nothing is no error")
	}
	if said := p.forge.said(sha("7"), "unit"); strings.HasPrefix(said[len(said)-1], "failure") {
		t.Error("the forge was told before the bucket")
	}
	if err := p.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	e := p.only("unit")
	if e.State != job.Failure || len(p.exec.Requests()) != 1 || !strings.Contains(p.read(e.Path+"/build-log.txt"), "--- FAIL") {
		t.Errorf("ended as %s after %d programs", e.State, len(p.exec.Requests()))
	}
}

func TestExecuteOnceOnly(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	release := make(chan struct{})
	p.exec.Script("unit", exectest.Outcome{Release: release})
	id := p.start("unit").ID
	done := p.background(p.Service, ctx, id)
	if err := p.Execute(ctx, id); !errors.Is(err, ErrBusy) {
		t.Errorf("the same worker: got %v, want %v", err, ErrBusy)
	}
	if err := p.service(func(o *Options) { o.Owner = "pier-2" }).Execute(ctx, id); !errors.Is(err, ErrBusy) {
		t.Errorf("another worker: got %v, want %v", err, ErrBusy)
	}
	close(release)
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
	if n := len(p.exec.Requests()); n != 1 {
		t.Errorf("%d programs ran, want 1", n)
	}
	if err := p.Execute(ctx, "nope"); err == nil {
		t.Error("an execution that does not exist is executed")
	}
}

func TestMaxConcurrency(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	release := make(chan struct{})
	p.exec.Script("manual", exectest.Outcome{Release: release})
	one := p.start("manual").ID
	started, err := p.Start(ctx, Request{Repo: halyard, Pull: 8, Jobs: []string{"manual"}})
	if err != nil {
		t.Fatal(err)
	}
	two := started[0].ID
	done := p.background(p.Service, ctx, one)
	if err := p.Execute(ctx, two); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
	if e, err := p.Execution(ctx, two); err != nil || e.State != job.Triggered {
		t.Errorf("the second is %s, %v; want %s", e.State, err, job.Triggered)
	}
	close(release)
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
	if err := p.Execute(ctx, two); err != nil {
		t.Errorf("once the first is over: %v", err)
	}
}

func TestAbortRunning(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", exectest.Outcome{Log: "half\n", Block: true})
	id := p.start("unit").ID
	done := p.background(p.Service, ctx, id)
	if err := p.Abort(ctx, id, "ada said so"); err != nil {
		t.Fatal(err)
	}
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
	p.wantAborted("ada said so", "half\n")
}

// wantAborted checks that everybody knows of the abort of unit.
func (p *pier) wantAborted(why, log string) {
	p.t.Helper()
	e := p.only("unit")
	if e.State != job.Aborted || e.Description != "Job aborted: "+why+"." {
		p.t.Errorf("ended as %s: %s", e.State, e.Description)
	}
	said := p.forge.said(sha("7"), "unit")
	if got, want := said[len(said)-1], "failure Job aborted: "+why+". BaseSHA:"+sha("a"); got != want {
		p.t.Errorf("status is %q, want %q", got, want)
	}
	if !strings.Contains(p.read(e.Path+"/finished.json"), `"ABORTED"`) {
		p.t.Error("finished.json does not say ABORTED")
	}
	if got := p.read(e.Path + "/build-log.txt"); !strings.HasPrefix(got, log) || !strings.Contains(got, why) {
		p.t.Errorf("log is %q", got)
	}
}

func TestAbortWaiting(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	id := p.start("unit").ID
	for range 2 { // the second finds it done
		if err := p.Abort(ctx, id, "closed"); err != nil {
			t.Fatal(err)
		}
	}
	p.wantAborted("closed", "")
	if err := p.Execute(ctx, id); err != nil { // its turn in the queue
		t.Fatal(err)
	}
	if n := len(p.exec.Requests()); n != 0 {
		t.Errorf("%d programs ran after the abort", n)
	}
	if err := p.Abort(ctx, "nope", "closed"); err == nil {
		t.Error("an execution that does not exist is aborted")
	}
}

func TestAbortIsCompletedAfterTheForgeWasDown(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	id := p.start("unit").ID
	p.forge.down(forge.ErrUnavailable)
	if err := p.Abort(ctx, id, "closed"); !errors.Is(err, forge.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, forge.ErrUnavailable)
	}
	p.forge.down(nil)
	if err := p.Abort(ctx, id, "closed"); err != nil {
		t.Fatal(err)
	}
	p.wantAborted("closed", "")
}

func TestAbortFromAnotherProcess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t, func(o *Options) { o.Lease = 30 * time.Millisecond })
	p.exec.Script("unit", exectest.Outcome{Log: "half\n", Block: true})
	id := p.start("unit").ID
	done := p.background(p.Service, ctx, id)
	if err := p.service(func(o *Options) { o.Owner = "pier-2" }).Abort(ctx, id, "ada said so"); err != nil {
		t.Fatal(err)
	}
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
	p.wantAborted("ada said so", "half\n")
}

// TestAbortMeetsAFullBucket aborts from another process while the worker's
// bucket takes nothing: the log it has is uploaded when the bucket does.
func TestAbortMeetsAFullBucket(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t, func(o *Options) { o.Lease = 30 * time.Millisecond })
	p.exec.Script("unit", exectest.Outcome{Log: "half\n", Block: true})
	id := p.start("unit").ID
	broken := memblob.OpenBucket(nil)
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	done := p.background(p.service(func(o *Options) { o.Bucket = broken }), ctx, id)
	if err := p.service(func(o *Options) { o.Owner, o.LogDir = "pier-2", t.TempDir() }).Abort(ctx, id, "ada said so"); err != nil {
		t.Fatal(err)
	}
	if err := await(t, done); err == nil {
		t.Fatal("a bucket that takes nothing is no error")
	}
	if err := p.Execute(ctx, id); err != nil {
		t.Fatal(err)
	}
	p.wantAborted("ada said so", "half\n")
}

// TestStatusIsToldAgain executes what is over, as a queue does after a crash.
func TestStatusIsToldAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	id := p.start("unit").ID
	if err := p.Execute(ctx, id); err != nil {
		t.Fatal(err)
	}
	p.forge.statuses = nil
	if err := p.Execute(ctx, id); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"success Job succeeded. BaseSHA:" + sha("a")}, p.forge.said(sha("7"), "unit")); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if n := len(p.exec.Requests()); n != 1 {
		t.Errorf("%d programs ran, want 1", n)
	}
}

// TestAbortMeetsTheEnd has an execution succeed between an abort's look at it
// and its record: the success stays.
func TestAbortMeetsTheEnd(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	id := p.start("unit").ID
	aborter := p.service(func(o *Options) { o.Store = &stale{Store: p.store} })
	seen, err := aborter.Execution(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Execute(ctx, id); err != nil {
		t.Fatal(err)
	}
	aborter.o.Store.(*stale).first = &seen
	if err := aborter.Abort(ctx, id, "too late"); err != nil {
		t.Fatal(err)
	}
	said := p.forge.said(sha("7"), "unit")
	if e := p.only("unit"); e.State != job.Success || !strings.HasPrefix(said[len(said)-1], "success") {
		t.Errorf("ended as %s, statuses %q", e.State, said)
	}
	if log := p.log(id); !strings.Contains(log, "Job succeeded.") {
		t.Errorf("log is %q", log)
	}
}

// TestAbortWhileTheJobIsAtItsLimit aborts an execution at the moment a worker
// looks whether it may run.
func TestAbortWhileTheJobIsAtItsLimit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	store := &interrupting{Store: p.store}
	p.o.Store = store
	p.exec.Script("manual", exectest.Outcome{Block: true})
	one := p.start("manual").ID
	started, err := p.Start(ctx, Request{Repo: halyard, Pull: 8, Jobs: []string{"manual"}})
	if err != nil {
		t.Fatal(err)
	}
	two := started[0].ID
	done := p.background(p.Service, ctx, one)
	abort := func() {
		if err := p.Abort(ctx, two, "closed"); err != nil {
			t.Error(err)
		}
	}
	store.when.Store(&abort)
	if err := p.Execute(ctx, two); err != nil {
		t.Errorf("got %v", err)
	}
	if e, err := p.Execution(ctx, two); err != nil || e.State != job.Aborted {
		t.Errorf("ended as %s, %v; want %s", e.State, err, job.Aborted)
	}
	if err := p.Abort(ctx, one, "closed"); err != nil {
		t.Fatal(err)
	}
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
}

// interrupting calls a function once, while executions are listed.
type interrupting struct {
	Store
	when atomic.Pointer[func()]
}

func (s *interrupting) Executions(ctx context.Context, f job.ExecutionFilter) ([]job.Execution, error) {
	if when := s.when.Swap(nil); when != nil {
		(*when)()
	}
	return s.Store.Executions(ctx, f)
}

// stale answers the next Execution with what was seen before.
type stale struct {
	Store
	first *job.Execution
}

func (s *stale) Execution(ctx context.Context, id string) (job.Execution, error) {
	if e := s.first; e != nil {
		s.first = nil
		return *e, nil
	}
	return s.Store.Execution(ctx, id)
}

func TestLeaseLost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t, func(o *Options) { o.Lease = 30 * time.Millisecond })
	p.exec.Script("unit", exectest.Outcome{Block: true})
	id := p.start("unit").ID
	done := p.background(p.Service, ctx, id)
	p.store.mu.Lock()
	e := p.store.all[id]
	e.Owner = "pier-2"
	p.store.all[id] = e
	p.store.mu.Unlock()
	if err := await(t, done); !errors.Is(err, errLeaseLost) {
		t.Errorf("got %v, want %v", err, errLeaseLost)
	}
	if ok, err := p.bucket.Exists(ctx, e.Path+"/finished.json"); ok || err != nil {
		t.Errorf("results were uploaded by a worker that had lost the lease (%v)", err)
	}
}

func TestLeaseIsExtended(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	extended := make(chan struct{}, 100)
	p := newPier(t, func(o *Options) { o.Lease = 30 * time.Millisecond })
	p.o.Store = signalling{p.store, extended}
	p.exec.Script("unit", exectest.Outcome{Block: true})
	id := p.start("unit").ID
	done := p.background(p.Service, ctx, id)
	for range 3 {
		select {
		case <-extended:
		case <-time.After(patience):
			t.Fatal("the lease is not extended")
		}
	}
	if err := p.Abort(ctx, id, "enough"); err != nil {
		t.Fatal(err)
	}
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
}

// signalling tells of every extension.
type signalling struct {
	Store
	extended chan<- struct{}
}

func (s signalling) ExtendExecution(ctx context.Context, id, owner string, until time.Time) error {
	err := s.Store.ExtendExecution(ctx, id, owner, until)
	if err == nil {
		s.extended <- struct{}{}
	}
	return err
}

func TestJUnitOfTheLog(t *testing.T) {
	t.Parallel()
	goTest := "=== RUN   TestKnot\n--- FAIL: TestKnot (0.00s)\nFAIL\nFAIL\tharbour/halyard\t0.01s\n"
	tests := []struct {
		name       string
		annotation string
		outcome    exectest.Outcome
		want       int // tests found in the results
	}{
		{"asked for", result.GoTest, exectest.Outcome{Log: goTest}, 1},
		{"not asked for", "", exectest.Outcome{Log: goTest}, 0},
		{"a log without tests", result.GoTest, exectest.Outcome{Log: "hello\n"}, 0},
		{"the job wrote its own", result.GoTest, exectest.Outcome{Log: goTest, Artifacts: map[string]string{
			"junit.xml": `<testsuite><testcase name="a"/><testcase name="b"/></testsuite>`}}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			p := newPier(t)
			jobs := p.o.Jobs
			p.o.Jobs = func(ctx context.Context, repo forge.RepoName, sha string) (job.Config, error) {
				c, err := jobs(ctx, repo, sha)
				annotated := *c.Presubmits["harbour/halyard"][0]
				annotated.Annotations = map[string]string{result.JUnitAnnotation: tt.annotation}
				return job.Config{Presubmits: map[string][]*job.Job{"harbour/halyard": {&annotated}}}, err
			}
			p.exec.Script("unit", tt.outcome)
			if err := p.Execute(ctx, p.start("unit").ID); err != nil {
				t.Fatal(err)
			}
			b, err := result.LoadBuild(ctx, p.bucket, p.only("unit").Path)
			if err != nil || len(b.Tests) != tt.want {
				t.Errorf("%d tests, %v; want %d", len(b.Tests), err, tt.want)
			}
		})
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	changed := make(chan string, 100)
	p := newPier(t, func(o *Options) { o.Notify = func(topic string) { changed <- topic } })
	release := make(chan struct{})
	p.exec.Script("unit", exectest.Outcome{Log: "one\ntwo\n", Release: release})
	id := p.start("unit").ID
	p.wantLog(id, 0, "", 0, true)
	done := p.background(p.Service, ctx, id)
	if topic := <-changed; topic != Topic(id) {
		t.Errorf("notified of %q, want %q", topic, Topic(id))
	}
	p.wantLog(id, 0, "one\ntwo\n", 8, true)
	p.wantLog(id, 4, "two\n", 8, true)
	p.wantLog(id, -2, "o\n", 8, true)
	p.wantLog(id, 99, "", 8, true)
	close(release)
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
	p.wantLog(id, 0, "one\ntwo\n\nJob succeeded.\n", 24, false)
	p.wantLog(id, 8, "\nJob succeeded.\n", 24, false)
	p.wantLog(id, -1, "\n", 24, false)
	p.wantLog(id, 99, "", 24, false)
	if err := p.bucket.Delete(ctx, p.only("unit").Path+"/build-log.txt"); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := p.Logs(ctx, id, 0); !errors.Is(err, ErrNoLog) {
		t.Errorf("got %v, want %v", err, ErrNoLog)
	}
}

// log returns the whole log of an execution.
func (p *pier) log(id string) string {
	p.t.Helper()
	text, _, _ := p.logFrom(id, 0)
	return text
}

func (p *pier) logFrom(id string, offset int64) (text string, size int64, live bool) {
	p.t.Helper()
	r, size, live, err := p.Logs(context.Background(), id, offset)
	if err != nil {
		p.t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		p.t.Fatal(err)
	}
	return string(data), size, live
}

func (p *pier) wantLog(id string, offset int64, text string, size int64, live bool) {
	p.t.Helper()
	data, n, l := p.logFrom(id, offset)
	if data != text || n != size || l != live {
		p.t.Errorf("log from %d is %q of %d, live %t; want %q of %d, live %t", offset, data, n, l, text, size, live)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	good := newPier(t).o
	for name, spoil := range map[string]func(*Options){
		"Forge": func(o *Options) { o.Forge = nil }, "Store": func(o *Options) { o.Store = nil }, "Owner": func(o *Options) { o.Owner = "" },
		"Bucket": func(o *Options) { o.Bucket = (*blob.Bucket)(nil) }, "LogDir": func(o *Options) { o.LogDir = "" },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
