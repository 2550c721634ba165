package promote

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/strict"
)

const hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// parsed is what the YAML parser reads.
func parsed(text string) ([]Image, []strict.Problem) {
	var list []listed
	problems := strict.Unmarshal("f", []byte(text), &list)
	l := lister{file: "f"}
	images := l.images(list)
	return images, append(problems, l.problems...)
}

var layouts = []string{
	"- name: x\n  dmap:\n    \"sha256:" + hex + "\": [\"v1\", 'v2', v3]\n",
	"# above\n\n- name: x/y # behind\n  dmap: # here too\n    sha256:" + hex + ": [ \"v1\" ] # and here\n    # between\n    'sha256:" + hex + "':\n    - v1\n    - \"v2\"\n- name: z\n",
	"  - name: \"x\"\n    dmap:\n      \"sha256:" + hex + "\":\n        - 1.10\n        - true\n      \"b\": []\n  - name: y\n    dmap:\n",
	"-   name: x\n    dmap:\n        \"a\": [a,b , c]\n        \"b\":\n",
	"- name: x\n  dmap:\n    \"a\": [\"v1\"]",
}

func TestScanReadsWhatTheParserReads(t *testing.T) {
	t.Parallel()
	for _, text := range layouts {
		have, ok := scan(text)
		if !ok {
			t.Errorf("not read:\n%s", text)
			continue
		}
		want, problems := parsed(text)
		if diff := cmp.Diff(want, have); diff != "" || len(problems) > 0 {
			t.Errorf("%v; want -, have +:\n%s", problems, diff)
		}
	}
}

func TestScanLeavesTheRestToTheParser(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "[]", "- {name: x}", "- name: x\n  name: y", "- name: null\n", "- name: x\n  dmap: {}\n", "- name: x\n   dmap:\n",
		"- name: x\n  dmap:\n    \"a\": \"v1\"\n", "- name: x\n  dmap:\n    \"a\": [v1,]\n", "- name: x\n  dmap:\n    \"a\": [v1\n", "- name: x\n  dmap:\n    \"a\": [v1]x\n",
		"- name: x\n  dmap:\n    \"a\": [v1]#x\n", "- name: x\r\n", "-\tname: x\n", "- name: x\n  dmap:\n    \"a\\n\": [v1]\n", "- name: 'it''s'\n", "- name: x\n y\n",
		"- name: x\n  dmap:\n    \"a\": [v1]\n  dmap:\n", "- name: x\n  dmap:\n    \"a\":[v1]\n", "- name: &a x\n", "- name: x\n  dmap:\n    \"a\":\n    - v1\n     - v2\n", "---\n- name: x\n",
		"-name: x\n", "name: x\n", "- name: x\n- - y\n", "- name: x\n  dmap:\n    \"a\":\n    -\n", "- name: x: y\n", "- name: x\n# \x01\n", "dmap:\n", "- name: x\n  dmap:\n  \"a\": [v1]\n",
	} {
		if images, ok := scan(text); ok {
			t.Errorf("read as %v:\n%s", images, text)
		}
	}
}

// FuzzScan holds the scanner to the parser: what it reads, the parser reads the
// same, without a word.
func FuzzScan(f *testing.F) {
	for _, text := range layouts {
		f.Add(text)
		f.Add(strings.ReplaceAll(text, " ", "  "))
	}
	f.Fuzz(func(t *testing.T, text string) {
		have, ok := scan(text)
		if !ok {
			return
		}
		want, problems := parsed(text)
		if diff := cmp.Diff(want, have); diff != "" || len(problems) > 0 {
			// The parser knows of keys that are given twice, which are
			// looked for after both.
			t.Errorf("%v; want -, have +:\n%s", problems, diff)
		}
	})
}

// FuzzParse: no text makes the reader fail other than with problems, and what
// it takes for good can be planned.
func FuzzParse(f *testing.F) {
	f.Add("registries:\n- {name: a/b, src: true}\n- {name: c}\nimages:\n- {name: x, dmap: {\"sha256:" + hex + "\": [v1]}}\n")
	for _, text := range layouts {
		f.Add("registries: [{name: a, src: true}, {name: b}]\nimages:\n" + text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, problems := Parse("f", []byte(text))
		if strict.AsError(problems) != nil {
			return
		}
		plan := Make([]Manifest{m}, NewInventory())
		if len(plan.Items) > 0 {
			t.Errorf("an empty staging registry gives %v", plan.Items)
		}
	})
}
