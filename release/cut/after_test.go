package cut_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// fakeTracker keeps issues, milestones and pull requests. Where after names a
// method it acts, once, and then says that it has failed, as a forge does whose
// answer is lost.
type fakeTracker struct {
	mu         sync.Mutex
	issues     []forge.Issue
	milestones []forge.Milestone
	pulls      []forge.PullRequest
	lost       map[string]error
}

func (f *fakeTracker) answer(method string) error {
	err := f.lost[method]
	delete(f.lost, method)
	return err
}

func (f *fakeTracker) Issue(_ context.Context, _ forge.RepoName, number int) (forge.Issue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.issues {
		if i.Number == number {
			return i, f.answer("Issue")
		}
	}
	return forge.Issue{}, forge.ErrNotFound
}

func (f *fakeTracker) Issues(_ context.Context, _ forge.RepoName, filter forge.IssueFilter) ([]forge.Issue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(f.issues), func(i forge.Issue) bool { return filter.State != "all" && i.State != forge.StateOpen })
	return all, f.answer("Issues")
}

func (f *fakeTracker) CreateIssue(_ context.Context, repo forge.RepoName, n forge.NewIssue) (forge.Issue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := forge.Issue{Repo: repo, Number: len(f.issues) + 1, Title: n.Title, Body: n.Body, Labels: n.Labels, State: forge.StateOpen}
	f.issues = append(f.issues, i)
	return i, f.answer("CreateIssue")
}

func (f *fakeTracker) EditIssue(_ context.Context, _ forge.RepoName, number int, e forge.EditIssue) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := &f.issues[number-1]
	if e.Body != nil {
		i.Body = *e.Body
	}
	if e.State != nil {
		i.State = *e.State
	}
	return f.answer("EditIssue")
}

func (f *fakeTracker) Milestones(context.Context, forge.RepoName, string) ([]forge.Milestone, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.milestones), f.answer("Milestones")
}

func (f *fakeTracker) CreateMilestone(_ context.Context, _ forge.RepoName, m forge.Milestone) (forge.Milestone, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m.Number = len(f.milestones) + 1
	f.milestones = append(f.milestones, m)
	return m, f.answer("CreateMilestone")
}

func (f *fakeTracker) EditMilestone(_ context.Context, _ forge.RepoName, m forge.Milestone) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.milestones[m.Number-1].State = m.State
	return f.answer("EditMilestone")
}

func (f *fakeTracker) PullRequests(context.Context, forge.RepoName, forge.PullFilter) ([]forge.PullRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.pulls), f.answer("PullRequests")
}

func (f *fakeTracker) CreatePullRequest(_ context.Context, repo forge.RepoName, n forge.NewPullRequest) (forge.PullRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := forge.PullRequest{Repo: repo, Number: 100 + len(f.pulls), Title: n.Title, Body: n.Body, Head: forge.Side{Branch: n.Head}, Base: forge.Side{Branch: n.Base}}
	f.pulls = append(f.pulls, p)
	return p, f.answer("CreatePullRequest")
}

// fakeMailer keeps messages.
type fakeMailer struct {
	mu   sync.Mutex
	sent []string
	lost error // once, after having taken the message
}

func (m *fakeMailer) Send(_ context.Context, _ string, _ []string, message []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, string(message))
	err := m.lost
	m.lost = nil
	return err
}

// messageID is that of a mail.
func messageID(mail string) string {
	_, rest, _ := strings.Cut(mail, "Message-ID: ")
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}

// losing is a journal that dies when a step of a name is done: the step has
// acted, and nobody has written it down.
type losing struct {
	*flow.Memory
	mu   sync.Mutex
	step string
	dead bool
}

var errDied = errors.New("the process has died")

func (j *losing) Append(ctx context.Context, l flow.Lease, e flow.Entry) (int64, error) {
	j.mu.Lock()
	if e.Kind == flow.EntryDone && e.Step == j.step {
		j.dead = true
	}
	dead := j.dead
	j.mu.Unlock()
	if dead {
		return 0, errDied
	}
	return j.Memory.Append(ctx, l, e)
}

