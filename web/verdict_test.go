package web_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/grid/history"
	"seaworthy/job"
	"seaworthy/signal/report"
	"seaworthy/signal/verdict"
	"seaworthy/web"
)

// harbourBoards are two dashboards that decide about main, one of them failing.
type harbourBoards struct {
	grids  map[string]*grid.Grid
	config dashboard.Config
}

func (b *harbourBoards) Dashboards(context.Context) (dashboard.Config, error) { return b.config, nil }

func (b *harbourBoards) TabGrid(_ context.Context, dash, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	t, _, ok := b.config.Tab(dash, tab)
	if !ok {
		return nil, t, grid.Options{}, fs.ErrNotExist
	}
	return b.grids[tab], t, grid.Options{}, nil
}

func newHarbourBoards() *harbourBoards {
	b := &harbourBoards{grids: map[string]*grid.Grid{}}
	for _, tab := range []struct{ dash, job, test, prefix, runs string }{
		{"demo-blocking", "post-unit", "TestDrain <b>", "logs", "FFFPPPPP"}, {"demo-informing", "post-slow", "TestDrain <b>", "logs", "PFPPPPPP"},
		{"demo-presubmits", "pull-unit", "TestDrain <b>", "pr-logs/directory", "FPPF"},
	} {
		g := grid.New(tab.job)
		for i := len(tab.runs) - 1; i >= 0; i-- {
			x := grid.Build{ID: fmt.Sprint(500 - i), Started: now.Add(-time.Hour - time.Duration(i)*2*time.Hour), Passed: tab.runs[i] == 'P', Commit: fmt.Sprintf("c%d", i), Tests: []grid.Test{{Name: tab.test, Status: grid.Pass}}}
			x.Finished = x.Started.Add(time.Minute)
			if tab.prefix != "logs" {
				x.Pull, x.Commit = 7+i/2, fmt.Sprintf("head%d", i/2)
			}
			if !x.Passed {
				x.Tests[0] = grid.Test{Name: tab.test, Status: grid.Fail, Message: "water <left>"}
			}
			g.Append(x, now)
		}
		b.grids[tab.job] = g
		b.config.Dashboards = append(b.config.Dashboards, dashboard.Dashboard{Name: tab.dash, Tabs: []dashboard.Tab{{Name: tab.job, TestGroup: tab.job}}})
		b.config.TestGroups = append(b.config.TestGroups, dashboard.TestGroup{Name: tab.job, Prefix: tab.prefix + "/" + tab.job})
	}
	return b
}

// brokenWorld has issues, and cannot read commits.
type brokenWorld struct{}

func (brokenWorld) Issues(context.Context) ([]verdict.Issue, error) {
	return []verdict.Issue{{Number: 9, Title: "TestDrain <b> fails", Link: "/harbour/halyard/issues/9"}}, nil
}
func (brokenWorld) Commits(context.Context, string, string, string) ([]history.Commit, error) {
	return nil, errors.New("no clone")
}
func (brokenWorld) Fixes(context.Context, string, []int, []string) ([]history.Fix, error) {
	return nil, nil
}

