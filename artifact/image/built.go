package image

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// builtIndex is an index made of images at hand.
type builtIndex struct {
	raw      []byte
	digest   v1.Hash
	manifest *v1.IndexManifest
	images   map[v1.Hash]v1.Image
}

// The fields of an index are written in the order of the image specification's
// own structs: programs that read an index and write it again, as skopeo does,
// then write the same bytes, and the digest survives.
type (
	indexDocument struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     types.MediaType   `json:"mediaType"`
		Manifests     []indexEntry      `json:"manifests"`
		Annotations   map[string]string `json:"annotations,omitempty"`
	}
	indexEntry struct {
		MediaType types.MediaType `json:"mediaType"`
		Digest    v1.Hash         `json:"digest"`
		Size      int64           `json:"size"`
		Platform  indexPlatform   `json:"platform"`
	}
	indexPlatform struct {
		Architecture string   `json:"architecture"`
		OS           string   `json:"os"`
		OSVersion    string   `json:"os.version,omitempty"`
		OSFeatures   []string `json:"os.features,omitempty"`
		Variant      string   `json:"variant,omitempty"`
	}
)

// newIndex joins the images of several platforms.
func newIndex(images []platformImage, annotations map[string]string) (*builtIndex, error) {
	x := &builtIndex{images: map[v1.Hash]v1.Image{}}
	doc := indexDocument{SchemaVersion: 2, MediaType: types.OCIImageIndex, Annotations: annotations}
	for _, i := range images {
		digest, err := i.image.Digest()
		if err != nil {
			return nil, err
		}
		size, err := i.image.Size()
		if err != nil {
			return nil, err
		}
		x.images[digest] = i.image
		doc.Manifests = append(doc.Manifests, indexEntry{MediaType: types.OCIManifestSchema1, Digest: digest, Size: size, Platform: indexPlatform{
			Architecture: i.described.Architecture, OS: i.described.OS, OSVersion: i.described.OSVersion, OSFeatures: i.described.OSFeatures, Variant: i.described.Variant,
		}})
	}
	var err error
	if x.raw, err = json.Marshal(doc); err != nil {
		return nil, err
	}
	if x.manifest, err = v1.ParseIndexManifest(bytes.NewReader(x.raw)); err != nil {
		return nil, err
	}
	x.digest, _, err = v1.SHA256(bytes.NewReader(x.raw))
	return x, err
}

// MediaType implements v1.ImageIndex.
func (x *builtIndex) MediaType() (types.MediaType, error) { return types.OCIImageIndex, nil }

// Digest implements v1.ImageIndex.
func (x *builtIndex) Digest() (v1.Hash, error) { return x.digest, nil }

// Size implements v1.ImageIndex.
func (x *builtIndex) Size() (int64, error) { return int64(len(x.raw)), nil }

// IndexManifest implements v1.ImageIndex.
func (x *builtIndex) IndexManifest() (*v1.IndexManifest, error) { return x.manifest.DeepCopy(), nil }

// RawManifest implements v1.ImageIndex.
func (x *builtIndex) RawManifest() ([]byte, error) { return x.raw, nil }

// Image implements v1.ImageIndex.
func (x *builtIndex) Image(h v1.Hash) (v1.Image, error) {
	if img, ok := x.images[h]; ok {
		return img, nil
	}
	return nil, fmt.Errorf("the index does not list %s", h)
}

// ImageIndex implements v1.ImageIndex.
func (x *builtIndex) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	return nil, fmt.Errorf("the index lists no index %s", h)
}
