package flow

import (
	"errors"
	"fmt"
	"time"
)

// Errors of the engine itself, wrapped.
var (
	// ErrFailed: a step failed; the run may be resumed.
	ErrFailed = errors.New("the run failed")
	// ErrCanceled: the run was cancelled, for good.
	ErrCanceled = errors.New("the run was cancelled")
	// ErrChanged: the definition is not the one that the run was begun with.
	ErrChanged = errors.New("the flow has changed since the run began")
	// ErrHung: a step was silent for too long.
	ErrHung = errors.New("hung")
	// ErrNotWaiting: no approval is asked for there.
	ErrNotWaiting = errors.New("no approval is asked for")
)

// BusyError is the run that holds the key another one was to be started with.
// It wraps ErrBusy.
type BusyError struct{ Run Run }

// Error implements error: which run it is, whose, and since when.
func (e *BusyError) Error() string {
	return fmt.Sprintf("run %s, begun by %s at %s, is %s: wait for it, or abort it", e.Run.ID, orDefault(e.Run.Actor, "nobody known"),
		e.Run.CreatedAt.UTC().Format("2006-01-02 15:04:05 UTC"), e.Run.State)
}

// Unwrap returns ErrBusy.
func (e *BusyError) Unwrap() error { return ErrBusy }

// Approval is what a person said to an approval step.
type Approval struct {
	Role  string    `json:"role"`
	Actor string    `json:"actor"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at"`
}

// Permanent marks an error that trying again cannot mend.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ cause error }

func (e *permanentError) Error() string { return e.cause.Error() }
func (e *permanentError) Unwrap() error { return e.cause }

// IsPermanent reports whether an error was made by Permanent.
func IsPermanent(err error) bool { return final(err) }

// Skip ends a step as skipped, for a reason that a person reads.
func Skip(format string, args ...any) error { return &skipError{fmt.Sprintf(format, args...)} }

// Skipped reports whether an error was made by Skip: for a step that does the
// work of another's Look or Act.
func Skipped(err error) bool {
	var skip *skipError
	return errors.As(err, &skip)
}

type skipError struct{ reason string }

func (e *skipError) Error() string { return "skipped: " + e.reason }

// panicError is a panic in a step. It is never retried: nobody knows how far
// the step came.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// abandonedError is a step that went on after it was told to stop. It is never
// retried: it may still be acting.
type abandonedError struct{ cause error }

func (e *abandonedError) Error() string {
	return fmt.Sprintf("%v, and the step did not stop when told to", e.cause)
}
func (e *abandonedError) Unwrap() error { return e.cause }

// final reports whether trying again by itself is out of the question.
func final(err error) bool {
	var permanent *permanentError
	var panicked *panicError
	var abandoned *abandonedError
	return errors.As(err, &permanent) || errors.As(err, &panicked) || errors.As(err, &abandoned)
}
