package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"seaworthy/alert"
	"seaworthy/release/train"
	"seaworthy/strict"
)

// Alerts says who is told when tests begin to fail again and again, and when
// they pass again.
type Alerts struct {
	Dashboards []string     `json:"dashboards" doc:"Dashboards whose tabs are watched. All of the repository's if empty."`
	Mail       AlertMail    `json:"mail" doc:"Alerts by mail. Besides the addresses here, those that tabs, jobs and builds name are written to."`
	Chat       string       `json:"chat" doc:"Channel that alerts are posted to, such as #ci. None if empty."`
	Issues     AlertIssues  `json:"issues" doc:"An issue for each group of failures, closed when it is over."`
	Quiet      AlertQuiet   `json:"quiet" doc:"When nobody is to be disturbed. What happens meanwhile is told afterwards."`
	TimeZone   string       `json:"timezone" doc:"Time zone of the quiet hours and of mailed reports, such as Europe/Berlin. UTC if empty."`
	Owners     []AlertOwner `json:"owners" doc:"Whose business which tests are; the first that matches counts."`

	Lines strict.Lines `json:"-"`
}

// AlertMail says how alerts are mailed.
type AlertMail struct {
	From string   `json:"from" doc:"Sender's mail address. No alert is mailed if empty."`
	To   []string `json:"to" doc:"Mail addresses that hear of every alert."`

	Lines strict.Lines `json:"-"`
}

// AlertIssues says whether issues are kept.
type AlertIssues struct {
	Open   bool     `json:"open" doc:"Whether issues are opened."`
	Labels []string `json:"labels" doc:"Labels of new issues."`

	Lines strict.Lines `json:"-"`
}

// AlertQuiet is when no mail and no message is sent.
type AlertQuiet struct {
	From string   `json:"from" doc:"Time of day from which it is quiet, such as 20:00."`
	To   string   `json:"to" doc:"Time of day until which it is quiet, such as 06:30."`
	Days []string `json:"days" doc:"Days of the week that are quiet as a whole, such as Saturday."`

	Lines strict.Lines `json:"-"`
}

// AlertOwner is whose business some tests are.
type AlertOwner struct {
	Name   string   `json:"name" doc:"What the owner is called."`
	Tests  string   `json:"tests" doc:"Regular expression that matches names of tests that are owned. All tests if empty."`
	Jobs   string   `json:"jobs" doc:"Regular expression that matches names of jobs that are owned. All jobs if empty."`
	Mail   []string `json:"mail" doc:"Mail addresses that hear of the owner's alerts."`
	Chat   string   `json:"chat" doc:"Channel that the owner's alerts are posted to, too."`
	Logins []string `json:"logins" doc:"Accounts that issues are assigned to."`

	Lines strict.Lines `json:"-"`
}

// On reports whether anybody is told of anything.
func (a Alerts) On() bool {
	return a.Mail.From != "" || a.Chat != "" || a.Issues.Open || len(a.chats()) > 0
}

func (a Alerts) chats() (all []string) {
	for _, o := range a.Owners {
		if o.Chat != "" {
			all = append(all, o.Chat)
		}
	}
	return all
}

// Rules returns the section as alerts are decided by; project is what people
// call it. The error is one that Parse reports, too.
func (a Alerts) Rules(project string) (alert.Rules, error) {
	zone, zerr := a.Zone()
	r := alert.Rules{Project: project, Mails: a.Mail.To, Channel: a.Chat, Issues: a.Issues.Open}
	for _, o := range a.Owners {
		owner := alert.Owner{Name: o.Name, Mails: o.Mail, Channel: o.Chat, Logins: o.Logins}
		var err error
		if owner.Tests, err = pattern(o.Tests); err != nil {
			return r, err
		}
		if owner.Jobs, err = pattern(o.Jobs); err != nil {
			return r, err
		}
		r.Owners = append(r.Owners, owner)
	}
	for _, name := range a.Quiet.Days {
		if day := slices.Index(weekdays(), strings.ToLower(name)); day >= 0 {
			r.Quiet.Days = append(r.Quiet.Days, time.Weekday(day))
		}
	}
	var err error
	if r.Quiet.From, err = timeOfDay(a.Quiet.From); err != nil {
		return r, err
	}
	r.Quiet.Zone = zone
	r.Quiet.To, err = timeOfDay(a.Quiet.To)
	return r, errors.Join(err, zerr)
}

