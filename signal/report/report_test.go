package report_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/grid/history"
	"seaworthy/signal/report"
	"seaworthy/signal/verdict"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// boards are dashboards with a grid for each test group, by name.
type boards struct {
	config dashboard.Config
	grids  map[string]*grid.Grid
	broken error
}

func (b *boards) Dashboards(context.Context) (dashboard.Config, error) { return b.config, b.broken }

func (b *boards) TabGrid(_ context.Context, dash, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	t, g, ok := b.config.Tab(dash, tab)
	if !ok || b.grids[g.Name] == nil {
		return nil, t, grid.Options{}, fmt.Errorf("%s: %w", tab, fs.ErrNotExist)
	}
	return b.grids[g.Name], t, t.Options(g), nil
}

// add puts a tab on a dashboard whose job ran every two hours, newest first: P
// passed, F failed in TestDrain. A change's run is written with its number and
// its head: F7a.
func (b *boards) add(dash, job, test, prefix, runs string) {
	i := slices.IndexFunc(b.config.Dashboards, func(d dashboard.Dashboard) bool { return d.Name == dash })
	if i < 0 {
		i = len(b.config.Dashboards)
		b.config.Dashboards = append(b.config.Dashboards, dashboard.Dashboard{Name: dash})
	}
	b.config.Dashboards[i].Tabs = append(b.config.Dashboards[i].Tabs, dashboard.Tab{Name: job, TestGroup: job})
	b.config.TestGroups = append(b.config.TestGroups, dashboard.TestGroup{Name: job, Prefix: "results/" + prefix + "/" + job})
	g := grid.New(job)
	words := strings.Fields(runs)
	for i, word := range slices.Backward(words) {
		x := grid.Build{ID: fmt.Sprint(1000 - i), Started: now.Add(-time.Hour - time.Duration(2*i)*time.Hour), Passed: true, Result: "SUCCESS", Commit: fmt.Sprint(job, "-c", 1000-i)}
		x.Finished = x.Started.Add(10 * time.Minute)
		run := grid.Test{Name: test, Status: grid.Pass, Duration: 30 * time.Second}
		if word[0] == 'F' {
			x.Passed, x.Result = false, "FAILURE"
			run.Status, run.Message = grid.Fail, "water left: 3 l"
		}
		if len(word) == 3 {
			x.Pull, x.Commit = int(word[1]-'0'), "head-"+word[1:]
		}
		x.Tests = []grid.Test{run}
		g.Append(x, now)
	}
	if b.grids == nil {
		b.grids = map[string]*grid.Grid{}
	}
	b.grids[job] = g
}

// around knows issues, commits and fixes, or fails.
type around struct {
	issues []verdict.Issue
	broken error
	asked  []string
}

func (a *around) Issues(context.Context) ([]verdict.Issue, error) { return a.issues, a.broken }

func (a *around) Commits(_ context.Context, repo, after, upTo string) ([]history.Commit, error) {
	a.asked = append(a.asked, repo+" "+after+".."+upTo)
	return []history.Commit{{SHA: upTo, Subject: "Drain less (#7)"}}, a.broken
}

func (a *around) Fixes(_ context.Context, _ string, issues []int, branches []string) ([]history.Fix, error) {
	return []history.Fix{{Commit: history.Commit{SHA: "f", Subject: "Drain all"}, Issue: issues[0], Missing: branches}}, a.broken
}

type cluster struct{}

func (cluster) Of(_ context.Context, build, test string) (string, bool, error) {
	return "abc", build == "results/logs/ci-unit/1000" && test == "TestDrain", nil
}

func harbour() *boards {
	b := &boards{}
	b.add("demo-main-blocking", "ci-unit", "TestDrain", "logs", "F F F P P P P P P P P P P P")
	b.add("demo-main-informing", "ci-slow", "hull.TestDrain", "logs", "P F P P P P")
	b.add("demo-1.2-blocking", "ci-unit-1-2", "TestDrain", "logs", "F F F P P P")
	b.add("demo-1.3-blocking", "ci-unit-1-3", "TestTack", "logs", "P P P P")
	b.add("demo-main-blocking", "pull-unit", "TestDrain", "pr-logs/directory", "P7a F7a P6a P5a F4a")
	b.add("others", "ci-other", "TestDrain", "logs", "P P P P")
	return b
}

func service(b *boards, w report.World) *report.Service {
	return report.New(report.Options{
		Grids: b, World: w, Clusters: cluster{}, Now: func() time.Time { return now },
		Settings: func(context.Context) (report.Settings, error) {
			return report.Settings{Rules: verdict.DefaultRules(), Owners: []report.Owner{{Pattern: "ci-unit*", Owner: "crew"}}}, nil
		},
	})
}

