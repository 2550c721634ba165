package app_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"seaworthy/app"
	"seaworthy/artifact/sign"
)

// publicKey downloads the key releases are verified with.
func publicKey(t *testing.T, a *app.App) string {
	t.Helper()
	answer, err := http.Get(a.URL() + "/release-key.pub")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sign.ParsePublicKey(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return sign.Fingerprint(key)
}

// The platform keeps its key, uses another when told to, and goes on with that
// until told otherwise.
func TestSigningKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	given := filepath.Join(t.TempDir(), "release.key")
	key, err := sign.GenerateKey("ecdsa-p256")
	if err != nil {
		t.Fatal(err)
	}
	text, err := sign.EncodePrivateKey(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(given, text, 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(reference string) string {
		t.Helper()
		p := open(t, dir, func(o *app.Options) { o.SigningKey = reference })
		defer p.stop()
		return publicKey(t, p.App)
	}
	own := with("")
	if again := with(""); again != own {
		t.Errorf("the key is %s, and was %s", again, own)
	}
	theirs := sign.Fingerprint(key.Public())
	for _, reference := range []string{given, ""} {
		if have := with(reference); have != theirs {
			t.Errorf("with the key %q it is %s, want %s", reference, have, theirs)
		}
	}
	if back := with(app.OwnKey); back != own {
		t.Errorf("back at its own key it is %s, and was %s", back, own)
	}
	says(t, refused(t, app.Options{Dir: dir, Addr: "127.0.0.1:0", SigningKey: filepath.Join(dir, "nowhere.key")}), "loading the key that signs releases", "nowhere.key")
	// Secrets stay with the owner of the folder.
	for _, name := range []string{"signing-key", "secrets/signing-key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
