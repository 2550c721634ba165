package config

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"seaworthy/job"
	"seaworthy/strict"
)

// Name of the file in a repository's root.
const Name = "seaworthy.yaml"

// Load reads seaworthy.yaml from the root of a repository's files, such as
// os.DirFS(dir). A missing file is fs.ErrNotExist, wrapped; what is wrong in it
// is a strict.Error.
func Load(repo fs.FS) (Project, error) {
	data, err := fs.ReadFile(repo, Name)
	if err != nil {
		return Project{}, fmt.Errorf("reading the project's configuration: %w", err)
	}
	return Parse(Name, data)
}

// Parse reads the content of a file; name is what problems call it. The error
// is a strict.Error that lists every problem, one on a line, as
// "file:line: message"; warnings are in the project.
func Parse(name string, data []byte) (Project, error) {
	p := defaults()
	p.File = name
	problems := strict.Unmarshal(name, data, &p)
	_, found := p.JobFile("")
	problems = strict.Sort(append(append(problems, check(p, problems)...), found...))
	failures, warnings := strict.Split(problems)
	p.Warnings = warnings
	if len(failures) > 0 {
		return Project{}, strict.Error(failures)
	}
	if p.Build.Go.Name == "" {
		p.Build.Go.Name = p.Project.Name
	}
	return p, nil
}

// check looks at the values. Of a file that could not be read there is nothing
// to say, nor of a line that has a problem already.
func check(p Project, already []strict.Problem) []strict.Problem {
	if p.Lines.Start == 0 && len(already) > 0 {
		return nil
	}
	bad := map[int]bool{}
	for _, a := range already {
		bad[a.Line] = true
	}
	c := checker{file: p.File}
	c.project(p)
	return slices.DeleteFunc(c.problems, func(p strict.Problem) bool { return bad[p.Line] })
}

// JobFile returns the jobs written in seaworthy.yaml itself, as those of repo
// ("OWNER/NAME").
func (p Project) JobFile(repo string) (job.File, []job.Problem) {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: p.Jobs.Lines.Start}
	for _, part := range []struct {
		key  string
		node *yaml.Node
	}{
		{"presets", p.Jobs.Presets},
		{"presubmits", p.Jobs.Presubmits},
		{"postsubmits", p.Jobs.Postsubmits},
		{"periodics", p.Jobs.Periodics},
	} {
		if part.node != nil {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: part.key, Line: p.Jobs.Lines.Of(part.key)}
			root.Content = append(root.Content, key, part.node)
		}
	}
	return job.ParseInRepoNode(repo, p.File, root)
}

// JobConfig returns all jobs of repo ("OWNER/NAME"): those written in
// seaworthy.yaml and those of the job files, given by their paths. Files that
// the project's patterns do not match are passed over. A release gate or a
// dashboard that names a job there is not is a problem, too.
func (p Project) JobConfig(repo string, files map[string][]byte) (job.Config, []job.Problem) {
	inline, problems := p.JobFile(repo)
	parsed := []job.File{inline}
	for _, name := range sortedNames(files) {
		if !p.IsJobFile(name) {
			continue
		}
		f, found := job.ParseRepoFile(repo, name, files[name])
		parsed = append(parsed, f)
		problems = append(problems, found...)
	}
	c, found := job.Merge(parsed...)
	problems = append(problems, found...)
	return c, strict.Sort(append(problems, p.namesJobs(c)...))
}

// IsJobFile reports whether a path in the repository is one of the job files.
func (p Project) IsJobFile(name string) bool {
	return slices.ContainsFunc(p.Jobs.Files, func(pattern string) bool {
		return glob(strings.Split(pattern, "/"), strings.Split(name, "/"))
	})
}

// glob matches element by element; "**" stands for any number of them.
func glob(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if glob(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// namesJobs checks the names of jobs that other sections refer to.
func (p Project) namesJobs(c job.Config) []job.Problem {
	var names []string
	known := map[string]bool{}
	for _, j := range c.All() {
		known[j.Name] = true
		names = append(names, j.Name)
	}
	check := checker{file: p.File}
	for _, name := range p.Release.Gates.Green {
		if !known[name] {
			check.fail(p.Release.Gates.Lines.Of("green"), "gates.green names job %q, which there is not: %s", name, instead(name, names))
		}
	}
	for _, d := range p.Grid.Dashboards {
		for _, name := range d.Jobs {
			if !known[name] {
				check.fail(d.Lines.Of("jobs"), "dashboard %q shows job %q, which there is not: %s", d.Name, name, instead(name, names))
			}
		}
	}
	return check.problems
}

func instead(name string, known []string) string {
	if near := strict.Nearest(name, known); near != "" {
		return "write " + near
	}
	return "remove it, or add the job"
}
