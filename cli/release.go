package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/release"
	"seaworthy/release/cut"
)

func newRelease(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "release",
		Short: "Plan, stage, rehearse and cut releases",
		Long: `A release is made in two steps. Staging builds everything and keeps it private; cutting publishes exactly what
was staged. Both are rehearsals unless --nomock is given. Each step is recorded before and after it acts: a run
that was killed goes on with seaworthy release resume.`,
	}
	c.AddCommand(newReleasePlan(s), newReleaseStage(s), newReleaseCut(s), newReleaseStatus(s), newReleaseWatch(s),
		newReleaseApprove(s), newReleaseResume(s), newReleaseAbort(s), newReleaseHistory(s), newReleaseTrain(s), newReleaseVerify(s))
	c.AddCommand(newReleaseLogs(s), newReleasePush(s), newReleaseWaive(s), newReleaseWaivers(s))
	return standing(s, c)
}

type stageFlags struct {
	change
	branch, kind, commit, bump string
	real                       bool
}

func (f *stageFlags) add(c *cobra.Command) {
	f.change.add(c)
	c.Flags().StringVar(&f.branch, "branch", "", "`branch` to release from (the default branch if empty)")
	c.Flags().StringVar(&f.kind, "type", "official", "`kind` of release: alpha, beta, rc or official")
	c.Flags().StringVar(&f.commit, "commit", "", "`commit` to release (the branch's tip if empty)")
	c.Flags().StringVar(&f.bump, "bump", "", "`number` to raise after a final release of the default branch: patch, minor or major (as seaworthy.yaml says, or minor)")
}

func (f *stageFlags) request(ctx context.Context, a *app.App) (cut.StageRequest, error) {
	repo, err := f.find(ctx, a)
	if err != nil {
		return cut.StageRequest{}, err
	}
	kind, err := release.ParseKind(f.kind)
	if err != nil {
		return cut.StageRequest{}, usageError{err}
	}
	bump, err := release.ParseBump(f.bump)
	if err != nil {
		return cut.StageRequest{}, usageError{fmt.Errorf("--bump: %w", err)}
	}
	return cut.StageRequest{Repo: repo, Branch: f.branch, Kind: kind, Commit: f.commit, Bump: bump, Mock: !f.real, Actor: me()}, nil
}

func newReleaseStage(s Streams) *cobra.Command {
	var f stageFlags
	var o byHand
	c := &cobra.Command{
		Use:   "stage",
		Short: "Build a release and keep it private (a rehearsal unless --nomock)",
		Long: `Builds everything a release of the branch consists of and keeps it private. The build version that the cut needs
goes to stdout, as the next command to type. What a rehearsal staged can only be rehearsed.`,
		Example: `  seaworthy release stage --branch release-1.2
  seaworthy release stage --branch release-1.2 --type rc --nomock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				r, err := f.request(cmd.Context(), a)
				if err != nil {
					return err
				}
				if err := o.check(a, "stage"); err != nil {
					return err
				}
				started, err := a.Releases.Stage(cmd.Context(), r)
				if started, err = o.takeUp(started, err, sameStage(r)); err != nil {
					return err
				}
				if err := o.drive(cmd.Context(), s, a, started.ID); err != nil {
					return err
				}
				staged, known, err := a.Releases.StageResult(cmd.Context(), started.ID)
				if err != nil || !known {
					return err
				}
				fmt.Fprintf(s.Err, "Next, rehearse the cut:\n")
				_, err = fmt.Fprintf(s.Out, "seaworthy release cut --build-version %s\n", staged.BuildVersion)
				return err
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&f.real, "nomock", false, "stage for real")
	o.add(c)
	return c
}

func newReleaseCut(s Streams) *cobra.Command {
	var f change
	var build string
	var o byHand
	var real bool
	c := &cobra.Command{
		Use:   "cut",
		Short: "Publish a staged release (a rehearsal unless --nomock)",
		Long: `Publishes exactly what was staged: tag, release page, announcement, and the markers last. The rehearsal takes the
same steps and leaves nothing public. Where the configuration asks for approvals, the cut waits for them.`,
		Example: `  seaworthy release cut --build-version v1.2.0-rc.1.5+0123456789abcd
  seaworthy release cut --build-version v1.2.0-rc.1.5+0123456789abcd --nomock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				if err := o.check(a, "cut"); err != nil {
					return err
				}
				r := cut.CutRequest{Repo: repo, BuildVersion: build, Mock: !real, Actor: me()}
				started, err := a.Releases.Cut(cmd.Context(), r)
				if started, err = o.takeUp(started, err, sameCut(r)); err != nil {
					return err
				}
				if err := o.drive(cmd.Context(), s, a, started.ID); err != nil {
					return err
				}
				return sayRehearsed(cmd.Context(), s, a, started.ID, "publishes")
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&build, "build-version", "", "`version` that release stage printed")
	c.Flags().BoolVar(&real, "nomock", false, "publish for real")
	o.add(c)
	require(c, "build-version")
	return c
}

// sayRehearsed says at the end of a rehearsal that it was one.
func sayRehearsed(ctx context.Context, s Streams, a *app.App, id, does string) error {
	t, err := a.Releases.Status(ctx, id)
	if err == nil && t.Run.Mock && t.Run.State == flow.Succeeded {
		fmt.Fprintf(s.Err, "That was a rehearsal; --nomock %s.\n", does)
	}
	return err
}

// drive takes a run as far as it goes while its steps are shown.
func drive(ctx context.Context, s Streams, a *app.App, id string, o flow.DriveOptions) error {
	defer sayUnposted(ctx, s, a, id)
	return follow(ctx, s, a, id, func() error {
		state, err := a.Releases.Resume(ctx, id, o)
		if errors.Is(err, flow.ErrFailed) {
			fmt.Fprintf(s.Err, "Once that is mended: seaworthy release resume %s\n", id)
		}
		if err != nil {
			return refusal(err)
		}
		if state == flow.Waiting {
			fmt.Fprintf(s.Err, "It waits for approval: seaworthy release approve %s --as ROLE\n", id)
		}
		return nil
	})
}
