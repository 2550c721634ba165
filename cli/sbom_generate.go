package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"seaworthy/artifact/image"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sbom"
	"seaworthy/artifact/scan"
	"seaworthy/git"
)

// generateFlags are the flags of sbom generate.
type generateFlags struct {
	sbomOutput
	folders, files, images, imageArchives, archives, programs []string

	config, name, version, namespace, supplier, license, comment, created string
	licenseSet, statement                                                 string
	authors, external                                                     []string
	noImagePackages                                                       bool
	options                                                               scan.Options
}

func newSBOMGenerate(s Streams) *cobra.Command {
	var f generateFlags
	c := &cobra.Command{
		Use:   "generate [PATH…]",
		Short: "Describe folders, files, archives, images and programs",
		Long: `Makes one bill of materials of everything named. A PATH is a folder, an archive by its name's ending, or else a file;
flags say so where that is wrong.

A folder is described with the checksums, licences and copyright notices of its files, and with the Go modules its code
needs; what git ignores is left out. Of images, the layers, the packages of the distribution and the programs that Go
built are described, of programs the modules they were built of.

The same input gives the same document, byte for byte, if it is dated the same: by --created or SOURCE_DATE_EPOCH.`,
		Example: `  seaworthy sbom generate . --name halyard --supplier "Organization: Example" --output halyard.spdx.json
  seaworthy sbom generate --image registry.example.org/halyard:v1.2.0 --format cyclonedx-json
  seaworthy sbom generate --archive dist/halyard_1.2.0_linux_amd64.tar.gz --output halyard.spdx`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), s, args) },
	}
	f.add(c)
	fl := c.Flags()
	fl.StringSliceVarP(&f.folders, "dir", "d", nil, "`folder` to describe; repeat it for more, as all of these")
	fl.StringSliceVarP(&f.files, "file", "f", nil, "`file` to describe; the name may hold * and ?")
	fl.StringSliceVar(&f.archives, "archive", nil, "`archive` to describe: tar, also compressed, or zip")
	fl.StringSliceVarP(&f.images, "image", "i", nil, "image in a registry, by its `reference`")
	fl.StringSliceVar(&f.imageArchives, "image-archive", nil, "image in a `file` or folder: as docker and skopeo save it, or an OCI layout")
	fl.StringSliceVar(&f.programs, "program", nil, "`file` that Go built, to be described by what it was built of")
	fl.StringVarP(&f.config, "config", "c", "", "YAML `file` that lists what to describe, as bom has it")
	fl.StringVar(&f.name, "name", "", "`name` of the document, and of what it describes if that is one thing")
	fl.StringVar(&f.version, "version", "", "`version` of what is described (of a folder, by git describe if empty)")
	fl.StringVarP(&f.namespace, "namespace", "n", "", "`URI` that names the document (a digest of its content if empty)")
	fl.StringVar(&f.supplier, "supplier", "", "who hands it out: \"Organization: `NAME` (mail)\" or \"Person: …\"")
	fl.StringVarP(&f.license, "license", "l", "", "licence `expression` that is declared for what is described")
	fl.StringVar(&f.options.Download, "download", "", "`URI` where it can be fetched")
	fl.StringSliceVar(&f.authors, "author", nil, "who makes the document, beside this program: \"Person: `NAME`\"")
	fl.StringVar(&f.comment, "comment", "", "`text` on the document")
	fl.StringVar(&f.created, "created", "", "`time` the document is dated, such as 2026-01-02T03:04:05Z (SOURCE_DATE_EPOCH, or else now, if empty)")
	fl.StringSliceVar(&f.external, "external-doc", nil, "document this one refers to: `NAME=FILE`")
	fl.StringVar(&f.licenseSet, "license-list-version", "", "`version` of the SPDX licence list to state, such as 3.27")
	fl.StringVar(&f.statement, "statement", "", "`file` for an in-toto statement whose predicate is the document, of what it describes")
	fl.StringSliceVar(&f.options.Ignore, "ignore", nil, "`pattern` of files to leave out of folders, as in .gitignore")
	fl.BoolVar(&f.options.NoGitignore, "no-gitignore", false, "describe also what .gitignore leaves out")
	fl.BoolVar(&f.options.NoGoModules, "no-go-modules", false, "do not look for Go modules")
	fl.BoolVar(&f.options.NoTransitive, "no-transitive", false, "only Go modules that the folder's own code names")
	fl.BoolVar(&f.options.NoLicenses, "no-licenses", false, "do not search texts for licences")
	fl.BoolVar(&f.options.ImageFiles, "image-files", false, "list every file of an image")
	fl.BoolVar(&f.noImagePackages, "no-image-packages", false, "only the layers of an image, not what is in them")
	return c
}

// source is one thing to describe.
type source struct {
	kind, path, license string
	noGoModules         bool
}

