package web_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/signal"
)

// boards is what the fake has configured: a repository's own dashboard, and one
// of a bucket elsewhere.
func boards() dashboard.Config {
	sources := &dashboard.Link{URL: "https://example.org/compare/<start-custom-0>...<end-custom-0>"}
	return dashboard.Config{
		DashboardGroups: []dashboard.Group{{Name: "fleet", Description: "Everything that sails.", Dashboards: []string{"fleet-blocking", "fleet-empty"}}},
		Dashboards: []dashboard.Dashboard{
			{Name: "harbour/halyard", Tabs: []dashboard.Tab{{Name: "post-unit", TestGroup: "post-unit"}}},
			{Name: "fleet-blocking", Description: "Must be <green>.", Notifications: []dashboard.Notification{{Summary: "The tide is out", Link: "https://example.org/tide"}, {Summary: "No link", Link: "javascript:alert(1)"}},
				Tabs: []dashboard.Tab{
					{Name: "big", TestGroup: "ci-big", Description: "The big one", OpenTest: &dashboard.Link{URL: "https://example.org/view/<gcs_prefix>/<changelist>"}, CodeSearch: sources,
						FileBug: &dashboard.Link{URL: "https://example.org/new", Options: []dashboard.LinkOption{{Key: "title", Value: "<test-name> fails"}}}},
					{Name: "narrow", TestGroup: "ci-big", BaseOptions: "width=6&sort-by-failures=&group-by-hierarchy-pattern=."},
					{Name: "no-sources", TestGroup: "ci-big"},
				}},
			{Name: "fleet-empty"},
		},
		TestGroups: []dashboard.TestGroup{{Name: "post-unit"}, {Name: "ci-big", Prefix: "elsewhere/logs/ci-big"}},
	}
}

// bigGrid has a test that always fails, one that is flaky, and many that pass.
func bigGrid(builds, tests int) *grid.Grid {
	g := grid.NewWith("ci-big", grid.Settings{Headers: []string{"Commit"}})
	for b := range builds {
		at := now.Add(time.Duration(b-builds) * time.Hour)
		build := grid.Build{ID: fmt.Sprint(18000 + b), Started: at, Finished: at.Add(20 * time.Minute), Headers: []string{fmt.Sprintf("c0ffee%03d", b/3)}, Commit: fmt.Sprintf("%040d", b/3)}
		for t := range tests {
			test := grid.Test{Name: fmt.Sprintf("suite%d.Test%04d", t%7, t), Status: grid.Pass, Duration: time.Duration(10+t) * time.Second}
			switch {
			case t == 1 && b >= builds-5, t == 2 && b%4 == 0:
				test.Status, test.Message = grid.Fail, fmt.Sprintf("</script><b>boom</b> in %d", b)
			}
			build.Tests = append(build.Tests, test)
		}
		build.Passed = b < builds-5
		g.Append(build, now)
	}
	return g
}

func (w *world) Dashboards(context.Context) (dashboard.Config, error) { return boards(), w.broken }

func (w *world) Summaries(ctx context.Context, board string) ([]signal.TabSummary, error) {
	d, ok := boards().Dashboard(board)
	if !ok {
		return nil, fs.ErrNotExist
	}
	var all []signal.TabSummary
	for _, t := range d.Tabs {
		g, _, o, err := w.TabGrid(ctx, board, t.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, signal.TabSummary{
			Dashboard: d.Name, Tab: t.Name, Description: t.Description, Summary: grid.Summarize(g, o, now), LastRun: now.Add(-time.Hour),
			Recent: []grid.Outcome{grid.Fail, grid.Flake, grid.Pass, grid.Running, grid.NoResult}, Reading: t.Name == "no-sources", Repo: repo, Type: job.Postsubmit,
		})
	}
	return all, nil
}

func (w *world) TabGrid(_ context.Context, board, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	t, group, ok := boards().Tab(board, tab)
	if !ok {
		return nil, dashboard.Tab{}, grid.Options{}, fmt.Errorf("tab %s: %w", tab, fs.ErrNotExist)
	}
	if t.TestGroup == "post-unit" {
		return w.grid(), t, grid.Options{}, nil
	}
	if w.big != nil {
		return w.big, t, t.Options(group), nil
	}
	return bigGrid(30, 300), t, t.Options(group), nil
}

