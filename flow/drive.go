package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// DriveOptions narrow what a drive does. With both empty it goes to the end.
type DriveOptions struct {
	// Until stops after this step; the run stays pending.
	Until string
	// Only runs this one step, whose inputs must be there; the run stays
	// pending.
	Only string
}

// Drive takes a run as far as it goes by itself, and returns the state it is
// then in: Succeeded, Waiting for an approval, Pending after Until or Only. A
// failed step gives Failed and an error that wraps ErrFailed and the cause; a
// cancelled run Canceled and ErrCanceled. When ctx ends, the steps are stopped
// and the run stays Running, to be driven again. ErrLeased means that somebody
// else drives it. A run that failed is taken up by Resume alone.
func (e *Engine) Drive(ctx context.Context, d *Definition, id string, o DriveOptions) (State, error) {
	return e.drive(ctx, d, id, o, false)
}

// Resume is Drive for a run that failed as well. Steps that are done are not
// run again; a step that was interrupted half-way looks first.
func (e *Engine) Resume(ctx context.Context, d *Definition, id string, o DriveOptions) (State, error) {
	return e.drive(ctx, d, id, o, true)
}

func (e *Engine) drive(ctx context.Context, d *Definition, id string, o DriveOptions, failedToo bool) (State, error) {
	if err := d.Check(); err != nil {
		return "", err
	}
	for _, name := range []string{o.Until, o.Only} {
		if name != "" && d.index(name) < 0 {
			return "", fmt.Errorf("flow %s has no step %q", d.name, name)
		}
	}
	for {
		state, seen, err := e.driveOnce(ctx, d, id, o, failedToo)
		if err != nil || state != Waiting {
			return state, err
		}
		// An approval submitted while the lease was being given up was seen
		// neither by this driver nor by one that its submitter tried to start.
		entries, err := e.Journal.Entries(ctx, id, seen)
		if err != nil {
			return state, fmt.Errorf("reading the journal of run %s: %w", id, err)
		}
		if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Kind == EntryApproval || e.Kind == EntryCancel }) {
			return state, nil
		}
	}
}

// driveOnce drives under one lease. It returns the newest Seq it has acted on.
func (e *Engine) driveOnce(ctx context.Context, d *Definition, id string, o DriveOptions, failedToo bool) (_ State, seen int64, err error) {
	release, err := e.hold(id)
	if err != nil {
		return "", 0, err
	}
	defer release()
	now := e.Now()
	lease, err := e.Journal.Acquire(ctx, id, e.Owner, now, now.Add(orDefault(e.Lease, 30*time.Second)))
	if err != nil {
		return "", 0, fmt.Errorf("driving run %s: %w", id, err)
	}
	defer func() {
		// Also when ctx has ended: the next driver should not have to wait.
		if releaseErr := e.Journal.Release(context.WithoutCancel(ctx), lease); releaseErr != nil && !errors.Is(releaseErr, ErrLeaseLost) {
			err = errors.Join(err, fmt.Errorf("giving up the lease on run %s: %w", id, releaseErr))
		}
	}()
	run, err := e.Journal.Run(ctx, id)
	if err != nil {
		return "", 0, fmt.Errorf("driving run %s: %w", id, err)
	}
	switch {
	case run.State == Succeeded:
		return Succeeded, 0, nil
	case run.State == Canceled:
		return Canceled, 0, fmt.Errorf("run %s: %w", id, ErrCanceled)
	case run.State == Failed && !failedToo:
		return Failed, 0, fmt.Errorf("run %s has failed before: resume it once the cause is mended: %w", id, ErrFailed)
	}
	if err := same(d, run); err != nil {
		return run.State, 0, err
	}
	if err := e.keyFree(ctx, run); err != nil {
		return run.State, 0, err
	}
	entries, err := e.Journal.Entries(ctx, id, 0)
	if err != nil {
		return run.State, 0, fmt.Errorf("reading the journal of run %s: %w", id, err)
	}
	s := newSession(e, d, run, lease, o, replay(d, entries))
	state, err := s.drive(ctx)
	return state, s.history.last, err
}

// keyFree refuses to revive a failed run whose key another one holds by now.
func (e *Engine) keyFree(ctx context.Context, run Run) error {
	if run.State != Failed || run.Key == "" {
		return nil
	}
	runs, err := e.Journal.Runs(ctx, RunFilter{Key: run.Key})
	if err != nil {
		return fmt.Errorf("resuming run %s: %w", run.ID, err)
	}
	for _, r := range runs {
		if r.ID != run.ID && !r.State.Final() {
			return fmt.Errorf("resuming run %s: %w", run.ID, &BusyError{Run: r})
		}
	}
	return nil
}

// session is one drive of one run. Its loop alone reads and writes history and
// begun; steps run in goroutines that the loop waits for.
type session struct {
	engine  *Engine
	def     *Definition
	run     Run
	options DriveOptions
	wanted  []bool // by Until and Only

	history history
	begun   []bool
	active  int
	failed  error
	results chan result

	leaseMu sync.Mutex
	lease   Lease
	stop    context.CancelCauseFunc
}

