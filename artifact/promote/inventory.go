package promote

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"seaworthy/artifact"
	"seaworthy/strict"
)

// Inventory is what registries hold: repositories with their digests and tags.
// It is not safe for concurrent use while it is filled.
type Inventory struct {
	repositories map[string]*holding // by registry/image
	names        names
}

// names numbers digests and tags. Dozens of mirrors hold the same ones, and a
// number takes 4 bytes where a digest takes 90.
type names struct {
	numbers map[string]number
	known   []string // by number
}

// number stands for a digest or a tag. Zero is one that nothing holds.
type number uint32

// number returns the number of a name, a new one for one not seen before.
func (n *names) number(name []byte) number {
	if have, ok := n.numbers[string(name)]; ok {
		return have
	}
	next := number(len(n.known))
	n.known = append(n.known, string(name))
	n.numbers[n.known[next]] = next
	return next
}

// holding is what one repository holds.
type holding struct {
	digests []number  // ascending
	tags    []pointer // ascending by tag
	failure string    // why it could not be asked, empty if it was
	shared  bool      // by several repositories: it must be copied before it is changed
}

// pointer is a tag and the digest it points to.
type pointer struct{ tag, digest number }

// NewInventory returns one that knows of nothing: every repository is empty.
func NewInventory() *Inventory {
	return &Inventory{repositories: map[string]*holding{}, names: names{numbers: map[string]number{}, known: []string{""}}}
}

// Add says that a repository (registry/image) holds a digest, under the tags.
// A tag points to the digest it was given last.
func (v *Inventory) Add(repository string, digest artifact.Digest, tags ...string) {
	h, d := v.holding(repository), v.names.number([]byte(digest))
	h.hold(d)
	for _, t := range tags {
		h.point(v.names.number([]byte(t)), d)
	}
}

// Fail says that a repository could not be asked, and why. Images that touch
// it are refused.
func (v *Inventory) Fail(repository string, why error) { v.holding(repository).failure = why.Error() }

// Has reports whether a repository holds a digest.
func (v *Inventory) Has(repository string, digest artifact.Digest) bool {
	return v.repositories[repository].has(v.names.numbers[string(digest)])
}

// Tag returns the digest a tag points to.
func (v *Inventory) Tag(repository, tag string) (artifact.Digest, bool) {
	d := v.repositories[repository].tag(v.names.numbers[tag])
	return artifact.Digest(v.names.known[d]), d != 0
}

// holding returns what a repository holds, to be changed.
func (v *Inventory) holding(repository string) *holding {
	h := v.repositories[repository]
	switch {
	case h == nil:
		h = &holding{}
	case h.shared:
		h = &holding{digests: slices.Clone(h.digests), tags: slices.Clone(h.tags)}
	default:
		return h
	}
	v.repositories[repository] = h
	return h
}

func (h *holding) hold(d number) {
	if at, held := slices.BinarySearch(h.digests, d); !held {
		h.digests = slices.Insert(h.digests, at, d)
	}
}

// place returns where a tag is, or belongs: most often behind all others, as
// numbers are given in the order of reading.
func (h *holding) place(tag number) (at int, held bool) {
	if n := len(h.tags); n == 0 || h.tags[n-1].tag < tag {
		return n, false
	}
	return slices.BinarySearchFunc(h.tags, tag, pointer.compare)
}

func (h *holding) point(tag, d number) {
	at, held := h.place(tag)
	if held {
		h.tags[at].digest = d
		return
	}
	h.tags = slices.Insert(h.tags, at, pointer{tag, d})
}

func (p pointer) compare(tag number) int { return cmp.Compare(p.tag, tag) }

// The methods below take nil for a repository nothing is known of.

func (h *holding) has(d number) bool {
	if h == nil {
		return false
	}
	_, held := slices.BinarySearch(h.digests, d)
	return held
}

// tag returns the digest a tag points to, zero if there is no such tag.
func (h *holding) tag(tag number) number {
	if h == nil {
		return 0
	}
	if at, held := h.place(tag); held {
		return h.tags[at].digest
	}
	return 0
}

func (h *holding) failed() string {
	if h == nil {
		return ""
	}
	return h.failure
}

// ParseInventory is [ReadInventory] of a text in memory.
func ParseInventory(file string, text []byte) (*Inventory, error) {
	return ReadInventory(file, bytes.NewReader(text))
}

// ReadInventory reads {registry: {image: {digest: [tags]}}}, JSON or YAML; JSON
// piece by piece, however long it is. A registry may be a host alone with the
// rest of the path in the image: what counts is both together. What is listed
// twice is joined, but a tag on two digests of one repository is an error: no
// registry holds such a thing. Errors are strict.Error where the text must be
// corrected, and otherwise the reader's.
func ReadInventory(file string, r io.Reader) (*Inventory, error) {
	s := inventoryReader{from: r, line: 1, inventory: NewInventory(), known: map[string]*holding{}}
	if s.looksJSON() {
		s.readJSON()
	} else if s.err == nil {
		s.err = s.inventory.readYAML(file, io.MultiReader(bytes.NewReader(s.buffer), r))
	}
	var wrong inventoryError
	if errors.As(s.err, &wrong) {
		return nil, strict.Error{{File: file, Line: wrong.line, Message: wrong.text}}
	} else if s.err != nil {
		return nil, s.err
	}
	return s.inventory, nil
}

// inventoryError is what is wrong with an inventory. The line is 0 where it is
// not known.
type inventoryError struct {
	line int
	text string
}

func (e inventoryError) Error() string { return e.text }

// readYAML reads a text as a whole: people write such inventories, and they are
// short.
func (v *Inventory) readYAML(file string, r io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(r, largestImage+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	} else if len(text) > largestImage {
		return inventoryError{1, fmt.Sprintf("more than %d MiB of YAML: write it as JSON", largestImage>>20)}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return inventoryError{text: "the file is empty: write {} if the registries hold nothing"}
	}
	var raw map[string]map[string]map[artifact.Digest][]string
	if err := strict.AsError(strict.Unmarshal(file, text, &raw)); err != nil {
		return err
	}
	for registry, images := range raw {
		for image, digests := range images {
			repository := repositoryOf(registry, image)
			h := v.holding(repository)
			for digest, tags := range digests {
				d := v.names.number([]byte(digest))
				h.hold(d)
				for _, t := range tags {
					if clash := v.point(h, repository, v.names.number([]byte(t)), d); clash != "" {
						return inventoryError{text: clash}
					}
				}
			}
		}
	}
	return nil
}

// point adds a tag to what a repository holds, or says that it is on another
// digest already.
func (v *Inventory) point(h *holding, repository string, tag, d number) (clash string) {
	at, held := h.place(tag)
	switch {
	case !held:
		h.tags = slices.Insert(h.tags, at, pointer{tag, d})
	case h.tags[at].digest != d:
		one, other := v.names.known[h.tags[at].digest], v.names.known[d]
		return fmt.Sprintf("%s: tag %s is listed with two digests, %s and %s: a tag points to one",
			clip(repository), clip(v.names.known[tag]), clip(min(one, other)), clip(max(one, other)))
	}
	return ""
}

func repositoryOf(registry, image string) string {
	return strings.TrimRight(registry, "/") + "/" + strings.Trim(image, "/")
}
