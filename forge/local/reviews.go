package local

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/store/hosted"
)

func (f *Forge) reviewRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/pulls/{number}/reviews", canRead, onPull((*call).listReviews)},
		{"POST /repos/{owner}/{repo}/pulls/{number}/reviews", canTalk, onPull((*call).createReview)},
		{"GET /repos/{owner}/{repo}/pulls/{number}/reviews/{id}", canRead, onReview((*call).getReview)},
		{"PUT /repos/{owner}/{repo}/pulls/{number}/reviews/{id}", canTalk, onReview((*call).editReview)},
		{"DELETE /repos/{owner}/{repo}/pulls/{number}/reviews/{id}", canTalk, onReview((*call).deleteReview)},
		{"POST /repos/{owner}/{repo}/pulls/{number}/reviews/{id}/events", canTalk, onReview((*call).submitReview)},
		{"PUT /repos/{owner}/{repo}/pulls/{number}/reviews/{id}/dismissals", canWrite, onReview((*call).dismissReview)},
		{"GET /repos/{owner}/{repo}/pulls/{number}/reviews/{id}/comments", canRead, onReview((*call).listOneReviewsComments)},
		{"GET /repos/{owner}/{repo}/pulls/{number}/requested_reviewers", canRead, onPull((*call).listReviewers)},
		{"POST /repos/{owner}/{repo}/pulls/{number}/requested_reviewers", canTalk, onPull((*call).editReviewers)},
		{"DELETE /repos/{owner}/{repo}/pulls/{number}/requested_reviewers", canTalk, onPull((*call).editReviewers)},
		{"GET /repos/{owner}/{repo}/pulls/{number}/comments", canRead, onPull((*call).listReviewComments)},
		{"POST /repos/{owner}/{repo}/pulls/{number}/comments", canTalk, onPull((*call).createReviewComment)},
		{"GET /repos/{owner}/{repo}/pulls/comments/{id}", canRead, (*call).getReviewComment},
	}
}

const pendingReview = "PENDING"

// reviewStates are what the events of a request make of a review.
var reviewStates = map[string]forge.ReviewState{
	"APPROVE": forge.ReviewApproved, "REQUEST_CHANGES": forge.ReviewChangesRequested, "COMMENT": forge.ReviewCommented,
}

type wireReview struct {
	ID                int64       `json:"id"`
	NodeID            string      `json:"node_id"`
	User              *wireUser   `json:"user"`
	Body              string      `json:"body"`
	State             string      `json:"state"`
	HTMLURL           string      `json:"html_url"`
	PullRequestURL    string      `json:"pull_request_url"`
	AuthorAssociation string      `json:"author_association"`
	Links             reviewLinks `json:"_links"`
	SubmittedAt       *stamp      `json:"submitted_at,omitempty"`
	CommitID          string      `json:"commit_id"`
}

type reviewLinks struct {
	HTML        wireLink `json:"html"`
	PullRequest wireLink `json:"pull_request"`
}

func (v *view) review(ctx context.Context, r hosted.Repo, w hosted.Review) (*wireReview, error) {
	user, err := v.user(ctx, w.Author)
	if err != nil {
		return nil, err
	}
	association, err := v.association(ctx, r, w.Author)
	if err != nil {
		return nil, err
	}
	h, p := v.f.repoHTML(r, "/pull/%d#pullrequestreview-%d", w.Number, w.ID), v.f.repoAPI(r, "/pulls/%d", w.Number)
	return &wireReview{ID: w.ID, NodeID: nodeID("PullRequestReview", w.ID), User: user, Body: w.Body, State: w.State, HTMLURL: h, PullRequestURL: p,
		AuthorAssociation: association, Links: reviewLinks{wireLink{h}, wireLink{p}}, SubmittedAt: maybe(w.SubmittedAt), CommitID: w.SHA}, nil
}

