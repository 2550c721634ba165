package build

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// ErrUnsafe: an archive holds something that must not be unpacked.
var ErrUnsafe = errors.New("unsafe archive")

// Limits bound what an archive may unpack to.
type Limits struct {
	Bytes int64 // of all files together; 0 means 4 GiB
	Files int   // files, folders and links; 0 means 100,000
}

const (
	maxBytes = 4 << 30
	maxFiles = 100_000
)

// Extract unpacks a .tar.gz, .tgz or .zip into dir, which must not exist or be
// empty, and does not trust it: a path that is absolute or climbs out, a link
// that leads out, a name that stands twice, a device, and more than the limits
// allow are ErrUnsafe. Owners and times are not taken over, modes only as far as a
// file is executable. dir appears when all is unpacked, or not at all.
func Extract(archive, dir string, limits Limits) error {
	if limits.Bytes == 0 {
		limits.Bytes = maxBytes
	}
	if limits.Files == 0 {
		limits.Files = maxFiles
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
	u := &unpacker{root: root, left: limits}
	if strings.HasSuffix(archive, ".zip") {
		err = u.zip(archive)
	} else {
		err = u.tarGz(archive)
	}
	if err == nil {
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
	root  *os.Root
	left  Limits
	links []string
}

func (u *unpacker) tarGz(archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("not a gzip file: %w", err)
	}
	defer zr.Close()
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			// The checksum stands at the end of the stream.
			if _, err := io.Copy(io.Discard, io.LimitReader(zr, u.left.Bytes+1)); err != nil {
				return err
			}
			return nil
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

func (u *unpacker) zip(archive string) error {
	zr, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer zr.Close()
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
	if u.left.Files--; u.left.Files < 0 {
		return "", fmt.Errorf("%w: it holds too many files", ErrUnsafe)
	}
	clean := path.Clean(name)
	if name == "" || strings.Contains(name, `\`) || strings.ContainsRune(name, 0) || !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", fmt.Errorf("%w: the path %q leaves the folder", ErrUnsafe, name)
	}
	return filepath.FromSlash(clean), nil
}

func (u *unpacker) folder(name string) error {
	p, err := u.name(name)
	if err != nil {
		return err
	}
	return u.root.MkdirAll(p, 0o755)
}

func (u *unpacker) file(name string, mode fs.FileMode, size int64, r io.Reader) error {
	p, err := u.name(name)
	if err != nil {
		return err
	}
	if size > u.left.Bytes {
		return fmt.Errorf("%w: it unpacks to more than is allowed", ErrUnsafe)
	}
	if err := u.root.MkdirAll(filepath.Dir(p), 0o755); err != nil {
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
	if err := u.root.MkdirAll(filepath.Dir(p), 0o755); err != nil {
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
