package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/signal/report"
	"seaworthy/signal/verdict"
	"seaworthy/triage/live"
	"seaworthy/web"
)

// rough is a grid in which tests fail that say the same, that say nothing, and
// that say much.
func rough(builds, tests int) *grid.Grid {
	g := grid.New("post-unit")
	for i := range builds {
		at := now.Add(time.Duration(i-builds) * time.Hour)
		b := grid.Build{ID: fmt.Sprint(1000 + i), Started: at, Finished: at.Add(time.Minute), Commit: "c", Passed: false}
		for n := range tests {
			t := grid.Test{Name: fmt.Sprintf("Test%03d [It] <b>", n), Status: grid.Fail, Message: "water <left> & rising"}
			switch {
			case n%7 == 1:
				t.Message = ""
			case n%7 == 2:
				t.Message = "only " + spelled(n) + " says this"
			case n%7 == 4:
				t.Message = fmt.Sprintf("dial tcp 10.0.0.%d:%d: connection refused after %d.5s", n, 40000+n+i, i+1)
			case n%7 == 3:
				t = grid.Test{Name: t.Name, Status: grid.Pass}
			}
			b.Tests = append(b.Tests, t)
		}
		g.Append(b, at.Add(time.Minute))
	}
	return g
}

// spelled is a number in letters, which are no noise.
func spelled(n int) string {
	text := ""
	for range 3 {
		text += string(rune('a' + n%26))
		n = n/26 + n%26*7
	}
	return text
}

// oneGrid has one grid for every job.
type oneGrid struct {
	*world
	g *grid.Grid
}

func (o oneGrid) Grid(context.Context, forge.RepoName, string) (*grid.Grid, error) { return o.g, nil }

// late answers nothing until nobody waits.
type late struct{ web.Verdicts }

func (late) Report(ctx context.Context, _ report.Query) (verdict.Report, error) {
	<-ctx.Done()
	return verdict.Report{}, ctx.Err()
}

// verdictSite has the signal of a project with a failing job.
func verdictSite(t *testing.T) http.Handler {
	t.Helper()
	boards := newHarbourBoards()
	return siteWith(t, func(o *web.Options) {
		o.Verdicts = func(r forge.RepoName) web.Verdicts {
			return report.New(report.Options{Repo: r.String(), Grids: boards, World: brokenWorld{}, Now: func() time.Time { return now },
				Settings: func(context.Context) (report.Settings, error) {
					return report.Settings{Rules: verdict.DefaultRules()}, nil
				}})
		}
	})
}

// texts collects what elements of a class hold.
func texts(t *testing.T, body, class string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "class" && a.Val == class {
				var b strings.Builder
				for d := range n.Descendants() {
					if d.Type == html.TextNode {
						b.WriteString(d.Data)
					}
				}
				all = append(all, b.String())
			}
		}
	}
	return all
}

// hrefs are the addresses that a page leads to whose text is as given.
func hrefs(t *testing.T, body, text string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "a" || n.FirstChild == nil || n.FirstChild.Data != text {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "href" {
				all = append(all, a.Val)
			}
		}
	}
	return all
}

