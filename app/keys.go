package app

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/aws"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"
	"github.com/sigstore/sigstore/pkg/signature/kms/gcp"
	"github.com/sigstore/sigstore/pkg/signature/kms/hashivault"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"seaworthy/artifact/sign"
)

// Keys finds keys in files, in the environment, and in the key services by the
// addresses that cosign has for them. Each service takes its credentials from
// where its own tools do.
func Keys() sign.Keys {
	return sign.Keys{
		Getenv: os.Getenv,
		Loaders: map[string]sign.Loader{
			"awskms": func(ctx context.Context, address string) (sign.PrivateKey, error) {
				s, err := aws.LoadSignerVerifier(ctx, address)
				return serviceKeyOf(ctx, s, err)
			},
			"azurekms": func(ctx context.Context, address string) (sign.PrivateKey, error) {
				s, err := azure.LoadSignerVerifier(ctx, address)
				return serviceKeyOf(ctx, s, err)
			},
			"gcpkms": func(ctx context.Context, address string) (sign.PrivateKey, error) {
				s, err := gcp.LoadSignerVerifier(ctx, address)
				return serviceKeyOf(ctx, s, err)
			},
			"hashivault": func(ctx context.Context, address string) (sign.PrivateKey, error) { return vaultKey(ctx, address) },
			"openbao":    func(ctx context.Context, address string) (sign.PrivateKey, error) { return vaultKey(ctx, address) },
		},
	}
}

// vaultKey is a key of HashiCorp Vault's or OpenBao's transit engine. They are
// told the hash with each signature.
func vaultKey(ctx context.Context, address string, more ...signature.RPCOption) (sign.PrivateKey, error) {
	s, err := hashivault.LoadSignerVerifier(address, crypto.SHA256, append(more, options.WithContext(ctx))...)
	return serviceKeyOf(ctx, s, err)
}

// serviceKey is a key that a service keeps and signs with.
type serviceKey struct {
	signer signature.Signer
	public crypto.PublicKey
}

func serviceKeyOf(ctx context.Context, s signature.Signer, err error) (sign.PrivateKey, error) {
	if err != nil {
		return nil, fmt.Errorf("the key service: %w", err)
	}
	public, err := s.PublicKey(options.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("asking the key service for the public key: %w", err)
	}
	if public == nil {
		return nil, errors.New("the key service gave no public key")
	}
	return serviceKey{s, public}, nil
}

// Public implements sign.PrivateKey.
func (k serviceKey) Public() crypto.PublicKey { return k.public }

// SignDigest implements sign.PrivateKey.
func (k serviceKey) SignDigest(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	set := []signature.SignOption{options.WithContext(ctx), options.WithCryptoSignerOpts(opts)}
	var message *bytes.Reader
	if opts.HashFunc() == 0 {
		message = bytes.NewReader(digest)
	} else {
		set, message = append(set, options.WithDigest(digest)), bytes.NewReader(nil)
	}
	sig, err := k.signer.SignMessage(message, set...)
	if err != nil {
		return nil, fmt.Errorf("asking the key service for a signature: %w", err)
	}
	return sig, nil
}
