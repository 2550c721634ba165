package merge

import "slices"

// A search for the fewest approvers looks at sets of at most this many people;
// beyond it one person after the other is taken who covers most.
const exactSuggestions = 3

// suggest returns the fewest people whose approval would cover the open files,
// preferred people first, then those closest to the files.
func suggest(o *Owners, c Change, open []FileApproval) []string {
	var needs [][]string
	for _, f := range open {
		people := o.LeafApproversFor(f.Path)
		people = slices.DeleteFunc(people, func(l string) bool { return l == normLogin(c.Author) })
		if len(people) == 0 {
			people = slices.DeleteFunc(slices.Clone(f.Approvers), func(l string) bool { return l == normLogin(c.Author) })
		}
		if len(people) == 0 || slices.ContainsFunc(needs, func(n []string) bool { return slices.Equal(n, people) }) {
			continue
		}
		needs = append(needs, people)
	}
	order := rank(needs, c)
	for size := 1; size <= min(exactSuggestions, len(needs)); size++ {
		if found := cover(needs, order, size); found != nil {
			slices.Sort(found)
			return found
		}
	}
	return greedy(needs, order)
}

// rank orders all candidates: preferred ones, then a rotation by the seed so
// that not the same person is asked each time.
func rank(needs [][]string, c Change) []string {
	var all []string
	for _, n := range needs {
		all = union(all, n)
	}
	all = rotate(all, c.Seed)
	prefer := make([]string, len(c.Prefer))
	for i, p := range c.Prefer {
		prefer[i] = normLogin(p)
	}
	var first, rest []string
	for _, login := range all {
		if slices.Contains(prefer, login) {
			first = append(first, login)
		} else {
			rest = append(rest, login)
		}
	}
	return append(first, rest...)
}

// cover looks for at most size people who meet all needs, trying candidates in
// order for the first need that is open.
func cover(needs [][]string, order []string, size int) []string {
	if len(needs) == 0 {
		return []string{}
	}
	if size == 0 {
		return nil
	}
	for _, login := range order {
		if !slices.Contains(needs[0], login) {
			continue
		}
		if rest := cover(without(needs, login), order, size-1); rest != nil {
			return append(rest, login)
		}
	}
	return nil
}

// greedy takes whoever covers most of what is left, until nothing is.
func greedy(needs [][]string, order []string) []string {
	var out []string
	for len(needs) > 0 {
		best, covers := "", 0
		for _, login := range order {
			if n := len(needs) - len(without(needs, login)); n > covers {
				best, covers = login, n
			}
		}
		out = append(out, best)
		needs = without(needs, best)
	}
	slices.Sort(out)
	return out
}

func without(needs [][]string, login string) [][]string {
	var left [][]string
	for _, n := range needs {
		if !slices.Contains(n, login) {
			left = append(left, n)
		}
	}
	return left
}
