package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/release/cut"
)

// shownRelease is a stage, cut or branching as -o json prints it.
type shownRelease struct {
	ID       string     `json:"id"`
	Flow     string     `json:"flow"`
	Version  string     `json:"version,omitempty"`
	Branch   string     `json:"branch,omitempty"`
	Commit   string     `json:"commit,omitempty"`
	Mock     bool       `json:"mock"`
	State    flow.State `json:"state"`
	Sentence string     `json:"sentence"`
	Actor    string     `json:"actor"`
	Created  time.Time  `json:"created"`
	Seconds  float64    `json:"seconds,omitempty"` // how long it took
}

func showRelease(r flow.Run, sentence string) shownRelease {
	return shownRelease{ID: r.ID, Flow: r.Flow, Mock: r.Mock, State: r.State, Sentence: sentence, Actor: r.Actor, Created: r.CreatedAt}
}

// onRun calls f about a stage, cut or branching that there is.
func onRun(ctx context.Context, p platform, id string, f func(*app.App, flow.Timeline) error) error {
	return p.with(ctx, func(a *app.App) error {
		t, err := a.Releases.Status(ctx, id)
		if errors.Is(err, flow.ErrNoRun) {
			return fmt.Errorf("there is no run %q of a release: seaworthy release history names them", id)
		}
		if err != nil {
			return err
		}
		return f(a, t)
	})
}

func newReleaseStatus(s Streams) *cobra.Command {
	var p platform
	var out outputFlag
	c := &cobra.Command{
		Use:   "status RUN",
		Short: "Show how far a stage or cut has come",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onRun(cmd.Context(), p, args[0], func(_ *app.App, t flow.Timeline) error {
				shown := struct {
					shownRelease
					Steps   []flow.StepStatus `json:"steps"`
					Changes []flow.StateEvent `json:"changes"`
				}{showRelease(t.Run, t.Sentence), t.Steps, t.Changes}
				return out.print(s.Out, shown, func(w io.Writer) error { return printTimeline(w, t) })
			})
		},
	}
	p.add(c)
	out.add(c)
	return c
}

func printTimeline(w io.Writer, t flow.Timeline) error {
	fmt.Fprintln(w, t.Sentence)
	var rows [][]string
	for _, step := range t.Steps {
		took := ""
		if step.Duration > 0 {
			took = step.Duration.Round(100 * time.Millisecond).String()
		}
		rows = append(rows, []string{string(step.State), step.Title, took, step.Sentence})
	}
	return table(w, "The flow has no steps.", []string{"state", "step", "took", "says"}, rows)
}

func newReleaseWatch(s Streams) *cobra.Command {
	var p platform
	c := &cobra.Command{
		Use:   "watch RUN",
		Short: "Watch a stage or cut that somebody else drives, until it ends or waits",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onRun(cmd.Context(), p, args[0], func(a *app.App, _ flow.Timeline) error {
				return follow(cmd.Context(), s, a, args[0], func() error { return waitFinal(cmd.Context(), a, args[0]) })
			})
		},
	}
	p.add(c)
	return c
}

func newReleaseResume(s Streams) *cobra.Command {
	var p platform
	var o byHand
	c := &cobra.Command{
		Use:   "resume RUN",
		Short: "Go on with a stage or cut that failed or was killed",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onRun(cmd.Context(), p, args[0], func(a *app.App, t flow.Timeline) error {
				if err := o.check(a, t.Run.Flow); err != nil {
					return err
				}
				return o.drive(cmd.Context(), s, a, args[0])
			})
		},
	}
	p.add(c)
	o.add(c)
	return c
}

func newReleaseAbort(s Streams) *cobra.Command {
	var p platform
	var out outputFlag
	var why string
	c := &cobra.Command{
		Use:   "abort RUN",
		Short: "End a stage or cut for good; what is public stays",
		Long: `Ends a run for good, whoever drives it. What it has made that is not public is taken back: a stage that is not
whole, the draft of a release page, what a rehearsal left. What is public stays, since people may have it, and is named.
A run that is aborted already can be aborted again, to take back what could not be the first time.`,
		Example: `  seaworthy release abort 20261122-174313-abcdef --why "the base image is withdrawn"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onRun(cmd.Context(), p, args[0], func(a *app.App, t flow.Timeline) error {
				if t.Run.State == flow.Succeeded {
					return fmt.Errorf("run %s is over already: %s", args[0], t.Run.State)
				}
				undone, err := a.Releases.Abort(cmd.Context(), args[0], me(), why)
				if err != nil {
					return err
				}
				if t, err = a.Releases.Status(cmd.Context(), args[0]); err != nil {
					return err
				}
				shown := struct {
					shownRelease
					cut.Undone
				}{showRelease(t.Run, t.Sentence), undone}
				return out.print(s.Out, shown, func(w io.Writer) error { return printUndone(w, t, undone) })
			})
		},
	}
	p.add(c)
	out.add(c)
	c.Flags().StringVar(&why, "why", "", "a few `words` for the record")
	return c
}

func printUndone(w io.Writer, t flow.Timeline, u cut.Undone) error {
	fmt.Fprintln(w, t.Sentence)
	var rows [][]string
	for _, part := range []struct {
		what string
		list []string
	}{{"removed", u.Removed}, {"public, stays", u.Public}, {"kept", u.Kept}} {
		for _, says := range part.list {
			rows = append(rows, []string{part.what, says})
		}
	}
	return table(w, "It has left nothing.", []string{"what became of it", "what"}, rows)
}
