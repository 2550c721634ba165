package promote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
	"seaworthy/strict"
)

// Names of the files of a thin manifest: manifests/PROJECT/promoter-manifest.yaml
// and images/PROJECT/images.yaml.
const (
	manifestsDir = "manifests"
	imagesDir    = "images"
	thinFile     = "promoter-manifest.yaml"
	imagesFile   = "images.yaml"
)

// maxFile is how many bytes of a file are read. The largest real one has 1 MB.
const maxFile = 64 << 20

// Read reads the manifests that name stands for in a tree: a thick manifest's
// file, one thin manifest's file, or a folder of thin manifests. Shown is how
// the tree's root is called in messages. The manifests are sorted by file. The
// problems are everything wrong with any of them, warnings among them; a
// manifest with problems other than warnings must not be planned.
func Read(tree fs.FS, name, shown string) ([]Manifest, []strict.Problem) {
	r := reader{tree: tree, shown: shown}
	info, err := fs.Stat(tree, name)
	switch {
	case err != nil:
		return nil, []strict.Problem{r.broken(name, err)}
	case info.IsDir():
		return r.thin(name)
	case path.Base(name) == thinFile && path.Base(path.Dir(path.Dir(name))) == manifestsDir:
		m, problems := r.pair(path.Dir(path.Dir(path.Dir(name))), path.Base(path.Dir(name)))
		return []Manifest{m}, problems
	}
	text, err := r.file(name)
	if err != nil {
		return nil, []strict.Problem{r.broken(name, err)}
	}
	m, problems := Parse(r.show(name), text)
	return []Manifest{m}, problems
}

// reader reads files of one tree.
type reader struct {
	tree  fs.FS
	shown string
}

func (r reader) show(name string) string { return path.Join(r.shown, name) }

// broken is a file that cannot be read at all.
func (r reader) broken(name string, err error) strict.Problem {
	why := err.Error()
	var where *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "there is no such file or folder"
	case errors.As(err, &where):
		why = where.Err.Error()
	}
	return strict.Problem{File: r.show(name), Message: why}
}

func (r reader) file(name string) ([]byte, error) {
	f, err := r.tree.Open(name)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if info, err := f.Stat(); err == nil {
		text.Grow(int(min(max(info.Size(), 0), maxFile)) + bytes.MinRead)
	}
	n, err := text.ReadFrom(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if n > maxFile {
		return nil, fmt.Errorf("the file is larger than %d MiB, which no manifest is", maxFile>>20)
	}
	return text.Bytes(), nil
}

// thin reads a folder of thin manifests, each in one goroutine of as many as
// there are processors.
func (r reader) thin(dir string) ([]Manifest, []strict.Problem) {
	dir, problem := r.root(dir)
	if problem != nil {
		return nil, []strict.Problem{*problem}
	}
	projects, problems := r.projects(dir)
	manifests := make([]Manifest, len(projects))
	found := make([][]strict.Problem, len(projects))
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range projects {
		work.Go(func() error {
			manifests[i], found[i] = r.pair(dir, p)
			return nil
		})
	}
	if err := work.Wait(); err != nil { // no work of ours fails
		problems = append(problems, r.broken(dir, err))
	}
	return manifests, strict.Sort(append(problems, slices.Concat(found...)...))
}

// root returns the folder that manifests/ is in: the one given, or the only one
// below it that has one.
func (r reader) root(dir string) (string, *strict.Problem) {
	has := func(dir string) bool {
		info, err := fs.Stat(r.tree, path.Join(dir, manifestsDir))
		return err == nil && info.IsDir()
	}
	if has(dir) {
		return dir, nil
	}
	entries, err := fs.ReadDir(r.tree, dir)
	if err != nil {
		p := r.broken(dir, err)
		return "", &p
	}
	var below []string
	for _, e := range entries {
		if sub := path.Join(dir, e.Name()); has(sub) {
			below = append(below, sub)
		}
	}
	if len(below) == 1 {
		return below[0], nil
	}
	message := fmt.Sprintf("no thin manifests here: a folder of them holds %s/PROJECT/%s and %s/PROJECT/%s", manifestsDir, thinFile, imagesDir, imagesFile)
	if len(below) > 1 {
		message = fmt.Sprintf("several folders of thin manifests are below: name one of %s", strings.Join(below, ", "))
	}
	return "", &strict.Problem{File: r.show(dir), Message: message}
}

// projects lists the projects of a folder of thin manifests, and tells of
// files at places where nothing reads them.
func (r reader) projects(dir string) ([]string, []strict.Problem) {
	var names []string
	var problems []strict.Problem
	list := func(kind, file string, found func(project string)) {
		top := path.Join(dir, kind)
		err := fs.WalkDir(r.tree, top, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.Name() != file || d.IsDir() {
				return nil
			}
			below := strings.TrimPrefix(name, top+"/")
			if strings.Count(below, "/") != 1 {
				problems = append(problems, strict.Problem{File: r.show(name), Message: fmt.Sprintf("a %s is read at %s/PROJECT/%s only: move it there", file, kind, file)})
				return nil
			}
			found(path.Dir(below))
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, r.broken(top, err))
		}
	}
	list(manifestsDir, thinFile, func(p string) { names = append(names, p) })
	list(imagesDir, imagesFile, func(p string) {
		if !slices.Contains(names, p) {
			problems = append(problems, strict.Problem{Warning: true, File: r.show(path.Join(dir, imagesDir, p, imagesFile)),
				Message: fmt.Sprintf("nothing promotes these images: there is no %s/%s/%s", manifestsDir, p, thinFile)})
		}
	})
	slices.Sort(names)
	return names, problems
}

