package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/google"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// RegistryOptions say how registries are reached.
type RegistryOptions struct {
	// Keychain finds the credentials of a registry; those of docker login and,
	// for Google's registries, of gcloud when nil.
	Keychain authn.Keychain
	// PlainHTTP lists registries (host:port) that are asked without TLS.
	// Addresses of this machine are tried so by themselves.
	PlainHTTP []string
	// Parallel bounds the requests under way to one registry; 32 when zero.
	Parallel int
	// Transport carries the requests; one of its own when nil.
	Transport http.RoundTripper
	// Retries is how often a request that may succeed later is repeated; 5
	// when zero, never when negative.
	Retries int
	// RetryPause is the time before the first of them; half a second when
	// zero. It doubles for each further one, up to 64 times.
	RetryPause time.Duration
	// Agent is the User-Agent sent, "seaworthy" when empty.
	Agent string
}

// Registries speaks to any number of OCI registries: one session for each, and
// one set of connections. It is safe for concurrent use.
type Registries struct {
	o        RegistryOptions
	base     http.RoundTripper
	requests atomic.Int64

	mu    sync.Mutex
	hosts map[string]*host
}

// NewRegistries returns a client that has asked nobody anything.
func NewRegistries(o RegistryOptions) *Registries {
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain(authn.DefaultKeychain, google.Keychain)
	}
	if o.Parallel <= 0 {
		o.Parallel = 32
	}
	if o.Retries == 0 {
		o.Retries = 5
	}
	if o.RetryPause <= 0 {
		o.RetryPause = 500 * time.Millisecond
	}
	if o.Agent == "" {
		o.Agent = "seaworthy"
	}
	r := &Registries{o: o, base: o.Transport, hosts: map[string]*host{}}
	if r.base == nil {
		r.base = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: 5 * time.Minute, // a registry may sum up a large blob before it answers
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   o.Parallel,
			DisableCompression:    true, // digests are of the bytes as they are
		}
	}
	return r
}

// Requests returns how many requests were sent so far.
func (r *Registries) Requests() int64 { return r.requests.Load() }

// Repository reads a repository's name, registry host and path.
func (r *Registries) Repository(repository string) (name.Repository, error) {
	host, path, _ := strings.Cut(repository, "/")
	if !hostPattern.MatchString(host) || !pathPattern.MatchString(path) || len(path) > 255 {
		return name.Repository{}, fmt.Errorf("%q is not a repository: write HOST/PATH, such as registry.example.com/team/app", repository)
	}
	var options []name.Option
	if slices.Contains(r.o.PlainHTTP, host) {
		options = append(options, name.Insecure)
	}
	reg, err := name.NewRegistry(host, options...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("repository %s: %w", repository, err)
	}
	return reg.Repo(path), nil
}

// What hosts and paths look like, as the distribution specification has it. A
// host has a dot or a port, or else it could be a part of a path.
var (
	hostPattern = regexp.MustCompile(`^(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*:[0-9]+|\[[0-9a-fA-F:]+\](:[0-9]+)?)$`)
	pathPattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
)

// host is the session with one registry.
type host struct {
	reg  name.Registry
	r    *Registries
	rt   http.RoundTripper // through the gate
	auth authn.Authenticator

	ping      chan struct{} // holds one: the right to ask for the challenge
	challenge *transport.Challenge

	mu      sync.Mutex
	clients map[string]*scoped // by scopes

	// What the registry was seen to lack; it is not asked for it again.
	noReferrers  atomic.Bool // the referrers API
	noSinglePost atomic.Bool // an upload in one POST
}

// scoped is a client with the rights of some scopes.
type scoped struct {
	ready  chan struct{} // holds one: the right to log in
	client *http.Client
}

func (r *Registries) host(reg name.Registry) *host {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hosts[reg.RegistryStr()]
	if h == nil {
		p := patience{tries: 1 + max(0, r.o.Retries), first: r.o.RetryPause, longest: 64 * r.o.RetryPause}
		agent := transport.NewUserAgent(r.base, r.o.Agent)
		h = &host{
			reg: reg, r: r, ping: make(chan struct{}, 1), clients: map[string]*scoped{},
			rt: &limited{inner: agent, gate: newGate(r.o.Parallel), patience: p, count: &r.requests},
		}
		h.ping <- struct{}{}
		r.hosts[reg.RegistryStr()] = h
	}
	return h
}

