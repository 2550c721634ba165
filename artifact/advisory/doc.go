// Package advisory reads what a project knows of its vulnerabilities and writes
// it for scanners: OSV records and OpenVEX documents.
//
// It is read from note maps as Kubernetes' release team writes them (the field
// datafields.cve of a YAML document), or from a feed of CVEs (JSON Feed), whose
// affected and fixed versions stand in the text:
//
//	list, warnings, err := advisory.ReadMaps("CVE-2026-1000.yaml", text)
//	record, err := list[0].OSV("k8s.io/kubernetes")
//	document, err := advisory.VEX(list, advisory.VEXOptions{
//		Package: "k8s.io/kubernetes", Releases: []string{"v1.30.1"},
//		Author: "release team", Time: now,
//	})
//
// Formats: https://ossf.github.io/osv-schema/ (1.7.0), https://openvex.dev/ns/v0.2.0,
// https://jsonfeed.org/version/1.1.
package advisory
