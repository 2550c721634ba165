package exectest

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"seaworthy/job"
	"seaworthy/job/exec"
)

// Outcome is what a Fake makes of a job.
type Outcome struct {
	Log       string
	Artifacts map[string]string
	Result    exec.Result // Success when its State is empty
	// Block makes the execution go on until its context ends, and be Aborted.
	Block bool
	// Release makes the execution go on until it is closed; nil does not wait.
	Release <-chan struct{}
	// Err is returned instead of a result.
	Err error
}

// Fake is an executor that plays one outcome after the other for each job; the
// last one stays. A job without outcomes succeeds at once.
type Fake struct {
	// Started gets the execution's id as soon as it runs, unless it is nil.
	Started chan<- string

	mu       sync.Mutex
	outcomes map[string][]Outcome
	requests []exec.Request
}

var _ exec.Executor = (*Fake)(nil)

// Script sets the outcomes of a job.
func (f *Fake) Script(name string, outcomes ...Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.outcomes == nil {
		f.outcomes = map[string][]Outcome{}
	}
	f.outcomes[name] = outcomes
}

// Requests returns what was asked for, in order.
func (f *Fake) Requests() []exec.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]exec.Request(nil), f.requests...)
}

func (f *Fake) next(r exec.Request) Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	script := f.outcomes[r.Execution.Job]
	if len(script) == 0 {
		return Outcome{}
	}
	if len(script) > 1 {
		f.outcomes[r.Execution.Job] = script[1:]
	}
	return script[0]
}

// Run implements exec.Executor.
func (f *Fake) Run(ctx context.Context, r exec.Request, s exec.Sink) (exec.Result, error) {
	o := f.next(r)
	if o.Log != "" {
		if _, err := s.Write([]byte(o.Log)); err != nil {
			return exec.Result{}, fmt.Errorf("writing the log: %w", err)
		}
	}
	if f.Started != nil {
		f.Started <- r.Execution.ID
	}
	release := o.Release
	if o.Block {
		release = make(chan struct{})
	}
	if release != nil {
		select {
		case <-release:
		case <-ctx.Done():
			return exec.Result{State: job.Aborted, ExitCode: -1, Message: "Aborted."}, nil
		}
	}
	if o.Err != nil {
		return exec.Result{}, o.Err
	}
	for name, content := range o.Artifacts {
		if err := s.Artifact(ctx, name, strings.NewReader(content)); err != nil {
			return exec.Result{}, fmt.Errorf("handing over %s: %w", name, err)
		}
	}
	if o.Result.State == "" {
		o.Result.State = job.Success
	}
	return o.Result, nil
}
