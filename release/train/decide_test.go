package train_test

import (
	"strings"
	"testing"
	"time"

	"seaworthy/release"
	"seaworthy/release/train"
)

const (
	tip   = "aaaa"
	older = "bbbb"
	build = "v1.2.4+aaaa"
)

// The day of the tests is 10 November 2026, a second Tuesday; the train departs at 15:00.
func rule(t testing.TB, auto train.Auto) train.Rule {
	return train.Rule{Type: train.Patch, Calendar: calendar(t, "second Tuesday", "15:00"), Auto: auto, Night: 2 * time.Hour}
}

func facts(t testing.TB, now string) train.Facts {
	return train.Facts{Now: at(t, now), Branch: "release-1.2", Tip: tip, Version: "v1.2.4", Previous: "v1.2.3", Commits: 3,
		Log: train.Log{Rule: "patch second tuesday 15:00", Since: at(t, "2026-10-15")}}
}

func run(t testing.TB, state train.RunState, began, commit string) train.Run {
	r := train.Run{ID: "run", State: state, Began: at(t, began), Commit: commit, Build: "v1.2.4+" + commit, Link: "/releases/run"}
	if state == train.Failed {
		r.Step, r.Why = "Build the archives", "it does not compile"
	}
	return r
}

func rehearsed(t testing.TB, began string) train.Attempt {
	return train.Attempt{Stage: run(t, train.Done, began, tip), Cut: run(t, train.Done, began, "")}
}

func opened(t testing.TB, f train.Facts) train.Facts {
	f.Log.Departure, f.Log.Outcome = at(t, "2026-11-10 15:00"), train.Opened
	return f
}

var red = release.Decide([]release.Gate{
	{Name: "blockers", State: release.Go},
	{Name: "checks", State: release.NoGo, Why: "failed on aaaa: post-unit", Evidence: []release.Evidence{{What: "no link"}, {What: "post-unit", Link: "/runs/7"}}},
})

