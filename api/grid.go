package api

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
)

// Signal is where dashboards and their grids come from.
type Signal interface {
	Dashboards(ctx context.Context) (dashboard.Config, error)
	Summaries(ctx context.Context, dash string) ([]signal.TabSummary, error)
	TabGrid(ctx context.Context, dash, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error)
	Reading(ctx context.Context, dash, tab string) bool
}

// GridOptions are what the API of the grids needs.
type GridOptions struct {
	Signal Signal
	Now    func() time.Time
	Log    *slog.Logger
}

// Grids returns the handler below /api/v1, /badge and /q/summary. Below /api/v1
// it answers as TestGrid's open API does (cmd/api there, pb/api/v1/data.proto),
// with more keys here and there, and:
//
//	/dashboards/{dashboard}/tabs/{tab}        the tab and its summary, which TestGrid documents and does not serve
//	/dashboards/{dashboard}/tabs/{tab}/grid   a part of its grid: grid.View
//
// Names are matched as TestGrid does, see dashboard.Normalize. A status that is
// not known is UNKNOWN, where TestGrid answers an empty text, and rows have a
// cell for each header, where TestGrid leaves out empty ones and so shifts the
// rest. Answers carry an ETag.
func Grids(o GridOptions) http.Handler {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"/dashboards":                                   o.dashboards,
		"/dashboards/{dashboard}":                       o.dashboard,
		"/dashboards/{dashboard}/summary":               o.dashboardSummary,
		"/dashboards/{dashboard}/tabs":                  o.tabs,
		"/dashboards/{dashboard}/tabs/{tab}":            o.tab,
		"/dashboards/{dashboard}/tabs/{tab}/grid":       o.grid,
		"/dashboards/{dashboard}/tabs/{tab}/headers":    o.headers,
		"/dashboards/{dashboard}/tabs/{tab}/rows":       o.rows,
		"/dashboards/{dashboard}/tab-summaries":         o.tabSummaries,
		"/dashboards/{dashboard}/tab-summaries/{tab}":   o.tabSummary,
		"/dashboard-groups":                             o.groups,
		"/dashboard-groups/{group}":                     o.group,
		"/dashboard-groups/{group}/dashboard-summaries": o.groupSummaries,
	} {
		mux.HandleFunc("GET /api/v1"+pattern, o.json(answer))
	}
	mux.HandleFunc("GET /badge/{dashboard}", o.badge)
	mux.HandleFunc("GET /badge/{dashboard}/{tab}", o.badge)
	mux.HandleFunc("GET /q/summary/{dashboard}/{tab}/tests_status", o.testsStatus)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		o.fail(w, r, refused{http.StatusNotFound, "there is nothing at this address: /api/v1/dashboards lists what there is"})
	})
	return mux
}

// refused is an error with its status code.
type refused struct {
	code int
	text string
}

func (r refused) Error() string { return r.text }

func badRequest(err error) error { return refused{http.StatusBadRequest, err.Error()} }

// The forms of TestGrid's data.proto, as its API prints them.
type (
	resource struct {
		Name        string `json:"name"`
		Link        string `json:"link"`
		Group       string `json:"dashboard_group_name,omitempty"`
		Description string `json:"description,omitempty"`
	}
	timestamp struct {
		Seconds int64 `json:"seconds,omitempty"`
		Nanos   int   `json:"nanos,omitempty"`
	}
	tabSummary struct {
		Dashboard string     `json:"dashboard_name"`
		Tab       string     `json:"tab_name"`
		Status    string     `json:"overall_status"`
		Message   string     `json:"detailed_status_message"`
		LastRun   *timestamp `json:"last_run_timestamp,omitempty"`
		Updated   *timestamp `json:"last_update_timestamp,omitempty"`
		// Green is under both names that TestGrid has given it.
		Green    string           `json:"latest_passing_build,omitempty"`
		Latest   string           `json:"latest_green,omitempty"`
		Failures *failuresSummary `json:"failures_summary,omitempty"`
		Healthy  *healthSummary   `json:"healthiness_summary,omitempty"`
		// More than TestGrid says.
		Alert   string `json:"alert,omitempty"`
		Problem string `json:"problem,omitempty"`
		Reading bool   `json:"reading,omitempty"`
	}
	failuresSummary struct {
		Top   []failingTest `json:"top_failing_tests"`
		Stats failureStats  `json:"failure_stats"`
	}
	failureStats struct {
		Tests int `json:"num_failing_tests"`
	}
	failingTest struct {
		Name  string     `json:"display_name"`
		Fails int        `json:"fail_count"`
		Pass  *timestamp `json:"pass_timestamp,omitempty"`
		Fail  *timestamp `json:"fail_timestamp,omitempty"`
	}
	dashboardSummary struct {
		Name   string         `json:"name"`
		Status string         `json:"overall_status"`
		Counts map[string]int `json:"tab_status_count"`
	}
)

