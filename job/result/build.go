package result

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Build is what is stored of one execution.
type Build struct {
	ID   string
	Path string
	// Started and Finished are nil where the file is missing or unreadable.
	Started  *Started
	Finished *Finished
	// Pod is nil when no podinfo.json is stored (yet).
	Pod   *Pod
	Tests []TestResult
	// Malformed says why a JUnit file could not be read to its end, empty if
	// all could.
	Malformed string
	// Irregular says what was not as it should be, and how it was read.
	Irregular []string
}

// maxJSON bounds what is read of started.json and finished.json.
const maxJSON = 1 << 20

// LoadBuild reads the build at a path: started.json, finished.json and the
// tests of its JUnit files. What is malformed goes into Irregular. The error
// wraps ErrNoBuild if neither started.json nor finished.json is there.
func LoadBuild(ctx context.Context, b *blob.Bucket, build string) (Build, error) {
	out := Build{ID: path.Base(build), Path: build}
	started, err := out.readJSON(ctx, b, StartedFile)
	if err != nil {
		return Build{}, err
	}
	finished, err := out.readJSON(ctx, b, FinishedFile)
	if err != nil {
		return Build{}, err
	}
	if started == nil && finished == nil && len(out.Irregular) == 0 {
		return Build{}, fmt.Errorf("reading %s: %w", build, ErrNoBuild)
	}
	out.started(started)
	out.finished(finished)
	artifacts, err := Artifacts(ctx, b, build)
	if err != nil {
		return Build{}, err
	}
	for _, a := range artifacts {
		if IsJUnit(a.Name) {
			if err := out.junit(ctx, b, a.Name); err != nil {
				return Build{}, err
			}
		}
	}
	return out, nil
}

func (o *Build) irregular(format string, args ...any) {
	o.Irregular = append(o.Irregular, fmt.Sprintf(format, args...))
}

func (o *Build) readJSON(ctx context.Context, b *blob.Bucket, name string) (map[string]any, error) {
	r, err := b.NewReader(ctx, path.Join(o.Path, name), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s of %s: %w", name, o.Path, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxJSON))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("reading %s of %s: %w", name, o.Path, err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		o.irregular("%s is no JSON object and was passed over", name)
		return nil, nil
	}
	return fields, nil
}

func (o *Build) started(fields map[string]any) {
	if fields == nil {
		return
	}
	s := &Started{
		Timestamp: o.seconds(StartedFile, fields["timestamp"]), Pull: o.text(StartedFile, "pull", fields["pull"]),
		RepoCommit:  o.text(StartedFile, "repo-commit", fields["repo-commit"]),
		RepoVersion: o.text(StartedFile, "repo-version", fields["repo-version"]),
		Node:        o.text(StartedFile, "node", fields["node"]),
	}
	s.Metadata, _ = fields["metadata"].(map[string]any)
	if repos, ok := fields["repos"].(map[string]any); ok {
		s.Repos = make(map[string]string, len(repos))
		for name, refs := range repos {
			s.Repos[name] = o.text(StartedFile, "repos", refs)
		}
	}
	if s.RepoCommit == "" {
		s.RepoCommit = s.RepoVersion
	}
	o.Started = s
}

func (o *Build) finished(fields map[string]any) {
	if fields == nil {
		return
	}
	f := &Finished{
		Timestamp: o.seconds(FinishedFile, fields["timestamp"]),
		Result:    strings.ToUpper(o.text(FinishedFile, "result", fields["result"])),
		Revision:  o.text(FinishedFile, "revision", fields["revision"]),
	}
	f.Metadata, _ = fields["metadata"].(map[string]any)
	passed, given := fields["passed"].(bool)
	f.Passed = passed
	switch {
	case !given && f.Result == "":
		o.irregular("%s says neither passed nor result: read as failed", FinishedFile)
	case !given:
		f.Passed = f.Result == ResultSuccess
	case f.Result != "" && f.Passed != (f.Result == ResultSuccess):
		o.irregular("%s says passed %t, but result %s: read as %[2]t", FinishedFile, f.Passed, f.Result)
	}
	if f.Result == "" {
		f.Result = ResultFailure
		if f.Passed {
			f.Result = ResultSuccess
		}
	}
	o.Finished = f
}

// seconds reads a time in seconds; milliseconds and texts are seen, too.
func (o *Build) seconds(file string, v any) int64 {
	var n float64
	switch v := v.(type) {
	case float64:
		n = v
	case string:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			o.irregular("%s: timestamp %q is no number and was passed over", file, v)
			return 0
		}
		o.irregular("%s: timestamp is a text", file)
		n = f
	case nil:
		o.irregular("%s has no timestamp", file)
		return 0
	default:
		o.irregular("%s: timestamp is neither number nor text and was passed over", file)
		return 0
	}
	if n > 1e11 && n < 1e14 {
		o.irregular("%s: timestamp is in milliseconds", file)
		n /= 1000
	}
	if math.IsNaN(n) || n < 0 || n > 1e11 {
		o.irregular("%s: timestamp %v is no time and was passed over", file, v)
		return 0
	}
	return int64(n)
}

func (o *Build) text(file, field string, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		o.irregular("%s: %s is a number", file, field)
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	o.irregular("%s: %s is no text and was passed over", file, field)
	return ""
}

// junit adds the tests of one file.
func (o *Build) junit(ctx context.Context, b *blob.Bucket, name string) error {
	r, err := b.NewReader(ctx, path.Join(o.Path, ArtifactsFolder, name), nil)
	if err != nil {
		return fmt.Errorf("reading %s of %s: %w", name, o.Path, err)
	}
	tests, err := ParseJUnit(r, Limits{})
	if err != nil {
		var malformed *MalformedError
		if !errors.As(err, &malformed) {
			return errors.Join(fmt.Errorf("reading %s of %s: %w", name, o.Path, err), r.Close())
		}
		o.irregular("%s: %v; the %d tests before that were read", name, err, len(tests))
		if o.Malformed == "" {
			o.Malformed = fmt.Sprintf("%s: %v", name, err)
		}
	}
	for i := range tests {
		tests[i].File = name
	}
	o.Tests = append(o.Tests, tests...)
	return r.Close()
}
