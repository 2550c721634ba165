package forgetest

import (
	"context"
	"io"
	"net/http"
	"testing"

	"seaworthy/forge"
)

// Fixture is a forge to be tested, and the accounts on it.
type Fixture struct {
	// Admin owns the repositories that NewRepo makes; Ann and Ben may push to
	// them. Stranger has an account and nothing else.
	Admin, Ann, Ben, Stranger Account

	// NewRepo makes an empty repository with default branch "main", which
	// belongs to Admin and to which Ann and Ben may push.
	NewRepo func(t *testing.T) forge.RepoName

	// Dial returns a client with a token, which may be a wrong one.
	Dial func(t *testing.T, token string) Client

	// CloneURL is the URL of a repository for git, without credentials. It
	// takes a login and its token by basic authentication.
	CloneURL func(repo forge.RepoName) string

	// Verify checks a webhook's signature, Decode reads it.
	Verify func(secret string, header http.Header, body []byte) error
	Decode func(header http.Header, body []byte) (forge.Event, error)

	// Redeliver asks the forge to send a delivery of a hook again. Nil means
	// that it cannot.
	Redeliver func(ctx context.Context, repo forge.RepoName, hook int64, delivery string) error

	// Pushed, if the forge learns of a push later than git does, waits until it
	// knows the first one to a repository.
	Pushed func(t *testing.T, repo forge.RepoName)

	// Lacks maps the names of tests that the forge cannot pass to the reason.
	Lacks map[string]string
	// NoAssetDetails says that the forge tells neither digest nor content type
	// of an asset.
	NoAssetDetails bool
}

// Account is one account on the forge under test.
type Account struct {
	Login  string
	Token  string
	Client Client
}

// Client is everything the suite asks of an adapter.
type Client interface {
	Repositories
	Branches
	Contents
	PullRequests
	Reviews
	Issues
	Comments
	Labels
	Milestones
	Statuses
	Releases
	Assets
	Hooks
}

// Repositories are the calls about accounts and repositories.
type Repositories interface {
	User(ctx context.Context) (forge.User, error)
	CreateRepo(ctx context.Context, n forge.NewRepo) (forge.Repo, error)
	Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error)
	Collaborators(ctx context.Context, repo forge.RepoName) ([]forge.User, error)
	AddCollaborator(ctx context.Context, repo forge.RepoName, login, permission string) error
}

// Branches are the calls about branches and their protection.
type Branches interface {
	Branches(ctx context.Context, repo forge.RepoName) ([]forge.Branch, error)
	Branch(ctx context.Context, repo forge.RepoName, name string) (forge.Branch, error)
	CreateBranch(ctx context.Context, repo forge.RepoName, name, sha string) error
	DeleteBranch(ctx context.Context, repo forge.RepoName, name string) error
	Protect(ctx context.Context, repo forge.RepoName, branch string, p forge.Protection) error
	Protection(ctx context.Context, repo forge.RepoName, branch string) (forge.Protection, error)
}

// Contents are the calls about files and commits.
type Contents interface {
	File(ctx context.Context, repo forge.RepoName, path, ref string) ([]byte, error)
	PutFile(ctx context.Context, repo forge.RepoName, path, branch, message string, content []byte) (sha string, err error)
	Commit(ctx context.Context, repo forge.RepoName, sha string) (forge.Commit, error)
	Compare(ctx context.Context, repo forge.RepoName, base, head string) ([]forge.Commit, []forge.FileChange, error)
}

// PullRequests are the calls about pull requests.
type PullRequests interface {
	CreatePullRequest(ctx context.Context, repo forge.RepoName, n forge.NewPullRequest) (forge.PullRequest, error)
	PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error)
	PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error)
	EditPullRequest(ctx context.Context, repo forge.RepoName, number int, e forge.EditPullRequest) error
	PullRequestFiles(ctx context.Context, repo forge.RepoName, number int) ([]forge.FileChange, error)
	PullRequestCommits(ctx context.Context, repo forge.RepoName, number int) ([]forge.Commit, error)
	PullRequestsForCommit(ctx context.Context, repo forge.RepoName, sha string) ([]forge.PullRequest, error)
	MergePullRequest(ctx context.Context, repo forge.RepoName, number int, m forge.Merge) (sha string, err error)
}

