package registry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"seaworthy/artifact/registry"
)

// folder opens a bucket in a folder, as the platform does.
func folder(t testing.TB, dir string) *blob.Bucket {
	t.Helper()
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// open makes a registry, in a folder of its own unless the options say where.
func open(t testing.TB, o registry.Options) *registry.Registry {
	t.Helper()
	if o.Bucket == nil {
		o.Bucket = folder(t, t.TempDir())
	}
	g, err := registry.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// serve makes a registry answer on this machine and returns HOST:PORT.
func serve(t testing.TB, g http.Handler) string {
	t.Helper()
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// need finds a program, or skips the test, which in CI is a failure.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program)
	}
	return path
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("needs %s, run scripts/setup", what)
	}
	t.Skipf("skipped: needs %s, run scripts/setup", what)
}

// people lets ada push to what is hers, everybody pull what is public.
type people struct{}

func (people) Account(_ context.Context, user, password string) (string, error) {
	switch password {
	case "ada-token":
		return "ada", nil
	case "ben-token":
		return "ben", nil
	case "broken":
		return "", errors.New("the database is away, its password is hunter2")
	}
	return "", registry.ErrCredentials
}

func (people) Allowed(_ context.Context, account, repository string, a registry.Action) (bool, error) {
	switch {
	case account == "ada" && strings.HasPrefix(repository, "ada/"):
		return true, nil
	case strings.HasPrefix(repository, "broken/"):
		return false, errors.New("the database is away, its password is hunter2")
	}
	return a == registry.Pull && !strings.HasPrefix(repository, "ada/secret"), nil
}

var secret = []byte("0123456789abcdef0123456789abcdef")
