package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/store/hosted"
)

// OwnHost is the host of hooks to whatever serves the forge. Its address may
// change, and of several servers each one delivers to itself: no hook points to one
// that is gone. (Names below "internal" are nobody's in public.)
const OwnHost = "seaworthy.internal"

// Options say where an embedded forge keeps things and how it is reached.
type Options struct {
	// DB is a migrated database.
	DB hosted.DB
	// GitDir is the folder of the bare repositories, GitDir/OWNER/REPO.git.
	// Release files and the key that seals webhook secrets are kept there too,
	// in names starting with a dot.
	GitDir string
	// BaseURL is where the handler is reached, for example
	// "http://127.0.0.1:7070"; it is the start of every address in an answer.
	BaseURL string
	// Self is where this process reaches the handler, for hooks to OwnHost; BaseURL
	// when empty.
	Self string
	// Name tells this process from others that serve the same folder: what they
	// are receiving stays, while what an earlier one of this name left is removed.
	// It has letters, digits and '-'; may be empty where there is only one.
	Name string
	// Exclusive waits until no other process that serves the folder holds a name,
	// and holds it until what it returns is called; nil where there is only one.
	Exclusive func(ctx context.Context, name string) (func(), error)
	// Now tells the time; time.Now when nil.
	Now func() time.Time
	// Log takes failures nobody else hears of; slog.Default() when nil. No
	// token or secret is ever logged.
	Log *slog.Logger
	// HTTP delivers webhooks; a client with a timeout of 10 s when nil.
	// Redirects are not followed.
	HTTP *http.Client
	// AllowRemoteHooks lets webhooks go to addresses other than loopback.
	AllowRemoteHooks bool
	// RetryHook is how long to wait before a failed delivery is tried again,
	// after so many attempts; false gives up. Nil: one second, doubling, up to
	// five minutes, ten attempts.
	RetryHook func(attempts int) (time.Duration, bool)
}

// Forge is an embedded forge.
type Forge struct {
	o      Options
	base   string // BaseURL without a slash at the end
	store  *hosted.Store
	now    func() time.Time
	log    *slog.Logger
	sealer sealer
	sender sender
	locks  *locks
}

// New returns the forge over a database and a folder. The folder is created.
func New(o Options) (*Forge, error) {
	if o.DB == nil || o.GitDir == "" || o.BaseURL == "" {
		return nil, errors.New("an embedded forge needs a database, a folder and its address")
	}
	dir, err := filepath.Abs(o.GitDir)
	if err != nil {
		return nil, fmt.Errorf("finding the forge's folder %s: %w", o.GitDir, err)
	}
	o.GitDir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the forge's folder: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Self == "" {
		o.Self = o.BaseURL
	}
	if o.RetryHook == nil {
		o.RetryHook = backOff
	}
	if err := o.sweep(); err != nil {
		return nil, err
	}
	self, err := url.Parse(o.Self)
	if err != nil {
		return nil, fmt.Errorf("reading where the forge reaches itself: %w", err)
	}
	s, err := openSealer(filepath.Join(dir, ".key"))
	if err != nil {
		return nil, err
	}
	if err := installHook(dir); err != nil {
		return nil, err
	}
	f := &Forge{o: o, base: strings.TrimRight(o.BaseURL, "/"), store: hosted.New(o.DB), log: o.Log, sealer: s, locks: newLocks(o.Exclusive)}
	f.now = func() time.Time { return o.Now().UTC() }
	f.sender = newSender(o.HTTP, o.AllowRemoteHooks, self)
	return f, nil
}

// receiving begins the name of what is not whole yet.
func (o Options) receiving(what string) string { return "." + what + "-" + o.Name + "." }

// sweep removes what a process of that name was just receiving when it was killed.
func (o Options) sweep() error {
	for _, pattern := range []string{o.receiving("new"), o.receiving("push"), filepath.Join(".assets", "*", o.receiving("upload"))} {
		left, err := filepath.Glob(filepath.Join(o.GitDir, pattern+"*"))
		if err != nil {
			return fmt.Errorf("sweeping the forge's folder: %w", err)
		}
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("sweeping the forge's folder: %w", err)
			}
		}
	}
	return nil
}

// CreateUser adds an account; an admin may do everything everywhere. An
// account of that login is ErrExists.
func (f *Forge) CreateUser(ctx context.Context, u forge.User, admin bool) error {
	if !validOwner(u.Login) {
		return fmt.Errorf("login %q: write letters, digits, '-', '_' and '.': %w", u.Login, forge.ErrInvalid)
	}
	kind := kindUser
	if u.Bot {
		kind = kindBot
	}
	err := f.store.Write(ctx, func(q *hosted.Queries) error {
		_, err := q.AddAccount(ctx, hosted.Account{Login: u.Login, Name: u.Name, Email: u.Email, Kind: kind, Admin: admin, CreatedAt: f.now()})
		return err
	})
	return translate(fmt.Sprintf("creating the account %s", u.Login), err)
}

// CreateToken makes a token for an account. It is shown this once: only its
// SHA-256 is kept.
func (f *Forge) CreateToken(ctx context.Context, login string) (string, error) {
	token := "swt_" + rand.Text() + rand.Text()
	err := f.store.Write(ctx, func(q *hosted.Queries) error {
		a, err := q.Account(ctx, login)
		if err != nil {
			return err
		}
		return q.AddToken(ctx, hashToken(token), a.ID, f.now())
	})
	if err != nil {
		return "", translate("creating a token for "+login, err)
	}
	return token, nil
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// ImportRepository creates a repository with all branches and tags of an
// existing one on disk. The objects are copied. Its default branch is the
// other's HEAD. No event is sent. If the import fails, nothing is left behind.
func (f *Forge) ImportRepository(ctx context.Context, name forge.RepoName, path, description string) error {
	what := fmt.Sprintf("importing %s as %s", path, name)
	source, err := git.Open(ctx, path)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	head, err := source.Git(ctx, "symbolic-ref", "--quiet", "--short", "HEAD")
	if err != nil {
		head = "main" // a detached HEAD names no branch
	}
	repo := hosted.Repo{Owner: name.Owner, Name: name.Name, Description: description, DefaultBranch: strings.TrimSpace(head), Creator: name.Owner}
	_, err = f.addRepo(ctx, repo, func(dst *git.Repository) error {
		return dst.Fetch(ctx, source.Dir, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
	})
	return translate(what, err)
}

// translate gives the store's errors the vocabulary of package forge.
func translate(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hosted.ErrNotFound):
		return fmt.Errorf("%s: %w (%w)", what, forge.ErrNotFound, err)
	case errors.Is(err, hosted.ErrExists):
		return fmt.Errorf("%s: %w (%w)", what, forge.ErrExists, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Kinds of accounts, as GitHub names them.
const (
	kindUser         = "User"
	kindBot          = "Bot"
	kindOrganization = "Organization"
)
