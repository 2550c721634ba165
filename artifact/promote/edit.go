package promote

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"seaworthy/artifact"
	"seaworthy/strict"
)

// Change is what an edit added: a digest of an image with tags, or tags of a
// digest that was there.
type Change struct {
	Image  string          `json:"image"`
	Digest artifact.Digest `json:"digest"`
	Tags   []string        `json:"tags"`
}

// Add adds images to the text of an images.yaml, or of a thick manifest, and
// returns the new text with what was added. Whatever was there stays as it is,
// comments, order, quotes and blank lines. New lines are laid out as their
// neighbours are, and stand where the file's own order wants them; a digest
// that gets further tags has its list extended. Nothing to add returns the text
// itself. The error is strict.Error where the text must be corrected first.
func Add(file string, text []byte, images []Image) ([]byte, []Change, error) {
	before, err := readable(file, text)
	if err != nil {
		return nil, nil, err
	}
	wanted, problems := (&lister{file: "the images to add"}).checkImages(images)
	if err := strict.AsError(problems); err != nil {
		return nil, nil, err
	}
	changes := missing(before, wanted)
	if len(changes) == 0 {
		return text, nil, nil
	}
	e, err := newEditor(file, text)
	if err != nil {
		return nil, nil, err
	}
	if err := e.all(byImage(changes)); err != nil {
		return nil, nil, err
	}
	edited := e.apply()
	// Looking at what came out is worth more than knowing every corner of YAML.
	after, err := readable(file, edited)
	if err != nil || len(missing(after, wanted)) > 0 || len(missing(after, before)) > 0 || len(missing(before, after)) != len(changes) {
		return nil, nil, fmt.Errorf("%s is laid out in a way that cannot be edited by a program: write one name, one dmap and one digest on a line each", file)
	}
	return edited, changes, nil
}

// readable reads the images of a text that is to be edited, or was.
func readable(file string, text []byte) ([]Image, error) {
	root, problems := strict.Documents(file, text)
	if len(problems) > 0 {
		return nil, strict.Error(problems)
	}
	if len(root) == 1 && root[0].Kind == yaml.MappingNode {
		m, problems := Parse(file, text)
		return m.Images, strict.AsError(problems)
	}
	images, problems := ParseImages(file, text)
	return images, strict.AsError(problems)
}

// missing returns what of the wanted images is not there.
func missing(there, wanted []Image) []Change {
	type key struct {
		image  string
		digest artifact.Digest
	}
	known := map[key]*set{}
	for _, i := range there {
		for _, e := range i.Entries {
			known[key{i.Name, e.Digest}] = newSet(e.Tags)
		}
	}
	var changes []Change
	for _, i := range wanted {
		for _, e := range i.Entries {
			have := known[key{i.Name, e.Digest}]
			if have == nil {
				changes = append(changes, Change{i.Name, e.Digest, slices.Clone(e.Tags)})
				continue
			}
			if tags := slices.DeleteFunc(slices.Clone(e.Tags), have.has); len(tags) > 0 {
				changes = append(changes, Change{i.Name, e.Digest, tags})
			}
		}
	}
	return changes
}

// byImage groups changes, which stand in the order of images.
func byImage(changes []Change) [][]Change {
	var groups [][]Change
	for i, c := range changes {
		if i == 0 || c.Image != changes[i-1].Image {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], c)
	}
	return groups
}

// editor inserts into a text.
type editor struct {
	file    string
	text    string
	newline string
	lines   []int      // where lines begin, and where one more would
	list    *yaml.Node // the list of images, nil in an empty file
	images  []written
	inserts []insertion
}

// written is an image as it stands in the text.
type written struct {
	name      string
	node      *yaml.Node
	key, dmap *yaml.Node // nil if there is no dmap
	entries   []entryAt
	next      int // the line on which something else begins
}

// entryAt is a digest as it stands in the text.
type entryAt struct {
	Entry
	key, value *yaml.Node
	next       int
}

// insertion puts text at an offset, in place of so many bytes.
type insertion struct {
	at, drop int
	text     string
}

