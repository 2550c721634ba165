package local_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
	"seaworthy/git"
)

func (e *env) status(t *testing.T, sha, context, state string) {
	t.Helper()
	_, _, err := e.as(t, "ada").Repositories.CreateStatus(t.Context(), owner, repo, sha, github.RepoStatus{State: &state, Context: &context})
	check(t, err)
}

func (e *env) mergeAs(t *testing.T, who string, n int, o *github.PullRequestOptions) (string, error) {
	t.Helper()
	r, _, err := e.as(t, who).PullRequests.Merge(t.Context(), owner, repo, n, "", o)
	return r.GetSHA(), err
}

func TestMergeMethods(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method  string
		parents int
		log     string // subjects on main after, newest first
		author  string
	}{
		{"merge", 2, "Merge pull request #1 from harbour/feature\nWrite b\nWrite a\nWrite c\nWrite README.md", "Ada"},
		{"squash", 1, "Add feature (#1)\nWrite c\nWrite README.md", "ben"},
		{"rebase", 1, "Write b\nWrite a\nWrite c\nWrite README.md", "ben"},
	} {
		t.Run(tt.method, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			w := e.seed(t)
			w.branch("feature", "a", "a\n")
			w.commit("b", "b\n")
			w.git("push", "-q", "origin", "feature")
			w.git("checkout", "-q", "main")
			w.commit("c", "c\n")
			w.git("push", "-q", "origin", "main")
			p := e.pull(t, "ben", "feature")
			sha, err := e.mergeAs(t, "ada", 1, &github.PullRequestOptions{MergeMethod: tt.method, SHA: p.GetHead().GetSHA()})
			check(t, err)
			w.git("fetch", "-q")
			if got := w.git("log", "--topo-order", "--format=%s", "origin/main"); got != tt.log {
				t.Errorf("main is\n%s\nwant\n%s", got, tt.log)
			}
			if got := strings.Fields(w.git("log", "-1", "--format=%P", sha)); len(got) != tt.parents {
				t.Errorf("%d parents, want %d", len(got), tt.parents)
			}
			if got := w.git("log", "-1", "--format=%an", sha); got != tt.author {
				t.Errorf("author %s, want %s", got, tt.author)
			}
			if got := w.git("ls-tree", "--name-only", sha); got != "README.md\na\nb\nc" {
				t.Errorf("files %q", got)
			}
			// Afterwards it still shows what it was.
			p, _, err = e.as(t, "").PullRequests.Get(t.Context(), owner, repo, 1)
			check(t, err)
			if !p.GetMerged() || p.GetCommits() != 2 || p.GetChangedFiles() != 2 || p.GetMergeCommitSHA() != sha {
				t.Errorf("merged as %v", p)
			}
			for _, of := range []string{sha, p.GetHead().GetSHA(), w.git("rev-parse", "feature~1"), w.git("rev-parse", "origin/main")} {
				pulls, _, err := e.as(t, "").PullRequests.ListPullRequestsWithCommit(t.Context(), owner, repo, of, nil)
				if err != nil || len(pulls) != 1 || pulls[0].GetNumber() != 1 {
					t.Errorf("pull requests of %s: %v %v", of, pulls, err)
				}
			}
			if a := e.do(t, "", "GET", "/api/v3/repos/harbour/halyard/pulls/1/merge", ""); a.status != http.StatusNoContent {
				t.Errorf("merged? %d", a.status)
			}
			if _, err := e.mergeAs(t, "ada", 1, nil); err == nil {
				t.Error("merged twice")
			}
		})
	}
}

