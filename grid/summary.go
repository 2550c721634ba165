package grid

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Options are how a tab looks at a grid. Zero fields mean the defaults. Whoever
// makes them of a configuration takes what the tab says, else what its test
// group says; TestGrid's own default of a tab wins over every group.
type Options struct {
	// Include and Exclude keep rows whose names match all of the former and
	// none of the latter.
	Include, Exclude []*regexp.Regexp
	Recent           int           // newest columns that count; 10
	Failures         int           // failures in a row that make an alert; 3
	Passes           int           // passes in a row that end one; 1
	StaleAfter       time.Duration // age of the newest column that is stale; 0 never
	Broken           float64       // share of failing cells that breaks a column; 0 never
	Flakiness        float64       // percent of columns that may be flaky; 0 none
	MinRuns          int           // columns needed for a verdict; 0 any
	// Ignored outcomes take a column out of the verdict.
	Ignored []Outcome
	// Health is the interval over which Summary.Health is made; 0 never.
	Health time.Duration
	// Updated is when the grid last changed; zero if that is not known. It is
	// for StaleAfter.
	Updated time.Time
}

func (o Options) withDefaults() Options {
	if o.Recent == 0 {
		o.Recent = 10
	}
	if o.Failures == 0 {
		o.Failures = 3
	}
	if o.Passes == 0 {
		o.Passes = 1
	}
	return o
}

func (o Options) shows(name string) bool {
	for _, re := range o.Include {
		if !re.MatchString(name) {
			return false
		}
	}
	return !slices.ContainsFunc(o.Exclude, func(re *regexp.Regexp) bool { return re.MatchString(name) })
}

// rows are those that count: stale and excluded ones are out, and those that
// TestGrid hides.
func (g *Grid) rows(o Options) []*Row {
	rows := make([]*Row, 0, len(g.Rows))
	for _, r := range g.Rows {
		if !r.Stale(o.Recent) && !strings.Contains(r.Name, "@TESTGRID@") && o.shows(r.Name) {
			rows = append(rows, r)
		}
	}
	return rows
}

// Status is what the recent columns say together.
type Status string

// Statuses of a tab.
const (
	Broken     Status = "BROKEN"     // a column failed nearly as a whole
	Stale      Status = "STALE"      // no news for too long
	Failing    Status = "FAILING"    // a test fails again and again
	Flaky      Status = "FLAKY"      // failures, but none that lasts
	Pending    Status = "PENDING"    // too few runs to tell
	Acceptable Status = "ACCEPTABLE" // flaky within what is allowed
	Passing    Status = "PASSING"
	Unknown    Status = "UNKNOWN" // no completed column
)

// Worst returns the status of a dashboard from those of its tabs; Unknown
// if there are none.
func Worst(tabs ...Status) Status {
	for _, s := range []Status{Broken, Stale, Failing, Flaky, Pending, Acceptable, Passing} {
		if slices.Contains(tabs, s) {
			return s
		}
	}
	return Unknown
}

// Summary is the verdict on a grid.
type Summary struct {
	Status Status `json:"status"`
	// Text is TestGrid's sentence.
	Text string `json:"text"`
	// Alert says why the tab is stale, empty if it is not.
	Alert  string  `json:"alert,omitempty"`
	Alerts []Alert `json:"alerts,omitempty"`
	// LatestGreen is the newest column that passed as a whole: its first header
	// (in Kubernetes the commit), else its commit, else its build; or "no recent
	// greens".
	LatestGreen string `json:"latest_green"`
	Stats       Stats  `json:"stats"`
	// Standing is the status but for the age of the results; see Aged.
	Standing Status `json:"standing"`
	// LastRun is when the newest build began, zero if none says.
	LastRun time.Time `json:"last_run,omitzero"`
	// Rows is how many rows count.
	Rows   int     `json:"rows"`
	Health *Health `json:"healthiness,omitempty"`
}

// Stats count the recent columns and their cells.
type Stats struct {
	PassingColumns   int `json:"passing_columns"`
	CompletedColumns int `json:"completed_columns"`
	IgnoredColumns   int `json:"ignored_columns"`
	PassingCells     int `json:"passing_cells"`
	FilledCells      int `json:"filled_cells"`
}

// Summarize gives the verdict on a grid. Its time grows with the number of
// changes in the rows, not with that of cells.
func Summarize(g *Grid, o Options, now time.Time) Summary {
	o = o.withDefaults()
	rows := g.rows(o)
	t := count(rows, len(g.Columns), o)
	s := Summary{LatestGreen: t.latestGreen(g.Columns), Rows: len(rows)}
	for _, c := range g.Columns {
		if !c.Started.IsZero() {
			s.LastRun = c.Started
			break
		}
	}
	for _, r := range rows {
		if a, ok := g.alert(r, o); ok {
			s.Alerts = append(s.Alerts, a)
		}
	}
	var broken bool
	s.Stats, broken = t.stats(o)
	switch {
	case broken:
		s.Standing = Broken
	case len(s.Alerts) > 0:
		s.Standing = Failing
	case s.Stats.CompletedColumns-s.Stats.IgnoredColumns < o.MinRuns:
		s.Standing = Pending
	default:
		s.Standing = t.verdict(o, s.Stats)
	}
	if o.Health > 0 {
		h := Healthiness(g, o, now)
		s.Health = &h
	}
	return s.Aged(o, now)
}

// Aged returns the summary as it is at another time, of a grid that has not
// changed: the results may have become stale. It needs no grid.
func (s Summary) Aged(o Options, now time.Time) Summary {
	s.Status, s.Alert = s.Standing, s.stale(o, now)
	if s.Alert != "" && s.Status != Broken {
		s.Status = Stale
	}
	s.Text = s.text(o)
	return s
}