func newEditor(file string, text []byte) (*editor, error) {
	e := &editor{file: file, text: string(text), newline: "\n"}
	if strings.Contains(e.text, "\r\n") {
		e.newline = "\r\n"
	}
	e.lines = append(e.lines, 0)
	for i := range len(e.text) {
		if e.text[i] == '\n' {
			e.lines = append(e.lines, i+1)
		}
	}
	if e.lines[len(e.lines)-1] != len(e.text) {
		e.lines = append(e.lines, len(e.text))
	}
	docs, problems := strict.Documents(file, text)
	if len(problems) > 0 {
		return nil, strict.Error(problems)
	}
	if len(docs) == 0 {
		return e, nil
	}
	end := len(e.lines)
	e.list = docs[0]
	if e.list.Kind == yaml.MappingNode {
		e.list, end = field(docs[0], "images", end)
		if e.list == nil {
			return nil, fmt.Errorf("%s has no images: add a line \"images:\" first", file)
		}
	}
	for i, node := range e.list.Content {
		next := end
		if i+1 < len(e.list.Content) {
			next = e.list.Content[i+1].Line
		}
		e.images = append(e.images, read(node, next))
	}
	return e, nil
}

// field returns the value of a key, and the line of the key behind it.
func field(mapping *yaml.Node, name string, end int) (*yaml.Node, int) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if !strings.EqualFold(mapping.Content[i].Value, name) {
			continue
		}
		if i+2 < len(mapping.Content) {
			end = mapping.Content[i+2].Line
		}
		return mapping.Content[i+1], end
	}
	return nil, end
}

// read finds the parts of one image.
func read(node *yaml.Node, next int) written {
	w := written{node: node, next: next}
	for i := 0; i+1 < len(node.Content); i += 2 {
		switch key, value := node.Content[i], node.Content[i+1]; strings.ToLower(key.Value) {
		case "name":
			w.name = followed(value).Value
		case "dmap":
			w.key, w.dmap = key, value
		}
	}
	if w.dmap == nil || w.dmap.Kind != yaml.MappingNode {
		return w
	}
	_, end := field(node, "dmap", next)
	for i := 0; i+1 < len(w.dmap.Content); i += 2 {
		at := entryAt{key: w.dmap.Content[i], value: w.dmap.Content[i+1], next: end}
		if i+2 < len(w.dmap.Content) {
			at.next = w.dmap.Content[i+2].Line
		}
		at.Entry = Entry{Digest: artifact.Digest(at.key.Value), Line: at.key.Line, Tags: (&lister{}).list(followed(at.value))}
		w.entries = append(w.entries, at)
	}
	return w
}

// offset is where a node begins. The parser counts characters.
func (e *editor) offset(n *yaml.Node) int {
	at := e.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(e.text[at:])
		at += size
	}
	return at
}

// content returns the text of a line, counted from 1, without its end.
func (e *editor) content(line int) string {
	return strings.TrimRight(e.text[e.lines[line-1]:e.lines[line]], "\r\n")
}

// above returns the last line before another that holds more than a comment.
func (e *editor) above(line int) int {
	for line--; line > 0; line-- {
		switch text := strings.TrimSpace(e.content(line)); {
		case text == "" || text[0] == '#' || text == "-" || text == "..." || text == "---":
		default:
			return line
		}
	}
	return 0
}

// insertAfter puts lines after a line; 0 is the beginning of the text.
func (e *editor) insertAfter(line int, added []string) {
	at := e.lines[line]
	text := strings.Join(added, e.newline) + e.newline
	cleared := len(e.inserts) > 0 && e.inserts[len(e.inserts)-1].drop == at // all before it goes
	if at == len(e.text) && at > 0 && e.text[at-1] != '\n' && !cleared {
		text = e.newline + strings.TrimSuffix(text, e.newline)
	}
	e.inserts = append(e.inserts, insertion{at: at, text: text})
}

// apply makes the new text.
func (e *editor) apply() []byte {
	slices.SortStableFunc(e.inserts, func(a, b insertion) int { return a.at - b.at })
	var b strings.Builder
	from := 0
	for _, i := range e.inserts {
		b.WriteString(e.text[from:i.at])
		b.WriteString(i.text)
		from = i.at + i.drop
	}
	b.WriteString(e.text[from:])
	return []byte(b.String())
}

