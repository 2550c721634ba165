package result

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gocloud.dev/blob"

	"seaworthy/job"
)

// List lists the builds below a folder, oldest first, and follows no aliases:
// see Follow. Start, if not nil, is called before the listing as
// blob.ListOptions.BeforeList is, and may have it begin further on.
func List(ctx context.Context, b *blob.Bucket, folder string, start func(as func(any) bool) error) ([]Ref, error) {
	prefix := strings.TrimSuffix(folder, "/") + "/"
	var refs []Ref
	for it := b.List(&blob.ListOptions{Prefix: prefix, Delimiter: "/", BeforeList: start}); ; {
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
	return Ref{ID: r.ID, Path: aliasTarget(string(target))}, nil
}
