package local_test

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"

	"seaworthy/git"
)

// protect makes main need a pull request, of everybody but the named.
func (e *env) protect(t *testing.T, bypass ...string) {
	t.Helper()
	body := fmt.Sprintf(`{"required_status_checks":null,"enforce_admins":true,"restrictions":null,
		"required_pull_request_reviews":{"required_approving_review_count":0,"bypass_pull_request_allowances":{"users":[%s]}}}`, quoted(bypass))
	a := e.do(t, "ada", "PUT", "/api/v3/repos/harbour/halyard/branches/main/protection", body)
	if a.status != http.StatusOK {
		t.Fatalf("protecting main: %d %s", a.status, a.body)
	}
}

func quoted(names []string) string {
	var q []string
	for _, n := range names {
		q = append(q, `"`+n+`"`)
	}
	return strings.Join(q, ",")
}

func TestPushToProtectedBranch(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	old := w.git("rev-parse", "HEAD")
	e.protect(t, "cho")

	w.commit("a.txt", "a\n")
	refused(t, w, "the branch main is protected: push to another branch and open a pull request", "push", "origin", "HEAD:main")
	refused(t, w, "cannot be deleted", "push", "origin", ":main")
	if got := strings.Fields(w.git("ls-remote", "origin", "refs/heads/main"))[0]; got != old {
		t.Fatalf("main moved to %s", got)
	}
	// A push is refused as a whole.
	refused(t, w, "is protected", "push", "origin", "HEAD:main", "HEAD:refs/heads/side")
	if got := w.git("ls-remote", "origin", "refs/heads/side"); got != "" {
		t.Fatalf("a part of a refused push landed: %s", got)
	}
	w.git("push", "-q", "origin", "HEAD:refs/heads/side")

	// Administrators are included.
	boss := e.clone(t, "ada")
	boss.commit("b.txt", "b\n")
	refused(t, boss, "is protected", "push", "origin", "HEAD:main")

	// Cho may push, but not rewrite.
	c := e.clone(t, "cho")
	c.commit("c.txt", "c\n")
	c.git("push", "-q", "origin", "HEAD:main")
	c.git("commit", "-q", "--amend", "-m", "Other")
	refused(t, c, "not a fast-forward", "push", "--force", "origin", "HEAD:main")
	c.git("push", "-q", "--force", "origin", "HEAD:refs/heads/side")
}

// refused runs a push that must fail and say why.
func refused(t *testing.T, w *work, why string, args ...string) {
	t.Helper()
	err := w.try(args...)
	var ge *git.Error
	if !errors.As(err, &ge) || !strings.Contains(ge.Stderr, "remote: ") || !strings.Contains(ge.Stderr, why) {
		t.Fatalf("git %v: %v; want a refusal saying %q", args, err, why)
	}
}

func TestPushRestrictions(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	a := e.do(t, "ada", "PUT", "/api/v3/repos/harbour/halyard/branches/main/protection",
		`{"required_status_checks":{"strict":false,"contexts":["unit"]},"enforce_admins":false,"required_pull_request_reviews":null,
		"restrictions":{"users":["cho"],"teams":[]},"allow_force_pushes":true,"allow_deletions":true}`)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.commit("a.txt", "a\n")
	refused(t, w, "is protected", "push", "origin", "HEAD:main")
	c := e.clone(t, "cho")
	c.git("commit", "-q", "--amend", "-m", "Rewritten")
	c.git("push", "-q", "--force", "origin", "HEAD:main") // allowed here
	boss := e.clone(t, "ada")
	boss.commit("b.txt", "b\n")
	boss.git("push", "-q", "origin", "HEAD:main") // administrators are not included
}

