package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }

func runs(results string) []TabRun {
	var all []TabRun
	for i, r := range results {
		all = append(all, TabRun{Build: fmt.Sprint(9 - i), Green: r == '+', Link: "/runs/" + fmt.Sprint(9-i), At: noon})
	}
	return all
}

// facts is a release about which everything is well.
func facts(t *testing.T) Facts {
	t.Helper()
	return Facts{
		Repo: "harbour/halyard", Branch: "release-1.2", Version: "v1.2.0", Commit: sha1, At: noon,
		Dashboards: &BoardFacts{Names: []string{"blocking"}, Runs: 3, Tabs: []Tab{{Dashboard: "blocking", Name: "unit", Runs: runs("+++-")}}},
		Checks:     Look([]Check{{Name: "unit", State: "success", Required: true}}, nil),
		Blockers:   Look[Blocker](nil, nil),
		Exceptions: Look[Blocker](nil, nil),
		Notes:      Look([]MergedChange{{Number: 7, Title: "Hoist"}}, nil),
		Freeze:     &FreezeFacts{From: day(5), Until: day(21), Label: "excepted", Merged: []MergedChange{{Number: 6, MergedAt: day(4)}, {Number: 7, MergedAt: day(9), Labels: []string{"Excepted"}}}},
		Rehearsal:  &RehearsalFacts{Found: Rehearsal{Version: v(t, "v1.2.0"), Commit: sha1, State: "succeeded", Run: "7"}, Want: v(t, "v1.2.0")},
		SignOffs:   &SignOffFacts{Roles: []string{"release manager"}, Given: []SignOff{{Role: "Release Manager", By: "ada", Commit: sha1, At: noon}}},
	}
}

func TestFactsVerdict(t *testing.T) {
	t.Parallel()
	if v := facts(t).Verdict(); !v.Go || len(v.Gates) != len(Gates())+1 {
		t.Fatalf("all is well, and the verdict is %+v", v)
	}
	for _, tt := range []struct {
		name   string
		change func(*Facts)
		gate   string
		state  GateState
		why    string
	}{
		{"one red in three", func(f *Facts) { f.Dashboards.Tabs[0].Runs = runs("++-+++") }, "dashboards", NoGo, "blocking#unit (green 2 of 3 times)"},
		{"two results only", func(f *Facts) { f.Dashboards.Tabs[0].Runs = runs("++") }, "dashboards", Unknown, "blocking#unit (2 results)"},
		{"no result", func(f *Facts) { f.Dashboards.Tabs[0].Runs = nil }, "dashboards", Unknown, "0 results"},
		{"green, and old", func(f *Facts) { f.Dashboards.Tabs[0].Doubt = "it has no new results" }, "dashboards", Unknown, "no news: blocking#unit: it has no new results"},
		{"red, and old", func(f *Facts) { f.Dashboards.Tabs[0].Runs, f.Dashboards.Tabs[0].Doubt = runs("-++"), "old" }, "dashboards", NoGo, "green 0 of 3"},
		{"no tab", func(f *Facts) { f.Dashboards.Names = append(f.Dashboards.Names, "informing") }, "dashboards", Unknown, "informing (no tab shows there)"},
		{"bucket is away", func(f *Facts) { f.Dashboards.Failure = "away" }, "dashboards", Unknown, "away"},
		{"red check", func(f *Facts) { f.Checks.Facts[0].State = "failure" }, "checks", NoGo, "failed on"},
		{"checks not to be had", func(f *Facts) { f.Checks = Look[Check](nil, errors.New("away")) }, "checks", Unknown, "could not be judged: away"},
		{"blocker", func(f *Facts) { f.Blockers.Facts = []Blocker{{Number: 3, Title: "leaks"}} }, "blockers", NoGo, "#3"},
		{"exception", func(f *Facts) { f.Exceptions.Facts = []Blocker{{Number: 3}, {Number: 4}} }, "exceptions", NoGo, "2 exceptions to be settled: #3, #4"},
		{"no note", func(f *Facts) { f.Notes.Facts[0].NoteMissing = "there is no block" }, "notes", NoGo, "1 of 1 change without a release note: #7"},
		{"before the freeze", func(f *Facts) { f.At = day(4) }, "freeze", NoGo, "begins at 2026-11-05"},
		{"after the freeze", func(f *Facts) { f.At = day(21) }, "freeze", NoGo, "was over at 2026-11-21"},
		{"merged in the freeze", func(f *Facts) { f.Freeze.Merged[1].Labels = nil }, "freeze", NoGo, "merged in the freeze without excepted: #7"},
		{"history not to be had", func(f *Facts) { f.Freeze.Failure = "away" }, "freeze", Unknown, "away"},
		{"not rehearsed", func(f *Facts) { f.Rehearsal.Found = Rehearsal{} }, "rehearsal", NoGo, "has not been rehearsed"},
		{"another commit signed", func(f *Facts) { f.SignOffs.Given[0].Commit = other }, "sign-off", NoGo, "by: release manager"},
		{"another role signed", func(f *Facts) { f.SignOffs.Roles = append(f.SignOffs.Roles, "security") }, "sign-off", NoGo, "by: security"},
		{"given", func(f *Facts) { f.Given = []Gate{{Name: "weather", State: NoGo, Why: "storm"}} }, "weather", NoGo, "storm"},
	} {
		f := facts(t)
		tt.change(&f)
		v := f.Verdict()
		if v.Go || len(v.Reasons) != 1 || !strings.HasPrefix(v.Reasons[0], tt.gate+": ") {
			t.Errorf("%s: %+v", tt.name, v)
		}
		for _, g := range v.Gates {
			if g.Name == tt.gate && (g.State != tt.state || !strings.Contains(g.Why, tt.why)) {
				t.Errorf("%s: %s, %q; want %s, %q", tt.name, g.State, g.Why, tt.state, tt.why)
			}
		}
	}
}

