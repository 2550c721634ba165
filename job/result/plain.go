package result

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/job"
)

// PlainRef is a folder of JUnit files that stands for a build: results of
// another system, of which no started.json tells.
type PlainRef struct {
	Ref
	// Modified is when its newest file was stored, First the oldest.
	Modified, First time.Time
	files           []Artifact // relative to Path
}

// mostPlain bounds how many files are listed below a folder of such builds.
const mostPlain = 1_000_000

// PlainBuilds lists the builds below a folder of JUnit files, newest first by
// when they were stored: each folder in it that holds XML files, at whatever
// depth, is a build of that name, and files in the folder itself are one of
// the folder's name. What a build ran, and when, is only known once it is
// loaded.
//
//	refs, err := result.PlainBuilds(ctx, bucket, "imported/unit")
//	build, err := refs[0].Load(ctx, bucket)
func PlainBuilds(ctx context.Context, b *blob.Bucket, folder string) ([]PlainRef, error) {
	folder = strings.Trim(folder, "/")
	prefix := folder + "/"
	if folder == "" {
		prefix = ""
	}
	byID := map[string]*PlainRef{}
	seen := 0
	for it := b.List(&blob.ListOptions{Prefix: prefix}); ; seen++ {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("listing the results in %s: %w", folder, err)
		}
		if seen >= mostPlain {
			return nil, fmt.Errorf("listing the results in %s: more than %d files: name a smaller folder", folder, mostPlain)
		}
		name := strings.TrimPrefix(o.Key, prefix)
		if !strings.HasSuffix(strings.ToLower(name), ".xml") || !utf8.ValidString(name) {
			continue
		}
		id, file, below := strings.Cut(name, "/")
		at := path.Join(folder, id)
		if !below {
			id, file, at = path.Base(path.Join("/", folder)), name, folder
		}
		r := byID[at]
		if r == nil {
			r = &PlainRef{Ref: Ref{ID: strings.Trim(id, "/"), Path: at}, First: o.ModTime}
			byID[at] = r
		}
		if o.ModTime.Before(r.First) {
			r.First = o.ModTime
		}
		if o.ModTime.After(r.Modified) {
			r.Modified = o.ModTime
		}
		r.files = append(r.files, Artifact{Name: file, Size: o.Size})
	}
	refs := make([]PlainRef, 0, len(byID))
	for _, r := range byID {
		refs = append(refs, *r)
	}
	slices.SortFunc(refs, func(x, y PlainRef) int {
		if c := y.Modified.Compare(x.Modified); c != 0 {
			return c
		}
		return job.CompareBuildIDs(y.ID, x.ID)
	})
	return refs, nil
}

// Load reads the build. It started when its first suite did or, if none says,
// when its first file was stored; it passed if no test failed. XML files that
// are something else are named in Irregular.
func (r PlainRef) Load(ctx context.Context, b *blob.Bucket) (Build, error) {
	out := Build{ID: r.ID, Path: r.Path}
	files, err := readJUnit(ctx, b, r.Path, r.files)
	if err != nil {
		return Build{}, err
	}
	started, finished := time.Time{}, r.Modified
	files = slices.DeleteFunc(files, func(f junitFile) bool {
		if f.other {
			out.irregular("%s is no JUnit file and was passed over", f.name)
			return true
		}
		if !f.begun.IsZero() && (started.IsZero() || f.begun.Before(started)) {
			started = f.begun
		}
		return false
	})
	out.add(files)
	if started.IsZero() {
		started = r.First
	}
	if finished.Before(started) {
		finished = started // a clock was wrong
	}
	out.Started = &Started{Timestamp: started.Unix()}
	out.Finished = &Finished{Timestamp: finished.Unix(), Passed: out.Malformed == "", Result: ResultSuccess}
	for _, t := range out.Tests {
		out.Finished.Passed = out.Finished.Passed && t.Status != Fail
	}
	if !out.Finished.Passed {
		out.Finished.Result = ResultFailure
	}
	return out, nil
}

// LoadPlain reads every build of a folder as PlainBuilds lists them, newest
// first by when they started. Folders without any JUnit file are left out.
func LoadPlain(ctx context.Context, b *blob.Bucket, folder string) ([]Build, error) {
	refs, err := PlainBuilds(ctx, b, folder)
	if err != nil {
		return nil, err
	}
	builds := make([]Build, len(refs))
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(buildReaders)
	for i, r := range refs {
		g.Go(func() (err error) {
			builds[i], err = r.Load(inner, b)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	builds = slices.DeleteFunc(builds, func(b Build) bool { return len(b.Tests) == 0 && b.Malformed == "" && len(b.Irregular) > 0 })
	slices.SortStableFunc(builds, func(x, y Build) int {
		if x.Started.Timestamp != y.Started.Timestamp {
			return int(y.Started.Timestamp - x.Started.Timestamp)
		}
		return job.CompareBuildIDs(y.ID, x.ID)
	})
	return builds, nil
}
