package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Message is something to be said somewhere. It can be stored.
type Message struct {
	// ID is the same for the same message, so that it is recognised if it was
	// sent already.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Mails, Channel or Issue is where it goes to; one of them is set.
	Mails   []string `json:"mails,omitempty"`
	Channel string   `json:"channel,omitempty"`
	Issue   *Issue   `json:"issue,omitempty"`
	Subject string   `json:"subject"`
	// Text is plain for mails, in Slack's markup for a channel, and Markdown for
	// an issue, where it is a comment.
	Text string `json:"text"`
	// Tried is set before it is handed on: if that is found after a crash, it
	// may have arrived.
	Tried bool `json:"tried,omitempty"`
}

// Issue is what the issue of a group of troubles is to look like.
type Issue struct {
	Group     string   `json:"group"`
	Title     string   `json:"title"`
	Body      string   `json:"body"` // Markdown, with Marker in it
	Assignees []string `json:"assignees,omitempty"`
	// Over says that nothing of it is left: close the issue.
	Over bool `json:"over,omitempty"`
}

// Marker is what an issue of a group is found again by, in its text.
func Marker(group string) string {
	sum := sha256.Sum256([]byte(group))
	return "<!-- seaworthy alerts " + hex.EncodeToString(sum[:10]) + " -->"
}

// Marker is what a message in an issue is found again by.
func (m Message) Marker() string { return "<!-- seaworthy alert " + m.ID + " -->" }

// Bounds of a message.
const (
	mostTold       = 20 // troubles in full
	mostPlaces     = 10 // of one trouble
	longestMessage = 500
)

func (s *State) message(places []string, events []event, rules Rules, now time.Time) Message {
	m := Message{At: now, Subject: subject(rules.Project, events)}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s", rules.Project, places[0])
	for _, e := range events {
		fmt.Fprintf(sum, "\x00%s %s %d", e.edge, e.key, e.t.Begun.Unix())
		if e.edge == Lasts {
			fmt.Fprintf(sum, " %d", now.Unix())
		}
	}
	m.ID = hex.EncodeToString(sum.Sum(nil)[:12])
	kind, name, _ := strings.Cut(places[0], ":")
	switch kind {
	case mailPlace:
		for _, p := range places {
			m.Mails = append(m.Mails, strings.TrimPrefix(p, mailPlace+":"))
		}
		m.Text = write(plain{}, events)
	case chatPlace:
		m.Channel = name
		m.Text = slack{}.strong(m.Subject) + "\n" + write(slack{}, events)
	case issuePlace:
		m.Issue = s.issue(name, rules)
		m.Text = write(markdown{}, events) + "\n" + m.Marker() + "\n"
	}
	return m
}

// subject says in a line what happened, and to what most of it did.
func subject(project string, events []event) string {
	counts := map[Edge]int{}
	jobs := map[string]bool{}
	own := events[0].t.Line
	for _, e := range events {
		counts[e.edge]++
		for _, p := range e.t.Places {
			jobs[p.Job] = true
		}
		if e.t.Line != own {
			own = ""
		}
	}
	var parts []string
	for _, said := range []struct {
		edge Edge
		what string
	}{{Begins, "began"}, {Lasts, "still there"}, {Ends, "ended"}, {Passed, "came and went"}} {
		if n := counts[said.edge]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, said.what))
		}
	}
	what := "in " + strings.Join(slices.Sorted(maps.Keys(jobs)), ", ")
	if len(jobs) > 3 {
		what = fmt.Sprintf("in %d jobs", len(jobs))
	}
	if len(events) == 1 {
		e := events[0]
		what = e.t.title()
		parts = []string{map[Edge]string{Begins: "began", Lasts: "goes on", Ends: "ended", Passed: "came and went"}[e.edge]}
	}
	head := cmp.Or(own, "["+project+"]")
	return oneLine(head+" "+what+": "+strings.Join(parts, ", "), 200)
}

// title names a trouble.
func (t *Trouble) title() string {
	switch t.Kind {
	case Stale:
		return "no news of " + t.Subject
	case Broken:
		return t.Subject + " is broken"
	case Flakes:
		return t.Subject + " is flaky"
	}
	if job, ok := strings.CutSuffix(t.Subject, ".Overall"); ok {
		return "builds of " + job + " fail"
	}
	if job, ok := strings.CutSuffix(t.Subject, ".Pod"); ok {
		return "pods of " + job + " fail"
	}
	return t.Subject + " fails"
}

func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return s
}

// markup is a way to write.
type markup interface {
	text(string) string
	strong(string) string
	link(text, address string) string
	block(string) string
	item(depth int) string
}

// write says what happened, in the order of the edges.
func write(m markup, events []event) string {
	var b strings.Builder
	told := 0
	for _, part := range []struct {
		edge Edge
		head string
	}{{Begins, "Began"}, {Lasts, "Goes on"}, {Ends, "Ended"}, {Passed, "Came and went while it was quiet"}} {
		var some []event
		for _, e := range events {
			if e.edge == part.edge {
				some = append(some, e)
			}
		}
		if len(some) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s\n", m.strong(part.head+":"))
		for i, e := range some {
			if told == mostTold {
				fmt.Fprintf(&b, "%sand %d more\n", m.item(0), len(some)-i)
				break
			}
			told++
			e.t.write(&b, m, e.edge)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func (t *Trouble) write(b *strings.Builder, m markup, edge Edge) {
	head := m.item(0) + m.text(oneLine(t.title(), 300))
	if t.Owner != "" {
		head += m.text(" (" + t.Owner + ")")
	}
	if edge == Ends || edge == Passed {
		head += m.text(fmt.Sprintf(", from %s to %s", clock(t.Begun), clock(t.Ended)))
	}
	b.WriteString(head + "\n")
	if edge == Ends || edge == Passed {
		return
	}
	for i, p := range t.Places {
		if i == mostPlaces {
			fmt.Fprintf(b, "%sand on %d more tabs\n", m.item(1), len(t.Places)-i)
			break
		}
		b.WriteString(m.item(1) + p.write(m) + "\n")
		if note := oneLine(p.Note, longestMessage); note != "" {
			b.WriteString(m.item(2) + m.text(note) + "\n")
		}
	}
	if t.Message != "" {
		message := []rune(t.Message)
		b.WriteString(m.block(string(message[:min(len(message), longestMessage)])))
	}
}

// write says where it shows and what is to blame.
func (p Place) write(m markup) string {
	name := p.Dashboard + ", " + p.Tab
	out := m.text(name)
	if p.URL != "" {
		out = m.link(name, p.URL)
	}
	if p.Flaky != "" {
		return out + m.text(": "+p.Flaky)
	}
	if p.Bad.Build == "" {
		return out
	}
	out += m.text(fmt.Sprintf(": failed %d times since %s", p.Fails, p.Bad))
	if p.Good.Build == "" {
		return out + m.text("; no earlier build passed")
	}
	out += m.text(fmt.Sprintf("; last passed in %s", p.Good))
	if p.Between != "" {
		out += m.text("; ") + m.link("the commits between", p.Between)
	}
	return out
}

// String names a column.
func (k Mark) String() string {
	out := "build " + k.Build
	if k.Commit != "" {
		out += " of commit " + k.Commit[:min(len(k.Commit), 12)]
	}
	if !k.At.IsZero() {
		out += ", " + clock(k.At)
	}
	return out
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// issue describes the issue of a group as it is now.
func (s *State) issue(group string, rules Rules) *Issue {
	i := &Issue{Group: group}
	var all []event
	jobs := map[string]bool{}
	owner := Owner{}
	for _, key := range slices.Sorted(maps.Keys(s.Troubles)) {
		t := s.Troubles[key]
		if t.Group != group {
			continue
		}
		owner = rules.owner(t)
		jobs[t.Places[0].Job] = true
		if t.Ended.IsZero() {
			all = append(all, event{Lasts, key, t})
		}
	}
	i.Assignees, i.Over = owner.Logins, len(all) == 0
	i.Title = "[Failing Test] "
	if owner.Name != "" {
		i.Title += "[" + owner.Name + "] "
	}
	what := fmt.Sprintf("%d tests", len(all))
	if len(all) == 1 {
		what = all[0].t.title()
	}
	i.Title = oneLine(i.Title+what+" ("+strings.Join(slices.Sorted(maps.Keys(jobs)), ", ")+")", 250)
	i.Body = "Nothing of it fails any more.\n"
	if !i.Over {
		i.Body = strings.Replace(write(markdown{}, all), markdown{}.strong("Goes on:"), "What fails again and again:", 1)
	}
	i.Body += "\n" + Marker(group) + "\n"
	return i
}
