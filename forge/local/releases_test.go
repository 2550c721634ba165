package local_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge/local"
)

const releases = "/api/v3/repos/harbour/halyard/releases"

func uploads(id int64) string {
	return fmt.Sprintf("/api/uploads/repos/harbour/halyard/releases/%d/assets?name=", id)
}

// draft makes a draft release of a tag and returns its id.
func (e *env) draft(t *testing.T, tag string) int64 {
	t.Helper()
	r, _, err := e.as(t, "ada").Repositories.CreateRelease(t.Context(), owner, repo, &github.RepositoryRelease{
		TagName: &tag, Name: github.Ptr("Release " + tag), Body: github.Ptr("Notes"), Draft: github.Ptr(true)})
	check(t, err)
	return r.GetID()
}

// stored lists the files that the forge keeps of releases.
func (e *env) stored(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(e.dir, "git", ".assets"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

func TestReleaseFromDraftToDownload(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	ada, ctx := e.as(t, "ada"), t.Context()
	id := e.draft(t, "v1.0.0")
	if _, _, err := e.as(t, "eve").Repositories.GetRelease(ctx, owner, repo, id); err == nil {
		t.Fatal("a stranger sees the draft")
	}
	if list, _, _ := e.as(t, "").Repositories.ListReleases(ctx, owner, repo, nil); len(list) != 0 {
		t.Fatalf("nobody in particular sees %v", list)
	}
	if _, _, err := ada.Repositories.GetReleaseByTag(ctx, owner, repo, "v1.0.0"); err == nil {
		t.Fatal("a draft is found by its tag")
	}
	content := strings.Repeat("halyard\n", 1000)
	file := filepath.Join(t.TempDir(), "halyard.tar.gz")
	check(t, os.WriteFile(file, []byte(content), 0o644))
	f, err := os.Open(file)
	check(t, err)
	defer f.Close()
	a, _, err := ada.Repositories.UploadReleaseAsset(ctx, owner, repo, id, &github.UploadOptions{Name: "halyard.tar.gz", Label: "Linux", MediaType: "application/gzip"}, f)
	check(t, err)
	sum := sha256.Sum256([]byte(content))
	if a.GetSize() != len(content) || a.GetDigest() != "sha256:"+hex.EncodeToString(sum[:]) || a.GetState() != "uploaded" || a.GetContentType() != "application/gzip" || a.GetLabel() != "Linux" {
		t.Fatalf("uploaded as %v", a)
	}
	if got := w.git("ls-remote", "origin", "refs/tags/*"); got != "" {
		t.Fatalf("a draft made the tag %s", got)
	}
	page := "/harbour/halyard/releases/download/v1.0.0/halyard.tar.gz"
	if got := e.do(t, "ada", "GET", page, ""); got.status != 404 {
		t.Fatalf("a draft's file at its public address: %d", got.status)
	}
	r, _, err := ada.Repositories.EditRelease(ctx, owner, repo, id, &github.RepositoryRelease{Draft: github.Ptr(false)})
	check(t, err)
	if r.GetDraft() || r.PublishedAt == nil || r.GetBody() != "Notes" || len(r.Assets) != 1 {
		t.Fatalf("published as %v", r)
	}
	if got := w.git("ls-remote", "origin", "refs/tags/v1.0.0"); !strings.HasPrefix(got, w.git("rev-parse", "HEAD")) {
		t.Fatalf("the tag is %q", got)
	}
	for _, path := range []string{page, "/harbour/halyard/releases/latest/download/halyard.tar.gz"} {
		got := e.do(t, "", "GET", path, "")
		if got.status != 200 || got.body != content || !strings.Contains(got.header.Get("Content-Disposition"), "halyard.tar.gz") {
			t.Fatalf("%s: %d, %d bytes", path, got.status, len(got.body))
		}
	}
	part := e.do(t, "", "GET", page, "", "Range", "bytes=8-14")
	if part.status != http.StatusPartialContent || part.body != "halyard" {
		t.Fatalf("a range: %d %q", part.status, part.body)
	}
	rc, _, err := e.as(t, "").Repositories.DownloadReleaseAsset(ctx, owner, repo, a.GetID(), http.DefaultClient)
	check(t, err)
	defer rc.Close()
	if b, err := io.ReadAll(rc); err != nil || string(b) != content {
		t.Fatalf("downloaded %d bytes: %v", len(b), err)
	}
	if a, _, err = ada.Repositories.GetReleaseAsset(ctx, owner, repo, a.GetID()); err != nil || a.GetDownloadCount() != 4 {
		t.Fatalf("%d downloads: %v", a.GetDownloadCount(), err)
	}
	if latest, _, err := e.as(t, "").Repositories.GetLatestRelease(ctx, owner, repo); err != nil || latest.GetID() != id {
		t.Fatalf("latest %v %v", latest, err)
	}
	_, err = ada.Repositories.DeleteRelease(ctx, owner, repo, id)
	check(t, err)
	if left := e.stored(t); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
	if got := w.git("ls-remote", "origin", "refs/tags/v1.0.0"); got == "" {
		t.Fatal("the tag went with the release")
	}
}

// An upload that is cut off in the middle leaves nothing behind, and can be
// done again.
func TestAssetCutOff(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.seed(t)
	id := e.draft(t, "v1")
	for _, tt := range []struct{ name, head, body string }{
		{"a body shorter than it says", "Content-Length: 1000\r\n", strings.Repeat("x", 400)},
		{"no body", "Content-Length: 1000\r\n", ""},
		{"chunks without an end", "Transfer-Encoding: chunked\r\n", "190\r\n" + strings.Repeat("x", 400) + "\r\n"},
		{"a chunk cut short", "Transfer-Encoding: chunked\r\n", "190\r\n" + strings.Repeat("x", 100)},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		check(t, err)
		fmt.Fprintf(conn, "POST %sa.tgz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/gzip\r\n%s\r\n%s", uploads(id), e.tokens["ada"], tt.head, tt.body)
		check(t, conn.(*net.TCPConn).CloseWrite())
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		check(t, err)
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", tt.name, resp.Status)
		}
		resp.Body.Close()
		conn.Close()
		if left := e.stored(t); len(left) != 0 {
			t.Errorf("%s left %v", tt.name, left)
		}
		if a := e.do(t, "ada", "GET", fmt.Sprintf("%s/%d/assets", releases, id), ""); a.body != "[]" {
			t.Errorf("%s: assets are %s", tt.name, a.body)
		}
	}
	if a := e.do(t, "ada", "POST", uploads(id)+"a.tgz", "whole", "Content-Type", "application/gzip"); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// What a killed process was receiving is swept at the next start; what another
// server or a command is receiving stays.
func TestSweepAfterKill(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.seed(t)
	id := e.draft(t, "v1")
	e.do(t, "ada", "POST", uploads(id)+"a", "whole")
	git, assets := filepath.Join(e.dir, "git"), filepath.Dir(e.stored(t)[0])
	half := func(name string) (paths []string) {
		for _, path := range []string{filepath.Join(assets, ".upload-"+name+".1"), filepath.Join(git, ".push-"+name+".1"), filepath.Join(git, ".new-"+name+".1/r.git/HEAD")} {
			check(t, os.MkdirAll(filepath.Dir(path), 0o755))
			check(t, os.WriteFile(path, []byte("half"), 0o644))
			paths = append(paths, path)
		}
		return paths
	}
	mine, others := half("here"), append(half("there"), half("here-command-7")...)
	_, err := local.New(local.Options{DB: openDB(t, e.dir), GitDir: git, BaseURL: e.url, Name: "here"})
	check(t, err)
	for _, path := range mine {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left behind: %v", path, err)
		}
	}
	for _, path := range append(others, filepath.Join(assets, filepath.Base(e.stored(t)[0]))) {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestAssetNames(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.seed(t)
	id := e.draft(t, "v1")
	for name, want := range map[string]string{
		"plain-1.0_x.tar.gz": "plain-1.0_x.tar.gz", "with+space": "with.space", "b%C3%A9": "b", "a~b%40c": "a~b@c", ".hidden": "default.hidden",
	} {
		a := e.do(t, "ada", "POST", uploads(id)+name, "x")
		if a.status != 201 || a.json["name"] != want {
			t.Errorf("%s: %d %v, want %s", name, a.status, a.json["name"], want)
		}
	}
	for _, name := range []string{"", "..", ".", "..%2f..%2fetc%2fpasswd", "a%2fb", "a%5cb", "%00", "%C3%A9", strings.Repeat("n", 300)} {
		if a := e.do(t, "ada", "POST", uploads(id)+name, "x"); a.status != 422 {
			t.Errorf("%q: %d %s", name, a.status, a.body)
		}
	}
	a := e.do(t, "ada", "POST", uploads(id)+"plain-1.0_x.tar.gz", "other")
	if a.status != 422 || !strings.Contains(a.body, "already_exists") {
		t.Errorf("a name that is taken: %d %s", a.status, a.body)
	}
	if len(e.stored(t)) != 5 {
		t.Errorf("stored %v", e.stored(t))
	}
	for who, want := range map[string]int{"": 401, "eve": 403} {
		if a := e.do(t, who, "POST", uploads(id)+"mine", "x"); a.status != want {
			t.Errorf("%q: %d", who, a.status)
		}
	}
}

func TestAssetEdits(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.seed(t)
	id := e.draft(t, "v1")
	a := e.do(t, "ada", "POST", uploads(id)+"a", "x")
	e.do(t, "ada", "POST", uploads(id)+"b", "y")
	path := strings.TrimPrefix(a.json["url"].(string), e.url)
	if got := e.do(t, "ada", "PATCH", path, `{"name":"c","label":"See"}`); got.status != 200 || got.json["name"] != "c" || got.json["label"] != "See" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := e.do(t, "ada", "PATCH", path, `{"name":"b"}`); got.status != 422 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := e.do(t, "eve", "GET", path, ""); got.status != 404 {
		t.Errorf("a stranger reads a draft's file: %d", got.status)
	}
	if got := e.do(t, "ada", "DELETE", path, ""); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := e.do(t, "ada", "GET", path, ""); got.status != 404 || len(e.stored(t)) != 1 {
		t.Errorf("%d, %v", got.status, e.stored(t))
	}
}

func TestReleaseRules(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	first := w.git("rev-parse", "HEAD")
	w.commit("b", "b")
	w.git("tag", "-a", "-m", "By hand", "v2.0.0")
	w.git("push", "-q", "origin", "main", "v2.0.0")
	post := func(body string) answer { return e.do(t, "ada", "POST", releases, body) }
	if a := post(`{"tag_name":"v1.0.0","target_commitish":"` + first + `"}`); a.status != 201 || a.json["published_at"] == nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := w.git("ls-remote", "origin", "refs/tags/v1.0.0"); !strings.HasPrefix(got, first) {
		t.Errorf("v1.0.0 is at %s", got)
	}
	tag := w.git("rev-parse", "v2.0.0")
	if a := post(`{"tag_name":"v2.0.0","prerelease":true}`); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := w.git("ls-remote", "origin", "refs/tags/v2.0.0"); !strings.HasPrefix(got, tag) {
		t.Errorf("the tag made by hand is now %s", got)
	}
	if a := e.do(t, "", "GET", releases+"/latest", ""); a.json["tag_name"] != "v1.0.0" {
		t.Errorf("latest is %v", a.json["tag_name"])
	}
	if a := e.do(t, "", "GET", releases+"/tags/v2.0.0", ""); a.json["prerelease"] != true {
		t.Errorf("%d %s", a.status, a.body)
	}
	for body, want := range map[string]string{
		`{}`: "missing_field", `{"tag_name":"v1.0.0"}`: "already_exists", `{"tag_name":"a..b"}`: "not well-formed",
		`{"tag_name":"-x y"}`: "not well-formed", `{"tag_name":"v3","target_commitish":"none"}`: "target_commitish", `{"tag_name":3}`: "not a string",
	} {
		if a := post(body); a.status != 422 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	for range 2 { // drafts may share a tag, published releases not
		if a := post(`{"tag_name":"v1.0.0","draft":true}`); a.status != 201 || !strings.Contains(a.json["html_url"].(string), "untagged-") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	id := e.draft(t, "v1.0.0")
	if a := e.do(t, "ada", "PATCH", fmt.Sprintf("%s/%d", releases, id), `{"draft":false}`); a.status != 422 || !strings.Contains(a.body, "already_exists") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "ada", "PATCH", fmt.Sprintf("%s/%d", releases, id), `{"tag_name":"release/3","draft":false,"name":null}`); a.status != 200 || a.json["name"] != nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "ada", "POST", uploads(id)+"f", "slash"); a.status != 201 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "", "GET", "/harbour/halyard/releases/download/release/3/f", ""); a.body != "slash" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "", "GET", releases+"/tags/release/3", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"/harbour/halyard/releases/download/v1.0.0/none", "/harbour/halyard/releases/download/none/f", "/harbour/halyard/releases/download/f",
		"/harbour/halyard/releases/download/v1.0.0/..%2f..%2f.key", "/harbour/halyard/releases/download/v1.0.0/"} {
		if a := e.do(t, "", "GET", path, ""); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}
