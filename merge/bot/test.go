package bot

import (
	"context"
	"fmt"
	"strings"

	"seaworthy/merge"
)

func testCommand() Command {
	return Command{
		Names:   []string{"test"},
		Usage:   "/test (all|NAME|?)",
		Help:    "Runs the named job, or all that apply; a question mark lists them.",
		Example: "/test all",
		Who:     Trusted,
		act:     actTest,
	}
}

// actTest has the runner start what a command asks for.
func actTest(ctx context.Context, t *turn, c merge.Command) error {
	answer, err := t.bot.opt.Runner.Test(ctx, TestRequest{
		PullRequest: *t.pr,
		Command:     c.String(),
		Actor:       t.saying.actor,
		Key:         fmt.Sprintf("%s#%d %s line %d", t.repo, t.number, t.saying.key, c.Line),
	})
	if err != nil {
		return err
	}
	if answer.Help {
		t.answer("%s", menu(c, answer))
	}
	return nil
}

// menu says what can be run.
func menu(c merge.Command, a TestAnswer) string {
	if len(a.Required)+len(a.Optional) == 0 {
		return fmt.Sprintf("`%s`: this branch has no jobs for pull requests.", c)
	}
	parts := []string{fmt.Sprintf("`%s`: you can say", c)}
	if len(a.Required) > 0 {
		parts = append(parts, "for required jobs "+code(a.Required)+";")
	}
	if len(a.Optional) > 0 {
		parts = append(parts, "for optional jobs "+code(a.Optional)+";")
	}
	if len(a.All) > 0 {
		parts = append(parts, "`/test all` runs "+code(a.All)+";")
	}
	return strings.TrimSuffix(strings.Join(parts, " "), ";") + "."
}

// code joins words as they are typed.
func code(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }
