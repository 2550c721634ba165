package merge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"seaworthy/forge"
)

// Pool is everything that decides what happens next on one branch.
type Pool struct {
	Repo   forge.RepoName
	Branch string
	// Tip is the commit the branch points at.
	Tip     string
	Members []Candidate // open pull requests against the branch
	// Batches are the recent ones, on this tip and on earlier ones. Where
	// nobody can run batches, Policy.Batch is 0.
	Batches []Batch
	Issues  []forge.Issue
	Policy  Policy
	// Paused says who paused the branch and why; empty when it runs.
	Paused string
}

// ActionKind is what a queue does.
type ActionKind string

// Actions. Those that merge or start change the world.
const (
	ActIdle       ActionKind = "idle"        // nothing is ready
	ActPaused     ActionKind = "paused"      // a person said stop
	ActBlocked    ActionKind = "blocked"     // an issue says stop
	ActMerge      ActionKind = "merge"       // one change that is green on the tip
	ActStart      ActionKind = "start"       // one change's missing jobs, on the tip
	ActMergeBatch ActionKind = "merge-batch" // changes that are green together on the tip
	ActStartBatch ActionKind = "start-batch" // the jobs of several changes together, on the tip
	ActWait       ActionKind = "wait"        // for jobs under way
)

// Action is the next step of a queue, with its reason.
type Action struct {
	Kind ActionKind
	// Number is the pull request it is about; 0 for none.
	Number int
	// HeadSHA and BaseSHA are the commits the decision rests on: an action
	// is void when either has moved.
	HeadSHA string
	BaseSHA string
	Method  forge.MergeMethod // for ActMerge
	Jobs    []RequiredJob     // for ActStart and ActStartBatch
	Batch   []BatchMember     // the changes, where the action is about several
	Reason  string            // one sentence for a person
}

// Decide says what the queue does next. In this order: a person's pause, a
// blocking issue, merging a batch that is green on the tip, waiting for one
// that is tested there, merging one change that is green on the tip, starting
// a batch, waiting for a change whose jobs run, starting the jobs that one
// change lacks. Changes with a blocker that the queue cannot remove take no
// part, so that none of them ever holds up the others.
func Decide(p Pool) Action {
	if p.Paused != "" {
		return p.act(ActPaused, "The queue of %s is paused: %s", p.Branch, sentence(p.Paused))
	}
	for _, i := range p.Issues {
		if blocks(i, p.Branch) {
			a := p.act(ActBlocked, "Issue #%d blocks merging into %s: %s", i.Number, p.Branch, sentence(i.Title))
			a.Number = i.Number
			return a
		}
	}
	ready := p.Ready()
	if len(ready) == 0 {
		return p.act(ActIdle, "No pull request against %s is ready to merge.", p.Branch)
	}
	one := decideOne(p, ready)
	if a, ok := decideBatch(p, ready, one); ok {
		return a
	}
	return one
}

// act begins an action that rests on the pool's tip.
func (p Pool) act(kind ActionKind, format string, args ...any) Action {
	return Action{Kind: kind, BaseSHA: p.Tip, Reason: fmt.Sprintf(format, args...)}
}

// about begins an action on one change.
func (p Pool) about(c Candidate, kind ActionKind, format string, args ...any) Action {
	a := p.act(kind, format, args...)
	a.Number, a.HeadSHA = c.PR.Number, c.PR.Head.SHA
	return a
}

// decideOne serves ready changes one by one.
func decideOne(p Pool, ready []Candidate) Action {
	var running, lacking *Candidate
	for _, c := range ready {
		switch jobs, pending := outstanding(c, p.Tip); {
		case len(jobs) == 0 && len(pending) == 0:
			a := p.about(c, ActMerge, "#%d is green on %s at %s.", c.PR.Number, p.Branch, short(p.Tip))
			a.Method = p.Policy.MethodFor(c.PR)
			return a
		case len(jobs) == 0 && running == nil:
			running = &c
		case len(jobs) > 0 && lacking == nil:
			lacking = &c
		}
	}
	if running != nil {
		_, pending := outstanding(*running, p.Tip)
		return p.about(*running, ActWait, "Waiting for %s on #%d.", list(pending), running.PR.Number)
	}
	jobs, _ := outstanding(*lacking, p.Tip)
	a := p.about(*lacking, ActStart, "#%d needs %s on %s at %s.", lacking.PR.Number, list(contexts(jobs)), p.Branch, short(p.Tip))
	a.Jobs = jobs
	return a
}

