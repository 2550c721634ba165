package cli

import (
	"encoding/json"
	"testing"
	"time"

	"seaworthy/grid"
)

// What is said of a cell stands at the place of its column, and so does the
// value of a metric: both are looked up here as a program would.
func TestShowGrid(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	g := grid.New("unit")
	for i, build := range []struct {
		id      string
		status  grid.Outcome
		message string
		minutes int
	}{{"1", grid.Fail, "slipped", 1}, {"2", grid.Pass, "", 2}, {"3", grid.Pass, "", 0}, {"4", grid.Fail, "parted", 4}, {"5", grid.Pass, "", 5}} {
		began := now.Add(time.Duration(i-9) * time.Hour)
		g.Append(grid.Build{ID: build.id, Started: began, Finished: began.Add(time.Minute), Passed: true, Tests: []grid.Test{
			{Name: "TestKnot", Status: build.status, Message: build.message, Duration: time.Duration(build.minutes) * time.Minute},
		}}, now)
	}
	shown := showGrid(g)
	row := shown.Rows[len(shown.Rows)-1]
	if row.Name != "TestKnot" {
		t.Fatalf("the last row is %s", row.Name)
	}
	says := map[string]string{}
	for _, n := range row.Notes {
		says[shown.Columns[n.At].Build] = n.Message
	}
	if len(says) != 2 || says["1"] != "slipped" || says["4"] != "parted" || row.Notes[0].Message != "parted" {
		t.Errorf("messages %v, the first %+v", says, row.Notes[0])
	}
	took := map[string]float32{}
	next := 0
	for _, m := range row.Metrics {
		for _, p := range m.Spans {
			for at := p.At; at < p.At+p.Count; at++ {
				took[shown.Columns[at].Build] = m.Values[next]
				next++
			}
		}
	}
	if len(took) != 4 || took["1"] != 1 || took["2"] != 2 || took["4"] != 4 || took["5"] != 5 {
		t.Errorf("minutes %v", took)
	}
	outcomes := ""
	for _, run := range row.Runs {
		for range run.Count {
			outcomes += run.Status + " "
		}
	}
	if outcomes != "PASS FAIL PASS PASS FAIL " {
		t.Errorf("outcomes %s", outcomes)
	}
	text, err := json.Marshal(showGrid(grid.New("empty")))
	if err != nil || string(text) != `{"job":"empty","columns":[],"rows":[]}` {
		t.Errorf("an empty grid: %s, %v", text, err)
	}
}
