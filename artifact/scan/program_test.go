package scan

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"seaworthy/artifact/sbom"
)

func modfileOf(text string) (*modfile.File, error) { return modfile.Parse("go.mod", []byte(text), nil) }

// goProgram builds a small program with a dependency that lies beside it.
func goProgram(t testing.TB, dir string) string {
	t.Helper()
	for name, text := range map[string]string{
		"go.mod":     "module example.com/hello\n\ngo 1.24\n\nrequire example.com/dep v0.0.0\n\nreplace example.com/dep => ./dep\n",
		"main.go":    "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Word) }\n",
		"dep/go.mod": "module example.com/dep\n\ngo 1.24\n",
		"dep/d.go":   "package dep\n\nvar Word = \"hello\"\n",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	out := filepath.Join(dir, "hello")
	c := exec.Command("go", "build", "-o", out, ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building a program to look into: %v: %s", err, b)
	}
	return out
}

func TestProgram(t *testing.T) {
	t.Parallel()
	file := goProgram(t, t.TempDir())
	d, err := Program(t.Context(), file, given(t))
	if err != nil {
		t.Fatal(err)
	}
	own := packageNamed(t, d, "example.com/hello")
	if own.Purpose != sbom.Application || !strings.Contains(own.Comment, "CGO_ENABLED=0") || !strings.Contains(own.Comment, "GOOS="+runtime.GOOS) {
		t.Errorf("%+v", own)
	}
	std := packageNamed(t, d, "stdlib")
	if std.Version != strings.TrimPrefix(runtime.Version(), "go") || std.Concluded != "BSD-3-Clause" {
		t.Errorf("%+v", std)
	}
	list := strings.Join(related(d), "\n")
	if !strings.Contains(list, "example.com/hello DEPENDS_ON stdlib") || !strings.Contains(list, "example.com/hello DEPENDS_ON example.com/dep") {
		t.Error(list)
	}
	if got := d.Described(); len(got) != 1 || got[0] != own.ID {
		t.Errorf("describes %v", got)
	}
	if len(d.Files) != 1 || d.Files[0].Name != "hello" || len(d.Files[0].Checksums) != 3 {
		t.Errorf("%+v", d.Files)
	}
}

// What the build did not record is what the caller says.
func TestProgramOfWhom(t *testing.T) {
	t.Parallel()
	o := given(t)
	o.Version, o.Supplier = "1.2.3", sbom.Actor{Kind: sbom.Organization, Name: "Harbour"}
	d, err := Program(t.Context(), goProgram(t, t.TempDir()), o)
	if err != nil {
		t.Fatal(err)
	}
	if own := packageNamed(t, d, "example.com/hello"); own.Version != "1.2.3" || own.Supplier != o.Supplier {
		t.Errorf("it is version %q by %v", own.Version, own.Supplier)
	}
}

func TestNoProgram(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "x")
	writeFile(t, name, "\x7fELF but broken")
	if _, err := Program(t.Context(), name, given(t)); !errors.Is(err, ErrBroken) {
		t.Errorf("%v", err)
	}
	d, err := Files(t.Context(), []string{name}, given(t))
	if err != nil || len(d.Files) != 1 || len(d.Packages) != 0 {
		t.Errorf("a broken program is a file: %v", err)
	}
}

func FuzzReadProgram(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Add([]byte("MZ"))
	f.Add([]byte("\xcf\xfa\xed\xfe"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := readProgram(bytes.NewReader(data)); err != nil {
			t.Error(err)
		}
	})
}
