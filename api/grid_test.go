package api_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"seaworthy/api"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
)

var now = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// world is an API over builds: of unit the newest fails three times in
// TestSheet, old is stale, and empty never ran.
func world(t testing.TB, builds, tests int) http.Handler {
	t.Helper()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	write := func(key, text string) {
		if err := b.WriteAll(t.Context(), key, []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	for id := 1; id <= builds; id++ {
		began := now.Add(time.Duration(id-builds-2) * time.Hour).Unix()
		var suite strings.Builder
		for i := range tests {
			fmt.Fprintf(&suite, `<testcase name="[sig-node] Pods should be tied by knot number %d [Conformance]" time="1"/>`, i)
		}
		failure := ""
		if id > builds-3 {
			failure = "<failure>slipped &amp; fell</failure>"
		}
		for _, job := range []string{"unit", "other"} {
			at := fmt.Sprintf("logs/%s/%d/", job, id)
			write(at+"started.json", fmt.Sprintf(`{"timestamp":%d}`, began))
			write(at+"finished.json", fmt.Sprintf(`{"timestamp":%d,"passed":%t,"metadata":{"Commit":"c0ffee%d"}}`, began+60, failure == "" || job == "other", id))
			if job == "other" {
				failure = ""
			}
			write(at+"artifacts/junit.xml", fmt.Sprintf(`<testsuite name="knot"><testcase name="TestBowline"/><testcase name="TestSheet">%s</testcase>%s</testsuite>`, failure, suite.String()))
		}
	}
	config := dashboard.Config{
		DashboardGroups: []dashboard.Group{{Name: "Harbour", Dashboards: []string{"Halyard & Sons", "gone"}}},
		Dashboards: []dashboard.Dashboard{
			{Name: "Halyard & Sons", Description: "All of them.", DefaultTab: "unit", Tabs: []dashboard.Tab{
				{Name: "unit <1>", TestGroup: "unit", Description: "The tests."}, {Name: "empty", TestGroup: "empty"},
			}},
			{Name: "calm", Tabs: []dashboard.Tab{{Name: "other", TestGroup: "other"}}},
		},
		TestGroups: []dashboard.TestGroup{
			{Name: "unit", Prefix: "logs/unit", NoPodRow: true, ColumnHeaders: []dashboard.ColumnHeader{{Value: "Commit"}}},
			{Name: "empty", Prefix: "logs/empty", NoPodRow: true}, {Name: "other", Prefix: "logs/other", NoPodRow: true},
		},
	}
	s := signal.New(signal.Options{
		Now:  func() time.Time { return now },
		Open: func(_ context.Context, prefix string) (*blob.Bucket, string, error) { return b, prefix, nil },
		Configured: func(context.Context) ([]signal.Configuration, error) {
			return []signal.Configuration{{Config: config, Whole: true}}, nil
		},
		Fresh: time.Hour,
	})
	return api.Grids(api.GridOptions{Signal: s, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
}

func get(t testing.TB, h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestGridsAPI(t *testing.T) {
	t.Parallel()
	h := world(t, 4, 0)
	failures := `{"top_failing_tests":[{"display_name":"unit.Overall","fail_count":3,"pass_timestamp":{"seconds":1772866800},"fail_timestamp":{"seconds":1772870400}},` +
		`{"display_name":"knot.TestSheet","fail_count":3,"pass_timestamp":{"seconds":1772866800},"fail_timestamp":{"seconds":1772870400}}],"failure_stats":{"num_failing_tests":2}}`
	unit := `{"dashboard_name":"Halyard & Sons","tab_name":"unit <1>","overall_status":"FAILING","detailed_status_message":"Tab stats: 1 of 4 (25.0%) recent columns passed (6 of 12 or 50.0% cells)",` +
		`"last_run_timestamp":{"seconds":1772877600},"last_update_timestamp":{"seconds":1772884800},"latest_passing_build":"c0ffee1","latest_green":"c0ffee1","failures_summary":` + failures + `}`
	for path, want := range map[string]string{
		"/dashboard-groups":                              `{"dashboard_groups":[{"name":"Harbour","link":"/dashboard-groups/harbour"}]}`,
		"/dashboard-groups/HARBOUR":                      `{"dashboards":[{"name":"Halyard & Sons","link":"/dashboards/halyardsons"},{"name":"gone","link":"/dashboards/gone"}]}`,
		"/dashboard-groups/harbour/dashboard-summaries":  `{"dashboard_summaries":[{"name":"Halyard & Sons","overall_status":"FAILING","tab_status_count":{"FAILING":1,"UNKNOWN":1}}]}`,
		"/dashboards":                                    `{"dashboards":[{"name":"Halyard & Sons","link":"/dashboards/halyardsons","dashboard_group_name":"Harbour","description":"All of them."},{"name":"calm","link":"/dashboards/calm"}]}`,
		"/dashboards/halyardsons":                        `{"name":"Halyard & Sons","description":"All of them.","default_tab":"unit"}`,
		"/dashboards/halyardsons/summary":                `{"dashboard_summary":{"name":"Halyard & Sons","overall_status":"FAILING","tab_status_count":{"FAILING":1,"UNKNOWN":1}}}`,
		"/dashboards/Halyard%20&%20Sons/tabs":            `{"dashboard_tabs":[{"name":"empty","link":"/dashboards/halyardsons/tabs/empty"},{"name":"unit <1>","link":"/dashboards/halyardsons/tabs/unit1","description":"The tests."}]}`,
		"/dashboards/halyardsons/tab-summaries/unit1":    `{"tab_summary":` + unit + `}`,
		"/dashboards/halyardsons/tabs/empty/headers":     `{"headers":[]}`,
		"/dashboards/halyardsons/tabs/empty/rows":        `{"rows":[]}`,
		"/dashboards/halyardsons/tabs/unit1/headers":     `{"headers":[{"build":"4","name":"4","started":{"seconds":1772877600},"extra":["c0ffee4"]},{"build":"3","name":"3","started":{"seconds":1772874000},"extra":["c0ffee3"]},{"build":"2","name":"2","started":{"seconds":1772870400},"extra":["c0ffee2"]},{"build":"1","name":"1","started":{"seconds":1772866800},"extra":["c0ffee1"]}]}`,
		"/dashboards/calm/tabs/other/rows?from=1&rows=1": `{"rows":[{"name":"knot.TestBowline","cells":[{"result":1},{"result":1},{"result":1},{"result":1}]}]}`,
		"/dashboards/calm/tabs/other/headers?columns=0":  "",
	} {
		w := get(t, h, "/api/v1"+path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
			continue
		}
		if want == "" {
			continue
		}
		if diff := cmp.Diff(want, strings.TrimSpace(w.Body.String())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	var all struct {
		Tabs []struct {
			Status string `json:"overall_status"`
		} `json:"tab_summaries"`
	}
	if err := json.Unmarshal(get(t, h, "/api/v1/dashboards/halyardsons/tab-summaries").Body.Bytes(), &all); err != nil || len(all.Tabs) != 2 || all.Tabs[1].Status != "UNKNOWN" {
		t.Errorf("tab summaries: %+v, %v", all, err)
	}
	var tab struct {
		Name    string            `json:"name"`
		Group   string            `json:"test_group_name"`
		Summary signal.TabSummary `json:"summary"`
	}
	if err := json.Unmarshal(get(t, h, "/api/v1/dashboards/halyardsons/tabs/unit1").Body.Bytes(), &tab); err != nil || tab.Name != "unit <1>" || tab.Group != "unit" || tab.Summary.Summary.Status != grid.Failing {
		t.Errorf("a tab: %+v, %v", tab, err)
	}
	var rows struct {
		Rows []struct {
			Name  string
			Cells []struct {
				Result  int
				Message string
				Icon    string
			}
			Alert *struct {
				Fails int `json:"fail_count"`
			}
		}
	}
	if err := json.Unmarshal(get(t, h, "/api/v1/dashboards/halyardsons/tabs/unit1/rows").Body.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	if sheet := rows.Rows[2]; sheet.Name != "knot.TestSheet" || len(sheet.Cells) != 4 || sheet.Cells[0].Result != 12 || sheet.Cells[0].Message != "slipped & fell" || sheet.Cells[0].Icon != "F" || sheet.Cells[3].Result != 1 || sheet.Alert == nil || sheet.Alert.Fails != 3 {
		t.Errorf("rows: %+v", rows)
	}
}

func TestGridPart(t *testing.T) {
	t.Parallel()
	h := world(t, 4, 30)
	for query, want := range map[string]string{
		"":                                    "33 of 33, 4 columns of 4, FAILING",
		"?only=failures":                      "2 of 2, 4 columns of 4, FAILING",
		"?include=knot&exclude=Sheet&rows=10": "10 of 31, 4 columns of 4, FAILING",
		"?include=Bowline&include=knot":       "1 of 1, 4 columns of 4, FAILING",
		"?from=30&rows=10&columns=2&columns_from=1":  "3 of 33, 2 columns of 4, FAILING",
		"?sort=failures&rows=1":                      "1 of 33, 4 columns of 4, FAILING",
		"?stale=true&group=regex-mask&pattern=[0-9]": "33 of 33, 4 columns of 4, FAILING",
		"?rows=99999999&columns=99999999":            "33 of 33, 4 columns of 4, FAILING",
	} {
		var v struct {
			Status string
			grid.View
		}
		w := get(t, h, "/api/v1/dashboards/halyardsons/tabs/unit1/grid"+query)
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			t.Errorf("%s: %d %s: %v", query, w.Code, w.Body, err)
			continue
		}
		if got := fmt.Sprintf("%d of %d, %d columns of %d, %s", len(v.Rows), v.Matching, len(v.Columns), v.Total, v.Status); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, says := range map[string]string{
		"?include=(": "no regular expression", "?exclude=" + strings.Repeat("x", 3000): "write a shorter one", "?only=passes": "only=failures",
		"?sort=random": "failures or flakiness", "?from=-1": "from=-1", "?columns=few": "columns=few", "?stale=perhaps": "neither true nor false",
		"?group=colour": "regex-mask", "?group=regex-mask": "needs a pattern",
	} {
		w := get(t, h, "/api/v1/dashboards/halyardsons/tabs/unit1/grid"+query)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%.40s: %d %s, want 400 and %q", query, w.Code, w.Body, says)
		}
	}
}

func TestNothingThere(t *testing.T) {
	t.Parallel()
	h := world(t, 1, 0)
	for _, path := range []string{
		"/api/v1/nothing", "/api/v1/dashboards/nothing", "/api/v1/dashboards/nothing/tabs", "/api/v1/dashboards/nothing/tab-summaries", "/api/v1/dashboards/calm/tabs/nothing",
		"/api/v1/dashboards/calm/tabs/nothing/grid", "/api/v1/dashboards/calm/tabs/nothing/rows", "/api/v1/dashboards/calm/tabs/nothing/headers", "/api/v1/dashboard-groups/nothing",
		"/api/v1/dashboard-groups/nothing/dashboard-summaries", "/badge/calm", "/badge/calm/other", "/badge/calm/nothing.svg", "/badge/nothing.svg", "/badge/calm/.svg",
		"/q/summary/calm/nothing/tests_status?style=svg",
	} {
		w := get(t, h, path)
		var answer struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusNotFound || answer.Error == "" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// An answer that has not changed is not sent again, and a long one goes
// compressed to whoever takes that.
func TestAnswers(t *testing.T) {
	t.Parallel()
	h := world(t, 4, 100)
	path := "/api/v1/dashboards/halyardsons/tabs/unit1/grid"
	plain := get(t, h, path)
	squeezed := get(t, h, path, "Accept-Encoding", "br, gzip;q=0.8")
	z, err := gzip.NewReader(squeezed.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || string(text) != plain.Body.String() || squeezed.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("compressed: %v, %d bytes of %d", err, len(text), plain.Body.Len())
	}
	if w := get(t, h, path, "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("compressed for one who refuses that")
	}
	tag := plain.Header().Get("ETag")
	if squeezed.Header().Get("ETag") == tag {
		t.Error("two representations have one ETag")
	}
	for _, have := range []string{tag, `"other", W/` + tag, "*"} {
		if w := get(t, h, path, "If-None-Match", have); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("for one who has %s: %d and %d bytes", have, w.Code, w.Body.Len())
		}
	}
	if w := get(t, h, path+"?rows=1", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("another part: %d", w.Code)
	}
}

func TestBadge(t *testing.T) {
	t.Parallel()
	h := world(t, 4, 0)
	for path, want := range map[string][]string{
		"/badge/halyardsons/unit1.svg":                               {"unit &lt;1&gt;: failing", "#b3261e"},
		"/q/summary/Halyard%20&%20Sons/unit1/tests_status?style=svg": {"unit &lt;1&gt;: failing"},
		"/badge/halyardsons/empty.svg":                               {"empty: unknown", "#57606a"},
		"/badge/calm/other.svg":                                      {"other: passing", "#1a7f37"},
		"/badge/calm.svg":                                            {"calm: passing"},
		"/badge/Halyard%20&%20Sons.svg":                              {"Halyard &amp; Sons: failing"},
	} {
		w := get(t, h, path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/svg+xml" || w.Header().Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		for _, part := range want {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s lacks %q: %s", path, part, w.Body)
			}
		}
		for d := xml.NewDecoder(w.Body); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is no XML: %v", path, err)
			}
		}
	}
	if w := get(t, h, "/q/summary/calm/other/tests_status"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"overall_status":"PASSING"`) {
		t.Errorf("without a style: %d %s", w.Code, w.Body)
	}
}

// far is an API over a job in a folder.
func far(b *testing.B, dir, job string) http.Handler {
	b.Helper()
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bucket.Close() })
	config := dashboard.Config{
		Dashboards: []dashboard.Dashboard{{Name: "calm", Tabs: []dashboard.Tab{{Name: "other", TestGroup: "other"}}}},
		TestGroups: []dashboard.TestGroup{{Name: "other", Prefix: job}},
	}
	s := signal.New(signal.Options{
		Now:  time.Now,
		Open: func(_ context.Context, prefix string) (*blob.Bucket, string, error) { return bucket, prefix, nil },
		Configured: func(context.Context) ([]signal.Configuration, error) {
			return []signal.Configuration{{Config: config, Whole: true}}, nil
		},
		Fresh: time.Hour,
	})
	return api.Grids(api.GridOptions{Signal: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
}

// The first screen of a grid of 200 columns and 3,500 rows: of one made here, or
// of the job SEAWORTHY_BENCH_JOB in the folder SEAWORTHY_BENCH_BUCKET. The query
// is SEAWORTHY_BENCH_QUERY.
func BenchmarkFirstScreen(b *testing.B) {
	builds, tests := 200, 3500
	if testing.Short() {
		builds, tests = 20, 350
	}
	var h http.Handler
	if dir := os.Getenv("SEAWORTHY_BENCH_BUCKET"); dir != "" {
		h = far(b, dir, os.Getenv("SEAWORTHY_BENCH_JOB"))
	} else {
		h = world(b, builds, tests)
	}
	path := "/api/v1/dashboards/calm/tabs/other/grid?columns=200&" + os.Getenv("SEAWORTHY_BENCH_QUERY")
	if w := get(b, h, path); w.Code != http.StatusOK {
		b.Fatal(w.Code, w.Body)
	}
	size := 0
	for b.Loop() {
		size = get(b, h, path, "Accept-Encoding", "gzip").Body.Len()
	}
	b.ReportMetric(float64(get(b, h, path).Body.Len()), "bytes")
	b.ReportMetric(float64(size), "gzip-bytes")
}
