package release

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// BuildName is what the name of a build says: which version came before it,
// how many commits ago, and which commit it was built from.
type BuildName struct {
	Last    Version // the version that was tagged last, without build data
	Commits int     // since then; 0 where the name does not say
	Hash    string  // of the commit, as many digits as the name has; may be empty
	Dirty   bool    // built from files that were changed after the commit
}

// buildForm reads the part of a name that follows MAJOR.MINOR.PATCH. Commits
// are counted after a dot (alpha.1.123) or, as git describe does it, a dash.
var buildForm = regexp.MustCompile(`^(?:-((?:alpha|beta|rc)\.\d+))?(?:[.-](\d+))?(?:\+([0-9a-f]{5,64})|-g([0-9a-f]{5,64}))?(-dirty)?$`)

// fourNumbers is what comes before the last three of four numbers.
var fourNumbers = regexp.MustCompile(`[0-9]\.$`)

// ParseBuildName reads the name of a build, whatever its prefix. These forms
// are in use, and a plain version is one, too:
//
//	v1.23.0-alpha.1.123+4e9bdd481e2400   Kubernetes' CI builds
//	v1.22.0-5+4e9bdd481e2400             the same, after a final version
//	v1.23.0-rc.1+4e9bdd481e24            a staged build
//	v1.22.0-5-g4e9bdd4                   git describe
//
// Each may end in -dirty. A prerelease of another kind (v1.0.0-dev) is kept as
// it is.
func ParseBuildName(s string) (BuildName, error) {
	s = strings.TrimSpace(s)
	m := versionText.FindStringSubmatch(s)
	if m == nil || fourNumbers.MatchString(m[1]) {
		return BuildName{}, fmt.Errorf("%q is not a version: write one such as v1.23.0, v1.23.0-rc.1 or v1.23.0-alpha.1.123+4e9bdd481e2400", s)
	}
	prefix := m[1]
	end := strings.IndexAny(m[2], "-+")
	if end < 0 {
		end = len(m[2])
	}
	core, rest := m[2][:end], m[2][end:]
	f := buildForm.FindStringSubmatch(rest)
	if f == nil {
		v, err := ParseVersion(prefix, s)
		v.Build = ""
		return BuildName{Last: v}, err
	}
	name := prefix + core
	if f[1] != "" {
		name += "-" + f[1]
	}
	v, err := ParseVersion(prefix, name)
	if err != nil {
		return BuildName{}, err
	}
	b := BuildName{Last: v, Hash: f[3] + f[4], Dirty: f[5] != ""}
	if f[2] != "" {
		if b.Commits, err = strconv.Atoi(f[2]); err != nil {
			return BuildName{}, fmt.Errorf("%q is not a version: %s commits are too many", s, f[2])
		}
	}
	return b, nil
}

// With returns the policy with rules added, by name: next-candidate,
// no-next-alpha, trunk, patch, major. See the fields of Policy for what they mean.
func (p Policy) With(rules []string) (Policy, error) {
	for _, rule := range rules {
		switch rule {
		case "next-candidate":
			p.NextCandidate = true
		case "no-next-alpha":
			p.NoNextAlpha = true
		case "trunk":
			p.Trunk = true
		case "patch":
			p.Bump = BumpPatch
		case "major":
			p.Bump = BumpMajor
		default:
			return p, fmt.Errorf("there is no rule %q: write next-candidate, no-next-alpha, trunk, patch or major", rule)
		}
	}
	return p, nil
}

// elsewhere stands for the default branch where its name is not known.
const elsewhere = "the default branch"

// NextFrom is NextVersions for who knows one version only: the one tagged last,
// or a build since then. A branch whose name does not begin like that of a
// release branch is the default branch; a release branch exists, unless create
// says that it is to be cut. The prefix is that of the version.
func NextFrom(branch, last string, kind Kind, create bool, p Policy) ([]Version, bool, error) {
	b, err := ParseBuildName(last)
	if err != nil {
		return nil, false, err
	}
	if branch == "" {
		return nil, false, errors.New("no branch is named")
	}
	if b.Last.IsZero() {
		return nil, false, errors.New("0.0.0 stands for no version at all, so nothing follows it")
	}
	p.Prefix, p.First.Prefix = b.Last.Prefix, b.Last.Prefix
	refuse := func(format string, args ...any) ([]Version, bool, error) {
		return nil, false, &Refusal{Kind: kind, Branch: branch, Why: fmt.Sprintf(format, args...)}
	}
	series, isRelease := p.ParseBranch(branch)
	literal, _, _ := strings.Cut(p.pattern(), "{")
	s := State{Branch: branch, DefaultBranch: elsewhere, Tags: []string{b.Last.String()}}
	switch {
	case isRelease && !create:
		if b.Last.Series() != series.Series() {
			return refuse("%s is of series %s, and the branch of series %s", b.Last, b.Last.Series(), series.Series())
		}
		s.Branches = []string{elsewhere, branch}
	case isRelease:
		s.Branches = []string{elsewhere}
	case create:
		return refuse("a branch that is cut is named like %s", p.ReleaseBranch(b.Last))
	case literal == "" || !strings.HasPrefix(branch, literal):
		s.DefaultBranch, s.Branches = branch, []string{branch}
	}
	return NextVersions(s, kind, p)
}
