package local

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

func TestRouter(t *testing.T) {
	t.Parallel()
	rt := &router{}
	for _, p := range []string{"GET /pulls/{number}", "GET /pulls/{number}/files", "GET /pulls/comments/{id}", "GET /contents/{path...}", "GET /releases/latest", "GET /releases/{id}",
		"POST /pulls", "GET /git/refs", "GET /git/refs/{ref...}", "GET /"} {
		method, path, _ := strings.Cut(p, " ")
		rt.add(method, path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Found", p)
			for _, name := range []string{"number", "id", "path", "ref"} {
				if v := r.PathValue(name); v != "" {
					w.Header().Set("Value", v)
				}
			}
		}))
	}
	for _, tt := range []struct{ method, path, found, value string }{
		{"GET", "/pulls/7", "GET /pulls/{number}", "7"},
		{"GET", "/pulls/7/files", "GET /pulls/{number}/files", "7"},
		{"GET", "/pulls/comments/9", "GET /pulls/comments/{id}", "9"},
		{"GET", "/pulls/comments/files", "GET /pulls/comments/{id}", "files"},
		{"GET", "/pulls/comments", "GET /pulls/{number}", "comments"},
		{"HEAD", "/pulls/7", "GET /pulls/{number}", "7"},
		{"GET", "/contents/a/b%20c/d%2Fe", "GET /contents/{path...}", "a/b c/d/e"},
		{"GET", "/contents/", "GET /contents/{path...}", ""},
		{"GET", "/contents", "GET /contents/{path...}", ""},
		{"GET", "/contents/../x", "GET /contents/{path...}", "../x"},
		{"GET", "/releases/latest", "GET /releases/latest", ""},
		{"GET", "/releases/3", "GET /releases/{id}", "3"},
		{"GET", "/releases/a%2Fb", "GET /releases/{id}", "a/b"},
		{"GET", "/git/refs", "GET /git/refs", ""},
		{"GET", "/git/refs/heads/x", "GET /git/refs/{ref...}", "heads/x"},
		{"POST", "/pulls/", "POST /pulls", ""},
		{"GET", "/", "GET /", ""},
		{"DELETE", "/pulls/7", "", ""}, {"GET", "/pulls//files", "", ""}, {"GET", "/other", "", ""}, {"GET", "/releases/1/2/3", "", ""},
	} {
		w := httptest.NewRecorder()
		rt.serve(w, httptest.NewRequest(tt.method, tt.path, nil), http.NotFoundHandler())
		if got := w.Header(); got.Get("Found") != tt.found || got.Get("Value") != tt.value {
			t.Errorf("%s %s: %q with %q, want %q with %q", tt.method, tt.path, got.Get("Found"), got.Get("Value"), tt.found, tt.value)
		}
	}
}

func FuzzRouter(f *testing.F) {
	for _, s := range []string{"/repos/a/b", "/repos/%2e%2e/b/contents/../x", "//", "/repos/a/b/pulls/1/files"} {
		f.Add(s)
	}
	rt := &router{}
	rt.add("GET", "/repos/{owner}/{repo}/{rest...}", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.PathValue("owner") == "" || r.PathValue("repo") == "" {
			panic("an empty part of " + r.URL.Path)
		}
	}))
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Skip()
		}
		rt.serve(httptest.NewRecorder(), &http.Request{Method: "GET", URL: u}, http.NotFoundHandler())
	})
}

func TestMediaType(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"": "github.v3; format=json", "*/*": "github.v3; format=json", "application/vnd.github+json": "github.v3; format=json",
		"application/vnd.github.raw+json": "github.v3; param=raw; format=json", "application/vnd.github.v3.raw": "github.v3; param=raw; format=json",
		"application/vnd.github.v3.diff": "github.v3; param=diff; format=json", "application/vnd.github.object": "github.v3; param=object; format=json",
		"text/html, application/vnd.github.sha;q=1": "github.v3; param=sha; format=json", "application/vnd.github.v3+json, application/vnd.github.raw": "github.v3; format=json",
	} {
		if got := mediaType(accept); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	tag := annotated{object: strings.Repeat("a", 40), kind: "commit", name: "v1", tagger: git.Person{Name: "Ada", Email: "a@b", Time: time.Unix(1700000000, 0).UTC()}, message: "One\n\nTwo"}
	got, ok := parseTag(tagText(tag))
	if d := cmp.Diff(tag, got, cmp.AllowUnexported(annotated{})); !ok || d != "" {
		t.Error(d)
	}
	evil := tag
	evil.tagger.Name, evil.name = "x> 0 +0000\ntype blob\n<", "v1\nobject b"
	if got, _ = parseTag(tagText(evil)); got.kind != "commit" || got.object != tag.object {
		t.Errorf("a name became a header: %+v", got)
	}
	for raw, ok := range map[string]bool{"": false, "object a\n": false, "object a\ntype commit\ntag v\n": true, "object a\ntype commit\ntag v\ntagger x\n\nm": true} {
		if _, got := parseTag(raw); got != ok {
			t.Errorf("%q: %v", raw, got)
		}
	}
}

