package bot

import (
	"context"
	"slices"

	"seaworthy/merge"
)

// Who may use a command.
type Who string

// Permissions, from the widest to the narrowest.
const (
	Anyone               Who = "anyone"
	Trusted              Who = "collaborators, and the author once tests are allowed"
	AuthorOrCollaborator Who = "the author and collaborators"
	Collaborator         Who = "collaborators"
)

// Command is one row of the table of commands.
type Command struct {
	// Name and further names that begin a line, without the slash.
	Names   []string
	Usage   string
	Help    string // one sentence
	Example string
	Who     Who
	// Issues: works on issues as well as on pull requests.
	Issues bool

	act func(ctx context.Context, t *turn, c merge.Command) error
}

// Commands lists everything the bot understands, in the order of the manual.
func Commands() []Command {
	return []Command{
		lgtmCommand(),
		approveCommand(),
		holdCommand(),
		testCommand(),
		retestCommand(),
		okToTestCommand(),
		assignCommand(),
		ccCommand(),
		labelCommand(),
		prefixCommand("kind", "/kind bug"),
		prefixCommand("area", "/area docs"),
		prefixCommand("sig", "/sig release"),
		prefixCommand("priority", "/priority important-soon"),
		milestoneCommand(),
		lifecycleCommand(),
		retitleCommand(),
		releaseNoteCommand(),
	}
}

// find returns the command of a name.
func (b *Bot) find(name string) (Command, bool) {
	for _, c := range b.table {
		if slices.Contains(c.Names, name) {
			return c, true
		}
	}
	return Command{}, false
}
