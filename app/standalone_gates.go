package app

import (
	"context"
	"errors"
	"slices"
	"strings"

	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// errNoPlatform is why nobody can know what a gate asks for.
var errNoPlatform = errors.New("no platform keeps the results of jobs here: name the checks of the forge in release.gates.green, or serve the repository with seaworthy up")

// errNoIssues is why a folder does not know.
var errNoIssues = errors.New("a folder has no issues")

// labelled lists what is open and labelled; see App.labelled.
type labelled func(ctx context.Context, repo forge.RepoName, labels []string, milestone string) ([]release.Blocker, error)

// facts are those that can be had without a platform: what the forge says of the
// commit, and its issues. What nobody can know here is a failure to look where
// the configuration demands it, and else not asked for.
func (s *alone) facts(ctx context.Context, p cut.Plan, project Project, f *release.Facts, open labelled) {
	gates := project.Release.Gates
	f.Checks = s.checks(ctx, p, gates.Green)
	if len(gates.Dashboards.Names) > 0 {
		f.Dashboards = &release.BoardFacts{Names: gates.Dashboards.Names, Runs: gates.Dashboards.Runs, Failure: errNoPlatform.Error()}
	}
	switch {
	case s.forge.tracker == nil && len(gates.Exceptions.Labels) > 0:
		f.Exceptions = release.Look[release.Blocker](nil, errNoIssues)
	case len(gates.Exceptions.Labels) > 0:
		f.Exceptions = release.Look(open(ctx, p.Repo, gates.Exceptions.Labels, ""))
	}
	if s.forge.tracker != nil {
		words := release.NewWords(p.Project.Name, p.Version(), p.Branch, p.Commit, p.Previous, p.CommitTime)
		f.Blockers = release.Look(open(ctx, p.Repo, gates.Blockers.Labels, words.Fill(gates.Blockers.Milestone)))
	}
}

// checks are the contexts that the configuration names or, if it names none, all
// that the forge knows of for the commit. Nil says that nothing is demanded and
// nothing known.
func (s *alone) checks(ctx context.Context, p cut.Plan, demanded []string) *release.Found[release.Check] {
	var known []forge.Status
	if s.forge.checks != nil {
		var err error
		if known, err = s.forge.checks.Statuses(ctx, p.Repo, p.Commit); err != nil {
			return release.Look[release.Check](nil, err)
		}
	}
	known = slices.DeleteFunc(known, s.itself)
	names := demanded
	if len(names) == 0 {
		for _, st := range known {
			// The configuration of the platform is judged by reading it.
			if st.Context != config.Name {
				names = append(names, st.Context)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	var checks []release.Check
	for _, name := range names {
		c := release.Check{Name: name, Required: true, State: "missing"}
		// Forges put the workflow before the name of a check: "CI / test (push)".
		i := slices.IndexFunc(known, func(st forge.Status) bool { return st.Context == name })
		if i < 0 {
			i = slices.IndexFunc(known, func(st forge.Status) bool {
				return strings.HasSuffix(st.Context, " / "+name) || strings.Contains(st.Context, " / "+name+" (")
			})
		}
		if i >= 0 {
			c.State, c.Link, c.At = string(known[i].State), known[i].TargetURL, known[i].CreatedAt
		}
		checks = append(checks, c)
	}
	return release.Look(checks, nil)
}

// itself reports whether a check is the job that this very program runs in,
// which is pending for as long as it waits for itself.
func (s *alone) itself(st forge.Status) bool {
	job, workflow := s.Getenv("GITHUB_JOB"), s.Getenv("GITHUB_WORKFLOW")
	if job == "" || st.State != forge.StatusPending {
		return false
	}
	return st.Context == job || workflow != "" && strings.HasPrefix(st.Context, workflow+" / "+job)
}

// issues lists issues at the forge that releases go to.
func (a *App) issues(ctx context.Context, repo forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error) {
	if a.alone != nil {
		return a.alone.forge.tracker.Issues(ctx, repo, f)
	}
	return a.Forge.Issues(ctx, repo, f)
}
