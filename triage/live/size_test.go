package live_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"seaworthy/store"
	"seaworthy/store/storetest"
	"seaworthy/triage"
	"seaworthy/triage/live"
)

// filled is an import of SEAWORTHY_BENCH_FAILURES, a folder with
// triage_builds.json and tests_*.json, and the time of its newest build.
func filled(b *testing.B) (*live.Import, time.Time) {
	b.Helper()
	dir := os.Getenv("SEAWORTHY_BENCH_FAILURES")
	if dir == "" {
		b.Skip("skipped: needs a folder of triage's files in SEAWORTHY_BENCH_FAILURES")
	}
	open := func(name string) *os.File {
		f, err := os.Open(name)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { f.Close() }) // it is only read
		return f
	}
	builds, _, err := triage.ReadBuilds(b.Context(), open(filepath.Join(dir, "triage_builds.json")))
	if err != nil {
		b.Fatal(err)
	}
	x, newest := live.NewImport(builds), int64(0)
	for _, build := range builds {
		newest = max(newest, build.Started)
	}
	names, err := filepath.Glob(filepath.Join(dir, "tests_*.json"))
	if err != nil || len(names) == 0 {
		b.Fatalf("no failures in %s: %v", dir, err)
	}
	for _, name := range names {
		if _, err := triage.ReadFailures(b.Context(), open(name), 2, x.Add); err != nil {
			b.Fatal(err)
		}
	}
	return x, time.Unix(newest, 0).Add(time.Minute)
}

// BenchmarkReconcile records failures, asks all the while they are clustered
// anew, and tells the longest that a question took and a build waited, and how
// long a process takes to read everything.
func BenchmarkReconcile(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.DB{
		"SQLite":     func(t testing.TB) *store.DB { return storetest.SQLite(t) },
		"PostgreSQL": func(t testing.TB) *store.DB { return storetest.Open(t, storetest.PostgresURL(t)) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				reconcileOnce(b, open)
			}
		})
	}
}

func reconcileOnce(b *testing.B, open func(testing.TB) *store.DB) {
	x, now := filled(b)
	db := open(b)
	s := live.New(live.Options{Store: db, Sorter: live.Triage{}, Now: func() time.Time { return now }, Patience: 100 * time.Millisecond})
	begin := time.Now()
	done, err := x.Into(b.Context(), s, func(int, int) {})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(begin).Seconds(), "s/import")
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var asked, waited atomic.Int64
	ended := make(chan error, 2)
	repeat := func(most *atomic.Int64, do func(n int) error) {
		for n := 0; ctx.Err() == nil; n++ {
			begin := time.Now()
			if err := do(n); err != nil {
				ended <- err
				return
			}
			most.Store(max(most.Load(), int64(time.Since(begin))))
		}
		ended <- nil
	}
	go repeat(&asked, func(int) error { _, err := s.List(b.Context(), live.Filter{}); return err })
	go repeat(&waited, func(n int) error {
		r := build(n, 0, fail("TestA", "the anchor was lost"))
		r.Started = now.Add(-time.Hour)
		return s.Record(b.Context(), r)
	})
	begin = time.Now()
	change, err := s.Reconcile(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(begin).Seconds(), "s/reconcile")
	stop()
	for range 2 {
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(time.Duration(asked.Load()).Seconds(), "s/slowest-question")
	b.ReportMetric(time.Duration(waited.Load()).Seconds(), "s/slowest-record")
	fresh := live.New(live.Options{Store: db, Sorter: live.Triage{}, Now: func() time.Time { return now }})
	begin = time.Now()
	if _, err := fresh.List(b.Context(), live.Filter{}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(begin).Seconds(), "s/first-question")
	b.Logf("%+v, %+v", done, change)
}
