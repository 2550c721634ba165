package triage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var sometime = time.Unix(1_790_000_000, 0)

// sample makes failures of causes that differ in a few words each, with noise
// drawn for each failure. The cause is the failure's Build modulo 1000.
func sample(seed int64, causes, failures int) []Failure {
	r := rand.New(rand.NewSource(seed))
	nouns := strings.Fields("pod service volume secret node lease role quota event job token snapshot claim class route zone probe sidecar finalizer webhook")
	verbs := strings.Fields("create delete attach mount drain scale update patch watch list")
	word := func(seed int) func(list []string) string {
		own := rand.New(rand.NewSource(int64(seed)))
		return func(list []string) string { return list[own.Intn(len(list))] }
	}
	var all []Failure
	for i := range failures {
		cause := r.Intn(causes)
		w := word(cause)
		var b strings.Builder
		fmt.Fprintf(&b, "cause%s%s: could not %s %s %s-%05d after %d.%03ds while the %s of the %s waited\n",
			string(rune('a'+cause/26%26)), string(rune('a'+cause%26)), w(verbs), w(nouns), w(nouns), r.Intn(100000), r.Intn(900), r.Intn(1000), w(nouns), w(nouns))
		for range r.Intn(20) {
			fmt.Fprintf(&b, "Sep 12 10:%02d:%02d.000: INFO: still pending, %d left\n", r.Intn(60), r.Intn(60), r.Intn(10))
		}
		for f := range 2 + cause%5 {
			fmt.Fprintf(&b, "example.com/%s.%s(0x%x)\n\t%s/file.go:%d +0x%x\n", w(nouns), w(verbs), r.Int63(), w(nouns), 10*f+r.Intn(3), r.Intn(4000))
		}
		all = append(all, Failure{Build: 1000*i + cause, Test: fmt.Sprintf("[sig-%s] test %d", w(nouns), r.Intn(40)), Text: b.String(), Started: sometime.Add(-time.Duration(r.Intn(1e6)) * time.Second)})
	}
	return all
}

func clusterAll(t testing.TB, failures []Failure, o Options) []Group {
	t.Helper()
	clusters, err := Cluster(context.Background(), failures, o)
	if err != nil {
		t.Fatal(err)
	}
	return clusters
}

// plain is what clusters show, for comparison.
func plain(t testing.TB, clusters []Group) string {
	t.Helper()
	text, err := json.Marshal(clusters)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestClusterFindsCauses(t *testing.T) {
	t.Parallel()
	clusters := clusterAll(t, sample(1, 200, 4000), Options{})
	if len(clusters) != 200 {
		t.Errorf("%d clusters of 200 causes", len(clusters))
	}
	for _, c := range clusters {
		for _, m := range c.Members {
			if m.Build%1000 != c.Members[0].Build%1000 {
				t.Fatalf("causes %d and %d are one cluster: %s", m.Build%1000, c.Members[0].Build%1000, c.Key)
			}
		}
	}
	if !slices.IsSortedFunc(clusters, func(a, b Group) int { return len(b.Members) - len(a.Members) }) {
		t.Error("the largest cluster is not first")
	}
}

// Whatever the order, the repetitions and the number of workers: the same bytes.
func TestClusterIsDeterministic(t *testing.T) {
	t.Parallel()
	failures := sample(2, 100, 2000)
	for _, l := range corpus(t) {
		failures = append(failures, Failure{Build: len(failures), Test: "corpus", Text: l.text, Started: sometime})
	}
	want := plain(t, clusterAll(t, failures, Options{Workers: 1}))
	for seed := range int64(6) {
		shuffled := slices.Clone(failures)
		rand.New(rand.NewSource(seed)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		shuffled = append(shuffled, shuffled[:100*seed]...) // a shard read twice
		if got := plain(t, clusterAll(t, shuffled, Options{Workers: int(1 + seed)})); got != want {
			t.Fatalf("seed %d: other clusters", seed)
		}
	}
}

func TestClusterRules(t *testing.T) {
	t.Parallel()
	trace := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "item %c%c of the list has a name and a value\n", 'a'+i/26, 'a'+i%26)
		}
		return b.String()
	}
	hosts := func(n int) (texts []string) {
		for i := range n {
			texts = append(texts, fmt.Sprintf("could not reach the build machine %s%s over the wire in time", []string{"brave", "calm", "dark", "early", "faint", "grand"}[i%6], []string{"falcon", "otter", "lynx", "heron", "tapir", "bison"}[i/6]))
		}
		return texts
	}
	for _, c := range []struct {
		name  string
		texts []string
		want  []int // sizes
	}{
		{"a dump cut later", []string{"boom\n" + trace(20), "boom\n" + trace(21), "boom\n" + trace(22)}, []int{3}},
		{"another headline over the same dump", []string{"boom\n" + trace(20), "bang\n" + trace(20)}, []int{1, 1}},
		{"a line replaced", []string{"boom\n" + trace(20) + "the token was old", "boom\n" + trace(20) + "the quota was used up"}, []int{1, 1}},
		{"much more said", []string{"boom\n" + trace(3), "boom\n" + trace(20)}, []int{1, 1}},
		{"too little said", []string{"boom", "boom\nbang"}, []int{1, 1}},
		{"names nobody could know", hosts(12), []int{12}},
		{"few names", hosts(4), []int{1, 1, 1, 1}},
		{"names that return", append(append(append(hosts(6), hosts(6)...), hosts(6)...), hosts(6)...), []int{4, 4, 4, 4, 4, 4}},
		{"no text", []string{"", "", "x"}, []int{2, 1}},
	} {
		var failures []Failure
		for i, text := range c.texts {
			failures = append(failures, Failure{Build: i, Test: "t", Text: text})
		}
		var got []int
		for _, g := range clusterAll(t, failures, Options{}) {
			got = append(got, len(g.Members))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: clusters of %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	texts := []string{"pod web-x7k2p not ready at 2026-03-01T10:11:12Z after 30s", "pod web-b9d4z not ready at 2026-04-01T10:15:17Z after 30s"}
	var failures []Failure
	for i, text := range texts {
		failures = append(failures, Failure{Build: i, Test: "t", Text: text, Started: time.Unix(int64(i), 0)})
	}
	g := clusterAll(t, failures, Options{})[0]
	var parts []string
	at := 0
	for _, n := range g.Spans {
		parts = append(parts, g.Text[at:at+n])
		at += n
	}
	want := []string{"pod web-", "x7k2p", " not ready at 2026-", "03", "-01T10:", "11:12Z", " after 30s"}
	if at != len(g.Text) || strings.Join(parts, "|") != strings.Join(want, "|") {
		t.Errorf("spans are %q, want %q", parts, want)
	}
}

func TestClusterStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Cluster(ctx, sample(1, 3, 10), Options{}); err == nil {
		t.Error("clustering goes on after its context ended")
	}
}