// seconds is a time as protocol buffers print it, nil for none.
func seconds(t time.Time) *timestamp {
	if t.IsZero() {
		return nil
	}
	return &timestamp{t.Unix(), t.Nanosecond()}
}

func boardLink(name string) string { return "/dashboards/" + dashboard.Normalize(name) }

func byName(a, b resource) int { return strings.Compare(a.Name, b.Name) }

func (o GridOptions) dashboards(r *http.Request) (any, error) {
	config, err := o.Signal.Dashboards(r.Context())
	if err != nil {
		return nil, err
	}
	in := map[string]string{}
	for _, g := range config.DashboardGroups {
		for _, name := range g.Dashboards {
			in[name] = g.Name
		}
	}
	all := []resource{}
	for _, d := range config.Dashboards {
		all = append(all, resource{d.Name, boardLink(d.Name), in[d.Name], d.Description})
	}
	slices.SortFunc(all, byName)
	return map[string]any{"dashboards": all}, nil
}

// board finds the dashboard of a request.
func (o GridOptions) board(r *http.Request, name string) (dashboard.Dashboard, error) {
	config, err := o.Signal.Dashboards(r.Context())
	if err != nil {
		return dashboard.Dashboard{}, err
	}
	d, ok := config.Dashboard(name)
	if !ok {
		return d, refused{http.StatusNotFound, "there is no dashboard " + name + ": /api/v1/dashboards lists them"}
	}
	return d, nil
}

func (o GridOptions) dashboard(r *http.Request) (any, error) {
	d, err := o.board(r, r.PathValue("dashboard"))
	if err != nil {
		return nil, err
	}
	return struct {
		Name           string                   `json:"name"`
		Description    string                   `json:"description,omitempty"`
		Notifications  []dashboard.Notification `json:"notifications,omitempty"`
		DefaultTab     string                   `json:"default_tab,omitempty"`
		Suppress       bool                     `json:"suppress_failing_tabs,omitempty"`
		HighlightToday bool                     `json:"highlight_today,omitempty"`
	}{d.Name, d.Description, d.Notifications, d.DefaultTab, d.Downplay, d.HighlightToday}, nil
}

func (o GridOptions) tabs(r *http.Request) (any, error) {
	d, err := o.board(r, r.PathValue("dashboard"))
	if err != nil {
		return nil, err
	}
	all := []resource{}
	for _, t := range d.Tabs {
		all = append(all, resource{Name: t.Name, Link: boardLink(d.Name) + "/tabs/" + dashboard.Normalize(t.Name), Description: t.Description})
	}
	slices.SortFunc(all, byName)
	return map[string]any{"dashboard_tabs": all}, nil
}

func (o GridOptions) groups(r *http.Request) (any, error) {
	config, err := o.Signal.Dashboards(r.Context())
	if err != nil {
		return nil, err
	}
	all := []resource{}
	for _, g := range config.DashboardGroups {
		all = append(all, resource{Name: g.Name, Link: "/dashboard-groups/" + dashboard.Normalize(g.Name), Description: g.Description})
	}
	slices.SortFunc(all, byName)
	return map[string]any{"dashboard_groups": all}, nil
}

// members are the dashboards of a request's group, by name.
func (o GridOptions) members(r *http.Request) ([]string, error) {
	config, err := o.Signal.Dashboards(r.Context())
	if err != nil {
		return nil, err
	}
	name := dashboard.Normalize(r.PathValue("group"))
	for _, g := range config.DashboardGroups {
		if dashboard.Normalize(g.Name) == name {
			return slices.Sorted(slices.Values(g.Dashboards)), nil
		}
	}
	return nil, refused{http.StatusNotFound, "there is no dashboard group " + r.PathValue("group") + ": /api/v1/dashboard-groups lists them"}
}

