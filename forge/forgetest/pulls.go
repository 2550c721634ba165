package forgetest

import (
	"fmt"
	"slices"
	"strings"

	"seaworthy/forge"
)

var pullTests = map[string]func(*test){
	"a pull request opens":                   pullOpens,
	"a pull request that cannot be":          pullCannotBe,
	"pull requests are found by filters":     pullFilters,
	"pull requests are listed to the last":   manyPulls,
	"a pull request is edited":               pullEdited,
	"a pull request closes and reopens":      pullCloses,
	"files of a pull request":                pullFiles,
	"a push moves the pull request":          pullSynchronizes,
	"refs/pull/N/head can be fetched":        pullRefs,
	"a pull request from another base moves": pullRetargeted,
}

func pullNumbers(list []forge.PullRequest) []int {
	return names(list, func(p forge.PullRequest) int { return p.Number })
}

func pullOpens(t *test) {
	w := t.seeded(t.Ann)
	base := w.git("rev-parse", "main")
	head := w.change("topic", "a", "1\n")
	p, err := t.Ann.Client.CreatePullRequest(t.ctx, t.repo, forge.NewPullRequest{
		Title: "Title", Body: "Body", Head: t.repo.Owner + ":topic", Base: "main", Draft: true,
	})
	t.need(err)
	for what, p := range map[string]forge.PullRequest{"created": p, "looked up": t.pull(p.Number)} {
		equal(t, what+" repository", p.Repo, t.repo)
		equal(t, what+" title", p.Title, "Title")
		equal(t, what+" body", p.Body, "Body")
		equal(t, what+" author", p.Author, t.Ann.Login)
		equal(t, what+" state", p.State, forge.StateOpen)
		equal(t, what+" draft", p.Draft, true)
		equal(t, what+" merged", p.Merged, false)
		equal(t, what+" merge commit", p.MergeSHA, "")
		equal(t, what+" base", p.Base, forge.Side{Repo: t.repo, Branch: "main", SHA: base})
		equal(t, what+" head", p.Head, forge.Side{Repo: t.repo, Branch: "topic", SHA: head})
		t.recent(what+" creation", p.CreatedAt)
		equal(t, what+" closing", p.ClosedAt.IsZero(), true)
	}
	list, err := t.Ann.Client.PullRequests(t.ctx, t.repo, forge.PullFilter{})
	t.need(err)
	same(t, "list", pullNumbers(list), []int{p.Number})
	equal(t, "mergeability", t.mergeability(p.Number), forge.MergeClean)
}

// pull looks a pull request up.
func (t *test) pull(number int) forge.PullRequest {
	t.Helper()
	p, err := t.Ann.Client.PullRequest(t.ctx, t.repo, number)
	t.need(err)
	return p
}

// mergeability asks until the forge has worked it out; the test's deadline
// bounds that.
func (t *test) mergeability(number int) forge.Mergeability {
	t.Helper()
	for {
		if p := t.pull(number); p.Mergeability != forge.MergeUnknown {
			return p.Mergeability
		}
	}
}

func pullCannotBe(t *test) {
	w := t.seeded(t.Ann)
	w.change("topic", "a", "1\n")
	w.pull("topic")
	w.git("push", "--quiet", "origin", "main:refs/heads/nothing-new")
	open := func(head, base string) error {
		_, err := t.Ann.Client.CreatePullRequest(t.ctx, t.repo, forge.NewPullRequest{Title: "Title", Head: head, Base: base})
		return err
	}
	t.refused(open("topic", "main"), forge.ErrExists, "opening it again")
	t.refused(open("no-such-branch", "main"), forge.ErrInvalid, "a head that is not there")
	t.refused(open("topic", "no-such-branch"), forge.ErrInvalid, "a base that is not there")
	t.refused(open("nothing-new", "main"), forge.ErrInvalid, "a head without commits of its own")
	_, err := t.Ann.Client.PullRequest(t.ctx, t.repo, 4711)
	t.refused(err, forge.ErrNotFound, "a number that is not there")
}

func pullFilters(t *test) {
	w := t.seeded(t.Ann)
	w.git("push", "--quiet", "origin", "main:refs/heads/release-1")
	w.change("one", "1", "1\n")
	w.change("two", "2", "2\n")
	w.change("three", "3", "3\n")
	one, two := w.pull("one"), w.pull("two")
	three, err := t.Ann.Client.CreatePullRequest(t.ctx, t.repo, forge.NewPullRequest{Title: "Three", Head: "three", Base: "release-1"})
	t.need(err)
	t.need(t.Ann.Client.EditPullRequest(t.ctx, t.repo, two.Number, forge.EditPullRequest{State: ptr(forge.StateClosed)}))
	for _, c := range []struct {
		filter forge.PullFilter
		want   []int
	}{
		{forge.PullFilter{}, []int{three.Number, one.Number}},
		{forge.PullFilter{State: "closed"}, []int{two.Number}},
		{forge.PullFilter{State: "all"}, []int{three.Number, two.Number, one.Number}},
		{forge.PullFilter{Base: "release-1"}, []int{three.Number}},
		{forge.PullFilter{Head: t.repo.Owner + ":one"}, []int{one.Number}},
		{forge.PullFilter{Head: "one"}, []int{one.Number}},
		{forge.PullFilter{Head: "none"}, []int{}},
	} {
		got, err := t.Ben.Client.PullRequests(t.ctx, t.repo, c.filter)
		t.need(err)
		same(t, fmt.Sprintf("list for %+v", c.filter), pullNumbers(got), c.want)
	}
}

func manyPulls(t *test) {
	w := t.seeded(t.Ann)
	const count = 101
	w.git("checkout", "--quiet", "-b", "long")
	push := []string{"push", "--quiet", "origin"}
	for i, sha := range w.chain(count) {
		push = append(push, fmt.Sprintf("%s:refs/heads/topic-%d", sha, i))
	}
	w.git(push...)
	var want []int
	for i := range count {
		want = append(want, w.pull(fmt.Sprintf("topic-%d", i)).Number)
	}
	slices.Reverse(want)
	got, err := t.Ann.Client.PullRequests(t.ctx, t.repo, forge.PullFilter{})
	t.need(err)
	same(t, "list", pullNumbers(got), want)

	last := want[0]
	commits, err := t.Ann.Client.PullRequestCommits(t.ctx, t.repo, last)
	t.need(err)
	equal(t, "commits of the longest", len(commits), count)
	equal(t, "its last commit", commits[count-1].SHA, t.pull(last).Head.SHA)
}

func pullEdited(t *test) {
	w := t.seeded(t.Ann)
	w.change("topic", "a", "1\n")
	p := w.pull("topic")
	t.need(t.Ann.Client.EditPullRequest(t.ctx, t.repo, p.Number, forge.EditPullRequest{Title: ptr("New title")}))
	got := t.pull(p.Number)
	equal(t, "title", got.Title, "New title")
	equal(t, "body", got.Body, p.Body)
	t.need(t.Ann.Client.EditPullRequest(t.ctx, t.repo, p.Number, forge.EditPullRequest{Body: ptr("")}))
	got = t.pull(p.Number)
	equal(t, "title", got.Title, "New title")
	equal(t, "body", got.Body, "")
	t.refused(t.Ann.Client.EditPullRequest(t.ctx, t.repo, 4711, forge.EditPullRequest{Title: ptr("x")}), forge.ErrNotFound, "editing one that is not there")
}

func pullCloses(t *test) {
	w := t.seeded(t.Ann)
	head := w.change("topic", "a", "1\n")
	p := w.pull("topic")
	t.need(t.Ann.Client.EditPullRequest(t.ctx, t.repo, p.Number, forge.EditPullRequest{State: ptr(forge.StateClosed)}))
	got := t.pull(p.Number)
	equal(t, "state", got.State, forge.StateClosed)
	equal(t, "merged", got.Merged, false)
	t.recent("closing", got.ClosedAt)
	_, err := t.Ann.Client.MergePullRequest(t.ctx, t.repo, p.Number, forge.Merge{Method: forge.MethodMerge, SHA: head})
	t.refused(err, forge.ErrConflict, "merging a closed one")
	t.need(t.Ann.Client.EditPullRequest(t.ctx, t.repo, p.Number, forge.EditPullRequest{State: ptr(forge.StateOpen)}))
	got = t.pull(p.Number)
	equal(t, "state", got.State, forge.StateOpen)
	equal(t, "closing", got.ClosedAt.IsZero(), true)
}

