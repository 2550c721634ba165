package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"seaworthy/store"
)

const (
	// pollInterval is how soon an item is noticed for which no bell rang: one
	// that another process queued, or a delayed one after a restart. There is
	// no other process on SQLite, where looking costs this process the most.
	pollInterval       = 500 * time.Millisecond
	pollIntervalSQLite = 3 * time.Second
	// fetchCooldown is the least time between two looks into the queue.
	fetchCooldown = 2 * time.Millisecond
	// never is for River's own rescue of jobs that seem stuck, which goes by
	// how long they run. See reclaim.
	never = time.Duration(math.MaxInt64) / 4
)

// Migrate makes River's tables, or brings them up to date. It comes after
// store.DB.Migrate.
func Migrate(ctx context.Context, db *store.DB) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrating the work queue in %s: %w", db, err)
		}
	}()
	unlock, err := db.Lock(ctx, "migrating the work queue")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	m, err := rivermigrate.New(driverFor(db, nil), nil)
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

func newClient(q *Queue) (*river.Client[*sql.Tx], error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{queue: q}); err != nil {
		return nil, err
	}
	queues := map[string]river.QueueConfig{}
	for name, n := range q.config.Queues {
		queues[name] = river.QueueConfig{MaxWorkers: n}
	}
	poll := pollInterval
	if q.db.Dialect() == store.SQLite {
		poll = pollIntervalSQLite
	}
	return river.NewClient(driverFor(q.db, q.bell), &river.Config{
		FetchCooldown:        fetchCooldown,
		FetchPollInterval:    poll,
		JobTimeout:           -1, // handlers know best how long they may take
		Logger:               q.config.Log,
		Queues:               queues,
		RescueStuckJobsAfter: never,
		RetryPolicy:          retryPolicy(q.config.BackOff),
		Workers:              workers,
	})
}

// itemArgs is an item as River keeps it. The payload is a text within the
// JSON, since Postgres would write its JSON anew, and refuse some.
type itemArgs struct {
	ItemKind string `json:"kind"`
	Key      string `json:"key,omitempty"`
	Token    string `json:"token"`
	Payload  string `json:"payload,omitempty"`
}

// Kind implements river.JobArgs.
func (itemArgs) Kind() string { return "item" }

// worker hands River's jobs to our handlers.
type worker struct {
	river.WorkerDefaults[itemArgs]
	queue *Queue
}

// Work implements river.Worker. River turns a panic into an error.
func (w *worker) Work(ctx context.Context, j *river.Job[itemArgs]) error {
	err := w.queue.work(ctx, j)
	var discard discardError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		// The shutdown interrupted it; that is no failed attempt.
		return river.JobSnooze(0)
	case errors.As(err, &discard):
		return river.JobCancel(discard.error)
	default:
		return err
	}
}

func (q *Queue) work(ctx context.Context, j *river.Job[itemArgs]) error {
	a := j.Args
	handle := q.config.Handlers[a.ItemKind]
	if handle == nil {
		return fmt.Errorf("no handler for %q", a.ItemKind)
	}
	if a.Key != "" {
		unlock, err := q.keys.lock(ctx, key{a.ItemKind, a.Key})
		if err != nil {
			return err
		}
		defer unlock()
	}
	wanted, err := q.begin(ctx, a, j.Attempt)
	if err != nil || !wanted {
		return err
	}
	return handle(ctx, Item{
		Kind: a.ItemKind, Key: a.Key, Payload: payload(a.Payload),
		Queue: j.Queue, MaxAttempts: j.MaxAttempts, Attempt: j.Attempt,
	})
}

func payload(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

// retryPolicy adapts Config.BackOff.
type retryPolicy func(attempt int) time.Duration

// NextRetry implements river.ClientRetryPolicy.
func (p retryPolicy) NextRetry(j *rivertype.JobRow) time.Time { return time.Now().Add(p(j.Attempt)) }

// key of an item.
type key struct{ kind, key string }

// keys are those that run in this process.
type keys struct {
	mu      sync.Mutex
	running map[key]chan struct{} // closed when the item ends
}

// lock waits until no item of the key runs.
func (k *keys) lock(ctx context.Context, of key) (unlock func(), err error) {
	for {
		k.mu.Lock()
		ended, busy := k.running[of]
		if !busy {
			mine := make(chan struct{})
			k.running[of] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				defer k.mu.Unlock()
				delete(k.running, of)
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// driverFor returns River's driver for the database. With a bell, River looks
// into the queue when the bell rings.
func driverFor(db *store.DB, b *bell) riverdriver.Driver[*sql.Tx] {
	var d riverdriver.Driver[*sql.Tx] = riversqlite.New(db.Writer())
	if db.Dialect() == store.Postgres {
		d = riverdatabasesql.New(db.Writer())
	}
	if b == nil {
		return d
	}
	return driver{d, b}
}

// driver is one of River's with the bell in place of LISTEN and NOTIFY, which
// one of the databases has not, and database/sql gives no access to in the
// other.
type driver struct {
	riverdriver.Driver[*sql.Tx]
	bell *bell
}

// SupportsListener and the following implement riverdriver.Driver.
func (driver) SupportsListener() bool     { return true }
func (driver) SupportsListenNotify() bool { return false }
func (d driver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return listener{d.bell}
}

// bell tells River within the process that a queue has something to do.
type bell struct {
	mu     sync.Mutex
	queues map[string]bool
	rung   chan struct{} // holds one while queues is not empty
}

func newBell() *bell { return &bell{queues: map[string]bool{}, rung: make(chan struct{}, 1)} }

func (b *bell) ring(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queues[queue] = true
	b.wake()
}

// ringIn rings after a delay. A bell that rings after the end of Run is not
// heard, and does no harm.
func (b *bell) ringIn(delay time.Duration, queue string) {
	if delay <= 0 {
		b.ring(queue)
		return
	}
	// A little later: the databases round times.
	time.AfterFunc(delay+2*time.Millisecond, func() { b.ring(queue) })
}

func (b *bell) wake() {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// next returns a queue for which the bell rang, or waits for one.
func (b *bell) next(ctx context.Context) (string, error) {
	for {
		select {
		case <-b.rung:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if queue, ok := b.take(); ok {
			return queue, nil
		}
	}
}

func (b *bell) take() (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for queue := range b.queues {
		delete(b.queues, queue)
		if len(b.queues) > 0 {
			b.wake()
		}
		return queue, true
	}
	return "", false
}

// listener is the bell as River knows it.
type listener struct{ bell *bell }

// Close and the following implement riverdriver.Listener.
func (listener) Close(context.Context) error            { return nil }
func (listener) Connect(context.Context) error          { return nil }
func (listener) Listen(context.Context, string) error   { return nil }
func (listener) Ping(context.Context) error             { return nil }
func (listener) Schema() string                         { return "" }
func (listener) SetAfterConnectExec(string)             {}
func (listener) Unlisten(context.Context, string) error { return nil }
func (l listener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	queue, err := l.bell.next(ctx)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]string{"queue": queue})
	if err != nil {
		return nil, err
	}
	return &riverdriver.Notification{Topic: "river_insert", Payload: string(text)}, nil
}
