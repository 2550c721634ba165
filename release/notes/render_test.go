package notes

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func note(n int, text string, kinds []string, sigs ...string) Note {
	note := Note{Commit: strings.Repeat("a", 40), Text: text, Author: "ada", AuthorURL: "https://forge.example/ada",
		PRNumber: n, PRURL: "https://forge.example/harbour/halyard/pull/7", Kinds: kinds, SIGs: sigs}
	note.complete()
	return note
}

func kinds(k ...string) []string { return k }

func sampleNotes() Notes {
	urgent := note(9, "Move your data before you upgrade.\n\nRun `halyard migrate`.", kinds("bug", "feature"), "storage")
	urgent.ActionRequired = true
	secret := note(10, "Never shown.", kinds("bug"))
	secret.DoNotPublish = true
	return Notes{PullRequests: 11, Notes: []Note{
		note(1, "zulu feature", kinds("feature"), "node", "cli", "api-machinery"),
		note(2, "alpha feature", kinds("feature")),
		note(3, "fixed by bug", kinds("bug", "cleanup")),
		note(4, "fixed by regression", kinds("regression")),
		note(5, "flake", kinds("flake")),
		note(6, "no kind", nil),
		note(7, "faster", kinds("performance-gain"), "release"),
		note(8, "old flag goes", kinds("feature", "deprecation")),
		urgent, secret,
		note(11, "new field `a` (alpha)\n- one\n- two", kinds("api-change", "feature")),
	}, Subjects: []Subject{{Commit: strings.Repeat("b", 40), Text: "Fix <typo> in *docs* [skip ci]", Author: "Cho _C_"}}}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	golden(t, "notes.md", []byte(sampleNotes().Markdown(Render{})))
	golden(t, "notes-links.md", []byte(sampleNotes().Markdown(Render{Links: true, Level: 1})))
	if got := (Notes{}).Markdown(Render{}); got != "Nothing in this release asks for a note.\n" {
		t.Errorf("no notes are %q", got)
	}
	if strings.Contains(sampleNotes().Markdown(Render{}), "Never shown") {
		t.Error("an unpublished note was published")
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	var got []string
	for _, g := range Groups(sampleNotes().Notes) {
		line := g.Title + ":"
		for _, n := range g.Notes {
			line += " " + strings.Fields(n.Text)[0]
		}
		got = append(got, line)
	}
	want := []string{"Deprecation: old", "API Change: new", "Feature: alpha zulu", "Bug or Regression: fixed fixed",
		"Other (Cleanup or Flake): flake", "Performance Gain: faster", "Uncategorized: no"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if urgent := Urgent(sampleNotes().Notes); len(urgent) != 1 || urgent[0].PRNumber != 9 {
		t.Errorf("urgent: %+v", urgent)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		sigs []string
		want string
	}{
		{"added a", nil, "Added a (#1, @ada)"},
		{"Added a", []string{"node"}, "Added a (#1, @ada) [SIG Node]"},
		{"a", []string{"ui", "cli"}, "A (#1, @ada) [SIG CLI and UI]"},
		{"a", []string{"cluster-lifecycle", "auth", "k8s-infra"}, "A (#1, @ada) [SIG Auth, Cluster Lifecycle and K8S Infra]"},
		{"hack/build.sh works", nil, "hack/build.sh works (#1, @ada)"},
		{"--flag is gone", nil, "--flag is gone (#1, @ada)"},
		{"`code` first", nil, "`code` first (#1, @ada)"},
		{"kube-proxy: better", nil, "Kube-proxy: better (#1, @ada)"},
		{"kubeAPI is", nil, "kubeAPI is (#1, @ada)"},
		{"metric_total is", nil, "metric_total is (#1, @ada)"},
		{"éclair", nil, "Éclair (#1, @ada)"},
		{"one\ntwo", nil, "One\n  two (#1, @ada)"},
		{"", nil, " (#1, @ada)"},
	} {
		if got := note(1, tc.text, nil, tc.sigs...).line(false); got != tc.want {
			t.Errorf("%q is %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	list := sampleNotes().Notes
	list[0].Documentation = []Doc{{Description: "[KEP]", URL: "https://kep.k8s.io/1", Type: DocKEP}}
	list[0].Areas = []string{"cli"}
	list[0].Mapped, list[0].PRBody = true, "body"
	data, err := EncodeJSON(list)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "notes.json", data)
	again, err := DecodeJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, again); diff != "" {
		t.Error(diff)
	}
	if _, err := EncodeJSON(append(list, list[0])); err == nil || !strings.Contains(err.Error(), "two notes") {
		t.Errorf("two notes of one pull request: %v", err)
	}
	for name, in := range map[string]string{
		"unknown field": `{"1":{"pr_number":1,"colour":"red"}}`,
		"holds pull":    `{"1":{"pr_number":2}}`,
		"follows":       `{} {}`,
		"unexpected":    `{"1":`,
		"cannot":        `[]`,
	} {
		if _, err := DecodeJSON([]byte(in)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	data, err := EncodeJSON(sampleNotes().Notes)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := DecodeJSON(data)
		if err != nil {
			return
		}
		once, err := EncodeJSON(list)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeJSON(once); err != nil {
			t.Fatal(err)
		}
		_ = Notes{Notes: list}.Markdown(Render{Links: true})
	})
}

func sampleSection(t *testing.T, version, previous string) Section {
	t.Helper()
	var files []artifact.Artifact
	for _, f := range []struct {
		name string
		kind artifact.Kind
	}{{"halyard_1.2.0_linux_arm64.tar.gz", artifact.Archive}, {"halyard_1.2.0_darwin_arm64.tar.gz", artifact.Archive}, {"halyard_1.2.0_source.tar.gz", artifact.Source}, {"SHA256SUMS", artifact.Checksums}} {
		a, err := artifact.Measure(f.name, f.kind, strings.NewReader(f.name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, a)
	}
	return Section{Version: version, Previous: previous, DownloadURL: "https://dl.example/release/harbour/halyard/" + version + "/", Artifacts: files, Notes: sampleNotes()}
}

func TestSection(t *testing.T) {
	t.Parallel()
	golden(t, "section.md", []byte(sampleSection(t, "v1.2.0", "v1.1.0").Markdown()))
	bare := Section{Version: "v0.1.0", Artifacts: sampleSection(t, "v0.1.0", "").Artifacts[:1]}.Markdown()
	for _, part := range []string{"# v0.1.0\n", "\nhalyard_1.2.0_linux_arm64.tar.gz | `", "## Changelog\n", "Nothing in this release"} {
		if !strings.Contains(bare, part) {
			t.Errorf("%q is missing in\n%s", part, bare)
		}
	}
	if empty := (Section{Version: "v0.1.0"}).Markdown(); strings.Contains(empty, "Downloads") {
		t.Errorf("downloads without files:\n%s", empty)
	}
}
