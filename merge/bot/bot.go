package bot

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"seaworthy/forge"
	"seaworthy/merge"
)

// Forge is what the bot needs of a forge; an adapter's client has it all.
type Forge interface {
	Talk
	Changes
	Repository
}

// Talk is the forge's calls about issues and their comments.
type Talk interface {
	Comments(ctx context.Context, repo forge.RepoName, number int) ([]forge.Comment, error)
	CreateComment(ctx context.Context, repo forge.RepoName, number int, body string) (forge.Comment, error)
	EditComment(ctx context.Context, repo forge.RepoName, id int64, body string) error
	EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error
	AddLabels(ctx context.Context, repo forge.RepoName, number int, labels ...string) error
	RemoveLabel(ctx context.Context, repo forge.RepoName, number int, label string) error
	AddAssignees(ctx context.Context, repo forge.RepoName, number int, logins []string) error
	RemoveAssignees(ctx context.Context, repo forge.RepoName, number int, logins []string) error
}

// Changes is the forge's calls about pull requests and issues themselves.
type Changes interface {
	Issue(ctx context.Context, repo forge.RepoName, number int) (forge.Issue, error)
	PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error)
	PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error)
	PullRequestFiles(ctx context.Context, repo forge.RepoName, number int) ([]forge.FileChange, error)
	Reviews(ctx context.Context, repo forge.RepoName, number int) ([]forge.Review, error)
	RequestReviewers(ctx context.Context, repo forge.RepoName, number int, logins []string) error
}

// Repository is the forge's calls about a repository as a whole.
type Repository interface {
	File(ctx context.Context, repo forge.RepoName, path, ref string) ([]byte, error)
	Collaborators(ctx context.Context, repo forge.RepoName) ([]forge.User, error)
	Labels(ctx context.Context, repo forge.RepoName) ([]forge.Label, error)
	CreateLabel(ctx context.Context, repo forge.RepoName, l forge.Label) error
	Milestones(ctx context.Context, repo forge.RepoName, state string) ([]forge.Milestone, error)
}

// ReviewRemover takes back a request for review. A forge that cannot makes
// /uncc answer so.
type ReviewRemover interface {
	RemoveReviewers(ctx context.Context, repo forge.RepoName, number int, logins []string) error
}

// Runner starts jobs.
type Runner interface {
	// Test starts the presubmits that one command asks for, by the rules of
	// job.Select. Asking again with the same Key starts nothing twice.
	Test(ctx context.Context, r TestRequest) (TestAnswer, error)
}

// TestRequest is one /test or /retest on a pull request.
type TestRequest struct {
	PullRequest forge.PullRequest
	// Command is the line as written: "/test unit", "/retest".
	Command string
	Actor   string
	Key     string // the same comment and command have the same key
}

// TestAnswer is what came of a TestRequest.
type TestAnswer struct {
	Started []string // names of jobs
	// Help: the command asked what could be run, or for what there is not.
	Help bool
	// Required and Optional are the commands that start a job, All the jobs
	// that "/test all" runs. They are set with Help.
	Required, Optional, All []string
}

// Note says what a pull request's description holds for the release notes.
type Note string

// Notes.
const (
	NoteGiven          Note = "note"
	NoteActionRequired Note = "action-required"
	NoteNone           Note = "none"    // says that there is nothing to tell
	NoteMissing        Note = "missing" // no block, or an empty one
)

// Policy is what a repository may choose. The zero value asks for no release
// notes and requests no reviews.
type Policy struct {
	Approval merge.ApprovalPolicy
	// ReviewActsAsLGTM: an approving review also says /lgtm, and one that
	// asks for changes takes it back.
	ReviewActsAsLGTM bool
	// Reviewers is how many reviews are requested of OWNERS reviewers when
	// a pull request opens.
	Reviewers int
	// ReleaseNotes: every change says what it means for the release notes.
	ReleaseNotes bool
}

// Options say what a bot works with. All are required unless they say
// otherwise.
type Options struct {
	Forge  Forge
	Runner Runner
	// Login is the bot's own account, whose comments it never obeys.
	Login string
	// Policy returns what a repository chose.
	Policy func(ctx context.Context, repo forge.RepoName) (Policy, error)
	// Note reads a description's release-note block.
	Note func(body string) Note
	// TreeHash returns the tree of a commit, so that a push which changes no
	// content keeps lgtm; optional, without it every push drops lgtm.
	TreeHash func(ctx context.Context, repo forge.RepoName, sha string) (string, error)
	// CommandsURL is the page that explains the commands; optional.
	CommandsURL string
	// Exclusive waits until no other process holds a name, and holds it until
	// what it returns is called; optional, for a bot that several processes run.
	Exclusive func(ctx context.Context, name string) (func(), error)
	Now       func() time.Time
	Log       *slog.Logger // optional
}

// stripes bounds how many pull requests are worked on at once; two that share
// a stripe take turns.
const stripes = 64

// Bot answers commands and keeps labels. It may be used by many goroutines.
type Bot struct {
	opt   Options
	table []Command
	turns [stripes]chan struct{}
}

// New returns a bot, or an error that names the option that is missing.
func New(opt Options) (*Bot, error) {
	switch {
	case opt.Forge == nil:
		return nil, errors.New("bot: Options.Forge is missing")
	case opt.Runner == nil:
		return nil, errors.New("bot: Options.Runner is missing")
	case opt.Login == "":
		return nil, errors.New("bot: Options.Login is missing")
	case opt.Policy == nil || opt.Note == nil:
		return nil, errors.New("bot: Options.Policy or Options.Note is missing")
	case opt.Now == nil:
		return nil, errors.New("bot: Options.Now is missing")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	b := &Bot{opt: opt, table: Commands()}
	for i := range b.turns {
		b.turns[i] = make(chan struct{}, 1)
	}
	return b, nil
}

// enter waits for the turn of an issue or pull request; leave ends it.
func (b *Bot) enter(ctx context.Context, repo forge.RepoName, number int) (leave func(), err error) {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s#%d", repo, number)
	turn := b.turns[h.Sum32()%stripes]
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b.opt.Exclusive == nil {
		return func() { <-turn }, nil
	}
	elsewhere, err := b.opt.Exclusive(ctx, fmt.Sprintf("bot on %s#%d", repo, number))
	if err != nil {
		<-turn
		return nil, err
	}
	return func() { elsewhere(); <-turn }, nil
}
