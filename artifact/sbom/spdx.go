package sbom

import (
	"slices"
	"strings"
	"time"
)

// The types below are SPDX 2.3 as its JSON schema spells it. Tag-value is read
// into them and written from them too, so that both say the same; a field's tag
// names it there. They are our
// own because what they read has to be kept as it is: spdx/tools-golang refuses
// documents for one malformed value and leaves escapes in names.

type spdxDocument struct {
	ID            string             `json:"SPDXID"`
	Version       string             `json:"spdxVersion" tag:"SPDXVersion"`
	DataLicense   string             `json:"dataLicense" tag:"DataLicense"`
	Name          string             `json:"name" tag:"DocumentName"`
	Namespace     string             `json:"documentNamespace" tag:"DocumentNamespace"`
	Comment       string             `json:"comment,omitempty" tag:"DocumentComment"`
	Creation      spdxCreation       `json:"creationInfo"`
	External      []spdxExternalDoc  `json:"externalDocumentRefs,omitempty"`
	Describes     []string           `json:"documentDescribes,omitempty"`
	Packages      []spdxPackage      `json:"packages,omitempty"`
	Files         []spdxFile         `json:"files,omitempty"`
	Licenses      []spdxLicense      `json:"hasExtractedLicensingInfos,omitempty"`
	Relationships []spdxRelationship `json:"relationships,omitempty"`
	Annotations   []spdxAnnotation   `json:"annotations,omitempty"`
	Snippets      []struct{}         `json:"snippets,omitempty"` // counted only
}

type spdxCreation struct {
	Created     string   `json:"created" tag:"Created"`
	Creators    []string `json:"creators" tag:"Creator"`
	LicenseList string   `json:"licenseListVersion,omitempty" tag:"LicenseListVersion"`
	Comment     string   `json:"comment,omitempty" tag:"CreatorComment"`
}

