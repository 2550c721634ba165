package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/store/hosted"
)

func (f *Forge) releaseRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/releases", canRead, (*call).listReleases},
		{"POST /repos/{owner}/{repo}/releases", canWrite, (*call).createRelease},
		{"GET /repos/{owner}/{repo}/releases/latest", canRead, (*call).latestRelease},
		{"GET /repos/{owner}/{repo}/releases/tags/{tag...}", canRead, (*call).releaseByTag},
		{"GET /repos/{owner}/{repo}/releases/{id}", canRead, onRelease((*call).getRelease)},
		{"PATCH /repos/{owner}/{repo}/releases/{id}", canWrite, onRelease((*call).editRelease)},
		{"DELETE /repos/{owner}/{repo}/releases/{id}", canWrite, onRelease((*call).deleteRelease)},
		{"GET /repos/{owner}/{repo}/releases/{id}/assets", canRead, onRelease((*call).listAssets)},
		{"POST /repos/{owner}/{repo}/releases/{id}/assets", canWrite, onRelease((*call).uploadAsset)},
		{"GET /repos/{owner}/{repo}/releases/assets/{id}", canRead, (*call).getAsset},
		{"PATCH /repos/{owner}/{repo}/releases/assets/{id}", canWrite, (*call).editAsset},
		{"DELETE /repos/{owner}/{repo}/releases/assets/{id}", canWrite, (*call).deleteAsset},
	}
}

type wireRelease struct {
	URL             string      `json:"url"`
	HTMLURL         string      `json:"html_url"`
	AssetsURL       string      `json:"assets_url"`
	UploadURL       string      `json:"upload_url"`
	TarballURL      *string     `json:"tarball_url"`
	ZipballURL      *string     `json:"zipball_url"`
	ID              int64       `json:"id"`
	NodeID          string      `json:"node_id"`
	TagName         string      `json:"tag_name"`
	TargetCommitish string      `json:"target_commitish"`
	Name            *string     `json:"name"`
	Body            *string     `json:"body"`
	Draft           bool        `json:"draft"`
	Prerelease      bool        `json:"prerelease"`
	Immutable       bool        `json:"immutable"`
	CreatedAt       stamp       `json:"created_at"`
	PublishedAt     *stamp      `json:"published_at"`
	UpdatedAt       stamp       `json:"updated_at"`
	Author          *wireUser   `json:"author"`
	Assets          []wireAsset `json:"assets"`
}

type wireAsset struct {
	URL                string    `json:"url"`
	BrowserDownloadURL string    `json:"browser_download_url"`
	ID                 int64     `json:"id"`
	NodeID             string    `json:"node_id"`
	Name               string    `json:"name"`
	Label              *string   `json:"label"`
	State              string    `json:"state"`
	ContentType        string    `json:"content_type"`
	Size               int64     `json:"size"`
	Digest             *string   `json:"digest"`
	DownloadCount      int64     `json:"download_count"`
	CreatedAt          stamp     `json:"created_at"`
	UpdatedAt          stamp     `json:"updated_at"`
	Uploader           *wireUser `json:"uploader"`
}

func (v *view) release(ctx context.Context, r hosted.Repo, x hosted.Release) (*wireRelease, error) {
	author, err := v.user(ctx, x.Author)
	if err != nil {
		return nil, err
	}
	u := v.f.repoAPI(r, "/releases/%d", x.ID)
	w := &wireRelease{URL: u, HTMLURL: v.f.repoHTML(r, "/releases/tag/%s", escapePath(x.Tag)), AssetsURL: u + "/assets",
		UploadURL: v.f.base + uploadPrefix + fmt.Sprintf("/repos/%s/%s/releases/%d/assets{?name,label}", r.Owner, r.Name, x.ID),
		ID:        x.ID, NodeID: nodeID("Release", x.ID), TagName: x.Tag, TargetCommitish: x.Target, Name: text(x.Name), Body: text(x.Body),
		Draft: x.Draft, Prerelease: x.Prerelease, CreatedAt: stamp(x.CreatedAt), UpdatedAt: stamp(x.UpdatedAt), PublishedAt: maybe(x.PublishedAt),
		Author: author, Assets: []wireAsset{}}
	if x.Draft { // a draft has no address that others could know
		w.HTMLURL = v.f.repoHTML(r, "/releases/tag/untagged-%d", x.ID)
	} else {
		tar, zip := v.f.repoAPI(r, "/tarball/%s", escapePath(x.Tag)), v.f.repoAPI(r, "/zipball/%s", escapePath(x.Tag))
		w.TarballURL, w.ZipballURL = &tar, &zip
	}
	rows, _, err := v.q.Assets(ctx, x.ID, hosted.Page{})
	if err != nil {
		return nil, err
	}
	for _, a := range rows {
		wa, err := v.asset(ctx, r, x, a)
		if err != nil {
			return nil, err
		}
		w.Assets = append(w.Assets, wa)
	}
	return w, nil
}

