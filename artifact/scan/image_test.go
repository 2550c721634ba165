package scan

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"seaworthy/artifact/sbom"
)

func layerOf(t testing.TB, entries ...tarEntry) v1.Layer {
	t.Helper()
	data := makeTar(t, entries...)
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func imageOf(t testing.TB, arch string, layers ...v1.Layer) v1.Image {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Config.Labels = map[string]string{"org.opencontainers.image.vendor": "The Harbour", "org.opencontainers.image.licenses": "Apache-2.0"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

const osRelease = "ID=debian\nVERSION_ID=12\nNAME=\"Debian GNU/Linux\"\n"

// debianLayers are a small Debian: a lower layer with three packages, and an upper
// one that removes one of them and changes a copyright file.
func debianLayers(t testing.TB) []v1.Layer {
	return []v1.Layer{
		layerOf(t,
			tarEntry{name: "etc/os-release", kind: tar.TypeSymlink, link: "../usr/lib/os-release"},
			tarEntry{name: "usr/lib/os-release", text: osRelease},
			tarEntry{name: "var/lib/dpkg/status", text: dpkgStatus},
			tarEntry{name: "usr/share/doc/libc6/copyright", text: "Format: x\n\nFiles: *\nLicense: LGPL-2.1+\n"},
			tarEntry{name: "usr/share/doc/mawk/copyright", text: "Format: x\n\nFiles: *\nLicense: GPL-2\n"},
			tarEntry{name: "usr/share/doc/base", kind: tar.TypeSymlink, link: "libc6"},
		),
		layerOf(t,
			tarEntry{name: "var/lib/dpkg/status", text: strings.Replace(dpkgStatus, "Package: gone\nStatus: deinstall ok config-files", "Package: fresh\nStatus: install ok installed", 1)},
			tarEntry{name: "usr/share/doc/mawk/copyright", text: "Format: x\n\nFiles: *\nLicense: Expat\n"},
			tarEntry{name: "usr/share/doc/fresh", kind: tar.TypeDir},
			tarEntry{name: "usr/share/doc/fresh/copyright", kind: tar.TypeSymlink, link: "../mawk/copyright"},
		),
	}
}

// licencesOf tells the licences of an image's distribution packages.
func licencesOf(d sbom.Document) map[string]string {
	have := map[string]string{}
	for _, p := range d.Packages {
		if strings.HasPrefix(p.PURL, "pkg:deb/") || strings.HasPrefix(p.PURL, "pkg:apk/") || strings.HasPrefix(p.PURL, "pkg:rpm/") {
			have[p.Name] = p.Declared
		}
	}
	return have
}

var debianLicences = map[string]string{"libc6": "LGPL-2.1-or-later", "mawk": "MIT", "base": "LGPL-2.1-or-later", "fresh": "MIT"}

func TestImageForms(t *testing.T) {
	t.Parallel()
	image := imageOf(t, "amd64", debianLayers(t)...)
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tag, err := name.NewTag("registry.example.com/deb/root:12")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(dir, "docker.tar"), tag, image); err != nil {
		t.Fatal(err)
	}
	l, err := layout.Write(filepath.Join(dir, "layout"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "12"})); err != nil {
		t.Fatal(err)
	}
	packFolder(t, filepath.Join(dir, "layout"), filepath.Join(dir, "oci.tar"))
	host := registryWith(t)
	ref, err := name.ParseReference(host + "/deb/root:12")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{filepath.Join(dir, "docker.tar"), filepath.Join(dir, "layout"), filepath.Join(dir, "oci.tar"), ref.String()} {
		t.Run(filepath.Base(from), func(t *testing.T) {
			t.Parallel()
			d, err := Image(t.Context(), from, given(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(debianLicences, licencesOf(d)); diff != "" {
				t.Error(diff)
			}
			p := described1(t, d)
			if p.Supplier.Name != "The Harbour" || p.Declared != "Apache-2.0" || p.Purpose != sbom.Container || p.Version != "12" || !strings.Contains(p.Comment, "linux/amd64") {
				t.Errorf("%+v", p)
			}
			if from != filepath.Join(dir, "docker.tar") && sbom.Sum(p.Checksums, sbom.SHA256) != digest.Hex {
				t.Errorf("%+v is not %s", p.Checksums, digest)
			}
			os := packageNamed(t, d, "debian")
			if os.Purpose != sbom.OperatingSystem || os.Version != "12" {
				t.Errorf("%+v", os)
			}
			layers := 0
			for _, q := range d.Packages {
				if strings.HasPrefix(q.Name, "sha256:") && len(sbom.Sum(q.Checksums, sbom.SHA256)) == 64 {
					layers++
				}
			}
			if layers != 2 {
				t.Errorf("%d layers", layers)
			}
			list := strings.Join(related(d), "\n")
			for _, want := range []string{"mawk DEPENDS_ON libc6", "base DEPENDS_ON mawk", p.Name + " CONTAINS mawk", p.Name + " CONTAINS debian"} {
				if !strings.Contains(list, want) {
					t.Errorf("%q is missing in\n%s", want, list)
				}
			}
		})
	}
	d, err := ImageOf(t.Context(), "registry.example.com/deb/root", image, given(t))
	if err != nil || len(licencesOf(d)) != 4 {
		t.Errorf("%v %v", licencesOf(d), err)
	}
}

func described1(t testing.TB, d sbom.Document) sbom.Package {
	t.Helper()
	ids := d.Described()
	if len(ids) != 1 {
		t.Fatalf("describes %v", ids)
	}
	for _, p := range d.Packages {
		if p.ID == ids[0] {
			return p
		}
	}
	t.Fatalf("%s is no package", ids[0])
	return sbom.Package{}
}

// registryWith starts an empty registry and returns its host.
func registryWith(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// packFolder makes a tar of a folder, with an entry for each file.
func packFolder(t testing.TB, dir, file string) {
	t.Helper()
	var entries []tarEntry
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		entries = append(entries, tarEntry{name: filepath.ToSlash(rel), text: string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, string(makeTar(t, entries...)))
}

func TestWhiteouts(t *testing.T) {
	t.Parallel()
	small := func(name string) string {
		return "Package: " + name + "\nVersion: 1\nArchitecture: all\n"
	}
	lower := layerOf(t,
		tarEntry{name: "var/lib/dpkg/status.d/gone", text: small("gone")},
		tarEntry{name: "var/lib/dpkg/status.d/stays", text: small("stays")},
		tarEntry{name: "var/lib/dpkg/status.d/stays.md5sums", text: "not a package"},
		tarEntry{name: "usr/share/doc/stays/copyright", text: mitText},
		tarEntry{name: "lib/apk/db/installed", text: apkInstalled},
		tarEntry{name: "usr/lib/os-release", text: osRelease},
	)
	tests := []struct {
		name  string
		upper []tarEntry
		want  string
	}{
		{"nothing", []tarEntry{{name: "x", text: "x"}}, "busybox gone musl stays=MIT"},
		{"file", []tarEntry{{name: "var/lib/dpkg/status.d/.wh.gone"}}, "busybox musl stays=MIT"},
		{"folder", []tarEntry{{name: "var/lib/.wh.dpkg"}}, "busybox musl"},
		{"opaque", []tarEntry{{name: "var/lib/dpkg/status.d/.wh..wh..opq"}, {name: "var/lib/dpkg/status.d/new", text: small("new")}}, "busybox musl new"},
		{"opaque after", []tarEntry{{name: "var/lib/dpkg/status.d/new", text: small("new")}, {name: "var/lib/dpkg/status.d/.wh..wh..opq"}}, "busybox musl new"},
		{"a file where a folder was", []tarEntry{{name: "lib", kind: tar.TypeSymlink, link: "usr/lib"}}, "gone stays=MIT"},
		{"a folder where a file was", []tarEntry{{name: "var/lib/dpkg/status.d/gone", kind: tar.TypeDir}}, "busybox musl stays=MIT"},
		{"copyright only", []tarEntry{{name: "usr/share/doc/stays/.wh.copyright"}}, "busybox gone musl stays"},
		{"hard link", []tarEntry{{name: "tmp/new", text: small("never")}, {name: "var/lib/dpkg/status.d/linked", kind: tar.TypeLink, link: "var/lib/dpkg/status.d/src"}, {name: "var/lib/dpkg/status.d/src", text: small("src")}}, "busybox gone musl src stays=MIT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := ImageOf(t.Context(), "x", imageOf(t, "amd64", lower, layerOf(t, tt.upper...)), given(t))
			if err != nil {
				t.Fatal(err)
			}
			var have []string
			for _, p := range d.Packages {
				if strings.HasPrefix(p.PURL, "pkg:deb/") || strings.HasPrefix(p.PURL, "pkg:apk/") {
					s := p.Name
					if strings.HasPrefix(p.PURL, "pkg:deb/") && p.Declared != "" {
						s += "=" + p.Declared
					}
					have = append(have, s)
				}
			}
			// apk comes before deb; by name is easier to read
			if got := strings.Join(sorted(have), " "); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func sorted(list []string) []string {
	out := append([]string(nil), list...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

func TestIndexOfImages(t *testing.T) {
	t.Parallel()
	var index v1.ImageIndex = empty.Index
	for _, arch := range []string{"amd64", "arm64"} {
		image := imageOf(t, arch, layerOf(t, tarEntry{name: "lib/apk/db/installed", text: strings.ReplaceAll(apkInstalled, "x86_64\nT", arch+"\nT")}))
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	attestation := imageOf(t, "unknown", layerOf(t, tarEntry{name: "statement", text: "{}"}))
	index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"}}})
	index = mutate.IndexMediaType(index, types.OCIImageIndex)
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "layout")
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendIndex(index); err != nil {
		t.Fatal(err)
	}
	host := registryWith(t)
	ref, err := name.ParseReference(host + "/both:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{dir, ref.String()} {
		d, err := Image(t.Context(), from, given(t))
		if err != nil {
			t.Fatal(err)
		}
		top := described1(t, d)
		if sbom.Sum(top.Checksums, sbom.SHA256) != digest.Hex {
			t.Errorf("%+v", top)
		}
		variants := 0
		for _, r := range d.Relationships {
			if r.Type == sbom.VariantOf && r.To == top.ID {
				variants++
			}
		}
		if variants != 2 {
			t.Errorf("%d variants of the index", variants)
		}
	}
	d, err := IndexOf(t.Context(), "example.com/both", index, given(t))
	if err != nil || described1(t, d).PURL == "" {
		t.Errorf("%v", err)
	}
}

func TestProgramInImage(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(goProgram(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	image := imageOf(t, "amd64", layerOf(t, tarEntry{name: "usr/bin/hello", text: string(program)}, tarEntry{name: "etc/motd", text: "welcome"}),
		layerOf(t, tarEntry{name: "opt/hello", kind: tar.TypeLink, link: "nothing"}))
	d, err := ImageOf(t.Context(), "x", image, given(t))
	if err != nil {
		t.Fatal(err)
	}
	packageNamed(t, d, "stdlib")
	if len(d.Files) != 1 || d.Files[0].Name != "usr/bin/hello" || len(d.Files[0].Checksums) != 2 {
		t.Errorf("%+v", d.Files)
	}
	o := given(t)
	o.ImageFiles = true
	if d, err = ImageOf(t.Context(), "x", image, o); err != nil || len(d.Files) != 2 {
		t.Errorf("%d files, %v", len(d.Files), err)
	}
}

func TestBrokenImages(t *testing.T) {
	t.Parallel()
	image := imageOf(t, "amd64", layerOf(t, tarEntry{name: "x", text: strings.Repeat("x", 10000)}))
	build := func(t *testing.T) string {
		dir := filepath.Join(t.TempDir(), "layout")
		l, err := layout.Write(dir, empty.Index)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.AppendImage(image); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	m, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	layerFile := filepath.Join("blobs", "sha256", m.Layers[0].Digest.Hex)
	configFile := filepath.Join("blobs", "sha256", m.Config.Digest.Hex)
	other := makeTar(t, tarEntry{name: "y", text: "y"})
	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{"layer of another digest", func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, layerFile), string(gzipOf(t, other))) }},
		{"layer cut off", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, layerFile), 50); err != nil {
				t.Fatal(err)
			}
		}},
		{"config changed", func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, configFile), "{}") }},
		{"no index", func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, "index.json"), "{}") }},
		{"path in a digest", func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "index.json"), `{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../../../../etc/passwd","size":1}]}`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := build(t)
			tt.damage(t, dir)
			d, err := Image(t.Context(), dir, given(t))
			if err == nil || len(d.Packages) > 0 {
				t.Fatalf("%d packages of a broken image", len(d.Packages))
			}
			t.Log(err)
		})
	}
	for name, data := range map[string][]byte{"empty.tar": makeTar(t), "other.tar": other, "packed.tar": gzipOf(t, other), "climbs.tar": makeTar(t, tarEntry{name: "../x", text: "x"}),
		"lies.tar": makeTar(t, tarEntry{name: "manifest.json", text: `[{"Config":"c","Layers":["a","b"]}]`}, tarEntry{name: "c", text: "{}"})} {
		file := filepath.Join(t.TempDir(), name)
		writeFile(t, file, string(data))
		if _, err := Image(t.Context(), file, given(t)); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Image(t.Context(), "./missing.tar", given(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := Image(t.Context(), "NOT A REFERENCE", given(t)); err == nil {
		t.Error("no reference")
	}
}

func TestWrongDiffID(t *testing.T) {
	t.Parallel()
	layer := makeTar(t, tarEntry{name: "x", text: "x"})
	config := `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Repeat("a", 64) + `"]}}`
	file := filepath.Join(t.TempDir(), "docker.tar")
	writeFile(t, file, string(makeTar(t, tarEntry{name: "manifest.json", text: `[{"Config":"c.json","RepoTags":["x:1"],"Layers":["l.tar"]}]`}, tarEntry{name: "c.json", text: config}, tarEntry{name: "l.tar", text: string(layer)})))
	if _, err := Image(t.Context(), file, given(t)); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "diff id") {
		t.Errorf("%v", err)
	}
}

func TestHostileLayer(t *testing.T) {
	t.Parallel()
	bomb := imageOf(t, "amd64", layerOf(t, tarEntry{name: "zeros", text: strings.Repeat("\x00", 100<<20)}))
	if _, err := ImageOf(t.Context(), "x", bomb, given(t)); !errors.Is(err, ErrLimit) {
		t.Errorf("%v", err)
	}
	climbs := imageOf(t, "amd64", layerOf(t, tarEntry{name: "../../x", text: "x"}))
	if _, err := ImageOf(t.Context(), "x", climbs, given(t)); !errors.Is(err, ErrBroken) {
		t.Errorf("%v", err)
	}
	loop := imageOf(t, "amd64", layerOf(t, tarEntry{name: "var/lib/dpkg/status", text: dpkgStatus},
		tarEntry{name: "usr/share/doc/mawk", kind: tar.TypeSymlink, link: "libc6"}, tarEntry{name: "usr/share/doc/libc6", kind: tar.TypeSymlink, link: "mawk"}))
	if d, err := ImageOf(t.Context(), "x", loop, given(t)); err != nil || licencesOf(d)["mawk"] != "" {
		t.Errorf("%v", err)
	}
}
