package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"seaworthy/grid"
)

// A page draws at most this many graphs, and lists this many tests by their
// size.
const (
	mostCharts = 12
	mostRanked = 50
)

type graphPage struct {
	Crumbs   []link
	Heading  string
	Sentence string
	Metrics  []choice
	Include  string
	Tests    []string
	Problem  string
	Charts   []chart
	Empty    string
	Ranking  string
	Slowest  []ranked
}

// choice is one value of a select.
type choice struct {
	Value, Label string
	Current      bool
}

// ranked is one test among others, by the median of a metric.
type ranked struct {
	Name, Link         string
	Median, High, Most string
	Count              int
	median             float64
}

// graph is the page of a metric: of the tests asked for, else of the build as a
// whole, and the tests that have most of it.
func (s *Site) graph(find finder) func(*http.Request) (view, error) {
	return func(r *http.Request) (view, error) {
		u, err := find(r)
		if err != nil {
			return view{}, err
		}
		q := r.URL.Query()
		metric := cmp.Or(q.Get("metric"), grid.Elapsed)
		p := graphPage{Crumbs: append(u.crumbs, link{u.name, u.base}), Include: q.Get("include"), Tests: q["test"], Heading: metricName(metric) + " of " + u.name}
		p.Sentence = "Each point is a build and leads to it. The dashed line is the median."
		for _, name := range u.grid.Metrics() {
			p.Metrics = append(p.Metrics, choice{name, metricName(name), name == metric})
		}
		shows, err := matcher(p.Include)
		if err != nil {
			p.Problem = sentence(err)
			shows = func(string) bool { return true }
		}
		p.Empty = fmt.Sprintf("No build has a value of %s.", metricName(metric))
		p.draw(u, metric, shows)
		p.rank(u, r, metric, shows)
		return view{page: "graph", Title: p.Heading, Nav: "signal", Topics: "runs", Data: p}, nil
	}
}

// metricName says a metric as a person would.
func metricName(metric string) string {
	if metric == grid.Elapsed {
		return "Duration"
	}
	return metric
}

// draw makes the charts: of the tests named; without any, of the build, and of
// the tests that match if there are few.
func (p *graphPage) draw(u subject, metric string, shows func(string) bool) {
	var rows []*grid.Row
	switch {
	case len(p.Tests) > 0:
		for _, name := range p.Tests {
			if row := u.grid.Row(name); row != nil && !slices.Contains(rows, row) {
				rows = append(rows, row)
			}
		}
		p.Empty = "The grid has no test of this name."
	case p.Include != "":
		for _, row := range u.grid.Rows {
			if shows(row.Name) && row.Metric(metric) != nil {
				rows = append(rows, row)
			}
		}
	default:
		if row := u.grid.Row(u.grid.Overall()); row != nil {
			rows = append(rows, row)
		}
	}
	for _, row := range rows[:min(len(rows), mostCharts)] {
		if c := newChart(row.Name, metric, u.points(row, metric)); len(c.Dots) > 0 {
			p.Charts = append(p.Charts, c)
		}
	}
	if len(rows) > mostCharts {
		p.Sentence += fmt.Sprintf(" These are the first %d of %d tests.", mostCharts, len(rows))
	}
}

func (u subject) points(row *grid.Row, metric string) []point {
	cells := row.Cells()
	var points []point
	for _, v := range u.grid.Points(row, metric) {
		points = append(points, point{Build: v.Build, Started: v.Started, Value: v.Value, Status: cells[v.Column].Status, Link: u.openLink(v.Build, row.Name)})
	}
	return points
}

// rank lists the tests with the highest medians.
func (p *graphPage) rank(u subject, r *http.Request, metric string, shows func(string) bool) {
	var all []ranked
	high := map[string][3]float64{}
	most := 0.0
	for _, row := range u.grid.Rows {
		series := row.Metric(metric)
		if series == nil || len(series.Values) == 0 || row.Name == u.grid.Overall() || !shows(row.Name) {
			continue
		}
		values := make([]float64, len(series.Values))
		for i, v := range series.Values {
			values[i] = float64(v)
		}
		slices.Sort(values)
		three := [3]float64{percentile(values, 0.5), percentile(values, 0.9), values[len(values)-1]}
		high[row.Name] = three
		most = max(most, three[2])
		q := url.Values{"metric": {metric}, "test": {row.Name}}
		all = append(all, ranked{Name: row.Name, Link: "?" + q.Encode(), Count: len(values), median: three[0]})
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(b.median, a.median) })
	p.Ranking = fmt.Sprintf("%s, highest median first", plural(len(all), "test", "tests"))
	if len(all) > mostRanked {
		p.Ranking = fmt.Sprintf("The %d tests of %d with the highest median", mostRanked, len(all))
		all = all[:mostRanked]
	}
	for i, a := range all {
		three := high[a.Name]
		write := func(v float64) string { return unitOf(metric, v).write(v) }
		all[i].Median, all[i].High, all[i].Most = write(three[0]), write(three[1]), write(three[2])
	}
	p.Slowest = all
}
