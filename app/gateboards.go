package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/release"
	"seaworthy/release/cut"
	rules "seaworthy/signal/verdict"
)

// boards reads the tabs of the dashboards that hold a release back, as the
// report on the signal reads them.
func (a *App) boards(ctx context.Context, p cut.Plan, project Project) *release.BoardFacts {
	g := project.Release.Gates.Dashboards
	facts := &release.BoardFacts{Names: g.Names, Runs: g.Runs}
	for _, board := range g.Names {
		for _, t := range onBoard(project, p, board) {
			tab, err := a.tab(ctx, p, t, g.Runs)
			if err != nil {
				facts.Failure = err.Error()
				return facts
			}
			facts.Tabs = append(facts.Tabs, tab)
		}
	}
	return facts
}

// blockingTab is a tab that holds a release back.
type blockingTab struct {
	board string
	tab   dashboard.Tab
	group dashboard.TestGroup
	name  string   // of the job
	job   *job.Job // nil if the results come from elsewhere
}

// onBoard lists the tabs of a dashboard that speak of the branch, as the commit
// configures them. Presubmits test changes and not the branch, and the jobs of
// another repository test that one: neither decides, here or in the report.
func onBoard(project Project, p cut.Plan, board string) []blockingTab {
	d, ok := project.Boards.Dashboard(board)
	if !ok {
		return nil
	}
	said := ReportJobs(project.Jobs)
	var all []blockingTab
	for _, tab := range d.Tabs {
		t := blockingTab{board: board, tab: tab, name: tab.TestGroup}
		t.group, ok = project.Boards.Group(tab.TestGroup)
		if prefixes := t.group.Prefixes(); ok && len(prefixes) > 0 {
			t.name = path.Base(prefixes[0])
		}
		j, known := said[t.name]
		if known && (j.Presubmit || j.Repo != "" && j.Repo != p.Repo.String()) {
			continue
		}
		runs := !known
		for _, found := range project.Jobs.Find(t.name) {
			if found.Type == job.Periodic || found.Type == job.Postsubmit && found.RunsOn(p.Branch) {
				t.job, runs = found, true
				break
			}
		}
		if runs {
			all = append(all, t)
		}
	}
	return all
}

// tab reads the newest results of a tab that are over, of commits that the
// release holds. A result that names no commit is of the job's own branch.
func (a *App) tab(ctx context.Context, p cut.Plan, t blockingTab, runs int) (release.Tab, error) {
	fail := func(err error) (release.Tab, error) {
		return release.Tab{}, fmt.Errorf("reading %s#%s: %w", t.board, t.tab.Name, err)
	}
	g, err := a.gateGrid(ctx, p, t)
	if err != nil {
		return fail(err)
	}
	clone, err := a.clone(ctx, p.Repo)
	if err != nil {
		return fail(err)
	}
	s := rules.Look(rules.Tab{Dashboard: t.board, Name: t.tab.Name, Job: t.name, Branch: p.Branch, Grid: g, Options: t.tab.Options(t.group)}, a.o.Now())
	out := boardTab(t.board, t.tab.Name, s, runs, func(commit string) bool {
		in, err := clone.IsAncestor(ctx, commit, p.Commit)
		return err == nil && in // else of another branch, or of a commit that is gone
	})
	if a.alone != nil {
		return out, ctx.Err()
	}
	out.Link = a.url + "/dashboards/" + url.PathEscape(t.board) + "/" + url.PathEscape(t.tab.Name)
	for i := range out.Runs {
		out.Runs[i].Link = out.Link
		if t.job != nil {
			out.Runs[i].Link = a.url + "/" + path.Join("runs", out.Runs[i].Build)
		}
	}
	return out, ctx.Err()
}

// errReading says that a tab cannot be judged yet.
var errReading = errors.New("its results are still being read: ask again in a while")

// gateGrid is the grid that a tab's page shows. Where the default branch knows
// no such tab, it is that of the job.
func (a *App) gateGrid(ctx context.Context, p cut.Plan, t blockingTab) (*grid.Grid, error) {
	g, shown, _, err := a.Signal.TabGrid(ctx, t.board, t.tab.Name)
	switch {
	case err == nil && shown.TestGroup == t.tab.TestGroup:
		if a.Signal.Reading(ctx, t.board, t.tab.Name) && len(g.Columns) == 0 {
			return nil, errReading
		}
		return g, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case t.job == nil:
		return nil, fmt.Errorf("the default branch shows no tab of this name with the results of %s: add it there", t.tab.TestGroup)
	}
	return a.Signal.Grid(ctx, p.Repo, t.name)
}

// boardTab is what a gate sees of a tab: its newest runs of commits that the
// release holds.
func boardTab(board, name string, s rules.Standing, runs int, held func(commit string) bool) release.Tab {
	t := release.Tab{Dashboard: board, Name: name, Blocking: true, Status: "no result"}
	for _, r := range s.Runs {
		if len(t.Runs) == runs {
			break
		}
		if r.Commit == "" || held(r.Commit) {
			t.Runs = append(t.Runs, release.TabRun{Build: r.Build, Green: r.Green, Commit: r.Commit, At: r.At})
		}
	}
	if len(t.Runs) == 0 {
		return t
	}
	t.Status = string(s.Status)
	if s.State == rules.Unknown {
		t.Doubt = s.Why
	}
	return t
}
