package promote_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact/promote"
	"seaworthy/strict"
)

// realTree unpacks the real manifests into memory.
func realTree(t testing.TB) fstest.MapFS {
	t.Helper()
	folder := os.Getenv("SEAWORTHY_DATA")
	if folder == "" {
		t.Skip("skipped: SEAWORTHY_DATA names no folder with real manifests")
	}
	f, err := os.Open(filepath.Join(folder, "promoter.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	for entries := tar.NewReader(unzipped); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return tree
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		tree[strings.TrimPrefix(h.Name, "./")] = &fstest.MapFile{Data: text}
	}
}

func TestRealManifests(t *testing.T) {
	t.Parallel()
	tree := realTree(t)
	manifests, problems := promote.Read(tree, "promoter", "")
	if err := strict.AsError(problems); err != nil {
		t.Fatal(err)
	}
	_, warnings := strict.Split(problems)
	// Ten names of kops and four of etcdadm are repeated; one digest of
	// ingress-nginx lacks a digit.
	if len(warnings) != 15 {
		t.Errorf("%d warnings:\n%s", len(warnings), strings.Join(lines(warnings), "\n"))
	}
	plan := promote.Make(manifests, nil)
	want := promote.Counts{Manifests: 71, Images: 377, Digests: 19825, Tags: 19894, Wanted: 713350, Edges: 713328, Promote: 19824, Refused: 1}
	if diff := cmp.Diff(want, plan.Counts); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	if len(plan.Refusals) != 1 || plan.Refusals[0].Reason != promote.Malformed || plan.Refusals[0].Line != 152 {
		t.Errorf("refused: %+v", plan.Refusals)
	}
}

// lines returns what was found as lines.
func lines(problems []strict.Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, shorten(p.String()))
	}
	return all
}

func TestParseFindsEverythingWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"all at once", `
registries:
- {name: https://stage/a, src: true}
- {nmae: prod/b}
- {name: prod/c, src: yes}
images:
- name: X
  dmap:
    "sha256:12": ["v1", "-v2"]
    "D1": ["v 3"]
- nam: y
`, []string{
			`m.yaml:3: registry "https://stage/a": write host and path only, without what is before ://`,
			`m.yaml:4: unknown field "nmae": write name`,
			`m.yaml:4: a registry without a name: write name: HOST/PATH`,
			`m.yaml:5: a second registry is the source: https://stage/a on line 3 is one already; images come from one registry`,
			`m.yaml:7: image "X": write a lower-case path below the registry, such as addons/proxy`,
			`m.yaml:9: "sha256:12" is not a digest: write sha256: and 64 lower-case hex digits`,
			`m.yaml:9: "-v2" is not a tag: write at most 128 letters, digits, _, . and -, the first no . or -`,
			`m.yaml:10: "v 3" is not a tag: write at most 128 letters, digits, _, . and -, the first no . or -`,
			`m.yaml:11: unknown field "nam": write name`,
			`m.yaml:11: an image without a name: write name: IMAGE`,
		}},
		{"no source", "registries: [{name: a/b}]\nimages: []", []string{"m.yaml:1: no registry is the source: write src: true with the one that images come from"}},
		{"no registries", "images: []", []string{"m.yaml:1: no registries: list where images come from, with src: true, and where they go"}},
		{"nothing", "", []string{"m.yaml: no registries: list where images come from, with src: true, and where they go"}},
		{"not YAML", "registries: [\n", []string{"m.yaml:2: not YAML: did not find expected node content (look at this line and the next for indentation, a missing colon or an unclosed quote)"}},
		{"onto itself", "registries: [{name: a/b, src: true}, {name: a/b}]\nimages: []", []string{"m.yaml:1: a/b is both source and destination: it stands on line 1 already"}},
		{"lenient", "imagesPath: x\nregistries:\n- {name: a/b, src: true}\n- {name: c/}\n- {name: c}\nimages:\n- {name: x}\n- {name: y, dmap: }\n- {name: z, dmap: {D1: , D2: []}}", []string{
			"m.yaml:4: warning: registry c/: write it without a slash at its end", "m.yaml:5: warning: c stands on line 4 already"}},
		{"no destination", "registries: [{name: a/b, src: true}]\nimages: []", []string{"m.yaml:1: warning: no registry to promote to"}},
		{"digest twice", one + "- name: x\n  dmap:\n    D1: [v1]\n    D1: [v2]", []string{"m.yaml:9: D1 is given twice: it stands on line 8 already; put all its tags there"}},
		{"tag twice", one + "- name: x\n  dmap:\n    D1: [v1, v2, v1]", []string{"m.yaml:8: warning: tag v1 is given twice"}},
		{"kinds", one + "- name: x\n  dmap: [D1]\n- name: y\n  dmap:\n    D1: v1\n    [a]: [v1]\n    D2: [[v1]]\n", []string{
			`m.yaml:7: dmap is not a mapping: write "sha256:DIGEST": ["TAG"]`,
			`m.yaml:10: the tags of a digest are not a list: write ["TAG"], or [] for none`,
			`m.yaml:11: the digest of an image is not a plain key: write "sha256:DIGEST": ["TAG"]`,
			`m.yaml:12: a tag is not a single value: write it in quotes`}},
		{"upper-case digest", one + "- {name: x, dmap: {\"sha256:" + strings.Repeat("A", 64) + "\": []}}", []string{
			`m.yaml:6: "sha256:` + strings.Repeat("A", 64) + `" is not a digest: write sha256: and 64 lower-case hex digits`}},
		{"password", strings.Replace(one, "prod/b", "ada:secret@prod/b", 1) + "- {name: x}", []string{
			`m.yaml:4: a registry's name holds a name or password, or a digest: take out what is around the @; credentials come from the environment`}},
		{"path traversal", strings.Replace(one, "prod/b", "prod/../b", 1) + "- {name: ../x}", []string{
			`m.yaml:4: registry "prod/../b": write a host and a lower-case path, such as eu.gcr.io/project`,
			`m.yaml:6: image "../x": write a lower-case path below the registry, such as addons/proxy`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, problems := promote.Parse("m.yaml", []byte(expand(c.text)))
			if diff := cmp.Diff(c.want, lines(problems)); diff != "" {
				t.Errorf("want -, have +:\n%s", diff)
			}
		})
	}
}

func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()
	text := one + "- name: x\n  dmap:\n    D0: &t [" + strings.Repeat("v, ", 5000) + "v]\n"
	for i := range 500 {
		text += fmt.Sprintf("    \"sha256:%064d\": *t\n", i+1)
	}
	_, problems := promote.Parse("m.yaml", []byte(expand(text)))
	failures, _ := strict.Split(problems)
	if len(failures) != 1 || !strings.Contains(failures[0].Message, "without aliases") {
		t.Errorf("%v", failures)
	}
}

const thinRegistries = "registries:\n- name: stage/a\n  src: true\n- name: prod/b\n"

func tree(files ...string) fstest.MapFS {
	fs := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		fs[files[i]] = &fstest.MapFile{Data: []byte(expand(files[i+1]))}
	}
	return fs
}

