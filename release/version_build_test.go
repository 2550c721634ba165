package release

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// tablePolicy reads the rules of a row.
func tablePolicy(t *testing.T, rules string) Policy {
	t.Helper()
	p := DefaultPolicy()
	if rules == "-" {
		return p
	}
	p, err := p.With(strings.Split(rules, ","))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The table of every branch state and kind of release.
func TestNextFrom(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/versions.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[0] == "#" || strings.HasPrefix(line, "# ") {
			continue
		}
		rows++
		branch, last, kind, create, answer := f[0], f[1], Kind(f[2]), f[3] == "create", f[5:]
		got, cuts, err := NextFrom(branch, last, kind, create, tablePolicy(t, f[4]))
		if answer[0] == "!" {
			var refused *Refusal
			words := strings.Join(answer[1:], " ")
			if !errors.As(err, &refused) || !strings.Contains(refused.Why, words) {
				t.Errorf("%s gave %v, %v; want a refusal with %q", strings.TrimSpace(line), got, err, words)
			}
			continue
		}
		var names []string
		for _, next := range got {
			names = append(names, next.String())
		}
		if err != nil || strings.Join(names, " ") != strings.Join(answer, " ") || cuts != create {
			t.Errorf("%s gave %v, cut %v, %v", strings.TrimSpace(line), names, cuts, err)
		}
	}
	if rows < 60 {
		t.Errorf("the table has %d rows that can be read", rows)
	}
}

// Whatever the last version and the question: an answer is of the kind asked
// for, newer than the last version within its series, never that version, never
// twice the same, and can be gone on from.
func TestNextFromIsNew(t *testing.T) {
	t.Parallel()
	var lasts []string
	for _, core := range []string{"v1.22.0", "v1.22.7", "v1.23.0", "v1.23.1", "v1.24.0", "v2.0.0"} {
		for _, rest := range []string{"", "-alpha.0", "-alpha.3.9+0123456789abcd", "-beta.1", "-rc.0", "-rc.2.1+0123456789abcd", "-4+0123456789abcd", "+0123456789abcd"} {
			lasts = append(lasts, core+rest)
		}
	}
	answers := 0
	for _, rules := range []string{"-", "next-candidate", "no-next-alpha", "trunk", "trunk,patch", "next-candidate,trunk"} {
		p := tablePolicy(t, rules)
		for _, last := range lasts {
			before, err := ParseBuildName(last)
			if err != nil {
				t.Fatal(err)
			}
			for _, branch := range []string{"main", "release-1.22", "release-1.23", "release-2.0", "release-1.22.1", "release-x"} {
				for _, kind := range []Kind{Alpha, Beta, RC, Official} {
					for _, create := range []bool{false, true} {
						got, _, err := NextFrom(branch, last, kind, create, p)
						var refused *Refusal
						if errors.As(err, &refused) {
							continue
						}
						if err != nil {
							t.Fatalf("%s from %s on %s: %v", kind, last, branch, err)
						}
						answers++
						seen := map[string]bool{before.Last.String(): true}
						for i, next := range got {
							if next.Compare(before.Last) <= 0 || seen[next.String()] || i == 0 && next.Kind() != kind {
								t.Errorf("%s from %s on %s gives %v", kind, last, branch, got)
							}
							seen[next.String()] = true
						}
						if _, _, err := NextFrom(branch, got[0].String(), kind, false, p); err != nil {
							t.Errorf("%s cannot be gone on from on %s: %v", got[0], branch, err)
						}
					}
				}
			}
		}
	}
	if answers < 300 {
		t.Errorf("only %d questions were answered", answers)
	}
}

func TestParseBuildName(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, last string
		commits  int
		hash     string
		dirty    bool
	}{
		{"v1.23.0", "v1.23.0", 0, "", false},
		{" v1.23.0-rc.1\n", "v1.23.0-rc.1", 0, "", false},
		{"v1.23.0-alpha.1.123+4e9bdd481e2400", "v1.23.0-alpha.1", 123, "4e9bdd481e2400", false},
		{"v1.23.0-alpha.1.123+4e9bdd481e2400-dirty", "v1.23.0-alpha.1", 123, "4e9bdd481e2400", true},
		{"v1.23.0-dirty", "v1.23.0", 0, "", true},
		{"v1.22.0-5+4e9bdd481e2400", "v1.22.0", 5, "4e9bdd481e2400", false},
		{"v1.22.0-5-g4e9bdd4", "v1.22.0", 5, "4e9bdd4", false},
		{"v1.22.0-rc.1-5-g4e9bdd4", "v1.22.0-rc.1", 5, "4e9bdd4", false},
		{"v1.22.0+4e9bdd481e24", "v1.22.0", 0, "4e9bdd481e24", false},
		{"tools/v1.22.0+4e9bdd481e24", "tools/v1.22.0", 0, "4e9bdd481e24", false},
		{"1.22.0", "1.22.0", 0, "", false},
		{"v1.0.0-dev+exp.1", "v1.0.0-dev", 0, "", false},
	} {
		got, err := ParseBuildName(tc.in)
		if err != nil || got.Last.String() != tc.last || got.Commits != tc.commits || got.Hash != tc.hash || got.Dirty != tc.dirty {
			t.Errorf("%q is %+v, %v", tc.in, got, err)
		}
	}
	for _, in := range []string{"", "v1", "v1.2", "latest", "v1.2.3.4", "v01.2.3", "v1.0.0-alpha.1.99999999999999999999+4e9bdd4", "v1.0.0-rc.01"} {
		if got, err := ParseBuildName(in); err == nil {
			t.Errorf("%q was read as %+v", in, got)
		}
	}
	if _, _, err := NextFrom("", "v1.0.0", RC, false, DefaultPolicy()); err == nil {
		t.Error("no branch was taken")
	}
	if _, err := DefaultPolicy().With([]string{"faster"}); err == nil || !strings.Contains(err.Error(), "next-candidate") {
		t.Errorf("an unknown rule gave %v", err)
	}
}

func FuzzNextFrom(f *testing.F) {
	for _, last := range []string{"v1.23.0", "v1.23.0-alpha.1.123+4e9bdd481e2400", "v1.22.0-5-g4e9bdd4", "1.0.0-rc.0", "a/v9.9.9-beta.3"} {
		f.Add("main", last, false)
		f.Add("release-1.23", last, true)
	}
	f.Fuzz(func(t *testing.T, branch, last string, create bool) {
		for _, kind := range []Kind{Alpha, Beta, RC, Official} {
			got, _, err := NextFrom(branch, last, kind, create, DefaultPolicy())
			if err != nil {
				continue
			}
			before, err := ParseBuildName(last)
			if err != nil {
				t.Fatalf("%q gave %v and cannot be read", last, got)
			}
			for _, next := range got {
				if _, err := ParseVersion(next.Prefix, next.String()); err != nil || next.Compare(before.Last) <= 0 {
					t.Fatalf("%s of %q on %q gives %s (%v)", kind, last, branch, next, err)
				}
			}
		}
	})
}
