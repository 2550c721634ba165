package forgetest

import (
	"fmt"
	"strings"

	"seaworthy/forge"
)

var mergeTests = map[string]func(*test){
	"merge by merge":            func(t *test) { mergeBy(t, forge.MethodMerge) },
	"merge by squash":           func(t *test) { mergeBy(t, forge.MethodSquash) },
	"merge by rebase":           func(t *test) { mergeBy(t, forge.MethodRebase) },
	"a conflict does not merge": conflict,
	"one merges after another":  oneAfterAnother,
}

// mergeBy merges two commits into a base that moved meanwhile, and looks at
// what each method makes of them.
func mergeBy(t *test, method forge.MergeMethod) {
	w := t.seeded(t.Ann)
	w.change("topic", "a", "1\n")
	w.write("b", "2\n")
	head := w.commit("Change b")
	w.git("push", "--quiet", "origin", "topic")
	p := w.pull("topic")
	w.git("checkout", "--quiet", "main")
	w.write("elsewhere", "x\n")
	base := w.commit("Elsewhere")
	w.git("push", "--quiet", "origin", "main")

	m := forge.Merge{Method: method, SHA: head}
	if method != forge.MethodRebase {
		m.Title, m.Message = "The title", "The message."
	}
	sha, err := t.Ben.Client.MergePullRequest(t.ctx, t.repo, p.Number, m)
	t.need(err)
	t.merged(p.Number, sha)

	w.git("fetch", "--quiet", "origin", "main")
	equal(t, "tip of main", w.git("rev-parse", "FETCH_HEAD"), sha)
	equal(t, "files", w.git("ls-tree", "--name-only", "FETCH_HEAD"), "README\na\nb\nelsewhere")
	parents := w.git("log", "-1", "--format=%P", "FETCH_HEAD")
	message := w.git("log", "-1", "--format=%B", "FETCH_HEAD")
	switch method {
	case forge.MethodMerge:
		equal(t, "parents", parents, base+" "+head)
		equal(t, "message", message, "The title\n\nThe message.")
	case forge.MethodSquash:
		equal(t, "parents", parents, base)
		equal(t, "message", message, "The title\n\nThe message.")
		equal(t, "author", w.git("log", "-1", "--format=%ae", "FETCH_HEAD"), t.Ann.Login+"@example.com")
	case forge.MethodRebase:
		equal(t, "subjects", w.git("log", "--format=%s", base+"..FETCH_HEAD"), "Change b\nChange a")
		equal(t, "author", w.git("log", "-1", "--format=%ae", "FETCH_HEAD"), t.Ann.Login+"@example.com")
		if strings.Contains(parents, " ") {
			t.Errorf("the rebased tip has parents %s", parents)
		}
	}
	_, err = t.Ben.Client.MergePullRequest(t.ctx, t.repo, p.Number, m)
	t.refused(err, forge.ErrConflict, "merging it again")
	if method == forge.MethodRebase {
		return // github.com may forget whose commits they were
	}
	found, err := t.Ben.Client.PullRequestsForCommit(t.ctx, t.repo, sha)
	t.need(err)
	same(t, "pull requests of the merge commit", pullNumbers(found), []int{p.Number})
}

// merged checks what a pull request says of itself once it is merged by Ben.
func (t *test) merged(number int, sha string) {
	t.Helper()
	p := t.pull(number)
	equal(t, "state", p.State, forge.StateClosed)
	equal(t, "merged", p.Merged, true)
	equal(t, "merge commit", p.MergeSHA, sha)
	equal(t, "merged by", p.MergedBy, t.Ben.Login)
	t.recent("merging", p.MergedAt)
	t.recent("closing", p.ClosedAt)
	list, err := t.Ann.Client.PullRequests(t.ctx, t.repo, forge.PullFilter{State: "closed"})
	t.need(err)
	if len(list) != 1 || !list[0].Merged || list[0].MergeSHA != sha {
		t.Errorf("the list of closed pull requests is %+v; want one, merged as %s", list, sha)
	}
	err = t.Ann.Client.EditPullRequest(t.ctx, t.repo, number, forge.EditPullRequest{State: ptr(forge.StateOpen)})
	t.refused(err, forge.ErrInvalid, "reopening a merged one")
}

func conflict(t *test) {
	w := t.seeded(t.Ann)
	head := w.change("topic", "README", "one thing\n")
	p := w.pull("topic")
	w.git("checkout", "--quiet", "main")
	w.write("README", "another thing\n")
	tip := w.commit("Another thing")
	w.git("push", "--quiet", "origin", "main")
	equal(t, "mergeability", t.mergeability(p.Number), forge.MergeConflict)
	for _, method := range []forge.MergeMethod{forge.MethodMerge, forge.MethodSquash, forge.MethodRebase} {
		_, err := t.Ann.Client.MergePullRequest(t.ctx, t.repo, p.Number, forge.Merge{Method: method, SHA: head})
		t.refused(err, forge.ErrConflict, fmt.Sprintf("merging by %s", method))
	}
	b, err := t.Ann.Client.Branch(t.ctx, t.repo, "main")
	t.need(err)
	equal(t, "tip of main", b.SHA, tip)
	equal(t, "state", t.pull(p.Number).State, forge.StateOpen)

	w.git("checkout", "--quiet", "topic")
	w.git("reset", "--quiet", "--hard", "main")
	w.write("README", "both things\n")
	w.commit("Both things")
	w.git("push", "--quiet", "--force", "origin", "topic")
	equal(t, "mergeability once resolved", t.mergeability(p.Number), forge.MergeClean)
}

