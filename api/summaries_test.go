package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
	"seaworthy/signal"
)

// What a tab says of its health, its problem and that it is still being read.
func TestWhatASummaryTells(t *testing.T) {
	t.Parallel()
	from := now.Add(-7 * 24 * time.Hour)
	flaky := &grid.Health{From: from, To: now, Flakiness: 12.5, Before: 20, Tests: []grid.TestHealth{
		{Test: "steady", Flakiness: 0, Trend: grid.Steady}, {Test: "a", Flakiness: 5, Trend: grid.Down}, {Test: "b", Flakiness: 50, Trend: grid.Up}, {Test: "c", Flakiness: 5, Trend: grid.NoTrend},
		{Test: "d", Flakiness: 1, Trend: grid.Steady}, {Test: "e", Flakiness: 2, Trend: grid.Steady}, {Test: "f", Flakiness: 0.5, Trend: grid.Steady},
	}}
	var alerts []grid.Alert
	for i := range 7 {
		alerts = append(alerts, grid.Alert{Test: fmt.Sprint("t", i), Fails: 1 + i%4})
	}
	for _, c := range []struct {
		name string
		tab  signal.TabSummary
		want string
	}{
		{"nothing is known yet", signal.TabSummary{Dashboard: "calm", Tab: "other", Reading: true},
			`{"dashboard_name":"calm","tab_name":"other","overall_status":"UNKNOWN","detailed_status_message":"","reading":true}`},
		{"it could not be read", signal.TabSummary{Dashboard: "calm", Tab: "other", Problem: "the bucket <b> is \"gone\"", Summary: grid.Summary{Status: grid.Stale, Alert: "no results for 3 days"}},
			`{"dashboard_name":"calm","tab_name":"other","overall_status":"STALE","detailed_status_message":"","alert":"no results for 3 days","problem":"the bucket <b> is \"gone\""}`},
		{"the flakiest first, five of them, and none that is not", signal.TabSummary{Dashboard: "calm", Tab: "other", Summary: grid.Summary{Status: grid.Flaky, Health: flaky}},
			`{"dashboard_name":"calm","tab_name":"other","overall_status":"FLAKY","detailed_status_message":"","healthiness_summary":{"top_flaky_tests":[` +
				`{"display_name":"b","flakiness":50,"change":2},{"display_name":"a","flakiness":5,"change":3},{"display_name":"c","flakiness":5},{"display_name":"e","flakiness":2,"change":1},{"display_name":"d","flakiness":1,"change":1}],` +
				`"healthiness_stats":{"start":{"seconds":1772280000},"end":{"seconds":1772884800},"num_flaky_tests":6,"average_flakiness":12.5,"previous_flakiness":20}}}`},
		{"the longest failing first, five of them", signal.TabSummary{Dashboard: "calm", Tab: "other", Summary: grid.Summary{Status: grid.Failing, Alerts: alerts}},
			`{"dashboard_name":"calm","tab_name":"other","overall_status":"FAILING","detailed_status_message":"","failures_summary":{"top_failing_tests":[` +
				`{"display_name":"t3","fail_count":4},{"display_name":"t2","fail_count":3},{"display_name":"t6","fail_count":3},{"display_name":"t1","fail_count":2},{"display_name":"t5","fail_count":2}],"failure_stats":{"num_failing_tests":7}}}`},
		{"fractions of a second", signal.TabSummary{Dashboard: "calm", Tab: "other", LastRun: time.Unix(5, 250).UTC(), Updated: time.Unix(0, 7).UTC()},
			`{"dashboard_name":"calm","tab_name":"other","overall_status":"UNKNOWN","detailed_status_message":"","last_run_timestamp":{"seconds":5,"nanos":250},"last_update_timestamp":{"nanos":7}}`},
	} {
		h := serve(told{config: calmBoard(), summaries: []signal.TabSummary{c.tab}})
		for path, want := range map[string]string{
			"/api/v1/dashboards/calm/tab-summaries/other": `{"tab_summary":` + c.want + `}`,
			"/api/v1/dashboards/CALM/tab-summaries/Other": `{"tab_summary":` + c.want + `}`,
			"/api/v1/dashboards/calm/tab-summaries":       `{"tab_summaries":[` + c.want + `]}`,
			"/q/summary/calm/other/tests_status":          `{"tab_summary":` + c.want + `}`,
		} {
			if diff := cmp.Diff(want, strings.TrimSpace(get(t, h, path).Body.String())); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", c.name, path, diff)
			}
		}
	}
}

