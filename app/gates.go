package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/merge"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// gates collects the evidence a release is judged by, as the configuration of
// the very commit demands.
func (a *App) gates(ctx context.Context, p cut.Plan) ([]release.Gate, error) {
	project, err := a.Project(ctx, p.Repo, p.Commit)
	if err != nil {
		return nil, err
	}
	var gates []release.Gate
	green, err := a.green(ctx, p, project)
	if err != nil {
		green = release.UnknownGate("checks", err)
	}
	if green.Name != "" {
		gates = append(gates, green)
	}
	blockers, err := a.Forge.Issues(ctx, p.Repo, forge.IssueFilter{Labels: []string{merge.LabelBlocker}})
	if err != nil {
		return append(gates, release.UnknownGate("blockers", err)), nil
	}
	var open []release.Blocker
	for _, i := range blockers {
		open = append(open, release.Blocker{Number: i.Number, Title: i.Title, Link: i.HTMLURL})
	}
	return append(gates, release.BlockersGate(open)), nil
}

// green judges the newest results of the blocking jobs on the commit: as many
// in a row as the configuration asks for. A repository without any job has
// nothing to be judged by, which the zero gate says.
func (a *App) green(ctx context.Context, p cut.Plan, project Project) (release.Gate, error) {
	names := project.Release.Gates.Green
	if len(names) == 0 {
		for _, j := range project.Jobs.Postsubmits[p.Repo.String()] {
			if j.RunsOn(p.Branch) && j.Automatic() && !j.Optional {
				names = append(names, j.Name)
			}
		}
	}
	if len(names) == 0 {
		return release.Gate{}, nil
	}
	var checks []release.Check
	for _, name := range names {
		all, err := a.Runs.Executions(ctx, job.ExecutionFilter{Repo: p.Repo.String(), Job: name, SHA: p.Commit, Limit: 50})
		if err != nil {
			return release.Gate{}, fmt.Errorf("reading the results of %s: %w", name, err)
		}
		all = slices.DeleteFunc(all, func(e job.Execution) bool { return e.State == job.Aborted })
		for i := range max(1, project.Release.Gates.Runs) {
			checks = append(checks, a.check(name, all, i))
		}
	}
	return release.ChecksGate(p.Commit, checks), nil
}

func (a *App) check(name string, all []job.Execution, nth int) release.Check {
	c := release.Check{Name: name, Required: true, State: "missing"}
	if nth >= len(all) {
		return c
	}
	e := all[nth]
	c.Link, c.At = a.url+"/runs/"+e.BuildID, latest(e.FinishedAt, e.CreatedAt)
	switch e.State {
	case job.Triggered, job.Pending:
		c.State = "pending"
	default:
		c.State = string(e.State)
	}
	return c
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
