package job

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Annotations of config-forker, whose README is the source of their meaning.
const (
	forkAnnotation        = "fork-per-release"
	suffixAnnotation      = "fork-per-release-generic-suffix"
	intervalAnnotation    = "fork-per-release-periodic-interval"
	cronAnnotation        = "fork-per-release-cron"
	replacementAnnotation = "fork-per-release-replacements"
	deletionAnnotation    = "fork-per-release-deletions"
	dashboardsAnnotation  = "testgrid-dashboards"
	tabAnnotation         = "testgrid-tab-name"
)

// fork turns a copy of a job into that of the branch.
func (f *forker) fork(t Type, n *yaml.Node) {
	notes := field(n, "annotations")
	replace, ok := f.replacements(n)
	if !ok {
		return
	}
	name := scalar(n, "name")
	if t == Presubmit {
		// The name stays: it is what people type after /test, and what the
		// branch's protection asks for.
		context := scalar(n, "context")
		if context == "" {
			context = name
		}
		setText(n, "context", f.o.instead(context, "-"+f.o.Version))
	} else {
		setText(n, "name", f.variant(name, notes))
	}
	if t != Periodic {
		drop(n, "skip_branches")
		put(n, "branches", texts(NotOn(f.o.Branch)))
	}
	f.containers(t, n, replace)
	if t == Periodic {
		f.references(n)
		f.schedule(n)
		replaceAll(field(n, "tags"), replace)
		deletions, _ := lookup(notes, deletionAnnotation)
		for key := range strings.SplitSeq(deletions, ",") {
			drop(field(n, "labels"), strings.TrimSpace(key))
		}
	}
	f.annotations(t, n)
}

// variant is the name of a copy.
func (f *forker) variant(name string, notes *yaml.Node) string {
	suffix := "-" + strings.ReplaceAll(f.o.Version, ".", "-")
	if generic, _ := lookup(notes, suffixAnnotation); generic == "true" {
		suffix = "-beta"
	}
	if !f.o.suffixed(name) {
		return name + suffix
	}
	return f.o.instead(name, suffix)
}

var templateValue = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)

// replacements reads "old -> new, old -> new", in which new may hold
// {{.Version}} and {{.GoVersion}}.
func (f *forker) replacements(n *yaml.Node) (*strings.Replacer, bool) {
	text, _ := lookup(field(n, "annotations"), replacementAnnotation)
	if text == "" {
		return strings.NewReplacer(), true
	}
	var pairs []string
	for entry := range strings.SplitSeq(text, ", ") {
		from, to, ok := strings.Cut(entry, " -> ")
		if !ok || from == "" || strings.Contains(to, " -> ") {
			f.fail(n, "job %s: replacement %q: write OLD -> NEW, several separated by a comma and a space", scalar(n, "name"), entry)
			return nil, false
		}
		to = templateValue.ReplaceAllStringFunc(to, func(v string) string {
			switch name := templateValue.FindStringSubmatch(v)[1]; {
			case name == "Version":
				return f.o.Version
			case name == "GoVersion" && f.o.GoVersion != "":
				return f.o.GoVersion
			}
			return v
		})
		if strings.Contains(to, "{{") {
			f.fail(n, "job %s: replacement %q: only {{.Version}} and, where the version of Go is known, {{.GoVersion}} are filled in", scalar(n, "name"), entry)
			return nil, false
		}
		pairs = append(pairs, from, to)
	}
	return strings.NewReplacer(pairs...), true
}

// containers points images, variables and arguments at the branch.
func (f *forker) containers(t Type, n *yaml.Node, replace *strings.Replacer) {
	spec := field(n, "spec")
	decorated := scalar(n, "decorate")
	for _, key := range []string{"initContainers", "containers"} {
		list := field(spec, key)
		if list == nil {
			continue
		}
		for _, c := range list.Content {
			c = followed(c)
			if image := scalar(c, "image"); image != "" {
				setText(c, "image", f.o.instead(image, "-"+f.o.Version))
			}
			for _, key := range []string{"command", "args"} {
				if t == Periodic && decorated != "true" {
					replaceAll(field(c, key), f.bootstrap())
				}
				replaceAll(field(c, key), replace)
			}
			f.variables(field(c, "env"), replace)
		}
	}
}

// bootstrap points the arguments of jobs that check out their sources
// themselves at the branch.
func (f *forker) bootstrap() *strings.Replacer {
	var pairs []string
	for _, main := range f.o.mains() {
		pairs = append(pairs, "--repo=k8s.io/kubernetes="+main, "--repo=k8s.io/kubernetes="+f.o.Branch, "--branch="+main, "--branch="+f.o.Branch)
	}
	return strings.NewReplacer(append(pairs, "--repo=k8s.io/kubernetes", "--repo=k8s.io/kubernetes="+f.o.Branch)...)
}

func (f *forker) variables(env *yaml.Node, replace *strings.Replacer) {
	if env == nil {
		return
	}
	for _, v := range env.Content {
		v = followed(v)
		name, value := scalar(v, "name"), scalar(v, "value")
		if strings.Contains(strings.ToUpper(name), "BRANCH") && slices.Contains(f.o.mains(), value) {
			setText(v, "value", f.o.Branch)
			continue
		}
		newName, newValue, ok := strings.Cut(replace.Replace(name+"="+value), "=")
		if ok && newName != name {
			setText(v, "name", newName)
		}
		if ok && newValue != value {
			setText(v, "value", newValue)
		}
	}
}