func TestDecide(t *testing.T) {
	t.Parallel()
	type change func(*train.Facts)
	on := func(now string, changes ...change) train.Facts {
		f := facts(t, now)
		for _, c := range changes {
			c(&f)
		}
		return f
	}
	rehearsal := func(a train.Attempt) change { return func(f *train.Facts) { f.Rehearsal = a } }
	real := func(stage, cut train.Run) change {
		return func(f *train.Facts) { f.Real = train.Attempt{Stage: stage, Cut: cut} }
	}
	isOpen := func(f *train.Facts) { *f = opened(t, *f) }
	staged := real(run(t, train.Done, "2026-11-10 15:01", tip), train.Run{})
	cutIs := func(s train.RunState) change {
		return real(run(t, train.Done, "2026-11-10 15:01", tip), run(t, s, "2026-11-10 16:00", ""))
	}
	needs := func(r train.Run) change { return func(f *train.Facts) { f.NeedsRehearsal, f.RealRehearsal = true, r } }
	noCommits := func(f *train.Facts) { f.Commits = 0 }
	stopped := func(f *train.Facts) { f.Verdict = red }
	asks := func(f *train.Facts) { f.SignOffs = []string{"release-manager"} }
	moved := func(f *train.Facts) { f.Tip = "cccc" }
	const evening, day = "2026-11-05 18:00", "2026-11-10 15:05"
	for _, c := range []struct {
		name  string
		auto  train.Auto
		facts train.Facts
		act   train.Act
		state train.State
		why   string
	}{
		// Servers' clocks differ.
		{"another server opened it at 15:00", train.Cut, on("2026-11-10 14:59", isOpen), train.Rest, train.Staging, "the clock of this server is behind: something happened at 2026-11-10T15:00:00Z"},
		{"another server staged it at 15:01", train.Cut, on("2026-11-10 15:00", isOpen, staged), train.Rest, train.Cutting, "is behind"},
		{"a rehearsal of a later time", train.Cut, on("2026-11-06 02:05", rehearsal(train.Attempt{Stage: run(t, train.Done, "2026-11-06 02:06", tip)})), train.Rest, train.Rehearsing, "is behind"},
		// Nights.
		{"never rehearsed", train.Cut, on("2026-11-05 02:05"), train.RehearseStage, train.Rehearsing, "v1.2.4"},
		{"the rule is younger than the night", train.Cut, on(evening, func(f *train.Facts) { f.Log.Since = at(t, "2026-11-05 17:00") }), train.Rest, train.Unknown, "not been rehearsed"},
		{"rehearsed this night", train.Cut, on(evening, rehearsal(rehearsed(t, "2026-11-05 02:05"))), train.Rest, train.Ready, "nothing would stop"},
		{"rehearsed last night", train.Cut, on("2026-11-06 02:00", rehearsal(rehearsed(t, "2026-11-05 02:05"))), train.RehearseStage, train.Rehearsing, ""},
		{"rehearsed by hand in the evening", train.Cut, on("2026-11-06 02:05", rehearsal(rehearsed(t, evening))), train.Rest, train.Ready, ""},
		{"moved since the evening", train.Cut, on("2026-11-06 02:05", rehearsal(rehearsed(t, evening)), moved), train.RehearseStage, train.Rehearsing, ""},
		{"moved since the night", train.Cut, on(evening, rehearsal(rehearsed(t, "2026-11-05 02:05")), moved), train.Rest, train.Unknown, "moved"},
		{"failed this night", train.Cut, on(evening, rehearsal(train.Attempt{Stage: run(t, train.Failed, "2026-11-05 02:05", tip)})), train.Rest, train.Blocked, "would be stopped"},
		{"failed last night", train.Cut, on("2026-11-06 02:05", rehearsal(train.Attempt{Stage: run(t, train.Failed, "2026-11-05 02:05", tip)})), train.RehearseStage, train.Rehearsing, ""},
		{"the cut failed this night", train.Cut, on(evening, rehearsal(train.Attempt{Stage: run(t, train.Done, "2026-11-05 02:05", tip), Cut: run(t, train.Failed, "2026-11-05 02:30", "")})), train.Rest, train.Blocked, ""},
		{"staged this night", train.Cut, on("2026-11-05 02:10", rehearsal(train.Attempt{Stage: run(t, train.Done, "2026-11-05 02:05", tip)})), train.RehearseCut, train.Rehearsing, ""},
		{"staged, and moved since", train.Cut, on("2026-11-05 02:10", rehearsal(train.Attempt{Stage: run(t, train.Done, "2026-11-05 02:05", older)})), train.Rest, train.Unknown, "has not been rehearsed"},
		{"being rehearsed", train.Cut, on("2026-11-05 02:06", rehearsal(train.Attempt{Stage: run(t, train.Going, "2026-11-05 02:05", tip)})), train.Rest, train.Rehearsing, ""},
		{"nothing to rehearse", train.Cut, on("2026-11-05 02:05", noCommits), train.Rest, train.Nothing, "no commit since v1.2.3"},
		{"gates would stop it", train.Cut, on(evening, rehearsal(rehearsed(t, "2026-11-05 02:05")), stopped), train.Rest, train.Blocked, ""},
		{"numbering would refuse it", train.Cut, on(evening, func(f *train.Facts) { f.Refused = "cut it first" }), train.Rest, train.Blocked, "cut it first"},
		{"a person releases", train.Cut, on("2026-11-05 02:05", real(run(t, train.Going, evening, tip), train.Run{})), train.Rest, train.Cutting, "a person"},

		// The day.
		{"a minute early", train.Cut, on("2026-11-10 14:59", rehearsal(rehearsed(t, "2026-11-10 02:05"))), train.Rest, train.Ready, ""},
		{"departs", train.Cut, on(day), train.Stage, train.Staging, "v1.2.4"},
		{"departs open", train.Open, on(day), train.Stage, train.Staging, ""},
		{"only rehearses", train.Rehearse, on(day, rehearsal(rehearsed(t, "2026-11-10 02:05"))), train.Rest, train.Ready, ""},
		{"the machine was off that day", train.Cut, on("2026-11-20 09:00"), train.Stage, train.Staging, ""},
		{"the machine was off for months", train.Cut, on("2027-03-01 09:00"), train.Stage, train.Staging, ""},
		{"the rule is younger than the day", train.Cut, on(day, func(f *train.Facts) { f.Log.Since = at(t, "2026-11-10 15:01") }, rehearsal(rehearsed(t, "2026-11-10 02:05"))), train.Rest, train.Ready, ""},
		{"nothing to release", train.Cut, on(day, noCommits), train.Settle, train.Nothing, "passed over"},
		{"passed over already", train.Cut, on("2026-11-12 12:00", rehearsal(rehearsed(t, "2026-11-12 02:05")), func(f *train.Facts) {
			f.Log.Departure, f.Log.Outcome = at(t, "2026-11-10 15:00"), train.Skipped
		}), train.Rest, train.Ready, ""},
		{"numbering refuses it", train.Cut, on(day, func(f *train.Facts) { f.Refused = "cut it first" }), train.Rest, train.Blocked, "cannot depart"},
		{"in the middle of a rehearsal", train.Cut, on(day, rehearsal(train.Attempt{Stage: run(t, train.Going, "2026-11-10 14:58", tip)})), train.Rest, train.Rehearsing, "when the rehearsal is over"},
		{"a person was faster", train.Cut, on(day, real(run(t, train.Done, "2026-11-10 14:00", tip), run(t, train.Waiting, "2026-11-10 14:30", ""))), train.Rest, train.Cutting, "a person"},

		// On its way.
		{"opened and killed at once", train.Cut, on(day, isOpen), train.Stage, train.Staging, ""},
		{"being staged", train.Cut, on(day, isOpen, real(run(t, train.Going, "2026-11-10 15:01", tip), train.Run{})), train.Rest, train.Staging, ""},
		{"staging failed", train.Cut, on(day, isOpen, real(run(t, train.Failed, "2026-11-10 15:01", tip), train.Run{})), train.Rest, train.Blocked, "resume"},
		{"staging was given up", train.Cut, on(day, isOpen, real(run(t, train.Given, "2026-11-10 15:01", tip), train.Run{})), train.Settle, train.Nothing, "given up"},
		{"staged, to be rehearsed", train.Cut, on(day, isOpen, staged, needs(train.Run{})), train.RehearseCut, train.Rehearsing, ""},
		{"staged, being rehearsed", train.Cut, on(day, isOpen, staged, needs(run(t, train.Going, day, ""))), train.Rest, train.Rehearsing, ""},
		{"staged, the rehearsal failed", train.Cut, on(day, isOpen, staged, needs(run(t, train.Failed, day, ""))), train.Rest, train.Blocked, "rehearsal"},
		{"staged, the rehearsal failed, another night", train.Cut, on("2026-11-11 02:05", isOpen, staged, needs(run(t, train.Failed, day, ""))), train.RehearseCut, train.Rehearsing, "again"},
		{"staged, the rehearsal failed, mended", train.Cut, on("2026-11-11 02:05", isOpen, moved, staged, needs(run(t, train.Failed, day, ""))), train.Stage, train.Staging, "anew"},
		{"staged, the rehearsal of the same build failed before", train.Cut, on(day, isOpen, staged, needs(run(t, train.Failed, "2026-11-10 02:30", ""))), train.RehearseCut, train.Rehearsing, "again"},
		{"staged and rehearsed", train.Cut, on(day, isOpen, staged, needs(run(t, train.Done, day, ""))), train.Publish, train.Cutting, ""},
		{"staged without need of a rehearsal", train.Cut, on(day, isOpen, staged), train.Publish, train.Cutting, ""},
		{"staged, gates red", train.Cut, on(day, isOpen, staged, stopped), train.Rest, train.Blocked, "gates"},
		{"staged, gates red, branch moved", train.Cut, on(day, isOpen, moved, staged, stopped), train.Stage, train.Staging, "anew"},
		{"staged and green, though the branch moved", train.Cut, on(day, isOpen, moved, staged), train.Publish, train.Cutting, ""},
		{"open: nobody signs off", train.Open, on(day, isOpen, staged), train.Rest, train.Staged, "--build-version v1.2.4+aaaa --nomock"},
		{"open: somebody signs off", train.Open, on(day, isOpen, asks, staged), train.Publish, train.Cutting, ""},
		{"waits for sign-offs", train.Open, on(day, isOpen, asks, cutIs(train.Waiting)), train.Rest, train.SigningOff, "sign-off"},
		{"being cut", train.Cut, on(day, isOpen, cutIs(train.Going)), train.Rest, train.Cutting, ""},
		{"the cut failed", train.Cut, on(day, isOpen, cutIs(train.Failed)), train.Rest, train.Blocked, "resume"},
		{"the cut was given up", train.Cut, on(day, isOpen, cutIs(train.Given)), train.Settle, train.Nothing, "given up"},
		{"out", train.Cut, on(day, isOpen, cutIs(train.Done)), train.Settle, train.Nothing, "is out"},
		{"late, into the next departure", train.Cut, on("2026-12-08 15:05", isOpen, asks, cutIs(train.Waiting)), train.Rest, train.SigningOff, ""},
	} {
		d := train.Decide(rule(t, c.auto), c.facts)
		if d.Act != c.act || d.State != c.state || !strings.Contains(d.Why, c.why) {
			t.Errorf("%s: %s, %s, %q; want %s, %s, %q", c.name, d.Act, d.State, d.Why, c.act, c.state, c.why)
		}
		if (d.State == train.Blocked) != (len(d.Stops) > 0) && d.State != train.SigningOff {
			t.Errorf("%s: %s with the stops %+v", c.name, d.State, d.Stops)
		}
		if (d.Act == train.RehearseCut || d.Act == train.Publish) && d.Build != build {
			t.Errorf("%s: cuts %q", c.name, d.Build)
		}
		if want := at(t, "2026-12-08 15:00"); c.facts.Now.After(at(t, day)) && c.facts.Now.Before(want) && !d.Next.Equal(want) {
			t.Errorf("%s: next is %s", c.name, d.Next)
		}
	}
}

