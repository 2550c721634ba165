package history

import (
	"fmt"

	"seaworthy/grid"
)

// State says what is the matter with a test.
type State string

// States of a test.
const (
	Passing State = "passing" // no failure that says anything about it
	Flaky   State = "flaky"   // passes and fails without a change to explain it
	Broken  State = "broken"  // fails from a commit on
	Unknown State = "unknown" // too few runs to tell
)

// Options are the thresholds. Zero fields mean the defaults.
type Options struct {
	Failures int // failures in a row that are a break and no flake; 3
	MinRuns  int // runs needed to call a test passing; 3
	Newest   int // runs of each job that count; 100
}

func (o Options) withDefaults() Options {
	if o.Failures <= 0 {
		o.Failures = 3
	}
	if o.MinRuns <= 0 {
		o.MinRuns = 3
	}
	if o.Newest <= 0 {
		o.Newest = 100
	}
	return o
}

// Judgement is what the runs of a test in one job say together.
type Judgement struct {
	State State `json:"state"`
	// Why is one sentence on how the state was decided.
	Why    string `json:"why"`
	Runs   int    `json:"runs"` // that are over
	Passes int    `json:"passes"`
	Fails  int    `json:"fails"` // runs that failed, flakes among them
	// Flakes are the runs that failed, or passed only on another try, without
	// being part of a break; Proven are those of them whose very commit passed,
	// too.
	Flakes    int  `json:"flakes"`
	Proven    int  `json:"proven_flakes"`
	PassRate  Rate `json:"pass_rate"`
	FlakeRate Rate `json:"flake_rate"`
	// Streak counts the newest runs with the same outcome: positive for passes,
	// negative for failures.
	Streak int `json:"streak"`
	// FirstBad is the oldest run of the failures that go on now, LastGood the
	// newest pass before it, LastPass the newest pass of all.
	FirstBad *Result `json:"first_bad,omitempty"`
	LastGood *Result `json:"last_good,omitempty"`
	LastPass *Result `json:"last_pass,omitempty"`
}

// Judge tells flaky from broken, by these rules:
//
//   - A failure whose commit also passed in the same job, or a build in which
//     the test did both, is a proven flake.
//   - Fewer than o.Failures failures between two passes are flakes, too: what
//     heals by itself was no break. (TestGrid's flakiness drops the longer ones
//     likewise.)
//   - Longer ones are a break, and count neither for nor against flakiness. A
//     test with a break that goes on is broken.
//   - Fewer failures that go on now may become either: they count as neither.
//   - A failure of a change may be the change's own fault, so in presubmits only
//     proven flakes count. A presubmit's test is broken when it failed in the
//     newest runs of as many different changes as make a break.
func Judge(s Series, o Options) Judgement {
	o = o.withDefaults()
	var done []Result
	for _, r := range s.Results {
		if r.done() && len(done) < o.Newest {
			done = append(done, r)
		}
	}
	j := Judgement{Runs: len(done)}
	for i, r := range done {
		switch {
		case r.Outcome.Passing():
			j.Passes++
			if j.LastPass == nil {
				j.LastPass = &done[i]
			}
		case r.Outcome.Failing():
			j.Fails++
		}
	}
	j.Streak = streak(done)
	if s.Source.Presubmit {
		j.judgeChanges(done, o)
	} else {
		j.judgeBranch(done, o)
	}
	j.PassRate = RateOf(j.Passes, j.Runs)
	return j
}

func streak(done []Result) int {
	n := 0
	for _, r := range done {
		switch {
		case r.Outcome.Passing() && n >= 0:
			n++
		case r.Outcome.Failing() && n <= 0:
			n--
		default:
			return n
		}
	}
	return n
}

// content is what was tested; a result that names no commit stands alone.
func content(r Result, at int) string {
	if r.Commit == "" {
		return fmt.Sprint("build ", at)
	}
	return r.Pull + " " + r.Commit
}

// passed is the contents that have a pass.
func passed(done []Result) map[string]bool {
	m := map[string]bool{}
	for i, r := range done {
		if r.Outcome.Passing() || r.Outcome == grid.Flake {
			m[content(r, i)] = true
		}
	}
	return m
}