func FuzzParseTag(f *testing.F) {
	f.Add("object a\ntype commit\ntag v\ntagger A <a@b> 12 +0000\n\nm\n")
	f.Add("\n\n")
	f.Fuzz(func(t *testing.T, raw string) {
		tag, ok := parseTag(raw)
		if ok && (tag.object == "" || tag.name == "" || tag.kind == "") {
			t.Errorf("%q: %+v", raw, tag)
		}
	})
}

const twoFiles = `diff --git a/a b/a
index 1..2 100644
--- a/a
+++ b/a
@@ -1 +1 @@
-x
+diff --git a/not b/really
\ No newline at end of file
diff --git a/b b/c
similarity index 100%
rename from b
rename to c
`

func TestSplitPatches(t *testing.T) {
	t.Parallel()
	want := []string{"@@ -1 +1 @@\n-x\n+diff --git a/not b/really\n\\ No newline at end of file", ""}
	if d := cmp.Diff(want, splitPatches(twoFiles)); d != "" {
		t.Error(d)
	}
	large := "diff --git a/a b/a\n@@ -0,0 +1 @@\n" + strings.Repeat("+x\n", maxPatch)
	if got := splitPatches(large); len(got) != 1 || got[0] != "" {
		t.Errorf("a large patch is shown: %d bytes", len(got[0]))
	}
}

func FuzzSplitPatches(f *testing.F) {
	f.Add(twoFiles)
	f.Fuzz(func(t *testing.T, text string) {
		n := strings.Count("\n"+text, "\ndiff --git ")
		if got := len(splitPatches(text)); got != n {
			t.Errorf("%d patches in %q, want %d", got, text, n)
		}
	})
}

func TestParseTouched(t *testing.T) {
	t.Parallel()
	out := "\x01aaa\x00\x00A\x00new file\x00M\x00old\x00\x01bbb\x00\x00D\x00gone\x00T\x00kind\x00\x01ccc\x00"
	want := map[string]fileLists{
		"aaa": {added: []string{"new file"}, modified: []string{"old"}}, "bbb": {removed: []string{"gone"}, modified: []string{"kind"}}, "ccc": {},
	}
	if d := cmp.Diff(want, parseTouched(out), cmp.AllowUnexported(fileLists{})); d != "" {
		t.Error(d)
	}
}

func FuzzParseTouched(f *testing.F) {
	f.Add("\x01aaa\x00\x00A\x00f\x00")
	f.Fuzz(func(t *testing.T, out string) {
		for id := range parseTouched(out) {
			if id == "" {
				t.Errorf("a commit without an id in %q", out)
			}
		}
	})
}

func TestBlobIDs(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	raw := ":100644 100644 " + a + " " + b + " M\x00f\x00:100644 000000 " + a + " " + git.ZeroSHA + " D\x00g\x00:100644 100644 " + a + " " + b + " R090\x00g\x00h\x00"
	if d := cmp.Diff([]string{b, a, b}, blobIDs(raw)); d != "" {
		t.Error(d)
	}
}

func TestSearchTerms(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]string{
		"": nil, "a b": {"a", "b"}, `label:"help wanted" x`: {"label:help wanted", "x"}, `"open`: {"open"}, `  a   "b c" `: {"a", "b c"},
	} {
		if d := cmp.Diff(want, searchTerms(query)); d != "" {
			t.Errorf("%q: %s", query, d)
		}
	}
}

func FuzzSearchTerms(f *testing.F) {
	f.Add(`repo:a/b label:"x y" "z`)
	f.Fuzz(func(t *testing.T, query string) {
		for _, term := range searchTerms(query) {
			if strings.Contains(term, `"`) {
				t.Errorf("%q gives %q", query, term)
			}
		}
	})
}

