package app_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// plain is a module that says nothing of how it is released.
var plain = map[string]string{
	"go.mod": "module example.org/halyard\n\ngo 1.22\n", "main.go": "package main\n\nvar version string\n\nfunc main() { println(version) }\n",
	"LICENSE": "Do as you like.\n", "README.md": "halyard\n",
}

// lone is a repository that no platform serves, opened for one command.
type lone struct {
	*app.App
	t    *testing.T
	repo forge.RepoName
}

// env is an environment of its own.
func env(values ...string) func(string) string {
	return func(name string) string {
		for _, kv := range values {
			if v, ok := strings.CutPrefix(kv, name+"="); ok {
				return v
			}
		}
		return ""
	}
}

// standAlone opens a clone. Nothing of the platform's forge is there.
func standAlone(t *testing.T, clone *git.Repository, s app.Standalone, set ...func(*app.Options)) lone {
	t.Helper()
	s.Clone, s.Name = clone, halyard
	if s.Getenv == nil {
		s.Getenv = env()
	}
	o := app.Options{Dir: filepath.Join(clone.Dir, app.DefaultDir), Log: testLog(t)}
	for _, change := range set {
		change(&o)
	}
	a, err := app.OpenStandalone(t.Context(), o, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	repos, err := a.Repos(t.Context())
	if err != nil || len(repos) != 1 {
		t.Fatalf("repositories %v, %v", repos, err)
	}
	return lone{a, t, repos[0]}
}

func (l lone) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// run drives what was started to its end.
func (l lone) run(r flow.Run, err error) {
	l.t.Helper()
	l.must(err)
	state, err := l.Releases.Drive(l.t.Context(), r.ID, flow.DriveOptions{})
	if err != nil || state != flow.Succeeded {
		l.t.Fatalf("%s %s: %s, %v", r.Flow, r.ID, state, err)
	}
}

// release stages, rehearses and cuts, and has the result verified.
func (l lone) release(tag string) {
	l.t.Helper()
	ctx := l.t.Context()
	l.run(l.Releases.Stage(ctx, cut.StageRequest{Repo: l.repo, Kind: release.Official, Actor: "ada"}))
	plan, err := l.Releases.Plan(ctx, cut.StageRequest{Repo: l.repo, Kind: release.Official})
	l.must(err)
	if got := plan.Version().String(); got != tag {
		l.t.Fatalf("the plan is %s, want %s", got, tag)
	}
	l.run(l.Releases.Cut(ctx, cut.CutRequest{Repo: l.repo, BuildVersion: plan.BuildVersion, Mock: true, Actor: "ada"}))
	l.run(l.Releases.Cut(ctx, cut.CutRequest{Repo: l.repo, BuildVersion: plan.BuildVersion, Actor: "ada"}))
	l.verified(tag)
}

func (l lone) verified(tag string) {
	l.t.Helper()
	report, err := l.VerifyRelease(l.t.Context(), l.repo, tag, nil)
	l.must(err)
	if !report.OK {
		l.t.Errorf("%s does not hold: %+v", tag, report.Failures())
	}
}

// cloned is a clone of a remote, by git itself.
func cloned(t *testing.T, url string, auth git.Auth) *git.Repository {
	t.Helper()
	clone, err := git.Clone(t.Context(), url, filepath.Join(t.TempDir(), "halyard"), git.CloneOptions{Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	return clone.WithAuth(git.Auth{})
}

// A module that says nothing is released to a folder: nothing is there after a
// rehearsal, everything after the cut, and the next release follows it.
func TestReleaseToAFolder(t *testing.T) {
	t.Parallel()
	origin := repository(t, "main", plain)
	clone := cloned(t, origin.Dir, git.Auth{})
	out := filepath.Join(t.TempDir(), "www")
	l := standAlone(t, clone, app.Standalone{To: "folder:" + out})
	l.run(l.Releases.Stage(t.Context(), cut.StageRequest{Repo: l.repo, Kind: release.Official, Mock: true, Actor: "ada"}))
	plan, err := l.Releases.Plan(t.Context(), cut.StageRequest{Repo: l.repo, Kind: release.Official})
	l.must(err)
	l.run(l.Releases.Cut(t.Context(), cut.CutRequest{Repo: l.repo, BuildVersion: plan.BuildVersion, Mock: true, Actor: "ada"}))
	if have, err := os.ReadDir(out); err == nil && len(have) > 0 {
		t.Errorf("a rehearsal left %v", have)
	}
	l.release("v0.1.0")
	below := filepath.Join(out, "release", "harbour", "halyard")
	for file, part := range map[string]string{"stable.txt": "v0.1.0", "v0.1.0/release.json": `"tag": "v0.1.0"`, "v0.1.0/release.md": "halyard_0.1.0_linux_amd64.tar.gz"} {
		text, err := os.ReadFile(filepath.Join(below, file))
		if err != nil || !strings.Contains(string(text), part) {
			t.Errorf("%s holds %q, %v", file, text, err)
		}
	}
	for _, private := range []string{"stage", "archive", "mock"} {
		if _, err := os.Stat(filepath.Join(out, private)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s lies where everybody looks: %v", private, err)
		}
	}
	public := filepath.Join(out, "harbour", "halyard.git")
	reader := cloned(t, public, git.Auth{})
	if _, err := reader.Resolve(t.Context(), "refs/tags/v0.1.0"); err != nil {
		t.Error(err)
	}
	// Neither the clone nor its origin was touched, and the state ignores itself.
	for _, repo := range []*git.Repository{clone, origin} {
		if refs, err := repo.Refs(t.Context(), "refs/tags"); err != nil || len(refs) > 0 {
			t.Errorf("%s has tags %v, %v", repo.Dir, refs, err)
		}
	}
	if text, err := clone.Git(t.Context(), "status", "--porcelain"); err != nil || text != "" {
		t.Errorf("the clone has changes: %q, %v", text, err)
	}
	// The next one.
	write(t, clone.Dir, map[string]string{"README.md": "halyard, better\n"})
	if _, err := clone.Git(t.Context(), "-c", "user.name=Ada", "-c", "user.email=ada@harbour.test", "commit", "-qam", "Better"); err != nil {
		t.Fatal(err)
	}
	l.release("v0.2.0")
	l.verified("v0.1.0")
}

// What is published and then meddled with does not verify.
func TestFolderMeddledWith(t *testing.T) {
	t.Parallel()
	clone := cloned(t, repository(t, "main", plain).Dir, git.Auth{})
	out := filepath.Join(t.TempDir(), "www")
	l := standAlone(t, clone, app.Standalone{To: "folder:" + out})
	l.release("v0.1.0")
	file := filepath.Join(out, "release", "harbour", "halyard", "v0.1.0", "halyard_0.1.0_linux_amd64.tar.gz")
	text, err := os.ReadFile(file)
	l.must(err)
	text[len(text)/2] ^= 1
	l.must(os.WriteFile(file, text, 0o644))
	report, err := l.VerifyRelease(t.Context(), l.repo, "v0.1.0", nil)
	l.must(err)
	if report.OK {
		t.Error("a changed archive goes unnoticed")
	}
}

// The embedded forge is a GitHub of one's own to somebody with a clone and a
// token, whom no platform helps.
func TestReleaseToAGitHubEnterprise(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(plain)
	p.settled()
	token, err := os.ReadFile(filepath.Join(p.dir, "secrets", app.BotLogin+"-token"))
	p.must(err)
	secret := strings.TrimSpace(string(token))
	clone := cloned(t, p.GitURL(halyard), git.Auth{Token: secret})
	l := standAlone(t, clone, app.Standalone{To: "github", Getenv: env("GITHUB_TOKEN=" + secret)})
	l.release("v0.1.0")
	pages, err := p.Forge.Releases(t.Context(), halyard)
	p.must(err)
	if len(pages) != 1 || pages[0].Draft || pages[0].Tag != "v0.1.0" || len(pages[0].Assets) < 8 {
		t.Errorf("release pages: %+v", pages)
	}
	if who, err := l.Account(t.Context(), "somebody"); err != nil || who != app.BotLogin {
		t.Errorf("the account is %s, %v", who, err)
	}
	p.settled() // the platform behind that forge tests the changelog
	p.until("its job is over", func() bool {
		all := p.executions(job.ExecutionFilter{Repo: halyard.String()})
		return !slices.ContainsFunc(all, func(e job.Execution) bool { return e.State == job.Triggered || e.State == job.Pending })
	})
	l.gated(p.Forge)
	l.keepsQuiet(clone, secret)
}

// checking is a forge that takes statuses and issues.
type checking interface {
	SetStatus(ctx context.Context, repo forge.RepoName, sha string, s forge.Status) error
	CreateIssue(ctx context.Context, repo forge.RepoName, n forge.NewIssue) (forge.Issue, error)
}

var _ checking = (*github.Client)(nil)

// gated checks that what the forge knows of the next release holds it back.
func (l lone) gated(f checking) {
	l.t.Helper()
	ctx := l.t.Context()
	plan, err := l.Releases.Plan(ctx, cut.StageRequest{Repo: l.repo, Kind: release.Official})
	l.must(err)
	gate := func(name string) release.Gate {
		v, err := l.Releases.Verdict(ctx, plan)
		l.must(err)
		i := slices.IndexFunc(v.Gates, func(g release.Gate) bool { return g.Name == name })
		if i < 0 {
			return release.Gate{}
		}
		return v.Gates[i]
	}
	if g := gate("checks"); strings.Contains(fmt.Sprint(g), "unit") || g.Name != "" && g.State != release.Go {
		l.t.Errorf("without a status of ours: %+v", g)
	}
	l.must(f.SetStatus(ctx, l.repo, plan.Commit, forge.Status{Context: "unit", State: forge.StatusFailure, Description: "It leaks"}))
	if g := gate("checks"); g.State != release.NoGo || !strings.Contains(fmt.Sprint(g), "unit") {
		l.t.Errorf("with a red status: %+v", g)
	}
	l.must(f.SetStatus(ctx, l.repo, plan.Commit, forge.Status{Context: "unit", State: forge.StatusSuccess}))
	if g := gate("checks"); g.State != release.Go {
		l.t.Errorf("with a green status: %+v", g)
	}
	if g := gate("blockers"); g.State != release.Go {
		l.t.Errorf("without blockers: %+v", g)
	}
	_, err = f.CreateIssue(ctx, l.repo, forge.NewIssue{Title: "It leaks", Labels: []string{"tide/merge-blocker"}})
	l.must(err)
	if g := gate("blockers"); g.State != release.NoGo {
		l.t.Errorf("with a blocker: %+v", g)
	}
}

// keepsQuiet looks for a token where it must not be: anywhere in the state, the
// databases included.
func (l lone) keepsQuiet(clone *git.Repository, secret string) {
	l.t.Helper()
	l.must(filepath.WalkDir(filepath.Join(clone.Dir, app.DefaultDir), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), secret) {
			l.t.Errorf("%s holds the token", path)
		}
		return err
	}))
}

