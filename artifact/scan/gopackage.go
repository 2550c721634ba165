package scan

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/package-url/packageurl-go"
	"golang.org/x/mod/modfile"
	gomodule "golang.org/x/mod/module"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact/sbom"
)

// goPURL is the package URL of a Go module.
func goPURL(name, version string) string {
	dir, base := path.Split(name)
	return packageurl.NewPackageURL(packageurl.TypeGolang, strings.TrimSuffix(dir, "/"), base, version, nil, "").ToString()
}

// forges are hosts where the first part of a path is who owns it.
var forges = []string{"github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitea.com", "git.sr.ht", "gitee.com"}

// supplierOf names the supplier of a module by its path, for modules name nobody
// else: the owner on a forge, else the domain that vouches for the path.
func supplierOf(name string) sbom.Actor {
	parts := strings.Split(name, "/")
	if !strings.Contains(parts[0], ".") {
		return sbom.Actor{}
	}
	supplier := parts[0]
	switch {
	case slices.Contains(forges, parts[0]) && len(parts) > 1:
		supplier = strings.TrimPrefix(parts[1], "~")
	case parts[0] == "gopkg.in" && len(parts) > 2:
		supplier = parts[1]
	case parts[0] == "golang.org" || parts[0] == "google.golang.org" && len(parts) == 1:
		supplier = "The Go Authors"
	}
	return sbom.Actor{Kind: sbom.Organization, Name: supplier}
}

// goPackage describes a module by what is known without its sources.
func goPackage(m module) sbom.Package {
	p := sbom.Package{
		ID: sbom.PackageID("gomod", m.path, m.version), Name: m.path, Version: m.version, Purpose: sbom.Library,
		PURL: goPURL(m.path, m.version), Supplier: supplierOf(m.path), Download: downloadOf(m.path, m.version),
	}
	var notes []string
	if !p.Supplier.IsZero() {
		notes = append(notes, "Supplier taken from the module's path.")
	}
	if m.sum != "" {
		notes = append(notes, "Go's sum of the module's files: "+m.sum)
	}
	if m.replacement {
		notes = append(notes, "Stands for "+m.replaced+".")
	}
	p.Comment = strings.Join(notes, "\n")
	return p
}

// downloadOf is where a module's sources are kept, as far as its path tells: a
// git address and the tag or commit. Empty means not known.
func downloadOf(name, version string) string {
	prefix, _, ok := gomodule.SplitPathVersion(name)
	if !ok || version == "" {
		return ""
	}
	parts := strings.Split(prefix, "/")
	var repo, sub string
	switch {
	case slices.Contains(forges, parts[0]) && len(parts) >= 3:
		repo, sub = "https://"+strings.Join(parts[:3], "/"), strings.Join(parts[3:], "/")
	case strings.HasPrefix(prefix, "golang.org/x/"):
		repo, sub = "https://go.googlesource.com/"+parts[2], strings.Join(parts[3:], "/")
	case parts[0] == "k8s.io" && len(parts) == 2:
		repo = "https://github.com/kubernetes/" + parts[1]
	case parts[0] == "sigs.k8s.io" && len(parts) >= 2:
		repo, sub = "https://github.com/kubernetes-sigs/"+parts[1], strings.Join(parts[2:], "/")
	case parts[0] == "gopkg.in" && len(parts) == 2:
		repo = "https://github.com/go-" + strings.Split(parts[1], ".")[0] + "/" + strings.Split(parts[1], ".")[0]
	case parts[0] == "gopkg.in" && len(parts) == 3:
		repo = "https://github.com/" + parts[1] + "/" + strings.Split(parts[2], ".")[0]
	default:
		return ""
	}
	ref := strings.TrimSuffix(version, "+incompatible")
	if rev, err := gomodule.PseudoVersionRev(version); err == nil {
		ref = rev
	} else if sub != "" {
		ref = sub + "/" + ref
	}
	return "git+" + repo + "@" + ref
}

