package sign

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
)

func TestImage(t *testing.T) {
	t.Parallel()
	for kind, referrers := range map[string]bool{"with the interface for referrers": true, "without": false} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := pushed(t, newRegistry(t, referrers))
			s, key := keyed(t, "ecdsa-p256", Services{})
			o := ImageOptions{Recursive: true, Tags: true, Annotations: map[string]string{"release": "v1.2.0"}, Created: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
			written := must[[]Written](t)(Image(t.Context(), s, d, o))
			if len(written) != 6 || written[0].Present || !strings.HasPrefix(written[4].Where, "referrer sha256:") || !strings.HasSuffix(written[5].Where, ".sig") || written[5].Image != d.String() {
				t.Errorf("%+v", written)
			}
			v := trusting(t, key)
			verdicts, err := v.Image(t.Context(), d, o)
			if err != nil || len(verdicts) != 3 || verdicts[2].Subject != d.String() || len(verdicts[2].Signatures) != 2 {
				t.Errorf("%+v, %v", verdicts, err)
			}
			tags := must[[]string](t)(remote.List(d.Context()))
			again := must[[]Written](t)(Image(t.Context(), s, d, o))
			for i, w := range again {
				if !w.Present || w.Where != written[i].Where {
					t.Errorf("signed twice: %+v", w)
				}
			}
			if now := must[[]string](t)(remote.List(d.Context())); len(now) != len(tags) {
				t.Errorf("tags were %q and are %q", tags, now)
			}
			other, key2 := keyed(t, "ed25519", Services{})
			if w := must[[]Written](t)(Image(t.Context(), other, d, ImageOptions{Tags: true})); w[0].Present || w[1].Present {
				t.Errorf("another signer: %+v", w)
			}
			need := 2
			both := verifier(t, Policy{Signers: rules(key, key2), Threshold: &need})
			if verdicts, err := both.Image(t.Context(), d.Context().Tag("v1.2.0"), ImageOptions{}); err != nil || len(verdicts[0].Signatures) != 4 {
				t.Errorf("%+v, %v", verdicts, err)
			}
			if _, err := both.Image(t.Context(), d, ImageOptions{Recursive: true}); err == nil || strings.Count(err.Error(), "1 of 2 signers") != 2 {
				t.Errorf("the second signed the index alone: %v", err)
			}
			_, foreign := keyed(t, "ecdsa-p256", Services{})
			verdicts, err = trusting(t, foreign).Image(t.Context(), d, ImageOptions{})
			var refusal *Refusal
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "no signature of it counts") || len(verdicts[0].PassedOver) == 0 {
				t.Errorf("%+v, %v", verdicts, err)
			}
		})
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	d := pushed(t, newRegistry(t, true))
	s, key := keyed(t, "ecdsa-p256", Services{})
	st := statement(t, artifact.Digest(d.DigestStr()))
	for range 2 {
		written := must[[]Written](t)(Attach(t.Context(), s, d, st, ImageOptions{Tags: true}))
		if len(written) != 2 || !strings.HasSuffix(written[1].Where, ".att") {
			t.Errorf("%+v", written)
		}
	}
	promotion := must[provenance.Statement](t)(provenance.Promotion{Source: "a", Destination: "b", Digest: artifact.Digest(d.DigestStr()), Time: time.Unix(1, 0)}.Statement("b"))
	if w := must[[]Written](t)(Attach(t.Context(), s, d, promotion, ImageOptions{})); w[0].Present {
		t.Errorf("%+v", w)
	}
	none := 0
	policy := Policy{Signers: rules(key), Threshold: &none, Attestations: []AttestationRule{
		{Type: "https://slsa.dev/provenance/v1", Builders: []string{"https://ci.example.org/release"}}, {Type: provenance.PromotionPredicate}}}
	verdicts, err := verifier(t, policy).Image(t.Context(), d, ImageOptions{})
	if err != nil || len(verdicts[0].Attestations) != 3 || len(verdicts[0].Signatures) != 0 {
		t.Errorf("%+v, %v", verdicts, err)
	}
	if _, err := Attach(t.Context(), s, d, statement(t, digestOf("else")), ImageOptions{}); err == nil || !strings.Contains(err.Error(), "is not about") {
		t.Error(err)
	}
}

