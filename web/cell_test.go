package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
	"seaworthy/triage/live"
	"seaworthy/web"
)

// foreign is the dashboards of somebody else's configuration: one tab with what
// the case gives it.
type foreign struct {
	*world
	tab  dashboard.Tab
	home forge.RepoName // whose job it is
	err  error
}

func (f foreign) Dashboards(context.Context) (dashboard.Config, error) {
	return dashboard.Config{
		Dashboards: []dashboard.Dashboard{{Name: "sig-node", Tabs: []dashboard.Tab{f.tab}}},
		TestGroups: []dashboard.TestGroup{{Name: "ci-big", Prefix: "elsewhere/logs/ci-big"}},
	}, nil
}

func (f foreign) TabGrid(_ context.Context, _, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	if tab != f.tab.Name {
		return nil, dashboard.Tab{}, grid.Options{}, fmt.Errorf("tab %s: %w", tab, forge.ErrNotFound)
	}
	return f.big, f.tab, grid.Options{}, nil
}

func (f foreign) Summaries(context.Context, string) ([]signal.TabSummary, error) {
	return []signal.TabSummary{{Dashboard: "sig-node", Tab: f.tab.Name, Repo: f.home}}, f.err
}

// abroad is a site whose dashboard has such a tab.
func abroad(t *testing.T, f foreign, change func(*web.Options)) http.Handler {
	t.Helper()
	f.world = newWorld()
	f.big = bigGrid(30, 40)
	f.tab.Name, f.tab.TestGroup = "kubelet", "ci-big"
	return siteWith(t, func(o *web.Options) {
		o.Signal, o.Runs, o.Address = f, f.world, "https://sea.example"
		o.Issues = (&tracker{}).form()
		o.Now = func() time.Time { return now }
		if change != nil {
			change(o)
		}
	})
}

func serving(all ...forge.RepoName) func(*web.Options) {
	return func(o *web.Options) {
		o.Repos = func(context.Context) ([]forge.RepoName, error) { return all, nil }
	}
}

const kubelet = "/dashboards/sig-node/kubelet"

var failingCell = url.Values{"build": {"18029"}, "test": {"suite1.Test0001"}}.Encode()

func linkTo(address string, options ...dashboard.LinkOption) *dashboard.Link {
	return &dashboard.Link{URL: address, Options: options}
}

// Where an issue is filed about a dashboard that is no repository's own: as its
// template says, else with whoever has the job, the tracker that the tab names,
// or the only repository there is; else nowhere, with the reason.
func TestIssuesAboutForeignDashboards(t *testing.T) {
	t.Parallel()
	halyard, other := forge.RepoName{Owner: "harbour", Name: "halyard"}, forge.RepoName{Owner: "harbour", Name: "other"}
	body := dashboard.LinkOption{Key: "body", Value: "<test-url>"}
	for name, c := range map[string]struct {
		foreign
		change func(*web.Options)
		leads  string // how the address begins, empty if there is none
		says   string
	}{
		"its own template":            {foreign{tab: dashboard.Tab{FileBug: linkTo("https://bugs.example/new", dashboard.LinkOption{Key: "title", Value: "E2E: <test-name>"}, body)}}, nil, "https://bugs.example/new?title=E2E%3A%20suite1.Test0001&body=https%3A%2F%2Fsea.example%2Fdashboards%2Fsig-node%2Fkubelet%3Fbuild%3D18029%26test%3D", ""},
		"the template goes first":     {foreign{home: halyard, tab: dashboard.Tab{FileBug: linkTo("https://bugs.example/new")}}, serving(halyard), "https://bugs.example/new", ""},
		"whose job it is":             {foreign{home: halyard}, serving(halyard, other), "/harbour/halyard/issues/new?body=", ""},
		"the tracker that it names":   {foreign{tab: dashboard.Tab{OpenBug: linkTo("https://github.com/kubernetes/kubernetes/issues/")}}, serving(halyard, other), "https://elsewhere.example/kubernetes/kubernetes/new?title=", ""},
		"the only repository":         {foreign{}, serving(halyard), "/harbour/halyard/issues/new?body=", ""},
		"one of several":              {foreign{}, serving(halyard, other), "", "No issue can be filed from here: several repositories are served here"},
		"none at all":                 {foreign{}, serving(), "", "no repository is served here"},
		"no forge":                    {foreign{}, func(o *web.Options) { serving(halyard)(o); o.Issues = web.IssueForm{} }, "", "no tracker of issues is connected"},
		"a tracker that is no GitHub": {foreign{tab: dashboard.Tab{OpenBug: linkTo("https://bugs.example/show/")}}, serving(halyard, other), "", "several repositories are served here"},
		"a template without a value":  {foreign{tab: dashboard.Tab{FileBug: linkTo("https://bugs.example/<hotlist>")}}, serving(), "", "its file_bug_template cannot be filled in"},
		"a template, and who has it":  {foreign{home: halyard, tab: dashboard.Tab{FileBug: linkTo("https://bugs.example/<hotlist>")}}, serving(halyard), "/harbour/halyard/issues/new?body=", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := abroad(t, c.foreign, c.change)
			code, page := visit(t, h, kubelet)
			if code != http.StatusOK || !strings.Contains(page, "5 in a row") {
				t.Fatalf("the page of the grid answers %d", code)
			}
			if c.says != "" && !strings.Contains(page, c.says) {
				t.Errorf("the page does not say %q", c.says)
			}
			filing, offered := hrefs(t, page, "file an issue"), strings.Contains(page, `"label":"File an issue"`)
			w := get(h, kubelet+"/cell/issue?"+failingCell)
			if c.leads == "" {
				if len(filing) > 0 || w.Code != http.StatusNotFound || offered && c.tab.FileBug == nil {
					t.Errorf("an issue is filed at %q; the menu answers %d", filing, w.Code)
				}
				return
			}
			if len(filing) == 0 || !strings.HasPrefix(filing[len(filing)-1], c.leads) || strings.Contains(page, "No issue can be filed") {
				t.Errorf("issues are filed at %q, wanted %q", filing, c.leads)
			}
			if !offered || w.Code != http.StatusFound || !strings.HasPrefix(w.Header().Get("Location"), c.leads) {
				t.Errorf("the menu of a cell leads to %d %q, wanted %q", w.Code, w.Header().Get("Location"), c.leads)
			}
		})
	}
}

