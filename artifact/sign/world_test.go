package sign

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/signtest"
)

const (
	ada    = "ada@example.org"
	issuer = signtest.Issuer
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newAuthorities(t testing.TB) *signtest.Authorities {
	t.Helper()
	a := must[*signtest.Authorities](t)(signtest.NewAuthorities())
	t.Cleanup(a.Close)
	return a
}

func tokenOf(email string) TokenSource {
	return func(context.Context) (string, error) { return signtest.Token(email), nil }
}

// logOf has signatures recorded.
func logOf(a *signtest.Authorities) Services { return Services{Logs: []string{a.URL}} }

func keyless(t testing.TB, a *signtest.Authorities, email string, s Services) *Keyless {
	t.Helper()
	return must[*Keyless](t)(NewKeyless(a.URL, tokenOf(email), s, time.Now))
}

// keyed is a signer with a new key, and the key.
func keyed(t testing.TB, kind string, s Services) (*KeySigner, crypto.PublicKey) {
	t.Helper()
	key := must[crypto.Signer](t)(GenerateKey(kind))
	return must[*KeySigner](t)(NewKeySigner(localKey{key}, s)), key.Public()
}

// trusting is a verifier that wants signatures of any of the keys.
func trusting(t testing.TB, keys ...crypto.PublicKey) *Verifier {
	t.Helper()
	return verifier(t, Policy{Signers: rules(keys...)})
}

func rules(keys ...crypto.PublicKey) []SignerRule {
	var list []SignerRule
	for i, k := range keys {
		list = append(list, KeyRule(fmt.Sprintf("key %d", i), k))
	}
	return list
}

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	return must[*Verifier](t)(NewVerifier(p, time.Now))
}

func adasRule() SignerRule { return SignerRule{Name: "Ada", Identity: ada, Issuer: issuer} }

// statement is provenance of the digest.
func statement(t testing.TB, d artifact.Digest) provenance.Statement {
	t.Helper()
	b := provenance.Build{
		Definition: provenance.Definition{BuildType: provenance.BuildType, External: map[string]any{"version": "v1.2.0"},
			Dependencies: []provenance.Resource{provenance.Source("https://github.com/halyard/halyard", "", strings.Repeat("ab", 20))}},
		Run: provenance.RunDetails{Builder: provenance.Builder{ID: "https://ci.example.org/release"}},
	}
	return must[provenance.Statement](t)(b.Statement([]provenance.Resource{provenance.Image("halyard", d)}))
}

func digestOf(text string) artifact.Digest {
	sum := sha256.Sum256([]byte(text))
	return artifact.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// newRegistry serves a registry, with or without the interface for referrers.
func newRegistry(t testing.TB, referrers bool) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers)))
	t.Cleanup(server.Close)
	return must[*url.URL](t)(url.Parse(server.URL)).Host
}

// pushed is an index of two images in a registry.
func pushed(t testing.TB, host string) name.Digest {
	t.Helper()
	index := must[v1.ImageIndex](t)(random.Index(64, 1, 2))
	tag := must[name.Tag](t)(name.NewTag(host + "/halyard/app:v1.2.0"))
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	return tag.Digest(must[v1.Hash](t)(index.Digest()).String())
}

func b64(data []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(data)) }
