package promote

import (
	"slices"
	"strconv"

	"seaworthy/artifact"
)

// added returns what manifests ask for beyond what others asked for before. A
// manifest whose destinations are partly new is returned in parts: new
// destinations get everything, the old ones what is new.
func added(before, manifests []Manifest) []Manifest {
	var all []Manifest
	for _, m := range manifests {
		all = append(all, m.beyond(before)...)
	}
	return all
}

// beyond returns the manifest without what was asked for before.
func (m Manifest) beyond(before []Manifest) []Manifest {
	source := m.Source()
	parts := map[string][]Registry{} // destinations by the earlier manifests that had them
	earlier := map[string][]Manifest{}
	for _, d := range m.Destinations() {
		name := ""
		var had []Manifest
		for i, b := range before {
			if b.Source().Name == source.Name && slices.ContainsFunc(b.Destinations(), func(r Registry) bool { return r.Name == d.Name }) {
				had = append(had, b)
				name += strconv.Itoa(i) + " "
			}
		}
		parts[name] = append(parts[name], d)
		earlier[name] = had
	}
	var all []Manifest
	for _, name := range sortedKeys(parts) {
		part := m
		part.Registries = append([]Registry{source}, parts[name]...)
		if part.Images = imagesBeyond(earlier[name], m.Images); len(part.Images) > 0 {
			all = append(all, part)
		}
	}
	return all
}

// imagesBeyond returns the images, digests and tags that no earlier manifest
// has.
func imagesBeyond(earlier []Manifest, images []Image) []Image {
	if len(earlier) == 0 {
		return images
	}
	type key struct {
		image  string
		digest artifact.Digest
	}
	known := map[key]*set{}
	for _, m := range earlier {
		for _, i := range m.Images {
			for _, e := range i.Entries {
				k := key{i.Name, e.Digest}
				if known[k] == nil {
					known[k] = newSet(e.Tags)
					continue
				}
				for _, t := range e.Tags {
					known[k].add(t)
				}
			}
		}
	}
	var fresh []Image
	for _, i := range images {
		var entries []Entry
		for _, e := range i.Entries {
			had := known[key{i.Name, e.Digest}]
			if had == nil {
				entries = append(entries, e)
				continue
			}
			tags := slices.DeleteFunc(slices.Clone(e.Tags), func(t string) bool { return had.has(t) })
			if len(tags) > 0 {
				e.Tags = tags
				entries = append(entries, e)
			}
		}
		if len(entries) > 0 {
			i.Entries = entries
			fresh = append(fresh, i)
		}
	}
	return fresh
}
