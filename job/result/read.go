package result

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/job"
)

// ErrNoBuild: there is nothing where a build was looked for.
var ErrNoBuild = errors.New("no such build")

// Ref is a build of a listing.
type Ref struct {
	ID   string
	Path string // relative to the bucket's root
}

// Builds lists the builds below a folder, newest first: at most limit of those
// whose id is lower than before, all if limit is 0, from the newest if before
// is empty. The folder is a job's (job.IndexPath, job.JobPath); in a folder of
// aliases the builds they lead to are returned.
func Builds(ctx context.Context, b *blob.Bucket, folder, before string, limit int) ([]Ref, error) {
	refs, err := list(ctx, b, folder, before, limit)
	if err != nil {
		return nil, err
	}
	return follow(ctx, b, refs)
}

// NewBuilds is Builds without the ids that are known already, whose aliases
// are not read again. They count for the limit.
func NewBuilds(ctx context.Context, b *blob.Bucket, folder string, limit int, known func(id string) bool) ([]Ref, error) {
	refs, err := list(ctx, b, folder, "", limit)
	if err != nil {
		return nil, err
	}
	return follow(ctx, b, slices.DeleteFunc(refs, func(r Ref) bool { return known(r.ID) }))
}

func list(ctx context.Context, b *blob.Bucket, folder, before string, limit int) ([]Ref, error) {
	prefix := strings.TrimSuffix(folder, "/") + "/"
	var refs []Ref
	for it := b.List(&blob.ListOptions{Prefix: prefix, Delimiter: "/"}); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("listing the builds of %s: %w", folder, err)
		}
		name := strings.TrimPrefix(o.Key, prefix)
		id, isAlias := strings.CutSuffix(name, ".txt")
		if o.IsDir {
			id = strings.TrimSuffix(name, "/")
		}
		if !o.IsDir && (!isAlias || name == latestFile) || !buildID.MatchString(id) {
			continue
		}
		if before == "" || job.CompareBuildIDs(id, before) < 0 {
			refs = append(refs, Ref{ID: id, Path: strings.TrimSuffix(o.Key, "/")})
		}
	}
	refs = oldestFirst(refs)
	slices.Reverse(refs)
	if limit > 0 && len(refs) > limit {
		refs = refs[:limit]
	}
	return refs, nil
}

// follow replaces aliases by what they lead to, and leaves out those that lead
// nowhere.
func follow(ctx context.Context, b *blob.Bucket, refs []Ref) ([]Ref, error) {
	found := refs[:0]
	for _, r := range refs {
		to, err := Follow(ctx, b, r)
		if errors.Is(err, ErrNoBuild) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, to)
	}
	return found, nil
}

var buildID = regexp.MustCompile(`^[0-9][0-9A-Za-z._-]*$`)

// aliasTarget strips scheme and bucket from what an alias file holds.
func aliasTarget(s string) string {
	s = strings.Trim(strings.TrimSpace(s), "/")
	for _, top := range []string{"pr-logs/", "logs/"} {
		if i := strings.Index(s, "/"+top); i >= 0 {
			return s[i+1:]
		}
	}
	return s
}

// Latest returns the id of the newest build of a folder as latest-build.txt
// names it, "" if there is none.
func Latest(ctx context.Context, b *blob.Bucket, folder string) (string, error) {
	data, err := b.ReadAll(ctx, path.Join(folder, latestFile))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the latest build of %s: %w", folder, err)
	}
	return strings.TrimSpace(string(data)), nil
}

// Artifact is a stored file of a build.
type Artifact struct {
	Name string // relative to the artifacts folder
	Size int64
}

// Artifacts lists the artifacts of the build at a path, by name.
func Artifacts(ctx context.Context, b *blob.Bucket, build string) ([]Artifact, error) {
	prefix := path.Join(build, ArtifactsFolder) + "/"
	var all []Artifact
	for it := b.List(&blob.ListOptions{Prefix: prefix}); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the artifacts of %s: %w", build, err)
		}
		all = append(all, Artifact{Name: strings.TrimPrefix(o.Key, prefix), Size: o.Size})
	}
}

// IsJUnit reports whether an artifact holds test results, by its name:
// junit*.xml or test.xml in whatever folder.
func IsJUnit(name string) bool {
	base := path.Base(name)
	return base == "test.xml" || strings.HasPrefix(base, "junit") && strings.HasSuffix(base, ".xml")
}

// LogSize returns the size of a build's log in bytes; ErrNoBuild if none is
// stored (yet).
func LogSize(ctx context.Context, b *blob.Bucket, build string) (int64, error) {
	a, err := b.Attributes(ctx, path.Join(build, LogFile))
	if err != nil {
		return 0, missing("the log of "+build, err)
	}
	return a.Size, nil
}

// OpenLog opens a build's log from an offset; a negative offset counts from
// the end, and an offset past the end gives an empty reader. A negative length
// means all. It returns the offset that is read from. The caller closes the
// reader. The error wraps ErrNoBuild if no log is stored (yet).
func OpenLog(ctx context.Context, b *blob.Bucket, build string, offset, length int64) (io.ReadCloser, int64, error) {
	size, err := LogSize(ctx, b, build)
	if err != nil {
		return nil, 0, err
	}
	if offset < 0 {
		offset = max(0, size+offset)
	}
	offset = min(offset, size)
	r, err := b.NewRangeReader(ctx, path.Join(build, LogFile), offset, length, nil)
	if err != nil {
		return nil, 0, missing("the log of "+build, err)
	}
	return r, offset, nil
}

func missing(what string, err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound || errors.Is(err, ErrUnreadable) {
		return fmt.Errorf("reading %s: %w: %w", what, ErrNoBuild, err)
	}
	return fmt.Errorf("reading %s: %w", what, err)
}
