package github

import (
	"context"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// Protect replaces a branch's protection.
//
// "Through a pull request, except PushLogins" is said in GitHub's words as a
// required review of zero approvals with allowances to bypass it: unlike a
// push restriction, that leaves merging to everybody who may write.
func (c *Client) Protect(ctx context.Context, repo forge.RepoName, branch string, p forge.Protection) error {
	contexts := append([]string{}, p.RequiredContexts...)
	req := &github.ProtectionRequest{
		RequiredPullRequestReviews: &github.PullRequestReviewsEnforcementRequest{},
		EnforceAdmins:              p.EnforceAdmins,
		AllowForcePushes:           &p.AllowForcePush,
		AllowDeletions:             &p.AllowDeletion,
	}
	if len(contexts) > 0 {
		req.RequiredStatusChecks = &github.RequiredStatusChecks{Contexts: &contexts}
	}
	if len(p.PushLogins) > 0 {
		req.RequiredPullRequestReviews.BypassPullRequestAllowancesRequest = &github.BypassPullRequestAllowancesRequest{
			Users: p.PushLogins, Teams: []string{}, Apps: []string{},
		}
	}
	if _, _, err := c.gh.Repositories.UpdateBranchProtection(ctx, repo.Owner, repo.Name, branch, req); err != nil {
		return c.fail(err, "protect branch %s of %s", branch, repo)
	}
	return nil
}

// Protection returns a branch's protection. ErrNotFound if it has none.
func (c *Client) Protection(ctx context.Context, repo forge.RepoName, branch string) (forge.Protection, error) {
	p, _, err := c.gh.Repositories.GetBranchProtection(ctx, repo.Owner, repo.Name, branch)
	if err != nil {
		return forge.Protection{}, c.fail(err, "look up the protection of branch %s of %s", branch, repo)
	}
	out := forge.Protection{
		EnforceAdmins:  p.EnforceAdmins != nil && p.EnforceAdmins.Enabled,
		AllowForcePush: p.AllowForcePushes != nil && p.AllowForcePushes.Enabled,
		AllowDeletion:  p.AllowDeletions != nil && p.AllowDeletions.Enabled,
	}
	if checks := p.RequiredStatusChecks; checks != nil && checks.Contexts != nil {
		out.RequiredContexts = *checks.Contexts
	}
	if reviews := p.RequiredPullRequestReviews; reviews != nil && reviews.BypassPullRequestAllowances != nil {
		out.PushLogins = logins(reviews.BypassPullRequestAllowances.Users)
	}
	return out, nil
}
