package work_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"seaworthy/store"
	"seaworthy/store/storetest"
	"seaworthy/store/work"
)

// patience bounds every wait in these tests; reaching it is a failure.
const patience = 2 * time.Minute

// start makes a queue with one handler for kind "do" and runs it until the
// test ends.
func start(t *testing.T, db *store.DB, h work.Handler, change ...func(*work.Config)) *work.Queue {
	t.Helper()
	q := newQueue(t, db, h, change...)
	run(t, q)
	return q
}

func newQueue(t *testing.T, db *store.DB, h work.Handler, change ...func(*work.Config)) *work.Queue {
	t.Helper()
	if err := work.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	config := work.Config{
		Queues:   map[string]int{work.DefaultQueue: 4},
		Handlers: map[string]work.Handler{"do": h},
		BackOff:  func(int) time.Duration { return time.Millisecond },
	}
	for _, f := range change {
		f(&config)
	}
	q, err := work.New(db, config)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// run runs q and returns a function that stops it and waits.
func run(t *testing.T, q *work.Queue) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(stop)
	return stop
}

func enqueue(t *testing.T, q *work.Queue, it work.Item) {
	t.Helper()
	if err := q.Enqueue(t.Context(), it); err != nil {
		t.Fatal(err)
	}
}

func idle(t *testing.T, q *work.Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := q.Idle(ctx); err != nil {
		t.Fatal(err)
	}
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// log collects what handlers were given.
type log struct {
	mu    sync.Mutex
	items []work.Item
}

func (l *log) add(it work.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, it)
}

func (l *log) keys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for _, it := range l.items {
		keys = append(keys, it.Key)
	}
	slices.Sort(keys)
	return keys
}

func TestHandlerGetsItem(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		got := make(chan work.Item, 1)
		q := start(t, db, func(_ context.Context, it work.Item) error { got <- it; return nil })
		// Spacing, order of keys and a NUL must come back as they were.
		payload := json.RawMessage(`{"b": 1,  "a":"\u0000é", "b":2}`)
		enqueue(t, q, work.Item{Kind: "do", Key: "k", Payload: payload, MaxAttempts: 3})
		want := work.Item{Kind: "do", Key: "k", Payload: payload, Queue: "default", MaxAttempts: 3, Attempt: 1}
		if diff := cmp.Diff(want, receive(t, got)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEnqueueTx(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var l log
		q := start(t, db, func(_ context.Context, it work.Item) error { l.add(it); return nil })
		boom := errors.New("boom")
		for key, want := range map[string]error{"kept": nil, "rolled back": boom} {
			err := db.Write(t.Context(), func(tx *sql.Tx) error {
				if err := q.EnqueueTx(t.Context(), tx, work.Item{Kind: "do", Key: key}); err != nil {
					return err
				}
				return want
			})
			if !errors.Is(err, want) {
				t.Fatal(err)
			}
		}
		idle(t, q)
		if diff := cmp.Diff([]string{"kept"}, l.keys()); diff != "" {
			t.Error(diff)
		}
	})
}

// An item queued while its twin waits is the same; one queued while its twin
// runs is another, and starts when the twin has ended.
func TestTwins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		started, finish := make(chan int), make(chan struct{})
		var mu sync.Mutex
		runs, running := 0, 0
		q := newQueue(t, db, func(context.Context, work.Item) error {
			mu.Lock()
			runs, running = runs+1, running+1
			n := running
			mu.Unlock()
			started <- n
			<-finish
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		})
		for range 3 {
			enqueue(t, q, work.Item{Kind: "do", Key: "k"})
		}
		run(t, q)
		receive(t, started)
		for range 3 {
			enqueue(t, q, work.Item{Kind: "do", Key: "k"})
		}
		finish <- struct{}{}
		if n := receive(t, started); n != 1 {
			t.Errorf("%d twins run at the same time", n)
		}
		finish <- struct{}{}
		idle(t, q)
		if runs != 2 {
			t.Errorf("ran %d times, want 2: once for what waited, once for what came while it ran", runs)
		}
	})
}

func TestOtherKeysAreNotTwins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var l log
		q := newQueue(t, db, func(_ context.Context, it work.Item) error { l.add(it); return nil })
		for _, k := range []string{"a", "b", "", ""} {
			enqueue(t, q, work.Item{Kind: "do", Key: k})
		}
		run(t, q)
		idle(t, q)
		if diff := cmp.Diff([]string{"", "", "a", "b"}, l.keys()); diff != "" {
			t.Error(diff)
		}
	})
}

