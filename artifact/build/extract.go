package build

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// ErrUnsafe: an archive holds something that must not be unpacked.
var ErrUnsafe = errors.New("unsafe archive")

// Limits bound what an archive may unpack to.
type Limits struct {
	Bytes int64 // of all files together; 0 means 4 GiB
	Files int   // files, folders and links, those only implied too; 0 means 100,000
	// Ratio is how many times its own size an archive may unpack to, once it
	// has unpacked to 16 MiB; 0 means 200. Programs and text stay below 20.
	Ratio int64
}

const (
	maxBytes = 4 << 30
	maxFiles = 100_000
	maxRatio = 200
	// freeBytes may be unpacked whatever the ratio: they do no harm, and small
	// files full of one letter are common.
	freeBytes = 16 << 20
	maxDepth  = 64        // folders in one another
	maxPath   = 4096      // bytes, as PATH_MAX of Linux
	maxWindow = 128 << 20 // of zstd: what its own program accepts without being told to
)

// Extract unpacks a .tar.gz, .tar.zst, .tar or .zip into dir, which must not
// exist or be empty. What it is it sees from its first bytes. It does not trust
// it: a path that is absolute or climbs out, a link that leads out, a name that
// stands twice, a device, and more than the limits allow are ErrUnsafe. Owners
// and times are not taken over, modes only as far as a file is executable. dir
// appears when all is unpacked, or not at all.
func Extract(archive, dir string, limits Limits) error {
	if limits.Bytes == 0 {
		limits.Bytes = maxBytes
	}
	if limits.Files == 0 {
		limits.Files = maxFiles
	}
	if limits.Ratio == 0 {
		limits.Ratio = maxRatio
	}
	if err := extract(archive, dir, limits); err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(archive), err)
	}
	return nil
}

func extract(archive, dir string, limits Limits) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	// Removes an empty folder and nothing else.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the target must be an empty folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".unpacking-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }() // gone already when all went well
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(work)
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	u := &unpacker{root: root, left: limits, folders: map[string]bool{".": true}}
	if err = u.any(f); err == nil {
		err = u.checkLinks()
	}
	if err != nil {
		return err
	}
	return os.Rename(work, dir)
}

// unpacker writes entries below root. os.Root keeps every operation inside even
// where a link was unpacked before; the checks here say so in words.
type unpacker struct {
	root    *os.Root
	left    Limits
	links   []string
	folders map[string]bool // those that are there
}

// any unpacks a file of a kind its first bytes tell.
func (u *unpacker) any(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() <= u.left.Bytes/u.left.Ratio { // else the ratio allows more than Bytes does
		u.left.Bytes = min(u.left.Bytes, max(freeBytes, info.Size()*u.left.Ratio))
	}
	magic := make([]byte, 4)
	n, err := f.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var r io.Reader = f
	switch magic = magic[:n]; {
	case bytes.HasPrefix(magic, []byte("PK")):
		return u.zip(f, info.Size())
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		zr, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("not a gzip file: %w", err)
		}
		defer zr.Close()
		r = zr
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		zr, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return fmt.Errorf("not a zstd file: %w", err)
		}
		defer zr.Close()
		r = zr
	}
	return u.tar(r)
}

func (u *unpacker) tar(r io.Reader) error {
	tr := tar.NewReader(r)
	for first := true; ; first = false {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			if first {
				return errors.New("it is empty, or no archive at all")
			}
			// The checksum stands at the end of the stream.
			return u.drain(r)
		}
		if err != nil && first {
			return fmt.Errorf("neither a tar, compressed by gzip or zstd or not at all, nor a zip: %w", err)
		}
		if err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeReg:
			err = u.file(h.Name, h.FileInfo().Mode(), h.Size, tr)
		case tar.TypeDir:
			err = u.folder(h.Name)
		case tar.TypeSymlink:
			err = u.link(h.Name, h.Linkname)
		case tar.TypeXGlobalHeader: // git archive notes the commit in one
		default:
			err = fmt.Errorf("%w: %s is of type %q", ErrUnsafe, h.Name, h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

// drain reads what stands after the last entry, padding mostly.
func (u *unpacker) drain(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, freeBytes+1))
	if err == nil && n > freeBytes {
		err = fmt.Errorf("%w: much stands after its end", ErrUnsafe)
	}
	return err
}

