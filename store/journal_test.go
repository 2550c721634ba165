package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"seaworthy/flow"
	"seaworthy/store"
	"seaworthy/store/storetest"
)

func newRun(t *testing.T, db *store.DB, id, key string) {
	t.Helper()
	if err := db.CreateRun(t.Context(), flow.Run{ID: id, Flow: "release", Key: key, CreatedAt: noon}); err != nil {
		t.Fatal(err)
	}
}

func submit(t *testing.T, db *store.DB, run string) int64 {
	t.Helper()
	seq, err := db.Submit(t.Context(), flow.Entry{Run: run, Kind: flow.EntryApproval})
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func acquire(t *testing.T, db *store.DB, run, owner string, now, until time.Time) flow.Lease {
	t.Helper()
	l, err := db.Acquire(t.Context(), run, owner, now, until)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func setState(t *testing.T, db *store.DB, l flow.Lease, s flow.State) {
	t.Helper()
	if _, err := db.Append(t.Context(), l, flow.Entry{Kind: flow.EntryState, Message: string(s)}); err != nil {
		t.Fatal(err)
	}
}

func TestRunComesBackAsItWas(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		want := flow.Run{
			ID: "r1", Flow: "release", Version: 3, Key: "release harbour/halyard", Params: json.RawMessage(`{"b": 1,"a":"\u0000"}`),
			Mock: true, State: flow.Succeeded, Actor: "ada", CreatedAt: noon, UpdatedAt: noon.Add(time.Second),
		}
		if err := db.CreateRun(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		want.State = flow.Pending // whatever it said
		got, err := db.Run(t.Context(), "r1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := db.CreateRun(t.Context(), flow.Run{ID: "r1"}); err == nil {
			t.Error("a second run r1 was created")
		}
		if err := db.CreateRun(t.Context(), flow.Run{ID: "r2", Params: json.RawMessage(`{`)}); err == nil {
			t.Error("broken parameters were stored")
		}
	})
}

func TestKeyExcludes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		newRun(t, db, "none1", "")
		newRun(t, db, "none2", "") // an empty key excludes nothing
		newRun(t, db, "a", "key")
		if err := db.CreateRun(t.Context(), flow.Run{ID: "b", Key: "key"}); !errors.Is(err, flow.ErrBusy) {
			t.Fatalf("a second run with the key: %v, want ErrBusy", err)
		}
		l := acquire(t, db, "a", "me", noon, noon.Add(time.Minute))
		for _, s := range []flow.State{flow.Running, flow.Waiting} {
			setState(t, db, l, s)
			if err := db.CreateRun(t.Context(), flow.Run{ID: "b", Key: "key"}); !errors.Is(err, flow.ErrBusy) {
				t.Fatalf("while the first is %s: %v, want ErrBusy", s, err)
			}
		}
		setState(t, db, l, flow.Failed)
		newRun(t, db, "b", "key")
		// The failed run cannot be taken up again while b holds the key.
		_, err := db.Append(t.Context(), l, flow.Entry{Kind: flow.EntryState, Message: string(flow.Running)})
		if !errors.Is(err, flow.ErrBusy) {
			t.Errorf("taking up the first: %v, want ErrBusy", err)
		}
		if r, err := db.Run(t.Context(), "a"); err != nil || r.State != flow.Failed {
			t.Errorf("the first is %s (%v), want failed", r.State, err)
		}
		setState(t, db, acquire(t, db, "b", "me", noon, noon.Add(time.Minute)), flow.Canceled)
		setState(t, db, l, flow.Running)
	})
}