// moduleCacheReader reads Go's module cache, which it never changes
// (https://go.dev/ref/mod#module-cache).
type moduleCacheReader struct {
	dir      string
	licenses *Licenses

	mutex   sync.Mutex
	digests map[string]moduleFacts
}

// moduleFacts is what a module's sources tell.
type moduleFacts struct {
	zipSum, download         string
	licence, note, copyright string
	refs                     []sbom.License
}

// file is the name of a file of the cache; empty if the module can have none.
func (c *moduleCacheReader) file(name, version, ext string) string {
	escaped, err := gomodule.EscapePath(name)
	if err != nil || c.dir == "" || version == "" {
		return ""
	}
	v, err := gomodule.EscapeVersion(version)
	if err != nil {
		return ""
	}
	return filepath.Join(c.dir, "cache", "download", filepath.FromSlash(escaped), "@v", v+ext)
}

// sources is the folder of a module's sources; empty if the cache has none.
func (c *moduleCacheReader) sources(name, version string) string {
	escaped, err := gomodule.EscapePath(name)
	if err != nil || c.dir == "" || version == "" {
		return ""
	}
	v, err := gomodule.EscapeVersion(version)
	if err != nil {
		return ""
	}
	return filepath.Join(c.dir, filepath.FromSlash(escaped)+"@"+v)
}

// goMod is a module's go.mod file, nil if the cache has none that can be read.
func (c *moduleCacheReader) goMod(name, version string) (*modfile.File, error) {
	file := c.file(name, version, ".mod")
	if file == "" {
		return nil, nil
	}
	text, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	parsed, err := modfile.ParseLax(file, text, nil)
	if err != nil {
		return nil, nil // very old modules have files that are none
	}
	return parsed, nil
}

// facts finds out about a module what its sources tell.
func (c *moduleCacheReader) facts(m *module) (moduleFacts, error) {
	key := m.dir + "\x00" + m.path + "@" + m.version
	c.mutex.Lock()
	f, ok := c.digests[key]
	c.mutex.Unlock()
	if ok {
		return f, nil
	}
	var err error
	zipName := c.file(m.path, m.version, ".zip")
	if m.local {
		zipName = ""
	}
	if f.zipSum, err = sumOf(zipName); err != nil {
		return f, err
	}
	if !m.local {
		f.download = c.origin(m)
	}
	if c.licenses != nil {
		var t texts
		switch {
		case m.dir != "":
			err = c.licenceFiles(os.DirFS(m.dir), ".", &t, &f)
		case f.zipSum != "":
			err = c.zipped(zipName, m.path+"@"+m.version, &t, &f)
		}
		if err != nil {
			return f, fmt.Errorf("licence of %s: %w", m.path, err)
		}
		f.licence, f.note, f.copyright = t.conclude()
	}
	c.mutex.Lock()
	c.digests[key] = f
	c.mutex.Unlock()
	return f, nil
}

