package merge

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

// Names of the files that Load reads.
const (
	ownersName  = "OWNERS"
	aliasesName = "OWNERS_ALIASES"
)

// Problem is an irregularity of an OWNERS or OWNERS_ALIASES file. A warning
// leaves the rest of the file standing; otherwise the file, or the list the
// problem is about, counts for nothing.
type Problem = strict.Problem

// Load reads OWNERS files, given by their slash path in the repository, and the
// root's OWNERS_ALIASES. Files of other names are passed over. It never fails:
// what cannot be understood is left out and reported. Problems come in order
// of file and line.
//
// The format is documented at https://go.k8s.io/owners.
func Load(files map[string][]byte) (*Owners, []Problem) {
	l := loader{aliases: map[string][]string{}}
	o := &Owners{dirs: map[string]ownersDir{}}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		if clean := cleanPath(name); path.Base(clean) == aliasesName {
			if clean != aliasesName {
				l.reject(clean, 0, "only the %s file at the root of the repository is read; move its aliases there", aliasesName)
				continue
			}
			l.loadAliases(clean, files[name])
		}
	}
	for _, name := range names {
		if clean := cleanPath(name); path.Base(clean) == ownersName {
			if dir, ok := l.loadOwners(clean, files[name]); ok {
				o.dirs[parent(clean)] = dir
			}
		}
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return o, l.problems
}

// loader gathers aliases and problems while files are read.
type loader struct {
	aliases  map[string][]string
	problems []Problem
}

// warn reports what leaves the rest of the file standing.
func (l *loader) warn(file string, line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: file, Line: line, Message: fmt.Sprintf(format, args...), Warning: true})
}

// reject reports what makes a file, or one list of it, count for nothing.
func (l *loader) reject(file string, line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: file, Line: line, Message: fmt.Sprintf(format, args...)})
}

// document parses the first document of a file; nil when there is nothing to
// read in it.
func (l *loader) document(file string, content []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		l.warn(file, 0, "is empty; it says nothing")
		return nil
	}
	if err != nil {
		l.reject(file, yamlLine(err), "is not YAML, so nothing in it counts: %v", err)
		return nil
	}
	var next yaml.Node
	if err := dec.Decode(&next); !errors.Is(err, io.EOF) {
		l.warn(file, next.Line, "has more after the first YAML document; only the first counts")
	}
	root := resolve(doc.Content[0])
	switch {
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		l.warn(file, 0, "is empty; it says nothing")
		return nil
	case root.Kind != yaml.MappingNode:
		l.reject(file, root.Line, "is not a mapping of keys such as approvers:, so nothing in it counts")
		return nil
	}
	return root
}

var yamlLineNumber = regexp.MustCompile(`line (\d+)`)

// yamlLine takes the line number out of the YAML library's message.
func yamlLine(err error) int {
	m := yamlLineNumber.FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	var n int
	if _, err := fmt.Sscan(m[1], &n); err != nil {
		return 0
	}
	return n
}

// resolve follows YAML aliases (*name) to the node they stand for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// entry is one key of a mapping and its value.
type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// entries lists a mapping's keys; a key given twice is reported, and its last
// value counts.
func (l *loader) entries(file string, m *yaml.Node) []entry {
	var out []entry
	at := map[string]int{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		e := entry{key: m.Content[i].Value, line: m.Content[i].Line, value: resolve(m.Content[i+1])}
		if first, ok := at[e.key]; ok {
			l.warn(file, e.line, "gives %q a second time (first on line %d); only the last one counts", e.key, out[first].line)
			out[first] = e
			continue
		}
		at[e.key] = len(out)
		out = append(out, e)
	}
	return out
}

func (l *loader) loadAliases(file string, content []byte) {
	root := l.document(file, content)
	if root == nil {
		return
	}
	for _, e := range l.entries(file, root) {
		switch {
		case e.key != "aliases":
			l.warn(file, e.line, "has the unknown key %q; aliases stand below the key aliases:", e.key)
		case isNull(e.value):
		case e.value.Kind != yaml.MappingNode:
			l.reject(file, e.line, "aliases: must map each alias to a list of logins; nothing in it counts")
		default:
			for _, a := range l.entries(file, e.value) {
				l.aliases[normLogin(a.key)] = l.members(file, a)
			}
		}
	}
	for _, e := range slices.Sorted(maps.Keys(l.aliases)) {
		for _, member := range l.aliases[e] {
			if _, nested := l.aliases[member]; nested {
				l.warn(file, 0, "alias %q contains the alias %q; aliases are not expanded inside aliases, so list its people", e, member)
			}
		}
	}
}

