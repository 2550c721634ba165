package app

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/options"

	"seaworthy/artifact/sign"
)

// transit is a key of Vault's transit engine, as far as signing goes.
type transit struct {
	key     crypto.Signer
	signed  atomic.Int64
	corrupt atomic.Bool
}

func (v *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	say := func(data map[string]any) {
		if err := json.NewEncoder(w).Encode(map[string]any{"data": data}); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	_, edwards := v.key.(ed25519.PrivateKey)
	switch {
	case r.Header.Get("X-Vault-Token") != "secret":
		http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
	case r.URL.Path == "/v1/transit/keys/release":
		text, err := sign.EncodePublicKey(v.key.Public())
		if err != nil {
			panic(err)
		}
		name, public := "P-256", string(text)
		if edwards {
			name, public = "ed25519", base64.StdEncoding.EncodeToString(v.key.Public().(ed25519.PublicKey))
		}
		say(map[string]any{"latest_version": 1, "keys": map[string]any{"1": map[string]any{"name": name, "public_key": public}}})
	case strings.HasPrefix(r.URL.Path, "/v1/transit/sign/release"):
		var in struct {
			Input     []byte `json:"input"`
			Prehashed bool   `json:"prehashed"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, "{}", http.StatusBadRequest)
			return
		}
		hash := map[string]crypto.Hash{"": 0, "/sha2-256": crypto.SHA256, "/sha2-384": crypto.SHA384}[strings.TrimPrefix(r.URL.Path, "/v1/transit/sign/release")]
		if in.Prehashed == (hash == 0) {
			http.Error(w, `{"errors":["prehashed?"]}`, http.StatusBadRequest)
			return
		}
		if v.corrupt.Load() {
			in.Input[0] ^= 1
		}
		sig, err := v.key.Sign(rand.Reader, in.Input, hash)
		if err != nil {
			http.Error(w, `{"errors":["cannot sign"]}`, http.StatusBadRequest)
			return
		}
		v.signed.Add(1)
		say(map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(sig)})
	default:
		http.NotFound(w, r)
	}
}

func TestVaultKey(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072"} {
		key, err := sign.GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		v := &transit{key: key}
		server := httptest.NewServer(v)
		t.Cleanup(server.Close)
		auth := options.WithRPCAuthOpts(options.RPCAuth{Address: server.URL, Token: "secret"})
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
		if n := v.signed.Load(); n != 1 {
			t.Errorf("%s: asked for %d signatures", kind, n)
		}
		v.corrupt.Store(true)
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
