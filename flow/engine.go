package flow

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Engine drives runs. Journal, Owner and Now are needed; the rest has defaults.
// All that must last is in the journal, which any number of engines may share.
type Engine struct {
	Journal Journal
	// Owner names this engine in leases. Two engines that live at the same
	// time must not share one; an engine restarted under the same name takes
	// up at once what it held before.
	Owner string
	Now   func() time.Time
	// After is time.After, or a test's.
	After func(time.Duration) <-chan time.Time
	// Jitter returns a number in [0,1); math/rand's when nil.
	Jitter func() float64
	// Parallel bounds the steps that run at once; 4 when zero.
	Parallel int
	// Lease is how long a lease lasts; it is extended three times as often.
	// 30 s when zero.
	Lease time.Duration
	// Poll is how often cancellations and approvals are looked for; 500 ms
	// when zero.
	Poll time.Duration
	// Grace is how long a step may take to stop when told to; 30 s when zero.
	Grace time.Duration
	// Boundary, when set, is called at every point where a crash matters:
	// "before attempt STEP" and after it, likewise act, done, and state STATE,
	// and wherever a step says Mark. Tests kill the process there.
	Boundary func(point string)

	mu      sync.Mutex
	driving map[string]bool // runs this engine drives just now
}

// hold keeps one engine from driving a run twice at once, which a lease, being
// the engine's, does not.
func (e *Engine) hold(id string) (release func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.driving[id] {
		return nil, fmt.Errorf("run %s is driven in this process: %w", id, ErrLeased)
	}
	if e.driving == nil {
		e.driving = map[string]bool{}
	}
	e.driving[id] = true
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.driving, id)
	}, nil
}

func (e *Engine) after(d time.Duration) <-chan time.Time {
	if e.After != nil {
		return e.After(d)
	}
	return time.After(d)
}

func (e *Engine) jitter() float64 {
	if e.Jitter != nil {
		return e.Jitter()
	}
	return mathrand.Float64()
}

