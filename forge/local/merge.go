package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/store/hosted"
)

// missingContexts lists the required contexts that are not green on the head
// of a pull request, as GitHub words them.
func (v *view) missingContexts(ctx context.Context, r hosted.Repo, p hosted.Issue) ([]string, error) {
	rule, err := v.q.Protection(ctx, r.ID, p.Base)
	if errors.Is(err, hosted.ErrNotFound) || err == nil && !rule.RequireChecks {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	states := map[string]string{}
	statuses, _, err := v.q.CurrentStatuses(ctx, r.ID, p.HeadSHA, hosted.Page{})
	if err != nil {
		return nil, err
	}
	for _, s := range statuses {
		states[s.Context] = s.State
	}
	runs, _, err := v.q.CheckRuns(ctx, r.ID, p.HeadSHA, "", "", hosted.Page{})
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		states[run.Name] = checkState(run)
	}
	var missing []string
	for _, name := range rule.Contexts {
		switch states[name] {
		case "success":
		case "":
			missing = append(missing, fmt.Sprintf("Required status check %q is expected.", name))
		case "pending":
			missing = append(missing, fmt.Sprintf("Required status check %q is pending.", name))
		default:
			missing = append(missing, fmt.Sprintf("Required status check %q is failing.", name))
		}
	}
	return missing, nil
}

// checkState says what a check run is as a status.
func checkState(r hosted.CheckRun) string {
	switch {
	case r.Status != "completed":
		return "pending"
	case slices.Contains([]string{"success", "neutral", "skipped"}, r.Conclusion):
		return "success"
	}
	return "failure"
}

// mergeRequest is what a request to merge says.
type mergeRequest struct {
	Title   string `json:"commit_title"`
	Message string `json:"commit_message"`
	SHA     string `json:"sha"`
	Method  string `json:"merge_method"`
}

