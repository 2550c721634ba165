package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/release/notes"
	"seaworthy/store"
)

// evidence is what releases are judged by, and where verdicts are kept.
type evidence struct{ a *App }

// Facts implements cut.Evidence, as the configuration of the very commit
// demands. A repository that stands alone has no results here: the forge's
// count.
func (e evidence) Facts(ctx context.Context, p cut.Plan) (release.Facts, error) {
	a := e.a
	project, err := a.Project(ctx, p.Repo, p.Commit)
	if err != nil {
		return release.Facts{}, err
	}
	var f release.Facts
	if f.Waivers, err = a.waivers(ctx, p.Repo); err != nil {
		return f, err
	}
	gates := project.Release.Gates
	if len(gates.Dashboards.Names) > 0 {
		f.Dashboards = a.boards(ctx, p, project)
	}
	if a.alone == nil {
		if f.Checks, err = a.green(ctx, p, project); err != nil {
			f.Checks = release.Look[release.Check](nil, err)
		}
		f.Blockers = release.Look(a.blockers(ctx, p, gates.Blockers))
		if len(gates.Exceptions.Labels) > 0 {
			f.Exceptions = release.Look(a.labelled(ctx, p.Repo, gates.Exceptions.Labels, ""))
		}
	} else {
		a.alone.facts(ctx, p, project, &f, a.labelled)
	}
	return f, a.changes(ctx, p, gates, &f)
}

// Record implements cut.Evidence.
func (e evidence) Record(ctx context.Context, f release.Facts, v release.Verdict, mock bool) error {
	inputs, err := json.Marshal(struct {
		Facts   release.Facts   `json:"facts"`
		Verdict release.Verdict `json:"verdict"`
		Mock    bool            `json:"mock,omitempty"`
	}{f, v, mock})
	if err != nil {
		return fmt.Errorf("recording the verdict on %s: %w", f.Version, err)
	}
	word := "NO-GO"
	if v.Go {
		word = "GO"
	}
	_, err = e.a.Store.RecordDecision(ctx, store.Decision{Kind: "go/no-go", Subject: f.Repo + " " + f.Version, Verdict: word,
		Reason: strings.Join(v.Reasons, "; "), Inputs: inputs, At: f.At})
	return err
}

// blockers are the open issues and changes that hold a release back.
func (a *App) blockers(ctx context.Context, p cut.Plan, b config.Blockers) ([]release.Blocker, error) {
	words := release.NewWords(p.Project.Name, p.Version(), p.Branch, p.Commit, p.Previous, p.CommitTime)
	return a.labelled(ctx, p.Repo, b.Labels, words.Fill(b.Milestone))
}

// labelled lists what is open and carries any of the labels, within a milestone
// if one is named; with a milestone alone, all that is open in it.
func (a *App) labelled(ctx context.Context, repo forge.RepoName, labels []string, milestone string) ([]release.Blocker, error) {
	var filters []forge.IssueFilter
	for _, l := range labels {
		filters = append(filters, forge.IssueFilter{Labels: []string{l}, Milestone: milestone})
	}
	if len(labels) == 0 && milestone != "" {
		filters = []forge.IssueFilter{{Milestone: milestone}}
	}
	seen := map[int]bool{}
	var open []release.Blocker
	for _, f := range filters {
		all, err := a.issues(ctx, repo, f)
		if err != nil {
			return nil, err
		}
		for _, i := range all {
			if !seen[i.Number] {
				open = append(open, release.Blocker{Number: i.Number, Title: i.Title, Link: i.HTMLURL})
			}
			seen[i.Number] = true
		}
	}
	slices.SortFunc(open, func(x, y release.Blocker) int { return x.Number - y.Number })
	return open, nil
}

