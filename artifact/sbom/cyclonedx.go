package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// property begins the names of properties that carry what CycloneDX has no
// field for, by the name SPDX gives it.
const property = "seaworthy:spdx:"

// cycloneSchema is where the schema of what is written is found.
const cycloneSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"

// encodeCycloneDX writes CycloneDX 1.6. What the document describes is the
// metadata's component; CONTAINS is nesting, DEPENDS_ON the dependency graph,
// and other relationships are properties.
func encodeCycloneDX(w io.Writer, d Document) error {
	c := newCycloneWriter(d)
	bom := cdx.BOM{
		JSONSchema: cycloneSchema, BOMFormat: cdx.BOMFormat, SpecVersion: cdx.SpecVersion1_6,
		SerialNumber: serialNumber(d.Namespace), Version: 1, Metadata: c.metadata(),
	}
	bom.Components = list(c.components(slices.Sorted(maps.Keys(c.top))))
	bom.Dependencies = list(c.dependencies())
	bom.ExternalReferences = list(externalDocuments(d))
	bom.Annotations = list(c.annotations())
	e := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	return e.SetPretty(true).SetEscapeHTML(false).Encode(&bom)
}

// list is how the library spells a list that may be left out.
func list[T any](l []T) *[]T {
	if len(l) == 0 {
		return nil
	}
	return &l
}