func (e *Engine) boundary(point string) {
	if e.Boundary != nil {
		e.Boundary(point)
	}
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// StartOptions say how a run begins.
type StartOptions struct {
	Key    string // what the run holds while it is not final; empty holds nothing
	Params any    // of the type that the definition's Param has; nil without one
	Mock   bool
	Actor  string
	ID     string // chosen by the engine when empty
}

// Start records a new run. Nothing happens until it is driven. The error wraps
// ErrBusy when an unfinished run holds the key.
func (e *Engine) Start(ctx context.Context, d *Definition, o StartOptions) (Run, error) {
	if err := d.Check(); err != nil {
		return Run{}, err
	}
	params, err := json.Marshal(o.Params)
	if err != nil {
		return Run{}, fmt.Errorf("starting %s: encoding the parameters: %w", d.name, err)
	}
	if d.param != nil {
		if err := d.param(params); err != nil {
			return Run{}, fmt.Errorf("starting %s: %w", d.name, err)
		}
	}
	// Whole seconds: what a tag, an archive and every database can hold.
	now := e.Now().UTC().Truncate(time.Second)
	if o.ID == "" {
		o.ID = now.Format("20060102-150405-") + strings.ToLower(rand.Text()[:6])
	}
	r := Run{ID: o.ID, Flow: d.name, Version: d.version, Key: o.Key, Params: params, Mock: o.Mock,
		State: Pending, Actor: o.Actor, CreatedAt: now, UpdatedAt: now}
	if err := e.Journal.CreateRun(ctx, r); err != nil {
		return Run{}, fmt.Errorf("starting %s: %w", d.name, e.whoseKey(ctx, o.Key, err))
	}
	return r, nil
}

// whoseKey names the run that holds a key. If it has ended meanwhile, or cannot
// be asked for, the journal's own answer has to do.
func (e *Engine) whoseKey(ctx context.Context, key string, err error) error {
	if !errors.Is(err, ErrBusy) {
		return err
	}
	runs, lookErr := e.Journal.Runs(ctx, RunFilter{Key: key})
	if lookErr != nil {
		return errors.Join(err, lookErr)
	}
	for _, r := range runs {
		if !r.State.Final() {
			return &BusyError{Run: r}
		}
	}
	return err
}

// Approve answers an approval step that is being waited for. Whoever drives the
// run goes on; if nobody does, drive it. The error wraps ErrNotWaiting when the
// step is not at that point, or asks for another role.
func (e *Engine) Approve(ctx context.Context, d *Definition, id, step, role, actor, why string) error {
	t, err := e.Status(ctx, d, id)
	if err != nil {
		return err
	}
	s, ok := t.Step(step)
	switch {
	case !ok || !s.Approval:
		return fmt.Errorf("run %s has no approval step %q: %w", id, step, ErrNotWaiting)
	case s.State != StepWaiting:
		return fmt.Errorf("run %s does not wait for %s, which is %s: %w", id, step, s.State, ErrNotWaiting)
	case !slices.Contains(s.Roles, role):
		return fmt.Errorf("%s must be approved by %s, not by %s: %w", step, strings.Join(s.Roles, ", "), role, ErrNotWaiting)
	}
	now := e.Now().UTC().Truncate(time.Second)
	data, err := json.Marshal(Approval{Role: role, Actor: actor, Why: why, At: now})
	if err != nil {
		return fmt.Errorf("approving %s of run %s: %w", step, id, err)
	}
	_, err = e.Journal.Submit(ctx, Entry{Run: id, Step: step, Kind: EntryApproval, At: now, Actor: actor, Message: why, Data: data})
	if err != nil {
		return fmt.Errorf("approving %s of run %s: %w", step, id, err)
	}
	return nil
}

// Cancel ends a run for good. Whoever drives it stops its steps; if nobody
// does, it is cancelled at once. A run that is final already stays as it is.
func (e *Engine) Cancel(ctx context.Context, id, actor, why string) error {
	fail := func(err error) error { return fmt.Errorf("cancelling run %s: %w", id, err) }
	run, err := e.Journal.Run(ctx, id)
	if err != nil {
		return fail(err)
	}
	if run.State.Final() && run.State != Failed {
		return nil
	}
	now := e.Now().UTC()
	if _, err := e.Journal.Submit(ctx, Entry{Run: id, Kind: EntryCancel, At: now, Actor: actor, Message: why}); err != nil {
		return fail(err)
	}
	lease, err := e.Journal.Acquire(ctx, id, e.Owner+" cancel", now, now.Add(orDefault(e.Lease, 30*time.Second)))
	if errors.Is(err, ErrLeased) {
		return nil // its driver sees the entry
	}
	if err != nil {
		return fail(err)
	}
	_, err = e.Journal.Append(ctx, lease, Entry{Run: id, Kind: EntryState, At: now, Actor: actor, Message: string(Canceled)})
	if err := errors.Join(err, e.Journal.Release(ctx, lease)); err != nil {
		return fail(err)
	}
	return nil
}

// Status returns the timeline of a run.
func (e *Engine) Status(ctx context.Context, d *Definition, id string) (Timeline, error) {
	run, err := e.Journal.Run(ctx, id)
	if err != nil {
		return Timeline{}, fmt.Errorf("reading run %s: %w", id, err)
	}
	entries, err := e.Journal.Entries(ctx, id, 0)
	if err != nil {
		return Timeline{}, fmt.Errorf("reading the journal of run %s: %w", id, err)
	}
	return NewTimeline(d, run, entries, e.Now()), nil
}

// Result returns the value v has in a run; false while it is not known yet.
func Result[T any](ctx context.Context, e *Engine, id string, v Value[T]) (T, bool, error) {
	var zero T
	run, err := e.Journal.Run(ctx, id)
	if err != nil {
		return zero, false, fmt.Errorf("reading run %s: %w", id, err)
	}
	if err := same(v.def, run); err != nil {
		return zero, false, err
	}
	entries, err := e.Journal.Entries(ctx, id, 0)
	if err != nil {
		return zero, false, fmt.Errorf("reading the journal of run %s: %w", id, err)
	}
	h := replay(v.def, entries)
	known := values{params: run.Params, outputs: make([]json.RawMessage, len(v.def.steps))}
	for i := range h.steps {
		known.outputs[i] = h.steps[i].output
	}
	for _, i := range v.from {
		if !h.steps[i].done {
			return zero, false, nil
		}
	}
	out, err := v.get(known)
	return out, err == nil, err
}

// same refuses a run that another definition, or another version, began.
func same(d *Definition, run Run) error {
	if run.Flow != d.name || run.Version != d.version {
		return fmt.Errorf("run %s was begun with %s version %d and this is %s version %d: finish it with the program that began it, or abort it and start anew: %w",
			run.ID, run.Flow, run.Version, d.name, d.version, ErrChanged)
	}
	return nil
}
