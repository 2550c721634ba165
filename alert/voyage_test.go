package alert_test

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/alert"
	"seaworthy/grid"
)

// said is one thing that a mail or a chat was told of one trouble.
type said struct {
	at   time.Time
	edge string
}

// heads are the headings of messages, by what they head.
func heads() map[string]string {
	return map[string]string{"Began:": "begins", "Goes on:": "lasts", "Ended:": "ends", "Came and went while it was quiet:": "passed"}
}

// voyage is weeks of tabs that break and heal at random, looked at every half
// hour, with what everybody heard.
type voyage struct {
	t     *testing.T
	rules alert.Rules
	state alert.State
	heard map[string]map[string][]said // by place and by trouble
	ids   map[string]bool
	mails int
}

// look asks once, keeps the state as it would be stored, and reads what is due
// as those who get it do.
func (v *voyage) look(now time.Time, tabs []alert.Tab) {
	v.t.Helper()
	v.state = alert.Next(v.state, tabs, v.rules, now)
	stored, err := json.Marshal(v.state)
	if err != nil {
		v.t.Fatal(err)
	}
	var again alert.State
	if err := json.Unmarshal(stored, &again); err != nil {
		v.t.Fatal(err)
	}
	for _, m := range again.Due {
		if v.ids[m.ID] {
			v.t.Errorf("%s: the message %q has the ID of another", now, m.Subject)
		}
		v.ids[m.ID] = true
		if strings.ContainsAny(m.Subject, "\r\n") || len([]rune(m.Subject)) > 200 || m.Subject == "" {
			v.t.Errorf("%s: the subject %q", now, m.Subject)
		}
		for _, address := range m.Mails {
			v.mails++
			v.hear("mail "+address, now, m.Text)
		}
		if m.Channel != "" {
			_, text, _ := strings.Cut(m.Text, "\n") // the first line is the subject
			v.hear("chat "+m.Channel, now, strings.ReplaceAll(text, "• ", "- "))
		}
		if m.Issue != nil {
			v.hear("issue "+m.Issue.Group, now, m.Text)
			if !strings.Contains(m.Issue.Body, alert.Marker(m.Issue.Group)) || !strings.Contains(m.Text, m.Marker()) {
				v.t.Errorf("%s: the issue of %q cannot be found again", now, m.Issue.Group)
			}
		}
	}
	again.Due = nil
	v.state = again
}

// hear reads a message: headings, and below them what they are about.
func (v *voyage) hear(place string, now time.Time, text string) {
	v.t.Helper()
	edge := ""
	for line := range strings.SplitSeq(text, "\n") {
		if e, ok := heads()[strings.Trim(line, "*")]; ok {
			edge = e
			continue
		}
		item, ok := strings.CutPrefix(line, "- ")
		if !ok || edge == "" {
			continue
		}
		item, _, _ = strings.Cut(item, ", from ")
		if v.heard[place] == nil {
			v.heard[place] = map[string][]said{}
		}
		v.heard[place][item] = append(v.heard[place][item], said{now, edge})
	}
}

// sea is what breaks and heals.
type sea struct {
	r      *rand.Rand
	broken map[string]bool
}

// tabs are those of one moment. calm heals everything.
func (s *sea) tabs(calm bool) []alert.Tab {
	var all []alert.Tab
	for i := range 3 {
		name := fmt.Sprint("tab", i)
		x := alert.Tab{Dashboard: "blocking", Name: name, Job: "ci-" + name, Status: grid.Passing, Mails: []string{name + "@example.org"}}
		if i == 2 {
			x.Remind = 24 * time.Hour
		}
		for k := range 4 {
			test := fmt.Sprintf("Test%d", i+k) // some tests are on several tabs
			key := name + " " + test
			if s.r.Intn(60) == 0 {
				s.broken[key] = !s.broken[key]
			}
			if calm {
				s.broken[key] = false
			}
			if s.broken[key] {
				x.Status = grid.Failing
				x.Alerts = append(x.Alerts, grid.Alert{Test: test, Fails: 3, FirstFail: grid.Column{Build: "12"}, LastPass: grid.Column{Build: "11"}, Message: "want 1, got 2"})
			}
		}
		if !calm && s.r.Intn(25) == 0 {
			x.Unread, x.Alerts = true, nil
		}
		if s.broken["stale "+name] = !calm && (s.broken["stale "+name] != (s.r.Intn(150) == 0)); s.broken["stale "+name] && !x.Unread {
			x.Status, x.Stale = grid.Stale, "no results for 3 days"
		}
		all = append(all, x)
	}
	return all
}

