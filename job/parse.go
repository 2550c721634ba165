package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

// Parse reads one Prow job file: presets, presubmits and postsubmits by
// repository, periodics. The name is what problems call it. All problems are
// returned at once; jobs that have an error are left out, so that the others
// may still be looked at. A file none of whose top-level keys Prow knows is no
// job file and gives a warning only, as real trees hold some.
func Parse(name string, data []byte) (File, []Problem) {
	docs, problems := strict.Documents(name, data)
	f := File{Name: name, Presubmits: map[string][]*Job{}, Postsubmits: map[string][]*Job{}}
	for i, doc := range docs {
		if i == 1 {
			problems = append(problems, Problem{File: name, Line: doc.Line, Warning: true, Message: "a second YAML document: it is read here, but Prow drops it; put everything into one document"})
		}
		if doc.Kind == yaml.MappingNode && !anyKnown(doc) {
			problems = append(problems, Problem{File: name, Line: doc.Line, Warning: true, Message: "no jobs in this file: none of presets, presubmits, postsubmits and periodics is here"})
			continue
		}
		var y fileYAML
		found := strict.Decode(name, doc, &y)
		b := builder{file: name, problems: append(problems, found...)}
		b.centralFile(&f, y)
		problems = b.problems
	}
	return f, strict.Sort(problems)
}

func anyKnown(doc *yaml.Node) bool {
	known := []string{"presets", "presubmits", "postsubmits", "periodics", "prow_ignored"}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if strict.Nearest(doc.Content[i].Value, known) != "" {
			return true
		}
	}
	return len(doc.Content) == 0
}

// ParsePresets reads the presets of Prow's central configuration (config.yaml)
// and passes over everything else in it.
func ParsePresets(name string, data []byte) (File, []Problem) {
	docs, problems := strict.Documents(name, data)
	f := File{Name: name}
	for _, doc := range docs {
		if doc.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(doc.Content); i += 2 {
			if doc.Content[i].Value == "presets" {
				problems = append(problems, strict.Decode(name, doc.Content[i+1], &f.Presets)...)
			}
		}
	}
	for i := range f.Presets {
		f.Presets[i].File = name
	}
	return f, strict.Sort(problems)
}

// ParseInRepo reads the form a repository keeps its own jobs in (.prow.yaml):
// plain lists under presubmits and postsubmits. Unlike in Prow there may be
// periodics, too; one without extra_refs gets the repository itself, with an
// empty base_ref for its default branch.
func ParseInRepo(repo, name string, data []byte) (File, []Problem) {
	docs, problems := strict.Documents(name, data)
	f := File{Name: name, Presubmits: map[string][]*Job{}, Postsubmits: map[string][]*Job{}}
	for i, doc := range docs {
		if i == 1 {
			problems = append(problems, Problem{File: name, Line: doc.Line, Warning: true, Message: "a second YAML document: it is read here, but Prow drops it; put everything into one document"})
		}
		problems = append(problems, parseInRepo(&f, repo, doc)...)
	}
	return f, strict.Sort(problems)
}

// ParseInRepoNode is ParseInRepo for jobs that are part of a larger file.
func ParseInRepoNode(repo, name string, node *yaml.Node) (File, []Problem) {
	f := File{Name: name, Presubmits: map[string][]*Job{}, Postsubmits: map[string][]*Job{}}
	return f, strict.Sort(parseInRepo(&f, repo, node))
}

func parseInRepo(f *File, repo string, node *yaml.Node) []Problem {
	var y inRepoYAML
	b := builder{file: f.Name}
	b.problems = strict.Decode(f.Name, node, &y)
	b.presets(f, y.Presets)
	for _, p := range y.Presubmits {
		b.add(f.Presubmits, repo, b.presubmit(repo, p))
	}
	for _, p := range y.Postsubmits {
		b.add(f.Postsubmits, repo, b.postsubmit(repo, p))
	}
	owner, short, _ := strings.Cut(repo, "/")
	for _, p := range y.Periodics {
		j := b.periodic(p)
		if j != nil && len(j.ExtraRefs) == 0 && short != "" {
			j.ExtraRefs = []Refs{{Org: owner, Repo: short, WorkDir: true, PathAlias: j.PathAlias}}
		}
		if j != nil {
			f.Periodics = append(f.Periodics, j)
		}
	}
	return b.problems
}

func (b *builder) centralFile(f *File, y fileYAML) {
	b.presets(f, y.Presets)
	for _, repo := range sortedKeys(y.Presubmits) {
		for _, p := range y.Presubmits[repo] {
			b.repoName(repo, p.Lines.Start)
			b.add(f.Presubmits, repo, b.presubmit(repo, p))
		}
	}
	for _, repo := range sortedKeys(y.Postsubmits) {
		for _, p := range y.Postsubmits[repo] {
			b.repoName(repo, p.Lines.Start)
			b.add(f.Postsubmits, repo, b.postsubmit(repo, p))
		}
	}
	for _, p := range y.Periodics {
		if j := b.periodic(p); j != nil {
			f.Periodics = append(f.Periodics, j)
		}
	}
}

func (b *builder) add(to map[string][]*Job, repo string, j *Job) {
	if j != nil {
		to[repo] = append(to[repo], j)
	}
}

func (b *builder) repoName(repo string, line int) {
	if strings.HasPrefix(repo, "https://") || strings.HasPrefix(repo, "http://") {
		return // Gerrit's form
	}
	owner, name, ok := strings.Cut(repo, "/")
	if !ok || owner == "" || name == "" {
		b.fail(line, "repository %q: write OWNER/NAME", repo)
	}
}

func (b *builder) presets(f *File, presets []Preset) {
	for _, p := range presets {
		p.File = b.file
		if len(p.Labels) == 0 {
			b.warn(p.Lines.Start, "a preset without labels goes into every job of every file: give it labels")
		}
		f.Presets = append(f.Presets, p)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

func (b *builder) fail(line int, format string, args ...any) {
	b.failed = true
	b.problems = append(b.problems, Problem{File: b.file, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (b *builder) warn(line int, format string, args ...any) {
	b.problems = append(b.problems, Problem{File: b.file, Line: line, Message: fmt.Sprintf(format, args...), Warning: true})
}
