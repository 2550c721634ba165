package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"seaworthy/job"
	"seaworthy/store"
	"seaworthy/store/storetest"
)

// fullExecution has every field set.
func fullExecution() job.Execution {
	return job.Execution{
		ID: "e1", BuildID: "1234567890123456789", Job: "unit", Type: job.Presubmit, Context: "ci/unit",
		Refs: job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: "base", Pulls: []job.Pull{
			{Number: 7, Author: "ben", SHA: "head7"}, {Number: 8, Author: "cho", SHA: "head8"}}},
		Extra:    []job.Refs{{Org: "harbour", Repo: "capstan", WorkDir: true}},
		Spec:     job.Spec{Command: []string{"go", "test"}, Env: []job.EnvVar{{Name: "A", Value: "\x00⛵"}}, Timeout: time.Hour, Labels: map[string]string{"a": "b"}},
		Optional: true, Report: true, Key: "key", Cause: "pull request opened", State: job.Pending, Description: "runs", Path: "pr-logs/x",
		Owner: "w", LeaseUntil: noon.Add(time.Minute), CreatedAt: noon, StartedAt: noon.Add(time.Second), FinishedAt: noon.Add(time.Hour),
	}
}

func create(t *testing.T, db *store.DB, e job.Execution) {
	t.Helper()
	if ok, err := db.CreateExecution(t.Context(), e); err != nil || !ok {
		t.Fatalf("CreateExecution(%s) = %v, %v", e.ID, ok, err)
	}
}

func execution(t *testing.T, db *store.DB, id string) job.Execution {
	t.Helper()
	e, err := db.Execution(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExecutionComesBackAsItWas(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, want := range []job.Execution{
			fullExecution(),
			{ID: "e2", BuildID: "1", Job: "nightly", Type: job.Periodic, State: job.Triggered, CreatedAt: noon},
		} {
			create(t, db, want)
			if diff := cmp.Diff(want, execution(t, db, want.ID)); diff != "" {
				t.Error(diff)
			}
		}
		if _, err := db.Execution(t.Context(), "none"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Execution(none) = %v, want ErrNotFound", err)
		}
	})
}

func TestCreateExecutionOncePerKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		create(t, db, fullExecution())
		twin := fullExecution()
		twin.ID, twin.BuildID, twin.Job = "e2", "2", "another"
		if ok, err := db.CreateExecution(t.Context(), twin); err != nil || ok {
			t.Errorf("the same key again: created %v, %v; want neither", ok, err)
		}
		if all, err := db.Executions(t.Context(), job.ExecutionFilter{}); err != nil || len(all) != 1 || all[0].ID != "e1" {
			t.Errorf("stored: %v, %v", all, err)
		}
		twin.Key = "other"
		create(t, db, twin)
		for _, n := range []string{"3", "4"} { // an empty key is like no other
			create(t, db, job.Execution{ID: n, BuildID: n})
		}
	})
}

func TestCreateExecutionRefusals(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	create(t, db, job.Execution{ID: "e1", BuildID: "5"})
	for what, e := range map[string]job.Execution{
		"no id":            {BuildID: "6"},
		"no build id":      {ID: "x"},
		"a word":           {ID: "x", BuildID: "latest"},
		"a leading zero":   {ID: "x", BuildID: "06"},
		"too long":         {ID: "x", BuildID: "12345678901234567890"},
		"a used id":        {ID: "e1", BuildID: "6"},
		"a used build id":  {ID: "x", BuildID: "5"},
		"a negative build": {ID: "x", BuildID: "-1"},
	} {
		if ok, err := db.CreateExecution(t.Context(), e); err == nil || ok {
			t.Errorf("%s: created %v, %v; want an error", what, ok, err)
		}
	}
}