// A sooner twin takes the place of a delayed one, which then does nothing.
func TestSoonerTwin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		got := make(chan string, 10)
		q := start(t, db, func(_ context.Context, it work.Item) error { got <- it.Key; return nil })
		enqueue(t, q, work.Item{Kind: "do", Key: "k", Delay: 500 * time.Millisecond})
		idle(t, q)
		if len(got) != 0 {
			t.Fatal("a delayed item ran at once")
		}
		enqueue(t, q, work.Item{Kind: "do", Key: "k"})
		if key := receive(t, got); key != "k" {
			t.Errorf("%s has run, want the sooner twin", key)
		}
		// Due after the dropped item, and in the same queue.
		enqueue(t, q, work.Item{Kind: "do", Key: "last", Delay: 600 * time.Millisecond})
		if key := receive(t, got); key != "last" {
			t.Errorf("%s has run: the dropped twin was not dropped", key)
		}
	})
}

// A later twin changes nothing.
func TestLaterTwin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var l log
		q := newQueue(t, db, func(_ context.Context, it work.Item) error { l.add(it); return nil })
		enqueue(t, q, work.Item{Kind: "do", Key: "k"})
		enqueue(t, q, work.Item{Kind: "do", Key: "k", Delay: time.Hour})
		run(t, q)
		idle(t, q)
		if diff := cmp.Diff([]string{"k"}, l.keys()); diff != "" {
			t.Error(diff)
		}
		if n := count(t, db, `SELECT count(*) FROM river_job WHERE state <> 'completed'`); n != 0 {
			t.Errorf("%d items wait, want none", n)
		}
	})
}

func count(t *testing.T, db *store.DB, query string) (n int) {
	t.Helper()
	if err := db.Read().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRetry(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := map[string]struct {
		fail func(attempt int) error
		want int // how often the handler runs
	}{
		"success":         {func(int) error { return nil }, 1},
		"fails twice":     {failUntil(3, func() error { return boom }), 3},
		"panics once":     {failUntil(2, func() error { panic("boom") }), 2},
		"never succeeds":  {func(int) error { return boom }, 4},
		"discard":         {func(int) error { return work.Discard(boom) }, 1},
		"wrapped discard": {func(int) error { return fmt.Errorf("x: %w", work.Discard(boom)) }, 1},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ended := make(chan string, 100)
		q := start(t, db, func(_ context.Context, it work.Item) error {
			defer func() { ended <- it.Key }()
			return tests[it.Key].fail(it.Attempt)
		})
		want, got := map[string]int{}, map[string]int{}
		total := 0
		for name, test := range tests {
			enqueue(t, q, work.Item{Kind: "do", Key: name, MaxAttempts: 4})
			want[name] = test.want
			total += test.want
		}
		for range total {
			got[receive(t, ended)]++
		}
		idle(t, q)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if len(ended) != 0 {
			t.Errorf("%s ran once more", <-ended)
		}
		if n := count(t, db, `SELECT count(*) FROM work_item`); n != 0 {
			t.Errorf("%d keys are held by items that have ended", n)
		}
	})
}

func failUntil(success int, fail func() error) func(int) error {
	return func(attempt int) error {
		if attempt < success {
			return fail()
		}
		return nil
	}
}

