package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/signal"
	"seaworthy/signal/report"
	"seaworthy/signal/verdict"
	"seaworthy/triage/live"
	"seaworthy/web"
)

// fleet is a world in which every build of a grid has its run, and every test
// leads to a cluster.
type fleet struct{ *world }

func (f fleet) Execution(ctx context.Context, id string) (job.Execution, error) {
	if e, err := f.world.Execution(ctx, id); err == nil {
		return e, nil
	}
	return job.Execution{ID: id, BuildID: id, Job: "post-unit", State: job.Failure, CreatedAt: now.Add(-time.Hour), StartedAt: now.Add(-time.Hour), FinishedAt: now}, nil
}

// PullRequest knows every change that some page names.
func (f fleet) PullRequest(ctx context.Context, name forge.RepoName, n int) (forge.PullRequest, error) {
	if p, err := f.world.PullRequest(ctx, name, n); err == nil {
		return p, nil
	}
	return forge.PullRequest{Repo: name, Number: n, Title: "Some change", Author: "ada", State: forge.StateOpen, Base: forge.Side{Branch: "main"}, Head: forge.Side{Branch: "b", SHA: "beef"}, UpdatedAt: now}, nil
}

func (f fleet) Issue(ctx context.Context, name forge.RepoName, n int) (forge.Issue, error) {
	if n == 9 {
		return forge.Issue{Repo: name, Number: 9, Title: "TestDrain <b> fails", State: forge.StateOpen, Author: "ada", CreatedAt: now}, nil
	}
	return f.world.Issue(ctx, name, n)
}

// signals are the dashboards of two fakes as one.
type signals struct {
	*world
	harbour *harbourBoards
}

func (s signals) Dashboards(ctx context.Context) (dashboard.Config, error) {
	c, err := s.world.Dashboards(ctx)
	c.Dashboards = append(c.Dashboards, s.harbour.config.Dashboards...)
	c.TestGroups = append(c.TestGroups, s.harbour.config.TestGroups...)
	return c, err
}

func (s signals) Summaries(ctx context.Context, board string) ([]signal.TabSummary, error) {
	if _, ok := s.harbour.config.Dashboard(board); ok {
		return s.harbour.summaries(ctx, board)
	}
	return s.world.Summaries(ctx, board)
}

// summaries sum up the tabs of a dashboard.
func (b *harbourBoards) summaries(ctx context.Context, board string) ([]signal.TabSummary, error) {
	d, ok := b.config.Dashboard(board)
	if !ok {
		return nil, fs.ErrNotExist
	}
	var all []signal.TabSummary
	for _, t := range d.Tabs {
		g, _, o, err := b.TabGrid(ctx, board, t.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, signal.TabSummary{Dashboard: d.Name, Tab: t.Name, Description: t.Description, TestGroup: t.TestGroup, Job: t.TestGroup, Summary: grid.Summarize(g, o, now), LastRun: now.Add(-time.Hour), Problem: g.Job})
	}
	return all, nil
}

func (s signals) TabGrid(ctx context.Context, board, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	if g, t, o, err := s.harbour.TabGrid(ctx, board, tab); err == nil {
		return g, t, o, nil
	}
	return s.world.TabGrid(ctx, board, tab)
}

