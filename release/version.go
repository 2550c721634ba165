package release

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
)

// Version is a semantic version (semver.org 2.0.0) behind a tag prefix. The
// zero value means "no version" and prints as the empty string.
type Version struct {
	Prefix string // "v" for most projects; may be empty, never ends in a digit
	Major  int
	Minor  int
	Patch  int
	Pre    string // "rc.1", without the dash; empty for a final release
	Build  string // without the plus
}

// ParseVersion reads a version strictly: prefix first, then all three numbers,
// no leading zeros, nothing left over.
func ParseVersion(prefix, s string) (Version, error) {
	if err := checkPrefix(prefix); err != nil {
		return Version{}, err
	}
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return Version{}, fmt.Errorf("%q is not a version: it does not begin with %q", s, prefix)
	}
	sv := "v" + rest
	// semver accepts the short forms v1 and v1.2; a tag must say all of it.
	if !semver.IsValid(sv) || semver.Canonical(sv)+semver.Build(sv) != sv {
		return Version{}, fmt.Errorf("%q is not a version: write %sMAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]", s, prefix)
	}
	v := Version{
		Prefix: prefix,
		Pre:    strings.TrimPrefix(semver.Prerelease(sv), "-"),
		Build:  strings.TrimPrefix(semver.Build(sv), "+"),
	}
	core, _, _ := strings.Cut(rest, "+")
	core, _, _ = strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	for i, number := range []*int{&v.Major, &v.Minor, &v.Patch} {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return Version{}, fmt.Errorf("%q is not a version: %s is too large a number", s, parts[i])
		}
		*number = n
	}
	return v, nil
}

func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if last := prefix[len(prefix)-1]; last >= '0' && last <= '9' {
		return fmt.Errorf("version prefix %q ends in a digit, so where the version begins cannot be told", prefix)
	}
	return nil
}

// String returns the version as its tag is written.
func (v Version) String() string {
	if v == (Version{}) {
		return ""
	}
	return v.Prefix + v.Number()
}

// Number returns the version without its prefix.
func (v Version) Number() string {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	if v.Build != "" {
		s += "+" + v.Build
	}
	return s
}

// Series returns "MAJOR.MINOR".
func (v Version) Series() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// IsZero reports whether v is no version at all.
func (v Version) IsZero() bool { return v == Version{} }

// Final reports whether v is a release without a prerelease part.
func (v Version) Final() bool { return v.Pre == "" }

// Compare orders versions by semver precedence; prefix and build do not count.
func (v Version) Compare(w Version) int {
	return semver.Compare("v"+v.Number(), "v"+w.Number())
}

// Label splits the prerelease into its name and number: rc.2 is ("rc", 2). A
// final release, or a prerelease of another shape, is not ok.
func (v Version) Label() (kind Kind, n int, ok bool) {
	name, num, found := strings.Cut(v.Pre, ".")
	if !found {
		return "", 0, false
	}
	n, err := strconv.Atoi(num)
	if err != nil {
		return "", 0, false
	}
	k, err := ParseKind(name)
	return k, n, err == nil && k != Official
}

// Kind returns what kind of release v is; a prerelease that is neither alpha,
// beta nor rc is an alpha, the least promise there is.
func (v Version) Kind() Kind {
	if v.Final() {
		return Official
	}
	name, _, _ := strings.Cut(v.Pre, ".")
	if k, err := ParseKind(name); err == nil && k != Official {
		return k
	}
	return Alpha
}

// MarshalText writes the version with its prefix.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

var versionText = regexp.MustCompile(`^(.*?)(\d+\.\d+\.\d+(?:[-+].*)?)$`)

// UnmarshalText reads what MarshalText wrote, whatever the prefix.
func (v *Version) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*v = Version{}
		return nil
	}
	m := versionText.FindSubmatch(b)
	if m == nil {
		return fmt.Errorf("%q is not a version", b)
	}
	parsed, err := ParseVersion(string(m[1]), string(b))
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

// ParseVersions keeps those tags that are versions with the prefix, newest
// first. A repository has other tags too; they are passed over.
func ParseVersions(prefix string, tags []string) []Version {
	var versions []Version
	for _, t := range tags {
		if v, err := ParseVersion(prefix, t); err == nil {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b Version) int {
		return cmp.Or(b.Compare(a), strings.Compare(a.Build, b.Build))
	})
	return versions
}

// BuildVersion names one staging of a version: the version and the first
// twelve digits of the commit it was built from, v1.2.0-rc.1+0a1b2c3d4e5f.
func BuildVersion(v Version, commit string) (string, error) {
	if !hexCommit.MatchString(commit) {
		return "", fmt.Errorf("build version of %s: %q is not a full commit id", v, commit)
	}
	if v.Build != "" {
		return "", fmt.Errorf("build version of %s: the version carries build data already", v)
	}
	v.Build = commit[:12]
	return v.String(), nil
}

var hexCommit = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// Folder returns the version or build version as one path element: a prefix
// may hold slashes ("tools/v1.0.0"), a folder's name may not.
func Folder(version string) string { return strings.ReplaceAll(version, "/", "_") }
