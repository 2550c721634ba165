package artifact

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"sync"
)

// Kind says what an artifact is for.
type Kind string

// Kinds of artifacts.
const (
	Archive   Kind = "archive"   // binaries and their papers, packed
	Source    Kind = "source"    // the source tree, packed
	Binary    Kind = "binary"    // one program, bare
	Package   Kind = "package"   // deb, rpm or apk
	Checksums Kind = "checksums" // SHA256SUMS, SHA512SUMS
	Bill      Kind = "sbom"      // what the release consists of
	Statement Kind = "statement" // how it was made
	Signature Kind = "signature" // of another file
	Notes     Kind = "notes"     // release notes, changelog, announcement
	Other     Kind = "other"
)

// Artifact is one published file. Size is in bytes, digests are lower-case hex.
type Artifact struct {
	Name     string   `json:"name"` // file name, no folder
	Kind     Kind     `json:"kind"`
	Platform Platform `json:"platform,omitzero"`
	Size     int64    `json:"size"`
	SHA256   string   `json:"sha256"`
	SHA512   string   `json:"sha512"`
}

// Digest is a digest with its algorithm, "sha256:<hex>", as OCI spells it.
type Digest string

// ParseDigest reads "sha256:<64 hex>" or "sha512:<128 hex>", lower case.
func ParseDigest(s string) (Digest, error) {
	alg, sum, ok := strings.Cut(s, ":")
	if !ok {
		return "", fmt.Errorf("%q is not a digest: write sha256:HEX or sha512:HEX", s)
	}
	a, err := ParseAlgorithm(alg)
	if err != nil {
		return "", fmt.Errorf("digest %q: %w", s, err)
	}
	if err := a.check(sum); err != nil {
		return "", fmt.Errorf("digest %q: %w", s, err)
	}
	return Digest(s), nil
}

// Algorithm returns the part before the colon.
func (d Digest) Algorithm() Algorithm {
	alg, _, _ := strings.Cut(string(d), ":")
	return Algorithm(alg)
}

// Hex returns the part after the colon.
func (d Digest) Hex() string {
	_, sum, _ := strings.Cut(string(d), ":")
	return sum
}

// Algorithm names a hash function.
type Algorithm string

// Algorithms.
const (
	SHA256 Algorithm = "sha256"
	SHA512 Algorithm = "sha512"
)

// ParseAlgorithm reads sha256 or sha512.
func ParseAlgorithm(s string) (Algorithm, error) {
	switch a := Algorithm(s); a {
	case SHA256, SHA512:
		return a, nil
	}
	return "", fmt.Errorf("%q is not a digest algorithm: write sha256 or sha512", s)
}

// File returns the conventional name of the algorithm's checksum file.
func (a Algorithm) File() string { return strings.ToUpper(string(a)) + "SUMS" }

func (a Algorithm) size() int {
	if a == SHA512 {
		return sha512.Size
	}
	return sha256.Size
}

// check reports a sum that is not lower-case hex of the right length.
func (a Algorithm) check(sum string) error {
	if len(sum) != 2*a.size() {
		return fmt.Errorf("a %s sum has %d hex digits, this has %d characters", a, 2*a.size(), len(sum))
	}
	if strings.ToLower(sum) != sum {
		return errors.New("hex digits must be lower case")
	}
	if _, err := hex.DecodeString(sum); err != nil {
		return fmt.Errorf("not hex: %w", err)
	}
	return nil
}

// Sum returns the artifact's sum by the algorithm, empty if it has none.
func (a Artifact) Sum(alg Algorithm) string {
	switch alg {
	case SHA256:
		return a.SHA256
	case SHA512:
		return a.SHA512
	}
	return ""
}

// Digest returns the artifact's sha256 digest.
func (a Artifact) Digest() Digest { return Digest("sha256:" + a.SHA256) }

