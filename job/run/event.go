package run

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
)

// LabelOKToTest lets the changes of somebody who is not trusted run.
const LabelOKToTest = "ok-to-test"

// HandleEvent starts and aborts what an event calls for: presubmits when a
// pull request is opened, reopened, pushed to, made ready, moved to another
// base or declared ok to test; nothing for drafts and for authors who are
// neither trusted nor labelled; postsubmits when a branch or tag is pushed.
// What a push makes stale is aborted, and so is all of a closed pull request.
//
// Other events are passed over. The same event may be handled twice.
func (s *Service) HandleEvent(ctx context.Context, e forge.Event) error {
	var err error
	switch {
	case e.Kind == forge.EventPullRequest && e.PullRequest != nil:
		err = s.handlePull(ctx, e, *e.PullRequest)
	case e.Kind == forge.EventPush && e.Push != nil:
		err = s.handlePush(ctx, e, *e.Push)
	}
	if err != nil {
		return fmt.Errorf("handling %s %s of %s: %w", e.Kind, e.Action, e.Repo, err)
	}
	return nil
}

func (s *Service) handlePull(ctx context.Context, e forge.Event, p forge.PullRequest) error {
	cause := "pull request " + strings.ReplaceAll(e.Action, "_", " ")
	stale := func(job.Execution) bool { return false }
	switch e.Action {
	case "opened", "reopened", "ready_for_review":
	case "synchronize":
		cause = "push to the pull request"
		stale = func(x job.Execution) bool { return x.Refs.Pulls[0].SHA != p.Head.SHA }
	case "edited":
		moved, err := s.moved(ctx, e.Repo, p)
		if err != nil || !moved {
			return err
		}
		cause = "pull request moved to " + p.Base.Branch
		stale = func(x job.Execution) bool { return x.Refs.BaseRef != p.Base.Branch }
	case "labeled":
		if !strings.EqualFold(e.Label, LabelOKToTest) {
			return nil
		}
		cause = LabelOKToTest
	case "closed", "converted_to_draft":
		return s.abortPull(ctx, e.Repo, p.Number, cause, func(job.Execution) bool { return true })
	default:
		return nil
	}
	if err := s.abortPull(ctx, e.Repo, p.Number, cause, stale); err != nil {
		return err
	}
	run, err := s.mayRun(ctx, e.Repo, p)
	if err != nil || !run {
		return err
	}
	// Events come late, after a crash even when all is over: the merge queue may
	// have tested and merged the change meanwhile.
	now, err := s.o.Forge.PullRequest(ctx, e.Repo, p.Number)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return fmt.Errorf("looking at #%d as it is now: %w", p.Number, err)
	}
	if err == nil && now.State == forge.StateClosed {
		return nil
	}
	_, err = s.startPulls(ctx, Request{Repo: e.Repo, Pull: p.Number, Cause: cause, Key: keyOf(e), Once: e.Action == "opened"}, []forge.PullRequest{p})
	return err
}

func keyOf(e forge.Event) string {
	if e.Delivery == "" {
		return ""
	}
	return "event/" + e.Delivery
}

func (s *Service) mayRun(ctx context.Context, repo forge.RepoName, p forge.PullRequest) (bool, error) {
	if p.Draft || p.State == forge.StateClosed {
		return false, nil
	}
	if p.HasLabel(LabelOKToTest) {
		return true, nil
	}
	ok, err := s.o.Trusted(ctx, repo, p.Author)
	if err != nil {
		return false, fmt.Errorf("asking whether %s is trusted: %w", p.Author, err)
	}
	if !ok {
		s.o.Log.InfoContext(ctx, "jobs wait for "+LabelOKToTest, "repo", repo.String(), "pull", p.Number, "author", p.Author)
	}
	return ok, nil
}

// moved reports whether a pull request was last tested on another base branch
// than it has now.
func (s *Service) moved(ctx context.Context, repo forge.RepoName, p forge.PullRequest) (bool, error) {
	last, err := s.o.Store.Executions(ctx, job.ExecutionFilter{Repo: repo.String(), Pull: p.Number, Type: job.Presubmit, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("looking for what ran for #%d: %w", p.Number, err)
	}
	return len(last) == 0 || last[0].Refs.BaseRef != p.Base.Branch, nil
}

func (s *Service) abortPull(ctx context.Context, repo forge.RepoName, number int, why string, which func(job.Execution) bool) error {
	all, err := s.o.Store.Executions(ctx, job.ExecutionFilter{Repo: repo.String(), Pull: number, Type: job.Presubmit, States: unfinished()})
	if err != nil {
		return fmt.Errorf("looking for what runs for #%d: %w", number, err)
	}
	for _, x := range all {
		if which(x) {
			if err := s.Abort(ctx, x.ID, why); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) handlePush(ctx context.Context, e forge.Event, p forge.Push) error {
	if p.After == git.ZeroSHA || p.After == "" {
		return nil
	}
	r := Request{Repo: e.Repo, BaseSHA: p.After, Cause: "push by " + e.Sender, Key: keyOf(e)}
	if branch, ok := strings.CutPrefix(p.Ref, "refs/heads/"); ok {
		r.Branch = branch
	} else if tag, ok := strings.CutPrefix(p.Ref, "refs/tags/"); ok {
		r.Branch = tag
		// An annotated tag is an object of its own; jobs and statuses are
		// about the commit it points at.
		c, err := s.o.Forge.Commit(ctx, e.Repo, "tags/"+tag)
		if err != nil {
			return fmt.Errorf("finding the commit of tag %s: %w", tag, err)
		}
		r.BaseSHA = c.SHA
	} else {
		return nil
	}
	_, err := s.startPush(ctx, r, s.pushed(ctx, e.Repo, p))
	return err
}

// pushed lists the files a push changed. Those of a new branch are not known:
// there is nothing to compare it with.
func (s *Service) pushed(ctx context.Context, repo forge.RepoName, p forge.Push) job.Changed {
	if p.Before == git.ZeroSHA || p.Before == "" {
		return nil
	}
	return func() ([]string, error) {
		_, files, err := s.o.Forge.Compare(ctx, repo, p.Before, p.After)
		if errors.Is(err, forge.ErrNotFound) {
			return nil, nil // a forced push, and the old commit is gone
		}
		return paths(files), err
	}
}
