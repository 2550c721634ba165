package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// DefaultUser runs an image that neither names a user nor has one of its base:
// the number images without a distribution have agreed on for "nobody special".
const DefaultUser = "65532:65532"

// Request says what to build.
type Request struct {
	Spec      artifact.ImageSpec
	Platforms []artifact.Platform // those of the spec if none
	Project   string              // {name} in the spec; the last part of the image's name if empty
	Version   string              // with its prefix, v1.2.0; may be empty, as the next two
	Revision  string              // full id of the commit
	Source    string              // address of the repository
	Created   time.Time           // the commit's time; of every file, too

	// The spec's sources are looked for in the folder Built names for a
	// platform, then in Folders.
	Built   map[artifact.Platform]string
	Folders []string

	Remote Remote // how bases are pulled
	// Work is the folder that layers are kept in until Close; a temporary one
	// if empty.
	Work string
	// Parallel bounds the platforms worked on at once; 0 means two.
	Parallel int
}

// Build makes the image. The caller closes it when it has been written.
func Build(ctx context.Context, req Request) (x *Index, err error) {
	if req.Platforms == nil {
		req.Platforms = req.Spec.Platforms
	}
	if err := req.validate(); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(req.Work, "image-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for layers: %w", err)
	}
	on := &bases{remote: req.Remote, opened: map[string]*Index{}}
	release := func() error { return errors.Join(on.close(), os.RemoveAll(work)) }
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	images, err := req.images(ctx, on, work)
	if err != nil {
		return nil, fmt.Errorf("building the image %s: %w", req.Spec.Name, err)
	}
	annotations := req.annotations("", "")
	if bases := on.list(); len(bases) == 1 && len(req.Spec.Bases) == 0 {
		annotations = req.annotations(bases[0].Reference, string(bases[0].Digest))
	}
	index, err := newIndex(images, annotations)
	if err != nil {
		return nil, fmt.Errorf("building the image %s: %w", req.Spec.Name, err)
	}
	x = &Index{index: index, close: release}
	if x.built, err = x.describe(); err != nil {
		return nil, fmt.Errorf("building the image %s: %w", req.Spec.Name, err)
	}
	x.built.Name, x.built.Bases = req.Spec.Name, on.list()
	return x, nil
}

func (r Request) validate() error {
	if err := r.Spec.Validate(); err != nil {
		return err
	}
	spec := r.Spec
	spec.Platforms = r.Platforms
	if err := spec.Validate(); err != nil {
		return err
	}
	if len(r.Platforms) == 0 {
		return fmt.Errorf("image %s: name at least one platform", r.Spec.Name)
	}
	if r.Created.IsZero() || r.Created.Year() < 1970 || r.Created.Year() > 9999 {
		return fmt.Errorf("image %s: the time it is created is to be given, that of the commit", r.Spec.Name)
	}
	return nil
}

// images builds every platform, sorted so that the order asked for does not
// matter.
func (r Request) images(ctx context.Context, on *bases, work string) ([]platformImage, error) {
	platforms := slices.SortedFunc(slices.Values(r.Platforms), func(a, b artifact.Platform) int { return strings.Compare(a.String(), b.String()) })
	onto := make([]v1.Image, len(platforms))
	for i, p := range platforms {
		ref := r.Spec.BaseOf(p)
		if ref == artifact.Scratch {
			continue
		}
		x, err := on.open(ctx, ref)
		if err != nil {
			return nil, err
		}
		if onto[i], err = x.platform(p); err != nil {
			return nil, fmt.Errorf("the base %s: %w", ref, err)
		}
	}
	images := make([]platformImage, len(platforms))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(r.Parallel, 2))
	for i, p := range platforms {
		g.Go(func() error {
			var err error
			if images[i], err = r.image(ctx, p, onto[i], work); err != nil {
				return fmt.Errorf("for %s: %w", p, err)
			}
			return nil
		})
	}
	return images, g.Wait()
}

