package triage

import "math/bits"

// The hashes below are the same in every process and version: identities and
// ties in order depend on them. 64 bits of a good mixer make a clash among ten
// million lines a matter of one in 400,000.

const (
	prime1 = 0xa0761d6478bd642f
	prime2 = 0xe7037ed1a0b428db
)

// mix joins two hashes; the order matters.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^prime1, b^prime2)
	return high ^ low ^ bits.RotateLeft64(a, 17) + bits.RotateLeft64(b, 29)
}

func hashBytes(b []byte) uint64 { return hash(b) }
func hashText(s string) uint64  { return hash(s) }

func hash[T string | []byte](s T) uint64 {
	h := uint64(len(s)) ^ prime2
	i := 0
	for ; i+8 <= len(s); i += 8 {
		v := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		h = mix(h, v)
	}
	v := uint64(0)
	for k := 0; i < len(s); i, k = i+1, k+8 {
		v |= uint64(s[i]) << k
	}
	return mix(h, v)
}
