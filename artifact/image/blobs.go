package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ErrDigest: bytes are not those their digest names.
var ErrDigest = errors.New("does not match its digest")

// blobs reads the content of an OCI layout and checks it against its digests.
type blobs struct{ fs.FS }

// open returns a blob as a stream that fails at its end if it was not the one
// the digest names.
func (b blobs) open(h v1.Hash, size int64) (io.ReadCloser, error) {
	if h.Algorithm != "sha256" {
		return nil, fmt.Errorf("blob %s: only sha256 is read", h)
	}
	f, err := b.Open("blobs/sha256/" + h.Hex)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s is missing: %w", h, err)
	}
	if err != nil {
		return nil, err
	}
	return &checked{ReadCloser: f, want: h, size: size, sum: newCounter()}, nil
}

// document reads a manifest or a configuration.
func (b blobs) document(d v1.Descriptor) ([]byte, error) {
	if d.Size > maxDocument || d.Size < 0 {
		return nil, fmt.Errorf("document %s has %d bytes", d.Digest, d.Size)
	}
	r, err := b.open(d.Digest, d.Size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (b blobs) index(d v1.Descriptor) (v1.ImageIndex, error) {
	raw, err := b.document(d)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading the index %s: %w", d.Digest, err)
	}
	return &storedIndex{blobs: b, raw: raw, manifest: m, descriptor: d}, nil
}

func (b blobs) image(d v1.Descriptor) (v1.Image, error) {
	if !d.MediaType.IsImage() {
		return nil, fmt.Errorf("%s is of type %s, not an image", d.Digest, d.MediaType)
	}
	raw, err := b.document(d)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading the manifest %s: %w", d.Digest, err)
	}
	return partial.CompressedToImage(&storedImage{blobs: b, raw: raw, manifest: m, mediaType: d.MediaType})
}

// checked compares a blob with its digest while it is read.
type checked struct {
	io.ReadCloser
	want v1.Hash
	size int64
	sum  *counter
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.sum.Write(p[:n]) // never fails
	switch {
	case c.sum.size > c.size:
		return 0, fmt.Errorf("blob %s %w: it is longer than %d bytes", c.want, ErrDigest, c.size)
	case errors.Is(err, io.EOF) && c.sum.size < c.size:
		return n, fmt.Errorf("blob %s %w: it has %d bytes, %d are expected", c.want, ErrDigest, c.sum.size, c.size)
	case errors.Is(err, io.EOF) && c.sum.sum() != c.want:
		return n, fmt.Errorf("blob %s %w: it is %s", c.want, ErrDigest, c.sum.sum())
	}
	return n, err
}

// storedIndex is an index of a layout.
type storedIndex struct {
	blobs
	raw        []byte
	manifest   *v1.IndexManifest
	descriptor v1.Descriptor
}

// MediaType implements v1.ImageIndex.
func (i *storedIndex) MediaType() (types.MediaType, error) { return i.descriptor.MediaType, nil }

// Digest implements v1.ImageIndex.
func (i *storedIndex) Digest() (v1.Hash, error) { return i.descriptor.Digest, nil }

// Size implements v1.ImageIndex.
func (i *storedIndex) Size() (int64, error) { return int64(len(i.raw)), nil }

// IndexManifest implements v1.ImageIndex.
func (i *storedIndex) IndexManifest() (*v1.IndexManifest, error) { return i.manifest.DeepCopy(), nil }

// RawManifest implements v1.ImageIndex.
func (i *storedIndex) RawManifest() ([]byte, error) { return i.raw, nil }

func (i *storedIndex) child(h v1.Hash) (v1.Descriptor, error) {
	for _, d := range i.manifest.Manifests {
		if d.Digest == h {
			return d, nil
		}
	}
	return v1.Descriptor{}, fmt.Errorf("the index does not list %s", h)
}

// Image implements v1.ImageIndex.
func (i *storedIndex) Image(h v1.Hash) (v1.Image, error) {
	d, err := i.child(h)
	if err != nil {
		return nil, err
	}
	return i.image(d)
}

// ImageIndex implements v1.ImageIndex.
func (i *storedIndex) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	d, err := i.child(h)
	if err != nil {
		return nil, err
	}
	return i.index(d)
}

// storedImage is what a layout has of an image; the library makes the rest.
type storedImage struct {
	blobs
	raw       []byte
	manifest  *v1.Manifest
	mediaType types.MediaType
}

// MediaType implements partial.CompressedImageCore.
func (i *storedImage) MediaType() (types.MediaType, error) { return i.mediaType, nil }

// RawManifest implements partial.CompressedImageCore.
func (i *storedImage) RawManifest() ([]byte, error) { return i.raw, nil }

// RawConfigFile implements partial.CompressedImageCore.
func (i *storedImage) RawConfigFile() ([]byte, error) { return i.document(i.manifest.Config) }

// LayerByDigest implements partial.CompressedImageCore.
func (i *storedImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if i.manifest.Config.Digest == h {
		return partial.CompressedLayer(&storedLayer{i.blobs, i.manifest.Config}), nil
	}
	for _, d := range i.manifest.Layers {
		if d.Digest == h {
			return &storedLayer{i.blobs, d}, nil
		}
	}
	return nil, fmt.Errorf("the manifest does not list %s", h)
}

// storedLayer is a layer of a layout.
type storedLayer struct {
	blobs
	descriptor v1.Descriptor
}

// Digest implements partial.CompressedLayer.
func (l *storedLayer) Digest() (v1.Hash, error) { return l.descriptor.Digest, nil }

// Size implements partial.CompressedLayer.
func (l *storedLayer) Size() (int64, error) { return l.descriptor.Size, nil }

// MediaType implements partial.CompressedLayer.
func (l *storedLayer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }

// Compressed implements partial.CompressedLayer.
func (l *storedLayer) Compressed() (io.ReadCloser, error) {
	return l.open(l.descriptor.Digest, l.descriptor.Size)
}
