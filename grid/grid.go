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

// Note is what is to be said of a cell besides its outcome.
type Note struct {
	// At counts columns from the oldest one, which is 0, so that it stays as it
	// is while newer columns are added.
	At      int    `json:"at"`
	Icon    string `json:"icon,omitempty"`
	Message string `json:"message,omitempty"`
}

// Row is one test. Runs go from the newest column to the oldest, Notes from the
// oldest to the newest; most cells have none. Cells puts the two together.
type Row struct {
	Name  string `json:"name"`
	Runs  []Run  `json:"runs"`
	Notes []Note `json:"notes,omitempty"`
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

// columns is how many cells the row has.
func (r *Row) columns() int {
	n := 0
	for _, run := range r.Runs {
		n += run.Count
	}
	return n
}

// Cells returns the row's cells, newest first, one for each column.
func (r *Row) Cells() []Cell {
	cells := make([]Cell, 0, r.columns())
	for _, run := range r.Runs {
		for range run.Count {
			cells = append(cells, Cell{Status: run.Status})
		}
	}
	for _, n := range r.Notes {
		c := &cells[len(cells)-1-n.At]
		c.Icon, c.Message = n.Icon, n.Message
	}
	return cells
}

// outcomes are the statuses of Cells.
func (r *Row) outcomes() []Outcome {
	all := make([]Outcome, 0, r.columns())
	for _, run := range r.Runs {
		for range run.Count {
			all = append(all, run.Status)
		}
	}
	return all
}

// note returns what is noted of the cell in a column, counted from the newest.
func (r *Row) note(at int) Note {
	at = r.columns() - 1 - at
	i, ok := slices.BinarySearchFunc(r.Notes, at, func(n Note, at int) int { return n.At - at })
	if !ok {
		return Note{At: at}
	}
	return r.Notes[i]
}

// Stale reports whether the row has no result in the newest columns.
func (r *Row) Stale(recent int) bool {
	return len(r.Runs) == 0 || r.Runs[0].Status == NoResult && r.Runs[0].Count >= recent
}

// set puts a cell into a column: instead of the one that is there, or between
// those that are.
func (r *Row) set(at int, c Cell, replace bool) {
	if at == 0 {
		if replace {
			r.dropNewest()
		}
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
	if c.Icon != "" || c.Message != "" {
		r.Notes = append(r.Notes, Note{At: r.columns(), Icon: c.Icon, Message: c.Message})
	}
	if len(r.Runs) > 0 && r.Runs[0].Status == c.Status {
		r.Runs[0].Count++
	} else {
		r.Runs = slices.Insert(r.Runs, 0, Run{c.Status, 1})
	}
}

func (r *Row) dropNewest() {
	last := r.columns() - 1
	if n := len(r.Notes); n > 0 && r.Notes[n-1].At == last {
		r.Notes = r.Notes[:n-1]
	}
	if r.Runs[0].Count--; r.Runs[0].Count == 0 {
		r.Runs = slices.Delete(r.Runs, 0, 1)
	}
}

func (r *Row) encode(cells []Cell) {
	r.Runs, r.Notes = nil, nil
	for _, c := range slices.Backward(cells) {
		r.prepend(c)
	}
}

// trim keeps n columns and reports whether a result is left.
func (r *Row) trim(n int) bool {
	r.encode(r.Cells()[:n])
	return slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Status != NoResult })
}

func sortedNames(m map[string]Cell) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

// Clone returns a copy that later calls of Append and Trim leave as it is.
func (g *Grid) Clone() *Grid {
	c := &Grid{Job: g.Job, Columns: slices.Clone(g.Columns)}
	for _, r := range g.Rows {
		c.Rows = append(c.Rows, &Row{Name: r.Name, Runs: slices.Clone(r.Runs), Notes: slices.Clone(r.Notes)})
	}
	return c
}
