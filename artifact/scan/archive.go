package scan

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"seaworthy/artifact/sbom"
)

// Archive describes an archive (tar, also compressed by gzip, zstd, xz or bzip2;
// zip): a package with the archive's sums, which holds every file in it as Folder
// tells of them; what Go programs were built of; and the files of archives within
// it, one level deep. Nothing is written to disk. An archive that unpacks to more
// than Options.Limits allow is ErrLimit, a damaged one ErrBroken.
func Archive(ctx context.Context, file string, o Options) (sbom.Document, error) {
	o, err := o.complete()
	if err != nil {
		return sbom.Document{}, err
	}
	d, err := archive(ctx, file, o)
	if err != nil {
		return sbom.Document{}, failed(file, err)
	}
	return d, nil
}

func archive(ctx context.Context, file string, o Options) (sbom.Document, error) {
	f, err := os.Open(file)
	if err != nil {
		return sbom.Document{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sbom.Document{}, err
	}
	if !info.Mode().IsRegular() {
		return sbom.Document{}, fmt.Errorf("it is no regular file: scan folders as folders")
	}
	// The whole file is digested, and its entries are looked at, in one pass.
	whole := newMeasurer(nil)
	a := &archiveReader{ctx: ctx, options: o, budget: &budget{limits: o.Limits}, measurer: newMeasurer(o.Licenses)}
	sums, err := a.file(f, info.Size(), whole)
	if err != nil {
		return sbom.Document{}, err
	}
	name := o.Name
	if name == "" {
		name = filepath.Base(file)
	}
	d := o.begin(name)
	slices.SortStableFunc(a.list, func(x, y found) int { return strings.Compare(x.path, y.path) })
	// A path that stands in an archive twice: unpacking leaves the last.
	list := slices.CompactFunc(reversed(a.list), func(x, y found) bool { return x.path == y.path })
	list = reversed(list)
	p := o.tree(&d, name, list)
	p.FileName, p.Purpose, p.Checksums = filepath.Base(file), sbom.ArchiveFile, sums
	if len(a.skipped) > 0 {
		p.Comment = "Not opened: " + strings.Join(a.skipped, ", ") + "."
	}
	d.Add(p)
	d.Relate(sbom.DocumentID, sbom.Describes, p.ID)
	return d, nil
}

func reversed(list []found) []found {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// archiveReader collects what an archive holds.
type archiveReader struct {
	ctx      context.Context //nolint:containedctx // lives as long as one call
	options  Options
	budget   *budget
	measurer *measurer
	list     []found
	skipped  []string
}

// file reads the archive itself and returns its sums.
func (a *archiveReader) file(f *os.File, size int64, whole *measurer) ([]sbom.Checksum, error) {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if packingOf(head[:n]) == zipFile {
		a.budget.packed.Store(size)
		z, err := zip.NewReader(f, size)
		if err != nil {
			return nil, broken(err)
		}
		if err := a.zip(z, "", a.options.Limits.Depth); err != nil {
			return nil, err
		}
		measured, err := whole.measure(f.Name(), f)
		return measured.sums, err
	}
	measured := whole.begin(f.Name())
	in := io.TeeReader(f, measured)
	r, _, err := unpacked(in, a.budget)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := a.tar(r, "", a.options.Limits.Depth); err != nil {
		return nil, err
	}
	if err := drain(in); err != nil {
		return nil, err
	}
	itself, err := measured.end()
	return itself.sums, err
}

// tar reads the entries of a tar; names begin with a prefix if it is within
// another archive.
func (a *archiveReader) tar(r io.Reader, prefix string, depth int) error {
	seen := map[string]int{}
	return walkTar(a.ctx, r, a.budget, func(h *tar.Header, name string, r io.Reader) error {
		switch h.Typeflag {
		case tar.TypeReg:
		case tar.TypeLink: // another name of a file that stands before
			if target, err := entryName(h.Linkname); err == nil {
				if i, ok := seen[target]; ok {
					same := a.list[i]
					same.path = prefix + name
					a.list = append(a.list, same)
				}
			}
			return nil
		default:
			return nil
		}
		seen[name] = len(a.list)
		return a.entry(prefix+name, r, depth)
	})
}

func (a *archiveReader) zip(z *zip.Reader, prefix string, depth int) error {
	for _, f := range z.File {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		if err := a.budget.entry(); err != nil {
			return err
		}
		name, err := entryName(f.Name)
		if err != nil {
			return err
		}
		if !f.Mode().IsRegular() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return broken(err)
		}
		err = a.entry(prefix+name, countedReader{r, a.budget, false}, depth)
		if closed := r.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return broken(err)
		}
	}
	return nil
}

// mostNested is the size of a zip within an archive that is still opened, in
// bytes: a zip's table stands at its end, so it must be kept whole.
const mostNested = 64 << 20

// entry measures one file and looks into it if it is an archive itself.
func (a *archiveReader) entry(name string, r io.Reader, depth int) error {
	if depth <= 0 || fileTypes(name, true)[0] != sbom.ArchiveType {
		f, err := a.measurer.measure(name, r)
		if err == nil {
			a.list = append(a.list, f)
		}
		return err
	}
	at := len(a.list)
	a.list = append(a.list, found{})
	m := a.measurer.begin(name)
	outer := a.measurer
	a.measurer = newMeasurer(outer.licenses)
	defer func() { a.measurer = outer }()
	in := io.TeeReader(r, m)
	if err := a.nested(name, in, depth-1); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	f, err := m.end()
	a.list[at] = f
	return err
}

// nested reads an archive within an archive. What is none after all, despite its
// name, is a file.
func (a *archiveReader) nested(name string, in io.Reader, depth int) error {
	r, kind, err := unpacked(in, a.budget)
	if err != nil {
		a.skipped = append(a.skipped, name)
		return nil // a damaged file within an archive is still a file
	}
	defer r.Close()
	switch kind {
	case zipFile:
		var b bytes.Buffer
		if _, err := io.Copy(&b, io.LimitReader(r, mostNested+1)); err != nil {
			return err
		}
		z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil || b.Len() > mostNested {
			a.skipped = append(a.skipped, name)
			return nil
		}
		return a.zip(z, name+"!/", depth)
	case tarFile:
		return a.tar(r, name+"!/", depth)
	case plainBytes:
		return nil
	}
	// Compressed: a tar, or a single file.
	inner, kind, err := unpacked(r, &budget{limits: a.budget.limits})
	if err != nil || kind != tarFile {
		return err
	}
	return a.tar(inner, name+"!/", depth)
}
