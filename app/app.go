package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"

	"seaworthy/artifact/registry"
	"seaworthy/artifact/sign"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/forge/local"
	"seaworthy/git"
	"seaworthy/job/run"
	"seaworthy/merge/bot"
	"seaworthy/merge/queue"
	"seaworthy/release/cut"
	"seaworthy/signal"
	"seaworthy/store"
	"seaworthy/store/work"
	"seaworthy/triage/live"
	"seaworthy/web"
)

// Where the platform lives and listens unless told otherwise.
const (
	DefaultDir  = ".seaworthy"
	DefaultAddr = "127.0.0.1:7070"
)

// Options say where a platform keeps its state and how it is reached.
type Options struct {
	// Dir is the one folder that holds all state. It is made when missing.
	Dir string
	// Addr is the address to listen on; port 0 takes a free one.
	Addr string
	// URL is where people reach the platform, "https://ci.example.org", for all
	// links that it writes. If empty it is the one named before, and the address
	// it listens on at first.
	URL string
	// Database is a sqlite: or postgres: URL; a file in Dir when empty.
	Database string
	// Bucket is where results, releases and images are kept, see OpenBucket. If
	// empty it is the one named before, and a folder in Dir at first.
	Bucket string
	// Workers is how many jobs run at once; 2 when zero.
	Workers int
	// Story is shown on the first page, if there is one to tell.
	Story func() []web.StoryStep
	// Version of the program, shown on every page.
	Version string
	// HTTP carries the platform's calls to its forge; a client of its own
	// when nil.
	HTTP *http.Client
	// SigningKey signs what is released: a file, env://NAME, the address of a
	// key service, or OwnKey, which is made when missing. If empty it is the one
	// named before, and the platform's own at first.
	SigningKey string
	// Speaking is how people are reached by mail and chat.
	Speaking Speaking
	// Boundary is called wherever a crash of a release matters, as
	// flow.Engine.Boundary is; nil calls nothing.
	Boundary func(point string)
	Now      func() time.Time // time.Now when nil
	Log      *slog.Logger     // discarded when nil
}

// App is a platform: its services, ready to be called, and the server over
// them once Run is called.
type App struct {
	// Forge is the only way to the forge, as the platform's own account.
	Forge  *github.Client
	Runs   *run.Service
	Queue  *queue.Queue
	Bot    *bot.Bot
	Signal *signal.Service
	// Triage follows clusters of failures; nil in a plain clone.
	Triage   *live.Service
	Releases *cut.Service
	Store    *store.DB
	Bucket   *blob.Bucket
	Hub      *web.Hub

	o        Options
	engine   *flow.Engine
	work     *work.Queue
	embedded *local.Forge
	registry *registry.Registry
	signer   *sign.KeySigner
	verifier *sign.Verifier
	// publicKey is that of signer, in PEM.
	publicKey []byte
	clones    *git.Cache
	projects  projects
	turns     turns
	trains    timetables
	secrets   secrets
	listener  net.Listener
	handler   http.Handler
	// bucketAddress is where Bucket is; empty in a plain clone.
	bucketAddress string
	attached      bool   // another process serves; this one only looks and asks
	alone         *alone // a repository that no platform serves; nil on a platform
	url           string // where people reach the platform
	self          string // where this process reaches it
	closers       []io.Closer

	fresh     bool      // the folder was not there before
	messages  *messages // about releases
	abandoned bool      // and goes again, for nothing could begin in it
}