// wholeSite has every page there is.
func wholeSite(t testing.TB) http.Handler {
	t.Helper()
	w := newWorld()
	w.big = bigGrid(12, 20)
	f, harbour := fleet{w}, newHarbourBoards()
	s, err := web.New(web.Options{
		Repos: func(context.Context) ([]forge.RepoName, error) { return []forge.RepoName{repo}, nil },
		Runs:  f, Forge: f, Queue: w, Signal: signals{w, harbour}, Releases: flows{}, Hub: &web.Hub{}, Triage: filed(t, 30, 0),
		Verdicts: func(r forge.RepoName) web.Verdicts {
			return report.New(report.Options{Repo: r.String(), Grids: harbour, World: brokenWorld{}, Now: func() time.Time { return now },
				Settings: func(context.Context) (report.Settings, error) {
					return report.Settings{Rules: verdict.DefaultRules()}, nil
				}})
		},
		Story: func() []web.StoryStep {
			return []web.StoryStep{{Title: "A step", State: "done", Link: "/signal/report", Duration: time.Second}}
		},
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Version: "v0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// parse reads a page.
func parse(t testing.TB, body io.Reader) *html.Node {
	t.Helper()
	root, err := html.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// textOf is what a reader sees of an element.
func textOf(n *html.Node) string {
	var s strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			s.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(s.String()), " ")
}

// leadsTo lists where the links and the forms of a page lead within the site.
func leadsTo(t testing.TB, from string, root *html.Node) []string {
	t.Helper()
	at, err := url.Parse(from)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for n := range root.Descendants() {
		var to string
		var ok bool
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "a" || n.Data == "link":
			to, ok = attribute(n, "href")
		case n.Data == "script" || n.Data == "img":
			to, ok = attribute(n, "src")
		case n.Data == "form":
			if method, _ := attribute(n, "method"); !strings.EqualFold(method, "post") {
				to, ok = attribute(n, "action")
			}
		}
		if !ok {
			continue
		}
		u, err := at.Parse(to)
		if err != nil {
			t.Errorf("%s: %q is no address: %v", from, to, err)
			continue
		}
		if u.Host != "" || u.Scheme != "" {
			continue
		}
		u.Fragment = ""
		all = append(all, u.String())
	}
	return all
}

// Every link leads somewhere: whoever begins at the first page and follows all
// links finds no page that is not there and none that cannot be made.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	h := wholeSite(t)
	from := map[string]string{"/": "the beginning", "/d": "a release's file, which the forge serves"}
	todo := []string{"/"}
	// Pages of one kind are enough at some number.
	visited := map[string]int{}
	kind := func(path string) string {
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(u.EscapedPath(), "/")
		for i, p := range parts {
			if i > 1 && strings.ContainsAny(p, "0123456789") {
				parts[i] = "#"
			}
		}
		var names []string
		for name := range u.Query() {
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(parts, "/") + "?" + strings.Join(names, "&")
	}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if k := kind(path); visited[k] >= 12 {
			continue
		} else {
			visited[k]++
		}
		w := get(h, path)
		switch {
		case w.Code == http.StatusFound || w.Code == http.StatusSeeOther:
			w.Body.Reset()
			to := w.Header().Get("Location")
			if u, err := url.Parse(to); err == nil && u.Host == "" && from[to] == "" {
				from[to] = path
				todo = append(todo, to)
			}
			continue
		case w.Code != http.StatusOK:
			t.Errorf("%s, which %s leads to, answers %d", path, from[path], w.Code)
			continue
		case !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"):
			continue
		}
		body := w.Body.String()
		if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "%!") || strings.Contains(body, "<nil>") || strings.Contains(body, "&lt;nil&gt;") || strings.Contains(body, "NaN") {
			t.Errorf("%s shows what was not formatted", path)
		}
		root := parse(t, strings.NewReader(body))
		sound(t, w)
		usable(t, path, root)
		for _, to := range leadsTo(t, path, root) {
			if from[to] == "" {
				from[to] = path
				todo = append(todo, to)
			}
		}
		if t.Failed() && len(visited) > 400 {
			t.Fatal("enough")
		}
	}
	for _, k := range []string{"/triage?", "/triage/#?", "/tests?", "/tests?name", "/signal?", "/signal/report?", "/dashboards/fleet-blocking?", "/dashboards/fleet-blocking/big?", "/dashboards/fleet-blocking/big/graph?",
		"/compare?tab", "/runs/#?", "/changes?", "/releases?"} {
		if visited[k] == 0 {
			t.Errorf("no link leads to %s: %v", k, len(visited))
		}
	}
}

// usable checks what a page owes to those who do not use a mouse, or do not see
// it: names of fields, links and buttons, headings without a gap, tables with
// heads, and an end to every reference within the page.
func usable(t *testing.T, path string, root *html.Node) {
	t.Helper()
	ids, labelled := map[string]bool{}, map[string]bool{}
	for n := range root.Descendants() {
		if id, ok := attribute(n, "id"); ok {
			ids[id] = true
		}
		if to, ok := attribute(n, "for"); ok && n.Data == "label" {
			labelled[to] = true
		}
	}
	level := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, name := range []string{"aria-labelledby", "aria-describedby", "aria-controls", "for"} {
			value, ok := attribute(n, name)
			for id := range strings.FieldsSeq(value) {
				if ok && !ids[id] {
					t.Errorf("%s: <%s %s=%q> names what is not on the page", path, n.Data, name, id)
				}
			}
		}
		switch n.Data {
		case "html":
			if lang, _ := attribute(n, "lang"); lang == "" {
				t.Errorf("%s: the page has no language", path)
			}
		case "input", "select", "textarea":
			if kind, _ := attribute(n, "type"); kind == "hidden" || kind == "submit" {
				continue
			}
			id, _ := attribute(n, "id")
			label, _ := attribute(n, "aria-label")
			by, _ := attribute(n, "aria-labelledby")
			if label == "" && by == "" && !labelled[id] && !within(n, "label") {
				name, _ := attribute(n, "name")
				t.Errorf("%s: the field %q has no label", path, name)
			}
		case "a", "button":
			label, _ := attribute(n, "aria-label")
			title, _ := attribute(n, "title")
			if textOf(n) == "" && label == "" && title == "" && !holds(n, "title") && !holds(n, "img") {
				to, _ := attribute(n, "href")
				t.Errorf("%s: <%s href=%q> has no name", path, n.Data, to)
			}
		case "img":
			if _, ok := attribute(n, "alt"); !ok {
				t.Errorf("%s: an image without alt", path)
			}
		case "svg":
			label, _ := attribute(n, "aria-label")
			by, _ := attribute(n, "aria-labelledby")
			hidden, _ := attribute(n, "aria-hidden")
			if label == "" && by == "" && hidden != "true" && !holds(n, "title") {
				t.Errorf("%s: a drawing that is neither named nor hidden", path)
			}
		case "h1", "h2", "h3", "h4":
			now := int(n.Data[1] - '0')
			if now > level+1 {
				t.Errorf("%s: <%s> %q follows a heading of level %d", path, n.Data, textOf(n), level)
			}
			level = now
		case "table":
			if !holds(n, "th") {
				t.Errorf("%s: a table without heads", path)
			}
		}
	}
}

