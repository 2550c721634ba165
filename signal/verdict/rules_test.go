package verdict_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
	"seaworthy/signal/verdict"
)

func TestBoards(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   []string
		want string
	}{
		{"none", nil, ""},
		{"others", []string{"sig-node", "presubmits", "nonblocking", "blockingx"}, ""},
		{"Kubernetes'", []string{"sig-release-master-blocking", "sig-release-master-informing", "sig-release-1.36-blocking", "sig-release-1.36-informing", "sig-release-releng-blocking", "sig-release-1.36-all"},
			"sig-release-master-blocking=main! sig-release-master-informing=main sig-release-1.36-blocking=release-1.36! sig-release-1.36-informing=release-1.36"},
		{"no branch named", []string{"halyard-blocking", "halyard-informing", "halyard"}, "halyard-blocking=main! halyard-informing=main"},
		{"bare", []string{"blocking", "informing"}, "blocking=main! informing=main"},
		{"bare branch", []string{"main-blocking", "2.0-informing"}, "main-blocking=main! 2.0-informing=release-2.0"},
		{"a number is no branch", []string{"x-12-blocking"}, "x-12-blocking=main!"},
	}
	for _, tt := range tests {
		var got []string
		for _, b := range verdict.DefaultRules().Boards(tt.in) {
			if b.Project != "" && !strings.HasPrefix(b.Dashboard, b.Project+"-") {
				t.Errorf("%s: project %q", b.Dashboard, b.Project)
			}
			word := b.Dashboard + "=" + b.Branch
			if b.Blocking {
				word += "!"
			}
			got = append(got, word)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAges(t *testing.T) {
	t.Parallel()
	var tabs []verdict.Tab
	for _, b := range []string{"release-1.9", "main", "release-1.36", "release-1.10", "release-2.0"} {
		tabs = append(tabs, tab("unit", b, true, "PPP"))
	}
	var got []string
	for _, b := range verdict.Of(verdict.Input{At: now, Tabs: tabs, Rules: verdict.DefaultRules()}).Branches {
		got = append(got, fmt.Sprint(b.Branch, b.Age))
	}
	if diff := cmp.Diff([]string{"main0", "release-2.01", "release-1.362", "release-1.103", "release-1.94"}, got); diff != "" {
		t.Error(diff)
	}
}

// Branches of two projects are apart, and grow old apart.
func TestProjects(t *testing.T) {
	t.Parallel()
	var tabs []verdict.Tab
	for _, b := range verdict.DefaultRules().Boards([]string{"sig-release-1.36-blocking", "sig-release-1.35-blocking", "ocp-release-4.22-blocking", "sig-release-master-blocking"}) {
		x := tab("unit", b.Branch, b.Blocking, "PPP")
		x.Project = b.Project
		tabs = append(tabs, x)
	}
	var got []string
	for _, b := range verdict.Of(verdict.Input{At: now, Tabs: tabs, Rules: verdict.DefaultRules()}).Branches {
		got = append(got, fmt.Sprint(b.Label, "=", b.Age))
	}
	if diff := cmp.Diff([]string{"ocp-release release-4.22=1", "sig-release main=0", "sig-release release-1.36=1", "sig-release release-1.35=2"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCriteria(t *testing.T) {
	t.Parallel()
	long := func(g *grid.Grid, d time.Duration) {
		for i := range g.Columns {
			g.Columns[i].Finished = g.Columns[i].Started.Add(d)
		}
	}
	tests := []struct {
		name   string
		branch string // besides main and release-3, release-2, release-1
		runs   string
		every  time.Duration
		change func(*verdict.Tab)
		want   string // + met, - missed, ? unclear: duration, interval, pass rate, in a row, and on one commit where it is the matter
	}{
		{"all well", "main", "PPPPPPPPPP", 3 * time.Hour, nil, "++++"},
		{"few runs", "main", "PP", 3 * time.Hour, nil, "?????"},
		{"too slow", "main", "PPPPPPPPPP", 3 * time.Hour, func(t *verdict.Tab) { long(t.Grid, 121*time.Minute) }, "-+++"},
		{"just fast enough", "main", "PPPPPPPPPP", 3 * time.Hour, func(t *verdict.Tab) { long(t.Grid, 120*time.Minute) }, "++++"},
		{"a quarter may be slow", "main", "PPPPPPPP", 3 * time.Hour, func(t *verdict.Tab) {
			for i := range 2 {
				t.Grid.Columns[i].Finished = t.Grid.Columns[i].Started.Add(5 * time.Hour)
			}
		}, "++++"},
		{"too rare", "main", "PPPPPPPPPP", 4 * time.Hour, nil, "+-++"},
		{"a second late is on time", "main", "PPPPPPPPPP", 3*time.Hour + time.Minute, nil, "++++"},
		{"rare, but an old branch", "release-2", "PPPPPPPPPP", 6 * time.Hour, nil, "++++"},
		{"too rare for an old branch", "release-2", "PPPPPPPPPP", 7 * time.Hour, nil, "+-++"},
		{"rare, but the oldest branch", "release-1", "PPPPPPPPPP", 12 * time.Hour, nil, "++++"},
		{"silent", "main", "PPPPPPPPPP", 3 * time.Hour, func(t *verdict.Tab) {
			for i := range t.Grid.Columns {
				t.Grid.Columns[i].Started = t.Grid.Columns[i].Started.Add(-24 * time.Hour)
				t.Grid.Columns[i].Finished = t.Grid.Columns[i].Finished.Add(-24 * time.Hour)
			}
		}, "+-++"},
		{"fails too often", "main", "PFPFPPFPPP", 3 * time.Hour, nil, "++-+"},
		{"fails a quarter", "main", "PFPPPFPP", 3 * time.Hour, nil, "++++"},
		{"eleven in a row", "main", strings.Repeat("P", 40) + strings.Repeat("F", 11) + "P", time.Hour, nil, "+++-"},
		{"ten in a row", "main", strings.Repeat("P", 40) + strings.Repeat("F", 10) + "P", time.Hour, nil, "++++"},
		{"one commit, passed thrice", "main", "PPPPPPPPPP", 3 * time.Hour, func(t *verdict.Tab) { same(t.Grid) }, "+++++"},
		{"one commit, did not", "main", "PFPPFPFPPF", time.Hour, func(t *verdict.Tab) { same(t.Grid) }, "++-+-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := tab("unit", tt.branch, true, tt.runs)
			x.Grid = gridOf("ci-unit", tt.runs, tt.every)
			if tt.change != nil {
				tt.change(&x)
			}
			tabs := []verdict.Tab{x}
			for _, b := range []string{"main", "release-3", "release-2", "release-1"} {
				if b != tt.branch {
					tabs = append(tabs, tab("other", b, true, "PPP"))
				}
			}
			report := verdict.Of(verdict.Input{At: now, Tabs: tabs, Rules: verdict.DefaultRules()})
			i := slices.IndexFunc(report.Branches, func(b verdict.Branch) bool { return b.Branch == tt.branch })
			got := ""
			for _, c := range report.Branches[i].Jobs[0].Criteria {
				got += map[verdict.Result]string{verdict.Met: "+", verdict.Missed: "-", verdict.Unclear: "?"}[c.Result]
				if c.Value == "" || c.Limit == "" || c.Evidence == "" {
					t.Errorf("%+v says too little", c)
				}
			}
			if got[:4] != tt.want[:4] || got[5:] != "+++" || len(tt.want) == 5 && got[4] != tt.want[4] {
				t.Errorf("got %s, want %s\n%+v", got, tt.want, report.Branches[i].Jobs[0].Criteria)
			}
		})
	}
}

// same makes all runs of a grid test one commit.
func same(g *grid.Grid) {
	for i := range g.Columns {
		g.Columns[i].Commit = "c"
	}
}

func TestCriteriaOfPeople(t *testing.T) {
	t.Parallel()
	x := tab("unit", "main", true, "PPP")
	x.Owner, x.Mails, x.Description = "", nil, " "
	y := tab("slow", "main", false, "PPP")
	jobs := verdict.Of(verdict.Input{At: now, Tabs: []verdict.Tab{x, y}, Rules: verdict.DefaultRules()}).Branches[0].Jobs
	missed := 0
	for _, c := range jobs[0].Criteria {
		if c.Result == verdict.Missed {
			missed++
		}
	}
	if missed != 3 {
		t.Errorf("%d missed: %+v", missed, jobs[0].Criteria)
	}
	if jobs[1].Criteria != nil {
		t.Error("an informing job is held to the criteria of blocking ones")
	}
}
