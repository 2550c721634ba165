package local_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge/local"
)

const secret = "a secret nobody should read"

// received is one request that a hook got.
type received struct {
	event, delivery, signature string
	body                       []byte
	payload                    map[string]any
}

func (r received) action() string {
	s, _ := r.payload["action"].(string)
	return s
}

// inbox is a webhook receiver. It answers with the statuses given, then 200.
type inbox struct {
	*httptest.Server
	mu      sync.Mutex
	got     []received
	answers []int
}

func newInbox(t *testing.T, answers ...int) *inbox {
	t.Helper()
	in := &inbox{answers: answers}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("receiving a webhook: %v", err)
		}
		rec := received{event: r.Header.Get("X-GitHub-Event"), delivery: r.Header.Get("X-GitHub-Delivery"), signature: r.Header.Get("X-Hub-Signature-256"), body: b}
		text := b
		if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			v, err := url.ParseQuery(string(b))
			if err != nil {
				t.Errorf("reading a form: %v", err)
			}
			text = []byte(v.Get("payload"))
		}
		if err := json.Unmarshal(text, &rec.payload); err != nil {
			t.Errorf("payload of %s: %v", rec.event, err)
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.got = append(in.got, rec)
		if len(in.answers) > 0 {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(in.answers[0])
			in.answers = in.answers[1:]
		}
	}))
	t.Cleanup(in.Close)
	return in
}

// events returns "event action" of everything received, pings left out.
func (in *inbox) events() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all []string
	for _, r := range in.got {
		if r.event != "ping" {
			all = append(all, strings.TrimSpace(r.event+" "+r.action()))
		}
	}
	return all
}

func (in *inbox) all() []received {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.got)
}

func (in *inbox) clear() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.got = nil
}

// find returns the last request of an event.
func (in *inbox) find(t *testing.T, event string) received {
	t.Helper()
	all := in.all()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].event == event {
			return all[i]
		}
	}
	t.Fatalf("no %s event among %v", event, in.events())
	return received{}
}

// hook subscribes an address to everything.
func (e *env) hook(t *testing.T, address string) *github.Hook {
	t.Helper()
	h, _, err := e.as(t, "ada").Repositories.CreateHook(t.Context(), owner, repo, &github.Hook{
		Events: []string{"*"}, Active: github.Ptr(true), Config: &github.HookConfig{URL: &address, ContentType: github.Ptr("json"), Secret: github.Ptr(secret)}})
	check(t, err)
	return h
}

// idle waits until everything is delivered.
func (e *env) idle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	check(t, e.Idle(ctx))
}

