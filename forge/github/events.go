package github

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// eventHead is what every kind of payload may have. Of the repository it takes
// the name alone: the rest has another shape in a push than elsewhere.
type eventHead struct {
	Action     string `json:"action"`
	Repository *struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	Sender *github.User `json:"sender"`
}

// eventBody holds the fields of all kinds the product acts on. Their names do
// not clash in those kinds, so one type reads them all.
type eventBody struct {
	PullRequest *github.PullRequest       `json:"pull_request"`
	Issue       *github.Issue             `json:"issue"`
	Comment     *github.IssueComment      `json:"comment"`
	Review      *github.PullRequestReview `json:"review"`
	Release     *github.RepositoryRelease `json:"release"`
	Label       *github.Label             `json:"label"`
}

type pushBody struct {
	Ref     string               `json:"ref"`
	Before  string               `json:"before"`
	After   string               `json:"after"`
	Forced  bool                 `json:"forced"`
	Commits []*github.HeadCommit `json:"commits"`
}

type statusBody struct {
	SHA         string           `json:"sha"`
	Context     string           `json:"context"`
	State       string           `json:"state"`
	Description string           `json:"description"`
	TargetURL   string           `json:"target_url"`
	CreatedAt   github.Timestamp `json:"created_at"`
	Branches    []*github.Branch `json:"branches"`
}

// DecodeEvent reads a webhook's JSON body. Kind and delivery are the headers
// X-GitHub-Event and X-GitHub-Delivery. A kind the product does not know gives
// an event with the head only; a body that is not that kind's is ErrInvalid.
// The format is GitHub's:
// https://docs.github.com/en/webhooks/webhook-events-and-payloads
func DecodeEvent(kind, delivery string, body []byte, now time.Time) (forge.Event, error) {
	e, err := decode(forge.EventKind(kind), body)
	if err != nil {
		return forge.Event{}, fmt.Errorf("read the %q event of delivery %s: %w: %w", kind, delivery, forge.ErrInvalid, err)
	}
	e.Delivery = delivery
	e.ReceivedAt = now.UTC()
	e.Payload = body
	return e, nil
}

func decode(kind forge.EventKind, body []byte) (forge.Event, error) {
	if kind == "" {
		return forge.Event{}, fmt.Errorf("the header X-GitHub-Event is missing")
	}
	var head eventHead
	if err := json.Unmarshal(body, &head); err != nil {
		return forge.Event{}, err
	}
	e := forge.Event{Kind: kind, Action: head.Action, Sender: head.Sender.GetLogin()}
	if head.Repository != nil {
		name, err := forge.ParseRepoName(head.Repository.FullName)
		if err != nil {
			return forge.Event{}, fmt.Errorf("repository.full_name: %w", err)
		}
		e.Repo = name
	}
	var err error
	switch kind {
	case forge.EventPush:
		e.Push, err = decodePush(body)
	case forge.EventStatus:
		e.Status, err = decodeStatus(body, e.Sender)
	case forge.EventPullRequest, forge.EventPullRequestReview, forge.EventIssues, forge.EventIssueComment, forge.EventRelease:
		err = decodeBody(&e, body)
	case forge.EventCreate, forge.EventDelete, forge.EventCheckRun:
	default:
		return e, nil // ping included: an organisation's has no repository
	}
	if err == nil && head.Repository == nil {
		err = missing("repository")
	}
	return e, err
}

func missing(field string) error { return fmt.Errorf("the field %q is missing", field) }

// decodeBody sets exactly the fields that the kind has.
func decodeBody(e *forge.Event, body []byte) error {
	var b eventBody
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	if b.Label != nil {
		e.Label = b.Label.GetName()
	}
	switch e.Kind {
	case forge.EventPullRequest, forge.EventPullRequestReview:
		if b.PullRequest == nil {
			return missing("pull_request")
		}
		e.PullRequest = pullRequest(e.Repo, b.PullRequest)
	case forge.EventIssues, forge.EventIssueComment:
		if b.Issue == nil {
			return missing("issue")
		}
		e.Issue = issue(e.Repo, b.Issue)
	case forge.EventRelease:
		if b.Release == nil {
			return missing("release")
		}
		e.Release = release(b.Release)
	}
	switch e.Kind {
	case forge.EventPullRequestReview:
		if b.Review == nil {
			return missing("review")
		}
		e.Review = review(b.Review)
	case forge.EventIssueComment:
		if b.Comment == nil {
			return missing("comment")
		}
		e.Comment = comment(b.Comment)
	}
	return nil
}

func decodePush(body []byte) (*forge.Push, error) {
	var b pushBody
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	if b.Ref == "" {
		return nil, missing("ref")
	}
	p := &forge.Push{Ref: b.Ref, Before: b.Before, After: b.After, Forced: b.Forced}
	for _, c := range b.Commits {
		p.Commits = append(p.Commits, pushedCommit(c))
	}
	return p, nil
}

// pushedCommit converts a push's short form of a commit, which has one time
// for author and committer.
func pushedCommit(c *github.HeadCommit) forge.Commit {
	out := forge.Commit{
		SHA:         c.GetID(),
		Author:      signature(c.GetAuthor()),
		Committer:   signature(c.GetCommitter()),
		Message:     c.GetMessage(),
		AuthorLogin: c.GetAuthor().GetLogin(),
	}
	at := moment(c.GetTimestamp())
	if out.Author.Time.IsZero() {
		out.Author.Time = at
	}
	if out.Committer.Time.IsZero() {
		out.Committer.Time = at
	}
	return out
}

func decodeStatus(body []byte, sender string) (*forge.CommitStatus, error) {
	var b statusBody
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	if b.SHA == "" {
		return nil, missing("sha")
	}
	s := &forge.CommitStatus{
		Status: forge.Status{
			Context:     b.Context,
			State:       forge.StatusState(b.State),
			Description: b.Description,
			TargetURL:   b.TargetURL,
			Creator:     sender,
			CreatedAt:   moment(b.CreatedAt),
		},
		SHA: b.SHA,
	}
	for _, branch := range b.Branches {
		s.Branches = append(s.Branches, branch.GetName())
	}
	return s, nil
}
