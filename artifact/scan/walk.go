package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// mostIgnoreText bounds a file of patterns.
const mostIgnoreText = 1 << 20

// walk visits the regular files of a folder that belong to it, in order. Links
// are not followed: what they lead to inside is visited by itself, and what is
// outside does not belong. Git's own folder and what git ignores are left out.
func walk(ctx context.Context, root string, o Options, visit func(name string, d fs.DirEntry) error) error {
	var rules *ignoreRules
	if !o.NoGitignore {
		text, err := readSmall(filepath.Join(root, ".git", "info", "exclude"))
		if err != nil {
			return err
		}
		rules = rules.with("", text)
	}
	given := (*ignoreRules)(nil).with("", strings.Join(o.Ignore, "\n"))
	return walkFolder(ctx, root, "", rules, given, o, visit)
}

func walkFolder(ctx context.Context, root, dir string, rules, given *ignoreRules, o Options, visit func(string, fs.DirEntry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	folder := filepath.Join(root, filepath.FromSlash(dir))
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if !o.NoGitignore {
		text, err := readSmall(filepath.Join(folder, ".gitignore"))
		if err != nil {
			return err
		}
		rules = rules.with(dir, text)
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		isDir := e.IsDir()
		switch {
		case e.Name() == ".git", !isDir && !e.Type().IsRegular():
			continue
		case given.ignored(name, isDir), !o.NoGitignore && rules.ignored(name, isDir):
			continue
		case isDir:
			err = walkFolder(ctx, root, name, rules, given, o, visit)
		default:
			err = visit(name, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readSmall reads a file that may be missing, of a sane size. Git does not
// follow a link here either.
func readSmall(name string) (string, error) {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular():
		return "", nil
	case err != nil:
		// .git may be a file, in a worktree; then nothing is below it.
		if parent, statErr := os.Stat(filepath.Dir(filepath.Dir(name))); statErr == nil && !parent.IsDir() {
			return "", nil
		}
		return "", err
	case info.Size() > mostIgnoreText:
		return "", fmt.Errorf("%s has %d bytes, at most %d are read: %w", name, info.Size(), mostIgnoreText, ErrLimit)
	}
	text, err := os.ReadFile(name)
	return string(text), err
}

var commitHash = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// headCommit reads from git's own files which commit is checked out; empty if the
// folder is no checkout or has no commit yet. What is not committed is not told.
func headCommit(root *os.Root) (string, error) {
	read := func(name string) (string, error) {
		f, err := root.Open(name)
		if err != nil {
			return "", nil // no checkout, or a worktree whose files are elsewhere
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, mostIgnoreText))
		if errors.Is(err, syscall.EISDIR) {
			return "", nil
		}
		return strings.TrimSpace(string(text)), err
	}
	head, err := read(".git/HEAD")
	if err != nil || commitHash.MatchString(head) {
		return head, err
	}
	ref, ok := strings.CutPrefix(head, "ref: ")
	if !ok || !filepath.IsLocal(ref) {
		return "", nil
	}
	if loose, err := read(path.Join(".git", ref)); err != nil || commitHash.MatchString(loose) {
		return loose, err
	}
	packed, err := read(".git/packed-refs")
	for line := range strings.Lines(packed) {
		if hash, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == ref && commitHash.MatchString(hash) {
			return hash, err
		}
	}
	return "", err
}
