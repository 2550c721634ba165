package grid

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Query says what of a grid is to be seen: which rows, in which order, and
// which part of them. The zero value shows the rows with recent results, all
// columns, in order of name.
type Query struct {
	// Include and Exclude keep rows whose names match all of the former and
	// none of the latter; see Filter.
	Include, Exclude []*regexp.Regexp
	// OnlyFailures keeps rows in which a cell failed or was flaky.
	OnlyFailures bool
	// Stale shows rows without a result in the Recent newest columns (10), too.
	Stale  bool
	Recent int
	Sort   Sort
	Group  Grouping
	// Rows and Columns are the part that is shown, of what is left and in its
	// order. Count 0 means all.
	Rows, Columns Window
	// Messages bounds the bytes of messages in a View, so that a screen stays
	// small whatever fails; 96 KiB if 0. Those of the first rows come first.
	Messages int
}

// Window is a part of rows or columns.
type Window struct {
	From  int `json:"from"`
	Count int `json:"count"`
}

// clamp returns the window as a range within n.
func (w Window) clamp(n int) (from, to int) {
	from = min(max(w.From, 0), n)
	if w.Count <= 0 || w.Count > n-from {
		return from, n
	}
	return from, from + w.Count
}

// Sort is an order of rows.
type Sort string

// Orders of rows. Ties are broken by the order of the grid.
const (
	ByName Sort = "" // the order of the grid
	// ByFailures: what failed most recently first, of those what failed more
	// often.
	ByFailures Sort = "failures"
	// ByFlakiness: what flips most often first, of those what did so recently.
	ByFlakiness Sort = "flakiness"
)

// ParseSort reads name, failures or flakiness; empty is name.
func ParseSort(s string) (Sort, error) {
	switch s {
	case "", "name":
		return ByName, nil
	case string(ByFailures), string(ByFlakiness):
		return Sort(s), nil
	}
	return "", fmt.Errorf("no order is called %q: write name, failures or flakiness", s)
}

// Grouping puts rows together. The zero value does not.
type Grouping struct {
	By GroupBy
	// Pattern is the expression of ByMask and the separator of ByHierarchy.
	Pattern *regexp.Regexp
}

// GroupBy is what rows of one group share.
type GroupBy string

// Ways to put rows together.
const (
	Ungrouped GroupBy = ""
	// ByMask: names that are equal but for what the pattern matches.
	ByMask GroupBy = "regex-mask"
	// ByDirectory: what stands before the last slash, and ByTarget before the
	// last dot or colon.
	ByDirectory GroupBy = "directory"
	ByTarget    GroupBy = "target"
	// ByHierarchy: what stands before the first match of the pattern; without
	// one, before the first dot.
	ByHierarchy GroupBy = "hierarchy"
)

// ParseGrouping reads what rows are grouped by, and the pattern for it. A mask
// needs one.
func ParseGrouping(by, pattern string) (Grouping, error) {
	g := Grouping{By: GroupBy(by)}
	switch g.By {
	case Ungrouped, ByDirectory, ByTarget:
		return g, nil
	case ByMask, ByHierarchy:
	case "hierarchy-pattern":
		g.By = ByHierarchy
	default:
		return Grouping{}, fmt.Errorf("rows cannot be grouped by %q: write regex-mask, directory, target or hierarchy", by)
	}
	if pattern == "" && g.By == ByMask {
		return Grouping{}, fmt.Errorf("grouping by regex-mask needs a pattern: it says what rows of one group may differ in")
	}
	if pattern == "" {
		return g, nil
	}
	var err error
	g.Pattern, err = Filter(pattern)
	return g, err
}

// Filters compiles several; empty ones are passed over.
func Filters(patterns ...string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for _, p := range patterns {
		if p == "" {
			continue
		}
		re, err := Filter(p)
		if err != nil {
			return nil, err
		}
		out = append(out, re)
	}
	return out, nil
}

// Select returns the rows of a grid that the query shows, in its order, but for
// the window.
func (q Query) Select(g *Grid) []*Row {
	rows, _ := q.choose(g)
	return rows
}

// place is where a row comes in an order: small numbers first.
type place struct {
	row  *Row
	keys [2]float64
	name int // its place in the grid
	// group is that of the row, if rows are grouped.
	group string
}

func (q Query) choose(g *Grid) ([]*Row, []string) {
	o := Options{Include: q.Include, Exclude: q.Exclude, Recent: q.Recent}.withDefaults()
	var places []place
	for i, r := range g.Rows {
		if strings.Contains(r.Name, "@TESTGRID@") || !q.Stale && r.Stale(o.Recent) || q.OnlyFailures && !r.troubled() || !o.shows(r.Name) {
			continue
		}
		places = append(places, place{row: r, name: i, keys: q.Sort.keys(r), group: q.Group.of(r.Name)})
	}
	slices.SortFunc(places, func(a, b place) int {
		if c := slices.Compare(a.keys[:], b.keys[:]); c != 0 {
			return c
		}
		return a.name - b.name
	})
	if q.Group.By != Ungrouped {
		first := map[string]int{} // groups come as the first of their rows do
		for i, p := range places {
			if _, ok := first[p.group]; !ok {
				first[p.group] = i
			}
		}
		slices.SortStableFunc(places, func(a, b place) int { return first[a.group] - first[b.group] })
	}
	rows, groups := make([]*Row, len(places)), make([]string, len(places))
	for i, p := range places {
		rows[i], groups[i] = p.row, p.group
	}
	return rows, groups
}

// troubled reports whether a cell of the row failed or was flaky.
func (r *Row) troubled() bool {
	return slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Status.Failing() || run.Status == Flake })
}

func (s Sort) keys(r *Row) [2]float64 {
	if s != ByFailures && s != ByFlakiness {
		return [2]float64{}
	}
	at, newest, failures := 0, -1, 0
	flips, cells := 0, 0
	failing := false
	for _, run := range r.Runs {
		bad := run.Status.Failing() || run.Status == Flake
		if bad && newest < 0 {
			newest = at
		}
		switch {
		case run.Status == NoResult || run.Status == Running:
		case run.Status == Flake:
			failures += run.Count
			flips += run.Count
			cells += run.Count
			failing = false
		case bad:
			failures += run.Count
			cells += run.Count
			if !failing {
				flips++
			}
			failing = true
		default:
			cells += run.Count
			failing = false
		}
		at += run.Count
	}
	if newest < 0 {
		return [2]float64{1e9, 0}
	}
	if s == ByFailures {
		return [2]float64{float64(newest), -float64(failures)}
	}
	return [2]float64{-float64(flips) / float64(cells), float64(newest)}
}

// of returns the group of a name.
func (g Grouping) of(name string) string {
	cut := func(i int) string {
		if i < 0 {
			return ""
		}
		return name[:i]
	}
	switch g.By {
	case ByMask:
		return g.Pattern.ReplaceAllString(name, "*")
	case ByDirectory:
		return cut(strings.LastIndexByte(name, '/'))
	case ByTarget:
		return cut(strings.LastIndexAny(name, ".:"))
	case ByHierarchy:
		if g.Pattern == nil {
			return cut(strings.IndexByte(name, '.'))
		}
		if at := g.Pattern.FindStringIndex(name); at != nil {
			return name[:at[0]]
		}
	}
	return ""
}