func pullFiles(t *test) {
	w := t.work(t.Ann)
	w.write("keep", "1\n2\n3\n")
	w.write("drop", "bye\n")
	w.write("move", "the same content\nfor long enough\nto be recognised\n")
	w.commit("Begin")
	w.git("push", "--quiet", "origin", "main")
	w.git("checkout", "--quiet", "-b", "topic")
	w.write("keep", "1\nzwei\n3\n")
	w.write("added", "new\n")
	w.git("rm", "--quiet", "drop")
	w.git("mv", "move", "moved")
	first := w.commit("First")
	second := w.commit("Second")
	w.git("push", "--quiet", "origin", "topic")
	p := w.pull("topic")
	files, err := t.Ann.Client.PullRequestFiles(t.ctx, t.repo, p.Number)
	t.need(err)
	same(t, "files", names(files, func(f forge.FileChange) string {
		return fmt.Sprintf("%s %s<%s +%d -%d", f.Status, f.Path, f.PreviousPath, f.Additions, f.Deletions)
	}), []string{"added added< +1 -0", "removed drop< +0 -1", "modified keep< +1 -1", "renamed moved<move +0 -0"})
	if patch := files[2].Patch; !strings.HasPrefix(patch, "@@ ") || !strings.Contains(patch, "\n-2\n+zwei\n") {
		t.Errorf("the patch of keep is %q", patch)
	}
	commits, err := t.Ann.Client.PullRequestCommits(t.ctx, t.repo, p.Number)
	t.need(err)
	same(t, "commits", names(commits, func(c forge.Commit) string { return c.SHA }), []string{first, second})
}

func pullSynchronizes(t *test) {
	w := t.seeded(t.Ann)
	old := w.change("topic", "a", "1\n")
	p := w.pull("topic")
	w.write("b", "2\n")
	head := w.commit("More")
	w.git("push", "--quiet", "origin", "topic")
	equal(t, "head after a push", t.pull(p.Number).Head.SHA, head)
	_, err := t.Ann.Client.MergePullRequest(t.ctx, t.repo, p.Number, forge.Merge{Method: forge.MethodMerge, SHA: old})
	t.refused(err, forge.ErrConflict, "merging the old head")
	equal(t, "state after that", t.pull(p.Number).State, forge.StateOpen)

	w.git("commit", "--quiet", "--amend", "--message", "Rewritten")
	head = w.git("rev-parse", "HEAD")
	w.git("push", "--quiet", "--force", "origin", "topic")
	equal(t, "head after a rewrite", t.pull(p.Number).Head.SHA, head)
	commits, err := t.Ann.Client.PullRequestCommits(t.ctx, t.repo, p.Number)
	t.need(err)
	equal(t, "number of commits", len(commits), 2)
}

func pullRefs(t *test) {
	w := t.seeded(t.Ann)
	head := w.change("topic", "a", "1\n")
	p := w.pull("topic")
	other := t.work(t.Ben)
	other.git("fetch", "--quiet", "origin", fmt.Sprintf("refs/pull/%d/head", p.Number))
	equal(t, "fetched head", other.git("rev-parse", "FETCH_HEAD"), head)
	equal(t, "mergeability", t.mergeability(p.Number), forge.MergeClean)
	other.git("fetch", "--quiet", "origin", fmt.Sprintf("refs/pull/%d/merge", p.Number))
	equal(t, "parents of the test merge", other.git("rev-parse", "FETCH_HEAD^1", "FETCH_HEAD^2"), w.git("rev-parse", "main")+"\n"+head)
	other.rejected("push", "--quiet", "origin", fmt.Sprintf("%s:refs/pull/%d/head", w.git("rev-parse", "main"), p.Number))
	w.git("push", "--quiet", "origin", ":topic")
	equal(t, "state after its branch is gone", t.pull(p.Number).State, forge.StateClosed)
}

func pullRetargeted(t *test) {
	w := t.seeded(t.Ann)
	w.git("push", "--quiet", "origin", "main:refs/heads/release-1")
	w.change("topic", "a", "1\n")
	p := w.pull("topic")
	t.need(t.Ann.Client.EditPullRequest(t.ctx, t.repo, p.Number, forge.EditPullRequest{Base: ptr("release-1")}))
	equal(t, "base", t.pull(p.Number).Base.Branch, "release-1")
	err := t.Ann.Client.EditPullRequest(t.ctx, t.repo, p.Number, forge.EditPullRequest{Base: ptr("no-such-branch")})
	t.refused(err, forge.ErrInvalid, "a base that is not there")
}
