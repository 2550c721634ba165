package app_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"seaworthy/app"
	"seaworthy/job/steps"
	"seaworthy/strict"
)

// cloudBuild is a build of a folder with these files.
func cloudBuild(t testing.TB, files map[string]string) (app.CloudBuild, *strings.Builder) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	log := &strings.Builder{}
	return app.CloudBuild{File: filepath.Join(dir, "cloudbuild.yaml"), Source: dir, Artifacts: filepath.Join(t.TempDir(), "kept"), Log: log,
		Now: func() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }}, log
}

func gitIn(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=Ada", "-c", "user.email=ada@harbour.test"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// Steps get what is tracked or not ignored, and leave the source alone.
func TestCloudBuildSource(t *testing.T) {
	t.Parallel()
	c, log := cloudBuild(t, map[string]string{
		"cloudbuild.yaml": "steps: [{name: bash, script: 'find . | sort; test -x run; readlink link; touch new; echo \"$TAG\"', env: [TAG=$_GIT_TAG]}]\nsubstitutions: {_GIT_TAG: none}\n",
		"run":             "#!/bin/sh\n", "deep/er/file": "", ".gitignore": "ignored\n", "ignored": "", "untracked": "",
	})
	if err := os.Chmod(filepath.Join(c.Source, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("run", filepath.Join(c.Source, "link")); err != nil {
		t.Fatal(err)
	}
	plain := c.Source
	built, err := app.RunCloudBuild(t.Context(), c)
	if err != nil || len(built) != 1 || built[0].State != steps.Succeeded || !strings.Contains(log.String(), "./ignored") {
		t.Fatalf("a plain folder: %+v, %v\n%s", built, err, log)
	}
	gitIn(t, plain, "init", "-q", "-b", "main")
	gitIn(t, plain, "add", "run", "link", "deep", ".gitignore", "cloudbuild.yaml")
	gitIn(t, plain, "commit", "-q", "-m", "Begin")
	gitIn(t, plain, "tag", "v1.0.0")
	log.Reset()
	if built, err = app.RunCloudBuild(t.Context(), c); err != nil || built[0].State != steps.Succeeded {
		t.Fatalf("a repository: %+v, %v\n%s", built, err, log)
	}
	for want, there := range map[string]bool{"./deep/er/file\n": true, "./untracked\n": true, "./ignored\n": false, "./.git\n": false, ": run\n": true, "v20261122-v1.0.0\n": true} {
		if strings.Contains(log.String(), want) != there {
			t.Errorf("%q: there is %v\n%s", want, !there, log)
		}
	}
	if _, err := os.Stat(filepath.Join(plain, "new")); err == nil {
		t.Error("a step wrote into the source")
	}
	log.Reset()
	c.GitFolder = true
	if built, err = app.RunCloudBuild(t.Context(), c); err != nil || built[0].State != steps.Succeeded || !strings.Contains(log.String(), "./.git/HEAD\n") {
		t.Errorf("with .git: %+v, %v", built, err)
	}
	write(t, plain, map[string]string{"run": "#!/bin/sh\nchanged\n"})
	c.Clean = true
	if _, err := app.RunCloudBuild(t.Context(), c); err == nil || !strings.Contains(err.Error(), "not committed") {
		t.Errorf("changes: %v", err)
	}
}

// Variants run side by side in workspaces of their own, each with its results.
func TestCloudBuildVariants(t *testing.T) {
	t.Parallel()
	c, log := cloudBuild(t, map[string]string{
		"cloudbuild.yaml": "steps:\n- {name: bash, args: [sh, -ec, 'test ! -e mark; echo $_NAME > mark; test $_NAME != bad']}\nartifacts: {objects: {location: gs://x, paths: [mark]}}\n",
		"variants.yaml":   "variants: {one: {NAME: one}, two: {NAME: two}, worse: {NAME: bad}}\n",
	})
	c.Variants = filepath.Join(c.Source, "variants.yaml")
	built, err := app.RunCloudBuild(t.Context(), c)
	if err != nil || len(built) != 3 || built[0].State != steps.Succeeded || built[1].State != steps.Succeeded || built[2].State != steps.Failed {
		t.Fatalf("%+v, %v\n%s", built, err, log)
	}
	for _, name := range []string{"one", "two"} {
		text, err := os.ReadFile(filepath.Join(c.Artifacts, name, "objects", "mark"))
		if err != nil || string(text) != name+"\n" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	c.Variant, c.Values = "worse", map[string]string{"_NAME": "good"}
	if built, err = app.RunCloudBuild(t.Context(), c); err != nil || len(built) != 1 || built[0].State != steps.Succeeded {
		t.Errorf("a value that goes before the variant's: %+v, %v", built, err)
	}
	c.Values = map[string]string{"_OTHER": "x"}
	if _, err = app.RunCloudBuild(t.Context(), c); len(strict.Problems(err)) != 1 {
		t.Errorf("a value that nothing uses: %v", err)
	}
}

// An image that a step left in the workspace is pushed as it is.
func TestCloudBuildImages(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	c, log := cloudBuild(t, map[string]string{
		"cloudbuild.yaml": "steps: [{name: bash, args: ['true']}]\nimages: ['" + host + "/$PROJECT_ID/saved:v1', '" + host + "/tide/laid:v2']\n",
		"decoy.tar":       "no archive", "decoy/oci-layout": "{}",
	})
	c.Project = "tide"
	saved, laid := imageFiles(t, c.Source, host)
	built, err := app.RunCloudBuild(t.Context(), c)
	if err != nil || built[0].State != steps.Succeeded || len(built[0].Images) != 2 || !strings.Contains(log.String(), "not pushed") {
		t.Fatalf("%+v, %v\n%s", built, err, log)
	}
	if _, err := remote.Head(reference(t, host+"/tide/saved:v1")); err == nil {
		t.Error("it is pushed without being asked to")
	}
	c.Push = true
	if built, err = app.RunCloudBuild(t.Context(), c); err != nil || built[0].State != steps.Succeeded {
		t.Fatalf("%+v, %v\n%s", built, err, log)
	}
	for ref, want := range map[string]v1.Image{host + "/tide/saved:v1": saved, host + "/tide/laid:v2": laid} {
		got, err := remote.Image(reference(t, ref))
		if err != nil {
			t.Fatal(err)
		}
		if configOf(t, got) != configOf(t, want) {
			t.Errorf("%s is another image", ref)
		}
	}
	// One that no step made fails the build.
	if err := os.Remove(filepath.Join(c.Source, "saved.tar")); err != nil {
		t.Fatal(err)
	}
	if built, err = app.RunCloudBuild(t.Context(), c); err != nil || built[0].State != steps.Failed || !strings.Contains(built[0].Says, "no step left "+host+"/tide/saved:v1") {
		t.Errorf("%+v, %v", built, err)
	}
	if _, err := json.Marshal(built); err != nil {
		t.Error(err)
	}
}

// imageFiles leaves an image as an archive and one as a layout in a folder.
func imageFiles(t testing.TB, dir, host string) (saved, laid v1.Image) {
	t.Helper()
	var err error
	if saved, err = random.Image(100, 1); err != nil {
		t.Fatal(err)
	}
	if laid, err = random.Image(100, 2); err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(dir, "saved.tar"), reference(t, host+"/tide/saved:v1"), saved); err != nil {
		t.Fatal(err)
	}
	at, err := layout.Write(filepath.Join(dir, "out", "laid"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	annotations := map[string]string{"org.opencontainers.image.ref.name": "v2", "io.containerd.image.name": host + "/tide/laid:v2"}
	if err := at.AppendImage(laid, layout.WithAnnotations(annotations)); err != nil {
		t.Fatal(err)
	}
	return saved, laid
}

func reference(t testing.TB, ref string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

func configOf(t testing.TB, i v1.Image) string {
	t.Helper()
	h, err := i.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}
