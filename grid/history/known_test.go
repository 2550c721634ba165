package history_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid/history"
)

// letters leaves out what is no letter, as a normaliser would.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}

func TestSameMessage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"water left", "water left", true}, {"water  left\n", " water left", true}, {"water left: 3 l", "water left: 9 l", true}, {"water left", "mast broke", false},
		{"", "", false}, {"", "water", false}, {"water in…the hold", "water in very much of the hold", true}, {"water in…the hold", "water in…the hold", true},
		{"water in…the hold", "mast in the hold", false}, {"water in…the hold", "water in the mast", false}, {"water in the very…deep hold", "water…hold", true},
	} {
		if got := history.SameMessage(tt.a, tt.b, letters); got != tt.want {
			t.Errorf("%q, %q: %t", tt.a, tt.b, got)
		}
		if got := history.SameMessage(tt.b, tt.a, letters); got != tt.want {
			t.Errorf("%q, %q, the other way round: %t", tt.b, tt.a, got)
		}
	}
	if history.SameMessage("3 l", "9 l", nil) || !history.SameMessage("3  l", "3 l", nil) {
		t.Error("without a key messages are compared as they are, but for blanks")
	}
}

func FuzzSameMessage(f *testing.F) {
	f.Add("water in…the hold", "water")
	f.Add("…", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		if history.SameMessage(a, b, nil) != history.SameMessage(b, a, nil) {
			t.Errorf("%q, %q: not the same both ways", a, b)
		}
	})
}

func TestKnownOn(t *testing.T) {
	t.Parallel()
	at := func(s history.Series, message string) history.Series {
		for i := range s.Results {
			if !s.Results[i].Outcome.Passing() {
				s.Results[i].Message = message
			}
		}
		return s
	}
	for _, tt := range []struct {
		name    string
		message string
		branch  []history.Series
		after   time.Time
		want    string
	}{
		{"nothing is known", "water", nil, time.Time{}, ""},
		{"it passes there", "water", []history.Series{series(t, "ci", "main", false, "P P P")}, time.Time{}, ""},
		{"broken there", "water 3", []history.Series{at(series(t, "ci", "main", false, "F F F P P"), "water 9")}, time.Time{}, "also fails on main since build 3 of ci (1 Nov 03:00 UTC)"},
		{"one failure", "water 3", []history.Series{at(series(t, "ci", "main", false, "F P P P"), "water 9")}, time.Time{}, "also fails on main since build 4 of ci (1 Nov 04:00 UTC)"},
		{"an old break of another kind", "water", []history.Series{at(series(t, "ci", "main", false, "F F F P F F F P"), "water")}, time.Time{}, "also fails on main since build 6 of ci (1 Nov 06:00 UTC)"},
		{"another message", "mast", []history.Series{at(series(t, "ci", "main", false, "F F F P P"), "water")}, time.Time{}, "also fails on main since build 3 of ci (1 Nov 03:00 UTC), with another message"},
		{"flaky there", "water", []history.Series{at(series(t, "ci", "main", false, "P F P P F P"), "water")}, time.Time{}, "also failed on main, in 2 runs of ci: the test is flaky there, 33.3 % (9.7 to 70.0)"},
		{"mended there", "water", []history.Series{at(series(t, "ci", "main", false, "P P F F F P"), "water")}, time.Time{}, "also failed on main since build 2 of ci (1 Nov 02:00 UTC)"},
		{"too long ago", "water", []history.Series{at(series(t, "ci", "main", false, "P P F F F P"), "water")}, start.Add(5 * time.Hour), ""},
		{"only other changes", "water", []history.Series{at(series(t, "pull", "main", true, "F@a#1 F@b#2"), "water")}, time.Time{}, ""},
		{"the same message first", "water", []history.Series{at(series(t, "b", "main", false, "F F F P P P"), "mast"), at(series(t, "a", "main", false, "P F P"), "water")}, time.Time{}, "also failed on main, in 1 run of a: the test is flaky there, 33.3 % (6.2 to 79.2)"},
	} {
		k, ok := history.KnownOn("TestDrain", tt.message, tt.branch, history.KnownOptions{Key: letters, After: tt.after})
		got := ""
		if ok {
			got = k.String()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFixes(t *testing.T) {
	t.Parallel()
	c := func(sha, message string) history.Commit {
		subject, _, _ := strings.Cut(message, "\n")
		return history.Commit{SHA: sha, Subject: subject, Message: message, Pull: history.PullOf(subject)}
	}
	main := []history.Commit{
		c("aaaaaaaaaa", "Drain all (#31)\n\nFixes #12"), c("bbbbbbbbbb", "Merge pull request #32 from ada/hull\n\nHull first, for #12"), c("cccccccccc", "Paint (#12)"), c("dddddddddd", "Drain half\n\nfixes #120"),
	}
	branches := map[string][]history.Commit{
		"release-1": {c("1111111111", "Drain all (#40)\n\n(cherry picked from commit aaaaaaaaaa)")},
		"release-2": {c("2222222222", "Automated cherry pick of #31: Drain all"), c("3333333333", "Backport of #32, #33")},
		"release-3": {c("4444444444", "Drain all (#41)")},
		"release-4": {c("5555555555", "Drain all of it")},
		"release-5": nil,
	}
	got := map[string]map[string]string{}
	for _, f := range history.Fixes([]int{12}, main, branches, func(branch, sha string) bool { return branch == "release-5" && sha[0] == 'a' }) {
		m := map[string]string{}
		for _, b := range f.Missing {
			m[b] = "missing"
		}
		for b, how := range f.Picked {
			m[b] = how
		}
		got[f.SHA[:1]] = m
	}
	want := map[string]map[string]string{
		"a": {"release-1": "picked as 111111111", "release-2": "picked as 222222222, which names #31", "release-3": "a commit with the same subject, 444444444", "release-4": "missing", "release-5": "it was merged before the branch was made"},
		"b": {"release-1": "missing", "release-2": "picked as 333333333, which names #32", "release-3": "missing", "release-4": "missing", "release-5": "missing"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if how := history.PickedIn(main[0], []history.Commit{main[0]}); how != "the branch holds the commit" {
		t.Error(how)
	}
	for subject, want := range map[string]string{"Merge pull request #7 from a/b": "7", "Drain (#8)": "8", "Drain #9": "", "": ""} {
		if got := history.PullOf(subject); got != want {
			t.Errorf("%q: %q", subject, got)
		}
	}
}
