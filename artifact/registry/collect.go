package registry

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"gocloud.dev/blob"

	"seaworthy/artifact"
)

// Collected is what Collect removed.
type Collected struct {
	Uploads int   // that nobody finished, and chunks of such
	Blobs   int   // that no repository had any more
	Files   int   // half-written ones of killed processes, where the bucket is a folder
	Bytes   int64 // of all of them
}

// unfinished are names that a bucket in a folder gives to what it has begun to
// write. No name of ours ends like this.
var unfinished = regexp.MustCompile(`\.[0-9a-f]{8,}\.tmp$`)

// Collect removes what pushes that were not finished have left, and what was
// deleted from the last repository that had it, unless it is younger than
// Options.UploadLife. The registry may be in use, by this process alone.
func (g *Registry) Collect(ctx context.Context) (Collected, error) {
	var done Collected
	old := g.now().Add(-g.life)
	err := errors.Join(g.collectUploads(ctx, old, &done), g.collectBlobs(ctx, old, &done), g.collectFiles(ctx, old, &done))
	if err != nil {
		return done, fmt.Errorf("clearing the registry: %w", err)
	}
	return done, nil
}

func (g *Registry) collectUploads(ctx context.Context, old time.Time, done *Collected) error {
	return g.store.list(ctx, uploadDir, "", func(key string, o *blob.ListObject) error {
		id, _, _ := strings.Cut(strings.TrimPrefix(key, uploadDir), ".")
		if !uploadGrammar.MatchString(id) || o.ModTime.After(old) {
			return nil
		}
		if unfinished.MatchString(key) {
			return g.collectFile(ctx, key, o, old, done)
		}
		// A chunk goes with its upload, which may be younger.
		if a, err := g.store.bucket.Attributes(ctx, g.store.prefix+sessionKey(id)); err == nil && a.ModTime.After(old) {
			return nil
		}
		done.Uploads++
		done.Bytes += o.Size
		return g.store.remove(ctx, key)
	})
}

// collectBlobs looks through the blobs shelf by shelf, so that no listing takes
// long.
func (g *Registry) collectBlobs(ctx context.Context, old time.Time, done *Collected) error {
	for _, a := range []artifact.Algorithm{artifact.SHA256, artifact.SHA512} {
		for first := range 256 {
			if err := g.collectShelf(ctx, fmt.Sprintf("%s/%02x/", a, first), old, done); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Registry) collectShelf(ctx context.Context, shelf string, old time.Time, done *Collected) error {
	algorithm, _, _ := strings.Cut(shelf, "/")
	linked := map[string]bool{} // by hex digits
	err := g.store.list(ctx, linkDir+shelf, "", func(key string, o *blob.ListObject) error {
		if _, ok := linkedRepo(key); ok {
			sum, _, _ := strings.Cut(strings.TrimPrefix(key, linkDir+shelf), "/")
			linked[sum] = true
			return nil
		}
		return g.collectFile(ctx, key, o, old, done)
	})
	if err != nil {
		return err
	}
	return g.store.list(ctx, blobDir+shelf, "", func(key string, o *blob.ListObject) error {
		sum := strings.TrimPrefix(key, blobDir+shelf)
		d, err := artifact.ParseDigest(algorithm + ":" + sum)
		if err != nil {
			return g.collectFile(ctx, key, o, old, done)
		}
		if linked[sum] || o.ModTime.After(old) {
			return nil
		}
		removed, err := g.collectBlob(ctx, d)
		if removed {
			done.Blobs++
			done.Bytes += o.Size
		}
		return err
	})
}

// collectBlob removes content, unless a repository has come to have it.
func (g *Registry) collectBlob(ctx context.Context, d artifact.Digest) (bool, error) {
	lock := g.content.of(string(d))
	if !lock.TryLock() {
		return false, nil // somebody pushes it, or something like it: next time
	}
	defer lock.Unlock()
	used := false
	err := g.store.list(ctx, linksOf(d), "", func(key string, _ *blob.ListObject) error {
		if _, used = linkedRepo(key); used {
			return errStop
		}
		return nil
	})
	if err != nil || used {
		return false, err
	}
	return true, g.store.remove(ctx, contentOf(d))
}

// collectFiles clears the repositories of half-written files; the listings of
// uploads and blobs meet theirs by themselves.
func (g *Registry) collectFiles(ctx context.Context, old time.Time, done *Collected) error {
	return g.folders(ctx, "", func(repo string) error {
		for _, kind := range []string{"_manifests/", "_referrers/", "_tags/"} {
			err := g.store.list(ctx, repoDir+repo+"/"+kind, "", func(key string, o *blob.ListObject) error {
				return g.collectFile(ctx, key, o, old, done)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// collectFile removes a file that a killed process was writing.
func (g *Registry) collectFile(ctx context.Context, key string, o *blob.ListObject, old time.Time, done *Collected) error {
	if o.ModTime.After(old) || !unfinished.MatchString(key) {
		return nil
	}
	done.Files++
	done.Bytes += o.Size
	return g.store.remove(ctx, key)
}
