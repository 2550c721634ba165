package signal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/job/result"
)

// Options are what a Service reads from.
type Options struct {
	// Bucket is the platform's own; the grids of its jobs are read from it. Nil
	// if there is none.
	Bucket *blob.Bucket
	// Jobs returns the jobs of a repository as they are configured now. It is
	// needed for Tabs and Grid.
	Jobs func(ctx context.Context, repo forge.RepoName) (job.Config, error)
	// Configured returns what is shown, of each repository apart; nil shows
	// nothing.
	Configured func(ctx context.Context) ([]Configuration, error)
	// Open finds the bucket of a test group's prefix, and the folder of it in
	// there. The bucket is closed by whoever opened it. Nil takes the first
	// element of a prefix off and looks into Bucket.
	Open func(ctx context.Context, prefix string) (*blob.Bucket, string, error)
	// List lists the builds in a folder of a bucket, oldest first; result.List
	// when nil.
	List func(ctx context.Context, b *blob.Bucket, folder string) ([]result.Ref, error)
	// Begin has a listing of a bucket on a service begin with the names after one,
	// see result.ListFrom. Nil has everything listed.
	Begin func(as func(any) bool, name string) error
	// Cache keeps grids and summaries over restarts; nil keeps none.
	Cache *blob.Bucket
	// Look leaves the cache as it is: another process writes it.
	Look bool
	// Memory bounds the grids held in memory, in bytes, roughly; 256 MB if 0.
	// Without Cache it bounds nothing.
	Memory int64
	// Columns is how many columns a grid has at most: 2,000 if 0. A grid with
	// fewer than 200 keeps those that are older than its days.
	Columns int
	// Fresh is how long results that were read are shown before they are looked
	// for again, unless Changed was called; 0 looks each time.
	Fresh time.Duration
	// Once is for a process that answers one question: what it has looked for it
	// does not look for again.
	Once bool
	// Patience is how long one who asks waits for results to be read; 0 waits
	// until they are. Reading goes on: see Close.
	Patience time.Duration
	Now      func() time.Time
	Log      *slog.Logger // discarded when nil
}

// Configuration is what one repository shows. Its jobs that are on no dashboard
// are tabs of one with the repository's name.
type Configuration struct {
	// Repo is zero where the configuration is nobody's in particular.
	Repo   forge.RepoName
	Config dashboard.Config
	Jobs   job.Config
	// Whole says that nothing is to be shown but what Config has.
	Whole bool
}

// Limits of grids unless Options say otherwise.
const (
	mostColumns   = 2000
	leastColumns  = 200
	defaultMemory = 256 << 20
	// Groups that are read at a time, and builds of each.
	groupReaders = 4
	// Those who wait, where nobody waits for longer than Options.Patience.
	impatient = 1000
	readers   = 8
)

// Tab is one job's grid in a few words.
type Tab struct {
	Repo    forge.RepoName
	Job     string
	Type    job.Type
	Summary grid.Summary
}

// Service keeps grids. It may be used by many goroutines.
type Service struct {
	o   Options
	ctx context.Context // of reading that nobody waits for
	end context.CancelFunc
	at  sync.WaitGroup
	// slots bound how many groups are read in the background.
	slots chan struct{}

	mu        sync.Mutex
	groups    map[string]*kept
	clock     int64 // counts uses, for what was used longest ago
	held      int64 // bytes
	consumers []consumer

	board     *board
	boardRead time.Time
	boardLock sync.Mutex // held while a board is made

	summaries summaries
	index     index
}

