package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/history"
	"seaworthy/job"
	"seaworthy/signal/report"
)

// What a page of tests lists at most.
const (
	testsShown  = 100
	pullsShown  = 50
	stripLength = 30
)

// maxTestName bounds what is looked for, in bytes.
const maxTestName = 4096

type foundRow struct {
	report.Found
	Mark Mark
	Link string
}

type testsPage struct {
	Repos   []filter
	Repo    string
	Words   string
	Rows    []foundRow
	Counted string
	Name    string // that was asked for and is not there
	Others  []otherRow
}

type otherRow struct {
	history.OtherName
	Link string
}

type testLine struct {
	history.Line
	Mark  Mark
	Of    string
	Link  string
	Strip strip
	Last  string // address of the newest run
}

type testPage struct {
	Test     report.Test
	Repo     string
	Mark     Mark
	Why      string
	Flakes   template.HTML
	Lines    []testLine
	Branches []branchRow
	Others   []otherRow
	Cluster  string
	Alike    string // clusters that its failures may be in, where none is its own
	filing
	More int // pull requests that are not listed
}

type branchRow struct {
	history.Branch
	Mark   Mark
	Flakes template.HTML
}

// tests is the page of one test, or of a search for tests.
func (s *Site) tests(r *http.Request) (view, error) {
	repo, all, answers, err := s.about(r)
	if err != nil {
		return view{}, err
	}
	p := testsPage{Repo: r.FormValue("repo"), Words: r.FormValue("q"), Repos: repoFilters(r, "/tests", repo, all)}
	if len(p.Words) > maxTestName || len(r.FormValue("name")) > maxTestName {
		return view{}, errNoPage
	}
	if name := r.FormValue("name"); name != "" {
		t, err := answers.Test(r.Context(), name)
		if err == nil {
			shown := presentTest(t, p.Repo)
			if s.Triage != nil && shown.Cluster == "" && t.State != history.Passing {
				shown.Alike = alikeLink(t.Name)
			}
			shown.filing, err = s.filing(r.Context(), repo.String(), testDraft(t), t.Name)
			return view{page: "test", Title: t.Name, Nav: "signal", Topics: "runs", Data: shown}, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return view{}, err
		}
		p.Name, p.Others = name, otherRows(t.OtherNames, p.Repo)
	}
	found, total, err := answers.Search(r.Context(), p.Words, testsShown)
	if err != nil {
		return view{}, err
	}
	for _, f := range found {
		p.Rows = append(p.Rows, foundRow{f, historyMark(f.State), testAddress(f.Name, p.Repo)})
	}
	p.Counted = plural(total, "test", "tests")
	if total > len(found) {
		p.Counted = fmt.Sprintf("%d of %d tests", len(found), total)
	}
	return view{page: "tests", Title: "Tests", Nav: "signal", Data: p}, nil
}

// testAddress leads to the page of a test; repo may be empty.
func testAddress(name, repo string) string {
	q := url.Values{"name": {name}}
	if repo != "" {
		q.Set("repo", repo)
	}
	return "/tests?" + q.Encode()
}

func otherRows(others []history.OtherName, repo string) []otherRow {
	var out []otherRow
	for _, o := range others {
		out = append(out, otherRow{o, testAddress(o.Name, repo)})
	}
	return out
}

func presentTest(t report.Test, repo string) testPage {
	p := testPage{Test: t, Repo: repo, Mark: historyMark(t.State), Flakes: rateBar(t.FlakeRate), Others: otherRows(t.OtherNames, repo)}
	if t.Cluster != "" {
		p.Cluster = "/triage/" + url.PathEscape(t.Cluster)
	}
	for _, l := range t.Jobs {
		p.Lines = append(p.Lines, presentLine(l))
		if p.Why == "" && l.State == t.State {
			p.Why = fmt.Sprintf("In %s %s.", l.Job, l.Why)
		}
	}
	for _, b := range t.Branches {
		p.Branches = append(p.Branches, branchRow{b, historyMark(b.State), rateBar(b.FlakeRate)})
	}
	if p.More = len(t.Pulls) - pullsShown; p.More > 0 {
		p.Test.Pulls = t.Pulls[:pullsShown]
	}
	return p
}