// references points the sources of a periodic at the branch. One that names
// none is about its own repository.
func (f *forker) references(n *yaml.Node) {
	refs := field(n, "extra_refs")
	owner, name, ok := strings.Cut(f.o.Repo, "/")
	if refs == nil && ok && !f.named {
		ref := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, pair := range [][2]string{{"org", owner}, {"repo", name}, {"base_ref", f.o.Branch}} {
			setText(ref, pair[0], pair[1])
		}
		workdir := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"}
		put(ref, "workdir", workdir)
		put(n, "extra_refs", &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{ref}})
		return
	}
	if refs == nil {
		return
	}
	for _, r := range refs.Content {
		if r = followed(r); f.branched(r) {
			setText(r, "base_ref", f.o.Branch)
		}
	}
}

// schedule takes the first of the times that the annotations list; the copy
// keeps the others, for when it is rotated.
func (f *forker) schedule(n *yaml.Node) {
	notes := field(n, "annotations")
	intervals, hasIntervals := lookup(notes, intervalAnnotation)
	crons, hasCrons := lookup(notes, cronAnnotation)
	if hasIntervals && hasCrons && strings.TrimSpace(crons) != "" {
		f.fail(n, "job %s has both %s and %s: keep one", scalar(n, "name"), intervalAnnotation, cronAnnotation)
		return
	}
	if times := strings.Fields(intervals); len(times) > 0 {
		drop(n, "cron")
		drop(n, "minimum_interval")
		setText(n, "interval", times[0])
		setText(notes, intervalAnnotation, strings.Join(times[1:], " "))
	}
	if first, rest, _ := strings.Cut(crons, ", "); strings.TrimSpace(first) != "" {
		drop(n, "interval")
		drop(n, "minimum_interval")
		setText(n, "cron", first)
		setText(notes, cronAnnotation, rest)
	}
}

// annotations puts the copy on the dashboards of its version. A presubmit, which
// keeps its name, leaves those to the original.
func (f *forker) annotations(t Type, n *yaml.Node) {
	notes := field(n, "annotations")
	if notes == nil {
		notes = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	for i := 0; i+1 < len(notes.Content); {
		key, value := notes.Content[i].Value, notes.Content[i+1].Value
		gone := slices.Contains([]string{forkAnnotation, replacementAnnotation, deletionAnnotation, "description"}, key) ||
			(key == intervalAnnotation || key == cronAnnotation) && strings.TrimSpace(value) == "" ||
			t == Presubmit && strings.HasPrefix(key, "testgrid-")
		if gone {
			notes.Content = slices.Delete(notes.Content, i, i+2)
			continue
		}
		i += 2
	}
	if t != Presubmit {
		f.dashboards(notes)
	}
	if len(notes.Content) == 0 {
		drop(n, "annotations")
		return
	}
	put(n, "annotations", notes)
}

func (f *forker) dashboards(notes *yaml.Node) {
	boards, _ := lookup(notes, dashboardsAnnotation)
	for _, main := range f.o.mains() {
		boards = strings.NewReplacer(main+"-blocking", f.o.Version+"-blocking", main+"-informing", f.o.Version+"-informing").Replace(boards)
		if tab, ok := lookup(notes, tabAnnotation); ok {
			setText(notes, tabAnnotation, strings.ReplaceAll(tab, main, f.o.Version))
		}
	}
	known := regexp.MustCompile(`(^|[ ,-])` + regexp.QuoteMeta(f.o.Version) + `($|[^0-9])`).MatchString(boards)
	switch {
	case f.o.Dashboard == "" || known:
	case boards == "":
		boards = f.o.Dashboard
	default:
		boards += ", " + f.o.Dashboard
	}
	if boards != "" {
		setText(notes, dashboardsAnnotation, boards)
	}
}

// maxNodes bounds a copy: an alias of an alias of an alias grows fast.
const maxNodes = 20_000

// duplicate copies a node, what it refers to included. left is what remains of
// the budget of nodes.
func duplicate(n *yaml.Node, budget int) (_ *yaml.Node, left int) {
	if budget--; budget <= 0 {
		return n, 0
	}
	if n.Kind == yaml.AliasNode {
		return duplicate(n.Alias, budget)
	}
	c := *n
	c.Anchor = ""
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i], budget = duplicate(child, budget)
	}
	return &c, budget
}

func followed(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// field returns the value of a key of a mapping, nil if there is none.
func field(n *yaml.Node, key string) *yaml.Node {
	if n = followed(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return followed(n.Content[i+1])
		}
	}
	return nil
}

// lookup is field for a text, and whether it is there.
func lookup(n *yaml.Node, key string) (string, bool) {
	v := field(n, key)
	if v == nil || v.Kind != yaml.ScalarNode {
		return "", false
	}
	return v.Value, true
}

func scalar(n *yaml.Node, key string) string {
	text, _ := lookup(n, key)
	return text
}

// put sets a key of a mapping, behind the others if it is new.
func put(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = value
			return
		}
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

// setText sets a key to a text, and keeps how it is written where it does not
// change.
func setText(n *yaml.Node, key, value string) {
	if old := field(n, key); old != nil && old.Kind == yaml.ScalarNode && old.Value == value {
		return
	}
	put(n, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value})
}

func drop(n *yaml.Node, key string) {
	if n == nil {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}

func texts(items ...string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, s := range items {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s})
	}
	return n
}

func replaceAll(list *yaml.Node, r *strings.Replacer) {
	if list == nil {
		return
	}
	for _, n := range list.Content {
		if n.Kind == yaml.ScalarNode {
			n.Value = r.Replace(n.Value)
		}
	}
}

func encodeYAML(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, fmt.Errorf("writing the copied jobs: %w", err)
	}
	return b.Bytes(), e.Close()
}
