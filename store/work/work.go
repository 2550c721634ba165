package work

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"seaworthy/store"
)

// DefaultQueue is the queue of an item that names none.
const DefaultQueue = "default"

// defaultAttempts with the pauses of defaultBackOff last for about three hours.
const defaultAttempts = 25

// Item is one piece of work.
type Item struct {
	// Kind names the handler.
	Kind string
	// Key tells items of one Kind apart: of equal ones only one waits, the
	// first. What varies belongs in the Key, or is looked up when it is
	// handled. An empty Key equals no other.
	Key string
	// Payload is JSON for the handler; it comes back as it was given.
	Payload json.RawMessage
	// Queue is one of Config.Queues; DefaultQueue when empty.
	Queue string
	// Delay is how long it waits at least.
	Delay time.Duration
	// MaxAttempts is how often it is tried before it is given up; 25 when 0.
	MaxAttempts int
	// Attempt counts from 1. It is set for the handler only.
	Attempt int
}

// Handler does one item. An error has it tried again later; Discard gives up
// at once. A panic is an error. When the context ends, the process is shutting
// down: return soon, and the item is taken up at the next start.
type Handler func(ctx context.Context, it Item) error

// Discard wraps an error that trying again cannot mend.
func Discard(err error) error { return discardError{err} }

type discardError struct{ error }

func (e discardError) Unwrap() error { return e.error }

// Config of a Queue.
type Config struct {
	// Queues maps each queue to the number of items it works on at a time.
	Queues map[string]int
	// Handlers by Item.Kind.
	Handlers map[string]Handler
	// Log receives failures; nothing is logged when nil.
	Log *slog.Logger
	// Now tells the time for due times; time.Now when nil.
	Now func() time.Time
	// BackOff returns the pause after the given attempt failed; by default a
	// second, doubled each time, at most ten minutes.
	BackOff func(attempt int) time.Duration
	// Grace is how long Run lets handlers finish once its context has ended,
	// before it ends their contexts; 10 seconds when zero.
	Grace time.Duration
}

// Queue queues work and, while Run runs, does it. Its methods may be called
// from many goroutines.
type Queue struct {
	db       *store.DB
	config   Config
	client   *river.Client[*sql.Tx]
	bell     *bell
	keys     keys
	started  atomic.Bool
	periodic periodicLoop
}

// New returns a queue on a database that Migrate has prepared.
func New(db *store.DB, config Config) (*Queue, error) {
	if err := config.complete(); err != nil {
		return nil, fmt.Errorf("work queue: %w", err)
	}
	q := &Queue{db: db, config: config, bell: newBell(), keys: keys{running: map[key]chan struct{}{}}}
	q.periodic.changed = make(chan struct{}, 1)
	client, err := newClient(q)
	if err != nil {
		return nil, fmt.Errorf("work queue: %w", err)
	}
	q.client = client
	return q, nil
}

