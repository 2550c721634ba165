package flow

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Errors a journal returns, wrapped.
var (
	// ErrNoRun: there is no run of that id.
	ErrNoRun = errors.New("no such run")
	// ErrBusy: an unfinished run holds the key that was asked for.
	ErrBusy = errors.New("another run is under way")
	// ErrLeased: somebody else is driving the run.
	ErrLeased = errors.New("the run is driven elsewhere")
	// ErrLeaseLost: the lease ran out and was taken over; stop at once.
	ErrLeaseLost = errors.New("the lease on the run was lost")
)

// State of a run.
type State string

// Run states. Succeeded, Failed and Canceled are final for everybody but
// resume, which may take up a failed run.
const (
	Pending   State = "pending"
	Running   State = "running"
	Waiting   State = "waiting" // for an approval
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Canceled  State = "canceled"
)

// Final reports whether nothing more happens by itself.
func (s State) Final() bool { return s == Succeeded || s == Failed || s == Canceled }

// Run is one execution of a flow.
type Run struct {
	ID   string
	Flow string // name of the definition
	// Version of the definition that the run was started with. A run whose
	// definition has changed since is refused, not guessed at.
	Version int
	// Key excludes: at most one run that is not final holds a key, e.g.
	// "release owner/repo release-1.4".
	Key       string
	Params    json.RawMessage
	Mock      bool
	State     State
	Actor     string // who started it
	CreatedAt time.Time
	UpdatedAt time.Time
}

// EntryKind says what an entry records.
type EntryKind string

// Entry kinds.
const (
	EntryAttempt  EntryKind = "attempt"  // about to look and act; Data is the input
	EntryLooked   EntryKind = "looked"   // the world was already as wanted; EntryDone follows
	EntryDone     EntryKind = "done"     // Data is the output
	EntryFailed   EntryKind = "failed"   // Message is the error; Data {"retry": bool}
	EntrySkipped  EntryKind = "skipped"  // Message is the reason; Data is the output
	EntryProgress EntryKind = "progress" // heartbeat; Message is one sentence
	EntryLog      EntryKind = "log"      // Message is one line
	EntryWaiting  EntryKind = "waiting"  // for approvals; Data is the list of roles
	EntryApproval EntryKind = "approval" // submitted; Data is an Approval
	EntryCancel   EntryKind = "cancel"   // submitted; Message is why
	EntryLost     EntryKind = "lost"     // done, and to be done again; Message is why
	EntryState    EntryKind = "state"    // the run's state changed; Message is the State
)

// Entry is one line of a run's journal. Entries are only ever added.
type Entry struct {
	Seq     int64 // assigned by the journal, ascending within a run
	Run     string
	Step    string // empty for entries about the run as a whole
	Kind    EntryKind
	Attempt int
	At      time.Time
	Actor   string
	Message string
	Data    json.RawMessage
}

// Lease is the right to drive one run until a time.
type Lease struct {
	Run   string
	Owner string
	Until time.Time
}

// RunFilter selects runs; zero fields match all. Newest first.
type RunFilter struct {
	Flow  string
	Key   string
	State State
	Limit int
}

// Journal is where runs live. An error from Append stops the run: nothing is
// done that could not be recorded.
type Journal interface {
	// CreateRun stores a new run in state Pending; ErrBusy if its Key is held.
	CreateRun(ctx context.Context, r Run) error
	// Run returns one run; ErrNoRun if there is none.
	Run(ctx context.Context, id string) (Run, error)
	// Runs lists runs, newest first.
	Runs(ctx context.Context, f RunFilter) ([]Run, error)
	// Entries lists a run's entries with Seq > after, in order.
	Entries(ctx context.Context, id string, after int64) ([]Entry, error)
	// Append adds an entry under a lease; ErrLeaseLost if it is no longer
	// ours. An EntryState entry also sets the run's state, in the same
	// transaction.
	Append(ctx context.Context, l Lease, e Entry) (int64, error)
	// Submit adds an entry from outside (EntryApproval, EntryCancel), which
	// needs no lease.
	Submit(ctx context.Context, e Entry) (int64, error)
	// Acquire takes or extends the lease; ErrLeased if another owner's has
	// not run out at now.
	Acquire(ctx context.Context, run, owner string, now, until time.Time) (Lease, error)
	// Release gives the lease up.
	Release(ctx context.Context, l Lease) error
}
