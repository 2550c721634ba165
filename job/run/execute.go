package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"seaworthy/job"
	"seaworthy/job/exec"
)

// aborted ends an execution's context when somebody wants it to end.
type aborted struct{ why string }

func (a aborted) Error() string { return a.why }

// errLeaseLost ends an execution's context when it is no longer ours.
var errLeaseLost = errors.New("the lease on the execution was lost")

// Execute runs an execution to its end: claim, lay out, run, upload, report,
// record. It returns ErrBusy, wrapped, if it cannot run now. After any other
// error it takes up where it left off when called again; what the program
// produced is not lost. Execute of an execution that is over reports its
// status once more, for a worker may have died before it did.
func (s *Service) Execute(ctx context.Context, id string) error {
	runCtx, leave, entered := s.enter(ctx, id)
	if !entered {
		return fmt.Errorf("execution %s runs already: %w", id, ErrBusy)
	}
	err := s.execute(ctx, runCtx, id)
	leave()
	var wanted aborted
	if errors.Is(err, ErrBusy) && errors.As(context.Cause(runCtx), &wanted) {
		return s.Abort(ctx, id, wanted.why) // which took this for a run
	}
	if err != nil {
		return fmt.Errorf("executing %s: %w", id, err)
	}
	return nil
}

func (s *Service) execute(ctx, runCtx context.Context, id string) error {
	e, err := s.o.Store.Execution(ctx, id)
	switch {
	case err != nil:
		return err
	case e.State.Final():
		return s.tellAgain(ctx, e)
	case e.State == job.Pending && e.Owner == s.o.Owner:
		return s.resume(ctx, e)
	}
	return s.claimAndRun(ctx, runCtx, e)
}

// tellAgain goes on with telling everybody about an execution that is over.
func (s *Service) tellAgain(ctx context.Context, e job.Execution) error {
	o, ok, err := s.spoolOf(e.ID).outcome()
	if err != nil {
		return err
	}
	if ok {
		return s.finish(ctx, e, o)
	}
	return s.report(ctx, e)
}

// enter registers an execution as running here, unless it is. The context is
// cancelled by Abort; leave must be called.
func (s *Service) enter(ctx context.Context, id string) (_ context.Context, leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[id] != nil {
		return nil, nil, false
	}
	runCtx, cancel := context.WithCancelCause(ctx)
	s.running[id] = cancel
	return runCtx, func() {
		s.mu.Lock()
		delete(s.running, id)
		s.mu.Unlock()
		cancel(nil)
		s.o.Notify(Topic(id))
	}, true
}

func (s *Service) claimAndRun(ctx, runCtx context.Context, e job.Execution) error {
	lapsed := e.State == job.Pending
	e, ok, err := s.claim(ctx, e)
	switch {
	case err != nil:
		return err
	case !ok && e.State.Final():
		return s.tellAgain(ctx, e)
	case !ok:
		return fmt.Errorf("held by %s until %s: %w", e.Owner, e.LeaseUntil.UTC().Format(time.RFC3339), ErrBusy)
	case lapsed:
		return s.resume(ctx, e)
	}
	e.Description = "Job running."
	if err := s.report(ctx, e); err != nil {
		// The forge shows a pending status since the execution was created;
		// this one only says it better.
		s.o.Log.WarnContext(ctx, "a job runs without a status saying so", "execution", e.ID, "error", err)
	}
	s.o.Notify(Topic(e.ID))
	o, err := s.run(ctx, runCtx, e)
	if err != nil {
		return err
	}
	return s.finish(ctx, e, o)
}

