//go:build unix

package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody's user id on the systems we know.
const nobody = 65534

// A folder that the user may not write to is named, and nothing is left
// anywhere. Root may write everywhere, so root tries it as nobody.
func TestFolderWithoutPermission(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "seaworthy-permission-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.Chmod(filepath.Join(dir, "closed"), 0o755), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "closed"), 0o555)); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "seaworthy")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Copied by another process, so that no descriptor it was written through
	// is ever lent to a third, and it is never busy.
	if out, err := exec.CommandContext(t.Context(), "cp", self, program).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range [][]string{
		{"up", "--addr", "127.0.0.1:0", "--dir", "closed"},
		{"up", "--addr", "127.0.0.1:0", "--dir", "closed/below"},
		{"demo", "--once", "--dir", "closed/below"},
	} {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "TMPDIR=/tmp", "GOCACHE=off"}
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		var errs bytes.Buffer
		cmd.Stderr = &errs
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("seaworthy %v: %v, want exit code 1\n%s", args, err, errs.String())
		}
		said := errs.String()
		if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "seaworthy: the state folder ") ||
			!strings.Contains(said, "permission denied") || !strings.HasSuffix(said, "choose another with --dir\n") {
			t.Errorf("seaworthy %v says %q", args, said)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, "closed"))
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
