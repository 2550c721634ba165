package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
)

type jobRunFlags struct {
	source    jobSource
	kind      string
	artifacts string
}

func newJobRun(s Streams) *cobra.Command {
	var f jobRunFlags
	c := &cobra.Command{
		Use:   "run NAME",
		Short: "Run a job here and now, on the commit that is checked out",
		Long: `Runs a job as the platform would: on a fresh copy of the commit that is checked out, with a clean environment,
a home of its own and the job's time limit. What is not committed is not tested. The log goes to stdout; the exit
code is 0 if the job succeeds and 1 if not.`,
		Example: `  seaworthy job run pull-unit
  seaworthy job run pull-unit --artifacts /tmp/results`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), s, args[0]) },
	}
	f.source.add(c)
	c.Flags().StringVar(&f.kind, "type", "", "`type` of the job, where several share the name: presubmit, postsubmit or periodic")
	c.Flags().StringVar(&f.artifacts, "artifacts", "", "`folder` that takes the job's artifacts (they are dropped if empty)")
	return c
}

func (f *jobRunFlags) run(ctx context.Context, s Streams, name string) error {
	config, err := f.source.soundJobs(ctx)
	if err != nil {
		return err
	}
	repo, err := openRepo(ctx, ".", "a job runs on a commit")
	if err != nil {
		return err
	}
	whose, err := f.source.name(ctx)
	if err != nil {
		return err
	}
	j, err := f.choose(config, whose, name)
	if err != nil {
		return err
	}
	if _, err := repo.Resolve(ctx, "HEAD"); errors.Is(err, git.ErrNotFound) {
		return fmt.Errorf("there is no commit here yet to run %s on", name)
	}
	if changes, err := repo.Git(ctx, "status", "--porcelain"); err != nil {
		return fmt.Errorf("looking for changes: %w", err)
	} else if changes != "" {
		fmt.Fprintln(s.Err, "There are changes that are not committed; they are not tested.")
	}
	result, err := app.RunHere(ctx, app.LocalRun{Repo: repo, Name: whose, Job: j, Artifacts: f.artifacts, Log: s.Out})
	if err != nil {
		return fmt.Errorf("running %s: %w", name, err)
	}
	if result.State != job.Success {
		return fmt.Errorf("%s: %s (%s)", name, result.State, result.Message)
	}
	fmt.Fprintf(s.Err, "%s: %s\n", name, result.State)
	return nil
}

// choose finds the one job of the repository that is meant.
func (f *jobRunFlags) choose(config job.Config, whose forge.RepoName, name string) (*job.Job, error) {
	found := slices.DeleteFunc(config.Find(name), func(j *job.Job) bool {
		return f.kind != "" && string(j.Type) != f.kind || j.Repo != "" && j.Repo != whose.String()
	})
	switch len(found) {
	case 0:
		return nil, noJob(name)
	case 1:
		return found[0], nil
	}
	return nil, usagef("%d jobs are called %s: choose with --type", len(found), name)
}
