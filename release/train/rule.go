package train

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"seaworthy/release"
)

// Type is what a train carries.
type Type string

// Types of trains. A patch is a final release of a series that has had one; an
// official release may be its first, too.
const (
	Patch    Type = "patch"
	Official Type = "official"
	RC       Type = "rc"
	Beta     Type = "beta"
	Alpha    Type = "alpha"
)

// Kind is what kind of release the train makes.
func (t Type) Kind() release.Kind {
	if t == Patch {
		return release.Official
	}
	return release.Kind(t)
}

// onDefault reports whether it departs from the default branch.
func (t Type) onDefault() bool { return t == Alpha || t == Beta }

// Auto is how far the platform goes by itself.
type Auto string

// What is done without a person.
const (
	Rehearse Auto = "rehearse" // rehearse every night, nothing more
	Open     Auto = "open"     // stage on the day, and have the cut wait for sign-offs
	Cut      Auto = "cut"      // and cut as soon as gates and sign-offs allow
)

// DefaultNight is when releases are rehearsed unless a rule says otherwise.
const DefaultNight = "02:00"

// Rule is one line of the timetable.
type Rule struct {
	Type     Type
	Calendar Calendar
	// Branches are patterns as path.Match has them; empty serves every branch
	// that the type can be released from.
	Branches []string
	// Newest serves only so many of the newest series; 0 all.
	Newest int
	// Months serves a series for so long after its first final release; 0 for ever.
	Months int
	Auto   Auto
	Night  time.Duration // time of day of rehearsals, since midnight UTC
}

// Branch is a branch of a repository as the timetable sees it.
type Branch struct {
	Name string
	// FirstFinal is when the series of the branch had its first final release;
	// zero if it had none.
	FirstFinal time.Time
}

// History is the branches of a repository.
type History struct {
	Default  string
	Branches []Branch
}

// Serves lists the branches that the rule serves at a time, newest series
// first. With a policy of Trunk, official releases and candidates depart from
// the default branch, and patches from none.
func (r Rule) Serves(h History, p release.Policy, now time.Time) []string {
	if r.Type.onDefault() || p.Trunk && r.Type != Patch {
		exists := slices.ContainsFunc(h.Branches, func(b Branch) bool { return b.Name == h.Default })
		if !exists || !r.matches(h.Default) {
			return nil
		}
		return []string{h.Default}
	}
	type candidate struct {
		Branch
		series release.Version
	}
	var all []candidate
	for _, b := range h.Branches {
		if series, ok := p.ParseBranch(b.Name); ok {
			all = append(all, candidate{b, series})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(b.series.Compare(a.series), strings.Compare(a.Name, b.Name))
	})
	var names []string
	counted := 0
	for _, c := range all {
		if r.Type == Patch && c.FirstFinal.IsZero() {
			continue // not out yet, so there is nothing to mend and nothing to support
		}
		if counted++; r.Newest > 0 && counted > r.Newest {
			break
		}
		if r.matches(c.Name) && r.supports(c.FirstFinal, now) {
			names = append(names, c.Name)
		}
	}
	return names
}

func (r Rule) matches(branch string) bool {
	return len(r.Branches) == 0 || slices.ContainsFunc(r.Branches, func(pattern string) bool {
		ok, err := path.Match(pattern, branch)
		return err == nil && ok // patterns are checked when the configuration is read
	})
}

// supports reports whether a series whose first final release was at a time is
// still in its window, that is until the same day of the month so many months on.
func (r Rule) supports(first, now time.Time) bool {
	return r.Months == 0 || first.IsZero() || now.Before(monthsAfter(first.UTC(), r.Months))
}

// monthsAfter is the same day so many months on, or the month's last day where
// it has no such day: one month after 31 January is the end of February.
func monthsAfter(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// tonight is the newest time of rehearsals that is not after now.
func (r Rule) tonight(now time.Time) time.Time {
	now = now.UTC()
	t := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC).Add(r.Night)
	if t.After(now) {
		t = t.AddDate(0, 0, -1)
	}
	return t
}

// String names the rule in journals: what it carries, and when.
func (r Rule) String() string { return fmt.Sprintf("%s %s", r.Type, r.Calendar) }
