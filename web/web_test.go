package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/merge"
	"seaworthy/merge/queue"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/signal"
	"seaworthy/web"
)

var (
	now  = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	repo = forge.RepoName{Owner: "harbour", Name: "halyard"}
)

// world is everything the pages show, as one fake of every service.
type world struct {
	runs     []job.Execution
	log      string
	live     bool
	pulls    []forge.PullRequest
	comments []forge.Comment
	releases []forge.Release
	commits  []string   // of the builds of a grid, else all of one
	big      *grid.Grid // of the dashboard's tabs
	broken   error
}

func (w *world) Executions(_ context.Context, f job.ExecutionFilter) ([]job.Execution, error) {
	var out []job.Execution
	for _, e := range w.runs {
		if f.Job != "" && f.Job != e.Job || f.Before != "" && e.BuildID >= f.Before {
			continue
		}
		if f.States != nil && !contains(f.States, e.State) {
			continue
		}
		if f.Limit > 0 && len(out) == f.Limit {
			break
		}
		out = append(out, e)
	}
	return out, w.broken
}

func contains(all []job.State, s job.State) bool {
	for _, x := range all {
		if x == s {
			return true
		}
	}
	return false
}

func (w *world) Execution(_ context.Context, id string) (job.Execution, error) {
	for _, e := range w.runs {
		if e.BuildID == id || e.ID == id {
			return e, nil
		}
	}
	return job.Execution{}, fmt.Errorf("execution %s: %w", id, job.ErrNoExecution)
}

func (w *world) Logs(context.Context, string, int64) (io.ReadCloser, int64, bool, error) {
	return io.NopCloser(strings.NewReader(w.log)), int64(len(w.log)), w.live, nil
}

func (w *world) Results(_ context.Context, id string) (result.Build, error) {
	if id != "b" {
		return result.Build{}, result.ErrNoBuild
	}
	return result.Build{Tests: []result.TestResult{{Name: "TestFormat", Status: result.Pass}, {Name: "TestShort", Status: result.Fail, Message: "got <18.520>"}}}, nil
}

func (w *world) Why(context.Context, forge.RepoName, int) ([]merge.Blocker, error) {
	return []merge.Blocker{{Sentence: "pull-unit failed."}}, nil
}

func (w *world) PullRequests(_ context.Context, _ forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error) {
	var out []forge.PullRequest
	for _, p := range w.pulls {
		if f.State == "all" || p.State == forge.StateOpen {
			out = append(out, p)
		}
	}
	return out, nil
}

func (w *world) PullRequest(_ context.Context, _ forge.RepoName, n int) (forge.PullRequest, error) {
	for _, p := range w.pulls {
		if p.Number == n {
			return p, nil
		}
	}
	return forge.PullRequest{}, fmt.Errorf("#%d: %w", n, forge.ErrNotFound)
}

func (w *world) PullRequestFiles(context.Context, forge.RepoName, int) ([]forge.FileChange, error) {
	return []forge.FileChange{{Path: "units/units.go", Status: "modified", Additions: 3, Deletions: 1}}, nil
}

func (w *world) Issue(_ context.Context, repo forge.RepoName, number int) (forge.Issue, error) {
	switch number {
	case 2:
		return forge.Issue{Repo: repo, Number: 2, IsPull: true}, nil
	case 6:
		return forge.Issue{Repo: repo, Number: 6, Title: "Release v0.1.0", State: forge.StateOpen, Author: "ada", Body: "- [x] staged\n\n<script>alert(1)</script>", CreatedAt: now}, nil
	}
	return forge.Issue{}, forge.ErrNotFound
}

func (w *world) Comments(context.Context, forge.RepoName, int) ([]forge.Comment, error) {
	return w.comments, nil
}

func (w *world) Statuses(context.Context, forge.RepoName, string) ([]forge.Status, error) {
	return []forge.Status{{Context: "pull-unit", State: forge.StatusFailure, Description: "Job failed.", TargetURL: "/runs/1002"}}, nil
}

func (w *world) Releases(context.Context, forge.RepoName) ([]forge.Release, error) {
	return w.releases, nil
}

func (w *world) Pools(context.Context, forge.RepoName) ([]queue.Pool, error) {
	p := queue.Pool{Pool: merge.Pool{Repo: repo, Branch: "main"}, Next: merge.Action{Kind: merge.ActIdle, Reason: "No change is ready."}}
	p.Standings = []merge.Standing{{Number: 2, Blockers: []merge.Blocker{{Sentence: "pull-unit failed."}}, Text: "blocked"}}
	return []queue.Pool{p}, nil
}

