package local_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"
)

const contents = "/api/v3/repos/harbour/halyard/contents/"

func TestContents(t *testing.T) {
	t.Parallel()
	e := start(t)
	ben, ctx := e.as(t, "ben"), t.Context()
	put := func(path, text, sha string) *github.RepositoryContentResponse {
		t.Helper()
		o := &github.RepositoryContentFileOptions{Message: github.Ptr("Write " + path), Content: []byte(text)}
		if sha != "" {
			o.SHA = &sha
		}
		r, _, err := ben.Repositories.CreateFile(ctx, owner, repo, path, o)
		check(t, err)
		return r
	}
	first := put("README.md", "# One\n", "") // of an empty repository
	put("docs/a b/é.txt", "deep\n", "")
	second := put("README.md", "# Two\n", first.Content.GetSHA())
	if second.GetAuthor().GetName() != "Ben" || second.GetAuthor().GetEmail() != "ben@example.test" || len(second.Parents) != 1 {
		t.Errorf("committed as %v", second.Commit)
	}
	f, _, _, err := ben.Repositories.GetContents(ctx, owner, repo, "README.md", nil)
	check(t, err)
	if text, err := f.GetContent(); err != nil || text != "# Two\n" || f.GetSize() != 6 || f.GetType() != "file" {
		t.Errorf("read %q %v as %v", text, err, f)
	}
	old, _, _, err := ben.Repositories.GetContents(ctx, owner, repo, "README.md", &github.RepositoryContentGetOptions{Ref: first.Commit.GetSHA()})
	check(t, err)
	if text, _ := old.GetContent(); text != "# One\n" {
		t.Errorf("read %q at the first commit", text)
	}
	_, root, _, err := ben.Repositories.GetContents(ctx, owner, repo, "", nil)
	check(t, err)
	if len(root) != 2 || root[0].GetName() != "README.md" || root[1].GetType() != "dir" {
		t.Errorf("the root has %v", root)
	}
	_, dir, _, err := ben.Repositories.GetContents(ctx, owner, repo, "docs/a b", nil)
	check(t, err)
	if len(dir) != 1 || dir[0].GetPath() != "docs/a b/é.txt" {
		t.Errorf("the folder has %v", dir)
	}
	rc, _, err := ben.Repositories.DownloadContents(ctx, owner, repo, "docs/a b/é.txt", nil)
	check(t, err)
	defer rc.Close()
	raw := e.do(t, "", "GET", contents+"docs/a%20b/%C3%A9.txt", "", "Accept", "application/vnd.github.raw+json")
	if raw.status != 200 || raw.body != "deep\n" {
		t.Errorf("raw: %d %q", raw.status, raw.body)
	}
	if v3 := e.do(t, "", "GET", contents+"README.md?ref=main", "", "Accept", "application/vnd.github.v3.raw"); v3.body != "# Two\n" {
		t.Errorf("raw of old: %q", v3.body)
	}
	object := e.do(t, "", "GET", contents+"docs", "", "Accept", "application/vnd.github.object+json")
	if entries, _ := object.json["entries"].([]any); object.json["type"] != "dir" || len(entries) != 1 {
		t.Errorf("object: %s", object.body)
	}
	_, _, err = ben.Repositories.DeleteFile(ctx, owner, repo, "README.md", &github.RepositoryContentFileOptions{Message: github.Ptr("Remove"), SHA: github.Ptr(second.Content.GetSHA())})
	check(t, err)
	if a := e.do(t, "", "GET", contents+"README.md", ""); a.status != 404 {
		t.Errorf("after removal: %d", a.status)
	}
}

