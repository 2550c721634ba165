package scan

import (
	"context"
	"errors"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// used follows the imports of the tree's packages through the sources of its
// modules and keeps the modules that are met, as go list -deps does, for every
// platform at once. Where the sources of a module that is used are not here, what
// it needs is not known: then all that go.mod names is kept.
func (t *goTree) used(ctx context.Context, root string, names []string) error {
	code, tests, err := t.ownImports(ctx, root, names)
	if err != nil {
		return err
	}
	w := &importWalk{tree: t, seen: map[string]bool{}, met: map[string]bool{}, edges: map[[2]string]bool{}}
	if err := w.follow(ctx, code); err != nil {
		return err
	}
	inCode := len(w.met)
	used := map[string]bool{}
	for key := range w.met {
		used[key] = true
	}
	if err := w.follow(ctx, tests); err != nil {
		return err
	}
	t.graph = map[string][]string{}
	for e := range w.edges {
		t.graph[e[0]] = append(t.graph[e[0]], e[1])
	}
	if inCode == 0 && len(tests) == 0 && len(code) == 0 {
		t.graph = nil // no Go code here, just a list of modules
		return nil
	}
	for key, m := range t.modules {
		m.direct = w.edges[[2]string{"", key}]
		switch {
		case used[key]:
		case w.met[key]:
			m.testOnly = true
		case w.incomplete:
			// It may be needed by what is not here.
		default:
			delete(t.modules, key)
		}
	}
	return nil
}

// ownImports lists what the tree's own packages import, and what their tests
// import besides.
func (t *goTree) ownImports(ctx context.Context, root string, names []string) (code, tests []string, err error) {
	var nested []string // folders of other modules in this one
	for _, name := range names {
		if dir := path.Dir(name); path.Base(name) == "go.mod" && dir != "." && dir != t.dir {
			nested = append(nested, dir+"/")
		}
	}
	inCode, inTests := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		rel := name
		if t.dir != "" {
			var below bool
			if rel, below = strings.CutPrefix(name, t.dir+"/"); !below {
				continue
			}
		}
		if !strings.HasSuffix(name, ".go") || passedOver(rel) || strings.HasPrefix(path.Base(name), "_") || strings.HasPrefix(path.Base(name), ".") ||
			slices.ContainsFunc(nested, func(dir string) bool { return strings.HasPrefix(name, dir) && len(dir) > len(t.dir)+1 }) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		list, err := fileImports(filepath.Join(root, filepath.FromSlash(name)), nil)
		if err != nil {
			return nil, nil, err
		}
		for _, i := range list {
			if strings.HasSuffix(name, "_test.go") {
				inTests[i] = true
			} else {
				inCode[i] = true
			}
		}
	}
	keys := func(set map[string]bool) (list []string) {
		for i := range set {
			list = append(list, i)
		}
		slices.Sort(list)
		return list
	}
	return keys(inCode), keys(inTests), nil
}

// importWalk goes from package to package.
type importWalk struct {
	tree       *goTree
	mutex      sync.Mutex
	seen       map[string]bool    // packages
	met        map[string]bool    // modules
	edges      map[[2]string]bool // module → module; the tree is ""
	incomplete bool
}

// importStep is a package to look at and the module that asks for it.
type importStep struct {
	from, path string
}

