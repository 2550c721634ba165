package live

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
)

// Retention is how long things are kept: failures of tests, and the clusters
// they were in, without them.
type Retention struct{ Failures, Clusters time.Duration }

// DefaultRetention keeps failures for as long as a page looks back by itself,
// and clusters for a little over a year, so that what returns with each release
// is known again.
func DefaultRetention() Retention {
	return Retention{Failures: Days * day * time.Second, Clusters: 400 * day * time.Second}
}

func (r Retention) orDefault() Retention {
	d := DefaultRetention()
	return Retention{cmp.Or(r.Failures, d.Failures), cmp.Or(r.Clusters, d.Clusters)}
}

// retentionMemo is what KeepFor said last.
type retentionMemo struct {
	mu    sync.Mutex
	asked time.Time
	said  Retention
}

// askAgain is how long an answer of KeepFor counts: many builds come at once.
const askAgain = time.Minute

// retention is how long failures and clusters are kept now.
func (s *Service) retention(ctx context.Context) (Retention, error) {
	if s.o.KeepFor == nil {
		return s.o.Keep, nil
	}
	m := &s.keep
	m.mu.Lock()
	defer m.mu.Unlock()
	now := s.o.Now()
	if since := now.Sub(m.asked); !m.asked.IsZero() && since >= 0 && since < askAgain {
		return m.said, nil
	}
	said, err := s.o.KeepFor(ctx)
	if err != nil {
		return Retention{}, fmt.Errorf("asking how long failures are kept: %w", err)
	}
	m.asked, m.said = now, said.orDefault()
	return m.said, nil
}
