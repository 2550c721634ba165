package build

import (
	"archive/tar"
	"archive/zip"
	"bytes"
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

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
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
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed(t testing.TB, f Format, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zw, err := newCompressor(f, &b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = zw.Write(data)
	if err := errors.Join(err, zw.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarGz(t testing.TB, members ...member) []byte {
	t.Helper()
	return compressed(t, TarGz, tarOf(t, members...))
}

func tarZst(t testing.TB, members ...member) []byte {
	t.Helper()
	return compressed(t, TarZst, tarOf(t, members...))
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

// each runs f with the members as every kind of archive.
func each(t *testing.T, members []member, f func(t *testing.T, archive string)) {
	t.Helper()
	for name, data := range map[string][]byte{
		"a.tar.gz": tarGz(t, members...), "a.tar.zst": tarZst(t, members...), "a.tar": tarOf(t, members...), "a.zip": zipped(t, members...),
	} {
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
		"too deep":              {{name: strings.Repeat("d/", 70) + "f"}},
		"too long":              {{name: strings.Repeat("abcdefgh/", 60) + strings.Repeat("n", 5000)}},
		"too many implied":      {{name: "1/2/3/4/5/6"}},
		"folders by the way":    {{name: "1/2/a"}, {name: "3/4/a"}},
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
	goodZst := tarZst(t, member{name: "a", content: strings.Repeat("content ", 1000)})
	flippedZst := bytes.Clone(goodZst)
	flippedZst[len(flippedZst)-2] ^= 0xff // in the checksum
	plain := tarOf(t, member{name: "a", content: strings.Repeat("content ", 1000)})
	goodZip := zipped(t, member{name: "a", content: strings.Repeat("content ", 1000)})
	for name, data := range map[string][]byte{
		"half.tar.gz": good[:len(good)/2], "flipped.tar.gz": flipped, "text.tar.gz": []byte("<html>not found</html>"), "empty.tar.gz": nil,
		"half.tar.zst": goodZst[:len(goodZst)/2], "flipped.tar.zst": flippedZst, "half.tar": plain[:700], "empty.tar": nil, "only.zst": goodZst[:4], "zeros.tar": make([]byte, 1024),
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

// What a file is, its first bytes say; its name may say something else.
func TestExtractByContent(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{tarGz(t, member{name: "f"}), tarZst(t, member{name: "f"}), tarOf(t, member{name: "f"}), zipped(t, member{name: "f"})} {
		for _, name := range []string{"download", "a.zip", "a.tar.gz"} {
			file, dir := filepath.Join(t.TempDir(), name), t.TempDir()
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := Extract(file, dir, Limits{}); err != nil {
				t.Errorf("%.4q called %s: %v", data, name, err)
			}
		}
	}
}

// Little that unpacks to much is refused before the disk is full, and at the
// latest when it has unpacked to what any archive may.
func TestExtractBombs(t *testing.T) {
	t.Parallel()
	zeros := string(make([]byte, 40<<20))
	flat := member{name: "bomb", content: zeros}
	var spread []member
	for _, name := range []string{"a", "b", "c", "d"} {
		spread = append(spread, member{name: name, content: zeros[:10<<20]})
	}
	behind := append(tarOf(t, member{name: "a"}), zeros...)
	for name, data := range map[string][]byte{
		"one.tar.gz": tarGz(t, flat), "one.tar.zst": tarZst(t, flat), "one.zip": zipped(t, flat),
		"several.tar.gz": tarGz(t, spread...), "several.tar.zst": tarZst(t, spread...), "several.zip": zipped(t, spread...),
		"behind its end.tar.gz": compressed(t, TarGz, behind), "behind its end.tar.zst": compressed(t, TarZst, behind),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(data) > 1<<20 {
				t.Fatalf("no bomb: it has %d bytes", len(data))
			}
			parent, file := t.TempDir(), filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := Extract(file, filepath.Join(parent, "out"), Limits{}); !errors.Is(err, ErrUnsafe) {
				t.Errorf("got %v", err)
			}
			empty(t, parent)
		})
	}
	// With other limits it is only a file of zeros.
	file := filepath.Join(t.TempDir(), "zeros.tar.zst")
	if err := os.WriteFile(file, tarZst(t, flat), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Extract(file, t.TempDir(), Limits{Ratio: 1 << 20}); err != nil {
		t.Error(err)
	}
}

// A zip whose header lies about a size is measured by what comes out.
func TestExtractLyingZip(t *testing.T) {
	t.Parallel()
	data := zipped(t, member{name: "a", content: strings.Repeat("a", 5000)})
	lie := bytes.ReplaceAll(data, []byte{0x88, 0x13, 0, 0}, []byte{1, 0, 0, 0})
	if bytes.Equal(lie, data) {
		t.Fatal("no size was found to lie about")
	}
	parent, file := t.TempDir(), filepath.Join(t.TempDir(), "lie.zip")
	if err := os.WriteFile(file, lie, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Extract(file, filepath.Join(parent, "out"), Limits{Bytes: 1000}); err == nil {
		t.Error("it was unpacked")
	}
	empty(t, parent)
}

// zstd may ask for a window of many gigabytes in a few bytes.
func TestExtractLargeWindow(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "window.tar.zst")
	// Magic, a header with a window descriptor of 2^41 bytes, an empty last block.
	if err := os.WriteFile(file, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00}, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Extract(file, t.TempDir(), Limits{}); err == nil || !strings.Contains(err.Error(), "window") {
		t.Errorf("got %v", err)
	}
}

func FuzzExtract(f *testing.F) {
	members := []member{{name: "a/b", content: "x"}, {name: "l", link: "a", typ: tar.TypeSymlink}}
	for _, data := range [][]byte{tarGz(f, members...), tarZst(f, members...), tarOf(f, members...), zipped(f, members...), tarOf(f, member{name: "../a", content: "x"})} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		outer, file := t.TempDir(), filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		err := Extract(file, filepath.Join(outer, "out"), Limits{Bytes: 1 << 16, Files: 100})
		left, readErr := os.ReadDir(outer)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err != nil && len(left) != 0 || err == nil && (len(left) != 1 || left[0].Name() != "out") {
			t.Fatalf("error %v, and beside the target lies %v", err, left)
		}
	})
}
