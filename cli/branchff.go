package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/release/cut"
)

func newBranchFF(s Streams) *cobra.Command {
	var f change
	var ref string
	var real, quiet bool
	c := &cobra.Command{
		Use:     "ff [BRANCH]",
		Aliases: []string{"fast-forward"},
		Short:   "Move a release branch on to the default branch (a rehearsal unless --nomock)",
		Long: `Moves a release branch on to the default branch, between its first candidate and its first final release. Without
BRANCH it is the newest release branch. Nothing is done once X.Y.0 is tagged, or while an issue "Cut vX.Y.0 release" is
open. It is refused while the branch is staged or cut, and when the default branch was tagged for the next release.
A branch that holds changes of its own gets a merge, in which they stay. The push is never forced: where somebody has
moved the branch meanwhile, it stops.`,
		Example: `  seaworthy branch ff
  seaworthy branch ff release-1.2 --nomock --non-interactive`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				r := cut.FastForwardRequest{Repo: repo, Ref: ref, Mock: !real, Actor: me()}
				if len(args) > 0 {
					r.Branch = args[0]
				}
				run, err := a.Releases.FastForward(cmd.Context(), r)
				if err != nil {
					return err
				}
				return fastForward(cmd.Context(), s, a, run.ID, real && !quiet)
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&ref, "ref", "", "`commit`, tag or branch to move to, on the default branch (its tip if empty)")
	c.Flags().BoolVar(&real, "nomock", false, "do it for real")
	c.Flags().BoolVar(&quiet, "non-interactive", false, "push without asking")
	return c
}

// fastForward says what would be pushed, asks where somebody is to be asked, and
// pushes. What is not wanted is aborted, so that the branch is free again.
func fastForward(ctx context.Context, s Streams, a *app.App, id string, ask bool) error {
	if err := decide(ctx, s, a, id, cut.FastForwardPlanned); err != nil {
		return endRefused(ctx, a, id, err)
	}
	m, known, err := a.Releases.Movement(ctx, id)
	if err != nil || !known {
		return err
	}
	printMovement(s.Out, m)
	if ask && m.Done == "" {
		yes, err := confirmed(s, fmt.Sprintf("Push %s to %s? [y/N] ", m.To[:min(12, len(m.To))], m.Branch))
		if err != nil {
			return err
		}
		if !yes {
			_, err := a.Releases.Abort(ctx, id, me(), "not confirmed")
			if err == nil {
				err = verdictError{"Not confirmed: nothing was pushed. --non-interactive pushes without asking."}
			}
			return err
		}
	}
	if err := drive(ctx, s, a, id, flow.DriveOptions{}); err != nil {
		return err
	}
	return sayRehearsed(ctx, s, a, id, "pushes the branch")
}

// endRefused ends a run that the rules refuse: there is nothing to resume.
func endRefused(ctx context.Context, a *app.App, id string, why error) error {
	if exitCode(why) != exitVerdict {
		return why
	}
	if _, err := a.Releases.Abort(ctx, id, me(), "refused"); err != nil {
		return err
	}
	return why
}

// confirmed asks a question and reads one line.
func confirmed(s Streams, question string) (bool, error) {
	fmt.Fprint(s.Err, question)
	line, err := bufio.NewReader(io.LimitReader(s.In, 1<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("reading the answer: %w", err)
	}
	fmt.Fprintln(s.Err)
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

func printMovement(w io.Writer, m cut.Movement) {
	short := func(sha string) string { return sha[:min(12, len(sha))] }
	switch {
	case m.Done != "":
		fmt.Fprintf(w, "%s stays at %s: %s\n", m.Branch, short(m.From), m.Done)
	case m.Merged:
		fmt.Fprintf(w, "%s %s..%s gains %s of %s by a merge\n", m.Branch, short(m.From), short(m.To), count(m.Commits, "commit", "commits"), m.DefaultBranch)
		for _, file := range m.Kept {
			fmt.Fprintf(w, "  both changed %s; where they did so in the same lines, those of %s stay\n", file, m.Branch)
		}
	default:
		fmt.Fprintf(w, "%s %s..%s gains %s of %s\n", m.Branch, short(m.From), short(m.To), count(m.Commits, "commit", "commits"), m.DefaultBranch)
	}
}
