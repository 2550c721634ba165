package propose

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"seaworthy/artifact/promote"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/strict"
)

// Forge is what is needed of the forge that holds the manifests.
type Forge interface {
	User(ctx context.Context) (forge.User, error)
	Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error)
	PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error)
	CreatePullRequest(ctx context.Context, repo forge.RepoName, n forge.NewPullRequest) (forge.PullRequest, error)
}

// Request says where a promotion is proposed, and how.
type Request struct {
	Repo forge.RepoName // of the manifests
	Root string         // folder of thin manifests in it, such as registry.k8s.io
	Base string         // branch to merge into; the default branch if empty
	// Fork is where the branch is pushed; it may be Repo itself.
	Fork forge.RepoName
	// Staging is the source registry of the manifest to edit. If it is empty,
	// Project names the manifest: its folder, or the end of it after a dash.
	Staging string
	Project string
	// Tags name the promotion in the branch and the title.
	Tags []string
	// CommitPrefix goes before the commit's subject, such as "releng: ".
	CommitPrefix string
	// Reviewers are asked to look, as @name or @team.
	Reviewers []string
	// Hold keeps the pull request from merging until somebody lifts it.
	Hold bool
	// Command is the command line that was run, for the description.
	Command string
	Auth    git.Auth
	Now     time.Time
}

// ErrNoManifest: no manifest promotes from the staging registry.
var ErrNoManifest = errors.New("no manifest")

// ErrUnchanged: the manifest asks for all that was found already.
var ErrUnchanged = errors.New("the manifest has it already")

// Checkout is a copy of the manifests at the tip of their branch.
type Checkout struct {
	Manifest promote.Manifest // the one to edit
	// Warnings are what is odd about it.
	Warnings []strict.Problem

	r        Request
	forge    Forge
	upstream forge.Repo
	repo     *git.Repository
	dir      string
	tip      string
	text     []byte // of the images file
}

// Close removes the copy.
func (c *Checkout) Close() error {
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("removing the copy of the manifests: %w", err)
	}
	return nil
}

const baseRef = "refs/heads/base"

// Open copies the tip of the manifests' branch into a temporary folder and
// finds the manifest to edit. Close what it returns.
func Open(ctx context.Context, f Forge, r Request) (_ *Checkout, err error) {
	upstream, err := f.Repo(ctx, r.Repo)
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", r.Repo, err)
	}
	if r.Base == "" {
		r.Base = upstream.DefaultBranch
	}
	dir, err := os.MkdirTemp("", "seaworthy-propose-")
	if err != nil {
		return nil, fmt.Errorf("making a place for the manifests: %w", err)
	}
	c := &Checkout{r: r, forge: f, upstream: upstream, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	repo, err := git.Init(ctx, dir, true, "base")
	if err != nil {
		return nil, err
	}
	c.repo = repo.WithAuth(r.Auth)
	// The latest commit is all that is looked at.
	if _, err := c.repo.Git(ctx, "fetch", "--quiet", "--no-tags", "--depth=1", "--end-of-options", upstream.CloneURL, "+refs/heads/"+r.Base+":"+baseRef); err != nil {
		return nil, fmt.Errorf("fetching %s of %s: %w", r.Base, r.Repo, err)
	}
	if c.tip, err = c.repo.Resolve(ctx, baseRef); err != nil {
		return nil, err
	}
	return c, c.find(ctx)
}

