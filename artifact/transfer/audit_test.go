package transfer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"seaworthy/artifact/promote"
)

func audit(t testing.TB, signatures bool, manifests ...promote.Manifest) ([]string, Audit) {
	t.Helper()
	a, err := Look(t.Context(), manifests, AuditOptions{Registries: testRegistries(), Signatures: signatures})
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, f := range a.Findings {
		_, repo, _ := strings.Cut(f.Repository, "/")
		found = append(found, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Kind, repo, f.Tag)))
	}
	return found, a
}

func TestAudit(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	good := source.pushImage(t, "s/app", "good", nil)
	child := source.pushImage(t, "s/app", "child", nil)
	index := source.pushIndex(t, "s/app", []artifactDigest{child})
	source.legacy(t, "s/app", index, ".sig", "signature")
	source.legacy(t, "s/app", child, ".att", "attestation")
	m := with(with(from(source.host+"/s", target.host+"/p"), "app", good, "v1", "v1.0"), "app", index, "v2")
	runs(t, Options{}, m)
	if found, a := audit(t, false, m); len(found) != 0 || a.Digests != 2 || len(a.Unlisted) != 0 {
		t.Errorf("after a promotion %v, %+v", found, a)
	}
	if found, _ := audit(t, true, m); !slices.Equal(found, []string{"not-signed p/app"}) {
		t.Errorf("signatures: %v", found)
	}
	stray := target.pushImage(t, "p/app", "stray", nil, "nightly", "v1.0")
	target.legacy(t, "p/app", stray, ".sig", "signed nevertheless")
	target.pushImage(t, "p/hidden", "x", nil, "v1")
	target.pushImage(t, "elsewhere/hidden", "x", nil, "v1")
	target.ask(t, http.MethodDelete, "/v2/p/app/manifests/v2", "", nil, http.StatusAccepted)
	m = with(m, "app", digestOf([]byte("never promoted")))
	m = with(m, "new", digestOf([]byte("never promoted either")), "v1")
	want := []string{
		"missing-digest p/app", "missing-tag p/app v2", "tag-elsewhere p/app v1.0",
		"unknown-digest p/app " + companionTag(stray) + ".sig", "unknown-tag p/app nightly",
		"unknown-repository p/hidden", "missing-digest p/new", "missing-tag p/new v1",
	}
	found, _ := audit(t, false, m)
	if !slices.Equal(found, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
}

func TestAuditOfDigestsWithoutTags(t *testing.T) {
	t.Parallel()
	target := newShop(t)
	child := target.pushImage(t, "p/app", "child", nil)
	index := target.pushIndex(t, "p/app", []artifactDigest{child}, "v1")
	stray := target.pushImage(t, "p/app", "stray", nil)
	sig := target.legacy(t, "p/app", index, ".sig", "x")
	target.listed(t, "p/app", map[artifactDigest][]string{child: nil, index: {"v1"}, stray: nil, sig: {companionTag(index) + ".sig"}})
	found, a := audit(t, true, with(from("example.com/s", target.host+"/p"), "app", index, "v1"))
	if !slices.Equal(found, []string{"unknown-digest p/app"}) || a.Findings[0].Digest != stray {
		t.Errorf("%v %+v", found, a.Findings)
	}
}

func TestAuditSaysWhatItCannotKnow(t *testing.T) {
	t.Parallel()
	target := newShop(t)
	d := target.pushImage(t, "p/app", "a", nil, "v1")
	target.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/_catalog"):
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/v2/p/locked/"):
			w.WriteHeader(http.StatusForbidden)
		default:
			return false
		}
		return true
	})
	m := with(with(from("example.com/s", target.host+"/p"), "app", d, "v1"), "locked", d, "v1")
	found, a := audit(t, false, m)
	if !slices.Equal(found, []string{"not-read p/locked"}) || !slices.Equal(a.Unlisted, []string{target.host + "/p"}) {
		t.Errorf("%v, unlisted %v", found, a.Unlisted)
	}
}

// TestPages lists a repository whose tags come on pages.
func TestPages(t *testing.T) {
	t.Parallel()
	target := newShop(t)
	link := `</v2/p/app/tags/list?n=2&last=b>; rel="next"`
	target.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.HasSuffix(r.URL.Path, "/tags/list") {
			return false
		}
		if r.URL.Query().Get("last") == "" {
			w.Header().Set("Link", link)
			_, _ = w.Write([]byte(`{"name":"p/app","tags":["a","b"]}`))
		} else {
			_, _ = w.Write([]byte(`{"name":"p/app","tags":["c"]}`))
		}
		return true
	})
	r := testRegistries()
	repo, err := r.Repository(target.host + "/p/app")
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.repository(repo).list(t.Context())
	if err != nil || len(l.tags) != 3 || l.pages != 2 {
		t.Errorf("%v, %v", l, err)
	}
	for _, bad := range []string{`<http://elsewhere.example.com/v2/>; rel="next"`, "garbage", `<://>; rel="next"`} {
		link = bad
		if _, err := r.repository(repo).list(t.Context()); err == nil {
			t.Errorf("the link %s was followed", bad)
		}
	}
}

