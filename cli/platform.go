package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/git"
)

// platform is where a command finds the platform's state.
type platform struct {
	dir      string
	database string
	key      string // that signs releases; up alone has a flag for it
}

func (p *platform) add(c *cobra.Command) {
	c.Flags().StringVar(&p.dir, "dir", app.DefaultDir, "`folder` that holds the platform's state")
	c.Flags().StringVar(&p.database, "database", "", "sqlite: or postgres: `URL` ($SEAWORTHY_DATABASE, or a file in the folder)")
}

// options are those of the platform, the database as the environment has it if
// no flag says otherwise: it may hold a password, which help must not show.
func (p *platform) options() app.Options {
	o := app.Options{Dir: p.dir, Database: p.database, Version: version, SigningKey: p.key, Speaking: app.SpeakingFrom(os.Getenv)}
	if o.Database == "" {
		o.Database = os.Getenv("SEAWORTHY_DATABASE")
	}
	return o
}

// open attaches to the platform for one command, or, for a command that needs
// none, prepares the clone that it stands in. For others a folder that holds no
// platform is left as it is.
func (p *platform) open(ctx context.Context) (*app.App, error) {
	alone := standaloneOf(ctx)
	if alone != nil && app.Exists(p.dir) {
		return alone.attach(ctx, p.options())
	}
	if alone != nil {
		return alone.open(ctx, p)
	}
	if !app.Exists(p.dir) {
		return nil, usagef("there is no platform in %s: start one with seaworthy up, or name its folder with --dir", p.dir)
	}
	return app.Attach(ctx, p.options())
}

// with opens the platform, calls f and closes it again.
func (p *platform) with(ctx context.Context, f func(*app.App) error) (err error) {
	a, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := a.Close(); err == nil {
			err = cerr
		}
	}()
	return f(a)
}

// repoFlag names a repository; with one served there is no need to.
type repoFlag struct{ name string }

func (r *repoFlag) add(c *cobra.Command) {
	c.Flags().StringVar(&r.name, "repo", "", "`OWNER/NAME` (needed if several repositories are served)")
}

func (r *repoFlag) find(ctx context.Context, a *app.App) (forge.RepoName, error) {
	var wanted forge.RepoName
	if r.name != "" {
		var err error
		if wanted, err = forge.ParseRepoName(r.name); err != nil {
			return wanted, usageError{fmt.Errorf("--repo: %w", err)}
		}
	}
	all, err := a.Repos(ctx)
	if err != nil {
		return forge.RepoName{}, err
	}
	var names []string
	for _, n := range all {
		if r.name != "" && strings.EqualFold(n.String(), wanted.String()) || r.name == "" && len(all) == 1 {
			return n, nil
		}
		names = append(names, n.String())
	}
	switch {
	case len(all) == 0:
		return forge.RepoName{}, usagef("no repository is served: run seaworthy up in one")
	case r.name != "":
		return forge.RepoName{}, usagef("--repo: %s is not served; these are: %s", wanted, strings.Join(names, ", "))
	}
	return forge.RepoName{}, usagef("several repositories are served: choose with --repo among %s", strings.Join(names, ", "))
}

// openRepo opens the repository that a folder lies in. otherwise says what to
// do where there is none.
func openRepo(ctx context.Context, folder, otherwise string) (*git.Repository, error) {
	if i, err := os.Stat(folder); err != nil || !i.IsDir() {
		return nil, usagef("%s is not a folder", folder)
	}
	repo, err := git.Open(ctx, folder)
	var failed *git.Error
	switch {
	case errors.As(err, &failed) && folder == ".":
		return nil, usagef("this folder is not in a Git repository: %s", otherwise)
	case errors.As(err, &failed):
		return nil, usagef("%s is not in a Git repository: %s", folder, otherwise)
	case errors.Is(err, git.ErrMissing):
		_, err = git.Version()
	}
	return repo, err
}

// me is who a command acts as in journals.
func me() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return app.AdminLogin
}

// account is the forge as somebody sees it.
type account interface {
	User(ctx context.Context) (forge.User, error)
	Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error)
	Branch(ctx context.Context, repo forge.RepoName, name string) (forge.Branch, error)
	CreatePullRequest(ctx context.Context, repo forge.RepoName, n forge.NewPullRequest) (forge.PullRequest, error)
	CreateComment(ctx context.Context, repo forge.RepoName, number int, body string) (forge.Comment, error)
}

// person is the forge as the account that a command acts as: that of the token
// in SEAWORTHY_TOKEN, else the administrator, whose token is in the folder.
func person(a *app.App) (account, error) {
	token := os.Getenv("SEAWORTHY_TOKEN")
	if token == "" {
		var err error
		if token, err = a.AdminToken(); err != nil {
			return nil, err
		}
	}
	return a.Client(token)
}

// actor is the login of that account.
func actor(ctx context.Context, a *app.App) (string, error) {
	if a.IsStandalone() {
		return a.Account(ctx, me())
	}
	if os.Getenv("SEAWORTHY_TOKEN") == "" {
		return app.AdminLogin, nil
	}
	client, err := person(a)
	if err != nil {
		return "", err
	}
	u, err := client.User(ctx)
	if err != nil {
		return "", fmt.Errorf("the token in SEAWORTHY_TOKEN: %w", err)
	}
	return u.Login, nil
}

// logTo returns a log for people: warnings and worse, or everything.
func logTo(s Streams, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: level}))
}

// localName is the name a repository on this disk gets on the embedded forge:
// that of its origin where it has one on another machine, that of its Go module
// where that names a host, else local/FOLDER.
func localName(ctx context.Context, repo *git.Repository) (forge.RepoName, error) {
	if out, err := repo.Git(ctx, "config", "--get", "remote.origin.url"); err == nil {
		address := strings.TrimSuffix(trim(out), ".git")
		if name, ok := lastTwo(address); ok && strings.Contains(address, ":") && !strings.HasPrefix(address, "file:") {
			return name, nil
		}
	}
	if text, err := repo.Show(ctx, "HEAD", "go.mod"); err == nil {
		module := modfile.ModulePath(text)
		if prefix, _, ok := modpath.SplitPathVersion(module); ok && strings.Count(prefix, "/") == 2 {
			if name, ok := lastTwo(prefix); ok {
				return name, nil
			}
		}
	}
	name := forge.RepoName{Owner: "local", Name: strings.TrimSuffix(filepath.Base(repo.Dir), ".git")}
	if !name.Valid() {
		return name, usagef("%q cannot be a repository's name: rename the folder", filepath.Base(repo.Dir))
	}
	return name, nil
}

func lastTwo(address string) (forge.RepoName, bool) {
	parts := strings.FieldsFunc(address, func(r rune) bool { return r == '/' || r == ':' })
	if len(parts) < 2 {
		return forge.RepoName{}, false
	}
	name := forge.RepoName{Owner: parts[len(parts)-2], Name: parts[len(parts)-1]}
	return name, name.Valid()
}

// needsGo says early what a demo would otherwise fail over late.
func needsGo() error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("the go command is needed to build the project: install Go and put it on PATH")
	}
	return nil
}
