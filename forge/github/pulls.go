package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// CreatePullRequest opens a pull request. ErrExists if head has one open into
// base already, ErrInvalid if a branch is missing or nothing lies between.
func (c *Client) CreatePullRequest(ctx context.Context, repo forge.RepoName, n forge.NewPullRequest) (forge.PullRequest, error) {
	p, _, err := c.gh.PullRequests.Create(ctx, repo.Owner, repo.Name, &github.NewPullRequest{
		Title: &n.Title, Body: text(n.Body), Head: &n.Head, Base: &n.Base, Draft: &n.Draft,
	})
	if err != nil {
		return forge.PullRequest{}, c.fail(err, "open a pull request from %s into %s of %s", n.Head, n.Base, repo)
	}
	return *pullRequest(repo, p), nil
}

// PullRequest returns one pull request, with its mergeability if the forge has
// worked it out by now.
func (c *Client) PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error) {
	p, _, err := c.gh.PullRequests.Get(ctx, repo.Owner, repo.Name, number)
	if err != nil {
		return forge.PullRequest{}, c.fail(err, "look up pull request %s#%d", repo, number)
	}
	return *pullRequest(repo, p), nil
}

// PullRequests lists pull requests, newest first. A list carries neither
// Mergeability nor MergedBy: ask for a single one.
func (c *Client) PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error) {
	head := f.Head
	if head != "" && !strings.Contains(head, ":") {
		head = repo.Owner + ":" + head // without an owner, GitHub ignores the filter
	}
	opts := &github.PullRequestListOptions{State: f.State, Base: f.Base, Head: head, ListOptions: firstPage()}
	out, err := collect(c.gh.PullRequests.ListIter(ctx, repo.Owner, repo.Name, opts), pullRequestOf(repo))
	if err != nil {
		return nil, c.fail(err, "list pull requests of %s", repo)
	}
	return out, nil
}

func pullRequestOf(repo forge.RepoName) func(*github.PullRequest) forge.PullRequest {
	return func(p *github.PullRequest) forge.PullRequest { return *pullRequest(repo, p) }
}

// EditPullRequest changes what is set. Reopening what cannot be reopened is
// ErrInvalid.
func (c *Client) EditPullRequest(ctx context.Context, repo forge.RepoName, number int, e forge.EditPullRequest) error {
	edit := &github.PullRequest{Title: e.Title, Body: e.Body, State: (*string)(e.State)}
	if e.Base != nil {
		edit.Base = &github.PullRequestBranch{Ref: e.Base}
	}
	if _, _, err := c.gh.PullRequests.Edit(ctx, repo.Owner, repo.Name, number, edit); err != nil {
		return c.fail(err, "edit pull request %s#%d", repo, number)
	}
	return nil
}

// PullRequestFiles returns the files a pull request changes (GitHub sends the
// first 3000).
func (c *Client) PullRequestFiles(ctx context.Context, repo forge.RepoName, number int) ([]forge.FileChange, error) {
	opts := firstPage()
	out, err := collect(c.gh.PullRequests.ListFilesIter(ctx, repo.Owner, repo.Name, number, &opts), fileChange)
	if err != nil {
		return nil, c.fail(err, "list files of pull request %s#%d", repo, number)
	}
	return out, nil
}

// PullRequestCommits returns a pull request's commits, oldest first (GitHub
// sends the first 250).
func (c *Client) PullRequestCommits(ctx context.Context, repo forge.RepoName, number int) ([]forge.Commit, error) {
	opts := firstPage()
	out, err := collect(c.gh.PullRequests.ListCommitsIter(ctx, repo.Owner, repo.Name, number, &opts), commit)
	if err != nil {
		return nil, c.fail(err, "list commits of pull request %s#%d", repo, number)
	}
	return out, nil
}

// Reviews returns the submitted reviews, oldest first.
func (c *Client) Reviews(ctx context.Context, repo forge.RepoName, number int) ([]forge.Review, error) {
	opts := firstPage()
	out, err := collect(c.gh.PullRequests.ListReviewsIter(ctx, repo.Owner, repo.Name, number, &opts), reviewOf)
	if err != nil {
		return nil, c.fail(err, "list reviews of pull request %s#%d", repo, number)
	}
	return out, nil
}

