package scan

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	gomodule "golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"seaworthy/artifact/sbom"
)

// module is one Go module that a tree or a program needs.
type module struct {
	path, version string
	sum           string // h1:… of go.sum or of the build information
	direct        bool   // the tree itself names or imports it
	testOnly      bool   // only the tree's tests need it
	replacement   bool
	replaced      string // what stands for it in go.mod
	dir           string // its sources; empty if they are nowhere here
	local         bool   // the sources are a folder beside the tree
}

// goTree is a Go module found in a tree, with all that its go.mod says.
type goTree struct {
	dir     string // relative to the root, slash-separated, empty for the root
	path    string
	file    *modfile.File
	modules map[string]*module // by the path that imports use
	graph   map[string][]string
}

// largestGoFile bounds go.mod, go.sum and the like.
const largestGoFile = 32 << 20

// goModules finds the Go modules of a tree and what they need, and adds both to
// the document: p is the tree's package. Where the root is a module, modules
// below it count only if go.work names them: otherwise they are projects of their
// own, such as tools for developers. Everything is read from go.mod, go.sum,
// vendor and the module cache. No program of the tree's, nor the go command, is
// run, and nothing is fetched.
func goModules(ctx context.Context, dir string, names []string, o Options, p *sbom.Package, d *sbom.Document) error {
	trees, err := readTrees(dir, names)
	if err != nil || len(trees) == 0 {
		return err
	}
	c := &moduleCacheReader{dir: o.ModuleCache, licenses: o.Licenses, digests: map[string]moduleFacts{}}
	ids := map[string]sbom.ID{}
	for _, t := range trees {
		if t.dir == "" {
			p.PURL = goPURL(t.path, o.Version)
			if p.Supplier.IsZero() {
				p.Supplier = supplierOf(t.path)
			}
			ids[t.path] = p.ID
			continue
		}
		own := goPackage(module{path: t.path, version: o.Version})
		own.ID = sbom.PackageID("gomod", t.path, o.Version, t.dir)
		own.Source = "module in " + t.dir
		ids[t.path] = own.ID
		d.Relate(p.ID, sbom.Contains, d.Add(own))
	}
	for _, t := range trees {
		if err := t.load(ctx, dir, names, c); err != nil {
			return err
		}
		if err := t.describe(ctx, ids, c, o, d); err != nil {
			return err
		}
	}
	return nil
}

// readTrees reads the go.mod files of a tree. Those in testdata, in vendor and in
// folders that the go command passes over are not the tree's. A broken go.mod
// fails the scan only if it is the root's.
func readTrees(dir string, names []string) ([]*goTree, error) {
	var trees []*goTree
	for _, name := range names {
		if path.Base(name) != "go.mod" || passedOver(name) {
			continue
		}
		text, err := readFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		file, err := modfile.Parse(name, text, nil)
		if err == nil && file.Module == nil {
			err = fmt.Errorf("%s names no module", name)
		}
		folder := strings.TrimSuffix(strings.TrimSuffix(name, "go.mod"), "/")
		if err != nil {
			if folder == "" {
				return nil, fmt.Errorf("%w: %w", ErrBroken, err)
			}
			continue
		}
		trees = append(trees, &goTree{dir: folder, path: file.Module.Mod.Path, file: file})
	}
	slices.SortFunc(trees, func(a, b *goTree) int { return strings.Compare(a.dir, b.dir) })
	if len(trees) == 0 || trees[0].dir != "" {
		return trees, nil
	}
	work, err := workspace(dir)
	return slices.DeleteFunc(trees, func(t *goTree) bool { return t.dir != "" && !work[t.dir] }), err
}

