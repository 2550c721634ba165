package sign

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	sigstore "github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/signature"

	"seaworthy/artifact/provenance"
)

// Signer makes signatures that verify offline.
type Signer interface {
	// Identity says who signs.
	Identity(ctx context.Context) (Identity, error)
	// SignBlob signs the bytes of a file.
	SignBlob(ctx context.Context, r io.Reader) (Bundle, error)
	// SignEnvelope signs a payload of a media type, and the bundle holds both.
	SignEnvelope(ctx context.Context, payloadType string, payload []byte) (Bundle, error)
}

// Services are those that witness a signature. All are optional.
type Services struct {
	// Logs are addresses of transparency logs (Rekor).
	Logs []string
	// LogVersion is that of the logs' interface: 1, which 0 means too, or 2.
	LogVersion uint32
	// Timestamps are full addresses of authorities that sign the time (RFC 3161).
	Timestamps []string
	// Transport carries requests to authorities; nil for the usual one.
	Transport http.RoundTripper
}

// serviceTimeout is how long one request to a service may take, and
// serviceRetries how often one that failed is repeated.
const (
	serviceTimeout = 30 * time.Second
	serviceRetries = 3
)

// options are what sigstore's library wants to know. Clients of logs keep state,
// so each signature has its own.
func (s Services) options(ctx context.Context) sigstore.BundleOptions {
	o := sigstore.BundleOptions{Context: ctx}
	for _, url := range s.Logs {
		o.TransparencyLogs = append(o.TransparencyLogs, sigstore.NewRekor(&sigstore.RekorOptions{
			BaseURL: url, Timeout: serviceTimeout, Retries: serviceRetries, Version: s.LogVersion,
		}))
	}
	for _, url := range s.Timestamps {
		o.TimestampAuthorities = append(o.TimestampAuthorities, sigstore.NewTimestampAuthority(&sigstore.TimestampAuthorityOptions{
			URL: url, Timeout: serviceTimeout, Retries: serviceRetries, Transport: s.Transport,
		}))
	}
	return o
}

// KeySigner signs with a key that lasts.
type KeySigner struct {
	key      PrivateKey
	services Services
	blobs    algorithm
	payloads algorithm
}

// NewKeySigner returns a signer with a key.
func NewKeySigner(key PrivateKey, services Services) (*KeySigner, error) {
	logged := len(services.Logs) > 0
	if _, edwards := key.Public().(ed25519.PublicKey); edwards && services.LogVersion == 2 && logged {
		return nil, errors.New("logs of version 2 take no statements signed with Ed25519: use an ECDSA key")
	}
	// Logs keep digests of files, so an Ed25519 key must sign the digest there.
	blobs, err := algorithmOf(key.Public(), logged)
	if err != nil {
		return nil, err
	}
	payloads, err := algorithmOf(key.Public(), false)
	if err != nil {
		return nil, err
	}
	return &KeySigner{key: key, services: services, blobs: blobs, payloads: payloads}, nil
}

// Identity implements Signer.
func (s *KeySigner) Identity(context.Context) (Identity, error) {
	return Identity{Key: Fingerprint(s.key.Public())}, nil
}

// SignBlob implements Signer.
func (s *KeySigner) SignBlob(ctx context.Context, r io.Reader) (Bundle, error) {
	p := pair{key: s.key, algorithm: s.blobs}
	b, sums, err := p.blob(r, s.services.options(ctx))
	if err != nil {
		return Bundle{}, err
	}
	return b, s.confirm(b, &sums)
}

// SignEnvelope implements Signer.
func (s *KeySigner) SignEnvelope(ctx context.Context, payloadType string, payload []byte) (Bundle, error) {
	p := pair{key: s.key, algorithm: s.payloads}
	b, err := p.envelope(payloadType, payload, s.services.options(ctx))
	if err != nil || payloadType != provenance.PayloadType {
		return b, err
	}
	return b, s.confirm(b, nil)
}

// confirm verifies what was made: a key service may sign in another way than its
// public key tells.
func (s *KeySigner) confirm(b Bundle, over *sums) error {
	v, err := NewVerifier(Policy{Signers: []SignerRule{KeyRule("", s.key.Public())}}, time.Now)
	if err != nil {
		return err
	}
	if _, err := v.check(b, over); err != nil {
		return fmt.Errorf("the signature that was made does not verify: %w", err)
	}
	return nil
}