// The worst of a dashboard's tabs is what the dashboard says, and each status
// counts under its name.
func TestWorstOfADashboard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tabs   []grid.Status
		want   string
		counts string
	}{
		{nil, "UNKNOWN", `{}`},
		{[]grid.Status{""}, "UNKNOWN", `{"UNKNOWN":1}`},
		{[]grid.Status{grid.Passing, grid.Passing}, "PASSING", `{"PASSING":2}`},
		{[]grid.Status{grid.Passing, grid.Flaky}, "FLAKY", `{"FLAKY":1,"PASSING":1}`},
		{[]grid.Status{grid.Flaky, grid.Failing, grid.Passing}, "FAILING", `{"FAILING":1,"FLAKY":1,"PASSING":1}`},
		{[]grid.Status{grid.Failing, grid.Broken}, "BROKEN", `{"BROKEN":1,"FAILING":1}`},
		{[]grid.Status{grid.Passing, grid.Stale}, "STALE", `{"PASSING":1,"STALE":1}`},
	} {
		s := told{config: calmBoard()}
		for i, status := range c.tabs {
			s.summaries = append(s.summaries, signal.TabSummary{Dashboard: "calm", Tab: fmt.Sprint(i), Summary: grid.Summary{Status: status}})
		}
		h := serve(s)
		one := `{"name":"calm","overall_status":"` + c.want + `","tab_status_count":` + c.counts + `}`
		for path, want := range map[string]string{
			"/api/v1/dashboards/calm/summary":                      `{"dashboard_summary":` + one + `}`,
			"/api/v1/dashboard-groups/harbour/dashboard-summaries": `{"dashboard_summaries":[` + one + `]}`,
		} {
			if diff := cmp.Diff(want, strings.TrimSpace(get(t, h, path).Body.String())); diff != "" {
				t.Errorf("%v: %s (-want +got):\n%s", c.tabs, path, diff)
			}
		}
		if svg := get(t, h, "/badge/calm.svg").Body.String(); !strings.Contains(svg, "calm: "+strings.ToLower(c.want)) {
			t.Errorf("%v: the badge is %s", c.tabs, svg)
		}
	}
}

// The cells of a row, spread out, are those of the grid, whatever runs and
// notes they are told in.
func TestRowsAreTheGrid(t *testing.T) {
	t.Parallel()
	g := grid.New("other")
	statuses := []grid.Outcome{grid.Pass, grid.Fail, grid.Flake, grid.PassWithSkips, grid.NoResult}
	want := map[string][]string{}
	for b := range 40 {
		at := now.Add(time.Duration(b-50) * time.Hour)
		x := grid.Build{ID: fmt.Sprint(b + 1), Started: at, Finished: at.Add(time.Minute), Passed: true}
		for row := range 6 {
			name, status := fmt.Sprint("Test", row), statuses[(b*(row+1)/3)%len(statuses)]
			message := ""
			if status == grid.Fail {
				message = fmt.Sprintf("broke %d", b%3)
			}
			want[name] = append([]string{fmt.Sprint(int(status), message)}, want[name]...)
			if status != grid.NoResult {
				x.Tests = append(x.Tests, grid.Test{Name: name, Status: status, Message: message})
			}
		}
		g.Append(x, now)
	}
	h := serve(told{config: calmBoard(), grid: g})
	for _, part := range []struct{ from, count int }{{0, 0}, {0, 7}, {13, 11}, {39, 5}} {
		var got struct {
			Rows []struct {
				Name  string
				Cells []struct {
					Result  int
					Message string
				}
			}
		}
		path := fmt.Sprintf("/api/v1/dashboards/calm/tabs/other/rows?columns_from=%d&columns=%d", part.from, part.count)
		if err := json.Unmarshal(get(t, h, path).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, row := range got.Rows {
			all, ok := want[row.Name]
			if !ok {
				continue // the row of the builds themselves
			}
			seen++
			end := len(all)
			if part.count > 0 {
				end = min(end, part.from+part.count)
			}
			var cells []string
			for _, c := range row.Cells {
				cells = append(cells, fmt.Sprint(c.Result, c.Message))
			}
			if diff := cmp.Diff(all[part.from:end], cells); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", row.Name, path, diff)
			}
		}
		if seen != 6 {
			t.Errorf("%s: %d rows", path, seen)
		}
	}
}
