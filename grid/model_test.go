package grid_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
)

// slow is a summary made cell by cell, as TestGrid's rules read, without the
// run lengths that the package goes by.
func slow(g *grid.Grid, o grid.Options) string {
	var rows [][]grid.Cell
	var names []string
	for _, r := range g.Rows {
		if cells := r.Cells(); fresh(cells, o.Recent) {
			rows, names = append(rows, cells), append(names, r.Name)
		}
	}
	var alerts []string
	for i, cells := range rows {
		if a := slowAlert(cells, o); a != "" {
			alerts = append(alerts, names[i]+" "+a)
		}
	}
	var n grid.Stats
	for c := range min(o.Recent, len(g.Columns)) {
		passes, failures, others := 0, 0, 0
		for _, cells := range rows {
			switch s := cells[c].Status; {
			case s.Passing():
				passes++
			case s.Failing():
				failures++
			case s != grid.NoResult && s != grid.Running:
				others++
			}
		}
		n.PassingCells += passes
		n.FilledCells += passes + failures + others
		if passes+failures+others > 0 {
			n.CompletedColumns++
		}
		if failures == 0 && passes > 0 {
			n.PassingColumns++
		}
	}
	status := slowVerdict(rows, len(g.Columns), o)
	if len(alerts) > 0 {
		status = grid.Failing
	}
	return fmt.Sprint(status, n, alerts)
}

func fresh(cells []grid.Cell, recent int) bool {
	for i, c := range cells {
		if i < recent && c.Status != grid.NoResult {
			return true
		}
	}
	return len(cells) < recent && len(cells) > 0
}

func slowAlert(cells []grid.Cell, o grid.Options) string {
	streak, total, passes, first, latest, good := 0, 0, 0, -1, -1, -1
loop:
	for i, c := range cells {
		switch {
		case c.Status.Passing():
			passes++
			switch {
			case streak >= o.Failures:
				if good < 0 {
					good = i
				}
				if passes >= o.Passes {
					break loop
				}
			case passes >= o.Passes:
				return ""
			default:
				streak = 0
			}
		case c.Status.Failing():
			passes, good, first = 0, -1, i
			streak++
			if total++; total == 1 {
				latest = i
			}
		case c.Status == grid.Flake:
			passes = 0
			if streak >= o.Failures {
				break loop
			}
			streak = 0
		}
	}
	if streak < o.Failures {
		return ""
	}
	return fmt.Sprint(total, first, latest, good)
}

func slowVerdict(rows [][]grid.Cell, columns int, o grid.Options) grid.Status {
	passing, recent := false, o.Recent
	for c := 0; c < columns && recent > 0; c++ {
		running, bad, good := false, false, false
		for _, cells := range rows {
			switch s := cells[c].Status; {
			case s == grid.Running:
				running = true
			case s.Passing():
				good = true
			case s != grid.NoResult:
				bad = true
			}
		}
		switch {
		case running:
		case bad:
			return grid.Flaky
		case good:
			passing = true
			recent--
		}
	}
	if passing {
		return grid.Passing
	}
	return grid.Unknown
}

// The summary made of run lengths is the one made of cells.
func FuzzSummarize(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(9), uint8(5), uint8(3), uint8(1))
	f.Add(uint64(2), uint8(1), uint8(20), uint8(9), uint8(1), uint8(3))
	f.Add(uint64(3), uint8(6), uint8(40), uint8(2), uint8(2), uint8(2))
	f.Add(uint64(4), uint8(2), uint8(0), uint8(1), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, rows, columns, recent, failures, passes uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		var picture []string
		for i := range rows % 8 {
			line := fmt.Sprint("t", i, " ")
			letter := 0
			for range columns % 64 {
				if r.IntN(2) == 0 { // so that there are runs
					letter = r.IntN(len(letters))
				}
				line += letters[letter : letter+1]
			}
			if columns%64 > 0 {
				picture = append(picture, line)
			}
		}
		g := drawn(t, strings.Join(picture, " / "))
		o := grid.Options{Recent: int(recent%16) + 1, Failures: int(failures%5) + 1, Passes: int(passes%5) + 1}
		s := grid.Summarize(g, o, now)
		var alerts []string
		at := map[string]int{"": -1}
		for i, c := range g.Columns {
			at[c.Build] = i
		}
		for _, a := range s.Alerts {
			alerts = append(alerts, a.Test+" "+fmt.Sprint(a.Fails, at[a.FirstFail.Build], at[a.LatestFail.Build], at[a.LastPass.Build]))
		}
		if diff := cmp.Diff(slow(g, o), fmt.Sprint(s.Status, s.Stats, alerts)); diff != "" {
			t.Errorf("%+v of\n%s\n%s", o, strings.Join(picture, "\n"), diff)
		}
	})
}
