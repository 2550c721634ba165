package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"seaworthy/artifact/sign"
)

// spoken is what one command line did.
type spoken struct {
	code     int
	out, err string
}

func seaworthy(t *testing.T, args ...string) spoken {
	t.Helper()
	var out, err strings.Builder
	code := Main(t.Context(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &err})
	return spoken{code, out.String(), err.String()}
}

func registryHost(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func pushRandom(t *testing.T, ref string) string {
	t.Helper()
	image, err := random.Image(500, 2)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(parsed, image); err != nil {
		t.Fatal(err)
	}
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPromoteRun(t *testing.T) {
	t.Parallel()
	source, target := registryHost(t), registryHost(t)
	good, other := pushRandom(t, source+"/staging/app:v1"), pushRandom(t, source+"/staging/app:v2")
	lost := "sha256:" + strings.Repeat("0", 64)
	folder := t.TempDir()
	manifest := func(entries ...string) string {
		return writeFile(t, filepath.Join(folder, "m.yaml"), fmt.Sprintf("registries:\n- name: %s/staging\n  src: true\n- name: %s/prod\nimages:\n- name: app\n  dmap:\n%s", source, target, strings.Join(entries, "")))
	}
	entry := func(d, tags string) string { return fmt.Sprintf("    %q: [%s]\n", d, tags) }
	file := manifest(entry(good, `"v1"`))
	state := filepath.Join(folder, "state")

	mock := seaworthy(t, "promote", "run", "--manifests", file, "--state", state)
	if mock.code != 0 || !strings.Contains(mock.out, "1 image to promote") || !strings.Contains(mock.out, "This was a mock run") {
		t.Fatalf("%+v", mock)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Error("a mock run left a journal")
	}
	done := seaworthy(t, "promote", "run", "--manifests", file, "--state", state, "--nomock", "--log", filepath.Join(folder, "log"))
	if done.code != 0 || !strings.Contains(done.out, "✓ "+source+"/staging/app v1 sha256:") || !strings.Contains(done.out, "1 image promoted, 0 failed") {
		t.Fatalf("%+v", done)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "log")); err != nil || !strings.Contains(string(text), "\n    digest "+good) {
		t.Errorf("the log is %q, %v", text, err)
	}
	again := seaworthy(t, "promote", "run", "--manifests", file, "--state", state, "--nomock", "-o", "json")
	var shown struct {
		Mock   bool
		Plan   struct{ Edges []any }
		Result struct {
			Done    int
			Traffic struct{ Requests int }
		}
	}
	if err := json.Unmarshal([]byte(again.out), &shown); err != nil || again.code != 0 || shown.Mock || len(shown.Plan.Edges) != 0 || shown.Result.Traffic.Requests > 4 {
		t.Errorf("%v, %+v", err, again)
	}

	// A lost source fails the run, after the others are done.
	manifest(entry(good, `"v1"`), entry(other, `"v2"`), entry(lost, `"v3"`))
	part := seaworthy(t, "promote", "run", "--manifests", file, "--state", state, "--nomock")
	if part.code != exitFailure || !strings.Contains(part.err, "1 image is lost") || !strings.Contains(part.out, "1 image promoted") {
		t.Errorf("%+v", part)
	}
	// A tag that would move is a no.
	manifest(entry(other, `"v1"`))
	if moved := seaworthy(t, "promote", "run", "--manifests", file, "--state", state, "--nomock", "--recheck"); moved.code != exitVerdict || !strings.Contains(moved.out, "would move") {
		t.Errorf("%+v", moved)
	}
	if a := seaworthy(t, "promote", "audit", "--manifests", file); a.code != exitVerdict || !strings.Contains(a.out, "tag-elsewhere") || !strings.Contains(a.out, "unknown-tag") {
		t.Errorf("%+v", a)
	}
	manifest(entry(good, `"v1"`), entry(other, `"v2"`))
	if a := seaworthy(t, "promote", "audit", "--manifests", file); a.code != 0 || !strings.Contains(a.out, "All that is there is explained.") {
		t.Errorf("%+v", a)
	}
	signing(t, folder, file, state)
}

// signing signs what was promoted without a key, and looks for it.
func signing(t *testing.T, folder, file, state string) {
	t.Helper()
	if a := seaworthy(t, "promote", "audit", "--manifests", file, "--signatures", "-o", "json"); a.code != exitVerdict || strings.Count(a.out, "not-signed") != 2 {
		t.Errorf("%+v", a)
	}
	key, err := sign.GenerateKey("ecdsa-p256")
	if err != nil {
		t.Fatal(err)
	}
	text, err := sign.EncodePrivateKey(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := writeFile(t, filepath.Join(folder, "key.pem"), string(text))
	signed := seaworthy(t, "promote", "run", "--manifests", file, "--state", state, "--nomock", "--key", secret, "--record")
	if signed.code != 0 || !strings.Contains(signed.out, "signed at 1 destination") || !strings.Contains(signed.out, "2 images promoted") {
		t.Fatalf("%+v", signed)
	}
	if a := seaworthy(t, "promote", "audit", "--manifests", file, "--signatures"); a.code != 0 {
		t.Errorf("%+v", a)
	}
	again := seaworthy(t, "promote", "run", "--manifests", file, "--state", state, "--nomock", "--key", secret, "--record")
	if again.code != 0 || !strings.Contains(again.out, "0 images promoted") {
		t.Errorf("%+v", again)
	}
}

func TestPromoteRunRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		why  string
	}{
		{nil, "--manifests is needed"},
		{[]string{"--manifests", "nowhere.yaml"}, "nowhere.yaml"},
		{[]string{"--manifests", "nowhere.yaml", "--record"}, "need a --key"},
		{[]string{"--manifests", "nowhere.yaml", "-o", "xml"}, "table, json or yaml"},
	} {
		if got := seaworthy(t, append([]string{"promote", "run"}, tc.args...)...); got.code != exitUsage || !strings.Contains(got.err, tc.why) {
			t.Errorf("%v: %+v", tc.args, got)
		}
	}
	if got := seaworthy(t, "promote", "files", "--filestores", "x"); got.code != exitUsage || !strings.Contains(got.err, "--manifests") {
		t.Errorf("%+v", got)
	}
}

