package release

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind of a release.
type Kind string

// Kinds of releases, in the order in which a version goes through them.
const (
	Alpha    Kind = "alpha"
	Beta     Kind = "beta"
	RC       Kind = "rc"
	Official Kind = "official"
)

// ParseKind reads alpha, beta, rc or official.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case Alpha, Beta, RC, Official:
		return k, nil
	}
	return "", fmt.Errorf("%q is not a kind of release: write alpha, beta, rc or official", s)
}

// State is what a repository holds when the next version is asked for.
type State struct {
	Branch        string   // the branch to release from; it may not exist yet
	DefaultBranch string   // "main"
	Branches      []string // branches that exist
	Tags          []string // every tag; those that are no version are passed over
	// Bump is asked for this once, instead of Policy.Bump. It is refused where
	// the number follows from what is out already.
	Bump Bump
}

// Bump is the number of a version that is raised; those after it become zero.
type Bump string

// Bumps. The empty one leaves it to the policy.
const (
	BumpPatch Bump = "patch"
	BumpMinor Bump = "minor"
	BumpMajor Bump = "major"
)

// ParseBump reads patch, minor, major, or nothing.
func ParseBump(s string) (Bump, error) {
	switch b := Bump(s); b {
	case "", BumpPatch, BumpMinor, BumpMajor:
		return b, nil
	}
	return "", fmt.Errorf("%q is no number of a version: write patch, minor or major", s)
}

// Policy is how a project numbers its releases.
type Policy struct {
	// Prefix of a tag, "v" for most projects.
	Prefix string
	// BranchPattern names release branches; it holds {major} and {minor}
	// once each. Empty means release-{major}.{minor}.
	BranchPattern string
	// First is the version a project without any tag works towards. Zero
	// means 0.1.0.
	First Version
	// Trunk allows candidates, final releases and their successors on the
	// default branch: for a project that keeps no release branches.
	Trunk bool
	// Bump is the number that the default branch's next series raises after a
	// final release: the minor one if empty. With release branches a patch is
	// made on them, and BumpPatch means BumpMinor here.
	Bump Bump
	// NoNextAlpha keeps a branch cut from opening the next minor with its
	// alpha.0 on the default branch.
	NoNextAlpha bool
	// NextCandidate makes a final release of a release branch tag the first
	// candidate of the next patch, too: v1.23.0 and v1.23.1-rc.0.
	NextCandidate bool
}

// DefaultPolicy is Kubernetes' way: prefix v, release-X.Y branches.
func DefaultPolicy() Policy {
	return Policy{Prefix: "v", BranchPattern: defaultPattern, First: Version{Prefix: "v", Minor: 1}}
}

const defaultPattern = "release-{major}.{minor}"

// Refusal says why a release cannot be made, and what can.
type Refusal struct {
	Kind   Kind
	Branch string
	Why    string
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("no %s from %s: %s", r.Kind, r.Branch, r.Why) }

// ReleaseBranch returns the branch on which the version's series is released.
func (p Policy) ReleaseBranch(v Version) string {
	return strings.NewReplacer("{major}", strconv.Itoa(v.Major), "{minor}", strconv.Itoa(v.Minor)).Replace(p.pattern())
}

// ParseBranch returns the first version of a release branch's series
// (release-1.4 is 1.4.0), or false for a branch of another name.
func (p Policy) ParseBranch(name string) (Version, bool) {
	pattern := p.pattern()
	major, minor := strings.Index(pattern, "{major}"), strings.Index(pattern, "{minor}")
	if major < 0 || minor < 0 {
		return Version{}, false
	}
	v := Version{Prefix: p.Prefix}
	numbers := []*int{&v.Major, &v.Minor}
	if minor < major {
		major, minor = minor, major
		numbers = []*int{&v.Minor, &v.Major}
	}
	const width = len("{major}")
	rest, ok := strings.CutPrefix(name, pattern[:major])
	if !ok {
		return Version{}, false
	}
	for i, after := range []string{pattern[major+width : minor], pattern[minor+width:]} {
		end := 0
		for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(rest[:end])
		if err != nil || strconv.Itoa(n) != rest[:end] || !strings.HasPrefix(rest[end:], after) {
			return Version{}, false
		}
		*numbers[i] = n
		rest = rest[end+len(after):]
	}
	return v, rest == ""
}

