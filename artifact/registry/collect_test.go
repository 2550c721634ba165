package registry_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"seaworthy/artifact/registry"
)

func TestCollect(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	dir := t.TempDir()
	g := open(t, registry.Options{Bucket: folder(t, dir), Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	c := &client{t, "http://" + serve(t, g)}
	collect := func() registry.Collected {
		t.Helper()
		done, err := g.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if done := collect(); done != (registry.Collected{}) {
		t.Errorf("an empty registry: %+v", done)
	}
	kept := c.image("a/b", "v1", "kept")
	shared, gone := c.blob("a/b", "shared"), c.blob("a/b", "gone for good")
	c.blob("content/content", "shared")
	c.do(202, "DELETE", "/v2/a/b/blobs/"+shared, "")
	c.do(202, "DELETE", "/v2/a/b/blobs/"+gone, "")
	h, _ := c.do(202, "POST", "/v2/a/b/blobs/uploads/", "")
	up := h.Get("Location")
	c.do(202, "PATCH", up, "abandoned")
	half := filepath.Join(dir, "registry", "blobs", "sha256", "00", strings.Repeat("0", 64)+".18abcdef01234567.tmp")
	if err := os.MkdirAll(filepath.Dir(half), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(half, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	if done := collect(); done != (registry.Collected{}) {
		t.Errorf("a young registry: %+v", done)
	}
	if have := files(t, dir); !equal(have, before) {
		t.Errorf("a young registry:\n%s", names(have))
	}

	later.Store(int64(registry.DefaultUploadLife + time.Hour))
	done := collect()
	want := registry.Collected{Uploads: 2, Blobs: 1, Files: 1, Bytes: done.Bytes}
	if done != want || done.Bytes < int64(len("gone for good")+len("abandoned")+len("half")) {
		t.Errorf("%+v", done)
	}
	if have := files(t, dir); len(have) != len(before)-4 {
		t.Errorf("left:\n%s", names(have))
	}
	c.do(404, "GET", up, "")
	if _, text := c.do(200, "GET", "/v2/content/content/blobs/"+shared, ""); text != "shared" {
		t.Errorf("%q", text)
	}
	c.do(200, "GET", "/v2/a/b/manifests/"+kept, "")
	if done := collect(); done != (registry.Collected{}) {
		t.Errorf("a second time: %+v", done)
	}
	if again := c.blob("a/b", "gone for good"); again != gone {
		t.Error(again)
	}
}

// TestCollectDuringPushes clears a registry in which nothing is too young, over
// and over, while images are pushed and deleted.
func TestCollectDuringPushes(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	g := open(t, registry.Options{Bucket: bucket, Now: func() time.Time { return time.Now().Add(time.Minute) }})
	c := &client{t, "http://" + serve(t, g)}
	// Content that no repository has is old here as soon as it is written; only
	// the locks keep it from going between being found and being linked.
	eager := open(t, registry.Options{Bucket: bucket, UploadLife: time.Nanosecond})
	eager.ShareWith(g)
	stop := make(chan struct{})
	collected := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				collected <- nil
				return
			default:
			}
			if err := eager.CollectBlobs(t.Context()); err != nil {
				collected <- err
				return
			}
		}
	}()
	layer := "the same in every image"
	for range 200 {
		d := c.blob("a", layer)
		if _, text := c.do(200, "GET", "/v2/a/blobs/"+d, ""); text != layer {
			t.Fatalf("%q", text)
		}
		c.do(202, "DELETE", "/v2/a/blobs/"+d, "")
	}
	close(stop)
	if err := <-collected; err != nil {
		t.Fatal(err)
	}
}
