package forge

import "time"

// EventKind is the name a forge gives a kind of event (GitHub's X-GitHub-Event).
type EventKind string

// Event kinds the product acts on. Others are stored and passed over.
const (
	EventPing              EventKind = "ping"
	EventPush              EventKind = "push"
	EventCreate            EventKind = "create"
	EventDelete            EventKind = "delete"
	EventPullRequest       EventKind = "pull_request"
	EventPullRequestReview EventKind = "pull_request_review"
	EventIssues            EventKind = "issues"
	EventIssueComment      EventKind = "issue_comment"
	EventStatus            EventKind = "status"
	EventCheckRun          EventKind = "check_run"
	EventRelease           EventKind = "release"
)

// Event is one thing that happened on a forge. Delivery identifies it: the same
// event delivered twice has the same Delivery. Exactly the fields that the
// Kind has are set.
type Event struct {
	Delivery   string
	Kind       EventKind
	Action     string // opened, synchronize, created, submitted, … empty for push
	Repo       RepoName
	Sender     string
	ReceivedAt time.Time
	// Payload is the body as it was received, byte for byte.
	Payload []byte

	PullRequest *PullRequest
	Issue       *Issue
	Comment     *Comment
	Review      *Review
	Push        *Push
	Status      *CommitStatus
	Release     *Release
	// Label is the label added or removed (actions labeled, unlabeled).
	Label string
}

// Push is a branch or tag that moved.
type Push struct {
	Ref     string // refs/heads/… or refs/tags/…
	Before  string // forty zeros for a new ref
	After   string // forty zeros for a deleted ref
	Forced  bool
	Commits []Commit // without parents; oldest first, at most what the forge sent
}

// CommitStatus is a status event: a status and the commit it is about.
type CommitStatus struct {
	Status
	SHA      string
	Branches []string
}
