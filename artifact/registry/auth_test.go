package registry_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"seaworthy/artifact/registry"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// guarded is a registry that knows people, with an image in ada/public and one
// in ada/secret, and a clock that can be put forward.
func guarded(t *testing.T) (*client, *atomic.Int64) {
	t.Helper()
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	c := dial(t, registry.Options{Authorizer: people{}, Secret: secret, Now: now})
	for _, repo := range []string{"ada/public", "ada/secret"} {
		for _, content := range []string{"{}", repo} {
			c.do(201, "POST", "/v2/"+repo+"/blobs/uploads/?digest="+sha256Of([]byte(content)), content, "Authorization", basic("ada", "ada-token"))
		}
		c.do(201, "PUT", "/v2/"+repo+"/manifests/v1", manifestOf([]byte("{}"), []byte(repo)), "Content-Type", imageType, "Authorization", basic("ada", "ada-token"))
	}
	return c, &later
}

// token asks for one.
func (c *client) token(credentials string, scopes ...string) string {
	c.t.Helper()
	var header []string
	if credentials != "" {
		header = []string{"Authorization", credentials}
	}
	h, text := c.do(200, "GET", "/v2/token?"+url.Values{"service": {"x"}, "scope": scopes}.Encode(), "", header...)
	answer := decode[struct {
		Token       string
		AccessToken string    `json:"access_token"`
		ExpiresIn   int       `json:"expires_in"`
		IssuedAt    time.Time `json:"issued_at"`
	}](c.t, text)
	if answer.Token == "" || answer.Token != answer.AccessToken || answer.ExpiresIn != 300 || answer.IssuedAt.IsZero() || h.Get("Cache-Control") != "no-store" {
		c.t.Fatalf("%s", text)
	}
	return "Bearer " + answer.Token
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	c, _ := guarded(t)
	read := "repository:ada/public:pull"
	write := "repository:ada/public:pull,push"
	for name, r := range map[string]struct {
		credentials  string
		method, path string
		status       int
	}{
		"anyone, root":                    {"", "GET", "/v2/", 401},
		"ada, root":                       {basic("ada", "ada-token"), "GET", "/v2/", 200},
		"wrong password, root":            {basic("ada", "x"), "GET", "/v2/", 401},
		"anonymous token, root":           {c.token(""), "GET", "/v2/", 200},
		"anyone, public":                  {"", "GET", "/v2/ada/public/manifests/v1", 200},
		"anyone, secret":                  {"", "GET", "/v2/ada/secret/manifests/v1", 401},
		"anyone, secret that is not":      {"", "GET", "/v2/ada/secret9/manifests/v1", 401},
		"ben, secret":                     {basic("ben", "ben-token"), "GET", "/v2/ada/secret/manifests/v1", 403},
		"ada, secret":                     {basic("ada", "ada-token"), "GET", "/v2/ada/secret/manifests/v1", 200},
		"wrong password, public":          {basic("ada", "x"), "GET", "/v2/ada/public/manifests/v1", 401},
		"anyone, push":                    {"", "POST", "/v2/ada/public/blobs/uploads/", 401},
		"ben, push":                       {basic("ben", "ben-token"), "POST", "/v2/ada/public/blobs/uploads/", 403},
		"ada, push":                       {basic("ada", "ada-token"), "POST", "/v2/ada/public/blobs/uploads/", 202},
		"ada, push elsewhere":             {basic("ada", "ada-token"), "POST", "/v2/ben/public/blobs/uploads/", 403},
		"anyone, delete":                  {"", "DELETE", "/v2/ada/public/manifests/v9", 401},
		"ben, delete":                     {basic("ben", "ben-token"), "DELETE", "/v2/ada/public/manifests/v9", 403},
		"ada, delete":                     {basic("ada", "ada-token"), "DELETE", "/v2/ada/public/manifests/v9", 404},
		"token to pull, pull":             {c.token("", read), "GET", "/v2/ada/public/tags/list", 200},
		"ada's token to pull, push":       {c.token(basic("ada", "ada-token"), read), "POST", "/v2/ada/public/blobs/uploads/", 401},
		"ada's token to push, push":       {c.token(basic("ada", "ada-token"), write), "POST", "/v2/ada/public/blobs/uploads/", 202},
		"ada's token to push, delete":     {c.token(basic("ada", "ada-token"), write), "DELETE", "/v2/ada/public/manifests/v9", 401},
		"ada's token for all, delete":     {c.token(basic("ada", "ada-token"), "repository:ada/public:*"), "DELETE", "/v2/ada/public/manifests/v9", 404},
		"ada's token, elsewhere":          {c.token(basic("ada", "ada-token"), write), "GET", "/v2/ada/secret/tags/list", 401},
		"token for two, the second":       {c.token(basic("ada", "ada-token"), read+" repository:ada/secret:pull"), "GET", "/v2/ada/secret/tags/list", 200},
		"token for two, two parameters":   {c.token(basic("ada", "ada-token"), read, "repository:ada/secret:pull"), "GET", "/v2/ada/secret/tags/list", 200},
		"ben's token to push, push":       {c.token(basic("ben", "ben-token"), write), "POST", "/v2/ada/public/blobs/uploads/", 403},
		"anonymous token to push, push":   {c.token("", write), "POST", "/v2/ada/public/blobs/uploads/", 401},
		"token from a narrower one":       {c.token(c.token(basic("ada", "ada-token"), read), write), "POST", "/v2/ada/public/blobs/uploads/", 401},
		"no such scheme":                  {"Digest x", "GET", "/v2/ada/public/tags/list", 401},
		"no token of ours":                {"Bearer x", "GET", "/v2/ada/public/tags/list", 401},
		"nothing in it":                   {"Bearer", "GET", "/v2/ada/public/tags/list", 401},
		"scope of another kind":           {c.token("", "registry:catalog:*"), "GET", "/v2/_catalog", 200},
		"token endpoint, wrong password":  {basic("ada", "x"), "GET", "/v2/token", 401},
		"token endpoint, name of no repo": {"", "GET", "/v2/token?scope=repository:../x:pull", 400},
		"token endpoint, PUT":             {"", "PUT", "/v2/token", 405},
		"token endpoint, too many scopes": {"", "GET", "/v2/token?scope=" + manyScopes(), 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var header []string
			if r.credentials != "" {
				header = []string{"Authorization", r.credentials}
			}
			h, text := (&client{t, c.at}).do(r.status, r.method, r.path, "", header...)
			if (r.status == 401) != (h.Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate: %q", h.Get("WWW-Authenticate"))
			}
			for code, want := range map[int]string{401: "UNAUTHORIZED", 403: "DENIED"} {
				if r.status == code && !strings.Contains(text, want) {
					t.Errorf("%s", text)
				}
			}
		})
	}
}

