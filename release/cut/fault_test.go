package cut_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/forge/local"
	"seaworthy/git"
	"seaworthy/release/cut"
	"seaworthy/store"
)

// proxy stands between a release and a forge, and answers one call otherwise than
// the forge would have.
type proxy struct {
	forge http.Handler
	refs  func() string // of the repository

	mu    sync.Mutex
	calls []string // as they came, each METHOD path
	acts  []string // that changed the forge and were answered so
	at    int      // the call to disturb; -1 for none
	how   string
	hit   string // the call that was disturbed
}

// faults are what a forge and the way to it do.
var faults = []string{"500", "rate limit", "retry after", "429", "422", "cut before", "cut after"}

// passing is what is not the same in two calls: numbers and digests in paths.
var passing = regexp.MustCompile(`/[0-9]+|name=[^&]*`)

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + passing.ReplaceAllString(r.URL.Path, "/N")
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/assets") {
		call += " " + r.URL.Query().Get("name")
	}
	p.mu.Lock()
	mine := len(p.calls) == p.at
	p.calls = append(p.calls, call)
	if mine {
		p.hit = call
	}
	p.mu.Unlock()
	if !mine {
		p.pass(w, r, call)
		return
	}
	refuse := func(status int, header map[string]string, message string) {
		for name, v := range header {
			w.Header().Set(name, v)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"message": %q}`, message)
	}
	switch p.how {
	case "500":
		refuse(http.StatusInternalServerError, nil, "Server Error")
	case "rate limit":
		refuse(http.StatusForbidden, map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0",
			"X-RateLimit-Reset": strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10)}, "API rate limit exceeded")
	case "retry after":
		refuse(http.StatusForbidden, map[string]string{"Retry-After": "1"}, "You have exceeded a secondary rate limit")
	case "429":
		refuse(http.StatusTooManyRequests, map[string]string{"Retry-After": "1"}, "Too many requests")
	case "422":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"message": "Validation Failed", "errors": [{"resource": "Release", "code": "already_exists", "field": "tag_name"}]}`)
	case "cut after":
		p.pass(httptest.NewRecorder(), r, call)
		panic(http.ErrAbortHandler) // the connection is cut without an answer
	default:
		panic(http.ErrAbortHandler)
	}
}

// status remembers what was answered.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int)        { s.code = code; s.ResponseWriter.WriteHeader(code) }
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (p *proxy) pass(w http.ResponseWriter, r *http.Request, call string) {
	s := &status{w, http.StatusOK}
	push, before := strings.HasSuffix(r.URL.Path, "/git-receive-pack"), ""
	if push {
		before = p.refs()
	}
	p.forge.ServeHTTP(s, r)
	// Cut off, git's HTTP library sends the same push again by itself; nothing
	// moves then.
	if push && p.refs() == before || r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/git-upload-pack") || s.code >= 300 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acts = append(p.acts, call)
}

// roughPlace is a folder with an embedded forge in it, behind a proxy.
type roughPlace struct {
	dir     string
	proxy   *proxy
	service *cut.Service
	client  *github.Client
	close   func()
	calls   []string // of the run
}

// openRough opens the forge in dir, which may hold the repository already.
func openRough(t *testing.T, dir string) *roughPlace {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, store.Options{URL: "sqlite:" + filepath.Join(dir, "seaworthy.db")})
	must(t, err)
	must(t, db.Migrate(ctx))
	p := &proxy{at: -1}
	server := httptest.NewServer(p)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f, err := local.New(local.Options{DB: db, GitDir: filepath.Join(dir, "git"), BaseURL: server.URL, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	p.forge = f.Handler()
	p.refs = func() string {
		repo, err := git.Open(ctx, filepath.Join(dir, "git", "harbour", "halyard.git"))
		if err != nil {
			return err.Error()
		}
		refs, err := repo.Refs(ctx)
		return fmt.Sprint(refs, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "bucket")); errors.Is(err, os.ErrNotExist) {
		must(t, os.MkdirAll(filepath.Join(dir, "bucket"), 0o755))
		must(t, os.MkdirAll(filepath.Join(dir, "work"), 0o755))
		must(t, f.CreateUser(ctx, forge.User{Login: "ada", Name: "Ada", Email: "ada@harbour.example"}, true))
	}
	token, err := f.CreateToken(ctx, "ada")
	must(t, err)
	client, err := github.New(github.Options{BaseURL: server.URL + "/api/v3/", UploadURL: server.URL + "/api/uploads/", Token: token,
		Wait: func(ctx context.Context, d time.Duration) error { return ctx.Err() }})
	must(t, err)
	o := serviceOptions(dir, client, client, openBucket(t, dir), db)
	o.Auth = git.Auth{User: "ada", Token: token}
	o.Git.Key = func(url string) string { return strings.TrimPrefix(url, server.URL) }
	o.Address = func(url string) string { return server.URL + url[strings.Index(url, "/harbour"):] }
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
		c := project()
		c.Build.Command.Run = []string{"cp", "LICENSE", "{out}/halyard"}
		return c, nil
	}
	o.NewID = func(flow string) string { return flow + "-1" }
	o.Retry = flow.Retry{Attempts: 4, Base: time.Millisecond}
	var begun atomic.Bool
	// A run begins at a time that is always the same, and then time passes.
	o.Engine.Now = func() time.Time {
		if begun.Load() {
			return time.Now()
		}
		return began
	}
	o.Engine.Boundary = func(string) { begun.Store(true) }
	r := &roughPlace{dir: dir, proxy: p, service: newService(t, o), client: client}
	r.close = sync.OnceFunc(func() {
		server.Close()
		must(t, db.Close())
	})
	t.Cleanup(r.close)
	return r
}

