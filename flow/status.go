package flow

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// StepState is what a timeline shows of a step.
type StepState string

// Step states. Looked, done and skipped steps are over; a step that is running
// may be between two attempts.
const (
	StepPending  StepState = "pending"
	StepRunning  StepState = "running"
	StepWaiting  StepState = "waiting" // for an approval
	StepDone     StepState = "done"
	StepLooked   StepState = "looked" // the world already was as wanted
	StepSkipped  StepState = "skipped"
	StepFailed   StepState = "failed"
	StepHung     StepState = "hung"
	StepCanceled StepState = "canceled"
)

// Over reports whether what comes after the step may run.
func (s StepState) Over() bool { return s == StepDone || s == StepLooked || s == StepSkipped }

// Timeline is a run as a person reads it: one line per step, details folded.
type Timeline struct {
	Run      Run          `json:"run"`
	Steps    []StepStatus `json:"steps"`
	Sentence string       `json:"sentence"` // the run in one sentence
	Changes  []StateEvent `json:"changes"`  // states the run went through
}

// StateEvent is one change of a run's state.
type StateEvent struct {
	State State     `json:"state"`
	At    time.Time `json:"at"`
}

// StepStatus is one step of a timeline.
type StepStatus struct {
	StepInfo
	State      StepState       `json:"state"`
	Sentence   string          `json:"sentence"`
	StartedAt  time.Time       `json:"started_at,omitzero"`
	FinishedAt time.Time       `json:"finished_at,omitzero"`
	Duration   time.Duration   `json:"duration"` // nanoseconds, up to now for one that goes on
	Attempts   []AttemptStatus `json:"attempts,omitempty"`
	Roles      []string        `json:"roles,omitempty"`     // that must approve, once known
	Approvals  []Approval      `json:"approvals,omitempty"` // given so far
	Output     json.RawMessage `json:"output,omitempty"`
}