// greet learns once how the registry wants to be spoken to.
func (h *host) greet(ctx context.Context) (*transport.Challenge, error) {
	select {
	case <-h.ping:
		defer func() { h.ping <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h.challenge != nil {
		return h.challenge, nil
	}
	auth, err := authn.Resolve(ctx, h.r.o.Keychain, h.reg)
	if err != nil {
		return nil, fmt.Errorf("looking up the credentials of %s: %w", h.reg, err)
	}
	challenge, err := transport.Ping(ctx, h.reg, h.rt)
	if err != nil {
		return nil, fmt.Errorf("asking the registry %s: %w", h.reg, redacted(err))
	}
	h.auth, h.challenge = auth, challenge
	return challenge, nil
}

// client returns one that may do what the scopes say.
func (h *host) client(ctx context.Context, scopes ...string) (*http.Client, *transport.Challenge, error) {
	challenge, err := h.greet(ctx)
	if err != nil {
		return nil, nil, err
	}
	key := strings.Join(scopes, " ")
	bearer := strings.EqualFold(challenge.Scheme, "bearer")
	if !bearer {
		key = "" // Basic credentials, or none, are for everything
	}
	h.mu.Lock()
	s := h.clients[key]
	if s == nil {
		s = &scoped{ready: make(chan struct{}, 1)}
		s.ready <- struct{}{}
		h.clients[key] = s
	}
	h.mu.Unlock()
	select {
	case <-s.ready:
		defer func() { s.ready <- struct{}{} }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if s.client != nil {
		return s.client, challenge, nil
	}
	token := &transport.Token{}
	if bearer {
		if token, err = transport.Exchange(ctx, h.reg, h.auth, h.rt, scopes, challenge); err != nil {
			return nil, nil, fmt.Errorf("logging in to %s: %w", h.reg, redacted(err))
		}
		if token.Token == "" {
			token.Token = token.AccessToken
		}
	}
	rt, err := transport.FromToken(h.reg, h.auth, h.rt, challenge, token)
	if err != nil {
		return nil, nil, fmt.Errorf("logging in to %s: %w", h.reg, redacted(err))
	}
	s.client = &http.Client{Transport: rt, CheckRedirect: h.redirect}
	return s.client, challenge, nil
}

// redirect refuses what a registry has no reason to send us to: away from TLS,
// and from outside into a private network.
func (h *host) redirect(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) >= 10:
		return errors.New("more than 10 redirects")
	case req.URL.Scheme == "http" && first.Scheme == "https":
		return fmt.Errorf("a redirect to %s leaves TLS", req.URL.Host)
	case req.URL.Host != first.Host && private(req.URL.Hostname()) && !private(first.Hostname()):
		return fmt.Errorf("a redirect to the private address %s", req.URL.Host)
	}
	return nil
}

func private(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost"
	}
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified()
}

// url makes the address of something in a repository.
func (h *host) url(challenge *transport.Challenge, repo name.Repository, tail string) string {
	scheme := "https"
	if challenge.Insecure {
		scheme = "http"
	}
	return scheme + "://" + h.reg.RegistryStr() + "/v2/" + repo.RepositoryStr() + tail
}

// redacted takes the query off the addresses in an error: it may hold a
// signature that opens what lies behind.
func redacted(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if parsed, perr := url.Parse(u.URL); perr == nil {
			return &url.Error{Op: u.Op, URL: parsed.Scheme + "://" + parsed.Host + parsed.Path, Err: redacted(u.Err)}
		}
		return u.Err
	}
	var answer *transport.Error
	if errors.As(err, &answer) {
		return refusal(answer.StatusCode, answer.Errors)
	}
	return err
}

func refusal(status int, list []transport.Diagnostic) error {
	e := &answerError{status: status}
	for _, d := range list {
		e.codes = append(e.codes, string(d.Code))
		e.text = append(e.text, d.Message)
	}
	return e
}
