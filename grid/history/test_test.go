package history_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
	"seaworthy/grid/history"
)

func series(t testing.TB, job, branch string, presubmit bool, text string) history.Series {
	return history.Series{Source: history.Source{Repo: "o/r", Job: job, Branch: branch, Presubmit: presubmit}, Test: "TestDrain", Results: runs(t, text)}
}

func TestOf(t *testing.T) {
	t.Parallel()
	all := []history.Series{
		series(t, "ci-b", "main", false, "P P P P"), series(t, "ci-a", "main", false, "F F F P P"), series(t, "ci-1", "release-1.2", false, "P F P P P P"),
		series(t, "pull", "main", true, "P@a#1 F@a#1 F@b#2 P@c#3"),
	}
	want := history.Of("TestDrain", all, history.Options{})
	if want.State != history.Broken || want.Runs != 19 || want.Passes != 13 || want.Fails != 6 || want.Flakes != 2 {
		t.Errorf("%+v", want)
	}
	var lines []string
	for _, l := range want.Jobs {
		lines = append(lines, fmt.Sprint(l.Job, " ", l.State))
	}
	if diff := cmp.Diff([]string{"ci-a broken", "ci-1 flaky", "pull flaky", "ci-b passing"}, lines); diff != "" {
		t.Error(diff)
	}
	if want.FirstBad == nil || want.FirstBad.Job != "ci-a" || want.FirstBad.FirstBad.Build != "3" || want.FirstBad.LastGood.Build != "2" {
		t.Errorf("first bad: %+v", want.FirstBad)
	}
	if b := want.Branches; len(b) != 2 || b[0].State != history.Broken || b[0].Runs != 9 || len(b[0].Jobs) != 2 || b[1].State != history.Flaky || b[1].FlakeRate.Of != 6 {
		t.Errorf("branches: %+v", b)
	}
	if p := want.Pulls; len(p) != 3 || p[0].Pull != "1" || p[0].Flakes != 1 || p[0].Build != "3" || p[1].Pull != "2" || p[1].Fails != 1 || p[1].Flakes != 0 || p[2].Fails != 0 {
		t.Errorf("pull requests: %+v", p)
	}
	for range 20 {
		rand.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		if diff := cmp.Diff(want, history.Of("TestDrain", all, history.Options{})); diff != "" {
			t.Fatalf("another order of series:\n%s", diff)
		}
	}
	// What only changes ran is judged by them.
	if x := history.Of("TestDrain", []history.Series{series(t, "pull", "main", true, "P@a#1 F@a#1 P@b#2")}, history.Options{}); x.State != history.Flaky || len(x.Branches) != 0 {
		t.Errorf("%+v", x)
	}
	if x := history.Of("TestDrain", nil, history.Options{}); x.State != history.Unknown || x.Jobs == nil || x.PassRate.Of != 0 {
		t.Errorf("of nothing: %+v", x)
	}
}

