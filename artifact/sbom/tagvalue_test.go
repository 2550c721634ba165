package sbom

import (
	"slices"
	"strings"
	"testing"
)

// TestTagValueFields reads each tag by itself and finds it in the model.
func TestTagValueFields(t *testing.T) {
	t.Parallel()
	const begin = "SPDXVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\n"
	const pkg = "PackageName: p\nSPDXID: SPDXRef-p\n"
	const file = "FileName: ./f\nSPDXID: SPDXRef-f\n"
	for _, tc := range []struct {
		in    string
		check func(Document) bool
	}{
		{"DocumentName: n", func(d Document) bool { return d.Name == "n" }},
		{"DocumentNamespace: https://example.com/n", func(d Document) bool { return d.Namespace == "https://example.com/n" }},
		{"DocumentComment: <text>a\nb</text>", func(d Document) bool { return d.Comment == "a\nb" }},
		{"DocumentComment: a\nCreatorComment: b", func(d Document) bool { return d.Comment == "a\nb" }},
		{"Creator: Tool: t\nCreator: Person: J (j@example.com)", func(d Document) bool { return len(d.Authors) == 2 && d.Authors[1].Email == "j@example.com" }},
		{"LicenseListVersion: 3.27", func(d Document) bool { return d.LicenseSet == "3.27" }},
		{"ExternalDocumentRef: DocumentRef-x https://example.com/x SHA1: AB", func(d Document) bool {
			return d.External[0] == ExternalDoc{"DocumentRef-x", "https://example.com/x", Checksum{SHA1, "ab"}}
		}},
		{"ExternalDocumentRef: DocumentRef-x https://example.com/x SHA1:AB", func(d Document) bool { return d.External[0].Checksum.Value == "ab" }},
		{pkg + "PackageVersion: 1", func(d Document) bool { return d.Packages[0].Version == "1" }},
		{pkg + "PackageFileName: f.tar", func(d Document) bool { return d.Packages[0].FileName == "f.tar" }},
		{pkg + "PackageSupplier: Organization: O", func(d Document) bool { return d.Packages[0].Supplier == Actor{Organization, "O", ""} }},
		{pkg + "PackageOriginator: Person: P", func(d Document) bool { return d.Packages[0].Originator == Actor{Person, "P", ""} }},
		{pkg + "PackageDownloadLocation: NOASSERTION", func(d Document) bool { return d.Packages[0].Download == "" }},
		{pkg + "PackageDownloadLocation: NONE", func(d Document) bool { return d.Packages[0].Download == None }},
		{pkg + "FilesAnalyzed: true\nPackageVerificationCode: AB (excludes: ./x, ./y)", func(d Document) bool {
			p := d.Packages[0]
			return p.FilesAnalyzed && p.VerificationCode == "ab" && slices.Equal(p.Excluded, []string{"./x", "./y"})
		}},
		{pkg + "PackageVerificationCode: ab", func(d Document) bool { return d.Packages[0].FilesAnalyzed && d.Packages[0].Excluded == nil }},
		{pkg + "PackageChecksum: SHA256: CD", func(d Document) bool { return d.Packages[0].Checksums[0] == Checksum{SHA256, "cd"} }},
		{pkg + "PackageHomePage: NONE", func(d Document) bool { return d.Packages[0].Homepage == "" }},
		{pkg + "PackageSourceInfo: s", func(d Document) bool { return d.Packages[0].Source == "s" }},
		{pkg + "PackageLicenseConcluded: MIT\nPackageLicenseDeclared: ISC", func(d Document) bool { return d.Packages[0].Concluded == "MIT" && d.Packages[0].Declared == "ISC" }},
		{pkg + "PackageLicenseInfoFromFiles: MIT\nPackageLicenseInfoFromFiles: ISC", func(d Document) bool { return slices.Equal(d.Packages[0].FromFiles, []string{"MIT", "ISC"}) }},
		{pkg + "PackageLicenseComments: c\nPackageCopyrightText: <text>(c)</text>", func(d Document) bool {
			return d.Packages[0].LicenseNote == "c" && d.Packages[0].Copyright == "(c)"
		}},
		{pkg + "PackageSummary: s\nPackageDescription: d\nPackageComment: c", func(d Document) bool {
			p := d.Packages[0]
			return p.Summary == "s" && p.Description == "d" && p.Comment == "c"
		}},
		{pkg + "PrimaryPackagePurpose: OPERATING_SYSTEM", func(d Document) bool { return d.Packages[0].Purpose == OperatingSystem }},
		{pkg + "ExternalRef: PACKAGE-MANAGER purl pkg:generic/p", func(d Document) bool { return d.Packages[0].PURL == "pkg:generic/p" }},
		{pkg + "ExternalRef: SECURITY cpe23Type cpe:2.3:a:b", func(d Document) bool { return slices.Equal(d.Packages[0].CPEs, []string{"cpe:2.3:a:b"}) }},
		{pkg + "ExternalRef: OTHER thing https://example.com/a\nExternalRefComment: c", func(d Document) bool {
			return d.Packages[0].Refs[0] == Reference{"OTHER", "thing", "https://example.com/a", "c"}
		}},
		{pkg + "PackageAttributionText: <text>a\nb</text>\nPackageAttributionText: c", func(d Document) bool { return slices.Equal(d.Packages[0].Attribution, []string{"a\nb", "c"}) }},
		{pkg + "ReleaseDate: 2026-01-02T03:04:05Z\nBuiltDate: 2026-01-02\nValidUntilDate: NONE", func(d Document) bool {
			p := d.Packages[0]
			return p.Released.Hour() == 3 && p.Built.Day() == 2 && p.ValidUntil.IsZero()
		}},
		{file + "FileType: SOURCE\nFileType: TEXT", func(d Document) bool { return slices.Equal(d.Files[0].Types, []FileType{SourceFile, TextFile}) }},
		{file + "FileChecksum: SHA1: AB\nFileChecksum: MD5: cd", func(d Document) bool {
			return slices.Equal(d.Files[0].Checksums, []Checksum{{SHA1, "ab"}, {MD5, "cd"}})
		}},
		{file + "LicenseConcluded: MIT\nLicenseInfoInFile: MIT\nLicenseInfoInFile: NONE\nLicenseInfoInFile: NOASSERTION", func(d Document) bool {
			return d.Files[0].Concluded == "MIT" && slices.Equal(d.Files[0].FoundIn, []string{"MIT", None})
		}},
		{file + "LicenseComments: c\nFileCopyrightText: NONE\nFileComment: d\nFileNotice: e", func(d Document) bool {
			f := d.Files[0]
			return f.LicenseNote == "c" && f.Copyright == None && f.Comment == "d" && f.Notice == "e"
		}},
		{file + "FileContributor: a\nFileContributor: b\nFileAttributionText: c", func(d Document) bool {
			return len(d.Files[0].Contributors) == 2 && len(d.Files[0].Attribution) == 1
		}},
		{"LicenseID: LicenseRef-1\nExtractedText: <text>t</text>\nLicenseName: n\nLicenseCrossReference: https://a, https://b\nLicenseComment: c", func(d Document) bool {
			l := d.Licenses[0]
			return l.ID == "LicenseRef-1" && l.Text == "t" && l.Name == "n" && len(l.SeeAlso) == 2 && l.Comment == "c"
		}},
		{"Relationship: SPDXRef-DOCUMENT describes SPDXRef-p\nRelationshipComment: why", func(d Document) bool {
			return d.Relationships[0] == Relationship{DocumentID, Describes, "SPDXRef-p", "why"}
		}},
		{"Relationship: SPDXRef-p CONTAINS NOASSERTION", func(d Document) bool { return d.Relationships[0].To == "" }},
		// A file belongs to the package before it, once.
		{pkg + file + "Relationship: SPDXRef-p CONTAINS SPDXRef-f", func(d Document) bool { return len(d.Relationships) == 1 && d.Packages[0].FilesAnalyzed }},
		{file + pkg, func(d Document) bool { return len(d.Relationships) == 0 && d.Files[0].Name == "f" }},
		// A value with marks on one line; what follows them is nothing.
		{pkg + "PackageComment: <text>a: b</text> tail\nPackageVersion: 1", func(d Document) bool { return d.Packages[0].Comment == "a: b" && d.Packages[0].Version == "1" }},
		{pkg + "PackageComment: <text>\nPackageVersion: 9\n</text>\nPackageVersion: 1", func(d Document) bool { return d.Packages[0].Version == "1" }},
	} {
		got, err := Parse([]byte(begin + tc.in + "\n"))
		if err != nil || len(got.Remarks) > 0 || !tc.check(got.Document) {
			t.Errorf("%q: %+v, %v, %v", tc.in, got.Document, got.Remarks, err)
		}
	}
}