func TestIdentitiesDiffer(t *testing.T) {
	t.Parallel()
	clusters := clusterAll(t, sample(3, 300, 900), Options{})
	seen := map[string]bool{}
	for _, c := range clusters {
		if len(c.ID) < 20 || seen[c.ID] {
			t.Errorf("identity %q", c.ID)
		}
		seen[c.ID] = true
	}
	long := strings.Repeat("some words of a very long text indeed, ", 400)
	two := clusterAll(t, []Failure{{Build: 1, Text: long + "red"}, {Build: 2, Text: long + "green"}}, Options{})
	if len(two) != 2 || two[0].ID == two[1].ID {
		t.Errorf("texts that differ behind the cut of their keys: %d clusters", len(two))
	}
}

func TestTextIsCut(t *testing.T) {
	t.Parallel()
	g := clusterAll(t, []Failure{{Text: strings.Repeat("ä", 100)}, {Build: 1, Text: strings.Repeat("ä", 100)}}, Options{TextLimit: 31})[0]
	if g.Text != strings.Repeat("ä", 15) || len(g.Spans) != 1 || g.Spans[0] != 30 {
		t.Errorf("cut to %q, spans %v", g.Text, g.Spans)
	}
}

// benchmarkFailures are of the folder SEAWORTHY_BENCH_FAILURES (tests_*.json),
// or made here.
func benchmarkFailures(b *testing.B) (failures []Failure, size int64) {
	dir := os.Getenv("SEAWORTHY_BENCH_FAILURES")
	if dir == "" {
		failures = sample(1, 500, 20_000)
	}
	files, err := filepath.Glob(filepath.Join(dir, "tests_*.json"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		places := NewPlaces(nil)
		if _, err := ReadFailures(context.Background(), bytes.NewReader(raw), 1, func(r Row) { failures = append(failures, places.Failure(r)) }); err != nil {
			b.Fatal(err)
		}
	}
	for _, f := range failures {
		size += int64(len(f.Text))
	}
	return failures, size
}

func BenchmarkCluster(b *testing.B) {
	failures, size := benchmarkFailures(b)
	b.SetBytes(size)
	for b.Loop() {
		if _, err := Cluster(context.Background(), failures, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(failures)), "failures")
}

func BenchmarkNormalise(b *testing.B) {
	failures, size := benchmarkFailures(b)
	b.SetBytes(size)
	var s scanner
	for b.Loop() {
		for _, f := range failures {
			s.read(f.Text)
		}
	}
}

func BenchmarkAssign(b *testing.B) {
	failures, _ := benchmarkFailures(b)
	clusters, err := Cluster(context.Background(), failures, Options{})
	if err != nil {
		b.Fatal(err)
	}
	x := NewIndex(clusters)
	runtime.GC()
	n := 0
	for b.Loop() {
		if _, ok := x.Assign(failures[n%len(failures)].Text); !ok {
			b.Fatal("a text that was clustered is not known")
		}
		n++
	}
}

func BenchmarkReadFailures(b *testing.B) {
	var file bytes.Buffer
	for i, f := range sample(1, 500, 20_000) {
		row, err := json.Marshal(map[string]string{"started": "1790000000", "build": fmt.Sprint("gs://b/logs/j/", i), "name": f.Test, "failure_text": f.Text})
		if err != nil {
			b.Fatal(err)
		}
		file.Write(append(row, '\n'))
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		if _, err := ReadFailures(context.Background(), io.NewSectionReader(bytes.NewReader(file.Bytes()), 0, int64(file.Len())), 1, func(Row) {}); err != nil {
			b.Fatal(err)
		}
	}
}