func TestKeylessImage(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	d := pushed(t, newRegistry(t, true))
	s := keyless(t, a, ada, Services{Logs: []string{a.URL}, Timestamps: []string{a.TimestampURL}})
	o := ImageOptions{Tags: true, Trust: a}
	must[[]Written](t)(Image(t.Context(), s, d, o))
	v := verifier(t, Policy{Signers: []SignerRule{adasRule()}}.WithTrust(a))
	verdicts, err := v.Image(t.Context(), d, ImageOptions{})
	if err != nil || len(verdicts[0].Signatures) != 2 || verdicts[0].Signatures[1].LogIndex == nil || !strings.HasSuffix(verdicts[0].Signatures[1].Found, ".sig") {
		t.Fatalf("%+v, %v", verdicts, err)
	}
	for _, w := range must[[]Written](t)(Image(t.Context(), keyless(t, a, ada, logOf(a)), d, o)) {
		if !w.Present {
			t.Errorf("the same person, another certificate: %+v", w)
		}
	}
	st := statement(t, artifact.Digest(d.DigestStr()))
	must[[]Written](t)(Attach(t.Context(), s, d, st, o))
	if verdicts, err := v.Image(t.Context(), d, ImageOptions{}); err != nil || len(verdicts[0].Attestations) != 2 {
		t.Errorf("%+v, %v", verdicts, err)
	}
	o.Trust = nil
	if w := must[[]Written](t)(Image(t.Context(), s, d, o)); w[0].Present {
		t.Errorf("without a trusted root nothing is recognized: %+v", w)
	}
}

// What others attach must neither count nor get in the way.
func TestHostileAttachments(t *testing.T) {
	t.Parallel()
	d := pushed(t, newRegistry(t, true))
	s, key := keyed(t, "ecdsa-p256", Services{})
	tag := d.Context().Tag(strings.Replace(d.DigestStr(), ":", "-", 1) + ".sig")
	add := func(layer v1.Layer, notes map[string]string) {
		t.Helper()
		image := must[v1.Image](t)(mutate.Append(empty.Image, mutate.Addendum{Layer: layer, Annotations: notes}))
		if err := remote.Write(tag, image); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := pushed(t, newRegistry(t, true))
	payloadOf := func(change func(*simpleSigning)) []byte {
		var p simpleSigning
		p.Critical.Image.Digest, p.Critical.Type = d.DigestStr(), simpleSigningKind
		change(&p)
		return must[[]byte](t)(json.Marshal(p))
	}
	signed := func(payload []byte) map[string]string {
		b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(string(payload))))
		sig, _, err := b.Detached()
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{signatureNote: strings.TrimSpace(string(sig))}
	}
	for want, tc := range map[string]struct {
		payload []byte
		notes   map[string]string
	}{
		"the signature is of " + elsewhere.DigestStr(): {payloadOf(func(p *simpleSigning) { p.Critical.Image.Digest = elsewhere.DigestStr() }), nil},
		"is \"a promise\", not an image's":             {payloadOf(func(p *simpleSigning) { p.Critical.Type = "a promise" }), nil},
		"does not name an image":                       {[]byte("not json"), nil},
		"signature is not base64":                      {payloadOf(func(*simpleSigning) {}), map[string]string{signatureNote: "%"}},
		"certificate is not in PEM":                    {payloadOf(func(*simpleSigning) {}), map[string]string{signatureNote: "aGk=", certificateNote: "x"}},
		"record of the transparency log":               {payloadOf(func(*simpleSigning) {}), map[string]string{signatureNote: "aGk=", recordNote: "x"}},
		"signature's time stamp":                       {payloadOf(func(*simpleSigning) {}), map[string]string{signatureNote: "aGk=", timestampNote: "x"}},
		"none of the policy's, or not what was signed": {payloadOf(func(*simpleSigning) {}), map[string]string{signatureNote: "aGk="}},
	} {
		if tc.notes == nil {
			tc.notes = signed(tc.payload)
		}
		add(static.NewLayer(tc.payload, simpleSigningType), tc.notes)
		_, err := trusting(t, key).Image(t.Context(), d, ImageOptions{})
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, layer := range []v1.Layer{static.NewLayer([]byte("{}"), envelopeType), static.NewLayer([]byte("x"), envelopeType), static.NewLayer([]byte("x"), BundleType)} {
		add(layer, nil)
		if _, err := trusting(t, key).Image(t.Context(), d, ImageOptions{}); err == nil || !strings.Contains(err.Error(), "not a ") {
			t.Errorf("%v", err)
		}
	}
	// An index where signatures should be, and referrers that are none.
	if err := remote.Put(tag, must[*remote.Descriptor](t)(remote.Get(d))); err != nil {
		t.Fatal(err)
	}
	subject := must[*v1.Descriptor](t)(remote.Head(d))
	for kind, layer := range map[string]v1.Layer{BundleType: static.NewLayer([]byte("{}"), BundleType), "": static.NewLayer([]byte("sbom"), "text/plain")} {
		m := artifactManifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: kind, Subject: *subject}
		m.Config = must[v1.Descriptor](t)(describe(static.NewLayer([]byte("{}"), emptyConfigType)))
		m.Layers = []v1.Descriptor{must[v1.Descriptor](t)(describe(layer))}
		raw := must[[]byte](t)(json.Marshal(m))
		at := d.Context().Digest(string(digestOf(string(raw))))
		if err := errors.Join(remote.WriteLayer(d.Context(), layer), remote.WriteLayer(d.Context(), static.NewLayer([]byte("{}"), emptyConfigType)), remote.Put(at, rawManifest(raw))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := trusting(t, key).Image(t.Context(), d, ImageOptions{})
	if err == nil || !strings.Contains(err.Error(), "not a bundle") {
		t.Errorf("%v", err)
	}
	must[[]Written](t)(Image(t.Context(), s, d, ImageOptions{}))
	if verdicts, err := trusting(t, key).Image(t.Context(), d, ImageOptions{}); err != nil || len(verdicts[0].Signatures) != 1 {
		t.Errorf("junk beside a good signature: %+v, %v", verdicts, err)
	}
}

// lying changes what a registry answers.
type lying struct {
	mu     sync.Mutex
	change func(*http.Request, *http.Response)
}

// RoundTrip implements http.RoundTripper.
func (l *lying) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.change(r, resp)
	}
	return resp, err
}

