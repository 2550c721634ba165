package sbom

import (
	"reflect"
	"strings"
	"sync"
)

// tagFields finds the fields of a struct by their tags.
func tagFields(of reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range of.NumField() {
		if tag := of.Field(i).Tag.Get("tag"); tag != "" {
			fields[tag] = i
		}
	}
	return fields
}

// allTagFields holds the fields of everything that tags fill, found once.
var allTagFields = sync.OnceValue(func() map[reflect.Type]map[string]int {
	all := map[reflect.Type]map[string]int{}
	for _, v := range []any{spdxDocument{}, spdxCreation{}, spdxPackage{}, spdxFile{}, spdxLicense{}} {
		all[reflect.TypeOf(v)] = tagFields(reflect.TypeOf(v))
	}
	return all
})

// set puts a value in the field of that tag, or appends it to its list, and
// reports whether there is one.
func set(into any, tag, value string) bool {
	v := reflect.ValueOf(into).Elem()
	i, ok := allTagFields()[v.Type()][tag]
	switch {
	case !ok:
		return false
	case v.Field(i).Kind() == reflect.Slice:
		v.Field(i).Set(reflect.Append(v.Field(i), reflect.ValueOf(value)))
	default:
		v.Field(i).SetString(value)
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
	return set(d, tag, value) || set(&d.Creation, tag, value)
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
		return set(p, tag, value)
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
		return set(f, tag, value)
	}
	return true
}

func ofLicense(l *spdxLicense, tag, value string) bool {
	if tag != "LicenseCrossReference" {
		return set(l, tag, value)
	}
	for url := range strings.SplitSeq(value, ",") {
		l.SeeAlso = append(l.SeeAlso, strings.TrimSpace(url))
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
