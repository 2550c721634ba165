package registry_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"seaworthy/artifact/registry"
)

// client asks one registry and fails its test when the answer is another than
// expected.
type client struct {
	t  *testing.T
	at string // http://HOST:PORT
}

func dial(t *testing.T, o registry.Options) *client {
	t.Helper()
	return &client{t, "http://" + serve(t, open(t, o))}
}

// do sends a request for a path, expects a status, and returns the answer.
func (c *client) do(status int, method, path, body string, header ...string) (http.Header, string) {
	c.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	answer, text, err := ask(method, c.at+path, in, header...)
	if err != nil {
		c.t.Fatal(err)
	}
	if answer.StatusCode != status {
		c.t.Fatalf("%s %.200s: %s, not %d: %.500s", method, path, answer.Status, status, text)
	}
	return answer.Header, string(text)
}

// refused is do for what must fail with a code.
func (c *client) refused(status int, code, method, path, body string, header ...string) string {
	c.t.Helper()
	h, text := c.do(status, method, path, body, header...)
	var errs struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(text), &errs); err != nil || len(errs.Errors) != 1 || errs.Errors[0].Code != code || errs.Errors[0].Message == "" {
		c.t.Fatalf("%s %.200s: the error is %.300s, not %s", method, path, text, code)
	}
	if h.Get("Content-Type") != "application/json" {
		c.t.Errorf("%s %.200s: the error is %s", method, path, h.Get("Content-Type"))
	}
	return errs.Errors[0].Message
}

func (c *client) blob(repo, content string) string {
	c.t.Helper()
	d := sha256Of([]byte(content))
	c.do(201, "POST", "/v2/"+repo+"/blobs/uploads/?digest="+d, content)
	return d
}

// image pushes an image of one layer and returns its digest.
func (c *client) image(repo, tag, layer string) string {
	c.t.Helper()
	c.blob(repo, "{}")
	c.blob(repo, layer)
	h, _ := c.do(201, "PUT", "/v2/"+repo+"/manifests/"+tag, manifestOf([]byte("{}"), []byte(layer)), "Content-Type", imageType)
	return h.Get("Docker-Content-Digest")
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	return v
}

func TestPathsThatAreNone(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	h, text := c.do(200, "GET", "/v2/", "")
	if text != "{}" || h.Get("Docker-Distribution-Api-Version") != "registry/2.0" {
		t.Errorf("the root answers %s %v", text, h)
	}
	c.do(200, "GET", "/v2", "")
	for _, path := range []string{"/", "/v1/", "/v2x/", "/v2x/a/tags/list", "/v2/a", "/v2/a/b", "/v2/a/tags", "/v2/blobs/uploads/", "/v2/a/blobs", "/v2/_catalog/x"} {
		c.refused(404, "NAME_UNKNOWN", "GET", path, "")
	}
	for _, name := range []string{"A", "a//b", "-a", "a-", "a..b", "a/../b", "a/_manifests", "a%00b", "a%2F..%2Fb", "_x", "a/.b", strings.Repeat("a", 231), "ä", "a,b", "a@b"} {
		c.refused(400, "NAME_INVALID", "GET", "/v2/"+name+"/tags/list", "")
		c.refused(400, "NAME_INVALID", "POST", "/v2/"+name+"/blobs/uploads/", "")
	}
	for _, r := range []string{"POST /v2/", "PUT /v2/a/blobs/sha256:0", "DELETE /v2/a/tags/list", "PATCH /v2/a/manifests/x", "POST /v2/a/referrers/x", "PUT /v2/_catalog",
		"GET /v2/a/blobs/uploads/", "TRACE /v2/a/manifests/x", "POST /v2/a/blobs/uploads/x"} {
		method, path, _ := strings.Cut(r, " ")
		c.refused(405, "UNSUPPORTED", method, path, "")
	}
	// The words of paths are no names that are reserved.
	for _, name := range []string{"a/blobs/uploads", "tags/list", "manifests", "a/manifests/b", "blobs/blobs", "token/x", "a__b", "a.b-c--d_e/0", strings.Repeat("a", 230)} {
		d := c.image(name, "v1", name)
		if h, _ := c.do(200, "HEAD", "/v2/"+name+"/manifests/v1", ""); h.Get("Docker-Content-Digest") != d {
			t.Errorf("%s: the manifest is %s", name, h.Get("Docker-Content-Digest"))
		}
	}
}

