package git

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Errors callers branch on.
var (
	// ErrMissing: there is no git program, or it is too old.
	ErrMissing = errors.New("git 2.38 or newer is needed")
	// ErrNotFound: a revision, ref or path does not exist.
	ErrNotFound = errors.New("not found in the repository")
	// ErrConflict: a merge or cherry-pick does not apply cleanly.
	ErrConflict = errors.New("merge conflict")
	// ErrRejected: the other side refused a push, or a ref moved meanwhile.
	ErrRejected = errors.New("rejected")
)

// Error is a git command that failed: what ran and what it said.
type Error struct {
	Args   []string
	Stderr string
	Code   int
	cause  error
}

// Error implements error. It shows the command and the last lines of stderr.
func (e *Error) Error() string {
	msg := strings.TrimSpace(e.Stderr)
	if msg == "" && e.cause != nil {
		msg = e.cause.Error()
	}
	return fmt.Sprintf("git %s: %s", strings.Join(e.Args, " "), msg)
}

// Unwrap returns the cause of the failure to run.
func (e *Error) Unwrap() error { return e.cause }

// Auth is a credential for a remote reached over HTTP, or one's own way to reach it.
type Auth struct {
	User  string // "x-access-token" when empty
	Token string
	Own   *Own // the settings of the person who runs this program; nil for none
}

// Environ returns the environment git runs in: nothing of the caller's but
// PATH and TMPDIR, no configuration files, and auth as an HTTP header.
func Environ(auth Auth, extra ...string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.DevNull,
		"LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0", "GIT_PAGER=cat", "GIT_EDITOR=true", "GIT_ADVICE=0",
	}
	for _, name := range []string{"TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	config := [][2]string{
		{"safe.directory", "*"}, {"init.defaultBranch", "main"}, {"gc.auto", "0"},
		{"core.autocrlf", "false"}, {"core.quotepath", "false"}, {"protocol.ext.allow", "never"},
		{"tag.gpgSign", "false"}, {"commit.gpgSign", "false"},
	}
	if auth.Token != "" {
		user := auth.User
		if user == "" {
			user = "x-access-token"
		}
		config = append(config, [2]string{"http.extraHeader",
			"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+auth.Token))})
	}
	if auth.Own != nil {
		env, config = append(env, auth.Own.env...), append(auth.Own.config[:len(auth.Own.config):len(auth.Own.config)], config...)
	}
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(config)))
	for i, kv := range config {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, kv[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, kv[1]))
	}
	return append(env, extra...)
}

// call is one run of the program.
type call struct {
	dir    string
	auth   Auth
	env    []string
	stdin  io.Reader
	stdout io.Writer
	args   []string
}

func (c call) run(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "git", c.args...)
	cmd.Dir = c.dir
	cmd.Env = Environ(c.auth, c.env...)
	cmd.Stdin = c.stdin
	// A cancelled git must take its own children (pack-objects, remote
	// helpers) with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out, errb bytes.Buffer
	cmd.Stdout = c.stdout
	if c.stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &errb
	err := cmd.Run()
	if err == nil {
		return out.String(), nil
	}
	if ctx.Err() != nil {
		return out.String(), fmt.Errorf("git %s: %w", c.args[0], context.Cause(ctx))
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: install it and put it on PATH", ErrMissing)
	}
	ge := &Error{Args: c.args, Stderr: errb.String(), cause: err}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		ge.Code = exit.ExitCode()
	}
	return out.String(), ge
}

var version = sync.OnceValues(func() (string, error) {
	out, err := call{args: []string{"--version"}}.run(context.Background())
	if err != nil {
		return "", err
	}
	v := strings.TrimPrefix(strings.TrimSpace(out), "git version ")
	var major, minor int
	if _, err := fmt.Sscanf(v, "%d.%d", &major, &minor); err != nil {
		return "", fmt.Errorf("%w: cannot read the version in %q", ErrMissing, out)
	}
	if major < 2 || major == 2 && minor < 38 {
		return "", fmt.Errorf("%w: this is %s", ErrMissing, v)
	}
	return v, nil
})

// Version returns the version of the git program. The error is ErrMissing when
// there is none or it is older than 2.38.
func Version() (string, error) { return version() }
