package scan

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"path"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// kept is one path of an image that says something about what the image
// consists of.
type kept struct {
	content   []byte // of a database of packages, or of os-release
	copyright *copyrightFile
	link      string // a symbolic link leads there
	file      *found // a program, or any file where all are listed
}

// layerView is what one layer does to the files below it.
type layerView struct {
	kept    map[string]kept
	all     map[uint64]bool // hashes of every path, of folders with a slash at the end
	removed []string        // paths that the layer takes away from those below
	opaque  []string        // folders of which it hides all that is below
}

// scanLayers reads the layers of an image, several at a time and each in one
// pass, and returns what is seen when they lie upon one another.
func scanLayers(ctx context.Context, layers []containerLayer, o Options) (map[string]kept, error) {
	views := make([]*layerView, len(layers))
	seed := maphash.MakeSeed()
	shared := &budget{limits: o.Limits}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers())
	for i, l := range layers {
		g.Go(func() (err error) {
			if views[i], err = scanLayer(ctx, l, shared, seed, o); err != nil {
				return fmt.Errorf("layer %d of %d: %w", i+1, len(layers), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	sum := map[string]kept{}
	for _, v := range views {
		v.over(sum, seed)
	}
	return sum, nil
}

// over lays a layer upon those below.
func (v *layerView) over(sum map[string]kept, seed maphash.Seed) {
	for name := range sum {
		if v.hides(name, seed) {
			delete(sum, name)
		}
	}
	for name, k := range v.kept {
		sum[name] = k
	}
}

// hides reports whether a path of a lower layer is gone: written anew, whited out,
// below a folder that is opaque, or below what is no folder any more.
func (v *layerView) hides(name string, seed maphash.Seed) bool {
	if v.all[maphash.String(seed, name+"/")] {
		return true
	}
	for p := name; p != "."; p = path.Dir(p) {
		if v.all[maphash.String(seed, p)] {
			return true
		}
	}
	for _, r := range v.removed {
		if name == r || strings.HasPrefix(name, r+"/") {
			return true
		}
	}
	for _, dir := range v.opaque {
		if dir == "." || strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}

// Whiteouts (https://github.com/opencontainers/image-spec/blob/main/layer.md).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// scanLayer reads one layer and holds it to its digests.
func scanLayer(ctx context.Context, l containerLayer, b *budget, seed maphash.Seed, o Options) (*layerView, error) {
	stored, err := l.open()
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	storedSum, tarSum := sha256.New(), sha256.New()
	var in io.Reader = stored
	if l.digest != "" {
		in = io.TeeReader(stored, storedSum)
	}
	r, kind, err := unpacked(in, b)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out io.Reader = r
	twice := l.diffID != "" && (l.digest != l.diffID || kind != tarFile)
	if twice {
		out = io.TeeReader(r, tarSum)
	}
	s := newLayerScan(seed, o)
	stream := readAhead(out)
	err = errors.Join(walkTar(ctx, stream, b, s.entry), s.finish(), stream.Close())
	if err != nil {
		return nil, err
	}
	if err := drain(in); err != nil {
		return nil, err
	}
	if have := "sha256:" + hex.EncodeToString(storedSum.Sum(nil)); l.digest != "" && have != l.digest {
		return nil, fmt.Errorf("%w: its digest is %s, not %s", ErrBroken, have, l.digest)
	}
	if have := "sha256:" + hex.EncodeToString(tarSum.Sum(nil)); twice && have != l.diffID {
		return nil, fmt.Errorf("%w: its diff id is %s, not %s", ErrBroken, have, l.diffID)
	}
	return s.view, nil
}

// layerScan looks at the entries of one layer.
type layerScan struct {
	options  Options
	view     *layerView
	seed     maphash.Seed
	measurer *measurer
	head     []byte
	names    map[string]string // hard links and what they are other names of

	texts *errgroup.Group // reads copyright files beside the stream
	mutex sync.Mutex
	read  map[string]copyrightFile
}

func newLayerScan(seed maphash.Seed, o Options) *layerScan {
	s := &layerScan{options: o, seed: seed, view: &layerView{kept: map[string]kept{}, all: map[uint64]bool{}},
		measurer: newMeasurer(nil), head: make([]byte, headOfProgram), names: map[string]string{}, texts: &errgroup.Group{}, read: map[string]copyrightFile{}}
	s.texts.SetLimit(workers())
	s.measurer.sha512 = nil // it is the slowest by far, and programs are big
	if o.ImageFiles {
		s.measurer = newMeasurer(o.Licenses)
	}
	return s
}

// finish waits for the copyright files that are still being read, and gives files
// with several names all of them.
func (s *layerScan) finish() error {
	err := s.texts.Wait()
	for name, c := range s.read {
		if k, ok := s.view.kept[name]; ok {
			k.copyright = &c
			s.view.kept[name] = k
		}
	}
	for name, target := range s.names {
		if k, ok := s.view.kept[target]; ok {
			if k.file != nil {
				same := *k.file
				same.path = name
				k.file = &same
			}
			s.view.kept[name] = k
		}
	}
	return err
}

// entry looks at one entry of the layer's tar.
func (s *layerScan) entry(h *tar.Header, name string, r io.Reader) error {
	dir, base := path.Dir(name), path.Base(name)
	switch {
	case base == opaque:
		s.view.opaque = append(s.view.opaque, dir)
		return nil
	case strings.HasPrefix(base, whiteout):
		s.view.removed = append(s.view.removed, path.Join(dir, strings.TrimPrefix(base, whiteout)))
		return nil
	case h.Typeflag == tar.TypeDir:
		s.view.all[maphash.String(s.seed, name+"/")] = true
		return nil
	}
	s.view.all[maphash.String(s.seed, name)] = true
	delete(s.view.kept, name) // of two entries of one name the last counts
	delete(s.names, name)
	switch h.Typeflag {
	case tar.TypeSymlink:
		if strings.HasPrefix(name, docFolder) {
			s.view.kept[name] = kept{link: h.Linkname}
		}
	case tar.TypeLink:
		if target, err := entryName(h.Linkname); err == nil && target != name {
			s.names[name] = target
		}
	case tar.TypeReg:
		return s.regular(h, name, r)
	}
	return nil
}

// docFolder is where Debian keeps the copyright files of packages.
const docFolder = "usr/share/doc/"

const (
	// headOfProgram is where a Go program shows what it is, in bytes.
	headOfProgram = 64 << 10
	// leastProgram is the size below which no file is a Go program.
	leastProgram = 128 << 10
	// largestDatabase bounds what is kept of a database of packages.
	largestDatabase = 512 << 20
)

func (s *layerScan) regular(h *tar.Header, name string, r io.Reader) error {
	var k kept
	database := isDatabase(name)
	copyright := strings.HasPrefix(name, docFolder) && path.Base(name) == "copyright" && s.options.Licenses != nil
	if database || copyright {
		text, err := readEntry(name, h.Size, r)
		if err != nil {
			return err
		}
		if database {
			k.content = text
		} else {
			s.copyright(name, text)
		}
		r = bytes.NewReader(text)
	}
	if s.options.ImageFiles {
		f, err := s.measurer.measure(name, r)
		if err != nil {
			return err
		}
		k.file = &f
	} else if h.Size >= leastProgram && !database {
		f, err := s.program(name, r)
		if err != nil {
			return err
		}
		k.file = f
	}
	if copyright || database || k.file != nil {
		s.view.kept[name] = k
	}
	return nil
}

// readEntry reads an entry that is kept as a whole.
func readEntry(name string, size int64, r io.Reader) ([]byte, error) {
	if size > largestDatabase {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are read", ErrLimit, name, size, int64(largestDatabase))
	}
	var b bytes.Buffer
	b.Grow(int(min(size, 1<<20)) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(r, largestDatabase))
	return b.Bytes(), err
}

// copyright has a copyright file read while the stream goes on.
func (s *layerScan) copyright(name string, text []byte) {
	s.texts.Go(func() error {
		c, err := s.options.Licenses.readCopyright(text)
		if err != nil {
			return err
		}
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.read[name] = c
		return nil
	})
}

// program measures a file if it is a program that Go built; nil if not. Only what
// looks like one in its beginning is read with care: the others are the bulk of
// an image.
func (s *layerScan) program(name string, r io.Reader) (*found, error) {
	n, err := io.ReadFull(r, s.head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head := s.head[:n]
	if !mayBeProgram(head) || !bytes.Contains(head, []byte("Go\x00\x00")) && !bytes.Contains(head, []byte("Go build ID:")) {
		return nil, nil
	}
	f, err := s.measurer.measure(name, io.MultiReader(bytes.NewReader(head), r))
	if err != nil || f.program == nil {
		return nil, err
	}
	return &f, nil
}

// isDatabase reports whether a path of an image tells what is installed.
func isDatabase(name string) bool {
	switch name {
	case "etc/os-release", "usr/lib/os-release", "var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/apk/db/installed":
		return true
	}
	dir, base := path.Split(name)
	switch dir {
	case "var/lib/dpkg/status.d/":
		return !strings.HasSuffix(base, ".md5sums")
	case "var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/":
		return base == "Packages" || base == "Packages.db" || base == "rpmdb.sqlite"
	}
	return false
}
