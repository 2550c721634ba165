package build

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// member is one entry of an archive made for a test.
type member struct {
	name, content, link string
	mode                fs.FileMode
	typ                 byte
}

func tarGz(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Linkname: m.link, Size: int64(len(m.content)), Mode: int64(m.mode), Typeflag: m.typ}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		mode := m.mode
		switch m.typ {
		case tar.TypeSymlink:
			mode |= fs.ModeSymlink
			m.content = m.link
		case tar.TypeChar:
			mode |= fs.ModeDevice | fs.ModeCharDevice
		}
		h.SetMode(mode)
		w, err := zw.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// each runs f with the members as both kinds of archives.
func each(t *testing.T, members []member, f func(t *testing.T, archive string)) {
	t.Helper()
	for name, data := range map[string][]byte{"a.tar.gz": tarGz(t, members...), "a.zip": zipped(t, members...)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			f(t, file)
		})
	}
}

func TestExtract(t *testing.T) {
	t.Parallel()
	each(t, []member{
		{name: "p/bin/run", content: "#!", mode: 0o4777},
		{name: "p/README", content: "hello", mode: 0o400},
		{name: "p/docs/link", link: "../README", typ: tar.TypeSymlink, mode: 0o777},
	}, func(t *testing.T, archive string) {
		dir := filepath.Join(t.TempDir(), "deep", "out")
		if err := Extract(archive, dir, Limits{}); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fs.FileMode{"p/bin/run": 0o755, "p/README": 0o644, "p/docs/link": 0o644} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		if data, err := os.ReadFile(filepath.Join(dir, "p/docs/link")); err != nil || string(data) != "hello" {
			t.Errorf("%q, %v", data, err)
		}
		if err := Extract(archive, dir, Limits{}); err == nil {
			t.Error("unpacked over a folder that holds something")
		}
	})
}

func TestExtractIntoEmptyFolder(t *testing.T) {
	t.Parallel()
	each(t, []member{{name: "f", content: "x"}}, func(t *testing.T, archive string) {
		dir := t.TempDir()
		if err := Extract(archive, dir, Limits{}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "f")); err != nil {
			t.Error(err)
		}
	})
}

func TestExtractRefuses(t *testing.T) {
	t.Parallel()
	for name, members := range map[string][]member{
		"traversal":             {{name: "../evil", content: "x"}},
		"hidden traversal":      {{name: "a/../../evil", content: "x"}},
		"absolute":              {{name: "/tmp/evil", content: "x"}},
		"backslash":             {{name: `..\evil`, content: "x"}},
		"same name twice":       {{name: "a", content: "x"}, {name: "./a", content: "y"}},
		"absolute link":         {{name: "l", link: "/etc/passwd", typ: tar.TypeSymlink}},
		"link out":              {{name: "d/l", link: "../../x", typ: tar.TypeSymlink}},
		"file through link":     {{name: "l", link: "..", typ: tar.TypeSymlink}, {name: "l/evil", content: "x"}},
		"device":                {{name: "tty", typ: tar.TypeChar, mode: 0o666}},
		"too large":             {{name: "big", content: strings.Repeat("a", 2000)}},
		"too large together":    {{name: "a", content: strings.Repeat("a", 600)}, {name: "b", content: strings.Repeat("a", 600)}},
		"too many":              {{name: "1"}, {name: "2"}, {name: "3"}, {name: "4"}, {name: "5"}, {name: "6"}},
		"file where a link was": {{name: "l", link: "x", typ: tar.TypeSymlink}, {name: "l", content: "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, members, func(t *testing.T, archive string) {
				parent := t.TempDir()
				err := Extract(archive, filepath.Join(parent, "out"), Limits{Bytes: 1000, Files: 5})
				if !errors.Is(err, ErrUnsafe) {
					t.Errorf("got %v", err)
				}
				empty(t, parent)
			})
		})
	}
	hard := tarGz(t, member{name: "a", content: "x"}, member{name: "b", link: "a", typ: tar.TypeLink})
	file := filepath.Join(t.TempDir(), "hard.tar.gz")
	if err := os.WriteFile(file, hard, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Extract(file, filepath.Join(t.TempDir(), "out"), Limits{}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("a hard link gives %v", err)
	}
}

// A link to a link can lead out although neither does by its text.
func TestExtractLinkChain(t *testing.T) {
	t.Parallel()
	chain := []member{
		{name: "a/b/c", link: "../..", typ: tar.TypeSymlink},
		{name: "d", link: "a/b/c/..", typ: tar.TypeSymlink},
	}
	for name, members := range map[string][]member{
		"only links":  chain,
		"with a file": append(chain[:2:2], member{name: "d/evil", content: "x"}),
		"in a circle": {{name: "x", link: "y", typ: tar.TypeSymlink}, {name: "y", link: "x", typ: tar.TypeSymlink}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, members, func(t *testing.T, archive string) {
				parent := t.TempDir()
				if err := Extract(archive, filepath.Join(parent, "out"), Limits{}); err == nil {
					t.Error("it was unpacked")
				}
				empty(t, parent)
			})
		})
	}
	each(t, []member{{name: "l", link: "nothing", typ: tar.TypeSymlink}}, func(t *testing.T, archive string) {
		if err := Extract(archive, filepath.Join(t.TempDir(), "out"), Limits{}); err != nil {
			t.Errorf("a link to nothing: %v", err)
		}
	})
}

func TestExtractDamaged(t *testing.T) {
	t.Parallel()
	good := tarGz(t, member{name: "a", content: strings.Repeat("content ", 1000)})
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 0xff // in the checksum
	goodZip := zipped(t, member{name: "a", content: strings.Repeat("content ", 1000)})
	for name, data := range map[string][]byte{
		"half.tar.gz": good[:len(good)/2], "flipped.tar.gz": flipped, "text.tar.gz": []byte("<html>not found</html>"), "empty.tar.gz": nil,
		"half.zip": goodZip[:len(goodZip)/2], "text.zip": []byte("<html>"),
	} {
		parent := t.TempDir()
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Extract(file, filepath.Join(parent, "out"), Limits{}); err == nil || !strings.Contains(err.Error(), "unpacking "+name) {
			t.Errorf("%s: %v", name, err)
		}
		empty(t, parent)
	}
	if err := Extract(filepath.Join(t.TempDir(), "none.zip"), t.TempDir(), Limits{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there gives %v", err)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(tarGz(f, member{name: "a/b", content: "x"}, member{name: "l", link: "a", typ: tar.TypeSymlink}), false)
	f.Add(tarGz(f, member{name: "../a", content: "x"}), false)
	f.Add(zipped(f, member{name: "a/b", content: "x"}, member{name: "l", link: "a/b", typ: tar.TypeSymlink}), true)
	f.Fuzz(func(t *testing.T, data []byte, isZip bool) {
		outer := t.TempDir()
		name := "a.tar.gz"
		if isZip {
			name = "a.zip"
		}
		archives := t.TempDir()
		if err := os.WriteFile(filepath.Join(archives, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		err := Extract(filepath.Join(archives, name), filepath.Join(outer, "out"), Limits{Bytes: 1 << 16, Files: 100})
		left, readErr := os.ReadDir(outer)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err != nil && len(left) != 0 || err == nil && (len(left) != 1 || left[0].Name() != "out") {
			t.Fatalf("error %v, and beside the target lies %v", err, left)
		}
	})
}
