package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"

	"seaworthy/artifact/promote"
)

// attach pushes a manifest whose subject an image is.
func (s *shop) attach(t testing.TB, repo string, to artifactDigest, content string) descriptor {
	t.Helper()
	subject := descriptor{MediaType: ociManifest, Digest: to, Size: 100}
	config := s.pushBlob(t, repo, []byte("{}"))
	config.MediaType = "application/vnd.oci.empty.v1+json"
	layer := s.pushBlob(t, repo, []byte(content))
	const kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
	layer.MediaType = kind
	d := s.pushManifest(t, repo, written{SchemaVersion: 2, MediaType: ociManifest, ArtifactType: kind, Config: &config, Layers: []descriptor{layer}, Subject: &subject}, ociManifest)
	d.ArtifactType = kind
	return d
}

// legacy pushes what cosign keeps under a tag: a manifest with a layer for each
// signature.
func (s *shop) legacy(t testing.TB, repo string, to artifactDigest, suffix string, contents ...string) artifactDigest {
	t.Helper()
	config := s.pushBlob(t, repo, []byte(`{"rootfs":{}}`))
	m := written{SchemaVersion: 2, MediaType: ociManifest, Config: &config}
	for _, c := range contents {
		m.Layers = append(m.Layers, s.pushBlob(t, repo, []byte(c)))
	}
	return s.pushManifest(t, repo, m, ociManifest, companionTag(to)+suffix).Digest
}

func (s *shop) referring(t testing.TB, repo string, d artifactDigest) []artifactDigest {
	t.Helper()
	r := testRegistries()
	parsed, err := r.Repository(s.host + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	list, err := referrersOf(t.Context(), &shopWindow{repo: r.repository(parsed)}, d)
	if err != nil {
		t.Fatal(err)
	}
	var all []artifactDigest
	for _, l := range list {
		all = append(all, l.Digest)
	}
	return all
}

func TestCompanionsTravel(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		source, target bool // have the referrers API
	}{{"both", true, true}, {"neither", false, false}, {"source", true, false}, {"target", false, true}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			source, target := newShop(t, registry.WithReferrersSupport(tc.source)), newShop(t, registry.WithReferrersSupport(tc.target))
			child := source.pushImage(t, "s/app", "child", [][]byte{random("c", 50)})
			d := source.pushIndex(t, "s/app", []artifactDigest{child}, "v1")
			sig := source.legacy(t, "s/app", d, ".sig", "one")
			att := source.legacy(t, "s/app", child, ".att", "two")
			bundle := source.attach(t, "s/app", d, "bundle")
			onBundle := source.attach(t, "s/app", bundle.Digest, "about the bundle")
			if !tc.source {
				for subject, by := range map[artifactDigest]descriptor{d: bundle, bundle.Digest: onBundle} {
					list := []descriptor{by}
					source.pushManifest(t, "s/app", written{SchemaVersion: 2, MediaType: ociIndex, Manifests: &list}, ociIndex, companionTag(subject))
				}
			}
			m := with(from(source.host+"/s", target.host+"/p"), "app", d, "v1")
			_, r := runs(t, Options{}, m)
			if r.Done != 1 || r.Outcomes[0].Companions != 4 {
				t.Fatalf("%d companions: %s", r.Outcomes[0].Companions, complaints(r))
			}
			if target.has(t, "p/app", companionTag(d)+".sig") != sig || target.has(t, "p/app", companionTag(child)+".att") != att {
				t.Error("a tag of cosign's did not arrive")
			}
			for subject, by := range map[artifactDigest]artifactDigest{d: bundle.Digest, bundle.Digest: onBundle.Digest} {
				if got := target.referring(t, "p/app", subject); len(got) != 1 || got[0] != by {
					t.Errorf("what refers to %s is %v, want %s", subject, got, by)
				}
				target.whole(t, "p/app", string(by))
			}
			// Again, with one more at the source and the tag to be written anew.
			more := source.attach(t, "s/app", d, "another bundle")
			if !tc.source {
				list := []descriptor{bundle, more}
				source.pushManifest(t, "s/app", written{SchemaVersion: 2, MediaType: ociIndex, Manifests: &list}, ociIndex, companionTag(d))
			}
			if _, r = runs(t, Options{}, with(m, "app", d, "v1", "v2")); r.Done != 1 {
				t.Fatal(complaints(r))
			}
			if got := target.referring(t, "p/app", d); len(got) != 2 {
				t.Errorf("after another promotion %v refer to it", got)
			}
		})
	}
}

