package hosted

import (
	"context"
	"fmt"
	"time"
)

// Repo is a repository.
type Repo struct {
	ID            int64
	Owner         string
	Name          string
	Description   string
	Homepage      string
	DefaultBranch string
	Creator       string
	Private       bool
	Archived      bool
	ForkOf        int64 // id of the repository it was forked from; 0: none
	CreatedAt     time.Time
	UpdatedAt     time.Time
	PushedAt      time.Time
	lastNumber    int64
	lastMilestone int64
}

// FullName returns OWNER/NAME.
func (r Repo) FullName() string { return r.Owner + "/" + r.Name }

var repos = table[Repo]{"hosted_repos",
	"id owner name description homepage default_branch creator private archived fork_of created_at updated_at pushed_at last_number last_milestone", 1,
	func(r *Repo) []any {
		return []any{&r.ID, &r.Owner, &r.Name, &r.Description, &r.Homepage, &r.DefaultBranch, &r.Creator, &r.Private, &r.Archived,
			&r.ForkOf, instant{&r.CreatedAt}, instant{&r.UpdatedAt}, instant{&r.PushedAt}, &r.lastNumber, &r.lastMilestone}
	}}

// AddRepo adds a repository and draws its id; ErrExists if the name is taken.
func (q *Queries) AddRepo(ctx context.Context, r Repo) (Repo, error) {
	var err error
	if r.ID, err = q.NextID(ctx); err != nil {
		return r, err
	}
	return r, repos.insert(ctx, q, &r)
}

// UpdateRepo changes what people may change of a repository; ErrExists if the
// new name is taken.
func (q *Queries) UpdateRepo(ctx context.Context, r Repo) error {
	err := q.exec(ctx, `UPDATE hosted_repos SET name = $2, description = $3, homepage = $4, default_branch = $5, private = $6,
		archived = $7, updated_at = $8 WHERE id = $1`, r.ID, r.Name, r.Description, r.Homepage, r.DefaultBranch, r.Private, r.Archived, instant{&r.UpdatedAt})
	if err != nil && unique(err) {
		return fmt.Errorf("renaming %s: %w", r.FullName(), ErrExists)
	}
	return err
}

// Pushed notes when a repository's refs last moved.
func (q *Queries) Pushed(ctx context.Context, repoID int64, now time.Time) error {
	return q.exec(ctx, `UPDATE hosted_repos SET pushed_at = $2, updated_at = $2 WHERE id = $1`, repoID, instant{&now})
}

// Repo finds a repository by name, whatever the case of its letters.
func (q *Queries) Repo(ctx context.Context, owner, name string) (Repo, error) {
	return repos.one(ctx, q, "WHERE lower(owner) = lower($1) AND lower(name) = lower($2)", owner, name)
}

// RepoByID finds a repository by id.
func (q *Queries) RepoByID(ctx context.Context, id int64) (Repo, error) {
	return repos.one(ctx, q, "WHERE id = $1", id)
}

// Repos lists repositories by name: those of one owner, or all when owner is
// empty. A viewer that is not an admin sees the public ones, his own, and
// those he collaborates on.
func (q *Queries) Repos(ctx context.Context, owner string, viewer Account, p Page) ([]Repo, int, error) {
	where := `($1 = '' OR lower(owner) = lower($1)) AND ($2 OR NOT private OR lower(owner) = lower($3)
		OR id IN (SELECT repo_id FROM hosted_collaborators WHERE lower(login) = lower($3)))`
	return repos.page(ctx, q, p, where, "owner, name", owner, viewer.Admin, viewer.Login)
}

// AllRepos lists every repository.
func (q *Queries) AllRepos(ctx context.Context) ([]Repo, error) {
	return repos.list(ctx, q, "ORDER BY id")
}

// RemoveRepo removes a repository and everything that belongs to it.
func (q *Queries) RemoveRepo(ctx context.Context, id int64) error {
	for _, of := range []string{"hosted_issue_labels", "hosted_issue_people"} {
		if err := q.exec(ctx, "DELETE FROM "+of+" WHERE issue_id IN (SELECT id FROM hosted_issues WHERE repo_id = $1)", id); err != nil {
			return fmt.Errorf("emptying %s: %w", of, err)
		}
	}
	for _, of := range []string{"collaborators", "refs", "protections", "issues", "pull_commits", "comments", "reviews", "review_comments", "labels",
		"milestones", "statuses", "check_runs", "assets", "releases", "deliveries", "hooks"} {
		if err := q.exec(ctx, "DELETE FROM hosted_"+of+" WHERE repo_id = $1", id); err != nil {
			return fmt.Errorf("emptying %s: %w", of, err)
		}
	}
	return repos.remove(ctx, q, "id = $1", id)
}

