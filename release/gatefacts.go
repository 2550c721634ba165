package release

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Facts are everything a release is judged by, and nothing else: the same facts
// always give the same verdict, so that one that was stored can be checked. A
// part that is nil is not asked for.
type Facts struct {
	Repo    string    `json:"repo"` // OWNER/NAME
	Branch  string    `json:"branch"`
	Version string    `json:"version"`
	Commit  string    `json:"commit"`
	At      time.Time `json:"at"` // when it was judged

	Dashboards *BoardFacts          `json:"dashboards,omitempty"`
	Checks     *Found[Check]        `json:"checks,omitempty"`
	Blockers   *Found[Blocker]      `json:"blockers,omitempty"`
	Exceptions *Found[Blocker]      `json:"exceptions,omitempty"`
	Notes      *Found[MergedChange] `json:"notes,omitempty"`
	Freeze     *FreezeFacts         `json:"freeze,omitempty"`
	Rehearsal  *RehearsalFacts      `json:"rehearsal,omitempty"`
	SignOffs   *SignOffFacts        `json:"sign_offs,omitempty"`
	Waivers    []Waiver             `json:"waivers,omitempty"`
	// Given are gates that somebody else has judged.
	Given []Gate `json:"given,omitempty"`
}

// Found is what was found where a gate looked, or why nothing could be.
type Found[T any] struct {
	Facts   []T    `json:"facts"`
	Failure string `json:"failure,omitempty"`
}

// Look is Found as a function returned it.
func Look[T any](facts []T, err error) *Found[T] {
	if err != nil {
		return &Found[T]{Failure: err.Error()}
	}
	return &Found[T]{Facts: facts}
}

// BoardFacts are the tabs of the dashboards that hold a release back.
type BoardFacts struct {
	Names   []string `json:"names"` // of the dashboards
	Runs    int      `json:"runs"`  // green results that are wanted in a row
	Tabs    []Tab    `json:"tabs"`
	Failure string   `json:"failure,omitempty"`
}

