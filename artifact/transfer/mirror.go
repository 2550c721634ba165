package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// Release is a release page on a forge.
type Release struct {
	Tag        string
	Prerelease bool
	Assets     []Asset
}

// Asset is a file attached to a release.
type Asset struct {
	ID     int64
	Name   string
	Size   int64           // in bytes
	Digest artifact.Digest // empty where the forge does not say
}

// Releases is a repository's releases on a forge.
type Releases interface {
	// Releases returns the published ones.
	Releases(ctx context.Context) ([]Release, error)
	// Download returns an asset's content, which the caller closes.
	Download(ctx context.Context, id int64) (io.ReadCloser, error)
}

// MirrorOptions say what of a repository's releases is mirrored, and where to.
type MirrorOptions struct {
	From Releases
	// Tags are the releases to mirror, all of them when empty.
	Tags []string
	// Prereleases mirrors those too, also where Tags does not name them.
	Prereleases bool
	// Bucket takes the assets, as FOLDER/TAG/NAME.
	Bucket *blob.Bucket
	Folder string
	// Replace has an asset that changed take the place of what was mirrored;
	// without it that is a failure.
	Replace bool
	// Mock looks and compares as always, and copies nothing.
	Mock     bool
	Parallel int // assets at once; 4 when zero
	// Report is told of every asset, one call at a time; nil for nobody.
	Report func(Mirrored)
}

// Mirrored is what became of one asset.
type Mirrored struct {
	Tag      string          `json:"tag"`
	Name     string          `json:"name"`
	Key      string          `json:"key"`
	Size     int64           `json:"size"`
	Digest   artifact.Digest `json:"digest,omitempty"`
	Verified bool            `json:"verified"` // a checksum of the release or of the forge vouches for it
	State    FileState       `json:"state"`
	Why      string          `json:"why,omitempty"`
}

// Mirror copies the assets of releases that the bucket lacks. Sums are verified
// where the forge or a list of checksums in the release tells them. An asset
// that fails keeps no other from being copied; the error is for releases that
// cannot be looked at. The result is sorted by tag and name.
func Mirror(ctx context.Context, o MirrorOptions) ([]Mirrored, error) {
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	if o.Report == nil {
		o.Report = func(Mirrored) {}
	}
	if o.Folder = strings.Trim(o.Folder, "/"); o.Folder != "" {
		if err := checkKey(o.Folder); err != nil {
			return nil, err
		}
	}
	releases, err := chosen(ctx, o)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	all := []Mirrored{}
	var g errgroup.Group
	g.SetLimit(o.Parallel)
	for _, r := range releases {
		sums, err := checksums(ctx, o, r)
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", r.Tag, err)
		}
		for _, a := range r.Assets {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				m := o.asset(ctx, r, a, sums[a.Name])
				mu.Lock()
				defer mu.Unlock()
				all = append(all, m)
				o.Report(m)
				return nil
			})
		}
	}
	err = g.Wait()
	slices.SortFunc(all, func(a, b Mirrored) int {
		if c := compare(a.Tag, b.Tag); c != 0 {
			return c
		}
		return compare(a.Name, b.Name)
	})
	return all, err
}

// chosen returns the releases to mirror. A tag that has none is an error.
func chosen(ctx context.Context, o MirrorOptions) ([]Release, error) {
	all, err := o.From.Releases(ctx)
	if err != nil {
		return nil, err
	}
	var some []Release
	for _, r := range all {
		if len(o.Tags) > 0 && !slices.Contains(o.Tags, r.Tag) || len(o.Tags) == 0 && r.Prerelease && !o.Prereleases {
			continue
		}
		if r.Prerelease && !o.Prereleases {
			return nil, fmt.Errorf("%s is a prerelease: add --include-prereleases to mirror it", r.Tag)
		}
		some = append(some, r)
	}
	for _, tag := range o.Tags {
		if !slices.ContainsFunc(some, func(r Release) bool { return r.Tag == tag }) {
			return nil, fmt.Errorf("there is no published release %s", tag)
		}
	}
	return some, nil
}

