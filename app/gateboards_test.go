package app

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/release"
	"seaworthy/release/cut"
	rules "seaworthy/signal/verdict"
)

var gateNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// randomBuild is a build as jobs leave them, odd ones too.
func randomBuild(r *rand.Rand, id int, began time.Time) grid.Build {
	b := grid.Build{ID: fmt.Sprint(id), Started: began, Finished: began.Add(20 * time.Minute), Passed: true, Result: "SUCCESS", Commit: fmt.Sprint("c", id/2),
		Tests: []grid.Test{{Name: "TestHold", Status: grid.Pass}, {Name: "TestTack", Status: grid.Pass}}}
	switch r.IntN(12) {
	case 0: // it failed in a test
		b.Passed, b.Result, b.Tests[0] = false, "FAILURE", grid.Test{Name: "TestHold", Status: grid.Fail, Message: "rope gave way"}
	case 1: // outside of tests
		b.Passed, b.Result = false, "FAILURE"
	case 2:
		b.Passed, b.Result, b.Tests = false, "ABORTED", nil
	case 3: // it runs, or hangs
		b.Finished, b.Passed, b.Result, b.Tests = time.Time{}, false, "", nil
	case 4: // what wrote finished.json said no more than that it passed
		b.Result = ""
	case 5: // a test failed, and the job passed nevertheless
		b.Tests[1] = grid.Test{Name: "TestTack", Status: grid.Fail, Message: "no wind"}
	case 6:
		b.Malformed = "junit_01.xml: unexpected EOF"
	case 7: // it failed and passed in one build
		b.Tests = append(b.Tests, grid.Test{Name: "TestHold", Status: grid.Fail, Message: "once"})
	case 8:
		b.Commit = ""
	}
	return b
}

// The gate of a release and the report on the signal read the same results: of
// one tab, alone on a blocking dashboard, they always say the same.
func TestGateAndReportAgree(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 11))
	words := map[bool]int{}
	doubts := 0
	for n := range 3000 {
		g := grid.New("ci-hold")
		oldest := gateNow.Add(-time.Duration(r.IntN(300)) * time.Hour)
		for i := range r.IntN(9) {
			if began := oldest.Add(time.Duration(i*(1+r.IntN(30))) * time.Hour); began.Before(gateNow) {
				b := randomBuild(r, 100+i, began)
				if n%2 == 0 && r.IntN(4) > 0 {
					b = grid.Build{ID: b.ID, Started: began, Finished: began.Add(time.Minute), Passed: true, Result: "SUCCESS", Commit: b.Commit, Tests: []grid.Test{{Name: "TestHold", Status: grid.Pass}}}
				}
				g.Append(b, gateNow)
			}
		}
		o := grid.Options{Failures: 1 + r.IntN(3)}
		switch r.IntN(4) {
		case 0:
			o.StaleAfter = 48 * time.Hour
		case 1:
			o.MinRuns = 4
		case 2:
			o.Broken = 0.4
		}
		greens := 1 + r.IntN(3)
		tab := rules.Tab{Dashboard: "blocking", Name: "hold", Job: "ci-hold", Branch: "main", Blocking: true, Grid: g, Options: o}
		how := rules.DefaultRules()
		how.Greens = greens
		said := rules.Of(rules.Input{At: gateNow, Tabs: []rules.Tab{tab}, Rules: how}).Branches[0]

		seen := boardTab("blocking", "hold", rules.Look(tab, gateNow), greens, func(string) bool { return true })
		f := release.Facts{At: gateNow, Dashboards: &release.BoardFacts{Names: []string{"blocking"}, Runs: greens, Tabs: []release.Tab{seen}}}
		gates := f.Verdict().Gates
		gate := gates[slices.IndexFunc(gates, func(g release.Gate) bool { return g.Name == "dashboards" })]
		if (gate.State == release.Go) != said.Cut.Ready {
			t.Fatalf("grid %d: the gate says %s (%s), the report %v (%v)", n, gate.State, gate.Why, said.Cut.Ready, said.Cut.Reasons)
		}
		if gate.State == release.Go && said.Blocking == rules.Unknown {
			t.Fatalf("grid %d: go, though the report knows nothing: %v", n, said.Reasons)
		}
		if len(seen.Runs) > 0 && seen.Status != string(said.Jobs[0].Status) {
			t.Fatalf("grid %d: %s here, %s there", n, seen.Status, said.Jobs[0].Status)
		}
		words[said.Cut.Ready]++
		if strings.HasPrefix(gate.Why, "no news") {
			doubts++
		}
	}
	if words[true] < 200 || words[false] < 200 || doubts < 20 {
		t.Errorf("too few cases of a kind: %v, in doubt %d", words, doubts)
	}
}

