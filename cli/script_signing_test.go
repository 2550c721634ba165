package cli

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http/httptest"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"seaworthy/artifact/signtest"
)

// authorities starts a certificate authority, a log and a time stamp authority
// until the script's end. $AUTHORITIES is then where they answer and
// $TIMESTAMPS where times are stamped; trusted-root.json says what they are
// recognized by, and ada.token and bob.token are identity tokens.
func scriptAuthorities(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: authorities")
	}
	a, err := signtest.NewAuthorities()
	ts.Check(err)
	ts.Defer(a.Close)
	trusted, err := a.TrustedRoot()
	ts.Check(err)
	for name, text := range map[string]string{"trusted-root.json": string(trusted), "ada.token": signtest.Token("ada@example.org"), "bob.token": signtest.Token("bob@example.org")} {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
	ts.Setenv("AUTHORITIES", a.URL)
	ts.Setenv("TIMESTAMPS", a.TimestampURL)
	ts.Setenv("ISSUER", signtest.Issuer)
}

// vault starts a service that keeps the key release, where programs look for
// HashiCorp Vault, until the script's end.
func scriptVault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: vault")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	server := httptest.NewServer(&signtest.Vault{Key: crypto.Signer(key)})
	ts.Defer(server.Close)
	ts.Setenv("VAULT_ADDR", server.URL)
	ts.Setenv("VAULT_TOKEN", signtest.VaultToken)
}
