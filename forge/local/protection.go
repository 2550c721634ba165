package local

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

// A branch may have slashes, escaped or not, so everything below /branches/ is
// one pattern for each method, taken apart by branchTail.
func (f *Forge) protectionRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/branches/{branch...}", canRead, (*call).branchTail},
		{"PUT /repos/{owner}/{repo}/branches/{branch...}", canAdmin, (*call).branchTail},
		{"POST /repos/{owner}/{repo}/branches/{branch...}", canAdmin, (*call).branchTail},
		{"PATCH /repos/{owner}/{repo}/branches/{branch...}", canAdmin, (*call).branchTail},
		{"DELETE /repos/{owner}/{repo}/branches/{branch...}", canAdmin, (*call).branchTail},
	}
}

type wireCheck struct {
	Context string `json:"context"`
	AppID   *int64 `json:"app_id"`
}

func wireChecks(contexts []string) []wireCheck {
	out := make([]wireCheck, 0, len(contexts))
	for _, c := range contexts {
		out = append(out, wireCheck{Context: c})
	}
	return out
}

type wireEnabled struct {
	URL     string `json:"url,omitempty"`
	Enabled bool   `json:"enabled"`
}

type wireRequiredChecks struct {
	URL         string      `json:"url"`
	Strict      bool        `json:"strict"`
	Contexts    []string    `json:"contexts"`
	ContextsURL string      `json:"contexts_url"`
	Checks      []wireCheck `json:"checks"`
}

type wireRestrictions struct {
	URL      string      `json:"url"`
	UsersURL string      `json:"users_url"`
	TeamsURL string      `json:"teams_url"`
	AppsURL  string      `json:"apps_url"`
	Users    []*wireUser `json:"users"`
	Teams    []struct{}  `json:"teams"`
	Apps     []struct{}  `json:"apps"`
}

type wireReviewRule struct {
	URL                     string          `json:"url"`
	DismissStale            bool            `json:"dismiss_stale_reviews"`
	RequireCodeOwners       bool            `json:"require_code_owner_reviews"`
	RequiredReviews         int             `json:"required_approving_review_count"`
	RequireLastPushApproval bool            `json:"require_last_push_approval"`
	Bypass                  *wireAllowances `json:"bypass_pull_request_allowances,omitempty"`
}

// wireAllowances are who need no pull request.
type wireAllowances struct {
	Users []*wireUser `json:"users"`
	Teams []struct{}  `json:"teams"`
	Apps  []struct{}  `json:"apps"`
}

type wireProtection struct {
	URL                    string              `json:"url"`
	RequiredStatusChecks   *wireRequiredChecks `json:"required_status_checks,omitempty"`
	EnforceAdmins          wireEnabled         `json:"enforce_admins"`
	Reviews                *wireReviewRule     `json:"required_pull_request_reviews,omitempty"`
	Restrictions           *wireRestrictions   `json:"restrictions,omitempty"`
	LinearHistory          wireEnabled         `json:"required_linear_history"`
	AllowForcePushes       wireEnabled         `json:"allow_force_pushes"`
	AllowDeletions         wireEnabled         `json:"allow_deletions"`
	BlockCreations         wireEnabled         `json:"block_creations"`
	ConversationResolution wireEnabled         `json:"required_conversation_resolution"`
	LockBranch             wireEnabled         `json:"lock_branch"`
	AllowForkSyncing       wireEnabled         `json:"allow_fork_syncing"`
}

func (c *call) protectionURL(branch string) string {
	return c.f.repoAPI(c.repo, "/branches/%s/protection", escapePath(branch))
}

func (c *call) wireProtection(p hosted.Protection) (*wireProtection, error) {
	u := c.protectionURL(p.Branch)
	w := &wireProtection{URL: u, EnforceAdmins: wireEnabled{u + "/enforce_admins", p.EnforceAdmins}, RequiredStatusChecks: c.requiredChecks(p),
		LinearHistory: wireEnabled{Enabled: p.LinearHistory}, AllowForcePushes: wireEnabled{Enabled: p.AllowForce}, AllowDeletions: wireEnabled{Enabled: p.AllowDeletion}}
	if p.Reviews >= 0 {
		w.Reviews = &wireReviewRule{URL: u + "/required_pull_request_reviews", RequiredReviews: p.Reviews}
	}
	if p.Reviews >= 0 && len(p.BypassLogins) > 0 {
		users, err := c.view().usersOf(c.ctx(), p.BypassLogins)
		if err != nil {
			return nil, err
		}
		w.Reviews.Bypass = &wireAllowances{users, []struct{}{}, []struct{}{}}
	}
	var err error
	w.Restrictions, err = c.restrictions(p)
	return w, err
}

