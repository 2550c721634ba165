package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

func TestLoginFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "auth.json")
	// YWRhOmE= is ada:a; YmVuOmI= is ben:b.
	text := `{"auths": {"one.test:5000": {"auth": "YWRhOmE="}, "one.test:5000/team": {"auth": "YmVuOmI="}, "two.test": {}, "three.test": {"identitytoken": "tok"}}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string]string{
		"one.test:5000/app": "ada:a", "one.test:5000/team/app": "ben:b", "one.test:5000/teams/app": "ada:a",
		"two.test/app": ":", "three.test/app": ":tok", "four.test/app": ":", "one.test/app": ":",
	} {
		repo, err := name.NewRepository(of)
		if err != nil {
			t.Fatal(err)
		}
		found, err := loginFile(file).Resolve(repo)
		if err != nil {
			t.Fatal(err)
		}
		login, err := found.Authorization()
		if err != nil {
			t.Fatal(err)
		}
		if have := login.Username + ":" + login.Password + login.IdentityToken; have != want {
			t.Errorf("%s: %s, want %s", of, have, want)
		}
	}
	repo, err := name.NewRepository("one.test:5000/app")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := loginFile(filepath.Join(t.TempDir(), "none")).Resolve(repo); err != nil || found != authn.Anonymous {
		t.Errorf("without a file: %v, %v", found, err)
	}
	if err := os.WriteFile(file, []byte(`{"auths": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loginFile(file).Resolve(repo); err == nil || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("a broken file: %v", err)
	}
}
