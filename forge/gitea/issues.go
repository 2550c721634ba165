package gitea

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"

	"seaworthy/forge"
)

// Issue returns an issue, or the issue side of a pull request.
func (c *Client) Issue(ctx context.Context, repo forge.RepoName, number int) (forge.Issue, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.Issue{}, err
	}
	i, answer, err := api.GetIssue(repo.Owner, repo.Name, int64(number))
	if err != nil {
		return forge.Issue{}, fail(answer, err, "look up issue #%d of %s", number, repo)
	}
	return issue(repo, i), nil
}

// Issues returns issues and pull requests, newest first.
func (c *Client) Issues(ctx context.Context, repo forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	if f.State == "" {
		f.State = string(forge.StateOpen)
	}
	o := gitea.ListIssueOption{State: gitea.StateType(f.State), Labels: f.Labels, Type: ""}
	if f.Milestone != "" {
		if _, err := c.milestoneID(ctx, repo, f.Milestone); err != nil {
			return nil, fmt.Errorf("list issues of %s: %w", repo, err)
		}
		o.Milestones = []string{f.Milestone}
	}
	all, answer, err := collect(func(i *gitea.Issue) forge.Issue { return issue(repo, i) }, func(page gitea.ListOptions) ([]*gitea.Issue, *gitea.Response, error) {
		o.ListOptions = page
		return api.ListRepoIssues(repo.Owner, repo.Name, o)
	})
	if err != nil {
		return nil, fail(answer, err, "list issues of %s", repo)
	}
	// A label or milestone that the repository does not have filters nothing.
	return slices.DeleteFunc(all, func(i forge.Issue) bool {
		return f.Milestone != "" && !strings.EqualFold(i.Milestone, f.Milestone) ||
			slices.ContainsFunc(f.Labels, func(l string) bool { return !i.HasLabel(l) })
	}), nil
}

// CreateIssue opens an issue. A label that the repository does not have is added;
// ErrNotFound for a milestone that it does not have.
func (c *Client) CreateIssue(ctx context.Context, repo forge.RepoName, n forge.NewIssue) (forge.Issue, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.Issue{}, err
	}
	labels, err := c.labelIDs(ctx, repo, n.Labels)
	if err != nil {
		return forge.Issue{}, fmt.Errorf("open an issue in %s: %w", repo, err)
	}
	o := gitea.CreateIssueOption{Title: n.Title, Body: n.Body, Assignees: n.Assignees, Labels: labels}
	if n.Milestone != "" {
		if o.Milestone, err = c.milestoneID(ctx, repo, n.Milestone); err != nil {
			return forge.Issue{}, fmt.Errorf("open an issue in %s: %w", repo, err)
		}
	}
	i, answer, err := api.CreateIssue(repo.Owner, repo.Name, o)
	if err != nil {
		return forge.Issue{}, fail(answer, err, "open an issue in %s", repo)
	}
	return issue(repo, i), nil
}

// EditIssue changes what is set.
func (c *Client) EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error {
	body := map[string]any{}
	if e.Title != nil {
		body["title"] = *e.Title
	}
	if e.Body != nil {
		body["body"] = *e.Body
	}
	if e.State != nil {
		body["state"] = string(*e.State)
	}
	if e.Milestone != nil {
		var id int64
		if *e.Milestone != "" {
			var err error
			if id, err = c.milestoneID(ctx, repo, *e.Milestone); err != nil {
				return fmt.Errorf("edit issue #%d of %s: %w", number, repo, err)
			}
		}
		body["milestone"] = id
	}
	return c.do(ctx, http.MethodPatch, at(repo, fmt.Sprintf("issues/%d", number)), body, nil, "edit issue #%d of %s", number, repo)
}

// AddAssignees makes accounts responsible for an issue.
func (c *Client) AddAssignees(ctx context.Context, repo forge.RepoName, number int, logins []string) error {
	return c.assign(ctx, repo, number, func(have []string) []string {
		for _, l := range logins {
			if !slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, l) }) {
				have = append(have, l)
			}
		}
		return have
	})
}

// RemoveAssignees relieves accounts of an issue.
func (c *Client) RemoveAssignees(ctx context.Context, repo forge.RepoName, number int, logins []string) error {
	return c.assign(ctx, repo, number, func(have []string) []string {
		return slices.DeleteFunc(have, func(h string) bool {
			return slices.ContainsFunc(logins, func(l string) bool { return strings.EqualFold(h, l) })
		})
	})
}