func TestReadingBlobs(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	content := strings.Repeat("0123456789", 10_000)
	d := c.blob("a", content)
	path := "/v2/a/blobs/" + d
	h, text := c.do(200, "GET", path, "")
	if text != content || h.Get("Docker-Content-Digest") != d || h.Get("Content-Type") != "application/octet-stream" || h.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%v", h)
	}
	if h, text := c.do(200, "HEAD", path, ""); text != "" || h.Get("Content-Length") != "100000" {
		t.Errorf("%v", h)
	}
	for _, r := range []struct {
		header, want, contentRange string
		status                     int
	}{
		{"bytes=0-0", "0", "bytes 0-0/100000", 206},
		{"bytes=99995-", "56789", "bytes 99995-99999/100000", 206},
		{"bytes=-3", "789", "bytes 99997-99999/100000", 206},
		{"bytes=50001-50003", "123", "bytes 50001-50003/100000", 206},
		{"bytes=100000-", "", "", 416},
		{"bytes=3-1", "", "", 416},
		{"lines=1-2", "", "", 416},
	} {
		h, text := c.do(r.status, "GET", path, "", "Range", r.header)
		if r.status == 206 && (text != r.want || h.Get("Content-Range") != r.contentRange) {
			t.Errorf("%s: %q, %s", r.header, text, h.Get("Content-Range"))
		}
	}
	c.do(304, "GET", path, "", "If-None-Match", `"`+d+`"`)
	c.do(200, "GET", path, "", "If-None-Match", `"sha256:other"`)
	// A blob belongs to the repositories that were given it.
	c.refused(404, "BLOB_UNKNOWN", "GET", "/v2/b/blobs/"+d, "")
	c.do(404, "HEAD", "/v2/a/blobs/"+sha256Of([]byte("other")), "")
	c.refused(400, "DIGEST_INVALID", "GET", "/v2/a/blobs/sha256:12", "")
	c.refused(400, "DIGEST_INVALID", "GET", "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", "")
}