// Validate reports an artifact that cannot be published: a name that is not a
// plain file name, a negative size, a digest that is none.
func (a Artifact) Validate() error {
	if err := CheckName(a.Name); err != nil {
		return err
	}
	if a.Kind == "" {
		return fmt.Errorf("artifact %s has no kind", a.Name)
	}
	if a.Size < 0 {
		return fmt.Errorf("artifact %s has the size %d", a.Name, a.Size)
	}
	for _, alg := range []Algorithm{SHA256, SHA512} {
		if err := alg.check(a.Sum(alg)); err != nil {
			return fmt.Errorf("artifact %s: %s: %w", a.Name, alg, err)
		}
	}
	return nil
}

// ErrMismatch: the bytes are not those the artifact names.
var ErrMismatch = errors.New("does not match its digest")

// Verify reads r to its end and returns ErrMismatch, with what differs, unless
// size and both digests are the artifact's.
func (a Artifact) Verify(r io.Reader) error {
	h := NewHasher()
	// One byte more than expected is enough to know; do not read on for ever.
	if _, err := io.Copy(h, io.LimitReader(r, a.Size+1)); err != nil {
		return fmt.Errorf("verifying %s: %w", a.Name, err)
	}
	have := h.Artifact(a.Name, a.Kind)
	switch {
	case have.Size > a.Size:
		return fmt.Errorf("%s %w: it is longer than %d bytes", a.Name, ErrMismatch, a.Size)
	case have.Size < a.Size:
		return fmt.Errorf("%s %w: it has %d bytes, %d are expected", a.Name, ErrMismatch, have.Size, a.Size)
	case have.SHA256 != a.SHA256:
		return fmt.Errorf("%s %w: sha256 is %s, %s is expected", a.Name, ErrMismatch, have.SHA256, a.SHA256)
	case have.SHA512 != a.SHA512:
		return fmt.Errorf("%s %w: sha512 is %s, %s is expected", a.Name, ErrMismatch, have.SHA512, a.SHA512)
	}
	return nil
}

// CheckName refuses what is not a plain, portable file name.
func CheckName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.HasPrefix(name, "-") {
		return fmt.Errorf("%q cannot be a file name", name)
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || r == '/' || r == '\\' || r == ':' || r == 0xfffd {
			return fmt.Errorf("%q cannot be a file name: it holds %q", name, r)
		}
	}
	return nil
}

// Sort orders artifacts by name.
func Sort(artifacts []Artifact) {
	slices.SortFunc(artifacts, func(a, b Artifact) int { return strings.Compare(a.Name, b.Name) })
}

// Hasher counts and digests what is written to it, in one pass.
type Hasher struct {
	size   int64
	sha256 hash.Hash
	sha512 hash.Hash
}

// NewHasher returns a hasher that has seen nothing.
func NewHasher() *Hasher { return &Hasher{sha256: sha256.New(), sha512: sha512.New()} }

// worthwhile is how many bytes are worth a second processor, which takes some
// microseconds to wake; piece is how many are read at once for both to be busy.
const (
	worthwhile = 128 << 10
	piece      = 512 << 10
)

// Write implements io.Writer; it never fails. The two sums of a large piece are
// taken at the same time.
func (h *Hasher) Write(p []byte) (int, error) {
	h.size += int64(len(p))
	if len(p) < worthwhile {
		h.sha256.Write(p)
		h.sha512.Write(p)
		return len(p), nil
	}
	var other sync.WaitGroup
	other.Go(func() { h.sha256.Write(p) })
	h.sha512.Write(p)
	other.Wait()
	return len(p), nil
}

// Artifact describes what has been written so far.
func (h *Hasher) Artifact(name string, kind Kind) Artifact {
	return Artifact{
		Name: name, Kind: kind, Size: h.size,
		SHA256: hex.EncodeToString(h.sha256.Sum(nil)),
		SHA512: hex.EncodeToString(h.sha512.Sum(nil)),
	}
}

// Measure reads r to its end and describes it.
func Measure(name string, kind Kind, r io.Reader) (Artifact, error) {
	h := NewHasher()
	// Large pieces, so that both processors of a small machine have some; a
	// reader that writes by itself would choose small ones.
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, piece)); err != nil {
		return Artifact{}, fmt.Errorf("measuring %s: %w", name, err)
	}
	return h.Artifact(name, kind), nil
}
