package cut_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/forge/local"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/store"
)

const program = `package main

import "fmt"

var version = "unknown"

func main() { fmt.Println("halyard", version) }
`

// realForge serves the embedded forge and returns a client of it, with a token
// for git.
func realForge(t *testing.T, dir string, db *store.DB) (*github.Client, git.Auth) {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	f, err := local.New(local.Options{DB: db, GitDir: filepath.Join(dir, "git"), BaseURL: server.URL, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	handler = f.Handler()
	must(t, f.CreateUser(t.Context(), forge.User{Login: "ada", Name: "Ada", Email: "ada@harbour.example"}, true))
	token, err := f.CreateToken(t.Context(), "ada")
	must(t, err)
	client, err := github.New(github.Options{BaseURL: server.URL + "/api/v3/", UploadURL: server.URL + "/api/uploads/", Token: token})
	must(t, err)
	return client, git.Auth{User: "ada", Token: token}
}

// fill puts a small Go program on main and merges one pull request with a note.
func fill(t *testing.T, c *github.Client) {
	t.Helper()
	ctx := t.Context()
	_, err := c.CreateRepo(ctx, forge.NewRepo{RepoName: halyard})
	must(t, err)
	for path, content := range map[string]string{"go.mod": "module halyard\n\ngo 1.24\n", "main.go": program, "LICENSE": "Apache-2.0\n"} {
		_, err := c.PutFile(ctx, halyard, path, "main", "Add "+path, []byte(content))
		must(t, err)
	}
	tip, err := c.Branch(ctx, halyard, "main")
	must(t, err)
	must(t, c.CreateBranch(ctx, halyard, "faster", tip.SHA))
	_, err = c.PutFile(ctx, halyard, "hoist.go", "faster", "Hoist faster", []byte("package main\n"))
	must(t, err)
	pr, err := c.CreatePullRequest(ctx, halyard, forge.NewPullRequest{Title: "Hoist faster", Head: "faster", Base: "main",
		Body: "Grease.\n\n```release-note\nHoisting takes half the time.\n```\n"})
	must(t, err)
	_, err = c.MergePullRequest(ctx, halyard, pr.Number, forge.Merge{Method: forge.MethodMerge})
	must(t, err)
}

// TestRealForge releases a Go program through the embedded forge, over HTTP,
// with a journal in SQLite, and then uses what a reader downloads.
func TestRealForge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(dir, "seaworthy.db")})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	must(t, db.Migrate(t.Context()))
	must(t, os.MkdirAll(filepath.Join(dir, "bucket"), 0o755))
	client, auth := realForge(t, dir, db)
	fill(t, client)

	host := artifact.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH}
	o := serviceOptions(dir, client, client, openBucket(t, dir), db)
	o.Pulls, o.Auth = client, auth
	o.Engine.Now = time.Now
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
		c := project()
		c.Build = cut.Build{Main: []string{"."}, LDFlags: "-X main.version={version}", Platforms: []artifact.Platform{host}}
		return c, nil
	}
	s := newService(t, o)
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Actor: "ada"})
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)

	page, err := client.Release(t.Context(), halyard, "v0.1.0-rc.0")
	must(t, err)
	if page.Draft || !page.Prerelease || !strings.Contains(page.Body, "Hoisting takes half the time.") {
		t.Errorf("the page is %+v", page)
	}
	if text, err := client.File(t.Context(), halyard, "CHANGELOG/CHANGELOG-0.1.md", "release-0.1"); err != nil || !strings.Contains(string(text), "half the time") {
		t.Errorf("the changelog is %q, %v", text, err)
	}
	readerChecks(t, client, page, o.Bucket, "halyard_0.1.0-rc.0_"+host.Slug()+".tar.gz")
}

// readerChecks downloads an archive from the page, verifies it by SHA256SUMS
// from the bucket, unpacks it and runs the program.
func readerChecks(t *testing.T, c *github.Client, page forge.Release, b *blob.Bucket, name string) {
	t.Helper()
	asset := forge.Asset{}
	for _, a := range page.Assets {
		if a.Name == name {
			asset = a
		}
	}
	r, err := c.DownloadAsset(t.Context(), halyard, asset.ID)
	must(t, err)
	defer r.Close()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, name))
	must(t, err)
	sum := artifact.NewHasher()
	_, err = io.Copy(io.MultiWriter(f, sum), r)
	must(t, err)
	must(t, f.Close())
	text, err := b.ReadAll(t.Context(), "release/harbour/halyard/v0.1.0-rc.0/SHA256SUMS")
	must(t, err)
	sums, err := artifact.ParseChecksums(artifact.SHA256, text)
	must(t, err)
	must(t, artifact.VerifyChecksums(artifact.SHA256, sums, []artifact.Artifact{sum.Artifact(name, artifact.Archive)}))
	must(t, build.Extract(f.Name(), filepath.Join(dir, "unpacked"), build.Limits{}))
	var out []byte
	for {
		out, err = exec.CommandContext(t.Context(), filepath.Join(dir, "unpacked", strings.TrimSuffix(name, ".tar.gz"), "halyard")).Output()
		// A program that another test begins just now holds the file open
		// for an instant.
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
	}
	if err != nil || string(out) != "halyard v0.1.0-rc.0\n" {
		t.Errorf("the program says %q, %v", out, err)
	}
}

// TestReleasesOfASeries goes from the candidate over the final release to a
// patch, each with the notes since the last one.
func TestReleasesOfASeries(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	for _, want := range []struct {
		kind              release.Kind
		version, previous string
	}{
		{release.RC, "v0.1.0-rc.0", "v0.1.0-alpha.0"},
		{release.RC, "v0.1.0-rc.1", "v0.1.0-rc.0"},
		{release.Official, "v0.1.0", ""},
		{release.Official, "v0.1.1", "v0.1.0"},
	} {
		r := stageRC()
		r.Kind = want.kind
		plan, err := s.Plan(t.Context(), r)
		must(t, err)
		if plan.Version().String() != want.version || plan.Previous != want.previous {
			t.Fatalf("planned %s since %q, want %s since %q", plan.Version(), plan.Previous, want.version, want.previous)
		}
		run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, r), Actor: "ada"})
		must(t, err)
		drive(t, s, run.ID, flow.Succeeded)
	}
	for name, want := range map[string]string{"stable": "v0.1.1", "latest-0.1": "v0.1.1"} {
		if have, err := p.bucket.ReadAll(t.Context(), "release/harbour/halyard/"+name+".txt"); err != nil || string(have) != want {
			t.Errorf("%s is %q, %v; want %s", name, have, err, want)
		}
	}
	notes, err := p.bucket.ReadAll(t.Context(), "release/harbour/halyard/v0.1.1/release-notes.md")
	must(t, err)
	if strings.Contains(string(notes), "Changelog of") || strings.Contains(string(notes), "Hoist faster") {
		t.Errorf("the notes of the patch are\n%s", notes)
	}
}
