package local

import (
	"context"
	"fmt"
	"sync"
)

// locks hold one lock per repository, for whatever moves its refs.
type locks struct {
	// elsewhere excludes other processes, too; nil where there are none.
	elsewhere func(ctx context.Context, name string) (func(), error)

	mu sync.Mutex
	of map[int64]chan struct{}
}

func newLocks(elsewhere func(context.Context, string) (func(), error)) *locks {
	return &locks{elsewhere: elsewhere, of: map[int64]chan struct{}{}}
}

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
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l.elsewhere == nil {
		return func() { <-c }, nil
	}
	leave, err := l.elsewhere(ctx, fmt.Sprintf("repository %d", repoID))
	if err != nil {
		<-c
		return nil, err
	}
	return func() { leave(); <-c }, nil
}
