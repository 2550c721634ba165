package local

import (
	"errors"
	"net/http"
	"strings"

	"seaworthy/store/hosted"
)

func (f *Forge) metaRoutes() []route {
	return []route{
		{"GET /", anyone, (*call).root},
		{"GET /meta", anyone, (*call).meta},
		{"GET /rate_limit", anyone, (*call).getRateLimit},
		{"GET /zen", anyone, func(c *call) error {
			return c.bytes(http.StatusOK, "text/plain;charset=utf-8", []byte("Approachable is better than simple."))
		}},
		{"GET /user", canTalk, (*call).getSelf},
		{"GET /users/{login}", anyone, (*call).getUser},
		{"GET /orgs/{login}", anyone, (*call).getOrganization},
	}
}

// addresses are what the root of the API names, below its own address. Not all
// of them are served.
var addresses = map[string]string{
	"current_user_url": "/user", "current_user_authorizations_html_url": "/settings/connections/applications{/client_id}",
	"authorizations_url": "/authorizations", "code_search_url": "/search/code?q={query}{&page,per_page,sort,order}",
	"commit_search_url": "/search/commits?q={query}{&page,per_page,sort,order}", "emails_url": "/user/emails", "emojis_url": "/emojis",
	"events_url": "/events", "feeds_url": "/feeds", "followers_url": "/user/followers", "following_url": "/user/following{/target}",
	"gists_url": "/gists{/gist_id}", "issue_search_url": "/search/issues?q={query}{&page,per_page,sort,order}", "issues_url": "/issues",
	"keys_url": "/user/keys", "label_search_url": "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
	"notifications_url": "/notifications", "organization_url": "/orgs/{org}",
	"organization_repositories_url": "/orgs/{org}/repos{?type,page,per_page,sort}", "organization_teams_url": "/orgs/{org}/teams",
	"public_gists_url": "/gists/public", "rate_limit_url": "/rate_limit", "repository_url": "/repos/{owner}/{repo}",
	"repository_search_url":         "/search/repositories?q={query}{&page,per_page,sort,order}",
	"current_user_repositories_url": "/user/repos{?type,page,per_page,sort}", "starred_url": "/user/starred{/owner}{/repo}",
	"starred_gists_url": "/gists/starred", "user_url": "/users/{user}", "user_organizations_url": "/user/orgs",
	"user_repositories_url": "/users/{user}/repos{?type,page,per_page,sort}", "user_search_url": "/search/users?q={query}{&page,per_page,sort,order}",
}

func (c *call) root() error {
	all := make(map[string]string, len(addresses))
	for name, path := range addresses {
		all[name] = c.f.base + apiPrefix + path
	}
	return c.json(http.StatusOK, all)
}

func (c *call) meta() error {
	return c.json(http.StatusOK, struct {
		Verifiable bool   `json:"verifiable_password_authentication"`
		Version    string `json:"installed_version"`
	}{false, "3.19.0"})
}

func (c *call) getRateLimit() error {
	r := c.f.rate()
	var out struct {
		Resources struct {
			Core   wireRate `json:"core"`
			Search wireRate `json:"search"`
		} `json:"resources"`
		Rate wireRate `json:"rate"`
	}
	out.Resources.Core, out.Resources.Search, out.Rate = r, r, r
	return c.json(http.StatusOK, out)
}

func (c *call) publicRepos(a hosted.Account) (int, error) {
	_, n, err := c.q.Repos(c.ctx(), a.Login, hosted.Account{}, hosted.Page{Limit: 1})
	return n, err
}

func (c *call) getSelf() error {
	n, err := c.publicRepos(c.user)
	return answer(c, http.StatusOK, wirePrivateProfile{wireProfile: c.f.wireProfile(c.user, n)}, err)
}

func (c *call) getUser() error {
	a, err := c.q.Account(c.ctx(), c.path("login"))
	if err != nil {
		return err
	}
	n, err := c.publicRepos(a)
	return answer(c, http.StatusOK, c.f.wireProfile(a, n), err)
}

func (c *call) getOrganization() error {
	a, err := c.q.Account(c.ctx(), c.path("login"))
	if err != nil {
		return err
	}
	if a.Kind != kindOrganization {
		return notFound()
	}
	n, err := c.publicRepos(a)
	if err != nil {
		return err
	}
	u := c.f.api("/orgs/%s", a.Login)
	return c.json(http.StatusOK, struct {
		wireProfile
		Name                    string `json:"name,omitempty"`
		Email                   string `json:"email,omitempty"`
		Company                 string `json:"company,omitempty"`
		Blog                    string `json:"blog,omitempty"`
		Location                string `json:"location,omitempty"`
		URL                     string `json:"url"`
		HooksURL                string `json:"hooks_url"`
		IssuesURL               string `json:"issues_url"`
		MembersURL              string `json:"members_url"`
		PublicMembersURL        string `json:"public_members_url"`
		Description             string `json:"description"`
		HasOrganizationProjects bool   `json:"has_organization_projects"`
		HasRepositoryProjects   bool   `json:"has_repository_projects"`
		ArchivedAt              *stamp `json:"archived_at"`
	}{wireProfile: c.f.wireProfile(a, n), Name: a.Name, Email: a.Email, URL: u, HooksURL: u + "/hooks", IssuesURL: u + "/issues",
		MembersURL: u + "/members{/member}", PublicMembersURL: u + "/public_members{/member}"})
}

