package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"seaworthy/job"
	"seaworthy/job/exec"
)

// outcome is how an execution ended, as it is kept until everybody knows.
type outcome struct {
	Result      exec.Result
	Description string
	StartedAt   time.Time
	FinishedAt  time.Time
}

// spool is the folder that holds what an execution produced until it is in the
// bucket:
//
//	build-log.txt  grows while the program runs
//	artifacts/     once the program has ended
//	outcome.json   last; from then on the program is not run again
//
// It is the executor's sink while the program runs.
type spool struct {
	dir    string
	log    *os.File // nil unless the program runs
	notify func()
}

var _ exec.Sink = (*spool)(nil)

func (s *Service) spoolOf(id string) *spool { return &spool{dir: filepath.Join(s.o.LogDir, id)} }

func (s *spool) logFile() string     { return filepath.Join(s.dir, "build-log.txt") }
func (s *spool) artifacts() string   { return filepath.Join(s.dir, "artifacts") }
func (s *spool) outcomeFile() string { return filepath.Join(s.dir, "outcome.json") }

// newSpool makes an empty spool with an open log.
func (s *Service) newSpool(e job.Execution) (*spool, error) {
	sp := s.spoolOf(e.ID)
	if err := sp.remove(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(sp.artifacts(), 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for the results: %w", err)
	}
	log, err := os.Create(sp.logFile())
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	sp.log = log
	sp.notify = func() { s.o.Notify(LogTopic(e.ID)) }
	return sp, nil
}

// Write implements exec.Sink.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.log.Write(p)
	if err != nil {
		return n, fmt.Errorf("writing the log: %w", err)
	}
	s.notify()
	return n, nil
}

// Artifact implements exec.Sink.
func (s *spool) Artifact(_ context.Context, name string, r io.Reader) error {
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) {
		return fmt.Errorf("artifact %q is not inside the artifacts folder", name)
	}
	target := filepath.Join(s.artifacts(), local)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("keeping artifact %s: %w", name, err)
	}
	f, err := os.Create(target)
	if err != nil {
		return fmt.Errorf("keeping artifact %s: %w", name, err)
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keeping artifact %s: %w", name, err)
	}
	return nil
}

// Close closes the log.
func (s *spool) Close() error {
	if err := s.log.Close(); err != nil {
		return fmt.Errorf("closing the log: %w", err)
	}
	return nil
}

// conclude writes the outcome, whole or not at all.
func (s *spool) conclude(o outcome) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("writing the outcome: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("writing the outcome: %w", err)
	}
	part := s.outcomeFile() + ".part"
	if err := os.WriteFile(part, data, 0o644); err != nil {
		return fmt.Errorf("writing the outcome: %w", err)
	}
	if err := os.Rename(part, s.outcomeFile()); err != nil {
		return fmt.Errorf("writing the outcome: %w", err)
	}
	return nil
}

// outcome reads the outcome; false if the program did not get so far.
func (s *spool) outcome() (o outcome, ok bool, err error) {
	data, err := os.ReadFile(s.outcomeFile())
	if errors.Is(err, fs.ErrNotExist) {
		return outcome{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err != nil {
		return outcome{}, false, fmt.Errorf("reading the outcome: %w", err)
	}
	return o, true, nil
}

// openLog opens the log; fs.ErrNotExist if there is none.
func (s *spool) openLog() (*os.File, error) { return os.Open(s.logFile()) }

// exists reports whether there is anything: an execution aborted before it ran
// left nothing.
func (s *spool) exists() bool {
	_, err := os.Stat(s.artifacts())
	return err == nil
}

// anyArtifact reports whether there is an artifact of such a name.
func (s *spool) anyArtifact(is func(name string) bool) (bool, error) {
	found := false
	err := filepath.WalkDir(s.artifacts(), func(p string, d fs.DirEntry, err error) error {
		found = found || err == nil && !d.IsDir() && is(filepath.ToSlash(p))
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking through the artifacts: %w", err)
	}
	return found, nil
}

func (s *spool) remove() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("removing what is kept of the execution: %w", err)
	}
	return nil
}
