package history

import (
	"cmp"
	"slices"
	"strings"
)

// shortestTail is how long the part must be, in bytes, that two names share to
// be taken for one test under two names: shorter ones, such as "Up", say
// nothing.
const shortestTail = 6

// SameTest reports whether two names may be one test: one of them is the other
// behind a prefix, as of a suite ("Kubernetes e2e suite.[It] x" and "x"), or of a
// package. It is a guess to be offered, not acted on.
func SameTest(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(b) < shortestTail || len(a) == len(b) || !strings.HasSuffix(a, b) {
		return false
	}
	before := a[len(a)-len(b)-1]
	return before == '.' || before == ' ' || before == '/'
}

// OtherName is a name that may be the same test, and the jobs that use it.
type OtherName struct {
	Name string   `json:"name"`
	Jobs []string `json:"jobs"`
}

// OtherNames lists the names that may be the same test as the one named, the
// one of the most jobs first. names are those of each job's rows.
func OtherNames(test string, names map[string][]string) []OtherName {
	jobs := map[string][]string{}
	for job, all := range names {
		for _, n := range all {
			if n != test && SameTest(n, test) && !slices.Contains(jobs[n], job) {
				jobs[n] = append(jobs[n], job)
			}
		}
	}
	others := make([]OtherName, 0, len(jobs))
	for n, js := range jobs {
		slices.Sort(js)
		others = append(others, OtherName{n, js})
	}
	slices.SortFunc(others, func(x, y OtherName) int {
		return cmp.Or(len(y.Jobs)-len(x.Jobs), strings.Compare(x.Name, y.Name))
	})
	return others
}

// Match is how well a name answers a search; less is better, 0 is the name
// itself. ok is false if it does not. A search is words that must all occur, in
// any case.
func Match(name, search string) (rank int, ok bool) {
	if name == search {
		return 0, true
	}
	low, wanted := strings.ToLower(name), strings.ToLower(strings.TrimSpace(search))
	switch {
	case wanted == "":
		return 0, false
	case low == wanted:
		return 1, true
	case SameTest(low, wanted):
		return 2, true
	case strings.Contains(low, wanted):
		return 3, true
	}
	for word := range strings.FieldsSeq(wanted) {
		if !strings.Contains(low, word) {
			return 0, false
		}
	}
	return 4, true
}
