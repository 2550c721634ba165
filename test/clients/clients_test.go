// Package clients_test drives the embedded forge with the programs that people
// have: git, and GitHub's gh.
package clients_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/app"
	"seaworthy/forge"
)

// person is ada at a terminal, and the platform she works with.
type person struct {
	t     *testing.T
	url   string // of the platform
	token string
	home  string
	dir   string // where commands run
}

func newPerson(t *testing.T) *person {
	t.Helper()
	a, err := app.Open(t.Context(), app.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, a.Close()); err != nil {
			t.Errorf("stopping the platform: %v", err)
		}
	})
	token, err := a.AddUser(t.Context(), forge.User{Login: "ada", Name: "Ada", Email: "ada@harbour.test"}, false)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t: t, url: a.URL(), token: token, home: t.TempDir(), dir: t.TempDir()}
}

// try runs a program and returns what it prints, errors too when it fails.
func (p *person) try(stdin []byte, program string, args ...string) (string, error) {
	p.t.Helper()
	host, err := url.Parse(p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), program, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.home, "GIT_TERMINAL_PROMPT=0", "GH_PROMPT_DISABLED=1", "NO_COLOR=1",
		// gh calls every host but github.com an enterprise's.
		"GH_HOST=" + host.Host, "GH_ENTERPRISE_TOKEN=" + p.token,
	}
	cmd.Stdin = bytes.NewReader(stdin)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String() + problems.String(), fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return out.String(), nil
}

func (p *person) run(program string, args ...string) string {
	p.t.Helper()
	out, err := p.try(nil, program, args...)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// git runs git with ada's credentials.
func (p *person) git(args ...string) string {
	p.t.Helper()
	return p.run("git", append(p.gitOptions(), args...)...)
}

func (p *person) gitOptions() []string {
	helper := fmt.Sprintf("!f() { echo username=ada; echo password=%s; }; f", p.token)
	return []string{"-c", "credential.helper=" + helper, "-c", "user.name=Ada", "-c", "user.email=ada@harbour.test", "-c", "init.defaultBranch=main"}
}

// gh calls the API; a path is below its root. The plain address keeps gh from
// asking for https, as it would of an enterprise.
func (p *person) gh(path string, args ...string) string {
	p.t.Helper()
	return p.run("gh", append([]string{"api", p.api(path)}, args...)...)
}

func (p *person) api(path string) string {
	if strings.HasPrefix(path, "http") {
		return path
	}
	return p.url + "/api/v3/" + path
}

// into decodes an answer.
func into[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func (p *person) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// needs skips a test where a program is not installed, and fails it in CI.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("needs %s, run make setup", program)
	}
	t.Skipf("skipped: needs %s, run make setup", program)
}

// begin makes a repository with gh, and pushes its first commit and a branch
// with a change.
func (p *person) begin() {
	p.t.Helper()
	made := into[struct {
		CloneURL string `json:"clone_url"`
		Private  bool   `json:"private"`
	}](p.t, p.gh("user/repos", "-f", "name=halyard", "-f", "description=Hoists.", "-F", "private=true"))
	if made.CloneURL != p.url+"/ada/halyard.git" || !made.Private {
		p.t.Errorf("made %+v", made)
	}
	p.git("clone", "-q", made.CloneURL, ".") // empty, which git says on stderr
	p.git("checkout", "-q", "-B", "main")
	p.write("README.md", "halyard\n")
	p.git("add", ".")
	p.git("commit", "-q", "-m", "Begin")
	p.git("push", "-q", "origin", "main")
	p.git("checkout", "-q", "-b", "knots")
	p.write("knots.txt", "bowline\n")
	p.git("add", ".")
	p.git("commit", "-q", "-m", "Tie knots")
	p.git("push", "-q", "-u", "origin", "knots")
}

func TestGit(t *testing.T) {
	t.Parallel()
	needs(t, "gh")
	p := newPerson(t)
	p.begin()
	head := strings.TrimSpace(p.git("rev-parse", "HEAD"))
	refs := p.git("ls-remote", "origin")
	for _, want := range []string{head + "\trefs/heads/knots", "\trefs/heads/main", "\tHEAD"} {
		if !strings.Contains(refs, want) {
			t.Errorf("ls-remote does not list %q:\n%s", want, refs)
		}
	}
	p.git("tag", "-a", "v0.0.1", "-m", "First")
	p.git("push", "-q", "origin", "v0.0.1", ":refs/heads/knots")
	if refs := p.git("ls-remote", "origin"); strings.Contains(refs, "heads/knots") || !strings.Contains(refs, "tags/v0.0.1^{}") {
		t.Errorf("after a tag was pushed and a branch deleted:\n%s", refs)
	}

	other := *p
	other.dir = t.TempDir()
	other.git("clone", "-q", "--depth", "1", p.url+"/ada/halyard.git", ".")
	if n := strings.TrimSpace(other.git("rev-list", "--count", "HEAD")); n != "1" {
		t.Errorf("a shallow clone has %s commits", n)
	}
	other.git("fetch", "-q", "--tags", "--unshallow")
	other.git("show", "v0.0.1:knots.txt")

	// A stranger sees nothing of what is private, and is told nothing more.
	stranger := other
	stranger.dir, stranger.token = t.TempDir(), "guessed"
	out, err := stranger.try(nil, "git", append(stranger.gitOptions(), "ls-remote", p.url+"/ada/halyard.git")...)
	if err == nil || strings.Contains(out, "refs/heads") {
		t.Errorf("a stranger lists refs: %v\n%s", err, out)
	}
	// Of two who push at the same place, the second is told to fetch first. It is
	// no branch that the platform protects.
	p.git("checkout", "-q", "main")
	for _, who := range []*person{p, &other} {
		who.write("log.txt", who.dir)
		who.git("add", ".")
		who.git("commit", "-q", "-m", "Log")
	}
	p.git("push", "-q", "origin", "HEAD:refs/heads/log")
	out, err = other.try(nil, "git", append(other.gitOptions(), "push", "origin", "HEAD:refs/heads/log")...)
	if err == nil || !strings.Contains(out, "[rejected]") {
		t.Errorf("a push over another: %v\n%s", err, out)
	}
}

