package flowtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"seaworthy/flow"
)

// start is the time the suite's runs begin: whole seconds, UTC.
var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// Journal checks that what open returns keeps every promise of flow.Journal.
// Each test opens a journal of its own, which must be empty.
func Journal(t *testing.T, open func(t *testing.T) flow.Journal) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, flow.Journal){
		"a run comes back as it was created":       runComesBack,
		"what is not there is ErrNoRun":            noRun,
		"a key is held until its run is final":     keyIsHeld,
		"runs are listed newest first":             runsAreListed,
		"entries come back in order":               entriesComeBack,
		"a state entry sets the state":             stateEntry,
		"a lease excludes others until it is over": leaseExcludes,
		"a lost lease cannot write":                lostLease,
		"anybody may submit":                       submit,
		"entries of runs do not mix":               runsDoNotMix,
		"appending side by side loses nothing":     sideBySide,
		"one of many takes the lease":              oneTakesTheLease,
		"the engine runs on it":                    engineRuns,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func newRun(id, key string, at time.Time) flow.Run {
	return flow.Run{ID: id, Flow: "stage", Version: 3, Key: key, Params: json.RawMessage(`{"n":1}`), Mock: true,
		State: flow.Pending, Actor: "ada", CreatedAt: at, UpdatedAt: at}
}

func create(t *testing.T, j flow.Journal, r flow.Run) {
	t.Helper()
	if err := j.CreateRun(t.Context(), r); err != nil {
		t.Fatalf("creating run %s: %v", r.ID, err)
	}
}

func acquire(t *testing.T, j flow.Journal, run, owner string, now time.Time) flow.Lease {
	t.Helper()
	l, err := j.Acquire(t.Context(), run, owner, now, now.Add(time.Minute))
	if err != nil {
		t.Fatalf("%s acquiring %s: %v", owner, run, err)
	}
	return l
}

func appendEntry(t *testing.T, j flow.Journal, l flow.Lease, e flow.Entry) int64 {
	t.Helper()
	seq, err := j.Append(t.Context(), l, e)
	if err != nil {
		t.Fatalf("appending %s: %v", e.Kind, err)
	}
	return seq
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got the error %v, want %v", what, got, want)
	}
}

func sameRun(a, b flow.Run) bool {
	return a.ID == b.ID && a.Flow == b.Flow && a.Version == b.Version && a.Key == b.Key && sameJSON(a.Params, b.Params) &&
		a.Mock == b.Mock && a.State == b.State && a.Actor == b.Actor && a.CreatedAt.Equal(b.CreatedAt)
}

// sameJSON compares meaning: a database may put keys and spaces its own way.
func sameJSON(a, b json.RawMessage) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

