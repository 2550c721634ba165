package grid

import (
	"math"
	"slices"
	"time"
)

// Series is a metric of a test over its builds, kept for the builds that have a
// value.
type Series struct {
	Name string `json:"name"`
	// Spans are the columns with a value, from the oldest to the newest, and
	// Values theirs, one after the other.
	Spans  []Span    `json:"spans"`
	Values []float32 `json:"values"`
}

// Span is a stretch of columns. At counts from the oldest one, which is 0.
type Span struct {
	At    int `json:"at"`
	Count int `json:"count"`
}

// find returns the first span that ends after a column, and how many values
// are in those before it.
func (s *Series) find(at int) (span, values int) {
	last := len(s.Spans) - 1
	if last >= 0 && s.Spans[last].At+s.Spans[last].Count <= at {
		return last + 1, len(s.Values)
	}
	for i, p := range s.Spans {
		if at < p.At+p.Count {
			return i, values
		}
		values += p.Count
	}
	return len(s.Spans), values
}

// Value returns the value in a column, counted from the oldest, and false if
// it has none.
func (s *Series) Value(at int) (float32, bool) {
	i, before := s.find(at)
	if i == len(s.Spans) || at < s.Spans[i].At {
		return 0, false
	}
	return s.Values[before+at-s.Spans[i].At], true
}

// put sets the value of a column.
func (s *Series) put(at int, v float32) {
	i, before := s.find(at)
	if i < len(s.Spans) && s.Spans[i].At <= at {
		s.Values[before+at-s.Spans[i].At] = v
		return
	}
	s.Values = slices.Insert(s.Values, before, v)
	joins := i < len(s.Spans) && s.Spans[i].At == at+1
	switch {
	case i > 0 && s.Spans[i-1].At+s.Spans[i-1].Count == at:
		s.Spans[i-1].Count++
		if joins {
			s.Spans[i-1].Count += s.Spans[i].Count
			s.Spans = slices.Delete(s.Spans, i, i+1)
		}
	case joins:
		s.Spans[i].At--
		s.Spans[i].Count++
	default:
		s.Spans = slices.Insert(s.Spans, i, Span{at, 1})
	}
}

// remove drops the value of a column, if it has one.
func (s *Series) remove(at int) {
	i, before := s.find(at)
	if i == len(s.Spans) || at < s.Spans[i].At {
		return
	}
	p := s.Spans[i]
	s.Values = slices.Delete(s.Values, before+at-p.At, before+at-p.At+1)
	parts := []Span{{p.At, at - p.At}, {at + 1, p.At + p.Count - at - 1}}
	parts = slices.DeleteFunc(parts, func(p Span) bool { return p.Count == 0 })
	s.Spans = slices.Replace(s.Spans, i, i+1, parts...)
}

// shift moves the values of columns from one on. When they move up, a column
// without a value is left there; when they move down, the one below has none.
func (s *Series) shift(from, by int) {
	i, _ := s.find(from)
	if i == len(s.Spans) {
		return
	}
	if p := s.Spans[i]; by > 0 && p.At < from {
		s.Spans = slices.Insert(s.Spans, i+1, Span{from, p.At + p.Count - from})
		s.Spans[i].Count = from - p.At
		i++
	}
	for k := i; k < len(s.Spans); k++ {
		s.Spans[k].At += by
	}
	if i > 0 && s.Spans[i-1].At+s.Spans[i-1].Count == s.Spans[i].At {
		s.Spans[i-1].Count += s.Spans[i].Count
		s.Spans = slices.Delete(s.Spans, i, i+1)
	}
}

// trim drops the values of the oldest columns. Those that are left stay where
// they are.
func (s *Series) trim(columns int) {
	i, before := s.find(columns)
	s.Spans = slices.Clone(s.Spans[i:])
	if len(s.Spans) > 0 && s.Spans[0].At < columns {
		gone := columns - s.Spans[0].At
		s.Spans[0] = Span{columns, s.Spans[0].Count - gone}
		before += gone
	}
	s.Values = slices.Clone(s.Values[before:])
}

func (s Series) copied() Series {
	s.Spans = slices.Clone(s.Spans)
	s.Values = append(make([]float32, 0, len(s.Values)+len(s.Values)/8+1), s.Values...)
	return s
}

// Point is a value of a metric in one build.
type Point struct {
	Build   string    `json:"build"`
	Started time.Time `json:"started"`
	// Column counts from the newest, which is 0.
	Column int     `json:"column"`
	Value  float64 `json:"value"`
}

// Points returns the values of a metric of a row, from the oldest to the
// newest, for a graph; none if the row has no such metric.
func (g *Grid) Points(r *Row, metric string) []Point {
	s := r.Metric(metric)
	if s == nil {
		return nil
	}
	points := make([]Point, 0, len(s.Values))
	next := 0
	for _, p := range s.Spans {
		for at := p.At; at < p.At+p.Count; at++ {
			column := len(g.Columns) - 1 - at
			c := &g.Columns[column]
			points = append(points, Point{Build: c.Build, Started: c.Started, Column: column, Value: float64(s.Values[next])})
			next++
		}
	}
	return points
}

// Band is how the values of a metric spread over rows in one build.
type Band struct {
	Build   string    `json:"build"`
	Started time.Time `json:"started"`
	Column  int       `json:"column"`
	// Rows have a value. Values are in order of the percentiles asked for.
	Rows   int       `json:"rows"`
	Values []float64 `json:"values"`
}

// Percentiles returns how the values of a metric spread over the rows, for each
// build in which any of them has one, from the oldest to the newest.
// Percentiles go from 0 to 100; the nearest value at or above each is taken.
func (g *Grid) Percentiles(rows []*Row, metric string, percentiles ...float64) []Band {
	values := make([][]float32, len(g.Columns)) // by column from the oldest
	for _, r := range rows {
		s := r.Metric(metric)
		if s == nil {
			continue
		}
		next := 0
		for _, p := range s.Spans {
			for at := p.At; at < p.At+p.Count; at++ {
				values[at] = append(values[at], s.Values[next])
				next++
			}
		}
	}
	var bands []Band
	for at, v := range values {
		if len(v) == 0 {
			continue
		}
		slices.Sort(v)
		column := len(g.Columns) - 1 - at
		b := Band{Build: g.Columns[column].Build, Started: g.Columns[column].Started, Column: column, Rows: len(v)}
		for _, p := range percentiles {
			rank := int(math.Ceil(p / 100 * float64(len(v))))
			b.Values = append(b.Values, float64(v[min(max(rank-1, 0), len(v)-1)]))
		}
		bands = append(bands, b)
	}
	return bands
}

// Metrics returns the names of all metrics in the grid, in order.
func (g *Grid) Metrics() []string {
	seen := map[string]bool{}
	var names []string
	for _, r := range g.Rows {
		for i := range r.Metrics {
			if n := r.Metrics[i].Name; !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	return names
}