type spdxExternalDoc struct {
	ID       string       `json:"externalDocumentId"`
	Document string       `json:"spdxDocument"`
	Checksum spdxChecksum `json:"checksum"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxPackage struct {
	ID               string            `json:"SPDXID"`
	Name             string            `json:"name"`
	Version          string            `json:"versionInfo,omitempty" tag:"PackageVersion"`
	FileName         string            `json:"packageFileName,omitempty" tag:"PackageFileName"`
	Supplier         string            `json:"supplier,omitempty" tag:"PackageSupplier"`
	Originator       string            `json:"originator,omitempty" tag:"PackageOriginator"`
	Download         string            `json:"downloadLocation" tag:"PackageDownloadLocation"`
	FilesAnalyzed    *bool             `json:"filesAnalyzed,omitempty"` // absent means true
	Verification     *spdxVerification `json:"packageVerificationCode,omitempty"`
	Checksums        []spdxChecksum    `json:"checksums,omitempty"`
	Homepage         string            `json:"homepage,omitempty" tag:"PackageHomePage"`
	Source           string            `json:"sourceInfo,omitempty" tag:"PackageSourceInfo"`
	LicenseConcluded string            `json:"licenseConcluded,omitempty" tag:"PackageLicenseConcluded"`
	LicenseFromFiles []string          `json:"licenseInfoFromFiles,omitempty" tag:"PackageLicenseInfoFromFiles"`
	LicenseDeclared  string            `json:"licenseDeclared,omitempty" tag:"PackageLicenseDeclared"`
	LicenseComments  string            `json:"licenseComments,omitempty" tag:"PackageLicenseComments"`
	Copyright        string            `json:"copyrightText,omitempty" tag:"PackageCopyrightText"`
	Summary          string            `json:"summary,omitempty" tag:"PackageSummary"`
	Description      string            `json:"description,omitempty" tag:"PackageDescription"`
	Comment          string            `json:"comment,omitempty" tag:"PackageComment"`
	References       []spdxReference   `json:"externalRefs,omitempty"`
	Attribution      []string          `json:"attributionTexts,omitempty" tag:"PackageAttributionText"`
	Purpose          string            `json:"primaryPackagePurpose,omitempty" tag:"PrimaryPackagePurpose"`
	Released         string            `json:"releaseDate,omitempty" tag:"ReleaseDate"`
	Built            string            `json:"builtDate,omitempty" tag:"BuiltDate"`
	ValidUntil       string            `json:"validUntilDate,omitempty" tag:"ValidUntilDate"`
	HasFiles         []string          `json:"hasFiles,omitempty"` // read only, deprecated
	Annotations      []spdxAnnotation  `json:"annotations,omitempty"`
}

type spdxVerification struct {
	Value    string   `json:"packageVerificationCodeValue"`
	Excluded []string `json:"packageVerificationCodeExcludedFiles,omitempty"`
}

type spdxReference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
	Comment  string `json:"comment,omitempty"`
}

type spdxFile struct {
	ID               string           `json:"SPDXID"`
	Name             string           `json:"fileName"`
	Types            []string         `json:"fileTypes,omitempty" tag:"FileType"`
	Checksums        []spdxChecksum   `json:"checksums"`
	LicenseConcluded string           `json:"licenseConcluded,omitempty" tag:"LicenseConcluded"`
	LicensesInFile   []string         `json:"licenseInfoInFiles,omitempty" tag:"LicenseInfoInFile"`
	LicenseComments  string           `json:"licenseComments,omitempty" tag:"LicenseComments"`
	Copyright        string           `json:"copyrightText,omitempty" tag:"FileCopyrightText"`
	Comment          string           `json:"comment,omitempty" tag:"FileComment"`
	Notice           string           `json:"noticeText,omitempty" tag:"FileNotice"`
	Contributors     []string         `json:"fileContributors,omitempty" tag:"FileContributor"`
	Attribution      []string         `json:"attributionTexts,omitempty" tag:"FileAttributionText"`
	Annotations      []spdxAnnotation `json:"annotations,omitempty"`
}

type spdxLicense struct {
	ID      string   `json:"licenseId"`
	Text    string   `json:"extractedText" tag:"ExtractedText"`
	Name    string   `json:"name,omitempty" tag:"LicenseName"`
	SeeAlso []string `json:"seeAlsos,omitempty"`
	Comment string   `json:"comment,omitempty" tag:"LicenseComment"`
}

type spdxRelationship struct {
	From    string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	To      string `json:"relatedSpdxElement"`
	Comment string `json:"comment,omitempty"`
}

type spdxAnnotation struct {
	By      string `json:"annotator"`
	Date    string `json:"annotationDate"`
	Type    string `json:"annotationType"`
	Comment string `json:"comment"`
}

const spdxTime = "2006-01-02T15:04:05Z"

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(spdxTime)
}

// asserted writes what is not known as SPDX wants it.
func asserted(s string) string {
	if s == "" {
		return noAssertion
	}
	return s
}

func assertedList(list []string) []string {
	if len(list) == 0 {
		return []string{noAssertion}
	}
	return list
}

// encodable makes the form that is written of a normalized document.
func encodable(d Document) spdxDocument {
	out := spdxDocument{
		ID: string(DocumentID), Version: "SPDX-2.3", DataLicense: "CC0-1.0",
		Name: d.Name, Namespace: d.Namespace, Comment: d.Comment,
		Creation:    spdxCreation{Created: d.Created.UTC().Format(spdxTime), Creators: []string{}, LicenseList: d.LicenseSet},
		Annotations: encodableAnnotations(d.Annotations),
	}
	for _, a := range d.Authors {
		out.Creation.Creators = append(out.Creation.Creators, a.String())
	}
	for _, id := range d.Described() {
		out.Describes = append(out.Describes, string(id))
	}
	for _, e := range d.External {
		out.External = append(out.External, spdxExternalDoc{ID: e.ID, Document: e.Namespace,
			Checksum: spdxChecksum{string(e.Checksum.Algorithm), e.Checksum.Value}})
	}
	for _, p := range d.Packages {
		out.Packages = append(out.Packages, encodablePackage(p))
	}
	for _, f := range d.Files {
		out.Files = append(out.Files, encodableFile(f))
	}
	for _, l := range d.Licenses {
		out.Licenses = append(out.Licenses, spdxLicense{ID: l.ID, Text: asserted(l.Text), Name: l.Name, SeeAlso: l.SeeAlso, Comment: l.Comment})
	}
	for _, r := range d.Relationships {
		out.Relationships = append(out.Relationships, spdxRelationship{string(r.From), string(r.Type), asserted(string(r.To)), r.Comment})
	}
	return out
}

func encodablePackage(p Package) spdxPackage {
	analyzed := p.FilesAnalyzed
	out := spdxPackage{
		ID: string(p.ID), Name: p.Name, Version: p.Version, FileName: p.FileName, Purpose: strings.ReplaceAll(string(p.Purpose), "-", "_"),
		Supplier: p.Supplier.String(), Download: asserted(p.Download), Homepage: p.Homepage, FilesAnalyzed: &analyzed,
		LicenseConcluded: asserted(p.Concluded), LicenseDeclared: asserted(p.Declared), LicenseComments: p.LicenseNote,
		Copyright: asserted(p.Copyright), Attribution: p.Attribution,
		Summary: p.Summary, Description: p.Description, Source: p.Source, Comment: p.Comment,
		Released: timeText(p.Released), Built: timeText(p.Built), ValidUntil: timeText(p.ValidUntil),
		Checksums: encodableChecksums(p.Checksums), Annotations: encodableAnnotations(p.Annotations),
	}
	if !p.Originator.IsZero() {
		out.Originator = p.Originator.String()
	}
	if analyzed {
		if p.VerificationCode != "" {
			out.Verification = &spdxVerification{Value: p.VerificationCode, Excluded: p.Excluded}
		}
		out.LicenseFromFiles = assertedList(p.FromFiles)
	}
	if p.PURL != "" {
		out.References = append(out.References, spdxReference{Category: "PACKAGE-MANAGER", Type: "purl", Locator: p.PURL})
	}
	for _, c := range p.CPEs {
		out.References = append(out.References, spdxReference{Category: "SECURITY", Type: cpeType(c), Locator: c})
	}
	for _, r := range p.Refs {
		out.References = append(out.References, spdxReference(r))
	}
	return out
}

func cpeType(cpe string) string {
	if strings.HasPrefix(cpe, "cpe:/") {
		return "cpe22Type"
	}
	return "cpe23Type"
}

func encodableFile(f File) spdxFile {
	out := spdxFile{
		ID: string(f.ID), Name: "./" + f.Name, Checksums: encodableChecksums(f.Checksums),
		LicenseConcluded: asserted(f.Concluded), LicensesInFile: assertedList(f.FoundIn), LicenseComments: f.LicenseNote,
		Copyright: asserted(f.Copyright), Comment: f.Comment, Notice: f.Notice,
		Contributors: f.Contributors, Attribution: f.Attribution, Annotations: encodableAnnotations(f.Annotations),
	}
	if out.Checksums == nil {
		out.Checksums = []spdxChecksum{} // the field must be there
	}
	for _, t := range f.Types {
		out.Types = append(out.Types, string(t))
	}
	return out
}

func encodableChecksums(list []Checksum) []spdxChecksum {
	var out []spdxChecksum
	for _, c := range list {
		out = append(out, spdxChecksum{string(c.Algorithm), c.Value})
	}
	return out
}

func encodableAnnotations(list []Annotation) []spdxAnnotation {
	var out []spdxAnnotation
	for _, a := range list {
		kind := a.Type
		if kind == "" {
			kind = "OTHER"
		}
		out = append(out, spdxAnnotation{By: a.By.String(), Date: a.Date.UTC().Format(spdxTime), Type: kind, Comment: a.Comment})
	}
	return slices.Clip(out)
}
