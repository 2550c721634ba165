package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

func (f *Forge) pullRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/pulls", canRead, (*call).listPulls},
		{"POST /repos/{owner}/{repo}/pulls", canTalk, (*call).createPull},
		{"GET /repos/{owner}/{repo}/pulls/{number}", canRead, onPull((*call).getPull)},
		{"PATCH /repos/{owner}/{repo}/pulls/{number}", canTalk, onPull((*call).editPull)},
		{"GET /repos/{owner}/{repo}/pulls/{number}/files", canRead, onPull((*call).pullFiles)},
		{"GET /repos/{owner}/{repo}/pulls/{number}/commits", canRead, onPull((*call).pullCommits)},
		{"GET /repos/{owner}/{repo}/pulls/{number}/merge", canRead, onPull((*call).isMerged)},
		{"PUT /repos/{owner}/{repo}/pulls/{number}/merge", canWrite, onPull((*call).mergePull)},
		{"PUT /repos/{owner}/{repo}/pulls/{number}/update-branch", canTalk, onPull((*call).updateBranch)},
	}
}

// States of issues, pull requests and milestones.
const (
	stateOpen   = "open"
	stateClosed = "closed"
)

// onPull loads the pull request of a path.
func onPull(do func(*call, hosted.Issue) error) func(*call) error {
	return func(c *call) error {
		p, err := c.thePull()
		if err != nil {
			return err
		}
		return do(c, p)
	}
}

func (c *call) thePull() (hosted.Issue, error) {
	n, err := c.number("number")
	if err != nil {
		return hosted.Issue{}, err
	}
	p, err := c.q.Issue(c.ctx(), c.repo.ID, n)
	if err == nil && !p.IsPull {
		err = notFound()
	}
	return p, err
}

// pullRef is the ref that keeps a pull request's head.
func pullRef(number int64, which string) string { return fmt.Sprintf("refs/pull/%d/%s", number, which) }

func (c *call) listPulls() error {
	yes := true
	f := hosted.IssueFilter{RepoID: c.repo.ID, Pull: &yes, State: stateOpen, Base: c.query("base"), Sort: c.query("sort"), Page: c.sqlPage()}
	f.Ascending = c.query("direction") == "asc"
	switch s := c.query("state"); s {
	case "", stateOpen:
	case stateClosed:
		f.State = stateClosed
	case "all":
		f.State = ""
	default:
		return invalid("PullRequest", "state", "invalid", "state is one of open, closed, all")
	}
	if head := c.query("head"); head != "" {
		f.Head = head
		if owner, branch, ok := strings.Cut(head, ":"); ok {
			from, err := c.headRepo(owner, "")
			if errors.Is(err, hosted.ErrNotFound) {
				return c.json(http.StatusOK, []struct{}{})
			}
			if err != nil {
				return err
			}
			f.Head, f.HeadRepoID = branch, from.ID
		}
	}
	return c.answerPulls(f)
}

func (c *call) answerPulls(f hosted.IssueFilter) error {
	rows, total, err := c.q.Issues(c.ctx(), f)
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(p hosted.Issue) (wirePull, error) { return v.pull(c.ctx(), c.repo, p) })
}

// commitPulls lists the pull requests that a commit belongs to: those that
// have it, and those that landed as it.
func (c *call) commitPulls(sha string) error {
	return c.answerPulls(hosted.IssueFilter{RepoID: c.repo.ID, Commit: sha, Page: c.sqlPage()})
}

// headRepo finds the repository that a pull request comes from: this one, or a
// repository of another owner, of that name or this one's.
func (c *call) headRepo(owner, name string) (hosted.Repo, error) {
	if name == "" {
		name = c.repo.Name
	}
	if strings.EqualFold(owner, c.repo.Owner) && strings.EqualFold(name, c.repo.Name) {
		return c.repo, nil
	}
	from, err := c.q.Repo(c.ctx(), owner, name)
	if err != nil {
		return from, err
	}
	have, err := rightIn(c.ctx(), c.q, from, c.user)
	if err == nil && have < canRead {
		err = hosted.ErrNotFound
	}
	return from, err
}

// pullRequest is what a request for a new pull request says.
type pullRequest struct {
	Title    string  `json:"title"`
	Body     *string `json:"body"`
	Head     string  `json:"head"`
	HeadRepo string  `json:"head_repo"`
	Base     string  `json:"base"`
	Draft    bool    `json:"draft"`
	Issue    int64   `json:"issue"`
}

func (in pullRequest) check() error {
	switch {
	case in.Issue != 0:
		return fail(http.StatusUnprocessableEntity, "Turning an issue into a pull request is not supported: give a title.")
	case in.Title == "":
		return missing("PullRequest", "title")
	case in.Head == "":
		return missing("PullRequest", "head")
	case in.Base == "":
		return missing("PullRequest", "base")
	}
	return nil
}

