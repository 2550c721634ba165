package cut_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release/cut"
)

// sshKey makes a key whose signatures are never the same twice.
func sshKey(t *testing.T) []byte {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("skipped: needs ssh-keygen, run scripts/setup")
	}
	file := filepath.Join(t.TempDir(), "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	key, err := os.ReadFile(file)
	must(t, err)
	return key
}

func signing(o cut.Options, how cut.TagSigning, key []byte) cut.Options {
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
		p := project()
		p.Tags = how
		return p, nil
	}
	o.TagKey = func(_ context.Context, address string) ([]byte, error) {
		if address == "env://GONE" {
			return nil, errors.New("GONE is not set")
		}
		return key, nil
	}
	return o
}

// forgetful does not record that a step is done, once: as if killed just before.
type forgetful struct {
	*flow.Memory
	step string
}

func (j *forgetful) Append(ctx context.Context, l flow.Lease, e flow.Entry) (int64, error) {
	if e.Kind == flow.EntryDone && e.Step == j.step {
		j.step = ""
		return 0, errors.New("killed")
	}
	return j.Memory.Append(ctx, l, e)
}

// Both tags of a branch cut are signed when they are staged; the cut, which has no
// key, pushes those very objects.
func TestSignedTagsArePushedAsStaged(t *testing.T) {
	t.Parallel()
	key := sshKey(t)
	p := newPlace(t)
	j := &forgetful{Memory: &flow.Memory{}, step: "tag"}
	o := signing(p.options(j), cut.TagSigning{Sign: cut.SignSSH}, key)
	s := newService(t, o)
	run, err := s.Stage(t.Context(), stageRC())
	must(t, err)
	if _, err = s.Drive(t.Context(), run.ID, flow.DriveOptions{}); err == nil {
		t.Fatal("it went on")
	}
	if state, err := s.Resume(t.Context(), run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Fatalf("resumed: %s, %v", state, err)
	}
	o.TagKey = nil
	s = newService(t, o)
	cutting, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: buildOf(t, s), Actor: "ada"})
	must(t, err)
	drive(t, s, cutting.ID, flow.Succeeded)
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	public, err := git.PublicKey(t.Context(), key, signer.Email)
	must(t, err)
	for _, tag := range []string{"v0.1.0-rc.0", "v0.2.0-alpha.0"} {
		if says, err := repo.VerifyTag(t.Context(), tag, public); err != nil || !strings.Contains(says, signer.Email) {
			t.Errorf("%s: %q, %v", tag, says, err)
		}
	}
}

func TestWhoSignsTags(t *testing.T) {
	t.Parallel()
	key := sshKey(t)
	for name, c := range map[string]struct {
		how  cut.TagSigning
		key  []byte
		want string // part of the error
		sign bool
	}{
		"auto, and a key":         {cut.TagSigning{}, key, "", true},
		"auto, and none":          {cut.TagSigning{Sign: cut.SignAuto}, nil, "", false},
		"none, and a key":         {cut.TagSigning{Sign: cut.SignNone}, key, "", false},
		"ssh, and no key":         {cut.TagSigning{Sign: cut.SignSSH}, nil, "there is no key", false},
		"gpg, and a key for ssh":  {cut.TagSigning{Sign: cut.SignGPG}, key, "the key is one of ssh", false},
		"auto, a key that is not": {cut.TagSigning{}, []byte("key"), "neither an OpenSSH", false},
		"a key that is gone":      {cut.TagSigning{Key: "env://GONE"}, nil, "GONE is not set", false},
		"no such way":             {cut.TagSigning{Sign: "x509"}, nil, "write auto, none, ssh or gpg", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s := newService(t, signing(p.options(&flow.Memory{}), c.how, c.key))
			run, err := s.Stage(t.Context(), stageRC())
			must(t, err)
			_, err = s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: "tag"})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "PRIVATE") {
					t.Errorf("got %v, want %q", err, c.want)
				}
				return
			}
			must(t, err)
			repo, err := git.Open(t.Context(), filepath.Join(p.dir, "work", run.ID, "repository.git"))
			must(t, err)
			if _, err := repo.TagSignature(t.Context(), "v0.1.0-rc.0"); (err == nil) != c.sign {
				t.Errorf("signed: %v", err)
			}
		})
	}
}
