package hosted

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Issue is an issue or, with IsPull, a pull request.
type Issue struct {
	ID          int64
	RepoID      int64
	Number      int64
	IsPull      bool
	Title       string
	Body        string
	Author      string
	State       string // open, closed
	StateReason string // completed, not_planned, reopened; empty
	Locked      bool
	Milestone   int64 // number; 0: none
	ClosedBy    string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ClosedAt    time.Time

	Draft      bool
	Base       string
	BaseSHA    string
	Head       string
	HeadRepoID int64
	HeadSHA    string
	Merged     bool
	MergeSHA   string // of the landed commit; set already while it is landing
	MergedBy   string
	MergedAt   time.Time
	TestBase   string // what TestSHA was made from
	TestHead   string
	TestSHA    string // the test merge; empty with TestBase set: a conflict
}

var issues = table[Issue]{"hosted_issues",
	`id repo_id number is_pull title body author state state_reason locked milestone closed_by created_at updated_at closed_at
	draft base base_sha head head_repo_id head_sha merged merge_sha merged_by merged_at test_base test_head test_sha`, 1,
	func(i *Issue) []any {
		return []any{&i.ID, &i.RepoID, &i.Number, &i.IsPull, &i.Title, &i.Body, &i.Author, &i.State, &i.StateReason, &i.Locked, &i.Milestone,
			&i.ClosedBy, instant{&i.CreatedAt}, instant{&i.UpdatedAt}, instant{&i.ClosedAt}, &i.Draft, &i.Base, &i.BaseSHA, &i.Head,
			&i.HeadRepoID, &i.HeadSHA, &i.Merged, &i.MergeSHA, &i.MergedBy, instant{&i.MergedAt}, &i.TestBase, &i.TestHead, &i.TestSHA}
	}}

// AddIssue adds an issue or pull request and draws its id and number.
func (q *Queries) AddIssue(ctx context.Context, i Issue) (Issue, error) {
	var err error
	if i.ID, err = q.NextID(ctx); err != nil {
		return i, err
	}
	err = q.db.QueryRowContext(ctx, `UPDATE hosted_repos SET last_number = last_number + 1 WHERE id = $1 RETURNING last_number`, i.RepoID).Scan(&i.Number)
	if err != nil {
		return i, fmt.Errorf("drawing a number: %w", err)
	}
	return i, issues.insert(ctx, q, &i)
}

// UpdateIssue changes the issue of that id.
func (q *Queries) UpdateIssue(ctx context.Context, i Issue) error { return issues.update(ctx, q, &i) }

// Issue finds an issue or pull request by number.
func (q *Queries) Issue(ctx context.Context, repoID, number int64) (Issue, error) {
	return issues.one(ctx, q, "WHERE repo_id = $1 AND number = $2", repoID, number)
}

// SetTestMerge notes the test merge of a pull request, and nothing else of it.
func (q *Queries) SetTestMerge(ctx context.Context, i Issue) error {
	return q.exec(ctx, `UPDATE hosted_issues SET test_base = $2, test_head = $3, test_sha = $4 WHERE id = $1`, i.ID, i.TestBase, i.TestHead, i.TestSHA)
}

