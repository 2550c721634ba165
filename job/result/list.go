package result

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"

	"seaworthy/job"
)

// List lists the builds below a folder, oldest first, and follows no aliases:
// see Follow.
func List(ctx context.Context, b *blob.Bucket, folder string) ([]Ref, error) {
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
		refs = append(refs, Ref{ID: id, Path: strings.TrimSuffix(o.Key, "/")})
	}
	slices.SortStableFunc(refs, func(x, y Ref) int { return job.CompareBuildIDs(x.ID, y.ID) })
	return refs, nil
}

// Follow returns the build that a ref leads to: the one an alias names, or the
// ref itself.
func Follow(ctx context.Context, b *blob.Bucket, r Ref) (Ref, error) {
	if !strings.HasSuffix(r.Path, ".txt") {
		return r, nil
	}
	target, err := b.ReadAll(ctx, r.Path)
	if err != nil {
		return Ref{}, fmt.Errorf("following the alias %s: %w", r.Path, err)
	}
	if len(bytes.TrimSpace(target)) == 0 { // only its metadata leads anywhere
		a, err := b.Attributes(ctx, r.Path)
		if err != nil {
			return Ref{}, fmt.Errorf("following the alias %s: %w", r.Path, err)
		}
		target = []byte(cmp.Or(a.Metadata["link"], a.Metadata["x-goog-meta-link"]))
	}
	return Ref{ID: r.ID, Path: aliasTarget(string(target))}, nil
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
