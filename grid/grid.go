package grid

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"seaworthy/job"
)

// Column is one build.
type Column struct {
	Build string `json:"build"`
	// Job is whose build it is, where that is not the grid's.
	Job string `json:"job,omitempty"`
	// Started is zero where the build does not say, or says what cannot be.
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Commit   string    `json:"commit,omitempty"`
	Result   string    `json:"result,omitempty"`
	// Pull is the number of the change that was tested, 0 if it was a branch.
	Pull int `json:"pull,omitempty"`
	// Extra are the values of Settings.Headers; "missing" where a build that is
	// over has none.
	Extra []string `json:"extra,omitempty"`
	// Mails are where alerts that begin with this build go to.
	Mails []string `json:"mails,omitempty"`
}

// Grid is the results of one job. The zero value is not ready for use: see
// New. It may be copied as JSON and appended to afterwards. Reading is safe for
// many goroutines at a time, as long as none changes it: give them a Clone.
type Grid struct {
	Job      string   `json:"job"`
	Settings Settings `json:"settings,omitzero"`
	Columns  []Column `json:"columns"` // newest first
	// Rows are JOB.Overall and JOB.Pod, then the tests in natural order of name.
	Rows []*Row `json:"rows"`

	// owner is atomic so that many may clone a grid that none changes.
	owner atomic.Pointer[owner]
	index map[string]int32 // rows by name
	texts map[string]string
	draft draft
}

// owner is who may change a row. It has a size so that each has an address.
type owner struct{ _ byte }

// draft is the memory that Append sorts a build's tests with, kept for the next
// one: for each row the first and the last of its runs, for each run the next
// one of its row. 0 is none.
type draft struct {
	first, last, next []int32
	runs              []ran
	judge             judge
}

// ran is a run of a test, and what became of it.
type ran struct {
	*Test
	outcome Outcome
}

func (d *draft) ran(t *Test) ran { return ran{t, d.judge.outcome(t)} }

// New returns an empty grid with the plain Settings.
func New(job string) *Grid { return NewWith(job, Settings{}) }

// NewWith returns an empty grid.
func NewWith(job string, s Settings) *Grid { return &Grid{Job: job, Settings: s} }

// Append adds a build as a column where it belongs, or replaces the column it
// has; see Column order in the package's comment. A build that started more
// than StillRunning before now and has no end counts as timed out.
//
// Adding the newest build costs little more than a step for each row, whatever
// the number of columns; one in the middle has to move what is noted of the
// newer ones.
func (g *Grid) Append(b Build, now time.Time) {
	if b.Job == "" {
		b.Job = g.Job
	}
	b = b.sensible(now)
	before := len(g.Rows)
	verdict := g.sort(&b, now)
	column := g.column(b, verdict.Status, now)
	at, replaced := g.place(column)
	columns := len(g.Columns) - 1
	for i, r := range g.Rows {
		if r = g.own(i); i >= before { // a new row
			r.Runs = append(make([]Run, 0, 4), Run{NoResult, columns})
			if columns == 0 {
				r.Runs = r.Runs[:0]
			}
		} else if replaced {
			r.take(at, columns+1)
		}
		r.put(at, columns, g.cell(int32(i), b, verdict, now))
	}
	g.tidy(before, replaced)
	g.settle()
}

// plausible returns a time as it is, or zero if it cannot be: before there was
// any Prow, or a day ahead.
func plausible(t, now time.Time) time.Time {
	if t.Year() < 2000 || t.After(now.Add(24*time.Hour)) {
		return time.Time{}
	}
	return t.UTC()
}

func (g *Grid) column(b Build, verdict Outcome, now time.Time) Column {
	c := Column{Build: b.ID, Started: b.Started, Finished: plausible(b.Finished, now), Commit: g.text(b.Commit), Result: g.text(b.Result), Pull: b.Pull, Mails: b.Mails}
	if b.Job != g.Job {
		c.Job = g.text(b.Job)
	}
	for i := range g.Settings.Headers {
		value := ""
		if i < len(b.Headers) {
			value = b.Headers[i]
		}
		if value == "" && verdict != Running {
			value = "missing"
		}
		c.Extra = append(c.Extra, g.text(shorten(value, maxShown)))
	}
	return c
}

