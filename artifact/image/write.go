package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// By these annotations readers of a layout find an image: most by the first,
// containerd and docker by the second, which holds the whole reference.
const (
	annotationRefName   = "org.opencontainers.image.ref.name"
	annotationImageName = "io.containerd.image.name"
)

const layoutFile = `{"imageLayoutVersion":"1.0.0"}`

// blob is one piece of content of an image.
type blob struct {
	digest v1.Hash
	size   int64
	open   func() (io.ReadCloser, error)
	file   string // where it lies on this machine's disk; may be empty
}

// content lists all blobs of an image, each once, what is pointed at before
// what points at it.
func content(top described) ([]blob, error) {
	c := &collector{seen: map[v1.Hash]bool{}}
	if err := c.add(top); err != nil {
		return nil, err
	}
	return c.list, nil
}

type collector struct {
	list []blob
	seen map[v1.Hash]bool
}

func (c *collector) add(d described) error {
	switch d := d.(type) {
	case v1.ImageIndex:
		if err := c.index(d); err != nil {
			return err
		}
	case v1.Image:
		if err := c.image(d); err != nil {
			return err
		}
	}
	raw, err := d.RawManifest()
	if err != nil {
		return err
	}
	digest, err := d.Digest()
	if err != nil {
		return err
	}
	c.bytes(digest, raw)
	return nil
}

func (c *collector) index(index v1.ImageIndex) error {
	m, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, d := range m.Manifests {
		var child described
		switch {
		case d.MediaType.IsIndex():
			child, err = index.ImageIndex(d.Digest)
		case d.MediaType.IsImage():
			child, err = index.Image(d.Digest)
		default:
			err = fmt.Errorf("the index lists %s of type %s, which is neither an image nor an index", d.Digest, d.MediaType)
		}
		if err != nil {
			return err
		}
		if err := c.add(child); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) image(img v1.Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		if err := c.layer(l); err != nil {
			return err
		}
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	digest, err := img.ConfigName()
	if err != nil {
		return err
	}
	c.bytes(digest, raw)
	return nil
}

func (c *collector) layer(l v1.Layer) error {
	kind, err := l.MediaType()
	if err != nil {
		return err
	}
	if !kind.IsDistributable() {
		return nil // clients get it from its address
	}
	b := blob{open: l.Compressed}
	if b.digest, err = l.Digest(); err != nil {
		return err
	}
	if b.size, err = l.Size(); err != nil {
		return err
	}
	if ours, ok := l.(*layer); ok {
		b.file = ours.file
	}
	c.put(b)
	return nil
}

func (c *collector) bytes(digest v1.Hash, raw []byte) {
	c.put(blob{digest: digest, size: int64(len(raw)), open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }})
}

func (c *collector) put(b blob) {
	if !c.seen[b.digest] {
		c.seen[b.digest] = true
		c.list = append(c.list, b)
	}
}

// copyTo writes the blob to w and checks it on the way.
func (b blob) copyTo(w io.Writer) error {
	r, err := b.open()
	if err != nil {
		return fmt.Errorf("reading blob %s: %w", b.digest, err)
	}
	defer r.Close()
	in := &checked{ReadCloser: r, want: b.digest, size: b.size, sum: newCounter()}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, in, make([]byte, 256<<10)); err != nil {
		return fmt.Errorf("copying blob %s: %w", b.digest, err)
	}
	return nil
}

// descriptors is what index.json lists: the image, once for each of its tags.
func descriptors(top described, name string, tags []string) ([]v1.Descriptor, error) {
	digest, err := top.Digest()
	if err != nil {
		return nil, err
	}
	size, err := top.Size()
	if err != nil {
		return nil, err
	}
	kind, err := top.MediaType()
	if err != nil {
		return nil, err
	}
	var list []v1.Descriptor
	for _, tag := range tags {
		if err := artifact.CheckTag(tag); err != nil {
			return nil, err
		}
		notes := map[string]string{annotationRefName: tag}
		if name != "" {
			notes[annotationImageName] = name + ":" + tag
		}
		list = append(list, v1.Descriptor{MediaType: kind, Digest: digest, Size: size, Annotations: notes})
	}
	if len(list) == 0 {
		list = append(list, v1.Descriptor{MediaType: kind, Digest: digest, Size: size})
	}
	return list, nil
}

// WriteLayout puts the image into an OCI layout folder, which is made if it is
// not there. Images that are in it stay, but for the tags given, which move.
// Its index is written last, so the folder is a whole layout at any time.
func (x *Index) WriteLayout(dir string, tags ...string) error {
	if err := x.writeLayout(dir, tags); err != nil {
		return fmt.Errorf("writing the image to %s: %w", dir, err)
	}
	return nil
}

func (x *Index) writeLayout(dir string, tags []string) (err error) {
	list, err := content(x.top())
	if err != nil {
		return err
	}
	add, err := descriptors(x.top(), x.fullName(), tags)
	if err != nil {
		return err
	}
	_, statErr := os.Stat(dir)
	if fresh := errors.Is(statErr, fs.ErrNotExist); fresh {
		defer func() {
			if err != nil {
				err = errors.Join(err, os.RemoveAll(dir))
			}
		}()
	}
	index, err := layoutIndex(dir)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(4)
	for _, b := range list {
		g.Go(func() error { return b.store(folder) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "oci-layout"), func(w io.Writer) error { _, err := io.WriteString(w, layoutFile); return err }); err != nil {
		return err
	}
	index.Manifests = append(slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
		tag, ok := d.Annotations[annotationRefName]
		return ok && slices.Contains(tags, tag) || !ok && d.Digest == add[0].Digest
	}), add...)
	return writeFile(filepath.Join(dir, "index.json"), func(w io.Writer) error { return json.NewEncoder(w).Encode(index) })
}

