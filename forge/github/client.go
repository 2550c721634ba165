package github

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// Options says which forge to speak to and as whom.
type Options struct {
	// BaseURL is the root of the REST API, such as
	// "https://ghe.example.com/api/v3/". Empty means github.com.
	BaseURL string
	// UploadURL is the root for release assets, such as
	// "https://ghe.example.com/api/uploads/". Empty means github.com's for
	// github.com, and otherwise the sibling "uploads" of BaseURL.
	UploadURL string
	// Token authenticates every call. It is sent to the hosts of BaseURL and
	// UploadURL only, never to one that they redirect to. Empty means
	// anonymous.
	Token string
	// HTTP carries the requests; nil means a client of its own.
	HTTP *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Wait pauses between two attempts of a read until d has passed or ctx
	// is done, whose error it then returns. Nil means a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client is one account on one forge. It is safe for concurrent use.
type Client struct {
	gh  *github.Client
	now func() time.Time
}

const (
	publicBase   = "https://api.github.com/"
	publicUpload = "https://uploads.github.com/"
	userAgent    = "seaworthy"
	perPage      = 100 // GitHub's maximum
	// answerTimeout bounds the wait for an answer to begin, not its length:
	// an asset may take long.
	answerTimeout = time.Minute
)

// New returns a client. It makes no request; an error means a malformed URL.
func New(o Options) (*Client, error) {
	base, upload, err := roots(o.BaseURL, o.UploadURL)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	client, err := carrier(o.HTTP)
	if err != nil {
		return nil, err
	}
	client.Transport = &authTransport{
		token: o.Token,
		hosts: map[string]bool{base.Host: true, upload.Host: true},
		next:  newCacheTransport(&retryTransport{now: o.Now, wait: o.Wait, next: client.Transport}),
	}
	baseURL, uploadURL := base.String(), upload.String()
	gh, err := github.NewClient(
		github.WithHTTPClient(client),
		github.WithUserAgent(userAgent),
		github.WithURLs(&baseURL, &uploadURL),
	)
	if err != nil {
		return nil, fmt.Errorf("set up the client of %s: %w", baseURL, err)
	}
	return &Client{gh: gh, now: o.Now}, nil
}

// carrier copies the caller's HTTP client, so that wrapping its transport
// leaves the caller's own untouched.
func carrier(given *http.Client) (*http.Client, error) {
	client := &http.Client{}
	if given != nil {
		*client = *given
	}
	if client.Transport != nil {
		return client, nil
	}
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("set up the forge's HTTP client: http.DefaultTransport is a %T; pass Options.HTTP", http.DefaultTransport)
	}
	t := standard.Clone()
	t.ResponseHeaderTimeout = answerTimeout
	client.Transport = t
	return client, nil
}

// roots parses both base URLs and fills in what is empty.
func roots(base, upload string) (b, u *url.URL, err error) {
	switch {
	case base == "" && upload == "":
		base, upload = publicBase, publicUpload
	case base == "":
		base = publicBase
	case upload == "":
		upload = uploadBeside(base)
	}
	if b, err = root(base); err != nil {
		return nil, nil, err
	}
	if u, err = root(upload); err != nil {
		return nil, nil, err
	}
	return b, u, nil
}

// uploadBeside derives the upload root the way the two kinds of server lay it
// out: /api/v3/ has the sibling /api/uploads/, api.HOST has uploads.HOST.
func uploadBeside(base string) string {
	trimmed := strings.TrimSuffix(base, "/")
	if rest, ok := strings.CutSuffix(trimmed, "/api/v3"); ok {
		return rest + "/api/uploads/"
	}
	return strings.Replace(base, "://api.", "://uploads.", 1)
}

func root(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not the URL of a forge's API: write https://HOST/api/v3/", s)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}

// authTransport adds the token, and only for the forge itself: an asset's
// download is redirected to a store that must not see it.
type authTransport struct {
	token string
	hosts map[string]bool
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *authTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.token != "" && t.hosts[req.URL.Host] {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+t.token)
	}
	return t.next.RoundTrip(req)
}

// do is a call that the library has no fitting method for.
func (c *Client) do(ctx context.Context, method, path string, body, into any) error {
	req, err := c.gh.NewRequest(ctx, method, path, body)
	if err != nil {
		return err
	}
	_, err = c.gh.Do(req, into)
	return err
}

// firstPage asks for pages of the largest size.
func firstPage() github.ListOptions { return github.ListOptions{PerPage: perPage} }

// collect drains a paginated list and converts its items.
func collect[T, V any](items iter.Seq2[T, error], convert func(T) V) ([]V, error) {
	var out []V
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		out = append(out, convert(item))
	}
	return out, nil
}

// User returns the account behind the token.
func (c *Client) User(ctx context.Context) (forge.User, error) {
	u, _, err := c.gh.Users.Get(ctx, "")
	if err != nil {
		return forge.User{}, c.fail(err, "find the token's account")
	}
	return user(u), nil
}
