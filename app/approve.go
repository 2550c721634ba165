package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Approve records a person's approval of a cut, if the configuration of the
// released commit gives them the role. The administrator, who holds the state
// folder and so could do anything, holds every role, and is recorded as what
// they are. Drive the run afterwards.
func (a *App) Approve(ctx context.Context, run, role, actor, why string) error {
	plan, known, err := a.Releases.CutPlan(ctx, run)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("run %s has not come to its approval yet", run)
	}
	project, err := a.Project(ctx, plan.Repo, plan.Commit)
	if err != nil {
		return err
	}
	for _, r := range project.Release.Gates.Approvals {
		holds := slices.ContainsFunc(r.Logins, func(l string) bool { return strings.EqualFold(l, actor) })
		if strings.EqualFold(r.Role, role) && len(r.Logins) > 0 && !holds && (a.alone != nil || actor != AdminLogin) {
			return fmt.Errorf("%s is no %s: the role belongs to %s", actor, role, strings.Join(r.Logins, ", "))
		}
	}
	return a.Releases.Approve(ctx, run, role, actor, why)
}
