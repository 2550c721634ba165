package result

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/job"
)

// Writer stores the results of one execution. Its calls may be repeated after
// a crash: each writes the same bytes to the same place.
type Writer struct {
	bucket *blob.Bucket
	e      job.Execution
	// Root stands before paths in alias files; see NewWriter.
	Root string
	// tip is what a branch whose commit nobody chose turned out to be at.
	tip string
}

// NewWriter returns a writer of the execution's folder: its Path, or
// job.ResultPath if that is empty. Alias files lead to "gs://seaworthy/…"
// unless Root is set to the bucket's own address.
func NewWriter(bucket *blob.Bucket, e job.Execution) *Writer {
	if e.Path == "" {
		e.Path = job.ResultPath(e)
	}
	return &Writer{bucket: bucket, e: e, Root: "gs://seaworthy/"}
}

// Path returns the folder, relative to the bucket's root.
func (w *Writer) Path() string { return w.e.Path }

// Started writes prowjob.json, started.json, the alias of a presubmit and the
// files that name the latest build, which are only ever raised.
func (w *Writer) Started(ctx context.Context, now time.Time) error {
	s := Started{Timestamp: now.Unix(), Repos: map[string]string{}}
	if len(w.e.Refs.Pulls) > 0 {
		s.Pull = strconv.Itoa(w.e.Refs.Pulls[0].Number)
	}
	s.RepoCommit = revision(w.e)
	s.RepoVersion = s.RepoCommit
	for _, r := range append([]job.Refs{w.e.Refs}, w.e.Extra...) {
		if r.Repo != "" {
			s.Repos[r.Org+"/"+r.Repo] = r.String()
		}
	}
	if err := w.json(ctx, ProwJobFile, newProwJob(w.e)); err != nil {
		return err
	}
	if err := w.json(ctx, StartedFile, s); err != nil {
		return err
	}
	if alias := job.AliasPath(w.e); alias != "" {
		link := w.Root + w.e.Path
		if err := w.put(ctx, alias, link, map[string]string{"link": link}); err != nil {
			return err
		}
	}
	for _, p := range job.LatestPaths(w.e) {
		if err := w.raise(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// revision is the commit that is tested: the first pull request's, else the
// base's, else the branch until its commit is known.
func revision(e job.Execution) string {
	refs := mainRefs(e)
	switch {
	case len(refs.Pulls) > 0:
		return refs.Pulls[0].SHA
	case refs.BaseSHA != "":
		return refs.BaseSHA
	}
	return refs.BaseRef
}

// mainRefs is the source that is tested: a periodic's is the first beside it.
func mainRefs(e job.Execution) job.Refs {
	if e.Refs.Repo != "" {
		return e.Refs
	}
	i := slices.IndexFunc(e.Extra, func(r job.Refs) bool { return !r.Auxiliary })
	if i < 0 {
		return job.Refs{}
	}
	return e.Extra[i]
}

// raise writes the build's id unless a later one is there.
func (w *Writer) raise(ctx context.Context, key string) error {
	have, err := w.bucket.ReadAll(ctx, key)
	if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	if err == nil && job.CompareBuildIDs(strings.TrimSpace(string(have)), w.e.BuildID) >= 0 {
		return nil
	}
	return w.put(ctx, key, w.e.BuildID, nil)
}

// Log opens build-log.txt for writing. Readers see it once it is closed; when
// ctx ends before that, nothing is stored.
func (w *Writer) Log(ctx context.Context) (io.WriteCloser, error) {
	lw, err := w.bucket.NewWriter(ctx, path.Join(w.e.Path, LogFile), &blob.WriterOptions{ContentType: "text/plain; charset=utf-8"})
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", w.e.Path, err)
	}
	return lw, nil
}

// Artifact stores one artifact. The name is relative to the artifacts folder,
// with forward slashes.
func (w *Writer) Artifact(ctx context.Context, name string, r io.Reader) error {
	if err := cleanName(name); err != nil {
		return err
	}
	key := path.Join(w.e.Path, ArtifactsFolder, name)
	if err := w.bucket.Upload(ctx, key, r, &blob.WriterOptions{ContentType: contentType(name)}); err != nil {
		return fmt.Errorf("storing artifact %s: %w", name, err)
	}
	return nil
}

// contentType names the types a browser should show; the rest is not guessed
// from the content, which the job chose.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".xml":
		return "application/xml"
	case ".json":
		return "application/json"
	case ".txt", ".log", ".out", ".md", ".yaml", ".yml", ".csv":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// Artifacts stores every regular file below a folder and returns the names of
// those left out: links, devices and names that cannot be stored. Nothing
// outside the folder is read, whatever links are in it.
func (w *Writer) Artifacts(ctx context.Context, folder string) (skipped []string, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the artifacts: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	walk := func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("walking the artifacts: %w", err)
		case d.IsDir():
			return nil
		case !d.Type().IsRegular() || cleanName(name) != nil:
			skipped = append(skipped, name)
			return nil
		}
		return w.artifactFile(ctx, root, name)
	}
	return skipped, fs.WalkDir(root.FS(), ".", walk)
}

func (w *Writer) artifactFile(ctx context.Context, root *os.Root, name string) (err error) {
	f, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("opening artifact %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return w.Artifact(ctx, name, f)
}

// CloneRecords writes clone-records.json. Where nobody chose a commit, Finished
// then says which one it was, as a branch's name says little the next day.
func (w *Writer) CloneRecords(ctx context.Context, records []CloneRecord) error {
	refs := mainRefs(w.e)
	for _, r := range records {
		if len(refs.Pulls) == 0 && refs.BaseSHA == "" && r.Refs.Org == refs.Org && r.Refs.Repo == refs.Repo && refs.Repo != "" {
			w.tip = r.FinalSHA
			break
		}
	}
	return w.json(ctx, CloneRecordsFile, records)
}

// Finished writes prowjob.json anew and then finished.json, the mark that the
// results are complete: call it last. The execution is as it ended, with
// State, FinishedAt and Description; metadata may be nil.
func (w *Writer) Finished(ctx context.Context, e job.Execution, metadata map[string]any) error {
	f := Finished{
		Timestamp: e.FinishedAt.Unix(), Passed: e.State == job.Success,
		Result: ResultFailure, Revision: cmp.Or(w.tip, revision(e)), Metadata: metadata,
	}
	switch e.State {
	case job.Success:
		f.Result = ResultSuccess
	case job.Aborted:
		f.Result = ResultAborted
	}
	if err := w.json(ctx, ProwJobFile, newProwJob(e)); err != nil {
		return err
	}
	return w.json(ctx, FinishedFile, f)
}

func (w *Writer) json(ctx context.Context, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	if err := w.bucket.WriteAll(ctx, path.Join(w.e.Path, name), data, &blob.WriterOptions{ContentType: "application/json"}); err != nil {
		return fmt.Errorf("writing %s of %s: %w", name, w.e.Path, err)
	}
	return nil
}

func (w *Writer) put(ctx context.Context, key, text string, metadata map[string]string) error {
	o := &blob.WriterOptions{ContentType: "text/plain; charset=utf-8", Metadata: metadata}
	if err := w.bucket.WriteAll(ctx, key, []byte(text), o); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	return nil
}
