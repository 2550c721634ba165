package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/merge"
)

// HandleEvent follows the commands an event brings and sets right the labels
// and comments it may have changed. Events that concern no issue or pull
// request are passed over.
func (b *Bot) HandleEvent(ctx context.Context, ev forge.Event) error {
	switch {
	case !ev.Repo.Valid():
		return nil
	case ev.Kind == forge.EventPush && ev.Push != nil:
		return b.pushed(ctx, ev)
	case ev.Kind == forge.EventPullRequest && ev.PullRequest != nil:
		return b.serve(ctx, ev, ev.PullRequest.Number, b.pullRequest)
	case ev.Kind == forge.EventPullRequestReview && ev.PullRequest != nil && ev.Review != nil:
		return b.serve(ctx, ev, ev.PullRequest.Number, b.review)
	case ev.Kind == forge.EventIssueComment && ev.Issue != nil && ev.Comment != nil:
		return b.serve(ctx, ev, ev.Issue.Number, b.comment)
	case ev.Kind == forge.EventIssues && ev.Issue != nil && ev.Action == "opened":
		return b.serve(ctx, ev, ev.Issue.Number, b.issue)
	}
	return nil
}

// serve handles an event while nothing else touches the same issue.
func (b *Bot) serve(ctx context.Context, ev forge.Event, number int, handle func(context.Context, forge.Event) error) error {
	leave, err := b.enter(ctx, ev.Repo, number)
	if err != nil {
		return err
	}
	defer leave()
	if err := handle(ctx, ev); err != nil {
		return fmt.Errorf("bot: %s %s on %s#%d: %w", ev.Kind, ev.Action, ev.Repo, number, err)
	}
	return nil
}

// own reports whether the bot itself is behind a login.
func (b *Bot) own(login string) bool { return strings.EqualFold(login, b.opt.Login) }

func (b *Bot) pullRequest(ctx context.Context, ev forge.Event) error {
	if b.own(ev.Sender) && ev.Action != "opened" && ev.Action != "synchronize" {
		return nil // what the bot itself did has been seen to
	}
	t, err := b.newTurn(ctx, ev.Repo, ev.PullRequest.Number)
	if err != nil {
		return err
	}
	if t.pr.State != forge.StateOpen {
		return nil
	}
	if err := t.notice(ctx, ev); err != nil {
		return err
	}
	switch ev.Action {
	case "opened":
		if !b.own(t.pr.Author) {
			t.hear(said{actor: t.pr.Author, body: t.pr.Body, key: "description"})
			if err := t.follow(ctx); err != nil {
				return err
			}
		}
		t.admit()
	case "labeled", "unlabeled":
		if strings.EqualFold(ev.Label, labelLGTM) {
			t.labelledLGTM(ev)
		}
		if strings.EqualFold(ev.Label, labelApproved) {
			t.state.ByHand = ""
			if ev.Action == "labeled" && t.pr.HasLabel(labelApproved) {
				t.state.ByHand = ev.Sender
			}
		}
	}
	if slices.Contains([]string{"opened", "reopened", "synchronize"}, ev.Action) {
		if err := t.addOwnersLabels(ctx); err != nil {
			return err
		}
	}
	if slices.Contains([]string{"opened", "ready_for_review"}, ev.Action) {
		if err := t.requestReviews(ctx); err != nil {
			return err
		}
	}
	return t.settle(ctx)
}

// Refresh brings the labels and comments of a pull request up to date, as if
// something had happened to it. Whoever is about to merge on the strength of
// labels calls it first: a push may be on its way that nobody has heard of.
func (b *Bot) Refresh(ctx context.Context, repo forge.RepoName, number int) error {
	ev := forge.Event{Kind: "refresh", Repo: repo}
	return b.serve(ctx, ev, number, func(ctx context.Context, _ forge.Event) error {
		t, err := b.newTurn(ctx, repo, number)
		if err != nil {
			return err
		}
		return t.settle(ctx)
	})
}

func (b *Bot) comment(ctx context.Context, ev forge.Event) error {
	if b.own(ev.Comment.Author) {
		return nil
	}
	t, err := b.newTurnFor(ctx, ev.Repo, *ev.Issue)
	if err != nil {
		return err
	}
	commands := merge.ParseCommands(ev.Comment.Body)
	if ev.Action == "created" && len(commands) > 0 {
		t.hear(said{
			actor: ev.Comment.Author, body: ev.Comment.Body,
			key: fmt.Sprintf("comment %d", ev.Comment.ID),
		})
		if err := t.follow(ctx); err != nil {
			return err
		}
	}
	if ev.Action == "created" && len(commands) == 0 {
		return nil
	}
	return t.settle(ctx)
}

func (b *Bot) review(ctx context.Context, ev forge.Event) error {
	if b.own(ev.Review.Author) {
		return nil
	}
	t, err := b.newTurn(ctx, ev.Repo, ev.PullRequest.Number)
	if err != nil {
		return err
	}
	if ev.Action == "submitted" {
		t.hear(said{
			actor: ev.Review.Author, body: ev.Review.Body,
			key: fmt.Sprintf("review %d", ev.Review.ID),
		})
		if err := t.follow(ctx); err != nil {
			return err
		}
	}
	return t.settle(ctx)
}

func (b *Bot) issue(ctx context.Context, ev forge.Event) error {
	if ev.Issue.IsPull || b.own(ev.Issue.Author) {
		return nil
	}
	t, err := b.newTurnFor(ctx, ev.Repo, *ev.Issue)
	if err != nil {
		return err
	}
	t.hear(said{actor: ev.Issue.Author, body: ev.Issue.Body, key: "description"})
	if err := t.follow(ctx); err != nil {
		return err
	}
	return t.settle(ctx)
}

// pushed looks at every change against a branch that moved: which of them
// merge cleanly may have changed.
func (b *Bot) pushed(ctx context.Context, ev forge.Event) error {
	branch, ok := strings.CutPrefix(ev.Push.Ref, "refs/heads/")
	if !ok || strings.Trim(ev.Push.After, "0") == "" {
		return nil
	}
	prs, err := b.opt.Forge.PullRequests(ctx, ev.Repo, forge.PullFilter{State: "open", Base: branch})
	if err != nil {
		return fmt.Errorf("bot: push to %s of %s: %w", branch, ev.Repo, err)
	}
	var errs []error
	for _, listed := range prs {
		errs = append(errs, b.serve(ctx, ev, listed.Number, func(ctx context.Context, ev forge.Event) error {
			pr, err := b.opt.Forge.PullRequest(ctx, ev.Repo, listed.Number)
			if err != nil || pr.State != forge.StateOpen {
				return err
			}
			labels := newLabels(pr.Labels)
			labels.needsRebase(pr)
			return labels.apply(ctx, b.opt.Forge, ev.Repo, pr.Number)
		}))
	}
	return errors.Join(errs...)
}

// said is one text that may hold commands.
type said struct {
	actor, body string
	key         string // the same text has the same key
}
