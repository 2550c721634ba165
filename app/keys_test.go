package app

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/options"

	"seaworthy/artifact/sign"
	"seaworthy/artifact/signtest"
)

func TestVaultKey(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072"} {
		key, err := sign.GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		v := &signtest.Vault{Key: key}
		server := httptest.NewServer(v)
		t.Cleanup(server.Close)
		auth := options.WithRPCAuthOpts(options.RPCAuth{Address: server.URL, Token: signtest.VaultToken})
		k, err := vaultKey(t.Context(), "hashivault://release", auth)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		s, err := sign.NewKeySigner(k, sign.Services{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := sign.Blob(t.Context(), s, strings.NewReader("a release"))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		verifier, err := sign.NewVerifier(sign.Policy{Signers: []sign.SignerRule{sign.KeyRule("release", key.Public())}}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.Blob(t.Context(), "f", strings.NewReader("a release"), b); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if n := v.Signed.Load(); n != 1 {
			t.Errorf("%s: asked for %d signatures", kind, n)
		}
		v.Corrupt.Store(true)
		if _, err := sign.Blob(t.Context(), s, strings.NewReader("a release")); err == nil || !strings.Contains(err.Error(), "does not verify") {
			t.Errorf("%s: a signature of something else is noticed: %v", kind, err)
		}
		wrong := options.WithRPCAuthOpts(options.RPCAuth{Address: server.URL, Token: "stolen"})
		if _, err := vaultKey(t.Context(), "hashivault://release", wrong); err == nil || strings.Contains(err.Error(), "stolen") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := vaultKey(t.Context(), "hashivault:///"); err == nil {
		t.Error("an address without a key was taken")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	k := Keys()
	for _, scheme := range []string{"awskms", "azurekms", "gcpkms", "hashivault", "openbao"} {
		if k.Loaders[scheme] == nil {
			t.Errorf("no loader for %s", scheme)
		}
		// An address that is wrong is told of before anybody is asked.
		if _, err := k.Load(t.Context(), scheme+"://"); err == nil || !strings.Contains(err.Error(), "key "+scheme) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	if _, err := k.Load(t.Context(), "pkcs11://x"); err == nil || !strings.Contains(err.Error(), "hashivault") {
		t.Error(err)
	}
	if !slices.Contains(sign.KeyTypes(), "ecdsa-p256") {
		t.Error("keys are not made")
	}
}
