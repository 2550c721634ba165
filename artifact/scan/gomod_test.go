package scan

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact/sbom"
)

// cacheModule lays a module into a module cache.
func cacheModule(t *testing.T, cache, path, version string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		writeFile(t, filepath.Join(cache, path+"@"+version, name), text)
	}
	download := filepath.Join(cache, "cache/download", path, "@v")
	writeFile(t, filepath.Join(download, version+".mod"), files["go.mod"])
	f, err := os.Create(filepath.Join(download, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range files {
		w, err := z.Create(path + "@" + version + "/" + name)
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
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func moduleTree(t *testing.T) (dir string, o Options) {
	t.Helper()
	o = given(t)
	cache := o.ModuleCache
	cacheModule(t, cache, "example.com/a", "v1.0.0", map[string]string{
		"go.mod": "module example.com/a\nrequire example.com/b v1.1.0\nrequire example.com/never v0.1.0\n", "LICENSE": mitText,
		"a.go": "package a\nimport _ \"example.com/b/sub\"\n", "a_test.go": "package a\nimport _ \"example.com/never\"\n",
	})
	cacheModule(t, cache, "example.com/b", "v1.2.0", map[string]string{
		"go.mod": "module example.com/b\n", "COPYING": apacheHeader,
		"sub/w_windows.go": "//go:build windows\n\npackage sub\nimport _ \"example.com/win\"\n",
		"sub/i.go":         "//go:build ignore\n\npackage main\nimport _ \"example.com/never\"\n", "sub/s.go": "package sub\n",
	})
	cacheModule(t, cache, "example.com/win", "v0.3.0", map[string]string{"go.mod": "module example.com/win\n", "w.go": "package win\n", "LICENSE": mitText})
	cacheModule(t, cache, "example.com/check", "v0.9.0", map[string]string{"go.mod": "module example.com/check\n", "c.go": "package check\n", "LICENSE": mitText})
	cacheModule(t, cache, "example.com/never", "v0.1.0", map[string]string{"go.mod": "module example.com/never\n", "n.go": "package never\n"})
	cacheModule(t, cache, "example.com/fork", "v1.5.0", map[string]string{"go.mod": "module example.com/orig\n", "f.go": "package orig\n", "LICENSE": mitText})
	dir = filepath.Join(t.TempDir(), "tree")
	for name, text := range map[string]string{
		"go.mod": `module github.com/example/tree

go 1.24

require (
	example.com/a v1.0.0
	example.com/check v0.9.0
	example.com/local v0.0.0
	example.com/orig v1.4.0
)

require (
	example.com/b v1.2.0 // indirect
	example.com/never v0.1.0 // indirect
	example.com/win v0.3.0 // indirect
)

replace example.com/orig => example.com/fork v1.5.0

replace example.com/local => ./local
`,
		"go.sum": "example.com/a v1.0.0 h1:aaaa=\nexample.com/a v1.0.0/go.mod h1:bbbb=\n",
		"main.go": `package main

import (
	"fmt"

	"example.com/a"
	_ "example.com/local"
	_ "example.com/orig/x"
	_ "github.com/example/tree/internal"
)
`,
		"internal/i.go":   "package internal\n",
		"main_test.go":    "package main\nimport _ \"example.com/check\"\n",
		"testdata/x.go":   "package x\nimport _ \"example.com/never\"\n",
		"local/go.mod":    "module example.com/local\n",
		"local/l.go":      "package local\n",
		"tools/go.mod":    "module example.com/tools\nrequire example.com/never v0.1.0\n",
		"tools/t.go":      "package tools\nimport _ \"example.com/never\"\n",
		"LICENSE":         mitText,
		"vendored/x.txt":  "",
		"_skipped/go.mod": "this is no go.mod",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	return dir, o
}

func TestGoModules(t *testing.T) {
	t.Parallel()
	dir, o := moduleTree(t)
	d, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"example.com/a DEPENDS_ON example.com/b",
		"example.com/b DEPENDS_ON example.com/win",
		"example.com/check TEST_DEPENDENCY_OF tree",
		"tree DEPENDS_ON example.com/a",
		"tree DEPENDS_ON example.com/fork",
		"tree DEPENDS_ON example.com/local",
	}
	if diff := cmp.Diff(want, related(d)); diff != "" {
		t.Error(diff)
	}
	root := packageNamed(t, d, "tree")
	if root.PURL != "pkg:golang/github.com/example/tree" || root.Supplier.Name != "example" {
		t.Errorf("%+v", root)
	}
	a := packageNamed(t, d, "example.com/a")
	if a.Concluded != "MIT" || a.Supplier.Name != "example.com" || a.PURL != "pkg:golang/example.com/a@v1.0.0" || len(sbom.Sum(a.Checksums, sbom.SHA256)) != 64 || !strings.Contains(a.Comment, "h1:aaaa=") {
		t.Errorf("%+v", a)
	}
	if b := packageNamed(t, d, "example.com/b"); b.Concluded != "Apache-2.0" || b.Version != "v1.2.0" {
		t.Errorf("%+v", b)
	}
	if f := packageNamed(t, d, "example.com/fork"); f.Version != "v1.5.0" || !strings.Contains(f.Comment, "Stands for example.com/orig v1.4.0") {
		t.Errorf("%+v", f)
	}
	if l := packageNamed(t, d, "example.com/local"); l.Version != "" || l.Download != "" || len(l.Checksums) != 0 {
		t.Errorf("%+v", l)
	}
}

func TestOnlyDirectModules(t *testing.T) {
	t.Parallel()
	dir, o := moduleTree(t)
	o.NoTransitive = true
	d, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Packages {
		if p.Name == "example.com/b" || p.Name == "example.com/win" {
			t.Errorf("%s is not named by the tree", p.Name)
		}
	}
	packageNamed(t, d, "example.com/a")
	o.NoGoModules = true
	if d, err = Folder(t.Context(), dir, o); err != nil || len(d.Packages) != 1 {
		t.Errorf("%d packages, %v", len(d.Packages), err)
	}
}

// TestWithoutCache keeps all that go.mod names: what is needed cannot be known.
func TestWithoutCache(t *testing.T) {
	t.Parallel()
	dir, o := moduleTree(t)
	o.ModuleCache = filepath.Join(t.TempDir(), "empty")
	d, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"example.com/a", "example.com/b", "example.com/win", "example.com/never", "example.com/check"} {
		p := packageNamed(t, d, name)
		if p.Supplier.IsZero() || p.Concluded != "" {
			t.Errorf("%+v", p)
		}
	}
}

// TestZippedModule reads the licence of a module whose sources are not unpacked.
func TestZippedModule(t *testing.T) {
	t.Parallel()
	dir, o := moduleTree(t)
	if err := os.RemoveAll(filepath.Join(o.ModuleCache, "example.com/a@v1.0.0")); err != nil {
		t.Fatal(err)
	}
	d, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if a := packageNamed(t, d, "example.com/a"); a.Concluded != "MIT" {
		t.Errorf("%+v", a)
	}
}

func TestVendoredModules(t *testing.T) {
	t.Parallel()
	dir, o := moduleTree(t)
	o.ModuleCache = filepath.Join(t.TempDir(), "empty")
	writeFile(t, filepath.Join(dir, "vendor/modules.txt"), `# example.com/a v1.0.0
## explicit; go 1.20
example.com/a
# example.com/b v1.2.0
## explicit
example.com/b/sub
# example.com/never v0.1.0
## explicit
# example.com/orig v1.4.0 => example.com/fork v1.5.0
## explicit
example.com/orig/x
# example.com/orig => example.com/fork v1.5.0
`)
	writeFile(t, filepath.Join(dir, "vendor/example.com/a/LICENSE"), mitText)
	d, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if a := packageNamed(t, d, "example.com/a"); a.Concluded != "MIT" {
		t.Errorf("%+v", a)
	}
	packageNamed(t, d, "example.com/fork")
	for _, p := range d.Packages {
		if p.Name == "example.com/never" {
			t.Error("no package of it is vendored")
		}
	}
}

// TestOldModule selects versions as Go did before 1.17: go.mod did not name all.
func TestOldModule(t *testing.T) {
	t.Parallel()
	o := given(t)
	cacheModule(t, o.ModuleCache, "example.com/a", "v1.0.0", map[string]string{"go.mod": "module example.com/a\nrequire example.com/b v1.1.0\n", "a.go": "package a\nimport _ \"example.com/b\"\n"})
	cacheModule(t, o.ModuleCache, "example.com/c", "v1.0.0", map[string]string{"go.mod": "module example.com/c\nrequire example.com/b v1.3.0\n", "c.go": "package c\n"})
	cacheModule(t, o.ModuleCache, "example.com/b", "v1.3.0", map[string]string{"go.mod": "module example.com/b\n", "b.go": "package b\n"})
	dir := filepath.Join(t.TempDir(), "old")
	writeFile(t, filepath.Join(dir, "go.mod"), "module example.com/old\n\ngo 1.15\n\nrequire example.com/a v1.0.0\nrequire example.com/c v1.0.0\n")
	writeFile(t, filepath.Join(dir, "m.go"), "package m\nimport _ \"example.com/a\"\nimport _ \"example.com/c\"\n")
	d, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if b := packageNamed(t, d, "example.com/b"); b.Version != "v1.3.0" {
		t.Errorf("version %s, the highest asked for is v1.3.0", b.Version)
	}
}

func TestWorkspace(t *testing.T) {
	t.Parallel()
	dir, o := moduleTree(t)
	writeFile(t, filepath.Join(dir, "go.work"), "go 1.24\n\nuse (\n\t.\n\t./local\n\t./tools\n)\n")
	d, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Join(related(d), "\n")
	for _, want := range []string{"tree CONTAINS example.com/tools", "example.com/tools DEPENDS_ON example.com/never", "tree DEPENDS_ON example.com/local"} {
		if !strings.Contains(list, want) {
			t.Errorf("%s is missing in\n%s", want, list)
		}
	}
}

func TestSupplierAndDownload(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, version, supplier, download string }{
		{"github.com/Foo/bar", "v1.0.0", "Foo", "git+https://github.com/Foo/bar@v1.0.0"},
		{"github.com/foo/bar/v3", "v3.0.1", "foo", "git+https://github.com/foo/bar@v3.0.1"},
		{"github.com/foo/bar/sub/mod", "v0.2.0", "foo", "git+https://github.com/foo/bar@sub/mod/v0.2.0"},
		{"github.com/foo/bar/sub", "v0.0.0-20240102030405-0123456789ab", "foo", "git+https://github.com/foo/bar@0123456789ab"},
		{"github.com/foo/bar", "v4.5.6+incompatible", "foo", "git+https://github.com/foo/bar@v4.5.6"},
		{"golang.org/x/net", "v0.1.0", "The Go Authors", "git+https://go.googlesource.com/net@v0.1.0"},
		{"gopkg.in/yaml.v3", "v3.0.1", "gopkg.in", "git+https://github.com/go-yaml/yaml@v3.0.1"},
		{"gopkg.in/src-d/go-git.v4", "v4.1.0", "src-d", "git+https://github.com/src-d/go-git@v4.1.0"},
		{"k8s.io/api", "v0.1.0", "k8s.io", "git+https://github.com/kubernetes/api@v0.1.0"},
		{"go.uber.org/zap", "v1.27.0", "go.uber.org", ""},
		{"local", "", "", ""},
	}
	for _, tt := range tests {
		if have := supplierOf(tt.path).Name; have != tt.supplier {
			t.Errorf("%s: supplier %q, want %q", tt.path, have, tt.supplier)
		}
		if have := downloadOf(tt.path, tt.version); have != tt.download {
			t.Errorf("%s: %q, want %q", tt.path, have, tt.download)
		}
	}
}

func TestParseImports(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text  string
		want  []string
		whole bool
	}{
		{"package a\nimport \"example.com/b\"\nfunc f() {", []string{"example.com/b"}, true},
		{"package a\nimport \"fmt\"\n", nil, true},
		{"//go:build linux && cgo\n\npackage a\nimport \"x.y/z\"\n", []string{"x.y/z"}, true},
		{"//go:build !linux\n\npackage a\nimport \"x.y/z\"\n", []string{"x.y/z"}, true},
		{"//go:build ignore\n\npackage a\nimport \"x.y/z\"\n", nil, true},
		{"//go:build tools && linux\n\npackage a\nimport \"x.y/z\"\n", nil, true},
		{"//go:build !race\n\npackage a\nimport \"x.y/z\"\n", []string{"x.y/z"}, true},
		{"//go:build go1.20 || ignore\n\npackage a\nimport \"x.y/z\"\n", []string{"x.y/z"}, true},
		{"package a\nimport (\n\t\"x.y/z\"\n\t\"x.y", []string{"x.y/z"}, false},
		{"not go at all", nil, false},
	}
	for _, tt := range tests {
		have, whole := parseImports([]byte(tt.text))
		if diff := cmp.Diff(tt.want, have); diff != "" || whole != tt.whole {
			t.Errorf("%q: %v, whole %v", tt.text, diff, whole)
		}
	}
}

func FuzzParseImports(f *testing.F) {
	f.Add([]byte("//go:build linux\n\npackage a\nimport \"x.y/z\"\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { parseImports(text) })
}

func FuzzModulesTxt(f *testing.F) {
	f.Add("# example.com/a v1.0.0\n## explicit; go 1.20\nexample.com/a\n# x => y z\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "vendor/modules.txt"), text)
		file, err := modfileOf("module m\nrequire example.com/a v1.0.0 // indirect\n")
		if err != nil {
			t.Fatal(err)
		}
		tree := &goTree{file: file}
		if _, err := tree.vendored(dir); err != nil {
			t.Fatal(err)
		}
		for key, m := range tree.modules {
			if key == "" || m.path == "" {
				t.Errorf("a module without a name: %+v", m)
			}
		}
	})
}
