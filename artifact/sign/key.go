package sign

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// PrivateKey is a key that signs, wherever it is kept.
type PrivateKey interface {
	// Public returns the other half: ECDSA, RSA or Ed25519.
	Public() crypto.PublicKey
	// SignDigest signs a digest made by opts.HashFunc(), or, where that is zero
	// (Ed25519), the message itself. ECDSA signatures are ASN.1, RSA's PKCS #1 v1.5.
	SignDigest(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// localKey is one that is held in memory.
type localKey struct{ crypto.Signer }

// SignDigest implements PrivateKey.
func (k localKey) SignDigest(_ context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.Sign(rand.Reader, digest, opts)
}

// PEM types of private keys encrypted as cosign does.
const (
	cosignKeyType   = "ENCRYPTED COSIGN PRIVATE KEY"
	sigstoreKeyType = "ENCRYPTED SIGSTORE PRIVATE KEY"
)

// maxKeyFile is the size of a key file at most, in bytes.
const maxKeyFile = 64 << 10

// ParsePrivateKey reads a private key in PEM: PKCS #8, EC, RSA, or encrypted as
// cosign does, for which password is called. It returns an error when the key is
// of a kind or size that nothing here signs with.
func ParsePrivateKey(text []byte, password func() ([]byte, error)) (PrivateKey, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("a private key of %d bytes: this is something else", len(text))
	}
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("no private key is in there: a PEM file with a block of the type PRIVATE KEY is needed")
		}
		key, err := parseKeyBlock(block, password)
		if err != nil {
			return nil, err
		}
		if key == nil { // parameters of a curve, a certificate
			text = rest
			continue
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a key of type %T cannot sign", key)
		}
		if _, err := algorithmOf(signer.Public(), false); err != nil {
			return nil, err
		}
		return localKey{signer}, nil
	}
}

func parseKeyBlock(block *pem.Block, password func() ([]byte, error)) (any, error) {
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New("the key is encrypted in PEM's own way, which is broken: convert it with 'openssl pkcs8 -topk8'")
		}
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case cosignKeyType, sigstoreKeyType:
		if password == nil {
			return nil, errors.New("the key is encrypted: give its password")
		}
		secret, err := password()
		if err != nil {
			return nil, fmt.Errorf("asking for the key's password: %w", err)
		}
		plain, err := encrypted.Decrypt(block.Bytes, secret)
		if err != nil {
			return nil, errors.New("the key cannot be decrypted: the password is not the right one, or the file is damaged")
		}
		return x509.ParsePKCS8PrivateKey(plain)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("a key encrypted by PKCS #8 is not read: decrypt it with 'openssl pkcs8', or make one with 'seaworthy sign key'")
	case "PUBLIC KEY":
		return nil, errors.New("this is a public key: the private one is needed to sign")
	}
	return nil, nil
}

// EncodePrivateKey writes a key as PEM, encrypted as cosign does unless the
// password is nil, in which case it is plain PKCS #8.
func EncodePrivateKey(key crypto.Signer, password []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("writing the private key: %w", err)
	}
	if password == nil {
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	box, err := encrypted.Encrypt(der, password)
	if err != nil {
		return nil, fmt.Errorf("encrypting the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: sigstoreKeyType, Bytes: box}), nil
}

// KeyTypes are what GenerateKey makes; the first is what most verifiers know.
func KeyTypes() []string {
	return []string{"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072", "rsa-4096"}
}

// GenerateKey makes a new key of one of the KeyTypes.
func GenerateKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "ecdsa-p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "rsa-3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("%q is no type of key: write one of %q", kind, KeyTypes())
}

// ParsePublicKey reads a public key in PEM: PKIX, PKCS #1, or that of a
// certificate.
func ParsePublicKey(text []byte) (crypto.PublicKey, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("a public key of %d bytes: this is something else", len(text))
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no public key is in there: a PEM file with a block of the type PUBLIC KEY is needed")
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return nil, fmt.Errorf("a block of the type %s is no public key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the public key: %w", err)
	}
	if _, err := algorithmOf(key, false); err != nil {
		return nil, err
	}
	return key, nil
}

// EncodePublicKey writes a public key as PEM (PKIX), as openssl reads it.
func EncodePublicKey(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("writing the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// Fingerprint names a public key: sha256:HEX over its PKIX form, which
// 'openssl pkey -pubin -outform der | sha256sum' prints as well. It is empty for
// something that is no key.
func Fingerprint(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// algorithm is how a key signs.
type algorithm struct {
	details signature.AlgorithmDetails
	hash    crypto.Hash       // zero: the message itself is signed
	opts    crypto.SignerOpts // what the key is told
}

// algorithmOf returns how a key signs by sigstore's conventions. Of the two ways
// of Ed25519 the one that signs a digest is chosen by prehash.
func algorithmOf(key crypto.PublicKey, prehash bool) (algorithm, error) {
	var load []signature.LoadOption
	_, edwards := key.(ed25519.PublicKey)
	if edwards && prehash {
		load = append(load, options.WithED25519ph())
	}
	d, err := signature.GetDefaultAlgorithmDetails(key, load...)
	if err != nil {
		return algorithm{}, fmt.Errorf("a key of this kind is not signed with (%w): take ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048, 3072 or 4096 bits", err)
	}
	a := algorithm{details: d, hash: d.GetHashType()}
	a.opts = a.hash
	if edwards && prehash {
		a.opts = &ed25519.Options{Hash: crypto.SHA512}
	}
	return a, nil
}