// SetPullCommits notes which commits a pull request has.
func (q *Queries) SetPullCommits(ctx context.Context, i Issue, shas []string) error {
	if err := q.exec(ctx, `DELETE FROM hosted_pull_commits WHERE repo_id = $1 AND number = $2`, i.RepoID, i.Number); err != nil {
		return fmt.Errorf("forgetting the commits of #%d: %w", i.Number, err)
	}
	for _, sha := range shas {
		err := q.exec(ctx, `INSERT INTO hosted_pull_commits (repo_id, sha, number) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, i.RepoID, sha, i.Number)
		if err != nil {
			return fmt.Errorf("noting the commits of #%d: %w", i.Number, err)
		}
	}
	return nil
}

// OpenPulls lists the open pull requests that come from or go to a branch of a
// repository.
func (q *Queries) OpenPulls(ctx context.Context, repoID int64, branch string) ([]Issue, error) {
	return issues.list(ctx, q, `WHERE is_pull AND state = 'open' AND
		((head_repo_id = $1 AND head = $2) OR (repo_id = $1 AND base = $2)) ORDER BY id`, repoID, branch)
}

// IssueFilter selects issues. Empty fields select everything.
type IssueFilter struct {
	RepoID     int64 // 0: of every repository the viewer sees
	Pull       *bool
	State      string // open, closed; empty: both
	Labels     []string
	Milestone  string // number, "none" or "*"
	MileTitle  string
	Author     string
	Assignee   string // login, "none" or "*"
	Base       string
	Head       string
	HeadRepoID int64
	HeadSHA    string
	Commit     string // of a pull request
	Merged     *bool
	Draft      *bool
	Text       string // in title or body
	Since      time.Time
	Sort       string // created (default), updated, comments
	Ascending  bool
	Viewer     Account
	Page
}

// condition collects parts of a WHERE clause and their arguments.
type condition struct {
	parts []string
	args  []any
}

// and adds a part; each "?" in it stands for one of the arguments.
func (c *condition) and(part string, args ...any) {
	for _, a := range args {
		c.args = append(c.args, argument(a))
		part = strings.Replace(part, "?", "$"+strconv.Itoa(len(c.args)), 1)
	}
	c.parts = append(c.parts, part)
}

// Issues lists issues and pull requests, and counts them all.
func (q *Queries) Issues(ctx context.Context, f IssueFilter) ([]Issue, int, error) {
	c := f.condition()
	order := map[string]string{"updated": "updated_at", "comments": "(SELECT count(*) FROM hosted_comments m WHERE m.repo_id = hosted_issues.repo_id AND m.number = hosted_issues.number)"}[f.Sort]
	if order == "" {
		order = "created_at"
	}
	direction := " DESC"
	if f.Ascending {
		direction = ""
	}
	return issues.page(ctx, q, f.Page, strings.Join(c.parts, " AND "), order+direction+", id"+direction, c.args...)
}

func (f IssueFilter) condition() *condition {
	c := &condition{parts: []string{"1 = 1"}}
	if f.RepoID != 0 {
		c.and("repo_id = ?", f.RepoID)
	} else if !f.Viewer.Admin {
		c.and(`repo_id IN (SELECT id FROM hosted_repos WHERE NOT private OR lower(owner) = lower(?)
			OR id IN (SELECT repo_id FROM hosted_collaborators WHERE lower(login) = lower(?)))`, f.Viewer.Login, f.Viewer.Login)
	}
	for _, e := range []struct{ part, value string }{
		{"state = ?", f.State}, {"lower(author) = lower(?)", f.Author}, {"base = ?", f.Base}, {"head = ?", f.Head}, {"head_sha = ?", f.HeadSHA},
		{"milestone IN (SELECT number FROM hosted_milestones s WHERE s.repo_id = hosted_issues.repo_id AND s.title = ?)", f.MileTitle},
	} {
		if e.value != "" {
			c.and(e.part, e.value)
		}
	}
	for _, e := range []struct {
		column string
		value  *bool
	}{{"is_pull", f.Pull}, {"merged", f.Merged}, {"draft", f.Draft}} {
		if e.value != nil {
			c.and(e.column+" = ?", e.value)
		}
	}
	for _, l := range f.Labels {
		c.and(`id IN (SELECT issue_id FROM hosted_issue_labels x JOIN hosted_labels l ON l.id = x.label_id WHERE lower(l.name) = lower(?))`, l)
	}
	if f.Commit != "" {
		c.and("number IN (SELECT number FROM hosted_pull_commits k WHERE k.repo_id = hosted_issues.repo_id AND k.sha = ?)", f.Commit)
	}
	if f.HeadRepoID != 0 {
		c.and("head_repo_id = ?", f.HeadRepoID)
	}
	if !f.Since.IsZero() {
		c.and("updated_at >= ?", instant{&f.Since})
	}
	if f.Text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(f.Text)) + "%"
		c.and(`(lower(title) LIKE ? ESCAPE '\' OR lower(body) LIKE ? ESCAPE '\')`, like, like)
	}
	f.choices(c)
	return c
}

// choices adds the filters that know "none" and "*" beside a value.
func (f IssueFilter) choices(c *condition) {
	switch f.Milestone {
	case "":
	case "none":
		c.and("milestone = 0")
	case "*":
		c.and("milestone <> 0")
	default:
		n, err := strconv.ParseInt(f.Milestone, 10, 64)
		if err != nil {
			n = -1 // no milestone has it
		}
		c.and("milestone = ?", n)
	}
	const assigned = "(SELECT issue_id FROM hosted_issue_people WHERE role = 'assignee'"
	switch f.Assignee {
	case "":
	case "none":
		c.and("id NOT IN " + assigned + ")")
	case "*":
		c.and("id IN " + assigned + ")")
	default:
		c.and("id IN "+assigned+" AND lower(login) = lower(?))", f.Assignee)
	}
}

// CountIssues counts issues and pull requests by state: of a milestone, or of
// the whole repository with milestone 0.
func (q *Queries) CountIssues(ctx context.Context, repoID, milestone int64) (open, closed int, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT coalesce(sum(CASE WHEN state = 'open' THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE WHEN state = 'open' THEN 0 ELSE 1 END), 0)
		FROM hosted_issues WHERE repo_id = $1 AND ($2 = 0 OR milestone = $2)`, repoID, milestone).Scan(&open, &closed)
	return open, closed, err
}

// Role is what an account is to an issue.
type Role string

// Roles.
const (
	Assignee Role = "assignee"
	Reviewer Role = "reviewer" // requested, not yet given
)

// AddPerson gives an account a role; it may have it already.
func (q *Queries) AddPerson(ctx context.Context, issueID int64, role Role, login string) error {
	return q.exec(ctx, `INSERT INTO hosted_issue_people (issue_id, role, login) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, issueID, string(role), login)
}

// RemovePerson takes a role away; not having it is no error.
func (q *Queries) RemovePerson(ctx context.Context, issueID int64, role Role, login string) error {
	return q.exec(ctx, `DELETE FROM hosted_issue_people WHERE issue_id = $1 AND role = $2 AND lower(login) = lower($3)`, issueID, string(role), login)
}

// People lists the accounts that have a role.
func (q *Queries) People(ctx context.Context, issueID int64, role Role) ([]string, error) {
	rows, err := q.db.QueryContext(ctx, `SELECT login FROM hosted_issue_people WHERE issue_id = $1 AND role = $2 ORDER BY login`, issueID, string(role))
	if err != nil {
		return nil, fmt.Errorf("listing the people of an issue: %w", err)
	}
	return scanAll(rows, func(s *string) []any { return []any{s} })
}