// live lets the next process write.
func (j *losing) live(step string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.step, j.dead = step, false
}

// telling is a project that tells of its candidates and has things to do after.
func telling() cut.Project {
	p := project()
	rc := []release.Kind{release.RC}
	p.Issue = &cut.Issue{Labels: []string{"release"}}
	p.Mail = &cut.Mail{From: "Harbour <releases@harbour.example>", To: []string{"users@harbour.example"}, Subject: "{name} {version}"}
	p.After = cut.After{
		Milestones: []cut.NewMilestone{{Types: rc, Title: "{next}", Close: "old"}},
		Issues:     []cut.Notice{{Types: rc, Title: "Publish {version}", Body: "at {commit}"}, {Title: "After a final one"}},
		PullRequests: []cut.Proposal{
			{Types: rc, Title: "Read of {version}", Edits: []release.Edit{{File: "README.md", Pattern: `^# .*$`, Replace: "# Halyard {number}"}}},
			{Types: rc, Title: "Nothing new", Edits: []release.Edit{{File: "LICENSE", Pattern: `Apache-2\.0`, Replace: "Apache-2.0"}}},
		},
	}
	return p
}

// tell is a place whose releases tell of themselves.
func tell(t *testing.T, j flow.Journal) (*place, *fakeTracker, *fakeMailer, cut.Options) {
	p := newPlace(t)
	tracker := &fakeTracker{lost: map[string]error{}, milestones: []forge.Milestone{{Number: 1, Title: "old", State: forge.StateOpen}}}
	mailer := &fakeMailer{}
	o := p.options(j)
	o.Tracker, o.Changes, o.Mailer = tracker, tracker, mailer
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return telling(), nil }
	return p, tracker, mailer, o
}

// checkTold looks at all that a release of telling leaves, each once.
func checkTold(t *testing.T, p *place, f *fakeTracker) {
	t.Helper()
	var issues []string
	for _, i := range f.issues {
		issues = append(issues, i.Title+" "+string(i.State))
	}
	if want := []string{"Cut v0.1.0-rc.0 release closed", "Publish v0.1.0-rc.0 open"}; !slices.Equal(issues, want) {
		t.Errorf("the issues are %q, want %q", issues, want)
	}
	var milestones []string
	for _, m := range f.milestones {
		milestones = append(milestones, m.Title+" "+string(m.State))
	}
	if want := []string{"old closed", "v0.1.0 open"}; !slices.Equal(milestones, want) {
		t.Errorf("the milestones are %q, want %q", milestones, want)
	}
	if len(f.pulls) != 1 || f.pulls[0].Title != "Read of v0.1.0-rc.0" || f.pulls[0].Base.Branch != "main" {
		t.Fatalf("the changes are %+v", f.pulls)
	}
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	text, err := repo.Show(t.Context(), "refs/heads/"+f.pulls[0].Head.Branch, "README.md")
	if err != nil || !strings.HasPrefix(string(text), "# Halyard 0.1.0-rc.0\n") {
		t.Errorf("proposed is %q, %v", text, err)
	}
}

// A process that dies after it acted, before it wrote that down, does not act
// again when the run is resumed.
func TestToldOnce(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"", "issue", "key", "mail", "after-milestones", "after-issues", "after-changes", "issue-close"} {
		t.Run("died after "+step, func(t *testing.T) {
			t.Parallel()
			journal := &losing{Memory: &flow.Memory{}}
			p, tracker, mailer, o := tell(t, journal)
			s := newService(t, o)
			build := staged(t, s, stageRC())
			run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
			must(t, err)
			journal.live(step)
			if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{}); (step != "") != errors.Is(err, errDied) {
				t.Fatalf("the first process: %v", err)
			}
			journal.live("")
			drive(t, newService(t, o), run.ID, flow.Succeeded)
			checkTold(t, p, tracker)
			// One that was under way beside the step that died goes out again
			// under the same identity, by which readers know it again.
			beside := strings.HasPrefix(step, "after-")
			if n := len(mailer.sent); n != 1 && !(beside && n == 2 && messageID(mailer.sent[0]) == messageID(mailer.sent[1])) {
				t.Errorf("%d mails were sent", n)
			}
		})
	}
}

