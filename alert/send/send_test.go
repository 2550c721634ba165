package send_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/alert"
	"seaworthy/alert/send"
	"seaworthy/forge"
	"seaworthy/grid"
	notify "seaworthy/notify/mail"
	"seaworthy/notify/mailtest"
)

var halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}

// settings keep facts in memory, as texts.
type settings map[string]string

func (s settings) Setting(_ context.Context, key string) (string, error) { return s[key], nil }

func (s settings) SetSetting(_ context.Context, key, value string) error {
	s[key] = value
	s["writes"] += "."
	return nil
}

// tracker keeps issues and their comments.
type tracker struct {
	issues   []forge.Issue
	comments map[int][]string
	broken   error
	strict   bool // refuses assignees
}

func (k *tracker) Issues(_ context.Context, _ forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error) {
	var some []forge.Issue
	for _, i := range k.issues {
		if f.State == "all" || string(i.State) == f.State {
			some = append(some, i)
		}
	}
	return some, k.broken
}

func (k *tracker) CreateIssue(_ context.Context, _ forge.RepoName, n forge.NewIssue) (forge.Issue, error) {
	if k.strict && len(n.Assignees) > 0 {
		return forge.Issue{}, errors.New("nobody of that name")
	}
	i := forge.Issue{Number: len(k.issues) + 1, Title: n.Title, Body: n.Body, Labels: n.Labels, Assignees: n.Assignees, State: forge.StateOpen}
	k.issues = append(k.issues, i)
	return i, k.broken
}

func (k *tracker) EditIssue(_ context.Context, _ forge.RepoName, number int, e forge.EditIssue) error {
	i := &k.issues[number-1]
	if e.Title != nil {
		i.Title = *e.Title
	}
	if e.Body != nil {
		i.Body = *e.Body
	}
	if e.State != nil {
		i.State = *e.State
	}
	return k.broken
}

func (k *tracker) Comments(_ context.Context, _ forge.RepoName, number int) (all []forge.Comment, err error) {
	for _, c := range k.comments[number] {
		all = append(all, forge.Comment{Body: c})
	}
	return all, k.broken
}

func (k *tracker) CreateComment(_ context.Context, _ forge.RepoName, number int, body string) (forge.Comment, error) {
	if k.comments == nil {
		k.comments = map[int][]string{}
	}
	k.comments[number] = append(k.comments[number], body)
	return forge.Comment{Body: body}, k.broken
}

// room keeps what was posted.
type room struct {
	posted []string
	broken error
	blind  bool // may not be read
}

func (r *room) Post(_ context.Context, channel, text string) (string, error) {
	if r.broken != nil {
		return "", r.broken
	}
	r.posted = append(r.posted, channel+"\n"+text)
	return fmt.Sprintf("C1 %d", len(r.posted)), nil
}

func (r *room) Find(_ context.Context, id, text string, _ time.Time) (string, error) {
	if r.blind {
		return "", errors.New("missing_scope")
	}
	for i, p := range r.posted {
		if strings.HasPrefix(id, "C1 ") && strings.Contains(p, text) {
			return fmt.Sprintf("C1 %d", i+1), nil
		}
	}
	return "", nil
}

// desk is all of it together.
type desk struct {
	*send.Sender
	t        *testing.T
	settings settings
	tracker  *tracker
	room     *room
	sink     *mailtest.Sink
	rules    alert.Rules
	now      time.Time
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, settings: settings{}, tracker: &tracker{}, room: &room{}, sink: mailtest.New(t, mailtest.Options{}), now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
		rules: alert.Rules{Project: "halyard", Mails: []string{"Ci <ci@example.org>"}, Channel: "#ci", Issues: true}}
	server, err := notify.Parse("smtp://" + d.sink.Addr + "?tls=none")
	if err != nil {
		t.Fatal(err)
	}
	d.Sender = &send.Sender{Settings: d.settings, Mailer: server, Room: d.room, Tracker: d.tracker, From: "Harbour <alerts@harbour.test>", Labels: []string{"kind/failing-test"}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	return d
}

func tab(tests ...string) alert.Tab {
	t := alert.Tab{Dashboard: "blocking", Name: "unit", Job: "ci-unit", Status: grid.Passing}
	for _, name := range tests {
		t.Status = grid.Failing
		t.Alerts = append(t.Alerts, grid.Alert{Test: name, Fails: 3, FirstFail: grid.Column{Build: "12"}, LastPass: grid.Column{Build: "11"}, Message: "größer"})
	}
	return t
}

