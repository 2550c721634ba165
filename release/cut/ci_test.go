package cut_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// ciFolder holds the builds of the repository between releases.
const ciFolder = "ci/harbour/halyard"

// pushed drives a build and returns what is in the bucket.
func pushed(t *testing.T, s *cut.Service, r cut.CIRequest) cut.CIBuild {
	t.Helper()
	r.Repo, r.Actor = halyard, "ada"
	run, err := s.CI(t.Context(), r)
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)
	b, known, err := s.CIResult(t.Context(), run.ID)
	if err != nil || !known {
		t.Fatalf("no result of the build: %v", err)
	}
	return b
}

// isAttributes tells what a bucket in a folder keeps of its files.
func isAttributes(name string) bool { return strings.HasSuffix(name, ".attrs") }

// refused drives a build to its failure and returns that.
func refused(t *testing.T, s *cut.Service, r cut.CIRequest) string {
	t.Helper()
	r.Repo, r.Actor = halyard, "ada"
	run, err := s.CI(t.Context(), r)
	if err != nil {
		return err.Error()
	}
	state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
	if err == nil || state != flow.Failed {
		t.Fatalf("the build is %s: %v", state, err)
	}
	return err.Error()
}

// commits lists the commits of main, the newest first.
func (p *place) commits(t *testing.T) []string {
	t.Helper()
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	log, err := repo.Log(t.Context(), "main", git.LogOptions{})
	must(t, err)
	var ids []string
	for _, c := range log {
		ids = append(ids, c.SHA)
	}
	return ids
}

// holds wants the bucket's markers to be these, NAME=VALUE.
func (p *place) holds(t *testing.T, folder string, want map[string]string) {
	t.Helper()
	for name, value := range want {
		have, err := os.ReadFile(filepath.Join(p.dir, "bucket", folder, name+".txt"))
		if err != nil && !errors.Is(err, os.ErrNotExist) || string(have) != value {
			t.Errorf("%s.txt holds %q, want %q (%v)", name, have, value, err)
		}
	}
}

func TestCIBuild(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	ids := p.commits(t)
	version := "v0.1.0-alpha.0.2+" + ids[0][:14]

	// A rehearsal leaves nothing but a rehearsal.
	if b := pushed(t, s, cut.CIRequest{Mock: true}); b.Version != version || b.Prefix != "mock/"+ciFolder+"/"+version {
		t.Errorf("rehearsed: %+v", b)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "bucket", "ci")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a rehearsal made ci/: %v", err)
	}

	b := pushed(t, s, cut.CIRequest{Markers: []string{"k8s-master"}})
	if b.Version != version || b.Prefix != ciFolder+"/"+version {
		t.Fatalf("pushed: %+v", b)
	}
	files := tree(t, filepath.Join(p.dir, "bucket", b.Prefix), isAttributes)
	if len(files) != b.Files+1 || len(files) != 6 { // two archives, the source, two sums, the manifest
		t.Errorf("%d files: %v", len(files), b)
	}
	m, err := artifact.DecodeManifest([]byte(files[artifact.ManifestFile]))
	if err != nil || m.Commit != ids[0] || m.Version != version {
		t.Errorf("manifest %+v, %v", m, err)
	}
	sums, err := artifact.ParseChecksums(artifact.SHA256, []byte(files["SHA256SUMS"]))
	if err != nil || len(sums) != 3 {
		t.Errorf("sums %v, %v", sums, err)
	}
	p.holds(t, ciFolder, map[string]string{"latest": version, "latest-0": version, "latest-0.1": version, "k8s-master": version, "latest-fast": "", "stable": ""})

	// The same again is refused, or changes nothing.
	if why := refused(t, s, cut.CIRequest{}); !strings.Contains(why, "is there already") || !strings.Contains(why, "--allow-dup") {
		t.Error(why)
	}
	pushed(t, s, cut.CIRequest{AllowDuplicate: true})
	again := tree(t, filepath.Join(p.dir, "bucket", b.Prefix), isAttributes)
	for name, content := range files {
		if again[name] != content {
			t.Errorf("%s changed", name)
		}
	}

	// An earlier commit is built, and lowers nothing.
	older := pushed(t, s, cut.CIRequest{Commit: ids[1], Markers: []string{"k8s-beta"}})
	if older.Version != "v0.1.0-alpha.0.1+"+ids[1][:14] {
		t.Errorf("the earlier commit is %s", older.Version)
	}
	p.holds(t, ciFolder, map[string]string{"latest": version, "latest-0.1": version, "k8s-master": version, "k8s-beta": older.Version})

	history, err := s.History(t.Context(), halyard, 1)
	if err != nil || len(history) != 1 || history[0].Version != older.Version || history[0].Run.Flow != "ci" {
		t.Errorf("history %+v, %v", history, err)
	}
}

