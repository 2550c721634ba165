package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"seaworthy/forge"
	"seaworthy/merge"
)

// Forge is what the queue needs of a forge; an adapter's client has it all.
type Forge interface {
	PullRequests
	Commits
	Issues
}

// PullRequests are the forge's calls about changes.
type PullRequests interface {
	PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error)
	PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error)
	Reviews(ctx context.Context, repo forge.RepoName, number int) ([]forge.Review, error)
	MergePullRequest(ctx context.Context, repo forge.RepoName, number int, m forge.Merge) (sha string, err error)
}

// Commits are the forge's calls about branches and results.
type Commits interface {
	Branch(ctx context.Context, repo forge.RepoName, name string) (forge.Branch, error)
	Statuses(ctx context.Context, repo forge.RepoName, sha string) ([]forge.Status, error)
	CheckRuns(ctx context.Context, repo forge.RepoName, sha string) ([]forge.CheckRun, error)
	SetStatus(ctx context.Context, repo forge.RepoName, sha string, s forge.Status) error
}

// Issues are the forge's calls about issues, labels and milestones.
type Issues interface {
	Issues(ctx context.Context, repo forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error)
	EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error
	AddLabels(ctx context.Context, repo forge.RepoName, number int, labels ...string) error
	Milestones(ctx context.Context, repo forge.RepoName, state string) ([]forge.Milestone, error)
	CreateMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) (forge.Milestone, error)
}

// Runner starts jobs.
type Runner interface {
	// StartJobs runs presubmits of a pull request with its head merged onto
	// BaseSHA, and reports them with that base (merge.BaseSuffix). Asking
	// again with the same Key starts nothing twice.
	StartJobs(ctx context.Context, s Start) error
}

// Start asks for a change's jobs on a given tip.
type Start struct {
	PullRequest forge.PullRequest // its Head.SHA is what to test
	BaseSHA     string
	Jobs        []merge.RequiredJob
	Cause       string // a few words for people
	Key         string // the same cause has the same key
}

// BatchRunner tests several changes together.
type BatchRunner interface {
	// StartBatch runs jobs with all members merged onto BaseSHA in order. It
	// sets no status. Asking again with the same Key starts nothing twice.
	StartBatch(ctx context.Context, s StartBatch) error
	// Batches returns the recent batches of a branch, of all tips; a batch
	// is as good as the worst of its jobs.
	Batches(ctx context.Context, repo forge.RepoName, branch string) ([]merge.Batch, error)
}

// StartBatch asks for several changes to be tested together on a given tip.
type StartBatch struct {
	Repo    forge.RepoName
	Branch  string
	BaseSHA string
	Members []forge.PullRequest // in the order in which they would merge
	Jobs    []merge.RequiredJob
	Cause   string
	Key     string
}

// Recorder keeps the evidence of what the queue decided.
type Recorder interface {
	RecordDecision(ctx context.Context, d Decision) error
}

// Decision is one step or wait of the queue, with everything it rests on:
// merge.Decide(Pool) gives Action again. The merges of a batch are recorded one
// by one, each with its number and the tip it landed on.
type Decision struct {
	Pool    merge.Pool
	Action  merge.Action
	Outcome string // what came of it: "merged as 0123…", "started", the forge's refusal; empty for a wait
	At      time.Time
}

// Switch remembers which branches are paused.
type Switch interface {
	// Paused returns why a branch is paused; "" when it is not.
	Paused(ctx context.Context, repo forge.RepoName, branch string) (string, error)
	// SetPaused pauses a branch, or lets it run again when why is empty.
	SetPaused(ctx context.Context, repo forge.RepoName, branch, why string) error
}

// Options say what a queue works with. All are required unless they say
// otherwise.
type Options struct {
	Forge  Forge
	Runner Runner
	// Batches lets the queue test changes together where a policy allows it;
	// optional, without it changes are served one by one.
	Batches  BatchRunner
	Recorder Recorder
	Switch   Switch
	// Contexts returns which results a pull request needs at the commit
	// baseSHA of its base branch.
	Contexts func(ctx context.Context, pr forge.PullRequest, baseSHA string) (merge.Requirements, error)
	// Query returns a repository's policy. A policy without queries makes
	// the queue leave the repository alone.
	Query func(ctx context.Context, repo forge.RepoName) (merge.Policy, error)
	// Refresh brings a pull request's labels up to date (Bot.Refresh of
	// merge/bot). It is called before every merge, because a push may have
	// come that no event told of yet; optional for a forge whose labels
	// nobody but people sets.
	Refresh func(ctx context.Context, repo forge.RepoName, number int) error
	// Exclusive waits until no other process holds a name, and holds it until
	// what it returns is called; optional, for a queue that several processes
	// serve.
	Exclusive func(ctx context.Context, name string) (func(), error)
	Now       func() time.Time
	// Wait pauses between attempts to reach a forge that does not answer;
	// optional, a timer that ends with the context by default.
	Wait func(ctx context.Context, d time.Duration) error
	// Notify is told of every pool that was looked at; optional.
	Notify func(repo forge.RepoName, branch string)
	// TargetURL is where a pull request's queue status leads; optional.
	TargetURL func(repo forge.RepoName, branch string) string
	Log       *slog.Logger // optional
}

