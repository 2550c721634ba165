package strict_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

type color string

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *color) UnmarshalText(b []byte) error {
	if s := string(b); s != "red" && s != "green" {
		return errors.New("write red or green")
	}
	*c = color(b)
	return nil
}

type inner struct {
	Lines   strict.Lines  `json:"-"`
	Timeout time.Duration `json:"timeout"`
}

type embedded struct {
	Shared string `json:"shared"`
}

type thing struct {
	embedded
	Lines  strict.Lines      `json:"-"`
	Name   string            `json:"name"`
	On     bool              `json:"on"`
	Maybe  *bool             `json:"maybe"`
	Count  int8              `json:"count"`
	Ratio  float64           `json:"ratio"`
	Color  color             `json:"color"`
	List   []string          `json:"list"`
	Map    map[string]string `json:"map"`
	Nested inner             `json:"nested_thing"`
	Ptr    *inner            `json:"ptr"`
	Raw    any               `json:"raw"`
	Node   *yaml.Node        `json:"node"`
	Hidden string            // has no name in the file
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	var got thing
	problems := strict.Unmarshal("f", []byte(`shared: s
name: 1.10
on: yes
maybe: off
count: 0x10
ratio: 2
color: red
list: [a, 1, true]
map: {a: 1, b: null}
nested_thing:
  timeout: 1h30m
ptr: &p {timeout: 5s}
raw: {a: [1, 2.5, yes, "1", null, *p], <<: *p}
node: [x]
`), &got)
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	if got.Lines.Of("nested_thing") != 10 || got.Lines.Of("absent") != 1 || got.Lines.Has("absent") || !got.Lines.Has("map") || got.Nested.Lines.Start != 11 {
		t.Errorf("lines: got %+v, %+v", got.Lines, got.Nested.Lines)
	}
	raw, err := json.Marshal(got.Raw)
	if err != nil || string(raw) != `{"a":[1,2.5,"yes","1",null,{"timeout":"5s"}],"timeout":"5s"}` {
		t.Errorf("raw: got %s, %v", raw, err)
	}
	if got.Node == nil || len(got.Node.Content) != 1 {
		t.Errorf("node: got %v", got.Node)
	}
	no := false
	want := thing{embedded: embedded{"s"}, Name: "1.10", On: true, Maybe: &no, Count: 16, Ratio: 2, Color: "red", List: []string{"a", "1", "true"}, Map: map[string]string{"a": "1", "b": ""}}
	got.Lines, got.Raw, got.Node, got.Nested, got.Ptr = strict.Lines{}, nil, nil, inner{}, nil
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(thing{}), cmp.AllowUnexported(strict.Lines{})); diff != "" {
		t.Error(diff)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"only a comment", "# nothing\n", nil},
		{"null", "~\n", nil},
		{"near", "nmae: x\n", []string{`f:1: unknown field "nmae": write name`}},
		{"other spelling", "nestedThing: {}\n", []string{`f:1: unknown field "nestedThing": write nested_thing`}},
		{"other case is taken", "NAME: x\n", []string{`f:1: warning: field "NAME": write name`}},
		{"belongs below", "timeout: 1s\n", []string{`f:1: unknown field "timeout": write it under nested_thing`}},
		{"unknown", "zzzzzz: 1\n", []string{`f:1: unknown field "zzzzzz": remove it`}},
		{"no field for Go's names", "hidden: x\n", []string{`f:1: unknown field "hidden": remove it`}},
		{"twice", "name: a\non: true\nname: b\n", []string{`f:3: "name" is given twice: it stands on line 1 already; remove one`}},
		{"twice in a map", "map:\n  a: 1\n  a: 2\n", []string{`f:3: "a" is given twice: it stands on line 2 already; remove one`}},
		{"twice in a raw value", "raw: {a: 1, a: 2}\n", []string{`f:1: "a" is given twice: it stands on line 1 already; remove one`}},
		{"kinds", "name: [x]\nlist: x\nmap: [x]\nnested_thing: x\non: 1\ncount: many\ncolor: blue\n", []string{
			"f:1: name is a list: write a text",
			`f:2: list is the value "x": write a list, each item on a line of its own after a dash`,
			"f:3: map is a list: write a mapping, name: value",
			`f:4: nested_thing is the value "x": write a mapping, name: value`,
			`f:5: on is "1": write true or false`,
			`f:6: count is "many": write a number`,
			"f:7: color: write red or green",
		}},
		{"quoted is text", "on: \"true\"\ncount: \"1\"\n", []string{`f:1: on is "true": write true or false`, `f:2: count is "1": write a number`}},
		{"too large", "count: 300\nratio: .nan\n", []string{`f:1: count is "300": write a number`, `f:2: ratio is ".nan": write a number`}},
		{"duration", "nested_thing: {timeout: 5}\n", []string{`f:1: timeout is "5": write a duration such as 90s, 30m or 2h`}},
		{"empty item", "list:\n- a\n-\n", []string{`f:3: warning: an item of list is empty: remove it, or write ""`}},
		{"key that is none", "? [a]\n: b\n", []string{"f:1: a key is a list: write a plain name"}},
		{"merge of a text", "<<: x\n", []string{`f:1: << merges the value "x": write an alias of a mapping`}},
		{"two documents", "name: a\n---\nname: b\n", []string{"f:3: a second document: put everything into one, without a line of ---"}},
		{"tab", "name: a\nmap:\n\ta: b\n", []string{"f:3: a tab indents this line: indent with spaces"}},
		{"anchor", "name: a\non: *b\n", []string{`f:2: unknown anchor "b": define it with &b before it is used`}},
		{"control character", "name: a\non: \x01\n", []string{"f:2: control character U+0001: remove it, or write it escaped in a double-quoted string"}},
		{"control character of two bytes", "name: a\non: \u0081\n", []string{"f:2: control character U+0081: remove it, or write it escaped in a double-quoted string"}},
		{"not UTF-8", "name: a\non: \xff\n", []string{"f:2: not UTF-8: save the file as UTF-8"}},
		{"UTF-16", "\xff\xfen\x00", []string{"f:1: the file is UTF-16: save it as UTF-8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var v thing
			var got []string
			for _, p := range strict.Unmarshal("f", []byte(tt.in), &v) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The parser's own line numbers are not to be relied on.
func TestSyntaxLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		line int
	}{
		{"name: a\nlist: [a, b\n", 2},
		{"name: a\non: b: c\n", 2},
		{"name: a\nlist:\n- a\n  b: c\n", 4},
		{"name: a\n- b\n", 2},
		{"name: a\nmap: {a: 'b\n", 2},
		{"name: \"a\\q\"\n", 1},
	}
	for _, tt := range tests {
		var v thing
		got := strict.Unmarshal("f", []byte(tt.in), &v)
		if len(got) != 1 || got[0].Line < tt.line-1 || got[0].Line > tt.line+1 || !strings.HasPrefix(got[0].Message, "not YAML: ") {
			t.Errorf("%q: got %v, want one near line %d", tt.in, got, tt.line)
		}
	}
}