func TestEveryEvent(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.run(t)
	in := newInbox(t)
	e.hook(t, in.URL)
	ada, ben, ctx := e.as(t, "ada"), e.as(t, "ben"), t.Context()
	expect := func(what string, want ...string) {
		t.Helper()
		e.idle(t)
		if got := in.events(); !slices.Equal(got, want) {
			t.Errorf("%s sent %q, want %q", what, got, want)
		}
		in.clear()
	}
	e.idle(t)
	if ping := in.find(t, "ping"); ping.payload["zen"] == "" || ping.payload["hook_id"] == nil {
		t.Errorf("ping is %s", ping.body)
	}
	in.clear()
	w := e.seed(t)
	expect("the first push", "create", "push")
	w.branch("feature", "f.txt", "f\n")
	expect("a new branch", "create", "push")
	e.pull(t, "ben", "feature")
	expect("opening", "pull_request opened")
	before := w.git("rev-parse", "HEAD")
	after := w.commit("g.txt", "g\n")
	w.git("push", "-q", "origin", "feature")
	e.idle(t)
	if r := in.find(t, "pull_request"); r.payload["before"] != before || r.payload["after"] != after {
		t.Errorf("synchronize goes from %v to %v", r.payload["before"], r.payload["after"])
	}
	expect("pushing to its branch", "push", "pull_request synchronize")
	_, _, err := ben.PullRequests.Edit(ctx, owner, repo, 1, &github.PullRequest{Title: github.Ptr("Better")})
	check(t, err)
	expect("a new title", "pull_request edited")
	_, _, err = ada.Issues.AddLabelsToIssue(ctx, owner, repo, 1, []string{"lgtm", "approved"})
	check(t, err)
	expect("labels", "pull_request labeled", "pull_request labeled")
	_, err = ada.Issues.RemoveLabelForIssue(ctx, owner, repo, 1, "lgtm")
	check(t, err)
	expect("a label off", "pull_request unlabeled")
	_, _, err = ada.PullRequests.RequestReviewers(ctx, owner, repo, 1, github.ReviewersRequest{Reviewers: []string{"cho"}})
	check(t, err)
	expect("asking for a review", "pull_request review_requested")
	_, _, err = e.as(t, "cho").PullRequests.CreateReview(ctx, owner, repo, 1, &github.PullRequestReviewRequest{Event: github.Ptr("APPROVE"), Body: github.Ptr("Fine")})
	check(t, err)
	expect("a review", "pull_request_review submitted")
	_, _, err = ada.Issues.AddAssignees(ctx, owner, repo, 1, []string{"cho"})
	check(t, err)
	expect("assigning", "pull_request assigned")
	m, _, err := ada.Issues.CreateMilestone(ctx, owner, repo, &github.Milestone{Title: github.Ptr("v1.0")})
	check(t, err)
	_, _, err = ada.Issues.Edit(ctx, owner, repo, 1, &github.IssueRequest{Milestone: m.Number})
	check(t, err)
	expect("a milestone", "pull_request milestoned")
	e.do(t, "ada", "PATCH", "/api/v3/repos/harbour/halyard/issues/1", `{"milestone":null}`)
	expect("no milestone", "pull_request demilestoned")
	e.do(t, "ben", "PATCH", "/api/v3/repos/harbour/halyard/pulls/1", `{"draft":true}`)
	expect("a draft", "pull_request converted_to_draft")
	e.do(t, "ben", "PATCH", "/api/v3/repos/harbour/halyard/pulls/1", `{"draft":false}`)
	expect("no draft", "pull_request ready_for_review")
	c, _, err := ben.Issues.CreateComment(ctx, owner, repo, 1, &github.IssueComment{Body: github.Ptr("/retest")})
	check(t, err)
	_, err = ben.Issues.DeleteComment(ctx, owner, repo, c.GetID())
	check(t, err)
	expect("comments", "issue_comment created", "issue_comment deleted")
	_, _, err = ada.Repositories.CreateStatus(ctx, owner, repo, after, github.RepoStatus{State: github.Ptr("success"), Context: github.Ptr("unit")})
	check(t, err)
	expect("a status", "status")
	run, _, err := ada.Checks.CreateCheckRun(ctx, owner, repo, github.CreateCheckRunOptions{Name: "lint", HeadSHA: after})
	check(t, err)
	_, _, err = ada.Checks.UpdateCheckRun(ctx, owner, repo, run.GetID(), github.UpdateCheckRunOptions{Name: "lint", Conclusion: github.Ptr("success")})
	check(t, err)
	expect("a check run", "check_run created", "check_run completed")
	_, _, err = ada.PullRequests.Merge(ctx, owner, repo, 1, "", nil)
	check(t, err)
	e.idle(t)
	if p, _ := in.find(t, "pull_request").payload["pull_request"].(map[string]any); p["merged"] != true || p["merge_commit_sha"] == nil {
		t.Errorf("closed with merged %v at %v", p["merged"], p["merge_commit_sha"])
	}
	if push := in.find(t, "push").payload; len(push["commits"].([]any)) != 3 || push["ref"] != "refs/heads/main" || push["forced"] != false {
		t.Errorf("merging pushed %v", push)
	}
	expect("merging", "push", "pull_request closed")
	_, err = ada.Git.DeleteRef(ctx, owner, repo, "heads/feature")
	check(t, err)
	expect("deleting the branch", "delete", "push")
	_, _, err = ben.Issues.Create(ctx, owner, repo, &github.IssueRequest{Title: github.Ptr("Leak"), Labels: &[]string{"kind/bug"}})
	check(t, err)
	_, _, err = ada.Issues.Edit(ctx, owner, repo, 2, &github.IssueRequest{State: github.Ptr("closed")})
	check(t, err)
	expect("an issue", "issues opened", "issues labeled", "issues closed")
	_, _, err = ada.Repositories.CreateRelease(ctx, owner, repo, &github.RepositoryRelease{TagName: github.Ptr("v1.0.0")})
	check(t, err)
	expect("a release", "create", "push", "release created", "release published", "release released")
}