// find reads the manifests and chooses one. What is wrong with others does not
// matter here.
func (c *Checkout) find(ctx context.Context) error {
	root := strings.TrimPrefix(path.Clean("/"+c.r.Root), "/")
	var archive bytes.Buffer
	if err := c.repo.Stream(ctx, nil, &archive, "archive", "--format=zip", "-0", c.tip+":"+root); err != nil {
		return fmt.Errorf("%s has no folder %q at %s: %w", c.r.Repo, root, c.r.Base, err)
	}
	tree, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		return fmt.Errorf("reading the manifests of %s: %w", c.r.Repo, err)
	}
	manifests, problems := promote.Read(tree, ".", root)
	var chosen []promote.Manifest
	for _, m := range manifests {
		if c.r.Staging != "" && m.Source().Name == strings.TrimRight(c.r.Staging, "/") || c.r.Staging == "" && (m.Project == c.r.Project || strings.HasSuffix(m.Project, "-"+c.r.Project)) {
			chosen = append(chosen, m)
		}
	}
	what := c.r.Staging
	if what == "" {
		what = "project " + c.r.Project
	}
	switch {
	case len(chosen) == 0:
		return fmt.Errorf("%w in %s of %s promotes from %s%s", ErrNoManifest, root, c.r.Repo, what, firstOf(problems))
	case len(chosen) > 1:
		return fmt.Errorf("%s and %s in %s both promote from %s: name one with its staging registry", chosen[0].File, chosen[1].File, c.r.Repo, what)
	}
	c.Manifest = chosen[0]
	own := slices.DeleteFunc(problems, func(p strict.Problem) bool { return p.File != c.Manifest.File && p.File != c.Manifest.ImagesFile })
	if err := strict.AsError(own); err != nil {
		return err
	}
	c.Warnings = own
	c.text, err = c.repo.Show(ctx, c.tip, c.Manifest.ImagesFile)
	return err
}

// firstOf adds a reason why there may be no manifest.
func firstOf(problems []strict.Problem) string {
	if failures, _ := strict.Split(problems); len(failures) > 0 {
		return " (" + failures[0].String() + ")"
	}
	return ""
}

// Names lists the images that the manifest has.
func (c *Checkout) Names() []string {
	var names []string
	for _, i := range c.Manifest.Images {
		names = append(names, i.Name)
	}
	return names
}

// Proposal is an edit that was committed and has not left this machine.
type Proposal struct {
	Changes []promote.Change
	Branch  string
	Title   string
	Body    string
	// Diff is what the pull request will show.
	Diff string

	c        *Checkout
	tree     string
	commit   string
	account  forge.User
	fork     forge.Repo
	existing string // commit that the branch has in the fork
}

// Edit adds the images to the manifest and commits that. The error is
// ErrUnchanged if all of them are there.
func (c *Checkout) Edit(ctx context.Context, images []promote.Image) (*Proposal, error) {
	file := c.Manifest.ImagesFile
	edited, changes, err := promote.Add(file, c.text, images)
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("%w: nothing is to be changed in %s of %s", ErrUnchanged, file, c.r.Repo)
	}
	p := &Proposal{c: c, Changes: changes, Branch: c.r.branch(), Title: c.r.title(), Body: c.r.body(changes)}
	if p.account, err = c.forge.User(ctx); err != nil {
		return nil, fmt.Errorf("asking who proposes: %w", err)
	}
	if p.fork, err = c.forge.Repo(ctx, c.r.Fork); err != nil {
		return nil, fmt.Errorf("looking for the fork %s: fork %s first: %w", c.r.Fork, c.r.Repo, err)
	}
	if p.tree, err = c.repo.EditTree(ctx, c.tip, []git.FileEdit{{Path: file, Content: edited}}); err != nil {
		return nil, err
	}
	author := git.Person{Name: p.account.Name, Email: p.account.Email, Time: c.r.Now}
	if author.Name == "" {
		author.Name = p.account.Login
	}
	if author.Email == "" {
		author.Email = p.account.Login + "@users.noreply.invalid"
	}
	p.commit, err = c.repo.CommitTree(ctx, git.NewCommit{Tree: p.tree, Parents: []string{c.tip}, Message: c.r.CommitPrefix + p.Title + "\n", Author: author})
	if err != nil {
		return nil, err
	}
	p.Diff, err = c.repo.Git(ctx, "diff", "--no-color", c.tip, p.commit)
	return p, err
}

// name is what the promotion is of.
func (r Request) name() string {
	if r.Project != "" {
		return r.Project
	}
	return path.Base(r.Staging)
}

func (r Request) branch() string {
	parts := []string{r.name()}
	if len(r.Tags) > 0 {
		parts = append(parts, r.Tags[0])
	}
	branch := strings.Join(append(parts, "image-promotion"), "-")
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(" ~^:?*[\\@{", c) {
			return '-'
		}
		return c
	}, branch)
}

func (r Request) title() string {
	return strings.TrimSpace("Image promotion for " + r.name() + " " + strings.Join(r.Tags, " / "))
}

