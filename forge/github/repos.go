package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// mediaRaw asks for a file's bytes instead of a description of them.
const mediaRaw = "application/vnd.github.raw+json"

// Repos lists the repositories that the token's account owns or works on.
func (c *Client) Repos(ctx context.Context) ([]forge.Repo, error) {
	opt := &github.RepositoryListByAuthenticatedUserOptions{ListOptions: github.ListOptions{PerPage: perPage}}
	var repos []forge.Repo
	for r, err := range c.gh.Repositories.ListByAuthenticatedUserIter(ctx, opt) {
		if err != nil {
			return nil, c.fail(err, "list repositories")
		}
		repos = append(repos, repository(r))
	}
	return repos, nil
}

// CreateRepo creates an empty repository, under the token's account or, if the
// owner is another name, under that organisation. ErrExists if there is one.
//
// The default branch is asked for, which github.com does not listen to: there
// it is the account's usual one until another branch is the first one pushed.
// The returned Repo says what the forge made of it.
func (c *Client) CreateRepo(ctx context.Context, n forge.NewRepo) (forge.Repo, error) {
	me, err := c.User(ctx)
	if err != nil {
		return forge.Repo{}, fmt.Errorf("create repository %s: %w", n.RepoName, err)
	}
	path := "user/repos"
	if !strings.EqualFold(me.Login, n.Owner) {
		path = "orgs/" + n.Owner + "/repos"
	}
	if n.DefaultBranch == "" {
		n.DefaultBranch = "main"
	}
	// The library's own call leaves the default branch out.
	body := struct {
		Name          string `json:"name"`
		Description   string `json:"description,omitempty"`
		Private       bool   `json:"private"`
		DefaultBranch string `json:"default_branch"`
	}{n.Name, n.Description, n.Private, n.DefaultBranch}
	var r github.Repository
	if err := c.do(ctx, http.MethodPost, path, body, &r); err != nil {
		return forge.Repo{}, c.fail(err, "create repository %s", n.RepoName)
	}
	return repository(&r), nil
}

// Repo returns a repository.
func (c *Client) Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error) {
	r, _, err := c.gh.Repositories.Get(ctx, repo.Owner, repo.Name)
	if err != nil {
		return forge.Repo{}, c.fail(err, "look up repository %s", repo)
	}
	return repository(r), nil
}

// Branches returns all branches.
func (c *Client) Branches(ctx context.Context, repo forge.RepoName) ([]forge.Branch, error) {
	opts := &github.BranchListOptions{ListOptions: firstPage()}
	out, err := collect(c.gh.Repositories.ListBranchesIter(ctx, repo.Owner, repo.Name, opts), branch)
	if err != nil {
		return nil, c.fail(err, "list branches of %s", repo)
	}
	return out, nil
}

// Branch returns one branch.
func (c *Client) Branch(ctx context.Context, repo forge.RepoName, name string) (forge.Branch, error) {
	// The library's own call loses what the forge said against it.
	var b github.Branch
	if err := c.do(ctx, http.MethodGet, fmt.Sprintf("repos/%s/%s/branches/%s", repo.Owner, repo.Name, url.PathEscape(name)), nil, &b); err != nil {
		return forge.Branch{}, c.fail(err, "look up branch %s of %s", name, repo)
	}
	return branch(&b), nil
}

// CreateBranch makes a branch at a commit the forge has already. ErrExists if
// there is one of that name, ErrNotFound or ErrInvalid for an unknown commit.
func (c *Client) CreateBranch(ctx context.Context, repo forge.RepoName, name, sha string) error {
	_, _, err := c.gh.Git.CreateRef(ctx, repo.Owner, repo.Name, github.CreateRef{Ref: "refs/heads/" + name, SHA: sha})
	if err != nil {
		return c.fail(err, "create branch %s of %s at %s", name, repo, sha)
	}
	return nil
}

// DeleteBranch removes a branch.
func (c *Client) DeleteBranch(ctx context.Context, repo forge.RepoName, name string) error {
	if _, err := c.gh.Git.DeleteRef(ctx, repo.Owner, repo.Name, "refs/heads/"+name); err != nil {
		return c.fail(err, "delete branch %s of %s", name, repo)
	}
	return nil
}

// File returns a file's content at a branch, tag or commit; an empty ref is
// the default branch. ErrInvalid if path is a folder.
func (c *Client) File(ctx context.Context, repo forge.RepoName, path, ref string) ([]byte, error) {
	attempted := fmt.Sprintf("read %s of %s at %s", path, repo, orDefault(ref))
	opts := &github.RepositoryContentGetOptions{Ref: ref}
	f, _, _, err := c.gh.Repositories.GetContents(ctx, repo.Owner, repo.Name, path, opts)
	if err != nil {
		return nil, c.fail(err, "%s", attempted)
	}
	if f == nil {
		return nil, fmt.Errorf("%s: %w: it is a folder", attempted, forge.ErrInvalid)
	}
	if f.GetEncoding() != "none" {
		content, err := f.GetContent()
		if err != nil {
			return nil, c.fail(err, "%s", attempted)
		}
		return []byte(content), nil
	}
	// Above one megabyte the description comes without the content.
	raw, err := c.rawFile(ctx, repo, path, ref)
	if err != nil {
		return nil, c.fail(err, "%s", attempted)
	}
	return raw, nil
}