func (d *desk) run(tests ...string) error {
	d.now = d.now.Add(5 * time.Minute)
	return d.Run(d.t.Context(), halyard, []alert.Tab{tab(tests...)}, d.rules, d.now)
}

func (d *desk) must(tests ...string) {
	d.t.Helper()
	if err := d.run(tests...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) waiting() int {
	state, err := d.State(d.t.Context(), halyard)
	if err != nil {
		d.t.Fatal(err)
	}
	return len(state.Due)
}

func TestTellsEverywhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must()
	d.must("TestA")
	d.must("TestA")
	if len(d.sink.Messages()) != 1 || len(d.room.posted) != 1 || len(d.tracker.issues) != 1 || d.waiting() != 0 {
		t.Fatalf("%d mails, %d posts, %d issues, %d wait", len(d.sink.Messages()), len(d.room.posted), len(d.tracker.issues), d.waiting())
	}
	m := d.sink.Messages()[0]
	parsed, err := mail.ReadMessage(strings.NewReader(m.Data))
	if err != nil {
		t.Fatal(err)
	}
	h := parsed.Header
	if m.From != "alerts@harbour.test" || !slices.Equal(m.To, []string{"ci@example.org"}) || h.Get("Subject") != "[halyard] TestA fails: began" || h.Get("Date") != "Mon, 23 Nov 2026 08:10:00 +0000" ||
		!strings.HasSuffix(h.Get("Message-ID"), "@harbour.test>") || !strings.Contains(m.Data, "gr=C3=B6=C3=9Fer") {
		t.Errorf("%+v\n%s", m, m.Data)
	}
	if !strings.HasPrefix(d.room.posted[0], "#ci\n*[halyard] TestA fails: began*") {
		t.Errorf("posted %s", d.room.posted[0])
	}
	i := d.tracker.issues[0]
	if i.Title != "[Failing Test] TestA fails (ci-unit)" || !slices.Equal(i.Labels, []string{"kind/failing-test"}) {
		t.Errorf("%+v", i)
	}

	// People may write into the issue, below what is kept.
	d.tracker.issues[0].Body = strings.ReplaceAll(i.Body, "\n", "\r\n") + "It is the tide. Ada\r\n"
	d.must("TestA", "TestB")
	if i = d.tracker.issues[0]; i.Title != "[Failing Test] 2 tests (ci-unit)" || len(d.tracker.comments[1]) != 1 || !strings.Contains(i.Body, "- TestB fails") || !strings.Contains(i.Body, "It is the tide. Ada") ||
		strings.Count(i.Body, "- TestA fails") != 1 {
		t.Errorf("%+v %v", i, d.tracker.comments)
	}
	d.must()
	if i = d.tracker.issues[0]; i.State != forge.StateClosed || len(d.tracker.comments[1]) != 2 || !strings.Contains(d.tracker.comments[1][1], "**Ended:**") {
		t.Errorf("%+v %v", i, d.tracker.comments)
	}
	// What fails anew has an issue anew.
	d.must("TestA")
	if len(d.tracker.issues) != 2 || d.tracker.issues[0].State != forge.StateClosed || len(d.sink.Messages()) != 4 {
		t.Errorf("%d issues, %d mails", len(d.tracker.issues), len(d.sink.Messages()))
	}
}

func TestWhatCannotBeSaidIsSaidLater(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.room.broken, d.tracker.broken = errors.New("no chat"), errors.New("no forge")
	if err := d.run("TestA"); err == nil || !strings.Contains(err.Error(), "no chat") || !strings.Contains(err.Error(), "no forge") {
		t.Errorf("got %v", err)
	}
	if len(d.sink.Messages()) != 1 || d.waiting() != 2 {
		t.Errorf("%d mails, %d wait", len(d.sink.Messages()), d.waiting())
	}
	d.room.broken, d.tracker.broken = nil, nil
	d.must("TestA")
	if len(d.sink.Messages()) != 1 || len(d.room.posted) != 1 || len(d.tracker.issues) != 1 || d.waiting() != 0 {
		t.Errorf("%d mails, %d posts, %d issues, %d wait", len(d.sink.Messages()), len(d.room.posted), len(d.tracker.issues), d.waiting())
	}
}

// Nothing is written while nothing happens.
func TestQuietLedger(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must("TestA")
	before := d.settings["writes"]
	d.must("TestA")
	d.must("TestA")
	if after := d.settings["writes"]; after != before {
		t.Errorf("%d writes more", len(after)-len(before))
	}
}

