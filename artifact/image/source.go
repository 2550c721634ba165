package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// source is where an image is.
type source struct {
	kind string // folder, archive, registry
	at   string // path or reference
	tag  string // in a folder or archive; empty means the only one
}

// Sources an image is opened from begin with one of these words, as skopeo's do;
// a reference in a registry may stand without.
const (
	fromFolder   = "oci:"
	fromArchive  = "oci-archive:"
	fromDocker   = "docker-archive:"
	fromRegistry = "docker://"
)

// parseSource reads a source. With files, a path of what is there may stand
// without a word before it.
func parseSource(s string, files bool) (source, error) {
	for prefix, kind := range map[string]string{fromFolder: "folder", fromArchive: "archive", fromDocker: "archive"} {
		rest, ok := strings.CutPrefix(s, prefix)
		if !ok {
			continue
		}
		at, tag, _ := strings.Cut(rest, ":")
		if at == "" {
			return source{}, fmt.Errorf("%q names no path: write %sPATH or %sPATH:TAG", s, prefix, prefix)
		}
		return source{kind: kind, at: at, tag: tag}, nil
	}
	if files {
		if info, err := os.Stat(s); err == nil && info.IsDir() {
			return source{kind: "folder", at: s}, nil
		} else if err == nil {
			return source{kind: "archive", at: s}, nil
		}
		if strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") {
			return source{}, fmt.Errorf("%w as %s: %w", ErrNoImage, s, fs.ErrNotExist)
		}
	}
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") {
		return source{}, fmt.Errorf("%q %w: a folder is written oci:FOLDER", s, ErrReference)
	}
	ref := strings.TrimPrefix(s, fromRegistry)
	if _, err := parseReference(ref, Remote{}); err != nil {
		return source{}, err
	}
	return source{kind: "registry", at: ref}, nil
}

// Open finds an image: a folder or an archive, as a path or as
// oci:FOLDER[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:TAG], or a
// reference in a registry. Nothing is unpacked; what is read is checked against
// its digest. The caller closes it. ErrNoImage says that nothing is there.
func Open(ctx context.Context, from string, remote Remote) (*Index, error) {
	s, err := parseSource(from, true)
	if err != nil {
		return nil, err
	}
	x, err := s.open(ctx, remote)
	if err != nil {
		return nil, fmt.Errorf("opening the image %s: %w", from, err)
	}
	return x, nil
}

func (s source) open(ctx context.Context, remote Remote) (x *Index, err error) {
	x = &Index{}
	switch s.kind {
	case "registry":
		err = x.pull(ctx, s.at, remote)
	case "folder":
		err = x.read(os.DirFS(s.at), s.tag)
	case "archive":
		err = x.readArchive(s)
	}
	if err == nil {
		x.built, err = x.describe()
		x.built.Name = s.at
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// readArchive opens an uncompressed tar that holds an OCI layout, or what
// docker save wrote before it did too.
func (x *Index) readArchive(s source) error {
	archive, err := openArchive(s.at)
	if err != nil {
		return err
	}
	x.close = archive.file.Close
	if _, err := archive.Open("index.json"); err == nil {
		return x.read(archive, s.tag)
	}
	if _, err := archive.Open("manifest.json"); err != nil {
		return fmt.Errorf("%w: the archive holds neither index.json nor manifest.json", ErrNoImage)
	}
	// Layers are compressed anew, so the digest is one this archive alone has.
	x.image, err = tarball.Image(func() (io.ReadCloser, error) { return os.Open(s.at) }, nil)
	return err
}

// archive is a tar as a file system: each file is read where it lies.
type archive struct {
	file  *os.File
	files map[string]*io.SectionReader
}

// maxArchive bounds the entries of an archive. An image has 127 layers at most.
const maxArchive = 100_000

func openArchive(file string) (a *archive, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	a = &archive{file: f, files: map[string]*io.SectionReader{}}
	tr := tar.NewReader(f)
	for range maxArchive {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, fmt.Errorf("not an uncompressed tar: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		offset, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		a.files[path.Clean(h.Name)] = io.NewSectionReader(f, offset, h.Size)
	}
	return nil, errors.New("the archive holds too many files")
}

// Open implements fs.FS.
func (a *archive) Open(name string) (fs.File, error) {
	section, ok := a.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &archived{SectionReader: io.NewSectionReader(section, 0, section.Size()), name: path.Base(name)}, nil
}

// archived is an open file of an archive.
type archived struct {
	*io.SectionReader
	name string
}

// Stat implements fs.File.
func (f *archived) Stat() (fs.FileInfo, error) { return archivedInfo{f}, nil }

// Close implements fs.File.
func (f *archived) Close() error { return nil }

type archivedInfo struct{ f *archived }

func (i archivedInfo) Name() string       { return i.f.name }
func (i archivedInfo) Size() int64        { return i.f.SectionReader.Size() }
func (i archivedInfo) Mode() fs.FileMode  { return 0o444 }
func (i archivedInfo) ModTime() time.Time { return time.Time{} }
func (i archivedInfo) IsDir() bool        { return false }
func (i archivedInfo) Sys() any           { return nil }

// read opens the image of a layout.
func (x *Index) read(layout fs.FS, tag string) error {
	raw, err := readBounded(layout, "index.json")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it is no OCI layout, index.json is not there", ErrNoImage)
	}
	if err != nil {
		return err
	}
	m, err := v1.ParseIndexManifest(strings.NewReader(string(raw)))
	if err != nil {
		return fmt.Errorf("reading index.json: %w", err)
	}
	d, err := choose(m.Manifests, tag)
	if err != nil {
		return err
	}
	b := blobs{layout}
	if d.MediaType.IsIndex() {
		x.index, err = b.index(d)
	} else {
		x.image, err = b.image(d)
	}
	return err
}

// choose finds the image of a layout that is called by a tag, or the only one.
func choose(list []v1.Descriptor, tag string) (v1.Descriptor, error) {
	var found []v1.Descriptor
	var names []string
	for _, d := range list {
		short, full := d.Annotations[annotationRefName], d.Annotations[annotationImageName]
		if !slices.Contains(names, short) {
			names = append(names, short)
		}
		if tag == "" || tag == short || tag == full || strings.HasSuffix(full, ":"+tag) {
			found = append(found, d)
		}
	}
	slices.Sort(names)
	if len(list) == 0 {
		return v1.Descriptor{}, fmt.Errorf("%w: the layout is empty", ErrNoImage)
	}
	if len(found) == 0 {
		return v1.Descriptor{}, fmt.Errorf("%w as %q in it, only %s", ErrNoImage, tag, strings.Join(names, ", "))
	}
	for _, d := range found {
		if d.Digest != found[0].Digest {
			return v1.Descriptor{}, fmt.Errorf("it holds several images: name one of %s after a colon", strings.Join(names, ", "))
		}
	}
	return found[0], nil
}

// maxDocument bounds manifests and configurations; registries take 4 MiB.
const maxDocument = 16 << 20

func readBounded(layout fs.FS, name string) ([]byte, error) {
	f, err := layout.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(name), err)
	}
	if len(data) > maxDocument {
		return nil, fmt.Errorf("%s is larger than %d MiB", filepath.Base(name), maxDocument>>20)
	}
	return data, nil
}