// pair reads one thin manifest.
func (r reader) pair(root, project string) (Manifest, []strict.Problem) {
	own, list := path.Join(root, manifestsDir, project, thinFile), path.Join(root, imagesDir, project, imagesFile)
	m := Manifest{File: r.show(own), ImagesFile: r.show(list), Project: project}
	var problems []strict.Problem
	if text, err := r.file(own); err != nil {
		problems = append(problems, r.broken(own, err))
	} else {
		var doc document
		problems = append(problems, strict.Unmarshal(m.File, text, &doc)...)
		if doc.Lines.Has("images") {
			problems = append(problems, strict.Problem{File: m.File, Line: doc.Lines.Of("images"), Message: "a thin manifest lists its images in " + m.ImagesFile + ": move them there"})
		}
		var more []strict.Problem
		m.Registries, more = doc.registries(m.File, len(problems) > 0)
		problems = append(problems, more...)
	}
	text, err := r.file(list)
	if err != nil {
		return m, append(problems, r.broken(list, err))
	}
	images, more := ParseImages(m.ImagesFile, text)
	m.Images = images
	return m, append(problems, more...)
}

// document is a manifest file as it is written.
type document struct {
	Lines      strict.Lines `json:"-"`
	Registries []struct {
		Lines          strict.Lines `json:"-"`
		Name           string       `json:"name"`
		Source         bool         `json:"src"`
		ServiceAccount string       `json:"service-account"`
	} `json:"registries"`
	Images []listed `json:"images"`
	// ImagesPath says nothing: older manifests have it.
	ImagesPath string `json:"imagesPath"`
}

// listed is an image as it is written.
type listed struct {
	Lines strict.Lines `json:"-"`
	Name  string       `json:"name"`
	// DMap is kept as it stands, for the lines of the digests.
	DMap *yaml.Node `json:"dmap"`
}

// Parse reads a thick manifest: registries and images in one file.
func Parse(file string, text []byte) (Manifest, []strict.Problem) {
	m := Manifest{File: file, ImagesFile: file}
	var doc document
	problems := strict.Unmarshal(file, text, &doc)
	registries, more := doc.registries(file, len(problems) > 0)
	m.Registries, problems = registries, append(problems, more...)
	l := lister{file: file}
	m.Images = l.images(doc.Images)
	if doc.Lines.Start > 0 && !doc.Lines.Has("images") {
		l.warn(0, "no images: nothing is promoted")
	}
	images, more := l.checkImages(m.Images)
	m.Images = images
	return m, strict.Sort(append(problems, more...))
}

// ParseImages reads the list of images of a thin manifest, images.yaml. What is
// written as digest or tag and is none is a warning, and a Fault of the entry.
func ParseImages(file string, text []byte) ([]Image, []strict.Problem) {
	l := lister{file: file, thin: true}
	if images, ok := scan(string(text)); ok {
		return l.checkImages(images)
	}
	var list []listed
	problems := strict.Unmarshal(file, text, &list)
	images, more := l.checkImages(l.images(list))
	return images, strict.Sort(append(problems, more...))
}

// lister makes images of parsed YAML.
type lister struct {
	file     string
	thin     bool // entries that cannot be promoted are left to the plan
	problems []strict.Problem
	tags     int
}

// maxTags bounds what aliases can make of a small file.
const maxTags = 1_000_000

func (l *lister) fail(line int, format string, args ...any) {
	l.problems = append(l.problems, strict.Problem{File: l.file, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (l *lister) warn(line int, format string, args ...any) {
	l.problems = append(l.problems, strict.Problem{File: l.file, Line: line, Message: fmt.Sprintf(format, args...), Warning: true})
}

func (l *lister) images(list []listed) []Image {
	images := make([]Image, 0, len(list))
	for _, one := range list {
		image := Image{Name: one.Name, Line: one.Lines.Start}
		if dmap := followed(one.DMap); dmap != nil && !null(dmap) {
			if dmap.Kind != yaml.MappingNode {
				l.fail(dmap.Line, `dmap is not a mapping: write "sha256:DIGEST": ["TAG"]`)
			} else {
				image.Entries = l.entries(dmap)
			}
		}
		images = append(images, image)
	}
	return images
}

func (l *lister) entries(dmap *yaml.Node) []Entry {
	var all []Entry
	for i := 0; i+1 < len(dmap.Content); i += 2 {
		key, value := followed(dmap.Content[i]), followed(dmap.Content[i+1])
		line := dmap.Content[i].Line
		if key.Kind != yaml.ScalarNode {
			l.fail(line, `the digest of an image is not a plain key: write "sha256:DIGEST": ["TAG"]`)
			continue
		}
		all = append(all, Entry{Digest: artifact.Digest(key.Value), Line: line, Tags: l.list(value)})
	}
	return all
}

// list reads the tags of a digest.
func (l *lister) list(n *yaml.Node) []string {
	if null(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		l.fail(n.Line, `the tags of a digest are not a list: write ["TAG"], or [] for none`)
		return nil
	}
	if l.tags += len(n.Content); l.tags > maxTags {
		if l.tags-len(n.Content) <= maxTags {
			l.fail(n.Line, "more than %d tags: write the lists out without aliases", maxTags)
		}
		return nil
	}
	var tags []string
	for _, item := range n.Content {
		if item = followed(item); item.Kind != yaml.ScalarNode || null(item) {
			l.fail(item.Line, "a tag is not a single value: write it in quotes")
			continue
		}
		tags = append(tags, item.Value)
	}
	return tags
}

// followed returns what an alias stands for.
func followed(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