// Zone is the time zone whose clocks the section means.
func (a Alerts) Zone() (*time.Location, error) {
	if a.TimeZone == "" {
		return time.UTC, nil
	}
	if a.TimeZone == "Local" { // would be whatever the server was started in
		return nil, errors.New("alerts.timezone \"Local\" is another one on each machine: write Europe/Berlin, say")
	}
	zone, err := time.LoadLocation(a.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("alerts.timezone: %w: write Europe/Berlin, say; if that is not known, install tzdata on this machine", err)
	}
	return zone, nil
}

// longestPattern bounds a regular expression, which takes time to compile.
const longestPattern = 1000

// pattern is nil for the empty one.
func pattern(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > longestPattern {
		return nil, fmt.Errorf("it has %d characters: write at most %d", len(text), longestPattern)
	}
	return regexp.Compile(text)
}

func timeOfDay(text string) (time.Duration, error) { return train.ParseTime(cmp.Or(text, "00:00")) }

func weekdays() (all []string) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		all = append(all, strings.ToLower(day.String()))
	}
	return all
}

// alerts checks the section.
func (c *checker) alerts(a Alerts) {
	if _, err := mail.ParseAddress(a.Mail.From); a.Mail.From != "" && err != nil {
		c.fail(a.Mail.Lines.Of("from"), "alerts.mail.from %q is no mail address: write alerts@example.org", a.Mail.From)
	}
	c.mailTo(a.Mail.Lines.Of("to"), "alerts.mail.to", a.Mail.To)
	if len(a.Mail.To) > 0 && a.Mail.From == "" {
		c.fail(a.Mail.Lines.Of("to"), "alerts.mail.to has addresses, but there is no sender: write from")
	}
	for _, o := range a.Owners {
		c.owner(o, a.Mail.From != "")
	}
	c.quiet(a.Quiet)
	if _, err := a.Zone(); err != nil {
		c.fail(a.Lines.Of("timezone"), "%v", err)
	}
}

func (c *checker) owner(o AlertOwner, mailed bool) {
	if o.Name == "" {
		c.fail(o.Lines.Start, "an owner of tests has no name: write name")
	}
	if o.Tests == "" && o.Jobs == "" {
		c.fail(o.Lines.Start, "owner %q owns everything: write tests or jobs", o.Name)
	}
	for key, text := range map[string]string{"tests": o.Tests, "jobs": o.Jobs} {
		if _, err := pattern(text); err != nil {
			c.fail(o.Lines.Of(key), "owner %q: %s is no regular expression: %v", o.Name, key, err)
		}
	}
	c.mailTo(o.Lines.Of("mail"), "owner "+o.Name, o.Mail)
	if len(o.Mail) > 0 && !mailed {
		c.fail(o.Lines.Of("mail"), "owner %q has mail addresses, but there is no sender: write alerts.mail.from", o.Name)
	}
}

func (c *checker) quiet(q AlertQuiet) {
	for key, text := range map[string]string{"from": q.From, "to": q.To} {
		if _, err := timeOfDay(text); err != nil {
			c.fail(q.Lines.Of(key), "%v", err)
		}
	}
	if (q.From == "") != (q.To == "") {
		c.fail(max(q.Lines.Of("from"), q.Lines.Of("to")), "quiet hours have a beginning and an end: write from and to")
	}
	for _, day := range q.Days {
		if !slices.Contains(weekdays(), strings.ToLower(day)) {
			c.fail(q.Lines.Of("days"), "%q is no day of the week: write Saturday, say", day)
		}
	}
}

func (c *checker) mailTo(line int, what string, all []string) {
	for _, to := range all {
		if _, err := mail.ParseAddress(to); err != nil {
			c.fail(line, "%s: %q is no mail address: write somebody@example.org", what, to)
		}
	}
}