const (
	noRuns   = "no completed results"
	noGreens = "no recent greens"
)

func (s Summary) stale(o Options, now time.Time) string {
	if o.StaleAfter == 0 {
		return ""
	}
	if s.LastRun.IsZero() || s.Rows == 0 {
		return noRuns
	}
	told := func(format string, t time.Time) string {
		return fmt.Sprintf(format, t.UTC().Format("2006-01-02 15:04:05 MST"), now.Sub(t).Truncate(15*time.Minute))
	}
	switch {
	case !o.Updated.IsZero() && now.Sub(o.Updated) > o.StaleAfter:
		return told("data has not changed since %s (%s old)", o.Updated)
	case now.Sub(s.LastRun) > o.StaleAfter:
		return told("latest column from %s (%s old)", s.LastRun)
	}
	return ""
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(of) }

func (s Summary) text(o Options) string {
	n := s.Stats
	if n.FilledCells == 0 {
		return noRuns
	}
	out := fmt.Sprintf("Tab stats: %d of %d (%.1f%%) recent columns passed (%d of %d or %.1f%% cells)",
		n.PassingColumns, n.CompletedColumns, percent(n.PassingColumns, n.CompletedColumns),
		n.PassingCells, n.FilledCells, percent(n.PassingCells, n.FilledCells))
	if n.IgnoredColumns > 0 {
		out += fmt.Sprintf(". %d columns ignored", n.IgnoredColumns)
	}
	switch s.Status {
	case Pending:
		out += "\nStatus info: Not enough runs"
	case Acceptable:
		valid := n.CompletedColumns - n.IgnoredColumns
		out += fmt.Sprintf("\nStatus info: Recent flakiness (%.1f%%) over valid columns is within configured acceptable level of %.1f%%.",
			percent(valid-n.PassingColumns, valid), o.Flakiness)
	}
	return out
}

// tally counts the cells of each column, by what they mean for a summary.
type tally struct {
	passes, failures, others, running, ignored []int32
	// green and flaky leave ignored cells out.
	green, flaky []int32
}

// count goes through the runs of the rows: it notes where each begins and ends,
// and sums up at the end.
func count(rows []*Row, columns int, o Options) tally {
	t := tally{}
	fields := []*[]int32{&t.passes, &t.failures, &t.others, &t.running, &t.ignored, &t.green, &t.flaky}
	all := make([]int32, len(fields)*(columns+1))
	for i, f := range fields {
		*f = all[i*(columns+1) : (i+1)*(columns+1)]
	}
	for _, r := range rows {
		at := 0
		for _, run := range r.Runs {
			end := at + run.Count
			for _, f := range t.counters(run.Status, o) {
				f[at]++
				f[end]--
			}
			at = end
		}
	}
	for _, f := range fields {
		for i := 1; i < columns; i++ {
			(*f)[i] += (*f)[i-1]
		}
		*f = (*f)[:columns]
	}
	return t
}

// counters are those that a status counts in. Running cells count as nothing,
// unless they are ignored.
func (t *tally) counters(s Outcome, o Options) [][]int32 {
	var out [3][]int32
	n := 0
	ignored := slices.Contains(o.Ignored, s)
	add := func(f []int32) {
		out[n] = f
		n++
	}
	switch {
	case s == NoResult:
		return nil
	case s == Running:
		add(t.running)
	case s.Passing():
		add(t.passes)
		if !ignored {
			add(t.green)
		}
	default:
		if s.Failing() {
			add(t.failures)
		} else {
			add(t.others)
		}
		if !ignored {
			add(t.flaky)
		}
	}
	if ignored {
		add(t.ignored)
	}
	return out[:n]
}

func (t *tally) stats(o Options) (s Stats, broken bool) {
	for i := range min(o.Recent, len(t.passes)) {
		filled := t.passes[i] + t.failures[i] + t.others[i]
		s.PassingCells += int(t.passes[i])
		s.FilledCells += int(filled)
		if filled > 0 {
			s.CompletedColumns++
		}
		switch {
		case t.ignored[i] > 0:
			s.IgnoredColumns++
		case t.failures[i] == 0 && t.passes[i] > 0:
			s.PassingColumns++
		}
		if o.Broken > 0 && filled > 0 && float64(t.failures[i])/float64(filled) > o.Broken {
			broken = true
		}
	}
	return s, broken
}

// verdict looks for what is not green in the recent columns that are complete.
func (t *tally) verdict(o Options, s Stats) Status {
	passing := false
	recent := o.Recent
	for i := 0; i < len(t.passes) && recent > 0; i++ {
		switch {
		case t.running[i] > 0: // does not count until it is complete
		case t.ignored[i] > 0:
			recent--
		case t.flaky[i] > 0 && s.acceptable(o):
			return Acceptable
		case t.flaky[i] > 0:
			return Flaky
		case t.green[i] > 0:
			passing = true
			recent--
		}
	}
	if passing {
		return Passing
	}
	return Unknown
}

func (s Stats) acceptable(o Options) bool {
	valid := s.CompletedColumns - s.IgnoredColumns
	return o.Flakiness > 0 && valid > 0 && percent(s.PassingColumns, valid) >= 100-o.Flakiness
}

func (t *tally) latestGreen(columns []Column) string {
	for i, c := range columns {
		if t.passes[i] == 0 || t.failures[i]+t.others[i]+t.running[i] > 0 {
			continue
		}
		if len(c.Extra) > 0 {
			return c.Extra[0]
		}
		return orElse(c.Commit, c.Build)
	}
	return noGreens
}
