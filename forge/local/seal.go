package local

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// sealer encrypts what has to be kept but must not be readable in the
// database: the secrets of webhooks. AES-256-GCM, the nonce in front.
type sealer struct{ aead cipher.AEAD }

// openSealer reads the key in a file that only its owner may read, and makes
// it when there is none.
func openSealer(path string) (sealer, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return sealer{}, fmt.Errorf("reading the forge's key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("the forge's key %s is damaged; restore it, or remove it and set the webhooks' secrets anew: %w", path, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

// makeKey writes a new key under a temporary name and links it into place, so
// that of two processes starting at once both use the same one.
func makeKey(path string) ([]byte, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(key)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// seal encrypts; the empty text stays empty.
func (s sealer) seal(plain string) string {
	if plain == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(plain), nil))
}

// open is the inverse of seal.
func (s sealer) open(sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("opening a sealed secret: %w", err)
	}
	plain, err := s.aead.Open(nil, nil, b, nil)
	if err != nil {
		return "", fmt.Errorf("opening a sealed secret (was the forge's key replaced?): %w", err)
	}
	return string(plain), nil
}