func TestPullRefsAreTheForges(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	w.branch("feature", "f.txt", "f\n")
	e.pull(t, "ben", "feature")
	for _, spec := range []string{"HEAD:refs/pull/1/head", ":refs/pull/1/head", "HEAD:refs/pull/9/head", "HEAD:refs/odd/x"} {
		if err := w.try("push", "--force", "origin", spec); err == nil {
			t.Errorf("push %s went through", spec)
		}
	}
	if got := w.git("ls-remote", "origin", "refs/pull/*/head"); strings.Count(got, "\n") != 0 || !strings.HasSuffix(got, "refs/pull/1/head") {
		t.Fatalf("refs/pull holds %q", got)
	}
}

func TestWhoMayCloneAndPush(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	e.tokens["thief"] = "swt_0123456789"
	for _, tt := range []struct {
		name, who, visibility string
		clone, push           bool
	}{
		{"nobody, public", "", "false", true, false},
		{"a stranger, public", "eve", "false", true, false},
		{"a collaborator", "ben", "false", true, true},
		{"an administrator", "ada", "true", true, true},
		{"nobody, private", "", "true", false, false},
		{"a stranger, private", "eve", "true", false, false},
		{"a collaborator, private", "cho", "true", true, true},
		{"a wrong token", "thief", "false", false, false},
	} {
		if a := e.do(t, "ada", "PATCH", "/api/v3/repos/harbour/halyard", `{"private":`+tt.visibility+`}`); a.status != http.StatusOK {
			t.Fatal(a.body)
		}
		remote := e.url + "/harbour/halyard.git"
		as := w.WithAuth(git.Auth{Token: e.tokens[tt.who]})
		_, err := as.Git(t.Context(), "ls-remote", remote)
		if (err == nil) != tt.clone {
			t.Errorf("%s: reading gave %v", tt.name, err)
		}
		err = as.Push(t.Context(), remote, git.PushOptions{}, "HEAD:refs/heads/by-"+strings.ReplaceAll(tt.name, " ", "-"))
		if (err == nil) != tt.push {
			t.Errorf("%s: pushing gave %v", tt.name, err)
		}
	}
	if strings.Contains(e.log.String(), "swt_") {
		t.Error("a token is in the log")
	}
}

// Whatever version of the protocol a client speaks, and however it clones, it
// gets the same history.
func TestClientsOfAllKinds(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	for i := range 30 { // enough for a request to be compressed
		w.commit("n.txt", strings.Repeat("x", i))
		w.git("tag", fmt.Sprintf("v0.0.%d", i))
	}
	w.git("push", "-q", "origin", "main", "--tags")
	head := w.git("rev-parse", "HEAD")
	remote := e.url + "/harbour/halyard.git"
	for _, args := range [][]string{
		{"-c", "protocol.version=0", "clone"}, {"-c", "protocol.version=1", "clone"}, {"-c", "protocol.version=2", "clone"},
		{"clone", "--depth=1"}, {"clone", "--filter=blob:none"}, {"clone", "--bare"},
	} {
		dir := filepath.Join(t.TempDir(), "c")
		w.git(append(args, "-q", remote, dir)...)
		g, err := git.Open(t.Context(), dir)
		check(t, err)
		got, err := g.Resolve(t.Context(), "HEAD")
		if err != nil || got != head {
			t.Errorf("%v: HEAD is %s (%v), not %s", args, got, err, head)
		}
	}
	// Any commit can be fetched by its id, as runners of jobs do.
	fresh, err := git.Init(t.Context(), filepath.Join(t.TempDir(), "f"), false, "main")
	check(t, err)
	check(t, fresh.Fetch(t.Context(), remote, w.git("rev-parse", "HEAD~3")+":refs/heads/x"))
}

func TestLargePush(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	blob := make([]byte, 3<<20) // over git's http.postBuffer, so sent in chunks
	rand.Read(blob)
	check(t, os.WriteFile(filepath.Join(w.Dir, "large"), blob, 0o644))
	w.git("add", "large")
	w.git("commit", "-q", "-m", "Large")
	w.git("push", "-q", "origin", "main")
	if got := len(w.git("ls-remote", "origin", "main")); got == 0 {
		t.Fatal("nothing arrived")
	}
}

