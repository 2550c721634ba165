package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"seaworthy/store/storetest"
)

func TestLock(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	a, b := storetest.Open(t, url), storetest.Open(t, url)
	var inside, most atomic.Int32
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			db := a
			if i%2 == 0 {
				db = b
			}
			unlock, err := db.Lock(t.Context(), "train harbour/halyard")
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), inside.Add(1)))
			if _, err := db.Setting(t.Context(), "anything"); err == nil {
				t.Error("a setting that nobody has made")
			}
			inside.Add(-1)
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d held the name at once", most.Load())
	}
	// Another name is free meanwhile; the same one is waited for until told not to.
	unlock, err := a.Lock(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Lock(t.Context(), "two")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Lock(ctx, "one"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ended with %v", err)
	}
	if err := errors.Join(unlock(), two()); err != nil {
		t.Error(err)
	}
}

func TestLockOfAFile(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	for range 2 { // the second would wait for ever
		unlock, err := db.Lock(t.Context(), "one")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unlock(); err != nil {
				t.Error(err)
			}
		}()
	}
}
