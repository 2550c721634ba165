package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/api"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/job"
	"seaworthy/web"
)

func (a *App) openSite(context.Context) error {
	if a.attached {
		return nil
	}
	secret, err := a.webhookSecret()
	if err != nil {
		return err
	}
	hooks := api.Webhooks(api.WebhookOptions{
		Secret: secret, Verify: github.VerifySignature, Decode: github.DecodeEvent, Ingest: a.ingest, Now: a.o.Now, Log: a.o.Log,
	})
	pages, err := web.New(web.Options{
		Repos: a.Repos, Runs: a.Runs, Forge: a.Forge, Queue: a.Queue, Signal: a.Signal, Releases: a.Releases, Artifacts: a.Runs, Timetable: a.trains.of, Triage: a.Triage,
		Address: a.url, Issues: a.issueForm(), Describe: a.describeCluster, ClusterOf: a.Triage.Of, Commits: a.commits, Verdicts: func(r forge.RepoName) web.Verdicts { return a.Reports(r) }, Story: a.o.Story, Hub: a.Hub, Now: a.o.Now, Log: a.o.Log, Version: a.o.Version,
	})
	if err != nil {
		return err
	}
	if err := a.openRegistry(); err != nil {
		return err
	}
	grids := api.Grids(api.GridOptions{Signal: a.Signal, Now: a.o.Now, Log: a.o.Log})
	a.handler = a.dispatch(hooks, grids, pages, a.embedded)
	return nil
}

// Run takes up what an earlier process left behind and serves until ctx ends.
func (a *App) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.embedded.Run(gctx) })
	g.Go(func() error {
		if err := a.recover(gctx); err != nil {
			return stopped(gctx, err)
		}
		return a.work.Run(gctx)
	})
	g.Go(func() error { return a.watch(gctx) })
	g.Go(func() error { return a.collect(gctx) })
	g.Go(func() error { return a.runSignal(gctx) })
	g.Go(func() error { return a.runTriage(gctx) })
	return stopped(ctx, g.Wait())
}

// stopped passes over errors that being told to stop brings about.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// announce leaves the server's address for commands on the same folder.
func (a *App) announce() error {
	text, err := json.Marshal(address{URL: a.self})
	if err != nil {
		return fmt.Errorf("writing the server's address: %w", err)
	}
	next := addressFile(a.o.Dir) + ".next"
	if err := os.WriteFile(next, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the server's address: %w", err)
	}
	if err := os.Rename(next, addressFile(a.o.Dir)); err != nil {
		return fmt.Errorf("writing the server's address: %w", err)
	}
	return nil
}

// recover takes up what an earlier process left: events it stored and did not
// handle, executions and releases it was in the middle of. The address may be
// a new one, too.
func (a *App) recover(ctx context.Context) error {
	repos, err := a.Repos(ctx)
	if err != nil {
		return err
	}
	for _, repo := range repos {
		if err := a.Serve(ctx, repo); err != nil {
			if ctx.Err() != nil {
				return err
			}
			// One repository's trouble must not keep the others from being served.
			a.o.Log.Error("a repository is not served", "repository", repo.String(), "error", err)
		}
	}
	events, err := a.Store.UnhandledEvents(ctx)
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := a.work.Enqueue(ctx, eventItem(e.Seq)); err != nil {
			return err
		}
	}
	if err := a.recoverRuns(ctx); err != nil {
		return err
	}
	unfinished, err := a.Releases.Recover(ctx)
	if err != nil {
		return err
	}
	for _, r := range unfinished {
		if err := a.work.Enqueue(ctx, flowItem(r.ID)); err != nil {
			return err
		}
	}
	return a.schedule(ctx)
}

// recoverRuns takes up executions. What cannot be taken up now, because its
// repository is gone, say, is tried again by the workers.
func (a *App) recoverRuns(ctx context.Context) error {
	err := a.Runs.Recover(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	a.o.Log.Error("taking up what ran when the last process ended", "error", err)
	left, err := a.Store.Executions(ctx, job.ExecutionFilter{States: []job.State{job.Triggered, job.Pending}})
	if err != nil {
		return err
	}
	for _, e := range left {
		if err := a.enqueueRun(ctx, e.ID); err != nil {
			return err
		}
	}
	return nil
}

// How often the database is asked whether another process, a command say, has
// changed what pages show.
const watchEvery = time.Second

// watch tells pages of what other processes did on the same database.
func (a *App) watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var last string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		runs, err := a.Store.Runs(ctx, flow.RunFilter{Limit: 1})
		if err != nil {
			return stopped(ctx, err)
		}
		if len(runs) == 1 {
			if now := runs[0].ID + runs[0].UpdatedAt.String(); now != last {
				last = now
				a.publish(topicReleases)
			}
		}
	}
}

// commits lists what head has and base has not, for the pages of grids.
func (a *App) commits(ctx context.Context, repo forge.RepoName, base, head string) ([]forge.Commit, error) {
	all, _, err := a.Forge.Compare(ctx, repo, base, head)
	return all, err
}
