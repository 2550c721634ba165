package grid_test

import (
	"fmt"
	"time"

	"seaworthy/grid"
)

func Example() {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	g := grid.New("ci-halyard-test")
	for i, status := range []grid.Outcome{grid.Pass, grid.Pass, grid.Fail} {
		began := now.Add(time.Duration(i-10) * time.Hour)
		g.Append(grid.Build{
			ID: fmt.Sprint(1000 + i), Started: began, Finished: began.Add(time.Minute), Passed: status == grid.Pass, Commit: fmt.Sprint("c", i),
			Tests: []grid.Test{{Name: "TestBowline", Status: status, Message: "slipped"}, {Name: "TestSheet", Status: grid.Pass}},
		}, now)
	}
	s := grid.Summarize(g, grid.Options{}, now)
	fmt.Println(s.Status, s.Text)
	fmt.Println("latest green", s.LatestGreen)
	for _, r := range (grid.Query{OnlyFailures: true, Sort: grid.ByFailures}).Select(g) {
		fmt.Println(r.Name, r.Cells()[0].Status)
	}
	// Output:
	// FLAKY Tab stats: 2 of 3 (66.7%) recent columns passed (7 of 9 or 77.8% cells)
	// latest green c1
	// ci-halyard-test.Overall FAIL
	// TestBowline FAIL
}
