package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// ErrNotFound means that there is no row of that name, number or id.
var ErrNotFound = errors.New("not in the database")

// Options says which database to open.
type Options struct {
	// URL is "sqlite:PATH" or "postgres://USER@HOST/DATABASE?…". The folder of
	// PATH has to exist; the file is created.
	URL string
	// Now tells the time; time.Now when nil.
	Now func() time.Time
}

// Dialect names one of the two databases.
type Dialect string

// Dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// DB is an open database. Its methods may be called from many goroutines.
type DB struct {
	dialect Dialect
	where   string // for messages: the path, or the server without credentials
	url     string
	write   *sql.DB
	read    *sql.DB
	locks   *sql.DB // of Postgres, see Lock
	now     func() time.Time
	commits commits
}

// Open opens the database that the URL names. It does not create tables: call
// Migrate next. The error names the path or the server and never a password.
func Open(ctx context.Context, o Options) (*DB, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	switch scheme, rest, _ := strings.Cut(o.URL, ":"); scheme {
	case "sqlite":
		return openSQLite(ctx, rest, now)
	case "postgres", "postgresql":
		return openPostgres(ctx, o.URL, now)
	default:
		return nil, fmt.Errorf("database URL starts with %q: write sqlite:PATH or postgres://HOST/DATABASE", scheme+":")
	}
}

// Dialect says which database this is.
func (db *DB) Dialect() Dialect { return db.dialect }

// String returns where the database is, without credentials.
func (db *DB) String() string { return string(db.dialect) + ":" + db.where }

// URL returns the URL the database was opened with, credentials included: it
// is for opening further connections, not for people to see.
func (db *DB) URL() string { return db.url }

// Read returns the pool for queries outside a transaction. On SQLite its
// connections refuse to write.
func (db *DB) Read() *sql.DB { return db.read }

// Writer returns the pool that Write uses. On SQLite it is one connection, so
// a caller that holds it keeps everybody else from writing. It is for
// libraries that bring their own transactions; the product's code uses Write.
func (db *DB) Writer() *sql.DB { return db.write }

// Close closes all connections, once running transactions have ended.
func (db *DB) Close() error {
	err := errors.Join(db.read.Close(), db.write.Close())
	if db.locks != nil {
		err = errors.Join(err, db.locks.Close())
	}
	if err != nil {
		return fmt.Errorf("closing database %s: %w", db.where, err)
	}
	return nil
}

// Bounds on the repetition of a transaction that Postgres could not serialize.
const (
	writeAttempts = 30
	writeBackOff  = 150 * time.Millisecond // the longest wait between two attempts
)

// Write runs fn in a transaction, and commits it if fn returns nil. When Write
// returns nil the change is durable; otherwise nothing has changed. The
// transaction is serializable. fn may run more than once (see the package
// comment); its error is returned as it is.
func (db *DB) Write(ctx context.Context, fn func(*sql.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.writeOnce(ctx, fn)
		if err == nil || attempt == writeAttempts || !retryable(err) {
			return err
		}
		if err := pause(ctx, backOff(attempt)); err != nil {
			return err
		}
	}
}

func (db *DB) writeOnce(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, db.txOptions())
	if err != nil {
		return fmt.Errorf("beginning a transaction on %s: %w", db.where, explainSQLite(err))
	}
	db.commits.begin(tx)
	committed := false
	defer func() { // also when fn panics
		after := db.commits.end(tx)
		if !committed {
			// The cause is reported already. A rollback fails only when the
			// connection is gone, and then nothing was written either.
			_ = tx.Rollback()
			return
		}
		for _, f := range after {
			f()
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing to %s: %w", db.where, explainSQLite(err))
	}
	committed = true
	return nil
}

// OnCommit has fn called once the transaction, which must be one that Write
// began, is committed. It is not called after a rollback. fn must be quick.
func (db *DB) OnCommit(tx *sql.Tx, fn func()) error { return db.commits.add(tx, fn) }

// commits holds what is to be done after the commit of running transactions.
type commits struct {
	mu    sync.Mutex
	after map[*sql.Tx][]func()
}

func (c *commits) begin(tx *sql.Tx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after == nil {
		c.after = map[*sql.Tx][]func(){}
	}
	c.after[tx] = nil
}

func (c *commits) add(tx *sql.Tx, fn func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.after[tx]; !ok {
		return errors.New("the transaction was not begun by store.DB.Write, or has ended")
	}
	c.after[tx] = append(c.after[tx], fn)
	return nil
}

func (c *commits) end(tx *sql.Tx) []func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	fns := c.after[tx]
	delete(c.after, tx)
	return fns
}

// txOptions asks Postgres for what SQLite gives anyway.
func (db *DB) txOptions() *sql.TxOptions {
	if db.dialect == Postgres {
		return &sql.TxOptions{Isolation: sql.LevelSerializable}
	}
	return nil
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Micros returns t as the databases keep it: microseconds since 1970 in UTC,
// and 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros is the inverse of Micros; the time is in UTC.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
