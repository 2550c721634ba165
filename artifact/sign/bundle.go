package sign

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"google.golang.org/protobuf/encoding/protojson"

	"seaworthy/artifact/provenance"
)

// BundleType is the media type of the bundles that are written.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// MaxBundle is the size of a bundle that is read, in bytes. Attestations hold
// whole bills of materials, as base64.
const MaxBundle = 64 << 20

// Bundle is a signature with what is needed to verify it: who signed (a
// certificate, or the hint of a key), and the records of logs and time stamps.
// It is over the bytes of a file, or over a statement which it holds.
type Bundle struct {
	proto *protobundle.Bundle
	// payload is what a signature in an image's tag is over: the bytes that name
	// the image. Bundles proper have none.
	payload []byte
}

// ParseBundle reads a bundle of any version, or one that cosign wrote before
// there were bundles (base64Signature, cert, rekorBundle).
func ParseBundle(data []byte) (Bundle, error) {
	if len(data) > MaxBundle {
		return Bundle{}, fmt.Errorf("a bundle of %d bytes: at most %d are read", len(data), MaxBundle)
	}
	var probe struct {
		MediaType string `json:"mediaType"`
		Signature string `json:"base64Signature"`
	}
	if err := json.Unmarshal(data, &probe); err != nil {
		return Bundle{}, fmt.Errorf("not a bundle: %w", err)
	}
	if probe.MediaType == "" && probe.Signature != "" {
		return parseOldBundle(data)
	}
	p := new(protobundle.Bundle)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, p); err != nil {
		return Bundle{}, fmt.Errorf("not a bundle: %w", err)
	}
	b := Bundle{proto: p}
	if _, err := b.entity(); err != nil {
		return Bundle{}, fmt.Errorf("not a bundle that can be verified: %w", err)
	}
	return b, nil
}

// ParseBundles reads one bundle, or one on each line.
func ParseBundles(data []byte) ([]Bundle, error) {
	if b, err := ParseBundle(data); err == nil {
		return []Bundle{b}, nil
	} else if !bytes.Contains(bytes.TrimSpace(data), []byte("\n")) {
		return nil, err
	}
	var all []Bundle
	d := json.NewDecoder(bytes.NewReader(data))
	for d.More() {
		var one json.RawMessage
		if err := d.Decode(&one); err != nil {
			return nil, fmt.Errorf("bundle %d: %w", len(all)+1, err)
		}
		b, err := ParseBundle(one)
		if err != nil {
			return nil, fmt.Errorf("bundle %d: %w", len(all)+1, err)
		}
		if all = append(all, b); len(all) > maxBundles {
			return nil, fmt.Errorf("more than %d bundles", maxBundles)
		}
	}
	return all, nil
}

// maxBundles is how many signatures of one thing are looked at.
const maxBundles = 1000

// Encode writes the bundle as JSON. The same bundle always gives the same bytes.
func (b Bundle) Encode() ([]byte, error) {
	text, err := protojson.Marshal(b.proto)
	if err != nil {
		return nil, fmt.Errorf("writing the bundle: %w", err)
	}
	var out bytes.Buffer // protojson varies its spaces on purpose
	if err := json.Compact(&out, text); err != nil {
		return nil, fmt.Errorf("writing the bundle: %w", err)
	}
	return out.Bytes(), nil
}

// entity is the bundle as sigstore's verifier takes it. Its checks cover what
// its format requires.
func (b Bundle) entity() (*bundle.Bundle, error) {
	if chain := b.proto.GetVerificationMaterial().GetX509CertificateChain(); chain != nil && b.proto.GetMediaType() == BundleType {
		return bundle.NewBundle(b.proto, bundle.AllowCertificateChain())
	}
	return bundle.NewBundle(b.proto)
}

// Signature returns the bare signature.
func (b Bundle) Signature() []byte {
	if m := b.proto.GetMessageSignature(); m != nil {
		return m.GetSignature()
	}
	if s := b.proto.GetDsseEnvelope().GetSignatures(); len(s) > 0 {
		return s[0].GetSig()
	}
	return nil
}

// Certificate returns that of the signer, nil if a key signed.
func (b Bundle) Certificate() (*x509.Certificate, error) {
	m := b.proto.GetVerificationMaterial()
	der := m.GetCertificate().GetRawBytes()
	if chain := m.GetX509CertificateChain().GetCertificates(); der == nil && len(chain) > 0 {
		der = chain[0].GetRawBytes()
	}
	if der == nil {
		return nil, nil
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("the signer's certificate: %w", err)
	}
	return c, nil
}

