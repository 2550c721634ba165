package run

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"seaworthy/job"
	"seaworthy/job/exec"
)

// maxAttempts bounds how often an execution is run whose worker is lost each
// time: it may be what kills the worker.
const maxAttempts = 3

// Recover takes up what a worker of this name, or one whose lease lapsed, left
// behind: executions that wait are queued again, those whose program had ended
// are finished, and those it ran are recorded as lost and run afresh. It is
// called at start, before anything else, and may be called at any time. It
// goes on after an error and returns all of them.
func (s *Service) Recover(ctx context.Context) error {
	left, err := s.o.Store.Executions(ctx, job.ExecutionFilter{States: unfinished()})
	if err != nil {
		return fmt.Errorf("recovering: %w", err)
	}
	var errs []error
	for _, e := range left {
		if e.State == job.Triggered {
			err = s.o.Enqueue(ctx, e.ID)
		} else {
			err = s.Execute(ctx, e.ID) // ErrBusy if it runs, here or elsewhere
		}
		if err != nil && !errors.Is(err, ErrBusy) {
			errs = append(errs, fmt.Errorf("recovering execution %s of %s: %w", e.ID, e.Job, err))
		}
	}
	return errors.Join(errs...)
}

// resume goes on with an execution that is ours but does not run: it finishes
// one whose program had ended, and replaces one whose program was lost.
func (s *Service) resume(ctx context.Context, e job.Execution) error {
	if err := s.o.Store.ExtendExecution(ctx, e.ID, s.o.Owner, s.o.Now().Add(s.o.Lease)); err != nil {
		return err
	}
	o, ok, err := s.spoolOf(e.ID).outcome()
	if err != nil {
		return err
	}
	if ok {
		return s.finish(ctx, e, o)
	}
	o = outcome{Result: exec.Result{State: job.Errored, ExitCode: -1}, StartedAt: e.StartedAt, FinishedAt: s.o.Now()}
	key, attempt := nextAttempt(e)
	if attempt > maxAttempts {
		o.Description = fmt.Sprintf("Job could not be run: its worker was lost %d times.", maxAttempts)
		return s.finish(ctx, e, o)
	}
	o.Description = "Job could not be run: its worker was lost; it runs again."
	again := e
	again.Key = key
	again.Owner, again.LeaseUntil, again.StartedAt, again.FinishedAt = "", time.Time{}, time.Time{}, time.Time{}
	// The new one first: after a crash in between, its key tells that it is
	// there.
	again, _, err = s.create(ctx, again)
	if err != nil {
		return fmt.Errorf("creating a fresh attempt: %w", err)
	}
	if err := s.finish(ctx, e, o); err != nil {
		return err
	}
	if again.State != job.Triggered {
		return nil
	}
	if err := s.report(ctx, again); err != nil {
		return err
	}
	if err := s.o.Enqueue(ctx, again.ID); err != nil {
		return fmt.Errorf("queueing the fresh attempt %s: %w", again.ID, err)
	}
	return nil
}

// attemptMark separates a key from the number of the attempt.
const attemptMark = "#attempt-"

// nextAttempt returns the key of the attempt after e, and its number.
func nextAttempt(e job.Execution) (key string, attempt int) {
	key = e.Key
	if key == "" {
		key = "execution/" + e.ID
	}
	attempt = 2
	if before, n, ok := strings.Cut(key, attemptMark); ok {
		if last, err := strconv.Atoi(n); err == nil {
			key, attempt = before, last+1
		}
	}
	return key + attemptMark + strconv.Itoa(attempt), attempt
}
