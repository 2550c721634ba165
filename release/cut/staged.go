package cut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"gocloud.dev/gcerrors"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
)

// ErrNotStaged: there is no stage of that build, or none that may be cut.
var ErrNotStaged = errors.New("not staged")

// staged is a stage as the cut found and verified it.
type staged struct {
	Prefix   string            `json:"prefix"`
	Digest   artifact.Digest   `json:"digest"` // of the manifest
	Manifest artifact.Manifest `json:"manifest"`
	Record   Record            `json:"record"`
	Mock     bool              `json:"mock,omitempty"` // of the cut, not of the stage
}

func (s staged) repo() forge.RepoName     { return s.Record.Plan.Repo }
func (s staged) version() release.Version { return s.Record.Plan.Version() }

// public is the folder that readers get.
func (s staged) public() string {
	return folder(s.Mock, releaseRoot, s.repo(), s.version().String())
}

// published lists the artifacts of the stage that readers get.
func (s staged) published() []artifact.Artifact {
	var list []artifact.Artifact
	for _, a := range s.Manifest.Artifacts {
		if !private(a.Name) {
			list = append(list, a)
		}
	}
	return list
}

// job is a stage and where its repository is pushed to.
type job struct {
	Staged   staged `json:"staged"`
	CloneURL string `json:"clone_url"`
}

// checkCut refuses a request that cannot be answered.
func (s *Service) checkCut(ctx context.Context, r CutRequest) (target, error) {
	if r.BuildVersion == "" {
		return target{}, flow.Permanent(errors.New("say which stage to cut: give its build version, v1.2.0+0a1b2c3d4e5f"))
	}
	t, err := s.locate(ctx, r.Repo)
	if err != nil {
		return target{}, err
	}
	t.Build = r.BuildVersion
	return t, nil
}

// loadStage reads the stage's manifest and verifies every file it lists. A
// rehearsal may take a mock stage; a real cut never does.
func (s *Service) loadStage(ctx context.Context, t target) (staged, error) {
	st := staged{Mock: flow.Mock(ctx), Prefix: folder(false, stageRoot, t.Repo, t.Build)}
	data, err := s.Bucket.ReadAll(ctx, path.Join(st.Prefix, artifact.ManifestFile))
	if gcerrors.Code(err) == gcerrors.NotFound && st.Mock {
		st.Prefix = folder(true, stageRoot, t.Repo, t.Build)
		data, err = s.Bucket.ReadAll(ctx, path.Join(st.Prefix, artifact.ManifestFile))
	}
	if gcerrors.Code(err) == gcerrors.NotFound {
		return staged{}, flow.Permanent(fmt.Errorf("%s of %s is %w (a mock stage can only be rehearsed): stage it first", t.Build, t.Repo, ErrNotStaged))
	}
	if err != nil {
		return staged{}, fmt.Errorf("reading the manifest of %s: %w", t.Build, err)
	}
	if st.Manifest, err = artifact.DecodeManifest(data); err != nil {
		return staged{}, flow.Permanent(fmt.Errorf("the stage of %s: %w", t.Build, err))
	}
	measured, err := artifact.Measure(artifact.ManifestFile, artifact.Other, bytes.NewReader(data))
	if err != nil {
		return staged{}, fmt.Errorf("measuring the manifest of %s: %w", t.Build, err)
	}
	st.Digest = measured.Digest()
	for i, a := range st.Manifest.Artifacts {
		flow.Progress(ctx, "%d of %d files", i, len(st.Manifest.Artifacts))
		switch ok, err := s.stored(ctx, path.Join(st.Prefix, a.Name), a); {
		case errors.Is(err, errDiffers):
			return staged{}, flow.Permanent(fmt.Errorf("the stage was tampered with, stage anew: %w", err))
		case err != nil:
			return staged{}, err
		case !ok:
			return staged{}, flow.Permanent(fmt.Errorf("the stage of %s has lost %s: stage anew", t.Build, a.Name))
		}
	}
	if st.Record, err = s.readRecord(ctx, st); err != nil {
		return staged{}, err
	}
	if st.repo() != t.Repo || st.Record.Plan.BuildVersion != t.Build || st.Manifest.Commit != st.Record.Plan.Commit {
		return staged{}, flow.Permanent(fmt.Errorf("%s is not the stage of %s of %s: stage anew", st.Prefix, t.Build, t.Repo))
	}
	flow.Progress(ctx, "%s, commit %s", fileCount(len(st.Manifest.Artifacts)), short(st.Manifest.Commit))
	return st, nil
}

// readRecord reads stage.json, whose digest the manifest vouches for.
func (s *Service) readRecord(ctx context.Context, st staged) (Record, error) {
	data, err := s.readStaged(ctx, st, stageFile)
	if err != nil {
		return Record{}, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var r Record
	if err := dec.Decode(&r); err != nil {
		return Record{}, flow.Permanent(fmt.Errorf("reading %s/%s: %w", st.Prefix, stageFile, err))
	}
	if len(r.Plan.Versions) == 0 || len(r.Tags) != len(r.Plan.Versions) {
		return Record{}, flow.Permanent(fmt.Errorf("%s/%s names no version and tag: stage anew", st.Prefix, stageFile))
	}
	return r, nil
}

// readStaged reads one small file of the stage and verifies it.
func (s *Service) readStaged(ctx context.Context, st staged, name string) ([]byte, error) {
	a, ok := st.Manifest.Find(name)
	if !ok {
		return nil, flow.Permanent(fmt.Errorf("the stage %s holds no %s: stage anew", st.Prefix, name))
	}
	data, err := s.Bucket.ReadAll(ctx, path.Join(st.Prefix, name))
	if err != nil {
		return nil, fmt.Errorf("reading %s from the stage: %w", name, err)
	}
	if err := a.Verify(bytes.NewReader(data)); err != nil {
		return nil, flow.Permanent(fmt.Errorf("the stage changed under the cut, stage anew: %w", err))
	}
	return data, nil
}

// open reads a file of the stage as a stream, with its size.
func (s *Service) open(ctx context.Context, st staged, a artifact.Artifact) (io.ReadCloser, error) {
	r, err := s.Bucket.NewReader(ctx, path.Join(st.Prefix, a.Name), nil)
	if err != nil {
		return nil, fmt.Errorf("reading %s from the stage: %w", a.Name, err)
	}
	return r, nil
}
