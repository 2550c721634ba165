package promote

import (
	"seaworthy/artifact"
)

// Inventory is what registries hold: repositories with their digests and tags.
// It is not safe for concurrent use.
type Inventory struct {
	repositories map[string]*holding // by registry/image
}

// holding is what one repository holds.
type holding struct {
	digests map[artifact.Digest]bool
	tags    map[string]artifact.Digest
	failure string // why it could not be asked, empty if it was
}

// NewInventory returns one that knows of nothing: every repository is empty.
func NewInventory() *Inventory { return &Inventory{repositories: map[string]*holding{}} }

// Add says that a repository (registry/image) holds a digest, under the tags.
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
	h := v.repositories[repository]
	return h != nil && h.digests[digest]
}

// Tag returns the digest a tag points to.
func (v *Inventory) Tag(repository, tag string) (artifact.Digest, bool) {
	h := v.repositories[repository]
	if h == nil {
		return "", false
	}
	d, ok := h.tags[tag]
	return d, ok
}

func (v *Inventory) holding(repository string) *holding {
	h := v.repositories[repository]
	if h == nil {
		h = &holding{digests: map[artifact.Digest]bool{}, tags: map[string]artifact.Digest{}}
		v.repositories[repository] = h
	}
	return h
}