func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"a/b", "../x", "a//b", ".git/x", "a/./b", "x\x00", "a/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		got, err := cleanPath(p)
		if err == nil && got != "" && (filepath.Clean(got) != got || !filepath.IsLocal(got)) {
			t.Errorf("%q became %q", p, got)
		}
	})
}

func FuzzAssetName(f *testing.F) {
	for _, s := range []string{"a.tgz", "../x", "é", ".x", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := assetName(s)
		if err == nil && (!filepath.IsLocal(got) || filepath.Base(got) != got || strings.HasPrefix(got, ".")) {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func TestTagAndName(t *testing.T) {
	t.Parallel()
	for rest, want := range map[string][2]string{"v1/f": {"v1", "f"}, "release/1/f": {"release/1", "f"}, "f": {}, "/f": {}, "v1/": {}, "": {}} {
		tag, name, ok := tagAndName(rest)
		if tag != want[0] || name != want[1] || ok != (want[0] != "") {
			t.Errorf("%q: %q %q %v", rest, tag, name, ok)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{`"a"`: true, `W/"a"`: true, `"b", W/"a"`: true, "*": true, "": false, `"b"`: false, "a": false} {
		if got := matches(header, `"a"`); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestSealer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".key")
	s, err := openSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is open to %v (%v)", info.Mode(), err)
	}
	sealed := s.seal("secret")
	if strings.Contains(sealed, "secret") || sealed == s.seal("secret") || s.seal("") != "" {
		t.Errorf("sealed as %q", sealed)
	}
	again, err := openSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.open(sealed); err != nil || got != "secret" {
		t.Errorf("opened as %q %v", got, err)
	}
	other, err := openSealer(filepath.Join(t.TempDir(), ".key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{sealed, "!", "aaaa", sealed[:len(sealed)-4]} {
		if _, err := other.open(bad); err == nil {
			t.Errorf("opened %q with another key", bad)
		}
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSealer(path); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged key: %v", err)
	}
}

func TestBackOff(t *testing.T) {
	t.Parallel()
	var total time.Duration
	for n := 1; ; n++ {
		wait, again := backOff(n)
		if !again {
			if n != 10 {
				t.Errorf("gives up after %d attempts", n)
			}
			break
		}
		if wait < time.Second || wait > 5*time.Minute {
			t.Errorf("waits %v after %d", wait, n)
		}
		total += wait
	}
	if total < 5*time.Minute {
		t.Errorf("a receiver has %v to come back", total)
	}
}

func TestWhereHooksMayGo(t *testing.T) {
	t.Parallel()
	self := &url.URL{Scheme: "http", Host: "10.0.0.7:7070"}
	here, anywhere := newSender(nil, false, self), newSender(nil, true, self)
	for address, want := range map[string]bool{
		"http://localhost/x": true, "http://127.0.0.1:80": true, "http://127.9.9.9": true, "http://[::1]/": true, "http://[::ffff:127.0.0.1]/": true,
		"http://" + OwnHost + "/hooks/github": true, "http://10.0.0.7:7070/": false, "http://10.0.0.1/": false, "http://example.test/": false, "http://169.254.169.254/latest": false, "http://localhost.example.test/": false, "http://0.0.0.0/": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := here.allowed(u); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
		if err := anywhere.allowed(u); err != nil {
			t.Errorf("%s, with everything allowed: %v", address, err)
		}
	}
	for address, want := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "10.0.0.1:80": false, "10.0.0.7:7070": true, "10.0.0.7:80": false, "nonsense": false} {
		if err := here.control("tcp", address, nil); (err == nil) != want {
			t.Errorf("connecting to %s: %v", address, err)
		}
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	l := newLocks(nil)
	unlock, err := l.lock(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.lock(ctx, 1); err == nil {
		t.Error("locked twice")
	}
	other, err := l.lock(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	other()
	unlock()
	if unlock, err = l.lock(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestCombined(t *testing.T) {
	t.Parallel()
	for states, want := range map[string]string{"": "pending", "success": "success", "success pending": "pending", "pending error success": "failure", "failure": "failure"} {
		var all []hosted.Status
		for s := range strings.FieldsSeq(states) {
			all = append(all, hosted.Status{State: s})
		}
		if got := combined(all); got != want {
			t.Errorf("%q: %s", states, got)
		}
	}
}
