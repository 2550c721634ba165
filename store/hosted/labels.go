package hosted

import (
	"context"
	"fmt"
	"time"
)

// Label is a label that a repository offers.
type Label struct {
	ID          int64
	RepoID      int64
	Name        string
	Color       string // six hexadecimal digits
	Description string
}

var labels = table[Label]{"hosted_labels", "id repo_id name color description", 1, func(l *Label) []any {
	return []any{&l.ID, &l.RepoID, &l.Name, &l.Color, &l.Description}
}}

// AddLabel adds a label and draws its id; ErrExists if the name is taken.
func (q *Queries) AddLabel(ctx context.Context, l Label) (Label, error) {
	var err error
	if l.ID, err = q.NextID(ctx); err != nil {
		return l, err
	}
	return l, labels.insert(ctx, q, &l)
}

// UpdateLabel changes the label of that id; ErrExists if the name is taken.
func (q *Queries) UpdateLabel(ctx context.Context, l Label) error { return labels.update(ctx, q, &l) }

// RemoveLabel removes a label, from every issue too.
func (q *Queries) RemoveLabel(ctx context.Context, id int64) error {
	if err := q.exec(ctx, `DELETE FROM hosted_issue_labels WHERE label_id = $1`, id); err != nil {
		return fmt.Errorf("taking a label off its issues: %w", err)
	}
	return labels.remove(ctx, q, "id = $1", id)
}

// Label finds a label by name, whatever the case of its letters.
func (q *Queries) Label(ctx context.Context, repoID int64, name string) (Label, error) {
	return labels.one(ctx, q, "WHERE repo_id = $1 AND lower(name) = lower($2)", repoID, name)
}

// Labels lists the labels that a repository offers.
func (q *Queries) Labels(ctx context.Context, repoID int64, p Page) ([]Label, int, error) {
	return labels.page(ctx, q, p, "repo_id = $1", "lower(name)", repoID)
}

// IssueLabels lists the labels on an issue.
func (q *Queries) IssueLabels(ctx context.Context, issueID int64) ([]Label, error) {
	return labels.list(ctx, q, "WHERE id IN (SELECT label_id FROM hosted_issue_labels WHERE issue_id = $1) ORDER BY lower(name)", issueID)
}

// PutLabel puts a label on an issue; it may be there already.
func (q *Queries) PutLabel(ctx context.Context, issueID, labelID int64) error {
	return q.exec(ctx, `INSERT INTO hosted_issue_labels (issue_id, label_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, issueID, labelID)
}

// TakeLabel takes a label off an issue; its not being there is no error.
func (q *Queries) TakeLabel(ctx context.Context, issueID, labelID int64) error {
	return q.exec(ctx, `DELETE FROM hosted_issue_labels WHERE issue_id = $1 AND label_id = $2`, issueID, labelID)
}

// Milestone groups issues.
type Milestone struct {
	ID          int64
	RepoID      int64
	Number      int64
	Title       string
	Description string
	State       string // open, closed
	Creator     string
	DueOn       time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ClosedAt    time.Time
}

var milestones = table[Milestone]{"hosted_milestones",
	"id repo_id number title description state creator due_on created_at updated_at closed_at", 1, func(m *Milestone) []any {
		return []any{&m.ID, &m.RepoID, &m.Number, &m.Title, &m.Description, &m.State, &m.Creator, instant{&m.DueOn},
			instant{&m.CreatedAt}, instant{&m.UpdatedAt}, instant{&m.ClosedAt}}
	}}

// AddMilestone adds a milestone and draws its id and number; ErrExists if the
// title is taken.
func (q *Queries) AddMilestone(ctx context.Context, m Milestone) (Milestone, error) {
	var err error
	if m.ID, err = q.NextID(ctx); err != nil {
		return m, err
	}
	err = q.db.QueryRowContext(ctx, `UPDATE hosted_repos SET last_milestone = last_milestone + 1 WHERE id = $1 RETURNING last_milestone`, m.RepoID).Scan(&m.Number)
	if err != nil {
		return m, fmt.Errorf("drawing a milestone's number: %w", err)
	}
	return m, milestones.insert(ctx, q, &m)
}

// UpdateMilestone changes the milestone of that id; ErrExists if the title is
// taken.
func (q *Queries) UpdateMilestone(ctx context.Context, m Milestone) error {
	return milestones.update(ctx, q, &m)
}

// RemoveMilestone removes a milestone and clears it from its issues.
func (q *Queries) RemoveMilestone(ctx context.Context, m Milestone) error {
	if err := q.exec(ctx, `UPDATE hosted_issues SET milestone = 0 WHERE repo_id = $1 AND milestone = $2`, m.RepoID, m.Number); err != nil {
		return fmt.Errorf("clearing a milestone from its issues: %w", err)
	}
	return milestones.remove(ctx, q, "id = $1", m.ID)
}

// Milestone finds a milestone by number.
func (q *Queries) Milestone(ctx context.Context, repoID, number int64) (Milestone, error) {
	return milestones.one(ctx, q, "WHERE repo_id = $1 AND number = $2", repoID, number)
}

// Milestones lists milestones in a state ("all": any) by number.
func (q *Queries) Milestones(ctx context.Context, repoID int64, state string, p Page) ([]Milestone, int, error) {
	return milestones.page(ctx, q, p, "repo_id = $1 AND ($2 = 'all' OR state = $2)", "number", repoID, state)
}
