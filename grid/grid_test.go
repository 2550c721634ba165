package grid_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"seaworthy/grid"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// build makes a finished build, an hour after the one before it. A test is
// written "name", "-name" for a failure, "~name" for a skip.
func build(id int, tests ...string) grid.Build {
	b := grid.Build{
		ID: fmt.Sprint(id), Started: now.Add(time.Duration(id-100) * time.Hour), Finished: now.Add(time.Duration(id-100)*time.Hour + time.Minute),
		Passed: true, Result: "SUCCESS", Commit: fmt.Sprintf("c%d", id),
	}
	for _, t := range tests {
		switch t[0] {
		case '-':
			b.Tests = append(b.Tests, grid.Test{Name: t[1:], Status: grid.Fail, Message: "broke"})
			b.Passed, b.Result = false, "FAILURE"
		case '~':
			b.Tests = append(b.Tests, grid.Test{Name: t[1:], Status: grid.PassWithSkips, Message: "why"})
		default:
			b.Tests = append(b.Tests, grid.Test{Name: t, Status: grid.Pass})
		}
	}
	return b
}

func running(id int) grid.Build {
	b := build(id)
	b.Finished, b.Passed, b.Result = time.Time{}, false, ""
	return b
}

func of(builds ...grid.Build) *grid.Grid {
	g := grid.New("j")
	for _, b := range builds {
		g.Append(b, now)
	}
	return g
}

// picture draws a grid: a line for each row, newest column first.
func picture(g *grid.Grid) []string {
	letters := map[grid.Outcome]string{grid.NoResult: ".", grid.Pass: "P", grid.PassWithSkips: "S", grid.Running: "R", grid.Fail: "F", grid.Flake: "K"}
	head := "builds"
	for _, c := range g.Columns {
		head += " " + c.Build
	}
	out := []string{head}
	for _, r := range g.Rows {
		line := r.Name + " "
		for _, c := range r.Cells() {
			line += letters[c.Status]
		}
		out = append(out, line)
	}
	return out
}

func TestAppend(t *testing.T) {
	t.Parallel()
	builds := []grid.Build{build(98, "a"), build(99, "a", "-b"), build(100, "c", "a"), running(101)}
	want := []string{"builds 101 100 99 98", "j.Overall RPFP", "a .PPP", "b ..F.", "c .P.."}
	orders := [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 2, 0, 3, 1, 0}}
	var first *grid.Grid
	for _, order := range orders {
		g := grid.New("j")
		for _, i := range order {
			g.Append(builds[i], now)
		}
		if diff := cmp.Diff(want, picture(g)); diff != "" {
			t.Errorf("order %v:\n%s", order, diff)
		}
		if first == nil {
			first = g
		} else if diff := cmp.Diff(first, g, cmpopts.IgnoreUnexported(grid.Grid{}, grid.Row{})); diff != "" {
			t.Errorf("order %v gives another grid:\n%s", order, diff)
		}
	}
}

func TestAppendReplacesRunning(t *testing.T) {
	t.Parallel()
	g := of(build(1, "a"), running(2))
	g.Append(build(2, "-a", "z"), now)
	g.Append(build(1, "a", "y"), now)
	if diff := cmp.Diff([]string{"builds 2 1", "j.Overall FP", "a FP", "y .P", "z P."}, picture(g)); diff != "" {
		t.Error(diff)
	}
}