// A forge that acts and whose answer is lost is asked what it did.
func TestToldOnceThoughAnswersAreLost(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Issues", "Issue", "CreateIssue", "EditIssue", "Milestones", "CreateMilestone", "EditMilestone", "PullRequests", "CreatePullRequest"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			p, tracker, mailer, o := tell(t, &flow.Memory{})
			s := newService(t, o)
			build := staged(t, s, stageRC())
			tracker.lost[method] = forge.ErrUnavailable
			mailer.lost = errors.New("the line is dead")
			run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
			must(t, err)
			drive(t, s, run.ID, flow.Succeeded)
			checkTold(t, p, tracker)
			// Whether a mail was taken nobody can ask: the second is the same one.
			if len(mailer.sent) != 2 || messageID(mailer.sent[0]) == "" || messageID(mailer.sent[0]) != messageID(mailer.sent[1]) {
				t.Errorf("%d mails were sent: %q", len(mailer.sent), mailer.sent)
			}
		})
	}
}

// The list in the issue is edited in place, and what people write stays.
func TestReportToIssue(t *testing.T) {
	t.Parallel()
	_, tracker, _, o := tell(t, &flow.Memory{})
	s := newService(t, o)
	stage, err := s.Stage(t.Context(), stageRC())
	must(t, err)
	drive(t, s, stage.ID, flow.Succeeded)
	changed, err := s.ReportToIssue(t.Context(), stage.ID)
	if must(t, err); !changed || !strings.Contains(tracker.issues[0].Body, "### Stage: succeeded") {
		t.Fatalf("the issue says\n%s", tracker.issues[0].Body)
	}
	tracker.issues[0].Body = "Ada leads.\r\n" + strings.ReplaceAll(tracker.issues[0].Body, "\n", "\r\n") + "Ben tests.\r\n"
	result, _, err := s.StageResult(t.Context(), stage.ID)
	must(t, err)
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: result.BuildVersion, Actor: "ada"})
	must(t, err)
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: "gates"}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		for _, id := range []string{stage.ID, run.ID} {
			_, err = s.ReportToIssue(t.Context(), id)
			must(t, err)
		}
		body := tracker.issues[0].Body
		for _, want := range []string{"Ada leads.", "Ben tests.", "### Stage: succeeded", "- [x] Judge the readiness", "- [ ] Push the tag"} {
			if strings.Count(body, want) != 1 {
				t.Errorf("round %d: %q stands there %d times in\n%s", i, want, strings.Count(body, want), body)
			}
		}
	}
	if changed, err = s.ReportToIssue(t.Context(), run.ID); err != nil || changed {
		t.Errorf("nothing has happened, and the issue was edited (%v)", err)
	}
	if len(tracker.issues) != 1 {
		t.Errorf("there are %d issues", len(tracker.issues))
	}
}

// An issue that somebody closed between stage and cut is opened again, and what
// was written there stays: there is never a second.
func TestIssueClosedByHand(t *testing.T) {
	t.Parallel()
	p, tracker, _, o := tell(t, &flow.Memory{})
	s := newService(t, o)
	build := staged(t, s, stageRC())
	tracker.issues[0].State, tracker.issues[0].Title = forge.StateClosed, "renamed"
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
	must(t, err)
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: "issue"}); err != nil {
		t.Fatal(err)
	}
	if len(tracker.issues) != 1 || tracker.issues[0].State != forge.StateOpen {
		t.Fatalf("the issues are %+v", tracker.issues)
	}
	tracker.issues[0].Title = cut.IssueTitle("v0.1.0-rc.0")
	drive(t, s, run.ID, flow.Succeeded)
	checkTold(t, p, tracker)
}