// Ready lists the members that nothing blocks but runs the queue sees to, in
// the order in which they are served: priority, then number.
func (p Pool) Ready() []Candidate {
	var out []Candidate
	for _, c := range p.Members {
		if !slices.ContainsFunc(Why(c, p.Policy, p.Tip), func(b Blocker) bool { return !b.Transient() }) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(p.Policy.rank(a.PR), p.Policy.rank(b.PR)), cmp.Compare(a.PR.Number, b.PR.Number))
	})
	return out
}

// outstanding returns the jobs that must be started for the candidate, and the
// contexts of those under way.
func outstanding(c Candidate, tip string) (start []RequiredJob, pending []string) {
	for _, k := range c.Requirements.Evaluate(c.Results, tip) {
		switch {
		case k.Job == "":
		case k.Verdict == Missing || k.Verdict == Stale:
			start = append(start, RequiredJob{Name: k.Job, Context: k.Context})
		case k.Verdict == Pending:
			pending = append(pending, k.Context)
		}
	}
	return start, pending
}

func contexts(jobs []RequiredJob) []string {
	out := make([]string, len(jobs))
	for i, j := range jobs {
		out[i] = j.Context
	}
	return out
}

// Standing is where one pull request stands in its pool.
type Standing struct {
	Number int
	// Place in the order of service, from 1; 0 when it is not ready.
	Place    int
	Blockers []Blocker
	// Text is one sentence: what happens next, or what is in the way.
	Text string
	// Ready: nothing blocks it but runs the queue sees to.
	Ready bool
}

// Standings explains every member's position, given what the queue does next.
// They come in the order of service, then blocked ones by number.
func (p Pool) Standings(next Action) []Standing {
	var out []Standing
	placed := map[int]bool{}
	for i, c := range p.Ready() {
		placed[c.PR.Number] = true
		s := Standing{Number: c.PR.Number, Place: i + 1, Ready: true, Blockers: Why(c, p.Policy, p.Tip)}
		s.Text = p.prospect(c.PR.Number, i+1, next)
		out = append(out, s)
	}
	blocked := slices.Clone(p.Members)
	slices.SortStableFunc(blocked, func(a, b Candidate) int { return cmp.Compare(a.PR.Number, b.PR.Number) })
	for _, c := range blocked {
		if placed[c.PR.Number] {
			continue
		}
		s := Standing{Number: c.PR.Number, Blockers: Why(c, p.Policy, p.Tip)}
		s.Text = summary(s.Blockers)
		out = append(out, s)
	}
	return out
}

// prospect says what awaits a ready member that is at a place in the order.
func (p Pool) prospect(number, place int, next Action) string {
	inBatch := slices.ContainsFunc(next.Batch, func(m BatchMember) bool { return m.Number == number })
	switch {
	case next.Kind == ActPaused, next.Kind == ActBlocked:
		return next.Reason
	case inBatch && next.Kind == ActMergeBatch, next.Number == number && next.Kind == ActMerge:
		return "Merging now."
	case next.Number == number && next.Kind == ActStart:
		return fmt.Sprintf("Testing on the tip of %s: %s.", p.Branch, list(contexts(next.Jobs)))
	case inBatch, next.Number == number:
		return next.Reason
	case len(next.Batch) > 0:
		return fmt.Sprintf("In the queue, number %d; %s go first.", place, names(next.Batch))
	}
	return fmt.Sprintf("In the queue, number %d; #%d goes first.", place, next.Number)
}

// summary says in one sentence what is in the way: everything about labels in
// one breath, or the first other blocker.
func summary(bs []Blocker) string {
	var need, drop []string
	for _, b := range bs {
		switch {
		case b.Kind != BlockedByLabel:
		case strings.HasPrefix(b.Sentence, "It needs"):
			need = append(need, b.Subject)
		default:
			drop = append(drop, b.Subject)
		}
	}
	var parts []string
	for _, b := range bs {
		if b.Kind != BlockedByLabel && !b.Transient() {
			parts = append(parts, b.Sentence)
			break
		}
	}
	if len(need) > 0 {
		parts = append(parts, "Needs "+list(need)+".")
	}
	if len(drop) > 0 {
		parts = append(parts, "Must lose "+list(drop)+".")
	}
	return strings.Join(parts, " ")
}

// list joins names as a person would: "a", "a and b", "a, b and c".
func list(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// short gives the form of a commit that people read.
func short(sha string) string {
	if len(sha) > 12 {
		return sha[:12]
	}
	return sha
}
