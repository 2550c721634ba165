package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"seaworthy/artifact"
)

var (
	when  = time.Date(2026, 3, 4, 5, 6, 7, 890, time.FixedZone("east", 3600))
	amd64 = artifact.Platform{OS: "linux", Arch: "amd64"}
	armv7 = artifact.Platform{OS: "linux", Arch: "arm", Variant: "v7"}
)

// writeFiles makes a folder; a name that ends with "*" is executable, content
// that begins with "->" a link.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name, executable := strings.CutSuffix(name, "*")
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o600)
		if executable {
			mode = 0o700
		}
		err := os.WriteFile(file, []byte(content), mode)
		if target, ok := strings.CutPrefix(content, "->"); ok {
			err = errors.Join(os.Remove(file), os.Symlink(target, file))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sample is a request that uses everything there is.
func sample(t testing.TB) Request {
	t.Helper()
	return Request{
		Spec: artifact.ImageSpec{
			Name: "tools/halyard", Platforms: []artifact.Platform{armv7, amd64},
			Files: []artifact.ImageFile{
				{Source: "web", Path: "/srv/web", Owner: "65532", Layer: "papers"},
				{Source: "LICENSE", Path: "/usr/share/doc/halyard/", Layer: "papers"},
				{Source: "{name}", Path: "/usr/bin/halyard"},
				{Link: "halyard", Path: "/usr/bin/hy"},
				{Path: "/var/lib/halyard", Owner: "65532:65532", Mode: 0o700},
				{Path: "/tmp", Mode: 0o1777},
			},
			Entrypoint: []string{"/usr/bin/{name}"}, Cmd: []string{"serve", "--version={version}"},
			Env: map[string]string{"HALYARD_ARCH": "{arch}{variant}", "A": "b"}, Workdir: "/srv/web",
			Ports: []string{"8080", "53/udp"}, Volumes: []string{"/var/lib/halyard/"}, StopSignal: "SIGINT",
			Labels: map[string]string{"team": "rigging", "org.opencontainers.image.licenses": "Apache-2.0"}, Annotations: map[string]string{"note": "{number} of {commit}"},
		},
		Version: "v1.2.0", Revision: "0123abcd", Source: "https://example.org/halyard", Created: when,
		Built:   map[artifact.Platform]string{amd64: writeFiles(t, map[string]string{"halyard*": "for amd64"}), armv7: writeFiles(t, map[string]string{"halyard*": "for arm"})},
		Folders: []string{writeFiles(t, map[string]string{"LICENSE": "Do.", "web/index.html": "<p>", "web/js/a.js*": "a", "web/latest": "->js/a.js", "halyard": "not this one"})},
	}
}

func mustBuild(t testing.TB, req Request) *Index {
	t.Helper()
	req.Work = t.TempDir()
	x, err := Build(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(req.Work); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v (%v)", left, err)
		}
	})
	return x
}

// layerListing describes a layer, one line per entry.
func layerListing(t *testing.T, l v1.Layer) []string {
	t.Helper()
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var lines []string
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := h.ModTime.UTC().Format(time.RFC3339); got != "2026-03-04T04:06:07Z" {
			t.Errorf("%s has the time %s", h.Name, got)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %o %d:%d%s%s %s%s", h.Name, h.Mode, h.Uid, h.Gid, h.Uname, h.Gname, h.Linkname, data)))
	}
}

func layersOf(t *testing.T, x *Index, p artifact.Platform) [][]string {
	t.Helper()
	img, err := x.platform(p)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for _, l := range layers {
		all = append(all, layerListing(t, l))
	}
	return all
}

