package report_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
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

// torn are boards one of whose tabs cannot be read.
type torn struct {
	*boards
	tab string
}

var errTorn = errors.New("the bucket is out of reach")

func (b torn) TabGrid(ctx context.Context, dash, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error) {
	if tab == b.tab {
		return nil, dashboard.Tab{}, grid.Options{}, errTorn
	}
	return b.boards.TabGrid(ctx, dash, tab)
}

// What cannot be read is an error that says which tab it was, and no answer is
// made of the rest: a report without a blocking job would look better than it is.
func TestWhatCannotBeReadIsNotLeftOut(t *testing.T) {
	t.Parallel()
	settings := func(context.Context) (report.Settings, error) {
		return report.Settings{Rules: verdict.DefaultRules()}, nil
	}
	clock := func() time.Time { return now }
	ask := func(s *report.Service) map[string]error {
		all := map[string]error{}
		_, all["report"] = s.Report(t.Context(), report.Query{})
		_, all["test"] = s.Test(t.Context(), "TestDrain")
		_, _, all["search"] = s.Search(t.Context(), "Drain", 10)
		_, all["known"] = s.Known(t.Context(), "", "main", []report.Failure{{Test: "TestDrain", Message: "water left"}})
		return all
	}
	for what, err := range ask(report.New(report.Options{Grids: torn{harbour(), "ci-unit"}, Settings: settings, Now: clock})) {
		if !errors.Is(err, errTorn) || !strings.Contains(err.Error(), "ci-unit of demo-main-blocking") {
			t.Errorf("%s of a tab that cannot be read: %v", what, err)
		}
	}
	broken := harbour()
	broken.broken = errTorn
	for what, err := range ask(report.New(report.Options{Grids: broken, Settings: settings, Now: clock})) {
		if !errors.Is(err, errTorn) || !strings.Contains(err.Error(), "reading the dashboards") {
			t.Errorf("%s without dashboards: %v", what, err)
		}
	}
	unsettled := report.Options{Grids: harbour(), Now: clock, Settings: func(context.Context) (report.Settings, error) { return report.Settings{}, errTorn }}
	for what, err := range ask(report.New(unsettled)) {
		if !errors.Is(err, errTorn) || !strings.Contains(err.Error(), "what decides about the signal") {
			t.Errorf("%s without settings: %v", what, err)
		}
	}
	jobless := report.Options{Grids: harbour(), Now: clock, Settings: settings, Jobs: func(context.Context) (map[string]report.Job, error) { return nil, errTorn }}
	for what, err := range ask(report.New(jobless)) {
		if !errors.Is(err, errTorn) || !strings.Contains(err.Error(), "reading the jobs") {
			t.Errorf("%s without jobs: %v", what, err)
		}
	}
	// A tab without results is no error: it is judged as one that never ran.
	missing := harbour()
	delete(missing.grids, "ci-unit")
	r, err := service(missing, nil).Report(t.Context(), report.Query{Branches: []string{"main"}})
	if err != nil || len(r.Branches) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	at := slices.IndexFunc(r.Branches[0].Jobs, func(j verdict.Job) bool { return j.Tab == "ci-unit" })
	if at < 0 || r.Branches[0].Jobs[at].State != verdict.Unknown || r.Branches[0].Color == verdict.Green || r.Branches[0].Cut.Ready {
		t.Errorf("a blocking job without results: %+v", r.Branches[0])
	}
}

