package local

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"seaworthy/store/hosted"
)

func (f *Forge) labelRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/labels", canRead, (*call).listLabels},
		{"POST /repos/{owner}/{repo}/labels", canTriage, (*call).createLabel},
		{"GET /repos/{owner}/{repo}/labels/{name...}", canRead, (*call).getLabel},
		{"PATCH /repos/{owner}/{repo}/labels/{name...}", canTriage, (*call).editLabel},
		{"DELETE /repos/{owner}/{repo}/labels/{name...}", canTriage, (*call).deleteLabel},
		{"GET /repos/{owner}/{repo}/issues/{number}/labels", canRead, onIssue((*call).issueLabels)},
		{"POST /repos/{owner}/{repo}/issues/{number}/labels", canTriage, onIssue((*call).editIssueLabels)},
		{"PUT /repos/{owner}/{repo}/issues/{number}/labels", canTriage, onIssue((*call).editIssueLabels)},
		{"DELETE /repos/{owner}/{repo}/issues/{number}/labels", canTriage, onIssue((*call).editIssueLabels)},
		{"DELETE /repos/{owner}/{repo}/issues/{number}/labels/{name...}", canTriage, onIssue((*call).removeIssueLabel)},
	}
}

var hexColor = regexp.MustCompile(`^[0-9a-fA-F]{6}$`)

func (c *call) listLabels() error {
	rows, total, err := c.q.Labels(c.ctx(), c.repo.ID, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	return c.answerLabels(rows)
}

func (c *call) answerLabels(rows []hosted.Label) error {
	return list(c, rows, func(l hosted.Label) (wireLabel, error) { return c.f.wireLabel(c.repo, l), nil })
}

func (c *call) getLabel() error {
	l, err := c.q.Label(c.ctx(), c.repo.ID, c.path("name"))
	return answer(c, http.StatusOK, c.f.wireLabel(c.repo, l), err)
}

type labelRequest struct {
	Name        optional[string] `json:"name"`
	NewName     optional[string] `json:"new_name"`
	Color       optional[string] `json:"color"`
	Description optional[string] `json:"description"`
}

// apply puts what was given into a label, and checks it.
func (in labelRequest) apply(l *hosted.Label) error {
	in.NewName.apply(&l.Name)
	in.Color.apply(&l.Color)
	in.Description.apply(&l.Description)
	l.Color = strings.ToLower(strings.TrimPrefix(l.Color, "#"))
	switch {
	case strings.TrimSpace(l.Name) == "":
		return missing("Label", "name")
	case strings.Contains(l.Name, ","):
		return invalid("Label", "name", "invalid", "a comma separates labels, so none can be in a name")
	case !hexColor.MatchString(l.Color):
		return invalid("Label", "color", "invalid", "color is six hexadecimal digits")
	case len(l.Description) > 100*4:
		return invalid("Label", "description", "invalid", "description is too long (maximum is 100 characters)")
	}
	return nil
}

func (c *call) createLabel() error {
	var in labelRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	l := hosted.Label{RepoID: c.repo.ID, Color: "ededed"}
	in.NewName = in.Name
	if err := in.apply(&l); err != nil {
		return err
	}
	err := c.f.change(c.ctx(), func(v *view) error {
		var err error
		l, err = v.q.AddLabel(c.ctx(), l)
		return err
	})
	return answer(c, http.StatusCreated, c.f.wireLabel(c.repo, l), orExists(err, "Label", "name"))
}

func (c *call) editLabel() error {
	var in labelRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	if !in.NewName.Set {
		in.NewName = in.Name // go-github sends the new name as name
	}
	l, err := c.q.Label(c.ctx(), c.repo.ID, c.path("name"))
	if err != nil {
		return err
	}
	if err := in.apply(&l); err != nil {
		return err
	}
	err = c.f.change(c.ctx(), func(v *view) error { return v.q.UpdateLabel(c.ctx(), l) })
	return answer(c, http.StatusOK, c.f.wireLabel(c.repo, l), orExists(err, "Label", "name"))
}

func (c *call) deleteLabel() error {
	l, err := c.q.Label(c.ctx(), c.repo.ID, c.path("name"))
	if err != nil {
		return err
	}
	if err := c.f.change(c.ctx(), func(v *view) error { return v.q.RemoveLabel(c.ctx(), l.ID) }); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) issueLabels(i hosted.Issue) error {
	rows, err := c.q.IssueLabels(c.ctx(), i.ID)
	if err != nil {
		return err
	}
	return c.answerLabels(slice(c, rows))
}

// labelList is the labels of a request: a list, alone or in an object.
type labelList []labelName

// UnmarshalJSON implements json.Unmarshaler.
func (l *labelList) UnmarshalJSON(b []byte) error {
	names, err := decodeList[labelName](b, "labels")
	*l = names
	return err
}

func (c *call) editIssueLabels(i hosted.Issue) error {
	var names labelList
	if c.r.Method != http.MethodDelete {
		if err := c.decode(&names); err != nil {
			return err
		}
	}
	_, err := c.edit(i, func(ctx context.Context, e *editor) error {
		if c.r.Method == http.MethodPost {
			return e.addLabels(ctx, names)
		}
		return e.setLabels(ctx, names)
	})
	if err != nil {
		return err
	}
	if c.r.Method == http.MethodDelete {
		return c.empty(http.StatusNoContent)
	}
	return c.issueLabels(i)
}

func (c *call) removeIssueLabel(i hosted.Issue) error {
	absent := fail(http.StatusNotFound, "Label does not exist")
	_, err := c.edit(i, func(ctx context.Context, e *editor) error {
		have, err := e.v.q.IssueLabels(ctx, i.ID)
		if err != nil {
			return err
		}
		for _, l := range have {
			if strings.EqualFold(l.Name, c.path("name")) {
				return e.takeLabel(ctx, l)
			}
		}
		return absent
	})
	if errors.Is(err, absent) {
		return absent
	}
	if err != nil {
		return err
	}
	return c.issueLabels(i)
}
