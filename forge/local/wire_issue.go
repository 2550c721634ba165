package local

import (
	"context"
	"fmt"
	"time"

	"seaworthy/forge"
	"seaworthy/store/hosted"
)

type wireLabel struct {
	ID          int64   `json:"id"`
	NodeID      string  `json:"node_id"`
	URL         string  `json:"url"`
	Name        string  `json:"name"`
	Color       string  `json:"color"`
	Default     bool    `json:"default"`
	Description *string `json:"description"`
}

func (f *Forge) wireLabel(r hosted.Repo, l hosted.Label) wireLabel {
	return wireLabel{l.ID, nodeID("Label", l.ID), f.repoAPI(r, "/labels/%s", escapePath(l.Name)), l.Name, l.Color, false, text(l.Description)}
}

type wireMilestone struct {
	URL          string    `json:"url"`
	HTMLURL      string    `json:"html_url"`
	LabelsURL    string    `json:"labels_url"`
	ID           int64     `json:"id"`
	NodeID       string    `json:"node_id"`
	Number       int64     `json:"number"`
	State        string    `json:"state"`
	Title        string    `json:"title"`
	Description  *string   `json:"description"`
	Creator      *wireUser `json:"creator"`
	OpenIssues   int       `json:"open_issues"`
	ClosedIssues int       `json:"closed_issues"`
	CreatedAt    stamp     `json:"created_at"`
	UpdatedAt    stamp     `json:"updated_at"`
	ClosedAt     *stamp    `json:"closed_at"`
	DueOn        *stamp    `json:"due_on"`
}

func (v *view) milestone(ctx context.Context, r hosted.Repo, m hosted.Milestone) (*wireMilestone, error) {
	creator, err := v.nullableUser(ctx, m.Creator)
	if err != nil {
		return nil, err
	}
	open, closed, err := v.q.CountIssues(ctx, r.ID, m.Number)
	if err != nil {
		return nil, err
	}
	u := v.f.repoAPI(r, "/milestones/%d", m.Number)
	return &wireMilestone{URL: u, HTMLURL: v.f.repoHTML(r, "/milestone/%d", m.Number), LabelsURL: u + "/labels", ID: m.ID, NodeID: nodeID("Milestone", m.ID),
		Number: m.Number, State: m.State, Title: m.Title, Description: text(m.Description), Creator: creator, OpenIssues: open, ClosedIssues: closed,
		CreatedAt: stamp(m.CreatedAt), UpdatedAt: stamp(m.UpdatedAt), ClosedAt: maybe(m.ClosedAt), DueOn: maybe(m.DueOn)}, nil
}

// wireTalk is what an issue and a pull request have in common.
type wireTalk struct {
	ID                int64          `json:"id"`
	NodeID            string         `json:"node_id"`
	URL               string         `json:"url"`
	HTMLURL           string         `json:"html_url"`
	CommentsURL       string         `json:"comments_url"`
	Number            int64          `json:"number"`
	State             string         `json:"state"`
	Locked            bool           `json:"locked"`
	ActiveLockReason  *string        `json:"active_lock_reason"`
	Title             string         `json:"title"`
	User              *wireUser      `json:"user"`
	Body              *string        `json:"body"`
	Labels            []wireLabel    `json:"labels"`
	Milestone         *wireMilestone `json:"milestone"`
	Assignee          *wireUser      `json:"assignee"`
	Assignees         []*wireUser    `json:"assignees"`
	CreatedAt         stamp          `json:"created_at"`
	UpdatedAt         stamp          `json:"updated_at"`
	ClosedAt          *stamp         `json:"closed_at"`
	AuthorAssociation string         `json:"author_association"`
}

func (v *view) talk(ctx context.Context, r hosted.Repo, i hosted.Issue) (wireTalk, error) {
	kind := "Issue"
	if i.IsPull {
		kind = "PullRequest"
	}
	w := wireTalk{ID: i.ID, NodeID: nodeID(kind, i.ID), CommentsURL: v.f.repoAPI(r, "/issues/%d/comments", i.Number), Number: i.Number,
		State: i.State, Locked: i.Locked, Title: i.Title, Body: text(i.Body), Labels: []wireLabel{},
		CreatedAt: stamp(i.CreatedAt), UpdatedAt: stamp(i.UpdatedAt), ClosedAt: maybe(i.ClosedAt)}
	var err error
	if w.User, err = v.user(ctx, i.Author); err != nil {
		return w, err
	}
	if w.AuthorAssociation, err = v.association(ctx, r, i.Author); err != nil {
		return w, err
	}
	labels, err := v.q.IssueLabels(ctx, i.ID)
	if err != nil {
		return w, err
	}
	for _, l := range labels {
		w.Labels = append(w.Labels, v.f.wireLabel(r, l))
	}
	people, err := v.q.People(ctx, i.ID, hosted.Assignee)
	if err != nil {
		return w, err
	}
	if w.Assignees, err = v.usersOf(ctx, people); err != nil {
		return w, err
	}
	if len(w.Assignees) > 0 {
		w.Assignee = w.Assignees[0]
	}
	if i.Milestone != 0 {
		m, err := v.q.Milestone(ctx, r.ID, i.Milestone)
		if err != nil {
			return w, fmt.Errorf("reading the milestone of #%d: %w", i.Number, err)
		}
		w.Milestone, err = v.milestone(ctx, r, m)
		if err != nil {
			return w, err
		}
	}
	return w, nil
}