// claim takes the lease, unless as many of the job run as may.
func (s *Service) claim(ctx context.Context, e job.Execution) (job.Execution, bool, error) {
	s.claims.Lock()
	defer s.claims.Unlock()
	if e.Spec.MaxConcurrency > 0 && s.o.Exclusive != nil {
		leave, err := s.o.Exclusive(ctx, "start of "+e.Job)
		if err != nil {
			return e, false, err
		}
		defer leave()
	}
	now := s.o.Now()
	if limit := e.Spec.MaxConcurrency; limit > 0 && e.State == job.Triggered {
		pending, err := s.o.Store.Executions(ctx, job.ExecutionFilter{Job: e.Job, States: []job.State{job.Pending}})
		if err != nil {
			return e, false, fmt.Errorf("counting what runs: %w", err)
		}
		running := 0
		for _, p := range pending {
			if p.LeaseUntil.After(now) {
				running++
			}
		}
		if running >= limit {
			return e, false, fmt.Errorf("max_concurrency is %d: %w", limit, ErrBusy)
		}
	}
	return s.o.Store.ClaimExecution(ctx, e.ID, s.o.Owner, now, now.Add(s.o.Lease))
}

// run runs the program and keeps what it produced in the spool.
func (s *Service) run(ctx, runCtx context.Context, e job.Execution) (outcome, error) {
	spool, err := s.newSpool(e)
	if err != nil {
		return outcome{}, err
	}
	if err := s.publishStart(ctx, e); err != nil {
		// It is written once more with everything else.
		s.o.Log.WarnContext(ctx, "started.json comes later", "execution", e.ID, "error", err)
	}
	keepCtx, cancel := context.WithCancelCause(runCtx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		s.keepLease(keepCtx, e, cancel)
	}()
	env := append(job.Env(e), e.Spec.Env...)
	request := exec.Request{Execution: e}
	for _, v := range s.o.Secrets(e) {
		env = append(env, v)
		request.Secrets = append(request.Secrets, v.Value)
	}
	request.Env = env
	result, err := s.o.Executor.Run(keepCtx, request, spool)
	cause := context.Cause(keepCtx)
	cancel(nil)
	<-kept
	if cerr := spool.Close(); err == nil && cerr != nil {
		err = cerr
	}
	return s.conclude(ctx, e, spool, result, cause, err)
}

// conclude makes an outcome of what the executor said, and writes it down: from
// here on the program is not run again.
func (s *Service) conclude(ctx context.Context, e job.Execution, spool *spool, r exec.Result, cause, err error) (outcome, error) {
	var wanted aborted
	o := outcome{Result: r, StartedAt: e.StartedAt, FinishedAt: s.o.Now()}
	switch {
	case errors.As(cause, &wanted):
		o.Result.State, o.Description = job.Aborted, "Job aborted: "+wanted.why+"."
	case errors.Is(cause, errLeaseLost):
		return o, errors.Join(errLeaseLost, spool.remove())
	case ctx.Err() != nil && (err != nil || r.State == job.Aborted):
		return o, fmt.Errorf("interrupted: %w", context.Cause(ctx))
	case err != nil:
		o.Result.State, o.Result.ExitCode = job.Errored, -1
		o.Description = "Job could not be run: " + err.Error()
		s.o.Log.ErrorContext(ctx, "the executor failed", "execution", e.ID, "error", err)
	default:
		o.Description = describe(r)
	}
	return o, spool.conclude(o)
}

func describe(r exec.Result) string {
	switch {
	case r.State == job.Success:
		return "Job succeeded."
	case r.State == job.Aborted:
		return "Job aborted."
	case r.State == job.Errored:
		return "Job could not be run: " + r.Message
	case r.TimedOut:
		return "Job failed: " + r.Message
	}
	return "Job failed."
}

// keepLease extends the lease until ctx ends, and cancels the run when the
// execution was aborted or taken by another worker.
func (s *Service) keepLease(ctx context.Context, e job.Execution, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(s.o.Lease / 3)
	defer tick.Stop()
	until := e.LeaseUntil
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next := s.o.Now().Add(s.o.Lease)
		err := s.o.Store.ExtendExecution(ctx, e.ID, s.o.Owner, next)
		if err == nil {
			until = next
			continue
		}
		now, rerr := s.o.Store.Execution(ctx, e.ID)
		switch {
		case ctx.Err() != nil:
			return
		case rerr == nil && now.State == job.Aborted:
			cancel(aborted{why: reason(now)})
		case rerr == nil && (now.State.Final() || now.Owner != s.o.Owner), !s.o.Now().Before(until):
			cancel(errLeaseLost)
		default:
			s.o.Log.WarnContext(ctx, "the lease was not extended", "execution", e.ID, "error", err)
		}
	}
}

