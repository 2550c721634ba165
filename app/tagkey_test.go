package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/app"
	"seaworthy/git"
	"seaworthy/release/verify"
)

// A release of a project that names a key has a signed tag, which its own platform
// recognises, and which does not hold for those who trust another key.
func TestReleaseWithASignedTag(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("skipped: needs ssh-keygen, run scripts/setup")
	}
	keys := t.TempDir()
	for _, name := range []string{"ours", "theirs"} {
		if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(keys, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	p := open(t, t.TempDir())
	p.populate(map[string]string{"seaworthy.yaml": strings.Replace(buildable, "release:\n", "release:\n  tags: {sign: ssh, key: "+filepath.Join(keys, "ours")+"}\n", 1),
		"README.md": "halyard\n", "OWNERS": "approvers: [ada]\n"})
	p.settled()
	p.must(releaseIt(t.Context(), p.App))
	pages, err := p.Forge.Releases(t.Context(), halyard)
	p.must(err)
	tag := pages[0].Tag
	theirs, err := os.ReadFile(filepath.Join(keys, "theirs"))
	p.must(err)
	strangers, err := git.PublicKey(t.Context(), theirs, "cho@harbour.test")
	p.must(err)
	for _, c := range []struct {
		by   app.Signers
		want verify.State
	}{{app.Signers{}, verify.Passed}, {app.Signers{Tags: strangers}, verify.Failed}} {
		report, err := p.VerifyReleaseBy(t.Context(), halyard, tag, c.by)
		p.must(err)
		found := false
		for _, check := range report.Checks {
			if check.Name == "tag signature" {
				found = true
				if check.State != c.want {
					t.Errorf("the tag's signature is %s: %s", check.State, check.Says)
				}
			}
		}
		if !found || report.OK != (c.want == verify.Passed) {
			t.Errorf("the report is %+v", report)
		}
	}
}
