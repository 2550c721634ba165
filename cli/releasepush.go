package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/release/cut"
)

// pushFlags are what release push is asked with.
type pushFlags struct {
	change
	cut.CIRequest
	real bool
}

func newReleasePush(s Streams) *cobra.Command {
	var f pushFlags
	var out outputFlag
	c := &cobra.Command{
		Use:     "push",
		Aliases: []string{"ci-build"},
		Short:   "Build a commit between releases, for the bucket (a rehearsal unless --nomock)",
		Long: `Builds a commit, names it after the last tag of its branch, the commits since and its own id, as in
v1.23.0-alpha.1.123+4e9bdd481e2400, and puts it below ci/OWNER/REPO/VERSION/ in the bucket. Then the markers latest.txt,
latest-1.txt and latest-1.23.txt beside it name the build, unless one of them names a later one already. With --fast
only linux/amd64 is built, and only latest-fast.txt raised. A version that is there already is refused.`,
		Example: `  seaworthy release push --nomock
  seaworthy release push --branch release-1.23 --fast --extra-version-markers k8s-beta --nomock
  seaworthy release push --build-dir dist --bucket s3://builds --allow-dup --nomock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error { return f.push(cmd.Context(), s, a, out) })
		},
	}
	f.add(c)
	out.add(c)
	fl := c.Flags()
	fl.StringVar(&f.Branch, "branch", "", "`branch` to build (the default branch if empty)")
	fl.StringVar(&f.Commit, "commit", "", "`commit` to build (the branch's tip if empty)")
	fl.BoolVar(&f.Fast, "fast", false, "build for linux/amd64 alone, and raise latest-fast alone")
	fl.StringVar(&f.BuildDir, "build-dir", "", "`folder` that holds what was built already")
	fl.StringVar(&f.Bucket, "bucket", "", "`URL` of another bucket than the platform's own")
	fl.StringVar(&f.Root, "gcs-root", cut.CIRoot, "`folder` of the bucket to put builds below")
	fl.StringVar(&f.Suffix, "version-suffix", "", "`text` that the version ends in")
	fl.StringSliceVar(&f.Markers, "extra-version-markers", nil, "`names` of further markers to raise")
	fl.BoolVar(&f.NoMarkers, "noupdatelatest", false, "raise no marker")
	fl.BoolVar(&f.AllowDuplicate, "allow-dup", false, "a version that is there already may be pushed again")
	fl.BoolVar(&f.Images, "images", false, "build the project's images, too, and push them to the registry's staging part")
	fl.BoolVar(&f.ValidateImages, "validate-images", false, "look for each of those images in the registry")
	fl.Bool("ci", false, "as it is anyway: a build for all, with markers (--gcs-root devel --noupdatelatest is one's own)")
	fl.Bool("private-bucket", false, "as it is anyway: files are as readable as the bucket is")
	fl.BoolVar(&f.real, "nomock", false, "push for real")
	return c
}

func (f *pushFlags) push(ctx context.Context, s Streams, a *app.App, out outputFlag) error {
	r := f.CIRequest
	var err error
	if r.Repo, err = f.find(ctx, a); err != nil {
		return err
	}
	if r.BuildDir != "" {
		if r.BuildDir, err = filepath.Abs(r.BuildDir); err != nil {
			return fmt.Errorf("finding %s: %w", f.BuildDir, err)
		}
	}
	r.Mock, r.Actor = !f.real, me()
	started, err := a.Releases.CI(ctx, r)
	if err != nil {
		return err
	}
	if err := drive(ctx, s, a, started.ID, flow.DriveOptions{}); err != nil {
		return err
	}
	if err := sayRehearsed(ctx, s, a, started.ID, "pushes"); err != nil {
		return err
	}
	b, known, err := a.Releases.CIResult(ctx, started.ID)
	if err != nil || !known {
		return err
	}
	return out.print(s.Out, b, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n", b.Version)
		return err
	})
}
