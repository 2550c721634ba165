package signal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/job/result"
)

// Options are what a Service reads from. All are needed.
type Options struct {
	Bucket *blob.Bucket
	// Jobs returns the jobs of a repository as they are configured now.
	Jobs func(ctx context.Context, repo forge.RepoName) (job.Config, error)
	Now  func() time.Time
}

// Tab is one job's grid in a few words.
type Tab struct {
	Repo    forge.RepoName
	Job     string
	Type    job.Type
	Summary grid.Summary
}

// Service keeps grids. It may be used by many goroutines.
type Service struct {
	o Options

	mu    sync.Mutex
	grids map[gridKey]*kept
}

type gridKey struct {
	repo   forge.RepoName
	folder string
}

// kept is a grid and which of its builds need not be read again.
type kept struct {
	mu   sync.Mutex
	grid *grid.Grid
	over map[string]bool
}

// A grid holds this many columns, and the newest this many builds are read
// when it is first asked for.
const mostColumns = 200

// Builds of one grid that are read at a time.
const readers = 8

// New returns a service without grids; they are read when first asked for.
func New(o Options) *Service { return &Service{o: o, grids: map[gridKey]*kept{}} }

// Tabs summarises every job of the repository that has results: postsubmits
// and periodics first, since they speak of the branch, then presubmits.
func (s *Service) Tabs(ctx context.Context, repo forge.RepoName) ([]Tab, error) {
	config, err := s.o.Jobs(ctx, repo)
	if err != nil {
		return nil, fmt.Errorf("reading the signal of %s: %w", repo, err)
	}
	jobs := slices.Concat(config.Postsubmits[repo.String()], config.Periodics, config.Presubmits[repo.String()])
	tabs := make([]Tab, len(jobs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i, j := range jobs {
		g.Go(func() error {
			kept, err := s.refresh(ctx, repo, j)
			if err != nil {
				return fmt.Errorf("reading the results of %s: %w", j.Name, err)
			}
			kept.mu.Lock()
			defer kept.mu.Unlock()
			if len(kept.grid.Columns) > 0 {
				tabs[i] = Tab{Repo: repo, Job: j.Name, Type: j.Type, Summary: grid.Summarize(kept.grid, grid.Options{}, s.o.Now())}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tabs, func(t Tab) bool { return t.Job == "" }), nil
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
		kept, err := s.refresh(ctx, repo, j)
		if err != nil {
			return nil, fmt.Errorf("reading the grid of %s: %w", name, err)
		}
		kept.mu.Lock()
		defer kept.mu.Unlock()
		return kept.grid.Clone(), nil
	}
	return nil, fmt.Errorf("%s has no job %q: %w", repo, name, fs.ErrNotExist)
}

// refresh brings a job's grid up to date: builds that were over when they were
// last read are not read again. The layout gives postsubmits of one name in
// two repositories one folder, so builds of other repositories are passed over.
func (s *Service) refresh(ctx context.Context, repo forge.RepoName, j *job.Job) (*kept, error) {
	folder := job.IndexPath(j.Type, j.Name)
	key := gridKey{repo, folder}
	s.mu.Lock()
	k := s.grids[key]
	if k == nil {
		k = &kept{grid: grid.New(j.Name), over: map[string]bool{}}
		s.grids[key] = k
	}
	s.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()

	over := map[string]bool{} // only what is still listed need be remembered
	refs, err := result.NewBuilds(ctx, s.o.Bucket, folder, mostColumns, func(id string) bool {
		if k.over[id] {
			over[id] = true
		}
		return k.over[id]
	})
	if err != nil {
		return nil, err
	}
	builds, err := s.load(ctx, refs)
	if err != nil {
		return nil, err
	}
	now := s.o.Now()
	k.over = over
	for _, b := range builds {
		if b.ID == "" {
			continue // its first file is yet to come
		}
		k.over[b.ID] = b.Finished != nil
		if about(b, repo) {
			k.grid.Append(column(b), now)
		}
	}
	k.grid.Trim(now, mostColumns)
	return k, nil
}

func (s *Service) load(ctx context.Context, refs []result.Ref) ([]result.Build, error) {
	builds := make([]result.Build, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, r := range refs {
		g.Go(func() error {
			b, err := result.LoadBuild(ctx, s.o.Bucket, r.Path)
			if err != nil && !errors.Is(err, result.ErrNoBuild) {
				return err
			}
			builds[i] = b
			return nil
		})
	}
	return builds, g.Wait()
}

// about reports whether a build tested the repository; one that names none, as
// a periodic without sources, may have.
func about(b result.Build, repo forge.RepoName) bool {
	if b.Started == nil || len(b.Started.Repos) == 0 {
		return true
	}
	_, ok := b.Started.Repos[repo.String()]
	return ok
}

// column is a stored build as a grid shows it.
func column(b result.Build) grid.Build {
	c := grid.Build{ID: b.ID, Malformed: b.Malformed}
	if b.Started != nil {
		c.Started = time.Unix(b.Started.Timestamp, 0).UTC()
		c.Commit = cmp.Or(b.Started.RepoCommit, b.Started.Pull)
	}
	if b.Finished != nil {
		c.Finished = time.Unix(b.Finished.Timestamp, 0).UTC()
		c.Passed, c.Result = b.Finished.Passed, b.Finished.Result
		c.Commit = cmp.Or(b.Finished.Revision, c.Commit)
	}
	for _, t := range b.Tests {
		c.Tests = append(c.Tests, grid.Test{Name: t.Name, Status: outcome(t.Status), Message: t.Message, Duration: t.Duration})
	}
	return c
}

func outcome(s result.Status) grid.Outcome {
	switch s {
	case result.Pass:
		return grid.Pass
	case result.Skip:
		return grid.PassWithSkips
	}
	return grid.Fail
}