// wireCollaborator is a user with what he may do.
type wireCollaborator struct {
	wireUser
	Permissions wirePermissions `json:"permissions"`
	RoleName    string          `json:"role_name"`
}

// roleNames are GitHub's newer names of rights.
var roleNames = map[right]string{canRead: "read", canTalk: "read", canTriage: "triage", canWrite: "write", canMaintain: "maintain", canAdmin: "admin"}

func (c *call) collaborator(login string, have right) (*wireCollaborator, error) {
	u, err := c.view().user(c.ctx(), login)
	if err != nil {
		return nil, err
	}
	return &wireCollaborator{*u, permissions(have), roleNames[have]}, nil
}

// members lists the owner, if a person, and the collaborators.
func (c *call) members() ([]*wireCollaborator, error) {
	var all []*wireCollaborator
	owner, err := c.q.Account(c.ctx(), c.repo.Owner)
	if err != nil {
		return nil, err
	}
	if owner.Kind != kindOrganization {
		w, err := c.collaborator(owner.Login, canAdmin)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	rows, err := c.q.Collaborators(c.ctx(), c.repo.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		w, err := c.collaborator(r.Login, permissionRights[r.Permission])
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

func (c *call) listCollaborators() error {
	all, err := c.members()
	if err != nil {
		return err
	}
	want, filtered := permissionRights[c.query("permission")]
	kept := []*wireCollaborator{}
	for _, w := range all {
		if !filtered || permissionRights[w.RoleName] >= want {
			kept = append(kept, w)
		}
	}
	return c.json(http.StatusOK, slice(c, kept))
}

func (c *call) isCollaborator() error {
	if strings.EqualFold(c.path("login"), c.repo.Owner) {
		return c.empty(http.StatusNoContent)
	}
	if _, err := c.q.Collaborator(c.ctx(), c.repo.ID, c.path("login")); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// addCollaborator takes effect at once: nobody is invited.
func (c *call) addCollaborator() error {
	in := struct {
		Permission string `json:"permission"`
	}{"push"}
	if err := c.decode(&in); err != nil {
		return err
	}
	if _, ok := permissionRights[in.Permission]; !ok {
		return invalid("Repository", "permission", "invalid", "permission is one of pull, triage, push, maintain, admin")
	}
	a, err := c.q.Account(c.ctx(), c.path("login"))
	if err != nil {
		return err
	}
	switch in.Permission {
	case "read":
		in.Permission = "pull"
	case "write":
		in.Permission = "push"
	}
	if err := c.f.store.Write(c.ctx(), func(q *hosted.Queries) error {
		return q.SetCollaborator(c.ctx(), hosted.Collaborator{RepoID: c.repo.ID, Login: a.Login, Permission: in.Permission})
	}); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) removeCollaborator() error {
	if err := c.f.store.Write(c.ctx(), func(q *hosted.Queries) error {
		return q.RemoveCollaborator(c.ctx(), c.repo.ID, c.path("login"))
	}); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) permission() error {
	a, err := c.q.Account(c.ctx(), c.path("login"))
	if err != nil {
		return err
	}
	have, err := rightIn(c.ctx(), c.q, c.repo, a)
	if err != nil {
		return err
	}
	w, err := c.collaborator(a.Login, have)
	if err != nil {
		return err
	}
	// The old names fold triage into read and maintain into write.
	old := "none"
	switch {
	case have >= canAdmin:
		old = "admin"
	case have >= canWrite:
		old = "write"
	case have >= canRead:
		old = "read"
	}
	return c.json(http.StatusOK, struct {
		Permission string            `json:"permission"`
		RoleName   string            `json:"role_name"`
		User       *wireCollaborator `json:"user"`
	}{old, roleNames[have], w})
}

func (c *call) listAssignees() error {
	all, err := c.members()
	if err != nil {
		return err
	}
	users := make([]*wireUser, 0, len(all))
	for _, w := range all {
		users = append(users, &w.wireUser)
	}
	return c.json(http.StatusOK, slice(c, users))
}

func (c *call) isAssignee() error {
	a, err := c.q.Account(c.ctx(), c.path("login"))
	if errors.Is(err, hosted.ErrNotFound) || err == nil && a.Kind == kindOrganization {
		return notFound()
	}
	if err != nil {
		return err
	}
	ok, err := assignable(c.ctx(), c.q, c.repo, a)
	if err != nil {
		return err
	}
	if !ok {
		return notFound()
	}
	return c.empty(http.StatusNoContent)
}