// layoutIndex reads the index of a folder, if it has one. A folder that holds
// other things is left alone.
func layoutIndex(dir string) (*v1.IndexManifest, error) {
	raw, err := readBounded(os.DirFS(dir), "index.json")
	if errors.Is(err, fs.ErrNotExist) {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if len(files) > 0 {
			return nil, errors.New("the folder holds something that is no OCI layout: name another, or an empty one")
		}
		return &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}, nil
	}
	if err != nil {
		return nil, err
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading index.json: %w", err)
	}
	return index, nil
}

// store puts the blob into a folder, unless it is there.
func (b blob) store(folder string) error {
	file := filepath.Join(folder, b.digest.Hex)
	if info, err := os.Stat(file); err == nil && info.Size() == b.size {
		return nil
	}
	// A layer we wrote is whole and never changes: the folder may share it.
	if b.file != "" && os.Link(b.file, file) == nil {
		return nil
	}
	return writeFile(file, b.copyTo)
}

// writeFile writes a file that appears when it is whole.
func writeFile(file string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".writing-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// Form is the form of an archive.
type Form string

// Forms of archives.
const (
	// OCIArchive is an OCI layout in a tar, with all platforms. podman, skopeo,
	// ctr and docker from version 25 on read it.
	OCIArchive Form = "oci"
	// DockerArchive adds what older programs that load images look for. It
	// holds one platform.
	DockerArchive Form = "docker"
)

// Tarball says how WriteTarball writes.
type Tarball struct {
	Form     Form              // OCIArchive if empty
	Name     string            // repository under which it is loaded; that of the spec if empty
	Tags     []string          // of the image in the archive
	Platform artifact.Platform // the one of a DockerArchive; may be left out if there is only one
}

// WriteTarball writes the image into an archive, with fixed times and order: the
// same image is the same archive. The file appears when it is whole.
func (x *Index) WriteTarball(file string, t Tarball) error {
	if t.Name == "" {
		t.Name = x.fullName()
	}
	if err := x.writeTarball(file, t); err != nil {
		return fmt.Errorf("writing the image to %s: %w", file, err)
	}
	return nil
}

func (x *Index) writeTarball(file string, t Tarball) error {
	top := x.top()
	var docker []byte
	switch t.Form {
	case "", OCIArchive:
	case DockerArchive:
		img, err := x.only(t.Platform)
		if err != nil {
			return err
		}
		top = img
		if docker, err = dockerManifest(img, t); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q is not a form of archives: write oci or docker", t.Form)
	}
	list, err := content(top)
	if err != nil {
		return err
	}
	tagged, err := descriptors(top, t.Name, t.Tags)
	if err != nil {
		return err
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: tagged})
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b blob) int { return strings.Compare(a.digest.Hex, b.digest.Hex) })
	return writeFile(file, func(w io.Writer) error { return writeArchive(w, list, index, docker) })
}

// only returns the image of a platform, or the only one there is.
func (x *Index) only(p artifact.Platform) (v1.Image, error) {
	if !p.IsZero() {
		return x.platform(p)
	}
	images, err := x.images()
	if err != nil {
		return nil, err
	}
	if len(images) != 1 {
		return nil, fmt.Errorf("a docker archive holds one platform, the image has %d: choose one", len(images))
	}
	return images[0].image, nil
}

// dockerManifest is manifest.json, by which docker load finds image and layers.
func dockerManifest(img v1.Image, t Tarball) ([]byte, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	entry := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{Config: "blobs/sha256/" + m.Config.Digest.Hex}
	for _, tag := range t.Tags {
		if t.Name != "" {
			entry.RepoTags = append(entry.RepoTags, t.Name+":"+tag)
		}
	}
	for _, l := range m.Layers {
		entry.Layers = append(entry.Layers, "blobs/sha256/"+l.Digest.Hex)
	}
	return json.Marshal([]any{entry})
}

func writeArchive(w io.Writer, list []blob, index, docker []byte) error {
	tw := tar.NewWriter(w)
	header := func(name string, kind byte, mode, size int64) error {
		return tw.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Mode: mode, Size: size, ModTime: time.Unix(0, 0)})
	}
	file := func(name string, data []byte) error {
		err := header(name, tar.TypeReg, 0o644, int64(len(data)))
		if err == nil {
			_, err = tw.Write(data)
		}
		return err
	}
	err := errors.Join(file("oci-layout", []byte(layoutFile)), header("blobs/", tar.TypeDir, 0o755, 0), header("blobs/sha256/", tar.TypeDir, 0o755, 0))
	for _, b := range list {
		if err == nil {
			err = header("blobs/sha256/"+b.digest.Hex, tar.TypeReg, 0o644, b.size)
		}
		if err == nil {
			err = b.copyTo(tw)
		}
	}
	if err == nil {
		err = file("index.json", index)
	}
	if err == nil && docker != nil {
		err = file("manifest.json", docker)
	}
	if err != nil {
		return err
	}
	return tw.Close()
}
