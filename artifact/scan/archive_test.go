package scan

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"seaworthy/artifact/sbom"
)

// tarEntry is one entry of a tar that a test makes.
type tarEntry struct {
	name, text, link string
	kind             byte
}

func makeTar(t testing.TB, entries ...tarEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o644}
		if e.kind == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(e.text))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if e.kind == 0 {
			if _, err := w.Write([]byte(e.text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed(t testing.TB, data []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	return compressed(t, data, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
}

func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchive(t *testing.T) {
	t.Parallel()
	plain := makeTar(t,
		tarEntry{name: "halyard/", kind: tar.TypeDir},
		tarEntry{name: "halyard/main.go", text: apacheHeader},
		tarEntry{name: "./LICENSE", text: mitText},
		tarEntry{name: "twice", text: "first"},
		tarEntry{name: "twice", text: "second"},
		tarEntry{name: "hard", kind: tar.TypeLink, link: "LICENSE"},
		tarEntry{name: "soft", kind: tar.TypeSymlink, link: "/etc/passwd"},
	)
	want := []string{"LICENSE", "halyard/main.go", "hard", "twice"}
	forms := map[string][]byte{
		"x.tar":    plain,
		"x.tar.gz": gzipOf(t, plain),
		"x.tar.zst": compressed(t, plain, func(w io.Writer) (io.WriteCloser, error) {
			return zstd.NewWriter(w)
		}),
		"x.tar.xz": compressed(t, plain, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }),
		"x.zip":    zipOf(t, map[string]string{"halyard/main.go": apacheHeader, "LICENSE": mitText, "twice": "second", "hard": mitText}),
	}
	for name, data := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), name)
			writeFile(t, file, string(data))
			d, err := Archive(t.Context(), file, given(t))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range d.Files {
				names = append(names, f.Name)
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Error(diff)
			}
			p := packageNamed(t, d, name)
			sum := sha256.Sum256(data)
			if sbom.Sum(p.Checksums, sbom.SHA256) != hex.EncodeToString(sum[:]) || p.Concluded != "MIT" || p.FileName != name || p.Purpose != sbom.ArchiveFile {
				t.Errorf("%+v", p)
			}
			if got := fileNamed(t, d, "halyard/main.go").Concluded; got != "Apache-2.0" {
				t.Errorf("main.go: %q", got)
			}
			second := sha256.Sum256([]byte("second"))
			if got := sbom.Sum(fileNamed(t, d, "twice").Checksums, sbom.SHA256); got != hex.EncodeToString(second[:]) {
				t.Error("of two entries of one name the last counts")
			}
		})
	}
}

