package gitea

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"code.gitea.io/sdk/gitea"

	"seaworthy/forge"
)

func repository(r *gitea.Repository) forge.Repo {
	name := forge.RepoName{Name: r.Name}
	if r.Owner != nil {
		name.Owner = r.Owner.UserName
	}
	return forge.Repo{RepoName: name, Description: r.Description, DefaultBranch: r.DefaultBranch, CloneURL: r.CloneURL,
		HTMLURL: r.HTMLURL, Private: r.Private, Archived: r.Archived}
}

// Repo returns a repository.
func (c *Client) Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.Repo{}, err
	}
	r, answer, err := api.GetRepo(repo.Owner, repo.Name)
	if err != nil {
		return forge.Repo{}, fail(answer, err, "look up repository %s", repo)
	}
	return repository(r), nil
}

// CreateRepo creates an empty repository, under the token's account or, if the
// owner is another name, under that organisation. ErrExists if there is one.
func (c *Client) CreateRepo(ctx context.Context, n forge.NewRepo) (forge.Repo, error) {
	me, err := c.User(ctx)
	if err != nil {
		return forge.Repo{}, err
	}
	api, err := c.api(ctx)
	if err != nil {
		return forge.Repo{}, err
	}
	if n.DefaultBranch == "" {
		n.DefaultBranch = "main"
	}
	o := gitea.CreateRepoOption{Name: n.Name, Description: n.Description, Private: n.Private, DefaultBranch: n.DefaultBranch}
	var r *gitea.Repository
	var answer *gitea.Response
	if strings.EqualFold(me.Login, n.Owner) {
		r, answer, err = api.CreateRepo(o)
	} else {
		r, answer, err = api.CreateOrgRepo(n.Owner, o)
	}
	if err != nil {
		return forge.Repo{}, fail(answer, err, "create repository %s", n.RepoName)
	}
	return repository(r), nil
}

// Collaborators returns the owner and everybody who was given access to the
// repository.
func (c *Client) Collaborators(ctx context.Context, repo forge.RepoName) ([]forge.User, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	all, answer, err := collect(func(u *gitea.User) forge.User { return forge.User{Login: u.UserName, Name: u.FullName, Email: u.Email} },
		func(o gitea.ListOptions) ([]*gitea.User, *gitea.Response, error) {
			return api.ListCollaborators(repo.Owner, repo.Name, gitea.ListCollaboratorsOptions{ListOptions: o})
		})
	if err != nil {
		return nil, fail(answer, err, "list collaborators of %s", repo)
	}
	r, err := c.Repo(ctx, repo)
	if err != nil {
		return nil, err
	}
	return append([]forge.User{{Login: r.Owner}}, all...), nil
}

// AddCollaborator gives an account a permission: pull, push or admin, as GitHub
// calls them.
func (c *Client) AddCollaborator(ctx context.Context, repo forge.RepoName, login, permission string) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	mode := gitea.AccessMode(permission)
	switch permission {
	case "pull", "triage":
		mode = gitea.AccessModeRead
	case "push", "maintain":
		mode = gitea.AccessModeWrite
	}
	if answer, err := api.AddCollaborator(repo.Owner, repo.Name, login, gitea.AddCollaboratorOption{Permission: &mode}); err != nil {
		return fail(answer, err, "give %s permission %q on %s", login, permission, repo)
	}
	return nil
}

func branch(b *gitea.Branch) forge.Branch {
	out := forge.Branch{Name: b.Name, Protected: b.Protected}
	if b.Commit != nil {
		out.SHA = b.Commit.ID
	}
	return out
}

// Branches returns all branches.
func (c *Client) Branches(ctx context.Context, repo forge.RepoName) ([]forge.Branch, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	all, answer, err := collect(branch, func(o gitea.ListOptions) ([]*gitea.Branch, *gitea.Response, error) {
		return api.ListRepoBranches(repo.Owner, repo.Name, gitea.ListRepoBranchesOptions{ListOptions: o})
	})
	if err != nil {
		return nil, fail(answer, err, "list branches of %s", repo)
	}
	return all, nil
}

// Branch returns one branch.
func (c *Client) Branch(ctx context.Context, repo forge.RepoName, name string) (forge.Branch, error) {
	var b gitea.Branch
	if err := c.do(ctx, http.MethodGet, at(repo, "branches", name), nil, &b, "look up branch %s of %s", name, repo); err != nil {
		return forge.Branch{}, err
	}
	return branch(&b), nil
}

