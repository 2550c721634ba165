package verdict_test

import (
	"encoding/json"
	"flag"
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

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = "testdata/" + name
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s, run with -update if it is right:\n%s", name, diff)
	}
}

// autumn is three branches, of which one is red, one yellow and one green.
func autumn() verdict.Input {
	rules := verdict.DefaultRules()
	rules.Tolerated = []string{"tolerated"}
	tabs := []verdict.Tab{
		tab("unit", "main", true, "FFFPPPPPPPPP"), tab("race", "main", true, "PPPPPPPPPPPP"), tab("scale", "main", false, "PPFPPPPPPPPP"),
		tab("unit-1.36", "release-1.36", true, "PPPFPPPPPPPP"), tab("slow-1.36", "release-1.36", false, "FFFFFFPPPPPP"),
		tab("unit-1.35", "release-1.35", true, "PPPPPPPP"),
	}
	tabs[1].Mails, tabs[1].Description = nil, ""
	return verdict.Input{At: now, Tabs: tabs, Rules: rules, Issues: []verdict.Issue{
		{Number: 12, Title: "[Failing Test] slow-1.36 is out of disk", Link: "https://forge.example/o/r/issues/12", Labels: []string{"tolerated"}},
	}}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := verdict.Of(autumn())
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "autumn.json", append(data, '\n'))
	golden(t, "autumn.md", []byte(r.Markdown()))
}

