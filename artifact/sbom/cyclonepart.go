package sbom

import (
	"fmt"
	"net/url"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// componentTypes pairs the purposes that both formats know.
func componentTypes() map[Purpose]cdx.ComponentType {
	return map[Purpose]cdx.ComponentType{
		Application: cdx.ComponentTypeApplication, Framework: cdx.ComponentTypeFramework, Library: cdx.ComponentTypeLibrary,
		Container: cdx.ComponentTypeContainer, OperatingSystem: cdx.ComponentTypeOS, Device: cdx.ComponentTypeDevice, Firmware: cdx.ComponentTypeFirmware,
	}
}

// packageComponent makes a component of a package, and the properties that
// carry what a component has no field for.
func packageComponent(pkg Package) (cdx.Component, properties) {
	var p properties
	kind, ok := componentTypes()[pkg.Purpose]
	if !ok {
		kind = cdx.ComponentTypeLibrary
		p.add("primaryPackagePurpose", asserted(string(pkg.Purpose)))
	}
	hashes, others := hashesOf(pkg.Checksums)
	p.add("checksum", others...)
	out := cdx.Component{
		BOMRef: string(pkg.ID), Type: kind, Name: asserted(pkg.Name), Version: pkg.Version, Hashes: hashes, PackageURL: pkg.PURL,
		Supplier: entity(pkg.Supplier), Description: pkg.Description, Copyright: pkg.Copyright,
		Licenses: licensesOf(pkg.Declared, pkg.Concluded),
	}
	if pkg.Declared != "" {
		p.add("licenseConcluded", pkg.Concluded)
	}
	if pkg.Supplier.Kind != Organization {
		p.add("supplier", knownActor(pkg.Supplier))
	}
	switch o := pkg.Originator; o.Kind {
	case Person:
		out.Authors = &[]cdx.OrganizationalContact{{Name: o.Name, Email: o.Email}}
	case Organization:
		out.Manufacturer = entity(o)
	}
	for i, cpe := range pkg.CPEs {
		if i == 0 {
			out.CPE = cpe
			continue
		}
		p.add("cpe", cpe)
	}
	out.Evidence = evidenceOf(pkg.FromFiles)
	out.ExternalReferences = list(packageReferences(pkg, &p))
	if pkg.FilesAnalyzed {
		p.add("filesAnalyzed", "true")
		p.add("packageVerificationCodeValue", pkg.VerificationCode)
		p.add("packageVerificationCodeExcludedFiles", pkg.Excluded...)
	}
	p.add("packageFileName", pkg.FileName)
	p.add("licenseComments", pkg.LicenseNote)
	p.add("attributionTexts", pkg.Attribution...)
	p.add("summary", pkg.Summary)
	p.add("sourceInfo", pkg.Source)
	p.add("comment", pkg.Comment)
	p.add("builtDate", timeText(pkg.Built))
	p.add("releaseDate", timeText(pkg.Released))
	p.add("validUntilDate", timeText(pkg.ValidUntil))
	return out, p
}

func knownActor(a Actor) string { return known(a.String()) }

// packageReferences says where a package is found.
func packageReferences(pkg Package, p *properties) []cdx.ExternalReference {
	var refs []cdx.ExternalReference
	switch {
	case pkg.Download == "":
	case !isReference(pkg.Download):
		p.add("downloadLocation", pkg.Download)
	case strings.HasPrefix(pkg.Download, "git+"):
		refs = append(refs, cdx.ExternalReference{Type: cdx.ERTypeVCS, URL: pkg.Download})
	default:
		refs = append(refs, cdx.ExternalReference{Type: cdx.ERTypeDistribution, URL: pkg.Download})
	}
	if isReference(pkg.Homepage) {
		refs = append(refs, cdx.ExternalReference{Type: cdx.ERTypeWebsite, URL: pkg.Homepage})
	} else {
		p.add("homepage", pkg.Homepage)
	}
	for _, r := range pkg.Refs {
		p.addJSON("externalRefs", spdxReference(r))
	}
	return refs
}

// isReference reports whether text can stand where CycloneDX wants a URL.
func isReference(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && !strings.ContainsAny(s, " \t\n<>\"{}|\\^`")
}

func fileComponent(f File) (cdx.Component, properties) {
	var p properties
	hashes, others := hashesOf(f.Checksums)
	out := cdx.Component{BOMRef: string(f.ID), Type: cdx.ComponentTypeFile, Name: asserted(f.Name), Hashes: hashes,
		Licenses: licensesOf("", f.Concluded), Copyright: f.Copyright, Evidence: evidenceOf(f.FoundIn)}
	p.add("checksum", others...)
	for _, t := range f.Types {
		p.add("fileTypes", string(t))
	}
	p.add("licenseComments", f.LicenseNote)
	p.add("noticeText", f.Notice)
	p.add("fileContributors", f.Contributors...)
	p.add("attributionTexts", f.Attribution...)
	p.add("comment", f.Comment)
	return out, p
}

// licensesOf writes the declared licence, or else the concluded one: CycloneDX
// has room for one expression.
func licensesOf(declared, concluded string) *cdx.Licenses {
	text, how := declared, cdx.LicenseAcknowledgementDeclared
	if text == "" {
		text, how = concluded, cdx.LicenseAcknowledgementConcluded
	}
	if text == "" {
		return nil
	}
	if license := singleLicense(text); license != nil {
		license.Acknowledgement = how
		return &cdx.Licenses{{License: license}}
	}
	return &cdx.Licenses{{Expression: text, Acknowledgement: &how}}
}

// singleLicense is a licence that is no expression, nil if it is one.
func singleLicense(text string) *cdx.License {
	e, err := ParseExpression(text)
	switch {
	case err != nil:
		return &cdx.License{Name: text}
	case e.Operator != "" || e.OrLater || e.Exception != "":
		return nil
	}
	if spelling, _, ok := KnownLicense(e.License); ok {
		return &cdx.License{ID: spelling}
	}
	return &cdx.License{Name: e.License}
}

// evidenceOf says which licences were found in files.
func evidenceOf(found []string) *cdx.Evidence {
	var all cdx.Licenses
	for _, text := range found {
		license := singleLicense(text)
		if license == nil {
			license = &cdx.License{Name: text}
		}
		all = append(all, cdx.LicenseChoice{License: license})
	}
	if len(all) == 0 {
		return nil
	}
	return &cdx.Evidence{Licenses: &all}
}

// cycloneName joins a component's group and name as purls do.
func cycloneName(c cdx.Component) string {
	if c.Group != "" {
		return fmt.Sprintf("%s/%s", c.Group, c.Name)
	}
	return c.Name
}
