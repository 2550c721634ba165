package grid

import (
	"cmp"
	"slices"

	"seaworthy/job"
)

// Comparison is the rows of several grids side by side.
type Comparison struct {
	Jobs []string `json:"jobs"`
	// Rows are those that any of the grids shows, those that differ first, each
	// in natural order of name.
	Rows []ComparedRow `json:"rows"`
	// Differing is how many differ.
	Differing int `json:"differing"`
}

// ComparedRow is a test in each of the grids.
type ComparedRow struct {
	Name string `json:"name"`
	// Sides are in the order of the grids.
	Sides []Side `json:"sides"`
	// Differs says that the newest results are not alike: it passes here and
	// not there, or is not there at all.
	Differs bool `json:"differs"`
}

// Side is a test in one of the grids that are compared.
type Side struct {
	// Latest is the newest result, NoResult if the grid has none of the test.
	Latest Outcome `json:"latest"`
	// The counts are of the recent columns.
	Passes   int `json:"passes"`
	Failures int `json:"failures"`
	Flakes   int `json:"flakes"`
	// Runs are the recent cells as in a ViewRow.
	Runs    []int  `json:"runs,omitempty"`
	Message string `json:"message,omitempty"` // of the newest failure among them
}

// Compare puts the rows of grids side by side. Rows are matched by name; the
// verdicts on the builds are one row, Overall. Of the query the filters, Stale
// and Recent count.
func Compare(grids []*Grid, q Query) Comparison {
	c := Comparison{Jobs: []string{}, Rows: []ComparedRow{}}
	recent := Options{Recent: q.Recent}.withDefaults().Recent
	sides := map[string][]Side{}
	for i, g := range grids {
		c.Jobs = append(c.Jobs, g.Job)
		all := q
		all.Sort, all.Group = ByName, Grouping{}
		for _, r := range all.Select(g) {
			name := r.Name
			if name == g.Overall() {
				name = "Overall"
			}
			if sides[name] == nil {
				sides[name] = make([]Side, len(grids))
			}
			sides[name][i] = r.side(min(recent, len(g.Columns)))
		}
	}
	for name, s := range sides {
		row := ComparedRow{Name: name, Sides: s}
		for _, x := range s[1:] {
			row.Differs = row.Differs || x.Latest.kind() != s[0].Latest.kind()
		}
		if row.Differs {
			c.Differing++
		}
		c.Rows = append(c.Rows, row)
	}
	slices.SortFunc(c.Rows, func(a, b ComparedRow) int {
		if a.Differs != b.Differs {
			if a.Differs {
				return -1
			}
			return +1
		}
		return cmp.Or(job.CompareBuildIDs(a.Name, b.Name), cmp.Compare(a.Name, b.Name))
	})
	return c
}

// kind is what outcomes are compared by: whether they pass, fail, or neither.
func (o Outcome) kind() Outcome {
	switch {
	case o.Passing():
		return Pass
	case o.Failing():
		return Fail
	}
	return o
}

func (r *Row) side(recent int) Side {
	s := Side{Latest: r.latest(), Runs: r.part(0, recent)}
	at := 0
	for i := 0; i < len(s.Runs); i += 2 {
		n := s.Runs[i+1]
		switch o := Outcome(s.Runs[i]); {
		case o.Passing():
			s.Passes += n
		case o.Failing():
			s.Failures += n
			if s.Message == "" {
				s.Message = shorten(r.Note(at).Message, maxShown)
			}
		case o == Flake:
			s.Flakes += n
		}
		at += n
	}
	return s
}

// Failure is what several cells have in common: the same outcome and message.
type Failure struct {
	Status  Outcome `json:"status"`
	Message string  `json:"message,omitempty"` // empty if they are told apart by status alone
	Cells   int     `json:"cells"`
	// Tests have such a cell, those with the newest first; Columns are where,
	// the newest first, counted from the newest.
	Tests   []string `json:"tests"`
	Columns []int    `json:"columns"`
}

// Failures lists what failed or was flaky in the newest columns, put together by
// outcome and, if asked, by message: TestGrid's clustered failures. What has
// most cells comes first. Of the query the filters count, and Columns.
func (q Query) Failures(g *Grid, byMessage bool) []Failure {
	type key struct {
		status  Outcome
		message string
	}
	from, to := q.Columns.clamp(len(g.Columns))
	found := map[key]*Failure{}
	in := map[key]map[int]bool{}
	all := q
	all.Sort, all.Group, all.Stale = ByFailures, Grouping{}, true
	for _, r := range all.Select(g) {
		at := 0
		for _, run := range r.Runs {
			begin := at
			at += run.Count
			if !run.Status.Failing() && run.Status != Flake {
				continue
			}
			for column := max(begin, from); column < min(at, to); column++ {
				k := key{status: run.Status}
				if byMessage {
					k.message = r.Note(column).Message
				}
				f := found[k]
				if f == nil {
					f = &Failure{Status: k.status, Message: k.message}
					found[k], in[k] = f, map[int]bool{}
				}
				f.Cells++
				in[k][column] = true
				if n := len(f.Tests); n == 0 || f.Tests[n-1] != r.Name {
					f.Tests = append(f.Tests, r.Name)
				}
			}
		}
	}
	var out []Failure
	for k, f := range found {
		for column := range in[k] {
			f.Columns = append(f.Columns, column)
		}
		slices.Sort(f.Columns)
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Failure) int {
		return cmp.Or(b.Cells-a.Cells, b.Status.Severity()-a.Status.Severity(), cmp.Compare(a.Message, b.Message))
	})
	return out
}
