package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/merge"
)

// HandleEvent looks at the branches that an event may have changed something
// for. Events that cannot are passed over.
func (q *Queue) HandleEvent(ctx context.Context, ev forge.Event) error {
	if !ev.Repo.Valid() {
		return nil
	}
	policy, err := q.opt.Query(ctx, ev.Repo)
	if err != nil {
		return fmt.Errorf("merge queue: read the policy of %s: %w", ev.Repo, err)
	}
	if len(policy.Queries) == 0 {
		return nil
	}
	if ev.Kind == forge.EventPullRequest && ev.Action == "closed" && ev.PullRequest != nil && ev.PullRequest.Merged {
		// Merged by hand, or by a pass that was cut short.
		pr, err := q.opt.Forge.PullRequest(ctx, ev.Repo, ev.PullRequest.Number)
		if err != nil {
			return fmt.Errorf("merge queue: look at %s#%d: %w", ev.Repo, ev.PullRequest.Number, err)
		}
		if err := q.applyMilestone(ctx, pr, policy); err != nil {
			return err
		}
	}
	if idle(ev, policy) {
		return nil
	}
	branches, err := q.affected(ctx, ev)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range branches {
		errs = append(errs, q.Sync(ctx, ev.Repo, b))
	}
	return errors.Join(errs...)
}

// idle reports whether an event about a pull request leaves the queue as it is:
// most labels, assignments and requests do.
func idle(ev forge.Event, policy merge.Policy) bool {
	if ev.Kind != forge.EventPullRequest {
		return false
	}
	switch ev.Action {
	case "labeled", "unlabeled":
		return !policy.Concerns(ev.Label)
	case "assigned", "unassigned", "review_requested", "review_request_removed":
		return true
	}
	return false
}

// affected lists the branches whose pools an event may have changed.
func (q *Queue) affected(ctx context.Context, ev forge.Event) ([]string, error) {
	switch {
	case ev.Kind == forge.EventPush && ev.Push != nil:
		branch, ok := strings.CutPrefix(ev.Push.Ref, "refs/heads/")
		if !ok || strings.Trim(ev.Push.After, "0") == "" {
			return nil, nil
		}
		return q.withPulls(ctx, ev.Repo, func(pr forge.PullRequest) bool { return pr.Base.Branch == branch })
	case (ev.Kind == forge.EventPullRequest || ev.Kind == forge.EventPullRequestReview) && ev.PullRequest != nil:
		return []string{ev.PullRequest.Base.Branch}, nil
	case ev.Kind == forge.EventIssues && ev.Issue != nil && (ev.Issue.HasLabel(merge.LabelBlocker) || strings.EqualFold(ev.Label, merge.LabelBlocker)):
		return q.withPulls(ctx, ev.Repo, func(forge.PullRequest) bool { return true })
	case ev.Kind == forge.EventStatus && ev.Status != nil && ev.Status.Context != merge.QueueContext:
		return q.withPulls(ctx, ev.Repo, func(pr forge.PullRequest) bool { return pr.Head.SHA == ev.Status.SHA })
	case ev.Kind == forge.EventCheckRun:
		return q.withPulls(ctx, ev.Repo, func(forge.PullRequest) bool { return true })
	}
	return nil, nil
}

// withPulls lists the base branches of the open pull requests that fit.
func (q *Queue) withPulls(ctx context.Context, repo forge.RepoName, fits func(forge.PullRequest) bool) ([]string, error) {
	prs, err := q.opt.Forge.PullRequests(ctx, repo, forge.PullFilter{State: "open"})
	if err != nil {
		return nil, fmt.Errorf("merge queue: list the open pull requests of %s: %w", repo, err)
	}
	return bases(slices.DeleteFunc(prs, func(pr forge.PullRequest) bool { return !fits(pr) })), nil
}
