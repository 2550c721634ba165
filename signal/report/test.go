package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"seaworthy/grid"
	"seaworthy/grid/history"
	"seaworthy/signal/verdict"
)

// Test is all that is known of a test, and what is known around it.
type Test struct {
	history.Test
	Owner string `json:"owner,omitempty"`
	// Cluster is the id of what its newest failure has in common with others.
	Cluster string `json:"cluster,omitempty"`
	// Issues are the open ones that name it.
	Issues []verdict.Issue `json:"issues"`
	// Suspects are the commits after the last good and up to the first bad run of
	// the break that began last, newest first.
	Suspects []history.Commit `json:"suspects"`
	// Fixes are changes of the default branch that name its issues.
	Fixes []history.Fix `json:"fixes"`
	// Missing says what could not be found out, and why.
	Missing []string `json:"missing,omitempty"`
}

// each calls f with the grid of every test group once, as the first tab that
// shows it has it; a few at a time, so f must be ready for that. Grids of which
// it is known that none of their rows matches may be left out.
func (s *Service) each(ctx context.Context, v *view, match func(name string, failed bool) bool, f func(tab, *grid.Grid)) error {
	holds := func(dash, tab string) bool { return true }
	if x, ok := s.o.Grids.(Index); ok {
		var err error
		if holds, err = x.Holding(ctx, match); err != nil {
			return fmt.Errorf("looking for tests: %w", err)
		}
	}
	seen := map[string]bool{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, t := range v.tabs {
		if seen[t.group.Name] {
			continue
		}
		seen[t.group.Name] = true
		if !holds(t.dashboard, t.tab.Name) {
			continue
		}
		g.Go(func() error {
			read, _, _, err := s.o.Grids.TabGrid(ctx, t.dashboard, t.tab.Name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading %s of %s: %w", t.tab.Name, t.dashboard, err)
			}
			f(t, read)
			return nil
		})
	}
	return g.Wait()
}

func (v *view) source(t tab) history.Source {
	return history.Source{
		Repo: t.job.Repo, Job: t.name, Presubmit: t.job.Presubmit, Branch: v.branch(t), Dashboard: t.dashboard, Tab: t.tab.Name, Owner: t.owner(), Folder: t.folder,
	}
}

// gather collects the series of a test, and the names that may be the same.
func (s *Service) gather(ctx context.Context, v *view, name string) ([]history.Series, []history.OtherName, error) {
	var mu sync.Mutex
	var all []history.Series
	others := map[string][]string{}
	same := func(row string, _ bool) bool { return row == name || history.SameTest(row, name) }
	err := s.each(ctx, v, same, func(t tab, g *grid.Grid) {
		series, found := history.From(g, v.source(t), name)
		var alike []string
		for _, r := range g.Rows {
			if history.SameTest(r.Name, name) {
				alike = append(alike, r.Name)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if found {
			all = append(all, series)
		}
		others[t.name] = append(others[t.name], alike...)
	})
	return all, history.OtherNames(name, others), err
}

// Test returns everything about a test. Where no job has a row of the very name,
// and only one other name may be the same, that one is shown. The error wraps
// fs.ErrNotExist where there is nothing to show.
func (s *Service) Test(ctx context.Context, name string) (Test, error) {
	v, err := s.view(ctx)
	if err != nil {
		return Test{}, err
	}
	all, others, err := s.gather(ctx, v, name)
	if err != nil {
		return Test{}, err
	}
	if len(all) == 0 && len(others) == 1 {
		name = others[0].Name
		if all, others, err = s.gather(ctx, v, name); err != nil {
			return Test{}, err
		}
	}
	if len(all) == 0 {
		return Test{Test: history.Test{Name: name, OtherNames: others}}, fmt.Errorf("no job has results of a test %q: %w", name, fs.ErrNotExist)
	}
	t := Test{Test: history.Of(name, all, history.Options{}), Issues: []verdict.Issue{}, Suspects: []history.Commit{}, Fixes: []history.Fix{}}
	t.OtherNames = others
	t.Owner = testOwner(name)
	if t.Owner == "" && len(t.Jobs) > 0 {
		t.Owner = t.Jobs[0].Owner
	}
	return t, s.around(ctx, v, &t)
}

var sigInName = regexp.MustCompile(`\[(sig-[a-z][a-z-]*)\]`)

// testOwner is the SIG that a test's name names, [sig-node].
func testOwner(name string) string {
	if m := sigInName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// around finds what goes with a test: its cluster, issues, commits, fixes. What
// cannot be found out is told in Missing.
func (s *Service) around(ctx context.Context, v *view, t *Test) error {
	lack := func(what string, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.Missing = append(t.Missing, fmt.Sprintf("%s: %v", what, err))
		return nil
	}
	if s.o.Clusters != nil {
		if err := s.cluster(ctx, t); err != nil {
			if err = lack("the cluster of its failures", err); err != nil {
				return err
			}
		}
	}
	if s.o.World == nil {
		return nil
	}
	issues, err := s.o.World.Issues(ctx)
	if err != nil {
		if err := lack("the issues about it", err); err != nil {
			return err
		}
	}
	for _, i := range issues {
		if i.About(t.Name) {
			t.Issues = append(t.Issues, i)
		}
	}
	if bad := t.FirstBad; bad != nil && bad.LastGood != nil && bad.LastGood.Commit != "" && bad.FirstBad.Commit != "" {
		if t.Suspects, err = s.o.World.Commits(ctx, bad.Repo, bad.LastGood.Commit, bad.FirstBad.Commit); err != nil {
			if err := lack("the commits in question", err); err != nil {
				return err
			}
		}
	}
	return s.fixes(ctx, v, t, lack)
}

func (s *Service) cluster(ctx context.Context, t *Test) error {
	for _, l := range t.Jobs {
		for _, r := range l.Recent {
			if !r.Outcome.Failing() {
				continue
			}
			id, ok, err := s.o.Clusters.Of(ctx, buildPath(l.Source, r), l.Name)
			if err != nil {
				return err
			}
			if ok {
				t.Cluster = id
				return nil
			}
			break // older failures of the job are less likely to be of this cause
		}
	}
	return nil
}

// buildPath is where the results of a build lie, in Prow's layout.
func buildPath(s history.Source, r history.Result) string {
	if !s.Presubmit {
		return path.Join(s.Folder, r.Build)
	}
	bucket, _, _ := strings.Cut(s.Folder, "pr-logs/")
	return path.Join(bucket, "pr-logs/pull", strings.ReplaceAll(s.Repo, "/", "_"), r.Pull, s.Job, r.Build)
}

// fixes asks for changes that name the test's issues and are missing on a release
// branch where it does not pass.
func (s *Service) fixes(ctx context.Context, v *view, t *Test, lack func(string, error) error) error {
	var numbers []int
	for _, i := range t.Issues {
		numbers = append(numbers, i.Number)
	}
	byRepo := map[string][]string{}
	for _, b := range t.Branches {
		if b.Branch != v.settings.Rules.DefaultBranch && (b.State == history.Broken || b.State == history.Flaky) {
			byRepo[b.Repo] = append(byRepo[b.Repo], b.Branch)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	for _, b := range t.Branches {
		branches, ok := byRepo[b.Repo]
		if !ok {
			continue
		}
		delete(byRepo, b.Repo)
		found, err := s.o.World.Fixes(ctx, b.Repo, numbers, branches)
		if err != nil {
			if err := lack("fixes that await a pick", err); err != nil {
				return err
			}
			continue
		}
		t.Fixes = append(t.Fixes, found...)
	}
	return nil
}

// Found is a test that answers a search.
type Found struct {
	Name  string        `json:"name"`
	Jobs  int           `json:"jobs"`
	State history.State `json:"state"` // the worst of its jobs
	Fails int           `json:"fails"` // in the newest runs of all of them
}

// Search finds tests by their names: words that all occur, the nearest first, at
// most limit, and says how many there are. An empty search finds those that do
// not pass.
func (s *Service) Search(ctx context.Context, words string, limit int) ([]Found, int, error) {
	v, err := s.view(ctx)
	if err != nil {
		return nil, 0, err
	}
	hits, err := s.hits(ctx, v, words)
	if err != nil {
		return nil, 0, err
	}
	ranks := map[string]int{}
	var found []Found
	for name, h := range hits {
		t := history.Of(name, h.series, history.Options{})
		if words == "" && t.State == history.Passing {
			continue
		}
		ranks[name] = h.rank
		found = append(found, Found{Name: name, Jobs: len(h.series), State: t.State, Fails: t.Fails})
	}
	slices.SortFunc(found, func(x, y Found) int {
		return cmp.Or(ranks[x.Name]-ranks[y.Name], worst(x.State)-worst(y.State), y.Fails-x.Fails, strings.Compare(x.Name, y.Name))
	})
	return found[:min(limit, len(found))], len(found), nil
}

type hit struct {
	rank   int
	series []history.Series
}

// hits are the tests that answer a search, with their series in every job.
func (s *Service) hits(ctx context.Context, v *view, words string) (map[string]*hit, error) {
	var mu sync.Mutex
	hits := map[string]*hit{}
	answers := func(row string, failed bool) bool {
		if words == "" {
			return failed
		}
		_, ok := history.Match(row, words)
		return ok
	}
	err := s.each(ctx, v, answers, func(_ tab, g *grid.Grid) {
		for _, r := range g.Rows {
			rank, ok := history.Match(r.Name, words)
			if words == "" { // a build as a whole is no test
				ok = failed(r) && r.Name != g.Overall()
			}
			if !ok {
				continue
			}
			mu.Lock()
			hits[r.Name] = &hit{rank: rank}
			mu.Unlock()
		}
	})
	if err != nil || len(hits) == 0 {
		return hits, err
	}
	found := func(row string, _ bool) bool { return hits[row] != nil }
	err = s.each(ctx, v, found, func(t tab, g *grid.Grid) {
		for _, r := range g.Rows {
			h := hits[r.Name]
			if h == nil {
				continue
			}
			series, _ := history.From(g, v.source(t), r.Name)
			mu.Lock()
			h.series = append(h.series, series)
			mu.Unlock()
		}
	})
	return hits, err
}

// failed reports whether any run of a row failed, by runs of equal cells.
func failed(r *grid.Row) bool {
	return slices.ContainsFunc(r.Runs, func(run grid.Run) bool { return run.Status.Failing() || run.Status == grid.Flake })
}

func worst(s history.State) int {
	return slices.Index([]history.State{history.Broken, history.Flaky, history.Unknown, history.Passing}, s)
}

func tabLink(dash, name string) string {
	return "/dashboards/" + url.PathEscape(dash) + "/" + url.PathEscape(name)
}
