package sign

import (
	"bytes"
	"testing"
	"time"
)

// BenchmarkVerifyBlob verifies a file of 64 MiB by a key: it should take as long
// as hashing it.
func BenchmarkVerifyBlob(b *testing.B) {
	s, key := keyed(b, "ecdsa-p256", Services{})
	data := make([]byte, 64<<20)
	bundle := must[Bundle](b)(Blob(b.Context(), s, bytes.NewReader(data)))
	v := must[*Verifier](b)(NewVerifier(Policy{Signers: rules(key)}, time.Now))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := v.Blob(b.Context(), "f", bytes.NewReader(data), bundle); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignBlob signs one of 64 MiB.
func BenchmarkSignBlob(b *testing.B) {
	s, _ := keyed(b, "ecdsa-p256", Services{})
	data := make([]byte, 64<<20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		must[Bundle](b)(Blob(b.Context(), s, bytes.NewReader(data)))
	}
}

// BenchmarkImage signs an image in a registry, and finds that it is signed.
func BenchmarkImage(b *testing.B) {
	s, _ := keyed(b, "ecdsa-p256", Services{})
	host := newRegistry(b, true)
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			d := pushed(b, host)
			b.StartTimer()
			must[[]Written](b)(Image(b.Context(), s, d, ImageOptions{}))
		}
	})
	b.Run("signed already", func(b *testing.B) {
		d := pushed(b, host)
		must[[]Written](b)(Image(b.Context(), s, d, ImageOptions{}))
		for b.Loop() {
			must[[]Written](b)(Image(b.Context(), s, d, ImageOptions{}))
		}
	})
}