// Results of commits that the release does not hold are another's.
func TestBoardTabCountsWhatTheReleaseHolds(t *testing.T) {
	t.Parallel()
	s := rules.Standing{State: rules.Passing, Status: grid.Passing, Runs: []rules.Run{{Build: "5", Commit: "new"}, {Build: "4", Commit: "old", Green: true}, {Build: "3", Green: true}, {Build: "2", Commit: "old"}}}
	tab := boardTab("b", "t", s, 2, func(c string) bool { return c == "old" })
	if len(tab.Runs) != 2 || tab.Runs[0].Build != "4" || tab.Runs[1].Build != "3" || !tab.Runs[0].Green || tab.Doubt != "" || tab.Status != "PASSING" {
		t.Errorf("%+v", tab)
	}
	if none := boardTab("b", "t", s, 2, func(string) bool { return false }); len(none.Runs) != 1 || none.Runs[0].Build != "3" {
		t.Errorf("%+v", none)
	}
	if empty := boardTab("b", "t", rules.Standing{State: rules.Unknown, Why: "it has no results"}, 2, nil); empty.Status != "no result" || empty.Doubt != "" {
		t.Errorf("%+v", empty)
	}
}

// The tabs of a blocking dashboard are those that its page shows and that speak
// of the branch, wherever they are configured.
func TestOnBoard(t *testing.T) {
	t.Parallel()
	file, problems := job.ParseRepoFile("harbour/halyard", ".prow.yaml", []byte(`presubmits:
- {name: pull-unit, annotations: {testgrid-dashboards: gate}, spec: {containers: [{image: i, command: [x]}]}}
postsubmits:
- {name: post-unit, branches: ['^main$'], annotations: {testgrid-dashboards: gate}, spec: {containers: [{image: i, command: [x]}]}}
- {name: post-old, branches: ['^release-1\.1$'], annotations: {testgrid-dashboards: gate}, spec: {containers: [{image: i, command: [x]}]}}
`))
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p)
		}
	}
	jobs, _ := job.Merge(file)
	boards, problems := dashboard.Read(map[string][]byte{"grids/gate.yaml": []byte(`dashboards:
- name: gate
  dashboard_tab:
  - {name: night, test_group_name: night}
  - {name: lost, test_group_name: nowhere}
- name: other
  dashboard_tab: [{name: unit, test_group_name: night}]
test_groups:
- {name: night, gcs_prefix: elsewhere/logs/ci-night}
`)})
	boards, _ = dashboard.WithJobs(boards, jobs, dashboard.Prow{Create: true})
	p := Project{Jobs: jobs, Boards: boards}
	names := func(branch, board string) string {
		var all []string
		for _, tab := range onBoard(p, cut.Plan{Repo: forge.RepoName{Owner: "harbour", Name: "halyard"}, Branch: branch}, board) {
			own := ""
			if tab.job != nil {
				own = "*"
			}
			all = append(all, tab.tab.Name+own)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	for _, tt := range []struct{ branch, board, want string }{
		{"main", "gate", "lost night post-unit*"},
		{"release-1.1", "gate", "lost night post-old*"},
		{"release-1.0", "gate", "lost night"},
		{"main", "other", "unit"},
		{"main", "none", ""},
	} {
		if got := names(tt.branch, tt.board); got != tt.want {
			t.Errorf("%s on %s: %q, want %q (problems %v)", tt.board, tt.branch, got, tt.want, problems)
		}
	}
}
