package demo_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/cli"
	"seaworthy/demo"
	"seaworthy/git"
)

// output may be written to by several goroutines.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// seaworthy runs a command line and wants it to succeed.
func seaworthy(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs output
	code := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if code != 0 {
		t.Fatalf("seaworthy %s: exit code %d\n%s\n%s", strings.Join(args, " "), code, out.String(), errs.String())
	}
	return out.String()
}

// tree lists the files below a folder.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// said checks that every step of a story is told of once, in order, as done.
func said(t *testing.T, out string, titles []string) {
	t.Helper()
	var done []string
	for _, m := range regexp.MustCompile(`(?m)^(\S) +\d+\.\d s  (.*)$`).FindAllStringSubmatch(out, -1) {
		title, _, _ := strings.Cut(m[2], ": ")
		done = append(done, m[1]+" "+title)
	}
	var want []string
	for _, title := range titles {
		want = append(want, "● "+title)
	}
	if d := cmp.Diff(want, done); d != "" {
		t.Errorf("the steps: -want +got\n%s", d)
	}
	if !regexp.MustCompile(`(?m)^Every check held, in \d+\.\d s\.$`).MatchString(out) {
		t.Errorf("the last word is missing:\n%s", out)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("plays the whole demo")
	}
	dir := filepath.Join(t.TempDir(), "state")
	said(t, seaworthy(t, "demo", "--once", "--dir", dir), demo.Titles())

	release := filepath.Join(dir, "bucket", "release", "harbour", "halyard")
	want := []string{"latest-0.1.txt", "latest-0.txt", "latest.txt", "stable-0.1.txt", "stable-0.txt", "stable.txt", "v0.1.0/SHA256SUMS", "v0.1.0/SHA512SUMS",
		"v0.1.0/announcement.html", "v0.1.0/announcement.md", "v0.1.0/announcement.txt"}
	for _, name := range []string{"darwin_arm64.tar.gz", "linux_amd64.tar.gz", "linux_arm64.tar.gz", "source.tar.gz", "windows_amd64.zip"} {
		archive := "v0.1.0/halyard_0.1.0_" + name
		want = append(want, archive, archive+".sha256", archive+".sha512")
	}
	for _, name := range []string{"halyard-0.1.0-1.aarch64.rpm", "halyard-0.1.0-1.x86_64.rpm", "halyard_0.1.0-1_amd64.deb", "halyard_0.1.0-1_arm64.deb",
		"halyard_0.1.0-r1_aarch64.apk", "halyard_0.1.0-r1_x86_64.apk", "halyard_0.1.0.spdx.json", "manifest.json", "provenance.json", "release-notes.json", "release-notes.md"} {
		want = append(want, "v0.1.0/"+name)
	}
	for _, signed := range []string{"SHA256SUMS", "SHA512SUMS", "halyard_0.1.0.spdx.json", "provenance.json"} {
		want = append(want, "v0.1.0/"+signed+".sigstore.json")
	}
	slices.Sort(want)
	if d := cmp.Diff(want, tree(t, release)); d != "" {
		t.Errorf("what was published: -want +got\n%s", d)
	}
	for _, marker := range []string{"latest-0.1.txt", "latest-0.txt", "latest.txt", "stable-0.1.txt", "stable-0.txt", "stable.txt"} {
		if text := read(t, release, marker); text != "v0.1.0" {
			t.Errorf("%s says %q", marker, text)
		}
	}
	seaworthy(t, "checksum", "--verify", filepath.Join(release, "v0.1.0", "SHA256SUMS"))
	notes := read(t, release, "v0.1.0", "release-notes.md")
	for _, note := range []string{"`halyard convert` knows fathoms.", "Harbours are looked up in a cached almanac."} {
		if !strings.Contains(notes, note) {
			t.Errorf("the notes do not say %q:\n%s", note, notes)
		}
	}
	if strings.Contains(notes, "three digits") {
		t.Errorf("the notes tell of a change that was not merged:\n%s", notes)
	}
	// What it leaves is a platform that can be asked.
	if out := seaworthy(t, "pr", "list", "--dir", dir, "--state", "all"); strings.Count(out, "merged") != 3 || !strings.Contains(out, "#2      open") {
		t.Errorf("the changes afterwards:\n%s", out)
	}
}

