package local

import (
	"net/http"

	"seaworthy/store/hosted"
)

// adminRoutes are GitHub Enterprise's calls for whoever runs the forge:
// accounts, and tokens of them.
func (f *Forge) adminRoutes() []route {
	return []route{
		{"POST /admin/users", canTalk, (*call).addUser},
		{"POST /admin/users/{login}/authorizations", canTalk, (*call).addAuthorization},
	}
}

// administrator refuses everybody else as if there were no such call, which is
// what GitHub does.
func (c *call) administrator() error {
	if !c.user.Admin {
		return notFound()
	}
	return nil
}

func (c *call) addUser() error {
	if err := c.administrator(); err != nil {
		return err
	}
	var in struct {
		Login string `json:"login"`
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Login == "" {
		return missing("User", "login")
	}
	if !validOwner(in.Login) {
		return invalid("User", "login", "invalid", "write letters, digits, '-', '_' and '.'")
	}
	var a hosted.Account
	err := c.f.store.Write(c.ctx(), func(q *hosted.Queries) (err error) {
		a, err = q.AddAccount(c.ctx(), hosted.Account{Login: in.Login, Name: in.Name, Email: in.Email, Kind: kindUser, CreatedAt: c.f.now()})
		return err
	})
	return answer(c, http.StatusCreated, c.f.wireUser(a), orExists(err, "User", "login"))
}

// wireAuthorization is a token as it is shown, whole, the one time it is made.
type wireAuthorization struct {
	ID             int64        `json:"id"`
	URL            string       `json:"url"`
	App            wireOAuthApp `json:"app"`
	Token          string       `json:"token"`
	HashedToken    *string      `json:"hashed_token"`
	TokenLastEight *string      `json:"token_last_eight"`
	Note           *string      `json:"note"`
	NoteURL        *string      `json:"note_url"`
	CreatedAt      stamp        `json:"created_at"`
	UpdatedAt      stamp        `json:"updated_at"`
	ExpiresAt      *stamp       `json:"expires_at"`
	Scopes         []string     `json:"scopes"`
	Fingerprint    *string      `json:"fingerprint"`
	User           *wireUser    `json:"user"`
}

type wireOAuthApp struct {
	URL      string `json:"url"`
	Name     string `json:"name"`
	ClientID string `json:"client_id"`
}

// addAuthorization makes a token of somebody else's account. Scopes are taken
// and passed over: a token may do what its account may.
func (c *call) addAuthorization() error {
	if err := c.administrator(); err != nil {
		return err
	}
	var in struct {
		Scopes []string `json:"scopes"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	a, err := c.q.Account(c.ctx(), c.path("login"))
	if err != nil {
		return err
	}
	token, err := c.f.CreateToken(c.ctx(), a.Login)
	if err != nil {
		return err
	}
	now := stamp(c.f.now())
	last := token[len(token)-8:]
	return c.json(http.StatusCreated, wireAuthorization{
		ID: a.ID, URL: c.f.api("/authorizations/%d", a.ID), App: wireOAuthApp{URL: c.f.base, Name: "Seaworthy", ClientID: "seaworthy"},
		Token: token, TokenLastEight: &last, CreatedAt: now, UpdatedAt: now, Scopes: append([]string{}, in.Scopes...), User: c.f.wireUser(a),
	})
}