// A verdict that was stored with its facts comes out again.
func TestFactsReplay(t *testing.T) {
	t.Parallel()
	f := facts(t)
	f.Blockers.Facts = []Blocker{{Number: 3, Title: "leaks", Link: "/issues/3"}}
	f.Waivers = []Waiver{{Gate: "blockers", Branch: "release-1.2", By: "ada", Role: "release manager", Why: "known", From: day(1), Until: day(30)}}
	stored, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var again Facts
	if err := json.Unmarshal(stored, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Verdict(), again.Verdict()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(f.Verdict(), f.Verdict()); diff != "" {
		t.Errorf("judging changed the facts: %s", diff)
	}
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	w := Waiver{Gate: "notes", Version: "v1.2.0", By: "ada", Role: "release manager", Why: "typo only", From: day(1), Until: day(11)}
	for _, tt := range []struct {
		name   string
		change func(*Waiver)
		goes   bool
	}{
		{"this version", func(*Waiver) {}, true},
		{"this branch", func(w *Waiver) { w.Version, w.Branch = "", "release-1.2" }, true},
		{"another version", func(w *Waiver) { w.Version = "v1.2.1" }, false},
		{"another branch", func(w *Waiver) { w.Version, w.Branch = "", "main" }, false},
		{"another gate", func(w *Waiver) { w.Gate = "checks" }, false},
		{"expired", func(w *Waiver) { w.Until = noon }, false},
		{"not yet", func(w *Waiver) { w.From = noon.Add(time.Second) }, false},
		{"nobody", func(w *Waiver) { w.By = "" }, false},
		{"for no reason", func(w *Waiver) { w.Why = " " }, false},
	} {
		f := facts(t)
		f.Notes.Facts[0].NoteMissing = "there is no block"
		w := w
		tt.change(&w)
		f.Waivers = []Waiver{w}
		if v := f.Verdict(); v.Go != tt.goes {
			t.Errorf("%s: %+v", tt.name, v)
		} else if tt.goes && v.Reasons[0] != "notes: waived by ada as release manager: typo only (until 2026-11-11 00:00 UTC)" {
			t.Errorf("%s: the verdict says %q", tt.name, v.Reasons)
		}
	}
	for name, bad := range map[string]Waiver{
		"a gate there is not": {Gate: "weather", Branch: "main", By: "ada", Why: "x", From: day(1), Until: day(2)},
		"people's word":       {Gate: "sign-off", Branch: "main", By: "ada", Why: "x", From: day(1), Until: day(2)},
		"both":                {Gate: "notes", Branch: "main", Version: "v1.0.0", By: "ada", Why: "x", From: day(1), Until: day(2)},
		"neither":             {Gate: "notes", By: "ada", Why: "x", From: day(1), Until: day(2)},
		"over":                {Gate: "notes", Branch: "main", By: "ada", Why: "x", From: day(2), Until: day(2)},
	} {
		if err := bad.Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSignOffsLeft(t *testing.T) {
	t.Parallel()
	s := SignOffFacts{Roles: []string{"security", "release manager"}, Given: []SignOff{{Role: "Security", By: "cho", Commit: sha1}}}
	if diff := cmp.Diff([]string{"release manager"}, s.Left(sha1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(s.Roles, s.Left(other)); diff != "" {
		t.Error(diff)
	}
}
