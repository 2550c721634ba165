package forgetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"seaworthy/forge"
)

var releaseTests = map[string]func(*test){
	"a draft becomes a release":       draftBecomesRelease,
	"a release of an existing tag":    releaseOfTag,
	"releases are edited and deleted": releaseEdited,
	"releases are listed to the last": manyReleases,
	"an asset is what was uploaded":   assetUploaded,
	"an asset exists once":            assetOnce,
	"an upload that is cut off":       uploadCutOff,
	"a large asset":                   largeAsset,
}

// upload attaches content to a release.
func (t *test) upload(r forge.Release, name, content string) forge.Asset {
	t.Helper()
	a, err := t.Ann.Client.UploadAsset(t.ctx, t.repo, r.ID, name, "text/plain", int64(len(content)), strings.NewReader(content))
	t.need(err)
	return a
}

// download reads an asset's content.
func (t *test) download(id int64) []byte {
	t.Helper()
	body, err := t.Ben.Client.DownloadAsset(t.ctx, t.repo, id)
	t.need(err)
	content, err := io.ReadAll(body)
	t.need(errors.Join(err, body.Close()))
	return content
}

func tagOf(r forge.Release) string { return r.Tag }

func draftBecomesRelease(t *test) {
	w := t.seeded(t.Ann)
	tip := w.git("rev-parse", "HEAD")
	c := t.Ann.Client
	draft, err := c.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v1.0.0", Target: tip, Name: "v1.0.0", Body: "Notes", Draft: true})
	t.need(err)
	equal(t, "draft", draft.Draft, true)
	equal(t, "publication", draft.PublishedAt.IsZero(), true)
	equal(t, "author", draft.Author, t.Ann.Login)
	t.upload(draft, "notes.txt", "notes\n")
	_, err = c.Release(t.ctx, t.repo, "v1.0.0")
	t.refused(err, forge.ErrNotFound, "looking a draft up by its tag")
	equal(t, "tags while a draft", w.git("ls-remote", "--tags", "origin"), "")
	all, err := c.Releases(t.ctx, t.repo)
	t.need(err)
	same(t, "releases with drafts", names(all, tagOf), []string{"v1.0.0"})
	same(t, "assets of the draft", names(all[0].Assets, func(a forge.Asset) string { return a.Name }), []string{"notes.txt"})
	seen, err := t.Stranger.Client.Releases(t.ctx, t.repo)
	t.need(err)
	equal(t, "releases a stranger sees", len(seen), 0)

	public, err := c.EditRelease(t.ctx, t.repo, draft.ID, forge.EditRelease{Draft: ptr(false)})
	t.need(err)
	equal(t, "draft", public.Draft, false)
	t.recent("publication", public.PublishedAt)
	equal(t, "body", public.Body, "Notes")
	found, err := t.Stranger.Client.Release(t.ctx, t.repo, "v1.0.0")
	t.need(err)
	equal(t, "release", found.ID, draft.ID)
	same(t, "assets", names(found.Assets, func(a forge.Asset) string { return a.Name }), []string{"notes.txt"})
	equal(t, "tag", strings.Fields(w.git("ls-remote", "--tags", "origin"))[0], tip)
}

func releaseOfTag(t *test) {
	w := t.seeded(t.Ann)
	w.git("tag", "--annotate", "--message", "Seaworthy", "cmd/tool/v1.0.0-rc.1")
	tag := w.git("rev-parse", "cmd/tool/v1.0.0-rc.1")
	w.git("push", "--quiet", "origin", "cmd/tool/v1.0.0-rc.1")
	r, err := t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "cmd/tool/v1.0.0-rc.1", Name: "RC", Prerelease: true})
	t.need(err)
	equal(t, "prerelease", r.Prerelease, true)
	equal(t, "draft", r.Draft, false)
	found, err := t.Ben.Client.Release(t.ctx, t.repo, "cmd/tool/v1.0.0-rc.1")
	t.need(err)
	equal(t, "release", found.ID, r.ID)
	if got := w.git("ls-remote", "--tags", "origin"); !strings.HasPrefix(got, tag) {
		t.Errorf("the annotated tag %s became\n%s", tag, got)
	}
	_, err = t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "cmd/tool/v1.0.0-rc.1", Name: "RC"})
	t.refused(err, forge.ErrExists, "a second release of the tag")
	_, err = t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v2", Target: nowhere})
	t.refused(err, forge.ErrInvalid, "a target that is not there")
	_, err = t.Ann.Client.Release(t.ctx, t.repo, "v2")
	t.refused(err, forge.ErrNotFound, "a tag without a release")
}

