package run

import (
	"context"
	"fmt"
	"io"
	"path"

	"gocloud.dev/gcerrors"

	"seaworthy/job/result"
)

// Artifacts lists what is kept of an execution besides its log, by name;
// nothing until it is over.
func (s *Service) Artifacts(ctx context.Context, id string) ([]result.Artifact, error) {
	e, err := s.o.Store.Execution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("listing the artifacts of %s: %w", id, err)
	}
	return result.Artifacts(ctx, s.o.Bucket, e.Path)
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
	r, err := s.o.Bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("artifact %s of %s: %w", name, id, result.ErrNoBuild)
	}
	if err != nil {
		return nil, fmt.Errorf("opening artifact %s of %s: %w", name, id, err)
	}
	return r, nil
}
