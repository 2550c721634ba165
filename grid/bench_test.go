package grid_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"seaworthy/grid"
)

// big is the results of a job with 3,500 tests in 25 files: one in a hundred
// is flaky, a few are broken from some build on, and each says it in its own
// words.
var big = sync.OnceValue(func() []grid.Build {
	const tests, builds = 3500, 200
	r := rand.New(rand.NewPCG(1, 2))
	names := make([]string, tests)
	flaky, broken := make([]float64, tests), make([]int, tests)
	for i := range names {
		names[i] = fmt.Sprintf("Kubernetes e2e suite.[It] [sig-apps] downward-api should unmount csinodes with owner-reference %d [Conformance]", i)
		broken[i] = builds
		switch {
		case r.Float64() < 0.01:
			flaky[i] = r.Float64() / 4
		case r.Float64() < 0.01:
			broken[i] = r.IntN(builds)
		}
	}
	all := make([]grid.Build, builds)
	for b := range all {
		start := now.Add(time.Duration(b-builds) * time.Hour)
		x := grid.Build{ID: fmt.Sprint(2011000000000000000 + b*4194304000), Started: start, Finished: start.Add(50 * time.Minute), Passed: true, Result: "SUCCESS", Commit: fmt.Sprintf("%040x", b)}
		for i, name := range names {
			t := grid.Test{Name: name, Status: grid.Pass, Duration: time.Duration(r.IntN(60000)) * time.Millisecond, File: fmt.Sprintf("junit_%02d.xml", i/140)}
			if r.Float64() < flaky[i] || b >= broken[i] || r.Float64() < 0.0002 {
				x.Passed, x.Result, t.Status = false, "FAILURE", grid.Fail
				t.Message = fmt.Sprintf("k8s.io/kubernetes/test/e2e/storage/csi_volumes.go:%d: timed out waiting for pod pvc-%x to be running: %x %x %x", i, r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
			}
			x.Tests = append(x.Tests, t)
		}
		all[b] = x
	}
	return all
})

func whole() *grid.Grid {
	g := grid.New("ci-big")
	for _, b := range big() {
		g.Append(b, now)
	}
	return g
}

var bigGrid = sync.OnceValue(whole)

func BenchmarkAppendAll(b *testing.B) {
	big()
	b.ReportAllocs()
	for b.Loop() {
		whole()
	}
}

func BenchmarkAppendNewestFirst(b *testing.B) {
	all := big()
	for b.Loop() {
		g := grid.New("ci-big")
		for i := range all {
			g.Append(all[len(all)-1-i], now)
		}
	}
}

// One more build, of a grid that others read.
func BenchmarkAppendOne(b *testing.B) {
	all := big()
	g := grid.New("ci-big")
	for _, x := range all[:199] {
		g.Append(x, now)
	}
	b.ReportAllocs()
	for b.Loop() {
		g.Clone().Append(all[199], now)
	}
}

func BenchmarkClone(b *testing.B) {
	g := bigGrid().Clone()
	for b.Loop() {
		g.Clone()
	}
}

func BenchmarkEncode(b *testing.B) {
	g := bigGrid()
	for b.Loop() {
		data, err := g.Encode()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(data))/1e6, "MB")
	}
}

func BenchmarkDecode(b *testing.B) {
	data, err := bigGrid().Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := grid.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSummarize(b *testing.B) {
	g := bigGrid()
	b.ReportAllocs()
	for b.Loop() {
		grid.Summarize(g, grid.Options{}, now)
	}
}

func BenchmarkHealthiness(b *testing.B) {
	g := bigGrid()
	for b.Loop() {
		grid.Healthiness(g, grid.Options{}, now)
	}
}

func BenchmarkView(b *testing.B) {
	g := bigGrid()
	q := grid.Query{Sort: grid.ByFailures, Rows: grid.Window{Count: 150}}
	for b.Loop() {
		data, err := json.Marshal(q.View(g))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(data))/1e3, "kB")
	}
}

// What a grid keeps in memory.
func BenchmarkMemory(b *testing.B) {
	big()
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		g := whole()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB-kept")
		runtime.KeepAlive(g)
	}
}
