package cli

import (
	"context"
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
}

func (p *platform) add(c *cobra.Command) {
	c.Flags().StringVar(&p.dir, "dir", app.DefaultDir, "folder that holds the platform's state")
	c.Flags().StringVar(&p.database, "database", os.Getenv("SEAWORTHY_DATABASE"), "sqlite: or postgres: URL (a file in the folder if empty) [$SEAWORTHY_DATABASE]")
}

// open attaches to the platform for one command.
func (p *platform) open(ctx context.Context) (*app.App, error) {
	if _, err := os.Stat(p.dir); err != nil {
		return nil, usageError{fmt.Errorf("there is no platform in %s: start one with seaworthy up, or name its folder with --dir", p.dir)}
	}
	return app.Attach(ctx, app.Options{Dir: p.dir, Database: p.database, Version: version})
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
	c.Flags().StringVar(&r.name, "repo", "", "OWNER/NAME (the only one served if empty)")
}

func (r *repoFlag) find(ctx context.Context, a *app.App) (forge.RepoName, error) {
	if r.name != "" {
		name, err := forge.ParseRepoName(r.name)
		if err != nil {
			return name, usageError{err}
		}
		return name, nil
	}
	all, err := a.Repos(ctx)
	if err != nil {
		return forge.RepoName{}, err
	}
	switch len(all) {
	case 0:
		return forge.RepoName{}, usagef("no repository is served; run seaworthy up in one")
	case 1:
		return all[0], nil
	}
	var names []string
	for _, n := range all {
		names = append(names, n.String())
	}
	return forge.RepoName{}, usagef("several repositories are served; choose with --repo: %s", strings.Join(names, ", "))
}

// me is who a command acts as in journals.
func me() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return app.AdminLogin
}

// actor is the account on the forge that a command acts as.
func actor(ctx context.Context, a *app.App) (string, error) {
	token := os.Getenv("SEAWORTHY_TOKEN")
	if token == "" {
		return app.AdminLogin, nil
	}
	client, err := a.Client(token)
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
		return fmt.Errorf("the go command is needed to build the project: install Go and put it on PATH (%w)", err)
	}
	return nil
}
