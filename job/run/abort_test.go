package run

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/memblob"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/exectest"
)

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
