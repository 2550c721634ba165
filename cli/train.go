package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/release/train"
)

func newReleaseTrain(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	c := &cobra.Command{
		Use:   "train",
		Short: "Show the timetable: what departs when, and what would stop it",
		Long: `Shows a line for each branch that release.train of seaworthy.yaml serves: the release that comes next, when it
departs, and where it stands, as last night's rehearsal and the gates tell it. What would stop it is named with
the gate or the step that says so, and where to look. Nothing is changed: a running server does what is due.`,
		Example: `  seaworthy release train
  seaworthy release train -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				lines, err := a.Timetable(cmd.Context(), repo)
				if err != nil {
					return err
				}
				if lines == nil {
					lines = []train.Line{} // a list that is empty, not none
				}
				return out.print(s.Out, lines, func(w io.Writer) error { return printTrain(w, lines) })
			})
		},
	}
	f.add(c)
	out.add(c)
	return c
}

func printTrain(w io.Writer, lines []train.Line) error {
	var rows [][]string
	for _, l := range lines {
		next := "never"
		if !l.Next.IsZero() {
			next = l.Next.UTC().Format("Mon 2006-01-02 15:04")
		}
		rows = append(rows, []string{l.Branch, string(l.Type), l.Version, next, string(l.State), l.Why})
	}
	err := table(w, "No train runs: release.train of seaworthy.yaml is empty, or serves no branch there is.",
		[]string{"branch", "type", "version", "departs", "state", "why"}, rows)
	if err != nil {
		return err
	}
	for _, l := range lines {
		for _, stop := range l.Stops {
			if _, err := fmt.Fprintf(w, "\n%s: %s: %s%s", l.Branch, stop.What, strings.TrimSpace(stop.Why), after(" (", stop.Link, ")")); err != nil {
				return err
			}
		}
		if l.Outcome == train.Skipped {
			if _, err := fmt.Fprintf(w, "\n%s: the train of %s was passed over: %s", l.Branch, l.Departure.UTC().Format(time.DateOnly), l.Said); err != nil {
				return err
			}
		}
	}
	if len(lines) > 0 {
		_, err = fmt.Fprintln(w)
	}
	return err
}

// after puts a text between others, unless it is empty.
func after(before, text, behind string) string {
	if text == "" {
		return ""
	}
	return before + text + behind
}
