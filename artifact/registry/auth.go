package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Action is what somebody may do to a repository.
type Action string

// Actions, as scopes of tokens name them.
const (
	Pull   Action = "pull"   // read images and lists
	Push   Action = "push"   // add images, move tags
	Delete Action = "delete" // remove images, tags and blobs
)

// ErrCredentials: no account has that name and password.
var ErrCredentials = errors.New("no account has this name and password")

// Authorizer decides who may do what.
type Authorizer interface {
	// Account names the account that a user name and a password, which may be
	// a token, belong to. ErrCredentials if none does.
	Account(ctx context.Context, user, password string) (string, error)
	// Allowed reports whether an account may do something to a repository,
	// whether that exists or not. The empty account is somebody unknown.
	Allowed(ctx context.Context, account, repository string, a Action) (bool, error)
}

const tokenPath = "/v2/token"

// identity is who asks: an account, or nobody known; and what the token that
// he came with, if he did, was made for.
type identity struct {
	account string
	bearer  bool
	grants  []grant
}

func (c *call) identity() (identity, error) {
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return identity{}, nil
	}
	if user, password, ok := c.r.BasicAuth(); ok {
		account, err := c.account(user, password)
		return identity{account: account}, err
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return identity{}, refuse(http.StatusUnauthorized, codeUnauthorized, "only Basic and Bearer are understood")
	}
	claims, err := c.g.openToken(strings.TrimSpace(token))
	if err != nil {
		c.why = "invalid_token"
		return identity{}, refuse(http.StatusUnauthorized, codeUnauthorized, "%v: ask %s for a new one", err, tokenPath)
	}
	return identity{account: claims.Account, bearer: true, grants: claims.Access}, nil
}

func (c *call) account(user, password string) (string, error) {
	account, err := c.g.authorizer.Account(c.r.Context(), user, password)
	if errors.Is(err, ErrCredentials) {
		return "", refuse(http.StatusUnauthorized, codeUnauthorized, "%v", ErrCredentials)
	}
	if err != nil {
		return "", fmt.Errorf("looking up an account: %w", err)
	}
	return account, nil
}

// permit returns why the caller may not do something to a repository.
func (c *call) permit(repo string, a Action) error {
	if c.g.authorizer == nil {
		return nil
	}
	c.wanted = []grant{{repo, []Action{Pull}}}
	if a != Pull {
		c.wanted[0].Actions = append(c.wanted[0].Actions, a)
	}
	who, err := c.identity()
	if err != nil {
		return err
	}
	if who.bearer && granted(who.grants, repo, a) {
		return nil
	}
	allowed, err := c.allowed(who.account, repo, a)
	if err != nil {
		return err
	}
	switch {
	case allowed && who.bearer:
		c.why = "insufficient_scope"
		return refuse(http.StatusUnauthorized, codeUnauthorized, "the token was not made for this: ask for one to %s %s", a, repo)
	case allowed:
		return nil
	case who.account == "":
		return refuse(http.StatusUnauthorized, codeUnauthorized, "log in to %s %s", a, repo)
	}
	return refuse(http.StatusForbidden, codeDenied, "%s may not %s %s: ask its owner", who.account, a, repo)
}

func (c *call) allowed(account, repo string, a Action) (bool, error) {
	ok, err := c.g.authorizer.Allowed(c.r.Context(), account, repo, a)
	if err != nil {
		return false, fmt.Errorf("asking whether %q may %s %s: %w", account, a, repo, err)
	}
	return ok, nil
}

// mayRead reports whether the caller may read another repository than the one
// he came for. What his token was made for does not matter: clients that mount
// a blob do not know beforehand where from.
func (c *call) mayRead(repo string) (bool, error) {
	if c.g.authorizer == nil {
		return true, nil
	}
	who, err := c.identity()
	if err != nil {
		return false, err
	}
	return c.allowed(who.account, repo, Pull)
}

// challenge tells a client where to get a token for what it wants.
func (c *call) challenge() {
	if c.target.kind == kindToken {
		c.w.Header().Set("WWW-Authenticate", `Basic realm="registry", charset="UTF-8"`)
		return
	}
	scheme := "http"
	if c.r.TLS != nil || strings.EqualFold(c.r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	realm := url.URL{Scheme: scheme, Host: c.r.Host, Path: tokenPath}
	text := fmt.Sprintf("Bearer realm=%q,service=%q", realm.String(), c.r.Host)
	if len(c.wanted) > 0 {
		text += fmt.Sprintf(",scope=%q", scopes(c.wanted))
	}
	if c.why != "" {
		text += fmt.Sprintf(",error=%q", c.why)
	}
	c.w.Header().Set("WWW-Authenticate", text)
}

// wireToken is what the token endpoint answers. Clients read one or the other
// of the two names.
type wireToken struct {
	Token       string    `json:"token"`
	AccessToken string    `json:"access_token"`
	ExpiresIn   int       `json:"expires_in"`
	IssuedAt    time.Time `json:"issued_at"`
}

// token hands out a token for as much of what is asked for as the caller may
// do: by GET with Basic credentials or none, or by POST as OAuth 2.0 has it.
// https://distribution.github.io/distribution/spec/auth/token/
func (c *call) token() error {
	if c.g.authorizer == nil {
		return refuse(http.StatusNotFound, codeUnsupported, "this registry asks nobody for a token")
	}
	var who identity
	var err error
	if c.r.Method == http.MethodPost {
		who, err = c.passwordGrant()
	} else if _, _, ok := c.r.BasicAuth(); ok || c.r.Header.Get("Authorization") != "" {
		who, err = c.identity()
	}
	if err != nil {
		return err
	}
	asked, err := parseScopes(c.r.Form, c.r.URL.Query())
	if err != nil {
		return err
	}
	var given []grant
	for _, want := range asked {
		var actions []Action
		for _, a := range want.Actions {
			// A token is worth no more than the one it was asked for with.
			if who.bearer && !granted(who.grants, want.Repository, a) {
				continue
			}
			ok, err := c.allowed(who.account, want.Repository, a)
			if err != nil {
				return err
			}
			if ok {
				actions = append(actions, a)
			}
		}
		if len(actions) > 0 {
			given = append(given, grant{want.Repository, actions})
		}
	}
	now := c.g.now().UTC().Truncate(time.Second)
	token, err := c.g.sealToken(claims{Account: who.account, Expires: now.Add(tokenLife).Unix(), Access: given})
	if err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	c.json(http.StatusOK, wireToken{token, token, int(tokenLife.Seconds()), now})
	return nil
}

// maxForm bounds the body of a request for a token.
const maxForm = 64 << 10

func (c *call) passwordGrant() (identity, error) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxForm)
	if err := c.r.ParseForm(); err != nil {
		return identity{}, refuse(http.StatusBadRequest, codeUnsupported, "the request for a token is no form")
	}
	if kind := c.r.PostForm.Get("grant_type"); kind != "password" {
		return identity{}, refuse(http.StatusBadRequest, codeUnsupported, "grant_type is %q, only password is known", kind)
	}
	account, err := c.account(c.r.PostForm.Get("username"), c.r.PostForm.Get("password"))
	return identity{account: account}, err
}

func granted(grants []grant, repo string, a Action) bool {
	return slices.ContainsFunc(grants, func(g grant) bool { return g.Repository == repo && slices.Contains(g.Actions, a) })
}
