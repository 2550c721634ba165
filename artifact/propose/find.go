package propose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
)

// ErrUnlisted: a registry does not tell which images it has.
var ErrUnlisted = errors.New("the registry does not list its images")

// ErrNothing: staging holds nothing of what was asked for.
var ErrNothing = errors.New("no images are left")

// Lister tells what a registry holds.
type Lister interface {
	// Images returns the names of the images below a registry, or
	// ErrUnlisted.
	Images(ctx context.Context, registry string) ([]string, error)
	// Tags returns the tags of a repository with their digests, of the given
	// names only if there are any. A repository that is not there has none.
	Tags(ctx context.Context, repository string, names []string) (map[string]artifact.Digest, error)
}

// Wanted says what is to be promoted. Empty filters let everything through.
type Wanted struct {
	Staging string   // registry, such as gcr.io/k8s-staging-app
	Tags    []string // any of these
	Images  []string // any of these names
	Digests []artifact.Digest
	// Known are names to look at where the registry does not list its images.
	Known []string
}

// Found is what staging holds of it.
type Found struct {
	Images []promote.Image
	// MissingTags and MissingImages are those asked for that nothing was
	// found under.
	MissingTags, MissingImages []string
}

// moving is a tag that is never promoted: it would have to move.
const moving = "latest"

// Find asks staging for the images, tags and digests wanted, sorted by name
// and version. The error is ErrNothing if there are none.
func Find(ctx context.Context, l Lister, w Wanted) (Found, error) {
	names, err := l.Images(ctx, w.Staging)
	if errors.Is(err, ErrUnlisted) && len(w.Known)+len(w.Images) > 0 {
		names, err = slices.Concat(w.Known, w.Images), nil
	}
	if err != nil {
		return Found{}, fmt.Errorf("listing the images of %s: %w", w.Staging, err)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(n string) bool {
		return strings.HasPrefix(n, "mock/") || strings.Contains(n, "/mock/") || len(w.Images) > 0 && !slices.Contains(w.Images, n)
	})
	held := make([]map[string]artifact.Digest, len(names))
	work, working := errgroup.WithContext(ctx)
	work.SetLimit(8)
	for i, n := range names {
		work.Go(func() (err error) {
			held[i], err = l.Tags(working, w.Staging+"/"+n, w.Tags)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return Found{}, err
	}
	var found Found
	seen := map[string]bool{}
	for i, n := range names {
		if image := w.image(n, held[i], seen); len(image.Entries) > 0 {
			found.Images = append(found.Images, image)
			seen["image "+n] = true
		}
	}
	found.MissingTags = slices.DeleteFunc(slices.Clone(w.Tags), func(t string) bool { return seen["tag "+t] || t == moving })
	found.MissingImages = slices.DeleteFunc(slices.Clone(w.Images), func(n string) bool { return seen["image "+n] })
	if len(found.Images) == 0 {
		return found, fmt.Errorf("%w of %s in %s: look at the tags, images and digests asked for", ErrNothing, count(len(names)), w.Staging)
	}
	return found, nil
}

func count(n int) string {
	if n == 1 {
		return "1 image"
	}
	return fmt.Sprintf("%d images", n)
}

// image keeps of one image's tags what is wanted, and notes the tags seen.
func (w Wanted) image(name string, held map[string]artifact.Digest, seen map[string]bool) promote.Image {
	tags := map[artifact.Digest][]string{}
	for tag, d := range held {
		if tag == moving || len(w.Tags) > 0 && !slices.Contains(w.Tags, tag) || len(w.Digests) > 0 && !slices.Contains(w.Digests, d) || attached(tag) {
			continue
		}
		seen["tag "+tag] = true
		tags[d] = append(tags[d], tag)
	}
	image := promote.Image{Name: name}
	for _, d := range slices.Sorted(maps.Keys(tags)) {
		slices.SortFunc(tags[d], promote.CompareVersions)
		image.Entries = append(image.Entries, promote.Entry{Digest: d, Tags: tags[d]})
	}
	slices.SortStableFunc(image.Entries, func(a, b promote.Entry) int { return promote.CompareVersions(a.Tags[0], b.Tags[0]) })
	return image
}

// attached reports whether a tag holds a signature or the like of an image,
// sha256-<hex>.sig, which travels with it and is no image of its own.
func attached(tag string) bool {
	sum, ok := strings.CutPrefix(tag, "sha256-")
	return ok && len(sum) >= 64 && promote.CheckDigest(artifact.Digest("sha256:"+sum[:64])) == nil
}
