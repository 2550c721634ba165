package sign

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"strings"
	"testing"
)

// Signatures as older programs and some key services make them: SHA-256 whatever
// the curve, RSA-PSS, the digest instead of the file with Ed25519.
func TestOlderWaysOfSigning(t *testing.T) {
	t.Parallel()
	short, long := sha256.Sum256([]byte(text)), sha512.Sum512([]byte(text))
	for name, tc := range map[string]struct {
		kind string
		sign func(crypto.Signer) ([]byte, error)
	}{
		"P-384 with SHA-256": {"ecdsa-p384", func(k crypto.Signer) ([]byte, error) {
			return ecdsa.SignASN1(rand.Reader, k.(*ecdsa.PrivateKey), short[:])
		}},
		"RSA-PSS": {"rsa-3072", func(k crypto.Signer) ([]byte, error) {
			return rsa.SignPSS(rand.Reader, k.(*rsa.PrivateKey), crypto.SHA256, short[:], nil)
		}},
		"Ed25519 over the digest": {"ed25519", func(k crypto.Signer) ([]byte, error) {
			return k.Sign(rand.Reader, long[:], &ed25519.Options{Hash: crypto.SHA512})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := must[crypto.Signer](t)(GenerateKey(tc.kind))
			b := must[Bundle](t)(FromDetached(must[[]byte](t)(tc.sign(key)), nil))
			v := trusting(t, key.Public())
			if _, err := v.Blob(t.Context(), "f", strings.NewReader(text), b); err != nil {
				t.Error(err)
			}
			refused(t, v, strings.NewReader(text+"!"), "not what was signed", b)
			refused(t, v, strings.NewReader(""), "not what was signed", b)
		})
	}
}

// A key service that signs with PSS is a signer like any other.
func TestServiceThatSignsWithPSS(t *testing.T) {
	t.Parallel()
	key := must[crypto.Signer](t)(GenerateKey("rsa-3072")).(*rsa.PrivateKey)
	s := must[*KeySigner](t)(NewKeySigner(pssKey{key}, Services{}))
	b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
	if _, err := trusting(t, key.Public()).Blob(t.Context(), "f", strings.NewReader(text), b); err != nil {
		t.Error(err)
	}
	if _, err := Attest(t.Context(), s, statement(t, digestOf(text))); err != nil {
		t.Error(err)
	}
}

type pssKey struct{ key *rsa.PrivateKey }

func (k pssKey) Public() crypto.PublicKey { return k.key.Public() }
func (k pssKey) SignDigest(_ context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return rsa.SignPSS(rand.Reader, k.key, opts.HashFunc(), digest, nil)
}

// A key that is revoked stays so, whoever names it and whenever it signed.
func TestRevokedKeyInLog(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	s, key := keyed(t, "ecdsa-p256", logOf(a))
	b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
	v := verifier(t, Policy{Signers: rules(key), Revoked: []string{Fingerprint(key)}}.WithTrust(a))
	refused(t, v, strings.NewReader(text), "whose key is revoked", b)
}

// The record of one signature does not vouch for another.
func TestBorrowedLogEntry(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	s, key := keyed(t, "ecdsa-p256", logOf(a))
	logged := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader("something else")))
	unlogged := must[*KeySigner](t)(NewKeySigner(s.key, Services{}))
	b := must[Bundle](t)(Blob(t.Context(), unlogged, strings.NewReader(text)))
	b.proto.VerificationMaterial.TlogEntries = logged.proto.GetVerificationMaterial().GetTlogEntries()
	for _, demand := range []string{"required", "optional"} {
		v := verifier(t, Policy{Signers: rules(key), TransparencyLog: demand}.WithTrust(a))
		refused(t, v, strings.NewReader(text), "does not match", b)
	}
	v := verifier(t, Policy{Signers: rules(key), TransparencyLog: "ignored"}.WithTrust(a))
	if _, err := v.Blob(t.Context(), "f", strings.NewReader(text), b); err != nil {
		t.Error(err)
	}
}
