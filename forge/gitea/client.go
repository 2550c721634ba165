package gitea

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"

	"seaworthy/forge"
)

// Options say which forge to speak to and as whom.
type Options struct {
	// URL is where people look at the forge, https://gitea.example.org.
	URL string
	// Token authenticates every call, and is sent to the host of URL alone.
	// Empty means anonymous.
	Token string
	// HTTP carries the requests; nil means a client of its own.
	HTTP *http.Client
}

// Client is one account on one forge. It is safe for concurrent use.
type Client struct {
	url   string
	token string
	http  *http.Client
}

const (
	userAgent = "seaworthy"
	perPage   = 50 // Gitea's usual maximum
	// mostPages bounds lists, so that a forge that never ends one is no trap.
	mostPages = 2000
	// answerTimeout bounds the wait for an answer to begin, not its length.
	answerTimeout = time.Minute
)

// New returns a client. It makes no request; an error means a malformed URL.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("the address of a Gitea is needed: write https://HOST")
	}
	client := &http.Client{}
	if o.HTTP != nil {
		*client = *o.HTTP
	}
	if client.Transport == nil {
		standard, ok := http.DefaultTransport.(*http.Transport)
		if !ok {
			return nil, fmt.Errorf("set up the forge's HTTP client: http.DefaultTransport is a %T; pass Options.HTTP", http.DefaultTransport)
		}
		t := standard.Clone()
		t.ResponseHeaderTimeout = answerTimeout
		client.Transport = t
	}
	return &Client{url: strings.TrimSuffix(u.String(), "/"), token: o.Token, http: client}, nil
}

// api is the library's client for one call: it takes its context whole.
func (c *Client) api(ctx context.Context) (*gitea.Client, error) {
	options := []gitea.ClientOption{gitea.SetContext(ctx), gitea.SetHTTPClient(c.http), gitea.SetUserAgent(userAgent), gitea.SetGiteaVersion("")}
	if c.token != "" {
		options = append(options, gitea.SetToken(c.token))
	}
	api, err := gitea.NewClient(c.url, options...)
	if err != nil {
		return nil, fmt.Errorf("set up the client of %s: %w", c.url, err)
	}
	return api, nil
}

// fail says what was being attempted and sorts err into forge's kinds.
func fail(r *gitea.Response, err error, format string, args ...any) error {
	attempted := fmt.Sprintf(format, args...)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", attempted, err)
	}
	if r == nil || r.Response == nil {
		var unreachable *url.Error
		if errors.As(err, &unreachable) {
			address, _, _ := strings.Cut(unreachable.URL, "?")
			return fmt.Errorf("%s: %w: %w; check the forge's address and that it runs", attempted, forge.ErrUnavailable,
				&url.Error{Op: unreachable.Op, URL: address, Err: unreachable.Err})
		}
		return fmt.Errorf("%s: %w: %w", attempted, forge.ErrInvalid, err)
	}
	return refused(r.Response, err.Error(), attempted)
}

// refused sorts an answer of the forge.
func refused(r *http.Response, said, attempted string) error {
	kind, hint := forge.ErrInvalid, ""
	words := strings.ToLower(said)
	switch status := r.StatusCode; {
	case status == http.StatusUnauthorized:
		kind, hint = forge.ErrUnauthorized, "; give a token that the forge knows"
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("%s: %w", attempted, &forge.RateLimitError{Until: retryAt(r), Cause: fmt.Errorf("the forge answered %d", status)})
	case status == http.StatusForbidden:
		kind, hint = forge.ErrForbidden, "; the token's account needs more rights here"
	case status == http.StatusNotFound, status == http.StatusGone, status == http.StatusUnprocessableEntity && strings.Contains(words, "does not exist"):
		kind = forge.ErrNotFound
	case status == http.StatusConflict, strings.Contains(words, "already exist"):
		kind = forge.ErrExists
	case status == http.StatusMethodNotAllowed, status == http.StatusPreconditionFailed:
		kind = forge.ErrConflict
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		kind, hint = forge.ErrUnavailable, "; try again later"
	}
	return fmt.Errorf("%s: %w: the forge answered %d: %s%s", attempted, kind, r.StatusCode, strings.TrimSpace(said), hint)
}

// retryAt is when a forge that asks to wait may be asked again.
func retryAt(r *http.Response) time.Time {
	if d, err := time.ParseDuration(r.Header.Get("Retry-After") + "s"); err == nil && d > 0 {
		return time.Now().Add(d).UTC()
	}
	return time.Now().Add(time.Minute).UTC()
}

// collect asks for one page after the other.
func collect[T, V any](convert func(T) V, ask func(o gitea.ListOptions) ([]T, *gitea.Response, error)) ([]V, *gitea.Response, error) {
	var all []V
	for page := 1; page <= mostPages; page++ {
		items, r, err := ask(gitea.ListOptions{Page: page, PageSize: perPage})
		if err != nil {
			return nil, r, err
		}
		for _, i := range items {
			all = append(all, convert(i))
		}
		// The last page is the one that names no next. A forge that sends no
		// links has come to its end when nothing is left.
		if len(items) == 0 || r.NextPage == 0 && (r.Header.Get("Link") != "" || len(items) < perPage) {
			return all, r, nil
		}
	}
	return nil, nil, fmt.Errorf("the list has no end after %d pages", mostPages)
}

// User returns the account behind the token.
func (c *Client) User(ctx context.Context) (forge.User, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.User{}, err
	}
	u, r, err := api.GetMyUserInfo()
	if err != nil {
		return forge.User{}, fail(r, err, "find the token's account")
	}
	return forge.User{Login: u.UserName, Name: u.FullName, Email: u.Email}, nil
}

func login(u *gitea.User) string {
	if u == nil {
		return ""
	}
	return u.UserName
}
