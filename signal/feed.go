package signal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/job/result"
)

// BuildResult is a build that is over, with its tests, as consumers get it.
type BuildResult struct {
	// Path is where it lies, bucket/folder: it names the build for good.
	Path string
	// Repo is what it tested; zero where the results do not say.
	Repo forge.RepoName
	Job  string
	Type job.Type
	// Build is its id, unique within the job.
	Build  string
	Branch string
	// Pull is the pull request that was tested, 0 if none was.
	Pull   int
	Commit string
	// Started and Finished are zero where the results do not say.
	Started, Finished time.Time
	Passed            bool
	Tests             []result.TestResult
	// Group is the test group the build was read for.
	Group string
}

// consumer gets every build once it is over.
type consumer struct {
	name string
	take func(context.Context, BuildResult) error
}

// Consume has a function get every build that is read from now on, once it is
// over. It is called before the build counts as read: what it returns an error
// for, and what was not yet kept when the process ends, comes again. So it may
// get a build twice, and one that is in several test groups, too, and tells
// them apart by their Path. It may be called by several goroutines at a time.
//
// A name that a kept grid was not read for gets all of that grid's builds, so
// that a new consumer starts with the history. Call it before anything is read.
func (s *Service) Consume(name string, take func(context.Context, BuildResult) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.consumers = append(s.consumers, consumer{name, take})
}

func (s *Service) listeners() []consumer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.consumers
}

// feed hands a build that is over to all consumers.
func (s *Service) feed(ctx context.Context, g group, p place, b result.Build, c grid.Build) error {
	all := s.listeners()
	if len(all) == 0 {
		return nil
	}
	r := buildResult(g, p, b, c)
	for _, c := range all {
		if err := c.take(ctx, r); err != nil {
			return fmt.Errorf("handing %s to %s: %w", r.Path, c.name, err)
		}
	}
	return nil
}

func buildResult(g group, p place, b result.Build, c grid.Build) BuildResult {
	r := BuildResult{
		Path: strings.Trim(p.address+"/"+b.Path, "/"), Repo: g.repo, Job: p.job, Type: g.kind, Build: b.ID, Commit: c.Commit,
		Started: c.Started, Finished: c.Finished, Passed: c.Passed, Tests: b.Tests, Group: g.test,
	}
	if r.Finished.Unix() == 0 { // that it has ended is all that is known
		r.Finished = time.Time{}
	}
	if r.Type == "" {
		r.Type = typeOf(b.Path)
	}
	refs := pullRefs(b, g.repo)
	if r.Repo == (forge.RepoName{}) {
		r.Repo = refs.repo
	}
	r.Branch, r.Pull = refs.branch, refs.pull
	return r
}

// typeOf tells the type of a job by where its builds lie; periodics and
// postsubmits lie in one place.
func typeOf(folder string) job.Type {
	switch {
	case strings.Contains("/"+folder, "/pr-logs/pull/batch/"):
		return job.Batch
	case strings.Contains("/"+folder, "/pr-logs/"):
		return job.Presubmit
	}
	return job.Periodic
}
