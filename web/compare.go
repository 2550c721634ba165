package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
)

// At most this many tabs stand side by side, of this many newest columns each,
// and a page holds this many rows.
const (
	mostCompared    = 6
	comparedColumns = 12
	comparedRows    = 50
)

// comparedRow is one test in every tab.
type comparedRow struct {
	Name  string
	Sides []comparedSide
}

// comparedSide is a test in one tab.
type comparedSide struct {
	Mark  Mark
	Says  string
	Strip strip
}

// contender is a tab that takes part.
type contender struct {
	label string
	base  string // its page
	grid  *grid.Grid
}

func present(row grid.ComparedRow, tabs []contender) comparedRow {
	out := comparedRow{Name: row.Name}
	for i, x := range row.Sides {
		side := comparedSide{Mark: sideMark(x)}
		if n := x.Passes + x.Failures + x.Flakes; n > 0 {
			side.Says = fmt.Sprintf("%d of %d passed", x.Passes, n)
		}
		columns := tabs[i].grid.Columns
		var outcomes []grid.Outcome
		for at := 0; at+1 < len(x.Runs); at += 2 {
			for range x.Runs[at+1] {
				outcomes = append(outcomes, grid.Outcome(x.Runs[at]))
			}
		}
		side.Strip = newStrip(outcomes, func(i int) string { return "build " + columns[i].Build })
		out.Sides = append(out.Sides, side)
	}
	return out
}

// lacking is 1 if the test is not in all of the tabs, after those that differ.
func lacking(row grid.ComparedRow) int {
	switch {
	case !row.Differs:
		return 2
	case slices.ContainsFunc(row.Sides, func(x grid.Side) bool { return x.Latest == grid.NoResult }):
		return 1
	}
	return 0
}

// sideMark is the newest result, and flaky where it passed but others did not.
func sideMark(x grid.Side) Mark {
	switch {
	case x.Latest == grid.NoResult:
		return mark("idle", "absent")
	case x.Latest.Failing():
		return mark("fail", "fails")
	case !x.Latest.Passing():
		return mark("flake", outcomeWord(x.Latest))
	case x.Failures+x.Flakes > 0:
		return mark("flake", "passes, not always")
	}
	return mark("pass", "passes")
}

type comparePage struct {
	Heading, Sentence string
	Chosen, Known     []string
	Include           string
	All               bool
	Problems          []string
	Heads             []link
	Rows              []comparedRow
	Counted, Next     string
	Empty             string
}

// compare is the page that puts two or more tabs side by side; each parameter
// "tab" names one as dashboard/tab.
func (s *Site) compare(r *http.Request) (view, error) {
	config, err := s.Signal.Dashboards(r.Context())
	if err != nil {
		return view{}, err
	}
	p := comparePage{Heading: "Tabs side by side", Include: r.FormValue("include"), All: r.FormValue("all") != "", Empty: "Choose two tabs or more, each as dashboard/tab."}
	for _, d := range config.Dashboards {
		for _, t := range d.Tabs {
			if len(p.Known) < mostSuggested {
				p.Known = append(p.Known, d.Name+"/"+t.Name)
			}
		}
	}
	query := grid.Query{Recent: comparedColumns}
	if query.Include, err = grid.Filters(p.Include); err != nil {
		p.Problems = append(p.Problems, sentence(err))
	}
	var tabs []contender
	for _, name := range r.URL.Query()["tab"] {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		p.Chosen = append(p.Chosen, name)
		if len(p.Chosen) > mostCompared {
			p.Problems = append(p.Problems, fmt.Sprintf("At most %d tabs fit side by side.", mostCompared))
			break
		}
		t, err := s.side(r, config, name)
		if errors.Is(err, errNoPage) || errors.Is(err, fs.ErrNotExist) {
			p.Problems = append(p.Problems, fmt.Sprintf("There is no tab %q. Write dashboard/tab.", name))
			continue
		}
		if err != nil {
			return view{}, err
		}
		tabs = append(tabs, t)
		p.Heads = append(p.Heads, link{t.label, t.base})
	}
	for len(p.Chosen) < 2 {
		p.Chosen = append(p.Chosen, "")
	}
	if len(p.Chosen) < mostCompared {
		p.Chosen = append(p.Chosen, "")
	}
	if len(tabs) > 1 {
		p.fill(r, tabs, query)
	}
	return view{page: "compare", Title: p.Heading, Nav: "signal", Topics: "runs", Data: p}, nil
}

// mostSuggested bounds the names a field suggests.
const mostSuggested = 1000

// side finds a tab by dashboard/tab. Both names may hold slashes, so every
// place to cut at is tried.
func (s *Site) side(r *http.Request, config dashboard.Config, name string) (contender, error) {
	for i, c := range name {
		if c != '/' {
			continue
		}
		if _, _, ok := config.Tab(name[:i], name[i+1:]); !ok {
			continue
		}
		u, err := s.findTab(r.Context(), name[:i], name[i+1:])
		if err != nil {
			return contender{}, err
		}
		return contender{label: name, base: u.base, grid: u.grid}, nil
	}
	return contender{}, errNoPage
}

// fill puts one page of the rows in.
func (p *comparePage) fill(r *http.Request, tabs []contender, query grid.Query) {
	grids := make([]*grid.Grid, len(tabs))
	for i, t := range tabs {
		grids[i] = t.grid
	}
	c := grid.Compare(grids, query)
	rows := c.Rows
	p.Sentence = fmt.Sprintf("%d of %s differ in their newest result. The cells are the newest %d builds of each tab.", c.Differing, plural(len(rows), "test", "tests"), comparedColumns)
	p.Empty = "No test matches."
	if !p.All {
		rows = rows[:c.Differing]
		if len(rows) == 0 && len(c.Rows) > 0 {
			p.Empty = "The tabs agree on every test."
		}
	}
	// What one tab lacks says less than what passes here and fails there.
	slices.SortStableFunc(rows, func(a, b grid.ComparedRow) int { return lacking(a) - lacking(b) })
	from := whole(r.FormValue("from"), 0, len(rows))
	to := min(from+comparedRows, len(rows))
	for _, row := range rows[from:to] {
		p.Rows = append(p.Rows, present(row, tabs))
	}
	p.Counted = fmt.Sprintf("%d to %d of %s.", from+1, to, plural(len(rows), "row", "rows"))
	if to < len(rows) {
		q := r.URL.Query()
		q.Set("from", strconv.Itoa(to))
		p.Next = "?" + q.Encode()
	}
}