func TestReportIsDeterministic(t *testing.T) {
	t.Parallel()
	want := verdict.Of(autumn()).Markdown()
	for range 10 {
		in := autumn()
		rand.Shuffle(len(in.Tabs), func(i, k int) { in.Tabs[i], in.Tabs[k] = in.Tabs[k], in.Tabs[i] })
		if diff := cmp.Diff(want, verdict.Of(in).Markdown()); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	r := verdict.Of(verdict.Input{At: now, Rules: verdict.DefaultRules(), IssuesUnknown: "no forge | <here>"})
	text := r.Markdown()
	if r.Color != verdict.Yellow || len(r.Branches) != 0 || !strings.Contains(text, "No blocking or informing dashboard") || !strings.Contains(text, `no forge \| &lt;here>`) {
		t.Errorf("%s: %s", r.Color, text)
	}
	r = verdict.Of(verdict.Input{At: now, Tabs: []verdict.Tab{tab("unit", "main", false, "PPPP")}, Rules: verdict.Rules{}})
	if b := r.Branches[0]; b.Color != verdict.Yellow || b.Cut.Ready || b.Reasons[0].Text != "no blocking job speaks of this branch" {
		t.Errorf("only informing: %+v", b)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	// One run every three hours: eight of them began within the last day, an
	// hour before now and so on.
	tests := []struct {
		name     string
		runs     string
		want     string
		was, now verdict.Color
	}{
		{"nothing", "PPPPPPPPPPPPPPPPPPPP", "", verdict.Green, verdict.Green},
		{"began to fail", "FFFPPPPPPPPPPPPPPPPP", "passing failing +TestDrain", verdict.Green, verdict.Red},
		{"fails on", "FFFFFFFFFFFFFFFFFFFF", "", verdict.Red, verdict.Red},
		{"mended", "PPPPPPPPPFFFPPPPPPPP", "", verdict.Yellow, verdict.Yellow},
		{"mended since yesterday", "PPPPPPPPFFFPPPPPPPPP", "failing flaky -TestDrain", verdict.Red, verdict.Yellow},
		{"flaked", "PPFPPPPPPPPPPPPPPPPP", "passing flaky", verdict.Green, verdict.Yellow},
		{"new", "PPPPP", "unknown passing", verdict.Yellow, verdict.Green},
	}
	for _, tt := range tests {
		b := verdict.Of(verdict.Input{At: now, Tabs: []verdict.Tab{tab("unit", "main", true, tt.runs)}, Rules: verdict.DefaultRules()}).Branches[0]
		got := ""
		for _, c := range b.Changes {
			words := []string{string(c.From), string(c.To)}
			slices.Sort(c.Failing)
			slices.Sort(c.Mended)
			for _, f := range c.Failing {
				words = append(words, "+"+f)
			}
			for _, f := range c.Mended {
				words = append(words, "-"+f)
			}
			got += strings.Join(words, " ")
		}
		if got != tt.want || b.Before != tt.was || b.Color != tt.now {
			t.Errorf("%s: got %q, %s to %s, want %q, %s to %s", tt.name, got, b.Before, b.Color, tt.want, tt.was, tt.now)
		}
	}
}

// What the report says of yesterday is what it would have said then: the same
// builds read at that time, with those that ran then still running.
func TestYesterdayIsWhatItWas(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var runs []byte
		for range 5 + random.IntN(20) {
			runs = append(runs, "PPPPFFA"[random.IntN(7)])
		}
		long := random.IntN(2) == 0
		x := tab("unit", "main", true, string(runs))
		then := now.Add(-24 * time.Hour)
		old := grid.New("ci-unit")
		for i, c := range x.Grid.Columns {
			if long && i%3 == 0 {
				x.Grid.Columns[i].Finished = c.Started.Add(7 * time.Hour)
			}
		}
		for i, c := range slices.Backward(x.Grid.Columns) {
			if c.Finished.After(then) {
				continue
			}
			b := grid.Build{ID: c.Build, Started: c.Started, Finished: c.Finished, Result: c.Result, Passed: c.Result == "SUCCESS", Commit: c.Commit}
			for _, row := range x.Grid.Rows {
				if cell := row.Cells()[i]; row.Name != x.Grid.Overall() && cell.Status != grid.NoResult {
					b.Tests = append(b.Tests, grid.Test{Name: row.Name, Status: cell.Status, Message: cell.Message})
				}
			}
			old.Append(b, then)
		}
		y := x
		y.Grid = old
		was := verdict.Of(verdict.Input{At: then, Tabs: []verdict.Tab{y}, Rules: verdict.DefaultRules()}).Branches[0]
		is := verdict.Of(verdict.Input{At: now, Tabs: []verdict.Tab{x}, Rules: verdict.DefaultRules()}).Branches[0]
		if was.Color != is.Before {
			t.Fatalf("%s (long runs: %t): it was %s (%s), the report says %s", runs, long, was.Color, was.Jobs[0].Why, is.Before)
		}
		for _, c := range is.Changes {
			if c.From != was.Jobs[0].State {
				t.Fatalf("%s: it was %s, the report says %s", runs, was.Jobs[0].State, c.From)
			}
		}
	}
}

// The tabs of a large project, each with a fortnight of runs.
func BenchmarkReport(b *testing.B) {
	var tabs []verdict.Tab
	for i := range 8260 {
		x := tab(fmt.Sprint("job-", i), fmt.Sprint("release-1.", i%5), i%2 == 0, "PPPPFPPPPPPPFPPPPPPPPPPPPPPPPPPPPPPPFFPPPPPPPPPP"[i%10:])
		tabs = append(tabs, x)
	}
	b.ResetTimer()
	for b.Loop() {
		if r := verdict.Of(verdict.Input{At: now, Tabs: tabs, Rules: verdict.DefaultRules()}); len(r.Branches) != 5 {
			b.Fatal(len(r.Branches))
		}
	}
}

// Seventy-five jobs with thousands of tests each, as Kubernetes' blocking ones.
func BenchmarkReportOfLargeGrids(b *testing.B) {
	g := grid.New("ci-big")
	for i := range 200 {
		build := grid.Build{ID: fmt.Sprint(1000 + i), Started: now.Add(time.Duration(i-200) * time.Hour), Commit: fmt.Sprint("c", i/3), Passed: true, Result: "SUCCESS"}
		build.Finished = build.Started.Add(time.Hour)
		for k := range 3500 {
			t := grid.Test{Name: fmt.Sprint("test-", k), Status: grid.Pass}
			if (i*3500+k)%997 == 0 {
				t.Status, t.Message = grid.Fail, "broke"
			}
			build.Tests = append(build.Tests, t)
		}
		g.Append(build, now)
	}
	var tabs []verdict.Tab
	for i := range 75 {
		x := tab(fmt.Sprint("job-", i), fmt.Sprint("release-1.", i%5), true, "-")
		x.Grid = g
		tabs = append(tabs, x)
	}
	b.ResetTimer()
	for b.Loop() {
		verdict.Of(verdict.Input{At: now, Tabs: tabs, Rules: verdict.DefaultRules()})
	}
}