func (j *Judgement) judgeBranch(done []Result, o Options) {
	healthy := passed(done)
	open := 0 // failures that go on now and are part of a break, or may become one
	for i := 0; i < len(done); {
		switch {
		case done[i].Outcome == grid.Flake:
			j.Flakes++
			j.Proven++
			i++
		case done[i].Outcome.Passing():
			i++
		default:
			end, proven, first := i, 0, i
			for ; end < len(done) && done[end].Outcome.Failing(); end++ {
				if healthy[content(done[end], end)] {
					proven++
				} else {
					first = end
				}
			}
			j.Proven += proven
			unproven := end - i - proven
			switch {
			case unproven >= o.Failures: // a break; only what is proven is a flake
				j.Flakes += proven
			case i > 0 && end < len(done):
				j.Flakes += end - i
			default: // it goes on, or began before what we know of
				j.Flakes += proven
			}
			if i == 0 && unproven > 0 {
				open = unproven
				j.FirstBad = &done[first]
				if end < len(done) {
					j.LastGood = firstPass(done[end:])
				}
			}
			i = end
		}
	}
	j.FlakeRate = RateOf(j.Flakes, j.Passes+j.Flakes)
	j.decide(open, o)
}

func firstPass(results []Result) *Result {
	for i := range results {
		if results[i].Outcome.Passing() {
			return &results[i]
		}
	}
	return nil
}

func (j *Judgement) decide(open int, o Options) {
	switch {
	case j.Runs == 0:
		j.State, j.Why = Unknown, "it has no run that is over"
	case open >= o.Failures && j.LastGood != nil:
		j.State, j.Why = Broken, fmt.Sprintf("it failed in %s since build %s and passed in none", count(open, "run"), j.FirstBad.Build)
	case open >= o.Failures:
		j.State, j.Why = Broken, fmt.Sprintf("it failed in all of the %s that are known", count(open, "run"))
	case j.Proven > 0:
		j.State, j.Why = Flaky, fmt.Sprintf("the same commit passed and failed in %s", count(j.Proven, "run"))
	case j.Flakes > 0:
		j.State, j.Why = Flaky, fmt.Sprintf("it failed in %s and passed again by itself", count(j.Flakes, "run"))
	case open > 0:
		j.State, j.Why = Unknown, fmt.Sprintf("it failed in the newest %s: %d in a row would be a break, a pass of the same commit a flake", count(open, "run"), o.Failures)
	case j.Runs < o.MinRuns:
		j.State, j.Why = Unknown, fmt.Sprintf("it has %s: %d would tell", count(j.Runs, "run"), o.MinRuns)
	default:
		j.State, j.Why = Passing, fmt.Sprintf("none of %s failed without a cause", count(j.Runs, "run"))
	}
	if j.Proven == 0 && j.Flakes == 0 && j.State == Passing && j.Fails == 0 {
		j.Why = fmt.Sprintf("it passed in all of %s", count(j.Runs, "run"))
	}
}

func (j *Judgement) judgeChanges(done []Result, o Options) {
	healthy := passed(done)
	failing := map[string]bool{} // changes whose failures are the newest runs of all
	going := true
	for i, r := range done {
		flaked := r.Outcome == grid.Flake || r.Outcome.Failing() && healthy[content(r, i)]
		switch {
		case flaked:
			j.Flakes++
			j.Proven++
			going = false
		case r.Outcome.Failing() && going:
			failing[r.Pull] = true
			j.FirstBad = &done[i]
		case r.Outcome.Passing() && going:
			going = false
			j.LastGood = &done[i]
		}
	}
	j.FlakeRate = RateOf(j.Flakes, j.Passes+j.Flakes)
	if len(failing) >= o.Failures {
		j.State, j.Why = Broken, fmt.Sprintf("it failed in the newest runs of %d different changes", len(failing))
		return
	}
	j.FirstBad, j.LastGood = nil, nil // the fault of one change is no break of the test
	switch {
	case j.Proven == 0 && j.Runs >= o.MinRuns && j.Passes > 0:
		j.State, j.Why = Passing, fmt.Sprintf("no commit both passed and failed in %s", count(j.Runs, "run"))
	case j.Proven == 0 && j.Runs > 0:
		j.State, j.Why = Unknown, fmt.Sprintf("it has %s of changes, which may fail by their own fault", count(j.Runs, "run"))
	default:
		j.decide(0, o)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