func (v *view) asset(ctx context.Context, r hosted.Repo, x hosted.Release, a hosted.Asset) (wireAsset, error) {
	uploader, err := v.user(ctx, a.Uploader)
	return wireAsset{URL: v.f.repoAPI(r, "/releases/assets/%d", a.ID),
		BrowserDownloadURL: v.f.repoHTML(r, "/releases/download/%s/%s", escapePath(x.Tag), escapePath(a.Name)), ID: a.ID, NodeID: nodeID("ReleaseAsset", a.ID),
		Name: a.Name, Label: text(a.Label), State: "uploaded", ContentType: a.ContentType, Size: a.Size, Digest: text(a.Digest), DownloadCount: a.Downloads,
		CreatedAt: stamp(a.CreatedAt), UpdatedAt: stamp(a.UpdatedAt), Uploader: uploader}, err
}

// onRelease loads the release of a path. A draft exists for those who write.
func onRelease(do func(*call, hosted.Release) error) func(*call) error {
	return func(c *call) error {
		id, err := c.number("id")
		if err != nil {
			return err
		}
		x, err := c.q.Release(c.ctx(), c.repo.ID, id)
		if err != nil {
			return err
		}
		if x.Draft && c.right < canWrite {
			return notFound()
		}
		return do(c, x)
	}
}

func (c *call) listReleases() error {
	rows, total, err := c.q.Releases(c.ctx(), c.repo.ID, c.right >= canWrite, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(x hosted.Release) (*wireRelease, error) { return v.release(c.ctx(), c.repo, x) })
}

func (c *call) getRelease(x hosted.Release) error { return c.answerRelease(http.StatusOK, x) }

func (c *call) answerRelease(status int, x hosted.Release) error {
	w, err := c.view().release(c.ctx(), c.repo, x)
	return answer(c, status, w, err)
}

