package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"seaworthy/flow"
)

// begin is when the runs of these tests begin, unless a fake clock runs.
var begin = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newEngine(j flow.Journal) *flow.Engine {
	return &flow.Engine{Journal: j, Owner: "test", Now: func() time.Time { return begin }}
}

// clocked is an engine on the clock of a synctest bubble.
func clocked(j flow.Journal, owner string) *flow.Engine {
	return &flow.Engine{Journal: j, Owner: owner, Now: time.Now, Jitter: func() float64 { return 0 }}
}

func start(t *testing.T, e *flow.Engine, d *flow.Definition, params any) flow.Run {
	t.Helper()
	run, err := e.Start(t.Context(), d, flow.StartOptions{Params: params, Actor: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func kinds(t *testing.T, j flow.Journal, id string) []string {
	t.Helper()
	entries, err := j.Entries(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s", e.Kind, e.Step)))
	}
	return list
}

func TestRunGoesThroughItsSteps(t *testing.T) {
	t.Parallel()
	d := flow.Define("sum", 1)
	p := flow.Param[int](d)
	double := flow.Add(d, flow.Step[int, int]{Name: "double", Title: "Double", Idempotent: true,
		Act: func(_ context.Context, n int) (int, error) { return 2 * n, nil }}, p)
	found := flow.Add(d, flow.Step[int, int]{Name: "square", Title: "Square",
		Look: func(_ context.Context, n int) (int, bool, error) { return n * n, true, nil },
		Act:  func(context.Context, int) (int, error) { return 0, errors.New("must not act") }}, double)
	sum := flow.Add(d, flow.Step[int, int]{Name: "skip", Title: "Skip",
		Act: func(_ context.Context, n int) (int, error) { return n, flow.Skip("nothing to do for %d", n) }},
		flow.Combine3(p, double, found, func(a, b, c int) int { return a + b + c }))
	j := &flow.Memory{}
	e := newEngine(j)
	run := start(t, e, d, 3)
	state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{})
	if err != nil || state != flow.Succeeded {
		t.Fatalf("%s, %v", state, err)
	}
	if got, known, err := flow.Result(t.Context(), e, run.ID, sum); err != nil || !known || got != 3+6+36 {
		t.Errorf("the sum is %d, %v, %v", got, known, err)
	}
	want := []string{"state", "attempt double", "done double", "attempt square", "looked square", "done square",
		"attempt skip", "skipped skip", "state"}
	if got := kinds(t, j, run.ID); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	status, err := e.Status(t.Context(), d, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]flow.StepState{"double": flow.StepDone, "square": flow.StepLooked, "skip": flow.StepSkipped} {
		if s, _ := status.Step(name); s.State != want {
			t.Errorf("%s is %s, want %s", name, s.State, want)
		}
	}
	if s, _ := status.Step("skip"); s.Sentence != "nothing to do for 45" {
		t.Errorf("the skipped step says %q", s.Sentence)
	}
	if state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Errorf("driving it again: %s, %v", state, err)
	}
}

func TestIndependentStepsRunSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := flow.Define("wide", 1)
		p := flow.Param[int](d)
		var now, most atomic.Int32
		for i := range 6 {
			flow.Add(d, flow.Step[int, int]{Name: fmt.Sprintf("s%d", i), Title: "S", Idempotent: true,
				Act: func(ctx context.Context, _ int) (int, error) {
					most.Store(max(most.Load(), now.Add(1)))
					defer now.Add(-1)
					<-time.After(time.Minute)
					return i, nil
				}}, p)
		}
		e := clocked(&flow.Memory{}, "test")
		e.Parallel = 3
		began := time.Now()
		if state, err := e.Drive(t.Context(), d, start(t, e, d, 1).ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
			t.Fatalf("%s, %v", state, err)
		}
		if took := time.Since(began); took != 2*time.Minute || most.Load() != 3 {
			t.Errorf("took %v with at most %d at once, want 2m and 3", took, most.Load())
		}
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	transient := errors.New("try again")
	for _, test := range []struct {
		name     string
		errs     []error // of the attempts, then success
		retry    flow.Retry
		attempts int
		took     time.Duration
		state    flow.State
		want     error
	}{
		{"at once", nil, flow.Retry{}, 1, 0, flow.Succeeded, nil},
		{"no retry asked for", []error{transient}, flow.Retry{}, 1, 0, flow.Failed, transient},
		{"doubling", []error{transient, transient, transient}, flow.Retry{Attempts: 4, Base: time.Second}, 4, 7 * time.Second, flow.Succeeded, nil},
		{"capped", []error{transient, transient, transient}, flow.Retry{Attempts: 4, Base: time.Second, Cap: 2 * time.Second}, 4, 5 * time.Second, flow.Succeeded, nil},
		{"too often", []error{transient, transient}, flow.Retry{Attempts: 2}, 2, time.Second, flow.Failed, transient},
		{"permanent", []error{flow.Permanent(transient)}, flow.Retry{Attempts: 5}, 1, 0, flow.Failed, transient},
		{"panic", []error{nil}, flow.Retry{Attempts: 5}, 1, 0, flow.Failed, flow.ErrFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				d := flow.Define("retry", 1)
				flow.Add(d, flow.Step[int, int]{Name: "try", Title: "Try", Idempotent: true, Retry: test.retry,
					Act: func(context.Context, int) (int, error) {
						attempts++
						if attempts > len(test.errs) {
							return 1, nil
						}
						if test.errs[attempts-1] == nil {
							panic("at the disco")
						}
						return 0, test.errs[attempts-1]
					}}, flow.Param[int](d))
				e := clocked(&flow.Memory{}, "test")
				run := start(t, e, d, 0)
				began := time.Now()
				state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{})
				if state != test.state || attempts != test.attempts || time.Since(began) != test.took || !errors.Is(err, test.want) {
					t.Errorf("%s after %d attempts and %v: %v", state, attempts, time.Since(began), err)
				}
				if state == flow.Failed && !errors.Is(err, flow.ErrFailed) {
					t.Errorf("the error %v is not ErrFailed", err)
				}
			})
		})
	}
}

func TestJitterShortensTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := false
		d := flow.Define("retry", 1)
		flow.Add(d, flow.Step[int, int]{Name: "try", Title: "Try", Idempotent: true, Retry: flow.Retry{Attempts: 2, Base: 8 * time.Second},
			Act: func(context.Context, int) (int, error) {
				if !failed {
					failed = true
					return 0, errors.New("once")
				}
				return 1, nil
			}}, flow.Param[int](d))
		e := clocked(&flow.Memory{}, "test")
		e.Jitter = func() float64 { return 0.5 }
		began := time.Now()
		if _, err := e.Drive(t.Context(), d, start(t, e, d, 0).ID, flow.DriveOptions{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("waited %v, want 8s less a quarter", took)
		}
	})
}

func TestSilentStepIsHung(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := flow.Define("hang", 1)
		flow.Add(d, flow.Step[int, int]{Name: "hang", Title: "Hang", Idempotent: true, Silence: time.Minute,
			Act: func(ctx context.Context, _ int) (int, error) {
				for i := range 3 { // alive for a while
					<-time.After(50 * time.Second)
					flow.Alive(ctx)
					<-time.After(50 * time.Second)
					flow.Progress(ctx, "%d of 3", i+1)
				}
				<-ctx.Done()
				return 0, ctx.Err()
			}}, flow.Param[int](d))
		e := clocked(&flow.Memory{}, "test")
		run := start(t, e, d, 0)
		began := time.Now()
		state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{})
		if state != flow.Failed || !errors.Is(err, flow.ErrHung) {
			t.Errorf("%s, %v", state, err)
		}
		if took := time.Since(began); took != 360*time.Second {
			t.Errorf("declared hung after %v, want 300s + 1m", took)
		}
		status, err := e.Status(t.Context(), d, run.ID)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := status.Step("hang")
		if s.State != flow.StepHung || len(s.Attempts) != 1 || len(s.Attempts[0].Log) != 3 || s.Duration != 360*time.Second {
			t.Errorf("the timeline shows %+v", s)
		}
	})
}

func TestStepThatDoesNotStopIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var attempts atomic.Int32
		d := flow.Define("deaf", 1)
		flow.Add(d, flow.Step[int, int]{Name: "deaf", Title: "Deaf", Idempotent: true, Silence: time.Minute, Retry: flow.Retry{Attempts: 3},
			Act: func(context.Context, int) (int, error) { attempts.Add(1); <-let; return 0, nil }}, flow.Param[int](d))
		e := clocked(&flow.Memory{}, "test")
		began := time.Now()
		state, err := e.Drive(t.Context(), d, start(t, e, d, 0).ID, flow.DriveOptions{})
		if state != flow.Failed || err == nil || !strings.Contains(err.Error(), "did not stop") || attempts.Load() != 1 {
			t.Errorf("%s after %d attempts, %v", state, attempts.Load(), err)
		}
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("left after %v, want 1m + 30s of grace", took)
		}
		close(let)
	})
}

func TestCancelStopsSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &flow.Memory{}
		e := clocked(j, "test")
		d := flow.Define("long", 1)
		a := flow.Add(d, flow.Step[int, int]{Name: "long", Title: "Long", Idempotent: true,
			Act: func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }}, flow.Param[int](d))
		flow.Add(d, step[int, int]("next"), a)
		run := start(t, e, d, 0)
		var wg sync.WaitGroup
		wg.Go(func() {
			state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{})
			if state != flow.Canceled || !errors.Is(err, flow.ErrCanceled) || !strings.Contains(err.Error(), "by ben: wrong branch") {
				t.Errorf("%s, %v", state, err)
			}
		})
		synctest.Wait()
		if err := clocked(j, "other").Cancel(t.Context(), run.ID, "ben", "wrong branch"); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if _, err := e.Resume(t.Context(), d, run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrCanceled) {
			t.Errorf("resuming it: %v", err)
		}
		status, err := e.Status(t.Context(), d, run.ID)
		if err != nil || status.Sentence != "cancelled by ben: wrong branch (0 of 2 steps done)" {
			t.Errorf("%q, %v", status.Sentence, err)
		}
	})
}