// TabRun is one result of a tab.
type TabRun struct {
	Build  string    `json:"build"`
	Green  bool      `json:"green"`
	Commit string    `json:"commit,omitempty"`
	Link   string    `json:"link,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// MergedChange is a change that a release brings.
type MergedChange struct {
	Number   int       `json:"number"`
	Title    string    `json:"title"`
	Link     string    `json:"link,omitempty"`
	MergedAt time.Time `json:"merged_at,omitzero"`
	Labels   []string  `json:"labels,omitempty"`
	// NoteMissing says what is wrong with the release note; empty if there is
	// one, or a word that none is needed.
	NoteMissing string `json:"note_missing,omitempty"`
}

// FreezeFacts are a freeze and what was merged in it.
type FreezeFacts struct {
	From    time.Time      `json:"from"`
	Until   time.Time      `json:"until,omitzero"` // zero: until further notice
	Label   string         `json:"label,omitempty"`
	Merged  []MergedChange `json:"merged,omitempty"` // since From
	Failure string         `json:"failure,omitempty"`
}

// RehearsalFacts are the newest mock run, and what it is compared with.
type RehearsalFacts struct {
	Found Rehearsal `json:"found"`
	Want  Version   `json:"want"`
}

// SignOff is a person's word, in a role, for a commit.
type SignOff struct {
	Role   string    `json:"role"`
	By     string    `json:"by"`
	Commit string    `json:"commit"`
	Why    string    `json:"why,omitempty"`
	At     time.Time `json:"at"`
}

// SignOffFacts are the roles that must sign off, and who has.
type SignOffFacts struct {
	Roles   []string  `json:"roles"`
	Given   []SignOff `json:"given,omitempty"`
	Failure string    `json:"failure,omitempty"`
}

// Verdict judges the facts.
func (f Facts) Verdict() Verdict {
	var gates []Gate
	if f.Dashboards != nil {
		gates = append(gates, f.Dashboards.gate())
	}
	if f.Checks != nil {
		gates = append(gates, judged("checks", f.Checks, func(c []Check) Gate { return ChecksGate(f.Commit, c) }))
	}
	if f.Blockers != nil {
		gates = append(gates, judged("blockers", f.Blockers, BlockersGate))
	}
	if f.Exceptions != nil {
		gates = append(gates, judged("exceptions", f.Exceptions, ExceptionsGate))
	}
	if f.Notes != nil {
		gates = append(gates, judged("notes", f.Notes, NotesGate))
	}
	if f.Freeze != nil {
		gates = append(gates, f.Freeze.gate(f.At))
	}
	gates = append(gates, f.Given...)
	if f.Rehearsal != nil {
		gates = append(gates, RehearsalGate(f.Rehearsal.Found, f.Rehearsal.Want, f.Commit))
	}
	if f.SignOffs != nil {
		gates = append(gates, f.SignOffs.gate(f.Commit))
	}
	for i := range gates {
		gates[i] = f.waive(gates[i])
	}
	return Decide(gates)
}

// judged is a gate, or one that is unknown because nobody could look.
func judged[T any](name string, found *Found[T], judge func([]T) Gate) Gate {
	if found.Failure != "" {
		return unknown(name, found.Failure)
	}
	return judge(found.Facts)
}

func unknown(name, failure string) Gate {
	return Gate{Name: name, State: Unknown, Why: "could not be judged: " + failure}
}

// gate is go when each tab of each dashboard has as many green results in a row
// as are wanted, the newest first. A dashboard without a tab is unknown.
func (b BoardFacts) gate() Gate {
	const name = "dashboards"
	if b.Failure != "" {
		return unknown(name, b.Failure)
	}
	g := Gate{Name: name, State: Unknown}
	var red, missing, doubts []string
	seen := map[string]bool{}
	for _, t := range b.Tabs {
		tab := t.Dashboard + "#" + t.Name
		seen[t.Dashboard] = true
		green, said := 0, Evidence{What: tab + " has no result"}
		for i, r := range t.Runs {
			if i == 0 {
				said = Evidence{What: strings.TrimSpace(tab + " " + t.Status), Link: r.Link, At: r.At}
			}
			if !r.Green {
				break
			}
			green++
		}
		said.What += fmt.Sprintf(": green %d of %d times", min(green, b.Runs), b.Runs)
		g.Evidence = append(g.Evidence, said)
		switch {
		case green >= b.Runs && t.Doubt != "":
			doubts = append(doubts, tab+": "+t.Doubt)
		case green >= b.Runs:
		case len(t.Runs) > green && green < b.Runs:
			red = append(red, fmt.Sprintf("%s (green %d of %d times)", tab, green, b.Runs))
		default:
			missing = append(missing, fmt.Sprintf("%s (%s)", tab, count(len(t.Runs), "result")))
		}
	}
	for _, name := range b.Names {
		if !seen[name] {
			missing = append(missing, name+" (no tab shows there)")
		}
	}
	switch {
	case len(red) > 0:
		g.State, g.Why = NoGo, "not green: "+strings.Join(red, ", ")
	case len(missing) > 0 || len(b.Tabs) == 0:
		g.Why = fmt.Sprintf("fewer than %s: %s", count(b.Runs, "result"), strings.Join(missing, ", "))
	case len(doubts) > 0:
		g.Why = "no news: " + strings.Join(doubts, "; ")
	default:
		g.State, g.Why = Go, fmt.Sprintf("%s green %s in a row", count(len(b.Tabs), "blocking tab"), count(b.Runs, "time"))
	}
	return g
}

// ExceptionsGate is go when no exception is left to be decided on.
func ExceptionsGate(open []Blocker) Gate {
	g := BlockersGate(open)
	g.Name = "exceptions"
	if g.Why = "no exception is open"; len(open) > 0 {
		g.Why = count(len(open), "exception") + " to be settled: " + numbers(open)
	}
	return g
}

func numbers(open []Blocker) string {
	all := make([]string, len(open))
	for i, b := range open {
		all[i] = fmt.Sprintf("#%d", b.Number)
	}
	return strings.Join(all, ", ")
}

// NotesGate is go when every change that the release brings has its release
// note, or the word that it needs none.
func NotesGate(merged []MergedChange) Gate {
	g := Gate{Name: "notes", State: Go, Why: count(len(merged), "change") + " with release notes"}
	var without []string
	for _, c := range merged {
		if c.NoteMissing == "" {
			continue
		}
		without = append(without, fmt.Sprintf("#%d", c.Number))
		g.Evidence = append(g.Evidence, Evidence{What: fmt.Sprintf("#%d %s: %s", c.Number, c.Title, c.NoteMissing), Link: c.Link, At: c.MergedAt})
	}
	if len(without) > 0 {
		g.State = NoGo
		g.Why = fmt.Sprintf("%d of %s without a release note: %s", len(without), count(len(merged), "change"), strings.Join(without, ", "))
	}
	return g
}

// gate is go while the freeze is in force and nothing was merged in it but what
// its label excepts.
func (f FreezeFacts) gate(now time.Time) Gate {
	const name = "freeze"
	const form = "2006-01-02 15:04 UTC"
	g := Gate{Name: name, State: NoGo, Evidence: []Evidence{{What: "freeze from " + f.From.UTC().Format(form), At: f.From}}}
	if !f.Until.IsZero() {
		g.Evidence[0].What += " until " + f.Until.UTC().Format(form)
	}
	switch {
	case now.Before(f.From):
		g.Why = "the freeze begins at " + f.From.UTC().Format(form)
		return g
	case !f.Until.IsZero() && !now.Before(f.Until):
		g.Why = "the freeze was over at " + f.Until.UTC().Format(form)
		return g
	case f.Failure != "":
		return unknown(name, f.Failure)
	}
	var without []string
	for _, c := range f.Merged {
		if f.Label == "" || c.MergedAt.Before(f.From) {
			continue
		}
		said := "excepted"
		if !slices.ContainsFunc(c.Labels, func(l string) bool { return strings.EqualFold(l, f.Label) }) {
			without = append(without, fmt.Sprintf("#%d", c.Number))
			said = "merged without " + f.Label
		}
		g.Evidence = append(g.Evidence, Evidence{What: fmt.Sprintf("#%d %s: %s", c.Number, c.Title, said), Link: c.Link, At: c.MergedAt})
	}
	if len(without) > 0 {
		g.Why = fmt.Sprintf("merged in the freeze without %s: %s", f.Label, strings.Join(without, ", "))
		return g
	}
	g.State, g.Why = Go, "the freeze is in force"
	return g
}

// gate is go when somebody has signed off the commit in each role.
func (s SignOffFacts) gate(commit string) Gate {
	const name = "sign-off"
	if s.Failure != "" {
		return unknown(name, s.Failure)
	}
	g := Gate{Name: name, State: NoGo}
	var open []string
	for _, role := range s.Roles {
		i := slices.IndexFunc(s.Given, func(o SignOff) bool { return strings.EqualFold(o.Role, role) && o.Commit == commit })
		if i < 0 {
			open = append(open, role)
			continue
		}
		o := s.Given[i]
		g.Evidence = append(g.Evidence, Evidence{What: strings.TrimSpace(fmt.Sprintf("%s as %s on %s %s", o.By, o.Role, short(o.Commit), o.Why)), At: o.At})
	}
	if len(open) > 0 {
		g.Why = "not signed off at " + short(commit) + " by: " + strings.Join(open, ", ")
		return g
	}
	g.State, g.Why = Go, "signed off by "+strings.Join(s.Roles, ", ")
	return g
}

// Left are the roles that have not signed a commit off, in their order.
func (s SignOffFacts) Left(commit string) []string {
	var left []string
	for _, role := range s.Roles {
		if !slices.ContainsFunc(s.Given, func(o SignOff) bool { return strings.EqualFold(o.Role, role) && o.Commit == commit }) {
			left = append(left, role)
		}
	}
	return left
}

// Waiver lets one gate of a branch or a version pass until a time, in a
// person's name.
type Waiver struct {
	Gate    string    `json:"gate"`
	Branch  string    `json:"branch,omitempty"`  // exactly one of the two
	Version string    `json:"version,omitempty"` // with its prefix
	By      string    `json:"by"`
	Role    string    `json:"role"`
	Why     string    `json:"why"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
}

