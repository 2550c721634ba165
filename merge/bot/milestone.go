package bot

import (
	"context"
	"strings"

	"seaworthy/forge"
	"seaworthy/merge"
)

func milestoneCommand() Command {
	return Command{
		Names:   []string{"milestone"},
		Usage:   "/milestone (TITLE|clear)",
		Help:    "Puts the change or issue into an open milestone, or takes it out.",
		Example: "/milestone v1.4",
		Who:     Collaborator,
		Issues:  true,
		act:     actMilestone,
	}
}

func actMilestone(ctx context.Context, t *turn, c merge.Command) error {
	title := ""
	if !strings.EqualFold(c.Args, "clear") {
		open, err := t.bot.opt.Forge.Milestones(ctx, t.repo, "open")
		if err != nil {
			return err
		}
		var titles []string
		for _, m := range open {
			titles = append(titles, m.Title)
			if strings.EqualFold(m.Title, c.Args) {
				title = m.Title
			}
		}
		if title == "" {
			known := "there is none"
			if len(titles) > 0 {
				known = "open ones are " + code(titles)
			}
			t.answer("`%s`: there is no such milestone; %s.", c, known)
			return nil
		}
	}
	if title == t.issue.Milestone {
		return nil
	}
	return t.bot.opt.Forge.EditIssue(ctx, t.repo, t.number, forge.EditIssue{Milestone: &title})
}
