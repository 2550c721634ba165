package train

import "time"

// Line is what the timetable says of one branch.
type Line struct {
	Repo      string    `json:"repo"`
	Type      Type      `json:"type"`
	Branch    string    `json:"branch"`
	Calendar  string    `json:"calendar"`
	Auto      Auto      `json:"auto"`
	Version   string    `json:"version,omitempty"`
	Commit    string    `json:"commit,omitempty"`
	Previous  string    `json:"previous,omitempty"`
	Commits   int       `json:"commits"`
	State     State     `json:"state"`
	Why       string    `json:"why"`
	Stops     []Stop    `json:"stops"`
	Next      time.Time `json:"next,omitzero"`
	Rehearsal Attempt   `json:"rehearsal,omitzero"`
	// Release is the one that is on its way for real.
	Release Attempt `json:"release,omitzero"`
	// Departure is the newest one dealt with, and Outcome what became of it.
	Departure time.Time `json:"departure,omitzero"`
	Outcome   Outcome   `json:"outcome,omitempty"`
	Said      string    `json:"said,omitempty"` // of the outcome
}

// NewLine puts a decision and what it was made of into a line.
func NewLine(repo string, r Rule, f Facts, d Decision) Line {
	l := Line{Repo: repo, Type: r.Type, Branch: f.Branch, Calendar: r.Calendar.String(), Auto: r.Auto, Version: f.Version, Commit: f.Tip,
		Previous: f.Previous, Commits: f.Commits, State: d.State, Why: d.Why, Stops: d.Stops, Next: d.Next, Rehearsal: f.Rehearsal,
		Departure: d.Log.Departure, Outcome: d.Log.Outcome, Said: d.Log.Why}
	if d.Log.Outcome == Opened {
		l.Release = f.Real
	}
	if l.Stops == nil {
		l.Stops = []Stop{}
	}
	return l
}
