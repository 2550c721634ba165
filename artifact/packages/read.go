package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"seaworthy/artifact"
)

// Limits on what is read from packages nobody vouches for.
const (
	maxControl  = 8 << 20  // compressed metadata of a deb or apk
	maxUnpacked = 32 << 20 // the same, unpacked
	maxEntries  = 10_000   // in a control archive
	maxText     = 1 << 20  // a control file, a .PKGINFO
	maxHeader   = 64 << 20 // an rpm's header
	maxWindow   = 64 << 20 // a decompressor's memory
)

// File is what a package file says of itself. Digest and size are measured;
// all else is the package's claim.
type File struct {
	artifact.Artifact
	Format          artifact.PackageFormat `json:"format"`
	Package         string                 `json:"package"`
	Version         string                 `json:"version"` // whole, as the package manager spells it
	Arch            string                 `json:"arch"`    // the package manager's word
	Summary         string                 `json:"summary,omitempty"`
	Description     string                 `json:"description,omitempty"`
	Maintainer      string                 `json:"maintainer,omitempty"`
	Vendor          string                 `json:"vendor,omitempty"`
	Homepage        string                 `json:"homepage,omitempty"`
	License         string                 `json:"license,omitempty"`
	Installed       int64                  `json:"installed"` // bytes, as the package reckons them
	Depends         []string               `json:"depends,omitempty"`
	Provides        []string               `json:"provides,omitempty"`
	Conflicts       []string               `json:"conflicts,omitempty"`
	Replaces        []string               `json:"replaces,omitempty"`
	ConfigFiles     []string               `json:"config_files,omitempty"` // deb and rpm
	Scripts         []string               `json:"scripts,omitempty"`
	Files           []string               `json:"files,omitempty"` // rpm alone lists them outside of the payload
	Signed          bool                   `json:"signed"`          // bears a signature; says not whose, nor whether it is good
	path            string
	control         []field    // deb
	header          *rpmHeader // rpm
	headerSignature []byte
	headerStart     int64
	headerEnd       int64
	controlSHA1     []byte // apk: what its index names a package by
	packageInfo     []field
	payloadBytes    int64
}

// Inspect reads a package's metadata. What the package says of its own digests
// is checked. The format is told from the content, not from the name.
func Inspect(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := inspect(f, filepath.Base(path))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("reading the package %s: %w", path, err)
	}
	p.path = path
	return p, nil
}

func inspect(f io.ReadSeeker, name string) (*File, error) {
	magic := make([]byte, 8)
	if _, err := io.ReadFull(f, magic); err != nil {
		return nil, fmt.Errorf("it is too short to be a package: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	p := &File{}
	var err error
	switch {
	case string(magic) == arMagic:
		p.Format, err = artifact.Deb, p.readDeb(f)
	case bytes.HasPrefix(magic, rpmMagic):
		p.Format, err = artifact.RPM, p.readRPM(f)
	case magic[0] == 0x1f && magic[1] == 0x8b:
		p.Format, err = artifact.APK, p.readAPK(f)
	default:
		return nil, errors.New("it is neither a deb nor an rpm nor an apk")
	}
	if err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	p.Artifact, err = artifact.Measure(name, artifact.Package, f)
	return p, err
}

// These become paths in a repository and lines of its indexes.
var (
	claimedName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]{0,199}$`)
	claimedVersion = regexp.MustCompile(`^(?:\d{1,10}:)?[A-Za-z0-9][A-Za-z0-9+._~^-]{0,199}$`)
	claimedArch    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
)

func (p *File) check() error {
	switch {
	case !claimedName.MatchString(p.Package):
		return fmt.Errorf("it calls itself %q, which is no package's name", p.Package)
	case !claimedVersion.MatchString(p.Version) || p.Format == artifact.APK && strings.Contains(p.Version, ":"): // apk has no epochs
		return fmt.Errorf("%s says that its version is %q, which is none", p.Package, p.Version)
	case !claimedArch.MatchString(p.Arch):
		return fmt.Errorf("%s says that it is for %q, which is no architecture", p.Package, p.Arch)
	}
	return nil
}

// standardName is the file name the repository gives the package.
func (p *File) standardName() string {
	if p.Format == artifact.APK {
		return fmt.Sprintf("%s-%s.apk", p.Package, p.Version)
	}
	return fileName(p.Package, p.Version, p.Arch, p.Format)
}

// field is one line of "name, separator, value", with continuations in value.
type field struct{ name, value string }

func get(fields []field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// unpack returns a tar's reader for a compressed archive held in memory. The
// compression is told by its first bytes.
func unpack(data []byte) (*tar.Reader, error) {
	var r io.Reader
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		zr, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		r = zr
	case bytes.HasPrefix(data, []byte("\xfd7zXZ\x00")):
		if err := checkXZ(data); err != nil {
			return nil, err
		}
		xr, err := xz.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		r = xr
	case bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		zr, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		r = zr.IOReadCloser() // holds no goroutine at a concurrency of one
	default:
		r = bytes.NewReader(data)
	}
	return tar.NewReader(&bounded{r: r, left: maxUnpacked}), nil
}

// bounded fails, instead of ending, where more follows than is allowed: what
// was cut off must not pass for the whole.
type bounded struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("it unpacks to more than %d bytes", int64(maxUnpacked))
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// checkXZ refuses what would make the decompressor ask for gigabytes: it
// believes each block's word on how large its dictionary is. What dpkg writes
// for metadata is one block. Source: the .xz file format, version 1.2.1.
func checkXZ(data []byte) error {
	const header, footer = 12, 12
	bad := errors.New("it is packed by xz in an unusual way: only a single block with a small dictionary is read")
	if len(data) < header+footer+8 || !bytes.HasSuffix(data, []byte("YZ")) {
		return bad
	}
	backward := data[len(data)-8:]
	size := (int64(binary.LittleEndian.Uint32(backward)) + 1) * 4
	index := int64(len(data)) - footer - size
	if index < header || data[index] != 0 || data[index+1] != 1 {
		return bad
	}
	block := data[header:index]
	if len(block) < 6 || block[0] == 0 || block[1]&0x03 != 0 {
		return bad
	}
	at := 2
	for _, bit := range []byte{0x40, 0x80} { // compressed and uncompressed size, if given
		if block[1]&bit != 0 {
			for at < len(block) && block[at]&0x80 != 0 {
				at++
			}
			at++
		}
	}
	// LZMA2 with one byte of properties, which stands for the size.
	if at+2 >= len(block) || block[at] != 0x21 || block[at+1] != 1 || block[at+2] > 28 { // 28: 64 MiB
		return bad
	}
	return nil
}

// entries calls f for each regular file of an archive, by its plain name.
func entries(tr *tar.Reader, f func(name string, size int64, r io.Reader) error) error {
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n >= maxEntries {
			return fmt.Errorf("its metadata holds more than %d files", maxEntries)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := f(strings.TrimPrefix(h.Name, "./"), h.Size, tr); err != nil {
			return err
		}
	}
}

func readText(name string, size int64, r io.Reader) (string, error) {
	if size > maxText {
		return "", fmt.Errorf("its %s has %d bytes, more than %d", name, size, int64(maxText))
	}
	data, err := io.ReadAll(r)
	return string(data), err
}

// splitList takes a list apart at commas.
func splitList(s string) []string {
	var list []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}
