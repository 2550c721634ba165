package strict

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxExpanded bounds how many nodes a document may unfold into through
// aliases, and maxDepth how deep it may nest.
const (
	maxExpanded = 100_000
	maxDepth    = 100
)

// Lines holds where a mapping and its fields stand in the file. A struct with
// a field of this type has it filled in.
type Lines struct {
	Start  int
	fields []line
}

type line struct {
	field string
	n     int
}

func (l Lines) find(field string) (int, bool) {
	for _, f := range l.fields {
		if f.field == field {
			return f.n, true
		}
	}
	return 0, false
}

// Of returns the line of a field's key, or of the mapping if the field is not
// there.
func (l Lines) Of(field string) int {
	if n, ok := l.find(field); ok {
		return n
	}
	return l.Start
}

// Has reports whether the mapping holds a field, whatever its value.
func (l Lines) Has(field string) bool {
	_, ok := l.find(field)
	return ok
}

// Unmarshal reads a file of one document into the struct that into points at.
// A second document is an error. An empty file leaves into alone.
func Unmarshal(file string, data []byte, into any) []Problem {
	docs, problems := Documents(file, data)
	if len(docs) > 0 {
		problems = append(problems, Decode(file, docs[0], into)...)
	}
	if len(docs) > 1 {
		problems = append(problems, Problem{File: file, Line: docs[1].Line, Message: "a second document: put everything into one, without a line of ---"})
	}
	return Sort(problems)
}

// Decode reads a node into what into points at. What could be read is set
// even when there are problems.
func Decode(file string, node *yaml.Node, into any) []Problem {
	d := decoder{file: file, types: map[reflect.Type]*shape{}}
	d.value(node, reflect.ValueOf(into).Elem(), "the file", 0)
	return d.problems
}

type decoder struct {
	file     string
	problems []Problem
	types    map[reflect.Type]*shape
	aliases  int // how many aliases we are inside of
	expanded int // nodes seen inside aliases
	stopped  bool
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: n.Line, Message: fmt.Sprintf(format, args...)})
}

func (d *decoder) warn(n *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: n.Line, Message: fmt.Sprintf(format, args...), Warning: true})
}

// enter follows an alias and counts; it returns nil when the document has
// grown past what is read.
func (d *decoder) enter(n *yaml.Node, depth int) *yaml.Node {
	if d.stopped {
		return nil
	}
	if d.aliases > 0 {
		d.expanded++
	}
	if depth > maxDepth || d.expanded > maxExpanded {
		d.stopped = true
		d.fail(n, "the document nests or repeats itself too much: write it out with fewer levels and aliases")
		return nil
	}
	return n
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	linesType    = reflect.TypeFor[Lines]()
	nodeType     = reflect.TypeFor[*yaml.Node]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value reads a node into v; where names it in messages.
func (d *decoder) value(n *yaml.Node, v reflect.Value, where string, depth int) {
	if n = d.enter(n, depth); n == nil {
		return
	}
	if n.Kind == yaml.AliasNode {
		d.aliases++
		d.value(n.Alias, v, where, depth+1)
		d.aliases--
		return
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if isNull(n) {
		return
	}
	if v.Type() != durationType && v.CanAddr() && v.Addr().Type().Implements(textType) {
		d.text(n, v, where)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem(), where, depth)
		v.Set(p)
	case reflect.Interface:
		if raw := d.raw(n, depth); raw != nil {
			v.Set(reflect.ValueOf(raw))
		}
	case reflect.Struct:
		d.structure(n, v, where, depth)
	case reflect.Map:
		d.mapping(n, v, where, depth)
	case reflect.Slice:
		d.sequence(n, v, where, depth)
	default:
		d.scalar(n, v, where)
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, where string, depth int) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "%s is %s: write a list, each item on a line of its own after a dash", where, kindOf(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if isNull(item) && v.Type().Elem().Kind() != reflect.Interface {
			d.warn(item, "an item of %s is empty: remove it, or write \"\"", where)
			continue
		}
		d.value(item, out.Index(i), where, depth+1)
	}
	v.Set(out)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, where string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s is %s: write a mapping, name: value", where, kindOf(n))
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	d.pairs(n, depth, func(key, value *yaml.Node) {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(value, elem, key.Value, depth+1)
		out.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), elem)
	})
	v.Set(out)
}