func TestMergeRefusals(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	old := w.branch("feature", "f", "1\n")
	e.pull(t, "ben", "feature")
	if a := e.do(t, "", "GET", "/api/v3/repos/harbour/halyard/pulls/1/merge", ""); a.status != http.StatusNotFound {
		t.Errorf("merged? %d", a.status)
	}
	w.commit("f", "2\n")
	w.git("push", "-q", "origin", "feature")
	_, err := e.mergeAs(t, "ada", 1, &github.PullRequestOptions{SHA: old})
	wantStatus(t, err, 409, "Head branch was modified")
	_, err = e.mergeAs(t, "ada", 1, &github.PullRequestOptions{MergeMethod: "octopus"})
	wantStatus(t, err, 422, "merge_method")
	_, err = e.mergeAs(t, "eve", 1, nil)
	wantStatus(t, err, 403, "eve may not")

	w.branch("other", "f", "conflict\n")
	e.pull(t, "ben", "other")
	_, err = e.mergeAs(t, "ada", 1, nil)
	check(t, err)
	p, _, err := e.as(t, "").PullRequests.Get(t.Context(), owner, repo, 2)
	check(t, err)
	if p.GetMergeable() || p.Mergeable == nil || p.GetMergeableState() != "dirty" {
		t.Errorf("mergeable %v, %s", p.Mergeable, p.GetMergeableState())
	}
	_, err = e.mergeAs(t, "ada", 2, nil)
	wantStatus(t, err, 405, "not mergeable")
	if got := w.git("ls-remote", "origin", "refs/pull/2/merge"); got != "" {
		t.Errorf("a merge that conflicts is at %s", got)
	}

	w.git("fetch", "-q")
	w.branch("draft", "d", "d\n")
	d, _, err := e.as(t, "ben").PullRequests.Create(t.Context(), owner, repo, &github.NewPullRequest{Title: github.Ptr("d"), Head: github.Ptr("draft"), Base: github.Ptr("main"), Draft: github.Ptr(true)})
	check(t, err)
	_, err = e.mergeAs(t, "ada", d.GetNumber(), nil)
	wantStatus(t, err, 405, "draft")
}