// pair is a key as sigstore's library takes it. The library wants files in
// memory and hashes them itself; ready holds the digest of a file that was read
// as a stream instead.
type pair struct {
	key       PrivateKey
	algorithm algorithm
	ready     []byte
}

// maxWhole is how much is read of a file that has to be signed or verified
// whole, in bytes.
const maxWhole = 1 << 30

func (p pair) blob(r io.Reader, o sigstore.BundleOptions) (Bundle, sums, error) {
	s, err := measure(r, []crypto.Hash{p.algorithm.hash}, p.algorithm.hash == 0)
	if err != nil {
		return Bundle{}, sums{}, err
	}
	hash := p.algorithm.hash
	if hash == 0 {
		p.ready, hash = s.whole, crypto.SHA256
	} else {
		p.ready = s.digests[hash]
	}
	b, err := p.bundle(&blobContent{hash: hash, digest: s.digests[hash]}, o)
	return b, s, err
}

func (p pair) envelope(payloadType string, payload []byte, o sigstore.BundleOptions) (Bundle, error) {
	return p.bundle(&sigstore.DSSEData{Data: payload, PayloadType: payloadType}, o)
}

func (p pair) bundle(c sigstore.Content, o sigstore.BundleOptions) (Bundle, error) {
	proto, err := sigstore.Bundle(c, p, o)
	if err != nil {
		return Bundle{}, fmt.Errorf("signing: %w", err)
	}
	b := Bundle{proto: proto}
	if _, err := b.entity(); err != nil {
		return Bundle{}, fmt.Errorf("signing made something that cannot be verified: %w", err)
	}
	return b, nil
}

// blobContent is a file by its digest.
type blobContent struct {
	hash   crypto.Hash
	digest []byte
}

// PreAuthEncoding implements sigstore.Content. The pair has the digest already.
func (*blobContent) PreAuthEncoding() []byte { return nil }

// Bundle implements sigstore.Content.
func (c *blobContent) Bundle(b *protobundle.Bundle, sig, _ []byte, _ protocommon.HashAlgorithm) {
	b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protoHash(c.hash), Digest: c.digest},
		Signature:     sig,
	}}
}

// GetHashAlgorithm implements sigstore.Keypair.
func (p pair) GetHashAlgorithm() protocommon.HashAlgorithm {
	return p.algorithm.details.GetProtoHashType()
}

// GetSigningAlgorithm implements sigstore.Keypair.
func (p pair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return p.algorithm.details.GetSignatureAlgorithm()
}

// GetHint implements sigstore.Keypair: the fingerprint, by which verifiers find
// the key.
func (p pair) GetHint() []byte { return []byte(hint(p.key.Public())) }

// GetKeyAlgorithm implements sigstore.Keypair.
func (p pair) GetKeyAlgorithm() string {
	switch p.algorithm.details.GetKeyType() {
	case signature.RSA:
		return "RSA"
	case signature.ED25519:
		return "ED25519"
	}
	return "ECDSA"
}

// GetPublicKey implements sigstore.Keypair.
func (p pair) GetPublicKey() crypto.PublicKey { return p.key.Public() }

// GetPublicKeyPem implements sigstore.Keypair.
func (p pair) GetPublicKeyPem() (string, error) {
	text, err := EncodePublicKey(p.key.Public())
	return string(text), err
}

// SignData implements sigstore.Keypair.
func (p pair) SignData(ctx context.Context, data []byte) (sig, signed []byte, err error) {
	signed = p.ready
	if signed == nil {
		signed = data
		if h := p.algorithm.hash; h != 0 {
			sum := h.New()
			sum.Write(data)
			signed = sum.Sum(nil)
		}
	}
	sig, err = p.key.SignDigest(ctx, signed, p.algorithm.opts)
	return sig, signed, err
}

// Blob signs the bytes of a file.
func Blob(ctx context.Context, s Signer, r io.Reader) (Bundle, error) { return s.SignBlob(ctx, r) }

// Attest signs a statement.
func Attest(ctx context.Context, s Signer, statement provenance.Statement) (Bundle, error) {
	text, err := statement.Encode()
	if err != nil {
		return Bundle{}, err
	}
	return s.SignEnvelope(ctx, provenance.PayloadType, text)
}