// Queue is the merge queue of all repositories.
type Queue struct {
	opt Options

	mu       sync.Mutex
	branches map[branchKey]*branchState
}

// branchKey names a branch of a repository.
type branchKey struct {
	repo   forge.RepoName
	branch string
}

// branchState is what the queue remembers of a branch between passes. All of
// it can be forgotten without harm: it only spares calls.
type branchState struct {
	// turn is held during a pass: one pass per branch at a time. A channel
	// rather than a mutex, so that whoever waits can be cancelled.
	turn chan struct{}

	// Below: guarded by turn.
	last    merge.Action          // the latest recorded decision
	shown   map[shownKey]string   // queue statuses as last set
	refused map[refusedKey]string // merges the forge would not do
}

type shownKey struct {
	number int
	sha    string
}

type refusedKey struct {
	number    int
	head, tip string
}

// New returns a queue, or an error that names the option that is missing.
func New(opt Options) (*Queue, error) {
	switch {
	case opt.Forge == nil:
		return nil, errors.New("merge queue: Options.Forge is missing")
	case opt.Runner == nil:
		return nil, errors.New("merge queue: Options.Runner is missing")
	case opt.Recorder == nil:
		return nil, errors.New("merge queue: Options.Recorder is missing")
	case opt.Switch == nil:
		return nil, errors.New("merge queue: Options.Switch is missing")
	case opt.Contexts == nil || opt.Query == nil:
		return nil, errors.New("merge queue: Options.Contexts or Options.Query is missing")
	case opt.Now == nil:
		return nil, errors.New("merge queue: Options.Now is missing")
	}
	if opt.Refresh == nil {
		opt.Refresh = func(context.Context, forge.RepoName, int) error { return nil }
	}
	if opt.Wait == nil {
		opt.Wait = wait
	}
	if opt.Notify == nil {
		opt.Notify = func(forge.RepoName, string) {}
	}
	if opt.TargetURL == nil {
		opt.TargetURL = func(forge.RepoName, string) string { return "" }
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Queue{opt: opt, branches: map[branchKey]*branchState{}}, nil
}

// wait returns after d, or with the context's error as soon as it ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter waits for the branch's turn; leave ends it.
func (q *Queue) enter(ctx context.Context, repo forge.RepoName, branch string) (s *branchState, leave func(), err error) {
	q.mu.Lock()
	key := branchKey{repo, branch}
	s, ok := q.branches[key]
	if !ok {
		s = &branchState{
			turn:    make(chan struct{}, 1),
			shown:   map[shownKey]string{},
			refused: map[refusedKey]string{},
		}
		q.branches[key] = s
	}
	q.mu.Unlock()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if q.opt.Exclusive == nil {
		return s, func() { <-s.turn }, nil
	}
	elsewhere, err := q.opt.Exclusive(ctx, fmt.Sprintf("queue of %s %s", repo, branch))
	if err != nil {
		<-s.turn
		return nil, nil, err
	}
	return s, func() { elsewhere(); <-s.turn }, nil
}

// Pause stops merging into a branch until Resume. Who and why are shown on
// every pull request of the branch.
func (q *Queue) Pause(ctx context.Context, repo forge.RepoName, branch, who, why string) error {
	if why == "" {
		why = "no reason given"
	}
	if err := q.opt.Switch.SetPaused(ctx, repo, branch, who+": "+why); err != nil {
		return err
	}
	return q.Sync(ctx, repo, branch)
}

// Resume lets a paused branch merge again.
func (q *Queue) Resume(ctx context.Context, repo forge.RepoName, branch string) error {
	if err := q.opt.Switch.SetPaused(ctx, repo, branch, ""); err != nil {
		return err
	}
	return q.Sync(ctx, repo, branch)
}
