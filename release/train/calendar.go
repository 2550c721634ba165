package train

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Calendar says when trains depart, in UTC. The zero value never.
type Calendar struct {
	text string
	// Exactly one of the three.
	monthly weekdayOfMonth
	weekly  everyWeeks
	cron    cron.Schedule

	at time.Duration // time of day, since midnight
}

// weekdayOfMonth is the nth of a weekday in each month; nth 0 is none, -1 the last.
type weekdayOfMonth struct {
	nth int
	day time.Weekday
}

// everyWeeks is every so many weeks, counted from a day.
type everyWeeks struct {
	weeks int
	from  time.Time // midnight
}

// DefaultTime is the time of day of a departure that names none: the middle of
// the day in the part of the world where UTC is at home.
const DefaultTime = "12:00"

const forms = `write "second Tuesday" (first to fifth, or last), "every 4 weeks from 2026-01-06", or five fields of cron such as "0 15 * * 2"`

var (
	nthForm    = regexp.MustCompile(`^(first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|5th) ([a-z]+)(?: of (?:the|each|every) month)?$`)
	weeksForm  = regexp.MustCompile(`^every (?:(\d{1,3}) )?weeks? from (\d{4}-\d{2}-\d{2})$`)
	fieldsForm = regexp.MustCompile(`^\S+ \S+ \S+ \S+ \S+$`)
)

// ParseCalendar reads when trains depart: "second Tuesday", "every 4 weeks from
// 2026-01-06", or cron's five fields, which hold the time of day, too. at is the
// time of day of the others, "15:04", DefaultTime if empty. Case and spaces do
// not matter.
func ParseCalendar(when, at string) (Calendar, error) {
	text := strings.ToLower(strings.Join(strings.Fields(when), " "))
	c := Calendar{text: strings.TrimSpace(text + " " + at)}
	if m := nthForm.FindStringSubmatch(text); m != nil {
		day, ok := weekday(m[2])
		if !ok {
			return Calendar{}, fmt.Errorf("%q is no weekday: write monday to sunday", m[2])
		}
		c.monthly = weekdayOfMonth{nth: ordinal(m[1]), day: day}
		return c.withTime(at)
	}
	if m := weeksForm.FindStringSubmatch(text); m != nil {
		from, err := time.Parse(time.DateOnly, m[2])
		if err != nil {
			return Calendar{}, fmt.Errorf("%q is no day: write one such as 2026-01-06", m[2])
		}
		weeks := 1
		if m[1] != "" {
			// Three digits at most, so this cannot fail.
			weeks, _ = strconv.Atoi(m[1])
		}
		if weeks < 1 {
			return Calendar{}, errors.New("every 0 weeks is never: write 1 or more")
		}
		c.weekly = everyWeeks{weeks, from}
		return c.withTime(at)
	}
	if strings.Contains(text, "tz=") || !fieldsForm.MatchString(text) {
		return Calendar{}, fmt.Errorf("%q says no day that is understood: %s", when, forms)
	}
	if at != "" {
		return Calendar{}, fmt.Errorf("cron %q says the time of day already: leave %q out", when, at)
	}
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		return Calendar{}, fmt.Errorf("cron %q: %w: %s", when, err, forms)
	}
	c.cron = schedule
	return c, nil
}

func (c Calendar) withTime(at string) (Calendar, error) {
	if at == "" {
		at = DefaultTime
	}
	var err error
	c.at, err = ParseTime(at)
	return c, err
}

// ParseTime reads a time of day, "15:04", as the time since midnight.
func ParseTime(at string) (time.Duration, error) {
	t, err := time.Parse("15:04", at)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of day: write one such as 15:00, in UTC", at)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

func ordinal(word string) int {
	switch word {
	case "first", "1st":
		return 1
	case "second", "2nd":
		return 2
	case "third", "3rd":
		return 3
	case "fourth", "4th":
		return 4
	case "fifth", "5th":
		return 5
	}
	return -1
}

func weekday(word string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		full := strings.ToLower(d.String())
		if word == full || word == full[:3] {
			return d, true
		}
	}
	return 0, false
}

// String returns the calendar as it was written, in lower case.
func (c Calendar) String() string { return c.text }

// Next returns the first departure after a moment; false if there is none in
// the years to come.
func (c Calendar) Next(after time.Time) (time.Time, bool) {
	after = after.UTC()
	switch {
	case c.monthly.nth != 0:
		for months := range farthestMonths {
			if t, ok := c.inMonth(after.Year(), after.Month()+time.Month(months)); ok && t.After(after) {
				return t, true
			}
		}
	case c.weekly.weeks > 0:
		first := c.weekly.from.Add(c.at)
		if first.After(after) {
			return first, true
		}
		return first.Add((after.Sub(first)/c.period() + 1) * c.period()), true
	case c.cron != nil:
		next := c.cron.Next(after)
		return next, !next.IsZero()
	}
	return time.Time{}, false
}

// Last returns the newest departure that is not after a moment; false if there
// was none in years.
func (c Calendar) Last(at time.Time) (time.Time, bool) {
	at = at.UTC()
	switch {
	case c.monthly.nth != 0:
		for months := range farthestMonths {
			if t, ok := c.inMonth(at.Year(), at.Month()-time.Month(months)); ok && !t.After(at) {
				return t, true
			}
		}
	case c.weekly.weeks > 0:
		first := c.weekly.from.Add(c.at)
		if first.After(at) {
			return time.Time{}, false
		}
		return first.Add(at.Sub(first) / c.period() * c.period()), true
	case c.cron != nil:
		return lastOf(c.cron, at)
	}
	return time.Time{}, false
}

// farthestMonths is how many months are looked through: every weekday is there
// five times in one of any six months.
const farthestMonths = 7

func (c Calendar) period() time.Duration { return time.Duration(c.weekly.weeks) * 7 * 24 * time.Hour }

// inMonth returns the departure of a month; false if it has no fifth such
// weekday. The month may lie outside 1 to 12, as time.Date takes it.
func (c Calendar) inMonth(year int, month time.Month) (time.Time, bool) {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	if c.monthly.nth < 0 {
		last := first.AddDate(0, 1, -1)
		back := (int(last.Weekday()) - int(c.monthly.day) + 7) % 7
		return last.AddDate(0, 0, -back).Add(c.at), true
	}
	// From the first day to the first such weekday, which may be that very day.
	ahead := (int(c.monthly.day) - int(first.Weekday()) + 7) % 7
	day := first.AddDate(0, 0, ahead+7*(c.monthly.nth-1))
	return day.Add(c.at), day.Month() == first.Month()
}

// lastOf finds the newest time of a schedule, which only looks ahead, by
// beginning ever farther back.
func lastOf(s cron.Schedule, at time.Time) (time.Time, bool) {
	for back := time.Hour; ; back *= 4 {
		back = min(back, farthestBack)
		t := s.Next(at.Add(-back))
		if t.IsZero() || t.After(at) {
			if back == farthestBack {
				return time.Time{}, false
			}
			continue
		}
		for next := s.Next(t); !next.IsZero() && !next.After(at); next = s.Next(t) {
			t = next
		}
		return t, true
	}
}

const farthestBack = 5 * 366 * 24 * time.Hour