func (w *world) Tabs(context.Context, forge.RepoName) ([]signal.Tab, error) {
	return []signal.Tab{{Repo: repo, Job: "post-unit", Type: job.Postsubmit, Summary: grid.Summarize(w.grid(), grid.Options{}, now)}}, nil
}

func (w *world) Grid(_ context.Context, _ forge.RepoName, name string) (*grid.Grid, error) {
	if name != "post-unit" {
		return nil, fs.ErrNotExist
	}
	return w.grid(), nil
}

func (w *world) grid() *grid.Grid {
	g := grid.New("post-unit")
	for i, passed := range []bool{true, false, true} {
		at := now.Add(time.Duration(i-3) * time.Hour)
		status := grid.Pass
		if !passed {
			status = grid.Fail
		}
		commit := "4f2a91c0ffee"
		if w.commits != nil {
			commit = w.commits[i]
		}
		g.Append(grid.Build{ID: fmt.Sprint(1000 + i), Started: at, Finished: at.Add(time.Minute), Passed: passed, Result: "SUCCESS", Commit: commit,
			Tests: []grid.Test{{Name: "TestConvert", Status: status, Message: "<b>10</b> != 9"}}}, now)
	}
	return g
}

// flows answers for release/cut.
type flows struct{}

func (flows) History(context.Context, forge.RepoName, int) ([]cut.Event, error) {
	return []cut.Event{{Run: flow.Run{ID: "r1", Flow: "cut", State: flow.Waiting, Actor: "ada", CreatedAt: now, Key: "cut"}, Version: "v0.1.0", Sentence: "Waits for approval."}}, nil
}

func (flows) Status(_ context.Context, id string) (flow.Timeline, error) {
	if id != "r1" {
		return flow.Timeline{}, fmt.Errorf("run %s: %w", id, flow.ErrNoRun)
	}
	return flow.Timeline{
		Run:      flow.Run{ID: "r1", Flow: "cut", State: flow.Running, Actor: "ada", CreatedAt: now, Mock: true},
		Sentence: "Step 2 of 2.",
		Steps: []flow.StepStatus{
			{StepInfo: flow.StepInfo{Name: "gates", Title: "Judge the gates"}, State: flow.StepDone, Duration: 2 * time.Second,
				Attempts: []flow.AttemptStatus{{Number: 1, StartedAt: now, Log: []flow.LogLine{{At: now, Text: "<script>alert(1)</script>"}}}}},
			{StepInfo: flow.StepInfo{Name: "tag", Title: "Push the tag"}, State: flow.StepRunning, Sentence: "1 of 2, see #6"},
			{StepInfo: flow.StepInfo{Name: "mail", Title: "Mail the announcement"}, State: flow.StepSkipped, Sentence: "the project sends no mail"},
		},
	}, nil
}

func (flows) StagePlan(context.Context, string) (cut.Plan, bool, error) {
	return cut.Plan{}, false, nil
}

func (flows) CutPlan(context.Context, string) (cut.Plan, bool, error) {
	v, err := release.ParseVersion("v", "v0.1.0")
	return cut.Plan{Versions: []release.Version{v}}, true, err
}

func (flows) CutVerdict(context.Context, string) (release.Verdict, bool, error) {
	return release.Decide([]release.Gate{
		{Name: "checks", State: release.Go, Why: "1 required check passed", Evidence: []release.Evidence{{What: "post-unit success", Link: "/runs/1001", At: now}}},
		{Name: "blockers", State: release.Waived, WaivedBy: "ada", Why: "known <b>and</b> harmless", Evidence: []release.Evidence{{What: "was nogo: 1 open issue"}}},
	}), true, nil
}

