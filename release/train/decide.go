package train

import (
	"fmt"
	"slices"
	"time"

	"seaworthy/release"
)

// RunState is how far a stage or a cut has come.
type RunState string

// Run states; the zero value says that there is no run.
const (
	NoRun   RunState = ""
	Going   RunState = "going"
	Waiting RunState = "waiting" // for sign-offs
	Done    RunState = "done"
	Failed  RunState = "failed"
	Given   RunState = "given up" // a person ended it for good
)

// Run is a stage or a cut.
type Run struct {
	ID     string    `json:"id,omitempty"`
	State  RunState  `json:"state,omitempty"`
	Began  time.Time `json:"began,omitzero"`
	Commit string    `json:"commit,omitempty"` // that is staged
	Build  string    `json:"build,omitempty"`  // its build version, once staged
	// Step is where it failed, and Why what that step said.
	Step string `json:"step,omitempty"`
	Why  string `json:"why,omitempty"`
	Link string `json:"link,omitempty"`
}

// Attempt is a stage and the newest cut of what it staged.
type Attempt struct {
	Stage Run `json:"stage,omitzero"`
	Cut   Run `json:"cut,omitzero"`
}

// Outcome is what became of a departure.
type Outcome string

// Outcomes.
const (
	Opened  Outcome = "opened"  // it is on its way
	Out     Outcome = "out"     // it arrived
	Skipped Outcome = "skipped" // there was nothing to release
	Ended   Outcome = "ended"   // a person gave it up
)

// Log is what is remembered of a rule and a branch. All else is read from the
// journals of the runs.
type Log struct {
	// Rule is the rule that the log is about, as text: another one begins anew.
	Rule string `json:"rule"`
	// Since is when the rule was first seen: what departed before is history.
	Since time.Time `json:"since"`
	// Departure is the newest one that was dealt with.
	Departure time.Time `json:"departure,omitzero"`
	Outcome   Outcome   `json:"outcome,omitempty"`
	Why       string    `json:"why,omitempty"`
}

// Begin returns the log that a rule goes on with at a time: a log of another
// rule ends, unless a release is still on its way.
func (l Log) Begin(r Rule, now time.Time) Log {
	if l.Rule == r.String() {
		return l
	}
	next := Log{Rule: r.String(), Since: now}
	if l.Outcome == Opened {
		next.Departure, next.Outcome, next.Why = l.Departure, l.Outcome, l.Why
	}
	return next
}

// Facts are what is known of one branch.
type Facts struct {
	Now      time.Time
	Branch   string
	Tip      string // commit
	Version  string // that the next release would be
	Previous string // tag it follows; empty for the first release
	Commits  int    // since Previous; all of them without one
	// Refused says why the rules of numbering allow no such release.
	Refused string
	// Rehearsal is the newest mock stage of the branch, of anybody.
	Rehearsal Attempt
	// Real is the newest stage for real since the departure in the log, or,
	// without one in the log, one that is on its way.
	Real Attempt
	// RealRehearsal is the newest mock cut of what Real staged.
	RealRehearsal Run
	// Verdict judges what is staged for real, else the tip. The gate on the
	// rehearsal is left out of it: rehearsing is the train's own business.
	Verdict release.Verdict
	// NeedsRehearsal says that a mock cut of the very build must have succeeded.
	NeedsRehearsal bool
	// SignOffs are the roles that must approve the cut.
	SignOffs []string
	Log      Log
}

// Act is what is to be done now.
type Act string

// Acts.
const (
	Rest          Act = "rest"
	RehearseStage Act = "rehearse stage" // a mock stage of the tip
	RehearseCut   Act = "rehearse cut"   // a mock cut of what is staged
	Stage         Act = "stage"          // for real
	Publish       Act = "cut"            // for real
	Settle        Act = "settle"         // only write the log
)

// State is where a branch stands, in a word.
type State string

// States.
const (
	Nothing    State = "nothing"    // to release
	Ready      State = "ready"      // nothing would stop it
	Blocked    State = "blocked"    // something would, or does
	Unknown    State = "unknown"    // it has not been rehearsed yet
	Rehearsing State = "rehearsing" // just now
	Staging    State = "staging"
	Staged     State = "staged" // and waits for a person to cut it
	SigningOff State = "sign-off"
	Cutting    State = "cutting"
)

// Stop is one thing that would stop, or has stopped, a release.
type Stop struct {
	What string `json:"what"` // a gate or a step
	Why  string `json:"why"`
	Link string `json:"link,omitempty"`
}

// Decision is what is to be done for a branch, and where it stands.
type Decision struct {
	Act   Act
	Build string // to be cut
	State State
	Why   string // one sentence
	Stops []Stop
	// Log is to be written before Act is done, if it is not Facts.Log.
	Log Log
	// Next is the next departure; zero if there is none.
	Next time.Time
}

