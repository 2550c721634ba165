package image

import (
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"seaworthy/artifact"
)

// Index is an image, for one platform or many: one that was built, or one that
// was opened. It may have files open or on disk until it is closed.
type Index struct {
	index v1.ImageIndex
	image v1.Image // instead of an index: a plain image, for one platform
	built Built
	close func() error
}

// Built describes an image.
type Built struct {
	Name        string            `json:"name,omitempty"` // as the spec or the reference names it
	Digest      artifact.Digest   `json:"digest"`
	MediaType   string            `json:"media_type"`
	Platforms   []BuiltPlatform   `json:"platforms"`
	Bases       []Base            `json:"bases,omitempty"` // that it was built on; not known of one that was opened
	Annotations map[string]string `json:"annotations,omitempty"`
}

// BuiltPlatform is the image of one platform.
type BuiltPlatform struct {
	Platform   artifact.Platform `json:"platform"`
	Digest     artifact.Digest   `json:"digest"` // of its manifest
	Size       int64             `json:"size"`   // bytes of its layers, compressed
	Layers     []artifact.Digest `json:"layers"`
	Created    time.Time         `json:"created,omitzero"`
	User       string            `json:"user,omitempty"`
	Entrypoint []string          `json:"entrypoint,omitempty"`
	Cmd        []string          `json:"cmd,omitempty"`
	Env        []string          `json:"env,omitempty"`
	Workdir    string            `json:"workdir,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Built describes the image.
func (x *Index) Built() Built { return x.built }

// Close releases the image's files. What was written or pushed stays.
func (x *Index) Close() error {
	if x == nil || x.close == nil {
		return nil
	}
	closing := x.close
	x.close = nil
	return closing()
}

// top is the index, or the image if there is none.
func (x *Index) top() described {
	if x.index != nil {
		return x.index
	}
	return x.image
}

// described is what an index and an image have in common.
type described interface {
	MediaType() (types.MediaType, error)
	Digest() (v1.Hash, error)
	Size() (int64, error)
	RawManifest() ([]byte, error)
}

func (x *Index) digest() artifact.Digest { return x.built.Digest }

// platformImage is the image of one platform in an index.
type platformImage struct {
	image     v1.Image
	platform  artifact.Platform
	described *v1.Platform
}

// images lists the images for single platforms. Manifests without a platform,
// such as attestations that builders put beside them, are left out.
func (x *Index) images() ([]platformImage, error) {
	if x.index == nil {
		one, err := onePlatform(x.image, nil)
		return []platformImage{one}, err
	}
	m, err := x.index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var list []platformImage
	for _, d := range m.Manifests {
		if !d.MediaType.IsImage() || d.Platform != nil && d.Platform.OS == "unknown" {
			continue
		}
		img, err := x.index.Image(d.Digest)
		if err != nil {
			return nil, fmt.Errorf("reading the manifest %s: %w", d.Digest, err)
		}
		one, err := onePlatform(img, d.Platform)
		if err != nil {
			return nil, fmt.Errorf("reading the manifest %s: %w", d.Digest, err)
		}
		list = append(list, one)
	}
	return list, nil
}

// onePlatform finds out what an image is for: what its index says, or else its
// configuration.
func onePlatform(img v1.Image, said *v1.Platform) (platformImage, error) {
	if said == nil {
		config, err := img.ConfigFile()
		if err != nil {
			return platformImage{}, fmt.Errorf("reading its configuration: %w", err)
		}
		if said = config.Platform(); said == nil {
			said = &v1.Platform{} // an artifact that is nothing to run
		}
	}
	return platformImage{image: img, described: said, platform: artifact.Platform{OS: said.OS, Arch: said.Architecture, Variant: said.Variant}}, nil
}

// describe reads what Built tells.
func (x *Index) describe() (Built, error) {
	digest, err := x.top().Digest()
	if err != nil {
		return Built{}, err
	}
	kind, err := x.top().MediaType()
	if err != nil {
		return Built{}, err
	}
	notes, err := x.annotations()
	if err != nil {
		return Built{}, err
	}
	b := Built{Digest: artifact.Digest(digest.String()), MediaType: string(kind), Annotations: notes}
	images, err := x.images()
	if err != nil {
		return Built{}, err
	}
	for _, i := range images {
		p, err := describePlatform(i)
		if err != nil {
			return Built{}, fmt.Errorf("reading the image for %s: %w", i.platform, err)
		}
		b.Platforms = append(b.Platforms, p)
	}
	return b, nil
}

func (x *Index) annotations() (map[string]string, error) {
	if x.index != nil {
		m, err := x.index.IndexManifest()
		if err != nil {
			return nil, err
		}
		return m.Annotations, nil
	}
	m, err := x.image.Manifest()
	if err != nil {
		return nil, err
	}
	return m.Annotations, nil
}

func describePlatform(i platformImage) (BuiltPlatform, error) {
	digest, err := i.image.Digest()
	if err != nil {
		return BuiltPlatform{}, err
	}
	m, err := i.image.Manifest()
	if err != nil {
		return BuiltPlatform{}, err
	}
	p := BuiltPlatform{Platform: i.platform, Digest: artifact.Digest(digest.String())}
	for _, l := range m.Layers {
		p.Size += l.Size
		p.Layers = append(p.Layers, artifact.Digest(l.Digest.String()))
	}
	if !m.Config.MediaType.IsConfig() {
		return p, nil
	}
	config, err := i.image.ConfigFile()
	if err != nil {
		return BuiltPlatform{}, err
	}
	if diffs := len(config.RootFS.DiffIDs); diffs != len(m.Layers) {
		return BuiltPlatform{}, fmt.Errorf("its configuration tells of %d layers, its manifest of %d", diffs, len(m.Layers))
	}
	c := config.Config
	p.Created, p.User, p.Entrypoint, p.Cmd, p.Env, p.Workdir, p.Labels = config.Created.Time, c.User, c.Entrypoint, c.Cmd, c.Env, c.WorkingDir, c.Labels
	return p, nil
}

// ErrNoImage: there is no image under that name.
var ErrNoImage = errors.New("there is no such image")
