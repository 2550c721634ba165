package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"seaworthy/git"
)

// copySource copies a folder into an empty one: of a repository what is tracked
// or not ignored, of another folder everything. Git's own folder is left out
// unless it is asked for.
func copySource(ctx context.Context, from, to string, gitFolder bool) error {
	in, err := os.OpenRoot(from)
	if err != nil {
		return fmt.Errorf("opening the source: %w", err)
	}
	defer in.Close()
	out, err := os.OpenRoot(to)
	if err != nil {
		return fmt.Errorf("opening the workspace: %w", err)
	}
	defer out.Close()
	copyOne := func(name string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyFile(in, out, name); err != nil {
			return fmt.Errorf("copying %s into the workspace: %w", name, err)
		}
		return nil
	}
	repo, err := git.Open(ctx, from)
	if err != nil {
		return fs.WalkDir(in.FS(), ".", each(".git", copyOne))
	}
	// Paths are relative to the folder that git is called in.
	listed, err := repo.Git(ctx, "-C", from, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return fmt.Errorf("listing the source: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(listed, "\x00"), "\x00") {
		if name == "" {
			continue
		}
		// One that is tracked may have been removed.
		if err := copyOne(filepath.FromSlash(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if !gitFolder {
		return nil
	}
	if info, err := in.Stat(".git"); err != nil || !info.IsDir() {
		return fmt.Errorf("%s has no folder .git to take along: name the top of a clone", from)
	}
	return fs.WalkDir(in.FS(), ".git", each("", copyOne))
}

// each calls f for everything that is no folder, but not below a folder of that
// name.
func each(but string, f func(string) error) fs.WalkDirFunc {
	return func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == but {
				return fs.SkipDir
			}
			return nil
		}
		return f(name)
	}
}

// copyFile copies a file with its right to be executed, or a link as it is.
func copyFile(in, out *os.Root, name string) (err error) {
	info, err := in.Lstat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return nil // a submodule
	}
	if err := out.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := in.Readlink(name)
		if err != nil {
			return err
		}
		return out.Symlink(target, name)
	}
	if !info.Mode().IsRegular() {
		return nil // a socket, say, which nothing can be built of
	}
	from, err := in.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := out.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// keepObjects copies the files that the build is to leave behind.
func (c CloudBuild) keepObjects(b variantBuild) error {
	if len(b.options.Plan.Objects) == 0 {
		return nil
	}
	in, err := os.OpenRoot(b.options.Workspace)
	if err != nil {
		return fmt.Errorf("keeping files: %w", err)
	}
	defer in.Close()
	for _, pattern := range b.options.Plan.Objects {
		names, err := fs.Glob(in.FS(), pattern)
		if err != nil {
			return fmt.Errorf("artifacts.objects: pattern %q: %w", pattern, err)
		}
		if len(names) == 0 {
			return fmt.Errorf("artifacts.objects: nothing that was built is called %s", pattern)
		}
		for _, name := range names {
			if err := c.keepObject(in, b, name); err != nil {
				return fmt.Errorf("keeping %s: %w", name, err)
			}
		}
	}
	return nil
}

func (c CloudBuild) keepObject(in *os.Root, b variantBuild, name string) error {
	info, err := in.Stat(name)
	if err != nil || info.IsDir() {
		return err
	}
	if b.options.Artifacts == "" {
		fmt.Fprintf(c.Log, "%s is not kept: name a folder for artifacts\n", name)
		return nil
	}
	dir := filepath.Join(b.options.Artifacts, "objects")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	out, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer out.Close()
	// What an earlier build left there makes way.
	if err := out.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return copyFile(in, out, name)
}