func runComesBack(t *testing.T, j flow.Journal) {
	want := newRun("r1", "release a/b", start)
	given := want
	given.State = flow.Succeeded // a new run is pending, whatever is said
	create(t, j, given)
	got, err := j.Run(t.Context(), "r1")
	if err != nil || !sameRun(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if err := j.CreateRun(t.Context(), newRun("r1", "", start)); err == nil {
		t.Error("a second run of the same id was accepted")
	}
}

func noRun(t *testing.T, j flow.Journal) {
	ctx := t.Context()
	_, err := j.Run(ctx, "nowhere")
	wantError(t, "Run", err, flow.ErrNoRun)
	_, err = j.Submit(ctx, flow.Entry{Run: "nowhere", Kind: flow.EntryCancel, At: start})
	wantError(t, "Submit", err, flow.ErrNoRun)
	_, err = j.Acquire(ctx, "nowhere", "me", start, start.Add(time.Minute))
	wantError(t, "Acquire", err, flow.ErrNoRun)
}

func keyIsHeld(t *testing.T, j flow.Journal) {
	create(t, j, newRun("r1", "release a/b", start))
	create(t, j, newRun("other-key", "release a/c", start))
	create(t, j, newRun("no-key-1", "", start))
	create(t, j, newRun("no-key-2", "", start))
	wantError(t, "a second holder", j.CreateRun(t.Context(), newRun("r2", "release a/b", start)), flow.ErrBusy)

	l := acquire(t, j, "r1", "me", start)
	appendEntry(t, j, l, flow.Entry{Run: "r1", Kind: flow.EntryState, At: start, Message: string(flow.Waiting)})
	wantError(t, "while waiting", j.CreateRun(t.Context(), newRun("r2", "release a/b", start)), flow.ErrBusy)
	appendEntry(t, j, l, flow.Entry{Run: "r1", Kind: flow.EntryState, At: start, Message: string(flow.Failed)})
	create(t, j, newRun("r2", "release a/b", start))

	if _, err := j.Append(t.Context(), l, flow.Entry{Run: "r1", Kind: flow.EntryState, At: start, Message: string(flow.Running)}); err == nil {
		t.Error("a failed run was revived although another holds its key")
	}
	if r, err := j.Run(t.Context(), "r1"); err != nil || r.State != flow.Failed {
		t.Errorf("the refused revival left the run %q, %v", r.State, err)
	}
}

func runsAreListed(t *testing.T, j flow.Journal) {
	for i := range 4 {
		r := newRun(fmt.Sprintf("r%d", i), fmt.Sprintf("key-%d", i%2), start.Add(time.Duration(i)*time.Minute))
		if i == 3 {
			r.Flow = "cut"
		}
		create(t, j, r)
		if i < 2 {
			l := acquire(t, j, r.ID, "me", start)
			appendEntry(t, j, l, flow.Entry{Run: r.ID, Kind: flow.EntryState, At: start, Message: string(flow.Succeeded)})
		}
	}
	for _, test := range []struct {
		filter flow.RunFilter
		want   []string
	}{
		{flow.RunFilter{}, []string{"r3", "r2", "r1", "r0"}},
		{flow.RunFilter{Limit: 2}, []string{"r3", "r2"}},
		{flow.RunFilter{Flow: "stage"}, []string{"r2", "r1", "r0"}},
		{flow.RunFilter{Key: "key-1"}, []string{"r3", "r1"}},
		{flow.RunFilter{State: flow.Succeeded}, []string{"r1", "r0"}},
		{flow.RunFilter{Key: "key-0", State: flow.Pending}, []string{"r2"}},
		{flow.RunFilter{Flow: "branch"}, nil},
	} {
		runs, err := j.Runs(t.Context(), test.filter)
		if err != nil {
			t.Fatalf("Runs(%+v): %v", test.filter, err)
		}
		var ids []string
		for _, r := range runs {
			ids = append(ids, r.ID)
		}
		if !slices.Equal(ids, test.want) {
			t.Errorf("Runs(%+v) = %v, want %v", test.filter, ids, test.want)
		}
	}
}

func entriesComeBack(t *testing.T, j flow.Journal) {
	create(t, j, newRun("r1", "", start))
	l := acquire(t, j, "r1", "me", start)
	wanted := []flow.Entry{
		{Run: "r1", Step: "tag", Kind: flow.EntryAttempt, Attempt: 1, At: start, Actor: "me", Data: json.RawMessage(`{"version":"v1.2.3","n":9007199254740993}`)},
		{Run: "r1", Step: "tag", Kind: flow.EntryLog, Attempt: 1, At: start.Add(time.Second), Actor: "me", Message: "a line\nwith 'quotes' and ünïcode"},
		{Run: "r1", Step: "tag", Kind: flow.EntryDone, Attempt: 1, At: start.Add(2 * time.Second), Actor: "me", Data: json.RawMessage(`[]`)},
	}
	var last int64
	for i, e := range wanted {
		seq := appendEntry(t, j, l, e)
		if seq <= last {
			t.Errorf("entry %d has number %d after %d", i, seq, last)
		}
		wanted[i].Seq, last = seq, seq
	}
	for skip := range len(wanted) + 1 {
		var after int64
		if skip > 0 {
			after = wanted[skip-1].Seq
		}
		got, err := j.Entries(t.Context(), "r1", after)
		if err != nil || len(got) != len(wanted)-skip {
			t.Fatalf("after %d: %d entries, %v; want %d", after, len(got), err, len(wanted)-skip)
		}
		for i, want := range wanted[skip:] {
			if !sameEntry(got[i], want) {
				t.Errorf("got  %+v\nwant %+v", got[i], want)
			}
		}
	}
}

func sameEntry(a, b flow.Entry) bool {
	return a.Seq == b.Seq && a.Run == b.Run && a.Step == b.Step && a.Kind == b.Kind && a.Attempt == b.Attempt &&
		a.At.Equal(b.At) && a.Actor == b.Actor && a.Message == b.Message && sameJSON(a.Data, b.Data)
}

func stateEntry(t *testing.T, j flow.Journal) {
	create(t, j, newRun("r1", "", start))
	l := acquire(t, j, "r1", "me", start)
	for i, state := range []flow.State{flow.Running, flow.Waiting, flow.Failed, flow.Running, flow.Succeeded} {
		at := start.Add(time.Duration(i+1) * time.Second)
		appendEntry(t, j, l, flow.Entry{Run: "r1", Kind: flow.EntryState, At: at, Message: string(state)})
		r, err := j.Run(t.Context(), "r1")
		if err != nil || r.State != state || !r.UpdatedAt.Equal(at) {
			t.Errorf("after a state entry the run is %q, updated %v, %v; want %q, %v", r.State, r.UpdatedAt, err, state, at)
		}
	}
}

func leaseExcludes(t *testing.T, j flow.Journal) {
	ctx := t.Context()
	create(t, j, newRun("r1", "", start))
	l := acquire(t, j, "r1", "me", start)
	if l.Run != "r1" || l.Owner != "me" || !l.Until.Equal(start.Add(time.Minute)) {
		t.Errorf("the lease is %+v", l)
	}
	_, err := j.Acquire(ctx, "r1", "you", start.Add(59*time.Second), start.Add(2*time.Minute))
	wantError(t, "before it is over", err, flow.ErrLeased)

	l = acquire(t, j, "r1", "me", start.Add(50*time.Second)) // extended
	_, err = j.Acquire(ctx, "r1", "you", start.Add(61*time.Second), start.Add(2*time.Minute))
	wantError(t, "after it was extended", err, flow.ErrLeased)
	appendEntry(t, j, l, flow.Entry{Run: "r1", Kind: flow.EntryLog, At: start})

	if err := j.Release(ctx, l); err != nil {
		t.Fatalf("releasing: %v", err)
	}
	acquire(t, j, "r1", "you", start.Add(61*time.Second))
}

func lostLease(t *testing.T, j flow.Journal) {
	ctx := t.Context()
	create(t, j, newRun("r1", "", start))
	mine := acquire(t, j, "r1", "me", start)
	yours := acquire(t, j, "r1", "you", start.Add(2*time.Minute))
	_, err := j.Append(ctx, mine, flow.Entry{Run: "r1", Kind: flow.EntryLog, At: start})
	wantError(t, "after it was taken over", err, flow.ErrLeaseLost)
	_, err = j.Append(ctx, mine, flow.Entry{Run: "r1", Kind: flow.EntryState, At: start, Message: string(flow.Succeeded)})
	wantError(t, "a state", err, flow.ErrLeaseLost)
	if r, err := j.Run(ctx, "r1"); err != nil || r.State != flow.Pending {
		t.Errorf("a refused entry set the state to %q, %v", r.State, err)
	}
	// Whoever lost the lease gives it up late: the new holder keeps it.
	if err := j.Release(ctx, mine); err != nil && !errors.Is(err, flow.ErrLeaseLost) {
		t.Errorf("releasing a lost lease: %v", err)
	}
	appendEntry(t, j, yours, flow.Entry{Run: "r1", Kind: flow.EntryLog, At: start})
	if err := j.Release(ctx, yours); err != nil {
		t.Fatalf("releasing: %v", err)
	}
	_, err = j.Append(ctx, yours, flow.Entry{Run: "r1", Kind: flow.EntryLog, At: start})
	wantError(t, "after it was given up", err, flow.ErrLeaseLost)
	entries, err := j.Entries(ctx, "r1", 0)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d entries, %v; want the one that was accepted", len(entries), err)
	}
}

