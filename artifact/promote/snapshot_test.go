package promote_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
	"seaworthy/strict"
)

func TestSnapshot(t *testing.T) {
	t.Parallel()
	m := []promote.Manifest{
		parse(t, "a", "registries: [{name: s, src: true}, {name: us/prod}, {name: eu/prod}]\nimages:\n- name: x\n  dmap:\n    D2: [v10, v9]\n    D1: []\n"),
		parse(t, "b", "registries: [{name: s, src: true}, {name: us/prod/sub}]\nimages:\n- name: y\n  dmap:\n    D3: [v1]\n"),
		parse(t, "c", "registries: [{name: s, src: true}, {name: us/production}]\nimages:\n- name: z\n  dmap:\n    D3: [v1]\n"),
	}
	snapshot := promote.Snapshot(m, "us/prod/")
	const want = "- name: sub/y\n  dmap:\n    \"D3\": [\"v1\"]\n- name: x\n  dmap:\n    \"D1\": []\n    \"D2\": [\"v9\", \"v10\"]\n"
	if diff := cmp.Diff(want, shorten(string(promote.RenderImages(snapshot)))); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	const csv = "sub/y@D3,sub/y:v1\nx@D1,\nx@D2,x:v9\nx@D2,x:v10\n"
	if diff := cmp.Diff(csv, shorten(string(promote.RenderImagesCSV(snapshot)))); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	again, problems := promote.ParseImages("f", promote.RenderImages(snapshot))
	for i := range again {
		again[i].Line = 0
		for j := range again[i].Entries {
			again[i].Entries[j].Line = 0
		}
	}
	if diff := cmp.Diff(snapshot, again); diff != "" || len(problems) > 0 {
		t.Errorf("%v; want -, have +:\n%s", problems, diff)
	}
	if text := promote.RenderImages(promote.Snapshot(m, "nowhere")); string(text) != "[]\n" {
		t.Errorf("%s", text)
	}
}

func TestRenderFiles(t *testing.T) {
	t.Parallel()
	var files []promote.File
	for _, n := range []string{"v1/app.tar.gz", "it's odd", "#1", "true", "-", "1.0", "a: b", "é", "null", "b\"c", "x+y"} {
		files = append(files, promote.File{Name: n, Digest: d("a")})
	}
	files = append(files, promote.File{Name: "digits", Digest: d("1")}, promote.File{Name: "exponent", Digest: "sha256:1e" + d("2")[len("sha256:")+2:]})
	text := promote.RenderFiles(files)
	read, problems := promote.ParseFiles("f", text)
	if err := strict.AsError(problems); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if len(read) != len(files) || !slices.IsSortedFunc(read, func(a, b promote.File) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("%v", read)
	}
	have := map[string]artifact.Digest{}
	for _, f := range read {
		have[f.Name] = f.Digest
	}
	for _, f := range files {
		if have[f.Name] != f.Digest {
			t.Errorf("%q became %q", f.Name, have[f.Name])
		}
	}
	if none := promote.RenderFiles(nil); string(none) != "files: []\n" {
		t.Errorf("%s", none)
	}
}
