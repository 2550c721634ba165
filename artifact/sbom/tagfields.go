package sbom

import "strings"

// set puts a value in its field, or appends it to its list, and reports whether
// there is either.
func set(value string, field *string, list *[]string) bool {
	switch {
	case field != nil:
		*field = value
	case list != nil:
		*list = append(*list, value)
	default:
		return false
	}
	return true
}

func (t *tagReader) ofDocument(tag, value string) bool {
	d := &t.out
	if tag == "ExternalDocumentRef" {
		words := strings.Fields(value)
		if len(words) < 3 {
			t.remark("line %d: an external document has a name, a URI and a checksum", t.number)
			return true
		}
		d.External = append(d.External, spdxExternalDoc{ID: words[0], Document: words[1], Checksum: tagChecksum(strings.Join(words[2:], " "))})
		return true
	}
	field, list := documentField(d, tag)
	return set(value, field, list)
}

func (t *tagReader) ofPackage(p *spdxPackage, tag, value string) bool {
	switch tag {
	case "FilesAnalyzed":
		yes := strings.EqualFold(value, "true")
		p.FilesAnalyzed = &yes
	case "PackageVerificationCode":
		p.Verification = tagVerification(value)
	case "PackageChecksum":
		p.Checksums = append(p.Checksums, tagChecksum(value))
	case "ExternalRef":
		words := strings.Fields(value)
		if len(words) < 3 {
			t.remark("line %d: an external reference has a category, a type and a locator", t.number)
			return true
		}
		p.References = append(p.References, spdxReference{Category: words[0], Type: words[1], Locator: strings.Join(words[2:], " ")})
	case "ExternalRefComment":
		if n := len(p.References); n > 0 {
			p.References[n-1].Comment = value
		}
	default:
		field, list := packageField(p, tag)
		return set(value, field, list)
	}
	return true
}

func (t *tagReader) ofFile(f *spdxFile, tag, value string) bool {
	switch tag {
	case "FileChecksum":
		f.Checksums = append(f.Checksums, tagChecksum(value))
	case "FileDependency", "ArtifactOfProjectName", "ArtifactOfProjectHomePage", "ArtifactOfProjectURI":
		// Deprecated since SPDX 2.0, and not kept.
	default:
		field, list := fileField(f, tag)
		return set(value, field, list)
	}
	return true
}

func ofLicense(l *spdxLicense, tag, value string) bool {
	switch tag {
	case "LicenseCrossReference":
		for url := range strings.SplitSeq(value, ",") {
			l.SeeAlso = append(l.SeeAlso, strings.TrimSpace(url))
		}
	case "ExtractedText":
		l.Text = value
	case "LicenseName":
		l.Name = value
	case "LicenseComment":
		l.Comment = value
	default:
		return false
	}
	return true
}

// tagChecksum reads "SHA1: d6a7…".
func tagChecksum(value string) spdxChecksum {
	algorithm, sum, _ := strings.Cut(value, ":")
	return spdxChecksum{Algorithm: strings.TrimSpace(algorithm), Value: strings.TrimSpace(sum)}
}

// tagVerification reads "d6a7… (excludes: ./a.spdx, ./b.spdx)".
func tagVerification(value string) *spdxVerification {
	code, excluded, ok := strings.Cut(value, "(excludes:")
	v := &spdxVerification{Value: strings.TrimSpace(code)}
	if ok {
		for name := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(excluded), ")"), ",") {
			v.Excluded = append(v.Excluded, strings.TrimSpace(name))
		}
	}
	return v
}

// documentField finds where the document keeps what a tag says.
func documentField(d *spdxDocument, tag string) (*string, *[]string) {
	switch tag {
	case "SPDXVersion":
		return &d.Version, nil
	case "DataLicense":
		return &d.DataLicense, nil
	case "DocumentName":
		return &d.Name, nil
	case "DocumentNamespace":
		return &d.Namespace, nil
	case "DocumentComment":
		return &d.Comment, nil
	case "Created":
		return &d.Creation.Created, nil
	case "CreatorComment":
		return &d.Creation.Comment, nil
	case "LicenseListVersion":
		return &d.Creation.LicenseList, nil
	case "Creator":
		return nil, &d.Creation.Creators
	}
	return nil, nil
}

// packageField finds where a package keeps what a tag says.
func packageField(p *spdxPackage, tag string) (*string, *[]string) {
	switch tag {
	case "PackageVersion":
		return &p.Version, nil
	case "PackageFileName":
		return &p.FileName, nil
	case "PackageSupplier":
		return &p.Supplier, nil
	case "PackageOriginator":
		return &p.Originator, nil
	case "PackageDownloadLocation":
		return &p.Download, nil
	case "PackageHomePage":
		return &p.Homepage, nil
	case "PackageSourceInfo":
		return &p.Source, nil
	case "PackageLicenseConcluded":
		return &p.LicenseConcluded, nil
	case "PackageLicenseDeclared":
		return &p.LicenseDeclared, nil
	case "PackageLicenseComments":
		return &p.LicenseComments, nil
	case "PackageCopyrightText":
		return &p.Copyright, nil
	case "PackageSummary":
		return &p.Summary, nil
	case "PackageDescription":
		return &p.Description, nil
	case "PackageComment":
		return &p.Comment, nil
	case "PrimaryPackagePurpose":
		return &p.Purpose, nil
	case "ReleaseDate":
		return &p.Released, nil
	case "BuiltDate":
		return &p.Built, nil
	case "ValidUntilDate":
		return &p.ValidUntil, nil
	case "PackageLicenseInfoFromFiles":
		return nil, &p.LicenseFromFiles
	case "PackageAttributionText":
		return nil, &p.Attribution
	}
	return nil, nil
}

// fileField finds where a file keeps what a tag says.
func fileField(f *spdxFile, tag string) (*string, *[]string) {
	switch tag {
	case "LicenseConcluded":
		return &f.LicenseConcluded, nil
	case "LicenseComments":
		return &f.LicenseComments, nil
	case "FileCopyrightText":
		return &f.Copyright, nil
	case "FileComment":
		return &f.Comment, nil
	case "FileNotice":
		return &f.Notice, nil
	case "FileType":
		return nil, &f.Types
	case "LicenseInfoInFile":
		return nil, &f.LicensesInFile
	case "FileContributor":
		return nil, &f.Contributors
	case "FileAttributionText":
		return nil, &f.Attribution
	}
	return nil, nil
}
