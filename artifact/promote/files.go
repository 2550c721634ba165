package promote

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"seaworthy/artifact"
	"seaworthy/strict"
)

// Names of the files of a file promotion: filestores/PROJECT/filepromoter-manifest.yaml
// and manifests/PROJECT/*.yaml.
const (
	filestoresDir  = "filestores"
	filestoresFile = "filepromoter-manifest.yaml"
)

// FileManifest is what one project asks to be copied between buckets.
type FileManifest struct {
	// File is where the filestores are written, as a person would open it.
	File string
	// Project names the folder; it is empty where files were named singly.
	Project    string
	Filestores []Filestore
	Files      []File
}

// Filestore is a bucket with a path in it: where files come from, or a place
// they are published in.
type Filestore struct {
	// Base is the address, such as gs://bucket/releases, without a slash at
	// its end.
	Base           string `json:"base"`
	Source         bool   `json:"src,omitempty"`
	ServiceAccount string `json:"service-account,omitempty"`
	Line           int    `json:"-"`
}

// File is one file below the filestores. It is promoted only if it has the
// digest.
type File struct {
	// Name is its path, with slashes.
	Name   string          `json:"name"`
	Digest artifact.Digest `json:"digest"`
	// Manifest and Line are where it is written.
	Manifest string `json:"-"`
	Line     int    `json:"-"`
}

// Source returns the filestore that files come from. A manifest that was read
// without problems has exactly one.
func (m FileManifest) Source() Filestore {
	for _, s := range m.Filestores {
		if s.Source {
			return s
		}
	}
	return Filestore{}
}

// Destinations returns the filestores that files are published in.
func (m FileManifest) Destinations() []Filestore {
	return slices.DeleteFunc(slices.Clone(m.Filestores), func(s Filestore) bool { return s.Source })
}

// ReadFiles reads a folder of file promotions: filestores/PROJECT/ with
// filepromoter-manifest.yaml and manifests/PROJECT/ with any number of YAML
// files. Shown is how the tree's root is called in messages. The manifests are
// sorted by file; the problems are everything wrong with any of them.
func ReadFiles(tree fs.FS, dir, shown string) ([]FileManifest, []strict.Problem) {
	r := reader{tree: tree, shown: shown}
	top := path.Join(dir, filestoresDir)
	var manifests []FileManifest
	var problems []strict.Problem
	err := fs.WalkDir(tree, top, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != filestoresFile {
			return err
		}
		project := path.Dir(strings.TrimPrefix(name, top+"/"))
		m, more := r.files(name, path.Join(dir, manifestsDir, project))
		m.Project = project
		manifests = append(manifests, m)
		problems = append(problems, more...)
		return nil
	})
	if err != nil {
		problems = append(problems, r.broken(top, err))
	} else if len(manifests) == 0 {
		problems = append(problems, strict.Problem{File: r.show(top), Message: fmt.Sprintf("no file promotions here: a folder of them holds %s/PROJECT/%s and %s/PROJECT/*.yaml", filestoresDir, filestoresFile, manifestsDir)})
	}
	return manifests, strict.Sort(problems)
}

// ReadFilePair reads one file promotion: the file that lists the filestores,
// and the file or folder that lists the files.
func ReadFilePair(tree fs.FS, filestores, files, shown string) (FileManifest, []strict.Problem) {
	r := reader{tree: tree, shown: shown}
	m, problems := r.files(filestores, files)
	return m, strict.Sort(problems)
}

func (r reader) files(filestores, files string) (FileManifest, []strict.Problem) {
	m := FileManifest{File: r.show(filestores)}
	var problems []strict.Problem
	if text, err := r.file(filestores); err != nil {
		problems = append(problems, r.broken(filestores, err))
	} else {
		m.Filestores, problems = ParseFilestores(m.File, text)
	}
	lists := []string{files}
	info, err := fs.Stat(r.tree, files)
	if err == nil && info.IsDir() {
		lists = nil
		err = fs.WalkDir(r.tree, files, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (path.Ext(name) == ".yaml" || path.Ext(name) == ".yml") {
				lists = append(lists, name)
			}
			return err
		})
	}
	if err != nil {
		return m, append(problems, r.broken(files, err))
	}
	for _, list := range lists {
		text, err := r.file(list)
		if err != nil {
			problems = append(problems, r.broken(list, err))
			continue
		}
		entries, more := ParseFiles(r.show(list), text)
		m.Files = append(m.Files, entries...)
		problems = append(problems, more...)
	}
	once, more := distinct(m.Files)
	m.Files = once
	return m, append(problems, more...)
}