func (c *call) requiredChecks(p hosted.Protection) *wireRequiredChecks {
	if !p.RequireChecks {
		return nil
	}
	u := c.protectionURL(p.Branch) + "/required_status_checks"
	return &wireRequiredChecks{u, p.Strict, orEmpty(p.Contexts), u + "/contexts", wireChecks(p.Contexts)}
}

func (c *call) restrictions(p hosted.Protection) (*wireRestrictions, error) {
	if !p.Restricted {
		return nil, nil
	}
	users, err := c.view().usersOf(c.ctx(), p.PushLogins)
	if err != nil {
		return nil, err
	}
	u := c.protectionURL(p.Branch) + "/restrictions"
	return &wireRestrictions{u, u + "/users", u + "/teams", u + "/apps", users, []struct{}{}, []struct{}{}}, nil
}

// branchTail serves everything below /branches/.
func (c *call) branchTail() error {
	branch, tail, protection := strings.Cut(c.path("branch"), "/protection")
	method := c.r.Method
	if !protection || tail != "" && !strings.HasPrefix(tail, "/") {
		if method == http.MethodGet {
			return c.getBranch(c.path("branch"))
		}
		return notFound()
	}
	if err := c.require(canWrite); err != nil {
		return err
	}
	if _, err := c.git().Resolve(c.ctx(), "refs/heads/"+branch); err != nil {
		if errors.Is(err, git.ErrNotFound) {
			return fail(http.StatusNotFound, "Branch not found")
		}
		return err
	}
	if tail == "" && method == http.MethodPut {
		return c.protect(branch)
	}
	p, err := c.q.Protection(c.ctx(), c.repo.ID, branch)
	if errors.Is(err, hosted.ErrNotFound) {
		return fail(http.StatusNotFound, "Branch not protected")
	}
	if err != nil {
		return err
	}
	switch tail {
	case "":
		return c.wholeProtection(p)
	case "/enforce_admins":
		return c.enforceAdmins(p)
	case "/required_status_checks":
		return c.requiredStatusChecks(p)
	case "/required_status_checks/contexts":
		return c.requiredContexts(p)
	case "/restrictions":
		return c.pushRestrictions(p)
	case "/restrictions/users":
		return c.restrictedUsers(p)
	}
	return notFound()
}

func (c *call) wholeProtection(p hosted.Protection) error {
	switch c.r.Method {
	case http.MethodGet:
		w, err := c.wireProtection(p)
		return answer(c, http.StatusOK, w, err)
	case http.MethodDelete:
		if err := c.f.change(c.ctx(), func(v *view) error { return v.q.RemoveProtection(c.ctx(), c.repo.ID, p.Branch) }); err != nil {
			return err
		}
		return c.empty(http.StatusNoContent)
	}
	return notFound()
}

// checksRequest is required_status_checks in a request: contexts by name, or
// in the newer form of checks.
type checksRequest struct {
	Strict   *bool        `json:"strict"`
	Contexts []string     `json:"contexts"`
	Checks   *[]wireCheck `json:"checks"`
}

func (r checksRequest) apply(p *hosted.Protection) {
	p.RequireChecks = true
	if r.Strict != nil {
		p.Strict = *r.Strict
	}
	if r.Contexts != nil {
		p.Contexts = r.Contexts
	}
	if r.Checks != nil {
		p.Contexts = nil
		for _, check := range *r.Checks {
			p.Contexts = append(p.Contexts, check.Context)
		}
	}
	slices.Sort(p.Contexts)
	p.Contexts = slices.Compact(p.Contexts)
}

