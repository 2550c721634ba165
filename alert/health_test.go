package alert_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"seaworthy/alert"
	"seaworthy/grid"
)

// health is that of tests, by their flakiness.
func health(tests ...grid.TestHealth) *grid.Health {
	return &grid.Health{From: at("00:00").AddDate(0, 0, -7), To: at("00:00"), Tests: tests, Flakiness: 12.34, Before: 5}
}

func flaked(test string, flakiness float64) grid.TestHealth {
	return grid.TestHealth{Test: test, Passed: 8, Failed: 2, Flakiness: flakiness}
}

// at9 is every day at 9 o'clock UTC.
func at9(after time.Time) time.Time {
	next := after.Truncate(24 * time.Hour).Add(9 * time.Hour)
	if !next.After(after) {
		next = next.Add(24 * time.Hour)
	}
	return next
}

func reported(r alert.Report, h *grid.Health) alert.Tab {
	t := tab("unit")
	t.Health, t.Report = h, &r
	return t
}

func TestReportsByTheClock(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Channel: "#ci", Issues: true}}
	daily := alert.Report{Mails: []string{"qa@example.org"}, Schedule: "0 9 * * *", Next: at9}
	u := reported(daily, health(flaked("TestA", 20), flaked("TestB", 0)))
	const said = "qa@example.org: [p] healthiness of blocking, unit: 1 of 2 tests flaky"
	s.want(s.next("08:00", u)) // nothing at first sight
	s.want(s.next("08:59", u))
	s.want(s.next("09:00", u), said)
	s.want(s.next("09:02", u))
	s.want(s.next("23:00", u))
	if due := s.state.Reports["blocking\x00unit\x000 9 * * *"]; !due.Equal(at("09:00").AddDate(0, 0, 1)) {
		t.Errorf("the next is due at %s", due)
	}
	// What cannot be read is reported when it can; a missed day is reported once.
	s.state.Reports["blocking\x00unit\x000 9 * * *"] = at("09:00").AddDate(0, 0, -3)
	unread := u
	unread.Unread = true
	s.want(s.next("10:00", unread))
	without := u
	without.Health = nil
	s.want(s.next("10:02", without))
	s.want(s.next("10:04", u), said)
	s.want(s.next("10:06", u))
	// Another schedule begins anew; a tab that wants none is forgotten.
	daily.Schedule = "0 9 * * 1-5"
	s.want(s.next("10:08", reported(daily, u.Health)))
	if len(s.state.Reports) != 1 {
		t.Errorf("remembered: %v", s.state.Reports)
	}
	s.want(s.next("10:10", tab("unit")))
	if s.state.Reports != nil {
		t.Errorf("remembered: %v", s.state.Reports)
	}
	never := daily
	never.Next = func(time.Time) time.Time { return time.Time{} }
	s.want(s.next("10:12", reported(never, u.Health)))
	s.want(s.next("10:14", reported(never, u.Health)))
}

func TestReportsWaitForTheEndOfQuietHours(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Quiet: alert.Quiet{From: 8 * time.Hour, To: 11 * time.Hour}}}
	u := reported(alert.Report{Mails: []string{"qa@example.org"}, Next: at9}, health(flaked("TestA", 20)))
	s.want(s.next("07:00", u))
	s.want(s.next("09:00", u))
	s.want(s.next("10:59", u))
	s.want(s.next("11:00", u), "qa@example.org: [p] healthiness of blocking, unit: 1 of 1 test flaky")
	s.want(s.next("11:02", u))
}

// text is the report of a tab.
func text(t *testing.T, r alert.Report, h *grid.Health) alert.Message {
	t.Helper()
	r.Mails, r.Next = []string{"qa@example.org"}, at9
	s := alert.Next(alert.State{}, []alert.Tab{reported(r, h)}, alert.Rules{Project: "p"}, at("08:00"))
	s = alert.Next(s, []alert.Tab{reported(r, h)}, alert.Rules{Project: "p"}, at("09:30"))
	if len(s.Due) != 1 {
		t.Fatalf("%d messages", len(s.Due))
	}
	return s.Due[0]
}

