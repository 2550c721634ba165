package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/artifact/image"
	"seaworthy/git"
	"seaworthy/strict"
)

type imageBuildFlags struct {
	specs     []string
	from      string
	version   string
	revision  string
	created   string
	source    string
	platforms []string
	tags      []string
	layout    string
	tarball   string
	form      string
	push      string
	remote    imagePushFlags
	out       outputFlag
}

func newImageBuild(s Streams) *cobra.Command {
	var f imageBuildFlags
	c := &cobra.Command{
		Use:   "build",
		Short: "Build container images from what was built, reproducibly",
		Long: `Builds the images that seaworthy.yaml declares, or those of --spec, from the archives "seaworthy build" left in
dist: what is in an archive for a platform goes into the image for it. Files that are not there are taken from the
repository. Version, commit and time are those of what is checked out.

What is built is written to where the flags say; with none, only its digests are shown. Several images of one
configuration go into a folder each below --layout. With --push it is shown what each tag in the registry stands for
now; with --nomock, too, the images are pushed.`,
		Example: `  seaworthy build && seaworthy image build --layout dist/images
  seaworthy image build --spec image.yaml --tarball dist/halyard.tar
  seaworthy image build --push registry.example.org/team --tag v1.2.0 --tag latest --nomock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.build(cmd.Context(), s) },
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.specs, "spec", nil, "`file` that declares an image (those of seaworthy.yaml if none)")
	flags.StringVar(&f.from, "from", "dist", "`folder` with the archives of what was built")
	flags.StringVar(&f.version, "version", "", "`version` of the images (git describe if empty)")
	flags.StringVar(&f.revision, "revision", "", "`commit` they are made of (the one checked out if empty)")
	flags.StringVar(&f.created, "created", "", "`time` of all files, as 2026-01-02T15:04:05Z (that of the commit if empty)")
	flags.StringVar(&f.source, "source", "", "`address` of the repository, for a label")
	flags.StringSliceVar(&f.platforms, "platform", nil, "`OS/ARCH` to build for (those of the spec if none)")
	flags.StringSliceVar(&f.tags, "tag", nil, "`tag` of the images (their version if none)")
	flags.StringVar(&f.layout, "layout", "", "`folder` for an OCI layout")
	flags.StringVar(&f.tarball, "tarball", "", "`file` for an archive")
	flags.StringVar(&f.form, "tarball-format", string(image.OCIArchive), "`form` of the archive: oci for all platforms, docker for one that older programs load")
	flags.StringVar(&f.push, "push", "", "`registry`, and what stands before the images' names in it")
	f.remote.add(c)
	f.out.add(c)
	return c
}

// builtImage is what is told of an image that was built.
type builtImage struct {
	image.Built
	Tags    []string `json:"tags"`
	Layout  string   `json:"layout,omitempty"`
	Tarball string   `json:"tarball,omitempty"`
	Pushed  []string `json:"pushed,omitempty"`
	// Pushes is what --push changes in the registry, or would.
	Pushes []pushed `json:"pushes,omitempty"`
}

func (f *imageBuildFlags) build(ctx context.Context, s Streams) (err error) {
	if form := image.Form(f.form); form != image.OCIArchive && form != image.DockerArchive {
		return usagef("--tarball-format %s: write oci or docker", f.form)
	}
	request, specs, err := f.request(ctx)
	if err != nil {
		return err
	}
	if f.tarball != "" && len(specs) > 1 {
		return usagef("--tarball takes one image, there are %d: name one with --spec, or write them to --layout", len(specs))
	}
	work, err := os.MkdirTemp("", "seaworthy-image-")
	if err != nil {
		return fmt.Errorf("making a folder to work in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	request.Work = work
	if err := f.unpack(work, &request, specs); err != nil {
		return err
	}
	var all []builtImage
	for _, spec := range specs {
		request.Spec = spec
		one, err := f.one(ctx, s, request, len(specs) > 1)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	return f.out.print(s.Out, all, func(w io.Writer) error { return tableOfImages(w, all) })
}

// pushTo shows what a push changes, and does it if it is not a rehearsal.
func (f *imageBuildFlags) pushTo(ctx context.Context, s Streams, x *image.Index, repository string, b *builtImage) (err error) {
	t := pushTarget{repository: repository, tags: b.Tags}
	if b.Pushes, err = t.plan(ctx, x, f.remote); err != nil {
		return err
	}
	if f.out.format == "table" {
		if err := planOfPushes(s.Out, b.Pushes, !f.remote.nomock); err != nil {
			return err
		}
	}
	if !f.remote.nomock {
		return nil
	}
	if err := t.push(ctx, s, x, f.remote.Remote); err != nil {
		return err
	}
	b.Pushed = t.references()
	return nil
}

// request completes what is common to all images, and reads what they are.
func (f *imageBuildFlags) request(ctx context.Context) (image.Request, []artifact.ImageSpec, error) {
	r := image.Request{Version: f.version, Revision: f.revision, Source: f.source, Remote: f.remote.Remote}
	for _, tag := range f.tags {
		if err := artifact.CheckTag(tag); err != nil {
			return r, nil, usageError{err}
		}
	}
	specs, err := readSpecs(f.specs)
	if err != nil {
		return r, nil, err
	}
	if f.created != "" {
		if r.Created, err = time.Parse(time.RFC3339, f.created); err != nil {
			return r, nil, usagef("--created %s: write a time such as 2026-01-02T15:04:05Z", f.created)
		}
	}
	// Where all is said, no repository is needed.
	told := len(f.specs) > 0 && f.version != "" && f.created != ""
	repo, err := openRepo(ctx, ".", "change to the one the image is made of, or give --spec, --version and --created")
	switch {
	case err != nil && !told:
		return r, nil, err
	case err != nil:
		r.Folders = []string{"."}
	default:
		if specs, err = f.fromRepository(ctx, repo, &r, specs); err != nil {
			return r, nil, err
		}
	}
	if len(specs) == 0 {
		return r, nil, usagef("no image is declared: write images in seaworthy.yaml, or name a file with --spec")
	}
	return r, specs, f.platformsOf(specs)
}

// fromRepository fills in what the commit checked out and its configuration say.
func (f *imageBuildFlags) fromRepository(ctx context.Context, repo *git.Repository, r *image.Request, specs []artifact.ImageSpec) ([]artifact.ImageSpec, error) {
	name, err := localName(ctx, repo)
	if err != nil {
		return nil, err
	}
	p, err := app.ReadProject(ctx, repo, "", name)
	if err != nil {
		return nil, err
	}
	head, err := repo.Log(ctx, "HEAD", git.LogOptions{Max: 1})
	if err != nil {
		return nil, err
	}
	r.Project, r.Folders = p.Project.Project.Name, []string{repo.Dir}
	if r.Revision == "" {
		r.Revision = head[0].SHA
	}
	if r.Created.IsZero() {
		r.Created = head[0].Committer.Time
	}
	if r.Version == "" {
		if r.Version, err = describe(ctx, repo, p.Release.TagPrefix); err != nil {
			return nil, err
		}
	}
	if len(f.specs) == 0 {
		specs = slices.Clone(p.Images)
	}
	linux, err := linuxOf(p.Build.Platforms)
	if err != nil {
		return nil, err
	}
	for i := range specs {
		if len(specs[i].Platforms) == 0 {
			specs[i].Platforms = linux
		}
	}
	return specs, nil
}

func linuxOf(names []string) ([]artifact.Platform, error) {
	platforms, err := artifact.ParsePlatforms(names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(platforms, func(p artifact.Platform) bool { return p.OS != "linux" }), nil
}

// platformsOf applies --platform and checks the specs.
func (f *imageBuildFlags) platformsOf(specs []artifact.ImageSpec) error {
	wanted, err := artifact.ParsePlatforms(f.platforms)
	if err != nil {
		return usageError{err}
	}
	for i := range specs {
		if len(wanted) > 0 {
			specs[i].Platforms = wanted
		}
		if err := specs[i].Validate(); err != nil {
			return usageError{err}
		}
		if len(specs[i].Platforms) == 0 {
			return usagef("image %s is for no platform: name some with --platform", specs[i].Name)
		}
	}
	return nil
}

// readSpecs reads the files of --spec.
func readSpecs(files []string) ([]artifact.ImageSpec, error) {
	var specs []artifact.ImageSpec
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, usageError{err}
		}
		var spec artifact.ImageSpec
		if problems := slices.DeleteFunc(strict.Unmarshal(file, data, &spec), func(p strict.Problem) bool { return p.Warning }); len(problems) > 0 {
			return nil, strict.Error(problems)
		}
		if err := spec.Validate(); err != nil {
			return nil, usagef("%s: %w", file, err)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// unpack finds the archive of every platform in --from and unpacks it. A
// platform without one takes its files from the folder and the repository.
func (f *imageBuildFlags) unpack(work string, r *image.Request, specs []artifact.ImageSpec) error {
	if info, err := os.Stat(f.from); err == nil && info.IsDir() {
		r.Folders = append([]string{f.from}, r.Folders...)
	} else if f.from != "dist" {
		return usagef("--from %s is not a folder", f.from)
	}
	r.Built = map[artifact.Platform]string{}
	for _, spec := range specs {
		for _, p := range spec.Platforms {
			if r.Built[p] != "" {
				continue
			}
			archive, err := findArchive(f.from, r.Version, p)
			if err != nil {
				return err
			}
			if archive == "" {
				continue
			}
			to := filepath.Join(work, "built", p.Slug())
			if err := build.Extract(archive, to, build.Limits{}); err != nil {
				return err
			}
			if r.Built[p], err = onlyFolder(to); err != nil {
				return err
			}
		}
	}
	return nil
}

// findArchive returns the archive of a platform in a folder, empty if there is
// none. Of several formats any will do: they hold the same.
func findArchive(folder, version string, p artifact.Platform) (string, error) {
	files, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	suffix := "_" + strings.TrimPrefix(path.Base(version), "v") + "_" + p.Slug()
	found := map[string]string{}
	for _, format := range []string{".zip", ".tar.gz", ".tar.zst"} {
		for _, file := range files {
			if stem, ok := strings.CutSuffix(file.Name(), format); ok && strings.HasSuffix(stem, suffix) {
				found[stem] = filepath.Join(folder, file.Name())
			}
		}
	}
	if len(found) > 1 {
		return "", usagef("%s holds archives of %d projects for %s %s: name another folder with --from", folder, len(found), version, p)
	}
	for _, file := range found {
		return file, nil
	}
	return "", nil
}

// onlyFolder goes into the folder that an archive holds all in.
func onlyFolder(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(files) == 1 && files[0].IsDir() {
		return filepath.Join(dir, files[0].Name()), nil
	}
	return dir, nil
}

// one builds an image and writes it to where the flags say.
func (f *imageBuildFlags) one(ctx context.Context, s Streams, r image.Request, several bool) (b builtImage, err error) {
	fmt.Fprintf(s.Err, "building %s %s for %s\n", r.Spec.Name, r.Version, count(len(r.Spec.Platforms), "platform", "platforms"))
	x, err := image.Build(ctx, r)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	b = builtImage{Built: x.Built(), Tags: f.tags}
	if len(b.Tags) == 0 && r.Version != "" {
		b.Tags = []string{strings.NewReplacer("+", "-", "/", "-").Replace(r.Version)} // as a release stages it
	}
	if f.layout != "" {
		if b.Layout = f.layout; several {
			b.Layout = filepath.Join(f.layout, filepath.FromSlash(r.Spec.Name))
		}
		if err := x.WriteLayout(b.Layout, b.Tags...); err != nil {
			return b, err
		}
	}
	repository := ""
	if f.push != "" {
		repository = strings.TrimSuffix(f.push, "/") + "/" + r.Spec.Name
	}
	if f.tarball != "" {
		t := image.Tarball{Form: image.Form(f.form), Name: repository, Tags: b.Tags}
		if err := x.WriteTarball(f.tarball, t); err != nil {
			return b, err
		}
		b.Tarball = f.tarball
	}
	if f.push != "" {
		err = f.pushTo(ctx, s, x, repository, &b)
	}
	return b, err
}

// pushTarget is a repository and the tags an image gets in it.
type pushTarget struct {
	repository string
	tags       []string
}

// targetsOf groups references by their repository.
func targetsOf(references []string) ([]pushTarget, error) {
	var all []pushTarget
	for _, ref := range references {
		repository, tag, err := image.SplitReference(ref)
		if err != nil {
			return nil, usageError{err}
		}
		i := slices.IndexFunc(all, func(t pushTarget) bool { return t.repository == repository })
		if i < 0 {
			i, all = len(all), append(all, pushTarget{repository: repository})
		}
		all[i].tags = append(all[i].tags, tag)
	}
	return all, nil
}

func (t pushTarget) references() []string {
	var all []string
	for _, tag := range t.tags {
		all = append(all, t.repository+":"+tag)
	}
	return all
}

// plan asks the registry what its tags stand for.
func (t pushTarget) plan(ctx context.Context, x *image.Index, f imagePushFlags) ([]pushed, error) {
	tags, err := x.Compare(ctx, t.repository, t.tags, f.Remote)
	if err != nil {
		return nil, err
	}
	var all []pushed
	for _, tag := range tags {
		all = append(all, pushed{tag, !f.nomock})
	}
	return all, nil
}

func (t pushTarget) push(ctx context.Context, s Streams, x *image.Index, remote image.Remote) error {
	if err := x.Push(ctx, t.repository, t.tags, remote); err != nil {
		return err
	}
	for _, ref := range t.references() {
		fmt.Fprintf(s.Err, "pushed %s@%s\n", ref, x.Built().Digest)
	}
	return nil
}

func tableOfImages(w io.Writer, all []builtImage) error {
	var rows [][]string
	for _, b := range all {
		rows = append(rows, []string{b.Name, "all", string(b.Digest), ""})
		for _, p := range b.Platforms {
			rows = append(rows, []string{"", p.Platform.String(), string(p.Digest), strconv.FormatInt(p.Size, 10)})
		}
	}
	return table(w, "No image was built.", []string{"image", "platform", "digest", "bytes"}, rows)
}

// showImage prints an image for people.
func showImage(b image.Built) func(io.Writer) error {
	return func(w io.Writer) error {
		fmt.Fprintf(w, "%s\n%s %s\n", b.Name, b.MediaType, b.Digest)
		for _, p := range b.Platforms {
			fmt.Fprintf(w, "\n%s  %s\n", p.Platform, p.Digest)
			rows := [][2]string{
				{"created", p.Created.UTC().Format(time.RFC3339)}, {"layers", fmt.Sprintf("%d, %d bytes", len(p.Layers), p.Size)}, {"user", p.User},
				{"runs", quoted(append(slices.Clone(p.Entrypoint), p.Cmd...))}, {"in", p.Workdir}, {"version", p.Labels["org.opencontainers.image.version"]},
				{"revision", p.Labels["org.opencontainers.image.revision"]}, {"source", p.Labels["org.opencontainers.image.source"]},
			}
			for _, row := range rows {
				if row[1] != "" {
					fmt.Fprintf(w, "  %-9s %s\n", row[0], row[1])
				}
			}
		}
		return nil
	}
}
