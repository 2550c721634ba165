package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"seaworthy/release"
	"seaworthy/release/cut"
)

// Approve records a person's approval of a cut, if the configuration of the
// released commit gives them the role, and keeps by which rule it counts.
// The administrator, who holds the state folder and so could do anything, holds
// every role, and is recorded as what they are. Drive the run afterwards.
func (a *App) Approve(ctx context.Context, run, role, actor, why string) error {
	plan, known, err := a.Releases.CutPlan(ctx, run)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("run %s has not come to its approval yet", run)
	}
	if role, err = a.holdsRole(ctx, plan, role, actor); err != nil {
		return err
	}
	if err := a.Releases.Approve(ctx, run, role, actor, why); err != nil {
		return err
	}
	return a.recordSignOff(ctx, plan, run, release.SignOff{Role: role, By: actor, Commit: plan.Commit, Why: why, At: a.o.Now().UTC()})
}

// holdsRole returns the role as the configuration writes it, if the person
// holds it. Roles of one name have all the logins of their entries.
func (a *App) holdsRole(ctx context.Context, plan cut.Plan, role, actor string) (string, error) {
	project, err := a.Project(ctx, plan.Repo, plan.Commit)
	if err != nil {
		return "", err
	}
	written := ""
	var roles, logins []string
	for _, r := range project.Release.Gates.Approvals {
		roles = append(roles, r.Role)
		if strings.EqualFold(r.Role, role) {
			written, logins = r.Role, slices.Concat(logins, r.Logins)
		}
	}
	switch {
	case len(roles) == 0:
		return "", fmt.Errorf("%s asks for nobody's approval: release.gates.approvals is empty", plan.Version())
	case written == "":
		return "", fmt.Errorf("%s asks for no approval as %s: write one of %s", plan.Version(), role, strings.Join(roles, ", "))
	case contains(logins, actor), a.alone == nil && actor == AdminLogin:
		return written, nil
	}
	return "", fmt.Errorf("%s is no %s: the role belongs to %s", actor, role, strings.Join(logins, ", "))
}