func submit(t *testing.T, j flow.Journal) {
	create(t, j, newRun("r1", "", start))
	acquire(t, j, "r1", "me", start)
	for _, kind := range []flow.EntryKind{flow.EntryApproval, flow.EntryCancel} {
		if _, err := j.Submit(t.Context(), flow.Entry{Run: "r1", Kind: kind, At: start, Actor: "ben", Message: "why"}); err != nil {
			t.Errorf("submitting %s: %v", kind, err)
		}
	}
	entries, err := j.Entries(t.Context(), "r1", 0)
	if err != nil || len(entries) != 2 || entries[0].Kind != flow.EntryApproval || entries[1].Actor != "ben" {
		t.Errorf("got %+v, %v", entries, err)
	}
}

func runsDoNotMix(t *testing.T, j flow.Journal) {
	for _, id := range []string{"r1", "r2"} {
		create(t, j, newRun(id, "", start))
		l := acquire(t, j, id, "me", start)
		appendEntry(t, j, l, flow.Entry{Run: id, Kind: flow.EntryLog, At: start, Message: id})
	}
	for _, id := range []string{"r1", "r2"} {
		entries, err := j.Entries(t.Context(), id, 0)
		if err != nil || len(entries) != 1 || entries[0].Message != id {
			t.Errorf("run %s has %+v, %v", id, entries, err)
		}
	}
}

