package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/exectest"
)

// kill has a worker run an execution and be stopped in the middle.
func (p *pier) kill(s *Service, id string) {
	p.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := p.background(s, ctx, id)
	stop()
	if err := await(p.t, done); !errors.Is(err, context.Canceled) {
		p.t.Fatalf("a worker that is stopped returns %v", err)
	}
}

// TestRecoverAfterARestart stops a worker in the middle of one execution, with
// another one waiting.
func TestRecoverAfterARestart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", exectest.Outcome{Log: "half\n", Block: true}, ok)
	id := p.start("unit", "quiet").ID
	p.kill(p.Service, id)
	if e := p.only("unit"); e.State != job.Pending {
		t.Fatalf("left as %s, want %s", e.State, job.Pending)
	}
	restarted := p.service(func(*Options) {})
	for range 2 { // it may be killed again while it recovers
		if err := restarted.Recover(ctx); err != nil {
			t.Fatal(err)
		}
	}
	p.drain()
	if diff := cmp.Diff([]string{"unit error", "quiet success", "unit success"}, p.states()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	old, err := p.Execution(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	fresh := p.only("unit")
	if fresh.Key != old.Key+"#attempt-2" || fresh.BuildID <= old.BuildID || !fresh.StartedAt.Equal(p.now) {
		t.Errorf("the fresh attempt is %+v", fresh)
	}
	if diff := cmp.Diff(old.Refs, fresh.Refs); diff != "" {
		t.Errorf("refs (-old +fresh):\n%s", diff)
	}
	if log := p.read(old.Path + "/build-log.txt"); !strings.HasPrefix(log, "half\n") || !strings.Contains(log, "worker was lost") {
		t.Errorf("log of the lost one is %q", log)
	}
	for _, s := range p.forge.said(sha("7"), "unit") {
		if strings.HasPrefix(s, "error") {
			t.Errorf("the forge was told %q of an execution that runs again", s)
		}
	}
}

func TestRecoverIsCompletedAfterTheForgeWasDown(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", exectest.Outcome{Block: true}, ok)
	id := p.start("unit").ID
	p.kill(p.Service, id)
	p.forge.down(forge.ErrUnavailable)
	if err := p.Recover(ctx); !errors.Is(err, forge.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, forge.ErrUnavailable)
	}
	p.forge.down(nil)
	if err := p.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	p.drain()
	if diff := cmp.Diff([]string{"unit error", "unit success"}, p.states()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
}

// TestAnExecutionThatKillsItsWorker is given up after a few attempts.
func TestAnExecutionThatKillsItsWorker(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", exectest.Outcome{Block: true})
	id := p.start("unit").ID
	for range maxAttempts {
		p.kill(p.Service, id)
		if err := p.Recover(ctx); err != nil {
			t.Fatal(err)
		}
		if len(p.queue) > 0 {
			id = <-p.queue
		}
	}
	if diff := cmp.Diff([]string{"unit error", "unit error", "unit error"}, p.states()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
	said := p.forge.said(sha("7"), "unit")
	if got := said[len(said)-1]; !strings.HasPrefix(got, "error Job could not be run: its worker was lost 3 times.") {
		t.Errorf("the last status is %q", got)
	}
}

func TestAnotherWorkerTakesOver(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("unit", exectest.Outcome{Block: true}, ok)
	id := p.start("unit").ID
	p.kill(p.Service, id)
	other := p.service(func(o *Options) { o.Owner, o.LogDir = "pier-2", t.TempDir() })
	if err := other.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if e := p.only("unit"); e.ID != id || e.State != job.Pending {
		t.Fatalf("taken over while the lease holds: %+v", e)
	}
	if err := other.Execute(ctx, id); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
	p.now = p.now.Add(2 * time.Minute)
	if err := other.Execute(ctx, id); err != nil {
		t.Fatal(err)
	}
	p.drain()
	if diff := cmp.Diff([]string{"unit error", "unit success"}, p.states()); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
}

// TestLostWorkersDoNotCount leaves an execution behind that would use up its
// job's max_concurrency of one.
func TestLostWorkersDoNotCount(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPier(t)
	p.exec.Script("manual", exectest.Outcome{Block: true}, ok)
	p.kill(p.Service, p.start("manual").ID)
	started, err := p.Start(ctx, Request{Repo: halyard, Pull: 8, Jobs: []string{"manual"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Execute(ctx, started[0].ID); !errors.Is(err, ErrBusy) {
		t.Errorf("while the lease holds: got %v, want %v", err, ErrBusy)
	}
	p.now = p.now.Add(2 * time.Minute)
	if err := p.Execute(ctx, started[0].ID); err != nil {
		t.Error(err)
	}
}

func TestNextAttempt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		e    job.Execution
		key  string
		next int
	}{
		{job.Execution{ID: "x", Key: "event/d1/unit"}, "event/d1/unit#attempt-2", 2},
		{job.Execution{ID: "x", Key: "event/d1/unit#attempt-2"}, "event/d1/unit#attempt-3", 3},
		{job.Execution{ID: "x"}, "execution/x#attempt-2", 2},
		{job.Execution{ID: "x", Key: "odd#attempt-many"}, "odd#attempt-many#attempt-2", 2},
	} {
		if key, next := nextAttempt(tt.e); key != tt.key || next != tt.next {
			t.Errorf("after %q comes %q (%d), want %q (%d)", tt.e.Key, key, next, tt.key, tt.next)
		}
	}
}