func manyScopes() string {
	var all []string
	for i := range 101 {
		all = append(all, "repository:a"+strings.Repeat("b", i)+":pull")
	}
	return url.QueryEscape(strings.Join(all, " "))
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	c, later := guarded(t)
	host := strings.TrimPrefix(c.at, "http://")
	start := `Bearer realm="` + c.at + `/v2/token",service="` + host + `"`
	expired := c.token(basic("ada", "ada-token"), "repository:ada/public:pull")
	narrow := expired
	for _, r := range []struct{ credentials, method, path, want string }{
		{"", "GET", "/v2/", start},
		{"", "GET", "/v2/ada/secret/tags/list", start + `,scope="repository:ada/secret:pull"`},
		{"", "PUT", "/v2/ada/public/manifests/x", start + `,scope="repository:ada/public:pull,push"`},
		{"", "DELETE", "/v2/ada/public/manifests/x", start + `,scope="repository:ada/public:pull,delete"`},
		{narrow, "PUT", "/v2/ada/public/manifests/x", start + `,scope="repository:ada/public:pull,push",error="insufficient_scope"`},
		{"Bearer x.y", "GET", "/v2/ada/public/tags/list", start + `,scope="repository:ada/public:pull",error="invalid_token"`},
		{basic("ada", "x"), "GET", "/v2/token", `Basic realm="registry", charset="UTF-8"`},
	} {
		var header []string
		if r.credentials != "" {
			header = []string{"Authorization", r.credentials}
		}
		h, _ := c.do(401, r.method, r.path, "", header...)
		if have := h.Get("WWW-Authenticate"); have != r.want {
			t.Errorf("%s %s: %s, want %s", r.method, r.path, have, r.want)
		}
	}
	h, _ := c.do(401, "GET", "/v2/", "", "X-Forwarded-Proto", "https")
	if have := h.Get("WWW-Authenticate"); !strings.HasPrefix(have, `Bearer realm="https://`) {
		t.Error(have)
	}
	c.do(200, "GET", "/v2/ada/public/tags/list", "", "Authorization", expired)
	later.Store(int64(6 * time.Minute))
	if text := c.refused(401, "UNAUTHORIZED", "GET", "/v2/ada/public/tags/list", "", "Authorization", expired); !strings.Contains(text, "expired") {
		t.Error(text)
	}
}

