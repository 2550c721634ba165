package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"seaworthy/store/hosted"
)

// issueEdit is what a request changes of an issue or pull request.
type issueEdit struct {
	title       optional[string]
	body        optional[string]
	state       optional[string]
	stateReason optional[string]
	milestone   optional[int64]
	labels      optional[[]labelName]
	assignees   optional[[]string]
	draft       optional[bool]
	base        optional[string]
}

// labelName is a label in a request: its name, or an object with it.
type labelName string

// UnmarshalJSON implements json.Unmarshaler.
func (l *labelName) UnmarshalJSON(b []byte) error {
	var object struct {
		Name string `json:"name"`
	}
	if len(b) > 0 && b[0] == '{' {
		err := json.Unmarshal(b, &object)
		*l = labelName(object.Name)
		return err
	}
	return json.Unmarshal(b, (*string)(l))
}

// editor changes one issue in a transaction, and remembers what to announce.
type editor struct {
	c      *call
	v      *view
	issue  *hosted.Issue
	stats  pullStats // of a pull request
	events []issueEvent
}

// issueEvent is one thing that happened to an issue.
type issueEvent struct {
	action string
	more   map[string]any
}

func (e *editor) happened(action string, more map[string]any) {
	e.events = append(e.events, issueEvent{action, more})
}

