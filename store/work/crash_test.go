package work_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
	"seaworthy/store"
	"seaworthy/store/storetest"
	"seaworthy/store/work"
)

// The child is told by these what to do, and on which database.
const (
	crashAt  = "SEAWORTHY_TEST_CRASH_AT"
	crashURL = "SEAWORTHY_TEST_CRASH_URL"
)

// Points at which the child waits to be killed.
const (
	beforeCommit = "before commit"
	afterCommit  = "after commit"
	inHandler    = "in the handler"
	afterHandler = "after the handler's work"
)

func crashEvent() forge.Event {
	return forge.Event{
		Delivery: "d1", Kind: forge.EventPush, Repo: forge.RepoName{Owner: "harbour", Name: "halyard"},
		ReceivedAt: time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC), Payload: []byte(`{}`),
		Push: &forge.Push{Ref: "refs/heads/main"},
	}
}

// receiveEvent does what the receiver of webhooks does.
func receiveEvent(ctx context.Context, db *store.DB, q *work.Queue, stored func()) error {
	_, _, err := db.AppendEvent(ctx, crashEvent(), func(ctx context.Context, tx *sql.Tx, seq int64) error {
		key := strconv.FormatInt(seq, 10)
		err := q.EnqueueTx(ctx, tx, work.Item{Kind: "event", Key: key, Payload: json.RawMessage(key)})
		stored()
		return err
	})
	return err
}

func eventQueue(db *store.DB, h work.Handler, now func() time.Time) (*work.Queue, error) {
	return work.New(db, work.Config{
		Queues:   map[string]int{work.DefaultQueue: 2},
		Handlers: map[string]work.Handler{"event": h},
		Now:      now,
	})
}

// TestCrashChild is no test but the process that TestCrash kills.
func TestCrashChild(t *testing.T) {
	point := os.Getenv(crashAt)
	if point == "" {
		t.Skip("runs as a child of TestCrash")
	}
	die := func(at string) {
		if at == point {
			fmt.Println("\nready")
			select {} // until killed
		}
	}
	db, err := store.Open(t.Context(), store.Options{URL: os.Getenv(crashURL)})
	if err != nil {
		t.Fatal(err)
	}
	q, err := eventQueue(db, func(ctx context.Context, it work.Item) error {
		die(inHandler)
		seq, err := strconv.ParseInt(string(it.Payload), 10, 64)
		if err != nil {
			return err
		}
		if err := db.MarkHandled(ctx, seq, "by the child"); err != nil {
			return err
		}
		die(afterHandler)
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := receiveEvent(t.Context(), db, q, func() { die(beforeCommit) }); err != nil {
		t.Fatal(err)
	}
	die(afterCommit)
	if err := q.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// crash runs the child up to the point and kills it there.
func crash(t *testing.T, url, point string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), crashAt+"="+point, crashURL+"="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for s := bufio.NewScanner(out); s.Scan(); lines = append(lines, s.Text()) {
		if s.Text() == "ready" {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			// It reports "signal: killed", which is what we want.
			if err := cmd.Wait(); err == nil {
				t.Fatal("the child ended by itself")
			}
			return
		}
	}
	t.Fatalf("the child did not get there: %v\n%s", cmd.Wait(), strings.Join(lines, "\n"))
}

// Whatever the instant at which the process is killed, an event that was
// stored is handled, and one that was not can be delivered again.
func TestCrash(t *testing.T) {
	t.Parallel()
	tests := []struct {
		point    string
		stored   bool
		attempts []int // of the next process's handler
	}{
		{beforeCommit, false, nil},
		{afterCommit, true, []int{1}},
		{inHandler, true, []int{2}},
		{afterHandler, true, []int{2}}, // twice: the handler is idempotent
	}
	for _, test := range tests {
		t.Run(test.point, func(t *testing.T) {
			t.Parallel()
			storetest.EachURL(t, func(t *testing.T, url string) {
				db := storetest.Open(t, url)
				if err := work.Migrate(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				crash(t, url, test.point)
				events, err := db.Events(t.Context(), store.EventFilter{})
				if err != nil {
					t.Fatal(err)
				}
				if stored := len(events) == 1; stored != test.stored {
					t.Fatalf("stored: %v, want %v", stored, test.stored)
				}
				if diff := cmp.Diff(test.attempts, resume(t, db)); diff != "" {
					t.Errorf("attempts: %s", diff)
				}
				unhandled, err := db.UnhandledEvents(t.Context())
				if err != nil || len(unhandled) != 0 {
					t.Errorf("unhandled: %v, %v", unhandled, err)
				}
				if n := count(t, db, `SELECT count(*) FROM work_item`); n != 0 {
					t.Errorf("%d keys are held by nothing", n)
				}
			})
		})
	}
}

// resume works as the next process does, until there is nothing to do, and
// returns the attempts its handler saw.
func resume(t *testing.T, db *store.DB) (attempts []int) {
	t.Helper()
	// Two minutes later the dead are known to be dead, on Postgres too.
	later := func() time.Time { return time.Now().Add(2 * time.Minute) }
	q, err := eventQueue(db, func(ctx context.Context, it work.Item) error {
		attempts = append(attempts, it.Attempt)
		seq, err := strconv.ParseInt(string(it.Payload), 10, 64)
		if err != nil {
			return err
		}
		e, err := db.Event(ctx, seq)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(crashEvent(), e); diff != "" {
			t.Errorf("the event has changed: %s", diff)
		}
		return db.MarkHandled(ctx, seq, "by the next process")
	}, later)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, q)
	begun := time.Now()
	idle(t, q)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s to take up the work", took)
	}
	stop()
	return attempts
}

// On Postgres a process leaves alone what another one runs, and takes it over
// when that one has been silent.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.PostgresURL(t))
	started, finish := make(chan string, 10), make(chan struct{})
	block := func(name string) work.Handler {
		return func(_ context.Context, it work.Item) error {
			started <- name
			if it.Queue == work.DefaultQueue {
				<-finish
			}
			return nil
		}
	}
	first := start(t, db, block("first"))
	enqueue(t, first, work.Item{Kind: "do", Key: "k"})
	receive(t, started)

	// Once the second has done this, it has looked for what to take over.
	second := newQueue(t, db, block("second"), func(c *work.Config) { c.Queues["own"] = 1 })
	enqueue(t, second, work.Item{Kind: "do", Queue: "own"})
	stop := run(t, second)
	receive(t, started)
	stop()
	if len(started) != 0 {
		t.Fatalf("%s runs what the first still runs", <-started)
	}
	start(t, db, block("third"), func(c *work.Config) {
		c.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	})
	if name := receive(t, started); name != "third" {
		t.Errorf("%s took over", name)
	}
	close(finish)
}
