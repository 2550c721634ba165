package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// stored is a manifest as the bucket has it: a line with its media type, then
// the bytes.
type stored struct {
	mediaType string
	body      []byte
}

func (s store) manifest(ctx context.Context, repo string, d artifact.Digest) (stored, error) {
	text, err := s.read(ctx, manifestKey(repo, d))
	if err != nil {
		return stored{}, err
	}
	mediaType, body, ok := bytes.Cut(text, []byte("\n"))
	if !ok {
		return stored{}, fmt.Errorf("%s is no manifest", manifestKey(repo, d))
	}
	return stored{string(mediaType), body}, nil
}

// tag returns the digest that a tag stands for, or errAbsent.
func (s store) tag(ctx context.Context, repo, tag string) (artifact.Digest, error) {
	text, err := s.read(ctx, tagKey(repo, tag))
	if err != nil {
		return "", err
	}
	d, err := artifact.ParseDigest(string(text))
	if err != nil {
		return "", fmt.Errorf("reading the tag %s of %s: %w", tag, repo, err)
	}
	return d, nil
}

// isDigest tells a digest from a tag: no tag has a colon.
func isDigest(reference string) bool { return strings.Contains(reference, ":") }

func manifestUnknown(repo, reference string) error {
	return refuse(http.StatusNotFound, codeManifestUnknown, "%s has no manifest %s", repo, reference)
}

// resolve returns the digest of what a reference names.
func (c *call) resolve(reference string) (artifact.Digest, error) {
	if isDigest(reference) {
		return parseDigest(reference)
	}
	if err := checkTag(reference); err != nil {
		return "", err
	}
	d, err := c.g.store.tag(c.r.Context(), c.target.repo, reference)
	if errors.Is(err, errAbsent) {
		return "", manifestUnknown(c.target.repo, reference)
	}
	return d, err
}

func (c *call) getManifest() error {
	d, err := c.resolve(c.target.rest)
	if err != nil {
		return err
	}
	m, err := c.g.store.manifest(c.r.Context(), c.target.repo, d)
	if errors.Is(err, errAbsent) {
		return manifestUnknown(c.target.repo, c.target.rest)
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", m.mediaType)
	h.Set("Docker-Content-Digest", string(d))
	h.Set("ETag", `"`+string(d)+`"`)
	http.ServeContent(c.w, c.r, "", time.Time{}, bytes.NewReader(m.body))
	return nil
}

// putManifest adds a manifest, once everything it names is there, and sets its
// tags: the one in the path, or those in the query if the path has a digest.
func (c *call) putManifest() error {
	tags := c.r.URL.Query()["tag"]
	var want artifact.Digest
	if isDigest(c.target.rest) {
		d, err := parseDigest(c.target.rest)
		if err != nil {
			return err
		}
		want = d
	} else {
		tags = append(tags, c.target.rest)
	}
	for _, tag := range tags {
		if err := checkTag(tag); err != nil {
			return err
		}
	}
	text, err := io.ReadAll(c.body(maxManifest))
	if err != nil {
		return err
	}
	m, err := parseManifest(c.r.Header.Get("Content-Type"), text)
	if err != nil {
		return err
	}
	algorithm := artifact.SHA256
	if want != "" {
		algorithm = want.Algorithm()
	}
	h := newHash(algorithm)
	h.Write(text)
	d := digestOf(algorithm, h)
	if want != "" && want != d {
		return wrongDigest(want, d)
	}
	if err := c.keepManifest(d, m, text, tags); err != nil {
		return err
	}
	c.manifestCreated(d, m, tags)
	return nil
}

func (c *call) manifestCreated(d artifact.Digest, m *manifest, tags []string) {
	out := c.w.Header()
	out.Set("Location", fmt.Sprintf("/v2/%s/manifests/%s", c.target.repo, d))
	out.Set("Docker-Content-Digest", string(d))
	if m.Subject != nil {
		out.Set("OCI-Subject", string(m.Subject.Digest))
	}
	for _, tag := range tags {
		out.Add("OCI-Tag", tag)
	}
	for _, text := range m.warnings {
		out.Add("Warning", fmt.Sprintf("299 - %q", text))
	}
	c.w.WriteHeader(http.StatusCreated)
}

// keepManifest writes what makes a manifest visible, in the order in which a
// process may be killed between any two writes.
func (c *call) keepManifest(d artifact.Digest, m *manifest, text []byte, tags []string) error {
	ctx, repo, s := c.r.Context(), c.target.repo, c.g.store
	// Nothing the manifest names may be deleted until it is here.
	lock := c.g.repos.of(repo)
	lock.RLock()
	defer lock.RUnlock()
	if err := c.g.complete(ctx, repo, m); err != nil {
		return err
	}
	if err := s.write(ctx, manifestKey(repo, d), append([]byte(m.mediaType+"\n"), text...)); err != nil {
		return err
	}
	if m.Subject != nil {
		entry, err := m.entry(d, int64(len(text)))
		if err != nil {
			return err
		}
		if err := s.write(ctx, referrersOf(repo, m.Subject.Digest)+word(d), entry); err != nil {
			return err
		}
	}
	for _, tag := range tags {
		if err := s.write(ctx, tagKey(repo, tag), []byte(d)); err != nil {
			return err
		}
	}
	return nil
}

// complete returns a problem unless the repository has everything a manifest
// names, in the size it says.
func (g *Registry) complete(ctx context.Context, repo string, m *manifest) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, b := range m.blobs {
		group.Go(func() error {
			size, err := g.store.linked(ctx, repo, b.Digest)
			if errors.Is(err, errAbsent) && b.foreign() {
				return nil
			}
			return missing(b, size, err)
		})
	}
	for _, child := range m.children {
		group.Go(func() error {
			have, err := g.store.manifest(ctx, repo, child.Digest)
			return missing(child, int64(len(have.body)), err)
		})
	}
	return group.Wait()
}

