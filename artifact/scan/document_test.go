package scan

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/artifact/sbom"
)

// TestDocumentsAreValid writes what every kind of scan gives in every format, and
// holds it to SPDX and to NTIA's minimum elements.
func TestDocumentsAreValid(t *testing.T) {
	t.Parallel()
	tree, o := moduleTree(t)
	o.Version, o.Supplier = "v1.0.0", sbom.Actor{Kind: sbom.Organization, Name: "The Harbour"}
	program := goProgram(t, t.TempDir())
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "x.tar.gz")
	writeFile(t, archive, string(gzipOf(t, makeTar(t, tarEntry{name: "LICENSE", text: mitText}, tarEntry{name: "odd/LICENSE", text: "who knows"}, tarEntry{name: "hello", text: string(binary)}))))
	image := imageOf(t, "amd64", append(debianLayers(t), layerOf(t, tarEntry{name: "bin/hello", text: string(binary)}, tarEntry{name: "lib/apk/db/installed", text: apkInstalled}))...)
	files := o
	files.ImageFiles = true
	scans := map[string]func() (sbom.Document, error){
		"folder":           func() (sbom.Document, error) { return Folder(t.Context(), tree, o) },
		"files":            func() (sbom.Document, error) { return Files(t.Context(), []string{archive, program}, o) },
		"archive":          func() (sbom.Document, error) { return Archive(t.Context(), archive, o) },
		"program":          func() (sbom.Document, error) { return Program(t.Context(), program, o) },
		"image":            func() (sbom.Document, error) { return ImageOf(t.Context(), "example.com/x", image, o) },
		"image with files": func() (sbom.Document, error) { return ImageOf(t.Context(), "example.com/x", image, files) },
	}
	// What nobody knows is not made up: a folder replaced into a module, a program
	// built outside a repository, have no version.
	unknown := map[string]bool{"example.com/local": true, "example.com/hello": true, "example.com/dep": true}
	schemas := publishedSchemas(t)
	for name, scan := range scans {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := scan()
			if err != nil {
				t.Fatal(err)
			}
			d.Authors = []sbom.Actor{{Kind: sbom.Tool, Name: "seaworthy"}}
			if err := d.Normalize(); err != nil {
				t.Fatal(err)
			}
			for _, f := range sbom.Validate(d) {
				if !unknown[f.Name] || f.Text != "it has no version" {
					t.Errorf("%s %s: %s", f.Rule, f.Name, f.Text)
				}
			}
			for _, format := range []string{"x.spdx.json", "x.spdx", "x.cdx.json"} {
				f, ok := sbom.FormatOf(format)
				if !ok {
					t.Fatalf("%s is no format", format)
				}
				var first, second bytes.Buffer
				if err := sbom.Write(&first, d, f); err != nil {
					t.Fatal(err)
				}
				if err := sbom.Write(&second, d, f); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
					t.Errorf("%s: %v, or other bytes", format, err)
				}
				schemas.check(t, format, first.Bytes())
			}
		})
	}
}

// TestCommit reads which commit a folder is a checkout of.
func TestCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		c := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com"}, args...)...)
		c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir)
		out, err := c.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	writeFile(t, filepath.Join(dir, "a"), "a")
	git("init", "-q", "-b", "main")
	version := func() string {
		t.Helper()
		o := given(t)
		o.Name = "x"
		d, err := Folder(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return packageNamed(t, d, "x").Version
	}
	if v := version(); v != "" {
		t.Errorf("before the first commit: %q", v)
	}
	git("add", "a")
	git("commit", "-q", "-m", "a")
	head := git("rev-parse", "HEAD")
	if v := version(); v != head {
		t.Errorf("%q, want %s", v, head)
	}
	git("pack-refs", "--all")
	if v := version(); v != head {
		t.Errorf("packed: %q, want %s", v, head)
	}
	git("checkout", "-q", "--detach")
	if v := version(); v != head {
		t.Errorf("detached: %q, want %s", v, head)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, ".git"), "gitdir: elsewhere\n")
	if v := version(); v != "" {
		t.Errorf("a worktree: %q", v)
	}
}