func TestCIBuildFast(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	b := pushed(t, s, cut.CIRequest{Fast: true, Suffix: "ada", Root: "devel/x"})
	if !strings.HasSuffix(b.Version, "-ada") || !strings.HasPrefix(b.Prefix, "devel/x/harbour/halyard/") {
		t.Errorf("%+v", b)
	}
	for name := range tree(t, filepath.Join(p.dir, "bucket", b.Prefix), isAttributes) {
		if strings.Contains(name, "windows") {
			t.Errorf("a fast build made %s", name)
		}
	}
	p.holds(t, "devel/x/harbour/halyard", map[string]string{"latest-fast": b.Version, "latest": ""})
	b = pushed(t, s, cut.CIRequest{NoMarkers: true})
	p.holds(t, ciFolder, map[string]string{"latest": ""})
	if b.Version == "" {
		t.Error("nothing was built")
	}
}

// Two pushes at once, over and over: the later build wins whoever writes last.
func TestCIMarkersNeverFall(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	ids := p.commits(t)
	for round := range 5 {
		var both sync.WaitGroup
		errs := make([]error, 2)
		for i := range 2 {
			both.Go(func() {
				run, err := s.CI(t.Context(), cut.CIRequest{Repo: halyard, Commit: ids[i], Suffix: fmt.Sprintf("r%d", round), Root: fmt.Sprintf("ci/%d", round), BuildDir: filepath.Join(p.dir, "origin.git"), Actor: "ada"})
				if err == nil {
					_, err = s.Drive(t.Context(), run.ID, flow.DriveOptions{})
				}
				errs[i] = err
			})
		}
		both.Wait()
		must(t, errors.Join(errs...))
		p.holds(t, fmt.Sprintf("ci/%d/harbour/halyard", round), map[string]string{"latest": fmt.Sprintf("v0.1.0-alpha.0.2+%s-r%d", ids[0][:14], round)})
	}
}

func TestCIBuildOfAFolderToAnotherBucket(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dist := filepath.Join(p.dir, "dist")
	must(t, os.MkdirAll(filepath.Join(dist, "folder"), 0o755))
	must(t, os.WriteFile(filepath.Join(dist, "halyard.tar.gz"), []byte("packed"), 0o644))
	must(t, os.WriteFile(filepath.Join(dist, "SHA256SUMS"), []byte("of something else"), 0o644))
	must(t, os.Symlink("/etc/passwd", filepath.Join(dist, "secrets")))
	other := filepath.Join(p.dir, "other")
	o := p.options(&flow.Memory{})
	o.OpenBucket = func(_ context.Context, address string) (*blob.Bucket, error) {
		if address != "file://"+other {
			return nil, fmt.Errorf("no bucket %s", address)
		}
		return fileblob.OpenBucket(other, &fileblob.Options{CreateDir: true})
	}
	s := newService(t, o)
	b := pushed(t, s, cut.CIRequest{BuildDir: dist, Bucket: "file://" + other})
	content, err := os.ReadFile(filepath.Join(other, b.Prefix, "halyard.tar.gz"))
	if err != nil || string(content) != "packed" || b.Files != 3 {
		t.Errorf("%+v: %q, %v", b, content, err)
	}
	if marker, err := os.ReadFile(filepath.Join(other, ciFolder, "latest.txt")); err != nil || string(marker) != b.Version {
		t.Errorf("marker %q, %v", marker, err)
	}
	if why := refused(t, s, cut.CIRequest{BuildDir: filepath.Join(dist, "folder")}); !strings.Contains(why, "there is no file") {
		t.Error(why)
	}
}

func TestCIBuildRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	must(t, os.MkdirAll(filepath.Join(p.dir, "bucket", ciFolder), 0o755))
	for _, tc := range []struct {
		r   cut.CIRequest
		why string
	}{
		{cut.CIRequest{Root: "release"}, "belongs to releases"},
		{cut.CIRequest{Root: "../up"}, "write a folder of the bucket"},
		{cut.CIRequest{Root: "ci//x"}, "write a folder of the bucket"},
		{cut.CIRequest{BuildDir: "dist"}, "write its whole path"},
		{cut.CIRequest{BuildDir: "/dist", Images: true}, "choose one of both"},
		{cut.CIRequest{Bucket: "s3://key:secret@bucket"}, "holds a password"},
		{cut.CIRequest{Bucket: "s3://bucket"}, "no other bucket"},
		{cut.CIRequest{Markers: []string{"../../latest"}}, "write a name such as"},
		{cut.CIRequest{Suffix: "a b"}, "suffix"},
		{cut.CIRequest{Branch: "release-9.9"}, "has no branch release-9.9"},
		{cut.CIRequest{Commit: "ffffffffffffffffffffffffffffffffffffffff"}, "ffffffff"},
	} {
		if why := refused(t, s, tc.r); !strings.Contains(why, tc.why) || strings.Contains(why, "secret") {
			t.Errorf("%+v: %s; want %q", tc.r, why, tc.why)
		}
	}
	// A marker that holds no version is not overwritten.
	must(t, os.WriteFile(filepath.Join(p.dir, "bucket", ciFolder, "latest.txt"), []byte("soon"), 0o644))
	if why := refused(t, s, cut.CIRequest{}); !strings.Contains(why, "latest.txt") {
		t.Error(why)
	}
	p.holds(t, ciFolder, map[string]string{"latest": "soon"})
}

// A policy of two versions per final release tags both, at one commit.
func TestTwoVersionsPerFinalRelease(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
		project := project()
		project.Policy.NextCandidate = true
		return project, nil
	}
	s := newService(t, o)
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	must(t, repo.UpdateRef(t.Context(), "refs/heads/release-0.1", p.commits(t)[0], git.ZeroSHA))
	build := staged(t, s, cut.StageRequest{Repo: halyard, Branch: "release-0.1", Kind: release.Official, Actor: "ada"})
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)
	refs, err := repo.Refs(t.Context(), "refs/tags")
	must(t, err)
	var tags []string
	for _, r := range refs {
		if r.Commit == p.commits(t)[2] || strings.HasSuffix(r.Name, "alpha.0") {
			continue
		}
		tags = append(tags, strings.TrimPrefix(r.Name, "refs/tags/"))
	}
	slices.Sort(tags)
	if strings.Join(tags, " ") != "v0.1.0 v0.1.1-rc.0" {
		t.Errorf("tags %v", tags)
	}
	p.holds(t, "release/harbour/halyard", map[string]string{"stable": "v0.1.0", "stable-0.1": "v0.1.0", "latest-0.1": "v0.1.0"})
	// What follows is told from the new tags.
	for kind, want := range map[release.Kind]string{release.RC: "v0.1.1-rc.1", release.Official: "v0.1.1"} {
		plan, err := s.Plan(t.Context(), cut.StageRequest{Repo: halyard, Branch: "release-0.1", Kind: kind})
		if err != nil || plan.Version().String() != want {
			t.Errorf("the next %s is %s, %v; want %s", kind, plan.Version(), err, want)
		}
	}
}

// TestCIKilledAnywhereAndResumed is TestKilledAnywhereAndResumed for builds
// between releases.
func TestCIKilledAnywhereAndResumed(t *testing.T) {
	t.Parallel()
	sc := undisturbed(t, "ci", newPlace(t).dir, "")
	if len(sc.points) < 50 {
		t.Fatalf("only %d points: %v", len(sc.points), sc.points)
	}
	for i, point := range sc.points {
		if testing.Short() && i%16 != 5 {
			continue
		}
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			sc.survives(t, point)
		})
	}
}
