package verdict

import (
	"time"

	"seaworthy/grid"
)

// AsOf is a grid as it stood at a time: without the builds that were not over
// then.
func AsOf(g *grid.Grid, at time.Time) *grid.Grid {
	gone := make([]bool, len(g.Columns)) // by place, newest first
	any := false
	for i, c := range g.Columns {
		gone[i] = c.Started.After(at) || c.Finished.After(at) || c.Finished.IsZero() && at.Sub(c.Started) <= grid.StillRunning
		any = any || gone[i]
	}
	if !any {
		return g
	}
	older := make([]int, len(gone)+1) // how many that are gone lie at a place or beyond
	for i := len(gone) - 1; i >= 0; i-- {
		older[i] = older[i+1]
		if gone[i] {
			older[i]++
		}
	}
	out := grid.New(g.Job)
	for i, c := range g.Columns {
		if !gone[i] {
			out.Columns = append(out.Columns, c)
		}
	}
	for _, r := range g.Rows {
		if kept := keep(r, gone, older); kept != nil {
			out.Rows = append(out.Rows, kept)
		}
	}
	return out
}

// keep drops cells of a row; nil if no result is left.
func keep(r *grid.Row, gone []bool, older []int) *grid.Row {
	k := &grid.Row{Name: r.Name}
	at, filled := 0, false
	for _, part := range r.Runs {
		end := min(at+part.Count, len(gone))
		n := end - at - (older[at] - older[end])
		at = end
		if n == 0 {
			continue
		}
		filled = filled || part.Status != grid.NoResult
		if last := len(k.Runs) - 1; last >= 0 && k.Runs[last].Status == part.Status {
			k.Runs[last].Count += n
		} else {
			k.Runs = append(k.Runs, grid.Run{Status: part.Status, Count: n})
		}
	}
	if !filled {
		return nil
	}
	for _, n := range r.Notes {
		place := len(gone) - 1 - n.At
		if place >= 0 && place < len(gone) && !gone[place] {
			n.At -= older[place]
			k.Notes = append(k.Notes, n)
		}
	}
	return k
}
