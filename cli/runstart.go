package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"seaworthy/app"
	jobrun "seaworthy/job/run"
)

func newRunStart(s Streams) *cobra.Command {
	var p platform
	var out outputFlag
	var repo repoFlag
	var branch string
	c := &cobra.Command{
		Use:   "start [JOB...]",
		Short: "Run a branch's jobs on its tip, as a push would",
		Long: `Runs the postsubmits of a branch on its newest commit: those named, or all that a push would run. A release is
judged by their results, which a branch that was brought in with its history does not have yet.`,
		Example: `  seaworthy run start
  seaworthy run start --branch release-1.2 ci-unit`,
		RunE: func(cmd *cobra.Command, jobs []string) error {
			ctx := cmd.Context()
			return p.with(ctx, func(a *app.App) error {
				name, err := repo.find(ctx, a)
				if err != nil {
					return err
				}
				if branch == "" {
					r, err := a.Forge.Repo(ctx, name)
					if err != nil {
						return err
					}
					branch = r.DefaultBranch
				}
				started, err := a.Runs.Start(ctx, jobrun.Request{Repo: name, Branch: branch, Jobs: jobs, Cause: "started by " + me()})
				if errors.Is(err, jobrun.ErrNoJob) {
					return fmt.Errorf("%w: seaworthy job list names them", err)
				}
				if err != nil {
					return err
				}
				shown := []shownRun{}
				for _, e := range started {
					shown = append(shown, showRun(e))
				}
				return out.print(s.Out, shown, func(w io.Writer) error {
					for _, r := range shown {
						if _, err := fmt.Fprintf(w, "%s runs as %s\n", r.Job, r.Build); err != nil {
							return err
						}
					}
					if len(shown) > 0 {
						return nil
					}
					_, err := fmt.Fprintf(w, "No job runs after a push to %s.\n", branch)
					return err
				})
			})
		},
	}
	p.add(c)
	repo.add(c)
	out.add(c)
	c.Flags().StringVar(&branch, "branch", "", "`branch` to run them on (the default branch if empty)")
	return c
}
