package advisory

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// Advisory is what is known of one vulnerability. Times are UTC.
type Advisory struct {
	ID          string     `json:"id"` // CVE-2026-1000
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Published   time.Time  `json:"published,omitzero"`
	Vector      string     `json:"vector,omitempty"` // CVSS:3.1/AV:…
	Score       float64    `json:"score,omitempty"`
	Rating      string     `json:"rating,omitempty"`
	Issue       string     `json:"issue,omitempty"` // URL of the tracking issue
	Links       []string   `json:"links,omitempty"` // other URLs
	PRs         []int      `json:"linkedPRs,omitempty"`
	Affected    []Affected `json:"affected,omitempty"`
}

// Affected is one package and its versions that have the vulnerability.
type Affected struct {
	// Package is a Go module's path or a package URL; empty for the project's own.
	Package    string   `json:"package,omitempty" yaml:"package"`
	Components []string `json:"components,omitempty" yaml:"components"`
	Ranges     []Range  `json:"ranges" yaml:"ranges"`
}

// Range is from the first version that has it, up to and without the first that
// is fixed, or up to and with the last that is known to have it. Versions are
// semantic, with or without v; an empty start means from the very first.
type Range struct {
	Introduced   string `json:"introduced,omitempty" yaml:"introduced"`
	Fixed        string `json:"fixed,omitempty" yaml:"fixed"`
	LastAffected string `json:"lastAffected,omitempty" yaml:"lastAffected"`
}

var identifier = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[0-9A-Za-z][0-9A-Za-z.-]*$`)

// Validate reports what keeps an advisory from being published.
func (a Advisory) Validate() error {
	var wrong []error
	if !identifier.MatchString(a.ID) || strings.HasPrefix(a.ID, "CVE-") && !regexpCVE.MatchString(a.ID) {
		wrong = append(wrong, fmt.Errorf("id %q is none: write CVE-YEAR-NUMBER", a.ID))
	}
	if a.Title == "" && a.Description == "" {
		wrong = append(wrong, errors.New("there is neither a title nor a description"))
	}
	if a.Score < 0 || a.Score > 10 {
		wrong = append(wrong, fmt.Errorf("score %v: CVSS scores are from 0 to 10", a.Score))
	}
	if a.Vector != "" && severityType(a.Vector) == "" {
		wrong = append(wrong, fmt.Errorf("vector %q is no CVSS vector: write CVSS:3.1/AV:…", a.Vector))
	}
	for _, f := range a.Affected {
		for _, r := range f.Ranges {
			if err := r.check(); err != nil {
				wrong = append(wrong, fmt.Errorf("affected %s: %w", f.Package, err))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s: %w", cmp.Or(a.ID, "an advisory"), errors.Join(wrong...))
	}
	return nil
}

var regexpCVE = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,19}$`)

// canonical writes a version as package semver wants it; empty if it is none.
func canonical(v string) string {
	v = "v" + strings.TrimPrefix(strings.TrimSpace(v), "v")
	if !semver.IsValid(v) {
		return ""
	}
	return semver.Canonical(v) // completes v1.2, drops build metadata
}

func (r Range) check() error {
	for _, v := range []string{r.Introduced, r.Fixed, r.LastAffected} {
		if v != "" && v != "0" && canonical(v) == "" {
			return fmt.Errorf("%q is no version", v)
		}
	}
	end := cmp.Or(r.Fixed, r.LastAffected)
	switch {
	case r.Fixed != "" && r.LastAffected != "":
		return errors.New("a range ends with fixed or with lastAffected, not with both")
	case r.start() != "" && end != "" && (semver.Compare(r.start(), canonical(end)) > 0 || r.Fixed != "" && r.start() == canonical(end)):
		return fmt.Errorf("a range from %s to %s is empty", r.Introduced, end)
	}
	return nil
}

// start is the first version, empty for the very first.
func (r Range) start() string {
	if r.Introduced == "0" {
		return ""
	}
	return canonical(r.Introduced)
}

// holds reports whether a version is in the range.
func (r Range) holds(version string) bool {
	if s := r.start(); s != "" && semver.Compare(version, s) < 0 || version == "" {
		return false
	}
	switch {
	case r.Fixed != "":
		return semver.Compare(version, canonical(r.Fixed)) < 0
	case r.LastAffected != "":
		return semver.Compare(version, canonical(r.LastAffected)) <= 0
	}
	return true
}

// ranges are all that concern a package, in order.
func (a Advisory) ranges(pkg string) []Range {
	var all []Range
	for _, f := range a.Affected {
		if f.Package == "" || f.Package == pkg {
			all = append(all, f.Ranges...)
		}
	}
	slices.SortStableFunc(all, func(x, y Range) int { return semver.Compare(x.start(), y.start()) })
	return all
}

// Standing is where a release stands with a vulnerability.
type Standing string

// Standings, named as OpenVEX names them.
const (
	IsAffected    Standing = "affected"
	IsFixed       Standing = "fixed"
	IsNotAffected Standing = "not_affected"
	IsUnknown     Standing = "under_investigation"
)

// Stands says where a release of a package stands, and, if it is affected, the
// first version that is fixed in its own minor line, or later; empty if none is
// known.
func (a Advisory) Stands(pkg, release string) (s Standing, remedy string) {
	v := canonical(release)
	all := a.ranges(pkg)
	if len(all) == 0 || v == "" {
		return IsUnknown, ""
	}
	earlier, unsure := false, false
	for _, r := range all {
		switch {
		case r.holds(v):
			return IsAffected, a.remedy(all, v)
		case r.Fixed != "" && semver.Compare(v, canonical(r.Fixed)) >= 0:
			earlier = true // it was there, and has been fixed by now
		case r.LastAffected != "" && semver.Compare(v, canonical(r.LastAffected)) > 0:
			unsure = true
		}
	}
	switch {
	case earlier:
		return IsFixed, ""
	case unsure:
		// Known of up to a version, and no fix is named: later ones may have it.
		return IsUnknown, ""
	}
	return IsNotAffected, ""
}

func (a Advisory) remedy(all []Range, v string) string {
	best := ""
	for _, r := range all {
		f := canonical(r.Fixed)
		if r.Fixed == "" || semver.Compare(f, v) <= 0 {
			continue
		}
		if best == "" || semver.Compare(f, best) < 0 {
			best = f
		}
	}
	return best
}