func missing(d descriptor, size int64, err error) error {
	detail := map[string]string{"digest": string(d.Digest)}
	if errors.Is(err, errAbsent) {
		p := refuse(http.StatusNotFound, codeManifestBlobUnknown, "the manifest names %s, which is not in the repository: push it first", d.Digest)
		p.detail = detail
		return p
	}
	if err == nil && size != d.Size {
		p := refuse(http.StatusBadRequest, codeManifestInvalid, "the manifest says that %s has %d bytes, it has %d", d.Digest, d.Size, size)
		p.detail = detail
		return p
	}
	return err
}

// deleteManifest removes a tag, or a manifest with all the tags it has.
func (c *call) deleteManifest() error {
	ctx, repo, s := c.r.Context(), c.target.repo, c.g.store
	lock := c.g.repos.of(repo)
	lock.Lock()
	defer lock.Unlock()
	d, err := c.resolve(c.target.rest)
	if err != nil {
		return err
	}
	if !isDigest(c.target.rest) {
		if err := s.remove(ctx, tagKey(repo, c.target.rest)); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusAccepted)
		return nil
	}
	have, err := s.manifest(ctx, repo, d)
	if errors.Is(err, errAbsent) {
		return manifestUnknown(repo, c.target.rest)
	}
	if err != nil {
		return err
	}
	// Whatever points at the manifest goes before it does.
	if err := c.g.untag(ctx, repo, d); err != nil {
		return err
	}
	if m, err := parseManifest(have.mediaType, have.body); err == nil && m.Subject != nil {
		if err := s.remove(ctx, referrersOf(repo, m.Subject.Digest)+word(d)); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("reading the manifest %s of %s: %w", d, repo, err)
	}
	if err := s.remove(ctx, manifestKey(repo, d)); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// untag removes the tags that stand for a manifest.
func (g *Registry) untag(ctx context.Context, repo string, d artifact.Digest) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	err := g.store.list(ctx, tagsOf(repo), "", func(key string, _ *blob.ListObject) error {
		tag, ok := tagAt(key)
		if !ok {
			return nil
		}
		group.Go(func() error {
			if have, err := g.store.tag(ctx, repo, tag); err != nil || have != d {
				return err
			}
			return g.store.remove(ctx, tagKey(repo, tag))
		})
		return nil
	})
	return errors.Join(err, group.Wait())
}