// Every template of a tab is a link somewhere, filled in.
func TestEveryTemplateOfATabIsUsed(t *testing.T) {
	t.Parallel()
	h := abroad(t, foreign{tab: dashboard.Tab{
		OpenTest: linkTo("https://view.example/<gcs_prefix>/<changelist>"), FileBug: linkTo("https://bugs.example/new/<custom-0>"),
		AttachBug: linkTo("https://bugs.example/attach", dashboard.LinkOption{Key: "url", Value: "<link>"}), OpenBug: linkTo("https://bugs.example/issues/"),
		Results: linkTo("https://view.example/history/<gcs_prefix>"), ResultsText: "See these results on Prow",
		CodeSearch:  linkTo("https://code.example/<start-custom-0>...<end-custom-0>"),
		ContextMenu: &dashboard.Link{Name: "Logs of the node", URL: "https://logs.example/<test-status>/<changelist>"},
		ColumnDiffs: []dashboard.Link{{Name: "Images", URL: "https://images.example/<start-cl>/<end-cl>"}, {Name: "No value", URL: "https://images.example/<nothing>"}},
		About:       "https://about.example/kubelet",
	}}, serving())
	_, page := visit(t, h, kubelet)
	for text, want := range map[string]string{
		"See these results on Prow": "https://view.example/history/elsewhere/logs/ci-big", "Issues": "https://bugs.example/issues/", "About": "https://about.example/kubelet",
	} {
		if got := hrefs(t, page, text); len(got) != 1 || got[0] != want {
			t.Errorf("%s leads to %q, want %q", text, got, want)
		}
	}
	for path, want := range map[string]string{
		"/open?" + failingCell:         "https://view.example/elsewhere/logs/ci-big/18029",
		"/cell/issue?" + failingCell:   "https://bugs.example/new/c0ffee009",
		"/cell/attach?" + failingCell:  "https://bugs.example/attach?url=https%3A%2F%2Fsea.example%2Fdashboards%2Fsig-node%2Fkubelet%3Fbuild%3D18029%26test%3Dsuite1.Test0001",
		"/cell/context?" + failingCell: "https://logs.example/FAIL/18029",
	} {
		if w := get(h, kubelet+path); w.Code != http.StatusFound || w.Header().Get("Location") != want {
			t.Errorf("%s answers %d and leads to %q, want %q", path, w.Code, w.Header().Get("Location"), want)
		}
	}
	_, between := visit(t, h, kubelet+"/between?from=18000&to=18029")
	if got := hrefs(t, between, "Images"); len(got) != 1 || got[0] != "https://images.example/18000/18029" || strings.Contains(between, "No value") {
		t.Errorf("what differs is at %q", got)
	}
	if !strings.Contains(between, "https://code.example/c0ffee000...c0ffee009") {
		t.Error("the sources are not linked")
	}
}