func TestReport(t *testing.T) {
	t.Parallel()
	r, err := service(harbour(), &around{issues: []verdict.Issue{{Number: 3, Title: "TestDrain leaks"}}}).Report(t.Context(), report.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range r.Branches {
		var tabs []string
		for _, j := range b.Jobs {
			tabs = append(tabs, fmt.Sprintf("%s/%t/%s/%s/%d", j.Tab, j.Blocking, j.State, j.Owner, len(j.Issues)))
		}
		got = append(got, fmt.Sprintf("%s %s was %s: %s", b.Branch, b.Color, b.Before, strings.Join(tabs, " ")))
	}
	// The presubmit and the dashboard that decides nothing are not among them.
	want := []string{
		"main red was green: ci-unit/true/failing/crew/1 ci-slow/false/flaky//0",
		"release-1.3 green was yellow: ci-unit-1-3/true/passing/crew/0", "release-1.2 red was yellow: ci-unit-1-2/true/failing/crew/1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if l := r.Branches[0].Jobs[0].Link; l != "/dashboards/demo-main-blocking/ci-unit" {
		t.Error(l)
	}
}

func TestReportNarrowed(t *testing.T) {
	t.Parallel()
	s := service(harbour(), nil)
	r, err := s.Report(t.Context(), report.Query{Branches: []string{"release-1.3"}, At: now.Add(-4 * time.Hour)})
	if err != nil || len(r.Branches) != 1 || !r.At.Equal(now.Add(-4*time.Hour)) || r.Branches[0].Jobs[0].Greens != 2 {
		t.Errorf("%+v %v", r, err)
	}
	r, err = service(harbour(), &around{broken: errors.New("no forge")}).Report(t.Context(), report.Query{})
	if err != nil || r.IssuesUnknown != "no forge" {
		t.Errorf("issues that cannot be read: %q, %v", r.IssuesUnknown, err)
	}
	b := harbour()
	b.broken = errors.New("bucket is away")
	if _, err := service(b, nil).Report(t.Context(), report.Query{}); !errors.Is(err, b.broken) {
		t.Errorf("got %v", err)
	}
	if _, _, err := service(b, nil).Search(t.Context(), "", 1); !errors.Is(err, b.broken) {
		t.Errorf("got %v", err)
	}
}

// A repository without dashboards: what tests its branches decides.
func TestReportWithoutDashboards(t *testing.T) {
	t.Parallel()
	b := &boards{}
	b.add("harbour/halyard", "post-unit", "TestDrain", "logs", "P P P")
	b.add("harbour/halyard", "nightly", "TestDrain", "logs", "F F F")
	b.add("harbour/halyard", "post-1", "TestDrain", "logs", "P P P")
	b.add("harbour/halyard", "pull-unit", "TestDrain", "pr-logs/directory", "F1a F2a F3a")
	b.add("harbour/mast", "post-mast", "TestDrain", "logs", "F F F")
	o := report.Options{
		Repo: "harbour/halyard", Grids: b, Now: func() time.Time { return now },
		Settings: func(context.Context) (report.Settings, error) {
			return report.Settings{Rules: verdict.DefaultRules()}, nil
		},
		Jobs: func(context.Context) (map[string]report.Job, error) {
			return map[string]report.Job{
				"post-unit": {Repo: "harbour/halyard"}, "nightly": {Repo: "harbour/halyard", Informing: true}, "post-1": {Repo: "harbour/halyard", Branch: "release-1.0"},
				"pull-unit": {Repo: "harbour/halyard", Presubmit: true}, "post-mast": {Repo: "harbour/mast"},
			}, nil
		},
	}
	r, err := report.New(o).Report(t.Context(), report.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range r.Branches {
		for _, j := range b.Jobs {
			got = append(got, fmt.Sprint(b.Branch, " ", j.Tab, " ", j.Blocking))
		}
	}
	if diff := cmp.Diff([]string{"main post-unit true", "main nightly false", "release-1.0 post-1 true"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTest(t *testing.T) {
	t.Parallel()
	w := &around{issues: []verdict.Issue{{Number: 3, Title: "TestDrain leaks"}, {Number: 4, Title: "TestTack"}}}
	x, err := service(harbour(), w).Test(t.Context(), "TestDrain")
	if err != nil {
		t.Fatal(err)
	}
	var jobs []string
	for _, l := range x.Jobs {
		jobs = append(jobs, fmt.Sprint(l.Job, " ", l.Branch, " ", l.Presubmit, " ", l.State))
	}
	want := []string{"ci-unit main false broken", "ci-unit-1-2 release-1.2 false broken", "pull-unit main true flaky", "ci-other main false passing"}
	if diff := cmp.Diff(want, jobs); diff != "" {
		t.Error(diff)
	}
	if x.State != history.Broken || x.Owner != "crew" || x.Cluster != "abc" || len(x.Issues) != 1 || len(x.Suspects) != 1 || len(x.OtherNames) != 1 || len(x.Missing) != 0 {
		t.Errorf("%+v", x)
	}
	if len(x.Fixes) != 1 || !slices.Equal(x.Fixes[0].Missing, []string{"release-1.2"}) {
		t.Errorf("fixes: %+v", x.Fixes)
	}
	if len(w.asked) != 1 || !strings.HasPrefix(w.asked[0], " ci-unit") {
		t.Errorf("commits asked for: %v", w.asked)
	}
	if len(x.Pulls) != 4 || x.Pulls[0].Pull != "7" || x.Pulls[0].Flakes != 1 {
		t.Errorf("pull requests: %+v", x.Pulls)
	}
	if x.Durations.Median != 30 {
		t.Errorf("durations: %+v", x.Durations)
	}
}

func TestTestUnderAnotherName(t *testing.T) {
	t.Parallel()
	b := harbour()
	b.add("others", "ci-e2e", "Kubernetes e2e suite.[It] [sig-node] Pods should run", "logs", "P P P")
	s := service(b, &around{broken: errors.New("no forge")})
	x, err := s.Test(t.Context(), "[sig-node] Pods should run")
	if err != nil || x.Name != "Kubernetes e2e suite.[It] [sig-node] Pods should run" || x.Owner != "sig-node" || len(x.Missing) != 1 {
		t.Errorf("%+v %v", x, err)
	}
	_, err = s.Test(t.Context(), "TestNothing")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := service(harbour(), nil)
	for _, tt := range []struct {
		words string
		want  string
		total int
	}{
		{"", "TestDrain=broken/4 hull.TestDrain=flaky/1", 2}, {"drain", "TestDrain=broken/4 hull.TestDrain=flaky/1", 2}, {"TACK", "TestTack=passing/1", 1}, {"drain hull", "hull.TestDrain=flaky/1", 1}, {"mast", "", 0},
	} {
		found, total, err := s.Search(t.Context(), tt.words, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found {
			got = append(got, fmt.Sprintf("%s=%s/%d", f.Name, f.State, f.Jobs))
		}
		for _, w := range strings.Fields(tt.want) {
			if !slices.Contains(got, w) {
				t.Errorf("%q: %s is not among %v", tt.words, w, got)
			}
		}
		if total != tt.total || tt.words != "" && len(got) != total {
			t.Errorf("%q: %d found, want %d: %v", tt.words, total, tt.total, got)
		}
	}
	if found, total, err := s.Search(t.Context(), "Overall", 2); err != nil || len(found) != 2 || total != 6 {
		t.Errorf("at most two: %d of %d, %v", len(found), total, err)
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	s := service(harbour(), nil)
	for _, tt := range []struct {
		branch, test, message, want string
	}{
		{"main", "TestDrain", "water left: 3 l", "also fails on main since build 998 of ci-unit (22 Nov 07:00 UTC)"},
		{"main", "TestDrain", "mast broke", "also fails on main since build 998 of ci-unit (22 Nov 07:00 UTC), with another message"},
		{"main", "hull.TestDrain", "water left: 3 l", "also failed on main, in 1 run of ci-slow: the test is flaky there, 16.7 % (3.0 to 56.4)"},
		{"main", "TestTack", "broke", ""}, {"release-1.3", "TestDrain", "water left: 3 l", ""},
	} {
		known, err := s.Known(t.Context(), "harbour/halyard", tt.branch, []report.Failure{{Test: tt.test, Message: tt.message}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, k := range known {
			got += k.String()
		}
		if got != tt.want {
			t.Errorf("%s on %s: got %q, want %q", tt.test, tt.branch, got, tt.want)
		}
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	for mail, want := range map[string]string{
		"kubernetes-sig-node-test-failures@example.org": "sig-node", "kubernetes-sig-cluster-lifecycle@example.org": "sig-cluster-lifecycle",
		"sig-release-alerts@example.org": "sig-release", "ada@example.org": "", "design-team@example.org": "",
	} {
		b := &boards{}
		b.add("demo-blocking", "e2e", "TestDrain", "logs", "P P P")
		b.config.TestGroups[0].Mails = mail
		r, err := service(b, nil).Report(t.Context(), report.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Branches[0].Jobs[0].Owner; got != want {
			t.Errorf("%s: got %q, want %q", mail, got, want)
		}
	}
}
