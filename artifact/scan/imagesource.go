package scan

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	registry "github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// container is one image for one platform, from wherever it is.
type container struct {
	name     string // registry/repository, or the file it is in
	tag      string
	digest   string // of the manifest; empty in an archive of docker's own form
	platform v1.Platform
	config   *v1.ConfigFile
	layers   []containerLayer
}

// containerLayer is one layer. open gives it as it is stored.
type containerLayer struct {
	digest    string // of what is stored, empty if nobody tells
	diffID    string // of the tar
	mediaType string
	size      int64 // as stored
	open      func() (io.ReadCloser, error)
}

// containers is what a reference leads to: one image, or an index of several.
type containers struct {
	name   string
	index  string // digest of the index; empty for a single image
	images []container
	close  func() error
}

// openImage finds an image: in a folder of OCI's layout, in an archive of either
// form, or at a registry.
func openImage(ctx context.Context, ref string, o Options) (containers, error) {
	info, err := os.Stat(ref)
	switch {
	case err == nil && info.IsDir():
		return fromBlobs(folderBlobs(ref), ref, func() error { return nil })
	case err == nil:
		return fromArchive(ref)
	case !errors.Is(err, fs.ErrNotExist):
		return containers{}, err
	case strings.HasSuffix(ref, ".tar") || filepath.IsAbs(ref) || strings.HasPrefix(ref, "."):
		return containers{}, err // a file was meant
	}
	return fromRegistry(ctx, ref, o)
}

// blobs are the files of an OCI layout or of docker's archive by their names.
type blobs interface {
	open(name string) (io.ReadCloser, int64, error)
}

type folderBlobs string

func (f folderBlobs) open(name string) (io.ReadCloser, int64, error) {
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	file, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// tarBlobs are sections of a tar file, which is read where they lie.
type tarBlobs struct {
	file     *os.File
	sections map[string]section
}

type section struct{ offset, size int64 }

func (t tarBlobs) open(name string) (io.ReadCloser, int64, error) {
	s, ok := t.sections[name]
	if !ok {
		return nil, 0, fmt.Errorf("%s: %w in the archive", name, fs.ErrNotExist)
	}
	return io.NopCloser(io.NewSectionReader(t.file, s.offset, s.size)), s.size, nil
}

// fromArchive opens a tar of an OCI layout or of docker save.
func fromArchive(file string) (containers, error) {
	f, err := os.Open(file)
	if err != nil {
		return containers{}, err
	}
	t, err := indexTar(f)
	if err != nil {
		return containers{}, errors.Join(err, f.Close())
	}
	var c containers
	if _, ok := t.sections["index.json"]; ok {
		c, err = fromBlobs(t, file, f.Close)
	} else if _, ok := t.sections["manifest.json"]; ok {
		c, err = fromDocker(t, file, f.Close)
	} else {
		err = fmt.Errorf("%w: the archive holds neither index.json nor manifest.json: it is no image", ErrBroken)
	}
	if err != nil {
		return containers{}, errors.Join(err, f.Close())
	}
	return c, nil
}

// mostBlobs bounds the entries of an image's archive.
const mostBlobs = 100_000

// indexTar notes where the files of a tar lie. Content is passed over, not read.
func indexTar(f *os.File) (tarBlobs, error) {
	t := tarBlobs{file: f, sections: map[string]section{}}
	head := make([]byte, 512)
	if n, err := f.ReadAt(head, 0); err == nil || errors.Is(err, io.EOF) {
		if kind := packingOf(head[:n]); kind != tarFile && kind != plainBytes {
			return t, fmt.Errorf("%w: the archive is compressed as a whole: unpack it by %s first", ErrBroken, kind)
		}
	}
	links := map[string]string{}
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t, broken(err)
		}
		name, err := entryName(h.Name)
		if err != nil {
			return t, err
		}
		if len(t.sections)+len(links) > mostBlobs {
			return t, fmt.Errorf("%w: the archive holds more than %d entries", ErrLimit, mostBlobs)
		}
		switch h.Typeflag {
		case tar.TypeReg:
			at, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return t, err
			}
			t.sections[name] = section{at, h.Size}
		case tar.TypeSymlink, tar.TypeLink: // docker save links layers that are alike
			target := h.Linkname
			if h.Typeflag == tar.TypeSymlink {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
			}
			links[name] = target
		}
	}
	for name, target := range links {
		if s, ok := t.sections[target]; ok {
			t.sections[name] = s
		}
	}
	return t, nil
}

// largestJSON bounds manifests and configurations.
const largestJSON = 8 << 20

