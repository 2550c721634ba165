package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/forge"
)

var (
	halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// fakeForge is one repository with one pull request, #7, and one issue, #8. It
// records every call that changes something.
type fakeForge struct {
	mu       sync.Mutex
	pr       forge.PullRequest
	issue    forge.Issue
	files    []forge.FileChange
	comments []forge.Comment
	reviews  []forge.Review
	tree     map[string]string // files of the base branch
	people   []string
	labels   []string
	calls    []string
	fail     map[string]error // by method
	clock    time.Time
}

func newForge() *fakeForge {
	return &fakeForge{
		pr: forge.PullRequest{
			Repo: halyard, Number: 7, Title: "Mend the tide table", Author: "ben", State: forge.StateOpen,
			Body: "note", CreatedAt: noon,
			Base: forge.Side{Repo: halyard, Branch: "main"}, Head: forge.Side{SHA: "head1"},
			Mergeability: forge.MergeClean, HTMLURL: "http://forge/harbour/halyard/pull/7",
		},
		issue: forge.Issue{Repo: halyard, Number: 8, Title: "Leaks", Author: "eve", State: forge.StateOpen, CreatedAt: noon},
		files: []forge.FileChange{{Path: "docs/guide.md", Additions: 5}},
		tree: map[string]string{
			"OWNERS":      "approvers: [ada]\nreviewers: [ada, cho]\n",
			"docs/OWNERS": "approvers: [dee]\nreviewers: [cho, dee]\nlabels: [kind/documentation]\n",
		},
		people: []string{"ada", "ben", "cho", "dee"},
		labels: []string{"kind/bug", "area/docs", "good first issue"},
		fail:   map[string]error{},
		clock:  noon.Add(time.Hour),
	}
}

// did records a change, and says whether it shall fail.
func (f *fakeForge) did(method, format string, args ...any) error {
	if err := f.fail[method]; err != nil {
		return err
	}
	f.calls = append(f.calls, method+" "+fmt.Sprintf(format, args...))
	return nil
}

// taken returns the calls since the last time, and forgets them.
func (f *fakeForge) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.calls
	f.calls = nil
	return out
}

func (f *fakeForge) Comments(context.Context, forge.RepoName, int) ([]forge.Comment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.comments), f.fail["Comments"]
}

func (f *fakeForge) CreateComment(_ context.Context, _ forge.RepoName, number int, body string) (forge.Comment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.did("CreateComment", "#%d", number); err != nil {
		return forge.Comment{}, err
	}
	f.clock = f.clock.Add(time.Minute)
	c := forge.Comment{ID: int64(len(f.comments) + 1), Author: "seaworthy-bot", Body: body, CreatedAt: f.clock}
	f.comments = append(f.comments, c)
	return c, nil
}

func (f *fakeForge) EditComment(_ context.Context, _ forge.RepoName, id int64, body string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.comments {
		if c.ID == id {
			f.comments[i].Body = body
			return f.did("EditComment", "%d", id)
		}
	}
	return forge.ErrNotFound
}

func (f *fakeForge) EditIssue(_ context.Context, _ forge.RepoName, number int, e forge.EditIssue) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Title != nil {
		f.pr.Title = *e.Title
		return f.did("EditIssue", "#%d title %q", number, *e.Title)
	}
	if e.State != nil {
		if number == f.issue.Number {
			f.issue.State = *e.State
		} else {
			f.pr.State = *e.State
		}
		return f.did("EditIssue", "#%d state %s", number, *e.State)
	}
	f.pr.Milestone = *e.Milestone
	return f.did("EditIssue", "#%d milestone %q", number, *e.Milestone)
}

func (f *fakeForge) AddLabels(_ context.Context, _ forge.RepoName, number int, labels ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if number == f.issue.Number {
		f.issue.Labels = append(f.issue.Labels, labels...)
	} else {
		f.pr.Labels = append(f.pr.Labels, labels...)
	}
	return f.did("AddLabels", "#%d %s", number, strings.Join(labels, " "))
}