// A push whose body ends early changes nothing and leaves nothing.
func TestPushCutOff(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	head := w.git("rev-parse", "HEAD")
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	check(t, err)
	defer conn.Close()
	line := head + " " + git.ZeroSHA + " refs/heads/main\x00 report-status"
	fmt.Fprintf(conn, "POST /harbour/halyard.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: token %s\r\nContent-Length: 5000\r\n\r\n%04x%s0000",
		e.tokens["ben"], len(line)+4, line)
	check(t, conn.(*net.TCPConn).CloseWrite())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(b), "cut off") {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	if got := w.git("ls-remote", "origin", "refs/heads/main"); !strings.HasPrefix(got, head) {
		t.Fatalf("main is at %q", got)
	}
	if left, err := filepath.Glob(filepath.Join(e.dir, "git", ".push-*")); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
}

func TestNoPushByAPIEither(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	base := w.git("rev-parse", "HEAD")
	next := w.branch("side", "s.txt", "s\n")
	e.protect(t)
	ben, ctx := e.as(t, "ben"), t.Context()
	_, _, err := ben.Git.UpdateRef(ctx, owner, repo, "heads/main", github.UpdateRef{SHA: next})
	wantStatus(t, err, 422, "protected branch")
	_, err = ben.Git.DeleteRef(ctx, owner, repo, "heads/main")
	wantStatus(t, err, 422, "protected branch")
	_, _, err = ben.Repositories.CreateFile(ctx, owner, repo, "x.txt", &github.RepositoryContentFileOptions{Message: github.Ptr("x"), Content: []byte("x"), Branch: github.Ptr("main")})
	wantStatus(t, err, 409, "is protected")
	if got := w.git("ls-remote", "origin", "refs/heads/main"); !strings.HasPrefix(got, base) {
		t.Fatalf("main moved: %s", got)
	}
}

// The first branch of an empty repository becomes its default.
func TestFirstBranch(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.clone(t, "ben")
	w.git("checkout", "-q", "-B", "trunk")
	w.commit("a", "a")
	w.git("push", "-q", "origin", "trunk")
	r, _, err := e.as(t, "").Repositories.Get(t.Context(), owner, repo)
	check(t, err)
	if r.GetDefaultBranch() != "trunk" {
		t.Fatalf("default branch is %s", r.GetDefaultBranch())
	}
	if got := e.clone(t, "eve").git("symbolic-ref", "--short", "HEAD"); got != "trunk" {
		t.Fatalf("a clone checks out %s", got)
	}
}

func TestDumbAndOddRequests(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.seed(t)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/harbour/halyard.git/info/refs", 403},
		{"GET", "/harbour/halyard.git/info/refs?service=git-frob", 403},
		{"GET", "/harbour/halyard.git/HEAD", 404},
		{"GET", "/harbour/halyard.git/objects/info/packs", 404},
		{"GET", "/harbour/none.git/info/refs?service=git-upload-pack", 401},
		{"GET", "/..%2f..%2fetc/passwd.git/info/refs?service=git-upload-pack", 404},
		{"GET", "/harbour/..%2f..%2fx.git/info/refs?service=git-upload-pack", 404},
		{"GET", "/.hooks/pre-receive/info/refs?service=git-upload-pack", 401},
		{"POST", "/harbour/halyard.git/git-receive-pack", 401},
		{"GET", "/harbour/halyard.git/info/refs?service=git-receive-pack", 401},
	} {
		if a := e.do(t, "", tt.method, tt.path, ""); a.status != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, a.status, tt.want)
		}
	}
	if a := e.do(t, "ben", "POST", "/harbour/halyard.git/git-upload-pack", "not gzip", "Content-Encoding", "gzip"); a.status != 400 {
		t.Errorf("a body that is not what it says: %d", a.status)
	}
}
