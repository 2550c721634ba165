package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/merge"
	"seaworthy/merge/queue"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/release/train"
	"seaworthy/signal"
)

// Runs are the executions of jobs.
type Runs interface {
	Executions(ctx context.Context, f job.ExecutionFilter) ([]job.Execution, error)
	// Execution finds one by its ID or its BuildID.
	Execution(ctx context.Context, id string) (job.Execution, error)
	// Logs opens the log from an offset in bytes. The size is what there is
	// now; live says that more may come.
	Logs(ctx context.Context, id string, offset int64) (log io.ReadCloser, size int64, live bool, err error)
	// Results are the stored tests; result.ErrNoBuild while there are none.
	Results(ctx context.Context, id string) (result.Build, error)
}

// Forge is what the pages show of changes and published releases.
type Forge interface {
	PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error)
	PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error)
	PullRequestFiles(ctx context.Context, repo forge.RepoName, number int) ([]forge.FileChange, error)
	Issue(ctx context.Context, repo forge.RepoName, number int) (forge.Issue, error)
	Comments(ctx context.Context, repo forge.RepoName, number int) ([]forge.Comment, error)
	Statuses(ctx context.Context, repo forge.RepoName, sha string) ([]forge.Status, error)
	Releases(ctx context.Context, repo forge.RepoName) ([]forge.Release, error)
}

// Queue says what each pool of changes waits for.
type Queue interface {
	Pools(ctx context.Context, repo forge.RepoName) ([]queue.Pool, error)
	// Why lists everything that keeps one change from merging.
	Why(ctx context.Context, repo forge.RepoName, number int) ([]merge.Blocker, error)
}

// Signal gives the grids of a repository's jobs.
type Signal interface {
	Tabs(ctx context.Context, repo forge.RepoName) ([]signal.Tab, error)
	Grid(ctx context.Context, repo forge.RepoName, job string) (*grid.Grid, error)
	// Dashboards are all there are, those of repositories among them.
	Dashboards(ctx context.Context) (dashboard.Config, error)
	Summaries(ctx context.Context, dashboard string) ([]signal.TabSummary, error)
	// TabGrid returns a tab's grid, to be looked at only.
	TabGrid(ctx context.Context, dashboard, tab string) (*grid.Grid, dashboard.Tab, grid.Options, error)
	// Reading reports whether more of a tab's results are being read.
	Reading(ctx context.Context, dashboard, tab string) bool
}

// Releases are the flows that make releases.
type Releases interface {
	History(ctx context.Context, repo forge.RepoName, limit int) ([]cut.Event, error)
	Status(ctx context.Context, id string) (flow.Timeline, error)
	// What a run decided on; false until it has.
	StagePlan(ctx context.Context, id string) (cut.Plan, bool, error)
	CutPlan(ctx context.Context, id string) (cut.Plan, bool, error)
	CutVerdict(ctx context.Context, id string) (release.Verdict, bool, error)
}

// StoryStep is one line of a story that is being told, such as the demo's.
type StoryStep struct {
	Title    string
	State    string // pending, running, done, failed
	Note     string
	Link     string
	Duration time.Duration
}

// Options are what the pages are made of. All services are needed; Story may
// be nil.
type Options struct {
	Repos    func(ctx context.Context) ([]forge.RepoName, error)
	Runs     Runs
	Forge    Forge
	Queue    Queue
	Signal   Signal
	Releases Releases
	// Artifacts shows the steps of declarative builds, and Timetable when
	// releases depart, as it was looked at last; nil shows neither.
	Artifacts Artifacts
	Timetable func(repo forge.RepoName) []train.Line
	// Triage gives clusters of failures and Issues says where people file
	// issues; without the first there is nothing to see.
	Triage Triage
	Issues IssueForm
	// Describe notes of a cluster who owns it and which issue tells of it, as the
	// account of a token; nil leaves what is there. The error wraps what
	// forge.Err… says of the token. Nil, nobody may from the pages.
	Describe func(ctx context.Context, token, cluster string, owner, issue *string) error
	// ClusterOf finds the cluster of a test's failure in the build whose results
	// lie at a path; nil finds none.
	ClusterOf func(ctx context.Context, build, test string) (id string, ok bool, err error)
	// Commits are those that head has and base has not, oldest first; nil lists
	// none.
	Commits func(ctx context.Context, repo forge.RepoName, base, head string) ([]forge.Commit, error)
	// Verdicts answers for the signal of a repository; nil has no pages of tests
	// and of the report.
	Verdicts func(repo forge.RepoName) Verdicts
	// Address is where others reach these pages, without a slash at its end, for
	// links that are read elsewhere; empty makes them paths.
	Address string
	Story   func() []StoryStep
	Hub     *Hub
	Now     func() time.Time
	Log     *slog.Logger
	Version string
}

//go:embed templates static
var files embed.FS

// Site is the handler of all pages.
type Site struct {
	Options
	pages map[string]*template.Template
	mux   *http.ServeMux
	// boards are the pages under /dashboards/: apart, since their addresses and
	// those of repositories overlap.
	boards *http.ServeMux
	// The same, answering with gzip where a browser takes it.
	packedMux, packedBoards http.Handler
}

