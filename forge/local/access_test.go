package local_test

import (
	"errors"
	"testing"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
	"seaworthy/forge/local"
)

func TestAccess(t *testing.T) {
	t.Parallel()
	e := start(t)
	ada := e.as(t, "ada")
	_, _, err := ada.Repositories.Create(t.Context(), owner, &github.Repository{Name: github.Ptr("vault"), Private: github.Ptr(true)})
	check(t, err)
	_, _, err = ada.Repositories.AddCollaborator(t.Context(), owner, "vault", "ben", &github.RepositoryAddCollaboratorOptions{Permission: "pull"})
	check(t, err)
	_, _, err = ada.Repositories.Create(t.Context(), owner, &github.Repository{Name: github.Ptr("wreck")})
	check(t, err)
	_, _, err = ada.Repositories.Edit(t.Context(), owner, "wreck", &github.Repository{Archived: github.Ptr(true)})
	check(t, err)

	all := local.Access{Read: true, Write: true, Admin: true}
	for _, c := range []struct {
		login, repo string
		want        local.Access
	}{
		{"", repo, local.Access{Read: true}},
		{"eve", repo, local.Access{Read: true}},
		{"ben", repo, local.Access{Read: true, Write: true}},
		{"BEN", "Halyard", local.Access{Read: true, Write: true}},
		{"ada", repo, all},
		{"nobody", repo, local.Access{Read: true}},
		{"", "vault", local.Access{}},
		{"eve", "vault", local.Access{}},
		{"nobody", "vault", local.Access{}},
		{"ben", "vault", local.Access{Read: true}},
		{"ada", "vault", all},
		{"ada", "wreck", local.Access{Read: true}},
		{"", "wreck", local.Access{Read: true}},
		{"", "missing", local.Access{}},
		{"ben", "missing", local.Access{}},
		{"ada", "missing", all},
	} {
		have, err := e.Access(t.Context(), c.login, forge.RepoName{Owner: owner, Name: c.repo})
		check(t, err)
		if have != c.want {
			t.Errorf("%q in %s: %+v, want %+v", c.login, c.repo, have, c.want)
		}
	}
}

func TestTokenLogin(t *testing.T) {
	t.Parallel()
	e := start(t)
	if login, err := e.TokenLogin(t.Context(), e.tokens["cho"]); err != nil || login != "cho" {
		t.Errorf("cho's token is of %q (%v)", login, err)
	}
	for _, token := range []string{"", "cho", e.tokens["cho"] + "x"} {
		if login, err := e.TokenLogin(t.Context(), token); !errors.Is(err, forge.ErrNotFound) {
			t.Errorf("the token %q is of %q (%v)", token, login, err)
		}
	}
}
