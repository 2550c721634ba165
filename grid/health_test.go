package grid_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
)

func TestFlakiness(t *testing.T) {
	t.Parallel()
	// Newest first; a second row keeps columns from being lost as a whole.
	for _, tt := range []struct {
		cells string
		want  float64
	}{
		{"PPPP", 0},
		{"PFPP", 25},
		{"FPPP", 25},
		{"PPPF", 25},
		{"PFFP", 25},
		{"FPFP", 50},
		{"FFFP", 0},      // broken, not flaky
		{"PFFFP", 0},     // the three are left out
		{"PFFFPFPP", 20}, // one of the five that are left
		{"FFFF", 0},
		{"FF", 50},
		{"KPPP", 25},
		{"KKPP", 50},
		{"FKFP", 75},
		{"PF.FP", 25}, // holes do not part failures
		{"PRPF", 33.333},
		{"PTLP", 25},
		{"SSWF", 25},
		{"....", 0},
		{"CUBP", 0},
	} {
		g := drawn(t, "a "+tt.cells+" / b "+strings.Repeat("P", len(tt.cells)))
		h := grid.Healthiness(g, grid.Options{}, now)
		got := 0.0
		for _, x := range h.Tests {
			if x.Test == "a" {
				got = x.Flakiness
			}
		}
		if got < tt.want-0.001 || got > tt.want+0.001 {
			t.Errorf("%s: %v, want %v", tt.cells, got, tt.want)
		}
	}
}

func TestHealthiness(t *testing.T) {
	t.Parallel()
	// Two hours of four columns each, half an hour apart.
	g := drawn(t, "up FPFP PPPP / down PPPP PFPF / even PPFP FPPP / new PFPP .... / gone .... PFPP / flaky KKKK KKKK / infra PFFP PPPP / lost PPPP PPPP / x@TESTGRID@y FPFP FPFP")
	for i := range g.Columns {
		g.Columns[i].Started = now.Add(-time.Duration(i) * 30 * time.Minute)
	}
	g = noted(g, "infra", 1, "TIMEOUT")
	g = noted(g, "infra", 2, "no route to host")
	h := grid.Healthiness(g, grid.Options{Health: 119 * time.Minute}, now)
	var got []string
	for _, x := range h.Tests {
		line := fmt.Sprintf("%s %d/%d/%d %.0f %s", x.Test, x.Passed, x.Failed, x.Flaked, x.Flakiness, x.Trend)
		if x.Before != nil {
			line += fmt.Sprintf(" %.0f", *x.Before)
		}
		if x.Infra != nil {
			line += fmt.Sprint(" ", x.Infra)
		}
		got = append(got, line)
	}
	want := []string{
		"up 2/2/0 50 UP 0",
		"down 4/0/0 0 DOWN 50",
		"even 3/1/0 25 NO_CHANGE 25",
		"new 3/1/0 25 UNKNOWN",
		"flaky 0/0/4 100 NO_CHANGE 100",
		"infra 2/1/0 33 UP 0 map[TIMEOUT:1]",
		"lost 4/0/0 0 NO_CHANGE 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if f := fmt.Sprintf("%.2f %.2f", h.Flakiness, h.Before); f != "33.33 28.57" {
		t.Errorf("means %s", f)
	}
	if s := grid.Summarize(g, grid.Options{Health: time.Hour}, now); s.Health == nil || !s.Health.From.Equal(now.Add(-time.Hour)) || !s.Health.To.Equal(now) {
		t.Errorf("in the summary: %+v", s.Health)
	}
	if s := grid.Summarize(g, grid.Options{}, now); s.Health != nil {
		t.Error("nobody asked for it")
	}
}

// noted gives a cell a message.
func noted(g *grid.Grid, row string, column int, message string) *grid.Grid {
	r := g.Row(row)
	r.Notes = append([]grid.Note{{At: len(g.Columns) - 1 - column, Icon: "F", Message: message}}, r.Notes...)
	return g
}

// A column in which everything failed tells nothing of a test.
func TestLostColumns(t *testing.T) {
	t.Parallel()
	flakiness := func(rows string) float64 {
		return grid.Healthiness(drawn(t, rows), grid.Options{}, now).Tests[0].Flakiness
	}
	if f := flakiness("a PFPP / b PFPP"); f != 0 {
		t.Errorf("all failed: %v", f)
	}
	if f := flakiness("a PFPP / b PKPP"); f != 25 {
		t.Errorf("one was flaky: %v", f)
	}
	if f := flakiness("a PFPP"); f != 25 {
		t.Errorf("of one test: %v", f)
	}
	h := grid.Healthiness(drawn(t, "a PFPP / b PFPP"), grid.Options{}, now)
	if h.Tests[0].Failed != 1 {
		t.Errorf("it is still counted: %+v", h.Tests[0])
	}
}