// finishes drives a run to its end, and returns what there is to see afterwards.
func (r *roughPlace) finishes(t *testing.T, run flow.Run) (map[string]string, []string) {
	t.Helper()
	state, err := r.service.Drive(t.Context(), run.ID, flow.DriveOptions{})
	if err != nil || state != flow.Succeeded {
		t.Fatalf("after %q at %s the %s is %s: %v", r.proxy.how, r.proxy.hit, run.Flow, state, err)
	}
	r.proxy.mu.Lock()
	r.calls = slices.Clone(r.proxy.calls) // what follows is our own looking
	acts := slices.Sorted(slices.Values(r.proxy.acts))
	r.proxy.mu.Unlock()
	seen := tree(t, filepath.Join(r.dir, "bucket"), isJournal)
	page, err := r.client.Release(t.Context(), halyard, "v0.1.0-rc.0")
	if !errors.Is(err, forge.ErrNotFound) { // there is none after a stage
		must(t, err)
		seen["page"] = fmt.Sprintln(page.Tag, page.Name, page.Draft, page.Body)
	}
	for _, a := range page.Assets {
		seen["page "+a.Name] = a.Digest
	}
	repo, err := git.Open(t.Context(), filepath.Join(r.dir, "git", "harbour", "halyard.git"))
	must(t, err)
	refs, err := repo.Refs(t.Context(), "refs/heads", "refs/tags")
	must(t, err)
	for _, ref := range refs {
		seen[ref.Name] = ref.SHA
	}
	return seen, acts
}

// However the forge answers one call of a stage, and wherever the connection
// ends, what is staged is as if nothing had been.
func TestForgeOutOfOrderWhileStaging(t *testing.T) {
	t.Parallel()
	origin := t.TempDir()
	r := openRough(t, origin)
	fill(t, r.client)
	r.close()
	disturb(t, origin, 25, 0, func(t *testing.T, r *roughPlace) flow.Run {
		run, err := r.service.Stage(t.Context(), stageRC())
		must(t, err)
		return run
	})
}

// However the forge answers one call of a cut, and wherever the connection ends,
// the release comes out as if nothing had been, and nothing is done twice.
func TestForgeOutOfOrder(t *testing.T) {
	t.Parallel()
	origin := t.TempDir()
	r := openRough(t, origin)
	fill(t, r.client)
	build := staged(t, r.service, stageRC())
	r.close()
	disturb(t, origin, 40, 14, func(t *testing.T, r *roughPlace) flow.Run {
		run, err := r.service.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
		must(t, err)
		return run
	})
}

// disturb runs a flow over a copy of origin for each fault of each kind of
// call, and compares what it leaves, and what it did, with an undisturbed run,
// which must leave and do so much at least.
func disturb(t *testing.T, origin string, leaves, does int, begin func(*testing.T, *roughPlace) flow.Run) {
	place := func(t *testing.T) *roughPlace {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS(origin)))
		return openRough(t, dir)
	}
	calm := place(t)
	want, acts := calm.finishes(t, begin(t, calm))
	if len(acts) < does || len(want) < leaves {
		t.Fatalf("an undisturbed run does %q and leaves %d things", acts, len(want))
	}
	n := 0
	seen := map[string]bool{}
	for i, call := range calm.calls {
		changes := !strings.HasPrefix(call, "GET") && !strings.Contains(call, "upload-pack")
		kind := strings.Fields(call)[0] + strings.Fields(call)[1]
		if seen[kind] { // another file of the page, another look
			continue
		}
		seen[kind] = true
		for _, how := range faults {
			if n++; testing.Short() && n%5 != 0 || !changes && how == "422" {
				continue
			}
			t.Run(how+" at "+strconv.Itoa(i)+" "+strings.ReplaceAll(call, "/", "_"), func(t *testing.T) {
				t.Parallel()
				r := place(t)
				r.proxy.at, r.proxy.how = i, how
				have, done := r.finishes(t, begin(t, r))
				if diff := cmp.Diff(want, have); diff != "" {
					t.Errorf("what there is differs from an undisturbed run:\n%s", diff)
				}
				if diff := cmp.Diff(acts, done); diff != "" {
					t.Errorf("other things were done than once each:\n%s", diff)
				}
				if r.proxy.hit == "" {
					t.Error("nothing was disturbed")
				}
			})
		}
	}
}
