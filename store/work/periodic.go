package work

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"seaworthy/store"
)

// Periodic is an item that is queued again and again.
type Periodic struct {
	// Key identifies it across restarts.
	Key string
	// Cron is five fields ("0 6 * * 1-5"), or @hourly, @daily, …, in UTC.
	// Set it or Every.
	Cron string
	// Every is the time from one queueing to the next, at least a second. It
	// is queued at once when it is first set.
	Every time.Duration
	Item  Item
}

// periodicLoop is what periodicLoop works on.
type periodicLoop struct {
	mu      sync.Mutex
	all     map[string]scheduled // by Periodic.Key
	changed chan struct{}
}

// scheduled is a Periodic with its schedule read.
type scheduled struct {
	Periodic
	next func(time.Time) (time.Time, bool)
}

// spec identifies the schedule: a changed one starts anew.
func (p Periodic) spec() string {
	if p.Cron != "" {
		return p.Cron
	}
	return "every " + p.Every.String()
}

// Periodic replaces the set of periodic items. Those whose Key and schedule
// stay keep their next time, so one that was missed while no process ran is
// queued once when Run starts. Nothing changes if one of them is wrong.
func (q *Queue) Periodic(ctx context.Context, set []Periodic) error {
	all := map[string]scheduled{}
	for _, p := range set {
		next, err := q.schedule(p)
		if err != nil {
			return fmt.Errorf("periodic item %q: %w", p.Key, err)
		}
		if _, ok := all[p.Key]; ok {
			return fmt.Errorf("periodic item %q is there twice", p.Key)
		}
		all[p.Key] = scheduled{p, next}
	}
	if err := q.savePeriodic(ctx, all); err != nil {
		return fmt.Errorf("setting periodic items: %w", err)
	}
	q.periodic.mu.Lock()
	q.periodic.all = all
	q.periodic.mu.Unlock()
	select {
	case q.periodic.changed <- struct{}{}:
	default:
	}
	return nil
}

// schedule checks a Periodic and reads its schedule.
func (q *Queue) schedule(p Periodic) (func(time.Time) (time.Time, bool), error) {
	it := p.Item
	if it.Queue == "" {
		it.Queue = DefaultQueue
	}
	if err := q.check(it); err != nil {
		return nil, err
	}
	switch {
	case p.Key == "":
		return nil, errors.New("it has no key")
	case (p.Cron == "") == (p.Every == 0):
		return nil, errors.New("set either Cron or Every")
	case p.Cron != "":
		return parseCron(p.Cron)
	case p.Every < time.Second:
		return nil, fmt.Errorf("every %s is too often: a second at least", p.Every)
	}
	return func(t time.Time) (time.Time, bool) { return t.Add(p.Every), true }, nil
}

// cronFields are the second, which may be left out, and the five usual fields,
// or @daily and the like.
const cronFields = cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor

// parseCron reads a schedule. The function it returns gives the first time
// after another, or false if there is none in the next five years ("0 0 31 2 *").
func parseCron(spec string) (func(time.Time) (time.Time, bool), error) {
	if strings.Contains(spec, "TZ=") {
		return nil, fmt.Errorf("cron %q: times are in UTC, leave the time zone out", spec)
	}
	s, err := cron.NewParser(cronFields).Parse(spec)
	if err != nil {
		return nil, fmt.Errorf("cron %q: write five fields, minute hour day month weekday: %w", spec, err)
	}
	return func(t time.Time) (time.Time, bool) {
		next := s.Next(t.UTC())
		return next, !next.IsZero()
	}, nil
}

// farAway stands for a time that never comes.
var farAway = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (s scheduled) after(t time.Time) time.Time {
	if next, ok := s.next(t); ok {
		return next
	}
	return farAway
}

// savePeriodic stores when each is due, and forgets those that are gone.
func (q *Queue) savePeriodic(ctx context.Context, all map[string]scheduled) error {
	now := q.config.Now()
	return q.db.Write(ctx, func(tx *sql.Tx) error {
		known, err := periodicSpecs(ctx, tx)
		if err != nil {
			return err
		}
		for key := range known {
			if _, ok := all[key]; !ok {
				if _, err := tx.ExecContext(ctx, `DELETE FROM work_periodic WHERE key = $1`, key); err != nil {
					return err
				}
			}
		}
		for key, p := range all {
			if known[key] == p.spec() {
				continue
			}
			first := now
			if p.Cron != "" {
				first = p.after(now)
			}
			_, err := tx.ExecContext(ctx, `
				INSERT INTO work_periodic (key, spec, next_at) VALUES ($1, $2, $3)
				ON CONFLICT (key) DO UPDATE SET spec = excluded.spec, next_at = excluded.next_at`,
				key, p.spec(), store.Micros(first))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func periodicSpecs(ctx context.Context, tx *sql.Tx) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT key, spec FROM work_periodic`)
	if err != nil {
		return nil, err
	}
	specs := map[string]string{}
	for rows.Next() {
		var key, spec string
		if err := rows.Scan(&key, &spec); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		specs[key] = spec
	}
	return specs, errors.Join(rows.Err(), rows.Close())
}

// Bounds of the wait for the next periodic item. The longest wait bounds how
// late one is after the system's clock was set, or the machine slept.
const (
	longestWait = time.Minute
	retryWait   = 5 * time.Second // after a failure of the database
)

// periodicLoop queues what is due, and sleeps until the next is.
func (q *Queue) periodicLoop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-q.periodic.changed:
		case <-timer.C:
		}
		wait, err := q.queueDue(ctx)
		if err != nil && ctx.Err() == nil {
			q.config.Log.Error("work queue: queueing periodic items", slog.Any("err", err))
			wait = retryWait
		}
		timer.Reset(wait)
	}
}

// queueDue queues the items that are due and returns the time until the next.
func (q *Queue) queueDue(ctx context.Context) (time.Duration, error) {
	q.periodic.mu.Lock()
	all := q.periodic.all
	q.periodic.mu.Unlock()
	wait := longestWait
	for _, p := range all {
		next, err := q.queueIfDue(ctx, p)
		if err != nil {
			return 0, fmt.Errorf("periodic item %q: %w", p.Key, err)
		}
		wait = min(wait, max(0, next.Sub(q.config.Now())))
	}
	return wait, nil
}

// queueIfDue queues one item if it is due, and returns when it is due next.
// Of several processes only one finds it due: the time is moved on in the
// same transaction.
func (q *Queue) queueIfDue(ctx context.Context, p scheduled) (next time.Time, err error) {
	var due int64
	err = q.db.Read().QueryRowContext(ctx, `SELECT next_at FROM work_periodic WHERE key = $1`, p.Key).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return farAway, nil // another process has a set without it
	}
	now := q.config.Now()
	if err != nil || due > store.Micros(now) {
		return store.FromMicros(due), err
	}
	next = p.after(now)
	err = q.db.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE work_periodic SET next_at = $3 WHERE key = $1 AND next_at = $2`,
			p.Key, due, store.Micros(next))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		return q.EnqueueTx(ctx, tx, p.Item)
	})
	return next, err
}
