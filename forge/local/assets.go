package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"seaworthy/store/hosted"
)

// maxAsset is how large a release file may be; GitHub's bound too.
const maxAsset = 2 << 30

// uploadRoutes are served below /api/uploads, as GitHub Enterprise Server does.
func (f *Forge) uploadRoutes() []route {
	return []route{{"POST /repos/{owner}/{repo}/releases/{id}/assets", canWrite, onRelease((*call).uploadAsset)}}
}

func (f *Forge) assetDir(repoID int64) string {
	return filepath.Join(f.o.GitDir, ".assets", strconv.FormatInt(repoID, 10))
}

func (f *Forge) assetPath(a hosted.Asset) string {
	return filepath.Join(f.assetDir(a.RepoID), strconv.FormatInt(a.ID, 10))
}

// removeAssetFile removes the bytes of an asset whose row is gone.
func (f *Forge) removeAssetFile(a hosted.Asset) {
	if err := os.Remove(f.assetPath(a)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("the file of a removed release asset remains", "asset", a.ID, "error", err)
	}
}

var odd = regexp.MustCompile(`[^A-Za-z0-9._+~@-]+`)

// assetName makes a file name as GitHub does: what is not plain becomes a dot.
func assetName(s string) (string, error) {
	if s == "" {
		return "", missing("ReleaseAsset", "name")
	}
	if strings.ContainsAny(s, "/\\\x00") || s == "." || s == ".." || len(s) > 255 {
		return "", invalid("ReleaseAsset", "name", "invalid", "name is a file name, without folders")
	}
	name := strings.Trim(odd.ReplaceAllString(s, "."), ".")
	if name == "" {
		return "", invalid("ReleaseAsset", "name", "invalid", "")
	}
	if strings.HasPrefix(s, ".") {
		name = "default" + "." + name
	}
	return name, nil
}

