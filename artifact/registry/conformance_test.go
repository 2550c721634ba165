package registry_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"gocloud.dev/blob/memblob"

	"seaworthy/artifact/registry"
)

// suite builds the distribution specification's own conformance suite.
func suite(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "conformance")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, "github.com/opencontainers/distribution-spec/conformance")
	build.Dir = filepath.Join("..", "..", "test", "conformance")
	build.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Logf("building the suite: %v\n%s", err, out)
		missing(t, "what test/conformance/go.mod names in the module cache")
	}
	return program
}

// TestConformance runs the suite with every kind of request and of data on, for
// the published version of the specification and for the next one. Only what
// the suite itself calls optional and this registry refuses is off: manifests
// that name what was never pushed.
func TestConformance(t *testing.T) {
	t.Parallel()
	program := suite(t)
	memory := memblob.OpenBucket(nil)
	t.Cleanup(func() {
		if err := memory.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, version := range []string{"1.1", "dev"} {
		for name, o := range map[string]registry.Options{
			"anonymous": {}, "login": {Authorizer: people{}, Secret: secret}, "memory": {Bucket: memory, Prefix: version + "/"},
		} {
			t.Run(version+"/"+name, func(t *testing.T) {
				t.Parallel()
				conform(t, program, version, serve(t, open(t, o)))
			})
		}
	}
}

func conform(t *testing.T, program, version, host string) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Dir = dir
	cmd.Env = []string{
		"HOME=" + dir, "OCI_VERSION=" + version, "OCI_REGISTRY=" + host, "OCI_TLS=disabled", "OCI_REPO1=ada/first", "OCI_REPO2=ada/second/deep",
		"OCI_USERNAME=ada", "OCI_PASSWORD=ada-token", "OCI_API_BLOBS_UPLOAD_CANCEL=true", "OCI_API_BLOBS_DIGEST_HEADER=true",
		"OCI_API_MANIFESTS_DIGEST_HEADER=true", "OCI_API_MANIFESTS_TAG_PARAM=true", "OCI_RESULTS_DIR=" + filepath.Join(dir, "results"),
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the suite ended with %v", err)
	}
	// What is skipped passes in the suite's eyes, not in ours.
	_, summary, _ := bytes.Cut(out, []byte("\nOCI Conformance Result:"))
	lines := regexp.MustCompile(`(?m)^  ([^\n]+?)\.{2,}: +(\S+)$`).FindAllSubmatch(summary, -1)
	if len(lines) < 50 {
		t.Errorf("the suite reports %d results", len(lines))
	}
	counted := regexp.MustCompile(`^\d+$`)
	for _, l := range lines {
		what, verdict := string(l[1]), string(l[2])
		switch {
		case what == "Pass" || what == "Total":
			t.Logf("%s: %s", what, verdict)
		case counted.MatchString(verdict):
			if verdict != "0" {
				t.Errorf("%s: %s", what, verdict)
			}
		case what == "Sparse Manifests":
			if verdict != "Disabled" {
				t.Errorf("%s: %s", what, verdict)
			}
		case verdict != "Pass":
			t.Errorf("%s: %s", what, verdict)
		}
	}
	if t.Failed() {
		t.Logf("%s", bytes.TrimSpace(out))
	}
}
