package app_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"seaworthy/app"
	"seaworthy/forge"
)

// outcome says how a request to the registry ended: 0 where it succeeded.
func outcome(t *testing.T, err error) int {
	t.Helper()
	var refused *transport.Error
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if refused != nil {
		return refused.StatusCode
	}
	return 0
}

// TestRegistry pushes and pulls images at the platform's own address, as
// people with and without rights in the repository they belong to.
func TestRegistry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, dir)
	p.populate(sources)
	ctx := t.Context()
	eve, err := p.AddUser(ctx, forge.User{Login: "eve", Email: "eve@harbour.test"}, false)
	p.must(err)
	p.tokens["eve"] = eve
	vault := forge.RepoName{Owner: "harbour", Name: "vault"}
	_, err = p.as["ada"].CreateRepo(ctx, forge.NewRepo{RepoName: vault, DefaultBranch: "main", Private: true})
	p.must(err)
	p.must(p.as["ada"].AddCollaborator(ctx, vault, "cho", "push"))
	p.must(p.as["ada"].AddCollaborator(ctx, vault, "dee", "pull"))

	host := strings.TrimPrefix(p.URL(), "http://")
	image, err := random.Image(1<<10, 3)
	p.must(err)
	tag := func(repository string) name.Tag {
		ref, err := name.NewTag(host + "/" + repository + ":v1")
		p.must(err)
		return ref
	}
	as := func(who string) remote.Option {
		if who == "" {
			return remote.WithAuth(authn.Anonymous)
		}
		return remote.WithAuth(&authn.Basic{Username: who, Password: p.tokens[who]})
	}
	push := func(repository, who string) int {
		return outcome(t, remote.Write(tag(repository), image, as(who), remote.WithContext(ctx)))
	}
	pull := func(repository, who string) int {
		got, err := remote.Image(tag(repository), as(who), remote.WithContext(ctx))
		if err == nil {
			same(t, image, got)
		}
		return outcome(t, err)
	}
	remove := func(repository, who string) int {
		return outcome(t, remote.Delete(tag(repository), as(who), remote.WithContext(ctx)))
	}
	for _, c := range []struct {
		do         func(repository, who string) int
		what       string
		repository string
		who        string
		want       int
	}{
		{push, "push", "harbour/halyard/tool", "", http.StatusUnauthorized},
		{push, "push", "harbour/halyard/tool", "eve", http.StatusForbidden},
		{pull, "pull", "harbour/halyard/tool", "", http.StatusNotFound},
		{push, "push", "harbour/halyard/tool", "cho", 0},
		{pull, "pull", "harbour/halyard/tool", "", 0},
		{pull, "pull", "harbour/halyard/tool", "eve", 0},
		{push, "push", "harbour/halyard", "ben", 0},
		{push, "push", "harbour/halyard/a/b/c", "dee", 0},
		{remove, "remove", "harbour/halyard/tool", "cho", http.StatusForbidden},
		{remove, "remove", "harbour/halyard/tool", "ada", 0},
		{pull, "pull", "harbour/halyard/tool", "", http.StatusNotFound},
		{push, "push", "harbour/vault/tool", "eve", http.StatusForbidden},
		{push, "push", "harbour/vault/tool", "dee", http.StatusForbidden},
		{push, "push", "harbour/vault/tool", "cho", 0},
		{pull, "pull", "harbour/vault/tool", "dee", 0},
		{pull, "pull", "harbour/vault/tool", "eve", http.StatusForbidden},
		{pull, "pull", "harbour/vault/tool", "", http.StatusUnauthorized},
		{push, "push", "elsewhere/tool", "cho", http.StatusForbidden},
		{push, "push", "tool", "ada", 0},
		{push, "push", "mock/harbour/halyard/tool", "ada", 0},
	} {
		if have := c.do(c.repository, c.who); have != c.want {
			t.Errorf("%s of %s as %q: %d, want %d", c.what, c.repository, c.who, have, c.want)
		}
	}

	// What was pushed is there for the next process, and still for the same
	// people.
	p.stop()
	again := open(t, dir)
	again.meet(p)
	p, host = again, strings.TrimPrefix(again.URL(), "http://")
	if have := pull("harbour/vault/tool", "dee"); have != 0 {
		t.Errorf("after a restart a pull ends with %d", have)
	}
	if have := pull("harbour/halyard/a/b/c", ""); have != 0 {
		t.Errorf("after a restart a pull ends with %d", have)
	}
}

func same(t *testing.T, want, have v1.Image) {
	t.Helper()
	a, err := want.Digest()
	if err != nil {
		t.Fatal(err)
	}
	b, err := have.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Errorf("pulled %s, pushed %s", b, a)
	}
	layers, err := have.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Uncompressed() // which checks the digest
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRegistryBot pushes as the platform itself, into a repository of which its
// account is no collaborator.
func TestRegistryBot(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.enlist()
	_, err := p.as["ada"].CreateRepo(context.Background(), forge.NewRepo{RepoName: halyard, DefaultBranch: "main", Private: true})
	p.must(err)
	token, err := os.ReadFile(filepath.Join(p.dir, "secrets", app.BotLogin+"-token"))
	p.must(err)
	image, err := random.Image(100, 1)
	p.must(err)
	ref, err := name.NewTag(strings.TrimPrefix(p.URL(), "http://") + "/harbour/halyard:v1")
	p.must(err)
	p.must(remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: app.BotLogin, Password: strings.TrimSpace(string(token))})))
}