func releaseEdited(t *test) {
	w := t.seeded(t.Ann)
	c := t.Ann.Client
	r, err := c.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v1", Target: "main", Name: "One", Body: "Notes"})
	t.need(err)
	a := t.upload(r, "a.txt", "a")
	r, err = c.EditRelease(t.ctx, t.repo, r.ID, forge.EditRelease{Name: ptr("Uno"), Prerelease: ptr(true)})
	t.need(err)
	equal(t, "name", r.Name, "Uno")
	equal(t, "body", r.Body, "Notes")
	equal(t, "prerelease", r.Prerelease, true)
	equal(t, "draft", r.Draft, false)
	t.need(c.DeleteRelease(t.ctx, t.repo, r.ID))
	_, err = c.Release(t.ctx, t.repo, "v1")
	t.refused(err, forge.ErrNotFound, "a deleted release")
	_, err = c.DownloadAsset(t.ctx, t.repo, a.ID)
	t.refused(err, forge.ErrNotFound, "its asset")
	t.refused(c.DeleteRelease(t.ctx, t.repo, r.ID), forge.ErrNotFound, "deleting it again")
	_, err = c.EditRelease(t.ctx, t.repo, r.ID, forge.EditRelease{Name: ptr("x")})
	t.refused(err, forge.ErrNotFound, "editing it")
	if w.git("ls-remote", "--tags", "origin") == "" {
		t.Error("the tag went with its release")
	}
}

func manyReleases(t *test) {
	t.seeded(t.Ann)
	var want []string
	for n := range 101 {
		tag := fmt.Sprintf("v0.%d.0", n)
		want = append(want, tag)
		_, err := t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: tag, Draft: true})
		t.need(err)
	}
	all, err := t.Ann.Client.Releases(t.ctx, t.repo)
	t.need(err)
	got := names(all, tagOf)
	slices.Sort(got)
	slices.Sort(want)
	same(t, "releases", got, want)
}

func assetUploaded(t *test) {
	t.seeded(t.Ann)
	r, err := t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v1", Target: "main", Draft: true})
	t.need(err)
	for name, content := range map[string]string{"tool_linux-amd64.tar.gz": "\x1f\x8b\x00binary\xff", "sums.json": `{"a":1}`} {
		sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
		a := t.upload(r, name, content)
		equal(t, "name", a.Name, name)
		equal(t, "size", a.Size, int64(len(content)))
		equal(t, "state", a.State, "uploaded")
		if !t.NoAssetDetails {
			equal(t, "digest", a.Digest, sum)
			equal(t, "content type", a.ContentType, "text/plain")
		}
		equal(t, "content", string(t.download(a.ID)), content)
	}
	_, err = t.Ann.Client.UploadAsset(t.ctx, t.repo, 4711, "x", "text/plain", 1, strings.NewReader("x"))
	t.refused(err, forge.ErrNotFound, "a release that is not there")
	_, err = t.Ann.Client.DownloadAsset(t.ctx, t.repo, 4711)
	t.refused(err, forge.ErrNotFound, "an asset that is not there")
	t.refused(t.Ann.Client.DeleteAsset(t.ctx, t.repo, 4711), forge.ErrNotFound, "deleting it")
}

func assetOnce(t *test) {
	t.seeded(t.Ann)
	r, err := t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v1", Target: "main", Draft: true})
	t.need(err)
	a := t.upload(r, "a.txt", "first")
	for _, content := range []string{"first", "other"} {
		_, err = t.Ann.Client.UploadAsset(t.ctx, t.repo, r.ID, "a.txt", "text/plain", 5, strings.NewReader(content))
		t.refused(err, forge.ErrExists, "uploading it again")
	}
	equal(t, "content", string(t.download(a.ID)), "first")
	t.need(t.Ann.Client.DeleteAsset(t.ctx, t.repo, a.ID))
	b := t.upload(r, "a.txt", "other")
	equal(t, "content", string(t.download(b.ID)), "other")
}

// cut is a body that breaks after a few bytes.
type cut struct{ left int }

var errCut = errors.New("the line was cut")

// Read implements io.Reader.
func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errCut
	}
	n := min(c.left, len(p))
	c.left -= n
	return n, nil
}

func uploadCutOff(t *test) {
	t.seeded(t.Ann)
	r, err := t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v1", Target: "main", Draft: true})
	t.need(err)
	if _, err = t.Ann.Client.UploadAsset(t.ctx, t.repo, r.ID, "a.bin", "application/octet-stream", 1<<20, &cut{left: 1 << 16}); err == nil {
		t.Fatal("an upload that broke in the middle went through")
	}
	all, err := t.Ann.Client.Releases(t.ctx, t.repo)
	t.need(err)
	for _, a := range all[0].Assets {
		if a.State == "uploaded" {
			t.Errorf("asset %+v is there as if it were whole", a)
		}
		t.need(t.Ann.Client.DeleteAsset(t.ctx, t.repo, a.ID))
	}
	t.upload(r, "a.bin", "whole")
}

func largeAsset(t *test) {
	t.seeded(t.Ann)
	r, err := t.Ann.Client.CreateRelease(t.ctx, t.repo, forge.NewRelease{Tag: "v1", Target: "main", Draft: true})
	t.need(err)
	content := bytes.Repeat([]byte("seaworthy "), 2<<20)
	a, err := t.Ann.Client.UploadAsset(t.ctx, t.repo, r.ID, "large.bin", "application/octet-stream", int64(len(content)), bytes.NewReader(content))
	t.need(err)
	if !t.NoAssetDetails {
		equal(t, "digest", a.Digest, fmt.Sprintf("sha256:%x", sha256.Sum256(content)))
	}
	if got := t.download(a.ID); !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back of %d", len(got), len(content))
	}
}
