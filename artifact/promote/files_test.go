package promote_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact/promote"
	"seaworthy/strict"
)

const stores = "filestores:\n- base: gs://staging/app/\n  src: true\n- base: s3://prod/app\n  service-account: a@b\n"

func sums(digits ...string) string {
	text := "files:\n"
	for i := 0; i < len(digits); i += 2 {
		text += "- name: " + digits[i] + "\n  sha256: " + strings.Repeat(digits[i+1], 64) + "\n"
	}
	return text
}

func TestReadFiles(t *testing.T) {
	t.Parallel()
	fs := tree("p/filestores/app/filepromoter-manifest.yaml", stores, "p/manifests/app/v1.yaml", sums("v1/app.tar.gz", "1"), "p/manifests/app/v2.yaml", sums("v2/app.tar.gz", "2", "v1/app.tar.gz", "1"),
		"p/manifests/app/OWNERS", "x")
	manifests, problems := promote.ReadFiles(fs, "p", "top")
	if diff := cmp.Diff([]string{"top/p/manifests/app/v2.yaml:4: warning: file v1/app.tar.gz is listed at top/p/manifests/app/v1.yaml:2 already"}, lines(problems)); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	want := []promote.FileManifest{{
		File: "top/p/filestores/app/filepromoter-manifest.yaml", Project: "app",
		Filestores: []promote.Filestore{{Base: "gs://staging/app", Source: true, Line: 2}, {Base: "s3://prod/app", ServiceAccount: "a@b", Line: 4}},
		Files: []promote.File{{Name: "v1/app.tar.gz", Digest: d("1"), Manifest: "top/p/manifests/app/v1.yaml", Line: 2},
			{Name: "v2/app.tar.gz", Digest: d("2"), Manifest: "top/p/manifests/app/v2.yaml", Line: 2}},
	}}
	if diff := cmp.Diff(want, manifests); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	if m := manifests[0]; m.Source().Base != "gs://staging/app" || len(m.Destinations()) != 1 || m.Destinations()[0].Base != "s3://prod/app" {
		t.Errorf("from %v to %v", m.Source(), m.Destinations())
	}
	single, problems := promote.ReadFilePair(fs, "p/filestores/app/filepromoter-manifest.yaml", "p/manifests/app/v1.yaml", "")
	if len(problems) > 0 || len(single.Files) != 1 {
		t.Errorf("%v: %v", problems, single)
	}
}

func TestReadFilesFindsEverythingWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, stores, files string
		want                []string
	}{
		{"filestores", "filestores:\n- base: prod\n- base: gs://u:secret@b\n- base: gs://a/../b\n- src: yes\n- base: gs://x\n  src: true\n- base: gs://x\nextra: 1\n", sums("a", "1"), []string{
			`f:2: base "prod": write the address of a bucket, such as gs://bucket/releases`,
			`f:3: a base holds a name or password: take them out; credentials come from the environment`,
			`f:4: base "gs://a/../b": write the path without ..`,
			`f:5: a filestore without a base: write base: gs://BUCKET/PATH`,
			`f:7: a second filestore is the source:  on line 5 is one already; files come from one`,
			`f:8: gs://x stands on line 6 already`,
			`f:9: unknown field "extra": remove it, or write one of filestores`,
		}},
		{"no source", "filestores: [{base: gs://a}]", sums("a", "1"), []string{"f:1: no filestore is the source: write src: true with the one that files come from"}},
		{"none", "filestores: []", sums("a", "1"), []string{"f:1: no filestores: list where files come from, with src: true, and where they go"}},
		{"no destination", "filestores: [{base: gs://a, src: true}]", sums("a", "1"), []string{"f:1: warning: no filestore to promote to"}},
		{"not YAML", "filestores: [", sums("a", "1"), []string{"f:2: not YAML: did not find expected node content (look at this line and the next for indentation, a missing colon or an unclosed quote)"}},
		{"names", stores, sums("../a", "1", "/b", "2", "c//d", "3", "e/./f", "4", `g\h`, "5", `"i\tj"`, "6", `""`, "7"), []string{
			`l:2: file "../a": write a path below the filestore, with single slashes, and neither . nor .. in it`,
			`l:4: file "/b": write a path below the filestore, with single slashes, and neither . nor .. in it`,
			`l:6: file "c//d": write a path below the filestore, with single slashes, and neither . nor .. in it`,
			`l:8: file "e/./f": write a path below the filestore, with single slashes, and neither . nor .. in it`,
			`l:10: file "g\\h": write a path below the filestore, with single slashes, and neither . nor .. in it`,
			`l:12: file "i\tj": a name holds no control characters`,
			`l:14: a file without a name: write name: PATH`,
		}},
		{"sums", stores, "files:\n- name: a\n  sha256: 12\n- name: b\n  sha25: x\n", []string{
			`l:3: file a: "12" is not a sha256: write 64 lower-case hex digits`,
			`l:4: file b: "" is not a sha256: write 64 lower-case hex digits`,
			`l:5: unknown field "sha25": write sha256`,
		}},
		{"one name, two sums", stores, sums("a", "1", "a", "2"), []string{"l:4: file a is listed at l:2 with another sha256: keep one"}},
		{"no files", stores, "files: []", []string{"l: warning: no files: nothing is promoted"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, problems := promote.ReadFilePair(tree("f", c.stores, "l", c.files), "f", "l", "")
			if diff := cmp.Diff(c.want, lines(problems)); diff != "" {
				t.Errorf("want -, have +:\n%s", diff)
			}
		})
	}
	for name, want := range map[string]string{"nowhere": "nowhere/filestores: there is no such file or folder", "empty": "empty/filestores: no file promotions here: a folder of them holds filestores/PROJECT/filepromoter-manifest.yaml and manifests/PROJECT/*.yaml",
		"half": "half/manifests/p: there is no such file or folder"} {
		_, problems := promote.ReadFiles(tree("empty/filestores/x", "", "half/filestores/p/filepromoter-manifest.yaml", stores), name, "")
		if diff := cmp.Diff([]string{want}, lines(problems)); diff != "" {
			t.Errorf("want -, have +:\n%s", diff)
		}
	}
}

func FuzzParseFiles(f *testing.F) {
	f.Add(stores, sums("a", "1"))
	f.Add("filestores: []", "files: [{name: ../x, sha256: 1}]")
	f.Fuzz(func(t *testing.T, filestores, files string) {
		m, problems := promote.ReadFilePair(tree("f", filestores, "l", files), "f", "l", "")
		if strict.AsError(problems) != nil {
			return
		}
		for _, file := range m.Files {
			if promote.CheckFileName(file.Name) != nil || promote.CheckDigest(file.Digest) != nil {
				t.Errorf("%q with %q was let through", file.Name, file.Digest)
			}
		}
	})
}
