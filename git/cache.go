package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

func temporaryIndex() (string, func(), error) {
	dir, err := os.MkdirTemp("", "seaworthy-index-")
	if err != nil {
		return "", nil, fmt.Errorf("making a temporary index: %w", err)
	}
	return filepath.Join(dir, "index"), func() { os.RemoveAll(dir) }, nil
}

// Cache keeps one bare mirror per remote address, so that many runs over the
// same repository cost one clone.
type Cache struct {
	// Key names the mirror of an address; the address itself when nil. It is
	// for a remote whose address changes while it stays the same.
	Key func(url string) string

	// Seed is a repository on this machine whose objects a new mirror begins
	// with, so that they need not be fetched; none when empty. The remote itself
	// serves where it is a folder.
	Seed string

	// Exclusive waits until no other process holds a name, and holds it until what
	// it returns is called; nil where no other process uses the folder.
	Exclusive func(ctx context.Context, name string) (func(), error)

	dir   string
	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

// NewCache returns a cache in dir, which is made when first needed.
func NewCache(dir string) *Cache { return &Cache{dir: dir, locks: map[string]*sync.Mutex{}} }

// Repository returns the mirror of url, up to date with branches, tags and
// pull request heads. Callers may read it and add work trees; it is fetched
// into under a lock, and refs they rely on should be resolved to ids at once.
func (c *Cache) Repository(ctx context.Context, url string, auth Auth) (*Repository, error) {
	key := url
	if c.Key != nil {
		key = c.Key(url)
	}
	sum := sha256.Sum256([]byte(key))
	dir := filepath.Join(c.dir, hex.EncodeToString(sum[:12])+".git")
	c.mu.Lock()
	lock := c.locks[dir]
	if lock == nil {
		lock = &sync.Mutex{}
		c.locks[dir] = lock
	}
	c.mu.Unlock()
	lock.Lock()
	defer lock.Unlock()
	if c.Exclusive != nil {
		leave, err := c.Exclusive(ctx, "mirror "+filepath.Base(dir))
		if err != nil {
			return nil, fmt.Errorf("caching %s: %w", url, err)
		}
		defer leave()
	}

	_, err := os.Stat(filepath.Join(dir, "HEAD"))
	begun := errors.Is(err, os.ErrNotExist)
	if begun {
		if err := os.MkdirAll(c.dir, 0o755); err != nil {
			return nil, fmt.Errorf("making the clone cache: %w", err)
		}
		if err := c.begin(ctx, dir, url); err != nil {
			return nil, fmt.Errorf("caching %s: %w", url, err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("caching %s: %w", url, err)
	}
	r := &Repository{Dir: dir, auth: auth}
	if _, err := r.Git(ctx, "fetch", "--quiet", "--prune", "--force", "--no-tags", "--end-of-options", url,
		"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+refs/pull/*/head:refs/pull/*/head"); err != nil {
		return nil, fmt.Errorf("fetching %s: %w", url, err)
	}
	if begun {
		if err := r.dropSeed(ctx); err != nil {
			return nil, fmt.Errorf("caching %s: %w", url, err)
		}
	}
	return r, nil
}

// begin makes the mirror of a remote. It appears with all its objects or not at
// all.
func (c *Cache) begin(ctx context.Context, dir, url string) error {
	seed := c.Seed
	if filepath.IsAbs(url) {
		seed = url
	}
	temporary, err := os.MkdirTemp(c.dir, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	fresh := filepath.Join(temporary, "mirror.git")
	if _, err := InitFrom(ctx, seed, fresh, "main"); err != nil {
		return err
	}
	err = os.Rename(fresh, dir)
	if _, there := os.Stat(filepath.Join(dir, "HEAD")); err != nil && there == nil {
		return nil // another process was first, and its mirror is as good
	}
	return err
}
