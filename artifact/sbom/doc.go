// Package sbom is about bills of materials: what software consists of, who
// supplied it and under which licence it may be used.
//
// A Document holds packages, files and how they relate. It is read from and
// written as SPDX 2.3 (JSON, tag-value) and CycloneDX 1.6 (JSON), and answers
// questions: its outline, a query, what differs from another, whether it is
// valid and complete.
//
//	d := sbom.Document{Name: "halyard-v1.2.0", Created: commitTime,
//		Authors: []sbom.Actor{{Kind: sbom.Tool, Name: "seaworthy-v1.0.0"}}}
//	app := d.Add(sbom.Package{ID: sbom.PackageID("", "halyard", "v1.2.0"),
//		Name: "halyard", Version: "v1.2.0", PURL: "pkg:golang/example.com/halyard@v1.2.0",
//		Supplier: sbom.Actor{Kind: sbom.Organization, Name: "Example"}})
//	d.Relate(sbom.DocumentID, sbom.Describes, app)
//	if err := d.Normalize(); err != nil {
//		return err
//	}
//	return sbom.Write(w, d, sbom.SPDXJSON)
//
// The same content gives the same bytes: ids come from names, versions and
// paths, everything is sorted, the namespace is a digest, and no clock is read.
package sbom