func newWorld() *world {
	return &world{
		log: "=== RUN TestConvert\n--- FAIL: TestConvert\n<script>alert(1)</script>\n",
		runs: []job.Execution{
			{ID: "b", BuildID: "1002", Job: "pull-unit", State: job.Failure, CreatedAt: now.Add(-time.Hour), StartedAt: now.Add(-time.Hour), FinishedAt: now.Add(-59 * time.Minute),
				Refs: job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: "4f2a91c0ffee", Pulls: []job.Pull{{Number: 2, Author: "ben", SHA: "beef", Title: "Fewer digits"}}}},
			{ID: "a", BuildID: "1001", Job: "post-unit", State: job.Success, CreatedAt: now.Add(-2 * time.Hour)},
		},
		pulls: []forge.PullRequest{
			{Repo: repo, Number: 2, Title: "Fewer digits", Author: "ben", State: forge.StateOpen, Base: forge.Side{Branch: "main"}, Head: forge.Side{Branch: "short", SHA: "beef"}, Body: "<img src=x onerror=alert(1)> **bold**", UpdatedAt: now},
			{Repo: repo, Number: 1, Title: "Fathoms", Author: "ben", State: forge.StateClosed, Merged: true, MergeSHA: "4f2a91c0ffee", Base: forge.Side{Branch: "main"}, UpdatedAt: now.Add(-time.Hour)},
		},
		comments: []forge.Comment{{ID: 1, Author: "cho", Body: "/lgtm\n\n<script>alert(1)</script>", CreatedAt: now}},
		releases: []forge.Release{{Tag: "v0.1.0", Name: "v0.1.0", Body: "## Changes", PublishedAt: now, Assets: []forge.Asset{{Name: "a.tar.gz", Size: 2048, Digest: "sha256:00", DownloadURL: "/d"}}}},
	}
}

func site(t *testing.T, w *world) http.Handler { return siteOf(t, w, nil) }

func siteOf(t testing.TB, w *world, commits func(context.Context, forge.RepoName, string, string) ([]forge.Commit, error)) http.Handler {
	t.Helper()
	s, err := web.New(web.Options{
		Repos: func(context.Context) ([]forge.RepoName, error) { return []forge.RepoName{repo}, nil },
		Runs:  w, Forge: w, Queue: w, Signal: w, Releases: flows{}, Hub: &web.Hub{}, Commits: commits,
		Story: func() []web.StoryStep {
			return []web.StoryStep{{Title: "A step", State: "done", Duration: time.Second}}
		},
		Now:     func() time.Time { return now },
		Log:     slog.New(slog.DiscardHandler),
		Version: "v0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestPages(t *testing.T) {
	t.Parallel()
	cases := []struct {
		path string
		code int
		says []string
	}{
		{"/", 200, []string{"The demo, step by step", "post-unit", "cut v0.1.0 waits for approval", "1 thing in the way"}},
		{"/harbour/halyard", 200, []string{"post-unit"}},
		{"/harbour/elsewhere", 404, []string{"There is nothing here"}},
		{"/changes", 200, []string{"Fewer digits", "Fathoms", "pull-unit failed.", "No change is ready."}},
		{"/changes?state=merged", 200, []string{"Fathoms"}},
		{"/harbour/halyard/pull/2", 200, []string{"What keeps it from merging", "pull-unit failed.", "<strong>bold</strong>", "units/units.go"}},
		{"/harbour/halyard/pull/9", 404, []string{"There is nothing here"}},
		{"/harbour/halyard/pull/x", 404, nil},
		{"/runs", 200, []string{"pull-unit", "post-unit", "#2 Fewer digits"}},
		{"/runs?state=failed", 200, []string{"pull-unit"}},
		{"/runs/1002", 200, []string{"failed in 1:00", "1 of 2 tests failed", `data-topics="execution/b log/b"`, "TestShort", "got &lt;18.520&gt;", "--- FAIL: TestConvert", `class="hit"`, "&lt;script&gt;"}},
		{"/runs/77", 404, nil},
		{"/signal", 200, []string{"post-unit", "flaky"}},
		{"/harbour/halyard/grid/post-unit", 200, []string{"TestConvert", "post-unit.Overall", `/open?build=1001`}},
		{"/harbour/halyard/grid/nothing", 404, nil},
		{"/releases", 200, []string{"v0.1.0", "Waits for approval."}},
		{"/releases/r1", 200, []string{"cut v0.1.0", "Judge the gates", "Push the tag", "rehearsal", ">log<", "1 step had nothing to do", "the project sends no mail",
			`href="/runs/1001">post-unit success`, "waived by ada", "known &lt;b&gt;and&lt;/b&gt; harmless"}},
		{"/harbour/halyard/issues/6", 200, []string{"Release v0.1.0", "staged", "/lgtm"}},
		{"/harbour/halyard/issues/2", 200, []string{"Fewer digits"}},
		{"/harbour/halyard/issues/9", 404, nil},
		{"/harbour/halyard/issues/x", 404, nil},
		{"/releases/r9", 404, nil},
		{"/harbour/halyard/releases/tag/v0.1.0", 200, []string{"a.tar.gz", "2.0 kB"}},
		{"/harbour/halyard/releases/tag/v9", 404, nil},
		{"/commands", 200, []string{"/lgtm", "/retest"}},
		{"/no/such/page/at/all", 404, []string{"There is nothing here"}},
	}
	h := site(t, newWorld())
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			w := get(h, c.path)
			if w.Code != c.code {
				t.Errorf("%s answers %d, want %d", c.path, w.Code, c.code)
			}
			for _, want := range c.says {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("%s does not say %q", c.path, want)
				}
			}
			sound(t, w)
		})
	}
}

