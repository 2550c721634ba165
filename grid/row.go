package grid

import (
	"slices"
)

// Run is an outcome and how many columns in a row have it.
type Run struct {
	Status Outcome `json:"status"`
	Count  int     `json:"count"`
}

// Note is what is to be said of a cell besides its outcome.
type Note struct {
	// At counts columns from the oldest one, which is 0, so that it stays as it
	// is while newer columns are added.
	At   int    `json:"at"`
	Icon string `json:"icon,omitempty"`
	// Message is at most 512 bytes long; the whole text is with the build.
	Message string `json:"message,omitempty"`
	// Property is the value of Settings.UserProperty.
	Property string `json:"property,omitempty"`
}

// Row is one test. Runs go from the newest column to the oldest, Notes from the
// oldest to the newest; most cells have none. Cells puts the two together.
type Row struct {
	Name  string `json:"name"`
	Runs  []Run  `json:"runs"`
	Notes []Note `json:"notes,omitempty"`
	// Metrics are in order of their names.
	Metrics []Series `json:"metrics,omitempty"`

	// owner is the grid that may change the row; see Grid.Clone.
	owner *owner
}

// Elapsed is the metric that every test and build with a duration has; its unit
// is minutes.
const Elapsed = "test-duration-minutes"

// mostMetrics bounds the metrics of a row: some tests make up a name for each
// value.
const mostMetrics = 50

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
		c.Icon, c.Message = n.Icon, shorten(n.Message, maxShown)
	}
	return cells
}

// Note returns what is noted of the cell in a column, counted from the newest,
// which is 0.
func (r *Row) Note(column int) Note {
	at := r.columns() - 1 - column
	i, ok := r.noteAt(at)
	if !ok {
		return Note{At: at}
	}
	return r.Notes[i]
}

func (r *Row) noteAt(at int) (int, bool) {
	return slices.BinarySearchFunc(r.Notes, at, func(n Note, at int) int { return n.At - at })
}

// Metric returns the series of a metric, nil if the row has none of the name.
func (r *Row) Metric(name string) *Series {
	i, ok := r.metricAt(name)
	if !ok {
		return nil
	}
	return &r.Metrics[i]
}

func (r *Row) metricAt(name string) (int, bool) {
	for i := range r.Metrics { // there are few
		switch s := &r.Metrics[i]; {
		case s.Name == name:
			return i, true
		case s.Name > name:
			return i, false
		}
	}
	return len(r.Metrics), false
}

// Stale reports whether the row has no result in the newest columns.
func (r *Row) Stale(recent int) bool {
	return len(r.Runs) == 0 || r.Runs[0].Status == NoResult && r.Runs[0].Count >= recent
}

// empty reports whether no cell has a result.
func (r *Row) empty() bool {
	return len(r.Runs) == 0 || len(r.Runs) == 1 && r.Runs[0].Status == NoResult
}

// put inserts a cell at a column, counted from the newest, of a row that has
// columns cells before.
func (r *Row) put(column, columns int, c filled) {
	at := columns - column // from the oldest, once it is in
	if column > 0 {
		r.shift(at, +1)
	}
	r.insertRun(column, c.Status)
	if c.Icon != "" || c.Message != "" || c.property != "" {
		n := Note{At: at, Icon: c.Icon, Message: c.Message, Property: c.property}
		if column == 0 {
			r.Notes = append(r.Notes, n)
		} else {
			i, _ := r.noteAt(at)
			r.Notes = slices.Insert(r.Notes, i, n)
		}
	}
	if c.minutes > 0 {
		r.measure(Elapsed, at, c.minutes)
	}
	for _, m := range c.metrics {
		r.measure(m.name, at, m.value)
	}
}

// take removes the cell at a column of a row that has columns cells.
func (r *Row) take(column, columns int) {
	at := columns - 1 - column
	r.removeRun(column)
	if i, ok := r.noteAt(at); ok {
		r.Notes = slices.Delete(r.Notes, i, i+1)
	}
	for i := range r.Metrics {
		r.Metrics[i].remove(at)
	}
	r.Metrics = slices.DeleteFunc(r.Metrics, func(s Series) bool { return len(s.Values) == 0 })
	r.shift(at+1, -1)
}

