package artifact

import (
	"fmt"
	"regexp"
	"strings"
)

// PackageFormat is a family of package managers.
type PackageFormat string

// Package formats.
const (
	Deb PackageFormat = "deb" // dpkg, apt
	RPM PackageFormat = "rpm" // rpm, dnf, yum, zypper
	APK PackageFormat = "apk" // Alpine's apk
)

// PackageFormats lists the formats in the order they are built in.
func PackageFormats() []PackageFormat { return []PackageFormat{Deb, RPM, APK} }

// ParsePackageFormat reads deb, rpm or apk.
func ParsePackageFormat(s string) (PackageFormat, error) {
	switch f := PackageFormat(s); f {
	case Deb, RPM, APK:
		return f, nil
	}
	return "", fmt.Errorf("%q is not a package format: write deb, rpm or apk", s)
}

// Channels are the parts of a package repository, by how settled a version is.
const (
	ChannelRelease = "release" // final versions
	ChannelTesting = "testing" // alpha, beta and rc
	ChannelNightly = "nightly" // whatever else was built
)

var channelName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// CheckChannel refuses what cannot be the name of a channel: it becomes a
// folder of the repository.
func CheckChannel(name string) error {
	if !channelName.MatchString(name) {
		return fmt.Errorf("%q cannot be a channel: write %s, %s, %s or another name of a-z, 0-9, '.', '_' and '-'",
			name, ChannelRelease, ChannelTesting, ChannelNightly)
	}
	return nil
}

// PackageVersion is a version taken apart so that each package manager sorts
// it where a person would: 1.2.0-rc.1 before 1.2.0, and five commits after
// 1.2.0 behind it.
type PackageVersion struct {
	Number  string // 1.2.0
	Pre     string // rc.1; empty for a final version
	Commits string // how many commits after that (git describe); mostly empty
	Commit  string // abbreviated, given with Commits
	Dirty   bool   // built from a changed work tree
	Build   string // what follows '+', which semantic versioning does not sort by
}

var (
	packageVersion = regexp.MustCompile(`^v?(\d{1,20}(?:\.\d{1,20}){0,5})(?:-([0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*))?(?:\+([0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*))?$`)
	described      = regexp.MustCompile(`^(?:(.+)-)?(\d+)-g([0-9a-f]{4,64})$`)
	settling       = regexp.MustCompile(`^(?:alpha|beta|rc)(?:\.?\d+)?$`)
)

// ParsePackageVersion reads a version: numbers with dots, then a pre-release
// after '-' and build information after '+', as in semantic versioning, whose
// three numbers it does not insist on. What git describe appends is understood
// too: v1.2.0-5-g0123abc is five commits after 1.2.0, not before it.
func ParsePackageVersion(s string) (PackageVersion, error) {
	m := packageVersion.FindStringSubmatch(s)
	if m == nil || len(s) > 128 {
		return PackageVersion{}, fmt.Errorf("%q is not a version packages can bear: write it like 1.2.0, 1.2.0-rc.1 or 1.2.0-5-g0123abc", s)
	}
	v := PackageVersion{Number: m[1], Pre: m[2], Build: m[3]}
	v.Pre, v.Dirty = strings.CutSuffix(v.Pre, "-dirty")
	if v.Pre == "dirty" {
		v.Pre, v.Dirty = "", true
	}
	if d := described.FindStringSubmatch(v.Pre); d != nil {
		v.Pre, v.Commits, v.Commit = d[1], d[2], d[3]
	}
	return v, nil
}

// Channel returns the channel a version belongs to: final versions to release;
// alpha, beta and rc to testing; builds between them to nightly.
func (v PackageVersion) Channel() string {
	switch {
	case v.Commits != "" || v.Dirty || v.Build != "":
		return ChannelNightly
	case v.Pre == "":
		return ChannelRelease
	case settling.MatchString(v.Pre):
		return ChannelTesting
	}
	return ChannelNightly
}

