package strict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// shape is what is known of a struct type.
type shape struct {
	fields map[string][]int // by name: index for reflect's FieldByIndex
	names  []string         // in the order of declaration
	lines  []int            // index of a Lines field, nil if none
}

func (d *decoder) shape(t reflect.Type) *shape {
	if s, ok := d.types[t]; ok {
		return s
	}
	s := &shape{fields: map[string][]int{}}
	d.types[t] = s
	s.collect(t, nil)
	return s
}

func (s *shape) collect(t reflect.Type, prefix []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(prefix), i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Type == linesType && s.lines == nil:
			s.lines = index
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			s.collect(f.Type, index)
		case name == "" || name == "-" || !f.IsExported():
		default:
			s.fields[name] = index
			s.names = append(s.names, name)
		}
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, where string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s is %s: write a mapping, name: value", where, kindOf(n))
		return
	}
	s := d.shape(v.Type())
	lines := Lines{Start: n.Line}
	if s.lines != nil {
		lines.fields = make([]line, 0, len(n.Content)/2)
	}
	d.pairs(n, depth, func(key, value *yaml.Node) {
		name := key.Value
		index, known := s.fields[name]
		if !known {
			if name = d.nearly(key, s); name == "" {
				d.fail(key, "unknown field %q: %s", key.Value, d.advice(key.Value, v.Type(), s))
				return
			}
			index = s.fields[name]
		}
		if s.lines != nil {
			lines.fields = append(lines.fields, line{name, key.Line})
		}
		d.value(value, v.FieldByIndex(index), name, depth+1)
	})
	if s.lines != nil {
		v.FieldByIndex(s.lines).Set(reflect.ValueOf(lines))
	}
}

// nearly accepts a name that differs in case only, which encoding/json accepts
// and real files therefore hold.
func (d *decoder) nearly(key *yaml.Node, s *shape) string {
	for _, name := range s.names {
		if strings.EqualFold(name, key.Value) {
			d.warn(key, "field %q: write %s", key.Value, name)
			return name
		}
	}
	return ""
}

// advice says what to write instead of an unknown field.
func (d *decoder) advice(name string, t reflect.Type, s *shape) string {
	if near := Nearest(name, s.names); near != "" {
		return "write " + near
	}
	for _, parent := range s.names {
		inner := t.FieldByIndex(s.fields[parent]).Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() != reflect.Struct {
			continue
		}
		if _, ok := d.shape(inner).fields[name]; ok {
			return fmt.Sprintf("write it under %s", parent)
		}
	}
	if len(s.names) <= 12 {
		return "remove it, or write one of " + strings.Join(s.names, ", ")
	}
	return "remove it"
}

// Nearest returns the candidate that was most likely meant by name, "" if none
// is near. Of two as near, the one with the same first letter is taken.
func Nearest(name string, candidates []string) string {
	best, bestScore := "", 2*(1+max(1, len(name)/3))
	for _, c := range candidates {
		a, b := plain(name), plain(c)
		if a == b {
			return c
		}
		score := 2 * distance(a, b)
		if a != "" && b != "" && a[0] != b[0] {
			score++
		}
		if score < bestScore {
			best, bestScore = c, score
		}
	}
	return best
}

// plain drops what spellings of the same name differ in.
func plain(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(s))
}

// distance is the number of edits (insert, remove, replace, swap neighbours)
// from a to b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[(i+1)%3], rows[(i-1)%3], rows[i%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
