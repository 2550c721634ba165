package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/grid/history"
	"seaworthy/signal/verdict"
)

// Grids are the dashboards and their grids.
type Grids interface {
	Dashboards(ctx context.Context) (dashboard.Config, error)
	// TabGrid returns a grid that must not be changed. The error wraps
	// fs.ErrNotExist where the tab has none.
	TabGrid(ctx context.Context, dash, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error)
}

// Index is what Grids may be, too: it knows which of them have rows that match,
// so that the others need not be read. failed says that the test failed in any
// of the grid's builds.
type Index interface {
	Holding(ctx context.Context, match func(name string, failed bool) bool) (func(dash, tab string) bool, error)
}

// World is what is known besides results. Each may be nil in Options.
type World interface {
	// Issues are the open ones about failing and flaky tests.
	Issues(ctx context.Context) ([]verdict.Issue, error)
	// Commits lists those after one and up to another, newest first, at most 100.
	Commits(ctx context.Context, repo, after, upTo string) ([]history.Commit, error)
	// Fixes lists changes of the default branch that name any of some issues, and
	// on which of the branches they are missing.
	Fixes(ctx context.Context, repo string, issues []int, branches []string) ([]history.Fix, error)
}

// Clusters finds what a failure has in common with others: the id of its
// cluster, false if it is in none. A build is named by the path of its results.
type Clusters interface {
	Of(ctx context.Context, build, test string) (id string, ok bool, err error)
}

// Settings are what a project says about its signal.
type Settings struct {
	Rules verdict.Rules
	// Boards say what dashboards decide about; empty reads it from their names.
	Boards []verdict.Board
	// Owners name who answers for what, by a pattern of the job's or the
	// dashboard's name, as path.Match knows it. The first that fits counts.
	Owners []Owner
}

// Owner answers for the jobs of a name.
type Owner struct{ Pattern, Owner string }

// Job is what the configuration of a job says.
type Job struct {
	Repo      string // OWNER/NAME, empty for a periodic that names none
	Presubmit bool
	// Branch is the one that it tests; empty for several or an unknown one.
	Branch string
	// Informing says that the job is marked as one that blocks nothing.
	Informing   bool
	Description string
	Mails       []string
}

// Options are what a Service reads from. World, Clusters and Jobs may be nil.
type Options struct {
	// Repo is the repository that reports are about, OWNER/NAME; empty for
	// results that belong to none in particular.
	Repo     string
	Grids    Grids
	Settings func(ctx context.Context) (Settings, error)
	Jobs     func(ctx context.Context) (map[string]Job, error) // by name
	World    World
	Clusters Clusters
	// Key makes one string of messages that mean the same; nil compares them as
	// they are.
	Key func(message string) string
	Now func() time.Time
}

// Service answers. It may be used by many goroutines.
type Service struct{ o Options }

// New returns a service.
func New(o Options) *Service { return &Service{o} }

// tab is a tab with what its job says.
type tab struct {
	dashboard string
	tab       dashboard.Tab
	group     dashboard.TestGroup
	name      string // of the job
	folder    string // of its builds, or of the index of them
	job       Job
	known     bool // whether the job's configuration is
	settings  Settings
}

// view is everything that is configured.
type view struct {
	settings Settings
	tabs     []tab
	boards   map[string]verdict.Board
	order    []string // dashboards
}

// Tabs whose grids are read at a time.
const readers = 4

func (s *Service) view(ctx context.Context) (*view, error) {
	config, err := s.o.Grids.Dashboards(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the dashboards: %w", err)
	}
	v := &view{boards: map[string]verdict.Board{}}
	if v.settings, err = s.o.Settings(ctx); err != nil {
		return nil, fmt.Errorf("reading what decides about the signal: %w", err)
	}
	jobs := map[string]Job{}
	if s.o.Jobs != nil {
		if jobs, err = s.o.Jobs(ctx); err != nil {
			return nil, fmt.Errorf("reading the jobs: %w", err)
		}
	}
	groups := make(map[string]dashboard.TestGroup, len(config.TestGroups))
	for _, g := range config.TestGroups {
		groups[g.Name] = g
	}
	for _, d := range config.Dashboards {
		v.order = append(v.order, d.Name)
		for _, t := range d.Tabs {
			g, ok := groups[t.TestGroup]
			if !ok {
				continue
			}
			x := tab{dashboard: d.Name, tab: t, group: g, settings: v.settings, name: t.TestGroup}
			if p := g.Prefixes(); len(p) > 0 {
				x.folder = p[0]
				x.name = path.Base(p[0])
				x.job.Presubmit = strings.Contains("/"+p[0]+"/", "/pr-logs/")
			}
			if j, ok := jobs[x.name]; ok {
				x.job, x.known = j, true
			}
			v.tabs = append(v.tabs, x)
		}
	}
	boards := v.settings.Boards
	if len(boards) == 0 {
		boards = v.settings.Rules.Boards(v.order)
	}
	for _, b := range boards {
		v.boards[dashboard.Normalize(b.Dashboard)] = b
	}
	return v, nil
}

var branchInName = regexp.MustCompile(`(?:^|[-_.])(?:release-)?([0-9]+)[.-]([0-9]+)(?:$|[-_.])`)

