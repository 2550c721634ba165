package promote_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
	"seaworthy/strict"
)

// d makes a digest of one hex digit.
func d(digit string) artifact.Digest { return artifact.Digest("sha256:" + strings.Repeat(digit, 64)) }

// expand writes D1 as the digest of ones, and so on.
func expand(text string) string {
	for _, digit := range strings.Split("0123456789abcdef", "") {
		text = strings.ReplaceAll(text, "D"+digit, string(d(digit)))
	}
	return text
}

// shorten is its inverse.
func shorten(text string) string {
	for _, digit := range strings.Split("0123456789abcdef", "") {
		text = strings.ReplaceAll(text, string(d(digit)), "D"+digit)
	}
	return text
}

func parse(t *testing.T, file, text string) promote.Manifest {
	t.Helper()
	m, problems := promote.Parse(file, []byte(expand(text)))
	if err := strict.AsError(problems); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	return m
}

func inventory(t *testing.T, text string) *promote.Inventory {
	t.Helper()
	if text == "" {
		return nil
	}
	v, err := promote.ParseInventory("inventory", []byte(expand(text)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// told is a plan as a few lines.
func told(p *promote.Plan) []string {
	var lines []string
	for e := range p.Edges() {
		lines = append(lines, shorten(fmt.Sprintf("%s@%s -> %s:%s", e.Source, e.Digest, e.Destination, e.Tag)))
	}
	for _, r := range p.Refusals {
		lines = append(lines, shorten(fmt.Sprintf("refused %s@%s %s", r.Image, r.Digest, r.Reason)))
	}
	for _, w := range p.Warnings {
		lines = append(lines, shorten("warning "+w.Why))
	}
	return lines
}

const one = `
registries:
- {name: stage/a, src: true}
- {name: prod/b}
images:
`

const two = `
registries:
- {name: stage/a, src: true}
- {name: us/prod}
- {name: eu/prod}
images:
`

// cases are manifests, separated by lines of ---, with what the registries hold.
var cases = []struct {
	name, manifests, inventory string
	want                       []string
}{
	{"nothing known plans everything", one + `- {name: x, dmap: {"D1": [v1, v2], "D2": []}}`, ``, []string{
		"stage/a/x@D1 -> prod/b/x:v1", "stage/a/x@D1 -> prod/b/x:v2", "stage/a/x@D2 -> prod/b/x:"}},
	{"nothing there", one + `- {name: x, dmap: {"D1": [v1]}}`, `{stage/a: {x: {D1: []}}}`, []string{"stage/a/x@D1 -> prod/b/x:v1"}},
	{"an empty inventory has nothing staged", one + `- {name: x, dmap: {"D1": [v1]}}`, `{}`, []string{"refused stage/a/x@D1 not-staged"}},
	{"tag already right", one + `- {name: x, dmap: {"D1": [v1]}}`, `{stage/a: {x: {D1: [v1]}}, prod/b: {x: {D1: [v1]}}}`, nil},
	{"tag already right, no longer staged", one + `- {name: x, dmap: {"D1": [v1]}}`, `{prod/b: {x: {D1: [v1]}}}`, nil},
	{"one tag of two already right", one + `- {name: x, dmap: {"D1": [v1, v2]}}`, `{stage/a: {x: {D1: []}}, prod/b: {x: {D1: [v1]}}}`,
		[]string{"stage/a/x@D1 -> prod/b/x:v2"}},
	{"digest there, tag not", one + `- {name: x, dmap: {"D1": [v1]}}`, `{stage/a: {x: {D1: []}}, prod/b: {x: {D1: []}}}`,
		[]string{"stage/a/x@D1 -> prod/b/x:v1"}},
	{"tagless", one + `- {name: x, dmap: {"D1": []}}`, `{stage/a: {x: {D1: [v1]}}}`, []string{"stage/a/x@D1 -> prod/b/x:"}},
	{"tagless already there under a tag", one + `- {name: x, dmap: {"D1": []}}`, `{stage/a: {x: {D1: []}}, prod/b: {x: {D1: [v9]}}}`, nil},
	{"tag that would move", one + `- {name: x, dmap: {"D1": [v1, v2], "D3": [v3]}}
- {name: y, dmap: {"D4": [v1]}}`,
		`{stage/a: {x: {D1: [], D3: []}, y: {D4: []}}, prod/b: {x: {D2: [v1]}}}`,
		[]string{"stage/a/x@D3 -> prod/b/x:v3", "stage/a/y@D4 -> prod/b/y:v1", "refused stage/a/x@D1 tag-moves"}},
	{"lost in staging", one + `- {name: x, dmap: {"D1": [v1], "D2": [v2]}}`, `{stage/a: {x: {D2: []}}}`,
		[]string{"stage/a/x@D2 -> prod/b/x:v2", "refused stage/a/x@D1 not-staged"}},
	{"staged under another name only", one + `- {name: x, dmap: {"D1": [v1]}}`, `{stage/a: {y: {D1: [v1]}}}`, []string{"refused stage/a/x@D1 not-staged"}},
	{"lost, but a tag is missing", one + `- {name: x, dmap: {"D1": [v1, v2]}}`, `{prod/b: {x: {D1: [v1]}}}`, []string{"refused stage/a/x@D1 not-staged"}},
	{"two digests for one tag", one + `- {name: x, dmap: {"D1": [v1], "D2": [v1], "D3": [v3]}}`, ``,
		[]string{"stage/a/x@D3 -> prod/b/x:v3", "refused stage/a/x@D1 tag-clash", "refused stage/a/x@D2 tag-clash"}},
	{"one of two mirrors is done", two + `- {name: x, dmap: {"D1": [v1]}}`, `{stage/a: {x: {D1: []}}, us/prod: {x: {D1: [v1]}}}`,
		[]string{"stage/a/x@D1 -> eu/prod/x:v1"}},
	{"mirrors lack different tags", two + `- {name: x, dmap: {"D1": [v1, v2]}}`, `{stage/a: {x: {D1: []}}, us/prod: {x: {D1: [v1]}}}`,
		[]string{"stage/a/x@D1 -> eu/prod/x:v1", "stage/a/x@D1 -> eu/prod/x:v2", "stage/a/x@D1 -> us/prod/x:v2"}},
	{"a tag that moves at one mirror is refused at all", two + `- {name: x, dmap: {"D1": [v1]}}`, `{stage/a: {x: {D1: []}}, us/prod: {x: {D2: [v1]}}}`,
		[]string{"refused stage/a/x@D1 tag-moves"}},
	{"latest moves", one + `- {name: x, dmap: {"D1": [latest]}}`, `{stage/a: {x: {D1: []}}, prod/b: {x: {D2: [latest]}}}`, []string{"refused stage/a/x@D1 tag-moves"}},
	{"image below a path, split elsewhere in the inventory", strings.ReplaceAll(one, "prod/b", "eu.gcr.io:443/prod/kas") + `- {name: sub/x, dmap: {"D1": [v1], "D2": [v2]}}`,
		`{stage: {a/sub/x: {D1: [], D2: []}}, "eu.gcr.io:443": {prod/kas/sub/x: {D1: [v1]}}}`, []string{"stage/a/sub/x@D2 -> eu.gcr.io:443/prod/kas/sub/x:v2"}},
	{"repeated names are one image", one + `- {name: x, dmap: {"D1": [v1]}}
- {name: x, dmap: {"D1": [v2], "D2": []}}`, ``, []string{
		"stage/a/x@D1 -> prod/b/x:v1", "stage/a/x@D1 -> prod/b/x:v2", "stage/a/x@D2 -> prod/b/x:"}},
	{"the same from two sources is planned once", one + `- {name: x, dmap: {"D1": [v1]}}
---
registries:
- {name: stage/other, src: true}
- {name: prod/b}
images:
- {name: x, dmap: {"D1": [v1]}}`, ``, []string{"stage/a/x@D1 -> prod/b/x:v1",
		"warning stage/other/x is promoted to prod/b/x, and so is stage/a/x of m0"}},
	{"where the first source lost it, the second serves", one + `- {name: x, dmap: {"D1": [v1]}}
---
registries:
- {name: stage/other, src: true}
- {name: prod/b}
images:
- {name: x, dmap: {"D1": [v1]}}`, `{stage/other: {x: {D1: []}}}`, []string{"stage/other/x@D1 -> prod/b/x:v1", "refused stage/a/x@D1 not-staged",
		"warning stage/other/x is promoted to prod/b/x, and so is stage/a/x of m0"}},
	{"two sources, one tag, different digests", one + `- {name: x, dmap: {"D1": [v1]}}
---
registries:
- {name: stage/other, src: true}
- {name: prod}
images:
- {name: b/x, dmap: {"D2": [v1], "D3": [v3]}}`, ``, []string{"stage/other/b/x@D3 -> prod/b/x:v3",
		"refused stage/a/x@D1 tag-clash", "refused stage/other/b/x@D2 tag-clash",
		"warning stage/other/b/x is promoted to prod/b/x, and so is stage/a/x of m0"}},
	{"the same manifest twice", one + `- {name: x, dmap: {"D1": [v1], "D2": []}}
---` + one + `- {name: x, dmap: {"D1": [v1], "D2": []}}`, ``, []string{"stage/a/x@D1 -> prod/b/x:v1", "stage/a/x@D2 -> prod/b/x:"}},
	{"published under another name", one + `- {name: x, dmap: {"D1": [v1]}}`, `{stage/a: {x: {D1: []}}, prod/b: {old: {D1: [v1]}}}`,
		[]string{"stage/a/x@D1 -> prod/b/x:v1", "warning D1 goes to prod/b/x and is published as prod/b/old already: is this a new name for it?"}},
	{"two names that are both asked for", one + `- {name: x, dmap: {"D1": [v1]}}
- {name: y, dmap: {"D1": [v1]}}`, `{stage/a: {x: {D1: []}, y: {D1: []}}, prod/b: {y: {D1: [v1]}}}`, []string{"stage/a/x@D1 -> prod/b/x:v1"}},
	{"staging moved the tag", one + `- {name: x, dmap: {"D1": [v1]}}`, `{stage/a: {x: {D1: [], D2: [v1]}}}`,
		[]string{"stage/a/x@D1 -> prod/b/x:v1", "warning in staging, tag v1 of stage/a/x points to D2, not to D1"}},
	{"no images", strings.TrimSpace(one) + ` []`, `{}`, nil},
	{"no destination", "registries: [{name: stage/a, src: true}]\nimages: [{name: x, dmap: {D1: [v1]}}]", `{}`, nil},
}

func TestMake(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var manifests []promote.Manifest
			for i, text := range strings.Split(c.manifests, "\n---") {
				manifests = append(manifests, parse(t, fmt.Sprintf("m%d", i), text))
			}
			plan := promote.Make(manifests, inventory(t, c.inventory))
			if diff := cmp.Diff(c.want, told(plan)); diff != "" {
				t.Errorf("want -, have +:\n%s", diff)
			}
			edges := 0
			for range plan.Edges() {
				edges++
			}
			if plan.Counts.Edges != edges || plan.Counts.Refused != len(plan.Refusals) {
				t.Errorf("counts say %+v for %d edges and %d refusals", plan.Counts, edges, len(plan.Refusals))
			}
		})
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	m := parse(t, "m.yaml", two+`- name: x
  dmap:
    D1: [v1]
    D2: [latest]
    D3: [v3]
    D4: [v4]
    D5: [v4]
`)
	v := inventory(t, `{stage/a: {x: {D1: [], D2: [], D4: [], D5: []}}, us/prod: {x: {D9: [v1, latest]}}, eu/prod: {x: {D9: [v1]}}}`)
	var have []string
	for _, r := range promote.Make([]promote.Manifest{m}, v).Refusals {
		have = append(have, shorten(fmt.Sprintf("%s:%d %s", r.Manifest, r.Line, r.Why)))
	}
	want := []string{
		"m.yaml:9 tag v1 of eu/prod/x would move from D9 to D1: published tags stay; promote it under a new tag (and so in 1 more cases)",
		"m.yaml:10 tag latest of us/prod/x would move from D9 to D2: published tags stay; remove latest from the manifest",
		"m.yaml:11 stage/a/x does not have D3: push it there again, or remove it from the manifest",
		"m.yaml:12 tag v4 of eu/prod/x is asked for with different digests: D4 (m.yaml:12), D5 (m.yaml:13); keep one",
		"m.yaml:13 tag v4 of eu/prod/x is asked for with different digests: D4 (m.yaml:12), D5 (m.yaml:13); keep one",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
}

func TestUnreadableRepositoryRefusesWhatTouchesIt(t *testing.T) {
	t.Parallel()
	m := parse(t, "m.yaml", two+`
- {name: x, dmap: {"D1": [v1]}}
- {name: y, dmap: {"D1": [v1]}}
`)
	v := inventory(t, `{stage/a: {x: {D1: []}, y: {D1: []}}}`)
	v.Fail("eu/prod/x", errors.New("connection refused"))
	want := []string{"stage/a/y@D1 -> eu/prod/y:v1", "stage/a/y@D1 -> us/prod/y:v1", "refused stage/a/x@D1 unreadable"}
	if diff := cmp.Diff(want, told(promote.Make([]promote.Manifest{m}, v))); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
}

func TestMakeSince(t *testing.T) {
	t.Parallel()
	before := parse(t, "m.yaml", one+`
- {name: x, dmap: {"D1": [v1], "D2": [], "D3": [v3]}}
`)
	after := parse(t, "m.yaml", two+`
- {name: x, dmap: {"D1": [v1, v1.0], "D2": [], "D4": [v3]}}
- {name: y, dmap: {"D5": []}}
`)
	after.Registries[1].Name = "prod/b" // one old destination, one new
	want := []string{
		"stage/a/x@D1 -> prod/b/x:v1.0", "stage/a/x@D1 -> eu/prod/x:v1", "stage/a/x@D1 -> eu/prod/x:v1.0",
		"stage/a/x@D2 -> eu/prod/x:", "stage/a/x@D4 -> prod/b/x:v3", "stage/a/x@D4 -> eu/prod/x:v3",
		"stage/a/y@D5 -> prod/b/y:", "stage/a/y@D5 -> eu/prod/y:",
	}
	have := told(promote.MakeSince([]promote.Manifest{before}, []promote.Manifest{after}, nil))
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	if p := promote.MakeSince([]promote.Manifest{after}, []promote.Manifest{after}, nil); len(p.Items) != 0 {
		t.Errorf("an unchanged manifest plans %v", told(p))
	}
	if p := promote.MakeSince([]promote.Manifest{}, []promote.Manifest{after}, nil); p.Counts.Edges != p.Counts.Wanted {
		t.Errorf("a new manifest is planned as %v", told(p))
	}
}

func TestMakeSinceSeesClashesWithWhatWasThere(t *testing.T) {
	t.Parallel()
	before := parse(t, "m.yaml", one+`- {name: x, dmap: {"D1": [v1]}}`)
	after := parse(t, "m.yaml", one+`- {name: x, dmap: {"D1": [v1], "D2": [v1]}}`)
	want := []string{"refused stage/a/x@D2 tag-clash"}
	if diff := cmp.Diff(want, told(promote.MakeSince([]promote.Manifest{before}, []promote.Manifest{after}, nil))); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
}

func TestMirrorsShareTheirList(t *testing.T) {
	t.Parallel()
	m := parse(t, "m.yaml", two+`- {name: x, dmap: {"D1": [v1], "D2": [v2]}}`)
	items := promote.Make([]promote.Manifest{m}, nil).Items
	if len(items) != 2 || &items[0].Destinations[0] != &items[1].Destinations[0] {
		t.Errorf("%d items with lists of their own", len(items))
	}
}

func TestParseInventory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"JSON", `{"h": {"p/x": {"D1": ["v1"], "D2": null}}, "h/p": {"y": {}}}`, ""},
		{"YAML", "h:\n  p/x:\n    D1: [v1]\n    D2:\n", ""},
		{"YAML in braces", "{h: {p/x: {D1: [v1], D2: []}}}", ""},
		{"slashes", `{"h/": {"/p/x/": {"D1": ["v1"], "D2": []}}}`, ""},
		{"tag on two digests", `{"h": {"p/x": {"D1": ["v1"], "D2": ["v1"]}}}`, "inventory:1: h/p/x: tag v1 is listed with two digests, D1 and D2: a tag points to one"},
		{"empty", " \n", "inventory: the file is empty: write {} if the registries hold nothing"},
		{"truncated", "{\"h\":\n {\"p/x\":", "inventory:2: { is expected here, not the end of the file: an inventory is {registry: {image: {digest: [tags]}}}"},
		{"wrong kind", `{"h": {"p/x": ["D1"]}}`, `inventory:1: { is expected here, not "[": an inventory is`},
		{"wrong kind in YAML", `{h: {p/x: [D1]}}`, "inventory:1: p/x is a list: write a mapping, name: value"},
		{"more behind it", `{"h": {}}` + "\n" + `{"h": {}}`, `inventory:2: the end is expected here, not "{": an inventory is`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := promote.ParseInventory("inventory", []byte(expand(c.text)))
			if c.want != "" {
				if err == nil || !strings.HasPrefix(shorten(err.Error()), c.want) {
					t.Fatalf("%v is not %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tag, ok := v.Tag("h/p/x", "v1"); !ok || tag != d("1") || !v.Has("h/p/x", d("2")) || v.Has("h/p/y", d("1")) {
				t.Errorf("v1 is %q", tag)
			}
			if _, ok := v.Tag("h/p/x", "v2"); ok {
				t.Error("there is a tag v2")
			}
		})
	}
}

func FuzzParseInventory(f *testing.F) {
	f.Add(`{"h": {"p/x": {"D1": ["v1"], "D2": null}}}`)
	f.Add("h:\n  p/x:\n    D1: [v1]\n")
	f.Add(`{a: &a {b: {c: [d]}}, e: *a}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := promote.ParseInventory("f", []byte(text))
		if (v == nil) == (err == nil) {
			t.Errorf("%v and %v", v, err)
		}
	})
}

// TestPlansAreEqual: equal inputs make equal plans, in whatever order.
func TestPlansAreEqual(t *testing.T) {
	t.Parallel()
	names := map[string]string{}
	for _, c := range cases {
		if c.inventory != "" {
			names[c.manifests] = c.inventory
		}
	}
	for text, held := range names {
		var manifests []promote.Manifest
		for i, one := range strings.Split(text, "\n---") {
			manifests = append(manifests, parse(t, fmt.Sprintf("m%d", i), one))
		}
		first := told(promote.Make(manifests, inventory(t, held)))
		for range 5 {
			if again := told(promote.Make(manifests, inventory(t, held))); !slices.Equal(first, again) {
				t.Errorf("%v, then %v", first, again)
			}
		}
	}
}
