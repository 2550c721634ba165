package live

import (
	"context"
	"fmt"
	"sync"
)

// mergeMemo keeps what was asked of git: two commits always have the same
// changes between them.
type mergeMemo struct {
	mu    sync.Mutex
	known map[[3]string][]Merge
}

// mostMerges bounds how many answers are kept.
const mostMerges = 500

// mergesOf lists what was merged between the last good build and the first one
// that failed; nothing if either is not known.
func (s *Service) mergesOf(ctx context.Context, f Facts) ([]Merge, error) {
	from, to := f.Good.Commit, f.Landed.Commit
	if s.o.Merges == nil || from == "" || to == "" || from == to {
		return nil, nil
	}
	key := [3]string{f.Landed.Repo, from, to}
	s.merges.mu.Lock()
	known, ok := s.merges.known[key]
	s.merges.mu.Unlock()
	if ok {
		return known, nil
	}
	merges, err := s.o.Merges(ctx, f.Landed.Repo, from, to)
	if err != nil {
		return nil, fmt.Errorf("listing what was merged into %s from %s to %s: %w", f.Landed.Repo, from, to, err)
	}
	s.merges.mu.Lock()
	defer s.merges.mu.Unlock()
	if s.merges.known == nil || len(s.merges.known) >= mostMerges {
		s.merges.known = map[[3]string][]Merge{}
	}
	s.merges.known[key] = merges
	return merges, nil
}