// members reads an alias's people: a list, or the keys of a flow mapping
// ({ann, bob}), which real files contain.
func (l *loader) members(file string, a entry) []string {
	if a.value.Kind != yaml.MappingNode {
		return l.logins(file, a)
	}
	l.warn(file, a.line, "alias %q is a mapping; write a list in brackets: [ann, bob]", a.key)
	var out []string
	for _, m := range l.entries(file, a.value) {
		out = append(out, normLogin(m.key))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (l *loader) loadOwners(file string, content []byte) (ownersDir, bool) {
	root := l.document(file, content)
	if root == nil {
		return ownersDir{}, false
	}
	var dir ownersDir
	simple := rule{}
	var filters *entry
	for _, e := range l.entries(file, root) {
		switch e.key {
		case "options":
			l.options(file, e, &dir)
		case "filters":
			filters = &e
		case "no_parent_owners", "auto_approve_unowned_subfolders":
			l.warn(file, e.line, "%s has no effect here; it belongs below options:", e.key)
		default:
			l.people(file, e, &simple)
		}
	}
	named := len(simple.approvers)+len(simple.reviewers)+len(simple.required)+len(simple.labels) > 0
	switch {
	case named:
		dir.rules = []rule{simple}
		if filters != nil {
			l.warn(file, filters.line, "filters: is ignored because people or labels are listed beside it; move those into the filter %q", ".*")
		}
	case filters != nil:
		dir.rules = l.filters(file, *filters)
	case !dir.noParentOwners && !dir.autoApproveUnowned:
		l.warn(file, 0, "names no approver, reviewer or label; it has no effect")
	}
	return dir, true
}

// filters reads the form in which lists are given per pattern. The pattern is
// not anchored and is matched on the path below the file's folder.
func (l *loader) filters(file string, e entry) []rule {
	if e.value.Kind != yaml.MappingNode {
		l.reject(file, e.line, "filters: must map patterns to lists of people; nothing in it counts")
		return nil
	}
	var rules []rule
	for _, f := range l.entries(file, e.value) {
		r := rule{}
		if f.key != ".*" {
			re, err := regexp.Compile(f.key)
			if err != nil {
				l.reject(file, f.line, "filter %q is not a regular expression and is left out: %v", f.key, err)
				continue
			}
			r.match = re
		}
		if f.value.Kind != yaml.MappingNode {
			l.reject(file, f.line, "filter %q has no lists of people below it", f.key)
			continue
		}
		for _, list := range l.entries(file, f.value) {
			l.people(file, list, &r)
		}
		rules = append(rules, r)
	}
	return rules
}

// people reads one list of a rule, and reports keys that are none.
func (l *loader) people(file string, e entry, r *rule) {
	switch e.key {
	case "approvers":
		r.approvers = l.expand(l.logins(file, e))
	case "reviewers":
		r.reviewers = l.expand(l.logins(file, e))
	case "required_reviewers":
		r.required = l.expand(l.logins(file, e))
	case "labels":
		r.labels = l.strings(file, e)
	case "emeritus_approvers", "emeritus_reviewers":
		// Honour to those who left; they decide nothing.
	default:
		l.warn(file, e.line, "has the unknown key %q, which has no effect%s", e.key, didYouMean(e.key))
	}
}

// didYouMean adds the known key that a misspelt one most likely stands for.
func didYouMean(key string) string {
	plain := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(key))
	for _, known := range []string{"approvers", "reviewers", "required_reviewers", "labels", "emeritus_approvers", "options", "filters"} {
		flat := strings.ReplaceAll(known, "_", "")
		if plain == flat || plain+"s" == flat || plain == flat+"s" {
			return fmt.Sprintf("; did you mean %s?", known)
		}
	}
	return ""
}

func (l *loader) options(file string, e entry, dir *ownersDir) {
	if isNull(e.value) {
		return
	}
	if e.value.Kind != yaml.MappingNode {
		l.reject(file, e.line, "options: must hold keys such as no_parent_owners: true; nothing in it counts")
		return
	}
	for _, opt := range l.entries(file, e.value) {
		var target *bool
		switch opt.key {
		case "no_parent_owners":
			target = &dir.noParentOwners
		case "auto_approve_unowned_subfolders":
			target = &dir.autoApproveUnowned
		default:
			l.warn(file, opt.line, "has the unknown option %q, which has no effect", opt.key)
			continue
		}
		if err := opt.value.Decode(target); err != nil {
			l.warn(file, opt.line, "option %s must be true or false, not %q", opt.key, opt.value.Value)
		}
	}
}

// login is what forges accept as a login or OWNERS_ALIASES as an alias.
var login = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9._-]*[a-z0-9_])?(?:\[bot\])?$`)

// logins reads a list of logins or aliases in lower case, and reports what
// cannot be one.
func (l *loader) logins(file string, e entry) []string {
	var out []string
	for _, s := range l.scalars(file, e) {
		norm := normLogin(s.Value)
		if strings.HasPrefix(s.Value, "@") {
			l.warn(file, s.Line, "%s: write %q without the @", e.key, s.Value)
		}
		if !login.MatchString(norm) {
			l.warn(file, s.Line, "%s: %q cannot be a login", e.key, s.Value)
		}
		if slices.Contains(out, norm) {
			l.warn(file, s.Line, "%s: %q is listed twice", e.key, s.Value)
			continue
		}
		out = append(out, norm)
	}
	slices.Sort(out)
	return out
}

func (l *loader) strings(file string, e entry) []string {
	var out []string
	for _, s := range l.scalars(file, e) {
		out = append(out, s.Value)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// scalars returns the entries of a list. One value without a list is taken as
// a list of one.
func (l *loader) scalars(file string, e entry) []*yaml.Node {
	items := []*yaml.Node{e.value}
	switch {
	case isNull(e.value):
		return nil
	case e.value.Kind == yaml.SequenceNode:
		items = e.value.Content
	case e.value.Kind == yaml.ScalarNode:
		l.warn(file, e.line, "%s is a single value; write a list with one \"- %s\"", e.key, e.value.Value)
	default:
		l.reject(file, e.line, "%s must be a list; nothing in it counts", e.key)
		return nil
	}
	var out []*yaml.Node
	for _, item := range items {
		item = resolve(item)
		switch {
		case isNull(item) || strings.TrimSpace(item.Value) == "" && item.Kind == yaml.ScalarNode:
			l.warn(file, item.Line, "%s has an empty entry", e.key)
		case item.Kind != yaml.ScalarNode:
			l.warn(file, item.Line, "%s has an entry that is not a plain name; it is left out", e.key)
		default:
			out = append(out, item)
		}
	}
	return out
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// expand replaces aliases by their people.
func (l *loader) expand(names []string) []string {
	var out []string
	for _, n := range names {
		if people, ok := l.aliases[n]; ok {
			out = append(out, people...)
			continue
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
