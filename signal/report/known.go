package report

import (
	"context"
	"slices"
	"sync"

	"seaworthy/grid"
	"seaworthy/grid/history"
)

// Failure is a test that failed in a run of a change.
type Failure struct{ Test, Message string }

// Known looks for the failures of a change on the branch it goes to: in the jobs
// that test the branch itself. What is found is in the order of the failures; a
// failure of which the branch knows nothing is left out.
func (s *Service) Known(ctx context.Context, repo, branch string, failures []Failure) ([]history.Known, error) {
	if len(failures) == 0 {
		return nil, nil
	}
	v, err := s.view(ctx)
	if err != nil {
		return nil, err
	}
	v.tabs = slices.DeleteFunc(slices.Clone(v.tabs), func(t tab) bool {
		return t.job.Presubmit || v.branch(t) != branch || t.job.Repo != "" && t.job.Repo != repo
	})
	var mu sync.Mutex
	series := make([][]history.Series, len(failures))
	of := func(row string, _ bool) bool {
		return slices.ContainsFunc(failures, func(f Failure) bool { return f.Test == row })
	}
	err = s.each(ctx, v, of, func(t tab, g *grid.Grid) {
		for i, f := range failures {
			one, ok := history.From(g, v.source(t), f.Test)
			if !ok {
				continue
			}
			mu.Lock()
			series[i] = append(series[i], one)
			mu.Unlock()
		}
	})
	if err != nil {
		return nil, err
	}
	var all []history.Known
	for i, f := range failures {
		if k, ok := history.KnownOn(f.Test, f.Message, series[i], history.KnownOptions{Key: s.o.Key}); ok {
			all = append(all, k)
		}
	}
	return all, nil
}
