package transfer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
)

// shop is a registry in this process whose requests can be watched and
// meddled with.
type shop struct {
	*httptest.Server
	host string
	pid  int // of the process that serves, if another

	mu       sync.Mutex
	requests []string // METHOD path?query
	meddle   func(http.ResponseWriter, *http.Request, http.Handler) bool
}

func newShop(t testing.TB, o ...registry.Option) *shop {
	t.Helper()
	s := &shop{}
	inner := registry.New(append([]registry.Option{registry.Logger(log.New(io.Discard, "", 0))}, o...)...)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		meddle := s.meddle
		s.mu.Unlock()
		if meddle != nil && meddle(w, r, inner) {
			return
		}
		if mounts(w, r, inner) {
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	s.host = strings.TrimPrefix(s.URL, "http://")
	return s
}

// mounts adds mounting to the registry, which lacks it: its blobs are in all
// repositories at once, so it is enough that one has them.
func mounts(w http.ResponseWriter, r *http.Request, inner http.Handler) bool {
	d := r.URL.Query().Get("mount")
	if r.Method != http.MethodPost || d == "" {
		return false
	}
	look := httptest.NewRequestWithContext(r.Context(), http.MethodHead, "/v2/"+r.URL.Query().Get("from")+"/blobs/"+d, nil)
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, look)
	if answer.Code != http.StatusOK {
		return false
	}
	w.Header().Set("Docker-Content-Digest", d)
	w.WriteHeader(http.StatusCreated)
	return true
}

func (s *shop) meddling(f func(http.ResponseWriter, *http.Request, http.Handler) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meddle = f
}

// seen counts the requests that contain all the words.
func (s *shop) seen(words ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(r, w) }) {
			n++
		}
	}
	return n
}

func (s *shop) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// clients for tests find no credentials and do not wait long.
func testRegistries() *Registries {
	return NewRegistries(RegistryOptions{Keychain: authn.NewMultiKeychain(), RetryPause: time.Millisecond, Retries: 3})
}

func digestOf(text []byte) artifact.Digest {
	sum := sha256.Sum256(text)
	return artifact.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// pushBlob stores a blob as any client would.
func (s *shop) pushBlob(t testing.TB, repo string, text []byte) descriptor {
	t.Helper()
	d := descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: digestOf(text), Size: int64(len(text))}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v2/"+repo+"/blobs/uploads/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	location, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	query := location.Query()
	query.Set("digest", string(d.Digest))
	s.ask(t, http.MethodPut, location.Path+"?"+query.Encode(), "application/octet-stream", text, http.StatusCreated)
	return d
}

// reached stands for a server that runs elsewhere.
func reached(url string) *httptest.Server {
	s := httptest.NewUnstartedServer(nil)
	s.URL = url
	return s
}

func (s *shop) ask(t testing.TB, method, path, mediaType string, body []byte, want int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Accept", accepted)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Fatalf("%s %s: %d instead of %d: %s", method, path, resp.StatusCode, want, text)
	}
	return text
}

// pushManifest stores one under its digest and the tags.
func (s *shop) pushManifest(t testing.TB, repo string, refs any, mediaType string, tags ...string) descriptor {
	t.Helper()
	text, err := json.Marshal(refs)
	if err != nil {
		t.Fatal(err)
	}
	d := descriptor{MediaType: mediaType, Digest: digestOf(text), Size: int64(len(text))}
	for _, reference := range append([]string{string(d.Digest)}, tags...) {
		s.ask(t, http.MethodPut, "/v2/"+repo+"/manifests/"+reference, mediaType, text, http.StatusCreated)
	}
	return d
}

type written struct {
	SchemaVersion int           `json:"schemaVersion"`
	MediaType     string        `json:"mediaType"`
	ArtifactType  string        `json:"artifactType,omitempty"`
	Config        *descriptor   `json:"config,omitempty"`
	Layers        []descriptor  `json:"layers,omitempty"`
	Manifests     *[]descriptor `json:"manifests,omitempty"`
	Subject       *descriptor   `json:"subject,omitempty"`
}

