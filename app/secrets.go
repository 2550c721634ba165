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

// get returns a secret, and makes and keeps it first if it is not there. Of
// several that make it at once all get the same.
func (s secrets) get(name string, make func() (string, error)) (string, error) {
	text, err := os.ReadFile(s.path(name))
	if errors.Is(err, os.ErrNotExist) {
		secret, merr := make()
		if merr != nil {
			return "", fmt.Errorf("making the secret %s: %w", name, merr)
		}
		if err := s.keep(name, secret); err != nil {
			return "", fmt.Errorf("keeping the secret %s: %w", name, err)
		}
		text, err = os.ReadFile(s.path(name))
	}
	if err != nil {
		return "", fmt.Errorf("reading the secret %s: %w", name, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// keep writes a secret as a whole, unless there is one by now.
func (s secrets) keep(name, secret string) (err error) {
	f, err := os.CreateTemp(s.dir, "."+name+"-") // for the owner only
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(secret + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), s.path(name)); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// random is a secret of 130 bits.
func random() (string, error) { return rand.Text(), nil }
