package sbom

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// tagWriter writes "Tag: value" lines; the writer beneath keeps its first failure.
type tagWriter struct{ w *bufio.Writer }

// line writes a value that stands on one line; empty ones are left out.
func (t tagWriter) line(tag, value string) {
	if value != "" {
		fmt.Fprintf(t.w, "%s: %s\n", tag, strings.Join(strings.Fields(value), " "))
	}
}

// text writes a value that may have several lines, between marks if it must.
func (t tagWriter) text(tag, value string) {
	if value == "" {
		return
	}
	if strings.TrimSpace(value) != value || strings.ContainsAny(value, "\n\r") || strings.Contains(value, "text>") {
		// The format knows no escape for its own end mark.
		value = "<text>" + strings.ReplaceAll(value, "</text>", "</ text>") + "</text>"
	}
	fmt.Fprintf(t.w, "%s: %s\n", tag, value)
}

func (t tagWriter) lines(tag string, values []string) {
	for _, v := range values {
		t.line(tag, v)
	}
}

// heading begins a section.
func (t tagWriter) heading(what string) {
	fmt.Fprintf(t.w, "\n##### %s\n\n", strings.Join(strings.Fields(what), " "))
}

// encodeTagValue writes SPDX 2.3 as tag-value. A file's place says which package
// it is in: those that are in none come first.
func encodeTagValue(w io.Writer, d Document) error {
	t := tagWriter{bufio.NewWriter(w)}
	in := encodable(d)
	t.document(in)
	owner := owners(d)
	files := map[ID][]spdxFile{}
	for _, f := range in.Files {
		files[owner[ID(f.ID)]] = append(files[owner[ID(f.ID)]], f)
	}
	if len(files[""]) > 0 {
		t.heading("Files in no package")
		t.files(files[""])
	}
	for _, p := range in.Packages {
		t.heading("Package: " + p.Name)
		t.pkg(p)
		t.files(files[ID(p.ID)])
	}
	if len(in.Licenses) > 0 {
		t.heading("Licences that the SPDX list does not have")
	}
	for _, l := range in.Licenses {
		t.line("LicenseID", l.ID)
		t.text("ExtractedText", l.Text)
		t.line("LicenseName", l.Name)
		t.lines("LicenseCrossReference", l.SeeAlso)
		t.text("LicenseComment", l.Comment)
		t.w.WriteString("\n")
	}
	t.heading("Relationships")
	for _, r := range in.Relationships {
		t.line("Relationship", r.From+" "+r.Type+" "+r.To)
		t.text("RelationshipComment", r.Comment)
	}
	t.annotations(in)
	return t.w.Flush()
}

// owners finds the package each file is in: the first, where there are several.
func owners(d Document) map[ID]ID {
	files, packages := map[ID]bool{}, map[ID]bool{}
	for _, f := range d.Files {
		files[f.ID] = true
	}
	for _, p := range d.Packages {
		packages[p.ID] = true
	}
	owner := map[ID]ID{}
	for _, r := range d.Relationships {
		from, to := r.From, r.To
		if r.Type == ContainedBy {
			from, to = to, from
		}
		if (r.Type == Contains || r.Type == ContainedBy) && files[to] && packages[from] && (owner[to] == "" || from < owner[to]) {
			owner[to] = from
		}
	}
	return owner
}

func (t tagWriter) document(in spdxDocument) {
	t.line("SPDXVersion", in.Version)
	t.line("DataLicense", in.DataLicense)
	t.line("SPDXID", in.ID)
	t.line("DocumentName", in.Name)
	t.line("DocumentNamespace", in.Namespace)
	for _, e := range in.External {
		t.line("ExternalDocumentRef", e.ID+" "+e.Document+" "+e.Checksum.Algorithm+": "+e.Checksum.Value)
	}
	t.text("DocumentComment", in.Comment)
	t.lines("Creator", in.Creation.Creators)
	t.line("Created", in.Creation.Created)
	t.line("LicenseListVersion", in.Creation.LicenseList)
}