func sideBySide(t *testing.T, j flow.Journal) {
	const writers, each = 8, 5
	create(t, j, newRun("r1", "", start))
	l := acquire(t, j, "r1", "me", start)
	var wg sync.WaitGroup
	errs := make(chan error, writers*each)
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := j.Append(t.Context(), l, flow.Entry{Run: "r1", Kind: flow.EntryLog, At: start}); err != nil {
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	entries, err := j.Entries(t.Context(), "r1", 0)
	if err != nil || len(entries) != writers*each {
		t.Fatalf("%d entries, %v; want %d", len(entries), err, writers*each)
	}
	for i := 1; i < len(entries); i++ {
		if entries[i].Seq <= entries[i-1].Seq {
			t.Errorf("entry %d follows %d", entries[i].Seq, entries[i-1].Seq)
		}
	}
}

func oneTakesTheLease(t *testing.T, j flow.Journal) {
	create(t, j, newRun("r1", "", start))
	var wg sync.WaitGroup
	won := make(chan string, 8)
	for i := range 8 {
		wg.Go(func() {
			owner := fmt.Sprintf("owner-%d", i)
			_, err := j.Acquire(t.Context(), "r1", owner, start, start.Add(time.Minute))
			if err == nil {
				won <- owner
			} else if !errors.Is(err, flow.ErrLeased) {
				t.Errorf("%s: %v", owner, err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d of 8 took the lease, want 1", len(won))
	}
}

// engineRuns drives a small flow over the journal, with an approval and a
// second engine that takes it up.
func engineRuns(t *testing.T, j flow.Journal) {
	ctx := t.Context()
	d := flow.Define("conformance", 1)
	text := flow.Add(d, flow.Step[string, string]{Name: "compose", Title: "Compose", Idempotent: true,
		Act: func(_ context.Context, who string) (string, error) { return "hello " + who, nil }}, flow.Param[string](d))
	ok := flow.AwaitApproval(d, "approve", "Approval", flow.Const(d, []string{"host"}), text)
	last := flow.Add(d, flow.Step[string, string]{Name: "send", Title: "Send", Idempotent: true,
		Act: func(_ context.Context, text string) (string, error) { return text + "!", nil }}, text, ok)
	engine := func(owner string) *flow.Engine {
		return &flow.Engine{Journal: j, Owner: owner, Now: func() time.Time { return start }}
	}
	run, err := engine("first").Start(ctx, d, flow.StartOptions{Key: "k", Params: "Ada", Actor: "ben"})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := engine("first").Drive(ctx, d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Waiting {
		t.Fatalf("before the approval: %s, %v", state, err)
	}
	if err := engine("second").Approve(ctx, d, run.ID, "approve", "host", "cho", "fine"); err != nil {
		t.Fatal(err)
	}
	if state, err := engine("second").Drive(ctx, d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Fatalf("after the approval: %s, %v", state, err)
	}
	if got, known, err := flow.Result(ctx, engine("third"), run.ID, last); err != nil || !known || got != "hello Ada!" {
		t.Errorf("the result is %q, %v, %v", got, known, err)
	}
}
