package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/exec"
	"seaworthy/job/exectest"
)

// memory is a Store in memory.
type memory struct {
	mu   sync.Mutex
	last int
	all  map[string]job.Execution
}

func (m *memory) CreateExecution(_ context.Context, e job.Execution) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.all {
		if e.Key != "" && o.Key == e.Key {
			return false, nil
		}
	}
	if m.all == nil {
		m.all = map[string]job.Execution{}
	}
	m.all[e.ID] = e
	return true, nil
}

func (m *memory) Execution(_ context.Context, id string) (job.Execution, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.all[id]
	if !ok {
		return e, errors.New("not found")
	}
	return e, nil
}

func (m *memory) Executions(_ context.Context, f job.ExecutionFilter) ([]job.Execution, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []job.Execution
	for _, e := range m.all {
		pull := slices.ContainsFunc(e.Refs.Pulls, func(p job.Pull) bool { return p.Number == f.Pull })
		if (f.Repo == "" || f.Repo == e.Refs.Org+"/"+e.Refs.Repo) && (f.Job == "" || f.Job == e.Job) && (f.Type == "" || f.Type == e.Type) &&
			(f.States == nil || slices.Contains(f.States, e.State)) && (f.Pull == 0 || pull) && (f.SHA == "" || f.SHA == shaOf(e)) &&
			(f.Before == "" || e.BuildID < f.Before) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b job.Execution) int { return cmp.Compare(b.BuildID, a.BuildID) })
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[:f.Limit]
	}
	return out, nil
}

func (m *memory) ClaimExecution(_ context.Context, id, owner string, now, until time.Time) (job.Execution, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.all[id]
	if e.State != job.Triggered && (e.State != job.Pending || e.LeaseUntil.After(now)) {
		return e, false, nil
	}
	e.State, e.Owner, e.LeaseUntil, e.StartedAt = job.Pending, owner, until, now
	m.all[id] = e
	return e, true, nil
}

func (m *memory) change(id, owner string, fn func(*job.Execution)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.all[id]
	if e.State.Final() || owner != "" && owner != e.Owner {
		return fmt.Errorf("%s is %s, held by %s", id, e.State, e.Owner)
	}
	fn(&e)
	m.all[id] = e
	return nil
}

func (m *memory) ExtendExecution(_ context.Context, id, owner string, until time.Time) error {
	return m.change(id, owner, func(e *job.Execution) { e.LeaseUntil = until })
}

func (m *memory) FinishExecution(_ context.Context, f job.Execution) error {
	return m.change(f.ID, f.Owner, func(e *job.Execution) {
		e.State, e.Description, e.Path, e.StartedAt, e.FinishedAt = f.State, f.Description, f.Path, f.StartedAt, f.FinishedAt
	})
}

func (m *memory) NextBuildID(context.Context, time.Time) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	return fmt.Sprintf("19%017d", m.last), nil
}

// harbour is the forge of the tests: one repository, halyard.
type harbour struct {
	mu       sync.Mutex
	branches map[string]string
	tags     map[string]string
	pulls    map[int]forge.PullRequest
	files    map[int][]string
	pushed   []string
	// refuse is what SetStatus returns, unless it is nil.
	refuse   error
	statuses []sentStatus
}

type sentStatus struct {
	sha string
	forge.Status
}

var halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}

func (h *harbour) Repo(context.Context, forge.RepoName) (forge.Repo, error) {
	return forge.Repo{RepoName: halyard, DefaultBranch: "main"}, nil
}

func (h *harbour) Branch(_ context.Context, _ forge.RepoName, name string) (forge.Branch, error) {
	if sha, ok := h.branches[name]; ok {
		return forge.Branch{Name: name, SHA: sha}, nil
	}
	return forge.Branch{}, forge.ErrNotFound
}

func (h *harbour) Commit(_ context.Context, _ forge.RepoName, rev string) (forge.Commit, error) {
	if sha, ok := h.tags[strings.TrimPrefix(rev, "tags/")]; ok {
		return forge.Commit{SHA: sha}, nil
	}
	return forge.Commit{}, forge.ErrNotFound
}

func (h *harbour) Compare(context.Context, forge.RepoName, string, string) ([]forge.Commit, []forge.FileChange, error) {
	return nil, changes(h.pushed), nil
}

func (h *harbour) PullRequest(_ context.Context, _ forge.RepoName, n int) (forge.PullRequest, error) {
	p, ok := h.pulls[n]
	if !ok {
		return p, forge.ErrNotFound
	}
	return p, nil
}

func (h *harbour) PullRequestFiles(_ context.Context, _ forge.RepoName, n int) ([]forge.FileChange, error) {
	return changes(h.files[n]), nil
}

func (h *harbour) SetStatus(_ context.Context, _ forge.RepoName, sha string, s forge.Status) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return h.refuse
	}
	h.statuses = append(h.statuses, sentStatus{sha, s})
	return nil
}

// down makes SetStatus fail, or work again.
func (h *harbour) down(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = err
}

// said lists the statuses of a context as "STATE DESCRIPTION", oldest first.
func (h *harbour) said(sha, statusContext string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, s := range h.statuses {
		if s.sha == sha && s.Context == statusContext {
			all = append(all, string(s.State)+" "+s.Description)
		}
	}
	return all
}

func changes(paths []string) []forge.FileChange {
	var all []forge.FileChange
	for _, p := range paths {
		all = append(all, forge.FileChange{Path: p, Status: "modified"})
	}
	return all
}

// sha makes a commit id out of one digit.
func sha(digit string) string { return strings.Repeat(digit, 40) }

