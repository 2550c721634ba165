package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"seaworthy/forge"
	"seaworthy/merge"
)

// Attempts to merge while the forge does not answer, and the wait after the
// first failed one; it doubles.
const (
	mergeAttempts = 3
	mergeBackoff  = 4 * time.Second
)

// passes bounds one Sync: no pool merges more at a stretch. The next event
// goes on.
const passes = 50

// Sync looks at a branch and acts until there is nothing to do but wait. It
// may be called at any time, and by several at once: they take turns.
func (q *Queue) Sync(ctx context.Context, repo forge.RepoName, branch string) error {
	s, leave, err := q.enter(ctx, repo, branch)
	if err != nil {
		return err
	}
	defer leave()
	defer q.opt.Notify(repo, branch)
	for range passes {
		again, err := q.pass(ctx, repo, branch, s)
		if err != nil || !again {
			return err
		}
	}
	return nil
}

// pass takes one decision and carries it out. It reports whether another pass
// may find more to do.
func (q *Queue) pass(ctx context.Context, repo forge.RepoName, branch string, s *branchState) (again bool, err error) {
	pool, err := q.look(ctx, repo, branch, s)
	if errors.Is(err, errNoBranch) {
		return false, nil // deleted meanwhile; nothing can merge into it
	}
	if err != nil {
		return false, err
	}
	if len(pool.Policy.Queries) == 0 {
		return false, nil
	}
	s.forget(pool)
	next := merge.Decide(pool)
	if err := q.show(ctx, pool, next, s); err != nil {
		return false, err
	}
	switch next.Kind {
	case merge.ActMerge:
		return q.land(ctx, pool, next, s)
	case merge.ActStart:
		return false, q.start(ctx, pool, next, s)
	case merge.ActMergeBatch:
		return q.landBatch(ctx, pool, next, s)
	case merge.ActStartBatch:
		return false, q.startBatch(ctx, pool, next, s)
	}
	return false, q.record(ctx, pool, next, "", s)
}

// start has one candidate's jobs run on the tip.
func (q *Queue) start(ctx context.Context, pool merge.Pool, next merge.Action, s *branchState) error {
	c := member(pool, next.Number)
	err := q.opt.Runner.StartJobs(ctx, Start{
		PullRequest: c.PR,
		BaseSHA:     next.BaseSHA,
		Jobs:        next.Jobs,
		Cause:       "merge queue: test on the tip of " + pool.Branch,
		Key:         fmt.Sprintf("queue %s#%d %s %s", pool.Repo, next.Number, next.HeadSHA, next.BaseSHA),
	})
	if err != nil {
		return fmt.Errorf("start the jobs of %s#%d on %s: %w", pool.Repo, next.Number, pool.Branch, err)
	}
	return q.record(ctx, pool, next, "started", s)
}

// land merges one pull request. Whatever the forge refuses is remembered and
// the pool goes on without it.
func (q *Queue) land(ctx context.Context, pool merge.Pool, next merge.Action, s *branchState) (again bool, err error) {
	pr := member(pool, next.Number).PR
	ok, err := q.stillGood(ctx, pool, pr, next.BaseSHA)
	if err != nil || !ok {
		return true, err
	}
	sha, err := q.merge(ctx, pr, forge.Merge{Method: next.Method, SHA: next.HeadSHA})
	switch {
	case err == nil:
		return true, q.landed(ctx, pool, next, pr, sha, s)
	case refusal(err):
		return true, q.refused(ctx, pool, next, err, s)
	}
	return false, err
}

// stillGood looks once more, right before a merge: the branch must be where the
// change was tested, and the change as it was when it was decided about.
func (q *Queue) stillGood(ctx context.Context, pool merge.Pool, pr forge.PullRequest, tip string) (bool, error) {
	fail := func(err error) (bool, error) {
		return false, fmt.Errorf("look at %s#%d once more before it merges: %w", pool.Repo, pr.Number, err)
	}
	if err := q.opt.Refresh(ctx, pool.Repo, pr.Number); err != nil {
		return fail(err)
	}
	now, err := q.opt.Forge.PullRequest(ctx, pool.Repo, pr.Number)
	if err != nil {
		return fail(err)
	}
	branch, err := q.opt.Forge.Branch(ctx, pool.Repo, pool.Branch)
	if err != nil {
		return fail(err)
	}
	if branch.SHA != tip || now.Head.SHA != pr.Head.SHA || now.Base.Branch != pool.Branch {
		return false, nil
	}
	c := member(pool, pr.Number) // its results are those of this head and tip
	c.PR = now
	return !slices.ContainsFunc(merge.Why(c, pool.Policy, tip), func(b merge.Blocker) bool { return !b.Transient() }), nil
}

