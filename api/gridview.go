package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
)

// healthSummary is TestGrid's HealthinessSummary.
type (
	healthSummary struct {
		Top   []flakyTest `json:"top_flaky_tests"`
		Stats healthStats `json:"healthiness_stats"`
	}
	flakyTest struct {
		Name      string  `json:"display_name"`
		Flakiness float64 `json:"flakiness"`
		// Change is TestInfo.Trend: 0 unknown, 1 none, 2 flakier, 3 less flaky.
		Change int `json:"change,omitempty"`
	}
	healthStats struct {
		Start  *timestamp `json:"start,omitempty"`
		End    *timestamp `json:"end,omitempty"`
		Flaky  int        `json:"num_flaky_tests"`
		Mean   float64    `json:"average_flakiness"`
		Before float64    `json:"previous_flakiness"`
	}
)

func healthOf(h *grid.Health) *healthSummary {
	if h == nil {
		return nil
	}
	out := &healthSummary{Top: []flakyTest{}, Stats: healthStats{Start: seconds(h.From), End: seconds(h.To), Mean: h.Flakiness, Before: h.Before}}
	trends := []grid.Trend{grid.NoTrend, grid.Steady, grid.Up, grid.Down}
	for _, t := range h.Tests {
		if t.Flakiness > 0 {
			out.Top = append(out.Top, flakyTest{t.Test, t.Flakiness, max(slices.Index(trends, t.Trend), 0)})
		}
	}
	out.Stats.Flaky = len(out.Top)
	slices.SortStableFunc(out.Top, func(a, b flakyTest) int {
		switch {
		case a.Flakiness > b.Flakiness:
			return -1
		case a.Flakiness < b.Flakiness:
			return 1
		}
		return 0
	})
	out.Top = out.Top[:min(len(out.Top), topFailures)]
	return out
}

// tab is the tab as it is configured, and what it says.
func (o GridOptions) tab(r *http.Request) (any, error) {
	d, err := o.board(r, r.PathValue("dashboard"))
	if err != nil {
		return nil, err
	}
	t, err := o.summary(r, d.Name, r.PathValue("tab"))
	if err != nil {
		return nil, err
	}
	own, _ := d.Tab(t.Tab)
	return struct {
		dashboard.Tab
		Summary signal.TabSummary `json:"summary"`
	}{own, t}, nil
}

type header struct {
	Build   string     `json:"build"`
	Name    string     `json:"name"`
	Started *timestamp `json:"started,omitempty"`
	Extra   []string   `json:"extra,omitempty"`
}

// Windows of rows and columns unless asked otherwise, and at most.
const (
	rowWindow    = 100
	columnWindow = 60
	mostWindow   = 10_000
)

func (o GridOptions) headers(r *http.Request) (any, error) {
	g, _, _, err := o.Signal.TabGrid(r.Context(), r.PathValue("dashboard"), r.PathValue("tab"))
	if err != nil {
		return nil, err
	}
	q, err := windows(r.URL.Query(), grid.Query{})
	if err != nil {
		return nil, err
	}
	v := grid.Query{Columns: q.Columns, Rows: grid.Window{Count: 1}}.View(g)
	all := []header{}
	for _, c := range v.Columns {
		all = append(all, header{c.Build, c.Build, seconds(c.Started), c.Extra})
	}
	return map[string]any{"headers": all}, nil
}

// What rows answers, as ListRowsResponse.
type (
	row struct {
		Name  string     `json:"name"`
		Cells []cell     `json:"cells"`
		Alert *alertInfo `json:"alert,omitempty"`
	}
	cell struct {
		Result  int    `json:"result,omitempty"`
		CellID  string `json:"cell_id,omitempty"`
		Message string `json:"message,omitempty"`
		Icon    string `json:"icon,omitempty"`
	}
	// alertInfo is the part of state.AlertInfo that is known.
	alertInfo struct {
		Fails    int        `json:"fail_count"`
		First    string     `json:"fail_build_id"`
		FailTime *timestamp `json:"fail_time,omitempty"`
		Latest   string     `json:"latest_fail_build_id,omitempty"`
		Pass     string     `json:"pass_build_id,omitempty"`
		PassTime *timestamp `json:"pass_time,omitempty"`
		Message  string     `json:"failure_message,omitempty"`
	}
)