func TestExecutionFilter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		pull := func(n int, sha string) job.Refs {
			return job.Refs{Org: "harbour", Repo: "halyard", BaseSHA: "base", Pulls: []job.Pull{{Number: n, SHA: sha}}}
		}
		for i, e := range []job.Execution{
			{Job: "unit", Type: job.Presubmit, State: job.Success, Refs: pull(7, "s7")},
			{Job: "unit", Type: job.Presubmit, State: job.Failure, Refs: pull(8, "s8")},
			{Job: "unit", Type: job.Postsubmit, State: job.Pending, Refs: job.Refs{Org: "harbour", Repo: "halyard", BaseSHA: "base"}},
			{Job: "lint", Type: job.Presubmit, State: job.Triggered, Refs: pull(7, "s7b")},
			{Job: "nightly", Type: job.Periodic, State: job.Success},
		} {
			// Build ids of different lengths: they ascend as numbers.
			e.ID, e.BuildID = fmt.Sprint(i), fmt.Sprint(8+i)
			create(t, db, e)
		}
		for _, test := range []struct {
			filter job.ExecutionFilter
			want   []string
		}{
			{job.ExecutionFilter{}, []string{"4", "3", "2", "1", "0"}},
			{job.ExecutionFilter{Repo: "harbour/halyard"}, []string{"3", "2", "1", "0"}},
			{job.ExecutionFilter{Job: "unit"}, []string{"2", "1", "0"}},
			{job.ExecutionFilter{Type: job.Presubmit}, []string{"3", "1", "0"}},
			{job.ExecutionFilter{States: []job.State{job.Triggered, job.Pending}}, []string{"3", "2"}},
			{job.ExecutionFilter{Pull: 7}, []string{"3", "0"}},
			{job.ExecutionFilter{SHA: "s7"}, []string{"0"}},
			{job.ExecutionFilter{SHA: "base"}, []string{"2"}},
			{job.ExecutionFilter{Pull: 7, Job: "unit", States: []job.State{job.Success}}, []string{"0"}},
			{job.ExecutionFilter{Limit: 2}, []string{"4", "3"}},
			{job.ExecutionFilter{Limit: 2, Before: "11"}, []string{"2", "1"}},
			{job.ExecutionFilter{Repo: "harbour/capstan"}, nil},
		} {
			all, err := db.Executions(t.Context(), test.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range all {
				got = append(got, e.ID)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%+v: %s", test.filter, diff)
			}
		}
		if _, err := db.Executions(t.Context(), job.ExecutionFilter{Before: "latest"}); err == nil {
			t.Error("Before: latest was taken for a build id")
		}
	})
}

