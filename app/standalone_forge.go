package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/forge/folder"
	"seaworthy/forge/gitea"
	"seaworthy/forge/github"
	"seaworthy/git"
	"seaworthy/release/cut"
	"seaworthy/release/notes"
)

// destination is what a place to release to offers; what it lacks is nil.
type destination struct {
	forge       cut.Forge
	pages       cut.Pages
	pulls       notes.Forge
	checks      commitChecks
	tracker     cut.Tracker
	changes     cut.Changes
	protections cut.Protections
	account     func(ctx context.Context) (forge.User, error)
	upToDate    func(ctx context.Context) (string, error) // a repository with all that is known
	public      string                                    // where people clone a folder's repository from; empty for the forge's own
	inHouse     bool                                      // the repository is the folder's own
}

// commitChecks are what a forge says of a commit.
type commitChecks interface {
	Statuses(ctx context.Context, repo forge.RepoName, sha string) ([]forge.Status, error)
}

// tokenLimit bounds the file of a token, in bytes.
const tokenLimit = 64 << 10

// token is what the API is called with: that of the file, else the first of the
// variables that is set.
func (s *alone) token(variables ...string) (string, error) {
	if s.TokenFile != "" {
		f, err := os.Open(s.TokenFile)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, tokenLimit))
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		token := strings.TrimSpace(string(text))
		if token == "" || strings.ContainsAny(token, " \t\r\n") {
			return "", fmt.Errorf("--token-file: %s does not hold one token and nothing else", s.TokenFile)
		}
		return token, nil
	}
	for _, name := range variables {
		if v := strings.TrimSpace(s.Getenv(name)); v != "" {
			return v, nil
		}
	}
	return "", nil
}

// openDestination prepares the way to where releases go.
func (a *App) openDestination(ctx context.Context) (err error) {
	s := a.alone
	token := ""
	switch s.to.Kind {
	case ToFolder:
		if err := a.openFolderDestination(ctx); err != nil {
			return err
		}
	case ToGitHub:
		if token, err = s.token("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"); err != nil {
			return err
		}
		c, err := github.New(github.Options{BaseURL: s.githubAPI(), Token: token, HTTP: a.o.HTTP, Now: a.o.Now})
		if err != nil {
			return err
		}
		s.forge = destination{forge: c, pages: c, pulls: c, checks: githubChecks{c}, tracker: c, changes: c, protections: c, account: c.User}
	case ToGitea:
		variables := []string{"GITEA_TOKEN"}
		if s.Getenv("GITEA_ACTIONS") == "true" {
			variables = append(variables, "GITHUB_TOKEN")
		}
		if token, err = s.token(variables...); err != nil {
			return err
		}
		c, err := gitea.New(gitea.Options{URL: s.to.Web, Token: token, HTTP: a.o.HTTP})
		if err != nil {
			return err
		}
		s.forge = destination{forge: c, pages: c, pulls: c, checks: c, tracker: c, changes: c, account: c.User}
	}
	if s.to.Kind != ToFolder {
		s.forge.forge = addressed{s.forge.forge, s}
		if err := s.reach(); err != nil {
			return err
		}
	}
	return s.authorize(ctx, token)
}

// githubAPI is the root of the REST API; empty for github.com.
func (s *alone) githubAPI() string {
	if at, ok := parseSite(s.to.Web + "/owner/name"); ok && at.host == "github.com" {
		return ""
	}
	// A runner knows where its own forge's API is.
	if server := s.Getenv("GITHUB_SERVER_URL"); server != "" && strings.EqualFold(strings.TrimSuffix(server, "/"), s.to.Web) {
		if api := s.Getenv("GITHUB_API_URL"); api != "" {
			return api
		}
	}
	return s.to.Web + "/api/v3/"
}

// reach makes the forge's own address that of Git, if the remote is another
// repository.
func (s *alone) reach() error {
	at, onForge := parseSite(s.address)
	want, ok := parseSite(s.to.Web + "/" + s.to.Repo.String())
	if !ok {
		return fmt.Errorf("%s cannot be the address of a repository", s.to)
	}
	same := onForge && strings.EqualFold(at.repo.String(), want.repo.String()) && (at.host == want.host || at.host == "ssh."+want.host)
	if !same && s.chosen.Remote == "" {
		s.address, s.auth = s.to.Web+"/"+s.to.Repo.String()+".git", git.Auth{}
	}
	return nil
}

