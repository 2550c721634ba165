package scan

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// budget is what may still be unpacked of one archive and all within it.
type budget struct {
	limits  Limits
	bytes   atomic.Int64 // unpacked so far
	entries atomic.Int64
	packed  atomic.Int64 // read so far of what is packed
}

// freeBytes may be unpacked whatever the ratio: small archives of one long run of
// zeros are no danger.
const freeBytes = 64 << 20

// take notes unpacked bytes and refuses more than is allowed.
func (b *budget) take(n int) error {
	all := b.bytes.Add(int64(n))
	if all > b.limits.Bytes {
		return fmt.Errorf("%w: it unpacks to more than %d bytes", ErrLimit, b.limits.Bytes)
	}
	if packed := b.packed.Load(); all > freeBytes && all/b.limits.Ratio > packed {
		return fmt.Errorf("%w: %d bytes unpack to more than %d times as many", ErrLimit, packed, b.limits.Ratio)
	}
	return nil
}

func (b *budget) entry() error {
	if b.entries.Add(1) > int64(b.limits.Entries) {
		return fmt.Errorf("%w: it holds more than %d entries", ErrLimit, b.limits.Entries)
	}
	return nil
}

// countedReader counts what is read against a budget: of the packed bytes, or of
// the unpacked ones.
type countedReader struct {
	r      io.Reader
	budget *budget
	packed bool
}

func (c countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.packed {
		c.budget.packed.Add(int64(n))
		return n, err
	}
	if tooMuch := c.budget.take(n); tooMuch != nil {
		return n, tooMuch
	}
	return n, err
}

// packing is how a stream is compressed, by its first bytes.
type packing string

const (
	plainBytes packing = ""
	gzipped    packing = "gzip"
	zstandard  packing = "zstd"
	xzipped    packing = "xz"
	bzipped    packing = "bzip2"
	zipFile    packing = "zip"
	tarFile    packing = "tar"
)

// packingOf reads 512 bytes or what there is of them.
func packingOf(head []byte) packing {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return gzipped
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return zstandard
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return xzipped
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzipped
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return zipFile
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return tarFile
	}
	return plainBytes
}

// largestWindow bounds the memory that a compressed stream can ask for.
const largestWindow = 128 << 20

// unpacked opens a stream that may be compressed. What it gives out counts
// against the budget. Close frees memory and leaves r open.
func unpacked(r io.Reader, b *budget) (io.ReadCloser, packing, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	var out io.Reader
	closer := func() error { return nil }
	kind := packingOf(head)
	switch kind {
	case gzipped:
		z, err := gzip.NewReader(countedReader{in, b, true})
		if err != nil {
			return nil, kind, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		out, closer = z, z.Close
	case zstandard:
		z, err := zstd.NewReader(countedReader{in, b, true}, zstd.WithDecoderMaxWindow(largestWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, kind, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		out, closer = z, func() error { z.Close(); return nil }
	case xzipped:
		z, err := xz.ReaderConfig{DictCap: largestWindow}.NewReader(countedReader{in, b, true})
		if err != nil {
			return nil, kind, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		out = z
	case bzipped:
		out = bzip2.NewReader(countedReader{in, b, true})
	default:
		// As it is: packed and unpacked are the same.
		return struct {
			io.Reader
			io.Closer
		}{countedReader{countedReader{in, b, true}, b, false}, closeFunc(closer)}, kind, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{countedReader{out, b, false}, closeFunc(closer)}, kind, nil
}

type closeFunc func() error

func (c closeFunc) Close() error { return c() }

// walkTar visits the entries of a tar in its order, with cleaned names. Names
// that lead out of the archive are refused, though nothing is ever written.
func walkTar(ctx context.Context, r io.Reader, b *budget, visit func(h *tar.Header, name string, r io.Reader) error) error {
	tr := tar.NewReader(r)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return drain(r)
		}
		if err != nil {
			return broken(err)
		}
		if err := b.entry(); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		name, err := entryName(h.Name)
		if err != nil {
			return err
		}
		if name == "." {
			continue
		}
		if err := visit(h, name, tr); err != nil {
			return broken(err)
		}
	}
}

// drain reads what follows the end of an archive: checksums stand there.
func drain(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return broken(err)
	}
	return nil
}

// broken marks errors of damaged input; limits and cancellation are told as such.
func broken(err error) error {
	if errors.Is(err, ErrLimit) || errors.Is(err, ErrBroken) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// longestName bounds the path of an entry, in bytes.
const longestName = 4096

// entryName cleans the path of an archive's entry.
func entryName(name string) (string, error) {
	if len(name) > longestName || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%w: an entry's name of %d bytes", ErrBroken, len(name))
	}
	clean := path.Clean(strings.TrimLeft(strings.ReplaceAll(name, `\`, "/"), "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%w: the entry %q leads out of the archive", ErrBroken, name)
	}
	return clean, nil
}
