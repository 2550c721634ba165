package github

import (
	"strings"
	"time"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// This file turns the library's wire types into forge's. Each function takes
// nil for "nothing" and gives the zero value.

func moment(t github.Timestamp) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// stamp is the way back; the zero time is left out.
func stamp(t time.Time) *github.Timestamp {
	if t.IsZero() {
		return nil
	}
	return &github.Timestamp{Time: t.UTC()}
}

// text points at s, or at nothing if s is empty, so that it is left out.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func user(u *github.User) forge.User {
	return forge.User{
		Login: u.GetLogin(),
		Name:  u.GetName(),
		Email: u.GetEmail(),
		Bot:   u.GetType() == "Bot" || strings.HasSuffix(u.GetLogin(), "[bot]"),
	}
}

func logins(users []*github.User) []string {
	var out []string
	for _, u := range users {
		out = append(out, u.GetLogin())
	}
	return out
}

func repoName(r *github.Repository) forge.RepoName {
	n, err := forge.ParseRepoName(r.GetFullName())
	if err != nil {
		return forge.RepoName{} // a deleted fork has no repository
	}
	return n
}

func repository(r *github.Repository) forge.Repo {
	return forge.Repo{
		RepoName:      repoName(r),
		Description:   r.GetDescription(),
		DefaultBranch: r.GetDefaultBranch(),
		CloneURL:      r.GetCloneURL(),
		HTMLURL:       r.GetHTMLURL(),
		Private:       r.GetPrivate(),
		Archived:      r.GetArchived(),
	}
}

func branch(b *github.Branch) forge.Branch {
	return forge.Branch{Name: b.GetName(), SHA: b.GetCommit().GetSHA(), Protected: b.GetProtected()}
}

func signature(a *github.CommitAuthor) forge.Signature {
	return forge.Signature{Name: a.GetName(), Email: a.GetEmail(), Time: moment(a.GetDate())}
}

func commit(c *github.RepositoryCommit) forge.Commit {
	out := forge.Commit{
		SHA:         c.GetSHA(),
		Author:      signature(c.GetCommit().GetAuthor()),
		Committer:   signature(c.GetCommit().GetCommitter()),
		Message:     c.GetCommit().GetMessage(),
		AuthorLogin: c.GetAuthor().GetLogin(),
	}
	for _, p := range c.GetParents() {
		out.Parents = append(out.Parents, p.GetSHA())
	}
	return out
}

func fileChange(f *github.CommitFile) forge.FileChange {
	return forge.FileChange{
		Path:         f.GetFilename(),
		PreviousPath: f.GetPreviousFilename(),
		Status:       f.GetStatus(),
		Additions:    f.GetAdditions(),
		Deletions:    f.GetDeletions(),
		Patch:        f.GetPatch(),
	}
}

func labelNames(labels []*github.Label) []string {
	var out []string
	for _, l := range labels {
		out = append(out, l.GetName())
	}
	return out
}

func label(l *github.Label) forge.Label {
	return forge.Label{Name: l.GetName(), Color: l.GetColor(), Description: l.GetDescription()}
}

func milestone(m *github.Milestone) forge.Milestone {
	return forge.Milestone{
		Number:      m.GetNumber(),
		Title:       m.GetTitle(),
		Description: m.GetDescription(),
		State:       forge.State(m.GetState()),
		DueOn:       moment(m.GetDueOn()),
		OpenIssues:  m.GetOpenIssues(),
		ClosedIssue: m.GetClosedIssues(),
	}
}

// side converts one end of a pull request; the repository of a deleted fork is
// not there any more, and stays empty.
func side(b *github.PullRequestBranch) forge.Side {
	return forge.Side{Repo: repoName(b.GetRepo()), Branch: b.GetRef(), SHA: b.GetSHA()}
}

func pullRequest(repo forge.RepoName, p *github.PullRequest) *forge.PullRequest {
	out := &forge.PullRequest{
		Repo:      repo,
		Number:    p.GetNumber(),
		Title:     p.GetTitle(),
		Body:      p.GetBody(),
		Author:    p.GetUser().GetLogin(),
		State:     forge.State(p.GetState()),
		Draft:     p.GetDraft(),
		Base:      side(p.GetBase()),
		Head:      side(p.GetHead()),
		Labels:    labelNames(p.GetLabels()),
		Milestone: p.GetMilestone().GetTitle(),
		Assignees: logins(p.GetAssignees()),
		Reviewers: logins(p.GetRequestedReviewers()),
		// A list says when a pull request was merged, but not that it was.
		Merged:    p.GetMerged() || !moment(p.GetMergedAt()).IsZero(),
		MergedBy:  p.GetMergedBy().GetLogin(),
		MergedAt:  moment(p.GetMergedAt()),
		CreatedAt: moment(p.GetCreatedAt()),
		UpdatedAt: moment(p.GetUpdatedAt()),
		ClosedAt:  moment(p.GetClosedAt()),
		HTMLURL:   p.GetHTMLURL(),
	}
	if out.Merged {
		// Before that, it is GitHub's test merge, which is on no branch.
		out.MergeSHA = p.GetMergeCommitSHA()
	}
	if p != nil && p.Mergeable != nil { // the getter does not tell false from unknown
		out.Mergeability = forge.MergeConflict
		if *p.Mergeable {
			out.Mergeability = forge.MergeClean
		}
	}
	return out
}

