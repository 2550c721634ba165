package folder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/git"
)

// Files that are the page itself.
const (
	pageJSON     = "release.json"
	pageMarkdown = "release.md"
)

// pageLimit bounds a page that is read, in bytes.
const pageLimit = 16 << 20

// page is release.json.
type page struct {
	ID          int64     `json:"id"`
	Tag         string    `json:"tag"`
	Target      string    `json:"target,omitempty"`
	Name        string    `json:"name"`
	Body        string    `json:"body"` // Markdown
	Draft       bool      `json:"draft,omitempty"`
	Prerelease  bool      `json:"prerelease"`
	CreatedAt   time.Time `json:"created_at"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	Assets      []asset   `json:"assets"`
}

// asset is a file of a release.
type asset struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	ContentType string    `json:"content_type"`
	Size        int64     `json:"size"`
	Digest      string    `json:"digest"` // sha256:…
	CreatedAt   time.Time `json:"created_at"`
}

// number makes an id of a name: the same one whenever it is asked.
func number(name string) int64 {
	h := fnv.New64a()
	io.WriteString(h, name) // a hash takes everything
	return int64(h.Sum64() >> 1)
}

// versionFolder is a version as one path element.
func versionFolder(tag string) string { return strings.ReplaceAll(tag, "/", "_") }

// releases is the folder of all versions, below the root.
func (f *Folder) releases() string { return filepath.Join("release", f.o.Name.Owner, f.o.Name.Name) }

// files is the folder of a version, below the root.
func (f *Folder) files(tag string) string { return filepath.Join(f.releases(), versionFolder(tag)) }

func (f *Folder) drafts() string {
	return filepath.Join(f.o.Private, "drafts", f.o.Name.Owner, f.o.Name.Name)
}

func (f *Folder) draftFile(tag string) string {
	return filepath.Join(f.drafts(), versionFolder(tag)+".json")
}

func checkName(kind, name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") || name == pageJSON || name == pageMarkdown {
		return fmt.Errorf("%w: %q cannot be the name of %s", forge.ErrInvalid, name, kind)
	}
	return nil
}

func readPage(file string) (page, error) {
	r, err := os.Open(file)
	if err != nil {
		return page{}, err
	}
	defer r.Close()
	var p page
	if err := json.NewDecoder(io.LimitReader(r, pageLimit)).Decode(&p); err != nil {
		return page{}, fmt.Errorf("reading the page %s: %w", file, err)
	}
	return p, nil
}

// all reads every page, published and draft.
func (f *Folder) all() ([]page, error) {
	published, err := filepath.Glob(filepath.Join(quote(f.o.Root), quote(f.releases()), "*", pageJSON))
	if err != nil {
		return nil, fmt.Errorf("listing the releases in %s: %w", f.o.Root, err)
	}
	drafts, err := filepath.Glob(filepath.Join(quote(f.drafts()), "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing the drafts in %s: %w", f.o.Private, err)
	}
	var pages []page
	for _, file := range append(published, drafts...) {
		p, err := readPage(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// A crash between publishing and removing the draft leaves both.
		if !slices.ContainsFunc(pages, func(o page) bool { return o.ID == p.ID }) {
			pages = append(pages, p)
		}
	}
	slices.SortStableFunc(pages, func(a, b page) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return pages, nil
}

// quote keeps a path from being read as a pattern.
func quote(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func (f *Folder) page(id int64) (page, error) {
	pages, err := f.all()
	if err != nil {
		return page{}, err
	}
	i := slices.IndexFunc(pages, func(p page) bool { return p.ID == id })
	if i < 0 {
		return page{}, fmt.Errorf("release %d: %w", id, forge.ErrNotFound)
	}
	return pages[i], nil
}

func (f *Folder) release(p page) forge.Release {
	r := forge.Release{ID: p.ID, Tag: p.Tag, Target: p.Target, Name: p.Name, Body: p.Body, Draft: p.Draft, Prerelease: p.Prerelease,
		CreatedAt: p.CreatedAt, PublishedAt: p.PublishedAt, HTMLURL: "file://" + filepath.Join(f.o.Root, f.files(p.Tag), pageMarkdown)}
	for _, a := range p.Assets {
		r.Assets = append(r.Assets, f.asset(p, a))
	}
	return r
}

func (f *Folder) asset(p page, a asset) forge.Asset {
	return forge.Asset{ID: a.ID, Name: a.Name, ContentType: a.ContentType, State: "uploaded", Size: a.Size, Digest: a.Digest,
		CreatedAt: a.CreatedAt, DownloadURL: "file://" + filepath.Join(f.o.Root, f.files(p.Tag), a.Name)}
}

// Releases returns all releases, newest first, drafts too.
func (f *Folder) Releases(_ context.Context, repo forge.RepoName) ([]forge.Release, error) {
	if err := f.mine(repo); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	pages, err := f.all()
	if err != nil {
		return nil, err
	}
	var all []forge.Release
	for _, p := range pages {
		all = append(all, f.release(p))
	}
	return all, nil
}

// CreateRelease makes a page. ErrExists if the tag has one.
func (f *Folder) CreateRelease(ctx context.Context, repo forge.RepoName, n forge.NewRelease) (forge.Release, error) {
	if err := f.mine(repo); err != nil {
		return forge.Release{}, err
	}
	if err := checkName("a release", versionFolder(n.Tag)); err != nil {
		return forge.Release{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	pages, err := f.all()
	if err != nil {
		return forge.Release{}, err
	}
	if slices.ContainsFunc(pages, func(p page) bool { return p.Tag == n.Tag || p.ID == number(n.Tag) }) {
		return forge.Release{}, fmt.Errorf("creating release %s: %w", n.Tag, forge.ErrExists)
	}
	p := page{ID: number(n.Tag), Tag: n.Tag, Target: n.Target, Name: n.Name, Body: n.Body, Draft: true, Prerelease: n.Prerelease,
		CreatedAt: f.o.Now().UTC(), Assets: []asset{}}
	if err := f.keep(p); err != nil {
		return forge.Release{}, err
	}
	if !n.Draft {
		p, err = f.publish(ctx, p)
	}
	return f.release(p), err
}

// EditRelease changes what is set. Draft set to false publishes: the tag must be
// there by then. What is published does not become a draft again.
func (f *Folder) EditRelease(ctx context.Context, repo forge.RepoName, id int64, e forge.EditRelease) (forge.Release, error) {
	if err := f.mine(repo); err != nil {
		return forge.Release{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.page(id)
	if err != nil {
		return forge.Release{}, fmt.Errorf("editing release: %w", err)
	}
	if e.Tag != nil && *e.Tag != p.Tag || e.Draft != nil && *e.Draft && !p.Draft {
		return forge.Release{}, fmt.Errorf("editing release %s: %w: its tag stays, and what is public stays public", p.Tag, forge.ErrInvalid)
	}
	if e.Name != nil {
		p.Name = *e.Name
	}
	if e.Body != nil {
		p.Body = *e.Body
	}
	if e.Prerelease != nil {
		p.Prerelease = *e.Prerelease
	}
	if p.Draft && e.Draft != nil && !*e.Draft {
		p, err = f.publish(ctx, p)
	} else {
		err = f.keep(p)
	}
	return f.release(p), err
}

// DeleteRelease removes a page and its files; the tag stays.
func (f *Folder) DeleteRelease(_ context.Context, repo forge.RepoName, id int64) error {
	if err := f.mine(repo); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.page(id)
	if err != nil {
		return fmt.Errorf("deleting release: %w", err)
	}
	// The page goes first: files without a page are no release.
	files := []string{f.draftFile(p.Tag)}
	for _, name := range []string{pageJSON, pageMarkdown} {
		files = append(files, filepath.Join(f.o.Root, f.files(p.Tag), name))
	}
	for _, a := range p.Assets {
		files = append(files, filepath.Join(f.o.Root, f.files(p.Tag), a.Name))
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("deleting release %s: %w", p.Tag, err)
		}
	}
	return nil
}

// publish writes the page where readers look, release.json last: it is what says
// that a release is there.
func (f *Folder) publish(ctx context.Context, p page) (page, error) {
	if _, err := os.Stat(f.Public()); errors.Is(err, os.ErrNotExist) {
		return p, fmt.Errorf("publishing release %s: %w: there is no repository %s; push the tag first", p.Tag, forge.ErrInvalid, f.Public())
	}
	repo, err := git.Open(ctx, f.Public())
	if err != nil {
		return p, err
	}
	if _, err := repo.Resolve(ctx, "refs/tags/"+p.Tag); err != nil {
		return p, fmt.Errorf("publishing release %s: %w: there is no such tag in %s; push it first", p.Tag, forge.ErrInvalid, repo.Dir)
	}
	if err := served(ctx, repo); err != nil {
		return p, err
	}
	p.Draft, p.PublishedAt = false, f.o.Now().UTC()
	return p, f.keep(p)
}

// keep writes a page: a draft in the private folder, another where readers look.
func (f *Folder) keep(p page) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the page of %s: %w", p.Tag, err)
	}
	text = append(text, '\n')
	if p.Draft {
		return replace(f.draftFile(p.Tag), bytes.NewReader(text))
	}
	dir := filepath.Join(f.o.Root, f.files(p.Tag))
	if err := replace(filepath.Join(dir, pageMarkdown), strings.NewReader(p.markdown())); err != nil {
		return err
	}
	if err := replace(filepath.Join(dir, pageJSON), bytes.NewReader(text)); err != nil {
		return err
	}
	if err := os.Remove(f.draftFile(p.Tag)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the draft of %s: %w", p.Tag, err)
	}
	return nil
}

// markdown is the page as people read it.
func (p page) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s, %s\n\n%s\n\n## Files\n\n", p.Name, p.Tag, p.PublishedAt.Format(time.DateOnly), strings.TrimSpace(p.Body))
	for _, a := range p.Assets {
		fmt.Fprintf(&b, "- [%s](%s), %d bytes, `%s`\n", a.Name, strings.ReplaceAll(a.Name, " ", "%20"), a.Size, a.Digest)
	}
	return b.String()
}

// replace writes a file that is whole or absent. What it writes first has a name
// that follows from the file's: who does again what a killed process began
// leaves nothing of it.
func replace(file string, content io.Reader) (err error) {
	fail := func(err error) error { return fmt.Errorf("writing %s: %w", file, err) }
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fail(err)
	}
	sum := sha256.Sum256([]byte(filepath.Base(file)))
	next := filepath.Join(filepath.Dir(file), ".new-"+hex.EncodeToString(sum[:6]))
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	t, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fail(err)
	}
	defer os.Remove(t.Name()) // gone by then, if all went well
	_, err = io.Copy(t, content)
	if err = errors.Join(err, t.Chmod(0o644), t.Sync(), t.Close()); err != nil {
		return fail(err)
	}
	if err := os.Rename(t.Name(), file); err != nil {
		return fail(err)
	}
	return nil
}

// UploadAsset adds a file of size bytes to a release. One that lies in the
// folder already with the very bytes is taken as it is. ErrExists if the release
// has an asset of that name, or there is a file of it with other bytes.
func (f *Folder) UploadAsset(_ context.Context, repo forge.RepoName, releaseID int64, name, contentType string, size int64, r io.Reader) (forge.Asset, error) {
	if err := f.mine(repo); err != nil {
		return forge.Asset{}, err
	}
	if err := checkName("a file", name); err != nil {
		return forge.Asset{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.page(releaseID)
	if err != nil {
		return forge.Asset{}, fmt.Errorf("uploading %s: %w", name, err)
	}
	file := filepath.Join(f.o.Root, f.files(p.Tag), name)
	if slices.ContainsFunc(p.Assets, func(a asset) bool { return a.Name == name }) {
		return forge.Asset{}, fmt.Errorf("uploading %s to release %s: %w", name, p.Tag, forge.ErrExists)
	}
	there, sum, err := digestOf(file)
	switch {
	case err != nil:
		return forge.Asset{}, err
	case there:
		given, err := measure(io.Discard, r, size)
		if err != nil {
			return forge.Asset{}, fmt.Errorf("uploading %s to release %s: %w", name, p.Tag, err)
		}
		if given != sum {
			return forge.Asset{}, fmt.Errorf("uploading %s to release %s: %w: there is a file with other bytes at %s", name, p.Tag, forge.ErrExists, file)
		}
	default:
		// The copy is complete before it gets its name.
		h := sha256.New()
		counted := &counter{r: io.TeeReader(r, h), want: size}
		if err := replace(file, counted); err != nil {
			return forge.Asset{}, fmt.Errorf("uploading %s to release %s: %w", name, p.Tag, err)
		}
		sum = "sha256:" + hex.EncodeToString(h.Sum(nil))
	}
	a := asset{ID: number(p.Tag + "/" + name), Name: name, ContentType: contentType, Size: size, Digest: sum, CreatedAt: f.o.Now().UTC()}
	p.Assets = append(p.Assets, a)
	if err := f.keep(p); err != nil {
		return forge.Asset{}, err
	}
	return f.asset(p, a), nil
}

// DeleteAsset removes a file from its release.
func (f *Folder) DeleteAsset(_ context.Context, repo forge.RepoName, id int64) error {
	if err := f.mine(repo); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, a, err := f.find(id)
	if err != nil {
		return fmt.Errorf("deleting asset: %w", err)
	}
	p.Assets = slices.DeleteFunc(p.Assets, func(o asset) bool { return o.ID == id })
	if err := f.keep(p); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(f.o.Root, f.files(p.Tag), a.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("deleting asset %s: %w", a.Name, err)
	}
	return nil
}

// DownloadAsset returns an asset's content, which the caller closes. It is what
// lies in the folder: compare it with the digest.
func (f *Folder) DownloadAsset(_ context.Context, repo forge.RepoName, id int64) (io.ReadCloser, error) {
	if err := f.mine(repo); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, a, err := f.find(id)
	if err != nil {
		return nil, fmt.Errorf("downloading asset: %w", err)
	}
	root, err := os.OpenRoot(f.o.Root)
	if err != nil {
		return nil, fmt.Errorf("downloading %s: %w", a.Name, err)
	}
	defer root.Close()
	r, err := root.Open(filepath.Join(f.files(p.Tag), a.Name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("downloading %s: %w", a.Name, forge.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("downloading %s: %w", a.Name, err)
	}
	return r, nil
}

func (f *Folder) find(id int64) (page, asset, error) {
	pages, err := f.all()
	if err != nil {
		return page{}, asset{}, err
	}
	for _, p := range pages {
		for _, a := range p.Assets {
			if a.ID == id {
				return p, a, nil
			}
		}
	}
	return page{}, asset{}, fmt.Errorf("asset %d: %w", id, forge.ErrNotFound)
}

// counter fails where what it reads is not as long as was said.
type counter struct {
	r          io.Reader
	have, want int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.have += int64(n)
	if c.have > c.want || errors.Is(err, io.EOF) && c.have != c.want {
		return n, fmt.Errorf("%w: %d bytes came of %d", forge.ErrInvalid, c.have, c.want)
	}
	return n, err
}

// measure copies size bytes and returns their digest.
func measure(w io.Writer, r io.Reader, size int64) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), &counter{r: r, want: size}); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// digestOf sums up a file that may be there.
func digestOf(file string) (there bool, sum string, err error) {
	r, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", fmt.Errorf("looking at %s: %w", file, err)
	}
	defer r.Close()
	i, err := r.Stat()
	if err != nil {
		return false, "", fmt.Errorf("looking at %s: %w", file, err)
	}
	sum, err = measure(io.Discard, r, i.Size())
	return true, sum, err
}
