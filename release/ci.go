package release

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// hashDigits is how many digits of a commit Kubernetes' build versions carry.
const hashDigits = 14

// BuildBase is what the versions of a branch's builds begin with.
type BuildBase struct {
	// Version that a count of commits is appended to.
	Version Version
	// Since is the tag that commits are counted from; empty counts all.
	Since string
}

// BaseOfBuilds says what the builds of a branch are named after, given the tags
// that its history holds. The count of commits since a prerelease is appended
// to that: v1.23.0-alpha.1.123. After a final version, and where a series has
// not begun, it is appended to an alpha.0 that sorts above all that was and
// below all that will be tagged: after v1.23.0 come v1.23.1-alpha.0.1 and so
// on, as v1.23.0-1 would sort below v1.23.0. Before any tag it is v0.0.0-alpha.0.
func BaseOfBuilds(s State, history []string, p Policy) (BuildBase, error) {
	if err := p.Validate(); err != nil {
		return BuildBase{}, err
	}
	reached := ParseVersions(p.Prefix, history)
	own := slices.DeleteFunc(BranchVersions(s, s.Branch, p), func(v Version) bool { return !slices.Contains(reached, v) })
	if len(own) > 0 {
		last := own[0]
		if !last.Final() {
			return BuildBase{Version: last, Since: last.String()}, nil
		}
		next := Version{Prefix: p.Prefix, Major: last.Major, Minor: last.Minor, Patch: last.Patch + 1, Pre: label(Alpha, 0)}
		return BuildBase{Version: next, Since: last.String()}, nil
	}
	var base BuildBase
	if len(reached) > 0 {
		base.Since = reached[0].String()
	}
	series, isRelease := p.ParseBranch(s.Branch)
	_, begun := lastOnDefault(s, p)
	switch {
	case isRelease:
		base.Version = series
	case begun:
		base.Version = openSeries(s, p)
	default:
		base.Version = Version{Prefix: p.Prefix}
	}
	base.Version.Pre = label(Alpha, 0)
	return base, nil
}

var suffixForm = regexp.MustCompile(`^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*$`)

// CIVersion names the build of a commit: the base, how many commits came since,
// and the first fourteen digits of the commit, v1.23.0-alpha.1.123+4e9bdd481e2400.
// A suffix, which may be empty, follows after a dash.
func CIVersion(base BuildBase, commits int, commit, suffix string) (Version, error) {
	v := base.Version
	switch {
	case !hexCommit.MatchString(commit):
		return Version{}, fmt.Errorf("naming a build after %s: %q is not a full commit id", v, commit)
	case commits < 0 || v.Final():
		return Version{}, fmt.Errorf("naming a build after %s: %d commits cannot be counted from there", v, commits)
	case suffix != "" && !suffixForm.MatchString(suffix):
		return Version{}, fmt.Errorf("suffix %q of a version: write letters, digits, '-' and '.'", suffix)
	}
	v.Pre += fmt.Sprintf(".%d", commits)
	v.Build = commit[:hashDigits]
	if suffix != "" {
		v.Build += "-" + suffix
	}
	return v, nil
}

var markerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)

// CIMarkerNames lists the markers that a build is a candidate for: latest,
// latest-1 and latest-1.23, or latest-fast alone for a build for one platform
// only; and the extra ones. A name may lie in folders, and may end in .txt.
func CIMarkerNames(v Version, fast bool, extra []string) ([]string, error) {
	names := []string{"latest", fmt.Sprintf("latest-%d", v.Major), "latest-" + v.Series()}
	if fast {
		names = []string{"latest-fast"}
	}
	for _, name := range extra {
		name = strings.TrimSuffix(name, ".txt")
		if !markerForm.MatchString(name) {
			return nil, fmt.Errorf("marker %q: write a name such as k8s-master, which may have folders", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// RaiseMarker says whether v is to be written to a marker that holds have now,
// which may be empty. A marker only ever rises. One that holds no version is an
// error, because overwriting it might lower it.
func RaiseMarker(v Version, name, have string) (bool, error) {
	have = strings.TrimSpace(have)
	if have == "" {
		return true, nil
	}
	old, err := ParseVersion(v.Prefix, have)
	if err != nil {
		return false, fmt.Errorf("marker %s.txt: %w; correct it by hand", name, err)
	}
	return old.Compare(v) < 0, nil
}