func TestUploads(t *testing.T) {
	t.Parallel()
	var later atomic.Int64 // a Duration
	dir := t.TempDir()
	c := dial(t, registry.Options{Bucket: folder(t, dir), MaxBlob: 1000, Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	start := func() string {
		h, _ := c.do(202, "POST", "/v2/a/blobs/uploads/", "")
		if h.Get("Range") != "0-0" || h.Get("Docker-Upload-Uuid") == "" {
			t.Errorf("%v", h)
		}
		return h.Get("Location")
	}
	content := "the quick brown fox"
	d := sha256Of([]byte(content))

	t.Run("wrong digest", func(t *testing.T) {
		c := &client{t, c.at}
		before := files(t, dir)
		c.refused(400, "DIGEST_INVALID", "POST", "/v2/a/blobs/uploads/?digest="+d, content+"!")
		c.refused(400, "DIGEST_INVALID", "POST", "/v2/a/blobs/uploads/?digest=sha256:1", content)
		up := start()
		c.refused(400, "DIGEST_INVALID", "PUT", up+"?digest="+d, content+"!")
		c.refused(404, "BLOB_UPLOAD_UNKNOWN", "GET", up, "")
		up = start()
		c.do(202, "PATCH", up, content+"!")
		c.refused(400, "DIGEST_INVALID", "PUT", up+"?digest="+d, "")
		if have := files(t, dir); !equal(have, before) {
			t.Errorf("left behind:\n%s", names(have))
		}
		c.do(404, "HEAD", "/v2/a/blobs/"+d, "")
		// Nor does a wrong one harm what is there already.
		c.blob("b", content)
		c.refused(400, "DIGEST_INVALID", "POST", "/v2/a/blobs/uploads/?digest="+d, content+"!")
		c.do(404, "HEAD", "/v2/a/blobs/"+d, "")
	})
	t.Run("chunks", func(t *testing.T) {
		c := &client{t, c.at}
		up := start()
		c.refused(416, "BLOB_UPLOAD_INVALID", "PATCH", up, content[4:], "Content-Range", "4-18")
		h, _ := c.do(202, "PATCH", up, content[:4], "Content-Range", "0-3")
		if h.Get("Range") != "0-3" || h.Get("Location") != up {
			t.Errorf("%v", h)
		}
		for _, wrong := range []string{"0-3", "3-7", "5-9"} {
			h, _ := c.do(416, "PATCH", up, content[4:], "Content-Range", wrong)
			if h.Get("Range") != "0-3" || h.Get("Location") != up {
				t.Errorf("%v", h)
			}
		}
		c.refused(400, "BLOB_UPLOAD_INVALID", "PATCH", up, content[4:], "Content-Range", "x")
		c.refused(400, "SIZE_INVALID", "PATCH", up, content[4:], "Content-Range", "4-5")
		c.do(202, "PATCH", up, content[4:9], "Content-Range", "bytes 4-8/19")
		c.do(202, "PATCH", up, "")
		if h, _ := c.do(204, "GET", up, ""); h.Get("Range") != "0-8" {
			t.Errorf("%v", h)
		}
		c.refused(416, "BLOB_UPLOAD_INVALID", "PUT", up+"?digest="+d, content[10:], "Content-Range", "10-18")
		c.refused(400, "DIGEST_INVALID", "PUT", up, content[9:])
		h, _ = c.do(201, "PUT", up+"?digest="+url.QueryEscape(d), content[9:], "Content-Range", "9-18")
		if h.Get("Location") != "/v2/a/blobs/"+d || h.Get("Docker-Content-Digest") != d {
			t.Errorf("%v", h)
		}
		if _, text := c.do(200, "GET", "/v2/a/blobs/"+d, ""); text != content {
			t.Errorf("%q", text)
		}
		c.refused(404, "BLOB_UPLOAD_UNKNOWN", "PATCH", up, "x")
	})
	t.Run("other repository", func(t *testing.T) {
		c := &client{t, c.at}
		_, id, _ := strings.Cut(start(), "uploads/")
		c.refused(404, "BLOB_UPLOAD_UNKNOWN", "PATCH", "/v2/b/blobs/uploads/"+id, "x")
		c.refused(404, "BLOB_UPLOAD_UNKNOWN", "PATCH", "/v2/a/blobs/uploads/nosuch", "x")
		c.refused(404, "BLOB_UPLOAD_UNKNOWN", "PATCH", "/v2/a/blobs/uploads/"+strings.Repeat("A", 26), "x")
		c.refused(404, "NAME_UNKNOWN", "PATCH", "/v2/a/blobs/uploads/..%2f..%2fx", "x")
	})
	t.Run("cancel", func(t *testing.T) {
		c := &client{t, c.at}
		up := start()
		c.do(202, "PATCH", up, content)
		c.do(204, "DELETE", up, "")
		c.refused(404, "BLOB_UPLOAD_UNKNOWN", "GET", up, "")
		c.refused(404, "BLOB_UPLOAD_UNKNOWN", "DELETE", up, "")
	})
	t.Run("too large", func(t *testing.T) {
		c := &client{t, c.at}
		large := strings.Repeat("x", 1001)
		c.blob("a", large[:1000])
		c.refused(413, "SIZE_INVALID", "POST", "/v2/a/blobs/uploads/?digest="+sha256Of([]byte(large)), large)
		up := start()
		c.refused(413, "SIZE_INVALID", "PATCH", up, large)
		c.do(202, "PATCH", up, large[:600])
		c.refused(413, "SIZE_INVALID", "PATCH", up, large[:401])
		c.refused(413, "SIZE_INVALID", "PUT", up+"?digest="+sha256Of([]byte(large)), large[:401])
		if h, _ := c.do(204, "GET", up, ""); h.Get("Range") != "0-599" {
			t.Errorf("%v", h)
		}
		c.do(204, "DELETE", up, "")
	})
	t.Run("sha512", func(t *testing.T) {
		c := &client{t, c.at}
		sum := sha512.Sum512([]byte(content))
		d := "sha512:" + hex.EncodeToString(sum[:])
		h, _ := c.do(202, "POST", "/v2/a/blobs/uploads/?digest-algorithm=sha512", "")
		c.do(202, "PATCH", h.Get("Location"), content)
		c.do(201, "PUT", h.Get("Location")+"?digest="+d, "")
		if _, text := c.do(200, "GET", "/v2/a/blobs/"+d, ""); text != content {
			t.Errorf("%q", text)
		}
		c.refused(400, "DIGEST_INVALID", "POST", "/v2/a/blobs/uploads/?digest-algorithm=crc32", "")
	})
	t.Run("expired", func(t *testing.T) {
		c := &client{t, c.at}
		up := start()
		later.Store(int64(registry.DefaultUploadLife + time.Minute))
		c.refused(404, "BLOB_UPLOAD_UNKNOWN", "PATCH", up, content)
	})
}

func TestMounts(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	d := c.blob("a/b", "shared")
	h, _ := c.do(201, "POST", "/v2/c/blobs/uploads/?from=a/b&mount="+d, "")
	if h.Get("Location") != "/v2/c/blobs/"+d || h.Get("Docker-Content-Digest") != d {
		t.Errorf("%v", h)
	}
	c.do(201, "POST", "/v2/d/blobs/uploads/?mount="+d, "")
	c.do(204, "DELETE", mustLocation(c.do(202, "POST", "/v2/e/blobs/uploads/?from=nosuch&mount="+d, "")), "")
	c.do(202, "POST", "/v2/e/blobs/uploads/?from=../x&mount="+d, "")
	c.do(202, "POST", "/v2/e/blobs/uploads/?mount="+sha256Of([]byte("none")), "")
	c.refused(400, "DIGEST_INVALID", "POST", "/v2/e/blobs/uploads/?mount=x", "")
	c.do(404, "HEAD", "/v2/e/blobs/"+d, "")
	// Each repository has the blob for itself.
	c.do(202, "DELETE", "/v2/a/b/blobs/"+d, "")
	c.refused(404, "BLOB_UNKNOWN", "DELETE", "/v2/a/b/blobs/"+d, "")
	if _, text := c.do(200, "GET", "/v2/c/blobs/"+d, ""); text != "shared" {
		t.Errorf("%q", text)
	}
}

func mustLocation(h http.Header, _ string) string { return h.Get("Location") }

func TestManifests(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	c.blob("a", "{}")
	c.blob("a", "layer")
	text := manifestOf([]byte("{}"), []byte("layer"))
	d := sha256Of([]byte(text))
	h, _ := c.do(201, "PUT", "/v2/a/manifests/v1", text, "Content-Type", imageType+"; charset=utf-8")
	if h.Get("Location") != "/v2/a/manifests/"+d || h.Get("Docker-Content-Digest") != d || h.Get("Oci-Tag") != "v1" || h.Get("Oci-Subject") != "" {
		t.Errorf("%v", h)
	}
	for _, reference := range []string{"v1", d} {
		h, have := c.do(200, "GET", "/v2/a/manifests/"+reference, "")
		if have != text || h.Get("Content-Type") != imageType || h.Get("Docker-Content-Digest") != d || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%v %s", h, have)
		}
		h, have = c.do(200, "HEAD", "/v2/a/manifests/"+reference, "")
		if have != "" || h.Get("Content-Length") != fmt.Sprint(len(text)) || h.Get("Etag") != `"`+d+`"` {
			t.Errorf("%v %s", h, have)
		}
		c.do(304, "GET", "/v2/a/manifests/"+reference, "", "If-None-Match", `"`+d+`"`)
	}
	c.refused(404, "MANIFEST_UNKNOWN", "GET", "/v2/a/manifests/v2", "")
	c.refused(404, "MANIFEST_UNKNOWN", "GET", "/v2/b/manifests/"+d, "")
	c.refused(400, "DIGEST_INVALID", "GET", "/v2/a/manifests/sha256:x", "")
	c.refused(400, "DIGEST_INVALID", "PUT", "/v2/a/manifests/"+sha256Of(nil), text, "Content-Type", imageType)
	c.refused(400, "TAG_INVALID", "PUT", "/v2/a/manifests/-x", text, "Content-Type", imageType)
	c.refused(400, "TAG_INVALID", "PUT", "/v2/a/manifests/"+strings.Repeat("x", 129), text, "Content-Type", imageType)
	c.refused(400, "TAG_INVALID", "PUT", "/v2/a/manifests/"+d+"?tag=..", text, "Content-Type", imageType)

	h, _ = c.do(201, "PUT", "/v2/a/manifests/"+d+"?tag=one&tag=Two", text, "Content-Type", imageType)
	if !slices.Equal(h.Values("Oci-Tag"), []string{"one", "Two"}) {
		t.Errorf("%v", h)
	}
	c.do(200, "HEAD", "/v2/a/manifests/Two", "")
	c.do(202, "DELETE", "/v2/a/manifests/one", "")
	c.do(200, "HEAD", "/v2/a/manifests/Two", "")
	c.refused(404, "MANIFEST_UNKNOWN", "DELETE", "/v2/a/manifests/one", "")
	c.do(202, "DELETE", "/v2/a/manifests/"+d, "")
	c.do(404, "HEAD", "/v2/a/manifests/Two", "")
	c.refused(404, "MANIFEST_UNKNOWN", "DELETE", "/v2/a/manifests/"+d, "")
	c.refused(404, "NAME_UNKNOWN", "GET", "/v2/a/tags/list", "")
	c.refused(413, "SIZE_INVALID", "PUT", "/v2/a/manifests/v1", text+strings.Repeat(" ", 4<<20), "Content-Type", imageType)
	padded := text + strings.Repeat(" ", 4<<20-len(text))
	c.do(201, "PUT", "/v2/a/manifests/v1", padded, "Content-Type", imageType)
	if _, have := c.do(200, "GET", "/v2/a/manifests/v1", ""); have != padded {
		t.Error("a manifest of the greatest size comes back as another")
	}
}

// TestManifestsRefused pushes what names something that is not there, or is
// not what it says.
func TestManifestsRefused(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	c.blob("a", "{}")
	c.blob("a", "layer")
	child := c.image("a", "child", "layer")
	none := sha256Of([]byte("none"))
	good := manifestOf([]byte("{}"), []byte("layer"))
	index := func(digest string, size int) string {
		return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, indexType, imageType, digest, size)
	}
	for name, r := range map[string]struct {
		status                  int
		code, contentType, text string
	}{
		"layer missing":      {404, "MANIFEST_BLOB_UNKNOWN", imageType, strings.ReplaceAll(good, sha256Of([]byte("layer")), none)},
		"config missing":     {404, "MANIFEST_BLOB_UNKNOWN", imageType, strings.ReplaceAll(good, sha256Of([]byte("{}")), none)},
		"layer's size":       {400, "MANIFEST_INVALID", imageType, strings.Replace(good, `"size":5`, `"size":6`, 1)},
		"negative size":      {400, "MANIFEST_INVALID", imageType, strings.Replace(good, `"size":5`, `"size":-5`, 1)},
		"no digest":          {400, "MANIFEST_INVALID", imageType, strings.ReplaceAll(good, "sha256:", "")},
		"child missing":      {404, "MANIFEST_BLOB_UNKNOWN", indexType, index(none, 5)},
		"child's size":       {400, "MANIFEST_INVALID", indexType, index(child, 5)},
		"type by request":    {400, "MANIFEST_INVALID", indexType, good},
		"two in one":         {400, "MANIFEST_INVALID", imageType, strings.Replace(good, `"config"`, `"manifests":[],"config"`, 1)},
		"two in one, other":  {400, "MANIFEST_INVALID", "application/vnd.example+json", strings.Replace(strings.Replace(good, imageType, "application/vnd.example+json", 1), `"config"`, `"manifests":[],"config"`, 1)},
		"no config":          {400, "MANIFEST_INVALID", imageType, `{"schemaVersion":2,"mediaType":"` + imageType + `","layers":[]}`},
		"no manifests":       {400, "MANIFEST_INVALID", indexType, `{"schemaVersion":2}`},
		"schema":             {400, "MANIFEST_INVALID", imageType, strings.Replace(good, `"schemaVersion":2`, `"schemaVersion":1`, 1)},
		"first schema":       {400, "MANIFEST_INVALID", "application/vnd.docker.distribution.manifest.v1+json", `{"schemaVersion":1}`},
		"page for a browser": {400, "MANIFEST_INVALID", "text/html", `{"x":"<script>alert(1)</script>"}`},
		"line feed in type":  {400, "MANIFEST_INVALID", "", `{"schemaVersion":2,"mediaType":"application/x\n+json"}`},
		"unsaid":             {400, "MANIFEST_INVALID", "", `{"schemaVersion":2}`},
		"no JSON":            {400, "MANIFEST_INVALID", imageType, "{"},
		"list":               {400, "MANIFEST_INVALID", imageType, "[]"},
		"two values":         {400, "MANIFEST_INVALID", imageType, good + good},
		"empty":              {400, "MANIFEST_INVALID", imageType, ""},
		"bad subject":        {400, "MANIFEST_INVALID", imageType, strings.Replace(good, `"config"`, `"subject":{"digest":"x"},"config"`, 1)},
		"bad content type":   {400, "MANIFEST_INVALID", "a/b/c;;", good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			(&client{t, c.at}).refused(r.status, r.code, "PUT", "/v2/a/manifests/new", r.text, "Content-Type", r.contentType)
		})
	}
	t.Cleanup(func() { c.do(404, "HEAD", "/v2/a/manifests/new", "") })
	c.do(201, "PUT", "/v2/a/manifests/index", index(child, len(good)), "Content-Type", indexType)
}

