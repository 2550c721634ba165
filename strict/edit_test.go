package strict_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

func TestSet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		value    any
		path     []any
		want     string
	}{
		{"an empty file", "", "x", []any{"a", "b"}, "a:\n  b: x\n"},
		{"comments alone", "# head\n", "x", []any{"a"}, "# head\na: x\n"},
		{"a section that is missing", "version: 1 # form\n", map[string]string{"main": "v1"}, []any{"merge", "milestone"}, "version: 1 # form\nmerge:\n  milestone:\n    main: v1\n"},
		{"no newline at the end", "version: 1", 2, []any{"x"}, "version: 1\nx: 2\n"},
		{"into a section", "merge:\n  # how\n  method: squash # always\n\n# next\nbuild: {}\n", "v1", []any{"merge", "milestone", "main"},
			"merge:\n  # how\n  method: squash # always\n  milestone:\n    main: v1\n\n# next\nbuild: {}\n"},
		{"into brackets", "merge: {method: squash} # x\n", "v1", []any{"merge", "milestone", "main"}, "merge: {method: squash, milestone: {main: v1}} # x\n"},
		{"into empty brackets", "merge: {}\n", "v1", []any{"merge", "m"}, "merge: {m: v1}\n"},
		{"into brackets over lines", "m: {a: '}',\n  b: 2, # {\n}\n", 3, []any{"m", "c"}, "m: {a: '}',\n  b: 2, c: 3 # {\n}\n"},
		{"a scalar instead", "m:\n  main: v1 # now\n", "v2", []any{"m", "main"}, "m:\n  main: v2 # now\n"},
		{"a quoted scalar instead", "m: {main: \"v1\", x: 'y'}\n", "v2", []any{"m", "main"}, "m: {main: v2, x: 'y'}\n"},
		{"where nothing stands", "m: # todo\nn: 1\n", "v2", []any{"m", "main"}, "m: # todo\n  main: v2\nn: 1\n"},
		{"the same", "m: {main: v1}\n", "v1", []any{"m", "main"}, "m: {main: v1}\n"},
		{"behind a block of text", "a:\n  t: |\n    one\n\n    two\nb: 1\n", 2, []any{"a", "c"}, "a:\n  t: |\n    one\n\n    two\n  c: 2\nb: 1\n"},
		{"behind text that goes on", "a:\n  s: 1\n  t: one\n    two\nb: 1\n", 2, []any{"a", "c"}, "a:\n  s: 1\n  c: 2\n  t: one\n    two\nb: 1\n"},
		{"into an item, by its name", "jobs:\n- name: a\n  spec: {x: 1}\n- spec: {x: 2}\n  name: b # second\n", []string{"^x$"}, []any{"jobs", 1, "skip"},
			"jobs:\n- name: a\n  spec: {x: 1}\n- spec: {x: 2}\n  name: b # second\n  skip: [^x$]\n"},
		{"an item in brackets", "jobs: [{name: a}, {name: b}]\n", "x", []any{"jobs", 0, "skip"}, "jobs: [{name: a, skip: x}, {name: b}]\n"},
		{"windows", "a:\r\n  b: 1\r\n", 2, []any{"a", "c"}, "a:\r\n  b: 1\r\n  c: 2\r\n"},
		{"an odd key", "a: {}\n", 2, []any{"a", "release-1.2: x"}, "a: {'release-1.2: x': 2}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := strict.Set("f", []byte(tt.in), tt.value, tt.path...)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, tt.want)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	type board struct {
		Name string   `yaml:"name"`
		Jobs []string `yaml:"jobs"`
	}
	tests := []struct {
		name, in string
		item     any
		path     []any
		want     string
	}{
		{"brackets", "f: [a] # x\n", "b", []any{"f"}, "f: [a, b] # x\n"},
		{"empty brackets", "f: [ ]\n", "b", []any{"f"}, "f: [b ]\n"},
		{"a trailing comma", "f: [a,\n  b,\n]\n", "c", []any{"f"}, "f: [a,\n  b, c\n]\n"},
		{"lines", "f:\n- a # one\n- b\ng: 1\n", "c", []any{"f"}, "f:\n- a # one\n- b\n- c\ng: 1\n"},
		{"indented lines", "f:\n  - a\n\n# g\ng: 1\n", "c", []any{"f"}, "f:\n  - a\n  - c\n\n# g\ng: 1\n"},
		{"no list yet", "v: 1\n", "c", []any{"jobs", "files"}, "v: 1\njobs:\n  files: [c]\n"},
		{"nothing yet", "f:\n", "c", []any{"f"}, "f: [c]\n"},
		{"a mapping", "grid:\n  dashboards:\n    - name: a\n      jobs: [x]\n", board{"b", []string{"u", "z"}}, []any{"grid", "dashboards"},
			"grid:\n  dashboards:\n    - name: a\n      jobs: [x]\n    - name: b\n      jobs: [u, z]\n"},
		{"a mapping into brackets", "d: []\n", board{"b", []string{"u"}}, []any{"d"}, "d: [{name: b, jobs: [u]}]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := strict.Append("f", []byte(tt.in), tt.item, tt.path...)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, tt.want)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, says string }{
		{"not YAML", "a: {\n", "not YAML"},
		{"two documents", "a: 1\n---\nb: 1\n", "several documents"},
		{"a list where a mapping is", "b: [1]\n", "not in a mapping"},
		{"shared by an anchor", "x: &x {c: 1}\nb: *x\n", "by hand"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := strict.Set("f", []byte(tt.in), 1, "b", "d")
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want one that says %q", err, tt.says)
			}
		})
	}
	if _, err := strict.Append("f", []byte("a: 1\n"), 2, "a"); err == nil {
		t.Error("a number was appended to a number")
	}
}

// Whatever the text, an edit either is refused or gives one in which the value
// can be read.
func FuzzSet(f *testing.F) {
	for _, s := range []string{"a: 1\n", "merge: {x: [1, '}']}\n", "merge:\n  t: |\n    x\n", "merge:\n- a\n", "&a merge: *a\n", "\"merge\": {\"a\": \"}\"}", "merge: !!map {}\n", "? merge\n: x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := strict.Set("f", []byte(text), "v", "merge", "milestone")
		if err != nil {
			return
		}
		var read struct {
			Merge map[string]any `yaml:"merge"`
		}
		if err := yaml.Unmarshal(got, &read); err != nil || read.Merge["milestone"] != "v" {
			t.Errorf("edited to %q, which gives %v (%v)", got, read, err)
		}
	})
}
