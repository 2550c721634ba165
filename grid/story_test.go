package grid_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a value, as JSON, with a file of testdata.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", path, diff)
	}
}

// story is a week of a job: green, a test that flakes, one that breaks with a
// commit, a build whose pod did not start, one whose results are cut off, one
// that hangs, and one that runs.
func story() *grid.Grid {
	g := grid.NewWith("ci-halyard", grid.Settings{Headers: []string{"Commit"}, Pod: true})
	add := func(id int, change func(*grid.Build), tests ...string) {
		b := build(id, tests...)
		b.Started = now.Add(-time.Duration(100-id) * 12 * time.Hour)
		b.Finished = b.Started.Add(time.Duration(20+id%3) * time.Minute)
		b.Headers, b.Pod = []string{"v1.4-" + b.Commit}, &grid.Pod{Passed: true, Decorated: true}
		for i := range b.Tests {
			b.Tests[i].Duration = time.Duration(10+i) * time.Second
		}
		if change != nil {
			change(&b)
		}
		g.Append(b, now)
	}
	add(90, nil, "knot.TestBowline", "knot.TestSheet", "~rig.TestMast")
	add(91, nil, "knot.TestBowline", "knot.TestSheet", "rig.TestMast")
	add(92, func(b *grid.Build) { b.Passed, b.Result = true, "SUCCESS" }, "knot.TestBowline", "-knot.TestSheet", "knot.TestSheet", "rig.TestMast")
	add(93, func(b *grid.Build) {
		b.Passed, b.Result, b.Pod = false, "FAILURE", &grid.Pod{Message: "pod did not schedule: 0/5 nodes are available"}
	})
	add(94, func(b *grid.Build) { b.Malformed = "artifacts/junit_02.xml: cut off at line 7" }, "knot.TestBowline")
	add(95, nil, "-knot.TestBowline", "knot.TestSheet", "rig.TestMast", "rig.TestBoom")
	add(96, func(b *grid.Build) { b.Finished, b.Passed, b.Result, b.Pod = time.Time{}, false, "", nil })
	add(97, func(b *grid.Build) { b.Mails = []string{"rigging@example.org"} }, "-knot.TestBowline", "knot.TestSheet", "rig.TestMast", "rig.TestBoom")
	add(98, nil, "-knot.TestBowline", "knot.TestSheet", "rig.TestMast", "rig.TestBoom")
	add(99, func(b *grid.Build) { b.Finished, b.Passed, b.Result, b.Pod = time.Time{}, false, "", nil })
	return g
}

// What others rely on: the forms of a grid, a summary and a view as JSON.
func TestStory(t *testing.T) {
	t.Parallel()
	g := story()
	golden(t, "story.picture.json", picture(g))
	golden(t, "story.summary.json", grid.Summarize(g, grid.Options{StaleAfter: 48 * time.Hour, Health: 36 * time.Hour}, now))
	golden(t, "story.view.json", grid.Query{Sort: grid.ByFailures, Columns: grid.Window{Count: 5}}.View(g))
	golden(t, "story.row.json", g.Row("knot.TestBowline"))
	golden(t, "story.failures.json", grid.Query{}.Failures(g, true))
	golden(t, "story.compare.json", grid.Compare([]*grid.Grid{g, of(build(99, "knot.TestBowline"))}, grid.Query{Recent: 4}))
}

// A summary ages without its grid.
func TestAged(t *testing.T) {
	t.Parallel()
	g := of(build(98, "a"), build(99, "a")) // an hour ago
	o := grid.Options{StaleAfter: 2 * time.Hour}
	s := grid.Summarize(g, o, now)
	for _, tt := range []struct {
		after   time.Duration
		updated time.Duration // before now, 0 is not known
		status  grid.Status
		alert   string
	}{
		{0, 0, grid.Passing, ""},
		{time.Hour, 0, grid.Passing, ""},
		{time.Hour + time.Second, 0, grid.Stale, "latest column from 2026-11-22 11:00:00 UTC (2h0m0s old)"},
		{100 * time.Minute, 0, grid.Stale, "latest column from 2026-11-22 11:00:00 UTC (2h30m0s old)"},
		{0, 3 * time.Hour, grid.Stale, "data has not changed since 2026-11-22 09:00:00 UTC (3h0m0s old)"},
		{-time.Hour, 0, grid.Passing, ""},
	} {
		x := o
		if tt.updated > 0 {
			x.Updated = now.Add(-tt.updated)
		}
		at := now.Add(tt.after)
		got := s.Aged(x, at)
		if got.Status != tt.status || got.Alert != tt.alert {
			t.Errorf("after %s: %s %q", tt.after, got.Status, got.Alert)
		}
		if diff := cmp.Diff(grid.Summarize(g, x, at), got); diff != "" {
			t.Errorf("after %s it is another than that of the grid: %s", tt.after, diff)
		}
		if back := got.Aged(o, now); !cmp.Equal(back, s) {
			t.Errorf("after %s it does not become young again: %s", tt.after, cmp.Diff(s, back))
		}
	}
}

func TestTrimTable(t *testing.T) {
	t.Parallel()
	lost := build(95, "lost")
	lost.Started, lost.Finished = time.Time{}, time.Time{}
	for _, tt := range []struct {
		name   string
		builds []grid.Build
		hours  int
		keep   int
		want   []string
	}{
		{"nothing is old", []grid.Build{build(98, "a"), build(99, "a")}, 9, 0, []string{"builds 99 98", "j.Overall PP", "a PP"}},
		{"all are", []grid.Build{build(98, "a"), build(99, "a")}, 0, 0, []string{"builds"}},
		{"some are kept", []grid.Build{build(97, "a"), build(98, "-a"), build(99, "b")}, 0, 2, []string{"builds 99 98", "j.Overall PF", "a .F", "b P."}},
		{"fewer than are kept", []grid.Build{build(98, "a")}, 0, 2, []string{"builds 98", "j.Overall P", "a P"}},
		{"no time, above the old", []grid.Build{build(94, "a"), lost, build(99, "a")}, 4, 0, []string{"builds 99 95", "j.Overall PR", "a P.", "lost .P"}},
		{"no time, among the old", []grid.Build{build(94, "a"), lost, build(96, "a"), build(99, "a")}, 2, 0, []string{"builds 99", "j.Overall P", "a P"}},
		{"no time, among the young", []grid.Build{build(94, "a"), lost, build(98, "a"), build(99, "a")}, 6, 0, []string{"builds 99 98 95 94", "j.Overall PPRP", "a PP.P", "lost ..P."}},
		{"no times at all", []grid.Build{lost}, 0, 0, []string{"builds 95", "j.Overall R", "lost P"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := of(tt.builds...)
			c := g.Clone()
			before := picture(c)
			g.Trim(now.Add(-time.Duration(tt.hours)*time.Hour), tt.keep)
			if diff := cmp.Diff(tt.want, picture(g)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, picture(c)); diff != "" {
				t.Errorf("the clone changed along: %s", diff)
			}
		})
	}
}
