package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"gocloud.dev/blob/memblob"

	"seaworthy/artifact/registry"
)

// broken ends a request in the middle of its body.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the cable was pulled") }

// TestClientGoesAway has clients vanish in the middle of what they send. What
// was answered before stays as it was, and nothing else is left.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := open(t, registry.Options{Bucket: folder(t, dir)})
	handled := make(chan struct{}, 100)
	c := &client{t, "http://" + serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.ServeHTTP(w, r)
		handled <- struct{}{}
	}))}
	layer := strings.Repeat("halyard ", 20_000)
	d := sha256Of([]byte(layer))
	h, _ := c.do(202, "POST", "/v2/a/blobs/uploads/", "")
	up := h.Get("Location")
	c.do(202, "PATCH", up, layer[:1000])
	for range 2 {
		<-handled
	}
	before := files(t, dir)
	for _, r := range []struct{ method, path string }{
		{"PATCH", up}, {"PUT", up + "?digest=" + d}, {"POST", "/v2/a/blobs/uploads/?digest=" + d}, {"PUT", "/v2/a/manifests/v1"},
	} {
		body := io.MultiReader(strings.NewReader(layer[1000:90_000]), broken{})
		if _, _, err := ask(r.method, c.at+r.path, body, "Content-Type", imageType); err == nil {
			t.Errorf("%s %s: no error", r.method, r.path)
		}
		<-handled
		if have := files(t, dir); !equal(have, before) {
			t.Errorf("%s %s left\n%s", r.method, r.path, names(have))
		}
	}
	if h, _ := c.do(204, "GET", up, ""); h.Get("Range") != "0-999" {
		t.Errorf("the upload has %s", h.Get("Range"))
	}
	c.do(201, "PUT", up+"?digest="+d, layer[1000:])
	if _, text := c.do(200, "GET", "/v2/a/blobs/"+d, ""); text != layer {
		t.Error("the blob is another")
	}
}

// TestChunksAtOnce sends the same chunk many times at once. One is taken; the
// others are told where the upload is by then.
func TestChunksAtOnce(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	h, _ := c.do(202, "POST", "/v2/a/blobs/uploads/", "")
	up := c.at + h.Get("Location")
	chunk := bytes.Repeat([]byte("x"), 50_000)
	answers := make(chan int, 8)
	for range cap(answers) {
		go func() {
			answer, _, err := ask("PATCH", up, bytes.NewReader(chunk), "Content-Range", fmt.Sprintf("0-%d", len(chunk)-1))
			if err != nil {
				t.Error(err)
				answers <- 0
				return
			}
			answers <- answer.StatusCode
		}()
	}
	count := map[int]int{}
	for range cap(answers) {
		count[<-answers]++
	}
	if count[202] != 1 || count[416] != 7 {
		t.Errorf("answers %v", count)
	}
	c.do(201, "PUT", h.Get("Location")+"?digest="+sha256Of(chunk), "")
}

// TestListsDuringPushes reads every list while files come and go in the folder
// it is read from.
func TestListsDuringPushes(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	c.image("a", "first", "layer")
	manifest := manifestOf([]byte("{}"), []byte("layer"))
	d := sha256Of([]byte(manifest))
	ctx, stop := context.WithCancel(t.Context())
	var pushers sync.WaitGroup
	for p := range 4 {
		pushers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				tag := fmt.Sprintf("/v2/a/manifests/t%d-%d", p, i%20)
				if _, err := must(201, "PUT", c.at+tag, strings.NewReader(manifest), "Content-Type", imageType); err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 {
					continue
				}
				if _, err := must(202, "DELETE", c.at+tag, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 150 {
		_, text := c.do(200, "GET", "/v2/a/tags/list", "")
		if !strings.Contains(text, `"first"`) || strings.Contains(text, "tmp") {
			t.Errorf("%s", text)
		}
		if _, text := c.do(200, "GET", "/v2/_catalog", ""); text != `{"repositories":["a"]}` {
			t.Errorf("%s", text)
		}
		c.do(200, "GET", "/v2/a/referrers/"+d, "")
	}
	stop()
	pushers.Wait()
}

// TestBucketFails has the bucket gone: every request says so, none pretends
// that there is nothing, and none tells what is wrong inside.
func TestBucketFails(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	c := dial(t, registry.Options{Bucket: bucket})
	d := c.blob("a", "layer")
	h, _ := c.do(202, "POST", "/v2/a/blobs/uploads/", "")
	up := h.Get("Location")
	if err := bucket.Close(); err != nil {
		t.Fatal(err)
	}
	manifest := manifestOf([]byte("layer"), []byte("layer"))
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/v2/_catalog", ""},
		{"GET", "/v2/a/tags/list", ""},
		{"GET", "/v2/a/manifests/v1", ""},
		{"GET", "/v2/a/manifests/" + d, ""},
		{"PUT", "/v2/a/manifests/v1", manifest},
		{"DELETE", "/v2/a/manifests/v1", ""},
		{"DELETE", "/v2/a/manifests/" + d, ""},
		{"GET", "/v2/a/blobs/" + d, ""},
		{"DELETE", "/v2/a/blobs/" + d, ""},
		{"GET", "/v2/a/referrers/" + d, ""},
		{"POST", "/v2/a/blobs/uploads/", ""},
		{"POST", "/v2/a/blobs/uploads/?digest=" + d, "layer"},
		{"POST", "/v2/b/blobs/uploads/?from=a&mount=" + d, ""},
		{"POST", "/v2/b/blobs/uploads/?mount=" + d, ""},
		{"PATCH", up, "layer"},
		{"PUT", up + "?digest=" + d, "layer"},
		{"GET", up, ""},
		{"DELETE", up, ""},
	} {
		text := c.refused(500, "UNKNOWN", r.method, r.path, r.body, "Content-Type", imageType)
		if strings.Contains(text, "losed") {
			t.Errorf("%s %s: %s", r.method, r.path, text)
		}
	}
	g := open(t, registry.Options{Bucket: bucket})
	if _, err := g.Collect(t.Context()); err == nil {
		t.Error("a bucket that is gone was cleared")
	}
}

// TestDeletedUnderAPush deletes blobs while manifests that need them are
// pushed: either comes first, and the answers say which.
func TestDeletedUnderAPush(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	config := c.blob("a", "{}")
	for i := range 40 {
		layer := fmt.Sprintf("layer %d", i)
		d := c.blob("a", layer)
		deleted := make(chan int, 1)
		go func() {
			answer, _, err := ask("DELETE", c.at+"/v2/a/blobs/"+d, nil)
			if err != nil {
				t.Error(err)
				deleted <- 0
				return
			}
			deleted <- answer.StatusCode
		}()
		answer, text, err := ask("PUT", c.at+"/v2/a/manifests/v1", strings.NewReader(manifestOf([]byte("{}"), []byte(layer))), "Content-Type", imageType)
		if err != nil {
			t.Fatal(err)
		}
		if got := <-deleted; got != 202 {
			t.Errorf("the deletion answered %d", got)
		}
		if answer.StatusCode != 201 && (answer.StatusCode != 404 || !bytes.Contains(text, []byte("MANIFEST_BLOB_UNKNOWN"))) {
			t.Errorf("%s: %s", answer.Status, text)
		}
	}
	c.do(200, "HEAD", "/v2/a/blobs/"+config, "")
}
