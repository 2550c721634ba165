package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/merge"
)

var halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}

// sha makes a commit out of a word.
func sha(word string) string { return (word + strings.Repeat("0", 40))[:40] }

// fakeForge is a repository whose branch main moves when something merges.
type fakeForge struct {
	mu         sync.Mutex
	tip        string
	merges     int
	pulls      map[int]*forge.PullRequest
	statuses   map[string][]forge.Status
	runs       map[string][]forge.CheckRun
	reviews    map[int][]forge.Review
	issues     []forge.Issue
	milestones []forge.Milestone
	calls      []string
	fail       map[string][]error // by method: the next answers, nil for a good one
	onMerge    func()             // before the forge looks at a merge
	reads      int                // of statuses
}

func newForge() *fakeForge {
	return &fakeForge{
		tip: sha("a"), pulls: map[int]*forge.PullRequest{}, statuses: map[string][]forge.Status{},
		runs: map[string][]forge.CheckRun{}, reviews: map[int][]forge.Review{}, fail: map[string][]error{},
	}
}

// add opens a pull request that has its labels, and the given statuses.
func (f *fakeForge) add(number int, statuses ...forge.Status) *forge.PullRequest {
	pr := &forge.PullRequest{
		Repo: halyard, Number: number, Author: "ben", State: forge.StateOpen, Mergeability: forge.MergeClean,
		Labels: []string{"lgtm", "approved"},
		Base:   forge.Side{Repo: halyard, Branch: "main"}, Head: forge.Side{SHA: sha(fmt.Sprintf("%d", number))},
	}
	f.pulls[number] = pr
	f.statuses[pr.Head.SHA] = statuses
	return pr
}

func unit(state forge.StatusState, base string) forge.Status {
	return forge.Status{Context: "unit", State: state, Description: "said" + merge.BaseSuffix(base)}
}

// next takes the next scripted answer of a method.
func (f *fakeForge) next(method string) error {
	q := f.fail[method]
	if len(q) == 0 {
		return nil
	}
	f.fail[method] = q[1:]
	return q[0]
}

func (f *fakeForge) did(format string, args ...any) {
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *fakeForge) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.calls
	f.calls = nil
	return out
}

func (f *fakeForge) PullRequest(_ context.Context, _ forge.RepoName, number int) (forge.PullRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pr, ok := f.pulls[number]
	if !ok {
		return forge.PullRequest{}, forge.ErrNotFound
	}
	return clone(*pr), f.next("PullRequest")
}

func clone(pr forge.PullRequest) forge.PullRequest {
	pr.Labels = slices.Clone(pr.Labels)
	return pr
}

func (f *fakeForge) PullRequests(_ context.Context, _ forge.RepoName, filter forge.PullFilter) ([]forge.PullRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []forge.PullRequest
	for _, pr := range f.pulls {
		if pr.State == forge.StateOpen && (filter.Base == "" || filter.Base == pr.Base.Branch) {
			listed := clone(*pr)
			listed.Mergeability = forge.MergeUnknown // as GitHub's lists do
			out = append(out, listed)
		}
	}
	return out, f.next("PullRequests")
}

func (f *fakeForge) Reviews(_ context.Context, _ forge.RepoName, number int) ([]forge.Review, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reviews[number], f.next("Reviews")
}

func (f *fakeForge) MergePullRequest(_ context.Context, _ forge.RepoName, number int, m forge.Merge) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onMerge != nil {
		f.onMerge()
	}
	f.did("try %d %s", number, m.Method)
	if err := f.next("MergePullRequest"); err != nil {
		return "", err
	}
	pr := f.pulls[number]
	if pr.Head.SHA != m.SHA || pr.Mergeability == forge.MergeConflict {
		return "", fmt.Errorf("merge #%d: %w", number, forge.ErrConflict)
	}
	f.land(number)
	return f.tip, nil
}

// land merges and moves the branch.
func (f *fakeForge) land(number int) {
	f.merges++
	f.tip = sha(fmt.Sprintf("b%d", f.merges))
	pr := f.pulls[number]
	pr.State, pr.Merged, pr.MergeSHA = forge.StateClosed, true, f.tip
	f.did("merged %d", number)
}

func (f *fakeForge) Branch(_ context.Context, _ forge.RepoName, name string) (forge.Branch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.next("Branch"); err != nil {
		return forge.Branch{}, err
	}
	if name != "main" {
		return forge.Branch{}, forge.ErrNotFound
	}
	return forge.Branch{Name: name, SHA: f.tip}, nil
}

func (f *fakeForge) Statuses(_ context.Context, _ forge.RepoName, sha string) ([]forge.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return slices.Clone(f.statuses[sha]), f.next("Statuses")
}

func (f *fakeForge) CheckRuns(_ context.Context, _ forge.RepoName, sha string) ([]forge.CheckRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.runs[sha], f.next("CheckRuns")
}

