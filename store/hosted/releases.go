package hosted

import (
	"context"
	"fmt"
	"time"
)

// Release is a release page.
type Release struct {
	ID          int64
	RepoID      int64
	Tag         string
	Target      string // branch or commit the tag is made from
	Name        string
	Body        string
	Draft       bool
	Prerelease  bool
	Author      string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	PublishedAt time.Time
}

var releases = table[Release]{"hosted_releases",
	"id repo_id tag target name body draft prerelease author created_at updated_at published_at", 1, func(r *Release) []any {
		return []any{&r.ID, &r.RepoID, &r.Tag, &r.Target, &r.Name, &r.Body, &r.Draft, &r.Prerelease, &r.Author,
			instant{&r.CreatedAt}, instant{&r.UpdatedAt}, instant{&r.PublishedAt}}
	}}

// AddRelease adds a release and draws its id; ErrExists if a published one has
// the tag.
func (q *Queries) AddRelease(ctx context.Context, r Release) (Release, error) {
	var err error
	if r.ID, err = q.NextID(ctx); err != nil {
		return r, err
	}
	return r, releases.insert(ctx, q, &r)
}

// UpdateRelease changes the release of that id; ErrExists if a published one
// has the tag.
func (q *Queries) UpdateRelease(ctx context.Context, r Release) error {
	return releases.update(ctx, q, &r)
}

// RemoveRelease removes a release and its assets' rows.
func (q *Queries) RemoveRelease(ctx context.Context, id int64) error {
	if err := q.exec(ctx, `DELETE FROM hosted_assets WHERE release_id = $1`, id); err != nil {
		return fmt.Errorf("removing a release's assets: %w", err)
	}
	return releases.remove(ctx, q, "id = $1", id)
}

// Release finds a release by id.
func (q *Queries) Release(ctx context.Context, repoID, id int64) (Release, error) {
	return releases.one(ctx, q, "WHERE repo_id = $1 AND id = $2", repoID, id)
}

// ReleaseByTag finds the published release of a tag.
func (q *Queries) ReleaseByTag(ctx context.Context, repoID int64, tag string) (Release, error) {
	return releases.one(ctx, q, "WHERE repo_id = $1 AND tag = $2 AND NOT draft", repoID, tag)
}

// LatestRelease finds the newest published release that is no pre-release.
func (q *Queries) LatestRelease(ctx context.Context, repoID int64) (Release, error) {
	return releases.one(ctx, q, "WHERE repo_id = $1 AND NOT draft AND NOT prerelease ORDER BY published_at DESC, id DESC", repoID)
}

// Releases lists releases, newest first, drafts included if asked.
func (q *Queries) Releases(ctx context.Context, repoID int64, drafts bool, p Page) ([]Release, int, error) {
	return releases.page(ctx, q, p, "repo_id = $1 AND ($2 OR NOT draft)", "id DESC", repoID, drafts)
}

// Asset is a file attached to a release; its bytes are elsewhere.
type Asset struct {
	ID          int64
	RepoID      int64
	ReleaseID   int64
	Name        string
	Label       string
	ContentType string
	Size        int64
	Digest      string // sha256:…
	Uploader    string
	Downloads   int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

var assets = table[Asset]{"hosted_assets",
	"id repo_id release_id name label content_type size digest uploader downloads created_at updated_at", 1, func(a *Asset) []any {
		return []any{&a.ID, &a.RepoID, &a.ReleaseID, &a.Name, &a.Label, &a.ContentType, &a.Size, &a.Digest, &a.Uploader, &a.Downloads,
			instant{&a.CreatedAt}, instant{&a.UpdatedAt}}
	}}

// AddAsset adds an asset under an id drawn with NextID; ErrExists if the
// release has one of that name.
func (q *Queries) AddAsset(ctx context.Context, a Asset) error { return assets.insert(ctx, q, &a) }

// UpdateAsset changes the asset of that id; ErrExists if the name is taken.
func (q *Queries) UpdateAsset(ctx context.Context, a Asset) error { return assets.update(ctx, q, &a) }

// CountDownload counts one more download of an asset.
func (q *Queries) CountDownload(ctx context.Context, id int64) error {
	return q.exec(ctx, `UPDATE hosted_assets SET downloads = downloads + 1 WHERE id = $1`, id)
}

// RemoveAsset removes an asset's row.
func (q *Queries) RemoveAsset(ctx context.Context, id int64) error {
	return assets.remove(ctx, q, "id = $1", id)
}

// Asset finds an asset by id.
func (q *Queries) Asset(ctx context.Context, repoID, id int64) (Asset, error) {
	return assets.one(ctx, q, "WHERE repo_id = $1 AND id = $2", repoID, id)
}

// AssetByName finds an asset of a release.
func (q *Queries) AssetByName(ctx context.Context, releaseID int64, name string) (Asset, error) {
	return assets.one(ctx, q, "WHERE release_id = $1 AND name = $2", releaseID, name)
}

// Assets lists the assets of a release in the order they came.
func (q *Queries) Assets(ctx context.Context, releaseID int64, p Page) ([]Asset, int, error) {
	return assets.page(ctx, q, p, "release_id = $1", "id", releaseID)
}
