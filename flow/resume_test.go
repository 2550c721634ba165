package flow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"seaworthy/flow"
)

// world is what the steps of these tests change.
type world struct {
	mu   sync.Mutex
	acts []string
}

func (w *world) do(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acts = append(w.acts, name)
}

func (w *world) has(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.acts, name)
}

// chain is a flow of three steps that look before they act on w.
func chain(w *world) (*flow.Definition, flow.Value[string]) {
	d := flow.Define("chain", 1)
	v := flow.Param[string](d)
	for _, name := range []string{"a", "b", "c"} {
		v = flow.Add(d, flow.Step[string, string]{Name: name, Title: "Step " + name,
			Look: func(_ context.Context, in string) (string, bool, error) { return in + name, w.has(name), nil },
			Act: func(ctx context.Context, in string) (string, error) {
				flow.Mark(ctx, "half-way")
				w.do(name)
				return in + name, nil
			}}, v)
	}
	return d, v
}

// dead is how these tests end a process: nothing it does afterwards counts.
type dead struct{ *flow.Memory }

func (dead) Append(context.Context, flow.Lease, flow.Entry) (int64, error) {
	return 0, errors.New("the process is dead")
}

// mortal is the journal of a process that dies: nothing it does after that
// reaches the journal.
type mortal struct {
	flow.Journal
	mu   sync.Mutex
	dead bool
}

func (m *mortal) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

func (m *mortal) Append(ctx context.Context, l flow.Lease, e flow.Entry) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return 0, errors.New("the process is dead")
	}
	return m.Journal.Append(ctx, l, e)
}

func (m *mortal) Release(ctx context.Context, l flow.Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil // as after a kill: the lease is left to run out
	}
	return m.Journal.Release(ctx, l)
}

func TestEveryCrashIsResumed(t *testing.T) {
	t.Parallel()
	points := 0
	d, _ := chain(&world{})
	e := newEngine(&flow.Memory{})
	e.Boundary = func(string) { points++ }
	if _, err := e.Drive(t.Context(), d, start(t, e, d, "").ID, flow.DriveOptions{}); err != nil {
		t.Fatal(err)
	}
	if want := 4 + 3*7; points != want {
		t.Fatalf("%d boundaries, want %d", points, want)
	}
	for n := range points {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, j := &world{}, &flow.Memory{}
			d, last := chain(w)
			m := &mortal{Journal: j}
			first := newEngine(m)
			died := make(chan struct{})
			passed := 0
			first.Boundary = func(string) {
				if passed == n {
					m.die()
					close(died)
					<-t.Context().Done() // whoever is dead goes no further
				}
				passed++
			}
			run := start(t, newEngine(j), d, ">")
			go first.Drive(context.WithoutCancel(t.Context()), d, run.ID, flow.DriveOptions{})
			<-died
			second := newEngine(j)
			state, err := second.Drive(t.Context(), d, run.ID, flow.DriveOptions{})
			if err != nil || state != flow.Succeeded {
				t.Fatalf("resumed: %s, %v", state, err)
			}
			if !slices.Equal(w.acts, []string{"a", "b", "c"}) {
				t.Errorf("the world saw %v", w.acts)
			}
			if got, _, err := flow.Result(t.Context(), second, run.ID, last); err != nil || got != ">abc" {
				t.Errorf("the result is %q, %v", got, err)
			}
		})
	}
}

