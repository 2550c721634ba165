package build

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// create writes one staged file and digests it on the way.
func (s *staging) create(ctx context.Context, name string, kind artifact.Kind, write func(ctxWriter) error) (artifact.Artifact, error) {
	if err := artifact.CheckName(name); err != nil {
		return artifact.Artifact{}, err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return artifact.Artifact{}, fmt.Errorf("writing %s: %w", name, err)
	}
	sum := artifact.NewHasher()
	err = write(ctxWriter{ctx: ctx, w: io.MultiWriter(f, sum)})
	if err == nil {
		err = f.Chmod(0o644) // whatever the umask
	}
	if err == nil {
		err = f.Sync() // the rename must not outlive the bytes in a power cut
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return artifact.Artifact{}, fmt.Errorf("writing %s: %w", name, err)
	}
	return sum.Artifact(name, kind), nil
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