// finish tells everybody how an execution ended. Each part may be done again,
// and recording it as finished comes last, so that a failure of any part is
// found and made good.
func (s *Service) finish(ctx context.Context, e job.Execution, o outcome) error {
	e.State, e.Description = o.Result.State, clip(o.Description, maxDescription)
	e.StartedAt, e.FinishedAt = o.StartedAt, o.FinishedAt
	spool := s.spoolOf(e.ID)
	if err := s.publish(ctx, e, o, spool); err != nil {
		return fmt.Errorf("uploading the results: %w", err)
	}
	e.Description = s.excused(ctx, e)
	if err := s.report(ctx, e); err != nil {
		return err
	}
	e.Owner = s.o.Owner
	now, err := s.record(ctx, e)
	if err != nil {
		return err
	}
	if now.State != e.State {
		// The program's end and an abort met: what is recorded is what the
		// forge hears last.
		if err := s.report(ctx, now); err != nil {
			return err
		}
	}
	s.o.Notify(Topic(e.ID))
	return spool.remove()
}

// record stores the final state, and returns the execution as it is recorded:
// one that is over already stays as it is.
func (s *Service) record(ctx context.Context, e job.Execution) (job.Execution, error) {
	err := s.o.Store.FinishExecution(ctx, e)
	if err == nil {
		return e, nil
	}
	if now, rerr := s.o.Store.Execution(ctx, e.ID); rerr == nil && now.State.Final() {
		return now, nil
	}
	return e, fmt.Errorf("recording the end: %w", err)
}

// Abort ends an execution that is not over. One that runs in this process ends
// as soon as its program does; one that runs in another, when that next
// extends its lease. After an error the same call completes what was begun.
func (s *Service) Abort(ctx context.Context, id, why string) error {
	for {
		_, leave, entered := s.enter(ctx, id)
		if entered {
			defer leave()
			break
		}
		if s.interrupt(id, why) {
			return nil
		}
	}
	if err := s.abort(ctx, id, why); err != nil {
		return fmt.Errorf("aborting execution %s: %w", id, err)
	}
	return nil
}

// interrupt tells a run of this process to end; false if there is none.
func (s *Service) interrupt(id, why string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	cancel := s.running[id]
	if cancel != nil {
		cancel(aborted{why})
	}
	return cancel != nil
}

// abort records the end first, so that it never writes over the results of a
// program that came to its own end meanwhile.
func (s *Service) abort(ctx context.Context, id, why string) error {
	e, err := s.o.Store.Execution(ctx, id)
	if err != nil {
		return err
	}
	if e.State.Final() {
		return s.tellAgain(ctx, e)
	}
	spool := s.spoolOf(id)
	if _, ended, err := spool.outcome(); err != nil || ended {
		return err // only telling everybody is left to do
	}
	now := s.o.Now()
	held := e.State == job.Pending && e.LeaseUntil.After(now) && e.Owner != s.o.Owner
	e.State, e.Description, e.FinishedAt, e.Owner = job.Aborted, clip(abortPrefix+why+".", maxDescription), now, ""
	if e.StartedAt.IsZero() {
		e.StartedAt = now
	}
	o := outcome{Result: exec.Result{State: job.Aborted, ExitCode: -1}, Description: e.Description, StartedAt: e.StartedAt, FinishedAt: now}
	if !held {
		if err := spool.conclude(o); err != nil {
			return err
		}
	}
	recorded, err := s.record(ctx, e)
	switch {
	case err != nil:
		return err
	case held:
		return s.report(ctx, recorded) // its worker uploads the results
	case recorded.State != job.Aborted:
		return errors.Join(spool.remove(), s.report(ctx, recorded))
	}
	return s.finish(ctx, e, o)
}
