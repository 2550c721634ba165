package registry

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"gocloud.dev/blob"
)

// Limits and times.
const (
	// maxManifest is the size up to which the specification has every registry
	// take a manifest.
	maxManifest = 4 << 20
	// DefaultMaxBlob is the size of the largest blob taken unless told otherwise.
	DefaultMaxBlob = 64 << 30
	// DefaultUploadLife is how long an upload may take unless told otherwise.
	DefaultUploadLife = 24 * time.Hour
	// tokenLife is how long a token of the token endpoint is good.
	tokenLife = 5 * time.Minute
	// atOnce bounds the bucket's objects one request looks at in parallel.
	atOnce = 8
)

// Options say where a registry keeps what it has and whom it serves.
type Options struct {
	// Bucket holds everything. It is not closed.
	Bucket *blob.Bucket
	// Prefix of the keys in the bucket; "registry/" when empty.
	Prefix string
	// Authorizer knows the people; nil lets everybody do everything.
	Authorizer Authorizer
	// Secret signs the tokens of the token endpoint, at least 16 bytes. It is
	// needed with an Authorizer, and the same after a restart.
	Secret []byte
	// MaxBlob bounds a blob, in bytes; DefaultMaxBlob when zero.
	MaxBlob int64
	// UploadLife is after how long an upload that was not finished is
	// forgotten; DefaultUploadLife when zero.
	UploadLife time.Duration
	Now        func() time.Time // time.Now when nil
	Log        *slog.Logger     // discarded when nil
}

// Registry is an http.Handler for everything below /v2/. Its methods may be
// called concurrently. Several processes may serve one bucket; Collect must run
// in one that serves alone, or at a time when nobody pushes.
type Registry struct {
	store      store
	authorizer Authorizer
	secret     []byte
	maxBlob    int64
	life       time.Duration
	now        func() time.Time
	log        *slog.Logger

	content *stripes // held for reading from finding content to linking it
	repos   *stripes // held for writing while something is deleted from a repository
	uploads turns
	buffers sync.Pool
}

// New returns a registry over what the bucket has. It fails where the options
// say too little.
func New(o Options) (*Registry, error) {
	if o.Bucket == nil {
		return nil, errors.New("a registry needs a bucket")
	}
	if o.Authorizer != nil && len(o.Secret) < 16 {
		return nil, fmt.Errorf("a registry that knows people needs a secret of at least 16 bytes to sign tokens with, this has %d", len(o.Secret))
	}
	if o.Prefix == "" {
		o.Prefix = "registry/"
	}
	if o.MaxBlob == 0 {
		o.MaxBlob = DefaultMaxBlob
	}
	if o.UploadLife == 0 {
		o.UploadLife = DefaultUploadLife
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Registry{
		store:      store{o.Bucket, o.Prefix, func(string) {}},
		authorizer: o.Authorizer, secret: o.Secret, maxBlob: o.MaxBlob, life: o.UploadLife, now: o.Now, log: o.Log,
		content: newStripes(), repos: newStripes(),
		buffers: sync.Pool{New: func() any { return new([128 << 10]byte) }},
	}, nil
}

// call is one request.
type call struct {
	g      *Registry
	w      http.ResponseWriter
	r      *http.Request
	target target
	wanted []grant // what the challenge, if there is one, asks a token for
	why    string  // why a token was not enough, in the challenge's words
}

// ServeHTTP implements http.Handler.
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Docker-Distribution-Api-Version", "registry/2.0")
	// What people push is served from the address of other pages: a browser
	// must not take it for one of them.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	c := &call{g: g, w: w, r: r, target: parsePath(r.URL.Path)}
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

// route is what is done for one method of one kind of path.
type route struct {
	action Action // on the path's repository; empty where do asks itself
	do     func(*call) error
}

func (c *call) route() (route, bool) {
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		switch c.target.kind {
		case kindRoot:
			return route{"", (*call).root}, true
		case kindToken:
			return route{"", (*call).token}, true
		case kindCatalog:
			return route{"", (*call).catalog}, true
		case kindTags:
			return route{Pull, (*call).tags}, true
		case kindManifest:
			return route{Pull, (*call).getManifest}, true
		case kindBlob:
			return route{Pull, (*call).getBlob}, true
		case kindReferrers:
			return route{Pull, (*call).referrers}, true
		case kindUpload:
			return route{Push, (*call).uploadStatus}, true
		}
	}
	switch c.r.Method {
	case http.MethodPost:
		switch c.target.kind {
		case kindUploads:
			return route{Push, (*call).startUpload}, true
		case kindToken:
			return route{"", (*call).token}, true
		}
	case http.MethodPatch:
		return route{Push, (*call).patchUpload}, c.target.kind == kindUpload
	case http.MethodPut:
		switch c.target.kind {
		case kindUpload:
			return route{Push, (*call).finishUpload}, true
		case kindManifest:
			return route{Push, (*call).putManifest}, true
		}
	case http.MethodDelete:
		switch c.target.kind {
		case kindUpload:
			return route{Push, (*call).cancelUpload}, true
		case kindManifest:
			return route{Delete, (*call).deleteManifest}, true
		case kindBlob:
			return route{Delete, (*call).deleteBlob}, true
		}
	}
	return route{}, false
}

func (c *call) serve() error {
	if c.target.kind == kindNone {
		return refuse(http.StatusNotFound, codeNameUnknown, "there is nothing at %s", c.r.URL.Path)
	}
	do, ok := c.route()
	if !ok {
		return refuse(http.StatusMethodNotAllowed, codeUnsupported, "%s is not supported here", c.r.Method)
	}
	if c.target.repo != "" {
		if err := checkName(c.target.repo); err != nil {
			return err
		}
	}
	if do.action != "" {
		if err := c.permit(c.target.repo, do.action); err != nil {
			return err
		}
	}
	return do.do(c)
}

// root says that this is a registry. Clients learn here how to log in, so
// everybody is asked who he is, even where he could do without an account.
func (c *call) root() error {
	if c.g.authorizer != nil {
		if c.r.Header.Get("Authorization") == "" {
			return refuse(http.StatusUnauthorized, codeUnauthorized, "log in, or ask %s for a token", tokenPath)
		}
		if _, err := c.identity(); err != nil {
			return err
		}
	}
	c.json(http.StatusOK, struct{}{})
	return nil
}
