package registry

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestTurns(t *testing.T) {
	t.Parallel()
	var turns turns
	inside := map[string]int{} // guarded by the turns, one name each
	var mu sync.Mutex
	most := 0
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			free, err := turns.take(t.Context(), "name")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			inside["name"]++
			most = max(most, inside["name"])
			mu.Unlock()
			mu.Lock()
			inside["name"]--
			mu.Unlock()
			free()
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d had the name at once", most)
	}
	if len(turns.held) != 0 {
		t.Errorf("%d names are still held", len(turns.held))
	}
}

func TestTurnsGiveUp(t *testing.T) {
	t.Parallel()
	var turns turns
	free, err := turns.take(t.Context(), "name")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.take(ctx, "name"); !errors.Is(err, context.Canceled) {
		t.Errorf("took a name that is held: %v", err)
	}
	other, err := turns.take(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	other()
	free()
	again, err := turns.take(t.Context(), "name")
	if err != nil {
		t.Fatal(err)
	}
	again()
}
