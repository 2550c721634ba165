package forgetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"

	"seaworthy/forge"
)

var hookTests = map[string]func(*test){
	"hooks are made, listed and deleted": hooksComeAndGo,
	"a delivery is signed":               deliverySigned,
	"a delivery can be sent again":       redelivery,
	"a pull request's events":            pullEvents,
	"an issue's events":                  issueEvents,
	"events of branches and tags":        pushEvents,
	"events of statuses and releases":    otherEvents,
	"a hook gets what it asked for":      hookFilters,
}

const hookSecret = "between you and me"

// delivery is a webhook as it arrived.
type delivery struct {
	header http.Header
	body   []byte
	event  forge.Event
}

// receiver takes webhooks.
type receiver struct {
	t        *test
	url      string
	hook     forge.Hook
	arrivals chan delivery
	seen     []delivery // what wait has passed over
}

// receive subscribes a receiver to events of the test's repository. The forge
// says hello first, which is taken off.
func (t *test) receive(events ...string) *receiver {
	t.Helper()
	r := &receiver{t: t, arrivals: make(chan delivery, 1000)}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	h, err := t.Admin.Client.CreateHook(t.ctx, t.repo, forge.Hook{URL: server.URL, Secret: hookSecret, Events: events, Active: true})
	t.need(err)
	r.hook = h
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), patience)
		defer cancel()
		if err := t.Admin.Client.DeleteHook(ctx, t.repo, h.ID); err != nil && !errors.Is(err, forge.ErrNotFound) {
			t.Error(err)
		}
	})
	r.wait("ping", "")
	return r
}

// ServeHTTP takes a delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.arrivals <- delivery{header: req.Header.Clone(), body: body}
	w.WriteHeader(http.StatusNoContent)
}

// wait returns the next delivery of a kind and action; others are kept for
// later calls. Every delivery's signature is checked.
func (r *receiver) wait(kind forge.EventKind, action string) delivery {
	r.t.Helper()
	for i, d := range r.seen {
		if d.event.Kind == kind && d.event.Action == action {
			r.seen = slices.Delete(r.seen, i, i+1)
			return d
		}
	}
	for {
		select {
		case d := <-r.arrivals:
			r.t.need(r.t.Verify(hookSecret, d.header, d.body))
			e, err := r.t.Decode(d.header, d.body)
			r.t.need(err)
			d.event = e
			if e.Kind == kind && (e.Action == action || kind == forge.EventPing) {
				return d
			}
			r.seen = append(r.seen, d)
		case <-r.t.ctx.Done():
			r.t.Fatalf("no %s event with action %q arrived; others that did: %v", kind, action,
				names(r.seen, func(d delivery) string { return fmt.Sprintf("%s/%s", d.event.Kind, d.event.Action) }))
		}
	}
}

func hooksComeAndGo(t *test) {
	r := t.receive("push", "status")
	c := t.Admin.Client
	list, err := c.Hooks(t.ctx, t.repo)
	t.need(err)
	if len(list) != 1 {
		t.Fatalf("hooks are %v; want one", list)
	}
	h := list[0]
	equal(t, "hook", h.ID, r.hook.ID)
	equal(t, "URL", h.URL, r.url)
	equal(t, "active", h.Active, true)
	slices.Sort(h.Events)
	same(t, "events", h.Events, []string{"push", "status"})
	if h.Secret == hookSecret {
		t.Error("the forge gave the secret away")
	}
	_, err = c.CreateHook(t.ctx, t.repo, forge.Hook{URL: r.url, Secret: hookSecret, Events: []string{"push", "status"}, Active: true})
	t.refused(err, forge.ErrExists, "subscribing again")
	t.need(c.DeleteHook(t.ctx, t.repo, h.ID))
	t.refused(c.DeleteHook(t.ctx, t.repo, h.ID), forge.ErrNotFound, "deleting it again")
	_, err = c.CreateHook(t.ctx, t.repo, forge.Hook{URL: "not a URL", Events: []string{"push"}, Active: true})
	t.refused(err, forge.ErrInvalid, "a hook without a URL")
	if _, err := t.Stranger.Client.Hooks(t.ctx, t.repo); err == nil {
		t.Error("a stranger sees the hooks")
	}
}