const indexType = "application/vnd.oci.image.index.v1+json"

func TestManifestWarnings(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	c.blob("a", "{}")
	text := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"x","digest":%q,"size":2},"layers":[
		{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":%q,"size":7}]}`, sha256Of([]byte("{}")), sha256Of([]byte("none")))
	h, _ := c.do(201, "PUT", "/v2/a/manifests/v1", text)
	if w := h.Values("Warning"); len(w) != 2 || !strings.HasPrefix(w[0], `299 - "`) || !strings.Contains(w[0], "mediaType") {
		t.Errorf("warnings %q", w)
	}
	if h, _ := c.do(200, "GET", "/v2/a/manifests/v1", ""); h.Get("Content-Type") != imageType {
		t.Errorf("%v", h)
	}
}

// TestConcurrentPushes has many clients push the same blobs and tag at once.
func TestConcurrentPushes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := serve(t, open(t, registry.Options{Bucket: folder(t, dir)}))
	layer := bytes.Repeat([]byte("halyard"), 40_000)
	errs := make(chan error, 16)
	for i := range cap(errs) {
		go func() {
			if i%2 == 0 {
				errs <- pushWhole(at, layer)
			} else {
				errs <- pushChunked(at, layer, 1+i%3, sha256Of)
			}
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if !whole(t, at) {
		t.Error("the tag is not there")
	}
	if have := files(t, dir); len(have) != 6 {
		t.Errorf("the bucket has\n%s", names(have))
	}
}
