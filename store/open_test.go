package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"seaworthy/store"
	"seaworthy/store/storetest"
)

func TestOpenRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 200)), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := write("notes.txt", 0o644)
	for _, test := range []struct{ url, want string }{
		{"", "write sqlite:PATH or postgres://"},
		{"mysql://host/db", "write sqlite:PATH or postgres://"},
		{"sqlite:", "names no file"},
		{"sqlite::memory:", "names no file"},
		{"sqlite:" + filepath.Join(dir, "missing", "a.db"), "does not exist: create it first"},
		{"sqlite:" + filepath.Join(text, "a.db"), "not a folder"},
		{"sqlite:" + dir, "not a regular file"},
		{"sqlite:" + text, "not an SQLite database: move it away"},
		{"postgres://me:s3cret@127.0.0.1:1/db?connect_timeout=5", "check that it runs"},
		{"postgres://me:s3cret@127.0.0.1:nonsense/db", "reading the database URL"},
	} {
		db, err := store.Open(t.Context(), store.Options{URL: test.url})
		if err == nil {
			t.Errorf("%s was opened: %v", test.url, db.Close())
			continue
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.url, err, test.want)
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOpenWithoutPermission(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o555} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Error(err)
		}
	})
	done := make(chan error, 1)
	go func() {
		if os.Getuid() == 0 {
			// Root may write anywhere, so this thread acts as nobody. It ends
			// with the goroutine, since it is never unlocked.
			runtime.LockOSThread()
			if err := syscall.Setfsuid(65534); err != nil {
				done <- err
				return
			}
		}
		_, err := store.Open(context.Background(), store.Options{URL: "sqlite:" + filepath.Join(dir, "a.db")})
		done <- err
	}()
	err := <-done
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "give this user write permission") {
		t.Errorf("Open = %v, want a permission error", err)
	}
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := db.SetSetting(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v, err := db.Setting(t.Context(), "k"); err != nil || v != "v" {
			t.Errorf("after the second migration: %q, %v", v, err)
		}
	})
}

func TestMigrateAtTheSameTime(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var group errgroup.Group
		for range 3 {
			group.Go(func() error {
				db, err := store.Open(t.Context(), store.Options{URL: url})
				if err != nil {
					return err
				}
				return errors.Join(db.Migrate(t.Context()), db.Close())
			})
		}
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// A file without a write-ahead log that another process is writing to is waited
// for, though SQLite itself refuses at once.
func TestOpenWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if db, err := store.Open(ctx, store.Options{URL: "sqlite:" + path}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open did not wait: %v, %v", db, err)
	}
	opened := make(chan error, 1)
	go func() {
		db, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + path})
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, err := db.Writer().ExecContext(t.Context(), `INSERT INTO store_migration (version_id, is_applied) VALUES (9999, true)`)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Migrate(t.Context())
		if err == nil || !strings.Contains(err.Error(), "newer seaworthy (it has migration 9999)") {
			t.Errorf("Migrate = %v, want a refusal", err)
		}
	})
}

func TestOddPath(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "a?b#c%20d&e é.db")
	db := storetest.Open(t, url)
	if err := db.SetSetting(t.Context(), "k", "v"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(strings.TrimPrefix(url, "sqlite:")); err != nil {
		t.Errorf("the file is elsewhere: %v", err)
	}
}

// What people trust their releases to.
func TestSQLiteIsDurable(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		if err := db.Writer().QueryRowContext(t.Context(), `PRAGMA `+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", pragma, got, err, want)
		}
	}
	if _, err := db.Read().ExecContext(t.Context(), `DELETE FROM setting`); err == nil {
		t.Error("a reader may write")
	}
}

func TestWriteRollsBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		boom := errors.New("boom")
		insert := func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO setting (key, value, updated_at) VALUES ('k', 'v', 0)`)
			return err
		}
		committed := 0
		err := db.Write(t.Context(), func(tx *sql.Tx) error {
			return errors.Join(insert(tx), db.OnCommit(tx, func() { committed++ }), boom)
		})
		if !errors.Is(err, boom) {
			t.Errorf("Write = %v, want boom", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			err := db.Write(t.Context(), func(tx *sql.Tx) error { panic(insert(tx)) })
			t.Errorf("Write returned %v", err)
		}()
		ctx, cancel := context.WithCancel(t.Context())
		if err := db.Write(ctx, func(tx *sql.Tx) error { cancel(); return insert(tx) }); err == nil {
			t.Error("Write committed after its context had ended")
		}
		if v, err := db.Setting(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) || committed != 0 {
			t.Errorf("something was written: %q, %v, %d", v, err, committed)
		}
		var late *sql.Tx
		err = db.Write(t.Context(), func(tx *sql.Tx) error {
			late = tx
			return errors.Join(insert(tx), db.OnCommit(tx, func() { committed++ }))
		})
		if err != nil || committed != 1 {
			t.Errorf("Write = %v, OnCommit ran %d times", err, committed)
		}
		if err := db.OnCommit(late, func() {}); err == nil {
			t.Error("OnCommit took a transaction that has ended")
		}
	})
}

// Transactions that read and then write what they read lose no update.
func TestWriteIsSerializable(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if err := db.SetSetting(ctx, "n", "0"); err != nil {
			t.Fatal(err)
		}
		const writers, each = 5, 8
		var runs atomic.Int64
		var group errgroup.Group
		for range writers {
			group.Go(func() error {
				for range each {
					err := db.Write(ctx, func(tx *sql.Tx) error {
						runs.Add(1)
						var n int
						if err := tx.QueryRowContext(ctx, `SELECT CAST(value AS BIGINT) FROM setting WHERE key = 'n'`).Scan(&n); err != nil {
							return err
						}
						_, err := tx.ExecContext(ctx, `UPDATE setting SET value = $1 WHERE key = 'n'`, fmt.Sprint(n+1))
						return err
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if n, err := db.Setting(ctx, "n"); err != nil || n != fmt.Sprint(writers*each) {
			t.Errorf("counted %s (%v), want %d", n, err, writers*each)
		}
		t.Logf("%d transactions ran %d times", writers*each, runs.Load())
	})
}

// A Postgres that never lets a transaction through is not asked for ever.
func TestWriteGivesUp(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.PostgresURL(t))
	runs := 0
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		runs++
		_, err := tx.ExecContext(t.Context(), `DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$`)
		return err
	})
	if err == nil || runs < 2 || runs > 100 {
		t.Errorf("Write ran %d times: %v", runs, err)
	}
}

func TestMicros(t *testing.T) {
	t.Parallel()
	for _, want := range []time.Time{{}, noon, time.Date(1969, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := store.FromMicros(store.Micros(want)); got != want {
			t.Errorf("%s comes back as %s", want, got)
		}
	}
	local := time.Date(2026, 1, 5, 14, 0, 0, 0, time.FixedZone("", 7200))
	if got := store.FromMicros(store.Micros(local)); !got.Equal(local) || got.Location() != time.UTC {
		t.Errorf("%s comes back as %s", local, got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if _, err := db.Setting(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("unset: %v, want ErrNotFound", err)
		}
		for _, want := range []string{"one", "", "⛵"} {
			if err := db.SetSetting(t.Context(), "k", want); err != nil {
				t.Fatal(err)
			}
			if got, err := db.Setting(t.Context(), "k"); err != nil || got != want {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
		}
		if err := db.SetSetting(t.Context(), "k", "s3cret\x00"); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("a value that is no text: %v", err)
		}
	})
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		record := func(d store.Decision) store.Decision {
			id, err := db.RecordDecision(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			d.ID = id
			return d
		}
		wait := record(store.Decision{Kind: "merge", Subject: "harbour/halyard#7", Verdict: "wait", Reason: "no lgtm", Inputs: []byte(`{"b": 1,"a":2}`), At: noon})
		merge := record(store.Decision{Kind: "merge", Subject: "harbour/halyard#7", Verdict: "merge", At: noon})
		other := record(store.Decision{Kind: "merge", Subject: "harbour/halyard#8", Verdict: "wait", At: noon})
		signal := record(store.Decision{Kind: "signal", Subject: "harbour/halyard#7", Verdict: "red", At: noon})
		for _, test := range []struct {
			kind, subject string
			limit         int
			want          []store.Decision
		}{
			{"merge", "harbour/halyard#7", 0, []store.Decision{merge, wait}},
			{"merge", "harbour/halyard#7", 1, []store.Decision{merge}},
			{"merge", "", 0, []store.Decision{other, merge, wait}},
			{"", "harbour/halyard#7", 2, []store.Decision{signal, merge}},
			{"approval", "", 0, nil},
		} {
			got, err := db.Decisions(t.Context(), test.kind, test.subject, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%+v: %s", test, diff)
			}
		}
		for _, bad := range []store.Decision{{Kind: "merge"}, {Subject: "s"}, {Kind: "k", Subject: "s", Inputs: []byte(`{`)}} {
			if _, err := db.RecordDecision(t.Context(), bad); err == nil {
				t.Errorf("%+v was recorded", bad)
			}
		}
	})
}
