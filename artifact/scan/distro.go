package scan

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/package-url/packageurl-go"

	"seaworthy/artifact/sbom"
)

// distro is what /etc/os-release says (os-release(5)).
type distro struct {
	id, version, name, home, cpe string
}

// parseOSRelease reads KEY=value lines; values may be quoted as in a shell.
func parseOSRelease(text []byte) distro {
	var d distro
	pretty := ""
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		value = clip(strings.Trim(value, `'"`), 200)
		switch key {
		case "ID":
			d.id = strings.ToLower(value)
		case "VERSION_ID":
			d.version = value
		case "NAME":
			d.name = value
		case "PRETTY_NAME":
			pretty = value
		case "CPE_NAME":
			d.cpe = value
		case "HOME_URL":
			d.home = value
		}
	}
	d.name = cmp.Or(d.name, pretty, d.id)
	return d
}

// slug names the distribution in package URLs: debian-12.
func (d distro) slug() string {
	if d.version == "" {
		return d.id
	}
	return d.id + "-" + d.version
}

// cpes is the distribution's name in lists of vulnerabilities, if it tells one.
func (d distro) cpes() []string {
	if !strings.HasPrefix(d.cpe, "cpe:") || strings.ContainsAny(d.cpe, " \t") {
		return nil
	}
	return []string{d.cpe}
}

// supplier is who makes the distribution.
func (d distro) supplier() sbom.Actor {
	if d.name == "" {
		return sbom.Actor{}
	}
	return sbom.Actor{Kind: sbom.Organization, Name: d.name}
}

// osPackage is one package of a distribution, as its database tells.
type osPackage struct {
	kind          string // deb, apk, rpm
	name, version string
	epoch, arch   string // epoch of rpm only; deb has it in its version
	source        string // name of the source package, with its version where it differs
	supplier      sbom.Actor
	homepage      string
	summary       string
	licence       string         // declared, an SPDX expression
	refs          []sbom.License // texts of its LicenseRef-…
	note          string         // where the licence is from
	copyright     string
	comment       string
	depends       []string // names, one of several parted by "|"
	provides      []string
}

// defaultVendors are the distributions that packages are from where an image has
// no os-release.
var defaultVendors = map[string]string{"deb": "debian", "apk": "alpine", "rpm": "redhat"}

// purl is the package's URL (https://github.com/package-url/purl-spec).
func (p osPackage) purl(d distro) string {
	qualifiers := map[string]string{}
	if p.arch != "" {
		qualifiers["arch"] = p.arch
	}
	if p.epoch != "" && p.epoch != "0" {
		qualifiers["epoch"] = p.epoch
	}
	if d.id != "" {
		qualifiers["distro"] = d.slug()
	}
	if p.source != "" && p.source != p.name {
		qualifiers["upstream"] = p.source
	}
	return packageurl.NewPackageURL(p.kind, cmp.Or(d.id, defaultVendors[p.kind]), p.name, p.version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
}

// pkg makes the document's package.
func (p osPackage) pkg(d distro) sbom.Package {
	version := p.version
	if p.epoch != "" && p.epoch != "0" {
		version = p.epoch + ":" + version
	}
	out := sbom.Package{
		ID: sbom.PackageID(p.kind, p.name, version, p.arch), Name: p.name, Version: version, Purpose: sbom.Library,
		Supplier: p.supplier, PURL: p.purl(d), Homepage: p.homepage, Summary: p.summary,
		Declared: p.licence, Concluded: p.licence, LicenseNote: p.note, Copyright: p.copyright, Comment: p.comment,
	}
	if out.Supplier.IsZero() {
		out.Supplier = d.supplier()
	}
	if p.source != "" {
		out.Source = "built from the source package " + strings.Replace(p.source, "@", " ", 1)
	}
	return out
}

// relateAll says which packages depend on which: a name, or the first of several
// that is installed.
func relateAll(list []osPackage, ids []sbom.ID, d *sbom.Document) {
	byName := map[string]int{}
	for i, p := range list {
		for _, name := range append(slices.Clone(p.provides), p.name) {
			if _, taken := byName[name]; !taken || name == p.name {
				byName[name] = i
			}
		}
	}
	for i, p := range list {
		done := map[int]bool{i: true}
		for _, need := range p.depends {
			for alternative := range strings.SplitSeq(need, "|") {
				if to, ok := byName[strings.TrimSpace(alternative)]; ok {
					if !done[to] {
						done[to] = true
						d.Relate(ids[i], sbom.DependsOn, ids[to])
					}
					break
				}
			}
		}
	}
}

// person reads "Jane Doe <jane@example.com>"; teams and lists are organizations.
func person(text string) sbom.Actor {
	text = strings.TrimSpace(text)
	if text == "" {
		return sbom.Actor{}
	}
	name, rest, ok := strings.Cut(text, "<")
	a := sbom.Actor{Kind: sbom.Organization, Name: strings.Trim(strings.TrimSpace(name), `"`)}
	if ok {
		a.Email, _, _ = strings.Cut(rest, ">")
		if a.Email = strings.TrimSpace(a.Email); a.Name == "" {
			a.Name = a.Email
		}
	}
	lower := strings.ToLower(a.Name + " " + a.Email)
	group := []string{"team", "group", "maintainers", "developers", "project", "debian ", "ubuntu", "packag", "lists.", "tracker.", "inc.", "ltd", "gmbh", "@packages."}
	if a.Email != "" && !slices.ContainsFunc(group, func(w string) bool { return strings.Contains(lower, w) }) {
		a.Kind = sbom.Person
	}
	return a
}
