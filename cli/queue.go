package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/forge"
)

func newQueue(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "queue", Short: "The merge queue: show, pause, resume"}
	c.AddCommand(newQueueShow(s), newQueuePause(s), newQueueResume(s))
	return c
}

func newQueueShow(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	c := &cobra.Command{
		Use:   "show",
		Short: "Show what each branch's queue does next, and where every change stands",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error { return f.showQueue(cmd.Context(), s, a, out) })
		},
	}
	f.add(c)
	out.add(c)
	return c
}

func (f *change) showQueue(ctx context.Context, s Streams, a *app.App, out outputFlag) error {
	repo, err := f.find(ctx, a)
	if err != nil {
		return err
	}
	pools, err := a.Queue.Pools(ctx, repo)
	if err != nil {
		return err
	}
	type member struct {
		Number int    `json:"number"`
		Place  int    `json:"place,omitempty"`
		Ready  bool   `json:"ready"`
		Text   string `json:"text"`
	}
	type pool struct {
		Branch  string   `json:"branch"`
		Paused  string   `json:"paused,omitempty"`
		Next    string   `json:"next"`
		Reason  string   `json:"reason"`
		Members []member `json:"members"`
	}
	shown := []pool{}
	for _, p := range pools {
		q := pool{p.Branch, p.Paused, string(p.Next.Kind), p.Next.Reason, []member{}}
		for _, m := range p.Standings {
			q.Members = append(q.Members, member{m.Number, m.Place, m.Ready, m.Text})
		}
		shown = append(shown, q)
	}
	return out.print(s.Out, shown, func(w io.Writer) error {
		if len(shown) == 0 {
			_, err := fmt.Fprintln(w, "No open changes.")
			return err
		}
		for _, p := range shown {
			fmt.Fprintf(w, "%s: %s\n", p.Branch, p.Reason)
			var rows [][]string
			for _, m := range p.Members {
				rows = append(rows, []string{fmt.Sprintf("#%d", m.Number), m.Text})
			}
			if err := table(w, "Nothing waits.", []string{"change", "stands"}, rows); err != nil {
				return err
			}
		}
		return nil
	})
}

// switchQueue pauses a branch's queue, or lets it go on when why is empty.
func (f *change) switchQueue(ctx context.Context, branch string, do func(*app.App, forge.RepoName) error) error {
	if branch == "" {
		return usagef("name the branch")
	}
	return f.with(ctx, func(a *app.App) error {
		repo, err := f.find(ctx, a)
		if err != nil {
			return err
		}
		return do(a, repo)
	})
}

func newQueuePause(s Streams) *cobra.Command {
	var f change
	var why string
	c := &cobra.Command{
		Use:   "pause BRANCH",
		Short: "Keep changes from merging into a branch",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.switchQueue(cmd.Context(), args[0], func(a *app.App, repo forge.RepoName) error {
				if err := a.Queue.Pause(cmd.Context(), repo, args[0], me(), why); err != nil {
					return err
				}
				_, err := fmt.Fprintf(s.Out, "Nothing merges into %s of %s until seaworthy queue resume %s\n", args[0], repo, args[0])
				return err
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&why, "why", "paused by hand", "`reason` that people are shown")
	return c
}

func newQueueResume(s Streams) *cobra.Command {
	var f change
	c := &cobra.Command{
		Use:   "resume BRANCH",
		Short: "Let changes merge into a branch again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.switchQueue(cmd.Context(), args[0], func(a *app.App, repo forge.RepoName) error {
				if err := a.Queue.Resume(cmd.Context(), repo, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(s.Out, "%s of %s merges again\n", args[0], repo)
				return err
			})
		},
	}
	f.add(c)
	return c
}
