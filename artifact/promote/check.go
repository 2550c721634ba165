package promote

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"seaworthy/artifact"
	"seaworthy/strict"
)

var (
	// registryName is a host, with a port or not, and a path. Hosts are read
	// in either case; the paths are those of the OCI distribution
	// specification.
	registryName = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/` + pathPart + `)*$`)
	imageName    = regexp.MustCompile(`^` + pathPart + `(/` + pathPart + `)*$`)
)

const pathPart = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`

// CheckTag refuses what the OCI distribution specification does not let be a
// tag.
func CheckTag(tag string) error {
	ok := len(tag) > 0 && len(tag) <= 128
	for i := 0; ok && i < len(tag); i++ {
		ok = wordByte(tag[i]) || i > 0 && (tag[i] == '.' || tag[i] == '-')
	}
	if !ok {
		return fmt.Errorf("%q is not a tag: write at most 128 letters, digits, _, . and -, the first no . or -", clip(tag))
	}
	return nil
}

// CheckDigest refuses what is not sha256: with 64 lower-case hex digits, the
// only digests that manifests promote.
func CheckDigest(d artifact.Digest) error {
	sum, ok := strings.CutPrefix(string(d), "sha256:")
	ok = ok && len(sum) == 64
	for i := 0; ok && i < len(sum); i++ {
		ok = sum[i] >= '0' && sum[i] <= '9' || sum[i] >= 'a' && sum[i] <= 'f'
	}
	if !ok {
		return fmt.Errorf("%q is not a digest: write sha256: and 64 lower-case hex digits", clip(string(d)))
	}
	return nil
}

// clip keeps a wrong value from filling the message about it.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// registries returns the registries of a manifest, and what is wrong with
// them. Of a document that could not be read at all, nothing more is said.
func (d document) registries(file string, troubled bool) ([]Registry, []strict.Problem) {
	l := lister{file: file}
	if troubled && d.Lines.Start == 0 {
		return nil, nil
	}
	var all []Registry
	var source *Registry
	for _, w := range d.Registries {
		r := Registry{Name: w.Name, Source: w.Source, ServiceAccount: w.ServiceAccount, Line: w.Lines.Start}
		l.registry(&r)
		same := slices.IndexFunc(all, func(o Registry) bool { return o.Name == r.Name })
		switch {
		case r.Source && source != nil:
			l.fail(w.Lines.Of("src"), "a second registry is the source: %s on line %d is one already; images come from one registry", source.Name, source.Line)
			continue
		case same >= 0 && r.Source != all[same].Source:
			l.fail(r.Line, "%s is both source and destination: it stands on line %d already", r.Name, all[same].Line)
		case same >= 0:
			l.warn(r.Line, "%s stands on line %d already", r.Name, all[same].Line)
			continue
		case r.Source:
			source = &r
		}
		all = append(all, r)
	}
	switch {
	case len(d.Registries) == 0:
		l.fail(d.Lines.Of("registries"), "no registries: list where images come from, with src: true, and where they go")
	case source == nil:
		l.fail(d.Lines.Of("registries"), "no registry is the source: write src: true with the one that images come from")
	case len(all) == 1:
		l.warn(d.Lines.Of("registries"), "no registry to promote to")
	}
	return all, l.problems
}

// registry checks the name of one registry, and takes a slash from its end.
func (l *lister) registry(r *Registry) {
	if trimmed := strings.TrimRight(r.Name, "/"); trimmed != r.Name && trimmed != "" {
		l.warn(r.Line, "registry %s: write it without a slash at its end", clip(r.Name))
		r.Name = trimmed
	}
	switch {
	case r.Name == "":
		l.fail(r.Line, "a registry without a name: write name: HOST/PATH")
	case strings.Contains(r.Name, "@"):
		l.fail(r.Line, "a registry's name holds a name or password, or a digest: take out what is around the @; credentials come from the environment")
	case strings.Contains(r.Name, "://"):
		l.fail(r.Line, "registry %q: write host and path only, without what is before ://", clip(r.Name))
	case !registryName.MatchString(r.Name):
		l.fail(r.Line, "registry %q: write a host and a lower-case path, such as eu.gcr.io/project", clip(r.Name))
	}
}

