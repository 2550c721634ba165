package config

import (
	"cmp"
	"path"

	"seaworthy/release/train"
	"seaworthy/strict"
)

// Train is one line of the timetable of releases.
type Train struct {
	Type     string   `json:"type" enum:"patch,official,rc,beta,alpha" doc:"What is released: patch (of every series that is out), official, rc, beta or alpha."`
	When     string   `json:"when" doc:"On which days: second Tuesday, every 4 weeks from 2026-01-06, or five fields of cron in UTC."`
	At       string   `json:"at" doc:"Time of day in UTC, such as 15:00; 12:00 if empty. Cron says it itself."`
	Branches []string `json:"branches" doc:"Branches that are served, as patterns: * stands for any characters but /. All that the type can be released from if empty."`
	Support  Support  `json:"support" doc:"Which release branches are still served."`
	Auto     string   `json:"auto" enum:"rehearse,open,cut" doc:"How far it goes by itself: rehearse every night only; open the release on its day, staged for real and waiting for sign-offs; or cut it once gates and sign-offs allow."`
	Rehearse string   `json:"rehearse" doc:"Time of night in UTC at which the next release is rehearsed; 02:00 if empty."`

	Lines strict.Lines `json:"-"`
}

// Support says which release branches are still served.
type Support struct {
	Newest int `json:"newest" doc:"Only so many of the newest series; 0 is all."`
	Months int `json:"months" doc:"For so many months after a series' first final release; 0 is for ever."`

	Lines strict.Lines `json:"-"`
}

// Rule returns the line as the timetable reads it. The error is one that Parse
// reports, too.
func (t Train) Rule() (train.Rule, error) {
	calendar, err := train.ParseCalendar(t.When, t.At)
	if err != nil {
		return train.Rule{}, err
	}
	night, err := train.ParseTime(cmp.Or(t.Rehearse, train.DefaultNight))
	if err != nil {
		return train.Rule{}, err
	}
	return train.Rule{Type: train.Type(t.Type), Calendar: calendar, Branches: t.Branches, Newest: t.Support.Newest, Months: t.Support.Months,
		Auto: train.Auto(cmp.Or(t.Auto, string(train.Rehearse))), Night: night}, nil
}

// trains checks the timetable. Elements of lists have no defaults, and the
// checks that tags ask for reach them from here.
func (c *checker) trains(all []Train) {
	for _, t := range all {
		switch train.Type(t.Type) {
		case train.Patch, train.Official, train.RC, train.Beta, train.Alpha:
		default:
			c.fail(t.Lines.Of("type"), "type is %q: write one of patch, official, rc, beta, alpha", t.Type)
		}
		switch train.Auto(t.Auto) {
		case "", train.Rehearse, train.Open, train.Cut:
		default:
			c.fail(t.Lines.Of("auto"), "auto is %q: write one of rehearse, open, cut", t.Auto)
		}
		if _, err := train.ParseCalendar(t.When, t.At); err != nil {
			line := t.Lines.Of("when")
			if _, plain := train.ParseCalendar(t.When, ""); plain == nil {
				line = t.Lines.Of("at")
			}
			c.fail(line, "%v", err)
		}
		if t.Rehearse != "" {
			if _, err := train.ParseTime(t.Rehearse); err != nil {
				c.fail(t.Lines.Of("rehearse"), "%v", err)
			}
		}
		for _, pattern := range t.Branches {
			if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
				c.fail(t.Lines.Of("branches"), "branches %q: write a branch's name, or a pattern such as release-*", pattern)
			}
		}
		if t.Support.Newest < 0 || t.Support.Months < 0 {
			c.fail(t.Lines.Of("support"), "support counts from 0, which is all of them: write newest or months as 0 or more")
		}
	}
}
