package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"seaworthy/job"
	"seaworthy/job/result"
)

// Logs reads an execution's log from an offset in bytes; a negative one counts
// from the end. The size is that of the whole log now. It is live if more may
// follow: ask again from the size on when Topic is notified. An execution that
// waits, or runs in another process, has an empty live log. ErrNoLog if
// nothing is kept.
func (s *Service) Logs(ctx context.Context, id string, offset int64) (r io.ReadCloser, size int64, live bool, err error) {
	e, err := s.o.Store.Execution(ctx, id)
	if err != nil {
		return nil, 0, false, fmt.Errorf("reading the log of %s: %w", id, err)
	}
	if live = !e.State.Final(); live {
		r, size, err = s.liveLog(e, offset)
	} else {
		r, size, err = s.storedLog(ctx, e, offset)
	}
	if err != nil {
		return nil, 0, false, fmt.Errorf("reading the log of execution %s: %w", id, err)
	}
	return r, size, live, nil
}

func (s *Service) liveLog(e job.Execution, offset int64) (io.ReadCloser, int64, error) {
	f, err := s.spoolOf(e.ID).openLog()
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(eof{}), 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(from(offset, size), io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	// What is written from now on is for the next call, so that the size is
	// where this one ends.
	return limited{io.LimitReader(f, size-from(offset, size)), f}, size, nil
}

func (s *Service) storedLog(ctx context.Context, e job.Execution, offset int64) (io.ReadCloser, int64, error) {
	size, err := result.LogSize(ctx, s.o.Bucket, e.Path)
	if errors.Is(err, result.ErrNoBuild) {
		return nil, 0, ErrNoLog
	}
	if err != nil {
		return nil, 0, err
	}
	r, _, err := result.OpenLog(ctx, s.o.Bucket, e.Path, offset, -1)
	return r, size, err
}

// from turns an offset as callers give it into one within the log.
func from(offset, size int64) int64 {
	if offset < 0 {
		offset += size
	}
	return max(0, min(offset, size))
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

type limited struct {
	io.Reader
	io.Closer
}

// Results returns what is stored of an execution: its tests above all. The
// error wraps result.ErrNoBuild while nothing is.
func (s *Service) Results(ctx context.Context, id string) (result.Build, error) {
	e, err := s.o.Store.Execution(ctx, id)
	if err != nil {
		return result.Build{}, err
	}
	return result.LoadBuild(ctx, s.o.Bucket, e.Path)
}
