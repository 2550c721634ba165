package alert_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/alert"
	"seaworthy/grid"
)

func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", "2026-11-23 "+clock) // a Monday
	if err != nil {
		panic(err)
	}
	return t
}

// fails is an alert on a test.
func fails(test string) grid.Alert {
	return grid.Alert{Test: test, Fails: 3, Message: "want 1, got 2",
		FirstFail: grid.Column{Build: "12", Commit: "bbbbbbbbbbbbbbbbbbbb", Started: at("03:00")}, LastPass: grid.Column{Build: "11", Commit: "aaaaaaaaaaaaaaaaaaaa", Started: at("02:00")}}
}

func tab(name string, alerts ...grid.Alert) alert.Tab {
	t := alert.Tab{Dashboard: "blocking", Name: name, Job: "ci-" + name, URL: "https://example.org/" + name, Status: grid.Passing, Alerts: alerts, Mails: []string{name + "@example.org"},
		Between: func(good, bad grid.Column) string {
			return "https://example.org/compare/" + good.Commit[:4] + "..." + bad.Commit[:4]
		}}
	if len(alerts) > 0 {
		t.Status = grid.Failing
	}
	return t
}

// story asks again and again, and keeps the state as it is stored.
type story struct {
	t     *testing.T
	rules alert.Rules
	state alert.State
}

// next returns what is due at a time, as "PLACE: SUBJECT".
func (s *story) next(clock string, tabs ...alert.Tab) (said []string) {
	s.t.Helper()
	s.state = alert.Next(s.state, tabs, s.rules, at(clock))
	data, err := json.Marshal(s.state)
	if err != nil {
		s.t.Fatal(err)
	}
	var again alert.State
	if err := json.Unmarshal(data, &again); err != nil {
		s.t.Fatal(err)
	}
	for _, m := range again.Due {
		where := strings.Join(m.Mails, ",") + m.Channel
		if m.Issue != nil {
			where = "issue " + m.Issue.Group
		}
		said = append(said, where+": "+m.Subject)
	}
	s.state, s.state.Due = again, nil
	return said
}

func (s *story) want(got []string, want ...string) {
	s.t.Helper()
	if !slices.Equal(got, want) {
		s.t.Errorf("said\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "halyard"}}
	s.want(s.next("08:00", tab("unit")))
	s.want(s.next("08:05", tab("unit", fails("TestA"))), "unit@example.org: [halyard] TestA fails: began")
	s.want(s.next("08:10", tab("unit", fails("TestA"))))
	s.want(s.next("08:15", tab("unit", fails("TestA"), fails("TestB"))), "unit@example.org: [halyard] TestB fails: began")
	s.want(s.next("08:20", tab("unit")), "unit@example.org: [halyard] in ci-unit: 2 ended")
	s.want(s.next("08:25", tab("unit")))
	if len(s.state.Troubles) != 0 {
		t.Errorf("remembered: %v", s.state.Troubles)
	}
	s.want(s.next("08:30", tab("unit", fails("TestA"))), "unit@example.org: [halyard] TestA fails: began")
}

func TestOneFailureOnSeveralTabsIsOneMessage(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "halyard", Mails: []string{"all@example.org"}}}
	one, two := tab("unit", fails("TestA")), tab("race", fails("TestA"))
	s.state = alert.Next(s.state, []alert.Tab{one, two}, s.rules, at("08:00"))
	if len(s.state.Due) != 1 {
		t.Fatalf("%d messages", len(s.state.Due))
	}
	m := s.state.Due[0]
	if !slices.Equal(m.Mails, []string{"all@example.org", "race@example.org", "unit@example.org"}) {
		t.Errorf("to %v", m.Mails)
	}
	for _, want := range []string{
		"Began:\n- TestA fails\n", "  - blocking, unit <https://example.org/unit>: failed 3 times since build 12 of commit bbbbbbbbbbbb, 2026-11-23 03:00 UTC",
		"; last passed in build 11 of commit aaaaaaaaaaaa, 2026-11-23 02:00 UTC; the commits between <https://example.org/compare/aaaa...bbbb>", "  - blocking, race", "    | want 1, got 2",
	} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("%q is not in\n%s", want, m.Text)
		}
	}
	s.state.Due = nil
	// Another tab shows it, too: only who was not told yet is told.
	s.want(s.next("08:05", one, two, tab("slow", fails("TestA"))), "slow@example.org: [halyard] TestA fails: began")
	// It is over where it shows nowhere.
	s.want(s.next("08:10", one, tab("race"), tab("slow")))
	s.want(s.next("08:15", tab("unit"), tab("race"), tab("slow")), "all@example.org,race@example.org,slow@example.org,unit@example.org: [halyard] TestA fails: ended")
}