func TestSignaturesAreNotLost(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		source, target []string
		want           string // whose tag it is afterwards; empty: refused
	}{
		{"target has more", []string{"a"}, []string{"a", "b"}, "target"},
		{"source has more", []string{"a", "b"}, []string{"a"}, "source"},
		{"each has its own", []string{"a"}, []string{"b"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			source, target := newShop(t), newShop(t)
			d := source.pushImage(t, "s/app", "app", nil)
			tags := map[string]artifactDigest{
				"source": source.legacy(t, "s/app", d, ".sig", tc.source...),
				"target": target.legacy(t, "p/app", d, ".sig", tc.target...),
			}
			_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1"))
			if tc.want == "" {
				if r.Failed != 1 || !strings.Contains(complaints(r), "sign the image again") || target.has(t, "p/app", "v1") != "" {
					t.Errorf("not refused: %s", complaints(r))
				}
				return
			}
			if r.Done != 1 || target.has(t, "p/app", companionTag(d)+".sig") != tags[tc.want] {
				t.Errorf("%s", complaints(r))
			}
		})
	}
}

func TestWhatDoesNotReferIsNotTaken(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", nil)
	stranger := source.attach(t, "s/app", digestOf([]byte("another image")), "x")
	list := []descriptor{stranger}
	source.pushManifest(t, "s/app", written{SchemaVersion: 2, MediaType: ociIndex, Manifests: &list}, ociIndex, companionTag(d))
	_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1"))
	if r.Failed != 1 || !strings.Contains(complaints(r), "does not") {
		t.Errorf("%s", complaints(r))
	}
}

// notary is a signer that leaves a tag of cosign's, and can be made to fail.
type notary struct {
	t    testing.TB
	shop *shop

	mu     sync.Mutex
	signed []string
	fail   error
}

func (n *notary) SignImage(_ context.Context, image, from name.Digest) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	n.signed = append(n.signed, image.String())
	n.shop.legacy(n.t, image.Context().RepositoryStr(), artifactDigest(image.DigestStr()), ".sig", "signed from "+from.Context().RepositoryStr())
	return nil
}

func TestSigning(t *testing.T) {
	t.Parallel()
	source, east, west := newShop(t), newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", [][]byte{random("l", 10)})
	bare := source.pushImage(t, "s/app", "bare", nil)
	n := &notary{t: t, shop: east, fail: errors.New("the key service is away")}
	m := with(with(from(source.host+"/s", east.host+"/p", west.host+"/p"), "app", d, "v1"), "app", bare)
	// The signer's registry has to be the first: destinations are sorted.
	if west.host < east.host {
		n.shop = west
	}
	o := Options{Journal: testJournal(t, t.TempDir()), Signers: []Signer{n}}
	_, r := runs(t, o, m)
	if r.Failed != 2 || !strings.Contains(complaints(r), "the key service is away") {
		t.Fatalf("%+v", r)
	}
	if east.has(t, "p/app", "v1") != "" || east.has(t, "p/app", string(bare)) == "" {
		t.Error("an image has its tag without the signature, or was not copied at all")
	}
	// The next run has nothing to copy for the image without tags, and makes
	// up for the signature; for the other it goes on where it stopped.
	n.fail = nil
	source.forget()
	p, r := runs(t, o, m)
	if len(p.Plan.Items) != 1 || r.Done != 2 || r.Failed != 0 {
		t.Fatalf("%d items, %+v\n%s", len(p.Plan.Items), r, complaints(r))
	}
	for _, s := range []*shop{east, west} {
		for _, digest := range []artifactDigest{d, bare} {
			if s.has(t, "p/app", companionTag(digest)+".sig") == "" {
				t.Errorf("%s at %s is not signed", digest, s.host)
			}
		}
	}
	if len(n.signed) != 2 {
		t.Errorf("signed %d times: %v", len(n.signed), n.signed)
	}
	if _, r = runs(t, o, m); len(n.signed) != 2 || len(r.Outcomes) != 0 {
		t.Errorf("signed again: %v", n.signed)
	}
}

func TestSigningWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", nil)
	m := with(from(source.host+"/s", target.host+"/p"), "app", d, "v1")
	runs(t, Options{}, m) // by somebody else: the journal is another
	n := &notary{t: t, shop: target}
	o := Options{Journal: testJournal(t, t.TempDir()), Signers: []Signer{n}}
	if _, r := runs(t, o, m); len(r.Outcomes) != 0 || len(n.signed) != 0 {
		t.Errorf("what others promoted was signed: %v", n.signed)
	}
	o.SignAll = true
	if _, r := runs(t, o, m); r.Done != 1 || !r.Outcomes[0].SignedOnly || len(n.signed) != 1 {
		t.Errorf("%+v", r)
	}
}

// listed answers lists of tags as Google's registries do.
func (s *shop) listed(t testing.TB, repo string, manifests map[artifactDigest][]string) {
	t.Helper()
	type one struct {
		Tag []string `json:"tag"`
	}
	body := struct {
		Tags     []string               `json:"tags"`
		Manifest map[artifactDigest]one `json:"manifest"`
	}{Manifest: map[artifactDigest]one{}}
	for d, tags := range manifests {
		body.Tags = append(body.Tags, tags...)
		body.Manifest[d] = one{tags}
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	s.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.HasPrefix(r.URL.Path, "/v2/"+repo+"/tags/list") {
			return false
		}
		_, _ = w.Write(text)
		return true
	})
}

func TestGoogleListing(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	a, b := target.pushImage(t, "p/app", "a", nil, "v1"), target.pushImage(t, "p/app", "b", nil)
	target.listed(t, "p/app", map[artifactDigest][]string{a: {"v1"}, b: nil})
	m := with(with(from(source.host+"/s", target.host+"/p"), "app", a, "v1"), "app", b)
	target.forget()
	p, _ := runs(t, Options{}, m)
	if len(p.Plan.Items) != 0 || len(p.Plan.Refusals) != 0 || target.seen("HEAD ") != 0 {
		t.Errorf("%d items, %d looks at single tags", len(p.Plan.Items), target.seen("HEAD "))
	}
}

func TestSecondRunTrustsTheJournalForADay(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	m := from(source.host+"/s", target.host+"/p")
	for n := range 5 {
		m = with(m, "app", source.pushImage(t, "s/app", fmt.Sprint(n), nil), fmt.Sprint("v", n))
	}
	o := Options{Journal: testJournal(t, t.TempDir())}
	runs(t, o, m)
	target.forget()
	source.forget()
	if p, _ := runs(t, o, m); len(p.Plan.Items) != 0 || target.seen("HEAD ") != 0 || target.seen("/tags/list") != 1 || source.seen("") != 0 {
		t.Errorf("%d items, %d looks at tags, %d lists, %d requests to the source", len(p.Plan.Items), target.seen("HEAD "), target.seen("/tags/list"), source.seen(""))
	}
	// A tag that is gone is noticed; one that moved is, when it is looked at.
	target.ask(t, http.MethodDelete, "/v2/p/app/manifests/v3", "", nil, http.StatusAccepted)
	if p, r := runs(t, o, m); len(p.Plan.Items) != 1 || r.Done != 1 {
		t.Errorf("a tag that is gone: %d items, %s", len(p.Plan.Items), complaints(r))
	}
	target.pushImage(t, "p/app", "intruder", nil, "v2")
	o.Trust = -1
	p, _ := runs(t, o, m)
	if len(p.Plan.Refusals) != 1 || p.Plan.Refusals[0].Reason != promote.TagMoves {
		t.Errorf("a tag that moved: %+v", p.Plan.Refusals)
	}
}