// all makes the changes, first those to images that are there: where a line is
// the last of one image, a new image goes behind what that one gets.
func (e *editor) all(groups [][]Change) error {
	var fresh [][]Change
	for _, group := range groups {
		var holders []written
		for _, w := range e.images {
			if w.name == group[0].Image {
				holders = append(holders, w)
			}
		}
		if len(holders) == 0 {
			fresh = append(fresh, group)
		} else if err := e.image(holders, group); err != nil {
			return err
		}
	}
	slices.SortFunc(fresh, func(a, b []Change) int { return strings.Compare(a[0].Image, b[0].Image) })
	for _, group := range fresh {
		if err := e.newImage(group); err != nil {
			return err
		}
	}
	return nil
}

// image makes the changes to one image, which may stand in several places.
func (e *editor) image(holders []written, changes []Change) error {
	var fresh []Change
	for _, c := range changes {
		found := false
		for _, w := range holders {
			at := slices.IndexFunc(w.entries, func(o entryAt) bool { return o.Digest == c.Digest })
			if at >= 0 && !found {
				found = true
				if err := e.tags(w.entries[at], c.Tags); err != nil {
					return err
				}
			}
		}
		if !found {
			fresh = append(fresh, c)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	// Of a name that is repeated the last is where people add.
	return e.digests(holders[len(holders)-1], fresh)
}

// tags extends the tags of a digest.
func (e *editor) tags(at entryAt, tags []string) error {
	l := e.layoutOf(at)
	var quoted []string
	for _, t := range tags {
		quoted = append(quoted, l.tag.around(t))
	}
	switch {
	case at.value.Kind == yaml.SequenceNode && at.value.Style&yaml.FlowStyle != 0:
		return e.extend(e.offset(at.value), quoted, l.comma)
	case at.value.Kind == yaml.SequenceNode:
		var added []string
		for _, q := range quoted {
			added = append(added, strings.Repeat(" ", at.value.Content[0].Column-1-dashWidth(e, at.value))+"- "+q)
		}
		e.insertAfter(e.above(at.next), added)
		return nil
	case null(at.value) && at.value.Value == "":
		colon := strings.IndexByte(e.text[e.offset(at.key)+len(at.Digest):], ':')
		if colon < 0 {
			return e.cannot(at.key)
		}
		e.inserts = append(e.inserts, insertion{at: e.offset(at.key) + len(at.Digest) + colon + 1, text: " " + l.list(tags)})
		return nil
	}
	return e.cannot(at.value)
}

// dashWidth is how far the items of a list stand behind their dashes.
func dashWidth(e *editor, list *yaml.Node) int {
	first := list.Content[0]
	line := e.content(first.Line)
	before := line[:min(len(line), first.Column-1)]
	return len(before) - strings.LastIndexByte(before, '-')
}

func (e *editor) cannot(n *yaml.Node) error {
	return strict.Error{{File: e.file, Line: n.Line, Message: "this cannot be edited by a program: write it out, as a digest with its tags in brackets"}}
}

// extend adds items to a list or mapping in brackets.
func (e *editor) extend(open int, items []string, comma string) error {
	end, last, ok := e.closing(open)
	if !ok {
		return fmt.Errorf("%s: a bracket is not closed", e.file)
	}
	text := strings.Join(items, comma)
	switch {
	case last == open+1: // nothing in it
		e.inserts = append(e.inserts, insertion{at: open + 1, drop: end - open - 1, text: text})
	case e.text[last-1] == ',':
		e.inserts = append(e.inserts, insertion{at: last, text: " " + text})
	default:
		e.inserts = append(e.inserts, insertion{at: last, text: comma + text})
	}
	return nil
}

// closing finds the bracket that closes another, and the end of what is inside.
func (e *editor) closing(open int) (end, last int, ok bool) {
	depth := 0
	quote := byte(0)
	last = open + 1
	for i := open; i < len(e.text); i++ {
		c := e.text[i]
		switch {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && strings.IndexByte("[{,: \t\n", e.text[i-1]) >= 0:
			quote = c
		case c == '#' && strings.IndexByte(" \t\n", e.text[i-1]) >= 0:
			for i+1 < len(e.text) && e.text[i+1] != '\n' {
				i++
			}
			continue
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i, last, true
			}
		}
		if strings.IndexByte(" \t\r\n", c) < 0 {
			last = i + 1
		}
	}
	return 0, 0, false
}
