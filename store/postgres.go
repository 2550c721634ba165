package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Postgres error codes, https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	pgSerializationFailure = "40001"
	pgDeadlockDetected     = "40P01"
)

// postgresConns bounds the connections of one process; a server allows 100 by
// default, for all that use it.
const postgresConns = 20

// idleLocks is how many connections wait for the next lock.
const idleLocks = 4

// openPostgres opens a pool on the server. pgx reports a URL it cannot read
// without the password in it.
func openPostgres(ctx context.Context, dsn string, now func() time.Time) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	where := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns / 2)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to Postgres at %s: check that it runs and that the URL is right: %w", where, err), pool.Close())
	}
	return &DB{dialect: Postgres, where: where, url: dsn, write: pool, read: pool, locks: openLocks(config), now: now}, nil
}

// openLocks opens the connections that locks have to themselves. There is no
// bound on them: one who holds a lock may wait for another's.
func openLocks(config *pgx.ConnConfig) *sql.DB {
	config = config.Copy()
	// The server gives back within a minute what a machine held that has gone
	// without a word.
	config.RuntimeParams["tcp_keepalives_idle"] = "30"
	config.RuntimeParams["tcp_keepalives_interval"] = "10"
	config.RuntimeParams["tcp_keepalives_count"] = "3"
	pool := stdlib.OpenDB(*config)
	pool.SetMaxIdleConns(idleLocks)
	return pool
}

// retryable reports whether running the transaction again may succeed.
func retryable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == pgSerializationFailure || e.Code == pgDeadlockDetected)
}

// backOff returns a random wait before the given repetition, so that writers
// that collided once do not collide again.
func backOff(attempt int) time.Duration {
	longest := min(time.Millisecond<<min(attempt, 10), writeBackOff)
	return time.Duration(rand.Int64N(int64(longest))) + 1
}

// lockTable makes transactions that add to the table follow one another, so
// that rows become visible in the order of their numbers. SQLite has one
// writer anyway. Call it first in a transaction: it must come before the
// snapshot is taken.
func (db *DB) lockTable(ctx context.Context, tx *sql.Tx, table string) error {
	if db.dialect != Postgres {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `LOCK TABLE `+table+` IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return fmt.Errorf("locking table %s: %w", table, err)
	}
	return nil
}
