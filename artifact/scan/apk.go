package scan

import (
	"strings"

	"seaworthy/artifact/sbom"
)

// parseApk reads apk's database of installed packages (apk-v2 index format:
// one-letter fields, packages parted by empty lines).
func parseApk(text []byte) []osPackage {
	var list []osPackage
	p := osPackage{kind: "apk"}
	flush := func() {
		if p.name != "" && p.version != "" {
			list = append(list, p)
		}
		p = osPackage{kind: "apk"}
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			flush()
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || len(key) != 1 {
			continue
		}
		switch key {
		case "P":
			p.name = value
		case "V":
			p.version = value
		case "A":
			p.arch = value
		case "o":
			p.source = value
		case "m":
			p.supplier = person(value)
		case "U":
			p.homepage = value
		case "T":
			p.summary = value
		case "L":
			e, refs := readLicence(value)
			p.licence, p.refs, p.note = e.String(), refs, "Declared in the package's own record."
		case "C":
			p.comment = "apk's sum of the package's control data: " + value
		case "D":
			for _, need := range strings.Fields(value) {
				if !strings.HasPrefix(need, "!") { // a conflict
					p.depends = append(p.depends, apkName(need))
				}
			}
		case "p":
			for _, name := range strings.Fields(value) {
				p.provides = append(p.provides, apkName(name))
			}
		}
	}
	flush()
	return list
}

// apkName cuts a version condition off: so:libc.musl-x86_64.so.1=1 → the name.
func apkName(s string) string {
	if i := strings.IndexAny(s, "<>=~"); i > 0 {
		return s[:i]
	}
	return s
}

// rpmSupplier is a package's vendor, else who packed it.
func rpmSupplier(vendor, packager string) sbom.Actor {
	if vendor != "" && vendor != "(none)" {
		return sbom.Actor{Kind: sbom.Organization, Name: vendor}
	}
	if packager != "" && packager != "(none)" {
		return person(packager)
	}
	return sbom.Actor{}
}