// mergePull lands a pull request. The commit to land is noted before the base
// branch moves, and settling marks the pull request merged once the branch has
// it; so a crash in between loses nothing.
func (c *call) mergePull(p hosted.Issue) error {
	in := mergeRequest{Method: string(forge.MethodMerge)}
	if err := c.decode(&in); err != nil {
		return err
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	// Read again: it may have moved while the lock was another's.
	if p, err = c.q.Issue(c.ctx(), c.repo.ID, p.Number); err != nil {
		return err
	}
	if err := c.mergeable(&p, in); err != nil {
		return err
	}
	sha, err := c.landing(p, in)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(c.ctx()) // from here on it lands whole
	err = c.f.store.Write(ctx, func(q *hosted.Queries) error {
		row, err := q.Issue(ctx, c.repo.ID, p.Number)
		if err != nil {
			return err
		}
		row.BaseSHA, row.MergeSHA, row.MergedBy = p.BaseSHA, sha, c.user.Login
		return q.UpdateIssue(ctx, row)
	})
	if err != nil {
		return err
	}
	if err := c.git().UpdateRef(ctx, "refs/heads/"+p.Base, sha, p.BaseSHA); err != nil {
		if errors.Is(err, git.ErrRejected) {
			return fail(http.StatusConflict, "Base branch was modified. Review and try the merge again.")
		}
		return err
	}
	if err := c.f.settle(ctx, c.repo, c.user.Login); err != nil {
		return err
	}
	return c.json(http.StatusOK, struct {
		SHA     string `json:"sha"`
		Merged  bool   `json:"merged"`
		Message string `json:"message"`
	}{sha, true, "Pull Request successfully merged"})
}

// mergeable refuses a pull request that may not land now.
func (c *call) mergeable(p *hosted.Issue, in mergeRequest) error {
	switch {
	case !slices.Contains([]forge.MergeMethod{forge.MethodMerge, forge.MethodSquash, forge.MethodRebase}, forge.MergeMethod(in.Method)):
		return invalid("PullRequest", "merge_method", "invalid", "merge_method is one of merge, squash, rebase")
	case p.Merged || p.State != stateOpen:
		return fail(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case in.SHA != "" && in.SHA != p.HeadSHA:
		return fail(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case p.Draft:
		return fail(http.StatusMethodNotAllowed, "Pull Request is still a draft")
	}
	tip, err := c.git().Resolve(c.ctx(), "refs/heads/"+p.Base)
	if err != nil {
		return orMissing(err, "PullRequest", "base", "the base branch is gone")
	}
	p.BaseSHA = tip
	tested, err := c.f.testMerge(c.ctx(), c.repo, *p)
	if err != nil {
		return err
	}
	if *p = tested; p.TestSHA == "" {
		return fail(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	return c.mergeAllowed(*p, in)
}

// mergeAllowed holds a merge to the base branch's protection.
func (c *call) mergeAllowed(p hosted.Issue, in mergeRequest) error {
	rule, err := c.q.Protection(c.ctx(), c.repo.ID, p.Base)
	if errors.Is(err, hosted.ErrNotFound) || err == nil && c.right >= canAdmin && !rule.EnforceAdmins {
		return nil
	}
	if err != nil {
		return err
	}
	if rule.Restricted && !named(rule.PushLogins, c.user.Login) {
		return fail(http.StatusMethodNotAllowed, "You're not authorized to push to this branch.")
	}
	why, err := c.view().missingContexts(c.ctx(), c.repo, p)
	if err != nil {
		return err
	}
	if rule.Strict {
		if uptodate, err := c.git().IsAncestor(c.ctx(), p.BaseSHA, p.HeadSHA); err != nil {
			return err
		} else if !uptodate {
			why = append(why, "Head branch is out of date with the base branch.")
		}
	}
	if rule.LinearHistory && in.Method == string(forge.MethodMerge) {
		why = append(why, "Merge commits are not allowed: the branch requires a linear history.")
	}
	if rule.Reviews > 0 {
		n, err := c.approvals(p)
		if err != nil {
			return err
		}
		if n < rule.Reviews {
			why = append(why, fmt.Sprintf("At least %d approving review is required by reviewers with write access.", rule.Reviews))
		}
	}
	if len(why) > 0 {
		return fail(http.StatusMethodNotAllowed, "%s", strings.Join(why, " "))
	}
	return nil
}

// approvals counts the people with write access whose last verdict approves.
func (c *call) approvals(p hosted.Issue) (int, error) {
	reviews, _, err := c.q.Reviews(c.ctx(), c.repo.ID, p.Number, "", hosted.Page{})
	if err != nil {
		return 0, err
	}
	last := map[string]string{}
	for _, r := range reviews {
		if r.State != string(forge.ReviewCommented) {
			last[r.Author] = r.State
		}
	}
	n := 0
	for login, state := range last {
		if state != string(forge.ReviewApproved) {
			continue
		}
		a, err := c.q.Account(c.ctx(), login)
		if err != nil {
			return 0, err
		}
		have, err := rightIn(c.ctx(), c.q, c.repo, a)
		if err != nil {
			return 0, err
		}
		if have >= canWrite {
			n++
		}
	}
	return n, nil
}

// landing makes the commit that the base branch will be at.
func (c *call) landing(p hosted.Issue, in mergeRequest) (string, error) {
	from, err := c.q.RepoByID(c.ctx(), p.HeadRepoID)
	if err != nil && !errors.Is(err, hosted.ErrNotFound) {
		return "", err
	}
	tree, err := c.git().Git(c.ctx(), "rev-parse", "--verify", "--end-of-options", p.TestSHA+"^{tree}")
	if err != nil {
		return "", err
	}
	tree = strings.TrimSpace(tree)
	me := c.person()
	switch forge.MergeMethod(in.Method) {
	case forge.MethodSquash:
		return c.squash(p, in, tree, me)
	case forge.MethodRebase:
		return c.rebase(p, me)
	}
	title, message := in.Title, in.Message
	if title == "" {
		title = fmt.Sprintf("Merge pull request #%d from %s/%s", p.Number, from.Owner, p.Head)
	}
	if message == "" && in.Title == "" {
		message = p.Title
	}
	return c.git().CommitTree(c.ctx(), git.NewCommit{Tree: tree, Parents: []string{p.BaseSHA, p.HeadSHA}, Message: join(title, message), Author: me})
}

// squash makes one commit of all, in the name of the first one's author.
func (c *call) squash(p hosted.Issue, in mergeRequest, tree string, me git.Person) (string, error) {
	commits, err := c.git().Log(c.ctx(), p.BaseSHA+".."+p.HeadSHA, git.LogOptions{Reverse: true})
	if err != nil {
		return "", err
	}
	title, message := in.Title, in.Message
	if title == "" {
		title = fmt.Sprintf("%s (#%d)", p.Title, p.Number)
	}
	author := me
	if len(commits) > 0 {
		author = commits[0].Author
		author.Time = me.Time
	}
	if message == "" && len(commits) > 1 {
		var lines []string
		for _, g := range commits {
			lines = append(lines, "* "+g.Message)
		}
		message = strings.Join(lines, "\n\n")
	} else if message == "" && len(commits) == 1 {
		_, body, _ := strings.Cut(commits[0].Message, "\n")
		message = strings.TrimSpace(body)
	}
	return c.git().CommitTree(c.ctx(), git.NewCommit{Tree: tree, Parents: []string{p.BaseSHA}, Message: join(title, message), Author: author, Committer: me})
}

// rebase puts each commit that is no merge onto the base branch.
func (c *call) rebase(p hosted.Issue, me git.Person) (string, error) {
	commits, err := c.git().Log(c.ctx(), p.BaseSHA+".."+p.HeadSHA, git.LogOptions{Reverse: true})
	if err != nil {
		return "", err
	}
	onto := p.BaseSHA
	for _, g := range commits {
		if len(g.Parents) != 1 {
			continue
		}
		tree, err := c.git().CherryPickTree(c.ctx(), onto, g.SHA)
		if errors.Is(err, git.ErrConflict) {
			return "", fail(http.StatusMethodNotAllowed, "This branch can't be rebased")
		}
		if err != nil {
			return "", err
		}
		onto, err = c.git().CommitTree(c.ctx(), git.NewCommit{Tree: tree, Parents: []string{onto}, Message: g.Message, Author: g.Author, Committer: me})
		if err != nil {
			return "", err
		}
	}
	return onto, nil
}

func join(title, message string) string {
	if message == "" {
		return title
	}
	return title + "\n\n" + message
}

// updateBranch merges the base branch into the head branch.
func (c *call) updateBranch(p hosted.Issue) error {
	var in struct {
		Expected string `json:"expected_head_sha"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Expected != "" && in.Expected != p.HeadSHA {
		return fail(http.StatusUnprocessableEntity, "expected head sha didn't match current head ref.")
	}
	if p.HeadRepoID != c.repo.ID || p.State != stateOpen {
		return fail(http.StatusUnprocessableEntity, "The branch of this pull request cannot be updated from here.")
	}
	if err := c.require(canWrite); err != nil {
		return err
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	tree, err := c.git().MergeTree(c.ctx(), p.HeadSHA, p.BaseSHA)
	if errors.Is(err, git.ErrConflict) {
		return fail(http.StatusUnprocessableEntity, "merge conflict between base and head")
	}
	if err != nil {
		return err
	}
	sha, err := c.git().CommitTree(c.ctx(), git.NewCommit{Tree: tree, Parents: []string{p.HeadSHA, p.BaseSHA},
		Message: fmt.Sprintf("Merge branch '%s' into %s", p.Base, p.Head), Author: c.person()})
	if err != nil {
		return err
	}
	if err := c.git().UpdateRef(c.ctx(), "refs/heads/"+p.Head, sha, p.HeadSHA); err != nil {
		return err
	}
	if err := c.f.settle(c.ctx(), c.repo, c.user.Login); err != nil {
		return err
	}
	return c.json(http.StatusAccepted, map[string]string{"message": "Updating pull request branch.", "url": c.f.repoAPI(c.repo, "/pulls/%d", p.Number)})
}
