package grid

// Alert is a test that fails again and again.
type Alert struct {
	Test string `json:"test"`
	// Fails are the failures since the last pass that ended the trouble before.
	// As in TestGrid, passes too few to end it do not set it back.
	Fails      int    `json:"fails"`
	FirstFail  Column `json:"first_fail"`         // oldest of them
	LatestFail Column `json:"latest_fail"`        // newest of them
	LastPass   Column `json:"last_pass,omitzero"` // newest pass before them
	Message    string `json:"message"`            // of the newest failure
	// Properties holds the value of Settings.UserProperty in the newest failure.
	Properties map[string]string `json:"properties,omitempty"`
	// Headers are the values of Settings.Headers in the first failure. TestGrid
	// has those of the oldest column it happened to look at.
	Headers map[string]string `json:"headers,omitempty"`
	// Mails are where the first failing build wants alerts to go to.
	Mails []string `json:"mails,omitempty"`
}

// alert walks a row from the newest cell: enough failures in a row, not yet
// followed by enough passes, are an alert. Running and empty cells, and those
// that neither passed nor failed, are passed over. A flaky cell ends a streak
// that is long enough, since it cannot be said which build is at fault, and
// sets back one that is not.
func (g *Grid) alert(r *Row, o Options) (Alert, bool) {
	var total, streak, passes int
	first, latest, good := -1, -1, -1
	at := 0
walk:
	for _, run := range r.Runs {
		begin := at
		at += run.Count
		switch s := run.Status; {
		case s.Passing():
			enough := passes+run.Count >= o.Passes
			passes += run.Count
			if streak >= o.Failures {
				if good < 0 {
					good = begin
				}
				if enough {
					break walk
				}
				continue
			}
			if enough {
				return Alert{}, false
			}
			streak = 0
		case s.Failing():
			passes, good = 0, -1
			streak += run.Count
			total += run.Count
			if latest < 0 {
				latest = begin
			}
			first = at - 1
		case s == Flake:
			passes = 0
			if streak >= o.Failures {
				break walk
			}
			streak = 0
		}
	}
	if streak < o.Failures {
		return Alert{}, false
	}
	note := r.Note(latest)
	a := Alert{Test: r.Name, Fails: total, FirstFail: g.Columns[first], LatestFail: g.Columns[latest], Message: note.Message}
	if good >= 0 {
		a.LastPass = g.Columns[good]
	}
	if note.Property != "" {
		a.Properties = map[string]string{g.Settings.UserProperty: note.Property}
	}
	a.Mails = a.FirstFail.Mails
	for i, h := range g.Settings.Headers {
		if i < len(a.FirstFail.Extra) {
			if a.Headers == nil {
				a.Headers = map[string]string{}
			}
			a.Headers[h] = a.FirstFail.Extra[i]
		}
	}
	return a, true
}