// What is around a test may be missing, each part for itself: the rest is told,
// and so is what is missing.
func TestWhatIsAroundMayBeMissing(t *testing.T) {
	t.Parallel()
	w := &around{issues: []verdict.Issue{{Number: 3, Title: "TestDrain leaks"}}, broken: errTorn}
	got, err := service(harbour(), w).Test(t.Context(), "TestDrain")
	if err != nil {
		t.Fatal(err)
	}
	if got.State != history.Broken || len(got.Jobs) < 3 || got.Cluster != "abc" {
		t.Errorf("%s in %d jobs, cluster %q", got.State, len(got.Jobs), got.Cluster)
	}
	all := strings.Join(got.Missing, "\n")
	for _, what := range []string{"the issues about it", "the commits in question", "fixes that await a pick", "out of reach"} {
		if !strings.Contains(all, what) {
			t.Errorf("%q is not told to be missing: %s", what, all)
		}
	}
	// One who has gone gets no half of an answer.
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := service(harbour(), w).Test(ctx, "TestDrain"); !errors.Is(err, context.Canceled) {
		t.Errorf("for one who has gone: %v", err)
	}
	if _, err := service(harbour(), w).Report(ctx, report.Query{}); err == nil {
		t.Error("a report for one who has gone")
	}
	// Issues that cannot be read are told in the report.
	r, err := service(harbour(), w).Report(t.Context(), report.Query{})
	if err != nil || !strings.Contains(r.IssuesUnknown, "out of reach") {
		t.Errorf("%q, %v", r.IssuesUnknown, err)
	}
}

// fleet is many dashboards of random results.
func fleet(seed int64) *boards {
	r := rand.New(rand.NewSource(seed))
	b := &boards{}
	for i := range 2 + r.Intn(6) {
		runs := ""
		for range 3 + r.Intn(10) {
			runs += []string{"P ", "P ", "P ", "F "}[r.Intn(4)]
		}
		dash := []string{"demo-main-blocking", "demo-main-informing", "demo-1.2-blocking", "demo-1.2-informing", "elsewhere"}[r.Intn(5)]
		b.add(dash, fmt.Sprintf("ci-job%d", i), fmt.Sprintf("Test%c", 'A'+r.Intn(3)), "logs", runs)
	}
	return b
}

