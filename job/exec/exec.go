package exec

import (
	"context"
	"io"
	"time"

	"seaworthy/job"
)

// Defaults of a job that does not say how long it may take, as Prow's pod
// utilities have them.
const (
	DefaultTimeout     = 2 * time.Hour
	DefaultGracePeriod = 15 * time.Second
)

// Request is one execution to be run.
type Request struct {
	// Execution says what runs. Its ID names the work folder; Refs and Extra
	// are laid out in that order before the program starts.
	Execution job.Execution
	// Env is what the program finds in its environment besides what the
	// executor itself must say (PATH, HOME, TMPDIR, ARTIFACTS). A later
	// entry wins over an earlier one of the same name.
	Env []job.EnvVar
	// Secrets are values that must not reach the sink's log.
	Secrets []string
}

// Timeout returns how long the program may run.
func (r Request) Timeout() time.Duration {
	if r.Execution.Spec.Timeout > 0 {
		return r.Execution.Spec.Timeout
	}
	return DefaultTimeout
}

// GracePeriod returns how long the program may take to stop when asked to.
func (r Request) GracePeriod() time.Duration {
	if r.Execution.Spec.GracePeriod > 0 {
		return r.Execution.Spec.GracePeriod
	}
	return DefaultGracePeriod
}

// Sink takes what an execution produces. Its methods are called by one
// goroutine at a time.
type Sink interface {
	// Write takes the next bytes of the log: stdout and stderr of the program
	// in the order they were written, and what the executor has to say.
	io.Writer
	// Artifact takes one regular file of the artifacts folder, after the
	// program ended. The name is relative, with forward slashes.
	Artifact(ctx context.Context, name string, r io.Reader) error
}

// Result is how an execution ended.
type Result struct {
	// State is Success, Failure, Aborted or Errored.
	State job.State
	// ExitCode is the program's, -1 when it did not end by itself.
	ExitCode int
	// TimedOut is set when a Failure is due to the time limit.
	TimedOut bool
	// Message is one sentence that a status can show.
	Message string
	// Sources say how each source was laid out, in order.
	Sources []Source
}

// Source is what became of one Refs.
type Source struct {
	Refs job.Refs
	// SHA is the commit the program ran on: the base with every pull request
	// merged. Empty when it could not be made.
	SHA string
	// Commands are the commands that laid it out.
	Commands []Command
	Duration time.Duration
}

// Command is one command that laid out a source.
type Command struct {
	Line   string // as a person would type it, without credentials
	Output string
	Error  string // empty when it worked
}

// Executor runs executions, many at a time.
//
// Run returns when the program and everything it started is gone, its work
// folder is removed and its artifacts have been handed to the sink. A verdict
// is a Result and a nil error:
//
//   - Success and Failure follow the program's exit code.
//   - A program over its time is sent SIGINT with all it started, and SIGKILL
//     when the grace period has passed; that is a Failure with TimedOut set.
//   - When ctx ends the same is done, and the result is Aborted.
//   - What could not be run at all (a source that cannot be fetched or merged,
//     a program that does not exist) is Errored, and the log says why.
//
// An error means that no verdict could be reached because the executor or the
// sink failed; the execution may be tried again.
type Executor interface {
	Run(ctx context.Context, r Request, s Sink) (Result, error)
}
