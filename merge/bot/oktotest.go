package bot

import (
	"context"
	"strings"

	"seaworthy/merge"
)

func okToTestCommand() Command {
	return Command{
		Names: []string{"ok-to-test"},
		Usage: "/ok-to-test [cancel]",
		// The label is what starts them, so that setting it by hand does too.
		Help:    "Allows tests for a change by somebody who is no collaborator, and starts them.",
		Example: "/ok-to-test",
		Who:     Collaborator,
		act: func(_ context.Context, t *turn, c merge.Command) error {
			if strings.EqualFold(c.Args, "cancel") {
				t.labels.remove(labelOKToTest)
				t.labels.set(labelNeedsOKToTest, !t.isCollaborator(t.pr.Author))
				return nil
			}
			t.labels.remove(labelNeedsOKToTest)
			if !t.isCollaborator(t.pr.Author) { // else tests were allowed all along
				t.labels.add(labelOKToTest)
			}
			return nil
		},
	}
}
