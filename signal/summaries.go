package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
)

// TabSummary is one tab of a dashboard in a few words.
type TabSummary struct {
	Dashboard   string `json:"dashboard"`
	Tab         string `json:"tab"`
	Description string `json:"description,omitempty"`
	// TestGroup is what the tab looks at, Job the job whose builds these are.
	TestGroup string       `json:"test_group"`
	Job       string       `json:"job,omitempty"`
	Summary   grid.Summary `json:"summary"`
	// LastRun is when the newest build began, zero if there is none; Updated is
	// when its results changed last.
	LastRun time.Time `json:"last_run,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
	// Recent are the verdicts on the newest builds, newest first, at most 20.
	Recent []grid.Outcome `json:"recent,omitempty"`
	// Repo and Type are those of a job of this platform.
	Repo forge.RepoName `json:"repo,omitzero"`
	Type job.Type       `json:"type,omitempty"`
	// Reading is true while the results have not been read yet.
	Reading bool `json:"reading,omitempty"`
	// Problem says why they could not be read.
	Problem string `json:"problem,omitempty"`
}

// sparks is how many outcomes a summary has.
const sparks = 20

// summaries are those of all tabs, by dashboard and tab as they are written.
type summaries struct {
	mu    sync.Mutex
	board *board
	tabs  map[tabKey]keptSummary
	// dirty are the dashboards of which the cache does not have the newest;
	// loaded those that were looked for in the cache.
	dirty, loaded map[string]bool
}

type tabKey struct{ dashboard, tab string }

// keptSummary is a summary without what depends on the time.
type keptSummary struct {
	Print string     `json:"print"`
	Tab   TabSummary `json:"tab"`
}

func (m *summaries) init() {
	m.tabs, m.dirty, m.loaded = map[tabKey]keptSummary{}, map[string]bool{}, map[string]bool{}
}

func (m *summaries) configure(b *board) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.board = b
}

// update summarises every tab that looks at a group.
func (m *summaries) update(id string, snap *snapshot, now time.Time) {
	m.mu.Lock()
	b := m.board
	m.mu.Unlock()
	if b == nil {
		return
	}
	for _, v := range b.views[id] {
		kept := keptSummary{v.print, v.summarize(snap, now)}
		m.mu.Lock()
		m.tabs[v.key()] = kept
		m.dirty[v.dashboard] = true
		m.mu.Unlock()
	}
}

// lacks reports whether a tab that looks at a group has no summary of its results
// as they were made at a time.
func (m *summaries) lacks(id string, made time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.board == nil {
		return false
	}
	for _, v := range m.board.views[id] {
		if t := m.tabs[v.key()]; t.Print != v.print || t.Tab.Updated.Before(made) {
			return true
		}
	}
	return false
}

// summed reports whether all tabs that look at a group are summed up, as their
// results were made at a time. What is said of days changes with each day.
func (s *Service) summed(ctx context.Context, id string, made time.Time) bool {
	s.summaries.mu.Lock()
	b := s.summaries.board
	s.summaries.mu.Unlock()
	if b == nil {
		return true
	}
	for _, v := range b.views[id] {
		if v.options.Health > 0 {
			return false
		}
		if p, ok := b.find(v.dashboard); ok {
			s.recall(ctx, p)
		}
	}
	return !s.summaries.lacks(id, made)
}

// recall reads the kept summaries of a dashboard, if that has not been done.
func (s *Service) recall(ctx context.Context, p *panel) {
	if err := s.summaries.load(ctx, s.o.Cache, p); err != nil {
		s.o.Log.Warn("kept summaries are made anew", "dashboard", p.name, "error", err)
	}
}

func (v *view) key() tabKey { return tabKey{v.dashboard, v.tab.Name} }

// blank is what is known of a tab without its results.
func (v *view) blank() TabSummary {
	return TabSummary{
		Dashboard: v.dashboard, Tab: v.tab.Name, Description: v.tab.Description, TestGroup: v.tab.TestGroup, Job: v.group.name,
		Repo: v.group.repo, Type: v.group.kind, Summary: grid.Summarize(grid.New(v.group.name), grid.Options{}, time.Time{}),
	}
}

// summarize sums a tab up, but for whether it is stale: see stale.
func (v *view) summarize(snap *snapshot, now time.Time) TabSummary {
	t := v.blank()
	o := v.options
	o.StaleAfter = 0
	t.Summary, t.Updated = grid.Summarize(snap.grid, o, now), snap.made
	if len(snap.grid.Columns) > 0 {
		t.LastRun = snap.grid.Columns[0].Started
	}
	if row := snap.grid.Row(snap.grid.Overall()); row != nil {
		for _, run := range row.Runs {
			for range min(run.Count, sparks-len(t.Recent)) {
				t.Recent = append(t.Recent, run.Status)
			}
		}
	}
	return t
}

// stale adds what depends on the time that has passed.
func (v *view) stale(t TabSummary, now time.Time) TabSummary {
	if v.options.StaleAfter > 0 {
		t.Summary = t.Summary.Aged(v.options, now)
	}
	return t
}

// Summaries returns the tabs of a dashboard in a few words, in their order. A
// tab that has no summary yet is read first; what is not read within
// Options.Patience is Reading. The error wraps fs.ErrNotExist when there is no
// such dashboard.
func (s *Service) Summaries(ctx context.Context, dash string) ([]TabSummary, error) {
	b, err := s.boards(ctx)
	if err != nil {
		return nil, err
	}
	p, ok := b.find(dash)
	if !ok {
		return nil, fmt.Errorf("there is no dashboard %q: %w", dash, fs.ErrNotExist)
	}
	return s.panel(ctx, p)
}

// AllSummaries returns the summaries of every dashboard, in their order.
func (s *Service) AllSummaries(ctx context.Context) ([]TabSummary, error) {
	b, err := s.boards(ctx)
	if err != nil {
		return nil, err
	}
	var all []TabSummary
	for _, d := range b.config.Dashboards {
		tabs, err := s.panel(ctx, b.dashboards[dashboard.Normalize(d.Name)])
		if err != nil {
			return nil, err
		}
		all = append(all, tabs...)
	}
	return all, nil
}

func (s *Service) panel(ctx context.Context, p *panel) ([]TabSummary, error) {
	s.recall(ctx, p)
	out := make([]TabSummary, len(p.tabs))
	g, ctx := errgroup.WithContext(ctx)
	if s.o.Patience == 0 {
		g.SetLimit(groupReaders)
	} // else all wait at once, for as long as one has patience; slots bound what is read
	now := s.o.Now()
	for i, v := range p.tabs {
		if v.group.id == "" {
			out[i] = v.blank()
			out[i].Problem = "there is no test group of this name that says where its results are"
			continue
		}
		if t, ok := s.summaries.of(v); ok && !s.wanted(v.group, now) {
			out[i] = v.stale(t, now)
			continue
		}
		g.Go(func() (err error) {
			out[i], err = s.summary(ctx, v)
			return err
		})
	}
	return out, g.Wait()
}

// wanted reports whether a group is to be looked at before it is shown.
func (s *Service) wanted(g group, now time.Time) bool {
	s.mu.Lock()
	k := s.groups[g.id]
	s.mu.Unlock()
	if k == nil || k.looked.Load() == 0 { // summarised by an earlier process; Run looks at it in its turn
		return s.o.Fresh == 0 || g.own
	}
	return s.outdated(k, now) && (s.o.Fresh == 0 || g.own || k.outdated.Load())
}

// summary reads a tab's results and sums them up.
func (s *Service) summary(ctx context.Context, v *view) (TabSummary, error) {
	k := s.keep(v.group)
	snap, err := s.fresh(ctx, k, false)
	now := s.o.Now()
	if err != nil {
		if ctx.Err() != nil {
			return TabSummary{}, err
		}
		t, ok := s.summaries.of(v) // better old ones than none
		if !ok {
			t = v.blank()
		}
		t.Problem = err.Error()
		return v.stale(t, now), nil
	}
	t, ok := s.summaries.of(v)
	empty := !ok
	switch {
	case snap != nil:
		empty = len(snap.grid.Columns) == 0
		if !ok || t.Updated.Before(snap.made) {
			t = v.summarize(snap, now)
		}
	case !ok:
		t = v.blank()
	}
	t = v.stale(t, now)
	t.Reading = k.busy() && empty
	return t, nil
}

// of returns what is known of a tab, if it was summed up as it is configured
// now.
func (m *summaries) of(v *view) (TabSummary, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.tabs[v.key()]
	return k.Tab, ok && k.Print == v.print
}

func (p *panel) object() string { return "summaries/" + digest(p.name) + ".json" }

// load reads a dashboard's summaries from the cache, once.
func (m *summaries) load(ctx context.Context, cache *blob.Bucket, p *panel) error {
	m.mu.Lock()
	seen := m.loaded[p.name]
	m.mu.Unlock()
	if seen || cache == nil {
		return nil
	}
	data, err := cache.ReadAll(ctx, p.object())
	if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("reading the kept summaries of %s: %w", p.name, err)
	}
	var kept []keptSummary
	if len(data) > 0 {
		err = json.Unmarshal(data, &kept)
	} else {
		err = nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded[p.name] = true
	if err != nil {
		return fmt.Errorf("reading the kept summaries of %s: %w", p.name, err)
	}
	for _, k := range kept {
		key := tabKey{p.name, k.Tab.Tab}
		if _, newer := m.tabs[key]; !newer {
			m.tabs[key] = k
		}
	}
	return nil
}

// write keeps the summaries that have changed, an object for each dashboard.
func (m *summaries) write(ctx context.Context, cache *blob.Bucket) error {
	m.mu.Lock()
	b, dirty := m.board, slices.Sorted(maps.Keys(m.dirty))
	clear(m.dirty)
	m.mu.Unlock()
	if cache == nil || b == nil {
		return nil
	}
	var failures []error
	for _, name := range dirty {
		p, ok := b.find(name)
		if !ok {
			continue // it is gone
		}
		if err := m.writeOne(ctx, cache, p); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func (m *summaries) writeOne(ctx context.Context, cache *blob.Bucket, p *panel) error {
	var kept []keptSummary
	m.mu.Lock()
	for _, v := range p.tabs {
		if k, ok := m.tabs[v.key()]; ok {
			kept = append(kept, k)
		}
	}
	m.mu.Unlock()
	data, err := json.Marshal(kept)
	if err == nil {
		err = cache.WriteAll(ctx, p.object(), data, nil)
	}
	if err != nil {
		m.mu.Lock()
		m.dirty[p.name] = true
		m.mu.Unlock()
		return fmt.Errorf("keeping the summaries of %s: %w", p.name, err)
	}
	return nil
}
