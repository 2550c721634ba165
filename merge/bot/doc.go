// Package bot acts on what people write: commands in comments become labels,
// reviews, test runs and milestones, and each pull request carries labels and
// one comment that say how far it is.
//
// Each command lives in a file of its own and is one line in the table that
// Commands returns, with its help, so that the table is also the manual. What
// counts as a command, who owns a file and who has approved is decided by
// package merge.
//
//	b, err := bot.New(bot.Options{Forge: client, Runner: jobs, Login: "seaworthy-bot", …})
//	err = b.HandleEvent(ctx, event)
//
// Handling is idempotent: seen twice, an event leaves the same labels and no
// second comment. The bot writes at most two comments on a pull request and
// edits them in place: the state of its approval, and its answer to the last
// command it could not follow.
package bot