// Validate reports a policy that cannot work.
func (p Policy) Validate() error {
	if err := checkPrefix(p.Prefix); err != nil {
		return err
	}
	if strings.Count(p.pattern(), "{major}") != 1 || strings.Count(p.pattern(), "{minor}") != 1 {
		return fmt.Errorf("release branch pattern %q must hold {major} and {minor} once each", p.BranchPattern)
	}
	if v, ok := p.ParseBranch(p.ReleaseBranch(Version{Major: 12, Minor: 34})); !ok || v.Major != 12 || v.Minor != 34 {
		return fmt.Errorf("release branch pattern %q cannot be read back: put something between {major} and {minor}", p.BranchPattern)
	}
	if p.First.Pre != "" || p.First.Build != "" {
		return fmt.Errorf("first version %s must be a plain MAJOR.MINOR.PATCH", p.First)
	}
	return nil
}

func (p Policy) pattern() string {
	if p.BranchPattern == "" {
		return defaultPattern
	}
	return p.BranchPattern
}

func (p Policy) first() Version {
	if p.First.IsZero() || p.First == (Version{Prefix: p.First.Prefix}) {
		return Version{Prefix: p.Prefix, Minor: 1}
	}
	return Version{Prefix: p.Prefix, Major: p.First.Major, Minor: p.First.Minor, Patch: p.First.Patch}
}

// BranchVersions returns the versions that belong to a branch, newest first.
// A release branch owns every version of its series, those tagged before it
// was cut included; the default branch owns the series without a branch; any
// other branch owns none.
func BranchVersions(s State, branch string, p Policy) []Version {
	all := ParseVersions(p.Prefix, s.Tags)
	if series, ok := p.ParseBranch(branch); ok {
		return slices.DeleteFunc(all, func(v Version) bool { return v.Series() != series.Series() })
	}
	if branch != s.DefaultBranch {
		return nil
	}
	return slices.DeleteFunc(all, func(v Version) bool { return slices.Contains(s.Branches, p.ReleaseBranch(v)) })
}

// NextVersions says which versions a release of the kind from s.Branch tags,
// the one asked for first, and whether it cuts the branch. The error is a
// *Refusal where the release cannot be.
//
// On the default branch alphas and betas count up, a beta follows an alpha, and
// no alpha follows a beta. A release branch that is missing is cut from the
// default branch by an rc: X.Y.0-rc.0, and X.(Y+1).0-alpha.0 to open the next
// series. On a release branch an rc counts up, an official release ends the
// candidates, and after a final release comes the next patch. With
// Policy.Trunk all four kinds are made on the default branch.
func NextVersions(s State, kind Kind, p Policy) (versions []Version, createBranch bool, err error) {
	if err := p.Validate(); err != nil {
		return nil, false, err
	}
	if _, err := ParseKind(string(kind)); err != nil {
		return nil, false, err
	}
	versions, createBranch, why := next(s, kind, p)
	if why == "" {
		why = tooLarge(versions)
	}
	if why != "" {
		return nil, false, &Refusal{Kind: kind, Branch: s.Branch, Why: why}
	}
	return versions, createBranch, nil
}

