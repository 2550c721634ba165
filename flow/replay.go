package flow

import (
	"encoding/json"
	"slices"
)

// history is what the entries of a run add up to.
type history struct {
	steps    []stepHistory // in the definition's order
	canceled *Entry
	last     int64 // Seq of the newest entry
}

type stepHistory struct {
	attempts int
	input    json.RawMessage // of the newest attempt
	open     bool            // begun, and neither done nor failed
	done     bool
	lost     bool // was done once, and had to be done again
	output   json.RawMessage
	waiting  bool     // for approval
	roles    []string // that must approve
	given    []Approval
}

// replay reads entries, oldest first. Entries about steps the definition does
// not have are passed over: same has refused such runs where it matters.
func replay(d *Definition, entries []Entry) history {
	h := history{steps: make([]stepHistory, len(d.steps))}
	for _, e := range entries {
		h.take(d, e)
	}
	return h
}

func (h *history) take(d *Definition, e Entry) {
	h.last = max(h.last, e.Seq)
	if e.Kind == EntryCancel {
		h.canceled = &e
		return
	}
	i := d.index(e.Step)
	if i < 0 {
		return
	}
	s := &h.steps[i]
	switch e.Kind {
	case EntryAttempt:
		s.attempts, s.input, s.open = e.Attempt, e.Data, true
	case EntryDone, EntrySkipped:
		s.open, s.done, s.output = false, true, e.Data
	case EntryFailed:
		s.open = false
	case EntryLost:
		s.open, s.done, s.lost, s.output = false, false, true, nil
	case EntryWaiting:
		s.waiting, s.given = true, nil
		s.roles = rolesOf(e)
	case EntryApproval:
		s.given = accept(s.waiting, s.roles, s.given, e)
	case EntryLooked, EntryProgress, EntryLog, EntryCancel, EntryState:
	}
}

// rolesOf reads the roles an EntryWaiting asks for.
func rolesOf(e Entry) []string {
	var roles []string
	if err := json.Unmarshal(e.Data, &roles); err != nil {
		return nil // nobody asked can answer: the step goes on waiting
	}
	return roles
}

// accept adds a submitted approval to those given, if it was asked for by then
// and is the first of its role.
func accept(waiting bool, roles []string, given []Approval, e Entry) []Approval {
	var a Approval
	if !waiting || json.Unmarshal(e.Data, &a) != nil || !slices.Contains(roles, a.Role) ||
		slices.ContainsFunc(given, func(b Approval) bool { return a.Role == b.Role }) {
		return given
	}
	return append(given, a)
}

// inOrder returns the approvals in the order of the roles; false while some
// role has not approved.
func inOrder(roles []string, given []Approval) ([]Approval, bool) {
	var all []Approval
	for _, role := range roles {
		i := slices.IndexFunc(given, func(a Approval) bool { return a.Role == role })
		if i < 0 {
			return nil, false
		}
		all = append(all, given[i])
	}
	return all, true
}
