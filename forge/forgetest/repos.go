package forgetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"seaworthy/forge"
)

// nowhere is a commit that no repository has.
const nowhere = "dead00000000000000000000000000000000beef"

var repositoryTests = map[string]func(*test){
	"user is the token's account": func(t *test) {
		for _, a := range []Account{t.Admin, t.Ann, t.Ben} {
			u, err := a.Client.User(t.ctx)
			t.need(err)
			equal(t, "login", u.Login, a.Login)
		}
	},
	"a new repository is empty and can be looked up": newRepository,
	"the default branch can be chosen":               defaultBranch,
	"collaborators are listed":                       collaborators,
	"a repository that is not there": func(t *test) {
		gone := forge.RepoName{Owner: t.repo.Owner, Name: t.repo.Name + "-gone"}
		c := t.Ann.Client
		_, err := c.Repo(t.ctx, gone)
		t.refused(err, forge.ErrNotFound, "Repo")
		_, err = c.Branches(t.ctx, gone)
		t.refused(err, forge.ErrNotFound, "Branches")
		_, err = c.Issues(t.ctx, gone, forge.IssueFilter{})
		t.refused(err, forge.ErrNotFound, "Issues")
		_, err = c.Releases(t.ctx, gone)
		t.refused(err, forge.ErrNotFound, "Releases")
		t.refused(c.RemoveLabel(t.ctx, gone, 1, "bug"), forge.ErrNotFound, "RemoveLabel")
	},
	"a cancelled call says so": func(t *test) {
		ctx, cancel := context.WithCancel(t.ctx)
		cancel()
		_, err := t.Ann.Client.Repo(ctx, t.repo)
		t.refused(err, context.Canceled, "Repo")
	},
}

func newRepository(t *test) {
	r, err := t.Admin.Client.Repo(t.ctx, t.repo)
	t.need(err)
	equal(t, "name", r.RepoName, t.repo)
	equal(t, "default branch", r.DefaultBranch, "main")
	if !strings.HasPrefix(r.HTMLURL, "http") || !strings.HasPrefix(r.CloneURL, "http") {
		t.Errorf("URLs are %q and %q", r.HTMLURL, r.CloneURL)
	}
	branches, err := t.Admin.Client.Branches(t.ctx, t.repo)
	t.need(err)
	equal(t, "number of branches", len(branches), 0)

	_, err = t.Admin.Client.CreateRepo(t.ctx, forge.NewRepo{RepoName: t.repo})
	t.refused(err, forge.ErrExists, "creating it again")
}

func defaultBranch(t *test) {
	n := forge.NewRepo{RepoName: forge.RepoName{Owner: t.Admin.Login, Name: t.repo.Name + "-trunk"}, Description: "with a trunk", DefaultBranch: "trunk"}
	_, err := t.Admin.Client.CreateRepo(t.ctx, n)
	t.need(err)
	t.repo = n.RepoName
	w := t.work(t.Admin)
	w.write("README", "trunk\n")
	w.commit("Begin")
	w.git("push", "--quiet", "origin", "HEAD:refs/heads/trunk")
	t.known()
	r, err := t.Admin.Client.Repo(t.ctx, n.RepoName)
	t.need(err)
	equal(t, "default branch", r.DefaultBranch, "trunk")
	equal(t, "description", r.Description, "with a trunk")
	content, err := t.Admin.Client.File(t.ctx, n.RepoName, "README", "")
	t.need(err)
	equal(t, "README at the default branch", string(content), "trunk\n")
}

func collaborators(t *test) {
	t.need(t.Admin.Client.AddCollaborator(t.ctx, t.repo, t.Stranger.Login, "push"))
	users, err := t.Admin.Client.Collaborators(t.ctx, t.repo)
	t.need(err)
	logins := names(users, func(u forge.User) string { return u.Login })
	for _, want := range []string{t.Admin.Login, t.Ann.Login, t.Ben.Login, t.Stranger.Login} {
		if !slices.Contains(logins, want) {
			t.Errorf("collaborators are %v, without %s", logins, want)
		}
	}
	t.refused(t.Admin.Client.AddCollaborator(t.ctx, t.repo, "nobody-of-this-name", "push"), forge.ErrNotFound, "adding an unknown account")
}

var branchTests = map[string]func(*test){
	"branches come and go":                    branchesComeAndGo,
	"branches are listed to the last":         manyBranches,
	"a protected branch takes no direct push": protectedBranch,
	"a protected branch demands its contexts": requiredContexts,
	"a protection comes back as it was given": protectionComesBack,
}

func branchesComeAndGo(t *test) {
	w := t.seeded(t.Ann)
	tip := w.git("rev-parse", "HEAD")
	c := t.Ann.Client
	for _, name := range []string{"release-1.0", "feature/with/slashes", "odd#name&more"} {
		t.need(c.CreateBranch(t.ctx, t.repo, name, tip))
		b, err := c.Branch(t.ctx, t.repo, name)
		t.need(err)
		equal(t, "branch", b, forge.Branch{Name: name, SHA: tip})
		t.refused(c.CreateBranch(t.ctx, t.repo, name, tip), forge.ErrExists, "creating it again")
		t.need(c.DeleteBranch(t.ctx, t.repo, name))
		_, err = c.Branch(t.ctx, t.repo, name)
		t.refused(err, forge.ErrNotFound, "looking up a deleted branch")
		t.refused(c.DeleteBranch(t.ctx, t.repo, name), forge.ErrNotFound, "deleting it again")
	}
	if err := c.CreateBranch(t.ctx, t.repo, "nowhere", nowhere); err == nil {
		t.Error("a branch was made at a commit that is not there")
	}
	w.git("push", "--quiet", "origin", "HEAD:refs/heads/pushed")
	b, err := c.Branch(t.ctx, t.repo, "pushed")
	t.need(err)
	equal(t, "pushed branch", b.SHA, tip)
}

