package build

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"seaworthy/artifact"
)

// benchFile is what is packed and summed up: the file SEAWORTHY_BENCH_FILE
// names, or the running test, which is a program like those that are released.
func benchFile(b *testing.B) (file string, size int64) {
	b.Helper()
	file = os.Getenv("SEAWORTHY_BENCH_FILE")
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
	return file, info.Size()
}

// BenchmarkHash takes sha256 and sha512 of a file in one reading.
func BenchmarkHash(b *testing.B) {
	file, size := benchFile(b)
	b.SetBytes(size)
	before := cpu(b)
	for range b.N {
		f, err := os.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := artifact.Measure(filepath.Base(file), artifact.Other, f); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/op")
}

// BenchmarkPack packs a file in each format, digests included, to compare with
// tar | gzip -6 | sha256sum and the like.
func BenchmarkPack(b *testing.B) {
	file, size := benchFile(b)
	for name, formats := range map[string][]Format{"tar.gz": {TarGz}, "tar.zst": {TarZst}, "zip": {Zip}, "all": {TarGz, TarZst, Zip}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			before := cpu(b)
			packed := int64(0)
			for range b.N {
				s, err := openStaging(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				e := entry{name: "program", file: file, mode: 0o755}
				files, err := s.pack(context.Background(), formats, func(f Format) string { return "a." + string(f) }, func(put func(header) (io.Writer, error)) error {
					return e.copyInto(commitTime, put)
				})
				s.remove(&err)
				if err != nil {
					b.Fatal(err)
				}
				packed = files[0].artifact(artifact.Archive, artifact.Platform{}).Size
			}
			b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(100*float64(packed)/float64(size), "%size")
		})
	}
}