// onReview loads the review of a path. A pending one exists for its author.
func onReview(do func(*call, hosted.Issue, hosted.Review) error) func(*call) error {
	return onPull(func(c *call, p hosted.Issue) error {
		id, err := c.number("id")
		if err != nil {
			return err
		}
		r, err := c.q.Review(c.ctx(), c.repo.ID, p.Number, id)
		if err != nil {
			return err
		}
		if r.State == pendingReview && !strings.EqualFold(r.Author, c.user.Login) {
			return notFound()
		}
		return do(c, p, r)
	})
}

func (c *call) listReviews(p hosted.Issue) error {
	rows, total, err := c.q.Reviews(c.ctx(), c.repo.ID, p.Number, c.user.Login, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(r hosted.Review) (*wireReview, error) { return v.review(c.ctx(), c.repo, r) })
}

func (c *call) getReview(_ hosted.Issue, r hosted.Review) error {
	w, err := c.view().review(c.ctx(), c.repo, r)
	return answer(c, http.StatusOK, w, err)
}

// verdict checks what a review says, and makes it the review's state.
func (c *call) verdict(p hosted.Issue, r *hosted.Review, event string) error {
	state, ok := reviewStates[event]
	if !ok {
		return invalid("PullRequestReview", "event", "invalid", "event is one of APPROVE, REQUEST_CHANGES, COMMENT")
	}
	own := strings.EqualFold(p.Author, c.user.Login)
	switch {
	case own && state == forge.ReviewApproved:
		return refuse("Can not approve your own pull request")
	case own && state == forge.ReviewChangesRequested:
		return refuse("Can not request changes on your own pull request")
	case r.Body == "" && state == forge.ReviewChangesRequested:
		return missing("PullRequestReview", "body")
	}
	r.State, r.SubmittedAt = string(state), c.f.now()
	return nil
}

