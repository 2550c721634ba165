package scan

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"seaworthy/artifact/sbom"
)

// Folder describes a folder: a package that holds every regular file in it, with
// sums, licences and notices of copyright, and the Go modules that its code
// needs. Git's ignore files are honoured as git does; links are not followed.
// The folder's licence is concluded from the licence files at its root.
func Folder(ctx context.Context, dir string, o Options) (sbom.Document, error) {
	o, err := o.complete()
	if err != nil {
		return sbom.Document{}, err
	}
	d, err := folder(ctx, dir, o)
	if err != nil {
		return sbom.Document{}, failed(dir, err)
	}
	return d, nil
}

func folder(ctx context.Context, dir string, o Options) (sbom.Document, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return sbom.Document{}, err
	}
	if !info.IsDir() {
		return sbom.Document{}, fmt.Errorf("it is no folder: scan it as a file or an archive")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return sbom.Document{}, err
	}
	defer root.Close()
	var names []string
	if err := walk(ctx, dir, o, func(name string, _ fs.DirEntry) error {
		names = append(names, name)
		return nil
	}); err != nil {
		return sbom.Document{}, err
	}
	// By name as a whole, not folder by folder, so that archives of the same
	// files come out alike.
	slices.Sort(names)
	list, err := measureAll(ctx, root, names, o)
	if err != nil {
		return sbom.Document{}, err
	}
	name := o.Name
	if name == "" {
		if name, err = folderName(dir); err != nil {
			return sbom.Document{}, err
		}
	}
	d := o.begin(name)
	commit, err := headCommit(root)
	if err != nil {
		return sbom.Document{}, err
	}
	if o.Version == "" {
		o.Version = commit // what else tells this state of the folder from others
	}
	p := o.tree(&d, name, list)
	p.Purpose = sbom.SourceCode
	if commit != "" {
		p.Source = "git checkout of commit " + commit
	}
	if !o.NoGoModules {
		if err := goModules(ctx, dir, names, o, &p, &d); err != nil {
			return sbom.Document{}, err
		}
	}
	d.Add(p)
	d.Relate(sbom.DocumentID, sbom.Describes, p.ID)
	return d, nil
}

func folderName(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.Base(abs), nil
}

// tree makes a package of files that were measured, and adds the files to the
// document.
func (o Options) tree(d *sbom.Document, name string, list []found) sbom.Package {
	p := sbom.Package{
		ID: sbom.PackageID("", name, o.Version), Name: name, Version: o.Version,
		Supplier: o.Supplier, Download: o.Download, FilesAnalyzed: true,
	}
	licences := texts{}
	seen := map[string]bool{}
	for _, f := range list {
		file := f.file(p.ID)
		d.Relate(p.ID, sbom.Contains, d.AddFile(file))
		for _, id := range f.finding.IDs {
			seen[id] = true
		}
		d.Licenses = addLicences(d.Licenses, f.finding.Refs)
		if !strings.Contains(f.path, "/") && isLicenceName(f.path) && !f.binary && f.size > 0 {
			licences.add(f.path, f.finding)
			d.Licenses = addLicences(d.Licenses, licences.keep(f.path, f.finding))
		}
		if f.program != nil {
			d.Relate(p.ID, sbom.Contains, f.program.describe(d, file))
		}
	}
	for id := range seen {
		p.FromFiles = append(p.FromFiles, id)
	}
	slices.Sort(p.FromFiles)
	p.Concluded, p.LicenseNote, p.Copyright = licences.conclude()
	p.Declared = p.Concluded
	return p
}

// texts are the licence files of one package.
type texts struct {
	names     []string
	ids       []string
	copyright []string
}

func (t *texts) add(name string, f Finding) {
	t.names = append(t.names, name)
	if e := f.Expression(); e != "" {
		t.ids = append(t.ids, e)
	}
	for _, c := range f.Copyright {
		if !slices.Contains(t.copyright, c) {
			t.copyright = append(t.copyright, c)
		}
	}
}

// keep makes a licence of a licence file in which none is recognized, with its
// text.
func (t *texts) keep(name string, f Finding) []sbom.License {
	if len(f.IDs) > 0 || f.Text == "" {
		return nil
	}
	own := ownLicence(name, f.Text)
	t.ids = append(t.ids, own.ID)
	return []sbom.License{own}
}

// conclude gives the licence that all the files together mean, on what that
// rests, and the notices of copyright.
func (t *texts) conclude() (expression, note, copyright string) {
	if len(t.names) == 0 {
		return "", "", ""
	}
	expression = sbom.AllOf(t.ids...)
	note = "Concluded from " + strings.Join(t.names, ", ") + "."
	if expression == "" {
		note = "No known licence was recognized in " + strings.Join(t.names, ", ") + "."
	}
	return expression, note, strings.Join(t.copyright, "\n")
}

// addLicences adds texts of licences, each id once.
func addLicences(list, more []sbom.License) []sbom.License {
	for _, l := range more {
		if !slices.ContainsFunc(list, func(have sbom.License) bool { return have.ID == l.ID }) {
			list = append(list, l)
		}
	}
	return list
}

// Files describes single files, without a package around them. Programs that Go
// built come with the modules they were built of.
func Files(ctx context.Context, names []string, o Options) (sbom.Document, error) {
	o, err := o.complete()
	if err != nil {
		return sbom.Document{}, err
	}
	title := o.Name
	if title == "" && len(names) > 0 {
		title = filepath.Base(names[0])
	}
	d := o.begin(title)
	m := newMeasurer(o.Licenses)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return sbom.Document{}, err
		}
		f, err := oneFile(m, name)
		if err != nil {
			return sbom.Document{}, failed(name, err)
		}
		file := f.file(sbom.PackageID("", "", ""))
		d.Relate(sbom.DocumentID, sbom.Describes, d.AddFile(file))
		d.Licenses = addLicences(d.Licenses, f.finding.Refs)
		if f.program != nil {
			f.program.describe(&d, file)
		}
	}
	return d, nil
}

// oneFile measures a file given by name; the name is kept as given, cleaned.
func oneFile(m *measurer, name string) (found, error) {
	file, err := os.Open(name)
	if err != nil {
		return found{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return found{}, err
	}
	if !info.Mode().IsRegular() {
		return found{}, fmt.Errorf("it is no regular file: scan folders as folders")
	}
	f, err := m.measure(strings.TrimPrefix(filepath.ToSlash(filepath.Clean(name)), "/"), file)
	if err == nil && f.program == nil && mayBeProgram(m.head) {
		f.program, err = readProgram(file) // of before Go 1.18
	}
	return f, err
}
