package registry

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"gocloud.dev/blob/memblob"

	"seaworthy/artifact"
)

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"/v2/", "/v2/a/b/blobs/uploads/", "/v2/a/blobs/uploads/ID", "/v2/a/manifests/v1", "/v2/blobs/uploads/tags/list", "/v2/a/../manifests/x", "/v2//", "/v2", "/v20/blobs/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := parsePath(s)
		if p.repo == "" || checkName(p.repo) != nil {
			return
		}
		// What passes stays below the repository's own folder.
		key := repoDir + p.repo + "/_tags/x"
		if path.Clean(key) != key || strings.Contains(p.repo, "_tags") && strings.Contains(p.repo, "/_") {
			t.Errorf("%q is the repository %q", s, p.repo)
		}
		if !strings.HasPrefix(s, "/v2/"+p.repo+"/") {
			t.Errorf("%q is the repository %q", s, p.repo)
		}
		d := artifact.Digest("sha256:" + strings.Repeat("0", 64))
		if back, ok := linkedRepo(linkOf(p.repo, d)); !ok || back != p.repo {
			t.Errorf("the link of %q is of %q", p.repo, back)
		}
	})
}

func FuzzParseContentRange(f *testing.F) {
	for _, s := range []string{"0-1", "bytes 0-1/2", "bytes=5-9", "9-5", "-", "0-", "99999999999999999999-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, last, ok := parseContentRange(s)
		if ok && (first < 0 || last < first || last-first+1 <= 0) {
			t.Errorf("%q is %d to %d", s, first, last)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add("", []byte(`{"schemaVersion":2,"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`))
	f.Add(typeIndex, []byte(`{"schemaVersion":2,"manifests":[{"digest":"x"}]}`))
	f.Add("application/json", []byte(`{"mediaType":"application/vnd.oci.image.index.v1+json","subject":null,"manifests":null}`))
	f.Add("text/html", []byte(`{}`))
	f.Fuzz(func(t *testing.T, contentType string, text []byte) {
		m, err := parseManifest(contentType, text)
		if err != nil {
			return
		}
		if strings.ContainsAny(m.mediaType, "\r\n <>") || !strings.HasSuffix(m.mediaType, "json") {
			t.Errorf("the media type %q", m.mediaType)
		}
		for _, d := range append(m.blobs, m.children...) {
			if _, err := artifact.ParseDigest(string(d.Digest)); err != nil || d.Size < 0 {
				t.Errorf("%+v", d)
			}
		}
		// What the bucket keeps is read again, whatever it says.
		again, err := parseManifest(m.mediaType, text)
		if err != nil || again.mediaType != m.mediaType {
			t.Errorf("%q is refused when it is read again: %v", m.mediaType, err)
		}
	})
}

func FuzzScopes(f *testing.F) {
	for _, s := range []string{"repository:a/b:pull,push", "repository:a:*", "registry:catalog:*", "repository(plugin):a:pull", "repository::", "repository:a:b:pull x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all, err := parseScopes(url.Values{"scope": {s}})
		if err != nil {
			return
		}
		for _, g := range all {
			if checkName(g.Repository) != nil {
				t.Errorf("%q is for %q", s, g.Repository)
			}
		}
		// What a challenge asks for is what is read from it.
		again, err := parseScopes(url.Values{"scope": {scopes(all)}})
		if err != nil || len(again) > len(all) {
			t.Errorf("%q, written again, is %v (%v)", s, again, err)
		}
	})
}

func FuzzOpenToken(f *testing.F) {
	bucket := memblob.OpenBucket(nil)
	f.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			f.Error(err)
		}
	})
	g, err := New(Options{Bucket: bucket, Secret: []byte("0123456789abcdef")})
	if err != nil {
		f.Fatal(err)
	}
	good, err := g.sealToken(claims{Account: "ada", Expires: 1 << 40})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good + "=")
	f.Add(".")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := g.openToken(s); err == nil && s != good {
			t.Errorf("%q is taken for a token", s)
		}
	})
}
