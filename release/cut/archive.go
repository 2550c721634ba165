package cut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/artifact/provenance"
	"seaworthy/flow"
)

// archive keeps, where only the project's own people read, what a release can be
// looked into with later: the journals of its stage and its cut with the log of
// each step, the record of the stage, and the source it was made from.
func (s *Service) archive(ctx context.Context, j job) (string, error) {
	st, run := j.Staged, flow.Current(ctx)
	prefix := folder(st.Mock, archiveRoot, st.repo(), st.version().String()+"-"+run.ID)
	if err := s.archiveSource(ctx, j, prefix); err != nil {
		return "", err
	}
	record, err := s.readStaged(ctx, st, stageFile)
	if err != nil {
		return "", err
	}
	if err := s.put(ctx, path.Join(prefix, stageFile), record); err != nil {
		return "", err
	}
	if err := s.archiveStage(ctx, st, prefix); err != nil {
		return "", err
	}
	key := path.Join(prefix, "journal.jsonl")
	return key, s.archiveJournal(ctx, run, key)
}

// archiveJournal writes a run and its entries, a JSON value each, one per line.
func (s *Service) archiveJournal(ctx context.Context, run flow.Run, key string) error {
	entries, err := s.Engine.Journal.Entries(ctx, run.ID, 0)
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(run); err != nil {
		return fmt.Errorf("archiving the journal: %w", err)
	}
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return fmt.Errorf("archiving the journal: %w", err)
		}
	}
	return s.put(ctx, key, b.Bytes())
}

// archiveStage keeps the journal of the run that staged. Its provenance names
// it; one that was staged with another database is not in this journal.
func (s *Service) archiveStage(ctx context.Context, st staged, prefix string) error {
	text, err := s.readStaged(ctx, st, provenanceFile)
	if err != nil {
		return err
	}
	statement, err := provenance.Read(text)
	if err != nil {
		return flow.Permanent(fmt.Errorf("reading %s: %w", path.Join(st.Prefix, provenanceFile), err))
	}
	made, err := statement.Build()
	if err != nil {
		return flow.Permanent(fmt.Errorf("reading %s: %w", path.Join(st.Prefix, provenanceFile), err))
	}
	run, err := s.Engine.Journal.Run(ctx, made.Run.Metadata.InvocationID)
	if errors.Is(err, flow.ErrNoRun) {
		flow.Logf(ctx, "the journal of the stage, run %s, is not in this database", made.Run.Metadata.InvocationID)
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for the journal of the stage: %w", err)
	}
	return s.archiveJournal(ctx, run, path.Join(prefix, "stage-journal.jsonl"))
}

// archiveSource keeps the source of the commit: the archive that was staged, or,
// where the project publishes none, one made now. The same commit gives the same
// bytes.
func (s *Service) archiveSource(ctx context.Context, j job, prefix string) (err error) {
	st := j.Staged
	if i := slices.IndexFunc(st.Manifest.Artifacts, func(a artifact.Artifact) bool { return a.Kind == artifact.Source }); i >= 0 {
		a := st.Manifest.Artifacts[i]
		key := path.Join(prefix, a.Name)
		if have, err := s.stored(ctx, key, a); have || err != nil && !errors.Is(err, errDiffers) {
			return err
		}
		if err := s.Bucket.Copy(ctx, key, path.Join(st.Prefix, a.Name), nil); err != nil {
			return fmt.Errorf("archiving the source: %w", err)
		}
		return s.mustHold(ctx, key, a)
	}
	p := st.Record.Plan
	mirror, err := s.Git.Repository(ctx, s.Address(j.CloneURL), s.Auth)
	if err != nil {
		return lasting(err)
	}
	dir := filepath.Join(s.runDir(ctx), "archive")
	if err := os.MkdirAll(s.runDir(ctx), 0o755); err != nil {
		return fmt.Errorf("making the folder of the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a, err := build.Source(ctx, mirror, build.Request{Name: p.Project.Name, Version: p.Version().String(), Commit: p.Commit, CommitTime: p.CommitTime, OutDir: dir})
	if err != nil {
		return err
	}
	key := path.Join(prefix, a.Name)
	if have, err := s.stored(ctx, key, a); have || err != nil && !errors.Is(err, errDiffers) {
		return err
	}
	return s.putFile(ctx, key, filepath.Join(dir, a.Name), a)
}