// CreateBranch makes a branch at a commit the forge has already. ErrExists if
// there is one of that name, ErrNotFound for an unknown commit.
func (c *Client) CreateBranch(ctx context.Context, repo forge.RepoName, name, sha string) error {
	// The library's own call begins at branches alone.
	body := struct {
		Name string `json:"new_branch_name"`
		From string `json:"old_ref_name"`
	}{name, sha}
	return c.do(ctx, http.MethodPost, at(repo, "branches"), body, nil, "create branch %s of %s at %s", name, repo, sha)
}

// DeleteBranch removes a branch.
func (c *Client) DeleteBranch(ctx context.Context, repo forge.RepoName, name string) error {
	return c.do(ctx, http.MethodDelete, at(repo, "branches", name), nil, nil, "delete branch %s of %s", name, repo)
}

// fileLimit bounds a file that is read whole, in bytes.
const fileLimit = 64 << 20

// File returns a file's content at a branch, tag or commit; an empty ref is the
// default branch.
func (c *Client) File(ctx context.Context, repo forge.RepoName, path, ref string) ([]byte, error) {
	attempted := fmt.Sprintf("read %s of %s at %s", path, repo, ref)
	address := c.url + "/api/v1/" + at(repo, "raw", path)
	if ref != "" {
		address += "?ref=" + url.QueryEscape(ref)
	}
	resp, err := c.send(ctx, http.MethodGet, address, "", 0, nil, attempted)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, fileLimit+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", attempted, err)
	}
	if len(text) > fileLimit {
		return nil, fmt.Errorf("%s: %w: it is larger than %d MiB", attempted, forge.ErrInvalid, fileLimit>>20)
	}
	return text, nil
}

func status(s *gitea.Status) forge.Status {
	state := forge.StatusState(s.State)
	switch s.State {
	case gitea.StatusPending, gitea.StatusSuccess, gitea.StatusFailure, gitea.StatusError:
	case "skipped":
		state = forge.StatusSuccess
	default: // a warning, and what else there may come to be, is not green
		state = forge.StatusFailure
	}
	return forge.Status{Context: s.Context, State: state, Description: s.Description, TargetURL: s.TargetURL, Creator: login(s.Creator), CreatedAt: s.Created.UTC()}
}

// Statuses returns the newest status of each context on a commit, newest first.
func (c *Client) Statuses(ctx context.Context, repo forge.RepoName, sha string) ([]forge.Status, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	// Statuses of one second have one time: the id tells which is newer.
	all, answer, err := collect(func(s *gitea.Status) *gitea.Status { return s }, func(o gitea.ListOptions) ([]*gitea.Status, *gitea.Response, error) {
		return api.ListStatuses(repo.Owner, repo.Name, sha, gitea.ListStatusesOption{ListOptions: o})
	})
	if err != nil {
		return nil, fail(answer, err, "list statuses of commit %s in %s", sha, repo)
	}
	return newest(all), nil
}

// maxDescription is how long a status's description may be, in characters, on
// every forge.
const maxDescription = 140

// SetStatus sets the state of one context on a commit. ErrInvalid for an unknown
// state or a description of more than 140 characters.
func (c *Client) SetStatus(ctx context.Context, repo forge.RepoName, sha string, s forge.Status) error {
	switch s.State {
	case forge.StatusPending, forge.StatusSuccess, forge.StatusFailure, forge.StatusError:
	default:
		return fmt.Errorf("set status %s of commit %s in %s: %w: %q is no state", s.Context, sha, repo, forge.ErrInvalid, s.State)
	}
	if n := utf8.RuneCountInString(s.Description); n > maxDescription {
		return fmt.Errorf("set status %s of commit %s in %s: %w: the description has %d characters, at most %d", s.Context, sha, repo, forge.ErrInvalid, n, maxDescription)
	}
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	_, answer, err := api.CreateStatus(repo.Owner, repo.Name, sha, gitea.CreateStatusOption{
		State: gitea.StatusState(s.State), Context: s.Context, Description: s.Description, TargetURL: s.TargetURL,
	})
	if err != nil {
		return fail(answer, err, "set status %s of commit %s in %s", s.Context, sha, repo)
	}
	return nil
}
