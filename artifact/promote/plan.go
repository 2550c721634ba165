package promote

import (
	"fmt"
	"iter"

	"seaworthy/artifact"
)

// Plan is what has to be done so that the registries hold what the manifests
// ask for. Its lists are sorted, so that equal inputs make equal plans.
type Plan struct {
	Items    []Item
	Refusals []Refusal
	Warnings []Warning
	Counts   Counts
}

// Item is one image that destinations lack: its digest, or some of its tags.
// Where destinations lack different tags the image has an item for each group.
type Item struct {
	// Manifest is the file that asks for it, with the line of the digest.
	Manifest string
	Line     int
	// Source is the staging registry with the image's name below it.
	Source Location
	Digest artifact.Digest
	// Tags are those to be written at every destination of the item. Without
	// any, the digest alone is copied.
	Tags []string
	// Copied says that the destinations have the digest already.
	Copied bool
	// Destinations is shared between items: it must not be changed.
	Destinations []Location
}

// Location is a repository: a registry of a manifest and an image below it.
type Location struct {
	Registry string // as the manifest spells it: host and path
	Image    string
	// ServiceAccount is the account the manifest names for the registry.
	ServiceAccount string
}

// Repository returns registry/image.
func (l Location) Repository() string { return l.Registry + "/" + l.Image }

// Edge is one tag of one image at one destination. Source and Destination are
// repositories, registry/image. Tag is empty where the digest alone is copied.
type Edge struct {
	Manifest    string          `json:"manifest"`
	Image       string          `json:"image"`
	Source      string          `json:"source"`
	Destination string          `json:"destination"`
	Digest      artifact.Digest `json:"digest"`
	Tag         string          `json:"tag"`
}

// Reason says in one word why an image is refused.
type Reason string

// Reasons for refusals.
const (
	TagMoves   Reason = "tag-moves"  // a destination has the tag on another digest
	NotStaged  Reason = "not-staged" // staging does not have the digest
	TagClash   Reason = "tag-clash"  // manifests give one destination tag to several digests
	Unreadable Reason = "unreadable" // a registry could not be asked
	Malformed  Reason = "malformed"  // what is written as digest or tag is none
	Unverified Reason = "unverified" // its signatures in staging are not those that are wanted
)

// Refusal is one image that is not promoted. Nothing of it is in the plan.
type Refusal struct {
	Manifest string          `json:"manifest"`
	Line     int             `json:"line"`
	Image    string          `json:"image"` // staging repository
	Digest   artifact.Digest `json:"digest"`
	Reason   Reason          `json:"reason"`
	Why      string          `json:"why"` // a sentence for people
}

// Warning is something a person should look at which keeps nothing from being
// promoted.
type Warning struct {
	Manifest string `json:"manifest"`
	Line     int    `json:"line"`
	Image    string `json:"image,omitempty"` // staging repository
	Why      string `json:"why"`
}

// Refuse takes an image out of the plan, wherever it was to go, and says why.
func (p *Plan) Refuse(source Location, digest artifact.Digest, reason Reason, why string) {
	kept := p.Items[:0]
	told := map[string]bool{}
	for _, i := range p.Items {
		if i.Source != source || i.Digest != digest {
			kept = append(kept, i)
			continue
		}
		if at := fmt.Sprintf("%s:%d", i.Manifest, i.Line); !told[at] {
			told[at] = true
			p.Refusals = append(p.Refusals, Refusal{Manifest: i.Manifest, Line: i.Line, Image: source.Repository(), Digest: digest, Reason: reason, Why: why})
		}
	}
	p.Items = kept
	p.sortRefusals()
	p.count()
}

// Counts are the sizes of a plan and of the manifests it was made of.
type Counts struct {
	Manifests int `json:"manifests"`
	Images    int `json:"images"`  // names
	Digests   int `json:"digests"` // asked for
	Tags      int `json:"tags"`    // asked for
	Wanted    int `json:"wanted"`  // edges the manifests ask for
	Edges     int `json:"edges"`   // edges of the plan
	Promote   int `json:"promote"` // images of the plan: names with digests
	Refused   int `json:"refused"` // images refused
}

// Edges walks over the plan one tag and destination at a time, in the order of
// source, digest, tag as the manifest lists them, and destination. There may be
// hundreds of thousands; they are made as they are asked for.
func (p *Plan) Edges() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		for _, i := range p.Items {
			source := i.Source.Repository()
			for _, tag := range tagsOf(i.Tags) {
				for _, d := range i.Destinations {
					if !yield(Edge{i.Manifest, i.Source.Image, source, d.Repository(), i.Digest, tag}) {
						return
					}
				}
			}
		}
	}
}

// tagsOf returns the tags, or the empty one for a digest that has none.
func tagsOf(tags []string) []string {
	if len(tags) == 0 {
		return []string{""}
	}
	return tags
}

// Edges counts the edges of one item.
func (i Item) Edges() int { return max(1, len(i.Tags)) * len(i.Destinations) }