// pushImage makes an image of the layers and returns its digest.
func (s *shop) pushImage(t testing.TB, repo, seed string, layers [][]byte, tags ...string) artifact.Digest {
	t.Helper()
	config := s.pushBlob(t, repo, []byte(`{"seed":"`+seed+`"}`))
	config.MediaType = "application/vnd.oci.image.config.v1+json"
	m := written{SchemaVersion: 2, MediaType: ociManifest, Config: &config}
	for _, l := range layers {
		m.Layers = append(m.Layers, s.pushBlob(t, repo, l))
	}
	return s.pushManifest(t, repo, m, ociManifest, tags...).Digest
}

func (s *shop) pushIndex(t testing.TB, repo string, children []artifact.Digest, tags ...string) artifact.Digest {
	t.Helper()
	list := []descriptor{}
	for _, c := range children {
		text := s.ask(t, http.MethodGet, "/v2/"+repo+"/manifests/"+string(c), "", nil, http.StatusOK)
		list = append(list, descriptor{MediaType: ociManifest, Digest: c, Size: int64(len(text))})
	}
	return s.pushManifest(t, repo, written{SchemaVersion: 2, MediaType: ociIndex, Manifests: &list}, ociIndex, tags...).Digest
}

// has returns the digest of what a reference points to, empty if nothing.
func (s *shop) has(t testing.TB, repo, reference string) artifact.Digest {
	t.Helper()
	r := testRegistries()
	parsed, err := r.Repository(s.host + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.repository(parsed).manifest(t.Context(), reference)
	if missing(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.digest
}

// whole follows everything a manifest names and fails the test if some is not
// there or not what it should be.
func (s *shop) whole(t testing.TB, repo, reference string) {
	t.Helper()
	r := testRegistries()
	parsed, err := r.Repository(s.host + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	here := r.repository(parsed)
	m, err := here.manifest(t.Context(), reference)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.content() {
		if d.foreign() {
			continue
		}
		body, err := here.blob(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Fatal(err)
		}
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range m.children() {
		s.whole(t, repo, string(d.Digest))
	}
}

// from makes a manifest of promotion.
func from(source string, destinations ...string) promote.Manifest {
	m := promote.Manifest{File: "m.yaml", ImagesFile: "m.yaml", Registries: []promote.Registry{{Name: source, Source: true}}}
	for _, d := range destinations {
		m.Registries = append(m.Registries, promote.Registry{Name: d})
	}
	return m
}

func with(m promote.Manifest, image string, d artifact.Digest, tags ...string) promote.Manifest {
	m.Images = slices.Clone(m.Images)
	at := slices.IndexFunc(m.Images, func(i promote.Image) bool { return i.Name == image })
	if at < 0 {
		m.Images = append(m.Images, promote.Image{Name: image})
		at = len(m.Images) - 1
	}
	m.Images[at].Entries = append(slices.Clone(m.Images[at].Entries), promote.Entry{Digest: d, Tags: tags})
	return m
}

func testJournal(t testing.TB, folder string) *Journal {
	t.Helper()
	j, err := OpenJournal(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // a test may have closed it
	return j
}

// runs plans and runs, with the options completed.
func runs(t testing.TB, o Options, manifests ...promote.Manifest) (*Promotion, Result) {
	t.Helper()
	if o.Registries == nil {
		o.Registries = testRegistries()
	}
	if o.Journal == nil {
		j := testJournal(t, t.TempDir())
		defer func() {
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		}()
		o.Journal = j
	}
	o.Folder = t.TempDir()
	p, err := Prepare(t.Context(), manifests, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

// complaints are the failures of a run, joined.
func complaints(r Result) string {
	var all []string
	for _, o := range r.Outcomes {
		for _, f := range o.Failures {
			all = append(all, f.Destination+": "+f.Why)
		}
	}
	return strings.Join(all, "\n")
}

type artifactDigest = artifact.Digest

func random(seed string, size int) []byte {
	var out bytes.Buffer
	for n := 0; out.Len() < size; n++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, n))
		out.Write(sum[:])
	}
	return out.Bytes()[:size]
}
