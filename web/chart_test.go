package web

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"seaworthy/grid"
)

func series(values ...float64) []point {
	var points []point
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i, v := range values {
		points = append(points, point{Build: fmt.Sprint(100 + i), Started: start.Add(time.Duration(i) * 6 * time.Hour), Value: v, Status: grid.Pass})
	}
	return points
}

// inside checks that everything is drawn within the picture, whatever the
// values.
func inside(t *testing.T, c chart) {
	t.Helper()
	within := func(what string, x, y float64) {
		if !(x >= 0 && x <= chartWidth && y >= 0 && y <= chartHeight) {
			t.Errorf("%s: %s at %g, %g is outside of the picture", c.Name, what, x, y)
		}
	}
	for _, d := range c.Dots {
		within("a point", d.X, d.Y)
	}
	for _, k := range c.Ticks {
		within("a line", 0, k.At)
	}
	for _, k := range c.Days {
		within("a day", k.At, 0)
	}
	within("the median", 0, c.Median)
	if len(c.Ticks) > 12 {
		t.Errorf("%s has %d lines", c.Name, len(c.Ticks))
	}
}

func TestCharts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, metric string
		values       []float64
		dots         int
		says         string
		top          string // the label of the highest line
	}{
		{"none", "m", nil, 0, "no values", ""},
		{"one", "m", []float64{7}, 1, "1 build: median 7.00, nine of ten within 7.00, from 7.00 to 7.00; newest 7.00", "8"},
		{"all the same", "m", []float64{0, 0, 0}, 3, "3 builds: median 0, nine of ten within 0, from 0 to 0; newest 0", "1"},
		{"seconds", grid.Elapsed, []float64{0.1, 0.5, 0.3}, 3, "median 18.0 s, nine of ten within 27.6 s, from 6.00 s to 30.0 s; newest 18.0 s", "30 s"},
		{"minutes", grid.Elapsed, []float64{20, 30, 40}, 3, "median 30.0 min", "40 min"},
		{"hours", grid.Elapsed, []float64{120, 300}, 2, "median 3.50 h", "6 h"},
		{"milliseconds", grid.Elapsed, []float64{0.001}, 1, "median 60.0 ms", "60 ms"},
		{"below zero", "m", []float64{-5, 5}, 2, "median 0", "5"},
		{"only below zero", "m", []float64{-5, -3}, 2, "median -4.00", "0"},
		{"no numbers", "m", []float64{math.NaN(), math.Inf(1), 1e300, 2}, 1, "1 build: median 2.00", "2"},
		{"tiny", "m", []float64{1e-9, 2e-9}, 2, "median 1.5e-09", "2e-09"},
		{"huge", "m", []float64{9e14, -9e14}, 2, "median 0", "1e+15"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := newChart(c.name, c.metric, series(c.values...))
			inside(t, got)
			if len(got.Dots) != c.dots || !strings.Contains(got.Says, c.says) {
				t.Errorf("%d points; says %q, want %d and %q", len(got.Dots), got.Says, c.dots, c.says)
			}
			if c.top != "" && got.Ticks[len(got.Ticks)-1].Label != c.top {
				t.Errorf("the highest line is %q, want %q", got.Ticks[len(got.Ticks)-1].Label, c.top)
			}
		})
	}
}

func TestChartDays(t *testing.T) {
	t.Parallel()
	values := make([]float64, 400) // 100 days
	c := newChart("long", "m", series(values...))
	inside(t, c)
	if len(c.Days) < 5 || len(c.Days) > 17 {
		t.Errorf("%d days are labelled", len(c.Days))
	}
	for i := 1; i < len(c.Days); i++ {
		if c.Days[i].At-c.Days[i-1].At < 50 {
			t.Errorf("%s and %s stand on one another", c.Days[i-1].Label, c.Days[i].Label)
		}
	}
	if c.Days[0].Label != "1 Mar" {
		t.Errorf("the first day is %s", c.Days[0].Label)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		share  float64
		want   float64
	}{{[]float64{3}, 0.9, 3}, {[]float64{1, 2}, 0.5, 1.5}, {[]float64{1, 2, 3, 4, 5}, 0.5, 3}, {[]float64{0, 10}, 0.9, 9}, {[]float64{0, 10}, 1, 10}, {[]float64{0, 10}, 0, 0}} {
		if got := percentile(c.values, c.share); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("percentile(%v, %g) = %g, want %g", c.values, c.share, got, c.want)
		}
	}
}

