package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Repository is a repository on disk, bare or with a work tree.
type Repository struct {
	Dir  string
	auth Auth
}

// Init makes an empty repository whose HEAD is branch.
func Init(ctx context.Context, dir string, bare bool, branch string) (*Repository, error) {
	args := []string{"init", "--quiet", "--initial-branch=" + branch}
	if bare {
		args = append(args, "--bare")
	}
	if _, err := (call{args: append(args, "--", dir)}).run(ctx); err != nil {
		return nil, err
	}
	return &Repository{Dir: dir}, nil
}

// Open returns the repository in dir, which must be one.
func Open(ctx context.Context, dir string) (*Repository, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the repository %s: %w", dir, err)
	}
	r := &Repository{Dir: abs}
	if _, err := r.Git(ctx, "rev-parse", "--git-dir"); err != nil {
		return nil, fmt.Errorf("%s is not a Git repository: %w", dir, err)
	}
	return r, nil
}

// CloneOptions say how to clone.
type CloneOptions struct {
	Bare   bool
	Mirror bool   // bare, every ref
	Branch string // empty: the remote's HEAD
	Auth   Auth
}

// Clone copies url into dir.
func Clone(ctx context.Context, url, dir string, o CloneOptions) (*Repository, error) {
	args := []string{"clone", "--quiet"}
	switch {
	case o.Mirror:
		args = append(args, "--mirror")
	case o.Bare:
		args = append(args, "--bare")
	}
	if o.Branch != "" {
		args = append(args, "--branch="+o.Branch)
	}
	if _, err := (call{auth: o.Auth, args: append(args, "--", url, dir)}).run(ctx); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cloning into %s: %w", dir, err)
	}
	return &Repository{Dir: abs, auth: o.Auth}, nil
}

// WithAuth returns the same repository with a credential for its remotes.
func (r *Repository) WithAuth(a Auth) *Repository { return &Repository{Dir: r.Dir, auth: a} }

// Git runs any git command in the repository and returns its stdout.
func (r *Repository) Git(ctx context.Context, args ...string) (string, error) {
	return call{dir: r.Dir, auth: r.auth, args: args}.run(ctx)
}

// GitEnv is Git with additional environment variables ("NAME=value").
func (r *Repository) GitEnv(ctx context.Context, env []string, args ...string) (string, error) {
	return call{dir: r.Dir, auth: r.auth, env: env, args: args}.run(ctx)
}

// Stream runs a git command with the given streams.
func (r *Repository) Stream(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	_, err := call{dir: r.Dir, auth: r.auth, stdin: stdin, stdout: stdout, args: args}.run(ctx)
	return err
}

// StreamEnv is Stream with additional environment variables ("NAME=value").
func (r *Repository) StreamEnv(ctx context.Context, env []string, stdin io.Reader, stdout io.Writer, args ...string) error {
	_, err := call{dir: r.Dir, auth: r.auth, env: env, stdin: stdin, stdout: stdout, args: args}.run(ctx)
	return err
}

// Resolve returns the full id of the commit a revision names; ErrNotFound if none.
func (r *Repository) Resolve(ctx context.Context, rev string) (string, error) {
	return r.resolve(ctx, rev, "^{commit}")
}

// ResolveObject returns the full id of the object a revision names, a tag
// object included; ErrNotFound if none.
func (r *Repository) ResolveObject(ctx context.Context, rev string) (string, error) {
	return r.resolve(ctx, rev, "")
}

func (r *Repository) resolve(ctx context.Context, rev, peel string) (string, error) {
	out, err := r.Git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+peel)
	if err != nil {
		var ge *Error
		if errors.As(err, &ge) {
			return "", fmt.Errorf("%q in %s: %w", rev, r.Dir, ErrNotFound)
		}
		return "", err
	}
	return strings.TrimSpace(out), nil
}

// MergeBase returns the best common ancestor; ErrNotFound if histories are unrelated.
func (r *Repository) MergeBase(ctx context.Context, a, b string) (string, error) {
	out, err := r.Git(ctx, "merge-base", a, b)
	if err != nil {
		var ge *Error
		if errors.As(err, &ge) && ge.Code == 1 {
			return "", fmt.Errorf("%s and %s have no common history: %w", a, b, ErrNotFound)
		}
		return "", err
	}
	return strings.TrimSpace(out), nil
}