// workspace lists the folders that go.work makes one project with the root.
func workspace(dir string) (map[string]bool, error) {
	text, err := readFile(filepath.Join(dir, "go.work"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := modfile.ParseWork("go.work", text, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	used := map[string]bool{}
	for _, u := range file.Use {
		used[strings.TrimPrefix(path.Clean(filepath.ToSlash(u.Path)), "./")] = true
	}
	return used, nil
}

// passedOver reports whether the go command does not look into a file's folder.
func passedOver(name string) bool {
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		if part == "testdata" || part == "vendor" || part != "." && strings.HasPrefix(part, ".") || strings.HasPrefix(part, "_") {
			return true
		}
	}
	return false
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > largestGoFile {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read: %w", name, info.Size(), int64(largestGoFile), ErrLimit)
	}
	return os.ReadFile(name)
}

// load finds out which modules the tree needs, in which versions and for what.
func (t *goTree) load(ctx context.Context, root string, names []string, c *moduleCacheReader) error {
	dir := filepath.Join(root, filepath.FromSlash(t.dir))
	sums, err := readSums(filepath.Join(dir, "go.sum"), filepath.Join(root, "go.work.sum"))
	if err != nil {
		return err
	}
	vendored, err := t.vendored(dir)
	if err != nil {
		return err
	}
	if !vendored {
		if err := t.required(c); err != nil {
			return err
		}
	}
	for key, m := range t.modules {
		if err := t.replace(key, m); err != nil {
			return err
		}
		switch {
		case m.local:
			m.dir = filepath.Join(dir, filepath.FromSlash(m.path))
			if filepath.IsAbs(m.path) {
				m.dir = m.path
			}
		case vendored:
			m.dir = filepath.Join(dir, "vendor", filepath.FromSlash(key))
		default:
			m.dir = c.sources(m.path, m.version)
		}
		if m.dir != "" {
			if info, err := os.Stat(m.dir); err != nil || !info.IsDir() {
				m.dir = ""
			}
		}
		m.sum = sums[m.path+" "+m.version]
	}
	if vendored {
		return nil // modules.txt has told already what is used
	}
	return t.used(ctx, root, names)
}

// required lists the modules that go.mod asks for. Since Go 1.17, that is all
// that the module's packages need; before, the modules' own files must be asked.
func (t *goTree) required(c *moduleCacheReader) error {
	t.modules = map[string]*module{}
	for _, r := range t.file.Require {
		t.modules[r.Mod.Path] = &module{path: r.Mod.Path, version: r.Mod.Version, direct: !r.Indirect}
	}
	if t.file.Go != nil && semver.Compare("v"+t.file.Go.Version, "v1.17") >= 0 {
		return nil
	}
	// Minimal version selection (https://research.swtch.com/vgo-mvs) over what
	// the cache holds.
	queue := make([]gomodule.Version, 0, len(t.file.Require))
	for _, r := range t.file.Require {
		queue = append(queue, r.Mod)
	}
	seen := map[gomodule.Version]bool{}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		if seen[v] {
			continue
		}
		seen[v] = true
		file, err := c.goMod(v.Path, v.Version)
		if err != nil {
			return err
		}
		if file == nil {
			continue
		}
		for _, r := range file.Require {
			have := t.modules[r.Mod.Path]
			if have == nil {
				have = &module{path: r.Mod.Path}
				t.modules[r.Mod.Path] = have
			}
			if semver.Compare(have.version, r.Mod.Version) < 0 {
				have.version = r.Mod.Version
			}
			queue = append(queue, r.Mod)
		}
	}
	return nil
}

// replace applies go.mod's replace lines to a module. A replacement by a folder
// has no version.
func (t *goTree) replace(key string, m *module) error {
	for _, r := range t.file.Replace {
		if r.Old.Path != key || r.Old.Version != "" && r.Old.Version != m.version {
			continue
		}
		m.replaced, m.replacement = strings.TrimSpace(m.path+" "+m.version), true
		m.path, m.version = r.New.Path, r.New.Version
		m.local = r.New.Version == ""
		if r.Old.Version != "" {
			return nil // the line with a version outweighs the one without
		}
	}
	return nil
}

// vendored reads vendor/modules.txt, if there is one: the modules whose packages
// are used, and the versions they had when they were copied.
func (t *goTree) vendored(dir string) (bool, error) {
	text, err := readFile(filepath.Join(dir, "vendor", "modules.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	t.modules = map[string]*module{}
	var last *module
	packages := map[*module]bool{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 3 && fields[0] == "#" && fields[2] != "=>":
			last = &module{path: fields[1], version: fields[2]}
			t.modules[fields[1]] = last
		case len(fields) >= 2 && fields[0] == "##" && last != nil:
			last.direct = slices.Contains(strings.Split(strings.ReplaceAll(strings.Join(fields[1:], ""), " ", ""), ";"), "explicit")
		case len(fields) == 1 && last != nil:
			packages[last] = true
		}
	}
	for _, r := range t.file.Require {
		if m := t.modules[r.Mod.Path]; m != nil && r.Indirect {
			m.direct = false // explicit says that go.mod names it, not that the tree imports it
		}
	}
	for key, m := range t.modules {
		if !packages[m] {
			delete(t.modules, key)
		}
	}
	return true, nil
}

// readSums reads go.sum files: "PATH VERSION" → h1 sum of the module's files.
func readSums(files ...string) (map[string]string, error) {
	sums := map[string]string{}
	for _, name := range files {
		text, err := readFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			f := strings.Fields(lines.Text())
			if len(f) == 3 && !strings.HasSuffix(f[1], "/go.mod") && strings.HasPrefix(f[2], "h1:") {
				sums[f[0]+" "+f[1]] = f[2]
			}
		}
	}
	return sums, nil
}
