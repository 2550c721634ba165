package signal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
)

// group is what one grid is made of.
type group struct {
	id       string // the same for the same results read the same way
	name     string // of the grid's rows: the job
	test     string // the test group
	prefixes []string
	own      bool           // in the platform's bucket, without its name before
	repo     forge.RepoName // whose builds alone count; all if zero
	kind     job.Type
	days     int
	finished bool // leave out builds that run
	settings grid.Settings
}

// board is everything that is configured, ready to be found.
type board struct {
	config     dashboard.Config
	dashboards map[string]*panel // by normalised name
	groups     []group
	views      map[string][]*view // by group
}

type panel struct {
	name string
	tabs []*view
	by   map[string]*view // by normalised name
}

// view is a tab of a board.
type view struct {
	dashboard string
	tab       dashboard.Tab
	test      dashboard.TestGroup
	options   grid.Options
	group     group
	print     string // differs when the tab is to be summarised anew
}

func (b *board) find(name string) (*panel, bool) {
	p, ok := b.dashboards[dashboard.Normalize(name)]
	return p, ok
}

func (p *panel) find(name string) (*view, bool) {
	v, ok := p.by[dashboard.Normalize(name)]
	return v, ok
}

// boardAge is how long a configuration is used before it is read again.
const boardAge = 10 * time.Second

// boards returns the board, made anew when it is old.
func (s *Service) boards(ctx context.Context) (*board, error) {
	s.boardLock.Lock()
	defer s.boardLock.Unlock()
	if s.board != nil && s.o.Now().Sub(s.boardRead).Abs() < boardAge {
		return s.board, nil
	}
	if s.o.Configured == nil {
		s.board, s.boardRead = &board{dashboards: map[string]*panel{}, views: map[string][]*view{}}, s.o.Now()
		return s.board, nil
	}
	all, err := s.o.Configured(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what dashboards there are: %w", err)
	}
	s.board, s.boardRead = newBoard(all), s.o.Now()
	s.summaries.configure(s.board)
	s.index.keep(s.board)
	return s.board, nil
}

// Reconfigured says that what is configured may have changed, so that it is
// read when next asked for.
func (s *Service) Reconfigured() {
	s.boardLock.Lock()
	defer s.boardLock.Unlock()
	s.boardRead = time.Time{}
}

func newBoard(all []Configuration) *board {
	b := &board{dashboards: map[string]*panel{}, views: map[string][]*view{}}
	for _, c := range all {
		b.add(c.Config, c.groups())
		if c.Repo != (forge.RepoName{}) && !c.Whole {
			b.add(c.rest())
		}
	}
	return b
}

// groups are what the test groups of a configuration read, by name.
func (c Configuration) groups() map[string]group {
	own := map[string]*job.Job{}
	if c.Repo != (forge.RepoName{}) {
		for _, j := range ownJobs(c.Jobs, c.Repo) {
			own[job.IndexPath(j.Type, j.Name)] = j
		}
	}
	groups := make(map[string]group, len(c.Config.TestGroups))
	for _, t := range c.Config.TestGroups {
		g := testGroup(t)
		if len(g.prefixes) == 1 {
			// The results of a repository's own jobs are in the platform's bucket,
			// whatever Prow calls it.
			for at := g.prefixes[0]; at != ""; _, at, _ = strings.Cut(at, "/") {
				if j := own[at]; j != nil {
					g = jobGroup(c.Repo, j).as(t)
				}
			}
		}
		groups[t.Name] = g
	}
	return groups
}

