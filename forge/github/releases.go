package github

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"sync"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
)

// Releases returns all releases, newest first, and drafts too if the account
// may write.
func (c *Client) Releases(ctx context.Context, repo forge.RepoName) ([]forge.Release, error) {
	opts := firstPage()
	out, err := collect(c.gh.Repositories.ListReleasesIter(ctx, repo.Owner, repo.Name, &opts),
		func(r *github.RepositoryRelease) forge.Release { return *release(r) })
	if err != nil {
		return nil, c.fail(err, "list releases of %s", repo)
	}
	return out, nil
}

// Release returns the published release of a tag. A draft is ErrNotFound: its
// tag is not there yet, so only Releases shows it.
func (c *Client) Release(ctx context.Context, repo forge.RepoName, tag string) (forge.Release, error) {
	r, _, err := c.gh.Repositories.GetReleaseByTag(ctx, repo.Owner, repo.Name, escapeRef(tag))
	if err != nil {
		return forge.Release{}, c.fail(err, "look up release %s of %s", tag, repo)
	}
	return *release(r), nil
}

// CreateRelease creates a release page. ErrExists if the tag has one.
func (c *Client) CreateRelease(ctx context.Context, repo forge.RepoName, n forge.NewRelease) (forge.Release, error) {
	r, _, err := c.gh.Repositories.CreateRelease(ctx, repo.Owner, repo.Name, &github.RepositoryRelease{
		TagName: &n.Tag, TargetCommitish: text(n.Target), Name: text(n.Name), Body: text(n.Body),
		Draft: &n.Draft, Prerelease: &n.Prerelease,
	})
	if err != nil {
		return forge.Release{}, c.fail(err, "create release %s of %s", n.Tag, repo)
	}
	return *release(r), nil
}

// EditRelease changes what is set. Draft set to false publishes, and creates
// the tag at the release's target if it does not exist.
func (c *Client) EditRelease(ctx context.Context, repo forge.RepoName, id int64, e forge.EditRelease) (forge.Release, error) {
	r, _, err := c.gh.Repositories.EditRelease(ctx, repo.Owner, repo.Name, id, &github.RepositoryRelease{
		TagName: e.Tag, Name: e.Name, Body: e.Body, Draft: e.Draft, Prerelease: e.Prerelease,
	})
	if err != nil {
		return forge.Release{}, c.fail(err, "edit release %d of %s", id, repo)
	}
	return *release(r), nil
}

// DeleteRelease removes a release page and its assets; the tag stays.
func (c *Client) DeleteRelease(ctx context.Context, repo forge.RepoName, id int64) error {
	if _, err := c.gh.Repositories.DeleteRelease(ctx, repo.Owner, repo.Name, id); err != nil {
		return c.fail(err, "delete release %d of %s", id, repo)
	}
	return nil
}

// askFirst is the size from which an upload asks the forge whether it wants the
// body before it sends it: one that exists already is then refused at once.
const askFirst = 1 << 20

// UploadAsset attaches a file of size bytes, read from r, to a release.
// ErrExists if the release has an asset of that name, whatever its content:
// whether it is the same one, Releases tells by size and digest. An upload cut
// off in the middle may leave an asset behind whose State is not "uploaded".
func (c *Client) UploadAsset(ctx context.Context, repo forge.RepoName, releaseID int64, name, contentType string, size int64, r io.Reader) (forge.Asset, error) {
	attempted := fmt.Sprintf("upload asset %s (%d bytes) to release %d of %s", name, size, releaseID, repo)
	u := fmt.Sprintf("repos/%s/%s/releases/%d/assets?%s", repo.Owner, repo.Name, releaseID, url.Values{"name": {name}}.Encode())
	content := &source{r: r}
	req, err := c.gh.NewUploadRequest(ctx, u, content, size, contentType)
	if err != nil {
		return forge.Asset{}, fmt.Errorf("%s: %w", attempted, err)
	}
	if size >= askFirst {
		req.Header.Set("Expect", "100-continue")
	}
	var a github.ReleaseAsset
	if _, err := c.gh.Do(req, &a); err != nil {
		if broken := content.failure(); broken != nil {
			return forge.Asset{}, fmt.Errorf("%s: read its content: %w", attempted, broken)
		}
		return forge.Asset{}, c.fail(err, "%s", attempted)
	}
	return asset(&a), nil
}

// source remembers why reading failed, which is not the forge's fault. The
// transport may still be reading when the answer is here.
type source struct {
	r   io.Reader
	mu  sync.Mutex
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// DeleteAsset removes an asset.
func (c *Client) DeleteAsset(ctx context.Context, repo forge.RepoName, id int64) error {
	if _, err := c.gh.Repositories.DeleteReleaseAsset(ctx, repo.Owner, repo.Name, id); err != nil {
		return c.fail(err, "delete asset %d of %s", id, repo)
	}
	return nil
}

// DownloadAsset returns an asset's content, which the caller closes. The
// content is not checked: compare it with the asset's digest.
func (c *Client) DownloadAsset(ctx context.Context, repo forge.RepoName, id int64) (io.ReadCloser, error) {
	req, err := c.gh.NewRequest(ctx, "GET", fmt.Sprintf("repos/%s/%s/releases/assets/%d", repo.Owner, repo.Name, id), nil)
	if err != nil {
		return nil, fmt.Errorf("download asset %d of %s: %w", id, repo, err)
	}
	req.Header.Set("Accept", "application/octet-stream")
	resp, err := c.gh.BareDo(req)
	if err != nil {
		return nil, c.fail(err, "download asset %d of %s", id, repo)
	}
	return resp.Body, nil
}
