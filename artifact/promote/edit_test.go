package promote_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
	"seaworthy/strict"
)

var update = flag.Bool("update", false, "write the golden files anew")

// images reads "NAME DIGEST TAG TAG", a line each.
func images(lines ...string) []promote.Image {
	var all []promote.Image
	for _, l := range lines {
		f := strings.Fields(expand(l))
		all = append(all, promote.Image{Name: f[0], Entries: []promote.Entry{{Digest: artifact.Digest(f[1]), Tags: f[2:]}}})
	}
	return all
}

func TestAdd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		add        []promote.Image
		want       string
	}{
		{"at the end, as the neighbours are", "# head\n- name: x\n  dmap:\n    \"D1\": [ \"v1\" ]\n# foot\n", images("x D2 v2"),
			"# head\n- name: x\n  dmap:\n    \"D1\": [ \"v1\" ]\n    \"D2\": [ \"v2\" ]\n# foot\n"},
		{"between, as versions", "- name: x\n  dmap:\n    \"D1\": [\"v3.2.0\"] # two\n    # ten\n    \"D2\": [\"v3.10.0\"]\n", images("x D3 v3.9.1"),
			"- name: x\n  dmap:\n    \"D1\": [\"v3.2.0\"] # two\n    \"D3\": [\"v3.9.1\"]\n    # ten\n    \"D2\": [\"v3.10.0\"]\n"},
		{"before all others", "- name: x\n  dmap:\n    # old\n    \"D1\": [\"v2\"]\n", images("x D2 v1"), "- name: x\n  dmap:\n    \"D2\": [\"v1\"]\n    # old\n    \"D1\": [\"v2\"]\n"},
		{"newest first", "- name: x\n  dmap:\n    'D1': ['v3']\n    'D2': ['v2']\n", images("x D3 v4", "x D4 v5"),
			"- name: x\n  dmap:\n    'D4': ['v5']\n    'D3': ['v4']\n    'D1': ['v3']\n    'D2': ['v2']\n"},
		{"sorted as text, as some programs do", "- name: x\n  dmap:\n    \"D1\": [\"v3.10\"]\n    \"D2\": [\"v3.11\"]\n    \"D3\": [\"v3.9\"]\n", images("x D4 v3.12"),
			"- name: x\n  dmap:\n    \"D1\": [\"v3.10\"]\n    \"D2\": [\"v3.11\"]\n    \"D4\": [\"v3.12\"]\n    \"D3\": [\"v3.9\"]\n"},
		{"sorted by digest", "- name: x\n  dmap:\n    \"D1\": [\"v9\"]\n    \"D3\": [\"v1\"]\n    \"D5\": [\"v5\"]\n", images("x D2 v7"),
			"- name: x\n  dmap:\n    \"D1\": [\"v9\"]\n    \"D2\": [\"v7\"]\n    \"D3\": [\"v1\"]\n    \"D5\": [\"v5\"]\n"},
		{"not sorted", "- name: x\n  dmap:\n    \"D5\": [\"v9\"]\n    \"D3\": [\"v1\"]\n    \"D4\": [\"v5\"]\n", images("x D2 v0"),
			"- name: x\n  dmap:\n    \"D5\": [\"v9\"]\n    \"D3\": [\"v1\"]\n    \"D4\": [\"v5\"]\n    \"D2\": [\"v0\"]\n"},
		{"lists of lines", "- name: x\n  dmap:\n    D1:\n      - v1\n      - v1.0\n    D2:\n      - v2\n", images("x D1 v1.0.0", "x D3 v3 v3.0", "x D4"),
			"- name: x\n  dmap:\n    D1:\n      - v1\n      - v1.0\n      - v1.0.0\n    D2:\n      - v2\n    D3:\n      - v3\n      - v3.0\n    D4: []\n"},
		{"lists of lines, not indented", "- name: x\n  dmap:\n    D1:\n    - v1\n- name: y\n  dmap:\n    D2:\n    - v1\n", images("x D1 v2", "x D3 v3"),
			"- name: x\n  dmap:\n    D1:\n    - v1\n    - v2\n    D3:\n    - v3\n- name: y\n  dmap:\n    D2:\n    - v1\n"},
		{"a tag more", "- name: x\n  dmap:\n    \"D1\": [\"v1\"] # one\n    \"D2\": []\n    \"D3\": [ 'v3', ]\n    \"D4\":\n    \"D5\": [ ]\n", images("x D1 v1.0 v1.0.0", "x D2 v2", "x D3 v3.0", "x D4 v4", "x D5 v5"),
			"- name: x\n  dmap:\n    \"D1\": [\"v1\", \"v1.0\", \"v1.0.0\"] # one\n    \"D2\": [\"v2\"]\n    \"D3\": [ 'v3', 'v3.0' ]\n    \"D4\": [\"v4\"]\n    \"D5\": [\"v5\"]\n"},
		{"a list over several lines", "- name: x\n  dmap:\n    \"D1\": [\"v1\", # first\n      \"v2\"  # second\n    ]\n", images("x D1 v3"),
			"- name: x\n  dmap:\n    \"D1\": [\"v1\", # first\n      \"v2\", \"v3\"  # second\n    ]\n"},
		{"names that are repeated", "- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n- name: y\n  dmap:\n    \"D2\": [\"v1\"]\n- name: x\n  dmap:\n    \"D3\": [\"v2\"]\n- name: y\n  dmap:\n    \"D4\": [\"v2\"]\n",
			images("x D5 v3", "y D2 v1.0"),
			"- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n- name: y\n  dmap:\n    \"D2\": [\"v1\", \"v1.0\"]\n- name: x\n  dmap:\n    \"D3\": [\"v2\"]\n    \"D5\": [\"v3\"]\n- name: y\n  dmap:\n    \"D4\": [\"v2\"]\n"},
		{"a new name between", "- name: a\n  dmap:\n    \"D1\": [\"v1\"]\n\n# about c\n- name: c\n  dmap:\n    \"D2\": [\"v1\"]\n", images("b D3 v2", "b D4 v1", "0a D5", "d D6 v1"),
			"- name: \"0a\"\n  dmap:\n    \"D5\": []\n\n- name: a\n  dmap:\n    \"D1\": [\"v1\"]\n\n- name: b\n  dmap:\n    \"D4\": [\"v1\"]\n    \"D3\": [\"v2\"]\n\n# about c\n- name: c\n  dmap:\n    \"D2\": [\"v1\"]\n\n- name: d\n  dmap:\n    \"D6\": [\"v1\"]\n"},
		{"a first name below the head", "# head\n# of the file\n- name: b\n  dmap:\n    \"D1\": [\"v1\"]\n", images("a D2 v1"),
			"# head\n# of the file\n- name: a\n  dmap:\n    \"D2\": [\"v1\"]\n- name: b\n  dmap:\n    \"D1\": [\"v1\"]\n"},
		{"odd columns", "  -   name: b\n      dmap:\n         \"D1\": [\"v1\"]\n", images("c D2 v1", "b D3 v2"),
			"  -   name: b\n      dmap:\n         \"D1\": [\"v1\"]\n         \"D3\": [\"v2\"]\n  -   name: c\n      dmap:\n         \"D2\": [\"v1\"]\n"},
		{"an empty file", "", images("x D1 v1"), "- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n"},
		{"comments alone", "# none yet", images("x D1 v1"), "# none yet\n- name: x\n  dmap:\n    \"D1\": [\"v1\"]"},
		{"an empty list", "# none yet\n[]\n", images("x D1 v1"), "# none yet\n- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n"},
		{"an empty list alone", "[]", images("x D1 v1"), "- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n"},
		{"an empty dmap", "- name: x\n  dmap: {} # none\n- name: y\n  dmap:\n- name: z\n", images("x D1 v1", "y D2", "z D3 v3"),
			"- name: x\n  dmap: # none\n    \"D1\": [\"v1\"]\n- name: y\n  dmap:\n    \"D2\": []\n- name: z\n  dmap:\n    \"D3\": [\"v3\"]\n"},
		{"in braces", "[{name: x, dmap: {\"D1\": [v1]}}, {name: y, dmap: {}}, {name: z}]\n", images("x D2 v2", "y D3 v3", "z D4 v4", "zz D5"),
			"[{name: x, dmap: {\"D1\": [v1], \"D2\": [\"v2\"]}}, {name: y, dmap: {\"D3\": [\"v3\"]}}, {name: z, dmap: {\"D4\": [\"v4\"]}}, {name: zz, dmap: {\"D5\": []}}]\n"},
		{"no line end at the end", "- name: x\n  dmap:\n    \"D1\": [\"v1\"]", images("x D2 v2"), "- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n    \"D2\": [\"v2\"]"},
		{"carriage returns", "- name: x\r\n  dmap:\r\n    \"D1\": [\"v1\"]\r\n", images("x D2 v2"), "- name: x\r\n  dmap:\r\n    \"D1\": [\"v1\"]\r\n    \"D2\": [\"v2\"]\r\n"},
		{"a thick manifest", "images:\n- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n\n# where\nregistries:\n- {name: a, src: true}\n- name: b\n", images("x D2 v2", "za D3 v1"),
			"images:\n- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n    \"D2\": [\"v2\"]\n- name: za\n  dmap:\n    \"D3\": [\"v1\"]\n\n# where\nregistries:\n- {name: a, src: true}\n- name: b\n"},
		{"tags that read as numbers are quoted", "- name: x\n  dmap:\n    D1: [v1]\n", images("x D2 1.10"), "- name: x\n  dmap:\n    D1: [v1]\n    D2: [\"1.10\"]\n"},
		{"the same digest under two names", "- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n", images("z D1 v1"), "- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n- name: z\n  dmap:\n    \"D1\": [\"v1\"]\n"},
		{"there already", "- name: x\n  dmap:\n    \"D1\":   [v1,v2]\n", images("x D1 v2", "x D1"), "- name: x\n  dmap:\n    \"D1\":   [v1,v2]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			have, changes, err := promote.Add("images.yaml", []byte(expand(c.text)), c.add)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, shorten(string(have))); diff != "" {
				t.Errorf("want -, have +:\n%s", diff)
			}
			if (len(changes) == 0) != (c.text == c.want) {
				t.Errorf("changes are %v", changes)
			}
			again, changes, err := promote.Add("images.yaml", have, c.add)
			if err != nil || len(changes) > 0 || !bytes.Equal(again, have) {
				t.Errorf("a second time: %v, %v", changes, err)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"- name: x\n  dmap:\n    \"D1\": v1\n", "images.yaml:3: the tags of a digest are not a list"},
		{"- nmae: x\n", "images.yaml:1: unknown field"},
		{"- name: [\n", "images.yaml:2: not YAML"},
		{"registries: []\n", "images.yaml:1: no registries"},
		{"- name: x\n  dmap: &a {\"D1\": [v1]}\n- name: y\n  dmap: *a\n", ""},
		{"- name: x\n  dmap:\n    \"D1\": &a [v1]\n    \"D2\": *a\n", ""},
		{"- name: x\n  dmap: ~\n", "images.yaml:2: this cannot be edited by a program"},
	} {
		edited, _, err := promote.Add("images.yaml", []byte(expand(c.text)), images("x D2 v2", "y D2 v2"))
		switch {
		case c.want == "" && err == nil:
			// Edited after all: then every image is what it should be.
			if _, problems := promote.ParseImages("edited", edited); strict.AsError(problems) != nil {
				t.Errorf("%s became %s", c.text, edited)
			}
		case c.want != "" && (err == nil || !strings.HasPrefix(shorten(err.Error()), c.want)):
			t.Errorf("%s: %v\n%s", c.text, err, edited)
		}
	}
	if _, _, err := promote.Add("f", nil, []promote.Image{{Name: "X", Entries: []promote.Entry{{Digest: "sha256:1"}}}}); err == nil {
		t.Error("what is no image was added")
	}
}