// add puts a configuration on the board. Of two dashboards with one name the
// first stays: a repository cannot take another's place.
func (b *board) add(config dashboard.Config, groups map[string]group) {
	tests := make(map[string]dashboard.TestGroup, len(config.TestGroups))
	for _, t := range config.TestGroups {
		tests[t.Name] = t
	}
	for _, d := range config.Dashboards {
		key := dashboard.Normalize(d.Name)
		if b.dashboards[key] != nil {
			continue
		}
		p := &panel{name: d.Name, by: make(map[string]*view, len(d.Tabs))}
		for _, t := range d.Tabs {
			v := &view{dashboard: d.Name, tab: t, test: tests[t.TestGroup], group: groups[t.TestGroup]}
			v.options = t.Options(v.test)
			v.print = v.fingerprint()
			p.tabs = append(p.tabs, v)
			if name := dashboard.Normalize(t.Name); p.by[name] == nil {
				p.by[name] = v
			}
			if id := v.group.id; id != "" {
				if b.views[id] == nil {
					b.groups = append(b.groups, v.group)
				}
				b.views[id] = append(b.views[id], v)
			}
		}
		b.dashboards[key] = p
		b.config.Dashboards = append(b.config.Dashboards, d)
	}
	b.config.DashboardGroups = append(b.config.DashboardGroups, config.DashboardGroups...)
	b.config.TestGroups = append(b.config.TestGroups, config.TestGroups...)
}

func (v *view) fingerprint() string {
	o := v.options
	parts := []any{v.tab, v.test, v.group.id, o.Recent, o.Failures, o.Passes, o.Broken, o.Flakiness, o.MinRuns, o.Ignored}
	for _, re := range o.Include {
		parts = append(parts, re.String())
	}
	for _, re := range o.Exclude {
		parts = append(parts, re.String())
	}
	return digest(parts)
}

// digest is the same for values that print the same as JSON.
func digest(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // numbers, texts and lists of them: this cannot be
		text = fmt.Append(nil, v)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// testGroup is what a configured test group reads.
func testGroup(t dashboard.TestGroup) group {
	g := group{test: t.Name, prefixes: t.Prefixes(), days: t.DaysOfResults, settings: t.Settings(), finished: t.IgnorePending}
	if len(g.prefixes) == 0 {
		return group{}
	}
	g.name = path.Base(g.prefixes[0])
	return g.identified()
}

// jobGroup is what one job of a repository makes: the layout gives postsubmits
// of one name in two repositories one folder, so builds of others are passed
// over.
func jobGroup(repo forge.RepoName, j *job.Job) group {
	g := group{name: j.Name, test: repo.String() + " " + j.Name, prefixes: []string{job.IndexPath(j.Type, j.Name)}, own: true, repo: repo, kind: j.Type}
	return g.identified()
}

// as returns the group of a job as a test group wants it read. The platform's
// executors leave no word of pods.
func (g group) as(t dashboard.TestGroup) group {
	g.test, g.days, g.finished, g.settings = t.Name, t.DaysOfResults, t.IgnorePending, t.Settings()
	g.settings.Pod = false
	return g.identified()
}

func (g group) identified() group {
	g.id = digest([]any{g.repo.String(), g.prefixes, g.settings, g.days, g.finished})
	return g
}

// rest is the dashboard that a repository has unasked: its jobs that are on no
// other.
func (c Configuration) rest() (dashboard.Config, map[string]group) {
	shown := map[string]bool{}
	groups := c.groups()
	for _, d := range c.Config.Dashboards {
		for _, t := range d.Tabs {
			if g := groups[t.TestGroup]; g.own {
				shown[g.prefixes[0]] = true
			}
		}
	}
	d := dashboard.Dashboard{Name: c.Repo.String(), Description: "Jobs of " + c.Repo.String() + " that are on no other dashboard."}
	if len(shown) == 0 {
		d.Description = "The jobs of " + c.Repo.String() + "."
	}
	var config dashboard.Config
	groups = map[string]group{}
	for _, j := range ownJobs(c.Jobs, c.Repo) {
		g := jobGroup(c.Repo, j)
		if _, twice := groups[g.test]; twice || shown[g.prefixes[0]] {
			continue
		}
		groups[g.test] = g
		d.Tabs = append(d.Tabs, dashboard.Tab{Name: j.Name, TestGroup: g.test, Description: j.Annotations["description"]})
		config.TestGroups = append(config.TestGroups, dashboard.TestGroup{Name: g.test, Prefix: g.prefixes[0], NoPodRow: true})
	}
	if len(d.Tabs) > 0 {
		config.Dashboards = []dashboard.Dashboard{d}
	}
	return config, groups
}
