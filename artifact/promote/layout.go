package promote

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/semver"
)

// layout is how digests and tags are written in a file.
type layout struct {
	digest, tag quote
	block       bool   // tags on lines of their own
	indent      int    // of these lines, from the digest's
	comma       string // between tags in brackets
	pad         string // inside the brackets
}

// quote is how a value is quoted: ", ' or not at all.
type quote string

// around quotes a digest or tag. One that YAML would take for a number or a
// word of its own is quoted wherever the others are not.
func (q quote) around(s string) string {
	if q == "" && plain(s) {
		return s
	}
	if q == "" {
		q = `"`
	}
	return string(q) + s + string(q)
}

// plain reports whether a tag reads as text without quotes.
func plain(s string) bool {
	if strings.HasPrefix(s, "sha256:") {
		return true
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	if _, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64); err == nil {
		return false
	}
	return s != "" && (s[0] < '0' || s[0] > '9') && s[0] != '_'
}

func quoteOf(n *yaml.Node) quote {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return `"`
	case n.Style&yaml.SingleQuotedStyle != 0:
		return "'"
	}
	return ""
}

// layoutOf reads the layout off an entry, and what it does not tell off others.
func (e *editor) layoutOf(model entryAt) layout {
	l := layout{digest: `"`, tag: `"`, comma: ", ", indent: 0}
	all := []entryAt{model}
	for i := len(e.images) - 1; i >= 0; i-- {
		all = append(all, e.images[i].entries...)
	}
	if at := slices.IndexFunc(all, func(o entryAt) bool { return o.key != nil }); at >= 0 {
		l.digest, l.tag = quoteOf(all[at].key), quoteOf(all[at].key)
	}
	at := slices.IndexFunc(all, func(o entryAt) bool {
		return o.key != nil && o.value.Kind == yaml.SequenceNode && len(o.value.Content) > 0
	})
	if at < 0 {
		return l
	}
	m := all[at]
	first := m.value.Content[0]
	l.tag = quoteOf(first)
	if m.value.Style&yaml.FlowStyle == 0 {
		l.block = true
		l.indent = max(0, first.Column-1-dashWidth(e, m.value)-(m.key.Column-1))
		return l
	}
	open := e.offset(m.value)
	if strings.HasPrefix(e.text[open:], "[ ") {
		l.pad = " "
	}
	if len(m.value.Content) > 1 {
		if end, _, ok := e.closing(open); ok && strings.Contains(e.text[open:end], ",") && !strings.Contains(e.text[open:end], ", ") {
			l.comma = ","
		}
	}
	return l
}

// list writes tags in brackets.
func (l layout) list(tags []string) string {
	if len(tags) == 0 {
		return "[]"
	}
	var quoted []string
	for _, t := range tags {
		quoted = append(quoted, l.tag.around(t))
	}
	return "[" + l.pad + strings.Join(quoted, l.comma) + l.pad + "]"
}

// lines writes a digest with its tags, so far indented.
func (l layout) lines(column int, c Change) []string {
	space := strings.Repeat(" ", column)
	head := space + l.digest.around(string(c.Digest)) + ":"
	if !l.block || len(c.Tags) == 0 {
		return []string{head + " " + l.list(c.Tags)}
	}
	all := []string{head}
	for _, t := range c.Tags {
		all = append(all, space+strings.Repeat(" ", l.indent)+"- "+l.tag.around(t))
	}
	return all
}

// digests adds digests to an image.
func (e *editor) digests(w written, changes []Change) error {
	order := orderOf(w.entries)
	changes = slices.Clone(changes)
	slices.SortStableFunc(changes, func(a, b Change) int { return order(entryOf(a), entryOf(b)) })
	switch {
	case w.dmap == nil && w.node.Style&yaml.FlowStyle != 0:
		return e.extend(e.offset(w.node), []string{"dmap: " + e.braces(changes)}, ", ")
	case w.dmap == nil:
		column := w.node.Column - 1
		added := []string{strings.Repeat(" ", column) + "dmap:"}
		e.insertAfter(e.above(w.next), append(added, e.block(e.layoutOf(entryAt{}), column+2, changes)...))
		return nil
	case w.dmap.Kind == yaml.MappingNode && w.dmap.Style&yaml.FlowStyle != 0 && (len(w.entries) > 0 || w.node.Style&yaml.FlowStyle != 0):
		inside := e.braces(changes)
		return e.extend(e.offset(w.dmap), []string{inside[1 : len(inside)-1]}, ", ")
	case len(w.entries) == 0:
		return e.firstDigests(w, changes)
	}
	for _, c := range changes {
		line, model := w.key.Line, w.entries[0]
		if at := place(w.entries, entryOf(c), order); at > 0 {
			model = w.entries[at-1]
			line = e.above(model.next)
		} else if w.dmap.Line == w.key.Line {
			return e.cannot(w.dmap)
		}
		e.insertAfter(line, e.layoutOf(model).lines(w.entries[0].key.Column-1, c))
	}
	return nil
}