func TestMergeObeysProtection(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	head := w.branch("feature", "f", "1\n")
	w.git("checkout", "-q", "main")
	w.commit("m", "m\n")
	w.git("push", "-q", "origin", "main")
	e.pull(t, "ben", "feature")
	protect := func(body string) {
		t.Helper()
		if a := e.do(t, "ada", "PUT", "/api/v3/repos/harbour/halyard/branches/main/protection", body); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	refuse := func(who, why string) {
		t.Helper()
		_, err := e.mergeAs(t, who, 1, nil)
		wantStatus(t, err, 405, why)
	}
	protect(`{"required_status_checks":{"strict":false,"contexts":["unit","lint"]},"enforce_admins":true,"required_pull_request_reviews":null,"restrictions":null}`)
	refuse("ada", `Required status check "unit" is expected`)
	e.status(t, head, "unit", "success")
	e.status(t, head, "lint", "pending")
	refuse("ben", `"lint" is pending`)
	e.status(t, head, "lint", "failure")
	refuse("ben", `"lint" is failing`)
	if p, _, _ := e.as(t, "").PullRequests.Get(t.Context(), owner, repo, 1); p.GetMergeableState() != "blocked" {
		t.Errorf("state %s", p.GetMergeableState())
	}
	_, _, err := e.as(t, "ada").Checks.CreateCheckRun(t.Context(), owner, repo, github.CreateCheckRunOptions{Name: "lint", HeadSHA: head, Conclusion: github.Ptr("success")})
	check(t, err)
	if p, _, _ := e.as(t, "").PullRequests.Get(t.Context(), owner, repo, 1); p.GetMergeableState() == "blocked" {
		t.Errorf("state %s", p.GetMergeableState())
	}
	protect(`{"required_status_checks":{"strict":true,"contexts":["unit"]},"enforce_admins":true,"required_pull_request_reviews":null,"restrictions":null}`)
	refuse("ada", "out of date")
	protect(`{"required_status_checks":null,"enforce_admins":true,"required_linear_history":true,"required_pull_request_reviews":null,"restrictions":null}`)
	refuse("ada", "linear history")
	protect(`{"required_status_checks":null,"enforce_admins":true,"required_pull_request_reviews":null,"restrictions":{"users":["cho"]}}`)
	refuse("ben", "not authorized")
	protect(`{"required_status_checks":null,"enforce_admins":true,"required_pull_request_reviews":{"required_approving_review_count":1},"restrictions":null}`)
	refuse("ada", "approving review")
	review := func(who, event string) {
		t.Helper()
		_, _, err := e.as(t, who).PullRequests.CreateReview(t.Context(), owner, repo, 1, &github.PullRequestReviewRequest{Event: &event, Body: github.Ptr("b")})
		check(t, err)
	}
	review("eve", "APPROVE") // who may not write
	refuse("ada", "approving review")
	review("cho", "APPROVE")
	review("cho", "REQUEST_CHANGES")
	refuse("ada", "approving review")
	review("cho", "APPROVE")
	_, err = e.mergeAs(t, "ben", 1, nil)
	check(t, err)
}

func TestAdminsPassWhereNotIncluded(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	w.branch("feature", "f", "1\n")
	e.pull(t, "ben", "feature")
	a := e.do(t, "ada", "PUT", "/api/v3/repos/harbour/halyard/branches/main/protection",
		`{"required_status_checks":{"strict":false,"checks":[{"context":"unit"}]},"enforce_admins":null,"required_pull_request_reviews":null,"restrictions":null}`)
	if a.status != 200 {
		t.Fatal(a.body)
	}
	_, err := e.mergeAs(t, "ben", 1, nil)
	wantStatus(t, err, 405, "expected")
	_, err = e.mergeAs(t, "ada", 1, nil)
	check(t, err)
}

// Pushing a pull request's commits to its base merges it; deleting its branch
// closes it; a base that moves is followed.
func TestPullsFollowBranches(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	for _, b := range []string{"one", "two", "three"} {
		w.branch(b, b, b)
		e.pull(t, "ben", b)
	}
	get := func(n int) *github.PullRequest {
		t.Helper()
		p, _, err := e.as(t, "").PullRequests.Get(t.Context(), owner, repo, n)
		check(t, err)
		return p
	}
	w.git("push", "-q", "origin", "one:main")
	if p := get(1); !p.GetMerged() || p.GetMergedBy().GetLogin() != "ben" || p.GetMergeCommitSHA() != w.git("rev-parse", "one") {
		t.Errorf("1 is %v", p)
	}
	main := w.git("rev-parse", "one")
	if p := get(2); p.GetState() != "open" || p.GetBase().GetSHA() != main || !p.GetMergeable() {
		t.Errorf("2 is %v", p)
	}
	if got := w.git("ls-remote", "origin", "refs/pull/2/merge"); got == "" {
		t.Error("2 has no test merge")
	}
	w.git("push", "-q", "origin", ":three")
	if p := get(3); p.GetState() != "closed" || p.GetMerged() {
		t.Errorf("3 is %v", p)
	}
	closed, err := e.edit(t, 3, "open")
	if err == nil {
		t.Errorf("reopened without a branch: %v", closed)
	}
	w.git("push", "-q", "origin", "three")
	w.git("checkout", "-q", "three")
	tip := w.commit("more", "more")
	w.git("push", "-q", "origin", "three")
	reopened, err := e.edit(t, 3, "open")
	check(t, err)
	if reopened.GetHead().GetSHA() != tip || reopened.GetCommits() != 2 {
		t.Errorf("reopened as %v", reopened)
	}
	if _, err := e.edit(t, 1, "open"); err == nil {
		t.Error("a merged pull request was reopened")
	}
	w.git("push", "-q", "origin", "main:release-1")
	p, _, err := e.as(t, "ben").PullRequests.Edit(t.Context(), owner, repo, 2, &github.PullRequest{Base: &github.PullRequestBranch{Ref: github.Ptr("release-1")}})
	check(t, err)
	if p.GetBase().GetRef() != "release-1" {
		t.Errorf("retargeted to %s", p.GetBase().GetRef())
	}
	if _, _, err = e.as(t, "ben").PullRequests.Edit(t.Context(), owner, repo, 2, &github.PullRequest{Base: &github.PullRequestBranch{Ref: github.Ptr("none")}}); err == nil {
		t.Error("retargeted to nowhere")
	}
}

func (e *env) edit(t *testing.T, n int, state string) (*github.PullRequest, error) {
	t.Helper()
	p, _, err := e.as(t, "ben").PullRequests.Edit(t.Context(), owner, repo, n, &github.PullRequest{State: &state})
	return p, err
}

func TestNewPullRequestsOfBadForm(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	w.branch("feature", "f", "f")
	w.git("push", "-q", "origin", "main:same")
	e.pull(t, "ben", "feature")
	for body, want := range map[string]string{
		`{}`: "missing_field", `{"title":"x"}`: "missing_field", `{"title":"x","head":"feature"}`: "missing_field",
		`{"title":"x","head":"none","base":"main"}`:                "invalid",
		`{"title":"x","head":"feature","base":"none"}`:             "invalid",
		`{"title":"x","head":"nobody:feature","base":"main"}`:      "invalid",
		`{"title":"x","head":"same","base":"main"}`:                "No commits between main and same",
		`{"title":"x","head":"feature","base":"main"}`:             "A pull request already exists for harbour:feature.",
		`{"title":"x","head":"--upload-pack=evil","base":"main"}`:  "invalid",
		`{"title":7,"head":"feature","base":"main"}`:               "is not a string",
		`{"issue":1,"title":"x","head":"feature","base":"main"}`:   "not supported",
		`{"title":"x","head":"feature","base":"../../heads/main"}`: "invalid",
	} {
		if a := e.do(t, "ben", "POST", "/api/v3/repos/harbour/halyard/pulls", body); a.status != 422 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := e.do(t, "", "POST", "/api/v3/repos/harbour/halyard/pulls", `{}`); a.status != 401 {
		t.Errorf("anonymous: %d", a.status)
	}
}

func TestForks(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	eve, ctx := e.as(t, "eve"), t.Context()
	fork := e.do(t, "eve", "POST", "/api/v3/repos/harbour/halyard/forks", "")
	if fork.status != 202 || fork.json["full_name"] != "eve/halyard" || fork.json["fork"] != true {
		t.Fatalf("%d %s", fork.status, fork.body)
	}
	if again := e.do(t, "eve", "POST", "/api/v3/repos/harbour/halyard/forks", ""); again.status != 202 {
		t.Fatalf("forking again: %d", again.status)
	}
	theirs := &work{t: t, who: "eve", Repository: w.WithAuth(git.Auth{Token: e.tokens["eve"]})}
	theirs.git("checkout", "-q", "-b", "theirs")
	sha := theirs.commit("theirs", "theirs\n")
	theirs.git("push", "-q", e.url+"/eve/halyard.git", "theirs")
	p, _, err := eve.PullRequests.Create(ctx, owner, repo, &github.NewPullRequest{Title: github.Ptr("From outside"), Head: github.Ptr("eve:theirs"), Base: github.Ptr("main")})
	check(t, err)
	if p.GetHead().GetLabel() != "eve:theirs" || p.GetHead().GetRepo().GetFullName() != "eve/halyard" || p.GetHead().GetSHA() != sha || !p.GetMergeable() {
		t.Fatalf("opened as %v", p)
	}
	next := theirs.commit("theirs", "more\n")
	theirs.git("push", "-q", e.url+"/eve/halyard.git", "theirs")
	if got := w.git("ls-remote", "origin", "refs/pull/1/head"); !strings.HasPrefix(got, next) {
		t.Fatalf("refs/pull/1/head is %s", got)
	}
	list, _, err := eve.PullRequests.List(ctx, owner, repo, &github.PullRequestListOptions{Head: "eve:theirs"})
	if err != nil || len(list) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	for _, none := range []string{"ben:theirs", "eve:other", "harbour:theirs"} {
		if list, _, err = eve.PullRequests.List(ctx, owner, repo, &github.PullRequestListOptions{Head: none}); err != nil || len(list) != 0 {
			t.Fatalf("%s: %v %v", none, list, err)
		}
	}
	if a := e.do(t, "eve", "DELETE", "/api/v3/repos/eve/halyard", ""); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	_, err = e.mergeAs(t, "ada", 1, nil) // its commits stay
	check(t, err)
}

func TestReviews(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	head := w.branch("feature", "f", "f\n")
	e.pull(t, "ben", "feature")
	ben, cho, ctx := e.as(t, "ben"), e.as(t, "cho"), t.Context()
	for _, event := range []string{"APPROVE", "REQUEST_CHANGES"} {
		_, _, err := ben.PullRequests.CreateReview(ctx, owner, repo, 1, &github.PullRequestReviewRequest{Event: &event, Body: github.Ptr("mine")})
		wantStatus(t, err, 422, "your own pull request")
	}
	_, _, err := ben.PullRequests.RequestReviewers(ctx, owner, repo, 1, github.ReviewersRequest{Reviewers: []string{"cho"}})
	check(t, err)
	asked, _, err := ben.PullRequests.ListReviewers(ctx, owner, repo, 1)
	if err != nil || len(asked.Users) != 1 || asked.Users[0].GetLogin() != "cho" {
		t.Fatalf("asked %v %v", asked, err)
	}
	for _, who := range []string{"nobody", "ben"} {
		if _, _, err = ben.PullRequests.RequestReviewers(ctx, owner, repo, 1, github.ReviewersRequest{Reviewers: []string{who}}); err == nil {
			t.Errorf("asked %s", who)
		}
	}
	pending, _, err := cho.PullRequests.CreateReview(ctx, owner, repo, 1, &github.PullRequestReviewRequest{
		Comments: []*github.DraftReviewComment{{Path: github.Ptr("f"), Body: github.Ptr("Why?"), Line: github.Ptr(1)}}})
	check(t, err)
	if pending.GetState() != "PENDING" || pending.GetCommitID() != head {
		t.Fatalf("pending as %v", pending)
	}
	if list, _, _ := ben.PullRequests.ListReviews(ctx, owner, repo, 1, nil); len(list) != 0 {
		t.Fatalf("ben sees %v", list)
	}
	if _, _, err = ben.PullRequests.GetReview(ctx, owner, repo, 1, pending.GetID()); err == nil {
		t.Fatal("ben sees a pending review of cho's")
	}
	done, _, err := cho.PullRequests.SubmitReview(ctx, owner, repo, 1, pending.GetID(), &github.PullRequestReviewRequest{Event: github.Ptr("APPROVE"), Body: github.Ptr("I see.")})
	check(t, err)
	if done.GetState() != "APPROVED" || done.SubmittedAt == nil {
		t.Fatalf("submitted as %v", done)
	}
	if _, _, err = cho.PullRequests.SubmitReview(ctx, owner, repo, 1, pending.GetID(), &github.PullRequestReviewRequest{Event: github.Ptr("COMMENT")}); err == nil {
		t.Fatal("submitted twice")
	}
	asked, _, err = ben.PullRequests.ListReviewers(ctx, owner, repo, 1)
	if err != nil || len(asked.Users) != 0 {
		t.Fatalf("still asked: %v %v", asked, err)
	}
	comments, _, err := ben.PullRequests.ListComments(ctx, owner, repo, 1, nil)
	if err != nil || len(comments) != 1 || comments[0].GetBody() != "Why?" || comments[0].GetPullRequestReviewID() != pending.GetID() {
		t.Fatalf("comments %v %v", comments, err)
	}
	reply, _, err := ben.PullRequests.CreateCommentInReplyTo(ctx, owner, repo, 1, "Because.", comments[0].GetID())
	if err != nil || reply.GetInReplyTo() != comments[0].GetID() || reply.GetPath() != "f" {
		t.Fatalf("reply %v %v", reply, err)
	}
	if of, _, err := ben.PullRequests.ListReviewComments(ctx, owner, repo, 1, pending.GetID(), nil); err != nil || len(of) != 2 {
		t.Fatalf("of the review: %v %v", of, err)
	}
	dismissed, _, err := ben.PullRequests.DismissReview(ctx, owner, repo, 1, pending.GetID(), &github.PullRequestReviewDismissalRequest{Message: github.Ptr("Outdated")})
	check(t, err)
	if dismissed.GetState() != "DISMISSED" {
		t.Fatalf("dismissed as %v", dismissed)
	}
	second, _, err := cho.PullRequests.CreateReview(ctx, owner, repo, 1, &github.PullRequestReviewRequest{Body: github.Ptr("draft")})
	check(t, err)
	_, _, err = cho.PullRequests.UpdateReview(ctx, owner, repo, 1, second.GetID(), "better")
	check(t, err)
	_, _, err = cho.PullRequests.DeletePendingReview(ctx, owner, repo, 1, second.GetID())
	check(t, err)
	if list, _, _ := cho.PullRequests.ListReviews(ctx, owner, repo, 1, nil); len(list) != 1 {
		t.Fatalf("left: %v", list)
	}
	for body, want := range map[string]string{`{"event":"SHRUG"}`: "event", `{"event":"REQUEST_CHANGES"}`: "body", `{"event":"COMMENT"}`: "body",
		`{"event":"APPROVE","commit_id":"` + strings.Repeat("f", 40) + `"}`: "commit_id"} {
		if a := e.do(t, "cho", "POST", "/api/v3/repos/harbour/halyard/pulls/1/reviews", body); a.status != 422 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

func TestUpdateBranch(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	head := w.branch("feature", "f", "f\n")
	w.git("checkout", "-q", "main")
	w.commit("m", "m\n")
	w.git("push", "-q", "origin", "main")
	e.pull(t, "ben", "feature")
	const path = "/api/v3/repos/harbour/halyard/pulls/1/update-branch"
	if a := e.do(t, "ben", "PUT", path, `{"expected_head_sha":"`+w.git("rev-parse", "main")+`"}`); a.status != 422 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "ben", "PUT", path, `{"expected_head_sha":"`+head+`"}`); a.status != 202 {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.git("fetch", "-q")
	if got := w.git("log", "-1", "--format=%P", "origin/feature"); got != head+" "+w.git("rev-parse", "main") {
		t.Errorf("parents %s", got)
	}
}

// Many people at once: each pull request lands once, in some order.
func TestMergesAtTheSameTime(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	const n = 5
	for i := range n {
		b := fmt.Sprintf("b%d", i)
		w.branch(b, b, b)
		e.pull(t, "ben", b)
	}
	errs := make(chan error, 2*n)
	for i := range n {
		for range 2 {
			go func() {
				_, err := e.mergeAs(t, "ada", i+1, &github.PullRequestOptions{MergeMethod: "squash"})
				errs <- err
			}()
		}
	}
	failed := 0
	for range 2 * n {
		if err := <-errs; err != nil {
			failed++
		}
	}
	w.git("fetch", "-q")
	if got := strings.Count(w.git("log", "--format=%h", "origin/main"), "\n"); got != n || failed != n {
		t.Errorf("%d commits landed, %d merges failed", got, failed)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	e := start(t)
	dir := filepath.Join(t.TempDir(), "src")
	g, err := git.Init(t.Context(), dir, false, "trunk")
	check(t, err)
	w := &work{t: t, Repository: g, who: "old"}
	w.commit("a", "a")
	w.git("tag", "-a", "-m", "One", "v1.0.0")
	w.git("tag", "light")
	w.git("branch", "release-1")
	name := forge.RepoName{Owner: "fleet", Name: "sloop"}
	check(t, e.ImportRepository(t.Context(), name, dir, "A boat"))
	c := &work{t: t, who: "x", Repository: g}
	want := strings.Fields(c.git("for-each-ref", "--format=%(refname):%(objectname)", "refs/heads", "refs/tags"))
	var got []string
	for line := range strings.SplitSeq(c.git("ls-remote", "--refs", e.url+"/fleet/sloop.git"), "\n") {
		f := strings.Fields(line)
		got = append(got, f[1]+":"+f[0])
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("imported %v, want %v", got, want)
	}
	r, _, err := e.as(t, "").Repositories.Get(t.Context(), "fleet", "sloop")
	check(t, err)
	if r.GetDefaultBranch() != "trunk" || r.GetDescription() != "A boat" || r.GetOwner().GetType() != "Organization" {
		t.Errorf("imported as %v", r)
	}
	// The copy stands on its own.
	if links, err := filepath.Glob(filepath.Join(e.dir, "git", "fleet", "sloop.git", "objects", "info", "alternates")); err != nil || len(links) > 0 {
		t.Errorf("linked: %v", links)
	}
	if err := e.ImportRepository(t.Context(), name, dir, ""); err == nil {
		t.Error("imported twice")
	}
	if err := e.ImportRepository(t.Context(), forge.RepoName{Owner: "fleet", Name: "none"}, t.TempDir(), ""); err == nil {
		t.Error("imported an empty folder")
	}
	if err := e.ImportRepository(t.Context(), forge.RepoName{Owner: "..", Name: "x"}, dir, ""); err == nil {
		t.Error("imported out of the folder")
	}
	if left, _ := filepath.Glob(filepath.Join(e.dir, "git", ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