func (c *call) latestRelease() error {
	x, err := c.q.LatestRelease(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	return c.getRelease(x)
}

func (c *call) releaseByTag() error {
	x, err := c.q.ReleaseByTag(c.ctx(), c.repo.ID, c.path("tag"))
	if err != nil {
		return err
	}
	return c.getRelease(x)
}

type releaseRequest struct {
	Tag        optional[string] `json:"tag_name"`
	Target     optional[string] `json:"target_commitish"`
	Name       optional[string] `json:"name"`
	Body       optional[string] `json:"body"`
	Draft      optional[bool]   `json:"draft"`
	Prerelease optional[bool]   `json:"prerelease"`
}

// apply puts what was given into a release, and checks it.
func (c *call) applyRelease(in releaseRequest, x *hosted.Release) error {
	in.Tag.apply(&x.Tag)
	if in.Target.Value != "" {
		x.Target = in.Target.Value
	}
	in.Name.apply(&x.Name)
	in.Body.apply(&x.Body)
	in.Draft.apply(&x.Draft)
	in.Prerelease.apply(&x.Prerelease)
	x.UpdatedAt = c.f.now()
	switch {
	case x.Tag == "":
		return missing("Release", "tag_name")
	case !c.validRef("refs/tags/" + x.Tag):
		return invalid("Release", "tag_name", "custom", "tag_name is not well-formed")
	}
	if x.Target == "" {
		x.Target = c.repo.DefaultBranch
	}
	return nil
}

func (c *call) createRelease() error {
	var in releaseRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	now := c.f.now()
	x := hosted.Release{RepoID: c.repo.ID, Author: c.user.Login, CreatedAt: now}
	if err := c.applyRelease(in, &x); err != nil {
		return err
	}
	if _, err := c.q.ReleaseByTag(c.ctx(), c.repo.ID, x.Tag); err == nil && !x.Draft {
		return exists("Release", "tag_name")
	} else if err != nil && !errors.Is(err, hosted.ErrNotFound) {
		return err
	}
	if err := c.publish(&x, now); err != nil {
		return err
	}
	err := c.f.change(c.ctx(), func(v *view) error {
		row, err := v.q.AddRelease(c.ctx(), x)
		if err != nil {
			return err
		}
		x = row
		if err := v.emitRelease(c.ctx(), c.repo, x, c.user.Login, "created"); err != nil || x.Draft {
			return err
		}
		return v.emitPublished(c.ctx(), c.repo, x, c.user.Login)
	})
	if err != nil {
		return orExists(err, "Release", "tag_name")
	}
	return c.answerRelease(http.StatusCreated, x)
}

// publish makes the tag of a release that is no draft, if there is none yet,
// and notes when. The tag comes first: what is published points at something.
func (c *call) publish(x *hosted.Release, now time.Time) error {
	if x.Draft {
		return nil
	}
	if x.PublishedAt.IsZero() {
		x.PublishedAt = now
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	ref := "refs/tags/" + x.Tag
	if _, err := c.git().ResolveObject(c.ctx(), ref); err == nil || !errors.Is(err, git.ErrNotFound) {
		return err
	}
	sha, err := c.resolve(x.Target)
	if err != nil {
		return orMissing(err, "Release", "target_commitish", "there is no branch or commit of that name")
	}
	if err := c.git().UpdateRef(c.ctx(), ref, sha, git.ZeroSHA); err != nil {
		return err
	}
	return c.f.settle(c.ctx(), c.repo, c.user.Login)
}

// emitPublished tells that a release is out: GitHub sends released (or
// prereleased) beside published.
func (v *view) emitPublished(ctx context.Context, r hosted.Repo, x hosted.Release, sender string) error {
	if err := v.emitRelease(ctx, r, x, sender, "published"); err != nil {
		return err
	}
	if x.Prerelease {
		return v.emitRelease(ctx, r, x, sender, "prereleased")
	}
	return v.emitRelease(ctx, r, x, sender, "released")
}

func (v *view) emitRelease(ctx context.Context, r hosted.Repo, x hosted.Release, sender, action string) error {
	w, err := v.release(ctx, r, x)
	if err != nil {
		return err
	}
	payload := map[string]any{"release": w}
	if action == "edited" {
		payload["changes"] = struct{}{}
	}
	return v.emit(ctx, r, sender, forge.EventRelease, action, payload)
}

func (c *call) editRelease(x hosted.Release) error {
	var in releaseRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	was := x
	if err := c.applyRelease(in, &x); err != nil {
		return err
	}
	if other, err := c.q.ReleaseByTag(c.ctx(), c.repo.ID, x.Tag); err == nil && other.ID != x.ID && !x.Draft {
		return exists("Release", "tag_name")
	} else if err != nil && !errors.Is(err, hosted.ErrNotFound) {
		return err
	}
	if err := c.publish(&x, c.f.now()); err != nil {
		return err
	}
	err := c.f.change(c.ctx(), func(v *view) error {
		if err := v.q.UpdateRelease(c.ctx(), x); err != nil {
			return err
		}
		switch {
		case was.Draft && !x.Draft:
			return v.emitPublished(c.ctx(), c.repo, x, c.user.Login)
		case !was.Draft && x.Draft:
			return v.emitRelease(c.ctx(), c.repo, x, c.user.Login, "unpublished")
		}
		return v.emitRelease(c.ctx(), c.repo, x, c.user.Login, "edited")
	})
	if err != nil {
		return orExists(err, "Release", "tag_name")
	}
	return c.answerRelease(http.StatusOK, x)
}

func (c *call) deleteRelease(x hosted.Release) error {
	assets, _, err := c.q.Assets(c.ctx(), x.ID, hosted.Page{})
	if err != nil {
		return err
	}
	err = c.f.change(c.ctx(), func(v *view) error {
		if err := v.emitRelease(c.ctx(), c.repo, x, c.user.Login, "deleted"); err != nil {
			return err
		}
		return v.q.RemoveRelease(c.ctx(), x.ID)
	})
	if err != nil {
		return err
	}
	for _, a := range assets {
		c.f.removeAssetFile(a)
	}
	return c.empty(http.StatusNoContent)
}

// tagAndName splits the rest of a download address; a tag may have slashes.
func tagAndName(rest string) (tag, name string, ok bool) {
	i := strings.LastIndexByte(rest, '/')
	if i <= 0 || i == len(rest)-1 {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}
