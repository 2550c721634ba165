package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact"
	"seaworthy/artifact/promote"
	"seaworthy/artifact/propose"
	"seaworthy/forge"
	"seaworthy/git"
)

// promotePR is what promote pr was asked for.
type promotePR struct {
	api, repo, fork  string
	request          propose.Request
	images, digests  []string
	interactive, now bool
	out              outputFlag
}

func newPromotePR(s Streams) *cobra.Command {
	var f promotePR
	c := &cobra.Command{
		Use:   "pr",
		Short: "Propose to promote what staging holds under a tag, as a pull request",
		Long: `Asks the staging registry for the digests of the tags, adds them to the thin manifest of that registry (lines are
added, nothing else in the file changes), commits that on a branch, and prints the difference. With --nomock, or after
a yes to --interactive, pushes the branch to a fork and opens the pull request. A second run updates the pull request.
Where the manifest has everything already there is nothing to do, and the exit code is 0.

The forge is github.com ($GITHUB_API_URL) or any that speaks its language, and the account that of the token in
SEAWORTHY_TOKEN, or else GITHUB_TOKEN. Any OCI registry can be staging; credentials are those of docker login.`,
		Example: `  seaworthy promote pr --repo kubernetes/k8s.io --root registry.k8s.io --fork ada --project kas --tag v0.30.4
  seaworthy promote pr --repo ada/manifests --root . --staging localhost:5000/staging --tag v1.2.3 --nomock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	fl := c.Flags()
	fl.StringVar(&f.api, "api", "", "`URL` of the forge's API, such as https://forge.example.com/api/v3/ ($GITHUB_API_URL, or github.com)")
	fl.StringVar(&f.repo, "repo", "", "`OWNER/NAME` of the repository of the manifests")
	fl.StringVar(&f.request.Root, "root", ".", "`folder` of thin manifests in it")
	fl.StringVar(&f.request.Base, "base", "", "`branch` to merge into (the default branch if empty)")
	fl.StringVar(&f.fork, "fork", "", "`OWNER` or OWNER/NAME of the fork to push to (the token's account if empty)")
	fl.StringVar(&f.request.Project, "project", "", "`name` of the project: its folder, or what follows a dash in it")
	fl.StringVar(&f.request.Staging, "staging", "", "staging `registry`, if the project does not say which")
	fl.StringArrayVarP(&f.request.Tags, "tag", "t", nil, "promote what has this `tag` (repeatable)")
	fl.StringArrayVar(&f.images, "image", nil, "promote only this `image` (repeatable)")
	fl.StringArrayVar(&f.digests, "digest", nil, "promote only this `digest` (repeatable)")
	fl.StringArrayVar(&f.request.Reviewers, "reviewer", nil, "`@name` or @team to tell of it (repeatable)")
	fl.BoolVar(&f.request.Hold, "hold", false, "keep it from merging until somebody lifts the hold")
	fl.StringVar(&f.request.CommitPrefix, "commit-prefix", "", "`text` before the commit's subject")
	fl.BoolVarP(&f.interactive, "interactive", "i", false, "show the difference and ask before anything is pushed")
	fl.BoolVar(&f.now, "nomock", false, "push and open the pull request; without this nothing leaves this machine")
	f.out.add(c)
	require(c, "repo")
	return c
}

// prepare checks the flags and fills in what they leave open.
func (f *promotePR) prepare(ctx context.Context) (propose.Forge, error) {
	var err error
	if f.request.Repo, err = forge.ParseRepoName(f.repo); err != nil {
		return nil, usageError{fmt.Errorf("--repo: %w", err)}
	}
	if f.request.Project == "" && f.request.Staging == "" {
		return nil, usagef("name the project with --project, or its staging registry with --staging")
	}
	if len(f.request.Tags) == 0 && len(f.digests) == 0 {
		return nil, usagef("say what to promote: a --tag, or a --digest")
	}
	token := os.Getenv("SEAWORTHY_TOKEN")
	if token == "" {
		token = os.Getenv("GITHUB_TOKEN")
	}
	if token == "" {
		return nil, usagef("a token of the forge is needed in SEAWORTHY_TOKEN or GITHUB_TOKEN")
	}
	if f.api == "" {
		f.api = os.Getenv("GITHUB_API_URL")
	}
	client, err := app.ProposalsTo(f.api, token)
	if err != nil {
		return nil, usageError{fmt.Errorf("--api: %w", err)}
	}
	if f.fork == "" {
		who, err := client.User(ctx)
		if err != nil {
			return nil, fmt.Errorf("asking whose the token is: %w", err)
		}
		f.fork = who.Login
	}
	if !strings.Contains(f.fork, "/") {
		f.fork += "/" + f.request.Repo.Name
	}
	if f.request.Fork, err = forge.ParseRepoName(f.fork); err != nil {
		return nil, usageError{fmt.Errorf("--fork: %w", err)}
	}
	f.request.Auth = git.Auth{Token: token}
	f.request.Now = time.Now()
	f.request.Command = filepath.Base(os.Args[0]) + " " + quoted(os.Args[1:])
	return client, nil
}

func (f *promotePR) run(ctx context.Context, s Streams) (err error) {
	digests, err := parseDigests(f.digests)
	if err != nil {
		return err
	}
	client, err := f.prepare(ctx)
	if err != nil {
		return err
	}
	c, err := propose.Open(ctx, client, f.request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, w := range c.Warnings {
		fmt.Fprintln(s.Err, "warning: "+w.String())
	}
	found, err := propose.Find(ctx, propose.NewRegistry(propose.RegistryOptions{}), propose.Wanted{
		Staging: c.Manifest.Source().Name, Tags: f.request.Tags, Images: f.images, Digests: digests, Known: c.Names(),
	})
	if err != nil {
		return err
	}
	tellMissing(s, found)
	p, err := c.Edit(ctx, found.Images)
	if errors.Is(err, propose.ErrUnchanged) {
		_, err := fmt.Fprintf(s.Out, "Nothing is to be done: %s of %s has it already.\n", c.Manifest.ImagesFile, f.request.Repo)
		return err
	}
	if err != nil {
		return err
	}
	return f.propose(ctx, s, p)
}

// tellMissing says what was asked for and is not there.
func tellMissing(s Streams, found propose.Found) {
	for _, t := range found.MissingTags {
		fmt.Fprintf(s.Err, "warning: nothing in staging has the tag %s\n", t)
	}
	for _, i := range found.MissingImages {
		fmt.Fprintf(s.Err, "warning: staging has no image %s of what is asked for\n", i)
	}
}

// proposed is what promote pr prints.
type proposed struct {
	Repo    string           `json:"repo"`
	Fork    string           `json:"fork"`
	Branch  string           `json:"branch"`
	Title   string           `json:"title"`
	Changes []promote.Change `json:"changes"`
	Diff    string           `json:"diff"`
	Mock    bool             `json:"mock"`
	Number  int              `json:"number,omitempty"`
	URL     string           `json:"url,omitempty"`
}

// propose pushes and opens the pull request, if that is wanted.
func (f *promotePR) propose(ctx context.Context, s Streams, p *propose.Proposal) error {
	shown := proposed{Repo: f.request.Repo.String(), Fork: f.request.Fork.String(), Branch: p.Branch, Title: p.Title, Changes: p.Changes, Diff: p.Diff, Mock: !f.now}
	text := f.out.format == "table"
	if text {
		fmt.Fprint(s.Out, p.Diff)
	}
	if f.interactive {
		yes, err := ask(s, fmt.Sprintf("Push the branch %s to %s and open a pull request in %s?", p.Branch, f.request.Fork, f.request.Repo))
		if err != nil {
			return err
		}
		shown.Mock = !yes
	}
	if shown.Mock {
		return f.out.print(s.Out, shown, func(w io.Writer) error {
			how := "Add --nomock, or answer yes to --interactive, to do it."
			if f.interactive {
				how = "You said no."
			}
			_, err := fmt.Fprintf(w, "Nothing was pushed: %s would go to %s as %q. %s\n", p.Branch, f.request.Fork, p.Title, how)
			return err
		})
	}
	if err := p.Push(ctx); err != nil {
		return err
	}
	pull, created, err := p.Create(ctx)
	if err != nil {
		return err
	}
	shown.Number, shown.URL = pull.Number, pull.HTMLURL
	return f.out.print(s.Out, shown, func(w io.Writer) error {
		what := "is open already and has the change now"
		if created {
			what = "was opened"
		}
		_, err := fmt.Fprintf(w, "#%d %s: %s\n", pull.Number, what, pull.HTMLURL)
		return err
	})
}

// ask wants a yes. The end of the input is a no.
func ask(s Streams, question string) (bool, error) {
	fmt.Fprint(s.Err, question+" [y/N] ")
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(trim(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// parseDigests reads --digest.
func parseDigests(given []string) ([]artifact.Digest, error) {
	var all []artifact.Digest
	for _, d := range given {
		if err := promote.CheckDigest(artifact.Digest(d)); err != nil {
			return nil, usageError{fmt.Errorf("--digest: %w", err)}
		}
		all = append(all, artifact.Digest(d))
	}
	return all, nil
}
