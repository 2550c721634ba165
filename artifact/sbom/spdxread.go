package sbom

import (
	"fmt"
	"strings"
	"time"
)

// reading is a document being made of a file, and what was odd in it.
type reading struct {
	document Document
	remarks  []string
}

// mostRemarks bounds how many oddities are told of one by one.
const mostRemarks = 50

func (r *reading) remark(format string, args ...any) {
	switch {
	case len(r.remarks) < mostRemarks:
		r.remarks = append(r.remarks, fmt.Sprintf(format, args...))
	case len(r.remarks) == mostRemarks:
		r.remarks = append(r.remarks, "and more of the kind")
	}
}

// known makes empty text of NOASSERTION.
func known(s string) string {
	if s = strings.TrimSpace(s); s == noAssertion {
		return ""
	}
	return s
}

func knownList(list []string) []string {
	var out []string
	for _, s := range list {
		if s = known(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// times is what tools write for a moment, the right one first.
func (r *reading) time(where, s string) time.Time {
	if s = known(s); s == "" || s == None {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return wholeSeconds(t)
		}
	}
	r.remark("%s: %q is no time", where, s)
	return time.Time{}
}

// fromSPDX makes the model of what an SPDX document says.
func (r *reading) fromSPDX(in spdxDocument) {
	d := &r.document
	if v := strings.TrimPrefix(in.Version, "SPDX-"); v != "2.3" && v != "2.2" && v != "2.1" {
		r.remark("its version is %q: SPDX-2.3 is expected, and 2.2 and 2.1 are known", in.Version)
	}
	if in.ID != "" && ID(in.ID) != DocumentID {
		r.remark("its id is %q, which must be %s", in.ID, DocumentID)
	}
	d.Name, d.Namespace, d.Comment = in.Name, in.Namespace, in.Comment
	d.Created = r.time("creationInfo", in.Creation.Created)
	d.LicenseSet = in.Creation.LicenseList
	if in.Creation.Comment != "" {
		d.Comment = strings.TrimSpace(d.Comment + "\n" + in.Creation.Comment)
	}
	for _, c := range in.Creation.Creators {
		if a := ParseActor(c); !a.IsZero() {
			d.Authors = append(d.Authors, a)
		}
	}
	for _, e := range in.External {
		d.External = append(d.External, ExternalDoc{ID: e.ID, Namespace: e.Document, Checksum: readChecksum(e.Checksum)})
	}
	for _, l := range in.Licenses {
		d.Licenses = append(d.Licenses, License{ID: l.ID, Name: known(l.Name), Text: known(l.Text), SeeAlso: l.SeeAlso, Comment: l.Comment})
	}
	for _, f := range in.Files {
		d.Files = append(d.Files, r.readFile(f))
	}
	r.readRelationships(in)
	for _, p := range in.Packages {
		d.Packages = append(d.Packages, r.readPackage(p))
	}
	d.Annotations = r.readAnnotations("the document", in.Annotations)
	r.analyzed(in.Packages)
	if n := len(in.Snippets); n > 0 {
		r.remark("%d snippets are left out", n)
	}
}

// readRelationships reads them from all the places that SPDX has had for them.
func (r *reading) readRelationships(in spdxDocument) {
	d := &r.document
	type pair struct {
		from, to ID
		t        RelationshipType
	}
	have := map[pair]bool{}
	for _, x := range in.Relationships {
		if x.From == "" || x.Type == "" {
			r.remark("a relationship says too little: %q %s %q", x.From, x.Type, x.To)
			continue
		}
		rel := Relationship{From: ID(x.From), Type: RelationshipType(strings.ToUpper(x.Type)), To: ID(known(x.To)), Comment: x.Comment}
		d.Relationships = append(d.Relationships, rel)
		have[pair{rel.From, rel.To, rel.Type}] = true
		switch rel.Type {
		case DescribedBy:
			have[pair{rel.To, rel.From, Describes}] = true
		case ContainedBy:
			have[pair{rel.To, rel.From, Contains}] = true
		}
	}
	add := func(from ID, t RelationshipType, to ID) {
		if p := (pair{from, to, t}); to != "" && !have[p] {
			have[p] = true
			d.Relate(from, t, to)
		}
	}
	for _, id := range in.Describes {
		add(DocumentID, Describes, ID(id))
	}
	for _, p := range in.Packages {
		for _, id := range p.HasFiles {
			add(ID(p.ID), Contains, ID(id))
		}
	}
}

func (r *reading) readPackage(in spdxPackage) Package {
	where := in.ID
	p := Package{
		ID: ID(in.ID), Name: in.Name, Version: known(in.Version), FileName: in.FileName, Purpose: Purpose(strings.ReplaceAll(in.Purpose, "_", "-")),
		Supplier: ParseActor(in.Supplier), Originator: ParseActor(in.Originator), Download: known(in.Download), Homepage: known(in.Homepage),
		Concluded: known(in.LicenseConcluded), Declared: known(in.LicenseDeclared), FromFiles: knownList(in.LicenseFromFiles), LicenseNote: in.LicenseComments,
		Copyright: known(in.Copyright), Attribution: in.Attribution,
		Summary: in.Summary, Description: in.Description, Source: in.Source, Comment: in.Comment,
		Released: r.time(where, in.Released), Built: r.time(where, in.Built), ValidUntil: r.time(where, in.ValidUntil),
		Annotations: r.readAnnotations(where, in.Annotations),
	}
	if p.Homepage == None {
		p.Homepage = ""
	}
	for _, c := range in.Checksums {
		p.Checksums = append(p.Checksums, readChecksum(c))
	}
	if v := in.Verification; v != nil {
		p.VerificationCode, p.Excluded = strings.ToLower(v.Value), v.Excluded
	}
	for _, x := range in.References {
		x.Category = strings.ReplaceAll(x.Category, "_", "-") // as 2.2 spelt it
		plain := x.Comment == ""
		switch {
		case x.Type == "purl" && p.PURL == "" && plain:
			p.PURL = x.Locator
		case x.Type == cpeType(x.Locator) && x.Category == "SECURITY" && plain:
			p.CPEs = append(p.CPEs, x.Locator)
		default:
			p.Refs = append(p.Refs, Reference(x))
		}
	}
	return p
}

// analyzed finds out which packages list their files. What is not said means
// yes; but most tools that say nothing list no files either.
func (r *reading) analyzed(in []spdxPackage) {
	holds := map[ID]bool{}
	files := map[ID]bool{}
	for _, f := range r.document.Files {
		files[f.ID] = true
	}
	for _, x := range r.document.Relationships {
		if x.Type == Contains && files[x.To] {
			holds[x.From] = true
		}
		if x.Type == ContainedBy && files[x.From] {
			holds[x.To] = true
		}
	}
	for i := range r.document.Packages {
		p := &r.document.Packages[i]
		if said := in[i].FilesAnalyzed; said != nil {
			p.FilesAnalyzed = *said
			continue
		}
		p.FilesAnalyzed = holds[p.ID] || p.VerificationCode != ""
	}
}

func (r *reading) readFile(in spdxFile) File {
	f := File{
		ID: ID(in.ID), Name: cleanName(in.Name),
		Concluded: known(in.LicenseConcluded), FoundIn: knownList(in.LicensesInFile), LicenseNote: in.LicenseComments,
		Copyright: known(in.Copyright), Comment: in.Comment, Notice: in.Notice,
		Contributors: in.Contributors, Attribution: in.Attribution, Annotations: r.readAnnotations(in.ID, in.Annotations),
	}
	for _, t := range in.Types {
		f.Types = append(f.Types, FileType(t))
	}
	for _, c := range in.Checksums {
		f.Checksums = append(f.Checksums, readChecksum(c))
	}
	return f
}

func readChecksum(in spdxChecksum) Checksum {
	return Checksum{Algorithm: ParseChecksumAlgorithm(in.Algorithm), Value: strings.ToLower(strings.TrimSpace(in.Value))}
}

// ParseChecksumAlgorithm reads the names tools have for it: SHA-256, sha256,
// checksumAlgorithm_sha256 are SHA256.
func ParseChecksumAlgorithm(s string) ChecksumAlgorithm {
	s = strings.TrimPrefix(s, "checksumAlgorithm_")
	upper := strings.ToUpper(strings.ReplaceAll(s, "_", "-"))
	for _, n := range []string{"1", "224", "256", "384", "512"} {
		if upper == "SHA-"+n {
			return ChecksumAlgorithm("SHA" + n)
		}
	}
	if rest, ok := strings.CutPrefix(upper, "BLAKE2B"); ok {
		return ChecksumAlgorithm("BLAKE2b" + rest)
	}
	return ChecksumAlgorithm(upper)
}

func (r *reading) readAnnotations(where string, in []spdxAnnotation) []Annotation {
	var out []Annotation
	for _, a := range in {
		out = append(out, Annotation{By: ParseActor(a.By), Date: r.time(where, a.Date), Type: a.Type, Comment: a.Comment})
	}
	return out
}
