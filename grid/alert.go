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

// outage is a streak of failures, by columns counted from the newest.
type outage struct {
	total, streak, passes int
	first, latest, good   int // -1: none
}

// outage walks a row from the newest cell: enough failures in a row, not yet
// followed by enough passes, are an alert. Running and empty cells, and those
// that neither passed nor failed, are passed over. A flaky cell ends a streak
// that is long enough, since it cannot be said which build is at fault, and
// sets back one that is not.
func (r *Row) outage(o Options) (outage, bool) {
	w := outage{first: -1, latest: -1, good: -1}
	at := 0
	for _, run := range r.Runs {
		begin := at
		at += run.Count
		switch s := run.Status; {
		case s.Passing():
			w.passes += run.Count
			over := w.passes >= o.Passes
			if w.streak < o.Failures {
				if over {
					return w, false
				}
				w.streak = 0
				continue
			}
			if w.good < 0 {
				w.good = begin
			}
			if over {
				return w, true
			}
		case s.Failing():
			w.passes, w.good = 0, -1
			w.streak += run.Count
			w.total += run.Count
			if w.latest < 0 {
				w.latest = begin
			}
			w.first = at - 1
		case s == Flake:
			w.passes = 0
			if w.streak >= o.Failures {
				return w, true
			}
			w.streak = 0
		}
	}
	return w, w.streak >= o.Failures
}

func (g *Grid) alert(r *Row, o Options) (Alert, bool) {
	w, ok := r.outage(o)
	if !ok {
		return Alert{}, false
	}
	note := r.Note(w.latest)
	a := Alert{Test: r.Name, Fails: w.total, FirstFail: g.Columns[w.first], LatestFail: g.Columns[w.latest], Message: note.Message}
	if w.good >= 0 {
		a.LastPass = g.Columns[w.good]
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
