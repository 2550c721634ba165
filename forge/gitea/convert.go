package gitea

import (
	"cmp"
	"slices"
	"time"

	"code.gitea.io/sdk/gitea"

	"seaworthy/forge"
)

func newest(all []*gitea.Status) []forge.Status {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *gitea.Status) int { return cmp.Compare(b.ID, a.ID) })
	seen := map[string]bool{}
	var out []forge.Status
	for _, s := range all {
		if !seen[s.Context] {
			seen[s.Context] = true
			out = append(out, status(s))
		}
	}
	return out
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func logins(users []*gitea.User) []string {
	var all []string
	for _, u := range users {
		all = append(all, login(u))
	}
	return all
}

func labelNames(labels []*gitea.Label) []string {
	var all []string
	for _, l := range labels {
		all = append(all, l.Name)
	}
	return all
}

func milestoneTitle(m *gitea.Milestone) string {
	if m == nil {
		return ""
	}
	return m.Title
}

func side(repo forge.RepoName, b *gitea.PRBranchInfo) forge.Side {
	if b == nil {
		return forge.Side{Repo: repo}
	}
	s := forge.Side{Repo: repo, Branch: b.Ref, SHA: b.Sha}
	if b.Repository != nil {
		s.Repo = repository(b.Repository).RepoName
	}
	return s
}

func pullRequest(repo forge.RepoName, p *gitea.PullRequest) forge.PullRequest {
	out := forge.PullRequest{Repo: repo, Number: int(p.Index), Title: p.Title, Body: p.Body, Author: login(p.Poster), State: forge.State(p.State),
		Draft: p.Draft, Base: side(repo, p.Base), Head: side(repo, p.Head), Labels: labelNames(p.Labels), Milestone: milestoneTitle(p.Milestone),
		Assignees: logins(p.Assignees), Reviewers: logins(p.RequestedReviewers), Merged: p.HasMerged, MergedBy: login(p.MergedBy), MergedAt: moment(p.Merged),
		CreatedAt: moment(p.Created), UpdatedAt: moment(p.Updated), ClosedAt: moment(p.Closed), HTMLURL: p.HTMLURL}
	if p.MergedCommitID != nil {
		out.MergeSHA = *p.MergedCommitID
	}
	if p.Mergeable {
		out.Mergeability = forge.MergeClean
	}
	return out
}

func issue(repo forge.RepoName, i *gitea.Issue) forge.Issue {
	out := forge.Issue{Repo: repo, Number: int(i.Index), Title: i.Title, Body: i.Body, Author: login(i.Poster), State: forge.State(i.State),
		Labels: labelNames(i.Labels), Milestone: milestoneTitle(i.Milestone), Assignees: logins(i.Assignees), IsPull: i.PullRequest != nil,
		CreatedAt: i.Created.UTC(), UpdatedAt: i.Updated.UTC(), ClosedAt: moment(i.Closed), HTMLURL: i.HTMLURL}
	slices.Sort(out.Labels)
	return out
}

func comment(c *gitea.Comment) forge.Comment {
	return forge.Comment{ID: c.ID, Author: login(c.Poster), Body: c.Body, CreatedAt: c.Created.UTC(), UpdatedAt: c.Updated.UTC(), HTMLURL: c.HTMLURL}
}

func milestone(m *gitea.Milestone) forge.Milestone {
	return forge.Milestone{Number: int(m.ID), Title: m.Title, Description: m.Description, State: forge.State(m.State), DueOn: moment(m.Deadline),
		OpenIssues: m.OpenIssues, ClosedIssue: m.ClosedIssues}
}

func release(r *gitea.Release) forge.Release {
	out := forge.Release{ID: r.ID, Tag: r.TagName, Target: r.Target, Name: r.Title, Body: r.Note, Draft: r.IsDraft, Prerelease: r.IsPrerelease,
		Author: login(r.Publisher), CreatedAt: r.CreatedAt.UTC(), HTMLURL: r.HTMLURL}
	if !r.IsDraft {
		out.PublishedAt = r.PublishedAt.UTC()
	}
	for _, a := range r.Attachments {
		out.Assets = append(out.Assets, asset(a))
	}
	return out
}

// asset is a file: one that is listed is whole, for a broken upload leaves none.
func asset(a *gitea.Attachment) forge.Asset {
	return forge.Asset{ID: a.ID, Name: a.Name, State: "uploaded", Size: a.Size, DownloadURL: a.DownloadURL, CreatedAt: a.Created.UTC()}
}
