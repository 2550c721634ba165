package bot

import (
	"context"

	"seaworthy/merge"
)

func releaseNoteCommand() Command {
	return Command{
		Names:   []string{"release-note-none"},
		Usage:   "/release-note-none",
		Help:    "Says that the change has nothing for the release notes.",
		Example: "/release-note-none",
		Who:     AuthorOrCollaborator,
		act: func(_ context.Context, t *turn, c merge.Command) error {
			switch t.bot.opt.Note(t.pr.Body) {
			case NoteGiven, NoteActionRequired:
				t.answer("`%s`: the description has a release note; take it out of the release-note block first.", c)
			default:
				t.labels.add(labelNoteNone)
			}
			return nil
		},
	}
}
