package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"seaworthy/forge"
	"seaworthy/merge"
)

// lookups is how many pull requests are asked about at a time.
const lookups = 4

// Pool is a branch's queue as it stands: for pages and for people.
type Pool struct {
	merge.Pool
	Next      merge.Action
	Standings []merge.Standing
}

// Pools returns the queue of every branch that has open pull requests, by name
// of branch. It changes nothing.
func (q *Queue) Pools(ctx context.Context, repo forge.RepoName) ([]Pool, error) {
	prs, err := q.opt.Forge.PullRequests(ctx, repo, forge.PullFilter{State: "open"})
	if err != nil {
		return nil, fmt.Errorf("look at the merge queue of %s: %w", repo, err)
	}
	var out []Pool
	for _, branch := range bases(prs) {
		p, err := q.Pool(ctx, repo, branch)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Pool returns the queue of one branch. It changes nothing.
func (q *Queue) Pool(ctx context.Context, repo forge.RepoName, branch string) (Pool, error) {
	s, leave, err := q.enter(ctx, repo, branch)
	if err != nil {
		return Pool{}, err
	}
	defer leave()
	pool, err := q.look(ctx, repo, branch, s)
	if err != nil {
		return Pool{}, err
	}
	next := merge.Decide(pool)
	return Pool{Pool: pool, Next: next, Standings: pool.Standings(next)}, nil
}

// Why explains what keeps one pull request from merging; nothing does when the
// list is empty.
func (q *Queue) Why(ctx context.Context, repo forge.RepoName, number int) ([]merge.Blocker, error) {
	pr, err := q.opt.Forge.PullRequest(ctx, repo, number)
	if err != nil {
		return nil, fmt.Errorf("explain %s#%d: %w", repo, number, err)
	}
	policy, err := q.opt.Query(ctx, repo)
	if err != nil {
		return nil, fmt.Errorf("explain %s#%d: read the merge policy: %w", repo, number, err)
	}
	if pr.State != forge.StateOpen {
		return merge.Why(merge.Candidate{PR: pr}, policy, ""), nil
	}
	tip, err := q.opt.Forge.Branch(ctx, repo, pr.Base.Branch)
	if err != nil {
		return nil, fmt.Errorf("explain %s#%d: %w", repo, number, err)
	}
	c, err := q.results(ctx, pr, tip.SHA, policy)
	if err != nil {
		return nil, fmt.Errorf("explain %s#%d: %w", repo, number, err)
	}
	return merge.Why(c, policy, tip.SHA), nil
}

// bases lists the base branches of pull requests, in order.
func bases(prs []forge.PullRequest) []string {
	var out []string
	for _, pr := range prs {
		out = append(out, pr.Base.Branch)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// errNoBranch: the branch is not there.
var errNoBranch = errors.New("no such branch")

// look gathers everything a decision about the branch rests on.
func (q *Queue) look(ctx context.Context, repo forge.RepoName, branch string, s *branchState) (merge.Pool, error) {
	p := merge.Pool{Repo: repo, Branch: branch}
	fail := func(err error) (merge.Pool, error) {
		return merge.Pool{}, fmt.Errorf("look at the merge queue of %s, branch %s: %w", repo, branch, err)
	}
	var err error
	if p.Policy, err = q.opt.Query(ctx, repo); err != nil {
		return fail(err)
	}
	if p.Paused, err = q.opt.Switch.Paused(ctx, repo, branch); err != nil {
		return fail(err)
	}
	tip, err := q.opt.Forge.Branch(ctx, repo, branch)
	if errors.Is(err, forge.ErrNotFound) {
		return fail(fmt.Errorf("%w: %w", errNoBranch, err))
	}
	if err != nil {
		return fail(err)
	}
	p.Tip = tip.SHA
	if p.Issues, err = q.opt.Forge.Issues(ctx, repo, forge.IssueFilter{State: "open", Labels: []string{merge.LabelBlocker}}); err != nil {
		return fail(err)
	}
	prs, err := q.opt.Forge.PullRequests(ctx, repo, forge.PullFilter{State: "open", Base: branch})
	if err != nil {
		return fail(err)
	}
	if q.opt.Batches == nil {
		p.Policy.Batch = 0
	}
	if p.Policy.Batch > 1 {
		if p.Batches, err = q.opt.Batches.Batches(ctx, repo, branch); err != nil {
			return fail(err)
		}
	}
	p.Members = make([]merge.Candidate, len(prs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, pr := range prs {
		g.Go(func() error {
			c, err := q.candidate(gctx, pr, p.Tip, p.Policy)
			p.Members[i] = c
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fail(err)
	}
	slices.SortFunc(p.Members, func(a, b merge.Candidate) int { return cmp.Compare(a.PR.Number, b.PR.Number) })
	for i, c := range p.Members {
		p.Members[i].Refused = s.refused[refusedKey{c.PR.Number, c.PR.Head.SHA, p.Tip}]
	}
	return p, nil
}

// candidate completes a pull request from a list. What the policy turns away
// for its labels or branch is not asked about further.
func (q *Queue) candidate(ctx context.Context, listed forge.PullRequest, tip string, policy merge.Policy) (merge.Candidate, error) {
	c := merge.Candidate{PR: listed}
	for _, b := range merge.Why(c, policy, tip) {
		if b.Kind == merge.BlockedByLabel || b.Kind == merge.BlockedByPolicy || b.Kind == merge.BlockedByState {
			return c, nil
		}
	}
	pr, err := q.opt.Forge.PullRequest(ctx, listed.Repo, listed.Number)
	if err != nil {
		return c, err
	}
	return q.results(ctx, pr, tip, policy)
}

// results completes a pull request by its reviews and contexts.
func (q *Queue) results(ctx context.Context, pr forge.PullRequest, tip string, policy merge.Policy) (merge.Candidate, error) {
	c := merge.Candidate{PR: pr}
	if slices.ContainsFunc(policy.Queries, func(query merge.Query) bool { return query.ReviewApprovedRequired }) {
		reviews, err := q.opt.Forge.Reviews(ctx, pr.Repo, pr.Number)
		if err != nil {
			return c, err
		}
		c.ReviewApproved = merge.ReviewApproved(pr.Author, reviews)
	}
	statuses, err := q.opt.Forge.Statuses(ctx, pr.Repo, pr.Head.SHA)
	if err != nil {
		return c, err
	}
	runs, err := q.opt.Forge.CheckRuns(ctx, pr.Repo, pr.Head.SHA)
	if err != nil {
		return c, err
	}
	c.Results = merge.Results(statuses, runs)
	c.Requirements, err = q.opt.Contexts(ctx, pr, tip)
	if err != nil {
		return c, fmt.Errorf("find what #%d must pass: %w", pr.Number, err)
	}
	return c, nil
}
