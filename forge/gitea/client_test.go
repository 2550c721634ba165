package gitea_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/gitea"
)

var sample = forge.RepoName{Owner: "harbour", Name: "halyard"}

// served is a client of a forge that a function plays.
func served(t *testing.T, answer http.HandlerFunc) *gitea.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := gitea.New(gitea.Options{URL: server.URL + "/", Token: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every answer of the forge is sorted into a kind that callers branch on, and
// none of them holds the token.
func TestErrorsAreSorted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		text   string
		want   error
	}{
		{401, `{"message":"token is required"}`, forge.ErrUnauthorized},
		{403, `{"message":"no"}`, forge.ErrForbidden},
		{404, `{"message":"gone"}`, forge.ErrNotFound},
		{409, `{"message":"Release is has no Tag"}`, forge.ErrExists},
		{405, `{"message":"not now"}`, forge.ErrConflict},
		{422, `{"message":"user does not exist"}`, forge.ErrNotFound},
		{422, `{"message":"The branch already exists"}`, forge.ErrExists},
		{422, `{"message":"bad"}`, forge.ErrInvalid},
		{500, `<html>`, forge.ErrUnavailable},
		{502, ``, forge.ErrUnavailable},
	} {
		client := served(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.text)
		})
		_, viaLibrary := client.Repo(t.Context(), sample)
		_, own := client.Branch(t.Context(), sample, "main")
		for _, err := range []error{viaLibrary, own} {
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%d %s gave %v; want an error that is %q", c.status, c.text, err, c.want)
			}
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	client := served(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"message":"slowly"}`)
	})
	_, err := client.Repo(t.Context(), sample)
	var limited *forge.RateLimitError
	if !errors.As(err, &limited) || time.Until(limited.Until) < time.Minute {
		t.Errorf("got %v", err)
	}
}

func TestForgeThatIsNotThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	c, err := gitea.New(gitea.Options{URL: url, Token: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Repo(t.Context(), sample); !errors.Is(err, forge.ErrUnavailable) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Repo(ctx, sample); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was given up gave %v", err)
	}
	for _, address := range []string{"", "gitea.example.org", "ftp://h", "https://u:p@h"} {
		if _, err := gitea.New(gitea.Options{URL: address}); err == nil {
			t.Errorf("%q is taken as an address", address)
		}
	}
}

// The token goes to the forge alone: a download that leads elsewhere does not
// take it along.
func TestTokenStaysAtTheForge(t *testing.T) {
	t.Parallel()
	sent := make(chan string, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent <- r.Header.Get("Authorization")
		fmt.Fprint(w, "content")
	}))
	t.Cleanup(elsewhere.Close)
	// Another name of this machine is another host.
	other := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)
	client := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/attachments/"):
			http.Redirect(w, r, other+"/store", http.StatusFound)
		default:
			fmt.Fprint(w, `[{"id":1,"tag_name":"v1","assets":[{"id":7,"name":"a","uuid":"u-u-i-d","browser_download_url":"https://evil.example/"}]}]`)
		}
	})
	r, err := client.DownloadAsset(t.Context(), sample, 7)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(text) != "content" {
		t.Errorf("got %q, %v", text, err)
	}
	if got := <-sent; got != "" {
		t.Errorf("the token went elsewhere: %q", got)
	}
}

// A list that has no end is given up.
func TestEndlessList(t *testing.T) {
	t.Parallel()
	asked := 0
	client := served(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Link", fmt.Sprintf(`<http://%s/next?page=%d>; rel="next"`, r.Host, asked+1))
		fmt.Fprint(w, `[{"name":"main"}]`)
	})
	if _, err := client.Branches(t.Context(), sample); err == nil || !strings.Contains(err.Error(), "no end") {
		t.Errorf("got %v after %d pages", err, asked)
	}
}
