package grid

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// How long the message of a cell may be, in bytes: as it is shown, and as the
// grid keeps it.
const (
	maxShown = 140
	maxKept  = 512
)

// mostSuffixes is how many rows a duplicate name gets before the overflow.
const mostSuffixes = 20

// filled is a cell with all that a row keeps of it.
type filled struct {
	Cell
	property string
	minutes  float32 // 0 if not known
	metrics  []metric
}

type metric struct {
	name  string
	value float32
}

// overall is the verdict on a build; failed says that a test of it failed. As
// in TestGrid, results that cannot be read come before all else: whatever the
// build says of itself, something of it is not seen. A build that does not say
// when it began counts as running until it ends, since nobody knows for how
// long.
func overall(b Build, failed bool, now time.Time) filled {
	var c filled
	switch {
	case b.Malformed != "":
		c.Cell = Cell{Fail, "E", "Malformed artifacts: " + b.Malformed}
	case b.Finished.IsZero() && !b.Started.IsZero() && now.After(b.deadline()):
		c.Cell = Cell{Fail, "T", "Build did not complete within 24 hours"}
	case b.Finished.IsZero():
		c.Cell = Cell{Running, "R", "Build still running..."}
	case b.Passed:
		c.Cell = Cell{Status: Pass}
	case b.Result == "ABORTED":
		c.Cell = Cell{Fail, "F", "Build was aborted"}
	case failed:
		c.Cell = Cell{Status: Fail}
	default:
		c.Cell = Cell{Fail, "F", "Build failed outside of test results"}
	}
	if !b.Started.IsZero() && b.Finished.After(b.Started) {
		c.minutes = float32(b.Finished.Sub(b.Started).Minutes())
	}
	return c
}

// What TestGrid says of pods.
const (
	podMissing     = "podinfo.json not found in job artifacts (has not uploaded, or Prow's GCS reporter is not enabled)."
	podUndecorated = "Decoration is not enabled; set `decorate: true` on Prowjob."
)

// pod is how the pod of a build fared; false if there is nothing to say yet.
func pod(b Build, verdict Outcome, now time.Time) (Cell, bool) {
	switch {
	case b.Pod == nil && verdict == Running:
		return Cell{}, false
	case b.Pod == nil && now.Before(b.deadline()):
		return Cell{Running, "!", podMissing}, true
	case b.Pod == nil:
		return Cell{PassWithSkips, "!", podMissing}, true
	case !b.Pod.Passed:
		return Cell{Fail, "F", b.Pod.Message}, true
	case !b.Pod.Decorated:
		return Cell{Pass, "E", orElse(b.Pod.Message, podUndecorated)}, true
	}
	return Cell{Pass, "", b.Pod.Message}, true
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// one makes the cell of a test that ran once.
func (s *Settings) one(t ran) filled {
	c := filled{Cell: Cell{Status: t.outcome}}
	if t.Duration > 0 {
		c.minutes = float32(t.Duration.Minutes())
	}
	switch {
	case t.outcome == PassWithSkips:
		c.Icon, c.Message = "S", t.Message
	case !t.outcome.Passing():
		if c.Message = t.Message; c.Message != "" {
			c.Icon = "F"
		}
	case !t.Status.Passing(): // a rule lets it pass
		c.Message = t.Message
	}
	if len(t.Metrics) > 0 {
		for _, name := range slices.Sorted(maps.Keys(t.Metrics)) {
			if v := t.Metrics[name]; !math.IsNaN(v) && !math.IsInf(v, 0) {
				c.metrics = append(c.metrics, metric{name, float32(v)})
			}
		}
	}
	if len(t.Properties) > 0 {
		c.property = t.Properties[s.UserProperty]
		for _, a := range s.Annotations {
			if _, ok := t.Properties[a.Property]; ok {
				c.Icon = a.Text
				break
			}
		}
	}
	s.shortText(&c)
	return c
}

// shortText makes the metric that is asked for the icon.
func (s *Settings) shortText(c *filled) {
	switch {
	case s.ShortText == "":
		return
	case s.ShortText == Elapsed && c.minutes > 0:
		c.Icon = strconv.FormatFloat(float64(c.minutes), 'g', 4, 32)
	}
	for _, m := range c.metrics {
		if m.name == s.ShortText {
			c.Icon = strconv.FormatFloat(float64(m.value), 'g', 4, 32)
		}
	}
}

// merge makes one cell of the runs of one test in a build. Runs that pass and
// fail make it flaky, as a test does that was tried again. TestGrid says so
// even if the runs come from different JUnit files, that is from different
// processes or suites, and thereby hides real failures; here a test that failed
// in every run of one file has failed. The icon tells how many runs passed.
func (s *Settings) merge(runs []ran) filled {
	if len(runs) == 1 {
		return s.one(runs[0])
	}
	var out filled
	var passed, failed, lost, timed int // lost: files without a run that passed
	var minutes float64
	var why, told string
	sums := map[string][]float32{}
	file, inFile := "", [2]int{}
	endFile := func() {
		if inFile[1] > 0 && inFile[0] == 0 {
			lost++
		}
		inFile = [2]int{}
	}
	for _, t := range runs {
		c := s.one(t)
		if t.outcome.Severity() > out.Status.Severity() {
			out.Status = t.outcome
		}
		if t.File != file {
			endFile()
			file = t.File
		}
		switch {
		case t.outcome.Passing():
			passed++
			inFile[0]++
			told = orElse(told, c.Message)
		case t.outcome.Failing():
			failed++
			inFile[1]++
			why = orElse(why, c.Message)
		}
		if c.minutes > 0 {
			timed++
			minutes += float64(c.minutes)
		}
		for _, m := range c.metrics {
			sums[m.name] = append(sums[m.name], m.value)
		}
		out.property = orElse(out.property, c.property)
	}
	endFile()
	if passed > 0 && failed > 0 && lost == 0 {
		out.Status = Flake
	}
	out.Icon = strconv.Itoa(passed) + "/" + strconv.Itoa(len(runs))
	out.Message = out.Icon + " runs passed"
	if message := orElse(why, told); message != "" {
		out.Message += ": " + message
	}
	if timed > 0 {
		out.minutes = float32(minutes / float64(timed))
	}
	out.metrics = means(sums)
	s.shortText(&out)
	return out
}

func means(values map[string][]float32) []metric {
	var out []metric
	for _, name := range slices.Sorted(maps.Keys(values)) {
		sum := 0.0
		for _, v := range values[name] {
			sum += float64(v)
		}
		out = append(out, metric{name, float32(sum / float64(len(values[name])))})
	}
	return out
}

// shorten cuts the middle out of a message longer than most bytes.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const gap = "…"
	half := (most - len(gap)) / 2
	head, tail := half, len(s)-half
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + gap + s[tail:]
}

// clean makes a message fit to be kept.
func clean(s string) string {
	return shorten(strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD"), maxKept)
}