// pier is a service with everything around it faked but the bucket.
type pier struct {
	*Service
	t      *testing.T
	forge  *harbour
	store  *memory
	exec   *exectest.Fake
	bucket *blob.Bucket
	queue  chan string
	now    time.Time
}

const jobsYAML = `
presubmits:
  harbour/halyard:
  - name: unit
    always_run: true
    spec: {containers: [{image: golang, command: [make], args: [test]}]}
  - name: docs
    run_if_changed: '^docs/'
    optional: true
    spec: {containers: [{image: golang, command: [make], args: [docs]}]}
  - name: quiet
    always_run: true
    skip_report: true
    spec: {containers: [{image: golang, command: [make]}]}
  - name: manual
    context: by-hand
    max_concurrency: 1
    spec: {containers: [{image: golang, command: [make]}]}
  - name: release
    always_run: true
    branches: [^release-]
    spec: {containers: [{image: golang, command: [make]}]}
postsubmits:
  harbour/halyard:
  - name: publish
    branches: [^main$, ^v]
    spec: {containers: [{image: golang, command: [make], args: [publish]}]}
  - name: site
    run_if_changed: '^docs/'
    branches: [^main$]
    spec: {containers: [{image: golang, command: [make], args: [site]}]}
periodics:
- name: nightly
  cron: '0 3 * * *'
  extra_refs: [{org: harbour, repo: halyard, base_ref: ''}]
  spec: {containers: [{image: golang, command: [make]}]}
`

func config(t *testing.T, yaml string) job.Config {
	t.Helper()
	file, problems := job.Parse("jobs.yaml", []byte(yaml))
	c, more := job.Merge(file)
	for _, p := range append(problems, more...) {
		if !p.Warning {
			t.Fatalf("jobs.yaml: %v", p)
		}
	}
	return c
}

// newPier makes a service. Pull request 7 is open against main.
func newPier(t *testing.T, change ...func(*Options)) *pier {
	t.Helper()
	c := config(t, jobsYAML)
	p := &pier{t: t, store: &memory{}, exec: &exectest.Fake{}, bucket: memblob.OpenBucket(nil), queue: make(chan string, 100),
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		forge: &harbour{
			branches: map[string]string{"main": sha("a"), "release-1.0": sha("b")},
			tags:     map[string]string{"v1.0.0": sha("c")},
			pulls:    map[int]forge.PullRequest{7: pull(7, sha("7")), 8: pull(8, sha("8"))},
			files:    map[int][]string{},
		}}
	t.Cleanup(func() {
		if err := p.bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	p.Service = p.service(func(o *Options) {
		o.Jobs = func(context.Context, forge.RepoName, string) (job.Config, error) { return c, nil }
		o.LogDir = filepath.Join(t.TempDir(), "spool")
		for _, c := range change {
			c(o)
		}
	})
	return p
}

// service makes another service around the same fakes: another process, or
// the same one after a restart.
func (p *pier) service(change func(*Options)) *Service {
	p.t.Helper()
	o := Options{}
	if p.Service != nil {
		o = p.o
	} else {
		o = Options{Forge: p.forge, Store: p.store, Executor: p.exec, Bucket: p.bucket, Owner: "pier-1", BaseURL: "http://ci.example/",
			Now: func() time.Time { return p.now }, Log: slog.New(slog.DiscardHandler),
			Enqueue: func(_ context.Context, id string) error { p.queue <- id; return nil }}
	}
	change(&o)
	s, err := New(o)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func pull(n int, head string) forge.PullRequest {
	return forge.PullRequest{Repo: halyard, Number: n, Title: "Add rope", Author: "ben", State: forge.StateOpen,
		Base: forge.Side{Repo: halyard, Branch: "main", SHA: sha("0")}, Head: forge.Side{Repo: halyard, Branch: "rope", SHA: head}}
}

func pullEvent(delivery, action string, p forge.PullRequest) forge.Event {
	return forge.Event{Delivery: delivery, Kind: forge.EventPullRequest, Action: action, Repo: halyard, Sender: p.Author, PullRequest: &p}
}

func (p *pier) handle(e forge.Event) {
	p.t.Helper()
	if err := p.HandleEvent(context.Background(), e); err != nil {
		p.t.Fatal(err)
	}
}

// drain executes what is queued, in order.
func (p *pier) drain() {
	p.t.Helper()
	for {
		select {
		case id := <-p.queue:
			if err := p.Execute(context.Background(), id); err != nil {
				p.t.Fatal(err)
			}
		default:
			return
		}
	}
}

// states maps each execution, oldest first, to "JOB STATE".
func (p *pier) states() []string {
	p.t.Helper()
	all, err := p.Executions(context.Background(), job.ExecutionFilter{})
	if err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, e := range slices.Backward(all) {
		out = append(out, e.Job+" "+string(e.State))
	}
	return out
}

// only returns the newest execution of a job.
func (p *pier) only(name string) job.Execution {
	p.t.Helper()
	all, err := p.Executions(context.Background(), job.ExecutionFilter{Job: name})
	if err != nil || len(all) == 0 {
		p.t.Fatalf("executions of %s: %v, %v", name, all, err)
	}
	return all[0]
}

func (p *pier) read(key string) string {
	p.t.Helper()
	data, err := p.bucket.ReadAll(context.Background(), key)
	if err != nil {
		p.t.Fatalf("reading %s: %v", key, err)
	}
	return string(data)
}

var (
	ok     = exectest.Outcome{Log: "--- PASS\n"}
	failed = exectest.Outcome{Log: "--- FAIL\n", Result: exec.Result{State: job.Failure, ExitCode: 2}}
)
