package train_test

import (
	"strings"
	"testing"
	"time"

	"seaworthy/release/train"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	for _, form := range []string{"2006-01-02 15:04", time.DateOnly} {
		if m, err := time.Parse(form, text); err == nil {
			return m
		}
	}
	t.Fatalf("%q is no time", text)
	return time.Time{}
}

func calendar(t testing.TB, when, of string) train.Calendar {
	t.Helper()
	c, err := train.ParseCalendar(when, of)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The second Tuesdays of three years, as a printed calendar has them. Months
// that begin on a Tuesday are where it is easily got wrong: there it is the 8th.
func TestSecondTuesdays(t *testing.T) {
	t.Parallel()
	days := strings.Fields(`
		2025-01-14 2025-02-11 2025-03-11 2025-04-08 2025-05-13 2025-06-10 2025-07-08 2025-08-12 2025-09-09 2025-10-14 2025-11-11 2025-12-09
		2026-01-13 2026-02-10 2026-03-10 2026-04-14 2026-05-12 2026-06-09 2026-07-14 2026-08-11 2026-09-08 2026-10-13 2026-11-10 2026-12-08
		2027-01-12 2027-02-09 2027-03-09 2027-04-13 2027-05-11 2027-06-08 2027-07-13 2027-08-10 2027-09-14 2027-10-12 2027-11-09 2027-12-14`)
	if len(days) != 36 {
		t.Fatalf("%d months", len(days))
	}
	c := calendar(t, "second Tuesday", "15:00")
	now := at(t, "2025-01-01")
	for _, day := range days {
		want := at(t, day).Add(15 * time.Hour)
		next, ok := c.Next(now)
		if !ok || !next.Equal(want) {
			t.Errorf("after %s: %s, want %s", now, next, want)
		}
		if last, ok := c.Last(want); !ok || !last.Equal(want) {
			t.Errorf("last at %s: %s", want, last)
		}
		now = want
	}
}

// Every weekday of every month of twelve years, against counting days.
func TestWeekdaysOfMonths(t *testing.T) {
	t.Parallel()
	names := []string{"first", "second", "third", "fourth", "fifth", "last"}
	for nth, name := range names {
		for day := time.Sunday; day <= time.Saturday; day++ {
			c := calendar(t, name+" "+day.String(), "09:30")
			var want []time.Time
			for month := at(t, "2024-01-01"); month.Year() < 2036; month = month.AddDate(0, 1, 0) {
				var those []time.Time
				for d := month; d.Month() == month.Month(); d = d.AddDate(0, 0, 1) {
					if d.Weekday() == day {
						those = append(those, d.Add(9*time.Hour+30*time.Minute))
					}
				}
				switch {
				case name == "last":
					want = append(want, those[len(those)-1])
				case nth < len(those):
					want = append(want, those[nth])
				}
			}
			now := at(t, "2024-01-01")
			for _, w := range want {
				next, ok := c.Next(now)
				if !ok || !next.Equal(w) {
					t.Fatalf("%s: after %s comes %s, want %s", c, now, next, w)
				}
				if before, ok := c.Last(next.Add(-time.Second)); ok && before.After(now) {
					t.Fatalf("%s: %s lies between %s and %s", c, before, now, next)
				}
				now = next
			}
		}
	}
}

func TestWeeksAndCron(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ when, of, now, last, next string }{
		{"every 4 weeks from 2026-01-06", "", "2026-01-01", "", "2026-01-06 12:00"},
		{"every 4 weeks from 2026-01-06", "", "2026-01-06 11:59", "", "2026-01-06 12:00"},
		{"every 4 weeks from 2026-01-06", "", "2026-01-06 12:00", "2026-01-06 12:00", "2026-02-03 12:00"},
		{"every 4 weeks from 2026-01-06", "08:00", "2026-03-29 12:00", "2026-03-03 08:00", "2026-03-31 08:00"}, // the clocks of Europe change
		{"Every week from 2026-01-06", "00:00", "2026-01-12 23:59", "2026-01-06", "2026-01-13"},
		{"0 15 * * 2", "", "2026-11-22", "2026-11-17 15:00", "2026-11-24 15:00"},
		{"0 15 8-14 * *", "", "2026-11-22", "2026-11-14 15:00", "2026-12-08 15:00"},
		{"30 6 29 2 *", "", "2026-11-22", "2024-02-29 06:30", "2028-02-29 06:30"},
		{"0 0 31 2 *", "", "2026-11-22", "", ""},
		{"  LAST   friday of the month ", "23:59", "2026-11-22", "2026-10-30 23:59", "2026-11-27 23:59"},
		{"5th Monday", "", "2026-11-22", "2026-08-31 12:00", "2026-11-30 12:00"},
	} {
		cal := calendar(t, c.when, c.of)
		for _, side := range []struct {
			name, want string
			find       func(time.Time) (time.Time, bool)
		}{{"last", c.last, cal.Last}, {"next", c.next, cal.Next}} {
			got, ok := side.find(at(t, c.now))
			if want := side.want; ok != (want != "") || ok && !got.Equal(at(t, want)) {
				t.Errorf("%s at %s: %s is %s, %v; want %q", cal, c.now, side.name, got, ok, want)
			}
		}
	}
	if _, ok := (train.Calendar{}).Next(at(t, "2026-01-01")); ok {
		t.Error("no calendar departs")
	}
	if _, ok := (train.Calendar{}).Last(at(t, "2026-01-01")); ok {
		t.Error("no calendar departed")
	}
}

func TestCalendarRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ when, of, says string }{
		{"", "", "second Tuesday"},
		{"every full moon", "", "every 4 weeks"},
		{"second Tuseday", "", "monday to sunday"},
		{"sixth Monday", "", "first to fifth"},
		{"every 0 weeks from 2026-01-06", "", "1 or more"},
		{"every 2 weeks from 2026-02-30", "", "2026-02-30"},
		{"second Tuesday", "25:00", "15:00"},
		{"second Tuesday", "noon", "15:00"},
		{"0 15 * * 2", "15:00", "leave"},
		{"61 * * * *", "", "61"},
		{"TZ=Europe/Berlin 0 15 * * 2", "", "five fields"},
		{"CRON_TZ=UTC 0 15 * 2", "", "five fields"},
	} {
		if _, err := train.ParseCalendar(c.when, c.of); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q at %q: %v, want %q", c.when, c.of, err, c.says)
		}
	}
}

// Whatever is read departs after now and not after its own last departure.
func FuzzCalendar(f *testing.F) {
	for _, when := range []string{"second Tuesday", "last fri", "every 3 weeks from 2026-01-06", "0 15 * * 2", "*/5 1-3 1,15 * *", "every week from 9999-12-31", "@daily"} {
		f.Add(when, "", int64(1_790_000_000))
		f.Add(when, "15:04", int64(0))
	}
	f.Fuzz(func(t *testing.T, when, of string, seconds int64) {
		c, err := train.ParseCalendar(when, of)
		if err != nil {
			return
		}
		// From 1970 to 2200.
		now := time.Unix((seconds%7_258_118_400+7_258_118_400)%7_258_118_400, 0).UTC()
		last, before := c.Last(now)
		if before && last.After(now) {
			t.Fatalf("%q: the last at %s is %s", when, now, last)
		}
		next, after := c.Next(now)
		if after && !next.After(now) {
			t.Fatalf("%q: the next after %s is %s", when, now, next)
		}
		if !after {
			return
		}
		if back, ok := c.Last(next); !ok || !back.Equal(next) {
			t.Fatalf("%q: the last at its departure %s is %s, %v", when, next, back, ok)
		}
	})
}
