package sign

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/go-openapi/runtime"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/rekor/pkg/generated/models"
	rekortypes "github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
)

const (
	ada    = "ada@example.org"
	issuer = "https://accounts.example.org"
)

// authorities are a certificate authority, a transparency log and a time stamp
// authority on this machine, and what they are trusted by.
type authorities struct {
	root.BaseTrustedMaterial
	virtual      *ca.VirtualSigstore
	fulcio       *root.FulcioCertificateAuthority
	fulcioKey    *ecdsa.PrivateKey
	tsa          *root.SigstoreTimestampingAuthority
	tsaKey       *ecdsa.PrivateKey
	url          string
	issued       atomic.Int64
	logged       atomic.Int64
	began        atomic.Int64 // seconds to add to the time certificates begin at
	logTime      atomic.Int64 // the time the log puts down, if not zero
	refuse       atomic.Bool
	otherKey     atomic.Bool
	ctLogs       map[string]*root.TransparencyLog
	noIdentities bool
}

func (a *authorities) FulcioCertificateAuthorities() []root.CertificateAuthority {
	if a.noIdentities {
		return nil
	}
	return []root.CertificateAuthority{a.fulcio}
}
func (a *authorities) TimestampingAuthorities() []root.TimestampingAuthority {
	return []root.TimestampingAuthority{a.tsa}
}
func (a *authorities) RekorLogs() map[string]*root.TransparencyLog { return a.virtual.RekorLogs() }
func (a *authorities) CTLogs() map[string]*root.TransparencyLog    { return a.ctLogs }

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newAuthorities(t testing.TB) *authorities {
	t.Helper()
	a := &authorities{}
	var err error
	if a.virtual, err = ca.NewVirtualSigstore(); err != nil {
		t.Fatal(err)
	}
	rootCert, rootKey, err := ca.GenerateRootCa()
	if err != nil {
		t.Fatal(err)
	}
	middle, middleKey, err := ca.GenerateFulcioIntermediate(rootCert, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	year := 365 * 24 * time.Hour
	a.fulcioKey = middleKey
	a.fulcio = &root.FulcioCertificateAuthority{Root: rootCert, Intermediates: []*x509.Certificate{middle},
		ValidityPeriodStart: time.Now().Add(-year), ValidityPeriodEnd: time.Now().Add(year)}
	tsaMiddle, tsaMiddleKey, err := ca.GenerateTSAIntermediate(rootCert, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	key := must[crypto.Signer](t)(GenerateKey("ecdsa-p256"))
	a.tsaKey = key.(*ecdsa.PrivateKey)
	leaf, err := ca.GenerateTSALeafCert(time.Now().Add(-time.Minute), a.tsaKey, tsaMiddle, tsaMiddleKey)
	if err != nil {
		t.Fatal(err)
	}
	a.tsa = &root.SigstoreTimestampingAuthority{Root: rootCert, Intermediates: []*x509.Certificate{tsaMiddle}, Leaf: leaf,
		ValidityPeriodStart: time.Now().Add(-year), ValidityPeriodEnd: time.Now().Add(year), URI: "https://tsa.example.org"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", a.certify)
	mux.HandleFunc("POST /api/v1/log/entries", a.record)
	mux.HandleFunc("POST /api/v1/timestamp", a.stamp)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// token is an identity token as an issuer would make it, but for its signature.
func token(email string) string {
	enc := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":%q,"sub":%q,"email":%q,"email_verified":true,"aud":"sigstore"}`, issuer, email, email)
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signed"))
}

func tokenOf(email string) TokenSource {
	return func(context.Context) (string, error) { return token(email), nil }
}

func (a *authorities) services() Services {
	return Services{Logs: []string{a.url}}
}

func (a *authorities) keyless(t testing.TB, email string, s Services) *Keyless {
	t.Helper()
	return must[*Keyless](t)(NewKeyless(a.url, tokenOf(email), s, time.Now))
}

// certify is Fulcio.
func (a *authorities) certify(w http.ResponseWriter, r *http.Request) {
	var in struct {
		PublicKeyRequest struct {
			PublicKey struct {
				Content string `json:"content"`
			} `json:"publicKey"`
			Proof []byte `json:"proofOfPossession"`
		} `json:"publicKeyRequest"`
	}
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if a.refuse.Load() {
		http.Error(w, "who is "+bearer, http.StatusUnauthorized)
		return
	}
	var claims struct{ Email, Iss string }
	err := json.NewDecoder(r.Body).Decode(&in)
	parts := strings.Split(bearer, ".")
	if raw, e := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)]); e == nil {
		err = json.Unmarshal(raw, &claims)
	}
	block, _ := pem.Decode([]byte(in.PublicKeyRequest.PublicKey.Content))
	if err != nil || block == nil {
		http.Error(w, "no key", http.StatusBadRequest)
		return
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	sum := sha256.Sum256([]byte(claims.Email))
	if e, ok := key.(*ecdsa.PublicKey); err != nil || !ok || !ecdsa.VerifyASN1(e, sum[:], in.PublicKeyRequest.Proof) {
		http.Error(w, "the key is not yours", http.StatusBadRequest)
		return
	}
	if a.otherKey.Load() {
		key = a.fulcioKey.Public()
	}
	begin := time.Now().Add(-5 * time.Second).Add(time.Duration(a.began.Load()) * time.Second)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(a.issued.Add(1)), EmailAddresses: []string{claims.Email},
		NotBefore: begin, NotAfter: begin.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(claims.Iss)}},
	}, a.fulcio.Intermediates[0], key, a.fulcioKey)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	answer(w, http.StatusOK, map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": []string{text}}}})
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// record is Rekor, version 1.
func (a *authorities) record(w http.ResponseWriter, r *http.Request) {
	entry, err := a.entry(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := hex.EncodeToString(make([]byte, 32))
	w.Header().Set("ETag", id)
	w.Header().Set("Location", "/api/v1/log/entries/"+id)
	answer(w, http.StatusCreated, map[string]any{id: entry})
}

func (a *authorities) entry(r *http.Request) (map[string]any, error) {
	proposed, err := models.UnmarshalProposedEntry(r.Body, runtime.JSONConsumer())
	if err != nil {
		return nil, err
	}
	e, err := rekortypes.CreateVersionedEntry(proposed)
	if err != nil {
		return nil, err
	}
	body, err := rekortypes.CanonicalizeEntry(r.Context(), e)
	if err != nil {
		return nil, err
	}
	logID, err := a.virtual.RekorLogID()
	if err != nil {
		return nil, err
	}
	proof, err := a.virtual.GetInclusionProof(body)
	if err != nil {
		return nil, err
	}
	a.logged.Add(1)
	at := time.Now().Unix()
	if t := a.logTime.Load(); t != 0 {
		at = t
	}
	encoded := base64.StdEncoding.EncodeToString(body)
	set, err := a.virtual.RekorSignPayload(tlog.RekorPayload{Body: encoded, IntegratedTime: at, LogIndex: 0, LogID: logID})
	if err != nil {
		return nil, err
	}
	return map[string]any{"body": encoded, "integratedTime": at, "logID": logID, "logIndex": 0,
		"verification": map[string]any{"signedEntryTimestamp": set, "inclusionProof": proof}}, nil
}

// stamp is a time stamp authority.
func (a *authorities) stamp(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q, err := timestamp.ParseRequest(raw)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t := timestamp.Timestamp{HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: time.Now(),
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}}
	resp, err := t.CreateResponseWithOpts(a.tsa.Leaf, a.tsaKey, crypto.SHA256)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(resp) // the client notices
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