func TestAttestationsAreNoSignatures(t *testing.T) {
	t.Parallel()
	r := testRegistries()
	s := newShop(t)
	d := s.pushImage(t, "p/app", "app", nil)
	inManifest := s.attach(t, "p/app", d, "bundle")
	parsed, err := r.Repository(s.host + "/p/app")
	if err != nil {
		t.Fatal(err)
	}
	const bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
	for _, tc := range []struct {
		name string
		d    descriptor
		want bool
	}{
		{"a signature", descriptor{ArtifactType: bundle, Annotations: map[string]string{bundlePredicate: signaturePredicate}}, true},
		{"provenance", descriptor{ArtifactType: bundle, Annotations: map[string]string{bundlePredicate: "https://slsa.dev/provenance/v1"}}, false},
		{"notation", descriptor{ArtifactType: "application/vnd.cncf.notary.signature", Annotations: map[string]string{}}, true},
		{"a bill of materials", descriptor{ArtifactType: "application/spdx+json", Annotations: map[string]string{}}, false},
		{"told by its manifest alone", descriptor{Digest: inManifest.Digest}, true},
		{"gone", descriptor{Digest: digestOf([]byte("gone"))}, false},
	} {
		if got, err := signature(t.Context(), r.repository(parsed), tc.d); err != nil || got != tc.want {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
}

// TestWhatCountsAsASignature: what refers to an image is a signature if it says
// so, and what could not be read is neither a signature nor none.
func TestWhatCountsAsASignature(t *testing.T) {
	t.Parallel()
	const empty, bundle = "application/vnd.oci.empty.v1+json", "application/vnd.dev.sigstore.bundle.v0.3+json"
	read := digestOf([]byte("a referrer"))
	config := `"config":{"mediaType":"` + empty + `","size":2,"digest":"` + string(digestOf([]byte("{}"))) + `"},`
	for _, tc := range []struct {
		name      string
		referrer  string // its artifactType and annotations in the registry's list
		status    int    // of the answer to who reads it
		manifest  string
		referrers int // status of the answer with the list
		want      []string
	}{
		{"a bundle that says nothing", `"artifactType":"` + bundle + `","annotations":{}`, 0, "", 200, nil},
		{"a signature in a bundle", `"artifactType":"` + bundle + `","annotations":{"` + bundlePredicate + `":"` + signaturePredicate + `"}`, 0, "", 200, nil},
		{"provenance in a bundle", `"artifactType":"` + bundle + `","annotations":{"` + bundlePredicate + `":"https://slsa.dev/provenance/v1"}`, 0, "", 200, []string{"not-signed p/app"}},
		{"notation", `"artifactType":"application/vnd.cncf.notary.signature","annotations":{"x":"y"}`, 0, "", 200, nil},
		{"a bill of materials", `"artifactType":"application/spdx+json","annotations":{"x":"y"}`, 0, "", 200, []string{"not-signed p/app"}},
		{"the list does not say, the referrer does", `"artifactType":"` + empty + `"`, 200, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` + config + `"artifactType":"` + bundle + `"}`, 200, nil},
		{"its layer says", `"artifactType":""`, 200, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` + config + `"layers":[{"mediaType":"` + bundle + `","size":1,"digest":"` + string(read) + `"}]}`, 200, nil},
		{"a referrer that is gone", `"artifactType":""`, 404, "{}", 200, []string{"not-signed p/app"}},
		{"a referrer that cannot be read", `"artifactType":""`, 403, "{}", 200, []string{"not-read p/app"}},
		{"a list that cannot be read", "", 0, "", 403, []string{"not-read p/app"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			source, target := newShop(t), newShop(t)
			d := source.pushImage(t, "s/app", "app", nil)
			m := with(from(source.host+"/s", target.host+"/p"), "app", d, "v1")
			runs(t, Options{}, m)
			referrer := read
			if tc.status == http.StatusOK {
				referrer = digestOf([]byte(tc.manifest))
			}
			target.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				switch {
				case strings.Contains(r.URL.Path, "/referrers/"):
					w.Header().Set("Content-Type", ociIndex)
					w.WriteHeader(tc.referrers)
					_, err := fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d,%s}]}`, ociIndex, referrer, max(2, len(tc.manifest)), tc.referrer)
					if err != nil {
						t.Error(err)
					}
				case strings.HasSuffix(r.URL.Path, "/manifests/"+string(referrer)):
					w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
					w.WriteHeader(tc.status)
					if _, err := w.Write([]byte(tc.manifest)); err != nil {
						t.Error(err)
					}
				default:
					return false
				}
				return true
			})
			found, a := audit(t, true, m)
			if !slices.Equal(found, append([]string{}, tc.want...)) {
				t.Errorf("found %v, want %v: %+v", found, tc.want, a.Findings)
			}
		})
	}
}
