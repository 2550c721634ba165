package forgetest

import (
	"errors"
	"strings"

	"seaworthy/forge"
)

var accessTests = map[string]func(*test){
	"a wrong token is refused":            wrongToken,
	"a stranger reads but does not write": strangerReads,
	"a private repository is hidden":      privateHidden,
}

func wrongToken(t *test) {
	w := t.seeded(t.Ann)
	const wrong = "this-token-is-nobodys"
	c := t.Dial(t.T, wrong)
	_, err := c.User(t.ctx)
	t.refused(err, forge.ErrUnauthorized, "User")
	_, err = c.CreateIssue(t.ctx, t.repo, forge.NewIssue{Title: "x"})
	t.refused(err, forge.ErrUnauthorized, "CreateIssue")
	if err != nil && strings.Contains(err.Error(), wrong) {
		t.Errorf("the error tells the token: %v", err)
	}
	w.git("remote", "set-url", "origin", t.remote(t.repo, t.Ann.Login, wrong))
	w.rejected("push", "--quiet", "origin", "main:refs/heads/other")
}

func strangerReads(t *test) {
	w := t.seeded(t.Ann)
	head := w.change("topic", "a", "1\n")
	p := w.pull("topic")
	c := t.Stranger.Client
	_, err := c.Repo(t.ctx, t.repo)
	t.need(err)
	_, err = c.CreateComment(t.ctx, t.repo, p.Number, "May I?")
	t.need(err)

	// GitHub answers some with "forbidden", and some as if nothing were there.
	denied := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, forge.ErrForbidden) && !errors.Is(err, forge.ErrNotFound) {
			t.Errorf("%s by a stranger gave %v; want it refused", what, err)
		}
	}
	denied("labelling", c.AddLabels(t.ctx, t.repo, p.Number, "lgtm"))
	denied("a status", c.SetStatus(t.ctx, t.repo, head, forge.Status{Context: "unit", State: forge.StatusSuccess}))
	_, err = c.MergePullRequest(t.ctx, t.repo, p.Number, forge.Merge{Method: forge.MethodMerge, SHA: head})
	denied("a merge", err)
	_, err = c.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v1"})
	denied("a release", err)
	denied("a branch", c.CreateBranch(t.ctx, t.repo, "mine", head))
	denied("closing", c.EditPullRequest(t.ctx, t.repo, p.Number, forge.EditPullRequest{State: ptr(forge.StateClosed)}))
	_, err = c.CreateHook(t.ctx, t.repo, forge.Hook{URL: "http://127.0.0.1:1/", Events: []string{"push"}, Active: true})
	denied("a hook", err)
	denied("protection", c.Protect(t.ctx, t.repo, "main", forge.Protection{}))
	equal(t, "state", t.pull(p.Number).State, forge.StateOpen)

	theirs := t.work(t.Stranger)
	theirs.git("fetch", "--quiet", "origin", "main")
	theirs.rejected("push", "--quiet", "origin", "FETCH_HEAD:refs/heads/mine")
}

func privateHidden(t *test) {
	n := forge.NewRepo{RepoName: forge.RepoName{Owner: t.Admin.Login, Name: t.repo.Name + "-private"}, Private: true}
	r, err := t.Admin.Client.CreateRepo(t.ctx, n)
	t.need(err)
	equal(t, "private", r.Private, true)
	_, err = t.Ann.Client.Repo(t.ctx, n.RepoName)
	t.refused(err, forge.ErrNotFound, "Repo")
	_, err = t.Ann.Client.CreateIssue(t.ctx, n.RepoName, forge.NewIssue{Title: "x"})
	t.refused(err, forge.ErrNotFound, "CreateIssue")
	t.repo = n.RepoName
	t.work(t.Ann).rejected("fetch", "--quiet", "origin")
	t.seeded(t.Admin)
	t.need(t.Admin.Client.AddCollaborator(t.ctx, n.RepoName, t.Ann.Login, "pull"))
	reader := t.work(t.Ann)
	reader.git("fetch", "--quiet", "origin", "main")
	reader.rejected("push", "--quiet", "origin", "FETCH_HEAD:refs/heads/mine")
}
