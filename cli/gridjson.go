package cli

import (
	"slices"

	"seaworthy/grid"
)

// What grid show prints as JSON. Everything in it goes from the newest build to
// the oldest, and at counts columns likewise: 0 is the newest.
type (
	shownGrid struct {
		Job     string        `json:"job"`
		Columns []grid.Column `json:"columns"`
		Rows    []shownSeries `json:"rows"`
	}
	shownSeries struct {
		Name    string          `json:"name"`
		Runs    []shownOutcomes `json:"runs"` // outcomes, and how many columns each fills
		Notes   []grid.Note     `json:"notes,omitempty"`
		Metrics []grid.Series   `json:"metrics,omitempty"`
	}
	shownOutcomes struct {
		Status string `json:"status"`
		Count  int    `json:"count"`
	}
)

func showGrid(g *grid.Grid) shownGrid {
	shown := shownGrid{Job: g.Job, Columns: append([]grid.Column{}, g.Columns...), Rows: make([]shownSeries, 0, len(g.Rows))}
	last := len(g.Columns) - 1
	for _, r := range g.Rows {
		row := shownSeries{Name: r.Name, Runs: make([]shownOutcomes, 0, len(r.Runs))}
		for _, run := range r.Runs {
			row.Runs = append(row.Runs, shownOutcomes{run.Status.String(), run.Count})
		}
		for _, n := range slices.Backward(r.Notes) {
			n.At = last - n.At
			row.Notes = append(row.Notes, n)
		}
		for _, s := range r.Metrics {
			m := grid.Series{Name: s.Name, Values: slices.Clone(s.Values)}
			slices.Reverse(m.Values)
			for _, p := range slices.Backward(s.Spans) {
				m.Spans = append(m.Spans, grid.Span{At: last - (p.At + p.Count - 1), Count: p.Count})
			}
			row.Metrics = append(row.Metrics, m)
		}
		shown.Rows = append(shown.Rows, row)
	}
	return shown
}
