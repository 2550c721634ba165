package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"seaworthy/app"
	"seaworthy/artifact/sign"
	"seaworthy/forge"
	"seaworthy/forge/gitea"
	"seaworthy/forge/giteatest"
	"seaworthy/git"
)

// workflow is what a runner reads of docs/workflows/release.yaml.
type workflow struct {
	Jobs map[string]struct {
		Env   map[string]string `yaml:"env"`
		Steps []struct {
			Name string `yaml:"name"`
			Uses string `yaml:"uses"`
			Run  string `yaml:"run"`
			If   string `yaml:"if"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

// runner plays the runner of a forge's workflows: it has a checkout that holds a
// header with the token, and the variables that runners set.
type runner struct {
	t        *testing.T
	dir      string
	env      []string
	contexts map[string]string
}

var expression = regexp.MustCompile(`\$\{\{ *([a-zA-Z_.]+(?:\(\))?) *\}\}`)

func (r runner) fill(text string) string {
	return expression.ReplaceAllStringFunc(text, func(m string) string {
		name := expression.FindStringSubmatch(m)[1]
		value, known := r.contexts[name]
		if !known {
			r.t.Fatalf("the workflow asks for %s, which no runner of this test knows", m)
		}
		return value
	})
}

// run executes the shell steps as runners do: bash -eo pipefail, in the checkout.
func (r runner) run() {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "workflows", "release.yaml"))
	if err != nil {
		r.t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		r.t.Fatal(err)
	}
	job, ok := w.Jobs["release"]
	if !ok || len(job.Steps) < 5 {
		r.t.Fatalf("the workflow has no job with steps: %+v", w)
	}
	for name, value := range job.Env {
		r.env = append(r.env, name+"="+r.fill(value))
	}
	for _, step := range job.Steps {
		if step.Run == "" || step.If != "" && r.fill(step.If) != "true" {
			continue
		}
		cmd := exec.CommandContext(r.t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", r.fill(step.Run))
		cmd.Dir, cmd.Env = r.dir, r.env
		out, err := cmd.CombinedOutput()
		if err != nil {
			r.t.Fatalf("step %s: %v\n%s", step.Name, err, out)
		}
		if secret := r.contexts["secrets.GITHUB_TOKEN"]; strings.Contains(string(out), secret) {
			r.t.Errorf("step %s prints the token", step.Name)
		}
	}
}

// newRunner checks a repository out as the checkout action does.
func newRunner(t *testing.T, server, token string, repo forge.RepoName, more ...string) runner {
	t.Helper()
	program, err := exec.LookPath("seaworthy")
	if err != nil {
		t.Fatal(err)
	}
	r := runner{t: t, dir: filepath.Join(t.TempDir(), "checkout")}
	clone, err := git.Clone(t.Context(), server+"/"+repo.String()+".git", r.dir, git.CloneOptions{Auth: git.Auth{Token: token}})
	if err != nil {
		t.Fatal(err)
	}
	header := headerOf(git.Auth{Token: token})
	for _, args := range [][]string{{"config", "http." + server + "/.extraheader", header}, {"checkout", "-q", "--detach"}} {
		if _, err := clone.Git(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	key, err := sign.GenerateKey("ecdsa-p256")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := sign.EncodePrivateKey(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	caches, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache := strings.Fields(string(caches))
	r.env = append([]string{"PATH=" + filepath.Dir(program) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"GOCACHE=" + cache[0], "GOMODCACHE=" + cache[1], "GOPROXY=off", "GOTOOLCHAIN=local", "GIT_CONFIG_NOSYSTEM=1",
		"CI=true", "GITHUB_ACTIONS=true", "GITHUB_SERVER_URL=" + server, "GITHUB_API_URL=" + server + "/api/v3", "GITHUB_REPOSITORY=" + repo.String(),
		"GITHUB_REF_NAME=main", "GITHUB_ACTOR=ada", "GITHUB_JOB=release", "GITHUB_WORKFLOW=release"}, more...)
	r.contexts = map[string]string{"secrets.GITHUB_TOKEN": token, "secrets.RELEASE_SIGNING_KEY": string(pem), "inputs.type": "official", "inputs.publish": "true", "failure()": "false"}
	return r
}

// headerOf is how git sends a credential.
func headerOf(a git.Auth) string {
	for _, kv := range git.Environ(a) {
		if _, value, ok := strings.Cut(kv, "=Authorization: "); ok {
			return "Authorization: " + value
		}
	}
	return ""
}

var tidewatch = forge.RepoName{Owner: "harbour", Name: "tidewatch"}

// sampleModule is a repository with a module that says nothing of releases.
func sampleModule(t *testing.T) *git.Repository {
	t.Helper()
	repo, err := git.Init(t.Context(), filepath.Join(t.TempDir(), "tidewatch"), false, "main")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module example.org/tidewatch\n\ngo 1.22\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(repo.Dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"add", "."}, {"-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "Begin"}} {
		if _, err := repo.Git(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	return repo
}

// The documented workflow, step by step, on a forge with GitHub's interface.
func TestWorkflowOnGitHub(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: builds a project")
	}
	a, err := app.Open(t.Context(), app.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	// Nobody but the platform's account pushes to the branches of that forge.
	token, err := a.AddUser(t.Context(), forge.User{Login: app.BotLogin}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Import(t.Context(), tidewatch, sampleModule(t).Dir, ""); err != nil {
		t.Fatal(err)
	}
	newRunner(t, a.URL(), token, tidewatch).run()
	pages, err := a.Forge.Releases(t.Context(), tidewatch)
	if err != nil || len(pages) != 1 || pages[0].Draft {
		t.Errorf("release pages: %+v, %v", pages, err)
	}
}

// The same on a real Gitea.
func TestWorkflowOnGitea(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: starts a Gitea")
	}
	server := giteatest.Start(t)
	token := server.Account(t, tidewatch.Owner, false)
	c, err := gitea.New(gitea.Options{URL: server.URL, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateRepo(t.Context(), forge.NewRepo{RepoName: tidewatch}); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("%s/%s.git", server.URL, tidewatch)
	if err := sampleModule(t).WithAuth(git.Auth{Token: token}).Push(t.Context(), url, git.PushOptions{}, "refs/heads/main:refs/heads/main"); err != nil {
		t.Fatal(err)
	}
	newRunner(t, server.URL, token, tidewatch, "GITEA_ACTIONS=true").run()
	if r, err := c.Release(t.Context(), tidewatch, "v0.1.0"); err != nil || len(r.Assets) < 8 {
		t.Errorf("the page: %+v, %v", r, err)
	}
}
