package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"gocloud.dev/gcerrors"

	"seaworthy/job/result"
)

// Artifacts lists what is kept of an execution besides its log, by name. While
// it runs that is what it has written so far on this machine, and may change.
func (s *Service) Artifacts(ctx context.Context, id string) ([]result.Artifact, error) {
	e, err := s.o.Store.Execution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("listing the artifacts of %s: %w", id, err)
	}
	if !e.State.Final() && s.o.Live != nil {
		return s.liveArtifacts(id)
	}
	return result.Artifacts(ctx, s.o.Bucket, e.Path)
}

// liveLimit is how many artifacts of a running execution are listed at most.
const liveLimit = 2000

func (s *Service) liveArtifacts(id string) (all []result.Artifact, err error) {
	root, err := s.o.Live(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the artifacts of %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // its program goes on meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err == nil {
			all = append(all, result.Artifact{Name: name, Size: info.Size()})
		}
		if len(all) == liveLimit {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the artifacts of %s: %w", id, err)
	}
	return all, nil
}

// openLive opens an artifact of a running execution. A link that leads out of
// the folder is none.
func (s *Service) openLive(id, name string) (io.ReadCloser, error) {
	root, err := s.o.Live(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("artifact %s of %s: %w", name, id, result.ErrNoBuild)
	}
	if err != nil {
		return nil, fmt.Errorf("opening artifact %s of %s: %w", name, id, err)
	}
	defer root.Close()
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("artifact %s of %s: %w", name, id, result.ErrNoBuild)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening artifact %s of %s: %w", name, id, err)
	}
	return f, nil
}

// Artifact opens one of an execution's artifacts, by the name it is listed
// under. The error wraps result.ErrNoBuild if it is not there.
func (s *Service) Artifact(ctx context.Context, id, name string) (io.ReadCloser, error) {
	e, err := s.o.Store.Execution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("opening artifact %s of %s: %w", name, id, err)
	}
	folder := path.Join(e.Path, result.ArtifactsFolder)
	key := path.Join(folder, name)
	if name == "" || path.Clean("/"+name) != "/"+name {
		return nil, fmt.Errorf("artifact %q of %s: %w", name, id, result.ErrNoBuild)
	}
	if !e.State.Final() && s.o.Live != nil {
		return s.openLive(id, name)
	}
	r, err := s.o.Bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("artifact %s of %s: %w", name, id, result.ErrNoBuild)
	}
	if err != nil {
		return nil, fmt.Errorf("opening artifact %s of %s: %w", name, id, err)
	}
	return r, nil
}