func TestSignatureAndPayload(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.run(t)
	in := newInbox(t)
	e.hook(t, in.URL)
	w := e.seed(t)
	e.idle(t)
	for _, r := range in.all() {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write(r.body)
		if want := "sha256=" + hex.EncodeToString(m.Sum(nil)); r.signature != want {
			t.Errorf("%s is signed %s, not %s", r.event, r.signature, want)
		}
		if err := github.ValidateSignature(r.signature, r.body, []byte(secret)); err != nil {
			t.Error(err)
		}
		if len(r.delivery) != 36 {
			t.Errorf("delivery id %q", r.delivery)
		}
		if _, err := github.ParseWebHook(r.event, r.body); err != nil {
			t.Errorf("go-github cannot read %s: %v", r.event, err)
		}
	}
	parsed, err := github.ParseWebHook("push", in.find(t, "push").body)
	check(t, err)
	push := parsed.(*github.PushEvent)
	if push.GetAfter() != w.git("rev-parse", "HEAD") || push.GetSender().GetLogin() != "ben" || push.GetPusher().GetName() != "ben" || !push.GetCreated() ||
		push.GetRepo().GetFullName() != "harbour/halyard" || !slices.Equal(push.GetHeadCommit().Added, []string{"README.md"}) || push.GetHeadCommit().GetAuthor().GetLogin() != "ben" {
		t.Errorf("push says %v", push)
	}
	// The secret is not to be found where others look.
	check(t, filepath.WalkDir(e.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the secret is in %s", path)
		}
		for who, token := range e.tokens {
			if bytes.Contains(b, []byte(token)) {
				t.Errorf("the token of %s is in %s", who, path)
			}
		}
		return err
	}))
	if strings.Contains(e.log.String(), secret) {
		t.Error("the secret is in the log")
	}
	if a := e.do(t, "ada", "GET", "/api/v3/repos/harbour/halyard/hooks", ""); strings.Contains(a.body, secret) || !strings.Contains(a.body, "********") {
		t.Errorf("hooks are shown as %s", a.body)
	}
}

func TestFailedDeliveriesAreRetried(t *testing.T) {
	t.Parallel()
	asked := make(chan int, 10)
	e := start(t, func(o *local.Options) {
		o.RetryHook = func(attempts int) (time.Duration, bool) {
			asked <- attempts
			return 0, attempts < 3
		}
	})
	e.run(t)
	in := newInbox(t, 500, 302, 200, 500, 500, 500)
	h := e.hook(t, in.URL)
	e.idle(t)
	ids := map[string]bool{}
	for _, r := range in.all() {
		ids[r.delivery] = true
	}
	if len(in.all()) != 3 || len(ids) != 1 || len(asked) != 2 || <-asked != 1 || <-asked != 2 {
		t.Fatalf("%d requests for %d deliveries", len(in.all()), len(ids))
	}
	_, err := e.as(t, "ada").Repositories.PingHook(t.Context(), owner, repo, h.GetID())
	check(t, err)
	e.idle(t) // given up
	if len(in.all()) != 6 {
		t.Fatalf("%d requests", len(in.all()))
	}
	list, _, err := e.as(t, "ada").Repositories.ListHookDeliveries(t.Context(), owner, repo, h.GetID(), nil)
	check(t, err)
	if len(list) != 2 || list[0].GetStatusCode() != 500 || list[1].GetStatusCode() != 200 {
		t.Fatalf("deliveries are %v", list)
	}
}

func TestDeliveriesSurviveARestart(t *testing.T) {
	t.Parallel()
	e := start(t)
	in := newInbox(t)
	e.hook(t, in.URL)
	e.seed(t) // nobody is delivering yet
	if got := in.all(); len(got) != 0 {
		t.Fatalf("received %d", len(got))
	}
	again, err := local.New(local.Options{DB: openDB(t, e.dir), GitDir: filepath.Join(e.dir, "git"), BaseURL: e.url})
	check(t, err)
	e.Forge = again
	e.run(t)
	e.idle(t)
	if got := in.events(); !slices.Equal(got, []string{"create", "push"}) {
		t.Fatalf("received %v", got)
	}
	if err := github.ValidateSignature(in.find(t, "push").signature, in.find(t, "push").body, []byte(secret)); err != nil {
		t.Fatalf("the secret did not survive: %v", err)
	}
}

func TestRedelivery(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.run(t)
	in := newInbox(t)
	h := e.hook(t, in.URL)
	e.idle(t)
	ada, ctx := e.as(t, "ada"), t.Context()
	list, _, err := ada.Repositories.ListHookDeliveries(ctx, owner, repo, h.GetID(), nil)
	check(t, err)
	d, _, err := ada.Repositories.GetHookDelivery(ctx, owner, repo, h.GetID(), list[0].GetID())
	check(t, err)
	if d.GetEvent() != "ping" || d.GetStatusCode() != 200 || d.Request.GetHeaders()["X-Github-Event"] != "ping" || !strings.Contains(string(*d.Request.RawPayload), `"zen"`) {
		t.Fatalf("delivery is %v", d)
	}
	a := e.do(t, "ada", "POST", strings.TrimPrefix(h.GetURL(), e.url)+"/deliveries/"+itoa(d.GetID())+"/attempts", "")
	if a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	e.idle(t)
	all := in.all()
	if len(all) != 2 || all[0].delivery != all[1].delivery || !bytes.Equal(all[0].body, all[1].body) {
		t.Fatalf("redelivered as %v", all)
	}
	list, _, err = ada.Repositories.ListHookDeliveries(ctx, owner, repo, h.GetID(), nil)
	check(t, err)
	if len(list) != 2 || !list[0].GetRedelivery() || list[1].GetRedelivery() {
		t.Fatalf("deliveries are %v", list)
	}
	first, resp, err := ada.Repositories.ListHookDeliveries(ctx, owner, repo, h.GetID(), &github.ListCursorOptions{PerPage: 1})
	check(t, err)
	second, _, err := ada.Repositories.ListHookDeliveries(ctx, owner, repo, h.GetID(), &github.ListCursorOptions{PerPage: 1, Cursor: resp.Cursor})
	check(t, err)
	if first[0].GetID() != list[0].GetID() || second[0].GetID() != list[1].GetID() {
		t.Fatalf("pages are %v and %v of %v", first, second, list)
	}
}