func TestDiscardUnwraps(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	if err := work.Discard(boom); !errors.Is(err, boom) || err.Error() != "boom" {
		t.Errorf("Discard(boom) = %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	q := newQueue(t, db, func(context.Context, work.Item) error { return nil })
	for want, it := range map[string]work.Item{
		`no handler for "dont"`: {Kind: "dont"},
		`no queue "slow"`:       {Kind: "do", Queue: "slow"},
		`negative Delay`:        {Kind: "do", Delay: -1},
		`not valid JSON`:        {Kind: "do", Payload: json.RawMessage(`{`)},
	} {
		if err := q.Enqueue(t.Context(), it); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Enqueue(%+v) = %v, want %s", it, err, want)
		}
	}
	if n := count(t, db, `SELECT count(*) FROM river_job`); n != 0 {
		t.Errorf("%d items were queued", n)
	}
	tx, err := db.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.EnqueueTx(t.Context(), tx, work.Item{Kind: "do"}); err == nil {
		t.Error("EnqueueTx took a transaction that Write did not begin")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for _, config := range []work.Config{
		{},
		{Queues: map[string]int{"default": 1}},
		{Queues: map[string]int{"default": 1}, Handlers: map[string]work.Handler{"do": nil}},
		{Queues: map[string]int{"default": -1}, Handlers: map[string]work.Handler{"do": func(context.Context, work.Item) error { return nil }}},
	} {
		if _, err := work.New(db, config); err == nil {
			t.Errorf("New(%+v) succeeded", config)
		}
	}
}

func TestRunsOnce(t *testing.T) {
	t.Parallel()
	q := newQueue(t, storetest.SQLite(t), func(context.Context, work.Item) error { return nil })
	run(t, q)()
	if err := q.Run(t.Context()); err == nil {
		t.Error("a second Run succeeded")
	}
}

// Run lets handlers finish, and ends the context of those that do not. What
// was interrupted runs at the next start, and that was no failed attempt.
func TestShutdown(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		started, finish, attempts := make(chan string, 10), make(chan struct{}), make(chan int, 10)
		q := newQueue(t, db, func(ctx context.Context, it work.Item) error {
			started <- it.Key
			if it.Key == "patient" {
				<-finish
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, func(c *work.Config) { c.Grace = 200 * time.Millisecond })
		stop := run(t, q)
		enqueue(t, q, work.Item{Kind: "do", Key: "patient"})
		enqueue(t, q, work.Item{Kind: "do", Key: "stubborn"})
		receive(t, started)
		receive(t, started)
		close(finish)
		stop()
		start(t, db, func(_ context.Context, it work.Item) error {
			started <- it.Key
			attempts <- it.Attempt
			return nil
		})
		if key := receive(t, started); key != "stubborn" {
			t.Errorf("%s ran again, want the one that was interrupted", key)
		}
		if n := receive(t, attempts); n != 1 {
			t.Errorf("attempt %d, want 1", n)
		}
	})
}

// Many producers and several workers lose nothing and double nothing.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var l log
		q := start(t, db, func(_ context.Context, it work.Item) error { l.add(it); return nil })
		const producers, each = 6, 8
		var group errgroup.Group
		var want []string
		for p := range producers {
			for i := range each {
				want = append(want, fmt.Sprintf("%d-%d", p, i))
			}
			group.Go(func() error {
				for i := range each {
					if err := q.Enqueue(t.Context(), work.Item{Kind: "do", Key: fmt.Sprintf("%d-%d", p, i)}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		idle(t, q)
		slices.Sort(want)
		if diff := cmp.Diff(want, l.keys()); diff != "" {
			t.Error(diff)
		}
	})
}

// Whoever queues a key sees it handled after what he wrote, however many
// queue the same key at the same time.
func TestNoLostWakeUp(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const writers, each = 6, 10
		var mu sync.Mutex
		seen := 0
		q := start(t, db, func(ctx context.Context, _ work.Item) error {
			var n int
			err := db.Read().QueryRowContext(ctx, `SELECT count(*) FROM setting`).Scan(&n)
			mu.Lock()
			defer mu.Unlock()
			seen = max(seen, n)
			return err
		})
		var group errgroup.Group
		for w := range writers {
			group.Go(func() error {
				for i := range each {
					err := db.Write(t.Context(), func(tx *sql.Tx) error {
						_, err := tx.ExecContext(t.Context(), `INSERT INTO setting (key, value, updated_at) VALUES ($1, '', 0)`, fmt.Sprintf("%d-%d", w, i))
						if err != nil {
							return err
						}
						return q.EnqueueTx(t.Context(), tx, work.Item{Kind: "do", Key: "same"})
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		idle(t, q)
		if seen != writers*each {
			t.Errorf("the last run saw %d of %d changes", seen, writers*each)
		}
	})
}

func BenchmarkLatency(b *testing.B) {
	db := storetest.SQLite(b)
	if err := work.Migrate(b.Context(), db); err != nil {
		b.Fatal(err)
	}
	got := make(chan time.Time)
	q, err := work.New(db, work.Config{
		Queues:   map[string]int{work.DefaultQueue: 2},
		Handlers: map[string]work.Handler{"do": func(context.Context, work.Item) error { got <- time.Now(); return nil }},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	var total, worst time.Duration
	n := 0
	for b.Loop() {
		if err := q.Enqueue(ctx, work.Item{Kind: "do", Key: "k"}); err != nil {
			b.Fatal(err)
		}
		enqueued := time.Now()
		d := (<-got).Sub(enqueued)
		total, worst, n = total+d, max(worst, d), n+1
	}
	b.ReportMetric(float64(total.Microseconds())/float64(n)/1000, "ms-to-start")
	b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
