package gitea

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"code.gitea.io/sdk/gitea"

	"seaworthy/forge"
)

// answerLimit bounds an answer that is read whole, in bytes.
const answerLimit = 16 << 20

// at is the path of what belongs to a repository.
func at(repo forge.RepoName, parts ...string) string {
	all := []string{"repos", url.PathEscape(repo.Owner), url.PathEscape(repo.Name)}
	for _, p := range parts {
		// A branch's name may hold slashes, which Gitea wants as they are.
		for s := range strings.SplitSeq(p, "/") {
			all = append(all, url.PathEscape(s))
		}
	}
	return strings.Join(all, "/")
}

// send is a call that the library has no fitting method for. The caller closes
// the answer's body; a refusal is an error.
func (c *Client) send(ctx context.Context, method, address, contentType string, size int64, body io.Reader, attempted string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", attempted, err)
	}
	req.Header.Set("User-Agent", userAgent)
	if body != nil {
		req.ContentLength = size
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "token "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fail(nil, err, "%s", attempted)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fail(nil, err, "%s", attempted)
	}
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = http.StatusText(resp.StatusCode)
	}
	return nil, refused(resp, said.Message, attempted)
}

func (c *Client) do(ctx context.Context, method, path string, body, into any, format string, args ...any) error {
	attempted := fmt.Sprintf(format, args...)
	var content io.Reader
	var size int64
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("%s: %w", attempted, err)
		}
		content, size = bytes.NewReader(text), int64(len(text))
	}
	resp, err := c.send(ctx, method, c.url+"/api/v1/"+path, "application/json", size, content, attempted)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(into); err != nil {
		return fmt.Errorf("%s: reading the answer: %w", attempted, err)
	}
	return nil
}

// Releases returns all releases, newest first, and drafts too if the account may
// write.
func (c *Client) Releases(ctx context.Context, repo forge.RepoName) ([]forge.Release, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	all, answer, err := collect(release, func(o gitea.ListOptions) ([]*gitea.Release, *gitea.Response, error) {
		return api.ListReleases(repo.Owner, repo.Name, gitea.ListReleasesOptions{ListOptions: o})
	})
	if err != nil {
		return nil, fail(answer, err, "list releases of %s", repo)
	}
	return all, nil
}

// Release returns the published release of a tag. A draft is ErrNotFound.
func (c *Client) Release(ctx context.Context, repo forge.RepoName, tag string) (forge.Release, error) {
	var r gitea.Release
	if err := c.do(ctx, http.MethodGet, at(repo, "releases/tags")+"/"+url.PathEscape(tag), nil, &r, "look up release %s of %s", tag, repo); err != nil {
		return forge.Release{}, err
	}
	if r.IsDraft {
		return forge.Release{}, fmt.Errorf("look up release %s of %s: %w: it is a draft", tag, repo, forge.ErrNotFound)
	}
	return release(&r), nil
}

// CreateRelease creates a release page. ErrExists if the tag has one.
func (c *Client) CreateRelease(ctx context.Context, repo forge.RepoName, n forge.NewRelease) (forge.Release, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.Release{}, err
	}
	if strings.TrimSpace(n.Name) == "" {
		n.Name = n.Tag // a page must have a title here
	}
	r, answer, err := api.CreateRelease(repo.Owner, repo.Name, gitea.CreateReleaseOption{
		TagName: n.Tag, Target: n.Target, Title: n.Name, Note: n.Body, IsDraft: n.Draft, IsPrerelease: n.Prerelease,
	})
	if err != nil {
		err = fail(answer, err, "create release %s of %s", n.Tag, repo)
		if n.Target != "" && errors.Is(err, forge.ErrNotFound) {
			err = fmt.Errorf("%w: %w", forge.ErrInvalid, err) // the target, for the repository was found before
		}
		return forge.Release{}, err
	}
	return release(r), nil
}

// EditRelease changes what is set. Draft set to false publishes, and creates the
// tag at the release's target if it does not exist. A text cannot be emptied.
func (c *Client) EditRelease(ctx context.Context, repo forge.RepoName, id int64, e forge.EditRelease) (forge.Release, error) {
	api, err := c.api(ctx)
	if err != nil {
		return forge.Release{}, err
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	r, answer, err := api.EditRelease(repo.Owner, repo.Name, id, gitea.EditReleaseOption{
		TagName: text(e.Tag), Title: text(e.Name), Note: text(e.Body), IsDraft: e.Draft, IsPrerelease: e.Prerelease,
	})
	if err != nil {
		return forge.Release{}, fail(answer, err, "edit release %d of %s", id, repo)
	}
	return release(r), nil
}

// DeleteRelease removes a release page and its assets; the tag stays.
func (c *Client) DeleteRelease(ctx context.Context, repo forge.RepoName, id int64) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	if answer, err := api.DeleteRelease(repo.Owner, repo.Name, id); err != nil {
		return fail(answer, err, "delete release %d of %s", id, repo)
	}
	return nil
}

