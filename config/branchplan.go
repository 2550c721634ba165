package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"seaworthy/job"
	"seaworthy/release"
	"seaworthy/strict"
)

// Branching is what a release branch's plan follows from.
type Branching struct {
	Repo   string // OWNER/NAME
	Commit string
	Series release.Series
	// Files are those of the commit that matter: seaworthy.yaml, job files,
	// and what release.branches.replace names.
	Files map[string]string
	// GoVersion is that of the project, empty if not known.
	GoVersion string
}

// PlanBranch works out all that creating a release branch does, and changes
// nothing. The project is that of the same files. What is wrong with the files
// is a strict.Error.
func PlanBranch(p Project, b Branching) (release.BranchPlan, error) {
	plan, err := release.NewBranchPlan(b.Series, p.Release.Branches.Rules(), b.Commit, b.Files)
	if err != nil {
		return plan, err
	}
	w := &brancher{project: p, in: b, plan: &plan}
	steps := []func() error{w.jobs, w.contexts, w.gates, w.dashboards, w.milestones, w.mergeGate, w.changelog}
	for _, step := range steps {
		if err := step(); err != nil {
			return plan, err
		}
	}
	return plan, w.check()
}

// brancher makes the edits of a plan.
type brancher struct {
	project Project
	in      Branching
	plan    *release.BranchPlan
	forked  []job.Fork
}

// configured says whether there is a file to write settings into.
func (w *brancher) configured() bool {
	_, ok := w.in.Files[Name]
	return ok
}

const unconfigured = "there is no " + Name + " to write it into: seaworthy init makes one"

// text is a file as the plan has it by now.
func (w *brancher) text(on, path string) string {
	edits := w.plan.OnBranch
	if on == "main" {
		edits = w.plan.OnMain
	}
	for _, e := range edits {
		if e.Path == path {
			return e.Text
		}
	}
	return w.in.Files[path]
}

// edit changes a file on one side.
func (w *brancher) edit(on, path string, change func(text []byte) ([]byte, error)) error {
	before := w.text(on, path)
	after, err := change([]byte(before))
	if err != nil {
		return err
	}
	if string(after) != before {
		_, there := w.in.Files[path]
		w.plan.Edit(on, release.FileEdit{Path: path, Text: string(after), New: !there})
	}
	return nil
}

func (w *brancher) set(on string, value any, path ...any) error {
	return w.edit(on, Name, func(text []byte) ([]byte, error) { return strict.Set(Name, text, value, path...) })
}

var bothSides = []string{"branch", "main"}

// jobs writes the copies of jobs, on both sides: the branch runs what stands in
// its own files, and periodics and the grid follow the default branch's.
func (w *brancher) jobs() error {
	if !w.configured() {
		w.plan.Skip("jobs", unconfigured)
		return nil
	}
	sources, err := w.sources()
	if err != nil {
		return err
	}
	s := w.in.Series
	rules := w.plan.Rules
	made, problems := job.ForkJobs(sources, job.ForkOptions{Mode: forkMode(rules), Repo: w.in.Repo, Together: rules.Together, Branch: s.Branch,
		DefaultBranch: s.DefaultBranch, Version: s.Version(), GoVersion: w.in.GoVersion, Dashboard: s.Expand(rules.Dashboard)})
	if failures, _ := strict.Split(problems); len(failures) > 0 {
		return strict.Error(failures)
	}
	if len(made.Jobs) == 0 {
		w.plan.Skip("jobs", "none is to be copied: those that run for every branch run for this one, from its own files")
		return nil
	}
	w.forked = made.Jobs
	file := s.Expand(rules.JobFile)
	if old, there := w.in.Files[file]; there && old != string(made.Text) {
		return fmt.Errorf("%s is there and holds something else: remove it, or name another in release.branches.job_file", file)
	}
	for _, on := range bothSides {
		if err := w.writeJobs(on, file, made); err != nil {
			return err
		}
	}
	w.sayJobs(file)
	return nil
}

// sources are the files that jobs are written in.
func (w *brancher) sources() ([]job.Source, error) {
	var sources []job.Source
	for _, name := range slices.Sorted(maps.Keys(w.in.Files)) {
		if name != Name && !w.project.IsJobFile(name) {
			continue
		}
		docs, problems := strict.Documents(name, []byte(w.in.Files[name]))
		if len(problems) > 0 {
			return nil, strict.Error(problems)
		}
		for _, d := range docs {
			if name != Name {
				sources = append(sources, job.Source{File: name, Root: d})
				continue
			}
			if jobs := valueOf(d, "jobs"); jobs != nil {
				sources = append(sources, job.Source{File: name, Path: []any{"jobs"}, Root: jobs})
			}
		}
	}
	return sources, nil
}

