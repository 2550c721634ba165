package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/store/hosted"
)

func (f *Forge) repoRoutes() []route {
	return []route{
		{"GET /user/repos", canTalk, (*call).listRepos},
		{"POST /user/repos", canTalk, (*call).createRepo},
		{"GET /orgs/{org}/repos", anyone, (*call).listRepos},
		{"POST /orgs/{org}/repos", canTalk, (*call).createRepo},
		{"GET /users/{login}/repos", anyone, (*call).listRepos},
		{"GET /repos/{owner}/{repo}", canRead, (*call).getRepo},
		{"PATCH /repos/{owner}/{repo}", canAdmin, (*call).editRepo},
		{"DELETE /repos/{owner}/{repo}", canAdmin, (*call).deleteRepo},
		{"POST /repos/{owner}/{repo}/forks", canTalk, (*call).forkRepo},
		{"GET /repos/{owner}/{repo}/collaborators", canWrite, (*call).listCollaborators},
		{"GET /repos/{owner}/{repo}/collaborators/{login}", canTalk, (*call).isCollaborator},
		{"PUT /repos/{owner}/{repo}/collaborators/{login}", canAdmin, (*call).addCollaborator},
		{"DELETE /repos/{owner}/{repo}/collaborators/{login}", canAdmin, (*call).removeCollaborator},
		{"GET /repos/{owner}/{repo}/collaborators/{login}/permission", canTalk, (*call).permission},
		{"GET /repos/{owner}/{repo}/assignees", canRead, (*call).listAssignees},
		{"GET /repos/{owner}/{repo}/assignees/{login}", canRead, (*call).isAssignee},
	}
}

var ownerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// validOwner reports whether a login can be a folder beside the forge's own
// files, which start with a dot, and none of the paths that are the platform's.
func validOwner(login string) bool {
	return ownerName.MatchString(login) && forge.RepoName{Owner: login, Name: "x"}.Valid() && !strings.EqualFold(login, "api") && !strings.EqualFold(login, "v2")
}

// gitRepo returns the bare repository of a row.
func (f *Forge) gitRepo(r hosted.Repo) *git.Repository {
	return &git.Repository{Dir: filepath.Join(f.o.GitDir, r.Owner, r.Name+".git")}
}

// rightIn says what an account may do in a repository.
func rightIn(ctx context.Context, q *hosted.Queries, repo hosted.Repo, a hosted.Account) (right, error) {
	if a.Login != "" {
		if a.Admin || strings.EqualFold(a.Login, repo.Owner) {
			return canAdmin, nil
		}
		c, err := q.Collaborator(ctx, repo.ID, a.Login)
		if err == nil {
			return permissionRights[c.Permission], nil
		}
		if !errors.Is(err, hosted.ErrNotFound) {
			return anyone, err
		}
	}
	switch {
	case repo.Private:
		return anyone, nil
	case a.Login == "":
		return canRead, nil
	}
	return canTalk, nil
}