func (f *fakeForge) RemoveLabel(_ context.Context, _ forge.RepoName, number int, label string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	gone := func(l string) bool { return l == label }
	if number == f.issue.Number {
		f.issue.Labels = slices.DeleteFunc(f.issue.Labels, gone)
	} else {
		f.pr.Labels = slices.DeleteFunc(slices.Clone(f.pr.Labels), gone)
	}
	return f.did("RemoveLabel", "#%d %s", number, label)
}

func (f *fakeForge) AddAssignees(_ context.Context, _ forge.RepoName, number int, logins []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.did("AddAssignees", "#%d %s", number, strings.Join(logins, " "))
}

func (f *fakeForge) RemoveAssignees(_ context.Context, _ forge.RepoName, number int, logins []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.did("RemoveAssignees", "#%d %s", number, strings.Join(logins, " "))
}

func (f *fakeForge) PullRequest(context.Context, forge.RepoName, int) (forge.PullRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pr := f.pr
	pr.Labels, pr.Reviewers = slices.Clone(pr.Labels), slices.Clone(pr.Reviewers)
	return pr, f.fail["PullRequest"]
}

func (f *fakeForge) Issue(context.Context, forge.RepoName, int) (forge.Issue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.issue
	i.Labels = slices.Clone(i.Labels)
	return i, f.fail["Issue"]
}

func (f *fakeForge) PullRequests(ctx context.Context, repo forge.RepoName, _ forge.PullFilter) ([]forge.PullRequest, error) {
	pr, err := f.PullRequest(ctx, repo, 7)
	pr.Mergeability = forge.MergeUnknown
	return []forge.PullRequest{pr}, err
}

func (f *fakeForge) PullRequestFiles(context.Context, forge.RepoName, int) ([]forge.FileChange, error) {
	return f.files, f.fail["PullRequestFiles"]
}

func (f *fakeForge) Reviews(context.Context, forge.RepoName, int) ([]forge.Review, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.reviews), f.fail["Reviews"]
}

func (f *fakeForge) RequestReviewers(_ context.Context, _ forge.RepoName, number int, logins []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.did("RequestReviewers", "#%d %s", number, strings.Join(logins, " ")); err != nil {
		return err
	}
	f.pr.Reviewers = append(f.pr.Reviewers, logins...)
	return nil
}

func (f *fakeForge) File(_ context.Context, _ forge.RepoName, path, ref string) ([]byte, error) {
	if text, ok := f.tree[path]; ok && ref == "main" {
		return []byte(text), f.fail["File"]
	}
	return nil, fmt.Errorf("read %s: %w", path, forge.ErrNotFound)
}

func (f *fakeForge) Collaborators(context.Context, forge.RepoName) ([]forge.User, error) {
	var out []forge.User
	for _, p := range f.people {
		out = append(out, forge.User{Login: p})
	}
	return out, f.fail["Collaborators"]
}

func (f *fakeForge) Labels(context.Context, forge.RepoName) ([]forge.Label, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []forge.Label
	for _, l := range f.labels {
		out = append(out, forge.Label{Name: l})
	}
	return out, f.fail["Labels"]
}

func (f *fakeForge) CreateLabel(_ context.Context, _ forge.RepoName, l forge.Label) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.labels = append(f.labels, l.Name)
	return f.did("CreateLabel", "%s", l.Name)
}

func (f *fakeForge) Milestones(context.Context, forge.RepoName, string) ([]forge.Milestone, error) {
	return []forge.Milestone{{Title: "v1.4"}, {Title: "v1.5"}}, f.fail["Milestones"]
}

// fakeRunner records what it is asked for.
type fakeRunner struct {
	mu     sync.Mutex
	asked  []TestRequest
	answer TestAnswer
	err    error
}

func (r *fakeRunner) Test(_ context.Context, t TestRequest) (TestAnswer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, t)
	return r.answer, r.err
}