func TestRunsFilter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i, r := range []flow.Run{{Flow: "release", Key: "k1"}, {Flow: "branch", Key: "k2"}, {Flow: "release", Key: "k3"}} {
			r.ID, r.CreatedAt = fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute)
			if err := db.CreateRun(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		setState(t, db, acquire(t, db, "0", "me", noon, noon.Add(time.Minute)), flow.Running)
		for _, test := range []struct {
			filter flow.RunFilter
			want   []string
		}{
			{flow.RunFilter{}, []string{"2", "1", "0"}},
			{flow.RunFilter{Flow: "release"}, []string{"2", "0"}},
			{flow.RunFilter{Key: "k2"}, []string{"1"}},
			{flow.RunFilter{State: flow.Running}, []string{"0"}},
			{flow.RunFilter{Flow: "release", State: flow.Pending, Limit: 5}, []string{"2"}},
			{flow.RunFilter{Limit: 2}, []string{"2", "1"}},
		} {
			runs, err := db.Runs(t.Context(), test.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range runs {
				got = append(got, r.ID)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%+v: %s", test.filter, diff)
			}
		}
	})
}

func TestEntries(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		newRun(t, db, "r", "")
		newRun(t, db, "other", "")
		l := acquire(t, db, "r", "me", noon, noon.Add(time.Minute))
		want := []flow.Entry{
			{Step: "build", Kind: flow.EntryAttempt, Attempt: 2, At: noon, Actor: "ada", Data: json.RawMessage(`{"z": 1}`)},
			{Step: "build", Kind: flow.EntryLog, At: noon, Message: "⛵ 100%"},
			{Kind: flow.EntryState, At: noon, Message: string(flow.Waiting)},
		}
		for i := range want {
			seq, err := db.Append(t.Context(), l, want[i])
			if err != nil {
				t.Fatal(err)
			}
			want[i].Run, want[i].Seq = "r", seq
		}
		approval := flow.Entry{Run: "r", Step: "gate", Kind: flow.EntryApproval, At: noon.Add(time.Hour), Actor: "ada", Data: json.RawMessage(`{}`)}
		var err error
		if approval.Seq, err = db.Submit(t.Context(), approval); err != nil {
			t.Fatal(err)
		}
		want = append(want, approval)
		submit(t, db, "other")

		got, err := db.Entries(t.Context(), "r", 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got, err = db.Entries(t.Context(), "r", want[1].Seq); err != nil || len(got) != 2 || got[0].Seq != want[2].Seq {
			t.Errorf("after the second: %v, %v", got, err)
		}
		r, err := db.Run(t.Context(), "r")
		if err != nil || r.State != flow.Waiting || !r.UpdatedAt.Equal(approval.At) {
			t.Errorf("the run: %+v, %v; want it waiting, updated by the approval", r, err)
		}
	})
}