// assign replaces the assignees of an issue: the forge knows no smaller step.
func (c *Client) assign(ctx context.Context, repo forge.RepoName, number int, change func([]string) []string) error {
	i, err := c.Issue(ctx, repo, number)
	if err != nil {
		return err
	}
	body := map[string]any{"assignees": append([]string{}, change(i.Assignees)...)}
	return c.do(ctx, http.MethodPatch, at(repo, fmt.Sprintf("issues/%d", number)), body, nil, "change who is responsible for #%d of %s", number, repo)
}

// Comments returns the comments of an issue or pull request, oldest first.
func (c *Client) Comments(ctx context.Context, repo forge.RepoName, number int) ([]forge.Comment, error) {
	// The forge gives all of one issue at once, whatever page is asked for.
	var all []*gitea.Comment
	if err := c.do(ctx, http.MethodGet, at(repo, fmt.Sprintf("issues/%d/comments", number)), nil, &all, "list comments of #%d in %s", number, repo); err != nil {
		return nil, c.orAbsent(ctx, repo, number, err)
	}
	var out []forge.Comment
	for _, one := range all {
		out = append(out, comment(one))
	}
	return out, nil
}

// CreateComment writes a comment on an issue or a pull request.
func (c *Client) CreateComment(ctx context.Context, repo forge.RepoName, number int, body string) (forge.Comment, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.Comment{}, err
	}
	made, answer, err := api.CreateIssueComment(repo.Owner, repo.Name, int64(number), gitea.CreateIssueCommentOption{Body: body})
	if err != nil {
		return forge.Comment{}, c.orAbsent(ctx, repo, number, fail(answer, err, "comment on #%d in %s", number, repo))
	}
	return comment(made), nil
}

// orAbsent says that an issue is not there where Gitea, asked for its comments,
// says that it has failed itself.
func (c *Client) orAbsent(ctx context.Context, repo forge.RepoName, number int, err error) error {
	if !errors.Is(err, forge.ErrUnavailable) {
		return err
	}
	if _, absent := c.Issue(ctx, repo, number); errors.Is(absent, forge.ErrNotFound) {
		return absent
	}
	return err
}

// EditComment replaces the text of a comment.
func (c *Client) EditComment(ctx context.Context, repo forge.RepoName, id int64, body string) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	if _, answer, err := api.EditIssueComment(repo.Owner, repo.Name, id, gitea.EditIssueCommentOption{Body: body}); err != nil {
		return fail(answer, err, "edit comment %d in %s", id, repo)
	}
	return nil
}

// DeleteComment removes a comment.
func (c *Client) DeleteComment(ctx context.Context, repo forge.RepoName, id int64) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	if answer, err := api.DeleteIssueComment(repo.Owner, repo.Name, id); err != nil {
		return fail(answer, err, "delete comment %d in %s", id, repo)
	}
	return nil
}

// label is a label as the forge has it.
func (c *Client) labels(ctx context.Context, repo forge.RepoName) ([]*gitea.Label, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	all, answer, err := collect(func(l *gitea.Label) *gitea.Label { return l }, func(o gitea.ListOptions) ([]*gitea.Label, *gitea.Response, error) {
		return api.ListRepoLabels(repo.Owner, repo.Name, gitea.ListLabelsOptions{ListOptions: o})
	})
	if err != nil {
		return nil, fail(answer, err, "list labels of %s", repo)
	}
	return all, nil
}

// Labels returns the labels that the repository offers.
func (c *Client) Labels(ctx context.Context, repo forge.RepoName) ([]forge.Label, error) {
	all, err := c.labels(ctx, repo)
	if err != nil {
		return nil, err
	}
	var out []forge.Label
	for _, l := range all {
		out = append(out, forge.Label{Name: l.Name, Color: strings.TrimPrefix(l.Color, "#"), Description: l.Description})
	}
	return out, nil
}

// newLabel is the colour of a label that nobody has described.
const newLabel = "ededed"

// labelIDs are what Gitea calls labels by. What the repository does not have is
// added, as other forges do by themselves.
func (c *Client) labelIDs(ctx context.Context, repo forge.RepoName, names []string) ([]int64, error) {
	if len(names) == 0 {
		return nil, nil
	}
	all, err := c.labels(ctx, repo)
	if err != nil {
		return nil, err
	}
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, name := range names {
		i := slices.IndexFunc(all, func(l *gitea.Label) bool { return strings.EqualFold(l.Name, name) })
		if i >= 0 {
			ids = append(ids, all[i].ID)
			continue
		}
		made, answer, err := api.CreateLabel(repo.Owner, repo.Name, gitea.CreateLabelOption{Name: name, Color: "#" + newLabel})
		if err != nil {
			return nil, fail(answer, err, "create label %s in %s", name, repo)
		}
		ids = append(ids, made.ID)
	}
	return ids, nil
}

