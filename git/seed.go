package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// seedRefs hold what a repository begins with, so that its objects are known to
// be whole. They are nobody's branches or tags.
const seedRefs = "refs/seed/"

// InitFrom makes a bare repository whose HEAD is branch and that holds the
// objects of a repository on this machine, by hard links where the file system
// can: what is fetched or pushed into it then need not be copied. It has none
// of the other's branches and tags. Where from is no repository, or not a whole
// one (a shallow or partial clone), it is empty, as Init makes it.
func InitFrom(ctx context.Context, from, dir, branch string) (*Repository, error) {
	if !whole(ctx, from) {
		return Init(ctx, dir, true, branch)
	}
	r, err := Clone(ctx, from, dir, CloneOptions{Bare: true})
	if err != nil {
		// It belongs to somebody else, say. Objects spare time, no more.
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("clearing %s: %w", dir, err)
		}
		return Init(ctx, dir, true, branch)
	}
	refs, err := r.Refs(ctx)
	if err != nil {
		return nil, err
	}
	var moves strings.Builder
	for _, ref := range refs {
		fmt.Fprintf(&moves, "create %s%s %s\ndelete %s\n", seedRefs, strings.TrimPrefix(ref.Name, "refs/"), ref.SHA, ref.Name)
	}
	if err := r.Stream(ctx, strings.NewReader(moves.String()), nil, "update-ref", "--no-deref", "--stdin"); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"symbolic-ref", "HEAD", "refs/heads/" + branch}, {"remote", "remove", "origin"}} {
		if _, err := r.Git(ctx, args...); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// dropSeed forgets what a repository began with, once it has branches and tags.
func (r *Repository) dropSeed(ctx context.Context) error {
	refs, err := r.Refs(ctx, strings.TrimSuffix(seedRefs, "/"))
	if err != nil || len(refs) == 0 {
		return err
	}
	var deletes strings.Builder
	for _, ref := range refs {
		fmt.Fprintf(&deletes, "delete %s\n", ref.Name)
	}
	return r.Stream(ctx, strings.NewReader(deletes.String()), nil, "update-ref", "--no-deref", "--stdin")
}

// whole reports whether dir is a repository that lacks none of its history.
func whole(ctx context.Context, dir string) bool {
	if i, err := os.Stat(dir); dir == "" || err != nil || !i.IsDir() {
		return false
	}
	r, err := Open(ctx, dir)
	if err != nil {
		return false
	}
	common, err := r.Git(ctx, "rev-parse", "--path-format=absolute", "--git-common-dir")
	if err != nil {
		return false
	}
	// Objects that lie elsewhere again may go away with that place.
	for _, name := range []string{"shallow", "objects/info/alternates"} {
		if _, err := os.Stat(filepath.Join(strings.TrimSpace(common), name)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	_, err = r.Git(ctx, "config", "--get", "extensions.partialClone")
	return err != nil // which says that it is not set
}