// AttemptStatus is one try at a step, with its log.
type AttemptStatus struct {
	Number     int       `json:"number"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	Error      string    `json:"error,omitempty"`
	Log        []LogLine `json:"log,omitempty"`
}

// LogLine is one line of an attempt's log. Progress is shown among them.
type LogLine struct {
	At       time.Time `json:"at"`
	Text     string    `json:"text"`
	Progress bool      `json:"progress,omitempty"`
}

// Step returns the status of a step by name.
func (t Timeline) Step(name string) (StepStatus, bool) {
	for _, s := range t.Steps {
		if s.Name == name {
			return s, true
		}
	}
	return StepStatus{}, false
}

// NewTimeline works out what the entries of a run amount to at the time now.
// It reads nothing else, so the same entries always give the same timeline.
func NewTimeline(d *Definition, run Run, entries []Entry, now time.Time) Timeline {
	t := Timeline{Run: run}
	for _, info := range d.Steps() {
		t.Steps = append(t.Steps, StepStatus{StepInfo: info, State: StepPending})
	}
	for _, e := range entries {
		if i := d.index(e.Step); i >= 0 {
			t.Steps[i].take(e)
		} else if e.Kind == EntryState {
			t.Changes = append(t.Changes, StateEvent{State: State(e.Message), At: e.At})
		}
	}
	for i := range t.Steps {
		t.Steps[i].conclude(t, now)
	}
	t.Sentence = t.sentence(entries)
	return t
}

func (s *StepStatus) take(e Entry) {
	switch e.Kind {
	case EntryAttempt:
		if s.StartedAt.IsZero() {
			s.StartedAt = e.At
		}
		s.State, s.Sentence, s.FinishedAt = StepRunning, "", time.Time{}
		s.Attempts = append(s.Attempts, AttemptStatus{Number: e.Attempt, StartedAt: e.At})
	case EntryProgress, EntryLog:
		if n := len(s.Attempts); n > 0 {
			s.Attempts[n-1].Log = append(s.Attempts[n-1].Log, LogLine{At: e.At, Text: e.Message, Progress: e.Kind == EntryProgress})
		}
		if e.Kind == EntryProgress {
			s.Sentence = e.Message
		}
	case EntryLooked:
		s.State, s.Sentence = StepLooked, "was done already"
	case EntryDone:
		if s.State != StepLooked {
			s.State = StepDone
		}
		s.end(e, "")
		s.Output = e.Data
	case EntrySkipped:
		s.State, s.Sentence, s.Output = StepSkipped, e.Message, e.Data
		s.end(e, "")
	case EntryFailed:
		s.fail(e)
	case EntryLost:
		s.State, s.Sentence, s.Output, s.FinishedAt = StepPending, e.Message, nil, time.Time{}
	case EntryWaiting:
		s.State, s.Sentence, s.StartedAt, s.Roles = StepWaiting, e.Message, e.At, rolesOf(e)
	case EntryApproval:
		if s.Approvals = accept(s.State == StepWaiting, s.Roles, s.Approvals, e); len(s.Approvals) > 0 {
			s.Sentence = approved(s.Approvals)
		}
	case EntryCancel, EntryState: // about the run
	}
}

func (s *StepStatus) end(e Entry, failure string) {
	s.FinishedAt = e.At
	if n := len(s.Attempts); n > 0 {
		s.Attempts[n-1].FinishedAt, s.Attempts[n-1].Error = e.At, failure
	}
}

func (s *StepStatus) fail(e Entry) {
	var data failedData
	if err := json.Unmarshal(e.Data, &data); err != nil {
		data = failedData{} // an entry of an older program: failed is what matters
	}
	s.end(e, e.Message)
	switch {
	case data.Retry:
		s.State, s.FinishedAt = StepRunning, time.Time{}
		s.Sentence = fmt.Sprintf("attempt %d failed, trying again: %s", e.Attempt, e.Message)
	case data.Hung:
		s.State, s.Sentence = StepHung, e.Message
	default:
		s.State, s.Sentence = StepFailed, e.Message
	}
}

// conclude fills in what follows from the run's state and from other steps.
func (s *StepStatus) conclude(t Timeline, now time.Time) {
	if t.Run.State == Canceled && (s.State == StepRunning || s.State == StepWaiting || s.State == StepPending) {
		s.State = StepCanceled
		if s.FinishedAt.IsZero() && !s.StartedAt.IsZero() {
			s.FinishedAt = t.Run.UpdatedAt
		}
	}
	if s.State == StepRunning && (t.Run.State == Failed || t.Run.State == Pending) {
		s.State, s.Sentence = StepPending, "was interrupted; looks first when resumed"
	}
	if s.Sentence == "" && s.State == StepPending {
		s.Sentence = s.before(t)
	}
	switch {
	case s.StartedAt.IsZero():
	case s.FinishedAt.IsZero():
		s.Duration = max(now.Sub(s.StartedAt), 0)
	default:
		s.Duration = s.FinishedAt.Sub(s.StartedAt)
	}
}

// before names what a step still waits for.
func (s *StepStatus) before(t Timeline) string {
	var titles []string
	for _, name := range s.After {
		if dep, ok := t.Step(name); ok && !dep.State.Over() {
			titles = append(titles, dep.Title)
		}
	}
	if len(titles) == 0 {
		return ""
	}
	return "after: " + strings.Join(titles, "; ")
}

func (t Timeline) sentence(entries []Entry) string {
	over := 0
	for _, s := range t.Steps {
		if s.State.Over() {
			over++
		}
	}
	count := fmt.Sprintf("%d of %d steps done", over, len(t.Steps))
	for _, s := range t.Steps {
		switch {
		case t.Run.State == Failed && (s.State == StepFailed || s.State == StepHung):
			return fmt.Sprintf("failed at %q: %s (%s)", s.Title, s.Sentence, count)
		case t.Run.State == Waiting && s.State == StepWaiting:
			return fmt.Sprintf("waits %s: %s (%s)", s.Sentence, s.Title, count)
		case t.Run.State == Running && s.State == StepRunning:
			return fmt.Sprintf("%s (%s)", strings.TrimSuffix(s.Title+": "+s.Sentence, ": "), count)
		}
	}
	if t.Run.State == Canceled {
		for _, e := range entries {
			if e.Kind == EntryCancel {
				return fmt.Sprintf("cancelled by %s: %s (%s)", e.Actor, e.Message, count)
			}
		}
	}
	return fmt.Sprintf("%s, %s", t.Run.State, count)
}

func approved(given []Approval) string {
	names := make([]string, len(given))
	for i, a := range given {
		names[i] = a.Actor + " as " + a.Role
	}
	return "approved by " + strings.Join(names, ", ")
}