func TestReminders(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Channel: "#ci"}}
	u := tab("unit", fails("TestA"))
	u.Remind = 2 * time.Hour
	s.want(s.next("08:00", u), "#ci: [p] TestA fails: began", "unit@example.org: [p] TestA fails: began")
	s.want(s.next("09:59", u))
	s.want(s.next("10:00", u), "unit@example.org: [p] TestA fails: goes on")
	s.want(s.next("11:00", u))
	s.want(s.next("12:00", u), "unit@example.org: [p] TestA fails: goes on")
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Issues: true, Quiet: alert.Quiet{From: 20 * time.Hour, To: 7 * time.Hour}}}
	s.want(s.next("01:00", tab("unit", fails("TestA"), fails("TestB"))), "issue ci-unit: [p] in ci-unit: 2 began")
	s.want(s.next("02:00", tab("unit", fails("TestA"), fails("TestC"))), "issue ci-unit: [p] in ci-unit: 1 began, 1 ended")
	s.want(s.next("03:00", tab("unit", fails("TestA"))), "issue ci-unit: [p] TestC fails: ended")
	// Merged: one mail tells of what there is, and of what there was.
	s.want(s.next("07:00", tab("unit", fails("TestA"))), "unit@example.org: [p] in ci-unit: 1 began, 2 came and went")
	s.want(s.next("08:00", tab("unit", fails("TestA"))))
	// What ends in the night and begins again has never ended for who was asleep.
	s.want(s.next("20:00", tab("unit")), "issue ci-unit: [p] TestA fails: ended")
	s.want(s.next("21:00", tab("unit", fails("TestA"))), "issue ci-unit: [p] TestA fails: began")
	s.state = alert.Next(s.state, []alert.Tab{tab("unit", fails("TestA"))}, s.rules, at("07:00").Add(24*time.Hour))
	if len(s.state.Due) != 0 {
		t.Errorf("%+v", s.state.Due)
	}

	weekend := alert.Rules{Project: "p", Quiet: alert.Quiet{Days: []time.Weekday{time.Monday}}}
	state := alert.Next(alert.State{}, []alert.Tab{tab("unit", fails("TestA"))}, weekend, at("12:00"))
	if len(state.Due) != 0 {
		t.Error("told on a quiet day")
	}
	if state = alert.Next(state, []alert.Tab{tab("unit", fails("TestA"))}, weekend, at("00:00").Add(24*time.Hour)); len(state.Due) != 1 {
		t.Error("lost")
	}
}

func TestWhatCannotBeReadGoesOn(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p"}}
	s.want(s.next("08:00", tab("unit", fails("TestA"))), "unit@example.org: [p] TestA fails: began")
	unread := tab("unit")
	unread.Unread = true
	s.want(s.next("08:05", unread))
	s.want(s.next("08:10", tab("unit")), "unit@example.org: [p] TestA fails: ended")
	s.want(s.next("08:15", tab("unit", fails("TestA"))), "unit@example.org: [p] TestA fails: began")
	s.want(s.next("08:20"), "unit@example.org: [p] TestA fails: ended") // the tab is gone
}

func TestStaleAndBroken(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p"}}
	stale := tab("unit", fails("TestA"))
	stale.Status, stale.Stale = grid.Stale, "no completed results"
	s.want(s.next("08:00", stale), "unit@example.org: [p] in ci-unit: 2 began")
	broken := tab("unit", fails("TestA"), fails("TestB"), fails("TestC"))
	broken.Status = grid.Broken
	s.want(s.next("08:05", broken), "unit@example.org: [p] in ci-unit: 1 began, 1 ended")
	s.want(s.next("08:10", tab("unit", fails("TestA"), fails("TestB"))), "unit@example.org: [p] in ci-unit: 1 began, 1 ended")
}

func TestOwners(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Channel: "#ci", Issues: true, Owners: []alert.Owner{
		{Name: "storage", Tests: regexp.MustCompile("Volume"), Mails: []string{"storage@example.org"}, Channel: "#storage", Logins: []string{"ada"}},
		{Name: "release", Jobs: regexp.MustCompile("^ci-build"), Mails: []string{"release@example.org"}},
	}}}
	s.want(s.next("08:00", tab("unit", fails("TestVolume"))),
		"#ci: [p] TestVolume fails: began", "#storage: [p] TestVolume fails: began", "issue storage ci-unit: [p] TestVolume fails: began", "storage@example.org,unit@example.org: [p] TestVolume fails: began")
	build := tab("build")
	build.Status, build.Stale = grid.Stale, "nothing since Friday"
	s.rules.Channel = ""
	got := s.next("08:05", tab("unit", fails("TestVolume")), build, tab("e2e", fails("[sig-node] pods run")))
	s.want(got, "issue release ci-build: [p] no news of ci-build: began", "issue sig-node ci-e2e: [p] [sig-node] pods run fails: began",
		"build@example.org,release@example.org: [p] no news of ci-build: began", "e2e@example.org: [p] [sig-node] pods run fails: began")
	if len(s.state.Troubles) != 3 {
		t.Errorf("%d troubles", len(s.state.Troubles))
	}
}

