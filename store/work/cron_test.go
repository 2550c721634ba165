package work

import (
	"testing"
	"time"
)

func TestCron(t *testing.T) {
	t.Parallel()
	const layout = "Mon 2006-01-02 15:04"
	from := time.Date(2026, 1, 30, 12, 0, 30, 0, time.FixedZone("", 3*3600))
	for spec, want := range map[string]string{
		"* * * * *":    "Fri 2026-01-30 09:01",
		"0 * * * *":    "Fri 2026-01-30 10:00",
		"@daily":       "Sat 2026-01-31 00:00",
		"0 6 * * 1-5":  "Mon 2026-02-02 06:00",
		"0 0 31 * *":   "Sat 2026-01-31 00:00",
		"0 0 29 2 *":   "Tue 2028-02-29 00:00",
		"*/7 9 * * *":  "Fri 2026-01-30 09:07",
		"@every 90m":   "Fri 2026-01-30 10:30",
		"0 0 31 2 *":   "never",
		"0 0 30 2 mon": "Mon 2026-02-02 00:00", // day of month or weekday, as in cron(8)
	} {
		next, err := parseCron(spec)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		got := "never"
		if at, ok := next(from); ok {
			got = at.Format(layout)
		}
		if got != want {
			t.Errorf("%s: next is %s, want %s", spec, got, want)
		}
	}
}

// Whatever is read as a schedule moves on, and takes no time to compute.
func FuzzCron(f *testing.F) {
	for _, spec := range []string{"* * * * *", "0 0 31 2 *", "@every 0s", "TZ=", "*/0 * * * *", "1-0 * * * *", "", "? ? ? ? ?", "@"} {
		f.Add(spec, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, spec string, seconds int64) {
		next, err := parseCron(spec)
		if err != nil {
			return
		}
		from := time.Unix(seconds%4e9, 0)
		begun := time.Now()
		at, ok := next(from)
		if ok && !at.After(from) {
			t.Errorf("%q: next after %s is %s", spec, from, at)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%q took %s", spec, took)
		}
	})
}