// follow visits packages and all they import, level by level.
func (w *importWalk) follow(ctx context.Context, imports []string) error {
	var level []importStep
	for _, i := range imports {
		level = append(level, importStep{path: i})
	}
	for len(level) > 0 {
		var next []importStep
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(workers())
		for chunk := range slices.Chunk(level, max(1, len(level)/(4*workers()))) {
			g.Go(func() error {
				block := make([]byte, headOfGoFile)
				for _, s := range chunk {
					if err := ctx.Err(); err != nil {
						return err
					}
					more, err := w.visit(s, block)
					if err != nil {
						return err
					}
					w.mutex.Lock()
					next = append(next, more...)
					w.mutex.Unlock()
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		level = next
	}
	return nil
}

// visit notes the module of a package and returns what the package imports.
func (w *importWalk) visit(s importStep, block []byte) ([]importStep, error) {
	key, ok := w.tree.moduleOf(s.path)
	if !ok {
		return nil, nil // the standard library, the tree itself, or a mistake
	}
	w.mutex.Lock()
	if key != s.from {
		w.edges[[2]string{s.from, key}] = true
	}
	visited := w.seen[s.path]
	w.seen[s.path], w.met[key] = true, true
	dir := w.tree.modules[key].dir
	if dir == "" {
		w.incomplete = true
	}
	w.mutex.Unlock()
	if visited || dir == "" {
		return nil, nil
	}
	list, err := packageImports(filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(s.path, key))), block)
	if err != nil {
		return nil, err
	}
	var next []importStep
	for _, i := range list {
		next = append(next, importStep{from: key, path: i})
	}
	return next, nil
}

// moduleOf finds the module with the longest path that a package is below.
func (t *goTree) moduleOf(pkg string) (string, bool) {
	for p := pkg; ; {
		if t.modules[p] != nil {
			return p, true
		}
		if p == t.path {
			return "", false
		}
		cut := strings.LastIndexByte(p, '/')
		if cut < 0 {
			return "", false
		}
		p = p[:cut]
	}
}

// packageImports lists the imports of a package's files but its tests.
func packageImports(dir string, block []byte) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // in another module, which go.mod does not name
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name[0] == '_' || name[0] == '.' || !e.Type().IsRegular() {
			continue
		}
		list, err := fileImports(filepath.Join(dir, name), block)
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			if !slices.Contains(all, i) {
				all = append(all, i)
			}
		}
	}
	return all, nil
}

// headOfGoFile is where the imports of a file mostly have ended, in bytes.
const headOfGoFile = 8 << 10

// fileImports reads what a Go file imports; nothing if no platform builds it, or
// if it is not Go after all.
func fileImports(name string, block []byte) ([]string, error) {
	if block == nil {
		block = make([]byte, headOfGoFile)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := io.ReadFull(f, block)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	list, whole := parseImports(block[:n])
	if whole || n < len(block) {
		return list, nil
	}
	// Long comments or many imports: all of it.
	rest, err := io.ReadAll(io.LimitReader(f, largestGoFile))
	if err != nil {
		return nil, err
	}
	list, _ = parseImports(append(slices.Clone(block[:n]), rest...))
	return list, nil
}

// parseImports reads the imports at the head of a Go file. It reports whether it
// saw where they end.
func parseImports(text []byte) (list []string, whole bool) {
	if !mayBeBuilt(text) {
		return nil, true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.ImportsOnly|parser.SkipObjectResolution)
	if file == nil || err != nil && len(file.Imports) == 0 && file.Name == nil {
		return nil, false
	}
	for _, i := range file.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil && p != "C" && strings.Contains(p, ".") {
			list = append(list, p)
		}
	}
	return list, err == nil
}

// mayBeBuilt reads the build constraint of a file and reports whether any
// platform could meet it. Tags that nobody sets by themselves count as not set.
func mayBeBuilt(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if constraint.IsGoBuild(line) {
			x, err := constraint.Parse(line)
			if err != nil {
				return true
			}
			can, _ := outcomes(x)
			return can
		}
		if strings.HasPrefix(line, "package ") {
			break
		}
	}
	return true
}

// outcomes tells whether a constraint can hold, and whether it can fail.
func outcomes(x constraint.Expr) (holds, fails bool) {
	switch x := x.(type) {
	case *constraint.NotExpr:
		h, f := outcomes(x.X)
		return f, h
	case *constraint.AndExpr:
		h1, f1 := outcomes(x.X)
		h2, f2 := outcomes(x.Y)
		return h1 && h2, f1 || f2
	case *constraint.OrExpr:
		h1, f1 := outcomes(x.X)
		h2, f2 := outcomes(x.Y)
		return h1 || h2, f1 && f2
	case *constraint.TagExpr:
		switch {
		case x.Tag == "gc", strings.HasPrefix(x.Tag, "go1."):
			return true, false
		case strings.Contains(platformTags, " "+x.Tag+" "):
			return true, true
		}
	}
	return false, true
}

// platformTags are set on some platforms and not on others (go tool dist list).
const platformTags = " aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows unix cgo " +
	"386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm "
