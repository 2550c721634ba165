package github

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// CreateIssue opens an issue. ErrNotFound for an unknown milestone.
func (c *Client) CreateIssue(ctx context.Context, repo forge.RepoName, n forge.NewIssue) (forge.Issue, error) {
	attempted := fmt.Sprintf("open issue %q in %s", n.Title, repo)
	req := &github.IssueRequest{Title: &n.Title, Body: text(n.Body)}
	if len(n.Labels) > 0 {
		req.Labels = &n.Labels
	}
	if len(n.Assignees) > 0 {
		req.Assignees = &n.Assignees
	}
	if n.Milestone != "" {
		number, err := c.milestoneNumber(ctx, repo, n.Milestone)
		if err != nil {
			return forge.Issue{}, fmt.Errorf("%s: %w", attempted, err)
		}
		req.Milestone = &number
	}
	i, _, err := c.gh.Issues.Create(ctx, repo.Owner, repo.Name, req)
	if err != nil {
		return forge.Issue{}, c.fail(err, "%s", attempted)
	}
	return *issue(repo, i), nil
}

// Issue returns one issue or pull request.
func (c *Client) Issue(ctx context.Context, repo forge.RepoName, number int) (forge.Issue, error) {
	i, _, err := c.gh.Issues.Get(ctx, repo.Owner, repo.Name, number)
	if err != nil {
		return forge.Issue{}, c.fail(err, "look up issue %s#%d", repo, number)
	}
	return *issue(repo, i), nil
}

// Issues lists issues and pull requests, newest first. ErrNotFound for an
// unknown milestone.
func (c *Client) Issues(ctx context.Context, repo forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error) {
	attempted := "list issues of " + repo.String()
	opts := &github.IssueListByRepoOptions{State: f.State, Labels: f.Labels, ListOptions: firstPage()}
	if f.Milestone != "" {
		number, err := c.milestoneNumber(ctx, repo, f.Milestone)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", attempted, err)
		}
		opts.Milestone = strconv.Itoa(number)
	}
	out, err := collect(c.gh.Issues.ListByRepoIter(ctx, repo.Owner, repo.Name, opts),
		func(i *github.Issue) forge.Issue { return *issue(repo, i) })
	if err != nil {
		return nil, c.fail(err, "%s", attempted)
	}
	return out, nil
}

// EditIssue changes what is set, of an issue or a pull request. ErrNotFound
// for an unknown milestone.
func (c *Client) EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error {
	attempted := fmt.Sprintf("edit issue %s#%d", repo, number)
	req := &github.IssueRequest{Title: e.Title, Body: e.Body, State: (*string)(e.State)}
	clearing := e.Milestone != nil && *e.Milestone == ""
	if e.Milestone != nil && !clearing {
		n, err := c.milestoneNumber(ctx, repo, *e.Milestone)
		if err != nil {
			return fmt.Errorf("%s: %w", attempted, err)
		}
		req.Milestone = &n
	}
	if clearing {
		// Only this request can say null.
		if _, _, err := c.gh.Issues.RemoveMilestone(ctx, repo.Owner, repo.Name, number); err != nil {
			return c.fail(err, "%s", attempted)
		}
		if e.Title == nil && e.Body == nil && e.State == nil {
			return nil
		}
	}
	if _, _, err := c.gh.Issues.Edit(ctx, repo.Owner, repo.Name, number, req); err != nil {
		return c.fail(err, "%s", attempted)
	}
	return nil
}

// Comments returns the comments of an issue or pull request, oldest first.
func (c *Client) Comments(ctx context.Context, repo forge.RepoName, number int) ([]forge.Comment, error) {
	opts := &github.IssueListCommentsOptions{ListOptions: firstPage()}
	out, err := collect(c.gh.Issues.ListCommentsIter(ctx, repo.Owner, repo.Name, number, opts),
		func(m *github.IssueComment) forge.Comment { return *comment(m) })
	if err != nil {
		return nil, c.fail(err, "list comments of %s#%d", repo, number)
	}
	return out, nil
}

// CreateComment comments on an issue or pull request.
func (c *Client) CreateComment(ctx context.Context, repo forge.RepoName, number int, body string) (forge.Comment, error) {
	m, _, err := c.gh.Issues.CreateComment(ctx, repo.Owner, repo.Name, number, &github.IssueComment{Body: &body})
	if err != nil {
		return forge.Comment{}, c.fail(err, "comment on %s#%d", repo, number)
	}
	return *comment(m), nil
}

// EditComment replaces a comment's body.
func (c *Client) EditComment(ctx context.Context, repo forge.RepoName, id int64, body string) error {
	if _, _, err := c.gh.Issues.EditComment(ctx, repo.Owner, repo.Name, id, &github.IssueComment{Body: &body}); err != nil {
		return c.fail(err, "edit comment %d of %s", id, repo)
	}
	return nil
}

// DeleteComment removes a comment.
func (c *Client) DeleteComment(ctx context.Context, repo forge.RepoName, id int64) error {
	if _, err := c.gh.Issues.DeleteComment(ctx, repo.Owner, repo.Name, id); err != nil {
		return c.fail(err, "delete comment %d of %s", id, repo)
	}
	return nil
}