// place puts a column where it belongs, and returns where that is, and whether
// it had been there before.
func (g *Grid) place(c Column) (int, bool) {
	for i := range g.Columns {
		if g.Columns[i].Build == c.Build && g.Columns[i].Job == c.Job {
			g.Columns[i] = c
			return i, true
		}
	}
	at, _ := slices.BinarySearchFunc(g.Columns, c, newerFirst)
	g.Columns = slices.Insert(slices.Clip(g.Columns), at, c)
	return at, false
}

// since is the time a column is sorted by, zero if it tells none.
func (c *Column) since() time.Time {
	if c.Started.IsZero() {
		return c.Finished
	}
	return c.Started
}

func newerFirst(a, b Column) int {
	if c := b.since().Compare(a.since()); c != 0 {
		return c
	}
	if c := job.CompareBuildIDs(b.Build, a.Build); c != 0 {
		return c
	}
	return strings.Compare(b.Job, a.Job)
}

// settle puts the columns in order where that takes more than to put the new
// one into its place: a build that says no time stands before the nearest
// build of a lower number, and so may move when that one comes.
func (g *Grid) settle() {
	unknown := 0
	ordered := true
	for i := range g.Columns {
		if g.Columns[i].since().IsZero() {
			unknown++
		}
		ordered = ordered && (i == 0 || newerFirst(g.Columns[i-1], g.Columns[i]) < 0)
	}
	if ordered && (unknown == 0 || unknown == len(g.Columns)) {
		return
	}
	order := arrangement(g.Columns)
	if slices.IsSorted(order) {
		return
	}
	old := g.Columns
	g.Columns = make([]Column, len(old))
	for i, k := range order {
		g.Columns[i] = old[k]
	}
	for i := range g.Rows {
		g.own(i).arrange(order)
	}
}

// arrangement returns the places of columns, newest first.
func arrangement(columns []Column) []int {
	var known, unknown []int
	for i := range columns {
		if columns[i].since().IsZero() {
			unknown = append(unknown, i)
		} else {
			known = append(known, i)
		}
	}
	number := func(a, b int) int { return job.CompareBuildIDs(columns[a].Build, columns[b].Build) }
	newest := func(a, b int) int { return newerFirst(columns[a], columns[b]) }
	numbered := slices.SortedFunc(slices.Values(known), number)
	above := map[int][]int{} // by the column that they stand before; -1 is none
	slices.SortFunc(unknown, newest)
	for _, u := range unknown {
		lower, _ := slices.BinarySearchFunc(numbered, u, number)
		anchor := -1
		if lower > 0 {
			anchor = numbered[lower-1]
		}
		above[anchor] = append(above[anchor], u)
	}
	slices.SortFunc(known, newest)
	order := make([]int, 0, len(columns))
	for _, k := range known {
		order = append(append(order, above[k]...), k)
	}
	return append(order, above[-1]...)
}

// sort finds the row of each test, adds those that are missing, and chains the
// runs of each. It returns the verdict on the build.
func (g *Grid) sort(b *Build, now time.Time) filled {
	g.prepare()
	d := &g.draft
	d.first = append(d.first[:0], make([]int32, len(g.Rows))...)
	d.last = append(d.last[:0], make([]int32, len(g.Rows))...)
	d.next = append(d.next[:0], make([]int32, len(b.Tests)+1)...)
	format := g.Settings.effective()
	d.judge = g.Settings.judge()
	failed := false
	counts := map[string]int{}
	for i := range b.Tests {
		t := &b.Tests[i]
		status := d.judge.outcome(t)
		if status == NoResult || g.Settings.IgnoreSkips && status == PassWithSkips {
			continue
		}
		failed = failed || status.Failing()
		name := t.Name
		if format.Format != "" {
			name = format.render(b.Job, *b, *t)
		}
		row := g.find(name)
		if g.Settings.Duplicates == Suffix && d.first[row] != 0 {
			var ok bool
			if row, ok = g.suffixed(name, counts); !ok {
				continue
			}
		}
		if d.first[row] == 0 {
			d.first[row] = int32(i + 1)
		} else {
			d.next[d.last[row]] = int32(i + 1)
		}
		d.last[row] = int32(i + 1)
	}
	verdict := overall(*b, failed, now)
	g.find(b.Job + ".Overall")
	if g.Settings.SeveralJobs {
		g.find("Overall")
	}
	if _, ok := pod(*b, verdict.Status, now); ok && g.Settings.Pod {
		g.find(b.Job + ".Pod")
	}
	return verdict
}

