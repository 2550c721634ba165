package promote

import (
	"cmp"
	"slices"
	"strings"

	"seaworthy/artifact"
)

// renames warns of digests of the plan that a destination registry has under
// another name, which no manifest asks for: an image was renamed, or goes to
// the wrong name.
func (p *planner) renames() {
	if p.inventory == nil || len(p.plan.Items) == 0 {
		return
	}
	names := p.names()
	type key struct {
		image  Location
		digest artifact.Digest
	}
	told := map[key]bool{}
	for _, i := range p.plan.Items {
		k := key{i.Source, i.Digest}
		for _, repository := range names[i.Digest] {
			at := slices.IndexFunc(i.Destinations, func(d Location) bool {
				return strings.HasPrefix(repository, d.Registry+"/") && repository != d.Repository()
			})
			if at < 0 || told[k] || repository == i.Source.Repository() || p.wants(repository, i.Digest) {
				continue
			}
			told[k] = true
			p.plan.Warnings = append(p.plan.Warnings, Warning{i.Manifest, i.Line, i.Source.Repository(),
				string(i.Digest) + " goes to " + i.Destinations[at].Repository() + " and is published as " + repository + " already: is this a new name for it?"})
		}
	}
}

// names finds the repositories that have digests of the plan.
func (p *planner) names() map[artifact.Digest][]string {
	names := make(map[artifact.Digest][]string, len(p.plan.Items))
	for _, i := range p.plan.Items {
		names[i.Digest] = nil
	}
	planned := make([]bool, len(p.inventory.names.known))
	for d := range names {
		planned[p.inventory.names.numbers[string(d)]] = true
	}
	for repository, h := range p.inventory.repositories {
		for _, n := range h.digests {
			if planned[n] {
				d := artifact.Digest(p.inventory.names.known[n])
				names[d] = append(names[d], repository)
			}
		}
	}
	for _, list := range names {
		slices.Sort(list)
	}
	return names
}

// wants reports whether a manifest asks for a digest in a repository.
func (p *planner) wants(repository string, d artifact.Digest) bool {
	return slices.ContainsFunc(p.wanted[repository], func(o owner) bool {
		return slices.ContainsFunc(o.image.Entries, func(e Entry) bool { return e.Digest == d })
	})
}

// finish sorts and counts.
func (p *planner) finish() {
	slices.SortStableFunc(p.plan.Items, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.Source.Registry, b.Source.Registry), strings.Compare(a.Source.Image, b.Source.Image),
			cmp.Compare(a.Digest, b.Digest), strings.Compare(a.Manifest, b.Manifest))
	})
	p.plan.sortRefusals()
	slices.SortStableFunc(p.plan.Warnings, func(a, b Warning) int {
		return cmp.Or(strings.Compare(a.Manifest, b.Manifest), cmp.Compare(a.Line, b.Line), strings.Compare(a.Why, b.Why))
	})
	p.plan.count()
}

func (p *Plan) sortRefusals() {
	slices.SortStableFunc(p.Refusals, func(a, b Refusal) int {
		return cmp.Or(strings.Compare(a.Manifest, b.Manifest), cmp.Compare(a.Line, b.Line), strings.Compare(a.Image, b.Image))
	})
}

// count counts what is in the plan, which is sorted.
func (p *Plan) count() {
	p.Counts.Refused, p.Counts.Edges, p.Counts.Promote = len(p.Refusals), 0, 0
	for n, i := range p.Items {
		p.Counts.Edges += i.Edges()
		if n == 0 || i.Digest != p.Items[n-1].Digest || i.Source != p.Items[n-1].Source {
			p.Counts.Promote++
		}
	}
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