// image builds one platform.
func (r Request) image(ctx context.Context, p artifact.Platform, base v1.Image, work string) (platformImage, error) {
	layers, err := r.layers(ctx, p, base != nil, work)
	if err != nil {
		return platformImage{}, err
	}
	config := &v1.ConfigFile{OS: p.OS, Architecture: p.Arch, Variant: p.Variant}
	var adds []mutate.Addendum
	reference, digest := "", ""
	if base != nil {
		if adds, config, err = inherit(base); err != nil {
			return platformImage{}, fmt.Errorf("reading the base: %w", err)
		}
		hash, err := base.Digest()
		if err != nil {
			return platformImage{}, err
		}
		reference, digest = r.Spec.BaseOf(p), hash.String()
	}
	for _, l := range layers {
		adds = append(adds, mutate.Addendum{Layer: l, MediaType: l.mediaType})
		config.History = append(config.History, v1.History{Created: v1.Time{Time: r.when()}, CreatedBy: "seaworthy image build " + r.Spec.Name})
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if img, err = mutate.Append(img, adds...); err != nil {
		return platformImage{}, err
	}
	have, err := img.ConfigFile()
	if err != nil {
		return platformImage{}, err
	}
	config.RootFS = have.RootFS
	if len(config.History) != len(adds) && !historyFits(config.History, len(adds)) {
		config.History = nil // the base tells of other layers than it has
	}
	r.configure(config, p)
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return platformImage{}, err
	}
	img = mutate.Annotations(img, r.annotations(reference, digest)).(v1.Image)
	return platformImage{image: img, platform: p, described: config.Platform()}, nil
}

func historyFits(history []v1.History, layers int) bool {
	for _, h := range history {
		if !h.EmptyLayer {
			layers--
		}
	}
	return layers == 0
}

// inherit returns the base's layers and a copy of its configuration.
func inherit(base v1.Image) ([]mutate.Addendum, *v1.ConfigFile, error) {
	layers, descriptors, err := ociLayers(base)
	if err != nil {
		return nil, nil, err
	}
	var adds []mutate.Addendum
	for i, l := range layers {
		d := descriptors[i]
		adds = append(adds, mutate.Addendum{Layer: l, MediaType: d.MediaType, URLs: d.URLs, Annotations: d.Annotations})
	}
	config, err := base.ConfigFile()
	if err != nil {
		return nil, nil, err
	}
	config = config.DeepCopy()
	config.Container, config.Author = "", ""
	config.DockerVersion = "" //lint:ignore SA1019 old bases have it, and it tells of their builder
	config.Config.OnBuild, config.Config.Image, config.Config.Hostname = nil, "", ""
	return adds, config, nil
}