func TestReleaseToGitea(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: starts a Gitea")
	}
	clone, c, token := onGitea(t, plain)
	l := standAlone(t, clone, app.Standalone{To: "gitea", Getenv: env("GITEA_TOKEN=" + token)})
	l.release("v0.1.0")
	page, err := c.Release(t.Context(), halyard, "v0.1.0")
	if err != nil || page.Prerelease || len(page.Assets) < 8 {
		t.Errorf("the page: %+v, %v", page, err)
	}
	if _, err := c.File(t.Context(), halyard, "CHANGELOG/CHANGELOG-0.1.md", "main"); err != nil {
		t.Errorf("the changelog: %v", err)
	}
	l.gated(c)
	l.keepsQuiet(clone, token)
}

// Where releases go is remembered, and does not change under one.
func TestDestinationIsRemembered(t *testing.T) {
	t.Parallel()
	clone := cloned(t, repository(t, "main", plain).Dir, git.Auth{})
	dir := filepath.Join(clone.Dir, app.DefaultDir)
	try := func(s app.Standalone) (string, error) {
		s.Clone, s.Name, s.Getenv = clone, halyard, env()
		a, err := app.OpenStandalone(t.Context(), app.Options{Dir: dir}, s)
		if err != nil {
			return "", err
		}
		return a.Where(), a.Close()
	}
	var choice *app.ChoiceError
	if _, err := try(app.Standalone{}); !errors.As(err, &choice) {
		t.Errorf("without any destination: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a mistake left %s: %v", dir, err)
	}
	if _, err := try(app.Standalone{Remote: "https://ada:s3cret@forge.example/a/b.git"}); !errors.As(err, &choice) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a password on the command line: %v", err)
	}
	first := filepath.Join(t.TempDir(), "first")
	for _, s := range []app.Standalone{{To: "folder:" + first}, {}} {
		if said, err := try(s); err != nil || !strings.Contains(said, first) {
			t.Errorf("with %q: %q, %v", s.To, said, err)
		}
	}
	l := standAlone(t, clone, app.Standalone{})
	run, err := l.Releases.Stage(t.Context(), cut.StageRequest{Repo: l.repo, Kind: release.Official, Mock: true, Actor: "ada"})
	l.must(err)
	if _, err := l.Releases.Stage(t.Context(), cut.StageRequest{Repo: l.repo, Kind: release.Official, Mock: true, Actor: "ben"}); err == nil || !strings.Contains(err.Error(), run.ID) {
		t.Errorf("two at once: %v", err)
	}
	if _, err := try(app.Standalone{To: "folder:" + filepath.Join(t.TempDir(), "second")}); err == nil || !strings.Contains(err.Error(), run.ID) {
		t.Errorf("another destination while one is under way: %v", err)
	}
	l.run(run, nil)
	if _, err := try(app.Standalone{To: "folder:" + filepath.Join(t.TempDir(), "second")}); err != nil {
		t.Errorf("another destination afterwards: %v", err)
	}
}

