package train_test

import (
	"strings"
	"testing"
	"time"

	"seaworthy/release"
	"seaworthy/release/train"
)

func TestServes(t *testing.T) {
	t.Parallel()
	history := train.History{Default: "main", Branches: []train.Branch{
		{Name: "main"}, {Name: "feature/x"}, {Name: "release-next"},
		{Name: "release-1.9", FirstFinal: at(t, "2025-01-31")},
		{Name: "release-1.10", FirstFinal: at(t, "2025-09-10")},
		{Name: "release-1.11", FirstFinal: at(t, "2026-05-20")},
		{Name: "release-1.12"}, // candidates only
	}}
	trunk := train.History{Default: "main", Branches: []train.Branch{{Name: "main"}}}
	for _, c := range []struct {
		name    string
		rule    train.Rule
		history train.History
		trunk   bool
		now     string
		want    string
	}{
		{"every series that is out", train.Rule{Type: train.Patch}, history, false, "2026-11-22", "release-1.11 release-1.10 release-1.9"},
		{"the newest two", train.Rule{Type: train.Patch, Newest: 2}, history, false, "2026-11-22", "release-1.11 release-1.10"},
		{"fourteen months", train.Rule{Type: train.Patch, Months: 14}, history, false, "2026-11-09", "release-1.11 release-1.10"},
		{"fourteen months to the day", train.Rule{Type: train.Patch, Months: 14}, history, false, "2026-11-10", "release-1.11"},
		{"a month shorter than the day", train.Rule{Type: train.Patch, Months: 13}, history, false, "2026-02-27", "release-1.11 release-1.10 release-1.9"},
		{"over at the month's end", train.Rule{Type: train.Patch, Months: 13}, history, false, "2026-02-28", "release-1.11 release-1.10"},
		{"named", train.Rule{Type: train.Patch, Branches: []string{"release-1.9", "release-1.1[01]"}}, history, false, "2026-11-22", "release-1.11 release-1.10 release-1.9"},
		{"named outside of the newest", train.Rule{Type: train.Patch, Branches: []string{"release-1.9"}, Newest: 2}, history, false, "2026-11-22", ""},
		{"candidates", train.Rule{Type: train.RC, Newest: 1}, history, false, "2026-11-22", "release-1.12"},
		{"alphas", train.Rule{Type: train.Alpha}, history, false, "2026-11-22", "main"},
		{"alphas of another branch", train.Rule{Type: train.Alpha, Branches: []string{"master"}}, history, false, "2026-11-22", ""},
		{"nothing was pushed yet", train.Rule{Type: train.Beta}, train.History{Default: "main"}, false, "2026-11-22", ""},
		{"from the default branch", train.Rule{Type: train.Official}, trunk, true, "2026-11-22", "main"},
		{"patches have no branch there", train.Rule{Type: train.Patch}, trunk, true, "2026-11-22", ""},
	} {
		p := release.DefaultPolicy()
		p.Trunk = c.trunk
		if got := strings.Join(c.rule.Serves(c.history, p, at(t, c.now)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	for of, want := range map[train.Type]release.Kind{train.Patch: release.Official, train.Official: release.Official, train.RC: release.RC, train.Alpha: release.Alpha} {
		if got := of.Kind(); got != want {
			t.Errorf("%s makes a %s, want %s", of, got, want)
		}
	}
}

func TestLogBegins(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-22")
	rule := train.Rule{Type: train.Patch, Calendar: calendar(t, "second Tuesday", "")}
	fresh := train.Log{}.Begin(rule, now)
	if fresh.Since != now || fresh.Rule == "" || fresh.Outcome != "" {
		t.Errorf("a first log: %+v", fresh)
	}
	if again := fresh.Begin(rule, now.Add(time.Hour)); again != fresh {
		t.Errorf("the same rule begins anew: %+v", again)
	}
	other := train.Rule{Type: train.Patch, Calendar: calendar(t, "first Friday", "")}
	over := fresh
	over.Departure, over.Outcome = at(t, "2026-12-08"), train.Out
	if l := over.Begin(other, now); l.Since != now || l.Outcome != "" {
		t.Errorf("another rule takes over what is over: %+v", l)
	}
	over.Outcome = train.Opened
	if l := over.Begin(other, now); l.Outcome != train.Opened || l.Departure != over.Departure || l.Rule != other.String() {
		t.Errorf("another rule loses a release on its way: %+v", l)
	}
}
