package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"seaworthy/grid"
	"seaworthy/grid/history"
)

// State of a job or of the jobs of a dashboard, as the handbook's table knows
// them, and unknown where nothing can be said.
type State string

// States of a job.
const (
	Passing State = "passing"
	Flaky   State = "flaky"
	Failing State = "failing"
	Unknown State = "unknown"
)

// Priority of an issue about a job, as Kubernetes labels it.
type Priority string

// Priorities.
const (
	CriticalUrgent    Priority = "critical-urgent"
	ImportantSoon     Priority = "important-soon"
	ImportantLongterm Priority = "important-longterm"
)

// Failure is a test that fails again and again in a job, or does now and then.
type Failure struct {
	Test  string `json:"test"`
	State State  `json:"state"` // failing or flaky
	// Fails is how many runs in a row failed, of a flaky test how many of the
	// recent ones.
	Fails     int    `json:"fails"`
	Message   string `json:"message,omitempty"`
	FirstFail string `json:"first_fail,omitempty"` // build
	// Good and Bad bound the commits in question: the last that passed, the first
	// that failed.
	Good string `json:"good,omitempty"`
	Bad  string `json:"bad,omitempty"`
}

// Job is the verdict on one tab.
type Job struct {
	Dashboard string      `json:"dashboard"`
	Tab       string      `json:"tab"`
	Job       string      `json:"job"`
	Blocking  bool        `json:"blocking"`
	Link      string      `json:"link,omitempty"`
	Owner     string      `json:"owner,omitempty"`
	State     State       `json:"state"`
	Status    grid.Status `json:"status"` // the tab's
	Text      string      `json:"text"`
	// Why is one sentence.
	Why         string       `json:"why"`
	Priority    Priority     `json:"priority,omitempty"`
	FlakeRate   history.Rate `json:"flake_rate"`
	LatestGreen string       `json:"latest_green"`
	// Greens is how many of the newest runs in a row were green, up to as many as
	// a cut asks for.
	Greens   int       `json:"greens"`
	LastRun  time.Time `json:"last_run,omitzero"`
	Failures []Failure `json:"failures,omitempty"`
	Issues   []Issue   `json:"issues,omitempty"`
	// Tolerated says that an issue about it carries a label by which somebody
	// decided that it holds no release back.
	Tolerated bool        `json:"tolerated,omitempty"`
	Criteria  []Criterion `json:"criteria,omitempty"`
}

// mostFlaky is how many flaky tests of a job are listed; failing ones all are.
const mostFlaky = 10

// job judges a tab by its facts.
func (r Rules) job(t Tab, f facts, at time.Time, age int, issues []Issue) Job {
	j := Job{
		Dashboard: t.Dashboard, Tab: t.Name, Job: t.Job, Blocking: t.Blocking, Link: t.Link, Owner: t.Owner,
		Status: f.summary.Status, Text: f.summary.Text, LatestGreen: f.summary.LatestGreen, FlakeRate: f.judged.FlakeRate,
		Greens: min(f.greens(r.SameCommit), r.Greens),
	}
	if len(f.runs) > 0 {
		j.LastRun = f.runs[0].Started
	}
	j.failures(t, f)
	j.state(f, at)
	j.explain(r, issues)
	j.Priority = r.priority(j)
	if t.Blocking {
		j.Criteria = r.criteria(t, f, at, age)
	}
	return j
}

// state maps a tab's status onto the handbook's three. A tab that is stale,
// pending or unknown says neither that the job passes nor that it fails.
func (j *Job) state(f facts, at time.Time) {
	switch s := f.summary; s.Status {
	case grid.Passing, grid.Acceptable:
		j.State, j.Why = Passing, "the recent runs passed"
		if s.Status == grid.Acceptable {
			j.Why = "it flakes no more than its configuration accepts"
		}
	case grid.Flaky:
		j.State, j.Why = Flaky, fmt.Sprintf("%d of %d recent runs passed", s.Stats.PassingColumns, s.Stats.CompletedColumns)
	case grid.Failing:
		j.State, j.Why = Failing, alerted(s.Alerts)
		if j.Greens > 0 {
			j.Why += ", though the newest run passed"
		}
	case grid.Broken:
		j.State, j.Why = Failing, "a run failed nearly as a whole"
	case grid.Stale:
		j.State, j.Why = Unknown, "it has no new results: "+s.Alert
	case grid.Pending:
		j.State, j.Why = Unknown, fmt.Sprintf("too few runs to tell: %d", s.Stats.CompletedColumns)
	default:
		j.State, j.Why = Unknown, "it has no results"
	}
	if !j.LastRun.IsZero() && at.Sub(j.LastRun) > week && j.State != Unknown {
		j.State, j.Why = Unknown, "its newest run started "+stamp(j.LastRun)
	}
}

