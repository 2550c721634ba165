package gitea_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/forgetest"
	"seaworthy/forge/gitea"
	"seaworthy/forge/giteatest"
)

// absent stands for the calls that releases do not need: a test that makes one
// crashes, and belongs among those that are left out.
type absent struct{ forgetest.Client }

// partial is the adapter where the suite wants a whole one.
type partial struct {
	*gitea.Client
	absent
}

// The adapter against a real Gitea, as far as releases need a forge.
func TestConformanceOnGitea(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: starts a Gitea")
	}
	forgetest.RunParts(t, fixture, forgetest.PartRepositories, forgetest.PartBranches, forgetest.PartIssues, forgetest.PartStatuses, forgetest.PartReleases)
}

func dial(t *testing.T, url, token string) partial {
	t.Helper()
	c, err := gitea.New(gitea.Options{URL: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return partial{Client: c}
}

func fixture(t *testing.T) forgetest.Fixture {
	t.Helper()
	server := giteatest.Start(t)
	account := func(login string, admin bool) forgetest.Account {
		token := server.Account(t, login, admin)
		return forgetest.Account{Login: login, Token: token, Client: dial(t, server.URL, token)}
	}
	f := forgetest.Fixture{
		Admin: account("boss", true), Ann: account("ann", false), Ben: account("ben", false), Stranger: account("stranger", false),
		Dial:           func(t *testing.T, token string) forgetest.Client { return dial(t, server.URL, token) },
		CloneURL:       func(repo forge.RepoName) string { return server.URL + "/" + repo.String() + ".git" },
		NoAssetDetails: true,
		Lacks: map[string]string{
			"a protected branch takes no direct push": "protection is no part of the adapter",
			"a protected branch demands its contexts": "protection is no part of the adapter",
			"a protection comes back as it was given": "protection is no part of the adapter",
			"check runs are made and finished":        "Gitea has no check runs",
		},
	}
	var count atomic.Int64
	f.NewRepo = func(t *testing.T) forge.RepoName {
		t.Helper()
		repo := forge.RepoName{Owner: f.Admin.Login, Name: fmt.Sprintf("sample-%d", count.Add(1))}
		if _, err := f.Admin.Client.CreateRepo(t.Context(), forge.NewRepo{RepoName: repo}); err != nil {
			t.Fatal(err)
		}
		for _, login := range []string{f.Ann.Login, f.Ben.Login} {
			if err := f.Admin.Client.AddCollaborator(t.Context(), repo, login, "push"); err != nil {
				t.Fatal(err)
			}
		}
		return repo
	}
	f.Pushed = func(t *testing.T, repo forge.RepoName) {
		t.Helper()
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for {
			// A repository that is not known to hold anything has no branches.
			if all, err := f.Admin.Client.Branches(t.Context(), repo); err == nil && len(all) > 0 {
				return
			}
			select {
			case <-again.C:
			case <-t.Context().Done():
				t.Fatal("Gitea does not learn of the push")
			}
		}
	}
	return f
}
