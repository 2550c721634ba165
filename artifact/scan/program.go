package scan

import (
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"seaworthy/artifact/sbom"
)

// program is what a Go program says it was built of.
type program struct {
	info *debug.BuildInfo
}

// magics begin files that may be programs: ELF, Mach-O in both orders and fat,
// PE, XCOFF, WebAssembly has no build information that can be read here.
var magics = [][]byte{
	[]byte("\x7fELF"), []byte("\xfe\xed\xfa\xce"), []byte("\xfe\xed\xfa\xcf"), []byte("\xce\xfa\xed\xfe"), []byte("\xcf\xfa\xed\xfe"),
	[]byte("\xca\xfe\xba\xbe"), []byte("MZ"), []byte("\x01\xf7"), []byte("\x01\xdf"),
}

func mayBeProgram(head []byte) bool {
	return slices.ContainsFunc(magics, func(m []byte) bool { return bytes.HasPrefix(head, m) })
}

// readProgram reads the build information of a Go program; nil if it is none. A
// damaged program is taken for one that is not Go's: it is described as a file.
func readProgram(r io.ReaderAt) (p *program, err error) {
	defer func() {
		// The readers of executables in the standard library are not hardened
		// against files made to break them.
		if broken := recover(); broken != nil {
			p, err = nil, nil
		}
	}()
	info, err := buildinfo.Read(r)
	if err != nil {
		return nil, nil // not Go's, or stripped of it
	}
	return &program{info: info}, nil
}

// Program describes a program that Go built: the module it is of, the modules it
// was built with, Go's standard library, how it was built and of which commit. A
// file without Go's build information is ErrBroken.
func Program(ctx context.Context, file string, o Options) (sbom.Document, error) {
	o, err := o.complete()
	if err != nil {
		return sbom.Document{}, err
	}
	if err := ctx.Err(); err != nil {
		return sbom.Document{}, err
	}
	f, err := oneFile(newMeasurer(nil), file)
	if err != nil {
		return sbom.Document{}, failed(file, err)
	}
	if f.program == nil {
		return sbom.Document{}, failed(file, fmt.Errorf("%w: it holds no build information of Go", ErrBroken))
	}
	name := o.Name
	if name == "" {
		name = path.Base(f.path)
	}
	d := o.begin(name)
	f.path = path.Base(f.path)
	itself := f.file(sbom.PackageID("", name, o.Version))
	d.AddFile(itself)
	own := f.program.describe(&d, itself)
	for i := range d.Packages {
		// The caller knows who hands it out, and maybe what the build did not
		// record.
		if q := &d.Packages[i]; q.ID == own {
			q.Version = cmp.Or(q.Version, o.Version)
			q.Supplier = cmp.Or(o.Supplier, q.Supplier)
		}
	}
	d.Relate(sbom.DocumentID, sbom.Describes, own)
	return d, nil
}

// describe adds the packages of a program to the document, relates its file to
// them, and returns the id of the program's own package.
func (p *program) describe(d *sbom.Document, file sbom.File) sbom.ID {
	name := path.Base(file.Name)
	main := p.info.Main
	if main.Path == "" {
		main.Path = p.info.Path // built outside a module
	}
	if main.Path == "" {
		main.Path = name
	}
	version, commit := p.version()
	own := goPackage(module{path: main.Path, version: version, sum: main.Sum})
	own.ID = sbom.PackageID("gobinary", main.Path, version, name)
	own.Purpose, own.FileName, own.Checksums, own.FilesAnalyzed = sbom.Application, name, file.Checksums, true
	own.FromFiles = []string{sbom.None}
	own.Source = "Go build information of " + name
	own.Comment = p.settings()
	if commit != "" && own.Download == "" {
		own.Comment += "\nBuilt of commit " + commit + "."
	}
	d.Add(own)
	d.Relate(own.ID, sbom.Contains, file.ID)
	std := standardLibrary(p.info.GoVersion)
	if std.Name != "" {
		d.Relate(own.ID, sbom.DependsOn, d.Add(std))
	}
	for _, dep := range p.info.Deps {
		m := module{path: dep.Path, version: dep.Version, sum: dep.Sum}
		if r := dep.Replace; r != nil && (r.Version == "" || r.Version == "(devel)") {
			m.version, m.sum = "", "" // a folder of the machine that built it
		} else if r != nil {
			m.replaced, m.replacement = dep.Path+" "+dep.Version, true
			m.path, m.version, m.sum = r.Path, r.Version, r.Sum
		}
		d.Relate(own.ID, sbom.DependsOn, d.Add(goPackage(m)))
	}
	return own.ID
}

// version is the version of the program's own module and the commit it was
// built of.
func (p *program) version() (version, commit string) {
	version = p.info.Main.Version
	for _, s := range p.info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	if version == "(devel)" {
		version = ""
	}
	if version == "" {
		version = commit
	}
	return version, commit
}

// settings tells how the program was built, without what is only of the machine.
func (p *program) settings() string {
	var list []string
	for _, s := range p.info.Settings {
		switch {
		case strings.HasPrefix(s.Key, "vcs"), s.Key == "GOOS", s.Key == "GOARCH", s.Key == "CGO_ENABLED", s.Key == "-tags", s.Key == "-trimpath", s.Key == "-buildmode", s.Key == "DefaultGODEBUG",
			s.Key == "GOARM", s.Key == "GOAMD64", s.Key == "GOARM64", s.Key == "GOFIPS140", s.Key == "-ldflags":
			list = append(list, s.Key+"="+s.Value)
		}
	}
	return "Built by " + p.info.GoVersion + " with " + strings.Join(list, " ") + "."
}

// standardLibrary is the part of Go that every program holds.
func standardLibrary(goVersion string) sbom.Package {
	version, _, _ := strings.Cut(strings.TrimPrefix(goVersion, "go"), " ")
	if version == "" || version == goVersion {
		return sbom.Package{} // built by an unreleased Go: it has no number
	}
	return sbom.Package{
		ID: sbom.PackageID("gomod", "stdlib", version), Name: "stdlib", Version: version, Purpose: sbom.Library,
		Supplier: sbom.Actor{Kind: sbom.Organization, Name: "The Go Authors"},
		PURL:     "pkg:golang/stdlib@" + version, Homepage: "https://go.dev",
		Download:  "git+https://go.googlesource.com/go@go" + version,
		CPEs:      []string{"cpe:2.3:a:golang:go:" + version + ":*:*:*:*:*:*:*"},
		Concluded: "BSD-3-Clause", Declared: "BSD-3-Clause", Copyright: "Copyright 2009 The Go Authors.",
	}
}