// protect replaces a branch's protection as a whole.
func (c *call) protect(branch string) error {
	var in struct {
		Checks        optional[checksRequest] `json:"required_status_checks"`
		EnforceAdmins optional[bool]          `json:"enforce_admins"`
		Reviews       optional[struct {
			Count  int `json:"required_approving_review_count"`
			Bypass struct {
				Users []string `json:"users"`
			} `json:"bypass_pull_request_allowances"`
		}] `json:"required_pull_request_reviews"`
		Restrictions optional[struct {
			Users []string `json:"users"`
		}] `json:"restrictions"`
		LinearHistory  bool           `json:"required_linear_history"`
		AllowForce     optional[bool] `json:"allow_force_pushes"`
		AllowDeletions bool           `json:"allow_deletions"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if !in.Checks.Set || !in.EnforceAdmins.Set || !in.Reviews.Set || !in.Restrictions.Set {
		return fail(http.StatusUnprocessableEntity, "Invalid request.\n\n\"required_status_checks\", \"enforce_admins\", \"required_pull_request_reviews\" and \"restrictions\" must be given; each may be null.")
	}
	p := hosted.Protection{RepoID: c.repo.ID, Branch: branch, Reviews: -1, EnforceAdmins: in.EnforceAdmins.Value,
		AllowForce: in.AllowForce.Value, AllowDeletion: in.AllowDeletions, LinearHistory: in.LinearHistory}
	if !in.Checks.Null {
		in.Checks.Value.apply(&p)
	}
	if !in.Reviews.Null {
		logins, err := c.logins(in.Reviews.Value.Bypass.Users)
		if err != nil {
			return err
		}
		p.Reviews, p.BypassLogins = in.Reviews.Value.Count, logins
	}
	if !in.Restrictions.Null {
		logins, err := c.logins(in.Restrictions.Value.Users)
		if err != nil {
			return err
		}
		p.Restricted, p.PushLogins = true, logins
	}
	if err := c.setProtection(p); err != nil {
		return err
	}
	w, err := c.wireProtection(p)
	return answer(c, http.StatusOK, w, err)
}

func (c *call) setProtection(p hosted.Protection) error {
	return c.f.change(c.ctx(), func(v *view) error { return v.q.SetProtection(c.ctx(), p) })
}

// logins checks that each name is an account, and spells it as it does.
func (c *call) logins(names []string) ([]string, error) {
	var out []string
	for _, n := range names {
		a, err := c.q.Account(c.ctx(), n)
		if err != nil {
			return nil, orMissing(err, "User", "login", "there is no account "+n)
		}
		out = append(out, a.Login)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (c *call) enforceAdmins(p hosted.Protection) error {
	status := http.StatusOK
	switch c.r.Method {
	case http.MethodPost, http.MethodDelete:
		p.EnforceAdmins = c.r.Method == http.MethodPost
		if err := c.setProtection(p); err != nil {
			return err
		}
		if !p.EnforceAdmins {
			return c.empty(http.StatusNoContent)
		}
	case http.MethodGet:
	default:
		return notFound()
	}
	return c.json(status, wireEnabled{c.protectionURL(p.Branch) + "/enforce_admins", p.EnforceAdmins})
}

func (c *call) requiredStatusChecks(p hosted.Protection) error {
	switch c.r.Method {
	case http.MethodGet:
		if !p.RequireChecks {
			return fail(http.StatusNotFound, "Required status checks not enabled")
		}
	case http.MethodPatch:
		var in checksRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		in.apply(&p)
		if err := c.setProtection(p); err != nil {
			return err
		}
	case http.MethodDelete:
		p.RequireChecks, p.Strict, p.Contexts = false, false, nil
		if err := c.setProtection(p); err != nil {
			return err
		}
		return c.empty(http.StatusNoContent)
	default:
		return notFound()
	}
	return c.json(http.StatusOK, c.requiredChecks(p))
}

// edited returns a list after a PUT, POST or DELETE of names.
func (c *call) edited(have []string, key string) ([]string, error) {
	if c.r.Method == http.MethodGet {
		return have, nil
	}
	var body json.RawMessage
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	names, err := decodeList[string](body, key)
	if err != nil {
		return nil, fail(http.StatusUnprocessableEntity, "Invalid request.\n\n%q must be a list of names.", key)
	}
	switch c.r.Method {
	case http.MethodPut:
		have = names
	case http.MethodPost:
		have = append(slices.Clone(have), names...)
	case http.MethodDelete:
		have = slices.DeleteFunc(slices.Clone(have), func(s string) bool { return slices.Contains(names, s) })
	default:
		return nil, notFound()
	}
	slices.Sort(have)
	return slices.Compact(have), nil
}

func (c *call) requiredContexts(p hosted.Protection) error {
	contexts, err := c.edited(p.Contexts, "contexts")
	if err != nil {
		return err
	}
	if c.r.Method != http.MethodGet {
		p.RequireChecks, p.Contexts = true, contexts
		if err := c.setProtection(p); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, orEmpty(contexts))
}

func (c *call) pushRestrictions(p hosted.Protection) error {
	switch c.r.Method {
	case http.MethodGet:
		if !p.Restricted {
			return fail(http.StatusNotFound, "Push restrictions not enabled")
		}
		w, err := c.restrictions(p)
		return answer(c, http.StatusOK, w, err)
	case http.MethodDelete:
		p.Restricted, p.PushLogins = false, nil
		if err := c.setProtection(p); err != nil {
			return err
		}
		return c.empty(http.StatusNoContent)
	}
	return notFound()
}

func (c *call) restrictedUsers(p hosted.Protection) error {
	names, err := c.edited(p.PushLogins, "users")
	if err != nil {
		return err
	}
	if c.r.Method != http.MethodGet {
		if p.PushLogins, err = c.logins(names); err != nil {
			return err
		}
		p.Restricted = true
		if err := c.setProtection(p); err != nil {
			return err
		}
	}
	users, err := c.view().usersOf(c.ctx(), p.PushLogins)
	return answer(c, http.StatusOK, users, err)
}
