package folder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"seaworthy/forge"
	"seaworthy/git"
)

// Options say which folder, and what is published there.
type Options struct {
	// Root is the folder that readers get.
	Root string
	// Private is a folder that they do not: drafts are here, and the repository
	// that rehearsals work with.
	Private string
	// Name is what the repository is called.
	Name forge.RepoName
	// Clone is what the repository in the folder is made from.
	Clone *git.Repository
	// Remote names the remote of the clone whose branches count, too.
	Remote string
	// Repository is a bare repository that is there already and takes branches
	// and tags instead; it is not brought up to date from the clone.
	Repository string
	// Mock says that a call belongs to a rehearsal, which leaves the folder as
	// it is; nil means never.
	Mock func(ctx context.Context) bool
	Now  func() time.Time // time.Now when nil
}

// Folder is a folder that releases are published into. It is safe for
// concurrent use within a process.
type Folder struct {
	o  Options
	mu sync.Mutex
}

// New returns a folder; it makes nothing yet.
func New(o Options) (*Folder, error) {
	if o.Root == "" || o.Private == "" || !o.Name.Valid() || o.Clone == nil && o.Repository == "" {
		return nil, errors.New("a folder to publish into needs its path, a private one, the repository's name, and a clone")
	}
	for _, p := range []*string{&o.Root, &o.Private, &o.Repository} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return nil, fmt.Errorf("the folder %s: %w", *p, err)
		}
		*p = abs
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Folder{o: o}, nil
}

func (f *Folder) mine(repo forge.RepoName) error {
	if repo != f.o.Name {
		return fmt.Errorf("repository %s: %w: %s is published in %s", repo, forge.ErrNotFound, f.o.Name, f.o.Root)
	}
	return nil
}

// Public is the bare repository that readers clone.
func (f *Folder) Public() string {
	if f.o.Repository != "" {
		return f.o.Repository
	}
	return filepath.Join(f.o.Root, f.o.Name.Owner, f.o.Name.Name+".git")
}

func (f *Folder) mirror() string { return filepath.Join(f.o.Private, "repository.git") }