// Open prepares a platform that Run will serve. One process at a time may have
// a folder open. It answers requests as soon as Open returns. Close it in any
// case.
func Open(ctx context.Context, o Options) (*App, error) {
	a, err := open(ctx, o, false)
	if err != nil {
		return nil, err
	}
	if err := a.announce(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Attach prepares the same services for one command. If a server runs on the
// folder, its forge is used; otherwise this process serves the forge to itself
// on a free port for as long as the command takes.
func Attach(ctx context.Context, o Options) (*App, error) {
	o.Addr = "127.0.0.1:0"
	return open(ctx, o, true)
}

func open(ctx context.Context, o Options, attach bool) (_ *App, err error) {
	if _, err := git.Version(); err != nil {
		return nil, err
	}
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("finding the state folder: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Workers == 0 {
		o.Workers = 2
	}
	a := &App{o: o, Hub: &web.Hub{}}
	defer func() {
		if err != nil {
			a.abandoned = a.fresh
			err = errors.Join(err, a.Close())
		}
	}()
	for _, step := range []func(context.Context) error{
		a.openFolder,
		func(ctx context.Context) error { return a.claim(ctx, attach) },
		a.openStore,
		a.openBucket,
		a.listen,
		a.openForge,
		a.openServices,
		a.openSite,
		a.serve,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Folders below Options.Dir.
const (
	bucketDir = "bucket"
	gitDir    = "git"
	cacheDir  = "cache"
	workDir   = "work"
	logDir    = "logs"
	secretDir = "secrets"
)

func (a *App) dir(parts ...string) string {
	return filepath.Join(append([]string{a.o.Dir}, parts...)...)
}

func (a *App) openFolder(context.Context) error {
	_, err := os.Stat(a.o.Dir)
	a.fresh = errors.Is(err, os.ErrNotExist)
	for _, d := range []string{"", bucketDir, gitDir, cacheDir, workDir, logDir, secretDir} {
		mode := os.FileMode(0o755)
		if d == secretDir {
			mode = 0o700
		}
		if err := os.MkdirAll(a.dir(d), mode); err != nil {
			return fmt.Errorf("the state folder %s cannot be made: %w; choose another with --dir", a.o.Dir, err)
		}
	}
	// Making a folder succeeds where it is there already, even without the
	// right to write into it.
	f, err := os.CreateTemp(a.o.Dir, ".writable-")
	if err != nil {
		return fmt.Errorf("the state folder %s cannot be written: %w; choose another with --dir", a.o.Dir, err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("trying the state folder %s: %w", a.o.Dir, err)
	}
	// State is never part of a repository it happens to lie in.
	ignore := a.dir(".gitignore")
	if _, err := os.Stat(ignore); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(ignore, []byte("*\n"), 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", ignore, err)
		}
	}
	a.secrets = secrets{dir: a.dir(secretDir)}
	a.clones = git.NewCache(a.dir(cacheDir, "git"))
	a.clones.Exclusive = a.holdHere // a command fetches beside the server
	// The port of the platform's own forge changes, with every command even.
	a.clones.Key = func(url string) string { return strings.TrimPrefix(url, a.self) }
	return nil
}

func (a *App) openStore(ctx context.Context) error {
	url := a.o.Database
	if url == "" {
		url = "sqlite:" + a.dir("seaworthy.db")
	}
	db, err := store.Open(ctx, store.Options{URL: url, Now: a.o.Now})
	if err != nil {
		return err
	}
	a.Store = db
	a.closers = append(a.closers, db)
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	return work.Migrate(ctx, db)
}

func (a *App) listen(ctx context.Context) error {
	if a.attached {
		return a.chooseURL() // the running server's address was taken over
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.o.Addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w; stop what does, or choose another address with --addr", a.o.Addr, err)
	}
	a.listener = l
	a.self = "http://" + reached(l.Addr())
	a.closers = append(a.closers, closerFunc(func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // the server had it and closed it
	}))
	return a.chooseURL()
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// URL is where people reach the platform.
func (a *App) URL() string { return a.url }

// GitURL is where people clone a repository from and push to.
func (a *App) GitURL(repo forge.RepoName) string { return a.gitURL(a.url, repo) }

// ownGitURL is where the platform itself does.
func (a *App) ownGitURL(repo forge.RepoName) string { return a.gitURL(a.self, repo) }

func (a *App) gitURL(base string, repo forge.RepoName) string {
	if a.alone != nil {
		return a.alone.address
	}
	return base + "/" + repo.String() + ".git"
}

// Client returns the forge as the account of a token sees it.
func (a *App) Client(token string) (*github.Client, error) {
	return github.New(github.Options{
		BaseURL: a.self + "/api/v3/", UploadURL: a.self + "/api/uploads/", Token: token, HTTP: a.o.HTTP, Now: a.o.Now,
	})
}

// Close gives everything back, in the opposite order of opening.
func (a *App) Close() error {
	if a.messages != nil {
		a.messages.close() // while the forge still answers
		a.messages = nil
	}
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i].Close())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// Repos lists the repositories that are served.
func (a *App) Repos(ctx context.Context) ([]forge.RepoName, error) {
	if a.alone != nil {
		return []forge.RepoName{a.alone.repo}, nil
	}
	all, err := a.Forge.Repos(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the repositories: %w", err)
	}
	var names []forge.RepoName
	for _, r := range all {
		if !r.Archived {
			names = append(names, r.RepoName)
		}
	}
	return names, nil
}

// Topics of the hub.
const (
	topicChanges  = "changes"
	topicRuns     = "runs"
	topicReleases = "releases"
)

// publish passes what services notify on to open pages.
func (a *App) publish(topic string) {
	if strings.HasPrefix(topic, "execution/") {
		if a.Signal != nil {
			a.Signal.Changed()
		}
		a.Hub.Publish(topicRuns)
	}
	a.Hub.Publish(topic)
}
