package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"seaworthy/forge"
	"seaworthy/store"
	"seaworthy/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}
	capstan = forge.RepoName{Owner: "harbour", Name: "capstan"}
	noon    = time.Date(2026, 1, 5, 12, 0, 0, 123_456_000, time.UTC)
)

// fullEvent has every part that an event can have.
func fullEvent() forge.Event {
	side := forge.Side{Repo: halyard, Branch: "main", SHA: strings.Repeat("a", 40)}
	sig := forge.Signature{Name: "Ada", Email: "ada@example.com", Time: noon}
	return forge.Event{
		Delivery: "d-1", Kind: forge.EventPullRequest, Action: "opened", Repo: halyard, Sender: "ada",
		ReceivedAt: noon, Payload: []byte("{\"x\":\x00\xff}\n"), Label: "lgtm",
		PullRequest: &forge.PullRequest{
			Repo: halyard, Number: 7, Title: "Hoist", Body: "b", Author: "ben", State: forge.StateOpen, Draft: true,
			Base: side, Head: side, Labels: []string{"lgtm"}, Milestone: "v1", Assignees: []string{"cho"}, Reviewers: []string{"dee"},
			Mergeability: forge.MergeClean, Merged: true, MergeSHA: "m", MergedBy: "bot", MergedAt: noon, CreatedAt: noon,
			UpdatedAt: noon, ClosedAt: noon, HTMLURL: "http://127.0.0.1/7",
		},
		Issue: &forge.Issue{
			Repo: halyard, Number: 8, Title: "Leak", Body: "b", Author: "cho", State: forge.StateClosed, Labels: []string{"bug"},
			Milestone: "v1", Assignees: []string{"ada"}, IsPull: true, CreatedAt: noon, UpdatedAt: noon, ClosedAt: noon, HTMLURL: "h",
		},
		Comment: &forge.Comment{ID: 9, Author: "ada", Body: "/lgtm \u0000 ⛵", CreatedAt: noon, UpdatedAt: noon, HTMLURL: "h"},
		Review:  &forge.Review{ID: 10, Author: "dee", Body: "b", State: forge.ReviewApproved, SHA: "s", SubmittedAt: noon},
		Push: &forge.Push{Ref: "refs/heads/main", Before: "b", After: "a", Forced: true, Commits: []forge.Commit{
			{SHA: "s", Parents: []string{"p"}, Author: sig, Committer: sig, Message: "m", AuthorLogin: "ada"}}},
		Status: &forge.CommitStatus{SHA: "s", Branches: []string{"main"}, Status: forge.Status{
			Context: "unit", State: forge.StatusSuccess, Description: "d", TargetURL: "t", Creator: "bot", CreatedAt: noon}},
		Release: &forge.Release{ID: 11, Tag: "v1.0.0", Target: "main", Name: "n", Body: "b", Draft: true, Prerelease: true, Author: "ada",
			Assets:    []forge.Asset{{ID: 12, Name: "a.tgz", Label: "l", ContentType: "c", State: "uploaded", Size: 1, Digest: "sha256:0", DownloadURL: "u", CreatedAt: noon}},
			CreatedAt: noon, PublishedAt: noon, HTMLURL: "h"},
	}
}

func append1(t *testing.T, db *store.DB, e forge.Event) int64 {
	t.Helper()
	seq, fresh, err := db.AppendEvent(t.Context(), e, nil)
	if err != nil || !fresh {
		t.Fatalf("AppendEvent(%s) = %d, %v, %v", e.Delivery, seq, fresh, err)
	}
	return seq
}

func TestEventComesBackAsItWas(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, want := range []forge.Event{
			fullEvent(),
			{Delivery: "ping", Kind: forge.EventPing, ReceivedAt: noon},
			{Delivery: "'; DROP TABLE event; --", Kind: "Übung", ReceivedAt: noon, Payload: []byte("'\"\\")},
		} {
			got, err := db.Event(t.Context(), append1(t, db, want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", want.Delivery, diff)
			}
		}
		if _, err := db.Event(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Event(99) = %v, want ErrNotFound", err)
		}
		if _, _, err := db.AppendEvent(t.Context(), forge.Event{Kind: "push"}, nil); err == nil {
			t.Error("an event without a delivery was stored")
		}
	})
}

// What was stored by an earlier version must stay readable.
func TestStoredFormOfAnEvent(t *testing.T) {
	t.Parallel()
	const golden = "testdata/event.json"
	db := storetest.SQLite(t)
	want := fullEvent()
	seq := append1(t, db, want)
	var got string
	if err := db.Read().QueryRowContext(t.Context(), `SELECT content FROM event`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decode(t, stored), decode(t, []byte(got))); diff != "" {
		t.Errorf("the stored form has changed; rows of the old form must stay readable: %s", diff)
	}
	e, err := db.Event(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
}

func decode(t *testing.T, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDuplicateDelivery(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var enqueued []int64
		enqueue := func(ctx context.Context, tx *sql.Tx, seq int64) error {
			enqueued = append(enqueued, seq)
			return nil
		}
		first, fresh, err := db.AppendEvent(t.Context(), fullEvent(), enqueue)
		if err != nil || !fresh {
			t.Fatal(first, fresh, err)
		}
		again := fullEvent()
		again.Action = "something else"
		second, fresh, err := db.AppendEvent(t.Context(), again, enqueue)
		if err != nil || fresh || second != first {
			t.Errorf("the second delivery: seq %d, fresh %v, error %v; want %d, false", second, fresh, err, first)
		}
		if diff := cmp.Diff([]int64{first}, enqueued); diff != "" {
			t.Errorf("enqueued: %s", diff)
		}
	})
}

