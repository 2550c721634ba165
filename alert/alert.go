package alert

import (
	"maps"
	"slices"
	"strings"
	"time"

	"seaworthy/grid"
)

// Tab is what a tab of a dashboard says now.
type Tab struct {
	Dashboard, Name string
	// Job is whose results the tab shows.
	Job string
	// URL is the page of the tab, Note what its configuration wants said besides.
	URL, Note string
	Status    grid.Status
	// Stale says why the tab is stale.
	Stale  string
	Alerts []grid.Alert
	// Unread is true when the results could not be read: nothing begins and
	// nothing ends then.
	Unread bool
	// Mails are who hears of the tab, Subject is what they are to read first.
	Mails   []string
	Subject string
	// Remind is after how long they are told again; never if zero.
	Remind time.Duration
	// Health is how reliable its tests are, nil if nobody asked; Flaky and Report
	// are who wants to hear of it.
	Health *grid.Health
	Flaky  Flaky
	Report *Report
	// Between returns the address that shows the commits between two columns,
	// the older one first; empty if there is none. It may be nil.
	Between func(good, bad grid.Column) string
}

// Kind is what sort of trouble it is.
type Kind string

// Kinds of trouble.
const (
	Failing Kind = "failing" // a test fails again and again
	Stale   Kind = "stale"   // no results for too long
	Broken  Kind = "broken"  // nearly all of a build failed
	Flakes  Kind = "flaky"   // a test is flakier than its tab puts up with
)

// Place is a tab on which a trouble shows.
type Place struct {
	Dashboard string `json:"dashboard"`
	Tab       string `json:"tab"`
	Job       string `json:"job"`
	URL       string `json:"url,omitempty"`
	Note      string `json:"note,omitempty"`
	Fails     int    `json:"fails,omitempty"` // in a row
	// Bad is the first column that failed, Good the last one before that passed,
	// Between the address of the commits from the one to the other.
	Bad     Mark   `json:"bad,omitzero"`
	Good    Mark   `json:"good,omitzero"`
	Between string `json:"between,omitempty"`
	// Flaky says how flaky a test is there.
	Flaky string `json:"flaky,omitempty"`
}

