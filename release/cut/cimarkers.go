package cut

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/flow"
	"seaworthy/release"
)

// markerTries bounds how often a marker is written that somebody who shares
// nothing but the bucket keeps lowering.
const markerTries = 8

// exclusiveHere excludes others of this process.
func exclusiveHere() func(context.Context, string) (func(), error) {
	var mu sync.Mutex
	held := map[string]chan struct{}{}
	return func(ctx context.Context, name string) (func(), error) {
		for {
			mu.Lock()
			busy, taken := held[name]
			if !taken {
				done := make(chan struct{})
				held[name] = done
				mu.Unlock()
				return func() {
					mu.Lock()
					defer mu.Unlock()
					delete(held, name)
					close(done)
				}, nil
			}
			mu.Unlock()
			select {
			case <-busy:
			case <-ctx.Done():
				return nil, fmt.Errorf("waiting for %s: %w", name, ctx.Err())
			}
		}
	}
}

// ciMarkers lists the markers of a build that is to raise some.
func (j ciJob) ciMarkers() ([]string, error) {
	if j.Request.NoMarkers {
		return nil, flow.Skip("it was asked to leave the markers")
	}
	names, err := release.CIMarkerNames(j.Plan.Version(), j.Request.Fast, j.Request.Markers)
	if err != nil {
		return nil, flow.Permanent(err)
	}
	return names, nil
}

func (j ciJob) markerKey(name string) string {
	return path.Join(j.Request.folder(), release.Marker{Name: name}.File())
}

// ciMarkersRaised looks whether each marker names this build or a later one.
func (s *Service) ciMarkersRaised(ctx context.Context, j ciJob) (raised []string, done bool, err error) {
	names, err := j.ciMarkers()
	if err != nil {
		return nil, false, err
	}
	done = true
	err = s.inBucket(ctx, j.Request.Bucket, func(s *Service) error {
		for _, name := range names {
			higher, err := s.behind(ctx, j, name)
			if err != nil {
				return err
			}
			done = done && !higher
		}
		return nil
	})
	return []string{}, done, err
}

// raiseCIMarkers lets the markers that are behind name this build. Between
// reading a marker and writing it nobody else may write, or the later of two
// builds could be overwritten by the earlier.
func (s *Service) raiseCIMarkers(ctx context.Context, j ciJob) ([]string, error) {
	names, err := j.ciMarkers()
	if err != nil {
		return nil, err
	}
	raised := []string{}
	err = s.inBucket(ctx, j.Request.Bucket, func(s *Service) error {
		for _, name := range names {
			did, err := s.raiseCIMarker(ctx, j, name)
			if err != nil {
				return err
			}
			if did {
				raised = append(raised, name)
				flow.Mark(ctx, "raised %s", name)
			}
		}
		return nil
	})
	if err == nil && len(raised) > 0 {
		flow.Progress(ctx, "%s", strings.Join(raised, ", "))
	}
	return raised, err
}

func (s *Service) raiseCIMarker(ctx context.Context, j ciJob, name string) (did bool, err error) {
	unlock, err := s.Exclusive(ctx, "marker "+j.Request.Bucket+" "+j.markerKey(name))
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := s.sweep(ctx, j.markerKey(name)+"."); err != nil {
		return false, err
	}
	for range markerTries {
		higher, err := s.behind(ctx, j, name)
		if err != nil || !higher {
			return did, err
		}
		// The content is small and replaced as a whole, so a reader sees the
		// old name or the new one.
		key := j.markerKey(name)
		if err := s.Bucket.WriteAll(ctx, key, []byte(j.Plan.BuildVersion), &blob.WriterOptions{ContentType: contentType(key)}); err != nil {
			return false, fmt.Errorf("writing the marker %s: %w", name, err)
		}
		did = true
		// It is read again: another machine that shares only the bucket may
		// have written meanwhile what is earlier.
	}
	return did, fmt.Errorf("marker %s.txt was lowered %d times while it was raised: look who else writes it", name, markerTries)
}

// behind reports whether a marker names an earlier version, or none.
func (s *Service) behind(ctx context.Context, j ciJob, name string) (bool, error) {
	have, err := s.Bucket.ReadAll(ctx, j.markerKey(name))
	if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return false, fmt.Errorf("reading the marker %s: %w", name, err)
	}
	higher, err := release.RaiseMarker(j.Plan.Version(), name, string(have))
	if err != nil {
		return false, flow.Permanent(err)
	}
	return higher, nil
}