func TestFailedRunIsResumedOnDemand(t *testing.T) {
	t.Parallel()
	broken := true
	runs := map[string]int{}
	d := flow.Define("mend", 1)
	a := flow.Add(d, flow.Step[int, int]{Name: "a", Title: "A", Idempotent: true,
		Act: func(context.Context, int) (int, error) { runs["a"]++; return 1, nil }}, flow.Param[int](d))
	flow.Add(d, flow.Step[int, int]{Name: "b", Title: "B", Idempotent: true,
		Act: func(context.Context, int) (int, error) {
			runs["b"]++
			if broken {
				return 0, errors.New("no space left")
			}
			return 2, nil
		}}, a)
	j := &flow.Memory{}
	e := newEngine(j)
	run, err := e.Start(t.Context(), d, flow.StartOptions{Params: 0, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); state != flow.Failed || !errors.Is(err, flow.ErrFailed) {
			t.Fatalf("%s, %v", state, err)
		}
	}
	status, err := e.Status(t.Context(), d, run.ID)
	if err != nil || status.Sentence != `failed at "B": no space left (1 of 2 steps done)` {
		t.Errorf("%q, %v", status.Sentence, err)
	}
	broken = false
	other, err := e.Start(t.Context(), d, flow.StartOptions{Params: 0, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Resume(t.Context(), d, run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrBusy) {
		t.Errorf("resumed beside another run of its key: %v", err)
	}
	if err := e.Cancel(t.Context(), other.ID, "ada", "make room"); err != nil {
		t.Fatal(err)
	}
	if state, err := e.Resume(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Errorf("%s, %v", state, err)
	}
	if runs["a"] != 1 || runs["b"] != 2 {
		t.Errorf("the steps ran %v times", runs)
	}
}

func TestInterruptedUnsafeStepIsNotRepeatedByItself(t *testing.T) {
	t.Parallel()
	acts := 0
	d := flow.Define("mail", 1)
	flow.Add(d, flow.Step[int, int]{Name: "send", Title: "Send",
		Act: func(context.Context, int) (int, error) { acts++; return 1, nil }}, flow.Param[int](d))
	j := &flow.Memory{}
	m := &mortal{Journal: j}
	first := newEngine(m)
	first.Boundary = func(point string) {
		if point == "after act send" {
			m.die()
		}
	}
	run := start(t, first, d, 0)
	if _, err := first.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err == nil {
		t.Fatal("the first process did not die")
	}
	e := newEngine(j)
	state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{})
	if state != flow.Failed || err == nil || !strings.Contains(err.Error(), "look whether its work is done, then resume") || acts != 1 {
		t.Errorf("%s after %d acts, %v", state, acts, err)
	}
	if state, err := e.Resume(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded || acts != 2 {
		t.Errorf("a person's resume: %s after %d acts, %v", state, acts, err)
	}
}

func TestChangedDefinitionIsRefused(t *testing.T) {
	t.Parallel()
	define := func(version, factor int) *flow.Definition {
		d := flow.Define("changing", version)
		a := flow.Add(d, step[int, int]("a"), flow.Map(flow.Param[int](d), func(n int) int { return factor * n }))
		flow.AwaitApproval(d, "go", "Go", flow.Const(d, []string{"host"}), a)
		return d
	}
	e := newEngine(&flow.Memory{})
	run := start(t, e, define(1, 1), 5)
	if _, err := e.Drive(t.Context(), define(1, 1), run.ID, flow.DriveOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*flow.Definition{"version": define(2, 1), "glue": define(1, 2), "flow": flow.Define("another", 1)} {
		if _, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrChanged) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestJournalErrorStopsTheRun(t *testing.T) {
	t.Parallel()
	w := &world{}
	d, _ := chain(w)
	j := &flow.Memory{}
	run := start(t, newEngine(j), d, "")
	e := newEngine(dead{j})
	if state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err == nil || state != flow.Pending {
		t.Errorf("%s, %v", state, err)
	}
	if len(w.acts) != 0 {
		t.Errorf("acted without a record: %v", w.acts)
	}
}

func TestLostLeaseStopsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &flow.Memory{}
		e := clocked(j, "slow")
		d := flow.Define("lease", 1)
		a := flow.Add(d, flow.Step[int, int]{Name: "a", Title: "A", Idempotent: true,
			Act: func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }}, flow.Param[int](d))
		flow.Add(d, step[int, int]("b"), a)
		run := start(t, e, d, 0)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{})
			if !errors.Is(err, flow.ErrLeaseLost) {
				t.Errorf("the driver ended with %v", err)
			}
		})
		<-time.After(25 * time.Second) // it has extended its lease twice
		if _, err := j.Acquire(t.Context(), run.ID, "thief", time.Now(), time.Now().Add(time.Minute)); !errors.Is(err, flow.ErrLeased) {
			t.Errorf("the lease was not extended: %v", err)
		}
		// As if this process had been asleep for an hour.
		if _, err := j.Acquire(t.Context(), run.ID, "thief", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if r, err := j.Run(t.Context(), run.ID); err != nil || r.State != flow.Running {
			t.Errorf("the run is %s, %v", r.State, err)
		}
	})
}

func TestEndOfProcessLeavesTheRunRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &flow.Memory{}
		e := clocked(j, "test")
		asked := 0
		d := flow.Define("stop", 1)
		flow.Add(d, flow.Step[int, bool]{Name: "a", Title: "A", Idempotent: true,
			Act: func(ctx context.Context, _ int) (bool, error) {
				if asked++; asked > 1 {
					return flow.Mock(ctx), nil
				}
				<-ctx.Done()
				return false, ctx.Err()
			}}, flow.Param[int](d))
		run := start(t, e, d, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if state, err := e.Drive(ctx, d, run.ID, flow.DriveOptions{}); state != flow.Running || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, %v", state, err)
		}
		if state, err := clocked(j, "next").Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
			t.Errorf("the next process: %s, %v", state, err)
		}
	})
}

func TestOutsideAFlowNothingIsReal(t *testing.T) {
	t.Parallel()
	if !flow.Mock(t.Context()) {
		t.Error("a step tried by itself is not a mock")
	}
	flow.Progress(t.Context(), "nobody hears")
	flow.Logf(t.Context(), "nobody hears")
	flow.Mark(t.Context(), "nobody stops")
	if r := flow.Current(t.Context()); r.ID != "" {
		t.Errorf("the current run is %+v", r)
	}
}
