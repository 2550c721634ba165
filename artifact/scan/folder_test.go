package scan

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact/sbom"
)

// given are options that do not depend on the machine.
func given(t testing.TB) Options {
	return Options{Created: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Licenses: licences(), ModuleCache: filepath.Join(t.TempDir(), "none")}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "halyard")
	for name, text := range map[string]string{
		"LICENSE":          mitText,
		"main.go":          apacheHeader,
		"data.bin":         "\x00\x01\x02",
		"api.pb":           "\x00\x01" + apacheHeader,
		"docs/index.md":    "# Halyard\n",
		".gitignore":       "*.log\n",
		"noise.log":        "x",
		".git/config":      "[core]\n",
		"third/COPYING":    mitText,
		"empty":            "",
		"cut/license.go":   "package cut\n",
		"cut/LICENSE.html": "<p>none</p>",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "leak")); err != nil {
		t.Fatal(err)
	}
	o := given(t)
	o.Version = "v1.0.0"
	d, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range d.Files {
		names = append(names, f.Name)
	}
	want := []string{".gitignore", "LICENSE", "api.pb", "cut/LICENSE.html", "cut/license.go", "data.bin", "docs/index.md", "empty", "main.go", "third/COPYING"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	p := packageNamed(t, d, "halyard")
	if p.Concluded != "MIT" || p.Version != "v1.0.0" || !p.FilesAnalyzed || p.Copyright != "Copyright (c) 2019 Jane Doe <jane@example.com>" {
		t.Errorf("%+v", p)
	}
	if diff := cmp.Diff([]string{"Apache-2.0", "MIT"}, p.FromFiles); diff != "" {
		t.Error(diff)
	}
	main := fileNamed(t, d, "main.go")
	if main.Concluded != "Apache-2.0" || sbom.Sum(main.Checksums, sbom.SHA256) == "" || sbom.Sum(main.Checksums, sbom.SHA512) == "" || main.Types[0] != sbom.SourceFile {
		t.Errorf("%+v", main)
	}
	if got := sbom.Sum(fileNamed(t, d, "empty").Checksums, sbom.SHA1); got != "da39a3ee5e6b4b0d3255bfef95601890afd80709" {
		t.Errorf("SHA1 of nothing: %s", got)
	}
	if got := fileNamed(t, d, "api.pb").Concluded; got != "Apache-2.0" {
		t.Errorf("api.pb: %q", got)
	}
	if got := d.Described(); len(got) != 1 || got[0] != p.ID {
		t.Errorf("describes %v", got)
	}
	contained := 0
	for _, r := range d.Relationships {
		if r.From == p.ID && r.Type == sbom.Contains {
			contained++
		}
	}
	if contained != len(want) {
		t.Errorf("%d files contained", contained)
	}
	again, err := Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, again); diff != "" {
		t.Errorf("another time, another document: %s", diff)
	}
}

func TestUnknownLicenceFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "x")
	writeFile(t, filepath.Join(dir, "LICENSE"), "You may do what pleases the harbour master.\n")
	d, err := Folder(t.Context(), dir, given(t))
	if err != nil {
		t.Fatal(err)
	}
	p := packageNamed(t, d, "x")
	if !strings.HasPrefix(p.Concluded, "LicenseRef-LICENSE-") || len(d.Licenses) != 1 || !strings.Contains(d.Licenses[0].Text, "harbour master") {
		t.Errorf("%q %+v: an unknown licence is kept with its text", p.Concluded, d.Licenses)
	}
}

func TestIsLicenceName(t *testing.T) {
	t.Parallel()
	yes := []string{"LICENSE", "License.txt", "LICENSE.md", "LICENCE", "COPYING", "COPYING.LESSER", "LICENSE-MIT", "LICENSE_APACHE", "licenses", "UNLICENSE", "copyright", "LICENSE.html"}
	no := []string{"license.go", "license_test.go", "licenses.go", "README", "licensed", "copyrights.py", "LICENSEE"}
	for _, n := range yes {
		if !isLicenceName(n) {
			t.Errorf("%s is one", n)
		}
	}
	for _, n := range no {
		if isLicenceName(n) {
			t.Errorf("%s is none", n)
		}
	}
}

func TestFolderFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Folder(t.Context(), filepath.Join(dir, "missing"), given(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	writeFile(t, filepath.Join(dir, "file"), "x")
	if _, err := Folder(t.Context(), filepath.Join(dir, "file"), given(t)); err == nil {
		t.Error("a file is no folder")
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Folder(stopped, dir, given(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	writeFile(t, filepath.Join(dir, "go.mod"), "module\n")
	if _, err := Folder(t.Context(), dir, given(t)); !errors.Is(err, ErrBroken) {
		t.Errorf("broken go.mod: %v", err)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.txt"), "a")
	writeFile(t, filepath.Join(dir, "LICENSE"), mitText)
	d, err := Files(t.Context(), []string{filepath.Join(dir, "a.txt"), filepath.Join(dir, "LICENSE")}, given(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Files) != 2 || len(d.Described()) != 2 || d.Files[1].Concluded != "MIT" {
		t.Errorf("%+v", d)
	}
	if _, err := Files(t.Context(), []string{dir}, given(t)); err == nil {
		t.Error("a folder is no file")
	}
}

func packageNamed(t testing.TB, d sbom.Document, name string) sbom.Package {
	t.Helper()
	i := slices.IndexFunc(d.Packages, func(p sbom.Package) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no package %s among %d", name, len(d.Packages))
	}
	return d.Packages[i]
}

func fileNamed(t testing.TB, d sbom.Document, name string) sbom.File {
	t.Helper()
	i := slices.IndexFunc(d.Files, func(f sbom.File) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no file %s among %d", name, len(d.Files))
	}
	return d.Files[i]
}

// related lists how a package relates to others, by their names.
func related(d sbom.Document) []string {
	names := map[sbom.ID]string{}
	for _, p := range d.Packages {
		names[p.ID] = p.Name
	}
	var list []string
	for _, r := range d.Relationships {
		if names[r.From] != "" && names[r.To] != "" {
			list = append(list, names[r.From]+" "+string(r.Type)+" "+names[r.To])
		}
	}
	slices.Sort(list)
	return list
}