// uploadAsset takes a file. It is written aside, and becomes the release's
// only when it is here whole: a body that ends early leaves nothing behind.
func (c *call) uploadAsset(x hosted.Release) error {
	name, err := assetName(c.query("name"))
	if err != nil {
		return err
	}
	if _, err := c.q.AssetByName(c.ctx(), x.ID, name); err == nil {
		return exists("ReleaseAsset", "name")
	} else if !errors.Is(err, hosted.ErrNotFound) {
		return err
	}
	if c.r.ContentLength > maxAsset {
		return invalid("ReleaseAsset", "size", "custom", "size must be less than 2147483648")
	}
	tmp, size, digest, err := c.receiveAsset()
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	contentType := c.r.Header.Get("Content-Type")
	if _, _, err := mime.ParseMediaType(contentType); err != nil {
		contentType = "application/octet-stream"
	}
	now := c.f.now()
	a := hosted.Asset{RepoID: c.repo.ID, ReleaseID: x.ID, Name: name, Label: c.query("label"), ContentType: contentType,
		Size: size, Digest: digest, Uploader: c.user.Login, CreatedAt: now, UpdatedAt: now}
	err = c.f.store.Write(c.ctx(), func(q *hosted.Queries) error {
		id, err := q.NextID(c.ctx())
		if err != nil {
			return err
		}
		a.ID = id
		if err := q.AddAsset(c.ctx(), a); err != nil {
			return err
		}
		// A second link, so that the transaction may run again. Bytes without
		// a row, should it fail, are nobody's, and are replaced.
		if err := os.Remove(c.f.assetPath(a)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Link(tmp, c.f.assetPath(a))
	})
	if err != nil {
		if a.ID != 0 {
			c.f.removeAssetFile(a)
		}
		return orExists(err, "ReleaseAsset", "name")
	}
	w, err := c.view().asset(c.ctx(), c.repo, x, a)
	return answer(c, http.StatusCreated, w, err)
}

// receiveAsset writes the body to a temporary file and counts and hashes it.
func (c *call) receiveAsset() (tmp string, size int64, digest string, err error) {
	dir := c.f.assetDir(c.repo.ID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", 0, "", fmt.Errorf("receiving an asset: %w", err)
	}
	file, err := os.CreateTemp(dir, c.f.o.receiving("upload"))
	if err != nil {
		return "", 0, "", fmt.Errorf("receiving an asset: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), http.MaxBytesReader(c.w, c.r.Body, maxAsset))
	if err != nil {
		return "", 0, "", errors.Join(badBody(err), file.Close())
	}
	if want := c.r.ContentLength; want >= 0 && n != want {
		return "", 0, "", errors.Join(fail(http.StatusBadRequest, "The body was cut off: %d of %d bytes arrived", n, want), file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return "", 0, "", fmt.Errorf("receiving an asset: %w", err)
	}
	return file.Name(), n, "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// theAsset loads the asset of a path, and its release.
func (c *call) theAsset() (hosted.Asset, hosted.Release, error) {
	id, err := c.number("id")
	if err != nil {
		return hosted.Asset{}, hosted.Release{}, err
	}
	a, err := c.q.Asset(c.ctx(), c.repo.ID, id)
	if err != nil {
		return a, hosted.Release{}, err
	}
	x, err := c.q.Release(c.ctx(), c.repo.ID, a.ReleaseID)
	if err == nil && x.Draft && c.right < canWrite {
		err = notFound()
	}
	return a, x, err
}

func (c *call) listAssets(x hosted.Release) error {
	rows, total, err := c.q.Assets(c.ctx(), x.ID, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(a hosted.Asset) (wireAsset, error) { return v.asset(c.ctx(), c.repo, x, a) })
}

func (c *call) getAsset() error {
	a, x, err := c.theAsset()
	if err != nil {
		return err
	}
	if strings.Contains(c.r.Header.Get("Accept"), "application/octet-stream") {
		return c.download(a)
	}
	w, err := c.view().asset(c.ctx(), c.repo, x, a)
	return answer(c, http.StatusOK, w, err)
}

// download sends the bytes of an asset, or the range that is asked for.
func (c *call) download(a hosted.Asset) error {
	file, err := os.Open(c.f.assetPath(a))
	if err != nil {
		return fmt.Errorf("opening the asset %s: %w", a.Name, err)
	}
	defer file.Close()
	if c.r.Method == http.MethodGet {
		if err := c.f.store.Write(c.ctx(), func(q *hosted.Queries) error { return q.CountDownload(c.ctx(), a.ID) }); err != nil {
			return err
		}
	}
	h := c.w.Header()
	h.Set("Content-Type", a.ContentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}))
	h.Set("ETag", `"`+a.Digest+`"`)
	c.wrote = true
	http.ServeContent(c.w, c.r, "", a.UpdatedAt, file)
	return nil
}

func (c *call) editAsset() error {
	a, x, err := c.theAsset()
	if err != nil {
		return err
	}
	var in struct {
		Name  optional[string] `json:"name"`
		Label optional[string] `json:"label"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Name.Set {
		if a.Name, err = assetName(in.Name.Value); err != nil {
			return err
		}
	}
	in.Label.apply(&a.Label)
	a.UpdatedAt = c.f.now()
	if err := c.f.store.Write(c.ctx(), func(q *hosted.Queries) error { return q.UpdateAsset(c.ctx(), a) }); err != nil {
		return orExists(err, "ReleaseAsset", "name")
	}
	w, err := c.view().asset(c.ctx(), c.repo, x, a)
	return answer(c, http.StatusOK, w, err)
}

func (c *call) deleteAsset() error {
	a, _, err := c.theAsset()
	if err != nil {
		return err
	}
	if err := c.f.store.Write(c.ctx(), func(q *hosted.Queries) error { return q.RemoveAsset(c.ctx(), a.ID) }); err != nil {
		return err
	}
	c.f.removeAssetFile(a)
	return c.empty(http.StatusNoContent)
}

// downloadByTag serves /OWNER/REPO/releases/download/TAG/NAME.
func (c *call) downloadByTag() error {
	tag, name, ok := tagAndName(c.path("rest"))
	if !ok {
		return notFound()
	}
	x, err := c.q.ReleaseByTag(c.ctx(), c.repo.ID, tag)
	if err != nil {
		return err
	}
	return c.downloadFrom(x, name)
}

func (c *call) downloadLatest() error {
	x, err := c.q.LatestRelease(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	return c.downloadFrom(x, c.path("name"))
}

func (c *call) downloadFrom(x hosted.Release, name string) error {
	a, err := c.q.AssetByName(c.ctx(), x.ID, path.Base(name))
	if err != nil {
		return err
	}
	return c.download(a)
}
