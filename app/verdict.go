package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/grid/history"
	"seaworthy/job"
	"seaworthy/signal/report"
	rules "seaworthy/signal/verdict"
	"seaworthy/triage"
)

// Reports answers for the signal of a repository.
func (a *App) Reports(repo forge.RepoName) *report.Service {
	o := report.Options{
		Repo: repo.String(), Grids: a.Signal, Now: a.o.Now, Key: triage.Normalise, World: world{a, repo},
		Settings: func(ctx context.Context) (report.Settings, error) { return a.signalSettings(ctx, repo) },
		Jobs:     func(ctx context.Context) (map[string]report.Job, error) { return a.signalJobs(ctx, repo) },
	}
	if a.Triage != nil {
		o.Clusters = a.Triage
	}
	return report.New(o)
}

// signalSettings are what the default branch's configuration says.
func (a *App) signalSettings(ctx context.Context, repo forge.RepoName) (report.Settings, error) {
	p, err := a.Project(ctx, repo, "")
	if errors.Is(err, forge.ErrNotFound) || errors.Is(err, git.ErrNotFound) { // nothing was pushed yet
		return report.Settings{Rules: rules.DefaultRules()}, nil
	}
	if err != nil {
		return report.Settings{}, err
	}
	return SignalSettings(p.Project)
}

// SignalSettings are a project's settings as the report reads them.
func SignalSettings(p config.Project) (report.Settings, error) {
	s := report.Settings{Rules: rules.DefaultRules()}
	r := &s.Rules
	r.DefaultBranch, r.ReleaseBranch = p.Project.DefaultBranch, p.Release.BranchPattern
	r.Greens, r.SameCommit, r.PassRate, r.InARow, r.Tolerated = p.Signal.Greens, p.Signal.SameCommit, p.Signal.PassRate, p.Signal.Failures, p.Signal.Issues.Tolerated
	var derr, ierr error
	r.Duration, derr = config.Durations(p.Signal.Duration)
	r.Interval, ierr = config.Durations(p.Signal.Interval)
	for _, b := range p.Signal.Dashboards {
		for _, name := range b.Blocking {
			s.Boards = append(s.Boards, rules.Board{Dashboard: name, Branch: b.Branch, Blocking: true})
		}
		for _, name := range b.Informing {
			s.Boards = append(s.Boards, rules.Board{Dashboard: name, Branch: b.Branch})
		}
	}
	for _, o := range p.Signal.Owners {
		s.Owners = append(s.Owners, report.Owner{Pattern: o.Match, Owner: o.Owner})
	}
	return s, errors.Join(derr, ierr)
}

// signalJobs are the jobs of every repository by name; of two with one name that
// of the repository asked about counts.
func (a *App) signalJobs(ctx context.Context, repo forge.RepoName) (map[string]report.Job, error) {
	repos, err := a.Repos(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]report.Job{}
	for _, r := range append(slices.DeleteFunc(repos, func(r forge.RepoName) bool { return r == repo }), repo) {
		jobs, err := a.jobs(ctx, r, "")
		if errors.Is(err, forge.ErrNotFound) || errors.Is(err, git.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for name, j := range ReportJobs(jobs) {
			if j.Repo == "" {
				j.Repo = r.String()
			}
			all[name] = j
		}
	}
	return all, nil
}

// Annotations that a job says who and what it is by.
const (
	annotationDescription = "description"
	annotationMail        = "testgrid-alert-email"
	annotationInforming   = "informing"
)

// ReportJobs are jobs as the report reads them, by name.
func ReportJobs(c job.Config) map[string]report.Job {
	all := map[string]report.Job{}
	for _, j := range c.All() {
		r := report.Job{
			Repo: j.Repo, Presubmit: j.Type == job.Presubmit, Informing: j.Optional || j.Annotations[annotationInforming] == "true",
			Description: j.Annotations[annotationDescription],
		}
		for m := range strings.SplitSeq(j.Annotations[annotationMail], ",") {
			if m = strings.TrimSpace(m); m != "" {
				r.Mails = append(r.Mails, m)
			}
		}
		switch {
		case j.Type == job.Periodic && len(j.ExtraRefs) > 0:
			r.Repo, r.Branch = j.ExtraRefs[0].Org+"/"+j.ExtraRefs[0].Repo, j.ExtraRefs[0].BaseRef
		case len(j.Branches) == 1:
			r.Branch = literal(j.Branches[0])
		}
		if old, twice := all[j.Name]; !twice || old.Presubmit {
			all[j.Name] = r
		}
	}
	return all
}

// literal is the one branch that an expression matches; empty for several.
func literal(expression string) string {
	name := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(expression, "^"), "$"), `\.`, ".")
	if strings.ContainsAny(name, `*+?()[]{}|\^$`) {
		return ""
	}
	return name
}