func (c *call) createPull() error {
	var in pullRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	owner, branch, ok := strings.Cut(in.Head, ":")
	if !ok {
		owner, branch = c.repo.Owner, in.Head
	}
	from, err := c.headRepo(owner, in.HeadRepo)
	if err != nil {
		return orMissing(err, "PullRequest", "head", "there is no fork of that owner")
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	p := hosted.Issue{RepoID: c.repo.ID, IsPull: true, Title: in.Title, Author: c.user.Login, State: stateOpen, Draft: in.Draft,
		Base: strings.TrimPrefix(in.Base, "refs/heads/"), Head: strings.TrimPrefix(branch, "refs/heads/"), HeadRepoID: from.ID}
	if in.Body != nil {
		p.Body = *in.Body
	}
	if err := c.pullSides(from, &p); err != nil {
		return err
	}
	p.CreatedAt = c.f.now()
	p.UpdatedAt = p.CreatedAt
	p, stats, err := c.openPull(from, p)
	if err != nil {
		return err
	}
	w, err := c.view().pullFull(c.ctx(), c.repo, p, stats)
	return answer(c, http.StatusCreated, w, err)
}

// pullSides fills in where the two branches are, and refuses what cannot be a
// pull request.
func (c *call) pullSides(from hosted.Repo, p *hosted.Issue) error {
	var err error
	if p.BaseSHA, err = c.git().Resolve(c.ctx(), "refs/heads/"+p.Base); err != nil {
		return orMissing(err, "PullRequest", "base", "")
	}
	if p.HeadSHA, err = c.f.gitRepo(from).Resolve(c.ctx(), "refs/heads/"+p.Head); err != nil {
		return orMissing(err, "PullRequest", "head", "")
	}
	open, _, err := c.q.Issues(c.ctx(), hosted.IssueFilter{RepoID: c.repo.ID, State: stateOpen, Base: p.Base, Head: p.Head, HeadRepoID: from.ID})
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return invalid("PullRequest", "", "custom", fmt.Sprintf("A pull request already exists for %s:%s.", from.Owner, p.Head))
	}
	if from.ID != c.repo.ID {
		// The commits have to be here before anything can be said of them.
		if err := c.git().Fetch(c.ctx(), c.f.gitRepo(from).Dir, p.HeadSHA); err != nil {
			return fmt.Errorf("fetching from the fork: %w", err)
		}
	}
	n, err := c.git().CountCommits(c.ctx(), p.BaseSHA+".."+p.HeadSHA)
	if err == nil && n == 0 {
		err = invalid("PullRequest", "", "custom", fmt.Sprintf("No commits between %s and %s", p.Base, p.Head))
	}
	return err
}

// openPull stores a new pull request, its refs and its event.
func (c *call) openPull(from hosted.Repo, p hosted.Issue) (hosted.Issue, pullStats, error) {
	ctx := c.ctx()
	stats, err := c.f.pullStats(ctx, c.repo, p)
	if err != nil {
		return p, stats, err
	}
	var added hosted.Issue
	err = c.f.change(ctx, func(v *view) error {
		var err error
		if added, err = v.q.AddIssue(ctx, p); err != nil {
			return err
		}
		if err := v.q.SetPullCommits(ctx, added, stats.ids); err != nil {
			return err
		}
		return v.emitPull(ctx, c.repo, added, stats, c.user.Login, "opened", nil)
	})
	if err != nil {
		return p, stats, err
	}
	if err := c.f.setPullHead(ctx, c.repo, from, added); err != nil {
		return p, stats, err
	}
	added, err = c.f.testMerge(ctx, c.repo, added)
	return added, stats, err
}

// setPullHead makes refs/pull/N/head what the pull request's head is.
func (f *Forge) setPullHead(ctx context.Context, repo, from hosted.Repo, p hosted.Issue) error {
	g := f.gitRepo(repo)
	if from.ID != repo.ID {
		return g.Fetch(ctx, f.gitRepo(from).Dir, "+"+p.HeadSHA+":"+pullRef(p.Number, "head"))
	}
	return g.UpdateRef(ctx, pullRef(p.Number, "head"), p.HeadSHA, "")
}

