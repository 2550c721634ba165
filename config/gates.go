package config

import (
	"path"
	"slices"
	"strings"
	"time"

	"seaworthy/strict"
)

// Gates are what must hold before a release is cut.
type Gates struct {
	Green      []string        `json:"green" doc:"Jobs whose newest results must be green. All required postsubmits of the branch if empty."`
	Runs       int             `json:"runs" doc:"How many results in a row must be green."`
	Dashboards BlockingBoards  `json:"dashboards" doc:"Dashboards of the test grid that hold a release back."`
	Blockers   Blockers        `json:"blockers" doc:"Which open issues and changes hold a release back."`
	Exceptions ExceptionLabels `json:"exceptions" doc:"Exceptions that must be settled: no issue that carries one of the labels may be open."`
	Notes      string          `json:"notes" enum:"required,optional" doc:"Whether every merged change needs a release note, or the word that it needs none."`
	Freeze     Freeze          `json:"freeze" doc:"The freeze that must be in force when a release is cut."`
	Rehearsal  string          `json:"rehearsal" enum:"required,optional" doc:"Whether a mock of the same commit must have succeeded."`
	Approvals  []Approval      `json:"approvals" doc:"Who must agree; one of each role is enough."`
	Waivers    []string        `json:"waivers" doc:"Roles, of those in approvals, that may waive a gate. All of them if empty."`

	Lines strict.Lines `json:"-"`
}

// BlockingBoards are the dashboards that hold a release back.
type BlockingBoards struct {
	Names []string `json:"names" doc:"Dashboards, as jobs name them in testgrid-dashboards or as they stand in grid."`
	Runs  int      `json:"runs" doc:"How many results in a row must be green on each tab."`

	Lines strict.Lines `json:"-"`
}

// Blockers say which open issues and pull requests hold a release back.
type Blockers struct {
	Labels    []string `json:"labels" doc:"Any of these labels makes an open issue or change a blocker."`
	Milestone string   `json:"milestone" placeholder:"major,minor,patch,version,number" doc:"Only what is in this milestone blocks; without labels all of it does."`

	Lines strict.Lines `json:"-"`
}

// ExceptionLabels say which issues ask for an exception.
type ExceptionLabels struct {
	Labels []string `json:"labels" doc:"Labels of issues that ask for an exception."`

	Lines strict.Lines `json:"-"`
}

// Freeze is a time in which only excepted changes merge.
type Freeze struct {
	From     string   `json:"from" doc:"First day of the freeze, 2026-11-05, or an instant, 2026-11-05T18:00:00Z. No freeze is asked for if empty."`
	Until    string   `json:"until" doc:"Last day of the freeze, or the instant it ends. Without one it goes on."`
	Label    string   `json:"label" doc:"Label that a change merged during the freeze must carry. Any may merge if empty."`
	Branches []string `json:"branches" doc:"Branches that the freeze is about, as patterns such as release-*. All if empty."`

	Lines strict.Lines `json:"-"`
}

// Approval is one role whose agreement a release needs.
type Approval struct {
	Role   string   `json:"role" doc:"What the people are to the project, such as release manager."`
	Logins []string `json:"logins" doc:"Accounts that hold the role."`

	Lines strict.Lines `json:"-"`
}

// Covers reports whether there is a freeze for a branch.
func (f Freeze) Covers(branch string) bool {
	return f.From != "" && (len(f.Branches) == 0 || slices.ContainsFunc(f.Branches, func(pattern string) bool {
		ok, err := path.Match(pattern, branch)
		return err == nil && ok
	}))
}

// Begin is when the freeze begins; a day begins at 00:00 UTC.
func (f Freeze) Begin() (time.Time, error) { return instant(f.From, 0) }

// End is when the freeze is over: with its last day, at 24:00 UTC. The zero
// time for one that goes on.
func (f Freeze) End() (time.Time, error) {
	if f.Until == "" {
		return time.Time{}, nil
	}
	return instant(f.Until, 1)
}

// instant reads an instant, or a day, counted to its start or its end.
func instant(text string, days int) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, days), nil
	}
	return time.Parse(time.RFC3339, text)
}

// defaultGates are those of a project that says nothing.
func defaultGates() Gates {
	return Gates{
		Runs: 1, Rehearsal: "required", Notes: "optional",
		Dashboards: BlockingBoards{Runs: 3},
		Blockers:   Blockers{Labels: []string{"tide/merge-blocker", "release-blocker"}},
	}
}

func (c *checker) gates(g Gates) {
	if g.Runs < 1 {
		c.fail(g.Lines.Of("runs"), "runs is %d: write 1 or more", g.Runs)
	}
	if g.Dashboards.Runs < 1 {
		c.fail(g.Dashboards.Lines.Of("runs"), "runs is %d: write 1 or more", g.Dashboards.Runs)
	}
	roles := map[string]bool{}
	for _, a := range g.Approvals {
		if a.Role == "" || len(a.Logins) == 0 {
			c.fail(a.Lines.Start, "an approval needs a role and at least one login: write both")
		}
		roles[strings.ToLower(a.Role)] = true
	}
	for _, role := range g.Waivers {
		if !roles[strings.ToLower(role)] {
			c.fail(g.Lines.Of("waivers"), "waivers names the role %q, which nobody has: add it to approvals with its logins", role)
		}
	}
	c.freeze(g.Freeze)
}

func (c *checker) freeze(f Freeze) {
	const form = "write a day, 2026-11-05, or an instant, 2026-11-05T18:00:00Z"
	if f.From == "" {
		if f.Until != "" || f.Label != "" {
			c.fail(f.Lines.Start, "a freeze without a beginning: write from")
		}
		return
	}
	from, err := f.Begin()
	if err != nil {
		c.fail(f.Lines.Of("from"), "from is %q: %s", f.From, form)
	}
	until, uerr := f.End()
	if uerr != nil {
		c.fail(f.Lines.Of("until"), "until is %q: %s", f.Until, form)
	}
	if err == nil && uerr == nil && !until.IsZero() && !until.After(from) {
		c.fail(f.Lines.Of("until"), "the freeze ends before it begins: write a later until")
	}
	for _, pattern := range f.Branches {
		if _, err := path.Match(pattern, ""); err != nil {
			c.fail(f.Lines.Of("branches"), "branch pattern %q: write one such as release-*", pattern)
		}
	}
}
