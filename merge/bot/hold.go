package bot

import (
	"context"
	"strings"

	"seaworthy/merge"
)

func holdCommand() Command {
	return Command{
		Names:   []string{"hold", "unhold", "remove-hold"},
		Usage:   "/hold [cancel]",
		Help:    "Keeps the change from merging until the hold is cancelled (/unhold is the same as /hold cancel).",
		Example: "/hold cancel",
		Who:     AuthorOrCollaborator,
		act: func(_ context.Context, t *turn, c merge.Command) error {
			t.labels.set(labelHold, c.Name == "hold" && !strings.EqualFold(c.Args, "cancel"))
			return nil
		},
	}
}