type wireIssue struct {
	wireTalk
	RepositoryURL string         `json:"repository_url"`
	LabelsURL     string         `json:"labels_url"`
	EventsURL     string         `json:"events_url"`
	TimelineURL   string         `json:"timeline_url"`
	StateReason   *string        `json:"state_reason"`
	Comments      int            `json:"comments"`
	ClosedBy      *wireUser      `json:"closed_by,omitempty"` // not in events
	Reactions     wireReactions  `json:"reactions"`
	PerformedVia  *struct{}      `json:"performed_via_github_app"`
	Draft         *bool          `json:"draft,omitempty"`
	PullRequest   *wireIssuePull `json:"pull_request,omitempty"`
	Score         *float64       `json:"score,omitempty"`
}

// wireIssuePull says that an issue is a pull request, and which.
type wireIssuePull struct {
	URL      string `json:"url"`
	HTMLURL  string `json:"html_url"`
	DiffURL  string `json:"diff_url"`
	PatchURL string `json:"patch_url"`
	MergedAt *stamp `json:"merged_at"`
}

type wireReactions struct {
	URL      string `json:"url"`
	Total    int    `json:"total_count"`
	PlusOne  int    `json:"+1"`
	MinusOne int    `json:"-1"`
	Laugh    int    `json:"laugh"`
	Hooray   int    `json:"hooray"`
	Confused int    `json:"confused"`
	Heart    int    `json:"heart"`
	Rocket   int    `json:"rocket"`
	Eyes     int    `json:"eyes"`
}

func (v *view) issue(ctx context.Context, r hosted.Repo, i hosted.Issue) (*wireIssue, error) {
	t, err := v.talk(ctx, r, i)
	if err != nil {
		return nil, err
	}
	closedBy, err := v.nullableUser(ctx, i.ClosedBy)
	if err != nil {
		return nil, err
	}
	_, comments, err := v.q.Comments(ctx, r.ID, i.Number, time.Time{}, hosted.Page{Limit: 1})
	if err != nil {
		return nil, err
	}
	u := v.f.repoAPI(r, "/issues/%d", i.Number)
	t.URL, t.HTMLURL = u, v.f.repoHTML(r, "/issues/%d", i.Number)
	w := &wireIssue{wireTalk: t, RepositoryURL: v.f.repoAPI(r, ""), LabelsURL: u + "/labels{/name}", EventsURL: u + "/events", TimelineURL: u + "/timeline",
		StateReason: text(i.StateReason), Comments: comments, ClosedBy: closedBy, Reactions: wireReactions{URL: u + "/reactions"}}
	if i.IsPull {
		h := v.f.repoHTML(r, "/pull/%d", i.Number)
		w.HTMLURL, w.Draft = h, &i.Draft
		w.PullRequest = &wireIssuePull{v.f.repoAPI(r, "/pulls/%d", i.Number), h, h + ".diff", h + ".patch", maybe(i.MergedAt)}
	}
	return w, nil
}

type wireComment struct {
	ID                int64         `json:"id"`
	NodeID            string        `json:"node_id"`
	URL               string        `json:"url"`
	HTMLURL           string        `json:"html_url"`
	IssueURL          string        `json:"issue_url"`
	Body              string        `json:"body"`
	User              *wireUser     `json:"user"`
	CreatedAt         stamp         `json:"created_at"`
	UpdatedAt         stamp         `json:"updated_at"`
	AuthorAssociation string        `json:"author_association"`
	Reactions         wireReactions `json:"reactions"`
	PerformedVia      *struct{}     `json:"performed_via_github_app"`
}

func (v *view) comment(ctx context.Context, r hosted.Repo, c hosted.Comment) (*wireComment, error) {
	user, err := v.user(ctx, c.Author)
	if err != nil {
		return nil, err
	}
	association, err := v.association(ctx, r, c.Author)
	if err != nil {
		return nil, err
	}
	u := v.f.repoAPI(r, "/issues/comments/%d", c.ID)
	return &wireComment{ID: c.ID, NodeID: nodeID("IssueComment", c.ID), URL: u, HTMLURL: v.f.repoHTML(r, "/issues/%d#issuecomment-%d", c.Number, c.ID),
		IssueURL: v.f.repoAPI(r, "/issues/%d", c.Number), Body: c.Body, User: user, CreatedAt: stamp(c.CreatedAt), UpdatedAt: stamp(c.UpdatedAt),
		AuthorAssociation: association, Reactions: wireReactions{URL: u + "/reactions"}}, nil
}

// emitIssue stores an issue's event; one about a pull request is that of the
// pull request instead.
func (v *view) emitIssue(ctx context.Context, r hosted.Repo, i hosted.Issue, sender, action string, more map[string]any) error {
	w, err := v.issue(ctx, r, i)
	if err != nil {
		return err
	}
	w.ClosedBy = nil
	payload := map[string]any{"issue": w}
	for k, x := range more {
		payload[k] = x
	}
	return v.emit(ctx, r, sender, forge.EventIssues, action, payload)
}
