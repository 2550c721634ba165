package work_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"seaworthy/store"
	"seaworthy/store/storetest"
	"seaworthy/store/work"
)

// clock is a time that tests set.
type clock struct{ now chan time.Time }

func newClock(t time.Time) *clock {
	c := &clock{make(chan time.Time, 1)}
	c.now <- t
	return c
}

// Now and set share the one value in the channel.
func (c *clock) Now() time.Time {
	t := <-c.now
	c.now <- t
	return t
}

func (c *clock) set(t time.Time) {
	<-c.now
	c.now <- t
}

func at(s string) time.Time {
	t, err := time.Parse(time.DateTime, s)
	if err != nil {
		panic(err) // a mistake in this file
	}
	return t
}

func set(t *testing.T, q *work.Queue, ps ...work.Periodic) {
	t.Helper()
	if err := q.Periodic(t.Context(), ps); err != nil {
		t.Fatal(err)
	}
}

func TestPeriodic(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock(at("2026-01-05 05:59:00"))
		got := make(chan string, 10)
		q := start(t, db, func(_ context.Context, it work.Item) error { got <- it.Key; return nil },
			func(config *work.Config) { config.Now = c.Now })
		daily := work.Periodic{Key: "daily", Cron: "0 6 * * *", Item: work.Item{Kind: "do", Key: "daily"}}
		hourly := work.Periodic{Key: "hourly", Every: time.Hour, Item: work.Item{Kind: "do", Key: "hourly"}}
		never := work.Periodic{Key: "never", Cron: "0 0 31 2 *", Item: work.Item{Kind: "do", Key: "never"}}

		set(t, q, daily, hourly, never)
		if key := receive(t, got); key != "hourly" {
			t.Errorf("%s ran, want the hourly one, which is due when it is set", key)
		}
		// A set of the same changes no times, but makes the loop look.
		c.set(at("2026-01-05 06:00:00"))
		set(t, q, daily, hourly, never)
		if key := receive(t, got); key != "daily" {
			t.Errorf("%s ran at six, want the daily one", key)
		}
		// What is not in the set any more does not run, a new schedule counts.
		daily.Cron = "30 7 * * *"
		set(t, q, daily)
		c.set(at("2026-01-05 07:30:00"))
		set(t, q, daily)
		if key := receive(t, got); key != "daily" {
			t.Errorf("%s ran, want the daily one on its new schedule", key)
		}
		idle(t, q)
		if len(got) != 0 {
			t.Errorf("%s ran as well", <-got)
		}
	})
}

// A time that passed while no process ran is made up for, once.
func TestPeriodicCatchesUp(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		daily := work.Periodic{Key: "daily", Cron: "@daily", Item: work.Item{Kind: "do", Key: "daily"}}
		nothing := func(context.Context, work.Item) error { return nil }
		q := newQueue(t, db, nothing, func(config *work.Config) { config.Now = newClock(at("2026-01-05 12:00:00")).Now })
		set(t, q, daily)

		got := make(chan string, 10)
		q = newQueue(t, db, func(_ context.Context, it work.Item) error { got <- it.Key; return nil },
			func(config *work.Config) { config.Now = newClock(at("2026-01-09 12:00:00")).Now })
		set(t, q, daily)
		run(t, q)
		receive(t, got)
		idle(t, q)
		if len(got) != 0 {
			t.Error("the four days that were missed ran more than once")
		}
	})
}

// Of several processes, one queues what is due.
func TestPeriodicOncePerDatabase(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const n = 20
		got := make(chan string, 2*n)
		handler := func(_ context.Context, it work.Item) error { got <- it.Key; return nil }
		var ps []work.Periodic
		for i := range n {
			ps = append(ps, work.Periodic{Key: fmt.Sprint(i), Every: time.Hour, Item: work.Item{Kind: "do"}})
		}
		first, second := newQueue(t, db, handler), newQueue(t, db, handler)
		set(t, first, ps...)
		set(t, second, ps...)
		stopFirst, stopSecond := run(t, first), run(t, second)
		for range n {
			receive(t, got)
		}
		stopFirst()
		stopSecond()
		if jobs := count(t, db, `SELECT count(*) FROM river_job`); jobs != n {
			t.Errorf("%d items were queued, want %d", jobs, n)
		}
	})
}

func TestPeriodicRefusals(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	q := newQueue(t, db, func(context.Context, work.Item) error { return nil })
	good := work.Periodic{Key: "good", Cron: "@hourly", Item: work.Item{Kind: "do"}}
	set(t, q, good)
	do := work.Item{Kind: "do"}
	for want, p := range map[string]work.Periodic{
		"no key":               {Cron: "@daily", Item: do},
		"either Cron or Every": {Key: "k", Item: do},
		"set either":           {Key: "k", Cron: "@daily", Every: time.Hour, Item: do},
		"too often":            {Key: "k", Every: time.Millisecond, Item: do},
		"no handler":           {Key: "k", Cron: "@daily", Item: work.Item{Kind: "dont"}},
		"five fields":          {Key: "k", Cron: "61 * * * *", Item: do},
		"in UTC":               {Key: "k", Cron: "CRON_TZ=Asia/Tokyo 0 6 * * *", Item: do},
		"twice":                {Key: "good", Cron: "@daily", Item: do},
	} {
		err := q.Periodic(t.Context(), []work.Periodic{good, p})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Periodic(%+v) = %v, want %q", p, err, want)
		}
	}
	if n := count(t, db, `SELECT count(*) FROM work_periodic`); n != 1 {
		t.Errorf("%d periodic items are stored, want the good one alone", n)
	}
}
