package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Known says that a failure is none of a change's own: its target branch has it.
type Known struct {
	Test string `json:"test"`
	// Same says that the message is the same, too; else only the test is.
	Same bool `json:"same_message"`
	// Now says that the branch failed with it in the newest run that counts,
	// not only now and then.
	Now    bool   `json:"now"`
	Branch string `json:"branch"`
	Job    string `json:"job"`
	State  State  `json:"state"` // of the test in that job
	// Since is the oldest failure that it is known by, Latest the newest.
	Since  Result `json:"since"`
	Latest Result `json:"latest"`
	Fails  int    `json:"fails"` // from Since to Latest
	// Rate is how often the test flakes there.
	Rate Rate `json:"flake_rate"`
}

// String says it in a sentence: also fails on main since build 12 of 20 Nov.
func (k Known) String() string {
	verb, what := "also failed on", ""
	if k.Now {
		verb = "also fails on"
	}
	if !k.Same {
		what = ", with another message"
	}
	if k.State == Flaky {
		return fmt.Sprintf("%s %s, in %s of %s: the test is flaky there, %s%s", verb, k.Branch, count(k.Fails, "run"), k.Job, k.Rate, what)
	}
	return fmt.Sprintf("%s %s since build %s of %s (%s)%s", verb, k.Branch, k.Since.Build, k.Job, k.Since.Started.UTC().Format("2 Jan 15:04 UTC"), what)
}

// KnownOptions say what counts as the same failure.
type KnownOptions struct {
	Options
	// Key makes one string of messages that mean the same; nil compares them as
	// they are but for blanks.
	Key func(message string) string
	// After leaves out what the branch failed with before.
	After time.Time
}

// KnownOn looks for a failure of a change on the branch it goes to: the same
// test in the jobs that test the branch. One with the same message goes before
// one with another, one that goes on before one that is over, then the newest.
func KnownOn(test, message string, branch []Series, o KnownOptions) (Known, bool) {
	var best Known
	found := false
	for _, s := range branch {
		if s.Source.Presubmit || s.Test != test {
			continue
		}
		for _, same := range []bool{true, false} {
			k, ok := knownIn(s, message, same, o)
			if ok && (!found || k.compare(best) < 0) {
				best, found = k, true
			}
			if ok {
				break
			}
		}
	}
	return best, found
}

func (k Known) compare(other Known) int {
	return cmp.Or(order(other.Same)-order(k.Same), order(other.Now)-order(k.Now), other.Latest.Started.Compare(k.Latest.Started), strings.Compare(k.Job, other.Job))
}

func knownIn(s Series, message string, same bool, o KnownOptions) (Known, bool) {
	j := Judge(s, o.Options)
	k := Known{Test: s.Test, Same: same, Branch: s.Source.Branch, Job: s.Source.Job, State: j.State, Rate: j.FlakeRate}
	newest := true
	for _, r := range s.Results[:min(len(s.Results), o.withDefaults().Newest)] {
		if !r.done() {
			continue
		}
		if r.Started.Before(o.After) || k.Fails > 0 && j.State == Broken && r.Outcome.Passing() {
			break // a break is known from its own first failure on
		}
		if !r.Outcome.Passing() && (!same || SameMessage(r.Message, message, o.Key)) {
			if k.Fails == 0 {
				k.Latest, k.Now = r, newest
			}
			k.Since = r
			k.Fails++
		}
		newest = false
	}
	return k, k.Fails > 0
}

// gap stands where the middle of a long message was cut out.
const gap = "…"

// SameMessage reports whether two messages say the same, once key has taken out
// what varies; an empty one says nothing. Either may have lost its middle: then what is left must agree.
func SameMessage(a, b string, key func(string) string) bool {
	if key == nil {
		key = func(s string) string { return strings.Join(strings.Fields(s), " ") }
	}
	x, y := parts(a, key), parts(b, key)
	switch {
	case x == nil || y == nil:
		return false // nothing to go by
	case len(x) == 1 && len(y) == 1:
		return x[0] == y[0]
	}
	return agree(x[0], y[0], strings.HasPrefix) && agree(x[len(x)-1], y[len(y)-1], strings.HasSuffix)
}

// parts are what stands before and after the gap.
func parts(message string, key func(string) string) []string {
	message = strings.TrimSpace(message)
	if message == "" {
		return nil
	}
	head, tail, cut := strings.Cut(message, gap)
	all := []string{key(head)}
	if cut {
		all = append(all, key(tail))
	}
	return all
}

func agree(a, b string, has func(s, part string) bool) bool {
	both := []string{a, b}
	slices.SortFunc(both, func(x, y string) int { return len(x) - len(y) })
	return has(both[1], both[0])
}
