package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/run"
	"seaworthy/store/work"
)

// Kinds of queued work, and the queues they wait in. Runs have a queue of
// their own, so that long ones never keep events from being handled.
const (
	kindEvent    = "event"
	kindRun      = "run"
	kindPool     = "pool"
	kindPeriodic = "periodic"
	kindFlow     = "flow"

	queueEvents = "events"
	queueRuns   = "runs"
	queueFlows  = "flows"
)

// Events that are handled at a time. Some wait for others of their subject.
const eventWorkers = 6

// ingest stores an event together with the order to handle it.
func (a *App) ingest(ctx context.Context, e forge.Event) (fresh bool, err error) {
	_, fresh, err = a.Store.AppendEvent(ctx, e, func(ctx context.Context, tx *sql.Tx, seq int64) error {
		return a.work.EnqueueTx(ctx, tx, eventItem(seq))
	})
	return fresh, err
}

func eventItem(seq int64) work.Item {
	text := strconv.FormatInt(seq, 10)
	return work.Item{Kind: kindEvent, Key: text, Queue: queueEvents, Payload: json.RawMessage(text)}
}

// handleEvent takes an event from the log.
func (a *App) handleEvent(ctx context.Context, it work.Item) error {
	var seq int64
	if err := json.Unmarshal(it.Payload, &seq); err != nil {
		return work.Discard(fmt.Errorf("reading the number of an event: %w", err))
	}
	event, err := a.Store.Event(ctx, seq)
	if err != nil {
		return err
	}
	return a.inOrder(ctx, seq, event)
}

// handle has everybody act on one event, in the order in which they depend on
// one another: labels before runs, runs before the queue.
func (a *App) handle(ctx context.Context, seq int64, event forge.Event) error {
	outcome := "handled"
	for _, handle := range []func(context.Context, forge.Event) error{a.tend, a.inspect, a.linkIssue, a.Bot.HandleEvent, a.Runs.HandleEvent, a.Queue.HandleEvent} {
		err := handle(ctx, event)
		if err == nil {
			continue
		}
		if outcome = a.moot(ctx, event, err); outcome == "" {
			return fmt.Errorf("handling event %d (%s %s of %s): %w", seq, event.Kind, event.Action, event.Repo, err)
		}
		a.o.Log.Info("passing over an event", "event", seq, "why", outcome, "error", err)
		break
	}
	if err := a.Store.MarkHandled(ctx, seq, outcome); err != nil {
		return err
	}
	a.publish(topicChanges)
	return nil
}

// moot says why an event that could not be handled need not be, because what
// it was about is gone; "" when it must be tried again.
func (a *App) moot(ctx context.Context, e forge.Event, err error) string {
	if e.Kind == forge.EventPush && errors.Is(err, git.ErrNotFound) {
		return "the commit is gone"
	}
	if _, err := a.Forge.Repo(ctx, e.Repo); errors.Is(err, forge.ErrNotFound) {
		return "the repository is gone"
	}
	return ""
}

