package transfer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seaworthy/artifact/promote"
	ownregistry "seaworthy/artifact/registry"
)

// giteaProgram is Gitea, built from test/gitea; it takes minutes, so it is
// built once by who wants the test: see docs/promotion-run.md.
func giteaProgram(t *testing.T) (program, assets string) {
	t.Helper()
	program = os.Getenv("SEAWORTHY_GITEA")
	if built, err := filepath.Abs("../../bin/gitea"); program == "" && err == nil {
		if _, err := os.Stat(built); err == nil {
			program = built
		}
	}
	if program == "" {
		t.Skip("skipped: needs Gitea, run GITEA=1 scripts/setup")
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "code.gitea.io/gitea")
	list.Dir = filepath.Join("..", "..", "test", "gitea")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	return program, strings.TrimSpace(string(out))
}

// gitea starts one with an account, and returns its registry.
func gitea(t *testing.T, login, password string) *shop {
	program, assets := giteaProgram(t)
	folder := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(folder, "app.ini")
	text := fmt.Sprintf(`I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = %[1]s
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %[2]s
ROOT_URL = http://127.0.0.1:%[2]s/
DISABLE_SSH = true
OFFLINE_MODE = true
STATIC_ROOT_PATH = %[3]s
[database]
DB_TYPE = sqlite3
PATH = %[1]s/gitea.db
[security]
INSTALL_LOCK = true
[service]
DISABLE_REGISTRATION = true
[log]
LEVEL = Error
`, folder, port, assets)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, append(args, "--config", config)...)
		cmd.Env = append(os.Environ(), "HOME="+folder, "USER=root", "GITEA_WORK_DIR="+folder)
		return cmd
	}
	for _, args := range [][]string{{"migrate"}, {"admin", "user", "create", "--admin", "--username", login, "--password", password, "--email", login + "@example.org", "--must-change-password=false"}} {
		if out, err := call(args...).CombinedOutput(); err != nil {
			t.Fatalf("gitea %s: %v\n%s", args[0], err, out)
		}
	}
	server := call("web")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = server.Wait() // it says that it was told to stop
	})
	answers(t, "http://"+addr+"/v2/")
	return &shop{Server: reached("http://" + addr), host: addr, pid: server.Process.Pid}
}

// TestGitea promotes to Gitea's registry, which gives tokens for each
// repository, and from there on to the platform's own.
func TestGitea(t *testing.T) {
	t.Parallel()
	keys := keyring{"ada", "Lovelace-1843"}
	g := gitea(t, keys.user, keys.password)
	source, last := newShop(t), embedded(t, ownregistry.Options{})
	shared := random("shared", 3*inMemory)
	a := source.pushImage(t, "s/app", "amd64", [][]byte{shared, random("a", 10)})
	b := source.pushImage(t, "s/app", "arm64", [][]byte{shared})
	index := source.pushIndex(t, "s/app", []artifactDigest{a, b}, "v1")
	source.legacy(t, "s/app", index, ".sig", "signature")
	o := Options{Registries: NewRegistries(RegistryOptions{Keychain: keys, RetryPause: 50 * time.Millisecond})}
	for _, m := range []promote.Manifest{
		with(from(source.host+"/s", g.host+"/ada", g.host+"/ada/mirror"), "app", index, "v1", "latest"),
		with(from(g.host+"/ada/mirror", last.host+"/p"), "app", index, "v1"),
	} {
		p, r := runs(t, o, m)
		if r.Done != 1 || p.Lost() != 0 {
			t.Fatalf("%+v %s", p.Plan.Refusals, complaints(r))
		}
		if p, _ := runs(t, o, m); len(p.Plan.Items) != 0 {
			t.Errorf("%d items the second time", len(p.Plan.Items))
		}
	}
	last.whole(t, "p/app", "v1")
	last.whole(t, "p/app", companionTag(index)+".sig")
	if p, r := runs(t, Options{}, with(from(source.host+"/s", g.host+"/ada"), "other", a, "v1")); r.Done != 0 {
		t.Errorf("without a password it was promoted: %+v", p.Plan)
	}
}
