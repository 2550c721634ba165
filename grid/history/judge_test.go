package history_test

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"seaworthy/grid"
	"seaworthy/grid/history"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

var outcomes = map[byte]grid.Outcome{'P': grid.Pass, 'F': grid.Fail, 'K': grid.Flake, 'S': grid.PassWithSkips, 'R': grid.Running, 'C': grid.Canceled}

// runs reads results as testdata/judge.txt writes them.
func runs(t testing.TB, text string) []history.Result {
	t.Helper()
	var all []history.Result
	for _, word := range strings.Fields(text) {
		if word == "-" {
			continue
		}
		times := 1
		if w, n, ok := strings.Cut(word, "x"); ok {
			word = w
			var err error
			if times, err = strconv.Atoi(n); err != nil {
				t.Fatal(err)
			}
		}
		outcome, ok := outcomes[word[0]]
		if !ok {
			t.Fatalf("outcome %q", word)
		}
		commit, pull, _ := strings.Cut(strings.TrimPrefix(word[1:], "@"), "#")
		for range times {
			all = append(all, history.Result{Commit: commit, Pull: pull, Outcome: outcome, Status: outcome.String()})
		}
	}
	for i := range all {
		n := len(all) - i
		all[i].Build, all[i].Started = fmt.Sprint(n), start.Add(time.Duration(n)*time.Hour)
	}
	return all
}

func TestJudge(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("testdata/judge.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(table)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "|")
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		if len(f) != 7 {
			t.Fatalf("%q has %d fields", line, len(f))
		}
		cases++
		t.Run(f[0], func(t *testing.T) {
			t.Parallel()
			s := history.Series{Source: history.Source{Job: "ci", Presubmit: f[1] == "change"}, Test: "a", Results: runs(t, f[2])}
			j := history.Judge(s, history.Options{})
			bad := "-"
			if j.FirstBad != nil {
				bad = j.FirstBad.Build + " -"
				if j.LastGood != nil {
					bad = j.FirstBad.Build + " " + j.LastGood.Build
				}
			}
			counts := fmt.Sprint(j.Passes, j.Fails, j.Flakes, j.Proven)
			if string(j.State) != f[3] || counts != f[4] || fmt.Sprint(j.Streak) != f[5] || bad != f[6] {
				t.Errorf("got  %s | %s | %d | %s (%s)\nwant %s | %s | %s | %s", j.State, counts, j.Streak, bad, j.Why, f[3], f[4], f[5], f[6])
			}
			if j.Why == "" {
				t.Error("it does not say why")
			}
		})
	}
	if cases < 38 {
		t.Errorf("only %d cases", cases)
	}
}

func TestJudgeThresholds(t *testing.T) {
	t.Parallel()
	s := history.Series{Results: runs(t, "F F P P")}
	if j := history.Judge(s, history.Options{Failures: 2}); j.State != history.Broken {
		t.Errorf("two failures where two are a break: %s", j.State)
	}
	s.Results = runs(t, "P P F P")
	if j := history.Judge(s, history.Options{Newest: 2, MinRuns: 2}); j.State != history.Passing || j.Runs != 2 {
		t.Errorf("only the newest two count: %s of %d runs", j.State, j.Runs)
	}
}

func TestRateOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		n, of          int
		rate, low, top float64
	}{
		{0, 0, 0, 0, 0}, {0, 10, 0, 0, 27.75}, {10, 10, 100, 72.25, 100}, {1, 10, 10, 1.79, 40.42},
		{5, 10, 50, 23.66, 76.34}, {1, 100, 1, 0.18, 5.45}, {20, 1000, 2, 1.3, 3.07}, {0, 1, 0, 0, 79.35},
	}
	for _, tt := range tests {
		r := history.RateOf(tt.n, tt.of)
		for _, pair := range [][2]float64{{r.Percent, tt.rate}, {r.Low, tt.low}, {r.High, tt.top}} {
			if math.Abs(pair[0]-pair[1]) > 0.011 {
				t.Errorf("%d of %d: got %+v, want %v, %v to %v", tt.n, tt.of, r, tt.rate, tt.low, tt.top)
				break
			}
		}
	}
	if got := history.RateOf(1, 100).String(); got != "1.0 % (0.2 to 5.4)" && got != "1.0 % (0.2 to 5.5)" {
		t.Error(got)
	}
	if got := history.RateOf(0, 0).String(); got != "unknown" {
		t.Error(got)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		all  []time.Duration
		p    float64
		want time.Duration
	}{
		{nil, 50, 0}, {[]time.Duration{7}, 75, 7}, {[]time.Duration{3, 1, 2}, 50, 2}, {[]time.Duration{4, 1, 3, 2}, 50, 2},
		{[]time.Duration{4, 1, 3, 2}, 75, 3}, {[]time.Duration{4, 1, 3, 2}, 76, 4}, {[]time.Duration{4, 1}, 0, 1}, {[]time.Duration{4, 1}, 100, 4},
	}
	for _, tt := range tests {
		if got := history.Percentile(tt.all, tt.p); got != tt.want {
			t.Errorf("p%v of %v: %v, want %v", tt.p, tt.all, got, tt.want)
		}
	}
}
