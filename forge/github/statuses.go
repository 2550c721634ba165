package github

import (
	"context"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// Statuses returns the newest status of each context on a commit, newest
// first.
func (c *Client) Statuses(ctx context.Context, repo forge.RepoName, sha string) ([]forge.Status, error) {
	opts := firstPage()
	// The combined status would be one answer, but does not name who set
	// each.
	all, err := collect(c.gh.Repositories.ListStatusesIter(ctx, repo.Owner, repo.Name, sha, &opts), status)
	if err != nil {
		return nil, c.fail(err, "list statuses of commit %s in %s", sha, repo)
	}
	seen := make(map[string]bool, len(all))
	var out []forge.Status
	for _, s := range all {
		if !seen[s.Context] {
			seen[s.Context] = true
			out = append(out, s)
		}
	}
	return out, nil
}

// SetStatus sets the state of one context on a commit. ErrInvalid for an
// unknown state or a description of more than 140 characters; ErrNotFound or
// ErrInvalid for an unknown commit.
func (c *Client) SetStatus(ctx context.Context, repo forge.RepoName, sha string, s forge.Status) error {
	state := string(s.State)
	_, _, err := c.gh.Repositories.CreateStatus(ctx, repo.Owner, repo.Name, sha, github.RepoStatus{
		State: &state, Context: text(s.Context), Description: text(s.Description), TargetURL: text(s.TargetURL),
	})
	if err != nil {
		return c.fail(err, "set status %s of commit %s in %s", s.Context, sha, repo)
	}
	return nil
}

// CheckRuns returns the newest check run of each name on a commit.
func (c *Client) CheckRuns(ctx context.Context, repo forge.RepoName, sha string) ([]forge.CheckRun, error) {
	opts := &github.ListCheckRunsOptions{ListOptions: firstPage()}
	out, err := collect(c.gh.Checks.ListCheckRunsForRefIter(ctx, repo.Owner, repo.Name, sha, opts), checkRun)
	if err != nil {
		return nil, c.fail(err, "list check runs of commit %s in %s", sha, repo)
	}
	return out, nil
}

// CreateCheckRun starts a check run. On github.com only an app may.
func (c *Client) CreateCheckRun(ctx context.Context, repo forge.RepoName, r forge.CheckRun) (forge.CheckRun, error) {
	created, _, err := c.gh.Checks.CreateCheckRun(ctx, repo.Owner, repo.Name, github.CreateCheckRunOptions{
		Name: r.Name, HeadSHA: r.SHA,
		DetailsURL: text(r.DetailsURL), Status: text(r.Status), Conclusion: text(r.Conclusion),
		StartedAt: stamp(r.StartedAt), CompletedAt: stamp(r.CompletedAt), Output: output(r),
	})
	if err != nil {
		return forge.CheckRun{}, c.fail(err, "create check run %s on commit %s in %s", r.Name, r.SHA, repo)
	}
	return checkRun(created), nil
}

// UpdateCheckRun changes the check run with r's ID.
func (c *Client) UpdateCheckRun(ctx context.Context, repo forge.RepoName, r forge.CheckRun) (forge.CheckRun, error) {
	updated, _, err := c.gh.Checks.UpdateCheckRun(ctx, repo.Owner, repo.Name, r.ID, github.UpdateCheckRunOptions{
		Name: r.Name, DetailsURL: text(r.DetailsURL), Status: text(r.Status), Conclusion: text(r.Conclusion),
		CompletedAt: stamp(r.CompletedAt), Output: output(r),
	})
	if err != nil {
		return forge.CheckRun{}, c.fail(err, "update check run %d (%s) of %s", r.ID, r.Name, repo)
	}
	return checkRun(updated), nil
}

// output is left out without a title: GitHub wants title and summary together.
func output(r forge.CheckRun) *github.CheckRunOutput {
	if r.Title == "" {
		return nil
	}
	return &github.CheckRunOutput{Title: &r.Title, Summary: &r.Summary}
}