// TestPromoteRunVerifiesStaging: an image is promoted only if those have signed
// it in staging whom the policy names.
func TestPromoteRunVerifiesStaging(t *testing.T) {
	t.Parallel()
	source, target := registryHost(t), registryHost(t)
	trusted, foreign, bare := pushRandom(t, source+"/staging/app:v1"), pushRandom(t, source+"/staging/app:v2"), pushRandom(t, source+"/staging/app:v3")
	folder := t.TempDir()
	manifest := writeFile(t, filepath.Join(folder, "m.yaml"), fmt.Sprintf("registries:\n- name: %s/staging\n  src: true\n- name: %s/prod\nimages:\n- name: app\n  dmap:\n    %q: [v1]\n    %q: [v2]\n    %q: [v3]\n",
		source, target, trusted, foreign, bare))
	for name, digest := range map[string]string{"release": trusted, "foreign": foreign} {
		key := filepath.Join(folder, name)
		answers(t, 0, "sign", "key", "--prefix", key, "--no-password")
		answers(t, 0, "sign", "--key", key+".key", "--nomock", source+"/staging/app@"+digest)
	}
	policy := writeFile(t, filepath.Join(folder, "policy.yaml"), "signers:\n- name: release\n  key: release.pub\n")
	line := []string{"promote", "run", "--manifests", manifest, "--state", filepath.Join(folder, "state"), "--staging-policy", policy}
	mock := seaworthy(t, line...)
	if mock.code != 3 || strings.Count(mock.out, "refused: ") != 2 || !strings.Contains(mock.out, "it does not verify in staging: ") || !strings.Contains(mock.out, "1 image to promote (1 edge), 2 refused") {
		t.Errorf("%+v", mock)
	}
	if done := seaworthy(t, append(line, "--nomock")...); done.code != 3 || !strings.Contains(done.out, "1 image promoted, 0 failed") {
		t.Errorf("%+v", done)
	}
	if wrong := seaworthy(t, append(line, "--staging-policy", manifest)...); wrong.code != 2 {
		t.Errorf("%+v", wrong)
	}
	answers(t, 0, "verify", "--key", filepath.Join(folder, "release.pub"), target+"/prod/app:v1")
}
