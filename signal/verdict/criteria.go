package verdict

import (
	"fmt"
	"strings"
	"time"

	"seaworthy/grid/history"
)

// Result of a criterion.
type Result string

// Results of a criterion.
const (
	Met     Result = "met"
	Missed  Result = "missed"
	Unclear Result = "unclear" // too few runs to tell
)

// Criterion is one thing that a blocking job must be, from Kubernetes'
// release-blocking-jobs.md.
type Criterion struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Value  string `json:"value"`
	Limit  string `json:"limit"`
	// Evidence says what the value was taken from.
	Evidence string `json:"evidence"`
}

const week = 7 * 24 * time.Hour

// fewest runs that a criterion over a week is told from.
const fewest = 3

// criteria judges a blocking job on a branch of an age.
func (r Rules) criteria(t Tab, f facts, at time.Time, age int) []Criterion {
	recent := f.since(at.Add(-week))
	return []Criterion{
		r.duration(recent, age), r.interval(f, recent, at, age), r.passRate(recent, age), r.inARow(f, age), onOneCommit(f, r.Greens),
		said("owner", t.Owner, "somebody who answers for it", "the configuration of owners and of the job"),
		said("alert mail", strings.Join(t.Mails, ", "), "an address", "the tab's and the job's configuration"),
		said("description", t.Description, "a reason to be here", "the tab's and the job's configuration"),
	}
}

func said(name, value, limit, evidence string) Criterion {
	c := Criterion{Name: name, Result: Met, Value: value, Limit: limit, Evidence: evidence}
	if strings.TrimSpace(value) == "" {
		c.Result, c.Value = Missed, "none"
	}
	return c
}

// told settles a criterion over a week's runs.
func told(c Criterion, n int, met bool) Criterion {
	c.Evidence = fmt.Sprintf("%s in the last 7 days", count(n, "run"))
	switch {
	case n < fewest:
		c.Result = Unclear
	case met:
		c.Result = Met
	default:
		c.Result = Missed
	}
	return c
}

func (r Rules) duration(recent []run, age int) Criterion {
	var took []time.Duration
	for _, x := range recent {
		if x.Duration > 0 {
			took = append(took, x.Duration)
		}
	}
	limit, value := byAge(r.Duration, age), history.Percentile(took, 75)
	c := Criterion{Name: "duration", Value: minutes(value), Limit: "at most " + minutes(limit)}
	return told(c, len(took), value <= limit)
}

// interval is the median time between the starts of two runs, or the time since
// the newest one if that is more than twice the limit: a job that has stopped
// running does not keep its good name for a week.
func (r Rules) interval(f facts, recent []run, at time.Time, age int) Criterion {
	limit := byAge(r.Interval, age)
	var between []time.Duration
	for i := 1; i < len(recent); i++ {
		between = append(between, recent[i-1].Started.Sub(recent[i].Started))
	}
	value := history.Percentile(between, 50)
	c := Criterion{Name: "interval", Limit: "at most " + minutes(limit)}
	if len(f.runs) > 0 {
		if silent := at.Sub(f.runs[0].Started); silent > 2*limit && silent > value {
			c.Value, c.Result = minutes(silent), Missed
			c.Evidence = fmt.Sprintf("the newest run, build %s, started %s", f.runs[0].Build, stamp(f.runs[0].Started))
			return c
		}
	}
	c.Value = minutes(value)
	// A clock that strikes every three hours is late by seconds at times.
	return told(c, len(recent), value <= limit+limit/20)
}

func (r Rules) passRate(recent []run, age int) Criterion {
	passed := 0
	for _, x := range recent {
		if x.green {
			passed++
		}
	}
	limit, rate := byAge(r.PassRate, age), history.RateOf(passed, len(recent))
	c := Criterion{Name: "pass rate", Value: fmt.Sprintf("%.1f %%", rate.Percent), Limit: fmt.Sprintf("at least %g %%", limit)}
	return told(c, len(recent), rate.Percent >= limit)
}

func (r Rules) inARow(f facts, age int) Criterion {
	limit, most, n := byAge(r.InARow, age), 0, 0
	for _, x := range f.runs {
		n++
		if x.green {
			n = 0
		}
		most = max(most, n)
	}
	c := Criterion{Name: "failures in a row", Result: Met, Value: fmt.Sprint(most), Limit: fmt.Sprintf("at most %d", limit), Evidence: "all of " + count(len(f.runs), "run")}
	switch {
	case most > limit:
		c.Result = Missed
	case len(f.runs) < fewest:
		c.Result = Unclear
	}
	return c
}

// onOneCommit asks whether the job can pass several times in a row on one
// commit. Where no commit was run as often, nothing can be said.
func onOneCommit(f facts, greens int) Criterion {
	most, ran, green, all := 0, 0, 0, 0
	for i, x := range f.runs {
		if i == 0 || x.Commit != f.runs[i-1].Commit || x.Commit == "" {
			green, all = 0, 0
		}
		all++
		green++
		if !x.green {
			green = 0
		}
		most, ran = max(most, green), max(ran, all)
	}
	c := Criterion{Name: "passes of one commit in a row", Result: Met, Value: fmt.Sprint(most), Limit: fmt.Sprintf("at least %d", greens), Evidence: fmt.Sprintf("the most runs of one commit: %d", ran)}
	switch {
	case most >= greens:
	case ran < greens:
		c.Result = Unclear
	default:
		c.Result = Missed
	}
	return c
}

func minutes(d time.Duration) string {
	d = d.Round(time.Minute)
	if d < 3*time.Hour {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