// authorize says how Git reaches the repository: with what its address held,
// with a header that a checkout left, with the forge's token, and otherwise as
// the person's own Git does.
func (s *alone) authorize(ctx context.Context, token string) error {
	own, err := git.OwnSettings(ctx, s.Clone.Dir)
	if err != nil {
		return err
	}
	overHTTP := strings.HasPrefix(s.address, "http://") || strings.HasPrefix(s.address, "https://")
	switch at, ok := parseSite(s.address); {
	case s.auth.Token != "":
	case overHTTP && own.Sends(ctx, s.Clone.Dir, s.address):
		s.auth = git.Auth{Own: own}
	case overHTTP && ok && token != "" && strings.HasPrefix(s.to.Web+"/", at.web+"/"):
		s.auth = git.Auth{Token: token}
	default:
		s.auth = git.Auth{Own: own}
	}
	return nil
}

// addressed is a forge whose repository is reached in the person's own way.
type addressed struct {
	cut.Forge
	s *alone
}

// Repo implements cut.Forge.
func (f addressed) Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error) {
	r, err := f.Forge.Repo(ctx, repo)
	r.CloneURL = f.s.address
	return r, err
}

// githubChecks are commit statuses and check runs alike.
type githubChecks struct{ *github.Client }

// Statuses implements commitChecks.
func (c githubChecks) Statuses(ctx context.Context, repo forge.RepoName, sha string) ([]forge.Status, error) {
	all, err := c.Client.Statuses(ctx, repo, sha)
	if err != nil {
		return nil, err
	}
	runs, err := c.CheckRuns(ctx, repo, sha)
	if errors.Is(err, forge.ErrNotFound) {
		return all, nil // a forge that has none
	}
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		s := forge.Status{Context: r.Name, State: forge.StatusPending, TargetURL: r.DetailsURL, Description: r.Title, CreatedAt: r.CompletedAt}
		switch {
		case r.Status != "completed":
		case r.Conclusion == "success", r.Conclusion == "neutral", r.Conclusion == "skipped":
			s.State = forge.StatusSuccess
		default:
			s.State = forge.StatusFailure
		}
		all = append(all, s)
	}
	return all, nil
}

// openFolderDestination prepares a folder, or a bare repository that is there.
func (a *App) openFolderDestination(ctx context.Context) error {
	s := a.alone
	o := folder.Options{Root: s.to.Folder, Private: a.dir("folder"), Name: s.repo, Clone: s.Clone, Remote: "origin", Mock: flow.Mock, Now: a.o.Now}
	switch {
	case s.chosen.Remote != "":
		if _, err := s.Clone.Git(ctx, "config", "--get", "remote."+s.chosen.Remote+".url"); err == nil {
			o.Remote = s.chosen.Remote
		}
		if i, err := os.Stat(s.address); err != nil || !i.IsDir() {
			return fmt.Errorf("--remote: a folder's tags go to a repository on this disk, and %s is none", s.address)
		}
		o.Repository = s.address
	case bare(s.to.Folder):
		o.Repository = s.to.Folder
	}
	f, err := folder.New(o)
	if err != nil {
		return err
	}
	s.forge = destination{forge: f, pages: f, upToDate: f.Mirror, public: f.Public(), inHouse: o.Repository == ""}
	return nil
}

// bare reports whether a folder is a Git repository without a work tree.
func bare(dir string) bool {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// clone returns an up-to-date copy of the repository, whoever asks.
func (s *alone) clone(ctx context.Context, clones *git.Cache) (*git.Repository, error) {
	if s.forge.upToDate == nil {
		return clones.Repository(ctx, s.address, s.auth)
	}
	dir, err := s.forge.upToDate(ctx)
	if err != nil {
		return nil, err
	}
	return clones.Repository(ctx, dir, s.auth)
}

// defaultTip is the commit that the default branch is at.
func (s *alone) defaultTip(ctx context.Context) (string, error) {
	r, err := s.forge.forge.Repo(ctx, s.repo)
	if err != nil {
		return "", err
	}
	all, err := s.forge.forge.Branches(ctx, s.repo)
	if err != nil {
		return "", err
	}
	for _, b := range all {
		if b.Name == r.DefaultBranch {
			return b.SHA, nil
		}
	}
	return "", fmt.Errorf("branch %s of %s: %w", r.DefaultBranch, s.repo, forge.ErrNotFound)
}

// published is the repository as everybody can clone it.
func (a *App) published(ctx context.Context, repo forge.RepoName) (*git.Repository, error) {
	if a.alone == nil || a.alone.forge.public == "" {
		return a.clone(ctx, repo)
	}
	if _, err := os.Stat(a.alone.forge.public); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("nothing of %s is published in %s yet: %w", repo, a.alone.to.Folder, forge.ErrNotFound)
	}
	return a.clones.Repository(ctx, a.alone.forge.public, a.alone.auth)
}
