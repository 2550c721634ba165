package bot

import (
	"context"

	"seaworthy/forge"
	"seaworthy/merge"
)

func retitleCommand() Command {
	return Command{
		Names:   []string{"retitle"},
		Usage:   "/retitle TITLE",
		Help:    "Gives the change or issue another title.",
		Example: "/retitle Fix the tide table on leap days",
		Who:     AuthorOrCollaborator,
		Issues:  true,
		act: func(ctx context.Context, t *turn, c merge.Command) error {
			if c.Args == "" {
				t.answer("`/retitle`: write the title on the same line.")
				return nil
			}
			if c.Args == t.issue.Title {
				return nil
			}
			if err := t.bot.opt.Forge.EditIssue(ctx, t.repo, t.number, forge.EditIssue{Title: &c.Args}); err != nil {
				return err
			}
			t.issue.Title = c.Args
			if t.pr != nil {
				t.pr.Title = c.Args
			}
			return nil
		},
	}
}