// addRepo makes the folder of a repository, lets fill put something into it,
// and adds its row. If anything fails, nothing is left behind.
func (f *Forge) addRepo(ctx context.Context, r hosted.Repo, fill func(*git.Repository) error) (_ hosted.Repo, err error) {
	if !(forge.RepoName{Owner: r.Owner, Name: r.Name}).Valid() || !validOwner(r.Owner) {
		return r, invalid("Repository", "name", "invalid", "name has characters other than letters, digits, '-', '_' and '.'")
	}
	if _, err := f.store.Read().Repo(ctx, r.Owner, r.Name); err == nil {
		return r, fmt.Errorf("repository %s: %w", r.FullName(), hosted.ErrExists)
	}
	// Made aside and renamed, so that a folder in its place is always whole.
	tmp, err := os.MkdirTemp(f.o.GitDir, f.o.receiving("new"))
	if err != nil {
		return r, fmt.Errorf("making a repository: %w", err)
	}
	defer os.RemoveAll(tmp)
	made, err := git.Init(ctx, filepath.Join(tmp, "r.git"), true, r.DefaultBranch)
	if err != nil {
		return r, err
	}
	if err := fill(made); err != nil {
		return r, err
	}
	refs, err := made.Refs(ctx, "refs/heads", "refs/tags")
	if err != nil {
		return r, err
	}
	now := f.now()
	r.CreatedAt, r.UpdatedAt, r.PushedAt = now, now, now
	var added hosted.Repo
	err = f.store.Write(ctx, func(q *hosted.Queries) error {
		if err := ensureOwner(ctx, q, hosted.Account{Login: r.Owner, Kind: kindOrganization, CreatedAt: now}); err != nil {
			return err
		}
		if added, err = q.AddRepo(ctx, r); err != nil {
			return err
		}
		for _, ref := range refs {
			if err := q.SetRef(ctx, added.ID, ref.Name, ref.SHA); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	if err := f.place(made.Dir, f.gitRepo(added).Dir); err != nil {
		undo := f.store.Write(context.WithoutCancel(ctx), func(q *hosted.Queries) error { return q.RemoveRepo(ctx, added.ID) })
		return r, errors.Join(err, undo)
	}
	return added, nil
}

// place moves a folder to where it belongs. What is there already belongs to
// no repository any more.
func (f *Forge) place(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("placing a repository: %w", err)
	}
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("placing a repository: %w", err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("placing a repository: %w", err)
	}
	return nil
}

// ensureOwner adds the organisation that a repository's owner is, unless there
// is an account of that name.
func ensureOwner(ctx context.Context, q *hosted.Queries, a hosted.Account) error {
	_, err := q.Account(ctx, a.Login)
	if errors.Is(err, hosted.ErrNotFound) {
		_, err = q.AddAccount(ctx, a)
	}
	return err
}

func (c *call) createRepo() error {
	var in struct {
		Name          string `json:"name"`
		Description   string `json:"description"`
		Homepage      string `json:"homepage"`
		Private       bool   `json:"private"`
		AutoInit      bool   `json:"auto_init"`
		DefaultBranch string `json:"default_branch"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Name == "" {
		return missing("Repository", "name")
	}
	owner := c.user.Login
	if org := c.path("org"); org != "" && !strings.EqualFold(org, owner) {
		if !c.user.Admin {
			return fail(http.StatusForbidden, "You need admin access to the organization before adding a repository to it.")
		}
		owner = org
	}
	if in.DefaultBranch == "" {
		in.DefaultBranch = "main"
	}
	repo := hosted.Repo{Owner: owner, Name: in.Name, Description: in.Description, Homepage: in.Homepage, Private: in.Private,
		DefaultBranch: in.DefaultBranch, Creator: c.user.Login}
	added, err := c.f.addRepo(c.ctx(), repo, func(r *git.Repository) error {
		if !in.AutoInit {
			return nil
		}
		readme := git.FileEdit{Path: "README.md", Content: []byte("# " + in.Name + "\n\n" + in.Description + "\n")}
		tree, err := r.EditTree(c.ctx(), "", []git.FileEdit{readme})
		if err != nil {
			return err
		}
		sha, err := r.CommitTree(c.ctx(), git.NewCommit{Tree: tree, Message: "Initial commit", Author: c.person()})
		if err != nil {
			return err
		}
		return r.UpdateRef(c.ctx(), "refs/heads/"+in.DefaultBranch, sha, git.ZeroSHA)
	})
	if errors.Is(err, hosted.ErrExists) {
		return &apiError{status: http.StatusUnprocessableEntity, message: "Repository creation failed.", fields: []fieldError{
			{Resource: "Repository", Field: "name", Code: "already_exists", Message: "name already exists on this account"}}}
	}
	if err != nil {
		return err
	}
	return c.answerRepo(http.StatusCreated, added, canAdmin)
}

func (c *call) listRepos() error {
	owner := c.path("org") + c.path("login")
	if owner != "" {
		if _, err := c.q.Account(c.ctx(), owner); err != nil {
			return err
		}
	}
	rows, total, err := c.q.Repos(c.ctx(), owner, c.user, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(r hosted.Repo) (*wireRepo, error) {
		have, err := rightIn(c.ctx(), c.q, r, c.user)
		if err != nil {
			return nil, err
		}
		return v.repo(c.ctx(), r, have)
	})
}

func (c *call) getRepo() error {
	return c.answerRepo(http.StatusOK, c.repo, c.right)
}

func (c *call) answerRepo(status int, r hosted.Repo, have right) error {
	w, err := c.view().repo(c.ctx(), r, have)
	return answer(c, status, wireRepoFull{wireRepo: w}, err)
}

func (c *call) editRepo() error {
	var in struct {
		Name          optional[string] `json:"name"`
		Description   optional[string] `json:"description"`
		Homepage      optional[string] `json:"homepage"`
		DefaultBranch optional[string] `json:"default_branch"`
		Private       optional[bool]   `json:"private"`
		Archived      optional[bool]   `json:"archived"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	r := c.repo
	in.Description.apply(&r.Description)
	in.Homepage.apply(&r.Homepage)
	in.Private.apply(&r.Private)
	in.Archived.apply(&r.Archived)
	if in.DefaultBranch.apply(&r.DefaultBranch) && r.DefaultBranch != c.repo.DefaultBranch {
		if _, err := c.git().Resolve(c.ctx(), "refs/heads/"+r.DefaultBranch); err != nil {
			return orMissing(err, "Repository", "default_branch", "The branch "+r.DefaultBranch+" was not found. Please push that ref first or create it via the Git Data API.")
		}
		if _, err := c.git().Git(c.ctx(), "symbolic-ref", "HEAD", "refs/heads/"+r.DefaultBranch); err != nil {
			return err
		}
	}
	if in.Name.apply(&r.Name) && !(forge.RepoName{Owner: r.Owner, Name: r.Name}).Valid() {
		return invalid("Repository", "name", "invalid", "")
	}
	r.UpdatedAt = c.f.now()
	if err := c.f.store.Write(c.ctx(), func(q *hosted.Queries) error { return q.UpdateRepo(c.ctx(), r) }); err != nil {
		return orExists(err, "Repository", "name")
	}
	if r.Name != c.repo.Name {
		if err := os.Rename(c.git().Dir, c.f.gitRepo(r).Dir); err != nil {
			back := c.f.store.Write(c.ctx(), func(q *hosted.Queries) error { return q.UpdateRepo(c.ctx(), c.repo) })
			return errors.Join(fmt.Errorf("renaming a repository's folder: %w", err), back)
		}
	}
	return c.answerRepo(http.StatusOK, r, c.right)
}

func (c *call) deleteRepo() error {
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.f.store.Write(c.ctx(), func(q *hosted.Queries) error { return q.RemoveRepo(c.ctx(), c.repo.ID) }); err != nil {
		return err
	}
	// The rows are gone, so nobody reaches the files any more; failing to
	// remove them costs space only.
	if err := errors.Join(os.RemoveAll(c.git().Dir), os.RemoveAll(c.f.assetDir(c.repo.ID))); err != nil {
		c.f.log.Warn("files of a deleted repository remain", "repo", c.repo.FullName(), "error", err)
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) forkRepo() error {
	var in struct {
		Name         string `json:"name"`
		Organization string `json:"organization"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	r := hosted.Repo{Owner: c.user.Login, Name: c.repo.Name, Description: c.repo.Description, DefaultBranch: c.repo.DefaultBranch,
		Creator: c.user.Login, Private: c.repo.Private, ForkOf: c.repo.ID}
	if in.Name != "" {
		r.Name = in.Name
	}
	if in.Organization != "" && !strings.EqualFold(in.Organization, r.Owner) {
		if !c.user.Admin {
			return fail(http.StatusForbidden, "You need admin access to the organization before adding a repository to it.")
		}
		r.Owner = in.Organization
	}
	if have, err := c.q.Repo(c.ctx(), r.Owner, r.Name); err == nil && have.ForkOf == c.repo.ID {
		return c.answerRepo(http.StatusAccepted, have, canAdmin)
	}
	added, err := c.f.addRepo(c.ctx(), r, func(dst *git.Repository) error {
		return dst.Fetch(c.ctx(), c.git().Dir, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
	})
	if err != nil {
		return orExists(err, "Repository", "name")
	}
	return c.answerRepo(http.StatusAccepted, added, canAdmin)
}

// person is the caller as the author of a commit.
func (c *call) person() git.Person { return c.f.person(c.user) }

func (f *Forge) person(a hosted.Account) git.Person {
	p := git.Person{Name: a.Name, Email: a.Email, Time: f.now()}
	if p.Name == "" {
		p.Name = a.Login
	}
	if p.Email == "" {
		p.Email = fmt.Sprintf("%d+%s@users.noreply.local", a.ID, a.Login)
	}
	return p
}