// only reports lines of the old text that are not in the new one, in order.
func lost(before, after []byte) []string {
	var gone []string
	rest := strings.Split(string(after), "\n")
	for _, l := range strings.Split(string(before), "\n") {
		at := slices.Index(rest, l)
		if at < 0 {
			gone = append(gone, l)
			continue
		}
		rest = rest[at+1:]
	}
	return gone
}

// TestAddToRealFiles adds to every image of every real file: nothing of the
// text is touched, and what is read is what was there and what was added.
func TestAddToRealFiles(t *testing.T) {
	t.Parallel()
	tree := realTree(t)
	files, err := fsGlob(tree, "promoter/registry.k8s.io/images/*/images.yaml")
	if err != nil || len(files) != 71 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		text := tree[file].Data
		before, problems := promote.ParseImages(file, text)
		if err := strict.AsError(problems); err != nil {
			t.Fatal(err)
		}
		add := []promote.Image{{Name: "zz-new", Entries: []promote.Entry{{Digest: d("f"), Tags: []string{"v1"}}}}}
		for n, i := range before {
			tag := "v1.22.3"
			if len(i.Entries) > 0 && len(i.Entries[len(i.Entries)/2].Tags) > 0 {
				tag = i.Entries[len(i.Entries)/2].Tags[0] + ".5"
			}
			add = append(add, promote.Image{Name: i.Name, Entries: []promote.Entry{
				{Digest: artifact.Digest(fmt.Sprintf("sha256:%064x", n)), Tags: []string{tag}}, {Digest: d("e"), Tags: []string{"v999"}}, {Digest: d("d")},
			}})
		}
		edited, changes, err := promote.Add(file, text, add)
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) != 1+3*len(before) {
			t.Errorf("%s: %d changes for %d images", file, len(changes), len(before))
		}
		if gone := lost(text, edited); len(gone) > 0 {
			t.Errorf("%s lost %q", file, gone)
		}
	}
}

