package cut_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

func TestStageThenRehearseThenCut(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	build := staged(t, s, stageRC())
	if !strings.HasPrefix(build, "v0.1.0-rc.0+") {
		t.Fatalf("staged %s", build)
	}
	for _, mock := range []bool{true, false} {
		run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Mock: mock, Actor: "ada"})
		must(t, err)
		drive(t, s, run.ID, flow.Succeeded)
		if mock {
			if log := p.forge.done(); len(log) != 0 {
				t.Errorf("the rehearsal did %v at the forge", log)
			}
			if _, err := os.Stat(filepath.Join(p.dir, "origin.git", "pushes.log")); err == nil {
				t.Error("the rehearsal pushed")
			}
			if _, err := os.Stat(filepath.Join(p.dir, "bucket", "release")); err == nil {
				t.Error("the rehearsal published")
			}
		}
	}
	checkPublished(t, p)
}

// checkPublished looks at everything the release should have left.
func checkPublished(t *testing.T, p *place) {
	t.Helper()
	const folder = "release/harbour/halyard/"
	files := tree(t, filepath.Join(p.dir, "bucket"), func(path string) bool {
		return !strings.HasPrefix(path, folder) || strings.HasSuffix(path, ".attrs")
	})
	for name, want := range map[string]string{"latest.txt": "v0.1.0-rc.0", "latest-0.txt": "v0.1.0-rc.0", "latest-0.1.txt": "v0.1.0-rc.0"} {
		if got := files[folder+name]; got != want {
			t.Errorf("marker %s is %q, want %q", name, got, want)
		}
	}
	if _, ok := files[folder+"stable.txt"]; ok {
		t.Error("a candidate raised stable.txt")
	}
	manifest, err := artifact.DecodeManifest([]byte(files[folder+"v0.1.0-rc.0/manifest.json"]))
	must(t, err)
	for _, a := range manifest.Artifacts {
		content, ok := files[folder+"v0.1.0-rc.0/"+a.Name]
		if err := a.Verify(strings.NewReader(content)); !ok || err != nil {
			t.Errorf("%s: there is %v, %v", a.Name, ok, err)
		}
	}
	for _, name := range []string{"halyard_0.1.0-rc.0_linux_amd64.tar.gz", "halyard_0.1.0-rc.0_linux_amd64.tar.gz.sha256",
		"halyard_0.1.0-rc.0_windows_amd64.zip", "halyard_0.1.0-rc.0_source.tar.gz", "SHA512SUMS", "announcement.md", "announcement.txt", "release-notes.json"} {
		if files[folder+"v0.1.0-rc.0/"+name] == "" {
			t.Errorf("%s is not published", name)
		}
	}
	if _, ok := files[folder+"v0.1.0-rc.0/stage.json"]; ok {
		t.Error("stage.json is published")
	}
	if notes := files[folder+"v0.1.0-rc.0/release-notes.md"]; !strings.Contains(notes, "Hoist faster") || strings.Contains(notes, "Begin") {
		t.Errorf("the notes are\n%s", notes)
	}
	checkForge(t, p, manifest.Commit)
	left, err := os.ReadDir(filepath.Join(p.dir, "work"))
	if err != nil || len(left) != 0 {
		t.Errorf("the work folder holds %v, %v", left, err)
	}
}

// checkForge looks at tags, changelogs and the page.
func checkForge(t *testing.T, p *place, commit string) {
	t.Helper()
	repo, err := git.Open(t.Context(), filepath.Join(p.dir, "origin.git"))
	must(t, err)
	for _, tag := range []string{"v0.1.0-rc.0", "v0.2.0-alpha.0"} {
		if sha, err := repo.Resolve(t.Context(), "refs/tags/"+tag); err != nil || sha != commit {
			t.Errorf("tag %s is at %s, %v; want %s", tag, sha, err, commit)
		}
	}
	for _, branch := range []string{"main", "release-0.1"} {
		text, err := repo.Show(t.Context(), "refs/heads/"+branch, "CHANGELOG/CHANGELOG-0.1.md")
		if err != nil || !strings.Contains(string(text), "# v0.1.0-rc.0\n") {
			t.Errorf("the changelog on %s is %q, %v", branch, text, err)
		}
	}

	pages, err := p.forge.Releases(t.Context(), halyard)
	must(t, err)
	if len(pages) != 1 || pages[0].Draft || !pages[0].Prerelease || pages[0].Tag != "v0.1.0-rc.0" || len(pages[0].Assets) != 11 {
		t.Errorf("the pages are %+v", pages)
	}
	if log := p.forge.done(); len(log) == 0 || log[0] != "branch release-0.1" || log[len(log)-1] != "draft false" {
		t.Errorf("the forge was asked for %v", log)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	t.Parallel()
	var trees []map[string]string
	for range 2 {
		p := newPlace(t)
		o := p.options(&flow.Memory{})
		o.NewID = func(name string) string { return name + "-1" } // which the provenance holds
		s := newService(t, o)
		run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Actor: "ada"})
		must(t, err)
		drive(t, s, run.ID, flow.Succeeded)
		trees = append(trees, tree(t, filepath.Join(p.dir, "bucket"), isJournal))
	}
	if diff := cmp.Diff(trees[0], trees[1]); diff != "" {
		t.Error(diff)
	}
}

// What a process wrote when it died is not published: a bucket on disk writes
// beside the file.
func TestHalfWrittenFilesAreSwept(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	bucket := filepath.Join(p.dir, "bucket")
	leave := func(folder, name string) {
		must(t, os.MkdirAll(filepath.Join(bucket, folder), 0o755))
		must(t, os.WriteFile(filepath.Join(bucket, folder, name+".18ea88874b3dbf8b.tmp"), nil, 0o644))
	}
	plan, err := s.Plan(t.Context(), stageRC())
	must(t, err)
	leave("stage/harbour/halyard/"+plan.BuildVersion, "SHA512SUMS")
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Actor: "ada"})
	must(t, err)
	leave("release/harbour/halyard/"+plan.Version().String(), "SHA512SUMS")
	for _, marker := range release.MarkerNames(plan.Version()) {
		leave("release/harbour/halyard", release.Marker{Name: marker}.File())
	}
	drive(t, s, run.ID, flow.Succeeded)
	for name := range tree(t, bucket, isJournal) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left", name)
		}
	}
}

// isJournal tells the private archives, which hold attempts and times, from
// what must be the same bytes.
func isJournal(path string) bool { return strings.Contains(path, "archive/") }

func TestPlanNamesTheSteps(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	plan, err := s.Plan(t.Context(), stageRC())
	must(t, err)
	if fmt.Sprint(plan.Versions) != "[v0.1.0-rc.0 v0.2.0-alpha.0]" || !plan.CreateBranch || plan.Previous != "v0.1.0-alpha.0" {
		t.Errorf("the plan is %+v", plan)
	}
	var names []string
	for _, step := range s.Definitions()[1].Steps() {
		names = append(names, step.Name)
	}
	want := []string{"options", "staged", "issue", "provenance", "gates", "sign-offs", "approve", "conflicts", "branch", "announcement", "key", "promote", "images", "tag",
		"changelog", "page-draft", "page-assets", "page-verify", "page-publish", "announce", "markers", "archive",
		"mail", "after-milestones", "after-issues", "after-changes", "issue-close"}
	if !slices.Equal(names, want) {
		t.Errorf("the steps of a cut are %v", names)
	}
}
