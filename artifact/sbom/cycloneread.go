package sbom

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// cycloneReader makes the model of a CycloneDX document.
type cycloneReader struct {
	*reading
	ids       map[string]ID // by bom-ref
	used      map[ID]bool
	contained map[ID]bool // what is said of components at the top
	commented []Relationship
}

// deepestComponents bounds how many components stand within one another.
const deepestComponents = 100

// parseCycloneDX reads CycloneDX as JSON, 1.2 to 1.7.
func (r *reading) parseCycloneDX(data []byte) error {
	var bom cdx.BOM
	if err := json.Unmarshal(data, &bom); err != nil {
		return fmt.Errorf("CycloneDX: %w%s", err, lineOf(data, err))
	}
	c := &cycloneReader{reading: r, ids: map[string]ID{}, used: map[ID]bool{}, contained: map[ID]bool{}}
	root, err := c.metadata(bom)
	if err != nil {
		return err
	}
	var top []ID
	for _, component := range elements(bom.Components) {
		id, err := c.component(component, 0)
		if err != nil {
			return err
		}
		top = append(top, id)
	}
	needed := c.dependencies(bom)
	for _, id := range top {
		said, ok := c.contained[id]
		switch {
		case root == DocumentID || root != "" && !(ok && said || !ok && !needed[id]):
		case root != "":
			r.document.Relate(root, Contains, id)
		case !needed[id]:
			r.document.Relate(DocumentID, Describes, id)
		}
	}
	r.document.Relationships = append(r.document.Relationships, c.commented...)
	c.annotations(bom)
	for _, e := range elements(bom.ExternalReferences) {
		if e.Type == cdx.ERTypeBOM && strings.HasPrefix(e.Comment, "DocumentRef-") {
			doc := ExternalDoc{ID: e.Comment, Namespace: e.URL}
			if sums := checksumsOf(e.Hashes, nil); len(sums) > 0 {
				doc.Checksum = sums[0]
			}
			r.document.External = append(r.document.External, doc)
		}
	}
	c.leftOut("services", len(elements(bom.Services)))
	c.leftOut("vulnerabilities", len(elements(bom.Vulnerabilities)))
	c.leftOut("compositions", len(elements(bom.Compositions)))
	return nil
}

func (c *cycloneReader) leftOut(what string, n int) {
	if n > 0 {
		c.remark("%d %s are left out", n, what)
	}
}

// elements is a list that may be left out.
func elements[T any](l *[]T) []T {
	if l == nil {
		return nil
	}
	return *l
}

// metadata reads what is said of the document, and what it is about.
func (c *cycloneReader) metadata(bom cdx.BOM) (root ID, err error) {
	d := &c.document
	if bom.SerialNumber != "" {
		d.Namespace = bom.SerialNumber
	}
	m := bom.Metadata
	if m == nil {
		c.remark("it has no metadata: neither time nor author are known")
		return "", nil
	}
	d.Created = c.time("metadata", m.Timestamp)
	if m.Tools != nil {
		for _, t := range elements(m.Tools.Components) {
			d.Authors = append(d.Authors, Actor{Kind: Tool, Name: nameVersion(t.Name, t.Version)})
		}
		for _, t := range elements(m.Tools.Tools) {
			d.Authors = append(d.Authors, Actor{Kind: Tool, Name: nameVersion(t.Name, t.Version)})
		}
	}
	for _, e := range []*cdx.OrganizationalEntity{m.Manufacturer, m.Manufacture} {
		if a := actorOf(e); !a.IsZero() {
			d.Authors = append(d.Authors, a)
		}
	}
	for _, a := range elements(m.Authors) {
		d.Authors = append(d.Authors, Actor{Kind: Person, Name: a.Name, Email: a.Email})
	}
	if m.Component != nil {
		d.Name = nameVersion(cycloneName(*m.Component), m.Component.Version)
		if root, err = c.component(*m.Component, 0); err != nil {
			return "", err
		}
		if root != DocumentID {
			d.Relate(DocumentID, Describes, root)
		}
	}
	p := said(m.Properties)
	p.set(&d.Name, "name")
	p.set(&d.Namespace, "documentNamespace")
	p.set(&d.Comment, "comment")
	p.set(&d.LicenseSet, "licenseListVersion")
	for _, v := range p["creator"] {
		d.Authors = append(d.Authors, ParseActor(v))
	}
	for _, v := range p["hasExtractedLicensingInfos"] {
		var l spdxLicense
		if err := json.Unmarshal([]byte(v), &l); err != nil {
			c.remark("metadata: a licence's text cannot be read: %v", err)
			continue
		}
		d.Licenses = append(d.Licenses, License{ID: l.ID, Name: l.Name, Text: l.Text, SeeAlso: l.SeeAlso, Comment: l.Comment})
	}
	c.relationships(DocumentID, p)
	return root, nil
}

