package result

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gocloud.dev/blob"

	"seaworthy/job"
)

// List lists the builds below a folder, oldest first, and follows no aliases:
// see Follow.
func List(ctx context.Context, b *blob.Bucket, folder string) ([]Ref, error) {
	return ListFrom(ctx, b, folder, "", nil)
}

// steadyDigits is how long a number is that is made of the time, as Prow's are:
// those of the next hundred years are as long.
const steadyDigits = 16

var number = regexp.MustCompile(`^[1-9][0-9]*$`)

// Steady reports whether later builds than that of an id sort after it by their
// characters, too. Such numbers do not start again either.
func Steady(id string) bool { return len(id) >= steadyDigits && number.MatchString(id) }

// ListFrom is List for one who wants no builds with lower numbers than that of
// one: it may leave them out. A folder of a hundred thousand builds takes a
// hundred requests to list, one after the other, and the newest of them one.
//
// begin has the bucket's service begin a listing with the names that sort after
// one, if it can; as is what ListOptions.BeforeList gets. Names sort by their
// characters, so it is not asked where a later number may be longer.
func ListFrom(ctx context.Context, b *blob.Bucket, folder, id string, begin func(as func(any) bool, name string) error) ([]Ref, error) {
	prefix := strings.TrimSuffix(folder, "/") + "/"
	o := &blob.ListOptions{Prefix: prefix, Delimiter: "/"}
	if begin != nil && Steady(id) {
		o.BeforeList = func(as func(any) bool) error { return begin(as, id) }
	}
	var refs []Ref
	for it := b.List(o); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("listing the builds of %s: %w", folder, err)
		}
		if r, ok := refOf(prefix, strings.TrimSuffix(strings.TrimPrefix(o.Key, prefix), "/"), o.IsDir); ok {
			refs = append(refs, r)
		}
	}
	return oldestFirst(refs), nil
}

// oldestFirst orders refs. A folder and an alias of one id are one build, the one
// that the alias names.
func oldestFirst(refs []Ref) []Ref {
	slices.SortStableFunc(refs, byID)
	return slices.CompactFunc(refs, func(x, y Ref) bool { return x.ID == y.ID })
}

func byID(x, y Ref) int {
	if c := job.CompareBuildIDs(x.ID, y.ID); c != 0 {
		return c
	}
	if c := strings.Compare(x.ID, y.ID); c != 0 {
		return c
	}
	return len(y.Path) - len(x.Path) // that of a folder lacks .txt
}

// refOf is the build that an entry of a job's folder stands for, if it does; a
// name that is no UTF-8 cannot be asked a bucket for.
// Prow numbers builds, but other systems that write its layout name them after
// versions or commits; of aliases only those with a number are such.
func refOf(prefix, name string, dir bool) (Ref, bool) {
	if dir {
		return Ref{ID: name, Path: prefix + name}, name != "" && utf8.ValidString(name)
	}
	id, isAlias := strings.CutSuffix(name, ".txt")
	return Ref{ID: id, Path: prefix + name}, isAlias && name != latestFile && buildID.MatchString(id)
}

// longestAlias is how much of an alias is read, in bytes.
const longestAlias = 4096

// Follow returns the build that a ref leads to: the one an alias names, or the
// ref itself. The error wraps ErrNoBuild where an alias names no place in the
// bucket, or is gone.
func Follow(ctx context.Context, b *blob.Bucket, r Ref) (Ref, error) {
	if !strings.HasSuffix(r.Path, ".txt") {
		return r, nil
	}
	data, err := aliasText(ctx, b, r.Path)
	if err != nil {
		return Ref{}, err
	}
	target := aliasTarget(data)
	if len(data) > longestAlias || !fs.ValidPath(target) || target == "." || !utf8.ValidString(target) {
		return Ref{}, fmt.Errorf("following the alias %s: %.100q is no folder of the bucket: %w", r.Path, data, ErrNoBuild)
	}
	return Ref{ID: r.ID, Path: target}, nil
}

// aliasText is what an alias says, in its text or else in its metadata. Of one
// that is too long it is more than longestAlias.
func aliasText(ctx context.Context, b *blob.Bucket, key string) (string, error) {
	r, err := b.NewRangeReader(ctx, key, 0, longestAlias+1, nil)
	if err != nil {
		return "", missing("the alias "+key, err)
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", fmt.Errorf("following the alias %s: %w", key, err)
	}
	if len(bytes.TrimSpace(data)) > 0 {
		return string(data), nil
	}
	a, err := b.Attributes(ctx, key)
	if err != nil {
		return "", missing("the alias "+key, err)
	}
	return cmp.Or(a.Metadata["link"], a.Metadata["x-goog-meta-link"]), nil
}

// StartedAt is when the build at a path began, zero where started.json does not
// say. The error wraps ErrNoBuild if it has no such file.
func StartedAt(ctx context.Context, b *blob.Bucket, build string) (time.Time, error) {
	o := Build{ID: path.Base(build), Path: build}
	file, err := readJSON(ctx, b, path.Join(build, StartedFile))
	if err != nil {
		return time.Time{}, err
	}
	fields := o.object(StartedFile, file)
	if fields == nil {
		return time.Time{}, fmt.Errorf("reading when %s began: %w", build, ErrNoBuild)
	}
	if n := o.seconds(StartedFile, fields["timestamp"]); n > 0 {
		return time.Unix(n, 0).UTC(), nil
	}
	return time.Time{}, nil
}
