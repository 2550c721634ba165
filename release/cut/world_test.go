package cut_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/artifact/sign"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// began is when every run of these tests begins.
var began = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

var (
	halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}
	signer  = cut.Identity{Name: "Harbour Bot", Email: "bot@harbour.example"}
)

// fakeForge is a forge with a real Git repository and release pages in memory.
// It logs what is done to it.
type fakeForge struct {
	mu     sync.Mutex
	origin string // bare repository
	pages  []forge.Release
	files  map[int64][]byte // content of assets
	next   int64
	log    []string
	// cutOff stores only this many bytes of the named upload, once, and fails.
	cutOff map[string]int
	// silent keeps digests to itself, like an older forge.
	silent bool
	fail   map[string]error // by method, once
}

func (f *fakeForge) failing(method string) error {
	err := f.fail[method]
	delete(f.fail, method)
	return err
}

func (f *fakeForge) did(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

func (f *fakeForge) Repo(_ context.Context, repo forge.RepoName) (forge.Repo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if repo != halyard {
		return forge.Repo{}, fmt.Errorf("repository %s: %w", repo, forge.ErrNotFound)
	}
	return forge.Repo{RepoName: repo, DefaultBranch: "main", CloneURL: f.origin}, f.failing("Repo")
}

func (f *fakeForge) Branches(ctx context.Context, _ forge.RepoName) ([]forge.Branch, error) {
	repo, err := git.Open(ctx, f.origin)
	if err != nil {
		return nil, err
	}
	refs, err := repo.Refs(ctx, "refs/heads")
	var branches []forge.Branch
	for _, r := range refs {
		branches = append(branches, forge.Branch{Name: strings.TrimPrefix(r.Name, "refs/heads/"), SHA: r.SHA})
	}
	return branches, err
}

func (f *fakeForge) CreateBranch(ctx context.Context, _ forge.RepoName, name, sha string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	repo, err := git.Open(ctx, f.origin)
	if err != nil {
		return err
	}
	f.did("branch %s", name)
	return repo.UpdateRef(ctx, "refs/heads/"+name, sha, git.ZeroSHA)
}

func (f *fakeForge) Releases(context.Context, forge.RepoName) ([]forge.Release, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pages := slices.Clone(f.pages)
	for i := range pages {
		pages[i].Assets = slices.Clone(pages[i].Assets)
	}
	return pages, f.failing("Releases")
}

func (f *fakeForge) CreateRelease(_ context.Context, _ forge.RepoName, n forge.NewRelease) (forge.Release, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	f.did("create %s", n.Tag)
	r := forge.Release{ID: f.next, Tag: n.Tag, Target: n.Target, Name: n.Name, Body: n.Body, Draft: n.Draft, Prerelease: n.Prerelease,
		HTMLURL: "https://forge.example/harbour/halyard/releases/" + n.Tag}
	f.pages = append(f.pages, r)
	return r, f.failing("CreateRelease")
}

func (f *fakeForge) page(id int64) (*forge.Release, error) {
	for i := range f.pages {
		if f.pages[i].ID == id {
			return &f.pages[i], nil
		}
	}
	return nil, fmt.Errorf("release %d: %w", id, forge.ErrNotFound)
}

func (f *fakeForge) EditRelease(_ context.Context, _ forge.RepoName, id int64, e forge.EditRelease) (forge.Release, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.page(id)
	if err != nil {
		return forge.Release{}, err
	}
	if e.Draft != nil {
		f.did("draft %v", *e.Draft)
		r.Draft = *e.Draft
	}
	return *r, f.failing("EditRelease")
}

func (f *fakeForge) UploadAsset(_ context.Context, _ forge.RepoName, id int64, name, contentType string, size int64, body io.Reader) (forge.Asset, error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return forge.Asset{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.page(id)
	if err != nil {
		return forge.Asset{}, err
	}
	if slices.ContainsFunc(r.Assets, func(a forge.Asset) bool { return a.Name == name }) {
		return forge.Asset{}, fmt.Errorf("asset %s: %w", name, forge.ErrExists)
	}
	f.next++
	sum := sha256.Sum256(content)
	a := forge.Asset{ID: f.next, Name: name, ContentType: contentType, State: "uploaded", Size: size, Digest: "sha256:" + hex.EncodeToString(sum[:])}
	if f.silent {
		a.Digest = ""
	}
	keep, broken := f.cutOff[name]
	if broken {
		delete(f.cutOff, name)
		a.State, a.Digest, content = "starter", "", content[:keep]
	} else {
		f.did("upload %s", name)
	}
	r.Assets, f.files[a.ID] = append(r.Assets, a), content
	if broken {
		return forge.Asset{}, fmt.Errorf("uploading %s: %w", name, forge.ErrUnavailable)
	}
	return a, nil
}

func (f *fakeForge) DeleteRelease(_ context.Context, _ forge.RepoName, id int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.page(id); err != nil {
		return err
	}
	f.did("delete page %d", id)
	f.pages = slices.DeleteFunc(f.pages, func(r forge.Release) bool { return r.ID == id })
	return f.failing("DeleteRelease")
}

func (f *fakeForge) DeleteAsset(_ context.Context, _ forge.RepoName, id int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.pages {
		f.pages[i].Assets = slices.DeleteFunc(f.pages[i].Assets, func(a forge.Asset) bool {
			if a.ID == id {
				f.did("delete %s", a.Name)
			}
			return a.ID == id
		})
	}
	return nil
}

func (f *fakeForge) DownloadAsset(_ context.Context, _ forge.RepoName, id int64) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return io.NopCloser(bytes.NewReader(f.files[id])), nil
}

func (f *fakeForge) done() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// hook logs every ref that is pushed, one line each.
const hook = "#!/bin/sh\ncat >> \"$GIT_DIR/pushes.log\"\n"

// newOrigin makes the repository at the forge: two merged commits on main, an
// alpha between them.
func newOrigin(t *testing.T, dir string) {
	t.Helper()
	ctx := t.Context()
	repo, err := git.Init(ctx, dir, true, "main")
	must(t, err)
	person := git.Person{Name: "Ada", Email: "ada@harbour.example", Time: began.Add(-48 * time.Hour)}
	parent := ""
	for i, message := range []string{"Begin\n", "Hoist faster (#7)\n", "Lower slower\n"} {
		tree, err := repo.EditTree(ctx, parent, []git.FileEdit{
			{Path: "LICENSE", Content: []byte("Apache-2.0\n")},
			{Path: "README.md", Content: fmt.Appendf(nil, "# Halyard\n\n%d\n", i)},
			{Path: "build.sh", Content: []byte("printf '#!/bin/sh\\necho halyard %s\\n' \"$2\" > \"$1/halyard\"\nchmod +x \"$1/halyard\"\n")},
		})
		must(t, err)
		c := git.NewCommit{Tree: tree, Message: message, Author: person}
		if parent != "" {
			c.Parents = []string{parent}
		}
		parent, err = repo.CommitTree(ctx, c)
		must(t, err)
		if i == 0 {
			_, err = repo.CreateTag(ctx, git.NewTag{Name: "v0.1.0-alpha.0", Commit: parent, Message: "alpha", Tagger: person})
			must(t, err)
		}
	}
	must(t, repo.UpdateRef(ctx, "refs/heads/main", parent, ""))
	must(t, os.WriteFile(filepath.Join(dir, "hooks", "post-receive"), []byte(hook), 0o755))
}

func project() cut.Project {
	return cut.Project{Name: "halyard", Policy: release.DefaultPolicy(), Tagger: signer,
		Build: cut.Build{Source: true,
			Command:   &build.Command{Run: []string{"sh", "build.sh", "{out}", "{version}"}, Outputs: []string{"halyard"}},
			Platforms: []artifact.Platform{{OS: "linux", Arch: "amd64"}, {OS: "windows", Arch: "amd64"}}}}
}

// place is where one scenario happens.
type place struct {
	dir    string
	forge  *fakeForge
	bucket *blob.Bucket
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	newOrigin(t, filepath.Join(dir, "origin.git"))
	must(t, os.MkdirAll(filepath.Join(dir, "bucket"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "work"), 0o755))
	return &place{dir: dir, forge: newFake(dir), bucket: openBucket(t, dir)}
}

func newFake(dir string) *fakeForge {
	return &fakeForge{origin: filepath.Join(dir, "origin.git"), files: map[int64][]byte{}, cutOff: map[string]int{}, fail: map[string]error{}}
}

func openBucket(t *testing.T, dir string) *blob.Bucket {
	t.Helper()
	b, err := fileblob.OpenBucket(filepath.Join(dir, "bucket"), nil)
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

// options are those of a service at the place.
func (p *place) options(j flow.Journal) cut.Options {
	return serviceOptions(p.dir, p.forge, p.forge, p.bucket, j)
}

func serviceOptions(dir string, f cut.Forge, pages cut.Pages, b *blob.Bucket, j flow.Journal) cut.Options {
	signer, verifier := testKey()
	return cut.Options{Forge: f, Pages: pages, Signer: signer, Verifier: verifier, PublicKey: []byte("the key of test\n"), Git: git.NewCache(filepath.Join(dir, "cache")), Bucket: b,
		Engine:  &flow.Engine{Journal: j, Owner: "test", Now: func() time.Time { return began }},
		Project: func(context.Context, forge.RepoName, string) (cut.Project, error) { return project(), nil },
		WorkDir: filepath.Join(dir, "work"), Space: -1, Retry: flow.Retry{Attempts: 2, Base: time.Millisecond}}
}

// testKey signs the same bytes alike every time.
func testKey() (sign.Signer, *sign.Verifier) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	text, err := sign.EncodePrivateKey(key, nil)
	if err != nil {
		panic(err)
	}
	private, err := sign.ParsePrivateKey(text, nil)
	if err != nil {
		panic(err)
	}
	signer, err := sign.NewKeySigner(private, sign.Services{})
	if err != nil {
		panic(err)
	}
	verifier, err := sign.NewVerifier(sign.Policy{Signers: []sign.SignerRule{sign.KeyRule("test", key.Public())}}, func() time.Time { return began })
	if err != nil {
		panic(err)
	}
	return signer, verifier
}

func newService(t *testing.T, o cut.Options) *cut.Service {
	t.Helper()
	s, err := cut.New(o)
	must(t, err)
	return s
}

// stageRC asks for the first candidate, whose branch is yet to be cut.
func stageRC() cut.StageRequest {
	return cut.StageRequest{Repo: halyard, Branch: "release-0.1", Kind: release.RC, Actor: "ada"}
}

// staged stages the candidate and returns its build version.
func staged(t *testing.T, s *cut.Service, r cut.StageRequest) string {
	t.Helper()
	run, err := s.Stage(t.Context(), r)
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)
	result, known, err := s.StageResult(t.Context(), run.ID)
	if err != nil || !known {
		t.Fatalf("no result of the stage: %v", err)
	}
	return result.BuildVersion
}

func drive(t *testing.T, s *cut.Service, id string, want flow.State) {
	t.Helper()
	if state, err := s.Drive(t.Context(), id, flow.DriveOptions{}); err != nil || state != want {
		t.Fatalf("run %s is %s, want %s: %v", id, state, want, err)
	}
}

// tree reads a folder: path to content.
func tree(t *testing.T, dir string, skip func(path string) bool) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, filepath.WalkDir(dir, func(file string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil || skip(rel) {
			return err
		}
		content, err := os.ReadFile(file)
		files[rel] = string(content)
		return err
	}))
	return files
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
