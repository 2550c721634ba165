package hosted

import (
	"context"
	"time"
)

// Comment is a comment on an issue or a pull request.
type Comment struct {
	ID        int64
	RepoID    int64
	Number    int64
	Author    string
	Body      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

var comments = table[Comment]{"hosted_comments", "id repo_id number author body created_at updated_at", 1, func(c *Comment) []any {
	return []any{&c.ID, &c.RepoID, &c.Number, &c.Author, &c.Body, instant{&c.CreatedAt}, instant{&c.UpdatedAt}}
}}

// AddComment adds a comment and draws its id.
func (q *Queries) AddComment(ctx context.Context, c Comment) (Comment, error) {
	var err error
	if c.ID, err = q.NextID(ctx); err != nil {
		return c, err
	}
	return c, comments.insert(ctx, q, &c)
}

// UpdateComment changes the comment of that id.
func (q *Queries) UpdateComment(ctx context.Context, c Comment) error {
	return comments.update(ctx, q, &c)
}

// RemoveComment removes a comment.
func (q *Queries) RemoveComment(ctx context.Context, id int64) error {
	return comments.remove(ctx, q, "id = $1", id)
}

// Comment finds a comment of a repository.
func (q *Queries) Comment(ctx context.Context, repoID, id int64) (Comment, error) {
	return comments.one(ctx, q, "WHERE repo_id = $1 AND id = $2", repoID, id)
}

// Comments lists the comments on an issue, or with number 0 on every issue,
// changed since a time, oldest first.
func (q *Queries) Comments(ctx context.Context, repoID, number int64, since time.Time, p Page) ([]Comment, int, error) {
	return comments.page(ctx, q, p, "repo_id = $1 AND ($2 = 0 OR number = $2) AND updated_at >= $3", "id", repoID, number, instant{&since})
}

// Review is a submitted review, or with state PENDING one that is being written.
type Review struct {
	ID          int64
	RepoID      int64
	Number      int64
	Author      string
	Body        string
	State       string // PENDING, APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED
	SHA         string
	SubmittedAt time.Time
}

var reviews = table[Review]{"hosted_reviews", "id repo_id number author body state sha submitted_at", 1, func(r *Review) []any {
	return []any{&r.ID, &r.RepoID, &r.Number, &r.Author, &r.Body, &r.State, &r.SHA, instant{&r.SubmittedAt}}
}}

// AddReview adds a review and draws its id.
func (q *Queries) AddReview(ctx context.Context, r Review) (Review, error) {
	var err error
	if r.ID, err = q.NextID(ctx); err != nil {
		return r, err
	}
	return r, reviews.insert(ctx, q, &r)
}

// UpdateReview changes the review of that id.
func (q *Queries) UpdateReview(ctx context.Context, r Review) error {
	return reviews.update(ctx, q, &r)
}

// RemoveReview removes a review.
func (q *Queries) RemoveReview(ctx context.Context, id int64) error {
	return reviews.remove(ctx, q, "id = $1", id)
}

// Review finds a review of a pull request.
func (q *Queries) Review(ctx context.Context, repoID, number, id int64) (Review, error) {
	return reviews.one(ctx, q, "WHERE repo_id = $1 AND number = $2 AND id = $3", repoID, number, id)
}

// Reviews lists the reviews of a pull request that a viewer sees, oldest
// first: his own pending ones, and everybody's submitted ones.
func (q *Queries) Reviews(ctx context.Context, repoID, number int64, viewer string, p Page) ([]Review, int, error) {
	return reviews.page(ctx, q, p, "repo_id = $1 AND number = $2 AND (state <> 'PENDING' OR lower(author) = lower($3))", "id", repoID, number, viewer)
}

// ReviewComment is a comment on a line of a pull request.
type ReviewComment struct {
	ID        int64
	RepoID    int64
	Number    int64
	ReviewID  int64
	ReplyTo   int64 // 0: starts a conversation
	Author    string
	Body      string
	Path      string
	SHA       string
	Line      int64
	Side      string // LEFT, RIGHT
	CreatedAt time.Time
	UpdatedAt time.Time
}

var reviewComments = table[ReviewComment]{"hosted_review_comments",
	"id repo_id number review_id reply_to author body path sha line side created_at updated_at", 1, func(c *ReviewComment) []any {
		return []any{&c.ID, &c.RepoID, &c.Number, &c.ReviewID, &c.ReplyTo, &c.Author, &c.Body, &c.Path, &c.SHA, &c.Line, &c.Side,
			instant{&c.CreatedAt}, instant{&c.UpdatedAt}}
	}}

// AddReviewComment adds a comment on a line and draws its id.
func (q *Queries) AddReviewComment(ctx context.Context, c ReviewComment) (ReviewComment, error) {
	var err error
	if c.ID, err = q.NextID(ctx); err != nil {
		return c, err
	}
	return c, reviewComments.insert(ctx, q, &c)
}

// ReviewComment finds a comment on a line.
func (q *Queries) ReviewComment(ctx context.Context, repoID, id int64) (ReviewComment, error) {
	return reviewComments.one(ctx, q, "WHERE repo_id = $1 AND id = $2", repoID, id)
}

// ReviewComments lists the comments on a pull request's lines, oldest first;
// with a reviewID those of one review.
func (q *Queries) ReviewComments(ctx context.Context, repoID, number, reviewID int64, p Page) ([]ReviewComment, int, error) {
	return reviewComments.page(ctx, q, p, "repo_id = $1 AND number = $2 AND ($3 = 0 OR review_id = $3)", "id", repoID, number, reviewID)
}
