package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

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
		newReleaseApprove(s), newReleaseResume(s), newReleaseAbort(s), newReleaseHistory(s), newReleaseVerify(s))
	return c
}

type stageFlags struct {
	change
	branch, kind, commit string
	real                 bool
}

func (f *stageFlags) add(c *cobra.Command) {
	f.change.add(c)
	c.Flags().StringVar(&f.branch, "branch", "", "`branch` to release from (the default branch if empty)")
	c.Flags().StringVar(&f.kind, "type", "official", "`kind` of release: alpha, beta, rc or official")
	c.Flags().StringVar(&f.commit, "commit", "", "`commit` to release (the branch's tip if empty)")
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
	return cut.StageRequest{Repo: repo, Branch: f.branch, Kind: kind, Commit: f.commit, Mock: !f.real, Actor: me()}, nil
}

func newReleasePlan(s Streams) *cobra.Command {
	var f stageFlags
	var out outputFlag
	var only bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say what the next release of a branch would be, and whether it may go",
		Long: `Says which version the next release of a branch would be, what it would be made of, and whether the gates let it
go. Nothing is changed. The exit code is 3 for NO-GO, and where the rules refuse such a release.`,
		Example: `  seaworthy release plan --branch release-1.2
  seaworthy release plan --type rc --versions-only -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				r, err := f.request(cmd.Context(), a)
				if err != nil {
					return err
				}
				p, err := a.Releases.Plan(cmd.Context(), r)
				if err != nil {
					return refuse(s, out, err)
				}
				if only {
					return printVersions(s, out, p)
				}
				v, err := a.Releases.Verdict(cmd.Context(), p)
				if err != nil {
					return err
				}
				return printPlan(s, out, p, v)
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().BoolVar(&only, "versions-only", false, "print the versions and judge nothing")
	return c
}

// refuse turns a no of the rules into a verdict, which is printed as data, too,
// where data was asked for.
func refuse(s Streams, out outputFlag, err error) error {
	said := refusal(err)
	var no verdictError
	if !errors.As(said, &no) {
		return err
	}
	shown := struct {
		Error string `json:"error"`
	}{err.Error()}
	if perr := out.print(s.Out, shown, func(io.Writer) error { return nil }); perr != nil {
		return perr
	}
	return said
}

func versionsOf(p cut.Plan) []string {
	versions := []string{}
	for _, v := range p.Versions {
		versions = append(versions, v.String())
	}
	return versions
}

func printVersions(s Streams, out outputFlag, p cut.Plan) error {
	shown := struct {
		Versions     []string `json:"versions"`
		CreateBranch bool     `json:"create_branch"`
	}{versionsOf(p), p.CreateBranch}
	return out.print(s.Out, shown, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, strings.Join(shown.Versions, "\n"))
		return err
	})
}

// refusal turns a no of the rules into a verdict.
func refusal(err error) error {
	var refused *release.Refusal
	var nogo *cut.NoGoError
	if errors.As(err, &refused) || errors.As(err, &nogo) {
		return verdictError{err.Error()}
	}
	return err
}

func printPlan(s Streams, out outputFlag, p cut.Plan, v release.Verdict) error {
	versions := versionsOf(p)
	shown := struct {
		Versions     []string        `json:"versions"`
		CreateBranch bool            `json:"create_branch"`
		Branch       string          `json:"branch"`
		Commit       string          `json:"commit"`
		Previous     string          `json:"previous,omitempty"`
		BuildVersion string          `json:"build_version"`
		Verdict      release.Verdict `json:"verdict"`
	}{versions, p.CreateBranch, p.Branch, p.Commit, p.Previous, p.BuildVersion, v}
	err := out.print(s.Out, shown, func(w io.Writer) error {
		since := "the first release"
		if p.Previous != "" {
			since = "after " + p.Previous
		}
		fmt.Fprintf(w, "%s from %s at %s, %s\n", strings.Join(versions, " and "), p.Branch, p.Commit[:min(12, len(p.Commit))], since)
		var platforms []string
		for _, pl := range p.Project.Build.Platforms {
			platforms = append(platforms, pl.String())
		}
		fmt.Fprintf(w, "builds %s for %s\n\n", p.Project.Name, strings.Join(platforms, ", "))
		return printVerdict(w, v)
	})
	if err == nil && !v.Go {
		err = verdictError{strings.Join(versions, " and ") + " may not go yet."}
	}
	return err
}

func printVerdict(w io.Writer, v release.Verdict) error {
	word := "GO"
	if !v.Go {
		word = "NO-GO"
	}
	fmt.Fprintln(w, word)
	var rows [][]string
	for _, g := range v.Gates {
		rows = append(rows, []string{g.Name, string(g.State), g.Why})
	}
	return table(w, "No gates are configured.", []string{"gate", "state", "why"}, rows)
}

func newReleaseStage(s Streams) *cobra.Command {
	var f stageFlags
	var until string
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
				started, err := a.Releases.Stage(cmd.Context(), r)
				if err != nil {
					return err
				}
				if err := drive(cmd.Context(), s, a, started.ID, flow.DriveOptions{Until: until}); err != nil {
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
	c.Flags().StringVar(&until, "until", "", "stop after this `step`")
	return c
}

func newReleaseCut(s Streams) *cobra.Command {
	var f change
	var build, until string
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
				started, err := a.Releases.Cut(cmd.Context(), cut.CutRequest{Repo: repo, BuildVersion: build, Mock: !real, Actor: me()})
				if err != nil {
					return err
				}
				if err := drive(cmd.Context(), s, a, started.ID, flow.DriveOptions{Until: until}); err != nil {
					return err
				}
				return sayRehearsed(cmd.Context(), s, a, started.ID, "publishes")
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&build, "build-version", "", "`version` that release stage printed")
	c.Flags().BoolVar(&real, "nomock", false, "publish for real")
	c.Flags().StringVar(&until, "until", "", "stop after this `step`")
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