// Failures that say the same are told once, with how many there are, below the
// grid; the page stays small however many there are.
func TestFailuresThatSayTheSame(t *testing.T) {
	t.Parallel()
	h := siteWith(t, func(o *web.Options) { o.Signal = oneGrid{&world{}, rough(3, 70)} })
	code, body := visit(t, h, "/harbour/halyard/grid/post-unit?sort=failures")
	if code != http.StatusOK {
		t.Fatalf("%d\n%s", code, body)
	}
	said := texts(t, body, "message")
	for text, want := range map[string]int{"water <left> & rising": 1, "only cou says this": 1} {
		n := 0
		_, folded, _ := strings.Cut(body, `id="causes"`)
		for _, s := range texts(t, folded, "message") {
			if s == text {
				n++
			}
		}
		if n != want {
			t.Errorf("%q is told %d times among %q", text, n, said)
		}
	}
	for _, want := range []string{`<details class="causes" id="causes">`, "What the failures say:", "no message", "30 rows, 3 builds", "90 cells", "3 cells", "10 rows, 3 builds"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	many := siteWith(t, func(o *web.Options) { o.Signal = oneGrid{&world{}, rough(4, 1500)} })
	_, big := visit(t, many, "/harbour/halyard/grid/post-unit")
	if len(big) > 200_000 || !strings.Contains(big, "What the failures say: ") {
		t.Errorf("the page has %d bytes", len(big))
	}
	all := hrefs(t, big, "All messages")
	if len(all) != 1 {
		t.Fatalf("the rest is at %q", all)
	}
	_, big = visit(t, many, "/harbour/halyard/grid/post-unit"+strings.TrimSuffix(all[0], "#causes"))
	if len(big) > 300_000 || !strings.Contains(big, "messages, 1 to 30 of ") || !strings.Contains(big, `id="causes" open`) || len(hrefs(t, big, "All messages")) != 0 {
		t.Errorf("the page of all has %d bytes", len(big))
	}
	_, filtered := visit(t, h, "/harbour/halyard/grid/post-unit?include=Test003")
	if strings.Contains(filtered, "What the failures say") {
		t.Error("failures are told of rows that are not shown")
	}
}

// From a grid's alert one gets to the cluster of its newest failure, or to those
// of the test and of its parts, and to the form of an issue that names it.
func TestAlertLeadsToItsCluster(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	k := &tracker{}
	h := siteWith(t, func(o *web.Options) {
		o.Signal, o.Issues, o.Triage = oneGrid{&world{}, rough(4, 5)}, k.form(), filed(t, 2, 0)
		o.ClusterOf = func(_ context.Context, build, test string) (string, bool, error) {
			asked[build] = true
			return "0123456789abcdef0123", test == "Test000 [It] <b>", nil
		}
	})
	_, body := visit(t, h, "/harbour/halyard/grid/post-unit")
	if !asked["logs/post-unit/1003"] {
		t.Errorf("looked at %v", asked)
	}
	if got := hrefs(t, body, "its cluster"); len(got) != 1 || got[0] != "/triage/0123456789abcdef0123" {
		t.Errorf("its cluster: %q", got)
	}
	for _, link := range hrefs(t, body, "alike failures") {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		f, err := live.ParseFilter(u.Query())
		if err != nil || !f.Alone || f.Test == "" {
			t.Errorf("%s: %+v %v", link, f, err)
		}
	}
	forms := hrefs(t, body, "file an issue")
	if len(forms) == 0 {
		t.Fatalf("no issue can be filed\n%s", body)
	}
	named := 0
	for _, form := range forms {
		u, err := url.Parse(form)
		if err != nil || u.Path != "/harbour/halyard/issues/new" || u.Query().Get("labels") != "kind/failing-test" || !strings.HasPrefix(u.Query().Get("title"), "[Failing test] ") {
			t.Errorf("%s %v", form, err)
			continue
		}
		if strings.Contains(u.Query().Get("body"), "\n\nCluster 0123456789abcdef0123\n") {
			named++
		}
		if code, page := visit(t, h, form); code != http.StatusOK || !strings.Contains(page, "### Which tests") {
			t.Errorf("%s: %d", form, code)
		}
	}
	if named != 1 {
		t.Errorf("%d forms name the cluster", named)
	}
}

// A run's failing tests lead to their pages, their rows in the grid and their
// clusters.
func TestRunLeadsToTestsAndGrid(t *testing.T) {
	t.Parallel()
	w := &world{runs: []job.Execution{{ID: "b", BuildID: "200", Job: "post-unit", Path: "logs/post-unit/200", State: job.Failure, CreatedAt: now, FinishedAt: now, Refs: job.Refs{Org: "harbour", Repo: "halyard"}}}}
	h := siteWith(t, func(o *web.Options) {
		o.Runs = w
		o.ClusterOf = func(_ context.Context, build, test string) (string, bool, error) {
			return "fedcba98765432100123", build == "logs/post-unit/200" && test == "TestShort", nil
		}
	})
	code, body := visit(t, h, "/runs/200")
	if code != http.StatusOK {
		t.Fatalf("%d\n%s", code, body)
	}
	for text, want := range map[string]string{
		"TestShort": "/tests?name=TestShort", "in the grid": "/harbour/halyard/grid/post-unit?include=%5ETestShort%24&stale=show",
		"failures of the same cause": "/triage/fedcba98765432100123", "the job's grid": "/harbour/halyard/grid/post-unit",
	} {
		if got := hrefs(t, body, text); len(got) != 1 || got[0] != want {
			t.Errorf("%q leads to %q, wanted %q", text, got, want)
		}
	}
}

// Links that filter by a test's name hold for names that are no expressions, and
// for names longer than an expression may be.
func TestLinksNameOneTest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"TestShort", "[sig-node] Pods (a|b) should *run* [It]", "a+b?", `back\slash`, strings.Repeat("[x]", 120), strings.Repeat("ä", 400), "bad \xff byte " + strings.Repeat("y", 600), "",
	} {
		for _, most := range []int{live.MostExpression, 500} {
			for _, end := range []string{"$", "(/|$)"} {
				pattern := web.Exactly(name, end, most)
				re, err := regexp.Compile(pattern)
				if err != nil || len(pattern) > most {
					t.Errorf("%.40q: %d bytes, %v", name, len(pattern), err)
					continue
				}
				if !re.MatchString(strings.ToValidUTF8(name, "")) && !strings.Contains(name, "\xff") {
					t.Errorf("%q does not match %q", pattern, name)
				}
				if len(name) > 0 && len(name) < 100 && re.MatchString("x"+name+"x") {
					t.Errorf("%q matches other names", pattern)
				}
			}
		}
	}
}