// Programs write into their logs what they like.
func TestEntryOfAnyText(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		newRun(t, db, "r", "")
		l := acquire(t, db, "r", "me", noon, noon.Add(time.Minute))
		if _, err := db.Append(t.Context(), l, flow.Entry{Kind: flow.EntryLog, Message: "a\x00b\xffc"}); err != nil {
			t.Fatal(err)
		}
		got, err := db.Entries(t.Context(), "r", 0)
		if err != nil || len(got) != 1 || got[0].Message != "a\uFFFDb\uFFFDc" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestJournalRefusals(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		newRun(t, db, "r", "")
		l := acquire(t, db, "r", "me", noon, noon.Add(time.Minute))
		ctx := t.Context()
		noRun := flow.Lease{Run: "none", Owner: "me"}
		add := func(l flow.Lease, e flow.Entry) error { _, err := db.Append(ctx, l, e); return err }
		sub := func(e flow.Entry) error { _, err := db.Submit(ctx, e); return err }
		for _, test := range []struct {
			what string
			err  error
			want error // nil: any
		}{
			{"append to no run", add(noRun, flow.Entry{Kind: flow.EntryLog}), flow.ErrNoRun},
			{"submit to no run", sub(flow.Entry{Run: "none", Kind: flow.EntryCancel}), flow.ErrNoRun},
			{"submit a state", sub(flow.Entry{Run: "r", Kind: flow.EntryState, Message: "failed"}), nil},
			{"append as another", add(flow.Lease{Run: "r", Owner: "you"}, flow.Entry{Kind: flow.EntryLog}), flow.ErrLeaseLost},
			{"append as nobody", add(flow.Lease{Run: "r"}, flow.Entry{Kind: flow.EntryLog}), flow.ErrLeaseLost},
			{"append a strange state", add(l, flow.Entry{Kind: flow.EntryState, Message: "done"}), nil},
			{"append broken data", add(l, flow.Entry{Kind: flow.EntryDone, Data: json.RawMessage(`{`)}), nil},
			{"acquire no run", second(db.Acquire(ctx, "none", "me", noon, noon)), flow.ErrNoRun},
			{"acquire as nobody", second(db.Acquire(ctx, "r", "", noon, noon)), nil},
			{"entries of no run", second(db.Entries(ctx, "none", 0)), flow.ErrNoRun},
			{"no run", second(db.Run(ctx, "none")), flow.ErrNoRun},
		} {
			if test.err == nil || test.want != nil && !errors.Is(test.err, test.want) {
				t.Errorf("%s: %v, want %v", test.what, test.err, test.want)
			}
		}
		if entries, err := db.Entries(ctx, "r", 0); err != nil || len(entries) != 0 {
			t.Errorf("entries were added: %v, %v", entries, err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestLease(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		newRun(t, db, "r", "")
		minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
		log := func(l flow.Lease) error { return second(db.Append(t.Context(), l, flow.Entry{Kind: flow.EntryLog})) }

		acquire(t, db, "r", "me", minute(0), minute(2))
		if _, err := db.Acquire(t.Context(), "r", "you", minute(1), minute(3)); !errors.Is(err, flow.ErrLeased) {
			t.Errorf("taking a lease that holds: %v, want ErrLeased", err)
		}
		mine := acquire(t, db, "r", "me", minute(1), minute(4)) // extended
		if err := log(mine); err != nil {
			t.Errorf("appending under an extended lease: %v", err)
		}
		if _, err := db.Acquire(t.Context(), "r", "you", minute(3), minute(5)); !errors.Is(err, flow.ErrLeased) {
			t.Errorf("taking a lease that was extended: %v, want ErrLeased", err)
		}
		yours := acquire(t, db, "r", "you", minute(4), minute(6))
		if err := log(mine); !errors.Is(err, flow.ErrLeaseLost) {
			t.Errorf("appending under a lost lease: %v, want ErrLeaseLost", err)
		}
		if err := db.Release(t.Context(), mine); err != nil {
			t.Error(err)
		}
		if err := log(yours); err != nil {
			t.Errorf("after the loser released: %v", err)
		}
		if err := db.Release(t.Context(), yours); err != nil {
			t.Error(err)
		}
		if err := log(yours); !errors.Is(err, flow.ErrLeaseLost) {
			t.Errorf("appending under a released lease: %v, want ErrLeaseLost", err)
		}
		acquire(t, db, "r", "me", minute(0), minute(1))
	})
}

// Of many who want a lease, or a key, one gets it; and entries added at the
// same time get different numbers.
func TestJournalRaces(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const n = 8
		newRun(t, db, "r", "")
		var leases, keys atomic.Int64
		var group errgroup.Group
		for i := range n {
			group.Go(func() error {
				_, err := db.Acquire(t.Context(), "r", fmt.Sprint(i), noon, noon.Add(time.Minute))
				switch {
				case err == nil:
					leases.Add(1)
				case !errors.Is(err, flow.ErrLeased):
					return err
				}
				err = db.CreateRun(t.Context(), flow.Run{ID: fmt.Sprint("k", i), Key: "key"})
				switch {
				case err == nil:
					keys.Add(1)
				case !errors.Is(err, flow.ErrBusy):
					return err
				}
				return second(db.Submit(t.Context(), flow.Entry{Run: "r", Kind: flow.EntryApproval, Message: fmt.Sprint(i)}))
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if leases.Load() != 1 || keys.Load() != 1 {
			t.Errorf("%d got the lease and %d the key, want one each", leases.Load(), keys.Load())
		}
		entries, err := db.Entries(t.Context(), "r", 0)
		if err != nil || len(entries) != n {
			t.Fatalf("%d entries, %v; want %d", len(entries), err, n)
		}
		for i, e := range entries {
			if e.Seq != int64(i+1) {
				t.Errorf("entry %d has number %d", i, e.Seq)
			}
		}
	})
}
