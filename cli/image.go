package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"seaworthy/artifact/image"
)

func newImage(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "image",
		Short: "Build container images without a daemon, push them, look at them",
		Long: `Makes container images from what "seaworthy build" left in dist, as one index for all platforms: the same commit
gives the same digest. No daemon and no Dockerfile is needed.`,
	}
	c.AddCommand(newImageBuild(s), newImagePush(s), newImageInspect(s))
	return c
}

// remoteFlags say how registries are spoken to.
type remoteFlags struct{ image.Remote }

func (f *remoteFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.Insecure, "insecure", false, "speak plain HTTP to the registry (it is spoken to this machine anyway)")
}

// imagePushFlags are those of commands that push images.
type imagePushFlags struct {
	remoteFlags
	nomock bool
}

func (f *imagePushFlags) add(c *cobra.Command) {
	f.remoteFlags.add(c)
	c.Flags().BoolVar(&f.nomock, "nomock", false, "push to registries; without this nothing is changed in them")
}

// imageSources is what may stand for an image that is there.
const imageSources = `An image is a folder with an OCI layout, an archive, or a reference in a registry; oci:FOLDER:TAG and
oci-archive:FILE:TAG choose among several in one place. Credentials for registries are those of docker login and
podman login.`

func newImagePush(s Streams) *cobra.Command {
	var f imagePushFlags
	var out outputFlag
	c := &cobra.Command{
		Use:   "push IMAGE REFERENCE…",
		Short: "Copy an image to registries, by digest (a rehearsal unless --nomock)",
		Long: `Copies an image, with all its platforms, to a registry or several, and names it by the tags of the references. Its
digest stays. Tags come last, when all they name is there. What each tag stands for now is looked up and shown
first; with --nomock the image is pushed.

` + imageSources,
		Example: `  seaworthy image push dist/halyard.tar registry.example.org/halyard:v1.2.0 --nomock
  seaworthy image push oci:dist/images:v1.2.0 registry.example.org/halyard:v1.2.0 registry.example.org/halyard:latest`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return pushImage(cmd.Context(), s, f, out, args[0], args[1:])
		},
	}
	f.add(c)
	out.add(c)
	return c
}

// openImage opens what is named; a name that cannot be one is the caller's
// mistake.
func openImage(ctx context.Context, name string, remote image.Remote) (*image.Index, error) {
	x, err := image.Open(ctx, name, remote)
	if errors.Is(err, image.ErrReference) {
		return nil, usageError{err}
	}
	return x, err
}

func pushImage(ctx context.Context, s Streams, f imagePushFlags, out outputFlag, from string, to []string) (err error) {
	targets, err := targetsOf(to)
	if err != nil {
		return err
	}
	x, err := openImage(ctx, from, f.Remote)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	all := []pushed{}
	for _, t := range targets {
		plan, err := t.plan(ctx, x, f)
		if err != nil {
			return err
		}
		all = append(all, plan...)
	}
	if out.format == "table" {
		if err := planOfPushes(s.Out, all, !f.nomock); err != nil {
			return err
		}
	}
	for _, t := range targets {
		if !f.nomock {
			break
		}
		if err := t.push(ctx, s, x, f.Remote); err != nil {
			return err
		}
	}
	if out.format == "table" {
		return nil
	}
	return out.print(s.Out, all, nil)
}

// pushed is what becomes of one tag.
type pushed struct {
	image.Tagged
	Mock bool `json:"mock"`
}

// planOfPushes prints what pushing changes.
func planOfPushes(w io.Writer, all []pushed, mock bool) error {
	var rows [][]string
	for _, p := range all {
		what := "new"
		switch p.Was {
		case "":
		case p.Digest:
			what = "there already"
		default:
			what = "moves from " + string(p.Was)
		}
		rows = append(rows, []string{p.Reference, string(p.Digest), what})
	}
	if err := table(w, "No tag is to be pushed.", []string{"reference", "digest", "what"}, rows); err != nil || !mock {
		return err
	}
	return said(w, "This was a mock run: nothing was pushed. Add --nomock to do it.\n")
}

func newImageInspect(s Streams) *cobra.Command {
	var f remoteFlags
	var out outputFlag
	c := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Show an image's platforms, digests and how it runs",
		Long: `Shows what an image holds for each platform, and how it is run. Nothing is unpacked or run.

` + imageSources,
		Example: `  seaworthy image inspect dist/halyard.tar
  seaworthy image inspect registry.example.org/halyard:v1.2.0 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			x, err := openImage(cmd.Context(), args[0], f.Remote)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, x.Close()) }()
			return out.print(s.Out, x.Built(), showImage(x.Built()))
		},
	}
	f.add(c)
	out.add(c)
	return c
}
