package bot

import (
	"context"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/merge"
)

func lgtmCommand() Command {
	return Command{
		Names:   []string{"lgtm", "remove-lgtm"},
		Usage:   "/lgtm [cancel]",
		Help:    "Says that the change looks good; a push takes that back, and so does cancel.",
		Example: "/lgtm",
		Who:     Anyone, // who may is answered more exactly below
		act:     actLGTM,
	}
}

// actLGTM only answers those whose word does not count: what counts is replayed
// from the comments themselves whenever the bot looks.
func actLGTM(_ context.Context, t *turn, c merge.Command) error {
	switch {
	case c.Name == "remove-lgtm", strings.EqualFold(c.Args, "cancel"):
		if why := t.refuses(AuthorOrCollaborator); why != "" {
			t.answer("`%s`: %s", c, why)
		}
	case c.Args == "":
		if ok, why := merge.MayLGTM(t.issue.Author, t.saying.actor, t.collaborators); !ok {
			t.answer("%s", why)
		}
	}
	return nil
}

// notice takes note of the head that an event about the pull request tells, and
// of when it came.
func (t *turn) notice(ctx context.Context, ev forge.Event) error {
	if ev.PullRequest.Head.SHA != t.pr.Head.SHA {
		return nil // an old event; one about the present head is on its way
	}
	var at time.Time
	switch ev.Action {
	case "opened":
		at = t.pr.CreatedAt.UTC()
	case "synchronize", "reopened":
		at = eventTime(ev)
	default:
		return nil
	}
	if t.state.Head != t.pr.Head.SHA {
		return t.moved(ctx, at, false)
	}
	if t.state.Guessed {
		t.state.Since, t.state.Guessed = at, false
	}
	return nil
}

// moved makes the present head the one that lgtm is about. Content that was
// there before keeps its lgtm.
func (t *turn) moved(ctx context.Context, since time.Time, guessed bool) error {
	tree := ""
	if t.bot.opt.TreeHash != nil {
		var err error
		if tree, err = t.bot.opt.TreeHash(ctx, t.repo, t.pr.Head.SHA); err != nil {
			return err
		}
	}
	if !merge.KeepsLGTM(t.state.Tree, tree) {
		t.state.Stale = t.state.Stale || t.labels.has(labelLGTM)
		t.state.Since, t.state.Guessed, t.state.HandLGTM = since, guessed, ""
	} else {
		t.state.Guessed = false
	}
	t.state.Head, t.state.Tree = t.pr.Head.SHA, tree
	return nil
}

// labelledLGTM follows a person who sets or removes the label by hand.
func (t *turn) labelledLGTM(ev forge.Event) {
	t.state.HandLGTM = ""
	if ev.Action == "unlabeled" {
		t.state.Since = eventTime(ev)
	} else if ev.PullRequest.Head.SHA == t.state.Head {
		t.state.HandLGTM = ev.Sender
	}
}

// eventTime is when something happened to a pull request, by the forge's clock
// where it says so.
func eventTime(ev forge.Event) time.Time {
	if at := ev.PullRequest.UpdatedAt; !at.IsZero() {
		return at.UTC()
	}
	return ev.ReceivedAt.UTC()
}

// lgtm sets the label by what was said about the present head. A head that no
// event told of yet came at the pull request's last change at the latest; the
// event, when it comes, tells it exactly.
func (t *turn) lgtm(ctx context.Context, reviews []forge.Review) error {
	if t.state.Head != t.pr.Head.SHA {
		if err := t.moved(ctx, t.pr.UpdatedAt.UTC(), true); err != nil {
			return err
		}
	}
	t.lgtmBy = merge.LGTM(merge.Reviewed{
		Author: t.pr.Author, Comments: t.comments, Reviews: reviews, Since: t.state.Since,
		Collaborators: t.collaborators, Bot: t.bot.opt.Login, ReviewActs: t.policy.ReviewActsAsLGTM,
	})
	if t.lgtmBy == "" {
		t.lgtmBy = t.state.HandLGTM
	}
	t.labels.set(labelLGTM, t.lgtmBy != "")
	t.state.Stale = t.state.Stale && t.lgtmBy == ""
	return nil
}