// New parses the templates and lays out the routes.
func New(o Options) (*Site, error) {
	s := &Site{Options: o, pages: map[string]*template.Template{}, mux: http.NewServeMux(), boards: http.NewServeMux()}
	names, err := fs.Glob(files, "templates/page-*.html")
	if err != nil {
		return nil, fmt.Errorf("listing the templates: %w", err)
	}
	for _, name := range names {
		t, err := template.New("layout.html").Funcs(s.functions()).ParseFS(files, "templates/layout.html", "templates/parts.html", name)
		if err != nil {
			return nil, fmt.Errorf("parsing %s: %w", name, err)
		}
		s.pages[strings.TrimSuffix(strings.TrimPrefix(name, "templates/page-"), ".html")] = t
	}
	s.routes()
	pack, err := gzhttp.NewWrapper(gzhttp.MinSize(1400))
	if err != nil {
		return nil, fmt.Errorf("preparing to compress pages: %w", err)
	}
	s.packedMux, s.packedBoards = pack(s.mux), pack(s.boards)
	return s, nil
}

func (s *Site) routes() {
	static, err := fs.Sub(files, "static")
	if err != nil { // "static" is embedded above: this cannot be
		s.Log.Error("static files", "error", err)
		return
	}
	served := http.StripPrefix("/static/", http.FileServerFS(static))
	s.mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		served.ServeHTTP(w, r)
	})
	s.mux.HandleFunc("GET /live", s.live)
	s.mux.HandleFunc("GET /{$}", s.page(s.home))
	s.mux.HandleFunc("GET /changes", s.page(s.changes))
	s.mux.HandleFunc("GET /{owner}/{repo}/pull/{number}", s.page(s.change))
	s.mux.HandleFunc("GET /{owner}/{repo}/issues", s.page(s.issues))
	s.mux.HandleFunc("GET /{owner}/{repo}/issues/{number}", s.page(s.issue))
	s.mux.HandleFunc("GET /{owner}/{repo}/issues/new", s.page(s.newIssue))
	s.mux.HandleFunc("POST /{owner}/{repo}/issues/new", s.fileIssue)
	s.mux.HandleFunc("GET /runs", s.page(s.runs))
	s.mux.HandleFunc("GET /runs/{id}", s.page(s.run))
	s.mux.HandleFunc("GET /runs/{id}/log", s.rawLog)
	s.mux.HandleFunc("GET /runs/{id}/step/{name...}", s.stepLog)
	s.mux.HandleFunc("GET /signal", s.page(s.signal))
	s.gridRoutes()
	s.verdictRoutes()
	s.mux.HandleFunc("GET /triage", s.page(s.triage))
	s.mux.HandleFunc("GET /triage/{id}", s.page(s.cluster))
	s.mux.HandleFunc("POST /triage/{id}", s.describe)
	s.mux.HandleFunc("GET /releases", s.page(s.releases))
	s.mux.HandleFunc("GET /releases/{id}", s.page(s.release))
	s.mux.HandleFunc("GET /{owner}/{repo}/releases/tag/{tag}", s.page(s.published))
	s.mux.HandleFunc("GET /commands", s.page(s.commands))
	s.mux.HandleFunc("GET /{owner}/{repo}", s.page(s.home))
	s.mux.HandleFunc("GET /", s.elsewhere)
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	switch {
	case r.URL.Path == "/live": // a stream, not to be held back
		s.mux.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/dashboards/"):
		s.packedBoards.ServeHTTP(w, r)
	default:
		s.packedMux.ServeHTTP(w, r)
	}
}

// view is what a page's handler returns: a template and its data.
type view struct {
	page   string
	Title  string
	Nav    string // which entry of the navigation is current
	Topics string // what /live should tell this page about
	Data   any
}

var errNoPage = errors.New("there is no such page")

// page shows what a handler returns.
func (s *Site) page(handle func(*http.Request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := handle(r)
		code := http.StatusOK
		if err != nil {
			v, code = s.failure(r, err)
		}
		w.Header().Set("Cache-Control", "no-cache")
		s.render(w, r, v, code)
	}
}

// render sends a page, whole or not at all.
func (s *Site) render(w http.ResponseWriter, r *http.Request, v view, code int) {
	var out bytes.Buffer
	if err := s.pages[v.page].Execute(&out, v); err != nil {
		s.Log.Error("rendering", "page", v.page, "error", err)
		http.Error(w, "This page could not be rendered. The server's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if code == http.StatusOK {
		// A page that has not changed is not sent again, as when a browser begins to
		// listen for what is new. Weak, since it may be packed.
		tag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(out.Bytes()))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(code)
	if _, err := w.Write(out.Bytes()); err != nil {
		s.Log.Debug("sending a page", "path", r.URL.Path, "error", err)
	}
}

func (s *Site) failure(r *http.Request, err error) (view, int) {
	type problem struct{ Heading, Text string }
	v := view{page: "error", Title: "Not found", Data: problem{"There is nothing here", "The address may be mistyped, or what it named is gone."}}
	switch {
	case errors.Is(err, errNoPage), errors.Is(err, forge.ErrNotFound), errors.Is(err, flow.ErrNoRun), errors.Is(err, job.ErrNoExecution), errors.Is(err, fs.ErrNotExist):
		return v, http.StatusNotFound
	case r.Context().Err() != nil: // whoever asked has gone elsewhere
		v.Title = "Stopped"
		return v, http.StatusRequestTimeout
	default:
		s.Log.Error("page", "path", r.URL.Path, "error", err)
		v.Title = "Something failed"
		v.Data = problem{"This page could not be made", err.Error()}
		return v, http.StatusInternalServerError
	}
}

func repoOf(r *http.Request) (forge.RepoName, error) {
	name := forge.RepoName{Owner: r.PathValue("owner"), Name: r.PathValue("repo")}
	if !name.Valid() {
		return name, errNoPage
	}
	return name, nil
}
