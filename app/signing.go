package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"seaworthy/artifact/image"
	"seaworthy/artifact/sign"
)

// publicKeyFile is where the state folder holds the key releases are verified
// with, for people to take.
const publicKeyFile = "release-key.pub"

// publicKeyPath is where everybody can download it.
const publicKeyPath = "/" + publicKeyFile

// OwnKey, as Options.SigningKey, is the key of the platform's own.
const OwnKey = "own"

// openSigner loads the key releases are signed with, or makes one. It returns
// the URI that names this platform as a builder: whoever holds the key.
func (a *App) openSigner(ctx context.Context) (builder string, err error) {
	reference, err := a.signingKey()
	if err != nil {
		return "", err
	}
	var key sign.PrivateKey
	if reference == OwnKey {
		key, err = a.ownKey()
	} else {
		key, err = Keys().Load(ctx, reference)
	}
	if err != nil {
		return "", fmt.Errorf("loading the key that signs releases: %w", err)
	}
	if a.signer, err = sign.NewKeySigner(key, sign.Services{}); err != nil {
		return "", fmt.Errorf("loading the key that signs releases: %w", err)
	}
	public := key.Public()
	a.verifier, err = sign.NewVerifier(sign.Policy{Signers: []sign.SignerRule{sign.KeyRule("release key", public)}}, a.o.Now)
	if err != nil {
		return "", fmt.Errorf("preparing to verify releases: %w", err)
	}
	text, err := sign.EncodePublicKey(public)
	if err != nil {
		return "", err
	}
	a.publicKey = text
	if !a.attached {
		if err := os.WriteFile(a.dir(publicKeyFile), text, 0o644); err != nil {
			return "", fmt.Errorf("keeping the public key of releases: %w", err)
		}
	}
	return "urn:seaworthy:builder:" + sign.Fingerprint(public), nil
}

// signingKey is where the key is: as the options say, or as they said the last
// time, so that a command at the same folder signs as the server does.
func (a *App) signingKey() (string, error) {
	kept := a.dir("signing-key")
	if given := a.o.SigningKey; given != "" {
		if file, err := filepath.Abs(given); err == nil && given != OwnKey && !strings.Contains(given, "://") {
			given = file // a command may be called from elsewhere
		}
		if err := os.WriteFile(kept, []byte(given+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("keeping where the key is that signs releases: %w", err)
		}
		return given, nil
	}
	text, err := os.ReadFile(kept)
	if errors.Is(err, os.ErrNotExist) {
		return OwnKey, nil
	}
	if err != nil {
		return "", fmt.Errorf("reading where the key is that signs releases: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// ownKey is the platform's own key. It never leaves the folder of secrets.
func (a *App) ownKey() (sign.PrivateKey, error) {
	text, err := a.secrets.get("signing-key", func() (string, error) {
		key, err := sign.GenerateKey("ecdsa-p256")
		if err != nil {
			return "", err
		}
		text, err := sign.EncodePrivateKey(key, nil)
		return string(text), err
	})
	if err != nil {
		return nil, err
	}
	return sign.ParsePrivateKey([]byte(text), nil)
}

// registryAddress is the host that images are pushed to.
func (a *App) registryAddress() string {
	if a.alone != nil {
		return a.alone.chosen.Registry
	}
	u, err := url.Parse(a.url)
	if err != nil {
		return a.url
	}
	return u.Host
}

// botKeychain pushes to our own registry as the platform's account, and to
// others as whoever runs the platform.
type botKeychain struct{ a *App }

// Resolve implements authn.Keychain.
func (k botKeychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if k.a.alone != nil || r.RegistryStr() != k.a.registryAddress() {
		return image.Logins().Resolve(r)
	}
	return &authn.Basic{Username: BotLogin, Password: k.a.gitAuth().Token}, nil
}