func TestContentsOfBadForm(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	head := w.git("rev-parse", "HEAD")
	text := base64.StdEncoding.EncodeToString([]byte("x"))
	good := `{"message":"m","content":"` + text + `"}`
	for _, tt := range []struct {
		path, body string
		status     int
	}{
		{"../outside", good, 422}, {"..%2foutside", good, 422}, {"a/../../b", good, 422}, {"a//b", good, 422}, {".git/config", good, 422},
		{"a/.GIT/hooks/x", good, 422}, {"a%5cb", good, 422}, {"a%00b", good, 422}, {"a%0ab", good, 422}, {"", good, 422},
		{"x", `{"content":"` + text + `"}`, 422}, {"x", `{"message":"m"}`, 422}, {"x", `{"message":"m","content":"%%%"}`, 422}, {"x", `{"message":`, 400},
		{"x", `{"message":"m","content":"` + text + `","branch":"none"}`, 404},
		{"README.md", good, 422},
		{"README.md", `{"message":"m","content":"` + text + `","sha":"` + head + `"}`, 409},
		{"README.md/below", good, 422},
	} {
		if a := e.do(t, "ben", "PUT", contents+tt.path, tt.body); a.status != tt.status {
			t.Errorf("PUT %s %s: %d %s, want %d", tt.path, tt.body, a.status, a.body, tt.status)
		}
	}
	for path, want := range map[string]int{"README.md": 422, "none?sha=" + head + "&message=m": 404, "README.md?message=m&sha=" + head: 409} {
		if a := e.do(t, "ben", "DELETE", contents+path, ""); a.status != want {
			t.Errorf("DELETE %s: %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"none", "README.md?ref=none", "README.md?ref=--help", "README.md?ref=main~0", "README.md?ref=HEAD%5E", "README.md/x"} {
		if a := e.do(t, "ben", "GET", contents+path, ""); a.status != 404 {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	for who, want := range map[string]int{"": 401, "eve": 403} {
		if a := e.do(t, who, "PUT", contents+"x", good); a.status != want {
			t.Errorf("%q: %d", who, a.status)
		}
	}
	if got := w.git("ls-remote", "origin", "refs/heads/main"); !strings.HasPrefix(got, head) {
		t.Errorf("main moved: %s", got)
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	ben, ctx := e.as(t, "ben"), t.Context()
	first := w.git("rev-parse", "HEAD")
	second := w.branch("feature/a", "a", "a")
	r, _, err := ben.Git.GetRef(ctx, owner, repo, "heads/feature/a")
	check(t, err)
	if r.GetRef() != "refs/heads/feature/a" || r.GetObject().GetSHA() != second || r.GetObject().GetType() != "commit" {
		t.Errorf("ref is %v", r)
	}
	if list, _, err := ben.Git.ListMatchingRefs(ctx, owner, repo, "heads/feat"); err != nil || len(list) != 1 {
		t.Errorf("matching: %v %v", list, err)
	}
	_, _, err = ben.Git.CreateRef(ctx, owner, repo, github.CreateRef{Ref: "refs/heads/rel/1", SHA: first})
	check(t, err)
	_, _, err = ben.Git.CreateRef(ctx, owner, repo, github.CreateRef{Ref: "refs/heads/rel/1", SHA: first})
	wantStatus(t, err, 422, "Reference already exists")
	_, _, err = ben.Git.UpdateRef(ctx, owner, repo, "heads/rel/1", github.UpdateRef{SHA: second})
	check(t, err)
	_, _, err = ben.Git.UpdateRef(ctx, owner, repo, "heads/rel/1", github.UpdateRef{SHA: first})
	wantStatus(t, err, 422, "not a fast forward")
	_, _, err = ben.Git.UpdateRef(ctx, owner, repo, "heads/rel/1", github.UpdateRef{SHA: first, Force: github.Ptr(true)})
	check(t, err)
	tag, _, err := ben.Git.CreateTag(ctx, owner, repo, github.CreateTag{Tag: "v1", Message: "One\n\nNotes", Object: first, Type: "commit"})
	check(t, err)
	_, _, err = ben.Git.CreateRef(ctx, owner, repo, github.CreateRef{Ref: "refs/tags/v1", SHA: tag.GetSHA()})
	check(t, err)
	got, _, err := ben.Git.GetTag(ctx, owner, repo, tag.GetSHA())
	check(t, err)
	if got.GetTag() != "v1" || got.GetMessage() != "One\n\nNotes" || got.GetTagger().GetName() != "Ben" || got.GetObject().GetSHA() != first {
		t.Errorf("tag is %v", got)
	}
	if w.git("fetch", "-q", "--tags", "origin"); w.git("cat-file", "-t", "v1") != "tag" {
		t.Error("git does not see an annotated tag")
	}
	if list, _, err := ben.Repositories.ListTags(ctx, owner, repo, nil); err != nil || len(list) != 1 || list[0].GetCommit().GetSHA() != first {
		t.Errorf("tags: %v %v", list, err)
	}
	_, err = ben.Git.DeleteRef(ctx, owner, repo, "heads/rel/1")
	check(t, err)
	_, err = ben.Git.DeleteRef(ctx, owner, repo, "heads/rel/1")
	wantStatus(t, err, 422, "does not exist")
	_, err = ben.Git.DeleteRef(ctx, owner, repo, "heads/main")
	wantStatus(t, err, 422, "default branch")
	for body, want := range map[string]string{
		`{"ref":"refs/pull/1/head","sha":"` + first + `"}`: "Reference name", `{"ref":"heads/x","sha":"` + first + `"}`: "Reference name",
		`{"ref":"refs/heads/a..b","sha":"` + first + `"}`: "well-formed", `{"ref":"refs/heads/../../x","sha":"` + first + `"}`: "well-formed",
		`{"ref":"refs/heads/x","sha":"main"}`:                                      "exactly 40 characters",
		`{"ref":"refs/heads/x","sha":"` + strings.Repeat("a", 40) + `"}`:           "Object does not exist",
		`{"ref":"refs/heads/x","sha":"` + strings.Repeat("A", 40) + `"}`:           "exactly 40 characters",
		`{"ref":"refs/heads/x","sha":"` + w.git("rev-parse", "HEAD^{tree}") + `"}`: "is none",
	} {
		if a := e.do(t, "ben", "POST", "/api/v3/repos/harbour/halyard/git/refs", body); a.status != 422 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	for _, body := range []string{`{"tag":"a..b","object":"` + first + `"}`, `{"tag":"v2","object":"x"}`, `{"tag":"v2","object":"` + first + `","type":"blob"}`} {
		if a := e.do(t, "ben", "POST", "/api/v3/repos/harbour/halyard/git/tags", body); a.status != 422 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	for _, path := range []string{"git/ref/heads/none", "git/ref/heads/..%2f..%2fx", "git/refs/heads", "git/tags/" + first, "git/tags/x", "git/commits/x", "git/commits/" + strings.Repeat("a", 40),
		"git/blobs/x", "git/blobs/" + first, "git/trees/none"} {
		if a := e.do(t, "ben", "GET", "/api/v3/repos/harbour/halyard/"+path, ""); a.status != 404 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestCommits(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	anyone, ctx := e.as(t, ""), t.Context()
	for _, f := range []string{"a", "b", "docs/c"} {
		w.commit(f, f+"\n")
	}
	w.git("mv", "a", "moved")
	w.git("rm", "-q", "b")
	w.git("commit", "-q", "-m", "Move and remove")
	w.git("push", "-q", "origin", "main", "main:release/1.0")
	head := w.git("rev-parse", "HEAD")
	list, resp, err := anyone.Repositories.ListCommits(ctx, owner, repo, &github.CommitsListOptions{ListOptions: github.ListOptions{PerPage: 2}})
	check(t, err)
	if len(list) != 2 || list[0].GetSHA() != head || resp.LastPage != 3 || list[0].GetAuthor().GetLogin() != "ben" {
		t.Errorf("commits %v, last page %d", list, resp.LastPage)
	}
	if list, _, err = anyone.Repositories.ListCommits(ctx, owner, repo, &github.CommitsListOptions{Path: "docs"}); err != nil || len(list) != 1 {
		t.Errorf("of docs: %v %v", list, err)
	}
	for who, want := range map[string]int{"ben": 5, "cho": 0, "ben@example.test": 5} {
		if list, _, err = anyone.Repositories.ListCommits(ctx, owner, repo, &github.CommitsListOptions{Author: who}); err != nil || len(list) != want {
			t.Errorf("by %s: %d %v", who, len(list), err)
		}
	}
	c, _, err := anyone.Repositories.GetCommit(ctx, owner, repo, "release/1.0", nil)
	check(t, err)
	if c.GetSHA() != head || len(c.Files) != 2 || c.GetStats().GetTotal() != 1 {
		t.Errorf("commit %v", c)
	}
	for _, f := range c.Files {
		if f.GetFilename() == "moved" && (f.GetStatus() != "renamed" || f.GetPreviousFilename() != "a") || f.GetFilename() == "b" && f.GetStatus() != "removed" {
			t.Errorf("file %v", f)
		}
	}
	if sha, _, err := anyone.Repositories.GetCommitSHA1(ctx, owner, repo, "release/1.0", ""); err != nil || sha != head {
		t.Errorf("sha %s %v", sha, err)
	}
	if raw, _, err := anyone.Repositories.GetCommitRaw(ctx, owner, repo, "main", github.RawOptions{Type: github.Diff}); err != nil || !strings.Contains(raw, "rename to moved") {
		t.Errorf("diff %q %v", raw, err)
	}
	if a := e.do(t, "", "GET", "/api/v3/repos/harbour/halyard/commits/release/1.0/status", ""); a.json["sha"] != head {
		t.Errorf("a ref with a slash: %d %s", a.status, a.body)
	}
	for _, bad := range []string{"none", "none/status", "--all", "main..x", strings.Repeat("0", 40)} {
		if a := e.do(t, "", "GET", "/api/v3/repos/harbour/halyard/commits/"+bad, ""); a.status != 422 {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
	tree, _, err := anyone.Git.GetTree(ctx, owner, repo, "main", true)
	if err != nil || len(tree.Entries) != 3 {
		t.Errorf("tree %v %v", tree, err)
	}
	gc, _, err := anyone.Git.GetCommit(ctx, owner, repo, head)
	if err != nil || gc.GetTree().GetSHA() != tree.GetSHA() {
		t.Errorf("git commit %v %v", gc, err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	base := w.git("rev-parse", "HEAD")
	w.branch("feature/x", "f", "f\n")
	w.git("checkout", "-q", "main")
	w.commit("m", "m\n")
	w.git("push", "-q", "origin", "main")
	w.git("checkout", "-q", "--orphan", "alone")
	w.commit("o", "o\n")
	w.git("push", "-q", "origin", "alone")
	for _, tt := range []struct {
		base, head, status string
		ahead, behind      int
		files              int
	}{
		{"main", "feature/x", "diverged", 1, 1, 1}, {base, "main", "ahead", 1, 0, 1}, {"main", base, "behind", 0, 1, 0}, {"main", "harbour:main", "identical", 0, 0, 0},
	} {
		c, _, err := e.as(t, "").Repositories.CompareCommits(t.Context(), owner, repo, tt.base, tt.head, nil)
		check(t, err)
		if c.GetStatus() != tt.status || c.GetAheadBy() != tt.ahead || c.GetBehindBy() != tt.behind || len(c.Files) != tt.files || len(c.Commits) != tt.ahead {
			t.Errorf("%s...%s: %v", tt.base, tt.head, c)
		}
	}
	const path = "/api/v3/repos/harbour/halyard/compare/"
	if a := e.do(t, "", "GET", path+"main...feature/x", "", "Accept", "application/vnd.github.diff"); !strings.Contains(a.body, "+f") {
		t.Errorf("diff: %d %s", a.status, a.body)
	}
	if a := e.do(t, "", "GET", path+"main...feature/x", "", "Accept", "application/vnd.github.patch"); !strings.HasPrefix(a.body, "From ") {
		t.Errorf("patch: %d %s", a.status, a.body)
	}
	for _, bad := range []string{"main", "main..feature/x", "none...main", "main...none", "main...alone", "--output=x...main"} {
		if a := e.do(t, "", "GET", path+bad, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
}