func nameVersion(name, version string) string {
	if version == "" {
		return name
	}
	return name + "-" + version
}

func actorOf(e *cdx.OrganizationalEntity) Actor {
	if e == nil || e.Name == "" {
		return Actor{}
	}
	a := Actor{Kind: Organization}
	a.Name, a.Email = splitMail(e.Name)
	for _, contact := range elements(e.Contact) {
		if a.Email == "" {
			a.Email = contact.Email
		}
	}
	return a
}

// id gives a component its id: its reference if that is one, or made of it.
func (c *cycloneReader) id(component cdx.Component) ID {
	ref := component.BOMRef
	id := ID(ref)
	if !validID(id) || strings.HasPrefix(ref, "DocumentRef-") {
		parts := []string{ref}
		if ref == "" {
			parts = []string{string(component.Type), cycloneName(component), component.Version}
		}
		id = makeID("Package", "-", parts, parts, false)
	}
	for n := 2; c.used[id]; n++ {
		c.remark("two components have the reference %q", ref)
		id = makeID("Package", "-", []string{ref, fmt.Sprint(n)}, []string{"", ref, fmt.Sprint(n)}, true)
	}
	c.used[id] = true
	if _, ok := c.ids[ref]; !ok && ref != "" {
		c.ids[ref] = id
	}
	return id
}

// component reads one with those inside of it.
func (c *cycloneReader) component(in cdx.Component, depth int) (ID, error) {
	if depth > deepestComponents {
		return "", fmt.Errorf("CycloneDX: more than %d components within one another", deepestComponents)
	}
	id := c.id(in)
	p := said(in.Properties)
	switch {
	case id == DocumentID:
	case in.Type == cdx.ComponentTypeFile && p["primaryPackagePurpose"] == nil:
		c.document.AddFile(c.file(id, in, p))
	default:
		c.document.Add(c.pkg(id, in, p))
	}
	if v := p["contained"]; v != nil {
		c.contained[id] = v[0] == "true"
	}
	c.relationships(id, p)
	for _, part := range elements(in.Components) {
		partID, err := c.component(part, depth+1)
		if err != nil {
			return "", err
		}
		c.document.Relate(id, Contains, partID)
	}
	return id, nil
}

func (c *cycloneReader) pkg(id ID, in cdx.Component, p sayings) Package {
	out := Package{ID: id, Name: known(cycloneName(in)), Version: in.Version, PURL: in.PackageURL, Description: in.Description, Copyright: in.Copyright,
		Supplier: actorOf(in.Supplier), Checksums: checksumsOf(in.Hashes, p["checksum"]), Attribution: p["attributionTexts"], FilesAnalyzed: p["filesAnalyzed"] != nil,
		Excluded: p["packageVerificationCodeExcludedFiles"]}
	for purpose, kind := range componentTypes() {
		if kind == in.Type {
			out.Purpose = purpose
		}
	}
	if v := p["primaryPackagePurpose"]; v != nil {
		out.Purpose = Purpose(known(v[0]))
	}
	out.Declared, out.Concluded = c.licenses(in.Licenses)
	p.set(&out.Concluded, "licenseConcluded")
	out.FromFiles = c.evidence(in.Evidence)
	if v := p["supplier"]; v != nil {
		out.Supplier = ParseActor(v[0])
	} else if out.Supplier.IsZero() && in.Publisher != "" {
		out.Supplier = ParseActor(in.Publisher)
	}
	if out.Originator = actorOf(in.Manufacturer); out.Originator.IsZero() {
		for _, a := range elements(in.Authors) {
			out.Originator = Actor{Kind: Person, Name: a.Name, Email: a.Email}
			break
		}
		if out.Originator.IsZero() && in.Author != "" {
			out.Originator = Actor{Kind: Person, Name: in.Author}
		}
	}
	if in.CPE != "" {
		out.CPEs = []string{in.CPE}
	}
	out.CPEs = append(out.CPEs, p["cpe"]...)
	c.references(&out, in, p)
	p.set(&out.VerificationCode, "packageVerificationCodeValue")
	p.set(&out.FileName, "packageFileName")
	p.set(&out.LicenseNote, "licenseComments")
	p.set(&out.Summary, "summary")
	p.set(&out.Source, "sourceInfo")
	p.set(&out.Comment, "comment")
	out.Built = c.time(string(id), p.first("builtDate"))
	out.Released = c.time(string(id), p.first("releaseDate"))
	out.ValidUntil = c.time(string(id), p.first("validUntilDate"))
	return out
}