func (w *world) Reading(_ context.Context, _, tab string) bool { return tab == "no-sources" }

func TestGridPages(t *testing.T) {
	t.Parallel()
	const big = "/dashboards/fleet-blocking/big"
	h := site(t, newWorld())
	for _, c := range []struct {
		path  string
		code  int
		says  []string
		hides []string
	}{
		{"/signal", 200, []string{"fleet", "Everything that sails.", `href="/dashboards/fleet-blocking"`, `href="/dashboards/harbour%2Fhalyard"`, "Other dashboards", "3 failing", "red", "big</a> failing"}, nil},
		{"/signal?status=flaky", 200, []string{"halyard"}, []string{"fleet-blocking"}},
		{"/signal?group=fleet", 200, []string{"fleet-blocking"}, []string{"Other dashboards"}},
		{"/signal?status=stale", 200, []string{"No dashboard has such a status."}, nil},
		{"/dashboards", 302, nil, nil},
		{"/fleetblocking", 302, nil, nil},
		{"/fleet-unknown", 404, nil, nil},
		{"/dashboards/fleet-blocking", 200, []string{"Must be &lt;green&gt;.", "The tide is out", `href="https://example.org/tide"`, "suite1.Test0001</b> failed 5 in a row", "newest 5: 1 passed, 1 failed, 1 flaky, 1 running", "The big one", `href="/signal?group=fleet"`, "reading"}, []string{"javascript:"}},
		{"/dashboards/FleetBlocking", 200, []string{"fleet-blocking"}, nil},
		{"/dashboards/fleet-blocking?status=passing", 200, []string{"No tab has this status."}, []string{"The big one"}},
		{"/dashboards/fleet-empty", 200, []string{"This dashboard has no tabs."}, nil},
		{"/dashboards/harbour%2Fhalyard", 200, []string{"post-unit", "flaky"}, nil},
		{"/dashboards/none", 404, nil, nil},
		{"/dashboards/fleet-blocking/none", 404, nil, nil},
		{"/dashboards/a/b/c/d", 404, nil, nil},
		{"/dashboards/fleet-blocking/no-sources", 200, []string{"still being read"}, nil},
		{big, 200, []string{"301 rows, 30 builds from 13 Mar 2026 to 14 Mar 2026", "5 in a row", "since <a", "last good <a", "the commits between", "file an issue", "https://example.org/new?title=suite1.Test0001", "c0ffee009", `href="?from=24"`, `href="?older=24"`, "<result-grid"}, []string{"</script><b>"}},
		{big + "?only=failures", 200, []string{"3 rows of 301"}, []string{"suite0.Test0000"}},
		{big + "?include=Test000[12]", 200, []string{"2 rows of 301", "Test0002"}, []string{"suite0.Test0000"}},
		{big + "?include=Test000&exclude=suite1", 200, []string{"8 rows of 301"}, []string{`title="suite1.Test0001"`}},
		{big + "?include=a(b", 200, []string{"is no regular expression", `aria-invalid="true"`, `value="a(b"`, "301 rows"}, nil},
		{big + "?exclude=" + strings.Repeat("x", 5000), 200, []string{"write a shorter one"}, nil},
		{big + "?sort=tide", 200, []string{"No order is called"}, nil},
		{big + "?group=regex-mask", 200, []string{"needs a pattern"}, nil},
		{big + "?include=nothing-at-all", 200, []string{"No row matches."}, []string{"<result-grid"}},
		{big + "?group=hierarchy", 200, []string{`class="group"`, ">suite0", `"groups":[{`}, nil},
		{big + "?columns=3", 200, []string{"3 builds of 30"}, nil},
		{big + "?older=28&from=290", 200, []string{"2 builds of 30", "suite6.Test0293"}, []string{"suite0.Test0000"}},
		{"/dashboards/fleet-blocking/narrow", 200, []string{`"width":6`, `value="6" selected`, `value="failures" selected`, `class="group"`}, nil},
		{"/dashboards/fleet-blocking/narrow?sort=", 200, []string{`"width":6`}, []string{`value="failures" selected`}},
		{"/harbour/halyard/grid/post-unit", 200, []string{"TestConvert", `href="/harbour/halyard/grid/post-unit/open?build=1001`, "/dashboards/harbour%2Fhalyard"}, nil},
		{big + "/graph", 200, []string{"Duration of big", "ci-big.Overall", "median 20.0 min", "<svg", "suite5.Test0299", "The 50 tests of 300"}, nil},
		{big + "/graph?test=suite1.Test0001&test=none", 200, []string{"suite1.Test0001", "median 11.0 s", "dot-fail"}, []string{"ci-big.Overall: "}},
		{big + "/graph?metric=tides", 200, []string{"No build has a value of tides"}, nil},
		{big + "/graph?include=Test000", 200, []string{"suite1.Test0008"}, nil},
		{big + "/graph?include=(", 200, []string{"is no regular expression"}, nil},
		{big + "/between?from=18000&to=18029", 200, []string{"https://example.org/compare/c0ffee000...c0ffee009"}, nil},
		{big + "/between?from=18029&to=18000", 200, []string{"https://example.org/compare/c0ffee000...c0ffee009"}, nil},
		{big + "/between?from=1&to=18029", 404, nil, nil},
		{"/dashboards/fleet-blocking/no-sources/between?from=18000&to=18029", 200, []string{"It is not known where the sources"}, nil},
		{"/harbour/halyard/grid/post-unit/between?from=1000&to=1002", 200, []string{"Both builds tested the same commit."}, nil},
		{"/compare", 200, []string{"Choose two tabs", "fleet-blocking/big"}, nil},
		{"/compare?tab=fleet-blocking/big&tab=harbour/halyard/post-unit", 200, []string{"tests differ", "absent", "Overall", "1 to 50 of 30", "The next ones"}, nil},
		{"/compare?tab=fleet-blocking/big&tab=fleet-blocking/narrow", 200, []string{"The tabs agree on every test.", "0 of 301"}, nil},
		{"/compare?tab=fleet-blocking/big&tab=fleet-blocking/narrow&all=rows&include=Test0001", 200, []string{"1 to 1 of 1 row", "fails"}, nil},
		{"/compare?tab=fleet-blocking/big&tab=x/y&include=(", 200, []string{"There is no tab &#34;x/y&#34;", "is no regular expression"}, nil},
	} {
		t.Run(strings.ReplaceAll(c.path[:min(len(c.path), 60)], "/", "_"), func(t *testing.T) {
			t.Parallel()
			w := get(h, c.path)
			if w.Code != c.code {
				t.Fatalf("%s answers %d, want %d: %s", c.path, w.Code, c.code, w.Body)
			}
			for _, want := range c.says {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("%s does not say %q", c.path, want)
				}
			}
			for _, no := range c.hides {
				if strings.Contains(w.Body.String(), no) {
					t.Errorf("%s says %q", c.path, no)
				}
			}
			if c.code != http.StatusFound {
				sound(t, w)
			}
		})
	}
}

