package grid

import (
	"slices"
)

// View is what one screen shows of a grid: a part of its columns and rows. As
// JSON it is small: cells are run lengths, texts are told once.
type View struct {
	Job string `json:"job"`
	// Headers name the values in Extra of the columns.
	Headers []string `json:"headers,omitempty"`
	// Columns are those of the window, newest first; From is the place of the
	// first of them, and Total how many the grid has. So for the rows, of those
	// that match; All is how many rows the grid has.
	Columns  []Column  `json:"columns"`
	From     int       `json:"columns_from"`
	Total    int       `json:"columns_total"`
	Rows     []ViewRow `json:"rows"`
	RowsFrom int       `json:"rows_from"`
	Matching int       `json:"rows_total"`
	All      int       `json:"rows_all"`
	// Groups of rows in the window, if they are grouped.
	Groups []ViewGroup `json:"groups,omitempty"`
	// Texts are the icons and messages that rows refer to by number. The first
	// is empty.
	Texts []string `json:"texts"`
	// Cut says that messages were left out (number -1), since there were too
	// many: a smaller window has them.
	Cut bool `json:"cut,omitempty"`
}

// ViewRow is a row as far as its columns are in the window.
type ViewRow struct {
	Name string `json:"name"`
	// Runs are an outcome and how many cells have it, in turns, from the newest
	// on. The numbers of outcomes are TestGrid's.
	Runs []int `json:"runs"`
	// Notes are three numbers each: the column, counted from the first of the
	// window, the icon and the message, both in Texts.
	Notes []int `json:"notes,omitempty"`
	// Stale says that it has no recent result.
	Stale bool `json:"stale,omitempty"`
}

// ViewGroup is a stretch of rows of the window that belong together.
type ViewGroup struct {
	Name string `json:"name"`
	// First is its first row in the window, Shown how many of its rows are
	// there, and Rows how many it has.
	First int `json:"first"`
	Shown int `json:"shown"`
	Rows  int `json:"rows"`
	// Failing is how many of all its rows have failed in the newest column in
	// which they have a result.
	Failing int `json:"failing"`
}

// View returns what the query shows of a grid.
func (q Query) View(g *Grid) View {
	rows, groups := q.choose(g)
	v := View{Job: g.Job, Headers: g.Settings.Headers, Total: len(g.Columns), Matching: len(rows), All: len(g.Rows), Texts: []string{""}}
	from, to := q.Columns.clamp(len(g.Columns))
	v.From, v.Columns = from, append([]Column{}, g.Columns[from:to]...)
	first, last := q.Rows.clamp(len(rows))
	v.RowsFrom, v.Rows = first, make([]ViewRow, 0, last-first)
	w := viewer{view: &v, numbers: map[string]int{"": 0}, left: q.Messages}
	if w.left == 0 {
		w.left = 96 << 10
	}
	recent := Options{Recent: q.Recent}.withDefaults().Recent
	for _, r := range rows[first:last] {
		x := ViewRow{Name: r.Name, Runs: r.part(from, to), Stale: r.Stale(recent)}
		w.notes(&x, r, len(g.Columns)-to, len(g.Columns)-from)
		v.Rows = append(v.Rows, x)
	}
	if q.Group.By != Ungrouped {
		v.Groups = grouped(rows, groups, first, last)
	}
	return v
}

// part is the runs of the columns from one to before another.
func (r *Row) part(from, to int) []int {
	out := make([]int, 0, 2*min(len(r.Runs), to-from))
	at := 0
	for _, run := range r.Runs {
		if n := min(at+run.Count, to) - max(at, from); n > 0 {
			out = append(out, int(run.Status), n)
		}
		if at += run.Count; at >= to {
			break
		}
	}
	return out
}

// viewer collects the texts of a view.
type viewer struct {
	view    *View
	numbers map[string]int
	left    int // bytes for messages
}

func (w *viewer) number(text string) int {
	n, ok := w.numbers[text]
	if !ok {
		n = len(w.view.Texts)
		w.numbers[text] = n
		w.view.Texts = append(w.view.Texts, text)
	}
	return n
}

// notes adds those of a row for columns from one to before another, counted from
// the oldest, to the view; the newest first.
func (w *viewer) notes(x *ViewRow, r *Row, oldest, newest int) {
	begin, _ := r.noteAt(oldest)
	end, _ := r.noteAt(newest)
	for _, n := range slices.Backward(r.Notes[begin:end]) {
		if n.Icon == "" && n.Message == "" {
			continue
		}
		message := shorten(n.Message, maxShown)
		number, known := w.numbers[message]
		switch {
		case known:
		case len(message) > w.left:
			number, w.view.Cut = -1, true
		default:
			w.left -= len(message)
			number = w.number(message)
		}
		x.Notes = append(x.Notes, newest-1-n.At, w.number(n.Icon), number)
	}
}

func grouped(rows []*Row, names []string, first, last int) []ViewGroup {
	var out []ViewGroup
	for i := 0; i < len(rows); {
		end := i
		group := ViewGroup{Name: names[i]}
		for ; end < len(rows) && names[end] == names[i]; end++ {
			if rows[end].latest().Failing() {
				group.Failing++
			}
		}
		group.Rows = end - i
		if begin, stop := max(i, first), min(end, last); begin < stop {
			group.First, group.Shown = begin-first, stop-begin
			out = append(out, group)
		}
		i = end
	}
	return out
}

// latest is the newest outcome that is one.
func (r *Row) latest() Outcome {
	for _, run := range r.Runs {
		if run.Status != NoResult && run.Status != Running {
			return run.Status
		}
	}
	return NoResult
}
