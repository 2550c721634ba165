package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/forge/github"
)

// publish makes a release with files on a forge of its own, and returns the
// address of its API.
func publish(t *testing.T, tag string, files map[string]string) string {
	t.Helper()
	ctx := t.Context()
	a, err := app.Open(ctx, app.Options{Dir: filepath.Join(t.TempDir(), "platform"), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	token, err := a.AdminToken()
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Client(token)
	if err != nil {
		t.Fatal(err)
	}
	source := t.TempDir()
	for _, line := range []string{"init -q -b main", "-c user.name=Ada -c user.email=ada@example.org commit -q --allow-empty -m begin"} {
		if out, err := exec.CommandContext(ctx, "git", append([]string{"-C", source}, strings.Fields(line)...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	repo := forge.RepoName{Owner: "admin", Name: "halyard"}
	if err := a.Import(ctx, repo, source, ""); err != nil {
		t.Fatal(err)
	}
	release, err := c.CreateRelease(ctx, repo, forge.NewRelease{Tag: tag, Target: "main", Name: tag})
	if err != nil {
		t.Fatal(err)
	}
	upload(t, c, repo, release.ID, files)
	return a.URL() + "/api/v3/"
}

func upload(t *testing.T, c *github.Client, repo forge.RepoName, id int64, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if _, err := c.UploadAsset(t.Context(), repo, id, name, "application/octet-stream", int64(len(text)), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMirror(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("the tool"))
	api := publish(t, "v1.0.0", map[string]string{"tool.tar.gz": "the tool", "SHA256SUMS": hex.EncodeToString(sum[:]) + "  tool.tar.gz\n"})
	folder := t.TempDir()
	bucket := "file://" + filepath.ToSlash(folder)
	line := []string{"mirror", "github-release", "--api", api, "--org", "admin", "--repo", "halyard"}
	first := seaworthy(t, append(line, "--bucket", bucket, "--release-dir", "mirrored", "--tags", "v1.0.0")...)
	if first.code != 0 || strings.Count(first.out, "copied") != 2 || !strings.Contains(first.out, "mirrored/v1.0.0/tool.tar.gz") {
		t.Fatalf("%+v", first)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "mirrored/v1.0.0/tool.tar.gz")); err != nil || string(text) != "the tool" {
		t.Errorf("%q, %v", text, err)
	}
	again := seaworthy(t, append(line, "--bucket", bucket, "--release-dir", "mirrored", "-o", "json")...)
	if again.code != 0 || strings.Count(again.out, `"present"`) != 2 || !strings.Contains(again.out, `"verified": true`) {
		t.Errorf("%+v", again)
	}
	writeFile(t, filepath.Join(folder, "mirrored/v1.0.0/tool.tar.gz"), "the evil")
	if changed := seaworthy(t, append(line, "--bucket", bucket, "--release-dir", "mirrored")...); changed.code != exitFailure || !strings.Contains(changed.out, "differs") {
		t.Errorf("%+v", changed)
	}

	// A bucket is out in the world: without --nomock it is only looked at.
	mock := seaworthy(t, append(line, "--bucket", "mem://", "--release-dir", "mirrored")...)
	if mock.code != 0 || strings.Count(mock.out, "copy ") != 2 || strings.Contains(mock.out, "copied") || !strings.Contains(mock.err, "Add --nomock") {
		t.Errorf("%+v", mock)
	}
	if real := seaworthy(t, append(line, "--bucket", "mem://", "--nomock")...); real.code != 0 || strings.Count(real.out, "copied") != 2 || real.err != "" {
		t.Errorf("%+v", real)
	}

	local := filepath.Join(folder, "local")
	if got := seaworthy(t, append(line, "--output-dir", local, "--download-only")...); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(local, "admin/halyard/v1.0.0/tool.tar.gz")); err != nil {
		t.Error(err)
	}
	config := writeFile(t, filepath.Join(folder, "releases.yaml"), "releaseConfigs:\n- org: admin\n  repo: halyard\n  tags: [v1.0.0]\n  gcsBucket: "+bucket+"\n  releaseDir: by-file\n")
	if got := seaworthy(t, "mirror", "github-release", "--api", api, "--config", config); got.code != 0 || !strings.Contains(got.out, "by-file/v1.0.0/tool.tar.gz") {
		t.Errorf("%+v", got)
	}
	for _, tc := range []struct {
		args []string
		code int
		why  string
	}{
		{append(line, "--bucket", bucket, "--tags", "v9"), exitFailure, "no published release v9"},
		{line, exitUsage, "--bucket is needed"},
		{append(line, "--download-only"), exitUsage, "--output-dir"},
		{append(line, "--bucket", "ftp://x"), exitUsage, "no bucket can be opened"},
		{[]string{"mirror", "github-release"}, exitUsage, "--org and --repo"},
		{append(line, "--config", config), exitUsage, "leave out"},
	} {
		if got := seaworthy(t, tc.args...); got.code != tc.code || !strings.Contains(got.err, tc.why) {
			t.Errorf("%v: %+v", tc.args, got)
		}
	}
}

func TestGH2GCS(t *testing.T) {
	t.Parallel()
	got, err := translate(strings.Fields("gh2gcs --org kubernetes --repo kubernetes --bucket my-bucket --release-dir rel --tags v1.18.0,v1.18.1 --include-prereleases --output-dir out"))
	want := "mirror github-release --org kubernetes --repo kubernetes --bucket my-bucket --release-dir rel --output-dir out --tags v1.18.0 --tags v1.18.1 --include-prereleases --nomock"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v\n%v, %v", want, got, err)
	}
	if _, err := translate([]string{"gh2gcs", "v1"}); err == nil {
		t.Error("an argument was taken")
	}
}