// landed records a merge and gives the change its milestone.
func (q *Queue) landed(ctx context.Context, pool merge.Pool, done merge.Action, pr forge.PullRequest, sha string, s *branchState) error {
	q.opt.Log.Info("merged", "repo", pool.Repo, "pull", pr.Number, "branch", pool.Branch, "commit", sha)
	err := q.record(ctx, pool, done, "merged as "+sha, s)
	return errors.Join(err, q.applyMilestone(ctx, pr, pool.Policy))
}

// refusal reports whether the forge answered, and the answer was no.
func refusal(err error) bool {
	return errors.Is(err, forge.ErrConflict) || errors.Is(err, forge.ErrInvalid) || errors.Is(err, forge.ErrForbidden)
}

// merge asks the forge to merge, again if it does not answer. It looks first
// whether an earlier attempt went through after all.
func (q *Queue) merge(ctx context.Context, pr forge.PullRequest, m forge.Merge) (sha string, err error) {
	backoff := mergeBackoff
	for attempt := 1; ; attempt++ {
		sha, err = q.opt.Forge.MergePullRequest(ctx, pr.Repo, pr.Number, m)
		if err == nil {
			return sha, nil
		}
		if now, lookErr := q.opt.Forge.PullRequest(ctx, pr.Repo, pr.Number); lookErr == nil && now.Merged && now.Head.SHA == m.SHA {
			return now.MergeSHA, nil
		}
		if !errors.Is(err, forge.ErrUnavailable) || attempt == mergeAttempts {
			return "", fmt.Errorf("merge %s#%d (attempt %d): %w", pr.Repo, pr.Number, attempt, err)
		}
		if err := q.opt.Wait(ctx, backoff); err != nil {
			return "", fmt.Errorf("merge %s#%d: wait to try again: %w", pr.Repo, pr.Number, err)
		}
		backoff *= 2
	}
}

// refused deals with a merge the forge would not do: a head that moved is
// decided about anew, a conflict is marked, anything else is shown.
func (q *Queue) refused(ctx context.Context, pool merge.Pool, next merge.Action, refusal error, s *branchState) error {
	now, err := q.opt.Forge.PullRequest(ctx, pool.Repo, next.Number)
	if err != nil {
		return fmt.Errorf("look at %s#%d after a refused merge: %w", pool.Repo, next.Number, err)
	}
	q.opt.Log.Warn("merge refused", "repo", pool.Repo, "pull", next.Number, "error", refusal)
	s.refused[refusedKey{next.Number, next.HeadSHA, next.BaseSHA}] = refusal.Error()
	if err := q.record(ctx, pool, next, refusal.Error(), s); err != nil {
		return err
	}
	if now.Mergeability == forge.MergeConflict && !now.HasLabel(merge.LabelNeedsRebase) {
		return q.opt.Forge.AddLabels(ctx, pool.Repo, next.Number, merge.LabelNeedsRebase)
	}
	return nil
}

// record stores a decision unless it is the one recorded last.
func (q *Queue) record(ctx context.Context, pool merge.Pool, a merge.Action, outcome string, s *branchState) error {
	if outcome == "" && sameAction(a, s.last) {
		return nil
	}
	err := q.opt.Recorder.RecordDecision(ctx, Decision{Pool: pool, Action: a, Outcome: outcome, At: q.opt.Now()})
	if err != nil {
		return fmt.Errorf("record what the merge queue of %s decided: %w", pool.Repo, err)
	}
	s.last = a
	return nil
}

// sameAction compares what a person would tell apart.
func sameAction(a, b merge.Action) bool {
	return a.Kind == b.Kind && a.Number == b.Number && a.HeadSHA == b.HeadSHA && a.BaseSHA == b.BaseSHA && a.Reason == b.Reason
}

func member(pool merge.Pool, number int) merge.Candidate {
	for _, c := range pool.Members {
		if c.PR.Number == number {
			return c
		}
	}
	return merge.Candidate{} // not reached: a decision is about a member
}

// forget drops what was remembered about heads and tips that are gone.
func (s *branchState) forget(pool merge.Pool) {
	heads := map[shownKey]bool{}
	for _, c := range pool.Members {
		heads[shownKey{c.PR.Number, c.PR.Head.SHA}] = true
	}
	for k := range s.shown {
		if !heads[k] {
			delete(s.shown, k)
		}
	}
	for k := range s.refused {
		if k.tip != pool.Tip || !heads[shownKey{k.number, k.head}] {
			delete(s.refused, k)
		}
	}
}