// CreateLabel adds a label. ErrExists if there is one of that name, which Gitea
// itself would allow.
func (c *Client) CreateLabel(ctx context.Context, repo forge.RepoName, l forge.Label) error {
	all, err := c.labels(ctx, repo)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(have *gitea.Label) bool { return strings.EqualFold(have.Name, l.Name) }) {
		return fmt.Errorf("create label %s in %s: %w", l.Name, repo, forge.ErrExists)
	}
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	if _, answer, err := api.CreateLabel(repo.Owner, repo.Name, gitea.CreateLabelOption{Name: l.Name, Color: "#" + l.Color, Description: l.Description}); err != nil {
		return fail(answer, err, "create label %s in %s", l.Name, repo)
	}
	return nil
}

// AddLabels puts labels onto an issue or pull request, new ones too.
func (c *Client) AddLabels(ctx context.Context, repo forge.RepoName, number int, labels ...string) error {
	ids, err := c.labelIDs(ctx, repo, labels)
	if err != nil {
		return err
	}
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	if _, answer, err := api.AddIssueLabels(repo.Owner, repo.Name, int64(number), gitea.IssueLabelsOption{Labels: ids}); err != nil {
		return fail(answer, err, "add labels to #%d of %s", number, repo)
	}
	return nil
}

// RemoveLabel takes a label off an issue or pull request. One that is not on it is
// no error.
func (c *Client) RemoveLabel(ctx context.Context, repo forge.RepoName, number int, label string) error {
	i, err := c.Issue(ctx, repo, number)
	if err != nil {
		return err
	}
	if !i.HasLabel(label) {
		return nil
	}
	ids, err := c.labelIDs(ctx, repo, []string{label})
	if err != nil {
		return err
	}
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	if answer, err := api.DeleteIssueLabel(repo.Owner, repo.Name, int64(number), ids[0]); err != nil {
		return fail(answer, err, "remove label %s of #%d in %s", label, number, repo)
	}
	return nil
}

// Milestones returns the milestones in a state: open, closed or all.
func (c *Client) Milestones(ctx context.Context, repo forge.RepoName, state string) ([]forge.Milestone, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	all, answer, err := collect(milestone, func(o gitea.ListOptions) ([]*gitea.Milestone, *gitea.Response, error) {
		return api.ListRepoMilestones(repo.Owner, repo.Name, gitea.ListMilestoneOption{ListOptions: o, State: gitea.StateType(state)})
	})
	if err != nil {
		return nil, fail(answer, err, "list milestones of %s", repo)
	}
	return all, nil
}

func (c *Client) milestoneID(ctx context.Context, repo forge.RepoName, title string) (int64, error) {
	all, err := c.Milestones(ctx, repo, "all")
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(all, func(m forge.Milestone) bool { return m.Title == title })
	if i < 0 {
		return 0, fmt.Errorf("milestone %q of %s: %w", title, repo, forge.ErrNotFound)
	}
	return int64(all[i].Number), nil
}

// deadline is a milestone's, nil for none.
func deadline(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// CreateMilestone adds a milestone. ErrExists if there is one of that title,
// which Gitea itself would allow.
func (c *Client) CreateMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) (forge.Milestone, error) {
	have, err := c.Milestones(ctx, repo, "all")
	if err != nil {
		return forge.Milestone{}, err
	}
	if slices.ContainsFunc(have, func(h forge.Milestone) bool { return h.Title == m.Title }) {
		return forge.Milestone{}, fmt.Errorf("create milestone %s in %s: %w", m.Title, repo, forge.ErrExists)
	}
	api, err := c.api(ctx)
	if err != nil {
		return forge.Milestone{}, err
	}
	made, answer, err := api.CreateMilestone(repo.Owner, repo.Name, gitea.CreateMilestoneOption{
		Title: m.Title, Description: m.Description, State: gitea.StateType(m.State), Deadline: deadline(m.DueOn),
	})
	if err != nil {
		return forge.Milestone{}, fail(answer, err, "create milestone %s in %s", m.Title, repo)
	}
	return milestone(made), nil
}

// EditMilestone changes a milestone, found by its number; what is empty stays.
func (c *Client) EditMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	o := gitea.EditMilestoneOption{Title: m.Title, Deadline: deadline(m.DueOn)}
	if m.Description != "" {
		o.Description = &m.Description
	}
	if state := gitea.StateType(m.State); state != "" {
		o.State = &state
	}
	if _, answer, err := api.EditMilestone(repo.Owner, repo.Name, int64(m.Number), o); err != nil {
		return fail(answer, err, "edit milestone %d of %s", m.Number, repo)
	}
	return nil
}
