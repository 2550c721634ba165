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
		// A chunk is as old as its upload's last sign of life at most.
		if !strings.HasSuffix(key, ".session") {
			if a, err := g.store.bucket.Attributes(ctx, g.store.prefix+sessionKey(id)); err == nil && a.ModTime.After(old) {
				return nil
			}
		}
		done.Uploads++
		done.Bytes += o.Size
		return g.store.remove(ctx, key)
	})
}

// collectBlobs looks through the blobs in the order of their digests, so that
// a blob's content and its links come one after the other.
func (g *Registry) collectBlobs(ctx context.Context, old time.Time, done *Collected) error {
	var candidate *blob.ListObject
	var digest artifact.Digest
	flush := func() error {
		if candidate == nil {
			return nil
		}
		o := candidate
		candidate = nil
		removed, err := g.collectBlob(ctx, digest)
		if removed {
			done.Blobs++
			done.Bytes += o.Size
		}
		return err
	}
	err := g.store.list(ctx, blobDir, "", func(key string, o *blob.ListObject) error {
		folder, name, _ := strings.Cut(strings.TrimPrefix(key, blobDir), "/"+contentKey)
		words := strings.Split(folder, "/")
		if len(words) != 3 || name != "" { // a link, or half a file
			if candidate != nil && strings.HasPrefix(key, linksOf(digest)) && strings.HasSuffix(key, mark) {
				candidate = nil
			}
			return nil
		}
		if err := flush(); err != nil {
			return err
		}
		d, err := artifact.ParseDigest(words[0] + ":" + words[2])
		if err == nil && !o.ModTime.After(old) {
			candidate, digest = o, d
		}
		return nil
	})
	return errors.Join(err, flush())
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

func (g *Registry) collectFiles(ctx context.Context, old time.Time, done *Collected) error {
	return g.store.list(ctx, "", "", func(key string, o *blob.ListObject) error {
		if o.ModTime.After(old) || !unfinished.MatchString(key) {
			return nil
		}
		done.Files++
		done.Bytes += o.Size
		return g.store.remove(ctx, key)
	})
}
