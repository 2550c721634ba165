package strict

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Set returns the text of a YAML file with a value put under a path of keys
// (string) and positions in lists (int). Whatever else there is stays as it is,
// byte for byte: comments, order, quotes. Sections on the way that are missing
// are made. A value that is there already gives the text itself. The value is
// anything YAML can encode; a scalar may be replaced, a list or mapping only
// added. The error says what to write by hand where a program cannot.
func Set(file string, text []byte, value any, path ...any) ([]byte, error) {
	return edit(file, text, value, path, func(have any, there bool) (any, error) { return plainOf(value) })
}

// Append is Set for one more item at the end of the list under a path, which is
// made if it is missing.
func Append(file string, text []byte, item any, path ...any) ([]byte, error) {
	return edit(file, text, appended{item}, path, func(have any, there bool) (any, error) {
		one, err := plainOf(item)
		if err != nil {
			return nil, err
		}
		list, ok := have.([]any)
		if have != nil && !ok {
			return nil, fmt.Errorf("it is no list")
		}
		return append(append([]any{}, list...), one), nil
	})
}

// appended marks a value that goes behind what a list has.
type appended struct{ item any }

// edit tries the ways there are to write the change, and takes the first after
// which the file holds what it held and the change. Looking at what came out is
// worth more than knowing every corner of YAML.
func edit(file string, text []byte, value any, path []any, change func(have any, there bool) (any, error)) ([]byte, error) {
	docs, problems := Documents(file, text)
	if len(problems) > 0 {
		return nil, Error(problems)
	}
	if len(docs) > 1 {
		return nil, Error{{File: file, Line: docs[1].Line, Message: "a file of several documents cannot be edited by a program: make it one"}}
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if len(docs) == 1 {
		root = docs[0]
	}
	before, err := plainNode(root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	want, err := changed(before, path, change)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", file, pathText(path), err)
	}
	if len(docs) == 1 && reflect.DeepEqual(before, want) {
		return text, nil
	}
	e := &editor{text: string(text), newline: "\n"}
	if strings.Contains(e.text, "\r\n") {
		e.newline = "\r\n"
	}
	e.index()
	for _, candidate := range e.candidates(root, len(docs) == 0, value, path) {
		if after, ok := readBack(file, candidate); ok && reflect.DeepEqual(after, want) {
			return []byte(candidate), nil
		}
	}
	return nil, fmt.Errorf("%s is laid out in a way that cannot be edited by a program: write %s there by hand", file, pathText(path))
}

func readBack(file, text string) (any, bool) {
	docs, problems := Documents(file, []byte(text))
	if len(problems) > 0 || len(docs) != 1 {
		return nil, false
	}
	v, err := plainNode(docs[0])
	return v, err == nil
}

func pathText(path []any) string {
	var b strings.Builder
	for i, p := range path {
		if n, ok := p.(int); ok {
			fmt.Fprintf(&b, "[%d]", n)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, p)
	}
	return b.String()
}

func plainNode(n *yaml.Node) (any, error) {
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading what is there: %w", err)
	}
	return v, nil
}

// plainOf is a value as it is read back from YAML.
func plainOf(value any) (any, error) {
	text, err := yaml.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("writing the value: %w", err)
	}
	var v any
	return v, yaml.Unmarshal(text, &v)
}

// changed returns a copy of v in which what is under the path was changed.
func changed(v any, path []any, change func(any, bool) (any, error)) (any, error) {
	if len(path) == 0 {
		return change(v, true)
	}
	if at, ok := path[0].(int); ok {
		list, ok := v.([]any)
		if !ok || at < 0 || at >= len(list) {
			return nil, fmt.Errorf("there is no item %d", at)
		}
		out := append([]any{}, list...)
		one, err := changed(list[at], path[1:], change)
		out[at] = one
		return out, err
	}
	m, ok := v.(map[string]any)
	if v != nil && !ok {
		return nil, fmt.Errorf("%v is not in a mapping of names", path[0])
	}
	out := make(map[string]any, len(m)+1)
	for k, old := range m {
		out[k] = old
	}
	key := fmt.Sprint(path[0])
	one, err := changed(m[key], path[1:], change)
	out[key] = one
	return out, err
}

// editor makes the texts that may be the edited one.
type editor struct {
	text    string
	newline string
	lines   []int // where lines begin, and where one more would
}

func (e *editor) index() {
	e.lines = []int{0}
	for i := range len(e.text) {
		if e.text[i] == '\n' {
			e.lines = append(e.lines, i+1)
		}
	}
	if e.lines[len(e.lines)-1] != len(e.text) {
		e.lines = append(e.lines, len(e.text))
	}
}

// candidates finds how far the path leads and writes the rest of it there.
func (e *editor) candidates(root *yaml.Node, empty bool, value any, path []any) []string {
	add, appends := value.(appended)
	if empty {
		if appends {
			value = []any{add.item}
		}
		return []string{e.insertLines(len(e.lines)-1, render(nest(path, value), false), 0)}
	}
	n, key := root, (*yaml.Node)(nil)
	for i, p := range path {
		child, childKey := step(n, p)
		if child == nil {
			if appends {
				value = []any{add.item}
			}
			return e.into(n, key, nest(path[i:], value))
		}
		n, key = child, childKey
	}
	if appends && n.Kind == yaml.SequenceNode {
		return e.behind(n, add.item)
	}
	if appends {
		value = []any{add.item}
	}
	return e.instead(n, key, value)
}

// step follows one part of a path.
func step(n *yaml.Node, p any) (child, key *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if at, ok := p.(int); ok {
		if n.Kind == yaml.SequenceNode && at < len(n.Content) {
			return n.Content[at], nil
		}
		return nil, nil
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == p {
				return n.Content[i+1], n.Content[i]
			}
		}
	}
	return nil, nil
}

// nest makes mappings of the keys of a path around a value.
func nest(path []any, value any) any {
	for i := len(path) - 1; i >= 0; i-- {
		var key, v yaml.Node
		// Names and what plainOf has encoded always encode.
		_ = key.Encode(fmt.Sprint(path[i]))
		_ = v.Encode(value)
		if node, ok := value.(*yaml.Node); ok {
			v = *node
		}
		value = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{&key, &v}}
	}
	return value
}

// render writes a value in lines, or all in one with brackets.
func render(value any, flow bool) []string {
	var n yaml.Node
	if node, ok := value.(*yaml.Node); ok {
		n = *node
	} else if err := n.Encode(value); err != nil {
		return nil
	}
	style(&n, flow)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if enc.Encode(&n) != nil || enc.Close() != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}

// style writes lists of plain values in brackets, as people do, or everything.
func style(n *yaml.Node, flow bool) {
	plain := n.Kind == yaml.SequenceNode
	for _, c := range n.Content {
		style(c, flow)
		plain = plain && c.Kind == yaml.ScalarNode
	}
	if n.Kind != yaml.ScalarNode && (flow || plain) {
		n.Style |= yaml.FlowStyle
	}
}

// offset is where a node begins. The parser counts characters.
func (e *editor) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line >= len(e.lines) {
		return len(e.text)
	}
	at := e.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(e.text[at:])
		at += size
	}
	return min(at, len(e.text))
}
