package local

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"seaworthy/store/hosted"
)

// The wire… types are GitHub's JSON shapes. A pointer is a value that may be
// null; nothing that GitHub's description requires is ever left out.

// view renders rows as wire values. It belongs to one request or transaction.
type view struct {
	f      *Forge
	q      *hosted.Queries
	users  map[string]*wireUser
	emails map[string]*wireUser
}

func (f *Forge) view(q *hosted.Queries) *view {
	return &view{f: f, q: q, users: map[string]*wireUser{}, emails: map[string]*wireUser{}}
}

// api returns an address of the API.
func (f *Forge) api(format string, args ...any) string {
	return f.base + apiPrefix + fmt.Sprintf(format, args...)
}

// html returns an address for people.
func (f *Forge) html(format string, args ...any) string { return f.base + fmt.Sprintf(format, args...) }

// repoAPI returns an address of the API below a repository.
func (f *Forge) repoAPI(r hosted.Repo, format string, args ...any) string {
	return f.api("/repos/%s/%s", r.Owner, r.Name) + fmt.Sprintf(format, args...)
}

// repoHTML returns an address for people below a repository.
func (f *Forge) repoHTML(r hosted.Repo, format string, args ...any) string {
	return f.html("/%s/%s", r.Owner, r.Name) + fmt.Sprintf(format, args...)
}

// nodeID makes GitHub's other kind of id, opaque and unique across kinds.
func nodeID(kind string, id any) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d:%s%v", len(kind), kind, id))
}

// text is null for the empty string.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// stamp is a time as GitHub writes it: UTC, to the second.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Time(s).UTC().Format(time.RFC3339) + `"`), nil
}

// maybe is null for the zero time.
func maybe(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

type wireUser struct {
	Login             string `json:"login"`
	ID                int64  `json:"id"`
	NodeID            string `json:"node_id"`
	AvatarURL         string `json:"avatar_url"`
	GravatarID        string `json:"gravatar_id"`
	URL               string `json:"url"`
	HTMLURL           string `json:"html_url"`
	FollowersURL      string `json:"followers_url"`
	FollowingURL      string `json:"following_url"`
	GistsURL          string `json:"gists_url"`
	StarredURL        string `json:"starred_url"`
	SubscriptionsURL  string `json:"subscriptions_url"`
	OrganizationsURL  string `json:"organizations_url"`
	ReposURL          string `json:"repos_url"`
	EventsURL         string `json:"events_url"`
	ReceivedEventsURL string `json:"received_events_url"`
	Type              string `json:"type"`
	SiteAdmin         bool   `json:"site_admin"`
}

// user renders the account of a login. One that is gone keeps its name.
func (v *view) user(ctx context.Context, login string) (*wireUser, error) {
	if u := v.users[login]; u != nil {
		return u, nil
	}
	a, err := v.q.Account(ctx, login)
	if errors.Is(err, hosted.ErrNotFound) {
		a, err = hosted.Account{Login: login, Kind: kindUser}, nil
	}
	if err != nil {
		return nil, err
	}
	u := v.f.wireUser(a)
	v.users[login] = u
	return u, nil
}

// userByEmail renders the account behind an address, nil for none.
func (v *view) userByEmail(ctx context.Context, email string) (*wireUser, error) {
	if u, ok := v.emails[email]; ok {
		return u, nil
	}
	a, err := v.q.AccountByEmail(ctx, email)
	if err != nil && !errors.Is(err, hosted.ErrNotFound) {
		return nil, err
	}
	var u *wireUser
	if err == nil {
		u = v.f.wireUser(a)
	}
	v.emails[email] = u
	return u, nil
}

// nullableUser is null for an empty login.
func (v *view) nullableUser(ctx context.Context, login string) (*wireUser, error) {
	if login == "" {
		return nil, nil
	}
	return v.user(ctx, login)
}

func (v *view) usersOf(ctx context.Context, logins []string) ([]*wireUser, error) {
	users := make([]*wireUser, 0, len(logins))
	for _, l := range logins {
		u, err := v.user(ctx, l)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, nil
}

func (f *Forge) wireUser(a hosted.Account) *wireUser {
	u := f.api("/users/%s", a.Login)
	return &wireUser{
		Login: a.Login, ID: a.ID, NodeID: nodeID("User", a.ID), Type: a.Kind, SiteAdmin: a.Admin,
		AvatarURL: f.html("/avatars/%s", a.Login), URL: u, HTMLURL: f.html("/%s", a.Login),
		FollowersURL: u + "/followers", FollowingURL: u + "/following{/other_user}", GistsURL: u + "/gists{/gist_id}",
		StarredURL: u + "/starred{/owner}{/repo}", SubscriptionsURL: u + "/subscriptions", OrganizationsURL: u + "/orgs",
		ReposURL: u + "/repos", EventsURL: u + "/events{/privacy}", ReceivedEventsURL: u + "/received_events",
	}
}

// wireProfile is a user with what only his own page shows.
type wireProfile struct {
	wireUser
	Name            *string `json:"name"`
	Company         *string `json:"company"`
	Blog            *string `json:"blog"`
	Location        *string `json:"location"`
	Email           *string `json:"email"`
	Hireable        *bool   `json:"hireable"`
	Bio             *string `json:"bio"`
	TwitterUsername *string `json:"twitter_username"`
	PublicRepos     int     `json:"public_repos"`
	PublicGists     int     `json:"public_gists"`
	Followers       int     `json:"followers"`
	Following       int     `json:"following"`
	CreatedAt       stamp   `json:"created_at"`
	UpdatedAt       stamp   `json:"updated_at"`
}

func (f *Forge) wireProfile(a hosted.Account, publicRepos int) wireProfile {
	return wireProfile{wireUser: *f.wireUser(a), Name: text(a.Name), Email: text(a.Email), PublicRepos: publicRepos,
		CreatedAt: stamp(a.CreatedAt), UpdatedAt: stamp(a.CreatedAt)}
}

// wirePrivateProfile adds what a user sees of himself.
type wirePrivateProfile struct {
	wireProfile
	PrivateGists            int  `json:"private_gists"`
	TotalPrivateRepos       int  `json:"total_private_repos"`
	OwnedPrivateRepos       int  `json:"owned_private_repos"`
	DiskUsage               int  `json:"disk_usage"`
	Collaborators           int  `json:"collaborators"`
	TwoFactorAuthentication bool `json:"two_factor_authentication"`
}

type wirePermissions struct {
	Admin    bool `json:"admin"`
	Maintain bool `json:"maintain"`
	Push     bool `json:"push"`
	Triage   bool `json:"triage"`
	Pull     bool `json:"pull"`
}

func permissions(r right) wirePermissions {
	return wirePermissions{r >= canAdmin, r >= canMaintain, r >= canWrite, r >= canTriage, r >= canRead}
}

type wireRate struct {
	Limit     int   `json:"limit"`
	Remaining int   `json:"remaining"`
	Reset     int64 `json:"reset"`
	Used      int   `json:"used"`
}

type wireLink struct {
	Href string `json:"href"`
}

// association is what an author is to a repository, as GitHub names it.
func (v *view) association(ctx context.Context, repo hosted.Repo, login string) (string, error) {
	if strings.EqualFold(repo.Owner, login) {
		return "OWNER", nil
	}
	_, err := v.q.Collaborator(ctx, repo.ID, login)
	if errors.Is(err, hosted.ErrNotFound) {
		return "NONE", nil
	}
	return "COLLABORATOR", err
}