// sumsFile matches the names that lists of checksums have.
var sumsFile = regexp.MustCompile(`(?i)^(sha256sums?(\.txt)?|.*checksums?(\.txt)?|.*[-_.]sha256sums?(\.txt)?)$`)

// sumsLimit bounds a list of checksums, in bytes.
const sumsLimit = 4 << 20

// checksums reads the lists of a release: one for all, or a file for each.
func checksums(ctx context.Context, o MirrorOptions, r Release) (map[string]artifact.Digest, error) {
	sums := map[string]artifact.Digest{}
	for _, a := range r.Assets {
		of, single := strings.CutSuffix(a.Name, ".sha256")
		if !single && !sumsFile.MatchString(a.Name) || a.Size > sumsLimit {
			continue
		}
		text, err := download(ctx, o.From, a)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", a.Name, err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			name := of
			switch {
			case len(fields) == 2:
				name = path.Base(strings.TrimPrefix(fields[1], "*"))
			case len(fields) != 1 || !single:
				continue // a signature around it, a comment
			}
			d, err := artifact.ParseDigest("sha256:" + strings.ToLower(fields[0]))
			if err != nil {
				continue // a list of other sums
			}
			if have, known := sums[name]; known && have != d {
				return nil, fmt.Errorf("its lists give %s two sums: %s and %s", name, have, d)
			}
			sums[name] = d
		}
	}
	return sums, nil
}

func download(ctx context.Context, from Releases, a Asset) (text []byte, err error) {
	r, err := from.Download(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(io.LimitReader(r, sumsLimit))
}

// asset mirrors one file.
func (o MirrorOptions) asset(ctx context.Context, r Release, a Asset, sum artifact.Digest) Mirrored {
	m := Mirrored{Tag: r.Tag, Name: a.Name, Key: path.Join(o.Folder, r.Tag, a.Name), Size: a.Size, Digest: a.Digest}
	fail := func(err error) Mirrored {
		m.State, m.Why = FileFailed, err.Error()
		return m
	}
	if a.Digest != "" && sum != "" && sum.Algorithm() == a.Digest.Algorithm() && a.Digest != sum {
		return fail(fmt.Errorf("the release's list says %s, the forge says %s", sum, a.Digest))
	}
	if m.Digest == "" || m.Digest.Algorithm() != artifact.SHA256 {
		m.Digest = sum
	}
	m.Verified = m.Digest != ""
	for _, part := range []string{r.Tag, a.Name} {
		if err := checkKey(part); err != nil {
			return fail(err)
		}
	}
	replace, done, err := o.present(ctx, a, &m)
	if err != nil {
		return fail(err)
	}
	if done {
		return m
	}
	if o.Mock {
		m.State = FileCopy
		return m
	}
	content, err := o.From.Download(ctx, a.ID)
	if err != nil {
		return fail(err)
	}
	_, err = putObject(ctx, o.Bucket, m.Key, content, m.Digest, a.Size, "", replace)
	if err := errors.Join(err, content.Close()); err != nil {
		return fail(err)
	}
	m.State = FileCopied
	return m
}

// present compares an asset with what is in the bucket.
func (o MirrorOptions) present(ctx context.Context, a Asset, m *Mirrored) (replace, done bool, err error) {
	there, err := attributes(ctx, o.Bucket, m.Key)
	if err != nil || there == nil {
		return false, false, err
	}
	same := there.Size == a.Size
	if same && m.Digest != "" {
		have := artifact.Digest(there.Metadata[sumLabel])
		if have == "" {
			if have, err = sumOf(ctx, o.Bucket, m.Key); err != nil {
				return false, false, err
			}
		}
		same = have == m.Digest
	}
	if same {
		m.State = FilePresent
		return false, true, nil
	}
	if !o.Replace {
		m.State, m.Why = FileDiffers, "another file was mirrored under this name: look why, then use --replace"
		return false, true, nil
	}
	return true, false, nil
}
