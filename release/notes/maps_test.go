package notes

import (
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleMaps = `---
pr: 1
commit: ""
releasenote:
  text: Better words.
  kinds: [bug]
  documentation:
  - {description: "[KEP]", url: "https://kep.k8s.io/1", type: KEP}
  colour: red
pr_body: ""
---
# nothing here
---
pr: 2
releasenote:
  do_not_publish: true
  author: ben
  sigs: [node]
extra: 1
---
pr: 999
`

func TestMaps(t *testing.T) {
	t.Parallel()
	maps, warnings, err := ParseMaps("m.yaml", []byte(sampleMaps))
	if err != nil || len(maps) != 3 {
		t.Fatalf("%d maps, %v", len(maps), err)
	}
	if diff := cmp.Diff([]string{`m.yaml:9: unknown field "colour" has no effect`, `m.yaml:19: unknown field "extra" has no effect`}, warnings); diff != "" {
		t.Error(diff)
	}
	before := sampleNotes().Notes
	after, idle := Apply(before, maps)
	if len(idle) != 1 || idle[0].PR != 999 {
		t.Errorf("idle: %+v", idle)
	}
	if diff := cmp.Diff(sampleNotes().Notes, before); diff != "" {
		t.Errorf("the notes given were changed: %s", diff)
	}
	n := after[0]
	if n.Text != "Better words." || n.Feature || !n.Mapped || len(n.Documentation) != 1 || !strings.HasPrefix(n.Markdown, "Better words. (") || !strings.HasSuffix(n.Markdown, "[SIG API Machinery, CLI and Node]") {
		t.Errorf("%+v", n)
	}
	if n := after[1]; !n.DoNotPublish || n.Author != "ben" || n.Text != "alpha feature" || !strings.Contains(n.Markdown, "[SIG Node]") {
		t.Errorf("%+v", n)
	}
	if diff := cmp.Diff(before[2:], after[2:]); diff != "" {
		t.Errorf("other notes were changed: %s", diff)
	}
	maps[0].Commit = strings.Repeat("f", 40)
	if _, idle := Apply(before, maps[:1]); len(idle) != 1 {
		t.Error("a map of another commit was applied")
	}
}

func TestMapsRefused(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"m.yaml:1: no pull request": "releasenote: {text: x}\n",
		"m.yaml:4: no pull request": "---\npr: 1\n---\nreleasenote: {}\n",
		"m.yaml: yaml":              "pr: [\n",
		"cannot unmarshal":          "pr: many\n",
	} {
		if _, _, err := ParseMaps("m.yaml", []byte(data)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q gives %v", data, err)
		}
	}
	if maps, warnings, err := ParseMaps("m.yaml", nil); err != nil || len(maps) != 0 || len(warnings) != 0 {
		t.Errorf("an empty file gives %v, %v, %v", maps, warnings, err)
	}
}

func TestRealMaps(t *testing.T) {
	t.Parallel()
	drafts, maps := map[string][]Note{}, map[string][]Map{}
	for name, data := range worldData(t) {
		folder := path.Dir(name)
		switch {
		case path.Base(name) == "release-notes-draft.json":
			list, err := DecodeJSON(data)
			if err != nil {
				t.Fatal(err)
			}
			drafts[folder] = list
		case path.Base(folder) == "maps":
			list, warnings, err := ParseMaps(name, data)
			if err != nil {
				t.Error(err)
			}
			for _, w := range warnings {
				t.Log(w)
			}
			maps[path.Dir(folder)] = append(maps[path.Dir(folder)], list...)
		}
	}
	for folder, list := range drafts {
		after, idle := Apply(list, maps[folder])
		if len(after) != len(list) || len(maps[folder]) < 100 || len(idle)*10 > len(maps[folder]) {
			t.Errorf("%s: %d notes, %d maps, %d of them idle", folder, len(after), len(maps[folder]), len(idle))
		}
	}
}

func FuzzParseMaps(f *testing.F) {
	f.Add([]byte(sampleMaps))
	f.Fuzz(func(t *testing.T, data []byte) {
		maps, _, err := ParseMaps("m.yaml", data)
		if err != nil {
			return
		}
		for _, m := range maps {
			if m.PR <= 0 {
				t.Fatalf("%+v", m)
			}
		}
		Apply(sampleNotes().Notes, maps)
	})
}