func TestReadThin(t *testing.T) {
	t.Parallel()
	fs := tree(
		"r/manifests/p2/promoter-manifest.yaml", "imagesPath: ../x\n"+thinRegistries,
		"r/images/p2/images.yaml", "- name: x\n  dmap:\n    \"D1\": [\"v1\"]\n",
		"r/manifests/p1/promoter-manifest.yaml", thinRegistries,
		"r/images/p1/images.yaml", "",
		"r/images/p1/OWNERS", "approvers: []",
		"r/manifests/README.md", "# Manifests",
		"r/images/p3/images.yaml", "[]",
	)
	manifests, problems := promote.Read(fs, ".", "top")
	want := []promote.Manifest{
		{File: "top/r/manifests/p1/promoter-manifest.yaml", ImagesFile: "top/r/images/p1/images.yaml", Project: "p1", Images: []promote.Image{},
			Registries: []promote.Registry{{Name: "stage/a", Source: true, Line: 2}, {Name: "prod/b", Line: 4}}},
		{File: "top/r/manifests/p2/promoter-manifest.yaml", ImagesFile: "top/r/images/p2/images.yaml", Project: "p2",
			Registries: []promote.Registry{{Name: "stage/a", Source: true, Line: 3}, {Name: "prod/b", Line: 5}},
			Images:     []promote.Image{{Name: "x", Line: 1, Entries: []promote.Entry{{Digest: d("1"), Tags: []string{"v1"}, Line: 3}}}}},
	}
	if diff := cmp.Diff(want, manifests); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"top/r/images/p3/images.yaml: warning: nothing promotes these images: there is no manifests/p3/promoter-manifest.yaml"}, lines(problems)); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	single, problems := promote.Read(fs, "r/manifests/p2/promoter-manifest.yaml", "top")
	if diff := cmp.Diff(want[1:], single); diff != "" || len(problems) > 0 {
		t.Errorf("%v; want -, have +:\n%s", problems, diff)
	}
}

func TestReadThinFindsEverythingWrong(t *testing.T) {
	t.Parallel()
	fs := tree(
		"manifests/p1/promoter-manifest.yaml", thinRegistries+"- name: other\n  src: true\nimages: []\n",
		"images/p1/images.yaml", "- name: x\n  dmap:\n    \"sha256:zz\": [\"v1\", \"v:1\"]\n  extra: 1\n",
		"manifests/p2/promoter-manifest.yaml", "registries: [\n",
		"manifests/deep/p3/promoter-manifest.yaml", thinRegistries,
	)
	_, problems := promote.Read(fs, ".", "")
	want := []string{
		"images/p1/images.yaml:3: warning: \"sha256:zz\" is not a digest: write sha256: and 64 lower-case hex digits; this entry is refused",
		"images/p1/images.yaml:3: warning: \"v:1\" is not a tag: write at most 128 letters, digits, _, . and -, the first no . or -; this entry is refused",
		"images/p1/images.yaml:4: unknown field \"extra\": remove it, or write one of name, dmap",
		"images/p2/images.yaml: there is no such file or folder",
		"manifests/deep/p3/promoter-manifest.yaml: a promoter-manifest.yaml is read at manifests/PROJECT/promoter-manifest.yaml only: move it there",
		"manifests/p1/promoter-manifest.yaml:6: a second registry is the source: stage/a on line 2 is one already; images come from one registry",
		"manifests/p1/promoter-manifest.yaml:7: a thin manifest lists its images in images/p1/images.yaml: move them there",
		"manifests/p2/promoter-manifest.yaml:2: not YAML: did not find expected node content (look at this line and the next for indentation, a missing colon or an unclosed quote)",
	}
	if diff := cmp.Diff(want, lines(problems)); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
}

func TestReadWhatIsNoManifest(t *testing.T) {
	t.Parallel()
	fs := tree("a/manifests/p/promoter-manifest.yaml", "", "b/manifests/p/promoter-manifest.yaml", "", "none/x", "", "m.yaml", "registries: []")
	for name, want := range map[string]string{
		"missing": "top/missing: there is no such file or folder",
		"none":    "top/none: no thin manifests here: a folder of them holds manifests/PROJECT/promoter-manifest.yaml and images/PROJECT/images.yaml",
		".":       "top: several folders of thin manifests are below: name one of a, b",
		"m.yaml":  "top/m.yaml: warning: no images: nothing is promoted",
	} {
		if _, problems := promote.Read(fs, name, "top"); !slices.Contains(lines(problems), want) {
			t.Errorf("%s: %v", name, lines(problems))
		}
	}
}
