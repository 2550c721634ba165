package dashboard

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Addresses returns whom the report on the healthiness is mailed to.
func (h HealthOptions) Addresses() []string { return addresses(h.Recipients) }

// Addresses returns who hears of flaky tests.
func (f FlakinessAlerts) Addresses() []string { return addresses(f.Mails) }

// addresses takes apart what has commas between.
func addresses(text string) []string {
	var all []string
	for address := range strings.SplitSeq(text, ",") {
		if address = strings.TrimSpace(address); address != "" {
			all = append(all, address)
		}
	}
	return all
}

// Next reads the schedule, five fields of cron or @weekly and the like, and
// returns a function that gives the first time after another, on that one's
// clocks; zero if there is none in the next five years. Without a schedule the
// function is nil: no report is mailed.
func (h HealthOptions) Next() (func(after time.Time) time.Time, error) {
	text := strings.TrimSpace(h.Schedule)
	if text == "" {
		return nil, nil
	}
	if strings.Contains(text, "TZ=") {
		return nil, errors.New("email_schedule: leave the time zone out")
	}
	s, err := cron.ParseStandard(text)
	if err != nil {
		return nil, fmt.Errorf("email_schedule %q: %w: write five fields, minute hour day month weekday", text, err)
	}
	return s.Next, nil
}

// Groups returns what the names of tests of one group differ in; nil without
// grouping, or if it is no regular expression, of which Check tells.
func (h HealthOptions) Groups() *regexp.Regexp {
	if h.Grouping == "" {
		return nil
	}
	re, err := compile(h.Grouping)
	if err != nil {
		return nil
	}
	return re
}
