package history

import (
	"strconv"
	"time"

	"seaworthy/grid"
)

// Source says where results come from.
type Source struct {
	Repo string `json:"repo,omitempty"` // OWNER/NAME
	Job  string `json:"job"`
	// Presubmit says that each build tested a change, not the branch.
	Presubmit bool   `json:"presubmit,omitempty"`
	Branch    string `json:"branch,omitempty"` // that is tested, or that the changes go to
	Dashboard string `json:"dashboard,omitempty"`
	Tab       string `json:"tab,omitempty"`
	Owner     string `json:"owner,omitempty"`
	// Folder is where the builds lie, of a presubmit the index of them.
	Folder string `json:"folder,omitempty"`
}

// Result is what one build says of a test.
type Result struct {
	Build   string    `json:"build"`
	Started time.Time `json:"started"`
	// Commit names the content that was tested: of a presubmit the head of the
	// change. Two results of one commit tell a flaky test from a broken one.
	Commit  string       `json:"commit,omitempty"`
	Pull    string       `json:"pull,omitempty"` // number of the change, of a presubmit
	Outcome grid.Outcome `json:"-"`
	Status  string       `json:"status"`            // the outcome's name
	Message string       `json:"message,omitempty"` // of a failure, shortened
	// Duration is zero where it is not known.
	Duration time.Duration `json:"-"`
}

// done reports whether the result counts: it passed, failed or did both.
func (r Result) done() bool {
	return r.Outcome.Passing() || r.Outcome.Failing() || r.Outcome == grid.Flake
}

// Series is the results of one test in one job, newest first.
type Series struct {
	Source  Source
	Test    string // the row's name in this job
	Results []Result
}

// From takes the row of a test out of a grid; false if it has none. Builds that
// say nothing of the test are left out.
func From(g *grid.Grid, source Source, test string) (Series, bool) {
	row := g.Row(test)
	if row == nil {
		return Series{}, false
	}
	s := Series{Source: source, Test: test}
	elapsed := row.Metric(grid.Elapsed)
	place := 0 // newest first
	for _, run := range row.Runs {
		for range run.Count {
			if run.Status != grid.NoResult && place < len(g.Columns) {
				s.Results = append(s.Results, result(g.Columns[place], run.Status, row.Note(place).Message, minutes(elapsed, len(g.Columns)-1-place)))
			}
			place++
		}
	}
	return s, true
}

func result(c grid.Column, o grid.Outcome, message string, took time.Duration) Result {
	r := Result{Build: c.Build, Started: c.Started, Commit: c.Commit, Outcome: o, Status: o.String(), Duration: took}
	if c.Pull > 0 {
		r.Pull = strconv.Itoa(c.Pull)
	}
	if !o.Passing() {
		r.Message = message
	}
	return r
}

// minutes reads a metric of a column, counted from the oldest.
func minutes(elapsed *grid.Series, at int) time.Duration {
	if elapsed == nil {
		return 0
	}
	v, ok := elapsed.Value(at)
	if !ok {
		return 0
	}
	return time.Duration(float64(v) * float64(time.Minute))
}
