package job

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

// ForkMode says which jobs a release branch gets copies of.
type ForkMode string

// Fork modes.
const (
	// ForkAuto is ForkAnnotated where any job says fork-per-release, else ForkAll.
	ForkAuto ForkMode = "auto"
	// ForkAnnotated copies jobs with the annotation fork-per-release: "true".
	ForkAnnotated ForkMode = "annotated"
	// ForkAll copies those, and jobs that test the default branch and would not
	// run for the new one, unless they say fork-per-release: "false".
	ForkAll ForkMode = "all"
	// ForkNone copies nothing.
	ForkNone ForkMode = "none"
)

// ForkOptions say for what the jobs of a default branch are copied.
type ForkOptions struct {
	Mode          ForkMode
	Repo          string   // OWNER/NAME that is branched
	Together      []string // further repositories that have the branch, too
	Branch        string   // the new branch, release-1.2
	DefaultBranch string
	Version       string // 1.2
	GoVersion     string // for {{.GoVersion}}; one that is asked for and not known is a problem
	// Central says that the files are those of a central configuration, in which
	// a periodic that names no sources has none.
	Central bool
	// Dashboard is added to copies that are on no dashboard of the version;
	// empty leaves them where they are.
	Dashboard string
}

// Source is a job file, as strict.Documents reads it: in the form of .prow.yaml,
// or that of a central configuration.
type Source struct {
	File string
	Path []any // where in the file the jobs lie, for one that holds more
	Root *yaml.Node
}

// Fork is one job that was copied.
type Fork struct {
	From string `json:"from"`
	Name string `json:"name"`
	Type Type   `json:"type"`
	File string `json:"file"` // of the original
	// Context and FromContext are the status contexts of a presubmit.
	Context     string `json:"context,omitempty"`
	FromContext string `json:"from_context,omitempty"`
	// Path leads to the original in its file; Overlap says that the original
	// would run for the new branch beside its copy.
	Path    []any `json:"-"`
	Overlap bool  `json:"overlap,omitempty"`
}

// Forked is what ForkJobs makes.
type Forked struct {
	Jobs []Fork
	// Text is a job file that holds the copies, empty without any.
	Text []byte
}

// ForkJobs copies the jobs of a default branch for a release branch, the way
// Kubernetes' config-forker does: names get the version, branches the branch,
// images ending in -master that of the version; the annotations
// fork-per-release-replacements, -deletions, -periodic-interval, -cron and
// -generic-suffix are followed. Whatever else a job holds is copied as it is
// written. The result names repositories where any of the files does.
func ForkJobs(sources []Source, o ForkOptions) (Forked, []Problem) {
	f := forker{o: o, central: map[Type]map[string][]*yaml.Node{}}
	if o.Mode == ForkAuto || o.Mode == "" {
		f.o.Mode = ForkAll
		if anyAnnotated(sources) {
			f.o.Mode = ForkAnnotated
		}
	}
	if f.o.Mode == ForkNone {
		return Forked{}, nil
	}
	for _, s := range sources {
		f.file(s)
	}
	if len(f.jobs) == 0 {
		return Forked{}, f.problems
	}
	text, err := f.text()
	if err != nil {
		f.problems = append(f.problems, Problem{Message: err.Error()})
	}
	return Forked{Jobs: f.jobs, Text: text}, strict.Sort(f.problems)
}

// forker copies the jobs of several files.
type forker struct {
	o         ForkOptions
	source    Source
	jobs      []Fork
	problems  []Problem
	central   map[Type]map[string][]*yaml.Node // copies by repository
	periodics []*yaml.Node
	named     bool // the present file names its repositories
	byRepo    bool // any file did
}

// kinds are the lists of a job file, in the order in which they are written.
var kinds = []struct {
	key string
	of  Type
}{{"presubmits", Presubmit}, {"postsubmits", Postsubmit}, {"periodics", Periodic}}

// each calls f for every job of a file, with its path below the root.
func each(root *yaml.Node, f func(t Type, repo string, n *yaml.Node, path []any)) (byRepo bool) {
	for _, kind := range kinds {
		list := field(root, kind.key)
		if list == nil {
			continue
		}
		if list.Kind == yaml.SequenceNode {
			for i, n := range list.Content {
				f(kind.of, "", followed(n), []any{kind.key, i})
			}
			continue
		}
		for i := 0; list.Kind == yaml.MappingNode && i+1 < len(list.Content); i += 2 {
			byRepo = true
			repo := list.Content[i].Value
			for k, n := range followed(list.Content[i+1]).Content {
				f(kind.of, repo, followed(n), []any{kind.key, repo, k})
			}
		}
	}
	return byRepo
}

func anyAnnotated(sources []Source) bool {
	found := false
	for _, s := range sources {
		each(s.Root, func(_ Type, _ string, n *yaml.Node, _ []any) {
			_, ok := lookup(field(n, "annotations"), forkAnnotation)
			found = found || ok
		})
	}
	return found
}

