package result

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"
)

// Bounds of what is read of one build.
const (
	maxJSON      = 1 << 20 // of started.json and finished.json
	maxPodInfo   = 16 << 20
	mostFiles    = 100_000 // that are listed
	mostTests    = 1_000_000
	buildReaders = 4 // files read at a time
)

// LoadBuild reads the build at a path: started.json, finished.json,
// podinfo.json and the tests of its JUnit files, after a single listing that
// says which of them there are. What is malformed, or no file that can be read,
// goes into Irregular and costs no more than itself. The log is not read. The
// error wraps ErrNoBuild if neither started.json nor finished.json is there.
func LoadBuild(ctx context.Context, b *blob.Bucket, build string) (Build, error) {
	out := Build{ID: path.Base(build), Path: build}
	have, junit, err := out.files(ctx, b)
	if err != nil {
		return Build{}, err
	}
	if !have[StartedFile] && !have[FinishedFile] {
		return Build{}, fmt.Errorf("reading %s: %w", build, ErrNoBuild)
	}
	var started, finished, pod jsonFile
	g, inner := errgroup.WithContext(ctx)
	for name, into := range map[string]*jsonFile{StartedFile: &started, FinishedFile: &finished, PodInfoFile: &pod} {
		if have[name] {
			g.Go(func() (err error) {
				*into, err = readJSON(inner, b, path.Join(build, name))
				return err
			})
		}
	}
	var tests []junitFile
	g.Go(func() (err error) {
		tests, err = readJUnit(inner, b, path.Join(build, ArtifactsFolder), junit)
		return err
	})
	if err := g.Wait(); err != nil {
		return Build{}, err
	}
	out.started(out.object(StartedFile, started))
	out.finished(out.object(FinishedFile, finished))
	out.pod(pod)
	if s, f := out.Started, out.Finished; s != nil && f != nil && f.Timestamp > 0 && f.Timestamp < s.Timestamp {
		out.irregular("it finished %d s before it started", s.Timestamp-f.Timestamp)
	}
	out.add(tests)
	return out, nil
}

// files lists what is stored of a build: which of the files that tell of it as a
// whole, and the JUnit files, by names relative to its artifacts.
func (o *Build) files(ctx context.Context, b *blob.Bucket) (have map[string]bool, junit []Artifact, err error) {
	prefix := strings.TrimSuffix(o.Path, "/") + "/"
	have = map[string]bool{}
	seen := 0
	for it := b.List(&blob.ListOptions{Prefix: prefix}); ; seen++ {
		object, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return have, junit, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("listing the files of %s: %w", o.Path, err)
		}
		if seen == mostFiles {
			o.irregular("more than %d files: the rest was passed over", mostFiles)
			return have, junit, o.beyond(ctx, b, have)
		}
		file := strings.TrimPrefix(object.Key, prefix)
		name, isArtifact := strings.CutPrefix(file, ArtifactsFolder+"/")
		isJUnit := isArtifact && IsJUnit(name)
		switch {
		case object.Size < 0: // see OpenFolder
			o.irregular("the folder %.200q cannot be read", file)
			o.malformed("not all results can be read")
		case !utf8.ValidString(file):
			o.irregular("%.200q is no name and was passed over", file)
			if isJUnit {
				o.malformed("not all results can be read")
			}
		case isJUnit:
			junit = append(junit, Artifact{Name: name, Size: object.Size})
		case told[file]:
			have[file] = true
		}
	}
}

// told are the files that tell of a build as a whole.
var told = map[string]bool{StartedFile: true, FinishedFile: true, PodInfoFile: true}

// beyond looks for those of them that a listing did not come to.
func (o *Build) beyond(ctx context.Context, b *blob.Bucket, have map[string]bool) error {
	for name := range told {
		if have[name] {
			continue
		}
		ok, err := there(ctx, b, path.Join(o.Path, name))
		if err != nil {
			return err
		}
		have[name] = ok
	}
	return nil
}

// there reports whether a bucket has a key, even if it cannot be read.
func there(ctx context.Context, b *blob.Bucket, key string) (bool, error) {
	ok, err := b.Exists(ctx, key)
	if errors.Is(err, ErrUnreadable) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for %s: %w", key, err)
	}
	return ok, nil
}

