package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Color of a branch.
type Color string

// Colours.
const (
	Green  Color = "green"
	Yellow Color = "yellow"
	Red    Color = "red"
)

// Input is what a report is made of.
type Input struct {
	At    time.Time
	Tabs  []Tab
	Rules Rules
	// Issues are the open ones that may explain failures; IssuesUnknown says why
	// they could not be read, empty if they could.
	Issues        []Issue
	IssuesUnknown string
	// Ago is how far back the report compares; zero means a day.
	Ago time.Duration
}

// Reason is why a branch has its colour, or is not ready.
type Reason struct {
	Text      string  `json:"text"`
	Dashboard string  `json:"dashboard,omitempty"`
	Tab       string  `json:"tab,omitempty"`
	Link      string  `json:"link,omitempty"`
	Issues    []Issue `json:"issues,omitempty"`
}

// Cut says whether a release may be cut from a branch by its signal.
type Cut struct {
	Ready   bool     `json:"ready"`
	Reasons []Reason `json:"reasons"` // what is in the way, or what lets it pass
}

// Change is what became different since the report looked back.
type Change struct {
	Dashboard string `json:"dashboard"`
	Tab       string `json:"tab"`
	Link      string `json:"link,omitempty"`
	From      State  `json:"from"`
	To        State  `json:"to"`
	// Tests that began to fail again and again, and that no longer do.
	Failing []string `json:"failing,omitempty"`
	Mended  []string `json:"mended,omitempty"`
}

// Branch is the verdict on a branch.
type Branch struct {
	Project string `json:"project,omitempty"`
	Branch  string `json:"branch"`
	// Label names it among the branches of the report: with its project, if there
	// are several.
	Label  string `json:"label"`
	Age    int    `json:"age"` // 0 the default branch, 1 the newest release branch, and so on
	Color  Color  `json:"color"`
	Before Color  `json:"before"` // when the report looked back
	// Blocking and Informing are the worst of their jobs.
	Blocking  State    `json:"blocking"`
	Informing State    `json:"informing"`
	Reasons   []Reason `json:"reasons"`
	Cut       Cut      `json:"cut"`
	Changes   []Change `json:"changes"`
	Jobs      []Job    `json:"jobs"`
}

// Report is the verdict on every branch.
type Report struct {
	At    time.Time `json:"at"`
	Since time.Time `json:"since"` // what changes are counted from
	// Color is the worst of the branches'.
	Color    Color    `json:"color"`
	Branches []Branch `json:"branches"`
	// IssuesUnknown says why failures could not be explained by issues.
	IssuesUnknown string `json:"issues_unknown,omitempty"`
}

// Of judges every branch that a tab speaks of. The order of the tabs makes no
// difference.
func Of(in Input) Report {
	in.Ago = cmp.Or(in.Ago, 24*time.Hour)
	r := Report{At: in.At.UTC(), Since: in.At.Add(-in.Ago).UTC(), Branches: []Branch{}, IssuesUnknown: in.IssuesUnknown}
	type key struct{ project, branch string }
	byBranch, branches := map[key][]Tab{}, map[string][]string{}
	for _, t := range in.Tabs {
		k := key{t.Project, t.Branch}
		if byBranch[k] == nil {
			branches[t.Project] = append(branches[t.Project], t.Branch)
		}
		byBranch[k] = append(byBranch[k], t)
	}
	for _, project := range slices.Sorted(maps.Keys(branches)) {
		age := 1
		for _, name := range in.Rules.byNewest(branches[project]) {
			a := 0
			if name != in.Rules.DefaultBranch {
				a = age
				age++
			}
			b := in.branch(name, a, byBranch[key{project, name}])
			b.Project, b.Label = project, name
			if len(branches) > 1 {
				b.Label = strings.TrimSpace(project + " " + name)
			}
			r.Branches = append(r.Branches, b)
		}
	}
	var colors []Color
	for _, b := range r.Branches {
		colors = append(colors, b.Color)
	}
	r.Color = worst(colors)
	return r
}

// worst of no colour at all is yellow: nothing is known.
func worst(colors []Color) Color {
	for _, c := range []Color{Red, Yellow, Green} {
		if slices.Contains(colors, c) {
			return c
		}
	}
	return Yellow
}

func (in Input) branch(name string, age int, tabs []Tab) Branch {
	b := Branch{Branch: name, Age: age, Changes: []Change{}, Reasons: []Reason{}}
	slices.SortStableFunc(tabs, func(x, y Tab) int {
		return cmp.Or(order(!x.Blocking)-order(!y.Blocking), strings.Compare(x.Dashboard, y.Dashboard), strings.Compare(x.Name, y.Name))
	})
	since := in.At.Add(-in.Ago)
	var before []Job
	for _, t := range tabs {
		now := in.Rules.job(t, observe(t, t.Grid, in.At), in.At, age, in.Issues)
		old := t
		old.Grid = AsOf(t.Grid, since)
		was := in.Rules.job(old, observe(old, old.Grid, since), since, age, in.Issues)
		b.Jobs, before = append(b.Jobs, now), append(before, was)
		if c, ok := difference(was, now); ok {
			b.Changes = append(b.Changes, c)
		}
	}
	b.Color, b.Blocking, b.Informing = Judge(b.Jobs)
	b.Before, _, _ = Judge(before)
	b.Reasons = reasons(b)
	b.Cut = in.Rules.cut(b.Jobs)
	return b
}

