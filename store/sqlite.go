package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long a connection waits for another process's lock. Within
// the process nobody waits: there is one writer.
const busyTimeout = 10 * time.Second

// busyPoll is how often a lock that SQLite itself does not wait for is tried.
const busyPoll = 20 * time.Millisecond

// openSQLite opens path with one connection that writes and a pool that reads.
func openSQLite(ctx context.Context, path string, now func() time.Time) (*DB, error) {
	if err := checkPlace(path); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding database file %s: %w", path, err)
	}
	// Every transaction takes the write lock when it begins: taken later, it
	// could fail halfway with "database is locked".
	write, err := sql.Open("sqlite", sqliteDSN(abs, "immediate",
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		// INSERT OR REPLACE deletes; the append-only triggers must see that.
		"recursive_triggers(1)"))
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	if err := await(ctx, write); err != nil {
		return nil, errors.Join(fmt.Errorf("opening database %s: %w", path, explainSQLite(err)), write.Close())
	}
	read, err := sql.Open("sqlite", sqliteDSN(abs, "deferred", "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening database %s: %w", path, err), write.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return &DB{dialect: SQLite, where: path, url: "sqlite:" + path, write: write, read: read, now: now}, nil
}

// sqliteDSN returns the driver's name for the file at the absolute path.
func sqliteDSN(path, lock string, pragmas ...string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}, pragmas...)}
	// EscapedPath leaves no '?', '#' or '%' that SQLite could take for its own.
	u := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + u.EscapedPath() + "?" + q.Encode()
}

// await pings until nobody else is in the way, or busyTimeout is over. A new
// file is given its write-ahead log by a reader that becomes a writer, and such a
// one SQLite refuses at once where another is about to do the same.
func await(ctx context.Context, db *sql.DB) error {
	late := time.NewTimer(busyTimeout)
	defer late.Stop()
	again := time.NewTicker(busyPoll)
	defer again.Stop()
	for {
		err := ping(ctx, db)
		var e *sqlite.Error
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-again.C:
		case <-late.C:
			return err
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// ping reads the file: opening alone does not notice that it is no database.
func ping(ctx context.Context, db *sql.DB) error {
	var version int64
	return db.QueryRowContext(ctx, `PRAGMA schema_version`).Scan(&version)
}

// checkPlace tells apart what SQLite lumps together as "unable to open
// database file". The write-ahead log lives beside the file, so the folder
// must be writable even if the file exists.
func checkPlace(path string) error {
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, "//") {
		return fmt.Errorf("database URL %q names no file: write sqlite:PATH", "sqlite:"+path)
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("database %s: folder %s does not exist: create it first: %w", path, dir, err)
	case err != nil:
		return fmt.Errorf("database %s: looking at its folder: %w", path, err)
	case !info.IsDir():
		return fmt.Errorf("database %s: %s is not a folder", path, dir)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("database %s is not a regular file: name a file", path)
	}
	probe, err := os.CreateTemp(dir, ".seaworthy-probe-*")
	if err != nil {
		return fmt.Errorf("database %s: cannot write to folder %s: give this user write permission or choose another folder: %w", path, dir, err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("database %s: removing the probe file: %w", path, err)
	}
	return nil
}

// explainSQLite adds what a person can do about an error of SQLite's, and
// returns other errors as they are.
func explainSQLite(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the primary code
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file is not an SQLite database: move it away, or name another file: %w", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the database file is damaged: restore a backup: %w", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("the database file cannot be written: check the permissions of the file and its folder: %w", err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full: free some space: %w", err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("another process holds the database: stop it, or wait for it: %w", err)
	default:
		return err
	}
}
