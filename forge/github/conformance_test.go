package github_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/forgetest"
	"seaworthy/forge/github"
	"seaworthy/forge/local"
	"seaworthy/store/storetest"
)

// The adapter and the embedded forge, each tested by the other: what the suite
// asks for goes out as GitHub's requests, and comes back as GitHub's answers.
func TestConformanceOnTheEmbeddedForge(t *testing.T) {
	t.Parallel()
	forgetest.Run(t, embedded)
}

func embedded(t *testing.T) forgetest.Fixture {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	f, err := local.New(local.Options{
		DB: storetest.SQLite(t), GitDir: filepath.Join(t.TempDir(), "git"), BaseURL: base,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = f.Handler()
	server.Start()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Errorf("the forge ended with %v", err)
		}
		server.Close()
	})

	account := func(login string, admin bool) forgetest.Account {
		if err := f.CreateUser(t.Context(), forge.User{Login: login, Name: login, Email: login + "@example.com"}, admin); err != nil {
			t.Fatal(err)
		}
		token, err := f.CreateToken(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		return forgetest.Account{Login: login, Token: token, Client: dial(t, base, token)}
	}
	fixture := forgetest.Fixture{
		Admin: account("admin", true), Ann: account("ann", false), Ben: account("ben", false), Stranger: account("stranger", false),
		Dial:     func(t *testing.T, token string) forgetest.Client { return dial(t, base, token) },
		CloneURL: func(repo forge.RepoName) string { return base + "/" + repo.String() + ".git" },
		Verify: func(secret string, header http.Header, body []byte) error {
			return github.VerifySignature(secret, header.Get("X-Hub-Signature-256"), body)
		},
		Decode: func(header http.Header, body []byte) (forge.Event, error) {
			return github.DecodeEvent(header.Get("X-GitHub-Event"), header.Get("X-GitHub-Delivery"), body, time.Now())
		},
	}
	fixture.NewRepo = repositories(fixture)
	fixture.Redeliver = redeliver(base, fixture.Admin.Token)
	return fixture
}

func dial(t *testing.T, base, token string) *github.Client {
	t.Helper()
	c, err := github.New(github.Options{BaseURL: base + "/api/v3/", UploadURL: base + "/api/uploads/", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// repositories numbers the repositories it makes.
func repositories(f forgetest.Fixture) func(t *testing.T) forge.RepoName {
	var count atomic.Int64
	return func(t *testing.T) forge.RepoName {
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
}

// redeliver uses the two calls of the API that the product does not need.
func redeliver(base, token string) func(ctx context.Context, repo forge.RepoName, hook int64, delivery string) error {
	call := func(ctx context.Context, method, path string, into any) error {
		req, err := http.NewRequestWithContext(ctx, method, base+"/api/v3"+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode >= http.StatusMultipleChoices {
			return fmt.Errorf("%s %s answered %s", method, path, resp.Status)
		}
		return json.NewDecoder(resp.Body).Decode(into)
	}
	return func(ctx context.Context, repo forge.RepoName, hook int64, delivery string) error {
		deliveries := fmt.Sprintf("/repos/%s/hooks/%d/deliveries", repo, hook)
		var list []struct {
			ID   int64
			GUID string
		}
		if err := call(ctx, http.MethodGet, deliveries, &list); err != nil {
			return err
		}
		for _, d := range list {
			if strings.EqualFold(d.GUID, delivery) {
				var accepted struct{}
				return call(ctx, http.MethodPost, fmt.Sprintf("%s/%d/attempts", deliveries, d.ID), &accepted)
			}
		}
		return fmt.Errorf("no delivery %s", delivery)
	}
}