// changes fills in what the changes since the last release say, where a gate
// asks for it.
func (a *App) changes(ctx context.Context, p cut.Plan, g config.Gates, f *release.Facts) error {
	freeze := g.Freeze.Covers(p.Branch)
	if g.Notes != "required" && !freeze {
		return nil
	}
	merged, err := a.merged(ctx, p)
	if g.Notes == "required" {
		f.Notes = release.Look(merged, err)
	}
	if !freeze {
		return nil
	}
	f.Freeze = &release.FreezeFacts{Label: g.Freeze.Label}
	if err != nil {
		f.Freeze.Failure = err.Error()
	}
	var ferr, uerr error
	f.Freeze.From, ferr = g.Freeze.Begin()
	f.Freeze.Until, uerr = g.Freeze.End()
	for _, c := range merged {
		if !c.MergedAt.Before(f.Freeze.From) {
			f.Freeze.Merged = append(f.Freeze.Merged, c)
		}
	}
	return errors.Join(ferr, uerr)
}

// Pull requests that are asked for at a time.
const pullLookups = 8

// merged lists the changes since the last release, newest first, with what
// their descriptions say of release notes. Commits that no pull request made
// have none to check.
func (a *App) merged(ctx context.Context, p cut.Plan) ([]release.MergedChange, error) {
	pulls := notes.Forge(a.Forge)
	if a.alone != nil {
		pulls = a.alone.forge.pulls
	}
	if pulls == nil {
		return nil, errNoPulls
	}
	clone, err := a.clone(ctx, p.Repo)
	if err != nil {
		return nil, err
	}
	span := p.Commit
	if p.Previous != "" {
		base, err := clone.MergeBase(ctx, "refs/tags/"+p.Previous, p.Commit)
		if err != nil {
			return nil, fmt.Errorf("finding where %s was: %w", p.Previous, err)
		}
		span = base + ".." + p.Commit
	}
	commits, err := clone.Log(ctx, span, git.LogOptions{FirstParent: true})
	if err != nil {
		return nil, fmt.Errorf("reading the changes since %s: %w", p.Previous, err)
	}
	found := make([]release.MergedChange, len(commits))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(pullLookups)
	for i, c := range commits {
		number, _ := notes.PullNumber(c.Message)
		if number == 0 {
			continue
		}
		g.Go(func() error {
			pr, err := pulls.PullRequest(ctx, p.Repo, number)
			if errors.Is(err, forge.ErrNotFound) || err == nil && !pr.Merged {
				return nil // the history comes from another forge
			}
			if err != nil {
				return fmt.Errorf("looking at #%d: %w", number, err)
			}
			found[i] = mergedChange(pr, c)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	seen := map[int]bool{}
	return slices.DeleteFunc(found, func(c release.MergedChange) bool {
		again := c.Number == 0 || seen[c.Number]
		seen[c.Number] = true
		return again
	}), nil
}

func mergedChange(pr forge.PullRequest, c git.Commit) release.MergedChange {
	m := release.MergedChange{Number: pr.Number, Title: pr.Title, Link: pr.HTMLURL, MergedAt: pr.MergedAt, Labels: pr.Labels}
	if m.MergedAt.IsZero() {
		m.MergedAt = c.Committer.Time
	}
	if v := notes.Check(pr.Body, pr.Labels); v.Outcome != notes.HasNote && v.Outcome != notes.NoneNeeded {
		m.NoteMissing = v.Why
	}
	return m
}

// green finds the newest results of the blocking jobs on the commit: as many in
// a row as the configuration asks for. A repository without any job has
// nothing to be judged by: nil.
func (a *App) green(ctx context.Context, p cut.Plan, project Project) (*release.Found[release.Check], error) {
	names := project.Release.Gates.Green
	if len(names) == 0 {
		for _, j := range project.Jobs.Postsubmits[p.Repo.String()] {
			if j.RunsOn(p.Branch) && j.Automatic() && !j.Optional {
				names = append(names, j.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	var checks []release.Check
	for _, name := range names {
		all, err := a.Runs.Executions(ctx, job.ExecutionFilter{Repo: p.Repo.String(), Job: name, SHA: p.Commit, Limit: 50})
		if err != nil {
			return nil, fmt.Errorf("reading the results of %s: %w", name, err)
		}
		all = slices.DeleteFunc(all, func(e job.Execution) bool { return e.State == job.Aborted })
		for i := range max(1, project.Release.Gates.Runs) {
			c := a.check(name, all, i)
			c.Get = "seaworthy run start --branch " + p.Branch
			checks = append(checks, c)
		}
	}
	return release.Look(checks, nil), nil
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
