// Package train is the timetable of releases: when the next one of each branch
// departs, which branches are served, and what is due now. It only thinks; the
// platform gives it the facts and does what it decides.
//
//	calendar, err := train.ParseCalendar("second Tuesday", "15:00")
//	rule := train.Rule{Type: train.Patch, Calendar: calendar, Newest: 3, Auto: train.Cut}
//	for _, branch := range rule.Serves(history, policy, now) {
//		d := train.Decide(rule, facts(branch)) // d.Act is Rehearse, Open, Cut, …
//	}
//
// A departure is a moment in UTC, which knows no daylight saving. One that
// nobody was there for is made up for, once: however many were missed, only the
// newest is. A branch whose last release is still on its way gets no second one.
// A departure with nothing to release is passed over.
//
// Every night the next release of each branch is rehearsed, so that what would
// stop it is known before its day.
package train
