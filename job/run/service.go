package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/exec"
)

// Errors callers branch on.
var (
	// ErrBusy: the execution cannot run now, because as many of its job run as
	// may, or because another worker holds it. Try again in a little while.
	ErrBusy = errors.New("busy")
	// ErrNoJob: there is no such job, or it does not run on that branch.
	ErrNoJob = errors.New("no such job")
	// ErrNoLog: no log is kept of the execution.
	ErrNoLog = errors.New("there is no log")
)

// Forge is what the service needs of a forge.
type Forge interface {
	Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error)
	Branch(ctx context.Context, repo forge.RepoName, name string) (forge.Branch, error)
	Commit(ctx context.Context, repo forge.RepoName, rev string) (forge.Commit, error)
	Compare(ctx context.Context, repo forge.RepoName, base, head string) ([]forge.Commit, []forge.FileChange, error)
	PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error)
	PullRequestFiles(ctx context.Context, repo forge.RepoName, number int) ([]forge.FileChange, error)
	SetStatus(ctx context.Context, repo forge.RepoName, sha string, s forge.Status) error
}

// Store keeps executions.
type Store interface {
	// CreateExecution reports false if one with the same key is there.
	CreateExecution(ctx context.Context, e job.Execution) (created bool, err error)
	Execution(ctx context.Context, id string) (job.Execution, error)
	Executions(ctx context.Context, f job.ExecutionFilter) ([]job.Execution, error)
	// ClaimExecution gives a triggered execution, or one whose lease lapsed by
	// now, to owner; it is pending then. It reports false for any other.
	ClaimExecution(ctx context.Context, id, owner string, now, until time.Time) (job.Execution, bool, error)
	// ExtendExecution fails if owner does not hold the execution.
	ExtendExecution(ctx context.Context, id, owner string, until time.Time) error
	// FinishExecution fails if the execution is over, or held by another than
	// e.Owner unless that is empty.
	FinishExecution(ctx context.Context, e job.Execution) error
	NextBuildID(ctx context.Context, now time.Time) (string, error)
}

// Options are what a Service needs. All are required but those that say what
// their zero value means.
type Options struct {
	Forge    Forge
	Store    Store
	Executor exec.Executor
	Bucket   *blob.Bucket
	// Jobs returns the job configuration of a repository at a commit; an empty
	// commit means the tip of its default branch.
	Jobs func(ctx context.Context, repo forge.RepoName, sha string) (job.Config, error)
	// Enqueue has Execute called for the execution, now or after a restart. It
	// may be asked more than once for the same one.
	Enqueue func(ctx context.Context, executionID string) error
	// Trusted reports whether somebody's changes may run without being looked
	// at first. Nil trusts everybody.
	Trusted func(ctx context.Context, repo forge.RepoName, login string) (bool, error)
	// Secrets are variables an execution gets besides its own, whose values
	// are kept out of the log. Nil gives none.
	Secrets func(job.Execution) []job.EnvVar
	// Notify tells live pages that a topic changed. It must not block. Nil
	// tells nobody.
	Notify func(topic string)
	// Known says which failures of a presubmit the branch knows that it goes to,
	// in words that end no sentence; empty if none. Nil never asks.
	Known func(ctx context.Context, e job.Execution) (string, error)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// BaseURL is where the web pages are, for the links of statuses.
	BaseURL string
	// Exclusive waits until no other worker holds a name, and holds it until what
	// it returns is called; nil where this is the only one.
	Exclusive func(ctx context.Context, name string) (func(), error)
	// Owner names this worker among all that share the store. It stays the
	// same over a restart and is no other's.
	Owner string
	// LogDir keeps the log and artifacts of an execution until it is over.
	LogDir string
	// Live opens the folder in which an execution that runs on this machine has
	// its artifacts; an error that is fs.ErrNotExist if it runs nowhere here. Nil
	// knows of none.
	Live func(executionID string) (*os.Root, error)
	// Lease is how long an execution stays with a worker that gives no sign
	// of life; a minute when zero.
	Lease time.Duration
	// Log is the service's own log; slog.Default when nil.
	Log *slog.Logger
}

func (o *Options) complete() error {
	for name, missing := range map[string]bool{
		"Forge": o.Forge == nil, "Store": o.Store == nil, "Executor": o.Executor == nil, "Bucket": o.Bucket == nil,
		"Jobs": o.Jobs == nil, "Enqueue": o.Enqueue == nil, "Owner": o.Owner == "", "LogDir": o.LogDir == "",
	} {
		if missing {
			return fmt.Errorf("running jobs: Options.%s is missing", name)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	if o.Trusted == nil {
		o.Trusted = func(context.Context, forge.RepoName, string) (bool, error) { return true, nil }
	}
	if o.Secrets == nil {
		o.Secrets = func(job.Execution) []job.EnvVar { return nil }
	}
	if o.Lease <= 0 {
		o.Lease = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	return nil
}

// Service runs jobs. It is safe for concurrent use.
type Service struct {
	o Options

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by execution
	// claims makes counting what runs and claiming one more a single step.
	claims sync.Mutex
}

// New returns a service.
func New(o Options) (*Service, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	return &Service{o: o, running: map[string]context.CancelCauseFunc{}}, nil
}

// Topic returns the name under which changes of an execution are notified.
func Topic(id string) string { return "execution/" + id }

// LogTopic returns the name under which the growth of its log is.
func LogTopic(id string) string { return "log/" + id }

// Execution returns one execution.
func (s *Service) Execution(ctx context.Context, id string) (job.Execution, error) {
	return s.o.Store.Execution(ctx, id)
}

// Executions lists executions, newest first.
func (s *Service) Executions(ctx context.Context, f job.ExecutionFilter) ([]job.Execution, error) {
	return s.o.Store.Executions(ctx, f)
}

// repoOf returns the repository an execution is about; false for a periodic.
func repoOf(e job.Execution) (forge.RepoName, bool) {
	n := forge.RepoName{Owner: e.Refs.Org, Name: e.Refs.Repo}
	return n, n.Valid()
}

// unfinished are the states of executions that still hold something up.
func unfinished() []job.State { return []job.State{job.Triggered, job.Pending} }