// The first page says in a word how the signal stands, and where that is
// explained; an answer that does not come does not keep the page.
func TestFirstPageSaysTheSignal(t *testing.T) {
	t.Parallel()
	_, body := visit(t, verdictSite(t), "/")
	got := texts(t, body, "signal-word")
	if len(got) != 1 || !strings.Contains(got[0], "red") || !strings.Contains(got[0], "why, for each branch") {
		t.Errorf("%q", got)
	}
	if leads := hrefs(t, body, "why, for each branch"); len(leads) != 1 || leads[0] != "/signal/report?repo=harbour%2Fhalyard" {
		t.Errorf("%q", leads)
	}
	slow := siteWith(t, func(o *web.Options) {
		o.Verdicts = func(forge.RepoName) web.Verdicts { return late{} }
	})
	code, body := visit(t, slow, "/")
	if got := texts(t, body, "signal-word"); code != http.StatusOK || len(got) != 1 || got[0] != "Is each branch red, yellow or green?" {
		t.Errorf("%d %q", code, got)
	}
}

// Numbers agree with the words that follow them.
func TestSentencesAgree(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		tally  web.Tally
		boards int
		want   string
		mark   string
	}{
		{web.Tally{grid.Passing: 1, grid.Flaky: 1}, 1, "1 of 2 tabs passes, 1 is flaky; 1 dashboard.", "yellow"},
		{web.Tally{grid.Passing: 2, grid.Acceptable: 1, grid.Flaky: 2, grid.Failing: 1, grid.Broken: 1, grid.Stale: 1}, 3, "3 of 8 tabs pass, 2 fail, 2 are flaky, 1 is stale; 3 dashboards.", "red"},
		{web.Tally{grid.Failing: 1}, 1, "0 of 1 tab pass, 1 fails; 1 dashboard.", "red"},
		{web.Tally{grid.Pending: 1, grid.Stale: 2}, 2, "0 of 3 tabs pass, 2 are stale, 1 has results to come; 2 dashboards.", "yellow"},
		{web.Tally{grid.Pending: 2}, 1, "0 of 2 tabs pass, 2 have results to come; 1 dashboard.", "unknown"},
		{web.Tally{grid.Passing: 4}, 1, "4 of 4 tabs pass; 1 dashboard.", "green"},
	} {
		m, says := web.VerdictOf(x.tally, x.boards)
		if says != x.want || m == nil || m.Word != x.mark {
			t.Errorf("%v: %q %+v, wanted %q %s", x.tally, says, m, x.want, x.mark)
		}
	}
	if m, says := web.VerdictOf(web.Tally{}, 0); m != nil || says != "No job has results yet." {
		t.Errorf("without tabs: %q %+v", says, m)
	}
}
