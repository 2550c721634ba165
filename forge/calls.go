package forge

// This file holds the argument types of an adapter's calls.

// NewRepo asks for a repository.
type NewRepo struct {
	RepoName
	Description   string
	DefaultBranch string // "main" when empty
	Private       bool
}

// PullFilter selects pull requests. The zero value means: open ones.
type PullFilter struct {
	State string // open (default), closed, all
	Base  string // base branch
	Head  string // "OWNER:BRANCH"
}

// NewPullRequest asks for a pull request.
type NewPullRequest struct {
	Title string
	Body  string
	Head  string // branch, or "OWNER:BRANCH" from another fork
	Base  string
	Draft bool
}

// EditPullRequest changes what is set; nil leaves a field alone.
type EditPullRequest struct {
	Title *string
	Body  *string
	State *State
	Base  *string
}

// IssueFilter selects issues (pull requests included, GitHub's rule).
type IssueFilter struct {
	State     string // open (default), closed, all
	Labels    []string
	Milestone string // title; empty means any
}

// NewIssue asks for an issue.
type NewIssue struct {
	Title     string
	Body      string
	Labels    []string
	Assignees []string
	Milestone string // title
}

// EditIssue changes what is set; nil leaves a field alone.
type EditIssue struct {
	Title *string
	Body  *string
	State *State
	// Milestone is a title; a pointer to "" clears it.
	Milestone *string
}

// Merge asks for a pull request to be merged.
type Merge struct {
	Method  MergeMethod
	SHA     string // head must still be this commit; a mismatch is ErrConflict
	Title   string // squash or merge commit title; empty lets the forge choose
	Message string
}

// NewRelease asks for a release page.
type NewRelease struct {
	Tag        string
	Target     string
	Name       string
	Body       string
	Draft      bool
	Prerelease bool
}

// EditRelease changes what is set; nil leaves a field alone.
type EditRelease struct {
	Tag        *string
	Name       *string
	Body       *string
	Draft      *bool
	Prerelease *bool
}
