package flow

import (
	"encoding/json"
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
	output   json.RawMessage
	waiting  int64 // Seq of the entry that asked for approval
	approval json.RawMessage
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
	case EntryWaiting:
		s.waiting = e.Seq
	case EntryApproval:
		// One that was not asked for yet does not count.
		if s.waiting > 0 && s.approval == nil {
			s.approval = e.Data
		}
	case EntryLooked, EntryProgress, EntryLog, EntryCancel, EntryState:
	}
}