// Told reports whether there is a build at a path in Prow's layout: whether it
// says that it started or finished.
func Told(ctx context.Context, b *blob.Bucket, build string) (bool, error) {
	for _, name := range []string{StartedFile, FinishedFile} {
		if ok, err := there(ctx, b, path.Join(build, name)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// jsonFile is a file as it is stored; there is none if data is nil.
type jsonFile struct {
	data  []byte
	long  bool
	fault error // there is one, but it cannot be read
}

func readJSON(ctx context.Context, b *blob.Bucket, key string) (jsonFile, error) {
	limit := int64(maxJSON)
	if path.Base(key) == PodInfoFile {
		limit = maxPodInfo
	}
	r, err := b.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return jsonFile{}, nil // deleted since it was listed
	}
	if errors.Is(err, ErrUnreadable) {
		return jsonFile{fault: err}, nil
	}
	if err != nil {
		return jsonFile{}, fmt.Errorf("reading %s: %w", key, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return jsonFile{}, fmt.Errorf("reading %s: %w", key, err)
	}
	data = inflated(data, limit)
	return jsonFile{data: data, long: int64(len(data)) > limit}, nil
}

// object reads a file as a JSON object; nil if it is none, which makes the build
// malformed: what it says of itself cannot be known.
func (o *Build) object(name string, f jsonFile) map[string]any {
	if f.data == nil && f.fault == nil {
		return nil
	}
	var fields map[string]any
	switch err := json.Unmarshal(f.data, &fields); {
	case f.fault != nil:
		o.irregular("%s: %v", name, ErrUnreadable)
	case f.long:
		o.irregular("%s is larger than %d bytes and was passed over", name, maxJSON)
	case err != nil || fields == nil:
		o.irregular("%s is no JSON object and was passed over", name)
	default:
		return fields
	}
	o.malformed(name + " cannot be read")
	return nil
}

func (o *Build) malformed(why string) {
	if o.Malformed == "" {
		o.Malformed = why
	}
}

// junitFile is what was read of one file.
type junitFile struct {
	name  string
	tests []TestResult
	fault *MalformedError
	junitSuites
}

// readJUnit reads files below a folder, some at a time, and returns them in
// their order.
func readJUnit(ctx context.Context, b *blob.Bucket, folder string, files []Artifact) ([]junitFile, error) {
	out := make([]junitFile, len(files))
	free := sync.Pool{New: func() any { return &junitParser{} }}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(buildReaders)
	for i, f := range files {
		g.Go(func() error {
			p := free.Get().(*junitParser)
			defer free.Put(p)
			var err error
			out[i], err = p.file(ctx, b, folder, f)
			return err
		})
	}
	return out, g.Wait()
}

// file reads one file. One that is too large is not read at all.
func (p *junitParser) file(ctx context.Context, b *blob.Bucket, folder string, f Artifact) (junitFile, error) {
	out := junitFile{name: f.Name}
	if limit := (Limits{}).withDefaults().Bytes; f.Size > limit {
		out.fault = &MalformedError{Why: fmt.Sprintf("larger than %d bytes", limit)}
		return out, nil
	}
	key := path.Join(folder, f.Name)
	r, err := b.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return out, nil // deleted since it was listed
	}
	if errors.Is(err, ErrUnreadable) {
		out.fault = &MalformedError{Why: ErrUnreadable.Error()}
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("reading %s: %w", key, err)
	}
	err = p.parse(r, Limits{})
	out.tests, out.junitSuites = p.tests, p.junitSuites
	if err != nil && !errors.As(err, &out.fault) {
		return out, errors.Join(fmt.Errorf("reading %s: %w", key, err), r.Close())
	}
	context, _, thread := FileParts(f.Name)
	for i := range out.tests {
		out.tests[i].File, out.tests[i].Context, out.tests[i].Thread = f.Name, context, thread
	}
	if err := r.Close(); err != nil {
		return out, fmt.Errorf("reading %s: %w", key, err)
	}
	return out, nil
}

// add takes over the tests of files.
func (o *Build) add(files []junitFile) {
	total := 0
	for _, f := range files {
		total += len(f.tests)
	}
	if o.Tests == nil && total > 0 {
		o.Tests = make([]TestResult, 0, min(total, mostTests))
	}
	for _, f := range files {
		if f.fault != nil {
			o.irregular("%s: %v; the %d tests before that were read", f.name, f.fault, len(f.tests))
			o.malformed(fmt.Sprintf("%s: %v", f.name, f.fault))
		}
		room := mostTests - len(o.Tests)
		if len(f.tests) > room {
			o.irregular("%s: more than %d tests in one build: %d were passed over", f.name, mostTests, len(f.tests)-room)
		}
		o.Tests = append(o.Tests, f.tests[:min(room, len(f.tests))]...)
	}
}

var fileParts = regexp.MustCompile(`^junit(?:((?:_[^_]+)?)((?:_\d+-\d+)?)((?:_\d+)?)|(.+))\.xml$`)

// FileParts is what the name of a JUnit file says of its tests: the context
// they ran in, when, and which of several processes ran them, each empty if it
// does not say. The form is TestGrid's:
//
//	junit_gce-slow_20260102-1504_07.xml → gce-slow, 20260102-1504, 07
//
// Of a name in no such form, what follows "junit" is the context.
func FileParts(name string) (context, timestamp, thread string) {
	m := fileParts.FindStringSubmatch(path.Base(name))
	if m == nil {
		return "", "", ""
	}
	cut := func(s string) string { return strings.TrimPrefix(s, "_") }
	return cut(m[1]) + cut(m[4]), cut(m[2]), cut(m[3])
}
