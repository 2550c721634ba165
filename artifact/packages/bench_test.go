package packages

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"seaworthy/artifact"
)

// BenchmarkBuild packages a program of 32 MB, half of it as compressible as
// programs are.
func BenchmarkBuild(b *testing.B) {
	program := make([]byte, 32<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(program); i += 2 {
		program[i] = byte(random.Uint32())
	}
	for _, format := range artifact.PackageFormats() {
		b.Run(string(format), func(b *testing.B) {
			r := halyard(b)
			r.Formats, r.Platforms = []artifact.PackageFormat{format}, []artifact.Platform{{OS: "linux", Arch: "amd64"}}
			if err := os.WriteFile(filepath.Join(r.Source, "bin/linux_amd64/halyard"), program, 0o755); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(program)))
			for b.Loop() {
				build(b, r)
			}
		})
	}
}

// BenchmarkPublish adds one version, two packages, to repositories that hold
// many.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			paths := packaged(b, "v1.2.0", artifact.Deb)
			p := publication(b)
			bucket := memblob.OpenBucket(nil)
			mustPublish(b, bucket, paths, p)
			s := &shelf{bucket: bucket, p: p, report: &Report{}}
			release, err := s.readRelease(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			stanzas, err := s.readPackages(b.Context(), release)
			if err != nil {
				b.Fatal(err)
			}
			for name, fields := range stanzas {
				for i := range n / 2 {
					other := strings.Replace(name, "1.2.0", fmt.Sprintf("1.1.%d", i), 1)
					var changed []field
					for _, f := range fields {
						f.value = strings.Replace(f.value, "1.2.0", fmt.Sprintf("1.1.%d", i), 1)
						changed = append(changed, f)
					}
					stanzas[other] = changed
				}
			}
			var list []listed
			var objects []object
			for _, arch := range architecturesOf(stanzas) {
				l, o, err := renderPackages(stanzas, arch)
				if err != nil {
					b.Fatal(err)
				}
				list, objects = append(list, l...), append(objects, o...)
			}
			if err := s.lock(b.Context()); err != nil {
				b.Fatal(err)
			}
			if err := errors.Join(s.writeRelease(b.Context(), release, list, objects), s.unlock(b.Context())); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				p.Time = p.Time.Add(time.Second)
				mustPublish(b, bucket, paths, p)
			}
		})
	}
}