func TestMenuOfACell(t *testing.T) {
	t.Parallel()
	found := func(o *web.Options) {
		o.ClusterOf = func(_ context.Context, build, test string) (string, bool, error) {
			if test == "suite2.Test0002" {
				return "", false, errors.New("away")
			}
			return "a/b", build == "elsewhere/logs/ci-big/18029", nil
		}
	}
	h := abroad(t, foreign{home: repo}, found)
	for path, want := range map[string]struct {
		code int
		to   string
	}{
		"/cell/cluster?" + failingCell:                   {302, "/triage/a%2Fb"},
		"/cell/issues?" + failingCell:                    {302, "/harbour/halyard/issues?q=suite1.Test0001"},
		"/cell/attach?" + failingCell:                    {404, ""},
		"/cell/nothing?" + failingCell:                   {404, ""},
		"/cell/cluster?build=18028&test=suite1.Test0001": {404, ""},
		"/cell/cluster?build=7&test=suite1.Test0001":     {404, ""},
		"/cell/cluster?build=18029&test=none":            {404, ""},
		"/cell/cluster?build=18029&test=suite2.Test0002": {500, ""},
		"/cell/issue?build=18000&test=ci-big.Overall":    {302, "/harbour/halyard/issues/new?body="},
	} {
		w := get(h, kubelet+path)
		if w.Code != want.code || !strings.HasPrefix(w.Header().Get("Location"), want.to) {
			t.Errorf("%s answers %d %q, want %d %q", path, w.Code, w.Header().Get("Location"), want.code, want.to)
		}
	}
	to, err := url.Parse(get(h, kubelet+"/cell/issue?"+failingCell).Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Cluster a/b", "sig-node kubelet", "Build 18029 of", "boom</b> in 29"} {
		if !strings.Contains(to.Query().Get("body"), want) {
			t.Errorf("the issue does not say %q:\n%s", want, to.Query().Get("body"))
		}
	}
	if code, _ := visit(t, abroad(t, foreign{err: errors.New("away")}, nil), kubelet); code != http.StatusInternalServerError {
		t.Errorf("a grid whose home cannot be found answers %d", code)
	}
}

// A link to a cell shows it wherever it is, and says so where it is not.
func TestLinkToACell(t *testing.T) {
	t.Parallel()
	h := site(t, newWorld())
	const big = "/dashboards/fleet-blocking/big"
	type view struct {
		At   *[2]int
		View grid.View
	}
	read := func(query string) (view, string) {
		t.Helper()
		code, body := visit(t, h, big+"?"+query)
		_, rest, _ := strings.Cut(body, `<script type="application/json">`)
		data, _, ok := strings.Cut(rest, "</script>")
		var v view
		if err := json.Unmarshal([]byte(data), &v); code != http.StatusOK || !ok || err != nil {
			t.Fatalf("%s: %d, %v", query, code, err)
		}
		return v, body
	}
	for query, want := range map[string]struct{ build, test string }{
		"build=18003&test=suite4.Test0200":                             {"18003", "suite4.Test0200"},
		"build=18003&test=suite4.Test0200&columns=10":                  {"18003", "suite4.Test0200"},
		"build=18029&test=suite1.Test0001&sort=failures&only=failures": {"18029", "suite1.Test0001"},
		"build=18010&test=suite6.Test0006&group=hierarchy":             {"18010", "suite6.Test0006"},
		"build=18010":          {"18010", "ci-big.Overall"},
		"test=suite4.Test0200": {"18029", "suite4.Test0200"},
	} {
		v, _ := read(query)
		if v.At == nil {
			t.Errorf("%s points nowhere", query)
			continue
		}
		row, column := v.At[0]-v.View.RowsFrom, v.At[1]
		if row < 0 || row >= len(v.View.Rows) || column >= len(v.View.Columns) {
			t.Errorf("%s points to %v, outside of what is sent", query, *v.At)
			continue
		}
		if got := v.View.Rows[row].Name; got != want.test {
			t.Errorf("%s points to the row %s", query, got)
		}
		if got := v.View.Columns[column].Build; got != want.build {
			t.Errorf("%s points to the build %s", query, got)
		}
	}
	for query, want := range map[string]string{
		"build=7&test=suite4.Test0200":                    "There is no build 7 here",
		"build=18003&test=none":                           "No row that is shown is called none.",
		"build=18003&test=suite4.Test0200&exclude=suite4": "No row that is shown is called suite4.Test0200.",
	} {
		if _, body := read(query); !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", query, want)
		}
	}
	w := get(h, big+"/rows?build=18003&test=none&columns=10&from=0&rows=5")
	if w.Code != http.StatusOK {
		t.Errorf("rows for a page that points nowhere: %d", w.Code)
	}
}

