package queue

import (
	"context"
	"fmt"
	"strings"

	"seaworthy/forge"
	"seaworthy/merge"
)

// startBatch has the jobs of several changes run together on the tip.
func (q *Queue) startBatch(ctx context.Context, pool merge.Pool, next merge.Action, s *branchState) error {
	start := StartBatch{
		Repo: pool.Repo, Branch: pool.Branch, BaseSHA: next.BaseSHA, Jobs: next.Jobs,
		Cause: "merge queue: test together on the tip of " + pool.Branch,
	}
	heads := make([]string, len(next.Batch))
	for i, m := range next.Batch {
		start.Members = append(start.Members, member(pool, m.Number).PR)
		heads[i] = fmt.Sprintf("#%d@%s", m.Number, m.HeadSHA)
	}
	start.Key = fmt.Sprintf("queue %s %s %s", pool.Repo, next.BaseSHA, strings.Join(heads, " "))
	if err := q.opt.Batches.StartBatch(ctx, start); err != nil {
		return fmt.Errorf("start a batch on %s of %s: %w", pool.Branch, pool.Repo, err)
	}
	return q.record(ctx, pool, next, "started", s)
}

// landBatch merges the members of a green batch in the order they were tested
// in. It stops where the branch or a member is no longer what the batch tested,
// or the forge refuses: what is left is decided about anew.
func (q *Queue) landBatch(ctx context.Context, pool merge.Pool, next merge.Action, s *branchState) (again bool, err error) {
	want := next.BaseSHA
	for _, m := range next.Batch {
		pr := member(pool, m.Number).PR
		if ok, err := q.stillGood(ctx, pool, pr, want); err != nil || !ok {
			return true, err
		}
		done := next
		done.Number, done.HeadSHA, done.BaseSHA, done.Method = m.Number, m.HeadSHA, want, pool.Policy.MethodFor(pr)
		sha, err := q.merge(ctx, pr, forge.Merge{Method: done.Method, SHA: m.HeadSHA})
		if refusal(err) {
			return true, q.refused(ctx, pool, done, err, s)
		}
		if err != nil {
			return false, err
		}
		if err := q.landed(ctx, pool, done, pr, sha, s); err != nil {
			return false, err
		}
		want = sha
	}
	return true, nil
}