// next is NextVersions for a request that makes sense, or why there is none.
func next(s State, kind Kind, p Policy) (versions []Version, createBranch bool, why string) {
	if why := bumpRefused(s, p); why != "" {
		return nil, false, why
	}
	if s.Bump != "" {
		p.Bump = s.Bump
	}
	series, isRelease := p.ParseBranch(s.Branch)
	switch {
	case s.Branch == s.DefaultBranch:
		v, why := nextOnDefault(s, kind, p)
		return []Version{v}, false, why
	case !isRelease:
		return nil, false, notReleasable(s, p)
	case kind == Alpha || kind == Beta:
		return nil, false, fmt.Sprintf("alphas and betas are made on %s; a release branch takes rc and official", s.DefaultBranch)
	case slices.Contains(s.Branches, s.Branch):
		v := nextOnRelease(BranchVersions(s, s.Branch, p), series, kind, p)
		versions = []Version{v}
		if kind == Official && p.NextCandidate {
			versions = append(versions, Version{Prefix: v.Prefix, Major: v.Major, Minor: v.Minor, Patch: v.Patch + 1, Pre: label(RC, 0)})
		}
		return versions, false, ""
	case kind == Official:
		return nil, false, "the branch does not exist; cut it with an rc first"
	}
	versions, why = cut(s, series, p)
	return versions, true, why
}

// tooLarge says so where counting up has left what a number can be.
func tooLarge(versions []Version) string {
	for _, v := range versions {
		if _, n, _ := v.Label(); min(v.Major, v.Minor, v.Patch, n) < 0 {
			return "a number of the last version is too large to go on from"
		}
	}
	return ""
}

// notReleasable says why nothing is released from a branch of another name. One
// that is named for a single patch is told what to do instead: two branches of
// a series would each count patches for themselves.
func notReleasable(s State, p Policy) string {
	if i := strings.LastIndexByte(s.Branch, '.'); i > 0 {
		if _, ok := p.ParseBranch(s.Branch[:i]); ok {
			return fmt.Sprintf("it is named for one patch, and patches are released from %s: bring the change there and release that commit", s.Branch[:i])
		}
	}
	return fmt.Sprintf("it is neither %s nor named like %s", called(s.DefaultBranch), p.pattern())
}

// called names the default branch in a sentence.
func called(branch string) string {
	if branch == elsewhere {
		return branch
	}
	return "the default branch " + branch
}

// bumpRefused says why the number to raise cannot be chosen, if it cannot.
func bumpRefused(s State, p Policy) string {
	if s.Bump == "" {
		return ""
	}
	last, ok := lastOnDefault(s, p)
	switch {
	case s.Branch != s.DefaultBranch:
		return "which number is raised can be chosen on " + s.DefaultBranch + " alone; a release branch is of one series"
	case !ok:
		return fmt.Sprintf("there is no version yet whose %s number could be raised; the first is %s", s.Bump, p.first())
	case !last.Final():
		return fmt.Sprintf("%s is out, and what follows it is of its series; the %s number can be raised after the final release", last, s.Bump)
	case s.Bump == BumpPatch && !p.Trunk:
		return "patches are made on a release branch here, such as " + p.ReleaseBranch(last)
	}
	return ""
}

// nextOnRelease gives the next candidate or final version of a series.
func nextOnRelease(have []Version, series Version, kind Kind, p Policy) Version {
	next := series
	if f := p.first(); len(have) == 0 && f.Series() == series.Series() {
		next.Patch = f.Patch
	}
	candidate := 0
	if len(have) > 0 {
		last := have[0]
		next.Patch = last.Patch
		if last.Final() {
			next.Patch++
		} else if k, n, ok := last.Label(); ok && k == RC {
			candidate = n + 1
		}
	}
	if kind == RC {
		next.Pre = label(RC, candidate)
	}
	return next
}

