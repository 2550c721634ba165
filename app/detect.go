package app

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"seaworthy/config"
	"seaworthy/git"
)

// Detect looks at a commit of a repository, or at its work tree when rev is
// empty, for what a seaworthy.yaml would say: the module, its main packages,
// the variable that holds the version, the files that belong into an archive.
func Detect(ctx context.Context, repo *git.Repository, rev string) (config.Detected, error) {
	var d config.Detected
	files, err := list(ctx, repo, rev)
	if err != nil {
		return d, fmt.Errorf("looking at the repository: %w", err)
	}
	for _, f := range files {
		d.Owners = d.Owners || path.Base(f) == "OWNERS"
		upper := strings.ToUpper(f)
		if !strings.Contains(f, "/") && (strings.HasPrefix(upper, "LICEN") || strings.HasPrefix(upper, "COPYING") || strings.HasPrefix(upper, "README")) {
			d.Files = append(d.Files, f)
		}
	}
	slices.Sort(d.Files)
	if d.DefaultBranch, err = defaultBranch(ctx, repo); err != nil {
		return d, err
	}
	if slices.Contains(files, "go.mod") {
		text, err := read(ctx, repo, rev, "go.mod")
		if err != nil {
			return d, err
		}
		d.Module = modfile.ModulePath(text)
	}
	if d.Mains, err = mains(ctx, repo, rev, files); err != nil {
		return d, err
	}
	d.VersionVar, err = versionVariable(ctx, repo, rev, d.Mains)
	return d, err
}

func list(ctx context.Context, repo *git.Repository, rev string) ([]string, error) {
	args := []string{"ls-files", "-z", "--cached", "--others", "--exclude-standard"}
	if rev != "" {
		args = []string{"ls-tree", "-r", "-z", "--name-only", "--full-tree", rev}
	}
	out, err := repo.Git(ctx, args...)
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 }), nil
}

func read(ctx context.Context, repo *git.Repository, rev, file string) ([]byte, error) {
	if rev != "" {
		return repo.Show(ctx, rev, file)
	}
	return readTracked(repo.Dir, file)
}

// defaultBranch is main or master where there is one, else what HEAD names.
func defaultBranch(ctx context.Context, repo *git.Repository) (string, error) {
	for _, name := range []string{"main", "master"} {
		if _, err := repo.Resolve(ctx, "refs/heads/"+name); err == nil {
			return name, nil
		} else if !errors.Is(err, git.ErrNotFound) {
			return "", err
		}
	}
	out, err := repo.Git(ctx, "symbolic-ref", "--short", "HEAD")
	if err != nil {
		var failed *git.Error
		if errors.As(err, &failed) {
			return "", nil // HEAD is detached: the default of the configuration stands
		}
		return "", err
	}
	return strings.TrimSpace(out), nil
}

// Folders whose programs are not what a project releases.
var aside = regexp.MustCompile(`(^|/)(testdata|vendor|examples?|_[^/]*|\.[^/]*|internal|hack|tools?|scripts?)(/|$)`)

// mains lists the folders of the module's main packages: those in cmd and the
// root where there are any, else all but examples and tools.
func mains(ctx context.Context, repo *git.Repository, rev string, files []string) ([]string, error) {
	hits, err := grep(ctx, repo, rev, `^package main\b`, "*.go")
	if err != nil {
		return nil, err
	}
	ignored, err := grep(ctx, repo, rev, `^//go:build ignore|^// \+build ignore`, "*.go")
	if err != nil {
		return nil, err
	}
	modules := map[string]bool{}
	for _, f := range files {
		if path.Base(f) == "go.mod" && f != "go.mod" {
			modules[path.Dir(f)] = true
		}
	}
	var all, preferred []string
	for _, f := range hits {
		dir := path.Dir(f)
		if strings.HasSuffix(f, "_test.go") || slices.Contains(ignored, f) || dir != "." && aside.MatchString(dir) || inModule(dir, modules) {
			continue
		}
		all = append(all, dir)
		if dir == "." || strings.HasPrefix(dir, "cmd/") || dir == "cmd" {
			preferred = append(preferred, dir)
		}
	}
	if len(preferred) > 0 {
		all = preferred
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for i, dir := range all {
		if dir != "." {
			all[i] = "./" + dir
		}
	}
	return all, nil
}

func inModule(dir string, modules map[string]bool) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if modules[dir] {
			return true
		}
	}
	return false
}

// versionVariable finds the text variable of a main package that the linker can
// set to the version.
func versionVariable(ctx context.Context, repo *git.Repository, rev string, mains []string) (string, error) {
	hits, err := grep(ctx, repo, rev, `\b[vV]ersion\b`, "*.go")
	if err != nil {
		return "", err
	}
	found := ""
	for _, f := range hits {
		dir := path.Dir(f)
		if dir != "." {
			dir = "./" + dir
		}
		if !slices.Contains(mains, dir) || strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := read(ctx, repo, rev, f)
		if err != nil {
			return "", err
		}
		if settable(text, "version") {
			return "main.version", nil
		}
		if settable(text, "Version") {
			found = "main.Version"
		}
	}
	return found, nil
}

// settable reports whether a Go file declares a package variable that -X of the
// linker sets: one of type string, without a value or with a literal one.
func settable(text []byte, name string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution)
	if err != nil {
		return false // the compiler will say so
	}
	for _, d := range file.Decls {
		vars, ok := d.(*ast.GenDecl)
		if !ok || vars.Tok != token.VAR {
			continue
		}
		for _, spec := range vars.Specs {
			v, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			i := slices.IndexFunc(v.Names, func(n *ast.Ident) bool { return n.Name == name })
			if i < 0 {
				continue
			}
			kind, named := v.Type.(*ast.Ident)
			if len(v.Values) <= i {
				return named && kind.Name == "string"
			}
			literal, ok := v.Values[i].(*ast.BasicLit)
			return ok && literal.Kind == token.STRING && (v.Type == nil || named && kind.Name == "string")
		}
	}
	return false
}

// grep lists the files in which a line matches an extended expression.
func grep(ctx context.Context, repo *git.Repository, rev, expr, pathspec string) ([]string, error) {
	args := []string{"grep", "-l", "-z", "-E", "-e", expr}
	if rev == "" {
		args = append(args, "--untracked", "--", pathspec)
	} else {
		args = append(args, rev, "--", pathspec)
	}
	out, err := repo.Git(ctx, args...)
	var failed *git.Error
	if errors.As(err, &failed) && failed.Code == 1 { // no line matches
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := strings.FieldsFunc(out, func(r rune) bool { return r == 0 })
	for i := range files {
		files[i] = strings.TrimPrefix(files[i], rev+":")
	}
	return files, nil
}
