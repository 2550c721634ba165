package artifact_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/strict"
)

const imageSpec = `
name: tools/halyard
base: registry.example.org/base:stable
bases: {linux/arm/v7: 'oci:bases/arm:v1'}
platforms: [linux/amd64, linux/arm/v7]
files:
  - {source: halyard, path: /usr/bin/halyard}
  - {source: conf, path: /etc/halyard/, mode: 0640, owner: 65532:100, layer: conf}
  - {link: halyard, path: /usr/bin/hy}
  - {path: /var/lib/halyard, mode: '1777'}
entrypoint: [/usr/bin/halyard]
env: {LOG_LEVEL: info}
user: nonroot
workdir: /
ports: ['8080', 53/udp]
volumes: [/var/lib/halyard]
stop_signal: SIGRTMIN+3
compression: zstd
`

func TestImageSpec(t *testing.T) {
	t.Parallel()
	var spec artifact.ImageSpec
	if problems := strict.Unmarshal("image.yaml", []byte(imageSpec), &spec); len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := spec.Validate(); err != nil {
		t.Error(err)
	}
	var modes []artifact.FileMode
	for _, f := range spec.Files {
		modes = append(modes, f.Mode)
	}
	if diff := cmp.Diff([]artifact.FileMode{0, 0o640, 0, 0o1777}, modes); diff != "" {
		t.Error(diff)
	}
	for platform, want := range map[string]string{"linux/amd64": "registry.example.org/base:stable", "linux/arm/v7": "oci:bases/arm:v1"} {
		p, err := artifact.ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		if got := spec.BaseOf(p); got != want {
			t.Errorf("the base for %s is %s", p, got)
		}
	}
	if got := (artifact.ImageSpec{}).BaseOf(artifact.Platform{OS: "linux", Arch: "amd64"}); got != artifact.Scratch {
		t.Errorf("without a base it is %s", got)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var again artifact.ImageSpec
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec, again); diff != "" {
		t.Error(diff)
	}
}

func TestImageSpecRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ yaml, err string }{
		"no name":            {"cmd: [x]", "without a name: the image has no name"},
		"upper case":         {"name: Halyard", `"Halyard" cannot be the name of an image`},
		"with a tag":         {"name: halyard:v1", "cannot be the name"},
		"with a slash":       {"name: /halyard", "cannot be the name"},
		"long name":          {"name: " + strings.Repeat("a", 256), "cannot be the name"},
		"base of nothing":    {"name: h\nbases: {amd64: x}", `"amd64" is not a platform`},
		"platform twice":     {"name: h\nplatforms: [linux/amd64, linux/amd64]", "listed twice"},
		"windows":            {"name: h\nplatforms: [windows/amd64]", "images for windows cannot be built"},
		"relative path":      {"name: h\nfiles: [{source: x, path: usr/bin/x}]", "write an absolute path"},
		"no path":            {"name: h\nfiles: [{source: x}]", "write an absolute path"},
		"path climbs":        {"name: h\nfiles: [{source: x, path: /a/../b}]", "write an absolute path"},
		"whiteout":           {"name: h\nfiles: [{source: x, path: /a/.wh.b}]", "takes away"},
		"whiteout folder":    {"name: h\nfiles: [{source: x, path: /.wh..wh..opq/b}]", "takes away"},
		"absolute source":    {"name: h\nfiles: [{source: /etc/passwd, path: /x}]", "outside of the repository"},
		"source climbs":      {"name: h\nfiles: [{source: a/../../x, path: /x}]", "outside of the repository"},
		"source and link":    {"name: h\nfiles: [{source: x, link: y, path: /x}]", "either a source or a link"},
		"link with mode":     {"name: h\nfiles: [{link: y, path: /x, mode: 0755}]", "no mode"},
		"link into a folder": {"name: h\nfiles: [{link: y, path: /x/}]", "a path of its own"},
		"named owner":        {"name: h\nfiles: [{source: x, path: /x, owner: root}]", `"root" is no owner`},
		"negative owner":     {"name: h\nfiles: [{source: x, path: /x, owner: '-1'}]", "is no owner"},
		"owner of nothing":   {"name: h\nfiles: [{source: x, path: /x, owner: '1:'}]", "is no owner"},
		"large owner":        {"name: h\nfiles: [{source: x, path: /x, owner: '1:4294967296'}]", "is no owner"},
		"variable":           {"name: h\nenv: {A B: c}", "cannot be the name of a variable"},
		"port":               {"name: h\nports: [http]", `"http" is not a port`},
		"port 0":             {"name: h\nports: ['0']", "no port 0"},
		"port 70000":         {"name: h\nports: [70000/tcp]", "no port 70000"},
		"volume":             {"name: h\nvolumes: [data]", "volume \"data\": write an absolute path"},
		"workdir":            {"name: h\nworkdir: data", "workdir \"data\": write an absolute path"},
		"signal":             {"name: h\nstop_signal: term", `"term" is not a signal`},
		"user with a space":  {"name: h\nuser: a b", "cannot be a user"},
		"user of scratch":    {"name: h\nuser: nonroot", "knows no names"},
		"label":              {"name: h\nlabels: {'': x}", "has no name"},
		"compression":        {"name: h\ncompression: xz", "write gzip or zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var spec artifact.ImageSpec
			if problems := strict.Unmarshal("image.yaml", []byte(tc.yaml), &spec); len(problems) > 0 {
				t.Fatal(problems)
			}
			if err := spec.Validate(); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %v, want %q", err, tc.err)
			}
		})
	}
	// All problems are told at once.
	err := artifact.ImageSpec{Name: "H", Workdir: "x", Compression: "xz"}.Validate()
	for _, part := range []string{"H", "workdir", "xz"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not tell of %s", err, part)
		}
	}
	for _, files := range []string{"{source: passwd, path: /etc/}", "{source: rootfs, path: /}", "{source: p, path: /etc/passwd}", "{source: etc, path: /etc}"} {
		var spec artifact.ImageSpec
		if problems := strict.Unmarshal("image.yaml", []byte("name: h\nuser: nonroot\nfiles: ["+files+"]"), &spec); len(problems) > 0 {
			t.Fatal(problems)
		}
		if err := spec.Validate(); err != nil {
			t.Errorf("%s: %v", files, err)
		}
	}
}

