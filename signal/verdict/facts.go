package verdict

import (
	"slices"
	"strings"
	"time"

	"seaworthy/grid"
	"seaworthy/grid/history"
)

// Tab is a job on a blocking or informing dashboard.
type Tab struct {
	Dashboard string
	Name      string
	Job       string
	Project   string // whose branch it is; may be empty
	Branch    string
	Blocking  bool
	Link      string // to its page; may be empty
	// What the criteria ask for besides results.
	Description string
	Owner       string
	Mails       []string
	// Grid is its results, Options are how the tab looks at them.
	Grid    *grid.Grid
	Options grid.Options
}

// Issue is an open issue that may explain a failure.
type Issue struct {
	Number int      `json:"number"`
	Title  string   `json:"title"`
	Body   string   `json:"-"`
	Link   string   `json:"link"`
	Labels []string `json:"labels,omitempty"`
}

// shortestName is what a name must have, in bytes, to be looked for in issues:
// shorter ones, such as "Up", occur everywhere.
const shortestName = 6

// About reports whether the issue names any of some jobs or tests, in its title
// or its text, as a word of its own.
func (i Issue) About(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return len(n) >= shortestName && (names1(i.Title, n) || names1(i.Body, n))
	})
}

// names1 looks for a name that does not go on on either side: ci-unit is not
// named by ci-unit-race.
func names1(text, name string) bool {
	for from := 0; ; {
		at := strings.Index(text[from:], name)
		if at < 0 {
			return false
		}
		at += from
		if !(at > 0 && wordByte(text[at-1])) && !(at+len(name) < len(text) && wordByte(text[at+len(name)])) {
			return true
		}
		from = at + 1
	}
}

func wordByte(b byte) bool {
	return b == '-' || b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// run is one build of a job that is over and was not aborted.
type run struct {
	history.Result
	green bool
}

// facts are what a job's grid says at a time.
type facts struct {
	summary grid.Summary
	runs    []run // newest first
	judged  history.Judgement
}

// observe reads a tab's grid. The verdict on a build is its Overall row; where
// the grid has none, no test may have failed.
func observe(t Tab, g *grid.Grid, at time.Time) facts {
	f := facts{summary: grid.Summarize(g, t.Options, at)}
	s, ok := history.From(g, history.Source{Job: t.Job, Branch: t.Branch}, g.Overall())
	if !ok {
		s = columns(g)
	}
	aborted := map[string]bool{}
	took := map[string]time.Duration{}
	for _, c := range g.Columns {
		aborted[c.Build] = c.Result == "ABORTED"
		if !c.Finished.IsZero() && c.Finished.After(c.Started) {
			took[c.Build] = c.Finished.Sub(c.Started)
		}
	}
	s.Results = slices.DeleteFunc(s.Results, func(r history.Result) bool { return aborted[r.Build] })
	f.judged = history.Judge(s, history.Options{})
	for _, r := range s.Results {
		if r.Outcome.Passing() || r.Outcome.Failing() || r.Outcome == grid.Flake {
			r.Duration = took[r.Build]
			f.runs = append(f.runs, run{r, r.Outcome.Passing()})
		}
	}
	return f
}

// columns is the verdict on the builds of a grid without one: the worst cell.
func columns(g *grid.Grid) history.Series {
	worst := make([]grid.Outcome, len(g.Columns))
	for _, r := range g.Rows {
		at := 0
		for _, part := range r.Runs {
			for range part.Count {
				if at < len(worst) && severity(part.Status) > severity(worst[at]) {
					worst[at] = part.Status
				}
				at++
			}
		}
	}
	var s history.Series
	for i, c := range g.Columns {
		if worst[i] != grid.NoResult {
			s.Results = append(s.Results, history.Result{Build: c.Build, Started: c.Started, Commit: c.Commit, Outcome: worst[i], Status: worst[i].String()})
		}
	}
	return s
}

func severity(o grid.Outcome) int {
	switch {
	case o.Failing():
		return 4
	case o == grid.Running:
		return 3
	case o == grid.Flake:
		return 2
	case o == grid.NoResult:
		return 0
	}
	return 1
}

// greens counts the newest runs in a row that were green; sameCommit counts only
// those of the newest run's commit.
func (f facts) greens(sameCommit bool) int {
	n := 0
	for _, r := range f.runs {
		if !r.green || sameCommit && r.Commit != f.runs[0].Commit {
			break
		}
		n++
	}
	return n
}

// since are the runs that started at or after a time.
func (f facts) since(t time.Time) []run {
	n := 0
	for n < len(f.runs) && !f.runs[n].Started.Before(t) {
		n++
	}
	return f.runs[:n]
}