// testDraft is the issue about a test that does not pass.
func testDraft(t report.Test) draft {
	var b strings.Builder
	fmt.Fprintf(&b, "### Which jobs\n\n")
	listed := 0
	for _, l := range t.Jobs {
		if l.State == history.Passing || listed == 10 {
			continue
		}
		listed++
		fmt.Fprintf(&b, "- %s: %s\n", l.Job, l.Why)
	}
	fmt.Fprintf(&b, "\n### Which tests\n\n- %s\n\n### Since when\n\n", t.Name)
	if bad := t.FirstBad; bad != nil {
		fmt.Fprintf(&b, "First bad build %s", bad.FirstBad.Build)
		if bad.FirstBad.Commit != "" {
			fmt.Fprintf(&b, " at %s", short(bad.FirstBad.Commit))
		}
		if good := bad.LastGood; good != nil {
			fmt.Fprintf(&b, ", last good %s", good.Build)
			if good.Commit != "" {
				fmt.Fprintf(&b, " at %s", short(good.Commit))
			}
		}
		b.WriteString(".")
	} else {
		b.WriteString("It is not broken throughout.")
	}
	fmt.Fprintf(&b, " It passes in %s and flakes in %s of its runs.", t.PassRate, t.FlakeRate)
	for _, l := range t.Jobs {
		if l.Message != "" {
			text := shorten(l.Message, 1500)
			fmt.Fprintf(&b, "\n\n### What it says\n\n%s\n%s\n%s", fence(text), text, fence(text))
			break
		}
	}
	title, label := "[Failing test] ", "kind/failing-test"
	if t.State == history.Flaky {
		title, label = "[Flaking test] ", "kind/flake"
	}
	return drafted(title+t.Name, b.String(), clusterLine(t.Cluster)+"\n", label)
}

func presentLine(l history.Line) testLine {
	x := testLine{Line: l, Mark: historyMark(l.State), Of: l.Branch, Link: "/dashboards/" + url.PathEscape(l.Dashboard) + "/" + url.PathEscape(l.Tab) + "?" + url.Values{"include": {exactly(l.Name, "$", mostPattern)}, "stale": {"show"}}.Encode()}
	if l.Presubmit {
		x.Of = "changes to " + l.Branch
	}
	recent := l.Recent[:min(len(l.Recent), stripLength)]
	outcomes := make([]grid.Outcome, len(recent))
	for i, r := range recent {
		outcomes[i] = r.Outcome
	}
	x.Strip = newStrip(outcomes, func(i int) string { return "build " + recent[i].Build })
	if len(recent) > 0 {
		x.Last = "/runs/" + url.PathEscape(recent[0].Build)
	}
	return x
}

func historyMark(s history.State) Mark {
	switch s {
	case history.Passing:
		return mark("pass", string(s))
	case history.Flaky:
		return mark("flake", string(s))
	case history.Broken:
		return mark("fail", string(s))
	}
	return mark("idle", string(s))
}

// rateBar draws a rate as a tick within the interval that holds with 95 percent
// certainty, on a line from 0 to 100 percent.
func rateBar(r history.Rate) template.HTML {
	if r.Of == 0 {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<svg class="rate" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="%s of %d runs">`+
		`<path class="rate-line" d="M0 5h100"/><path class="rate-span" d="M%.1f 2h%.1fv6h-%.1[4]fz"/><path class="rate-tick" d="M%.1f 0v10"/></svg>`,
		template.HTMLEscapeString(r.String()), r.Of, r.Low, max(r.High-r.Low, 0.5), r.Percent))
}

// knownRow is a failure of a change that its target branch has, too.
type knownRow struct {
	Test string
	Says string
	Same bool
	Link string
}

// Failures of a run that are looked for on the target branch at most.
const knownLookups = 50

// known looks for the failures of a change's run on the branch it goes to.
func (s *Site) known(ctx context.Context, e job.Execution, failures []failedTest) ([]knownRow, error) {
	if s.Verdicts == nil || len(e.Refs.Pulls) == 0 || len(failures) == 0 {
		return nil, nil
	}
	repo := forge.RepoName{Owner: e.Refs.Org, Name: e.Refs.Repo}
	var asked []report.Failure
	for _, f := range failures[:min(len(failures), knownLookups)] {
		asked = append(asked, report.Failure{Test: f.Name, Message: f.Message})
	}
	found, err := s.Verdicts(repo).Known(ctx, repo.String(), e.Refs.BaseRef, asked)
	if err != nil {
		return nil, fmt.Errorf("looking for the failures of %s on %s: %w", e.BuildID, e.Refs.BaseRef, err)
	}
	var rows []knownRow
	for _, k := range found {
		rows = append(rows, knownRow{k.Test, k.String(), k.Same, testAddress(k.Test, repo.String())})
	}
	return rows, nil
}