// AddLabels adds labels to an issue or pull request. A label the repository
// does not offer yet is created, as GitHub does.
func (c *Client) AddLabels(ctx context.Context, repo forge.RepoName, number int, labels ...string) error {
	if len(labels) == 0 {
		return nil
	}
	if _, _, err := c.gh.Issues.AddLabelsToIssue(ctx, repo.Owner, repo.Name, number, labels); err != nil {
		return c.fail(err, "add label %s to %s#%d", strings.Join(labels, ", "), repo, number)
	}
	return nil
}

// RemoveLabel takes a label off an issue or pull request. One that is not on
// it is no error.
func (c *Client) RemoveLabel(ctx context.Context, repo forge.RepoName, number int, label string) error {
	_, err := c.gh.Issues.RemoveLabelForIssue(ctx, repo.Owner, repo.Name, number, url.PathEscape(label))
	if err == nil {
		return nil
	}
	// The status is the same as for an issue that is not there.
	var refused *github.ErrorResponse
	if errors.As(err, &refused) && refused.Message == "Label does not exist" {
		return nil
	}
	return c.fail(err, "remove label %s from %s#%d", label, repo, number)
}

// AddAssignees assigns people. GitHub passes over those without access.
func (c *Client) AddAssignees(ctx context.Context, repo forge.RepoName, number int, logins []string) error {
	if len(logins) == 0 {
		return nil
	}
	if _, _, err := c.gh.Issues.AddAssignees(ctx, repo.Owner, repo.Name, number, logins); err != nil {
		return c.fail(err, "assign %s to %s#%d", strings.Join(logins, ", "), repo, number)
	}
	return nil
}

// RemoveAssignees takes people off; those not assigned are passed over.
func (c *Client) RemoveAssignees(ctx context.Context, repo forge.RepoName, number int, logins []string) error {
	if len(logins) == 0 {
		return nil
	}
	if _, _, err := c.gh.Issues.RemoveAssignees(ctx, repo.Owner, repo.Name, number, logins); err != nil {
		return c.fail(err, "take %s off %s#%d", strings.Join(logins, ", "), repo, number)
	}
	return nil
}

// Labels returns the labels a repository offers.
func (c *Client) Labels(ctx context.Context, repo forge.RepoName) ([]forge.Label, error) {
	opts := firstPage()
	out, err := collect(c.gh.Issues.ListLabelsIter(ctx, repo.Owner, repo.Name, &opts), label)
	if err != nil {
		return nil, c.fail(err, "list labels of %s", repo)
	}
	return out, nil
}

// CreateLabel offers a new label. ErrExists if there is one of that name.
func (c *Client) CreateLabel(ctx context.Context, repo forge.RepoName, l forge.Label) error {
	_, _, err := c.gh.Issues.CreateLabel(ctx, repo.Owner, repo.Name,
		&github.Label{Name: &l.Name, Color: text(l.Color), Description: text(l.Description)})
	if err != nil {
		return c.fail(err, "create label %s in %s", l.Name, repo)
	}
	return nil
}

// Milestones returns milestones in a state: open (also for ""), closed or all.
func (c *Client) Milestones(ctx context.Context, repo forge.RepoName, state string) ([]forge.Milestone, error) {
	opts := &github.MilestoneListOptions{State: state, ListOptions: firstPage()}
	out, err := collect(c.gh.Issues.ListMilestonesIter(ctx, repo.Owner, repo.Name, opts), milestone)
	if err != nil {
		return nil, c.fail(err, "list milestones of %s", repo)
	}
	return out, nil
}

// CreateMilestone creates a milestone; the forge chooses its number. ErrExists
// if there is one of that title.
func (c *Client) CreateMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) (forge.Milestone, error) {
	created, _, err := c.gh.Issues.CreateMilestone(ctx, repo.Owner, repo.Name, milestoneRequest(m))
	if err != nil {
		return forge.Milestone{}, c.fail(err, "create milestone %s in %s", m.Title, repo)
	}
	return milestone(created), nil
}

// EditMilestone replaces title, description, due date and state of the
// milestone with m's number; what is empty in m is left alone.
func (c *Client) EditMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) error {
	_, _, err := c.gh.Issues.EditMilestone(ctx, repo.Owner, repo.Name, m.Number, milestoneRequest(m))
	if err != nil {
		return c.fail(err, "edit milestone %d (%s) of %s", m.Number, m.Title, repo)
	}
	return nil
}

func milestoneRequest(m forge.Milestone) *github.Milestone {
	return &github.Milestone{
		Title: text(m.Title), Description: text(m.Description), State: text(string(m.State)), DueOn: stamp(m.DueOn),
	}
}

// milestoneNumber finds a milestone by its title: GitHub's requests want the
// number, people and the product use the title.
func (c *Client) milestoneNumber(ctx context.Context, repo forge.RepoName, title string) (int, error) {
	all, err := c.Milestones(ctx, repo, "all")
	if err != nil {
		return 0, err
	}
	for _, m := range all {
		if m.Title == title {
			return m.Number, nil
		}
	}
	return 0, fmt.Errorf("milestone %q of %s: %w: create it first", title, repo, forge.ErrNotFound)
}
