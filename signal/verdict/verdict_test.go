package verdict_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
	"seaworthy/signal/verdict"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// every is how often the jobs of tests run, unless they say otherwise.
const every = 3 * time.Hour

// gridOf builds a grid from the runs of a job, newest first. Each run that
// fails does so in TestDrain; each takes half an hour.
func gridOf(job, runs string, between time.Duration) *grid.Grid {
	g := grid.New(job)
	if runs == "-" {
		return g
	}
	for i, letter := range slices.Backward([]byte(runs)) {
		b := grid.Build{
			ID: fmt.Sprint(1000 - i), Started: now.Add(-time.Hour - time.Duration(i)*between), Passed: true, Result: "SUCCESS",
			Commit: fmt.Sprintf("c%d", 1000-i), Tests: []grid.Test{{Name: "TestDrain", Status: grid.Pass}, {Name: "TestTack", Status: grid.Pass}},
		}
		b.Finished = b.Started.Add(30 * time.Minute)
		switch letter {
		case 'F':
			b.Passed, b.Result, b.Tests[0] = false, "FAILURE", grid.Test{Name: "TestDrain", Status: grid.Fail, Message: "water left"}
		case 'A':
			b.Passed, b.Result, b.Tests = false, "ABORTED", nil
		case 'R':
			b.Finished, b.Passed, b.Result, b.Tests = time.Time{}, false, "", nil
		}
		g.Append(b, now)
	}
	return g
}

func tab(name, branch string, blocking bool, runs string) verdict.Tab {
	board := "demo-informing"
	if blocking {
		board = "demo-blocking"
	}
	return verdict.Tab{
		Dashboard: board, Name: name, Job: "ci-" + name, Branch: branch, Blocking: blocking, Link: "/dashboards/" + board + "/" + name,
		Description: "the whole of it", Owner: "sig-node", Mails: []string{"node@example.org"}, Grid: gridOf("ci-"+name, runs, every),
	}
}

// lines reads a table of tests.
func lines(t *testing.T, name string, fields int) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "|")
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		if len(f) != fields {
			t.Fatalf("%s: %q has %d fields", name, line, len(f))
		}
		out = append(out, f)
	}
	return out
}

