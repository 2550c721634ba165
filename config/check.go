package config

import (
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"seaworthy/strict"
)

// checker collects what is wrong with the values of a project.
type checker struct {
	file     string
	problems []strict.Problem
}

func (c *checker) fail(line int, format string, args ...any) {
	c.problems = append(c.problems, strict.Problem{File: c.file, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) project(p Project) {
	switch {
	case !p.Lines.Has("version"):
		c.fail(max(p.Lines.Start, 1), "no version: write version: 1")
	case p.Version != 1:
		c.fail(p.Lines.Of("version"), "version is %d, of which this program knows nothing: write version: 1", p.Version)
	}
	c.tags(reflect.ValueOf(p))
	c.identity(p.Project)
	c.jobs(p.Jobs)
	c.merge(p.Merge)
	c.build(p.Build)
	seen := map[string]bool{}
	for _, spec := range p.Images {
		c.joined(p.Lines.Of("images"), "", spec.Validate()) // which names the image
		c.once(p.Lines.Of("images"), seen, "image "+spec.Name)
	}
	for _, spec := range p.Packages {
		c.joined(p.Lines.Of("packages"), "package "+spec.Name+": ", spec.Validate())
		c.once(p.Lines.Of("packages"), seen, "package "+spec.Name)
	}
	c.release(p.Release)
	c.grid(p.Grid)
	c.alerts(p.Alerts)
	c.signal(p.Signal)
	c.triage(p.Triage)
}

// once fails for what is named a second time.
func (c *checker) once(line int, seen map[string]bool, what string) {
	if seen[what] {
		c.fail(line, "%s is there twice: remove one", what)
	}
	seen[what] = true
}

// joined fails once for each of several errors that errors.Join put together.
func (c *checker) joined(line int, of string, err error) {
	var several interface{ Unwrap() []error }
	switch {
	case err == nil:
	case errors.As(err, &several):
		for _, one := range several.Unwrap() {
			c.joined(line, of, one)
		}
	default:
		c.fail(line, "%s%v", of, err)
	}
}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// tags checks what the enum and placeholder tags say of a struct's fields.
func (c *checker) tags(v reflect.Value) {
	lines, _ := v.FieldByName("Lines").Interface().(strict.Lines)
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		name := f.Tag.Get("json")
		if value.Kind() == reflect.Struct && f.Type != reflect.TypeFor[strict.Lines]() {
			c.tags(value)
			continue
		}
		if allowed := f.Tag.Get("enum"); allowed != "" && !slices.Contains(strings.Split(allowed, ","), value.String()) {
			c.fail(lines.Of(name), "%s is %q: write one of %s", name, value.String(), strings.ReplaceAll(allowed, ",", ", "))
		}
		known, ok := f.Tag.Lookup("placeholder")
		if !ok {
			continue
		}
		for _, m := range placeholder.FindAllStringSubmatch(value.String(), -1) {
			if !slices.Contains(strings.Split(known, ","), m[1]) {
				c.fail(lines.Of(name), "%s has {%s}, which means nothing here: write one of {%s}", name, m[1], strings.ReplaceAll(known, ",", "}, {"))
			}
		}
	}
}

var (
	plainName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	branchName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/{}-]*$`)
	tagPrefix  = regexp.MustCompile(`^[A-Za-z0-9._/-]*$`)
	platform   = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$`)
)

func (c *checker) identity(p Identity) {
	if p.Name != "" && !plainName.MatchString(p.Name) {
		c.fail(p.Lines.Of("name"), "project name %q: write it with letters, digits, '-', '_' and '.' only; it names files", p.Name)
	}
	if !branchName.MatchString(p.DefaultBranch) {
		c.fail(p.Lines.Of("default_branch"), "default_branch %q: write a branch's name, such as main", p.DefaultBranch)
	}
}

func (c *checker) jobs(j Jobs) {
	for _, pattern := range j.Files {
		if _, err := path.Match(pattern, ""); err != nil || !inside(pattern) {
			c.fail(j.Lines.Of("files"), "job files %q: write a path inside the repository, such as jobs/*.yaml", pattern)
		}
	}
}

