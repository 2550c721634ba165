package signtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
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
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/generated/models"
	rekortypes "github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// Issuer is who the identity tokens say they are of.
const Issuer = "https://accounts.example.org"

// Authorities are a certificate authority, a transparency log and a time stamp
// authority on this machine, and what they are trusted by.
type Authorities struct {
	root.BaseTrustedMaterial
	Virtual *ca.VirtualSigstore
	Fulcio  *root.FulcioCertificateAuthority
	TSA     *root.SigstoreTimestampingAuthority
	// URL is where all of them answer; TimestampURL is the full address of
	// the time stamp authority.
	URL, TimestampURL string
	// Issued and Logged count certificates and entries.
	Issued, Logged atomic.Int64
	// Began is added to the time certificates begin at, in seconds. LogTime is
	// the time the log puts down, in Unix seconds, if it is not zero.
	Began, LogTime atomic.Int64
	// Refuse makes the certificate authority refuse every token, and OtherKey
	// makes it certify a key that nobody asked for.
	Refuse, OtherKey atomic.Bool
	// SCTLogs are trusted to promise that certificates are logged.
	SCTLogs map[string]*root.TransparencyLog
	// NoIdentities trusts no certificate authority.
	NoIdentities bool

	fulcioKey, tsaKey *ecdsa.PrivateKey
	server            *httptest.Server
}

// FulcioCertificateAuthorities returns the authority that certifies identities.
func (a *Authorities) FulcioCertificateAuthorities() []root.CertificateAuthority {
	if a.NoIdentities {
		return nil
	}
	return []root.CertificateAuthority{a.Fulcio}
}

// TimestampingAuthorities returns the authority that stamps times.
func (a *Authorities) TimestampingAuthorities() []root.TimestampingAuthority {
	return []root.TimestampingAuthority{a.TSA}
}

// RekorLogs returns the log of signatures.
func (a *Authorities) RekorLogs() map[string]*root.TransparencyLog { return a.Virtual.RekorLogs() }

// CTLogs returns the logs of certificates.
func (a *Authorities) CTLogs() map[string]*root.TransparencyLog { return a.SCTLogs }

// Trusted is a copy of what is trusted, to be changed.
func (a *Authorities) Trusted() *Authorities {
	return &Authorities{Virtual: a.Virtual, Fulcio: a.Fulcio, TSA: a.TSA}
}

// TrustedRoot returns what is trusted as a file that programs are given.
func (a *Authorities) TrustedRoot() ([]byte, error) {
	logs := a.RekorLogs()
	for id, l := range logs {
		raw, err := hex.DecodeString(id)
		if err != nil {
			return nil, fmt.Errorf("the id of a log: %w", err)
		}
		l.ID = raw // in a file it is not text
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, a.FulcioCertificateAuthorities(), a.CTLogs(), a.TimestampingAuthorities(), logs)
	if err != nil {
		return nil, fmt.Errorf("writing a trusted root: %w", err)
	}
	return r.MarshalJSON()
}

// NewAuthorities starts them. Close stops them.
func NewAuthorities() (*Authorities, error) {
	a := &Authorities{}
	var err error
	if a.Virtual, err = ca.NewVirtualSigstore(); err != nil {
		return nil, err
	}
	rootCert, rootKey, err := ca.GenerateRootCa()
	if err != nil {
		return nil, err
	}
	middle, middleKey, err := ca.GenerateFulcioIntermediate(rootCert, rootKey)
	if err != nil {
		return nil, err
	}
	from, to := time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)
	a.fulcioKey = middleKey
	a.Fulcio = &root.FulcioCertificateAuthority{Root: rootCert, Intermediates: []*x509.Certificate{middle},
		ValidityPeriodStart: from, ValidityPeriodEnd: to, URI: "https://fulcio.example.org"}
	tsaMiddle, tsaMiddleKey, err := ca.GenerateTSAIntermediate(rootCert, rootKey)
	if err != nil {
		return nil, err
	}
	if a.tsaKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	leaf, err := ca.GenerateTSALeafCert(time.Now().Add(-time.Minute), a.tsaKey, tsaMiddle, tsaMiddleKey)
	if err != nil {
		return nil, err
	}
	a.TSA = &root.SigstoreTimestampingAuthority{Root: rootCert, Intermediates: []*x509.Certificate{tsaMiddle}, Leaf: leaf,
		ValidityPeriodStart: from, ValidityPeriodEnd: to, URI: "https://tsa.example.org"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", a.certify)
	mux.HandleFunc("POST /api/v1/log/entries", a.record)
	mux.HandleFunc("POST /api/v1/timestamp", a.stamp)
	a.server = httptest.NewServer(mux)
	a.URL, a.TimestampURL = a.server.URL, a.server.URL+"/api/v1/timestamp"
	return a, nil
}

// Close stops answering.
func (a *Authorities) Close() { a.server.Close() }

// Token is an identity token as an issuer would make it, but for its signature.
func Token(email string) string {
	enc := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":%q,"sub":%q,"email":%q,"email_verified":true,"aud":"sigstore"}`, Issuer, email, email)
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signed"))
}

// certify is Fulcio.
func (a *Authorities) certify(w http.ResponseWriter, r *http.Request) {
	var in struct {
		PublicKeyRequest struct {
			PublicKey struct {
				Content string `json:"content"`
			} `json:"publicKey"`
			Proof []byte `json:"proofOfPossession"`
		} `json:"publicKeyRequest"`
	}
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if a.Refuse.Load() {
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
	if a.OtherKey.Load() {
		key = a.fulcioKey.Public()
	}
	begin := time.Now().Add(-5 * time.Second).Add(time.Duration(a.Began.Load()) * time.Second)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(a.Issued.Add(1)), EmailAddresses: []string{claims.Email},
		NotBefore: begin, NotAfter: begin.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(claims.Iss)}},
	}, a.Fulcio.Intermediates[0], key, a.fulcioKey)
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
func (a *Authorities) record(w http.ResponseWriter, r *http.Request) {
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

func (a *Authorities) entry(r *http.Request) (map[string]any, error) {
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
	logID, err := a.Virtual.RekorLogID()
	if err != nil {
		return nil, err
	}
	proof, err := a.Virtual.GetInclusionProof(body)
	if err != nil {
		return nil, err
	}
	a.Logged.Add(1)
	at := time.Now().Unix()
	if t := a.LogTime.Load(); t != 0 {
		at = t
	}
	encoded := base64.StdEncoding.EncodeToString(body)
	set, err := a.Virtual.RekorSignPayload(tlog.RekorPayload{Body: encoded, IntegratedTime: at, LogIndex: 0, LogID: logID})
	if err != nil {
		return nil, err
	}
	return map[string]any{"body": encoded, "integratedTime": at, "logID": logID, "logIndex": 0,
		"verification": map[string]any{"signedEntryTimestamp": set, "inclusionProof": proof}}, nil
}

// stamp is a time stamp authority.
func (a *Authorities) stamp(w http.ResponseWriter, r *http.Request) {
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
	resp, err := t.CreateResponseWithOpts(a.TSA.Leaf, a.tsaKey, crypto.SHA256)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(resp) // the client notices
}