// In spells the version for a package manager, without epoch and revision. The
// tilde of dpkg and rpm sorts before everything, so 1.2.0~rc.1 comes before
// 1.2.0. apk knows only the suffixes alpha, beta, pre, rc, git and p, each with
// one number: other words are refused, and build information has no place
// there. Sources: deb-version(7), rpm-version(7), apk-package(5).
func (v PackageVersion) In(format PackageFormat) (string, error) {
	if format == APK {
		return v.apk()
	}
	s := v.Number
	plain := func(s string) string { return strings.ReplaceAll(s, "-", ".") }
	if v.Pre != "" {
		s += "~" + plain(v.Pre)
		if format == RPM && v.Pre[0] <= '9' {
			// To rpm a number is later than a word, to semantic versioning not.
			s = strings.Replace(s, "~", "~~", 1)
		}
	}
	var after []string
	if v.Commits != "" {
		after = append(after, v.Commits, "g"+v.Commit)
	}
	if v.Dirty {
		after = append(after, "dirty")
	}
	if v.Build != "" {
		after = append(after, plain(v.Build))
	}
	if len(after) > 0 {
		s += "+" + strings.Join(after, ".")
	}
	return s, nil
}

var apkPart = regexp.MustCompile(`[A-Za-z]+|\d+`)

func (v PackageVersion) apk() (string, error) {
	s := v.Number
	named := false // the suffix written last has no number yet
	for i, part := range apkPart.FindAllString(v.Pre, -1) {
		switch number := part[0] <= '9'; {
		case number && named:
			s += part
			named = false
		case number && i == 0:
			// Semantic versioning sorts a bare number before any word.
			s += "_alpha_p" + part
		case number:
			s += "_p" + part
		case i == 0 && (part == "alpha" || part == "beta" || part == "pre" || part == "rc"):
			s += "_" + part
			named = true
		case part == "preview" && i == 0:
			s += "_pre"
			named = true
		default:
			return "", fmt.Errorf("apk cannot sort a version with %q in %q: it knows alpha, beta, pre and rc, with numbers", part, v.Pre)
		}
	}
	if v.Commits != "" {
		s += "_git" + v.Commits
	}
	return s, nil
}

// FullVersion spells a version whole, with the epoch (apk has none) and the
// revision of the packaging: 1:1.2.0~rc.1-1, or 1.2.0_rc1-r1 for apk.
func (s PackageSpec) FullVersion(v PackageVersion, format PackageFormat) (string, error) {
	text, err := v.In(format)
	if err != nil {
		return "", err
	}
	if format == APK {
		return fmt.Sprintf("%s-r%d", text, s.revision()), nil
	}
	text = fmt.Sprintf("%s-%d", text, s.revision())
	if s.Epoch > 0 {
		text = fmt.Sprintf("%d:%s", s.Epoch, text)
	}
	return text, nil
}

func (s PackageSpec) revision() int {
	if s.Revision == 0 {
		return 1
	}
	return s.Revision
}

// independent is how package managers call a package without machine code.
var independent = map[PackageFormat]string{Deb: "all", RPM: "noarch", APK: "noarch"}

// architectures are the processors' names: Debian's, rpm's, Alpine's; empty
// where a distribution has no such port.
var architectures = map[string][3]string{
	"386":      {"i386", "i386", "x86"},
	"amd64":    {"amd64", "x86_64", "x86_64"},
	"arm/v5":   {"armel", "armv5tel", ""},
	"arm/v6":   {"armhf", "armv6hl", "armhf"},
	"arm/v7":   {"armhf", "armv7hl", "armv7"},
	"arm":      {"armhf", "armv7hl", "armv7"},
	"arm64":    {"arm64", "aarch64", "aarch64"},
	"arm64/v8": {"arm64", "aarch64", "aarch64"},
	"loong64":  {"loong64", "loongarch64", "loongarch64"},
	"mips64le": {"mips64el", "mips64el", ""},
	"mipsle":   {"mipsel", "mipsel", ""},
	"ppc64le":  {"ppc64el", "ppc64le", "ppc64le"},
	"riscv64":  {"riscv64", "riscv64", "riscv64"},
	"s390x":    {"s390x", "s390x", "s390x"},
}

// PackageArchitecture returns a package manager's word for a platform; the zero
// platform is a package that runs everywhere. Only Linux has these packages.
func PackageArchitecture(p Platform, format PackageFormat) (string, error) {
	if p.IsZero() {
		return independent[format], nil
	}
	if p.OS != "linux" {
		return "", fmt.Errorf("there are no %s packages for %s: only for linux", format, p)
	}
	key := p.Arch
	if p.Variant != "" {
		key += "/" + p.Variant
	}
	column := map[PackageFormat]int{Deb: 0, RPM: 1, APK: 2}[format]
	if name := architectures[key][column]; name != "" {
		return name, nil
	}
	return "", fmt.Errorf("%s has no architecture for %s", format, p)
}