func (r Request) body(changes []promote.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.title())
	images := map[string]bool{}
	for _, c := range changes {
		images[c.Image] = true
	}
	fmt.Fprintf(&b, "Adds %d digests of %d images.\n", len(changes), len(images))
	if r.Command != "" {
		fmt.Fprintf(&b, "This is an automated PR generated from\n\n```\n%s\n```\n", r.Command)
	}
	if r.Hold {
		b.WriteString("\n/hold\n")
	}
	if len(r.Reviewers) > 0 {
		fmt.Fprintf(&b, "cc: %s\n", strings.Join(r.Reviewers, " "))
	}
	return b.String()
}

// Push sends the branch to the fork. A branch of that name that was there is
// replaced only if it is still what it was when it was looked at, and not at
// all if it holds the same change.
func (p *Proposal) Push(ctx context.Context) error {
	r, repo := p.c.r, p.c.repo
	ref := "refs/heads/" + p.Branch
	out, err := repo.Git(ctx, "ls-remote", "--end-of-options", p.fork.CloneURL, ref)
	if err != nil {
		return fmt.Errorf("looking at the branches of %s: %w", r.Fork, err)
	}
	p.existing = git.ZeroSHA
	if sha, _, there := strings.Cut(out, "\t"); there {
		p.existing = sha
		if same, err := p.same(ctx, ref); err != nil || same {
			return err
		}
	}
	push := func() error {
		return repo.Push(ctx, p.fork.CloneURL, git.PushOptions{Lease: map[string]string{ref: p.existing}}, p.commit+":"+ref)
	}
	err = push()
	if errors.Is(err, git.ErrRejected) && strings.Contains(err.Error(), "shallow") {
		// The fork is behind and needs the commits in between.
		if _, err := repo.Git(ctx, "fetch", "--quiet", "--no-tags", "--unshallow", "--end-of-options", p.c.upstream.CloneURL, "refs/heads/"+r.Base); err != nil {
			return fmt.Errorf("fetching the history of %s: %w", r.Repo, err)
		}
		err = push()
	}
	if err != nil {
		return fmt.Errorf("pushing %s to %s: %w", p.Branch, r.Fork, err)
	}
	return nil
}

// same reports whether the fork's branch makes the same change on the same
// commit: an earlier try came this far.
func (p *Proposal) same(ctx context.Context, ref string) (bool, error) {
	if _, err := p.c.repo.Git(ctx, "fetch", "--quiet", "--no-tags", "--depth=2", "--end-of-options", p.fork.CloneURL, "+"+ref+":refs/heads/earlier"); err != nil {
		return false, fmt.Errorf("fetching %s of %s: %w", p.Branch, p.c.r.Fork, err)
	}
	out, err := p.c.repo.Git(ctx, "rev-parse", "refs/heads/earlier^{tree}")
	if err != nil {
		return false, err
	}
	parent, err := p.c.repo.Resolve(ctx, "refs/heads/earlier^")
	if errors.Is(err, git.ErrNotFound) {
		return false, nil
	}
	return strings.TrimSpace(out) == p.tree && parent == p.c.tip, err
}

// Create opens the pull request for the pushed branch. One that is open
// already is returned instead: the push has updated it.
func (p *Proposal) Create(ctx context.Context) (_ forge.PullRequest, created bool, _ error) {
	r := p.c.r
	head := p.Branch
	if r.Fork != r.Repo {
		head = r.Fork.Owner + ":" + p.Branch
	}
	open, err := p.c.forge.PullRequests(ctx, r.Repo, forge.PullFilter{Head: r.Fork.Owner + ":" + p.Branch, Base: r.Base})
	if err != nil {
		return forge.PullRequest{}, false, fmt.Errorf("looking for pull requests of %s: %w", r.Repo, err)
	}
	if len(open) > 0 {
		return open[0], false, nil
	}
	pull, err := p.c.forge.CreatePullRequest(ctx, r.Repo, forge.NewPullRequest{Title: p.Title, Body: p.Body, Head: head, Base: r.Base})
	if err != nil {
		return forge.PullRequest{}, false, fmt.Errorf("opening the pull request of %s: %w", p.Branch, err)
	}
	return pull, true, nil
}
