package sbom

import (
	"cmp"
	"slices"
	"strings"
)

// Change is one field of an element that differs.
type Change struct {
	Element Element `json:"element"` // as it is in the new document
	Field   string  `json:"field"`   // version, license, supplier, checksum, purl
	From    string  `json:"from"`
	To      string  `json:"to"`
}

// Difference is what changed from one document to another.
type Difference struct {
	Added   []Element `json:"added"`
	Removed []Element `json:"removed"`
	Changed []Change  `json:"changed"`
}

// Empty reports that nothing differs.
func (d Difference) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed) == 0
}

// Diff compares the packages and files of two documents. Packages are the same
// one if their purls agree but for the version, or else their names; of several
// versions of one, those that are in both pair up first. Files are the same if
// their names are; ids do not count, for they differ between tools.
func Diff(from, to Document) Difference {
	d := Difference{Added: []Element{}, Removed: []Element{}, Changed: []Change{}}
	before, after := identities(from), identities(to)
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range after {
		keys[k] = true
	}
	for k := range keys {
		d.compare(before[k], after[k])
	}
	byName := func(a, b Element) int {
		return cmp.Or(strings.Compare(string(b.Kind), string(a.Kind)), strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(string(a.ID), string(b.ID)))
	}
	slices.SortFunc(d.Added, byName)
	slices.SortFunc(d.Removed, byName)
	slices.SortFunc(d.Changed, func(a, b Change) int {
		return cmp.Or(byName(a.Element, b.Element), strings.Compare(a.Field, b.Field), strings.Compare(a.From, b.From))
	})
	return d
}

// compared is an element with all its sums.
type compared struct {
	Element
	sums []Checksum
}

// identities gathers what is the same thing but for its version.
func identities(d Document) map[string][]compared {
	sums := map[ID][]Checksum{}
	for _, p := range d.Packages {
		sums[p.ID] = p.Checksums
	}
	for _, f := range d.Files {
		sums[f.ID] = f.Checksums
	}
	owner := owners(d)
	names := map[ID]string{}
	for _, p := range d.Packages {
		names[p.ID] = identity(Element{Kind: PackageKind, Name: p.Name, PURL: p.PURL})
	}
	all := map[string][]compared{}
	for _, e := range d.Elements() {
		key := identity(e)
		if e.Kind == FileKind {
			key += "\x00" + names[owner[e.ID]] // LICENSE is in many packages
		}
		all[key] = append(all[key], compared{e, sums[e.ID]})
	}
	for _, list := range all {
		slices.SortFunc(list, func(a, b compared) int {
			return cmp.Or(strings.Compare(a.Version, b.Version), strings.Compare(a.Checksum, b.Checksum), strings.Compare(string(a.ID), string(b.ID)))
		})
	}
	return all
}

func identity(e Element) string {
	if rest, ok := strings.CutPrefix(e.PURL, "pkg:"); ok && e.Kind == PackageKind {
		kind, namespace, name, _, qualifiers := splitPURL(rest)
		return strings.Join([]string{"purl", kind, namespace, name, qualifiers["arch"]}, "\x00")
	}
	return string(e.Kind) + "\x00" + e.Name
}

func (d *Difference) compare(before, after []compared) {
	var old []compared
	rest := slices.Clone(after)
	for _, b := range before {
		i := slices.IndexFunc(rest, func(a compared) bool { return a.Version == b.Version })
		if i < 0 {
			old = append(old, b)
			continue
		}
		d.fields(b, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	for len(old) > 0 && len(rest) > 0 {
		d.fields(old[0], rest[0])
		old, rest = old[1:], rest[1:]
	}
	for _, b := range old {
		d.Removed = append(d.Removed, b.Element)
	}
	for _, a := range rest {
		d.Added = append(d.Added, a.Element)
	}
}

func (d *Difference) fields(b, a compared) {
	change := func(field, from, to string) {
		if from != to {
			d.Changed = append(d.Changed, Change{Element: a.Element, Field: field, From: from, To: to})
		}
	}
	change("version", b.Version, a.Version)
	change("license", b.License, a.License)
	change("supplier", b.Supplier, a.Supplier)
	if b.Version == a.Version {
		change("purl", b.PURL, a.PURL) // else it differs by the version
	}
	common := false
	for _, algorithm := range []ChecksumAlgorithm{SHA256, SHA512, "SHA384", SHA1, MD5} {
		was, is := Sum(b.sums, algorithm), Sum(a.sums, algorithm)
		if was == "" || is == "" {
			continue
		}
		common = true
		if was != is {
			prefix := strings.ToLower(string(algorithm)) + ":"
			change("checksum", prefix+was, prefix+is)
			return
		}
	}
	if !common {
		change("checksum", b.Checksum, a.Checksum)
	}
}
