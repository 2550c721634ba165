package promote

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"seaworthy/artifact"
)

// Make plans what the manifests ask for and the registries lack. Without an
// inventory (nil) nothing is known of the registries, and everything is planned.
// The manifests must have been read without problems.
func Make(manifests []Manifest, inventory *Inventory) *Plan {
	return MakeSince(nil, manifests, inventory)
}

// MakeSince plans only what the manifests ask for beyond what they asked for
// before: images, tags and destinations that were added. Tags that clash are
// looked for in all of the manifests nevertheless.
func MakeSince(before, manifests []Manifest, inventory *Inventory) *Plan {
	p := &planner{plan: &Plan{}, inventory: inventory, wanted: owners(manifests), done: map[doneKey]bool{}}
	p.clashes = clashes(p.wanted)
	p.overlaps()
	asked := manifests
	if before != nil {
		asked = added(before, manifests)
	}
	for _, m := range asked {
		p.manifest(m)
	}
	p.renames()
	p.finish()
	p.plan.Counts.Manifests = len(manifests)
	return p.plan
}

// planner makes one plan.
type planner struct {
	plan      *Plan
	inventory *Inventory
	wanted    map[string][]owner // by destination repository
	clashes   map[imageKey]string
	done      map[doneKey]bool
}

// owner is an image of a manifest that wants to be at a destination.
type owner struct {
	manifest *Manifest
	image    *Image
	number   int // of the image among all
}

// imageKey is one digest of an image of a manifest.
type imageKey struct {
	file, image string
	digest      artifact.Digest
}

// doneKey is a tag, or a digest without one, that an item of the plan writes at
// a destination that several images want.
type doneKey struct {
	repository, tag string
	digest          artifact.Digest
}

func owners(manifests []Manifest) map[string][]owner {
	all := map[string][]owner{}
	number := 0
	for i := range manifests {
		m := &manifests[i]
		destinations := m.Destinations()
		for j := range m.Images {
			number++
			for _, r := range destinations {
				repository := r.Name + "/" + m.Images[j].Name
				all[repository] = append(all[repository], owner{m, &m.Images[j], number})
			}
		}
	}
	return all
}

// clashes finds destination tags that manifests give to several digests.
// Mirrors want the same images, so each group of images is looked at once.
func clashes(wanted map[string][]owner) map[imageKey]string {
	found := map[imageKey]string{}
	seen := map[string]bool{}
	for _, repository := range sortedKeys(wanted) {
		group := wanted[repository]
		if name := groupName(group); !seen[name] {
			seen[name] = true
			clashesIn(group, repository, found)
		}
	}
	return found
}

func groupName(group []owner) string {
	name := strconv.Itoa(group[0].number)
	for _, o := range group[1:] {
		name += " " + strconv.Itoa(o.number)
	}
	return name
}

// claim is a tag that one entry asks for.
type claim struct {
	owner
	entry *Entry
}

// clashesIn looks at the images promoted to one repository.
func clashesIn(group []owner, repository string, found map[imageKey]string) {
	first := map[string]artifact.Digest{}
	clashing := map[string][]claim{}
	each := func(do func(tag string, c claim)) {
		for _, o := range group {
			for i := range o.image.Entries {
				for _, t := range o.image.Entries[i].Tags {
					do(t, claim{o, &o.image.Entries[i]})
				}
			}
		}
	}
	each(func(tag string, c claim) {
		if have, known := first[tag]; !known {
			first[tag] = c.entry.Digest
		} else if have != c.entry.Digest {
			clashing[tag] = nil
		}
	})
	if len(clashing) == 0 {
		return
	}
	each(func(tag string, c claim) {
		if all, clashes := clashing[tag]; clashes {
			clashing[tag] = append(all, c)
		}
	})
	for _, t := range sortedKeys(clashing) {
		var where []string
		for _, c := range clashing[t] {
			where = append(where, fmt.Sprintf("%s (%s:%d)", c.entry.Digest, c.manifest.ImagesFile, c.entry.Line))
		}
		for _, c := range clashing[t] {
			key := imageKey{c.manifest.File, c.image.Name, c.entry.Digest}
			if found[key] == "" {
				found[key] = fmt.Sprintf("tag %s of %s is asked for with different digests: %s; keep one", t, repository, strings.Join(where, ", "))
			}
		}
	}
}