// tend looks after the repository itself: its default branch is protected once
// it exists, and what runs by the clock follows its configuration.
func (a *App) tend(ctx context.Context, e forge.Event) error {
	if e.Kind != forge.EventPush || e.Push == nil {
		return nil
	}
	repo, err := a.Forge.Repo(ctx, e.Repo)
	if errors.Is(err, forge.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if e.Push.Ref != "refs/heads/"+repo.DefaultBranch {
		return nil
	}
	branch, err := a.Forge.Branch(ctx, e.Repo, repo.DefaultBranch)
	if errors.Is(err, forge.ErrNotFound) {
		return nil // gone again
	}
	if err != nil {
		return err
	}
	if !branch.Protected {
		if err := a.protect(ctx, e.Repo, repo.DefaultBranch); err != nil {
			return err
		}
	}
	a.Signal.Reconfigured() // its jobs may be others now
	return a.schedule(ctx)
}

func (a *App) enqueueRun(ctx context.Context, id string) error {
	return a.work.Enqueue(ctx, runItem(id, 0))
}

func runItem(id string, delay time.Duration) work.Item {
	return work.Item{Kind: kindRun, Key: id, Queue: queueRuns, Payload: json.RawMessage(strconv.Quote(id)), Delay: delay}
}

func (a *App) handleRun(ctx context.Context, it work.Item) error {
	var id string
	if err := json.Unmarshal(it.Payload, &id); err != nil {
		return work.Discard(fmt.Errorf("reading the id of an execution: %w", err))
	}
	err := a.Runs.Execute(ctx, id)
	switch {
	case errors.Is(err, run.ErrBusy):
		// As many of its kind run as may: no failure, just not yet.
		return a.work.Enqueue(ctx, runItem(id, time.Second))
	case errors.Is(err, job.ErrNoExecution):
		return work.Discard(err)
	case err != nil:
		return err
	}
	e, err := a.Runs.Execution(ctx, id)
	if err != nil || e.Type != job.Batch {
		return err
	}
	// A batch sets no status whose event would tell the queue.
	return a.Queue.Sync(ctx, forge.RepoName{Owner: e.Refs.Org, Name: e.Refs.Repo}, e.Refs.BaseRef)
}

// handlePool looks at every queue, for what no event told of.
func (a *App) handlePool(ctx context.Context, _ work.Item) error {
	repos, err := a.Repos(ctx)
	if err != nil {
		return err
	}
	for _, repo := range repos {
		pools, err := a.Queue.Pools(ctx, repo)
		if err != nil {
			return err
		}
		for _, p := range pools {
			if err := a.Queue.Sync(ctx, repo, p.Branch); err != nil {
				return err
			}
		}
	}
	return nil
}

// clockwork names a periodic of a repository.
type clockwork struct {
	Repo string `json:"repo"`
	Job  string `json:"job"`
}

func (a *App) handlePeriodic(ctx context.Context, it work.Item) error {
	var c clockwork
	if err := json.Unmarshal(it.Payload, &c); err != nil {
		return work.Discard(fmt.Errorf("reading the name of a periodic: %w", err))
	}
	repo, err := forge.ParseRepoName(c.Repo)
	if err != nil {
		return work.Discard(err)
	}
	_, err = a.Runs.StartPeriodic(ctx, repo, c.Job, a.o.Now().UTC().Truncate(time.Minute))
	if errors.Is(err, run.ErrNoJob) {
		return work.Discard(err)
	}
	return err
}

// schedule makes the clock follow the repositories' configuration as it is now.
func (a *App) schedule(ctx context.Context) error {
	repos, err := a.Repos(ctx)
	if err != nil {
		return err
	}
	set := []work.Periodic{{Key: kindPool, Every: time.Minute, Item: work.Item{Kind: kindPool, Queue: queueEvents}}}
	for _, repo := range repos {
		trains, err := a.clocked(ctx, repo)
		if err != nil {
			a.o.Log.Warn("no timetable", "repository", repo.String(), "error", err)
		}
		alerts, err := a.alertClock(ctx, repo)
		if err != nil {
			a.o.Log.Warn("no alerts", "repository", repo.String(), "error", err)
		}
		set = append(append(set, trains...), alerts...)
		jobs, err := a.Runs.Periodics(ctx, repo)
		if errors.Is(err, forge.ErrNotFound) {
			continue // nothing was pushed yet, or it is gone
		}
		if err != nil {
			// One repository's broken file must not stop the others' clocks.
			a.o.Log.Warn("no periodics", "repository", repo.String(), "error", err)
			continue
		}
		for _, j := range jobs {
			payload, err := json.Marshal(clockwork{repo.String(), j.Name})
			if err != nil {
				return fmt.Errorf("scheduling %s of %s: %w", j.Name, repo, err)
			}
			every := j.Interval
			if every == 0 {
				every = j.MinimumInterval
			}
			key := repo.String() + " " + j.Name
			p := work.Periodic{Key: key, Cron: j.Cron, Item: work.Item{Kind: kindPeriodic, Key: key, Queue: queueEvents, Payload: payload}}
			if j.Cron == "" {
				p.Every = every
			}
			set = append(set, p)
		}
	}
	return a.work.Periodic(ctx, set)
}

func (a *App) handleFlow(ctx context.Context, it work.Item) error {
	var id string
	if err := json.Unmarshal(it.Payload, &id); err != nil {
		return work.Discard(fmt.Errorf("reading the id of a release: %w", err))
	}
	_, err := a.Releases.Drive(ctx, id, flow.DriveOptions{})
	if terr := a.trainAfter(ctx, id); terr != nil {
		return errors.Join(err, terr)
	}
	switch {
	case errors.Is(err, flow.ErrLeased):
		// In good hands, or in those of a command that was killed: then the
		// lease runs out.
		it.Delay = leaseCheck
		return a.work.Enqueue(ctx, it)
	case errors.Is(err, flow.ErrFailed), errors.Is(err, flow.ErrCanceled):
		return nil // in the hands of a person
	case errors.Is(err, flow.ErrNoRun), errors.Is(err, flow.ErrChanged):
		return work.Discard(err)
	}
	return err
}

// leaseCheck is how long after finding a release in other hands one looks again.
const leaseCheck = 30 * time.Second

func flowItem(id string) work.Item {
	return work.Item{Kind: kindFlow, Key: id, Queue: queueFlows, Payload: json.RawMessage(strconv.Quote(id))}
}