func (c *Client) rawFile(ctx context.Context, repo forge.RepoName, path, ref string) ([]byte, error) {
	u := url.URL{Path: fmt.Sprintf("repos/%s/%s/contents/%s", repo.Owner, repo.Name, path)}
	if ref != "" {
		u.RawQuery = url.Values{"ref": {ref}}.Encode()
	}
	req, err := c.gh.NewRequest(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", mediaRaw)
	resp, err := c.gh.BareDo(req)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(resp.Body)
	return content, errors.Join(err, resp.Body.Close())
}

func orDefault(ref string) string {
	if ref == "" {
		return "the default branch"
	}
	return ref
}

// PutFile writes a file as one commit on a branch, creating or replacing it,
// and returns that commit. ErrConflict if the file changed in between.
func (c *Client) PutFile(ctx context.Context, repo forge.RepoName, path, branch, message string, content []byte) (sha string, err error) {
	attempted := fmt.Sprintf("write %s to branch %s of %s", path, branch, repo)
	opts := &github.RepositoryContentFileOptions{Message: &message, Content: content, Branch: &branch}
	old, _, _, err := c.gh.Repositories.GetContents(ctx, repo.Owner, repo.Name, path, &github.RepositoryContentGetOptions{Ref: branch})
	switch {
	case err != nil:
		if err = c.fail(err, "%s", attempted); !errors.Is(err, forge.ErrNotFound) {
			return "", err
		}
	case old == nil:
		return "", fmt.Errorf("%s: %w: it is a folder", attempted, forge.ErrInvalid)
	default:
		opts.SHA = text(old.GetSHA())
	}
	if opts.Content == nil {
		opts.Content = []byte{}
	}
	r, _, err := c.gh.Repositories.CreateFile(ctx, repo.Owner, repo.Name, escapeRef(path), opts)
	if err != nil {
		return "", c.fail(err, "%s", attempted)
	}
	return r.Commit.GetSHA(), nil
}

// Commit returns one commit. A branch or tag name works too.
func (c *Client) Commit(ctx context.Context, repo forge.RepoName, sha string) (forge.Commit, error) {
	r, _, err := c.gh.Repositories.GetCommit(ctx, repo.Owner, repo.Name, escapeRef(sha), &github.ListOptions{PerPage: 1})
	if err != nil {
		return forge.Commit{}, c.fail(err, "look up commit %s of %s", sha, repo)
	}
	return commit(r), nil
}

// escapeRef makes a name that may hold slashes and other marks, a ref or a
// file's, fit for an address, in which GitHub wants the slashes as they are.
func escapeRef(ref string) string { return (&url.URL{Path: ref}).EscapedPath() }

// Compare returns what head has that base has not: commits, oldest first, and
// the files changed since their merge base (GitHub sends the first 300).
func (c *Client) Compare(ctx context.Context, repo forge.RepoName, base, head string) ([]forge.Commit, []forge.FileChange, error) {
	var commits []forge.Commit
	var files []forge.FileChange
	opts := firstPage()
	for {
		cmp, resp, err := c.gh.Repositories.CompareCommits(ctx, repo.Owner, repo.Name, base, head, &opts)
		if err != nil {
			return nil, nil, c.fail(err, "compare %s with %s in %s", base, head, repo)
		}
		for _, r := range cmp.Commits {
			commits = append(commits, commit(r))
		}
		if opts.Page == 0 { // only the first page carries the files
			for _, f := range cmp.Files {
				files = append(files, fileChange(f))
			}
		}
		if resp.NextPage == 0 {
			return commits, files, nil
		}
		opts.Page = resp.NextPage
	}
}

// Collaborators returns everybody with access to the repository.
func (c *Client) Collaborators(ctx context.Context, repo forge.RepoName) ([]forge.User, error) {
	opts := &github.ListCollaboratorsOptions{ListOptions: firstPage()}
	out, err := collect(c.gh.Repositories.ListCollaboratorsIter(ctx, repo.Owner, repo.Name, opts), user)
	if err != nil {
		return nil, c.fail(err, "list collaborators of %s", repo)
	}
	return out, nil
}

// AddCollaborator gives an account a permission: pull, triage, push, maintain
// or admin. On github.com the account has to accept an invitation first.
func (c *Client) AddCollaborator(ctx context.Context, repo forge.RepoName, login, permission string) error {
	opts := &github.RepositoryAddCollaboratorOptions{Permission: permission}
	if _, _, err := c.gh.Repositories.AddCollaborator(ctx, repo.Owner, repo.Name, login, opts); err != nil {
		return c.fail(err, "give %s permission %q on %s", login, permission, repo)
	}
	return nil
}