func TestReportText(t *testing.T) {
	t.Parallel()
	before := 4.0
	sick := grid.TestHealth{Test: "TestA", Passed: 5, Failed: 3, Flaked: 1, Flakiness: 44.44, Before: &before, Infra: map[string]int{"NO_NODE": 2}}
	h := health(flaked("TestOdd", 3), sick, flaked("TestWell", 0), grid.TestHealth{Test: "TestB", Passed: 1, Infra: map[string]int{"NO_NODE": 1, "QUOTA": 5}})
	got := text(t, alert.Report{}, h)
	want := `blocking, unit <https://example.org/unit>
From 2026-11-16 00:00 UTC to 2026-11-23 00:00 UTC: 2 of 4 tests flaky.
Flakiness on average: 12.3 %; in the interval before: 5.0 %.

The flakiest:
- TestA: 44.4 % (before: 4.0 %); passed 5, failed 3, did both in 1
- TestOdd: 3.0 %; passed 8, failed 2

Failures of the infrastructure, which count for no test:
- QUOTA: 5
- NO_NODE: 3
`
	if got.Text != want {
		t.Errorf("got\n%s\nwant\n%s", got.Text, want)
	}
	if got.ID == "" || got.ID != text(t, alert.Report{}, h).ID {
		t.Error("the same report has another identity")
	}
	if healthy := text(t, alert.Report{}, health(flaked("TestWell", 0))); strings.Contains(healthy.Text, "flakiest") || !strings.Contains(healthy.Subject, "0 of 1 test flaky") {
		t.Errorf("%s\n%s", healthy.Subject, healthy.Text)
	}
}

func TestReportByGroups(t *testing.T) {
	t.Parallel()
	h := health(flaked("disk - amd64", 5), flaked("disk - arm64", 50), flaked("net - amd64", 60), flaked("net - arm64", 0))
	got := text(t, alert.Report{Group: regexp.MustCompile(` - \w+`)}, h).Text
	for _, want := range []string{"- disk: 2 flaky tests, the flakiest of them\n  - disk - arm64: 50.0 %", "- net: 1 flaky test, the flakiest of them\n  - net - amd64: 60.0 %"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Index(got, "- disk:") > strings.Index(got, "- net:") {
		t.Errorf("the group with most flaky tests is not first:\n%s", got)
	}
	if all := text(t, alert.Report{Group: regexp.MustCompile(`.*`)}, h).Text; !strings.Contains(all, "- (all): 3 flaky tests") {
		t.Error(all)
	}
}

// However much there is to say, a report can be read.
func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	var many []grid.TestHealth
	for i := range 500 {
		x := flaked(fmt.Sprintf("Test%03d%s", i, strings.Repeat("x", 1000)), float64(i+1)/10)
		x.Infra = map[string]int{fmt.Sprint("CODE", i): i}
		many = append(many, x)
	}
	for _, r := range []alert.Report{{}, {Group: regexp.MustCompile(`x+$`)}} {
		m := text(t, r, health(many...))
		if len(m.Text) > 20_000 || !strings.Contains(m.Text, "480") || strings.Count(m.Text, "CODE") != 10 {
			t.Errorf("%d bytes:\n%s", len(m.Text), m.Text[:400])
		}
	}
}

func flakyTab(minimum float64, tests ...grid.TestHealth) alert.Tab {
	t := tab("unit")
	t.Health = health(tests...)
	t.Flaky = alert.Flaky{Minimum: minimum, Mails: []string{"flakes@example.org"}, Remind: 3 * time.Hour, Note: "see the guide"}
	return t
}