// Mirror brings the private copy of the repository up to date with the clone and
// with what is published, and returns where it is.
func (f *Folder) Mirror(ctx context.Context) (string, error) {
	if f.o.Repository != "" {
		return f.o.Repository, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	dir := f.mirror()
	if _, err := os.Stat(f.Public()); err == nil {
		if err := f.initialize(ctx, dir); err != nil {
			return "", err
		}
		repo, err := git.Open(ctx, dir)
		if err != nil {
			return "", err
		}
		if err := repo.Fetch(ctx, f.Public(), "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"); err != nil {
			return "", fmt.Errorf("looking at what is published: %w", err)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("looking for the repository %s: %w", f.Public(), err)
	}
	return dir, f.update(ctx, dir)
}

// repository is what a call works with: the public one, made when missing, or
// in a rehearsal the private one.
func (f *Folder) repository(ctx context.Context) (string, error) {
	if f.o.Repository != "" || f.o.Mock != nil && f.o.Mock(ctx) {
		return f.Mirror(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Public(), f.update(ctx, f.Public())
}

// Repo returns the repository, up to date with the clone.
func (f *Folder) Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error) {
	if err := f.mine(repo); err != nil {
		return forge.Repo{}, err
	}
	dir, err := f.repository(ctx)
	if err != nil {
		return forge.Repo{}, err
	}
	bare, err := git.Open(ctx, dir)
	if err != nil {
		return forge.Repo{}, err
	}
	head, err := bare.Git(ctx, "symbolic-ref", "--short", "HEAD")
	if err != nil {
		return forge.Repo{}, fmt.Errorf("looking for the default branch of %s: %w", repo, err)
	}
	return forge.Repo{RepoName: repo, DefaultBranch: strings.TrimSpace(head), CloneURL: dir, HTMLURL: "file://" + f.o.Root}, nil
}

// Branches returns all branches.
func (f *Folder) Branches(ctx context.Context, repo forge.RepoName) ([]forge.Branch, error) {
	if err := f.mine(repo); err != nil {
		return nil, err
	}
	dir, err := f.repository(ctx)
	if err != nil {
		return nil, err
	}
	bare, err := git.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	refs, err := bare.Refs(ctx, "refs/heads")
	if err != nil {
		return nil, fmt.Errorf("listing the branches of %s: %w", repo, err)
	}
	var all []forge.Branch
	for _, r := range refs {
		all = append(all, forge.Branch{Name: strings.TrimPrefix(r.Name, "refs/heads/"), SHA: r.Commit})
	}
	return all, nil
}

// CreateBranch makes a branch at a commit that is there. ErrExists if there is
// one of that name, ErrNotFound for an unknown commit.
func (f *Folder) CreateBranch(ctx context.Context, repo forge.RepoName, name, sha string) error {
	if err := f.mine(repo); err != nil {
		return err
	}
	dir, err := f.repository(ctx)
	if err != nil {
		return err
	}
	bare, err := git.Open(ctx, dir)
	if err != nil {
		return err
	}
	if _, err := bare.Resolve(ctx, sha); err != nil {
		return fmt.Errorf("creating branch %s: commit %s: %w", name, sha, forge.ErrNotFound)
	}
	switch err := bare.UpdateRef(ctx, "refs/heads/"+name, sha, git.ZeroSHA); {
	case errors.Is(err, git.ErrRejected):
		return fmt.Errorf("creating branch %s: %w", name, forge.ErrExists)
	case err != nil:
		return fmt.Errorf("creating branch %s: %w", name, err)
	}
	return served(ctx, bare)
}

// served leaves what a web server without Git needs to be cloned from.
func served(ctx context.Context, repo *git.Repository) error {
	if _, err := repo.Git(ctx, "update-server-info"); err != nil {
		return fmt.Errorf("preparing %s to be served: %w", repo.Dir, err)
	}
	return nil
}

// update makes a bare repository, if it is not there, and brings branches and
// tags of the clone into it.
func (f *Folder) update(ctx context.Context, dir string) error {
	want, err := f.wanted(ctx)
	if err != nil {
		return err
	}
	if err := f.initialize(ctx, dir); err != nil {
		return err
	}
	bare, err := git.Open(ctx, dir)
	if err != nil {
		return err
	}
	have, err := refs(ctx, bare, "refs/heads", "refs/tags")
	if err != nil {
		return err
	}
	var push []string
	for name, sha := range want {
		switch old := have[name]; {
		case old == sha:
		case old == "":
			push = append(push, sha+":"+name)
		case strings.HasPrefix(name, "refs/tags/"):
			return fmt.Errorf("tag %s is %s here and %s in %s: a tag is never moved; delete the wrong one by hand",
				strings.TrimPrefix(name, "refs/tags/"), sha, old, dir)
		default:
			forward, err := f.forward(ctx, bare, old, sha)
			if err != nil {
				return fmt.Errorf("branch %s and the one in %s went apart; bring them together with git pull %[2]s %[1]s: %[3]w", strings.TrimPrefix(name, "refs/heads/"), dir, err)
			}
			if forward {
				push = append(push, sha+":"+name)
			}
		}
	}
	if len(push) == 0 {
		return nil
	}
	slices.Sort(push)
	if err := f.o.Clone.Push(ctx, dir, git.PushOptions{Atomic: true}, push...); err != nil {
		return fmt.Errorf("bringing %s up to date: %w", dir, err)
	}
	return served(ctx, bare)
}

// initialize makes a repository that is not there: beside its place, and then
// moved there, so that it is whole or absent.
func (f *Folder) initialize(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("looking for the repository %s: %w", dir, err)
	}
	branch, err := f.defaultBranch(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("making the folder to publish into: %w", err)
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return fmt.Errorf("making the folder to publish into: %w", err)
	}
	defer os.RemoveAll(temporary)
	fresh := filepath.Join(temporary, "repository.git")
	seed := "" // what is published holds nothing but what was published
	if f.o.Clone != nil && dir == f.mirror() {
		seed = f.o.Clone.Dir
	}
	if _, err := git.InitFrom(ctx, seed, fresh, branch); err != nil {
		return fmt.Errorf("making the repository %s: %w", dir, err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return fmt.Errorf("making the repository %s: %w", dir, err)
	}
	return nil
}

// wanted are the branches and tags of the clone: those of its remote, and its
// own where they are ahead of them.
func (f *Folder) wanted(ctx context.Context) (map[string]string, error) {
	if out, err := f.o.Clone.Git(ctx, "rev-parse", "--is-shallow-repository"); err != nil {
		return nil, fmt.Errorf("looking at the clone: %w", err)
	} else if strings.TrimSpace(out) == "true" {
		return nil, fmt.Errorf("%w: the clone is shallow; run git fetch --unshallow --tags, or check out with fetch-depth: 0", forge.ErrInvalid)
	}
	want, err := refs(ctx, f.o.Clone, "refs/tags")
	if err != nil {
		return nil, err
	}
	prefix := "refs/remotes/" + f.o.Remote + "/"
	if f.o.Remote != "" {
		tracked, err := refs(ctx, f.o.Clone, prefix)
		if err != nil {
			return nil, err
		}
		for name, sha := range tracked {
			if branch := strings.TrimPrefix(name, prefix); branch != "HEAD" {
				want["refs/heads/"+branch] = sha
			}
		}
	}
	own, err := refs(ctx, f.o.Clone, "refs/heads")
	if err != nil {
		return nil, err
	}
	for name, sha := range own {
		if theirs, there := want[name]; there && theirs != sha {
			if behind, err := f.o.Clone.IsAncestor(ctx, sha, theirs); err != nil || behind {
				if err != nil {
					return nil, fmt.Errorf("comparing %s with the remote's: %w", name, err)
				}
				continue
			}
		}
		want[name] = sha
	}
	return want, nil
}

// forward reports whether a branch moves forward from old to sha; false if it
// is ahead already, as after a release. The error says that it cannot.
func (f *Folder) forward(ctx context.Context, bare *git.Repository, old, sha string) (bool, error) {
	if ahead, err := f.o.Clone.IsAncestor(ctx, old, sha); err == nil && ahead {
		return true, nil
	}
	// What was pushed to the folder alone, the clone does not know.
	if behind, err := bare.IsAncestor(ctx, sha, old); err == nil && behind {
		return false, nil
	}
	return false, fmt.Errorf("%s does not contain %s: %w", sha, old, forge.ErrConflict)
}

// defaultBranch is that of the remote, else main or master, else the one that is
// checked out.
func (f *Folder) defaultBranch(ctx context.Context) (string, error) {
	if f.o.Remote != "" {
		head, err := f.o.Clone.Git(ctx, "symbolic-ref", "--short", "refs/remotes/"+f.o.Remote+"/HEAD")
		if err == nil {
			return strings.TrimPrefix(strings.TrimSpace(head), f.o.Remote+"/"), nil
		}
	}
	for _, name := range []string{"main", "master"} {
		if _, err := f.o.Clone.Resolve(ctx, "refs/heads/"+name); err == nil {
			return name, nil
		}
	}
	head, err := f.o.Clone.Git(ctx, "symbolic-ref", "--short", "HEAD")
	if err != nil {
		return "", fmt.Errorf("no branch is checked out, and none is called main or master: check one out: %w", err)
	}
	return strings.TrimSpace(head), nil
}

// refs maps the names of refs to what they point at, tag objects included.
func refs(ctx context.Context, repo *git.Repository, prefixes ...string) (map[string]string, error) {
	list, err := repo.Refs(ctx, prefixes...)
	if err != nil {
		return nil, fmt.Errorf("reading branches and tags of %s: %w", repo.Dir, err)
	}
	all := map[string]string{}
	for _, r := range list {
		all[r.Name] = r.SHA
	}
	return all, nil
}
