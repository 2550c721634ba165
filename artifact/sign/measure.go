package sign

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"

	"seaworthy/artifact"
)

// sums are what signatures of a file are made and verified with. whole is the
// file itself, for keys that sign no digest.
type sums struct {
	digests map[crypto.Hash][]byte
	whole   []byte
}

// measure reads r to its end, once.
func measure(r io.Reader, hashes []crypto.Hash, whole bool) (sums, error) {
	hashes = append([]crypto.Hash{crypto.SHA256}, hashes...)
	running := map[crypto.Hash]hash.Hash{}
	var to []io.Writer
	for _, h := range hashes {
		if h != 0 && running[h] == nil {
			running[h] = h.New()
			to = append(to, running[h])
		}
	}
	s := sums{digests: map[crypto.Hash][]byte{}}
	if whole {
		text, err := io.ReadAll(io.LimitReader(r, maxWhole+1))
		if err != nil {
			return sums{}, fmt.Errorf("reading what is signed: %w", err)
		}
		if len(text) > maxWhole {
			return sums{}, fmt.Errorf("the file has more than %d bytes, and an Ed25519 key signs it whole: use an ECDSA key", maxWhole)
		}
		if _, err := io.MultiWriter(to...).Write(text); err != nil {
			return sums{}, err // hashes do not fail
		}
		s.whole = text
		if text == nil {
			s.whole = []byte{}
		}
	} else if _, err := io.Copy(io.MultiWriter(to...), r); err != nil {
		return sums{}, fmt.Errorf("reading what is signed: %w", err)
	}
	for h, sum := range running {
		s.digests[h] = sum.Sum(nil)
	}
	return s, nil
}

// artifactDigests are the digests by which statements name the file.
func (s sums) artifactDigests() []artifact.Digest {
	var list []artifact.Digest
	for h, name := range map[crypto.Hash]string{crypto.SHA256: "sha256", crypto.SHA512: "sha512"} {
		if sum := s.digests[h]; sum != nil {
			list = append(list, artifact.Digest(name+":"+hex.EncodeToString(sum)))
		}
	}
	slices.Sort(list)
	return list
}

// hint is how bundles name a key: base64 of the digest of its PKIX form, as
// sigstore's libraries do.
func hint(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:])
}