// UploadAsset attaches a file of size bytes, read from r, to a release.
// ErrExists if the release has an asset of that name. The content type is for
// the forge to find out. An upload cut off in the middle leaves nothing.
func (c *Client) UploadAsset(ctx context.Context, repo forge.RepoName, releaseID int64, name, _ string, size int64, r io.Reader) (forge.Asset, error) {
	attempted := fmt.Sprintf("upload asset %s (%d bytes) to release %d of %s", name, size, releaseID, repo)
	// Gitea takes a second file of the same name.
	have, err := c.assets(ctx, repo, releaseID, attempted)
	if err != nil {
		return forge.Asset{}, err
	}
	if slices.ContainsFunc(have, func(a *gitea.Attachment) bool { return a.Name == name }) {
		return forge.Asset{}, fmt.Errorf("%s: %w", attempted, forge.ErrExists)
	}
	// The library's own call reads the whole file into memory.
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if _, err := w.CreateFormFile("attachment", name); err != nil {
		return forge.Asset{}, fmt.Errorf("%s: %w", attempted, err)
	}
	head := form.Len()
	if err := w.Close(); err != nil {
		return forge.Asset{}, fmt.Errorf("%s: %w", attempted, err)
	}
	text := form.Bytes()
	body := io.MultiReader(bytes.NewReader(text[:head]), io.LimitReader(r, size), bytes.NewReader(text[head:]))
	address := c.url + "/api/v1/" + at(repo, fmt.Sprintf("releases/%d/assets", releaseID)) + "?name=" + url.QueryEscape(name)
	resp, err := c.send(ctx, http.MethodPost, address, w.FormDataContentType(), int64(len(text))+size, body, attempted)
	if err != nil {
		return forge.Asset{}, err
	}
	defer resp.Body.Close()
	var a gitea.Attachment
	if err := json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(&a); err != nil {
		return forge.Asset{}, fmt.Errorf("%s: reading the answer: %w", attempted, err)
	}
	if a.Size != size {
		return forge.Asset{}, fmt.Errorf("%s: %w: the forge has %d bytes of it", attempted, forge.ErrInvalid, a.Size)
	}
	return asset(&a), nil
}

func (c *Client) assets(ctx context.Context, repo forge.RepoName, releaseID int64, attempted string) ([]*gitea.Attachment, error) {
	var all []*gitea.Attachment
	if err := c.do(ctx, http.MethodGet, at(repo, fmt.Sprintf("releases/%d/assets", releaseID)), nil, &all, "%s", attempted); err != nil {
		return nil, err
	}
	return all, nil
}

// find looks for the page that has an asset.
func (c *Client) find(ctx context.Context, repo forge.RepoName, id int64, attempted string) (release int64, found *gitea.Attachment, err error) {
	api, err := c.api(ctx)
	if err != nil {
		return 0, nil, err
	}
	pages, answer, err := collect(func(r *gitea.Release) *gitea.Release { return r }, func(o gitea.ListOptions) ([]*gitea.Release, *gitea.Response, error) {
		return api.ListReleases(repo.Owner, repo.Name, gitea.ListReleasesOptions{ListOptions: o})
	})
	if err != nil {
		return 0, nil, fail(answer, err, "%s", attempted)
	}
	for _, p := range pages {
		for _, a := range p.Attachments {
			if a.ID == id {
				return p.ID, a, nil
			}
		}
	}
	return 0, nil, fmt.Errorf("%s: %w", attempted, forge.ErrNotFound)
}

// DeleteAsset removes a file from its release.
func (c *Client) DeleteAsset(ctx context.Context, repo forge.RepoName, id int64) error {
	attempted := fmt.Sprintf("delete asset %d of %s", id, repo)
	page, _, err := c.find(ctx, repo, id, attempted)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, at(repo, fmt.Sprintf("releases/%d/assets/%d", page, id)), nil, nil, "%s", attempted)
}

// DownloadAsset returns an asset's content, which the caller closes. The content
// is not checked: compare it with the asset's digest, as it was given.
func (c *Client) DownloadAsset(ctx context.Context, repo forge.RepoName, id int64) (io.ReadCloser, error) {
	attempted := fmt.Sprintf("download asset %d of %s", id, repo)
	_, a, err := c.find(ctx, repo, id, attempted)
	if err != nil {
		return nil, err
	}
	if a.UUID == "" || strings.ContainsAny(a.UUID, "/?#") {
		return nil, fmt.Errorf("%s: %w: the forge does not say where it is", attempted, forge.ErrInvalid)
	}
	// Not where the forge says, which may be another host: the token is sent
	// along, for drafts and private repositories.
	resp, err := c.send(ctx, http.MethodGet, c.url+"/"+path.Join("attachments", a.UUID), "", 0, nil, attempted)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