// Statement returns what was signed if it is a statement; ok is false if it is
// the bytes of a file. Nothing is verified by this.
func (b Bundle) Statement() (s provenance.Statement, ok bool, err error) {
	e := b.proto.GetDsseEnvelope()
	if e == nil {
		return s, false, nil
	}
	if e.GetPayloadType() != provenance.PayloadType {
		return s, true, fmt.Errorf("what is signed is %s, not a statement", e.GetPayloadType())
	}
	s, err = provenance.Read(e.GetPayload())
	return s, true, err
}

// Envelope returns the signed statement as a DSSE envelope in JSON, as cosign
// keeps it in an image's .att tag. ok is false if the bundle holds none.
func (b Bundle) Envelope() (text []byte, ok bool, err error) {
	e := b.proto.GetDsseEnvelope()
	if e == nil {
		return nil, false, nil
	}
	type sig struct {
		KeyID string `json:"keyid"`
		Sig   []byte `json:"sig"`
	}
	out := struct {
		PayloadType string `json:"payloadType"`
		Payload     []byte `json:"payload"`
		Signatures  []sig  `json:"signatures"`
	}{e.GetPayloadType(), e.GetPayload(), nil}
	for _, s := range e.GetSignatures() {
		out.Signatures = append(out.Signatures, sig{s.GetKeyid(), s.GetSig()})
	}
	text, err = json.Marshal(out)
	return text, true, err
}

// Detached returns the signature as base64, and the certificate as base64 of
// PEM, empty if a key signed: what cosign sign-blob writes to .sig and .cert.
func (b Bundle) Detached() (signature, cert []byte, err error) {
	if b.proto.GetMessageSignature() == nil {
		return nil, nil, errors.New("a signed statement has no detached signature: keep its bundle")
	}
	signature = []byte(base64.StdEncoding.EncodeToString(b.Signature()) + "\n")
	c, err := b.Certificate()
	if err != nil || c == nil {
		return signature, nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	return signature, []byte(base64.StdEncoding.EncodeToString(text) + "\n"), nil
}

// FromDetached makes a bundle of a detached signature: base64 or the bare bytes,
// with the certificate in PEM, base64 of PEM or nil.
func FromDetached(signature, cert []byte) (Bundle, error) {
	if len(signature) == 0 || len(signature) > maxKeyFile {
		return Bundle{}, fmt.Errorf("a detached signature of %d bytes: this is something else", len(signature))
	}
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(signature)))
	if err != nil {
		raw = signature
	}
	if len(raw) == 0 {
		return Bundle{}, errors.New("the signature is empty")
	}
	return assemble(material{signature: raw, certificate: cert})
}

// hashFunctions by the names that bundles give them.
func protoHash(h crypto.Hash) protocommon.HashAlgorithm {
	switch h {
	case crypto.SHA384:
		return protocommon.HashAlgorithm_SHA2_384
	case crypto.SHA512:
		return protocommon.HashAlgorithm_SHA2_512
	}
	return protocommon.HashAlgorithm_SHA2_256
}

func hashOf(p protocommon.HashAlgorithm) crypto.Hash {
	switch p {
	case protocommon.HashAlgorithm_SHA2_256:
		return crypto.SHA256
	case protocommon.HashAlgorithm_SHA2_384:
		return crypto.SHA384
	case protocommon.HashAlgorithm_SHA2_512:
		return crypto.SHA512
	}
	return 0
}

// Identity is who signs: a key, or a person or workflow that the issuer of
// identities vouches for.
type Identity struct {
	Key    string `json:"key,omitempty"`      // fingerprint, for keys that last
	Name   string `json:"identity,omitempty"` // address or URI in the certificate
	Issuer string `json:"issuer,omitempty"`   // URL of the issuer of identities
}

// String writes it for people.
func (i Identity) String() string {
	if i.Name != "" {
		return i.Name + " (" + i.Issuer + ")"
	}
	return "key " + i.Key
}

// certified returns the identity in a certificate.
func certified(c *x509.Certificate) (Identity, error) {
	s, err := certificate.SummarizeCertificate(c)
	if err != nil {
		return Identity{}, fmt.Errorf("the signer's certificate: %w", err)
	}
	return Identity{Name: s.SubjectAlternativeName, Issuer: s.Issuer}, nil
}

// logged returns the place in the transparency log that the bundle claims.
func (b Bundle) logged() (index int64, at time.Time, ok bool) {
	entries := b.proto.GetVerificationMaterial().GetTlogEntries()
	if len(entries) == 0 {
		return 0, time.Time{}, false
	}
	if s := entries[0].GetIntegratedTime(); s > 0 {
		at = time.Unix(s, 0).UTC()
	}
	return entries[0].GetLogIndex(), at, true
}