func (t tagWriter) pkg(p spdxPackage) {
	t.line("PackageName", p.Name)
	t.line("SPDXID", p.ID)
	t.line("PackageVersion", p.Version)
	t.line("PackageFileName", p.FileName)
	t.line("PackageSupplier", p.Supplier)
	t.line("PackageOriginator", p.Originator)
	t.line("PackageDownloadLocation", p.Download)
	// The schema of the JSON form spells OPERATING_SYSTEM, the specification does not.
	t.line("PrimaryPackagePurpose", strings.ReplaceAll(p.Purpose, "_", "-"))
	t.line("FilesAnalyzed", strconv.FormatBool(*p.FilesAnalyzed))
	if v := p.Verification; v != nil {
		code := v.Value
		if len(v.Excluded) > 0 {
			code += " (excludes: " + strings.Join(v.Excluded, ", ") + ")"
		}
		t.line("PackageVerificationCode", code)
	}
	for _, c := range p.Checksums {
		t.line("PackageChecksum", c.Algorithm+": "+c.Value)
	}
	t.line("PackageHomePage", p.Homepage)
	t.text("PackageSourceInfo", p.Source)
	t.line("PackageLicenseConcluded", p.LicenseConcluded)
	t.lines("PackageLicenseInfoFromFiles", p.LicenseFromFiles)
	t.line("PackageLicenseDeclared", p.LicenseDeclared)
	t.text("PackageLicenseComments", p.LicenseComments)
	t.text("PackageCopyrightText", p.Copyright)
	t.text("PackageSummary", p.Summary)
	t.text("PackageDescription", p.Description)
	t.text("PackageComment", p.Comment)
	for _, r := range p.References {
		t.line("ExternalRef", r.Category+" "+r.Type+" "+r.Locator)
		t.text("ExternalRefComment", r.Comment)
	}
	for _, a := range p.Attribution {
		t.text("PackageAttributionText", a)
	}
	t.line("ReleaseDate", p.Released)
	t.line("BuiltDate", p.Built)
	t.line("ValidUntilDate", p.ValidUntil)
}

func (t tagWriter) files(list []spdxFile) {
	for _, f := range list {
		t.w.WriteString("\n")
		t.line("FileName", f.Name)
		t.line("SPDXID", f.ID)
		t.lines("FileType", f.Types)
		for _, c := range f.Checksums {
			t.line("FileChecksum", c.Algorithm+": "+c.Value)
		}
		t.line("LicenseConcluded", f.LicenseConcluded)
		t.lines("LicenseInfoInFile", f.LicensesInFile)
		t.text("LicenseComments", f.LicenseComments)
		t.text("FileCopyrightText", f.Copyright)
		t.text("FileComment", f.Comment)
		t.text("FileNotice", f.Notice)
		t.lines("FileContributor", f.Contributors)
		for _, a := range f.Attribution {
			t.text("FileAttributionText", a)
		}
	}
}

// annotations name what they are about, so they stand at the end.
func (t tagWriter) annotations(in spdxDocument) {
	type remark struct {
		about string
		spdxAnnotation
	}
	var all []remark
	add := func(about string, list []spdxAnnotation) {
		for _, a := range list {
			all = append(all, remark{about, a})
		}
	}
	add(in.ID, in.Annotations)
	for _, p := range in.Packages {
		add(p.ID, p.Annotations)
	}
	for _, f := range in.Files {
		add(f.ID, f.Annotations)
	}
	if len(all) > 0 {
		t.heading("Annotations")
	}
	for _, a := range all {
		t.line("Annotator", a.By)
		t.line("AnnotationDate", a.Date)
		t.line("AnnotationType", a.Type)
		t.line("SPDXREF", a.about)
		t.text("AnnotationComment", a.Comment)
		t.w.WriteString("\n")
	}
}