func deliverySigned(t *test) {
	r := t.receive("issues")
	i := t.open(forge.NewIssue{Title: "x"})
	d := r.wait(forge.EventIssues, "opened")
	equal(t, "issue", d.event.Issue.Number, i.Number)
	equal(t, "payload", string(d.event.Payload), string(d.body))
	if d.event.Delivery == "" {
		t.Error("the delivery has no name")
	}
	t.refused(t.Verify("another secret", d.header, d.body), forge.ErrUnauthorized, "another secret")
	t.refused(t.Verify(hookSecret, d.header, append(slices.Clone(d.body), ' ')), forge.ErrUnauthorized, "another body")
	t.refused(t.Verify(hookSecret, http.Header{}, d.body), forge.ErrUnauthorized, "no signature")
	t.refused(t.Verify("", d.header, d.body), forge.ErrUnauthorized, "no secret")
}

func redelivery(t *test) {
	if t.Redeliver == nil {
		t.Skip("skipped: this forge cannot send a delivery again")
	}
	r := t.receive("issues")
	t.open(forge.NewIssue{Title: "x"})
	first := r.wait(forge.EventIssues, "opened")
	t.need(t.Redeliver(t.ctx, t.repo, r.hook.ID, first.event.Delivery))
	second := r.wait(forge.EventIssues, "opened")
	equal(t, "delivery", second.event.Delivery, first.event.Delivery)
	equal(t, "body", string(second.body), string(first.body))
	if err := t.Redeliver(t.ctx, t.repo, r.hook.ID, "00000000-0000-0000-0000-000000000000"); err == nil {
		t.Error("a delivery that never was can be sent again")
	}
}

// about checks what every event says of where it happened and who did it.
func (t *test) about(d delivery, who Account) forge.Event {
	t.Helper()
	equal(t, string(d.event.Kind)+": repository", d.event.Repo, t.repo)
	equal(t, string(d.event.Kind)+": sender", d.event.Sender, who.Login)
	return d.event
}

func pullEvents(t *test) {
	w := t.seeded(t.Ann)
	r := t.receive("pull_request", "pull_request_review", "issue_comment")
	const kind = forge.EventPullRequest
	head := w.change("topic", "a", "1\n")
	p := w.pull("topic")
	e := t.about(r.wait(kind, "opened"), t.Ann)
	equal(t, "number", e.PullRequest.Number, p.Number)
	equal(t, "head", e.PullRequest.Head.SHA, head)
	equal(t, "base", e.PullRequest.Base.Branch, "main")
	equal(t, "author", e.PullRequest.Author, t.Ann.Login)

	w.write("b", "2\n")
	head = w.commit("More")
	w.git("push", "--quiet", "origin", "topic")
	e = t.about(r.wait(kind, "synchronize"), t.Ann)
	equal(t, "head", e.PullRequest.Head.SHA, head)

	t.need(t.Ben.Client.AddLabels(t.ctx, t.repo, p.Number, "lgtm"))
	e = t.about(r.wait(kind, "labeled"), t.Ben)
	equal(t, "label", e.Label, "lgtm")
	equal(t, "labels of the pull request", e.PullRequest.HasLabel("lgtm"), true)
	t.need(t.Ben.Client.RemoveLabel(t.ctx, t.repo, p.Number, "lgtm"))
	e = t.about(r.wait(kind, "unlabeled"), t.Ben)
	equal(t, "label", e.Label, "lgtm")
	equal(t, "labels of the pull request", e.PullRequest.HasLabel("lgtm"), false)

	t.need(t.Ann.Client.EditPullRequest(t.ctx, t.repo, p.Number, forge.EditPullRequest{Title: ptr("New")}))
	e = t.about(r.wait(kind, "edited"), t.Ann)
	equal(t, "title", e.PullRequest.Title, "New")

	_, err := t.Ben.Client.CreateReview(t.ctx, t.repo, p.Number, forge.ReviewApproved, "Good.")
	t.need(err)
	e = t.about(r.wait(forge.EventPullRequestReview, "submitted"), t.Ben)
	equal(t, "verdict", e.Review.State, forge.ReviewApproved)
	equal(t, "number", e.PullRequest.Number, p.Number)

	m, err := t.Ben.Client.CreateComment(t.ctx, t.repo, p.Number, "/approve")
	t.need(err)
	e = t.about(r.wait(forge.EventIssueComment, "created"), t.Ben)
	equal(t, "comment", e.Comment.ID, m.ID)
	equal(t, "body", e.Comment.Body, "/approve")
	equal(t, "on a pull request", e.Issue.IsPull, true)

	sha, err := t.Ben.Client.MergePullRequest(t.ctx, t.repo, p.Number, forge.Merge{Method: forge.MethodMerge, SHA: head})
	t.need(err)
	e = t.about(r.wait(kind, "closed"), t.Ben)
	equal(t, "merged", e.PullRequest.Merged, true)
	equal(t, "merge commit", e.PullRequest.MergeSHA, sha)
	equal(t, "merged by", e.PullRequest.MergedBy, t.Ben.Login)
}