// The numbers of a judgement fit together, whatever the runs.
func TestJudgementsAddUp(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		var words []string
		for range random.IntN(25) {
			words = append(words, fmt.Sprintf("%c@%c#%d", "PPPFFKSRC"[random.IntN(9)], 'a'+rune(random.IntN(6)), random.IntN(4)))
		}
		text := strings.Join(words, " ")
		s := history.Series{Source: history.Source{Presubmit: random.IntN(2) == 0}, Results: runs(t, text)}
		j := history.Judge(s, history.Options{})
		kinds := strings.Count(text, "K@")
		switch {
		case j.Passes+j.Fails+kinds != j.Runs, j.Proven > j.Flakes, j.Flakes > j.Fails+kinds, j.Streak > j.Passes, -j.Streak > j.Fails:
			t.Fatalf("%s: %+v", text, j)
		case j.FlakeRate.Low > j.FlakeRate.Percent || j.FlakeRate.High < j.FlakeRate.Percent || j.FlakeRate.High > 100:
			t.Fatalf("%s: rate %+v", text, j.FlakeRate)
		case j.State == history.Broken && (j.Streak > 0 && !s.Source.Presubmit || j.FirstBad == nil):
			t.Fatalf("%s: broken, and the newest run passed: %+v", text, j)
		case j.LastGood != nil && j.FirstBad != nil && j.LastGood.Started.After(j.FirstBad.Started):
			t.Fatalf("%s: good after bad: %+v", text, j)
		}
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	g := grid.New("ci")
	for i, status := range []grid.Outcome{grid.Pass, grid.Fail, grid.Pass} {
		b := grid.Build{ID: fmt.Sprint(i), Started: start.Add(time.Duration(i) * time.Hour), Passed: true, Commit: fmt.Sprint("c", i), Pull: i}
		b.Finished = b.Started.Add(time.Minute)
		if i != 2 {
			b.Tests = []grid.Test{{Name: "TestDrain", Status: status, Message: "water", Duration: time.Duration(i+1) * time.Second}}
		}
		g.Append(b, start.Add(24*time.Hour))
	}
	s, ok := history.From(g, history.Source{Job: "ci"}, "TestDrain")
	if !ok || len(s.Results) != 2 { // the newest build says nothing of it
		t.Fatalf("%+v", s)
	}
	r := s.Results[0]
	if r.Build != "1" || r.Commit != "c1" || r.Pull != "1" || r.Message != "water" || r.Outcome != grid.Fail || r.Duration.Round(time.Millisecond) != 2*time.Second {
		t.Errorf("%+v", r)
	}
	if r := s.Results[1]; r.Message != "" || r.Pull != "" || r.Duration.Round(time.Millisecond) != time.Second {
		t.Errorf("%+v", r)
	}
	if _, ok := history.From(g, history.Source{}, "TestNone"); ok {
		t.Error("a row that there is not")
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seconds string // newest first
		median  float64
		trend   string
	}{
		{"", 0, ""}, {"5 5 5", 5, ""}, {"5 5 5 5 5 5 5 5", 5, "steady"}, {"9 9 9 9 5 5 5 5", 5, "slower"}, {"5 5 5 5 9 9 9 9", 5, "faster"}, {"5 5 5 99 5 5 5 5", 5, "steady"},
	} {
		s := series(t, "ci", "main", false, "-")
		for i, word := range strings.Fields(tt.seconds) {
			d, err := time.ParseDuration(word + "s")
			if err != nil {
				t.Fatal(err)
			}
			s.Results = append(s.Results, history.Result{Build: word, Outcome: grid.Pass, Duration: d, Started: start.Add(-time.Duration(i) * time.Hour)})
		}
		if d := history.Of("x", []history.Series{s}, history.Options{}).Durations; d.Median != tt.median || d.Trend != tt.trend {
			t.Errorf("%s: %+v", tt.seconds, d)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"Kubernetes e2e suite.[It] [sig-node] Pods run", "[sig-node] Pods run", true}, {"k8s.io/x/y.TestDrain", "TestDrain", true}, {"TestDrain", "k8s.io/x/y.TestDrain", true},
		{"x/TestDrain", "TestDrain", true}, {"MyTestDrain", "TestDrain", false}, {"TestDrain", "TestDrain", false}, {"a.Up", "Up", false}, {"", "TestDrain", false}, {"TestDrain.x", "TestDrain", false},
	} {
		if got := history.SameTest(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: %t", tt.a, tt.b, got)
		}
	}
	others := history.OtherNames("TestDrain", map[string][]string{"j1": {"a.TestDrain", "TestDrain"}, "j2": {"a.TestDrain", "b.TestDrain"}, "j3": {"other"}})
	if diff := cmp.Diff([]history.OtherName{{Name: "a.TestDrain", Jobs: []string{"j1", "j2"}}, {Name: "b.TestDrain", Jobs: []string{"j2"}}}, others); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		name, words string
		rank        int
		ok          bool
	}{
		{"TestDrain", "TestDrain", 0, true}, {"TestDrain", "testdrain", 1, true}, {"a.TestDrain", "TestDrain", 2, true}, {"MyTestDrain", "drain", 3, true},
		{"TestDrain/node two", "two drain", 4, true}, {"TestDrain", "tack", 0, false}, {"TestDrain", "", 0, false}, {"", "", 0, true},
	} {
		if rank, ok := history.Match(tt.name, tt.words); rank != tt.rank || ok != tt.ok {
			t.Errorf("%q for %q: %d %t", tt.name, tt.words, rank, ok)
		}
	}
}