func (c *Config) complete() error {
	if len(c.Queues) == 0 || len(c.Handlers) == 0 {
		return errors.New("it needs at least one queue and one handler")
	}
	for kind, h := range c.Handlers {
		if kind == "" || h == nil {
			return fmt.Errorf("handler %q is empty", kind)
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.BackOff == nil {
		c.BackOff = defaultBackOff
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	return nil
}

func defaultBackOff(attempt int) time.Duration {
	return min(time.Second<<min(max(attempt-1, 0), 20), 10*time.Minute)
}

// Enqueue queues an item in a transaction of its own. Inside store.DB.Write
// use EnqueueTx: SQLite has one writer, which Enqueue would wait for.
func (q *Queue) Enqueue(ctx context.Context, it Item) error {
	return q.db.Write(ctx, func(tx *sql.Tx) error { return q.EnqueueTx(ctx, tx, it) })
}

// EnqueueTx queues an item as part of a transaction of store.DB.Write: the
// item exists if that commits. When it does, an item that is due is started
// within milliseconds by this process, and within half a second by another.
func (q *Queue) EnqueueTx(ctx context.Context, tx *sql.Tx, it Item) error {
	if err := q.enqueue(ctx, tx, it); err != nil {
		return fmt.Errorf("queueing %s %q: %w", it.Kind, it.Key, err)
	}
	return nil
}

func (q *Queue) enqueue(ctx context.Context, tx *sql.Tx, it Item) error {
	if it.Queue == "" {
		it.Queue = DefaultQueue
	}
	if it.MaxAttempts == 0 {
		it.MaxAttempts = defaultAttempts
	}
	if err := q.check(it); err != nil {
		return err
	}
	// Also for an item that changes nothing: its twin may have been passed
	// over while this transaction held it.
	if err := q.db.OnCommit(tx, func() { q.bell.ringIn(it.Delay, it.Queue) }); err != nil {
		return err
	}
	token := rand.Text()
	if it.Key != "" {
		fresh, err := q.claim(ctx, tx, it, token)
		if err != nil || !fresh {
			return err
		}
	}
	options := &river.InsertOpts{Queue: it.Queue, MaxAttempts: it.MaxAttempts}
	if it.Delay > 0 {
		options.ScheduledAt = time.Now().Add(it.Delay)
	}
	r, err := q.client.InsertTx(ctx, tx, itemArgs{ItemKind: it.Kind, Key: it.Key, Token: token, Payload: string(it.Payload)}, options)
	if err != nil || it.Delay == 0 {
		return err
	}
	// River looks for scheduled jobs every five seconds only. An available one
	// is not taken before its time either, and is looked for all the time.
	_, err = tx.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE id = $1`, r.Job.ID)
	return err
}

func (q *Queue) check(it Item) error {
	switch {
	case q.config.Handlers[it.Kind] == nil:
		return fmt.Errorf("no handler for %q", it.Kind)
	case q.config.Queues[it.Queue] == 0:
		return fmt.Errorf("no queue %q", it.Queue)
	case it.Delay < 0 || it.MaxAttempts < 0:
		return errors.New("a negative Delay or MaxAttempts")
	case len(it.Payload) > 0 && !json.Valid(it.Payload):
		return errors.New("the payload is not valid JSON")
	}
	return nil
}

// staleAfter is when an item that should have started long ago is no longer
// trusted to be in the queue.
const staleAfter = time.Hour

// claim makes the item the one that waits under its key, and reports whether
// it must be inserted. Updating the row of a waiting twin keeps that twin from
// starting before this transaction ends, so that it sees what it changed.
func (q *Queue) claim(ctx context.Context, tx *sql.Tx, it Item, token string) (fresh bool, err error) {
	now := q.config.Now()
	runAt := now.Add(it.Delay)
	var (
		twin  string
		twins int64
	)
	err = tx.QueryRowContext(ctx, `
		UPDATE work_item SET dropped = dropped WHERE kind = $1 AND key = $2 AND NOT dropped
		RETURNING token, run_at`, it.Kind, it.Key).Scan(&twin, &twins)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return false, err
	case twins <= store.Micros(runAt) && twins > store.Micros(now.Add(-staleAfter)):
		return false, nil
	default:
		if _, err := tx.ExecContext(ctx, `UPDATE work_item SET dropped = true WHERE token = $1`, twin); err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO work_item (token, kind, key, run_at, dropped) VALUES ($1, $2, $3, $4, false)`,
		token, it.Kind, it.Key, store.Micros(runAt))
	return err == nil, err
}

// begin marks the item as started, and reports whether it is still wanted.
func (q *Queue) begin(ctx context.Context, a itemArgs, attempt int) (wanted bool, err error) {
	if a.Key == "" {
		return true, nil
	}
	err = q.db.Write(ctx, func(tx *sql.Tx) error {
		wanted = true
		var dropped bool
		err := tx.QueryRowContext(ctx, `DELETE FROM work_item WHERE token = $1 RETURNING dropped`, a.Token).Scan(&dropped)
		if err == nil {
			wanted = !dropped
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) || attempt == 1 {
			return ignoreNoRows(err)
		}
		// It started before. If a fresh twin is due by now, that will do.
		var twin string
		err = tx.QueryRowContext(ctx, `SELECT token FROM work_item WHERE kind = $1 AND key = $2 AND NOT dropped AND run_at <= $3`,
			a.ItemKind, a.Key, store.Micros(q.config.Now())).Scan(&twin)
		wanted = errors.Is(err, sql.ErrNoRows)
		return ignoreNoRows(err)
	})
	return wanted, err
}

func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