// shift moves what is said of columns from one on, counted from the oldest.
func (r *Row) shift(from, by int) {
	i, _ := r.noteAt(from)
	for ; i < len(r.Notes); i++ {
		r.Notes[i].At += by
	}
	for k := range r.Metrics {
		r.Metrics[k].shift(from, by)
	}
}

func (r *Row) measure(name string, at int, value float32) {
	i, ok := r.metricAt(name)
	if !ok {
		if len(r.Metrics) >= mostMetrics {
			return
		}
		r.Metrics = slices.Insert(r.Metrics, i, Series{Name: name})
	}
	r.Metrics[i].put(at, value)
}

func (r *Row) insertRun(column int, s Outcome) {
	i, start := 0, 0
	for i < len(r.Runs) && start+r.Runs[i].Count <= column {
		start += r.Runs[i].Count
		i++
	}
	switch {
	case i < len(r.Runs) && r.Runs[i].Status == s:
		r.Runs[i].Count++
	case start == column && i > 0 && r.Runs[i-1].Status == s:
		r.Runs[i-1].Count++
	case start == column:
		r.Runs = slices.Insert(r.Runs, i, Run{s, 1})
	default: // in the middle of another
		rest := Run{r.Runs[i].Status, r.Runs[i].Count - (column - start)}
		r.Runs[i].Count = column - start
		r.Runs = slices.Insert(r.Runs, i+1, Run{s, 1}, rest)
	}
}

func (r *Row) removeRun(column int) {
	i := 0
	for column >= r.Runs[i].Count {
		column -= r.Runs[i].Count
		i++
	}
	if r.Runs[i].Count--; r.Runs[i].Count > 0 {
		return
	}
	r.Runs = slices.Delete(r.Runs, i, i+1)
	if i > 0 && i < len(r.Runs) && r.Runs[i-1].Status == r.Runs[i].Status {
		r.Runs[i-1].Count += r.Runs[i].Count
		r.Runs = slices.Delete(r.Runs, i, i+1)
	}
}

// cell returns all that is known of a cell, as put takes it.
func (r *Row) cell(column, columns int, status Outcome) filled {
	at := columns - 1 - column
	c := filled{Cell: Cell{Status: status}}
	if i, ok := r.noteAt(at); ok {
		n := r.Notes[i]
		c.Icon, c.Message, c.property = n.Icon, n.Message, n.Property
	}
	for i := range r.Metrics {
		if v, ok := r.Metrics[i].Value(at); ok {
			c.metrics = append(c.metrics, metric{r.Metrics[i].Name, v})
		}
	}
	return c
}

// arrange puts the cells into another order: order[i] is the present place of
// the cell that comes to be the i-th.
func (r *Row) arrange(order []int) {
	n := len(order)
	old := make([]filled, 0, n)
	for _, run := range r.Runs {
		for range run.Count {
			old = append(old, r.cell(len(old), n, run.Status))
		}
	}
	*r = Row{Name: r.Name, owner: r.owner}
	for i, k := range slices.Backward(order) {
		r.put(0, n-1-i, old[k])
	}
}

// trim keeps n of the newest columns and reports whether a result is left.
func (r *Row) trim(n, columns int) bool {
	gone := columns - n
	for left := gone; left > 0; {
		last := &r.Runs[len(r.Runs)-1]
		if last.Count > left {
			last.Count -= left
			break
		}
		left -= last.Count
		r.Runs = r.Runs[:len(r.Runs)-1]
	}
	i, _ := r.noteAt(gone)
	r.Notes = slices.Clone(r.Notes[i:]) // so that old messages are let go
	for k := range r.Metrics {
		r.Metrics[k].trim(gone)
	}
	r.Metrics = slices.DeleteFunc(r.Metrics, func(s Series) bool { return len(s.Values) == 0 })
	r.shift(0, -gone)
	return !r.empty()
}

// copied returns a row of its own that owner may change.
func (r *Row) copied(o *owner) *Row {
	c := *r
	c.owner = o
	c.Runs = append(make([]Run, 0, len(r.Runs)+1), r.Runs...)
	c.Notes = slices.Clone(r.Notes)
	c.Metrics = slices.Clone(r.Metrics)
	for i := range c.Metrics {
		c.Metrics[i] = c.Metrics[i].copied()
	}
	return &c
}
