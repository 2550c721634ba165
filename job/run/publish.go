package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"seaworthy/job"
	"seaworthy/job/exec"
	"seaworthy/job/result"
)

// junitArtifact is the file that test results found in the log go to.
const junitArtifact = "junit_log.xml"

func (s *Service) writer(e job.Execution) *result.Writer { return result.NewWriter(s.o.Bucket, e) }

// publishStart lets the bucket's readers know that the execution runs.
func (s *Service) publishStart(ctx context.Context, e job.Execution) error {
	return s.writer(e).Started(ctx, e.StartedAt)
}

// publish uploads what an execution produced in Prow's order. All of it can be
// uploaded again.
func (s *Service) publish(ctx context.Context, e job.Execution, o outcome, sp *spool) error {
	w := s.writer(e)
	if err := w.Started(ctx, e.StartedAt); err != nil {
		return err
	}
	if err := publishLog(ctx, w, sp, o.Description); err != nil {
		return err
	}
	if len(o.Result.Sources) > 0 {
		if err := w.CloneRecords(ctx, cloneRecords(o.Result.Sources)); err != nil {
			return err
		}
	}
	if err := publishTests(ctx, w, e, sp); err != nil {
		return err
	}
	if sp.exists() {
		skipped, err := w.Artifacts(ctx, sp.artifacts())
		if err != nil {
			return err
		}
		if len(skipped) > 0 {
			s.o.Log.WarnContext(ctx, "artifacts whose names cannot be stored are left out", "execution", e.ID, "names", skipped)
		}
	}
	return w.Finished(ctx, e, metadata(o))
}

func metadata(o outcome) map[string]any {
	m := map[string]any{"exit-code": o.Result.ExitCode}
	if o.Result.TimedOut {
		m["timed-out"] = true
	}
	return m
}

// publishLog uploads the log. An execution that never ran has one that says
// so, and one whose program was lost ends with that.
func publishLog(ctx context.Context, w *result.Writer, sp *spool, description string) (err error) {
	// A context that ends before Close keeps half a log from being stored.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to, err := w.Log(ctx)
	if err != nil {
		return err
	}
	if err := writeLog(to, sp, description); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("uploading the log: %w", err), ignoreCanceled(to.Close()))
	}
	if err := to.Close(); err != nil {
		return fmt.Errorf("uploading the log: %w", err)
	}
	return nil
}

func writeLog(to io.Writer, sp *spool, description string) error {
	from, err := sp.openLog()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		_, err = io.Copy(to, from)
		if err = errors.Join(err, from.Close()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(to, "\n%s\n", description)
	return err
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// publishTests makes a JUnit file of the log if the job asks for it and has
// written none itself.
func publishTests(ctx context.Context, w *result.Writer, e job.Execution, sp *spool) error {
	if e.Spec.Annotations[result.JUnitAnnotation] != result.GoTest {
		return nil
	}
	if own, err := sp.anyArtifact(result.IsJUnit); err != nil || own {
		return err
	}
	log, err := sp.openLog()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var junit strings.Builder
	n, err := result.JUnitFromGoTest(log, &junit)
	if err = errors.Join(err, log.Close()); err != nil {
		return fmt.Errorf("reading the tests in the log: %w", err)
	}
	if n == 0 {
		return nil
	}
	return w.Artifact(ctx, junitArtifact, strings.NewReader(junit.String()))
}

func cloneRecords(sources []exec.Source) []result.CloneRecord {
	var records []result.CloneRecord
	for _, s := range sources {
		r := result.CloneRecord{Refs: s.Refs, FinalSHA: s.SHA, Failed: s.SHA == "", Duration: s.Duration}
		for _, c := range s.Commands {
			r.Commands = append(r.Commands, result.CloneCommand{Command: c.Line, Output: c.Output, Error: c.Error})
		}
		records = append(records, r)
	}
	return records
}
