package verdict

import (
	"time"

	"seaworthy/grid"
)

// Run is a build of a job that is over and was not aborted: one that Cut counts.
type Run struct {
	Build  string
	Commit string
	At     time.Time // when it began
	Green  bool
}

// Standing is how a tab stands by itself, whatever the branch.
type Standing struct {
	State  State
	Why    string      // one sentence
	Status grid.Status // the tab's
	Runs   []Run       // newest first
}

// Look judges one tab exactly as Of does, for others that decide by the same
// runs: so a gate and a report cannot disagree about what was green.
func Look(t Tab, at time.Time) Standing {
	f := observe(t, t.Grid, at)
	j := Job{Greens: min(f.greens(false), 1)}
	if len(f.runs) > 0 {
		j.LastRun = f.runs[0].Started
	}
	j.state(f, at)
	s := Standing{State: j.State, Why: j.Why, Status: f.summary.Status}
	for _, r := range f.runs {
		s.Runs = append(s.Runs, Run{r.Build, r.Commit, r.Started, r.green})
	}
	return s
}