// Gates are the names of all gates that may be waived. Sign-off is none of
// them: nobody takes the place of a person whose word is asked for.
func Gates() []string {
	return []string{"dashboards", "checks", "blockers", "exceptions", "notes", "freeze", "rehearsal"}
}

// Validate reports what a waiver lacks. It must end after it begins.
func (w Waiver) Validate() error {
	switch {
	case !slices.Contains(Gates(), w.Gate):
		return fmt.Errorf("there is no gate %q that may be waived: write one of %s", w.Gate, strings.Join(Gates(), ", "))
	case w.By == "" || strings.TrimSpace(w.Why) == "":
		return fmt.Errorf("waiving %s: say who waives it and why", w.Gate)
	case (w.Branch == "") == (w.Version == ""):
		return fmt.Errorf("waiving %s: say for which branch or for which version, one of the two", w.Gate)
	case !w.Until.After(w.From):
		return fmt.Errorf("waiving %s: a waiver until %s is over already: say a later time", w.Gate, w.Until.UTC().Format(time.RFC3339))
	}
	return nil
}

// Covers reports whether the waiver is about a release at a time.
func (w Waiver) Covers(gate, branch, version string, at time.Time) bool {
	return w.Gate == gate && !at.Before(w.From) && at.Before(w.Until) &&
		(w.Branch != "" && w.Branch == branch || w.Version != "" && w.Version == version)
}

// waive applies the waiver that lasts longest.
func (f Facts) waive(g Gate) Gate {
	var all []Waiver
	for _, w := range f.Waivers {
		if w.Validate() == nil && w.Covers(g.Name, f.Branch, f.Version, f.At) {
			all = append(all, w)
		}
	}
	if len(all) == 0 {
		return g
	}
	w := slices.MaxFunc(all, func(a, b Waiver) int { return cmp.Compare(a.Until.UnixNano(), b.Until.UnixNano()) })
	by := w.By
	if w.Role != "" {
		by += " as " + w.Role
	}
	waived, err := Waive(g, by, fmt.Sprintf("%s (until %s)", w.Why, w.Until.UTC().Format("2006-01-02 15:04 UTC")), w.From)
	if err != nil {
		return g // Validate has seen to it
	}
	return waived
}
