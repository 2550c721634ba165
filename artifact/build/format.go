package build

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

// Format is how what was built for a platform is handed out; for archives it
// is the file's extension.
type Format string

// Formats.
const (
	TarGz  Format = "tar.gz"
	TarZst Format = "tar.zst"
	Zip    Format = "zip"
	// Bare hands out every program as a file of its own.
	Bare Format = "binary"
)

// ParseFormat reads tar.gz, tar.zst, zip or binary.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case TarGz, TarZst, Zip, Bare:
		return f, nil
	}
	return "", fmt.Errorf("%q is not a format: write tar.gz, tar.zst, zip or binary", s)
}

// checkFormats refuses an empty list, a format nobody knows and one named twice.
func checkFormats(formats []Format) error {
	seen := map[Format]bool{}
	for _, f := range formats {
		if _, err := ParseFormat(string(f)); err != nil {
			return err
		}
		if seen[f] {
			return fmt.Errorf("format %s is listed twice", f)
		}
		seen[f] = true
	}
	if len(seen) == 0 {
		return errors.New("the list of formats is empty")
	}
	return nil
}

// compression is fixed, as the bytes depend on it. Level 6 is within 2 % of the
// best level's size at a third of its time.
const compression = 6

// Compression is spread over this many goroutines on any machine, however many
// processors it has: the number and the size of the pieces decide the bytes.
const (
	compressors = 4
	piece       = 1 << 20
)

// header is what a format needs to know of an entry.
type header struct {
	name   string // slashes
	mode   fs.FileMode
	size   int64
	link   string // target, of a symbolic link
	commit string // instead of an entry: what git get-tar-commit-id tells
	when   time.Time
}

// packer writes an archive. add begins an entry; what is written next, as many
// bytes as its size, is its content.
type packer interface {
	add(header) error
	io.Writer
	io.Closer
}

// newPacker begins an archive on w. The caller closes it, also after an error.
func newPacker(f Format, w io.Writer) (packer, error) {
	if f == Zip {
		zw := zip.NewWriter(w)
		zw.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, compression) })
		return &zipPacker{zw: zw}, nil
	}
	z, err := newCompressor(f, w)
	if err != nil {
		return nil, err
	}
	return &tarPacker{Writer: tar.NewWriter(z), compressed: z}, nil
}

// newCompressor compresses to w for a tar format.
func newCompressor(f Format, w io.Writer) (io.WriteCloser, error) {
	switch f {
	case TarGz:
		zw, err := pgzip.NewWriterLevel(w, compression)
		if err != nil {
			return nil, err
		}
		if err := zw.SetConcurrency(piece, compressors); err != nil {
			return nil, err
		}
		// The header tells neither name nor time. The zero time.Time would be
		// written as some moment in 2042.
		zw.ModTime = time.Unix(0, 0)
		return zw, nil
	case TarZst:
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(compressors), zstd.WithZeroFrames(true))
	}
	return nil, fmt.Errorf("%s is no compressed tar", f)
}

type tarPacker struct {
	*tar.Writer
	compressed io.Closer
}

func (p *tarPacker) add(h header) error {
	if h.commit != "" {
		return p.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": h.commit}})
	}
	th := &tar.Header{Typeflag: tar.TypeReg, Name: h.name, Size: h.size, Mode: int64(h.mode), ModTime: h.when.UTC().Truncate(time.Second)}
	if h.link != "" {
		th.Typeflag, th.Linkname, th.Mode = tar.TypeSymlink, h.link, 0o777
	}
	return p.WriteHeader(th)
}

// Close implements io.Closer.
func (p *tarPacker) Close() error { return errors.Join(p.Writer.Close(), p.compressed.Close()) }

type zipPacker struct {
	zw  *zip.Writer
	now io.Writer // entry being written
}

func (p *zipPacker) add(h header) error {
	if h.commit != "" {
		return p.zw.SetComment(h.commit)
	}
	zh := &zip.FileHeader{Name: h.name, Method: zip.Deflate, Modified: h.when.UTC().Truncate(time.Second)}
	zh.SetMode(h.mode)
	if h.link != "" {
		zh.SetMode(fs.ModeSymlink | 0o777)
	}
	w, err := p.zw.CreateHeader(zh)
	if err != nil {
		return err
	}
	p.now = w
	if h.link != "" {
		_, err = io.WriteString(w, h.link)
	}
	return err
}

// Write implements io.Writer.
func (p *zipPacker) Write(b []byte) (int, error) { return p.now.Write(b) }

// Close implements io.Closer.
func (p *zipPacker) Close() error { return p.zw.Close() }

// pack writes one staged file for each format. fill calls put for every entry;
// what it writes to the returned writer goes into all of them, so that the
// files are read once however many formats there are.
func (s *staging) pack(ctx context.Context, formats []Format, name func(Format) string, fill func(put func(header) (io.Writer, error)) error) ([]*stagedFile, error) {
	var files []*stagedFile
	var packers []packer
	var all []io.Writer
	err := func() error {
		for _, f := range formats {
			file, err := s.open(ctx, name(f))
			if err != nil {
				return err
			}
			files = append(files, file)
			p, err := newPacker(f, file)
			if err != nil {
				return err
			}
			packers, all = append(packers, p), append(all, p)
		}
		return fill(func(h header) (io.Writer, error) {
			for _, p := range packers {
				if err := p.add(h); err != nil {
					return nil, err
				}
			}
			return io.MultiWriter(all...), nil
		})
	}()
	// Closing writes what is buffered and ends the compressors' goroutines,
	// after an error too; then its own error says nothing new.
	for _, p := range packers {
		if closed := p.Close(); err == nil {
			err = closed
		}
	}
	for _, f := range files {
		err = f.finish(err)
	}
	if err != nil {
		return nil, err
	}
	return files, nil
}

// archive reports whether the format packs; a bare program is only copied.
func (f Format) archive() bool { return f != Bare }

// trimExecutable returns a program's name without .exe or .wasm, and what was
// taken off.
func trimExecutable(name string) (stem, ext string) {
	for _, ext := range []string{".exe", ".wasm"} {
		if stem, ok := strings.CutSuffix(name, ext); ok {
			return stem, ext
		}
	}
	return name, ""
}