// testMerge makes refs/pull/N/merge, what the base branch would be with the
// pull request merged, unless it is made already.
func (f *Forge) testMerge(ctx context.Context, repo hosted.Repo, p hosted.Issue) (hosted.Issue, error) {
	if p.State != stateOpen || p.TestBase == p.BaseSHA && p.TestHead == p.HeadSHA {
		return p, nil
	}
	g := f.gitRepo(repo)
	p.TestBase, p.TestHead, p.TestSHA = p.BaseSHA, p.HeadSHA, ""
	tree, err := g.MergeTree(ctx, p.BaseSHA, p.HeadSHA)
	switch {
	case errors.Is(err, git.ErrConflict):
	case unrelated(err):
	case err != nil:
		return p, fmt.Errorf("merging pull request %d for a test: %w", p.Number, err)
	default:
		who := git.Person{Name: "Seaworthy", Email: "noreply@users.noreply.local", Time: p.UpdatedAt}
		p.TestSHA, err = g.CommitTree(ctx, git.NewCommit{Tree: tree, Parents: []string{p.BaseSHA, p.HeadSHA},
			Message: fmt.Sprintf("Merge %s into %s", p.HeadSHA, p.BaseSHA), Author: who})
		if err != nil {
			return p, err
		}
	}
	if err := g.UpdateRef(ctx, pullRef(p.Number, "merge"), p.TestSHA, ""); err != nil && p.TestSHA != "" {
		return p, err
	}
	return p, f.store.Write(ctx, func(q *hosted.Queries) error { return q.SetTestMerge(ctx, p) })
}

// unrelated recognises that two histories have nothing in common, which git
// does not merge.
func unrelated(err error) bool {
	var ge *git.Error
	return errors.As(err, &ge) && strings.Contains(ge.Stderr, "unrelated histories")
}

func (c *call) getPull(p hosted.Issue) error {
	if c.wants("diff") || c.wants("patch") {
		base, err := pullBase(c.ctx(), c.git(), p)
		if err != nil {
			return err
		}
		return c.diffText(base, p.HeadSHA, c.wants("patch"))
	}
	p, err := c.f.testMerge(c.ctx(), c.repo, p)
	if err != nil {
		return err
	}
	stats, err := c.f.pullStats(c.ctx(), c.repo, p)
	if err != nil {
		return err
	}
	w, err := c.view().pullFull(c.ctx(), c.repo, p, stats)
	return answer(c, http.StatusOK, w, err)
}

func (c *call) pullFiles(p hosted.Issue) error {
	base, err := pullBase(c.ctx(), c.git(), p)
	if err != nil {
		return err
	}
	files, err := c.f.files(c.ctx(), c.repo, base, p.HeadSHA)
	return answer(c, http.StatusOK, orEmpty(slice(c, files)), err)
}

func (c *call) pullCommits(p hosted.Issue) error {
	base, err := pullBase(c.ctx(), c.git(), p)
	if err != nil {
		return err
	}
	commits, err := c.git().Log(c.ctx(), base+".."+p.HeadSHA, git.LogOptions{Reverse: true})
	if err != nil {
		return err
	}
	v := c.view()
	return list(c, slice(c, commits), func(g git.Commit) (*wireCommit, error) { return v.commit(c.ctx(), c.repo, g) })
}

func (c *call) editPull(p hosted.Issue) error {
	var in struct {
		Title optional[string] `json:"title"`
		Body  optional[string] `json:"body"`
		State optional[string] `json:"state"`
		Base  optional[string] `json:"base"`
		// Draft is how gh's GraphQL mutations are said here; GitHub's REST API
		// has no way to.
		Draft optional[bool] `json:"draft"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if c.right < canTriage && !strings.EqualFold(c.user.Login, p.Author) {
		return fail(http.StatusForbidden, "Resource not accessible: only the author and collaborators may edit a pull request")
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	e := issueEdit{title: in.Title, body: in.Body, state: in.State, draft: in.Draft, base: in.Base}
	p, err = c.editIssueRow(p, e)
	if err != nil {
		return err
	}
	return c.getPull(p)
}

// retarget checks a new base branch and moves a pull request to it.
func (c *call) retarget(p *hosted.Issue, base string) error {
	if p.Merged {
		return invalid("PullRequest", "base", "invalid", "Cannot change the base branch of a merged pull request.")
	}
	sha, err := c.git().Resolve(c.ctx(), "refs/heads/"+base)
	if err != nil {
		return orMissing(err, "PullRequest", "base", "")
	}
	p.Base, p.BaseSHA = base, sha
	return nil
}

// reopen brings a closed pull request up to where its branches are now.
func (c *call) reopen(p *hosted.Issue) error {
	if p.Merged {
		return invalid("PullRequest", "state", "invalid", "state cannot be changed. The pull request is merged.")
	}
	from, err := c.q.RepoByID(c.ctx(), p.HeadRepoID)
	if err != nil {
		return orMissing(err, "PullRequest", "state", "state cannot be changed. The repository that submitted this pull request has been deleted.")
	}
	if err := c.pullSides(from, p); err != nil {
		return orMissing(err, "PullRequest", "state", "state cannot be changed. A branch was deleted.")
	}
	return c.f.setPullHead(c.ctx(), c.repo, from, *p)
}

func (c *call) isMerged(p hosted.Issue) error {
	if !p.Merged {
		return notFound()
	}
	return c.empty(http.StatusNoContent)
}