// Mark is a column of a grid in short.
type Mark struct {
	Build  string    `json:"build,omitempty"`
	Commit string    `json:"commit,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Trouble is something that is wrong, wherever it shows.
type Trouble struct {
	Kind Kind `json:"kind"`
	// Subject is the test, or the job of a kind that is about all of it.
	Subject string  `json:"subject"`
	Message string  `json:"message,omitempty"`
	Places  []Place `json:"places"`
	Owner   string  `json:"owner,omitempty"`
	// Group names the issue it is in: that of its owner and its first job.
	Group string    `json:"group"`
	Begun time.Time `json:"begun"`
	Ended time.Time `json:"ended,omitzero"`
	// Told is what each place was told last.
	Told map[string]Telling `json:"told,omitempty"`

	// To are the addresses its tabs and builds ask for, Line the subject of
	// mails if its tabs agree on one.
	To   []string `json:"to,omitempty"`
	Line string   `json:"line,omitempty"`

	remind time.Duration
}

// Telling is what was said somewhere, and when.
type Telling struct {
	Ended bool      `json:"ended,omitempty"`
	At    time.Time `json:"at"`
}

// State is what was told before. The zero value knows nothing.
type State struct {
	Troubles map[string]*Trouble `json:"troubles,omitempty"`
	// Reports are when each report on the healthiness of a tab is due next.
	Reports map[string]time.Time `json:"reports,omitempty"`
	// Due are messages that were not sent yet, oldest first.
	Due []Message `json:"due,omitempty"`
	// Rooms are what chat channels turned out to be called by their servers.
	Rooms map[string]string `json:"rooms,omitempty"`
	// Dropped counts messages that were given up because too many were due.
	Dropped int `json:"dropped,omitempty"`
}

// mostDue bounds what waits while a channel is out of order.
const mostDue = 1000

// Next compares what tabs say with what was told, and returns the state with
// the messages that are due now behind those that were due already. The state
// that is given is changed.
func Next(s State, tabs []Tab, rules Rules, now time.Time) State {
	now = now.UTC().Truncate(time.Second)
	if s.Troubles == nil {
		s.Troubles = map[string]*Trouble{}
	}
	// A trouble is somewhere: what was stored otherwise is not ours.
	maps.DeleteFunc(s.Troubles, func(_ string, t *Trouble) bool { return t == nil || len(t.Places) == 0 })
	seen, unread := troubles(s.Troubles, tabs)
	for key, t := range seen {
		known := s.Troubles[key]
		if known == nil {
			t.Begun = now
			t.Owner = rules.owner(t).Name
			t.Group = group(t)
			s.Troubles[key] = t
			continue
		}
		if !known.Ended.IsZero() && known.toldOfEnd() {
			known.Begun = now // anew: somebody believes that it is over
		}
		known.Ended = time.Time{}
		known.Places, known.Message, known.remind, known.To, known.Line = t.Places, t.Message, t.remind, t.To, t.Line
	}
	for key, t := range s.Troubles {
		if seen[key] == nil && t.Ended.IsZero() && !t.shownOn(unread) {
			t.Ended = now
		}
	}
	s.tell(rules, now)
	s.report(tabs, rules, now)
	return s
}

func (t *Trouble) toldOfEnd() bool {
	for _, told := range t.Told {
		if told.Ended {
			return true
		}
	}
	return false
}

// shownOn reports whether a trouble may go on where one cannot look.
func (t *Trouble) shownOn(unread map[[2]string]bool) bool {
	return slices.ContainsFunc(t.Places, func(p Place) bool { return unread[[2]string{p.Dashboard, p.Tab}] })
}

// troubles are those that tabs show, by what they are told apart by, and which
// tabs could not be read.
func troubles(known map[string]*Trouble, tabs []Tab) (all map[string]*Trouble, unread map[[2]string]bool) {
	all, unread = map[string]*Trouble{}, map[[2]string]bool{}
	add := func(kind Kind, subject, message string, tab Tab, p Place, mails []string) {
		key := string(kind) + " " + subject
		t := all[key]
		if t == nil {
			t = &Trouble{Kind: kind, Subject: subject, Message: message, Line: tab.Subject}
			all[key] = t
		}
		if t.Line != tab.Subject {
			t.Line = ""
		}
		p.Dashboard, p.Tab, p.Job, p.URL, p.Note = tab.Dashboard, tab.Name, tab.Job, tab.URL, tab.Note
		t.Places = append(t.Places, p)
		if tab.Remind > 0 && (t.remind == 0 || tab.Remind < t.remind) {
			t.remind = tab.Remind
		}
		for _, m := range mails {
			if !slices.Contains(t.To, m) {
				t.To = append(t.To, m)
			}
		}
	}
	for _, tab := range tabs {
		switch {
		case tab.Unread:
			unread[[2]string{tab.Dashboard, tab.Name}] = true
			continue
		case tab.Status == grid.Broken:
			add(Broken, tab.Job, "nearly all tests of a build failed", tab, Place{}, tab.Mails)
		case tab.Status == grid.Stale:
			add(Stale, tab.Job, tab.Stale, tab, Place{}, tab.Mails)
		}
		for _, a := range tab.news(known) {
			p := Place{Fails: a.Fails, Bad: mark(a.FirstFail), Good: mark(a.LastPass)}
			if tab.Between != nil && a.LastPass.Build != "" {
				p.Between = tab.Between(a.LastPass, a.FirstFail)
			}
			mails := tab.Mails
			if len(a.Mails) > 0 {
				mails = a.Mails // the build asked for others to be told
			}
			add(Failing, a.Test, a.Message, tab, p, mails)
		}
		for _, h := range tab.flaky(known) {
			as := tab
			as.Subject, as.Remind, as.Note = tab.Flaky.Subject, tab.Flaky.Remind, tab.Flaky.Note
			add(Flakes, h.Test, "", as, Place{Flaky: percent(h.Flakiness) + " since " + clock(tab.Health.From) + ": " + fared(h)}, tab.Flaky.Mails)
		}
	}
	return all, unread
}

// news are the tests that fail again and again. What shows on a tab that is
// broken as a whole is none, and neither is it that builds fail where a test
// says why, unless it was known before: it did not end by that.
func (t Tab) news(known map[string]*Trouble) []grid.Alert {
	explained := slices.ContainsFunc(t.Alerts, func(a grid.Alert) bool { return !whole(a.Test) })
	var all []grid.Alert
	for _, a := range t.Alerts {
		if a.Test == "Overall" { // so it is called in grids of several jobs
			a.Test = t.Job + ".Overall"
		}
		k := known[string(Failing)+" "+a.Test]
		if k == nil && t.Status == grid.Broken || (k == nil || !k.Ended.IsZero()) && explained && whole(a.Test) {
			continue
		}
		all = append(all, a)
	}
	return all
}

// whole reports whether a row is the verdict on builds, or on their pods, and
// not a test.
func whole(row string) bool {
	return row == "Overall" || strings.HasSuffix(row, ".Overall") || strings.HasSuffix(row, ".Pod")
}

func mark(c grid.Column) Mark {
	return Mark{Build: c.Build, Commit: c.Commit, At: c.Started.UTC()}
}

// group names the issue of a trouble.
func group(t *Trouble) string {
	return strings.TrimSpace(t.Owner + " " + t.Places[0].Job)
}

// event is one thing to say in one place.
type event struct {
	edge Edge
	key  string
	t    *Trouble
}

// Edge is what became of a trouble since it was last told of.
type Edge string

// Edges.
const (
	Begins Edge = "begins"
	Lasts  Edge = "lasts"  // said again
	Ends   Edge = "ends"   // after it was told
	Passed Edge = "passed" // begun and ended, and never told
)

// tell finds what is to be said where, writes the messages, and forgets what is
// over and was told everywhere.
func (s *State) tell(rules Rules, now time.Time) {
	quiet := rules.Quiet.holds(now)
	events := map[string][]event{} // by place
	var over []string
	for _, key := range slices.Sorted(maps.Keys(s.Troubles)) {
		t := s.Troubles[key]
		if t.Told == nil {
			t.Told = map[string]Telling{}
		}
		places := rules.destinations(t)
		for place := range t.Told {
			if !slices.Contains(places, place) && !t.Told[place].Ended {
				places = append(places, place) // told once, and to be told of the end
			}
		}
		left := false
		for _, place := range places {
			told, ok := t.Told[place]
			edge := t.edge(place, told, ok, now)
			switch {
			case edge == "":
			case quiet && !isIssue(place):
				left = true
			default:
				events[place] = append(events[place], event{edge, key, t})
				t.Told[place] = Telling{Ended: !t.Ended.IsZero(), At: now}
			}
		}
		if !t.Ended.IsZero() && !left {
			over = append(over, key)
		}
	}
	s.write(events, rules, now)
	for _, key := range over {
		delete(s.Troubles, key)
	}
}

// edge is what is to be said of a trouble in a place; empty if nothing is.
func (t *Trouble) edge(place string, told Telling, ok bool, now time.Time) Edge {
	over := !t.Ended.IsZero()
	switch {
	case !ok && over:
		return Passed
	case !ok, told.Ended && !over:
		return Begins
	case over && !told.Ended:
		return Ends
	case !over && t.remind > 0 && isMail(place) && now.Sub(told.At) >= t.remind:
		return Lasts
	}
	return ""
}

// write makes messages of events: places that are to hear the same are written
// to at once.
func (s *State) write(events map[string][]event, rules Rules, now time.Time) {
	same := map[string][]string{} // places by what they are to hear
	for _, place := range slices.Sorted(maps.Keys(events)) {
		var what strings.Builder
		kind, _, _ := strings.Cut(place, ":")
		what.WriteString(kind)
		if !isMail(place) {
			what.WriteString(place) // each has a message of its own
		}
		for _, e := range events[place] {
			what.WriteString("\x00" + string(e.edge) + " " + e.key)
		}
		same[what.String()] = append(same[what.String()], place)
	}
	for _, places := range slices.SortedFunc(maps.Values(same), slices.Compare) {
		s.due(s.message(places, events[places[0]], rules, now))
	}
}

// due has a message sent. Of too many the oldest are given up.
func (s *State) due(m Message) {
	s.Due = append(s.Due, m)
	if over := len(s.Due) - mostDue; over > 0 {
		s.Due = slices.Delete(s.Due, 0, over)
		s.Dropped += over
	}
}
