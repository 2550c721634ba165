package web

import (
	"fmt"
	"strings"

	"seaworthy/grid"
)

// strip is a few cells in a line, newest on the left, drawn small: how high a
// cell is says what its colour says.
type strip struct {
	Width int
	Says  string
	Cells []stripCell
}

type stripCell struct {
	Class  string
	Title  string
	X      int
	Y      int
	Height int
}

// newStrip draws outcomes; title says what stands at a place.
func newStrip(outcomes []grid.Outcome, title func(i int) string) strip {
	s := strip{Width: max(1, len(outcomes)*8)}
	counts := map[string]int{}
	for i, o := range outcomes {
		class := cellClass(o)
		cell := stripCell{Class: class, Title: outcomeWord(o), X: i * 8, Height: 16}
		if title != nil {
			cell.Title = title(i) + ": " + cell.Title
		}
		switch class {
		case "c-pass", "c-run":
			cell.Y, cell.Height = 5, 6
		case "c-flake":
			cell.Y, cell.Height = 3, 10
		case "c-none":
			cell.Y, cell.Height = 7, 2
		}
		counts[class]++
		s.Cells = append(s.Cells, cell)
	}
	var said []string
	for _, k := range [][2]string{{"c-pass", "passed"}, {"c-fail", "failed"}, {"c-flake", "flaky"}, {"c-run", "running"}} {
		if n := counts[k[0]]; n > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, k[1]))
		}
	}
	s.Says = fmt.Sprintf("newest %d: %s", len(outcomes), strings.Join(said, ", "))
	return s
}

// cellClass is the class of a cell's colour.
func cellClass(o grid.Outcome) string {
	switch {
	case o == grid.NoResult:
		return "c-none"
	case o.Passing():
		return "c-pass"
	case o == grid.Running:
		return "c-run"
	case o.Failing():
		return "c-fail"
	}
	return "c-flake"
}

// outcomeWord says an outcome in lower case.
func outcomeWord(o grid.Outcome) string {
	if o == grid.Pass {
		return "passed"
	}
	return strings.ToLower(strings.ReplaceAll(o.String(), "_", " "))
}
