package grid

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"seaworthy/job"
)

// Overall returns the name of the row that is the verdict on the builds.
func (g *Grid) Overall() string {
	if g.Settings.SeveralJobs {
		return "Overall"
	}
	return g.Job + ".Overall"
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

// prepare makes what Append finds rows with.
func (g *Grid) prepare() {
	if g.index != nil {
		return
	}
	g.index = make(map[string]int32, len(g.Rows))
	for i, r := range g.Rows {
		g.index[r.Name] = int32(i)
	}
}

// own returns a row that may be changed: a copy, if others read it.
func (g *Grid) own(i int) *Row {
	r := g.Rows[i]
	if o := g.owner.Load(); r.owner != o {
		r = r.copied(o)
		g.Rows[i] = r
	}
	return r
}

// tidy drops rows that lost their last result and puts new ones, from before
// on, in their places.
func (g *Grid) tidy(before int, replaced bool) {
	known := g.Rows[:before]
	changed := before < len(g.Rows)
	if replaced {
		known = slices.DeleteFunc(known, (*Row).empty)
		changed = changed || len(known) < before
	}
	if !changed {
		return
	}
	added := slices.DeleteFunc(slices.Clone(g.Rows[before:]), (*Row).empty)
	slices.SortFunc(added, g.compare)
	rows := make([]*Row, 0, len(known)+len(added))
	for _, r := range added {
		at, _ := slices.BinarySearchFunc(known, r, g.compare)
		rows = append(append(rows, known[:at]...), r)
		known = known[at:]
	}
	g.Rows = append(rows, known...)
	g.index = nil
}

// compare orders rows: verdicts, pods, then tests in natural order.
func (g *Grid) compare(a, b *Row) int {
	if x, y := g.rank(a.Name), g.rank(b.Name); x != y {
		return x - y
	}
	if c := job.CompareBuildIDs(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

func (g *Grid) rank(name string) int {
	switch {
	case name == g.Overall():
		return 0
	case g.Settings.SeveralJobs || !strings.HasPrefix(name, g.Job):
		return 3
	case name == g.Job+".Overall":
		return 1
	case g.Settings.Pod && name == g.Job+".Pod":
		return 2
	}
	return 3
}

// Trim drops columns older than a time, keeping at least keep, and rows that
// then have no result left. A column of which no time is known is as old as its
// place among the others says.
func (g *Grid) Trim(before time.Time, keep int) {
	n := slices.IndexFunc(g.Columns, func(c Column) bool { return !c.since().IsZero() && c.since().Before(before) })
	if n < 0 || max(n, keep) >= len(g.Columns) {
		return
	}
	n = max(n, keep)
	columns := len(g.Columns)
	g.Columns = slices.Clone(g.Columns[:n])
	rows := make([]*Row, 0, len(g.Rows))
	for i := range g.Rows {
		if r := g.own(i); r.trim(n, columns) {
			rows = append(rows, r)
		}
	}
	g.Rows, g.index, g.texts = rows, nil, nil
}

// Clone returns a copy that later calls of Append and Trim leave as it is. It
// costs a pointer for each row: the rows are shared, and the first of the two
// grids to change one copies it. Each of the two may be used by a goroutine of
// its own, and several may clone one grid at a time.
func (g *Grid) Clone() *Grid {
	g.owner.Store(&owner{})
	c := &Grid{Job: g.Job, Settings: g.Settings, Columns: slices.Clone(g.Columns), Rows: slices.Clone(g.Rows)}
	c.owner.Store(&owner{})
	return c
}

func itoa(n int) string { return strconv.Itoa(n) }
