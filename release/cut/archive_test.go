package cut_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release/cut"
)

// Logs of stage and cut, the record of the stage and the source are kept, also of
// a project that does not publish its source.
func TestArchive(t *testing.T) {
	t.Parallel()
	for name, publishes := range map[string]bool{"source is published": true, "source is not published": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			o := p.options(&flow.Memory{})
			o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
				c := project()
				c.Build.Source = publishes
				return c, nil
			}
			s := newService(t, o)
			run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Actor: "ada"})
			must(t, err)
			drive(t, s, run.ID, flow.Succeeded)
			kept := tree(t, filepath.Join(p.dir, "bucket", "archive", "harbour", "halyard", "v0.1.0-rc.0-"+run.ID), func(path string) bool { return strings.HasSuffix(path, ".attrs") })
			for file, has := range map[string]string{
				"journal.jsonl": `"Flow":"cut"`, "stage-journal.jsonl": `"Flow":"stage"`, "stage.json": `"build_version"`, "halyard_0.1.0-rc.0_source.tar.gz": "\x1f\x8b",
			} {
				if !strings.Contains(kept[file], has) {
					t.Errorf("%s is %.80q", file, kept[file])
				}
			}
			if !strings.Contains(kept["journal.jsonl"], `"Step":"markers","Kind":"done"`) || !strings.Contains(kept["stage-journal.jsonl"], "tag v0.1.0-rc.0 is object") {
				t.Error("the logs are not whole")
			}
			if len(kept) != 4 {
				t.Errorf("%d files are kept", len(kept))
			}
			// What is private stays out of the release.
			for file := range tree(t, filepath.Join(p.dir, "bucket", "release"), func(string) bool { return false }) {
				if strings.Contains(file, "journal") || strings.Contains(file, "_source") != (publishes && strings.Contains(file, "_source")) {
					t.Errorf("%s is public", file)
				}
			}
		})
	}
}
