package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/flow"
)

func newReleaseApprove(s Streams) *cobra.Command {
	var f stageFlags
	var role, why string
	c := &cobra.Command{
		Use:   "approve [RUN]",
		Short: "Approve a cut in a role, and drive it on; or sign off a branch before",
		Long: `Approves a cut that waits, and drives it on. Without a run the next release of a branch is signed off at its present
commit: its cut does not ask for this role again, and seaworthy readiness counts it.

Approves as the account whose forge token is in SEAWORTHY_TOKEN, or, without one, as the administrator, who
holds the state folder and every role. In a clone that no platform serves: as the account that the forge's token
belongs to, else as yourself.`,
		Example: `  seaworthy release approve 20261122-180504-rh3qd7 --as release-manager
  seaworthy release approve --branch release-1.2 --as release-manager --why 'the notes read well'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return signOff(cmd.Context(), s, &f, role, why)
			}
			for _, name := range []string{"repo", "branch", "type", "commit"} {
				if cmd.Flags().Changed(name) {
					return usagef("--%s says what to sign off before a cut: leave it out beside a run", name)
				}
			}
			return approveRun(cmd.Context(), s, f.platform, args[0], role, why)
		},
	}
	f.add(c)
	c.Flags().StringVar(&role, "as", "", "`role` that approves")
	c.Flags().StringVar(&why, "why", "", "a few `words` for the record")
	require(c, "as")
	return c
}

// approveRun approves a cut that waits, and drives it on.
func approveRun(ctx context.Context, s Streams, p platform, id, role, why string) error {
	return onRun(ctx, p, id, func(a *app.App, _ flow.Timeline) error {
		who, err := actor(ctx, a)
		if err != nil {
			return err
		}
		if err := a.Approve(ctx, id, role, who, why); err != nil {
			return err
		}
		return drive(ctx, s, a, id, flow.DriveOptions{})
	})
}

// signOff records a sign-off before there is a cut to approve.
func signOff(ctx context.Context, s Streams, f *stageFlags, role, why string) error {
	return f.with(ctx, func(a *app.App) error {
		r, err := f.request(ctx, a)
		if err != nil {
			return err
		}
		p, err := a.Releases.Plan(ctx, r)
		if err != nil {
			return refusal(err)
		}
		who, err := actor(ctx, a)
		if err != nil {
			return err
		}
		if err := a.SignOff(ctx, p, role, who, why); err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.Err, "%s signed %s off at %s as %s.\n", who, p.Version(), p.Commit[:min(12, len(p.Commit))], role)
		return err
	})
}