// TestTagValueOddities: what is malformed is told with its line, and the rest read.
func TestTagValueOddities(t *testing.T) {
	t.Parallel()
	const begin = "SPDXVersion: SPDX-2.3\n"
	for in, want := range map[string]string{
		"Relationship: a b":                                                   "line 2: a relationship has",
		"ExternalDocumentRef: x":                                              "line 2: an external document has",
		"PackageName: p\nExternalRef: OTHER x":                                "line 3: an external reference has",
		"PackageName: p\nBuiltDate: soon":                                     "no time",
		"PackageName: p\nPackageColour: red":                                  "line 3: the tag PackageColour",
		"SnippetSPDXID: SPDXRef-s\nSnippetName: x\nLicenseInfoInSnippet: MIT": "1 snippets",
		"Reviewer: Person: J\nReviewDate: 2026-01-02":                         "line 2: the review of Person: J",
		"Annotator: Person: J\nSPDXREF: SPDXRef-gone":                         "annotations of 1 elements",
	} {
		got, err := Parse([]byte(begin + in + "\nDocumentName: after\n"))
		if err != nil || !strings.Contains(strings.Join(got.Remarks, "\n"), want) {
			t.Errorf("%q: %v, %v; want %q", in, got.Remarks, err, want)
		}
	}
}