func (u *unpacker) zip(f *os.File, size int64) error {
	zr, err := zip.NewReader(f, size)
	if err != nil {
		return err
	}
	if len(zr.File) > u.left.Files {
		return fmt.Errorf("%w: it holds too many files", ErrUnsafe)
	}
	for _, f := range zr.File {
		if err := u.zipped(f); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) zipped(f *zip.File) error {
	mode := f.Mode()
	if mode.IsDir() {
		return u.folder(f.Name)
	}
	if !mode.IsRegular() && mode.Type() != fs.ModeSymlink {
		return fmt.Errorf("%w: %s is a %s", ErrUnsafe, f.Name, mode.Type())
	}
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	defer r.Close()
	if mode.IsRegular() {
		return u.file(f.Name, mode, int64(min(f.UncompressedSize64, 1<<62)), r)
	}
	target, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return u.link(f.Name, string(target))
}

// name checks an entry's name and returns it in the system's form.
func (u *unpacker) name(name string) (string, error) {
	if err := u.count(); err != nil {
		return "", err
	}
	clean := path.Clean(name)
	if name == "" || strings.Contains(name, `\`) || strings.ContainsRune(name, 0) || !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", fmt.Errorf("%w: the path %q leaves the folder", ErrUnsafe, name)
	}
	if len(clean) > maxPath || strings.Count(clean, "/") >= maxDepth {
		return "", fmt.Errorf("%w: the path %.64q… is too long", ErrUnsafe, name)
	}
	return filepath.FromSlash(clean), nil
}

func (u *unpacker) count() error {
	if u.left.Files--; u.left.Files < 0 {
		return fmt.Errorf("%w: it holds too many files", ErrUnsafe)
	}
	return nil
}

func (u *unpacker) folder(name string) error {
	p, err := u.name(name)
	if err != nil {
		return err
	}
	if !u.folders[p] {
		u.left.Files++ // counted already, as an entry
	}
	return u.makeFolder(p)
}

// makeFolder makes a folder and those it is in. They count as files do, because
// a path can imply many.
func (u *unpacker) makeFolder(p string) error {
	if u.folders[p] {
		return nil
	}
	for up := p; !u.folders[up]; up = filepath.Dir(up) {
		if err := u.count(); err != nil {
			return err
		}
		u.folders[up] = true
	}
	return u.root.MkdirAll(p, 0o755)
}

func (u *unpacker) file(name string, mode fs.FileMode, size int64, r io.Reader) error {
	p, err := u.name(name)
	if err != nil {
		return err
	}
	if size < 0 || size > u.left.Bytes {
		return fmt.Errorf("%w: it unpacks to more than is allowed", ErrUnsafe)
	}
	if err := u.makeFolder(filepath.Dir(p)); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if mode&0o111 != 0 {
		perm = 0o755
	}
	f, err := u.root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s stands in it twice", ErrUnsafe, name)
	}
	if err != nil {
		return err
	}
	// A header may lie about the size; what is written counts.
	n, err := io.Copy(f, io.LimitReader(r, u.left.Bytes+1))
	u.left.Bytes -= n
	if err == nil && u.left.Bytes < 0 {
		err = fmt.Errorf("%w: it unpacks to more than is allowed", ErrUnsafe)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (u *unpacker) link(name, target string) error {
	p, err := u.name(name)
	if err != nil {
		return err
	}
	to := path.Join(path.Dir(filepath.ToSlash(p)), target)
	if target == "" || path.IsAbs(target) || strings.Contains(target, `\`) || !filepath.IsLocal(filepath.FromSlash(to)) {
		return fmt.Errorf("%w: the link %s leads out to %q", ErrUnsafe, name, target)
	}
	if err := u.makeFolder(filepath.Dir(p)); err != nil {
		return err
	}
	err = u.root.Symlink(target, p)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s stands in it twice", ErrUnsafe, name)
	}
	u.links = append(u.links, p)
	return err
}

// checkLinks follows every link once all is unpacked: two that are harmless by
// their texts may lead out together. A link to nothing is no harm.
func (u *unpacker) checkLinks() error {
	for _, p := range u.links {
		if _, err := u.root.Stat(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: the link %s: %w", ErrUnsafe, p, err)
		}
	}
	return nil
}