func fsGlob(tree fstest.MapFS, pattern string) ([]string, error) { return tree.Glob(pattern) }

// TestAddGolden shows what an edit of a file like the real ones looks like.
func TestAddGolden(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/edit/images.yaml")
	if err != nil {
		t.Fatal(err)
	}
	edited, _, err := promote.Add("images.yaml", text, images(
		"kube-apiserver Da v1.30.2", "kube-apiserver Db v1.31.0-rc.1", "kube-apiserver Dc v1.31.0", "kube-proxy Dd v1.30.2", "conformance De v1.30.2"))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "edit", "images.golden.yaml")
	if *update {
		if err := os.WriteFile(golden, edited, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(edited)); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
}

func FuzzAdd(f *testing.F) {
	for _, text := range []string{"- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n", "[]", "", "[{name: x, dmap: {D1: [v1]}}]", "- name: x\n  dmap:\n    D1:\n    - v1\n", "# a\n- name: y\n  dmap: {} # b\n", "- name: x\n  dmap:\n"} {
		f.Add(expand(text), "x", "v2")
	}
	f.Fuzz(func(t *testing.T, text, name, tag string) {
		before, problems := promote.ParseImages("f", []byte(text))
		edited, _, err := promote.Add("f", []byte(text), []promote.Image{{Name: name, Entries: []promote.Entry{{Digest: d("f"), Tags: []string{tag}}}}})
		if err != nil || strict.AsError(problems) != nil {
			return
		}
		after, problems := promote.ParseImages("f", edited)
		if err := strict.AsError(problems); err != nil {
			t.Fatalf("%v:\n%s", err, edited)
		}
		for _, i := range before {
			at := slices.IndexFunc(after, func(o promote.Image) bool { return o.Name == i.Name })
			if at < 0 || len(after[at].Entries) < len(i.Entries) {
				t.Errorf("%s lost something:\n%s", i.Name, edited)
			}
		}
	})
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	sorted := []string{"nightly", "v0.9", "1.0.0-rc.1", "v1.0.0", "v3.2", "v3.10", "v20230101-abc", "v20240101-abc"}
	for i, a := range sorted[1:] {
		if promote.CompareVersions(sorted[i], a) >= 0 && i > 0 || promote.CompareVersions(a, a) != 0 {
			t.Errorf("%s is not before %s", sorted[i], a)
		}
	}
	for _, c := range [][2]string{{"release-9", "release-10"}, {"v1", "v1-alpine"}, {"1.0.0", "v1.0.0"}, {"v1.0.0-alpha", "v1.0.0"}, {"v007", "v8"}} {
		if promote.CompareVersions(c[0], c[1]) >= 0 || promote.CompareVersions(c[1], c[0]) <= 0 {
			t.Errorf("%s is not before %s", c[0], c[1])
		}
	}
}