// A flaky test is told of once, keeps being one while it is near the minimum,
// and opens no issue.
func TestFlakinessAlerts(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Issues: true}}
	s.want(s.next("08:00", flakyTab(10, flaked("TestA", 9.9), flaked("TestB", 0))))
	s.state = alert.Next(s.state, []alert.Tab{flakyTab(10, flaked("TestA", 10))}, s.rules, at("08:02"))
	if len(s.state.Due) != 1 || strings.Join(s.state.Due[0].Mails, " ") != "flakes@example.org" {
		t.Fatalf("due: %+v", s.state.Due)
	}
	for _, want := range []string{"- TestA is flaky\n", "blocking, unit <https://example.org/unit>: 10.0 % since 2026-11-16 00:00 UTC: passed 8, failed 2\n", "see the guide"} {
		if !strings.Contains(s.state.Due[0].Text, want) {
			t.Errorf("%q is not in\n%s", want, s.state.Due[0].Text)
		}
	}
	s.state.Due = nil
	s.want(s.next("08:04", flakyTab(10, flaked("TestA", 6)))) // less, but not well
	s.want(s.next("08:06", flakyTab(10, flaked("TestA", 11))))
	s.want(s.next("11:02", flakyTab(10, flaked("TestA", 11))), "flakes@example.org: [p] TestA is flaky: goes on")
	s.want(s.next("11:04", flakyTab(10, flaked("TestA", 4.9))), "flakes@example.org: [p] TestA is flaky: ended")
	s.want(s.next("11:06", flakyTab(10, flaked("TestA", 6)))) // it must reach the minimum again
	s.want(s.next("11:08", flakyTab(0, flaked("TestA", 100))))
	without := flakyTab(10)
	without.Health = nil
	s.want(s.next("11:10", without))
}

func TestOwnersOfFlakes(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Owners: []alert.Owner{{Name: "ropes", Tests: regexp.MustCompile("Knot"), Mails: []string{"ropes@example.org"}}}}}
	s.want(s.next("08:00", flakyTab(10, flaked("TestKnot", 20))), "flakes@example.org,ropes@example.org: [p] TestKnot is flaky: began")
	s = story{t: t, rules: alert.Rules{Project: "p"}}
	s.next("08:00", flakyTab(10, flaked("[sig-node] pods", 20)))
	for _, x := range s.state.Troubles {
		if x.Owner != "sig-node" {
			t.Errorf("owner %q", x.Owner)
		}
	}
}

// Quiet hours go by the clocks of a place, on the days when they change, too.
func TestQuietHoursOfAPlace(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("skipped: this machine knows no time zones, install tzdata")
	}
	night := alert.Quiet{From: 20 * time.Hour, To: 7 * time.Hour, Days: []time.Weekday{time.Sunday}, Zone: berlin}
	for utc, quiet := range map[string]bool{
		"2026-07-06T05:30:00Z": false, // 07:30 in summer
		"2026-07-06T04:59:00Z": true,
		"2026-07-06T18:00:00Z": true, // 20:00
		"2026-07-06T17:59:00Z": false,
		"2026-12-07T05:30:00Z": true, // 06:30 in winter
		"2026-12-07T06:00:00Z": false,
		"2026-12-07T18:30:00Z": false,
		"2026-12-07T19:00:00Z": true,
		"2026-07-04T22:30:00Z": true,  // Sunday there
		"2026-07-05T10:00:00Z": true,  // Sunday
		"2026-10-26T06:00:00Z": false, // the clocks went back the day before
		"2026-10-26T05:59:00Z": true,
	} {
		now, err := time.Parse(time.RFC3339, utc)
		if err != nil {
			t.Fatal(err)
		}
		s := alert.Next(alert.State{}, []alert.Tab{tab("unit", fails("TestA"))}, alert.Rules{Quiet: night}, now)
		if got := len(s.Due) == 0; got != quiet {
			t.Errorf("%s: quiet is %v, want %v", utc, got, quiet)
		}
	}
}
