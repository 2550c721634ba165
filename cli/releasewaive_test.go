package cli

import (
	"testing"
	"time"
)

func TestDeadline(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 18, 0, 0, 5, time.FixedZone("", 3600))
	for _, tt := range []struct{ in, want string }{
		{"2026-12-01", "2026-12-02T00:00:00Z"},
		{"2026-12-01T18:00:00+02:00", "2026-12-01T16:00:00Z"},
		{"48h", "2026-11-24T17:00:00Z"},
		{"90m", "2026-11-22T18:30:00Z"},
		{"-1h", ""}, {"tomorrow", ""}, {"", ""}, {"2026-13-01", ""}, {"01.12.2026", ""},
	} {
		got, err := deadline(tt.in, now)
		if (err != nil) != (tt.want == "") || err == nil && got.Format(time.RFC3339) != tt.want {
			t.Errorf("%q is %s, %v; want %q", tt.in, got.Format(time.RFC3339), err, tt.want)
		}
	}
}