func TestNestedArchive(t *testing.T) {
	t.Parallel()
	deepest := gzipOf(t, makeTar(t, tarEntry{name: "deep.txt", text: "deep"}))
	inner := gzipOf(t, makeTar(t, tarEntry{name: "in.go", text: apacheHeader}, tarEntry{name: "deepest.tgz", text: string(deepest)}))
	outer := makeTar(t,
		tarEntry{name: "inner.tar.gz", text: string(inner)},
		tarEntry{name: "lib.zip", text: string(zipOf(t, map[string]string{"z.txt": "z"}))},
		tarEntry{name: "not.tar", text: "this is no archive"},
		tarEntry{name: "broken.gz", text: "\x1f\x8bnot"},
		tarEntry{name: "one.gz", text: string(gzipOf(t, []byte("one file")))},
	)
	file := filepath.Join(t.TempDir(), "outer.tar")
	writeFile(t, file, string(outer))
	d, err := Archive(t.Context(), file, given(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range d.Files {
		names = append(names, f.Name)
	}
	want := []string{"broken.gz", "inner.tar.gz", "inner.tar.gz!/deepest.tgz", "inner.tar.gz!/in.go", "lib.zip", "lib.zip!/z.txt", "not.tar", "one.gz"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	sum := sha256.Sum256(inner)
	if got := sbom.Sum(fileNamed(t, d, "inner.tar.gz").Checksums, sbom.SHA256); got != hex.EncodeToString(sum[:]) {
		t.Error("the sum of a nested archive is that of its own bytes")
	}
	if p := packageNamed(t, d, "outer.tar"); !strings.Contains(p.Comment, "broken.gz") {
		t.Errorf("what could not be opened is told: %q", p.Comment)
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("\x00", 100<<20)
	many := make([]tarEntry, 50)
	for i := range many {
		many[i].name = "f" + strings.Repeat("x", i)
	}
	good := gzipOf(t, makeTar(t, tarEntry{name: "a", text: strings.Repeat("text ", 10000)}))
	tests := []struct {
		name   string
		data   []byte
		limits Limits
		want   error
	}{
		{"climbs.tar", makeTar(t, tarEntry{name: "../../etc/passwd", text: "x"}), Limits{}, ErrBroken},
		{"ratio.tar.gz", gzipOf(t, makeTar(t, tarEntry{name: "zeros", text: zeros})), Limits{}, ErrLimit},
		{"nested.tar", makeTar(t, tarEntry{name: "in.tar.gz", text: string(gzipOf(t, makeTar(t, tarEntry{name: "zeros", text: zeros})))}), Limits{}, ErrLimit},
		{"zip.zip", zipOf(t, map[string]string{"zeros": zeros}), Limits{}, ErrLimit},
		{"bytes.tar", makeTar(t, tarEntry{name: "a", text: strings.Repeat("x", 5000)}), Limits{Bytes: 4000}, ErrLimit},
		{"entries.tar", makeTar(t, many...), Limits{Entries: 20}, ErrLimit},
		{"cut.tar.gz", good[:len(good)-20], Limits{}, ErrBroken},
		{"cut.tar", makeTar(t, tarEntry{name: "a", text: strings.Repeat("x", 5000)})[:3000], Limits{}, ErrBroken},
		{"cut.zip", zipOf(t, map[string]string{"a": "a"})[:40], Limits{}, ErrBroken},
		{"noise.tar", []byte(strings.Repeat("noise", 1000)), Limits{}, ErrBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), tt.name)
			writeFile(t, file, string(tt.data))
			o := given(t)
			o.Limits = tt.limits
			d, err := Archive(t.Context(), file, o)
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if len(d.Packages) > 0 {
				t.Error("half a document")
			}
		})
	}
}

func TestProgramInArchive(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(goProgram(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dist.tar.gz")
	writeFile(t, file, string(gzipOf(t, makeTar(t, tarEntry{name: "bin/hello", text: string(program)}))))
	d, err := Archive(t.Context(), file, given(t))
	if err != nil {
		t.Fatal(err)
	}
	packageNamed(t, d, "stdlib")
	packageNamed(t, d, "example.com/dep")
	if list := strings.Join(related(d), "\n"); !strings.Contains(list, "example.com/hello DEPENDS_ON example.com/dep") || !strings.Contains(list, "dist.tar.gz CONTAINS example.com/hello") {
		t.Error(list)
	}
}

// TestProgramFinder gives a program in pieces of any size.
func TestProgramFinder(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(goProgram(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, buildInfoMark)
	if at < 0 {
		t.Fatal("the program holds no mark")
	}
	around := data[at-50 : min(len(data), at+4096)]
	for _, size := range []int{1, 3, 13, 14, 15, 16, 31, 50, 64, 100, 4096} {
		var f programFinder
		f.reset()
		// The mark alone, as in programs that look for it, must not confuse.
		for _, part := range [][]byte{[]byte("\xff Go buildinf:\x08\x02 and no more than words"), buildInfoMark, around} {
			for len(part) > 0 {
				n := min(size, len(part))
				if _, err := f.Write(part[:n]); err != nil {
					t.Fatal(err)
				}
				part = part[n:]
			}
		}
		if f.program == nil || f.program.info.Main.Path != "example.com/hello" {
			t.Errorf("in pieces of %d: %+v", size, f.program)
		}
	}
}

func FuzzProgramFinder(f *testing.F) {
	f.Add([]byte("\xff Go buildinf:\x08\x02aaaaaaaaaaaaaaaa\x05go1.2\x02xx"), 3)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		var p programFinder
		for part := data; len(part) > 0; {
			n := max(1, min(size, len(part)))
			if written, err := p.Write(part[:n]); err != nil || written != n {
				t.Fatal(written, err)
			}
			part = part[n:]
		}
	})
}

func FuzzArchive(f *testing.F) {
	f.Add(makeTar(f, tarEntry{name: "a", text: "b"}))
	f.Add(gzipOf(f, makeTar(f, tarEntry{name: "a.zip", text: string(zipOf(f, map[string]string{"x": "y"}))})))
	f.Add(zipOf(f, map[string]string{"a": "b"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		o := given(t)
		o.Limits = Limits{Bytes: 1 << 20, Entries: 100}
		if d, err := Archive(t.Context(), file, o); err == nil && len(d.Packages) == 0 {
			t.Error("no package and no error")
		}
	})
}
