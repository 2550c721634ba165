package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
)

// Lock waits until no other process that uses the database holds the name, and
// holds it until what it returns is called, or this process ends. Each lock has
// a connection to itself, so that those who wait keep nobody from the pool's.
//
// A database in a file is used on one machine alone, where locks of files do
// the same: there it holds nothing.
func (db *DB) Lock(ctx context.Context, name string) (unlock func() error, err error) {
	if db.dialect != Postgres {
		return func() error { return nil }, nil
	}
	conn, err := db.locks.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("locking %s: connecting to Postgres at %s: %w", name, db.where, err)
	}
	sum := sha256.Sum256([]byte(name))
	key := int64(binary.BigEndian.Uint64(sum[:8]))
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, key); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", name, err), abandon(conn))
	}
	// The lock is the connection's, and outlives ctx.
	ctx = context.WithoutCancel(ctx)
	return func() error {
		_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, key)
		if err != nil {
			return errors.Join(fmt.Errorf("unlocking %s: %w", name, err), abandon(conn))
		}
		return conn.Close()
	}, nil
}

// abandon ends a connection that may hold a lock, instead of giving it back.
func abandon(conn *sql.Conn) error {
	err := conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}