func TestCellsLeadToTheirRuns(t *testing.T) {
	t.Parallel()
	h := site(t, newWorld())
	for path, want := range map[string]string{
		"/dashboards/fleet-blocking/big/open?build=18003&test=a":                 "https://example.org/view/elsewhere/logs/ci-big/18003",
		"/harbour/halyard/grid/post-unit/open?build=1001&test=Test+Short%2Fdeep": "/runs/1001#test-Test_Short/deep",
	} {
		if w := get(h, path); w.Code != http.StatusFound || w.Header().Get("Location") != want {
			t.Errorf("%s answers %d and leads to %q, want %q", path, w.Code, w.Header().Get("Location"), want)
		}
	}
	for _, path := range []string{"/dashboards/fleet-blocking/big/open?build=7", "/dashboards/fleet-blocking/no-sources/open?build=18003&test=a", "/harbour/halyard/grid/none/open?build=1001"} {
		if w := get(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s answers %d, want 404", path, w.Code)
		}
	}
	if body := get(h, "/runs/1002").Body.String(); !strings.Contains(body, `id="test-TestShort"`) {
		t.Error("the page of a run has no place for its failing test")
	}
}

// sheet is what the script reads.
type sheet struct {
	View    grid.View
	Version string
	Alerts  map[string]string
}

