package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"seaworthy/artifact"
)

// A companion is what belongs to an image without being part of it: its
// signatures, attestations, bills of materials. Registries know two ways of
// keeping them, and both are followed: a tag made of the image's digest
// (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md), and
// manifests whose subject the image is (the distribution specification's
// referrers, with a tag where the registry keeps no list).
type companion struct {
	tag      string // sha256-<hex>.sig and the like; empty for a referrer
	manifest *manifest
	subject  artifact.Digest
	listed   descriptor // how a list of referrers names it
}

// companionTag returns the tag made of a digest.
func companionTag(d artifact.Digest) string { return strings.Replace(string(d), ":", "-", 1) }

// suffixes are what cosign appends to that tag.
func suffixes() []string { return []string{".sig", ".att", ".sbom"} }

// mostReferrers bounds what one image may draw after it.
const mostReferrers = 1000

// shopWindow is the list of tags of a source repository, asked for once.
type shopWindow struct {
	repo *repository
	once sync.Once
	list listing
	err  error
}

// windowOf is one whose list is at hand.
func windowOf(repo *repository, list listing) *shopWindow {
	w := &shopWindow{repo: repo, list: list}
	w.once.Do(func() {})
	return w
}

// look returns the list. A registry that gives digests but no list is asked for
// each tag there might be.
func (w *shopWindow) look(ctx context.Context) (listing, error) {
	w.once.Do(func() {
		w.list, w.err = w.repo.list(ctx)
		if refused(w.err) {
			w.list, w.err = listing{}, nil
		}
	})
	return w.list, w.err
}

// may reports whether a tag can be there.
func (l listing) may(tag string) bool {
	_, there := l.tags[tag]
	return there || l.tags == nil
}

// companions finds what belongs to a manifest and to all it names.
func companions(ctx context.Context, w *shopWindow, m *manifest, depth int) ([]companion, error) {
	all, err := companionsOf(ctx, w, m.digest, depth)
	if err != nil || depth > deepest {
		return all, err
	}
	for _, d := range m.children() {
		// The child's own children are not looked at: indexes of indexes are
		// signed as a whole, if they exist at all.
		more, err := companionsOf(ctx, w, d.Digest, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

func companionsOf(ctx context.Context, w *shopWindow, d artifact.Digest, depth int) ([]companion, error) {
	if depth > deepest {
		return nil, nil
	}
	list, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	var all []companion
	for _, suffix := range suffixes() {
		tag := companionTag(d) + suffix
		if !list.may(tag) {
			continue
		}
		m, err := w.repo.manifest(ctx, tag)
		if missing(err) {
			continue // taken away meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, companion{tag: tag, manifest: m})
	}
	referrers, err := referrersOf(ctx, w, d)
	if err != nil {
		return nil, err
	}
	if len(referrers) > mostReferrers {
		return nil, fmt.Errorf("%d manifests refer to %s, at most %d are copied", len(referrers), w.repo.at(string(d)), mostReferrers)
	}
	for _, r := range referrers {
		m, err := w.repo.manifest(ctx, string(r.Digest))
		if err != nil {
			return nil, err
		}
		if m.refs.Subject == nil || m.refs.Subject.Digest != d {
			return nil, fmt.Errorf("%s is listed as referring to %s and does not", w.repo.at(string(r.Digest)), d)
		}
		all = append(all, companion{manifest: m, subject: d, listed: r})
		more, err := companionsOf(ctx, w, r.Digest, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// referrersOf asks the registry, and reads the tag where it keeps no list.
func referrersOf(ctx context.Context, w *shopWindow, d artifact.Digest) ([]descriptor, error) {
	list, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	found, told, err := w.repo.referrers(ctx, d)
	if told || err != nil {
		return found, err
	}
	tag := companionTag(d)
	if !list.may(tag) {
		return nil, nil
	}
	m, err := w.repo.manifest(ctx, tag)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.children(), nil
}

// accompany copies a companion to the destinations.
func (c *copier) accompany(ctx context.Context, from *repository, p companion, to []*arrival) {
	reference := p.tag
	if reference == "" {
		reference = string(p.manifest.digest)
		to = c.lacking(ctx, p.manifest.digest, to)
	} else {
		to = c.unsigned(ctx, p, to)
	}
	c.substance(ctx, from, p.manifest, to, 0)
	for _, a := range alive(to) {
		kept, err := c.put(ctx, a.to, reference, p.manifest)
		if err == nil && p.subject != "" && !kept {
			err = c.enlist(ctx, a.to, p)
		}
		if err != nil {
			a.fail(err)
		}
	}
}

// unsigned returns the destinations where a companion's tag is free. A tag with
// other content stays as it is if that holds all of ours, which is how a
// destination's own signatures look; otherwise the destination fails: nothing
// that was signed there may get lost, and ours must not be missing.
func (c *copier) unsigned(ctx context.Context, p companion, to []*arrival) []*arrival {
	var all []*arrival
	for _, a := range to {
		if a.fresh {
			all = append(all, a)
			continue
		}
		have, err := a.to.manifest(ctx, p.tag)
		switch {
		case missing(err):
			all = append(all, a)
		case err != nil:
			a.fail(err)
		case have.digest == p.manifest.digest, holds(have, p.manifest):
		case holds(p.manifest, have):
			all = append(all, a) // the source has gained some
		default:
			a.fail(fmt.Errorf("%s holds signatures the source lacks, and lacks some of the source's: sign the image again at the source, or remove the tag", a.to.at(p.tag)))
		}
	}
	return all
}

// holds reports whether one manifest has all layers of another.
func holds(m, other *manifest) bool {
	for _, d := range other.refs.Layers {
		if !slices.ContainsFunc(m.refs.Layers, func(o descriptor) bool { return o.Digest == d.Digest }) {
			return false
		}
	}
	return len(other.refs.Layers) > 0
}

// enlist adds a referrer to the tag that stands in for a list where the
// registry keeps none.
func (c *copier) enlist(ctx context.Context, to *repository, p companion) error {
	tag := companionTag(p.subject)
	k := c.shelves.at(to.name.String(), artifact.Digest(tag)) // one at a time
	select {
	case <-k.right:
		defer func() { k.right <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	index := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}{2, ociIndex, nil}
	have, err := to.manifest(ctx, tag)
	switch {
	case missing(err):
	case err != nil:
		return err
	case have.mediaType != ociIndex:
		return fmt.Errorf("%s is no list of referrers", to.at(tag))
	default:
		index.Manifests = have.refs.Manifests
	}
	if slices.ContainsFunc(index.Manifests, func(d descriptor) bool { return d.Digest == p.manifest.digest }) {
		return nil
	}
	entry := p.listed
	entry.Digest, entry.MediaType, entry.Size = p.manifest.digest, p.manifest.mediaType, int64(len(p.manifest.text))
	index.Manifests = append(index.Manifests, entry)
	text, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("writing %s: %w", to.at(tag), err)
	}
	m, err := parseManifest(text, ociIndex, "")
	if err != nil {
		return err
	}
	_, err = c.put(ctx, to, tag, m)
	return err
}