func (c *cycloneReader) references(out *Package, in cdx.Component, p sayings) {
	for _, e := range elements(in.ExternalReferences) {
		switch {
		case e.Type == cdx.ERTypeWebsite && out.Homepage == "":
			out.Homepage = e.URL
		case e.Type == cdx.ERTypeDistribution && (out.Download == "" || strings.HasPrefix(out.Download, "git+")):
			out.Download = e.URL
		case e.Type == cdx.ERTypeVCS && strings.HasPrefix(e.URL, "git+") && out.Download == "":
			out.Download = e.URL
		default:
			out.Refs = append(out.Refs, Reference{Category: "OTHER", Type: string(e.Type), Locator: e.URL, Comment: e.Comment})
		}
	}
	p.set(&out.Download, "downloadLocation")
	p.set(&out.Homepage, "homepage")
	for _, v := range p["externalRefs"] {
		var ref spdxReference
		if err := json.Unmarshal([]byte(v), &ref); err != nil {
			c.remark("%s: an external reference cannot be read: %v", out.ID, err)
			continue
		}
		out.Refs = append(out.Refs, Reference(ref))
	}
}

func (c *cycloneReader) file(id ID, in cdx.Component, p sayings) File {
	f := File{ID: id, Name: cleanName(known(in.Name)), Checksums: checksumsOf(in.Hashes, p["checksum"]), Copyright: in.Copyright, FoundIn: c.evidence(in.Evidence),
		Contributors: p["fileContributors"], Attribution: p["attributionTexts"]}
	declared, concluded := c.licenses(in.Licenses)
	if f.Concluded = concluded; f.Concluded == "" {
		f.Concluded = declared
	}
	for _, t := range p["fileTypes"] {
		f.Types = append(f.Types, FileType(t))
	}
	p.set(&f.LicenseNote, "licenseComments")
	p.set(&f.Notice, "noticeText")
	p.set(&f.Comment, "comment")
	return f
}

// licenses reads what licences are declared, and which were concluded.
func (c *cycloneReader) licenses(l *cdx.Licenses) (declared, concluded string) {
	if l == nil {
		return "", ""
	}
	var said, arrived []string
	for _, choice := range *l {
		text, how := choice.Expression, choice.Acknowledgement
		if choice.License != nil {
			text, how = c.license(*choice.License), &choice.License.Acknowledgement
		}
		if how != nil && *how == cdx.LicenseAcknowledgementConcluded {
			arrived = append(arrived, text)
			continue
		}
		said = append(said, text)
	}
	return oneOrAll(said), oneOrAll(arrived)
}

// oneOrAll keeps NONE, which AllOf leaves out.
func oneOrAll(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return AllOf(list...)
}

// license makes an expression of a licence that may have any name.
func (c *cycloneReader) license(l cdx.License) string {
	name := l.ID
	if name == "" {
		name = strings.TrimSpace(l.Name)
	}
	if spelling, _, ok := KnownLicense(name); ok {
		return spelling
	}
	if name == "" || name == None {
		return name
	}
	out := License{ID: name, Name: name, SeeAlso: nil}
	if !isLicenseRef(name) {
		if e, err := ParseExpression(name); err == nil && len(e.Unknown()) == 0 {
			return e.String() // an expression that was put where a name belongs
		}
		out.ID = LicenseRef(name)
	}
	if l.Text != nil {
		out.Text = l.Text.Content
	}
	if l.URL != "" {
		out.SeeAlso = []string{l.URL}
	}
	if !slices.ContainsFunc(c.document.Licenses, func(have License) bool { return have.ID == out.ID }) && (out.Text != "" || out.ID != out.Name) {
		c.document.Licenses = append(c.document.Licenses, out)
	}
	return out.ID
}

