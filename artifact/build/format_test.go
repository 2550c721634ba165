package build

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"seaworthy/artifact"
)

func TestBuildFormats(t *testing.T) {
	t.Parallel()
	req := request(t, writeProject(t, project), "linux/amd64", "windows/amd64")
	req.Formats = []Format{Zip, Bare, TarZst, TarGz}
	got := build(t, req)
	var names []string
	for _, a := range got {
		names = append(names, string(a.Kind)+" "+a.Name)
		if a.Kind == artifact.Archive {
			dir := filepath.Join(t.TempDir(), "x")
			if err := Extract(filepath.Join(req.OutDir, a.Name), dir, Limits{}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "halyard_1.2.0_"+a.Platform.Slug(), "LICENSE")); err != nil {
				t.Error(err)
			}
			continue
		}
		p, err := Inspect(filepath.Join(req.OutDir, a.Name))
		if err != nil || p.Platform != a.Platform {
			t.Errorf("%s is for %s (%v)", a.Name, p.Platform, err)
		}
	}
	want := []string{
		"binary halyard_1.2.0_linux_amd64", "archive halyard_1.2.0_linux_amd64.tar.gz", "archive halyard_1.2.0_linux_amd64.tar.zst", "archive halyard_1.2.0_linux_amd64.zip",
		"binary halyard_1.2.0_windows_amd64.exe", "archive halyard_1.2.0_windows_amd64.tar.gz", "archive halyard_1.2.0_windows_amd64.tar.zst", "archive halyard_1.2.0_windows_amd64.zip",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	// What comes alone is what comes among others.
	for _, f := range req.Formats {
		alone := req
		alone.Formats, alone.OutDir = []Format{f}, filepath.Join(t.TempDir(), "out")
		for _, a := range build(t, alone) {
			if again, ok := (artifact.Manifest{Artifacts: got}).Find(a.Name); !ok || again != a {
				t.Errorf("%s alone is something else", a.Name)
			}
		}
	}
	zstdAgrees(t, filepath.Join(req.OutDir, "halyard_1.2.0_linux_amd64.tar.zst"))
}

// zstdAgrees has the system's own tools read an archive.
func zstdAgrees(t *testing.T, file string) {
	t.Helper()
	if _, err := exec.LookPath("zstd"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no zstd: run scripts/setup")
		}
		t.Log("skipped: needs zstd, run scripts/setup")
		return
	}
	out, err := exec.CommandContext(t.Context(), "tar", "--zstd", "-tvf", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "-rwxr-xr-x 0/0") {
		t.Errorf("tar --zstd says %s (%v)", out, err)
	}
}

func TestBuildFormatsRefused(t *testing.T) {
	t.Parallel()
	source := writeProject(t, map[string]string{"README": "r"})
	for name, tc := range map[string]struct {
		formats []Format
		out     string
		err     string
	}{
		"none":        {[]Format{}, "touch {out}/x", "formats is empty"},
		"unknown":     {[]Format{"rar"}, "touch {out}/x", `"rar" is not a format`},
		"twice":       {[]Format{Zip, Zip}, "touch {out}/x", "zip is listed twice"},
		"no program":  {[]Format{Bare}, "touch {out}/x", "nothing that was built is a program"},
		"same name":   {[]Format{Bare}, "mkdir {out}/x {out}/x/a {out}/x/b && cp /bin/sh {out}/x/a/sh && cp /bin/sh {out}/x/b/sh", "two files would be called sh_1.2.0_linux_amd64"},
		"bad program": {[]Format{Bare}, "mkdir {out}/x && cp /bin/sh '{out}/x/a:b'", "cannot be a file name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request(t, source, "linux/amd64")
			req.Main, req.Formats = nil, tc.formats
			req.Command = &Command{Run: []string{"sh", "-c", tc.out}, Outputs: []string{"x"}}
			if _, err := Build(t.Context(), req, nil); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %v, want %q", err, tc.err)
			}
			empty(t, req.OutDir)
		})
	}
}

