package grid_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
)

// letters are the outcomes in testdata/summary.txt.
const letters = ".PWSRAUCBTGDFKLV"

// drawn makes a grid of rows such as "a PPF / b P.P".
func drawn(t *testing.T, rows string) *grid.Grid {
	t.Helper()
	g := grid.New("j")
	for line := range strings.SplitSeq(rows, " / ") {
		name, cells, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found {
			continue
		}
		cells = strings.ReplaceAll(cells, " ", "")
		r := &grid.Row{Name: name}
		for i, letter := range cells {
			status := grid.Outcome(strings.IndexRune(letters, letter))
			if status < 0 {
				t.Fatalf("no outcome is written %q", letter)
			}
			if n := len(r.Runs); n > 0 && r.Runs[n-1].Status == status {
				r.Runs[n-1].Count++
			} else {
				r.Runs = append(r.Runs, grid.Run{Status: status, Count: 1})
			}
			if i == len(g.Columns) {
				id := len(cells) - i
				g.Columns = append(g.Columns, grid.Column{Build: strconv.Itoa(id), Commit: fmt.Sprint("c", id), Started: now.Add(-time.Duration(i+1) * time.Hour)})
			}
		}
		g.Rows = append(g.Rows, r)
	}
	return g
}

func options(t *testing.T, text string) grid.Options {
	t.Helper()
	var o grid.Options
	for f := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(f, "=")
		n, _ := strconv.ParseFloat(value, 64)
		d, _ := time.ParseDuration(value)
		switch key {
		case "recent":
			o.Recent = int(n)
		case "failures":
			o.Failures = int(n)
		case "passes":
			o.Passes = int(n)
		case "broken":
			o.Broken = n
		case "flaky":
			o.Flakiness = n
		case "min":
			o.MinRuns = int(n)
		case "stale":
			o.StaleAfter = d
		case "updated":
			o.Updated = now.Add(-d)
		case "include":
			o.Include = append(o.Include, regexp.MustCompile(value))
		case "exclude":
			o.Exclude = append(o.Exclude, regexp.MustCompile(value))
		case "ignore":
			for _, letter := range value {
				o.Ignored = append(o.Ignored, grid.Outcome(strings.IndexRune(letters, letter)))
			}
		default:
			t.Fatalf("no option is called %s", key)
		}
	}
	return o
}

func TestSummaryTable(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/summary.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		cases++
		f := strings.Split(strings.TrimSpace(line)+"|", "|")
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		t.Run(f[0], func(t *testing.T) {
			t.Parallel()
			g := drawn(t, f[2])
			s := grid.Summarize(g, options(t, f[1]), now)
			n := s.Stats
			got := fmt.Sprintf("%s %d/%d %d/%d", s.Status, n.PassingColumns, n.CompletedColumns, n.PassingCells, n.FilledCells)
			if n.IgnoredColumns > 0 {
				got += fmt.Sprint(" ", n.IgnoredColumns)
			}
			if want := strings.Join(strings.Fields(f[3]), " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			green := strings.ReplaceAll(s.LatestGreen, "no recent greens", "none")
			if green != f[4] {
				t.Errorf("latest green %s, want %s", green, f[4])
			}
			var alerts []string
			for _, a := range s.Alerts {
				text := fmt.Sprintf("%s %d %s..%s", a.Test, a.Fails, a.FirstFail.Commit, a.LatestFail.Commit)
				if a.LastPass.Commit != "" {
					text += " <" + a.LastPass.Commit
				}
				alerts = append(alerts, text)
			}
			if got := strings.Join(alerts, "; "); got != f[5] {
				t.Errorf("alerts %q, want %q", got, f[5])
			}
			if again := s.Aged(options(t, f[1]), now); !cmp.Equal(s, again) {
				t.Errorf("of the same age it is another: %s", cmp.Diff(s, again))
			}
		})
	}
	if cases < 60 {
		t.Errorf("only %d cases were read", cases)
	}
}
