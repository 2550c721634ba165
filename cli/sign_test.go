package cli

import (
	"bytes"
	"context"
	"encoding/json"
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
)

// answers runs a command line in this process.
func answers(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	if got := Main(context.WithoutCancel(t.Context()), args, Streams{In: strings.NewReader(""), Out: &out, Err: &err}); got != code {
		t.Fatalf("seaworthy %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), err.String())
	}
	return out.String(), err.String()
}

func TestSignImage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/halyard/app:v1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	index, err := random.Index(64, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "release")
	answers(t, 0, "sign", "key", "--prefix", key, "--no-password")
	if _, said := answers(t, 3, "verify", "--key", key+".pub", tag.String()); !strings.Contains(said, "nobody has signed it") {
		t.Error(said)
	}
	unsigned := []string{"sign", "--key", key + ".key", "--recursive", "--tags", "--annotation", "release=v1.2.0", tag.String()}
	if out, _ := answers(t, 0, unsigned...); strings.Count(out, "would be signed") != 6 || !strings.Contains(out, "Add --nomock to do it.") {
		t.Error(out)
	}
	answers(t, 3, "verify", "--key", key+".pub", tag.String())
	for _, present := range []bool{false, true} {
		out, _ := answers(t, 0, append(unsigned, "--nomock", "-o", "json")...)
		var list []signed
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 6 || list[0].Present != present || list[0].Mock {
			t.Errorf("%v: %s", err, out)
		}
	}
	out, _ := answers(t, 0, "verify", "--key", key+".pub", "--recursive", "-o", "json", tag.String())
	var all []verified
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 3 || !all[2].Verified || len(all[2].Signatures) != 2 {
		t.Errorf("%v: %s", err, out)
	}
	predicate := filepath.Join(dir, "sbom.json")
	if err := os.WriteFile(predicate, []byte(`{"spdxVersion":"SPDX-2.3"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := answers(t, 0, unsigned...); strings.Contains(out, "mock") {
		t.Errorf("there is nothing to do: %s", out)
	}
	attest := []string{"sign", "attest", "--key", key + ".key", "--type", "spdxjson", "--predicate", predicate, tag.String()}
	answers(t, 0, attest...)
	answers(t, 3, "verify", "--key", key+".pub", "--type", "spdxjson", tag.String())
	answers(t, 0, append(attest, "--nomock")...)
	if out, _ := answers(t, 0, "verify", "--key", key+".pub", "--type", "spdxjson", tag.String()); !strings.Contains(out, "https://spdx.dev/Document") {
		t.Error(out)
	}
	if _, said := answers(t, 3, "verify", "--key", key+".pub", "--type", "cyclonedx", tag.String()); !strings.Contains(said, "no attestation of type https://cyclonedx.org/bom is there") {
		t.Error(said)
	}
	answers(t, 0, "sign", "key", "--prefix", key+"2", "--no-password")
	if _, said := answers(t, 3, "verify", "--key", key+"2.pub", "--recursive", tag.String()); strings.Count(said, "does not verify") != 3 {
		t.Error(said)
	}
	for _, wrong := range [][]string{
		{"verify", "--key", key + ".pub", "--bundle", predicate, tag.String()},
		{"sign", "attest", "--key", key + ".key", "--type", "x", "--predicate", predicate, tag.String()},
		{"sign", "attest", "--key", key + ".key", "--type", "spdxjson", "--predicate", predicate, tag.String(), tag.String()},
		{"sign", "--key", key + ".key", "--trusted-root", predicate, tag.String()},
		{"sign", "--key", key + ".key", "--keyless", tag.String()},
		{"sign", "--key", key + ".key", "--rekor-version", "3", tag.String()},
		{"sign", "--key", key + ".key", "exam ple/UPPER:case:"},
		{"sign", "--key", key + ".key", dir},
		{"verify", "--key", key + ".pub", "--trusted-root", predicate, tag.String()},
		{"verify", "--key", predicate, tag.String()},
	} {
		answers(t, 2, wrong...)
	}
	answers(t, 1, "verify", "--key", key+".pub", tag.Context().Tag("gone").String())
	answers(t, 1, "sign", "--key", key+".key", tag.Context().Tag("gone").String())
}