func reviewOf(r *github.PullRequestReview) forge.Review { return *review(r) }

// reviewEvent is a verdict in GitHub's request form.
func reviewEvent(s forge.ReviewState) (string, error) {
	switch s {
	case forge.ReviewApproved:
		return "APPROVE", nil
	case forge.ReviewChangesRequested:
		return "REQUEST_CHANGES", nil
	case forge.ReviewCommented:
		return "COMMENT", nil
	}
	return "", fmt.Errorf("%w: a review cannot be submitted as %q: use %s, %s or %s",
		forge.ErrInvalid, s, forge.ReviewApproved, forge.ReviewChangesRequested, forge.ReviewCommented)
}

// CreateReview submits a review on the current head. ErrInvalid if the author
// approves his own change, or for a verdict that is not one.
func (c *Client) CreateReview(ctx context.Context, repo forge.RepoName, number int, state forge.ReviewState, body string) (forge.Review, error) {
	event, err := reviewEvent(state)
	if err != nil {
		return forge.Review{}, fmt.Errorf("review pull request %s#%d: %w", repo, number, err)
	}
	r, _, err := c.gh.PullRequests.CreateReview(ctx, repo.Owner, repo.Name, number,
		&github.PullRequestReviewRequest{Body: text(body), Event: &event})
	if err != nil {
		return forge.Review{}, c.fail(err, "review pull request %s#%d", repo, number)
	}
	return *review(r), nil
}

// RequestReviewers asks people for a review. ErrInvalid if one of them is the
// author or has no access.
func (c *Client) RequestReviewers(ctx context.Context, repo forge.RepoName, number int, logins []string) error {
	if len(logins) == 0 {
		return nil
	}
	_, _, err := c.gh.PullRequests.RequestReviewers(ctx, repo.Owner, repo.Name, number, github.ReviewersRequest{Reviewers: logins})
	if err != nil {
		return c.fail(err, "ask %s to review pull request %s#%d", strings.Join(logins, ", "), repo, number)
	}
	return nil
}

// RemoveReviewers takes back a request for review; people who were not asked
// are passed over.
func (c *Client) RemoveReviewers(ctx context.Context, repo forge.RepoName, number int, logins []string) error {
	if len(logins) == 0 {
		return nil
	}
	_, err := c.gh.PullRequests.RemoveReviewers(ctx, repo.Owner, repo.Name, number, github.ReviewersRequest{Reviewers: logins})
	if err != nil {
		return c.fail(err, "ask %s no longer to review pull request %s#%d", strings.Join(logins, ", "), repo, number)
	}
	return nil
}

// MergePullRequest merges and returns the commit that is now on the base
// branch. ErrConflict if the head is not m.SHA any more, or the pull request
// does not merge, is closed, or may not be merged yet.
func (c *Client) MergePullRequest(ctx context.Context, repo forge.RepoName, number int, m forge.Merge) (sha string, err error) {
	r, _, err := c.gh.PullRequests.Merge(ctx, repo.Owner, repo.Name, number, m.Message,
		&github.PullRequestOptions{CommitTitle: m.Title, SHA: m.SHA, MergeMethod: string(m.Method)})
	if err != nil {
		return "", c.fail(err, "merge pull request %s#%d", repo, number)
	}
	if !r.GetMerged() {
		return "", fmt.Errorf("merge pull request %s#%d: %w: %s", repo, number, forge.ErrConflict, r.GetMessage())
	}
	return r.GetSHA(), nil
}

// PullRequestsForCommit returns the pull requests that brought a commit, or
// propose it.
func (c *Client) PullRequestsForCommit(ctx context.Context, repo forge.RepoName, sha string) ([]forge.PullRequest, error) {
	opts := firstPage()
	out, err := collect(c.gh.PullRequests.ListPullRequestsWithCommitIter(ctx, repo.Owner, repo.Name, sha, &opts), pullRequestOf(repo))
	if err != nil {
		return nil, c.fail(err, "list the pull requests of commit %s in %s", sha, repo)
	}
	return out, nil
}