// find returns the row of a name, a new one if there is none.
func (g *Grid) find(name string) int32 {
	if i, ok := g.index[name]; ok {
		return i
	}
	if len(name) > maxName || !utf8.ValidString(name) {
		return g.find(shorten(strings.ToValidUTF8(name, "\uFFFD"), maxName))
	}
	i := int32(len(g.Rows))
	r := &Row{Name: strings.Clone(name), owner: g.owner.Load()}
	g.Rows = append(g.Rows, r)
	g.index[r.Name] = i
	g.draft.first, g.draft.last = append(g.draft.first, 0), append(g.draft.last, 0)
	return i
}

// maxName is how long the name of a row may be, in bytes.
const maxName = 4096

// overflow ends the name of the row for runs of a name beyond mostSuffixes.
const overflow = " [overflow]"

// suffixed returns the row of a further run of a name; false if there are too
// many even for the overflow.
func (g *Grid) suffixed(name string, counts map[string]int) (int32, bool) {
	counts[name]++
	switch n := counts[name]; {
	case n < mostSuffixes:
		return g.find(name + " [" + itoa(n) + "]"), true
	case n == mostSuffixes:
		return g.find(name + overflow), true
	}
	return 0, false
}

// cell makes what a row gets from a build.
func (g *Grid) cell(row int32, b Build, verdict filled, now time.Time) filled {
	var c filled
	switch name := g.Rows[row].Name; {
	case name == "Overall" && g.Settings.SeveralJobs, strings.HasSuffix(name, ".Overall") && name == b.Job+".Overall":
		c = verdict
	case g.Settings.Pod && strings.HasSuffix(name, ".Pod") && name == b.Job+".Pod":
		c.Cell, _ = pod(b, verdict.Status, now)
	default:
		first := g.draft.first[row]
		if first == 0 {
			return filled{}
		}
		if g.Settings.Duplicates == Suffix && strings.HasSuffix(name, overflow) {
			c.Cell = Cell{Fail, "...", "Too many duplicately named rows"}
			break
		}
		if g.draft.next[first] == 0 {
			c = g.Settings.one(g.draft.ran(&b.Tests[first-1]))
			break
		}
		g.draft.runs = g.draft.runs[:0]
		for i := first; i != 0; i = g.draft.next[i] {
			g.draft.runs = append(g.draft.runs, g.draft.ran(&b.Tests[i-1]))
		}
		c = g.Settings.merge(g.draft.runs)
		clear(g.draft.runs)
	}
	if c.Message != "" {
		c.Message = g.text(clean(c.Message))
	}
	c.Icon, c.property = g.text(c.Icon), g.text(shorten(c.property, maxKept))
	for i := range c.metrics {
		c.metrics[i].name = g.text(c.metrics[i].name)
	}
	return c
}

// text returns the one copy the grid has of a text, so that equal messages are
// kept once, and none keeps the file it was read from.
func (g *Grid) text(s string) string {
	if s == "" {
		return ""
	}
	if have, ok := g.texts[s]; ok {
		return have
	}
	s = strings.Clone(s)
	if g.texts == nil {
		g.texts = map[string]string{}
	}
	g.texts[s] = s
	return s
}
