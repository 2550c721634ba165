package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// Own is how a person's own Git reaches remotes: credential helpers, headers,
// keys, proxies, rewritten addresses. Nothing else of their configuration counts,
// neither hooks nor aliases nor signing. It may hold secrets, so it prints as
// nothing that could be logged.
type Own struct {
	env    []string
	config [][2]string
}

// String implements fmt.Stringer.
func (o *Own) String() string { return "the settings of one's own Git" }

// GoString implements fmt.GoStringer.
func (o *Own) GoString() string { return o.String() }

// reaching are the settings that decide how a remote is reached.
var reaching = regexp.MustCompile(`(?i)^(http\..+|https\..+|credential\..+|url\..+\.(insteadof|pushinsteadof)|core\.(sshcommand|askpass|gitproxy)|ssh\.variant)$`)

// reachingEnv are the variables that do.
func reachingEnv() []string {
	return []string{"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "USER", "LOGNAME", "DISPLAY", "DBUS_SESSION_BUS_ADDRESS",
		"SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT",
		"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_NO_VERIFY", "GIT_PROXY_COMMAND",
		"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"}
}

// OwnSettings reads how the person who runs this program reaches the remotes of
// a repository, from all their configuration files, that of the repository
// included, and their environment.
func OwnSettings(ctx context.Context, dir string) (*Own, error) {
	out, err := ownGit(ctx, dir, "config", "--list", "-z", "--includes")
	if err != nil {
		return nil, fmt.Errorf("reading your Git configuration: %w", err)
	}
	o := &Own{}
	asks := os.Getenv("GIT_SSH_COMMAND") != "" || os.Getenv("GIT_SSH") != ""
	for _, name := range reachingEnv() {
		if v, ok := os.LookupEnv(name); ok {
			o.env = append(o.env, name+"="+v)
		}
	}
	for entry := range strings.SplitSeq(out, "\x00") {
		key, value, _ := strings.Cut(entry, "\n")
		if reaching.MatchString(key) {
			o.config = append(o.config, [2]string{key, value})
			asks = asks || strings.EqualFold(key, "core.sshcommand")
		}
	}
	if !asks {
		// Nobody may be there to answer a question.
		o.env = append(o.env, "GIT_SSH_COMMAND=ssh -oBatchMode=yes")
	}
	return o, nil
}

// ownGit runs Git as the person would.
func ownGit(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=*"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: install it and put it on PATH", ErrMissing)
	}
	return string(out), err
}

// Sends reports whether requests to an address over HTTP carry a header of
// one's own that says who asks, as a checkout action leaves it.
func (o *Own) Sends(ctx context.Context, dir, url string) bool {
	_, err := call{dir: dir, auth: Auth{Own: o}, args: []string{"config", "--get-urlmatch", "http.extraheader", url}}.run(ctx)
	return err == nil
}

// OwnIdentity returns the name and address that commits of the person who runs this
// program carry in a repository; both are empty where they never said.
func OwnIdentity(ctx context.Context, dir string) (name, email string) {
	ask := func(key, variable string) string {
		if v := os.Getenv(variable); v != "" {
			return v
		}
		out, err := ownGit(ctx, dir, "config", "--get", key)
		if err != nil {
			return "" // not set, which is no failure
		}
		return strings.TrimSpace(out)
	}
	return ask("user.name", "GIT_COMMITTER_NAME"), ask("user.email", "GIT_COMMITTER_EMAIL")
}
