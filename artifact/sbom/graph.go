package sbom

import (
	"cmp"
	"slices"
	"strings"
)

// Kind says what an element is.
type Kind string

// Kinds of elements.
const (
	PackageKind  Kind = "package"
	FileKind     Kind = "file"
	ExternalKind Kind = "external" // of another document, or not in this one though it should be
)

// Element is a package or file as lists show it. Empty fields are not known.
type Element struct {
	ID         ID     `json:"id"`
	Kind       Kind   `json:"kind"`
	Name       string `json:"name"`
	Version    string `json:"version,omitempty"`
	License    string `json:"license,omitempty"` // declared, or else concluded
	Supplier   string `json:"supplier,omitempty"`
	Originator string `json:"originator,omitempty"`
	URL        string `json:"url,omitempty"` // where it is downloaded
	PURL       string `json:"purl,omitempty"`
	Purpose    string `json:"purpose,omitempty"`
	Checksum   string `json:"checksum,omitempty"` // the strongest: sha256:…
}

// Label is what the element is called in a line: name and version.
func (e Element) Label() string {
	if e.Name == "" {
		return string(e.ID)
	}
	return strings.TrimSpace(e.Name + " " + e.Version)
}

// Elements lists packages, then files, in the document's order.
func (d Document) Elements() []Element {
	all := make([]Element, 0, len(d.Packages)+len(d.Files))
	for _, p := range d.Packages {
		all = append(all, Element{ID: p.ID, Kind: PackageKind, Name: p.Name, Version: p.Version, License: cmp.Or(p.Declared, p.Concluded),
			Supplier: p.Supplier.Name, Originator: p.Originator.Name, URL: p.Download, PURL: p.PURL, Purpose: string(p.Purpose), Checksum: strongest(p.Checksums)})
	}
	for _, f := range d.Files {
		all = append(all, Element{ID: f.ID, Kind: FileKind, Name: f.Name, License: cmp.Or(f.Concluded, AllOf(f.FoundIn...)), Checksum: strongest(f.Checksums)})
	}
	return all
}

// strongest is the checksum that proves most.
func strongest(sums []Checksum) string {
	for _, a := range []ChecksumAlgorithm{SHA512, "SHA384", SHA256, SHA1, MD5} {
		if v := Sum(sums, a); v != "" {
			return strings.ToLower(string(a)) + ":" + v
		}
	}
	return ""
}

// edge leads from one element to another, read from left to right.
type edge struct {
	label string // CONTAINS, DEPENDS_ON, DEV_DEPENDENCY …
	to    ID
}

// graph is a document as elements and edges.
type graph struct {
	elements map[ID]Element
	order    []ID // as in the document
	edges    map[ID][]edge
}

// newGraph turns relationships that are written from the part to the whole, so
// that all lead away from what the document describes.
func newGraph(d Document) *graph {
	g := &graph{elements: map[ID]Element{}, edges: map[ID][]edge{}}
	for _, e := range d.Elements() {
		if _, ok := g.elements[e.ID]; !ok {
			g.order = append(g.order, e.ID)
		}
		g.elements[e.ID] = e
	}
	for _, r := range d.Relationships {
		if r.To == "" || r.To == None || r.From == "" {
			continue
		}
		from, label, to := forward(r)
		g.edges[from] = append(g.edges[from], edge{label, to})
	}
	for from := range g.edges {
		slices.SortStableFunc(g.edges[from], func(a, b edge) int {
			return cmp.Or(strings.Compare(a.label, b.label), strings.Compare(string(a.to), string(b.to)))
		})
		g.edges[from] = slices.Compact(g.edges[from])
	}
	return g
}

// forward turns a relationship where its inverse leads from whole to part.
func forward(r Relationship) (from ID, label string, to ID) {
	t := string(r.Type)
	switch r.Type {
	case DescribedBy:
		return r.To, string(Describes), r.From
	case ContainedBy:
		return r.To, string(Contains), r.From
	case DependencyOf:
		return r.To, string(DependsOn), r.From
	case Generates:
		return r.To, string(GeneratedFrom), r.From
	case AncestorOf:
		return r.To, string(DescendantOf), r.From
	}
	for _, end := range []string{"_DEPENDENCY_OF", "_TOOL_OF", "DOCUMENTATION_OF", "TEST_CASE_OF", "EXAMPLE_OF", "METAFILE_OF", "TEST_OF", "COMPONENT_OF"} {
		if strings.HasSuffix(t, end) {
			return r.To, strings.TrimSuffix(t, "_OF"), r.From
		}
	}
	return r.From, t, r.To
}

// roots are what the document describes; where it does not say, what nothing
// leads to.
func (g *graph) roots() []ID {
	var roots []ID
	for _, e := range g.edges[DocumentID] {
		if e.label == string(Describes) {
			roots = append(roots, e.to)
		}
	}
	if len(roots) > 0 {
		return roots
	}
	reached := map[ID]bool{}
	for _, list := range g.edges {
		for _, e := range list {
			reached[e.to] = true
		}
	}
	for _, id := range g.order {
		if !reached[id] {
			roots = append(roots, id)
		}
	}
	if len(roots) == 0 {
		return g.order // a circle: anything is as good as another
	}
	return roots
}

// element returns what an id names, also if it is not in the document.
func (g *graph) element(id ID) Element {
	if e, ok := g.elements[id]; ok {
		return e
	}
	return Element{ID: id, Kind: ExternalKind}
}