func sumOf(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	// A file is otherwise copied in small steps.
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
		return "", fmt.Errorf("summing up %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// origin is where the go command once fetched a module from, if it noted that.
func (c *moduleCacheReader) origin(m *module) string {
	file := c.file(m.path, m.version, ".info")
	if file == "" {
		return ""
	}
	text, err := readFile(file)
	if err != nil {
		return "" // notes are optional
	}
	var info struct {
		Origin struct{ VCS, URL, Hash, Ref string }
	}
	if err := json.Unmarshal(text, &info); err != nil || info.Origin.VCS == "" || info.Origin.Hash == "" || !strings.HasPrefix(info.Origin.URL, "https://") {
		return ""
	}
	return info.Origin.VCS + "+" + info.Origin.URL + "@" + info.Origin.Hash
}

// licenceFiles reads the licence files at a module's root.
func (c *moduleCacheReader) licenceFiles(fsys fs.FS, dir string, t *texts, f *moduleFacts) error {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isLicenceName(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		file, err := fsys.Open(path.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(file, keptSize))
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		finding, err := c.licenses.Text(text)
		if err != nil {
			return err
		}
		t.add(e.Name(), finding)
		f.refs = addLicences(addLicences(f.refs, finding.Refs), t.keep(e.Name(), finding))
	}
	return nil
}

// zipped reads the licence files of a module that the cache has only packed.
func (c *moduleCacheReader) zipped(name, root string, t *texts, f *moduleFacts) error {
	z, err := zip.OpenReader(name)
	if err != nil {
		return err
	}
	defer z.Close()
	return c.licenceFiles(z, root, t, f)
}

// describe adds a module's needs to the document.
func (t *goTree) describe(ctx context.Context, ids map[string]sbom.ID, c *moduleCacheReader, o Options, d *sbom.Document) error {
	keys := slices.Sorted(maps.Keys(t.modules))
	if o.NoTransitive {
		keys = slices.DeleteFunc(keys, func(k string) bool { return !t.modules[k].direct })
	}
	list := make([]moduleFacts, len(keys))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers())
	for i, key := range keys {
		g.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			list[i], err = c.facts(t.modules[key])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	own := map[string]sbom.ID{}
	for i, key := range keys {
		m := t.modules[key]
		if id, ok := ids[key]; ok { // a module of the same tree
			own[key] = id
			continue
		}
		own[key] = d.Add(list[i].apply(goPackage(*m), key, m))
		d.Licenses = addLicences(d.Licenses, list[i].refs)
	}
	return t.relate(ids[t.path], own, c, d)
}

// apply completes a package by what the module's sources tell.
func (f moduleFacts) apply(p sbom.Package, key string, m *module) sbom.Package {
	if m.local {
		// A folder beside the tree has no version and cannot be fetched.
		p.ID, p.PURL, p.Download = sbom.PackageID("gomod", key, "", m.path), goPURL(key, ""), ""
		p.Name, p.Supplier, p.FileName = key, supplierOf(key), m.path
	}
	if f.zipSum != "" {
		p.Checksums = append(p.Checksums, sbom.Checksum{Algorithm: sbom.SHA256, Value: f.zipSum})
		p.FileName = path.Base(p.Name) + "@" + p.Version + ".zip"
	}
	if f.download != "" {
		p.Download = f.download
	}
	p.Concluded, p.Declared, p.LicenseNote, p.Copyright = f.licence, f.licence, f.note, f.copyright
	return p
}

// relate says which module depends on which: by the imports that were followed,
// else by what the modules' own files ask for.
func (t *goTree) relate(root sbom.ID, own map[string]sbom.ID, c *moduleCacheReader, d *sbom.Document) error {
	reached := map[string]bool{}
	link := func(from, to string) {
		toID, ok := own[to]
		fromID := root
		if from != "" {
			fromID = own[from]
		}
		if !ok || fromID == "" || fromID == toID {
			return
		}
		reached[to] = true
		if from == "" && t.modules[to].testOnly {
			d.Relate(toID, sbom.TestDependencyOf, fromID)
			return
		}
		d.Relate(fromID, sbom.DependsOn, toID)
	}
	for _, from := range slices.Sorted(maps.Keys(t.graph)) {
		for _, to := range slices.Sorted(slices.Values(t.graph[from])) {
			link(from, to)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(own)) {
		m := t.modules[key]
		if t.graph == nil || m.dir == "" {
			file, err := c.goMod(m.path, m.version)
			if err != nil {
				return err
			}
			if file != nil {
				for _, r := range file.Require {
					link(key, r.Mod.Path)
				}
			}
		}
		if t.graph == nil && m.direct {
			link("", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if !reached[key] {
			link("", key) // nothing tells who asks for it: the tree does
		}
	}
	return nil
}