// Decide says what to do about one branch. It decides one thing at a time: ask
// again when that is done.
func Decide(r Rule, f Facts) Decision {
	d := decide(r, f)
	if at, ahead := latest(f); ahead && d.Act != Rest && d.Act != Settle {
		// What it began would seem older than what it follows, and be begun again.
		why := fmt.Sprintf("the clock of this server is behind: something happened at %s already", at.UTC().Format(time.RFC3339))
		d = Decision{Act: Rest, State: d.State, Why: why, Log: f.Log}
	}
	if next, ok := r.Calendar.Next(f.Now); ok {
		d.Next = next
	}
	return d
}

// latest returns the newest time that is known of, if it is yet to come: servers
// that share a database have clocks of their own.
func latest(f Facts) (at time.Time, ahead bool) {
	at = f.Log.Departure
	for _, run := range []Run{f.Rehearsal.Stage, f.Rehearsal.Cut, f.Real.Stage, f.Real.Cut, f.RealRehearsal} {
		if run.Began.After(at) {
			at = run.Began
		}
	}
	return at, f.Now.Before(at)
}

func decide(r Rule, f Facts) Decision {
	if f.Log.Outcome == Opened {
		return underWay(r, f)
	}
	if at, due := departure(r, f); due {
		switch {
		case f.Commits == 0 && f.Refused == "":
			log := f.Log
			log.Departure, log.Outcome, log.Why = at, Skipped, nothing(f)
			return Decision{Act: Settle, State: Nothing, Why: "the train of " + day(at) + " was passed over: " + log.Why, Log: log}
		case f.Refused != "":
			return Decision{Act: Rest, State: Blocked, Why: "the train of " + day(at) + " cannot depart: " + f.Refused,
				Stops: []Stop{{What: "version", Why: f.Refused}}, Log: f.Log}
		case byHand(f):
			return Decision{Act: Rest, State: Cutting, Why: "the train of " + day(at) + " waits: a person is releasing from this branch", Log: f.Log}
		case f.Rehearsal.Stage.State == Going || f.Rehearsal.Cut.State == Going:
			return Decision{Act: Rest, State: Rehearsing, Why: "the train of " + day(at) + " departs when the rehearsal is over", Log: f.Log}
		}
		log := f.Log
		log.Departure, log.Outcome, log.Why = at, Opened, ""
		f.Log = log
		return underWay(r, f)
	}
	return rehearsal(r, f)
}

// departure returns the newest departure if nobody has dealt with it.
func departure(r Rule, f Facts) (time.Time, bool) {
	if r.Auto == Rehearse {
		return time.Time{}, false
	}
	at, ok := r.Calendar.Last(f.Now)
	return at, ok && !at.Before(f.Log.Since) && at.After(f.Log.Departure)
}

// underWay goes on with a release whose day has come.
func underWay(r Rule, f Facts) Decision {
	d := Decision{Act: Rest, Log: f.Log}
	stage := f.Real.Stage
	switch stage.State {
	case NoRun:
		d.Act, d.State, d.Why = Stage, Staging, fmt.Sprintf("%s departs: it is staged", f.Version)
	case Going, Waiting:
		d.State, d.Why = Staging, f.Version+" is being staged"
	case Failed:
		d.State, d.Why, d.Stops = Blocked, "staging failed: mend it and resume the run", []Stop{stopOf(stage)}
	case Given:
		return settled(f, Ended, "staging was given up")
	default:
		return staged(r, f)
	}
	return d
}

// staged goes on with a release that is staged for real.
func staged(r Rule, f Facts) Decision {
	d := Decision{Act: Rest, Log: f.Log, Build: f.Real.Stage.Build}
	cut := f.Real.Cut
	switch cut.State {
	case NoRun:
		return uncut(r, f)
	case Waiting:
		d.State, d.Why = SigningOff, "it waits for sign-offs"
		d.Stops = []Stop{{What: "sign-off", Why: "waits for approval", Link: cut.Link}}
	case Going:
		d.State, d.Why = Cutting, "it is being cut"
	case Failed:
		d.State, d.Why, d.Stops = Blocked, "the cut failed: mend it and resume the run", []Stop{stopOf(cut)}
	case Given:
		return settled(f, Ended, "the cut was given up")
	default:
		return settled(f, Out, d.Build+" is out")
	}
	return d
}

// uncut decides whether what is staged may be cut by itself.
func uncut(r Rule, f Facts) Decision {
	d := Decision{Act: Rest, Log: f.Log, Build: f.Real.Stage.Build}
	if f.NeedsRehearsal {
		switch f.RealRehearsal.State {
		case NoRun, Given:
			d.Act, d.State, d.Why = RehearseCut, Rehearsing, "what is staged is rehearsed"
			return d
		case Going, Waiting:
			d.State, d.Why = Rehearsing, "what is staged is being rehearsed"
			return d
		case Failed:
			began := f.RealRehearsal.Began
			if began.Before(f.Real.Stage.Began) || began.Before(r.tonight(f.Now)) && !moved(f) {
				// What failed it may have been mended outside of the branch.
				d.Act, d.State, d.Why = RehearseCut, Rehearsing, "what is staged is rehearsed again"
				return d
			}
			return stopped(f, []Stop{stopOf(f.RealRehearsal)}, "the rehearsal of what is staged failed")
		}
	}
	if stops := stopsOf(f.Verdict); len(stops) > 0 {
		return stopped(f, stops, "the gates do not let it go")
	}
	if r.Auto == Open && len(f.SignOffs) == 0 {
		// Nobody is asked for an approval, so cutting is the approval.
		d.State, d.Why = Staged, "it is staged: cut it with seaworthy release cut --build-version "+d.Build+" --nomock"
		return d
	}
	d.Act, d.State, d.Why = Publish, Cutting, "it is cut"
	return d
}

