package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/alert"
	"seaworthy/grid"
	rules "seaworthy/signal/verdict"
)

// fortnight is a job that runs every hour: what its builds do, by the hour.
type fortnight struct {
	job, branch string
	build       func(hour int) grid.Build
}

// days are two repositories' jobs over a fortnight.
func days() []fortnight {
	passes := func(hour int) grid.Build {
		return grid.Build{Passed: true, Result: "SUCCESS", Commit: fmt.Sprintf("%040d", hour), Tests: []grid.Test{{Name: "TestHold", Status: grid.Pass}, {Name: "TestTack", Status: grid.Pass}}}
	}
	fails := func(hour, test int, message string) grid.Build {
		b := passes(hour)
		b.Passed, b.Result = false, "FAILURE"
		b.Tests[test].Status, b.Tests[test].Message = grid.Fail, message
		return b
	}
	return []fortnight{
		{"halyard-unit", "main", func(h int) grid.Build { // breaks once for a day, with one cause
			if h >= 50 && h < 74 {
				return fails(h, 0, "rope gave way")
			}
			return passes(h)
		}},
		{"halyard-e2e", "main", func(h int) grid.Build { // flakes every seventh run, twice in a row at most
			if h%7 == 0 || h%49 == 1 {
				return fails(h, 1, "no wind")
			}
			return passes(h)
		}},
		{"halyard-old", "release-1.1", func(h int) grid.Build { // fails outside of tests, for a night
			if h >= 200 && h < 210 {
				b := passes(h)
				b.Passed, b.Result, b.Tests = false, "FAILURE", nil
				return b
			}
			return passes(h)
		}},
		{"capstan-unit", "main", func(h int) grid.Build { // breaks in two tests, one after the other; heals at once
			switch {
			case h >= 100 && h < 130:
				b := fails(h, 0, "teeth worn")
				if h >= 110 {
					b.Tests[1].Status = grid.Fail
				}
				return b
			}
			return passes(h)
		}},
	}
}

// Over a fortnight, everybody hears once of each thing that breaks and once of
// its end, flakes wake nobody, and at each hour the report says the same: a
// branch is red exactly while somebody was told that a test of it fails.
func TestFortnight(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	jobs := days()
	grids := make([]*grid.Grid, len(jobs))
	for i, j := range jobs {
		grids[i] = grid.New(j.job)
	}
	var state alert.State
	var said []string
	reds := map[string]int{}
	for h := range 14 * 24 {
		now := begin.Add(time.Duration(h)*time.Hour + 30*time.Minute)
		var tabs []alert.Tab
		var judged []rules.Tab
		for i, j := range jobs {
			b := j.build(h)
			b.ID, b.Started, b.Finished = fmt.Sprint(1000+h), now.Add(-20*time.Minute), now.Add(-10*time.Minute)
			grids[i].Append(b, now)
			sum := grid.Summarize(grids[i], grid.Options{}, now)
			page := "https://sea.example/dashboards/blocking/" + j.job
			tabs = append(tabs, alert.Tab{Dashboard: "blocking", Name: j.job, Job: j.job, URL: page, Status: sum.Status, Alerts: sum.Alerts,
				Between: func(good, bad grid.Column) string {
					return page + "/between?from=" + good.Build + "&to=" + bad.Build
				}})
			judged = append(judged, rules.Tab{Dashboard: "blocking", Name: j.job, Job: j.job, Project: strings.Split(j.job, "-")[0], Branch: j.branch, Blocking: true, Grid: grids[i]})
		}
		for range 30 { // the platform looks every two minutes
			state = alert.Next(state, tabs, alert.Rules{Project: "harbour", Mails: []string{"ci@sea.example"}}, now)
			now = now.Add(2 * time.Minute)
		}
		for _, m := range state.Due {
			said = append(said, fmt.Sprintf("%d: %s", h, m.Subject))
			truthful(t, h, m)
		}
		state.Due = nil
		agrees(t, h, state, rules.Of(rules.Input{At: now, Tabs: judged, Rules: rules.DefaultRules()}), reds)
	}
	want := []string{
		"52: [harbour] TestHold fails: began", "74: [harbour] TestHold fails: ended",
		"102: [harbour] TestHold fails: began", "112: [harbour] TestTack fails: began", "130: [harbour] in capstan-unit: 2 ended",
		"202: [harbour] builds of halyard-old fail: began", "210: [harbour] builds of halyard-old fail: ended",
	}
	if !slices.Equal(said, want) {
		t.Errorf("said\n  %s\nwant\n  %s", strings.Join(said, "\n  "), strings.Join(want, "\n  "))
	}
	if reds["halyard main"] != 22 || reds["capstan main"] != 28 || reds["halyard release-1.1"] != 8 {
		t.Errorf("hours in red: %v", reds)
	}
}

// truthful checks that what a mail says began, began where it says.
func truthful(t *testing.T, hour int, m alert.Message) {
	t.Helper()
	if !strings.Contains(m.Text, "Began:") {
		return
	}
	bad := 1000 + hour - 2 // told at the third failure
	for _, want := range []string{
		fmt.Sprintf("failed 3 times since build %d", bad), fmt.Sprintf("last passed in build %d", bad-1),
		fmt.Sprintf("between?from=%d&to=%d", bad-1, bad), fmt.Sprintf("%012d", 0),
	} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("hour %d: %q is not in\n%s", hour, want, m.Text)
		}
	}
}

// agrees checks that a branch is red exactly while somebody was told why.
func agrees(t *testing.T, hour int, state alert.State, r rules.Report, reds map[string]int) {
	t.Helper()
	broken := map[string]bool{}
	for _, x := range state.Troubles {
		for _, p := range x.Places {
			if x.Ended.IsZero() {
				broken[p.Tab] = true
			}
		}
	}
	for _, b := range r.Branches {
		told := slices.ContainsFunc(b.Jobs, func(j rules.Job) bool { return broken[j.Tab] })
		if told != (b.Color == rules.Red) {
			t.Errorf("hour %d: %s is %s (%v), and told of is %v", hour, b.Label, b.Color, b.Reasons, broken)
		}
		if b.Color == rules.Red {
			reds[b.Label]++
			if b.Cut.Ready {
				t.Errorf("hour %d: %s is red and ready to be cut", hour, b.Label)
			}
		}
	}
}
