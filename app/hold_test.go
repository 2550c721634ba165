package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestHold(t *testing.T) {
	t.Parallel()
	a := &App{o: Options{Dir: t.TempDir()}}
	b := &App{o: Options{Dir: a.o.Dir}} // another process, as far as the lock can tell
	var inside, most atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		app := []*App{a, b}[i%2]
		all.Go(func() {
			unlock, err := app.hold(t.Context(), "marker s3://bucket latest/../x")
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), inside.Add(1)))
			inside.Add(-1)
			unlock()
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d held the name at once", most.Load())
	}
	// Another name is free meanwhile; the same one is waited for until told not to.
	unlock, err := a.hold(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	two, err := b.hold(t.Context(), "two")
	if err != nil {
		t.Fatal(err)
	}
	two()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.hold(ctx, "one"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ended with %v", err)
	}
}