// A rehearsal tells nobody, and says what it would do.
func TestRehearsalTellsNobody(t *testing.T) {
	t.Parallel()
	p, tracker, mailer, o := tell(t, &flow.Memory{})
	s := newService(t, o)
	r := stageRC()
	r.Mock = true
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, r), Mock: true, Actor: "ada"})
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)
	if len(tracker.issues)+len(tracker.pulls)+len(mailer.sent) != 0 || len(tracker.milestones) != 1 {
		t.Errorf("a rehearsal left %+v, %v", tracker, mailer.sent)
	}
	line, err := s.Status(t.Context(), run.ID)
	must(t, err)
	for step, want := range map[string]string{"after-milestones": "open milestone v0.1.0; close milestone old", "after-changes": `propose "Read of v0.1.0-rc.0" to harbour/halyard`, "mail": "announcement.eml"} {
		if got, _ := line.Step(step); !strings.Contains(got.Sentence, want) {
			t.Errorf("%s says %q, want %q", step, got.Sentence, want)
		}
	}
	l, err := s.Letter(t.Context(), halyard, "v0.1.0-rc.0")
	if err != nil || !l.Mock || l.Subject != "halyard v0.1.0-rc.0" {
		t.Errorf("the letter is %+v, %v", l, err)
	}
	eml, err := p.bucket.ReadAll(t.Context(), "mock/archive/harbour/halyard/v0.1.0-rc.0-mail/announcement.eml")
	if err != nil || messageID(string(eml)) != "<"+l.MessageID+">" {
		t.Errorf("the mail that was kept is %q, %v", eml, err)
	}
}

// Where releases go to a place without issues and changes, what was to follow is
// left to people, and they are told.
func TestWhatAPlaceCannotDoIsSaid(t *testing.T) {
	t.Parallel()
	_, tracker, _, o := tell(t, &flow.Memory{})
	o.Tracker, o.Changes = nil, nil
	s := newService(t, o)
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Actor: "ada"})
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)
	line, err := s.Status(t.Context(), run.ID)
	must(t, err)
	for step, want := range map[string]string{"issue": "there are no issues at this forge", "after-milestones": "left to you: open milestone v0.1.0; close milestone old",
		"after-issues": `left to you: open issue "Publish v0.1.0-rc.0" in harbour/halyard`, "after-changes": `left to you: propose "Read of v0.1.0-rc.0" to harbour/halyard`} {
		if got, _ := line.Step(step); got.State != flow.StepSkipped || !strings.Contains(got.Sentence, want) {
			t.Errorf("%s is %s and says %q, want %q", step, got.State, got.Sentence, want)
		}
	}
	if len(tracker.issues)+len(tracker.pulls) != 0 {
		t.Errorf("left are %+v", tracker)
	}
}