func (f *fakeForge) SetStatus(_ context.Context, _ forge.RepoName, sha string, s forge.Status) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.next("SetStatus"); err != nil {
		return err
	}
	f.set(sha, s)
	if s.Context == merge.QueueContext {
		f.did("show %s %s: %s", strings.TrimRight(sha, "0"), s.State, s.Description)
	}
	return nil
}

func (f *fakeForge) set(sha string, s forge.Status) {
	kept := slices.DeleteFunc(f.statuses[sha], func(have forge.Status) bool { return have.Context == s.Context })
	f.statuses[sha] = append(kept, s)
}

func (f *fakeForge) Issues(context.Context, forge.RepoName, forge.IssueFilter) ([]forge.Issue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.issues, f.next("Issues")
}

func (f *fakeForge) EditIssue(_ context.Context, _ forge.RepoName, number int, e forge.EditIssue) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.next("EditIssue"); err != nil {
		return err
	}
	f.pulls[number].Milestone = *e.Milestone
	f.did("milestone %d %s", number, *e.Milestone)
	return nil
}

func (f *fakeForge) AddLabels(_ context.Context, _ forge.RepoName, number int, labels ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pulls[number].Labels = append(f.pulls[number].Labels, labels...)
	f.did("label %d %s", number, strings.Join(labels, " "))
	return f.next("AddLabels")
}

func (f *fakeForge) Milestones(context.Context, forge.RepoName, string) ([]forge.Milestone, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.milestones, f.next("Milestones")
}

func (f *fakeForge) CreateMilestone(_ context.Context, _ forge.RepoName, m forge.Milestone) (forge.Milestone, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.next("CreateMilestone"); err != nil {
		return m, err
	}
	f.milestones = append(f.milestones, m)
	f.did("create milestone %s", m.Title)
	return m, nil
}

// stage is a queue with its fakes: the runner, the recorder and the switch.
type stage struct {
	*fakeForge
	t         *testing.T
	q         *Queue
	policy    merge.Policy
	needs     merge.Requirements
	started   []Start
	startErr  error
	decisions []Decision
	recordErr error
	paused    map[string]string
	waits     []time.Duration
	notified  int
}

func (s *stage) StartJobs(_ context.Context, st Start) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.startErr != nil {
		return s.startErr
	}
	s.started = append(s.started, st)
	for _, j := range st.Jobs {
		s.set(st.PullRequest.Head.SHA, forge.Status{Context: j.Context, State: forge.StatusPending, Description: "Running." + merge.BaseSuffix(st.BaseSHA)})
	}
	s.did("start %d", st.PullRequest.Number)
	return nil
}

// finish ends the jobs a pull request runs.
func (s *stage) finish(number int, state forge.StatusState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := s.pulls[number].Head.SHA
	for _, st := range slices.Clone(s.statuses[head]) {
		if st.State == forge.StatusPending && st.Context != merge.QueueContext {
			st.State = state
			s.set(head, st)
		}
	}
}

func (s *stage) RecordDecision(_ context.Context, d Decision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recordErr != nil {
		return s.recordErr
	}
	s.decisions = append(s.decisions, d)
	return nil
}

func (s *stage) Paused(_ context.Context, _ forge.RepoName, branch string) (string, error) {
	return s.paused[branch], nil
}

func (s *stage) SetPaused(_ context.Context, _ forge.RepoName, branch, why string) error {
	s.paused[branch] = why
	return nil
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{
		fakeForge: newForge(), t: t, paused: map[string]string{},
		policy: merge.Policy{Queries: []merge.Query{{Labels: []string{"lgtm", "approved"}, MissingLabels: []string{"do-not-merge/hold"}}}},
		needs:  merge.Requirements{Jobs: []merge.RequiredJob{{Name: "halyard-unit", Context: "unit"}}},
	}
	q, err := New(Options{
		Forge: s.fakeForge, Runner: s, Recorder: s, Switch: s,
		Contexts: func(context.Context, forge.PullRequest, string) (merge.Requirements, error) { return s.needs, nil },
		Query:    func(context.Context, forge.RepoName) (merge.Policy, error) { return s.policy, nil },
		Now:      func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
		Wait: func(_ context.Context, d time.Duration) error {
			s.waits = append(s.waits, d)
			return nil
		},
		Notify: func(forge.RepoName, string) { s.notified++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.q = q
	return s
}

// sync makes a pass and returns what it did, without the statuses it showed.
func (s *stage) sync() []string {
	s.t.Helper()
	if err := s.q.Sync(s.t.Context(), halyard, "main"); err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(s.taken(), func(c string) bool { return strings.HasPrefix(c, "show") })
}

// shown returns the queue's status of a pull request.
func (s *stage) shownOn(number int) string {
	for _, st := range s.statuses[s.pulls[number].Head.SHA] {
		if st.Context == merge.QueueContext {
			return string(st.State) + ": " + st.Description
		}
	}
	return ""
}

// reasons lists what was recorded.
func (s *stage) reasons() []string {
	var out []string
	for _, d := range s.decisions {
		out = append(out, strings.TrimSpace(string(d.Action.Kind)+" "+d.Action.Reason+" "+d.Outcome))
	}
	return out
}
