package signal_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"seaworthy/grid/dashboard"
	"seaworthy/job/result"
	"seaworthy/signal"
)

// The benches make a small job of their own. A large one, as TestGrid's
// updater was measured with, is taken from a folder:
//
//	SEAWORTHY_BENCH_BUCKET=/data/bucket SEAWORTHY_BENCH_JOB=logs/ci-big go test ./signal -run - -bench .
func benchJob(b *testing.B) (bucket *blob.Bucket, list lister, folder string, now time.Time) {
	b.Helper()
	if dir := os.Getenv("SEAWORTHY_BENCH_BUCKET"); dir != "" {
		bucket, err := result.OpenFolder(dir)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { bucket.Close() })
		return bucket, result.List, os.Getenv("SEAWORTHY_BENCH_JOB"), time.Now()
	}
	bucket = memblob.OpenBucket(nil)
	b.Cleanup(func() { bucket.Close() })
	now = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	for id := 1; id <= 100; id++ {
		began := now.Add(time.Duration(id-120) * time.Hour)
		at := fmt.Sprintf("logs/ci-bench/%d/", 1000+id)
		var suite strings.Builder
		suite.WriteString(`<testsuite name="knots">`)
		for i := range 400 {
			fmt.Fprintf(&suite, `<testcase name="Test%d" time="%d.5">`, i, i%7)
			if (i*7+id)%97 == 0 {
				suite.WriteString(`<failure message="it slipped">expected it to hold</failure>`)
			}
			suite.WriteString(`</testcase>`)
		}
		suite.WriteString(`</testsuite>`)
		for name, text := range map[string]string{
			"started.json": fmt.Sprintf(`{"timestamp":%d}`, began.Unix()), "finished.json": fmt.Sprintf(`{"timestamp":%d,"passed":true,"result":"SUCCESS"}`, began.Unix()+60),
			"artifacts/junit_01.xml": suite.String(),
		} {
			if err := bucket.WriteAll(b.Context(), at+name, []byte(text), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	return bucket, result.List, "logs/ci-bench", now
}

type lister func(context.Context, *blob.Bucket, string) ([]result.Ref, error)

// processor is the time that this process has computed for: on a machine that
// others use, too, it tells more than the clock.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// measured has a benchmark report the processor time of each round.
func measured(b *testing.B, round func(i int)) {
	b.Helper()
	var spent time.Duration
	for i := 0; b.Loop(); i++ {
		began := processor(b)
		round(i)
		spent += processor(b) - began
	}
	b.ReportMetric(spent.Seconds()*1000/float64(b.N), "cpu-ms/op")
}

func board(folder string) func(context.Context) ([]signal.Configuration, error) {
	c := dashboard.Config{
		TestGroups: []dashboard.TestGroup{{Name: "g", Prefix: folder}},
		Dashboards: []dashboard.Dashboard{{Name: "d", Tabs: []dashboard.Tab{{Name: "t", TestGroup: "g"}}}},
	}
	return func(context.Context) ([]signal.Configuration, error) {
		return []signal.Configuration{{Config: c, Whole: true}}, nil
	}
}

func here(b *blob.Bucket) func(context.Context, string) (*blob.Bucket, string, error) {
	return func(_ context.Context, prefix string) (*blob.Bucket, string, error) { return b, prefix, nil }
}

func BenchmarkCold(b *testing.B) {
	bucket, list, folder, now := benchJob(b)
	b.ReportAllocs()
	measured(b, func(int) {
		s := signal.New(signal.Options{Open: here(bucket), List: list, Now: at(now), Configured: board(folder)})
		g, _, _, err := s.TabGrid(b.Context(), "d", "t")
		if err != nil || len(g.Columns) < 100 {
			b.Fatal(err, len(g.Columns))
		}
	})
}

// One build more: listed, read, appended, summed up and kept.
func BenchmarkOneMore(b *testing.B) {
	bucket, list, folder, now := benchJob(b)
	hide := true
	without := func(ctx context.Context, b *blob.Bucket, folder string) ([]result.Ref, error) {
		refs, err := list(ctx, b, folder)
		if hide && err == nil {
			refs = refs[:len(refs)-1]
		}
		return refs, err
	}
	cache := memblob.OpenBucket(nil)
	defer cache.Close()
	start := func() *signal.Service {
		return signal.New(signal.Options{Open: here(bucket), List: without, Cache: cache, Now: at(now), Configured: board(folder)})
	}
	if err := start().Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	page, _, err := cache.ListPage(b.Context(), blob.FirstPageToken, 1, &blob.ListOptions{Prefix: "grids/"})
	if err != nil {
		b.Fatal(err)
	}
	kept, err := cache.ReadAll(b.Context(), page[0].Key)
	if err != nil {
		b.Fatal(err)
	}
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		hide = true
		if err := cache.WriteAll(b.Context(), page[0].Key, kept, nil); err != nil {
			b.Fatal(err)
		}
		s := start()
		before, _, _, err := s.TabGrid(b.Context(), "d", "t")
		if err != nil {
			b.Fatal(err)
		}
		hide = false
		runtime.GC() // what was made to prepare is no part of it
		began := processor(b)
		b.StartTimer()
		g, _, _, err := s.TabGrid(b.Context(), "d", "t")
		if err != nil || len(g.Columns) != len(before.Columns)+1 {
			b.Fatal(err, len(g.Columns))
		}
		spent += processor(b) - began
	}
	b.ReportMetric(spent.Seconds()*1000/float64(b.N), "cpu-ms/op")
}

// The summaries of 8,000 tabs on 400 dashboards: as a process has them, and
// after a restart.
func BenchmarkSummaries(b *testing.B) {
	var c dashboard.Config
	for d := range 400 {
		board := dashboard.Dashboard{Name: fmt.Sprintf("dashboard-%d", d)}
		for t := range 20 {
			name := fmt.Sprintf("job-%d-%d", d, t)
			c.TestGroups = append(c.TestGroups, dashboard.TestGroup{Name: name, Prefix: "logs/" + name, NoPodRow: true, StaleHours: 24})
			board.Tabs = append(board.Tabs, dashboard.Tab{Name: name, TestGroup: name})
		}
		c.Dashboards = append(c.Dashboards, board)
	}
	now := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	bucket, cache := memblob.OpenBucket(nil), memblob.OpenBucket(nil)
	defer bucket.Close()
	defer cache.Close()
	text := `<testsuite name="knot"><testcase name="TestBowline"/><testcase name="TestSheet"><failure>slipped</failure></testcase></testsuite>`
	open := func(_ context.Context, prefix string) (*blob.Bucket, string, error) { return bucket, "logs/one", nil }
	for id := range 5 {
		began := now.Add(time.Duration(id-10) * time.Hour).Unix()
		for name, text := range map[string]string{"started.json": fmt.Sprintf(`{"timestamp":%d}`, began), "finished.json": fmt.Sprintf(`{"timestamp":%d,"passed":false}`, began+60), "artifacts/junit.xml": text} {
			if err := bucket.WriteAll(b.Context(), fmt.Sprintf("logs/one/%d/%s", id+1, name), []byte(text), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	start := func() *signal.Service {
		return signal.New(signal.Options{Open: open, Cache: cache, Fresh: time.Minute, Now: at(now), Configured: func(context.Context) ([]signal.Configuration, error) {
			return []signal.Configuration{{Config: c, Whole: true}}, nil
		}})
	}
	warm := start()
	if err := warm.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	all := func(b *testing.B, s *signal.Service) {
		tabs, err := s.AllSummaries(b.Context())
		if err != nil || len(tabs) != 8000 || tabs[7999].Summary.Status != "FAILING" {
			b.Fatal(err, len(tabs))
		}
	}
	b.Run("warm", func(b *testing.B) {
		measured(b, func(int) { all(b, warm) })
	})
	b.Run("after a restart", func(b *testing.B) {
		measured(b, func(int) { all(b, start()) })
	})
}