func TestAppendAfterJSON(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(of(build(1, "a"), build(2, "-a")))
	if err != nil {
		t.Fatal(err)
	}
	var g grid.Grid
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	g.Append(build(3, "a", "b"), now)
	if diff := cmp.Diff([]string{"builds 3 2 1", "j.Overall PFP", "a PFP", "b P.."}, picture(&g)); diff != "" {
		t.Error(diff)
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	long := "a" + strings.Repeat("é", 200) + "z"
	tests := []struct {
		name  string
		build func(b *grid.Build)
		want  map[string]grid.Cell
	}{
		{"passed", func(*grid.Build) {}, map[string]grid.Cell{"j.Overall": {Status: grid.Pass}}},
		{"running", func(b *grid.Build) { *b = running(99) }, map[string]grid.Cell{"j.Overall": {Status: grid.Running, Icon: "R", Message: "Build still running..."}}},
		{"running for too long", func(b *grid.Build) { *b = running(70) }, map[string]grid.Cell{"j.Overall": {Status: grid.Fail, Icon: "T", Message: "Build did not complete within 24 hours"}}},
		{"failed outside of tests", func(b *grid.Build) { b.Passed = false }, map[string]grid.Cell{"j.Overall": {Status: grid.Fail, Icon: "F", Message: "Build failed outside of test results"}}},
		{"aborted", func(b *grid.Build) { b.Passed, b.Result = false, "ABORTED" }, map[string]grid.Cell{"j.Overall": {Status: grid.Fail, Icon: "F", Message: "Build was aborted"}}},
		{"malformed", func(b *grid.Build) { b.Malformed = "junit.xml: cut off" }, map[string]grid.Cell{"j.Overall": {Status: grid.Fail, Icon: "E", Message: "Malformed artifacts: junit.xml: cut off"}}},
		{"failed and skipped", func(b *grid.Build) { *b = build(99, "-a", "~s") }, map[string]grid.Cell{
			"j.Overall": {Status: grid.Fail}, "a": {Status: grid.Fail, Icon: "F", Message: "broke"}, "s": {Status: grid.PassWithSkips, Icon: "S", Message: "why"},
		}},
		{"several runs", func(b *grid.Build) {
			*b = build(99, "all", "all", "-some", "some", "-none", "-none", "-none", "~skip", "~skip", "half", "~half")
			b.Passed = true
		}, map[string]grid.Cell{
			"j.Overall": {Status: grid.Pass}, "all": {Status: grid.Pass, Icon: "2/2", Message: "2/2 runs passed"}, "some": {Status: grid.Flake, Icon: "1/2", Message: "1/2 runs passed: broke"},
			"none": {Status: grid.Fail, Icon: "0/3", Message: "0/3 runs passed: broke"}, "skip": {Status: grid.PassWithSkips, Icon: "2/2", Message: "2/2 runs passed: why"},
			"half": {Status: grid.PassWithSkips, Icon: "2/2", Message: "2/2 runs passed: why"},
		}},
		{"no message", func(b *grid.Build) { b.Tests = []grid.Test{{Name: "a", Status: grid.Fail}} }, map[string]grid.Cell{"j.Overall": {Status: grid.Pass}, "a": {Status: grid.Fail}}},
		{"long message", func(b *grid.Build) { b.Malformed = long }, map[string]grid.Cell{
			"j.Overall": {Status: grid.Fail, Icon: "E", Message: "Malformed artifacts: a" + strings.Repeat("é", 23) + "…" + strings.Repeat("é", 33) + "z"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := build(99)
			tt.build(&b)
			got := map[string]grid.Cell{}
			for _, r := range of(b).Rows {
				got[r.Name] = r.Cells()[0]
				if m := r.Cells()[0].Message; len(m) > 140 || !utf8.ValidString(m) {
					t.Errorf("message of %d bytes: %q", len(m), m)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	g := of(build(1, "old"), build(2, "a"), build(3, "a"), build(4, "a"))
	g.Trim(now.Add(-97*time.Hour), 0) // build 3 started then
	if diff := cmp.Diff([]string{"builds 4 3", "j.Overall PP", "a PP"}, picture(g)); diff != "" {
		t.Error(diff)
	}
	g.Trim(now, 1)
	g.Append(build(5, "old"), now)
	if diff := cmp.Diff([]string{"builds 5 4", "j.Overall PP", "a .P", "old P."}, picture(g)); diff != "" {
		t.Error(diff)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	g := of(build(1, "a"), build(2, "a"), build(3, "-a"), build(4), build(5), build(6, "a"))
	want := &grid.Row{Name: "a", Runs: []grid.Run{{Status: grid.Pass, Count: 1}, {Status: grid.NoResult, Count: 2}, {Status: grid.Fail, Count: 1}, {Status: grid.Pass, Count: 2}}, Notes: []grid.Note{{At: 2, Icon: "F", Message: "broke"}}}
	if diff := cmp.Diff(want, g.Row("a"), cmpopts.IgnoreUnexported(grid.Row{})); diff != "" {
		t.Error(diff)
	}
	if g.Row("none") != nil {
		t.Error("a row that there is not")
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	re := func(s string) []*regexp.Regexp { return []*regexp.Regexp{regexp.MustCompile(s)} }
	repeat := func(from, n int, tests ...string) []grid.Build {
		var out []grid.Build
		for i := range n {
			out = append(out, build(from+i, tests...))
		}
		return out
	}
	aborted := build(93)
	aborted.Passed, aborted.Result = false, "ABORTED"
	tests := []struct {
		name   string
		builds []grid.Build
		o      grid.Options
		status grid.Status
		text   string
		green  string
		alerts string
	}{
		{"nothing", nil, grid.Options{}, grid.Unknown, "no completed results", "no recent greens", ""},
		{"only running", []grid.Build{running(99)}, grid.Options{}, grid.Unknown, "no completed results", "no recent greens", ""},
		{"all pass", repeat(90, 10, "a", "b"), grid.Options{}, grid.Passing, "Tab stats: 10 of 10 (100.0%) recent columns passed (30 of 30 or 100.0% cells)", "c99", ""},
		{"one failed", append(repeat(90, 9, "a", "b"), build(99, "a", "-b")), grid.Options{}, grid.Flaky, "Tab stats: 9 of 10 (90.0%) recent columns passed (28 of 30 or 93.3% cells)", "c98", ""},
		{"it was long ago", append([]grid.Build{build(80, "a", "-b")}, repeat(81, 10, "a", "b")...), grid.Options{}, grid.Passing, "Tab stats: 10 of 10 (100.0%) recent columns passed (30 of 30 or 100.0% cells)", "c90", ""},
		{"fewer columns count", append([]grid.Build{build(90, "-a")}, repeat(91, 2, "a")...), grid.Options{Recent: 2}, grid.Passing, "Tab stats: 2 of 2 (100.0%) recent columns passed (4 of 4 or 100.0% cells)", "c92", ""},
		{"fails three times", append(repeat(90, 1, "a"), repeat(91, 3, "-a")...), grid.Options{}, grid.Failing, "Tab stats: 1 of 4 (25.0%) recent columns passed (2 of 8 or 25.0% cells)", "c90", "a j.Overall"},
		{"twice is enough here", append(repeat(90, 1, "a"), repeat(91, 2, "-a")...), grid.Options{Failures: 2}, grid.Failing, "Tab stats: 1 of 3 (33.3%) recent columns passed (2 of 6 or 33.3% cells)", "c90", "a j.Overall"},
		{"fixed", append(repeat(90, 3, "-a"), build(93, "a")), grid.Options{}, grid.Flaky, "Tab stats: 1 of 4 (25.0%) recent columns passed (2 of 8 or 25.0% cells)", "c93", ""},
		{"one pass does not end it here", append(repeat(90, 3, "-a"), build(93, "a")), grid.Options{Passes: 2}, grid.Failing, "Tab stats: 1 of 4 (25.0%) recent columns passed (2 of 8 or 25.0% cells)", "c93", "a j.Overall"},
		{"flake in a column", append(repeat(90, 2, "a"), func() grid.Build { b := build(92, "a", "-a"); b.Passed = true; return b }()), grid.Options{}, grid.Flaky, "Tab stats: 3 of 3 (100.0%) recent columns passed (5 of 6 or 83.3% cells)", "c91", ""},
		{"running is passed over", append(repeat(90, 2, "a"), running(92)), grid.Options{}, grid.Passing, "Tab stats: 2 of 2 (100.0%) recent columns passed (4 of 4 or 100.0% cells)", "c91", ""},
		{"stale row is out", append([]grid.Build{build(80, "a", "-gone")}, repeat(81, 10, "a")...), grid.Options{}, grid.Passing, "Tab stats: 10 of 10 (100.0%) recent columns passed (20 of 20 or 100.0% cells)", "c90", ""},
		{"excluded", repeat(90, 3, "a", "-b"), grid.Options{Exclude: re("^b$|Overall")}, grid.Passing, "Tab stats: 3 of 3 (100.0%) recent columns passed (3 of 3 or 100.0% cells)", "c92", ""},
		{"included", repeat(90, 3, "a", "-b"), grid.Options{Include: re("^a")}, grid.Passing, "Tab stats: 3 of 3 (100.0%) recent columns passed (3 of 3 or 100.0% cells)", "c92", ""},
		{"special rows are out", repeat(90, 3, "a", "~x@TESTGRID@y"), grid.Options{}, grid.Passing, "Tab stats: 3 of 3 (100.0%) recent columns passed (6 of 6 or 100.0% cells)", "c92", ""},
		{"broken goes before all", repeat(90, 4, "-a", "-b"), grid.Options{Broken: 0.9, StaleAfter: time.Hour}, grid.Broken, "Tab stats: 0 of 4 (0.0%) recent columns passed (0 of 12 or 0.0% cells)", "no recent greens", "a b j.Overall"},
		{"stale goes before failing", repeat(90, 4, "-a"), grid.Options{StaleAfter: time.Hour}, grid.Stale, "Tab stats: 0 of 4 (0.0%) recent columns passed (0 of 8 or 0.0% cells)", "no recent greens", "a j.Overall"},
		{"pending", repeat(90, 2, "a"), grid.Options{MinRuns: 3}, grid.Pending, "Tab stats: 2 of 2 (100.0%) recent columns passed (4 of 4 or 100.0% cells)\nStatus info: Not enough runs", "c91", ""},
		{"acceptable", append(repeat(90, 9, "a"), build(99, "-a")), grid.Options{Flakiness: 10}, grid.Acceptable, "Tab stats: 9 of 10 (90.0%) recent columns passed (18 of 20 or 90.0% cells)\nStatus info: Recent flakiness (10.0%) over valid columns is within configured acceptable level of 10.0%.", "c98", ""},
		{"not acceptable", append(repeat(90, 8, "a"), repeat(98, 2, "-a")...), grid.Options{Flakiness: 10}, grid.Flaky, "Tab stats: 8 of 10 (80.0%) recent columns passed (16 of 20 or 80.0% cells)", "c97", ""},
		{"ignored", append(repeat(90, 3, "a"), aborted), grid.Options{Ignored: []grid.Outcome{grid.Fail}}, grid.Passing, "Tab stats: 3 of 4 (75.0%) recent columns passed (6 of 7 or 85.7% cells). 1 columns ignored", "c92", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := grid.Summarize(of(tt.builds...), tt.o, now)
			var alerts []string
			for _, a := range s.Alerts {
				alerts = append(alerts, a.Test)
			}
			// The order of rows, but for the test's convenience by name.
			if got := strings.Join(sorted(alerts), " "); got != tt.alerts {
				t.Errorf("alerts: got %q, want %q", got, tt.alerts)
			}
			if s.Status != tt.status || s.Text != tt.text || s.LatestGreen != tt.green {
				t.Errorf("got %s, %q, %s\nwant %s, %q, %s", s.Status, s.Text, s.LatestGreen, tt.status, tt.text, tt.green)
			}
		})
	}
}

func sorted(s []string) []string {
	out := append([]string(nil), s...)
	for i := range out {
		for k := i; k > 0 && out[k] < out[k-1]; k-- {
			out[k], out[k-1] = out[k-1], out[k]
		}
	}
	return out
}

func TestAlert(t *testing.T) {
	t.Parallel()
	s := grid.Summarize(of(build(90, "a"), build(91, "-a"), build(92), build(93, "-a"), running(94), build(95, "-a")), grid.Options{Include: []*regexp.Regexp{regexp.MustCompile("^a$")}}, now)
	if len(s.Alerts) != 1 {
		t.Fatalf("got %+v", s.Alerts)
	}
	a := s.Alerts[0]
	if a.Test != "a" || a.Fails != 3 || a.FirstFail.Build != "91" || a.LatestFail.Build != "95" || a.LastPass.Commit != "c90" || a.Message != "broke" {
		t.Errorf("got %+v", a)
	}
	// A flake ends the streak; failures before it do not count.
	flake := build(93, "a", "-a")
	s = grid.Summarize(of(build(91, "-a"), build(92, "-a"), flake, build(94, "-a"), build(95, "-a")), grid.Options{Exclude: []*regexp.Regexp{regexp.MustCompile("Overall")}}, now)
	if len(s.Alerts) != 0 {
		t.Errorf("after a flake: got %+v", s.Alerts)
	}
}

func TestStaleMessage(t *testing.T) {
	t.Parallel()
	o := grid.Options{StaleAfter: 2 * time.Hour}
	if s := grid.Summarize(grid.New("j"), o, now); s.Alert != "no completed results" || s.Status != grid.Stale {
		t.Errorf("got %+v", s)
	}
	if s := grid.Summarize(of(build(90)), o, now); s.Alert != "latest column from 2026-11-22 02:00:00 UTC (10h0m0s old)" {
		t.Errorf("got %q", s.Alert)
	}
	if s := grid.Summarize(of(build(99)), o, now); s.Alert != "" || s.Status != grid.Passing {
		t.Errorf("got %+v", s)
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	order := []grid.Status{grid.Broken, grid.Stale, grid.Failing, grid.Flaky, grid.Pending, grid.Acceptable, grid.Passing, grid.Unknown}
	for i, s := range order {
		if got := grid.Worst(append([]grid.Status{grid.Passing, grid.Unknown}, order[i:]...)...); i < 6 && got != s {
			t.Errorf("worst of %v: got %s", order[i:], got)
		}
	}
	if grid.Worst() != grid.Unknown || grid.Worst(grid.Unknown, grid.Passing) != grid.Passing {
		t.Error("nothing is unknown, and something known goes before it")
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	for o := range grid.Outcome(17) {
		if o.Passing() && o.Failing() {
			t.Errorf("%s passes and fails", o)
		}
	}
	if grid.TimedOut.String() != "TIMED_OUT" || grid.Outcome(99).String() != "UNKNOWN" || grid.Flake.Failing() || grid.Running.Passing() {
		t.Error("names or meanings are off")
	}
}

func TestClone(t *testing.T) {
	t.Parallel()
	g := of(build(1, "a"), build(2, "-a"))
	c := g.Clone()
	if diff := cmp.Diff(g, c, cmpopts.IgnoreUnexported(grid.Grid{}, grid.Row{})); diff != "" {
		t.Errorf("a clone is not the same:\n%s", diff)
	}
	before := picture(c)
	g.Append(build(2, "a", "b"), now)
	g.Append(build(3, "-a"), now)
	if diff := cmp.Diff(before, picture(c)); diff != "" {
		t.Errorf("the clone changed along:\n%s", diff)
	}
	if note := c.Row("a").Cells()[0].Message; note != "broke" {
		t.Errorf("the clone's message: %q", note)
	}
}