func manyBranches(t *test) {
	w := t.seeded(t.Ann)
	const count = 120
	refs := []string{"push", "--quiet", "origin"}
	want := []string{"main"}
	for i := range count {
		name := fmt.Sprintf("topic-%03d", i)
		want = append(want, name)
		refs = append(refs, "HEAD:refs/heads/"+name)
	}
	w.git(refs...)
	branches, err := t.Ann.Client.Branches(t.ctx, t.repo)
	t.need(err)
	got := names(branches, func(b forge.Branch) string { return b.Name })
	slices.Sort(got)
	same(t, "list of branches", got, want)
}

func protectedBranch(t *test) {
	w := t.seeded(t.Ann)
	t.need(t.Admin.Client.Protect(t.ctx, t.repo, "main", forge.Protection{PushLogins: []string{t.Ben.Login}, EnforceAdmins: true}))
	b, err := t.Ann.Client.Branch(t.ctx, t.repo, "main")
	t.need(err)
	equal(t, "protected", b.Protected, true)

	w.write("direct", "no\n")
	w.commit("Push straight to main")
	said := w.rejected("push", "--quiet", "origin", "main")
	if !strings.Contains(strings.ToLower(said), "protected") {
		t.Errorf("the refusal does not say that the branch is protected:\n%s", said)
	}
	w.rejected("push", "--quiet", "origin", ":main")
	after, err := t.Ann.Client.Branch(t.ctx, t.repo, "main")
	t.need(err)
	equal(t, "tip after the refusal", after.SHA, b.SHA)
	_, err = t.Ann.Client.PutFile(t.ctx, t.repo, "direct", "main", "Write straight to main", []byte("no\n"))
	if err == nil {
		t.Error("a file was written to a protected branch")
	}

	allowed := t.work(t.Ben)
	allowed.git("fetch", "--quiet", "origin", "main")
	allowed.git("checkout", "--quiet", "-B", "main", "FETCH_HEAD")
	allowed.write("allowed", "yes\n")
	tip := allowed.commit("Push as somebody who may")
	allowed.git("push", "--quiet", "origin", "main")
	allowed.git("commit", "--quiet", "--amend", "--message", "Rewrite")
	allowed.rejected("push", "--quiet", "--force", "origin", "main")
	after, err = t.Ann.Client.Branch(t.ctx, t.repo, "main")
	t.need(err)
	equal(t, "tip", after.SHA, tip)
}

func requiredContexts(t *test) {
	w := t.seeded(t.Ann)
	t.need(t.Admin.Client.Protect(t.ctx, t.repo, "main", forge.Protection{RequiredContexts: []string{"unit"}, EnforceAdmins: true}))
	head := w.change("topic", "a", "1\n")
	p := w.pull("topic")
	for _, state := range []forge.StatusState{"", forge.StatusPending, forge.StatusFailure} {
		if state != "" {
			t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, head, forge.Status{Context: "unit", State: state}))
		}
		_, err := t.Ann.Client.MergePullRequest(t.ctx, t.repo, p.Number, forge.Merge{Method: forge.MethodMerge, SHA: head})
		t.refused(err, forge.ErrConflict, fmt.Sprintf("merging with the context in state %q", state))
	}
	t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, head, forge.Status{Context: "unit", State: forge.StatusSuccess}))
	_, err := t.Ann.Client.MergePullRequest(t.ctx, t.repo, p.Number, forge.Merge{Method: forge.MethodMerge, SHA: head})
	t.need(err)
}

func protectionComesBack(t *test) {
	t.seeded(t.Ann)
	c := t.Admin.Client
	_, err := c.Protection(t.ctx, t.repo, "main")
	t.refused(err, forge.ErrNotFound, "the protection of an open branch")
	for _, want := range []forge.Protection{
		{RequiredContexts: []string{"lint", "unit"}, PushLogins: []string{t.Ann.Login}, EnforceAdmins: true},
		{AllowForcePush: true, AllowDeletion: true},
	} {
		t.need(c.Protect(t.ctx, t.repo, "main", want))
		got, err := c.Protection(t.ctx, t.repo, "main")
		t.need(err)
		slices.Sort(got.RequiredContexts) // their order means nothing
		same(t, "required contexts", got.RequiredContexts, want.RequiredContexts)
		same(t, "push logins", got.PushLogins, want.PushLogins)
		equal(t, "enforcement on admins", got.EnforceAdmins, want.EnforceAdmins)
		equal(t, "force pushes", got.AllowForcePush, want.AllowForcePush)
		equal(t, "deletion", got.AllowDeletion, want.AllowDeletion)
	}
	if err := t.Ann.Client.Protect(t.ctx, t.repo, "main", forge.Protection{}); err == nil {
		t.Error("somebody who may only push changed the protection")
	}
}