// overlaps warns of repositories that images of several sources are promoted
// to.
func (p *planner) overlaps() {
	told := map[string]bool{}
	for _, repository := range sortedKeys(p.wanted) {
		group := p.wanted[repository]
		for _, o := range group[1:] {
			first := group[0]
			from, other := locate(first.manifest.Source(), first.image), locate(o.manifest.Source(), o.image)
			if from.Repository() == other.Repository() {
				continue
			}
			if key := from.Repository() + " " + other.Repository(); !told[key] {
				told[key] = true
				p.warn(o.manifest, o.image.Line, other, "%s is promoted to %s, and so is %s of %s", other.Repository(), repository, from.Repository(), first.manifest.File)
			}
		}
	}
}

func (p *planner) warn(m *Manifest, line int, image Location, format string, args ...any) {
	p.plan.Warnings = append(p.plan.Warnings, Warning{m.ImagesFile, line, image.Repository(), fmt.Sprintf(format, args...)})
}

func locate(r Registry, i *Image) Location {
	return Location{Registry: r.Name, Image: i.Name, ServiceAccount: r.ServiceAccount}
}

// target is a destination with what it holds.
type target struct {
	Location
	repository string
	holds      *holding
	contested  bool // several images are promoted there
}

func (p *planner) manifest(m Manifest) {
	destinations := m.Destinations()
	slices.SortFunc(destinations, func(a, b Registry) int { return strings.Compare(a.Name, b.Name) })
	for i := range m.Images {
		image := &m.Images[i]
		c := &p.plan.Counts
		c.Images++
		c.Digests += len(image.Entries)
		source := p.target(locate(m.Source(), image))
		targets := make([]target, len(destinations))
		shared := make([]Location, len(destinations))
		for j, d := range destinations {
			targets[j] = p.target(locate(d, image))
			shared[j] = targets[j].Location
		}
		for _, e := range image.Entries {
			c.Tags += len(e.Tags)
			c.Wanted += max(1, len(e.Tags)) * len(destinations)
			w := wish{manifest: &m, image: image, entry: e, source: source, targets: targets, shared: shared, tags: make([]number, len(e.Tags))}
			if p.inventory != nil {
				w.digest = p.inventory.names.numbers[string(e.Digest)]
				for k, t := range e.Tags {
					w.tags[k] = p.inventory.names.numbers[t]
				}
			}
			p.image(w)
		}
	}
}

func (p *planner) target(l Location) target {
	t := target{Location: l, repository: l.Repository()}
	t.contested = len(p.wanted[t.repository]) > 1
	if p.inventory != nil {
		t.holds = p.inventory.repositories[t.repository]
	}
	return t
}

// wish is one image that a manifest asks for.
type wish struct {
	manifest *Manifest
	image    *Image
	entry    Entry
	digest   number   // of the entry, as the inventory numbers it; 0 if nothing holds it
	tags     []number // and so its tags
	source   target
	targets  []target
	shared   []Location // the locations of targets
	others   bool       // what other manifests bring need not be brought again
}

// image plans one image, or refuses it.
func (p *planner) image(w wish) {
	if w.entry.Fault != "" {
		p.refuse(w, Malformed, w.entry.Fault)
		return
	}
	if why := p.clashes[imageKey{w.manifest.File, w.image.Name, w.entry.Digest}]; why != "" {
		p.refuse(w, TagClash, why)
		return
	}
	items := p.needs(w)
	if len(items) == 0 {
		return // it is where it is wanted
	}
	if p.inventory != nil {
		if reason, why := p.objection(w); why != "" {
			p.refuse(w, reason, why)
			return
		}
		p.restaged(w)
	}
	if slices.ContainsFunc(w.targets, func(t target) bool { return t.contested }) {
		w.others = true
		items = p.needs(w)
	}
	p.plan.Items = append(p.plan.Items, items...)
	for _, t := range w.targets {
		if !t.contested {
			continue
		}
		for _, tag := range tagsOf(w.entry.Tags) {
			p.done[doneKey{t.repository, tag, w.entry.Digest}] = true
		}
	}
}