// Charts are drawn of whatever numbers tests report.
func FuzzChart(f *testing.F) {
	f.Add(1.0, 2.0, 3.0)
	f.Add(-1e-300, 0.0, 1e300)
	f.Add(math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64)
	f.Fuzz(func(t *testing.T, a, b, c float64) {
		for _, metric := range []string{"m", grid.Elapsed} {
			inside(t, newChart("fuzzed", metric, series(a, b, c)))
		}
	})
}

func TestStrip(t *testing.T) {
	t.Parallel()
	s := newStrip([]grid.Outcome{grid.Running, grid.Fail, grid.Fail, grid.Flake, grid.Pass, grid.NoResult}, func(i int) string { return fmt.Sprint("build ", i) })
	if s.Width != 48 || s.Says != "newest 6: 1 passed, 2 failed, 1 flaky, 1 running" || s.Cells[1].Title != "build 1: fail" {
		t.Errorf("%d wide, says %q, %q", s.Width, s.Says, s.Cells[1].Title)
	}
	heights := map[string]int{}
	for _, c := range s.Cells {
		heights[c.Class] = c.Height
	}
	if !(heights["c-fail"] > heights["c-flake"] && heights["c-flake"] > heights["c-pass"] && heights["c-pass"] > heights["c-none"]) {
		t.Errorf("colour alone tells cells apart: %v", heights)
	}
	if empty := newStrip(nil, nil); empty.Width != 1 || len(empty.Cells) != 0 {
		t.Errorf("an empty strip is %+v", empty)
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 7, "x": 7, "-1": 7, "3": 3, "0": 0, "99": 50, "9999999999999999999999": 7} {
		if got := whole(text, 7, 50); got != want {
			t.Errorf("whole(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestSpansAndCells(t *testing.T) {
	t.Parallel()
	columns := []grid.Column{{Build: "3", Extra: []string{"a"}}, {Build: "2", Extra: []string{"a"}}, {Build: "1", Extra: []string{"b"}}}
	got := spans(columns, func(c grid.Column) string { return c.Extra[0] })
	if len(got) != 2 || got[0] != (span{"a", 2}) || got[1] != (span{"b", 1}) {
		t.Errorf("spans %v", got)
	}
	v := grid.View{Columns: columns, Texts: []string{"", "F", "boom"}}
	cells := cellsOf(v, grid.ViewRow{Runs: []int{12, 1, 1, 1}, Notes: []int{0, 1, 2, 1, 0, -1}})
	if len(cells) != 3 || cells[0] != (grid.Cell{Status: grid.Fail, Icon: "F", Message: "boom"}) || cells[1].Status != grid.Pass || cells[2].Status != grid.NoResult {
		t.Errorf("cells %v", cells)
	}
}

func TestPresentCell(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cell   grid.Cell
		class  string
		letter string
		title  string
	}{
		{grid.Cell{}, "c-none", "", ""},
		{grid.Cell{Status: grid.Pass}, "c-pass", "·", "passed"},
		{grid.Cell{Status: grid.PassWithSkips, Icon: "S", Message: "later"}, "c-pass", "S", "pass with skips: later"},
		{grid.Cell{Status: grid.Fail}, "c-fail", "F", "fail"},
		{grid.Cell{Status: grid.Fail, Icon: "E", Message: "bad"}, "c-fail", "E", "fail: bad"},
		{grid.Cell{Status: grid.Flake}, "c-flake", "½", "flaky"},
		{grid.Cell{Status: grid.Flake, Icon: "1/2"}, "c-flake", "1/2", "flaky"},
		{grid.Cell{Status: grid.Running}, "c-run", "R", "running"},
		{grid.Cell{Status: grid.Canceled}, "c-flake", "½", "cancel"},
	} {
		if got := presentCell(c.cell, "/x"); got.Class != c.class || got.Letter != c.letter || got.Title != c.title {
			t.Errorf("%v is shown as %+v", c.cell, got)
		}
	}
}
