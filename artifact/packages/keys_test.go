package packages

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func TestKey(t *testing.T) {
	t.Parallel()
	locked, err := GenerateKey("Halyard", "releases@example.org", []byte("open sesame"), commitTime)
	if err != nil {
		t.Fatal(err)
	}
	for want, passphrase := range map[string]string{"is locked: give": "", "does not unlock": "open barley"} {
		_, err := ReadKey(locked, []byte(passphrase))
		if err == nil || !strings.Contains(err.Error(), want) || passphrase != "" && strings.Contains(err.Error(), passphrase) {
			t.Errorf("%q: %v", passphrase, err)
		}
	}
	key, err := ReadKey(locked, []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	asc, bare, err := key.Public()
	if err != nil || bytes.Contains(asc, []byte("PRIVATE")) || len(key.Fingerprint()) != 40 {
		t.Errorf("%s, %v", asc, err)
	}
	if _, err := ReadKey(asc, nil); err == nil || !strings.Contains(err.Error(), "this is a public") {
		t.Errorf("a public key signs: %v", err)
	}
	two := append(bytes.Clone(bare), bare...)
	if _, err := ReadKey(two, nil); err == nil {
		t.Error("two keys are one")
	}
	for _, bad := range []string{"", "x", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxx\n", strings.Repeat("x", maxKey+1)} {
		if _, err := ReadKey([]byte(bad), nil); err == nil {
			t.Errorf("%.20q was read", bad)
		}
	}
	// Nobody believes a signature from before its key was made.
	signature, err := key.sign(strings.NewReader("text"), commitTime.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	list, err := ReadTrusted(asc)
	if err != nil {
		t.Fatal(err)
	}
	sig, _, err := openpgp.VerifyDetachedSignature(list, strings.NewReader("text"), bytes.NewReader(signature), nil)
	if err != nil || !sig.CreationTime.Equal(commitTime) || sig.Hash != crypto.SHA512 {
		t.Errorf("%+v, %v", sig, err)
	}
	again, err := key.sign(strings.NewReader("text"), commitTime.Add(-time.Hour))
	if err != nil || !bytes.Equal(signature, again) {
		t.Errorf("the same text has another signature (%v)", err)
	}
}

func TestKeysThatMustNotSign(t *testing.T) {
	t.Parallel()
	config := &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048, Time: func() time.Time { return commitTime }, KeyLifetimeSecs: 3600}
	expired, err := openpgp.NewEntity("x", "", "x@example.org", config)
	if err != nil {
		t.Fatal(err)
	}
	k := &Key{entity: expired}
	if _, err := k.sign(strings.NewReader("x"), commitTime.Add(30*time.Minute)); err != nil {
		t.Errorf("within its life: %v", err)
	}
	if _, err := k.signClear([]byte("x"), commitTime.Add(2*time.Hour)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired key signs: %v", err)
	}
	config.KeyLifetimeSecs = 0
	revoked, err := openpgp.NewEntity("x", "", "x@example.org", config)
	if err != nil {
		t.Fatal(err)
	}
	if err := revoked.RevokeKey(packet.KeyCompromised, "lost", config); err != nil {
		t.Fatal(err)
	}
	k = &Key{entity: revoked}
	if _, err := k.signArmored(strings.NewReader("x"), commitTime.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a revoked key signs: %v", err)
	}
}

// GnuPG believes what is signed here, and what it makes is read here.
func TestGnuPG(t *testing.T) {
	t.Parallel()
	need(t, "gpg")
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	gpg := func(args ...string) string {
		return run(t, "gpg", append([]string{"--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	}
	t.Cleanup(func() { _, _ = try(t, "gpgconf", "--homedir", home, "--kill", "gpg-agent") })
	gpg("--quick-generate-key", "Ada <ada@example.org>", "ed25519", "sign", "never")
	out := filepath.Join(home, "secret.asc")
	gpg("--armor", "--output", out, "--export-secret-keys")
	theirs, err := ReadKey([]byte(read(t, out)), nil)
	if err != nil {
		t.Fatal(err)
	}
	key := signers(t).OpenPGP
	asc, _, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "ours.asc"), string(asc))
	gpg("--import", filepath.Join(home, "ours.asc"))
	for _, k := range []*Key{theirs, key} {
		text := "Origin: x\n- dashed\nSHA256:\n 00 1 a\n"
		clear, err := k.signClear([]byte(text), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(home, "InRelease"), string(clear))
		contains(t, gpg("--verify", filepath.Join(home, "InRelease")), "Good signature")
		detached, err := k.signArmored(strings.NewReader(text), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(home, "Release"), text)
		write(t, filepath.Join(home, "Release.gpg"), string(detached))
		contains(t, gpg("--verify", filepath.Join(home, "Release.gpg"), filepath.Join(home, "Release")), "Good signature")
	}
}

func TestAPKKey(t *testing.T) {
	t.Parallel()
	text, err := GenerateAPKKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ReadAPKKey(text, "halyard")
	if err != nil || !strings.HasPrefix(key.Name(), "halyard-") || !strings.HasSuffix(key.Name(), ".rsa.pub") {
		t.Fatalf("%+v, %v", key, err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := readAPKPublic(public); err != nil || !back.Equal(&key.key.PublicKey) {
		t.Errorf("%v", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key.key)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := ReadAPKKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), "halyard"); err != nil || same.Name() != key.Name() {
		t.Errorf("as openssl writes it now: %v", err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	for want, bad := range map[string][]byte{
		"no PEM":           []byte("x"),
		"knows RSA alone":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: other}),
		"a PEM of \"PUBLI": public,
		"is locked":        pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "x"}, Bytes: []byte("x")}),
		"reading the apk":  pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("x")}),
	} {
		if _, err := ReadAPKKey(bad, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if _, err := ReadAPKKey(text, "../x"); err == nil {
		t.Error("a key's name leads elsewhere")
	}
}

func TestCheckIdentity(t *testing.T) {
	t.Parallel()
	if err := CheckIdentity("Halyard releases", "releases@example.org"); err != nil {
		t.Error(err)
	}
	for _, bad := range [][2]string{{"", "a@b"}, {"a\nb", "a@b"}, {"a <b>", "a@b"}, {"a", "b"}, {"a", "b c@d"}} {
		if CheckIdentity(bad[0], bad[1]) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// A key is changed for another: the new one signs, and what the old one signed
// is gone on with where it is trusted.
func TestKeyChanged(t *testing.T) {
	t.Parallel()
	_, b := folder(t)
	p := publication(t)
	mustPublish(t, b, packaged(t, "v1.2.0")[:2], p) // rpm
	mustPublish(t, b, packaged(t, "v1.2.0", "deb"), p)
	old, _, err := p.Signers.OpenPGP.Public()
	if err != nil {
		t.Fatal(err)
	}
	text, err := GenerateKey("Halyard", "new@example.org", nil, commitTime)
	if err != nil {
		t.Fatal(err)
	}
	if p.Signers.OpenPGP, err = ReadKey(text, nil); err != nil {
		t.Fatal(err)
	}
	if p.Trusted, err = ReadTrusted(old); err != nil {
		t.Fatal(err)
	}
	p.Time = p.Time.Add(time.Hour)
	mustPublish(t, b, packaged(t, "v1.3.0", "deb"), p)
	mustPublish(t, b, packaged(t, "v1.3.0", "rpm"), p)
	keys, err := ReadTrusted([]byte(listing(t, b)["key.asc"]))
	if err != nil || len(keys) != 2 {
		t.Errorf("%d keys are handed out (%v)", len(keys), err)
	}
	list, err := List(t.Context(), b, nil)
	if err != nil || len(list) != 8 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := List(t.Context(), b, p.Trusted); err == nil {
		t.Error("the old key is believed to have signed what the new one did")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	_, b := folder(t)
	if _, err := List(t.Context(), b, nil); err == nil {
		t.Error("nothing is a repository")
	}
	p := publication(t)
	mustPublish(t, b, packaged(t, "v1.2.0"), p)
	p.Channel = "testing"
	mustPublish(t, b, packaged(t, "v1.3.0-rc.1"), p)
	list, err := List(t.Context(), b, nil)
	if err != nil || len(list) != 12 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, e := range list {
		if sum, err := (&shelf{bucket: b}).digest(t.Context(), e.File); err != nil || sum == "" || e.SHA256 != "" && sum != e.SHA256 || e.Package != "halyard" || e.Version == "" || e.Arch == "" {
			t.Errorf("%+v (%v)", e, err)
		}
	}
	put(t, b, "deb/dists/release/InRelease", strings.Replace(listing(t, b)["deb/dists/release/InRelease"], "Label: ", "Label: x", 1))
	if _, err := List(t.Context(), b, nil); err == nil {
		t.Error("a changed InRelease is believed")
	}
}