// What cannot be done is refused before an hour is spent.
func TestStandaloneRefusals(t *testing.T) {
	t.Parallel()
	images := map[string]string{"seaworthy.yaml": "version: 1\nimages:\n- {name: halyard}\nrelease: {gates: {rehearsal: optional}}\n"}
	for name, content := range plain {
		images[name] = content
	}
	clone := cloned(t, repository(t, "main", images).Dir, git.Auth{})
	l := standAlone(t, clone, app.Standalone{To: "folder:" + t.TempDir()})
	if _, err := l.Releases.Plan(t.Context(), cut.StageRequest{Repo: l.repo, Branch: "main", Kind: release.Alpha}); err == nil || !strings.Contains(err.Error(), "--registry") {
		t.Errorf("images without a registry: %v", err)
	}
	shallow := filepath.Join(t.TempDir(), "shallow")
	origin := repository(t, "main", plain)
	for _, n := range []string{"one", "two"} {
		if _, err := origin.Git(t.Context(), "-c", "user.name=Ada", "-c", "user.email=a@b.c", "commit", "--allow-empty", "-qm", n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := origin.Git(t.Context(), "clone", "-q", "--depth=1", "file://"+origin.Dir, shallow); err != nil {
		t.Fatal(err)
	}
	repo, err := git.Open(t.Context(), shallow)
	l.must(err)
	l = standAlone(t, repo, app.Standalone{To: "folder:" + t.TempDir()})
	if _, err := l.Releases.Plan(t.Context(), cut.StageRequest{Repo: l.repo, Kind: release.Official}); err == nil || !strings.Contains(err.Error(), "--unshallow") {
		t.Errorf("a shallow clone: %v", err)
	}
	secret := filepath.Join(t.TempDir(), "token")
	l.must(os.WriteFile(secret, []byte("two words\n"), 0o600))
	_, err = app.OpenStandalone(t.Context(), app.Options{Dir: filepath.Join(t.TempDir(), "state")},
		app.Standalone{Clone: clone, Name: halyard, To: "github:a/b", TokenFile: secret, Getenv: env()})
	if err == nil || !strings.Contains(err.Error(), "one token") || strings.Contains(err.Error(), "two words") {
		t.Errorf("a bad token file: %v", err)
	}
}

// Who signs off without a platform is who the roles name, and no administrator.
func TestStandaloneApproval(t *testing.T) {
	t.Parallel()
	files := map[string]string{"seaworthy.yaml": "version: 1\nrelease: {gates: {rehearsal: optional, approvals: [{role: captain, logins: [ada]}]}}\n"}
	for name, content := range plain {
		files[name] = content
	}
	repo := repository(t, "main", files)
	// It was released from its default branch before.
	if _, err := repo.Git(t.Context(), "-c", "user.name=Ada", "-c", "user.email=a@b.c", "tag", "-am", "v0.1.0", "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Git(t.Context(), "-c", "user.name=Ada", "-c", "user.email=a@b.c", "commit", "--allow-empty", "-qm", "More"); err != nil {
		t.Fatal(err)
	}
	l := standAlone(t, cloned(t, repo.Dir, git.Auth{}), app.Standalone{To: "folder:" + filepath.Join(t.TempDir(), "www")})
	ctx := t.Context()
	l.run(l.Releases.Stage(ctx, cut.StageRequest{Repo: l.repo, Kind: release.Official, Actor: "ada"}))
	plan, err := l.Releases.Plan(ctx, cut.StageRequest{Repo: l.repo, Kind: release.Official})
	l.must(err)
	r, err := l.Releases.Cut(ctx, cut.CutRequest{Repo: l.repo, BuildVersion: plan.BuildVersion, Actor: "ada"})
	l.must(err)
	if state, err := l.Releases.Drive(ctx, r.ID, flow.DriveOptions{}); err != nil || state != flow.Waiting {
		t.Fatalf("a cut that needs approval: %s, %v", state, err)
	}
	for _, login := range []string{"ben", app.AdminLogin} {
		if err := l.Approve(ctx, r.ID, "captain", login, ""); err == nil || !strings.Contains(err.Error(), "ada") {
			t.Errorf("%s approves: %v", login, err)
		}
	}
	l.must(l.Approve(ctx, r.ID, "captain", "ada", "it is good"))
	if state, err := l.Releases.Drive(ctx, r.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Errorf("after the approval: %s, %v", state, err)
	}
	l.verified(plan.Version().String())
}
