package image

import (
	"os"
	"path/filepath"
	"testing"

	"seaworthy/artifact"
)

// BenchmarkBuild builds an image for two platforms of one program, that
// SEAWORTHY_BENCH_FILE names or the running test, and writes it to a layout.
func BenchmarkBuild(b *testing.B) {
	file := os.Getenv("SEAWORTHY_BENCH_FILE")
	if file == "" {
		var err error
		if file, err = os.Executable(); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	for _, compression := range []string{"gzip", "zstd"} {
		b.Run(compression, func(b *testing.B) {
			b.SetBytes(2 * info.Size())
			for range b.N {
				x, err := Build(b.Context(), Request{
					Spec: artifact.ImageSpec{
						Name: "bench", Platforms: []artifact.Platform{amd64, armv7}, Compression: compression,
						Files: []artifact.ImageFile{{Source: filepath.Base(file), Path: "/usr/bin/program"}},
					},
					Created: when, Folders: []string{filepath.Dir(file)}, Work: b.TempDir(),
				})
				if err != nil {
					b.Fatal(err)
				}
				if err := x.WriteLayout(filepath.Join(b.TempDir(), "layout"), "v1"); err != nil {
					b.Fatal(err)
				}
				if err := x.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