func TestBuild(t *testing.T) {
	t.Parallel()
	for _, compression := range []string{"", "zstd"} {
		req := sample(t)
		req.Spec.Compression = compression
		x := mustBuild(t, req)
		if compression == "" { // the library's check knows gzip only
			if err := validate.Index(x.index); err != nil {
				t.Error(err)
			}
		}
		papers := []string{
			"srv/ 755 0:0", "srv/web/ 755 65532:65532", "srv/web/index.html 644 65532:65532 <p>", "srv/web/js/ 755 65532:65532", "srv/web/js/a.js 755 65532:65532 a",
			"srv/web/latest 777 65532:65532 js/a.js", "usr/ 755 0:0", "usr/share/ 755 0:0", "usr/share/doc/ 755 0:0", "usr/share/doc/halyard/ 755 0:0", "usr/share/doc/halyard/LICENSE 644 0:0 Do.",
		}
		for p, content := range map[artifact.Platform]string{amd64: "for amd64", armv7: "for arm"} {
			want := [][]string{papers, {
				"tmp/ 1777 0:0", "usr/bin/ 755 0:0", "usr/bin/halyard 755 0:0 " + content, "usr/bin/hy 777 0:0 halyard", "var/ 755 0:0", "var/lib/ 755 0:0", "var/lib/halyard/ 700 65532:65532",
			}}
			if diff := cmp.Diff(want, layersOf(t, x, p)); diff != "" {
				t.Error(diff)
			}
		}
		// What does not depend on the platform is one blob.
		built := x.Built().Platforms
		if built[0].Layers[0] != built[1].Layers[0] || built[0].Layers[1] == built[1].Layers[1] {
			t.Errorf("layers %v and %v", built[0].Layers, built[1].Layers)
		}
	}
}

func TestBuildConfig(t *testing.T) {
	t.Parallel()
	x := mustBuild(t, sample(t))
	img, err := x.platform(armv7)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{
		"org.opencontainers.image.title": "halyard", "org.opencontainers.image.version": "v1.2.0", "org.opencontainers.image.revision": "0123abcd",
		"org.opencontainers.image.source": "https://example.org/halyard", "org.opencontainers.image.created": "2026-03-04T04:06:07Z",
	}
	notes := map[string]string{"note": "1.2.0 of 0123abcd"}
	for key, value := range labels {
		notes[key] = value
	}
	labels["team"], labels["org.opencontainers.image.licenses"] = "rigging", "Apache-2.0"
	want := v1.Config{
		Entrypoint: []string{"/usr/bin/halyard"}, Cmd: []string{"serve", "--version=v1.2.0"}, User: DefaultUser, WorkingDir: "/srv/web", StopSignal: "SIGINT",
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=b", "HALYARD_ARCH=armv7"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "53/udp": {}}, Volumes: map[string]struct{}{"/var/lib/halyard": {}}, Labels: labels,
	}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Error(diff)
	}
	if config.OS != "linux" || config.Architecture != "arm" || config.Variant != "v7" || !config.Created.Equal(when.Truncate(time.Second)) {
		t.Errorf("%+v", config)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if m.MediaType != "application/vnd.oci.image.manifest.v1+json" || m.Config.MediaType != "application/vnd.oci.image.config.v1+json" || m.Layers[0].MediaType != "application/vnd.oci.image.layer.v1.tar+gzip" {
		t.Errorf("media types %s, %s, %s", m.MediaType, m.Config.MediaType, m.Layers[0].MediaType)
	}
	if diff := cmp.Diff(notes, m.Annotations); diff != "" {
		t.Error(diff)
	}
	index, err := x.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(notes, index.Annotations); diff != "" || index.MediaType != "application/vnd.oci.image.index.v1+json" {
		t.Error(diff, index.MediaType)
	}
	var platforms []string
	for _, d := range index.Manifests {
		platforms = append(platforms, d.Platform.String())
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm/v7"}, platforms); diff != "" {
		t.Error(diff)
	}
}

// TestOtherProcess is not a test: it builds for TestBuildIsReproducible.
func TestOtherProcess(t *testing.T) {
	to := os.Getenv("SEAWORTHY_IMAGE_TO")
	if to == "" {
		t.Skip("only run by TestBuildIsReproducible")
	}
	req := sample(t)
	slices.Reverse(req.Spec.Platforms)
	req.Created = req.Created.In(time.Local)
	if err := mustBuild(t, req).WriteLayout(to, "v1.2.0"); err != nil {
		t.Fatal(err)
	}
}