// Whatever breaks and heals: everybody hears of a beginning once and then of
// its end, in turns; nobody hears of an end without a beginning; nothing is
// said in quiet hours but to issues; no message has the ID of another; and when
// all is well again, everybody has heard so and nothing is remembered.
func TestEverybodyHearsInTurns(t *testing.T) {
	t.Parallel()
	for seed := range int64(12) {
		if testing.Short() && seed > 2 { // three weeks each
			break
		}
		s := &sea{r: rand.New(rand.NewSource(seed)), broken: map[string]bool{}}
		v := &voyage{t: t, heard: map[string]map[string][]said{}, ids: map[string]bool{}, rules: alert.Rules{Project: "halyard", Issues: true, Channel: "#ci"}}
		if seed%2 == 0 {
			v.rules.Quiet = alert.Quiet{From: 20 * time.Hour, To: 6 * time.Hour, Days: []time.Weekday{time.Sunday}}
		}
		now := at("08:00")
		for range 21 * 48 {
			v.look(now, s.tabs(false))
			now = now.Add(30 * time.Minute)
		}
		for range 4 * 48 { // quiet hours and a Sunday pass
			v.look(now, s.tabs(true))
			now = now.Add(30 * time.Minute)
		}
		if len(v.state.Troubles) != 0 {
			t.Errorf("seed %d: all is well, and %d troubles are remembered", seed, len(v.state.Troubles))
		}
		places, told := 0, 0
		for place, troubles := range v.heard {
			places++
			for trouble, all := range troubles {
				told += len(all)
				inTurns(t, fmt.Sprintf("seed %d: %s of %q", seed, place, trouble), all, place)
				for _, x := range all {
					if !strings.HasPrefix(place, "issue ") && seed%2 == 0 && (x.at.Hour() >= 20 || x.at.Hour() < 6 || x.at.Weekday() == time.Sunday) {
						t.Errorf("seed %d: %s heard of %q at %s", seed, place, trouble, x.at.Format("Mon 15:04"))
					}
				}
			}
		}
		if places < 5 || told < 40 {
			t.Errorf("seed %d: %d places heard %d times: hardly anything happened", seed, places, told)
		}
		if t.Failed() {
			return
		}
	}
}

func inTurns(t *testing.T, name string, all []said, place string) {
	t.Helper()
	open := false
	var last time.Time
	for i, x := range all {
		switch x.edge {
		case "begins":
			if open {
				t.Errorf("%s: told twice that it began: %v", name, all[:i+1])
			}
			open = true
		case "lasts":
			if !open || !strings.HasPrefix(place, "mail ") {
				t.Errorf("%s: goes on without a beginning: %v", name, all[:i+1])
			}
			if x.at.Sub(last) < 24*time.Hour {
				t.Errorf("%s: told again after %s", name, x.at.Sub(last))
			}
		case "ends":
			if !open {
				t.Errorf("%s: ends without a beginning: %v", name, all[:i+1])
			}
			open = false
		case "passed":
			if open {
				t.Errorf("%s: came and went while it was known: %v", name, all[:i+1])
			}
		}
		last = x.at
	}
	if open {
		t.Errorf("%s: never told that it ended: %v", name, all)
	}
}

// Looking more often tells nobody more.
func TestLookingOftenTellsNoMore(t *testing.T) {
	t.Parallel()
	tell := func(times int) int {
		s := &sea{r: rand.New(rand.NewSource(4)), broken: map[string]bool{}}
		v := &voyage{t: t, heard: map[string]map[string][]said{}, ids: map[string]bool{}, rules: alert.Rules{Project: "halyard", Issues: true, Channel: "#ci"}}
		now := at("08:00")
		for range 10 * 48 {
			tabs := s.tabs(false)
			for i := range times {
				v.look(now.Add(time.Duration(i)*time.Minute), slices.Clone(tabs))
			}
			now = now.Add(30 * time.Minute)
		}
		return len(v.ids)
	}
	if once, often := tell(1), tell(5); often != once || once == 0 {
		t.Errorf("looking once in half an hour tells %d times, five times as often %d times", once, often)
	}
}

// What a stored state holds that is strange does not keep anybody from being
// told: a state from another time, troubles without places, times to come.
func TestStrangeStates(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `{"troubles":null}`, `{"troubles":{"failing TestNew":null}}`, `{"troubles":{"failing TestOld":{"kind":"failing","subject":"TestOld","group":"ci-x","begun":"2099-01-01T00:00:00Z"}}}`,
		`{"troubles":{"failing Test1":{"kind":"failing","subject":"Test1","places":[{"dashboard":"blocking","tab":"unit","job":"ci-unit"}],"group":"ci-unit","begun":"2026-11-23T01:00:00Z","told":{"fax:5":{"at":"2026-11-23T01:00:00Z"}}}}}`,
		`{"rooms":{"#ci":"C1"},"reports":{"a":"2026-01-01T00:00:00Z"},"dropped":7}`,
	} {
		var state alert.State
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			t.Fatal(err)
		}
		state = alert.Next(state, []alert.Tab{tab("unit", fails("TestNew"))}, alert.Rules{Project: "p", Channel: "#ci", Issues: true}, at("08:00"))
		heard := 0
		for _, m := range state.Due {
			if strings.Contains(m.Text, "TestNew") {
				heard++
			}
		}
		if heard != 3 { // a mail, a channel, an issue
			t.Errorf("%s: %d of 3 heard of it", text, heard)
		}
		if old := state.Troubles["failing TestOld"]; old != nil && old.Ended.IsZero() {
			t.Errorf("%s: what is on no tab goes on", text)
		}
	}
}