// serialNumber makes the UUID that CycloneDX wants of the namespace, as version
// 8 of RFC 9562 has room for a digest.
func serialNumber(namespace string) string {
	sum := sha256.Sum256([]byte(namespace))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("urn:uuid:%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// cycloneWriter knows where each element of a document goes.
type cycloneWriter struct {
	d        Document
	packages map[ID]Package
	files    map[ID]File
	root     ID          // what the metadata's component is; DocumentID if several things are described
	top      map[ID]bool // components that are in no other; true if they are in the root
	parts    map[ID][]ID // components within one
	depends  map[ID][]ID
	needed   map[ID]bool           // something depends on it
	said     map[ID][]Relationship // what must be told as properties
}

func newCycloneWriter(d Document) *cycloneWriter {
	c := &cycloneWriter{d: d, packages: map[ID]Package{}, files: map[ID]File{}, root: DocumentID,
		top: map[ID]bool{}, parts: map[ID][]ID{}, depends: map[ID][]ID{}, needed: map[ID]bool{}, said: map[ID][]Relationship{}}
	for _, p := range d.Packages {
		c.packages[p.ID] = p
	}
	for _, f := range d.Files {
		c.files[f.ID] = f
	}
	if described := d.Described(); len(described) == 1 && c.has(described[0]) {
		c.root = described[0]
	}
	holder := c.place()
	for _, id := range c.ids() {
		switch of, held := holder[id]; {
		case id == c.root:
		case held && of != c.root:
			c.parts[of] = append(c.parts[of], id)
		default:
			c.top[id] = held
		}
	}
	return c
}

func (c *cycloneWriter) has(id ID) bool {
	_, isPackage := c.packages[id]
	_, isFile := c.files[id]
	return isPackage || isFile
}

func (c *cycloneWriter) ids() []ID {
	var ids []ID
	for _, p := range c.d.Packages {
		ids = append(ids, p.ID)
	}
	for _, f := range c.d.Files {
		ids = append(ids, f.ID)
	}
	return ids
}

// place sorts relationships into nesting, dependencies and the rest. A
// component can be in one other only: the first that holds it.
func (c *cycloneWriter) place() (holder map[ID]ID) {
	holder = map[ID]ID{}
	for _, r := range c.d.Relationships {
		from, to := r.From, r.To
		if r.Type == ContainedBy || r.Type == DependencyOf || r.Type == DescribedBy {
			from, to = to, from
		}
		_, held := holder[to]
		plain := r.Comment == "" && c.has(from) && c.has(to)
		switch {
		case from == DocumentID && (r.Type == Describes || r.Type == DescribedBy) && c.has(to) && r.Comment == "":
			if c.root == DocumentID {
				c.depends[DocumentID] = append(c.depends[DocumentID], to)
			}
		case plain && (r.Type == DependsOn || r.Type == DependencyOf):
			c.depends[from] = append(c.depends[from], to)
			c.needed[to] = true
		case plain && (r.Type == Contains || r.Type == ContainedBy) && !held && to != c.root && !within(holder, from, to):
			holder[to] = from
		default:
			c.said[r.From] = append(c.said[r.From], r)
		}
	}
	return holder
}

// within reports whether id is inside of, or is, an element.
func within(holder map[ID]ID, id, of ID) bool {
	for {
		if id == of {
			return true
		}
		next, ok := holder[id]
		if !ok {
			return false
		}
		id = next
	}
}

func (c *cycloneWriter) metadata() *cdx.Metadata {
	d := c.d
	m := &cdx.Metadata{Timestamp: timeText(d.Created)}
	var p properties
	var tools []cdx.Component
	var people []cdx.OrganizationalContact
	for _, a := range d.Authors {
		switch {
		case a.Kind == Tool:
			tools = append(tools, cdx.Component{Type: cdx.ComponentTypeApplication, Name: a.Name})
		case a.Kind == Person:
			people = append(people, cdx.OrganizationalContact{Name: a.Name, Email: a.Email})
		case m.Manufacturer == nil:
			m.Manufacturer = entity(a)
		default:
			p.add("creator", a.String())
		}
	}
	if len(tools) > 0 {
		m.Tools = &cdx.ToolsChoice{Components: &tools}
	}
	m.Authors = list(people)
	p.add("name", d.Name)
	p.add("documentNamespace", d.Namespace)
	p.add("comment", d.Comment)
	p.add("licenseListVersion", d.LicenseSet)
	for _, l := range d.Licenses {
		p.addJSON("hasExtractedLicensingInfos", spdxLicense{ID: l.ID, Text: l.Text, Name: l.Name, SeeAlso: l.SeeAlso, Comment: l.Comment})
	}
	component := cdx.Component{Type: cdx.ComponentTypeApplication, BOMRef: string(DocumentID), Name: d.Name}
	if c.root != DocumentID {
		component = c.component(c.root)
		for _, r := range c.said[DocumentID] {
			p.addRelationship(r)
		}
	} else {
		component.Properties = list(c.relationships(DocumentID))
	}
	if component.Name == "" {
		component.Name = noAssertion // the field must be there
	}
	m.Component, m.Properties = &component, list(p)
	return m
}

func entity(a Actor) *cdx.OrganizationalEntity {
	if a.IsZero() {
		return nil
	}
	e := &cdx.OrganizationalEntity{Name: a.Name}
	if a.Email != "" {
		e.Contact = &[]cdx.OrganizationalContact{{Email: a.Email}}
	}
	return e
}

func (c *cycloneWriter) components(ids []ID) []cdx.Component {
	var all []cdx.Component
	for _, id := range ids {
		component := c.component(id)
		component.Components = list(c.components(c.parts[id]))
		all = append(all, component)
	}
	return all
}

func (c *cycloneWriter) component(id ID) cdx.Component {
	var out cdx.Component
	var p properties
	if pkg, ok := c.packages[id]; ok {
		out, p = packageComponent(pkg)
	} else {
		out, p = fileComponent(c.files[id])
	}
	// A reader takes a component at the top for a part of what is described,
	// unless something depends on it. Where that is wrong, it is told.
	if contained, atTop := c.top[id]; atTop && c.root != DocumentID && contained == c.needed[id] {
		p.add("contained", fmt.Sprint(contained))
	}
	p = append(p, c.relationships(id)...)
	out.Properties = list(p)
	return out
}

func (c *cycloneWriter) relationships(id ID) []cdx.Property {
	var p properties
	for _, r := range c.said[id] {
		p.addRelationship(r)
	}
	return p
}

// dependencies lists every component that the graph knows, also those that
// depend on nothing, as the specification demands.
func (c *cycloneWriter) dependencies() []cdx.Dependency {
	known := map[ID]bool{}
	for from, list := range c.depends {
		known[from] = true
		for _, to := range list {
			known[to] = true
		}
	}
	var all []cdx.Dependency
	for _, id := range slices.Sorted(maps.Keys(known)) {
		var on []string
		for _, to := range c.depends[id] {
			on = append(on, string(to))
		}
		all = append(all, cdx.Dependency{Ref: string(id), Dependencies: list(sortedSet(on))})
	}
	return all
}

func externalDocuments(d Document) []cdx.ExternalReference {
	var all []cdx.ExternalReference
	for _, e := range d.External {
		hashes, _ := hashesOf([]Checksum{e.Checksum})
		all = append(all, cdx.ExternalReference{Type: cdx.ERTypeBOM, URL: e.Namespace, Comment: e.ID, Hashes: hashes})
	}
	return all
}

func (c *cycloneWriter) annotations() []cdx.Annotation {
	var all []cdx.Annotation
	add := func(about ID, notes []Annotation) {
		for i, a := range notes {
			by := &cdx.Annotator{}
			switch a.By.Kind {
			case Person:
				by.Individual = &cdx.OrganizationalContact{Name: a.By.Name, Email: a.By.Email}
			case Tool:
				by.Component = &cdx.Component{Type: cdx.ComponentTypeApplication, Name: a.By.Name}
			default:
				by.Organization = &cdx.OrganizationalEntity{Name: a.By.Name}
			}
			all = append(all, cdx.Annotation{BOMRef: fmt.Sprintf("%s-annotation-%d-%s", about, i+1, a.Type), Subjects: &[]cdx.BOMReference{cdx.BOMReference(about)},
				Annotator: by, Timestamp: a.Date.Format(spdxTime), Text: a.Comment})
		}
	}
	add(DocumentID, c.d.Annotations)
	for _, p := range c.d.Packages {
		add(p.ID, p.Annotations)
	}
	for _, f := range c.d.Files {
		add(f.ID, f.Annotations)
	}
	return all
}

// properties collects what has no field.
type properties []cdx.Property

func (p *properties) add(name string, values ...string) {
	for _, v := range values {
		if v != "" {
			*p = append(*p, cdx.Property{Name: property + name, Value: v})
		}
	}
}

// addJSON adds a value that has parts.
func (p *properties) addJSON(name string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		return // not reachable: strings only
	}
	p.add(name, string(text))
}

func (p *properties) addRelationship(r Relationship) {
	text := string(r.Type) + " " + asserted(string(r.To))
	if r.Comment != "" {
		text += "\n" + r.Comment
	}
	p.add("relationship", text)
}

// cycloneHash lists the algorithms CycloneDX has, by SPDX's name.
func cycloneHash(a ChecksumAlgorithm) (cdx.HashAlgorithm, bool) {
	switch a {
	case SHA1, SHA256, "SHA384", SHA512:
		return cdx.HashAlgorithm("SHA-" + strings.TrimPrefix(string(a), "SHA")), true
	case MD5, "SHA3-256", "SHA3-384", "SHA3-512", "BLAKE2b-256", "BLAKE2b-384", "BLAKE2b-512", "BLAKE3":
		return cdx.HashAlgorithm(a), true
	}
	return "", false
}

// hashesOf splits checksums into those CycloneDX can say and the others.
func hashesOf(sums []Checksum) (*[]cdx.Hash, []string) {
	var hashes []cdx.Hash
	var others []string
	for _, c := range sums {
		_, err := hex.DecodeString(c.Value)
		a, ok := cycloneHash(c.Algorithm)
		if ok && err == nil && slices.Contains([]int{32, 40, 64, 96, 128}, len(c.Value)) {
			hashes = append(hashes, cdx.Hash{Algorithm: a, Value: c.Value})
			continue
		}
		others = append(others, string(c.Algorithm)+": "+c.Value)
	}
	return list(hashes), others
}