func TestHooksOfBadForm(t *testing.T) {
	t.Parallel()
	e := start(t)
	for body, want := range map[string]string{
		`{"config":{"url":"http://example.com/x","content_type":"json"}}`:           "this machine only",
		`{"config":{"url":"http://10.0.0.1/x","content_type":"json"}}`:              "this machine only",
		`{"config":{"url":"ftp://127.0.0.1/x","content_type":"json"}}`:              "http or https",
		`{"config":{"url":"http://user:pw@127.0.0.1/x","content_type":"json"}}`:     "without credentials",
		`{"config":{"url":"http://127.0.0.1/x","content_type":"yaml"}}`:             "content_type",
		`{"config":{"url":"http://127.0.0.1/x","content_type":"json"},"events":[]}`: "missing_field",
		`{"events":["push"]}`: "missing_field",
		`{"name":"email","config":{"url":"http://127.0.0.1/x"}}`: "invalid",
	} {
		if a := e.do(t, "ada", "POST", "/api/v3/repos/harbour/halyard/hooks", body); a.status != 422 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s, want %q", body, a.status, a.body, want)
		}
	}
	for _, who := range []string{"", "ben"} { // not even a collaborator
		if a := e.do(t, who, "GET", "/api/v3/repos/harbour/halyard/hooks", ""); a.status != 401 && a.status != 403 {
			t.Errorf("%q reads hooks: %d", who, a.status)
		}
	}
}

func TestHookForms(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.run(t)
	in := newInbox(t)
	a := e.do(t, "ada", "POST", "/api/v3/repos/harbour/halyard/hooks", `{"config":{"url":"`+in.URL+`"},"events":["issues"]}`)
	if a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	hook := strings.TrimPrefix(a.json["url"].(string), e.url)
	e.seed(t) // pushes are not subscribed to
	e.idle(t)
	if got := in.events(); len(got) != 0 {
		t.Fatalf("received %v", got)
	}
	if r := in.find(t, "ping"); r.signature != "" || !bytes.HasPrefix(r.body, []byte("payload=")) {
		t.Fatalf("a form without a secret is %q, signed %q", r.body, r.signature)
	}
	a = e.do(t, "ada", "PATCH", hook, `{"add_events":["push"],"remove_events":["issues"],"config":{"content_type":"json","secret":"s"}}`)
	if a.status != 200 || !strings.Contains(a.body, `"events":["push"]`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a = e.do(t, "ada", "POST", hook+"/tests", ""); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	e.idle(t)
	if r := in.find(t, "push"); r.payload["ref"] != "refs/heads/main" || r.signature == "" {
		t.Fatalf("the test push is %s", r.body)
	}
	in.clear()
	e.do(t, "ada", "PATCH", hook, `{"active":false}`)
	e.clone(t, "ben").branch("x", "x", "x")
	e.idle(t)
	if got := in.events(); len(got) != 0 {
		t.Fatalf("an inactive hook received %v", got)
	}
	if a = e.do(t, "ada", "DELETE", hook, ""); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a = e.do(t, "ada", "GET", hook, ""); a.status != 404 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// What moved while the forge was not looking is announced when it is back.
func TestCrashBetweenGitAndDatabase(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	head := w.branch("feature", "f.txt", "f\n")
	e.pull(t, "ben", "feature")
	in := newInbox(t)
	e.hook(t, in.URL)
	// As a push would that died before announcing: main takes the branch in.
	bare := filepath.Join(e.dir, "git", owner, repo+".git")
	w.git("--git-dir="+bare, "update-ref", "refs/heads/main", head)
	e.run(t)
	e.idle(t)
	if got := in.events(); !slices.Equal(got, []string{"push", "pull_request closed"}) {
		t.Fatalf("announced %v", got)
	}
	p, _, err := e.as(t, "").PullRequests.Get(t.Context(), owner, repo, 1)
	check(t, err)
	if !p.GetMerged() || p.GetMergeCommitSHA() != head {
		t.Fatalf("the pull request is %v", p)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := start(t)
	block := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(block) })
	e.hook(t, slow.URL)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := e.Idle(canceled(t)); err == nil {
		t.Fatal("nothing is pending after an interrupted delivery")
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