// Kinds of sources, as bom's configuration names them.
const (
	sourceFolder       = "directory"
	sourceFile         = "file"
	sourceArchive      = "archive"
	sourceImage        = "image"
	sourceImageArchive = "docker-archive"
	sourceProgram      = "program"
)

func (f *generateFlags) run(ctx context.Context, s Streams, args []string) error {
	format, err := f.check()
	if err != nil {
		return err
	}
	created, err := momentOf(f.created)
	if err != nil {
		return err
	}
	sources, external, err := f.sources(args)
	if err != nil {
		return err
	}
	for _, text := range append([]string{f.license}, licensesOfSources(sources)...) {
		if err := checkExpression(text); err != nil {
			return err
		}
	}
	named, err := f.externalDocs()
	if err != nil {
		return err
	}
	f.options.Created, f.options.Version, f.options.Supplier = created, f.version, sbom.ParseActor(f.supplier)
	if len(sources) == 1 {
		f.options.Name = f.name
	}
	if f.options.Licenses == nil && !f.options.NoLicenses {
		if f.options.Licenses, err = scan.NewLicenses(); err != nil {
			return err
		}
	}
	d, err := f.describe(ctx, sources)
	if err != nil {
		return err
	}
	f.sign(&d, append(external, named...))
	if err := d.Normalize(); err != nil {
		return err
	}
	fmt.Fprintf(s.Err, "%s: %s, %s.\n", d.Name, count(len(d.Packages), "package", "packages"), count(len(d.Files), "file", "files"))
	if err := f.write(s, d); err != nil {
		return err
	}
	return f.writeStatement(d, format)
}

func licensesOfSources(sources []source) []string {
	var all []string
	for _, src := range sources {
		all = append(all, src.license)
	}
	return all
}

func checkExpression(text string) error {
	if text == "" {
		return nil
	}
	e, err := sbom.ParseExpression(text)
	if err != nil {
		return usageError{err}
	}
	if unknown := e.Unknown(); len(unknown) > 0 {
		return usagef("%q is not in the SPDX licence list (https://spdx.org/licenses)", unknown[0])
	}
	return nil
}

// describe scans all sources and makes one document of them.
func (f *generateFlags) describe(ctx context.Context, sources []source) (sbom.Document, error) {
	var docs []sbom.Document
	for _, src := range sources {
		d, err := f.scan(ctx, src)
		if err != nil {
			return d, err
		}
		license := src.license
		if license == "" {
			license = f.license
		}
		if license != "" {
			declare(&d, license)
		}
		docs = append(docs, d)
	}
	if len(docs) == 1 {
		return docs[0], nil
	}
	name := f.name
	if name == "" {
		name = docs[0].Name
	}
	return sbom.Merge(name, f.options.Created, docs...)
}

func (f *generateFlags) scan(ctx context.Context, src source) (sbom.Document, error) {
	o := f.options
	o.NoGoModules = o.NoGoModules || src.noGoModules
	switch src.kind {
	case sourceFolder:
		if o.Version == "" {
			o.Version = describeFolder(ctx, src.path)
		}
		return scan.Folder(ctx, src.path, o)
	case sourceArchive:
		return scan.Archive(ctx, src.path, o)
	case sourceImage, sourceImageArchive:
		o.Transport, o.Keychain = image.Bounded{Inner: remote.DefaultTransport}, image.Logins()
		d, err := scan.Image(ctx, src.path, o)
		if f.noImagePackages {
			layersOnly(&d)
		}
		return d, err
	case sourceProgram:
		return scan.Program(ctx, src.path, o)
	}
	return scan.Files(ctx, []string{src.path}, o)
}

// layersOnly leaves images and their layers in a document.
func layersOnly(d *sbom.Document) {
	d.Files = nil
	d.Packages = slices.DeleteFunc(d.Packages, func(p sbom.Package) bool {
		return p.Purpose != sbom.Container && p.Purpose != sbom.OtherPurpose
	})
	kept := map[sbom.ID]bool{sbom.DocumentID: true}
	for _, p := range d.Packages {
		kept[p.ID] = true
	}
	d.Relationships = slices.DeleteFunc(d.Relationships, func(r sbom.Relationship) bool { return !kept[r.From] || !kept[r.To] })
}

// describeFolder asks git which version a folder holds; empty if it cannot tell.
func describeFolder(ctx context.Context, dir string) string {
	out, err := (&git.Repository{Dir: dir}).Git(ctx, "describe", "--tags", "--always", "--dirty")
	if err != nil {
		return "" // no repository, or no commit in it
	}
	return trim(out)
}

// declare states a licence of what a document describes.
func declare(d *sbom.Document, license string) {
	described := d.Described()
	for i := range d.Packages {
		if p := &d.Packages[i]; slices.Contains(described, p.ID) {
			p.Declared = license
		}
	}
	for i := range d.Files {
		if file := &d.Files[i]; slices.Contains(described, file.ID) {
			file.Concluded = license
		}
	}
}