// Collaborator is what an account may do in a repository that is not its own.
type Collaborator struct {
	RepoID     int64
	Login      string
	Permission string // pull, triage, push, maintain, admin
}

var collaborators = table[Collaborator]{"hosted_collaborators", "repo_id login permission", 2, func(c *Collaborator) []any {
	return []any{&c.RepoID, &c.Login, &c.Permission}
}}

// SetCollaborator adds a collaborator or changes his permission.
func (q *Queries) SetCollaborator(ctx context.Context, c Collaborator) error {
	if err := q.RemoveCollaborator(ctx, c.RepoID, c.Login); err != nil {
		return err
	}
	return collaborators.insert(ctx, q, &c)
}

// RemoveCollaborator takes a collaborator away; one that is none is no error.
func (q *Queries) RemoveCollaborator(ctx context.Context, repoID int64, login string) error {
	return q.exec(ctx, `DELETE FROM hosted_collaborators WHERE repo_id = $1 AND lower(login) = lower($2)`, repoID, login)
}

// Collaborator finds a collaborator.
func (q *Queries) Collaborator(ctx context.Context, repoID int64, login string) (Collaborator, error) {
	return collaborators.one(ctx, q, "WHERE repo_id = $1 AND lower(login) = lower($2)", repoID, login)
}

// Collaborators lists a repository's collaborators.
func (q *Queries) Collaborators(ctx context.Context, repoID int64) ([]Collaborator, error) {
	return collaborators.list(ctx, q, "WHERE repo_id = $1 ORDER BY login", repoID)
}

type ref struct {
	RepoID int64
	Name   string
	SHA    string
}

var refs = table[ref]{"hosted_refs", "repo_id name sha", 2, func(r *ref) []any { return []any{&r.RepoID, &r.Name, &r.SHA} }}

// Refs returns where the refs of a repository were when last announced, by
// full name.
func (q *Queries) Refs(ctx context.Context, repoID int64) (map[string]string, error) {
	rows, err := refs.list(ctx, q, "WHERE repo_id = $1", repoID)
	if err != nil {
		return nil, err
	}
	at := make(map[string]string, len(rows))
	for _, r := range rows {
		at[r.Name] = r.SHA
	}
	return at, nil
}

// SetRef notes that a ref's position is announced; an empty sha forgets it.
func (q *Queries) SetRef(ctx context.Context, repoID int64, name, sha string) error {
	if err := q.exec(ctx, `DELETE FROM hosted_refs WHERE repo_id = $1 AND name = $2`, repoID, name); err != nil || sha == "" {
		return err
	}
	return refs.insert(ctx, q, &ref{repoID, name, sha})
}

// Protection is what a branch demands before it moves.
type Protection struct {
	RepoID        int64
	Branch        string
	RequireChecks bool
	Strict        bool
	Contexts      []string
	Restricted    bool // only PushLogins may push
	PushLogins    []string
	EnforceAdmins bool
	Reviews       int      // approvals demanded; -1: a pull request is not demanded
	BypassLogins  []string // who need no pull request
	AllowForce    bool
	AllowDeletion bool
	LinearHistory bool
}

var protections = table[Protection]{"hosted_protections",
	"repo_id branch require_checks strict contexts restricted push_logins enforce_admins reviews bypass_logins allow_force allow_deletion linear_history", 2,
	func(p *Protection) []any {
		return []any{&p.RepoID, &p.Branch, &p.RequireChecks, &p.Strict, document{&p.Contexts}, &p.Restricted, document{&p.PushLogins},
			&p.EnforceAdmins, &p.Reviews, document{&p.BypassLogins}, &p.AllowForce, &p.AllowDeletion, &p.LinearHistory}
	}}

// SetProtection protects a branch, in place of what protected it.
func (q *Queries) SetProtection(ctx context.Context, p Protection) error {
	if err := q.exec(ctx, `DELETE FROM hosted_protections WHERE repo_id = $1 AND branch = $2`, p.RepoID, p.Branch); err != nil {
		return err
	}
	return protections.insert(ctx, q, &p)
}

// Protection finds what protects a branch.
func (q *Queries) Protection(ctx context.Context, repoID int64, branch string) (Protection, error) {
	return protections.one(ctx, q, "WHERE repo_id = $1 AND branch = $2", repoID, branch)
}

// Protections lists the protected branches of a repository.
func (q *Queries) Protections(ctx context.Context, repoID int64) ([]Protection, error) {
	return protections.list(ctx, q, "WHERE repo_id = $1 ORDER BY branch", repoID)
}

// RemoveProtection ends a branch's protection.
func (q *Queries) RemoveProtection(ctx context.Context, repoID int64, branch string) error {
	return protections.remove(ctx, q, "repo_id = $1 AND branch = $2", repoID, branch)
}
