package flow

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// progressEvery is the least time between two progress entries of an attempt:
// a step may report as often as it likes without flooding the journal.
const progressEvery = 500 * time.Millisecond

type contextKey struct{}

// reporter is what a running step finds in its context.
type reporter struct {
	run   Run
	step  string
	now   func() time.Time
	write func(kind EntryKind, message string)
	mark  func(point string)

	mu      sync.Mutex
	beat    time.Time // last sign of life
	written time.Time // last progress entry
	unsaid  string    // progress not yet written
}

func from(ctx context.Context) *reporter {
	r, _ := ctx.Value(contextKey{}).(*reporter)
	return r
}

// Mock reports whether the run is a rehearsal: nothing outside may change.
// Outside a flow it is true, so that a step tried by itself does no harm.
func Mock(ctx context.Context) bool {
	r := from(ctx)
	return r == nil || r.run.Mock
}

// Current returns the run that the step belongs to. Its CreatedAt is the one
// time that is the same before and after a resume. Outside a flow it is zero.
func Current(ctx context.Context) Run {
	if r := from(ctx); r != nil {
		return r.run
	}
	return Run{}
}

// Progress says in a few words how far a step has come ("22 of 30"), and that
// it is alive. Call it as often as wanted.
func Progress(ctx context.Context, format string, args ...any) {
	r := from(ctx)
	if r == nil {
		return
	}
	message := fmt.Sprintf(format, args...)
	r.mu.Lock()
	now := r.now()
	r.beat, r.unsaid = now, message
	due := now.Sub(r.written) >= progressEvery
	if due {
		r.written, r.unsaid = now, ""
	}
	r.mu.Unlock()
	if due {
		r.write(EntryProgress, message)
	}
}

// Logf adds one line to the step's log, and says that it is alive.
func Logf(ctx context.Context, format string, args ...any) {
	r := from(ctx)
	if r == nil {
		return
	}
	r.alive()
	r.write(EntryLog, fmt.Sprintf(format, args...))
}

// Alive says only that the step is alive: for a long copy, at each piece. It
// writes nothing and costs nothing.
func Alive(ctx context.Context) {
	if r := from(ctx); r != nil {
		r.alive()
	}
}

// Mark names a point inside a step, between two things it does to the world,
// for Engine.Boundary to stop at.
func Mark(ctx context.Context, format string, args ...any) {
	if r := from(ctx); r != nil {
		r.mark(fmt.Sprintf(format, args...))
	}
}

// flush writes the last progress, if it has not been.
func (r *reporter) flush() {
	r.mu.Lock()
	unsaid := r.unsaid
	r.unsaid = ""
	r.mu.Unlock()
	if unsaid != "" {
		r.write(EntryProgress, unsaid)
	}
}

// alive counts from now how long the step is silent.
func (r *reporter) alive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beat = r.now()
}

func (r *reporter) silentSince() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.beat
}