// What stops a release is named with its link.
func TestStops(t *testing.T) {
	t.Parallel()
	f := facts(t, "2026-11-05 18:00")
	f.Rehearsal = train.Attempt{Stage: run(t, train.Failed, "2026-11-05 02:05", tip)}
	f.Verdict = red
	d := train.Decide(rule(t, train.Cut), f)
	want := []train.Stop{
		{What: "Build the archives", Why: "it does not compile", Link: "/releases/run"},
		{What: "checks", Why: "failed on aaaa: post-unit", Link: "/runs/7"},
	}
	if len(d.Stops) != 2 || d.Stops[0] != want[0] || d.Stops[1] != want[1] {
		t.Errorf("stops %+v, want %+v", d.Stops, want)
	}
	l := train.NewLine("harbour/halyard", rule(t, train.Cut), f, d)
	if l.Repo != "harbour/halyard" || l.Branch != "release-1.2" || l.State != train.Blocked || len(l.Stops) != 2 || l.Release != (train.Attempt{}) {
		t.Errorf("line %+v", l)
	}
}

// A departure is written down before anything is done about it, and is dealt
// with once: whoever asks again with the log that was decided on is told to go
// on with the same one.
func TestDepartureOnce(t *testing.T) {
	t.Parallel()
	r := rule(t, train.Cut)
	f := facts(t, "2027-03-01 09:00") // five were missed
	d := train.Decide(r, f)
	newest := at(t, "2027-02-09 15:00")
	if d.Act != train.Stage || d.Log.Outcome != train.Opened || !d.Log.Departure.Equal(newest) {
		t.Fatalf("%+v", d)
	}
	f.Log = d.Log
	f.Real = train.Attempt{Stage: run(t, train.Done, "2027-03-01 09:00", tip), Cut: run(t, train.Done, "2027-03-01 09:30", "")}
	d = train.Decide(r, f)
	if d.Act != train.Settle || d.Log.Outcome != train.Out {
		t.Fatalf("%+v", d)
	}
	f.Log, f.Real, f.Previous = d.Log, train.Attempt{}, "v1.2.4"
	f.Rehearsal = rehearsed(t, "2027-03-01 09:00")
	if d = train.Decide(r, f); d.Act != train.Rest {
		t.Fatalf("the other four are made up for, too: %+v", d)
	}
	f.Now = at(t, "2027-03-09 15:00")
	f.Rehearsal = rehearsed(t, "2027-03-09 02:00")
	if d = train.Decide(r, f); d.Act != train.Stage {
		t.Fatalf("the next one: %+v", d)
	}
}

