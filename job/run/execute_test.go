package run

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
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

// wantAborted checks that everybody knows of the abort of unit.
// TestAbortMeetsAFullBucket aborts from another process while the worker's
// bucket takes nothing: the log it has is uploaded when the bucket does.
// TestStatusIsToldAgain executes what is over, as a queue does after a crash.
// TestAbortMeetsTheEnd has an execution succeed between an abort's look at it
// and its record: the success stays.
// TestAbortWhileTheJobIsAtItsLimit aborts an execution at the moment a worker
// looks whether it may run.
// interrupting calls a function once, while executions are listed.
// stale answers the next Execution with what was seen before.
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

// log returns the whole log of an execution.
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