func review(r *github.PullRequestReview) *forge.Review {
	return &forge.Review{
		ID:     r.GetID(),
		Author: r.GetUser().GetLogin(),
		Body:   r.GetBody(),
		// The API shouts, webhooks whisper.
		State:       forge.ReviewState(strings.ToUpper(r.GetState())),
		SHA:         r.GetCommitID(),
		SubmittedAt: moment(r.GetSubmittedAt()),
	}
}

func issue(repo forge.RepoName, i *github.Issue) *forge.Issue {
	return &forge.Issue{
		Repo:      repo,
		Number:    i.GetNumber(),
		Title:     i.GetTitle(),
		Body:      i.GetBody(),
		Author:    i.GetUser().GetLogin(),
		State:     forge.State(i.GetState()),
		Labels:    labelNames(i.GetLabels()),
		Milestone: i.GetMilestone().GetTitle(),
		Assignees: logins(i.GetAssignees()),
		IsPull:    i.GetPullRequestLinks() != nil,
		CreatedAt: moment(i.GetCreatedAt()),
		UpdatedAt: moment(i.GetUpdatedAt()),
		ClosedAt:  moment(i.GetClosedAt()),
		HTMLURL:   i.GetHTMLURL(),
	}
}

func comment(c *github.IssueComment) *forge.Comment {
	return &forge.Comment{
		ID:        c.GetID(),
		Author:    c.GetUser().GetLogin(),
		Body:      c.GetBody(),
		CreatedAt: moment(c.GetCreatedAt()),
		UpdatedAt: moment(c.GetUpdatedAt()),
		HTMLURL:   c.GetHTMLURL(),
	}
}

func status(s *github.RepoStatus) forge.Status {
	return forge.Status{
		Context:     s.GetContext(),
		State:       forge.StatusState(s.GetState()),
		Description: s.GetDescription(),
		TargetURL:   s.GetTargetURL(),
		Creator:     s.GetCreator().GetLogin(),
		CreatedAt:   moment(s.GetCreatedAt()),
	}
}

func checkRun(r *github.CheckRun) forge.CheckRun {
	return forge.CheckRun{
		ID:          r.GetID(),
		Name:        r.GetName(),
		SHA:         r.GetHeadSHA(),
		Status:      r.GetStatus(),
		Conclusion:  r.GetConclusion(),
		DetailsURL:  r.GetDetailsURL(),
		Title:       r.GetOutput().GetTitle(),
		Summary:     r.GetOutput().GetSummary(),
		StartedAt:   moment(r.GetStartedAt()),
		CompletedAt: moment(r.GetCompletedAt()),
	}
}

func release(r *github.RepositoryRelease) *forge.Release {
	out := &forge.Release{
		ID:          r.GetID(),
		Tag:         r.GetTagName(),
		Target:      r.GetTargetCommitish(),
		Name:        r.GetName(),
		Body:        r.GetBody(),
		Draft:       r.GetDraft(),
		Prerelease:  r.GetPrerelease(),
		Author:      r.GetAuthor().GetLogin(),
		CreatedAt:   moment(r.GetCreatedAt()),
		PublishedAt: moment(r.GetPublishedAt()),
		HTMLURL:     r.GetHTMLURL(),
	}
	for _, a := range r.GetAssets() {
		out.Assets = append(out.Assets, asset(a))
	}
	return out
}

func asset(a *github.ReleaseAsset) forge.Asset {
	return forge.Asset{
		ID:          a.GetID(),
		Name:        a.GetName(),
		Label:       a.GetLabel(),
		ContentType: a.GetContentType(),
		State:       a.GetState(),
		Size:        int64(a.GetSize()),
		Digest:      a.GetDigest(),
		DownloadURL: a.GetBrowserDownloadURL(),
		CreatedAt:   moment(a.GetCreatedAt()),
	}
}

func hook(h *github.Hook) forge.Hook {
	return forge.Hook{ID: h.GetID(), URL: h.GetConfig().GetURL(), Events: h.GetEvents(), Active: h.GetActive()}
}