// checkImages checks a list of images and merges those of the same name.
func (l *lister) checkImages(list []Image) ([]Image, []strict.Problem) {
	merged := make([]Image, 0, len(list))
	index := make(map[string]int, len(list))
	again := map[int][]Entry{} // by index: what stands under the name later
	times := map[int]int{}
	seen := map[artifact.Digest]int{}
	for _, image := range list {
		l.name(image)
		clear(seen)
		for i := range image.Entries {
			e := &image.Entries[i]
			if first, twice := seen[e.Digest]; twice {
				l.fail(e.Line, "%s is given twice: it stands on line %d already; put all its tags there", clip(string(e.Digest)), first)
			}
			seen[e.Digest] = e.Line
			l.entry(e)
		}
		if at, known := index[image.Name]; known {
			again[at] = append(again[at], image.Entries...)
			times[at]++
			continue
		}
		index[image.Name] = len(merged)
		merged = append(merged, image)
	}
	for at := range merged {
		if times[at] > 0 {
			merged[at].Entries = union(merged[at].Entries, again[at])
			l.warn(merged[at].Line, "image %s stands %d times in this file: its digests are taken together", merged[at].Name, times[at]+1)
		}
	}
	return merged, strict.Sort(l.problems)
}

func (l *lister) name(image Image) {
	switch {
	case image.Name == "":
		l.fail(image.Line, "an image without a name: write name: IMAGE")
	case !imageName.MatchString(image.Name):
		l.fail(image.Line, "image %q: write a lower-case path below the registry, such as addons/proxy", clip(image.Name))
	}
}

// entry checks a digest and its tags, and drops tags that are repeated.
func (l *lister) entry(e *Entry) {
	if err := CheckDigest(e.Digest); err != nil {
		l.fault(e, err)
	}
	var once set
	for _, t := range e.Tags {
		if err := CheckTag(t); err != nil {
			l.fault(e, err)
		}
		if !once.add(t) {
			l.warn(e.Line, "tag %s is given twice", clip(t))
		}
	}
	e.Tags = once.list
}

// fault marks an entry that cannot be promoted.
func (l *lister) fault(e *Entry, err error) {
	if l.thin {
		l.warn(e.Line, "%v; this entry is refused", err)
	} else {
		l.fail(e.Line, "%v", err)
	}
	if e.Fault == "" {
		e.Fault = err.Error()
	}
}

// union adds what is in more to all: digests, and tags of digests.
func union(all, more []Entry) []Entry {
	at := make(map[artifact.Digest]int, len(all)+len(more))
	for i, e := range all {
		at[e.Digest] = i
	}
	tags := map[int]*set{}
	for _, e := range more {
		i, known := at[e.Digest]
		if !known {
			at[e.Digest] = len(all)
			all = append(all, e)
			continue
		}
		if tags[i] == nil {
			tags[i] = newSet(all[i].Tags)
		}
		for _, t := range e.Tags {
			tags[i].add(t)
		}
		all[i].Tags = tags[i].list
	}
	return all
}

// set is a list without repetition. Most are short, for which looking through
// them is faster than making a map.
type set struct {
	list []string
	many map[string]bool
}

func newSet(items []string) *set {
	s := &set{list: make([]string, 0, len(items))}
	for _, i := range items {
		s.add(i)
	}
	return s
}

// add returns false for what is there already.
func (s *set) add(item string) bool {
	if s.many == nil && len(s.list) >= 16 {
		s.many = make(map[string]bool, 64)
		for _, i := range s.list {
			s.many[i] = true
		}
	}
	if s.has(item) {
		return false
	}
	if s.many != nil {
		s.many[item] = true
	}
	s.list = append(s.list, item)
	return true
}

func (s *set) has(item string) bool {
	return s.many[item] || s.many == nil && slices.Contains(s.list, item)
}
