package cli

import (
	"strings"
	"testing"
	"time"

	"seaworthy/grid"
)

func TestOnOneLine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                        "",
		"TestBowline":             "TestBowline",
		"a\nb\tc\x1b[31m":         "a b c�[31m",
		"abc\u202edef":            "abc�def",
		"\xff":                    "�",
		"ä ö ü 船":                 "ä ö ü 船",
		strings.Repeat("x", 20):   strings.Repeat("x", 20),
		"abcdefghijKLmnopqrstuvw": "abcdefghi…nopqrstuvw"[:9] + "…" + "nopqrstuvw",
	} {
		if got := onOneLine(name, 20); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}

// What comes from elsewhere cannot leave its cell of a table.
func TestHarmlessTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cell := "a\nb\tc\vd\fe\x1b[2Jf\u202eg\u2028h\u00a0i\x00j\u0085k"
	if err := table(&out, "nothing", []string{"name", "says"}, [][]string{{cell, "👩‍🚀 ä"}}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME                      SAYS\na b c d e�[2Jf�g h i�j k  👩‍🚀 ä\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// A name that would break the table, or is longer than any terminal is wide,
// keeps its row, and the others stay in line.
func TestDrawGridNames(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	g := grid.New("unit")
	for i, id := range []string{"1", "2", "3"} {
		began := now.Add(time.Duration(i-9) * time.Hour)
		g.Append(grid.Build{ID: id, Started: began, Finished: began.Add(time.Minute), Passed: true, Tests: []grid.Test{
			{Name: "two\nlines", Status: grid.Pass},
			{Name: strings.Repeat("long ", 900), Status: grid.Fail},
		}}, now)
	}
	var out strings.Builder
	if err := drawGrid(&out, g, 2); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 { // three rows, a blank, the legend
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i, want := range []string{"··", "FF", "··"} {
		if runes := []rune(lines[i]); len(runes) != 104 || string(runes[102:]) != want {
			t.Errorf("line %d ends in %q after %d characters, want %q", i, string(runes[max(0, len(runes)-4):]), len(runes), want)
		}
	}
}
