package signtest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync/atomic"
)

// VaultToken is what a [Vault] wants to be shown.
const VaultToken = "secret"

// Vault is HashiCorp Vault's transit engine, as far as signing with its one
// key, release, goes.
type Vault struct {
	Key crypto.Signer
	// Signed counts signatures.
	Signed atomic.Int64
	// Corrupt makes it sign something else than what it was given.
	Corrupt atomic.Bool
}

// ServeHTTP answers as Vault does.
func (v *Vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hash, signing := strings.CutPrefix(r.URL.Path, "/v1/transit/sign/release")
	switch {
	case r.Header.Get("X-Vault-Token") != VaultToken:
		http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
	case r.URL.Path == "/v1/transit/keys/release":
		v.describe(w)
	case signing:
		v.sign(w, r, map[string]crypto.Hash{"/sha2-256": crypto.SHA256, "/sha2-384": crypto.SHA384}[hash])
	default:
		http.NotFound(w, r)
	}
}

func (v *Vault) describe(w http.ResponseWriter) {
	name, public := "P-256", ""
	if key, ok := v.Key.Public().(ed25519.PublicKey); ok {
		name, public = "ed25519", base64.StdEncoding.EncodeToString(key)
	} else {
		der, err := x509.MarshalPKIXPublicKey(v.Key.Public())
		if err != nil {
			http.Error(w, `{"errors":["no such key"]}`, http.StatusInternalServerError)
			return
		}
		public = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	data(w, map[string]any{"latest_version": 1, "keys": map[string]any{"1": map[string]any{"name": name, "public_key": public}}})
}

func (v *Vault) sign(w http.ResponseWriter, r *http.Request, hash crypto.Hash) {
	var in struct {
		Input     []byte `json:"input"`
		Prehashed bool   `json:"prehashed"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Input) == 0 {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	if in.Prehashed == (hash == 0) {
		http.Error(w, `{"errors":["prehashed?"]}`, http.StatusBadRequest)
		return
	}
	if v.Corrupt.Load() {
		in.Input[0] ^= 1
	}
	sig, err := v.Key.Sign(rand.Reader, in.Input, hash)
	if err != nil {
		http.Error(w, `{"errors":["cannot sign"]}`, http.StatusBadRequest)
		return
	}
	v.Signed.Add(1)
	data(w, map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(sig)})
}

func data(w http.ResponseWriter, v map[string]any) {
	if err := json.NewEncoder(w).Encode(map[string]any{"data": v}); err != nil {
		panic(http.ErrAbortHandler)
	}
}
