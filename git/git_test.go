package git_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/git"
)

var ada = git.Person{Name: "Ada", Email: "ada@example.org", Time: time.Unix(1700000000, 0).UTC()}

// commit writes files onto a branch of a bare repository and returns the commit.
func commit(t *testing.T, r *git.Repository, branch, message string, files map[string]string) string {
	t.Helper()
	ctx := t.Context()
	ref := "refs/heads/" + branch
	parent, err := r.Resolve(ctx, ref)
	if err != nil && !errors.Is(err, git.ErrNotFound) {
		t.Fatal(err)
	}
	var edits []git.FileEdit
	for path, content := range files {
		edits = append(edits, git.FileEdit{Path: path, Content: []byte(content), Delete: content == ""})
	}
	tree, err := r.EditTree(ctx, parent, edits)
	if err != nil {
		t.Fatal(err)
	}
	c := git.NewCommit{Tree: tree, Message: message, Author: ada}
	if parent != "" {
		c.Parents = []string{parent}
	}
	sha, err := r.CommitTree(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.UpdateRef(ctx, ref, sha, ""); err != nil {
		t.Fatal(err)
	}
	return sha
}

func bare(t *testing.T) *git.Repository {
	t.Helper()
	r, err := git.Init(t.Context(), filepath.Join(t.TempDir(), "r.git"), true, "main")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func branch(t *testing.T, r *git.Repository, name, sha string) {
	t.Helper()
	if err := r.UpdateRef(t.Context(), "refs/heads/"+name, sha, git.ZeroSHA); err != nil {
		t.Fatal(err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if v, err := git.Version(); err != nil || v == "" {
		t.Fatalf("Version() = %q, %v", v, err)
	}
}

func TestMissingProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := git.Init(t.Context(), t.TempDir(), true, "main")
	if !errors.Is(err, git.ErrMissing) {
		t.Fatalf("without git on PATH: %v, want ErrMissing", err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := bare(t)
	sha := commit(t, r, "main", "first", map[string]string{"a": "1"})
	tag, err := r.CreateTag(ctx, git.NewTag{Name: "v1.0.0", Commit: sha, Message: "v1.0.0", Tagger: ada})
	if err != nil {
		t.Fatal(err)
	}
	for rev, want := range map[string]string{"main": sha, "v1.0.0": sha, sha[:8]: sha} {
		if got, err := r.Resolve(ctx, rev); err != nil || got != want {
			t.Errorf("Resolve(%s) = %s, %v; want %s", rev, got, err, want)
		}
	}
	if got, err := r.ResolveObject(ctx, "refs/tags/v1.0.0"); err != nil || got != tag {
		t.Errorf("ResolveObject(tag) = %s, %v; want %s", got, err, tag)
	}
	for _, rev := range []string{"nowhere", "--all", "main:absent", ""} {
		if _, err := r.Resolve(ctx, rev); !errors.Is(err, git.ErrNotFound) {
			t.Errorf("Resolve(%q): %v, want ErrNotFound", rev, err)
		}
	}
}

func TestCreateTagIsRepeatable(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := bare(t)
	first := commit(t, r, "main", "first", map[string]string{"a": "1"})
	second := commit(t, r, "main", "second", map[string]string{"a": "2"})
	want := git.NewTag{Name: "v1", Commit: first, Message: "one\n\n- note", Tagger: ada}
	a, err := r.CreateTag(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := r.CreateTag(ctx, want); err != nil || a != b {
		t.Errorf("again: %s, %v; want %s", b, err, a)
	}
	want.Commit = second
	if _, err := r.CreateTag(ctx, want); !errors.Is(err, git.ErrRejected) {
		t.Errorf("the same tag elsewhere: %v, want ErrRejected", err)
	}
	if got, _ := r.Resolve(ctx, "v1"); got != first {
		t.Errorf("the tag moved to %s", got)
	}
}

func TestMergeTree(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := bare(t)
	base := commit(t, r, "main", "base", map[string]string{"a": "1\n2\n3\n", "b": "x\n"})
	branch(t, r, "clean", base)
	branch(t, r, "clash", base)
	main := commit(t, r, "main", "main", map[string]string{"a": "1\n2\nthree\n"})
	clean := commit(t, r, "clean", "clean", map[string]string{"b": "y\n"})
	clash := commit(t, r, "clash", "clash", map[string]string{"a": "1\n2\n3!\n"})

	tree, err := r.MergeTree(ctx, main, clean)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a": "1\n2\nthree\n", "b": "y\n"} {
		if got, err := r.Show(ctx, tree, path); err != nil || string(got) != want {
			t.Errorf("merged %s = %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := r.MergeTree(ctx, main, clash); !errors.Is(err, git.ErrConflict) || !strings.Contains(err.Error(), "in a") {
		t.Errorf("clash: %v, want ErrConflict naming a", err)
	}
	if _, err := r.CherryPickTree(ctx, main, clash); !errors.Is(err, git.ErrConflict) {
		t.Errorf("cherry-pick clash: %v, want ErrConflict", err)
	}
	picked, err := r.CherryPickTree(ctx, main, clean)
	if err != nil || picked != tree {
		t.Errorf("cherry-pick = %s, %v; want %s", picked, err, tree)
	}
}

func TestLogAndDiff(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := bare(t)
	first := commit(t, r, "main", "first\n\nbody with\n\nblank lines", map[string]string{"a": strings.Repeat("line\n", 20), "gone": "x\n"})
	second := commit(t, r, "main", "second (#7)", map[string]string{"dir/b é.txt": "1\n2\n", "gone": "", "a": ""})
	if _, err := r.EditTree(ctx, second, nil); err != nil {
		t.Fatal(err)
	}
	third := commit(t, r, "main", "third", map[string]string{"moved": strings.Repeat("line\n", 20)})

	log, err := r.Log(ctx, "main", git.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(log) != 3 || log[0].SHA != third || log[2].SHA != first {
		t.Fatalf("log = %+v", log)
	}
	if log[2].Message != "first\n\nbody with\n\nblank lines" || log[1].Subject() != "second (#7)" || !log[0].Author.Time.Equal(ada.Time) {
		t.Errorf("log lost something: %+v", log)
	}
	if log, err := r.Log(ctx, first+"..main", git.LogOptions{Reverse: true, Max: 10, Paths: []string{"moved"}}); err != nil || len(log) != 1 || log[0].SHA != third {
		t.Errorf("log of moved = %+v, %v", log, err)
	}
	if n, err := r.CountCommits(ctx, first+"..main"); err != nil || n != 2 {
		t.Errorf("CountCommits = %d, %v; want 2", n, err)
	}
	got, err := r.Diff(ctx, first, third)
	if err != nil {
		t.Fatal(err)
	}
	want := []git.Change{
		{Path: "dir/b é.txt", Status: 'A', Additions: 2},
		{Path: "gone", Status: 'D', Deletions: 1},
		{Path: "moved", PreviousPath: "a", Status: 'R'},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Diff (-want +got):\n%s", d)
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	remote := bare(t)
	first := commit(t, remote, "main", "first", map[string]string{"a": "1"})
	local, err := git.Clone(ctx, remote.Dir, filepath.Join(t.TempDir(), "clone.git"), git.CloneOptions{Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	mine := commit(t, local, "main", "mine", map[string]string{"a": "2"})

	if err := local.Push(ctx, remote.Dir, git.PushOptions{DryRun: true}, mine+":refs/heads/main"); err != nil {
		t.Fatal(err)
	}
	if got, _ := remote.Resolve(ctx, "main"); got != first {
		t.Fatalf("a dry run moved main to %s", got)
	}
	theirs := commit(t, remote, "main", "theirs", map[string]string{"b": "1"})
	if err := local.Push(ctx, remote.Dir, git.PushOptions{}, mine+":refs/heads/main"); !errors.Is(err, git.ErrRejected) {
		t.Errorf("push behind: %v, want ErrRejected", err)
	}
	err = local.Push(ctx, remote.Dir, git.PushOptions{Lease: map[string]string{"refs/tags/v1": git.ZeroSHA}}, mine+":refs/tags/v1")
	if err != nil {
		t.Errorf("push of a new tag: %v", err)
	}
	err = local.Push(ctx, remote.Dir, git.PushOptions{Lease: map[string]string{"refs/tags/v1": git.ZeroSHA}}, first+":refs/tags/v1")
	if !errors.Is(err, git.ErrRejected) {
		t.Errorf("push over a tag: %v, want ErrRejected", err)
	}
	if got, _ := remote.Resolve(ctx, "main"); got != theirs {
		t.Errorf("main is %s, want %s", got, theirs)
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	remote := bare(t)
	first := commit(t, remote, "main", "first", map[string]string{"a": "1"})
	if err := remote.UpdateRef(ctx, "refs/pull/1/head", first, git.ZeroSHA); err != nil {
		t.Fatal(err)
	}
	branch(t, remote, "short-lived", first)
	cache := git.NewCache(filepath.Join(t.TempDir(), "cache"))
	if _, err := cache.Repository(ctx, remote.Dir, git.Auth{}); err != nil {
		t.Fatal(err)
	}
	second := commit(t, remote, "main", "second", map[string]string{"a": "2"})
	if err := remote.UpdateRef(ctx, "refs/heads/short-lived", "", ""); err != nil {
		t.Fatal(err)
	}
	r, err := cache.Repository(ctx, remote.Dir, git.Auth{})
	if err != nil {
		t.Fatal(err)
	}
	refs, err := r.Refs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []git.Ref{{Name: "refs/heads/main", SHA: second, Commit: second}, {Name: "refs/pull/1/head", SHA: first, Commit: first}}
	if d := cmp.Diff(want, refs); d != "" {
		t.Errorf("refs of the cache (-want +got):\n%s", d)
	}

	dir := filepath.Join(t.TempDir(), "tree")
	w, err := r.Worktree(ctx, dir, first)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(w.Dir, "a")); err != nil || string(got) != "1" {
		t.Errorf("work tree: %q, %v", got, err)
	}
	if err := r.RemoveWorktree(ctx, dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the work tree is still there: %v", err)
	}
}

func TestArchiveIsReproducible(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := bare(t)
	commit(t, r, "main", "first", map[string]string{"a": "1", "d/b": "2"})
	var one, two bytes.Buffer
	for _, w := range []io.Writer{&one, &two} {
		if err := r.Archive(ctx, "main", "p-1.0/", w); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two archives of one commit differ")
	}
	var names []string
	for tr := tar.NewReader(&one); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if d := cmp.Diff([]string{"pax_global_header", "p-1.0/", "p-1.0/a", "p-1.0/d/", "p-1.0/d/b"}, names); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	r := bare(t)
	commit(t, r, "main", "first", map[string]string{"d/one": "1", "d/two é": "22", "top": "333"})
	got, err := r.Tree(t.Context(), "main", "d", false)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range got {
		have = append(have, e.Type+" "+e.Path)
	}
	if d := cmp.Diff([]string{"blob d/one", "blob d/two é"}, have); d != "" || got[1].Size != 2 {
		t.Errorf("tree of d (-want +got):\n%s", d)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	r := bare(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no longer wanted")
	cancel(why)
	if _, err := r.Git(ctx, "version"); !errors.Is(err, why) {
		t.Errorf("cancelled: %v, want the cause", err)
	}
}

// A token must be visible neither in the arguments of the process nor in what
// an error says.
func TestTokenStaysHidden(t *testing.T) {
	t.Parallel()
	const token = "very-secret-token"
	_, err := git.Clone(t.Context(), "http://127.0.0.1:1/nothing.git", filepath.Join(t.TempDir(), "c"), git.CloneOptions{Auth: git.Auth{Token: token}})
	if err == nil {
		t.Fatal("cloned from nowhere")
	}
	var ge *git.Error
	if !errors.As(err, &ge) {
		t.Fatalf("%T is not a git error", err)
	}
	if strings.Contains(err.Error(), token) || strings.Contains(strings.Join(ge.Args, " "), token) {
		t.Errorf("the token shows: %v", err)
	}
}

func TestEnvironIsClean(t *testing.T) {
	t.Setenv("GIT_DIR", "/elsewhere")
	t.Setenv("GIT_AUTHOR_NAME", "somebody")
	for _, kv := range git.Environ(git.Auth{}) {
		if strings.HasPrefix(kv, "GIT_DIR=") || strings.HasPrefix(kv, "GIT_AUTHOR_NAME=") {
			t.Errorf("inherited %s", kv)
		}
	}
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err == nil {
		t.Logf("plain git obeys GIT_DIR: %s", out)
	}
	if _, err := git.Init(t.Context(), filepath.Join(dir, "r"), true, "main"); err != nil {
		t.Errorf("ours does not: %v", err)
	}
}