// inside reports whether a slash-separated path stays in the repository.
func inside(p string) bool {
	return p != "" && !path.IsAbs(p) && !strings.Contains(p, `\`) && !slices.Contains(strings.Split(p, "/"), "..")
}

func (c *checker) merge(m Merge) {
	for _, l := range m.Labels.Require {
		if slices.Contains(m.Labels.Forbid, l) {
			c.fail(m.Labels.Lines.Of("forbid"), "label %q is both required and forbidden: remove it from one of them", l)
		}
	}
	if m.BatchLimit < 1 {
		c.fail(m.Lines.Of("batch_limit"), "batch_limit is %d: write 1 to test each change alone, or more", m.BatchLimit)
	}
	for branch, title := range m.Milestone {
		if strings.TrimSpace(title) == "" {
			c.fail(m.Lines.Of("milestone"), "the milestone of branch %q has no title: write one, or remove the line", branch)
		}
	}
}

// packings are the values of build.formats.
var packings = []string{"tar.gz", "tar.zst", "zip", "binary"}

func (c *checker) build(b Build) {
	if len(b.Platforms) == 0 {
		c.fail(b.Lines.Of("platforms"), "no platforms: write at least one, such as linux/amd64")
	}
	seen := map[string]bool{}
	for _, p := range b.Platforms {
		switch {
		case !platform.MatchString(p):
			c.fail(b.Lines.Of("platforms"), "platform %q: write GOOS/GOARCH, such as linux/amd64", p)
		case seen[p]:
			c.fail(b.Lines.Of("platforms"), "platform %s is there twice: remove one", p)
		}
		seen[p] = true
	}
	for _, f := range b.Formats {
		if !slices.Contains(packings, f) {
			c.fail(b.Lines.Of("formats"), "format %q: write one of %s", f, strings.Join(packings, ", "))
		}
		c.once(b.Lines.Of("formats"), seen, f)
	}
	for _, f := range b.Files {
		if !inside(f) {
			c.fail(b.Lines.Of("files"), "file %q: write a path inside the repository", f)
		}
	}
	for _, m := range b.Go.Main {
		if m != "." && !(strings.HasPrefix(m, "./") && inside(m)) {
			c.fail(b.Go.Lines.Of("main"), "main package %q: write a folder of this module, such as ./cmd/NAME", m)
		}
	}
	if b.Go.Name != "" && !plainName.MatchString(b.Go.Name) {
		c.fail(b.Go.Lines.Of("name"), "archive name %q: write it with letters, digits, '-', '_' and '.' only", b.Go.Name)
	}
	c.env(b.Lines.Of("env"), b.Env)
	c.env(b.Go.Lines.Of("env"), b.Go.Env)
}

func (c *checker) env(line int, env map[string]string) {
	for _, name := range sortedNames(env) {
		if name == "" || strings.ContainsAny(name, "= \t") {
			c.fail(line, "environment variable %q: write a name without spaces and '='", name)
		}
	}
}

func (c *checker) release(r Release) {
	if !tagPrefix.MatchString(r.TagPrefix) {
		c.fail(r.Lines.Of("tag_prefix"), "tag_prefix %q: write what may stand in a tag's name, such as v", r.TagPrefix)
	}
	for _, part := range []string{"{major}", "{minor}"} {
		if !strings.Contains(r.BranchPattern, part) {
			c.fail(r.Lines.Of("branch_pattern"), "branch_pattern %q lacks %s: write one such as release-{major}.{minor}", r.BranchPattern, part)
		}
	}
	if !branchName.MatchString(r.BranchPattern) {
		c.fail(r.Lines.Of("branch_pattern"), "branch_pattern %q: write a branch's name", r.BranchPattern)
	}
	if !inside(r.Changelog) {
		c.fail(r.Lines.Of("changelog"), "changelog %q: write a path inside the repository", r.Changelog)
	}
	c.tagSigning(r.Tags)
	c.branches(r.Branches)
	c.gates(r.Gates)
	c.after(r.After)
	c.addresses(r.Announce)
	c.trains(r.Train)
}

func (c *checker) addresses(a Announce) {
	for _, to := range a.To {
		if _, err := mail.ParseAddress(to); err != nil {
			c.fail(a.Lines.Of("to"), "address %q: write one such as users@example.org", to)
		}
	}
	for _, to := range a.RehearsalTo {
		if _, err := mail.ParseAddress(to); err != nil {
			c.fail(a.Lines.Of("rehearsal_to"), "address %q: write one such as testers@example.org", to)
		}
	}
	if len(a.RehearsalTo) > 0 && len(a.To) == 0 {
		c.fail(a.Lines.Of("rehearsal_to"), "a mail that goes to nobody is not rehearsed: write to")
	}
	if a.From != "" {
		if _, err := mail.ParseAddress(a.From); err != nil {
			c.fail(a.Lines.Of("from"), "address %q: write one such as release@example.org", a.From)
		}
	} else if len(a.To) > 0 {
		c.fail(a.Lines.Of("to"), "an announcement by mail needs a sender: write from")
	}
	if _, err := mail.ParseAddress(a.ReplyTo); a.ReplyTo != "" && err != nil {
		c.fail(a.Lines.Of("reply_to"), "address %q: write one such as users@example.org", a.ReplyTo)
	}
	if a.Template != "" && !inside(a.Template) {
		c.fail(a.Lines.Of("template"), "template %q: write a path inside the repository", a.Template)
	}
}

func (c *checker) grid(g Grid) {
	for _, pattern := range g.TestGrid {
		if _, err := path.Match(pattern, ""); err != nil || !inside(pattern) {
			c.fail(g.Lines.Of("testgrid"), "TestGrid's files %q: write a path inside the repository, such as grids/**/*.yaml", pattern)
		}
	}
	seen := map[string]bool{}
	for _, d := range g.Dashboards {
		switch {
		case d.Name == "":
			c.fail(d.Lines.Start, "a dashboard without a name: write name: …")
		case seen[d.Name]:
			c.fail(d.Lines.Of("name"), "dashboard %q is there twice: put their jobs together", d.Name)
		}
		seen[d.Name] = true
	}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
