package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Lock waits until no other process that uses the database holds the name, and
// holds it until what it returns is called, or this process ends. It takes a
// connection of its own, so that those who wait keep nobody from the pool's.
//
// A database in a file is used on one machine alone, where locks of files do
// the same: there it holds nothing.
func (db *DB) Lock(ctx context.Context, name string) (unlock func() error, err error) {
	if db.dialect != Postgres {
		return func() error { return nil }, nil
	}
	config, err := pgx.ParseConfig(db.url)
	if err != nil {
		return nil, fmt.Errorf("locking %s: reading the database URL: %w", name, err)
	}
	// The server gives back within a minute what a machine held that has gone
	// without a word.
	config.RuntimeParams["tcp_keepalives_idle"] = "30"
	config.RuntimeParams["tcp_keepalives_interval"] = "10"
	config.RuntimeParams["tcp_keepalives_count"] = "3"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("locking %s: connecting to Postgres at %s: %w", name, db.where, err)
	}
	// The lock is the connection's. Its context may have ended by then.
	unlock = func() error { return conn.Close(context.WithoutCancel(ctx)) }
	sum := sha256.Sum256([]byte(name))
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(binary.BigEndian.Uint64(sum[:8]))); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", name, err), unlock())
	}
	return unlock, nil
}
