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

func actLGTM(ctx context.Context, t *turn, c merge.Command) error {
	switch {
	case c.Name == "remove-lgtm", strings.EqualFold(c.Args, "cancel"):
		return t.takeLGTM()
	case c.Args != "" && !strings.EqualFold(c.Args, "no-issue"):
		return nil // "/lgtm after the typo is fixed" is talk, not a verdict
	}
	return t.giveLGTM(ctx)
}

func (t *turn) giveLGTM(ctx context.Context) error {
	if ok, why := merge.MayLGTM(t.issue.Author, t.saying.actor, t.collaborators); !ok {
		t.answer("%s", why)
		return nil
	}
	// Said before the push that dropped it, or honoured once before: the event
	// is handled again. Forges tell time in whole seconds.
	if t.saying.at.Before(t.state.Dropped.Truncate(time.Second)) || t.saying.key == t.state.LGTMKey {
		return nil
	}
	if t.labels.has(labelLGTM) && t.state.LGTMBy != "" {
		return nil
	}
	tree, err := t.tree(ctx)
	if err != nil {
		return err
	}
	t.labels.add(labelLGTM)
	t.state.LGTMBy, t.state.LGTMSHA, t.state.LGTMTree = t.saying.actor, t.pr.Head.SHA, tree
	t.state.LGTMKey = t.saying.key
	return nil
}

// takeLGTM takes lgtm back: authors may, for their own change.
func (t *turn) takeLGTM() error {
	if why := t.refuses(AuthorOrCollaborator); why != "" {
		t.answer("`/lgtm cancel`: %s", why)
		return nil
	}
	t.labels.remove(labelLGTM)
	t.state.LGTMBy, t.state.LGTMSHA, t.state.LGTMTree = "", "", ""
	return nil
}

// reviewVerdict lets the verdict of a review speak for lgtm.
func (t *turn) reviewVerdict(ctx context.Context) error {
	switch t.saying.verdict {
	case forge.ReviewApproved:
		if ok, _ := merge.MayLGTM(t.issue.Author, t.saying.actor, t.collaborators); ok {
			return t.giveLGTM(ctx)
		}
	case forge.ReviewChangesRequested:
		if t.isCollaborator(t.saying.actor) {
			return t.takeLGTM()
		}
	}
	return nil
}