// If the handling cannot be queued, the event is not stored either: the forge
// delivers it again.
func TestEventAndItsHandlingAreOne(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		boom := errors.New("boom")
		_, _, err := db.AppendEvent(t.Context(), fullEvent(), func(ctx context.Context, tx *sql.Tx, _ int64) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO setting (key, value, updated_at) VALUES ('k', 'v', 0)`); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatalf("AppendEvent = %v, want boom", err)
		}
		if events, err := db.Events(t.Context(), store.EventFilter{}); err != nil || len(events) != 0 {
			t.Errorf("%v is stored (%v)", events, err)
		}
		if _, err := db.Setting(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what enqueue wrote stays: %v", err)
		}
		append1(t, db, fullEvent())
	})
}

func TestEventFilter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var seqs []int64
		for i, repo := range []forge.RepoName{halyard, capstan, halyard, halyard} {
			kind := []forge.EventKind{forge.EventPush, forge.EventIssues}[i%2]
			seqs = append(seqs, append1(t, db, forge.Event{Delivery: fmt.Sprint(i), Kind: kind, Repo: repo}))
		}
		for _, test := range []struct {
			filter store.EventFilter
			want   []int // indexes
		}{
			{store.EventFilter{}, []int{0, 1, 2, 3}},
			{store.EventFilter{Newest: true}, []int{3, 2, 1, 0}},
			{store.EventFilter{Repo: halyard}, []int{0, 2, 3}},
			{store.EventFilter{Kind: forge.EventPush}, []int{0, 2}},
			{store.EventFilter{Repo: halyard, Kind: forge.EventIssues}, []int{3}},
			{store.EventFilter{After: seqs[1]}, []int{2, 3}},
			{store.EventFilter{Limit: 2}, []int{0, 1}},
			{store.EventFilter{Repo: halyard, Newest: true, Limit: 1}, []int{3}},
			{store.EventFilter{Repo: forge.RepoName{Owner: "x", Name: "y"}}, nil},
		} {
			events, err := db.Events(t.Context(), test.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, e := range events {
				got = append(got, slices.Index(seqs, e.Seq))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%+v: %s", test.filter, diff)
			}
		}
	})
}

func TestMarkHandled(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		storetest.Open(t, url)
		db, err := store.Open(t.Context(), store.Options{URL: url, Now: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}()
		a := append1(t, db, forge.Event{Delivery: "a"})
		b := append1(t, db, forge.Event{Delivery: "b"})
		for _, outcome := range []string{"first", "second"} {
			if err := db.MarkHandled(t.Context(), a, outcome); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.UnhandledEvents(t.Context())
		if err != nil || len(got) != 1 || got[0].Seq != b {
			t.Errorf("unhandled: %v, %v; want b", got, err)
		}
		all, err := db.Events(t.Context(), store.EventFilter{Limit: 1})
		if err != nil || all[0].Outcome != "second" || !all[0].HandledAt.Equal(noon) || !all[0].ReceivedAt.Equal(noon) {
			t.Errorf("the handled one: %+v, %v", all, err)
		}
		if err := db.MarkHandled(t.Context(), 99, "x"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("MarkHandled(99) = %v, want ErrNotFound", err)
		}
	})
}

// The log, the journals and the decisions cannot be changed, whoever tries.
func TestAppendOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		append1(t, db, fullEvent())
		if _, err := db.RecordDecision(t.Context(), store.Decision{Kind: "k", Subject: "s"}); err != nil {
			t.Fatal(err)
		}
		newRun(t, db, "r1", "")
		submit(t, db, "r1")
		statements := []string{
			`UPDATE event SET action = 'x'`, `DELETE FROM event`,
			`UPDATE flow_entry SET message = 'x'`, `DELETE FROM flow_entry`,
			`UPDATE decision SET verdict = 'x'`, `DELETE FROM decision`,
		}
		if db.Dialect() == store.Postgres {
			statements = append(statements, `TRUNCATE event CASCADE`)
		} else {
			statements = append(statements, `REPLACE INTO decision SELECT * FROM decision`)
		}
		for _, statement := range statements {
			_, err := db.Writer().ExecContext(t.Context(), statement)
			if err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v, want a refusal", statement, err)
			}
		}
	})
}

// Whoever follows the log by Seq misses nothing: no event becomes visible
// behind one that he has seen.
func TestEventsAppearInOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const writers, each = 4, 15
		var group errgroup.Group
		for w := range writers {
			group.Go(func() error {
				for i := range each {
					_, _, err := db.AppendEvent(t.Context(), forge.Event{Delivery: fmt.Sprintf("%d-%d", w, i)}, nil)
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		done := make(chan error, 1)
		go func() { done <- group.Wait() }()
		var after int64
		followed := 0
		for ended := false; ; {
			events, err := db.Events(t.Context(), store.EventFilter{After: after})
			if err != nil {
				t.Fatal(err)
			}
			followed += len(events)
			if len(events) > 0 {
				after = events[len(events)-1].Seq
			} else if ended {
				break
			}
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				ended = true
			default:
			}
		}
		if followed != writers*each {
			t.Errorf("followed %d events of %d", followed, writers*each)
		}
	})
}