// sound checks what holds of every page: it is whole, safe and can be read
// without its script.
func sound(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("content policy %q", policy)
	}
	root, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	headings, mains := 0, 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "h1":
			headings++
		case "main":
			mains++
		case "script":
			data := false // is not run
			for _, a := range n.Attr {
				data = data || a.Key == "type" && a.Val == "application/json"
			}
			if n.FirstChild != nil && !data {
				t.Errorf("script in the page: %s", n.FirstChild.Data)
			}
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" && n.Data != "path" {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
			if a.Key == "id" {
				if ids[a.Val] {
					t.Errorf("id %q stands twice", a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
	if headings != 1 || mains != 1 {
		t.Errorf("%d h1 and %d main, want one of each", headings, mains)
	}
	if w.Body.Len() > 150<<10 {
		t.Errorf("the page has %d bytes", w.Body.Len())
	}
}

func TestFilteredPagesHideTheRest(t *testing.T) {
	t.Parallel()
	h := site(t, newWorld())
	for path, hidden := range map[string]string{"/changes?state=merged": "Fewer digits", "/runs?state=failed": "/runs/1001", "/runs?job=post-unit": "/runs/1002"} {
		if body := get(h, path).Body.String(); strings.Contains(body, hidden) {
			t.Errorf("%s shows %q", path, hidden)
		}
	}
}

func TestFailureIsOnePage(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.broken = errors.New("the database is gone")
	answer := get(site(t, w), "/runs")
	if answer.Code != 500 || !strings.Contains(answer.Body.String(), "the database is gone") {
		t.Errorf("answered %d: %s", answer.Code, answer.Body)
	}
	sound(t, answer)
}

func TestLeavingIsNoFailure(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.broken = context.Canceled
	ctx, leave := context.WithCancel(t.Context())
	leave()
	answer := httptest.NewRecorder()
	site(t, w).ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/runs", nil))
	if answer.Code != http.StatusRequestTimeout {
		t.Errorf("answered %d to somebody who left", answer.Code)
	}
}

func TestLongLogShowsItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var log strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&log, "line %d\n", i+1)
	}
	w.log, w.live = log.String()+"half a li", true
	body := get(site(t, w), "/runs/1002").Body.String()
	for _, want := range []string{`id="L3002"`, `id="L5001"`, "half a li", "3001 lines earlier", "data-follow"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(body, `id="L3001"`) {
		t.Error("the page shows more than the end")
	}
}

func TestRawLog(t *testing.T) {
	t.Parallel()
	w := newWorld()
	answer := get(site(t, w), "/runs/1002/log")
	if answer.Body.String() != w.log || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%s %q", answer.Header().Get("Content-Type"), answer.Body)
	}
	if code := get(site(t, w), "/runs/9/log").Code; code != 404 {
		t.Errorf("no such log answers %d", code)
	}
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	h := site(t, newWorld())
	for path, kind := range map[string]string{"/static/style.css": "text/css", "/static/live.js": "text/javascript", "/static/icon.svg": "image/svg+xml"} {
		w := get(h, path)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
	if w := get(h, "/static/..%2fweb.go"); w.Code == 200 {
		t.Error("a file outside of static is served")
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	hub := &web.Hub{}
	s, err := web.New(web.Options{Hub: hub, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/live?topics=runs+changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "retry:") {
		t.Fatalf("the stream begins with %q", lines.Text())
	}
	// The subscription is older than the first line, so nothing is missed.
	hub.Publish("elsewhere")
	hub.Publish("changes")
	for lines.Scan() {
		if lines.Text() == "data: changed" {
			return
		}
	}
	t.Fatalf("the stream ended without an event: %v", lines.Err())
}

func TestHub(t *testing.T) {
	t.Parallel()
	hub := &web.Hub{}
	runs, stop := hub.Subscribe("runs")
	all, stopAll := hub.Subscribe("*")
	defer stopAll()
	for range 3 { // nobody listens in between: one wake is enough
		hub.Publish("runs")
	}
	hub.Publish("changes")
	if len(runs) != 1 || len(all) != 1 {
		t.Errorf("%d and %d wakes wait, want 1 and 1", len(runs), len(all))
	}
	<-runs
	stop()
	hub.Publish("runs")
	if len(runs) != 0 {
		t.Error("woken after the subscription ended")
	}
}
