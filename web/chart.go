package web

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"seaworthy/grid"
)

// A chart is drawn in these units and scales with the page.
const (
	chartWidth  = 960.0
	chartHeight = 220.0
	chartLeft   = 64.0
	chartRight  = 12.0
	chartTop    = 14.0
	chartBottom = 28.0
)

// point is a metric's value in one build.
type point struct {
	Build   string
	Started time.Time
	Value   float64
	Status  grid.Outcome
	Link    string
}

// chart is a graph of a metric: a template turns it into SVG.
type chart struct {
	Name   string
	Says   string // the numbers in words, for whoever does not see the picture
	Ticks  []tick
	Days   []tick
	Dots   []dot
	Radius float64
	Line   string // the points joined, as an SVG path
	Median float64
	Middle string // what the median is
}

type tick struct {
	At    float64
	Label string
}

type dot struct {
	X, Y  float64
	Class string
	Title string
	Link  string
}

// unit is how the values of a metric are written.
type unit struct {
	scale float64
	name  string
}

// unitOf picks a unit that keeps numbers short: durations, which come in
// minutes, become seconds, minutes or hours by their size.
func unitOf(metric string, most float64) unit {
	if metric != grid.Elapsed {
		return unit{1, ""}
	}
	switch {
	case most < 1.0/60:
		return unit{60_000, " ms"}
	case most < 2:
		return unit{60, " s"}
	case most < 120:
		return unit{1, " min"}
	}
	return unit{1.0 / 60, " h"}
}

func (u unit) write(v float64) string {
	v *= u.scale
	digits := 0
	switch size := math.Abs(v); {
	case size == 0 || size >= 100:
	case size >= 10:
		digits = 1
	case size >= 0.1:
		digits = 2
	default:
		return strconv.FormatFloat(v, 'g', 3, 64) + u.name
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + u.name
}

// absurd is beyond what any metric measures, and what a drawing can hold.
const absurd = 1e15

// newChart draws points that go from the oldest build to the newest, evenly
// spaced: builds matter here, not the nights between them. Values that are no
// numbers, or absurd, are left out.
func newChart(name, metric string, points []point) chart {
	points = slices.DeleteFunc(slices.Clone(points), func(p point) bool { return !(math.Abs(p.Value) < absurd) })
	c := chart{Name: name}
	if len(points) == 0 {
		c.Says = "no values"
		return c
	}
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = p.Value
	}
	slices.Sort(values)
	low, high := min(0, values[0]), max(0, values[len(values)-1])
	u := unitOf(metric, math.Max(math.Abs(low), math.Abs(high)))
	steps := niceSteps(low*u.scale, high*u.scale)
	low, high = steps[0]/u.scale, steps[len(steps)-1]/u.scale
	y := func(v float64) float64 {
		return chartTop + (chartHeight-chartTop-chartBottom)*(1-(v-low)/(high-low))
	}
	x := func(i int) float64 {
		if len(points) == 1 {
			return (chartLeft + chartWidth - chartRight) / 2
		}
		return chartLeft + 6 + (chartWidth-chartLeft-chartRight-12)*float64(i)/float64(len(points)-1)
	}
	for _, s := range steps {
		c.Ticks = append(c.Ticks, tick{y(s / u.scale), strconv.FormatFloat(s, 'g', 6, 64) + u.name})
	}
	c.Days = dayTicks(points, x)
	c.Radius = 3.2
	if len(points) > 100 {
		c.Radius = 2.4
	}
	median := percentile(values, 0.5)
	c.Median, c.Middle = y(median), u.write(median)
	for i, p := range points {
		verb := "L"
		if i == 0 {
			verb = "M"
		}
		c.Line += fmt.Sprintf("%s%.1f %.1f", verb, x(i), y(p.Value))
		c.Dots = append(c.Dots, dot{X: x(i), Y: y(p.Value), Class: dotClass(p.Status), Link: p.Link,
			Title: fmt.Sprintf("%s in build %s, %s (%s)", u.write(p.Value), p.Build, p.Started.UTC().Format("2 Jan 2006 15:04 UTC"), outcomeWord(p.Status))})
	}
	newest := points[len(points)-1]
	c.Says = fmt.Sprintf("%s: median %s, nine of ten within %s, from %s to %s; newest %s", plural(len(points), "build", "builds"),
		u.write(median), u.write(percentile(values, 0.9)), u.write(values[0]), u.write(values[len(values)-1]), u.write(newest.Value))
	return c
}

func dotClass(o grid.Outcome) string {
	switch {
	case o.Passing():
		return "dot-pass"
	case o.Failing():
		return "dot-fail"
	}
	return "dot-flake"
}

// dayTicks labels the first build of a day, as many as there is room for.
func dayTicks(points []point, x func(int) float64) []tick {
	var all []tick
	last, room := "", math.Inf(-1)
	for i, p := range points {
		day := p.Started.UTC().Format("2 Jan")
		if day == last {
			continue
		}
		last = day
		if at := x(i); at-room >= 56 && at < chartWidth-30 {
			all = append(all, tick{at, day})
			room = at
		}
	}
	return all
}

// percentile of sorted values, between neighbours where it falls between two.
func percentile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (sorted[i+1]-sorted[i])*(at-float64(i))
}

// niceSteps are a few round numbers that enclose a range which holds zero.
func niceSteps(low, high float64) []float64 {
	if high-low < 1e-12 {
		high = low + 1
	}
	raw := (high - low) / 4
	size := math.Pow(10, math.Floor(math.Log10(raw)))
	step := size * 10
	for _, m := range []float64{1, 2, 2.5, 5} {
		if raw <= m*size {
			step = m * size
			break
		}
	}
	first, last := math.Floor(low/step), math.Ceil(high/step)
	var all []float64
	for n := first; n <= last; n++ {
		all = append(all, n*step)
	}
	return all
}
