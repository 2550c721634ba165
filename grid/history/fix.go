package history

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Commit is a commit that may have broken a test, or mended it.
type Commit struct {
	SHA     string    `json:"sha"`
	Subject string    `json:"subject"`
	Message string    `json:"-"`
	Author  string    `json:"author,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Pull is the number of the pull request that it came by, empty if it does
	// not say; Link leads to the pull request or the commit.
	Pull string `json:"pull,omitempty"`
	Link string `json:"link,omitempty"`
}

var (
	mergeSubject  = regexp.MustCompile(`^Merge pull request #([0-9]+) `)
	squashSubject = regexp.MustCompile(`\(#([0-9]+)\)$`)
	pickedFrom    = regexp.MustCompile(`\(cherry picked from commit ([0-9a-f]{7,64})\)`)
	pickTitle     = regexp.MustCompile(`(?i)(?:cherry.?pick(?:s|ed)?(?: of)?|backport(?:s|ed)?(?: of)?)[ :]*((?:#[0-9]+[ ,]*)+)`)
	issueNumber   = regexp.MustCompile(`#([0-9]+)\b`)
)

// PullOf reads from a commit's subject which pull request it came by, as GitHub
// writes it when it merges or squashes; empty if it does not say.
func PullOf(subject string) string {
	for _, re := range []*regexp.Regexp{mergeSubject, squashSubject} {
		if m := re.FindStringSubmatch(strings.TrimSpace(subject)); m != nil {
			return m[1]
		}
	}
	return ""
}

// Mentions reports whether a commit names an issue in its message, besides the
// pull request that it came by itself.
func (c Commit) Mentions(issue int) bool {
	wanted := fmt.Sprint(issue)
	if PullOf(c.Subject) == wanted {
		return false
	}
	return slices.ContainsFunc(issueNumber.FindAllStringSubmatch(c.Message, -1), func(m []string) bool { return m[1] == wanted })
}

// PickedIn looks for a commit of the default branch on a release branch, by what
// people and tools write there: the commit itself, "(cherry picked from commit
// …)", a title "Cherry pick of #12" (or Backport) that names its pull request,
// or the same subject. It returns how it was found; empty if it was not.
func PickedIn(c Commit, release []Commit) string {
	pull := c.Pull
	if pull == "" {
		pull = PullOf(c.Subject)
	}
	for _, r := range release {
		if r.SHA == c.SHA {
			return "the branch holds the commit"
		}
		for _, m := range pickedFrom.FindAllStringSubmatch(r.Message, -1) {
			if strings.HasPrefix(c.SHA, m[1]) {
				return "picked as " + short(r.SHA)
			}
		}
		if pull == "" {
			continue
		}
		for _, m := range pickTitle.FindAllStringSubmatch(r.Message, -1) {
			if slices.ContainsFunc(issueNumber.FindAllStringSubmatch(m[1], -1), func(n []string) bool { return n[1] == pull }) {
				return "picked as " + short(r.SHA) + ", which names #" + pull
			}
		}
	}
	plain := plainSubject(c.Subject)
	if plain == "" {
		return ""
	}
	for _, r := range release {
		if plainSubject(r.Subject) == plain {
			return "a commit with the same subject, " + short(r.SHA)
		}
	}
	return ""
}

// plainSubject is a subject that says something: without the number of the pull
// request, and empty for a merge, whose subject names a branch.
func plainSubject(s string) string {
	s = strings.TrimSpace(s)
	if mergeSubject.MatchString(s) || strings.HasPrefix(s, "Merge ") {
		return ""
	}
	return strings.TrimSpace(squashSubject.ReplaceAllString(s, ""))
}

func short(sha string) string { return sha[:min(len(sha), 9)] }

// Fix is a change on the default branch that mends a test, and where it is still
// missing.
type Fix struct {
	Commit
	Issue int `json:"issue"` // that it names
	// Missing are the branches that fail without it, Picked says of the others
	// how it was found there.
	Missing []string          `json:"missing"`
	Picked  map[string]string `json:"picked,omitempty"`
}

// Fixes lists the commits of the default branch that name any of some issues,
// newest first, and on which of the branches each is missing. branches holds
// the commits of each release branch since it left the default branch, and
// before says which commits of the default branch it had by then.
func Fixes(issues []int, main []Commit, branches map[string][]Commit, before func(branch, sha string) bool) []Fix {
	var all []Fix
	for _, c := range main {
		i := slices.IndexFunc(issues, c.Mentions)
		if i < 0 {
			continue
		}
		f := Fix{Commit: c, Issue: issues[i], Missing: []string{}, Picked: map[string]string{}}
		for _, branch := range sortedKeys(branches) {
			switch how := PickedIn(c, branches[branch]); {
			case before(branch, c.SHA):
				f.Picked[branch] = "it was merged before the branch was made"
			case how != "":
				f.Picked[branch] = how
			default:
				f.Missing = append(f.Missing, branch)
			}
		}
		all = append(all, f)
	}
	return all
}

func sortedKeys(m map[string][]Commit) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
