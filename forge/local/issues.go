package local

import (
	"context"
	"net/http"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/store/hosted"
)

func (f *Forge) issueRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/issues", canRead, (*call).listIssues},
		{"POST /repos/{owner}/{repo}/issues", canTalk, (*call).createIssue},
		{"GET /repos/{owner}/{repo}/issues/{number}", canRead, onIssue((*call).getIssue)},
		{"PATCH /repos/{owner}/{repo}/issues/{number}", canTalk, onIssue((*call).editIssue)},
		{"GET /repos/{owner}/{repo}/issues/{number}/comments", canRead, onIssue((*call).listComments)},
		{"POST /repos/{owner}/{repo}/issues/{number}/comments", canTalk, onIssue((*call).createComment)},
		{"GET /repos/{owner}/{repo}/issues/comments", canRead, func(c *call) error { return c.listComments(hosted.Issue{RepoID: c.repo.ID}) }},
		{"GET /repos/{owner}/{repo}/issues/comments/{id}", canRead, (*call).getComment},
		{"PATCH /repos/{owner}/{repo}/issues/comments/{id}", canTalk, (*call).editComment},
		{"DELETE /repos/{owner}/{repo}/issues/comments/{id}", canTalk, (*call).deleteComment},
		{"POST /repos/{owner}/{repo}/issues/{number}/assignees", canTriage, onIssue((*call).editAssignees)},
		{"DELETE /repos/{owner}/{repo}/issues/{number}/assignees", canTriage, onIssue((*call).editAssignees)},
		{"GET /search/issues", anyone, (*call).searchIssues},
	}
}

// onIssue loads the issue or pull request of a path.
func onIssue(do func(*call, hosted.Issue) error) func(*call) error {
	return func(c *call) error {
		n, err := c.number("number")
		if err != nil {
			return err
		}
		i, err := c.q.Issue(c.ctx(), c.repo.ID, n)
		if err != nil {
			return err
		}
		return do(c, i)
	}
}

func (c *call) listIssues() error {
	f := hosted.IssueFilter{RepoID: c.repo.ID, State: stateOpen, Milestone: c.query("milestone"), Author: c.query("creator"),
		Assignee: c.query("assignee"), Sort: c.query("sort"), Ascending: c.query("direction") == "asc", Page: c.sqlPage()}
	switch s := c.query("state"); s {
	case "", stateOpen:
	case stateClosed:
		f.State = stateClosed
	case "all":
		f.State = ""
	default:
		return invalid("Issue", "state", "invalid", "state is one of open, closed, all")
	}
	if l := c.query("labels"); l != "" {
		f.Labels = strings.Split(l, ",")
	}
	if s := c.query("since"); s != "" {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return invalid("Issue", "since", "invalid", "write a time like 2026-01-31T12:00:00Z")
		}
		f.Since = t
	}
	rows, total, err := c.q.Issues(c.ctx(), f)
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(i hosted.Issue) (*wireIssue, error) { return v.issue(c.ctx(), c.repo, i) })
}

func (c *call) getIssue(i hosted.Issue) error {
	w, err := c.view().issue(c.ctx(), c.repo, i)
	return answer(c, http.StatusOK, w, err)
}

func (c *call) createIssue() error {
	var in struct {
		Title     string          `json:"title"`
		Body      *string         `json:"body"`
		Assignee  string          `json:"assignee"`
		Assignees []string        `json:"assignees"`
		Milestone optional[int64] `json:"milestone"`
		Labels    []labelName     `json:"labels"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Title == "" {
		return missing("Issue", "title")
	}
	now := c.f.now()
	i := hosted.Issue{RepoID: c.repo.ID, Title: in.Title, Author: c.user.Login, State: stateOpen, CreatedAt: now, UpdatedAt: now}
	if in.Body != nil {
		i.Body = *in.Body
	}
	e := issueEdit{milestone: in.Milestone}
	if in.Assignee != "" {
		in.Assignees = append(in.Assignees, in.Assignee)
	}
	// Those without the right to set these have them ignored, as on GitHub.
	if c.right >= canTriage {
		e.labels = optional[[]labelName]{Set: len(in.Labels) > 0, Value: in.Labels}
		e.assignees = optional[[]string]{Set: len(in.Assignees) > 0, Value: in.Assignees}
	} else {
		e.milestone.Set = false
	}
	err := c.f.change(c.ctx(), func(v *view) error {
		added, err := v.q.AddIssue(c.ctx(), i)
		if err != nil {
			return err
		}
		ed := editor{c: c, v: v, issue: &added}
		if err := ed.apply(c.ctx(), e); err != nil {
			return err
		}
		if err := v.q.UpdateIssue(c.ctx(), added); err != nil {
			return err
		}
		i = added
		if err := v.emitIssue(c.ctx(), c.repo, added, c.user.Login, "opened", nil); err != nil {
			return err
		}
		return ed.announce(c.ctx())
	})
	if err != nil {
		return err
	}
	w, err := c.view().issue(c.ctx(), c.repo, i)
	return answer(c, http.StatusCreated, w, err)
}

func (c *call) editIssue(i hosted.Issue) error {
	var in struct {
		Title       optional[string]      `json:"title"`
		Body        optional[string]      `json:"body"`
		State       optional[string]      `json:"state"`
		StateReason optional[string]      `json:"state_reason"`
		Milestone   optional[int64]       `json:"milestone"`
		Labels      optional[[]labelName] `json:"labels"`
		Assignees   optional[[]string]    `json:"assignees"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if c.right < canTriage {
		if !strings.EqualFold(c.user.Login, i.Author) {
			return fail(http.StatusForbidden, "Resource not accessible: only the author and collaborators may edit an issue")
		}
		in.Milestone.Set, in.Labels.Set, in.Assignees.Set = false, false, false
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	i, err = c.editIssueRow(i, issueEdit{in.Title, in.Body, in.State, in.StateReason, in.Milestone, in.Labels, in.Assignees, optional[bool]{}, optional[string]{}})
	if err != nil {
		return err
	}
	return c.getIssue(i)
}

func (c *call) listComments(i hosted.Issue) error {
	var since time.Time
	if s := c.query("since"); s != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, s); err != nil {
			return invalid("IssueComment", "since", "invalid", "write a time like 2026-01-31T12:00:00Z")
		}
	}
	rows, total, err := c.q.Comments(c.ctx(), c.repo.ID, i.Number, since, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(m hosted.Comment) (*wireComment, error) { return v.comment(c.ctx(), c.repo, m) })
}

