package grid

import (
	"slices"
	"sort"
	"strings"
	"time"

	"seaworthy/job"
)

// Build is one build of a job, as far as a grid shows it.
type Build struct {
	ID      string // decimal, ascending in time
	Started time.Time
	// Finished is zero while the build runs.
	Finished time.Time
	Passed   bool
	Result   string // SUCCESS, FAILURE, ABORTED
	Commit   string
	// Malformed says what of the results could not be read; empty is fine.
	Malformed string
	Tests     []Test
}

// Test is one run of a test. A name may occur several times in a build.
type Test struct {
	Name     string
	Status   Outcome // Pass, Fail or PassWithSkips
	Message  string
	Duration time.Duration
}

// Column is one build.
type Column struct {
	Build    string    `json:"build"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Commit   string    `json:"commit,omitempty"`
	Result   string    `json:"result,omitempty"`
}

// Run is an outcome and how many columns in a row have it.
type Run struct {
	Status Outcome `json:"status"`
	Count  int     `json:"count"`
}

// Row is one test. Runs go from the newest column to the oldest; Icons and
// Messages have one entry for each cell that is not NoResult, in that order.
type Row struct {
	Name     string   `json:"name"`
	Runs     []Run    `json:"runs"`
	Icons    []string `json:"icons"`
	Messages []string `json:"messages"`
}

// Grid is the results of one job. The zero value is not ready for use: see
// New. It may be copied as JSON and appended to afterwards.
type Grid struct {
	Job     string   `json:"job"`
	Columns []Column `json:"columns"` // newest first
	Rows    []*Row   `json:"rows"`    // JOB.Overall, then in order of name

	index map[string]*Row
}

// New returns an empty grid.
func New(job string) *Grid { return &Grid{Job: job} }

// StillRunning is how long a build without an end counts as running.
const StillRunning = 24 * time.Hour

// Append adds a build as a column where its id belongs, or replaces the column
// it has. A build that started more than StillRunning before now and has no end
// counts as timed out.
func (g *Grid) Append(b Build, now time.Time) {
	at, found := slices.BinarySearchFunc(g.Columns, b.ID, func(c Column, id string) int {
		return job.CompareBuildIDs(id, c.Build)
	})
	column := Column{Build: b.ID, Started: b.Started, Finished: b.Finished, Commit: b.Commit, Result: b.Result}
	if found {
		g.Columns[at] = column
	} else {
		g.Columns = slices.Insert(g.Columns, at, column)
	}
	cells := g.cells(b, now)
	older := len(g.Columns) - 1
	known := len(g.Rows)
	for _, name := range sortedNames(cells) {
		g.row(name, older, found)
	}
	for _, r := range g.Rows {
		r.set(at, cells[r.Name], found)
	}
	if len(g.Rows) > known {
		g.order()
	}
}

// row makes sure that there is a row of the name.
func (g *Grid) row(name string, columns int, replacing bool) {
	if g.index == nil {
		g.index = make(map[string]*Row, len(g.Rows))
		for _, r := range g.Rows {
			g.index[r.Name] = r
		}
	}
	if g.index[name] != nil {
		return
	}
	r := &Row{Name: name}
	if replacing {
		columns++
	}
	if columns > 0 {
		r.Runs = []Run{{NoResult, columns}}
	}
	g.index[name] = r
	g.Rows = append(g.Rows, r)
}

// Overall returns the name of the row that is the verdict on the builds.
func (g *Grid) Overall() string { return g.Job + ".Overall" }

func (g *Grid) order() {
	overall := g.Overall()
	sort.Slice(g.Rows, func(i, k int) bool {
		a, b := g.Rows[i].Name, g.Rows[k].Name
		if (a == overall) != (b == overall) {
			return a == overall
		}
		return a < b
	})
}

// Trim drops columns older than a time, keeping at least keep, and rows that
// then have no result left.
func (g *Grid) Trim(before time.Time, keep int) {
	n := len(g.Columns)
	for n > keep && n > 0 && g.Columns[n-1].Started.Before(before) {
		n--
	}
	if n == len(g.Columns) {
		return
	}
	g.Columns = slices.Clip(g.Columns[:n])
	g.Rows = slices.DeleteFunc(g.Rows, func(r *Row) bool { return !r.trim(n) })
	g.index = nil
}

// Row returns the row of a test, nil if there is none.
func (g *Grid) Row(name string) *Row {
	for _, r := range g.Rows {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Cells returns the row's cells, newest first, one for each column.
func (r *Row) Cells() []Cell {
	var cells []Cell
	filled := 0
	for _, run := range r.Runs {
		for range run.Count {
			c := Cell{Status: run.Status}
			if run.Status != NoResult {
				c.Icon, c.Message = r.Icons[filled], r.Messages[filled]
				filled++
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// Stale reports whether the row has no result in the newest columns.
func (r *Row) Stale(recent int) bool {
	return len(r.Runs) == 0 || r.Runs[0].Status == NoResult && r.Runs[0].Count >= recent
}

// set puts a cell into a column: instead of the one that is there, or between
// those that are.
func (r *Row) set(at int, c Cell, replace bool) {
	if at == 0 && !replace {
		r.prepend(c)
		return
	}
	cells := r.Cells()
	if replace {
		cells[at] = c
	} else {
		cells = slices.Insert(cells, at, c)
	}
	r.encode(cells)
}

func (r *Row) prepend(c Cell) {
	if len(r.Runs) > 0 && r.Runs[0].Status == c.Status {
		r.Runs[0].Count++
	} else {
		r.Runs = slices.Insert(r.Runs, 0, Run{c.Status, 1})
	}
	if c.Status != NoResult {
		r.Icons = slices.Insert(r.Icons, 0, c.Icon)
		r.Messages = slices.Insert(r.Messages, 0, c.Message)
	}
}

func (r *Row) encode(cells []Cell) {
	r.Runs, r.Icons, r.Messages = nil, nil, nil
	for _, c := range cells {
		if n := len(r.Runs); n > 0 && r.Runs[n-1].Status == c.Status {
			r.Runs[n-1].Count++
		} else {
			r.Runs = append(r.Runs, Run{c.Status, 1})
		}
		if c.Status != NoResult {
			r.Icons = append(r.Icons, c.Icon)
			r.Messages = append(r.Messages, c.Message)
		}
	}
}

// trim keeps n columns and reports whether a result is left.
func (r *Row) trim(n int) bool {
	r.encode(r.Cells()[:n])
	return len(r.Icons) > 0
}

func sortedNames(m map[string]Cell) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
