package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/store"
)

// Kinds of decisions about releases.
const (
	decidedWaiver  = "waiver"
	decidedSignOff = "sign-off"
)

// ErrNotAllowed: the person does not hold the role that it takes.
var ErrNotAllowed = errors.New("not allowed")

// Waive lets a gate pass, in a person's name, until a time. The person must
// hold a role that may waive, by the configuration of the default branch as it
// is now; the administrator may, too. The waiver is kept as a decision, with
// the rule it was allowed by.
func (a *App) Waive(ctx context.Context, repo forge.RepoName, w release.Waiver) (release.Waiver, error) {
	w.From = a.o.Now().UTC()
	project, err := a.Project(ctx, repo, "")
	if err != nil {
		return w, err
	}
	gates := project.Release.Gates
	if w.Role, err = a.mayWaive(gates, w.By); err != nil {
		return w, err
	}
	if err := w.Validate(); err != nil {
		return w, err
	}
	inputs, err := json.Marshal(struct {
		Waiver    release.Waiver    `json:"waiver"`
		Roles     []string          `json:"roles"`
		Approvals map[string]string `json:"holders"`
	}{w, gates.Waivers, holders(gates)})
	if err != nil {
		return w, fmt.Errorf("recording the waiver of %s: %w", w.Gate, err)
	}
	_, err = a.Store.RecordDecision(ctx, store.Decision{Kind: decidedWaiver, Subject: repo.String(), Verdict: w.Gate, Reason: w.Why, Inputs: inputs, At: w.From})
	return w, err
}

// holders are the people of each role, for the record.
func holders(g config.Gates) map[string]string {
	out := map[string]string{}
	for _, r := range g.Approvals {
		out[r.Role] = strings.TrimPrefix(out[r.Role]+" "+strings.Join(r.Logins, " "), " ")
	}
	return out
}

// mayWaive returns the role in which a person may waive a gate.
func (a *App) mayWaive(g config.Gates, login string) (string, error) {
	var who []string
	for _, r := range g.Approvals {
		if len(g.Waivers) > 0 && !slices.ContainsFunc(g.Waivers, func(role string) bool { return strings.EqualFold(role, r.Role) }) {
			continue
		}
		if contains(r.Logins, login) {
			return r.Role, nil
		}
		who = append(who, r.Role+" ("+strings.Join(r.Logins, ", ")+")")
	}
	if a.alone == nil && login == AdminLogin {
		return "administrator", nil
	}
	if a.alone != nil && len(g.Approvals) == 0 {
		return "keeper of the clone", nil // who may do anything with it
	}
	if len(who) == 0 {
		who = []string{"the administrator alone, since release.gates.approvals names no role"}
	}
	return "", fmt.Errorf("%s is %w to waive a gate: that may %s", login, ErrNotAllowed, strings.Join(who, ", "))
}

func contains(logins []string, login string) bool {
	return slices.ContainsFunc(logins, func(l string) bool { return strings.EqualFold(l, login) })
}

// waivers lists all waivers of a repository, those that are over as well.
func (a *App) waivers(ctx context.Context, repo forge.RepoName) ([]release.Waiver, error) {
	all, err := a.Store.Decisions(ctx, decidedWaiver, repo.String(), 0)
	if err != nil {
		return nil, err
	}
	var waivers []release.Waiver
	for _, d := range all {
		var in struct {
			Waiver release.Waiver `json:"waiver"`
		}
		if err := json.Unmarshal(d.Inputs, &in); err != nil {
			return nil, fmt.Errorf("reading waiver %d of %s: %w", d.ID, repo, err)
		}
		waivers = append(waivers, in.Waiver)
	}
	return waivers, nil
}

// Waivers lists the waivers of a repository, newest first; without over only
// those that still count.
func (a *App) Waivers(ctx context.Context, repo forge.RepoName, over bool) ([]release.Waiver, error) {
	all, err := a.waivers(ctx, repo)
	now := a.o.Now()
	return slices.DeleteFunc(all, func(w release.Waiver) bool { return !over && !now.Before(w.Until) }), err
}

// Verdicts lists what was decided about a version, newest first, with the facts
// each verdict follows from.
func (a *App) Verdicts(ctx context.Context, repo forge.RepoName, version string) ([]store.Decision, error) {
	return a.Store.Decisions(ctx, "go/no-go", repo.String()+" "+version, 0)
}

// SignOff records that a person who holds a role signs off a commit, before its
// release is cut: the cut does not ask again.
func (a *App) SignOff(ctx context.Context, p cut.Plan, role, actor, why string) error {
	role, err := a.holdsRole(ctx, p, role, actor)
	if err != nil {
		return err
	}
	return a.recordSignOff(ctx, p, "", release.SignOff{Role: role, By: actor, Commit: p.Commit, Why: why, At: a.o.Now().UTC()})
}

// recordSignOff keeps a person's word and by which rule it counts.
func (a *App) recordSignOff(ctx context.Context, p cut.Plan, run string, o release.SignOff) error {
	project, err := a.Project(ctx, p.Repo, p.Commit)
	if err != nil {
		return err
	}
	inputs, err := json.Marshal(struct {
		SignOff release.SignOff   `json:"sign_off"`
		Version string            `json:"version"`
		Run     string            `json:"run,omitempty"`
		Holders map[string]string `json:"holders"`
	}{o, p.Version().String(), run, holders(project.Release.Gates)})
	if err != nil {
		return fmt.Errorf("recording a sign-off: %w", err)
	}
	_, err = a.Store.RecordDecision(ctx, store.Decision{Kind: decidedSignOff, Subject: p.Repo.String(), Verdict: o.Role,
		Reason: o.By + " for " + p.Version().String() + " at " + o.Commit, Inputs: inputs, At: o.At})
	return err
}

// SignOffs implements cut.Evidence.
func (e evidence) SignOffs(ctx context.Context, repo forge.RepoName) ([]release.SignOff, error) {
	all, err := e.a.Store.Decisions(ctx, decidedSignOff, repo.String(), 0)
	if err != nil {
		return nil, err
	}
	var given []release.SignOff
	for _, d := range all {
		var in struct {
			SignOff release.SignOff `json:"sign_off"`
		}
		if err := json.Unmarshal(d.Inputs, &in); err != nil {
			return nil, fmt.Errorf("reading sign-off %d of %s: %w", d.ID, repo, err)
		}
		given = append(given, in.SignOff)
	}
	return given, nil
}
