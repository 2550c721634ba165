package app

import (
	"context"
	"encoding/json"
	"fmt"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/release/train"
)

// trainRuns are the stages and cuts of a repository, newest first, as the
// timetable sees them.
type trainRuns struct {
	stages []stageRun
	cuts   []cutRun
	// see reads the rest of a run: only those that matter are looked into.
	see func(flow.Run) train.Run
}

type stageRun struct {
	flow.Run
	request cut.StageRequest
}

type cutRun struct {
	flow.Run
	request cut.CutRequest
}

func (a *App) trainRuns(ctx context.Context, repo forge.RepoName) (trainRuns, error) {
	r := trainRuns{see: func(run flow.Run) train.Run { return a.trainRun(ctx, run) }}
	stages, err := a.Store.Runs(ctx, flow.RunFilter{Flow: "stage", Limit: recentFlows})
	if err != nil {
		return r, fmt.Errorf("reading what was staged of %s: %w", repo, err)
	}
	for _, run := range stages {
		s := stageRun{Run: run}
		if json.Unmarshal(run.Params, &s.request) == nil && s.request.Repo == repo {
			r.stages = append(r.stages, s)
		}
	}
	cuts, err := a.Store.Runs(ctx, flow.RunFilter{Flow: "cut", Limit: recentFlows})
	if err != nil {
		return r, fmt.Errorf("reading what was cut of %s: %w", repo, err)
	}
	for _, run := range cuts {
		c := cutRun{Run: run}
		if json.Unmarshal(run.Params, &c.request) == nil && c.request.Repo == repo {
			r.cuts = append(r.cuts, c)
		}
	}
	return r, nil
}

// all are the runs, whatever they do.
func (r trainRuns) all() []flow.Run {
	var all []flow.Run
	for _, s := range r.stages {
		all = append(all, s.Run)
	}
	for _, c := range r.cuts {
		all = append(all, c.Run)
	}
	return all
}

// attempt is the newest stage of a branch that is accepted, and the newest cut
// of what it staged.
func (r trainRuns) attempt(branch string, kind release.Kind, mock bool, accept func(flow.Run) bool) train.Attempt {
	for _, s := range r.stages {
		if s.Mock != mock || s.request.Branch != branch || s.request.Kind != kind || !accept(s.Run) {
			continue
		}
		stage := r.see(s.Run)
		return train.Attempt{Stage: stage, Cut: r.cutSince(stage, mock)}
	}
	return train.Attempt{}
}

// cutSince is the newest cut of what a stage staged, not of an earlier stage of
// the same commit.
func (r trainRuns) cutSince(stage train.Run, mock bool) train.Run {
	c := r.cutOf(stage.Build, mock)
	if c.Began.Before(stage.Began) {
		return train.Run{}
	}
	return c
}

// cutOf is the newest cut of a build.
func (r trainRuns) cutOf(build string, mock bool) train.Run {
	if build == "" {
		return train.Run{}
	}
	for _, c := range r.cuts {
		if c.Mock == mock && c.request.BuildVersion == build {
			return r.see(c.Run)
		}
	}
	return train.Run{}
}

// trainRun reads how far a run has come, and where it failed. What cannot be
// read of one, because another version of the program began it, is left out.
func (a *App) trainRun(ctx context.Context, run flow.Run) train.Run {
	r := train.Run{ID: run.ID, Began: run.CreatedAt, Link: a.url + "/releases/" + run.ID}
	switch run.State {
	case flow.Succeeded:
		r.State = train.Done
	case flow.Failed:
		r.State = train.Failed
	case flow.Canceled:
		r.State = train.Given
	case flow.Waiting:
		r.State = train.Waiting
	default:
		r.State = train.Going
	}
	if run.Flow == "stage" {
		if plan, known, err := a.Releases.StagePlan(ctx, run.ID); err == nil && known {
			r.Commit, r.Build = plan.Commit, plan.BuildVersion
		} else if err != nil {
			a.o.Log.Debug("a stage cannot be read", "run", run.ID, "error", err)
		}
	}
	if run.State != flow.Failed {
		return r
	}
	r.Step, r.Why = run.Flow, "it failed"
	t, err := a.Releases.Status(ctx, run.ID)
	if err != nil {
		r.Why = err.Error()
		return r
	}
	for _, s := range t.Steps {
		if s.State == flow.StepFailed || s.State == flow.StepHung {
			r.Step, r.Why = s.Title, s.Sentence
			break
		}
	}
	return r
}
