package release

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// GateState is where one gate of a release stands.
type GateState string

// Gate states. Unknown is no better than no-go: what nobody has measured does
// not let a release out.
const (
	Go      GateState = "go"
	NoGo    GateState = "nogo"
	Waived  GateState = "waived"
	Unknown GateState = "unknown"
)

// Evidence is one fact a gate was judged by.
type Evidence struct {
	What string    `json:"what"`
	Link string    `json:"link,omitempty"`
	At   time.Time `json:"at,omitzero"`
}

// Gate is one condition of a release.
type Gate struct {
	Name     string     `json:"name"`
	State    GateState  `json:"state"`
	Why      string     `json:"why"` // one sentence
	WaivedBy string     `json:"waived_by,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Verdict is the decision over all gates.
type Verdict struct {
	Go bool `json:"go"`
	// Reasons are what keeps the release back, or, when it may go, what was
	// waived for it.
	Reasons []string `json:"reasons,omitempty"`
	Gates   []Gate   `json:"gates"`
}

// Decide returns go if there is at least one gate and each is go or waived.
func Decide(gates []Gate) Verdict {
	v := Verdict{Go: len(gates) > 0, Gates: gates}
	if len(gates) == 0 {
		v.Reasons = []string{"no gate was evaluated"}
		return v
	}
	var waived []string
	for _, g := range gates {
		switch g.State {
		case Go:
		case Waived:
			waived = append(waived, fmt.Sprintf("%s: waived by %s: %s", g.Name, g.WaivedBy, g.Why))
		default:
			v.Go = false
			v.Reasons = append(v.Reasons, g.Name+": "+g.Why)
		}
	}
	if v.Go {
		v.Reasons = waived
	}
	return v
}

// Waive lets a gate pass in a person's name. A gate that is go stays go. What
// was wrong is kept as evidence; who and why must be said.
func Waive(g Gate, by, why string, at time.Time) (Gate, error) {
	by, why = strings.TrimSpace(by), strings.TrimSpace(why)
	if by == "" || why == "" {
		return g, fmt.Errorf("waiving gate %s: say who waives it and why", g.Name)
	}
	if g.State == Go {
		return g, nil
	}
	g.Evidence = append(slices.Clone(g.Evidence), Evidence{What: "waived; it was " + string(g.State) + ": " + g.Why, At: at})
	g.State, g.WaivedBy, g.Why = Waived, by, why
	return g, nil
}

// Tab is the summary of one tab of the test grid.
type Tab struct {
	Dashboard string    `json:"dashboard"`
	Name      string    `json:"name"`
	Status    string    `json:"status"`             // PASSING, FLAKY, FAILING, … as TestGrid spells it
	Blocking  bool      `json:"blocking,omitempty"` // does it hold a release back?
	Text      string    `json:"text,omitempty"`     // what the summary says
	Link      string    `json:"link,omitempty"`
	At        time.Time `json:"at,omitzero"`    // newest result
	Runs      []TabRun  `json:"runs,omitempty"` // results, the newest first
	// Doubt says why results, though green, tell nothing of today; empty if they do.
	Doubt string `json:"doubt,omitempty"`
}

// TabsGate judges the blocking tabs: passing and flaky ones are go. No blocking
// tab at all is unknown, as is one without a result.
func TabsGate(tabs []Tab) Gate {
	g := Gate{Name: "tests", State: Unknown, Why: "no blocking tab has a result"}
	var failing, unknown []string
	blocking := 0
	for _, t := range tabs {
		if !t.Blocking {
			continue
		}
		blocking++
		name := t.Dashboard + "#" + t.Name
		g.Evidence = append(g.Evidence, Evidence{What: strings.TrimSpace(name + " " + t.Status + " " + t.Text), Link: t.Link, At: t.At})
		switch strings.ToUpper(t.Status) {
		case "PASSING", "FLAKY", "ACCEPTABLE":
		case "FAILING", "BROKEN":
			failing = append(failing, name)
		default:
			unknown = append(unknown, name)
		}
	}
	switch {
	case len(failing) > 0:
		g.State, g.Why = NoGo, "failing: "+strings.Join(failing, ", ")
	case len(unknown) > 0:
		g.Why = "no usable result: " + strings.Join(unknown, ", ")
	case blocking > 0:
		g.State, g.Why = Go, count(blocking, "blocking tab")+" green"
	}
	return g
}

// Check is the newest result of one job on the very commit to be released.
type Check struct {
	Name     string    `json:"name"`
	State    string    `json:"state"` // success, failure, error, pending; anything else counts as missing
	Required bool      `json:"required,omitempty"`
	Link     string    `json:"link,omitempty"`
	At       time.Time `json:"at,omitzero"`
	// Get is the command that gets a missing result; empty if none is known.
	Get string `json:"get,omitempty"`
}

// ChecksGate judges the required results of the commit itself. Without any
// required one it is unknown.
func ChecksGate(commit string, checks []Check) Gate {
	g := Gate{Name: "checks", State: Unknown, Why: "nothing is required of commit " + short(commit)}
	var failing, waiting []string
	get := ""
	required := 0
	for _, c := range checks {
		if !c.Required {
			continue
		}
		required++
		state := c.State
		switch state {
		case "success":
		case "failure", "error":
			failing = append(failing, c.Name)
		default:
			if state == "" {
				state = "missing"
			}
			if state == "missing" {
				get = cmp.Or(get, c.Get)
			}
			waiting = append(waiting, c.Name+" ("+state+")")
		}
		g.Evidence = append(g.Evidence, Evidence{What: c.Name + " " + state + " on " + short(commit), Link: c.Link, At: c.At})
	}
	switch {
	case len(failing) > 0:
		g.State, g.Why = NoGo, "failed on "+short(commit)+": "+strings.Join(failing, ", ")
	case len(waiting) > 0:
		g.Why = "no result on " + short(commit) + " yet: " + strings.Join(waiting, ", ")
		if get != "" {
			g.Why += "; " + get + " gets it"
		}
	case required > 0:
		g.State, g.Why = Go, count(required, "required check")+" passed on "+short(commit)
	}
	return g
}

// Blocker is an open issue that holds the release back.
type Blocker struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	Link   string `json:"link,omitempty"`
}

// BlockersGate is go when no blocker is open. The caller must have looked: an
// answer that could not be had is UnknownGate.
func BlockersGate(open []Blocker) Gate {
	if len(open) == 0 {
		return Gate{Name: "blockers", State: Go, Why: "no open issue blocks the release"}
	}
	g := Gate{Name: "blockers", State: NoGo, Why: count(len(open), "open blocker")}
	for i, b := range open {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		g.Why += fmt.Sprintf("%s#%d", sep, b.Number)
		g.Evidence = append(g.Evidence, Evidence{What: fmt.Sprintf("#%d %s", b.Number, b.Title), Link: b.Link})
	}
	return g
}

// Rehearsal is the newest mock run of a release. The zero value: there is none.
type Rehearsal struct {
	Version Version   `json:"version,omitzero"`
	Commit  string    `json:"commit,omitempty"`
	State   string    `json:"state,omitempty"` // succeeded, failed, running
	Run     string    `json:"run,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Elsewhere is where one was made against that does not count, for the
	// release goes to another place; with no other field set.
	Elsewhere string `json:"elsewhere,omitempty"`
}