// firstDigests fills a dmap that is empty.
func (e *editor) firstDigests(w written, changes []Change) error {
	switch {
	case w.dmap.Kind == yaml.MappingNode: // {}
		open := e.offset(w.dmap)
		end, _, ok := e.closing(open)
		if !ok || e.lines[w.key.Line] <= end {
			return e.cannot(w.dmap)
		}
		space := strings.TrimRight(e.text[:open], " ")
		e.inserts = append(e.inserts, insertion{at: len(space), drop: end + 1 - len(space)})
	case !null(w.dmap) || w.dmap.Value != "":
		return e.cannot(w.dmap)
	}
	e.insertAfter(w.key.Line, e.block(e.layoutOf(entryAt{}), w.key.Column-1+2, changes))
	return nil
}

// block writes digests on lines of their own.
func (e *editor) block(l layout, column int, changes []Change) []string {
	var all []string
	for _, c := range changes {
		all = append(all, l.lines(column, c)...)
	}
	return all
}

// braces writes digests in braces.
func (e *editor) braces(changes []Change) string {
	l := layout{digest: `"`, tag: `"`, comma: ", "}
	var all []string
	for _, c := range changes {
		all = append(all, strings.TrimSpace(l.lines(0, c)[0]))
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// newImage adds an image that the file does not have.
func (e *editor) newImage(changes []Change) error {
	slices.SortStableFunc(changes, func(a, b Change) int { return byVersion(entryOf(a), entryOf(b)) })
	name := changes[0].Image
	if e.list != nil && e.list.Style&yaml.FlowStyle != 0 && len(e.images) > 0 {
		return e.extend(e.offset(e.list), []string{"{name: " + name + ", dmap: " + e.braces(changes) + "}"}, ", ")
	}
	// The keys of an image, and of its digests, stand this far in.
	dash, keys, digests := 0, 2, 2
	for _, w := range e.images {
		if w.node.Style&yaml.FlowStyle == 0 {
			keys = w.node.Column - 1
			line := e.content(w.node.Line)
			dash = max(0, strings.LastIndexByte(line[:min(len(line), keys)], '-'))
			if len(w.entries) > 0 {
				digests = w.entries[0].key.Column - 1 - keys
				break
			}
		}
	}
	space := strings.Repeat(" ", dash)
	added := []string{
		space + "-" + strings.Repeat(" ", max(1, keys-dash-1)) + "name: " + quote("").around(name),
		strings.Repeat(" ", keys) + "dmap:",
	}
	model := entryAt{}
	line := e.emptied()
	if at := e.placeImage(name); len(e.images) > 0 {
		if at > 0 {
			line = e.above(e.images[at-1].next)
			if es := e.images[at-1].entries; len(es) > 0 {
				model = es[len(es)-1]
			}
		} else {
			line = e.head(e.images[0].node.Line)
		}
		added = append(added, e.block(e.layoutOf(model), keys+digests, changes)...)
		if e.spaced() {
			if at > 0 {
				added = append([]string{""}, added...)
			} else {
				added = append(added, "")
			}
		}
		e.insertAfter(line, added)
		return nil
	}
	e.insertAfter(line, append(added, e.block(e.layoutOf(model), keys+digests, changes)...))
	return nil
}

// emptied takes an empty list's brackets away, and returns the line that the
// first image is written after.
func (e *editor) emptied() int {
	if e.list == nil {
		return len(e.lines) - 1
	}
	if e.list.Style&yaml.FlowStyle != 0 && len(e.images) == 0 {
		open := e.offset(e.list)
		if end, _, ok := e.closing(open); ok {
			from := len(strings.TrimRight(e.text[:open], " "))
			if end++; from == 0 || e.text[from-1] == '\n' { // a line of its own goes
				rest := e.text[end:]
				if line := strings.TrimLeft(rest, " \r"); strings.HasPrefix(line, "\n") {
					end += len(rest) - len(line) + 1
				}
			}
			e.inserts = append(e.inserts, insertion{at: from, drop: end - from})
		}
	}
	return e.list.Line
}

// head returns the line after which something can be put before the first
// image: its comments stay with it, but for those that the file begins with.
func (e *editor) head(first int) int {
	line := first - 1
	for line > 0 && strings.HasPrefix(strings.TrimSpace(e.content(line)), "#") {
		line--
	}
	if line == 0 {
		return first - 1
	}
	return line
}

// spaced reports whether most images have a blank line before them.
func (e *editor) spaced() bool {
	blank := 0
	for _, w := range e.images[1:] {
		line := w.node.Line - 1
		for line > 0 && strings.HasPrefix(strings.TrimSpace(e.content(line)), "#") {
			line--
		}
		if line > 0 && strings.TrimSpace(e.content(line)) == "" {
			blank++
		}
	}
	return blank > 0 && 2*blank > len(e.images)-1
}

// placeImage returns the index that an image's name has in the file's order:
// the end, if the names are not sorted.
func (e *editor) placeImage(name string) int {
	names := make([]string, len(e.images))
	for i, w := range e.images {
		names[i] = w.name
	}
	if !mostly(names, strings.Compare) {
		return len(names)
	}
	at := len(names)
	for at > 0 && names[at-1] > name {
		at--
	}
	return at
}

func entryOf(c Change) Entry { return Entry{Digest: c.Digest, Tags: c.Tags} }

// order compares two digests of an image.
type order func(a, b Entry) int

// orderOf finds the order that digests stand in: by version, up or down, by
// tag as text, by digest. Where none is kept, everything is equal and what is
// new comes last.
func orderOf(entries []entryAt) order {
	plain := make([]Entry, len(entries))
	for i, at := range entries {
		plain[i] = at.Entry
	}
	var best order
	fewest := 0
	for _, o := range []order{byVersion, func(a, b Entry) int { return byVersion(b, a) }, byTag, byDigest} {
		if n := inversions(plain, o); best == nil || n < fewest {
			best, fewest = o, n
		}
	}
	if !mostly(plain, best) {
		return func(Entry, Entry) int { return 0 }
	}
	return best
}

// mostly reports whether a list is sorted, but for one in ten.
func mostly[T any](list []T, o func(a, b T) int) bool { return inversions(list, o)*10 <= len(list) }

func inversions[T any](list []T, o func(a, b T) int) int {
	n := 0
	for i := 1; i < len(list); i++ {
		if o(list[i-1], list[i]) > 0 {
			n++
		}
	}
	return n
}

// place returns the index that an entry belongs at.
func place(entries []entryAt, e Entry, o order) int {
	at := len(entries)
	for at > 0 && o(entries[at-1].Entry, e) > 0 {
		at--
	}
	return at
}

func byDigest(a, b Entry) int { return cmp.Compare(a.Digest, b.Digest) }

func byTag(a, b Entry) int { return compareTags(a, b, strings.Compare) }

func byVersion(a, b Entry) int { return compareTags(a, b, CompareVersions) }

// compareTags compares the smallest tags of two digests; one without tags is
// equal to everything.
func compareTags(a, b Entry, o func(a, b string) int) int {
	if len(a.Tags) == 0 || len(b.Tags) == 0 {
		return 0
	}
	return o(slices.MinFunc(a.Tags, o), slices.MinFunc(b.Tags, o))
}

// CompareVersions compares tags as versions: v3.2 is before v3.10, v1.0.0-rc.1
// before v1.0.0, and what is no version by the numbers and words in it.
func CompareVersions(a, b string) int {
	x, y := "v"+strings.TrimPrefix(a, "v"), "v"+strings.TrimPrefix(b, "v")
	if semver.IsValid(x) && semver.IsValid(y) {
		return cmp.Or(semver.Compare(x, y), strings.Compare(a, b))
	}
	for x != "" && y != "" {
		p, q := piece(x), piece(y)
		x, y = x[len(p):], y[len(q):]
		if digit(p[0]) && digit(q[0]) {
			p, q = strings.TrimLeft(p, "0"), strings.TrimLeft(q, "0")
			if c := cmp.Compare(len(p), len(q)); c != 0 {
				return c
			}
		}
		if c := strings.Compare(p, q); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

// piece returns the digits, or the rest, that a text begins with.
func piece(s string) string {
	end := 1
	for end < len(s) && digit(s[end]) == digit(s[0]) {
		end++
	}
	return s[:end]
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
