package local

import (
	"net/http"
	"strings"
	"time"

	"seaworthy/store/hosted"
)

func (f *Forge) milestoneRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/milestones", canRead, (*call).listMilestones},
		{"POST /repos/{owner}/{repo}/milestones", canTriage, (*call).createMilestone},
		{"GET /repos/{owner}/{repo}/milestones/{number}", canRead, (*call).getMilestone},
		{"PATCH /repos/{owner}/{repo}/milestones/{number}", canTriage, (*call).editMilestone},
		{"DELETE /repos/{owner}/{repo}/milestones/{number}", canTriage, (*call).deleteMilestone},
	}
}

func (c *call) theMilestone() (hosted.Milestone, error) {
	n, err := c.number("number")
	if err != nil {
		return hosted.Milestone{}, err
	}
	return c.q.Milestone(c.ctx(), c.repo.ID, n)
}

func (c *call) answerMilestone(status int, m hosted.Milestone) error {
	w, err := c.view().milestone(c.ctx(), c.repo, m)
	return answer(c, status, w, err)
}

func (c *call) listMilestones() error {
	state := c.query("state")
	if state == "" {
		state = stateOpen
	}
	rows, total, err := c.q.Milestones(c.ctx(), c.repo.ID, state, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(m hosted.Milestone) (*wireMilestone, error) { return v.milestone(c.ctx(), c.repo, m) })
}

func (c *call) getMilestone() error {
	m, err := c.theMilestone()
	if err != nil {
		return err
	}
	return c.answerMilestone(http.StatusOK, m)
}

type milestoneRequest struct {
	Title       optional[string]    `json:"title"`
	Description optional[string]    `json:"description"`
	State       optional[string]    `json:"state"`
	DueOn       optional[time.Time] `json:"due_on"`
}

// apply puts what was given into a milestone, and checks it.
func (in milestoneRequest) apply(m *hosted.Milestone, now time.Time) error {
	in.Title.apply(&m.Title)
	in.Description.apply(&m.Description)
	in.DueOn.apply(&m.DueOn)
	was := m.State
	in.State.apply(&m.State)
	switch {
	case strings.TrimSpace(m.Title) == "":
		return missing("Milestone", "title")
	case m.State != stateOpen && m.State != stateClosed:
		return invalid("Milestone", "state", "invalid", "state is one of open, closed")
	case m.State == stateOpen:
		m.ClosedAt = time.Time{}
	case was != m.State:
		m.ClosedAt = now
	}
	m.UpdatedAt = now
	return nil
}

func (c *call) createMilestone() error {
	var in milestoneRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	now := c.f.now()
	m := hosted.Milestone{RepoID: c.repo.ID, State: stateOpen, Creator: c.user.Login, CreatedAt: now}
	if err := in.apply(&m, now); err != nil {
		return err
	}
	err := c.f.change(c.ctx(), func(v *view) error {
		var err error
		m, err = v.q.AddMilestone(c.ctx(), m)
		return err
	})
	if err != nil {
		return orExists(err, "Milestone", "title")
	}
	return c.answerMilestone(http.StatusCreated, m)
}

func (c *call) editMilestone() error {
	m, err := c.theMilestone()
	if err != nil {
		return err
	}
	var in milestoneRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := in.apply(&m, c.f.now()); err != nil {
		return err
	}
	if err := c.f.change(c.ctx(), func(v *view) error { return v.q.UpdateMilestone(c.ctx(), m) }); err != nil {
		return orExists(err, "Milestone", "title")
	}
	return c.answerMilestone(http.StatusOK, m)
}

func (c *call) deleteMilestone() error {
	m, err := c.theMilestone()
	if err != nil {
		return err
	}
	if err := c.f.change(c.ctx(), func(v *view) error { return v.q.RemoveMilestone(c.ctx(), m) }); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