func (o GridOptions) group(r *http.Request) (any, error) {
	names, err := o.members(r)
	if err != nil {
		return nil, err
	}
	all := []resource{}
	for _, name := range names {
		all = append(all, resource{Name: name, Link: boardLink(name)})
	}
	return map[string]any{"dashboards": all}, nil
}

func (o GridOptions) groupSummaries(r *http.Request) (any, error) {
	names, err := o.members(r)
	if err != nil {
		return nil, err
	}
	all := []dashboardSummary{}
	for _, name := range names {
		one, err := o.sumUp(r, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the group names what nobody has
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return map[string]any{"dashboard_summaries": all}, nil
}

func (o GridOptions) dashboardSummary(r *http.Request) (any, error) {
	one, err := o.sumUp(r, r.PathValue("dashboard"))
	return map[string]any{"dashboard_summary": one}, err
}

func (o GridOptions) sumUp(r *http.Request, name string) (dashboardSummary, error) {
	tabs, err := o.Signal.Summaries(r.Context(), name)
	if err != nil {
		return dashboardSummary{}, err
	}
	out := dashboardSummary{Name: name, Counts: map[string]int{}}
	var all []grid.Status
	for _, t := range tabs {
		out.Name = t.Dashboard
		out.Counts[status(t.Summary.Status)]++
		all = append(all, t.Summary.Status)
	}
	out.Status = status(grid.Worst(all...))
	return out, nil
}

// status is never empty.
func status(s grid.Status) string { return string(cmp.Or(s, grid.Unknown)) }

func (o GridOptions) tabSummaries(r *http.Request) (any, error) {
	tabs, err := o.Signal.Summaries(r.Context(), r.PathValue("dashboard"))
	if err != nil {
		return nil, err
	}
	all := []tabSummary{}
	for _, t := range tabs {
		all = append(all, summaryOf(t))
	}
	return map[string]any{"tab_summaries": all}, nil
}

func (o GridOptions) tabSummary(r *http.Request) (any, error) {
	t, err := o.summary(r, r.PathValue("dashboard"), r.PathValue("tab"))
	return map[string]any{"tab_summary": summaryOf(t)}, err
}

// summary finds one tab's.
func (o GridOptions) summary(r *http.Request, dash, tab string) (signal.TabSummary, error) {
	tabs, err := o.Signal.Summaries(r.Context(), dash)
	if err != nil {
		return signal.TabSummary{}, err
	}
	want := dashboard.Normalize(tab)
	for _, t := range tabs {
		if t.Tab == tab || dashboard.Normalize(t.Tab) == want {
			return t, nil
		}
	}
	return signal.TabSummary{}, refused{http.StatusNotFound, "the dashboard " + dash + " has no tab " + tab + ": /api/v1" + boardLink(dash) + "/tabs lists them"}
}

// topFailures is how many failing tests a summary names.
const topFailures = 5

func summaryOf(t signal.TabSummary) tabSummary {
	m := t.Summary
	out := tabSummary{
		Dashboard: t.Dashboard, Tab: t.Tab, Status: status(m.Status), Message: m.Text, LastRun: seconds(t.LastRun), Updated: seconds(t.Updated),
		Green: m.LatestGreen, Latest: m.LatestGreen, Alert: m.Alert, Problem: t.Problem, Reading: t.Reading, Healthy: healthOf(m.Health),
	}
	if len(m.Alerts) == 0 {
		return out
	}
	out.Failures = &failuresSummary{Stats: failureStats{len(m.Alerts)}}
	alerts := slices.SortedStableFunc(slices.Values(m.Alerts), func(a, b grid.Alert) int { return b.Fails - a.Fails })
	for _, a := range alerts[:min(len(alerts), topFailures)] {
		out.Failures.Top = append(out.Failures.Top, failingTest{a.Test, a.Fails, seconds(a.LastPass.Started), seconds(a.FirstFail.Started)})
	}
	return out
}
