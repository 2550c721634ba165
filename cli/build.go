package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/config"
	"seaworthy/git"
)

type buildFlags struct {
	out       string
	version   string
	platforms []string
}

func newBuild(s Streams) *cobra.Command {
	var f buildFlags
	c := &cobra.Command{
		Use:   "build",
		Short: "Build this repository's archives and checksums, reproducibly",
		Long: `Builds what a release of the commit checked out here would hold, into a folder: an archive for each platform,
SHA256SUMS and SHA512SUMS. The same commit gives the same bytes.`,
		Example: `  seaworthy build
  seaworthy build --platform linux/amd64,darwin/arm64 --version v1.2.3 --out /tmp/dist`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.build(cmd.Context(), s) },
	}
	c.Flags().StringVar(&f.out, "out", "dist", "`folder` for the archives")
	c.Flags().StringVar(&f.version, "version", "", "`version` to build in, such as v1.2.3 (git describe if empty)")
	c.Flags().StringSliceVar(&f.platforms, "platform", nil, "`OS/ARCH` to build for (those of seaworthy.yaml if none)")
	return c
}

func (f *buildFlags) build(ctx context.Context, s Streams) error {
	repo, err := openRepo(ctx, ".", "change to the one to build")
	if err != nil {
		return err
	}
	name, err := localName(ctx, repo)
	if err != nil {
		return err
	}
	p, err := app.ReadProject(ctx, repo, "", name)
	if err != nil {
		return err
	}
	head, err := repo.Log(ctx, "HEAD", git.LogOptions{Max: 1})
	if err != nil {
		return err
	}
	if f.version == "" {
		out, err := repo.Git(ctx, "describe", "--tags", "--always", "--match", p.Release.TagPrefix+"[0-9]*")
		if err != nil {
			return err
		}
		f.version = trim(out)
	}
	if len(f.platforms) == 0 {
		f.platforms = p.Build.Platforms
	}
	platforms, err := artifact.ParsePlatforms(f.platforms)
	if err != nil {
		return usageError{err}
	}
	out, err := filepath.Abs(f.out)
	if err != nil {
		return fmt.Errorf("finding the output folder: %w", err)
	}
	request, err := app.BuildRequest(ctx, p, build.Request{
		Source: repo.Dir, Version: f.version, Commit: head[0].SHA, CommitTime: head[0].Committer.Time, Platforms: platforms, OutDir: out,
	})
	if err != nil {
		return err
	}
	if len(request.Main) == 0 && request.Command == nil {
		return usagef("there is nothing to build: name main packages in build.go.main of %s", config.Name)
	}
	all, err := build.Build(ctx, request, func(step build.Progress) { fmt.Fprintf(s.Err, "%s %s\n", step.Stage, step.Platform) })
	if err != nil {
		return err
	}
	if err := writeChecksums(out, all); err != nil {
		return err
	}
	for _, a := range all {
		fmt.Fprintln(s.Out, filepath.Join(f.out, a.Name))
	}
	return nil
}

func writeChecksums(dir string, all []artifact.Artifact) error {
	for _, alg := range []artifact.Algorithm{artifact.SHA256, artifact.SHA512} {
		text, err := artifact.RenderChecksums(alg, all)
		if err != nil {
			return err
		}
		if err := writeNew(filepath.Join(dir, alg.File()), text, true); err != nil {
			return err
		}
	}
	return nil
}
