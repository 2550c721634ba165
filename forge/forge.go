package forge

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// RepoName identifies a repository on a forge: "OWNER/NAME".
type RepoName struct {
	Owner string
	Name  string
}

var namePart = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// ParseRepoName reads "OWNER/NAME". It refuses anything that could leave the
// folder a repository is stored in.
func ParseRepoName(s string) (RepoName, error) {
	owner, name, ok := strings.Cut(s, "/")
	n := RepoName{Owner: owner, Name: name}
	if !ok || !n.Valid() {
		return RepoName{}, fmt.Errorf("%q is not a repository name: write OWNER/NAME with letters, digits, '-', '_' and '.'", s)
	}
	return n, nil
}

// Valid reports whether both parts are usable as a path element.
func (n RepoName) Valid() bool {
	for _, p := range []string{n.Owner, n.Name} {
		if !namePart.MatchString(p) || p == "." || p == ".." || strings.HasSuffix(p, ".git") {
			return false
		}
	}
	return true
}

// String returns "OWNER/NAME".
func (n RepoName) String() string { return n.Owner + "/" + n.Name }

// User is an account on a forge.
type User struct {
	Login string
	Name  string
	Email string
	Bot   bool
}

// Repo is a repository as the forge lists it.
type Repo struct {
	RepoName
	Description   string
	DefaultBranch string
	CloneURL      string
	HTMLURL       string
	Private       bool
	Archived      bool
}

// Branch is a branch and the commit it points at.
type Branch struct {
	Name      string
	SHA       string
	Protected bool
}

// Protection is what a branch demands before it moves.
type Protection struct {
	// RequiredContexts are the status contexts that must be green to merge.
	RequiredContexts []string
	// PushLogins may push to the branch directly; everybody else goes
	// through a pull request. Empty means nobody.
	PushLogins []string
	// EnforceAdmins extends the rules to administrators.
	EnforceAdmins bool
	// AllowForcePush and AllowDeletion are false on a protected branch
	// unless they are asked for.
	AllowForcePush bool
	AllowDeletion  bool
}

// Signature is who did something to a commit, and when.
type Signature struct {
	Name  string
	Email string
	Time  time.Time
}

// Commit is one commit.
type Commit struct {
	SHA       string
	Parents   []string
	Author    Signature
	Committer Signature
	Message   string
	// AuthorLogin is the account behind Author.Email, empty when unknown.
	AuthorLogin string
}

// FileChange is one file of a change.
type FileChange struct {
	Path         string
	PreviousPath string // set for a rename
	Status       string // added, modified, removed, renamed
	Additions    int
	Deletions    int
	Patch        string
}

// State of an issue or a pull request.
type State string

// States. A merged pull request is StateClosed with Merged set.
const (
	StateOpen   State = "open"
	StateClosed State = "closed"
)

// Side is one end of a pull request.
type Side struct {
	Repo   RepoName
	Branch string
	SHA    string
}

// Mergeability says whether a pull request merges cleanly into its base.
type Mergeability string

// Mergeability values. A forge computes it lazily: MergeUnknown means ask again.
const (
	MergeUnknown  Mergeability = ""
	MergeClean    Mergeability = "clean"
	MergeConflict Mergeability = "conflict"
)

// PullRequest is a proposed change.
type PullRequest struct {
	Repo         RepoName
	Number       int
	Title        string
	Body         string
	Author       string
	State        State
	Draft        bool
	Base         Side
	Head         Side
	Labels       []string
	Milestone    string
	Assignees    []string
	Reviewers    []string // requested, not yet given
	Mergeability Mergeability
	Merged       bool
	MergeSHA     string // the commit on the base branch, once merged
	MergedBy     string
	MergedAt     time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
	ClosedAt     time.Time
	HTMLURL      string
}

// HasLabel reports whether the pull request carries the label.
func (p PullRequest) HasLabel(name string) bool { return hasLabel(p.Labels, name) }

// Issue is an issue. A pull request answers issue calls too (GitHub's rule);
// IsPull tells them apart.
type Issue struct {
	Repo      RepoName
	Number    int
	Title     string
	Body      string
	Author    string
	State     State
	Labels    []string
	Milestone string
	Assignees []string
	IsPull    bool
	CreatedAt time.Time
	UpdatedAt time.Time
	ClosedAt  time.Time
	HTMLURL   string
}

// HasLabel reports whether the issue carries the label.
func (i Issue) HasLabel(name string) bool { return hasLabel(i.Labels, name) }

// Labels compare without case, as on GitHub.
func hasLabel(labels []string, name string) bool {
	for _, l := range labels {
		if strings.EqualFold(l, name) {
			return true
		}
	}
	return false
}

// Comment is a comment on an issue or a pull request.
type Comment struct {
	ID        int64
	Author    string
	Body      string
	CreatedAt time.Time
	UpdatedAt time.Time
	HTMLURL   string
}

// ReviewState is the verdict of a review.
type ReviewState string

// Review verdicts.
const (
	ReviewApproved         ReviewState = "APPROVED"
	ReviewChangesRequested ReviewState = "CHANGES_REQUESTED"
	ReviewCommented        ReviewState = "COMMENTED"
	ReviewDismissed        ReviewState = "DISMISSED"
)

// Review is a submitted review.
type Review struct {
	ID          int64
	Author      string
	Body        string
	State       ReviewState
	SHA         string // the head commit it was given on
	SubmittedAt time.Time
}

// StatusState is the state of one commit status.
type StatusState string

// Status states.
const (
	StatusPending StatusState = "pending"
	StatusSuccess StatusState = "success"
	StatusFailure StatusState = "failure"
	StatusError   StatusState = "error"
)

// Status is the newest state of one context on one commit.
type Status struct {
	Context     string
	State       StatusState
	Description string // at most 140 characters
	TargetURL   string
	Creator     string
	CreatedAt   time.Time
}

// CheckRun is GitHub's richer form of a status.
type CheckRun struct {
	ID          int64
	Name        string
	SHA         string
	Status      string // queued, in_progress, completed
	Conclusion  string // success, failure, neutral, cancelled, skipped, timed_out, action_required
	DetailsURL  string
	Title       string
	Summary     string
	StartedAt   time.Time
	CompletedAt time.Time
}

// Label is a label a repository offers.
type Label struct {
	Name        string
	Color       string // six hex digits, no '#'
	Description string
}

// Milestone groups what a release will carry.
type Milestone struct {
	Number      int
	Title       string
	Description string
	State       State
	DueOn       time.Time
	OpenIssues  int
	ClosedIssue int
}

// Release is a release page.
type Release struct {
	ID          int64
	Tag         string
	Target      string // commit or branch the tag is made from if it does not exist
	Name        string
	Body        string
	Draft       bool
	Prerelease  bool
	Author      string
	Assets      []Asset
	CreatedAt   time.Time
	PublishedAt time.Time
	HTMLURL     string
}

// Asset is a file attached to a release.
type Asset struct {
	ID          int64
	Name        string
	Label       string
	ContentType string
	State       string // uploaded, starter
	Size        int64
	Digest      string // "sha256:…", empty where the forge does not say
	DownloadURL string
	CreatedAt   time.Time
}

// Hook is a webhook subscription.
type Hook struct {
	ID     int64
	URL    string
	Secret string // write-only: a forge never gives it back
	Events []string
	Active bool
}

// MergeMethod is how a pull request lands.
type MergeMethod string

// Merge methods, GitHub's names.
const (
	MethodMerge  MergeMethod = "merge"
	MethodSquash MergeMethod = "squash"
	MethodRebase MergeMethod = "rebase"
)
