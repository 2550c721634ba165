package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/release/cut"
)

func newBranch(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "branch", Short: "Release branches"}
	c.AddCommand(newBranchCreate(s), newBranchFF(s), newBranchJobs(s))
	return standing(s, c)
}

func newBranchCreate(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	var commit string
	var real bool
	c := &cobra.Command{
		Use:   "create BRANCH",
		Short: "Create a release branch with all it needs (a rehearsal unless --nomock)",
		Long: `Creates a release branch as release.branches in seaworthy.yaml says: the branch with copies of the default branch's
jobs, its protection, its milestone and the next one, and a pull request that tells the default branch of jobs,
dashboards, milestones and labels, and of its next version. The plan is printed before anything is done.`,
		Example: `  seaworthy branch create release-1.2
  seaworthy branch create release-1.2 --commit 0123abc --nomock`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				r, err := a.Releases.CreateBranch(cmd.Context(), cut.BranchRequest{Repo: repo, Branch: args[0], Commit: commit, Mock: !real, Actor: me()})
				if err != nil {
					return err
				}
				if err := decide(cmd.Context(), s, a, r.ID, cut.BranchPlanned); err != nil {
					return err
				}
				plan, known, err := a.Releases.BranchPlan(cmd.Context(), r.ID)
				if err != nil || !known {
					return err
				}
				if err := out.print(s.Out, plan, func(w io.Writer) error { _, err := io.WriteString(w, plan.String()); return err }); err != nil {
					return err
				}
				if err := drive(cmd.Context(), s, a, r.ID, flow.DriveOptions{}); err != nil {
					return err
				}
				return sayRehearsed(cmd.Context(), s, a, r.ID, "creates the branch")
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().StringVar(&commit, "commit", "", "`commit` to begin at (the default branch's tip if empty)")
	c.Flags().BoolVar(&real, "nomock", false, "do it for real")
	return c
}

// decide takes a run to the step after which it is known what it does. The steps
// are shown when it goes on.
func decide(ctx context.Context, s Streams, a *app.App, id, until string) error {
	_, err := a.Releases.Resume(ctx, id, flow.DriveOptions{Until: until})
	said := refusal(err)
	if errors.Is(err, flow.ErrFailed) && exitCode(said) != exitVerdict {
		fmt.Fprintf(s.Err, "Once that is mended: seaworthy release resume %s\n", id)
	}
	return said
}