func TestNobodyToSpeakThrough(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Mailer, d.Room, d.Tracker = nil, nil, nil
	d.must("TestA")
	if d.waiting() != 0 {
		t.Errorf("%d wait for ever", d.waiting())
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Room, d.Tracker = nil, nil
	d.rules.Mails = []string{"nobody", "a@example.org\r\nBcc: b@example.org", "real@example.org"}
	d.must("TestA")
	if m := d.sink.Messages(); len(m) != 1 || !slices.Equal(m[0].To, []string{"real@example.org"}) || strings.Contains(m[0].Data, "Bcc") {
		t.Errorf("%+v", m)
	}
	d = newDesk(t)
	d.Room, d.Tracker, d.rules.Mails = nil, nil, []string{"nobody"}
	d.must("TestA")
	if len(d.sink.Messages()) != 0 || d.waiting() != 0 {
		t.Errorf("%d mails, %d wait", len(d.sink.Messages()), d.waiting())
	}
}

func TestWhoCannotBeAssigned(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.tracker.strict = true
	d.rules.Owners = []alert.Owner{{Name: "core", Logins: []string{"gone"}}}
	d.must("TestA")
	if len(d.tracker.issues) != 1 || d.tracker.issues[0].Assignees != nil {
		t.Errorf("%+v", d.tracker.issues)
	}
}

// died is what a process that is killed leaves: nothing runs after it.
type died struct{ point string }

// A process that dies anywhere has said everything once when the next one is
// through: but for a mail of which nobody knows, which goes out under its first
// name.
func TestDeathAnywhere(t *testing.T) {
	t.Parallel()
	points := map[string]int{}
	count := newDesk(t)
	count.Boundary = func(point string) { points[point]++ }
	story := [][]string{{"TestA"}, {"TestA", "TestB"}, {}}
	for _, tests := range story {
		count.must(tests...)
	}
	if len(points) != 3 {
		t.Fatalf("points %v", points)
	}
	for _, point := range slices.Sorted(maps.Keys(points)) {
		for n := range points[point] {
			d := newDesk(t)
			seen := 0
			d.Boundary = func(at string) {
				if at == point {
					if seen++; seen == n+1 {
						panic(died{point})
					}
				}
			}
			for _, tests := range story {
				d.survive(tests...)
			}
			ids := map[string]int{}
			for _, m := range d.sink.Messages() {
				parsed, err := mail.ReadMessage(strings.NewReader(m.Data))
				if err != nil {
					t.Fatal(err)
				}
				ids[parsed.Header.Get("Message-ID")]++
			}
			if len(ids) != 3 || len(d.sink.Messages()) > 4 {
				t.Errorf("%s %d: mails %v", point, n, ids)
			}
			if len(d.room.posted) != 3 && n > 0 { // the first tells what the channel is called
				t.Errorf("%s %d: posted %d times", point, n, len(d.room.posted))
			}
			if len(d.tracker.issues) != 1 || d.tracker.issues[0].State != forge.StateClosed || len(d.tracker.comments[1]) != 2 {
				t.Errorf("%s %d: %d issues, comments %v", point, n, len(d.tracker.issues), d.tracker.comments)
			}
		}
	}
}

// survive runs until the process did not die.
func (d *desk) survive(tests ...string) {
	for {
		dead := func() (dead bool) {
			defer func() {
				if r := recover(); r != nil {
					if _, ok := r.(died); !ok {
						panic(r)
					}
					dead = true
				}
			}()
			d.must(tests...)
			return false
		}()
		if !dead {
			return
		}
	}
}

func TestAChatThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Mailer, d.Tracker, d.room.blind = nil, nil, true
	d.must("TestA")
	once := true
	d.Boundary = func(at string) {
		if at == "alert sent" && once {
			once = false
			panic(died{at})
		}
	}
	d.survive("TestA", "TestB")
	if len(d.room.posted) != 3 {
		t.Errorf("posted %d times: it is better to say it twice than not at all", len(d.room.posted))
	}
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.settings["alerts harbour/halyard"] = "{"
	if err := d.run("TestA"); err == nil || len(d.sink.Messages()) != 0 {
		t.Errorf("got %v", err)
	}
	var state alert.State
	d.settings["alerts harbour/halyard"] = ""
	d.must("TestA")
	if err := json.Unmarshal([]byte(d.settings["alerts harbour/halyard"]), &state); err != nil || len(state.Troubles) != 1 {
		t.Errorf("%+v, %v", state, err)
	}
}
