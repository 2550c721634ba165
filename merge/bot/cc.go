package bot

import (
	"context"
	"slices"
	"strings"

	"seaworthy/merge"
)

func ccCommand() Command {
	return Command{
		Names:   []string{"cc", "uncc"},
		Usage:   "/cc [@LOGIN …]",
		Help:    "Asks people for a review, you if nobody is named; /uncc takes the request back.",
		Example: "/cc @cho",
		Who:     Anyone,
		act:     actCC,
	}
}

func actCC(ctx context.Context, t *turn, c merge.Command) error {
	people := logins(c)
	if len(people) == 0 {
		people = []string{t.saying.actor}
	}
	if c.Name == "uncc" {
		return t.uncc(ctx, c, people)
	}
	people = slices.DeleteFunc(people, func(l string) bool {
		return strings.EqualFold(l, t.pr.Author) || slices.ContainsFunc(t.pr.Reviewers, func(r string) bool { return strings.EqualFold(r, l) })
	})
	if len(people) == 0 {
		return nil
	}
	err := t.bot.opt.Forge.RequestReviewers(ctx, t.repo, t.number, people)
	if forgeRefused(err) {
		t.answer("`%s`: the forge does not accept them as reviewers; they need access to the repository.", c)
		return nil
	}
	if err == nil {
		t.pr.Reviewers = append(t.pr.Reviewers, people...)
	}
	return err
}

func (t *turn) uncc(ctx context.Context, c merge.Command, people []string) error {
	remover, ok := t.bot.opt.Forge.(ReviewRemover)
	if !ok {
		t.answer("`%s`: on this forge a review request is taken back on the page only.", c)
		return nil
	}
	err := remover.RemoveReviewers(ctx, t.repo, t.number, people)
	if forgeRefused(err) {
		t.answer("`%s`: they have not been asked.", c)
		return nil
	}
	return err
}
