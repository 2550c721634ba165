package folder_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/folder"
	"seaworthy/git"
)

var halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world is a clone and a folder that it is published into.
type world struct {
	*folder.Folder
	t       *testing.T
	clone   *git.Repository
	root    string
	private string
	mock    bool
}

func newWorld(t *testing.T, change ...func(*folder.Options)) *world {
	t.Helper()
	w := &world{t: t, root: filepath.Join(t.TempDir(), "www"), private: filepath.Join(t.TempDir(), "private")}
	var err error
	w.clone, err = git.Init(t.Context(), filepath.Join(t.TempDir(), "clone"), false, "main")
	w.must(err)
	w.commit("Begin")
	o := folder.Options{Root: w.root, Private: w.private, Name: halyard, Clone: w.clone, Mock: func(context.Context) bool { return w.mock }, Now: func() time.Time { return noon }}
	for _, c := range change {
		c(&o)
	}
	w.Folder, err = folder.New(o)
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	out, err := w.clone.Git(w.t.Context(), append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)...)
	w.must(err)
	return strings.TrimSpace(out)
}

func (w *world) commit(message string) string {
	w.git("commit", "-q", "--allow-empty", "-m", message)
	return w.git("rev-parse", "HEAD")
}

// tips are the branches of the folder.
func (w *world) tips() map[string]string {
	w.t.Helper()
	all, err := w.Branches(w.t.Context(), halyard)
	w.must(err)
	out := map[string]string{}
	for _, b := range all {
		out[b.Name] = b.SHA
	}
	return out
}

// tag tags the tip and pushes the tag as a release would.
func (w *world) tag(name string) {
	w.t.Helper()
	r, err := w.Repo(w.t.Context(), halyard)
	w.must(err)
	w.git("push", "-q", r.CloneURL, "HEAD:refs/tags/"+name)
}

func TestRepositoryFollowsTheClone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.git("rev-parse", "HEAD")
	r, err := w.Repo(t.Context(), halyard)
	w.must(err)
	if r.DefaultBranch != "main" || r.CloneURL != filepath.Join(w.root, "harbour", "halyard.git") {
		t.Errorf("the repository is %+v", r)
	}
	if got := w.tips()["main"]; got != first {
		t.Errorf("main is at %s, want %s", got, first)
	}
	second := w.commit("Go on")
	w.git("branch", "release-1.0")
	w.git("tag", "v0.9.0")
	if got := w.tips(); got["main"] != second || got["release-1.0"] != second {
		t.Errorf("branches are %v, want all at %s", got, second)
	}
	// What is only in the folder stays, and what is ahead there is not taken back.
	w.must(w.CreateBranch(t.Context(), halyard, "release-2.0", first))
	w.git("update-ref", "refs/heads/main", first)
	if got := w.tips(); got["main"] != second || got["release-2.0"] != first {
		t.Errorf("branches are %v", got)
	}
	if err := w.CreateBranch(t.Context(), halyard, "release-2.0", first); !errors.Is(err, forge.ErrExists) {
		t.Errorf("a branch twice: %v", err)
	}
	if err := w.CreateBranch(t.Context(), halyard, "x", strings.Repeat("1", 40)); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("a branch at nothing: %v", err)
	}
	// History that was rewritten, and a tag that was moved, are told, not forced.
	w.git("checkout", "-q", "--orphan", "other")
	w.git("branch", "-q", "-D", "main")
	w.commit("Another beginning")
	w.git("branch", "main")
	if _, err := w.Repo(t.Context(), halyard); !errors.Is(err, forge.ErrConflict) || !strings.Contains(err.Error(), "git pull") {
		t.Errorf("a rewritten branch: %v", err)
	}
	w.git("update-ref", "refs/heads/main", second)
	w.git("tag", "-f", "v0.9.0", first)
	if _, err := w.Repo(t.Context(), halyard); err == nil || !strings.Contains(err.Error(), "never moved") {
		t.Errorf("a moved tag: %v", err)
	}
	if _, err := w.Repo(t.Context(), forge.RepoName{Owner: "a", Name: "b"}); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("somebody else's repository: %v", err)
	}
}

// Branches that were only fetched count as much as those that were checked out.
func TestRemoteBranches(t *testing.T) {
	t.Parallel()
	origin := newWorld(t)
	origin.git("branch", "release-1.0")
	tip := origin.git("rev-parse", "HEAD")
	dir := filepath.Join(t.TempDir(), "clone")
	clone, err := git.Clone(t.Context(), origin.clone.Dir, dir, git.CloneOptions{})
	origin.must(err)
	w := newWorld(t, func(o *folder.Options) { o.Clone, o.Remote = clone, "origin" })
	if got := w.tips(); got["release-1.0"] != tip || got["main"] != tip || len(got) != 2 {
		t.Errorf("branches are %v", got)
	}
	// A branch that lags behind its remote does not hold it back.
	next := origin.commit("Go on")
	if _, err := clone.Git(t.Context(), "fetch", "-q"); err != nil {
		t.Fatal(err)
	}
	if got := w.tips(); got["main"] != next {
		t.Errorf("main is at %s, want %s", got["main"], next)
	}
}

func TestRehearsalLeavesTheFolderAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mock = true
	r, err := w.Repo(t.Context(), halyard)
	w.must(err)
	if strings.HasPrefix(r.CloneURL, w.root) {
		t.Errorf("a rehearsal works on %s", r.CloneURL)
	}
	if _, err := os.Stat(w.root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a rehearsal made %s: %v", w.root, err)
	}
	// But it knows what was published.
	w.mock = false
	w.tag("v1.0.0")
	w.mock = true
	r, err = w.Repo(t.Context(), halyard)
	w.must(err)
	private, err := git.Open(t.Context(), r.CloneURL)
	w.must(err)
	if _, err := private.Resolve(t.Context(), "refs/tags/v1.0.0"); err != nil {
		t.Error(err)
	}
}

// A repository that is there already takes the place of the folder's own.
func TestGivenRepository(t *testing.T) {
	t.Parallel()
	bare := filepath.Join(t.TempDir(), "central.git")
	central, err := git.Init(t.Context(), bare, true, "trunk")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *folder.Options) { o.Repository = bare })
	w.git("push", "-q", bare, "HEAD:refs/heads/trunk")
	w.commit("Not pushed")
	r, err := w.Repo(t.Context(), halyard)
	w.must(err)
	if r.CloneURL != central.Dir || r.DefaultBranch != "trunk" || len(w.tips()) != 1 || w.Public() != bare {
		t.Errorf("the repository is %+v with %v", r, w.tips())
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	draft, err := w.CreateRelease(ctx, halyard, forge.NewRelease{Tag: "v1.0.0", Name: "Halyard 1.0.0", Body: "It is *out*.", Draft: true})
	w.must(err)
	if _, err := w.CreateRelease(ctx, halyard, forge.NewRelease{Tag: "v1.0.0", Draft: true}); !errors.Is(err, forge.ErrExists) {
		t.Errorf("a second page: %v", err)
	}
	content := []byte("\x1f\x8b\x00binary\xff")
	a, err := w.UploadAsset(ctx, halyard, draft.ID, "halyard.tar.gz", "application/gzip", int64(len(content)), bytes.NewReader(content))
	w.must(err)
	if a.Size != int64(len(content)) || a.State != "uploaded" || !strings.HasPrefix(a.Digest, "sha256:") {
		t.Errorf("the asset is %+v", a)
	}
	below := filepath.Join(w.root, "release", "harbour", "halyard", "v1.0.0")
	for _, page := range []string{"release.json", "release.md"} {
		if _, err := os.Stat(filepath.Join(below, page)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a draft has a %s: %v", page, err)
		}
	}
	public := false
	if _, err := w.EditRelease(ctx, halyard, draft.ID, forge.EditRelease{Draft: &public}); !errors.Is(err, forge.ErrInvalid) {
		t.Errorf("publishing without a tag: %v", err)
	}
	w.tag("v1.0.0")
	published, err := w.EditRelease(ctx, halyard, draft.ID, forge.EditRelease{Draft: &public})
	w.must(err)
	if published.Draft || !published.PublishedAt.Equal(noon) || published.ID != draft.ID {
		t.Errorf("the release is %+v", published)
	}
	text, err := os.ReadFile(filepath.Join(below, "release.json"))
	w.must(err)
	var page map[string]any
	if err := json.Unmarshal(text, &page); err != nil || page["tag"] != "v1.0.0" {
		t.Errorf("release.json is %s, %v", text, err)
	}
	markdown, err := os.ReadFile(filepath.Join(below, "release.md"))
	w.must(err)
	for _, part := range []string{"# Halyard 1.0.0", "It is *out*.", "[halyard.tar.gz](halyard.tar.gz)", a.Digest} {
		if !strings.Contains(string(markdown), part) {
			t.Errorf("release.md lacks %q:\n%s", part, markdown)
		}
	}
	again := true
	if _, err := w.EditRelease(ctx, halyard, draft.ID, forge.EditRelease{Draft: &again}); !errors.Is(err, forge.ErrInvalid) {
		t.Errorf("taking a release back: %v", err)
	}
	all, err := w.Releases(ctx, halyard)
	w.must(err)
	if len(all) != 1 || len(all[0].Assets) != 1 || all[0].Draft {
		t.Errorf("releases are %+v", all)
	}
	r, err := w.DownloadAsset(ctx, halyard, a.ID)
	w.must(err)
	got, err := io.ReadAll(r)
	w.must(errors.Join(err, r.Close()))
	if !bytes.Equal(got, content) {
		t.Errorf("downloaded %q", got)
	}
	w.must(w.DeleteRelease(ctx, halyard, draft.ID))
	if all, err := w.Releases(ctx, halyard); err != nil || len(all) != 0 {
		t.Errorf("releases are %v, %v", all, err)
	}
	for _, err := range []error{w.DeleteRelease(ctx, halyard, draft.ID), w.DeleteAsset(ctx, halyard, a.ID)} {
		if !errors.Is(err, forge.ErrNotFound) {
			t.Errorf("of what is gone: %v", err)
		}
	}
}

