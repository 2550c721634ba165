package storetest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

const superuser = "seaworthy"

// server is a running Postgres.
type server struct {
	dir string // holds its data and its socket
	// alive is the watcher's standard input. It is never written to: the
	// system closes it when this process ends, and that ends the server.
	alive     io.WriteCloser
	databases atomic.Int64 // numbers them
}

// theServer starts the one server of this process when it is first asked for,
// and returns nil if Postgres is not installed.
var theServer = sync.OnceValues(startServer)

// watcher starts Postgres in folder $2 with the programs in $1, says "ready",
// and stops it and removes the folder when its standard input ends.
const watcher = `
bin=$1 dir=$2
finish() { "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"; }
fail() { cat "$dir/log" >&2; finish; exit 1; }
cd "$dir"
"$bin/initdb" -D "$dir/data" -U ` + superuser + ` -A trust -E UTF8 --locale=C --no-sync --no-instructions >"$dir/log" 2>&1 || fail
"$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 -o "-k '$dir' -c listen_addresses= -c max_connections=300 -c shared_buffers=32MB -c fsync=off -c full_page_writes=off" start >/dev/null 2>&1 || fail
echo ready
cat >/dev/null
finish
`

func startServer() (*server, error) {
	bin := findPostgres()
	if bin == "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "seaworthy-postgres-")
	if err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true} // an interrupt from the terminal is for the test, not for the server
	if os.Getuid() == 0 {
		// Postgres refuses to run as root.
		attr.Credential, err = unprivileged()
		if err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("sh", "-c", watcher, "sh", bin, dir)
	cmd.SysProcAttr = attr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		return nil, fmt.Errorf("%w\n%s", errors.Join(err, cmd.Wait()), stderr.Bytes())
	}
	return &server{dir: dir, alive: stdin}, nil
}

// findPostgres returns the folder with initdb and pg_ctl, or "".
func findPostgres() string {
	// Debian keeps the server's programs out of PATH.
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return ""
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(p))
	}
	for _, dir := range slices.Backward(dirs) {
		if _, err := exec.LookPath(filepath.Join(dir, "pg_ctl")); err == nil {
			return dir
		}
	}
	return ""
}

// unprivileged returns an account for the server to run as.
func unprivileged() (*syscall.Credential, error) {
	var errs []error
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.Join(errs...)
}