func issueEvents(t *test) {
	r := t.receive("issues", "issue_comment")
	i := t.open(forge.NewIssue{Title: "x"})
	t.about(r.wait(forge.EventIssues, "opened"), t.Ann)
	t.need(t.Ann.Client.AddAssignees(t.ctx, t.repo, i.Number, []string{t.Ben.Login}))
	e := t.about(r.wait(forge.EventIssues, "assigned"), t.Ann)
	same(t, "assignees", e.Issue.Assignees, []string{t.Ben.Login})
	_, err := t.Admin.Client.CreateMilestone(t.ctx, t.repo, forge.Milestone{Title: "v1"})
	t.need(err)
	t.need(t.Ann.Client.EditIssue(t.ctx, t.repo, i.Number, forge.EditIssue{Milestone: ptr("v1")}))
	e = t.about(r.wait(forge.EventIssues, "milestoned"), t.Ann)
	equal(t, "milestone", e.Issue.Milestone, "v1")
	m, err := t.Ben.Client.CreateComment(t.ctx, t.repo, i.Number, "hello")
	t.need(err)
	r.wait(forge.EventIssueComment, "created")
	t.need(t.Ben.Client.EditComment(t.ctx, t.repo, m.ID, "hullo"))
	e = t.about(r.wait(forge.EventIssueComment, "edited"), t.Ben)
	equal(t, "comment", e.Comment.Body, "hullo")
	t.need(t.Ben.Client.DeleteComment(t.ctx, t.repo, m.ID))
	t.about(r.wait(forge.EventIssueComment, "deleted"), t.Ben)
	t.need(t.Ann.Client.EditIssue(t.ctx, t.repo, i.Number, forge.EditIssue{State: ptr(forge.StateClosed)}))
	e = t.about(r.wait(forge.EventIssues, "closed"), t.Ann)
	equal(t, "state", e.Issue.State, forge.StateClosed)
	t.need(t.Ann.Client.EditIssue(t.ctx, t.repo, i.Number, forge.EditIssue{State: ptr(forge.StateOpen)}))
	t.about(r.wait(forge.EventIssues, "reopened"), t.Ann)
}

const noCommit = "0000000000000000000000000000000000000000"

