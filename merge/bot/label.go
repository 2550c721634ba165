package bot

import (
	"context"
	"slices"
	"strings"

	"seaworthy/merge"
)

func labelCommand() Command {
	return Command{
		Names:   []string{"label", "remove-label"},
		Usage:   "/label NAME",
		Help:    "Adds a label that the repository has; /remove-label takes it off.",
		Example: "/label good-first-issue",
		Who:     AuthorOrCollaborator,
		Issues:  true,
		act: func(ctx context.Context, t *turn, c merge.Command) error {
			if c.Args == "" {
				t.answer("`%s`: name the label.", c)
				return nil
			}
			return t.label(ctx, c, c.Args)
		},
	}
}

// prefixCommand is /kind, /area and their like: each word is the second half
// of a label.
func prefixCommand(prefix, example string) Command {
	return Command{
		Names:   []string{prefix, "remove-" + prefix},
		Usage:   "/" + prefix + " NAME …",
		Help:    "Adds the label " + prefix + "/NAME; /remove-" + prefix + " takes it off.",
		Example: example,
		Who:     Anyone,
		Issues:  true,
		act: func(ctx context.Context, t *turn, c merge.Command) error {
			for _, word := range c.Fields() {
				if err := t.label(ctx, c, prefix+"/"+strings.ToLower(word)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// guarded labels are the outcome of rules, and nobody's to set by name.
var guarded = []string{labelLGTM, labelApproved, labelOKToTest, labelNeedsOKToTest, labelHold, labelWIP, labelNoteNeeded, merge.LabelNeedsRebase}

// label sets or removes one label by name.
func (t *turn) label(ctx context.Context, c merge.Command, name string) error {
	if slices.ContainsFunc(guarded, func(g string) bool { return strings.EqualFold(g, name) }) {
		t.answer("`%s`: the label %s follows from other commands and is not set by name.", c, name)
		return nil
	}
	if strings.HasPrefix(c.Name, "remove-") {
		t.labels.remove(name)
		return nil
	}
	have, err := t.bot.opt.Forge.Labels(ctx, t.repo)
	if err != nil {
		return err
	}
	for _, h := range have {
		if strings.EqualFold(h.Name, name) {
			t.labels.add(h.Name)
			return nil
		}
	}
	t.answer("`%s`: this repository has no label %s.", c, name)
	return nil
}
