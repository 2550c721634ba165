package forgetest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"seaworthy/forge"
)

// worktree is a clone somebody works in.
type worktree struct {
	t   *test
	dir string
	who Account
}

// remote is the repository's URL with an account's credentials.
func (t *test) remote(repo forge.RepoName, login, token string) string {
	u, err := url.Parse(t.CloneURL(repo))
	t.need(err)
	u.User = url.UserPassword(login, token)
	return u.String()
}

// work starts an empty clone of the test's repository.
func (t *test) work(who Account) *worktree {
	t.Helper()
	w := &worktree{t: t, dir: t.TempDir(), who: who}
	w.git("init", "--quiet", "--initial-branch=main")
	w.git("remote", "add", "origin", t.remote(t.repo, who.Login, who.Token))
	return w
}

// seeded starts a clone with one commit, which is pushed to main.
func (t *test) seeded(who Account) *worktree {
	t.Helper()
	w := t.work(who)
	w.write("README", "a sample\n")
	w.commit("Begin")
	w.git("push", "--quiet", "origin", "main")
	t.known()
	return w
}

// known waits until the forge knows of the first push.
func (t *test) known() {
	t.Helper()
	if t.Pushed != nil {
		t.Pushed(t.T, t.repo)
	}
}

// run runs git, and returns what it printed.
func (w *worktree) run(args ...string) (string, error) {
	cmd := exec.CommandContext(w.t.ctx, "git", args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME="+w.who.Login, "GIT_AUTHOR_EMAIL="+w.who.Login+"@example.com",
		"GIT_COMMITTER_NAME="+w.who.Login, "GIT_COMMITTER_EMAIL="+w.who.Login+"@example.com")
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(strings.ReplaceAll(string(out), w.who.Token, "TOKEN"))
	if err != nil {
		return text, fmt.Errorf("git %s: %w\n%s", args[0], err, text)
	}
	return text, nil
}

// git runs git, which must work.
func (w *worktree) git(args ...string) string {
	w.t.Helper()
	out, err := w.run(args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// rejected runs git, which must be refused by the forge.
func (w *worktree) rejected(args ...string) string {
	w.t.Helper()
	out, err := w.run(args...)
	if err == nil {
		w.t.Errorf("git %v went through; want it refused", args)
	}
	return out
}

func (w *worktree) write(path, content string) {
	w.t.Helper()
	full := filepath.Join(w.dir, path)
	w.t.need(os.MkdirAll(filepath.Dir(full), 0o755))
	w.t.need(os.WriteFile(full, []byte(content), 0o644))
}

// commit records everything and returns the commit.
func (w *worktree) commit(message string) string {
	w.t.Helper()
	w.git("add", "--all")
	w.git("commit", "--quiet", "--allow-empty", "--message", message)
	return w.git("rev-parse", "HEAD")
}

// change makes a branch off main with one file written, pushes it and returns
// its tip.
func (w *worktree) change(branch, path, content string) string {
	w.t.Helper()
	w.git("checkout", "--quiet", "-b", branch, "main")
	w.write(path, content)
	sha := w.commit("Change " + path)
	w.git("push", "--quiet", "origin", branch)
	return sha
}

// pull opens a pull request from a pushed branch into main.
func (w *worktree) pull(branch string) forge.PullRequest {
	w.t.Helper()
	p, err := w.who.Client.CreatePullRequest(w.t.ctx, w.t.repo, forge.NewPullRequest{
		Title: "Take " + branch, Body: "Please.", Head: branch, Base: "main",
	})
	w.t.need(err)
	return p
}

// chain adds empty commits to the branch in one go and returns them, oldest
// first.
func (w *worktree) chain(count int) []string {
	w.t.Helper()
	base := w.git("rev-parse", "HEAD")
	branch := w.git("rev-parse", "--symbolic-full-name", "HEAD")
	var in strings.Builder
	for i := range count {
		message := fmt.Sprintf("Commit %d", i)
		fmt.Fprintf(&in, "commit %s\ncommitter %s <%s@example.com> %d +0000\ndata %d\n%s\n",
			branch, w.who.Login, w.who.Login, 1700000000+i, len(message), message)
		if i == 0 {
			fmt.Fprintf(&in, "from %s\n", base)
		}
		in.WriteString("\n")
	}
	cmd := exec.CommandContext(w.t.ctx, "git", "fast-import", "--quiet")
	cmd.Dir = w.dir
	cmd.Stdin = strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	return strings.Fields(w.git("rev-list", "--reverse", base+".."+branch))
}
