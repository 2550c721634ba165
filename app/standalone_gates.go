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

// Why nobody can know here what a gate asks for, and what to do.
var (
	errNoResults = errors.New("the bucket holds no results of the jobs there: name the one they go to with --bucket, serve the repository with seaworthy up, or " + lookAndWaive)
	errNoIssues  = errors.New("a folder has no issues: " + lookAndWaive)
	errNoChecks  = errors.New("a folder knows no checks of a commit: " + lookAndWaive)
	errNoPulls   = errors.New("a folder knows no pull requests: " + lookAndWaive)
)

const lookAndWaive = "look for yourself, and waive it with seaworthy release waive"

// labelled lists what is open and labelled; see App.labelled.
type labelled func(ctx context.Context, repo forge.RepoName, labels []string, milestone string) ([]release.Blocker, error)

// facts are those that can be had without a platform: what the forge says of the
// commit, its issues, and results that lie in the bucket. What nobody can know here is a failure to look where
// the configuration demands it, and else not asked for.
func (s *alone) facts(ctx context.Context, p cut.Plan, project Project, f *release.Facts, open labelled) {
	gates := project.Release.Gates
	f.Checks = s.checks(ctx, p, gates.Green)
	if d := f.Dashboards; d != nil && d.Failure == "" && !slices.ContainsFunc(d.Tabs, func(t release.Tab) bool { return len(t.Runs) > 0 }) {
		d.Failure = errNoResults.Error()
	}
	switch {
	case s.forge.tracker == nil && len(gates.Exceptions.Labels) > 0:
		f.Exceptions = release.Look[release.Blocker](nil, errNoIssues)
	case len(gates.Exceptions.Labels) > 0:
		f.Exceptions = release.Look(open(ctx, p.Repo, gates.Exceptions.Labels, ""))
	}
	switch {
	case s.forge.tracker == nil && demandsBlockers(gates.Blockers):
		f.Blockers = release.Look[release.Blocker](nil, errNoIssues)
	case s.forge.tracker != nil:
		words := release.NewWords(p.Project.Name, p.Version(), p.Branch, p.Commit, p.Previous, p.CommitTime)
		f.Blockers = release.Look(open(ctx, p.Repo, gates.Blockers.Labels, words.Fill(gates.Blockers.Milestone)))
	}
}

// demandsBlockers reports whether somebody wrote down what blocks a release. The
// defaults demand nothing of a place that has no issues.
func demandsBlockers(b config.Blockers) bool {
	return b.Lines.Has("labels") && len(b.Labels) > 0 || b.Milestone != ""
}

// checks are the contexts that the configuration names or, if it names none, all
// that the forge knows of for the commit. Nil says that nothing is demanded and
// nothing known.
func (s *alone) checks(ctx context.Context, p cut.Plan, demanded []string) *release.Found[release.Check] {
	var known []forge.Status
	if s.forge.checks == nil && len(demanded) > 0 {
		return release.Look[release.Check](nil, errNoChecks)
	}
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