// Several expressions stay in the form, each in a field, with one for another.
func TestSeveralExpressions(t *testing.T) {
	t.Parallel()
	h := site(t, newWorld())
	const big = "/dashboards/fleet-blocking/big?"
	_, body := visit(t, h, big+"include=Test00&include=suite1&include=&exclude=(&exclude=Test0008")
	for text, want := range map[string]int{`name="include"`: 3, `name="exclude"`: 3, `value="suite1"`: 1, `value="Test0008"`: 1, `aria-invalid="true"`: 1, "is no regular expression": 1} {
		if got := strings.Count(body, text); got != want {
			t.Errorf("%s is there %d times, want %d", text, got, want)
		}
	}
	if !strings.Contains(body, "14 rows of 301") { // 15 of suite 1, but for Test0008
		t.Error("the expressions that can be read do not all count")
	}
	_, body = visit(t, h, big+strings.Repeat("include=Test&", 9))
	if strings.Count(body, `name="include"`) != 8 || !strings.Contains(body, "Only the first 8 expressions") {
		t.Error("more expressions than there may be are not told of")
	}
}

// However much fails, the page stays small; nothing of it is out of reach.
func TestPageOfFailuresStaysSmall(t *testing.T) {
	t.Parallel()
	h := siteWith(t, func(o *web.Options) { o.Signal = oneGrid{&world{}, rough(200, 400)} })
	said := map[string]bool{}
	for next, pages := "/harbour/halyard/grid/post-unit?sort=failures&causes=all", 0; next != ""; pages++ {
		code, body := visit(t, h, next)
		if code != http.StatusOK || len(body) > 240_000 || pages > 50 {
			t.Fatalf("%s: %d with %d bytes, page %d", next, code, len(body), pages)
		}
		_, causes, _ := strings.Cut(body, `id="causes"`)
		for _, m := range texts(t, causes, "message") {
			if said[m] {
				t.Errorf("%q is told twice", m)
			}
			said[m] = true
		}
		to := hrefs(t, body, "messages after →")
		if next = ""; len(to) == 1 {
			next = "/harbour/halyard/grid/post-unit" + strings.TrimSuffix(to[0], "#causes")
		}
	}
	if len(said) < 31 {
		t.Errorf("%d messages are told in all", len(said))
	}
	for _, odd := range []string{"99999", "-3", "x", "0"} {
		if code, body := visit(t, h, "/harbour/halyard/grid/post-unit?causes="+odd); code != http.StatusOK || !strings.Contains(body, `id="causes" open`) {
			t.Errorf("causes=%s answers %d", odd, code)
		}
	}
}

// A page that has not changed is not sent twice.
func TestUnchangedPage(t *testing.T) {
	t.Parallel()
	h := site(t, newWorld())
	first := get(h, "/dashboards/fleet-blocking")
	ask := func(path, tag string) int {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusNotModified && w.Body.Len() > 0 {
			t.Errorf("%s: %d bytes with nothing new", path, w.Body.Len())
		}
		return w.Code
	}
	tag := first.Header().Get("ETag")
	if tag == "" || ask("/dashboards/fleet-blocking", tag) != http.StatusNotModified {
		t.Errorf("the page with tag %q is sent again", tag)
	}
	if ask("/signal", tag) != http.StatusOK || ask("/dashboards/none", tag) != http.StatusNotFound {
		t.Error("another page passes for this one")
	}
}

// alone has failures that are in no cluster.
type alone struct {
	failures
	single int
}

func (a alone) List(context.Context, live.Filter) (live.List, error) {
	return live.List{Single: a.single, From: now, Until: now}, nil
}

func TestSingleFailuresAreCountedInEnglish(t *testing.T) {
	t.Parallel()
	for single, want := range map[int]string{0: "", 1: "1 more of a single failure is left out.", 2: "2 more of a single failure are left out.", 1200: "1,200 more of a single failure are left out."} {
		_, body := visit(t, siteWith(t, func(o *web.Options) { o.Triage = alone{single: single} }), "/triage")
		if !strings.Contains(body, want) || want == "" && strings.Contains(body, "left out") {
			t.Errorf("%d single failures: the page does not say %q", single, want)
		}
	}
}