// plainReport is a report without what changes from one making to the next, if
// anything did.
func plainReport(t *testing.T, b *boards, q report.Query) verdict.Report {
	t.Helper()
	r, err := service(b, nil).Report(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Whatever the results: a branch is as its jobs are, no branch with a failing
// job is green or, if the job blocks, ready; what informs decides nothing unless
// it fails, a branch alone is as among others, and the same is said twice.
func TestReportsAreSound(t *testing.T) {
	t.Parallel()
	for seed := range int64(150) {
		b := fleet(seed)
		b.add("demo-main-blocking", "ci-always", "TestZ", "logs", "P P P P P") // without such a dashboard every one decides
		r := plainReport(t, b, report.Query{})
		if diff := cmp.Diff(r, plainReport(t, b, report.Query{})); diff != "" {
			t.Fatalf("seed %d: told twice (-first +second):\n%s", seed, diff)
		}
		worst := verdict.Green
		for _, branch := range r.Branches {
			failing, informed := 0, 0
			for _, j := range branch.Jobs {
				if strings.HasSuffix(j.Dashboard, "-blocking") != j.Blocking {
					t.Errorf("seed %d: %s of %s blocks: %v", seed, j.Tab, j.Dashboard, j.Blocking)
				}
				if j.Dashboard == "elsewhere" {
					t.Errorf("seed %d: %s decides", seed, j.Dashboard)
				}
				if j.State == verdict.Failing && j.Blocking {
					failing++
				} else if j.State == verdict.Failing {
					informed++
				}
				if (j.State == verdict.Passing) != (len(j.Failures) == 0) && j.State != verdict.Unknown {
					t.Errorf("seed %d: %s is %s with failures %+v", seed, j.Tab, j.State, j.Failures)
				}
				if j.Why == "" || j.Link == "" {
					t.Errorf("seed %d: %s is %s without a reason or a link", seed, j.Tab, j.State)
				}
			}
			if failing > 0 && (branch.Color != verdict.Red || branch.Cut.Ready) {
				t.Errorf("seed %d: %s is %s and ready %v with %d failing jobs that block", seed, branch.Branch, branch.Color, branch.Cut.Ready, failing)
			}
			if (failing+informed > 0) != (branch.Color == verdict.Red) {
				t.Errorf("seed %d: %s is %s with %d failing jobs", seed, branch.Branch, branch.Color, failing+informed)
			}
			if !branch.Cut.Ready && len(branch.Cut.Reasons) == 0 || branch.Color != verdict.Green && len(branch.Reasons) == 0 {
				t.Errorf("seed %d: %s is %s and ready %v without a reason", seed, branch.Branch, branch.Color, branch.Cut.Ready)
			}
			if branch.Color == verdict.Red || branch.Color == verdict.Yellow && worst == verdict.Green {
				worst = branch.Color
			}
			// A report of one branch says of it what that of all does.
			alone := plainReport(t, b, report.Query{Branches: []string{branch.Branch}})
			if len(alone.Branches) != 1 {
				t.Fatalf("seed %d: %d branches, one was asked for", seed, len(alone.Branches))
			}
			if diff := cmp.Diff(branch.Jobs, alone.Branches[0].Jobs); diff != "" || branch.Color != alone.Branches[0].Color {
				t.Errorf("seed %d: %s alone (-all +alone):\n%s", seed, branch.Branch, diff)
			}
		}
		if len(r.Branches) > 0 && r.Color != worst {
			t.Errorf("seed %d: the report is %s, its worst branch %s", seed, r.Color, worst)
		}
		// Without what informs, the branches are as they were.
		quiet := &boards{config: b.config, grids: b.grids}
		quiet.config.Dashboards = slices.DeleteFunc(slices.Clone(b.config.Dashboards), func(d dashboard.Dashboard) bool { return strings.HasSuffix(d.Name, "-informing") })
		colors := map[string]verdict.Color{}
		for _, branch := range plainReport(t, quiet, report.Query{}).Branches {
			colors[branch.Branch] = branch.Color
		}
		for _, branch := range r.Branches {
			informed := slices.ContainsFunc(branch.Jobs, func(j verdict.Job) bool { return !j.Blocking && j.State == verdict.Failing })
			if c, ok := colors[branch.Branch]; ok && c != branch.Color && !informed {
				t.Errorf("seed %d: %s is %s, and %s without what informs", seed, branch.Branch, branch.Color, c)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// A search finds what a person would who reads all rows, with what the test's
// own page says.
func TestSearchIsTheRows(t *testing.T) {
	t.Parallel()
	for seed := range int64(40) {
		b := fleet(seed)
		s := service(b, nil)
		jobs := map[string]int{}
		for _, g := range b.grids {
			for _, row := range g.Rows {
				if row.Name != g.Overall() {
					jobs[row.Name]++
				}
			}
		}
		found, total, err := s.Search(t.Context(), "test", 100)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, f := range found {
			got[f.Name] = f.Jobs
			page, err := s.Test(t.Context(), f.Name)
			if err != nil || page.State != f.State || page.Fails != f.Fails || len(page.Jobs) != f.Jobs {
				t.Errorf("seed %d: the search says of %s %s, %d fails, %d jobs; its page %s, %d, %d; %v", seed, f.Name, f.State, f.Fails, f.Jobs, page.State, page.Fails, len(page.Jobs), err)
			}
		}
		if diff := cmp.Diff(jobs, got); diff != "" || total != len(jobs) {
			t.Errorf("seed %d: %d in all (-rows +found):\n%s", seed, total, diff)
		}
		for limit := range len(found) {
			few, all, err := s.Search(t.Context(), "test", limit)
			if err != nil || all != total || !slices.Equal(few, found[:limit]) {
				t.Errorf("seed %d: the first %d are %+v of %d, %v", seed, limit, few, all, err)
			}
		}
		// Without words, what does not pass is found.
		bad, _, err := s.Search(t.Context(), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			in := slices.ContainsFunc(bad, func(x report.Found) bool { return x.Name == f.Name })
			if in && f.State == history.Passing || !in && (f.State == history.Broken || f.State == history.Flaky) {
				t.Errorf("seed %d: %s is %s, among those that do not pass: %v", seed, f.Name, f.State, in)
			}
		}
	}
}

// A test that nothing has a row of is not there, and says so.
func TestNoSuchTest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Test", "testdrain", "TestDrain/", strings.Repeat("x", 10_000), "TestNothing"} {
		got, err := service(harbour(), nil).Test(t.Context(), name)
		if !errors.Is(err, fs.ErrNotExist) || len(got.Jobs) != 0 {
			t.Errorf("%.40q: %d jobs, %v", name, len(got.Jobs), err)
		}
	}
}