func TestVerdictPages(t *testing.T) {
	t.Parallel()
	h := siteWith(t, func(o *web.Options) {
		boards := newHarbourBoards()
		o.Verdicts = func(r forge.RepoName) web.Verdicts {
			return report.New(report.Options{Repo: r.String(), Grids: boards, World: brokenWorld{}, Now: func() time.Time { return now },
				Settings: func(context.Context) (report.Settings, error) {
					return report.Settings{Rules: verdict.DefaultRules()}, nil
				}})
		}
	})
	for _, tt := range []struct {
		path string
		code int
		want []string
		not  []string
	}{
		{"/signal/report", 200, []string{"Signal report", ">red<", "blocking job post-unit is failing: TestDrain &lt;b&gt; failed 3 times in a row", "not ready to cut", "0 green runs in a row",
			"critical-urgent", `href="/tests?name=TestDrain%20%3cb%3e"`, `href="/harbour/halyard/issues/9"`, "misses 4 criteria", "informing job post-slow is flaky"}, []string{"pull-unit", "<b>", "<left>"}},
		{"/signal/report?branch=main&at=2026-03-13", 200, []string{"2026-03-13T00:00:00Z"}, []string{"failed 3 times"}},
		{"/signal/report?at=soon", 200, []string{`role="alert"`, "is no time"}, nil},
		{"/signal/report?repo=o/none", 404, nil, nil},
		{"/signal/report.md", 200, []string{"# Signal of 2026-03-14 12:00 UTC: 🔴 red", "TestDrain &lt;b>"}, nil},
		{"/signal/report.json", 200, []string{`"color": "red"`}, nil},
		{"/signal/report.json?at=soon", 400, []string{"is no time"}, nil},
		{"/tests", 200, []string{"1 test that", "TestDrain &lt;b&gt;", ">broken<", "6 failures in 3 jobs"}, nil},
		{"/tests?q=tack", 200, []string{"No test has a name like that."}, nil},
		{"/tests?name=TestDrain+%3Cb%3E", 200, []string{"broken", "of 20 runs", "Last good", `href="/runs/497"`, "no clone", "#9", "changes to main", "water &lt;left&gt;", "#8", "class=\"rate\"", "What broke it"}, []string{"<left>", "<b> "}},
		{"/tests?name=Drain+%3Cb%3E", 200, []string{"No job has results of a test called"}, nil},
		{"/tests?name=" + strings.Repeat("x", 5000), 404, nil, nil},
	} {
		code, body := visit(t, h, tt.path)
		if code != tt.code {
			t.Errorf("%s: %d, want %d", tt.path[:min(60, len(tt.path))], code, tt.code)
		}
		for _, w := range tt.want {
			if !strings.Contains(body, w) {
				t.Errorf("%s: %q is not there", tt.path, w)
			}
		}
		for _, w := range tt.not {
			if strings.Contains(body, w) {
				t.Errorf("%s: %q is there", tt.path, w)
			}
		}
		if strings.Contains(body, "style=") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "%!") {
			t.Errorf("%s: an inline style, or an unsafe value", tt.path)
		}
	}
	plain := siteWith(t, func(*web.Options) {})
	if code, _ := visit(t, plain, "/tests"); code != 404 {
		t.Errorf("without what answers: %d", code)
	}
}

// A failing run of a change says what its target branch knows of the failure.
func TestRunSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	boards := newHarbourBoards()
	for i := range boards.config.Dashboards {
		for _, r := range boards.grids[boards.config.Dashboards[i].Tabs[0].Name].Rows {
			if r.Name == "TestDrain <b>" {
				r.Name = "TestShort"
				for k := range r.Notes {
					r.Notes[k].Message = "got <18.520>"
				}
			}
		}
	}
	w := &world{runs: []job.Execution{{ID: "b", BuildID: "100", Job: "pull-unit", State: job.Failure, CreatedAt: now, FinishedAt: now,
		Refs: job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", Pulls: []job.Pull{{Number: 7, SHA: "h"}}}}}}
	h := siteWith(t, func(o *web.Options) {
		o.Runs = w
		o.Verdicts = func(r forge.RepoName) web.Verdicts {
			return report.New(report.Options{Repo: r.String(), Grids: boards, Now: func() time.Time { return now },
				Settings: func(context.Context) (report.Settings, error) {
					return report.Settings{Rules: verdict.DefaultRules()}, nil
				}})
		}
	})
	code, body := visit(t, h, "/runs/100")
	if code != 200 || !strings.Contains(body, "Known on main") || !strings.Contains(body, "the same failure") || !strings.Contains(body, "also fails on main since build 498 of post-unit") {
		t.Errorf("%d: %s", code, body)
	}
}
