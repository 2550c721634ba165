// Package giteatest starts a real Gitea for tests: the program that
// scripts/setup builds, or the one that SEAWORTHY_GITEA names.
//
//	g := giteatest.Start(t)
//	token := g.Account(t, "ann", false)
//	c, err := gitea.New(gitea.Options{URL: g.URL, Token: token})
//
// Where there is none, the test is skipped, and fails where CI is true.
package giteatest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Server is a Gitea that runs until the test ends.
type Server struct {
	URL  string // without a slash at the end
	call func(args ...string) *exec.Cmd
}

// patience bounds the wait for it to answer.
const patience = 2 * time.Minute

// Start starts one without any account.
func Start(t testing.TB) *Server {
	t.Helper()
	program, assets := find(t)
	folder := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "app.ini")
	if err := os.WriteFile(config, fmt.Appendf(nil, settings, folder, port, assets), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "http://" + addr, call: func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, append(args, "--config", config)...)
		cmd.Env = append(os.Environ(), "HOME="+folder, "USER=root", "GITEA_WORK_DIR="+folder)
		return cmd
	}}
	s.run(t, "migrate")
	server := s.call("web")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = server.Wait() // it says that it was told to stop
	})
	s.await(t)
	return s
}

const settings = `I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
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
[webhook]
ALLOWED_HOST_LIST = loopback
[log]
LEVEL = Error
`

// find returns the program and the files that it serves.
func find(t testing.TB) (program, assets string) {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "seaworthy").Output()
	if err != nil {
		t.Fatal(err)
	}
	module := strings.TrimSpace(string(root))
	program = os.Getenv("SEAWORTHY_GITEA")
	if built := filepath.Join(module, "bin", "gitea"); program == "" {
		if _, err := os.Stat(built); err == nil {
			program = built
		}
	}
	if program == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs Gitea: run GITEA=1 scripts/setup")
		}
		t.Skip("skipped: needs Gitea, run GITEA=1 scripts/setup")
	}
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "code.gitea.io/gitea")
	list.Dir = filepath.Join(module, "test", "gitea")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("looking for Gitea's files: %v", err)
	}
	return program, strings.TrimSpace(string(out))
}

func (s *Server) run(t testing.TB, args ...string) string {
	t.Helper()
	cmd := s.call(args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gitea %s: %v\n%s%s", args[0], err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func (s *Server) await(t testing.TB) {
	t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		r, err := http.Get(s.URL + "/api/v1/version")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-again.C:
		case <-over.C:
			t.Fatalf("Gitea does not answer: %v", err)
		}
	}
}

// Account makes an account and returns a token that may do what it may.
func (s *Server) Account(t testing.TB, login string, admin bool) string {
	t.Helper()
	args := []string{"admin", "user", "create", "--username", login, "--random-password", "--email", login + "@example.com", "--must-change-password=false"}
	if admin {
		args = append(args, "--admin")
	}
	s.run(t, args...)
	said := strings.Fields(s.run(t, "admin", "user", "generate-access-token", "--username", login, "--token-name", "tests", "--scopes", "all", "--raw"))
	if len(said) == 0 {
		t.Fatal("gitea made no token")
	}
	return said[len(said)-1] // before it there may be warnings
}