// RehearsalGate is go when the very version and commit were rehearsed to the end.
func RehearsalGate(r Rehearsal, want Version, commit string) Gate {
	g := Gate{Name: "rehearsal", State: NoGo}
	if r.Run == "" && r.State == "" {
		g.Why = want.String() + " has not been rehearsed"
		if r.Elsewhere != "" {
			g.Why += " for where it goes: it was for " + r.Elsewhere
		}
		return g
	}
	g.Evidence = []Evidence{{What: fmt.Sprintf("mock run %s of %s at %s: %s", r.Run, r.Version, short(r.Commit), r.State), At: r.At}}
	switch {
	case r.Version != want:
		g.Why = fmt.Sprintf("rehearsed was %s, not %s", r.Version, want)
	case r.Commit != commit || commit == "":
		g.Why = fmt.Sprintf("rehearsed was commit %s, not %s", short(r.Commit), short(commit))
	case r.State == "succeeded":
		g.State, g.Why = Go, fmt.Sprintf("%s was rehearsed at %s", want, short(commit))
	case r.State == "failed":
		g.Why = "the rehearsal failed"
	default:
		g.State, g.Why = Unknown, "the rehearsal is not over"
	}
	return g
}

// Approval is one person's word for a release.
type Approval struct {
	By      string
	Commit  string // what was approved; empty approves whatever the run is pinned to
	At      time.Time
	Comment string
}

// ApprovalsGate is go when enough different people of the allowed ones have
// approved the commit. Logins compare without case. An empty allowed list
// allows nobody; nobody is needed when need is zero.
func ApprovalsGate(given []Approval, need int, allowed []string, commit string) Gate {
	g := Gate{Name: "approvals", State: NoGo}
	var by []string
	for _, a := range given {
		same := func(login string) bool { return strings.EqualFold(login, a.By) }
		if a.Commit != "" && a.Commit != commit || !slices.ContainsFunc(allowed, same) || slices.ContainsFunc(by, same) {
			continue
		}
		by = append(by, a.By)
		g.Evidence = append(g.Evidence, Evidence{What: strings.TrimSpace("approved by " + a.By + " " + a.Comment), At: a.At})
	}
	if len(by) >= need {
		g.State, g.Why = Go, "approved by "+strings.Join(by, ", ")
		if len(by) == 0 {
			g.Why = "no approval is needed"
		}
		return g
	}
	g.Why = fmt.Sprintf("%d of %s given; may approve: %s", len(by), count(need, "approval"), strings.Join(allowed, ", "))
	return g
}

// UnknownGate is a gate whose facts could not be had.
func UnknownGate(name string, err error) Gate {
	return unknown(name, err.Error())
}

func short(commit string) string { return commit[:min(12, len(commit))] }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
