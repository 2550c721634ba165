package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"seaworthy/artifact"
)

// Base is an image that another was built on.
type Base struct {
	Reference string          `json:"reference"` // as the spec names it
	Digest    artifact.Digest `json:"digest"`    // that it stood for: of the index, where there is one
}

// bases resolves references, each once, so that all platforms build on the same
// image although somebody moves a tag meanwhile.
type bases struct {
	remote Remote
	opened map[string]*Index
}

// open returns the image a reference stands for.
func (b *bases) open(ctx context.Context, ref string) (*Index, error) {
	if have, ok := b.opened[ref]; ok {
		return have, nil
	}
	source, err := parseSource(ref, false)
	if err != nil {
		return nil, fmt.Errorf("the base %s: %w", ref, err)
	}
	x, err := source.open(ctx, b.remote)
	if err != nil {
		return nil, fmt.Errorf("the base %s: %w", ref, err)
	}
	b.opened[ref] = x
	return x, nil
}

// close releases what was opened.
func (b *bases) close() error {
	var err error
	for _, x := range b.opened {
		err = errors.Join(err, x.Close())
	}
	return err
}

// list returns what was resolved, sorted by reference.
func (b *bases) list() []Base {
	var list []Base
	for ref, x := range b.opened {
		list = append(list, Base{Reference: ref, Digest: x.digest()})
	}
	slices.SortFunc(list, func(a, b Base) int { return strings.Compare(a.Reference, b.Reference) })
	return list
}

// platform returns the image of a platform.
func (x *Index) platform(p artifact.Platform) (v1.Image, error) {
	images, err := x.images()
	if err != nil {
		return nil, err
	}
	var have []string
	var found v1.Image
	best := 0
	for _, i := range images {
		if fit := fits(i.platform, p); fit > best {
			found, best = i.image, fit
		}
		have = append(have, i.platform.String())
	}
	if found == nil {
		return nil, fmt.Errorf("it is not there for %s, only for %s", p, strings.Join(have, ", "))
	}
	return found, nil
}

// fits says how well an image's platform suits the one wanted, 0 not at all.
// arm64 and arm64/v8 are the same, arm without a variant is most often v7.
func fits(have, want artifact.Platform) int {
	if have.OS != want.OS || have.Arch != want.Arch {
		return 0
	}
	usual := map[string]string{"arm64": "v8", "arm": "v7", "amd64": "v1"}[want.Arch]
	normal := func(v string) string {
		if v == "" {
			return usual
		}
		return v
	}
	switch {
	case have.Variant == want.Variant:
		return 3
	case normal(have.Variant) == normal(want.Variant):
		return 2
	case want.Variant > have.Variant && have.Variant == "" || want.Arch != "arm" && normal(have.Variant) < normal(want.Variant):
		return 1 // an older processor's programs run on a newer one
	}
	return 0
}

// layers are the base's, in a manifest by OCI.
func ociLayers(img v1.Image) ([]v1.Layer, []v1.Descriptor, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, nil, err
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, nil, err
	}
	if len(m.Layers) != len(layers) {
		return nil, nil, fmt.Errorf("its manifest lists %d layers, there are %d", len(m.Layers), len(layers))
	}
	descriptors := slices.Clone(m.Layers)
	for i := range descriptors {
		descriptors[i].MediaType = ociMediaType(descriptors[i].MediaType)
	}
	return layers, descriptors, nil
}

func ociMediaType(t types.MediaType) types.MediaType {
	switch t {
	case types.DockerLayer:
		return types.OCILayer
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer
	case types.DockerForeignLayer:
		return types.OCIRestrictedLayer
	}
	return t
}
