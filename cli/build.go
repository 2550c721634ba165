package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

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
	formats   []string
	source    bool
	beside    bool
}

func newBuild(s Streams) *cobra.Command {
	var f buildFlags
	var declared cloudBuildFlags
	c := &cobra.Command{
		Use:   "build",
		Short: "Build this repository's archives and checksums, reproducibly",
		Long: `Builds what a release of the commit checked out here would hold, into a folder: an archive for each platform,
SHA256SUMS and SHA512SUMS. The same commit gives the same bytes.

With --format every platform is packed in each of the formats named: tar.gz, tar.zst, zip, and binary for the
programs as they are. With --source there is an archive of the source tree, too, and with --sums-beside a
NAME.sha256 and NAME.sha512 for each file.

With --config the steps of a cloudbuild.yaml run instead, as programs of this machine in a copy of --build-dir, its
variants side by side. Their logs go to stdout; docs/cloudbuild.md says what is understood.`,
		Example: `  seaworthy build
  seaworthy build --platform linux/amd64,darwin/arm64 --version v1.2.3 --out /tmp/dist
  seaworthy build --format tar.gz,tar.zst,binary --source --sums-beside
  seaworthy build --config images/tide/cloudbuild.yaml --variant default --substitution _REGISTRY=localhost:5000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := declared.check(cmd); err != nil {
				return err
			}
			if declared.config != "" {
				return declared.run(cmd.Context(), s)
			}
			return f.build(cmd.Context(), s)
		},
	}
	declared.add(c)
	c.Flags().StringVar(&f.out, "out", "dist", "`folder` for the archives")
	c.Flags().StringVar(&f.version, "version", "", "`version` to build in, such as v1.2.3 (git describe if empty)")
	c.Flags().StringSliceVar(&f.platforms, "platform", nil, "`OS/ARCH` to build for (those of seaworthy.yaml if none)")
	c.Flags().StringSliceVar(&f.formats, "format", nil, "`format` to pack in: tar.gz, tar.zst, zip or binary (tar.gz, and zip for windows, if none)")
	c.Flags().BoolVar(&f.source, "source", false, "pack the source tree, too")
	c.Flags().BoolVar(&f.beside, "sums-beside", false, "write a checksum file beside every file, too")
	return c
}

// parseFormats reads --format; none gives nil.
func (f *buildFlags) parseFormats() ([]build.Format, error) {
	var formats []build.Format
	for _, s := range f.formats {
		format, err := build.ParseFormat(s)
		if err != nil {
			return nil, usageError{err}
		}
		if slices.Contains(formats, format) {
			return nil, usagef("--format names %s twice", format)
		}
		formats = append(formats, format)
	}
	return formats, nil
}

// sourceFormats are those the source tree is packed in: the archives' ones.
func sourceFormats(formats []build.Format) []build.Format {
	archives := slices.DeleteFunc(slices.Clone(formats), func(f build.Format) bool { return f == build.Bare })
	if len(archives) == 0 {
		return []build.Format{build.TarGz}
	}
	return archives
}

// describe is the version of what is checked out, as its tags tell it.
func describe(ctx context.Context, repo *git.Repository, prefix string) (string, error) {
	out, err := repo.Git(ctx, "describe", "--tags", "--always", "--match", prefix+"[0-9]*")
	if err != nil {
		return "", err
	}
	return trim(out), nil
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
		if f.version, err = describe(ctx, repo, p.Release.TagPrefix); err != nil {
			return err
		}
	}
	formats, err := f.parseFormats()
	if err != nil {
		return err
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
	if formats != nil {
		request.Formats = formats
	}
	return f.make(ctx, s, repo, request)
}

// make builds, packs and sums up.
func (f *buildFlags) make(ctx context.Context, s Streams, repo *git.Repository, request build.Request) error {
	all, err := build.Build(ctx, request, func(step build.Progress) { fmt.Fprintf(s.Err, "%s %s\n", step.Stage, step.Platform) })
	if err != nil {
		return err
	}
	if f.source {
		packed, err := build.SourceArchives(ctx, repo, request, sourceFormats(request.Formats)...)
		if err != nil {
			return err
		}
		all = append(all, packed...)
	}
	artifact.Sort(all)
	if _, err := build.Checksums(ctx, request.OutDir, all, build.SumFiles{Beside: f.beside}); err != nil {
		return err
	}
	for _, a := range all {
		fmt.Fprintln(s.Out, filepath.Join(f.out, a.Name))
	}
	return nil
}