func TestRegistryFails(t *testing.T) {
	t.Parallel()
	d := pushed(t, newRegistry(t, true))
	s, key := keyed(t, "ecdsa-p256", Services{})
	must[[]Written](t)(Image(t.Context(), s, d, ImageOptions{Tags: true}))
	missing := d.Context().Digest("sha256:" + strings.Repeat("0", 64))
	if _, err := Image(t.Context(), s, missing, ImageOptions{}); err == nil || !strings.Contains(err.Error(), "looking for") {
		t.Error(err)
	}
	if _, err := Image(t.Context(), s, missing, ImageOptions{Recursive: true}); err == nil {
		t.Error("signed what is not there")
	}
	var refusal *Refusal
	if _, err := trusting(t, key).Image(t.Context(), missing, ImageOptions{}); err == nil || errors.As(err, &refusal) {
		t.Errorf("what is not there is no refusal: %v", err)
	}
	for _, part := range []string{"/referrers/", ".sig", "/blobs/uploads/"} {
		o := ImageOptions{Tags: true, Annotations: map[string]string{"part": part}, Remote: []remote.Option{remote.WithTransport(&lying{change: func(r *http.Request, resp *http.Response) {
			if strings.Contains(r.URL.Path, part) {
				resp.StatusCode = http.StatusForbidden
			}
		}})}}
		if _, err := Image(t.Context(), s, d, o); err == nil {
			t.Errorf("%s: signed", part)
		}
		if part == "/blobs/uploads/" {
			continue
		}
		if _, err := trusting(t, key).Image(t.Context(), d, o); err == nil || errors.As(err, &refusal) {
			t.Errorf("%s: %v", part, err)
		}
	}
	gone, stop := context.WithCancel(t.Context())
	stop()
	if _, err := trusting(t, key).Image(gone, d, ImageOptions{}); err == nil || errors.As(err, &refusal) {
		t.Errorf("stopped: %v", err)
	}
}

// cosign finds the real one; without it its tests are skipped.
func cosign(t *testing.T) func(args ...string) (string, error) {
	program, err := exec.LookPath("cosign")
	if err != nil {
		t.Skip("skipped: needs cosign on the PATH; scripts do not install it")
	}
	home := t.TempDir()
	return func(args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), program, args...)
		c.Env = append(os.Environ(), "COSIGN_PASSWORD=secret", "HOME="+home, "TUF_ROOT="+home)
		c.Dir = home
		out, err := c.CombinedOutput()
		return string(out), err
	}
}

