package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
	"seaworthy/forge/local"
	"seaworthy/git"
	"seaworthy/store"
)

// env is a forge over HTTP with the accounts ada (an administrator), ben and
// cho (collaborators of harbour/halyard), and eve (nobody's).
type env struct {
	*local.Forge
	url    string
	dir    string
	tokens map[string]string
	log    *lockedBuffer
}

const (
	owner = "harbour"
	repo  = "halyard"
)

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func openDB(t *testing.T, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(dir, "forge.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, db.Close()) })
	check(t, db.Migrate(t.Context()))
	return db
}

// start runs a forge with accounts and an empty repository harbour/halyard.
func start(t *testing.T, change ...func(*local.Options)) *env {
	t.Helper()
	e := startEmpty(t, change...)
	ctx := t.Context()
	for _, u := range []string{"ada", "ben", "cho", "eve"} {
		check(t, e.CreateUser(ctx, forge.User{Login: u, Name: strings.ToUpper(u[:1]) + u[1:], Email: u + "@example.test"}, u == "ada"))
		token, err := e.CreateToken(ctx, u)
		check(t, err)
		e.tokens[u] = token
	}
	ada := e.as(t, "ada")
	_, _, err := ada.Repositories.Create(ctx, owner, &github.Repository{Name: github.Ptr(repo), Description: github.Ptr("A rope")})
	check(t, err)
	for _, u := range []string{"ben", "cho"} {
		_, _, err := ada.Repositories.AddCollaborator(ctx, owner, repo, u, nil)
		check(t, err)
	}
	return e
}

func startEmpty(t *testing.T, change ...func(*local.Options)) *env {
	t.Helper()
	dir := t.TempDir()
	e := &env{dir: dir, tokens: map[string]string{}, log: &lockedBuffer{}}
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	o := local.Options{DB: openDB(t, dir), GitDir: filepath.Join(dir, "git"), BaseURL: srv.URL,
		Log: slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&o)
	}
	f, err := local.New(o)
	check(t, err)
	e.Forge, e.url, handler = f, srv.URL, f.Handler()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(e.log.String())
		}
	})
	return e
}

// run starts the background work and stops it at the end of the test.
func (e *env) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func (e *env) as(t *testing.T, login string) *github.Client {
	t.Helper()
	options := []github.ClientOptionsFunc{github.WithEnterpriseURLs(e.url, e.url)}
	if login != "" {
		options = append(options, github.WithAuthToken(e.tokens[login]))
	}
	c, err := github.NewClient(options...)
	check(t, err)
	return c
}

// answer is what a plain request came back with.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// do sends a request as login ("" for nobody) with a body of text.
func (e *env) do(t *testing.T, login, method, path, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, e.url+path, strings.NewReader(body))
	check(t, err)
	if login != "" {
		req.Header.Set("Authorization", "token "+e.tokens[login])
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	check(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && strings.HasPrefix(a.body, "{") {
		check(t, json.Unmarshal(b, &a.json))
	}
	return a
}

// clone clones harbour/halyard as login into a new folder.
func (e *env) clone(t *testing.T, login string) *work {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	g, err := git.Clone(t.Context(), e.url+"/"+owner+"/"+repo+".git", dir, git.CloneOptions{Auth: git.Auth{Token: e.tokens[login]}})
	check(t, err)
	return &work{t: t, Repository: g, who: login}
}

// work is somebody's clone.
type work struct {
	*git.Repository
	t   *testing.T
	who string
}

// git runs a command that must succeed, and returns its output.
func (w *work) git(args ...string) string {
	w.t.Helper()
	out, err := w.GitEnv(w.t.Context(), identity(w.who), args...)
	check(w.t, err)
	return strings.TrimSpace(out)
}

// try runs a command and returns its error.
func (w *work) try(args ...string) error {
	_, err := w.GitEnv(w.t.Context(), identity(w.who), args...)
	return err
}

// commit writes a file and commits it. It returns the commit.
func (w *work) commit(path, content string) string {
	w.t.Helper()
	full := filepath.Join(w.Dir, path)
	check(w.t, os.MkdirAll(filepath.Dir(full), 0o755))
	check(w.t, os.WriteFile(full, []byte(content), 0o644))
	w.git("add", path)
	w.git("commit", "-q", "-m", "Write "+path)
	return w.git("rev-parse", "HEAD")
}

func identity(who string) []string {
	return []string{"GIT_AUTHOR_NAME=" + who, "GIT_AUTHOR_EMAIL=" + who + "@example.test", "GIT_COMMITTER_NAME=" + who, "GIT_COMMITTER_EMAIL=" + who + "@example.test"}
}

// seed gives harbour/halyard a first commit on main and returns ben's clone.
func (e *env) seed(t *testing.T) *work {
	t.Helper()
	w := e.clone(t, "ben")
	w.git("checkout", "-q", "-B", "main")
	w.commit("README.md", "# Halyard\n")
	w.git("push", "-q", "origin", "main")
	return w
}

// branch makes a branch off main with one new file and pushes it.
func (w *work) branch(name, path, content string) string {
	w.t.Helper()
	w.git("checkout", "-q", "-B", name, "origin/main")
	sha := w.commit(path, content)
	w.git("push", "-q", "origin", name)
	return sha
}

// pull opens a pull request from a branch to main.
func (e *env) pull(t *testing.T, login, head string) *github.PullRequest {
	t.Helper()
	p, _, err := e.as(t, login).PullRequests.Create(t.Context(), owner, repo, &github.NewPullRequest{
		Title: github.Ptr("Add " + head), Head: github.Ptr(head), Base: github.Ptr("main"), Body: github.Ptr("It is needed.")})
	check(t, err)
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantStatus checks that err is GitHub's error with that status.
func wantStatus(t *testing.T, err error, status int, contains string) {
	t.Helper()
	var resp *github.ErrorResponse
	switch e := err.(type) {
	case *github.ErrorResponse:
		resp = e
	default:
		t.Fatalf("got %v (%T), want status %d", err, err, status)
	}
	if resp.Response.StatusCode != status || !strings.Contains(err.Error(), contains) {
		t.Fatalf("got %v, want status %d and %q", err, status, contains)
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