func (c *cycloneReader) evidence(e *cdx.Evidence) []string {
	if e == nil || e.Licenses == nil {
		return nil
	}
	var found []string
	for _, choice := range *e.Licenses {
		switch {
		case choice.License != nil:
			found = append(found, c.license(*choice.License))
		case choice.Expression != "":
			found = append(found, choice.Expression)
		}
	}
	return found
}

func checksumsOf(hashes *[]cdx.Hash, others []string) []Checksum {
	var sums []Checksum
	for _, h := range elements(hashes) {
		sums = append(sums, readChecksum(spdxChecksum{Algorithm: string(h.Algorithm), Value: h.Value}))
	}
	for _, text := range others {
		sums = append(sums, readChecksum(tagChecksum(text)))
	}
	return sums
}

// dependencies reads the graph, and returns what something depends on.
func (c *cycloneReader) dependencies(bom cdx.BOM) (needed map[ID]bool) {
	needed = map[ID]bool{}
	for _, dep := range elements(bom.Dependencies) {
		from, ok := c.ids[dep.Ref]
		if !ok {
			c.remark("the dependency graph speaks of %q, which is no component", dep.Ref)
			continue
		}
		for _, ref := range elements(dep.Dependencies) {
			to, ok := c.ids[ref]
			if !ok {
				c.remark("%q depends on %q, which is no component", dep.Ref, ref)
				continue
			}
			if from == DocumentID {
				c.document.Relate(DocumentID, Describes, to)
				continue
			}
			needed[to] = true
			c.document.Relate(from, DependsOn, to)
		}
	}
	return needed
}

func (c *cycloneReader) annotations(bom cdx.BOM) {
	notes := map[ID][]Annotation{}
	for _, a := range elements(bom.Annotations) {
		note := Annotation{Date: c.time("annotation", a.Timestamp), Comment: a.Text, Type: "OTHER"}
		if strings.HasSuffix(a.BOMRef, "-REVIEW") {
			note.Type = "REVIEW"
		}
		if by := a.Annotator; by != nil {
			switch {
			case by.Individual != nil:
				note.By = Actor{Kind: Person, Name: by.Individual.Name, Email: by.Individual.Email}
			case by.Component != nil:
				note.By = Actor{Kind: Tool, Name: by.Component.Name}
			default:
				note.By = actorOf(by.Organization)
			}
		}
		for _, subject := range elements(a.Subjects) {
			id, ok := c.ids[string(subject)]
			if !ok {
				id = DocumentID
			}
			notes[id] = append(notes[id], note)
		}
	}
	c.document.Annotations = notes[DocumentID]
	for i := range c.document.Packages {
		c.document.Packages[i].Annotations = notes[c.document.Packages[i].ID]
	}
	for i := range c.document.Files {
		c.document.Files[i].Annotations = notes[c.document.Files[i].ID]
	}
}

// sayings are our properties by SPDX's name for them.
type sayings map[string][]string

func said(l *[]cdx.Property) sayings {
	s := sayings{}
	for _, p := range elements(l) {
		if name, ok := strings.CutPrefix(p.Name, property); ok {
			s[name] = append(s[name], p.Value)
		}
	}
	return s
}

func (s sayings) first(name string) string {
	if v := s[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// set sets a field to what is said of it, if anything is.
func (s sayings) set(field *string, name string) {
	if v := s[name]; len(v) > 0 {
		*field = v[0]
	}
}

// relationships reads those that are neither nesting nor dependencies.
func (c *cycloneReader) relationships(id ID, p sayings) {
	for _, v := range p["relationship"] {
		head, comment, _ := strings.Cut(v, "\n")
		t, to, ok := strings.Cut(head, " ")
		if !ok {
			c.remark("%s: %q is no relationship", id, v)
			continue
		}
		c.commented = append(c.commented, Relationship{From: id, Type: RelationshipType(t), To: ID(known(to)), Comment: comment})
	}
}
