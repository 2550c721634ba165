package app_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/forge/gitea"
	"seaworthy/forge/giteatest"
	"seaworthy/git"
	"seaworthy/notify/mailtest"
)

// peopled is a forge with all that people work with.
type peopled interface {
	Issues(ctx context.Context, repo forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error)
	PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error)
	Milestones(ctx context.Context, repo forge.RepoName, state string) ([]forge.Milestone, error)
	CreateMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) (forge.Milestone, error)
	File(ctx context.Context, repo forge.RepoName, path, ref string) ([]byte, error)
}

// spoken are the files of a project that speaks.
var spoken = map[string]string{"seaworthy.yaml": speaking, "README.md": "halyard\n", "OWNERS": sources["OWNERS"], "variants.txt": "go=1.26\nrelease=v0.0.0\n"}

// tells releases from a clone, and looks for all that a platform tells people
// and leaves for them.
func tells(t *testing.T, clone *git.Repository, f peopled, s app.Standalone) {
	t.Helper()
	chat := &fakeChat{messages: map[string]string{}}
	server := httptest.NewServer(chat)
	t.Cleanup(server.Close)
	sink := mailtest.New(t, mailtest.Options{})
	said := app.Speaking{SMTP: "smtp://" + sink.Addr + "?tls=none", ChatToken: app.Secret{Text: "xoxb-1"}, ChatAddress: server.URL + "/api/", Every: time.Millisecond}
	l := standAlone(t, clone, s, func(o *app.Options) { o.Speaking = said })
	ctx := t.Context()
	_, err := f.CreateMilestone(ctx, halyard, forge.Milestone{Title: "before v0.1.0-alpha.0"})
	l.must(err)
	l.must(releaseIt(ctx, l.App))
	l.verified("v0.1.0-alpha.0")
	l.must(l.Close()) // which says what is still to be said

	all, err := f.Issues(ctx, halyard, forge.IssueFilter{State: "all"})
	l.must(err)
	issues := map[string]forge.Issue{}
	for _, i := range all {
		if !i.IsPull {
			issues[i.Title] = i
		}
	}
	own := issues["Cut v0.1.0-alpha.0 release"]
	if len(issues) != 2 || own.State != forge.StateClosed || issues["Publish v0.1.0-alpha.0"].State != forge.StateOpen {
		t.Errorf("the issues are %+v", issues)
	}
	says(t, own.Body, "### Stage: succeeded", "### Cut: succeeded", "- [x] Push the tag")
	pulls, err := f.PullRequests(ctx, halyard, forge.PullFilter{})
	l.must(err)
	if len(pulls) != 1 || pulls[0].Title != "Build on v0.1.0-alpha.0" {
		t.Fatalf("the changes are %+v", pulls)
	}
	if text, err := f.File(ctx, halyard, "variants.txt", pulls[0].Head.SHA); err != nil || string(text) != "go=1.26\nrelease=v0.1.0-alpha.0\n" {
		t.Errorf("proposed is %q, %v", text, err)
	}
	milestones, err := f.Milestones(ctx, halyard, "all")
	l.must(err)
	states := map[string]forge.State{}
	for _, m := range milestones {
		states[m.Title] = m.State
	}
	if states["v0.1.0"] != forge.StateOpen || states["before v0.1.0-alpha.0"] != forge.StateClosed {
		t.Errorf("the milestones are %v", states)
	}
	if mails := sink.Messages(); len(mails) != 1 || !strings.Contains(mails[0].Data, "Subject: halyard v0.1.0-alpha.0\n") {
		t.Errorf("the mails are %+v", mails)
	}
	chat.mu.Lock()
	defer chat.mu.Unlock()
	if chat.posted != 2 || len(chat.messages) != 2 {
		t.Errorf("%d messages were posted: %v", chat.posted, chat.messages)
	}
	for _, m := range chat.messages {
		// There is no page to point at but that of the workflow.
		if !strings.Contains(m, "succeeded") || strings.Contains(m, "/releases/") || s.Getenv("GITHUB_RUN_ID") != "" && !strings.Contains(m, "/harbour/halyard/actions/runs/77") {
			t.Errorf("the chat says %q", m)
		}
	}
}

func TestStandaloneTellsPeopleAtGitHub(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(spoken)
	p.settled()
	token, err := os.ReadFile(filepath.Join(p.dir, "secrets", app.BotLogin+"-token"))
	p.must(err)
	secret := strings.TrimSpace(string(token))
	clone := cloned(t, p.GitURL(halyard), git.Auth{Token: secret})
	tells(t, clone, p.Forge, app.Standalone{To: "github", Getenv: env("GITHUB_TOKEN="+secret, "GITHUB_SERVER_URL="+p.URL(), "GITHUB_REPOSITORY=harbour/halyard", "GITHUB_RUN_ID=77")})
}

func TestStandaloneTellsPeopleAtGitea(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: starts a Gitea")
	}
	clone, c, token := onGitea(t, spoken)
	tells(t, clone, c, app.Standalone{To: "gitea", Getenv: env("GITEA_TOKEN=" + token)})
}

// onGitea is a clone of a repository on a real Gitea.
func onGitea(t *testing.T, files map[string]string) (*git.Repository, *gitea.Client, string) {
	t.Helper()
	server := giteatest.Start(t)
	token := server.Account(t, "harbour", false)
	c, err := gitea.New(gitea.Options{URL: server.URL, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateRepo(t.Context(), forge.NewRepo{RepoName: halyard}); err != nil {
		t.Fatal(err)
	}
	url := server.URL + "/harbour/halyard.git"
	if err := repository(t, "main", files).WithAuth(git.Auth{Token: token}).Push(t.Context(), url, git.PushOptions{}, "refs/heads/main:refs/heads/main"); err != nil {
		t.Fatal(err)
	}
	return cloned(t, url, git.Auth{Token: token}), c, token
}