// readJSON reads a small blob, and holds it to its digest if that is known.
func readJSON(b blobs, name, digest string, into any) ([]byte, error) {
	r, size, err := b.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > largestJSON {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are read", ErrLimit, name, size, largestJSON)
	}
	text, err := io.ReadAll(io.LimitReader(r, largestJSON))
	if err != nil {
		return nil, err
	}
	if digest != "" {
		h, _, err := v1.SHA256(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if h.String() != digest {
			return nil, fmt.Errorf("%w: %s has the digest %s", ErrBroken, digest, h)
		}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBroken, name, err)
	}
	return text, nil
}

// blobName is where an OCI layout keeps a blob.
func blobName(h v1.Hash) (string, error) {
	if h.Algorithm != "sha256" || len(h.Hex) != 64 || strings.Trim(h.Hex, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%w: %q is no digest of SHA-256", ErrBroken, h)
	}
	return "blobs/sha256/" + h.Hex, nil
}

// fromBlobs opens an OCI layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
func fromBlobs(b blobs, where string, closer func() error) (containers, error) {
	var top v1.IndexManifest
	if _, err := readJSON(b, "index.json", "", &top); err != nil {
		return containers{}, err
	}
	c := containers{name: where, close: closer}
	if err := c.collect(b, where, top.Manifests, 0); err != nil {
		return containers{}, err
	}
	if len(c.images) == 0 {
		return containers{}, fmt.Errorf("%w: the layout holds no image", ErrBroken)
	}
	if len(top.Manifests) == 1 && top.Manifests[0].MediaType.IsIndex() {
		c.index = top.Manifests[0].Digest.String()
	} else if len(c.images) > 1 {
		c.index = "index.json"
	}
	return c, nil
}

const (
	deepestIndex = 3
	mostImages   = 1000
)

// collect finds the images of a list of manifests, within lists too. Manifests
// that are no images (signatures, attestations) are passed over.
func (c *containers) collect(b blobs, where string, list []v1.Descriptor, depth int) error {
	for _, desc := range list {
		if len(c.images) >= mostImages || depth > deepestIndex {
			return fmt.Errorf("%w: an index of more than %d images or %d levels", ErrLimit, mostImages, deepestIndex)
		}
		blob, err := blobName(desc.Digest)
		if err != nil {
			return err
		}
		if desc.MediaType.IsIndex() {
			var inner v1.IndexManifest
			if _, err := readJSON(b, blob, desc.Digest.String(), &inner); err != nil {
				return err
			}
			if err := c.collect(b, where, inner.Manifests, depth+1); err != nil {
				return err
			}
			continue
		}
		var m v1.Manifest
		if _, err := readJSON(b, blob, desc.Digest.String(), &m); err != nil {
			return err
		}
		if !m.Config.MediaType.IsConfig() || isAttestation(desc) {
			continue
		}
		configName, err := blobName(m.Config.Digest)
		if err != nil {
			return err
		}
		config := &v1.ConfigFile{}
		if _, err := readJSON(b, configName, m.Config.Digest.String(), config); err != nil {
			return err
		}
		one := container{name: where, tag: desc.Annotations["org.opencontainers.image.ref.name"], digest: desc.Digest.String(), config: config}
		for i, l := range m.Layers {
			layerName, err := blobName(l.Digest)
			if err != nil {
				return err
			}
			one.layers = append(one.layers, containerLayer{digest: l.Digest.String(), diffID: diffID(config, i), mediaType: string(l.MediaType), size: l.Size,
				open: func() (io.ReadCloser, error) { r, _, err := b.open(layerName); return r, err }})
		}
		c.images = append(c.images, one.sure())
	}
	return nil
}

// isAttestation recognizes what BuildKit puts into an index beside the images.
func isAttestation(d v1.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] == "attestation-manifest"
}

func diffID(config *v1.ConfigFile, i int) string {
	if i < len(config.RootFS.DiffIDs) {
		return config.RootFS.DiffIDs[i].String()
	}
	return ""
}

// sure takes the platform from the configuration.
func (c container) sure() container {
	c.platform = v1.Platform{OS: c.config.OS, Architecture: c.config.Architecture, Variant: c.config.Variant}
	return c
}