// rows answers every row of the tab, as TestGrid does; ours may be asked for
// in parts: from and rows, columns_from and columns.
func (o GridOptions) rows(r *http.Request) (any, error) {
	g, _, options, err := o.Signal.TabGrid(r.Context(), r.PathValue("dashboard"), r.PathValue("tab"))
	if err != nil {
		return nil, err
	}
	q, err := windows(r.URL.Query(), grid.Query{Include: options.Include, Exclude: options.Exclude, Stale: true})
	if err != nil {
		return nil, err
	}
	alerts := map[string]*alertInfo{}
	for _, a := range grid.Summarize(g, options, o.Now()).Alerts {
		alerts[a.Test] = &alertInfo{a.Fails, a.FirstFail.Build, seconds(a.FirstFail.Started), a.LatestFail.Build, a.LastPass.Build, seconds(a.LastPass.Started), a.Message}
	}
	// Every message is told.
	q.Messages = 1 << 40
	v := q.View(g)
	all := make([]row, 0, len(v.Rows))
	for _, x := range v.Rows {
		all = append(all, row{x.Name, cells(v, x), alerts[x.Name]})
	}
	return map[string]any{"rows": all}, nil
}

// cells spreads a row of a view out.
func cells(v grid.View, x grid.ViewRow) []cell {
	out := make([]cell, 0, len(v.Columns))
	for i := 0; i+1 < len(x.Runs); i += 2 {
		for range x.Runs[i+1] {
			out = append(out, cell{Result: x.Runs[i]})
		}
	}
	for i := 0; i+2 < len(x.Notes); i += 3 {
		c := &out[x.Notes[i]]
		c.Icon = v.Texts[x.Notes[i+1]]
		if n := x.Notes[i+2]; n >= 0 {
			c.Message = v.Texts[n]
		}
	}
	return out
}

// shownGrid is a part of a grid, and what the whole says.
type shownGrid struct {
	Dashboard string       `json:"dashboard"`
	Tab       string       `json:"tab"`
	Status    grid.Status  `json:"status"`
	Text      string       `json:"text"`
	Alert     string       `json:"alert,omitempty"`
	Alerts    []grid.Alert `json:"alerts"`
	Green     string       `json:"latest_green"`
	Reading   bool         `json:"reading,omitempty"`
	grid.View
}

// grid answers a part of a grid. In the query: include and exclude (regular
// expressions, repeatable, besides the tab's own), only=failures, stale=true,
// sort, group and pattern, from and rows, columns_from and columns.
func (o GridOptions) grid(r *http.Request) (any, error) {
	dash, tab := r.PathValue("dashboard"), r.PathValue("tab")
	g, t, options, err := o.Signal.TabGrid(r.Context(), dash, tab)
	if err != nil {
		return nil, err
	}
	q, err := query(r.URL.Query(), options)
	if err != nil {
		return nil, err
	}
	m := grid.Summarize(g, options, o.Now())
	board, err := o.board(r, dash)
	if err != nil {
		return nil, err
	}
	alerts := append([]grid.Alert{}, m.Alerts[:min(len(m.Alerts), rowWindow)]...)
	return shownGrid{board.Name, t.Name, m.Status, m.Text, m.Alert, alerts, m.LatestGreen, o.Signal.Reading(r.Context(), dash, tab), q.View(g)}, nil
}

// query reads what of a tab's grid is wanted.
func query(v url.Values, options grid.Options) (grid.Query, error) {
	var q grid.Query
	include, err := grid.Filters(v["include"]...)
	if err != nil {
		return q, badRequest(err)
	}
	exclude, err := grid.Filters(v["exclude"]...)
	if err != nil {
		return q, badRequest(err)
	}
	q.Include, q.Exclude = slices.Concat(options.Include, include), slices.Concat(options.Exclude, exclude)
	q.Recent = options.Recent
	switch only := v.Get("only"); only {
	case "", "failures":
		q.OnlyFailures = only != ""
	default:
		return q, refused{http.StatusBadRequest, "only=" + only + " is not known: write only=failures"}
	}
	if text := v.Get("stale"); text != "" {
		if q.Stale, err = strconv.ParseBool(text); err != nil {
			return q, refused{http.StatusBadRequest, "stale=" + text + " is neither true nor false"}
		}
	}
	if q.Sort, err = grid.ParseSort(v.Get("sort")); err != nil {
		return q, badRequest(err)
	}
	if q.Group, err = grid.ParseGrouping(v.Get("group"), v.Get("pattern")); err != nil {
		return q, badRequest(err)
	}
	q.Rows.Count, q.Columns.Count = rowWindow, columnWindow
	return windows(v, q)
}

// windows reads the part of rows and columns that is wanted.
func windows(v url.Values, q grid.Query) (grid.Query, error) {
	for name, into := range map[string]*int{"from": &q.Rows.From, "rows": &q.Rows.Count, "columns_from": &q.Columns.From, "columns": &q.Columns.Count} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return q, refused{http.StatusBadRequest, name + "=" + text + " is no number of rows or columns"}
		}
		*into = min(n, mostWindow)
	}
	return q, nil
}
