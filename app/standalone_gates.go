package app

import (
	"context"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/merge"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// aloneGates collects the evidence that can be had without a platform: what the
// forge says of the commit, and the issues that block a release. What nobody can
// know here is unknown where the configuration demands it, and else no gate.
func (a *App) aloneGates(ctx context.Context, p cut.Plan) ([]release.Gate, error) {
	project, err := a.Project(ctx, p.Repo, p.Commit)
	if err != nil {
		return nil, err
	}
	var gates []release.Gate
	if g := a.checksGate(ctx, p, project.Release.Gates.Green); g.Name != "" {
		gates = append(gates, g)
	}
	if a.alone.forge.issues == nil {
		return gates, nil
	}
	open, err := a.alone.forge.issues.Issues(ctx, p.Repo, forge.IssueFilter{Labels: []string{merge.LabelBlocker}})
	if err != nil {
		return append(gates, release.UnknownGate("blockers", err)), nil
	}
	var blockers []release.Blocker
	for _, i := range open {
		blockers = append(blockers, release.Blocker{Number: i.Number, Title: i.Title, Link: i.HTMLURL})
	}
	return append(gates, release.BlockersGate(blockers)), nil
}

// checksGate judges the commit by the contexts that the configuration names or,
// if it names none, by all that the forge knows of. The zero gate says that
// nothing is demanded and nothing known.
func (a *App) checksGate(ctx context.Context, p cut.Plan, demanded []string) release.Gate {
	var known []forge.Status
	if a.alone.forge.checks != nil {
		var err error
		if known, err = a.alone.forge.checks.Statuses(ctx, p.Repo, p.Commit); err != nil {
			return release.UnknownGate("checks", err)
		}
	}
	known = slices.DeleteFunc(known, func(s forge.Status) bool { return a.itself(s) })
	names := demanded
	if len(names) == 0 {
		for _, s := range known {
			names = append(names, s.Context)
		}
	}
	if len(names) == 0 {
		return release.Gate{}
	}
	var checks []release.Check
	for _, name := range names {
		c := release.Check{Name: name, Required: true, State: "missing"}
		// Forges put the workflow before the name of a check: "CI / test (push)".
		i := slices.IndexFunc(known, func(s forge.Status) bool { return s.Context == name })
		if i < 0 {
			i = slices.IndexFunc(known, func(s forge.Status) bool {
				return strings.HasSuffix(s.Context, " / "+name) || strings.Contains(s.Context, " / "+name+" (")
			})
		}
		if i >= 0 {
			c.State, c.Link, c.At = string(known[i].State), known[i].TargetURL, known[i].CreatedAt
		}
		checks = append(checks, c)
	}
	return release.ChecksGate(p.Commit, checks)
}

// itself reports whether a check is the job that this very program runs in,
// which is pending for as long as it waits for itself.
func (a *App) itself(s forge.Status) bool {
	job, workflow := a.alone.Getenv("GITHUB_JOB"), a.alone.Getenv("GITHUB_WORKFLOW")
	if job == "" || s.State != forge.StatusPending {
		return false
	}
	return s.Context == job || workflow != "" && strings.HasPrefix(s.Context, workflow+" / "+job)
}