// TestTagValueKeepsText: what could be taken for marks or lines comes back.
func TestTagValueKeepsText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"plain", "two\nlines", "\nbegins with one", " blank before", "blank after ", "has <text> in it", "Tag: value", "# no comment", "é ß \u2028 x"} {
		d := Document{Name: "d", Created: committed, Packages: []Package{{ID: "SPDXRef-p", Name: "p", Comment: text, Copyright: text}}}
		got, err := Parse(encoded(t, d, SPDXTagValue))
		if err != nil || got.Document.Packages[0].Comment != text {
			t.Errorf("%q came back as %q, %v", text, got.Document.Packages[0].Comment, err)
		}
	}
	// The format has no way to say its own end mark.
	d := Document{Name: "d", Packages: []Package{{ID: "SPDXRef-p", Name: "p", Comment: "a</text>\nPackageVersion: 9"}}}
	got, err := Parse(encoded(t, d, SPDXTagValue))
	if err != nil || got.Document.Packages[0].Version != "" || !strings.Contains(got.Document.Packages[0].Comment, "</ text>") {
		t.Errorf("a text broke out of its marks: %+v, %v", got.Document.Packages[0], err)
	}
	// Nor do names and licences reach the next line.
	d.Packages[0] = Package{ID: "SPDXRef-p", Name: "p\nPackageVersion: 9", Declared: "MIT\nPackageVersion: 9"}
	if got, err := Parse(encoded(t, d, SPDXTagValue)); err != nil || got.Document.Packages[0].Version != "" {
		t.Errorf("a name broke out of its line: %+v, %v", got.Document.Packages[0], err)
	}
}

func TestChecksumAlgorithms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]ChecksumAlgorithm{"SHA256": SHA256, "sha-256": SHA256, "SHA-1": SHA1, "checksumAlgorithm_sha1": SHA1, "md5": MD5,
		"SHA3-256": "SHA3-256", "sha3_512": "SHA3-512", "BLAKE2B-256": "BLAKE2b-256", "blake2b_512": "BLAKE2b-512", "BLAKE3": "BLAKE3", "ADLER32": "ADLER32"} {
		if got := ParseChecksumAlgorithm(in); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

// TestOperatingSystemIsSpeltInTwoWays: as each form of SPDX has it.
func TestOperatingSystemIsSpeltInTwoWays(t *testing.T) {
	t.Parallel()
	d := Document{Name: "x", Created: committed, Authors: []Actor{{Kind: Tool, Name: "t"}}}
	d.Relate(DocumentID, Describes, d.Add(Package{ID: PackageID("os", "debian", "12"), Name: "debian", Version: "12", Purpose: OperatingSystem}))
	for format, want := range map[Format]string{SPDXJSON: `"primaryPackagePurpose": "OPERATING_SYSTEM"`, SPDXTagValue: "PrimaryPackagePurpose: OPERATING-SYSTEM\n"} {
		text := encoded(t, d, format)
		if !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s:\n%s", format, want, text)
		}
		back, err := Parse(text)
		if err != nil || back.Document.Packages[0].Purpose != OperatingSystem {
			t.Errorf("%s: %v %v", format, back.Document.Packages, err)
		}
	}
}