// bodyRequest is a request with a text.
func (c *call) body(resource string) (string, error) {
	var in struct {
		Body *string `json:"body"`
	}
	if err := c.decode(&in); err != nil {
		return "", err
	}
	if in.Body == nil || strings.TrimSpace(*in.Body) == "" {
		return "", missing(resource, "body")
	}
	return *in.Body, nil
}

func (c *call) createComment(i hosted.Issue) error {
	body, err := c.body("IssueComment")
	if err != nil {
		return err
	}
	if i.Locked && c.right < canTriage {
		return fail(http.StatusForbidden, "Unable to create comment because issue is locked.")
	}
	now := c.f.now()
	m := hosted.Comment{RepoID: c.repo.ID, Number: i.Number, Author: c.user.Login, Body: body, CreatedAt: now, UpdatedAt: now}
	err = c.f.change(c.ctx(), func(v *view) error {
		var err error
		if m, err = v.q.AddComment(c.ctx(), m); err != nil {
			return err
		}
		i, err := v.q.Issue(c.ctx(), c.repo.ID, i.Number)
		if err != nil {
			return err
		}
		i.UpdatedAt = now
		if err := v.q.UpdateIssue(c.ctx(), i); err != nil {
			return err
		}
		return v.emitComment(c.ctx(), c.repo, i, m, c.user.Login, "created", nil)
	})
	if err != nil {
		return err
	}
	w, err := c.view().comment(c.ctx(), c.repo, m)
	return answer(c, http.StatusCreated, w, err)
}

func (v *view) emitComment(ctx context.Context, r hosted.Repo, i hosted.Issue, m hosted.Comment, sender, action string, changes any) error {
	wi, err := v.issue(ctx, r, i)
	if err != nil {
		return err
	}
	wc, err := v.comment(ctx, r, m)
	if err != nil {
		return err
	}
	wi.ClosedBy = nil
	payload := map[string]any{"issue": wi, "comment": wc}
	if changes != nil {
		payload["changes"] = changes
	}
	return v.emit(ctx, r, sender, forge.EventIssueComment, action, payload)
}

func (c *call) theComment() (hosted.Comment, error) {
	id, err := c.number("id")
	if err != nil {
		return hosted.Comment{}, err
	}
	return c.q.Comment(c.ctx(), c.repo.ID, id)
}

func (c *call) getComment() error {
	m, err := c.theComment()
	if err != nil {
		return err
	}
	w, err := c.view().comment(c.ctx(), c.repo, m)
	return answer(c, http.StatusOK, w, err)
}

// ownComment finds a comment that the caller may change: his own, or any for
// somebody who may write to the repository.
func (c *call) ownComment() (hosted.Comment, error) {
	m, err := c.theComment()
	if err == nil && !strings.EqualFold(m.Author, c.user.Login) && c.right < canWrite {
		err = fail(http.StatusForbidden, "Resource not accessible: this is another's comment")
	}
	return m, err
}

// changes tells what a text was before an edit.
type changes map[string]from

type from struct {
	From string `json:"from"`
}

func (c *call) editComment() error {
	m, err := c.ownComment()
	if err != nil {
		return err
	}
	body, err := c.body("IssueComment")
	if err != nil {
		return err
	}
	was := changes{"body": from{m.Body}}
	m.Body, m.UpdatedAt = body, c.f.now()
	err = c.f.change(c.ctx(), func(v *view) error {
		if err := v.q.UpdateComment(c.ctx(), m); err != nil {
			return err
		}
		i, err := v.q.Issue(c.ctx(), c.repo.ID, m.Number)
		if err != nil {
			return err
		}
		return v.emitComment(c.ctx(), c.repo, i, m, c.user.Login, "edited", was)
	})
	if err != nil {
		return err
	}
	w, err := c.view().comment(c.ctx(), c.repo, m)
	return answer(c, http.StatusOK, w, err)
}

func (c *call) deleteComment() error {
	m, err := c.ownComment()
	if err != nil {
		return err
	}
	err = c.f.change(c.ctx(), func(v *view) error {
		if err := v.q.RemoveComment(c.ctx(), m.ID); err != nil {
			return err
		}
		i, err := v.q.Issue(c.ctx(), c.repo.ID, m.Number)
		if err != nil {
			return err
		}
		return v.emitComment(c.ctx(), c.repo, i, m, c.user.Login, "deleted", nil)
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