type numbered struct {
	Number int    `json:"number"`
	State  string `json:"state"`
	Merged bool   `json:"merged"`
	Name   string `json:"name"`
	ID     int64  `json:"id"`
}

func TestGitHubCLI(t *testing.T) {
	t.Parallel()
	needs(t, "gh")
	p := newPerson(t)
	p.begin()
	if me := into[struct{ Login string }](t, p.gh("user")); me.Login != "ada" {
		t.Fatalf("gh works as %q", me.Login)
	}
	pr := into[numbered](t, p.gh("repos/ada/halyard/pulls", "-f", "title=Tie knots", "-f", "head=knots", "-f", "base=main", "-f", "body=They hold."))
	if pr.Number != 1 || pr.State != "open" {
		t.Fatalf("the pull request: %+v", pr)
	}
	p.gh("repos/ada/halyard/issues/1/comments", "-f", "body=They do.\n\nI tried.")
	p.gh("repos/ada/halyard/issues/1/labels", "-f", "labels[]=kind/feature", "-f", "labels[]=priority")
	if got := p.gh("repos/ada/halyard/issues/1/comments", "--jq", ".[] | .user.login + \": \" + .body"); got != "ada: They do.\n\nI tried.\n" {
		t.Errorf("comments: %q", got)
	}
	if got := p.gh("repos/ada/halyard/pulls/1", "--jq", "[.labels[].name] | sort | join(\" \")"); got != "kind/feature priority\n" {
		t.Errorf("labels: %q", got)
	}
	merged := into[numbered](t, p.gh("repos/ada/halyard/pulls/1/merge", "-X", "PUT", "-f", "merge_method=squash"))
	if !merged.Merged {
		t.Fatalf("the merge: %+v", merged)
	}
	p.git("fetch", "-q", "origin")
	if got := strings.TrimSpace(p.git("log", "-1", "--format=%s", "origin/main")); !strings.HasPrefix(got, "Tie knots") {
		t.Errorf("main ends with %q", got)
	}
	out, err := p.try(nil, "gh", "api", p.api("repos/ada/halyard/pulls/1/merge"), "-X", "PUT")
	if err == nil || !strings.Contains(out, "HTTP 405") {
		t.Errorf("merging twice: %v\n%s", err, out)
	}
	out, err = p.try(nil, "gh", "api", p.api("repos/ada/halyard/pulls"), "-f", "title=Again", "-f", "head=nowhere", "-f", "base=main")
	if err == nil || !strings.Contains(out, "HTTP 422") {
		t.Errorf("a pull request of nothing: %v\n%s", err, out)
	}
}

func TestGitHubCLIReleases(t *testing.T) {
	t.Parallel()
	needs(t, "gh")
	p := newPerson(t)
	p.begin()
	made := into[struct {
		ID        int64  `json:"id"`
		UploadURL string `json:"upload_url"`
		Draft     bool   `json:"draft"`
	}](t, p.gh("repos/ada/halyard/releases", "-f", "tag_name=v0.1.0", "-f", "target_commitish=main", "-f", "name=Halyard 0.1", "-F", "draft=true"))
	if !made.Draft {
		t.Errorf("made %+v", made)
	}
	content := bytes.Repeat([]byte("\x00hoist\r\n\xff"), 40_000) // more than a buffer, and no text
	upload, _, _ := strings.Cut(made.UploadURL, "{")
	out, err := p.try(content, "gh", "api", "-X", "POST", upload+"?name=halyard.bin&label=For+everybody", "-H", "Content-Type: application/octet-stream", "--input", "-")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	asset := into[numbered](t, out)
	if asset.Name != "halyard.bin" || asset.State != "uploaded" {
		t.Errorf("the asset: %s", out)
	}
	p.gh(fmt.Sprintf("repos/ada/halyard/releases/%d", made.ID), "-X", "PATCH", "-F", "draft=false")
	if got := p.gh("repos/ada/halyard/releases/latest", "--jq", ".tag_name"); got != "v0.1.0\n" {
		t.Errorf("the latest release is %q", got)
	}
	got := p.gh(fmt.Sprintf("repos/ada/halyard/releases/assets/%d", asset.ID), "-H", "Accept: application/octet-stream")
	if got != string(content) {
		t.Errorf("downloaded %d bytes, and they are not the %d that were uploaded", len(got), len(content))
	}
	p.git("fetch", "-q", "--tags")
	p.git("rev-parse", "v0.1.0^{commit}")
}

func TestGitHubCLIPaginates(t *testing.T) {
	t.Parallel()
	needs(t, "gh")
	p := newPerson(t)
	p.begin()
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("area/%d", i)
		want = append(want, name)
		p.gh("repos/ada/halyard/labels", "-f", "name="+name, "-f", "color=c5def5")
	}
	names := strings.Fields(p.gh("repos/ada/halyard/labels?per_page=3", "--paginate", "--jq", ".[].name"))
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, "area/") })
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("labels, three at a time (-want +got):\n%s", diff)
	}
	if first := strings.Fields(p.gh("repos/ada/halyard/labels?per_page=3", "--jq", ".[].name")); len(first) != 3 {
		t.Errorf("a page has %d labels: %q", len(first), first)
	}
}