// Judge gives a branch its colour by the handbook's table:
//
//	blocking  informing  signal
//	passing   passing    green
//	passing   flaky      green
//	flaky     passing    yellow
//	flaky     flaky      yellow
//	failing   any        red
//	any       failing    red
//
// An informing job whose failure somebody has tolerated, in an issue, counts as
// flaky. The table knows nothing of jobs without results: a blocking one makes
// the branch yellow, as does the lack of any; an informing one changes nothing.
func Judge(jobs []Job) (c Color, blocking, informing State) {
	blocking, informing = stateOf(jobs, true), stateOf(jobs, false)
	switch {
	case blocking == Failing || informing == Failing:
		return Red, blocking, informing
	case blocking == Flaky || blocking == Unknown:
		return Yellow, blocking, informing
	}
	return Green, blocking, informing
}

// stateOf is the worst of the blocking or of the informing jobs; with none of
// them, nothing is known.
func stateOf(jobs []Job, blocking bool) State {
	var states []State
	for _, j := range jobs {
		if j.Blocking != blocking {
			continue
		}
		s := j.State
		if !blocking && s == Failing && j.Tolerated {
			s = Flaky
		}
		states = append(states, s)
	}
	worst := []State{Failing, Flaky, Unknown, Passing}
	if !blocking { // one informing job without results hides nothing
		worst = []State{Failing, Flaky, Passing}
	}
	for _, s := range worst {
		if slices.Contains(states, s) {
			return s
		}
	}
	return Unknown
}

// reasons names what made the colour, blocking jobs first.
func reasons(b Branch) []Reason {
	out := []Reason{}
	blocking := false
	for _, j := range b.Jobs {
		blocking = blocking || j.Blocking
		if j.State == Passing || !j.Blocking && j.State == Unknown {
			continue
		}
		kind := "informing"
		if j.Blocking {
			kind = "blocking"
		}
		text := fmt.Sprintf("%s job %s is %s: %s", kind, j.Tab, j.State, j.Why)
		switch {
		case !j.Blocking && j.State == Failing && j.Tolerated:
			text += "; tolerated"
		case !j.Blocking && j.State == Failing && len(j.Issues) == 0:
			text += "; no issue explains it"
		case !j.Blocking && j.State == Flaky:
			text += "; that changes nothing"
		}
		out = append(out, Reason{Text: text, Dashboard: j.Dashboard, Tab: j.Tab, Link: j.Link, Issues: j.Issues})
	}
	switch {
	case !blocking:
		out = append([]Reason{{Text: "no blocking job speaks of this branch"}}, out...)
	case b.Color == Green && len(out) == 0:
		out = append(out, Reason{Text: "every blocking job passes"})
	}
	return out
}

// cut asks for the newest runs of every blocking job to be green, and that no
// informing job fails without somebody having tolerated it. A job with a
// tolerated issue holds nothing back.
func (r Rules) cut(jobs []Job) Cut {
	c := Cut{Ready: true, Reasons: []Reason{}}
	stop := func(j Job, format string, args ...any) {
		reason := Reason{Text: fmt.Sprintf(format, args...), Dashboard: j.Dashboard, Tab: j.Tab, Link: j.Link, Issues: j.Issues}
		if j.Tolerated {
			reason.Text += "; tolerated"
		} else {
			c.Ready = false
		}
		c.Reasons = append(c.Reasons, reason)
	}
	blocking := false
	for _, j := range jobs {
		blocking = blocking || j.Blocking
		switch {
		case j.Blocking && j.Greens < r.Greens:
			of := ""
			if r.SameCommit {
				of = " of one commit"
			}
			stop(j, "%s: %d of the %d newest runs%s in a row were green", j.Tab, j.Greens, r.Greens, of)
		case j.Blocking && j.State == Unknown:
			stop(j, "%s: %s", j.Tab, j.Why)
		case !j.Blocking && j.State == Failing:
			stop(j, "%s, informing, fails: %s", j.Tab, j.Why)
		}
	}
	if !blocking {
		c.Ready = false
		c.Reasons = append(c.Reasons, Reason{Text: "no blocking job speaks of this branch"})
	}
	if c.Ready && len(c.Reasons) == 0 {
		c.Reasons = append(c.Reasons, Reason{Text: fmt.Sprintf("every blocking job was green %d times in a row", r.Greens)})
	}
	return c
}

// difference between a job then and now; false if there is none worth telling.
func difference(was, now Job) (Change, bool) {
	c := Change{Dashboard: now.Dashboard, Tab: now.Tab, Link: now.Link, From: was.State, To: now.State}
	c.Failing, c.Mended = missing(now, was), missing(was, now)
	return c, c.From != c.To || len(c.Failing) > 0 || len(c.Mended) > 0
}

// missing lists the failing tests of a that do not fail in b; the build as a
// whole only where no test does.
func missing(a, b Job) []string {
	var out, whole []string
	for _, f := range a.Failures {
		if f.State == Failing && !slices.ContainsFunc(b.Failures, func(o Failure) bool { return o.Test == f.Test && o.State == Failing }) {
			if isOverall(f.Test) {
				whole = append(whole, f.Test)
			} else {
				out = append(out, f.Test)
			}
		}
	}
	if len(out) == 0 {
		return whole
	}
	return out
}
