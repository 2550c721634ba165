package build

import (
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

	"seaworthy/artifact"
)

// entry is one file of an archive.
type entry struct {
	name string // in the archive, slashes
	file string // on disk
	mode fs.FileMode
}

// entries lists what an archive holds, sorted: what was built, and the files of
// the source that go with it.
func (r Request) entries(p artifact.Platform, built []entry) ([]entry, error) {
	stem := r.stem(p)
	var list []entry
	for _, b := range built {
		list = append(list, entry{name: path.Join(stem, b.name), file: b.file, mode: b.mode})
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
			list, err := walk(root, m)
			if err != nil {
				return nil, fmt.Errorf("files %q: %w", pattern, err)
			}
			for _, e := range list {
				found[e.name] = e
			}
		}
	}
	list := make([]entry, 0, len(found))
	for _, e := range found {
		list = append(list, e)
	}
	return list, nil
}

// walk lists a file, or the files of a folder, below root. Links are followed,
// but never out of root.
func walk(root *os.Root, start string) ([]entry, error) {
	var list []entry
	err := fs.WalkDir(root.FS(), start, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
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
		list = append(list, entry{name: name, file: filepath.Join(root.Name(), filepath.FromSlash(name)), mode: mode})
		return nil
	})
	return list, err
}

// copyInto copies the file into what open returns for its size. A file that
// changes meanwhile is an error: its header is written already.
func (e entry) copyInto(when time.Time, open func(header) (io.Writer, error)) error {
	f, err := os.Open(e.file)
	if err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	w, err := open(header{name: e.name, mode: e.mode, size: info.Size(), when: when})
	if err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	n, err := io.CopyBuffer(w, struct{ io.Reader }{f}, make([]byte, 256<<10))
	if err == nil && n != info.Size() {
		err = fmt.Errorf("it had %d bytes and now has %d", info.Size(), n)
	}
	if err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	return nil
}

// archives packs one platform in all the formats wanted.
func (r Request) archives(ctx context.Context, s *staging, p artifact.Platform, formats []Format, built []entry) ([]artifact.Artifact, error) {
	entries, err := r.entries(p, built)
	if err != nil {
		return nil, err
	}
	name := func(f Format) string { return r.stem(p) + "." + string(f) }
	files, err := s.pack(ctx, formats, name, func(put func(header) (io.Writer, error)) error {
		for _, e := range entries {
			if err := e.copyInto(r.CommitTime, put); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var packed []artifact.Artifact
	for _, f := range files {
		packed = append(packed, f.artifact(artifact.Archive, p))
	}
	return packed, nil
}

// bare hands out every program of a platform as it is.
func (r Request) bare(ctx context.Context, s *staging, p artifact.Platform, built []entry) ([]artifact.Artifact, error) {
	var list []artifact.Artifact
	for _, e := range built {
		if program, err := e.program(); err != nil {
			return nil, err
		} else if !program {
			continue
		}
		f, err := s.open(ctx, r.bareName(p, e.name))
		if err == nil {
			err = f.finish(e.copyInto(r.CommitTime, func(header) (io.Writer, error) { return f, nil }))
		}
		if err != nil {
			return nil, err
		}
		list = append(list, f.artifact(artifact.Binary, p))
	}
	if len(list) == 0 {
		return nil, errors.New("nothing that was built is a program, so there is nothing to hand out bare")
	}
	return list, nil
}

// bareName names a program by itself: NAME_NUMBER_OS_ARCH, unless its builder
// named it for the platform already.
func (r Request) bareName(p artifact.Platform, file string) string {
	name, ext := trimExecutable(path.Base(file))
	if !p.IsZero() && strings.Contains(name, p.OS) && strings.Contains(name, p.Arch) {
		return name + ext
	}
	name += "_" + r.number()
	if !p.IsZero() {
		name += "_" + p.Slug()
	}
	return name + ext
}

// program reports whether a file that was built can be run somewhere.
func (e entry) program() (bool, error) {
	info, err := os.Stat(e.file)
	if err != nil {
		return false, err
	}
	if info.Mode()&0o111 != 0 {
		return true, nil
	}
	_, err = inspectHeaders(e.file)
	if errors.Is(err, ErrNotProgram) {
		return false, nil
	}
	return err == nil, err
}
