package gitea

import (
	"context"
	"slices"

	"code.gitea.io/sdk/gitea"

	"seaworthy/forge"
)

// PullRequest returns a pull request.
func (c *Client) PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.PullRequest{}, err
	}
	p, answer, err := api.GetPullRequest(repo.Owner, repo.Name, int64(number))
	if err != nil {
		return forge.PullRequest{}, fail(answer, err, "look up pull request #%d of %s", number, repo)
	}
	return pullRequest(repo, p), nil
}

// PullRequests returns pull requests, newest first.
func (c *Client) PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	if f.State == "" {
		f.State = string(forge.StateOpen)
	}
	all, answer, err := collect(func(p *gitea.PullRequest) forge.PullRequest { return pullRequest(repo, p) },
		func(o gitea.ListOptions) ([]*gitea.PullRequest, *gitea.Response, error) {
			return api.ListRepoPullRequests(repo.Owner, repo.Name, gitea.ListPullRequestsOptions{ListOptions: o, State: gitea.StateType(f.State)})
		})
	if err != nil {
		return nil, fail(answer, err, "list pull requests of %s", repo)
	}
	// The forge filters by neither branch.
	return slices.DeleteFunc(all, func(p forge.PullRequest) bool {
		return f.Base != "" && p.Base.Branch != f.Base || f.Head != "" && p.Head.Repo.Owner+":"+p.Head.Branch != f.Head
	}), nil
}

// CreatePullRequest proposes a branch. ErrExists if there is an open one of the
// same branches.
func (c *Client) CreatePullRequest(ctx context.Context, repo forge.RepoName, n forge.NewPullRequest) (forge.PullRequest, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.PullRequest{}, err
	}
	title := n.Title
	if n.Draft {
		title = "WIP: " + title // what makes a draft here
	}
	p, answer, err := api.CreatePullRequest(repo.Owner, repo.Name, gitea.CreatePullRequestOption{Head: n.Head, Base: n.Base, Title: title, Body: n.Body})
	if err != nil {
		return forge.PullRequest{}, fail(answer, err, "propose %s for %s of %s", n.Head, n.Base, repo)
	}
	return pullRequest(repo, p), nil
}