// TestForgedTokens alters what a token says, and its signature.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	c, _ := guarded(t)
	text, mac, _ := strings.Cut(strings.TrimPrefix(c.token(basic("ben", "ben-token"), "repository:ada/public:pull"), "Bearer "), ".")
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	asAda := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(body), `"ben"`, `"ada"`, 1)))
	other := dial(t, registry.Options{Authorizer: people{}, Secret: []byte("another secret of that length ok")}).token(basic("ada", "ada-token"), "repository:ada/secret:pull")
	for _, token := range []string{asAda + "." + mac, text + "." + mac[1:], text + ".", text, "." + mac, ".", mac + "." + text, strings.TrimPrefix(other, "Bearer ")} {
		c.refused(401, "UNAUTHORIZED", "GET", "/v2/ada/secret/tags/list", "", "Authorization", "Bearer "+token)
	}
}

func TestPasswordGrant(t *testing.T) {
	t.Parallel()
	c, _ := guarded(t)
	form := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	kind := []string{"Content-Type", "application/x-www-form-urlencoded"}
	_, text := c.do(200, "POST", "/v2/token", form("grant_type", "password", "username", "ada", "password", "ada-token", "scope", "repository:ada/secret:pull,push"), kind...)
	token := decode[struct{ Token string }](t, text).Token
	c.do(202, "POST", "/v2/ada/secret/blobs/uploads/", "", "Authorization", "Bearer "+token)
	c.refused(401, "UNAUTHORIZED", "POST", "/v2/token", form("grant_type", "password", "username", "ada", "password", "x"), kind...)
	c.refused(400, "UNSUPPORTED", "POST", "/v2/token", form("grant_type", "refresh_token"), kind...)
	c.refused(400, "UNSUPPORTED", "POST", "/v2/token", strings.Repeat("x", 100_000), kind...)
}

// TestMountsNeedTheRightToRead keeps what one may not read from being mounted,
// whichever way it is asked for.
func TestMountsNeedTheRightToRead(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	all := dial(t, registry.Options{Bucket: bucket})
	hidden, public := all.blob("ada/secret", "hidden"), all.blob("eve/tool", "public")
	c := dial(t, registry.Options{Bucket: bucket, Authorizer: everyoneMayPush{}, Secret: secret})
	c.do(202, "POST", "/v2/ben/x/blobs/uploads/?from=ada/secret&mount="+hidden, "")
	c.do(202, "POST", "/v2/ben/x/blobs/uploads/?mount="+hidden, "")
	c.do(404, "HEAD", "/v2/ben/x/blobs/"+hidden, "")
	c.do(201, "POST", "/v2/ben/x/blobs/uploads/?from=eve/tool&mount="+public, "")
	c.do(201, "POST", "/v2/ben/y/blobs/uploads/?mount="+public, "")
	// He who has the bytes may have them.
	c.blob("ben/x", "hidden")
}

type everyoneMayPush struct{ people }

func (e everyoneMayPush) Allowed(ctx context.Context, account, repository string, a registry.Action) (bool, error) {
	if strings.HasPrefix(repository, "ben/") {
		return true, nil
	}
	return e.people.Allowed(ctx, account, repository, a)
}

func TestCatalogShowsWhatOneMayRead(t *testing.T) {
	t.Parallel()
	c, _ := guarded(t)
	for credentials, want := range map[string]string{
		"":                                 `{"repositories":["ada/public"]}`,
		basic("ben", "ben-token"):          `{"repositories":["ada/public"]}`,
		basic("ada", "ada-token"):          `{"repositories":["ada/public","ada/secret"]}`,
		c.token(basic("ada", "ada-token")): `{"repositories":["ada/public","ada/secret"]}`,
	} {
		var header []string
		if credentials != "" {
			header = []string{"Authorization", credentials}
		}
		if _, text := c.do(200, "GET", "/v2/_catalog", "", header...); text != want {
			t.Errorf("%s", text)
		}
	}
}

// TestTroubleIsNotTold keeps what is wrong inside from those outside.
func TestTroubleIsNotTold(t *testing.T) {
	t.Parallel()
	c, _ := guarded(t)
	for _, text := range []string{
		c.refused(500, "UNKNOWN", "GET", "/v2/broken/x/tags/list", ""),
		c.refused(500, "UNKNOWN", "GET", "/v2/token", "", "Authorization", basic("ada", "broken")),
	} {
		if strings.Contains(text, "hunter2") {
			t.Error(text)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if _, err := registry.New(registry.Options{}); err == nil {
		t.Error("a registry without a bucket")
	}
	if _, err := registry.New(registry.Options{Bucket: folder(t, t.TempDir()), Authorizer: people{}, Secret: []byte("short")}); err == nil {
		t.Error("a registry with a short secret")
	}
	c := dial(t, registry.Options{})
	c.refused(http.StatusNotFound, "UNSUPPORTED", "GET", "/v2/token", "")
}