func TestBuildsRerouteMails(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p"}}
	a := fails("TestA")
	a.Mails = []string{"author@example.org"}
	u := tab("unit", a, fails("TestB"))
	u.Subject = "[unit] look here"
	s.want(s.next("08:00", u), "author@example.org: [unit] look here TestA fails: began", "unit@example.org: [unit] look here TestB fails: began")
}

func TestIssues(t *testing.T) {
	t.Parallel()
	rules := alert.Rules{Project: "p", Issues: true}
	quiet := tab("unit", fails("TestA"), fails("TestB"))
	quiet.Mails = nil
	state := alert.Next(alert.State{}, []alert.Tab{quiet}, rules, at("08:00"))
	i := state.Due[0].Issue
	if i.Title != "[Failing Test] 2 tests (ci-unit)" || i.Over || !strings.Contains(i.Body, alert.Marker("ci-unit")) || !strings.Contains(i.Body, "What fails again and again:") {
		t.Errorf("%+v", i)
	}
	if text := state.Due[0].Text; !strings.Contains(text, state.Due[0].Marker()) || !strings.Contains(text, "[the commits between](<https://example.org/compare/aaaa...bbbb>)") {
		t.Errorf("%s", text)
	}
	first := state.Due[0].ID
	state = alert.Next(state, []alert.Tab{tab("unit")}, rules, at("08:05"))
	over := state.Due[len(state.Due)-1]
	if !over.Issue.Over || over.ID == first || over.Issue.Group != "ci-unit" {
		t.Errorf("%+v %+v", over, over.Issue)
	}
	if alert.Marker("ci-unit") == alert.Marker("ci-race") {
		t.Error("groups share a marker")
	}
}

// The same message has the same name, whoever writes it and whenever the rest
// is written; another one has another.
func TestIDs(t *testing.T) {
	t.Parallel()
	rules := alert.Rules{Project: "p"}
	once := alert.Next(alert.State{}, []alert.Tab{tab("unit", fails("TestA"))}, rules, at("08:00")).Due[0]
	again := alert.Next(alert.State{}, []alert.Tab{tab("unit", fails("TestA"))}, rules, at("08:00")).Due[0]
	later := alert.Next(alert.State{}, []alert.Tab{tab("unit", fails("TestA"))}, rules, at("09:00")).Due[0]
	if once.ID != again.ID || once.ID == later.ID {
		t.Errorf("%s, %s, %s", once.ID, again.ID, later.ID)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	var alerts []grid.Alert
	for i := range 3000 {
		alerts = append(alerts, fails(fmt.Sprintf("Test%04d", i)))
	}
	u := tab("unit", alerts...)
	state := alert.Next(alert.State{}, []alert.Tab{u}, alert.Rules{Project: "p", Issues: true}, at("08:00"))
	if len(state.Due) != 2 {
		t.Fatalf("%d messages", len(state.Due))
	}
	for _, m := range state.Due {
		if len(m.Text) > 20_000 || !strings.Contains(m.Text, "and 2980 more") {
			t.Errorf("%d bytes: %.300s", len(m.Text), m.Text)
		}
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	t.Parallel()
	var state alert.State
	for i := range 1500 {
		u := tab("unit")
		if i%2 == 0 {
			u = tab("unit", fails("TestA"))
		}
		state = alert.Next(state, []alert.Tab{u}, alert.Rules{Project: "p"}, at("08:00").Add(time.Duration(i)*time.Minute))
	}
	if len(state.Due) != 1000 || state.Dropped != 500 {
		t.Errorf("%d wait, %d were dropped", len(state.Due), state.Dropped)
	}
}

// What tests and their output are called is written as it is, and nothing in it
// becomes markup.
func TestMarkup(t *testing.T) {
	t.Parallel()
	a := fails("Test[a](b) <!channel> @team *x* `y`\nSubject: no")
	a.Message = "```\n<script>\n@everyone </details>"
	u := tab("unit", a)
	u.Note = "see <https://example.org|x>"
	state := alert.Next(alert.State{}, []alert.Tab{u}, alert.Rules{Project: "p", Channel: "#ci", Issues: true}, at("08:00"))
	for _, m := range state.Due {
		if strings.Contains(m.Subject, "\n") {
			t.Errorf("subject %q", m.Subject)
		}
		switch {
		case m.Channel != "":
			if strings.Contains(m.Text, "<!channel>") || strings.Count(m.Text, "```") != 2 || strings.Contains(m.Text, "<https://example.org|x>") {
				t.Errorf("chat\n%s", m.Text)
			}
		case m.Issue != nil:
			if strings.Contains(m.Text, "<!channel>") || strings.Contains(m.Text, " @team") || strings.Contains(m.Text, "[a](b)") || strings.Contains(m.Text, "\n```") {
				t.Errorf("issue\n%s", m.Text)
			}
		case !strings.Contains(m.Text, "Test[a](b) <!channel> @team *x* `y` Subject: no fails"):
			t.Errorf("mail\n%s", m.Text)
		}
	}
}
