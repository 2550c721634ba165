package promote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"seaworthy/artifact"
	"seaworthy/strict"
)

// Inventory is what registries hold: repositories with their digests and tags.
// It is not safe for concurrent use while it is filled.
type Inventory struct {
	repositories map[string]*holding // by registry/image
}

// holding is what one repository holds.
type holding struct {
	digests map[artifact.Digest]bool
	tags    map[string]artifact.Digest
	failure string // why it could not be asked, empty if it was
	shared  bool   // by several repositories: it must be copied before it is changed
}

// NewInventory returns one that knows of nothing: every repository is empty.
func NewInventory() *Inventory { return &Inventory{repositories: map[string]*holding{}} }

// Add says that a repository (registry/image) holds a digest, under the tags.
// A tag points to the digest it was given last.
func (v *Inventory) Add(repository string, digest artifact.Digest, tags ...string) {
	h := v.holding(repository)
	h.digests[digest] = true
	for _, t := range tags {
		h.tags[t] = digest
	}
}

// Fail says that a repository could not be asked, and why. Images that touch
// it are refused.
func (v *Inventory) Fail(repository string, why error) { v.holding(repository).failure = why.Error() }

// Has reports whether a repository holds a digest.
func (v *Inventory) Has(repository string, digest artifact.Digest) bool {
	return v.repositories[repository].has(digest)
}

// Tag returns the digest a tag points to.
func (v *Inventory) Tag(repository, tag string) (artifact.Digest, bool) {
	return v.repositories[repository].tag(tag)
}

// holding returns what a repository holds, to be changed.
func (v *Inventory) holding(repository string) *holding {
	h := v.repositories[repository]
	switch {
	case h == nil:
		h = &holding{digests: map[artifact.Digest]bool{}, tags: map[string]artifact.Digest{}}
	case h.shared:
		h = &holding{digests: maps.Clone(h.digests), tags: maps.Clone(h.tags)}
	default:
		return h
	}
	v.repositories[repository] = h
	return h
}

// The methods of holding take nil for a repository nothing is known of.

func (h *holding) has(d artifact.Digest) bool { return h != nil && h.digests[d] }

func (h *holding) tag(name string) (artifact.Digest, bool) {
	if h == nil {
		return "", false
	}
	d, ok := h.tags[name]
	return d, ok
}

func (h *holding) failed() string {
	if h == nil {
		return ""
	}
	return h.failure
}

// ParseInventory reads {registry: {image: {digest: [tags]}}}, JSON or YAML. A
// registry may be a host alone with the rest of the path in the image: what
// counts is both together. A tag on two digests of one repository is an error:
// no registry holds such a thing. Errors are strict.Error.
func ParseInventory(file string, text []byte) (*Inventory, error) {
	if first := bytes.TrimLeft(text, " \t\r\n"); len(first) > 0 && first[0] == '{' {
		if v, ok := scanInventory(text); ok {
			return v, nil
		}
		v := NewInventory()
		err := v.readJSON(text)
		var clash clashError
		if err == nil {
			return v, nil
		} else if errors.As(err, &clash) {
			return nil, strict.Error{{File: file, Message: err.Error()}}
		}
		// YAML in braces looks like JSON; and if it is neither, the YAML
		// reader knows the line.
	}
	v := NewInventory()
	var raw map[string]contents
	if err := strict.AsError(strict.Unmarshal(file, text, &raw)); err != nil {
		return nil, err
	}
	for registry, images := range raw {
		if err := v.fill(registry, images); err != nil {
			return nil, strict.Error{{File: file, Message: err.Error()}}
		}
	}
	return v, nil
}

// contents are the images of one registry as an inventory lists them.
type contents map[string]map[artifact.Digest][]string

// clashError is a tag on two digests.
type clashError struct{ text string }

func (e clashError) Error() string { return e.text }

func (v *Inventory) fill(registry string, images contents) error {
	for image, digests := range images {
		repository := repositoryOf(registry, image)
		h := v.holding(repository)
		for digest, tags := range digests {
			for _, t := range tags {
				if have, ok := h.tags[t]; ok && have != digest {
					return clashError{fmt.Sprintf("%s: tag %s is listed with two digests, %s and %s: a tag points to one",
						clip(repository), clip(t), min(have, digest), max(have, digest))}
				}
			}
			v.Add(repository, digest, tags...)
		}
	}
	return nil
}

func repositoryOf(registry, image string) string {
	return strings.TrimRight(registry, "/") + "/" + strings.Trim(image, "/")
}

// readJSON reads one registry at a time: an inventory of many mirrors is
// large.
func (v *Inventory) readJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		registry, ok := key.(string)
		if !ok {
			return fmt.Errorf("the name of a registry is expected, not %v", key)
		}
		var images contents
		if err := d.Decode(&images); err != nil {
			return fmt.Errorf("registry %s: %w", clip(registry), err)
		}
		if err := v.fill(registry, images); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end of the inventory")
	}
	return nil
}