// New returns a service without grids; they are read when first asked for.
func New(o Options) *Service {
	if o.Columns == 0 {
		o.Columns = mostColumns
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if o.List == nil {
		o.List = result.List
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, groups: map[string]*kept{}, slots: make(chan struct{}, groupReaders)}
	s.summaries.init()
	s.index.init()
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// Close ends what is being read in the background, and waits for that.
func (s *Service) Close() error {
	s.end()
	s.at.Wait()
	return nil
}

// Tabs summarises every job of the repository that has results: postsubmits
// and periodics first, since they speak of the branch, then presubmits.
func (s *Service) Tabs(ctx context.Context, repo forge.RepoName) ([]Tab, error) {
	config, err := s.o.Jobs(ctx, repo)
	if err != nil {
		return nil, fmt.Errorf("reading the signal of %s: %w", repo, err)
	}
	jobs := ownJobs(config, repo)
	tabs := make([]Tab, len(jobs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(groupReaders)
	for i, j := range jobs {
		g.Go(func() error {
			snap, err := s.read(ctx, s.keep(jobGroup(repo, j)), true)
			if err != nil {
				return fmt.Errorf("reading the results of %s: %w", j.Name, err)
			}
			if len(snap.grid.Columns) > 0 {
				tabs[i] = Tab{Repo: repo, Job: j.Name, Type: j.Type, Summary: grid.Summarize(snap.grid, grid.Options{}, s.o.Now())}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tabs, func(t Tab) bool { return t.Job == "" }), nil
}

// ownJobs are the jobs of a repository in the order of its tabs.
func ownJobs(config job.Config, repo forge.RepoName) []*job.Job {
	return slices.Concat(config.Postsubmits[repo.String()], config.Periodics, config.Presubmits[repo.String()])
}

// Grid returns a copy of the grid of one job. The error wraps fs.ErrNotExist
// when the repository has no such job.
func (s *Service) Grid(ctx context.Context, repo forge.RepoName, name string) (*grid.Grid, error) {
	config, err := s.o.Jobs(ctx, repo)
	if err != nil {
		return nil, fmt.Errorf("reading the grid of %s: %w", name, err)
	}
	for _, j := range config.Find(name) {
		if j.Type != job.Periodic && j.Repo != repo.String() {
			continue
		}
		snap, err := s.read(ctx, s.keep(jobGroup(repo, j)), true)
		if err != nil {
			return nil, fmt.Errorf("reading the grid of %s: %w", name, err)
		}
		return snap.grid.Clone(), nil
	}
	return nil, fmt.Errorf("%s has no job %q: %w", repo, name, fs.ErrNotExist)
}

// Dashboards returns everything that is configured to be shown, with the
// dashboards of repositories that configure none.
func (s *Service) Dashboards(ctx context.Context) (dashboard.Config, error) {
	b, err := s.boards(ctx)
	if err != nil {
		return dashboard.Config{}, err
	}
	return b.config, nil
}

// TabGrid returns the grid of a tab, to be looked at only, the tab, and how it
// looks at the grid. Both names are matched as TestGrid does, see
// dashboard.Normalize. Where reading takes longer than Options.Patience the
// grid is what is there by then: see Reading. The error wraps fs.ErrNotExist
// when there is no such tab.
func (s *Service) TabGrid(ctx context.Context, dash, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	t, err := s.tab(ctx, dash, tab)
	if err != nil {
		return nil, dashboard.Tab{}, grid.Options{}, err
	}
	snap, err := s.fresh(ctx, s.keep(t.group), true)
	if err != nil {
		return nil, dashboard.Tab{}, grid.Options{}, fmt.Errorf("reading the grid of %s in %s: %w", t.tab.Name, t.dashboard, err)
	}
	return snap.grid, t.tab, t.options, nil
}

// Group returns the test group that a tab looks at.
func (s *Service) Group(ctx context.Context, dash, tab string) (dashboard.TestGroup, error) {
	t, err := s.tab(ctx, dash, tab)
	if err != nil {
		return dashboard.TestGroup{}, err
	}
	return t.test, nil
}

// Reading reports whether more results of a tab are being read right now.
func (s *Service) Reading(ctx context.Context, dash, tab string) bool {
	t, err := s.tab(ctx, dash, tab)
	return err == nil && s.keep(t.group).busy()
}

func (s *Service) tab(ctx context.Context, dash, tab string) (*view, error) {
	b, err := s.boards(ctx)
	if err != nil {
		return nil, err
	}
	d, ok := b.find(dash)
	if !ok {
		return nil, fmt.Errorf("there is no dashboard %q: %w", dash, fs.ErrNotExist)
	}
	t, ok := d.find(tab)
	if !ok {
		return nil, fmt.Errorf("the dashboard %s has no tab %q: %w", d.name, tab, fs.ErrNotExist)
	}
	if t.group.id == "" {
		return nil, fmt.Errorf("the tab %s of %s has no test group %q: %w", t.tab.Name, d.name, t.tab.TestGroup, fs.ErrNotExist)
	}
	return t, nil
}

// Changed says that results of the platform's own jobs have come, so that they
// are looked for when next asked for.
func (s *Service) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.groups {
		if k.group.own {
			k.outdated.Store(true)
		}
	}
}

// Refresh looks for new results of every tab, a few groups at a time, and
// keeps their summaries. What cannot be read is told of together at the end.
func (s *Service) Refresh(ctx context.Context) error {
	return s.refresh(ctx, func(group) bool { return true })
}

func (s *Service) refresh(ctx context.Context, wanted func(group) bool) error {
	b, err := s.boards(ctx)
	if err != nil {
		return err
	}
	failures := make([]error, len(b.groups))
	g := &errgroup.Group{}
	g.SetLimit(groupReaders)
	for i, gr := range b.groups {
		if !wanted(gr) {
			continue
		}
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if _, err := s.read(ctx, s.keep(gr), false); err != nil {
				failures[i] = fmt.Errorf("reading the results of %s: %w", gr.test, err)
			}
			return nil
		})
	}
	return errors.Join(g.Wait(), errors.Join(failures...), s.Keep(ctx))
}

// Keep writes the summaries that changed since they were written last. Refresh
// and Run do so on their own.
func (s *Service) Keep(ctx context.Context) error {
	if s.o.Look {
		return nil
	}
	return s.summaries.write(ctx, s.o.Cache)
}

// Run looks for new results of every tab every while, and of the platform's
// own jobs whenever it is woken, until ctx ends. What fails is logged and tried
// again.
func (s *Service) Run(ctx context.Context, every time.Duration, wake <-chan struct{}) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	wanted := func(group) bool { return true }
	for {
		if err := s.refresh(ctx, wanted); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("reading results", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			wanted = func(group) bool { return true }
		case <-wake:
			s.Changed()
			wanted = func(g group) bool { return g.own }
		}
	}
}
