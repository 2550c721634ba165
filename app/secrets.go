package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// secrets are files that only the owner of the state folder may read. They are
// never in the database or the log.
type secrets struct{ dir string }

func (s secrets) path(name string) string { return filepath.Join(s.dir, name) }

// get returns a secret, and makes and keeps it first if it is not there.
func (s secrets) get(name string, make func() (string, error)) (string, error) {
	text, err := os.ReadFile(s.path(name))
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading the secret %s: %w", name, err)
	}
	secret, err := make()
	if err != nil {
		return "", fmt.Errorf("making the secret %s: %w", name, err)
	}
	f, err := os.OpenFile(s.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("keeping the secret %s: %w", name, err)
	}
	_, werr := f.WriteString(secret + "\n")
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("keeping the secret %s: %w", name, errors.Join(err, os.Remove(s.path(name))))
	}
	return secret, nil
}

// random is a secret of 130 bits.
func random() (string, error) { return rand.Text(), nil }