// ParseFilestores reads the filestores of a file promotion.
func ParseFilestores(file string, text []byte) ([]Filestore, []strict.Problem) {
	var doc struct {
		Lines      strict.Lines `json:"-"`
		Filestores []struct {
			Lines          strict.Lines `json:"-"`
			Base           string       `json:"base"`
			Source         bool         `json:"src"`
			ServiceAccount string       `json:"service-account"`
		} `json:"filestores"`
	}
	problems := strict.Unmarshal(file, text, &doc)
	if len(problems) > 0 && doc.Lines.Start == 0 {
		return nil, problems
	}
	l := lister{file: file, problems: problems}
	var all []Filestore
	for _, w := range doc.Filestores {
		s := Filestore{Base: strings.TrimRight(w.Base, "/"), Source: w.Source, ServiceAccount: w.ServiceAccount, Line: w.Lines.Start}
		l.base(s)
		for _, o := range all {
			switch {
			case o.Source && s.Source:
				l.fail(w.Lines.Of("src"), "a second filestore is the source: %s on line %d is one already; files come from one", o.Base, o.Line)
			case o.Base == s.Base:
				l.fail(s.Line, "%s stands on line %d already", clip(s.Base), o.Line)
			}
		}
		all = append(all, s)
	}
	switch m := (FileManifest{Filestores: all}); {
	case len(all) == 0:
		l.fail(doc.Lines.Of("filestores"), "no filestores: list where files come from, with src: true, and where they go")
	case m.Source() == Filestore{}:
		l.fail(doc.Lines.Of("filestores"), "no filestore is the source: write src: true with the one that files come from")
	case len(m.Destinations()) == 0:
		l.warn(doc.Lines.Of("filestores"), "no filestore to promote to")
	}
	return all, strict.Sort(l.problems)
}

// base checks the address of a filestore.
func (l *lister) base(s Filestore) {
	address, err := url.Parse(s.Base)
	switch {
	case s.Base == "":
		l.fail(s.Line, "a filestore without a base: write base: gs://BUCKET/PATH")
	case strings.Contains(s.Base, "@"):
		// The address itself is not repeated: it may hold a password.
		l.fail(s.Line, "a base holds a name or password: take them out; credentials come from the environment")
	case err != nil || address.Scheme == "" || !strings.Contains(s.Base, "://"):
		l.fail(s.Line, "base %q: write the address of a bucket, such as gs://bucket/releases", clip(s.Base))
	case slices.Contains(strings.Split(address.Path, "/"), ".."):
		l.fail(s.Line, "base %q: write the path without ..", clip(s.Base))
	}
}

// ParseFiles reads a list of files to be promoted.
func ParseFiles(file string, text []byte) ([]File, []strict.Problem) {
	var doc struct {
		Lines strict.Lines `json:"-"`
		Files []struct {
			Lines  strict.Lines `json:"-"`
			Name   string       `json:"name"`
			SHA256 string       `json:"sha256"`
		} `json:"files"`
	}
	problems := strict.Unmarshal(file, text, &doc)
	l := lister{file: file, problems: problems}
	var all []File
	for _, w := range doc.Files {
		f := File{Name: w.Name, Digest: artifact.Digest("sha256:" + w.SHA256), Manifest: file, Line: w.Lines.Start}
		if err := CheckFileName(f.Name); err != nil {
			l.fail(f.Line, "%v", err)
		}
		if CheckDigest(f.Digest) != nil {
			l.fail(w.Lines.Of("sha256"), "file %s: %q is not a sha256: write 64 lower-case hex digits", clip(f.Name), clip(w.SHA256))
		}
		all = append(all, f)
	}
	if len(problems) == 0 && len(all) == 0 {
		l.warn(0, "no files: nothing is promoted")
	}
	return all, strict.Sort(l.problems)
}

// CheckFileName refuses what is not a path below a filestore: one that is
// absolute, leaves the filestore, or could be written in another way.
func CheckFileName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a file without a name: write name: PATH")
	case len(name) > 1024 || !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\"):
		return fmt.Errorf("file %q: write a path below the filestore, with single slashes, and neither . nor .. in it", clip(name))
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("file %q: a name holds no control characters", clip(name))
		}
	}
	return nil
}

// distinct drops files that are listed again, and tells of those that are
// listed with another digest.
func distinct(files []File) ([]File, []strict.Problem) {
	seen := map[string]File{}
	var once []File
	var problems []strict.Problem
	for _, f := range files {
		first, again := seen[f.Name]
		switch {
		case !again:
			seen[f.Name] = f
			once = append(once, f)
		case first.Digest == f.Digest:
			problems = append(problems, strict.Problem{Warning: true, File: f.Manifest, Line: f.Line, Message: fmt.Sprintf("file %s is listed at %s:%d already", clip(f.Name), first.Manifest, first.Line)})
		default:
			problems = append(problems, strict.Problem{File: f.Manifest, Line: f.Line, Message: fmt.Sprintf("file %s is listed at %s:%d with another sha256: keep one", clip(f.Name), first.Manifest, first.Line)})
		}
	}
	return once, problems
}