func within(n *html.Node, name string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == name {
			return true
		}
	}
	return false
}

func holds(n *html.Node, name string) bool {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && c.Data == name {
			return true
		}
	}
	return false
}

// What other people name things must not become a part of the page.
const (
	hostileMark = "x-hostile"
	hostileName = `"'><x-hostile onclick=alert(1)>&amp;` + "\n\u202eesrever\u0000 {{.}} ${1} </script></style></title>"
)

// hostileTable is triage's file full of hostile names.
func hostileTable(t testing.TB) failures {
	t.Helper()
	quoted := func(s string) string { return string(mustJSON(t, s)) }
	name := quoted(hostileName)
	text := fmt.Sprintf(`{"clustered":[{"id":"abcdef0123456789abcd","key":%[1]s,"text":%[1]s,"spans":[3,5],"owner":%[1]s,"tests":[{"name":%[1]s,"jobs":[{"name":%[1]s,"builds":["1","2"]}]}]}],
"builds":{"jobs":{%[1]s:[1,2,0]},"job_paths":{%[1]s:%[2]s},"cols":{"started":[%[3]d,%[4]d]}}}`, name, quoted("gs://"+hostileName), now.Add(-2*time.Hour).Unix(), now.Add(-time.Hour).Unix())
	x, _, err := live.ReadData(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return failures{x}
}

// hostileBoards are dashboards all of whose names are hostile.
func hostileBoards() *harbourBoards {
	b := &harbourBoards{grids: map[string]*grid.Grid{}}
	g := grid.NewWith(hostileName, grid.Settings{Headers: []string{hostileName}})
	for i := range 8 {
		at := now.Add(time.Duration(i-9) * time.Hour)
		x := grid.Build{ID: fmt.Sprint(100 + i), Started: at, Finished: at.Add(time.Minute), Passed: i < 4, Commit: hostileName, Headers: []string{hostileName},
			Tests: []grid.Test{{Name: hostileName, Status: grid.Pass, Duration: time.Second, Metrics: map[string]float64{hostileName: float64(i)}, Properties: map[string]string{hostileName: hostileName}}}}
		if i >= 4 {
			x.Tests[0].Status, x.Tests[0].Message = grid.Fail, hostileName
		}
		g.Append(x, now)
	}
	b.grids[hostileName] = g
	evil := &dashboard.Link{URL: "javascript:alert('<x-hostile>')", Options: []dashboard.LinkOption{{Key: hostileName, Value: hostileName}}}
	b.config = dashboard.Config{
		DashboardGroups: []dashboard.Group{{Name: hostileName, Description: hostileName, Dashboards: []string{hostileName}}},
		Dashboards: []dashboard.Dashboard{{Name: hostileName, Description: hostileName, Notifications: []dashboard.Notification{{Summary: hostileName, Link: "data:text/html,<x-hostile>"}},
			Tabs: []dashboard.Tab{{Name: hostileName, TestGroup: hostileName, Description: hostileName, OpenTest: evil, FileBug: evil, CodeSearch: evil, OpenBug: evil}}}},
		TestGroups: []dashboard.TestGroup{{Name: hostileName, Prefix: "b/logs/" + hostileName}},
	}
	return b
}

// evilSignal shows hostile boards.
type evilSignal struct {
	*world
	boards *harbourBoards
}

func (s evilSignal) Dashboards(ctx context.Context) (dashboard.Config, error) {
	return s.boards.Dashboards(ctx)
}

func (s evilSignal) Summaries(ctx context.Context, board string) ([]signal.TabSummary, error) {
	return s.boards.summaries(ctx, board)
}

func (s evilSignal) TabGrid(ctx context.Context, board, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	return s.boards.TabGrid(ctx, board, tab)
}

// Whatever things are called, the pages show the name and nothing else happens.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	boards := hostileBoards()
	w := newWorld()
	h, err := web.New(web.Options{
		Repos: func(context.Context) ([]forge.RepoName, error) { return []forge.RepoName{repo}, nil },
		Runs:  fleet{w}, Forge: w, Queue: w, Signal: evilSignal{w, boards}, Releases: flows{}, Hub: &web.Hub{}, Triage: hostileTable(t),
		Verdicts: func(r forge.RepoName) web.Verdicts {
			return report.New(report.Options{Repo: r.String(), Grids: boards, Now: func() time.Time { return now },
				Settings: func(context.Context) (report.Settings, error) {
					return report.Settings{Rules: verdict.DefaultRules()}, nil
				}})
		},
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Version: "v0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	name := url.PathEscape(hostileName)
	query := url.QueryEscape(hostileName)
	board := "/dashboards/" + name
	for _, path := range []string{
		"/triage", "/triage?text=" + query, "/triage?owner=" + query, "/triage?branch=" + query, "/triage/abcdef0123456789abcd", "/triage/" + name,
		"/tests?name=" + query, "/tests?q=" + query, "/tests", "/signal", "/signal?group=" + query, "/signal?status=" + query, "/signal/report", "/signal/report?branch=" + query, "/signal/report?at=" + query,
		board, board + "?status=" + query, board + "/" + name, board + "/" + name + "?include=" + query, board + "/" + name + "?sort=" + query, board + "/" + name + "?group=" + query + "&pattern=" + query,
		board + "/" + name + "?group=hierarchy", board + "/" + name + "/graph", board + "/" + name + "/graph?test=" + query, board + "/" + name + "/graph?metric=" + query, board + "/" + name + "/between?from=100&to=107",
		"/compare?tab=" + url.QueryEscape(hostileName+"/"+hostileName) + "&tab=" + url.QueryEscape(hostileName+"/"+hostileName) + "&all=rows", "/compare?tab=" + query, "/runs?job=" + query,
	} {
		answer := get(h, path)
		if answer.Code != http.StatusOK && answer.Code != http.StatusNotFound {
			t.Errorf("%.80q answers %d: %.300s", path, answer.Code, answer.Body)
			continue
		}
		body := answer.Body.String()
		if strings.Contains(body, "ZgotmplZ") {
			t.Errorf("%.80q: a value that had to be withheld", path)
		}
		sound(t, answer)
		root := parse(t, strings.NewReader(body))
		usable(t, path, root)
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == hostileMark {
				t.Errorf("%.80q: a name became an element", path)
			}
			for _, a := range n.Attr {
				if a.Key != "href" && a.Key != "src" && a.Key != "action" {
					continue
				}
				for _, scheme := range []string{"javascript:", "data:", "vbscript:"} {
					if strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), scheme) {
						t.Errorf("%.80q: <%s %s=%q>", path, n.Data, a.Key, a.Val)
					}
				}
			}
		}
	}
	// The name is shown, not left out.
	for _, path := range []string{"/triage/abcdef0123456789abcd", "/tests?name=" + query, board, board + "/" + name} {
		if body := get(h, path).Body.String(); !strings.Contains(textOf(parse(t, strings.NewReader(body))), "<x-hostile onclick=alert(1)>&amp;") {
			t.Errorf("%.80q does not show the name", path)
		}
	}
	// Files that the script and other programs read.
	for _, path := range []string{board + "/" + name + "/rows", "/signal/report.json", "/signal/report.md"} {
		answer := get(h, path)
		if answer.Code != http.StatusOK || strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") || answer.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%.80q: %d, %v", path, answer.Code, answer.Header())
		}
	}
}

// Nobody writes with GET, and what is written is not taken from elsewhere.
func TestOnlyWhatIsOffered(t *testing.T) {
	t.Parallel()
	h := wholeSite(t)
	for _, path := range []string{"/", "/signal", "/triage", "/tests", "/dashboards/fleet-blocking", "/dashboards/fleet-blocking/big", "/compare", "/signal/report", "/changes", "/runs", "/releases"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("a=b")))
			if w.Code < 400 || w.Code >= 500 {
				t.Errorf("%s %s answers %d", method, path, w.Code)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("HEAD %s answers %d", path, w.Code)
		}
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
