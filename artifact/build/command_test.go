package build

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBuildCommand(t *testing.T) {
	t.Setenv("SEAWORTHY_TEST_SECRET", "hunter2")
	req := request(t, writeProject(t, map[string]string{"README": "r", "src": "s"}), "linux/amd64", "windows/arm64")
	req.Main, req.LDFlags = nil, ""
	req.Env = []string{"FLAVOUR=plain"}
	req.Command = &Command{
		Run:     []string{"sh", "-c", `mkdir "$1/bin"; cat src > "$1/bin/$2"; env | cut -d= -f1 | sort > "$1/env"; echo "$HOME" > "$1/home"`, "sh", "{out}", "{name}-{os}-{arch}-{number}"},
		Outputs: []string{"bin/{name}-{os}-{arch}-{number}", "env", "home"},
	}
	got := build(t, req)
	if len(got) != 2 {
		t.Fatalf("%d archives", len(got))
	}
	dir := filepath.Join(t.TempDir(), "x")
	if err := Extract(filepath.Join(req.OutDir, "halyard_1.2.0_linux_amd64.tar.gz"), dir, Limits{}); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "halyard_1.2.0_linux_amd64")
	if data, err := os.ReadFile(filepath.Join(dir, "bin/halyard-linux-amd64-1.2.0")); err != nil || string(data) != "s" {
		t.Errorf("%q, %v", data, err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := strings.Fields("COMMIT FLAVOUR HOME LC_ALL OUT PATH PWD OLDPWD SHLVL SOURCE_DATE_EPOCH TARGET_ARCH TARGET_OS TARGET_VARIANT TMPDIR TZ VERSION _ HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE SSL_CERT_DIR")
	for _, name := range strings.Fields(string(env)) {
		if !slices.Contains(allowed, name) {
			t.Errorf("the builder sees %s", name)
		}
	}
	if home, err := os.ReadFile(filepath.Join(dir, "home")); err != nil || !strings.HasPrefix(string(home), req.OutDir) {
		t.Errorf("the builder's home is %q (%v)", home, err)
	}

	req.OutDir = filepath.Join(t.TempDir(), "any")
	req.Platforms = nil
	if got := build(t, req); len(got) != 1 || got[0].Name != "halyard_1.2.0.tar.gz" {
		t.Errorf("for any platform: %+v", got)
	}
}

func TestBuildCommandRefused(t *testing.T) {
	t.Parallel()
	source := writeProject(t, map[string]string{"README": "r"})
	for name, tc := range map[string]struct {
		cmd Command
		err string
	}{
		"fails":                  {Command{Run: []string{"sh", "-c", "echo why it failed >&2; exit 3"}, Outputs: []string{"x"}}, "why it failed"},
		"leaves nothing":         {Command{Run: []string{"true"}, Outputs: []string{"x"}}, "left no file x"},
		"leaves a folder":        {Command{Run: []string{"mkdir", "{out}/x"}, Outputs: []string{"x"}}, "left no file in the folder x"},
		"leaves a link":          {Command{Run: []string{"ln", "-s", "/etc/passwd", "{out}/x"}, Outputs: []string{"x"}}, "left no file x"},
		"a link in a folder out": {Command{Run: []string{"sh", "-c", "mkdir {out}/x && ln -s /etc/passwd {out}/x/y"}, Outputs: []string{"x"}}, "escapes"},
		"a pipe in a folder":     {Command{Run: []string{"sh", "-c", "mkdir {out}/x && mkfifo {out}/x/y"}, Outputs: []string{"x"}}, "not a regular file"},
		"output outside":         {Command{Run: []string{"true"}, Outputs: []string{"../x"}}, "outside {out}"},
		"does not exist":         {Command{Run: []string{"seaworthy-no-such-program"}, Outputs: []string{"x"}}, "not found"},
		"packed twice":           {Command{Run: []string{"touch", "{out}/README"}, Outputs: []string{"README"}}, "packed twice"},
		"says no output":         {Command{Run: []string{"true"}}, "needs something to run"},
		"says no program":        {Command{Outputs: []string{"x"}}, "needs something to run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request(t, source, "linux/amd64")
			req.Main, req.Command = nil, &tc.cmd
			if _, err := Build(t.Context(), req, nil); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %v, want %q", err, tc.err)
			}
			empty(t, req.OutDir)
		})
	}
}