func TestBuildIsReproducible(t *testing.T) {
	t.Parallel()
	first := mustBuild(t, sample(t)).Built()
	to := filepath.Join(t.TempDir(), "layout")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `umask 077; exec "$0" -test.run='^TestOtherProcess$' -test.count=1`, os.Args[0])
	cmd.Env = append(os.Environ(), "SEAWORTHY_IMAGE_TO="+to, "GOMAXPROCS=1", "TZ=Asia/Tokyo")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	x, err := Open(t.Context(), to, Remote{})
	if err != nil {
		t.Fatal(err)
	}
	again := x.Built()
	again.Name = first.Name
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	for _, file := range []string{"index.json", "oci-layout", "blobs/sha256/" + first.Digest.Hex(), "blobs/sha256/" + first.Platforms[0].Layers[0].Hex()} {
		if info, err := os.Stat(filepath.Join(to, file)); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	// A minute later it is another image.
	later := sample(t)
	later.Created = later.Created.Add(time.Minute)
	if mustBuild(t, later).Built().Digest == first.Digest {
		t.Error("the time of the commit makes no difference")
	}
}

func TestBuildRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Request)
		err    string
	}{
		"no platform":      {func(r *Request) { r.Spec.Platforms = nil }, "name at least one platform"},
		"windows":          {func(r *Request) { r.Platforms = []artifact.Platform{{OS: "windows", Arch: "amd64"}} }, "images for windows cannot be built"},
		"no time":          {func(r *Request) { r.Created = time.Time{} }, "that of the commit"},
		"bad spec":         {func(r *Request) { r.Spec.Name = "Halyard" }, "cannot be the name of an image"},
		"source not there": {func(r *Request) { r.Spec.Files[1].Source = "NOTICE" }, "there is no NOTICE in"},
		"nowhere to look":  {func(r *Request) { r.Built, r.Folders = nil, nil }, "no folder to look for the source web in"},
		"folder not there": {func(r *Request) { r.Folders[0] += "/none" }, "opening the folder of sources"},
		"source outside":   {func(r *Request) { r.Project = "../x" }, "lies outside"},
		"link leads out": {func(r *Request) {
			if err := os.Symlink("/etc/passwd", filepath.Join(r.Folders[0], "out")); err != nil {
				panic(err)
			}
			r.Spec.Files[1].Source = "out"
		}, "escapes"},
		"a pipe": {func(r *Request) {
			if out, err := exec.Command("mkfifo", filepath.Join(r.Folders[0], "web", "pipe")).CombinedOutput(); err != nil {
				panic(string(out))
			}
		}, "neither a file, a folder nor a link"},
		"packed twice":     {func(r *Request) { r.Spec.Files[3].Path = "/usr/bin/halyard" }, "/usr/bin/halyard would be packed twice"},
		"folder twice":     {func(r *Request) { r.Spec.Files[4].Path = "/tmp" }, "/tmp would be packed twice"},
		"below a file":     {func(r *Request) { r.Spec.Files[3].Path = "/usr/bin/halyard/link" }, "which is not a folder"},
		"the root":         {func(r *Request) { r.Spec.Files[4].Path = "/" }, "a folder already"},
		"no place to work": {func(r *Request) { r.Work = "/nowhere" }, "making a folder for layers"},
		"no base":          {func(r *Request) { r.Spec.Base = "oci:/nowhere" }, "the base oci:/nowhere"},
		"base is a path":   {func(r *Request) { r.Spec.Base = "./nowhere" }, "is not a reference"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := sample(t)
			work := t.TempDir()
			req.Work = work
			tc.change(&req)
			if _, err := Build(t.Context(), req); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %v, want %q", err, tc.err)
			}
			if left, err := os.ReadDir(work); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

// newRegistry serves the library's registry and returns its address.
func newRegistry(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
