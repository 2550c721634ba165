package local_test

import (
	"net/http"
	"testing"

	"github.com/google/go-github/v88/github"
)

func TestAdministratorMakesAccounts(t *testing.T) {
	t.Parallel()
	e := start(t)
	admin, ben := e.as(t, "ada"), e.as(t, "ben")
	ctx := t.Context()

	made, _, err := admin.Admin.CreateUser(ctx, github.CreateUserRequest{Login: "fay", Email: github.Ptr("fay@example.test")})
	if err != nil || made.GetLogin() != "fay" || made.GetSiteAdmin() {
		t.Fatalf("CreateUser = %v, %v", made, err)
	}
	auth, _, err := admin.Admin.CreateUserImpersonation(ctx, "fay", &github.ImpersonateUserOptions{Scopes: []string{"repo"}})
	if err != nil || auth.GetToken() == "" {
		t.Fatalf("CreateUserImpersonation = %v, %v", auth, err)
	}
	e.tokens["fay"] = auth.GetToken()
	me, _, err := e.as(t, "fay").Users.Get(ctx, "")
	if err != nil || me.GetLogin() != "fay" {
		t.Errorf("the new token belongs to %v, %v", me.GetLogin(), err)
	}

	refused := map[string]struct {
		answer int
		call   func() (*github.Response, error)
	}{
		"a login that is taken": {http.StatusUnprocessableEntity, func() (*github.Response, error) {
			_, r, err := admin.Admin.CreateUser(ctx, github.CreateUserRequest{Login: "ben"})
			return r, err
		}},
		"a login that leaves its folder": {http.StatusUnprocessableEntity, func() (*github.Response, error) {
			_, r, err := admin.Admin.CreateUser(ctx, github.CreateUserRequest{Login: "../eve"})
			return r, err
		}},
		"no login": {http.StatusUnprocessableEntity, func() (*github.Response, error) {
			_, r, err := admin.Admin.CreateUser(ctx, github.CreateUserRequest{})
			return r, err
		}},
		"no administrator": {http.StatusNotFound, func() (*github.Response, error) {
			_, r, err := ben.Admin.CreateUser(ctx, github.CreateUserRequest{Login: "gil"})
			return r, err
		}},
		"no administrator's token": {http.StatusNotFound, func() (*github.Response, error) {
			_, r, err := ben.Admin.CreateUserImpersonation(ctx, "ada", &github.ImpersonateUserOptions{})
			return r, err
		}},
		"a token of nobody": {http.StatusNotFound, func() (*github.Response, error) {
			_, r, err := admin.Admin.CreateUserImpersonation(ctx, "nobody", &github.ImpersonateUserOptions{})
			return r, err
		}},
	}
	for name, c := range refused {
		if r, err := c.call(); err == nil || r == nil || r.StatusCode != c.answer {
			t.Errorf("%s: %v, want %d", name, err, c.answer)
		}
	}
}