// world is what a repository's forge and history know.
type world struct {
	a    *App
	repo forge.RepoName
}

// Issues implements report.World.
func (w world) Issues(ctx context.Context) ([]rules.Issue, error) {
	p, err := w.a.Project(ctx, w.repo, "")
	if errors.Is(err, forge.ErrNotFound) || errors.Is(err, git.ErrNotFound) {
		return nil, nil // nothing was pushed yet
	}
	if err != nil {
		return nil, err
	}
	seen := map[int]bool{}
	var all []rules.Issue
	for _, l := range p.Signal.Issues.Labels {
		found, err := w.a.issues(ctx, w.repo, forge.IssueFilter{Labels: []string{l}})
		if err != nil {
			return nil, fmt.Errorf("reading the issues labelled %s: %w", l, err)
		}
		for _, i := range found {
			if seen[i.Number] {
				continue
			}
			seen[i.Number] = true
			all = append(all, rules.Issue{Number: i.Number, Title: i.Title, Body: i.Body, Link: i.HTMLURL, Labels: i.Labels})
		}
	}
	slices.SortFunc(all, func(x, y rules.Issue) int { return x.Number - y.Number })
	return all, nil
}

// Commits that are listed at most: more are no suspects, but a gap in results.
const mostSuspects = 100

// Commits implements report.World.
func (w world) Commits(ctx context.Context, repo, after, upTo string) ([]history.Commit, error) {
	if repo != "" && repo != w.repo.String() {
		return nil, fmt.Errorf("they are in %s", repo)
	}
	clone, err := w.a.clone(ctx, w.repo)
	if err != nil {
		return nil, err
	}
	commits, err := clone.Log(ctx, after+".."+upTo, git.LogOptions{FirstParent: true, Max: mostSuspects})
	if err != nil {
		return nil, err
	}
	return w.shown(commits), nil
}

func (w world) shown(commits []git.Commit) []history.Commit {
	all := []history.Commit{}
	for _, c := range commits {
		h := history.Commit{SHA: c.SHA, Subject: c.Subject(), Message: c.Message, Author: c.Author.Name, At: c.Committer.Time, Pull: history.PullOf(c.Subject())}
		if n, err := strconv.Atoi(h.Pull); err == nil {
			h.Link = fmt.Sprintf("/%s/pull/%d", w.repo, n)
		}
		all = append(all, h)
	}
	return all
}

// How far back fixes are looked for.
const fixesWithin = 90 * 24 * time.Hour

// Fixes implements report.World: by what commits say, see history.PickedIn.
func (w world) Fixes(ctx context.Context, repo string, issues []int, branches []string) ([]history.Fix, error) {
	if repo != "" && repo != w.repo.String() {
		return nil, fmt.Errorf("the history is in %s", repo)
	}
	p, err := w.a.Project(ctx, w.repo, "")
	if err != nil {
		return nil, err
	}
	clone, err := w.a.clone(ctx, w.repo)
	if err != nil {
		return nil, err
	}
	main, err := clone.Log(ctx, p.Project.Project.DefaultBranch, git.LogOptions{FirstParent: true, Max: 5000})
	if err != nil {
		return nil, err
	}
	since := w.a.o.Now().Add(-fixesWithin)
	main = slices.DeleteFunc(main, func(c git.Commit) bool { return c.Committer.Time.Before(since) })
	own := map[string][]history.Commit{}
	for _, b := range branches {
		commits, err := clone.Log(ctx, p.Project.Project.DefaultBranch+".."+b, git.LogOptions{Max: 5000})
		if err != nil {
			return nil, fmt.Errorf("reading what %s has: %w", b, err)
		}
		own[b] = w.shown(commits)
	}
	var failed error
	fixes := history.Fixes(issues, w.shown(main), own, func(branch, sha string) bool {
		held, err := clone.IsAncestor(ctx, sha, branch)
		failed = errors.Join(failed, err)
		return held
	})
	return fixes, failed
}