func TestJudge(t *testing.T) {
	t.Parallel()
	states := map[rune]verdict.State{'P': verdict.Passing, 'F': verdict.Failing, 'K': verdict.Flaky, '?': verdict.Unknown, 'T': verdict.Failing}
	table := lines(t, "colors.txt", 5)
	for _, f := range table {
		var jobs []verdict.Job
		for i, written := range f[:2] {
			for _, letter := range strings.TrimSuffix(written, "-") {
				jobs = append(jobs, verdict.Job{Blocking: i == 0, State: states[letter], Tolerated: letter == 'T'})
			}
		}
		rand.Shuffle(len(jobs), func(i, k int) { jobs[i], jobs[k] = jobs[k], jobs[i] })
		color, blocking, informing := verdict.Judge(jobs)
		if got := []string{string(color), string(blocking), string(informing)}; !slices.Equal(got, f[2:]) {
			t.Errorf("%s / %s: got %v, want %v", f[0], f[1], got, f[2:])
		}
	}
	if len(table) < 25 {
		t.Errorf("only %d cases", len(table))
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	for _, f := range lines(t, "jobs.txt", 8) {
		t.Run(f[0], func(t *testing.T) {
			t.Parallel()
			blocking := f[1] == "blocking"
			tabs := []verdict.Tab{tab("unit", "main", blocking, f[2])}
			if !blocking {
				tabs = append(tabs, tab("green", "main", true, "PPPP"))
			}
			b := verdict.Of(verdict.Input{At: now, Tabs: tabs, Rules: verdict.DefaultRules()}).Branches[0]
			j := b.Jobs[slices.IndexFunc(b.Jobs, func(j verdict.Job) bool { return j.Tab == "unit" })]
			ready := "no"
			if b.Cut.Ready {
				ready = "yes"
			}
			got := []string{string(j.State), string(j.Status), string(j.Priority), fmt.Sprint(j.Greens), ready}
			if diff := cmp.Diff(f[3:], got); diff != "" {
				t.Errorf("%s\n%s", j.Why, diff)
			}
			if len(b.Reasons) == 0 || len(b.Cut.Reasons) == 0 || j.Why == "" {
				t.Errorf("no reason: %+v", b)
			}
		})
	}
}

func TestGreensOfOneCommit(t *testing.T) {
	t.Parallel()
	rules := verdict.DefaultRules()
	rules.SameCommit = true
	unit := tab("unit", "main", true, "PPPP")
	if b := verdict.Of(verdict.Input{At: now, Tabs: []verdict.Tab{unit}, Rules: rules}).Branches[0]; b.Cut.Ready || b.Jobs[0].Greens != 1 {
		t.Errorf("each run of another commit: ready %t, %d greens", b.Cut.Ready, b.Jobs[0].Greens)
	}
	for i := range unit.Grid.Columns {
		unit.Grid.Columns[i].Commit = "c"
	}
	if b := verdict.Of(verdict.Input{At: now, Tabs: []verdict.Tab{unit}, Rules: rules}).Branches[0]; !b.Cut.Ready || b.Jobs[0].Greens != 3 {
		t.Errorf("all of one commit: ready %t, %d greens", b.Cut.Ready, b.Jobs[0].Greens)
	}
}

func TestSilentJobs(t *testing.T) {
	t.Parallel()
	unit := tab("unit", "main", true, "PPPP")
	later := now.Add(8 * 24 * time.Hour)
	b := verdict.Of(verdict.Input{At: later, Tabs: []verdict.Tab{unit}, Rules: verdict.DefaultRules()}).Branches[0]
	if b.Color != verdict.Yellow || b.Cut.Ready || b.Jobs[0].State != verdict.Unknown {
		t.Errorf("a week without a run: %s, ready %t, %s", b.Color, b.Cut.Ready, b.Jobs[0].Why)
	}
	unit.Options.StaleAfter = 24 * time.Hour
	b = verdict.Of(verdict.Input{At: now.Add(48 * time.Hour), Tabs: []verdict.Tab{unit}, Rules: verdict.DefaultRules()}).Branches[0]
	if b.Color != verdict.Yellow || b.Jobs[0].Status != grid.Stale {
		t.Errorf("stale: %s, %s", b.Color, b.Jobs[0].Status)
	}
}

func TestIssues(t *testing.T) {
	t.Parallel()
	rules := verdict.DefaultRules()
	rules.Tolerated = []string{"tolerated"}
	tabs := []verdict.Tab{tab("green", "main", true, "PPPP"), tab("slow", "main", false, "FFFP")}
	at := func(issues ...verdict.Issue) verdict.Branch {
		return verdict.Of(verdict.Input{At: now, Tabs: tabs, Rules: rules, Issues: issues}).Branches[0]
	}
	b := at()
	if b.Color != verdict.Red || !strings.Contains(b.Reasons[0].Text, "no issue explains it") {
		t.Errorf("unexplained: %s, %v", b.Color, b.Reasons)
	}
	b = at(verdict.Issue{Number: 7, Title: "[Failing Test] TestDrain (ci-slow)"}, verdict.Issue{Number: 8, Title: "ci-slow-race is slow"})
	if b.Color != verdict.Red || len(b.Jobs[1].Issues) != 1 || strings.Contains(b.Reasons[0].Text, "no issue") {
		t.Errorf("explained, not tolerated: %s, %v", b.Color, b.Reasons)
	}
	b = at(verdict.Issue{Number: 7, Body: "it is TestDrain.", Labels: []string{"kind/flake", "tolerated"}})
	if b.Color != verdict.Green || !b.Cut.Ready || !b.Jobs[1].Tolerated {
		t.Errorf("tolerated: %s, ready %t, %v", b.Color, b.Cut.Ready, b.Reasons)
	}
}

func TestIssueAbout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, name string
		want       bool
	}{
		{"[Failing Test] TestDrain (ci-unit)", "ci-unit", true}, {"ci-unit-race fails", "ci-unit", false}, {"my-ci-unit", "ci-unit", false},
		{"ci-unit-race, ci-unit", "ci-unit", true}, {"Up is down", "Up", false}, {"", "ci-unit", false}, {"ci-unit", "ci-unit", true},
		{"[sig-node] Pods should run", "[sig-node] Pods should run", true}, {"`TestDrain`: water", "TestDrain", true}, {"TestDrained", "TestDrain", false},
	}
	for _, tt := range tests {
		if got := (verdict.Issue{Title: tt.text}).About(tt.name); got != tt.want {
			t.Errorf("%q about %q: %t", tt.text, tt.name, got)
		}
	}
}