func pushEvents(t *test) {
	r := t.receive("push", "create", "delete")
	w := t.seeded(t.Ann)
	first := w.git("rev-parse", "HEAD")
	e := t.about(r.wait(forge.EventPush, ""), t.Ann)
	equal(t, "ref", e.Push.Ref, "refs/heads/main")
	equal(t, "before", e.Push.Before, noCommit)
	equal(t, "after", e.Push.After, first)
	t.about(r.wait(forge.EventCreate, ""), t.Ann)

	w.write("a", "1\n")
	second := w.commit("Second")
	w.write("a", "2\n")
	third := w.commit("Third")
	w.git("push", "--quiet", "origin", "main")
	e = t.about(r.wait(forge.EventPush, ""), t.Ann)
	equal(t, "before", e.Push.Before, first)
	equal(t, "after", e.Push.After, third)
	equal(t, "forced", e.Push.Forced, false)
	same(t, "commits", names(e.Push.Commits, func(c forge.Commit) string { return c.SHA }), []string{second, third})
	equal(t, "author", e.Push.Commits[0].Author.Email, t.Ann.Login+"@example.com")

	w.git("reset", "--quiet", "--hard", first)
	w.write("a", "other\n")
	other := w.commit("Other")
	w.git("push", "--quiet", "--force", "origin", "main")
	e = t.about(r.wait(forge.EventPush, ""), t.Ann)
	equal(t, "after", e.Push.After, other)
	equal(t, "forced", e.Push.Forced, true)

	w.git("tag", "v1")
	w.git("push", "--quiet", "origin", "v1")
	e = t.about(r.wait(forge.EventPush, ""), t.Ann)
	equal(t, "ref", e.Push.Ref, "refs/tags/v1")
	t.about(r.wait(forge.EventCreate, ""), t.Ann)
	w.git("push", "--quiet", "origin", ":v1")
	e = t.about(r.wait(forge.EventPush, ""), t.Ann)
	equal(t, "after a deletion", e.Push.After, noCommit)
	t.about(r.wait(forge.EventDelete, ""), t.Ann)

	sha, err := t.Ben.Client.PutFile(t.ctx, t.repo, "b", "main", "Add b", []byte("b"))
	t.need(err)
	e = t.about(r.wait(forge.EventPush, ""), t.Ben)
	equal(t, "after a written file", e.Push.After, sha)
}

func otherEvents(t *test) {
	w := t.seeded(t.Ann)
	sha := w.git("rev-parse", "HEAD")
	r := t.receive("status", "check_run", "release")
	t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, sha, forge.Status{Context: "unit", State: forge.StatusSuccess, Description: "Passed"}))
	e := t.about(r.wait(forge.EventStatus, ""), t.Ann)
	equal(t, "commit", e.Status.SHA, sha)
	equal(t, "context", e.Status.Context, "unit")
	equal(t, "state", e.Status.State, forge.StatusSuccess)
	equal(t, "description", e.Status.Description, "Passed")
	same(t, "branches", e.Status.Branches, []string{"main"})

	_, err := t.Admin.Client.CreateCheckRun(t.ctx, t.repo, forge.CheckRun{Name: "unit", SHA: sha, Status: "queued"})
	t.need(err)
	t.about(r.wait(forge.EventCheckRun, "created"), t.Admin)

	draft, err := t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v1", Target: "main", Draft: true})
	t.need(err)
	_, err = t.Ben.Client.EditRelease(t.ctx, t.repo, draft.ID, forge.EditRelease{Draft: ptr(false)})
	t.need(err)
	e = t.about(r.wait(forge.EventRelease, "published"), t.Ben)
	equal(t, "tag", e.Release.Tag, "v1")
	equal(t, "release", e.Release.ID, draft.ID)
}

func hookFilters(t *test) {
	all, one := t.receive("*"), t.receive("status")
	w := t.seeded(t.Ann)
	sha := w.git("rev-parse", "HEAD")
	t.open(forge.NewIssue{Title: "x"})
	t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, sha, forge.Status{Context: "unit", State: forge.StatusPending}))
	all.wait(forge.EventPush, "")
	all.wait(forge.EventIssues, "opened")
	all.wait(forge.EventStatus, "")
	one.wait(forge.EventStatus, "")
	equal(t, "events nobody asked for", len(one.seen), 0)
	t.need(t.Admin.Client.DeleteHook(t.ctx, t.repo, one.hook.ID))
	t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, sha, forge.Status{Context: "unit", State: forge.StatusSuccess}))
	all.wait(forge.EventStatus, "")
	equal(t, "events after the hook is gone", len(one.arrivals), 0)
}
