package local

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/store/hosted"
)

// right is what a caller may do; each includes the ones before it.
type right int

const (
	anyone    right = iota // no account needed
	canRead                // sees the repository
	canTalk                // is somebody, and sees the repository: opens issues, comments
	canTriage              // labels, assigns, closes
	canWrite               // pushes, merges, sets statuses
	canMaintain
	canAdmin // changes settings, hooks and protection
)

// permissionRights maps GitHub's names of permissions, old and new.
var permissionRights = map[string]right{
	"pull": canTalk, "read": canTalk, "triage": canTriage, "push": canWrite, "write": canWrite, "maintain": canMaintain, "admin": canAdmin,
}

// route is one call of the API. A pattern that starts with /repos/{owner}/{repo}
// is refused before do is called unless the caller has the needed right there;
// elsewhere any right but anyone demands an account.
type route struct {
	pattern string
	need    right
	do      func(*call) error
}

const (
	apiPrefix    = "/api/v3"
	uploadPrefix = "/api/uploads"
	repoPattern  = "/repos/{owner}/{repo}"
)

// Handler serves the forge.
func (f *Forge) Handler() http.Handler {
	rt := &router{}
	add := func(prefix string, routes []route) {
		for _, r := range routes {
			method, path, _ := strings.Cut(r.pattern, " ")
			rt.add(method, prefix+path, f.serve(r))
		}
	}
	add(apiPrefix, f.routes())
	add(uploadPrefix, f.uploadRoutes())
	add("", f.siteRoutes())
	nothing := f.serve(route{do: func(*call) error { return notFound() }})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rt.serve(w, r, nothing) })
}

// Serves reports whether a path is one that Handler answers, for whoever
// mounts it beside something else.
func Serves(path string) bool {
	if strings.HasPrefix(path, apiPrefix+"/") || strings.HasPrefix(path, uploadPrefix+"/") {
		return true
	}
	p := strings.Split(strings.TrimPrefix(path, "/"), "/")
	return len(p) > 2 && (strings.HasSuffix(p[1], ".git") || len(p) > 4 && p[2] == "releases" && slices.Contains(p[3:5], "download"))
}

func (f *Forge) routes() []route {
	return slices.Concat(f.metaRoutes(), f.adminRoutes(), f.repoRoutes(), f.protectionRoutes(), f.contentRoutes(), f.refRoutes(), f.commitRoutes(),
		f.pullRoutes(), f.reviewRoutes(), f.issueRoutes(), f.labelRoutes(), f.milestoneRoutes(), f.checkRoutes(), f.releaseRoutes(), f.hookRoutes())
}

// serve wraps a route: who calls, what may they, and how errors are answered.
func (f *Forge) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{f: f, w: w, r: r, q: f.store.Read()}
		h := w.Header()
		h.Set("X-GitHub-Request-Id", rand.Text())
		h.Set("X-Content-Type-Options", "nosniff")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("X-GitHub-Media-Type", mediaType(r.Header.Get("Accept")))
			h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
			c.rateLimit()
		}
		err := c.authenticate()
		if err == nil {
			err = c.authorize(rt.pattern, rt.need)
		}
		if err == nil {
			err = rt.do(c)
		}
		if err != nil && !c.wrote {
			c.writeError(err)
		} else if err != nil {
			f.log.Warn("answer cut short", "method", r.Method, "path", r.URL.Path, "error", err)
		}
	})
}

// mediaType says how an Accept header was understood, as GitHub does.
func mediaType(accept string) string {
	if _, after, ok := strings.Cut(accept, "application/vnd.github"); ok {
		parts := strings.FieldsFunc(strings.SplitN(after, ",", 2)[0], func(r rune) bool { return r == '.' || r == '+' || r == ';' })
		for _, p := range parts { // with the version in front ("v3.raw") or without
			if slices.Contains([]string{"raw", "object", "diff", "patch", "sha"}, p) {
				return "github.v3; param=" + p + "; format=json"
			}
		}
	}
	return "github.v3; format=json"
}

// authenticate finds the account behind a request's token: "Authorization:
// token X", "Bearer X", or Basic with the token as password (as git does).
func (c *call) authenticate() error {
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return nil
	}
	token := ""
	if user, pass, ok := c.r.BasicAuth(); ok {
		if token = pass; token == "" || token == "x-oauth-basic" {
			token = user
		}
	} else if scheme, rest, ok := strings.Cut(header, " "); ok && (strings.EqualFold(scheme, "token") || strings.EqualFold(scheme, "Bearer")) {
		token = strings.TrimSpace(rest)
	}
	// The token is looked up by its hash, so the time it takes says nothing
	// about how much of a guess is right.
	a, err := c.q.AccountByToken(c.ctx(), hashToken(token))
	if errors.Is(err, hosted.ErrNotFound) {
		return fail(http.StatusUnauthorized, "Bad credentials")
	}
	c.user = a
	return err
}

// authorize loads the repository a path is about and checks the caller's right.
func (c *call) authorize(pattern string, need right) error {
	if strings.Contains(pattern, "/{owner}/{repo}") {
		return c.authorizeRepo(need)
	}
	if need > anyone && c.user.Login == "" {
		return fail(http.StatusUnauthorized, "Requires authentication")
	}
	if need >= canAdmin && !c.user.Admin {
		return fail(http.StatusForbidden, "Must be an administrator")
	}
	return nil
}

func (c *call) authorizeRepo(need right) error {
	name := forge.RepoName{Owner: c.path("owner"), Name: strings.TrimSuffix(c.path("repo"), ".git")}
	if !name.Valid() {
		return notFound()
	}
	repo, err := c.q.Repo(c.ctx(), name.Owner, name.Name)
	if errors.Is(err, hosted.ErrNotFound) {
		return c.unseen()
	}
	if err != nil {
		return err
	}
	have, err := rightIn(c.ctx(), c.q, repo, c.user)
	if err != nil {
		return err
	}
	c.repo, c.right = repo, have
	if have < canRead {
		return c.unseen() // a private repository is not even there
	}
	return c.require(need)
}

// unseen answers for a repository that the caller does not see. Git sends no
// credentials before it is asked for them, so outside the API, nobody in
// particular is asked.
func (c *call) unseen() error {
	if c.user.Login == "" && !strings.HasPrefix(c.r.URL.Path, "/api/") {
		return fail(http.StatusUnauthorized, "Requires authentication")
	}
	return notFound()
}

// require refuses a caller who lacks a right in the repository.
func (c *call) require(need right) error {
	switch {
	case c.right < need && c.user.Login == "":
		return fail(http.StatusUnauthorized, "Requires authentication")
	case c.right < need && need >= canAdmin:
		return fail(http.StatusForbidden, "Must have admin rights to Repository.")
	case c.right < need:
		return fail(http.StatusForbidden, "Resource not accessible: %s may not do this in %s", c.user.Login, c.repo.FullName())
	case c.repo.Archived && need > canRead && c.r.Method != http.MethodGet && !(need >= canAdmin):
		return fail(http.StatusForbidden, "Repository was archived so is read-only.")
	}
	return nil
}