func TestCancelOfARunNobodyDrives(t *testing.T) {
	t.Parallel()
	j := &flow.Memory{}
	e := newEngine(j)
	d := flow.Define("idle", 1)
	flow.Add(d, step[int, int]("a"), flow.Param[int](d))
	run := start(t, e, d, 0)
	for range 2 { // the second changes nothing
		if err := e.Cancel(t.Context(), run.ID, "ben", "not today"); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := j.Run(t.Context(), run.ID); err != nil || r.State != flow.Canceled {
		t.Errorf("%s, %v", r.State, err)
	}
	if got := kinds(t, j, run.ID); !slices.Equal(got, []string{"cancel", "state"}) {
		t.Errorf("the journal holds %v", got)
	}
}

func TestUntilAndOnly(t *testing.T) {
	t.Parallel()
	var ran []string
	d := flow.Define("line", 1)
	v := flow.Param[int](d)
	for _, name := range []string{"a", "b", "c"} {
		v = flow.Add(d, flow.Step[int, int]{Name: name, Title: name, Idempotent: true,
			Act: func(_ context.Context, n int) (int, error) { ran = append(ran, name); return n + 1, nil }}, v)
	}
	e := newEngine(&flow.Memory{})
	run := start(t, e, d, 0)
	for _, test := range []struct {
		options flow.DriveOptions
		state   flow.State
		ran     string
		fails   bool
	}{
		{flow.DriveOptions{Only: "b"}, flow.Pending, "", true},
		{flow.DriveOptions{Until: "nowhere"}, "", "", true},
		{flow.DriveOptions{Until: "a"}, flow.Pending, "a", false},
		{flow.DriveOptions{Only: "a"}, flow.Pending, "a", false},
		{flow.DriveOptions{Only: "b"}, flow.Pending, "ab", false},
		{flow.DriveOptions{}, flow.Succeeded, "abc", false},
	} {
		state, err := e.Drive(t.Context(), d, run.ID, test.options)
		if state != test.state || strings.Join(ran, "") != test.ran || (err != nil) != test.fails {
			t.Errorf("%+v: %s after %v, %v", test.options, state, ran, err)
		}
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	j := &flow.Memory{}
	e := newEngine(j)
	d := flow.Define("ask", 1)
	a := flow.Add(d, step[int, int]("first"), flow.Param[int](d))
	ok := flow.AwaitApproval(d, "go", "Go ahead", flow.Const(d, []string{"host", "lead"}), a)
	flow.Add(d, step[[]flow.Approval, string]("last"), ok)
	run := start(t, e, d, 0)
	approve := func(step, role string) error {
		return e.Approve(t.Context(), d, run.ID, step, role, "cho", "looks good")
	}
	if err := approve("go", "host"); !errors.Is(err, flow.ErrNotWaiting) {
		t.Errorf("approving before it was asked for: %v", err)
	}
	if state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Waiting {
		t.Fatalf("%s, %v", state, err)
	}
	for _, wrong := range [][2]string{{"go", "guest"}, {"first", "host"}, {"nowhere", "host"}} {
		if err := approve(wrong[0], wrong[1]); !errors.Is(err, flow.ErrNotWaiting) {
			t.Errorf("approving %v: %v", wrong, err)
		}
	}
	if state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Waiting {
		t.Fatalf("driven again without an approval: %s, %v", state, err)
	}
	for _, role := range []string{"lead", "host"} {
		if state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Waiting {
			t.Fatalf("before the %s approved: %s, %v", role, state, err)
		}
		if err := approve("go", role); err != nil {
			t.Fatal(err)
		}
	}
	if state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Fatalf("%s, %v", state, err)
	}
	got, known, err := flow.Result(t.Context(), e, run.ID, ok)
	want := []flow.Approval{{Role: "host", Actor: "cho", Why: "looks good", At: begin}, {Role: "lead", Actor: "cho", Why: "looks good", At: begin}}
	if err != nil || !known || !slices.Equal(got, want) {
		t.Errorf("the approvals are %+v, %v, %v", got, known, err)
	}
}

// lateJournal gives the approval at the worst moment: when the driver has said
// that it waits, and gives the lease up.
type lateJournal struct {
	*flow.Memory
	approve func()
}

func (j *lateJournal) Release(ctx context.Context, l flow.Lease) error {
	if approve := j.approve; approve != nil {
		j.approve = nil
		approve()
	}
	return j.Memory.Release(ctx, l)
}

func TestApprovalDuringReleaseIsNotLost(t *testing.T) {
	t.Parallel()
	j := &lateJournal{Memory: &flow.Memory{}}
	e := newEngine(j)
	d := flow.Define("ask", 1)
	flow.Add(d, step[[]flow.Approval, int]("last"), flow.AwaitApproval(d, "go", "Go ahead", flow.Const(d, []string{"host"})))
	run := start(t, e, d, 0)
	j.approve = func() {
		if err := e.Approve(t.Context(), d, run.ID, "go", "host", "cho", ""); err != nil {
			t.Error(err)
		}
		if _, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrLeased) {
			t.Errorf("a second driver at the same time: %v", err)
		}
	}
	if state, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Errorf("%s, %v", state, err)
	}
}

func TestOutputThatDoesNotSurviveJSON(t *testing.T) {
	t.Parallel()
	d := flow.Define("lossy", 1)
	flow.Add(d, flow.Step[int, oneWay]{Name: "a", Title: "A", Idempotent: true, Retry: flow.Retry{Attempts: 3},
		Act: func(context.Context, int) (oneWay, error) { return oneWay{1}, nil }}, flow.Param[int](d))
	e := newEngine(&flow.Memory{})
	state, err := e.Drive(t.Context(), d, start(t, e, d, 0).ID, flow.DriveOptions{})
	if state != flow.Failed || err == nil || !strings.Contains(err.Error(), "does not survive JSON") {
		t.Errorf("%s, %v", state, err)
	}
}

// oneWay reads back twice of what it wrote.
type oneWay struct{ N int }

func (o oneWay) MarshalJSON() ([]byte, error) { return json.Marshal(o.N) }
func (o *oneWay) UnmarshalJSON(b []byte) error {
	err := json.Unmarshal(b, &o.N)
	o.N *= 2
	return err
}