func oneAfterAnother(t *test) {
	w := t.seeded(t.Ann)
	for i := range 3 {
		branch := fmt.Sprintf("topic-%d", i)
		w.change(branch, branch, "x\n")
	}
	var tips []string
	for i := range 3 {
		p := w.pull(fmt.Sprintf("topic-%d", i))
		sha, err := t.Ben.Client.MergePullRequest(t.ctx, t.repo, p.Number, forge.Merge{Method: forge.MethodMerge, SHA: p.Head.SHA})
		t.need(err)
		tips = append(tips, sha)
	}
	w.git("fetch", "--quiet", "origin", "main")
	equal(t, "first parents of main", w.git("log", "--first-parent", "-3", "--reverse", "--format=%H", "FETCH_HEAD"), strings.Join(tips, "\n"))
	equal(t, "default message", strings.HasPrefix(w.git("log", "-1", "--format=%s", "FETCH_HEAD"), "Merge pull request #"), true)
}

var reviewTests = map[string]func(*test){
	"reviews are given and listed": reviewsGiven,
	"reviewers are asked":          reviewersAsked,
	"reviews that cannot be":       reviewsCannotBe,
}

func reviewsGiven(t *test) {
	w := t.seeded(t.Ann)
	head := w.change("topic", "a", "1\n")
	p := w.pull("topic")
	type verdict struct {
		author, body, sha string
		state             forge.ReviewState
	}
	var want []verdict
	for _, v := range []verdict{
		{t.Ann.Login, "A note on my own.", head, forge.ReviewCommented},
		{t.Ben.Login, "Not yet.", head, forge.ReviewChangesRequested},
		{t.Ben.Login, "", head, forge.ReviewApproved},
	} {
		who := t.Ben.Client
		if v.author == t.Ann.Login {
			who = t.Ann.Client
		}
		r, err := who.CreateReview(t.ctx, t.repo, p.Number, v.state, v.body)
		t.need(err)
		equal(t, "verdict", r.State, v.state)
		t.recent("submission", r.SubmittedAt)
		want = append(want, v)
	}
	reviews, err := t.Ann.Client.Reviews(t.ctx, t.repo, p.Number)
	t.need(err)
	same(t, "reviews", names(reviews, func(r forge.Review) verdict { return verdict{r.Author, r.Body, r.SHA, r.State} }), want)

	w.write("b", "2\n")
	w.commit("More")
	w.git("push", "--quiet", "origin", "topic")
	reviews, err = t.Ann.Client.Reviews(t.ctx, t.repo, p.Number)
	t.need(err)
	equal(t, "commit of the old approval", reviews[2].SHA, head)
}

func reviewersAsked(t *test) {
	w := t.seeded(t.Ann)
	w.change("topic", "a", "1\n")
	p := w.pull("topic")
	t.need(t.Ann.Client.RequestReviewers(t.ctx, t.repo, p.Number, []string{t.Ben.Login}))
	same(t, "requested reviewers", t.pull(p.Number).Reviewers, []string{t.Ben.Login})
	_, err := t.Ben.Client.CreateReview(t.ctx, t.repo, p.Number, forge.ReviewApproved, "")
	t.need(err)
	same(t, "requested reviewers after the review", t.pull(p.Number).Reviewers, nil)
	t.need(t.Ann.Client.RequestReviewers(t.ctx, t.repo, p.Number, []string{t.Ben.Login}))
	for range 2 { // the second time there is nothing to take back
		t.need(t.Ann.Client.RemoveReviewers(t.ctx, t.repo, p.Number, []string{t.Ben.Login}))
		same(t, "requested reviewers after taking it back", t.pull(p.Number).Reviewers, nil)
	}
	t.refused(t.Ann.Client.RequestReviewers(t.ctx, t.repo, p.Number, []string{t.Ann.Login}), forge.ErrInvalid, "asking the author")
}

func reviewsCannotBe(t *test) {
	w := t.seeded(t.Ann)
	w.change("topic", "a", "1\n")
	p := w.pull("topic")
	for _, state := range []forge.ReviewState{forge.ReviewApproved, forge.ReviewChangesRequested} {
		_, err := t.Ann.Client.CreateReview(t.ctx, t.repo, p.Number, state, "My own.")
		t.refused(err, forge.ErrInvalid, fmt.Sprintf("giving one's own change %s", state))
	}
	_, err := t.Ben.Client.CreateReview(t.ctx, t.repo, p.Number, forge.ReviewCommented, "")
	t.refused(err, forge.ErrInvalid, "a comment without words")
	_, err = t.Ben.Client.CreateReview(t.ctx, t.repo, p.Number, "PRAISED", "x")
	t.refused(err, forge.ErrInvalid, "a verdict that is none")
	_, err = t.Ben.Client.CreateReview(t.ctx, t.repo, 4711, forge.ReviewApproved, "")
	t.refused(err, forge.ErrNotFound, "a pull request that is not there")
	_, err = t.Ben.Client.Reviews(t.ctx, t.repo, 4711)
	t.refused(err, forge.ErrNotFound, "reviews of one that is not there")
}