func (f *forker) file(s Source) {
	f.source = s
	f.named = each(s.Root, func(Type, string, *yaml.Node, []any) {}) || f.o.Central
	f.byRepo = f.byRepo || f.named
	each(s.Root, func(t Type, repo string, n *yaml.Node, path []any) {
		if n.Kind != yaml.MappingNode || !f.wanted(t, repo, n) {
			return
		}
		copied, left := duplicate(n, maxNodes)
		if left <= 0 {
			f.fail(n, "job %s is too large to be copied: write it without anchors", scalar(n, "name"))
			return
		}
		overlap := t != Periodic && runsOn(n, f.o.Branch)
		fork := Fork{From: scalar(n, "name"), Type: t, File: s.File, Path: slices.Concat(s.Path, path), Overlap: overlap}
		f.fork(t, copied)
		fork.Name, fork.Context = scalar(copied, "name"), scalar(copied, "context")
		if fork.FromContext = scalar(n, "context"); t == Presubmit && fork.FromContext == "" {
			fork.FromContext = fork.From
		}
		f.jobs = append(f.jobs, fork)
		if t == Periodic {
			f.periodics = append(f.periodics, copied)
			return
		}
		if repo == "" {
			repo = f.o.Repo
		}
		if f.central[t] == nil {
			f.central[t] = map[string][]*yaml.Node{}
		}
		f.central[t][repo] = append(f.central[t][repo], copied)
	})
}

func (f *forker) fail(n *yaml.Node, format string, args ...any) {
	f.problems = append(f.problems, Problem{File: f.source.File, Line: n.Line, Message: fmt.Sprintf(format, args...)})
}

// wanted says whether a job is copied.
func (f *forker) wanted(t Type, repo string, n *yaml.Node) bool {
	said, annotated := lookup(field(n, "annotations"), forkAnnotation)
	if annotated || f.o.Mode == ForkAnnotated {
		return said == "true"
	}
	if repo != "" && repo != f.o.Repo {
		return false
	}
	if t != Periodic {
		return runsOn(n, f.o.DefaultBranch) && !runsOn(n, f.o.Branch)
	}
	refs := field(n, "extra_refs")
	if refs == nil {
		return !f.named
	}
	return slices.ContainsFunc(refs.Content, func(r *yaml.Node) bool { return f.branched(followed(r)) })
}

// branched says whether a reference is to a default branch that the new branch
// takes the place of.
func (f *forker) branched(ref *yaml.Node) bool {
	base := scalar(ref, "base_ref")
	name := scalar(ref, "org") + "/" + scalar(ref, "repo")
	return (base == "" || base == f.o.DefaultBranch) && (name == f.o.Repo || slices.Contains(f.o.Together, name))
}

// runsOn is Job.RunsOn of a job as it is written. A pattern that is none is for
// the parser to tell.
func runsOn(n *yaml.Node, branch string) bool {
	matches := func(key string) (given, matched bool) {
		list := field(n, key)
		if list == nil {
			return false, false
		}
		for _, p := range list.Content {
			re, err := regexp.Compile(followed(p).Value)
			matched = matched || err == nil && re.MatchString(branch)
		}
		return len(list.Content) > 0, matched
	}
	if _, skipped := matches("skip_branches"); skipped {
		return false
	}
	only, matched := matches("branches")
	return !only || matched
}

// text writes the copies as one file.
func (f *forker) text() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, kind := range kinds {
		list := f.periodics
		if kind.of != Periodic {
			byRepo := f.central[kind.of]
			if f.byRepo && len(byRepo) > 0 {
				m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
				for _, repo := range sortedKeys(byRepo) {
					put(m, repo, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: byRepo[repo]})
				}
				put(root, kind.key, m)
				continue
			}
			list = byRepo[f.o.Repo]
		}
		if len(list) > 0 {
			put(root, kind.key, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: list})
		}
	}
	return encodeYAML(root)
}

// NotOn returns the pattern of skip_branches that keeps a job off a branch, and
// of branches that keeps it to it.
func NotOn(branch string) string { return "^" + regexp.QuoteMeta(branch) + "$" }

// mains are the names a default branch has in jobs: Kubernetes' own is master,
// and its images are named for that wherever they are used.
func (o ForkOptions) mains() []string {
	mains := []string{"master"}
	if o.DefaultBranch != "" && o.DefaultBranch != "master" {
		mains = append(mains, o.DefaultBranch)
	}
	return mains
}

// suffixed says whether a name ends in the default branch.
func (o ForkOptions) suffixed(name string) bool {
	return slices.ContainsFunc(o.mains(), func(m string) bool { return strings.HasSuffix(name, "-"+m) })
}

// instead replaces every -master in a text, and -main where it ends a part.
func (o ForkOptions) instead(text, suffix string) string {
	text = strings.ReplaceAll(text, "-master", suffix)
	for _, m := range o.mains()[1:] {
		text = regexp.MustCompile(`-`+regexp.QuoteMeta(m)+`($|[@:/ ,])`).ReplaceAllString(text, strings.ReplaceAll(suffix, "$", "$$")+"${1}")
	}
	return text
}
