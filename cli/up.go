package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/config"
	"seaworthy/git"
)

type upFlags struct {
	platform
	addr    string
	workers int
	verbose bool
	empty   bool
	bucket  string
	url     string
}

func newUp(s Streams) *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the whole platform on this machine, web pages included",
		Long: `Starts forge, jobs, merge queue and pages in one process. All state is in one folder. In a Git repository
that has a seaworthy.yaml, that repository is imported, tested and served; elsewhere the platform starts empty.`,
		Example: `  seaworthy up
  seaworthy up --dir /var/lib/seaworthy --addr 0.0.0.0:7070 --url https://ci.example.org`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.up(cmd.Context(), s) },
	}
	f.platform.add(c)
	c.Flags().StringVar(&f.addr, "addr", app.DefaultAddr, "`address` to listen on; port 0 takes a free one")
	c.Flags().StringVar(&f.url, "url", "", "`address` at which people reach it, for all links, such as https://ci.example.org (as last time, or what it listens on)")
	c.Flags().IntVar(&f.workers, "workers", 2, "how `many` jobs run at once")
	c.Flags().StringVar(&f.key, "signing-key", "", "`key` that signs releases: a file, env://NAME, a key service's address, or own (as last time if empty)")
	c.Flags().StringVar(&f.bucket, "bucket", "", "`URL` of the bucket for results and releases (as last time, or a folder in --dir)")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log everything")
	c.Flags().BoolVar(&f.empty, "empty", false, "do not import the repository that this is started in")
	return c
}

func (f *upFlags) up(ctx context.Context, s Streams) (err error) {
	// A broken configuration is told of before anything starts.
	repo, err := f.here(ctx)
	if err != nil {
		return err
	}
	o := f.options()
	o.Addr, o.URL, o.Workers, o.Bucket, o.Log = f.addr, f.url, f.workers, f.bucket, logTo(s, f.verbose)
	a, err := app.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	fmt.Fprintf(s.Out, "Seaworthy is up: %s\n", a.URL())
	if repo != nil {
		name, err := localName(ctx, repo)
		if err != nil {
			return err
		}
		if err := a.Import(ctx, name, repo.Dir, ""); err != nil {
			return err
		}
		if err := a.Prove(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "  serves     %s\n  push to    %s\n", name, a.GitURL(name))
	}
	fmt.Fprintf(s.Out, "  state in   %s\n  log in as  %s, with the token in %s\n", f.dir, app.AdminLogin, a.AdminTokenFile())
	fmt.Fprintln(s.Err, "Ctrl-C stops it; nothing is lost.")
	defer context.AfterFunc(ctx, func() {
		fmt.Fprintln(s.Err, "Stopping: jobs that run get a moment to end. A second Ctrl-C does not wait.")
	})()
	return a.Run(ctx)
}

// here returns the repository to serve, or nil.
func (f *upFlags) here(ctx context.Context) (*git.Repository, error) {
	if f.empty {
		return nil, nil
	}
	if _, err := git.Version(); err != nil {
		return nil, err
	}
	repo, err := git.Open(ctx, ".")
	var failed *git.Error
	if errors.As(err, &failed) {
		return nil, nil // no repository here
	}
	if err != nil {
		return nil, err
	}
	top, err := repo.Git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	repo = &git.Repository{Dir: trim(top)}
	if _, err := config.Load(os.DirFS(repo.Dir)); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	name, err := localName(ctx, repo)
	if err != nil {
		return nil, err
	}
	// The jobs are read, too, so that a broken job file is told of now.
	_, err = app.ReadProject(ctx, repo, "", name)
	return repo, err
}
