package sign

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// Loader finds a key that a service keeps, by its address: scheme://….
type Loader func(ctx context.Context, address string) (PrivateKey, error)

// Keys finds keys by reference.
type Keys struct {
	// Loaders of keys that services keep, by scheme: awskms, gcpkms, azurekms,
	// hashivault.
	Loaders map[string]Loader
	// Getenv looks up the environment, for env://NAME and passwords.
	Getenv func(string) string
	// Password is asked for that of an encrypted key. Without it the variables
	// SEAWORTHY_KEY_PASSWORD and COSIGN_PASSWORD are looked at.
	Password func() ([]byte, error)
}

// Load returns the private key a reference names: the path of a file, env://NAME
// for a variable that holds the key, or the address of a key service.
func (k Keys) Load(ctx context.Context, reference string) (PrivateKey, error) {
	scheme, rest, ok := strings.Cut(reference, "://")
	switch {
	case !ok:
		text, err := readFile(reference)
		if err != nil {
			return nil, err
		}
		return k.parse(reference, text)
	case scheme == "file":
		text, err := readFile(rest)
		if err != nil {
			return nil, err
		}
		return k.parse(reference, text)
	case scheme == "env":
		text := k.getenv(rest)
		if text == "" {
			return nil, fmt.Errorf("key %s: the variable is not set", reference)
		}
		return k.parse(reference, []byte(text))
	}
	load := k.Loaders[scheme]
	if load == nil {
		known := slices.Sorted(maps.Keys(k.Loaders))
		return nil, fmt.Errorf("key %s: keys are not kept at %s://: write the path of a file, env://NAME, or an address that begins with one of %q", reference, scheme, known)
	}
	key, err := load(ctx, reference)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", reference, err)
	}
	if _, err := algorithmOf(key.Public(), false); err != nil {
		return nil, fmt.Errorf("key %s: %w", reference, err)
	}
	return key, nil
}

// LoadPublic returns the public key a reference names: a PEM file, env://NAME,
// or a key service's address. A file with a private key that is not encrypted
// will do as well.
func (k Keys) LoadPublic(ctx context.Context, reference string) (crypto.PublicKey, error) {
	scheme, rest, ok := strings.Cut(reference, "://")
	var text []byte
	var err error
	switch {
	case !ok:
		text, err = readFile(reference)
	case scheme == "file":
		text, err = readFile(rest)
	case scheme == "env":
		text = []byte(k.getenv(rest))
	default:
		key, err := k.Load(ctx, reference)
		if err != nil {
			return nil, err
		}
		return key.Public(), nil
	}
	if err != nil {
		return nil, err
	}
	key, err := ParsePublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", reference, err)
	}
	return key, nil
}

func (k Keys) parse(reference string, text []byte) (PrivateKey, error) {
	key, err := ParsePrivateKey(text, k.AskPassword)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", reference, err)
	}
	return key, nil
}

func (k Keys) getenv(name string) string {
	if k.Getenv == nil {
		return ""
	}
	return k.Getenv(name)
}

// AskPassword returns the password of private keys, from where Keys finds it.
func (k Keys) AskPassword() ([]byte, error) {
	if k.Password != nil {
		return k.Password()
	}
	for _, name := range []string{"SEAWORTHY_KEY_PASSWORD", "COSIGN_PASSWORD"} {
		if p := k.getenv(name); p != "" {
			return []byte(p), nil
		}
	}
	return nil, errors.New("set SEAWORTHY_KEY_PASSWORD, or give a file that holds the password")
}

// readFile reads a small file: keys, tokens, policies.
func readFile(name string) ([]byte, error) { return readLimited(name, 1<<20) }

// readLimited reads a file of at most limit bytes.
func readLimited(name string, limit int64) (_ []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes, which is more than is read", name, limit)
	}
	return text, nil
}
