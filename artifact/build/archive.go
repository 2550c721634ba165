package build

import (
	"archive/tar"
	"archive/zip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"seaworthy/artifact"
)

// compression is fixed, as the bytes depend on it. Level 6 is within 2 % of the
// best level's size at a third of its time.
const compression = 6

// entry is one file of an archive.
type entry struct {
	name string // in the archive, slashes
	file string // on disk
	mode fs.FileMode
}

// entries lists what an archive holds, sorted: the programs, and the files of
// the source that go with them.
func (r Request) entries(p artifact.Platform, dir string, programs []string) ([]entry, error) {
	stem := r.stem(p)
	var list []entry
	for _, name := range programs {
		list = append(list, entry{name: path.Join(stem, name), file: filepath.Join(dir, name), mode: 0o755})
	}
	files, err := r.files()
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		list = append(list, entry{name: path.Join(stem, f.name), file: f.file, mode: f.mode})
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(list); i++ {
		if list[i].name == list[i-1].name {
			return nil, fmt.Errorf("%s would be packed twice", list[i].name)
		}
	}
	return list, nil
}

// files finds what the patterns match, each file once.
func (r Request) files() ([]entry, error) {
	root, err := os.OpenRoot(r.Source)
	if err != nil {
		return nil, fmt.Errorf("opening the source: %w", err)
	}
	defer root.Close()
	patterns := r.Files
	if patterns == nil {
		patterns = defaultFiles
	}
	found := map[string]entry{}
	for _, pattern := range patterns {
		matches, err := fs.Glob(root.FS(), path.Clean(pattern))
		if err != nil {
			return nil, fmt.Errorf("files %q: %w", pattern, err)
		}
		if len(matches) == 0 && !strings.ContainsAny(pattern, `*?[\`) {
			return nil, fmt.Errorf("files %q: no such file in the source", pattern)
		}
		for _, m := range matches {
			err := fs.WalkDir(root.FS(), m, func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				// Follows links, but never out of the source.
				info, err := root.Stat(name)
				if err != nil {
					return err
				}
				if !info.Mode().IsRegular() {
					return fmt.Errorf("%s is not a regular file", name)
				}
				mode := fs.FileMode(0o644)
				if info.Mode()&0o111 != 0 {
					mode = 0o755
				}
				found[name] = entry{name: name, file: filepath.Join(r.Source, name), mode: mode}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("files %q: %w", pattern, err)
			}
		}
	}
	list := make([]entry, 0, len(found))
	for _, e := range found {
		list = append(list, e)
	}
	return list, nil
}

// newGzip writes a header without name or time.
func newGzip(w io.Writer) (*gzip.Writer, error) {
	zw, err := gzip.NewWriterLevel(w, compression)
	if err != nil {
		return nil, err
	}
	// The zero time.Time would be written as some moment in 2042.
	zw.ModTime = time.Unix(0, 0)
	return zw, nil
}

// writeTarGz writes the entries as a gzipped tar.
func writeTarGz(w ctxWriter, entries []entry, when time.Time) error {
	zw, err := newGzip(w)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	for _, e := range entries {
		if err := e.copyInto(func(size int64) (io.Writer, error) {
			return tw, tw.WriteHeader(&tar.Header{
				Typeflag: tar.TypeReg, Name: e.name, Size: size, Mode: int64(e.mode), ModTime: when.UTC().Truncate(time.Second),
			})
		}); err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return zw.Close()
}

// writeZip writes the entries as a zip.
func writeZip(w ctxWriter, entries []entry, when time.Time) error {
	zw := zip.NewWriter(w)
	zw.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, compression) })
	for _, e := range entries {
		if err := e.copyInto(func(int64) (io.Writer, error) {
			h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: when.UTC().Truncate(time.Second)}
			h.SetMode(e.mode)
			return zw.CreateHeader(h)
		}); err != nil {
			return err
		}
	}
	return zw.Close()
}

// copyInto copies the file into what open returns for its size.
func (e entry) copyInto(open func(size int64) (io.Writer, error)) error {
	f, err := os.Open(e.file)
	if err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	w, err := open(info.Size())
	if err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	return nil
}

// Archiver gives the tree of a commit as a tar; git.Repository is one.
type Archiver interface {
	Archive(ctx context.Context, rev, prefix string, w io.Writer) error
}

// Source packs the source tree of the request's commit as
// NAME_VERSION_source.tar.gz. Of the request it needs Name, Version, Commit and
// OutDir.
func Source(ctx context.Context, repo Archiver, req Request) (packed artifact.Artifact, err error) {
	s, err := openStaging(req.OutDir)
	if err != nil {
		return artifact.Artifact{}, err
	}
	defer s.remove(&err)
	stem := req.stem(artifact.Platform{})
	a, err := s.create(ctx, stem+"_source.tar.gz", artifact.Source, func(w ctxWriter) error {
		zw, err := newGzip(w)
		if err != nil {
			return err
		}
		if err := repo.Archive(ctx, req.Commit, stem+"/", zw); err != nil {
			return err
		}
		return zw.Close()
	})
	if err != nil {
		return artifact.Artifact{}, fmt.Errorf("packing the source of %s %s: %w", req.Name, req.Version, err)
	}
	return a, s.publish([]artifact.Artifact{a})
}