// A simulation of three years: a machine that is off now and then, commits now
// and then, and each departure is dealt with once.
func TestYears(t *testing.T) {
	t.Parallel()
	r := rule(t, train.Cut)
	f := facts(t, "2025-01-01")
	f.Log.Since = f.Now
	dealt := map[time.Time]int{}
	off := 0
	for hour := 0; f.Now.Year() < 2028; hour++ {
		f.Now = f.Now.Add(time.Hour)
		if f.Commits = 1; f.Now.Month()%4 == 0 {
			f.Commits = 0
		}
		if f.Now.Day() >= 8 && f.Now.Day() <= 20 && f.Now.Month()%5 == 0 {
			off++
			continue
		}
		d := train.Decide(r, f)
		if d.Log.Departure != f.Log.Departure {
			dealt[d.Log.Departure]++
			if d.Log.Departure.After(f.Now) || d.Log.Departure.Weekday() != time.Tuesday {
				t.Fatalf("at %s the train of %s departs", f.Now, d.Log.Departure)
			}
		}
		f.Log = d.Log
		switch {
		case d.Act == train.Stage:
			f.Real = train.Attempt{Stage: train.Run{State: train.Done, Commit: tip, Build: build, Began: f.Now}}
		case d.Act == train.Publish:
			f.Real.Cut = train.Run{State: train.Done, Began: f.Now}
		case d.Act == train.Settle:
			f.Real = train.Attempt{}
		case d.Act == train.RehearseStage:
			f.Rehearsal = train.Attempt{Stage: train.Run{State: train.Done, Commit: tip, Began: f.Now}, Cut: train.Run{State: train.Done, Began: f.Now}}
		}
	}
	if off == 0 || len(dealt) != 36 {
		t.Errorf("%d of 36 departures were dealt with, %d hours off", len(dealt), off)
	}
	for departure, times := range dealt {
		if times != 1 {
			t.Errorf("the train of %s departed %d times", departure, times)
		}
	}
}