// nextOnDefault gives the next version on the default branch, or why not.
func nextOnDefault(s State, kind Kind, p Policy) (Version, string) {
	if (kind == RC || kind == Official) && !p.Trunk {
		return Version{}, "candidates and final releases are made on a release branch; cut " +
			p.ReleaseBranch(openSeries(s, p)) + " with an rc"
	}
	last, ok := lastOnDefault(s, p)
	next := openSeries(s, p)
	if !ok || last.Final() {
		if kind == Beta && ok {
			return Version{}, fmt.Sprintf("the last version is the final %s; a beta follows an alpha, so make an alpha first", last)
		}
		if kind != Official {
			next.Pre = label(kind, 0)
		}
		return next, ""
	}
	if kind == Official {
		return next, ""
	}
	have, n, labelled := last.Label()
	switch {
	case !labelled:
		return Version{}, fmt.Sprintf("the last version is %s, whose prerelease is not alpha.N, beta.N or rc.N, so what follows it cannot be told", last)
	case have == kind:
		next.Pre = label(kind, n+1)
	case order(have) > order(kind):
		return Version{}, outAlready(last, have, p)
	default:
		next.Pre = label(kind, 0)
	}
	return next, ""
}

// outAlready says what may still follow the last version of the default branch.
func outAlready(last Version, have Kind, p Policy) string {
	if have == RC && !p.Trunk {
		return fmt.Sprintf("the candidate %s is out already, so the series is finished on %s", last, p.ReleaseBranch(last))
	}
	return fmt.Sprintf("%s is out already; the next may be %s.N or later", last, have)
}

func order(k Kind) int { return slices.Index([]Kind{Alpha, Beta, RC, Official}, k) }

func label(k Kind, n int) string { return fmt.Sprintf("%s.%d", k, n) }

// lastOnDefault returns the newest version of the default branch. Where the
// newest series has been cut already and nothing opened the next, that is a
// final version of the newest release branch.
func lastOnDefault(s State, p Policy) (Version, bool) {
	var last Version
	found := false
	if have := BranchVersions(s, s.DefaultBranch, p); len(have) > 0 {
		last, found = have[0], true
	}
	for _, b := range s.Branches {
		if v, ok := p.ParseBranch(b); ok && (!found || v.Compare(last) > 0) {
			last, found = v, true
		}
	}
	return last, found
}

// openSeries is the version the default branch works towards.
func openSeries(s State, p Policy) Version {
	last, ok := lastOnDefault(s, p)
	if !ok {
		return p.first()
	}
	next := Version{Prefix: p.Prefix, Major: last.Major, Minor: last.Minor, Patch: last.Patch}
	switch {
	case !last.Final():
	case p.Bump == BumpMajor:
		next.Major, next.Minor, next.Patch = next.Major+1, 0, 0
	case p.Trunk && p.Bump == BumpPatch:
		next.Patch++
	default:
		next.Minor, next.Patch = next.Minor+1, 0
	}
	return next
}

// cut gives the versions of a branch cut, or why it cannot be.
func cut(s State, series Version, p Policy) ([]Version, string) {
	open := openSeries(s, p)
	major := Version{Major: open.Major + 1}
	tags := ParseVersions(p.Prefix, s.Tags)
	rc := nextOnRelease(nil, series, RC, p)
	if owned := BranchVersions(s, s.Branch, p); len(owned) > 0 && (owned[0].Compare(rc) >= 0 || owned[0].Kind() == RC) {
		return nil, fmt.Sprintf("%s is out already, so the branch must begin at that tag; create it there", owned[0])
	}
	untagged := len(tags) == 0 && !slices.ContainsFunc(s.Branches, func(b string) bool { _, ok := p.ParseBranch(b); return ok })
	if !untagged && series.Series() != open.Series() && series.Series() != major.Series() {
		return nil, fmt.Sprintf("%s works towards %s, so only %s or %s can be cut from it",
			s.DefaultBranch, open, p.ReleaseBranch(open), p.ReleaseBranch(major))
	}
	if p.NoNextAlpha {
		return []Version{rc}, ""
	}
	next := Version{Prefix: p.Prefix, Major: series.Major, Minor: series.Minor + 1, Pre: label(Alpha, 0)}
	return []Version{rc, next}, ""
}