func TestRowsForTheScript(t *testing.T) {
	t.Parallel()
	h := site(t, newWorld())
	read := func(query string) sheet {
		t.Helper()
		w := get(h, "/dashboards/fleet-blocking/big/rows?"+query)
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s answers %d: %s", query, w.Code, w.Body)
		}
		var s sheet
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	seen := map[string]bool{}
	first := read("from=0&rows=100")
	for from := 0; from < first.View.Matching; from += 100 {
		s := read(fmt.Sprintf("from=%d&rows=100", from))
		if s.Version != first.Version || s.View.RowsFrom != from {
			t.Errorf("rows from %d: version %s, want %s; from %d", from, s.Version, first.Version, s.View.RowsFrom)
		}
		for _, row := range s.View.Rows {
			seen[row.Name] = true
			cells := 0
			for i := 1; i < len(row.Runs); i += 2 {
				cells += row.Runs[i]
			}
			if cells != len(s.View.Columns) {
				t.Errorf("%s has %d cells for %d columns", row.Name, cells, len(s.View.Columns))
			}
		}
	}
	if len(seen) != 301 {
		t.Errorf("the pages have %d rows together, want 301", len(seen))
	}
	if said := first.Alerts["suite1.Test0001"]; !strings.Contains(said, "failed 5 times in a row, since build 18025") {
		t.Errorf("the alert says %q", said)
	}
	if s := read("only=failures"); s.Version == first.Version || s.View.Matching != 3 {
		t.Errorf("other rows have the version %s, and %d match", s.Version, s.View.Matching)
	}
	if w := get(h, "/dashboards/fleet-blocking/big/rows?include=("); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "no regular expression") {
		t.Errorf("a bad filter answers %d: %s", w.Code, w.Body)
	}
	if w := get(h, "/dashboards/fleet-blocking/none/rows"); w.Code != http.StatusNotFound {
		t.Errorf("no such tab answers %d", w.Code)
	}
}

func TestCommitsBetween(t *testing.T) {
	t.Parallel()
	commits := func(_ context.Context, _ forge.RepoName, base, head string) ([]forge.Commit, error) {
		return []forge.Commit{{SHA: base, Message: "older\n\nbody", Author: forge.Signature{Name: "ada", Time: now}}, {SHA: head, Message: "newer <b>"}}, nil
	}
	w := newWorld()
	w.commits = []string{"aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"}
	body := get(siteOf(t, w, commits), "/harbour/halyard/grid/post-unit/between?from=1000&to=1002").Body.String()
	for _, want := range []string{"2 commits.", "newer &lt;b&gt;", "older<small>ada", "aaaaaaaaa", "ccccccccc"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Index(body, "newer") > strings.Index(body, "older<") {
		t.Error("the oldest commit comes first")
	}
}

func BenchmarkFirstScreen(b *testing.B) {
	g := bigGrid(200, 3500)
	w := newWorld()
	w.big = g
	h := siteOf(b, w, nil)
	b.ResetTimer()
	for b.Loop() {
		if answer := get(h, "/dashboards/fleet-blocking/big"); answer.Code != 200 {
			b.Fatal(answer.Code)
		} else {
			b.ReportMetric(float64(answer.Body.Len()), "bytes/page")
		}
	}
}

func TestPagesArePacked(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/dashboards/fleet-blocking/big", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	site(t, newWorld()).ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 40<<10 {
		t.Errorf("encoded as %q, %d bytes", w.Header().Get("Content-Encoding"), w.Body.Len())
	}
	packed, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(packed); err != nil || !strings.Contains(string(text), "<result-grid") {
		t.Errorf("unpacks to %d bytes: %v", len(text), err)
	}
}