// Files that were promoted into the folder are taken as they are; others of the
// name are not written over.
func TestUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	r, err := w.CreateRelease(ctx, halyard, forge.NewRelease{Tag: "tools/v1.0.0", Draft: true})
	w.must(err)
	below := filepath.Join(w.root, "release", "harbour", "halyard", "tools_v1.0.0")
	w.must(os.MkdirAll(below, 0o755))
	for _, name := range []string{"same", "other"} {
		w.must(os.WriteFile(filepath.Join(below, name), []byte(name), 0o644))
	}
	upload := func(name, content string, size int) error {
		_, err := w.UploadAsset(ctx, halyard, r.ID, name, "", int64(size), strings.NewReader(content))
		return err
	}
	w.must(upload("same", "same", 4))
	for _, c := range []struct {
		name, content string
		size          int
		want          error
	}{
		{"same", "same", 4, forge.ErrExists},
		{"other", "OTHER", 5, forge.ErrExists},
		{"short", "abc", 4, forge.ErrInvalid},
		{"long", "abc", 2, forge.ErrInvalid},
		{"../up", "x", 1, forge.ErrInvalid},
		{"..", "x", 1, forge.ErrInvalid},
		{"a/b", "x", 1, forge.ErrInvalid},
		{"", "x", 1, forge.ErrInvalid},
		{"release.json", "x", 1, forge.ErrInvalid},
	} {
		if err := upload(c.name, c.content, c.size); !errors.Is(err, c.want) {
			t.Errorf("uploading %q gave %v; want %q", c.name, err, c.want)
		}
	}
	left, err := os.ReadDir(below)
	w.must(err)
	if names := len(left); names != 2 {
		t.Errorf("%d files are there: %v", names, left)
	}
	if _, err := w.UploadAsset(ctx, halyard, 4711, "x", "", 1, strings.NewReader("x")); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("uploading to nothing: %v", err)
	}
	for _, tag := range []string{"", "..", "."} {
		if _, err := w.CreateRelease(ctx, halyard, forge.NewRelease{Tag: tag, Draft: true}); !errors.Is(err, forge.ErrInvalid) {
			t.Errorf("a release of the tag %q: %v", tag, err)
		}
	}
}

// A web server that knows nothing of Git serves the repository.
func TestClonedOverPlainHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, err := w.CreateRelease(t.Context(), halyard, forge.NewRelease{Tag: "v1.0.0", Draft: true})
	w.must(err)
	w.tag("v1.0.0")
	public := false
	if _, err := w.EditRelease(t.Context(), halyard, r.ID, forge.EditRelease{Draft: &public}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(w.root)))
	t.Cleanup(server.Close)
	cmd := exec.CommandContext(t.Context(), "git", "clone", "-q", server.URL+"/harbour/halyard.git", filepath.Join(t.TempDir(), "reader"))
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tags := exec.CommandContext(t.Context(), "git", "ls-remote", "--tags", server.URL+"/harbour/halyard.git")
	out, err := tags.Output()
	if err != nil || !slices.Contains(strings.Fields(string(out)), "refs/tags/v1.0.0") {
		t.Errorf("tags are %s, %v", out, err)
	}
}
