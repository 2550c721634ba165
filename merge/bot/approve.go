package bot

import (
	"context"
	"slices"
	"strings"

	"seaworthy/merge"
)

func approveCommand() Command {
	return Command{
		Names:   []string{"approve", "remove-approve"},
		Usage:   "/approve [cancel|no-issue]",
		Help:    "Approves the files you own by the OWNERS files; it outlives later pushes until you cancel it.",
		Example: "/approve",
		Who:     Anyone, // it counts for owners only
		act:     actApprove,
	}
}

// actApprove only answers those whose word does not count: what counts is
// replayed from the comments themselves whenever the bot looks.
func actApprove(ctx context.Context, t *turn, c merge.Command) error {
	if c.Name == "remove-approve" || strings.EqualFold(c.Args, "cancel") {
		// Taking back includes what was set by hand.
		if t.isCollaborator(t.saying.actor) && strings.EqualFold(t.saying.actor, t.state.ByHand) {
			t.state.ByHand = ""
		}
		return nil
	}
	owners, err := t.ownership(ctx)
	if err != nil {
		return err
	}
	for _, p := range paths(t.files) {
		if slices.Contains(owners.ApproversFor(p), strings.ToLower(t.saying.actor)) {
			return nil
		}
	}
	t.answer("thank you, but no OWNERS file names you as an approver of what this changes; " +
		"the comment above on approval says who is asked.")
	return nil
}