// isOverall reports whether a row is the verdict on builds, or on their pods.
func isOverall(row string) bool {
	return row == "Overall" || strings.HasSuffix(row, ".Overall") || strings.HasSuffix(row, ".Pod")
}

// alerted tells of tests that fail again and again; the build as a whole only
// where no test explains why it fails.
func alerted(alerts []grid.Alert) string {
	tests := slices.DeleteFunc(slices.Clone(alerts), func(a grid.Alert) bool { return isOverall(a.Test) })
	switch {
	case len(tests) == 0 && len(alerts) > 0:
		return fmt.Sprintf("the build failed %d times in a row", alerts[0].Fails)
	case len(tests) == 0:
		return "tests failed again and again"
	case len(tests) == 1:
		return fmt.Sprintf("%s failed %d times in a row", tests[0].Test, tests[0].Fails)
	}
	return fmt.Sprintf("%s and %s failed again and again", tests[0].Test, count(len(tests)-1, "other test"))
}

// failures lists the alerts, and the tests that failed in recent runs.
func (j *Job) failures(t Tab, f facts) {
	alerted := map[string]bool{}
	for _, a := range f.summary.Alerts {
		alerted[a.Test] = true
		j.Failures = append(j.Failures, Failure{Test: a.Test, State: Failing, Fails: a.Fails, Message: a.Message, FirstFail: a.FirstFail.Build, Good: a.LastPass.Commit, Bad: a.FirstFail.Commit})
	}
	if f.summary.Status != grid.Flaky && f.summary.Status != grid.Failing {
		return
	}
	var flaky []Failure
	for _, r := range t.Grid.Rows {
		if alerted[r.Name] || !shows(t.Options, r.Name) {
			continue
		}
		if n := recentFailures(r, recent(t.Options)); n > 0 {
			flaky = append(flaky, Failure{Test: r.Name, State: Flaky, Fails: n})
		}
	}
	slices.SortStableFunc(flaky, func(x, y Failure) int { return y.Fails - x.Fails })
	j.Failures = append(j.Failures, flaky[:min(len(flaky), mostFlaky)]...)
}

func shows(o grid.Options, name string) bool {
	for _, re := range o.Include {
		if !re.MatchString(name) {
			return false
		}
	}
	for _, re := range o.Exclude {
		if re.MatchString(name) {
			return false
		}
	}
	return !strings.Contains(name, "@TESTGRID@")
}

// recent is how many columns a tab's status looks at; ten, if it does not say.
func recent(o grid.Options) int {
	if o.Recent > 0 {
		return o.Recent
	}
	return 10
}

// recentFailures counts failures and flakes among the newest columns, by runs of
// equal cells.
func recentFailures(r *grid.Row, columns int) int {
	n := 0
	for _, part := range r.Runs {
		if columns <= 0 {
			break
		}
		if part.Status.Failing() || part.Status == grid.Flake {
			n += min(part.Count, columns)
		}
		columns -= part.Count
	}
	return n
}

// explain links the issues that name the job or one of its failing tests.
func (j *Job) explain(r Rules, issues []Issue) {
	if j.State == Passing {
		return
	}
	names := []string{j.Job, j.Tab}
	for _, f := range j.Failures {
		if !isOverall(f.Test) {
			names = append(names, f.Test)
		}
	}
	for _, i := range issues {
		if i.About(names...) {
			j.Issues = append(j.Issues, i)
			j.Tolerated = j.Tolerated || slices.ContainsFunc(i.Labels, func(l string) bool { return slices.Contains(r.Tolerated, l) })
		}
	}
}

// priority follows the handbook: what fails all the time or flakes more often
// than in a fifth of the runs on a blocking dashboard is critical and urgent;
// other blocking flakes above a fiftieth, and failures of informing jobs, are
// important soon; rarer flakes in the long term.
func (r Rules) priority(j Job) Priority {
	rate := j.FlakeRate.Percent
	switch {
	case j.State == Failing && j.Blocking, j.State == Flaky && j.Blocking && rate > r.Urgent:
		return CriticalUrgent
	case j.State == Failing, j.State == Flaky && rate > r.Soon:
		return ImportantSoon
	case j.State == Flaky:
		return ImportantLongterm
	}
	return ""
}
