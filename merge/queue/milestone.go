package queue

import (
	"context"
	"errors"
	"fmt"

	"seaworthy/forge"
	"seaworthy/merge"
)

// applyMilestone gives a merged pull request the milestone its branch leads
// to. One that a person chose stays.
func (q *Queue) applyMilestone(ctx context.Context, pr forge.PullRequest, policy merge.Policy) error {
	title := policy.Milestones[pr.Base.Branch]
	if title == "" || pr.Milestone != "" {
		return nil
	}
	if err := q.ensureMilestone(ctx, pr.Repo, title); err != nil {
		return fmt.Errorf("give %s#%d the milestone %s: %w", pr.Repo, pr.Number, title, err)
	}
	if err := q.opt.Forge.EditIssue(ctx, pr.Repo, pr.Number, forge.EditIssue{Milestone: &title}); err != nil {
		return fmt.Errorf("give %s#%d the milestone %s: %w", pr.Repo, pr.Number, title, err)
	}
	return nil
}

// ensureMilestone creates the milestone if the repository does not have it.
func (q *Queue) ensureMilestone(ctx context.Context, repo forge.RepoName, title string) error {
	have, err := q.opt.Forge.Milestones(ctx, repo, "all")
	if err != nil {
		return err
	}
	for _, m := range have {
		if m.Title == title {
			return nil
		}
	}
	_, err = q.opt.Forge.CreateMilestone(ctx, repo, forge.Milestone{Title: title, State: forge.StateOpen})
	if errors.Is(err, forge.ErrExists) { // made by somebody else meanwhile
		return nil
	}
	return err
}