// result is how a step ended.
type result struct {
	index  int
	output json.RawMessage
	err    error
}

// errStopped wraps why the journal, not a step, ends the session.
type errStopped struct{ cause error }

func (e *errStopped) Error() string { return e.cause.Error() }
func (e *errStopped) Unwrap() error { return e.cause }

func newSession(e *Engine, d *Definition, run Run, lease Lease, o DriveOptions, h history) *session {
	s := &session{engine: e, def: d, run: run, lease: lease, options: o, history: h,
		begun: make([]bool, len(d.steps)), results: make(chan result), wanted: make([]bool, len(d.steps))}
	for i, n := range d.steps {
		s.wanted[i] = (o.Until == "" && o.Only == "") || n.name == o.Only
	}
	if o.Until != "" {
		s.want(d.index(o.Until))
	}
	return s
}

// want marks a step and all it comes after.
func (s *session) want(i int) {
	s.wanted[i] = true
	for _, dep := range s.def.steps[i].deps {
		s.want(dep)
	}
}

func (s *session) drive(ctx context.Context) (State, error) {
	if s.history.canceled != nil {
		return s.settle(ctx)
	}
	if err := s.unchanged(ctx); err != nil {
		return s.run.State, err
	}
	if err := s.loseWhatIsGone(ctx); err != nil {
		return s.run.State, err
	}
	if only := s.options.Only; only != "" {
		for _, dep := range s.def.steps[s.def.index(only)].deps {
			if !s.history.steps[dep].done {
				return s.run.State, fmt.Errorf("step %s needs %s, which is not done", only, s.def.steps[dep].name)
			}
		}
	}
	if s.run.State != Running {
		if err := s.setState(ctx, Running); err != nil {
			return s.run.State, err
		}
	}
	stepCtx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.stop = stop
	s.loop(ctx, stepCtx)
	var stopped *errStopped
	if err := context.Cause(stepCtx); errors.As(err, &stopped) {
		return s.run.State, fmt.Errorf("run %s stopped: %w", s.run.ID, stopped.cause)
	}
	if ctx.Err() != nil {
		return s.run.State, fmt.Errorf("run %s interrupted: %w", s.run.ID, context.Cause(ctx))
	}
	return s.settle(ctx)
}

// unchanged checks that completed steps had the input they would have now:
// glue that was edited without raising the version shows here.
func (s *session) unchanged(ctx context.Context) error {
	for i, n := range s.def.steps {
		h := s.history.steps[i]
		if !h.done || h.attempts == 0 || !s.known(n) {
			continue
		}
		input, err := s.input(n)
		if err != nil {
			return fmt.Errorf("run %s: the input of %s, which is done: %w", s.run.ID, n.name, err)
		}
		if sameJSON(input, h.input) {
			continue
		}
		// Killed after a lost step was done again, and before this was recorded.
		if n.safe() && s.afterLost(n) {
			if err := s.lose(ctx, i, remade); err != nil {
				return err
			}
			continue
		}
		return fmt.Errorf("run %s: step %s was done with another input than it would get now: abort the run and start anew: %w",
			s.run.ID, n.name, ErrChanged)
	}
	return nil
}

// input works out a step's input. Glue is the caller's code and may panic.
func (s *session) input(n *node) (_ json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p}
		}
	}()
	known := values{params: s.run.Params, outputs: make([]json.RawMessage, len(s.history.steps))}
	for i := range s.history.steps {
		known.outputs[i] = s.history.steps[i].output
	}
	return n.input(known)
}

// loop begins what can begin and takes in what ends, until nothing runs and
// nothing more can.
func (s *session) loop(ctx, stepCtx context.Context) {
	poll := s.engine.after(orDefault(s.engine.Poll, 500*time.Millisecond))
	extend := s.engine.after(s.extendEvery())
	ended := stepCtx.Done()
	for {
		if stepCtx.Err() == nil && s.failed == nil {
			s.begin(stepCtx)
		}
		if s.active == 0 {
			return
		}
		select {
		case r := <-s.results:
			s.active--
			s.take(stepCtx, r)
		case <-poll:
			s.poll(stepCtx)
			poll = s.engine.after(orDefault(s.engine.Poll, 500*time.Millisecond))
		case <-extend:
			s.extend(ctx)
			extend = s.engine.after(s.extendEvery())
		case <-ended:
			ended = nil // the steps are stopping; go on taking results
		}
	}
}

func (s *session) extendEvery() time.Duration { return orDefault(s.engine.Lease, 30*time.Second) / 3 }

// begin starts every step that is ready, as many as may run at once.
func (s *session) begin(ctx context.Context) {
	for i, n := range s.def.steps {
		if ctx.Err() != nil || s.failed != nil || s.active >= orDefault(s.engine.Parallel, 4) {
			return
		}
		if !s.ready(i) {
			continue
		}
		if n.approval {
			s.approval(ctx, i)
			continue
		}
		input, err := s.input(n)
		h := s.history.steps[i]
		s.begun[i] = true
		s.active++
		go func() {
			var output json.RawMessage
			if err == nil {
				output, err = s.work(ctx, n, h, input)
			}
			s.results <- result{i, output, err}
		}()
	}
}