// announce stores the events, once the issue is stored as they show it.
func (e *editor) announce(ctx context.Context) error {
	for _, ev := range e.events {
		var err error
		if e.issue.IsPull {
			err = e.v.emitPull(ctx, e.c.repo, *e.issue, e.stats, e.c.user.Login, ev.action, ev.more)
		} else {
			err = e.v.emitIssue(ctx, e.c.repo, *e.issue, e.c.user.Login, ev.action, ev.more)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// edit runs fn on an issue in a transaction, then stores and announces it.
func (c *call) edit(i hosted.Issue, fn func(context.Context, *editor) error) (hosted.Issue, error) {
	ctx := c.ctx()
	var stats pullStats
	if i.IsPull {
		var err error
		if stats, err = c.f.pullStats(ctx, c.repo, i); err != nil {
			return i, err
		}
	}
	var edited hosted.Issue
	err := c.f.change(ctx, func(v *view) error {
		row, err := v.q.Issue(ctx, c.repo.ID, i.Number)
		if err != nil {
			return err
		}
		e := editor{c: c, v: v, issue: &row, stats: stats}
		if err := fn(ctx, &e); err != nil {
			return err
		}
		if len(e.events) > 0 {
			row.UpdatedAt = c.f.now()
		}
		if err := v.q.UpdateIssue(ctx, row); err != nil {
			return err
		}
		edited = row
		return e.announce(ctx)
	})
	return edited, err
}

// editIssueRow applies an edit. The caller holds the repository's lock, since
// a pull request's refs may be concerned.
func (c *call) editIssueRow(i hosted.Issue, in issueEdit) (hosted.Issue, error) {
	if in.state.Set && in.state.Value != stateOpen && in.state.Value != stateClosed {
		return i, invalid("Issue", "state", "invalid", "state is one of open, closed")
	}
	if in.title.Set && strings.TrimSpace(in.title.Value) == "" {
		return i, missing("Issue", "title")
	}
	sides := i
	if i.IsPull && in.base.Set && in.base.Value != i.Base {
		if err := c.retarget(&sides, in.base.Value); err != nil {
			return i, err
		}
	}
	if i.IsPull && i.State == stateClosed && in.state.Value == stateOpen {
		if err := c.reopen(&sides); err != nil {
			return i, err
		}
	}
	return c.edit(sides, func(ctx context.Context, e *editor) error {
		if i.IsPull {
			if e.issue.Base != sides.Base {
				e.happened("edited", map[string]any{"changes": map[string]any{"base": map[string]any{
					"ref": map[string]string{"from": e.issue.Base}, "sha": map[string]string{"from": e.issue.BaseSHA}}}})
			}
			e.issue.Base, e.issue.BaseSHA, e.issue.HeadSHA = sides.Base, sides.BaseSHA, sides.HeadSHA
		}
		return e.apply(ctx, in)
	})
}

// apply changes the issue as a request wants it.
func (e *editor) apply(ctx context.Context, in issueEdit) error {
	was := changes{}
	if title := e.issue.Title; in.title.apply(&e.issue.Title) && e.issue.Title != title {
		was["title"] = from{title}
	}
	if body := e.issue.Body; in.body.apply(&e.issue.Body) && e.issue.Body != body {
		was["body"] = from{body}
	}
	if len(was) > 0 {
		e.happened("edited", map[string]any{"changes": was})
	}
	if draft := e.issue.Draft; in.draft.apply(&e.issue.Draft) && e.issue.Draft != draft {
		e.happened(map[bool]string{true: "converted_to_draft", false: "ready_for_review"}[e.issue.Draft], nil)
	}
	if in.state.Set {
		e.setState(in.state.Value, in.stateReason.Value)
	}
	if in.milestone.Set {
		if err := e.setMilestone(ctx, in.milestone.Value); err != nil {
			return err
		}
	}
	if in.labels.Set {
		if err := e.setLabels(ctx, in.labels.Value); err != nil {
			return err
		}
	}
	if in.assignees.Set {
		return e.setAssignees(ctx, in.assignees.Value)
	}
	return nil
}

func (e *editor) setState(state, reason string) {
	i := e.issue
	if i.State == state {
		return
	}
	i.State = state
	if state == stateOpen {
		i.ClosedAt, i.ClosedBy, i.StateReason = i.MergedAt, "", "reopened"
		e.happened("reopened", nil)
		return
	}
	i.ClosedAt, i.ClosedBy, i.StateReason = e.v.f.now(), e.c.user.Login, "completed"
	if reason == "not_planned" {
		i.StateReason = reason
	}
	if i.IsPull {
		i.StateReason = ""
	}
	e.happened("closed", nil)
}

func (e *editor) setMilestone(ctx context.Context, number int64) error {
	if number == e.issue.Milestone {
		return nil
	}
	for _, m := range []struct {
		number int64
		action string
	}{{e.issue.Milestone, "demilestoned"}, {number, "milestoned"}} {
		if m.number == 0 {
			continue
		}
		row, err := e.v.q.Milestone(ctx, e.c.repo.ID, m.number)
		if err != nil {
			return orMissing(err, "Issue", "milestone", "there is no milestone of that number")
		}
		w, err := e.v.milestone(ctx, e.c.repo, row)
		if err != nil {
			return err
		}
		e.happened(m.action, map[string]any{"milestone": w})
	}
	e.issue.Milestone = number
	return nil
}

// setLabels leaves exactly these labels on the issue.
func (e *editor) setLabels(ctx context.Context, names []labelName) error {
	have, err := e.v.q.IssueLabels(ctx, e.issue.ID)
	if err != nil {
		return err
	}
	for _, l := range have {
		if !slices.ContainsFunc(names, func(n labelName) bool { return strings.EqualFold(string(n), l.Name) }) {
			if err := e.takeLabel(ctx, l); err != nil {
				return err
			}
		}
	}
	return e.addLabels(ctx, names)
}

func (e *editor) takeLabel(ctx context.Context, l hosted.Label) error {
	e.happened("unlabeled", map[string]any{"label": e.v.f.wireLabel(e.c.repo, l)})
	return e.v.q.TakeLabel(ctx, e.issue.ID, l.ID)
}

// addLabels puts labels on the issue. One that the repository does not offer
// yet is made, as GitHub does.
func (e *editor) addLabels(ctx context.Context, names []labelName) error {
	have, err := e.v.q.IssueLabels(ctx, e.issue.ID)
	if err != nil {
		return err
	}
	for _, n := range names {
		name := strings.TrimSpace(string(n))
		if name == "" {
			return missing("Label", "name")
		}
		if slices.ContainsFunc(have, func(l hosted.Label) bool { return strings.EqualFold(l.Name, name) }) {
			continue
		}
		l, err := e.v.q.Label(ctx, e.c.repo.ID, name)
		if errors.Is(err, hosted.ErrNotFound) {
			l, err = e.v.q.AddLabel(ctx, hosted.Label{RepoID: e.c.repo.ID, Name: name, Color: "ededed"})
		}
		if err != nil {
			return err
		}
		if err := e.v.q.PutLabel(ctx, e.issue.ID, l.ID); err != nil {
			return err
		}
		have = append(have, l)
		e.happened("labeled", map[string]any{"label": e.v.f.wireLabel(e.c.repo, l)})
	}
	return nil
}

func (e *editor) setAssignees(ctx context.Context, logins []string) error {
	have, err := e.v.q.People(ctx, e.issue.ID, hosted.Assignee)
	if err != nil {
		return err
	}
	var gone []string
	for _, l := range have {
		if !slices.ContainsFunc(logins, func(n string) bool { return strings.EqualFold(n, l) }) {
			gone = append(gone, l)
		}
	}
	if err := e.unassign(ctx, gone); err != nil {
		return err
	}
	return e.assign(ctx, logins)
}

// assign adds assignees. People who cannot be are passed over, as on GitHub.
func (e *editor) assign(ctx context.Context, logins []string) error {
	have, err := e.v.q.People(ctx, e.issue.ID, hosted.Assignee)
	if err != nil {
		return err
	}
	for _, login := range logins {
		a, err := e.v.q.Account(ctx, login)
		if errors.Is(err, hosted.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		ok, err := assignable(ctx, e.v.q, e.c.repo, a)
		if err != nil {
			return err
		}
		if !ok || slices.Contains(have, a.Login) {
			continue
		}
		if err := e.v.q.AddPerson(ctx, e.issue.ID, hosted.Assignee, a.Login); err != nil {
			return err
		}
		have = append(have, a.Login)
		e.happened("assigned", map[string]any{"assignee": e.v.f.wireUser(a)})
	}
	return nil
}

func (e *editor) unassign(ctx context.Context, logins []string) error {
	have, err := e.v.q.People(ctx, e.issue.ID, hosted.Assignee)
	if err != nil {
		return err
	}
	for _, login := range have {
		if !slices.ContainsFunc(logins, func(n string) bool { return strings.EqualFold(n, login) }) {
			continue
		}
		if err := e.v.q.RemovePerson(ctx, e.issue.ID, hosted.Assignee, login); err != nil {
			return err
		}
		u, err := e.v.user(ctx, login)
		if err != nil {
			return err
		}
		e.happened("unassigned", map[string]any{"assignee": u})
	}
	return nil
}

// assignable reports whether somebody can be assigned: people, not
// organisations, who see the repository. GitHub wants write access or a
// comment; a small forge is easier than that.
func assignable(ctx context.Context, q *hosted.Queries, repo hosted.Repo, a hosted.Account) (bool, error) {
	if a.Kind == kindOrganization {
		return false, nil
	}
	have, err := rightIn(ctx, q, repo, a)
	return have >= canTalk, err
}

func (c *call) editAssignees(i hosted.Issue) error {
	var in struct {
		Assignees []string `json:"assignees"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	status := http.StatusCreated
	i, err := c.edit(i, func(ctx context.Context, e *editor) error {
		if c.r.Method == http.MethodDelete {
			status = http.StatusOK
			return e.unassign(ctx, in.Assignees)
		}
		return e.assign(ctx, in.Assignees)
	})
	if err != nil {
		return fmt.Errorf("changing the assignees of #%d: %w", i.Number, err)
	}
	w, err := c.view().issue(c.ctx(), c.repo, i)
	return answer(c, status, w, err)
}
