package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"seaworthy/store"
)

// Each runs fn once per database, as parallel subtests "sqlite" and
// "postgres", each with an empty, migrated database.
func Each(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { fn(t, Open(t, url)) })
}

// EachURL is Each for tests that open the database themselves.
func EachURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, SQLiteURL(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, PostgresURL(t))
	})
}

// SQLite returns a migrated database in a temporary file.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, SQLiteURL(t))
}

// SQLiteURL names a file that does not exist yet, in a temporary folder.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "seaworthy.db")
}

// Open opens and migrates the database and closes it when the test ends.
func Open(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// PostgresURL returns the URL of a new, empty database on the server of this
// test binary, which is dropped when the test ends. It skips the test, or
// fails it in CI, if there is no Postgres.
func PostgresURL(t testing.TB) string {
	t.Helper()
	s, err := theServer()
	if err != nil {
		t.Fatalf("starting Postgres: %v", err)
	}
	if s == nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs PostgreSQL, run make setup")
		}
		t.Skip("skipped: needs PostgreSQL, run make setup")
	}
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	s.exec(t, `CREATE DATABASE `+name)
	t.Cleanup(func() { s.exec(t, `DROP DATABASE `+name+` WITH (FORCE)`) })
	return s.url(name)
}

func (s *server) url(database string) string {
	q := url.Values{"host": {s.dir}, "sslmode": {"disable"}}
	return "postgres://" + superuser + "@/" + database + "?" + q.Encode()
}

// exec runs one statement on a connection of its own.
func (s *server) exec(t testing.TB, statement string) {
	t.Helper()
	// Not the test's context: the cleanup runs after that has ended.
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		t.Fatalf("connecting to the test's Postgres: %v", err)
	}
	_, err = conn.Exec(ctx, statement)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