func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// writeJobs puts the copies on one side, names their file, and keeps originals
// that would run beside their copies off the branch.
func (w *brancher) writeJobs(on, file string, made job.Forked) error {
	if _, there := w.in.Files[file]; !there {
		w.plan.Edit(on, release.FileEdit{Path: file, Text: string(made.Text), New: true})
	}
	if !w.project.IsJobFile(file) {
		err := w.edit(on, Name, func(text []byte) ([]byte, error) {
			if w.project.Jobs.Lines.Has("files") {
				return strict.Append(Name, text, file, "jobs", "files")
			}
			return strict.Set(Name, text, append(slices.Clone(w.project.Jobs.Files), file), "jobs", "files")
		})
		if err != nil {
			return err
		}
	}
	for _, f := range made.Jobs {
		if !f.Overlap {
			continue
		}
		err := w.edit(on, f.File, func(text []byte) ([]byte, error) {
			return strict.Append(f.File, text, job.NotOn(w.in.Series.Branch), append(slices.Clone(f.Path), "skip_branches")...)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *brancher) sayJobs(file string) {
	var names, apart []string
	for _, f := range w.forked {
		names = append(names, f.Name)
		if f.Overlap {
			apart = append(apart, f.From)
		}
		if f.Context != f.FromContext {
			w.replaceContext(f.FromContext, f.Context)
		}
	}
	w.plan.Do("jobs", "%d in %s: %s", len(names), file, strings.Join(names, ", "))
	if len(apart) > 0 {
		w.plan.Do("jobs", "kept off %s, where their copies run: %s", w.in.Series.Branch, strings.Join(apart, ", "))
	}
}

// contexts finds status contexts that no job reports for the branch: one that
// protection asked for would keep every change from merging.
func (w *brancher) contexts() error {
	if w.plan.Rules.Protection != "copy" || !w.configured() {
		return nil
	}
	_, jobs, err := w.read("branch")
	if err != nil {
		return err
	}
	reported := map[string]bool{}
	for _, j := range jobs.Presubmits[w.in.Repo] {
		if j.RunsOn(w.in.Series.Branch) {
			reported[j.Context] = true
		}
	}
	var dropped []string
	for _, j := range jobs.Presubmits[w.in.Repo] {
		if _, copied := w.plan.Contexts[j.Context]; !reported[j.Context] && !copied {
			w.replaceContext(j.Context, "")
			dropped = append(dropped, j.Context)
		}
	}
	if len(dropped) > 0 {
		w.plan.Do("protection", "without contexts that no job reports for %s: %s", w.in.Series.Branch, strings.Join(dropped, ", "))
	}
	return nil
}

func (w *brancher) replaceContext(from, to string) {
	if w.plan.Contexts == nil {
		w.plan.Contexts = map[string]string{}
	}
	w.plan.Contexts[from] = to
}

// gates lets the branch's releases be judged by the copies.
func (w *brancher) gates() error {
	var renamed []string
	for i, name := range w.project.Release.Gates.Green {
		at := slices.IndexFunc(w.forked, func(f job.Fork) bool { return f.From == name && f.Name != name })
		if at < 0 {
			continue
		}
		if err := w.set("branch", w.forked[at].Name, "release", "gates", "green", i); err != nil {
			return err
		}
		renamed = append(renamed, w.forked[at].Name)
	}
	if len(renamed) == 0 {
		w.plan.Skip("release gate", "it names no job that was copied under another name")
		return nil
	}
	w.plan.Do("release gate", "green: %s", strings.Join(renamed, ", "))
	return nil
}

// board is a dashboard as it is written.
type board struct {
	Name        string   `yaml:"name"`
	Description string   `yaml:"description,omitempty"`
	Jobs        []string `yaml:"jobs"`
}

// dashboards copies the dashboards that show a job that was copied.
func (w *brancher) dashboards() error {
	shown := false
	for _, d := range w.project.Grid.Dashboards {
		copied := board{Name: w.boardName(d.Name), Description: d.Description}
		for _, name := range d.Jobs {
			for _, f := range w.forked {
				if f.From == name && f.Name != name {
					copied.Jobs = append(copied.Jobs, f.Name)
				}
			}
		}
		there := slices.ContainsFunc(w.project.Grid.Dashboards, func(o Dashboard) bool { return o.Name == copied.Name })
		if len(copied.Jobs) == 0 || there {
			continue
		}
		err := w.edit("main", Name, func(text []byte) ([]byte, error) { return strict.Append(Name, text, copied, "grid", "dashboards") })
		if err != nil {
			return err
		}
		shown = true
		w.plan.Do("dashboards", "%s shows %s", copied.Name, strings.Join(copied.Jobs, ", "))
	}
	renamed := slices.ContainsFunc(w.forked, func(f job.Fork) bool { return f.Type != job.Presubmit })
	switch name := w.in.Series.Expand(w.plan.Rules.Dashboard); {
	case renamed && name != "":
		w.plan.Do("dashboards", "%s shows copies of jobs that are on none of %s", name, w.in.Series.Version())
	case !shown:
		w.plan.Skip("dashboards", "nothing was copied that one could show")
	}
	return nil
}

// boardName names the copy of a dashboard.
func (w *brancher) boardName(name string) string {
	v := w.in.Series.Version()
	for _, main := range []string{w.in.Series.DefaultBranch, "master"} {
		if strings.HasPrefix(name, main+"-") || strings.HasSuffix(name, "-"+main) || strings.Contains(name, "-"+main+"-") {
			return strings.Replace(name, main, v, 1)
		}
	}
	return name + "-" + v
}

// milestones lets merged changes get the milestone of their branch.
func (w *brancher) milestones() error {
	if len(w.plan.Milestones) == 0 {
		return nil // NewBranchPlan has said so
	}
	if !w.configured() {
		w.plan.Skip("milestone of merged changes", unconfigured)
		return nil
	}
	s := w.in.Series
	if err := w.set("main", w.plan.Milestones[0], "merge", "milestone", s.Branch); err != nil {
		return err
	}
	if err := w.set("main", w.plan.Milestones[1], "merge", "milestone", s.DefaultBranch); err != nil {
		return err
	}
	w.plan.Do("milestone of merged changes", "%s on %s, %s on %s", w.plan.Milestones[0], s.Branch, w.plan.Milestones[1], s.DefaultBranch)
	return nil
}

// mergeGate asks changes to the branch for further labels.
func (w *brancher) mergeGate() error {
	labels := w.plan.Rules.Require
	switch {
	case len(labels) == 0:
		w.plan.Skip("merge gate", "what changes to %s need counts for every branch", w.in.Series.DefaultBranch)
		return nil
	case !w.configured():
		w.plan.Skip("merge gate", unconfigured)
		return nil
	}
	if err := w.set("main", labels, "merge", "branches", w.in.Series.Branch, "require"); err != nil {
		return err
	}
	w.plan.Do("merge gate", "changes to %s need %s besides", w.in.Series.Branch, strings.Join(labels, ", "))
	return nil
}

// changelog opens the file of the series that the default branch goes on with.
func (w *brancher) changelog() error {
	next := w.in.Series.Next()
	file := next.Expand(w.project.Release.Changelog)
	_, there := w.in.Files[file]
	switch {
	case !w.plan.Rules.Changelog:
		w.plan.Skip("changelog", "the first release of a series opens its file")
	case there:
		w.plan.Skip("changelog", "%s is there", file)
	default:
		w.plan.Edit("main", release.FileEdit{Path: file, Text: "<!-- Releases of " + next.Version() + ", newest first -->\n", New: true})
		w.plan.Do("changelog", "%s", file)
	}
	return nil
}

// check reads what the edits make as it will be read once it is there.
func (w *brancher) check() error {
	for _, on := range bothSides {
		if !w.configured() {
			continue
		}
		if _, _, err := w.read(on); err != nil {
			return err
		}
	}
	return nil
}

// read returns the configuration and jobs of one side, edits included.
func (w *brancher) read(on string) (Project, job.Config, error) {
	texts := map[string][]byte{}
	for name := range w.in.Files {
		texts[name] = []byte(w.text(on, name))
	}
	edits := w.plan.OnBranch
	if on == "main" {
		edits = w.plan.OnMain
	}
	for _, e := range edits {
		texts[e.Path] = []byte(e.Text)
	}
	p, err := Parse(Name, texts[Name])
	if err != nil {
		return p, job.Config{}, fmt.Errorf("the configuration on %s would be wrong: %w", on, err)
	}
	jobs, problems := p.JobConfig(w.in.Repo, texts)
	if failures, _ := strict.Split(problems); len(failures) > 0 {
		return p, jobs, fmt.Errorf("the jobs on %s would be wrong: %w", on, strict.Error(failures))
	}
	return p, jobs, nil
}
