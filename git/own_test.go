package git

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A person's own ways to a remote are taken over, and nothing else of theirs.
func TestOwnSettings(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_ASKPASS", "/bin/echo")
	t.Setenv("GIT_SSH_COMMAND", "")
	global := "[user]\n\tname = Ada\n\temail = ada@example.org\n[credential]\n\thelper = store\n[core]\n\thooksPath = /nowhere\n[url \"https://mirror.example/\"]\n\tinsteadOf = https://slow.example/\n"
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(global), 0o600); err != nil {
		t.Fatal(err)
	}
	repo, err := Init(t.Context(), filepath.Join(t.TempDir(), "clone"), false, "main")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "AUTHORIZATION: basic c2VjcmV0"
	if _, err := repo.Git(t.Context(), "config", "http.https://forge.example/.extraheader", secret); err != nil {
		t.Fatal(err)
	}
	own, err := OwnSettings(t.Context(), repo.Dir)
	if err != nil {
		t.Fatal(err)
	}
	env := Environ(Auth{Own: own})
	for _, want := range []string{"HOME=" + home, "GIT_ASKPASS=/bin/echo", "GIT_CONFIG_VALUE_0=store"} {
		if !slices.Contains(env, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
	all := strings.Join(env, "\n")
	for want, there := range map[string]bool{secret: true, "https://slow.example/": true, "BatchMode": true, "/nowhere": false, "ada@example.org": false} {
		if strings.Contains(all, want) != there {
			t.Errorf("the environment holds %q: %t", want, !there)
		}
	}
	for url, sends := range map[string]bool{"https://forge.example/a/b.git": true, "https://other.example/a/b.git": false} {
		if got := own.Sends(t.Context(), repo.Dir, url); got != sends {
			t.Errorf("a header of one's own goes to %s: %t", url, got)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", Auth{Own: own}, Auth{Own: own}, own, own); strings.Contains(text, "c2VjcmV0") {
		t.Errorf("the secret is printed: %s", text)
	}
	if name, email := OwnIdentity(t.Context(), repo.Dir); name != "Ada" || email != "ada@example.org" {
		t.Errorf("the person is %s <%s>", name, email)
	}
}

// The header that a checkout action leaves in a clone is what a fetch of
// another clone of that remote sends, once.
func TestOwnHeaderReachesTheRemote(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, strings.Join(r.Header.Values("Authorization"), ","))
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	repo, err := Init(t.Context(), filepath.Join(t.TempDir(), "clone"), false, "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Git(t.Context(), "config", "http."+server.URL+"/.extraheader", "Authorization: basic b3du"); err != nil {
		t.Fatal(err)
	}
	own, err := OwnSettings(t.Context(), repo.Dir)
	if err != nil {
		t.Fatal(err)
	}
	cache := NewCache(filepath.Join(t.TempDir(), "cache"))
	_, err = cache.Repository(t.Context(), server.URL+"/a/b.git", Auth{Own: own})
	if err == nil || strings.Contains(err.Error(), "b3du") {
		t.Errorf("fetching from nothing gave %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) == 0 || got[0] != "basic b3du" {
		t.Errorf("the remote was sent %q", got)
	}
}

// A remote reached by SSH is reached with the command that the clone names, as
// a checkout with a key leaves it; pushes, too.
func TestOwnSSH(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	remote, err := Init(ctx, filepath.Join(t.TempDir(), "remote.git"), true, "main")
	if err != nil {
		t.Fatal(err)
	}
	clone, err := Init(ctx, filepath.Join(t.TempDir(), "clone"), false, "main")
	if err != nil {
		t.Fatal(err)
	}
	// What a server behind SSH does: run the command that Git asks for.
	log := filepath.Join(t.TempDir(), "asked")
	ssh := filepath.Join(t.TempDir(), "ssh")
	script := "#!/bin/sh\necho \"$@\" >>" + log + "\nfor last; do :; done\nexec sh -c \"$last\"\n"
	if err := os.WriteFile(ssh, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "core.sshCommand", ssh},
		{"-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "--allow-empty", "-m", "Begin"}} {
		if _, err := clone.Git(ctx, args...); err != nil {
			t.Fatal(err)
		}
	}
	own, err := OwnSettings(ctx, clone.Dir)
	if err != nil {
		t.Fatal(err)
	}
	url := "ssh://git@forge.example:2222" + remote.Dir
	if err := clone.WithAuth(Auth{Own: own}).Push(ctx, url, PushOptions{}, "HEAD:refs/heads/main"); err != nil {
		t.Fatal(err)
	}
	mirror, err := NewCache(filepath.Join(t.TempDir(), "cache")).Repository(ctx, url, Auth{Own: own})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mirror.Resolve(ctx, "refs/heads/main"); err != nil {
		t.Error(err)
	}
	asked, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(asked), "git@forge.example") || !strings.Contains(string(asked), "git-receive-pack") {
		t.Errorf("SSH was asked %q, %v", asked, err)
	}
}
