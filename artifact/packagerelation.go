package artifact

import (
	"fmt"
	"regexp"
	"strings"
)

// PackageRelation is another package, perhaps of some versions; or one of
// several such, in the order they are preferred.
type PackageRelation []PackageAlternative

// PackageAlternative is one package. Operator is =, <, <=, > or >=, or empty
// where any version will do.
type PackageAlternative struct {
	Name     string
	Operator string
	Version  string // {version} is that of the package that names it
}

// The name may hold what rpm and apk write for files, libraries and commands:
// /usr/bin/awk, libc.so.6(GLIBC_2.34)(64bit), so:libc.musl-x86_64.so.1.
var relationForm = regexp.MustCompile(`^([A-Za-z0-9_/][A-Za-z0-9+._:/@-]*(?:\([A-Za-z0-9+._:/-]*\))*)\s*` +
	`(?:\(\s*(<<|<=|>=|>>|=|<|>)\s*([0-9A-Za-z.+~:_{}^-]+)\s*\)|(<<|<=|>=|>>|=|<|>)\s*([0-9A-Za-z.+~:_{}^-]+))?$`)

// ParsePackageRelation reads "name", "name (>= 1.2)" or "name >= 1.2", and
// several of these with '|' between them.
func ParsePackageRelation(s string) (PackageRelation, error) {
	var r PackageRelation
	if len(s) > 1024 {
		return nil, fmt.Errorf("a relation has at most 1024 characters, this has %d", len(s))
	}
	for text := range strings.SplitSeq(s, "|") {
		m := relationForm.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			return nil, fmt.Errorf("%q names no package: write name, name (>= 1.2), or several with '|' between them", s)
		}
		a := PackageAlternative{Name: m[1], Operator: m[2] + m[4], Version: m[3] + m[5]}
		if braces := strings.Count(a.Version, "{") + strings.Count(a.Version, "}"); braces > 0 && a.Version != "{version}" {
			return nil, fmt.Errorf("%q: the version is a plain one or {version}", s)
		}
		// Debian doubles what is strictly earlier or later.
		switch a.Operator {
		case "<<", ">>":
			a.Operator = a.Operator[1:]
		}
		r = append(r, a)
	}
	return r, nil
}

// fits refuses what a package manager cannot say.
func (r PackageRelation) fits(list string, format PackageFormat) error {
	for _, a := range r {
		if list == "provides" && a.Operator != "" && a.Operator != "=" {
			return fmt.Errorf("%q: what is provided has one version, after '='", r.Render(format, "{version}"))
		}
		if format == Deb && !packageName.MatchString(strings.TrimSuffix(a.Name, ":any")) {
			return fmt.Errorf("%q is no name of a Debian package: say in overrides what holds in the other formats", a.Name)
		}
	}
	if len(r) == 1 {
		return nil
	}
	if format == APK && (list == "recommends" || list == "suggests") {
		return nil // not written at all
	}
	if format == APK || list != "depends" && list != "recommends" && list != "suggests" {
		return fmt.Errorf("%q: %s knows no alternatives in %s: name one package, in overrides if other formats should keep them",
			r.Render(Deb, "{version}"), format, list)
	}
	return nil
}

// Render spells the relation for a package manager; version is put for
// {version}.
func (r PackageRelation) Render(format PackageFormat, version string) string {
	words := make([]string, len(r))
	for i, a := range r {
		words[i] = a.render(format, strings.ReplaceAll(a.Version, "{version}", version))
	}
	if format == Deb {
		return strings.Join(words, " | ")
	}
	if len(words) == 1 {
		return words[0]
	}
	return "(" + strings.Join(words, " or ") + ")" // rpm's rich dependencies
}

func (a PackageAlternative) render(format PackageFormat, version string) string {
	switch {
	case a.Operator == "":
		return a.Name
	case format == Deb:
		operator := a.Operator
		if operator == "<" || operator == ">" {
			operator += operator
		}
		return fmt.Sprintf("%s (%s %s)", a.Name, operator, version)
	case format == APK:
		return a.Name + a.Operator + version
	}
	return fmt.Sprintf("%s %s %s", a.Name, a.Operator, version)
}
