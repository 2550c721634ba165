package grid

import (
	"regexp"
	"strings"
	"time"
)

// Health is how reliable the tests of a grid were in an interval: TestGrid's
// healthiness report.
type Health struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Tests have at least one result in the interval that is not the fault of
	// the infrastructure, in the order of the rows.
	Tests []TestHealth `json:"tests"`
	// Flakiness is the mean of the tests', Before that of the interval before.
	Flakiness float64 `json:"average_flakiness"`
	Before    float64 `json:"previous_flakiness"`
}

// TestHealth is how reliable a test was.
type TestHealth struct {
	Test   string `json:"test"`
	Passed int    `json:"passed"`
	Failed int    `json:"failed"`
	Flaked int    `json:"flaked"`
	// Infra counts failures by the code of the infrastructure that is their
	// message; they are in none of the other counts.
	Infra map[string]int `json:"infra,omitempty"`
	// Flakiness is in percent: see flakiness.
	Flakiness float64 `json:"flakiness"`
	// Before is the flakiness in the interval before, nil without results there.
	Before *float64 `json:"previous_flakiness,omitempty"`
	Trend  Trend    `json:"trend"`
}

// Trend compares a flakiness with that of the interval before.
type Trend string

// Trends.
const (
	NoTrend Trend = "UNKNOWN" // no results before
	Steady  Trend = "NO_CHANGE"
	Up      Trend = "UP" // flakier than before
	Down    Trend = "DOWN"
)

// Healthiness looks at the builds that began in the Options.Health before now (7
// days if that is 0), and compares them with as long a time before. Every row
// counts that the options show, stale ones too. Unlike TestGrid's, a test whose
// runs were all flaky is in the report.
func Healthiness(g *Grid, o Options, now time.Time) Health {
	interval := o.Health
	if interval <= 0 {
		interval = 7 * 24 * time.Hour
	}
	from := now.Add(-interval)
	infra := regexp.MustCompile(`^\w+$`)
	var rows []*Row
	for _, r := range g.Rows {
		if !strings.Contains(r.Name, "@TESTGRID@") && o.shows(r.Name) {
			rows = append(rows, r)
		}
	}
	lost := g.lost()
	h := Health{From: from, To: now}
	earlier := map[string]float64{}
	sum := 0.0
	then, recent := g.between(from.Add(-interval), from.Add(-1)), g.between(from, now)
	for _, r := range rows {
		if x, ok := g.health(r, then, lost, infra); ok {
			earlier[r.Name] = x.Flakiness
			sum += x.Flakiness
		}
	}
	if len(earlier) > 0 {
		h.Before = sum / float64(len(earlier))
	}
	sum = 0
	for _, r := range rows {
		x, ok := g.health(r, recent, lost, infra)
		if !ok {
			continue
		}
		x.Trend = NoTrend
		if before, ok := earlier[r.Name]; ok {
			x.Before = &before
			x.Trend = trend(before, x.Flakiness)
		}
		sum += x.Flakiness
		h.Tests = append(h.Tests, x)
	}
	if len(h.Tests) > 0 {
		h.Flakiness = sum / float64(len(h.Tests))
	}
	return h
}

func trend(before, now float64) Trend {
	switch {
	case now < before:
		return Down
	case now > before:
		return Up
	}
	return Steady
}

// lost tells the columns in which no test passed, not even once: what fails
// there says nothing of a single test. With one row only there are none.
func (g *Grid) lost() []bool {
	lost := make([]bool, len(g.Columns))
	if len(g.Rows) <= 1 {
		return lost
	}
	good := make([]int32, len(g.Columns)+1)
	for _, r := range g.Rows {
		at := 0
		for _, run := range r.Runs {
			if run.Status.Passing() || run.Status == Flake {
				good[at]++
				good[at+run.Count]--
			}
			at += run.Count
		}
	}
	for i := range lost {
		if i > 0 {
			good[i] += good[i-1]
		}
		lost[i] = good[i] == 0
	}
	return lost
}

// between tells the columns that began from a time to another, both included.
func (g *Grid) between(from, to time.Time) []bool {
	in := make([]bool, len(g.Columns))
	for i := range in {
		c := g.Columns[i].Started
		in[i] = !c.IsZero() && !c.Before(from) && !c.After(to)
	}
	return in
}

// health looks at some of the builds of a row; false if none tells anything of
// the test.
func (g *Grid) health(r *Row, in, lost []bool, infra *regexp.Regexp) (TestHealth, bool) {
	h := TestHealth{Test: r.Name}
	seen := make([]Outcome, 0, len(in))
	at := 0
	for _, run := range r.Runs {
		begin := at
		at += run.Count
		if run.Status == NoResult || run.Status == Running {
			continue
		}
		for column := begin; column < at; column++ {
			if !in[column] {
				continue
			}
			switch s := run.Status; {
			case s.Passing():
				h.Passed++
				seen = append(seen, Pass)
			case s == Flake:
				h.Flaked++
				seen = append(seen, Flake)
			case s.Failing():
				if m := r.Note(column).Message; infra.MatchString(m) {
					if h.Infra == nil {
						h.Infra = map[string]int{}
					}
					h.Infra[m]++
					continue
				}
				h.Failed++
				if !lost[column] {
					seen = append(seen, Fail)
				}
			}
		}
	}
	h.Flakiness = flakiness(seen)
	return h, h.Passed+h.Failed+h.Flaked > 0
}

// steady is from how many failures in a row on a test is broken, not flaky.
const steady = 3

// flakiness is 100 × flips to failing / cells considered. A flaky cell is a flip
// of its own; three failures in a row or more are left out, since then the test
// is broken.
func flakiness(cells []Outcome) float64 {
	flips, considered := 0, 0
	passing := true // without a failure there is no flip
	for i := 0; i < len(cells); {
		n := 0
		for i+n < len(cells) && cells[i+n] == Fail {
			n++
		}
		if n >= steady {
			i += n
			continue
		}
		switch {
		case n > 0:
			if passing {
				flips++
			}
			passing = false
			considered += n
			i += n
			continue
		case cells[i] == Flake:
			flips++
		}
		passing = true
		considered++
		i++
	}
	if considered == 0 {
		return 0
	}
	return 100 * float64(flips) / float64(considered)
}