func (s *session) ready(i int) bool {
	if s.begun[i] || s.history.steps[i].done || !s.wanted[i] {
		return false
	}
	return s.known(s.def.steps[i])
}

// approval asks, once, and takes the answers when they are all there.
func (s *session) approval(ctx context.Context, i int) {
	n, h := s.def.steps[i], &s.history.steps[i]
	if !h.waiting {
		input, err := s.input(n)
		if err == nil {
			err = s.ask(ctx, n, h, input)
		}
		if err != nil {
			s.begun[i] = true
			s.take(ctx, result{index: i, err: err})
			return
		}
	}
	given, all := inOrder(h.roles, h.given)
	if !all {
		return
	}
	output, err := encode(given)
	end := Entry{Step: n.name, Kind: EntryDone, Data: output}
	if len(h.roles) == 0 {
		end.Kind, end.Message = EntrySkipped, "nobody need approve"
	}
	if err == nil {
		_, err = s.append(ctx, end)
	}
	s.begun[i] = true
	s.take(ctx, result{index: i, output: output, err: err})
	// What waited for it may have been passed in this round already.
	s.begin(ctx)
}

func (s *session) ask(ctx context.Context, n *node, h *stepHistory, input json.RawMessage) error {
	e := Entry{Step: n.name, Kind: EntryWaiting, Data: input}
	h.waiting, h.roles = true, rolesOf(e)
	if len(h.roles) == 0 {
		return nil
	}
	e.Message = "for approval by " + strings.Join(h.roles, ", ")
	_, err := s.append(ctx, e)
	return err
}

func (s *session) take(ctx context.Context, r result) {
	if r.err == nil {
		h := &s.history.steps[r.index]
		h.done, h.output = true, r.output
		r.err = s.loseWhatFollowed(ctx, r.index)
	}
	if r.err == nil {
		return
	}
	if s.failed == nil {
		s.failed = fmt.Errorf("step %s: %w", s.def.steps[r.index].name, r.err)
	}
}

// poll reads what others submitted.
func (s *session) poll(ctx context.Context) {
	entries, err := s.engine.Journal.Entries(ctx, s.run.ID, s.history.last)
	if err != nil {
		s.halt(fmt.Errorf("reading the journal: %w", err))
		return
	}
	for _, e := range entries {
		s.history.last = e.Seq
		switch e.Kind {
		case EntryCancel, EntryApproval:
			s.history.take(s.def, e)
		}
	}
	if s.history.canceled != nil {
		s.stop(ErrCanceled)
	}
}

func (s *session) extend(ctx context.Context) {
	now := s.engine.Now()
	lease, err := s.engine.Journal.Acquire(ctx, s.run.ID, s.engine.Owner, now, now.Add(3*s.extendEvery()))
	if errors.Is(err, ErrLeased) {
		err = fmt.Errorf("%w: %w", ErrLeaseLost, err)
	}
	if err != nil {
		s.halt(err)
		return
	}
	s.leaseMu.Lock()
	s.lease = lease
	s.leaseMu.Unlock()
}

// halt ends the session because the journal cannot be written or is not ours.
func (s *session) halt(cause error) {
	if s.stop != nil {
		s.stop(&errStopped{cause})
	}
}

// append writes one entry of this session. An error has halted the session.
func (s *session) append(ctx context.Context, e Entry) (int64, error) {
	s.leaseMu.Lock()
	lease := s.lease
	s.leaseMu.Unlock()
	e.Run, e.At, e.Actor = s.run.ID, s.engine.Now().UTC(), s.engine.Owner
	// A step that is being stopped still records how it ended.
	seq, err := s.engine.Journal.Append(context.WithoutCancel(ctx), lease, e)
	if err != nil {
		err = fmt.Errorf("writing the journal: %w", err)
		s.halt(err)
	}
	return seq, err
}

func (s *session) setState(ctx context.Context, to State) error {
	s.engine.boundary("before state " + string(to))
	if _, err := s.append(ctx, Entry{Kind: EntryState, Message: string(to)}); err != nil {
		return fmt.Errorf("run %s: %w", s.run.ID, err)
	}
	s.engine.boundary("after state " + string(to))
	s.run.State = to
	return nil
}

// settle records the state in which nothing more happens by itself.
func (s *session) settle(ctx context.Context) (State, error) {
	to, result := s.verdict()
	if err := s.setState(ctx, to); err != nil {
		return s.run.State, errors.Join(err, result)
	}
	return to, result
}

func (s *session) verdict() (State, error) {
	switch {
	case !slices.ContainsFunc(s.history.steps, func(h stepHistory) bool { return !h.done }):
		return Succeeded, nil
	case s.history.canceled != nil:
		return Canceled, fmt.Errorf("run %s, by %s: %s: %w", s.run.ID, s.history.canceled.Actor, s.history.canceled.Message, ErrCanceled)
	case s.failed != nil:
		return Failed, fmt.Errorf("%w: %w", ErrFailed, s.failed)
	}
	for i := range s.def.steps {
		if s.ready(i) && s.def.steps[i].approval {
			return Waiting, nil
		}
	}
	return Pending, nil
}