// repository makes a small project with three releases behind it.
func repository(t *testing.T, dir string) *git.Repository {
	t.Helper()
	ctx := t.Context()
	repo, err := git.Init(ctx, dir, false, "main")
	if err != nil {
		t.Fatal(err)
	}
	parent := ""
	for i, tag := range []string{"v1.0.0", "v1.1.0", "v1.1.1", ""} {
		tree, err := repo.EditTree(ctx, parent, []git.FileEdit{
			{Path: "go.mod", Content: []byte("module forge.example.org/harbour/capstan\n\ngo 1.24\n")},
			{Path: "main.go", Content: []byte("package main\n\nvar version = \"development\"\n\nfunc main() { println(version) }\n")},
			{Path: "LICENSE", Content: []byte("Do what you like " + strings.Repeat("and again ", i) + ".\n")},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := git.NewCommit{Tree: tree, Message: "Turn " + tag, Author: git.Person{Name: "Ada", Email: "ada@example.org", Time: time.Date(2026, 11, 1+i, 0, 0, 0, 0, time.UTC)}}
		if parent != "" {
			c.Parents = []string{parent}
		}
		if parent, err = repo.CommitTree(ctx, c); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Git(ctx, "update-ref", "refs/heads/main", parent); err != nil {
			t.Fatal(err)
		}
		if tag != "" {
			if _, err := repo.Git(ctx, "tag", tag, parent); err != nil {
				t.Fatal(err)
			}
		}
	}
	return repo
}

func TestDemoOfARepository(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("plays a whole demo")
	}
	base := t.TempDir()
	repo := repository(t, filepath.Join(base, "capstan"))
	before, err := repo.Git(t.Context(), "for-each-ref")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "state")
	out := seaworthy(t, "demo", "--once", "--dir", dir, "--repo", repo.Dir)
	said(t, out, demo.RepositoryTitles())
	for _, fact := range []string{"harbour/capstan with 1 branch and 3 tags", "3 jobs, 1 main package (it has none; these are defaults for a Go module", "v1.2.0 from main, after v1.1.1", "5 archives match SHA256SUMS; capstan is for "} {
		if !strings.Contains(out, fact) {
			t.Errorf("it does not say %q:\n%s", fact, out)
		}
	}
	release := filepath.Join(dir, "bucket", "release", "harbour", "capstan")
	if text := read(t, release, "stable.txt"); text != "v1.2.0" {
		t.Errorf("stable.txt says %q", text)
	}
	after, err := repo.Git(t.Context(), "for-each-ref")
	if err != nil || before != after {
		t.Errorf("the repository was written to, %v:\n%s\n%s", err, before, after)
	}
}

// A repository whose tests fail is not released; what is said names the test,
// and what was done is kept to be looked at.
func TestDemoOfABrokenRepository(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("plays half a demo")
	}
	base := t.TempDir()
	repo := repository(t, filepath.Join(base, "capstan"))
	broken := "package main\n\nimport \"testing\"\n\nfunc TestRope(t *testing.T) { t.Error(\"it snapped\") }\n"
	if err := os.WriteFile(filepath.Join(repo.Dir, "rope_test.go"), []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Git(t.Context(), "add", "rope_test.go"); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Git(t.Context(), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "--quiet", "--message", "Test the rope"); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "state")
	var out, errs output
	code := cli.Main(t.Context(), []string{"demo", "--once", "--dir", dir, "--repo", repo.Dir}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if code != 1 {
		t.Fatalf("exit code %d\n%s\n%s", code, out.String(), errs.String())
	}
	for _, fact := range []string{"TestRope failed", "is kept in " + dir} {
		if !strings.Contains(errs.String(), fact) {
			t.Errorf("it does not say %q:\n%s", fact, errs.String())
		}
	}
	logs, err := filepath.Glob(filepath.Join(dir, "bucket", "logs", "*", "*", "build-log.txt"))
	if err != nil || len(logs) != 1 || !strings.Contains(read(t, logs[0]), "it snapped") {
		t.Errorf("logs kept: %v, %v", logs, err)
	}
}
