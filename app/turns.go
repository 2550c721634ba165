package app

import (
	"context"
	"fmt"
	"sync"

	"seaworthy/forge"
)

// subject is what events must be handled in order about: one pull request or
// issue. What is said there before its tests are started would otherwise be
// acted on first, and start them twice.
type subject struct {
	repo   forge.RepoName
	number int
}

// subjectOf returns the subject of an event; false for one about a branch.
func subjectOf(e forge.Event) (subject, bool) {
	switch {
	case e.PullRequest != nil:
		return subject{e.Repo, e.PullRequest.Number}, true
	case e.Issue != nil:
		return subject{e.Repo, e.Issue.Number}, true
	}
	return subject{}, false
}

// turns lets one at a time handle the events of a subject.
type turns struct {
	mu    sync.Mutex
	taken map[subject]chan struct{} // closed at the end of the turn
}

// enter waits for a turn; leave ends it.
func (t *turns) enter(ctx context.Context, s subject) (leave func(), err error) {
	for {
		t.mu.Lock()
		ended, busy := t.taken[s]
		if !busy {
			mine := make(chan struct{})
			if t.taken == nil {
				t.taken = map[subject]chan struct{}{}
			}
			t.taken[s] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.taken, s)
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// inOrder handles an event after the earlier ones of its subject. One of those
// that fails is tried again by itself and holds up nothing.
func (a *App) inOrder(ctx context.Context, seq int64, event forge.Event) error {
	of, ok := subjectOf(event)
	if !ok {
		return a.handle(ctx, seq, event)
	}
	leave, err := a.turns.enter(ctx, of)
	if err != nil {
		return fmt.Errorf("waiting to handle event %d: %w", seq, err)
	}
	defer leave()
	// And after those that another server is handling.
	elsewhere, err := a.hold(ctx, fmt.Sprintf("events of %s#%d", of.repo, of.number))
	if err != nil {
		return fmt.Errorf("waiting to handle event %d: %w", seq, err)
	}
	defer elsewhere()
	unhandled, err := a.Store.UnhandledEvents(ctx)
	if err != nil {
		return err
	}
	for _, e := range unhandled {
		if s, ok := subjectOf(e.Event); !ok || s != of || e.Seq > seq {
			continue
		}
		err := a.handle(ctx, e.Seq, e.Event)
		if e.Seq == seq {
			return err
		}
		if err != nil {
			a.o.Log.Warn("an earlier event waits for another attempt", "error", err)
		}
	}
	return nil // another worker has handled it
}
