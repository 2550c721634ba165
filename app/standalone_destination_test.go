package app

import (
	"strings"
	"testing"
)

func none(string) string { return "" }

func TestParseDestination(t *testing.T) {
	t.Parallel()
	runner := func(env ...string) func(string) string {
		return func(name string) string {
			for _, kv := range env {
				if v, ok := strings.CutPrefix(kv, name+"="); ok {
					return v
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		to, remote string
		getenv     func(string) string
		want, web  string // want begins with ! for a part of the error
	}{
		{"", "https://github.com/junegunn/fzf.git", none, "github:https://github.com/junegunn/fzf", ""},
		{"", "git@github.com:junegunn/fzf.git", none, "github:https://github.com/junegunn/fzf", ""},
		{"", "ssh://git@ssh.github.com:443/junegunn/fzf.git", none, "github:https://github.com/junegunn/fzf", ""},
		{"", "https://codeberg.org/a/b", none, "gitea:https://codeberg.org/a/b", ""},
		{"", "git@git.example.org:team/tool.git", none, "!what kind of forge https://git.example.org is", ""},
		{"", "git@git.example.org:team/tool.git", runner("GITHUB_SERVER_URL=https://git.example.org"), "github:https://git.example.org/team/tool", ""},
		{"", "https://git.example.org/team/tool", runner("GITHUB_SERVER_URL=https://git.example.org", "GITEA_ACTIONS=true"), "gitea:https://git.example.org/team/tool", ""},
		{"github", "git@git.example.org:team/tool.git", none, "github:https://git.example.org/team/tool", ""},
		{"gitea", "ssh://git@git.example.org:2222/team/tool.git", none, "gitea:https://git.example.org/team/tool", ""},
		{"gitea", "http://127.0.0.1:3000/sub/team/tool.git/", none, "gitea:http://127.0.0.1:3000/sub/team/tool", ""},
		{"github:http://127.0.0.1:7070/api/v3", "http://127.0.0.1:7070/team/tool.git", none, "github:http://127.0.0.1:7070/team/tool", ""},
		{"github:a/b", "/srv/git/x", none, "github:https://github.com/a/b", ""},
		{"github:https://ghe.example.org/a/b", "", none, "github:https://ghe.example.org/a/b", ""},
		{"https://github.com/a/b", "", none, "github:https://github.com/a/b", ""},
		{"gitea:a/b", "", none, "!on which host", ""},
		{"gitlab:a/b", "", none, "!nowhere to release to", ""},
		{"", "", none, "!no remote", ""},
		{"", "/srv/git/tool.git", none, "!not on a forge", ""},
		{"", "file:///srv/git/tool.git", none, "!not on a forge", ""},
		{"folder:", "", none, "!folder:PATH", ""},
		{"folder:out", "https://github.com/a/b", none, "folder:/here/out", ""},
		{"folder:/srv/www/", "", none, "folder:/srv/www", ""},
		{"./out", "", none, "folder:/here/out", ""},
		{"github:../x", "", none, "!nowhere", ""},
		{"github", "https://github.com/../x", none, "!not on a forge", ""},
	} {
		got, err := ParseDestination(c.to, c.remote, "/here", c.getenv)
		if part, wrong := strings.CutPrefix(c.want, "!"); wrong {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("--to %q from %q: %v, %v; want an error with %q", c.to, c.remote, got, err, part)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("--to %q from %q: %v, %v; want %s", c.to, c.remote, got, err, c.want)
		}
	}
}

func TestCredentialsLeaveTheAddress(t *testing.T) {
	t.Parallel()
	clean, user, password := credentials("https://ada:s3cret@git.example.org/a/b.git")
	if clean != "https://git.example.org/a/b.git" || user != "ada" || password != "s3cret" {
		t.Errorf("got %s, %s, %s", clean, user, password)
	}
	if clean, user, _ := credentials("git@github.com:a/b.git"); clean != "git@github.com:a/b.git" || user != "" {
		t.Errorf("got %s, %s", clean, user)
	}
}

// Whatever is asked for, a destination is one that can be asked for again, and
// names nothing outside of it.
func FuzzParseDestination(f *testing.F) {
	for _, s := range [][2]string{{"", "git@github.com:a/b.git"}, {"gitea", "https://u:p@h:3000/x/a/b.git"}, {"folder:x", ""}, {"github:http://h/api/v3/a/b", "x"}, {"", "ssh://git@[::1]:22/a/b"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, to, remote string) {
		d, err := ParseDestination(to, remote, "/here", none)
		if err != nil {
			return
		}
		if d.Kind != ToFolder && d.Repo.Valid() {
			again, err := ParseDestination(d.String(), "", "/here", none)
			if err != nil || again != d {
				t.Errorf("%q from %q is %s, which is %s, %v", to, remote, d, again, err)
			}
		}
		if strings.Contains(d.Web, "@") {
			t.Errorf("%q from %q keeps a credential: %s", to, remote, d)
		}
	})
}
