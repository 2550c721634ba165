package local

import (
	"context"
	"sync"
)

// locks hold one lock per repository, for whatever moves its refs.
type locks struct {
	mu sync.Mutex
	of map[int64]chan struct{}
}

func newLocks() *locks { return &locks{of: map[int64]chan struct{}{}} }

// lock waits for a repository's lock, or for the end of ctx. The caller calls
// what it returns when done.
func (l *locks) lock(ctx context.Context, repoID int64) (unlock func(), err error) {
	l.mu.Lock()
	c := l.of[repoID]
	if c == nil {
		c = make(chan struct{}, 1)
		l.of[repoID] = c
	}
	l.mu.Unlock()
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
