package transfer

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"seaworthy/artifact/promote"
	ownregistry "seaworthy/artifact/registry"
)

// TestOneMirrorDown: what fails at one destination fails there alone, and the
// next run does what is left.
func TestOneMirrorDown(t *testing.T) {
	t.Parallel()
	source, up, down := newShop(t), newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", [][]byte{random("big", 3*inMemory)}, "v1")
	m := with(from(source.host+"/s", up.host+"/p", down.host+"/p"), "app", d, "v1")
	down.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"errors":[{"code":"DENIED","message":"quota exceeded"}]}`))
		return true
	})
	o := Options{Journal: testJournal(t, t.TempDir())}
	_, r := runs(t, o, m)
	all := complaints(r)
	if r.Failed != 1 || len(r.Outcomes[0].Failures) != 1 || !strings.Contains(all, down.host) || !strings.Contains(all, "DENIED (quota exceeded)") {
		t.Errorf("%s", all)
	}
	up.whole(t, "p/app", "v1")
	down.meddling(nil)
	source.forget()
	if p, r := runs(t, o, m); r.Done != 1 || len(p.Plan.Items[0].Destinations) != 1 {
		t.Errorf("%s", complaints(r))
	}
	down.whole(t, "p/app", "v1")
}

// dressed changes the answers of a registry before they are sent.
func dressed(change func(*http.Request, http.Header)) func(http.ResponseWriter, *http.Request, http.Handler) bool {
	return func(w http.ResponseWriter, r *http.Request, inner http.Handler) bool {
		answer := httptest.NewRecorder()
		inner.ServeHTTP(answer, r)
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		change(r, w.Header())
		w.WriteHeader(answer.Code)
		_, _ = io.Copy(w, answer.Body)
		return true
	}
}

// TestRegistriesWithManners of their own: what the specification leaves open,
// and what is found besides.
func TestRegistriesWithManners(t *testing.T) {
	t.Parallel()
	for name, meddle := range map[string]func(*shop) func(http.ResponseWriter, *http.Request, http.Handler) bool{
		"no digests in answers": func(*shop) func(http.ResponseWriter, *http.Request, http.Handler) bool {
			return dressed(func(_ *http.Request, h http.Header) { h.Del("Docker-Content-Digest") })
		},
		"whole addresses to upload to": func(s *shop) func(http.ResponseWriter, *http.Request, http.Handler) bool {
			return dressed(func(_ *http.Request, h http.Header) {
				if l := h.Get("Location"); l != "" {
					h.Set("Location", s.URL+l+"?_state=secret")
				}
			})
		},
		"no upload in one request": func(*shop) func(http.ResponseWriter, *http.Request, http.Handler) bool {
			return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.Method != http.MethodPost || !r.URL.Query().Has("digest") {
					return false
				}
				w.WriteHeader(http.StatusBadRequest)
				return true
			}
		},
		"no mounting": func(*shop) func(http.ResponseWriter, *http.Request, http.Handler) bool {
			return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.Method != http.MethodPost || !r.URL.Query().Has("mount") {
					return false
				}
				w.WriteHeader(http.StatusNotFound)
				return true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := newShop(t), newShop(t)
			shared := random("shared", 2*inMemory)
			a := source.pushImage(t, "s/a", "a", [][]byte{shared, random("x", 10)}, "v1")
			b := source.pushImage(t, "s/b", "b", [][]byte{shared}, "v1")
			target.meddling(meddle(target))
			m := with(with(from(source.host+"/s", target.host+"/p"), "a", a, "v1"), "b", b, "v1")
			_, r := runs(t, Options{}, m)
			if r.Done != 2 {
				t.Fatal(complaints(r))
			}
			if p, _ := runs(t, Options{}, m); len(p.Plan.Items) != 0 {
				t.Error("it is not seen to be there")
			}
			target.meddling(nil)
			target.whole(t, "p/a", "v1")
			target.whole(t, "p/b", "v1")
		})
	}
}

// TestRegistriesThatLie are not believed.
func TestRegistriesThatLie(t *testing.T) {
	t.Parallel()
	other := string(digestOf([]byte("something else")))
	for name, lie := range map[string]struct {
		change func(*http.Request, http.Header)
		why    string
	}{
		"of the manifest they stored": {func(r *http.Request, h http.Header) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
				h.Set("Docker-Content-Digest", other)
			}
		}, "the registry has " + other},
		"of the blob they stored": {func(r *http.Request, h http.Header) {
			if strings.Contains(r.URL.Path, "/uploads") && h.Get("Docker-Content-Digest") != "" {
				h.Set("Docker-Content-Digest", other)
			}
		}, "the registry stored " + other},
		"not of where to send": {func(r *http.Request, h http.Header) {
			if r.Method == http.MethodPost {
				h.Del("Location")
				h.Del("Docker-Content-Digest")
			}
		}, "does not say where to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := newShop(t), newShop(t)
			d := source.pushImage(t, "s/app", "app", [][]byte{random("x", 2*inMemory)}, "v1")
			target.meddling(dressed(lie.change))
			_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1"))
			if r.Failed != 1 || !strings.Contains(complaints(r), lie.why) {
				t.Errorf("%s", complaints(r))
			}
		})
	}
}

// TestSourceWithoutLists: a registry that gives digests and no lists of tags.
func TestSourceWithoutLists(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", nil)
	sig := source.legacy(t, "s/app", d, ".sig", "signature")
	source.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if strings.HasSuffix(r.URL.Path, "/tags/list") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1"))
	if r.Done != 1 || target.has(t, "p/app", companionTag(d)+".sig") != sig {
		t.Errorf("the signature did not come along: %s", complaints(r))
	}
}

// TestSHA512 promotes an image whose digests are of the other kind.
func TestSHA512(t *testing.T) {
	t.Parallel()
	source, target := embedded(t, ownregistry.Options{}), embedded(t, ownregistry.Options{})
	digest512 := func(text []byte) artifactDigest {
		sum := sha512.Sum512(text)
		return artifactDigest("sha512:" + hex.EncodeToString(sum[:]))
	}
	config := []byte("{}")
	source.ask(t, http.MethodPost, "/v2/s/app/blobs/uploads/?digest="+string(digest512(config)), "application/octet-stream", config, http.StatusCreated)
	text := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":2},"layers":[]}`, ociManifest, digest512(config))
	d := digest512(text)
	source.ask(t, http.MethodPut, "/v2/s/app/manifests/"+string(d), ociManifest, text, http.StatusCreated)
	// Without a tag: which digest a registry gives to a tag is up to it.
	_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d))
	if r.Done != 1 {
		t.Fatal(complaints(r))
	}
	target.whole(t, "p/app", string(d))
}

func TestStalledContentIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		context.AfterFunc(ctx, func() { _ = r.CloseWithError(context.Canceled) })
		body := watch(r, time.Minute, cancel)
		go func() {
			for range 3 {
				_, _ = w.Write([]byte("x"))
				_ = wait(ctx, 50*time.Second) // slow, but it comes
			}
		}()
		begun := time.Now()
		text, err := io.ReadAll(body)
		if err == nil || !strings.Contains(err.Error(), "nothing came for 1m0s") || string(text) != "xxx" || time.Since(begun) < 160*time.Second-time.Second {
			t.Errorf("%q, %v after %s", text, err, time.Since(begun))
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	m := from(source.host+"/s", target.host+"/p")
	for n := range 30 {
		m = with(m, "app", source.pushImage(t, "s/app", fmt.Sprint(n), nil), fmt.Sprint("v", n))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var puts atomic.Int64
	target.meddling(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method == http.MethodPut && puts.Add(1) == 5 {
			cancel()
		}
		return false
	})
	o := Options{Registries: testRegistries(), Journal: testJournal(t, t.TempDir()), Folder: t.TempDir(), Parallel: 2}
	p, err := Prepare(ctx, []promote.Manifest{m}, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Run(ctx)
	if !errors.Is(err, context.Canceled) || r.Done >= 30 {
		t.Errorf("%v, %d done", err, r.Done)
	}
	target.meddling(nil)
	if _, r = runs(t, o, m); r.Failed != 0 {
		t.Error(complaints(r))
	}
	for n := range 30 {
		if target.has(t, "p/app", fmt.Sprint("v", n)) == "" {
			t.Errorf("v%d is missing", n)
		}
	}
}

// TestJournalThatFails ends a run: what cannot be noted must not be done.
func TestJournalThatFails(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", nil)
	j := testJournal(t, t.TempDir())
	p, err := Prepare(t.Context(), []promote.Manifest{with(from(source.host+"/s", target.host+"/p"), "app", d, "v1")}, Options{Registries: testRegistries(), Journal: j, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "writing the journal") {
		t.Error(err)
	}
	if target.has(t, "p/app", "v1") != "" {
		t.Error("it was promoted all the same")
	}
}

// TestOnlyWhatWasAdded asks about nothing that the manifests asked for before.
func TestOnlyWhatWasAdded(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	before := with(from(source.host+"/s", target.host+"/p"), "old", digestOf([]byte("lost long ago")), "v1")
	d := source.pushImage(t, "s/new", "new", nil)
	p, r := runs(t, Options{Since: []promote.Manifest{before}}, with(before, "new", d, "v1"))
	if r.Done != 1 || p.Lost() != 0 || target.seen("/p/old/") != 0 || source.seen("/s/old/") != 0 {
		t.Errorf("%d done, %d lost, %d requests about the old one", r.Done, p.Lost(), target.seen("/p/old/"))
	}
}

func TestVerifiedReading(t *testing.T) {
	t.Parallel()
	text := random("x", 1000)
	for name, tc := range map[string]struct {
		came []byte
		why  string
	}{
		"right": {text, ""}, "short": {text[:999], "ends after 999 of 1000"}, "empty": {nil, "ends after 0"},
		"long": {append(bytes.Clone(text), 0), "longer than"}, "other": {random("y", 1000), "its bytes are"},
	} {
		d := descriptor{Digest: digestOf(text), Size: 1000}
		v := &verified{ReadCloser: io.NopCloser(bytes.NewReader(tc.came)), what: "it", want: d, hash: hasher(d.Digest)}
		got, err := io.ReadAll(v)
		if tc.why == "" && (err != nil || !bytes.Equal(got, text)) || tc.why != "" && (!errors.Is(err, errContent) || !strings.Contains(err.Error(), tc.why)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRegistryThatRedirectsInCircles: one that sends requests around for ever
// is given up, also where it greets and logs in.
func TestRegistryThatRedirectsInCircles(t *testing.T) {
	t.Parallel()
	// Of a greeting the library tells how it failed with TLS, which is tried first.
	for _, tc := range []struct{ name, from, why string }{{"greeting", "/v2/", "asking the registry"}, {"tags", "/v2/app/tags/list", "redirects"}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == tc.from {
					asked.Add(1)
					http.Redirect(w, r, tc.from, http.StatusTemporaryRedirect)
				}
			}))
			t.Cleanup(server.Close)
			r := testRegistries()
			repo, err := r.Repository(strings.TrimPrefix(server.URL, "http://") + "/app")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.repository(repo).list(t.Context()); err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("%v", err)
			}
			// Eleven requests for each of four tries, at the most.
			if n := asked.Load(); n == 0 || n > 44 {
				t.Errorf("%d requests", n)
			}
		})
	}
}