// pairs calls f for each key of a mapping, merge keys (<<) unfolded: what the
// mapping says itself goes before what it merges.
func (d *decoder) pairs(n *yaml.Node, depth int, f func(key, value *yaml.Node)) {
	seen := &keys{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.fail(key, "a key is %s: write a plain name", kindOf(key))
			continue
		}
		if key.Value == "<<" && key.Style == 0 {
			merges = append(merges, value)
			continue
		}
		if first := seen.add(key); first != nil {
			d.fail(key, "%q is given twice: it stands on line %d already; remove one", key.Value, first.Line)
			continue
		}
		f(key, value)
	}
	for _, m := range merges {
		d.merge(m, depth+1, seen, f)
	}
}

func (d *decoder) merge(n *yaml.Node, depth int, seen *keys, f func(key, value *yaml.Node)) {
	if n = d.enter(n, depth); n == nil {
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		d.aliases++
		d.merge(n.Alias, depth+1, seen, f)
		d.aliases--
	case yaml.SequenceNode:
		for _, item := range n.Content {
			d.merge(item, depth+1, seen, f)
		}
	case yaml.MappingNode:
		d.pairs(n, depth, func(key, value *yaml.Node) {
			if seen.add(key) == nil {
				f(key, value)
			}
		})
	default:
		d.fail(n, "<< merges %s: write an alias of a mapping", kindOf(n))
	}
}

// keys are those of one mapping. Most mappings are small, for which looking
// through a list is faster than making a map.
type keys struct {
	few  []*yaml.Node
	many map[string]*yaml.Node
}

// add returns the key of the same name that is there already, nil if there is
// none, in which case this one is added.
func (k *keys) add(key *yaml.Node) *yaml.Node {
	if k.many == nil {
		for _, have := range k.few {
			if have.Value == key.Value {
				return have
			}
		}
		if len(k.few) < 16 {
			k.few = append(k.few, key)
			return nil
		}
		k.many = make(map[string]*yaml.Node, 64)
		for _, have := range k.few {
			k.many[have.Value] = have
		}
	}
	if have := k.many[key.Value]; have != nil {
		return have
	}
	k.many[key.Value] = key
	return nil
}

// text reads a scalar through the type's own UnmarshalText.
func (d *decoder) text(n *yaml.Node, v reflect.Value, where string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, "%s is %s: write a single value", where, kindOf(n))
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(n.Value)); err != nil {
			d.fail(n, "%s: %v", where, err)
		}
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, where string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, "%s is %s: write %s", where, kindOf(n), wanted(v.Type()))
		return
	}
	ok := false
	switch {
	case v.Type() == durationType:
		if t, err := time.ParseDuration(n.Value); err == nil {
			v.SetInt(int64(t))
			ok = true
		}
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
		ok = true
	case v.Kind() == reflect.Bool:
		var b bool
		if b, ok = boolean(n); ok {
			v.SetBool(b)
		}
	case v.CanInt():
		if i, err := strconv.ParseInt(n.Value, 0, v.Type().Bits()); err == nil && n.ShortTag() == "!!int" {
			v.SetInt(i)
			ok = true
		}
	case v.CanFloat():
		if f, err := strconv.ParseFloat(n.Value, v.Type().Bits()); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			v.SetFloat(f)
			ok = true
		}
	}
	if !ok {
		d.fail(n, "%s is %q: write %s", where, n.Value, wanted(v.Type()))
	}
}

// boolean reads YAML 1.1's words, unless they are quoted.
func boolean(n *yaml.Node) (value, ok bool) {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return false, false
	}
	switch n.Value {
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y":
		return true, true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N":
		return false, true
	}
	return false, false
}

// raw reads a node into what encoding/json would make of it.
func (d *decoder) raw(n *yaml.Node, depth int) any {
	if n = d.enter(n, depth); n == nil {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		d.aliases++
		defer func() { d.aliases-- }()
		return d.raw(n.Alias, depth+1)
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		d.pairs(n, depth, func(key, value *yaml.Node) { out[key.Value] = d.raw(value, depth+1) })
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = d.raw(item, depth+1)
		}
		return out
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		b, _ := boolean(n)
		return b
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return i
		}
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
	return n.Value
}

func wanted(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration such as 90s, 30m or 2h"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "a text"
	}
	return "a number"
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.Value == "" {
		return "empty"
	}
	return fmt.Sprintf("the value %q", n.Value)
}