// stopped waits while something stops a staged release. When the branch has
// moved on, which may have mended it, it is staged anew.
func stopped(f Facts, stops []Stop, why string) Decision {
	if moved(f) {
		return Decision{Act: Stage, State: Staging, Log: f.Log, Why: "the branch moved: it is staged anew"}
	}
	return Decision{Act: Rest, State: Blocked, Why: why, Stops: stops, Log: f.Log}
}

// moved reports whether the branch is no longer where it was staged for real.
func moved(f Facts) bool { return f.Tip != f.Real.Stage.Commit && f.Refused == "" }

// rehearsal finds out what would stop the next release.
func rehearsal(r Rule, f Facts) Decision {
	d := Decision{Act: Rest, Log: f.Log}
	stage, cut := f.Rehearsal.Stage, f.Rehearsal.Cut
	switch {
	case byHand(f):
		d.State, d.Why = Cutting, "a person is releasing from this branch"
	case f.Refused != "":
		d.State, d.Why, d.Stops = Blocked, f.Refused, []Stop{{What: "version", Why: f.Refused}}
	case f.Commits == 0:
		d.State, d.Why = Nothing, nothing(f)
	case stage.State == Going || cut.State == Going:
		d.State, d.Why = Rehearsing, f.Version+" is being rehearsed"
	case stage.State == Done && cut.State == NoRun && stage.Commit == f.Tip:
		d.Act, d.Build, d.State, d.Why = RehearseCut, stage.Build, Rehearsing, "the cut of "+f.Version+" is rehearsed"
	case rehearse(r, f):
		d.Act, d.State, d.Why = RehearseStage, Rehearsing, f.Version+" is rehearsed"
	default:
		return standing(f)
	}
	return d
}

// byHand reports whether a release that no train opened is on its way.
func byHand(f Facts) bool {
	return f.Real.Stage.State == Going || f.Real.Cut.State == Going || f.Real.Cut.State == Waiting
}

// freshFor is how long before the night's time a rehearsal may have begun and
// still count as the night's.
const freshFor = 12 * time.Hour

// rehearse reports whether tonight's rehearsal is due: the branch moved since
// the last, or that did not succeed, or was last night's.
func rehearse(r Rule, f Facts) bool {
	tonight := r.tonight(f.Now)
	last := f.Rehearsal.Stage
	if tonight.Before(f.Log.Since) || f.Rehearsal.Cut.Began.After(tonight) {
		return false
	}
	if last.State == NoRun {
		return true
	}
	good := last.State == Done && f.Rehearsal.Cut.State == Done && last.Commit == f.Tip
	if good {
		return last.Began.Before(tonight.Add(-freshFor))
	}
	return last.Began.Before(tonight)
}

// standing says what would stop the release of the tip, as far as is known.
func standing(f Facts) Decision {
	d := Decision{Act: Rest, Log: f.Log, State: Ready, Why: "nothing would stop " + f.Version}
	stage, cut := f.Rehearsal.Stage, f.Rehearsal.Cut
	for _, run := range []Run{stage, cut} {
		if run.State == Failed {
			d.Stops = append(d.Stops, stopOf(run))
		}
	}
	rehearsed := stage.State == Done && cut.State == Done
	d.Stops = append(d.Stops, stopsOf(f.Verdict)...)
	switch {
	case len(d.Stops) > 0:
		d.State, d.Why = Blocked, f.Version+" would be stopped"
	case !rehearsed:
		d.State, d.Why = Unknown, f.Version+" has not been rehearsed"
	case stage.Commit != f.Tip:
		d.State, d.Why = Unknown, "the branch moved since "+f.Version+" was rehearsed"
	}
	return d
}

func settled(f Facts, o Outcome, why string) Decision {
	log := f.Log
	log.Outcome, log.Why = o, why
	return Decision{Act: Settle, State: Nothing, Why: why, Log: log}
}

func stopOf(r Run) Stop { return Stop{What: r.Step, Why: r.Why, Link: r.Link} }

// stopsOf lists the gates that say no.
func stopsOf(v release.Verdict) []Stop {
	var stops []Stop
	for _, g := range v.Gates {
		if g.State == release.Go || g.State == release.Waived {
			continue
		}
		s := Stop{What: g.Name, Why: g.Why}
		if i := slices.IndexFunc(g.Evidence, func(e release.Evidence) bool { return e.Link != "" }); i >= 0 {
			s.Link = g.Evidence[i].Link
		}
		stops = append(stops, s)
	}
	return stops
}

func nothing(f Facts) string {
	if f.Previous == "" {
		return "there is no commit to release"
	}
	return "no commit since " + f.Previous
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }
