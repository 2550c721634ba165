package live_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"seaworthy/triage/live"
)

// slow sorts as words does, but tells when it begins to compare all texts and
// waits for leave to end.
type slow struct {
	words
	began chan []string
	leave chan struct{}
}

func newSlow(by func(string) string) slow {
	return slow{words{by}, make(chan []string), make(chan struct{})}
}

func (s slow) Groups(ctx context.Context, texts []string) ([][]int, error) {
	select {
	case s.began <- texts:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case <-s.leave:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return s.words.Groups(ctx, texts)
}

// firstLetter makes groups of what begins alike.
func firstLetter(text string) string { return text[:1] }

// TestNobodyWaitsForReconcile records and asks while texts are compared. What
// comes meanwhile is where its cluster goes.
func TestNobodyWaitsForReconcile(t *testing.T) {
	t.Parallel()
	mem, c := newMemory(), &clock{start.Add(50 * time.Hour)}
	record(t, service(mem, c, nil), // two clusters of the word
		build(1, 1, fail("TestA", "anchor lost"), fail("TestB", "anchor held")), build(2, 2, fail("TestC", "ash in the engine"), fail("TestD", "boom bent")))
	sorter := newSlow(nil)
	s := live.New(live.Options{Store: mem, Sorter: &sorter, Now: c.now})
	if l := list(t, s, live.Filter{Alone: true}); l.Total != 3 {
		t.Fatalf("%d clusters, not anchor, ash and boom", l.Total)
	}
	sorter.by = firstLetter
	done := make(chan error, 1)
	var change live.Change
	go func() {
		var err error
		change, err = s.Reconcile(t.Context())
		done <- err
	}()
	if texts := <-sorter.began; len(texts) != 4 {
		t.Fatalf("%d texts are compared", len(texts))
	}
	// Further ways to put it: one of a cluster that goes up in another, one that
	// stays alone, and two of a cluster that nobody has seen yet.
	sorter.by = nil
	record(t, s, build(3, 3, fail("TestC", "ash on deck"), fail("TestD", "boom broke")), build(4, 4, fail("TestE", "compass off"), fail("TestE", "compass out")))
	if l := list(t, s, live.Filter{Alone: true}); l.Total != 4 || l.Failures != 8 {
		t.Fatalf("meanwhile %d failures in %d clusters", l.Failures, l.Total)
	}
	sorter.by = firstLetter
	sorter.leave <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"anchor lost": 4, "boom bent": 2, "compass off": 2}
	l := list(t, s, live.Filter{Alone: true})
	if change.Merged != 1 || l.Total != len(want) {
		t.Errorf("%+v, %d clusters", change, l.Total)
	}
	for _, r := range l.Clusters {
		if r.Failures != want[r.Text] || r.Hits != want[r.Text] {
			t.Errorf("%s: %d failures, %d ever, not %d", r.Text, r.Failures, r.Hits, want[r.Text])
		}
	}
	equal(t, list(t, service(mem, c, firstLetter), live.Filter{Alone: true}), l)
}

// TestReconcileBeginsAgain has another process remove texts while they are
// compared: the places of what is left are others then.
func TestReconcileBeginsAgain(t *testing.T) {
	t.Parallel()
	mem, c := newMemory(), &clock{start.Add(50 * time.Hour)}
	other := service(mem, c, nil)
	record(t, other, build(1, 1, fail("TestA", "anchor lost"), fail("TestA", "anchor held")), build(2, 40, fail("TestC", "ash in the engine"), fail("TestD", "boom bent")))
	sorter := newSlow(firstLetter)
	s := live.New(live.Options{Store: mem, Sorter: sorter, Now: c.now, Keep: live.Retention{Failures: 400 * time.Hour}})
	done := make(chan error, 1)
	go func() {
		_, err := s.Reconcile(t.Context())
		done <- err
	}()
	if texts := <-sorter.began; len(texts) != 4 {
		t.Fatalf("%d texts are compared", len(texts))
	}
	late := live.New(live.Options{Store: mem, Sorter: words{}, Now: c.now, Keep: live.Retention{Failures: 24 * time.Hour}})
	if change, err := late.Reconcile(t.Context()); err != nil || change.Removed != 1 {
		t.Fatalf("%+v, %v", change, err)
	}
	sorter.leave <- struct{}{}
	if texts := <-sorter.began; len(texts) != 3 {
		t.Errorf("then %d texts are compared", len(texts))
	}
	sorter.leave <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	l := list(t, s, live.Filter{Alone: true})
	if l.Failures != 2 || l.Total != 2 {
		t.Errorf("%d failures in %d clusters", l.Failures, l.Total)
	}
}

