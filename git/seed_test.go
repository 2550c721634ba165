package git_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"seaworthy/git"
)

func TestInitFrom(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	origin := bare(t)
	first := commit(t, origin, "main", "one", map[string]string{"a": "1"})
	if _, err := origin.CreateTag(ctx, git.NewTag{Name: "v1", Commit: first, Message: "one", Tagger: git.Person{Name: "Ada", Email: "ada@example.org", Time: time.Unix(1_700_000_000, 0)}}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	got, err := git.InitFrom(ctx, origin.Dir, filepath.Join(dir, "new.git"), "trunk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.Resolve(ctx, first); err != nil {
		t.Errorf("the objects are not there: %v", err)
	}
	if refs, err := got.Refs(ctx, "refs/heads", "refs/tags", "refs/remotes"); err != nil || len(refs) != 0 {
		t.Errorf("it has refs %v, %v", refs, err)
	}
	if head, err := got.Git(ctx, "symbolic-ref", "HEAD"); err != nil || head != "refs/heads/trunk\n" {
		t.Errorf("HEAD is %q, %v", head, err)
	}

	// What is not whole, or nothing at all, gives an empty repository.
	commit(t, origin, "main", "two", map[string]string{"a": "2"})
	shallow := filepath.Join(dir, "shallow.git")
	if _, err := origin.Git(ctx, "clone", "--quiet", "--bare", "--depth=1", "file://"+origin.Dir, shallow); err != nil {
		t.Fatal(err)
	}
	for i, from := range []string{shallow, "", filepath.Join(dir, "nowhere"), dir} {
		empty, err := git.InitFrom(ctx, from, filepath.Join(dir, string(rune('a'+i))), "main")
		if err != nil {
			t.Errorf("from %q: %v", from, err)
			continue
		}
		if _, err := empty.Resolve(ctx, first); !errors.Is(err, git.ErrNotFound) {
			t.Errorf("from %q it holds objects: %v", from, err)
		}
	}
}

// A mirror that begins with a seed ends with what the remote has, no more.
func TestCacheWithSeed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	origin := bare(t)
	first := commit(t, origin, "main", "one", map[string]string{"a": "1"})
	seed := bare(t)
	if err := seed.Fetch(ctx, origin.Dir, "refs/heads/main:refs/heads/main"); err != nil {
		t.Fatal(err)
	}
	own := commit(t, seed, "private", "own", map[string]string{"b": "1"})
	c := git.NewCache(filepath.Join(t.TempDir(), "cache"))
	c.Seed = seed.Dir
	mirror, err := c.Repository(ctx, "file://"+origin.Dir, git.Auth{})
	if err != nil {
		t.Fatal(err)
	}
	if refs, err := mirror.Refs(ctx, "refs/heads", "refs/tags"); err != nil || len(refs) != 1 || refs[0].SHA != first {
		t.Errorf("the mirror has %v, %v", refs, err)
	}
	// The seed may go: nothing depends on it.
	if err := os.RemoveAll(seed.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := mirror.Resolve(ctx, own); err != nil {
		t.Errorf("the seed's objects went with it: %v", err)
	}
	if _, err := c.Repository(ctx, "file://"+origin.Dir, git.Auth{}); err != nil {
		t.Error(err)
	}
}