func (c *call) createReview(p hosted.Issue) error {
	var in struct {
		CommitID string                 `json:"commit_id"`
		Body     string                 `json:"body"`
		Event    string                 `json:"event"`
		Comments []reviewCommentRequest `json:"comments"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	r := hosted.Review{RepoID: c.repo.ID, Number: p.Number, Author: c.user.Login, Body: in.Body, State: pendingReview, SHA: p.HeadSHA}
	if in.CommitID != "" {
		sha, err := c.object(in.CommitID)
		if err != nil {
			return invalid("PullRequestReview", "commit_id", "invalid", "")
		}
		r.SHA = sha
	}
	if in.Event != "" && in.Event != pendingReview {
		if in.Event == "COMMENT" && in.Body == "" && len(in.Comments) == 0 {
			return missing("PullRequestReview", "body")
		}
		if err := c.verdict(p, &r, in.Event); err != nil {
			return err
		}
	}
	var comments []hosted.ReviewComment
	for _, rc := range in.Comments {
		row, err := rc.row(c, p)
		if err != nil {
			return err
		}
		comments = append(comments, row)
	}
	r, err := c.storeReview(p, r, comments)
	if err != nil {
		return err
	}
	return c.getReview(p, r)
}

// storeReview adds or changes a review; one that is submitted is announced,
// and its author no longer asked for it.
func (c *call) storeReview(p hosted.Issue, r hosted.Review, comments []hosted.ReviewComment) (hosted.Review, error) {
	ctx := c.ctx()
	var stored hosted.Review
	err := c.f.change(ctx, func(v *view) error {
		var err error
		stored = r
		if r.ID == 0 {
			stored, err = v.q.AddReview(ctx, r)
		} else {
			err = v.q.UpdateReview(ctx, r)
		}
		if err != nil {
			return err
		}
		for _, m := range comments {
			m.ReviewID = stored.ID
			if _, err := v.q.AddReviewComment(ctx, m); err != nil {
				return err
			}
		}
		if stored.State == pendingReview {
			return nil
		}
		if err := v.q.RemovePerson(ctx, p.ID, hosted.Reviewer, stored.Author); err != nil {
			return err
		}
		return v.emitReview(ctx, c.repo, p, stored, c.user.Login, "submitted")
	})
	return stored, err
}

func (v *view) emitReview(ctx context.Context, r hosted.Repo, p hosted.Issue, review hosted.Review, sender, action string) error {
	wp, err := v.pull(ctx, r, p)
	if err != nil {
		return err
	}
	wr, err := v.review(ctx, r, review)
	if err != nil {
		return err
	}
	// Here, and only here, GitHub writes the state in small letters.
	wr.State = strings.ToLower(wr.State)
	return v.emit(ctx, r, sender, forge.EventPullRequestReview, action, map[string]any{"review": wr, "pull_request": wp})
}

func (c *call) editReview(p hosted.Issue, r hosted.Review) error {
	body, err := c.body("PullRequestReview")
	if err != nil {
		return err
	}
	if !strings.EqualFold(r.Author, c.user.Login) {
		return fail(http.StatusForbidden, "Resource not accessible: this is another's review")
	}
	r.Body = body
	err = c.f.change(c.ctx(), func(v *view) error {
		if err := v.q.UpdateReview(c.ctx(), r); err != nil {
			return err
		}
		if r.State == pendingReview {
			return nil
		}
		return v.emitReview(c.ctx(), c.repo, p, r, c.user.Login, "edited")
	})
	if err != nil {
		return err
	}
	return c.getReview(p, r)
}

func (c *call) deleteReview(p hosted.Issue, r hosted.Review) error {
	if r.State != pendingReview {
		return fail(http.StatusUnprocessableEntity, "Can not delete a non-pending pull request review")
	}
	if err := c.f.change(c.ctx(), func(v *view) error { return v.q.RemoveReview(c.ctx(), r.ID) }); err != nil {
		return err
	}
	return c.getReview(p, r)
}

func (c *call) submitReview(p hosted.Issue, r hosted.Review) error {
	var in struct {
		Body  optional[string] `json:"body"`
		Event string           `json:"event"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if r.State != pendingReview {
		return fail(http.StatusUnprocessableEntity, "The review is submitted already")
	}
	in.Body.apply(&r.Body)
	if err := c.verdict(p, &r, in.Event); err != nil {
		return err
	}
	r, err := c.storeReview(p, r, nil)
	if err != nil {
		return err
	}
	return c.getReview(p, r)
}

func (c *call) dismissReview(p hosted.Issue, r hosted.Review) error {
	var in struct {
		Message string `json:"message"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Message == "" {
		return missing("PullRequestReview", "message")
	}
	if r.State != string(forge.ReviewApproved) && r.State != string(forge.ReviewChangesRequested) {
		return fail(http.StatusUnprocessableEntity, "Can not dismiss a review that neither approves nor requests changes")
	}
	r.State = string(forge.ReviewDismissed)
	err := c.f.change(c.ctx(), func(v *view) error {
		if err := v.q.UpdateReview(c.ctx(), r); err != nil {
			return err
		}
		return v.emitReview(c.ctx(), c.repo, p, r, c.user.Login, "dismissed")
	})
	if err != nil {
		return err
	}
	return c.getReview(p, r)
}

func (c *call) listReviewers(p hosted.Issue) error {
	logins, err := c.q.People(c.ctx(), p.ID, hosted.Reviewer)
	if err != nil {
		return err
	}
	users, err := c.view().usersOf(c.ctx(), logins)
	return answer(c, http.StatusOK, map[string]any{"users": users, "teams": []struct{}{}}, err)
}

// editReviewers asks people for a review, or no longer does.
func (c *call) editReviewers(p hosted.Issue) error {
	var in struct {
		Reviewers []string `json:"reviewers"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if c.right < canTriage && !strings.EqualFold(c.user.Login, p.Author) {
		return fail(http.StatusForbidden, "Resource not accessible: only the author and collaborators may ask for reviews")
	}
	status, action := http.StatusCreated, "review_requested"
	if c.r.Method == http.MethodDelete {
		status, action = http.StatusOK, "review_request_removed"
	}
	logins, err := c.reviewers(p, in.Reviewers)
	if err != nil {
		return err
	}
	p, err = c.edit(p, func(ctx context.Context, e *editor) error {
		have, err := e.v.q.People(ctx, p.ID, hosted.Reviewer)
		if err != nil {
			return err
		}
		for _, login := range logins {
			if slices.Contains(have, login) == (action == "review_requested") {
				continue // nothing to do
			}
			change := e.v.q.AddPerson
			if action != "review_requested" {
				change = e.v.q.RemovePerson
			}
			if err := change(ctx, p.ID, hosted.Reviewer, login); err != nil {
				return err
			}
			u, err := e.v.user(ctx, login)
			if err != nil {
				return err
			}
			e.happened(action, map[string]any{"requested_reviewer": u})
		}
		return nil
	})
	if err != nil {
		return err
	}
	w, err := c.view().pull(c.ctx(), c.repo, p)
	return answer(c, status, w, err)
}

// reviewers checks who is asked for a review.
func (c *call) reviewers(p hosted.Issue, names []string) ([]string, error) {
	var logins []string
	for _, n := range names {
		a, err := c.q.Account(c.ctx(), n)
		if err != nil {
			return nil, orMissing(err, "PullRequest", "reviewers", "there is no account "+n)
		}
		if a.Login == p.Author {
			return nil, fail(http.StatusUnprocessableEntity, "Review cannot be requested from pull request author.")
		}
		ok, err := assignable(c.ctx(), c.q, c.repo, a)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fail(http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. %s does not see this repository.", a.Login)
		}
		logins = append(logins, a.Login)
	}
	return logins, nil
}

// reviewCommentRequest is a comment on a line in a request.
type reviewCommentRequest struct {
	Body      string `json:"body"`
	Path      string `json:"path"`
	CommitID  string `json:"commit_id"`
	Line      int64  `json:"line"`
	Side      string `json:"side"`
	Position  int64  `json:"position"`
	InReplyTo int64  `json:"in_reply_to"`
}

func (in reviewCommentRequest) row(c *call, p hosted.Issue) (hosted.ReviewComment, error) {
	now := c.f.now()
	m := hosted.ReviewComment{RepoID: c.repo.ID, Number: p.Number, ReplyTo: in.InReplyTo, Author: c.user.Login, Body: in.Body, Path: in.Path,
		SHA: in.CommitID, Line: in.Line, Side: in.Side, CreatedAt: now, UpdatedAt: now}
	if m.Body == "" {
		return m, missing("PullRequestReviewComment", "body")
	}
	if in.InReplyTo != 0 {
		to, err := c.q.ReviewComment(c.ctx(), c.repo.ID, in.InReplyTo)
		if err != nil {
			return m, orMissing(err, "PullRequestReviewComment", "in_reply_to", "there is no such comment")
		}
		m.Path, m.SHA, m.Line, m.Side, m.ReviewID = to.Path, to.SHA, to.Line, to.Side, to.ReviewID
	}
	if m.Path == "" {
		return m, missing("PullRequestReviewComment", "path")
	}
	if m.SHA == "" {
		m.SHA = p.HeadSHA
	}
	if m.Side == "" {
		m.Side = "RIGHT"
	}
	if m.Line == 0 {
		m.Line = max(in.Position, 1)
	}
	return m, nil
}

type wireReviewComment struct {
	URL                 string             `json:"url"`
	PullRequestReviewID *int64             `json:"pull_request_review_id"`
	ID                  int64              `json:"id"`
	NodeID              string             `json:"node_id"`
	DiffHunk            string             `json:"diff_hunk"`
	Path                string             `json:"path"`
	Position            int64              `json:"position"`
	OriginalPosition    int64              `json:"original_position"`
	CommitID            string             `json:"commit_id"`
	OriginalCommitID    string             `json:"original_commit_id"`
	InReplyToID         int64              `json:"in_reply_to_id,omitempty"`
	User                *wireUser          `json:"user"`
	Body                string             `json:"body"`
	CreatedAt           stamp              `json:"created_at"`
	UpdatedAt           stamp              `json:"updated_at"`
	HTMLURL             string             `json:"html_url"`
	PullRequestURL      string             `json:"pull_request_url"`
	AuthorAssociation   string             `json:"author_association"`
	Links               reviewCommentLinks `json:"_links"`
	Line                int64              `json:"line"`
	OriginalLine        int64              `json:"original_line"`
	Side                string             `json:"side"`
	SubjectType         string             `json:"subject_type"`
}

type reviewCommentLinks struct {
	Self        wireLink `json:"self"`
	HTML        wireLink `json:"html"`
	PullRequest wireLink `json:"pull_request"`
}

func (v *view) reviewComment(ctx context.Context, r hosted.Repo, m hosted.ReviewComment) (*wireReviewComment, error) {
	user, err := v.user(ctx, m.Author)
	if err != nil {
		return nil, err
	}
	association, err := v.association(ctx, r, m.Author)
	if err != nil {
		return nil, err
	}
	w := &wireReviewComment{URL: v.f.repoAPI(r, "/pulls/comments/%d", m.ID), ID: m.ID, NodeID: nodeID("PullRequestReviewComment", m.ID), Path: m.Path,
		Position: m.Line, OriginalPosition: m.Line, CommitID: m.SHA, OriginalCommitID: m.SHA, InReplyToID: m.ReplyTo, User: user, Body: m.Body,
		CreatedAt: stamp(m.CreatedAt), UpdatedAt: stamp(m.UpdatedAt), HTMLURL: v.f.repoHTML(r, "/pull/%d#discussion_r%d", m.Number, m.ID),
		PullRequestURL: v.f.repoAPI(r, "/pulls/%d", m.Number), AuthorAssociation: association, Line: m.Line, OriginalLine: m.Line, Side: m.Side, SubjectType: "line"}
	if m.ReviewID != 0 {
		w.PullRequestReviewID = &m.ReviewID
	}
	w.Links = reviewCommentLinks{wireLink{w.URL}, wireLink{w.HTMLURL}, wireLink{w.PullRequestURL}}
	return w, nil
}

func (c *call) listReviewComments(p hosted.Issue) error { return c.answerReviewComments(p.Number, 0) }

func (c *call) listOneReviewsComments(p hosted.Issue, r hosted.Review) error {
	return c.answerReviewComments(p.Number, r.ID)
}

func (c *call) answerReviewComments(number, reviewID int64) error {
	rows, total, err := c.q.ReviewComments(c.ctx(), c.repo.ID, number, reviewID, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(m hosted.ReviewComment) (*wireReviewComment, error) { return v.reviewComment(c.ctx(), c.repo, m) })
}

func (c *call) createReviewComment(p hosted.Issue) error {
	var in reviewCommentRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	m, err := in.row(c, p)
	if err != nil {
		return err
	}
	err = c.f.change(c.ctx(), func(v *view) error {
		var err error
		m, err = v.q.AddReviewComment(c.ctx(), m)
		return err
	})
	if err != nil {
		return err
	}
	w, err := c.view().reviewComment(c.ctx(), c.repo, m)
	return answer(c, http.StatusCreated, w, err)
}

func (c *call) getReviewComment() error {
	id, err := c.number("id")
	if err != nil {
		return err
	}
	m, err := c.q.ReviewComment(c.ctx(), c.repo.ID, id)
	if err != nil {
		return err
	}
	w, err := c.view().reviewComment(c.ctx(), c.repo, m)
	return answer(c, http.StatusOK, w, err)
}