func TestCosignReadsOurs(t *testing.T) {
	t.Parallel()
	run := cosign(t)
	dir := t.TempDir()
	for _, kind := range []string{"ecdsa-p256", "ed25519", "rsa-3072"} {
		s, key := keyed(t, kind, Services{})
		pub := filepath.Join(dir, kind+".pub")
		file := filepath.Join(dir, kind)
		b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
		att := must[Bundle](t)(Attest(t.Context(), s, statement(t, digestOf(text))))
		sig, _, err := b.Detached()
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{
			pub: must[[]byte](t)(EncodePublicKey(key)), file: []byte(text), file + ".sig": sig,
			file + ".sigstore.json": must[[]byte](t)(b.Encode()), file + ".att.json": must[[]byte](t)(att.Encode()),
		} {
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, args ...string) {
			t.Helper()
			if out, err := run(args...); err != nil {
				t.Errorf("%s, %s: %v: %s", kind, what, err, out)
			}
		}
		check("bundle", "verify-blob", "--key", pub, "--bundle", file+".sigstore.json", "--insecure-ignore-tlog", file)
		check("detached", "verify-blob", "--key", pub, "--signature", file+".sig", "--insecure-ignore-tlog", "--new-bundle-format=false", file)
		check("attestation", "verify-blob-attestation", "--key", pub, "--bundle", file+".att.json", "--insecure-ignore-tlog", "--type", "slsaprovenance1", file)
		for _, referrers := range []bool{true, false} {
			d := pushed(t, newRegistry(t, referrers))
			must[[]Written](t)(Image(t.Context(), s, d, ImageOptions{Tags: true}))
			must[[]Written](t)(Attach(t.Context(), s, d, statement(t, artifact.Digest(d.DigestStr())), ImageOptions{Tags: true}))
			check("image", "verify", "--key", pub, "--insecure-ignore-tlog", d.String())
			check("image's tag", "verify", "--key", pub, "--insecure-ignore-tlog", "--new-bundle-format=false", d.String())
			check("image's attestation", "verify-attestation", "--key", pub, "--insecure-ignore-tlog", "--type", "slsaprovenance1", d.String())
			check("image's attestation's tag", "verify-attestation", "--key", pub, "--insecure-ignore-tlog", "--new-bundle-format=false", "--type", "slsaprovenance1", d.String())
		}
	}
}

func TestOursReadsCosign(t *testing.T) {
	t.Parallel()
	run := cosign(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	do := func(args ...string) {
		t.Helper()
		if out, err := run(args...); err != nil {
			t.Fatalf("cosign %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	do("generate-key-pair", "--output-key-prefix", at("cosign"))
	if err := os.WriteFile(at("f"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config := `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}`
	if err := os.WriteFile(at("signing.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := Keys{Getenv: func(name string) string { return map[string]string{"COSIGN_PASSWORD": "secret"}[name] }}
	private := must[PrivateKey](t)(keys.Load(t.Context(), at("cosign.key")))
	public, err := keys.LoadPublic(t.Context(), at("cosign.pub"))
	if err != nil || Fingerprint(public) != Fingerprint(private.Public()) {
		t.Fatalf("cosign's keys: %v", err)
	}
	v := trusting(t, public)
	do("sign-blob", "--yes", "--key", at("cosign.key"), "--signing-config", at("signing.json"), "--bundle", at("f.sigstore.json"), at("f"))
	do("sign-blob", "--yes", "--key", at("cosign.key"), "--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false", "--output-signature", at("f.sig"), "--bundle", at("f.old.json"), at("f"))
	detached := must[Bundle](t)(FromDetached(must[[]byte](t)(os.ReadFile(at("f.sig"))), nil))
	verdict, err := v.Blob(t.Context(), "f", strings.NewReader(text), detached,
		must[Bundle](t)(ParseBundle(must[[]byte](t)(os.ReadFile(at("f.sigstore.json"))))),
		must[Bundle](t)(ParseBundle(must[[]byte](t)(os.ReadFile(at("f.old.json"))))))
	if err != nil || len(verdict.Signatures) != 3 {
		t.Errorf("%+v, %v", verdict, err)
	}
	if err := os.WriteFile(at("predicate.json"), []byte(`{"buildDefinition":{"buildType":"x","externalParameters":{}},"runDetails":{"builder":{"id":"https://ci"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, referrers := range []bool{true, false} {
		d := pushed(t, newRegistry(t, referrers))
		do("sign", "--yes", "--key", at("cosign.key"), "--signing-config", at("signing.json"), d.String())
		do("attest", "--yes", "--key", at("cosign.key"), "--signing-config", at("signing.json"), "--type", "slsaprovenance1", "--predicate", at("predicate.json"), d.String())
		do("sign", "--yes", "--key", at("cosign.key"), "--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false", d.String())
		do("attest", "--yes", "--key", at("cosign.key"), "--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false", "--type", "slsaprovenance1", "--predicate", at("predicate.json"), d.String())
		verdicts, err := v.Image(t.Context(), d, ImageOptions{})
		if err != nil || len(verdicts[0].Signatures) != 2 || len(verdicts[0].Attestations) != 2 {
			t.Errorf("referrers %v: %+v, %v", referrers, verdicts, err)
		}
	}
}
