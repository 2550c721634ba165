package app

import (
	"testing"

	"seaworthy/grid/history"
)

func TestKnownInWords(t *testing.T) {
	t.Parallel()
	same, other := history.Known{Same: true}, history.Known{}
	for _, tt := range []struct {
		known    []history.Known
		failures int
		want     string
	}{
		{nil, 0, ""},
		{nil, 3, ""},
		{[]history.Known{other, other}, 2, ""}, // the test fails there, too, but in another way
		{[]history.Known{same}, 1, "the failure is known on main"},
		{[]history.Known{same, other}, 3, "1 of 3 failures is known on main"},
		{[]history.Known{same, same}, 3, "2 of 3 failures are known on main"},
		{[]history.Known{same, same}, 2, "all 2 failures are known on main"},
	} {
		if got := knownInWords(tt.known, tt.failures, "main"); got != tt.want {
			t.Errorf("%d of %d: %q, want %q", len(tt.known), tt.failures, got, tt.want)
		}
	}
}
