package registry_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"seaworthy/artifact/registry"
)

func TestTagList(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	all := []string{"0.1", "Alpha", "alpha", "beta", "Beta2", "v1", "v10", "v2", "x.18abcdef01.tmp"}
	for _, i := range []int{3, 1, 0, 8, 2, 7, 4, 5, 6} {
		c.image("a/b", all[i], "layer")
	}
	type list struct {
		Name string
		Tags []string
	}
	h, text := c.do(200, "GET", "/v2/a/b/tags/list", "")
	if l := decode[list](t, text); l.Name != "a/b" || !slices.Equal(l.Tags, all) || h.Get("Link") != "" {
		t.Errorf("%s %v", text, h)
	}
	for n := 1; n <= 10; n++ {
		var got []string
		path := fmt.Sprintf("/v2/a/b/tags/list?n=%d", n)
		for path != "" {
			h, text := c.do(200, "GET", path, "")
			l := decode[list](t, text)
			if len(l.Tags) > n {
				t.Errorf("%d tags on a page of %d", len(l.Tags), n)
			}
			got, path = append(got, l.Tags...), nextPage(h)
		}
		if !slices.Equal(got, all) {
			t.Errorf("by %d: %q", n, got)
		}
	}
	for last, want := range map[string][]string{"v1": {"v10", "v2", "x.18abcdef01.tmp"}, "c": {"v1", "v10", "v2", "x.18abcdef01.tmp"}, "zz": {}} {
		if _, text := c.do(200, "GET", "/v2/a/b/tags/list?last="+last, ""); !slices.Equal(decode[list](t, text).Tags, want) {
			t.Errorf("after %s: %s", last, text)
		}
	}
	h, text = c.do(200, "GET", "/v2/a/b/tags/list?n=0", "")
	if text != `{"name":"a/b","tags":[]}` || h.Get("Link") != "" {
		t.Errorf("%s %v", text, h)
	}
	c.refused(400, "PAGINATION_NUMBER_INVALID", "GET", "/v2/a/b/tags/list?n=-1", "")
	c.refused(400, "PAGINATION_NUMBER_INVALID", "GET", "/v2/a/b/tags/list?n=x", "")
	c.refused(404, "NAME_UNKNOWN", "GET", "/v2/a/tags/list", "")
}

// nextPage reads the Link of a page, "" if it is the last one.
func nextPage(h http.Header) string {
	link, ok := strings.CutSuffix(h.Get("Link"), `>; rel="next"`)
	if !ok {
		return ""
	}
	return strings.TrimPrefix(link, "<")
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	if _, text := c.do(200, "GET", "/v2/_catalog", ""); text != `{"repositories":[]}` {
		t.Error(text)
	}
	all := []string{"a", "a-b/c", "a/b", "a/b/c/d", "b", "x/y"}
	for _, repo := range all {
		c.image(repo, "v1", "layer")
	}
	c.blob("only/blobs", "x")
	type list struct{ Repositories []string }
	for _, n := range []int{1, 2, 4, 6, 7} {
		var got []string
		path := fmt.Sprintf("/v2/_catalog?n=%d", n)
		for path != "" {
			h, text := c.do(200, "GET", path, "")
			got, path = append(got, decode[list](t, text).Repositories...), nextPage(h)
		}
		if !slices.Equal(got, all) {
			t.Errorf("by %d: %q", n, got)
		}
	}
	c.refused(400, "PAGINATION_NUMBER_INVALID", "GET", "/v2/_catalog?n=x", "")
}

func TestReferrers(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	c.blob("a", "{}")
	subject := sha256Of([]byte("a manifest that comes later"))
	path := "/v2/a/referrers/" + subject
	type index struct {
		SchemaVersion int
		MediaType     string
		Manifests     []struct {
			MediaType, Digest, ArtifactType string
			Size                            int
			Annotations                     map[string]string
		}
	}
	h, text := c.do(200, "GET", path, "")
	if h.Get("Content-Type") != indexType || text != `{"schemaVersion":2,"mediaType":"`+indexType+`","manifests":[]}` {
		t.Errorf("%v %s", h, text)
	}
	var digests []string
	for i := range 5 {
		artifactType := []string{`"artifactType":"application/vnd.example.sbom",`, ""}[i%2]
		body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,%s"config":{"mediaType":"application/vnd.example.config","digest":%q,"size":2},
			"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":27},"annotations":{"n":"%d"}}`, imageType, artifactType, sha256Of([]byte("{}")), imageType, subject, i)
		d := sha256Of([]byte(body))
		h, _ := c.do(201, "PUT", "/v2/a/manifests/"+d, body, "Content-Type", imageType)
		if h.Get("Oci-Subject") != subject {
			t.Errorf("%v", h)
		}
		digests = append(digests, d)
	}
	slices.Sort(digests)
	read := func(query string, filtered bool) (got []string) {
		t.Helper()
		at := path + query
		for at != "" {
			h, text := c.do(200, "GET", at, "")
			if (h.Get("Oci-Filters-Applied") == "artifactType") != filtered {
				t.Errorf("%s: filters applied: %q", at, h.Get("Oci-Filters-Applied"))
			}
			for _, m := range decode[index](t, text).Manifests {
				if m.Size == 0 || m.MediaType != imageType || m.Annotations["n"] == "" || m.ArtifactType == "" {
					t.Errorf("%+v", m)
				}
				got = append(got, m.Digest)
			}
			at = nextPage(h)
		}
		return got
	}
	for _, query := range []string{"", "?n=1", "?n=2", "?n=5", "?n=6"} {
		if got := read(query, false); !slices.Equal(got, digests) {
			t.Errorf("%s: %q", query, got)
		}
	}
	for kind, want := range map[string]int{"application/vnd.example.sbom": 3, "application/vnd.example.config": 2, "none": 0} {
		for _, n := range []string{"", "&n=1", "&n=2"} {
			if got := read("?artifactType="+kind+n, true); len(got) != want {
				t.Errorf("%s%s: %q", kind, n, got)
			}
		}
	}
	c.do(202, "DELETE", "/v2/a/manifests/"+digests[0], "")
	if got := read("", false); !slices.Equal(got, digests[1:]) {
		t.Errorf("after a deletion: %q", got)
	}
	c.refused(400, "DIGEST_INVALID", "GET", "/v2/a/referrers/v1", "")
}

// TestReferrersFillPages has more referrers than one answer may hold.
func TestReferrersFillPages(t *testing.T) {
	t.Parallel()
	c := dial(t, registry.Options{})
	c.blob("a", "{}")
	subject := sha256Of([]byte("subject"))
	for i := range 7 {
		body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"x","digest":%q,"size":2},"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":7},
			"annotations":{"n":"%d","text":%q}}`, imageType, sha256Of([]byte("{}")), imageType, subject, i, strings.Repeat("x", 1<<20))
		c.do(201, "PUT", "/v2/a/manifests/"+sha256Of([]byte(body)), body, "Content-Type", imageType)
	}
	seen, pages := 0, 0
	for at := "/v2/a/referrers/" + subject; at != ""; pages++ {
		h, text := c.do(200, "GET", at, "")
		if len(text) > 4<<20 {
			t.Errorf("a page has %d bytes", len(text))
		}
		seen += strings.Count(text, `"digest"`)
		at = nextPage(h)
	}
	if seen != 7 || pages < 2 {
		t.Errorf("%d referrers on %d pages", seen, pages)
	}
}
