package bot

import (
	"context"
	"errors"
	"strings"

	"seaworthy/forge"
	"seaworthy/merge"
)

func assignCommand() Command {
	return Command{
		Names:   []string{"assign", "unassign"},
		Usage:   "/assign [@LOGIN …]",
		Help:    "Assigns people, you if nobody is named; /unassign takes them off.",
		Example: "/assign @ada",
		Who:     Anyone,
		Issues:  true,
		act:     actAssign,
	}
}

func actAssign(ctx context.Context, t *turn, c merge.Command) error {
	people := logins(c)
	if len(people) == 0 {
		people = []string{t.saying.actor}
	}
	call := t.bot.opt.Forge.AddAssignees
	if c.Name == "unassign" {
		call = t.bot.opt.Forge.RemoveAssignees
	}
	err := call(ctx, t.repo, t.number, people)
	if forgeRefused(err) {
		t.answer("`%s`: the forge does not accept them as assignees; they need access to the repository.", c)
		return nil
	}
	return err
}

// logins reads "@ann, @bob cho".
func logins(c merge.Command) []string {
	var out []string
	for _, f := range strings.FieldsFunc(c.Args, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if f = strings.TrimPrefix(f, "@"); f != "" {
			out = append(out, f)
		}
	}
	return out
}

// forgeRefused reports whether the forge answered that the request is wrong,
// which asking again will not change.
func forgeRefused(err error) bool {
	return errors.Is(err, forge.ErrInvalid) || errors.Is(err, forge.ErrNotFound) || errors.Is(err, forge.ErrForbidden)
}
