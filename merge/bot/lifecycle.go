package bot

import (
	"context"

	"seaworthy/forge"
	"seaworthy/merge"
)

func lifecycleCommand() Command {
	return Command{
		Names:   []string{"close", "reopen"},
		Usage:   "/close",
		Help:    "Closes the change or issue; /reopen opens it again.",
		Example: "/reopen",
		Who:     AuthorOrCollaborator,
		Issues:  true,
		act:     actLifecycle,
	}
}

func actLifecycle(ctx context.Context, t *turn, c merge.Command) error {
	want := forge.StateClosed
	if c.Name == "reopen" {
		want = forge.StateOpen
	}
	if t.issue.State == want {
		return nil
	}
	if t.pr != nil && t.pr.Merged {
		t.answer("`%s`: it has merged.", c)
		return nil
	}
	err := t.bot.opt.Forge.EditIssue(ctx, t.repo, t.number, forge.EditIssue{State: &want})
	if forgeRefused(err) {
		t.answer("`%s`: the forge refuses; the branch may be gone.", c)
		return nil
	}
	if err == nil {
		t.issue.State = want
		if t.pr != nil {
			t.pr.State = want
		}
	}
	return err
}
