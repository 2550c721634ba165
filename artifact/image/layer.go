package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

// The digest of a layer depends on how it is compressed, so this is fixed: also
// the number of goroutines and the size of the pieces they work on, which are
// not those of the machine.
const (
	level       = 6
	compressors = 4
	piece       = 1 << 20
)

// layer is a layer in a file of its own.
type layer struct {
	file      string
	digest    v1.Hash
	diffID    v1.Hash // of the tar
	size      int64
	mediaType types.MediaType
}

var _ v1.Layer = (*layer)(nil)

// Digest implements v1.Layer.
func (l *layer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID implements v1.Layer.
func (l *layer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// Size implements v1.Layer.
func (l *layer) Size() (int64, error) { return l.size, nil }

// MediaType implements v1.Layer.
func (l *layer) MediaType() (types.MediaType, error) { return l.mediaType, nil }

// Compressed implements v1.Layer.
func (l *layer) Compressed() (io.ReadCloser, error) { return os.Open(l.file) }

// Uncompressed implements v1.Layer.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	f, err := os.Open(l.file)
	if err != nil {
		return nil, err
	}
	var r io.ReadCloser
	if l.mediaType == types.OCILayerZStd {
		var zr *zstd.Decoder
		if zr, err = zstd.NewReader(f); err == nil {
			r = zr.IOReadCloser()
		}
	} else {
		r, err = gzip.NewReader(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return readCloser{Reader: r, close: func() error { return errors.Join(r.Close(), f.Close()) }}, nil
}

type readCloser struct {
	io.Reader
	close func() error
}

// Close implements io.Closer.
func (r readCloser) Close() error { return r.close() }

// writeLayer packs nodes into a file of dir. The tar is digested before it is
// compressed and what comes of it after, all in one reading of the files.
func writeLayer(dir, compression string, nodes []node, when time.Time) (l *layer, err error) {
	f, err := os.CreateTemp(dir, "layer-")
	if err != nil {
		return nil, fmt.Errorf("writing a layer: %w", err)
	}
	l = &layer{file: f.Name(), mediaType: types.OCILayer}
	packed, plain := newCounter(), newCounter()
	z, err := compressor(compression, io.MultiWriter(f, packed))
	if err == nil {
		tw := tar.NewWriter(io.MultiWriter(z, plain))
		for _, n := range nodes {
			if err = n.pack(tw, when); err != nil {
				break
			}
		}
		if err == nil {
			err = tw.Close()
		}
		// Ends the compressor's goroutines, after an error too.
		if closed := z.Close(); err == nil {
			err = closed
		}
	}
	if err == nil {
		err = f.Chmod(0o644) // whatever the umask
	}
	if err == nil {
		err = f.Sync() // a layout may share the file
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("writing a layer: %w", err)
	}
	if compression == "zstd" {
		l.mediaType = types.OCILayerZStd
	}
	l.digest, l.size, l.diffID = packed.sum(), packed.size, plain.sum()
	return l, nil
}

func compressor(compression string, w io.Writer) (io.WriteCloser, error) {
	if compression == "zstd" {
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(compressors), zstd.WithZeroFrames(true))
	}
	z, err := pgzip.NewWriterLevel(w, level)
	if err != nil {
		return nil, err
	}
	if err := z.SetConcurrency(piece, compressors); err != nil {
		return nil, err
	}
	z.ModTime = time.Unix(0, 0) // the zero time.Time would be written as some moment in 2042
	return z, nil
}

// counter counts and digests what is written to it.
type counter struct {
	hash hash.Hash
	size int64
}

func newCounter() *counter { return &counter{hash: sha256.New()} }

// Write implements io.Writer; it never fails.
func (c *counter) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	return c.hash.Write(p)
}

func (c *counter) sum() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(c.hash.Sum(nil))}
}

// node is one entry of a layer.
type node struct {
	path     string // in the image: no slash at the beginning
	kind     byte   // of tar
	mode     int64
	uid, gid int
	link     string
	implied  bool // a folder only made because something is in it
	open     func() (*os.File, error)
}

func (n node) pack(tw *tar.Writer, when time.Time) error {
	h := &tar.Header{Typeflag: n.kind, Name: n.path, Mode: n.mode, Uid: n.uid, Gid: n.gid, Linkname: n.link, ModTime: when.UTC().Truncate(time.Second)}
	if n.kind == tar.TypeDir {
		h.Name += "/"
	}
	if n.kind != tar.TypeReg {
		return tw.WriteHeader(h)
	}
	f, err := n.open()
	if err != nil {
		return fmt.Errorf("packing /%s: %w", n.path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("packing /%s: %w", n.path, err)
	}
	h.Size = info.Size()
	if err := tw.WriteHeader(h); err != nil {
		return fmt.Errorf("packing /%s: %w", n.path, err)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{tw}, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
		return fmt.Errorf("packing /%s: %w", n.path, err)
	}
	return nil
}