func TestReconcileStops(t *testing.T) {
	t.Parallel()
	sorter := newSlow(nil)
	s := live.New(live.Options{Store: newMemory(), Sorter: sorter, Now: func() time.Time { return start.Add(time.Hour) }})
	record(t, s, build(1, 0.5, fail("TestA", "anchor lost")))
	gone := errors.New("gone home")
	ctx, stop := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Reconcile(ctx)
		done <- err
	}()
	<-sorter.began
	stop(gone)
	if err := <-done; !errors.Is(err, gone) {
		t.Error(err)
	}
	if l := list(t, s, live.Filter{Alone: true}); l.Total != 1 {
		t.Errorf("%d clusters are left", l.Total)
	}
}

// stuck is a store in which writing takes until it is let go.
type stuck struct {
	*memory
	writing, leave chan struct{}
}

func (s stuck) AddTriage(ctx context.Context, seq int64, r live.Rows) (live.State, error) {
	s.writing <- struct{}{}
	<-s.leave
	return s.memory.AddTriage(ctx, seq, r)
}

// TestPagesDoNotWaitForTheStore asks while a build is being written: the answer
// is as it was before.
func TestPagesDoNotWaitForTheStore(t *testing.T) {
	t.Parallel()
	db := stuck{newMemory(), make(chan struct{}), make(chan struct{})}
	s := service(db, &clock{start.Add(10 * time.Hour)}, nil)
	done := make(chan error)
	for n := range 3 {
		go func() {
			done <- s.Record(t.Context(), build(n, float64(n), fail("TestA", fmt.Sprintf("anchor lost %d", n))))
		}()
		<-db.writing
		if l := list(t, s, live.Filter{Alone: true}); l.Failures != n {
			t.Errorf("%d failures while build %d is written", l.Failures, n)
		}
		db.leave <- struct{}{}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if l := list(t, s, live.Filter{Alone: true}); l.Failures != n+1 {
			t.Errorf("%d failures once build %d is written", l.Failures, n)
		}
	}
}

// slowRead is a store in which reading takes until it is let go, once it has been
// read.
type slowRead struct {
	*memory
	reading, leave chan struct{}
	first          sync.Once
}

func (s *slowRead) TriageRows(ctx context.Context, after int64) (live.Rows, live.State, error) {
	wait := true
	s.first.Do(func() { wait = false })
	if wait {
		s.reading <- struct{}{}
		select {
		case <-s.leave:
		case <-ctx.Done():
			return live.Rows{}, live.State{}, context.Cause(ctx)
		}
	}
	return s.memory.TriageRows(ctx, after)
}

// TestPagesDoNotWaitForLongReading has another process write so much that it
// takes long to read: questions are answered as before, until it is read.
func TestPagesDoNotWaitForLongReading(t *testing.T) {
	t.Parallel()
	db := &slowRead{memory: newMemory(), reading: make(chan struct{}, 1), leave: make(chan struct{})}
	c := &clock{start.Add(10 * time.Hour)}
	changed := make(chan struct{}, 10)
	s := live.New(live.Options{Store: db, Sorter: words{}, Now: c.now, Patience: time.Millisecond, Changed: func() { changed <- struct{}{} }})
	list(t, s, live.Filter{})
	record(t, service(db.memory, c, nil), build(1, 1, fail("TestA", "anchor lost")))
	for range 3 { // the first waits in vain, the others not at all
		if l := list(t, s, live.Filter{}); l.Failures != 0 {
			t.Errorf("%d failures before they are read", l.Failures)
		}
	}
	<-db.reading
	db.leave <- struct{}{}
	<-changed // now it is read, and whoever looks is told
	for l := (live.List{}); l.Failures != 1; l = list(t, s, live.Filter{}) {
		select {
		case <-db.reading:
			db.leave <- struct{}{}
		default:
		}
	}
}