// layers packs what the spec adds.
func (r Request) layers(ctx context.Context, p artifact.Platform, onBase bool, work string) ([]*layer, error) {
	t := &tree{expand: func(s string) string { return r.expand(s, p) }, onBase: onBase, known: map[string]bool{}}
	defer func() {
		for _, root := range t.roots {
			root.Close() // was only read from
		}
	}()
	folders := r.Folders
	if built := r.Built[p]; built != "" {
		folders = append([]string{built}, folders...)
	}
	for _, folder := range folders {
		root, err := os.OpenRoot(folder)
		if err != nil {
			return nil, fmt.Errorf("opening the folder of sources: %w", err)
		}
		t.roots = append(t.roots, root)
	}
	groups, err := t.groups(r.Spec.Files)
	if err != nil {
		return nil, err
	}
	var layers []*layer
	for _, nodes := range groups {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		l, err := writeLayer(work, r.Spec.Compression, nodes, r.when())
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	return layers, nil
}

func (r Request) when() time.Time { return r.Created.UTC().Truncate(time.Second) }

func (r Request) name() string {
	if r.Project != "" {
		return r.Project
	}
	return path.Base(r.Spec.Name)
}

// expand fills the placeholders of a template.
func (r Request) expand(template string, p artifact.Platform) string {
	return strings.NewReplacer("{name}", r.name(), "{version}", r.Version, "{number}", strings.TrimPrefix(path.Base(r.Version), "v"),
		"{commit}", r.Revision, "{os}", p.OS, "{arch}", p.Arch, "{variant}", p.Variant).Replace(template)
}

// standard are the labels and annotations every image has, by the OCI image
// specification's list, as far as they are known.
func (r Request) standard() map[string]string {
	all := map[string]string{"org.opencontainers.image.created": r.when().Format(time.RFC3339)}
	for key, value := range map[string]string{"title": path.Base(r.Spec.Name), "version": r.Version, "revision": r.Revision, "source": r.Source} {
		if value != "" {
			all["org.opencontainers.image."+key] = value
		}
	}
	return all
}

func (r Request) annotations(base, digest string) map[string]string {
	all := r.standard()
	if base != "" {
		all["org.opencontainers.image.base.name"], all["org.opencontainers.image.base.digest"] = base, digest
	}
	for key, value := range r.Spec.Annotations {
		all[key] = r.expand(value, artifact.Platform{})
	}
	return all
}

// configure says how the image is run: what the spec says, or else its base.
func (r Request) configure(config *v1.ConfigFile, p artifact.Platform) {
	s, c := r.Spec, &config.Config
	config.Created = v1.Time{Time: r.when()}
	switch {
	case s.Entrypoint != nil:
		c.Entrypoint, c.Cmd = r.expandAll(s.Entrypoint, p), r.expandAll(s.Cmd, p)
	case s.Cmd != nil:
		c.Cmd = r.expandAll(s.Cmd, p)
	}
	c.Env = r.env(c.Env, p)
	if s.User != "" {
		c.User = s.User
	}
	if user, _, _ := strings.Cut(c.User, ":"); s.User == "" && (user == "" || user == "0" || user == "root") {
		c.User = DefaultUser
	}
	if s.Workdir != "" {
		c.WorkingDir = path.Clean(s.Workdir)
	}
	if s.StopSignal != "" {
		c.StopSignal = s.StopSignal
	}
	for _, port := range s.Ports {
		if !strings.Contains(port, "/") {
			port += "/tcp"
		}
		c.ExposedPorts = with(c.ExposedPorts, port, struct{}{})
	}
	for _, v := range s.Volumes {
		c.Volumes = with(c.Volumes, path.Clean(v), struct{}{})
	}
	// Those of the base describe the base.
	maps.DeleteFunc(c.Labels, func(key, _ string) bool { return strings.HasPrefix(key, "org.opencontainers.image.") })
	for key, value := range r.standard() {
		c.Labels = with(c.Labels, key, value)
	}
	for key, value := range s.Labels {
		c.Labels = with(c.Labels, key, r.expand(value, p))
	}
}

func (r Request) expandAll(templates []string, p artifact.Platform) []string {
	var all []string
	for _, t := range templates {
		all = append(all, r.expand(t, p))
	}
	return all
}

// env merges the spec's variables into those of the base; new ones follow, by
// name.
func (r Request) env(base []string, p artifact.Platform) []string {
	var all []string
	named := map[string]bool{}
	for _, v := range base {
		name, _, _ := strings.Cut(v, "=")
		if value, ok := r.Spec.Env[name]; ok {
			v = name + "=" + r.expand(value, p)
		}
		all, named[name] = append(all, v), true
	}
	names := slices.Sorted(maps.Keys(r.Spec.Env))
	if _, ok := r.Spec.Env["PATH"]; !ok && !named["PATH"] {
		all = append(all, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	for _, name := range names {
		if !named[name] {
			all = append(all, name+"="+r.expand(r.Spec.Env[name], p))
		}
	}
	return all
}

func with[V any](m map[string]V, key string, value V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = value
	return m
}