func TestExecutionLifecycle(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
		claim := func(owner string, now, until int) bool {
			t.Helper()
			e, ok, err := db.ClaimExecution(ctx, "e", owner, minute(now), minute(until))
			if err != nil {
				t.Fatal(err)
			}
			if ok && (e.State != job.Pending || e.Owner != owner || !e.LeaseUntil.Equal(minute(until)) || !e.StartedAt.Equal(minute(now))) {
				t.Errorf("claimed: %+v", e)
			}
			return ok
		}
		create(t, db, job.Execution{ID: "e", BuildID: "1", State: job.Triggered})
		if !claim("a", 0, 2) || claim("b", 1, 3) || claim("a", 1, 3) {
			t.Error("an execution is claimed once")
		}
		if err := db.ExtendExecution(ctx, "e", "a", minute(4)); err != nil {
			t.Error(err)
		}
		if claim("b", 3, 5) {
			t.Error("an extended lease was claimed")
		}
		if !claim("b", 4, 6) {
			t.Error("a lapsed lease was not claimed")
		}
		lost := job.Execution{ID: "e", Owner: "a", State: job.Success}
		for what, err := range map[string]error{
			"extend": db.ExtendExecution(ctx, "e", "a", minute(9)),
			"update": db.UpdateExecution(ctx, lost),
			"finish": db.FinishExecution(ctx, lost),
		} {
			if !errors.Is(err, store.ErrLost) {
				t.Errorf("%s as the one who lost it: %v, want ErrLost", what, err)
			}
		}
		if err := db.UpdateExecution(ctx, job.Execution{ID: "e", Owner: "b", Description: "half way", Path: "logs/1", StartedAt: minute(4)}); err != nil {
			t.Error(err)
		}
		if e := execution(t, db, "e"); e.Description != "half way" || e.Path != "logs/1" || e.State != job.Pending {
			t.Errorf("updated: %+v", e)
		}
		// An abort comes from somebody who does not hold it.
		aborted := job.Execution{ID: "e", State: job.Aborted, Description: "newer commit", Path: "logs/1", StartedAt: minute(4), FinishedAt: minute(5)}
		if err := db.FinishExecution(ctx, aborted); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{
			"extend": db.ExtendExecution(ctx, "e", "b", minute(9)),
			"update": db.UpdateExecution(ctx, job.Execution{ID: "e", Owner: "b"}),
			"finish": db.FinishExecution(ctx, job.Execution{ID: "e", Owner: "b", State: job.Success}),
		} {
			if !errors.Is(err, store.ErrFinal) {
				t.Errorf("%s after the abort: %v, want ErrFinal", what, err)
			}
		}
		if claim("c", 60, 61) {
			t.Error("an aborted execution was claimed")
		}
		want := aborted
		want.BuildID, want.Owner = "1", "b"
		got := execution(t, db, "e")
		got.CreatedAt = time.Time{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestExecutionRefusals(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	ctx := t.Context()
	create(t, db, job.Execution{ID: "e", BuildID: "1", State: job.Triggered})
	if err := db.FinishExecution(ctx, job.Execution{ID: "e", State: job.Pending}); err == nil {
		t.Error("finished as pending")
	}
	_, _, err := db.ClaimExecution(ctx, "none", "a", noon, noon)
	for what, err := range map[string]error{
		"claim":  err,
		"extend": db.ExtendExecution(ctx, "none", "a", noon),
		"update": db.UpdateExecution(ctx, job.Execution{ID: "none"}),
		"finish": db.FinishExecution(ctx, job.Execution{ID: "none", State: job.Success}),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
}

// Of many workers one gets an execution.
func TestClaimRace(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		create(t, db, job.Execution{ID: "e", BuildID: "1", State: job.Triggered})
		var winners atomic.Int64
		var group errgroup.Group
		for w := range 8 {
			group.Go(func() error {
				e, ok, err := db.ClaimExecution(t.Context(), "e", fmt.Sprint(w), noon, noon.Add(time.Minute))
				if ok {
					winners.Add(1)
					if e.Owner != fmt.Sprint(w) {
						t.Errorf("%d won, and %s has it", w, e.Owner)
					}
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if winners.Load() != 1 {
			t.Errorf("%d workers have it", winners.Load())
		}
	})
}

func TestNextBuildID(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		next := func(now time.Time) int64 {
			t.Helper()
			s, err := db.NextBuildID(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			id, err := strconv.ParseInt(s, 10, 64)
			if err != nil || len(s) != 19 {
				t.Fatalf("%q is not 19 digits (%v)", s, err)
			}
			return id
		}
		// The clock stands still, runs, and is set back.
		last := int64(0)
		for _, after := range []time.Duration{0, 0, time.Millisecond, time.Hour, -time.Hour, 0, 2 * time.Hour} {
			id := next(noon.Add(after))
			if id <= last {
				t.Errorf("%d follows %d", id, last)
			}
			last = id
		}
		var mu sync.Mutex
		var ids []int64
		var group errgroup.Group
		for range 4 {
			group.Go(func() error {
				for range 10 {
					id := next(noon)
					mu.Lock()
					ids = append(ids, id)
					mu.Unlock()
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(ids)
		if n := len(slices.Compact(ids)); n != 40 {
			t.Errorf("%d different ids of 40", n)
		}
	})
}