// stage is a bot with its fakes.
type stage struct {
	*fakeForge
	t      *testing.T
	runner *fakeRunner
	policy Policy
	trees  map[string]string
	bot    *Bot
	last   forge.Event
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{fakeForge: newForge(), t: t, runner: &fakeRunner{}, policy: Policy{ReleaseNotes: true, Reviewers: 2}}
	b, err := New(Options{
		Forge: s.fakeForge, Runner: s.runner, Login: "seaworthy-bot",
		Policy: func(context.Context, forge.RepoName) (Policy, error) { return s.policy, nil },
		// The first line of a description is its note.
		Note: func(body string) Note {
			switch first, _, _ := strings.Cut(body, "\n"); first {
			case "note":
				return NoteGiven
			case "none":
				return NoteNone
			case "action":
				return NoteActionRequired
			}
			return NoteMissing
		},
		TreeHash:    func(_ context.Context, _ forge.RepoName, sha string) (string, error) { return s.trees[sha], nil },
		CommandsURL: "http://here/commands",
		Now:         func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.bot = b
	return s
}

// handle gives the event to the bot twice: the second time nothing may change.
func (s *stage) handle(ev forge.Event) []string {
	s.t.Helper()
	ev.Repo = halyard
	ev.ReceivedAt = s.clock
	if err := s.bot.HandleEvent(s.t.Context(), ev); err != nil {
		s.t.Fatalf("%s %s: %v", ev.Kind, ev.Action, err)
	}
	calls := s.taken()
	if err := s.bot.HandleEvent(s.t.Context(), ev); err != nil {
		s.t.Fatalf("%s %s, again: %v", ev.Kind, ev.Action, err)
	}
	for _, c := range s.taken() {
		if !strings.Contains(c, "Assignees") { // the forge ignores what is so already
			s.t.Errorf("%s %s: handled again it does %q", ev.Kind, ev.Action, c)
		}
	}
	s.last = ev
	return calls
}

// pull sends a pull request event.
func (s *stage) pull(action string) []string {
	s.t.Helper()
	pr := s.pr
	return s.handle(forge.Event{Kind: forge.EventPullRequest, Action: action, Sender: "ben", PullRequest: &pr})
}

// say has somebody comment on the pull request.
func (s *stage) say(who, body string) []string {
	s.t.Helper()
	s.clock = s.clock.Add(time.Minute)
	c := forge.Comment{ID: int64(len(s.comments) + 1), Author: who, Body: body, CreatedAt: s.clock}
	s.mu.Lock()
	s.comments = append(s.comments, c)
	s.pr.UpdatedAt = s.clock
	s.mu.Unlock()
	return s.handle(forge.Event{
		Kind: forge.EventIssueComment, Action: "created", Sender: who, Comment: &c,
		Issue: &forge.Issue{Number: 7, IsPull: true},
	})
}

// review has somebody review the pull request.
func (s *stage) review(who string, state forge.ReviewState, body string) []string {
	s.t.Helper()
	s.clock = s.clock.Add(time.Minute)
	r := forge.Review{ID: int64(len(s.reviews) + 1), Author: who, Body: body, State: state, SubmittedAt: s.clock}
	s.reviews = append(s.reviews, r)
	s.pr.UpdatedAt = s.clock
	pr := s.pr
	return s.handle(forge.Event{Kind: forge.EventPullRequestReview, Action: "submitted", Sender: who, Review: &r, PullRequest: &pr})
}

// push moves the head.
func (s *stage) push(sha string) []string {
	s.t.Helper()
	s.clock = s.clock.Add(time.Minute)
	s.moveHead(sha)
	return s.pull("synchronize")
}

// moveHead is a push nobody has heard of yet.
func (s *stage) moveHead(sha string) {
	s.pr.Head.SHA, s.pr.UpdatedAt = sha, s.clock
}

// comment returns the bot's comment of a marker, "" if there is none.
func (s *stage) comment(marker string) string {
	return s.bot.findComment(s.comments, marker).Body
}

// wantLabels compares the labels, in any order, without the sizes.
func (s *stage) wantLabels(want ...string) {
	s.t.Helper()
	have := slices.DeleteFunc(slices.Clone(s.pr.Labels), func(l string) bool { return strings.HasPrefix(l, "size/") })
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		s.t.Errorf("labels %q, want %q", have, want)
	}
}

func (s *stage) wantAnswer(parts ...string) {
	s.t.Helper()
	body := s.comment(answerMarker)
	if len(parts) == 0 && body != "" {
		s.t.Errorf("an answer nobody asked for: %s", body)
	}
	for _, p := range parts {
		if !strings.Contains(body, p) {
			s.t.Errorf("the answer %q does not contain %q", body, p)
		}
	}
}