func TestFileMode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]artifact.FileMode{"755": 0o755, "0755": 0o755, "0o755": 0o755, "": 0, "4755": 0o4755, "7777": 0o7777} {
		var m artifact.FileMode
		if err := m.UnmarshalText([]byte(text)); err != nil || m != want {
			t.Errorf("%q is %o, %v", text, m, err)
		}
	}
	for _, text := range []string{"0", "8", "rwx", "-1", "10000", "0x1ff", "0o"} {
		var m artifact.FileMode
		if err := m.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %o", text, m)
		}
	}
}

func TestCheckTag(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"v1.2.0", "latest", "_x", "A-b_c.d", strings.Repeat("a", 128)} {
		if err := artifact.CheckTag(tag); err != nil {
			t.Error(err)
		}
	}
	for _, tag := range []string{"", ".x", "-x", "a b", "a/b", "a:b", "v1+2", strings.Repeat("a", 129)} {
		if artifact.CheckTag(tag) == nil {
			t.Errorf("%q is a tag", tag)
		}
	}
}

func FuzzImageSpec(f *testing.F) {
	f.Add([]byte(imageSpec))
	f.Fuzz(func(t *testing.T, data []byte) {
		var spec artifact.ImageSpec
		if problems := strict.Unmarshal("image.yaml", data, &spec); len(problems) > 0 || spec.Validate() != nil {
			return
		}
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		var again artifact.ImageSpec
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if err := again.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

// The sample of the manual is one that is understood.
func TestImageSpecOfTheManual(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/images.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sample, _ := strings.Cut(string(page), "```yaml\n")
	sample, _, ok := strings.Cut(sample, "```")
	var project struct {
		Images []artifact.ImageSpec `json:"images"`
	}
	if problems := strict.Unmarshal("docs/images.md", []byte(sample), &project); len(problems) > 0 || !ok || len(project.Images) != 1 {
		t.Fatalf("%d images, %v", len(project.Images), problems)
	}
	if err := project.Images[0].Validate(); err != nil {
		t.Error(err)
	}
}