// Who looks at rehearsals gets the mail of each, once, and nobody else does.
func TestRehearsalMail(t *testing.T) {
	t.Parallel()
	journal := &losing{Memory: &flow.Memory{}}
	p, _, mailer, o := tell(t, journal)
	project := telling()
	project.Mail.RehearsalTo = []string{"Testers <testers@harbour.example>"}
	project.Announcement = "{{.Project}} {{.Version}}: ahoy!\n"
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return project, nil }
	var to [][]string
	o.Mailer = mailerFunc(func(addresses []string, message []byte) error {
		to = append(to, addresses)
		return mailer.Send(t.Context(), "", nil, message)
	})
	r := stageRC()
	r.Mock = true
	s := newService(t, o)
	build := staged(t, s, r)
	for range 2 {
		run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Mock: true, Actor: "ada"})
		must(t, err)
		journal.live("mail") // and dies when it is sent, before that is in the journal
		if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{}); !errors.Is(err, errDied) {
			t.Fatalf("the first process: %v", err)
		}
		journal.live("")
		drive(t, newService(t, o), run.ID, flow.Succeeded)
	}
	if len(to) != 2 || fmt.Sprint(to) != "[[testers@harbour.example] [testers@harbour.example]]" || messageID(mailer.sent[0]) == messageID(mailer.sent[1]) {
		t.Fatalf("two rehearsals sent mail to %v", to)
	}
	for _, mail := range mailer.sent {
		if strings.Contains(mail, "users@") || !strings.Contains(mail, "Subject: [rehearsal] halyard v0.1.0-rc.0\r\n") || !strings.Contains(mail, "halyard v0.1.0-rc.0: ahoy!") {
			t.Errorf("the rehearsal's mail is\n%s", mail)
		}
	}
	eml, err := p.bucket.ReadAll(t.Context(), "mock/archive/harbour/halyard/v0.1.0-rc.0-mail/announcement.eml")
	if err != nil || !strings.Contains(string(eml), "To: <users@harbour.example>") {
		t.Errorf("kept is\n%s\n%v", eml, err)
	}
}

type mailerFunc func(to []string, message []byte) error

// Send implements cut.Mailer.
func (f mailerFunc) Send(_ context.Context, _ string, to []string, message []byte) error {
	return f(to, message)
}

// A template that cannot be filled in stops the stage, before anything is public.
func TestAnnouncementThatIsWrong(t *testing.T) {
	t.Parallel()
	_, tracker, _, o := tell(t, &flow.Memory{})
	broken := telling()
	broken.Announcement = "One\n{{.Verson}}\n"
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return broken, nil }
	s := newService(t, o)
	run, err := s.Stage(t.Context(), stageRC())
	must(t, err)
	state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
	if state != flow.Failed || err == nil || !strings.Contains(err.Error(), "line 2: unknown value .Verson") || len(tracker.issues) != 0 {
		t.Errorf("%s, %v, %v", state, err, tracker.issues)
	}
}

// What cannot be done is named, what can is done, and resuming does the rest.
func TestAfterFails(t *testing.T) {
	t.Parallel()
	p, tracker, _, o := tell(t, &flow.Memory{})
	broken := telling()
	broken.After.PullRequests = slices.Insert(broken.After.PullRequests, 0,
		cut.Proposal{Types: []release.Kind{release.RC}, Title: "Broken", Edits: []release.Edit{{File: "README.md", Pattern: "nowhere", Replace: "x"}}},
		cut.Proposal{Types: []release.Kind{release.RC}, Title: "Missing", Edits: []release.Edit{{File: "missing.yaml", Pattern: "x", Replace: "y"}}})
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return broken, nil }
	s := newService(t, o)
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Actor: "ada"})
	must(t, err)
	for range 2 {
		state, err := s.Resume(t.Context(), run.ID, flow.DriveOptions{})
		if state != flow.Failed || !errors.Is(err, flow.ErrFailed) {
			t.Fatalf("the run is %s, %v", state, err)
		}
		for _, want := range []string{"matches nothing there", "missing.yaml is no file"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
		if len(tracker.pulls) != 1 || tracker.pulls[0].Title != "Read of v0.1.0-rc.0" {
			t.Errorf("the changes are %+v: one that fails must not keep others", tracker.pulls)
		}
	}
	if tracker.issues[0].State != forge.StateOpen {
		t.Error("the issue is closed, and not everything is done")
	}
	marker, err := p.bucket.ReadAll(t.Context(), "release/harbour/halyard/latest.txt")
	if err != nil || string(marker) != "v0.1.0-rc.0" {
		t.Errorf("the marker is %q, %v: the release is public by then", marker, err)
	}
	if !strings.Contains(fmt.Sprint(tracker.milestones), "v0.1.0") {
		t.Errorf("the milestones are %+v", tracker.milestones)
	}
}
