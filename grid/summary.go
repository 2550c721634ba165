package grid

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Options are how a tab looks at a grid. Zero fields mean the defaults.
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

// worst orders statuses from worst to best.
var worst = []Status{Broken, Stale, Failing, Flaky, Pending, Acceptable, Passing, Unknown}

// Worst returns the status of a dashboard from those of its tabs; Unknown
// if there are none.
func Worst(tabs ...Status) Status {
	for _, s := range worst {
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
	// LatestGreen is the commit (the build, if it has none) of the newest
	// column that passed as a whole, or "no recent greens".
	LatestGreen string `json:"latest_green"`
	Stats       Stats  `json:"stats"`
}

// Stats count the recent columns and their cells.
type Stats struct {
	PassingColumns   int `json:"passing_columns"`
	CompletedColumns int `json:"completed_columns"`
	IgnoredColumns   int `json:"ignored_columns"`
	PassingCells     int `json:"passing_cells"`
	FilledCells      int `json:"filled_cells"`
}

// Alert is a test that fails again and again.
type Alert struct {
	Test       string `json:"test"`
	Fails      int    `json:"fails"`              // failures since the last pass
	FirstFail  Column `json:"first_fail"`         // oldest of them
	LatestFail Column `json:"latest_fail"`        // newest of them
	LastPass   Column `json:"last_pass,omitzero"` // newest pass before them
	Message    string `json:"message"`            // of the newest failure
}

// table is the cells that count: stale and excluded rows are out.
type table struct {
	rows    []*Row
	cells   [][]Outcome // of each row
	columns []Column
}

// Summarize gives the verdict on a grid.
func Summarize(g *Grid, o Options, now time.Time) Summary {
	o = o.withDefaults()
	t := newTable(g, o)
	s := Summary{Alert: stale(g, o, now), LatestGreen: t.latestGreen()}
	for i, r := range t.rows {
		if a, ok := alert(r, t.cells[i], t.columns, o); ok {
			s.Alerts = append(s.Alerts, a)
		}
	}
	var broken bool
	s.Stats, broken = t.stats(o)
	switch {
	case broken:
		s.Status = Broken
	case s.Alert != "":
		s.Status = Stale
	case len(s.Alerts) > 0:
		s.Status = Failing
	case s.Stats.CompletedColumns-s.Stats.IgnoredColumns < o.MinRuns:
		s.Status = Pending
	default:
		s.Status = t.verdict(o, s.Stats)
	}
	s.Text = text(s.Status, s.Stats, o)
	return s
}

func newTable(g *Grid, o Options) table {
	t := table{columns: g.Columns}
	for _, r := range g.Rows {
		if r.Stale(o.Recent) || strings.Contains(r.Name, "@TESTGRID@") || !o.shows(r.Name) {
			continue
		}
		t.rows = append(t.rows, r)
		t.cells = append(t.cells, r.outcomes())
	}
	return t
}

func (o Options) shows(name string) bool {
	for _, re := range o.Include {
		if !re.MatchString(name) {
			return false
		}
	}
	return !slices.ContainsFunc(o.Exclude, func(re *regexp.Regexp) bool { return re.MatchString(name) })
}

const (
	noRuns   = "no completed results"
	noGreens = "no recent greens"
)

func stale(g *Grid, o Options, now time.Time) string {
	if o.StaleAfter == 0 {
		return ""
	}
	if len(g.Columns) == 0 || g.Columns[0].Started.IsZero() {
		return noRuns
	}
	ran := g.Columns[0].Started.UTC()
	if age := now.Sub(ran); age > o.StaleAfter {
		return fmt.Sprintf("latest column from %s (%s old)", ran.Format("2006-01-02 15:04:05 MST"), age.Truncate(15*time.Minute))
	}
	return ""
}

// alert walks a row from the newest cell: enough failures in a row, not yet
// followed by enough passes, are an alert.
func alert(r *Row, cells []Outcome, columns []Column, o Options) (Alert, bool) {
	a := Alert{Test: r.Name}
	streak, passes, latest := 0, 0, 0
walk:
	for i, c := range cells {
		switch {
		case c == Running || c == NoResult:
		case c.Passing():
			passes++
			if streak >= o.Failures {
				if a.LastPass.Build == "" {
					a.LastPass = columns[i]
				}
				if passes >= o.Passes {
					break walk
				}
			} else if passes >= o.Passes {
				return Alert{}, false
			} else {
				streak = 0
			}
		case c.Failing():
			passes = 0
			streak++
			if streak == 1 {
				latest = i
			}
			a.FirstFail, a.LastPass = columns[i], Column{}
			a.Fails = streak
		default: // flaky
			passes = 0
			if streak >= o.Failures {
				break walk
			}
			streak = 0
		}
	}
	if streak < o.Failures {
		return Alert{}, false
	}
	a.LatestFail, a.Message = columns[latest], r.note(latest).Message
	return a, true
}

func (t table) stats(o Options) (s Stats, broken bool) {
	for i := range min(o.Recent, len(t.columns)) {
		var passes, failures, other, ignored int
		for _, row := range t.cells {
			status := row[i]
			if slices.Contains(o.Ignored, status) {
				ignored++
			}
			switch {
			case status == NoResult || status == Running:
			case status.Passing():
				passes++
			case status.Failing():
				failures++
			default:
				other++
			}
		}
		filled := passes + failures + other
		s.PassingCells += passes
		s.FilledCells += filled
		if filled > 0 {
			s.CompletedColumns++
		}
		switch {
		case ignored > 0:
			s.IgnoredColumns++
		case failures == 0 && passes > 0:
			s.PassingColumns++
		}
		if o.Broken > 0 && filled > 0 && float64(failures)/float64(filled) > o.Broken {
			broken = true
		}
	}
	return s, broken
}

// verdict looks for what is not green in the recent columns that are complete.
func (t table) verdict(o Options, s Stats) Status {
	passing := false
	recent := o.Recent
	for i := 0; i < len(t.columns) && recent > 0; i++ {
		var running, ignored, green, flaky bool
		for _, row := range t.cells {
			switch status := row[i]; {
			case status == Running:
				running = true
			case slices.Contains(o.Ignored, status):
				ignored = true
			case status == NoResult:
			case status.Passing():
				green = true
			default:
				flaky = true
			}
		}
		switch {
		case running: // does not count until it is complete
		case ignored:
			recent--
		case flaky && s.acceptable(o):
			return Acceptable
		case flaky:
			return Flaky
		case green:
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

func percent(n, of int) float64 { return 100 * float64(n) / float64(of) }

func text(status Status, s Stats, o Options) string {
	if s.FilledCells == 0 {
		return noRuns
	}
	out := fmt.Sprintf("Tab stats: %d of %d (%.1f%%) recent columns passed (%d of %d or %.1f%% cells)",
		s.PassingColumns, s.CompletedColumns, percent(s.PassingColumns, s.CompletedColumns),
		s.PassingCells, s.FilledCells, percent(s.PassingCells, s.FilledCells))
	if s.IgnoredColumns > 0 {
		out += fmt.Sprintf(". %d columns ignored", s.IgnoredColumns)
	}
	switch status {
	case Pending:
		out += "\nStatus info: Not enough runs"
	case Acceptable:
		valid := s.CompletedColumns - s.IgnoredColumns
		out += fmt.Sprintf("\nStatus info: Recent flakiness (%.1f%%) over valid columns is within configured acceptable level of %.1f%%.",
			percent(valid-s.PassingColumns, valid), o.Flakiness)
	}
	return out
}

func (t table) latestGreen() string {
	for i, c := range t.columns {
		green, red := false, false
		for _, row := range t.cells {
			switch status := row[i]; {
			case status.Passing():
				green = true
			case status != NoResult:
				red = true
			}
		}
		if green && !red {
			if c.Commit != "" {
				return c.Commit
			}
			return c.Build
		}
	}
	return noGreens
}
