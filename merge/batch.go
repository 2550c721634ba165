package merge

import (
	"fmt"
	"slices"
	"strings"
)

// Batch is a set of changes that were merged together onto one tip and tested
// there as one.
type Batch struct {
	BaseSHA string
	Members []BatchMember // in the order in which they were merged
	State   Verdict       // Green, Pending or Failed
}

// BatchMember is one change of a batch, as it was tested.
type BatchMember struct {
	Number  int
	HeadSHA string
}

// convicts reports whether the batch's failure says that the given changes
// would fail too: whatever of it is still open is among them, as it was
// tested. What merged meanwhile was not to blame.
func (b Batch) convicts(members []BatchMember, open []Candidate) bool {
	left := 0
	for _, m := range b.Members {
		switch {
		case slices.Contains(members, m):
			left++
		case slices.ContainsFunc(open, func(c Candidate) bool { return c.PR.Number == m.Number }):
			return false // it may have been this one
		}
	}
	return b.State == Failed && left > 0
}

// eligible reports whether the batch's result still speaks for what would
// merge: same tip, and every member ready at the head that was tested.
func (b Batch) eligible(ready []Candidate, tip string) bool {
	if b.BaseSHA != tip || len(b.Members) == 0 {
		return false
	}
	for _, m := range b.Members {
		if !slices.ContainsFunc(ready, func(c Candidate) bool { return c.PR.Number == m.Number && c.PR.Head.SHA == m.HeadSHA }) {
			return false
		}
	}
	return true
}

// decideBatch says what to do about batches; ok is false when they have no say.
// A green batch merges; one under way is waited for; else the next is started,
// unless one change by itself merges or is being tested.
func decideBatch(p Pool, ready []Candidate, one Action) (a Action, ok bool) {
	if p.Policy.Batch < 2 {
		return Action{}, false
	}
	for _, b := range p.Batches {
		if b.State == Green && b.eligible(ready, p.Tip) {
			a = p.act(ActMergeBatch, "%s are green together on %s at %s.", names(b.Members), p.Branch, short(p.Tip))
			a.Batch = b.Members
			return a, true
		}
	}
	for _, b := range p.Batches {
		if b.State == Pending && b.eligible(ready, p.Tip) {
			a = p.act(ActWait, "Waiting for the tests of %s together.", names(b.Members))
			a.Batch = b.Members
			return a, true
		}
	}
	if one.Kind != ActStart {
		return Action{}, false
	}
	next := nextBatch(p, ready)
	if len(next) < 2 {
		return Action{}, false
	}
	a = p.act(ActStartBatch, "%s are tested together on %s at %s.", names(next), p.Branch, short(p.Tip))
	a.Batch, a.Jobs = next, p.batchJobs(next)
	return a, true
}

// nextBatch takes the first changes in the order of service, as many as the
// policy allows. A set that a failed batch convicts is halved until it is not,
// so that a change that breaks the others is found in a logarithmic number of
// runs. One change alone is no batch: it is tested by itself, fails by itself,
// and leaves the pool.
//
// A change whose own jobs never ran is not taken: the forge may demand their
// results of each head by itself.
func nextBatch(p Pool, ready []Candidate) []BatchMember {
	var members []BatchMember
	for _, c := range ready {
		checks := c.Requirements.Evaluate(c.Results, p.Tip)
		never := slices.ContainsFunc(checks, func(k Check) bool { return k.Verdict == Missing })
		if !never && len(members) < p.Policy.Batch {
			members = append(members, BatchMember{Number: c.PR.Number, HeadSHA: c.PR.Head.SHA})
		}
	}
	for len(members) > 1 && slices.ContainsFunc(p.Batches, func(b Batch) bool { return b.convicts(members, p.Members) }) {
		members = members[:len(members)/2]
	}
	return members
}

// batchJobs are the jobs that any member of the batch requires, each once.
func (p Pool) batchJobs(members []BatchMember) []RequiredJob {
	var jobs []RequiredJob
	for _, c := range p.Members {
		if !slices.ContainsFunc(members, func(m BatchMember) bool { return m.Number == c.PR.Number }) {
			continue
		}
		for _, j := range c.Requirements.Jobs {
			if !slices.Contains(jobs, j) {
				jobs = append(jobs, j)
			}
		}
	}
	slices.SortFunc(jobs, func(a, b RequiredJob) int { return strings.Compare(a.Name, b.Name) })
	return jobs
}

// names joins a batch's numbers for a sentence.
func names(members []BatchMember) string {
	out := make([]string, len(members))
	for i, m := range members {
		out[i] = fmt.Sprintf("#%d", m.Number)
	}
	return list(out)
}
