package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"gocloud.dev/blob"

	"seaworthy/job"
)

func (s *Service) publishStart(ctx context.Context, e job.Execution) error {
	return s.put(ctx, e, "started.json", map[string]any{"timestamp": e.StartedAt.Unix()})
}

func (s *Service) put(ctx context.Context, e job.Execution, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.o.Bucket.WriteAll(ctx, path.Join(e.Path, name), data, nil)
}

func (s *Service) publish(ctx context.Context, e job.Execution, o outcome, sp *spool) error {
	if err := s.publishStart(ctx, e); err != nil {
		return err
	}
	log, err := sp.openLog()
	if errors.Is(err, fs.ErrNotExist) {
		err = s.upload(ctx, e, "build-log.txt", strings.NewReader(o.Description+"\n"))
	} else if err == nil {
		err = s.upload(ctx, e, "build-log.txt", log)
		err = errors.Join(err, log.Close())
	}
	if err != nil {
		return err
	}
	if err := sp.eachArtifact(func(name string, f *os.File) error { return s.upload(ctx, e, "artifacts/"+name, f) }); err != nil {
		return err
	}
	return s.put(ctx, e, "finished.json", map[string]any{"timestamp": o.FinishedAt.Unix(), "passed": o.Result.State == job.Success, "result": strings.ToUpper(string(o.Result.State))})
}

func (s *Service) upload(ctx context.Context, e job.Execution, name string, r io.Reader) error {
	if err := s.o.Bucket.Upload(ctx, path.Join(e.Path, name), r, &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