func TestNoUnfolding(t *testing.T) {
	t.Parallel()
	var bomb strings.Builder
	bomb.WriteString("raw:\n- &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "- &a%d [%s*a%d]\n", i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	for name, in := range map[string]string{
		"bomb":         bomb.String(),
		"own alias":    "raw: &a [*a]\n",
		"own merge":    "map: &a\n  <<: *a\n",
		"deep nesting": "raw: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n",
	} {
		var v thing
		got := strict.Unmarshal("f", []byte(in), &v)
		if len(got) == 0 || !strings.Contains(got[len(got)-1].Message, "nests or repeats itself too much") {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestManyKeys(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	in.WriteString("map:\n")
	for i := range 40 {
		fmt.Fprintf(&in, "  k%d: x\n", i)
	}
	in.WriteString("  k3: y\n  k30: y\n")
	var v thing
	problems := strict.Unmarshal("f", []byte(in.String()), &v)
	if len(v.Map) != 40 || v.Map["k30"] != "x" || len(problems) != 2 || problems[0].Line != 42 || !strings.Contains(problems[1].Message, "line 32 already") {
		t.Errorf("got %d keys, %v", len(v.Map), problems)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	all := []strict.Problem{
		{File: "b", Line: 1, Message: "x"}, {File: "a", Line: 2, Message: "y", Warning: true}, {File: "a", Line: 1, Message: "z"}, {File: "b", Line: 1, Message: "x"}, {File: "c", Message: "whole"},
	}
	err := fmt.Errorf("reading: %w", strict.AsError(strict.Sort(all)))
	if err.Error() != "reading: a:1: z\nb:1: x\nc: whole" {
		t.Errorf("got %q", err)
	}
	if got := strict.Problems(err); len(got) != 3 {
		t.Errorf("problems of the error: %v", got)
	}
	if strict.AsError([]strict.Problem{{Warning: true}}) != nil {
		t.Error("warnings are no error")
	}
	if strict.Problems(errors.New("other")) != nil {
		t.Error("another error has no problems")
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"run_if_changed", "name", "branches", "labels", "spec"}
	for in, want := range map[string]string{
		"runIfChanged": "run_if_changed", "run-if-change": "run_if_changed", "brances": "branches", "label": "labels", "spce": "spec", "sepc": "spec", "zzz": "", "": "",
	} {
		if got := strict.Nearest(in, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{"name: a\n", "a: &a [*a]\n<<: *a", "? {}\n: x", "list: [\n", "\t", "raw: !!binary x", "%YAML 1.1\n---\nname: !!int x", "raw: 0o7"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v thing
		problems := strict.Unmarshal("f", data, &v)
		breaks := strings.NewReplacer("\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
		lines := strings.Count(breaks.Replace(string(data)), "\n") + 2
		for _, p := range problems {
			if p.Message == "" || p.Line < 0 || p.Line > lines {
				t.Errorf("problem %+v of a file of %d lines", p, lines)
			}
		}
	})
}