// Reviews are the calls about reviews.
type Reviews interface {
	Reviews(ctx context.Context, repo forge.RepoName, number int) ([]forge.Review, error)
	CreateReview(ctx context.Context, repo forge.RepoName, number int, state forge.ReviewState, body string) (forge.Review, error)
	RequestReviewers(ctx context.Context, repo forge.RepoName, number int, logins []string) error
	RemoveReviewers(ctx context.Context, repo forge.RepoName, number int, logins []string) error
}

// Issues are the calls about issues.
type Issues interface {
	CreateIssue(ctx context.Context, repo forge.RepoName, n forge.NewIssue) (forge.Issue, error)
	Issue(ctx context.Context, repo forge.RepoName, number int) (forge.Issue, error)
	Issues(ctx context.Context, repo forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error)
	EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error
	AddAssignees(ctx context.Context, repo forge.RepoName, number int, logins []string) error
	RemoveAssignees(ctx context.Context, repo forge.RepoName, number int, logins []string) error
}

// Comments are the calls about comments.
type Comments interface {
	Comments(ctx context.Context, repo forge.RepoName, number int) ([]forge.Comment, error)
	CreateComment(ctx context.Context, repo forge.RepoName, number int, body string) (forge.Comment, error)
	EditComment(ctx context.Context, repo forge.RepoName, id int64, body string) error
	DeleteComment(ctx context.Context, repo forge.RepoName, id int64) error
}

// Labels are the calls about labels.
type Labels interface {
	Labels(ctx context.Context, repo forge.RepoName) ([]forge.Label, error)
	CreateLabel(ctx context.Context, repo forge.RepoName, l forge.Label) error
	AddLabels(ctx context.Context, repo forge.RepoName, number int, labels ...string) error
	RemoveLabel(ctx context.Context, repo forge.RepoName, number int, label string) error
}

// Milestones are the calls about milestones.
type Milestones interface {
	Milestones(ctx context.Context, repo forge.RepoName, state string) ([]forge.Milestone, error)
	CreateMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) (forge.Milestone, error)
	EditMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) error
}

// Statuses are the calls about statuses and check runs.
type Statuses interface {
	Statuses(ctx context.Context, repo forge.RepoName, sha string) ([]forge.Status, error)
	SetStatus(ctx context.Context, repo forge.RepoName, sha string, s forge.Status) error
	CheckRuns(ctx context.Context, repo forge.RepoName, sha string) ([]forge.CheckRun, error)
	CreateCheckRun(ctx context.Context, repo forge.RepoName, r forge.CheckRun) (forge.CheckRun, error)
	UpdateCheckRun(ctx context.Context, repo forge.RepoName, r forge.CheckRun) (forge.CheckRun, error)
}

// Releases are the calls about release pages.
type Releases interface {
	Releases(ctx context.Context, repo forge.RepoName) ([]forge.Release, error)
	Release(ctx context.Context, repo forge.RepoName, tag string) (forge.Release, error)
	CreateRelease(ctx context.Context, repo forge.RepoName, n forge.NewRelease) (forge.Release, error)
	EditRelease(ctx context.Context, repo forge.RepoName, id int64, e forge.EditRelease) (forge.Release, error)
	DeleteRelease(ctx context.Context, repo forge.RepoName, id int64) error
}

// Assets are the calls about the files of a release.
type Assets interface {
	UploadAsset(ctx context.Context, repo forge.RepoName, releaseID int64, name, contentType string, size int64, r io.Reader) (forge.Asset, error)
	DeleteAsset(ctx context.Context, repo forge.RepoName, id int64) error
	DownloadAsset(ctx context.Context, repo forge.RepoName, id int64) (io.ReadCloser, error)
}

// Hooks are the calls about webhooks.
type Hooks interface {
	Hooks(ctx context.Context, repo forge.RepoName) ([]forge.Hook, error)
	CreateHook(ctx context.Context, repo forge.RepoName, h forge.Hook) (forge.Hook, error)
	DeleteHook(ctx context.Context, repo forge.RepoName, id int64) error
}