// needs groups the destinations that lack the image by what they lack.
func (p *planner) needs(w wish) []Item {
	var items []Item
	var missing []string
	for i, t := range w.targets {
		missing = missing[:0]
		copied := t.holds.has(w.digest)
		for k, tag := range w.entry.Tags {
			if d := t.holds.tag(w.tags[k]); (d == 0 || d != w.digest) && !p.planned(w, t, tag) {
				missing = append(missing, tag)
			}
		}
		if len(missing) == 0 && (copied || len(w.entry.Tags) > 0 || p.planned(w, t, "")) {
			continue
		}
		at := slices.IndexFunc(items, func(o Item) bool { return o.Copied == copied && slices.Equal(o.Tags, missing) })
		if at < 0 {
			tags := w.entry.Tags // shared, where all of them are missing
			if len(missing) < len(tags) {
				tags = slices.Clone(missing)
			}
			at = len(items)
			items = append(items, Item{Manifest: w.manifest.ImagesFile, Line: w.entry.Line, Source: w.source.Location, Digest: w.entry.Digest, Tags: tags, Copied: copied})
		}
		// As long as all destinations are in the group it shares their list.
		if o := &items[at]; len(o.Destinations) == i {
			o.Destinations = w.shared[: i+1 : i+1]
		} else {
			o.Destinations = append(o.Destinations, t.Location)
		}
	}
	return items
}

// planned reports whether the plan brings a tag to a destination already.
func (p *planner) planned(w wish, t target, tag string) bool {
	return w.others && t.contested && p.done[doneKey{t.repository, tag, w.entry.Digest}]
}

// objection says why an image that something lacks cannot be promoted.
func (p *planner) objection(w wish) (Reason, string) {
	for i := -1; i < len(w.targets); i++ {
		t := w.source
		if i >= 0 {
			t = w.targets[i]
		}
		if why := t.holds.failed(); why != "" {
			return Unreadable, fmt.Sprintf("%s could not be asked what it holds: %s", t.repository, why)
		}
	}
	if why := p.moves(w); why != "" {
		return TagMoves, why
	}
	if !w.source.holds.has(w.digest) {
		return NotStaged, fmt.Sprintf("%s does not have %s: push it there again, or remove it from the manifest", w.source.repository, w.entry.Digest)
	}
	return "", ""
}

// moves describes the first tag that would have to move, and says how many
// more would.
func (p *planner) moves(w wish) string {
	first, more := "", 0
	for _, t := range w.targets {
		for k, tag := range w.entry.Tags {
			on := t.holds.tag(w.tags[k])
			if on == 0 || on == w.digest {
				continue
			}
			have := p.inventory.names.known[on]
			if first != "" {
				more++
				continue
			}
			first = fmt.Sprintf("tag %s of %s would move from %s to %s: published tags stay; promote it under a new tag", tag, t.repository, have, w.entry.Digest)
			if tag == "latest" {
				first = fmt.Sprintf("tag latest of %s would move from %s to %s: published tags stay; remove latest from the manifest", t.repository, have, w.entry.Digest)
			}
		}
	}
	if more > 0 {
		first += fmt.Sprintf(" (and so in %d more cases)", more)
	}
	return first
}

// restaged warns of a tag that points to something else in staging by now.
func (p *planner) restaged(w wish) {
	for k, tag := range w.entry.Tags {
		if on := w.source.holds.tag(w.tags[k]); on != 0 && on != w.digest {
			p.warn(w.manifest, w.entry.Line, w.source.Location, "in staging, tag %s of %s points to %s, not to %s", tag, w.source.repository, p.inventory.names.known[on], w.entry.Digest)
		}
	}
}

func (p *planner) refuse(w wish, reason Reason, why string) {
	p.plan.Refusals = append(p.plan.Refusals, Refusal{
		Manifest: w.manifest.ImagesFile, Line: w.entry.Line, Image: w.source.repository, Digest: w.entry.Digest, Reason: reason, Why: why,
	})
}
