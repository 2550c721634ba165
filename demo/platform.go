package demo

import (
	"context"

	"gocloud.dev/blob"

	"seaworthy/artifact/sign"
	"seaworthy/forge"
	"seaworthy/job/run"
	"seaworthy/merge/queue"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/release/train"
	"seaworthy/release/verify"
	"seaworthy/signal"
	"seaworthy/triage/live"
)

// Platform is the running platform a story is told on.
type Platform struct {
	Host
	Forge    Forge
	Runs     *run.Service
	Queue    *queue.Queue
	Signal   *signal.Service
	Triage   *live.Service
	Releases *cut.Service
	Bucket   *blob.Bucket
	// Verify re-checks a published release; nil takes the platform's own key.
	Verify func(ctx context.Context, repo forge.RepoName, tag string, verifier *sign.Verifier) (verify.Report, error)
	// Timetable has a repository's timetable looked at now, and says what it is.
	Timetable func(ctx context.Context, repo forge.RepoName) ([]train.Line, error)
	// Changed returns a channel that receives after anything changed, and a
	// function that ends that.
	Changed func() (<-chan struct{}, func())
}

// Host is what an administrator of the platform does.
type Host interface {
	URL() string
	// GitURL is where a repository is cloned from and pushed to.
	GitURL(repo forge.RepoName) string
	// AddUser makes an account and returns a token of it.
	AddUser(ctx context.Context, u forge.User, admin bool) (token string, err error)
	// As returns what the account of a token can do.
	As(token string) (Person, error)
	// Serve takes a repository into the platform's care.
	Serve(ctx context.Context, repo forge.RepoName) error
	// Import brings a Git repository onto the forge and has it served.
	Import(ctx context.Context, repo forge.RepoName, path, description string) error
	// Approve gives a cut somebody's approval in a role they hold.
	Approve(ctx context.Context, run, role, actor, why string) error
	// Facts tells what a repository's configuration says.
	Facts(ctx context.Context, repo forge.RepoName) (Facts, error)
}

// Facts are what a story tells of a repository's configuration.
type Facts struct {
	Default bool // it has no seaworthy.yaml
	Jobs    int
	Mains   int // main packages
	Policy  release.Policy
}

// Person is somebody with an account.
type Person interface {
	CreateRepo(ctx context.Context, n forge.NewRepo) (forge.Repo, error)
	AddCollaborator(ctx context.Context, repo forge.RepoName, login, permission string) error
	CreatePullRequest(ctx context.Context, repo forge.RepoName, n forge.NewPullRequest) (forge.PullRequest, error)
	CreateComment(ctx context.Context, repo forge.RepoName, number int, body string) (forge.Comment, error)
}

// Forge is what everybody sees.
type Forge interface {
	Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error)
	Branch(ctx context.Context, repo forge.RepoName, name string) (forge.Branch, error)
	Branches(ctx context.Context, repo forge.RepoName) ([]forge.Branch, error)
	PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error)
	Statuses(ctx context.Context, repo forge.RepoName, sha string) ([]forge.Status, error)
	Release(ctx context.Context, repo forge.RepoName, tag string) (forge.Release, error)
}