// IsAncestor reports whether a is reachable from b.
func (r *Repository) IsAncestor(ctx context.Context, a, b string) (bool, error) {
	_, err := r.Git(ctx, "merge-base", "--is-ancestor", a, b)
	var ge *Error
	if errors.As(err, &ge) && ge.Code == 1 {
		return false, nil
	}
	return err == nil, err
}

// Ref is a branch or tag. For an annotated tag, SHA is the tag object and
// Commit the commit it points at; otherwise both are the commit.
type Ref struct {
	Name   string // refs/heads/main
	SHA    string
	Commit string
}

// Refs lists refs under the prefixes ("refs/heads", "refs/tags"), sorted by name.
func (r *Repository) Refs(ctx context.Context, prefixes ...string) ([]Ref, error) {
	out, err := r.Git(ctx, append([]string{"for-each-ref", "--format=%(refname)%00%(objectname)%00%(*objectname)"}, prefixes...)...)
	if err != nil {
		return nil, err
	}
	var refs []Ref
	for line := range strings.Lines(out) {
		p := strings.Split(strings.TrimSuffix(line, "\n"), "\x00")
		if len(p) != 3 {
			return nil, fmt.Errorf("for-each-ref in %s: unexpected line %q", r.Dir, line)
		}
		ref := Ref{Name: p[0], SHA: p[1], Commit: p[2]}
		if ref.Commit == "" {
			ref.Commit = ref.SHA
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// Show returns the content of a file at a revision; ErrNotFound if absent.
func (r *Repository) Show(ctx context.Context, rev, path string) ([]byte, error) {
	out, err := r.Git(ctx, "cat-file", "blob", rev+":"+path)
	if err != nil {
		var ge *Error
		if errors.As(err, &ge) {
			return nil, fmt.Errorf("%s at %s: %w", path, rev, ErrNotFound)
		}
		return nil, err
	}
	return []byte(out), nil
}

// Entry is one line of a tree listing.
type Entry struct {
	Mode string // 100644, 100755, 120000, 040000, 160000
	Type string // blob, tree, commit
	SHA  string
	Size int64 // blobs only
	Path string
}

// Tree lists a folder of a revision ("" is the root), recursively if asked.
func (r *Repository) Tree(ctx context.Context, rev, path string, recursive bool) ([]Entry, error) {
	args := []string{"ls-tree", "-z", "-l", "--full-tree"}
	if recursive {
		args = append(args, "-r")
	}
	args = append(args, rev)
	if path != "" {
		args = append(args, strings.TrimSuffix(path, "/")+"/")
	}
	out, err := r.Git(ctx, args...)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for rec := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if rec == "" {
			continue
		}
		meta, p, ok := strings.Cut(rec, "\t")
		f := strings.Fields(meta)
		if !ok || len(f) != 4 {
			return nil, fmt.Errorf("ls-tree %s: unexpected record %q", rev, rec)
		}
		e := Entry{Mode: f[0], Type: f[1], SHA: f[2], Path: p}
		if f[3] != "-" {
			if _, err := fmt.Sscan(f[3], &e.Size); err != nil {
				return nil, fmt.Errorf("ls-tree %s: size in %q: %w", rev, rec, err)
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Archive writes the tree of a revision as an uncompressed tar to w, every
// path below prefix. The bytes depend on the commit and prefix alone.
func (r *Repository) Archive(ctx context.Context, rev, prefix string, w io.Writer) error {
	return r.Stream(ctx, nil, w, "archive", "--format=tar", "--prefix="+prefix, rev)
}

// Worktree checks a revision out, detached, into dir. The caller removes it
// with RemoveWorktree.
func (r *Repository) Worktree(ctx context.Context, dir, rev string) (*Repository, error) {
	if _, err := r.Git(ctx, "worktree", "add", "--quiet", "--force", "--detach", dir, rev); err != nil {
		return nil, err
	}
	return &Repository{Dir: dir, auth: r.auth}, nil
}

// RemoveWorktree removes what Worktree made.
func (r *Repository) RemoveWorktree(ctx context.Context, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the work tree %s: %w", dir, err)
	}
	_, err := r.Git(ctx, "worktree", "prune")
	return err
}
