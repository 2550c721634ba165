package hosted

import (
	"context"
	"time"
)

// Status is one state of one context on one commit. Older ones stay.
type Status struct {
	ID          int64
	RepoID      int64
	SHA         string
	Context     string
	State       string // pending, success, failure, error
	Description string
	TargetURL   string
	Creator     string
	CreatedAt   time.Time
}

var statuses = table[Status]{"hosted_statuses", "id repo_id sha context state description target_url creator created_at", 1, func(s *Status) []any {
	return []any{&s.ID, &s.RepoID, &s.SHA, &s.Context, &s.State, &s.Description, &s.TargetURL, &s.Creator, instant{&s.CreatedAt}}
}}

// AddStatus adds a status and draws its id.
func (q *Queries) AddStatus(ctx context.Context, s Status) (Status, error) {
	var err error
	if s.ID, err = q.NextID(ctx); err != nil {
		return s, err
	}
	return s, statuses.insert(ctx, q, &s)
}

// Statuses lists all statuses of a commit, newest first.
func (q *Queries) Statuses(ctx context.Context, repoID int64, sha string, p Page) ([]Status, int, error) {
	return statuses.page(ctx, q, p, "repo_id = $1 AND sha = $2", "id DESC", repoID, sha)
}

// CurrentStatuses lists the newest status of each context, by context.
func (q *Queries) CurrentStatuses(ctx context.Context, repoID int64, sha string, p Page) ([]Status, int, error) {
	return statuses.page(ctx, q, p, "id IN (SELECT max(id) FROM hosted_statuses WHERE repo_id = $1 AND sha = $2 GROUP BY context)", "context", repoID, sha)
}

// CheckRun is GitHub's richer form of a status.
type CheckRun struct {
	ID          int64
	RepoID      int64
	SHA         string
	Name        string
	Status      string // queued, in_progress, completed
	Conclusion  string
	DetailsURL  string
	ExternalID  string
	Title       string
	Summary     string
	Text        string
	Creator     string
	StartedAt   time.Time
	CompletedAt time.Time
}

var checkRuns = table[CheckRun]{"hosted_check_runs",
	"id repo_id sha name status conclusion details_url external_id title summary body creator started_at completed_at", 1, func(c *CheckRun) []any {
		return []any{&c.ID, &c.RepoID, &c.SHA, &c.Name, &c.Status, &c.Conclusion, &c.DetailsURL, &c.ExternalID, &c.Title, &c.Summary, &c.Text,
			&c.Creator, instant{&c.StartedAt}, instant{&c.CompletedAt}}
	}}

// AddCheckRun adds a check run and draws its id.
func (q *Queries) AddCheckRun(ctx context.Context, c CheckRun) (CheckRun, error) {
	var err error
	if c.ID, err = q.NextID(ctx); err != nil {
		return c, err
	}
	return c, checkRuns.insert(ctx, q, &c)
}

// UpdateCheckRun changes the check run of that id.
func (q *Queries) UpdateCheckRun(ctx context.Context, c CheckRun) error {
	return checkRuns.update(ctx, q, &c)
}

// CheckRun finds a check run.
func (q *Queries) CheckRun(ctx context.Context, repoID, id int64) (CheckRun, error) {
	return checkRuns.one(ctx, q, "WHERE repo_id = $1 AND id = $2", repoID, id)
}

// CheckRuns lists the newest check run of each name on a commit; empty name
// and status select all.
func (q *Queries) CheckRuns(ctx context.Context, repoID int64, sha, name, status string, p Page) ([]CheckRun, int, error) {
	return checkRuns.page(ctx, q, p, `id IN (SELECT max(id) FROM hosted_check_runs WHERE repo_id = $1 AND sha = $2 GROUP BY name)
		AND ($3 = '' OR name = $3) AND ($4 = '' OR status = $4)`, "id", repoID, sha, name, status)
}