// branch is the one that a tab's results speak of: its dashboard's, its job's,
// one that the job's name holds, else the default branch.
func (v *view) branch(t tab) string {
	if b, ok := v.boards[dashboard.Normalize(t.dashboard)]; ok {
		return b.Branch
	}
	rules := v.settings.Rules
	if t.job.Branch != "" {
		return t.job.Branch
	}
	if m := branchInName.FindStringSubmatch(t.name); m != nil && !t.known {
		return strings.NewReplacer("{major}", m[1], "{minor}", m[2]).Replace(rules.ReleaseBranch)
	}
	return rules.DefaultBranch
}

// foreign reports whether a tab is of another repository, or on the dashboard
// that one without a configuration has.
func (t tab) foreign(repo string) bool {
	return t.job.Repo != "" && t.job.Repo != repo || strings.Contains(t.dashboard, "/") && t.dashboard != repo
}

// owner answers for a job: as configured, or the SIG that an alert address names.
func (t tab) owner() string {
	for _, o := range t.settings.Owners {
		for _, name := range []string{t.name, t.tab.Name, t.dashboard} {
			if ok, err := path.Match(o.Pattern, name); err == nil && ok {
				return o.Owner
			}
		}
	}
	for _, m := range t.mails() {
		if sig := sigAddress.FindStringSubmatch(m); sig != nil {
			return sig[1]
		}
	}
	return ""
}

// sigAddress is how Kubernetes' groups call their mailing lists:
// kubernetes-sig-node-test-failures@…
var sigAddress = regexp.MustCompile(`\b(sig-[a-z]+(?:-[a-z]+)*?)(?:-(?:test-failures|test-failure|alerts|leads|ci|bugs))?@`)

func (t tab) mails() []string {
	if m := t.tab.MailAddresses(t.group); len(m) > 0 {
		return m
	}
	return t.job.Mails
}

// Query narrows a report.
type Query struct {
	At       time.Time // zero is now
	Branches []string  // all if empty
	Projects []string  // all if empty; see verdict.Board
}

// wants reports whether a report is about a tab's branch.
func (q Query) wants(t verdict.Tab) bool {
	label := t.Project + " " + t.Branch // as a report of several projects names it
	return (len(q.Branches) == 0 || slices.Contains(q.Branches, t.Branch) || slices.Contains(q.Branches, label)) && (len(q.Projects) == 0 || slices.Contains(q.Projects, t.Project))
}

// Report judges every branch.
func (s *Service) Report(ctx context.Context, q Query) (verdict.Report, error) {
	v, err := s.view(ctx)
	if err != nil {
		return verdict.Report{}, err
	}
	wanted := v.deciding(s.o.Repo)
	now := s.o.Now()
	in := verdict.Input{At: cmp.Or(q.At, now), Rules: v.settings.Rules}
	wanted = slices.DeleteFunc(wanted, func(t verdict.Tab) bool { return !q.wants(t) })
	if in.Tabs, err = s.grids(ctx, wanted); err != nil {
		return verdict.Report{}, err
	}
	if !q.At.IsZero() && q.At.Before(now) {
		for i := range in.Tabs {
			in.Tabs[i].Grid = verdict.AsOf(in.Tabs[i].Grid, q.At)
		}
	}
	if s.o.World == nil {
		return verdict.Of(in), nil
	}
	in.Issues, err = s.o.World.Issues(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return verdict.Report{}, err
		}
		in.IssuesUnknown = err.Error()
	}
	return verdict.Of(in), nil
}

// deciding lists the tabs that decide: those of blocking and informing
// dashboards; where there are none, every postsubmit and periodic, those that
// are marked so as informing. A presubmit tests changes and says nothing of a
// branch, nor do the jobs of another repository.
func (v *view) deciding(repo string) []verdict.Tab {
	var out []verdict.Tab
	for _, t := range v.tabs {
		b, ok := v.boards[dashboard.Normalize(t.dashboard)]
		if t.job.Presubmit || !ok && len(v.boards) > 0 && t.dashboard != repo || repo != "" && t.foreign(repo) {
			continue
		}
		if !ok {
			b = verdict.Board{Dashboard: t.dashboard, Branch: v.branch(t), Blocking: !t.job.Informing}
		}
		out = append(out, verdict.Tab{
			Dashboard: t.dashboard, Name: t.tab.Name, Job: t.name, Project: b.Project, Branch: b.Branch, Blocking: b.Blocking, Link: tabLink(t.dashboard, t.tab.Name),
			Description: cmp.Or(t.tab.Description, t.job.Description), Owner: t.owner(), Mails: t.mails(),
		})
	}
	return out
}

// grids reads the grids of some tabs. A tab whose results cannot be found is
// judged as one without any.
func (s *Service) grids(ctx context.Context, tabs []verdict.Tab) ([]verdict.Tab, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i := range tabs {
		g.Go(func() error {
			read, _, options, err := s.o.Grids.TabGrid(ctx, tabs[i].Dashboard, tabs[i].Name)
			if errors.Is(err, fs.ErrNotExist) {
				read, err = grid.New(tabs[i].Job), nil
			}
			if err != nil {
				return fmt.Errorf("reading %s of %s: %w", tabs[i].Name, tabs[i].Dashboard, err)
			}
			tabs[i].Grid, tabs[i].Options = read, options
			return nil
		})
	}
	return tabs, g.Wait()
}