// fromDocker opens an archive of docker save: manifest.json lists images with
// their configurations and layers, which are held to their diff ids.
func fromDocker(b blobs, where string, closer func() error) (containers, error) {
	var list []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if _, err := readJSON(b, "manifest.json", "", &list); err != nil {
		return containers{}, err
	}
	c := containers{name: where, close: closer}
	if len(list) > mostImages {
		return containers{}, fmt.Errorf("%w: an archive of %d images", ErrLimit, len(list))
	}
	for _, m := range list {
		config := &v1.ConfigFile{}
		if _, err := readJSON(b, m.Config, "", config); err != nil {
			return containers{}, err
		}
		if len(config.RootFS.DiffIDs) != len(m.Layers) {
			return containers{}, fmt.Errorf("%w: %d layers and %d of them in the configuration", ErrBroken, len(m.Layers), len(config.RootFS.DiffIDs))
		}
		one := container{name: where, config: config}
		if len(m.RepoTags) > 0 {
			if tag, err := name.NewTag(m.RepoTags[0]); err == nil {
				one.name, one.tag = tag.Repository.Name(), tag.TagStr()
			}
		}
		for i, layer := range m.Layers {
			r, size, err := b.open(layer)
			if err != nil {
				return containers{}, err
			}
			if err := r.Close(); err != nil {
				return containers{}, err
			}
			one.layers = append(one.layers, containerLayer{diffID: diffID(config, i), mediaType: string(types.DockerUncompressedLayer), size: size,
				open: func() (io.ReadCloser, error) { r, _, err := b.open(layer); return r, err }})
		}
		c.images = append(c.images, one.sure())
	}
	if len(c.images) == 0 {
		return containers{}, fmt.Errorf("%w: manifest.json lists no image", ErrBroken)
	}
	if len(c.images) > 1 {
		c.index = "manifest.json"
	}
	return c, nil
}

// fromRegistry opens an image by its reference. Plain HTTP is spoken with
// registries of this machine only; credentials are those that docker and podman
// have stored.
func fromRegistry(ctx context.Context, ref string, o Options) (containers, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return containers{}, fmt.Errorf("it is neither a file nor a reference of an image: %w", err)
	}
	transport, keys := o.Transport, o.Keychain
	if transport == nil {
		transport = remote.DefaultTransport
	}
	if keys == nil {
		keys = authn.DefaultKeychain
	}
	desc, err := remote.Get(parsed, remote.WithContext(ctx), remote.WithTransport(transport), remote.WithAuthFromKeychain(keys))
	var answer *registry.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return containers{}, fmt.Errorf("there is no such image: %w", fs.ErrNotExist)
	} else if err != nil {
		return containers{}, err
	}
	tag := ""
	if t, ok := parsed.(name.Tag); ok {
		tag = t.TagStr()
	}
	if desc.MediaType.IsIndex() {
		index, err := desc.ImageIndex()
		if err != nil {
			return containers{}, err
		}
		return fromIndex(index, parsed.Context().Name(), tag)
	}
	image, err := desc.Image()
	if err != nil {
		return containers{}, err
	}
	one, err := fromImage(image, parsed.Context().Name(), tag)
	return containers{name: parsed.Context().Name(), images: []container{one}, close: func() error { return nil }}, err
}

// fromIndex takes the images of an index that is open already.
func fromIndex(index v1.ImageIndex, where, tag string) (containers, error) {
	digest, err := index.Digest()
	if err != nil {
		return containers{}, err
	}
	c := containers{name: where, index: digest.String(), close: func() error { return nil }}
	m, err := index.IndexManifest()
	if err != nil {
		return containers{}, err
	}
	for _, desc := range m.Manifests {
		if !desc.MediaType.IsImage() || isAttestation(desc) {
			continue
		}
		if len(c.images) >= mostImages {
			return containers{}, fmt.Errorf("%w: an index of more than %d images", ErrLimit, mostImages)
		}
		image, err := index.Image(desc.Digest)
		if err != nil {
			return containers{}, err
		}
		one, err := fromImage(image, where, tag)
		if err != nil {
			return containers{}, err
		}
		c.images = append(c.images, one)
	}
	if len(c.images) == 0 {
		return containers{}, fmt.Errorf("%w: the index holds no image", ErrBroken)
	}
	return c, nil
}

// fromImage takes an image that is open already.
func fromImage(image v1.Image, where, tag string) (container, error) {
	digest, err := image.Digest()
	if err != nil {
		return container{}, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return container{}, err
	}
	layers, err := image.Layers()
	if err != nil {
		return container{}, err
	}
	m, err := image.Manifest()
	if err != nil {
		return container{}, err
	}
	one := container{name: where, tag: tag, digest: digest.String(), config: config}
	for i, l := range layers {
		if i >= len(m.Layers) {
			break
		}
		d := m.Layers[i]
		one.layers = append(one.layers, containerLayer{digest: d.Digest.String(), diffID: diffID(config, i), mediaType: string(d.MediaType), size: d.Size, open: l.Compressed})
	}
	return one.sure(), nil
}

// platformName spells a platform as os/architecture/variant.
func platformName(p v1.Platform) string {
	parts := []string{cmp.Or(p.OS, "unknown"), cmp.Or(p.Architecture, "unknown"), p.Variant}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "/")
}
