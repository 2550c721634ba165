package scan

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"seaworthy/artifact/sbom"
)

func TestEntryName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a/b": "a/b", "./a": "a", "/a": "a", "a/../b": "b", `a\b`: "a/b", ".": ".", "a//b/": "a/b"} {
		if have, err := entryName(name); err != nil || have != want {
			t.Errorf("%q: %q, %v", name, have, err)
		}
	}
	for _, name := range []string{"..", "../a", "a/../../b", `..\a`, "a\x00b", strings.Repeat("x", longestName+1)} {
		if have, err := entryName(name); !errors.Is(err, ErrBroken) {
			t.Errorf("%q: %q, %v", name, have, err)
		}
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, link, want string }{
		{"usr/share/doc/a", "b", "usr/share/doc/b"},
		{"usr/share/doc/a/copyright", "../b/copyright", "usr/share/doc/b/copyright"},
		{"usr/share/doc/a", "/usr/share/doc/b", "usr/share/doc/b"},
		{"usr/share/doc/a", "../../../../../../etc", "etc"},
	} {
		if have := follow(tt.from, tt.link); have != tt.want {
			t.Errorf("%s → %s: %s, want %s", tt.from, tt.link, have, tt.want)
		}
	}
}

// TestDockerLinks reads an archive whose layers are links, as docker save makes
// them of layers that are alike.
func TestDockerLinks(t *testing.T) {
	t.Parallel()
	layer := makeTar(t, tarEntry{name: "var/lib/dpkg/status", text: dpkgStatus})
	sum, _, err := v1.SHA256(strings.NewReader(string(layer)))
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{sum, sum}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "docker.tar")
	writeFile(t, file, string(makeTar(t,
		tarEntry{name: "one/layer.tar", text: string(layer)},
		tarEntry{name: "two/layer.tar", kind: tar.TypeSymlink, link: "../one/layer.tar"},
		tarEntry{name: "c.json", text: string(config)},
		tarEntry{name: "manifest.json", text: `[{"Config":"c.json","RepoTags":null,"Layers":["one/layer.tar","two/layer.tar"]},{"Config":"c.json","RepoTags":["a.example/b:2"],"Layers":["one/layer.tar","one/layer.tar"]}]`},
	)))
	d, err := Image(t.Context(), file, given(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(licencesOf(d)) != 3 {
		t.Errorf("%v", licencesOf(d))
	}
	if top := described1(t, d); !strings.Contains(top.Comment, "2 images") {
		t.Errorf("%+v", top)
	}
}

func TestOversizedManifest(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "big.tar")
	writeFile(t, file, string(makeTar(t, tarEntry{name: "manifest.json", text: strings.Repeat(" ", largestJSON+1)})))
	if _, err := Image(t.Context(), file, given(t)); !errors.Is(err, ErrLimit) {
		t.Errorf("%v", err)
	}
}

func TestSQLiteParts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   []byte
		want uint64
		n    int
	}{
		{[]byte{0x05}, 5, 1}, {[]byte{0x81, 0x00}, 128, 2}, {[]byte{0x81}, 0, 0}, {nil, 0, 0},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1<<64 - 1, 9},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0, 0},
	} {
		if v, n := sqliteVarint(tt.in); v != tt.want || n != tt.n {
			t.Errorf("%x: %d in %d bytes", tt.in, v, n)
		}
	}
	if sqliteInt([]byte{0xff}) != -1 || sqliteInt([]byte{0x01, 0x00}) != 256 || sqliteInt(nil) != 0 {
		t.Error("integers are signed, big end first")
	}
	for _, bad := range [][]byte{nil, {9}, {2, 0x17}, {3, 0x0e, 0x0e, 'x'}} {
		if _, err := sqliteRecord(bad); err == nil {
			t.Errorf("%x is a record", bad)
		}
	}
}

func TestPerson(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sbom.Actor{
		"Jane Doe <jane@example.com>":                            {Kind: sbom.Person, Name: "Jane Doe", Email: "jane@example.com"},
		"Debian X Team <x@lists.debian.org>":                     {Kind: sbom.Organization, Name: "Debian X Team", Email: "x@lists.debian.org"},
		"The Harbour":                                            {Kind: sbom.Organization, Name: "The Harbour"},
		"<only@example.com>":                                     {Kind: sbom.Person, Name: "only@example.com", Email: "only@example.com"},
		"Fedora Project":                                         {Kind: sbom.Organization, Name: "Fedora Project"},
		`"Doe, Jane" <jane@example.com>`:                         {Kind: sbom.Person, Name: "Doe, Jane", Email: "jane@example.com"},
		"Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.c": {Kind: sbom.Organization, Name: "Ubuntu Developers", Email: "ubuntu-devel-discuss@lists.ubuntu.c"},
		"": {},
	} {
		if have := person(text); have != want {
			t.Errorf("%q: %+v", text, have)
		}
	}
}

func TestFileTypes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]sbom.FileType{"a.go": sbom.SourceFile, "A.MD": sbom.DocumentationFile, "x.tar.gz": sbom.ArchiveType, "x.png": sbom.ImageFile, "LICENSE": sbom.TextFile, "Makefile": sbom.TextFile, ".gitignore": sbom.TextFile} {
		if have := fileTypes(name, false); have[0] != want {
			t.Errorf("%s: %v", name, have)
		}
	}
	if have := fileTypes("bin/x", true); have[0] != sbom.BinaryFile {
		t.Errorf("%v", have)
	}
	seen := map[string]sbom.FileType{}
	for kind, list := range extensions {
		for _, ext := range strings.Fields(list) {
			if other, twice := seen[ext]; twice {
				t.Errorf("%s is both %s and %s", ext, kind, other)
			}
			seen[ext] = kind
		}
	}
}

func TestWithoutLicences(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "x")
	writeFile(t, filepath.Join(dir, "LICENSE"), mitText)
	o := given(t)
	o.NoLicenses, o.Licenses = true, nil
	d, err := Folder(t.Context(), dir, o)
	if err != nil || packageNamed(t, d, "x").Concluded != "" || d.Files[0].Copyright != "" {
		t.Errorf("%+v %v", d, err)
	}
	image, err := ImageOf(t.Context(), "x", imageOf(t, "amd64", debianLayers(t)...), o)
	if err != nil || licencesOf(image)["mawk"] != "" || len(licencesOf(image)) != 4 {
		t.Errorf("%v %v", licencesOf(image), err)
	}
}

func TestBrokenWorkspace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "go.mod"), "module example.com/x\n")
	writeFile(t, filepath.Join(dir, "go.work"), "use\n")
	if _, err := Folder(t.Context(), dir, given(t)); !errors.Is(err, ErrBroken) {
		t.Errorf("%v", err)
	}
	writeFile(t, filepath.Join(dir, "go.work"), "go 1.24\n\nuse ./sub\n")
	writeFile(t, filepath.Join(dir, "sub", "go.mod"), "this is broken too\n")
	if _, err := Folder(t.Context(), dir, given(t)); err != nil {
		t.Errorf("a broken go.mod below the root is passed over: %v", err)
	}
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("skipped: root reads everything")
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "secret"), "x")
	if err := os.Chmod(filepath.Join(dir, "secret"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Folder(t.Context(), dir, given(t)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a file that cannot be read must not be passed over: %v", err)
	}
}