// sign says whose the document is.
func (f *generateFlags) sign(d *sbom.Document, external []sbom.ExternalDoc) {
	if f.name != "" {
		d.Name = f.name
	}
	d.Created, d.Namespace, d.Comment, d.External = f.options.Created, f.namespace, f.comment, append(d.External, external...)
	if v := strings.TrimPrefix(f.licenseSet, "v"); v != "" && v != "latest" {
		// SPDX states two numbers of the list's version.
		parts := strings.Split(v, ".")
		d.LicenseSet = strings.Join(parts[:min(2, len(parts))], ".")
	}
	authors := []sbom.Actor{self()}
	for _, a := range f.authors {
		authors = append(authors, sbom.ParseActor(a))
	}
	d.Authors = authors
}

// writeStatement writes an in-toto statement about what the document describes.
// Folders have no digest of their own: their files stand for them.
func (f *generateFlags) writeStatement(d sbom.Document, format sbom.Format) error {
	if f.statement == "" {
		return nil
	}
	kind := "https://spdx.dev/Document/v2.3"
	if format == sbom.CycloneDXJSON {
		kind = "https://cyclonedx.org/bom"
	} else {
		format = sbom.SPDXJSON
	}
	var b bytes.Buffer
	if err := sbom.Write(&b, d, format); err != nil {
		return err
	}
	st, err := provenance.New(statementSubjects(d), kind, json.RawMessage(b.Bytes()))
	if err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	text, err := st.Encode()
	if err != nil {
		return err
	}
	return writeNew(f.statement, append(text, '\n'), true)
}

func statementSubjects(d sbom.Document) []provenance.Resource {
	described := d.Described()
	within := map[sbom.ID]bool{}
	var all []provenance.Resource
	add := func(name string, sums []sbom.Checksum) bool {
		digest := map[string]string{}
		for _, a := range []sbom.ChecksumAlgorithm{sbom.SHA256, sbom.SHA512} {
			if v := sbom.Sum(sums, a); v != "" {
				digest[strings.ToLower(string(a))] = v
			}
		}
		if len(digest) > 0 {
			all = append(all, provenance.Resource{Name: name, Digest: digest})
		}
		return len(digest) > 0
	}
	for _, p := range d.Packages {
		if !slices.Contains(described, p.ID) || add(p.Name, p.Checksums) {
			continue
		}
		for _, r := range d.Relationships {
			if r.From == p.ID && r.Type == sbom.Contains {
				within[r.To] = true
			}
		}
	}
	for _, file := range d.Files {
		if within[file.ID] || slices.Contains(described, file.ID) {
			add(file.Name, file.Checksums)
		}
	}
	return all
}

// archiveEndings are what names of archives end in.
var archiveEndings = []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".zip"}

// sources lists everything the command line and the configuration name.
func (f *generateFlags) sources(args []string) ([]source, []sbom.ExternalDoc, error) {
	var all []source
	add := func(kind string, paths []string) {
		for _, p := range paths {
			all = append(all, source{kind: kind, path: p})
		}
	}
	for _, path := range args {
		info, err := os.Stat(path)
		if err != nil {
			return nil, nil, usageError{err}
		}
		kind := sourceFile
		switch isArchive := func(end string) bool { return strings.HasSuffix(path, end) }; {
		case info.IsDir():
			kind = sourceFolder
		case slices.ContainsFunc(archiveEndings, isArchive):
			kind = sourceArchive
		}
		add(kind, []string{path})
	}
	for _, patterns := range []struct {
		kind string
		list []string
	}{{sourceFolder, f.folders}, {sourceFile, f.files}} {
		paths, err := expand(patterns.list)
		if err != nil {
			return nil, nil, err
		}
		add(patterns.kind, paths)
	}
	add(sourceArchive, f.archives)
	add(sourceImage, f.images)
	add(sourceImageArchive, f.imageArchives)
	add(sourceProgram, f.programs)
	listed, external, err := f.readConfig()
	if err != nil {
		return nil, nil, err
	}
	all = append(all, listed...)
	if len(all) == 0 {
		return nil, nil, usagef("name what to describe: a path, or --dir, --file, --archive, --image, --image-archive, --program, --config")
	}
	for _, src := range all {
		if src.kind == sourceImage {
			continue
		}
		if _, err := os.Stat(src.path); err != nil {
			return nil, nil, usageError{err}
		}
	}
	return all, external, nil
}

// expand replaces patterns by the files they match. A name that matches nothing
// is kept, so that it is told of.
func expand(patterns []string) ([]string, error) {
	var all []string
	for _, p := range patterns {
		if _, err := os.Stat(p); err == nil || !strings.ContainsAny(p, "*?[") {
			all = append(all, p)
			continue
		}
		paths, err := filepath.Glob(p)
		if err != nil {
			return nil, usagef("%q: %w", p, err)
		}
		if len(paths) == 0 {
			return nil, usagef("nothing matches %q", p)
		}
		all = append(all, paths...)
	}
	return all, nil
}
