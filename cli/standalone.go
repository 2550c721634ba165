package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/git"
)

// standalone are the flags of commands that need no platform: they work in any
// clone, too.
type standalone struct {
	to, remote, bucket, registry, tokenFile, key string
	say                                          Streams
}

type standaloneKey struct{}

// standing lets a command and those below it work in a clone that no platform
// serves.
func standing(s Streams, c *cobra.Command) *cobra.Command {
	f := &standalone{say: s}
	flags := c.PersistentFlags()
	flags.StringVar(&f.to, "to", "", "`destination` without a platform: github, gitea or folder:PATH (the remote's forge); github:OWNER/NAME names a repository")
	flags.StringVar(&f.remote, "remote", "", "`remote` of the clone, or address, that tags go to without a platform (origin)")
	flags.StringVar(&f.bucket, "bucket", "", "`URL` of the bucket for files without a platform (a folder in the state folder)")
	flags.StringVar(&f.registry, "registry", "", "`HOST/PATH` that images go below without a platform")
	flags.StringVar(&f.tokenFile, "token-file", "", "`file` with the forge's token without a platform (GITHUB_TOKEN, GH_TOKEN or GITEA_TOKEN)")
	flags.StringVar(&f.key, "signing-key", "", "`key` that signs without a platform: a file, env://NAME, a key service's address (one of its own)")
	c.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		cmd.SetContext(context.WithValue(cmd.Context(), standaloneKey{}, f))
	}
	return c
}

// standaloneOf returns the flags of a command that needs no platform; nil for
// others.
func standaloneOf(ctx context.Context) *standalone {
	f, _ := ctx.Value(standaloneKey{}).(*standalone)
	return f
}

// given names the flags that a platform has no use for.
func (f *standalone) given() []string {
	var all []string
	for _, c := range []struct{ name, value string }{{"to", f.to}, {"remote", f.remote}, {"bucket", f.bucket}, {"registry", f.registry},
		{"token-file", f.tokenFile}, {"signing-key", f.key}} {
		if c.value != "" {
			all = append(all, "--"+c.name)
		}
	}
	return all
}

// place is the clone that a command stands in, and where its state is: in the
// folder that was asked for, else at the top of the clone.
func (f *standalone) place(ctx context.Context, p *platform) (clone *git.Repository, dir string, err error) {
	clone, err = openRepo(ctx, ".", fmt.Sprintf("there is no platform in %s either; start one with seaworthy up, or name its folder with --dir", p.dir))
	if err != nil {
		return nil, "", err
	}
	dir = p.dir
	if top, err := clone.Git(ctx, "rev-parse", "--show-toplevel"); err == nil && dir == app.DefaultDir {
		dir = filepath.Join(strings.TrimSuffix(top, "\n"), app.DefaultDir)
	}
	return clone, dir, nil
}

// open prepares the clone that a command stands in.
func (f *standalone) open(ctx context.Context, p *platform) (*app.App, error) {
	clone, dir, err := f.place(ctx, p)
	if err != nil {
		return nil, err
	}
	o := p.options()
	o.Dir = dir
	if app.Exists(dir) {
		return f.attach(ctx, o)
	}
	if f.key != "" {
		o.SigningKey = f.key
	}
	name, err := localName(ctx, clone)
	if err != nil {
		return nil, err
	}
	known := app.Remembers(dir)
	a, err := app.OpenStandalone(ctx, o, app.Standalone{Clone: clone, Name: name, To: f.to, Remote: f.remote, Bucket: f.bucket,
		Registry: f.registry, TokenFile: f.tokenFile, Getenv: os.Getenv})
	var choice *app.ChoiceError
	if errors.As(err, &choice) {
		return nil, usageError{err}
	}
	if err == nil && (!known || len(f.given()) > 0) {
		fmt.Fprintln(f.say.Err, a.Where()+".")
	}
	return a, err
}

// attach uses the platform that is there: it knows where releases go.
func (f *standalone) attach(ctx context.Context, o app.Options) (*app.App, error) {
	if given := f.given(); len(given) > 0 {
		return nil, usagef("a platform is in %s, and releases go where it serves them: leave out %s", o.Dir, strings.Join(given, ", "))
	}
	return app.Attach(ctx, o)
}
