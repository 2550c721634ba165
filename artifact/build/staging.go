package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"seaworthy/artifact"
)

// staging is a hidden folder beside the results, so that a finished file moves
// into place by a rename.
type staging struct {
	out string
	dir string
}

func openStaging(out string) (*staging, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, fmt.Errorf("finding the output folder: %w", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("making the output folder: %w", err)
	}
	dir, err := os.MkdirTemp(out, ".building-")
	if err != nil {
		return nil, fmt.Errorf("making a folder to build in: %w", err)
	}
	return &staging{out: out, dir: dir}, nil
}

// remove takes the folder away and adds to err what kept it from going.
func (s *staging) remove(err *error) {
	if failed := os.RemoveAll(s.dir); failed != nil {
		*err = errors.Join(*err, fmt.Errorf("removing the folder built in: %w", failed))
	}
}

// ctxWriter is a writer that fails once its context is done, so that packing a
// large file stops when the build is cancelled.
type ctxWriter struct {
	ctx context.Context
	w   io.Writer
}

// Write implements io.Writer.
func (w ctxWriter) Write(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.w.Write(p)
}

// stagedFile is one file being written, digested on the way.
type stagedFile struct {
	name string
	file *os.File
	sum  *artifact.Hasher
	ctxWriter
}

// open begins a staged file. The caller finishes it.
func (s *staging) open(ctx context.Context, name string) (*stagedFile, error) {
	if err := artifact.CheckName(name); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("two files would be called %s", name)
	}
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", name, err)
	}
	sum := artifact.NewHasher()
	return &stagedFile{name: name, file: f, sum: sum, ctxWriter: ctxWriter{ctx: ctx, w: io.MultiWriter(f, sum)}}, nil
}

// finish closes the file. It returns err, the outcome of writing it, or what
// went wrong now.
func (f *stagedFile) finish(err error) error {
	if err == nil {
		err = f.file.Chmod(0o644) // whatever the umask
	}
	if err == nil {
		err = f.file.Sync() // the rename must not outlive the bytes in a power cut
	}
	if closed := f.file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", f.name, err)
	}
	return nil
}

// artifact describes the finished file.
func (f *stagedFile) artifact(kind artifact.Kind, p artifact.Platform) artifact.Artifact {
	a := f.sum.Artifact(f.name, kind)
	a.Platform = p
	return a
}

// publish moves the staged files into place; if one cannot be moved, those
// that were are taken back.
func (s *staging) publish(artifacts []artifact.Artifact) error {
	for i, a := range artifacts {
		if err := os.Rename(filepath.Join(s.dir, a.Name), filepath.Join(s.out, a.Name)); err != nil {
			for _, moved := range artifacts[:i] {
				err = errors.Join(err, os.Remove(filepath.Join(s.out, moved.Name)))
			}
			return fmt.Errorf("putting %s in place: %w", a.Name, err)
		}
	}
	return nil
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
