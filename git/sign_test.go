package git_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seaworthy/git"
)

// needs skips where a program is missing, but not where everything must be tested.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("needs %s: %v", p, err)
			}
			t.Skipf("skipped: needs %s, run scripts/setup", p)
		}
	}
}

// sshKey makes a key with the real program.
func sshKey(t *testing.T, kind string) []byte {
	t.Helper()
	needs(t, "ssh-keygen")
	file := filepath.Join(t.TempDir(), "key")
	output(t, nil, "ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "release", "-f", file)
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// gpgKey makes a key with the real program, in a home that is gone afterwards.
func gpgKey(t *testing.T) []byte {
	t.Helper()
	needs(t, "gpg", "gpgconf")
	home, err := os.MkdirTemp("", "sw-gpg-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "GNUPGHOME="+home)
	t.Cleanup(func() {
		output(t, env, "gpgconf", "--kill", "all")
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	output(t, env, "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "Ada <ada@example.com>", "ed25519", "sign", "never")
	return output(t, env, "gpg", "--batch", "--armor", "--export-secret-keys")
}

func output(t *testing.T, env []string, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Env = env
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return out
}

func tagged(t *testing.T) (*git.Repository, git.NewTag) {
	t.Helper()
	repo, err := git.Init(t.Context(), filepath.Join(t.TempDir(), "r.git"), true, "main")
	if err != nil {
		t.Fatal(err)
	}
	ada := git.Person{Name: "Ada", Email: "ada@example.com", Time: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}
	tree, err := repo.EditTree(t.Context(), "", []git.FileEdit{{Path: "README.md", Content: []byte("r\n")}})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := repo.CommitTree(t.Context(), git.NewCommit{Tree: tree, Message: "Begin\n", Author: ada})
	if err != nil {
		t.Fatal(err)
	}
	return repo, git.NewTag{Name: "v1.0.0", Commit: commit, Message: "r v1.0.0", Tagger: ada}
}

// A signed tag can be made again elsewhere, byte for byte, without the key, and
// git says that it holds for those who may sign and for nobody else.
func TestSignedTags(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]func(*testing.T) []byte{
		"ed25519": func(t *testing.T) []byte { return sshKey(t, "ed25519") },
		"ecdsa":   func(t *testing.T) []byte { return sshKey(t, "ecdsa") }, // never the same twice
		"gpg":     gpgKey,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			private := key(t)
			repo, tag := tagged(t)
			var err error
			if tag.Signature, err = repo.SignTag(ctx, tag, private); err != nil {
				t.Fatal(err)
			}
			object, err := repo.CreateTag(ctx, tag)
			if err != nil {
				t.Fatalf("making the tag that was signed: %v", err)
			}
			again := tag
			again.Signature = ""
			if s, err := repo.SignTag(ctx, again, private); err != nil || s != tag.Signature {
				t.Errorf("signing it again gives another signature, %v", err)
			}
			other, err := git.Clone(ctx, repo.Dir, filepath.Join(t.TempDir(), "other.git"), git.CloneOptions{Mirror: true})
			if err == nil {
				err = other.UpdateRef(ctx, "refs/tags/v1.0.0", "", "")
			}
			if err != nil {
				t.Fatal(err)
			}
			if o, err := other.CreateTag(ctx, tag); err != nil || o != object {
				t.Errorf("elsewhere it is %s, %v, and was %s", o, err, object)
			}
			public, err := git.PublicKey(ctx, private, "ada@example.com")
			if err != nil {
				t.Fatal(err)
			}
			if says, err := other.VerifyTag(ctx, "v1.0.0", public); err != nil || !strings.Contains(says, "ada@example.com") {
				t.Errorf("verifying says %q, %v", says, err)
			}
			stranger, err := git.PublicKey(ctx, key(t), "ada@example.com")
			if err != nil {
				t.Fatal(err)
			}
			if says, err := other.VerifyTag(ctx, "v1.0.0", stranger); !errors.Is(err, git.ErrBadSignature) {
				t.Errorf("a stranger's key says %q, %v", says, err)
			}
			forged := tag
			forged.Name, forged.Message = "v1.0.1", "r v1.0.1"
			if _, err := other.CreateTag(ctx, forged); err != nil {
				t.Fatal(err)
			}
			if says, err := other.VerifyTag(ctx, "v1.0.1", public); !errors.Is(err, git.ErrBadSignature) {
				t.Errorf("the signature of another tag says %q, %v", says, err)
			}
		})
	}
}

func TestUnsignedTags(t *testing.T) {
	t.Parallel()
	repo, tag := tagged(t)
	if _, err := repo.CreateTag(t.Context(), tag); err != nil {
		t.Fatal(err)
	}
	if err := repo.UpdateRef(t.Context(), "refs/tags/plain", tag.Commit, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"v1.0.0", "plain"} {
		if _, err := repo.VerifyTag(t.Context(), name, nil); !errors.Is(err, git.ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := repo.VerifyTag(t.Context(), "v9", nil); !errors.Is(err, git.ErrNotFound) {
		t.Errorf("no tag: %v", err)
	}
	if _, err := repo.SignTag(t.Context(), tag, sshKey(t, "ed25519")); !errors.Is(err, git.ErrRejected) {
		t.Errorf("a tag that is there without a signature: %v", err)
	}
}

func TestKeysThatCannotSign(t *testing.T) {
	t.Parallel()
	needs(t, "ssh-keygen", "gpg")
	repo, tag := tagged(t)
	for name, key := range map[string]string{
		"nothing": "", "a public key": "ssh-ed25519 AAAA ada",
		"a broken ssh key": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
		"a broken gpg key": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n",
	} {
		_, err := repo.SignTag(t.Context(), tag, []byte(key))
		t.Logf("%s: %v", name, err)
		if err == nil || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: %v", name, err)
		}
		if refs, err := repo.Refs(t.Context(), "refs/tags"); err != nil || len(refs) != 0 {
			t.Errorf("%s left %v, %v", name, refs, err)
		}
	}
}