// A command may leave a whole folder; what of it can be executed stays so.
func TestBuildCommandFolder(t *testing.T) {
	t.Parallel()
	req := request(t, writeProject(t, map[string]string{"README": "r"}), "linux/amd64")
	req.Main, req.Formats = nil, []Format{TarGz, Bare}
	req.Command = &Command{
		Run:     []string{"sh", "-c", `cd {out} && mkdir -p tree/deep/empty && echo text > tree/deep/b && echo '#!/bin/sh' > tree/tool && chmod 700 tree/tool && ln -s deep/b tree/link && cp tree/tool mytool-{os}-{arch}`},
		Outputs: []string{"tree", "mytool-{os}-{arch}"},
	}
	got := build(t, req)
	const when = "2026-03-04T05:06:07Z"
	if diff := cmp.Diff([]string{
		"halyard_1.2.0_linux_amd64/README 644 0/0 " + when,
		"halyard_1.2.0_linux_amd64/mytool-linux-amd64 755 0/0 " + when,
		"halyard_1.2.0_linux_amd64/tree/deep/b 644 0/0 " + when,
		"halyard_1.2.0_linux_amd64/tree/link 644 0/0 " + when,
		"halyard_1.2.0_linux_amd64/tree/tool 755 0/0 " + when,
	}, listing(t, filepath.Join(req.OutDir, "halyard_1.2.0_linux_amd64.tar.gz"))); diff != "" {
		t.Error(diff)
	}
	var bare []string
	for _, a := range got {
		if a.Kind == artifact.Binary {
			bare = append(bare, a.Name)
		}
	}
	if diff := cmp.Diff([]string{"mytool-linux-amd64", "tool_1.2.0_linux_amd64"}, bare); diff != "" {
		t.Error(diff)
	}
}

// mixed is data that compresses somewhat, longer than the pieces compression
// is spread over.
func mixed(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, size)
	for len(b) < size {
		if r.IntN(3) == 0 && len(b) > 5000 {
			from := r.IntN(len(b) - 4000)
			b = append(b, b[from:from+r.IntN(4000)]...)
		} else {
			for range r.IntN(200) {
				b = append(b, byte(r.IntN(64)))
			}
		}
	}
	return b[:size]
}

// Compression uses several processors where there are some; the bytes must not
// tell how many there were, nor in what portions they came.
func TestBytesOnAnyNumberOfProcessors(t *testing.T) {
	// Not parallel: it sets the number of processors of the whole process.
	data := mixed(5<<20 + 12345)
	first := map[Format][]byte{}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, processors := range []int{1, 2, 16} {
		runtime.GOMAXPROCS(processors)
		for _, f := range []Format{TarGz, TarZst} {
			for _, portion := range []int{len(data), 32 << 10, 777_777} {
				var b bytes.Buffer
				zw, err := newCompressor(f, &b)
				if err != nil {
					t.Fatal(err)
				}
				for rest := data; len(rest) > 0; {
					n := min(portion, len(rest))
					if _, err := zw.Write(rest[:n]); err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
				if err := zw.Close(); err != nil {
					t.Fatal(err)
				}
				if first[f] == nil {
					first[f] = b.Bytes()
				}
				if !bytes.Equal(first[f], b.Bytes()) {
					t.Errorf("%s differs on %d processors in portions of %d", f, processors, portion)
				}
			}
		}
	}
	// Nor when or with what kind of processor: a library that compresses
	// otherwise would give the releases of the past other digests.
	for f, want := range map[Format]string{TarGz: "abb44ace75574b51014b974abc0939b01fe97e4316486f14a6f42e0b31d32858", TarZst: "8ad1dcab0a783d61c644980de2144bea7dd63f19b826067da66375bc7418cf49"} {
		a, err := artifact.Measure("a", artifact.Other, bytes.NewReader(first[f]))
		if err != nil || a.SHA256 != want {
			t.Errorf("%s is now %s (%v)", f, a.SHA256, err)
		}
	}
	zr, err := gzip.NewReader(bytes.NewReader(first[TarGz]))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := io.ReadAll(zr); err != nil || !bytes.Equal(back, data) {
		t.Errorf("gzip gives back %d bytes, %v", len(back), err)
	}
	zs, err := zstd.NewReader(bytes.NewReader(first[TarZst]))
	if err != nil {
		t.Fatal(err)
	}
	defer zs.Close()
	if back, err := io.ReadAll(zs); err != nil || !bytes.Equal(back, data) {
		t.Errorf("zstd gives back %d bytes, %v", len(back), err)
	}
}

// full is a disk with room for some bytes.
type full struct{ left int }

var errFull = errors.New("no space left on device")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	data := mixed(6 << 20)
	for _, f := range []Format{TarGz, TarZst, Zip} {
		for _, room := range []int{0, 10, 1 << 18} {
			p, err := newPacker(f, &full{room})
			if err != nil {
				t.Fatal(err)
			}
			err = p.add(header{name: "a", mode: 0o644, size: int64(len(data)), when: commitTime})
			if err == nil {
				_, err = p.Write(data)
			}
			if closed := p.Close(); err == nil {
				err = closed
			}
			if !errors.Is(err, errFull) {
				t.Errorf("%s with room for %d bytes gives %v", f, room, err)
			}
		}
	}
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"tar.gz", "tar.zst", "zip", "binary"} {
		if f, err := ParseFormat(s); err != nil || string(f) != s {
			t.Errorf("%s is %q, %v", s, f, err)
		}
	}
	for _, s := range []string{"", "tgz", "TAR.GZ", ".zip"} {
		if _, err := ParseFormat(s); err == nil {
			t.Errorf("%q is a format", s)
		}
	}
}
